//! Calls that fail for a while, with the thread that keeps the log at work.

use std::io;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::basics::ALL;
use super::*;
use crate::persist::directory::simulation::{Failure, Simulation};
use crate::persist::{Directory, Fault, Kept, Memory, Persistence, Snapshot, Tail};
use crate::{Error, sync};

/// What keeps a store, and fails when it is told to.
#[derive(Clone)]
enum Disk {
    Memory(Memory, Fault),
    Simulation(Simulation, Failure),
}

impl Disk {
    fn open(&self, durability: Durability) -> Result<Store> {
        let builder = Store::builder();
        let builder = match self {
            Self::Memory(memory, _) => builder.persistence(memory.clone()),
            Self::Simulation(simulation, _) => {
                let files = sync::Arc::new(simulation.clone());
                builder.persistence(Directory::on(files, "/"))
            }
        };
        builder.durability(durability).rewrite_above(3_000).open()
    }

    /// Opens it for a history, without the thread.
    fn open_for(&self, history: &mut History) -> (Store, Recovery) {
        let opened = match self {
            Self::Memory(memory, _) => history.open(memory.clone()),
            Self::Simulation(simulation, _) => {
                history.open(Directory::on(sync::Arc::new(simulation.clone()), "/"))
            }
        };
        opened.expect("a disk that works")
    }

    /// Lets all calls fail, once so many have passed.
    fn fail_from(&self, skip: u64) {
        match self {
            Self::Memory(memory, fault) => memory.fail_from(skip, *fault),
            Self::Simulation(simulation, failure) => simulation.fail_from(skip, *failure),
        }
    }

    fn heal(&self) {
        match self {
            Self::Memory(memory, _) => drop(memory.heal()),
            Self::Simulation(simulation, _) => simulation.heal(),
        }
    }

    /// What is left of it without power.
    fn crash(&self) -> Self {
        match self {
            Self::Memory(memory, fault) => {
                memory.crash();
                Self::Memory(memory.clone(), *fault)
            }
            Self::Simulation(simulation, failure) => Self::Simulation(simulation.crash(), *failure),
        }
    }
}

pub(super) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "it does not happen: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Writes while the disk fails, and after; then the power goes. What was refused was not done, and
/// all that was done is there.
fn write_through(disk: &Disk, durability: Durability, skip: u64) {
    let what = format!("{durability:?}, after {skip} calls");
    let store = disk.open(durability).expect("a disk that works");
    store.kv().set("before", 1).expect("a disk that works");
    disk.fail_from(skip);
    let mut done = 0_i64;
    for number in 0..40 {
        let told = store.kv().increment("n", 1);
        match told {
            Ok(_) | Err(Error::Indeterminate(_)) => done += 1,
            Err(Error::ReadOnly(reason)) => assert!(!reason.is_empty()),
            Err(other) => panic!("{what}: {other}"),
        }
        assert_eq!(store.kv().get_as("n"), Ok((done > 0).then_some(done)), "{what}");
        if number % 10 == 5 {
            let _ = store.snapshot();
            thread::sleep(Duration::from_millis(3));
        }
    }
    disk.heal();
    eventually(&what, || store.kv().set("after", 1).is_ok() && store.sync().is_ok());
    assert_eq!(store.persistence_stats().and_then(|stats| stats.refusal), None, "{what}");
    let again = disk.crash().open(durability).expect("what a crash leaves");
    assert_eq!(store.first_difference(&again), None, "{what}");
}

/// Writes with any of these disks, each anew for every call that may fail; all at once, since each
/// sleeps most of the time.
fn write_through_all(disks: &[fn() -> Disk], calls: u64) {
    thread::scope(|scope| {
        for durability in ALL {
            for disk in disks {
                scope.spawn(move || {
                    (0..calls).for_each(|skip| write_through(&disk(), durability, skip));
                });
            }
        }
    });
}

