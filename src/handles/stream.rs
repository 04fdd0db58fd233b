//! Streams: append-only logs of entries under ever growing ids.
//!
//! A count of 0 asks for nothing, here and in consumer groups. To some of Redis's commands it is no
//! limit, and they cannot say "nothing": then another operation looks whether the key is in order.

use std::borrow::Cow;
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

use smallvec::SmallVec;

use super::stream_group::ConsumerGroup;
use super::{Submit, accept};
use crate::data::stream::{Deletion, Entries, References, StreamId};
use crate::engine::{self, BlockingFamily};
use crate::error::Result;
use crate::keyspace::access::Writers;
use crate::ops::stream::*;
use crate::store::Store;
use crate::value::{ToValue, Value};
use crate::wire::command::Owned;

/// A stream: entries of named fields, each under an id that tells when it was added.
///
/// Made by [`Store::stream`], and by a batch or transaction. A stream comes into being with its
/// first entry or group, and stays when its last entry is deleted.
///
/// What Redis has signs for:
///
/// | Redis | here |
/// |---|---|
/// | `XADD key *`, or an id | [`append`](Self::append), [`append_with`](Self::append_with) |
/// | `XREAD ... $`, `+`, an id | [`After::Last`], [`After::LastButOne`], [`After::Id`] |
/// | `XGROUP CREATE ... 0` | [`GroupStart::Beginning`](crate::GroupStart::Beginning) |
/// | `XGROUP CREATE ... $` | [`GroupStart::End`](crate::GroupStart::End) |
/// | `XREADGROUP ... >` | [`Consumer::read`](crate::Consumer::read) |
/// | `XREADGROUP ... 0` | [`Consumer::history`](crate::Consumer::history) after [`StreamId::MIN`] |
/// | `0-0` or `-`, and `+` | [`StreamId::MIN`], [`StreamId::MAX`]; a range may be open |
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use larder::Store;
///
/// let store = Store::new();
/// let orders = store.stream("orders");
/// orders.append(&[("item", "bread"), ("count", "2")])?;
/// for entry in &orders.range(..).get()? {
///     println!("{}: {:?}", entry.id(), entry.text("item"));
/// }
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug)]
pub struct Stream<'t, T = Store> {
    pub(super) target: &'t T,
    pub(super) key: &'t [u8],
}

impl<T> Clone for Stream<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Stream<'_, T> {}

impl<'t, T: Submit> Stream<'t, T> {
    #[inline]
    pub(crate) fn new<K: AsRef<[u8]> + ?Sized>(target: &'t T, key: &'t K) -> Self {
        Self { target, key: key.as_ref() }
    }

