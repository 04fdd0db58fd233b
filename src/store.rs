//! The store: what an application holds.

mod persistent;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::handles::{
    Batch, Bitmap, Hash, Keys, Kv, List, Lists, Set, Sets, SortedSet, SortedSets, Stream, Submit,
    Target, Transaction, Watch,
};
use crate::keyspace::difference;
use crate::keyspace::{Databases, Event, Maintenance, Space};
use crate::ops;
use crate::ops::keys::{ClearAll, ClearMode};
use crate::ops::pubsub::ActiveChannels;
use crate::pubsub::{Listener, Subscription, SubscriptionOptions};
use crate::sync::{Arc, Weak};
use crate::value::Value;
use crate::wire::command::Command;
use crate::wire::{Encoder, Protocol, answer};

use persistent::Kept;
pub use persistent::{PersistenceStats, PersistentBuilder};

/// Redis's data structures, in memory, in this process.
///
/// A clone is another handle on the same data; two stores made by [`Store::new`] share nothing.
/// All methods take `&self` and may be called from any number of threads.
///
/// ```
/// use larder::Store;
///
/// let store = Store::new();
/// store.kv().set("greeting", "hello")?;
/// assert_eq!(store.kv().get("greeting")?.unwrap(), "hello");
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone)]
pub struct Store {
    /// `None` if nothing is kept. Dropped before the databases, of which closing may take a
    /// snapshot.
    kept: Option<Arc<Kept>>,
    databases: Arc<Databases>,
    database: u16,
}

