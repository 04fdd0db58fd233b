//! Streams: appending, reading by range and by blocking, deleting, trimming, looking inside.
//! What concerns consumer groups is in [`stream_group`](super::stream_group).

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Blocking, Operation};
use crate::data::stream::{
    AppendError, Deletion, Direction, Entries, Entry, Precision, References, SetIdError, Stream,
    StreamId, TrimBound,
};
use crate::error::{Error, Result};
use crate::keyspace::access::{Extent, Read as ReadKey, ReadMany, Views, Write, Writers};
use crate::keyspace::{Edit, EventKind, Moment, View, Writer};
use crate::value::{Value, check_len};

/// Appends an entry; answers its id, or `None` if the stream does not exist and is not to be
/// created.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Append<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) options: AppendOptions,
    pub(crate) fields: FieldList<'a>,
}

/// The fields of an entry: name, value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldList<'a>(pub(crate) Cow<'a, [(&'a [u8], &'a [u8])]>);

/// How an entry is appended; unless told otherwise with an id of its own, creating the stream,
/// and leaving older entries alone.
///
/// ```
/// use larder::{AppendOptions, Store, Trim};
///
/// let store = Store::new();
/// let orders = store.stream("orders");
/// let options = AppendOptions::new().id("5-1".parse()?).trim(Trim::max_len(1000));
/// assert_eq!(orders.append_with(&[("item", "bread")], options)?, Some("5-1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct AppendOptions {
    pub(crate) id: NewId,
    pub(crate) trim: Option<Trim>,
    pub(crate) only_existing: bool,
}

/// The id of an entry to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum NewId {
    /// Now, and above the last one.
    #[default]
    Auto,
    /// The next of this millisecond.
    At(u64),
    Exact(StreamId),
}

impl AppendOptions {
    /// An id of its own, creating the stream if need be, no trimming.
    pub fn new() -> Self {
        Self::default()
    }

    /// The entry gets this id, which must be above all that the stream ever had.
    pub fn id(self, id: StreamId) -> Self {
        Self { id: NewId::Exact(id), ..self }
    }

    /// The entry gets the next id of this Unix time in milliseconds.
    pub fn id_at(self, unix_ms: u64) -> Self {
        Self { id: NewId::At(unix_ms), ..self }
    }

    /// Removes the oldest entries in the same step.
    pub fn trim(self, trim: Trim) -> Self {
        Self { trim: Some(trim), ..self }
    }

    /// Appends only if the stream exists.
    #[doc(alias = "NOMKSTREAM")]
    pub fn only_existing(self) -> Self {
        Self { only_existing: true, ..self }
    }
}

/// Which of the oldest entries a stream loses.
///
/// ```
/// use larder::Trim;
///
/// let keep_a_thousand = Trim::max_len(1000);
/// let about_a_thousand = Trim::max_len(1000).approximately();
/// assert_ne!(keep_a_thousand, about_a_thousand);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Trim {
    pub(crate) bound: TrimBound,
    pub(crate) precision: Precision,
}

impl Trim {
    /// Keeps the newest `length` entries.
    #[doc(alias = "MAXLEN")]
    pub fn max_len(length: usize) -> Self {
        let length = length.min(i64::MAX as usize);
        Self { bound: TrimBound::MaxLen(length), precision: Precision::Exact }
    }

    /// Keeps the entries from this id on.
    #[doc(alias = "MINID")]
    pub fn min_id(id: StreamId) -> Self {
        Self { bound: TrimBound::MinId(id), precision: Precision::Exact }
    }

    /// Removes only whole blocks of up to 100 entries, at most 10,000 entries in one go: much
    /// quicker, and a little more than asked for stays.
    pub fn approximately(self) -> Self {
        Self { precision: Precision::Approximate { limit: None }, ..self }
    }

    /// As [`approximately`](Self::approximately), with another limit to what goes at once; 0 is
    /// no limit.
    #[doc(alias = "LIMIT")]
    pub fn limit(self, entries: usize) -> Self {
        let limit = Some(entries.min(i64::MAX as usize));
        Self { precision: Precision::Approximate { limit }, ..self }
    }
}

impl Operation for Append<'_> {
    type Output = Option<StreamId>;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let AppendOptions { id, trim, only_existing } = &self.options;
        if *id == NewId::Exact(StreamId::MIN) {
            return Err(Error::StreamIdZero);
        }
        for (name, value) in self.fields.0.iter() {
            check_len(name.len().max(value.len()))?;
        }
        let moment = writer.moment;
        let append = |edit: &mut Edit<'_, Stream>| {
            let id = id.resolve(edit, moment)?;
            edit.append(id, &self.fields.0)?;
            let trimmed = trim.map_or(0, |trim| edit.trim(trim.bound, trim.precision));
            Ok((id, trimmed))
        };
        let appended = if *only_existing {
            writer.edit(append)?
        } else {
            Some(writer.edit_or_create(append)?)
        };
        let Some((id, trimmed)) = appended else { return Ok(None) };
        writer.notify(EventKind::EntryAdded);
        if trimmed > 0 {
            writer.notify(EventKind::Trimmed);
        }
        Ok(Some(id))
    }
}

