//! The log under shuttle, which runs each model under many schedules:
//! `RUSTFLAGS="--cfg shuttle" cargo test --lib models`. No log has a thread of its own here; what
//! that thread does is done by one of the model's.

use shuttle::thread;

use super::Goal;
use super::keeper::Keeper;
use super::opening::begin;
use super::snapshots::Occasion;
use super::writer::Trouble;
use crate::persist::{Durability, Fault, Memory, Settings};
use crate::{Error, ManualClock, Result, Store};

const SCHEDULES: usize = 200;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(model, SCHEDULES);
}

fn open(kept: &Memory, durability: Durability) -> Store {
    let settings = Settings { durability, rewrite_above: u64::MAX, ..Settings::default() };
    let store = Store::builder().clock(&ManualClock::new()).build();
    let (log, _, recovery) =
        begin(Box::new(kept.clone()), store.databases(), settings).expect("what was kept is sound");
    store.kept_by(Keeper::unattended(log), recovery)
}

fn spawn<R: Send + 'static>(
    store: &Store,
    body: impl FnOnce(&Store) -> R + Send + 'static,
) -> thread::JoinHandle<R> {
    let store = store.clone();
    thread::spawn(move || body(&store))
}

fn join<R>(threads: impl IntoIterator<Item = thread::JoinHandle<R>>) -> Vec<R> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

/// One batch over keys of several shards, numbered; and an element to the list of all.
fn batch(store: &Store, own: &str, number: i64) -> Result<()> {
    let batch = store.batch();
    let _ = batch.kv().set(own, number);
    let _ = batch.list("order").push_back(format!("{own}{number}"));
    let _ = batch.kv().increment("all", 1);
    batch.exec()
}

/// Writes two batches; answers how many of them are acknowledged as kept.
fn writer(store: &Store, own: &'static str) -> thread::JoinHandle<i64> {
    spawn(store, move |store| {
        let acknowledged = (1..=2).take_while(|number| batch(store, own, *number).is_ok());
        acknowledged.last().unwrap_or(0)
    })
}

const OWN: [&str; 2] = ["a", "b"];

fn number(store: &Store, key: &str) -> i64 {
    store.kv().get_as(key).unwrap().unwrap_or(0)
}

/// Asserts that nothing is torn or out of order, and that as much is there as was acknowledged.
fn check(found: &Store, acknowledged: &[i64]) {
    let numbers = OWN.map(|own| number(found, own));
    for (number, acknowledged) in numbers.iter().zip(acknowledged) {
        assert!(number >= acknowledged, "{acknowledged} were acknowledged, {number} are there");
    }
    assert_eq!(number(found, "all"), numbers.iter().sum::<i64>(), "a batch is torn");
    let order = found.list("order").range(..).unwrap();
    for (own, number) in OWN.iter().zip(numbers) {
        let of_own = order.iter().filter(|element| element.starts_with(own.as_bytes()));
        let expected: Vec<_> = (1..=number).map(|number| format!("{own}{number}")).collect();
        assert!(of_own.map(|element| element.to::<String>().unwrap()).eq(expected), "{order:?}");
    }
}

/// What is in the log makes the very state that the store had.
fn check_equal(kept: &Memory, store: &Store) {
    store.close().unwrap();
    let again = open(kept, Durability::Always);
    assert_eq!(store.first_difference(&again), None);
}

#[test]
fn records_are_in_the_order_of_what_they_tell_of() {
    explore(|| {
        for durability in [Durability::Always, Durability::EverySecond] {
            let kept = Memory::new();
            let store = open(&kept, durability);
            let writers = OWN.map(|own| writer(&store, own));
            let other = spawn(&store, |store| {
                store.list("order").pop_front().unwrap();
                store.keys().rename("a", "moved").ok();
                store.kv().set("b", "alone").unwrap();
            });
            join(writers);
            other.join().unwrap();
            check_equal(&kept, &store);
        }
    });
}

