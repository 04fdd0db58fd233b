//! Consumer groups: several workers that share the entries of a stream.

use std::borrow::Cow;
use std::ops::RangeBounds;
use std::time::Duration;

use super::Submit;
use super::stream::{ids_of, only_entries};
use crate::data::stream::{Acknowledge, Deletion, Entries, References, StreamId};
use crate::engine::{self, BlockingFamily};
use crate::error::{Error, Result};
use crate::ops::stream::{ReadOptions, ReadOutput, Referenced, Streams};
use crate::ops::stream_group::*;
use crate::store::Store;

/// A consumer group of a stream: every entry is given to one of its consumers, and stays
/// *pending* until that one acknowledges it.
///
/// Made by [`Stream::group`](crate::Stream::group). Delivery is at least once: what a consumer
/// was given and did not acknowledge, because it crashed say, is there to be
/// [claimed](Consumer::autoclaim) by another.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use larder::{GroupStart, Store};
///
/// let store = Store::new();
/// let jobs = store.stream("jobs");
/// let workers = jobs.group("workers");
/// workers.create(GroupStart::Beginning)?;
/// jobs.append(&[("file", "cat.png")])?;
/// for entry in &workers.consumer("w1").read(10)? {
///     assert_eq!(entry.text("file").unwrap(), "cat.png");
///     workers.ack(&[entry.id()])?;
/// }
/// assert_eq!(workers.pending_summary()?.count, 0);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug)]
pub struct ConsumerGroup<'t, T = Store> {
    pub(super) target: &'t T,
    pub(super) key: &'t [u8],
    group: &'t [u8],
}

impl<T> Clone for ConsumerGroup<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ConsumerGroup<'_, T> {}

impl<'t, T: Submit> ConsumerGroup<'t, T> {
    pub(super) fn new(target: &'t T, key: &'t [u8], group: &'t [u8]) -> Self {
        Self { target, key, group }
    }