impl NewId {
    #[inline]
    fn resolve(self, stream: &Stream, moment: &Moment<'_>) -> Result<StreamId> {
        match self {
            Self::Auto => stream.next_id(moment.wall()).ok_or(Error::StreamExhausted),
            Self::At(ms) => Ok(stream.next_id_at(ms)?),
            Self::Exact(id) => Ok(id),
        }
    }
}

impl From<AppendError> for Error {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::ZeroId => Self::StreamIdZero,
            AppendError::NotAboveLast => Self::StreamIdTooSmall,
            AppendError::Exhausted => Self::StreamExhausted,
            AppendError::NoFields => Self::Arity("XADD"),
            AppendError::TooLarge => Self::OutOfRange("Elements are too large to be stored"),
        }
    }
}

/// Counts the entries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Length<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for Length<'_> {
    type Output = usize;
    type Access = ReadKey;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(view.get::<Stream>()?.map_or(0, Stream::len))
    }
}

/// Reads the entries of a range of ids, lowest first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) ids: Ids,
    pub(crate) limit: Limit,
}

/// Reads the entries of a range of ids, highest first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RangeReversed<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) ids: IdsReversed,
    pub(crate) limit: Limit,
}

/// The ids from the first to the second; none if they are the wrong way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids(pub(crate) StreamId, pub(crate) StreamId);

/// The same, but given the highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IdsReversed(pub(crate) Ids);

/// How many entries are wanted at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<usize>);

impl Ids {
    pub(crate) const ALL: Self = Self(StreamId::MIN, StreamId::MAX);

    pub(crate) fn range(self) -> RangeInclusive<StreamId> {
        self.0..=self.1
    }
}

/// `None` if nothing was wanted of a stream that exists: the one case that Redis answers so.
fn read_range(
    view: View<'_>,
    ids: Ids,
    limit: Limit,
    direction: Direction,
) -> Result<Option<Entries>> {
    let Some(stream) = view.get::<Stream>()? else { return Ok(Some(Entries::new())) };
    if limit.0 == Some(0) {
        return Ok(None);
    }
    Ok(Some(stream.range(ids.range(), limit.0, direction)))
}

impl Operation for Range<'_> {
    type Output = Option<Entries>;
    type Access = ReadKey;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        read_range(view, self.ids, self.limit, Direction::Forward)
    }
}

impl Operation for RangeReversed<'_> {
    type Output = Option<Entries>;
    type Access = ReadKey;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        read_range(view, self.ids.0, self.limit, Direction::Backward)
    }
}

/// Reads what several streams have above an id each; answers those that have anything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Read<'a> {
    pub(crate) options: ReadOptions,
    pub(crate) streams: Streams<'a, After>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadOptions {
    /// How many entries of each stream are wanted at most.
    pub(crate) limit: Option<usize>,
    /// How many milliseconds to wait if there is nothing; 0 is for ever.
    pub(crate) block: Option<u64>,
}

/// Keys, and where in each to read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Streams<'a, T: Clone>(pub(crate) Cow<'a, [(&'a [u8], T)]>);

impl ReadOptions {
    /// The count must not be 0, which these options cannot say. A timeout of `None` is to wait for
    /// ever.
    pub(crate) fn new(count: usize, timeout: Option<Option<Duration>>) -> Self {
        debug_assert!(count > 0);
        let millis = |timeout: Duration| {
            let millis = timeout.as_nanos().div_ceil(1_000_000).max(1);
            u64::try_from(millis).unwrap_or(u64::MAX).min(i64::MAX as u64)
        };
        Self {
            limit: Some(count.min(i64::MAX as usize)),
            block: timeout.map(|timeout| timeout.map_or(0, millis)),
        }
    }
}

impl<'a, T: Clone> Streams<'a, T> {
    pub(crate) fn borrowed(streams: &'a [(&'a [u8], T)]) -> Self {
        Self(Cow::Borrowed(streams))
    }
}

impl<T: Clone> Streams<'_, T> {
    pub(crate) fn extent(&self) -> Extent<'_> {
        Extent::keys(self.0.iter().map(|(key, _)| *key))
    }
}

