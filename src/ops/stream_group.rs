//! Consumer groups of streams: making them, reading through them, acknowledging, claiming.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::stream::{Ids, ReadOptions, ReadOutput, Referenced, Streams};
use super::{Blocking, Operation};
use crate::data::stream::{
    Acknowledge, AutoclaimOptions, ClaimOptions as ClaimRule, Consumer, Deletion, DeliveryTime,
    Entries, Group, PendingQuery, Stream, StreamId,
};
use crate::error::{Error, Result};
use crate::keyspace::access::{Extent, Read, Write, WriteMany, Writers};
use crate::keyspace::{Edit, EventKind, Moment, View, Writer};
use crate::value::{Value, check_len};

fn no_group(key: &[u8], group: &[u8]) -> Error {
    Error::NoGroup { key: Value::from(key), group: Value::from(group) }
}

/// The group, which must exist.
fn group_of<'s>(view: &View<'s>, key: &[u8], group: &[u8]) -> Result<(&'s Stream, &'s Group)> {
    let stream = view.get::<Stream>()?;
    let found = stream.and_then(|stream| Some((stream, stream.group(group)?)));
    found.ok_or_else(|| no_group(key, group))
}

/// Where a group begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupStart {
    /// At the first entry.
    Beginning,
    /// At the next entry to be added.
    End,
    /// At the entry after this id.
    After(StreamId),
}

impl GroupStart {
    fn resolve(self, stream: &Stream) -> StreamId {
        match self {
            Self::Beginning => StreamId::MIN,
            Self::End => stream.last_id(),
            Self::After(id) => id,
        }
    }
}

impl From<StreamId> for GroupStart {
    fn from(id: StreamId) -> Self {
        Self::After(id)
    }
}

/// Makes a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateGroup<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) start: GroupStart,
    pub(crate) options: GroupOptions,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupOptions {
    /// Whether a stream that does not exist is created.
    pub(crate) create_stream: bool,
    pub(crate) entries_read: EntriesRead,
}

/// How many entries a group is said to have read, if that is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntriesRead(pub(crate) Option<u64>);

impl Operation for CreateGroup<'_> {
    type Output = ();
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        check_len(self.group.len())?;
        let create = |edit: &mut Edit<'_, Stream>| {
            let id = self.start.resolve(edit);
            let created = edit.create_group(self.group, id, self.options.entries_read.0);
            if created { Ok(()) } else { Err(Error::GroupExists) }
        };
        if self.options.create_stream {
            writer.edit_or_create(create)?;
        } else {
            writer.edit(create)?.ok_or(Error::NoSuchStream)?;
        }
        writer.notify(EventKind::GroupCreated);
        Ok(())
    }
}

/// Moves a group to another place in the stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetGroupId<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) start: Position,
    pub(crate) entries_read: EntriesRead,
}

/// Where a group goes on to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position(pub(crate) GroupStart);

impl Operation for SetGroupId<'_> {
    type Output = ();
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let (key, group) = (self.key, self.group);
        let set = writer.edit(|edit: &mut Edit<'_, Stream>| {
            let id = self.start.0.resolve(edit);
            let set = edit.set_group_id(group, id, self.entries_read.0);
            if set { Ok(()) } else { Err(no_group(key, group)) }
        })?;
        set.ok_or(Error::NoSuchStream)?;
        writer.notify(EventKind::GroupIdSet);
        Ok(())
    }
}

/// Removes a group; answers whether there was one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DestroyGroup<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
}

impl Operation for DestroyGroup<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let destroy = |edit: &mut Edit<'_, Stream>| Ok(edit.destroy_group(self.group));
        let destroyed = writer.edit(destroy)?.ok_or(Error::NoSuchStream)?;
        if destroyed {
            writer.notify(EventKind::GroupDestroyed);
        }
        Ok(destroyed)
    }
}

/// Makes a consumer; answers whether it is new.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateConsumer<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) consumer: &'a [u8],
}

impl Operation for CreateConsumer<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        check_len(self.consumer.len())?;
        let now = writer.moment.now();
        let created = writer.edit(|edit: &mut Edit<'_, Stream>| {
            edit.group(self.group).ok_or_else(|| no_group(self.key, self.group))?;
            Ok(edit.create_consumer(self.group, self.consumer, now))
        })?;
        let created = created.ok_or(Error::NoSuchStream)?;
        if created {
            writer.notify(EventKind::ConsumerCreated);
        }
        Ok(created)
    }
}

/// Removes a consumer with what it has pending; answers how many entries that was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeleteConsumer<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) consumer: &'a [u8],
}