    /// A consumer of the group, who comes into being when it first reads.
    pub fn consumer<N: AsRef<[u8]> + ?Sized>(&self, name: &'t N) -> Consumer<'t, T> {
        Consumer { group: *self, name: name.as_ref() }
    }

    /// Makes the group, and the stream if need be.
    ///
    /// `O(log groups)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::GroupExists`](crate::Error::GroupExists) if there is one of this name,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # use larder::{Error, GroupStart, Store};
    /// # let store = Store::new();
    /// let workers = store.stream("jobs").group("workers");
    /// workers.create(GroupStart::End)?;
    /// assert_eq!(workers.create(GroupStart::End), Err(Error::GroupExists));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XGROUP")]
    #[doc(alias = "MKSTREAM")]
    pub fn create(&self, start: impl Into<GroupStart>) -> T::Answer<()> {
        self.create_with(start.into(), true)
    }

    /// Makes the group in a stream that exists.
    ///
    /// `O(log groups)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create), and
    /// [`Error::NoSuchStream`](crate::Error::NoSuchStream) if there is no stream.
    #[doc(alias = "XGROUP")]
    pub fn create_in_existing(&self, start: impl Into<GroupStart>) -> T::Answer<()> {
        self.create_with(start.into(), false)
    }

    fn create_with(&self, start: GroupStart, create_stream: bool) -> T::Answer<()> {
        let options = GroupOptions { create_stream, ..GroupOptions::default() };
        let operation = CreateGroup { key: self.key, group: self.group, start, options };
        self.target.submit(&operation, Ok)
    }

    /// Removes the group with its consumers and what they have pending; answers whether there
    /// was one. Consumers that wait for entries get
    /// [`Error::NoGroup`](crate::Error::NoGroup).
    ///
    /// `O(pending)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchStream`](crate::Error::NoSuchStream) if there is no stream,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    #[doc(alias = "XGROUP")]
    pub fn destroy(&self) -> T::Answer<bool> {
        self.target.submit(&DestroyGroup { key: self.key, group: self.group }, Ok)
    }

    /// Moves the group to another place in the stream. What is pending stays so.
    ///
    /// `O(log groups)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`](crate::Error::NoGroup) if there is no such group,
    /// [`Error::NoSuchStream`](crate::Error::NoSuchStream) if there is no stream,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    #[doc(alias = "XGROUP")]
    pub fn set_position(&self, start: impl Into<GroupStart>) -> T::Answer<()> {
        let entries_read = EntriesRead::default();
        let (key, group, start) = (self.key, self.group, Position(start.into()));
        self.target.submit(&SetGroupId { key, group, start, entries_read }, Ok)
    }

    /// What there is to know about the group; `None` if there is no such group.
    ///
    /// `O(groups)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchKey`](crate::Error::NoSuchKey) if there is no stream,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # use larder::{GroupStart, Store};
    /// # let store = Store::new();
    /// let jobs = store.stream("jobs");
    /// jobs.group("workers").create(GroupStart::Beginning)?;
    /// jobs.append(&[("file", "cat.png")])?;
    /// assert_eq!(jobs.group("workers").info()?.unwrap().lag, Some(1));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XINFO")]
    pub fn info(&self) -> T::Answer<Option<GroupInfo>> {
        let name = self.group.to_vec();
        let own =
            move |groups: Vec<GroupInfo>| Ok(groups.into_iter().find(|group| *group.name == *name));
        self.target.submit(&ListGroups { key: self.key }, own)
    }

    /// The consumers of the group, by name.
    ///
    /// `O(consumers)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`info`](Self::info), and [`Error::NoGroup`](crate::Error::NoGroup) if there is no
    /// such group.
    #[doc(alias = "XINFO")]
    pub fn consumers(&self) -> T::Answer<Vec<ConsumerInfo>> {
        self.target.submit(&ListConsumers { key: self.key, group: self.group }, Ok)
    }

    /// Acknowledges entries: they are pending no longer. Answers how many were.
    ///
    /// `O(log pending)` an entry. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    #[doc(alias = "XACK")]
    pub fn ack(&self, ids: &[StreamId]) -> T::Answer<usize> {
        let ids = Cow::Borrowed(ids);
        self.target.submit(&Ack { key: self.key, group: self.group, ids }, Ok)
    }

    /// Acknowledges entries and deletes them as the other groups' references to them allow;
    /// answers what became of each.
    ///
    /// `O(log n)` an entry and group. Does not block. Atomic.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # use larder::{Deletion, GroupStart, References, Store};
    /// # let store = Store::new();
    /// let jobs = store.stream("jobs");
    /// let workers = jobs.group("workers");
    /// workers.create(GroupStart::Beginning)?;
    /// let id = jobs.append(&[("file", "cat.png")])?;
    /// workers.consumer("w1").read(1)?;
    /// let deletions = workers.ack_and_delete(&[id], References::Keep)?;
    /// assert_eq!(deletions, [Deletion::Deleted]);
    /// assert!(jobs.is_empty()?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XACKDEL")]
    pub fn ack_and_delete(
        &self,
        ids: &[StreamId],
        references: References,
    ) -> T::Answer<Vec<Deletion>> {
        let entries = Referenced { references, ids: Cow::Borrowed(ids) };
        self.target.submit(&AckDelete { key: self.key, group: self.group, entries }, Ok)
    }

    /// What the group has pending, at a glance.
    ///
    /// `O(consumers)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`](crate::Error::NoGroup) if there is no such group,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    #[doc(alias = "XPENDING")]
    pub fn pending_summary(&self) -> T::Answer<PendingSummary> {
        self.target.submit(&SummarizePending { key: self.key, group: self.group }, Ok)
    }

    /// Up to `count` pending entries whose ids are in a range and that were delivered at least
    /// `min_idle` ago. A count of 0 is nothing, `usize::MAX` no limit.
    ///
    /// `O(log n)` and the pending entries looked at. Does not block.
    ///
    /// # Errors
    ///
    /// As [`pending_summary`](Self::pending_summary).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{GroupStart, Store};
    /// # let store = Store::new();
    /// let jobs = store.stream("jobs");
    /// let workers = jobs.group("workers");
    /// workers.create(GroupStart::Beginning)?;
    /// jobs.append(&[("file", "cat.png")])?;
    /// workers.consumer("w1").read(1)?;
    /// let pending = workers.pending(.., Duration::ZERO, 10)?;
    /// assert_eq!(pending[0].consumer, "w1");
    /// assert_eq!(pending[0].deliveries, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XPENDING")]
    pub fn pending(
        &self,
        ids: impl RangeBounds<StreamId>,
        min_idle: Duration,
        count: usize,
    ) -> T::Answer<Vec<PendingEntry>> {
        self.list_pending(ids, min_idle, count, None)
    }

    fn list_pending(
        &self,
        ids: impl RangeBounds<StreamId>,
        min_idle: Duration,
        count: usize,
        consumer: Option<&[u8]>,
    ) -> T::Answer<Vec<PendingEntry>> {
        let filter = PendingFilter {
            min_idle: min_idle.into(),
            ids: ids_of(ids),
            limit: count.min(i64::MAX as usize),
            consumer,
        };
        self.target.submit(&ListPending { key: self.key, group: self.group, filter }, Ok)
    }

    /// What a call answers that wants nothing of the group, which must exist.
    fn nothing<R: Send + 'static>(&self, answer: R) -> T::Answer<R> {
        let (key, group) = (self.key, self.group);
        let filter = PendingFilter {
            min_idle: Millis::default(),
            ids: ids_of(..),
            limit: 0,
            consumer: None,
        };
        self.target.submit(&ListPending { key, group, filter }, |_| Ok(answer))
    }
}