/// The entry after which a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The one with this id, whether it exists or not.
    Id(StreamId),
    /// The last one: what is added from now on is read. Redis's `$`.
    Last,
    /// The one before the last: the last entry is read, or what is added if there is none.
    /// Redis's `+`.
    LastButOne,
}

impl From<StreamId> for After {
    fn from(id: StreamId) -> Self {
        Self::Id(id)
    }
}

/// Entries by the keys of their streams.
pub(crate) type ReadOutput = Vec<(Value, Entries)>;

impl After {
    fn resolve(self, stream: Option<&Stream>) -> StreamId {
        let Some(stream) = stream else {
            return if let Self::Id(id) = self { id } else { StreamId::MIN };
        };
        match self {
            Self::Id(id) => id,
            Self::Last => stream.last_id(),
            Self::LastButOne => {
                let last = stream.last_entry().and_then(|entry| entry.id().prev());
                last.unwrap_or(stream.last_id())
            }
        }
    }
}

impl Read<'_> {
    /// The same with ids for what was said about the time it began, so that it can wait.
    pub(crate) fn resolved(&self, writers: &Writers<'_>) -> Result<Read<'_>> {
        let mut streams = self.streams.0.to_vec();
        for (key, after) in &mut streams {
            let stream = writers.view(key)?.get::<Stream>()?;
            *after = After::Id(after.resolve(stream));
        }
        Ok(Read { options: self.options, streams: Streams(Cow::Owned(streams)) })
    }

    fn find<'s>(
        &self,
        look_up: impl Fn(&[u8]) -> Result<Option<&'s Stream>>,
    ) -> Result<Option<ReadOutput>> {
        let mut found = Vec::new();
        for (key, after) in self.streams.0.iter() {
            let Some(stream) = look_up(key)? else { continue };
            let Some(start) = after.resolve(Some(stream)).next() else { continue };
            let ids = start..=StreamId::MAX;
            let entries = stream.range(ids, self.options.limit, Direction::Forward);
            if !entries.is_empty() {
                found.push((Value::from(*key), entries));
            }
        }
        Ok(if found.is_empty() { None } else { Some(found) })
    }
}

impl Operation for Read<'_> {
    type Output = Option<ReadOutput>;
    type Access = ReadMany;

    fn target(&self) -> Extent<'_> {
        self.streams.extent()
    }

    fn run(&self, views: Views<'_>) -> Result<Self::Output> {
        self.find(|key| views.look_up(key)?.get())
    }
}

impl Blocking for Read<'_> {
    type Found = ReadOutput;

    const MINDS_REMOVAL: bool = false;

    /// A key that holds something else may hold a stream yet.
    fn retry(&self, writers: Writers<'_>) -> Result<Self::Output> {
        self.find(|key| Ok(writers.look_up(key)?.get().unwrap_or_default()))
    }

    /// Nothing was taken.
    fn give_back(&self, _found: Self::Found, _writers: Writers<'_>) -> Result<()> {
        Ok(())
    }
}

/// Deletes entries; answers how many there were.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delete<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) ids: Cow<'a, [StreamId]>,
}

impl Operation for Delete<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let deletions = delete(&mut writer, &self.ids, References::Keep)?;
        Ok(deletions.iter().filter(|deletion| **deletion == Deletion::Deleted).count())
    }
}

/// Deletes entries as the groups' references to them allow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeleteReferenced<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) entries: Referenced<'a>,
}

/// Entries to be deleted, and what becomes of the references to them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Referenced<'a> {
    pub(crate) references: References,
    pub(crate) ids: Cow<'a, [StreamId]>,
}

impl Operation for DeleteReferenced<'_> {
    type Output = Vec<Deletion>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        delete(&mut writer, &self.entries.ids, self.entries.references)
    }
}

fn delete(
    writer: &mut Writer<'_>,
    ids: &[StreamId],
    references: References,
) -> Result<Vec<Deletion>> {
    let deletions = writer.edit(|edit: &mut Edit<'_, Stream>| {
        Ok(ids.iter().map(|id| edit.delete(*id, references)).collect())
    })?;
    let deletions: Vec<Deletion> = deletions.unwrap_or_else(|| vec![Deletion::NotFound; ids.len()]);
    if deletions.contains(&Deletion::Deleted) {
        writer.notify(EventKind::EntriesDeleted);
    }
    Ok(deletions)
}

/// Removes the oldest entries; answers how many they were.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TrimTo<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) trim: Trim,
}

impl Operation for TrimTo<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let Trim { bound, precision } = self.trim;
        let trimmed = writer.edit(|edit: &mut Edit<'_, Stream>| Ok(edit.trim(bound, precision)))?;
        let trimmed = trimmed.unwrap_or(0);
        if trimmed > 0 {
            writer.notify(EventKind::Trimmed);
        }
        Ok(trimmed)
    }
}

