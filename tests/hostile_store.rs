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
            thread::spawn(move || store.stream("s").group("g").consumer("c").read_blocking(1, None))
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

/// What a batch runs has been written down and read again: nothing may be lost on the way, at the
/// edges of what can be asked for either.
#[test]
fn a_batch_answers_what_the_store_answers_whatever_is_asked() {
    let store = Store::new();
    let id = |ms| larder::StreamId::new(ms, 0);
    let stream = store.stream("s");
    (1..4).for_each(|ms| {
        let options = larder::AppendOptions::new().id(id(ms));
        stream.append_with(&[("n", ms)], options).unwrap();
    });
    stream.group("g").create(larder::GroupStart::Beginning).unwrap();
    stream.group("g").consumer("c").read(2).unwrap();
    store.sorted_set("z").add_many(&[("a", 1.0), ("b", f64::INFINITY), ("c", -0.0)]).unwrap();
    store.kv().set("k", "value").unwrap();

    let mut different = Vec::new();
    macro_rules! same {
        ($($target:ident => $call:expr;)*) => {$({
            let direct = { let $target = &store; $call };
            let batch = store.batch();
            let pending = { let $target = &batch; $call };
            let batched = batch.exec().and_then(|()| pending.get());
            if batched != direct {
                different.push(format!("{}: {batched:?}, not {direct:?}", stringify!($call)));
            }
        })*};
    }
    const NONE: &[&str] = &[];
    same! {
        to => to.keys().delete_many(NONE);
        to => to.keys().exist_many(NONE);
        to => to.keys().touch(NONE);
        to => to.kv().get_many(NONE);
        to => to.kv().set_many::<&str, &str>(&[]);
        to => to.kv().set_many_if_absent::<&str, &str>(&[]);
        to => to.kv().range("k", i64::MIN, i64::MAX);
        to => to.kv().range("k", i64::MAX, i64::MIN);
        to => to.kv().append("", "");
        to => to.keys().scan_page(Default::default(), &larder::ScanOptions::new().count(u64::MAX));
        to => to.sorted_set("z").scores(NONE);
        to => to.sorted_set("z").remove_many(NONE);
        to => to.sorted_set("z").add_many::<&str>(&[]);
        to => to.sorted_set("z").top(usize::MAX);
        to => to.sorted_set("z").range(i64::MIN..=i64::MAX).get();
        to => to.sorted_set("z").range_by_score(..).offset(usize::MAX).get();
        to => to.sorted_set("z").range_by_score(..).limit(usize::MAX).get();
        to => to.sorted_set("z").range_by_score(..).limit(0).get();
        to => to.sorted_set("z").range_by_score(f64::NAN..).get();
        to => to.sorted_set("z").count(f64::NEG_INFINITY..f64::INFINITY);
        to => to.sorted_set("z").pop_min_many(0);
        to => to.sorted_sets().union(NONE).get();
        to => to.sorted_sets().count_intersection(&["z"], usize::MAX);
        to => to.sorted_sets().pop_min(NONE, 1);
        to => to.sorted_sets().pop_min(&["none"], usize::MAX);
        to => to.stream("s").delete(&[]);
        to => to.stream("s").range(..).limit(usize::MAX).get();
        to => to.stream("s").range(..).limit(0).get();
        to => to.stream("s").range(id(3)..id(1)).get();
        to => to.stream("s").read_after(id(0), usize::MAX);
        to => to.stream("s").trim(larder::Trim::max_len(usize::MAX));
        to => to.stream("s").trim(larder::Trim::max_len(usize::MAX).limit(usize::MAX));
        to => to.stream("s").full_info(usize::MAX);
        to => to.stream("s").group("g").ack(&[]);
        to => to.stream("s").group("g").pending(.., Duration::MAX, usize::MAX);
        to => to.stream("s").group("g").pending(.., Duration::ZERO, 0);
        to => to.stream("s").group("g").consumer("c").claim(Duration::MAX, &[]);
        to => to.stream("s").group("g").consumer("c").claim(Duration::MAX, &[id(1)]);
        to => to.stream("s").group("g").consumer("c").history(id(0), 0);
        to => to.stream("s").append::<&str, &str>(&[]);
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Elements move between keys by every way there is while callers wait for them with short
/// timeouts and give up: each is popped once, and nobody sleeps on one.
#[test]
fn no_element_is_lost_between_short_timeouts_and_every_way_to_write() {
    in_time(|| {
        let store = Store::new();
        let total = 3000;
        let readers: Vec<_> = (0..3u64)
            .map(|reader| {
                let store = store.clone();
                thread::spawn(move || {
                    let mut popped = Vec::new();
                    let mut idle = 0;
                    while idle < 400 {
                        let timeout = Duration::from_micros(200 + 700 * reader);
                        match store.sorted_set("q").pop_min_blocking(timeout).unwrap() {
                            Some((member, _)) => {
                                idle = 0;
                                popped.push(String::from_utf8(member.to_vec()).unwrap());
                            }
                            None => idle += 1,
                        }
                    }
                    popped
                })
            })
            .collect();
        for n in 0..total {
            let member = n.to_string();
            let side = format!("side{n}");
            match n % 5 {
                0 => drop(store.sorted_set("q").add(&member, 1.0).unwrap()),
                1 => {
                    let batch = store.batch();
                    batch.sorted_set(&side).add(&member, 1.0);
                    batch.sorted_set("q").add(&member, 1.0);
                    batch.keys().delete(&side);
                    batch.exec().unwrap();
                }
                2 => {
                    store.sorted_set(&side).add(&member, 1.0).unwrap();
                    let keys = ["q", &side];
                    store.sorted_sets().union(&keys).store_into("q").unwrap();
                    store.keys().delete(&side).unwrap();
                }
                3 => {
                    store.sorted_set(&side).add(&member, 1.0).unwrap();
                    while !store.keys().rename_if_absent(&side, "q").unwrap() {
                        thread::yield_now();
                    }
                }
                _ => {
                    store.sorted_set(&side).add(&member, 1.0).unwrap();
                    while !store.keys().copy(&side, "q").unwrap() {
                        thread::yield_now();
                    }
                    store.keys().delete(&side).unwrap();
                }
            }
        }
        let mut popped: Vec<String> = Vec::new();
        for reader in readers {
            popped.extend(reader.join().unwrap());
        }
        popped.sort();
        let mut expected: Vec<String> = (0..total).map(|n| n.to_string()).collect();
        expected.sort();
        assert_eq!(popped, expected);
        assert_eq!(store.stats().bytes, 0);
    });
}

/// Batches over several databases, whole databases, transactions, walks and births of shards all
/// at once: nobody waits for ever, and no sum is ever seen torn.
#[test]
fn locks_are_taken_in_one_order_whoever_takes_them() {
    in_time(|| {
        let store = Store::builder().databases(4).build();
        let databases: Vec<Store> = (0..4).map(|n| store.database(n).unwrap()).collect();
        thread::scope(|scope| {
            for seed in 0..4usize {
                let databases = &databases;
                scope.spawn(move || {
                    for round in 0..400 {
                        let (one, other) = ((seed + round) % 4, (seed + 3 * round + 1) % 4);
                        let (from, to) = (format!("a{}", round % 7), format!("b{}", seed));
                        let store = &databases[one];
                        match (seed + round) % 8 {
                            0 => {
                                let batch = store.batch();
                                batch.kv().set(&from, round);
                                batch.keys().move_to(&from, other as u16);
                                let options = larder::CopyOptions::new().database(other as u16);
                                batch.keys().copy_with(&from, &to, options.replace());
                                batch.keys().len();
                                batch.exec().unwrap();
                            }
                            1 => store.keys().clear().unwrap(),
                            2 if round % 50 == 0 => store.clear_all().unwrap(),
                            3 => {
                                let set = |tx: &larder::Transaction<'_>| {
                                    tx.kv().set(&from, 1)?;
                                    tx.kv().set(&to, 1)?;
                                    assert_eq!(tx.keys().exist_many(&[&from, &to]), Ok(2));
                                    Ok(())
                                };
                                store.transaction(&[&to, &from], set).unwrap();
                            }
                            4 => drop(store.keys().matching("*").unwrap()),
                            5 => drop(store.keys().iter().count()),
                            6 => {
                                let new = format!("{seed}:{round}");
                                store.kv().set_for(&new, 1, Duration::from_millis(1)).unwrap();
                                drop(store.keys().rename(&new, &to));
                            }
                            _ => {
                                store.kv().set_many(&[("x", round), ("y", round)]).unwrap();
                                let pair = store.kv().get_many(&["x", "y"]).unwrap();
                                assert_eq!(pair[0].is_some(), pair[1].is_some());
                            }
                        }
                        store.maintain();
                    }
                });
            }
        });
        store.clear_all().unwrap();
        assert_eq!((store.stats().keys, store.stats().bytes), (0, 0));
    });
}

#[test]
fn a_database_that_is_not_there_is_named_as_such_within_a_batch() {
    let reply = Store::new().answer_all(&[&[b"SWAPDB", b"1", b"16"]], false);
    assert_eq!(reply, b"*1\r\n-ERR DB index is out of range\r\n");
}

#[test]
fn databases_swapped_twice_within_a_batch_keep_their_keys() {
    for seed in 0..20 {
        let store = Store::new();
        let key = |database: u16, number: usize| format!("{seed} {database} {number}");
        for database in 0..3 {
            let kv = store.database(database).unwrap();
            for number in 0..100 {
                kv.kv().set(key(database, number), "here").unwrap();
            }
        }
        let swaps: &[&[&[u8]]] = &[&[b"SWAPDB", b"2", b"1"], &[b"SWAPDB", b"0", b"2"]];
        assert_eq!(store.answer_all(swaps, false), b"*2\r\n+OK\r\n+OK\r\n");
        for (database, was) in [(0, 1), (1, 2), (2, 0)] {
            let kv = store.database(database).unwrap();
            for number in 0..100 {
                assert!(kv.keys().exists(key(was, number)).unwrap(), "{database} {was} {number}");
            }
        }
    }
}
