//! Damage of what a store has kept, which is every kind of record: an explicit error, or exactly
//! what it held at some earlier time.

use std::collections::BTreeMap;

use super::*;
use crate::Error;
use crate::persist::directory::simulation::Simulation;
use crate::persist::frame::Chain;
use crate::persist::segment::{SegmentReader, Verdict};
use crate::persist::tests::rounds;
use crate::persist::{Directory, Memory};
use crate::wire::{RequestLimits, RequestParser};

/// Commands that are kept as every command that is ever kept, in databases.
const SCRIPT: &[(u16, &str)] = &[
    (0, "SET s value"),
    (0, "SET e value PXAT 4000000000000"),
    (0, "APPEND s more"),
    (0, "SETRANGE s 3 xx"),
    (0, "PEXPIREAT s 4000000000000"),
    (0, "PERSIST s"),
    (0, "HSET h f v g w i x"),
    (0, "HPEXPIREAT h 4000000000000 FIELDS 1 f"),
    (0, "HPERSIST h FIELDS 1 f"),
    (0, "HDEL h g"),
    (0, "RPUSH l a b a c d"),
    (0, "LPUSH l z"),
    (0, "LPOP l"),
    (0, "RPOP l 2"),
    (0, "LSET l 0 q"),
    (0, "LINSERT l BEFORE a p"),
    (0, "LREM l 1 a"),
    (0, "LTRIM l 0 1"),
    (0, "SADD t a b c"),
    (0, "SREM t a"),
    (0, "ZADD z 1 a 2 b 3 c 4 d"),
    (0, "ZREM z a"),
    (0, "ZPOPMIN z 2"),
    (0, "ZUNIONSTORE y 1 z"),
    (1, "XADD x 1-1 f v"),
    (1, "XADD x 2-1 f v g w"),
    (1, "XADD x 3-1 f v"),
    (1, "XTRIM x MAXLEN 2"),
    (1, "XDEL x 2-1"),
    (1, "XSETID x 9-9"),
    (1, "XGROUP CREATE x g 0"),
    (1, "XGROUP CREATECONSUMER x g idle"),
    (1, "XREADGROUP GROUP g c STREAMS x >"),
    (1, "XACK x g 3-1"),
    (1, "XGROUP SETID x g 1-1"),
    (1, "XGROUP DELCONSUMER x g idle"),
    (1, "XGROUP DESTROY x g"),
    (0, "RENAME s r"),
    (0, "COPY r s DB 2"),
    (0, "MOVE r 3"),
    (0, "SWAPDB 0 1"),
    (2, "FLUSHDB"),
    (1, "MSET \0 \u{ff} a 1"),
    (1, "DEL a"),
];

/// What is found in the log that the script leaves.
const KEPT_AS: &[&str] = &[
    "APPEND",
    "COPY",
    "DEL",
    "EXEC",
    "FLUSHDB",
    "HDEL",
    "HPERSIST",
    "HPEXPIREAT",
    "HSET",
    "LINSERT",
    "LPOP",
    "LPUSH",
    "LREM",
    "LSET",
    "LTRIM",
    "MOVE",
    "MULTI",
    "PERSIST",
    "PEXPIREAT",
    "RENAME",
    "RESTORE",
    "RPOP",
    "RPUSH",
    "SADD",
    "SET",
    "SETRANGE",
    "SREM",
    "SWAPDB",
    "XACK",
    "XADD",
    "XCLAIM",
    "XDEL",
    "XGROUP CREATE",
    "XGROUP CREATECONSUMER",
    "XGROUP DELCONSUMER",
    "XGROUP DESTROY",
    "XGROUP SETID",
    "XSETID",
    "XTRIM",
    "ZADD",
    "ZREM",
    "ZREMRANGEBYRANK",
    "select",
];

/// What a store has kept.
#[derive(Clone)]
struct Sample {
    snapshot: Vec<u8>,
    /// The segments after it, by their numbers.
    segments: BTreeMap<u64, Vec<u8>>,
}

