//! A stream: entries of fields under ever growing ids, and the consumer groups that read them.
//!
//! Invariant: that of [`entry_log`] and [`group`]; `group_bytes` is the sum over the groups. A
//! pending entry need not be in the stream. No counter is above [`LAST_COUNT`].
//!
//! Cost: append O(bytes appended) amortised, a few bytes over the payload per entry; reaching an id
//! O(log entries); group operations O(log pending) per entry. `len`, `bytes`, first and last id are
//! O(1).
//!
//! Pure and single-threaded: no key, lock, clock or reply; the time is an argument. Reads take
//! `&self`.

mod block;
mod entries;
mod entry_log;
mod group;
mod id;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

pub use entries::{Direction, Entries, EntriesIter, Entry, Fields};
pub use entry_log::{Precision, TrimBound};
pub use id::StreamId;

pub(crate) use block::{FieldSlice, Strings};
pub(crate) use entry_log::{AppendError, SetIdError};
pub(crate) use group::{
    Acknowledge, AutoclaimOptions, ClaimOptions, Claimed, Consumer, DeliveryTime, Group, GroupMut,
    PendingQuery,
};

use entry_log::EntryLog;

/// A group without its name and contents: its share of the map.
const GROUP_BYTES: usize = (size_of::<Group>() + 16) * 3 / 2;

/// The last number of all that is counted: Redis has signed counters, and no command that names one
/// may name a higher.
const LAST_COUNT: u64 = i64::MAX as u64;

/// A count, or the last number if it is beyond.
fn counted(count: u64) -> u64 {
    count.min(LAST_COUNT)
}

/// Entries in the order of their ids, and the consumer groups that read them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stream {
    log: EntryLog,
    groups: BTreeMap<Box<[u8]>, Group>,
    group_bytes: usize,
}

/// What becomes of pending references to an entry that is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum References {
    /// They stay.
    #[default]
    Keep,
    /// They go with the entry.
    Delete,
    /// The entry stays while a group has it pending or has not been given it yet.
    Acknowledged,
}

/// What became of one entry to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// There is no such entry.
    NotFound,
    /// It is gone.
    Deleted,
    /// A group still needs it.
    StillReferenced,
}

impl Stream {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.log.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The heap bytes that the stream takes.
    pub(crate) fn bytes(&self) -> usize {
        self.log.bytes() + self.group_bytes
    }

    /// How many blocks hold the entries; Redis's number of radix tree keys.
    pub(crate) fn blocks(&self) -> usize {
        self.log.blocks()
    }

    /// The highest id ever added, or set.
    pub(crate) fn last_id(&self) -> StreamId {
        self.log.last_id()
    }

    pub(crate) fn first_id(&self) -> Option<StreamId> {
        self.first_entry().map(|entry| entry.id())
    }

