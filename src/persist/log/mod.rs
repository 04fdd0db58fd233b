//! The log of a store: its journal, kept by a [`Persistence`].
//!
//! Records get into a buffer under the locks of what they tell of, in that order. Whoever
//! needs them kept takes the *turn*: he writes all that the buffer holds as one frame, syncs it if
//! that was asked for, and wakes those whose records he has written with his. So writers that wait
//! at the same time share one write and one sync, and no thread stands between them and the disk.
//! Where nobody waits, the [keeper](keeper)'s thread has the turn now and then.
//!
//! # Invariants
//!
//! - The segments hold the records in the order of their positions: a record is written once, after
//!   all those before it.
//! - `written` and `durable` ascend, and no record at or before them is taken by the crash that
//!   each is about.
//! - While there is trouble nothing is admitted, and nobody waits for what may never be written.
//!
//! # Locks
//!
//! The turn, then those of shards, then `pending`. The turn is taken with no lock held. `desk` is
//! held only for an instant, and nothing is locked under it but `pending`.

mod keeper;
#[cfg(all(test, shuttle))]
mod models;
mod opening;
mod pending;
#[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
mod report;
mod rewrite;
mod schedule;
mod snapshots;
#[cfg(test)]
mod tests;
mod vigil;
mod writer;

use std::io;
use std::time::Duration;

pub(crate) use keeper::Keeper;
pub(crate) use opening::open;
pub(crate) use report::Report;
use report::Syncs;
#[cfg_attr(not(feature = "session"), allow(unused_imports, reason = "clients are a feature"))]
pub(crate) use schedule::{Growth, SavePoint};
pub(crate) use snapshots::Occasion;
use writer::Sizes;

use self::keeper::Alarm;
use self::pending::{Pending, TOO_LATE};
use self::schedule::Schedule;
use self::snapshots::Snapshots;
use self::vigil::Vigil;
use self::writer::{Trouble, Writer};
use super::Location;
use super::settings::{Durability, Settings};
use crate::argv::Argv;
use crate::error::{Error, Result};
use crate::keyspace::access::{Access, Demand, Extent, Locked, WriteMany};
use crate::keyspace::effect::Effect;
use crate::keyspace::journal::{Journal, Record};
use crate::keyspace::{After, Databases, Space};
use crate::sync::atomic::AtomicU8;
use crate::sync::thread::ThreadId;
use crate::sync::{
    Arc, AtomicBool, AtomicU64, Latch, Mutex, MutexGuard, Ordering, Weak, thread, yield_until,
};
use crate::wire::effect;

/// What is said of a log that was closed.
const CLOSED: &str = "the store was closed";

/// What is said to a persistence that would have to wait for itself.
const REENTERED: &str = "the persistence has called the store that it keeps";

/// What is said when code of a caller's has panicked.
const PANICKED: &str = "the persistence has panicked";

/// The journal of a store, and what keeps it.
pub(crate) struct Log {
    settings: Settings,
    /// The current one; that of the settings is what it was to begin with.
    durability: AtomicU8,
    /// Where files of Redis's are, if there are any.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "told to clients"))]
    location: Option<Location>,
    databases: Weak<Databases>,
    pending: Mutex<Pending>,
    /// Whether whoever wants to write has to look closer.
    is_shut: AtomicBool,
    /// Records up to here outlive the process.
    written: AtomicU64,
    /// Records up to here outlive the machine.
    durable: AtomicU64,
    desk: Mutex<Desk>,
    alarm: Alarm,
    snapshots: Snapshots,
    schedule: Schedule,
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    syncs: Mutex<Syncs>,
}

/// Where the turn lies while nobody has it.
struct Desk {
    writer: Option<Box<Writer>>,
    /// Who has the turn.
    holder: Option<ThreadId>,
    /// What the log has grown to, as of the last write.
    sizes: Sizes,
    /// Opens when the turn is given back; each who waits for that has a share.
    ///
    /// A condition variable would have all who are woken take the desk's lock one after the other,
    /// and each of them wake the next.
    given_back: Arc<Latch>,
    /// How long those who wait for a sync stay awake.
    vigil: Vigil,
    /// Why nothing is written, as of when the turn was given back.
    trouble: Option<String>,
    is_closed: bool,
}

/// What a position is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Written,
    Durable,
}