impl Operation for DeleteConsumer<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let deleted = writer.edit(|edit: &mut Edit<'_, Stream>| {
            edit.group(self.group).ok_or_else(|| no_group(self.key, self.group))?;
            Ok(edit.remove_consumer(self.group, self.consumer))
        })?;
        let deleted = deleted.ok_or(Error::NoSuchStream)?;
        if deleted.is_some() {
            writer.notify(EventKind::ConsumerDeleted);
        }
        Ok(deleted.unwrap_or(0))
    }
}

/// Reads several streams as a consumer of a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReadGroup<'a> {
    pub(crate) options: ReadGroupOptions<'a>,
    pub(crate) streams: Streams<'a, Wanted>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReadGroupOptions<'a> {
    pub(crate) group: &'a [u8],
    pub(crate) consumer: &'a [u8],
    pub(crate) read: ReadOptions,
    pub(crate) acknowledge: Acknowledge,
}

/// Which entries a consumer wants of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Those that no consumer of the group has been given.
    New,
    /// Those that it has pending above an id.
    PendingAfter(StreamId),
}

impl ReadGroup<'_> {
    fn check(&self, writers: &Writers<'_>) -> Result<()> {
        for (key, _) in self.streams.0.iter() {
            group_of(&writers.look_up(key)?, key, self.options.group)?;
        }
        Ok(())
    }

    fn read(&self, writer: &mut Writer<'_>, wanted: Wanted) -> Result<Entries> {
        let ReadGroupOptions { group, consumer, read, acknowledge } = &self.options;
        let now = writer.moment.now();
        let (mut created, limit) = (false, read.limit);
        let entries = writer.edit(|edit: &mut Edit<'_, Stream>| {
            // A consumer does not come into being, or show signs of life, by waiting.
            if wanted == Wanted::New && !has_news(edit, group) {
                return Ok(Entries::new());
            }
            created = edit.create_consumer(group, consumer, now);
            Ok(match wanted {
                Wanted::New => edit.deliver(group, consumer, limit, *acknowledge, now),
                Wanted::PendingAfter(id) => edit.redeliver(group, consumer, id, limit, now),
            })
        })?;
        if created {
            writer.notify(EventKind::ConsumerCreated);
        }
        Ok(entries.unwrap_or_default())
    }
}

/// Whether there is an entry that the group has not been given.
fn has_news(stream: &Stream, group: &[u8]) -> bool {
    let last = stream.last_entry().map(|entry| entry.id());
    last > stream.group(group).map(Group::last_delivered)
}

impl Operation for ReadGroup<'_> {
    type Output = Option<ReadOutput>;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        self.streams.extent()
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        check_len(self.options.consumer.len())?;
        self.check(&writers)?;
        let mut found = Vec::new();
        for (key, wanted) in self.streams.0.iter() {
            let entries = self.read(&mut writers.writer(key)?, *wanted)?;
            // A consumer without history is told so, rather than made to wait for some.
            if !entries.is_empty() || *wanted != Wanted::New {
                found.push((Value::from(*key), entries));
            }
        }
        Ok(if found.is_empty() { None } else { Some(found) })
    }
}

impl Blocking for ReadGroup<'_> {
    type Found = ReadOutput;

    const MINDS_REMOVAL: bool = true;

    fn retry(&self, writers: Writers<'_>) -> Result<Self::Output> {
        self.run(writers)
    }

    /// The entries stay pending for the consumer, as for one that crashed after it got them.
    fn give_back(&self, _found: Self::Found, _writers: Writers<'_>) -> Result<()> {
        Ok(())
    }
}

/// Ends the delivery of entries; answers how many were pending.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ack<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) ids: Cow<'a, [StreamId]>,
}

impl Operation for Ack<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let acked = writer.edit(|edit: &mut Edit<'_, Stream>| {
            Ok(self.ids.iter().filter(|id| edit.ack(self.group, **id)).count())
        })?;
        Ok(acked.unwrap_or(0))
    }
}

/// Ends the delivery of entries and deletes them as the groups' references to them allow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AckDelete<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) entries: Referenced<'a>,
}

impl Operation for AckDelete<'_> {
    type Output = Vec<Deletion>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let Referenced { references, ids } = &self.entries;
        let deletions = writer.edit(|edit: &mut Edit<'_, Stream>| {
            let delete = |id: &StreamId| edit.ack_and_delete(self.group, *id, *references);
            Ok(ids.iter().map(delete).collect::<Vec<_>>())
        })?;
        let deletions = deletions.unwrap_or_else(|| vec![Deletion::NotFound; ids.len()]);
        if deletions.contains(&Deletion::Deleted) {
            writer.notify(EventKind::EntriesDeleted);
        }
        Ok(deletions)
    }
}

