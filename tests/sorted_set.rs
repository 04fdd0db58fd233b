//! Sorted sets through the public API, against a dumb model; batches, transactions, blocking.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use larder::{AddRule, Aggregate, Error, ManualClock, Store, SubscriptionOptions};
use proptest::prelude::*;

/// Sets by key, each a map from member to score; an empty set is no key.
#[derive(Clone, Default)]
struct Model(BTreeMap<u8, BTreeMap<String, f64>>);

type Scored = Vec<(String, f64)>;

impl Model {
    fn sorted(&self, key: u8) -> Scored {
        let members = self.0.get(&key).cloned().unwrap_or_default();
        in_order(members.into_iter().collect())
    }

    fn put(&mut self, key: u8, members: Scored) {
        // A set knows one zero only.
        let plain = |(member, score)| (member, score + 0.0);
        self.0.insert(key, members.into_iter().map(plain).collect());
    }
}

fn in_order(mut members: Scored) -> Scored {
    members.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    members
}

#[derive(Clone, Debug)]
enum Op {
    Add(u8, Vec<(String, f64)>, AddRule),
    Increment(u8, String, f64),
    Remove(u8, Vec<String>),
    RemoveByRank(u8, i64, i64),
    RemoveByScore(u8, f64, f64),
    PopMin(u8, usize),
    PopMax(u8, usize),
    StoreRange(u8, u8, f64, usize, usize, bool),
    StoreUnion(u8, u8, u8, f64, Aggregate),
    StoreIntersection(u8, u8, u8, f64, Aggregate),
    StoreDifference(u8, u8, u8),
    Ask(u8, String, i64, i64, f64, f64),
}

fn op() -> impl Strategy<Value = Op> {
    let key = || 0..3u8;
    let member = || (0..60u8).prop_map(|n| format!("m{n}"));
    let score = || (-8..8i32).prop_map(|n| f64::from(n) / 2.0);
    let rank = || -20..20i64;
    let rule = prop::sample::select(vec![
        AddRule::Always,
        AddRule::IfAbsent,
        AddRule::IfPresent,
        AddRule::IfGreater,
        AddRule::IfLess,
        AddRule::IfPresentAndGreater,
        AddRule::IfPresentAndLess,
    ]);
    let aggregate = || prop::sample::select(vec![Aggregate::Sum, Aggregate::Min, Aggregate::Max]);
    let entries = prop::collection::vec((member(), score()), 1..20);
    prop_oneof![
        6 => (key(), entries, rule).prop_map(|(k, e, r)| Op::Add(k, e, r)),
        3 => (key(), member(), score()).prop_map(|(k, m, s)| Op::Increment(k, m, s)),
        2 => (key(), prop::collection::vec(member(), 1..5)).prop_map(|(k, m)| Op::Remove(k, m)),
        1 => (key(), rank(), rank()).prop_map(|(k, a, b)| Op::RemoveByRank(k, a, b)),
        1 => (key(), score(), score()).prop_map(|(k, a, b)| Op::RemoveByScore(k, a, b)),
        1 => (key(), 0..8usize).prop_map(|(k, n)| Op::PopMin(k, n)),
        1 => (key(), 0..8usize).prop_map(|(k, n)| Op::PopMax(k, n)),
        1 => (key(), key(), score(), 0..5usize, 0..9usize, any::<bool>())
            .prop_map(|(d, s, from, o, l, r)| Op::StoreRange(d, s, from, o, l, r)),
        1 => (key(), key(), key(), score(), aggregate())
            .prop_map(|(d, a, b, w, g)| Op::StoreUnion(d, a, b, w, g)),
        1 => (key(), key(), key(), score(), aggregate())
            .prop_map(|(d, a, b, w, g)| Op::StoreIntersection(d, a, b, w, g)),
        1 => (key(), key(), key()).prop_map(|(d, a, b)| Op::StoreDifference(d, a, b)),
        4 => (key(), member(), rank(), rank(), score(), score())
            .prop_map(|(k, m, a, b, min, max)| Op::Ask(k, m, a, b, min, max)),
    ]
}

