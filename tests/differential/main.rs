//! The same random commands to a real Redis 7.0 and to a store: every reply must be the same, to
//! the byte, in RESP2 and in RESP3.
//!
//! Run it with `cargo test --test differential`. `REDIS_SERVER` names the server's program,
//! `LARDER_COMMANDS` how many commands each family runs (20,000 unless set), half of them from a
//! fixed seed and half from a fresh one, `LARDER_SEED` a seed to run in place of both. A difference
//! is reported as the shortest list of commands that still shows it, with the seed that brings it
//! again at once.
//!
//! Commands are drawn by `grammar.rs`; one in eight is then spoiled: an argument lost, doubled or
//! replaced by something that hardly fits. Some are sent together, between `MULTI` and `EXEC`.
//!
//! What may differ, and why:
//!
//! - the order of `KEYS`, `SCAN`, `ZSCAN`, `HSCAN` and `SSCAN`, of the fields of a hash and of the
//!   members of a set, and what `RANDOMKEY`, `ZRANDMEMBER`, `HRANDFIELD`, `SRANDMEMBER` and `SPOP`
//!   pick: hash tables differ, and dice. `SPOP` takes all members or none here;
//! - cursors other than 0: they are positions in each implementation's own tables;
//! - times that are measured from now (`TTL`, `PTTL`, deadlines set by a time to live, idle times,
//!   times of delivery) by what passes between the two runs of a command;
//! - `radix-tree-keys` and `radix-tree-nodes` of `XINFO STREAM`, which count nodes of a tree that
//!   only Redis has;
//! - a command that is wrong in two ways: arguments are read before any key is looked at, where
//!   Redis now and then looks first, and finds another type, no group, or nothing to do:
//!   `XREADGROUP` looks for the group of a stream before it reads its id, `XINFO STREAM` for the
//!   stream before `FULL COUNT`;
//! - a score of minus zero, which is zero here, and in Redis too if the sorted set is small;
//! - scores of `ZSCAN`, of which Redis writes large whole ones in two ways, by how many there are;
//! - entries above an id that `XSETID` set a stream back to, once they are deleted: Redis keeps
//!   them in its blocks, out of order, and `XTRIM` stops there;
//! - ids made from the clock;
//! - `OBJECT ENCODING` of what Redis still keeps as it was when it was larger, or part of another,
//!   and so `OBJECT REFCOUNT` of an integer that it keeps as text, and shares with nobody, or with
//!   the request that set it, until the whole transaction is over;
//! - `BITFIELD` with `OVERFLOW SAT` and `SET` of a number within a few bits of the lowest there is:
//!   Redis subtracts it, overflows, and stores the highest number that fits;
//! - `RESTORE` with a time to live beyond all times, which is an error here: Redis's sum overflows,
//!   and what it restores is over at once;
//! - counters of a stream, of its groups and of deliveries beyond the highest number: Redis's go on
//!   below zero, and no command takes them then; these stay;
//! - `SORT` after a number beyond all doubles, in whichever command: Redis remembers the overflow
//!   and refuses the next weight for it. Where `SORT` is drawn, such numbers are not;
//! - `LINDEX` of a key that is absent, which to Redis is none whatever the index is, and the rank
//!   of `LPOS` that has no opposite, which newer versions refuse;
//! - the bytes that `DUMP` answers: nothing is compressed here, and hash tables differ. What they
//!   hold is compared;
//! - what is newer than Redis 7.0, and the texts of `HELP`, are not compared.

mod grammar;
mod redis;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use grammar::{Argv, Commands, Grammar};
use larder::Store;
use redis::{Connection, Reply, Server, write_request};

/// Commands between two times that everything is cleared.
const ROUND: usize = 250;
/// One round in eight is so many times longer, for collections to grow.
const LONG_ROUND: usize = 6;
const FIXED_SEED: u64 = 7;
/// Reports of one run: the first difference of each command, up to so many commands.
const MOST_REPORTS: usize = 12;

#[test]
fn strings() {
    compare(grammar::STRINGS.to_vec(), &["SET", "MSET", "INCRBYFLOAT"]);
}

#[test]
fn keys() {
    let makers = ["SET", "RPUSH", "ZADD", "XADD", "HSET", "SADD", "SETEX"];
    compare(grammar::KEYS.to_vec(), &makers);
}

