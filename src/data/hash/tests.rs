//! Hashes against a map of values and deadlines, and their edges one by one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::packed::{MAX_ELEMENT, MAX_FIELDS};
use super::*;

/// The dumb model: values and deadlines by name.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

#[derive(Clone, Debug)]
enum Op {
    Put(Vec<u8>, Vec<u8>, Option<u64>),
    SetDeadline(Vec<u8>, Option<u64>),
    Remove(Vec<u8>),
    Expire(u64, usize),
    Clone,
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => (0..190u8).prop_map(|i| vec![b'f', i]),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => prop::collection::vec(any::<u8>(), 0..=MAX_ELEMENT),
        1 => prop::collection::vec(any::<u8>(), 60..400),
    ]
}

fn deadline() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![3 => Just(None), 2 => (1..60u64).prop_map(Some)]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        30 => (name(), value(), deadline()).prop_map(|(name, value, at)| Op::Put(name, value, at)),
        8 => (name(), deadline()).prop_map(|(name, at)| Op::SetDeadline(name, at)),
        10 => name().prop_map(Op::Remove),
        2 => (0..60u64, 0..20usize).prop_map(|(now, limit)| Op::Expire(now, limit)),
        1 => Just(Op::Clone),
    ]
}

/// Applies an operation to both and compares the answers.
fn apply(hash: &mut Hash, model: &mut Model, op: Op) {
    match op {
        Op::Put(name, value, deadline) => {
            let existed = model.insert(name.clone(), (value.clone(), deadline)).is_some();
            assert_eq!(hash.put(&name, &value, deadline).existed, existed);
        }
        Op::SetDeadline(name, deadline) => {
            let field = model.get_mut(&name);
            assert_eq!(hash.set_deadline(&name, deadline).existed, field.is_some());
            if let Some(field) = field {
                field.1 = deadline;
            }
        }
        Op::Remove(name) => {
            assert_eq!(hash.remove(&name).existed, model.remove(&name).is_some());
        }
        Op::Expire(now, limit) => {
            let before = contents(&hash.live(None));
            hash.expire(now, limit);
            let after = contents(&hash.live(None));
            let due = model.values().filter(|(_, at)| at.is_some_and(|at| at <= now)).count();
            assert_eq!(before.len() - after.len(), due.min(limit));
            for (name, (_, deadline)) in &before {
                let is_due = deadline.is_some_and(|at| at <= now);
                assert!(is_due || after.contains_key(name), "gone before its time");
            }
            model.retain(|name, _| after.contains_key(name));
        }
        Op::Clone => *hash = hash.clone(),
    }
}

fn contents(live: &Live<'_>) -> Model {
    live.iter()
        .map(|field| (field.name.to_vec(), (field.value().to_vec(), field.deadline)))
        .collect()
}

/// What the model holds at a time.
fn living(model: &Model, now: u64) -> Model {
    let lives = |(_, (_, deadline)): &(&Vec<u8>, &(Vec<u8>, Option<u64>))| {
        deadline.is_none_or(|deadline| deadline > now)
    };
    let fields = model.iter().filter(lives);
    fields.map(|(name, field)| (name.clone(), field.clone())).collect()
}