fn admits(rule: AddRule, old: Option<f64>, new: f64) -> bool {
    let greater = old.map(|old| new > old);
    let less = old.map(|old| new < old);
    match rule {
        AddRule::IfAbsent => old.is_none(),
        AddRule::IfPresent => old.is_some(),
        AddRule::IfGreater => greater.unwrap_or(true),
        AddRule::IfLess => less.unwrap_or(true),
        AddRule::IfPresentAndGreater => greater.unwrap_or(false),
        AddRule::IfPresentAndLess => less.unwrap_or(false),
        _ => true,
    }
}

/// The members of these ranks, both ends included, negative ones counted from the end.
fn by_rank(members: &Scored, start: i64, stop: i64) -> Scored {
    let length = members.len() as i64;
    let absolute = |rank: i64| if rank < 0 { (rank + length).max(0) } else { rank };
    let stop = if stop < 0 { stop + length } else { stop };
    let wanted = |rank: i64| rank >= absolute(start) && rank <= stop;
    let ranked = members.iter().zip(0..);
    ranked.filter(|(_, rank)| wanted(*rank)).map(|(member, _)| member.clone()).collect()
}

fn plain(members: Vec<(larder::Value, f64)>) -> Scored {
    let text = |member: larder::Value| member.to::<String>().unwrap();
    members.into_iter().map(|(member, score)| (text(member), score)).collect()
}

fn remove_all(model: &mut Model, key: u8, members: &Scored) {
    let set = model.0.entry(key).or_default();
    for (member, _) in members {
        set.remove(member);
    }
}

fn name(key: u8) -> String {
    format!("k{key}")
}

fn apply_update(store: &Store, model: &mut Model, op: &Op) -> larder::Result<()> {
    match op {
        Op::Add(key, entries, rule) => {
            let mut changed = 0;
            let set = model.0.entry(*key).or_default();
            for (member, score) in entries {
                let old = set.get(member).copied();
                if admits(*rule, old, *score) && old != Some(*score) {
                    set.insert(member.clone(), *score);
                    changed += 1;
                }
            }
            assert_eq!(store.sorted_set(&name(*key)).add_many_with(entries, *rule)?, changed);
        }
        Op::Increment(key, member, by) => {
            let score = model.0.entry(*key).or_default().entry(member.clone()).or_default();
            *score += by;
            assert_eq!(store.sorted_set(&name(*key)).increment(member, *by)?, *score);
        }
        Op::Remove(key, members) => {
            let set = model.0.entry(*key).or_default();
            let removed = members.iter().filter(|member| set.remove(*member).is_some()).count();
            assert_eq!(store.sorted_set(&name(*key)).remove_many(members)?, removed);
        }
        Op::RemoveByRank(key, start, stop) => {
            let removed = by_rank(&model.sorted(*key), *start, *stop);
            remove_all(model, *key, &removed);
            let answer = store.sorted_set(&name(*key)).remove_by_rank(*start..=*stop)?;
            assert_eq!(answer, removed.len());
        }
        Op::RemoveByScore(key, min, max) => {
            let members = model.sorted(*key);
            let removed: Scored =
                members.into_iter().filter(|(_, score)| score >= min && score < max).collect();
            remove_all(model, *key, &removed);
            let answer = store.sorted_set(&name(*key)).remove_by_score(*min..*max)?;
            assert_eq!(answer, removed.len());
        }
        Op::PopMin(key, count) => {
            let popped: Scored = model.sorted(*key).into_iter().take(*count).collect();
            remove_all(model, *key, &popped);
            assert_eq!(plain(store.sorted_set(&name(*key)).pop_min_many(*count)?), popped);
        }
        Op::PopMax(key, count) => {
            let popped: Scored = model.sorted(*key).into_iter().rev().take(*count).collect();
            remove_all(model, *key, &popped);
            assert_eq!(plain(store.sorted_set(&name(*key)).pop_max_many(*count)?), popped);
        }
        _ => {}
    }
    Ok(())
}

