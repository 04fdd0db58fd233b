//! Random histories of hash operations against maps, with time moved by hand.
//!
//! After every step each shard is checked, and the model's fields, values and deadlines are what
//! the store answers.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::{FieldOptions, ManualClock, Store, TimeToLive};

const KEYS: u8 = 3;
const FIELDS: u8 = 9;

#[derive(Clone, Debug)]
enum Op {
    Set(u8, usize),
    SetIfAbsent(u8),
    SetWith(u8, u8, Option<u64>),
    Remove(u8),
    Increment(u8),
    Expire(u8, u64),
    Persist(u8),
    GetAndExpire(u8, u64),
    GetAndDelete(u8),
    Copy(u8),
    Rename(u8),
    /// Makes the hash a large one.
    Grow,
    Advance(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let field = || 0..FIELDS;
    let time = || 0..50u64;
    prop_oneof![
        6 => (field(), 0..100usize).prop_map(|(field, length)| Op::Set(field, length)),
        2 => field().prop_map(Op::SetIfAbsent),
        4 => (field(), 0..3u8, prop::option::of(time()))
            .prop_map(|(field, condition, time)| Op::SetWith(field, condition, time)),
        2 => field().prop_map(Op::Remove),
        2 => field().prop_map(Op::Increment),
        5 => (field(), time()).prop_map(|(field, time)| Op::Expire(field, time)),
        2 => field().prop_map(Op::Persist),
        2 => (field(), time()).prop_map(|(field, time)| Op::GetAndExpire(field, time)),
        1 => field().prop_map(Op::GetAndDelete),
        1 => (0..KEYS).prop_map(Op::Copy),
        1 => (0..KEYS).prop_map(Op::Rename),
        1 => Just(Op::Grow),
        5 => (0..30u64).prop_map(Op::Advance),
    ]
}

/// Values and deadlines by field.
type Fields = BTreeMap<String, (String, Option<u64>)>;

/// The dumb model, at a time.
#[derive(Default)]
struct Model {
    hashes: BTreeMap<u8, Fields>,
    now: u64,
}

impl Model {
    /// Removes what is over.
    fn settle(&mut self) {
        for fields in self.hashes.values_mut() {
            fields.retain(|_, (_, deadline)| deadline.is_none_or(|deadline| deadline > self.now));
        }
        self.hashes.retain(|_, fields| !fields.is_empty());
    }

    fn get(&self, key: u8, field: &str) -> Option<&(String, Option<u64>)> {
        self.hashes.get(&key)?.get(field)
    }

    fn put(&mut self, key: u8, field: &str, value: String, deadline: Option<u64>) {
        self.hashes.entry(key).or_default().insert(field.to_owned(), (value, deadline));
    }

    fn remove(&mut self, key: u8, field: &str) -> Option<String> {
        self.hashes.get_mut(&key)?.remove(field).map(|(value, _)| value)
    }

