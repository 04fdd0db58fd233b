//! The entries of a stream and the counters about them: everything but its consumer groups.
//!
//! Invariant: blocks are ordered by id and disjoint, and none is without a live entry. Only the
//! last one, the tail, may take further entries. The others lie under their last id: what holds an
//! id is the first block from it on. No id is above `last_id`; `len` and `bytes` are the sums over
//! the blocks.
//!
//! Cost: append O(bytes appended); reaching or removing an entry O(log entries); a read adds
//! O(bytes copied), a trim O(blocks dropped) and the entries marked in one block.
//!
//! Full blocks are shared between clones, so that cloning a stream costs a reference count per
//! block; whoever removes an entry first copies its block.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::block::{Block, MAX_ENTRIES, NewFields, fields_len};
use super::counted;
use super::entries::{Direction, Entries, Entry};
use super::id::StreamId;

/// What a trim leaves in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrimBound {
    /// At most so many entries.
    MaxLen(usize),
    /// No entry below this id.
    MinId(StreamId),
}

/// How closely a trim keeps to its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// To the entry.
    Exact,
    /// Only whole blocks of up to 100 entries go, which is quicker; a little more than asked for
    /// may stay.
    Approximate {
        /// Stop before more than so many entries are gone. 0 is no limit; `None` is Redis's own,
        /// 10,000.
        limit: Option<usize>,
    },
}

/// Why an entry was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AppendError {
    #[error("an id must be greater than 0-0")]
    ZeroId,
    #[error("the id is not above the last one of the stream")]
    NotAboveLast,
    #[error("the stream holds the greatest id and takes no further entry")]
    Exhausted,
    #[error("an entry needs a field")]
    NoFields,
    #[error("the entry is too large")]
    TooLarge,
}

/// Why the counters of a stream were not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SetIdError {
    #[error("the last id would be below the highest deleted id given with it")]
    BelowGivenDeleted,
    #[error("the last id would be below that of an entry")]
    BelowEntry,
    #[error("fewer entries added than there are")]
    TooFewAdded,
}

/// A larger entry is refused, as in Redis.
const LARGEST_ENTRY: usize = 1 << 30;
/// A new block is given no more room than this for entries to come.
const LARGEST_ROOM: usize = 8192;
/// What a full block costs beside its buffer: its share of the map, and itself with its reference
/// counts.
const SEALED_BYTES: usize = 48 + size_of::<Block>() + 16;

#[derive(Debug, Default)]
pub(super) struct EntryLog {
    /// By last id.
    sealed: BTreeMap<StreamId, Arc<Block>>,
    tail: Option<Block>,
    len: usize,
    bytes: usize,
    last_id: StreamId,
    max_deleted_id: StreamId,
    added: u64,
}

/// A copy of the tail has no spare room, so the account is not the original's.
impl Clone for EntryLog {
    fn clone(&self) -> Self {
        let tail = self.tail.clone();
        let bytes = |tail: &Option<Block>| tail.as_ref().map_or(0, Block::heap_bytes);
        Self {
            sealed: self.sealed.clone(),
            bytes: self.bytes - bytes(&self.tail) + bytes(&tail),
            tail,
            ..*self
        }
    }
}

impl EntryLog {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn last_id(&self) -> StreamId {
        self.last_id
    }

    pub(super) fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    pub(super) fn added(&self) -> u64 {
        self.added
    }

    pub(super) fn blocks(&self) -> usize {
        self.sealed.len() + usize::from(self.tail.is_some())
    }