    /// A consumer group of this stream, which need not exist yet.
    pub fn group<N: AsRef<[u8]> + ?Sized>(&self, name: &'t N) -> ConsumerGroup<'t, T> {
        ConsumerGroup::new(self.target, self.key, name.as_ref())
    }

    /// Appends an entry with these fields, and answers its id: the time, or the next above the
    /// last id if that is higher.
    ///
    /// `O(1)`. Does not block. Wakes those who wait for entries. For fields of several types,
    /// give `&dyn ToValue`.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else,
    /// [`Error::Encode`](crate::Error::Encode) if a value cannot be encoded,
    /// [`Error::Arity`](crate::Error::Arity) if there is no field,
    /// [`Error::StreamExhausted`](crate::Error::StreamExhausted) once the stream holds the
    /// greatest id there is.
    ///
    /// ```
    /// # use larder::{Store, ToValue};
    /// # let store = Store::new();
    /// let orders = store.stream("orders");
    /// let first = orders.append(&[("item", "bread")])?;
    /// let second = orders.append(&[("item", &"milk" as &dyn ToValue), ("count", &2)])?;
    /// assert!(first < second);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XADD")]
    #[inline]
    pub fn append<N: AsRef<[u8]>, V: ToValue>(&self, fields: &[(N, V)]) -> T::Answer<StreamId> {
        let values = accept!(self, values_of(fields));
        let fields = borrow(fields, &values);
        let operation = Append {
            key: self.key,
            options: AppendOptions::default(),
            fields: FieldList(Cow::Borrowed(&fields)),
        };
        let id = |id: Option<StreamId>| Ok(id.expect("the stream is created"));
        self.target.submit(&operation, id)
    }

    /// Appends an entry as the options say; `None` if the stream does not exist and is not to be
    /// created.
    ///
    /// `O(1)`, and what a trim removes. Does not block. Atomic, the trim included.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append), and
    /// [`Error::StreamIdTooSmall`](crate::Error::StreamIdTooSmall) for an id that is not above
    /// the last one, [`Error::StreamIdZero`](crate::Error::StreamIdZero) for `0-0`.
    ///
    /// ```
    /// # use larder::{AppendOptions, Store, Trim};
    /// # let store = Store::new();
    /// let visits = store.stream("visits");
    /// let recent = AppendOptions::new().trim(Trim::max_len(1000).approximately());
    /// visits.append_with(&[("page", "/")], recent)?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XADD")]
    pub fn append_with<N: AsRef<[u8]>, V: ToValue>(
        &self,
        fields: &[(N, V)],
        options: AppendOptions,
    ) -> T::Answer<Option<StreamId>> {
        let values = accept!(self, values_of(fields));
        let fields = borrow(fields, &values);
        let fields = FieldList(Cow::Borrowed(&fields));
        self.target.submit(&Append { key: self.key, options, fields }, Ok)
    }

    /// How many entries there are. `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    #[doc(alias = "XLEN")]
    pub fn len(&self) -> T::Answer<usize> {
        self.target.submit(&Length { key: self.key }, Ok)
    }

    /// Whether there are no entries. As [`len`](Self::len).
    #[doc(alias = "XLEN")]
    pub fn is_empty(&self) -> T::Answer<bool> {
        self.target.submit(&Length { key: self.key }, |length| Ok(length == 0))
    }

    /// The entries whose ids are in a range; [`StreamRange::get`] reads them.
    ///
    /// ```
    /// # use larder::{Store, StreamId};
    /// # let store = Store::new();
    /// let orders = store.stream("orders");
    /// let first = orders.append(&[("item", "bread")])?;
    /// let second = orders.append(&[("item", "milk")])?;
    /// let all = orders.range(..).get()?;
    /// assert_eq!(all.ids().collect::<Vec<_>>(), [first, second]);
    /// let newest = orders.range(first..).reversed().limit(1).get()?;
    /// assert_eq!(newest.first().unwrap().text("item").unwrap(), "milk");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XRANGE")]
    #[doc(alias = "XREVRANGE")]
    pub fn range(&self, ids: impl RangeBounds<StreamId>) -> StreamRange<'t, T> {
        StreamRange { stream: *self, ids: ids_of(ids), limit: None, reversed: false }
    }

    /// Up to `count` entries after one. A count of 0 is nothing, `usize::MAX` no limit.
    ///
    /// `O(log n)` and the entries read. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # use larder::{Store, StreamId};
    /// # let store = Store::new();
    /// let orders = store.stream("orders");
    /// let first = orders.append(&[("item", "bread")])?;
    /// assert_eq!(orders.read_after(StreamId::MIN, 10)?.len(), 1);
    /// assert!(orders.read_after(first, 10)?.is_empty());
    /// assert!(orders.read_after(StreamId::MIN, 0)?.is_empty());
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XREAD")]
    pub fn read_after(&self, after: impl Into<After>, count: usize) -> T::Answer<Entries> {
        if count == 0 {
            return self.target.submit(&Length { key: self.key }, |_| Ok(Entries::new()));
        }
        let streams = [(self.key, after.into())];
        let operation =
            Read { options: ReadOptions::new(count, None), streams: Streams::borrowed(&streams) };
        self.target.submit(&operation, |found| Ok(only_entries(found)))
    }

