//! One shard: a flat table of entries, the objects they refer to, and their deadlines.
//!
//! # Invariants
//!
//! - The table holds one block per key. A block with its tag set stands for an [`Object`]: its
//!   value is the object's index in `objects`. Any other block is a string.
//! - `bytes` is the sum over entries of block, table slot and object; see [`Shard::check`].
//! - `deadlines` covers every entry that has a deadline, and every object of which parts have
//!   deadlines of their own; `dated_objects` counts the latter.
//!
//! # Complexity
//!
//! Finding, inserting and removing are O(1); [`Shard::scan`] is linear in the shard.
//!
//! # Threading
//!
//! None of its own: a shard lives in a lock. It knows no clock; callers pass the time.

use std::ops::RangeInclusive;

use hashbrown::HashTable;
use slab::Slab;

use super::Moment;
use super::capture::{Captured, Summons};
use super::deadlines::Deadlines;
use super::effect::Effect;
use super::events::EventKind;
use super::interest::Interests;
use super::object::{Data, Kind, Object};
use crate::block::{Block, Parts, fetch_keys};
use crate::error::{Error, Result};
use crate::number::NumberText;
use crate::random::KeyHasher;
use crate::sync::Ordering;
use crate::value::Value;

/// What a table slot takes beside the block: pointer and control byte.
const SLOT_BYTES: usize = size_of::<Block>() + 1;

/// A string that grows gets as much room again, up to this.
const MAX_SPARE: usize = 1 << 20;

#[derive(Default)]
#[repr(C)] // The table first: a read then meets one cache line of the shard, its lock's.
pub(crate) struct Shard {
    table: HashTable<Block>,
    objects: Slab<Object>,
    pub(super) deadlines: Deadlines,
    /// Who waits for or watches keys of this shard.
    pub(super) interests: Interests,
    bytes: usize,
    /// Objects of which parts have deadlines.
    dated_objects: usize,
    /// Who is to get the entries before they change.
    summons: Option<Summons>,
}

/// What left the shard and is to be dropped, or published, once the lock is released.
pub(crate) enum Removed {
    String(Block),
    Object(Block, Object),
}

/// What has left the shard as its time had come.
pub(super) enum Lapsed {
    /// A whole entry.
    Entry(Removed),
    /// Parts of an object, and the entry too if the object may not stay without them.
    Parts { key: Value, event: EventKind, parts: Vec<Block>, emptied: Option<Removed> },
}

