//! Commands out of bytes: the same bytes give the same commands, and a byte more or less changes
//! one command, so that what a fuzzer finds can be made shorter.

use crate::grammar::{self, Commands, Grammar};

/// A command with its name.
pub type Argv = Vec<Vec<u8>>;

/// What to do next.
pub enum Step {
    /// Let so many milliseconds pass.
    Wait(u64),
    /// A command that the model knows.
    Compare(Argv),
    /// Any command.
    Run(Argv, Protocol),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Resp2,
    Resp3,
}

/// Commands of the model: words in capitals stand for themselves, others for an argument of that
/// kind; `+` behind the last one for one to three of it.
const COMPARED: &[&str] = &[
    "SET key value",
    "GET key",
    "INCRBY key integer",
    "APPEND key value",
    "DEL key+",
    "TYPE key",
    "EXPIRE key seconds",
    "PERSIST key",
    "PTTL key",
    "HSET key field value",
    "HSET key field value field value",
    "HGET key field",
    "HDEL key field+",
    "HLEN key",
    "LPUSH key value+",
    "RPUSH key value+",
    "LPOP key",
    "RPOP key",
    "LPOP key count",
    "RPOP key count",
    "LLEN key",
    "LRANGE key index index",
    "LINDEX key index",
    "SADD key field+",
    "SREM key field+",
    "SISMEMBER key field",
    "SCARD key",
    "ZADD key score field",
    "ZADD key score field score field",
    "ZREM key field+",
    "ZSCORE key field",
    "ZCARD key",
    "ZRANGE key index index",
    "ZRANGE key index index WITHSCORES",
    "ZRANK key field",
    "ZPOPMIN key",
    "ZPOPMIN key count",
    "XADD key id field value",
    "XLEN key",
    "XDEL key id+",
    "XRANGE key start end",
    "XRANGE key id id",
];

const KEYS: &[&str] = &["a", "b", "c", "d", "", "s:1", "\u{ff}key"];
const FIELDS: &[&str] = &[
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "",
    "1",
    "2",
    "-7",
    "01",
    "40000",
    "9223372036854775807",
    "Zoë",
    "a field too long for the packed form that small collections have: 0123456789 0123456789",
];
const VALUES: &[&str] = &[
    "",
    "v",
    "10",
    "-3",
    "9223372036854775806",
    "-9223372036854775807",
    "01",
    " 1",
    "1.5",
    "-0",
    "two\r\nlines",
    "x",
    "y",
    "a value that no small block holds, be it of a string or a list: 0123456789 0123456789 012345",
];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "-2",
    "3",
    "5",
    "-5",
    "10",
    "100",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "",
    "abc",
    "01",
    "1.0",
    "+1",
];
const SECONDS: &[&str] =
    &["1", "2", "5", "60", "0", "-1", "9223372036854775807", "-9223372036854775808", "x", ""];
const SCORES: &[&str] = &["0", "1", "2", "2.5", "-1", "1000", "inf", "-inf", "nan", "abc", ""];
/// What stands in the place of an argument of any command.
const ODD: &[&str] = &[
    "",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "nan",
    "-inf",
    "(1",
    "[a",
    "*",
    "\0",
    "\r\n",
    "GET",
    "COUNT",
    "STREAMS",
    "FIELDS",
    "18446744073709551615-18446744073709551615",
];

/// Reads steps from bytes.
pub struct Draw<'b> {
    bytes: &'b [u8],
    all: Vec<Grammar>,
}

impl<'b> Draw<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, all: grammar::all() }
    }

    /// The next byte; zero behind the end, where [`Iterator::next`] ends.
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.byte() % from.len()]
    }

    fn compared(&mut self, form: &str) -> Argv {
        let mut argv = Argv::new();
        for word in form.split(' ') {
            let (word, times) = match word.strip_suffix('+') {
                Some(word) => (word, 1 + self.byte() % 3),
                None => (word, 1),
            };
            (0..times).for_each(|_| argv.push(self.argument(word)));
        }
        argv
    }

    fn argument(&mut self, kind: &str) -> Vec<u8> {
        let words = match kind {
            "key" => KEYS,
            "field" => FIELDS,
            "value" => VALUES,
            "integer" | "index" | "count" => INTEGERS,
            "seconds" => SECONDS,
            "score" => SCORES,
            "start" => &["-"],
            "end" => &["+"],
            "id" => {
                let byte = self.byte();
                return format!("{}-{}", byte >> 2, byte & 3).into_bytes();
            }
            word => return word.as_bytes().to_vec(),
        };
        self.pick(words).as_bytes().to_vec()
    }

    /// A command of any row of the table, by its grammar, and perhaps with something odd in it.
    fn any(&mut self) -> Argv {
        let form = self.pick(&self.all.clone());
        let seed = (self.byte() << 8 | self.byte()) as u64;
        let mut commands = Commands::new(seed);
        (commands.newer, commands.waiting) = (true, true);
        let (_, mut argv) = commands.draw(&[form], &[form]);
        let spoiled = self.byte();
        if spoiled & 3 == 0 {
            let place = 1 + (spoiled >> 2) % argv.len();
            let odd = self.pick(ODD).as_bytes().to_vec();
            match argv.get_mut(place) {
                Some(argument) => *argument = odd,
                None => argv.push(odd),
            }
        }
        argv
    }
}

impl Iterator for Draw<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.bytes.is_empty() {
            return None;
        }
        let chosen = self.byte();
        Some(match chosen {
            0..8 => Step::Wait([1, 500, 999, 1000, 1001, 5000, 60_000, 2_000_000][chosen]),
            8..176 => Step::Compare(self.compared(COMPARED[(chosen - 8) % COMPARED.len()])),
            176..216 => Step::Run(self.any(), Protocol::Resp2),
            _ => Step::Run(self.any(), Protocol::Resp3),
        })
    }
}