impl Store {
    /// An empty store with 16 databases, the system's clock, and maintenance by a thread that
    /// starts when a first time to live needs it.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A store with other settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Strings under keys.
    #[inline]
    pub fn kv(&self) -> Kv<'_> {
        Kv::new(self)
    }

    /// Keys of any type.
    #[inline]
    pub fn keys(&self) -> Keys<'_> {
        Keys::new(self)
    }

    /// The list under a key: elements in the order they were put.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let jobs = store.list("jobs");
    /// jobs.push_back("bake")?;
    /// assert_eq!(jobs.pop_front()?.unwrap(), "bake");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[inline]
    pub fn list<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> List<'t> {
        List::new(self, key.as_ref())
    }

    /// Several lists: pops from whichever has something.
    #[inline]
    pub fn lists(&self) -> Lists<'_> {
        Lists::new(self)
    }

    /// The sorted set under a key: members with scores, in order.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// board.add("ada", 1.0)?;
    /// assert_eq!(board.rank("ada")?, Some(0));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[inline]
    pub fn sorted_set<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> SortedSet<'t> {
        SortedSet::new(self, key.as_ref())
    }

    /// Several sorted sets: unions, intersections, differences, and pops from whichever has
    /// something.
    #[inline]
    pub fn sorted_sets(&self) -> SortedSets<'_> {
        SortedSets::new(self)
    }

    /// The hash under a key: values by the names of their fields.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.get("name")?.unwrap(), "Ada");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[inline]
    pub fn hash<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> Hash<'t> {
        Hash::new(self, key.as_ref())
    }

    /// The bitmap under a key: a string as bits.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.bitmap("visits").set(17, true)?;
    /// assert_eq!(store.bitmap("visits").count()?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[inline]
    pub fn bitmap<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> Bitmap<'t> {
        Bitmap::new(self, key.as_ref())
    }

    /// The set under a key: distinct members.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let tags = store.set("tags");
    /// tags.add_many(&["rust", "cache"])?;
    /// assert!(tags.contains("rust")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[inline]
    pub fn set<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> Set<'t> {
        Set::new(self, key.as_ref())
    }

    /// Operations on several sets at once.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("a").add_many(&[1, 2])?;
    /// store.set("b").add_many(&[2, 3])?;
    /// assert_eq!(store.sets().intersection(&["a", "b"])?, ["2"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[inline]
    pub fn sets(&self) -> Sets<'_> {
        Sets::new(self)
    }

    /// The stream under a key.
    #[inline]
    pub fn stream<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> Stream<'t> {
        Stream::new(self, key)
    }

    /// Sends a message to all who subscribe to a channel now; answers how many received it. Nothing
    /// is kept for those who come later.
    ///
    /// `O(subscribers)`, plus the patterns subscribed to. The payload is shared, not copied; what
    /// is no [`Value`] and does not become one, such as a `Json`, is encoded by
    /// [`to_value`](crate::ToValue::to_value) first. Blocks only for a full subscriber that asked
    /// for [`Overflow::Block`](crate::Overflow::Block).
    ///
    /// # Errors
    ///
    /// None today; the answer is a `Result` as a store elsewhere may fail.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let news = store.subscribe(&["news"])?;
    /// assert_eq!(store.publish("news", "rain")?, 1);
    /// assert_eq!(news.recv()?.payload, "rain");
    ///
    /// use larder::ToValue;
    /// store.publish("news", &*1.5_f64.to_value()?)?;
    /// assert_eq!(news.recv()?.payload, "1.5");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "PUBLISH")]
    pub fn publish(&self, channel: impl AsRef<[u8]>, payload: impl Into<Value>) -> Result<usize> {
        Ok(self.databases.hub.publish(channel.as_ref(), payload.into()))
    }

    /// Publishes as [`publish`](Self::publish) does, to everybody but `sender`: a node that
    /// listens to the channel it speaks on does not hear itself.
    ///
    /// Redis has no such thing; over Redis a node puts its name into the payload and ignores
    /// what carries it.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let (mine, theirs) = (store.subscribe(&["cache"])?, store.subscribe(&["cache"])?);
    /// assert_eq!(store.publish_from(&mine, "cache", "key:1")?, 1);
    /// assert!(mine.try_recv().is_err());
    /// assert_eq!(theirs.recv()?.payload, "key:1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "PUBLISH")]
    pub fn publish_from(
        &self,
        sender: &Subscription,
        channel: impl AsRef<[u8]>,
        payload: impl Into<Value>,
    ) -> Result<usize> {
        Ok(self.databases.hub.publish_from(sender.id(), channel.as_ref(), payload.into()))
    }

    /// Subscribes to channels, with a queue of 1,024 messages that drops the oldest when full.
    ///
    /// Channels belong to the whole store, whatever its databases. Dropping the subscription
    /// unsubscribes.
    ///
    /// # Errors
    ///
    /// None today; the answer is a `Result` as a store elsewhere may fail.
    #[doc(alias = "SUBSCRIBE")]
    pub fn subscribe<C: AsRef<[u8]>>(&self, channels: &[C]) -> Result<Subscription> {
        let subscription = self.subscription(SubscriptionOptions::new());
        for channel in channels {
            subscription.subscribe(channel);
        }
        Ok(subscription)
    }

    /// A subscription to nothing yet, with a queue of one's own choosing.
    ///
    /// ```
    /// use larder::{Overflow, SubscriptionOptions};
    /// # let store = larder::Store::new();
    ///
    /// let options = SubscriptionOptions::new().capacity(10).overflow(Overflow::DropNewest);
    /// let weather = store.subscription(options);
    /// weather.psubscribe("weather.*");
    /// store.publish("weather.paris", "sun")?;
    /// assert_eq!(weather.recv()?.channel, "weather.paris");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "PSUBSCRIBE")]
    pub fn subscription(&self, options: SubscriptionOptions) -> Subscription {
        self.databases.hub.subscribe(options)
    }

    /// The channels that have subscribers by name: all, or those that `pattern` matches.
    ///
    /// `O(channels)`.
    ///
    /// # Errors
    ///
    /// None today.
    #[doc(alias = "PUBSUB CHANNELS")]
    pub fn channels(&self, pattern: Option<&[u8]>) -> Result<Vec<Value>> {
        ops::run(self.space(), &ActiveChannels { pattern })
    }

    /// How many subscribe to a channel by name.
    ///
    /// # Errors
    ///
    /// None today.
    #[doc(alias = "PUBSUB NUMSUB")]
    pub fn subscribers(&self, channel: impl AsRef<[u8]>) -> Result<usize> {
        Ok(self.databases.hub.subscribers(channel.as_ref()))
    }

    /// Listens to what happens to keys, in every database of the store, from now on.
    ///
    /// The events of one key come in the order of its changes. Events are made only while
    /// somebody listens. The queue is bounded as that of a [`Subscription`]; with
    /// [`Overflow::Block`](crate::Overflow::Block) a full one holds up everybody who changes
    /// keys, so its reader must not write to the store.
    ///
    /// ```
    /// use larder::{EventKind, SubscriptionOptions};
    /// # let store = larder::Store::new();
    ///
    /// let events = store.events(SubscriptionOptions::new());
    /// store.kv().set("a", 1)?;
    /// let event = events.recv()?;
    /// assert_eq!((event.kind, &*event.key), (EventKind::Set, &b"a"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "notify-keyspace-events")]
    pub fn events(&self, options: SubscriptionOptions) -> Listener<Event> {
        self.databases.events.listen(options, |_| true)
    }

    /// Listens as [`events`](Self::events) does, to those events only that `wanted` accepts.
    ///
    /// `wanted` runs for every event, within the call that caused it, and perhaps more than
    /// once: it must be quick, depend on the event alone, and leave the store alone.
    pub fn events_where(
        &self,
        options: SubscriptionOptions,
        wanted: impl Fn(&Event) -> bool + Send + Sync + 'static,
    ) -> Listener<Event> {
        self.databases.events.listen(options, wanted)
    }

    /// Another database of the same store; a store starts in database 0.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDatabase`] if there is none with this number.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let other = store.database(1)?;
    /// other.kv().set("a", 1)?;
    /// assert_eq!(store.kv().get("a")?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SELECT")]
    pub fn database(&self, number: u16) -> Result<Self> {
        if number >= self.databases.count() {
            return Err(Error::NoSuchDatabase);
        }
        Ok(Self { database: number, ..self.clone() })
    }

    /// The time by the store's clock: what its deadlines are measured against. It begins at the
    /// Unix time of the store's creation and then only moves forward, whatever is done to the
    /// wall clock, so it is fit to be a score or part of an id. To the millisecond.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::{ManualClock, Store};
    /// let clock = ManualClock::new();
    /// let store = Store::builder().clock(&clock).build();
    /// let before = store.now();
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(store.now(), before + Duration::from_secs(5));
    /// ```
    #[doc(alias = "TIME")]
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.databases.clock.now())
    }

    /// A batch: operations that are queued and then run as one.
    #[doc(alias = "MULTI")]
    pub fn batch(&self) -> Batch {
        Batch::new(self.clone())
    }

    /// Watches keys, for a batch that is to run only if none of them has changed.
    ///
    /// # Errors
    ///
    /// None today; the answer is a `Result` as a store elsewhere may fail.
    #[doc(alias = "WATCH")]
    pub fn watch<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Watch> {
        Ok(Watch::new(self, keys))
    }

    /// Runs `body` with exclusive access to `keys`: its operations answer at once, and nobody
    /// else sees the keys in between.
    ///
    /// Blocks while another thread holds a shard of one of the keys. The locks are held until
    /// `body` returns, so it should be short, and it must use nothing but the transaction it is
    /// given: an operation of the store, on whatever key, may wait for ever, since keys share
    /// locks. [`now`](Self::now) locks nothing.
    ///
    /// # Errors
    ///
    /// Whatever `body` answers; [`Error::ReadOnly`] before it runs, and
    /// [`Error::Indeterminate`] after it has. There is no rollback. A body with errors of its own
    /// goes to [`try_transaction`](Self::try_transaction).
    ///
    /// ```
    /// use larder::Store;
    ///
    /// let store = Store::new();
    /// store.kv().set("from", 10)?;
    /// store.transaction(&["from", "to"], |tx| {
    ///     let amount: i64 = tx.kv().get_as("from")?.unwrap_or(0);
    ///     tx.kv().set("from", 0)?;
    ///     tx.kv().set("to", amount)
    /// })?;
    /// assert_eq!(store.kv().get_as::<i64>("to")?, Some(10));
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn transaction<K: AsRef<[u8]>, R>(
        &self,
        keys: &[K],
        body: impl FnOnce(&Transaction<'_>) -> Result<R>,
    ) -> Result<R> {
        Transaction::new(self, keys)?.run(body)
    }

    /// As [`transaction`](Self::transaction), for a body whose error is the caller's own type:
    /// with `?` the errors of its operations become that.
    ///
    /// # Errors
    ///
    /// Whatever `body` answers. There is no rollback.
    ///
    /// ```
    /// use larder::Store;
    ///
    /// #[derive(Debug, PartialEq)]
    /// enum PayError {
    ///     TooPoor { missing: i64 },
    ///     Store(larder::Error),
    /// }
    ///
    /// impl From<larder::Error> for PayError {
    ///     fn from(error: larder::Error) -> Self {
    ///         Self::Store(error)
    ///     }
    /// }
    ///
    /// fn pay(store: &Store, price: i64) -> Result<i64, PayError> {
    ///     store.try_transaction(&["purse"], |tx| {
    ///         let left = tx.kv().get_as("purse")?.unwrap_or(0) - price;
    ///         if left < 0 {
    ///             return Err(PayError::TooPoor { missing: -left });
    ///         }
    ///         tx.kv().set("purse", left)?;
    ///         Ok(left)
    ///     })
    /// }
    ///
    /// let store = Store::new();
    /// store.kv().set("purse", 10)?;
    /// assert_eq!(pay(&store, 7), Ok(3));
    /// assert_eq!(pay(&store, 7), Err(PayError::TooPoor { missing: 4 }));
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn try_transaction<K: AsRef<[u8]>, R, E: From<Error>>(
        &self,
        keys: &[K],
        body: impl FnOnce(&Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        Transaction::new(self, keys)?.run(body)
    }

    /// Removes all keys of all databases, at one instant.
    ///
    /// `O(n)` to give the memory back, in this thread and outside the locks. Does not block.
    ///
    /// # Errors
    ///
    /// Those of every write: [`Error::ReadOnly`] and [`Error::Indeterminate`].
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.database(1)?.kv().set("a", 1)?;
    /// store.clear_all()?;
    /// assert_eq!(store.stats().keys, 0);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "FLUSHALL")]
    pub fn clear_all(&self) -> Result<()> {
        ops::run(self.space(), &ClearAll { mode: ClearMode::Default })
    }

    /// How much the store holds, in all databases.
    ///
    /// Looks at every shard that is in use, one after the other, and at no key.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", "one")?;
    /// let stats = store.stats();
    /// assert_eq!((stats.keys, stats.with_deadline), (1, 0));
    /// assert!(stats.bytes >= 4);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "INFO")]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for (_, shard) in self.databases.shards() {
            let shard = shard.read();
            stats.keys += shard.len();
            stats.with_deadline += shard.with_deadline();
            stats.bytes += shard.bytes();
        }
        stats
    }

    /// Removes what has expired and ends blocking calls that have timed out, now, in this
    /// thread: for stores built with [`Upkeep::Manual`].
    pub fn maintain(&self) {
        self.databases.sweep();
    }

    /// Runs a command given by name and arguments, as a client of Redis would send it, and
    /// answers the reply in bytes: RESP3, or else RESP2. What would block answers at once that it
    /// found nothing.
    ///
    /// For the comparison with Redis, which is outside of the crate.
    #[doc(hidden)]
    pub fn answer(&self, argv: &[&[u8]], resp3: bool) -> Vec<u8> {
        let mut reply = Vec::new();
        answer::answer(self.space(), argv, &mut Encoder::new(&mut reply, protocol(resp3)));
        reply
    }

    /// Runs commands as one, as `EXEC` does, and answers an array of replies as
    /// [`answer`](Self::answer) does.
    #[doc(hidden)]
    pub fn answer_all(&self, commands: &[&[&[u8]]], resp3: bool) -> Vec<u8> {
        let mut reply = Vec::new();
        answer::answer_all(self.space(), commands, &mut Encoder::new(&mut reply, protocol(resp3)));
        reply
    }

    /// What tells the data of two stores apart: the first thing found, or `None`. Times are
    /// compared as Unix times; when consumers were seen last does not count.
    #[doc(hidden)]
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        difference::first_difference(&self.databases, &other.databases)
    }

    /// Asserts the invariants of every shard and of all that it holds.
    #[cfg(fuzzing)]
    #[doc(hidden)]
    pub fn check(&self) {
        for (_, shard) in self.databases.shards() {
            shard.read().check(self.databases.hasher());
        }
    }

    #[inline]
    pub(crate) fn space(&self) -> Space<'_> {
        Space::new(&self.databases, self.database)
    }

    pub(crate) fn databases(&self) -> &Arc<Databases> {
        &self.databases
    }

    /// The number of this database.
    #[cfg(feature = "redis")]
    pub(crate) fn number(&self) -> u16 {
        self.database
    }
}

