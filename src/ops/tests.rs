//! Random histories of operations against a plain map, with time moved by hand.
//!
//! After every step each shard is checked, and the model's keys, values and deadlines are what the
//! store answers.

mod objects;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::counters::Increment;
use super::keys::*;
use super::scan::{Scan, ScanOptions};
use super::strings::*;
use crate::error::Error;
use crate::keyspace::EventKind;
use crate::pubsub::SubscriptionOptions;
use crate::{ManualClock, Store, Value};

const KEYS: u8 = 12;

#[derive(Clone, Debug)]
enum Op {
    Set {
        key: u8,
        length: usize,
        expiry: Expiry,
    },
    SetIf {
        key: u8,
        condition: u8,
    },
    Append {
        key: u8,
        length: usize,
    },
    SetRange {
        key: u8,
        offset: i64,
        length: usize,
    },
    Increment {
        key: u8,
        by: i64,
    },
    GetAndDelete {
        key: u8,
    },
    GetAndExpire {
        key: u8,
        expiry: Expiry,
    },
    SetMany {
        from: u8,
        to: u8,
    },
    Delete {
        key: u8,
    },
    ExpireIn {
        key: u8,
        millis: i64,
        condition: ExpireCondition,
    },
    Persist {
        key: u8,
    },
    Rename {
        from: u8,
        to: u8,
    },
    RenameIfAbsent {
        from: u8,
        to: u8,
    },
    Copy {
        source: u8,
        destination: u8,
        replace: bool,
    },
    /// Holds on to the value, so that its block is shared.
    Hold {
        key: u8,
    },
    Advance {
        millis: u64,
    },
    Clear,
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        3 => Just(Expiry::Never),
        1 => Just(Expiry::Keep),
        3 => (1_i64..50).prop_map(Expiry::In),
    ]
}

