//! A snapshot in the place of the log: what keeps it from growing without end, and what helps when
//! a segment is lost.
//!
//! At one instant the records so far end a segment, and a capture of the store begins. The segment
//! is closed, and the capture saved, while the log goes on in the next segment. Once the snapshot
//! is committed, the segments before that instant are of no use any more.

use std::io::{self, Write};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::keeper::closed;
use super::snapshots::{Claim, Occasion, Snapshots};
use super::writer::Segments;
use super::{CLOSED, Goal, Log, PANICKED, REENTERED, Turn};
use crate::codec::save::save;
use crate::error::{Error, Result};
use crate::keyspace::Databases;
use crate::keyspace::capture::Capture;
use crate::persist::Snapshot;
use crate::persist::frame::Chain;
use crate::persist::settings::Stage;
use crate::sync::{Arc, Mutex, Ordering};

/// A segment counts as this much at least, lest many openings leave many segments.
const LEAST_SEGMENT: u64 = 1 << 20;

/// A snapshot that is to be written.
pub(super) struct Begun {
    snapshot: Box<dyn Snapshot>,
    capture: Arc<Capture>,
    databases: Arc<Databases>,
    /// What it takes the place of.
    replaces: Segments,
    /// The records up to here are in it.
    end: u64,
    /// How many these are, since the opening.
    records: u64,
    /// What the frame behind it follows.
    chain: Chain,
    /// Whether it makes good for a segment that is lost.
    heals: bool,
}

/// Hears what became of a snapshot.
pub(crate) type Ended = Box<dyn FnOnce(Result<()>) + Send>;

impl Log {
    /// Puts a snapshot of now in the place of all that is kept; waits for one under way first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and [`Error::ReadOnly`] once the log was closed. What was kept before is
    /// still kept.
    pub(crate) fn rewrite(&self, occasion: Occasion) -> Result<()> {
        let would_wait_for_itself = if self.snapshots.is_made_here() {
            Some("a snapshot was asked for by whoever makes one, or hears of its progress")
        } else {
            self.is_reentered().then_some(REENTERED)
        };
        if let Some(message) = would_wait_for_itself {
            let (kind, message) = (io::ErrorKind::Deadlock, message.to_owned());
            return Err(Error::Io { kind, message });
        }
        self.snapshots.announce(occasion);
        Claim::wait(self, occasion).rewrite()
    }

    /// As [`rewrite`](Self::rewrite) in a thread of its own, unless a snapshot is under way: then
    /// answers why that is made, and `ended` hears nothing.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    pub(crate) fn rewrite_aside(
        self: &Arc<Self>,
        occasion: Occasion,
        ended: Ended,
    ) -> Result<(), Occasion> {
        let claim = Claim::try_now(Arc::clone(self), occasion)?;
        in_thread(Box::new(move || claim.rewrite_and_tell(vec![ended])));
        Ok(())
    }

    /// Begins a snapshot in a thread of its own if one is due; `None` once the log was closed.
    pub(super) fn rewrite_if_due(self: &Arc<Self>) -> Option<()> {
        let Some(occasion) = self.due()? else { return Some(()) };
        if let Ok(claim) = Claim::try_now(Arc::clone(self), occasion)
            // One that has just ended may have been as good.
            && self.due()?.is_some()
        {
            in_thread(Box::new(move || claim.rewrite_and_tell(Vec::new())));
        }
        Some(())
    }

    /// Why a snapshot is due, if one is; `None` once the log was closed.
    fn due(&self) -> Option<Option<Occasion>> {
        let is_long = self.turn()?.is_long();
        let is_save_due = || self.is_save_due().then_some(Occasion::BackgroundSave);
        Some(is_long.then_some(Occasion::Rewrite).or_else(is_save_due))
    }

    /// Makes the snapshot that a log needs of which no process has lived long enough to make one:
    /// else the log would grow with each that opens it.
    pub(super) fn rewrite_overdue(&self) {
        let growth = self.growth();
        let is_overdue = || self.turn().is_some_and(|turn| turn.writer().is_overdue(growth));
        if !is_overdue() || self.snapshots.is_made_here() {
            return;
        }
        self.snapshots.announce(Occasion::Rewrite);
        let claim = Claim::wait(self, Occasion::Rewrite);
        // The one that was under way may have done it.
        if is_overdue() {
            // If it fails the log is long, but whole.
            let _ = claim.rewrite();
        }
    }

    pub(super) fn begin_rewrite(&self) -> Result<Begun> {
        if self.snapshots.has_ended() {
            return Err(closed());
        }
        let databases = self.databases.upgrade().ok_or_else(closed)?;
        let mut turn = self.turn().ok_or_else(closed)?;
        let retried = turn.retry_if_stuck();
        let is_lost = turn.writer().is_lost();
        if is_lost {
            // The snapshot will have it, and what is pending.
            turn.writer_mut().batch.clear();
        } else {
            retried?;
            // So that little is left to write at the instant itself.
            turn.advance(Goal::Written)?;
        }
        let (capture, (end, records)) = databases.capture(|| turn.end_segment());
        if is_lost {
            turn.writer_mut().batch.clear();
        } else {
            turn.write()?;
        }
        let replaces = turn.writer_mut().begin_rewrite()?;
        if !is_lost {
            self.durable.fetch_max(end, Ordering::AcqRel);
        }
        let snapshot = turn.writer().persistence.snapshot()?;
        let chain = turn.writer().chain();
        Ok(Begun { snapshot, capture, databases, replaces, end, records, chain, heals: is_lost })
    }

    /// Answers how many of the records since the opening are in it.
    pub(super) fn end_rewrite(&self, begun: Begun) -> Result<u64> {
        let Begun { snapshot, capture, databases, replaces, end, records, chain, heals } = begun;
        let total = capture.census().keys();
        let mut stoppable = Stoppable { snapshot, of: &self.snapshots };
        let mut tell = |done| {
            self.snapshots.note_progress(done, total);
            self.settings.tell(Stage::Snapshot, done, total);
        };
        let log = chain.to_text();
        let length = save(&mut stoppable, &databases, &capture, Some(&log), &mut tell)?;
        drop((capture, databases));
        stoppable.snapshot.commit()?;
        let mut turn = self.turn().ok_or_else(closed)?;
        turn.writer_mut().end_rewrite(length, replaces);
        self.written.fetch_max(end, Ordering::AcqRel);
        self.durable.fetch_max(end, Ordering::AcqRel);
        // What was lost since it was begun is not in it. While something is lost nothing is
        // written, so that nothing else can have been lost since.
        if heals {
            turn.writer_mut().trouble = None;
        }
        Ok(records)
    }

    /// The Unix time in milliseconds by the store's clock; zero if the store is gone.
    fn wall(&self) -> u64 {
        self.databases.upgrade().map_or(0, |databases| databases.clock.wall())
    }
}