fn protocol(resp3: bool) -> Protocol {
    if resp3 { Protocol::Resp3 } else { Protocol::Resp2 }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("database", &self.database).finish_non_exhaustive()
    }
}

impl Target for Store {
    type Answer<R> = Result<R>;
}

impl Submit for Store {
    #[inline]
    fn submit<O: Command, R: Send + 'static>(
        &self,
        operation: &O,
        convert: impl FnOnce(O::Output) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        ops::run(self.space(), operation).and_then(convert)
    }

    fn refuse<R: Send + 'static>(&self, error: Error) -> Result<R> {
        Err(error)
    }
}

/// How much a [`Store`] holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys; those that have expired count until they are removed.
    pub keys: usize,
    /// Keys that have a deadline.
    pub with_deadline: usize,
    /// Bytes that keys and values take on the heap, with their bookkeeping and without what the
    /// allocator adds.
    pub bytes: usize,
}

/// Who removes what has expired without being asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upkeep {
    /// A thread of the store, started when a first deadline needs it. It sleeps between
    /// deadlines and ends with the store.
    #[default]
    Thread,
    /// The caller, by [`Store::maintain`]. Expired keys are absent to every reader all the
    /// same; only their memory and their events wait.
    Manual,
}

/// Settings of a [`Store`].
///
/// ```
/// use larder::{ManualClock, Store};
///
/// let clock = ManualClock::new();
/// let store = Store::builder().clock(&clock).databases(2).build();
/// assert!(store.database(2).is_err());
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    clock: Clock,
    databases: u16,
    upkeep: Upkeep,
    keeps_idle_times: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            databases: 16,
            upkeep: Upkeep::Thread,
            keeps_idle_times: false,
        }
    }
}

