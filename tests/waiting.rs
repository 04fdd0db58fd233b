//! Threads that block: nothing is lost and nobody is forgotten, however they come and go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::ListEnd::{Back, Front};
use larder::{Error, GroupStart, ManualClock, Store, StreamId, Upkeep, Value};

const LONG: Duration = Duration::from_secs(60);

fn store_with_clock() -> (Store, ManualClock) {
    let clock = ManualClock::new();
    (Store::builder().clock(&clock).build(), clock)
}

/// Lets readers hammer while `write` runs; answers how often each member was taken, those that
/// are left in the keys included.
fn hammer(
    keys: &[&str],
    readers: usize,
    read: impl Fn(&Store, u64) -> Vec<Value> + Sync,
    write: impl FnOnce(&Store),
) -> HashMap<String, usize> {
    let (store, done) = (Store::new(), AtomicBool::new(false));
    let mut taken: HashMap<String, usize> = HashMap::new();
    thread::scope(|scope| {
        let spawn = |reader: u64| {
            let (store, done, read) = (&store, &done, &read);
            scope.spawn(move || {
                let mut taken = Vec::new();
                for round in reader.. {
                    let finishing = done.load(Ordering::Acquire);
                    let members = read(store, round);
                    if members.is_empty() && finishing {
                        return taken;
                    }
                    taken.extend(members);
                }
                taken
            })
        };
        let threads: Vec<_> = (0..readers as u64).map(spawn).collect();
        write(&store);
        done.store(true, Ordering::Release);
        for thread in threads {
            for member in thread.join().unwrap() {
                *taken.entry(member.to().unwrap()).or_default() += 1;
            }
        }
    });
    for key in keys {
        while let Some(member) = pop_any(&store, key) {
            *taken.entry(member.to().unwrap()).or_default() += 1;
        }
    }
    taken
}

/// Something out of a list or sorted set.
fn pop_any(store: &Store, key: &str) -> Option<Value> {
    match store.list(key).pop_front() {
        Err(Error::WrongType) => store.sorted_set(key).pop_min().unwrap().map(|(member, _)| member),
        popped => popped.unwrap(),
    }
}

#[track_caller]
fn assert_each_once(taken: &HashMap<String, usize>, count: usize) {
    let twice: Vec<_> = taken.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "taken more than once: {twice:?}");
    assert_eq!(taken.len(), count, "some were lost");
}

/// Timeouts from none to 200 µs: many calls give up just as they are served.
fn tiny(round: u64) -> Duration {
    Duration::from_micros(round * 7 % 200)
}

#[test]
fn no_member_is_lost_when_readers_give_up() {
    let read = |store: &Store, round| {
        let popped = store.sorted_set("q").pop_min_blocking(tiny(round)).unwrap();
        popped.into_iter().map(|(member, _)| member).collect()
    };
    let write = |store: &Store| {
        thread::scope(|scope| {
            for half in [0..2_000, 2_000..4_000] {
                scope.spawn(move || {
                    for n in half {
                        store.sorted_set("q").add(n, n as f64).unwrap();
                    }
                });
            }
        });
    };
    assert_each_once(&hammer(&["q"], 3, read, write), 4_000);
}

#[test]
fn no_member_is_lost_among_several_keys_batches_and_transactions() {
    let read = |store: &Store, round: u64| {
        let keys = if round.is_multiple_of(2) { ["a", "b", "c"] } else { ["c", "b", "a"] };
        let sets = store.sorted_sets();
        let popped = match round % 3 {
            0 => sets.pop_min_many_blocking(&keys, 2, tiny(round)),
            1 => sets.pop_max_many_blocking(&keys, 3, tiny(round)),
            _ => sets
                .pop_max_blocking(&keys, tiny(round))
                .map(|popped| popped.map(|(key, member, score)| (key, vec![(member, score)]))),
        };
        popped.unwrap().into_iter().flat_map(|(_, members)| members).map(|(m, _)| m).collect()
    };
    let write = |store: &Store| {
        for n in (0..3_000).step_by(3) {
            let batch = store.batch();
            let _ = batch.sorted_set("b").add(n, 1.0);
            let _ = batch.sorted_set("a").add(n + 1, 1.0);
            batch.exec().unwrap();
            store.transaction(&["c"], |tx| tx.sorted_set("c").add(n + 2, 1.0)).unwrap();
        }
    };
    assert_each_once(&hammer(&["a", "b", "c"], 3, read, write), 3_000);
}

