//! A persistence that keeps its bytes in memory, fails when it is told to, and crashes like a
//! machine.
//!
//! Invariants: segments ascend by one in number; only the last has bytes that are not synced,
//! unless its sync failed; at most one clone has the bytes open.
//!
//! Every call takes one lock for as long as it copies bytes.

use std::fmt;
use std::io::{self, ErrorKind, Write};

use super::frame::SECTOR;
use super::{Kept, Persistence, Segment, Snapshot, Source, Tail};
use crate::random::Random;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering};

/// Keeps what a store persists in memory, for tests.
///
/// Clones share what is kept, so that a store can be opened again on what another has left:
///
/// ```
/// use larder::persist::{Memory, Persistence};
///
/// let kept = Memory::new();
/// {
///     let first = kept.clone();
///     first.open()?;
///     first.rotate()?;
///     first.append(b"one ")?;
///     first.sync()?;
///     first.append(b"two")?;
/// }
/// kept.crash();
/// let found = kept.clone().open()?;
/// let mut bytes = Vec::new();
/// found.segments.into_iter().next().unwrap().source.reader.read_to_end(&mut bytes)?;
/// assert_eq!(bytes, b"one ");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Memory {
    state: Arc<Mutex<State>>,
    /// The life in which this clone has opened it; zero if it has not.
    life: AtomicU64,
}

/// What a call of [`Memory`] fails with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Any call: an error of the device; nothing was done.
    Io,
    /// A call that writes: the disk is full; half of the bytes were written.
    Full,
    /// A call that writes: half of the bytes were written.
    ShortWrite,
    /// A call that makes something durable: whether it is durable is not known.
    FailedSync,
}

/// What a call does, which decides by what it can fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Write,
    Sync,
    Other,
}

#[derive(Default)]
struct State {
    snapshot: Option<Vec<u8>>,
    segments: Vec<Log>,
    broken: Vec<Vec<u8>>,
    /// The segment whose sync has failed, until a snapshot has taken its place.
    failed: Option<u64>,
    /// Crashes and openings so far: what was opened in an earlier life is of no use.
    life: u64,
    open: bool,
    snapshot_under_way: bool,
    plan: Option<Plan>,
}

struct Log {
    number: u64,
    bytes: Vec<u8>,
    synced: usize,
}

/// A fault to come.
struct Plan {
    fault: Fault,
    /// Calls to pass before it.
    skip: u64,
    once: bool,
}

impl Memory {
    /// With nothing kept.
    pub fn new() -> Self {
        Self { state: Arc::default(), life: AtomicU64::new(0) }
    }

    /// Lets one call fail, once `skip` others have passed. Counted are the calls that can fail so,
    /// of all clones.
    pub fn fail_after(&self, skip: u64, fault: Fault) {
        self.state.lock().plan = Some(Plan { fault, skip, once: true });
    }

    /// Lets all calls fail, once `skip` others have passed, until [`heal`](Self::heal).
    pub fn fail_from(&self, skip: u64, fault: Fault) {
        self.state.lock().plan = Some(Plan { fault, skip, once: false });
    }

    /// Takes back a fault. Answers whether it has yet to happen.
    pub fn heal(&self) -> bool {
        self.state.lock().plan.take().is_some_and(|plan| plan.once)
    }

    /// Crashes the machine, to the effect that nothing is left of what was not synced. Whoever had
    /// it open gets errors from now on.
    pub fn crash(&self) {
        self.state.lock().crash(|log| log.bytes.truncate(log.synced));
    }

    /// Crashes the machine, to the effect that of what was not synced a part is left that follows
    /// from `seed`: some sectors, with zeros in the place of others.
    pub fn crash_with(&self, seed: u64) {
        let mut random = Random::seeded(seed);
        self.state.lock().crash(|log| log.lose(&mut random));
    }

    /// The numbers of the segments.
    pub fn segments(&self) -> Vec<u64> {
        self.state.lock().segments.iter().map(|log| log.number).collect()
    }