#[test]
fn a_crash_at_any_time_takes_nothing_that_was_acknowledged() {
    explore(|| {
        let kept = Memory::new();
        let store = open(&kept, Durability::Always);
        let writers = OWN.map(|own| writer(&store, own));
        let crashing = kept.clone();
        let crash = thread::spawn(move || crashing.crash());
        let acknowledged = join(writers);
        crash.join().unwrap();
        check(&open(&kept, Durability::Always), &acknowledged);
    });
}

#[test]
fn a_snapshot_among_writers_and_a_crash_lose_nothing() {
    explore(|| {
        let kept = Memory::new();
        let store = open(&kept, Durability::Always);
        let writers = OWN.map(|own| writer(&store, own));
        let snapshot = spawn(&store, |store| store.snapshot().is_ok());
        let crashing = kept.clone();
        let crash = thread::spawn(move || crashing.crash());
        let acknowledged = join(writers);
        (snapshot.join().unwrap(), crash.join().unwrap());
        check(&open(&kept, Durability::Always), &acknowledged);
    });
}

#[test]
fn a_capture_among_writers_is_of_one_instant() {
    explore(|| {
        let kept = Memory::new();
        let store = open(&kept, Durability::Os);
        let writers = OWN.map(|own| writer(&store, own));
        let snapshot = spawn(&store, |store| store.snapshot().unwrap());
        join(writers);
        snapshot.join().unwrap();
        check_equal(&kept, &store);
    });
}

#[test]
fn what_is_synced_is_kept_though_others_write_it() {
    explore(|| {
        let kept = Memory::new();
        let store = open(&kept, Durability::Never);
        let tender = spawn(&store, |store| {
            let log = store.log().unwrap();
            for goal in [Goal::Written, Goal::Durable] {
                let _ = log.turn().map(|mut turn| turn.advance(goal));
            }
        });
        let syncing = OWN.map(|own| {
            spawn(&store, move |store| {
                batch(store, own, 1).unwrap();
                let synced = store.sync().is_ok();
                batch(store, own, 2).ok();
                i64::from(synced)
            })
        });
        let crashing = kept.clone();
        let crash = thread::spawn(move || crashing.crash());
        let synced = join(syncing);
        (tender.join().unwrap(), crash.join().unwrap());
        check(&open(&kept, Durability::Never), &synced);
    });
}

/// Does what the thread of a log does when something went wrong.
fn mend(store: &Store) {
    let log = store.log().unwrap();
    let trouble = log.turn().and_then(|turn| turn.writer().trouble.clone());
    let _ = match trouble {
        None => Ok(()),
        Some(Trouble::Stuck(_)) => log.retry(),
        Some(Trouble::Lost(_)) => log.rewrite(Occasion::Rewrite),
    };
}

#[test]
fn a_call_that_fails_among_writers_is_made_good() {
    for fault in [Fault::Io, Fault::Full, Fault::FailedSync] {
        for skip in 0..3 {
            explore(move || {
                let kept = Memory::new();
                let store = open(&kept, Durability::Always);
                kept.fail_after(skip, fault);
                let writers = OWN.map(|own| writer(&store, own));
                let mending = spawn(&store, |store| (0..2).for_each(|_| mend(store)));
                let acknowledged = join(writers);
                mending.join().unwrap();
                kept.heal();
                while store.log().unwrap().refusal().is_some() {
                    mend(&store);
                }
                store.sync().unwrap();
                kept.crash();
                let again = open(&kept, Durability::Always);
                check(&again, &acknowledged);
                assert_eq!(store.first_difference(&again), None);
            });
        }
    }
}

#[test]
fn closing_among_writers_leaves_nobody_waiting_and_keeps_what_was_acknowledged() {
    explore(|| {
        let kept = Memory::new();
        let store = open(&kept, Durability::Always);
        let writers = OWN.map(|own| writer(&store, own));
        let closing = spawn(&store, |store| store.close().unwrap());
        let acknowledged = join(writers);
        closing.join().unwrap();
        assert!(matches!(store.kv().set("late", 1), Err(Error::ReadOnly(_))));
        check(&open(&kept, Durability::Always), &acknowledged);
    });
}