#[test]
fn whatever_call_fails_for_a_while_a_store_goes_on() {
    let disks: [fn() -> Disk; 4] = [
        || Disk::Memory(Memory::new(), Fault::Io),
        || Disk::Memory(Memory::new(), Fault::Full),
        || Disk::Memory(Memory::new(), Fault::ShortWrite),
        || Disk::Memory(Memory::new(), Fault::FailedSync),
    ];
    write_through_all(&disks, 12);
}

#[test]
fn whatever_call_of_a_directory_fails_for_a_while_a_store_goes_on() {
    let disks: [fn() -> Disk; 2] = [
        || Disk::Simulation(Simulation::new(1), Failure::Io),
        || Disk::Simulation(Simulation::new(1), Failure::Full),
    ];
    write_through_all(&disks, 24);
}

/// A snapshot that was begun before a sync failed does not hold what that lost: only one that is
/// begun after makes it good.
#[test]
fn a_snapshot_under_way_does_not_make_good_for_a_later_sync() {
    let kept = Memory::new();
    let (mut history, durability) = (History::new(1), Durability::Always);
    let (store, _) = history.open_as(kept.clone(), durability).unwrap();
    let log = store.log().unwrap();
    assert_eq!(history.step(&store), Told::Done);
    let begun = log.begin_rewrite().unwrap();
    kept.fail_after(0, Fault::FailedSync);
    assert_eq!(history.step(&store), Told::Indeterminate);
    log.end_rewrite(begun).unwrap();
    assert!(log.refusal().is_some(), "it is still lost");
    tend(&store);
    assert_eq!(history.step(&store), Told::Done);
    drop(store);
    history.open_as(kept, durability).unwrap();
}

/// A segment that could not be cut back may be lost to further appends.
#[test]
fn a_cut_that_fails_after_an_append_is_made_good() {
    let memory = Memory::new();
    heals_after_failed_retries(Disk::Memory(memory.clone(), Fault::Full), |store| {
        memory.fail_after(0, Fault::FailedSync);
        tend(store);
        memory.fail_from(0, Fault::Io);
        tend(store);
    });
    for failure in [Failure::Io, Failure::Full] {
        let disk = Disk::Simulation(Simulation::new(1), failure);
        heals_after_failed_retries(disk, |store| (0..3).for_each(|_| tend(store)));
    }
}

/// An append fails; what is done by hand then is done before the disk works again.
fn heals_after_failed_retries(disk: Disk, meanwhile: impl FnOnce(&Store)) {
    let mut history = History::new(1);
    let (store, _) = disk.open_for(&mut history);
    assert_eq!(history.step(&store), Told::Done);
    disk.fail_from(0);
    assert_eq!(history.step(&store), Told::Indeterminate);
    meanwhile(&store);
    disk.heal();
    // A retry that shows that only a snapshot helps, and the snapshot.
    (0..2).for_each(|_| tend(&store));
    assert_eq!(history.step(&store), Told::Done);
    disk.crash().open_for(&mut history);
}

/// Whose own look at it rings would never sleep.
#[test]
fn a_long_log_that_is_stuck_does_not_ring_for_its_keeper() {
    let kept = Memory::new();
    let settings =
        Settings { durability: Durability::Always, rewrite_above: 1_000, ..Settings::default() };
    let store = Store::builder().build();
    let (log, alarms, recovery) =
        begin(Box::new(kept.clone()), store.databases(), settings).unwrap();
    let store = store.kept_by(Keeper::unattended(log), recovery);
    store.kv().set("a", vec![7; 2_000]).unwrap();
    kept.fail_from(0, Fault::Full);
    assert!(store.kv().set("a", 1).is_err());
    assert!(alarms.try_iter().count() > 0, "both are news");
    drop(store.log().unwrap().turn());
    assert_eq!(alarms.try_iter().count(), 0);
}

/// What was not done is never said to be in doubt.
#[test]
fn whoever_waits_for_room_is_refused_if_there_comes_none() {
    let kept = Memory::new();
    let (store, _) = History::new(1).open_as(kept.clone(), Durability::Never).unwrap();
    kept.fail_from(0, Fault::Full);
    store.kv().set("a", vec![7; 17 << 20]).unwrap();
    assert!(matches!(store.kv().set("b", 1), Err(Error::ReadOnly(_))));
    assert_eq!(store.kv().get("b"), Ok(None));
}