/// What a key holds.
pub(crate) enum Held<'s> {
    String(&'s Block),
    Object(&'s Object),
}

/// What a string is replaced by; a number becomes text only where it is stored, as moving fresh
/// digits costs more than making them.
pub(crate) trait Text {
    fn with<R>(&self, store: impl FnOnce(&[u8]) -> R) -> R;
}

impl Text for i64 {
    #[inline]
    fn with<R>(&self, store: impl FnOnce(&[u8]) -> R) -> R {
        store(itoa::Buffer::new().format(*self).as_bytes())
    }
}

impl Text for NumberText {
    fn with<R>(&self, store: impl FnOnce(&[u8]) -> R) -> R {
        store(self)
    }
}

impl Shard {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Entries that have a deadline.
    pub(crate) fn with_deadline(&self) -> usize {
        self.deadlines.live() - self.dated_objects
    }

    /// Whether parts of any structure have deadlines.
    pub(super) fn has_dated_parts(&self) -> bool {
        self.dated_objects > 0
    }

    /// Whether anything in the shard can expire.
    #[inline]
    pub(super) fn has_deadlines(&self) -> bool {
        self.deadlines.live() > 0
    }

    /// Bytes that the shard's entries take on the heap; O(1).
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.deadlines.bytes()
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<&Block> {
        self.table.find(hash, |block| block.has_key(key))
    }

    #[inline]
    pub(super) fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut Block> {
        self.table.find_mut(hash, |block| block.has_key(key))
    }

    #[inline]
    pub(crate) fn held<'s>(&'s self, block: &'s Block) -> Held<'s> {
        if block.tag() { Held::Object(&self.objects[index_of(block)]) } else { Held::String(block) }
    }

    pub(crate) fn kind(&self, block: &Block) -> Kind {
        match self.held(block) {
            Held::String(_) => Kind::String,
            Held::Object(object) => object.kind(),
        }
    }

    /// Whether an entry has expired, be it part by part.
    #[inline]
    pub(super) fn is_over(&self, block: &Block, moment: &Moment<'_>) -> bool {
        !block.is_plain() && self.has_run_out(block, moment)
    }

    fn has_run_out(&self, block: &Block, moment: &Moment<'_>) -> bool {
        block.deadline().is_some_and(|at| moment.has_passed(at))
            || self.parts_deadline(block).is_some_and(|at| {
                moment.has_passed(at) && self.objects[index_of(block)].is_spent(moment.now())
            })
    }

    /// When the first part of an entry's object is due, if any ever is.
    #[inline]
    pub(super) fn parts_deadline(&self, block: &Block) -> Option<u64> {
        if !block.tag() || self.dated_objects == 0 {
            return None;
        }
        self.objects[index_of(block)].earliest_deadline()
    }

    /// When an entry or the first of its parts is due, if any ever is.
    #[inline]
    pub(super) fn next_deadline(&self, block: &Block) -> Option<u64> {
        match (block.deadline(), self.parts_deadline(block)) {
            (Some(own), Some(parts)) => Some(own.min(parts)),
            (own, parts) => own.or(parts),
        }
    }

    /// What an entry of this shard takes on the heap, with its place in the table.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "read by sessions"))]
    pub(super) fn footprint(&self, block: &Block) -> usize {
        let object = match self.held(block) {
            Held::Object(object) => object.bytes(),
            Held::String(_) => 0,
        };
        block.heap_size() + SLOT_BYTES + object
    }

    /// Gives this stamp to all entries that have none; answers what is to be dropped.
    pub(super) fn stamp_all(&mut self, stamp: u32) -> Vec<Block> {
        let mut displaced = Vec::new();
        for block in self.table.iter_mut().filter(|block| block.stamp().is_none()) {
            let (key, value) = (block.key(), block.value());
            let new = Block::new(Parts { key, value, stamp: Some(stamp), ..kept_of(block) });
            self.bytes = self.bytes + new.heap_size() - block.heap_size();
            displaced.push(std::mem::replace(block, new));
        }
        displaced
    }

    /// Has the next change give all entries to a capture first, beside others that wait for it.
    pub(super) fn summon(&mut self, summons: Summons) {
        self.summons = Some(summons.behind(self.summons.take()));
    }

    /// Gives the entries to the captures that wait for them, if any do. To be called whenever the
    /// shard's lock has been taken for changes.
    #[inline]
    pub(super) fn about_to_change(&mut self) {
        if self.summons.is_some() {
            self.answer_summons();
        }
    }

    #[cold]
    fn answer_summons(&mut self) {
        if let Some(summons) = self.summons.take() {
            summons.answer(self);
        }
    }

    /// All entries as they are, with those that have expired. They share what they hold with the
    /// shard.
    pub(super) fn entries(&self) -> Vec<Captured> {
        let capture = |block: &Block| match self.held(block) {
            Held::String(_) => (block.clone(), None),
            Held::Object(object) => (block.clone(), Some(object.clone())),
        };
        self.table.iter().map(capture).collect()
    }

    /// Takes all entries out of a shard that nobody else uses.
    pub(crate) fn take_entries(&mut self) -> Vec<Captured> {
        let Self { mut table, mut objects, .. } = std::mem::take(self);
        let entries = table.drain().map(|block| {
            let object = block.tag().then(|| objects.remove(index_of(&block)));
            (block, object)
        });
        entries.collect()
    }

    /// All entries, in no order; with those that have expired.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.table.iter()
    }

    /// All keys with their kinds, in no order; without those that have expired.
    pub(crate) fn keys<'s>(
        &'s self,
        moment: &'s Moment<'_>,
    ) -> impl Iterator<Item = (&'s [u8], Kind)> {
        let lives = |block: &&Block| !self.is_over(block, moment);
        self.table.iter().filter(lives).map(|block| (block.key(), self.kind(block)))
    }

    /// Overwrites a string in place; `false`, with nothing changed, if that cannot be: the key is
    /// absent or expired or holds something else, its block is shared or does not suit the value,
    /// or a deadline comes, goes or moves to an earlier time.
    #[inline]
    pub(super) fn overwrite_string(
        &mut self,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: Option<u64>,
        is_due: impl FnOnce(u64) -> bool,
    ) -> bool {
        let Some(block) = self.find_mut(hash, key) else { return false };
        match (block.deadline(), deadline) {
            (None, None) => !block.tag() && block.overwrite(value),
            (Some(before), Some(deadline)) => {
                // A later deadline is covered by the record of the old one.
                !block.tag()
                    && before <= deadline
                    && !is_due(before)
                    && block.overwrite(value)
                    && block.move_deadline(deadline)
            }
            _ => false,
        }
    }

    /// Sets a string's value in a new block; answers what that displaced. The entry must not be
    /// expired.
    pub(super) fn set_string(
        &mut self,
        hasher: &KeyHasher,
        hash: u64,
        parts: Parts<'_>,
    ) -> Option<Removed> {
        let Some(block) = self.table.find_mut(hash, |block| block.has_key(parts.key)) else {
            let block = self.expect_string(hash, parts);
            self.place(hasher, hash, block);
            return None;
        };
        let stamp = kept_of(block).stamp.or(parts.stamp);
        let old = std::mem::replace(block, Block::new(Parts { stamp, ..parts }));
        self.bytes = self.bytes + block.heap_size() - old.heap_size();
        self.deadlines.changed(hash, old.deadline(), parts.deadline);
        Some(self.separate(hash, old))
    }

    /// Replaces a string by what `change` makes of it, in one look-up; the deadline stays. `None`
    /// if the key is absent or due; else its answer and the block displaced, if any.
    #[inline]
    pub(super) fn update_string<T: Text, R>(
        &mut self,
        hash: u64,
        key: &[u8],
        is_due: impl FnOnce(u64) -> bool,
        change: impl FnOnce(&[u8]) -> Result<(T, R)>,
    ) -> Result<Option<(R, Option<Block>)>> {
        let found = self.table.find_mut(hash, |block| block.has_key(key));
        let Some(block) = found.filter(|block| !block.deadline().is_some_and(is_due)) else {
            return Ok(None);
        };
        if block.tag() {
            return Err(Error::WrongType);
        }
        let (text, answer) = change(block.value())?;
        let displaced = text.with(|value| {
            if block.overwrite(value) {
                return None;
            }
            let new = Block::new(Parts { key, value, ..kept_of(block) });
            Some(std::mem::replace(block, new))
        });
        if let Some(displaced) = &displaced {
            self.bytes = self.bytes + block.heap_size() - displaced.heap_size();
        }
        Ok(Some((answer, displaced)))
    }

    /// Puts an expected block into the table.
    #[inline]
    fn place(&mut self, hasher: &KeyHasher, hash: u64, block: Block) {
        self.reserve(hasher, 1);
        self.table.insert_unique(hash, block, |block| hasher.hash(block.key()));
    }

    /// Has the table grow now, and not when so many more entries come.
    #[inline]
    fn reserve(&mut self, hasher: &KeyHasher, more: usize) {
        if self.table.capacity() - self.table.len() < more {
            fetch_keys(self.table.iter());
            self.table.reserve(more, |block| hasher.hash(block.key()));
        }
    }

    /// A block for an entry that will be put into the table, and is taken into account already.
    #[inline]
    pub(super) fn expect_string(&mut self, hash: u64, parts: Parts<'_>) -> Block {
        let block = Block::new(parts);
        self.bytes += block.heap_size() + SLOT_BYTES;
        self.deadlines.changed(hash, None, block.deadline());
        block
    }

    /// The same for an object.
    pub(super) fn expect_object(&mut self, hash: u64, object: Object, parts: Parts<'_>) -> Block {
        self.bytes += object.bytes();
        self.parts_changed(hash, None, object.earliest_deadline());
        let index = (self.objects.insert(object) as u32).to_le_bytes();
        self.expect_string(hash, Parts { value: &index, tag: true, ..parts })
    }

    /// Puts expected entries, with their hashes, into the table. `false` if a key was there: the
    /// shard is then of no more use.
    pub(super) fn place_all(&mut self, hasher: &KeyHasher, entries: Vec<(u64, Block)>) -> bool {
        self.reserve(hasher, entries.len());
        entries.into_iter().all(|(hash, block)| {
            let is_new = self.find(hash, block.key()).is_none();
            if is_new {
                self.place(hasher, hash, block);
            }
            is_new
        })
    }

    /// Puts an object under a key that is absent; answers when anything of it is due.
    pub(super) fn insert_object(
        &mut self,
        hasher: &KeyHasher,
        hash: u64,
        key: &[u8],
        object: Object,
        (deadline, stamp): (Option<u64>, Option<u32>),
    ) -> Option<u64> {
        let due = [deadline, object.earliest_deadline()].into_iter().flatten().min();
        let block =
            self.expect_object(hash, object, Parts { key, deadline, stamp, ..Parts::default() });
        self.place(hasher, hash, block);
        due
    }

    pub(super) fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Removed> {
        let entry = self.table.find_entry(hash, |block| block.has_key(key)).ok()?;
        let (block, _) = entry.remove();
        self.bytes -= block.heap_size() + SLOT_BYTES;
        self.deadlines.changed(hash, block.deadline(), None);
        Some(self.separate(hash, block))
    }

    /// Takes the object of a block that has left the table.
    fn separate(&mut self, hash: u64, block: Block) -> Removed {
        if !block.tag() {
            return Removed::String(block);
        }
        let object = self.objects.remove(index_of(&block));
        self.bytes -= object.bytes();
        self.parts_changed(hash, object.earliest_deadline(), None);
        Removed::Object(block, object)
    }

    /// Keeps the index when an object's earliest deadline changes; answers the new one if it is
    /// earlier than what the index knew.
    #[inline]
    fn parts_changed(&mut self, hash: u64, from: Option<u64>, to: Option<u64>) -> Option<u64> {
        if from == to {
            return None;
        }
        self.dated_objects += usize::from(to.is_some());
        self.dated_objects -= usize::from(from.is_some());
        if self.deadlines.changed(hash, from, to) { to } else { None }
    }

    /// Appends to a string in place, or replaces its block by one with room to grow; answers
    /// the block displaced.
    pub(super) fn append(&mut self, hash: u64, key: &[u8], tail: &[u8]) -> Option<Removed> {
        let block = self.find_mut(hash, key)?;
        let old_size = block.heap_size();
        let mut displaced = None;
        if !block.append(tail) {
            let value = [block.value(), tail].concat();
            let spare = value.len().min(MAX_SPARE);
            let parts = Parts { key, value: &value, spare, ..kept_of(block) };
            displaced = Some(Removed::String(std::mem::replace(block, Block::new(parts))));
        }
        let new_size = block.heap_size();
        self.bytes = self.bytes + new_size - old_size;
        displaced
    }

    /// Overwrites a string from `offset` on, in place or in a new block that is longer by zeros;
    /// answers the block displaced.
    pub(super) fn write_at(
        &mut self,
        hash: u64,
        key: &[u8],
        offset: usize,
        bytes: &[u8],
    ) -> Option<Removed> {
        let block = self.find_mut(hash, key)?;
        let (length, end) = (block.value().len(), offset + bytes.len());
        if offset == length {
            return self.append(hash, key, bytes);
        }
        let old_size = block.heap_size();
        let mut displaced = None;
        if end > length || !block.is_unique() {
            let zeros = end.saturating_sub(length);
            let parts = Parts { key, value: block.value(), zeros, ..kept_of(block) };
            let new = Block::new(parts);
            displaced = Some(Removed::String(std::mem::replace(block, new)));
        }
        if let Some(value) = block.value_mut() {
            value[offset..end].copy_from_slice(bytes);
        }
        let new_size = block.heap_size();
        self.bytes = self.bytes + new_size - old_size;
        displaced
    }

    /// Changes or removes the deadline of an entry that exists; answers the block displaced.
    pub(super) fn set_deadline(
        &mut self,
        hash: u64,
        key: &[u8],
        deadline: Option<u64>,
    ) -> Option<Block> {
        let block = self.find_mut(hash, key)?;
        let before = block.deadline();
        if before == deadline {
            return None;
        }
        let old_size = block.heap_size();
        let mut displaced = None;
        if !deadline.is_some_and(|deadline| block.move_deadline(deadline)) {
            let parts = Parts { key, value: block.value(), deadline, ..kept_of(block) };
            let new = Block::new(parts);
            displaced = Some(std::mem::replace(block, new));
        }
        let new_size = block.heap_size();
        self.bytes = self.bytes + new_size - old_size;
        self.deadlines.changed(hash, before, deadline);
        displaced
    }

    /// Runs `edit` on a key's object and keeps the account; `None` if the key is absent or of
    /// another type. Beside its answer, the time at which a part is due now and was not before.
    #[inline]
    pub(super) fn edit<D: Data, R>(
        &mut self,
        hash: u64,
        key: &[u8],
        edit: impl FnOnce(&mut D) -> R,
    ) -> Option<(R, Option<u64>)> {
        let index = self.find(hash, key).filter(|block| block.tag()).map(index_of)?;
        let object = &mut self.objects[index];
        // Before it is opened for changes, as a copy of one's own may take other room.
        let data = D::of(object)?;
        let (bytes, deadline) = (data.bytes(), data.earliest_deadline());
        let data = D::of_mut(object)?;
        let answer = edit(data);
        let new_deadline = data.earliest_deadline();
        self.bytes = self.bytes + data.bytes() - bytes;
        Some((answer, self.parts_changed(hash, deadline, new_deadline)))
    }

    /// The keys of which [`position`] lies within `window`, as [`keys`](Self::keys); linear in
    /// the shard.
    pub(crate) fn scan<'s>(
        &'s self,
        moment: &'s Moment<'_>,
        window: RangeInclusive<u64>,
    ) -> impl Iterator<Item = (&'s [u8], Kind)> {
        let hasher = moment.databases.hasher();
        let whole = window == (0..=LAST_POSITION);
        self.keys(moment)
            .filter(move |(key, _)| whole || window.contains(&position(hasher.hash(key))))
    }

    /// Removes up to about `limit` entries and parts that are due at `now`; answers whether more
    /// may be due.
    pub(super) fn expire(
        &mut self,
        hasher: &KeyHasher,
        now: u64,
        limit: usize,
        lapsed: &mut Vec<Lapsed>,
    ) -> bool {
        let mut left = limit;
        while left > 0 {
            let Some((_, hash)) = self.deadlines.pop_due(now) else {
                self.tidy(hasher);
                return false;
            };
            let same = |block: &&Block| hasher.hash(block.key()) == hash;
            let entries: Vec<Block> = self.table.iter_hash(hash).filter(same).cloned().collect();
            for block in entries {
                let before = lapsed.len();
                if self.next_deadline(&block).is_some_and(|deadline| deadline <= now) {
                    lapsed.extend(self.lapse(hash, block.key(), now, left));
                }
                left = left.saturating_sub(lapsed[before..].iter().map(Lapsed::len).sum());
                let remaining = self.find(hash, block.key());
                if let Some(deadline) = remaining.and_then(|block| self.next_deadline(block)) {
                    self.deadlines.record(hash, deadline);
                }
            }
            left = left.saturating_sub(1);
        }
        true
    }

    /// Removes what is due at `now` of an entry of which something is: all of it, or up to `limit`
    /// parts of its object.
    pub(super) fn lapse(
        &mut self,
        hash: u64,
        key: &[u8],
        now: u64,
        limit: usize,
    ) -> Option<Lapsed> {
        let block = self.find(hash, key)?;
        if block.deadline().is_some_and(|deadline| deadline <= now) {
            return self.remove(hash, key).map(Lapsed::Entry);
        }
        let index = index_of(block);
        let object = &mut self.objects[index];
        let event = object.parts_expired();
        let mut parts = Vec::new();
        // What is over as a whole goes as a whole, in O(1).
        let mut must_go = object.is_spent(now);
        if !must_go {
            let (bytes, deadline) = (object.bytes(), object.earliest_deadline());
            parts = object.expire(now, limit);
            must_go = !object.may_live();
            let new_deadline = object.earliest_deadline();
            self.bytes = self.bytes + object.bytes() - bytes;
            self.parts_changed(hash, deadline, new_deadline);
        }
        let emptied = if must_go { self.remove(hash, key) } else { None };
        Some(Lapsed::Parts { key: Value::from(key), event, parts, emptied })
    }

    /// Rebuilds the index by deadline if most of it is stale.
    pub(super) fn tidy(&mut self, hasher: &KeyHasher) {
        if self.deadlines.is_stale(self.table.len()) {
            let mut records = Vec::with_capacity(self.deadlines.live());
            for block in &self.table {
                let deadlines = [block.deadline(), self.parts_deadline(block)];
                let deadlines = deadlines.into_iter().flatten();
                records.extend(deadlines.map(|deadline| (hasher.hash(block.key()), deadline)));
            }
            self.deadlines.rebuild(records.into_iter());
        }
    }

    /// Empties the shard and answers what it held; who waits or watches stays.
    pub(super) fn clear(&mut self) -> Shard {
        let interests = std::mem::take(&mut self.interests);
        let held = std::mem::take(self);
        self.interests = interests;
        held
    }

    /// Gives either shard what the other holds; who waits or watches stays.
    pub(super) fn swap(&mut self, other: &mut Self) {
        std::mem::swap(self, other);
        std::mem::swap(&mut self.interests, &mut other.interests);
    }

    /// Asserts the account, the index by deadline, that objects and blocks match, and what each
    /// object asserts of itself.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check(&self, hasher: &KeyHasher) {
        let mut bytes = 0;
        let mut dated = 0;
        let mut dated_objects = 0;
        let mut objects = 0;
        for block in &self.table {
            bytes += block.heap_size() + SLOT_BYTES;
            if let Held::Object(object) = self.held(block) {
                object.check();
                assert!(object.may_live(), "an empty object has kept its key");
                bytes += object.bytes();
                objects += 1;
            }
            let hash = hasher.hash(block.key());
            assert!(self.find(hash, block.key()).is_some(), "an entry is not where its hash is");
            dated += usize::from(block.deadline().is_some());
            dated_objects += usize::from(self.parts_deadline(block).is_some());
            if let Some(deadline) = self.next_deadline(block) {
                assert!(self.deadlines.covers(hash, deadline), "a deadline is not indexed");
            }
        }
        assert_eq!(bytes, self.bytes);
        assert_eq!(dated_objects, self.dated_objects);
        assert_eq!(dated + dated_objects, self.deadlines.live());
        assert_eq!(objects, self.objects.len());
    }
}