impl Log {
    fn new(
        settings: Settings,
        location: Option<Location>,
        writer: Writer,
        alarm: Alarm,
        databases: &Arc<Databases>,
    ) -> Self {
        let snapshots = Snapshots::default();
        snapshots.begin(databases.clock.wall());
        Self {
            durability: AtomicU8::new(settings.durability as u8),
            schedule: Schedule::new(Growth::above(settings.rewrite_above)),
            location,
            databases: Arc::downgrade(databases),
            pending: Mutex::new(Pending::new()),
            is_shut: AtomicBool::new(false),
            written: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            desk: Mutex::new(Desk {
                sizes: writer.sizes(),
                writer: Some(Box::new(writer)),
                holder: None,
                given_back: Arc::default(),
                vigil: Vigil::new(settings.stays_awake),
                trouble: None,
                is_closed: false,
            }),
            alarm,
            snapshots,
            syncs: Mutex::default(),
            settings,
        }
    }

    /// Makes all that has been recorded durable.
    ///
    /// # Errors
    ///
    /// [`Error::Indeterminate`] if it is not known whether it is.
    pub(crate) fn sync(&self) -> Result<()> {
        self.reach(self.end(), Goal::Durable)
    }

    /// Runs what reads back all that is kept and changes the store, at one instant at which all of
    /// it is durable.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::ReadOnly`] if it cannot be made so, and those of `run`.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    pub(crate) fn at_rest<R>(
        &self,
        databases: &Databases,
        run: impl FnOnce(&mut Locked<'_>) -> Result<R>,
    ) -> Result<R> {
        let mut turn = self.turn().ok_or_else(keeper::closed)?;
        // So that little is left to write at the instant itself.
        turn.advance(Goal::Durable)?;
        let space = Space::new(databases, 0);
        let mut demand = Demand::default();
        WriteMany::demand(space, Extent::Everything, &mut demand);
        // The journal is not asked: to write what is pending may take the turn.
        let mut locked = demand.lock(space);
        turn.advance(Goal::Durable)?;
        drop(turn);
        let answer = run(&mut locked);
        let mut after = After::default();
        locked.release(&mut after);
        after.settle_with(databases, answer)
    }

    /// What the log has grown to, but for a write that is under way.
    pub(crate) fn sizes(&self) -> Sizes {
        self.desk.lock().sizes
    }

    pub(crate) fn durability(&self) -> Durability {
        const ALL: [Durability; 4] =
            [Durability::Always, Durability::Os, Durability::EverySecond, Durability::Never];
        let current = self.durability.load(Ordering::Relaxed);
        ALL.into_iter().find(|one| *one as u8 == current).unwrap_or_default()
    }

    fn has_reached(&self, position: u64, goal: Goal) -> bool {
        let reached = match goal {
            Goal::Written => &self.written,
            Goal::Durable => &self.durable,
        };
        reached.load(Ordering::Acquire) >= position
    }

    /// Waits until a position has reached the goal, and brings it there if it is this thread's
    /// turn.
    fn reach(&self, position: u64, goal: Goal) -> Result<()> {
        while !self.has_reached(position, goal) {
            let mut desk = self.desk.lock();
            // Whoever has just given back the turn may have done it.
            if self.has_reached(position, goal) {
                return Ok(());
            }
            if let Some(reason) = desk.refusal() {
                return Err(Error::Indeterminate(reason.to_owned()));
            }
            let Some(writer) = desk.take_turn() else {
                let awake = match goal {
                    Goal::Written => Duration::ZERO,
                    Goal::Durable => desk.vigil.length(desk.waiting()),
                };
                self.wait(desk, awake);
                continue;
            };
            drop(desk);
            let mut turn = Turn::new(self, writer);
            if goal == Goal::Durable {
                turn.await_others();
            }
            // What goes wrong is trouble, which is seen when this comes round again.
            let _ = turn.advance(goal);
        }
        Ok(())
    }

    /// Whether this thread has the turn, so that the caller is the persistence.
    fn is_reentered(&self) -> bool {
        self.desk.lock().is_held_here()
    }

