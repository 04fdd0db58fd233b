//! A snapshot in the place of the log: what keeps it from growing without end, and what helps when
//! a segment is lost.
//!
//! At one instant the records so far end a segment, and a capture of the store begins. The segment
//! is closed, and the capture saved, while the log goes on in the next segment. Once the snapshot
//! is committed, the segments before that instant are of no use any more.

use std::io::{self, Write};

use super::keeper::closed;
use super::writer::Trouble;
use super::{CLOSED, Goal, Log, Turn};
use crate::codec::save::save;
use crate::error::Result;
use crate::keyspace::Databases;
use crate::keyspace::capture::Capture;
use crate::persist::Snapshot;
use crate::persist::settings::Stage;
use crate::sync::{Arc, AtomicBool, Mutex, OnceLock, Ordering, Weak};

/// A segment counts as this much at least, lest many openings leave many segments.
const LEAST_SEGMENT: u64 = 1 << 20;

/// What is known of rewrites.
#[derive(Default)]
pub(super) struct Rewriting {
    databases: OnceLock<Weak<Databases>>,
    /// Held by whoever is at it.
    at_work: Mutex<()>,
    /// Whether those at it are to give up, and nobody is to begin.
    is_ended: AtomicBool,
}

impl Rewriting {
    pub(super) fn of(&self, databases: &Arc<Databases>) {
        let _ = self.databases.set(Arc::downgrade(databases));
    }

    /// Ends the one under way, and lets none begin.
    pub(super) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        drop(self.at_work.lock());
    }
}

/// A snapshot that is to be written.
struct Begun {
    snapshot: Box<dyn Snapshot>,
    capture: Arc<Capture>,
    databases: Arc<Databases>,
    /// The records up to here are in it.
    end: u64,
}

impl Log {
    /// Whether a snapshot is being written.
    pub(crate) fn is_rewriting(&self) -> bool {
        self.rewriting.at_work.try_lock().is_none()
    }

    /// Puts a snapshot of now in the place of all that is kept; waits for one under way first.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and [`Error::ReadOnly`] once the log was closed. What was kept before is
    /// still kept.
    pub(crate) fn rewrite(&self) -> Result<()> {
        let _at_work = self.rewriting.at_work.lock();
        let outcome = self.begin_rewrite().and_then(|begun| self.end_rewrite(begun));
        if outcome.is_err()
            && let Some(mut turn) = self.turn()
        {
            turn.writer_mut().rewrite_later(self.settings.rewrite_above);
        }
        outcome
    }

    /// Rewrites in a thread of its own, unless somebody is at it.
    pub(super) fn rewrite_aside(self: &Arc<Self>) {
        if self.is_rewriting() {
            return;
        }
        let log = Arc::clone(self);
        let thread = std::thread::Builder::new().name(String::from("larder-snapshot"));
        // If there is no thread for it, it is for the one that has found the log too long.
        if thread.spawn(move || log.rewrite()).is_err() {
            let _ = self.rewrite();
        }
    }

    fn begin_rewrite(&self) -> Result<Begun> {
        if self.rewriting.is_ended.load(Ordering::Acquire) {
            return Err(closed());
        }
        let databases = self.rewriting.databases.get().and_then(Weak::upgrade);
        let databases = databases.ok_or_else(closed)?;
        let mut turn = self.turn().ok_or_else(closed)?;
        let is_lost = matches!(turn.writer().trouble, Some(Trouble::Lost(_)));
        if is_lost {
            // The snapshot will have it, and what is pending.
            turn.writer_mut().batch.clear();
        } else {
            // So that little is left to write at the instant itself.
            turn.advance(Goal::Written)?;
        }
        let (capture, end) = databases.capture(|| turn.end_segment());
        if is_lost {
            turn.writer_mut().batch.clear();
        } else {
            turn.write()?;
        }
        turn.writer_mut().rewrite_at = u64::MAX;
        turn.writer_mut().rotate()?;
        if !is_lost {
            self.durable.fetch_max(end, Ordering::AcqRel);
        }
        let snapshot = turn.writer().persistence.snapshot()?;
        Ok(Begun { snapshot, capture, databases, end })
    }

    fn end_rewrite(&self, begun: Begun) -> Result<()> {
        let Begun { snapshot, capture, databases, end } = begun;
        let total = capture.census().keys();
        let mut stoppable = Stoppable { snapshot, is_ended: &self.rewriting.is_ended };
        let mut tell = |done| self.settings.tell(Stage::Snapshot, done, total);
        let length = save(&mut stoppable, &databases, &capture, true, &mut tell)?;
        drop((capture, databases));
        stoppable.snapshot.commit()?;
        let mut turn = self.turn().ok_or_else(closed)?;
        turn.writer_mut().replaced_by(length, self.settings.rewrite_above);
        self.written.fetch_max(end, Ordering::AcqRel);
        self.durable.fetch_max(end, Ordering::AcqRel);
        if matches!(turn.writer().trouble, Some(Trouble::Lost(_))) {
            turn.writer_mut().trouble = None;
        }
        Ok(())
    }
}

impl Turn<'_> {
    /// Takes what is pending as the last of its segment; answers the position behind it.
    fn end_segment(&mut self) -> u64 {
        let log = self.log;
        let mut pending = log.pending.lock();
        let batch = &mut self.writer_mut().batch;
        pending.take_last_of_segment(batch);
        log.update_shut(&pending);
        batch.end()
    }

    /// Writes and syncs what is pending, for the last time.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let log = self.log;
        if matches!(self.writer().trouble, Some(Trouble::Stuck(_))) {
            self.retry()?;
        }
        // What is there first, since only then is the batch empty.
        self.advance(Goal::Written)?;
        log.pending.lock().close(&mut self.writer_mut().batch);
        self.write()?;
        self.writer_mut().sync()
    }
}

/// The size that a segment of this length counts as.
pub(super) fn counted(segment: u64) -> u64 {
    segment.max(LEAST_SEGMENT)
}

/// A snapshot that can be given up.
struct Stoppable<'r> {
    snapshot: Box<dyn Snapshot>,
    is_ended: &'r AtomicBool,
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_ended.load(Ordering::Acquire) {
            return Err(io::Error::other(CLOSED));
        }
        self.snapshot.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.snapshot.flush()
    }
}