#[test]
fn no_element_is_lost_among_pops_and_moves_that_give_up() {
    let read = |store: &Store, round: u64| {
        let (lists, timeout) = (store.lists(), tiny(round));
        let popped = match round % 5 {
            0 => lists.pop_front_many_blocking(&["a", "b"], 2, timeout),
            1 => lists.pop_back_many_blocking(&["b", "a"], 3, timeout),
            2 => {
                lists.pop_front_blocking(&["b"], timeout).map(|one| one.map(|(k, e)| (k, vec![e])))
            }
            // What is moved is not taken: others wait for it at its destination.
            3 => store.list("a").move_to_blocking("b", Front, Back, timeout).map(|_| None),
            _ => store.list("b").move_to_blocking("a", Back, Front, timeout).map(|_| None),
        };
        popped.unwrap().map(|(_, elements)| elements).unwrap_or_default()
    };
    let write = |store: &Store| {
        thread::scope(|scope| {
            for half in [0..1_500, 1_500..3_000] {
                scope.spawn(move || {
                    for n in half {
                        let key = if n % 3 == 0 { "b" } else { "a" };
                        store.list(key).push_front(n).unwrap();
                    }
                });
            }
        });
    };
    assert_each_once(&hammer(&["a", "b"], 4, read, write), 3_000);
}

#[test]
fn no_wake_up_is_lost_along_a_chain_of_moves() {
    const ELEMENTS: usize = 1_000;
    let store = Store::new();
    thread::scope(|scope| {
        for (source, destination) in [("in", "middle"), ("middle", "out")] {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..ELEMENTS {
                    let list = store.list(source);
                    list.move_to_blocking(destination, Front, Back, LONG).unwrap().unwrap();
                }
            });
        }
        for n in 0..ELEMENTS {
            store.list("in").push_back(n).unwrap();
            let out = store.list("out").pop_front_blocking(LONG).unwrap();
            assert_eq!(out, Some(Value::from(n.to_string())));
        }
    });
}

#[test]
fn no_wake_up_is_lost_between_two_who_answer_each_other() {
    let store = Store::new();
    thread::scope(|scope| {
        let answering = scope.spawn(|| {
            for _ in 0..2_000 {
                let asked = store.sorted_set("ask").pop_min_blocking(LONG).unwrap();
                let (member, score) = asked.expect("somebody asks");
                store.sorted_set("answer").add(&*member, score).unwrap();
            }
        });
        for n in 0..2_000 {
            store.sorted_set("ask").add(n, 1.0).unwrap();
            let answer = store.sorted_set("answer").pop_max_blocking(LONG).unwrap();
            assert_eq!(answer, Some((Value::from(n.to_string()), 1.0)));
        }
        answering.join().unwrap();
    });
}

#[test]
fn every_entry_goes_to_one_consumer_although_consumers_give_up() {
    const ENTRIES: usize = 1_000;
    let store = Store::new();
    let group = store.stream("s").group("g");
    group.create(GroupStart::Beginning).unwrap();
    let done = AtomicBool::new(false);
    let mut given: Vec<StreamId> = Vec::new();
    thread::scope(|scope| {
        let threads: Vec<_> = ["c1", "c2", "c3"]
            .map(|name| {
                let (store, done) = (&store, &done);
                scope.spawn(move || {
                    let group = store.stream("s").group("g");
                    let (mut given, mut round) = (Vec::new(), 0);
                    loop {
                        round += 1;
                        let finishing = done.load(Ordering::Acquire);
                        let entries = group.consumer(name).read_blocking(2, tiny(round)).unwrap();
                        if entries.is_empty() && finishing {
                            return given;
                        }
                        for entry in &entries {
                            given.push(entry.id());
                            group.ack(&[entry.id()]).unwrap();
                        }
                    }
                })
            })
            .into();
        for n in 0..ENTRIES {
            store.stream("s").append(&[("n", n)]).unwrap();
        }
        done.store(true, Ordering::Release);
        threads.into_iter().for_each(|thread| given.extend(thread.join().unwrap()));
    });
    let pending = group.pending_summary().unwrap().count;
    given.sort_unstable();
    given.dedup();
    assert_eq!((given.len(), pending), (ENTRIES, 0));
}