/// Sums up what a group has pending.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SummarizePending<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
}

/// What a group has been given and not acknowledged, at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingSummary {
    /// How many entries.
    pub count: usize,
    /// The lowest and the highest of their ids, if there are any.
    pub ids: Option<(StreamId, StreamId)>,
    /// The consumers that have any, by name, and how many.
    pub consumers: Vec<(Value, usize)>,
}

impl Operation for SummarizePending<'_> {
    type Output = PendingSummary;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let (_, group) = group_of(&view, self.key, self.group)?;
        let Some(summary) = group.pending_summary() else { return Ok(PendingSummary::default()) };
        let consumers = summary.consumers.iter();
        Ok(PendingSummary {
            count: summary.count,
            ids: Some((summary.first, summary.last)),
            consumers: consumers.map(|(name, count)| (Value::from(*name), *count)).collect(),
        })
    }
}

/// Lists what a group has pending.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListPending<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) filter: PendingFilter<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PendingFilter<'a> {
    pub(crate) min_idle: Millis,
    pub(crate) ids: Ids,
    pub(crate) limit: usize,
    pub(crate) consumer: Option<&'a [u8]>,
}

/// A length of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Millis(pub(crate) u64);

impl From<Duration> for Millis {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(i64::MAX as u64))
    }
}

/// An entry that was given to a consumer and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingEntry {
    /// The entry's id.
    pub id: StreamId,
    /// The consumer's name.
    pub consumer: Value,
    /// How long ago the entry was given to it, to the millisecond.
    pub idle: Duration,
    /// How often the entry was delivered.
    pub deliveries: u64,
}

impl Operation for ListPending<'_> {
    type Output = Vec<PendingEntry>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let (_, group) = group_of(&view, self.key, self.group)?;
        let query = PendingQuery {
            ids: self.filter.ids.range(),
            limit: self.filter.limit,
            consumer: self.filter.consumer,
            min_idle_ms: self.filter.min_idle.0,
        };
        let now = view.moment.now();
        let pending = group.pending_range(&query, now).into_iter();
        Ok(pending
            .map(|entry| PendingEntry {
                id: entry.id,
                consumer: Value::from(entry.consumer),
                idle: Duration::from_millis(now.saturating_sub(entry.delivered_at)),
                deliveries: entry.delivery_count,
            })
            .collect())
    }
}

/// Makes pending entries a consumer's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claim<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) consumer: &'a [u8],
    pub(crate) min_idle: Millis,
    pub(crate) ids: ClaimedIds<'a>,
    pub(crate) options: ClaimOptions,
}

/// Ids that end where something else begins; there may be none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClaimedIds<'a>(pub(crate) Cow<'a, [StreamId]>);

/// What else a claim does.
///
/// ```
/// use std::time::Duration;
/// use larder::ClaimOptions;
///
/// // Pretend that the entry was delivered a minute ago, for the third time.
/// let options = ClaimOptions::new().idle(Duration::from_secs(60)).deliveries(3);
/// # let _ = options;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ClaimOptions {
    pub(crate) delivered: DeliveryTime,
    pub(crate) deliveries: Option<u64>,
    pub(crate) force: bool,
    pub(crate) just_ids: bool,
    pub(crate) last_id: Option<StreamId>,
}

impl ClaimOptions {
    /// Delivered now, once more than before; only what is pending.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries count as delivered so long ago, to the millisecond.
    pub fn idle(self, idle: Duration) -> Self {
        Self { delivered: DeliveryTime::Idle(Millis::from(idle).0), ..self }
    }

    /// The entries count as delivered at this time, or now if it is in the future.
    #[doc(alias = "TIME")]
    pub fn delivered_at(self, time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { delivered: DeliveryTime::At(Millis::from(since).0), ..self }
    }

    /// Sets how often the entries count as delivered, instead of adding one.
    #[doc(alias = "RETRYCOUNT")]
    pub fn deliveries(self, count: u64) -> Self {
        Self { deliveries: Some(count.min(i64::MAX as u64)), ..self }
    }

    /// Also makes entries pending that are in the stream but not pending.
    pub fn force(self) -> Self {
        Self { force: true, ..self }
    }

    /// The group counts as having been given everything up to this id.
    #[doc(alias = "LASTID")]
    pub fn last_id(self, id: StreamId) -> Self {
        Self { last_id: Some(id), ..self }
    }

