//! The index by deadline of one shard.
//!
//! # Invariant
//!
//! For every entry with a deadline, or with parts that have, there is a record of its hash at
//! that deadline or earlier.
//!
//! That is all the index promises, and it makes renewals free: an entry whose deadline moves
//! later keeps its old record. When the record falls due, the shard looks at the entry and, if
//! it still lives, records its true deadline. A record whose entry is gone is dropped then. When
//! such stale records outnumber the entries with deadlines, the shard rebuilds the index; when no
//! entry has a deadline any more, all go.
//!
//! Recording is O(1) for the usual later-than-all deadline and O(log n) at worst.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Default)]
pub(super) struct Deadlines {
    records: BinaryHeap<Reverse<(u64, u64)>>,
    /// Deadlines that the shard's entries have now: their own, and the earliest of their parts.
    live: usize,
}

impl Deadlines {
    /// The first time at which a record falls due.
    pub(super) fn earliest(&self) -> Option<u64> {
        self.records.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Deadlines that entries have.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// Notes that the entry with this hash changed its deadline; answers whether a record was
    /// added.
    #[inline]
    pub(super) fn changed(&mut self, hash: u64, from: Option<u64>, to: Option<u64>) -> bool {
        self.live -= usize::from(from.is_some());
        self.live += usize::from(to.is_some());
        match (from, to) {
            (None, None) => false,
            (Some(_), None) => {
                self.forget_if_unused();
                false
            }
            (Some(from), Some(to)) if from <= to => false,
            (_, Some(to)) => {
                self.records.push(Reverse((to, hash)));
                true
            }
        }
    }

    /// Takes a record that is due at `now`, as (deadline, hash).
    pub(super) fn pop_due(&mut self, now: u64) -> Option<(u64, u64)> {
        if self.earliest()? > now {
            return None;
        }
        self.records.pop().map(|Reverse(record)| record)
    }

    /// Records an entry at its true deadline again, after its record fell due too early.
    pub(super) fn record(&mut self, hash: u64, deadline: u64) {
        self.records.push(Reverse((deadline, hash)));
    }

    /// Whether stale records outnumber what the index is for, in a shard of so many entries: all
    /// of them are looked at to rebuild it.
    pub(super) fn is_stale(&self, entries: usize) -> bool {
        self.records.len() > 2 * self.live + entries / 8 + 64
    }

    /// Replaces all records.
    pub(super) fn rebuild(&mut self, records: impl Iterator<Item = (u64, u64)>) {
        self.records = records.map(|(hash, deadline)| Reverse((deadline, hash))).collect();
        debug_assert_eq!(self.records.len(), self.live);
    }

    /// Forgets all records once no entry has a deadline; if they were many, with their room.
    #[inline]
    fn forget_if_unused(&mut self) {
        const ROOM: usize = 64;
        if self.live > 0 {
            return;
        }
        if self.records.capacity() > ROOM {
            self.records = BinaryHeap::new();
        } else {
            self.records.clear();
        }
    }

    /// Bytes that the records take.
    pub(super) fn bytes(&self) -> usize {
        self.records.len() * size_of::<(u64, u64)>()
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn covers(&self, hash: u64, deadline: u64) -> bool {
        self.records.iter().any(|Reverse((at, of))| *of == hash && *at <= deadline)
    }
}