    /// Deletes entries; answers how many there were. Groups that have them pending keep them so.
    ///
    /// `O(log n)` an entry. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let orders = store.stream("orders");
    /// let id = orders.append(&[("item", "bread")])?;
    /// assert_eq!(orders.delete(&[id])?, 1);
    /// assert_eq!(orders.delete(&[id])?, 0);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XDEL")]
    pub fn delete(&self, ids: &[StreamId]) -> T::Answer<usize> {
        self.target.submit(&Delete { key: self.key, ids: Cow::Borrowed(ids) }, Ok)
    }

    /// Deletes entries as the groups' references to them allow; answers what became of each.
    ///
    /// `O(log n)` an entry and group. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # use larder::{Deletion, GroupStart, References};
    /// # let store = larder::Store::new();
    /// let orders = store.stream("orders");
    /// let id = orders.append(&[("item", "bread")])?;
    /// orders.group("workers").create(GroupStart::Beginning)?;
    /// let deletions = orders.delete_with(&[id], References::Acknowledged)?;
    /// assert_eq!(deletions, [Deletion::StillReferenced]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XDELEX")]
    pub fn delete_with(
        &self,
        ids: &[StreamId],
        references: References,
    ) -> T::Answer<Vec<Deletion>> {
        let entries = Referenced { references, ids: Cow::Borrowed(ids) };
        self.target.submit(&DeleteReferenced { key: self.key, entries }, Ok)
    }

    /// Removes the oldest entries; answers how many they were.
    ///
    /// `O(1)` for every block of entries that goes as a whole. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # use larder::{Store, Trim};
    /// # let store = Store::new();
    /// let orders = store.stream("orders");
    /// orders.append(&[("item", "bread")])?;
    /// orders.append(&[("item", "milk")])?;
    /// assert_eq!(orders.trim(Trim::max_len(1))?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XTRIM")]
    pub fn trim(&self, trim: Trim) -> T::Answer<usize> {
        self.target.submit(&TrimTo { key: self.key, trim }, Ok)
    }

    /// The highest id that was ever given; `0-0` for a stream that never had an entry.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`info`](Self::info).
    pub fn last_id(&self) -> T::Answer<StreamId> {
        self.target.submit(&Describe { key: self.key }, |info| Ok(info.last_id))
    }

    /// Sets the last id, above which the next entry's will be.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchKey`](crate::Error::NoSuchKey) if the stream does not exist,
    /// [`Error::StreamIdTooSmall`](crate::Error::StreamIdTooSmall) below an entry's id,
    /// [`Error::StreamMetadata`](crate::Error::StreamMetadata) below a deleted id.
    #[doc(alias = "XSETID")]
    pub fn set_last_id(&self, last_id: StreamId) -> T::Answer<()> {
        let ids = LastIds { last_id, entries_added: None, max_deleted_id: None };
        self.target.submit(&SetIds { key: self.key, ids }, Ok)
    }

    /// What there is to know about the stream, with its first and last entry.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchKey`](crate::Error::NoSuchKey) if the stream does not exist,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let orders = store.stream("orders");
    /// let id = orders.append(&[("item", "bread")])?;
    /// let info = orders.info()?;
    /// assert_eq!((info.length, info.last_id), (1, id));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XINFO")]
    pub fn info(&self) -> T::Answer<StreamInfo> {
        self.target.submit(&Describe { key: self.key }, Ok)
    }

