//! Several writers at once.

use std::thread;
use std::time::{Duration, Instant};

use super::*;
use crate::persist::Memory;
use crate::sync::{AtomicBool, Ordering, yield_until};

const THREADS: usize = 4;
const MICROSECOND: Duration = Duration::from_micros(1);

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
fn three_who_wait_for_a_short_sync_stay_awake() {
    let (store, _) = History::new(1).open_as(Memory::new(), Durability::Never).unwrap();
    let log = store.log().unwrap();
    let mut turn = log.turn().unwrap();
    let mut patience = |group, micros| {
        (turn.writer_mut().group, turn.writer_mut().sync_time) = (group, MICROSECOND * micros);
        let mut desk = log.desk.lock();
        desk.set_patience(turn.writer());
        desk.patience
    };
    assert_eq!(patience(3, 100), MICROSECOND * 200);
    assert_eq!(patience(2, 100), Duration::ZERO);
    assert_eq!(patience(3, 400), Duration::ZERO);
    log.desk.lock().recess = 2;
    assert_eq!([(); 2].map(|()| patience(3, 100)), [Duration::ZERO, MICROSECOND * 200]);
}

/// Each of these threads is left no more than a share of a processor, whatever it does.
#[test]
fn who_stays_awake_where_others_work_is_the_last_for_a_while() {
    let (store, _) = History::new(1).open_as(Memory::new(), Durability::Never).unwrap();
    let log = store.log().unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let processors = thread::available_parallelism().unwrap().get();
        for _ in 0..2 * processors {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let turn = log.turn().unwrap();
        log.desk.lock().patience = Duration::from_secs(60);
        let waiting = scope.spawn(|| drop(log.turn().unwrap()));
        while log.desk.lock().waiting() == 0 {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(100));
        drop(turn);
        is_over.store(true, Ordering::Relaxed);
        waiting.join().unwrap();
    });
    assert!(log.desk.lock().recess > 0, "all that time nobody else has run");
}

#[test]
fn to_yield_ends_when_it_is_done_or_has_taken_long_enough() {
    assert_eq!(yield_until(|| true, Duration::from_secs(60)), Duration::ZERO);
    let start = Instant::now();
    yield_until(|| false, Duration::from_millis(2));
    assert!(start.elapsed() >= Duration::from_millis(2));
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