fn condition() -> impl Strategy<Value = ExpireCondition> {
    prop_oneof![
        Just(ExpireCondition::Always),
        Just(ExpireCondition::IfNone),
        Just(ExpireCondition::IfAny),
        Just(ExpireCondition::IfLater),
        Just(ExpireCondition::IfEarlier),
        Just(ExpireCondition::IfAnyAndEarlier),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..KEYS;
    // Lengths on both sides of where a block stores them differently.
    let length = || prop_oneof![0_usize..40, 250_usize..260, Just(1000)];
    prop_oneof![
        4 => (key(), length(), expiry())
            .prop_map(|(key, length, expiry)| Op::Set { key, length, expiry }),
        1 => (key(), 0..3_u8).prop_map(|(key, condition)| Op::SetIf { key, condition }),
        2 => (key(), length()).prop_map(|(key, length)| Op::Append { key, length }),
        1 => (key(), 0..400_i64, 0..30_usize)
            .prop_map(|(key, offset, length)| Op::SetRange { key, offset, length }),
        2 => (key(), any::<i64>()).prop_map(|(key, by)| Op::Increment { key, by: by / 4 }),
        1 => key().prop_map(|key| Op::GetAndDelete { key }),
        1 => (key(), expiry()).prop_map(|(key, expiry)| Op::GetAndExpire { key, expiry }),
        1 => (key(), key()).prop_map(|(from, to)| Op::SetMany { from, to }),
        1 => key().prop_map(|key| Op::Delete { key }),
        2 => (key(), -5_i64..60, condition())
            .prop_map(|(key, millis, condition)| Op::ExpireIn { key, millis, condition }),
        1 => key().prop_map(|key| Op::Persist { key }),
        1 => (key(), key()).prop_map(|(from, to)| Op::Rename { from, to }),
        1 => (key(), key()).prop_map(|(from, to)| Op::RenameIfAbsent { from, to }),
        1 => (key(), key(), any::<bool>())
            .prop_map(|(source, destination, replace)| Op::Copy { source, destination, replace }),
        1 => key().prop_map(|key| Op::Hold { key }),
        2 => (0..40_u64).prop_map(|millis| Op::Advance { millis }),
        1 => Just(Op::Clear),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    value: Vec<u8>,
    deadline: Option<u64>,
}

#[derive(Default)]
struct Model {
    entries: BTreeMap<Vec<u8>, Entry>,
    now: u64,
}

impl Model {
    fn set(&mut self, key: &[u8], value: Vec<u8>, expiry: Expiry) {
        let deadline = self.deadline(key, expiry);
        self.entries.insert(key.to_vec(), Entry { value, deadline });
    }

    fn deadline(&self, key: &[u8], expiry: Expiry) -> Option<u64> {
        match expiry {
            Expiry::Never => None,
            Expiry::Keep => self.entries.get(key).and_then(|entry| entry.deadline),
            Expiry::In(millis) => Some(self.now + millis as u64),
            Expiry::At(_) => unreachable!("not generated"),
        }
    }

    /// Changes the value in place, from nothing if the key is absent.
    fn edit(&mut self, key: &[u8], edit: impl FnOnce(&mut Vec<u8>)) -> usize {
        let absent = Entry { value: Vec::new(), deadline: None };
        let entry = self.entries.entry(key.to_vec()).or_insert(absent);
        edit(&mut entry.value);
        entry.value.len()
    }

    fn increment(&mut self, key: &[u8], by: i64) -> Result<i64, Error> {
        let text = self
            .entries
            .get(key)
            .map_or("0".into(), |entry| String::from_utf8_lossy(&entry.value).into_owned());
        let number: i64 = text.parse().map_err(|_| Error::NotAnInteger)?;
        if number.to_string() != text {
            return Err(Error::NotAnInteger);
        }
        let sum = number.checked_add(by).ok_or(Error::Overflow)?;
        self.edit(key, |value| *value = sum.to_string().into_bytes());
        Ok(sum)
    }

    fn expire(&mut self, key: &[u8], millis: i64, condition: ExpireCondition) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        let new = self.now.saturating_add_signed(millis);
        // Having no deadline counts as the latest.
        let current = entry.deadline.unwrap_or(u64::MAX);
        let met = match condition {
            ExpireCondition::Always => true,
            ExpireCondition::IfNone => entry.deadline.is_none(),
            ExpireCondition::IfAny => entry.deadline.is_some(),
            ExpireCondition::IfLater => new > current,
            ExpireCondition::IfEarlier => new < current,
            ExpireCondition::IfAnyAndEarlier => entry.deadline.is_some() && new < current,
        };
        if met {
            entry.deadline = Some(new);
            self.expire_due();
        }
        met
    }

    fn rename(&mut self, from: &[u8], to: &[u8], replace: bool) -> Result<bool, Error> {
        let entry = self.entries.get(from).cloned().ok_or(Error::NoSuchKey)?;
        if self.entries.contains_key(to) && !replace {
            return Ok(false);
        }
        self.entries.remove(from);
        self.entries.insert(to.to_vec(), entry);
        Ok(true)
    }

    fn expire_due(&mut self) {
        let now = self.now;
        self.entries.retain(|_, entry| entry.deadline.is_none_or(|deadline| deadline > now));
    }
}

struct Fixture {
    store: Store,
    clock: ManualClock,
    model: Model,
    held: Vec<(Value, Vec<u8>)>,
    steps: u8,
}

impl Fixture {
    fn new() -> Self {
        let clock = ManualClock::new();
        let store = Store::builder().clock(&clock).build();
        let model = Model { now: 1000, ..Model::default() };
        Self { store, clock, model, held: Vec::new(), steps: 0 }
    }

    fn run<O: super::Operation>(&self, operation: &O) -> crate::Result<O::Output> {
        super::run(self.store.space(), operation)
    }

    fn apply(&mut self, op: &Op) {
        self.steps = self.steps.wrapping_add(1);
        let fill = |length: usize| vec![b'0' + self.steps % 10; length];
        match *op {
            Op::Set { key, length, expiry } => {
                let (key, value) = (name(key), fill(length));
                let options = SetOptions { expiry, ..SetOptions::default() };
                let set = Set { key: &key, value: &value, options };
                assert_eq!(self.run(&set), Ok(SetOutcome::Done(true)));
                self.model.set(&key, value, expiry);
            }
            Op::SetIf { key, condition } => self.set_if(&name(key), condition),
            Op::Append { key, length } => {
                let (key, tail) = (name(key), fill(length));
                let outcome = self.run(&Append { key: &key, tail: &tail });
                assert_eq!(outcome, Ok(self.model.edit(&key, |value| value.extend(&tail))));
            }
            Op::SetRange { key, offset, length } => {
                self.set_range(&name(key), offset, &fill(length));
            }
            Op::Increment { key, by } => {
                let key = name(key);
                let outcome = self.run(&Increment { key: &key, by });
                assert_eq!(outcome, self.model.increment(&key, by));
            }
            Op::SetMany { from, to } => {
                let (from, to) = (name(from), name(to));
                let pairs = Cow::Owned(vec![(&from[..], &to[..]), (&to[..], &from[..])]);
                assert_eq!(self.run(&SetMany { pairs }), Ok(()));
                self.model.set(&from, to.clone(), Expiry::Never);
                self.model.set(&to, from, Expiry::Never);
            }
            Op::Advance { millis } => {
                self.clock.advance(Duration::from_millis(millis));
                self.model.now += millis;
                self.model.expire_due();
            }
            Op::Clear => {
                assert_eq!(self.run(&Clear { mode: ClearMode::Default }), Ok(()));
                self.model.entries.clear();
            }
            ref op => self.apply_to_key(op),
        }
    }

    fn apply_to_key(&mut self, op: &Op) {
        match *op {
            Op::GetAndDelete { key } => {
                let key = name(key);
                let value = self.run(&GetAndDelete { key: &key }).unwrap();
                let removed = self.model.entries.remove(&key).map(|entry| entry.value);
                assert_eq!(value.map(|value| value.to_vec()), removed);
            }
            Op::GetAndExpire { key, expiry } => {
                let key = name(key);
                let renewal = Renewal(expiry);
                let value = self.run(&GetAndExpire { key: &key, renewal }).unwrap();
                let deadline = self.model.deadline(&key, expiry);
                let entry = self.model.entries.get_mut(&key);
                assert_eq!(value.as_deref(), entry.as_ref().map(|entry| &entry.value[..]));
                entry.into_iter().for_each(|entry| entry.deadline = deadline);
            }
            Op::Delete { key } => {
                let key = name(key);
                let existed = self.model.entries.remove(&key).is_some();
                assert_eq!(self.run(&Delete { key: &key }), Ok(existed));
            }
            Op::ExpireIn { key, millis, condition } => {
                let key = name(key);
                let outcome = self.run(&ExpireIn { key: &key, millis, condition });
                assert_eq!(outcome, Ok(self.model.expire(&key, millis, condition)));
            }
            Op::Persist { key } => {
                let key = name(key);
                let entry = self.model.entries.get_mut(&key);
                let had = entry.is_some_and(|entry| entry.deadline.take().is_some());
                assert_eq!(self.run(&Persist { key: &key }), Ok(had));
            }
            Op::Hold { key } => {
                let value = self.run(&Get { key: &name(key) }).unwrap();
                self.held.extend(value.map(|value| (value.clone(), value.to_vec())));
            }
            ref op => self.apply_to_two(op),
        }
    }

    fn apply_to_two(&mut self, op: &Op) {
        match *op {
            Op::Rename { from, to } => {
                let (from, to) = (name(from), name(to));
                let outcome = self.run(&Rename { from: &from, to: &to });
                assert_eq!(outcome, self.model.rename(&from, &to, true).map(|_| ()));
            }
            Op::RenameIfAbsent { from, to } => {
                let (from, to) = (name(from), name(to));
                let outcome = self.run(&RenameIfAbsent { from: &from, to: &to });
                assert_eq!(outcome, self.model.rename(&from, &to, false));
            }
            Op::Copy { source, destination, replace } => {
                let (source, destination) = (name(source), name(destination));
                let options = CopyOptions { database: None, replace };
                let copy = Copy { source: &source, destination: &destination, options };
                let expected = if source == destination {
                    Err(Error::SameObject)
                } else {
                    let free = replace || !self.model.entries.contains_key(&destination);
                    let entry = self.model.entries.get(&source).cloned().filter(|_| free);
                    let copied = entry.is_some();
                    self.model.entries.extend(entry.map(|entry| (destination.clone(), entry)));
                    Ok(copied)
                };
                assert_eq!(self.run(&copy), expected);
            }
            ref other => unreachable!("{other:?} is applied elsewhere"),
        }
    }

    fn set_if(&mut self, key: &[u8], choice: u8) {
        let expected = self.model.entries.get(key).map(|entry| entry.value.clone());
        let (condition, met) = match choice {
            0 => (Condition::IfAbsent, expected.is_none()),
            1 => (Condition::IfPresent, expected.is_some()),
            _ => (Condition::IfEqual(b"5"), expected.as_deref() == Some(b"5")),
        };
        let options = SetOptions { condition, ..SetOptions::default() };
        assert_eq!(self.run(&Set { key, value: b"5", options }), Ok(SetOutcome::Done(met)));
        if met {
            self.model.set(key, b"5".to_vec(), Expiry::Never);
        }
    }

    fn set_range(&mut self, key: &[u8], offset: i64, bytes: &[u8]) {
        let outcome = self.run(&SetRange { key, offset, bytes });
        if bytes.is_empty() {
            let length = self.model.entries.get(key).map_or(0, |entry| entry.value.len());
            assert_eq!(outcome, Ok(length));
            return;
        }
        let (start, end) = (offset as usize, offset as usize + bytes.len());
        let length = self.model.edit(key, |value| {
            value.resize(value.len().max(end), 0);
            value[start..end].copy_from_slice(bytes);
        });
        assert_eq!(outcome, Ok(length));
    }

    fn check(&self) {
        let databases = self.store.databases();
        for (_, shard) in databases.shards() {
            shard.read().check(databases.hasher());
        }
        for (value, bytes) in &self.held {
            assert_eq!(value, &bytes[..], "a value that was handed out has changed");
        }
        for key in (0..KEYS).map(name) {
            let value = self.run(&Get { key: &key }).unwrap();
            let entry = self.model.entries.get(&key);
            assert_eq!(value.as_deref(), entry.map(|entry| &entry.value[..]));
            let left = match entry.map(|entry| entry.deadline) {
                None => Lifetime::NoKey,
                Some(None) => Lifetime::Forever,
                Some(Some(deadline)) => Lifetime::Millis((deadline - self.model.now) as i64),
            };
            assert_eq!(self.run(&TimeLeft { key: &key }), Ok(left));
        }
        assert_eq!(self.run(&Count {}), Ok(self.model.entries.len()));
        assert_eq!(self.scan(1), self.model.entries.keys().cloned().collect::<Vec<_>>());
    }

    /// All keys by SCAN, in order.
    fn scan(&self, count: u64) -> Vec<Vec<u8>> {
        let mut keys = Vec::new();
        let mut cursor = 0;
        loop {
            let options = ScanOptions { count, ..ScanOptions::default() };
            let page = self.run(&Scan { cursor, options }).unwrap();
            keys.extend(page.keys.iter().map(|key| key.to_vec()));
            cursor = page.cursor;
            if cursor == 0 {
                keys.sort();
                return keys;
            }
        }
    }
}

fn name(key: u8) -> Vec<u8> {
    // One key is empty, one is longer than a narrow block's.
    match key {
        0 => Vec::new(),
        1 => vec![0xff; 300],
        _ => format!("key:{key}").into_bytes(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 96 }))]

    #[test]
    fn operations_agree_with_a_map(ops in prop::collection::vec(op(), 1..80)) {
        let mut fixture = Fixture::new();
        for op in &ops {
            fixture.apply(op);
            fixture.check();
        }
    }
}

