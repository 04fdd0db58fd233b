//! Blocking calls, watches and batches under shuttle, which runs each model under many schedules:
//! `RUSTFLAGS="--cfg shuttle" cargo test --lib models`. A call that is never woken is a deadlock
//! to shuttle, and so a failure. All stores have manual clocks, so that no thread is theirs.

use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use shuttle::thread;

use super::{Blocked, Started, start};
use crate::ops::sorted_set::BlockingPopMin;
use crate::ops::{Await, Timeout};
use crate::{Error, ManualClock, Store};

const SCHEDULES: usize = 300;
const SECOND: Duration = Duration::from_secs(1);

fn explore(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(model, SCHEDULES);
}

fn store() -> (Store, ManualClock) {
    let clock = ManualClock::new();
    (Store::builder().clock(&clock).build(), clock)
}

fn spawn<R: Send + 'static>(
    store: &Store,
    body: impl FnOnce(&Store) -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let store = store.clone();
    thread::spawn(move || body(&store))
}

fn adder(store: &Store, key: &'static str, member: &'static str) -> thread::JoinHandle<()> {
    spawn(store, move |store| assert_eq!(store.sorted_set(key).add(member, 1.0), Ok(true)))
}

fn popper(store: &Store, keys: &'static [&'static str]) -> thread::JoinHandle<String> {
    spawn(store, move |store| {
        let popped = store.sorted_sets().pop_min_blocking(keys, None).unwrap();
        popped.expect("no timeout").1.to().unwrap()
    })
}

fn blocked_pop(store: &Store) -> Blocked<BlockingPopMin<'static>> {
    let of = Await { keys: vec![&b"q"[..]].into(), timeout: Timeout(None) };
    match start::<BlockingPopMin<'static>>(store.databases(), 0, &BlockingPopMin { of }) {
        Started::Blocked(call) => call,
        Started::Done(_) => panic!("there was something already"),
    }
}

fn left(store: &Store) -> usize {
    store.sorted_set("q").len().unwrap()
}

fn join<R>(threads: impl IntoIterator<Item = thread::JoinHandle<R>>) -> Vec<R> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn no_wake_up_is_lost() {
    explore(|| {
        let (store, _clock) = store();
        let poppers = [(); 2].map(|()| popper(&store, &["q"]));
        join([adder(&store, "q", "a"), adder(&store, "q", "b")]);
        let mut popped = join(poppers);
        popped.sort_unstable();
        assert_eq!(popped, ["a", "b"]);
        assert!(store.databases().is_nobody_interested());
    });
}

#[test]
fn no_wake_up_is_lost_among_several_keys() {
    explore(|| {
        let (store, _clock) = store();
        let poppers = [popper(&store, &["a", "b"]), popper(&store, &["b", "a"])];
        join([adder(&store, "a", "x"), adder(&store, "b", "y")]);
        let mut popped = join(poppers);
        popped.sort_unstable();
        assert_eq!(popped, ["x", "y"]);
    });
}

#[test]
fn a_call_is_served_or_times_out_and_the_member_is_popped_or_left() {
    explore(|| {
        let (store, clock) = store();
        let popping = spawn(&store, |store| store.sorted_set("q").pop_min_blocking(SECOND));
        let advancing = thread::spawn(move || clock.advance(SECOND));
        adder(&store, "q", "a").join().unwrap();
        advancing.join().unwrap();
        let popped = popping.join().unwrap().unwrap();
        assert_eq!(usize::from(popped.is_some()) + left(&store), 1);
        assert!(store.databases().is_nobody_interested());
    });
}

#[test]
fn a_timer_that_is_set_while_the_clock_moves_fires() {
    explore(|| {
        let (store, clock) = store();
        let due = store.databases().clock.now() + 1000;
        let mut call = blocked_pop(&store);
        let advancing = thread::spawn(move || clock.advance(SECOND));
        call.end_after(Some(SECOND));
        advancing.join().unwrap();
        let is_due = call.timer == Some(due);
        assert_eq!(call.poll(Waker::noop()) == Poll::Ready(Ok(None)), is_due);
    });
}

#[test]
fn what_a_dropped_call_was_given_goes_on() {
    explore(|| {
        let (store, clock) = store();
        let mut call = blocked_pop(&store);
        call.end_after(Some(SECOND));
        let threads = [
            adder(&store, "q", "a"),
            thread::spawn(move || drop(call)),
            thread::spawn(move || clock.advance(SECOND)),
        ];
        assert_eq!(popper(&store, &["q"]).join().unwrap(), "a");
        join(threads);
        assert_eq!(left(&store), 0);
        assert!(store.databases().is_nobody_interested());
    });
}