#[test]
fn a_sync_that_always_fails_refuses_writes_and_closing_says_so() {
    for durability in [Durability::Always, Durability::EverySecond] {
        let kept = Memory::new();
        let store = Disk::Memory(kept.clone(), Fault::FailedSync).open(durability).unwrap();
        kept.fail_from(0, Fault::FailedSync);
        let _ = store.kv().set("a", 1);
        assert!(matches!(store.sync(), Err(Error::Indeterminate(_))));
        eventually("a refusal", || matches!(store.kv().set("a", 1), Err(Error::ReadOnly(_))));
        assert!(matches!(store.snapshot(), Err(Error::Io { .. })));
        for _ in 0..2 {
            assert!(matches!(store.close(), Err(Error::Indeterminate(_))));
        }
    }
}

/// A write that was let in before the store was closed, and comes to the log after.
#[test]
fn what_comes_too_late_is_not_acknowledged_even_if_closing_fails() {
    for durability in ALL {
        let kept = Memory::new();
        let store = Disk::Memory(kept.clone(), Fault::Full).open(durability).unwrap();
        let ((entered, has_entered), (go, may_go)) = (channel(), channel::<()>());
        thread::scope(|scope| {
            let store = &store;
            let late = scope.spawn(move || {
                store.transaction(&["a"], |tx| {
                    entered.send(()).expect("somebody listens");
                    may_go.recv().expect("somebody says so");
                    tx.kv().set("a", 1)
                })
            });
            has_entered.recv().expect("it enters");
            store.kv().set("b", 1).ok();
            kept.fail_from(0, Fault::Full);
            store.kv().set("c", 1).ok();
            eventually("trouble", || store.persistence_stats().unwrap().refusal.is_some());
            assert!(matches!(store.close(), Err(Error::Indeterminate(_))));
            go.send(()).expect("it waits");
            let told = late.join().expect("no panic");
            assert!(matches!(told, Err(Error::Indeterminate(_))), "{durability:?}: {told:?}");
        });
    }
}

/// Keys that expire are recorded by nobody who would wait for the log.
#[test]
fn what_expires_does_not_pile_up_where_nobody_writes() {
    let clock = ManualClock::new();
    let kept = Memory::new();
    let builder = Store::builder().clock(&clock).persistence(kept.clone());
    let store = builder.durability(Durability::Always).rewrite_above(u64::MAX).open().unwrap();
    let (name, number) = ("k".repeat(40_000), 900);
    let batch = store.batch();
    for at in 0..number {
        batch.kv().set_for(format!("{name}{at}"), 1, Duration::from_secs(1));
    }
    batch.exec().unwrap();
    let length = || kept.edit_segment(1, |bytes| bytes.len()).unwrap();
    let before = length();
    clock.advance(Duration::from_secs(2));
    assert_eq!(store.stats().keys, 0);
    eventually("a write", || length() > before + number * name.len() / 2);
}

/// Keeps in memory; the current segment takes nothing more, once that is asked for.
#[derive(Clone, Default)]
struct Worn {
    kept: Memory,
    takes_no_more: sync::Arc<sync::AtomicBool>,
    /// How often it can be cut before that fails, once.
    cuts: sync::Arc<Mutex<Option<u32>>>,
}