    /// Gives a field a deadline if it exists; answers its value.
    fn expire(&mut self, key: u8, field: &str, deadline: Option<u64>) -> Option<String> {
        let (value, current) = self.hashes.get_mut(&key)?.get_mut(field)?;
        *current = deadline;
        Some(value.clone())
    }
}

fn name(key: u8) -> String {
    format!("key{key}")
}

/// Runs an operation on both and compares the answers.
fn apply(store: &Store, clock: &ManualClock, model: &mut Model, key: u8, op: &Op) {
    let (name, now) = (name(key), model.now);
    let hash = store.hash(&name);
    let field_of = |field: u8| format!("f{field}");
    match *op {
        Op::Set(field, length) => {
            let (field, value) = (field_of(field), "v".repeat(length));
            let is_new = model.get(key, &field).is_none();
            assert_eq!(hash.set(&field, &value), Ok(is_new));
            model.put(key, &field, value, None);
        }
        Op::SetIfAbsent(field) => {
            let field = field_of(field);
            let is_new = model.get(key, &field).is_none();
            assert_eq!(hash.set_if_absent(&field, 7), Ok(is_new));
            if is_new {
                model.put(key, &field, "7".into(), None);
            }
        }
        Op::SetWith(field, condition, time) => {
            set_with(&hash, model, key, &field_of(field), condition, time);
        }
        Op::Remove(field) => {
            let field = field_of(field);
            assert_eq!(hash.remove(&field), Ok(model.remove(key, &field).is_some()));
        }
        Op::Increment(field) => {
            let field = field_of(field);
            let (old, deadline) = model.get(key, &field).cloned().unwrap_or(("0".into(), None));
            let sum = old.parse().map(|old: i64| old + 1);
            assert_eq!(hash.increment(&field, 1).ok(), sum.clone().ok());
            if let Ok(sum) = sum {
                model.put(key, &field, sum.to_string(), deadline);
            }
        }
        Op::Expire(field, time) => {
            let (field, millis) = (field_of(field), Duration::from_millis(time));
            let existed = model.expire(key, &field, Some(now + time)).is_some();
            assert_eq!(hash.expire(&field, millis), Ok(existed));
        }
        Op::Persist(field) => {
            let field = field_of(field);
            let had = model.get(key, &field).is_some_and(|(_, deadline)| deadline.is_some());
            assert_eq!(hash.persist(&field), Ok(had));
            model.expire(key, &field, None);
        }
        Op::GetAndExpire(field, time) => {
            let field = field_of(field);
            let value = model.expire(key, &field, Some(now + time));
            let found = hash.get_and_expire(&field, Duration::from_millis(time)).unwrap();
            assert_eq!(found.map(|found| found.to_text().into_owned()), value);
        }
        Op::GetAndDelete(field) => {
            let field = field_of(field);
            let found = hash.get_and_delete(&field).unwrap();
            let value = model.remove(key, &field);
            assert_eq!(found.map(|found| found.to_text().into_owned()), value);
        }
        Op::Copy(to) | Op::Rename(to) => move_key(store, model, key, to, op),
        Op::Grow => {
            hash.set("long", "x".repeat(70)).unwrap();
            model.put(key, "long", "x".repeat(70), None);
        }
        Op::Advance(millis) => {
            clock.advance(Duration::from_millis(millis));
            model.now += millis;
        }
    }
}

fn set_with(
    hash: &crate::Hash<'_>,
    model: &mut Model,
    key: u8,
    field: &str,
    condition: u8,
    time: Option<u64>,
) {
    let fields = [field, "f0"];
    let existing = fields.iter().filter(|field| model.get(key, field).is_some()).count();
    let (options, met) = match condition {
        0 => (FieldOptions::new(), true),
        1 => (FieldOptions::new().if_absent(), existing == 0),
        _ => (FieldOptions::new().if_present(), existing == 2),
    };
    let options = match time {
        Some(time) => options.expires_in(Duration::from_millis(time)),
        None => options.keep_expiry(),
    };
    assert_eq!(hash.set_with(&fields.map(|field| (field, "s")), options), Ok(met));
    for field in fields.into_iter().filter(|_| met) {
        let current = model.get(key, field).and_then(|(_, deadline)| *deadline);
        let deadline = time.map_or(current, |time| Some(model.now + time));
        model.put(key, field, "s".into(), deadline);
    }
}

fn move_key(store: &Store, model: &mut Model, key: u8, to: u8, op: &Op) {
    let exists = model.hashes.contains_key(&key);
    if key == to || !exists {
        return;
    }
    let fields = model.hashes[&key].clone();
    if let Op::Copy(_) = op {
        let options = crate::CopyOptions::new().replace();
        assert_eq!(store.keys().copy_with(name(key), name(to), options), Ok(true));
    } else {
        assert_eq!(store.keys().rename(name(key), name(to)), Ok(()));
        model.hashes.remove(&key);
    }
    model.hashes.insert(to, fields);
}

fn compare(store: &Store, model: &Model) {
    for (_, shard) in store.databases().shards() {
        shard.read().check(store.databases().hasher());
    }
    for key in 0..KEYS {
        let (name, none) = (name(key), Fields::new());
        let (hash, fields) = (store.hash(&name), model.hashes.get(&key).unwrap_or(&none));
        assert_eq!(store.keys().exists(&name), Ok(!fields.is_empty()));
        assert_eq!(hash.len(), Ok(fields.len()));
        let mut all: Vec<_> = hash.get_all().unwrap();
        all.sort();
        let expected: Vec<_> = fields
            .iter()
            .map(|(field, (value, _))| (field.as_str().into(), value.as_str().into()))
            .collect();
        assert_eq!(all, expected);
        assert_eq!(hash.iter_fields().count(), fields.len());
        assert_eq!(hash.random_fields(100).unwrap().len(), fields.len());
        for (field, (value, deadline)) in fields {
            assert_eq!(hash.get(field).unwrap().unwrap(), value.as_str());
            let left = deadline.map_or(TimeToLive::Forever, |deadline| {
                TimeToLive::Left(Duration::from_millis(deadline - model.now))
            });
            assert_eq!(hash.time_to_live(field), Ok(left));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn histories_match_the_model(
        steps in prop::collection::vec((0..KEYS, op()), 0..200),
        sweeps in any::<bool>(),
    ) {
        let clock = ManualClock::new();
        let builder = Store::builder().clock(&clock);
        let store = if sweeps { builder.build() } else { builder.build_unswept() };
        let mut model = Model::default();
        for (key, op) in steps {
            apply(&store, &clock, &mut model, key, &op);
            model.settle();
            compare(&store, &model);
        }
    }
}
