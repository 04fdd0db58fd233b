//! Effects of every command.

use std::time::Duration;

use super::{Collector, shown};
use crate::data::list::ListEnd;
use crate::engine::{Blocked, BlockingFamily, Started, start};
use crate::ops::list::{BlockingMove, BlockingPopFront, Route};
use crate::ops::sorted_set::BlockingPopMin;
use crate::ops::{Await, Timeout};
use crate::wire::grammar::{self, Commands, Grammar};
use crate::{ManualClock, Store};

/// Commands of one history.
pub(super) const STEPS: usize = 3_000;
/// Commands after which everything is compared.
const ROUND: usize = 300;

/// Forms that answer by chance, so that other tests leave them out.
pub(super) const MORE: &[Grammar] =
    &[("SPOP", "key { count }"), ("XADD", "key * ( member value ) +")];

/// A store and those who wait for something in it.
pub(super) struct History {
    pub(super) clock: ManualClock,
    pub(super) store: Store,
    pub(super) collector: std::sync::Arc<Collector>,
    pub(super) commands: Commands,
    /// By how many milliseconds the clock may jump.
    pub(super) jumps: &'static [u64],
    pops: Vec<Blocked<BlockingPopFront<'static>>>,
    moves: Vec<Blocked<BlockingMove<'static>>>,
    lowest: Vec<Blocked<BlockingPopMin<'static>>>,
}

impl History {
    fn new(seed: u64, store: impl FnOnce(&ManualClock) -> Store) -> Self {
        Self::at(ManualClock::new(), seed, store)
    }

    pub(super) fn at(
        clock: ManualClock,
        seed: u64,
        store: impl FnOnce(&ManualClock) -> Store,
    ) -> Self {
        let store = store(&clock);
        let mut commands = Commands::new(seed);
        commands.newer = true;
        commands.waiting = true;
        let collector = Collector::attached_to(&store);
        let (pops, moves, lowest) = (Vec::new(), Vec::new(), Vec::new());
        let jumps = &[5, 1_000_000, 5_000_000_000, 1 << 40];
        Self { clock, store, collector, commands, jumps, pops, moves, lowest }
    }

    fn run(&mut self, all: &[Grammar], makers: &[Grammar]) {
        for step in 1..=STEPS {
            self.step(all, makers);
            if step % ROUND == 0 {
                self.collector.check(&self.store, &self.clock);
            }
        }
    }

    pub(super) fn step(&mut self, all: &[Grammar], makers: &[Grammar]) {
        let store = match self.commands.below(4) {
            0 => self.store.database(self.commands.below(4) as u16).unwrap(),
            _ => self.store.clone(),
        };
        match self.commands.below(40) {
            0 => self.clock.advance(Duration::from_millis(777)),
            1 => {
                let millis = *self.commands.pick(self.jumps);
                self.clock.advance(Duration::from_millis(millis));
            }
            2..=4 => self.wait(),
            5..=6 => self.give_up(),
            7..=9 => self.batch(&store, all, makers),
            10 => self.transact(&store),
            _ => {
                let argv = self.draw(all, makers);
                store.answer(&borrowed(&argv), false);
            }
        }
    }

    fn draw(&mut self, all: &[Grammar], makers: &[Grammar]) -> grammar::Argv {
        self.commands.draw(all, makers).1
    }

    /// Some commands at one instant.
    fn batch(&mut self, store: &Store, all: &[Grammar], makers: &[Grammar]) {
        let count = 1 + self.commands.below(5);
        let commands: Vec<_> = (0..count).map(|_| self.draw(all, makers)).collect();
        let borrowed: Vec<Vec<&[u8]>> = commands.iter().map(borrowed).collect();
        let borrowed: Vec<&[&[u8]]> = borrowed.iter().map(|argv| &argv[..]).collect();
        store.answer_all(&borrowed, false);
    }

    /// Some steps of a transaction, which ends by itself, with an error or with a panic.
    fn transact(&mut self, store: &Store) {
        let ending = self.commands.below(3);
        let end = std::panic::AssertUnwindSafe(|| {
            store.transaction(&["a", "b"], |tx| {
                tx.keys().delete("a")?;
                tx.list("a").push_back("x")?;
                tx.kv().set("b", 1)?;
                tx.kv().increment("b", 41)?;
                match ending {
                    0 => Ok(()),
                    1 => Err(crate::Error::NotExecuted),
                    _ => std::panic::resume_unwind(Box::new(())),
                }
            })
        });
        assert_eq!(std::panic::catch_unwind(end).is_err(), ending == 2);
    }

