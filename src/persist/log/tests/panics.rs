//! Code of a caller's that panics: the persistence, who hears of progress, who writes.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::faults::eventually;
use super::*;
use crate::Error;
use crate::persist::{Kept, Memory, Snapshot, Stage, Tail};
use crate::sync::{Arc, AtomicBool, Ordering};

/// Keeps in memory; the next append panics half done, once that is asked for.
#[derive(Clone, Default)]
struct Fragile {
    kept: Memory,
    panics: Arc<AtomicBool>,
}

impl Persistence for Fragile {
    fn open(&self) -> io::Result<Kept> {
        self.kept.open()
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        if self.panics.swap(false, Ordering::SeqCst) {
            self.kept.append(&bytes[..bytes.len() / 2])?;
            panic!("as was asked for");
        }
        self.kept.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.kept.sync()
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        self.kept.truncate(length, tail)
    }

    fn rotate(&self) -> io::Result<u64> {
        self.kept.rotate()
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        self.kept.snapshot()
    }
}

#[test]
fn a_persistence_that_panics_while_nobody_waits_is_made_good() {
    let fragile = Fragile::default();
    let builder = Store::builder().persistence(fragile.clone());
    let store = builder.durability(Durability::Never).open().unwrap();
    fragile.panics.store(true, Ordering::SeqCst);
    store.kv().set("a", 1).unwrap();
    eventually("a panic", || !fragile.panics.load(Ordering::SeqCst));
    eventually("a snapshot", || fragile.kept.edit_snapshot(|_| ()).is_some());
    eventually("a write", || store.kv().set("b", 1).is_ok());
    store.sync().unwrap();
}

#[test]
fn what_a_panic_has_left_half_done_is_cut_off_before_another_segment_follows() {
    let fragile = Fragile::default();
    let (store, _) = History::new(1).open_as(fragile.clone(), Durability::EverySecond).unwrap();
    store.kv().set("a", 1).unwrap();
    store.sync().unwrap();
    fragile.panics.store(true, Ordering::SeqCst);
    store.kv().set("a", 2).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| store.sync())).is_err());
    // The snapshot that makes good for it is never committed.
    drop(store.log().unwrap().begin_rewrite().unwrap());
    fragile.kept.crash();
    let found = Store::builder().persistence(fragile.kept.clone()).open().unwrap();
    assert_eq!(found.kv().get_as("a"), Ok(Some(1)));
}

#[test]
fn a_snapshot_that_panics_is_an_error_and_the_log_is_rewritten_later() {
    let builder = Store::builder().persistence(Memory::new()).rewrite_above(1000);
    let builder = builder.progress(|progress| assert_ne!(progress.stage, Stage::Snapshot));
    let store = builder.open().unwrap();
    store.kv().set("a", 1).unwrap();
    assert!(matches!(store.snapshot(), Err(Error::Io { .. })));
    let log = store.log().unwrap();
    assert_eq!(log.report().past.failed, 1);
    store.kv().set("a", "x".repeat(1000)).unwrap();
    eventually("another snapshot", || log.report().past.failed > 1);
    store.close().unwrap();
}

/// Writes when it is dropped.
struct Writes(Store);

impl Drop for Writes {
    fn drop(&mut self) {
        self.0.kv().set("dropped", 1).expect("a store that goes on");
    }
}

#[test]
fn who_writes_while_he_unwinds_is_no_persistence_that_panics() {
    let kept = Memory::new();
    let builder = Store::builder().persistence(kept.clone());
    let store = builder.durability(Durability::Always).open().unwrap();
    let unwinding = || {
        let _writes = Writes(store.clone());
        panic!("of something else");
    };
    assert!(catch_unwind(AssertUnwindSafe(unwinding)).is_err());
    assert_eq!(store.log().unwrap().refusal(), None);
    store.kv().set("after", 1).unwrap();
}
