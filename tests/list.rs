//! Lists through the public API, against a dumb model; batches, transactions, events, keys.

use std::collections::{BTreeMap, VecDeque};

use larder::ListEnd::{self, Back, Front};
use larder::{Error, Kind, PositionOptions, ScanOptions, Store, SubscriptionOptions, Value};
use proptest::prelude::*;

/// Lists by key; an empty list is no key.
type Model = BTreeMap<u8, VecDeque<String>>;

#[derive(Clone, Debug)]
enum Op {
    Push(u8, ListEnd, Vec<String>),
    PushIfPresent(u8, ListEnd, String),
    Pop(u8, ListEnd, usize),
    PopFrom(u8, u8, ListEnd, usize),
    Set(u8, i64, String),
    Insert(u8, bool, String, String),
    Remove(u8, String, usize, ListEnd),
    Trim(u8, i64, i64),
    Move(u8, u8, ListEnd, ListEnd),
    Ask(u8, i64, i64, String, i64),
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..3u8;
    let end = || prop::sample::select(vec![Front, Back]);
    let index = || -8..8i64;
    let element = || prop_oneof![5 => "[a-d]", 1 => "[a-b]{3000}"];
    let rank = prop::sample::select(vec![1i64, 2, 5, -1, -2, -5]);
    prop_oneof![
        6 => (key(), end(), prop::collection::vec(element(), 1..6))
            .prop_map(|(key, end, elements)| Op::Push(key, end, elements)),
        1 => (key(), end(), element())
            .prop_map(|(key, end, element)| Op::PushIfPresent(key, end, element)),
        2 => (key(), end(), 0..4usize).prop_map(|(key, end, count)| Op::Pop(key, end, count)),
        1 => (key(), key(), end(), 1..4usize)
            .prop_map(|(a, b, end, count)| Op::PopFrom(a, b, end, count)),
        2 => (key(), index(), element()).prop_map(|(key, index, one)| Op::Set(key, index, one)),
        3 => (key(), any::<bool>(), element(), element())
            .prop_map(|(key, before, pivot, one)| Op::Insert(key, before, pivot, one)),
        2 => (key(), element(), 0..3usize, end())
            .prop_map(|(key, one, count, end)| Op::Remove(key, one, count, end)),
        1 => (key(), index(), index()).prop_map(|(key, start, stop)| Op::Trim(key, start, stop)),
        3 => (key(), key(), end(), end()).prop_map(|(a, b, from, to)| Op::Move(a, b, from, to)),
        3 => (key(), index(), index(), element(), rank)
            .prop_map(|(key, start, stop, one, rank)| Op::Ask(key, start, stop, one, rank)),
    ]
}

fn name(key: u8) -> String {
    format!("k{key}")
}

fn texts(values: Vec<Value>) -> Vec<String> {
    values.iter().map(|value| value.to().unwrap()).collect()
}

fn push(list: &mut VecDeque<String>, end: ListEnd, element: String) {
    match end {
        Front => list.push_front(element),
        Back => list.push_back(element),
    }
}

fn pop(list: &mut VecDeque<String>, end: ListEnd) -> Option<String> {
    match end {
        Front => list.pop_front(),
        Back => list.pop_back(),
    }
}

fn within(len: usize, start: i64, stop: i64) -> std::ops::Range<usize> {
    let place = |index: i64| if index < 0 { index + len as i64 } else { index };
    let start = place(start).clamp(0, len as i64) as usize;
    start..((place(stop) + 1).clamp(0, len as i64) as usize).max(start)
}