impl Persistence for Worn {
    fn open(&self) -> io::Result<Kept> {
        self.kept.open()
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        if self.takes_no_more.load(sync::Ordering::SeqCst) {
            self.kept.append(&bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.kept.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.kept.sync()
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        let mut cuts = self.cuts.lock().unwrap();
        let fails = *cuts == Some(0);
        *cuts = cuts.and_then(|left| left.checked_sub(1));
        if fails {
            self.kept.fail_from(0, Fault::FailedSync);
        }
        let cut = self.kept.truncate(length, tail);
        if fails {
            self.kept.heal();
        }
        cut
    }

    fn rotate(&self) -> io::Result<u64> {
        self.takes_no_more.store(false, sync::Ordering::SeqCst);
        self.kept.rotate()
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        self.kept.snapshot()
    }
}

/// Writes until the segment takes nothing more, and on; then the power goes. Answers what is found.
fn wear_out(worn: &Worn, durability: Durability) -> Store {
    let store = Store::builder().persistence(worn.clone()).durability(durability).open().unwrap();
    store.kv().set("a", 1).unwrap();
    store.sync().unwrap();
    worn.takes_no_more.store(true, sync::Ordering::SeqCst);
    let told = store.kv().set("a", 2);
    assert!(matches!(told, Ok(()) | Err(Error::Indeterminate(_))), "{told:?}");
    eventually("a write", || store.kv().set("b", 3).is_ok() && store.sync().is_ok());
    drop(store);
    worn.kept.crash();
    let found = Store::builder().persistence(worn.kept.clone()).open().unwrap();
    assert_eq!((found.kv().get_as("a"), found.kv().get_as("b")), (Ok(Some(2)), Ok(Some(3))));
    found
}

#[test]
fn a_segment_that_takes_no_more_is_followed_by_another() {
    for durability in ALL {
        let found = wear_out(&Worn::default(), durability);
        assert_eq!(found.recovery().unwrap().snapshot_keys, 0, "no snapshot was needed");
    }
}

#[test]
fn a_segment_begun_while_a_snapshot_is_written_still_counts() {
    let worn = Worn::default();
    let (store, _) = History::new(1).open_as(worn.clone(), Durability::Os).unwrap();
    let log = store.log().unwrap();
    let begun = log.begin_rewrite().unwrap();
    store.kv().set("before", vec![b'a'; 100_000]).unwrap();
    worn.takes_no_more.store(true, sync::Ordering::SeqCst);
    assert!(store.kv().set("after", 2).is_err());
    log.retry().unwrap();
    log.end_rewrite(begun).unwrap();
    log.sync().unwrap();
    let counted = log.sizes().log;
    worn.kept.crash();
    let kept = worn.kept.open().unwrap().segments;
    assert_eq!(kept.iter().map(|segment| segment.source.length).sum::<u64>(), counted);
    assert!(counted > 100_000);
}

#[test]
fn a_snapshot_takes_the_place_of_what_a_failed_one_has_left() {
    let (store, _) = History::new(1).open_as(Memory::new(), Durability::EverySecond).unwrap();
    let log = store.log().unwrap();
    store.kv().set("a", 1).unwrap();
    drop(log.begin_rewrite().unwrap());
    store.kv().set("a", 2).unwrap();
    log.sync().unwrap();
    assert!(log.sizes().log > 0);
    let begun = log.begin_rewrite().unwrap();
    log.end_rewrite(begun).unwrap();
    assert_eq!(log.sizes().log, 0);
}

/// The keeper has seen that it was stuck; before it has come to try again, it was lost.
#[test]
fn what_is_lost_is_not_let_go_by_a_retry() {
    let kept = Memory::new();
    let (store, _) = History::new(1).open(kept.clone()).unwrap();
    let log = store.log().unwrap();
    kept.fail_from(0, Fault::FailedSync);
    assert!(store.kv().set("a", 1).is_err());
    kept.heal();
    assert!(log.turn().unwrap().writer().is_lost());
    log.retry().unwrap();
    assert!(matches!(store.kv().set("a", 2), Err(Error::ReadOnly(_))));
    log.rewrite(Occasion::Rewrite).unwrap();
    store.kv().set("a", 3).unwrap();
}

/// The cut that has to come before another segment loses the current one.
#[test]
fn a_segment_that_is_lost_in_a_retry_is_made_good_by_a_snapshot() {
    for durability in ALL {
        let worn = Worn::default();
        *worn.cuts.lock().unwrap() = Some(1);
        let found = wear_out(&worn, durability);
        assert_eq!(*worn.cuts.lock().unwrap(), None);
        assert!(found.recovery().unwrap().snapshot_keys > 0, "it was lost");
    }
}