fn open(kept: Memory, durability: Durability) -> Result<(Store, Recovery)> {
    let settings = Settings { durability, rewrite_above: u64::MAX, ..Settings::default() };
    let store = Store::builder().clock(&ManualClock::new()).databases(4).build();
    let (log, _, recovery) = begin(Box::new(kept), store.databases(), settings)?;
    Ok((store.kept_by(Keeper::unattended(log), recovery.clone()), recovery))
}

fn run(store: &Store, (database, command): (u16, &str)) {
    let argv: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
    let reply = store.database(database).expect("there is one").answer(&argv, false);
    assert_ne!(reply[0], b'-', "{command}: {}", reply.escape_ascii());
}

impl Sample {
    /// A snapshot and segments that hold the script, each command in a frame of its own or, if
    /// `together`, a few in one.
    fn new(together: bool) -> Self {
        let kept = Memory::new();
        let (mut store, _) = open(kept.clone(), Durability::Never).expect("an empty memory");
        run(&store, (3, "SET in-the-snapshot 1"));
        run(&store, (3, "ZADD also-there 1.5 a -inf b"));
        store.snapshot().expect("a memory that works");
        for (at, line) in SCRIPT.iter().enumerate() {
            run(&store, *line);
            if !together || at % 4 == 0 {
                store.sync().expect("a memory that works");
            }
            if at % 19 == 18 {
                drop(store);
                store = open(kept.clone(), Durability::Never).expect("what was kept").0;
            }
        }
        drop(store);
        let numbers = kept.segments();
        let bytes = |number| kept.edit_segment(number, |bytes| bytes.clone()).expect("a segment");
        Self {
            snapshot: kept.edit_snapshot(|bytes| bytes.clone()).expect("a snapshot"),
            segments: numbers.into_iter().map(|number| (number, bytes(number))).collect(),
        }
    }

    fn memory(&self) -> Memory {
        let kept = Memory::new();
        let own = kept.clone();
        own.open().expect("an empty memory");
        let first = *self.segments.first_key_value().expect("a segment").0;
        while own.rotate().expect("a memory that works") < first {}
        let mut snapshot = own.snapshot().expect("a memory that works");
        std::io::Write::write_all(&mut snapshot, &self.snapshot).expect("a memory that works");
        snapshot.commit().expect("a memory that works");
        for (number, bytes) in &self.segments {
            if *number > first {
                own.rotate().expect("a memory that works");
            }
            own.append(bytes).expect("a memory that works");
        }
        own.sync().expect("a memory that works");
        drop(own);
        kept
    }

    /// What a store holds after each number of commands that its opening runs.
    fn states(&self) -> BTreeMap<u64, Store> {
        let mut states = BTreeMap::new();
        let (last, whole) = self.segments.last_key_value().expect("a segment");
        let mut shorter = self.clone();
        while let Some(number) = shorter.segments.last_key_value().map(|(number, _)| *number) {
            for length in (0..=shorter.segments[&number].len()).rev() {
                shorter.segments.get_mut(&number).expect("it is there").truncate(length);
                let (store, recovery) = open(shorter.memory(), Durability::Never).expect("a tail");
                states.entry(recovery.commands).or_insert(store);
            }
            if shorter.segments.len() == 1 {
                break;
            }
            shorter.segments.remove(&number);
        }
        assert!(whole.len() > 100 && *last > 2, "it is a log of several segments");
        states
    }

    /// Opens it, and asserts that it is refused as damaged or holds one of the states. Answers
    /// whether it opened, and with what torn end.
    fn check(&self, states: &BTreeMap<u64, Store>, what: impl Fn() -> String) -> Option<Recovery> {
        match open(self.memory(), Durability::Never) {
            Err(Error::Corrupt { .. }) => None,
            Err(other) => panic!("{}: {other}", what()),
            Ok((store, recovery)) => {
                let state = states.get(&recovery.commands);
                let state = state.unwrap_or_else(|| panic!("{}: a state that never was", what()));
                assert_eq!(state.first_difference(&store), None, "{}", what());
                Some(recovery)
            }
        }
    }
}