/// Asks every kind of question, as a reader at `now`.
fn compare(hash: &Hash, model: &Model, name: &[u8], now: u64) {
    let earliest = model.values().filter_map(|(_, deadline)| *deadline).min();
    assert_eq!(hash.earliest_deadline(), earliest);
    let living = living(model, now);
    if !model.is_empty() {
        assert_eq!(hash.is_spent(now), living.is_empty());
    }
    let live = hash.live(earliest.filter(|at| *at <= now).map(|_| now));
    assert_eq!(live.len(), living.len());
    let found = live.get(name).map(|field| (field.bytes.to_vec(), field.deadline));
    assert_eq!(found.as_ref(), living.get(name));
    assert_eq!(contents(&live), living);
    let mut scanned = BTreeSet::new();
    live.scan(0, usize::MAX, |field| assert!(scanned.insert(field.name)));
    assert_eq!(scanned.len(), living.len());
    let mut random = Random::new();
    let drawn = live.random(&mut random);
    assert_eq!(drawn.is_some(), !living.is_empty());
    assert!(drawn.is_none_or(|field| living.contains_key(field.name)));
    for count in [1, living.len() / 2, living.len() + 1] {
        let sample = live.sample(count, &mut random);
        assert_eq!(sample.len(), count.min(living.len()));
        let names: BTreeSet<_> = sample.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), sample.len());
        assert!(names.iter().all(|name| living.contains_key(*name)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn behaves_as_the_model(
        steps in prop::collection::vec((op(), name(), 0..60u64), 0..500),
    ) {
        let (mut hash, mut model) = (Hash::default(), Model::new());
        for (op, name, now) in steps {
            apply(&mut hash, &mut model, op);
            hash.check();
            compare(&hash, &model, &name, now);
        }
    }

    #[test]
    fn a_clone_does_not_see_later_changes(
        before in prop::collection::vec(op(), 0..300),
        after in prop::collection::vec(op(), 0..300),
    ) {
        let (mut hash, mut model) = (Hash::default(), Model::new());
        before.into_iter().for_each(|op| apply(&mut hash, &mut model, op));
        let (mut other, mut other_model) = (hash.clone(), model.clone());
        for (i, op) in after.into_iter().enumerate() {
            match i % 2 {
                0 => apply(&mut hash, &mut model, op),
                _ => apply(&mut other, &mut other_model, op),
            }
        }
        hash.check();
        other.check();
        prop_assert_eq!(contents(&hash.live(None)), model);
        prop_assert_eq!(contents(&other.live(None)), other_model);
    }

    #[test]
    fn a_scan_misses_nothing_that_stays(
        changes in prop::collection::vec((any::<bool>(), 0..400usize), 1..60),
        count in 1..20usize,
    ) {
        let stays = 60;
        let mut hash = numbered(stays);
        let (mut seen, mut cursor) = (BTreeSet::new(), 0);
        for (grows, size) in changes.into_iter().cycle().take(10_000) {
            cursor = hash.live(None).scan(cursor, count, |field| {
                seen.insert(field.name.to_vec());
            });
            if cursor == 0 {
                break;
            }
            for i in 0..size {
                let name = format!("x{i}");
                match grows {
                    true => drop(hash.put(name.as_bytes(), b"", None)),
                    false => drop(hash.remove(name.as_bytes())),
                }
            }
            hash.check();
        }
        prop_assert_eq!(cursor, 0);
        for i in 0..stays {
            let name = format!("f{i}");
            prop_assert!(seen.contains(name.as_bytes()));
        }
    }
}

fn numbered(len: usize) -> Hash {
    let mut hash = Hash::default();
    for i in 0..len {
        assert!(!hash.put(format!("f{i}").as_bytes(), b"v", None).existed);
    }
    hash
}

#[test]
fn a_hash_is_packed_up_to_the_bounds_and_stays_large() {
    let mut hash = numbered(MAX_FIELDS);
    assert!(hash.is_packed());
    hash.put(b"f0", &[b'x'; MAX_ELEMENT], Some(7));
    assert!(hash.is_packed());
    hash.put(b"one more", b"", None);
    assert!(!hash.is_packed());
    hash.check();
    for i in 0..MAX_FIELDS {
        assert!(hash.remove(format!("f{i}").as_bytes()).existed);
    }
    assert!(!hash.is_packed());
    hash.check();
    for (name, value) in [(MAX_ELEMENT + 1, 0), (0, MAX_ELEMENT + 1)] {
        let mut hash = numbered(3);
        hash.put(&vec![b'n'; name], &vec![b'v'; value], None);
        assert!(!hash.is_packed());
        hash.check();
    }
}

#[test]
fn a_small_hash_keeps_the_order_in_which_fields_came() {
    let mut hash = numbered(5);
    hash.remove(b"f1");
    hash.put(b"f3", b"another value", Some(9));
    hash.put(b"f1", b"", None);
    let names: Vec<_> = hash.live(None).iter().map(|field| field.name.to_vec()).collect();
    assert_eq!(names, [b"f0", b"f2", b"f3", b"f4", b"f1"]);
}

#[test]
fn a_value_of_a_large_hash_is_shared_and_safe_from_changes() {
    let mut hash = numbered(1000);
    let value = hash.get(b"f7").unwrap().value();
    assert_eq!(value.as_ptr(), hash.get(b"f7").unwrap().bytes.as_ptr());
    let change = hash.put(b"f7", b"w", None);
    assert!(change.existed && change.displaced.is_some());
    assert_eq!((&*value, hash.get(b"f7").unwrap().bytes), (&b"v"[..], &b"w"[..]));
    hash.check();
}

#[test]
fn every_field_is_drawn() {
    for len in [10, 300] {
        let hash = numbered(len);
        let mut random = Random::new();
        let drawn = hash.live(None).sample_repeating(100 * len, &mut random);
        assert_eq!(drawn.len(), 100 * len);
        let names: BTreeSet<_> = drawn.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), len);
    }
    assert!(Hash::default().live(None).random(&mut Random::new()).is_none());
}

#[test]
fn expiry_goes_in_steps_from_the_earliest() {
    let mut hash = numbered(1000);
    for i in 0..500 {
        hash.set_deadline(format!("f{i}").as_bytes(), Some(i + 1));
    }
    assert_eq!(hash.live(Some(100)).len(), 900);
    assert_eq!(hash.expire(100, 60).len(), 60);
    assert_eq!(hash.earliest_deadline(), Some(61));
    assert_eq!(hash.live(Some(100)).len(), 900);
    assert_eq!(hash.expire(100, usize::MAX).len(), 40);
    assert!(!hash.is_spent(u64::MAX - 1));
    hash.check();
    hash.expire(500, usize::MAX);
    assert_eq!((hash.earliest_deadline(), hash.live(None).len()), (None, 500));
    hash.check();
}

#[test]
fn a_hash_without_deadlines_keeps_no_index() {
    let mut hash = numbered(1000);
    let bytes = hash.bytes();
    hash.set_deadline(b"f1", Some(5));
    assert!(hash.bytes() > bytes);
    hash.set_deadline(b"f1", None);
    assert_eq!(hash.bytes(), bytes);
    assert!(!hash.is_spent(9));
}

#[test]
fn an_empty_hash_answers_everything() {
    let mut hash = Hash::default();
    assert!(hash.is_empty() && hash.bytes() == 0);
    assert!(hash.get(b"").is_none() && !hash.remove(b"").existed);
    assert!(!hash.set_deadline(b"", Some(1)).existed);
    assert!(hash.expire(9, usize::MAX).is_empty());
    assert_eq!(hash.live(None).scan(7, 10, |_| unreachable!("no field")), 0);
    hash.check();
}
