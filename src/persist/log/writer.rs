//! Who writes batches to the current segment.
//!
//! Invariants: what the segment holds up to the offset of `frames` is whole frames, each written
//! once; a batch leaves only when it is written, or when a snapshot holds what it says. While there
//! is trouble, nothing new is written.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use super::pending::Batch;
use super::rewrite::surcharge;
use super::schedule::Growth;
use crate::persist::frame::{Chain, FrameWriter};
use crate::persist::{Persistence, Tail};
use crate::sync::Arc;

/// Writes to the current segment; whoever has it has the turn.
pub(super) struct Writer {
    pub(super) persistence: Arc<dyn Persistence>,
    frames: FrameWriter,
    /// How much of the segment is durable.
    synced: u64,
    /// Whether an append has failed, and perhaps left something behind the last frame.
    is_ragged: bool,
    pub(super) batch: Batch,
    /// Threads that waited when the turn was last given back, and whoever gave it back.
    pub(super) group: usize,
    /// How long the last sync took.
    pub(super) sync_time: Duration,
    pub(super) trouble: Option<Trouble>,
    /// The segments since the last snapshot, without the current one.
    behind: Segments,
    /// The length of the last snapshot.
    base: u64,
    /// A log that is not longer is not rewritten, however far it may grow.
    rewrite_above: u64,
}

/// Why nothing is written.
#[derive(Clone, Debug)]
pub(super) enum Trouble {
    /// The segment could not be appended to. To try again may help.
    Stuck(String),
    /// It is not known what of the segment is kept. Only a snapshot helps.
    Lost(String),
}

impl Trouble {
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Stuck(reason) | Self::Lost(reason) => reason,
        }
    }
}

/// Segments that are closed.
#[derive(Clone, Copy)]
pub(super) struct Segments {
    pub(super) length: u64,
    /// What short ones among them, that were found at the opening or could not be gone on with,
    /// count beyond their length when it is asked whether the log is long.
    pub(super) surcharge: u64,
}

/// What a log has grown to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// The length of the last snapshot.
    pub(crate) base: u64,
    /// The length of all segments since.
    pub(crate) log: u64,
}

impl Writer {
    /// Begins segment `number`, which is empty, behind a snapshot of this length and others.
    pub(super) fn new(
        persistence: Arc<dyn Persistence>,
        number: u64,
        chain: Chain,
        base: u64,
        behind: Segments,
    ) -> Self {
        Self {
            persistence,
            frames: FrameWriter::new(number, chain),
            synced: 0,
            is_ragged: false,
            batch: Batch::new(),
            group: 0,
            sync_time: Duration::ZERO,
            trouble: None,
            behind,
            base,
            rewrite_above: 0,
        }
    }

    /// What the next frame follows.
    pub(super) fn chain(&self) -> Chain {
        self.frames.chain()
    }

    pub(super) fn sizes(&self) -> Sizes {
        Sizes { base: self.base, log: self.behind.length + self.frames.offset() }
    }

    /// What the log counts as when it is asked whether it is long.
    fn weight(&self) -> u64 {
        self.sizes().log + self.behind.surcharge
    }

    /// Appends the batch, if there is something in it, as one frame.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let outcome = self.mend_end().and_then(|()| self.append());
        self.note(outcome, Trouble::Stuck)
    }

    /// Appends what could not be appended; to a new segment, if there is room and the current one
    /// takes no more.
    pub(super) fn retry(&mut self) -> io::Result<()> {
        self.trouble = None;
        let Err(error) = self.write() else { return Ok(()) };
        let is_full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let length = self.frames.offset();
        if is_full || length == 0 || self.is_lost() {
            return Err(error);
        }
        self.rotate()?;
        self.behind.surcharge += surcharge(length);
        if self.is_lost() {
            return Err(error);
        }
        self.trouble = None;
        self.write()
    }

    /// Whether only a snapshot helps.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.trouble, Some(Trouble::Lost(_)))
    }

    fn append(&mut self) -> io::Result<()> {
        let mut frames = self.frames;
        let frame = self.batch.frame(&mut frames, self.synced);
        self.is_ragged = true;
        self.persistence.append(frame)?;
        self.is_ragged = false;
        self.frames = frames;
        self.batch.clear();
        Ok(())
    }

    /// Cuts off what a failed append has left.
    fn mend_end(&mut self) -> io::Result<()> {
        if self.is_ragged {
            let cut = self.persistence.truncate(self.frames.offset(), Tail::Drop);
            self.check_segment(cut)?;
            self.is_ragged = false;
        }
        Ok(())
    }

    /// Passes on what a call came to that may have cost the segment; a sync says whether it has.
    fn check_segment<T>(&mut self, outcome: io::Result<T>) -> io::Result<T> {
        if outcome.is_err() {
            let kept = self.persistence.sync();
            self.note(kept, Trouble::Lost)?;
        }
        outcome
    }

    /// Makes durable what was written.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.synced == self.frames.offset() {
            return Ok(());
        }
        let start = Instant::now();
        let outcome = self.persistence.sync();
        self.sync_time = start.elapsed();
        self.note(outcome, Trouble::Lost)?;
        self.synced = self.frames.offset();
        Ok(())
    }

    /// Goes on in a new segment; all that was written is durable then, unless it is lost.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        // What a panic has left half done would be damage, with a segment behind it; but if the
        // segment is lost, nothing of it counts once there is another.
        if let Err(error) = self.mend_end()
            && self.persistence.sync().is_ok()
        {
            return Err(error);
        }
        let begun = self.persistence.rotate();
        // Perhaps only the new segment could not be made.
        let number = self.check_segment(begun)?;
        self.behind.length += self.frames.offset();
        self.frames = FrameWriter::new(number, self.frames.chain());
        (self.synced, self.is_ragged) = (0, false);
        Ok(())
    }

    /// Goes on in a new segment, as a snapshot is to take the place of those before, which are
    /// answered.
    pub(super) fn begin_rewrite(&mut self) -> io::Result<Segments> {
        self.rewrite_above = u64::MAX;
        self.rotate()?;
        Ok(self.behind)
    }

    /// A snapshot of this length has taken the place of these segments. Others may have come since.
    pub(super) fn end_rewrite(&mut self, snapshot: u64, replaced: Segments) {
        self.behind.length -= replaced.length;
        self.behind.surcharge -= replaced.surcharge;
        (self.base, self.rewrite_above) = (snapshot, 0);
    }

    /// Has a rewrite that failed tried again when the log has grown further.
    pub(super) fn rewrite_later(&mut self, growth: Growth) {
        self.rewrite_above = self.weight().saturating_add(growth.above / 2);
    }

    /// Whether it is time for a rewrite.
    pub(super) fn is_long(&self, growth: Growth) -> bool {
        self.weight() > growth.limit(self.base).max(self.rewrite_above)
    }

    /// Whether the log has outgrown its limit so far that no rewrite can have come to an end for a
    /// long time.
    pub(super) fn is_overdue(&self, growth: Growth) -> bool {
        self.trouble.is_none() && self.weight() / 2 > growth.limit(self.base)
    }

    /// Notes what an error means, unless worse is known.
    fn note(
        &mut self,
        outcome: io::Result<()>,
        trouble: impl FnOnce(String) -> Trouble,
    ) -> io::Result<()> {
        outcome.inspect_err(|error| {
            if !self.is_lost() {
                self.trouble = Some(trouble(error.to_string()));
            }
        })
    }
}