impl Builder {
    /// Where the store takes its time from; the system, unless set. Moving a
    /// [`ManualClock`](crate::ManualClock) makes everything happen that is due, so a store with
    /// one needs no upkeep of its own.
    pub fn clock(self, clock: impl Into<Clock>) -> Self {
        Self { clock: clock.into(), ..self }
    }

    /// How many databases the store has: 16, unless set; at least one.
    pub fn databases(self, databases: u16) -> Self {
        Self { databases: databases.max(1), ..self }
    }

    /// Who removes what has expired; a thread, unless set.
    pub fn upkeep(self, upkeep: Upkeep) -> Self {
        Self { upkeep, ..self }
    }

    /// Keeps when each key was last used, for [`Keys::idle_time`](crate::Keys::idle_time). It costs
    /// four bytes a key, and reading the clock whenever a key is used. A store that has clients of
    /// Redis keeps it from its first on.
    pub fn keep_idle_times(self) -> Self {
        Self { keeps_idle_times: true, ..self }
    }

    /// Makes the store. Takes microseconds: shards are allocated when they are first used.
    pub fn build(self) -> Store {
        let threaded = self.upkeep == Upkeep::Thread && !self.clock.is_manual();
        let maintenance = Maintenance::new(threaded);
        let databases = Arc::new(Databases::new(self.databases, self.clock, maintenance));
        if self.keeps_idle_times {
            databases.keep_uses();
        }
        databases.maintenance.attach(&databases);
        let listener: Weak<Databases> = Arc::downgrade(&databases);
        databases.clock.listen(listener);
        Store { databases, database: 0, kept: None }
    }

    /// Makes a store whose manual clock moves unheard: what has expired stays until it is met.
    #[cfg(test)]
    pub(crate) fn build_unswept(self) -> Store {
        let databases = Databases::new(self.databases, self.clock, Maintenance::new(false));
        Store { databases: Arc::new(databases), database: 0, kept: None }
    }
}