    fn rule(&self, min_idle: Millis, moment: &Moment<'_>) -> ClaimRule {
        let delivered = match self.delivered {
            DeliveryTime::At(unix_ms) => {
                let at = moment.deadline_at(i64::try_from(unix_ms).unwrap_or(i64::MAX));
                DeliveryTime::At(at)
            }
            other => other,
        };
        ClaimRule {
            min_idle_ms: min_idle.0,
            delivered,
            delivery_count: self.deliveries,
            force: self.force,
            just_ids: self.just_ids,
            last_id: self.last_id,
        }
    }
}

/// What was claimed: the entries, or if so asked their ids alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClaimOutcome {
    Entries(Entries),
    Ids(Vec<StreamId>),
}

impl ClaimOutcome {
    /// The entries; none if only ids were asked for.
    pub(crate) fn into_entries(self) -> Entries {
        if let Self::Entries(entries) = self { entries } else { Entries::new() }
    }

    pub(crate) fn into_ids(self) -> Vec<StreamId> {
        match self {
            Self::Entries(entries) => entries.ids().collect(),
            Self::Ids(ids) => ids,
        }
    }

    fn new(stream: &Stream, ids: Vec<StreamId>, just_ids: bool) -> Self {
        if just_ids { Self::Ids(ids) } else { Self::Entries(stream.collect(&ids)) }
    }
}

impl Operation for Claim<'_> {
    type Output = ClaimOutcome;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let now = writer.moment.now();
        let rule = self.options.rule(self.min_idle, writer.moment);
        let just_ids = self.options.just_ids;
        claim(&mut writer, self.group, self.consumer, |edit| {
            let claimed = edit.claim(self.group, self.consumer, &self.ids.0, &rule, now);
            ClaimOutcome::new(edit, claimed.ids, just_ids)
        })
    }
}

/// Changes a group that must exist on behalf of a consumer that need not.
fn claim<R>(
    writer: &mut Writer<'_>,
    group: &[u8],
    consumer: &[u8],
    claim: impl FnOnce(&mut Edit<'_, Stream>) -> R,
) -> Result<R> {
    check_len(consumer.len())?;
    let key = writer.key();
    group_of(&writer.look_up(), key, group)?;
    let mut created = false;
    let outcome = writer.edit(|edit: &mut Edit<'_, Stream>| {
        let known = has_consumer(edit, group, consumer);
        let outcome = claim(edit);
        created = !known && has_consumer(edit, group, consumer);
        Ok(outcome)
    })?;
    if created {
        writer.notify(EventKind::ConsumerCreated);
    }
    outcome.ok_or_else(|| no_group(key, group))
}

fn has_consumer(stream: &Stream, group: &[u8], consumer: &[u8]) -> bool {
    stream.group(group).is_some_and(|group| group.consumer(consumer).is_some())
}

/// Makes whatever is pending long enough a consumer's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Autoclaim<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
    pub(crate) consumer: &'a [u8],
    pub(crate) min_idle: Millis,
    pub(crate) start: FirstId,
    pub(crate) options: AutoclaimLimits,
}

/// The lowest id wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FirstId(pub(crate) StreamId);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AutoclaimLimits {
    pub(crate) limit: usize,
    pub(crate) just_ids: bool,
}

impl AutoclaimLimits {
    /// The greatest limit that Redis accepts.
    pub(crate) const MAX_LIMIT: i64 = i64::MAX / 16;
}

impl Default for AutoclaimLimits {
    fn default() -> Self {
        Self { limit: 100, just_ids: false }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AutoclaimOutcome {
    pub(crate) next: StreamId,
    pub(crate) claimed: ClaimOutcome,
    pub(crate) deleted: Vec<StreamId>,
}

impl Operation for Autoclaim<'_> {
    type Output = AutoclaimOutcome;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let now = writer.moment.now();
        let AutoclaimLimits { limit, just_ids } = self.options;
        let rule =
            AutoclaimOptions { start: self.start.0, min_idle_ms: self.min_idle.0, limit, just_ids };
        claim(&mut writer, self.group, self.consumer, |edit| {
            let claimed = edit.autoclaim(self.group, self.consumer, &rule, now);
            AutoclaimOutcome {
                next: claimed.next,
                claimed: ClaimOutcome::new(edit, claimed.ids, just_ids),
                deleted: claimed.deleted,
            }
        })
    }
}

/// Describes the groups of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListGroups<'a> {
    pub(crate) key: &'a [u8],
}

/// What there is to know about a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupInfo {
    /// The group's name.
    pub name: Value,
    /// How many consumers it has.
    pub consumers: usize,
    /// How many entries were given to them and not acknowledged.
    pub pending: usize,
    /// The last entry that was given to one of them.
    pub last_delivered_id: StreamId,
    /// How many entries were given to them since the stream began, if that is known.
    pub entries_read: Option<u64>,
    /// How many entries are still to be given to them; `None` if deletions make that unknown.
    pub lag: Option<i64>,
}

