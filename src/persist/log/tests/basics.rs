//! What a store keeps when nothing goes wrong, and one thing at a time does.

use std::io::ErrorKind;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::*;
use crate::persist::log::CLOSED;
use crate::persist::{Fault, Memory, Progress, Stage};
use crate::sync::{Arc, Mutex};
use crate::{Error, StreamId, Upkeep};

fn open(kept: &Memory, durability: Durability) -> Store {
    let builder = Store::builder().persistence(kept.clone()).durability(durability);
    builder.open().expect("what was kept is sound")
}

pub(super) const ALL: [Durability; 4] =
    [Durability::Always, Durability::Os, Durability::EverySecond, Durability::Never];

/// Waits until `done`, for a few seconds at most.
fn eventually(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_history_is_there_again_after_a_close() {
    for seed in 0..8 {
        let (mut history, kept) = (History::new(seed), Memory::new());
        for _ in 0..5 {
            let durability = ALL[history.commands.below(4)];
            let (store, recovery) = history.open_as(kept.clone(), durability).unwrap();
            assert_eq!(recovery.torn, None);
            for _ in 0..100 {
                assert_eq!(history.step(&store), Told::Done);
            }
            if history.commands.below(2) == 0 {
                store.snapshot().unwrap();
            }
            for _ in 0..history.commands.below(30) {
                history.step(&store);
            }
            history.check(&store);
        }
    }
}

#[test]
fn each_durability_keeps_what_it_says() {
    for durability in ALL {
        let kept = Memory::new();
        let store = open(&kept, durability);
        store.kv().set("a", 1).unwrap();
        match durability {
            Durability::Always => {}
            _ => store.sync().unwrap(),
        }
        kept.crash();
        drop(store);
        assert_eq!(open(&kept, durability).kv().get_as("a"), Ok(Some(1)), "{durability:?}");
    }
}

#[test]
fn what_nobody_waits_for_is_written_soon_and_synced_within_seconds() {
    let kept = Memory::new();
    let store = open(&kept, Durability::EverySecond);
    store.kv().set("a", 1).unwrap();
    eventually(|| kept.edit_segment(1, |bytes| !bytes.is_empty()).unwrap());
    let log = store.log().unwrap();
    eventually(|| log.durable.load(crate::sync::Ordering::SeqCst) > 0);
    kept.crash();
    drop(store);
    assert_eq!(open(&kept, Durability::Never).kv().get_as("a"), Ok(Some(1)));
}

#[test]
fn what_has_expired_while_nobody_looked_is_gone() {
    let (clock, kept) = (ManualClock::new(), Memory::new());
    let open = || {
        let builder = Store::builder().clock(&clock).upkeep(Upkeep::Manual);
        builder.persistence(kept.clone()).durability(Durability::Always).open().unwrap()
    };
    let store = open();
    store.kv().set_for("short", 1, Duration::from_secs(5)).unwrap();
    store.kv().set_for("long", 1, Duration::from_secs(50)).unwrap();
    drop(store);
    clock.advance(Duration::from_secs(10));
    let store = open();
    assert_eq!(store.kv().get("short"), Ok(None));
    assert!(store.keys().exists("long").unwrap());
    assert_eq!(store.keys().len().unwrap(), 1);
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    for durability in ALL {
        let kept = Memory::new();
        let store = open(&kept, durability);
        store.kv().set("a", 1).unwrap();
        store.sync().unwrap();
        kept.fail_from(0, Fault::Full);
        // In memory it is done, and everybody sees it.
        let told = store.kv().set("a", 2);
        assert!(matches!(told, Ok(()) | Err(Error::Indeterminate(_))), "{told:?}");
        eventually(|| matches!(store.kv().set("b", 1), Err(Error::ReadOnly(_))));
        assert_eq!(store.kv().get_as("a"), Ok(Some(2)));
        assert!(store.persistence_stats().unwrap().refusal.is_some());
        assert!(matches!(store.sync(), Err(Error::Indeterminate(_))));
        kept.heal();
        eventually(|| store.kv().set("c", 3).is_ok());
        store.sync().unwrap();
        kept.crash();
        drop(store);
        let store = open(&kept, durability);
        assert_eq!((store.kv().get_as("a"), store.kv().get_as("c")), (Ok(Some(2)), Ok(Some(3))));
    }
}

#[test]
fn a_failed_sync_is_made_good_by_a_snapshot() {
    let kept = Memory::new();
    let store = open(&kept, Durability::Always);
    store.kv().set("a", 1).unwrap();
    kept.fail_after(0, Fault::FailedSync);
    assert!(matches!(store.kv().set("a", 2), Err(Error::Indeterminate(_))));
    eventually(|| store.kv().set("b", 1).is_ok());
    kept.crash();
    drop(store);
    let store = open(&kept, Durability::Always);
    assert_eq!(store.kv().get_as("a"), Ok(Some(2)));
    assert_eq!(store.recovery().unwrap().snapshot_keys, 1);
}

#[test]
fn a_snapshot_comes_by_itself_when_the_log_has_grown() {
    for durability in ALL {
        let kept = Memory::new();
        let builder = Store::builder().persistence(kept.clone()).durability(durability);
        let store = builder.rewrite_above(20_000).open().unwrap();
        let value = vec![7; 1_000];
        for number in 0..100 {
            store.kv().set(format!("key {}", number % 3), &value).unwrap();
        }
        eventually(|| store.persistence_stats().unwrap().snapshot_bytes > 0);
        eventually(|| !store.persistence_stats().unwrap().snapshot_under_way);
        assert!(store.persistence_stats().unwrap().log_bytes < 90_000);
        drop(store);
        let store = open(&kept, durability);
        assert_eq!(store.keys().len(), Ok(3));
        assert!(store.recovery().unwrap().snapshot_keys > 0);
    }
}

#[test]
fn many_openings_do_not_leave_many_segments() {
    let kept = Memory::new();
    for _ in 0..200 {
        let store = open(&kept, Durability::Os);
        store.kv().increment("openings", 1).unwrap();
        if kept.segments().len() > 70 {
            eventually(|| kept.segments().len() < 70);
        }
    }
    assert_eq!(open(&kept, Durability::Os).kv().get_as("openings"), Ok(Some(200)));
}

#[test]
fn a_log_is_told_to_be_as_long_as_it_is_however_many_openings_it_has_seen() {
    let kept = Memory::new();
    for _ in 0..3 {
        open(&kept, Durability::Os).kv().increment("openings", 1).unwrap();
    }
    let length = |number| kept.edit_segment(number, |bytes| bytes.len() as u64).unwrap();
    let written = kept.segments().into_iter().map(length).sum::<u64>();
    let store = open(&kept, Durability::Os);
    assert_eq!(store.persistence_stats().unwrap().log_bytes, written);
}

/// Each opening counts as a megabyte, and ends before a snapshot could.
#[test]
fn openings_that_end_soon_do_not_leave_a_log_that_grows_with_each() {
    let kept = Memory::new();
    for opening in 0..20 {
        let builder = Store::builder().persistence(kept.clone()).rewrite_above(2 << 20);
        let slowly = |_: Progress| std::thread::sleep(Duration::from_millis(20));
        let store = builder.progress(slowly).open().unwrap();
        // Four are not too many yet. The next opening adds one, a snapshot that is given up
        // another; then there are too many, and the opening that makes good for it adds two again.
        assert!(kept.segments().len() <= 8, "{} at opening {opening}", kept.segments().len());
        store.kv().increment("openings", 1).unwrap();
    }
    assert_eq!(open(&kept, Durability::Os).kv().get_as("openings"), Ok(Some(20)));
}

#[test]
fn damage_is_an_error_and_changes_nothing() {
    let kept = Memory::new();
    let store = open(&kept, Durability::Always);
    store.kv().set("a", 1).unwrap();
    store.kv().set("b", 2).unwrap();
    drop(store);
    kept.edit_segment(1, |bytes| bytes[150] ^= 1).unwrap();
    let error = Store::builder().persistence(kept.clone()).open().unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    kept.edit_segment(1, |bytes| bytes[150] ^= 1).unwrap();
    assert_eq!(open(&kept, Durability::Always).keys().len(), Ok(2));
}

#[test]
fn a_torn_end_is_cut_off_and_set_aside() {
    let kept = Memory::new();
    let store = open(&kept, Durability::Never);
    store.kv().set("a", 1).unwrap();
    store.sync().unwrap();
    store.kv().set("b", 1).unwrap();
    store.close().unwrap();
    let length = kept.edit_segment(1, |bytes| {
        bytes.truncate(bytes.len() - 3);
        bytes.len()
    });
    let store = open(&kept, Durability::Never);
    let torn = store.recovery().unwrap().torn.clone().unwrap();
    assert_eq!(torn.valid_length + torn.lost, length.unwrap() as u64);
    assert_eq!((store.kv().get_as("a"), store.kv().get("b")), (Ok(Some(1)), Ok(None)));
    assert_eq!(kept.broken().len(), 1);
}

#[test]
fn a_store_that_was_closed_refuses_writes_and_lets_another_open() {
    let kept = Memory::new();
    let store = open(&kept, Durability::Never);
    let clone = store.clone();
    store.kv().set("a", 1).unwrap();
    assert!(Store::builder().persistence(kept.clone()).open().is_err(), "it is open");
    store.close().unwrap();
    store.close().unwrap();
    assert!(matches!(clone.kv().set("a", 2), Err(Error::ReadOnly(_))));
    assert!(matches!(store.snapshot(), Err(Error::ReadOnly(_))));
    assert_eq!(clone.kv().get_as("a"), Ok(Some(1)));
    assert_eq!(open(&kept, Durability::Never).kv().get_as("a"), Ok(Some(1)));
}

#[test]
fn closing_makes_durable_what_was_done_before() {
    let store = open(&Memory::new(), Durability::Never);
    store.kv().set("a", 1).unwrap();
    store.close().unwrap();
    assert_eq!(store.sync(), Ok(()));
    let log = store.log().unwrap();
    assert!(log.is_durable(log.end()));
}

#[test]
fn progress_is_told() {
    let kept = Memory::new();
    let open = || {
        let (sender, told) = channel();
        let builder = Store::builder().persistence(kept.clone());
        let store =
            builder.progress(move |progress| sender.send(progress).unwrap()).open().unwrap();
        (store, told)
    };
    let (store, told) = open();
    store.kv().set("a", 1).unwrap();
    store.snapshot().unwrap();
    let last = |told: &std::sync::mpsc::Receiver<Progress>| told.try_iter().last().unwrap();
    assert_eq!(last(&told), Progress { stage: Stage::Snapshot, done: 1, total: 1 });
    drop(store);
    let (_store, told) = open();
    let Progress { stage, done, total } = last(&told);
    assert_eq!((stage, done), (Stage::Loading, total));
    assert!(total > 0);
}

/// Makes a snapshot whose progress is heard by whoever does this with the last handle; answers what
/// came of the snapshot, and what is kept.
fn snapshot_during_which(does: fn(Store) -> Result<()>) -> (Result<()>, Result<()>, Memory) {
    let kept = Memory::new();
    let last: Arc<Mutex<Option<Store>>> = Arc::default();
    let (sender, ended) = channel();
    let (its, told) = (Arc::clone(&last), sender.clone());
    let hear = move |progress: Progress| {
        let store = its.lock().take_if(|_| progress.stage == Stage::Snapshot);
        if let Some(store) = store {
            told.send(does(store)).unwrap();
        }
    };
    let builder = Store::builder().persistence(kept.clone()).durability(Durability::Always);
    let store = builder.progress(hear).open().unwrap();
    store.kv().set("a", 1).unwrap();
    let log = Arc::clone(store.log().unwrap());
    *last.lock() = Some(store);
    std::thread::spawn(move || sender.send(log.rewrite(Occasion::Rewrite)).unwrap());
    let next = || ended.recv_timeout(Duration::from_secs(20)).expect("it does not hang");
    (next(), next(), kept)
}

#[test]
fn whoever_hears_of_a_snapshot_may_use_the_store_and_end_it() {
    let asks: fn(Store) -> Result<()> = |store| store.snapshot();
    let writes: fn(Store) -> Result<()> = |store| store.kv().set("b", 1);
    let closes: fn(Store) -> Result<()> = |store| store.close();
    for (does, is_allowed) in [(asks, false), (writes, true), (closes, true)] {
        let (done, made, kept) = snapshot_during_which(does);
        assert_eq!(done.is_ok(), is_allowed, "{done:?}");
        // It was the last handle.
        assert_eq!(made, Err(Error::Io { kind: ErrorKind::Other, message: CLOSED.to_owned() }));
        assert_eq!(open(&kept, Durability::Always).kv().get_as::<i64>("a"), Ok(Some(1)));
    }
}

#[test]
fn a_store_with_too_few_databases_is_told_which_is_used_and_changes_nothing() {
    let kept = Memory::new();
    let open_on = |kept: &Memory, databases: u16| {
        let builder = Store::builder().databases(databases).persistence(kept.clone());
        builder.durability(Durability::Always).open()
    };
    let open = |databases| open_on(&kept, databases);
    open(16).unwrap().database(9).unwrap().kv().set("a", 1).unwrap();
    let too_few = |databases| Error::TooFewDatabases { used: 9, count: databases };
    for in_snapshot in [false, true] {
        if in_snapshot {
            open(16).unwrap().snapshot().unwrap();
        }
        for databases in [4, 9] {
            assert_eq!(open(databases).map(drop), Err(too_few(databases)), "{in_snapshot}");
        }
        let small = Store::builder().databases(4).build();
        let imported = rdb::import_kept(&small, kept.clone().open().unwrap());
        assert_eq!(imported, Err(too_few(4)));
        assert_eq!(open(10).unwrap().database(9).unwrap().kv().get_as("a"), Ok(Some(1)));
    }
    // Or if only what moves between them tells of it.
    for command in
        [&["MOVE", "77", "9"][..], &["COPY", "77", "88", "DB", "9"], &["SWAPDB", "9", "0"]]
    {
        let kept = Memory::new();
        let store = open_on(&kept, 16).unwrap();
        store.kv().set("77", 1).unwrap();
        let command: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
        assert!(!store.answer(&command, false).starts_with(b"-"));
        store.close().unwrap();
        assert_eq!(open_on(&kept, 4).map(drop), Err(too_few(4)), "{command:?}");
    }
    assert_eq!(
        too_few(4).to_string(),
        "there is something in database 9, and the store has only 4, from 0 on"
    );
}

#[test]
fn a_log_that_rests_gives_the_memory_of_a_burst_back() {
    for durability in [Durability::EverySecond, Durability::Never] {
        let store = open(&Memory::new(), durability);
        let log = store.log().unwrap();
        let capacity = || log.pending.lock().capacity();
        // Twice, as there are two buffers.
        for _ in 0..2 {
            let turn = log.turn();
            store.kv().set("large", vec![0; 4 << 20]).unwrap();
            assert!(capacity() > 4 << 20);
            drop(turn);
            store.sync().unwrap();
        }
        store.kv().set("small", 1).unwrap();
        eventually(|| capacity() < 2 << 20);
    }
}

#[test]
fn streams_are_read_while_writes_are_refused() {
    let store = open(&Memory::new(), Durability::Always);
    let id = store.stream("s").append(&[("a", "1")]).unwrap();
    store.close().unwrap();
    assert!(matches!(store.stream("s").append(&[("a", "1")]), Err(Error::ReadOnly(_))));
    let stream = store.stream("s");
    assert_eq!(stream.read_after(StreamId::MIN, 9).unwrap().len(), 1);
    assert_eq!(store.read_streams(&[("s", StreamId::MIN.into())], 9).unwrap().len(), 1);
    let soon = Duration::from_millis(1);
    assert_eq!(stream.read_blocking(StreamId::MIN, 9, soon).unwrap().len(), 1);
    assert_eq!(stream.read_blocking(id, 9, soon).unwrap().len(), 0);
    let batch = store.batch();
    let read = batch.stream("s").read_after(StreamId::MIN, 9);
    batch.exec().unwrap();
    assert_eq!(read.get().unwrap().len(), 1);
}
