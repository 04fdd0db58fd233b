//! The store under attack: callbacks, deadlines, waiters, watches and the account of its memory.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use larder::{Error, FromValue, ManualClock, Overflow, Store, SubscriptionOptions, Value};

/// Runs `body` and fails, instead of hanging, if it never comes back.
fn in_time(body: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let worker = thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match finished.recv_timeout(Duration::from_secs(20)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        _ => worker.join().unwrap(),
    }
}

/// Expiry served waiters while it still held the lock of the shard that they wait in.
#[test]
fn a_reader_that_waits_for_a_key_that_expires_hangs_nobody() {
    in_time(|| {
        let clock = ManualClock::new();
        let store = Store::builder().clock(&clock).build();
        store.stream("s").append(&[("n", 1)]).unwrap();
        store.stream("s").group("g").create(larder::GroupStart::End).unwrap();
        store.keys().expire("s", Duration::from_secs(1)).unwrap();
        let reader = {
            let store = store.clone();
            thread::spawn(move || {
                store.stream("s").group("g").consumer("c").read_blocking(1, None)
            })
        };
        thread::sleep(Duration::from_millis(50));
        clock.advance(Duration::from_secs(1));
        assert!(matches!(reader.join().unwrap(), Err(Error::NoGroup { .. })));
        assert_eq!(store.keys().len(), Ok(0));
    });
}

/// Expiry published events while it held the lock of a shard.
#[test]
fn a_listener_that_is_full_does_not_lock_the_shard_of_what_expires() {
    in_time(|| {
        let clock = ManualClock::new();
        let store = Store::builder().clock(&clock).build();
        store.kv().set_for("k", "v", Duration::from_secs(1)).unwrap();
        let options = SubscriptionOptions::new().capacity(1).overflow(Overflow::Block);
        let events = store.events(options);
        store.kv().set("full", 1).unwrap();
        let mover = thread::spawn(move || clock.advance(Duration::from_secs(1)));
        thread::sleep(Duration::from_millis(50));
        assert_eq!(store.kv().get("k"), Ok(None));
        events.recv().unwrap();
        mover.join().unwrap();
    });
}

/// What deletes everything leaves nothing of it in the account.
#[test]
fn the_account_returns_to_nothing() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    let year = Duration::from_secs(365 * 86_400);
    for n in 0..20_000 {
        store.kv().set_for(format!("{n}"), n, year).unwrap();
    }
    for n in 0..20_000 {
        store.keys().delete(format!("{n}")).unwrap();
    }
    let deleted = store.stats();
    for n in 0..20_000 {
        store.kv().set_for(format!("{n}"), n, year).unwrap();
    }
    clock.advance(year);
    let expired = store.stats();
    println!("{deleted:?} {expired:?}");
    assert_eq!((deleted.keys, expired.keys), (0, 0));
    assert_eq!((deleted.bytes, expired.bytes), (0, 0));
}

thread_local! {
    static STORE: RefCell<Option<Store>> = const { RefCell::new(None) };
}

/// A caller's type that asks the store while it is made.
#[derive(Debug, PartialEq)]
struct Nosy(Option<Value>);

impl FromValue for Nosy {
    fn from_value(_value: Value) -> larder::Result<Self> {
        STORE.with_borrow(|store| store.as_ref().unwrap().kv().get_and_set("k", "seen")).map(Self)
    }
}

struct Fragile;

impl FromValue for Fragile {
    fn from_value(_value: Value) -> larder::Result<Self> {
        panic!("a caller's mistake")
    }
}

/// A batch decoded values for its caller while it held the locks.
#[test]
fn a_value_may_ask_the_store_while_a_batch_decodes_it() {
    in_time(|| {
        let store = Store::new();
        STORE.set(Some(store.clone()));
        store.kv().set("k", "v").unwrap();
        let batch = store.batch();
        let nosy = batch.kv().get_as::<Nosy>("k");
        batch.exec().unwrap();
        assert_eq!(nosy.get(), Ok(Some(Nosy(Some("v".into())))));
    });
}

/// A batch whose caller's type panicked was left half done.
#[test]
fn a_value_that_panics_does_not_halve_its_batch() {
    let store = Store::new();
    store.kv().set("k", "v").unwrap();
    let batch = store.batch();
    let first = batch.kv().set("before", 1);
    let _fragile = batch.kv().get_as::<Fragile>("k");
    let last = batch.kv().set("after", 1);
    assert!(catch_unwind(AssertUnwindSafe(|| batch.exec())).is_err());
    assert_eq!(store.keys().exist_many(&["before", "after"]), Ok(2));
    drop((first, last));
}

/// The place that was promised for an event stayed promised when a later filter panicked.
#[test]
fn a_filter_that_panics_blocks_nobody() {
    in_time(|| {
        let store = Store::new();
        let options = SubscriptionOptions::new().capacity(1).overflow(Overflow::Block);
        let events = store.events(options);
        let fragile = store.events_where(SubscriptionOptions::new(), |_| panic!("on purpose"));
        for n in 0..3 {
            assert!(catch_unwind(AssertUnwindSafe(|| store.kv().set("k", n))).is_err());
        }
        drop(fragile);
        store.kv().set("k", "v").unwrap();
        assert_eq!(&*events.recv().unwrap().key, b"k");
        assert_eq!(store.kv().get("k").unwrap().unwrap(), "v");
    });
}

/// A caller's filter that panics does not keep maintenance from hearing of a deadline.
#[test]
fn a_filter_that_panics_delays_no_expiry() {
    let store = Store::new();
    let fragile = store.events_where(SubscriptionOptions::new(), |_| panic!("on purpose"));
    let set = || store.kv().set_for("k", "v", Duration::from_millis(20));
    assert!(catch_unwind(AssertUnwindSafe(set)).is_err());
    drop(fragile);
    let start = Instant::now();
    while store.stats().keys > 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "it never expires by itself");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Watching looked through all keys that were watched already.
#[test]
fn many_keys_are_watched_in_linear_time() {
    let store = Store::new();
    let keys: Vec<String> = (0..60_000).map(|n| n.to_string()).collect();
    let start = Instant::now();
    let watch = store.watch(&keys).unwrap();
    store.kv().set("59999", 1).unwrap();
    assert!(watch.is_broken());
    assert_eq!(store.batch().exec_if(watch), Err(Error::Conflict));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Leaving looked through all who watched the key.
#[test]
fn many_watch_one_key_and_leave_in_linear_time() {
    let store = Store::new();
    let mut watches: Vec<_> = (0..60_000).map(|_| store.watch(&["k"]).unwrap()).collect();
    let start = Instant::now();
    while let Some(watch) = watches.pop() {
        drop(watch);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