#[test]
fn lists() {
    compare(grammar::LISTS.to_vec(), &["LPUSH", "RPUSH", "RPUSH"]);
}

#[test]
fn sorting() {
    compare(grammar::SORTING.to_vec(), &["SORT"]);
}

#[test]
fn sorted_sets() {
    compare(grammar::SORTED_SETS.to_vec(), &["ZADD"]);
}

#[test]
fn hashes() {
    compare(grammar::HASHES.to_vec(), &["HSET", "HINCRBYFLOAT"]);
}

#[test]
fn sets() {
    compare(grammar::SETS.to_vec(), &["SADD", "SADD", "ZADD"]);
}

#[test]
fn bitmaps() {
    compare(grammar::BITMAPS.to_vec(), &["SETBIT", "BITFIELD", "SETRANGE"]);
}

#[test]
fn streams() {
    compare(grammar::STREAMS.to_vec(), &["XADD", "XADD", "XGROUP|CREATE", "XREADGROUP"]);
}

#[test]
fn everything() {
    let mut all = grammar::all();
    all.retain(|grammar| !grammar.0.starts_with("SORT"));
    compare(all, &["SET", "RPUSH", "ZADD", "XADD", "HSET", "SADD", "XGROUP|CREATE"]);
}

/// What is sent at one time.
#[derive(Clone, Debug)]
enum Step {
    One(Argv),
    Batch(Vec<Argv>),
}

/// A family of commands, and how to draw from it.
struct Family {
    all: Vec<Grammar>,
    /// Commands that make data, so that the others find some.
    makers: Vec<Grammar>,
}