    /// Starts a call that waits unless there is something.
    fn wait(&mut self) {
        const KEYS: &[&[u8]] = &[b"a", b"b", b"c"];
        let databases = self.store.databases();
        let timeout = Timeout(None);
        let (one, other) = (*self.commands.pick(KEYS), *self.commands.pick(KEYS));
        let of = Await { keys: vec![one, other].into(), timeout };
        match self.commands.below(3) {
            0 => keep(start(databases, 0, &BlockingPopFront { of }), &mut self.pops),
            1 => keep(start(databases, 0, &BlockingPopMin { of }), &mut self.lowest),
            _ => {
                let (from, to) = (ListEnd::Front, ListEnd::Back);
                let route = Route { source: one, destination: other, from, to };
                keep(start(databases, 0, &BlockingMove { route, timeout }), &mut self.moves);
            }
        }
    }

    /// Drops a call, which gives back what it was served, if it was.
    fn give_up(&mut self) {
        drop(self.pops.pop());
        drop(self.moves.pop());
        drop(self.lowest.pop());
    }
}

fn keep<F: BlockingFamily>(started: Started<F>, calls: &mut Vec<Blocked<F>>) {
    if let Started::Blocked(call) = started {
        calls.push(call);
    }
}

fn borrowed(argv: &grammar::Argv) -> Vec<&[u8]> {
    argv.iter().map(|argument| &argument[..]).collect()
}

pub(super) fn swept(clock: &ManualClock) -> Store {
    Store::builder().clock(clock).databases(4).build()
}

/// A store in which what has expired waits for whoever meets it.
fn unswept(clock: &ManualClock) -> Store {
    Store::builder().clock(clock).databases(4).build_unswept()
}

/// Histories of one family, and of everything that moves keys.
fn check_family(family: &[Grammar], makers: &[&str]) {
    let keys = grammar::named(&["DEL", "RENAME", "COPY", "PEXPIRE", "EXPIRE", "PERSIST", "MOVE"]);
    let all = [family, &keys].concat();
    let makers = grammar::named(makers);
    for seed in 0..2 {
        History::new(seed, swept).run(&all, &makers);
        History::new(seed + 100, unswept).run(&all, &makers);
    }
}

#[test]
fn strings() {
    check_family(grammar::STRINGS, &["SET", "INCRBYFLOAT"]);
}

#[test]
fn bitmaps() {
    check_family(grammar::BITMAPS, &["SETBIT", "BITFIELD"]);
}

#[test]
fn lists() {
    check_family(grammar::LISTS, &["LPUSH", "RPUSH"]);
    check_family(grammar::SORTING, &["SORT", "SADD"]);
}

#[test]
fn sorted_sets() {
    check_family(grammar::SORTED_SETS, &["ZADD"]);
}

#[test]
fn hashes() {
    check_family(grammar::HASHES, &["HSET", "HSETEX"]);
}

#[test]
fn sets() {
    check_family(&[grammar::SETS, &MORE[..1]].concat(), &["SADD"]);
}

#[test]
fn streams() {
    let makers = ["XADD", "XGROUP|CREATE", "XREADGROUP", "XCLAIM"];
    check_family(&[grammar::STREAMS, &MORE[1..]].concat(), &makers);
}

#[test]
fn everything() {
    let all = [&grammar::all()[..], MORE].concat();
    let makers = grammar::named(&["SET", "RPUSH", "ZADD", "HSET", "SADD", "XADD"]);
    for seed in 0..4 {
        History::new(seed, swept).run(&all, &makers);
    }
}

/// What one command is recorded as, behind others.
fn recorded(commands: &[&str]) -> Vec<String> {
    let clock = ManualClock::new();
    let store = swept(&clock);
    let collector = Collector::attached_to(&store);
    let mut last = Vec::new();
    for command in commands {
        let argv: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        collector.take_text();
        let reply = store.answer(&argv, false);
        assert_ne!(reply[0], b'-', "{}: {}", shown(&argv), reply.escape_ascii());
        last = collector.take_text();
    }
    last
}