fn apply_at_ends(store: &Store, model: &mut Model, op: &Op) -> larder::Result<()> {
    match op.clone() {
        Op::Push(key, end, elements) => {
            let list = model.entry(key).or_default();
            elements.iter().for_each(|element| push(list, end, element.clone()));
            let (key, length) = (name(key), list.len());
            let answer = match end {
                Front => store.list(&key).push_front_many(&elements)?,
                Back => store.list(&key).push_back_many(&elements)?,
            };
            assert_eq!(answer, length);
        }
        Op::PushIfPresent(key, end, element) => {
            let list = model.entry(key).or_default();
            if !list.is_empty() {
                push(list, end, element.clone());
            }
            let (key, length) = (name(key), list.len());
            let answer = match end {
                Front => store.list(&key).push_front_if_present(&[element])?,
                Back => store.list(&key).push_back_if_present(&[element])?,
            };
            assert_eq!(answer, length);
        }
        Op::Pop(key, end, count) => {
            let list = model.entry(key).or_default();
            let popped: Vec<_> = (0..count).map_while(|_| pop(list, end)).collect();
            let key = name(key);
            let answer = match end {
                Front => store.list(&key).pop_front_many(count)?,
                Back => store.list(&key).pop_back_many(count)?,
            };
            assert_eq!(texts(answer), popped);
        }
        Op::PopFrom(a, b, end, count) => {
            let held = |key: &&u8| model.get(key).is_some_and(|list| !list.is_empty());
            let key = [a, b].iter().find(held).copied();
            let popped = key.map(|key| {
                let list = model.entry(key).or_default();
                let elements: Vec<_> = (0..count).map_while(|_| pop(list, end)).collect();
                (Value::from(name(key)), elements)
            });
            let keys = [name(a), name(b)];
            let answer = match end {
                Front => store.lists().pop_front(&keys, count)?,
                Back => store.lists().pop_back(&keys, count)?,
            };
            assert_eq!(answer.map(|(key, elements)| (key, texts(elements))), popped);
        }
        Op::Move(a, b, from, to) => {
            let moved = pop(model.entry(a).or_default(), from);
            if let Some(element) = &moved {
                push(model.entry(b).or_default(), to, element.clone());
            }
            let answer = store.list(&name(a)).move_to(name(b), from, to)?;
            assert_eq!(answer.map(|value| value.to().unwrap()), moved);
        }
        _ => {}
    }
    Ok(())
}

fn apply_within(store: &Store, model: &mut Model, op: &Op) -> larder::Result<()> {
    match op.clone() {
        Op::Set(key, index, element) => {
            let (list, key) = (model.entry(key).or_default(), name(key));
            let place = within(list.len(), index, index);
            let answer = store.list(&key).set(index, &element);
            if place.len() == 1 {
                list[place.start] = element;
                answer?;
            } else if list.is_empty() {
                assert_eq!(answer, Err(Error::NoSuchKey));
            } else {
                assert!(matches!(answer, Err(Error::OutOfRange(_))));
            }
        }
        Op::Insert(key, before, pivot, element) => {
            let (list, key) = (model.entry(key).or_default(), name(key));
            let place = list.iter().position(|other| *other == pivot);
            let answer = if before {
                store.list(&key).insert_before(&pivot, &element)?
            } else {
                store.list(&key).insert_after(&pivot, &element)?
            };
            if let Some(place) = place {
                list.insert(if before { place } else { place + 1 }, element);
            }
            assert_eq!(answer, place.map(|_| list.len()));
        }
        Op::Remove(key, element, count, end) => {
            let (list, key) = (model.entry(key).or_default(), name(key));
            let mut found: Vec<_> = (0..list.len()).filter(|n| list[*n] == element).collect();
            if end == Back {
                found.reverse();
            }
            found.truncate(count);
            found.sort_unstable();
            found.iter().rev().for_each(|index| drop(list.remove(*index)));
            assert_eq!(store.list(&key).remove_nearest(&element, count, end)?, found.len());
        }
        Op::Trim(key, start, stop) => {
            let (list, key) = (model.entry(key).or_default(), name(key));
            *list = list.range(within(list.len(), start, stop)).cloned().collect();
            store.list(&key).trim(start..=stop)?;
        }
        _ => {}
    }
    Ok(())
}