#[test]
fn a_task_is_woken() {
    explore(|| {
        let (store, _clock) = store();
        let tasks = [(); 2].map(|()| {
            let call = blocked_pop(&store);
            shuttle::future::spawn(poll_fn(move |cx| call.poll(cx.waker())))
        });
        let adders = [adder(&store, "q", "a"), adder(&store, "q", "b")];
        for task in tasks {
            assert!(shuttle::future::block_on(task).unwrap().unwrap().is_some());
        }
        join(adders);
        assert_eq!(left(&store), 0);
    });
}

#[test]
fn a_store_that_goes_away_ends_its_calls() {
    explore(|| {
        let (store, clock) = store();
        let mut call = blocked_pop(&store);
        call.end_after(Some(SECOND * 2));
        let threads =
            [thread::spawn(move || clock.advance(SECOND)), thread::spawn(move || drop(store))];
        let outcome = shuttle::future::block_on(poll_fn(|cx| call.poll(cx.waker())));
        assert_eq!(outcome, Err(Error::Closed));
        join(threads);
    });
}

#[test]
fn a_batch_never_runs_on_watched_keys_that_changed() {
    fn increment(store: &Store) {
        loop {
            let watch = store.watch(&["n"]).unwrap();
            let n: i64 = store.kv().get_as("n").unwrap().unwrap_or(0);
            let batch = store.batch();
            let _ = batch.kv().set("n", n + 1);
            let _ = batch.kv().set("copy", n + 1);
            if batch.exec_if(watch) != Err(Error::Conflict) {
                return;
            }
        }
    }
    explore(|| {
        let (store, _clock) = store();
        let mut threads = vec![spawn(&store, increment), spawn(&store, increment)];
        threads.push(spawn(&store, |store| assert!(store.kv().increment("n", 1).is_ok())));
        join(threads);
        assert_eq!(store.kv().get_as::<i64>("n"), Ok(Some(3)));
        assert!(store.databases().is_nobody_interested());
    });
}

#[test]
fn a_watch_ends_with_its_keys_time_to_live() {
    explore(|| {
        let (store, clock) = store();
        store.kv().set_for("n", 1, SECOND).unwrap();
        let watch = store.watch(&["n"]).unwrap();
        let advancing = thread::spawn(move || clock.advance(SECOND));
        let batch = store.batch();
        let n = batch.kv().get_as::<i64>("n");
        if batch.exec_if(watch).is_ok() {
            assert_eq!(n.get(), Ok(Some(1)));
        }
        advancing.join().unwrap();
    });
}

#[test]
fn batches_over_the_same_keys_are_atomic_and_end() {
    fn write(store: &Store, keys: [&str; 3], value: i64) {
        let batch = store.batch();
        for key in keys {
            let _ = batch.kv().set(key, value);
        }
        batch.exec().unwrap();
    }
    explore(|| {
        let (store, _clock) = store();
        let threads = [
            spawn(&store, |store| write(store, ["a", "b", "c"], 1)),
            spawn(&store, |store| write(store, ["c", "b", "a"], 2)),
            spawn(&store, |store| {
                let both =
                    store.transaction(&["b", "a"], |tx| Ok((tx.kv().get("a")?, tx.kv().get("b")?)));
                let (a, b) = both.unwrap();
                assert_eq!(a, b);
            }),
        ];
        let seen = store.kv().get_many(&["c", "a"]).unwrap();
        assert_eq!(seen[0], seen[1]);
        join(threads);
        let seen = store.kv().get_many(&["a", "b", "c"]).unwrap();
        assert!(seen[0].is_some() && seen.windows(2).all(|pair| pair[0] == pair[1]));
    });
}

#[test]
fn clearing_sees_a_batch_whole_although_its_shards_are_new() {
    explore(|| {
        let (store, _clock) = store();
        let clearing = spawn(&store, |store| store.clear_all().unwrap());
        let batch = store.batch();
        let _ = batch.kv().set("a", 1);
        let _ = batch.kv().set("b", 1);
        batch.exec().unwrap();
        clearing.join().unwrap();
        assert_ne!(store.stats().keys, 1);
    });
}

#[test]
fn databases_come_into_being_while_others_lock_all_of_them() {
    explore(|| {
        let (store, _clock) = store();
        let threads = [
            spawn(&store, |store| store.clear_all().unwrap()),
            spawn(&store, |store| _ = store.answer(&[b"SWAPDB", b"1", b"2"], false)),
            spawn(&store, |store| store.database(2).unwrap().keys().clear().unwrap()),
        ];
        store.database(1).unwrap().kv().set("a", 1).unwrap();
        join(threads);
        assert!(store.stats().keys <= 1);
        store.clear_all().unwrap();
        assert_eq!(store.stats().keys, 0);
    });
}
