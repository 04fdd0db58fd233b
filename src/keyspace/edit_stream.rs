//! The changes of a stream, one method per kind.
//!
//! Each is a fact with nothing left to decide: ids are given, not made up, and times come as
//! arguments. A method that changed nothing leaves the stream unchanged to whoever watches it.

use super::writer::Edit;
use crate::data::stream::{
    Acknowledge, AppendError, AutoclaimOptions, ClaimOptions, Claimed, Deletion, Entries,
    FieldSlice, GroupMut, Precision, References, SetIdError, Stream, StreamId, TrimBound,
};

impl Edit<'_, Stream> {
    /// Adds an entry at the end.
    #[inline]
    pub(crate) fn append(
        &mut self,
        id: StreamId,
        fields: FieldSlice<'_>,
    ) -> Result<(), AppendError> {
        self.data.append(id, fields)?;
        self.outcome.changed = true;
        Ok(())
    }

    /// Removes the oldest entries down to a bound; answers how many they were.
    pub(crate) fn trim(&mut self, bound: TrimBound, precision: Precision) -> usize {
        let removed = self.data.trim(bound, precision);
        self.outcome.changed |= removed > 0;
        removed
    }

    /// Deletes an entry as the groups' references to it allow.
    pub(crate) fn delete(&mut self, id: StreamId, references: References) -> Deletion {
        let deletion = self.data.delete(id, references);
        self.outcome.changed |= deletion == Deletion::Deleted || references == References::Delete;
        deletion
    }

    /// Sets the last id and the counters.
    pub(crate) fn set_ids(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) -> Result<(), SetIdError> {
        self.data.set_ids(last_id, entries_added, max_deleted_id)?;
        self.outcome.changed = true;
        Ok(())
    }

    /// Makes a group that will be given the entries above an id; `false` if there is one.
    pub(crate) fn create_group(
        &mut self,
        group: &[u8],
        last_delivered: StreamId,
        entries_read: Option<u64>,
    ) -> bool {
        let created = self.data.create_group(group, last_delivered, entries_read);
        self.outcome.changed |= created;
        created
    }

    pub(crate) fn destroy_group(&mut self, group: &[u8]) -> bool {
        let destroyed = self.data.destroy_group(group);
        self.outcome.changed |= destroyed;
        destroyed
    }

    /// Moves a group to another place in the stream; `false` if there is no such group.
    pub(crate) fn set_group_id(
        &mut self,
        group: &[u8],
        last_delivered: StreamId,
        entries_read: Option<u64>,
    ) -> bool {
        self.in_group(group, |group| {
            group.set_id(last_delivered, entries_read);
            (true, true)
        })
    }

    /// Makes a consumer; `false` if it exists or the group does not.
    pub(crate) fn create_consumer(&mut self, group: &[u8], consumer: &[u8], now_ms: u64) -> bool {
        self.in_group(group, |group| {
            let created = group.create_consumer(consumer, now_ms);
            (created, created)
        })
    }

    /// Removes a consumer and what it has pending; answers how many entries that was.
    pub(crate) fn remove_consumer(&mut self, group: &[u8], consumer: &[u8]) -> Option<usize> {
        self.in_group(group, |group| {
            let removed = group.remove_consumer(consumer);
            (removed, removed.is_some())
        })
    }

    /// Gives the next entries of the stream to a consumer that exists.
    pub(crate) fn deliver(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        limit: Option<usize>,
        acknowledge: Acknowledge,
        now_ms: u64,
    ) -> Entries {
        self.in_group(group, |group| {
            let entries = group.deliver(consumer, limit, acknowledge, now_ms);
            let any = !entries.is_empty();
            (entries, any)
        })
    }

    /// Gives what a consumer that exists has pending above an id to it once more.
    pub(crate) fn redeliver(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        after: StreamId,
        limit: Option<usize>,
        now_ms: u64,
    ) -> Entries {
        self.in_group(group, |group| {
            let entries = group.history(consumer, after, limit, now_ms);
            let any = !entries.is_empty();
            (entries, any)
        })
    }

    /// Ends the delivery of an entry; `false` if it was not pending.
    pub(crate) fn ack(&mut self, group: &[u8], id: StreamId) -> bool {
        self.in_group(group, |group| {
            let acked = group.ack(id);
            (acked, acked)
        })
    }

    /// Ends the delivery of an entry and deletes it as the other groups' references allow.
    pub(crate) fn ack_and_delete(
        &mut self,
        group: &[u8],
        id: StreamId,
        references: References,
    ) -> Deletion {
        let deletion = self.data.ack_and_delete(group, id, references);
        self.outcome.changed |= deletion != Deletion::NotFound;
        deletion
    }

    /// Makes pending entries a consumer's, who is created once there is one.
    pub(crate) fn claim(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        ids: &[StreamId],
        options: &ClaimOptions,
        now_ms: u64,
    ) -> Claimed {
        self.in_group(group, |group| {
            let before = group.last_delivered();
            let claimed = group.claim(consumer, ids, options, now_ms);
            let any = claimed.is_change() || group.last_delivered() != before;
            (claimed, any)
        })
    }

    /// Makes whatever is pending from an id on a consumer's, who is created once there is some.
    pub(crate) fn autoclaim(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        options: &AutoclaimOptions,
        now_ms: u64,
    ) -> Claimed {
        self.in_group(group, |group| {
            let claimed = group.autoclaim(consumer, options, now_ms);
            let any = claimed.is_change();
            (claimed, any)
        })
    }

    /// Changes a group; `change` also says whether it did. Nothing if there is no such group.
    fn in_group<R: Default>(
        &mut self,
        group: &[u8],
        change: impl FnOnce(&mut GroupMut<'_>) -> (R, bool),
    ) -> R {
        let Some(mut group) = self.data.group_mut(group) else { return R::default() };
        let (answer, changed) = change(&mut group);
        drop(group);
        self.outcome.changed |= changed;
        answer
    }
}

impl Claimed {
    fn is_change(&self) -> bool {
        !self.ids.is_empty() || !self.deleted.is_empty()
    }
}