    pub(crate) fn first_entry(&self) -> Option<Entry<'_>> {
        self.log.first_entry()
    }

    pub(crate) fn last_entry(&self) -> Option<Entry<'_>> {
        self.log.last_entry()
    }

    /// The highest id that was deleted other than by trimming; `0-0` if none was.
    pub(crate) fn max_deleted_id(&self) -> StreamId {
        self.log.max_deleted_id()
    }

    /// How many entries were ever added.
    pub(crate) fn entries_added(&self) -> u64 {
        self.log.added()
    }

    /// Adds an entry at the end.
    pub(crate) fn append(
        &mut self,
        id: StreamId,
        fields: FieldSlice<'_>,
    ) -> Result<(), AppendError> {
        self.log.append(id, fields.iter().copied())
    }

    /// As [`append`](Self::append), with fields of strings in one buffer.
    pub(crate) fn append_strings(
        &mut self,
        id: StreamId,
        fields: Fields<'_>,
    ) -> Result<(), AppendError> {
        self.log.append(id, fields)
    }

    /// The entries in runs of up to a hundred that follow each other, as the blocks hold them.
    pub(crate) fn runs(&self) -> impl Iterator<Item: Iterator<Item = Entry<'_>> + Clone> {
        self.log.runs()
    }

    /// How many entries had been added once the one of this id was; `None` if that cannot be told.
    pub(crate) fn position_of(&self, id: StreamId) -> Option<u64> {
        self.log.position_of(id)
    }

    /// The id for an entry that is added now: never below one given before, even if the clock went
    /// back. `None` once there is no higher one.
    pub(crate) fn next_id(&self, now_ms: u64) -> Option<StreamId> {
        self.log.next_id(now_ms)
    }

    /// The id for an entry that must be of this millisecond.
    pub(crate) fn next_id_at(&self, ms: u64) -> Result<StreamId, AppendError> {
        self.log.next_id_at(ms)
    }

    /// Reads up to `limit` entries whose ids are in the range. Bounds the wrong way round find
    /// nothing.
    pub(crate) fn range(
        &self,
        ids: RangeInclusive<StreamId>,
        limit: Option<usize>,
        direction: Direction,
    ) -> Entries {
        self.log.range(ids, limit, direction)
    }

    /// Reads these entries; those that the stream does not hold come as deleted.
    pub(crate) fn collect(&self, ids: &[StreamId]) -> Entries {
        self.log.collect(ids)
    }

    pub(crate) fn contains(&self, id: StreamId) -> bool {
        self.log.contains(id)
    }

    /// Deletes an entry. Groups that have it pending keep it so.
    pub(crate) fn remove(&mut self, id: StreamId) -> bool {
        self.log.remove(id)
    }

    /// Removes the oldest entries down to a bound, and returns how many they were.
    pub(crate) fn trim(&mut self, bound: TrimBound, precision: Precision) -> usize {
        self.log.trim(bound, precision)
    }

    /// Sets the last id, and if given how many entries were added and the highest deleted id.
    pub(crate) fn set_ids(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) -> Result<(), SetIdError> {
        self.log.set_ids(last_id, entries_added, max_deleted_id)
    }

    /// The groups by name.
    pub(crate) fn groups(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, group))
    }

    pub(crate) fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    pub(crate) fn group_mut(&mut self, name: &[u8]) -> Option<GroupMut<'_>> {
        let group = self.groups.get_mut(name)?;
        Some(GroupMut::new(&self.log, group, &mut self.group_bytes))
    }

    /// Whether the group is new. It will be given the entries above `last_delivered`.
    pub(crate) fn create_group(
        &mut self,
        name: &[u8],
        last_delivered: StreamId,
        entries_read: Option<u64>,
    ) -> bool {
        if self.groups.contains_key(name) {
            return false;
        }
        let group = Group::new(last_delivered, entries_read);
        self.group_bytes += group.bytes() + name.len() + GROUP_BYTES;
        self.groups.insert(name.into(), group);
        true
    }

    pub(crate) fn destroy_group(&mut self, name: &[u8]) -> bool {
        let Some(group) = self.groups.remove(name) else { return false };
        self.group_bytes -= group.bytes() + name.len() + GROUP_BYTES;
        true
    }

    /// How many entries the group has yet to be given; `None` if deletions make that unknown.
    /// Negative if the group was told to have read more than there ever was.
    pub(crate) fn lag(&self, group: &Group) -> Option<i64> {
        group.lag(&self.log)
    }

    /// Deletes an entry as the groups' references to it allow.
    pub(crate) fn delete(&mut self, id: StreamId, references: References) -> Deletion {
        match references {
            References::Acknowledged if self.is_referenced(id) => return Deletion::StillReferenced,
            References::Delete => self.delete_references(id),
            _ => {}
        }
        match self.remove(id) {
            true => Deletion::Deleted,
            false => Deletion::NotFound,
        }
    }

    /// Acknowledges an entry in a group, and deletes it as the other groups' references to it
    /// allow. An entry that the group does not have pending is `NotFound` and stays as it is.
    pub(crate) fn ack_and_delete(
        &mut self,
        group: &[u8],
        id: StreamId,
        references: References,
    ) -> Deletion {
        if !self.group_mut(group).is_some_and(|mut group| group.ack(id)) {
            return Deletion::NotFound;
        }
        match self.delete(id, references) {
            Deletion::StillReferenced => Deletion::StillReferenced,
            Deletion::Deleted | Deletion::NotFound => Deletion::Deleted,
        }
    }

    /// Whether a group has the entry pending or still ahead.
    fn is_referenced(&self, id: StreamId) -> bool {
        self.groups.values().any(|group| id > group.last_delivered() || group.pending(id).is_some())
    }

    fn delete_references(&mut self, id: StreamId) {
        for group in self.groups.values_mut() {
            GroupMut::new(&self.log, group, &mut self.group_bytes).ack(id);
        }
    }

    /// Asserts the invariant.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check(&self) {
        self.log.check();
        let mut bytes = 0;
        for (name, group) in &self.groups {
            group.check();
            bytes += group.bytes() + name.len() + GROUP_BYTES;
        }
        assert_eq!(bytes, self.group_bytes);
    }
}