fn ask(store: &Store, model: &Model, op: &Op) -> larder::Result<()> {
    let Op::Ask(key, start, stop, element, rank) = op else { return Ok(()) };
    let (elements, key) = (model.get(key).cloned().unwrap_or_default(), name(*key));
    let list = store.list(&key);
    let range = within(elements.len(), *start, *stop);
    let expected: Vec<_> = elements.range(range).cloned().collect();
    assert_eq!(texts(list.range(*start..=*stop)?), expected);
    let one = elements.range(within(elements.len(), *start, *start)).next();
    assert_eq!(list.get(*start)?.map(|value| value.to().unwrap()).as_ref(), one);
    let mut found: Vec<_> = (0..elements.len()).filter(|n| elements[*n] == *element).collect();
    assert_eq!(list.positions(element)?, found);
    assert_eq!(list.position(element)?, found.first().copied());
    if *rank < 0 {
        found.reverse();
    }
    let skipped = rank.unsigned_abs() as usize - 1;
    let expected: Vec<_> = found.into_iter().skip(skipped).take(2).collect();
    let options = PositionOptions::new().rank(*rank).count(2);
    assert_eq!(list.positions_with(element, options)?, expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn behaves_as_the_model(ops in prop::collection::vec(op(), 1..100)) {
        let (store, mut model) = (Store::new(), Model::default());
        for op in &ops {
            apply_at_ends(&store, &mut model, op).unwrap();
            apply_within(&store, &mut model, op).unwrap();
            ask(&store, &model, op).unwrap();
            for key in 0..3 {
                let expected: Vec<_> = model.get(&key).into_iter().flatten().cloned().collect();
                assert_eq!(texts(store.list(&name(key)).range(..).unwrap()), expected);
                assert_eq!(store.keys().exists(name(key)), Ok(!expected.is_empty()));
            }
        }
    }
}

#[test]
fn a_batch_answers_after_it_ran() {
    let store = Store::new();
    let batch = store.batch();
    let pushed = batch.list("a").push_back_many(&["x", "y", "z"]);
    let popped = batch.list("a").pop_front_many(1);
    let moved = batch.list("a").move_to("b", Back, Front);
    let first = batch.lists().pop_front(&["none", "b"], 9);
    let none = batch.list("none").pop_back();
    let nothing = batch.list("none").push_back_many(&[""; 0]);
    batch.exec().unwrap();
    assert_eq!(pushed.get(), Ok(3));
    assert_eq!(popped.get().unwrap(), ["x"]);
    assert_eq!(moved.get(), Ok(Some("z".into())));
    assert_eq!(first.get(), Ok(Some(("b".into(), vec!["z".into()]))));
    assert_eq!((none.get(), nothing.get()), (Ok(None), Ok(0)));
}

#[test]
fn a_transaction_reads_and_then_writes() {
    let store = Store::new();
    store.list("a").push_back_many(&["x", "y"]).unwrap();
    let moved = store.transaction(&["a", "b"], |tx| {
        if tx.list("a").len()? > 1 {
            tx.list("a").move_to("b", Front, Back)?;
        }
        tx.list("b").range(..)
    });
    assert_eq!(moved.unwrap(), ["x"]);
    assert!(store.transaction(&["a"], |tx| tx.list("a").move_to("c", Front, Back)).is_err());
    assert_eq!(store.list("a").range(..).unwrap(), ["y"]);
}

#[test]
fn events_tell_what_was_done_before_the_key_is_gone() {
    let store = Store::new();
    let events = store.events(SubscriptionOptions::new());
    let list = store.list("list");
    list.push_front("a").unwrap();
    list.push_back("b").unwrap();
    list.set(0, "c").unwrap();
    list.insert_after("c", "d").unwrap();
    list.insert_after("none", "d").unwrap();
    list.remove("d").unwrap();
    list.remove("d").unwrap();
    list.trim(..).unwrap();
    list.move_to("list", Front, Back).unwrap();
    list.move_to("other", Back, Front).unwrap();
    list.pop_front_many(0).unwrap();
    list.pop_front().unwrap();
    let all = ["lpush", "rpush", "lset", "linsert", "lrem", "ltrim"];
    let moves = ["rpush", "lpop", "lpush", "rpop", "lpop", "del"];
    for name in all.into_iter().chain(moves) {
        assert_eq!(events.recv().unwrap().kind.name(), name);
    }
    assert!(events.try_recv().is_err());
}

#[test]
fn a_list_is_a_key_as_any_other() {
    let store = Store::new();
    store.list("list").push_back_many(&["a", "b"]).unwrap();
    assert_eq!(store.keys().kind("list"), Ok(Some(Kind::List)));
    assert_eq!(store.keys().copy("list", "copy"), Ok(true));
    store.list("copy").set(0, "z").unwrap();
    store.keys().rename("list", "renamed").unwrap();
    assert_eq!(store.list("renamed").range(..).unwrap(), ["a", "b"]);
    assert_eq!(store.list("copy").range(..).unwrap(), ["z", "b"]);
    store.kv().set("text", "x").unwrap();
    let lists: Result<Vec<_>, _> = store.keys().scan(ScanOptions::new().kind(Kind::List)).collect();
    assert_eq!(lists.unwrap().len(), 2);
    assert_eq!(store.kv().get("copy"), Err(Error::WrongType));
}
