//! The changes of a stream, one method per kind.
//!
//! Each is a fact with nothing left to decide: ids are given, not made up, and times come as
//! arguments. A method that changed nothing leaves the stream unchanged to whoever watches it.

use super::effect::Effect;
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
        self.record(|| Effect::AddEntry { id, fields });
        Ok(())
    }

    /// Removes the oldest entries down to a bound; answers how many they were.
    pub(crate) fn trim(&mut self, bound: TrimBound, precision: Precision) -> usize {
        let removed = self.data.trim(bound, precision);
        if removed > 0 {
            self.outcome.changed = true;
            let length = self.len();
            self.record(|| Effect::KeepEntries { length });
        }
        removed
    }

    /// Deletes an entry as the groups' references to it allow.
    pub(crate) fn delete(&mut self, id: StreamId, references: References) -> Deletion {
        let deletion = self.dereference(id, |stream| stream.delete(id, references));
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
        self.record(|| Effect::SetIds { last_id, entries_added, max_deleted_id });
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
        if created {
            self.outcome.changed = true;
            self.record(|| Effect::CreateGroup { group, last_delivered, entries_read });
        }
        created
    }

    pub(crate) fn destroy_group(&mut self, group: &[u8]) -> bool {
        let destroyed = self.data.destroy_group(group);
        if destroyed {
            self.outcome.changed = true;
            self.record(|| Effect::DestroyGroup { group });
        }
        destroyed
    }

    /// Moves a group to another place in the stream; `false` if there is no such group.
    pub(crate) fn set_group_id(
        &mut self,
        group: &[u8],
        last_delivered: StreamId,
        entries_read: Option<u64>,
    ) -> bool {
        let set = self.in_group(group, |group| {
            group.set_id(last_delivered, entries_read);
            (true, true)
        });
        if set {
            self.record_place(group);
        }
        set
    }

    /// Makes a consumer; `false` if it exists or the group does not.
    pub(crate) fn create_consumer(&mut self, group: &[u8], consumer: &[u8], now_ms: u64) -> bool {
        let created = self.in_group(group, |group| {
            let created = group.create_consumer(consumer, now_ms);
            (created, created)
        });
        if created {
            self.record(|| Effect::CreateConsumer { group, consumer });
        }
        created
    }

    /// Removes a consumer and what it has pending; answers how many entries that was.
    pub(crate) fn remove_consumer(&mut self, group: &[u8], consumer: &[u8]) -> Option<usize> {
        let removed = self.in_group(group, |group| {
            let removed = group.remove_consumer(consumer);
            (removed, removed.is_some())
        });
        if removed.is_some() {
            self.record(|| Effect::RemoveConsumer { group, consumer });
        }
        removed
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
        let entries = self.in_group(group, |group| {
            let entries = group.deliver(consumer, limit, acknowledge, now_ms);
            let any = !entries.is_empty();
            (entries, any)
        });
        if self.recorder.is_some() && !entries.is_empty() {
            if acknowledge == Acknowledge::Later {
                self.record_deliveries(group, consumer, entries.ids());
            }
            self.record_place(group);
        }
        entries
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
        let entries = self.in_group(group, |group| {
            let entries = group.history(consumer, after, limit, now_ms);
            let any = !entries.is_empty();
            (entries, any)
        });
        if self.recorder.is_some() {
            let present = entries.iter().filter(|entry| !entry.is_deleted());
            self.record_deliveries(group, consumer, present.map(|entry| entry.id()));
        }
        entries
    }

    /// Ends the delivery of an entry; `false` if it was not pending.
    pub(crate) fn ack(&mut self, group: &[u8], id: StreamId) -> bool {
        let acked = self.in_group(group, |group| {
            let acked = group.ack(id);
            (acked, acked)
        });
        if acked {
            self.record(|| Effect::Acknowledge { group, id });
        }
        acked
    }

    /// Ends the delivery of an entry and deletes it as the other groups' references allow.
    pub(crate) fn ack_and_delete(
        &mut self,
        group: &[u8],
        id: StreamId,
        references: References,
    ) -> Deletion {
        let deletion = self.dereference(id, |stream| stream.ack_and_delete(group, id, references));
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
        let (claimed, has_moved) = self.in_group(group, |group| {
            let before = group.last_delivered();
            let claimed = group.claim(consumer, ids, options, now_ms);
            let has_moved = group.last_delivered() != before;
            let any = claimed.is_change() || has_moved;
            ((claimed, has_moved), any)
        });
        self.record_claimed(group, consumer, &claimed);
        if has_moved {
            self.record_place(group);
        }
        claimed
    }

    /// Makes whatever is pending from an id on a consumer's, who is created once there is some.
    pub(crate) fn autoclaim(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        options: &AutoclaimOptions,
        now_ms: u64,
    ) -> Claimed {
        let claimed = self.in_group(group, |group| {
            let claimed = group.autoclaim(consumer, options, now_ms);
            let any = claimed.is_change();
            (claimed, any)
        });
        self.record_claimed(group, consumer, &claimed);
        claimed
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

    /// Deletes an entry, or references to it, or both, and records which.
    fn dereference(
        &mut self,
        id: StreamId,
        delete: impl FnOnce(&mut Stream) -> Deletion,
    ) -> Deletion {
        if self.recorder.is_none() {
            return delete(self.data);
        }
        let pending = |stream: &Stream, name: &[u8]| {
            stream.group(name).is_some_and(|group| group.pending(id).is_some())
        };
        let groups = self.data.groups().map(|(name, _)| name);
        let before: Vec<Box<[u8]>> =
            groups.filter(|name| pending(self.data, name)).map(Box::from).collect();
        let was_there = self.data.contains(id);
        let deletion = delete(self.data);
        for group in before.iter().filter(|name| !pending(self.data, name)) {
            if let Some(recorder) = &mut self.recorder {
                recorder.keep(&Effect::Acknowledge { group, id });
            }
        }
        if was_there && !self.data.contains(id) {
            self.record(|| Effect::DeleteEntry { id });
        }
        deletion
    }

    /// Records where in the stream a group is.
    fn record_place(&mut self, group: &[u8]) {
        let Some(recorder) = &mut self.recorder else { return };
        let Some(found) = self.data.group(group) else { return };
        let (last_delivered, entries_read) = (found.last_delivered(), found.entries_read());
        recorder.keep(&Effect::SetGroupId { group, last_delivered, entries_read });
    }

    fn record_claimed(&mut self, group: &[u8], consumer: &[u8], claimed: &Claimed) {
        if self.recorder.is_none() {
            return;
        }
        self.record_deliveries(group, consumer, claimed.ids.iter().copied());
        for id in &claimed.deleted {
            self.record(|| Effect::Acknowledge { group, id: *id });
        }
    }

    /// Records entries as they are pending now, those together that were delivered alike.
    fn record_deliveries(
        &mut self,
        group: &[u8],
        consumer: &[u8],
        ids: impl Iterator<Item = StreamId>,
    ) {
        let Some(recorder) = &mut self.recorder else { return };
        let Some(found) = self.data.group(group) else { return };
        let pending = ids.filter_map(|id| found.pending(id));
        let deliveries: Vec<_> =
            pending.map(|entry| (entry.id, entry.delivered_at, entry.delivery_count)).collect();
        for alike in deliveries.chunk_by(|one, other| (one.1, one.2) == (other.1, other.2)) {
            let (_, delivered_at, count) = alike[0];
            let ids: Vec<StreamId> = alike.iter().map(|(id, ..)| *id).collect();
            let unix_ms = recorder.unix_of(delivered_at);
            recorder.keep(&Effect::Deliver { group, consumer, ids: &ids, unix_ms, count });
        }
    }
}

impl Claimed {
    fn is_change(&self) -> bool {
        !self.ids.is_empty() || !self.deleted.is_empty()
    }
}
