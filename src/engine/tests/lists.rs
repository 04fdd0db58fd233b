//! Blocked calls on lists: where elements go, one step at a time.

use super::{await_of, blocked, poll, store_with_clock};
use crate::ListEnd::{self, Back, Front};
use crate::engine::Blocked;
use crate::ops::Timeout;
use crate::ops::list::{
    AwaitElementsFrom, BlockingMove, BlockingPopBack, BlockingPopFront, BlockingPopMany,
    PopElementsFrom, Route,
};
use crate::{Error, Store};

type Pop = Blocked<BlockingPopFront<'static>>;
type Move = Blocked<BlockingMove<'static>>;

fn pop(store: &Store, keys: &[&str]) -> Pop {
    blocked::<BlockingPopFront<'static>>(store, &BlockingPopFront { of: await_of(keys) })
}

fn transfer(store: &Store, source: &str, destination: &str, from: ListEnd, to: ListEnd) -> Move {
    let (source, destination) = (source.as_bytes(), destination.as_bytes());
    let route = Route { source, destination, from, to };
    blocked::<BlockingMove<'static>>(store, &BlockingMove { route, timeout: Timeout(None) })
}

/// What a pop has got, as `key:element`; "-" while it is blocked.
fn got(pop: &Pop) -> String {
    poll(pop).map_or("-".into(), |outcome| {
        let (key, element) = outcome.unwrap().expect("it has not timed out");
        format!("{}:{}", key.to_text(), element.to_text())
    })
}

/// What a move has moved; "-" while it is blocked.
fn moved(call: &Move) -> String {
    poll(call).map_or("-".into(), |outcome| outcome.unwrap().unwrap().to_text().into_owned())
}

fn push(store: &Store, key: &str, elements: &[&str]) {
    store.list(key).push_back_many(elements).unwrap();
}

#[track_caller]
fn holds(store: &Store, key: &str, elements: &[&str]) {
    assert_eq!(store.list(key).range(..).unwrap(), elements);
}

#[test]
fn first_come_first_served() {
    let store = Store::new();
    let calls: Vec<Pop> = (0..3).map(|_| pop(&store, &["q"])).collect();
    push(&store, "q", &["a", "b"]);
    let answers: Vec<_> = calls.iter().map(got).collect();
    assert_eq!(answers, ["q:a", "q:b", "-"]);
    holds(&store, "q", &[]);
}

#[test]
fn a_move_serves_those_who_wait_for_its_destination() {
    let store = Store::new();
    let last = pop(&store, &["c"]);
    let second = transfer(&store, "b", "c", Front, Back);
    let first = transfer(&store, "a", "b", Front, Back);
    push(&store, "a", &["x", "y"]);
    assert_eq!((moved(&first), moved(&second), got(&last)), ("x".into(), "x".into(), "c:x".into()));
    holds(&store, "a", &["y"]);
    drop((first, second, last));
    assert!(store.databases().is_nobody_interested());
}

#[test]
fn moves_in_a_circle_come_to_rest() {
    let store = Store::new();
    let there = transfer(&store, "a", "b", Front, Back);
    let back = transfer(&store, "b", "a", Front, Back);
    push(&store, "a", &["x"]);
    assert_eq!((moved(&there), moved(&back)), ("x".into(), "x".into()));
    holds(&store, "a", &["x"]);
    let around = transfer(&store, "c", "c", Front, Back);
    push(&store, "c", &["x", "y"]);
    assert_eq!(moved(&around), "x");
    holds(&store, "c", &["y", "x"]);
}

#[test]
fn a_move_waits_for_its_source_alone() {
    let store = Store::new();
    let call = transfer(&store, "a", "b", Front, Back);
    push(&store, "b", &["x"]);
    assert_eq!(moved(&call), "-");
    assert_eq!(poll(&pop_now(&store, "b")), None);
    drop(call);
    assert!(store.databases().is_nobody_interested());
}

/// A pop that waits although another key of its own has something of another type.
fn pop_now(store: &Store, key: &str) -> Pop {
    store.list(key).pop_front().unwrap();
    let call = pop(store, &["text", key]);
    store.kv().set("text", "x").unwrap();
    call
}