/// One consumer of a group: who reads entries and has them pending.
///
/// Made by [`ConsumerGroup::consumer`].
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
#[derive(Debug)]
pub struct Consumer<'t, T = Store> {
    pub(super) group: ConsumerGroup<'t, T>,
    name: &'t [u8],
}

impl<T> Clone for Consumer<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Consumer<'_, T> {}

impl<T: Submit> Consumer<'_, T> {
    /// Makes the consumer before it reads; answers whether it is new.
    ///
    /// `O(log consumers)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`](crate::Error::NoGroup) if there is no such group,
    /// [`Error::NoSuchStream`](crate::Error::NoSuchStream) if there is no stream,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    #[doc(alias = "XGROUP")]
    pub fn create(&self) -> T::Answer<bool> {
        let ConsumerGroup { target, key, group } = self.group;
        target.submit(&CreateConsumer { key, group, consumer: self.name }, Ok)
    }

    /// Removes the consumer; answers how many entries it had pending. They are pending no
    /// longer, so claim them for another consumer first.
    ///
    /// `O(pending)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    #[doc(alias = "XGROUP")]
    pub fn delete(&self) -> T::Answer<usize> {
        let ConsumerGroup { target, key, group } = self.group;
        target.submit(&DeleteConsumer { key, group, consumer: self.name }, Ok)
    }

    /// Up to `count` entries that no consumer of the group has been given; from now on they are
    /// pending for this one. A count of 0 is nothing, `usize::MAX` no limit.
    ///
    /// `O(log n)` an entry. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`](crate::Error::NoGroup) if there is no such stream or group,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # use larder::{GroupStart, Store};
    /// # let store = Store::new();
    /// let jobs = store.stream("jobs");
    /// let workers = jobs.group("workers");
    /// workers.create(GroupStart::Beginning)?;
    /// jobs.append(&[("file", "cat.png")])?;
    /// assert_eq!(workers.consumer("w1").read(10)?.len(), 1);
    /// assert!(workers.consumer("w2").read(10)?.is_empty());
    /// let free = 0; // as many as there is room for
    /// assert!(workers.consumer("w2").read(free)?.is_empty());
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XREADGROUP")]
    pub fn read(&self, count: usize) -> T::Answer<Entries> {
        self.submit_read(Wanted::New, count, Acknowledge::Later)
    }

    /// As [`read`](Self::read), but the entries count as acknowledged at once: at most once.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    #[doc(alias = "XREADGROUP")]
    #[doc(alias = "NOACK")]
    pub fn read_acknowledged(&self, count: usize) -> T::Answer<Entries> {
        self.submit_read(Wanted::New, count, Acknowledge::Never)
    }

    /// Up to `count` entries above an id that this consumer has pending, which counts as another
    /// delivery: for a worker that starts again. A count of 0 is nothing, `usize::MAX` no limit.
    /// Entries that have left the stream meanwhile come as [deleted](crate::Entry::is_deleted).
    ///
    /// `O(log n)` an entry. Does not block.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    ///
    /// ```
    /// # use larder::{GroupStart, Store, StreamId};
    /// # let store = Store::new();
    /// let jobs = store.stream("jobs");
    /// let workers = jobs.group("workers");
    /// workers.create(GroupStart::Beginning)?;
    /// jobs.append(&[("file", "cat.png")])?;
    /// let worker = workers.consumer("w1");
    /// worker.read(10)?; // and crash
    /// assert_eq!(worker.history(StreamId::MIN, 10)?.len(), 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XREADGROUP")]
    pub fn history(&self, after: StreamId, count: usize) -> T::Answer<Entries> {
        self.submit_read(Wanted::PendingAfter(after), count, Acknowledge::Later)
    }

    fn submit_read(
        &self,
        wanted: Wanted,
        count: usize,
        acknowledge: Acknowledge,
    ) -> T::Answer<Entries> {
        if count == 0 {
            return self.group.nothing(Entries::new());
        }
        let streams = [(self.group.key, wanted)];
        let operation = self.read_operation(&streams, ReadOptions::new(count, None), acknowledge);
        self.group.target.submit(&operation, |found| Ok(only_entries(found)))
    }

    pub(super) fn read_operation<'a>(
        &'a self,
        streams: &'a [(&'a [u8], Wanted)],
        read: ReadOptions,
        acknowledge: Acknowledge,
    ) -> ReadGroup<'a> {
        let (group, consumer) = (self.group.group, self.name);
        let options = ReadGroupOptions { group, consumer, read, acknowledge };
        ReadGroup { options, streams: Streams::borrowed(streams) }
    }

    /// Up to `count` entries that this consumer has pending, whose ids are in a range and that
    /// were delivered to it at least `min_idle` ago. A count of 0 is nothing, `usize::MAX` no
    /// limit.
    ///
    /// `O(log n)` and the pending entries looked at. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`](crate::Error::NoGroup) if there is no such stream or group,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    #[doc(alias = "XPENDING")]
    pub fn pending(
        &self,
        ids: impl RangeBounds<StreamId>,
        min_idle: Duration,
        count: usize,
    ) -> T::Answer<Vec<PendingEntry>> {
        self.group.list_pending(ids, min_idle, count, Some(self.name))
    }

    /// Makes those of the entries this consumer's that are pending and were delivered at least
    /// `min_idle` ago, and answers them. Those that have left the stream are pending no longer.
    ///
    /// `O(log n)` an entry. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`](crate::Error::NoGroup) if there is no such stream or group,
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    #[doc(alias = "XCLAIM")]
    pub fn claim(&self, min_idle: Duration, ids: &[StreamId]) -> T::Answer<Entries> {
        self.claim_with(min_idle, ids, ClaimOptions::new())
    }

    /// As [`claim`](Self::claim), with options.
    ///
    /// # Errors
    ///
    /// As [`claim`](Self::claim).
    #[doc(alias = "XCLAIM")]
    pub fn claim_with(
        &self,
        min_idle: Duration,
        ids: &[StreamId],
        options: ClaimOptions,
    ) -> T::Answer<Entries> {
        self.submit_claim(min_idle, ids, options, ClaimOutcome::into_entries)
    }

    /// As [`claim_with`](Self::claim_with), but answers the ids alone, and does not count as a
    /// delivery.
    ///
    /// # Errors
    ///
    /// As [`claim`](Self::claim).
    #[doc(alias = "XCLAIM")]
    #[doc(alias = "JUSTID")]
    pub fn claim_ids(
        &self,
        min_idle: Duration,
        ids: &[StreamId],
        options: ClaimOptions,
    ) -> T::Answer<Vec<StreamId>> {
        let options = ClaimOptions { just_ids: true, ..options };
        self.submit_claim(min_idle, ids, options, ClaimOutcome::into_ids)
    }

    fn submit_claim<R: Send + 'static>(
        &self,
        min_idle: Duration,
        ids: &[StreamId],
        options: ClaimOptions,
        convert: fn(ClaimOutcome) -> R,
    ) -> T::Answer<R> {
        let ConsumerGroup { target, key, group } = self.group;
        let (min_idle, ids) = (min_idle.into(), ClaimedIds(Cow::Borrowed(ids)));
        let operation = Claim { key, group, consumer: self.name, min_idle, ids, options };
        target.submit(&operation, move |outcome| Ok(convert(outcome)))
    }

    /// Makes up to `count` entries this consumer's that are pending from the id `start` on and
    /// were delivered at least `min_idle` ago: the work of consumers that died.
    ///
    /// `O(log n)` an entry; looks at ten times `count` at most, and says where to go on. A count
    /// of 0 is nothing, and goes on at `start`; `usize::MAX` is no limit. Does not block.
    ///
    /// # Errors
    ///
    /// As [`claim`](Self::claim).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{GroupStart, ManualClock, Store, StreamId};
    /// let clock = ManualClock::new();
    /// let store = Store::builder().clock(&clock).build();
    /// let jobs = store.stream("jobs");
    /// let workers = jobs.group("workers");
    /// workers.create(GroupStart::Beginning)?;
    /// jobs.append(&[("file", "cat.png")])?;
    /// workers.consumer("w1").read(10)?; // and die
    /// clock.advance(Duration::from_secs(60));
    /// let timeout = Duration::from_secs(30);
    /// let claimed = workers.consumer("w2").autoclaim(timeout, StreamId::MIN, 10)?;
    /// assert_eq!(claimed.entries.len(), 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XAUTOCLAIM")]
    pub fn autoclaim(
        &self,
        min_idle: Duration,
        start: StreamId,
        count: usize,
    ) -> T::Answer<Autoclaimed> {
        if count == 0 {
            let (next, entries, deleted) = (start, Entries::new(), Vec::new());
            return self.group.nothing(Autoclaimed { next, entries, deleted });
        }
        let ConsumerGroup { target, key, group } = self.group;
        let options = AutoclaimLimits {
            limit: count.min(AutoclaimLimits::MAX_LIMIT as usize),
            just_ids: false,
        };
        let (consumer, min_idle, start) = (self.name, min_idle.into(), FirstId(start));
        let operation = Autoclaim { key, group, consumer, min_idle, start, options };
        target.submit(&operation, |AutoclaimOutcome { next, claimed, deleted }| {
            Ok(Autoclaimed { next, entries: claimed.into_entries(), deleted })
        })
    }
}