fn combined(aggregate: Aggregate, a: f64, b: f64) -> f64 {
    match aggregate {
        Aggregate::Sum => a + b,
        Aggregate::Min => a.min(b),
        Aggregate::Max => a.max(b),
    }
}

fn apply_store(store: &Store, model: &mut Model, op: &Op) -> larder::Result<()> {
    let sets = store.sorted_sets();
    let (destination, members, answer) = match *op {
        Op::StoreRange(destination, source, from, offset, limit, reversed) => {
            let mut members = model.sorted(source);
            members.retain(|(_, score)| *score >= from);
            if reversed {
                members.reverse();
            }
            let members = members.into_iter().skip(offset).take(limit).collect();
            let source = name(source);
            let source = store.sorted_set(&source);
            let query = source.range_by_score(from..).offset(offset).limit(limit);
            let query = if reversed { query.reversed() } else { query };
            (destination, members, query.store_into(name(destination))?)
        }
        Op::StoreUnion(destination, a, b, weight, aggregate) => {
            let mut members: BTreeMap<String, f64> = model.sorted(a).into_iter().collect();
            for (member, score) in model.sorted(b) {
                let score = score * weight;
                let join = |old: &mut f64| *old = combined(aggregate, *old, score);
                members.entry(member).and_modify(join).or_insert(score);
            }
            let (keys, weights) = ([name(a), name(b)], [1.0, weight]);
            let union = sets.union(&keys).weights(&weights).aggregate(aggregate);
            (destination, members.into_iter().collect(), union.store_into(name(destination))?)
        }
        Op::StoreIntersection(destination, a, b, weight, aggregate) => {
            let others: BTreeMap<String, f64> = model.sorted(b).into_iter().collect();
            let both = |(member, score): (String, f64)| {
                let other = others.get(&member)? * weight;
                Some((member, combined(aggregate, score, other)))
            };
            let members: Scored = model.sorted(a).into_iter().filter_map(both).collect();
            let (keys, weights) = ([name(a), name(b)], [1.0, weight]);
            assert_eq!(sets.count_intersection(&keys, None)?, members.len());
            assert_eq!(sets.count_intersection(&keys, 2)?, members.len().min(2));
            let intersection = sets.intersection(&keys).weights(&weights).aggregate(aggregate);
            (destination, members, intersection.store_into(name(destination))?)
        }
        Op::StoreDifference(destination, a, b) => {
            let others: BTreeMap<String, f64> = model.sorted(b).into_iter().collect();
            let mut members = model.sorted(a);
            members.retain(|(member, _)| !others.contains_key(member));
            let keys = [name(a), name(b)];
            let difference = sets.difference(&keys);
            (destination, members, difference.store_into(name(destination))?)
        }
        _ => return Ok(()),
    };
    assert_eq!(answer, members.len());
    model.put(destination, members);
    Ok(())
}