#[test]
fn a_key_of_another_type_hides_no_other() {
    let store = Store::new();
    push(&store, "q", &["x"]);
    let call = pop_now(&store, "q");
    push(&store, "q", &["y"]);
    assert_eq!(got(&call), "q:y");
}

#[test]
fn a_destination_of_another_type_ends_the_move_and_the_element_stays() {
    let store = Store::new();
    store.kv().set("text", "x").unwrap();
    let refused = transfer(&store, "q", "text", Front, Back);
    let next = pop(&store, &["q"]);
    push(&store, "q", &["x"]);
    assert_eq!(poll(&refused), Some(Err(Error::WrongType)));
    assert_eq!(got(&next), "q:x");
}

#[test]
fn a_source_of_another_type_may_become_a_list() {
    let store = Store::new();
    let call = transfer(&store, "q", "r", Front, Back);
    store.kv().set("q", "text").unwrap();
    assert_eq!(moved(&call), "-");
    store.keys().delete("q").unwrap();
    push(&store, "other", &["x"]);
    store.keys().rename("other", "q").unwrap();
    assert_eq!(moved(&call), "x");
    holds(&store, "r", &["x"]);
}

#[test]
fn hostile_20_what_a_dropped_caller_was_given_goes_back_where_it_was() {
    let store = Store::new();
    let front = pop(&store, &["q"]);
    push(&store, "q", &["a", "b", "c"]);
    drop(front);
    holds(&store, "q", &["a", "b", "c"]);
    store.keys().delete("q").unwrap();
    let back =
        blocked::<BlockingPopBack<'static>>(&store, &BlockingPopBack { of: await_of(&["p", "q"]) });
    push(&store, "q", &["a", "b", "c"]);
    drop(back);
    holds(&store, "q", &["a", "b", "c"]);
}

#[test]
fn hostile_20_several_elements_go_back_in_their_order() {
    for end in [Front, Back] {
        let store = Store::new();
        let from = PopElementsFrom { keys: vec![&b"q"[..]].into(), end, count: 3 };
        let of = AwaitElementsFrom { timeout: Timeout(None), from };
        let call = blocked::<BlockingPopMany<'static>>(&store, &BlockingPopMany { of });
        push(&store, "q", &["a", "b", "c", "d"]);
        assert_eq!(store.list("q").len(), Ok(1));
        drop(call);
        holds(&store, "q", &["a", "b", "c", "d"]);
    }
}

#[test]
fn hostile_20_what_a_dropped_caller_was_given_goes_to_the_next_in_line() {
    let store = Store::new();
    let [first, second] = [(); 2].map(|()| pop(&store, &["q"]));
    push(&store, "q", &["a"]);
    drop(first);
    assert_eq!(got(&second), "q:a");
}

#[test]
fn hostile_20_a_move_that_nobody_saw_is_undone_if_it_can_be() {
    let ends = [(Front, Front), (Front, Back), (Back, Front), (Back, Back)];
    for (from, to) in ends {
        let store = Store::new();
        push(&store, "r", &["r"]);
        let call = transfer(&store, "q", "r", from, to);
        push(&store, "q", &["a", "b", "c"]);
        assert_eq!(store.list("r").len(), Ok(2));
        drop(call);
        holds(&store, "q", &["a", "b", "c"]);
        holds(&store, "r", &["r"]);

        let around = transfer(&store, "s", "s", from, to);
        push(&store, "s", &["a", "b", "c"]);
        drop(around);
        holds(&store, "s", &["a", "b", "c"]);
    }
    let store = Store::new();
    let call = transfer(&store, "q", "r", Front, Back);
    push(&store, "q", &["a", "b"]);
    push(&store, "r", &["later"]);
    drop(call);
    holds(&store, "q", &["b"]);
    holds(&store, "r", &["a", "later"]);
}

#[test]
fn a_timeout_ends_a_move_with_nothing() {
    let (store, clock) = store_with_clock();
    let mut call = transfer(&store, "q", "r", Front, Back);
    call.end_after(Some(std::time::Duration::from_secs(1)));
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(poll(&call), Some(Ok(None)));
    push(&store, "q", &["a"]);
    holds(&store, "q", &["a"]);
}
