//! Sorted sets against an ordered list of pairs, and their edges one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

use proptest::prelude::*;

use super::*;

/// The dumb model: a map, sorted anew for each question.
type Model = BTreeMap<Vec<u8>, Score>;

fn score(value: f64) -> Score {
    Score::new(value).unwrap()
}

fn sorted(model: &Model) -> Vec<(Score, Vec<u8>)> {
    let mut entries: Vec<_> =
        model.iter().map(|(member, &score)| (score, member.clone())).collect();
    entries.sort();
    entries
}

fn contents(set: &SortedSet) -> Vec<(Score, Vec<u8>)> {
    set.entries(0..set.len()).map(|(member, score)| (score, member.to_vec())).collect()
}

fn owned(entries: Vec<(Value, Score)>) -> Vec<(Score, Vec<u8>)> {
    entries.into_iter().map(|(member, score)| (score, member.to_vec())).collect()
}

fn members(set: &SortedSet) -> Vec<String> {
    set.entries(0..set.len()).map(|(member, _)| member.to::<String>().unwrap()).collect()
}

fn numbered(len: usize) -> SortedSet {
    let mut set = SortedSet::default();
    for i in 0..len {
        assert_eq!(set.insert(format!("m{i:06}").as_bytes(), score(i as f64)), None);
    }
    set
}

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>, Score),
    Remove(Vec<u8>),
    PopFirst,
    PopLast,
    RemoveRange(usize, usize),
    Rebuild,
    Clone,
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => (0..150u8).prop_map(|i| vec![b'm', i]),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

fn any_score() -> impl Strategy<Value = Score> {
    prop_oneof![
        6 => (-4..4i32).prop_map(|i| score(f64::from(i) / 2.0)),
        3 => (-1e6..1e6).prop_map(score),
        1 => prop_oneof![Just(-0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY)].prop_map(score),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        60 => (member(), any_score()).prop_map(|(member, score)| Op::Insert(member, score)),
        15 => member().prop_map(Op::Remove),
        4 => Just(Op::PopFirst),
        4 => Just(Op::PopLast),
        2 => (0..200usize, 0..40usize).prop_map(|(start, len)| Op::RemoveRange(start, start + len)),
        1 => Just(Op::Rebuild),
        1 => Just(Op::Clone),
    ]
}

/// Applies an operation to both and compares the answers.
fn apply(set: &mut SortedSet, model: &mut Model, op: Op) {
    match op {
        Op::Insert(member, score) => {
            assert_eq!(set.insert(&member, score), model.get(&member).copied());
            model.insert(member, score);
        }
        Op::Remove(member) => assert_eq!(set.remove(&member), model.remove(&member)),
        Op::PopFirst | Op::PopLast => {
            let first = matches!(op, Op::PopFirst);
            let popped = if first { set.pop_first() } else { set.pop_last() };
            let entries = sorted(model);
            let expected = if first { entries.first() } else { entries.last() };
            assert_eq!(owned(popped.into_iter().collect()).first(), expected);
            expected.map(|(_, member)| model.remove(member));
        }
        Op::RemoveRange(start, end) => {
            let removed = owned(set.remove_range(start..end));
            let expected: Vec<_> =
                sorted(model).into_iter().skip(start).take(end - start).collect();
            assert_eq!(removed, expected);
            for (_, member) in &removed {
                model.remove(member);
            }
        }
        Op::Rebuild => {
            let entries = model.iter().map(|(member, &score)| (Value::from(&member[..]), score));
            *set = SortedSet::from_entries(entries.collect()).unwrap();
        }
        Op::Clone => *set = set.clone(),
    }
}