#[test]
fn a_request_is_recorded_as_what_came_of_it() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["SET n 41", "INCR n"], &["0: SET n 42"]),
        (&["SET n 1 PXAT 4000000000000", "INCR n"], &["0: SET n 2 PXAT 4000000000000"]),
        (&["PSETEX n 1000 v"], &["0: SET n v PXAT 1577836801000"]),
        (&["SET n 1", "EXPIRE n 10"], &["0: PEXPIREAT n 1577836810000"]),
        (&["SET n 1", "PEXPIREAT n 1"], &["0: DEL n"]),
        (&["MSET a 1 b 2", "DEL a b none"], &["0: DEL a b"]),
        (&["MSET a 1 b 2"], &["0: SET a 1; 0: SET b 2"]),
        (&["SADD s a", "SADD s a b c"], &["0: SADD s b c"]),
        (&["SADD s a", "SPOP s"], &["0: SREM s a"]),
        (&["RPUSH l a b", "LPOP l 5"], &["0: LPOP l 2"]),
        (&["RPUSH l a b", "RPOPLPUSH l m"], &["0: LPUSH m b; 0: RPOP l"]),
        (&["RPUSH l a", "RPOPLPUSH l l"], &["0: LPUSH l a; 0: RPOP l"]),
        (&["RPUSH l a b a", "LREM l -5 a"], &["0: LREM l -2 a"]),
        (&["RPUSH l a b c", "LTRIM l 5 9"], &["0: LTRIM l 1 0"]),
        (&["RPUSH l a b", "LINSERT l AFTER a x"], &["0: LINSERT l AFTER a x"]),
        (&["ZADD z 1 a 2 b 3 c", "ZPOPMIN z 2"], &["0: ZREMRANGEBYRANK z 0 1"]),
        (&["ZADD z 1 a", "ZINCRBY z 2 a"], &["0: ZADD z 3 a"]),
        (&["HSET h f 1", "HINCRBY h f 1"], &["0: HSET h f 2"]),
        (&["XADD x 1-* f v"], &["0: XADD x 1-0 f v"]),
        (&["XADD x 1-1 f v", "XADD x 2-1 f v", "XTRIM x MINID 2"], &["0: XTRIM x MAXLEN = 1"]),
        (&["SET a 1", "RENAME a b"], &["0: RENAME a b"]),
        (&["SET a 1", "COPY a b DB 2"], &["0: COPY a b DB 2 REPLACE"]),
        (&["SET a 1", "MOVE a 3"], &["0: MOVE a 3"]),
        (&["SET a 1", "FLUSHALL"], &["0: FLUSHDB"]),
        (&["SWAPDB 0 1"], &["0: SWAPDB 0 1"]),
        (&["GET a"], &[]),
        (&["DEL a"], &[]),
        (&["ZADD z XX 1 a"], &[]),
        (&["SADD s a", "SADD s a"], &[]),
    ];
    for (commands, expected) in cases {
        assert_eq!(recorded(commands), *expected, "{commands:?}");
    }
}

#[test]
fn a_delivery_is_recorded_as_what_is_pending_then() {
    let made = ["XADD x 1-1 f v", "XADD x 2-1 f v", "XGROUP CREATE x g 0"];
    let read = "XREADGROUP GROUP g c STREAMS x >";
    let told = |more: &[&str]| recorded(&[&made[..], more].concat());
    let pending = "XCLAIM x g c 0 1-1 2-1 TIME 1577836800000 RETRYCOUNT 1 FORCE JUSTID";
    assert_eq!(
        told(&[read]),
        [format!(
            "0: XGROUP CREATECONSUMER x g c; 0: {pending}; 0: XGROUP SETID x g 2-1 ENTRIESREAD 2"
        )]
    );
    let again = told(&[read, "XREADGROUP GROUP g c STREAMS x 1-1"]);
    assert_eq!(again, ["0: XCLAIM x g c 0 2-1 TIME 1577836800000 RETRYCOUNT 2 FORCE JUSTID"]);
    let gone = told(&[read, "XDEL x 1-1", "XAUTOCLAIM x g d 0 0"]);
    assert_eq!(
        gone,
        ["0: XCLAIM x g d 0 2-1 TIME 1577836800000 RETRYCOUNT 2 FORCE JUSTID; 0: XACK x g 1-1"]
    );
    let dropped = told(&[read, "XACKDEL x g DELREF IDS 2 1-1 3-3"]);
    assert_eq!(dropped, ["0: XACK x g 1-1; 0: XDEL x 1-1"]);
    assert_eq!(told(&[read, "XACK x g 1-1 2-1 3-1"]), ["0: XACK x g 1-1 2-1"]);
}

#[test]
fn a_string_set_over_one_that_has_expired_is_one_record_of_both() {
    let clock = ManualClock::new();
    let store = unswept(&clock);
    let collector = Collector::attached_to(&store);
    store.kv().set_for("k", "v", Duration::from_millis(10)).unwrap();
    clock.advance(Duration::from_millis(10));
    collector.take_text();
    store.kv().set("k", "w").unwrap();
    assert_eq!(collector.take_text(), ["0: DEL k; 0: SET k w"]);
    store.kv().set("k", "x").unwrap();
    assert_eq!(collector.take_text(), ["0: SET k x"]);
}

#[test]
fn what_expires_is_recorded_by_whoever_meets_it() {
    let clock = ManualClock::new();
    for store in [swept(&clock), unswept(&clock)] {
        let collector = Collector::attached_to(&store);
        for command in ["SET k v PX 10", "HSET h f v g v", "HPEXPIRE h 10 FIELDS 1 f"] {
            store.answer(&command.split(' ').map(str::as_bytes).collect::<Vec<_>>(), false);
        }
        collector.take_text();
        let acknowledged = collector.acknowledged.load(crate::sync::Ordering::SeqCst);
        clock.advance(Duration::from_millis(10));
        assert_eq!(store.kv().get("k"), Ok(None));
        assert_eq!(store.hash("h").get("f"), Ok(None));
        let mut told = collector.take_text();
        told.sort();
        assert_eq!(told, ["0: DEL k", "0: HDEL h f"]);
        let waited = collector.acknowledged.load(crate::sync::Ordering::SeqCst);
        assert_eq!(waited, acknowledged, "neither readers nor maintenance wait");
    }
}