#[test]
fn a_manual_clock_ends_a_thread_that_blocks() {
    let (store, clock) = store_with_clock();
    let start = Instant::now();
    thread::scope(|scope| {
        let popping = scope.spawn(|| store.sorted_set("q").pop_min_blocking(LONG));
        let reading =
            scope.spawn(|| store.stream("s").read_blocking(larder::After::Last, 1, LONG * 60));
        while !popping.is_finished() || !reading.is_finished() {
            clock.advance(LONG);
            thread::yield_now();
        }
        assert_eq!(popping.join().unwrap(), Ok(None));
        assert!(reading.join().unwrap().unwrap().is_empty());
    });
    assert!(start.elapsed() < LONG, "a minute of the store's, not of ours");
}

#[test]
fn a_thread_that_blocks_needs_no_upkeep() {
    let store = Store::builder().upkeep(Upkeep::Manual).build();
    let start = Instant::now();
    let timeout = Duration::from_millis(20);
    assert_eq!(store.sorted_set("q").pop_min_blocking(timeout), Ok(None));
    assert!(start.elapsed() >= timeout);
    assert_eq!(store.sorted_set("q").pop_min_blocking(Duration::ZERO), Ok(None));
}

#[test]
fn hostile_19_a_blocked_consumer_is_told_that_its_group_is_gone() {
    let store = Store::new();
    type Remove = fn(&Store);
    let ways: [Remove; 3] = [
        |store| assert_eq!(store.stream("s").group("g").destroy(), Ok(true)),
        |store| assert_eq!(store.keys().delete("s"), Ok(true)),
        |store| assert_eq!(store.clear_all(), Ok(())),
    ];
    for remove in ways {
        store.stream("s").group("g").create(GroupStart::End).unwrap();
        thread::scope(|scope| {
            let group = store.stream("s").group("g");
            let reading = scope.spawn(move || group.consumer("c").read_blocking(1, LONG));
            thread::sleep(Duration::from_millis(5));
            remove(&store);
            assert!(matches!(reading.join().unwrap(), Err(Error::NoGroup { .. })));
        });
    }
}

#[test]
fn a_watch_is_broken_by_expiry_but_not_by_what_had_expired_before() {
    let (store, clock) = store_with_clock();
    let run = |watch| {
        let batch = store.batch();
        let _ = batch.kv().set("other", 1);
        batch.exec_if(watch)
    };
    store.kv().set_for("k", 1, LONG).unwrap();
    let watch = store.watch(&["k"]).unwrap();
    clock.advance(LONG);
    assert_eq!(run(watch), Err(Error::Conflict));

    let manual = Store::builder().upkeep(Upkeep::Manual).build();
    manual.kv().set_for("k", 1, Duration::from_millis(1)).unwrap();
    thread::sleep(Duration::from_millis(5));
    let watch = manual.watch(&["k"]).unwrap();
    manual.maintain();
    assert!(!watch.is_broken());
    assert_eq!(manual.batch().exec_if(watch), Ok(()));
}

#[test]
fn a_watch_of_another_store_is_refused() {
    let (store, other) = (Store::new(), Store::builder().databases(64).build());
    let watch = other.database(63).unwrap().watch(&["k"]).unwrap();
    let batch = store.batch();
    let _ = batch.kv().set("k", 1);
    assert!(matches!(batch.exec_if(watch), Err(Error::Syntax(_))));
    assert_eq!(store.keys().exists("k"), Ok(false));
    let watch = store.database(1).unwrap().watch(&["k"]).unwrap();
    assert_eq!(store.batch().exec_if(watch), Ok(()));
}

#[test]
fn optimistic_increments_lose_none() {
    let store = Store::new();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..300 {
                    loop {
                        let watch = store.watch(&["n"]).unwrap();
                        let n: i64 = store.kv().get_as("n").unwrap().unwrap_or(0);
                        let batch = store.batch();
                        let _ = batch.kv().set("n", n + 1);
                        match batch.exec_if(watch) {
                            Ok(()) => break,
                            Err(error) => assert_eq!(error, Error::Conflict),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(store.kv().get_as("n"), Ok(Some(900)));
}