    /// Runs `edit` on the bytes of a segment, to look at them or to damage them; `None` if there is
    /// no such segment.
    pub fn edit_segment<R>(&self, number: u64, edit: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        let mut state = self.state.lock();
        let log = state.segments.iter_mut().find(|log| log.number == number)?;
        let answer = edit(&mut log.bytes);
        log.synced = log.synced.min(log.bytes.len());
        Some(answer)
    }

    /// Runs `edit` on the bytes of the snapshot; `None` if there is none.
    pub fn edit_snapshot<R>(&self, edit: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        self.state.lock().snapshot.as_mut().map(edit)
    }

    /// What [`Persistence::truncate`] was told to keep, oldest first.
    pub fn broken(&self) -> Vec<Vec<u8>> {
        self.state.lock().broken.clone()
    }

    /// The state, if this clone is the one that has it open.
    fn enter(&self, call: Call) -> io::Result<(MutexGuard<'_, State>, Option<Fault>)> {
        let mut state = self.state.lock();
        state.check_life(self.life.load(Ordering::Relaxed))?;
        let fault = state.fault(call);
        match fault {
            Some(Fault::Io) => Err(injected(Fault::Io)),
            _ => Ok((state, fault)),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Shares what is kept. The clone has not opened it.
impl Clone for Memory {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), life: AtomicU64::new(0) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if state.open && *self.life.get_mut() == state.life {
            state.open = false;
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        let lengths = state.segments.iter().map(|log| (log.number, log.bytes.len()));
        f.debug_struct("Memory")
            .field("snapshot", &state.snapshot.as_ref().map(Vec::len))
            .field("segments", &lengths.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Persistence for Memory {
    fn open(&self) -> io::Result<Kept> {
        let mut state = self.state.lock();
        if state.open {
            return Err(io::Error::new(ErrorKind::ResourceBusy, "the memory is open already"));
        }
        if state.fault(Call::Other).is_some() {
            return Err(injected(Fault::Io));
        }
        state.forget_unlisted();
        state.life += 1;
        state.open = true;
        state.snapshot_under_way = false;
        self.life.store(state.life, Ordering::Relaxed);
        let snapshot = state.snapshot.clone().map(|bytes| source("snapshot".to_owned(), bytes));
        let segments = state.segments.iter().map(|log| Segment {
            number: log.number,
            source: source(format!("segment {}", log.number), log.bytes.clone()),
        });
        Ok(Kept { snapshot, segments: segments.collect() })
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::Write)?;
        state.check_sync()?;
        let log = state.current()?;
        match fault {
            None => log.bytes.extend_from_slice(bytes),
            Some(fault) => {
                log.bytes.extend_from_slice(&bytes[..bytes.len() / 2]);
                return Err(injected(fault));
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::Sync)?;
        state.check_sync()?;
        state.sync(fault)
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        let (mut state, fault) = self.enter(Call::Sync)?;
        if fault.is_some() {
            // Whether the cut is durable is not known.
            return state.sync(fault);
        }
        let log = state.current()?;
        let length = usize::try_from(length).ok().filter(|length| *length <= log.bytes.len());
        let Some(length) = length else {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the segment is shorter"));
        };
        let cut = log.bytes.split_off(length);
        log.synced = log.synced.min(length);
        if tail == Tail::Keep && !cut.is_empty() {
            state.broken.push(cut);
        }
        Ok(())
    }

    fn rotate(&self) -> io::Result<u64> {
        let (mut state, fault) = self.enter(Call::Sync)?;
        if state.failed.is_none() && !state.segments.is_empty() {
            state.sync(fault)?;
        }
        let number = state.segments.last().map_or(0, |log| log.number) + 1;
        state.segments.push(Log { number, bytes: Vec::new(), synced: 0 });
        Ok(number)
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        let (mut state, fault) = self.enter(Call::Other)?;
        if let Some(fault) = fault {
            return Err(injected(fault));
        }
        if state.snapshot_under_way {
            return Err(io::Error::new(ErrorKind::ResourceBusy, "a snapshot is being written"));
        }
        let first = state.current()?.number;
        state.snapshot_under_way = true;
        let life = state.life;
        Ok(Box::new(MemorySnapshot { state: self.state.clone(), life, first, bytes: Vec::new() }))
    }
}

impl State {
    fn check_life(&self, life: u64) -> io::Result<()> {
        match life == self.life && self.open {
            true => Ok(()),
            false => Err(io::Error::other("this clone has not opened the memory, or it crashed")),
        }
    }

    fn check_sync(&self) -> io::Result<()> {
        match self.failed {
            None => Ok(()),
            Some(_) => Err(io::Error::other("a sync has failed: only a snapshot helps")),
        }
    }

    /// The fault that is planned for this call.
    fn fault(&mut self, call: Call) -> Option<Fault> {
        let plan = self.plan.as_mut()?;
        let concerned = match plan.fault {
            Fault::Io => true,
            Fault::Full | Fault::ShortWrite => call == Call::Write,
            Fault::FailedSync => call == Call::Sync,
        };
        if !concerned {
            return None;
        }
        if plan.skip > 0 {
            plan.skip -= 1;
            return None;
        }
        let fault = plan.fault;
        if plan.once {
            self.plan = None;
        }
        Some(fault)
    }

    fn current(&mut self) -> io::Result<&mut Log> {
        let none = || io::Error::new(ErrorKind::NotFound, "there is no segment yet");
        self.segments.last_mut().ok_or_else(none)
    }

    fn sync(&mut self, fault: Option<Fault>) -> io::Result<()> {
        let log = self.current()?;
        if let Some(fault) = fault {
            self.failed = Some(log.number);
            return Err(injected(fault));
        }
        log.synced = log.bytes.len();
        Ok(())
    }

    /// Forgets segments that no snapshot has made part of what is kept.
    fn forget_unlisted(&mut self) {
        if let Some(failed) = self.failed.take() {
            self.segments.retain(|log| log.number <= failed);
        }
    }

    fn crash(&mut self, lose: impl FnMut(&mut Log)) {
        self.forget_unlisted();
        self.segments.iter_mut().for_each(lose);
        for log in &mut self.segments {
            log.synced = log.bytes.len();
        }
        self.life += 1;
        self.open = false;
    }
}

impl Log {
    /// Keeps some of what is not synced.
    fn lose(&mut self, random: &mut Random) {
        let length = self.synced + random.below(self.bytes.len() - self.synced + 1);
        self.bytes.truncate(length);
        let mut at = self.synced;
        while at < self.bytes.len() {
            let end = ((at + 1).next_multiple_of(SECTOR as usize)).min(self.bytes.len());
            if random.below(2) == 0 {
                self.bytes[at..end].fill(0);
            }
            at = end;
        }
    }
}

struct MemorySnapshot {
    state: Arc<Mutex<State>>,
    life: u64,
    /// The first segment that it does not replace.
    first: u64,
    bytes: Vec<u8>,
}

impl MemorySnapshot {
    fn enter(&self, call: Call) -> io::Result<(MutexGuard<'_, State>, Option<Fault>)> {
        let mut state = self.state.lock();
        state.check_life(self.life)?;
        let fault = state.fault(call);
        Ok((state, fault))
    }
}

impl Write for MemorySnapshot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let (_, Some(fault)) = self.enter(Call::Write)? {
            return Err(injected(fault));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Snapshot for MemorySnapshot {
    fn commit(mut self: Box<Self>) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.bytes);
        let (mut state, fault) = self.enter(Call::Sync)?;
        if let Some(fault) = fault {
            return Err(injected(fault));
        }
        state.snapshot = Some(bytes);
        state.segments.retain(|log| log.number >= self.first);
        state.failed = state.failed.filter(|failed| *failed >= self.first);
        Ok(())
    }
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        if state.life == self.life {
            state.snapshot_under_way = false;
        }
    }
}

fn source(name: String, bytes: Vec<u8>) -> Source {
    let length = bytes.len() as u64;
    Source { reader: Box::new(io::Cursor::new(bytes)), length, name }
}

fn injected(fault: Fault) -> io::Error {
    match fault {
        Fault::Io => io::Error::other("an error of the device, injected"),
        Fault::Full => io::Error::new(ErrorKind::StorageFull, "the disk is full, injected"),
        Fault::ShortWrite => io::Error::new(ErrorKind::WriteZero, "a short write, injected"),
        Fault::FailedSync => io::Error::other("a failed sync, injected"),
    }
}
