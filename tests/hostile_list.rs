//! Bad inputs to lists: a typed error or a defined answer, and nothing lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use larder::ListEnd::{Back, Front};
use larder::{Error, PositionOptions, Store};

fn list() -> Store {
    let store = Store::new();
    store.list("list").push_back_many(&["a", "b", "a"]).unwrap();
    store
}

#[track_caller]
fn unchanged(store: &Store) {
    assert_eq!(store.list("list").range(..).unwrap(), ["a", "b", "a"]);
}

#[test]
fn hostile_16_ranges_saturate() {
    let store = list();
    let list = store.list("list");
    assert_eq!(list.range(i64::MIN..=i64::MAX).unwrap(), ["a", "b", "a"]);
    assert_eq!(list.range(i64::MIN..i64::MAX).unwrap(), ["a", "b", "a"]);
    assert_eq!(list.range(i64::MAX..).unwrap(), [""; 0]);
    assert_eq!(list.range(..i64::MIN).unwrap(), [""; 0]);
    assert_eq!(list.range(..=i64::MIN).unwrap(), [""; 0]);
    let (second, first) = (2, 1);
    assert_eq!(list.range(second..first).unwrap(), [""; 0]);
    list.trim(i64::MIN..=i64::MAX).unwrap();
    unchanged(&store);
    list.trim(i64::MAX..).unwrap();
    assert_eq!(store.keys().exists("list"), Ok(false));
}

#[test]
fn hostile_20_callers_that_give_up_lose_no_element() {
    const ELEMENTS: usize = 1_000;
    let store = Store::new();
    let done = AtomicBool::new(false);
    let taken: usize = thread::scope(|scope| {
        let take = |end| {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let mut taken = 0;
                for round in 0.. {
                    let finishing = done.load(Ordering::Acquire);
                    let timeout = Duration::from_micros(round % 150);
                    let found = match end {
                        Front => store.list("q").pop_front_blocking(timeout).unwrap(),
                        Back => store
                            .lists()
                            .pop_back_blocking(&["p", "q"], timeout)
                            .unwrap()
                            .map(|(_, e)| e),
                    };
                    taken += usize::from(found.is_some());
                    if found.is_none() && finishing {
                        break;
                    }
                }
                taken
            })
        };
        let takers = [take(Front), take(Back), take(Front)];
        for n in 0..ELEMENTS {
            store.list("q").push_back(n).unwrap();
            if n % 5 == 0 {
                thread::sleep(Duration::from_micros(100));
            }
        }
        done.store(true, Ordering::Release);
        takers.into_iter().map(|taker| taker.join().unwrap()).sum()
    });
    assert_eq!(taken + store.list("q").len().unwrap(), ELEMENTS);
}

#[test]
fn indexes_that_there_are_not_are_none_or_an_error() {
    let store = list();
    let list = store.list("list");
    for index in [3, -4, i64::MAX, i64::MIN] {
        assert_eq!(list.get(index), Ok(None));
        assert!(matches!(list.set(index, "z"), Err(Error::OutOfRange(_))));
    }
    assert_eq!(store.list("none").set(0, "z"), Err(Error::NoSuchKey));
    unchanged(&store);
}

#[test]
fn huge_counts_are_clamped() {
    let store = list();
    let list = store.list("list");
    let options = PositionOptions::new().count(usize::MAX).max_len(usize::MAX);
    assert_eq!(list.positions_with("a", options).unwrap(), [0, 2]);
    assert_eq!(list.positions_with("a", options.rank(i64::MAX)).unwrap(), [0; 0]);
    assert_eq!(list.positions_with("a", options.rank(-i64::MAX)).unwrap(), [0; 0]);
    assert_eq!(list.positions_with("a", options.count(0)).unwrap(), [0; 0]);
    assert_eq!(list.positions_with("a", options.max_len(0)).unwrap(), [0; 0]);
    assert_eq!(list.remove_nearest("a", 0, Front), Ok(0));
    assert_eq!(list.pop_front_many(0).unwrap(), [""; 0]);
    unchanged(&store);
    assert_eq!(list.remove_nearest("a", usize::MAX, Back), Ok(2));
    assert_eq!(list.pop_front_many(usize::MAX).unwrap(), ["b"]);
    list.push_back("c").unwrap();
    let popped = store.lists().pop_back(&["list"], usize::MAX).unwrap().unwrap();
    assert_eq!(popped.1, ["c"]);
}