impl ConsumerGroup<'_, Store> {
    /// Makes the group as [`create`](Self::create) does, unless there is one of this name, which
    /// stays as it is; answers whether it was made.
    ///
    /// `O(log groups)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else.
    ///
    /// ```
    /// # use larder::{GroupStart, Store};
    /// # let store = Store::new();
    /// let workers = store.stream("jobs").group("workers");
    /// assert!(workers.create_if_absent(GroupStart::Beginning)?);
    /// assert!(!workers.create_if_absent(GroupStart::End)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XGROUP")]
    #[doc(alias = "BUSYGROUP")]
    pub fn create_if_absent(&self, start: impl Into<GroupStart>) -> Result<bool> {
        match self.create(start) {
            Err(Error::GroupExists) => Ok(false),
            created => created.map(|()| true),
        }
    }
}

impl Consumer<'_, Store> {
    /// As [`read`](Self::read), but waits for a first entry for at most `timeout`; with `None`,
    /// as long as it takes. A count of 0 is nothing, which is there at once.
    ///
    /// *Blocks* the calling thread, unless there are entries at once. Entries go to the consumer
    /// that waited longest. An entry that is given to a call just as it is given up stays
    /// pending for the consumer, and is there in its [`history`](Self::history).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), also if the group, the stream or its key's type goes away while
    /// the call waits.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{GroupStart, Store};
    /// # let store = Store::new();
    /// let jobs = store.stream("jobs");
    /// let workers = jobs.group("workers");
    /// workers.create(GroupStart::Beginning)?;
    /// std::thread::scope(|scope| {
    ///     let worker = scope.spawn(|| {
    ///         let soon = Duration::from_secs(10);
    ///         store.stream("jobs").group("workers").consumer("w1").read_blocking(1, soon)
    ///     });
    ///     jobs.append(&[("file", "cat.png")])?;
    ///     assert_eq!(worker.join().unwrap()?.len(), 1);
    ///     Ok::<(), larder::Error>(())
    /// })?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "XREADGROUP")]
    pub fn read_blocking(
        &self,
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Entries> {
        if count == 0 {
            return self.read(0);
        }
        let timeout = timeout.into();
        let streams = [(self.group.key, Wanted::New)];
        let options = ReadOptions::new(count, Some(timeout));
        let operation = self.read_operation(&streams, options, Acknowledge::Later);
        let store = self.group.target;
        let database = store.space().database;
        engine::block::<ReadGroup<'_>>(store.databases(), database, &operation, timeout)
            .map(only_entries)
    }
}

impl BlockingFamily for ReadGroup<'static> {
    type Found = ReadOutput;
    type BlockingOf<'a> = ReadGroup<'a>;

    fn blocking<'s, 'a>(operation: &'s Self::Of<'a>) -> &'s Self::BlockingOf<'a> {
        operation
    }
}

/// What [`Consumer::autoclaim`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Autoclaimed {
    /// Where to go on; `0-0` once all pending entries have been looked at.
    pub next: StreamId,
    /// The entries that are the consumer's now.
    pub entries: Entries,
    /// Entries that had left the stream and are pending no longer.
    pub deleted: Vec<StreamId>,
}