    /// The stream with its groups, and of every list in it the first `count`. A count of 0 is
    /// nothing, `usize::MAX` no limit.
    ///
    /// `O(n)` in what it shows. Does not block.
    ///
    /// # Errors
    ///
    /// As [`info`](Self::info).
    #[doc(alias = "XINFO")]
    pub fn full_info(&self, count: usize) -> T::Answer<FullStreamInfo> {
        let limit = FullLimit(count.clamp(1, i64::MAX as usize));
        self.target.submit(&DescribeFully { key: self.key, limit }, move |mut info| {
            if count == 0 {
                info.clear_lists();
            }
            Ok(info)
        })
    }
}

impl Stream<'_, Store> {
    /// Up to `count` entries after one, waiting for a first one for at most `timeout`; with
    /// `None`, as long as it takes. A count of 0 is nothing, which is there at once, `usize::MAX`
    /// no limit.
    ///
    /// *Blocks* the calling thread, unless there are entries at once. No entry is taken from
    /// anybody: all who wait see the same. [`After::Last`] is decided when the call begins. A
    /// stream that is removed meanwhile, or is replaced by another type, is waited for on.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{After, Store};
    /// # let store = Store::new();
    /// let soon = Duration::from_secs(10);
    /// std::thread::scope(|scope| {
    ///     let reader = scope.spawn(|| store.stream("news").read_blocking(After::Last, 1, soon));
    ///     while !reader.is_finished() {
    ///         store.stream("news").append(&[("title", "bread is out")])?;
    ///     }
    ///     assert_eq!(reader.join().unwrap()?.len(), 1);
    ///     Ok::<(), larder::Error>(())
    /// })?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XREAD")]
    pub fn read_blocking(
        &self,
        after: impl Into<After>,
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Entries> {
        let after = after.into();
        if count == 0 {
            return self.read_after(after, 0);
        }
        self.target
            .read_streams_within(&[(self.key, after)], count, timeout.into())
            .map(|found| only_entries(Some(found)))
    }
}

impl Store {
    /// Up to `count` entries of each of several streams after one of its own; streams that have
    /// none are left out. A count of 0 is nothing, `usize::MAX` no limit.
    ///
    /// `O(log n)` a stream and the entries read. Does not block. All are read at one instant.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if a key holds something else.
    ///
    /// ```
    /// # use larder::{After, Store, StreamId};
    /// # let store = Store::new();
    /// store.stream("orders").append(&[("item", "bread")])?;
    /// let start = After::Id(StreamId::MIN);
    /// let found = store.read_streams(&[("orders", start), ("returns", start)], 10)?;
    /// assert_eq!(found.len(), 1);
    /// assert_eq!(found[0].0, "orders");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XREAD")]
    pub fn read_streams<K: AsRef<[u8]>>(
        &self,
        streams: &[(K, After)],
        count: usize,
    ) -> Result<Vec<(Value, Entries)>> {
        let streams = borrow_keys(streams);
        let options = ReadOptions::new(count.max(1), None);
        let operation = Read { options, streams: Streams::borrowed(&streams) };
        let wanted = move |_: &ReadOutput| count > 0;
        self.submit(&operation, move |found| Ok(found.filter(wanted).unwrap_or_default()))
    }

    /// As [`read_streams`](Self::read_streams), but waits for a first entry in any of the
    /// streams for at most `timeout`; with `None`, as long as it takes. A count of 0 is nothing,
    /// which is there at once.
    ///
    /// *Blocks* the calling thread, as [`Stream::read_blocking`] does.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if a key holds something else.
    #[doc(alias = "XREAD")]
    pub fn read_streams_blocking<K: AsRef<[u8]>>(
        &self,
        streams: &[(K, After)],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Vec<(Value, Entries)>> {
        if count == 0 {
            return self.read_streams(streams, 0);
        }
        self.read_streams_within(&borrow_keys(streams), count, timeout.into())
    }

    fn read_streams_within(
        &self,
        streams: &[(&[u8], After)],
        count: usize,
        timeout: Option<Duration>,
    ) -> Result<ReadOutput> {
        let options = ReadOptions::new(count, Some(timeout));
        let operation = Read { options, streams: Streams::borrowed(streams) };
        let database = self.space().database;
        let found = engine::block::<Read<'_>>(self.databases(), database, &operation, timeout)?;
        Ok(found.unwrap_or_default())
    }
}

impl BlockingFamily for Read<'static> {
    type Found = ReadOutput;
    type BlockingOf<'a> = Read<'a>;