fn ask(store: &Store, model: &Model, op: &Op) -> larder::Result<()> {
    let Op::Ask(key, member, start, stop, min, max) = op else { return Ok(()) };
    let (members, key) = (model.sorted(*key), name(*key));
    let set = store.sorted_set(&key);
    let rank = members.iter().position(|(other, _)| other == member);
    let score = rank.map(|rank| members[rank].1);
    let descending = rank.map(|rank| members.len() - 1 - rank);
    assert_eq!(set.len()?, members.len());
    assert_eq!(set.score(member)?, score);
    assert_eq!(set.scores(&[member, "none"])?, [score, None]);
    assert_eq!(set.rank_and_score(member)?, rank.zip(score));
    assert_eq!(set.rank_descending_and_score(member)?, descending.zip(score));
    assert_eq!(plain(set.range(*start..=*stop).get()?), by_rank(&members, *start, *stop));
    let reversed: Scored = members.iter().rev().cloned().collect();
    let range = set.range(*start..=*stop).reversed();
    assert_eq!(plain(range.get()?), by_rank(&reversed, *start, *stop));
    let within = |(_, score): &&(String, f64)| score > min && score <= max;
    let range = (std::ops::Bound::Excluded(*min), std::ops::Bound::Included(*max));
    let expected: Scored = members.iter().filter(within).cloned().collect();
    assert_eq!(set.count(range)?, expected.len());
    assert_eq!(plain(set.range_by_score(range).get()?), expected);
    let expected: Scored = reversed.iter().filter(within).skip(1).take(3).cloned().collect();
    let query = set.range_by_score(range).reversed().offset(1).limit(3);
    assert_eq!(plain(query.get()?), expected);
    let mut sampled = plain(set.random_members(7)?);
    sampled.sort_by(|a, b| a.0.cmp(&b.0));
    sampled.dedup();
    assert_eq!(sampled.len(), members.len().min(7));
    assert!(sampled.iter().all(|entry| members.contains(entry)));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn behaves_as_the_model(ops in prop::collection::vec(op(), 1..80)) {
        let (store, mut model) = (Store::new(), Model::default());
        for op in &ops {
            apply_update(&store, &mut model, op).unwrap();
            apply_store(&store, &mut model, op).unwrap();
            ask(&store, &model, op).unwrap();
            for key in 0..3 {
                let name = name(key);
                let set = store.sorted_set(&name);
                assert_eq!(plain(set.range(..).get().unwrap()), model.sorted(key));
                let walked: Result<Vec<_>, Error> = set.iter().collect();
                assert_eq!(in_order(plain(walked.unwrap())), model.sorted(key));
            }
        }
    }
}

#[test]
fn a_batch_answers_after_it_ran() {
    let store = Store::new();
    let batch = store.batch();
    let board = batch.sorted_set("board");
    let added = board.add_many(&[("a", 1.0), ("b", 2.0)]);
    let top = board.top(1);
    let stored = batch.sorted_sets().union(&["board"]).weights(&[2.0]).store_into("double");
    let sum = batch.sorted_set("double").range_by_score(4.0..).get();
    batch.exec().unwrap();
    assert_eq!(added.get(), Ok(2));
    assert_eq!(top.get(), Ok(vec![("b".into(), 2.0)]));
    assert_eq!(stored.get(), Ok(2));
    assert_eq!(sum.get(), Ok(vec![("b".into(), 4.0)]));
}

#[test]
fn a_refused_call_refuses_its_batch() {
    let store = Store::new();
    let batch = store.batch();
    let added = batch.sorted_set("board").add("a", 1.0);
    let refused = batch.sorted_set("board").add("b", f64::NAN);
    assert_eq!(batch.exec(), Err(Error::ScoreNotANumber));
    assert_eq!(store.sorted_set("board").len(), Ok(0));
    drop((added, refused));
}

