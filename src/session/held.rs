//! Replies that wait for the log: an owner has its sessions, one or many, run all that they have
//! been sent, waits once until all of it is kept, and only then sends the replies.
//!
//! Without it every write waits for a sync of its own, and with it all other clients of the thread.
//!
//! What others are to hear of waits by itself all the same: a write that serves somebody who waits,
//! a message that is published. They hear of it at once, in another thread perhaps, and are to hear
//! of nothing that a crash may take; and whoever is served may be a thread that goes on from there.
//!
//! # Invariant
//!
//! `position` is above zero from the first write that the log has yet to answer for up to
//! [`Session::release`], and nothing of the output is sent in between. `replies` are those to such
//! writes: places in the output that ascend and do not overlap.

use std::ops::Range;

use super::{Face, Session, Shared};
use crate::error::Result;
use crate::keyspace::journal;
use crate::wire::{Encoder, error};

/// What a session holds back.
#[derive(Default)]
pub(super) struct Held {
    /// Whether its owner takes care of it.
    is_wanted: bool,
    /// What the log has to answer for; zero if there is nothing.
    position: u64,
    replies: Vec<Range<usize>>,
}

impl Held {
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Runs an operation, which does not wait for the log if that is left to the owner.
    #[inline]
    pub(super) fn deferring<R>(&mut self, shared: &Shared, run: impl FnOnce() -> R) -> R {
        if !self.is_wanted || !shared.store.log().is_some_and(|log| log.is_awaited()) {
            return run();
        }
        let (answer, position) = journal::deferring(self.position, run);
        self.position = position;
        answer
    }

    /// Notes the reply to a write, unless it is none: that of a call which blocks is yet to come.
    pub(super) fn note_reply(&mut self, place: Range<usize>) {
        if !place.is_empty() {
            self.replies.push(place);
        }
    }

    /// Forgets replies that have been taken back: those that end behind `mark`.
    pub(super) fn forget_behind(&mut self, mark: usize) {
        self.replies.retain(|reply| reply.end <= mark);
    }

    pub(super) fn clear(&mut self) {
        self.replies.clear();
    }
}

impl Session {
    /// Has replies to writes held back until their owner has [awaited](Face::await_log) the log and
    /// [released](Self::release) them, instead of each write waiting for itself.
    pub fn hold_replies(&mut self) {
        self.held.is_wanted = true;
    }

    /// Whether the output is not to be sent before a [`release`](Self::release).
    pub fn is_held(&self) -> bool {
        self.held.position > 0
    }

    /// For an owner of one session: waits for the log if the output is held, and lets it be sent.
    #[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "connections are a feature"))]
    pub fn await_log(&mut self) {
        if self.is_held() {
            let outcome = self.shared.await_log(self.held.position);
            self.release(&outcome);
        }
    }

    /// How far the log has to be [awaited](Face::await_log) before a release.
    pub fn held_position(&self) -> u64 {
        self.held.position
    }

    /// Lets the output be sent: as it is or, if the log cannot answer for what was done, with its
    /// error in the place of all replies to writes.
    pub fn release(&mut self, outcome: &Result<()>) {
        self.held.position = 0;
        let replies = std::mem::take(&mut self.held.replies);
        let Err(error) = outcome else { return };
        let text = error::redis_text(error, "");
        let mut reply = Vec::new();
        Encoder::new(&mut reply, self.protocol).error(&text);
        // From the last on, so that the places of the others stay where they are.
        for place in replies.into_iter().rev() {
            self.shared.statistics.note_error(&text);
            self.output.splice(place, reply.iter().copied());
        }
    }
}

impl Face {
    /// Waits until the log answers for what sessions hold back, up to a position.
    ///
    /// # Errors
    ///
    /// If it is not known whether all of it is kept.
    pub fn await_log(&self, position: u64) -> Result<()> {
        self.0.await_log(position)
    }
}

impl Shared {
    fn await_log(&self, position: u64) -> Result<()> {
        match self.databases().journal() {
            Some(journal) => journal.acknowledge(position),
            None => Ok(()),
        }
    }
}