impl Lapsed {
    pub(super) fn key(&self) -> &[u8] {
        match self {
            Self::Entry(removed) => removed.key(),
            Self::Parts { key, .. } => key,
        }
    }

    /// Shows what its going is recorded as.
    pub(super) fn each_effect(&self, mut show: impl FnMut(&Effect<'_>)) {
        match self {
            Self::Parts { parts, .. } if !parts.is_empty() => {
                parts.iter().for_each(|part| show(&Effect::RemoveField { field: part.key() }));
            }
            _ => show(&Effect::Delete),
        }
    }

    /// How many blocks it is, for whoever counts work.
    fn len(&self) -> usize {
        match self {
            Self::Entry(_) => 0,
            Self::Parts { parts, .. } => parts.len(),
        }
    }
}

/// Where a hash stands in the order of a scan. It depends on the hash alone, so it stays while
/// the table grows, and a window of positions is a random sample of the shard.
#[inline]
fn position(hash: u64) -> u64 {
    hash & LAST_POSITION
}

/// The bits of a hash that choose no shard and order a scan.
pub(crate) const POSITION_BITS: u32 = 38;
/// The last position in a scan of one shard.
pub(crate) const LAST_POSITION: u64 = (1 << POSITION_BITS) - 1;

/// What a block in the place of another keeps of it, beside key and value.
#[inline]
fn kept_of(block: &Block) -> Parts<'static> {
    let stamp = block.stamp().map(|stamp| stamp.load(Ordering::Relaxed));
    Parts { deadline: block.deadline(), stamp, tag: block.tag(), ..Parts::default() }
}

#[inline]
fn index_of(block: &Block) -> usize {
    let bytes: [u8; 4] = block.value().try_into().expect("an object's block holds its index");
    u32::from_le_bytes(bytes) as usize
}