/// Asks every kind of question about one member, one pair of ranks and one pair of scores.
fn compare(set: &SortedSet, model: &Model, member: &[u8], ranks: (usize, usize), min: Score) {
    let entries = sorted(model);
    assert_eq!(set.len(), entries.len());
    assert_eq!(set.score(member), model.get(member).copied());
    let rank = entries.iter().position(|(_, other)| other == member);
    assert_eq!(set.rank(member).map(|(rank, _)| rank), rank);
    let (start, end) = (ranks.0.min(ranks.1), ranks.0.max(ranks.1));
    let expected: Vec<_> = entries.iter().skip(start).take(end - start).cloned().collect();
    let range = set.entries(start..end);
    assert_eq!(range.len(), expected.len());
    let found: Vec<_> = range.clone().map(|(member, score)| (score, member.to_vec())).collect();
    assert_eq!(found, expected);
    let mut backwards: Vec<_> = range.rev().map(|(m, score)| (score, m.to_vec())).collect();
    backwards.reverse();
    assert_eq!(backwards, expected);
    let max = score(min.get() + 1.5);
    let count = |test: &dyn Fn(Score) -> bool| entries.iter().filter(|(s, _)| test(*s)).count();
    let range = set.score_range(Included(min), Excluded(max));
    assert_eq!(range.len(), count(&|s| s >= min && s < max));
    assert_eq!(range.start, count(&|s| s < min));
    let range = set.score_range(Excluded(min), Included(max));
    assert_eq!(range.len(), count(&|s| s > min && s <= max));
    let range = set.member_range(Excluded(member), Included(b"z"));
    assert!(range.start <= range.end && range.end <= set.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn behaves_as_the_model(
        steps in prop::collection::vec(
            (op(), member(), (0..200usize, 0..200usize), any_score()),
            0..600,
        ),
    ) {
        let (mut set, mut model) = (SortedSet::default(), Model::new());
        for (op, member, ranks, min) in steps {
            apply(&mut set, &mut model, op);
            set.check();
            compare(&set, &model, &member, ranks, min);
        }
        prop_assert_eq!(contents(&set), sorted(&model));
    }

    #[test]
    fn a_clone_does_not_see_later_changes(
        before in prop::collection::vec(op(), 0..300),
        after in prop::collection::vec(op(), 0..300),
    ) {
        let (mut set, mut model) = (SortedSet::default(), Model::new());
        before.into_iter().for_each(|op| apply(&mut set, &mut model, op));
        let (mut other, mut other_model) = (set.clone(), model.clone());
        for (i, op) in after.into_iter().enumerate() {
            match i % 2 {
                0 => apply(&mut set, &mut model, op),
                _ => apply(&mut other, &mut other_model, op),
            }
            set.check();
            other.check();
        }
        prop_assert_eq!(contents(&set), sorted(&model));
        prop_assert_eq!(contents(&other), sorted(&other_model));
    }

    #[test]
    fn a_scan_misses_nothing_that_stays(
        changes in prop::collection::vec((any::<bool>(), 0..200usize), 1..60),
        count in 1..20usize,
    ) {
        let stays = 60;
        let mut set = numbered(stays);
        let (mut seen, mut cursor) = (BTreeSet::new(), 0);
        for (grows, size) in changes.into_iter().cycle().take(10_000) {
            let (next, found) = set.scan(cursor, count);
            seen.extend(found.into_iter().map(|(member, _)| member.to_vec()));
            cursor = next;
            if cursor == 0 {
                break;
            }
            for i in 0..size {
                let member = format!("x{i}");
                match grows {
                    true => drop(set.insert(member.as_bytes(), score(1.0))),
                    false => drop(set.remove(member.as_bytes())),
                }
            }
            set.check();
        }
        prop_assert_eq!(cursor, 0);
        for i in 0..stays {
            let member = format!("m{i:06}");
            prop_assert!(seen.contains(member.as_bytes()));
        }
    }
}

#[test]
fn ties_are_in_the_order_of_the_bytes() {
    let mut set = SortedSet::default();
    for member in ["b", "a", "", "ab", "B"] {
        set.insert(member.as_bytes(), score(1.0));
    }
    set.insert(b"z", score(0.5));
    assert_eq!(members(&set), ["z", "", "B", "a", "ab", "b"]);
}

#[test]
fn negative_zero_is_zero() {
    let mut set = SortedSet::default();
    set.insert(b"b", score(0.0));
    set.insert(b"a", score(-0.0));
    assert_eq!(members(&set), ["a", "b"]);
    assert_eq!(set.insert(b"a", score(0.0)), Some(score(0.0)));
    assert_eq!(set.score_range(Included(score(0.0)), Included(score(-0.0))), 0..2);
    set.check();
}

#[test]
fn infinities_are_scores_and_nan_is_not() {
    assert_eq!(Score::new(f64::NAN), None);
    assert_eq!(Score::MAX.checked_add(Score::MIN), None);
    let mut set = numbered(3);
    set.insert(b"low", Score::MIN);
    set.insert(b"high", Score::MAX);
    assert_eq!(set.rank(b"low"), Some((0, Score::MIN)));
    assert_eq!(set.rank(b"high"), Some((4, Score::MAX)));
    assert_eq!(set.score_range(Excluded(Score::MIN), Excluded(Score::MAX)), 1..4);
    assert_eq!(set.score_range(Included(Score::MIN), Included(Score::MAX)), 0..5);
}

#[test]
fn an_empty_set_answers_everything() {
    let mut set = SortedSet::default();
    assert!(set.is_empty() && set.bytes() == 0);
    assert_eq!((set.score(b"a"), set.rank(b"a"), set.remove(b"a")), (None, None, None));
    assert!(set.pop_first().is_none() && set.pop_last().is_none());
    assert_eq!(set.entries(0..usize::MAX).len(), 0);
    assert!(set.remove_range(0..usize::MAX).is_empty());
    assert_eq!(set.score_range(Unbounded, Unbounded), 0..0);
    assert_eq!(set.scan(7, 10).0, 0);
    set.check();
}

#[test]
fn ranges_that_make_no_sense_are_empty() {
    let mut set = numbered(100);
    assert_eq!(set.entries(usize::MAX..usize::MAX).len(), 0);
    #[expect(clippy::reversed_empty_ranges)]
    let reversed = set.entries(50..10);
    assert_eq!(reversed.len(), 0);
    assert!(set.score_range(Included(score(60.0)), Included(score(20.0))).is_empty());
    assert!(set.member_range(Included(b"z"), Included(b"a")).is_empty());
    assert_eq!(set.remove_range(90..usize::MAX).len(), 10);
    set.check();
}

#[test]
fn removal_to_empty_and_growth_again() {
    let mut set = numbered(1000);
    for i in (0..1000).rev() {
        assert_eq!(set.remove(format!("m{i:06}").as_bytes()), Some(score(f64::from(i))));
        set.check();
    }
    assert!(set.is_empty() && set.index.is_none());
    set.insert(b"again", score(1.0));
    set.check();
}

#[test]
fn pops_from_both_ends_meet() {
    let mut set = numbered(501);
    for i in 0..250 {
        assert_eq!(set.pop_first().unwrap().1, score(f64::from(i)));
        assert_eq!(set.pop_last().unwrap().1, score(f64::from(500 - i)));
        set.check();
    }
    assert_eq!(members(&set), ["m000250"]);
}

#[test]
fn every_range_of_ranks_can_be_removed() {
    for len in [7, 9, 40, 300] {
        for start in (0..len).step_by(13) {
            for end in (start..=len).step_by(17) {
                let mut set = numbered(len);
                let removed = set.remove_range(start..end);
                assert_eq!(removed.len(), end - start);
                assert!(removed.first().is_none_or(|(_, first)| *first == score(start as f64)));
                assert_eq!(set.len(), len - removed.len());
                set.check();
            }
        }
    }
}

#[test]
fn members_of_equal_score_are_found_by_their_bytes() {
    let mut set = SortedSet::default();
    for i in 0..500 {
        set.insert(format!("m{i:03}").as_bytes(), score(0.0));
    }
    assert_eq!(set.member_range(Included(b"m100"), Excluded(b"m200")), 100..200);
    assert_eq!(set.member_range(Excluded(b"m100"), Included(b"m200")), 101..201);
    assert_eq!(set.member_range(Unbounded, Included(b"m1")), 0..100);
    assert_eq!(set.member_range(Included(b"m49"), Unbounded), 490..500);
}

#[test]
fn an_entry_that_keeps_its_place_changes_only_its_score() {
    let mut set = numbered(200);
    for i in 0..200 {
        let member = format!("m{i:06}");
        assert_eq!(
            set.insert(member.as_bytes(), score(f64::from(i) + 0.5)),
            Some(score(f64::from(i)))
        );
        assert_eq!(set.rank(member.as_bytes()), Some((i as usize, score(f64::from(i) + 0.5))));
        set.check();
    }
}

#[test]
fn bulk_entries_may_be_in_any_order_but_not_repeated() {
    for len in 0..200 {
        let entries = (0..len).map(|i| (Value::from(format!("m{:06}", (i * 7) % 200)), score(1.0)));
        let mut entries: Vec<_> = entries.collect();
        let set = SortedSet::from_entries(entries.clone()).unwrap();
        set.check();
        assert_eq!(set.len(), len);
        if len > 0 {
            entries.push((entries[0].0.clone(), score(2.0)));
            assert!(SortedSet::from_entries(entries).is_none());
        }
    }
}

#[test]
fn a_member_is_stored_once() {
    let mut set = numbered(100);
    let member = Value::from("shared");
    set.insert_value(&member, score(50.5));
    let (found, _) = set.entries(51..52).next().unwrap();
    assert_eq!(found.as_ptr(), member.as_ptr());
}

#[test]
fn a_small_set_scans_at_once_and_any_cursor_is_safe() {
    let set = numbered(FLAT_MAX);
    assert_eq!(set.scan(0, 1).1.len(), FLAT_MAX);
    let set = numbered(1000);
    for cursor in [1, u64::MAX, 1 << 63, 0x5555_5555_5555_5555] {
        set.scan(cursor, usize::MAX);
    }
    assert_eq!(set.scan(0, usize::MAX), (0, set.scan(0, usize::MAX).1));
    assert_eq!(set.scan(0, usize::MAX).1.len(), 1000);
}
