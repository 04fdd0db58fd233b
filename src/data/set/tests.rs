//! Sets against a `BTreeSet`, and their edges one by one.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::integers::MAX_INTEGERS;
use super::packed::{MAX_MEMBER, MAX_MEMBERS};
use super::*;

type Model = BTreeSet<Vec<u8>>;

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>),
    InsertShared(Vec<u8>),
    Remove(Vec<u8>),
    Pop,
    Clone,
}

/// Texts that are integers of every width, or are not although they look like it.
fn number() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (-300..300_i64).prop_map(|n| n.to_string().into_bytes()),
        1 => any::<i32>().prop_map(|n| n.to_string().into_bytes()),
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, 0, 32_767, 32_768, -32_769])
            .prop_map(|n| n.to_string().into_bytes()),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => (0..=255_u8).prop_map(|i| vec![b'm', i]),
        1 => prop::collection::vec(any::<u8>(), 0..=MAX_MEMBER),
        1 => prop::sample::select(vec!["", "01", "+1", "-0", " 1", "9223372036854775808"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

/// Operations on integers alone, on short members, or on anything.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let long = prop::collection::vec(any::<u8>(), 60..300);
    prop_oneof![
        prop::collection::vec(op(number()), 0..900),
        prop::collection::vec(op(text()), 0..500),
        prop::collection::vec(op(prop_oneof![20 => number(), 10 => text(), 1 => long]), 0..500),
    ]
}

fn op(member: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Op> {
    (member, 0..20).prop_map(|(member, dice)| match dice {
        0..=9 => Op::Insert(member),
        10..=13 => Op::InsertShared(member),
        14..=17 => Op::Remove(member),
        18 => Op::Pop,
        _ => Op::Clone,
    })
}

/// Applies an operation to both and compares the answers.
fn apply(set: &mut Set, model: &mut Model, op: Op) {
    match op {
        Op::Insert(member) => assert_eq!(set.insert(&member), model.insert(member)),
        Op::InsertShared(member) => {
            let value = Value::from(&member[..]);
            assert_eq!(set.insert_member(Member::Shared(&value)), model.insert(member));
        }
        Op::Remove(member) => assert_eq!(set.remove(&member), model.remove(&member)),
        Op::Pop => {
            let member = set.random(&mut Random::new()).map(|member| member.to_vec());
            assert_eq!(member.is_none(), model.is_empty());
            if let Some(member) = member {
                assert!(set.remove(&member) && model.remove(&member));
            }
        }
        Op::Clone => *set = set.clone(),
    }
}

fn contents(set: &Set) -> Model {
    set.iter().map(|member| member.to_vec()).collect()
}

/// Asks every kind of question.
fn compare(set: &Set, model: &Model) {
    assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
    assert_eq!(&contents(set), model);
    assert!(model.iter().all(|member| set.contains(member)));
    assert!(!set.contains(b"a member that nobody adds"));
    let mut scanned = Model::new();
    assert_eq!(set.scan(0, usize::MAX, |member| assert!(scanned.insert(member.to_vec()))), 0);
    assert_eq!(&scanned, model);
    let mut random = Random::new();
    for count in [0, 1, model.len() / 4, model.len() / 2, model.len() + 1] {
        let sample = set.sample(count, &mut random);
        let distinct: Model = sample.iter().map(|member| member.to_vec()).collect();
        assert_eq!((sample.len(), distinct.len()), (count.min(model.len()), sample.len()));
        assert!(distinct.is_subset(model));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn behaves_as_the_model(ops in ops()) {
        let (mut set, mut model) = (Set::default(), Model::new());
        for (i, op) in ops.into_iter().enumerate() {
            apply(&mut set, &mut model, op);
            set.check();
            if i % 16 == 0 {
                compare(&set, &model);
            }
        }
        compare(&set, &model);
    }

    #[test]
    fn a_clone_does_not_see_later_changes(before in ops(), after in ops()) {
        let (mut set, mut model) = (Set::default(), Model::new());
        before.into_iter().for_each(|op| apply(&mut set, &mut model, op));
        let (mut other, mut other_model) = (set.clone(), model.clone());
        for (i, op) in after.into_iter().enumerate() {
            match i % 2 {
                0 => apply(&mut set, &mut model, op),
                _ => apply(&mut other, &mut other_model, op),
            }
        }
        set.check();
        other.check();
        prop_assert_eq!(contents(&set), model);
        prop_assert_eq!(contents(&other), other_model);
    }

    #[test]
    fn a_scan_misses_nothing_that_stays(
        changes in prop::collection::vec((any::<bool>(), 0..400usize), 1..60),
        start in prop::sample::select(vec![40, 120, 300]),
        count in 1..20usize,
    ) {
        let mut set = numbered(start);
        let (mut seen, mut cursor) = (Model::new(), 0);
        for (grows, size) in changes.into_iter().cycle().take(10_000) {
            cursor = set.scan(cursor, count, |member| {
                seen.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
            for i in 0..size {
                let member = format!("x{i}");
                match grows {
                    true => set.insert(member.as_bytes()),
                    false => set.remove(member.as_bytes()),
                };
            }
            set.check();
        }
        prop_assert_eq!(cursor, 0);
        for i in 0..start {
            let member = format!("m{i}");
            prop_assert!(seen.contains(member.as_bytes()));
        }
    }
}

fn numbered(len: usize) -> Set {
    let mut set = Set::default();
    for i in 0..len {
        assert!(set.insert(format!("m{i}").as_bytes()));
    }
    set
}

fn integers(len: usize) -> Set {
    let mut set = Set::default();
    for i in 0..len {
        assert!(set.insert(i.to_string().as_bytes()));
    }
    set
}

#[test]
fn a_set_changes_its_form_at_the_bounds_and_never_back() {
    let mut set = integers(MAX_INTEGERS);
    assert!(set.is_of_integers() && !set.insert(b"7"));
    assert!(set.insert(b"512") && matches!(set.0, Form::Indexed(_)));
    set.check();

    let mut set = integers(MAX_MEMBERS - 1);
    assert!(set.insert(b"text") && matches!(set.0, Form::Packed(_)));
    assert!(!set.insert(b"text") && set.remove(b"text") && !set.is_of_integers());
    assert!(set.insert(&[b'x'; MAX_MEMBER]) && !set.insert(b"0"));
    assert!(matches!(set.0, Form::Packed(_)));
    assert!(set.insert(b"one more") && matches!(set.0, Form::Indexed(_)));
    set.check();

    for (mut set, member) in [
        (integers(MAX_MEMBERS), &b"text"[..]),
        (integers(2), &[b'x'; MAX_MEMBER + 1]),
        (numbered(2), &[b'x'; MAX_MEMBER + 1]),
    ] {
        assert!(set.insert(member) && matches!(set.0, Form::Indexed(_)));
        set.check();
    }
}

#[test]
fn integers_of_any_width_are_in_order() {
    let numbers = [i64::MIN, -70_000, -1, 0, 1, 40_000, i64::MAX];
    let mut set = Set::default();
    for at in [3, 4, 2, 5, 1, 0, 6] {
        assert!(set.insert(numbers[at].to_string().as_bytes()));
        set.check();
    }
    let members: Vec<String> = set.iter().map(|m| String::from_utf8(m.to_vec()).unwrap()).collect();
    assert_eq!(members, numbers.map(|number| number.to_string()));
    assert!(!set.contains(b"01") && !set.contains(b"+1") && !set.remove(b"-0"));
}

#[test]
fn a_member_of_a_large_set_is_shared() {
    let mut set = numbered(1000);
    let member = Value::from("a member that is shared");
    assert!(set.insert_member(Member::Shared(&member)));
    let found = set.iter().find(|other| **other == *member).unwrap();
    assert_eq!(found.to_value().as_ptr(), member.as_ptr());
}

#[test]
fn every_member_is_drawn_about_as_often() {
    for set in [integers(60), numbered(60), numbered(600)] {
        let draws = 200 * set.len();
        let mut counts = std::collections::BTreeMap::<Vec<u8>, usize>::new();
        let mut random = Random::new();
        for member in set.sample_repeating(draws, &mut random) {
            *counts.entry(member.to_vec()).or_default() += 1;
        }
        assert_eq!(counts.len(), set.len());
        // Seven standard deviations.
        assert!(counts.values().all(|count| (100..300).contains(count)), "{counts:?}");
    }
}

#[test]
fn every_member_is_sampled_about_as_often() {
    for (set, count) in [(integers(50), 5), (numbered(50), 45), (numbered(300), 30)] {
        let rounds = 200 * set.len() / count;
        let mut counts = std::collections::BTreeMap::<Vec<u8>, usize>::new();
        for _ in 0..rounds {
            for member in set.sample(count, &mut Random::new()) {
                *counts.entry(member.to_vec()).or_default() += 1;
            }
        }
        assert_eq!(counts.len(), set.len());
        assert!(counts.values().all(|count| (100..300).contains(count)), "{counts:?}");
    }
}

#[test]
fn an_empty_set_answers_everything() {
    let mut set = Set::default();
    assert!(set.is_empty() && set.bytes() == 0);
    assert!(!set.contains(b"") && !set.remove(b"") && set.random(&mut Random::new()).is_none());
    assert!(set.sample(3, &mut Random::new()).is_empty());
    assert!(set.sample_repeating(3, &mut Random::new()).is_empty());
    assert_eq!(set.scan(7, 10, |_| unreachable!("no member")), 0);
    assert!(set.insert(b"") && set.contains(b""));
    set.check();
}