fn words(payload: &[u8]) -> Vec<String> {
    let (mut names, mut rest) = (Vec::new(), payload);
    let mut parser = RequestParser::new(RequestLimits::default());
    while !rest.is_empty() {
        let request = parser.parse(rest).expect("commands").expect("whole ones");
        let words: Vec<&[u8]> = request.iter().collect();
        let count = if words[0] == b"XGROUP" { 2 } else { 1 };
        names.push(String::from_utf8_lossy(&words[..count].join(&b' ')).into_owned());
        rest = &rest[request.consumed()..];
    }
    names
}

/// The payloads that can be read of all segments, where one may have other bytes; and whether what
/// is wrong was noticed.
fn payloads(segments: &BTreeMap<u64, Vec<u8>>) -> (Vec<Vec<u8>>, Verdict) {
    let (mut found, mut chain): (_, Option<Chain>) = (Vec::new(), None);
    let mut verdict = Verdict::Clean { length: 0 };
    for (number, bytes) in segments {
        let mut reader = SegmentReader::new(&bytes[..], *number, chain);
        while let Some(payload) = reader.next().expect("bytes in memory") {
            found.push(payload.bytes.to_vec());
        }
        chain = reader.chain().or(chain);
        verdict = reader.verdict().expect("it has ended");
        if segments.last_key_value().is_some_and(|(last, _)| last != number) {
            verdict = verdict.of_inner_segment();
        }
        if !matches!(verdict, Verdict::Clean { .. }) {
            break;
        }
    }
    (found, verdict)
}

#[test]
fn the_sample_holds_every_kind_of_record() {
    for together in [false, true] {
        let (payloads, verdict) = payloads(&Sample::new(together).segments);
        assert!(matches!(verdict, Verdict::Clean { .. }));
        let mut found: Vec<String> = payloads.iter().flat_map(|payload| words(payload)).collect();
        found.sort();
        found.dedup();
        assert_eq!(found, KEPT_AS);
    }
}

#[test]
fn every_flipped_bit_of_every_segment_is_noticed() {
    for together in [false, true] {
        let mut sample = Sample::new(together);
        let (whole, _) = payloads(&sample.segments);
        for number in sample.segments.keys().copied().collect::<Vec<_>>() {
            for bit in 0..sample.segments[&number].len() * 8 {
                let flip = |sample: &mut Sample| {
                    sample.segments.get_mut(&number).expect("it is there")[bit / 8] ^=
                        1 << (bit % 8);
                };
                flip(&mut sample);
                let (found, verdict) = payloads(&sample.segments);
                assert!(matches!(verdict, Verdict::Corrupt { .. }), "{number}: {bit}: {verdict:?}");
                assert!(whole.starts_with(&found) && found.len() < whole.len(), "{number}: {bit}");
                flip(&mut sample);
            }
        }
    }
}

#[test]
fn a_store_does_not_open_on_a_flipped_bit() {
    let step = rounds("LARDER_STRIDE", if cfg!(debug_assertions) { 41 } else { 1 });
    let mut sample = Sample::new(true);
    let states = sample.states();
    for number in sample.segments.keys().copied().collect::<Vec<_>>() {
        for bit in (0..sample.segments[&number].len() * 8).step_by(step) {
            let flip = |sample: &mut Sample| {
                sample.segments.get_mut(&number).expect("it is there")[bit / 8] ^= 1 << (bit % 8);
            };
            flip(&mut sample);
            let opened = sample.check(&states, || format!("bit {bit} of segment {number}"));
            assert_eq!(opened, None, "bit {bit} of segment {number}");
            flip(&mut sample);
        }
    }
}

#[test]
fn a_store_does_not_open_on_a_snapshot_with_a_flipped_bit() {
    let mut sample = Sample::new(true);
    let states = sample.states();
    for bit in 0..sample.snapshot.len() * 8 {
        sample.snapshot[bit / 8] ^= 1 << (bit % 8);
        let opened = sample.check(&states, || format!("bit {bit} of the snapshot"));
        assert_eq!(opened, None, "bit {bit} of the snapshot");
        sample.snapshot[bit / 8] ^= 1 << (bit % 8);
    }
    let whole = sample.snapshot.clone();
    for length in 0..whole.len() {
        sample.snapshot.truncate(whole.len() - 1 - length);
        assert_eq!(sample.check(&states, || format!("{length} of the snapshot")), None);
    }
}