#[test]
fn a_scan_answers_once_what_is_there_all_along() {
    let fixture = Fixture::new();
    let set = |key: &str| fixture.store.kv().set(key, "").unwrap();
    (0..3000).for_each(|n| set(&format!("stays:{n}")));
    (0..3000).for_each(|n| set(&format!("goes:{n}")));
    let mut seen = Vec::new();
    let (mut cursor, mut step) = (0, 0);
    loop {
        let options = ScanOptions { pattern: Some(b"stays:*"), count: 3, kind: None };
        let page = fixture.run(&Scan { cursor, options }).unwrap();
        seen.extend(page.keys);
        // The tables shrink and grow under the scan.
        for n in step..(step + 10).min(3000) {
            fixture.store.keys().delete(format!("goes:{n}")).unwrap();
            (0..10).for_each(|copy| set(&format!("comes:{n}:{copy}")));
        }
        step += 10;
        cursor = page.cursor;
        if cursor == 0 {
            break;
        }
    }
    let mut expected: Vec<Value> = (0..3000).map(|n| Value::from(format!("stays:{n}"))).collect();
    expected.sort();
    seen.sort();
    assert_eq!(seen, expected);
}

#[test]
fn a_scan_of_few_keys_takes_few_steps() {
    let fixture = Fixture::new();
    let steps = |count| {
        let (mut cursor, mut steps) = (0, 0);
        loop {
            let options = ScanOptions { count, ..ScanOptions::default() };
            cursor = fixture.run(&Scan { cursor, options }).unwrap().cursor;
            steps += 1;
            if cursor == 0 {
                return steps;
            }
        }
    };
    assert_eq!(steps(10), 1);
    (0..100).for_each(|n| fixture.store.kv().set(format!("{n}"), n).unwrap());
    assert_eq!(steps(100), 1);
    assert!(steps(10) <= 10);
    assert!(steps(1) <= 100);
}