    fn blocking<'s, 'a>(operation: &'s Self::Of<'a>) -> &'s Self::BlockingOf<'a> {
        operation
    }

    fn waiting(operation: &Read<'_>, writers: &Writers<'_>) -> Result<Owned<Self>> {
        Ok(Owned::new(&operation.resolved(writers)?))
    }
}

/// Entries of a range of ids, about to be read. Made by [`Stream::range`].
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
#[derive(Debug)]
#[must_use = "a range reads nothing until `get`"]
pub struct StreamRange<'t, T = Store> {
    stream: Stream<'t, T>,
    ids: Ids,
    limit: Option<usize>,
    reversed: bool,
}

impl<T: Submit> StreamRange<'_, T> {
    /// At most so many entries. A count of 0 is nothing, `usize::MAX` no limit.
    pub fn limit(self, count: usize) -> Self {
        Self { limit: Some(count.min(i64::MAX as usize)), ..self }
    }

    /// The highest id first.
    pub fn reversed(self) -> Self {
        Self { reversed: true, ..self }
    }

    /// Reads the entries.
    ///
    /// `O(log n)` and the entries read. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    #[doc(alias = "XRANGE")]
    #[doc(alias = "XREVRANGE")]
    pub fn get(self) -> T::Answer<Entries> {
        let Stream { target, key } = self.stream;
        let (ids, limit) = (self.ids, Limit(self.limit));
        let entries = |entries: Option<Entries>| Ok(entries.unwrap_or_default());
        if self.reversed {
            target.submit(&RangeReversed { key, ids: IdsReversed(ids), limit }, entries)
        } else {
            target.submit(&Range { key, ids, limit }, entries)
        }
    }
}

/// The ids that bounds hold; bounds that hold none become the wrong way round.
pub(super) fn ids_of(bounds: impl RangeBounds<StreamId>) -> Ids {
    let start = match bounds.start_bound() {
        Bound::Included(id) => Some(*id),
        Bound::Excluded(id) => id.next(),
        Bound::Unbounded => Some(StreamId::MIN),
    };
    let end = match bounds.end_bound() {
        Bound::Included(id) => Some(*id),
        Bound::Excluded(id) => id.prev(),
        Bound::Unbounded => Some(StreamId::MAX),
    };
    start.zip(end).map_or(Ids(StreamId::MAX, StreamId::MIN), |(start, end)| Ids(start, end))
}

/// The entries of the one stream that was read.
pub(super) fn only_entries(found: Option<ReadOutput>) -> Entries {
    found.and_then(|mut streams| streams.pop()).map(|(_, entries)| entries).unwrap_or_default()
}

/// Enough for most entries without the heap.
const FEW: usize = 8;

type Values<'a> = SmallVec<[Cow<'a, [u8]>; FEW]>;

#[inline]
fn values_of<N, V: ToValue>(fields: &[(N, V)]) -> Result<Values<'_>> {
    fields.iter().map(|(_, value)| value.to_value()).collect()
}

#[inline]
fn borrow<'a, N: AsRef<[u8]>, V>(
    fields: &'a [(N, V)],
    values: &'a Values<'_>,
) -> SmallVec<[(&'a [u8], &'a [u8]); FEW]> {
    fields.iter().zip(values).map(|((name, _), value)| (name.as_ref(), &**value)).collect()
}

pub(super) fn borrow_keys<K: AsRef<[u8]>>(streams: &[(K, After)]) -> Vec<(&[u8], After)> {
    streams.iter().map(|(key, after)| (key.as_ref(), *after)).collect()
}