#[test]
fn the_neighbours_of_a_member_end_where_the_set_does() {
    let store = Store::new();
    let board = store.sorted_set("board");
    board.add_many(&[("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0)]).unwrap();
    let around = |member: &str, above, below| {
        let around = board.around(member, above, below).unwrap().into_iter();
        around.map(|(rank, member, _)| (rank, member.to().unwrap())).collect::<Vec<_>>()
    };
    let named = |ranks: std::ops::Range<usize>| {
        let members = ranks.clone().map(|rank| ["d", "c", "b", "a"][rank].to_string());
        ranks.zip(members).collect::<Vec<_>>()
    };
    assert_eq!(around("b", 1, 1), named(1..4));
    assert_eq!(around("b", 0, 0), named(2..3));
    assert_eq!(around("d", 1, 1), named(0..2));
    assert_eq!(around("a", 2, 1), named(1..4));
    assert_eq!(around("c", usize::MAX, usize::MAX), named(0..4));
    assert_eq!(around("none", 9, 9), []);
    assert_eq!(store.sorted_set("absent").around("a", 1, 1), Ok(Vec::new()));
    assert!(!store.keys().exists("absent").unwrap());
    store.kv().set("text", "x").unwrap();
    assert_eq!(store.sorted_set("text").around("a", 1, 1), Err(Error::WrongType));
}

#[test]
fn a_transaction_moves_a_member() {
    let store = Store::new();
    store.sorted_set("from").add("a", 3.0).unwrap();
    let moved = store.transaction(&["from", "to"], |tx| {
        let (member, score) = tx.sorted_set("from").pop_min()?.unwrap();
        tx.sorted_set("to").add(member, score)
    });
    assert_eq!(moved, Ok(true));
    assert_eq!(store.sorted_set("from").len(), Ok(0));
    assert_eq!(store.sorted_set("to").score("a"), Ok(Some(3.0)));
    assert!(!store.keys().delete("from").unwrap());
}

#[test]
fn who_waited_longest_is_served_first() {
    let store = Store::new();
    thread::scope(|scope| {
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let queue = store.clone();
            waiting.push(scope.spawn(move || queue.sorted_set("queue").pop_min_blocking(None)));
            thread::sleep(Duration::from_millis(30));
        }
        for n in 0..3_u8 {
            store.sorted_set("queue").add(n, f64::from(n)).unwrap();
        }
        for (n, thread) in (0..3_u8).zip(waiting) {
            let (member, score) = thread.join().unwrap().unwrap().unwrap();
            assert_eq!((member.to(), score), (Ok(n), f64::from(n)));
        }
    });
    assert_eq!(store.sorted_set("queue").len(), Ok(0));
}

#[test]
fn a_wait_ends_by_the_stores_clock() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let keys = ["high", "low"];
            store.sorted_sets().pop_max_many_blocking(&keys, 2, Duration::from_secs(3600))
        });
        thread::sleep(Duration::from_millis(30));
        assert!(!waiting.is_finished());
        clock.advance(Duration::from_secs(3600));
        assert_eq!(waiting.join().unwrap(), Ok(None));
    });
    store.sorted_set("low").add_many(&[("a", 1.0), ("b", 2.0), ("c", 3.0)]).unwrap();
    let popped = store.sorted_sets().pop_max_many_blocking(&["high", "low"], 2, None).unwrap();
    assert_eq!(popped, Some(("low".into(), vec![("c".into(), 3.0), ("b".into(), 2.0)])));
}

#[test]
fn a_wait_for_several_keys_passes_over_another_type() {
    let store = Store::new();
    thread::scope(|scope| {
        let waiting =
            scope.spawn(|| store.sorted_sets().pop_min_blocking(&["text", "queue"], None));
        thread::sleep(Duration::from_millis(30));
        store.kv().set("text", "x").unwrap();
        store.keys().delete("text").unwrap();
        store.sorted_set("queue").add("a", 1.0).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(Some(("queue".into(), "a".into(), 1.0))));
    });
}

#[test]
fn events_tell_what_was_done_before_the_key_is_gone() {
    let store = Store::new();
    let events = store.events(SubscriptionOptions::new());
    let board = store.sorted_set("board");
    board.add("a", 1.0).unwrap();
    board.add("a", 1.0).unwrap();
    board.increment("a", 1.0).unwrap();
    board.remove("a").unwrap();
    let names: Vec<_> = (0..4).map(|_| events.recv().unwrap().kind.name()).collect();
    assert_eq!(names, ["zadd", "zincr", "zrem", "del"]);
}

#[test]
fn callers_that_give_up_lose_no_member() {
    const MEMBERS: usize = 400;
    let store = Store::new();
    let taken: usize = thread::scope(|scope| {
        let take = || {
            let (mut taken, mut misses) = (0, 0);
            while misses < 50 {
                let wait = Duration::from_micros(300);
                match store.sorted_set("queue").pop_min_blocking(wait).unwrap() {
                    Some(_) => (taken, misses) = (taken + 1, 0),
                    None => misses += 1,
                }
            }
            taken
        };
        let takers: Vec<_> = (0..3).map(|_| scope.spawn(take)).collect();
        for member in 0..MEMBERS {
            store.sorted_set("queue").add(member, 0.0).unwrap();
            if member % 7 == 0 {
                thread::sleep(Duration::from_micros(500));
            }
        }
        takers.into_iter().map(|taker| taker.join().unwrap()).sum()
    });
    assert_eq!(taken + store.sorted_set("queue").len().unwrap(), MEMBERS);
}