#[test]
fn a_rank_is_neither_zero_nor_without_opposite() {
    let store = list();
    for rank in [0, i64::MIN] {
        let found = store.list("list").positions_with("a", PositionOptions::new().rank(rank));
        assert!(matches!(found, Err(Error::OutOfRange(_))));
    }
}

#[test]
fn another_type_anywhere_changes_nothing() {
    let store = list();
    store.kv().set("text", "x").unwrap();
    let (list, text, lists) = (store.list("list"), store.list("text"), store.lists());
    assert_eq!(text.push_front("a"), Err(Error::WrongType));
    assert_eq!(text.push_back_if_present(&["a"]), Err(Error::WrongType));
    assert_eq!(text.pop_front_many(0), Err(Error::WrongType));
    assert_eq!(text.insert_before("a", "b"), Err(Error::WrongType));
    assert_eq!(text.remove("a"), Err(Error::WrongType));
    assert_eq!(text.trim(..), Err(Error::WrongType));
    assert_eq!(text.position("a"), Err(Error::WrongType));
    assert_eq!(list.move_to("text", Front, Back), Err(Error::WrongType));
    assert_eq!(text.move_to("list", Front, Back), Err(Error::WrongType));
    let timeout = Duration::from_millis(1);
    assert_eq!(list.move_to_blocking("text", Front, Back, timeout), Err(Error::WrongType));
    assert_eq!(text.pop_back_blocking(timeout), Err(Error::WrongType));
    assert_eq!(lists.pop_front(&["text", "list"], 1), Err(Error::WrongType));
    assert_eq!(lists.pop_front_blocking(&["text", "list"], None), Err(Error::WrongType));
    unchanged(&store);
    assert_eq!(store.kv().get("text").unwrap().unwrap(), "x");
    assert_eq!(store.list("none").move_to("text", Front, Back), Ok(None));
}

#[test]
fn pops_of_several_need_keys_and_a_count() {
    let store = list();
    let (lists, none) = (store.lists(), [""; 0]);
    assert_eq!(lists.pop_front(&none, 1), Err(Error::NoKeys));
    assert_eq!(lists.pop_back_blocking(&none, None), Err(Error::NoKeys));
    assert_eq!(lists.pop_back_many_blocking(&none, 1, None), Err(Error::NoKeys));
    assert!(matches!(lists.pop_front(&["list"], 0), Err(Error::OutOfRange(_))));
    unchanged(&store);
}

#[test]
fn nothing_pushed_creates_nothing() {
    let store = Store::new();
    let nothing = [""; 0];
    assert_eq!(store.list("list").push_front_many(&nothing), Ok(0));
    assert_eq!(store.list("list").push_back_many(&nothing), Ok(0));
    assert_eq!(store.list("list").push_back_if_present(&["a"]), Ok(0));
    assert_eq!(store.keys().exists("list"), Ok(false));
}

#[test]
fn empty_odd_and_large_elements_round_trip() {
    let store = Store::new();
    let list = store.list("");
    let large = vec![0xff; 3 << 20];
    list.push_back("").unwrap();
    list.push_back(&large).unwrap();
    list.push_back([0_u8, 0xff, b'\n']).unwrap();
    list.insert_before(&large, vec![7; 100_000]).unwrap();
    list.set(0, vec![8; 100_000]).unwrap();
    let lengths: Vec<_> = list.range(..).unwrap().iter().map(|element| element.len()).collect();
    assert_eq!(lengths, [100_000, 100_000, 3 << 20, 3]);
    assert_eq!(list.position(&large), Ok(Some(2)));
    list.set(2, "").unwrap();
    assert_eq!(list.remove(""), Ok(1));
    assert_eq!(list.len(), Ok(3));
}

#[test]
fn a_million_elements_are_changed_in_the_middle() {
    let store = Store::new();
    let list = store.list("list");
    for chunk in 0..1_000_u32 {
        let elements: Vec<u32> = (0..1_000).map(|n| chunk * 1_000 + n).collect();
        list.push_back_many(&elements).unwrap();
    }
    for n in 0..10_i64 {
        list.insert_after(500_000, n).unwrap();
        list.set(500_001, "set").unwrap();
        assert_eq!(list.remove_nearest("set", 1, Back), Ok(1));
    }
    assert_eq!(list.len(), Ok(1_000_000));
    list.trim(1..).unwrap();
    list.trim(..-1).unwrap();
    assert_eq!(list.get(0).unwrap().unwrap(), "1");
    assert_eq!(list.get(-1).unwrap().unwrap(), "999998");
    list.trim(..10).unwrap();
    assert_eq!(list.len(), Ok(10));
}