/// Sets a stream's last id and counters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetIds<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) ids: LastIds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastIds {
    pub(crate) last_id: StreamId,
    pub(crate) entries_added: Option<u64>,
    pub(crate) max_deleted_id: Option<StreamId>,
}

impl Operation for SetIds<'_> {
    type Output = ();
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let LastIds { last_id, entries_added, max_deleted_id } = self.ids;
        if max_deleted_id.is_some_and(|deleted| last_id < deleted) {
            return Err(SetIdError::BelowGivenDeleted.into());
        }
        let set = writer.edit(|edit: &mut Edit<'_, Stream>| {
            Ok(edit.set_ids(last_id, entries_added, max_deleted_id)?)
        })?;
        set.ok_or(Error::NoSuchKey)?;
        writer.notify(EventKind::LastIdSet);
        Ok(())
    }
}

impl From<SetIdError> for Error {
    fn from(error: SetIdError) -> Self {
        Self::StreamMetadata(match error {
            SetIdError::BelowEntry => return Self::StreamIdTooSmall,
            SetIdError::BelowGivenDeleted => {
                "The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
            }
            SetIdError::TooFewAdded => {
                "The entries_added specified in XSETID is smaller than the target stream length"
            }
        })
    }
}

/// Describes a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Describe<'a> {
    pub(crate) key: &'a [u8],
}

/// What there is to know about a stream, but for its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// How many entries there are.
    pub length: usize,
    /// How many blocks hold them.
    pub blocks: usize,
    /// The highest id ever given or set.
    pub last_id: StreamId,
    /// The highest id that was deleted other than by trimming; `0-0` if none was.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub entries_added: u64,
    /// The id of the first entry; `0-0` if there is none.
    pub first_id: StreamId,
    /// How many consumer groups there are.
    pub groups: usize,
    pub(crate) first: Entries,
    pub(crate) last: Entries,
}

impl StreamInfo {
    /// The entry with the lowest id.
    pub fn first_entry(&self) -> Option<Entry<'_>> {
        self.first.first()
    }

    /// The entry with the highest id.
    pub fn last_entry(&self) -> Option<Entry<'_>> {
        self.last.first()
    }

    fn of(stream: &Stream) -> Self {
        let end = |direction| stream.range(Ids::ALL.range(), Some(1), direction);
        Self {
            length: stream.len(),
            blocks: stream.blocks(),
            last_id: stream.last_id(),
            max_deleted_id: stream.max_deleted_id(),
            entries_added: stream.entries_added(),
            first_id: stream.first_id().unwrap_or_default(),
            groups: stream.groups().len(),
            first: end(Direction::Forward),
            last: end(Direction::Backward),
        }
    }
}

impl Operation for Describe<'_> {
    type Output = StreamInfo;
    type Access = ReadKey;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        view.get::<Stream>()?.map(StreamInfo::of).ok_or(Error::NoSuchKey)
    }
}

/// Describes a stream with its entries, groups, consumers and pending entries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DescribeFully<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) limit: FullLimit,
}

/// How many entries are shown of every list; 0 is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FullLimit(pub(crate) usize);

impl FullLimit {
    pub(crate) fn entries(self) -> Option<usize> {
        (self.0 > 0).then_some(self.0)
    }
}

/// A stream with its entries, groups, consumers and pending entries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FullStreamInfo {
    /// What [`Stream::info`](crate::Stream::info) tells, but for the first and the last entry.
    pub info: StreamInfo,
    /// The first entries.
    pub entries: Entries,
    /// The consumer groups, by name.
    pub groups: Vec<super::stream_group::FullGroupInfo>,
}

impl FullStreamInfo {
    /// Forgets all entries and deliveries, but not how many they are.
    pub(crate) fn clear_lists(&mut self) {
        self.entries = Entries::new();
        for group in &mut self.groups {
            group.pending.clear();
            group.consumers.iter_mut().for_each(|consumer| consumer.pending.clear());
        }
    }
}

impl Operation for DescribeFully<'_> {
    type Output = FullStreamInfo;
    type Access = ReadKey;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let stream = view.get::<Stream>()?.ok_or(Error::NoSuchKey)?;
        let limit = self.limit.entries();
        let describe = |(name, group)| {
            super::stream_group::FullGroupInfo::of(stream, name, group, limit, view.moment)
        };
        let mut info = StreamInfo::of(stream);
        (info.first, info.last) = (Entries::new(), Entries::new());
        Ok(FullStreamInfo {
            info,
            entries: stream.range(Ids::ALL.range(), limit, Direction::Forward),
            groups: stream.groups().map(describe).collect(),
        })
    }
}