    /// Waits for the turn; `None` if the log was closed, or if it is the persistence that asks.
    fn turn(&self) -> Option<Turn<'_>> {
        loop {
            let mut desk = self.desk.lock();
            if desk.is_closed || desk.is_held_here() {
                return None;
            }
            match desk.take_turn() {
                Some(writer) => return Some(Turn::new(self, writer)),
                None => self.wait(desk, Duration::ZERO),
            }
        }
    }

    /// Lets go of the desk and waits until the turn is given back, awake for so long at most.
    fn wait(&self, desk: MutexGuard<'_, Desk>, awake: Duration) {
        let given_back = Arc::clone(&desk.given_back);
        drop(desk);
        let slowest = yield_until(|| given_back.is_open(), awake);
        if Vigil::is_slow(slowest) {
            self.desk.lock().vigil.suspend(slowest);
        }
        given_back.wait();
    }

    /// Adds to what is pending.
    #[inline]
    fn add(&self, add: impl FnOnce(&mut Pending) -> u64) -> u64 {
        let mut pending = self.pending.lock();
        let end = add(&mut pending);
        if pending.is_full() {
            self.update_shut(&pending);
            // Perhaps of what has expired, and nobody waits for that.
            self.alarm.ring();
        }
        end
    }

    /// Lets writers in, or keeps them out, as it follows from what is pending.
    fn update_shut(&self, pending: &MutexGuard<'_, Pending>) {
        let is_shut = pending.is_full() || pending.refusal.is_some();
        self.is_shut.store(is_shut, Ordering::Release);
    }

    /// Keeps writers out for this reason, or lets them in again.
    fn refuse(&self, reason: Option<String>) {
        let mut pending = self.pending.lock();
        if pending.refusal.as_deref() != Some(CLOSED) {
            pending.refusal = reason;
        }
        self.update_shut(&pending);
    }

    /// Waits until writers may come in.
    #[cold]
    fn admit_slowly(&self) -> Result<()> {
        loop {
            let pending = self.pending.lock();
            if let Some(reason) = &pending.refusal {
                return Err(Error::ReadOnly(reason.clone()));
            }
            if !pending.is_full() {
                return Ok(());
            }
            let end = pending.end();
            drop(pending);
            if self.is_reentered() {
                return Err(Error::ReadOnly(REENTERED.to_owned()));
            }
            // If that fails there is a refusal, unless it is mended by now.
            let _ = self.reach(end, Goal::Written);
        }
    }
}

impl Desk {
    /// Lets go of the desk and wakes all who wait.
    fn wake_all(mut desk: MutexGuard<'_, Self>) {
        if desk.waiting() > 0 {
            let given_back = std::mem::take(&mut desk.given_back);
            drop(desk);
            given_back.open();
        }
    }

    /// How many wait until the turn is given back.
    fn waiting(&self) -> usize {
        Arc::strong_count(&self.given_back) - 1
    }

    fn take_turn(&mut self) -> Option<Box<Writer>> {
        let writer = self.writer.take()?;
        self.holder = Some(thread::current().id());
        Some(writer)
    }

    fn is_held_here(&self) -> bool {
        self.holder.is_some_and(|holder| holder == thread::current().id())
    }

    /// Why it is of no use to wait for the turn.
    fn refusal(&self) -> Option<&str> {
        if self.is_closed {
            Some(CLOSED)
        } else if self.is_held_here() {
            Some(REENTERED)
        } else {
            self.trouble.as_deref()
        }
    }
}

impl Journal for Log {
    #[inline]
    fn admit(&self) -> Result<()> {
        if self.is_shut.load(Ordering::Acquire) { self.admit_slowly() } else { Ok(()) }
    }

    #[inline]
    fn spell(&self, record: &mut Record, key: &[u8], effect: &Effect<'_>) {
        effect::spell(record, key, effect);
    }

    fn append(&self, record: &mut Record) -> u64 {
        self.add(|pending| pending.push(record))
    }

    fn append_set(&self, database: u16, key: &[u8], value: &[u8], unix_ms: Option<i64>) -> u64 {
        let write = |argv: &mut Argv| effect::spell_set(argv, key, value, unix_ms);
        self.add(|pending| pending.push_command(database, write))
    }

    fn acknowledge(&self, position: u64) -> Result<()> {
        match self.durability() {
            Durability::Always => self.reach(position, Goal::Durable),
            Durability::Os => self.reach(position, Goal::Written),
            Durability::EverySecond | Durability::Never if position == TOO_LATE => {
                Err(Error::Indeterminate(CLOSED.to_owned()))
            }
            Durability::EverySecond | Durability::Never => {
                self.alarm.wake();
                Ok(())
            }
        }
    }
}

