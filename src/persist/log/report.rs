//! What clients of Redis ask of a log, and have it do.

use std::time::Duration;

use super::rewrite::{Ended, caught, in_thread, tell};
use super::snapshots::{Claim, Occasion, Past, UnderWay};
use super::writer::Sizes;
use super::{Goal, Log};
use crate::persist::{Durability, Location};
use crate::sync::{Arc, Ordering};

/// How a log stands.
pub(crate) struct Report {
    pub(crate) sizes: Sizes,
    /// Bytes that wait to be written.
    pub(crate) pending: usize,
    /// Records since the last snapshot, or since the opening.
    pub(crate) changes: u64,
    /// Why nothing may be written, if that is so.
    pub(crate) refusal: Option<String>,
    /// The snapshot that is being made.
    pub(crate) under_way: Option<UnderWay>,
    /// For what occasions others wait to be made.
    pub(crate) waiting: Vec<Occasion>,
    pub(crate) past: Past,
}

/// Who waits for a sync without having the turn.
#[derive(Default)]
pub(super) struct Syncs {
    audience: Vec<Ended>,
    /// Whether a thread is going to sync for them.
    has_thread: bool,
}

impl Log {
    pub(crate) fn report(&self) -> Report {
        let (under_way, waiting, past) = self.snapshots.read();
        let sizes = self.sizes();
        let pending = self.pending.lock();
        Report {
            sizes,
            pending: pending.bytes(),
            changes: pending.recorded() - past.saved_records,
            refusal: pending.refusal.clone(),
            under_way,
            waiting,
            past,
        }
    }

    /// Why nothing may be written, if that is so.
    pub(crate) fn refusal(&self) -> Option<String> {
        if !self.is_shut.load(Ordering::Acquire) {
            return None;
        }
        self.pending.lock().refusal.clone()
    }

    pub(crate) fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }

    /// Has writes be acknowledged in another way from now on.
    pub(crate) fn set_durability(&self, durability: Durability) {
        self.durability.store(durability as u8, Ordering::Relaxed);
        // There may be something to sync that nobody was to sync before.
        self.alarm.ring();
    }

    /// The durability that leaves syncing to the system: as the log was opened, if that was one.
    pub(crate) fn unsynced_durability(&self) -> Durability {
        match self.settings.durability {
            Durability::Os => Durability::Os,
            _ => Durability::Never,
        }
    }

    /// Whether writers wait for the log.
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self.durability(), Durability::Always | Durability::Os)
    }

    /// Makes a snapshot in a thread of its own, once those before it are made: one for all who ask
    /// before it begins.
    pub(crate) fn rewrite_next(self: &Arc<Self>, occasion: Occasion, ended: Ended) {
        if !self.snapshots.join(occasion, ended) {
            return;
        }
        let log = Arc::clone(self);
        in_thread(Box::new(move || {
            let claim = Claim::wait(log, occasion);
            let audience = claim.log().snapshots.take_audience(occasion);
            claim.rewrite_and_tell(audience);
        }));
    }

    /// The position behind all that has been recorded so far.
    pub(crate) fn end(&self) -> u64 {
        self.pending.lock().end()
    }

    /// As [`sync`](Self::sync), in a thread that is that of all who ask.
    pub(crate) fn sync_aside(self: &Arc<Self>, ended: Ended) {
        let mut syncs = self.syncs.lock();
        syncs.audience.push(ended);
        if std::mem::replace(&mut syncs.has_thread, true) {
            return;
        }
        drop(syncs);
        let log = Arc::clone(self);
        in_thread(Box::new(move || while log.sync_for_all() {}));
    }

    /// Syncs once for all who have asked so far; answers whether anybody had.
    fn sync_for_all(&self) -> bool {
        let mut syncs = self.syncs.lock();
        let audience = std::mem::take(&mut syncs.audience);
        syncs.has_thread = !audience.is_empty();
        drop(syncs);
        if audience.is_empty() {
            return false;
        }
        tell(audience, &caught(|| self.sync()));
        true
    }

    /// Whether all up to a position is durable.
    pub(crate) fn is_durable(&self, position: u64) -> bool {
        self.has_reached(position, Goal::Durable)
    }
}

impl Report {
    /// Whether a snapshot is being made for this occasion.
    pub(crate) fn is_under_way(&self, occasion: Occasion) -> bool {
        self.time_under_way(occasion).is_some()
    }

    /// For how long a snapshot has been being made for this occasion.
    pub(crate) fn time_under_way(&self, occasion: Occasion) -> Option<Duration> {
        let under_way = self.under_way.filter(|under_way| under_way.occasion == occasion);
        under_way.map(|under_way| under_way.since.elapsed())
    }
}
