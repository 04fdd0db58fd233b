//! Several writers at once.

use std::thread;
use std::time::Duration;

use super::super::vigil::Vigil;
use super::super::{Goal, Log};
use super::*;
use crate::PersistentBuilder;
use crate::persist::Memory;
use crate::sync::{AtomicBool, Ordering};

const THREADS: usize = 4;

/// Each writer counts in a key of its own and in one of all; answers what it was told is kept.
fn write(store: &Store, thread: usize, times: i64) -> i64 {
    let own = format!("own {thread}");
    let mut kept = 0;
    for number in 1..=times {
        let batch = store.batch();
        batch.kv().set(&own, number);
        batch.kv().increment("all", 1);
        if batch.exec().is_err() {
            break;
        }
        kept = number;
    }
    kept
}

fn check(store: &Store, kept: &[i64]) {
    let count = |key: &str| store.kv().get_as::<i64>(key).unwrap().unwrap_or(0);
    let own: Vec<i64> = (0..THREADS).map(|thread| count(&format!("own {thread}"))).collect();
    for (own, kept) in own.iter().zip(kept) {
        assert!(own >= kept, "{kept} were acknowledged, {own} are there");
    }
    assert_eq!(own.iter().sum::<i64>(), count("all"), "a batch was torn");
}

fn open(kept: &Memory, durability: Durability) -> Store {
    let builder = Store::builder().persistence(kept.clone()).durability(durability);
    builder.rewrite_above(50_000).open().expect("what was kept is sound")
}

#[test]
fn a_crash_among_writers_takes_nothing_that_was_acknowledged() {
    for round in 0..20 {
        let kept = Memory::new();
        let store = open(&kept, Durability::Always);
        let acknowledged: Vec<i64> = thread::scope(|scope| {
            let writers: Vec<_> = (0..THREADS)
                .map(|thread| {
                    scope.spawn({
                        let store = &store;
                        move || write(store, thread, 1_000_000)
                    })
                })
                .collect();
            thread::sleep(std::time::Duration::from_millis(3 + round));
            kept.crash_with(round);
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        drop(store);
        check(&open(&kept, Durability::Always), &acknowledged);
    }
}

/// Who has made many records at once is one thread all the same.
#[test]
fn whoever_writes_alone_awaits_nobody() {
    let (store, _) = History::new(1).open_as(Memory::new(), Durability::Never).unwrap();
    let log = store.log().unwrap();
    (0..100).for_each(|number| store.kv().set("own", number).unwrap());
    store.sync().unwrap();
    assert_eq!(log.turn().unwrap().writer().group, 1);
}

#[test]
fn threads_stay_awake_unless_they_are_told_to_sleep() {
    for stays in [None, Some(true), Some(false)] {
        let builder = Store::builder().persistence(Memory::new());
        let builder = stays.into_iter().fold(builder, PersistentBuilder::stay_awake);
        let store = builder.open().unwrap();
        let vigil = &mut store.log().unwrap().desk.lock().vigil;
        vigil.settle(3, Duration::from_micros(100));
        assert_eq!(vigil.length(0).is_zero(), stays == Some(false));
    }
}

/// Says so when it is dropped.
struct IsOver<'f>(&'f AtomicBool);

impl Drop for IsOver<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Has a thread stay awake beside more threads that never rest than there are processors; answers
/// whether it has noticed.
fn notices_others(log: &Log) -> bool {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = IsOver(&is_over);
        let processors = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..2 * processors {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let turn = log.turn();
        log.desk.lock().vigil = Vigil::of(Duration::from_secs(60));
        let waiting = scope.spawn(|| log.reach(log.end(), Goal::Durable));
        while log.desk.lock().waiting() == 0 {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(100));
        drop(turn);
        drop(over);
        waiting.join().unwrap().unwrap();
    });
    log.desk.lock().vigil.was_slow()
}

#[test]
fn who_stays_awake_where_others_work_is_the_last_for_a_while() {
    let (store, _) = History::new(1).open_as(Memory::new(), Durability::Never).unwrap();
    let log = store.log().unwrap();
    // It may have waited all that time for its first chance to yield.
    let once = |_| {
        store.kv().set("own", 2).unwrap();
        notices_others(log)
    };
    assert!((0..5).any(once));
}

#[test]
fn snapshots_among_writers_lose_nothing() {
    for durability in [Durability::Always, Durability::EverySecond] {
        let kept = Memory::new();
        let store = open(&kept, durability);
        let acknowledged: Vec<i64> = thread::scope(|scope| {
            let writers: Vec<_> = (0..THREADS)
                .map(|thread| {
                    scope.spawn({
                        let store = &store;
                        move || write(store, thread, 500)
                    })
                })
                .collect();
            for _ in 0..10 {
                store.snapshot().unwrap();
            }
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        assert_eq!(acknowledged, [500; THREADS]);
        drop(store);
        check(&open(&kept, durability), &acknowledged);
    }
}
