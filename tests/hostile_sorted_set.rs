//! Bad inputs to sorted sets: a typed error or a defined answer, and nothing lost.

use larder::{Error, Store};

fn board() -> Store {
    let store = Store::new();
    store.sorted_set("board").add_many(&[("a", 1.0), ("b", 2.0), ("c", 3.0)]).unwrap();
    store
}

fn unchanged(store: &Store) {
    let all = store.sorted_set("board").range(..).get().unwrap();
    assert_eq!(all, [("a".into(), 1.0), ("b".into(), 2.0), ("c".into(), 3.0)]);
}

#[test]
fn a_score_is_never_nan() {
    let store = board();
    let board = store.sorted_set("board");
    assert_eq!(board.add("a", f64::NAN), Err(Error::ScoreNotANumber));
    assert_eq!(board.add_many(&[("a", 9.0), ("d", f64::NAN)]), Err(Error::ScoreNotANumber));
    assert_eq!(board.increment("a", f64::NAN), Err(Error::ScoreNotANumber));
    assert_eq!(board.count(f64::NAN..), Err(Error::ScoreNotANumber));
    assert_eq!(board.range_by_score(..f64::NAN).get(), Err(Error::ScoreNotANumber));
    unchanged(&store);
}

#[test]
fn opposite_infinities_do_not_add_up() {
    let store = Store::new();
    let board = store.sorted_set("board");
    board.add("a", f64::INFINITY).unwrap();
    assert_eq!(board.increment("a", f64::NEG_INFINITY), Err(Error::ScoreNotANumber));
    assert_eq!(board.score("a").unwrap(), Some(f64::INFINITY));
    let absent = store.sorted_set("absent").increment("a", f64::NAN);
    assert_eq!(absent, Err(Error::ScoreNotANumber));
    assert_eq!(store.sorted_set("absent").len().unwrap(), 0);
}

#[test]
fn negative_zero_is_zero() {
    let store = Store::new();
    let board = store.sorted_set("board");
    board.add_many(&[("b", 0.0), ("a", -0.0)]).unwrap();
    assert_eq!(board.range(..).members().unwrap(), ["a", "b"]);
    assert_eq!(board.count(0.0..=0.0).unwrap(), 2);
    assert!(board.score("a").unwrap().unwrap().is_sign_positive());
}

#[test]
fn a_huge_sample_is_bounded() {
    let store = board();
    let board = store.sorted_set("board");
    assert_eq!(board.random_members(usize::MAX).unwrap().len(), 3);
    let repeated = board.random_members_repeating(usize::MAX).unwrap();
    assert_eq!(repeated.len(), 1 << 20);
    let absent = store.sorted_set("absent");
    assert_eq!(absent.random_members_repeating(usize::MAX).unwrap(), []);
    assert_eq!(absent.random_member().unwrap(), None);
}

#[test]
fn ranges_saturate() {
    let store = board();
    let board = store.sorted_set("board");
    assert_eq!(board.range(i64::MIN..=i64::MAX).members().unwrap(), ["a", "b", "c"]);
    assert_eq!(board.range(i64::MAX..).members().unwrap(), [""; 0]);
    assert_eq!(board.range(..i64::MIN).members().unwrap(), [""; 0]);
    assert_eq!(board.range(..=i64::MIN).members().unwrap(), [""; 0]);
    assert_eq!(board.range(0..0).members().unwrap(), [""; 0]);
    assert_eq!(board.top(usize::MAX).unwrap().len(), 3);
    assert_eq!(board.top(0).unwrap(), []);
    let scored = board.range_by_score(..);
    assert_eq!(scored.offset(usize::MAX).limit(usize::MAX).get().unwrap(), []);
    let scored = board.range_by_score(..).offset(1).limit(usize::MAX);
    assert_eq!(scored.members().unwrap(), ["b", "c"]);
    assert_eq!(board.pop_min_many(usize::MAX).unwrap().len(), 3);
}

#[test]
fn combinations_need_keys_and_a_weight_for_each() {
    let store = board();
    let sets = store.sorted_sets();
    let none: [&str; 0] = [];
    assert_eq!(sets.union(&none).get(), Err(Error::NoKeys));
    assert_eq!(sets.difference(&none).store_into("board"), Err(Error::NoKeys));
    assert_eq!(sets.count_intersection(&none, None), Err(Error::NoKeys));
    assert_eq!(sets.pop_min(&none, 1), Err(Error::NoKeys));
    assert!(matches!(sets.pop_min(&["board"], 0), Err(Error::OutOfRange(_))));
    let weighted = sets.union(&["board"]).weights(&[1.0, 2.0]).store_into("board");
    assert!(matches!(weighted, Err(Error::OutOfRange(_))));
    let weighted = sets.union(&["board"]).weights(&[f64::NAN]).store_into("board");
    assert_eq!(weighted, Err(Error::NotAFloat));
    unchanged(&store);
}

#[test]
fn a_weight_of_infinity_makes_no_nan() {
    let store = Store::new();
    store.sorted_set("zero").add("a", 0.0).unwrap();
    store.sorted_set("minus").add("a", f64::NEG_INFINITY).unwrap();
    let keys = ["zero", "minus"];
    let sets = store.sorted_sets();
    let union = sets.union(&keys).weights(&[f64::INFINITY, 1.0]).get().unwrap();
    assert_eq!(union, [("a".into(), f64::NEG_INFINITY)]);
    let sum = sets.intersection(&["minus", "minus"]).weights(&[1.0, -1.0]).get().unwrap();
    assert_eq!(sum, [("a".into(), 0.0)]);
}

#[test]
fn another_type_anywhere_changes_nothing() {
    let store = board();
    store.kv().set("text", "x").unwrap();
    let sets = store.sorted_sets();
    let union = sets.union(&["board", "text"]).store_into("board");
    assert_eq!(union, Err(Error::WrongType));
    let difference = sets.difference(&["none", "text"]).store_into("board");
    assert_eq!(difference, Err(Error::WrongType));
    assert_eq!(store.sorted_set("text").add("a", 1.0), Err(Error::WrongType));
    assert_eq!(store.sorted_set("text").range(..).store_into("board"), Err(Error::WrongType));
    assert_eq!(sets.pop_min(&["text", "board"], 1), Err(Error::WrongType));
    let blocking = sets.pop_min_blocking(&["text", "board"], None);
    assert_eq!(blocking, Err(Error::WrongType));
    unchanged(&store);
    assert_eq!(store.kv().get("text").unwrap().unwrap(), "x");
}

#[test]
fn empty_and_odd_members_round_trip() {
    let store = Store::new();
    let odd = store.sorted_set("");
    let long = vec![0xff; 1 << 20];
    odd.add("", 1.0).unwrap();
    odd.add([0xff_u8; 3], 2.0).unwrap();
    odd.add(&long, 3.0).unwrap();
    let members = odd.range(..).members().unwrap();
    assert_eq!((members[0].len(), members[1].len(), members[2].len()), (0, 3, 1 << 20));
    assert_eq!(odd.iter().count(), 3);
}
