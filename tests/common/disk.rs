//! A persistence in memory that takes its time, as a disk does, and tells of it.
//!
//! The unit tests of sessions and of the log share this file.

#![allow(dead_code, reason = "other tests use the rest")]

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::persist::{Kept, Memory, Persistence, Snapshot, Tail};

/// Clones share everything.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) memory: Memory,
    /// How many syncs there have been.
    pub(crate) syncs: Arc<AtomicU64>,
    /// Whether a sync takes some milliseconds.
    pub(crate) is_slow: Arc<AtomicBool>,
    /// Where syncs wait.
    pub(crate) sync_gate: Arc<Gate>,
    /// Where snapshots wait to be committed.
    pub(crate) snapshot_gate: Arc<Gate>,
}

/// Lets all pass, or none until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    is_shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(crate) fn shut(&self) {
        *self.is_shut.lock().unwrap() = true;
    }

    pub(crate) fn open(&self) {
        *self.is_shut.lock().unwrap() = false;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let is_shut = self.is_shut.lock().unwrap();
        drop(self.opened.wait_while(is_shut, |is_shut| *is_shut).unwrap());
    }
}

impl Persistence for Disk {
    fn open(&self) -> io::Result<Kept> {
        self.memory.open()
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.memory.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        if self.is_slow.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.sync_gate.pass();
        self.memory.sync()
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        self.memory.truncate(length, tail)
    }

    fn rotate(&self) -> io::Result<u64> {
        self.memory.rotate()
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        let snapshot = self.memory.snapshot()?;
        Ok(Box::new(Gated { snapshot, gate: Arc::clone(&self.snapshot_gate) }))
    }
}

struct Gated {
    snapshot: Box<dyn Snapshot>,
    gate: Arc<Gate>,
}

impl Write for Gated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.snapshot.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.snapshot.flush()
    }
}

impl Snapshot for Gated {
    fn commit(self: Box<Self>) -> io::Result<()> {
        self.gate.pass();
        self.snapshot.commit()
    }
}
