//! Blocked calls one step at a time: no thread takes part, so every order is known.

mod lists;

use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use super::{Blocked, BlockingFamily, Started, start};
use crate::ops::sorted_set::{BlockingPopMax, BlockingPopMin};
use crate::ops::stream::{After, Read, ReadOptions, Streams};
use crate::ops::stream_group::{ReadGroup, ReadGroupOptions, Wanted};
use crate::ops::{Await, Timeout};
use crate::sync::{Arc, AtomicU64, Ordering};
use crate::{Error, GroupStart, ManualClock, Result, SetOptions, Store, Upkeep};

type Pop = Blocked<BlockingPopMin<'static>>;

fn store_with_clock() -> (Store, ManualClock) {
    let clock = ManualClock::new();
    (Store::builder().clock(&clock).build(), clock)
}

fn blocked<F: BlockingFamily>(store: &Store, operation: &F::BlockingOf<'_>) -> Blocked<F> {
    match start::<F>(store.databases(), store.space().database, operation) {
        Started::Blocked(blocked) => blocked,
        Started::Done(_) => panic!("there was something already"),
    }
}

fn await_of<'a>(keys: &'a [&'a str]) -> Await<'a> {
    let keys: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
    Await { keys: keys.into(), timeout: Timeout(None) }
}

fn pop(store: &Store, keys: &[&str]) -> Pop {
    blocked::<BlockingPopMin<'static>>(store, &BlockingPopMin { of: await_of(keys) })
}

fn poll<F: BlockingFamily>(call: &Blocked<F>) -> Option<Result<F::Output>> {
    match call.poll(Waker::noop()) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// What a pop has got, as `key:member`; "-" while it is blocked.
fn got(pop: &Pop) -> String {
    match poll(pop) {
        None => String::from("-"),
        Some(outcome) => {
            let (key, member, _) = outcome.unwrap().expect("it has not timed out");
            format!("{}:{}", key.to::<String>().unwrap(), member.to::<String>().unwrap())
        }
    }
}

fn add(store: &Store, key: &str, member: &str, score: f64) {
    store.sorted_set(key).add(member, score).unwrap();
}

fn len(store: &Store, key: &str) -> usize {
    store.sorted_set(key).len().unwrap()
}

#[test]
fn a_key_of_another_type_hides_no_other() {
    let store = Store::new();
    let call = pop(&store, &["text", "q"]);
    store.kv().set("text", "x").unwrap();
    add(&store, "q", "a", 1.0);
    assert_eq!(got(&call), "q:a");
}

#[test]
fn first_come_first_served() {
    let store = Store::new();
    let calls: Vec<Pop> = (0..5).map(|_| pop(&store, &["q"])).collect();
    for (n, call) in calls.iter().enumerate().take(3) {
        assert_eq!(got(call), "-");
        add(&store, "q", &n.to_string(), 0.0);
        assert_eq!(got(call), format!("q:{n}"));
    }
    store.sorted_set("q").add_many(&[("x", 1.0), ("y", 2.0), ("z", 3.0)]).unwrap();
    assert_eq!((got(&calls[3]), got(&calls[4])), ("q:x".into(), "q:y".into()));
    assert_eq!(len(&store, "q"), 1);
}

#[test]
fn a_long_line_costs_each_its_own_place_alone() {
    const CALLS: usize = 4_000;
    let (store, clock) = store_with_clock();
    let mut calls: Vec<Pop> = (0..CALLS).map(|_| pop(&store, &["q"])).collect();
    for call in &mut calls {
        call.end_after(Some(Duration::from_secs(1)));
    }
    let members: Vec<_> = (0..CALLS / 2).map(|n| (n.to_string(), n as f64)).collect();
    store.sorted_set("q").add_many(&members).unwrap();
    assert_eq!(got(&calls[CALLS / 2 - 1]), format!("q:{}", CALLS / 2 - 1));
    clock.advance(Duration::from_secs(1));
    assert_eq!(poll(&calls[CALLS / 2]), Some(Ok(None)));
    drop(calls);
    assert!(store.databases().is_nobody_interested());
    assert_eq!(len(&store, "q"), CALLS / 2 - 1, "what nobody took came back");
}

#[test]
fn the_writers_next_pop_sees_nothing() {
    let store = Store::new();
    let call = pop(&store, &["q"]);
    add(&store, "q", "a", 1.0);
    assert_eq!(len(&store, "q"), 0);
    assert_eq!(got(&call), "q:a");
}

#[test]
fn hostile_20_what_a_dropped_caller_was_given_goes_to_the_next_in_line() {
    let store = Store::new();
    let [first, second] = [(); 2].map(|()| pop(&store, &["q"]));
    add(&store, "q", "a", 1.5);
    assert_eq!(got(&second), "-");
    drop(first);
    assert_eq!(got(&second), "q:a");
}

#[test]
fn hostile_20_what_a_dropped_caller_was_given_goes_back_if_nobody_waits() {
    let store = Store::new();
    let call = pop(&store, &["q"]);
    add(&store, "q", "a", 1.5);
    drop(call);
    assert_eq!(store.sorted_set("q").score("a"), Ok(Some(1.5)));
}

#[test]
fn hostile_20_giving_back_overwrites_nothing_that_came_since() {
    let store = Store::new();
    let [first, second] = [(); 2].map(|()| pop(&store, &["q", "r"]));
    add(&store, "q", "a", 1.0);
    add(&store, "r", "a", 1.0);
    store.kv().set("q", "a string").unwrap();
    drop(first);
    assert_eq!(store.kv().get("q").unwrap().unwrap(), "a string");
    add(&store, "r", "a", 7.0);
    drop(second);
    assert_eq!(store.sorted_set("r").score("a"), Ok(Some(7.0)));
}

#[test]
fn who_gave_up_is_passed_over() {
    let store = Store::new();
    let [first, second] = [(); 2].map(|()| pop(&store, &["q"]));
    drop(first);
    add(&store, "q", "a", 1.0);
    assert_eq!(got(&second), "q:a");
    drop(second);
    assert!(store.databases().is_nobody_interested());
}

#[test]
fn of_several_keys_the_first_that_is_ready_serves_once() {
    let store = Store::new();
    let call = pop(&store, &["a", "b", "a"]);
    let other = pop(&store, &["b"]);
    add(&store, "b", "x", 1.0);
    add(&store, "a", "y", 1.0);
    assert_eq!((got(&call), got(&other)), ("b:x".into(), "-".into()));
    assert_eq!(len(&store, "a"), 1);
    drop((call, other));
    assert!(store.databases().is_nobody_interested());
}

#[test]
fn a_batch_serves_once_it_has_run() {
    let store = Store::new();
    let [first, second] = [(); 2].map(|()| pop(&store, &["a", "b"]));
    let batch = store.batch();
    batch.sorted_set("b").add("x", 1.0);
    batch.sorted_set("a").add("z", 2.0);
    batch.sorted_set("a").add("y", 1.0);
    let seen = batch.sorted_set("a").len();
    batch.sorted_set("a").remove("z");
    batch.exec().unwrap();
    assert_eq!(seen.get(), Ok(2), "nobody takes anything in between");
    assert_eq!((got(&first), got(&second)), ("a:y".into(), "b:x".into()));
}

#[test]
fn what_a_batch_takes_back_serves_nobody() {
    let store = Store::new();
    let call = pop(&store, &["q"]);
    let batch = store.batch();
    batch.sorted_set("q").add("x", 1.0);
    batch.keys().delete("q");
    batch.exec().unwrap();
    assert_eq!(got(&call), "-");
}

#[test]
fn a_transaction_serves_once_it_has_ended() {
    let store = Store::new();
    let call = pop(&store, &["q"]);
    let served = store.transaction(&["q"], |tx| {
        tx.sorted_set("q").add("x", 1.0)?;
        tx.sorted_set("q").add("y", 2.0)?;
        assert_eq!(got(&call), "-");
        tx.sorted_set("q").len()
    });
    assert_eq!(served, Ok(2));
    assert_eq!(got(&call), "q:x");
}

#[test]
fn a_transaction_has_one_time_from_its_beginning_to_its_end() {
    let store = Store::builder().upkeep(Upkeep::Manual).build();
    store.kv().set_for("k", 1, Duration::from_millis(2000)).unwrap();
    let seen = store.transaction(&["k"], |tx| {
        let first = tx.kv().get("k")?;
        std::thread::sleep(Duration::from_millis(2050));
        Ok((first, tx.kv().get("k")?))
    });
    let (first, second) = seen.unwrap();
    assert!(first.is_some() && second.is_some());
    assert_eq!(store.kv().get("k"), Ok(None));
}

#[test]
fn whatever_brings_a_set_serves() {
    let store = Store::new();
    let fill = || add(&store, "source", "x", 1.0);
    type Bring<'a> = &'a dyn Fn();
    let other = store.database(1).unwrap();
    let ways: [Bring<'_>; 5] = [
        &|| assert_eq!(store.keys().rename("source", "q"), Ok(())),
        &|| assert_eq!(store.keys().copy("source", "q"), Ok(true)),
        &|| assert_eq!(store.sorted_sets().union(&["source"]).store_into("q"), Ok(1)),
        &|| assert_eq!(store.sorted_set("q").increment("x", 1.0), Ok(1.0)),
        &|| {
            add(&other, "q", "x", 1.0);
            assert_eq!(other.keys().move_to("q", 0), Ok(true));
        },
    ];
    for way in ways {
        fill();
        let call = pop(&store, &["q"]);
        way();
        assert_eq!(got(&call), "q:x");
    }
}

#[test]
fn a_key_of_another_type_or_database_serves_nobody() {
    let store = Store::new();
    let call = pop(&store, &["q"]);
    store.kv().set("q", "a string").unwrap();
    add(&store.database(1).unwrap(), "q", "x", 1.0);
    assert_eq!(got(&call), "-");
    store.keys().delete("q").unwrap();
    add(&store, "q", "y", 1.0);
    assert_eq!(got(&call), "q:y");
}

#[test]
fn both_ends_wait_in_one_line() {
    let store = Store::new();
    let max = BlockingPopMax { of: await_of(&["q"]) };
    let max = blocked::<BlockingPopMax<'static>>(&store, &max);
    let min = pop(&store, &["q"]);
    store.sorted_set("q").add_many(&[("a", 1.0), ("b", 2.0), ("c", 3.0)]).unwrap();
    let (_, member, _) = poll(&max).unwrap().unwrap().unwrap();
    assert_eq!((&*member, got(&min)), (&b"c"[..], "q:a".into()));
}

#[test]
fn a_manual_clock_ends_calls_to_the_millisecond() {
    let (store, clock) = store_with_clock();
    let mut calls: Vec<Pop> = (0..3).map(|_| pop(&store, &["q"])).collect();
    for (call, seconds) in calls.iter_mut().zip([20, 10, 30]) {
        call.end_after(Some(Duration::from_secs(seconds)));
    }
    clock.advance(Duration::from_millis(9_999));
    assert!(calls.iter().all(|call| poll(call).is_none()));
    clock.advance(Duration::from_millis(1));
    assert_eq!(poll(&calls[1]), Some(Ok(None)));
    assert_eq!((poll(&calls[0]), poll(&calls[2])), (None, None));
    calls.truncate(2);
    add(&store, "q", "x", 1.0);
    assert_eq!(got(&calls[0]), "q:x");
    clock.advance(Duration::from_secs(60));
    drop(calls);
    assert!(store.databases().is_nobody_interested());
}

#[test]
fn a_timeout_of_nothing_ends_at_once_and_one_beyond_all_time_never() {
    let (store, clock) = store_with_clock();
    let [mut nothing, mut everything] = [(); 2].map(|()| pop(&store, &["q"]));
    nothing.end_after(Some(Duration::ZERO));
    everything.end_after(Some(Duration::MAX));
    assert_eq!(poll(&nothing), Some(Ok(None)));
    clock.advance(Duration::from_secs(1 << 40));
    assert_eq!(poll(&everything), None);
}

#[test]
fn manual_upkeep_ends_calls_when_it_is_done() {
    let store = Store::builder().upkeep(Upkeep::Manual).build();
    let mut call = pop(&store, &["q"]);
    call.end_after(Some(Duration::from_millis(1)));
    std::thread::sleep(Duration::from_millis(3));
    assert_eq!(poll(&call), None);
    store.maintain();
    assert_eq!(poll(&call), Some(Ok(None)));
}

fn read_group(store: &Store) -> Blocked<ReadGroup<'static>> {
    let streams: [(&[u8], Wanted); 1] = [(b"s", Wanted::New)];
    let options = ReadGroupOptions {
        group: b"g",
        consumer: b"c",
        read: ReadOptions::new(usize::MAX, Some(None)),
        acknowledge: crate::data::stream::Acknowledge::Later,
    };
    let operation = ReadGroup { options, streams: Streams::borrowed(&streams) };
    blocked::<ReadGroup<'static>>(store, &operation)
}

#[test]
fn hostile_19_a_group_reader_is_told_that_its_group_is_gone() {
    let (store, clock) = store_with_clock();
    let stream = store.stream("s");
    type Remove<'a> = &'a dyn Fn();
    let ways: [(Remove<'_>, bool); 7] = [
        (&|| assert_eq!(stream.group("g").destroy(), Ok(true)), false),
        (&|| assert_eq!(store.keys().delete("s"), Ok(true)), false),
        (&|| assert_eq!(store.keys().rename("s", "t"), Ok(())), false),
        (&|| store.keys().clear().unwrap(), false),
        (&|| store.clear_all().unwrap(), false),
        (&|| store.kv().set("s", "a string").unwrap(), true),
        (
            &|| {
                store.keys().expire("s", Duration::from_secs(1)).unwrap();
                clock.advance(Duration::from_secs(1));
            },
            false,
        ),
    ];
    for (remove, retyped) in ways {
        store.keys().delete("s").unwrap();
        stream.group("g").create(GroupStart::End).unwrap();
        let call = read_group(&store);
        assert_eq!(poll(&call), None);
        remove();
        match poll(&call) {
            Some(Err(Error::WrongType)) => assert!(retyped),
            Some(Err(Error::NoGroup { .. })) => assert!(!retyped),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn group_readers_share_and_plain_readers_all_see() {
    let store = Store::new();
    store.stream("s").group("g").create(GroupStart::End).unwrap();
    let groups = [(); 2].map(|()| read_group(&store));
    let streams: [(&[u8], After); 1] = [(b"s", After::Last)];
    let read = Read {
        options: ReadOptions::new(usize::MAX, Some(None)),
        streams: Streams::borrowed(&streams),
    };
    let plain = [(); 2].map(|()| blocked::<Read<'static>>(&store, &read));
    store.stream("s").append(&[("n", "1")]).unwrap();
    assert!(poll(&groups[0]).is_some() && poll(&groups[1]).is_none());
    assert!(plain.iter().all(|call| poll(call).is_some_and(|found| found.unwrap().is_some())));
    store.stream("s").append(&[("n", "2")]).unwrap();
    assert!(poll(&groups[1]).is_some());
}

#[test]
fn a_plain_reader_waits_on_when_its_stream_goes_away() {
    let store = Store::new();
    let streams: [(&[u8], After); 1] = [(b"s", After::Last)];
    let read = Read {
        options: ReadOptions::new(usize::MAX, Some(None)),
        streams: Streams::borrowed(&streams),
    };
    let call = blocked::<Read<'static>>(&store, &read);
    store.kv().set("s", "a string").unwrap();
    store.keys().delete("s").unwrap();
    assert!(poll(&call).is_none());
    store.stream("s").append(&[("n", "1")]).unwrap();
    assert_eq!(poll(&call).unwrap().unwrap().unwrap()[0].1.len(), 1);
}

#[test]
fn a_store_that_goes_away_ends_its_calls() {
    let (store, _clock) = store_with_clock();
    let call = pop(&store, &["q"]);
    let mut timed = pop(&store, &["q"]);
    timed.end_after(Some(Duration::from_secs(60)));
    let count = Arc::new(Count::default());
    assert!(call.poll(&Waker::from(Arc::clone(&count))).is_pending());
    drop(store);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!((poll(&call), poll(&timed)), (Some(Err(Error::Closed)), Some(Err(Error::Closed))));
}

#[derive(Default)]
struct Count(AtomicU64);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Uses the store, and the call that it is woken for, and then panics.
struct Wild(Store, Arc<Pop>);

impl Wake for Wild {
    fn wake(self: Arc<Self>) {
        add(&self.0, "q", "from the waker", 1.0);
        assert_eq!(got(&self.1), "q:a");
        panic!("a caller's bug");
    }
}

#[test]
fn hostile_29_a_waker_runs_under_no_lock_and_may_panic() {
    let store = Store::new();
    let call = Arc::new(pop(&store, &["q"]));
    let wild = Arc::new(Wild(store.clone(), Arc::clone(&call)));
    assert!(call.poll(&Waker::from(wild)).is_pending());
    let adding = std::panic::AssertUnwindSafe(|| add(&store, "q", "a", 1.0));
    assert!(std::panic::catch_unwind(adding).is_err());
    assert_eq!(store.sorted_set("q").score("from the waker"), Ok(Some(1.0)));
    drop(call);
    let next = pop(&store, &["other"]);
    add(&store, "other", "b", 1.0);
    assert_eq!(got(&next), "other:b");
}

#[test]
fn an_entry_that_expires_serves_nobody_and_holds_nobody_up() {
    let (store, clock) = store_with_clock();
    let call = pop(&store, &["q"]);
    store.kv().set_with("q", "x", SetOptions::new().expires_in(Duration::from_secs(1))).unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(got(&call), "-");
    add(&store, "q", "y", 1.0);
    assert_eq!(got(&call), "q:y");
}