/// Runs random commands on both and panics with a report if they differ. `makers` are drawn more
/// often, as they make data for the others to find.
fn compare(all: Vec<Grammar>, makers: &[&str]) {
    let family = Family { all, makers: grammar::named(makers) };
    let commands = number("LARDER_COMMANDS").unwrap_or(20_000) as usize;
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos() as u64;
    let seeds = number("LARDER_SEED").map_or(vec![FIXED_SEED, fresh], |seed| vec![seed]);

    let server = Server::start();
    let mut pairs = [false, true].map(|resp3| Pair::new(&server, resp3));
    let mut reports = BTreeMap::new();
    let mut compared = 0;
    for (seed, part) in seeds.iter().zip(1..) {
        let mut seeds_of_rounds = (0..).map(|round| seed.wrapping_add(round));
        while compared < commands * part / seeds.len() {
            let round_seed = seeds_of_rounds.next().expect("numbers without end");
            let steps = family.round(round_seed);
            compared += steps.len();
            let pair = &mut pairs[round_seed.count_ones() as usize % 2];
            if let Some(difference) = pair.difference(&steps) {
                let name = difference.step.name();
                if reports.len() < MOST_REPORTS && !reports.contains_key(&name) {
                    reports.insert(name, pair.report(&steps, difference, round_seed));
                }
            }
        }
    }
    println!("{compared} commands compared, seeds {seeds:?}");
    let reports: Vec<String> = reports.into_values().collect();
    assert!(reports.is_empty(), "\n{}", reports.join("\n"));
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

impl Family {
    /// Random steps between those that make keys of all types and those that look at everything.
    fn round(&self, seed: u64) -> Vec<Step> {
        let mut commands = Commands::new(seed);
        let first = ["SET str 10", "SET text v", "ZADD set 1 a", "XADD log 1-1 a b"];
        let mut steps: Vec<Step> = first.iter().map(|line| Step::typed(line)).collect();
        let length = if seed.is_multiple_of(8) { LONG_ROUND * ROUND } else { ROUND };
        while steps.len() < length {
            steps.push(self.step(&mut commands));
        }
        let last = [
            "TYPE KEY",
            "PEXPIRETIME KEY",
            "GET KEY",
            "LRANGE KEY 0 -1",
            "ZRANGE KEY 0 -1 WITHSCORES",
            "HGETALL KEY",
            "SMEMBERS KEY",
            "XRANGE KEY - +",
            "XINFO STREAM KEY FULL",
        ];
        for key in ["a", "b", "c", "str", "text", "set", "log", "lex"] {
            steps.extend(last.iter().map(|line| Step::typed(&line.replace("KEY", key))));
        }
        steps
    }

    fn sorts(&self) -> bool {
        self.all.iter().any(|grammar| grammar.0 == "SORT")
    }

    fn step(&self, commands: &mut Commands) -> Step {
        if commands.below(20) == 0 {
            commands.waiting = true;
            let batch =
                (0..=commands.below(5)).map(|_| commands.draw(&self.all, &self.makers).1).collect();
            commands.waiting = false;
            return Step::Batch(batch);
        }
        let mut argv = commands.draw(&self.all, &self.makers).1;
        if commands.below(8) == 0 {
            let mut spoiled = argv.clone();
            spoil(&mut spoiled, commands);
            let overflows = spoiled.iter().any(|argument| argument == b"1e400");
            if keeps_lexkey(&argv, &spoiled)
                && !is_spoiled_too_far(&argv, &spoiled)
                && !(self.sorts() && overflows)
            {
                argv = spoiled;
            }
        }
        Step::One(argv)
    }
}

/// Whether a spoiled command still leaves alone what is ordered by member: all of its members
/// have one score, as otherwise there is no such order.
fn keeps_lexkey(argv: &Argv, spoiled: &Argv) -> bool {
    let is_lexkey = |argument: &Vec<u8>| [&b"lex"[..], b"text", b"none"].contains(&&argument[..]);
    match argv.iter().position(is_lexkey) {
        Some(place) => argv[0] != b"ZADD" && spoiled.get(place) == argv.get(place),
        None => true,
    }
}

/// Whether a spoiled command does not do the same to both: one member popped would be another one
/// there, a set that is sorted by nothing has no order, the lowest number for a field is one that
/// Redis takes for too high, the longest time to live one that it restores a key with that is
/// over, and the highest counter of a stream one that it counts on from below zero.
fn is_spoiled_too_far(argv: &Argv, spoiled: &Argv) -> bool {
    let is_lowest = |argument: &Vec<u8>| argument == b"-9223372036854775808";
    let is_highest = |argument: &Vec<u8>| argument == b"9223372036854775807";
    let is_plain = |argument: &Vec<u8>| argument == b"members";
    match &argv[0][..] {
        b"SPOP" => true,
        b"BITFIELD" if spoiled.iter().any(is_lowest) => true,
        b"RESTORE" | b"XGROUP" | b"XSETID" | b"XCLAIM" if spoiled.iter().any(is_highest) => true,
        _ => argv.iter().any(is_plain),
    }
}

/// Makes a command doubtful, but not into what only newer versions know.
fn spoil(argv: &mut Argv, commands: &mut Commands) {
    #[rustfmt::skip]
    const ODD: &[&[u8]] = &[
        b"", b"abc", b"-1", b"0", b"nan", b"-nan", b"1.5", b"9223372036854775808",
        b"9223372036854775807", b"-9223372036854775808", b"-", b"$", b">", b"(", b"[", b"NX",
        b"GT", b"LIMIT", b"WITHSCORES", b"WITHVALUES", b"COUNT", b"1 ", b" 1", b"+1", b"0x10",
        b"\xff", b"1e400", b"1-", b"-1-1", b"1-1-1", b"infinity",
    ];
    let place = commands.below(argv.len());
    match commands.below(6) {
        0 if place > 0 => drop(argv.remove(place)),
        1 => argv.truncate(place.max(1)),
        2 if place > 0 => argv.insert(place, argv[place].clone()),
        3 => argv.push(commands.pick(ODD).to_vec()),
        4 => argv.iter_mut().for_each(|argument| argument.make_ascii_lowercase()),
        5 if place == 0 => argv[0].push(b'X'),
        _ => {
            let place = place.max(1).min(argv.len() - 1);
            argv[place] = commands.pick(ODD).to_vec();
        }
    }
}

impl Step {
    fn typed(line: &str) -> Self {
        Self::One(line.split(' ').map(|word| word.as_bytes().to_vec()).collect())
    }

    fn name(&self) -> String {
        let name = |argv: &Argv| String::from_utf8_lossy(&argv[0]).to_uppercase();
        match self {
            Self::One(argv) => name(argv),
            Self::Batch(batch) => format!("MULTI {}", batch.iter().map(name).collect::<String>()),
        }
    }

    /// The requests that the step is in Redis, and how many replies they get.
    fn requests(&self, out: &mut Vec<u8>) -> usize {
        match self {
            Self::One(argv) => {
                write_request(&borrowed(argv), out);
                1
            }
            Self::Batch(batch) => {
                write_request(&[b"MULTI"], out);
                batch.iter().for_each(|argv| write_request(&borrowed(argv), out));
                write_request(&[b"EXEC"], out);
                batch.len() + 2
            }
        }
    }

    fn run(&self, store: &Store, resp3: bool) -> Vec<u8> {
        match self {
            Self::One(argv) => store.answer(&borrowed(argv), resp3),
            Self::Batch(batch) => {
                let batch: Vec<_> = batch.iter().map(borrowed).collect();
                let batch: Vec<_> = batch.iter().map(|argv| &argv[..]).collect();
                store.answer_all(&batch, resp3)
            }
        }
    }

    /// Whether both replies are right.
    fn agrees(&self, ours: &[u8], theirs: &[u8]) -> bool {
        if ours == theirs {
            return true;
        }
        let (ours, theirs) = (Reply::parse(ours), Reply::parse(theirs));
        match self {
            Self::One(argv) => alike(argv, &ours, &theirs),
            Self::Batch(batch) => {
                let (ours, theirs) = (ours.elements(), theirs.elements());
                let mut replies = ours.iter().zip(theirs);
                ours.len() == theirs.len()
                    && batch.iter().all(|argv| {
                        replies.next().is_some_and(|(ours, theirs)| alike(argv, ours, theirs))
                    })
            }
        }
    }

    /// The step as one would type it.
    fn print(&self, out: &mut String) {
        let mut print = |argv: &Argv| {
            for argument in argv {
                let text = argument.escape_ascii().to_string();
                let plain = !text.is_empty() && !text.contains([' ', '\\', '"']);
                let _ = if plain { write!(out, " {text}") } else { write!(out, " \"{text}\"") };
            }
            out.push('\n');
        };
        match self {
            Self::One(argv) => print(argv),
            Self::Batch(batch) => {
                print(&vec![b"MULTI".to_vec()]);
                batch.iter().for_each(&mut print);
                print(&vec![b"EXEC".to_vec()]);
            }
        }
    }
}

fn borrowed(argv: &Argv) -> Vec<&[u8]> {
    argv.iter().map(|argument| &argument[..]).collect()
}

/// Whether two replies to one command are both right, though their bytes differ.
fn alike(argv: &Argv, ours: &Reply, theirs: &Reply) -> bool {
    let name = argv[0].to_ascii_uppercase();
    let has_scores = name.starts_with(b"Z") || name.starts_with(b"BZ");
    let [ours, theirs] = &[ours, theirs].map(|reply| match has_scores {
        true => reply.without_minus_zero(),
        false => reply.clone(),
    });
    let is_first_page = |cursor: Option<&Vec<u8>>| cursor.is_some_and(|cursor| cursor == b"0");
    match &name[..] {
        b"TTL" | b"EXPIRETIME" => is_close(ours, theirs, 1),
        b"PTTL" | b"PEXPIRETIME" => is_close(ours, theirs, 1_000),
        b"KEYS" => sorted(ours, 1) == sorted(theirs, 1),
        b"HGETALL" => is_permutation(ours, theirs, 2),
        b"HKEYS" | b"HVALS" => is_permutation(ours, theirs, 1),
        b"SMEMBERS" | b"SUNION" | b"SINTER" | b"SDIFF" | b"SPOP" => {
            is_permutation(ours, theirs, 1) || are_errors_alike(&name, ours, theirs)
        }
        b"OBJECT" => {
            let subcommand = argv.get(1).map(|word| word.to_ascii_uppercase()).unwrap_or_default();
            object_told_alike(&subcommand, ours, theirs) || are_errors_alike(&name, ours, theirs)
        }
        b"DUMP" => dumped_alike(ours, theirs),
        b"RANDOMKEY" | b"ZRANDMEMBER" | b"HRANDFIELD" | b"SRANDMEMBER" => same_shape(ours, theirs),
        b"SCAN" if !is_first_page(argv.get(1)) => same_shape_but_length(ours, theirs),
        b"ZSCAN" | b"HSCAN" | b"SSCAN" if !is_first_page(argv.get(2)) => {
            same_shape_but_length(ours, theirs)
        }
        _ if are_errors_alike(&name, ours, theirs) => true,
        b"SCAN" | b"ZSCAN" => match (ours.elements(), theirs.elements()) {
            ([cursor, ours], [other, theirs]) => {
                let width = if name == b"SCAN" { 1 } else { 2 };
                cursor != other || sorted(ours, width) == sorted(theirs, width)
            }
            _ => ours == theirs,
        },
        b"HSCAN" => match (ours.elements(), theirs.elements()) {
            ([cursor, ours], [other, theirs]) => cursor != other || is_permutation(ours, theirs, 2),
            _ => ours == theirs,
        },
        b"SSCAN" => match (ours.elements(), theirs.elements()) {
            ([cursor, ours], [other, theirs]) => cursor != other || is_permutation(ours, theirs, 1),
            _ => ours == theirs,
        },
        b"XPENDING" => times_alike(ours, theirs, Some(2)),
        b"XINFO" => described_alike(ours, theirs),
        _ => ours == theirs,
    }
}

/// Whether two dumped values hold the same.
fn dumped_alike(ours: &Reply, theirs: &Reply) -> bool {
    let (Reply::Scalar(b'$', ours), Reply::Scalar(b'$', theirs)) = (ours, theirs) else {
        return ours == theirs;
    };
    let store = Store::new();
    let answer = |request: &[&[u8]]| Reply::parse(&store.answer(request, false));
    for (key, payload) in [(b"ours", ours), (b"them", theirs)] {
        if answer(&[b"RESTORE", key, b"0", payload]) != Reply::Scalar(b'+', b"OK".to_vec()) {
            return false;
        }
    }
    let same = |before: &[&[u8]], behind: &[&[u8]], width| {
        let [ours, theirs] =
            [&b"ours"[..], b"them"].map(|key| answer(&[before, &[key], behind].concat()));
        ours == theirs || width > 0 && is_permutation(&ours, &theirs, width)
    };
    same(&[b"GET"], &[], 0)
        && same(&[b"LRANGE"], &[b"0", b"-1"], 0)
        && same(&[b"ZRANGE"], &[b"0", b"-1", b"WITHSCORES"], 0)
        && same(&[b"HGETALL"], &[], 2)
        && same(&[b"SMEMBERS"], &[], 1)
        && same(&[b"XRANGE"], &[b"-", b"+"], 0)
}

/// Whether our error stands rightly for another reply of a command that is wrong in itself.
fn are_errors_alike(name: &[u8], ours: &Reply, theirs: &Reply) -> bool {
    let Reply::Scalar(b'-', ours) = ours else { return false };
    let about_keys = |text: &[u8]| {
        let starts: [&[u8]; 5] = [
            b"WRONGTYPE ",
            b"NOGROUP ",
            b"ERR no such key",
            b"ERR The XGROUP subcommand requires",
            b"ERR The specified keys must contain string values",
        ];
        starts.iter().any(|start| text.starts_with(start))
    };
    match theirs {
        Reply::Scalar(b'-', theirs) => {
            theirs == ours
                || about_keys(theirs) && !about_keys(ours)
                // The id stands before the options, but is read after them.
                || name == b"XGROUP" && ours.starts_with(b"ERR Invalid stream ID")
                // It minds the greatest deleted id before it reads on.
                || name == b"XSETID" && ours == b"ERR syntax error"
                // An option of `ZADD` is one of `ZINCRBY` too, but then the number is missing.
                || name == b"ZINCRBY" && theirs == b"ERR syntax error"
                || name == b"COPY" && ours == b"ERR syntax error"
                // It minds the key and the options before the time to live.
                || name == b"RESTORE" && theirs.starts_with(b"BUSYKEY")
                || name == b"RESTORE" && theirs == b"ERR syntax error"
                // Redis 7.0 knows no `WITHSCORE`.
                || [&b"ZRANK"[..], b"ZREVRANK"].contains(&name) && ours == b"ERR syntax error"
        }
        Reply::Scalar(..) | Reply::Aggregate(..) if name == b"LPOS" => {
            ours.starts_with(b"ERR value is out of range, value must between")
        }
        // Nothing is done to a key that is absent.
        Reply::Scalar(b':', count) => match name {
            b"XACK" | b"XDEL" | b"BITCOUNT" => count == b"0",
            b"BITPOS" => [&b"0"[..], b"-1"].contains(&&count[..]),
            _ => false,
        },
        Reply::Scalar(b'_', _) => [&b"GETEX"[..], b"LINDEX"].contains(&name),
        Reply::Aggregate(..) => {
            let scans = [&b"ZSCAN"[..], b"HSCAN", b"SSCAN"].contains(&name);
            scans && theirs.elements()[1].elements().is_empty()
        }
        _ => false,
    }
}

/// Whether `OBJECT` tells the same, times and what follows from the encoding apart.
fn object_told_alike(subcommand: &[u8], ours: &Reply, theirs: &Reply) -> bool {
    const SHARED: i64 = i32::MAX as i64;
    match subcommand {
        b"IDLETIME" => is_close(ours, theirs, 20),
        b"REFCOUNT" => match (ours.integer(), theirs.integer()) {
            (Some(ours), Some(theirs)) => {
                ours == theirs || [1, SHARED].contains(&ours) && theirs <= 2
            }
            _ => ours == theirs,
        },
        _ => encoded_alike(ours, theirs),
    }
}

/// Whether two encodings are of one value: Redis keeps that of a value that was once larger, or
/// that came about as part of another.
fn encoded_alike(ours: &Reply, theirs: &Reply) -> bool {
    const ALSO: [(&[u8], &[u8]); 6] = [
        (b"int", b"raw"),
        (b"int", b"embstr"),
        (b"embstr", b"raw"),
        (b"listpack", b"skiplist"),
        (b"intset", b"hashtable"),
        (b"hashtable", b"intset"),
    ];
    match (ours, theirs) {
        (Reply::Scalar(b'$', ours), Reply::Scalar(b'$', theirs)) => {
            ours == theirs || ALSO.contains(&(&ours[..], &theirs[..]))
        }
        _ => ours == theirs,
    }
}

fn is_close(ours: &Reply, theirs: &Reply, tolerance: u64) -> bool {
    match (ours.integer(), theirs.integer()) {
        (Some(ours), Some(theirs)) => ours.abs_diff(theirs) <= tolerance,
        _ => ours == theirs,
    }
}

/// The elements in groups of `width`, in an order of their own. The second of two is a number.
fn sorted(reply: &Reply, width: usize) -> Vec<Vec<Reply>> {
    let mut groups: Vec<_> = reply.elements().chunks(width).map(<[_]>::to_vec).collect();
    for score in groups.iter_mut().filter_map(|group| group.get_mut(1)) {
        if let Reply::Scalar(_, text) = score {
            let number: f64 = String::from_utf8_lossy(text).parse().expect("a score");
            *text = format!("{number:?}").into_bytes();
        }
    }
    groups.sort();
    groups
}

/// Whether two replies have the same elements, in groups of `width`, in any order.
fn is_permutation(ours: &Reply, theirs: &Reply, width: usize) -> bool {
    let groups = |reply: &Reply| {
        let mut groups: Vec<_> = reply.elements().chunks(width).map(<[_]>::to_vec).collect();
        groups.sort();
        groups
    };
    match (ours, theirs) {
        (Reply::Aggregate(ours_marker, _), Reply::Aggregate(theirs_marker, _)) => {
            ours_marker == theirs_marker && groups(ours) == groups(theirs)
        }
        _ => ours == theirs,
    }
}

fn same_shape(ours: &Reply, theirs: &Reply) -> bool {
    match (ours, theirs) {
        (Reply::Scalar(b'$', _), Reply::Scalar(b'$', _)) => true,
        (Reply::Aggregate(ours, a), Reply::Aggregate(theirs, b)) => {
            ours == theirs && a.len() == b.len()
        }
        _ => ours == theirs,
    }
}

fn same_shape_but_length(ours: &Reply, theirs: &Reply) -> bool {
    match (ours, theirs) {
        (Reply::Aggregate(ours, _), Reply::Aggregate(theirs, _)) => ours == theirs,
        _ => ours == theirs,
    }
}

/// Whether lists of pending entries agree, their times apart, which are the element `time` of
/// each.
fn times_alike(ours: &Reply, theirs: &Reply, time: Option<usize>) -> bool {
    let (a, b) = (ours.elements(), theirs.elements());
    if a.is_empty() || a.len() != b.len() {
        return ours == theirs;
    }
    a.iter().zip(b).all(|(ours, theirs)| {
        let (a, b) = (ours.elements(), theirs.elements());
        if a.is_empty() || a.len() != b.len() {
            return ours == theirs;
        }
        a.iter().zip(b).enumerate().all(|(index, (ours, theirs))| {
            if time == Some(index) { is_close(ours, theirs, 20_000) } else { ours == theirs }
        })
    })
}

/// Whether descriptions of streams, groups and consumers agree, times and trees apart.
fn described_alike(ours: &Reply, theirs: &Reply) -> bool {
    let (Reply::Aggregate(marker, a), Reply::Aggregate(other, b)) = (ours, theirs) else {
        let is_unix_time = |reply: &Reply| reply.integer().is_some_and(|time| time > 1_000_000_000);
        let are_times = is_unix_time(ours) && is_unix_time(theirs);
        return ours == theirs || are_times && is_close(ours, theirs, 20_000);
    };
    let named = |index: usize, names: &[&str]| {
        let name = index.checked_sub(1).map(|before| &a[before]);
        let Some(Reply::Scalar(b'$', name)) = name else { return false };
        names.iter().any(|n| n.as_bytes() == name)
    };
    marker == other
        && a.len() == b.len()
        && a.iter().zip(b).enumerate().all(|(index, (ours, theirs))| {
            named(index, &["radix-tree-keys", "radix-tree-nodes"])
                || named(index, &["idle", "inactive"]) && is_close(ours, theirs, 20_000)
                || described_alike(ours, theirs)
        })
}

/// A connection to Redis, and how a store is asked for the same.
struct Pair {
    connection: Connection,
    resp3: bool,
}

/// The first step that the two answer differently.
struct Difference {
    at: usize,
    step: Step,
    ours: Vec<u8>,
    theirs: Vec<u8>,
}

impl Pair {
    fn new(server: &Server, resp3: bool) -> Self {
        Self { connection: server.connect(resp3), resp3 }
    }

    /// Runs `steps` from nothing on both.
    fn difference(&mut self, steps: &[Step]) -> Option<Difference> {
        let mut requests = Vec::new();
        write_request(&[b"FLUSHALL"], &mut requests);
        let replies: Vec<usize> = steps.iter().map(|step| step.requests(&mut requests)).collect();
        self.connection.send(&requests);
        self.connection.receive();
        let store = Store::builder().keep_idle_times().build();
        let mut found = None;
        for (at, (step, replies)) in steps.iter().zip(replies).enumerate() {
            let theirs = (0..replies).map(|_| self.connection.receive()).last().expect("a reply");
            if found.is_some() {
                continue;
            }
            let ours = step.run(&store, self.resp3);
            if !step.agrees(&ours, &theirs) {
                found = Some(Difference { at, step: step.clone(), ours, theirs });
            }
        }
        found
    }

    /// A report of a difference with as few commands before it as still show it.
    fn report(&mut self, steps: &[Step], mut shown: Difference, seed: u64) -> String {
        let mut steps = steps[..=shown.at].to_vec();
        let mut next = shown.at;
        while next > 0 {
            next -= 1;
            let mut fewer = steps.clone();
            fewer.remove(next);
            if let Some(difference) = self.difference(&fewer)
                && difference.at + 1 == fewer.len()
            {
                shown = difference;
                steps = fewer;
            }
        }
        let mut text = format!("seed {seed}, RESP{}:\n", if self.resp3 { 3 } else { 2 });
        steps.iter().for_each(|step| step.print(&mut text));
        let _ = writeln!(text, "  larder: {}", shown.ours.escape_ascii());
        let _ = writeln!(text, "  redis:  {}", shown.theirs.escape_ascii());
        text
    }
}