impl<L: Deref<Target = Log>> Claim<L> {
    pub(super) fn rewrite(&self) -> Result<()> {
        self.begin();
        let log = self.log();
        let outcome = caught(|| log.begin_rewrite().and_then(|begun| log.end_rewrite(begun)));
        log.snapshots.note_outcome(outcome.as_ref().ok().map(|records| (log.wall(), *records)));
        if outcome.is_err()
            && let Some(mut turn) = log.turn()
        {
            turn.writer_mut().rewrite_later(log.growth());
        }
        outcome.map(|_| ())
    }
}

impl Claim<Arc<Log>> {
    pub(super) fn rewrite_and_tell(self, audience: Vec<Ended>) {
        let outcome = self.rewrite();
        // What follows may be another snapshot.
        drop(self);
        tell(audience, &outcome);
    }
}

/// Tells all, even if one of them panics.
pub(super) fn tell(audience: Vec<Ended>, outcome: &Result<()>) {
    for ended in audience {
        let tell_one = AssertUnwindSafe(|| ended(outcome.clone()));
        let _ = catch_unwind(tell_one);
    }
}

/// Makes an error of a panic of the persistence, or of whoever hears of its progress: somebody may
/// wait for what comes of it, and the log is to go on.
pub(super) fn caught<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(Error::Io { kind: io::ErrorKind::Other, message: PANICKED.to_owned() })
    })
}

type Work = Box<dyn FnOnce() + Send>;

/// Does something in a thread of its own; if there is none to be had, in this one.
pub(super) fn in_thread(work: Work) {
    fn run(work: &Mutex<Option<Work>>) {
        let work = work.lock().take();
        if let Some(work) = work {
            work();
        }
    }
    let work = Arc::new(Mutex::new(Some(work)));
    let its = Arc::clone(&work);
    let thread = std::thread::Builder::new().name(String::from("larder-snapshot"));
    if thread.spawn(move || run(&its)).is_err() {
        run(&work);
    }
}

impl Turn<'_> {
    /// Takes what is pending as the last of its segment; answers the position behind it, and how
    /// many records there were up to it.
    fn end_segment(&mut self) -> (u64, u64) {
        let log = self.log;
        let mut pending = log.pending.lock();
        let batch = &mut self.writer_mut().batch;
        pending.take_last_of_segment(batch);
        log.update_shut(&pending);
        (batch.end(), pending.recorded())
    }

    /// Writes and syncs what is pending, for the last time.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let log = self.log;
        self.retry_if_stuck()?;
        // What is there first, since only then is the batch empty.
        self.advance(Goal::Written)?;
        let mut pending = log.pending.lock();
        pending.close();
        pending.take(&mut self.writer_mut().batch);
        drop(pending);
        let end = self.writer().batch.end();
        self.write()?;
        self.sync(end)
    }
}

/// What a segment of this length counts beyond it.
pub(super) fn surcharge(segment: u64) -> u64 {
    LEAST_SEGMENT.saturating_sub(segment)
}

/// A snapshot that can be given up.
struct Stoppable<'r> {
    snapshot: Box<dyn Snapshot>,
    of: &'r Snapshots,
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.of.has_ended() {
            return Err(io::Error::other(CLOSED));
        }
        self.snapshot.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.snapshot.flush()
    }
}