impl GroupInfo {
    fn of(stream: &Stream, name: &[u8], group: &Group) -> Self {
        Self {
            name: Value::from(name),
            consumers: group.consumers().len(),
            pending: group.pending_len(),
            last_delivered_id: group.last_delivered(),
            entries_read: group.entries_read(),
            lag: stream.lag(group),
        }
    }
}

impl Operation for ListGroups<'_> {
    type Output = Vec<GroupInfo>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let stream = view.get::<Stream>()?.ok_or(Error::NoSuchKey)?;
        Ok(stream.groups().map(|(name, group)| GroupInfo::of(stream, name, group)).collect())
    }
}

/// Describes the consumers of a group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ListConsumers<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) group: &'a [u8],
}

/// What there is to know about a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// The consumer's name.
    pub name: Value,
    /// How many entries it was given and has not acknowledged.
    pub pending: usize,
    /// How long ago it last asked for entries or claimed some, to the millisecond.
    pub idle: Duration,
}

impl Operation for ListConsumers<'_> {
    type Output = Vec<ConsumerInfo>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let stream = view.get::<Stream>()?.ok_or(Error::NoSuchKey)?;
        let group = stream.group(self.group).ok_or_else(|| no_group(self.key, self.group))?;
        let now = view.moment.now();
        let describe = |consumer: &Consumer| ConsumerInfo {
            name: Value::from(consumer.name()),
            pending: consumer.pending_ids().len(),
            idle: Duration::from_millis(now.saturating_sub(consumer.seen_at())),
        };
        Ok(group.consumers().map(describe).collect())
    }
}

/// A consumer group with its consumers and pending entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FullGroupInfo {
    /// The group's name.
    pub name: Value,
    /// The last entry that was given to one of its consumers.
    pub last_delivered_id: StreamId,
    /// How many entries were given to them since the stream began, if that is known.
    pub entries_read: Option<u64>,
    /// How many entries are still to be given to them; `None` if deletions make that unknown.
    pub lag: Option<i64>,
    /// How many entries were given to them and not acknowledged.
    pub pending_count: usize,
    /// The first of these, by id.
    pub pending: Vec<Delivery>,
    /// The consumers, by name.
    pub consumers: Vec<FullConsumerInfo>,
}

/// A consumer with its pending entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FullConsumerInfo {
    /// The consumer's name.
    pub name: Value,
    /// When it last asked for entries or claimed some.
    pub seen_at: SystemTime,
    /// How many entries it was given and has not acknowledged.
    pub pending_count: usize,
    /// The first of these, by id; each names the consumer again.
    pub pending: Vec<Delivery>,
}

/// The delivery of an entry that was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The entry's id.
    pub id: StreamId,
    /// The consumer's name.
    pub consumer: Value,
    /// When the entry was given to it.
    pub at: SystemTime,
    /// How often the entry was delivered.
    pub count: u64,
}

impl FullGroupInfo {
    pub(super) fn of(
        stream: &Stream,
        name: &[u8],
        group: &Group,
        limit: Option<usize>,
        moment: &Moment<'_>,
    ) -> Self {
        let describe = |consumer: &Consumer| FullConsumerInfo {
            name: Value::from(consumer.name()),
            seen_at: system_time(moment.unix_of(consumer.seen_at())),
            pending_count: consumer.pending_ids().len(),
            pending: deliveries(group, Some(consumer.name()), limit, moment),
        };
        Self {
            name: Value::from(name),
            last_delivered_id: group.last_delivered(),
            entries_read: group.entries_read(),
            lag: stream.lag(group),
            pending_count: group.pending_len(),
            pending: deliveries(group, None, limit, moment),
            consumers: group.consumers().map(describe).collect(),
        }
    }
}

fn deliveries(
    group: &Group,
    consumer: Option<&[u8]>,
    limit: Option<usize>,
    moment: &Moment<'_>,
) -> Vec<Delivery> {
    let ids = Ids::ALL;
    let limit = limit.unwrap_or(usize::MAX);
    let query = PendingQuery { ids: ids.range(), limit, consumer, min_idle_ms: 0 };
    let pending = group.pending_range(&query, moment.now()).into_iter();
    pending
        .map(|entry| Delivery {
            id: entry.id,
            consumer: Value::from(entry.consumer),
            at: system_time(moment.unix_of(entry.delivered_at)),
            count: entry.delivery_count,
        })
        .collect()
}

/// The time that is so many milliseconds after the Unix epoch.
pub(crate) fn system_time(unix_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0))
}
