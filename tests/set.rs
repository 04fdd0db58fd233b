//! Sets through the public API, against a model of `BTreeSet`s.

use std::collections::{BTreeMap, BTreeSet};

use larder::{Store, Value};
use proptest::prelude::*;

type Model = BTreeMap<&'static str, BTreeSet<String>>;

const KEYS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Op {
    Add(&'static str, Vec<String>),
    Remove(&'static str, Vec<String>),
    Move(&'static str, &'static str, String),
    Pop(&'static str, usize),
    Union(&'static str, Vec<&'static str>),
    Intersection(&'static str, Vec<&'static str>),
    Difference(&'static str, Vec<&'static str>),
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(KEYS.to_vec())
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof![(0..600).prop_map(|n: i32| n.to_string()), (0..200).prop_map(|n| format!("m{n}"))]
}

fn op() -> impl Strategy<Value = Op> {
    let members = || prop::collection::vec(member(), 0..40);
    let keys = || prop::collection::vec(key(), 1..4);
    prop_oneof![
        8 => (key(), members()).prop_map(|(key, members)| Op::Add(key, members)),
        4 => (key(), members()).prop_map(|(key, members)| Op::Remove(key, members)),
        3 => (key(), key(), member()).prop_map(|(from, to, member)| Op::Move(from, to, member)),
        2 => (key(), 0..30usize).prop_map(|(key, count)| Op::Pop(key, count)),
        1 => (key(), keys()).prop_map(|(key, keys)| Op::Union(key, keys)),
        1 => (key(), keys()).prop_map(|(key, keys)| Op::Intersection(key, keys)),
        1 => (key(), keys()).prop_map(|(key, keys)| Op::Difference(key, keys)),
    ]
}

fn texts(members: Vec<Value>) -> BTreeSet<String> {
    let len = members.len();
    let distinct: BTreeSet<String> =
        members.iter().map(|member| member.to_text().into_owned()).collect();
    assert_eq!(distinct.len(), len, "a member twice");
    distinct
}

fn of<'m>(model: &'m Model, key: &str) -> &'m BTreeSet<String> {
    &model[key]
}

fn union(model: &Model, keys: &[&str]) -> BTreeSet<String> {
    keys.iter().flat_map(|key| of(model, key)).cloned().collect()
}

fn intersection(model: &Model, keys: &[&str]) -> BTreeSet<String> {
    let in_all = |member: &&String| keys.iter().all(|key| of(model, key).contains(*member));
    of(model, keys[0]).iter().filter(in_all).cloned().collect()
}

fn difference(model: &Model, keys: &[&str]) -> BTreeSet<String> {
    let in_none = |member: &&String| !keys[1..].iter().any(|key| of(model, key).contains(*member));
    of(model, keys[0]).iter().filter(in_none).cloned().collect()
}

fn apply(store: &Store, model: &mut Model, op: Op) {
    let sets = store.sets();
    match op {
        Op::Add(key, members) => {
            let set = model.get_mut(key).unwrap();
            let added = members.iter().filter(|member| set.insert((*member).clone())).count();
            assert_eq!(store.set(key).add_many(&members).unwrap(), added);
        }
        Op::Remove(key, members) => {
            let set = model.get_mut(key).unwrap();
            let removed = members.iter().filter(|member| set.remove(*member)).count();
            assert_eq!(store.set(key).remove_many(&members).unwrap(), removed);
        }
        Op::Move(from, to, member) => {
            let moved = model.get_mut(from).unwrap().remove(&member);
            assert_eq!(store.set(from).move_to(to, &*member).unwrap(), moved);
            if moved {
                model.get_mut(to).unwrap().insert(member);
            }
        }
        Op::Pop(key, count) => {
            let set = model.get_mut(key).unwrap();
            let popped = texts(store.set(key).pop_many(count).unwrap());
            assert_eq!(popped.len(), count.min(set.len()));
            assert!(popped.iter().all(|member| set.remove(member)));
        }
        Op::Union(to, keys) => {
            let members = union(model, &keys);
            assert_eq!(texts(sets.union(&keys).unwrap()), members);
            assert_eq!(sets.union_to(to, &keys).unwrap(), members.len());
            model.insert(to, members);
        }
        Op::Intersection(to, keys) => {
            let members = intersection(model, &keys);
            assert_eq!(texts(sets.intersection(&keys).unwrap()), members);
            assert_eq!(sets.count_intersection(&keys, None).unwrap(), members.len());
            assert_eq!(sets.count_intersection(&keys, 3).unwrap(), members.len().min(3));
            assert_eq!(sets.intersection_to(to, &keys).unwrap(), members.len());
            model.insert(to, members);
        }
        Op::Difference(to, keys) => {
            let members = difference(model, &keys);
            assert_eq!(texts(sets.difference(&keys).unwrap()), members);
            assert_eq!(sets.difference_to(to, &keys).unwrap(), members.len());
            model.insert(to, members);
        }
    }
}

fn compare(store: &Store, model: &Model) {
    for (key, members) in model {
        let set = store.set(key);
        assert_eq!(set.len().unwrap(), members.len());
        assert_eq!(&texts(set.members().unwrap()), members);
        assert_eq!(store.keys().exists(key).unwrap(), !members.is_empty());
        let scanned: BTreeSet<String> =
            set.iter().map(|member| member.unwrap().to_text().into_owned()).collect();
        assert_eq!(&scanned, members);
        let drawn = set.random().unwrap();
        assert_eq!(drawn.is_none(), members.is_empty());
        assert!(drawn.is_none_or(|member| members.contains(&*member.to_text())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sets_behave_as_the_model(ops in prop::collection::vec(op(), 0..80)) {
        let store = Store::new();
        let mut model: Model = KEYS.map(|key| (key, BTreeSet::new())).into();
        for op in ops {
            apply(&store, &mut model, op);
            compare(&store, &model);
        }
    }
}

#[test]
fn a_batch_and_a_transaction_have_sets_too() -> larder::Result<()> {
    let store = Store::new();
    let batch = store.batch();
    let added = batch.set("s").add_many(&["a", "b"]);
    let both = batch.sets().union(&["s", "t"]);
    let bit = batch.bitmap("b").set(3, true);
    batch.exec()?;
    assert_eq!((added.get()?, both.get()?.len(), bit.get()?), (2, 2, false));

    store.transaction(&["s", "t"], |tx| -> larder::Result<()> {
        let member = tx.set("s").pop()?.expect("a member");
        tx.set("t").add(&member)?;
        assert_eq!(tx.sets().intersection(&["s", "t"])?.len(), 0);
        Ok(())
    })?;
    assert_eq!((store.set("s").len()?, store.set("t").len()?), (1, 1));
    Ok(())
}

#[test]
fn sets_stand_for_sorted_sets_of_equal_scores() -> larder::Result<()> {
    let store = Store::new();
    store.set("plain").add_many(&["a", "7"])?;
    store.sorted_set("scored").add_many(&[("a", 2.0), ("b", 5.0)])?;
    let sorted = store.sorted_sets();
    let keys = ["plain", "scored"];
    let all = sorted.union(&keys).weights(&[10.0, 1.0]).get()?;
    assert_eq!(all, [("b".into(), 5.0), ("7".into(), 10.0), ("a".into(), 12.0)]);
    assert_eq!(sorted.intersection(&keys).get()?, [("a".into(), 3.0)]);
    assert_eq!(sorted.difference(&keys).get()?, [("7".into(), 1.0)]);
    assert_eq!(sorted.count_intersection(&keys, None)?, 1);
    assert_eq!(sorted.union(&["plain"]).store_into("plain")?, 2);
    assert_eq!(store.sorted_set("plain").score("7")?, Some(1.0));
    Ok(())
}