/// The turn to write, which is given back when this is dropped.
struct Turn<'l> {
    log: &'l Log,
    /// `None` only when the log is being closed.
    writer: Option<Box<Writer>>,
    /// Whether the thread was unwinding before, from something else.
    is_unwinding: bool,
}

impl<'l> Turn<'l> {
    fn new(log: &'l Log, writer: Box<Writer>) -> Self {
        Self { log, writer: Some(writer), is_unwinding: std::thread::panicking() }
    }

    fn writer(&self) -> &Writer {
        self.writer.as_deref().expect("whoever has the turn has the writer")
    }

    fn writer_mut(&mut self) -> &mut Writer {
        self.writer.as_deref_mut().expect("whoever has the turn has the writer")
    }

    /// Writes all that is pending, and syncs it if that is the goal.
    fn advance(&mut self, goal: Goal) -> io::Result<()> {
        if let Some(trouble) = &self.writer().trouble {
            return Err(io::Error::other(trouble.reason().to_owned()));
        }
        let end = self.take_pending();
        self.write()?;
        match goal {
            Goal::Written => Ok(()),
            Goal::Durable => self.sync(end),
        }
    }

    /// Lets those come with their next record who waited for the last turn. A thread that was just
    /// woken needs less time for it than a sync takes, and who has to wait for the next sync waits
    /// twice as long; who does not come is not waited for again.
    fn await_others(&self) {
        let Writer { group, sync_time, .. } = *self.writer();
        let have_come = || self.log.pending.lock().records() >= group as u64;
        yield_until(have_come, sync_time / 2);
    }

    fn take_pending(&mut self) -> u64 {
        let log = self.log;
        let mut pending = log.pending.lock();
        let batch = &mut self.writer_mut().batch;
        pending.take(batch);
        log.update_shut(&pending);
        batch.end()
    }

    /// Writes the batch.
    fn write(&mut self) -> io::Result<()> {
        self.write_by(Writer::write)
    }

    /// Tries again what could not be written, if there is such.
    fn retry_if_stuck(&mut self) -> io::Result<()> {
        match self.writer().trouble {
            Some(Trouble::Stuck(_)) => self.write_by(Writer::retry),
            _ => Ok(()),
        }
    }

    fn write_by(&mut self, write: fn(&mut Writer) -> io::Result<()>) -> io::Result<()> {
        let end = self.writer().batch.end();
        write(self.writer_mut())?;
        // Before anybody learns that it is written.
        self.log.desk.lock().sizes = self.writer().sizes();
        self.log.written.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }

    /// Makes durable what was written, which is all up to `end`.
    fn sync(&mut self, end: u64) -> io::Result<()> {
        self.writer_mut().sync()?;
        self.log.durable.fetch_max(end, Ordering::AcqRel);
        Ok(())
    }

    /// Whether it is time for a rewrite.
    fn is_long(&self) -> bool {
        self.writer().is_long(self.log.growth())
    }

    /// Gives back the memory of buffers that were needed for more than there is now.
    fn shrink(&mut self) {
        self.log.pending.lock().shrink();
        self.writer_mut().batch.shrink();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        if std::thread::panicking() && !self.is_unwinding {
            writer.trouble = Some(Trouble::Lost(PANICKED.to_owned()));
        }
        let trouble = writer.trouble.as_ref().map(|trouble| trouble.reason().to_owned());
        // While there is trouble, a log that is long is no news to the keeper.
        let is_long = trouble.is_none() && writer.is_long(self.log.growth());
        let mut desk = self.log.desk.lock();
        let is_news = desk.trouble != trouble;
        desk.trouble.clone_from(&trouble);
        desk.sizes = writer.sizes();
        writer.group = desk.waiting() + 1;
        desk.vigil.settle(writer.group, writer.sync_time);
        (desk.writer, desk.holder) = (Some(writer), None);
        if is_news {
            // Under the lock of the desk, lest a later turn's news be overtaken by these.
            self.log.refuse(trouble);
        }
        Desk::wake_all(desk);
        if is_news || is_long {
            self.log.alarm.ring();
        }
    }
}
