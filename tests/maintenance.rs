//! Upkeep without access: prompt, by a thread that is there only when it is needed and sleeps
//! whenever it can.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use larder::{
    EventKind, GroupStart, Listener, ManualClock, Overflow, RecvError, Store, StreamId,
    SubscriptionOptions, Upkeep,
};

/// Threads are counted by name, so the tests of this file take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The maintenance threads of this process, and how often each has gone to sleep.
#[cfg(target_os = "linux")]
fn sleeps() -> Vec<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    tasks
        .map(|task| task.unwrap().path())
        .filter(|task| read(task.join("comm")).starts_with("larder-maint"))
        .map(|task| {
            let status = read(task.join("status"));
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt"));
            line.and_then(|line| line.split_whitespace().last()?.parse().ok()).unwrap_or(0)
        })
        .collect()
}

#[cfg(target_os = "linux")]
fn wait_for_threads(count: usize) {
    let start = Instant::now();
    while sleeps().len() != count {
        assert!(start.elapsed() < Duration::from_secs(10), "{} threads", sleeps().len());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn expired(store: &Store) -> Listener<larder::Event> {
    store.events_where(SubscriptionOptions::new().capacity(1 << 20), |event| {
        event.kind == EventKind::Expired
    })
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn events_of_expiry_come_without_access_and_promptly() {
    let _turn = turn();
    let store = Store::new();
    let events = expired(&store);
    // The best of some, as the machine may be busy.
    let delay = (0..20).map(|n| {
        let start = Instant::now();
        store.kv().set_for("k", n, millis(10)).unwrap();
        let event = events.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!((event.key, event.value), ("k".into(), Some(n.to_string().into())));
        let elapsed = start.elapsed();
        assert!(elapsed >= millis(9), "{elapsed:?}");
        elapsed.saturating_sub(millis(10))
    });
    assert!(delay.min().unwrap() < millis(10));
}

#[test]
fn a_nearer_deadline_wakes_the_thread_in_time() {
    let _turn = turn();
    let store = Store::new();
    let events = expired(&store);
    store.kv().set_for("far", 1, Duration::from_secs(3600)).unwrap();
    std::thread::sleep(millis(20));
    for key in ["near", "nearer"] {
        store.kv().set_for(key, 1, millis(10)).unwrap();
        assert_eq!(events.recv_timeout(Duration::from_secs(10)).unwrap().key, key);
    }
    store.kv().set("none", 1).unwrap();
    store.keys().expire("far", millis(10)).unwrap();
    assert_eq!(events.recv_timeout(Duration::from_secs(10)).unwrap().key, "far");
    assert_eq!(store.stats().keys, 1);
}

#[test]
fn ten_thousand_keys_expire_at_once_and_each_is_told_once() {
    let _turn = turn();
    let (clock, told) = (ManualClock::new(), 10_000);
    let store = Store::builder().clock(&clock).build();
    let events = expired(&store);
    for n in 0..told {
        store.kv().set_for(n.to_string(), n, Duration::from_secs(60)).unwrap();
    }
    clock.advance(millis(59_999));
    assert_eq!((events.pending(), store.stats().keys), (0, told));
    clock.advance(millis(1));
    assert_eq!((events.pending(), store.stats().keys), (told, 0));
}

#[test]
fn readers_and_writers_go_on_while_ten_thousand_keys_expire() {
    let _turn = turn();
    let store = Store::new();
    let events = expired(&store);
    for n in 0..10_000 {
        store.kv().set_for(n.to_string(), n, millis(300)).unwrap();
    }
    let mut received = 0;
    while received < 10_000 {
        store.kv().increment("live", 1).unwrap();
        match events.recv_timeout(Duration::from_secs(10)) {
            Ok(_) => received += 1,
            Err(error) => panic!("{error} after {received}"),
        }
    }
    assert_eq!(store.stats().keys, 1);
}

#[test]
fn a_key_that_lives_on_is_left_alone() {
    let _turn = turn();
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    let events = expired(&store);
    for key in ["renewed", "kept", "replaced", "gone"] {
        store.kv().set_for(key, 1, Duration::from_secs(10)).unwrap();
    }
    store.keys().expire("renewed", Duration::from_secs(20)).unwrap();
    store.keys().persist("kept").unwrap();
    store.kv().set("replaced", 2).unwrap();
    store.keys().delete("gone").unwrap();
    clock.advance(Duration::from_secs(10));
    assert_eq!((events.pending(), store.stats().keys), (0, 3));
    clock.advance(Duration::from_secs(10));
    assert_eq!(events.recv().unwrap().key, "renewed");
}

#[test]
#[cfg(target_os = "linux")]
fn a_thread_is_there_only_while_it_is_needed() {
    let _turn = turn();
    wait_for_threads(0);
    let clock = ManualClock::new();
    let stores = [
        Store::builder().clock(&clock).build(),
        Store::builder().upkeep(Upkeep::Manual).build(),
        Store::new(),
    ];
    for store in &stores[..2] {
        store.kv().set_for("k", 1, Duration::from_secs(60)).unwrap();
    }
    stores[2].kv().set("k", 1).unwrap();
    assert_eq!(stores[2].sorted_set("q").pop_min_blocking(millis(1)), Ok(None));
    assert_eq!(sleeps().len(), 0);
    stores[2].kv().set_for("k", 1, Duration::from_secs(60)).unwrap();
    wait_for_threads(1);
    drop(stores);
    wait_for_threads(0);
}

#[test]
#[cfg(target_os = "linux")]
fn the_thread_sleeps_between_deadlines() {
    let _turn = turn();
    wait_for_threads(0);
    let store = Store::new();
    for n in 0..1_000 {
        store.kv().set_for(n.to_string(), n, Duration::from_secs(60 + n)).unwrap();
    }
    wait_for_threads(1);
    std::thread::sleep(millis(50));
    let before = sleeps();
    for n in 1_000..2_000 {
        store.kv().set_for(n.to_string(), n, Duration::from_secs(60 + n)).unwrap();
    }
    std::thread::sleep(millis(300));
    assert_eq!(sleeps(), before, "nothing was due");
}

#[test]
#[cfg(target_os = "linux")]
fn ever_nearer_deadlines_do_not_make_the_thread_sweep() {
    let _turn = turn();
    let store = Store::new();
    let events = expired(&store);
    let start = Instant::now();
    for n in 0..50_000_u64 {
        store.kv().set_for("k", n, Duration::from_secs(100_000 - n)).unwrap();
    }
    store.kv().set_for("k", "last", millis(5)).unwrap();
    assert_eq!(events.recv_timeout(Duration::from_secs(30)).unwrap().key, "k");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn manual_upkeep_waits_to_be_asked() {
    let _turn = turn();
    let store = Store::builder().upkeep(Upkeep::Manual).build();
    let events = expired(&store);
    store.kv().set_for("k", 1, millis(1)).unwrap();
    std::thread::sleep(millis(20));
    assert_eq!((events.pending(), store.stats().keys), (0, 1));
    store.maintain();
    assert_eq!((events.pending(), store.stats().keys), (1, 0));
    store.kv().set_for("k", 1, millis(1)).unwrap();
    std::thread::sleep(millis(5));
    assert_eq!(store.kv().get("k"), Ok(None), "a reader never sees what has expired");
}

#[test]
fn a_listener_that_panics_does_not_end_the_upkeep() {
    let _turn = turn();
    let store = Store::new();
    let wild = store.events_where(SubscriptionOptions::new(), |event| {
        assert!(event.kind != EventKind::Expired || event.key != "wild", "a caller's bug");
        event.kind == EventKind::Expired
    });
    store.kv().set_for("wild", 1, millis(1)).unwrap();
    std::thread::sleep(millis(30));
    store.kv().set_for("tame", 1, millis(1)).unwrap();
    assert_eq!(wild.recv_timeout(Duration::from_secs(10)).unwrap().key, "tame");
}

#[test]
fn a_store_may_go_away_while_its_thread_works() {
    let _turn = turn();
    for _ in 0..50 {
        let store = Store::new();
        let events = expired(&store);
        for n in 0..64 {
            store.kv().set_for(n.to_string(), n, millis(1)).unwrap();
        }
        std::thread::sleep(millis(1));
        drop(store);
        let received = events.iter().filter(Result::is_ok).count();
        assert!(received <= 64);
        assert_eq!(events.try_recv(), Err(RecvError::Closed));
    }
}

#[test]
fn a_store_that_goes_away_ends_its_readers() {
    let _turn = turn();
    let store = Store::new();
    let news = store.subscribe(&["news"]).unwrap();
    let events = store.events(SubscriptionOptions::new());
    store.publish("news", "last").unwrap();
    let reading = std::thread::spawn(move || events.recv());
    drop(store);
    assert_eq!(reading.join().unwrap(), Err(RecvError::Closed));
    assert_eq!(news.recv().unwrap().payload, "last");
    assert_eq!(news.recv(), Err(RecvError::Closed));
    assert!(!news.subscribe("other"));
}

#[test]
fn a_full_listener_that_goes_away_frees_the_thread() {
    let _turn = turn();
    let store = Store::new();
    let options = SubscriptionOptions::new().capacity(1).overflow(Overflow::Block);
    let slow = store.events_where(options, |event| event.kind == EventKind::Expired);
    // All at once and well before they expire: whoever changes a key after that waits too.
    let batch = store.batch();
    for n in 0..100 {
        batch.kv().set_for(n.to_string(), n, millis(200));
    }
    batch.exec().unwrap();
    std::thread::sleep(millis(300));
    drop(slow);
    let events = expired(&store);
    store.kv().set_for("next", 1, millis(1)).unwrap();
    while events.recv_timeout(Duration::from_secs(10)).unwrap().key != "next" {}
    assert_eq!(store.stats().keys, 0);
}

#[test]
fn a_stream_that_expires_ends_its_group_readers() {
    let _turn = turn();
    let store = Store::new();
    let group = store.stream("s").group("g");
    group.create(GroupStart::After(StreamId::MIN)).unwrap();
    store.keys().expire("s", millis(30)).unwrap();
    let read = group.consumer("c").read_blocking(1, Duration::from_secs(10));
    assert!(matches!(read, Err(larder::Error::NoGroup { .. })), "{read:?}");
}
