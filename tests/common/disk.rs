//! A persistence that takes its time.

#![allow(dead_code, reason = "other tests use the rest")]

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::persist::{Kept, Memory, Persistence, Snapshot, Tail};

/// Keeps in memory, as slowly as a disk does, and tells of it.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub(crate) memory: Memory,
    /// How many there have been.
    pub(crate) syncs: Arc<AtomicU64>,
    /// Whether a sync takes some milliseconds.
    pub(crate) is_slow: Arc<AtomicBool>,
    /// A snapshot is committed when this has heard or lost its sender.
    gate: Arc<Mutex<Option<Receiver<()>>>>,
}

impl Disk {
    /// Has the next snapshot wait until the answer is dropped.
    pub(crate) fn shut(&self) -> Sender<()> {
        let (sender, receiver) = channel();
        *self.gate.lock().unwrap() = Some(receiver);
        sender
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
        self.memory.sync()
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        self.memory.truncate(length, tail)
    }

    fn rotate(&self) -> io::Result<u64> {
        self.memory.rotate()
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        let gate = self.gate.lock().unwrap().take();
        Ok(Box::new(Slow { snapshot: self.memory.snapshot()?, gate }))
    }
}

struct Slow {
    snapshot: Box<dyn Snapshot>,
    gate: Option<Receiver<()>>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.snapshot.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.snapshot.flush()
    }
}

impl Snapshot for Slow {
    fn commit(self: Box<Self>) -> io::Result<()> {
        if let Some(gate) = self.gate {
            // An error is what opens it.
            let _ = gate.recv();
        }
        self.snapshot.commit()
    }
}