    pub(super) fn first_entry(&self) -> Option<Entry<'_>> {
        self.front()?.entries().next()
    }

    pub(super) fn last_entry(&self) -> Option<Entry<'_>> {
        self.tail.as_ref()?.entries().next_back()
    }

    pub(super) fn append<'a>(
        &mut self,
        id: StreamId,
        fields: impl NewFields<'a>,
    ) -> Result<(), AppendError> {
        self.check_append(id, fields.clone())?;
        match &mut self.tail {
            Some(tail) if tail.has_room(fields.clone()) => {
                let before = tail.heap_bytes();
                tail.push(id, fields);
                self.bytes += tail.heap_bytes() - before;
            }
            _ => {
                let room = self.seal_tail();
                let tail = self.tail.insert(Block::new(id, fields, room));
                self.bytes += tail.heap_bytes();
            }
        }
        self.len += 1;
        self.added = counted(self.added + 1);
        self.last_id = id;
        Ok(())
    }

    fn check_append<'a>(
        &self,
        id: StreamId,
        fields: impl NewFields<'a>,
    ) -> Result<(), AppendError> {
        if fields.len() == 0 {
            return Err(AppendError::NoFields);
        }
        if id == StreamId::MIN {
            return Err(AppendError::ZeroId);
        }
        if self.last_id == StreamId::MAX {
            return Err(AppendError::Exhausted);
        }
        if id <= self.last_id {
            return Err(AppendError::NotAboveLast);
        }
        if fields_len(fields) > LARGEST_ENTRY {
            return Err(AppendError::TooLarge);
        }
        Ok(())
    }

    /// Closes the tail, and returns the room that the next one is likely to take: as much as this
    /// one did.
    fn seal_tail(&mut self) -> (usize, usize) {
        let Some(mut block) = self.tail.take() else { return (0, 0) };
        let (bytes, entries) = block.room_used();
        self.bytes -= block.heap_bytes();
        block.seal();
        self.bytes += block.heap_bytes() + SEALED_BYTES;
        self.sealed.insert(block.last(), Arc::new(block));
        (bytes.min(LARGEST_ROOM), entries)
    }

    /// The id that an entry added at this time gets.
    pub(super) fn next_id(&self, now_ms: u64) -> Option<StreamId> {
        match now_ms > self.last_id.ms {
            true => Some(StreamId::new(now_ms, 0)),
            false => self.last_id.next(),
        }
    }

    /// The next id of this very millisecond.
    pub(super) fn next_id_at(&self, ms: u64) -> Result<StreamId, AppendError> {
        if self.last_id == StreamId::MAX {
            return Err(AppendError::Exhausted);
        }
        if ms > self.last_id.ms {
            return Ok(StreamId::new(ms, 0));
        }
        match self.last_id.next() {
            Some(id) if id.ms == ms => Ok(id),
            _ => Err(AppendError::NotAboveLast),
        }
    }

    pub(super) fn range(
        &self,
        ids: RangeInclusive<StreamId>,
        limit: Option<usize>,
        direction: Direction,
    ) -> Entries {
        let mut entries = Entries::default();
        let mut left = limit.unwrap_or(usize::MAX).min(self.len);
        if left == 0 || ids.is_empty() {
            return entries;
        }
        self.reserve(&mut entries, if ids.start() == ids.end() { 1 } else { limit.unwrap_or(16) });
        let (start, end) = ids.into_inner();
        let mut copy = |block: &Block| {
            let places = block.places(start, end);
            let places = match direction {
                Direction::Forward => block.take_first(places, left),
                Direction::Backward => block.take_last(places, left),
            };
            left -= entries.extend_from_block(block, places, direction);
            left > 0
        };
        let _left = match direction {
            Direction::Forward => {
                self.blocks_from(start).take_while(|block| block.first() <= end).all(&mut copy)
            }
            Direction::Backward => {
                self.blocks_down_from(end).take_while(|block| block.last() >= start).all(&mut copy)
            }
        };
        entries
    }

    /// Makes room for what a read is likely to return: never more than a modest amount, whatever
    /// was asked for.
    fn reserve(&self, entries: &mut Entries, limit: usize) {
        let expected = limit.min(self.len).min(1024);
        let average = self.bytes / self.len.max(1) + 1;
        entries.reserve(expected, expected.saturating_mul(average).min(64 * 1024));
    }

    pub(super) fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        let block = self.block_of(id)?;
        block.find(id).map(|place| block.entry_at(place))
    }

    pub(super) fn contains(&self, id: StreamId) -> bool {
        self.get(id).is_some()
    }

    /// Copies these entries; those that the stream does not hold become deleted ones.
    pub(super) fn collect(&self, ids: &[StreamId]) -> Entries {
        let mut entries = Entries::default();
        for &id in ids {
            match self.get(id) {
                Some(entry) => entries.push(id, entry.fields()),
                None => entries.push_deleted(id),
            }
        }
        entries
    }

    pub(super) fn runs(&self) -> impl Iterator<Item: Iterator<Item = Entry<'_>> + Clone> {
        self.blocks_from(StreamId::MIN).map(Block::entries)
    }

    fn front(&self) -> Option<&Block> {
        self.sealed.first_key_value().map(|(_, block)| &**block).or(self.tail.as_ref())
    }

    /// The block that holds this id, if any does.
    fn block_of(&self, id: StreamId) -> Option<&Block> {
        match &self.tail {
            Some(tail) if tail.first() <= id => Some(tail),
            _ => self.sealed.range(id..).next().map(|(_, block)| &**block),
        }
    }

    /// The blocks that may hold entries from `start` on, in order.
    fn blocks_from(&self, start: StreamId) -> impl Iterator<Item = &Block> {
        let in_tail = self.tail.as_ref().is_some_and(|tail| tail.first() <= start);
        let sealed = (!in_tail).then(|| self.sealed.range(start..));
        sealed.into_iter().flatten().map(|(_, block)| &**block).chain(&self.tail)
    }

    /// The blocks that may hold entries down from `end`, last first.
    fn blocks_down_from(&self, end: StreamId) -> impl Iterator<Item = &Block> {
        let tail = self.tail.as_ref().filter(|tail| tail.first() <= end);
        let top = if tail.is_some() { None } else { self.sealed.range(end..).next() };
        let top = top.map_or(end, |(last, _)| *last);
        tail.into_iter().chain(self.sealed.range(..=top).rev().map(|(_, block)| &**block))
    }

    /// Removes an entry, and remembers that one of its id was removed.
    pub(super) fn remove(&mut self, id: StreamId) -> bool {
        let Some(block) = self.block_of(id) else { return false };
        let Some(place) = block.find(id) else { return false };
        let key = block.last();
        if block.live() == 1 {
            self.drop_block(key);
        } else {
            let block = match self.sealed.get_mut(&key) {
                Some(block) => Arc::make_mut(block),
                None => self.tail.as_mut().expect("the block is sealed or the tail"),
            };
            block.mark(place);
        }
        self.len -= 1;
        self.max_deleted_id = self.max_deleted_id.max(id);
        true
    }

    fn drop_block(&mut self, key: StreamId) {
        if let Some(block) = self.sealed.remove(&key) {
            self.bytes -= block.heap_bytes() + SEALED_BYTES;
            return;
        }
        if let Some(block) = self.tail.take() {
            self.bytes -= block.heap_bytes();
        }
        // The block before may have room, as it has after removals in Redis.
        if let Some((_, block)) = self.sealed.pop_last() {
            self.bytes -= block.heap_bytes() + SEALED_BYTES;
            let tail = self.tail.insert(Arc::unwrap_or_clone(block));
            self.bytes += tail.heap_bytes();
        }
    }

    /// Removes the oldest entries, and returns how many they were.
    pub(super) fn trim(&mut self, bound: TrimBound, precision: Precision) -> usize {
        let limit = match precision {
            Precision::Exact | Precision::Approximate { limit: Some(0) } => usize::MAX,
            Precision::Approximate { limit } => limit.unwrap_or(100 * MAX_ENTRIES),
        };
        let before = self.len;
        while let Some(front) = self.front() {
            let live = front.live();
            let removed = before - self.len;
            let satisfied = matches!(bound, TrimBound::MaxLen(max) if self.len <= max);
            if satisfied || removed.saturating_add(live) > limit {
                break;
            }
            let whole = match bound {
                TrimBound::MaxLen(max) => self.len - live >= max,
                TrimBound::MinId(id) => front.last() < id,
            };
            if whole {
                self.drop_block(front.last());
                self.len -= live;
                continue;
            }
            if precision == Precision::Exact {
                self.trim_front_block(bound);
            }
            break;
        }
        before - self.len
    }

    fn trim_front_block(&mut self, bound: TrimBound) {
        let mut len = self.len;
        let doomed = |id| match bound {
            TrimBound::MaxLen(max) => {
                let doomed = len > max;
                len -= usize::from(doomed);
                doomed
            }
            TrimBound::MinId(min) => id < min,
        };
        let block = match self.sealed.first_entry() {
            Some(front) => Arc::make_mut(front.into_mut()),
            None => match &mut self.tail {
                Some(tail) => tail,
                None => return,
            },
        };
        let key = block.last();
        let removed = block.mark_while(doomed);
        let emptied = block.live() == 0;
        self.len -= removed;
        if emptied {
            self.drop_block(key);
        }
    }

    pub(super) fn set_ids(
        &mut self,
        last_id: StreamId,
        added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) -> Result<(), SetIdError> {
        if max_deleted_id.is_some_and(|deleted| last_id < deleted) {
            return Err(SetIdError::BelowGivenDeleted);
        }
        if let Some(last) = self.last_entry() {
            if last_id < last.id() {
                return Err(SetIdError::BelowEntry);
            }
            if added.is_some_and(|added| (self.len as u64) > added) {
                return Err(SetIdError::TooFewAdded);
            }
        }
        if let Some(tail) = &mut self.tail {
            tail.forget_above(last_id);
        }
        self.last_id = last_id;
        self.added = added.map_or(self.added, counted);
        self.max_deleted_id = match max_deleted_id {
            Some(id) if id != StreamId::MIN => id,
            _ => self.max_deleted_id,
        };
        Ok(())
    }

    /// Whether an entry at or above this id was removed singly while older ones remain, so that
    /// counting would err.
    pub(super) fn has_gap_from(&self, start: StreamId) -> bool {
        start <= self.max_deleted_id && self.has_gap()
    }

    fn has_gap(&self) -> bool {
        let first = self.first_entry().map(|entry| entry.id());
        self.max_deleted_id != StreamId::MIN
            && first.is_some_and(|first| first <= self.max_deleted_id)
    }

    /// How many entries had been added once the one of this id was; `None` if that cannot be told.
    pub(super) fn position_of(&self, id: StreamId) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        let Some(first) = self.first_entry().map(|entry| entry.id()) else {
            return (id <= self.last_id).then_some(self.added);
        };
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.added);
        }
        if self.has_gap() {
            return None;
        }
        let before_first = self.added.saturating_sub(self.len as u64);
        match id.cmp(&first) {
            std::cmp::Ordering::Less => Some(before_first),
            std::cmp::Ordering::Equal => Some(before_first + 1),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Asserts the invariant.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        let (mut len, mut bytes, mut last) = (0, 0, StreamId::MIN);
        for (key, block) in &self.sealed {
            assert_eq!(*key, block.last());
            bytes += SEALED_BYTES;
        }
        for block in self.sealed.values().map(|block| &**block).chain(&self.tail) {
            block.check();
            assert!(last < block.first(), "blocks are ordered and disjoint");
            last = block.last();
            len += block.live();
            bytes += block.heap_bytes();
        }
        assert!(self.tail.is_some() || self.sealed.is_empty());
        assert_eq!((len, bytes), (self.len, self.bytes));
        assert!(last <= self.last_id, "whatever is added comes after all that was");
        assert_eq!(self.added, counted(self.added));
    }
}