#[test]
fn a_random_key_is_a_living_one() {
    let fixture = Fixture::new();
    let random = || fixture.store.keys().random().unwrap();
    assert_eq!(random(), None);
    (0..50).for_each(|n| fixture.store.kv().set(format!("{n}"), n).unwrap());
    let seen: std::collections::HashSet<Value> = (0..2000).filter_map(|_| random()).collect();
    assert_eq!(seen.len(), 50);
}

#[test]
fn events_are_told_as_redis_tells_them() {
    let fixture = Fixture::new();
    let events = fixture.store.events(SubscriptionOptions::new());
    let (kv, keys) = (fixture.store.kv(), fixture.store.keys());
    let take = || -> Vec<EventKind> {
        std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.kind).collect()
    };

    kv.set_for("a", 1, Duration::from_millis(5)).unwrap();
    assert_eq!(take(), [EventKind::Set, EventKind::Expire]);
    kv.increment("a", 1).unwrap();
    keys.persist("a").unwrap();
    assert_eq!(take(), [EventKind::Incremented, EventKind::Persisted]);
    keys.rename("a", "b").unwrap();
    assert_eq!(take(), [EventKind::RenamedFrom, EventKind::RenamedTo]);
    keys.expire("b", Duration::ZERO).unwrap();
    kv.get_and_delete("b").unwrap();
    assert_eq!(take(), [EventKind::Deleted]);
    kv.set_for("c", 1, Duration::from_millis(5)).unwrap();
    fixture.clock.advance(Duration::from_millis(5));
    assert_eq!(take(), [EventKind::Set, EventKind::Expire, EventKind::Expired]);
}