#[test]
fn a_store_opens_on_every_truncation_of_its_log_with_a_prefix() {
    let step = rounds("LARDER_STRIDE", if cfg!(debug_assertions) { 3 } else { 1 });
    let whole = Sample::new(false);
    let states = whole.states();
    let last = *whole.segments.last_key_value().expect("a segment").0;
    for (number, bytes) in &whole.segments {
        for length in (0..bytes.len()).step_by(step) {
            let mut cut = whole.clone();
            cut.segments.get_mut(number).expect("it is there").truncate(length);
            let opened = cut.check(&states, || format!("{length} bytes of segment {number}"));
            assert!(opened.is_some() == (*number == last) || length == 0, "{number}: {length}");
        }
    }
}

#[test]
fn bursts_leave_a_prefix_or_are_noticed() {
    let whole = Sample::new(true);
    let states = whole.states();
    let (all, _) = payloads(&whole.segments);
    let numbers: Vec<u64> = whole.segments.keys().copied().collect();
    let mut random = Random::seeded(1);
    let bursts = if cfg!(debug_assertions) { 3_000 } else { 100_000 };
    for round in 0..rounds("LARDER_BURSTS", bursts) {
        let mut damaged = whole.clone();
        let number = numbers[random.below(numbers.len())];
        let bytes = damaged.segments.get_mut(&number).expect("it is there");
        let most = [4, 40, 700][random.below(3)];
        let start = random.below(bytes.len());
        let end = bytes.len().min(start + 1 + random.below(most));
        let fill = [None, Some(0), Some(0xff), Some(b'\n')][random.below(4)];
        bytes[start..end].fill_with(|| fill.unwrap_or_else(|| random.next() as u8));
        let is_same = damaged.segments == whole.segments;
        let (found, verdict) = payloads(&damaged.segments);
        assert!(all.starts_with(&found), "round {round}");
        assert_eq!(matches!(verdict, Verdict::Clean { .. }), is_same, "round {round}");
        let opened = damaged.check(&states, || format!("round {round}"));
        assert_eq!(opened.is_some(), !matches!(verdict, Verdict::Corrupt { .. }), "round {round}");
    }
}

/// Two stores with histories of their own, on file systems of their own; files of one come to the
/// place of the other's.
#[test]
fn files_of_another_directory_are_refused() {
    let folder = "/appendonlydir/appendonly.aof";
    let make = |words: &[&str], has_snapshot: bool| {
        let simulation = Simulation::new(1);
        let open = || {
            let directory = Directory::on(crate::sync::Arc::new(simulation.clone()), "/");
            let builder = Store::builder().persistence(directory).rewrite_above(u64::MAX);
            builder.durability(Durability::Always).open().expect("a sound directory")
        };
        for (at, word) in words.iter().enumerate() {
            let store = open();
            if has_snapshot && at == 0 {
                store.snapshot().expect("a disk that works");
            }
            store.kv().set("k", word).expect("a disk that works");
            store.kv().append("k", "!").expect("a disk that works");
        }
        simulation
    };
    for (has_snapshot, words) in [(false, 2), (false, 3), (true, 1), (true, 2), (true, 3)] {
        let first = 1 + u64::from(has_snapshot);
        for number in first..first + words {
            let make = |all: [&str; 3]| make(&all[..words as usize], has_snapshot);
            let (own, other) = (make(["a", "b", "c"]), make(["x", "y", "z"]));
            let file = format!("{folder}.{number}.incr.aof");
            let foreign = other.bytes(&file).expect("a segment");
            assert_ne!(own.bytes(&file).expect("a segment"), foreign);
            own.put(&file, foreign);
            let directory = Directory::on(crate::sync::Arc::new(own), "/");
            let opened = Store::builder().persistence(directory).open();
            let is_refused = matches!(opened, Err(Error::Corrupt { .. }));
            assert!(is_refused, "segment {number} of {words}: {opened:?}");
        }
    }
}
