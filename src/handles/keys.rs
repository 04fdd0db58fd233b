//! Keys, whatever they hold.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::options::{
    self, CopyOptions, ExpireIf, RestoreOptions, ScanCursor, ScanOptions, ScanPage, TimeToLive,
};
use super::{SortQuery, Submit, accept};
use crate::error::{Error, Result};
use crate::keyspace::Kind;
use crate::ops::dump::{Dump, Restore};
use crate::ops::encoding::{Encoding, EncodingOf};
use crate::ops::keys::*;
use crate::ops::scan::{Matching, RandomKey};
use crate::ops::uses::IdleTime;
use crate::store::Store;
use crate::value::Value;

/// Operations on keys of any type.
///
/// Made by [`Store::keys`](crate::Store::keys), and by a batch or transaction.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
#[derive(Clone, Copy)]
pub struct Keys<'t, T = Store> {
    target: &'t T,
}

impl<'t, T: Submit> Keys<'t, T> {
    pub(crate) fn new(target: &'t T) -> Self {
        Self { target }
    }

    /// Removes a key; answers whether it existed.
    ///
    /// `O(1)`; the value is dropped after the lock is released. Does not block.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// assert!(store.keys().delete("a")?);
    /// assert!(!store.keys().delete("a")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "DEL")]
    #[doc(alias = "UNLINK")]
    pub fn delete(&self, key: impl AsRef<[u8]>) -> T::Answer<bool> {
        self.target.submit(&Delete { key: key.as_ref() }, Ok)
    }

    /// Removes keys at one instant; answers how many existed.
    ///
    /// `O(n)`. Does not block.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("a", 1), ("b", 2)])?;
    /// assert_eq!(store.keys().delete_many(&["a", "b", "c"])?, 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "DEL")]
    #[doc(alias = "UNLINK")]
    pub fn delete_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<usize> {
        self.target.submit(&DeleteMany { keys: borrowed(keys) }, Ok)
    }

    /// Whether a key exists.
    ///
    /// `O(1)`. Does not block.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// assert!(store.keys().exists("a")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "EXISTS")]
    pub fn exists(&self, key: impl AsRef<[u8]>) -> T::Answer<bool> {
        self.target.submit(&Exists { key: key.as_ref() }, Ok)
    }

    /// How many of the keys exist, at one instant. A key that is given twice counts twice.
    ///
    /// `O(n)`. Does not block.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// assert_eq!(store.keys().exist_many(&["a", "b", "a"])?, 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "EXISTS")]
    pub fn exist_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<usize> {
        self.target.submit(&ExistMany { keys: borrowed(keys) }, Ok)
    }

    /// Marks keys as recently used; answers how many of them exist.
    ///
    /// `O(n)`. Does not block.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// assert_eq!(store.keys().touch(&["a", "b"])?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "TOUCH")]
    pub fn touch<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<usize> {
        self.target.submit(&Touch { keys: borrowed(keys) }, Ok)
    }

    /// The type of what a key holds; `None` if it does not exist.
    ///
    /// `O(1)`. Does not block.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// assert_eq!(store.keys().kind("a")?, Some(larder::Kind::String));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "TYPE")]
    pub fn kind(&self, key: impl AsRef<[u8]>) -> T::Answer<Option<Kind>> {
        self.target.submit(&TypeOf { key: key.as_ref() }, Ok)
    }

    /// How Redis would represent what a key holds; `None` if it does not exist.
    ///
    /// `O(1)`. Does not block.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("primes").add_many(&[2, 3, 5])?;
    /// assert_eq!(store.keys().encoding("primes")?, Some(larder::Encoding::IntegerSet));
    /// assert_eq!(store.keys().encoding("primes")?.unwrap().name(), "intset");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "OBJECT")]
    pub fn encoding(&self, key: impl AsRef<[u8]>) -> T::Answer<Option<Encoding>> {
        self.target.submit(&EncodingOf { key: key.as_ref() }, Ok)
    }

    /// How long ago what a key holds was last used, in whole seconds; `None` if it does not exist.
    ///
    /// Reading it, changing it and [`touch`](Self::touch) are uses; asking whether it exists, of
    /// what type it is or when it expires is none, nor is this.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::UsesNotKept`] unless the store was built with
    /// [`keep_idle_times`](crate::Builder::keep_idle_times), or has or had clients of Redis.
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder::{ManualClock, Store};
    ///
    /// let clock = ManualClock::new();
    /// let store = Store::builder().clock(&clock).keep_idle_times().build();
    /// store.kv().set("milk", "fresh")?;
    /// clock.advance(Duration::from_secs(90));
    /// assert_eq!(store.keys().idle_time("milk")?, Some(Duration::from_secs(90)));
    /// store.kv().get("milk")?;
    /// assert_eq!(store.keys().idle_time("milk")?, Some(Duration::ZERO));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "OBJECT")]
    #[doc(alias = "IDLETIME")]
    pub fn idle_time(&self, key: impl AsRef<[u8]>) -> T::Answer<Option<Duration>> {
        let in_seconds = |seconds: Option<u64>| Ok(seconds.map(Duration::from_secs));
        self.target.submit(&IdleTime { key: key.as_ref() }, in_seconds)
    }

    /// What a key holds in another order, to be refined and then read, or stored: the elements of a
    /// list or the members of a sorted set, by their value as numbers unless set otherwise.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("ids").push_back_many(&[2, 10, 1])?;
    /// assert_eq!(store.keys().sort("ids").descending().limit(2).get()?, ["10", "2"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SORT")]
    pub fn sort<'k, K: AsRef<[u8]> + ?Sized>(&self, key: &'k K) -> SortQuery<'t, 'k, T> {
        SortQuery::new(self.target, key.as_ref())
    }

    /// Lets a key live for `time` from now, to the millisecond; less than one removes it.
    /// Answers whether the key exists.
    ///
    /// `O(1)`; `O(log n)` in the shard's deadlines if this one is earlier than others. Does not
    /// block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidExpire`] if the deadline overflows.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// store.kv().set("milk", "fresh")?;
    /// assert!(store.keys().expire("milk", Duration::from_secs(60))?);
    /// assert!(!store.keys().expire("bread", Duration::from_secs(60))?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "EXPIRE")]
    #[doc(alias = "PEXPIRE")]
    pub fn expire(&self, key: impl AsRef<[u8]>, time: Duration) -> T::Answer<bool> {
        self.expire_in(key.as_ref(), time, ExpireCondition::Always)
    }

    /// [`expire`](Self::expire), if the deadline that the key has now allows it; answers whether
    /// it was done.
    ///
    /// `O(1)`, as `expire`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidExpire`] if the deadline overflows.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::ExpireIf;
    /// # let store = larder::Store::new();
    /// store.kv().set_for("session", "", Duration::from_secs(600))?;
    /// let longer = store.keys().expire_if("session", Duration::from_secs(60), ExpireIf::Later)?;
    /// assert!(!longer);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "EXPIRE")]
    pub fn expire_if(
        &self,
        key: impl AsRef<[u8]>,
        time: Duration,
        condition: ExpireIf,
    ) -> T::Answer<bool> {
        self.expire_in(key.as_ref(), time, condition.into())
    }

    fn expire_in(&self, key: &[u8], time: Duration, condition: ExpireCondition) -> T::Answer<bool> {
        let millis = options::millis(time);
        self.target.submit(&ExpireIn { key, millis, condition }, Ok)
    }

    /// Lets a key live until `time`; one that has passed removes it. Answers whether the key
    /// existed.
    ///
    /// `O(1)`, as [`expire`](Self::expire). Does not block.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # let store = larder::Store::new();
    /// store.kv().set("milk", "fresh")?;
    /// assert!(store.keys().expire_at("milk", SystemTime::UNIX_EPOCH)?);
    /// assert!(!store.keys().exists("milk")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "EXPIREAT")]
    #[doc(alias = "PEXPIREAT")]
    pub fn expire_at(&self, key: impl AsRef<[u8]>, time: SystemTime) -> T::Answer<bool> {
        self.expire_until(key.as_ref(), time, ExpireCondition::Always)
    }

    /// [`expire_at`](Self::expire_at), if the deadline that the key has now allows it; answers
    /// whether it was done.
    ///
    /// `O(1)`, as [`expire`](Self::expire). Does not block.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// use larder::ExpireIf;
    /// # let store = larder::Store::new();
    /// store.kv().set("milk", "fresh")?;
    /// let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    /// assert!(!store.keys().expire_at_if("milk", tomorrow, ExpireIf::Any)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "EXPIREAT")]
    pub fn expire_at_if(
        &self,
        key: impl AsRef<[u8]>,
        time: SystemTime,
        condition: ExpireIf,
    ) -> T::Answer<bool> {
        self.expire_until(key.as_ref(), time, condition.into())
    }

    fn expire_until(
        &self,
        key: &[u8],
        time: SystemTime,
        condition: ExpireCondition,
    ) -> T::Answer<bool> {
        let unix_millis = options::unix_millis(time);
        self.target.submit(&ExpireAt { key, unix_millis, condition }, Ok)
    }

    /// Takes a key's deadline away; answers whether it had one.
    ///
    /// `O(1)`. Does not block.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// store.kv().set_for("milk", "fresh", Duration::from_secs(60))?;
    /// assert!(store.keys().persist("milk")?);
    /// assert_eq!(store.keys().time_to_live("milk")?, larder::TimeToLive::Forever);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "PERSIST")]
    pub fn persist(&self, key: impl AsRef<[u8]>) -> T::Answer<bool> {
        self.target.submit(&Persist { key: key.as_ref() }, Ok)
    }

    /// How long a key still lives.
    ///
    /// `O(1)`. Does not block.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::{ManualClock, Store, TimeToLive};
    ///
    /// let clock = ManualClock::new();
    /// let store = Store::builder().clock(&clock).build();
    /// store.kv().set_for("milk", "fresh", Duration::from_secs(60))?;
    /// clock.advance(Duration::from_secs(45));
    /// let left = store.keys().time_to_live("milk")?;
    /// assert_eq!(left, TimeToLive::Left(Duration::from_secs(15)));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "TTL")]
    #[doc(alias = "PTTL")]
    pub fn time_to_live(&self, key: impl AsRef<[u8]>) -> T::Answer<TimeToLive> {
        self.target.submit(&TimeLeft { key: key.as_ref() }, |lifetime| Ok(lifetime.into()))
    }

    /// When a key ceases to be.
    ///
    /// `O(1)`. Does not block.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # let store = larder::Store::new();
    /// store.kv().set("milk", "fresh")?;
    /// assert_eq!(store.keys().deadline("milk")?, larder::Deadline::Never);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "EXPIRETIME")]
    #[doc(alias = "PEXPIRETIME")]
    pub fn deadline(&self, key: impl AsRef<[u8]>) -> T::Answer<options::Deadline> {
        self.target.submit(&Deadline { key: key.as_ref() }, |lifetime| Ok(lifetime.into()))
    }

    /// Gives what a key holds another name, with its deadline; what the other key held is
    /// dropped.
    ///
    /// `O(1)` but for copying a string. Atomic. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchKey`] if there is nothing to rename.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("draft", "text")?;
    /// store.keys().rename("draft", "page")?;
    /// assert_eq!(store.kv().get("page")?.unwrap(), "text");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "RENAME")]
    pub fn rename(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> T::Answer<()> {
        self.target.submit(&Rename { from: from.as_ref(), to: to.as_ref() }, Ok)
    }

    /// [`rename`](Self::rename), if the new name is free; answers whether it was.
    ///
    /// `O(1)` but for copying a string. Atomic. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchKey`] if there is nothing to rename.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("draft", "new"), ("page", "old")])?;
    /// assert!(!store.keys().rename_if_absent("draft", "page")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "RENAMENX")]
    pub fn rename_if_absent(
        &self,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
    ) -> T::Answer<bool> {
        self.target.submit(&RenameIfAbsent { from: from.as_ref(), to: to.as_ref() }, Ok)
    }

    /// Copies what a key holds, with its deadline, if the destination is free; answers whether
    /// it did.
    ///
    /// `O(n)` in the size of a structure. Atomic. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::SameObject`] if source and destination are the same.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// assert!(store.keys().copy("a", "b")?);
    /// assert_eq!(store.kv().get_as::<i64>("b")?, Some(1));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "COPY")]
    pub fn copy(&self, source: impl AsRef<[u8]>, destination: impl AsRef<[u8]>) -> T::Answer<bool> {
        self.copy_with(source, destination, CopyOptions::new())
    }

    /// [`copy`](Self::copy) to another database or over what the destination holds.
    ///
    /// `O(n)` in the size of a structure. Atomic. Does not block.
    ///
    /// # Errors
    ///
    /// As `copy`, and [`Error::NoSuchDatabase`].
    ///
    /// ```
    /// use larder::CopyOptions;
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("a", 1), ("b", 2)])?;
    /// assert!(store.keys().copy_with("a", "b", CopyOptions::new().replace())?);
    /// assert_eq!(store.kv().get_as::<i64>("b")?, Some(1));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "COPY")]
    pub fn copy_with(
        &self,
        source: impl AsRef<[u8]>,
        destination: impl AsRef<[u8]>,
        options: CopyOptions,
    ) -> T::Answer<bool> {
        let (source, destination) = (source.as_ref(), destination.as_ref());
        self.target.submit(&Copy { source, destination, options: options.0 }, Ok)
    }

    /// What a key holds as bytes that [`restore`](Self::restore) makes the same of, in this store,
    /// another or in Redis 7.0 and later; `None` if it does not exist.
    ///
    /// The bytes carry a checksum. The key's deadline is not among them. A hash of which fields
    /// have deadlines keeps those, in a form that Redis reads from 7.4 on.
    ///
    /// `O(n)` in the size of the value. Does not block.
    ///
    /// # Errors
    ///
    /// None today; the answer is a `Result` as a store elsewhere may fail.
    ///
    /// ```
    /// use larder::{RestoreOptions, Store};
    ///
    /// let (store, other) = (Store::new(), Store::new());
    /// store.list("jobs").push_back("bake")?;
    /// let dumped = store.keys().dump("jobs")?.unwrap();
    /// other.keys().restore("jobs", dumped, RestoreOptions::new())?;
    /// assert_eq!(other.list("jobs").pop_front()?.unwrap(), "bake");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "DUMP")]
    pub fn dump(&self, key: impl AsRef<[u8]>) -> T::Answer<Option<Value>> {
        self.target.submit(&Dump { key: key.as_ref() }, Ok)
    }

    /// Puts what was dumped, here or by a Redis from 2.6 to 8, under a key.
    ///
    /// A deadline in the past makes no key, and takes away the one that is replaced.
    ///
    /// `O(n)` in the size of the value. Atomic. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::KeyExists`] unless the options let it replace one; [`Error::PayloadChecksum`] if
    /// the bytes are not what was dumped; [`Error::Corrupt`] if they never were a value;
    /// [`Error::InvalidExpire`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder::{Error, RestoreOptions};
    /// # let store = larder::Store::new();
    ///
    /// store.kv().set("a", 1)?;
    /// let dumped = store.keys().dump("a")?.unwrap();
    /// let restored = store.keys().restore("a", &dumped, RestoreOptions::new());
    /// assert_eq!(restored, Err(Error::KeyExists("a".into())));
    /// let for_a_minute = RestoreOptions::new().replace().expire_in(Duration::from_secs(60));
    /// store.keys().restore("a", &dumped, for_a_minute)?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "RESTORE")]
    pub fn restore(
        &self,
        key: impl AsRef<[u8]>,
        dumped: impl AsRef<[u8]>,
        options: RestoreOptions,
    ) -> T::Answer<()> {
        let (lifetime, options) = accept!(self, options.parts());
        let payload = dumped.as_ref();
        self.target.submit(&Restore { key: key.as_ref(), lifetime, payload, options }, Ok)
    }

    /// Moves a key to another database, if it is free there; answers whether it was moved.
    ///
    /// `O(1)` but for copying a string. Atomic. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDatabase`]; [`Error::SameObject`] if the key is in that database.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// assert!(store.keys().move_to("a", 1)?);
    /// assert!(store.database(1)?.keys().exists("a")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "MOVE")]
    pub fn move_to(&self, key: impl AsRef<[u8]>, database: u16) -> T::Answer<bool> {
        self.target.submit(&Move { key: key.as_ref(), database }, Ok)
    }

    /// One step of a scan by hand: some keys, and where to go on. [`scan`](Keys::scan) does all
    /// steps.
    ///
    /// A key that exists from the first step to the last is answered, and once; one that comes
    /// or goes in between may be answered or not.
    ///
    /// `O(count)` keys, or as many as a sixteenth of one of the database's 1,024 shards. Does
    /// not block.
    ///
    /// # Errors
    ///
    /// [`Error::DatabaseNotInTransaction`] in a transaction.
    ///
    /// ```
    /// use larder::{ScanCursor, ScanOptions};
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// let page = store.keys().scan_page(ScanCursor::START, &ScanOptions::new())?;
    /// assert_eq!(page.keys, ["a"]);
    /// assert_eq!(page.cursor, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SCAN")]
    pub fn scan_page(&self, cursor: ScanCursor, options: &ScanOptions) -> T::Answer<ScanPage> {
        self.target.submit(&options.operation(cursor.0), |page| Ok(page.into()))
    }

    /// All keys that match a glob pattern, at one instant.
    ///
    /// `O(n)` in all keys of the database, under shared locks on all of it: readers go on,
    /// writers wait. [`scan`](Keys::scan) with [`ScanOptions::matching`] makes nobody wait.
    ///
    /// # Errors
    ///
    /// [`Error::DatabaseNotInTransaction`] in a transaction.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("user:1", "Ada"), ("page:1", "Home")])?;
    /// assert_eq!(store.keys().matching("user:*")?, ["user:1"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "KEYS")]
    pub fn matching(&self, pattern: impl AsRef<[u8]>) -> T::Answer<Vec<Value>> {
        self.target.submit(&Matching { pattern: pattern.as_ref() }, Ok)
    }

    /// Any one key, each about as likely as another; `None` if there is none.
    ///
    /// Looks at the sizes of the database's 1,024 shards and at the keys of one. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::DatabaseNotInTransaction`] in a transaction.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert_eq!(store.keys().random()?, None);
    /// store.kv().set("a", 1)?;
    /// assert_eq!(store.keys().random()?.unwrap(), "a");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "RANDOMKEY")]
    pub fn random(&self) -> T::Answer<Option<Value>> {
        self.target.submit(&RandomKey {}, Ok)
    }

    /// The number of keys in the database. Keys that have expired count until they are removed,
    /// which is prompt with a maintenance thread.
    ///
    /// Looks at the database's 1,024 shards, one after the other. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::DatabaseNotInTransaction`] in a transaction.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// assert_eq!(store.keys().len()?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "DBSIZE")]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> T::Answer<usize> {
        self.target.submit(&Count {}, Ok)
    }

    /// Removes all keys of the database, at one instant.
    ///
    /// `O(n)` to give the memory back, in this thread and outside the locks. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::DatabaseNotInTransaction`] in a transaction.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// store.keys().clear()?;
    /// assert_eq!(store.keys().len()?, 0);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "FLUSHDB")]
    pub fn clear(&self) -> T::Answer<()> {
        self.target.submit(&Clear { mode: ClearMode::Default }, Ok)
    }
}

impl<'t> Keys<'t, Store> {
    /// All keys of the database, fetched in steps as the iterator is read.
    ///
    /// A key that exists from the first step to the last is answered, and once; one that comes
    /// or goes in between may be answered or not. Nothing is locked between steps, so the loop
    /// may use the store.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("a", 1), ("b", 2)])?;
    /// for key in store.keys().iter() {
    ///     store.keys().delete(key?)?;
    /// }
    /// assert_eq!(store.keys().len()?, 0);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SCAN")]
    pub fn iter(&self) -> Scan<'t> {
        self.scan(ScanOptions::new())
    }

    /// The keys that [`ScanOptions`] ask for, as [`iter`](Self::iter).
    ///
    /// ```
    /// use larder::ScanOptions;
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("user:1", "Ada"), ("page:1", "Home")])?;
    /// assert_eq!(store.keys().scan(ScanOptions::new().matching("user:*")).count(), 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SCAN")]
    pub fn scan(&self, options: ScanOptions) -> Scan<'t> {
        let next = Some(ScanCursor::START);
        Scan { keys: Keys::new(self.target), options, next, page: Vec::new().into_iter() }
    }
}

/// A walk over the keys of a database: see [`Keys::iter`] and [`Keys::scan`].
#[must_use = "a scan does nothing until it is read"]
pub struct Scan<'t> {
    keys: Keys<'t, Store>,
    options: ScanOptions,
    next: Option<ScanCursor>,
    page: std::vec::IntoIter<Value>,
}

impl Iterator for Scan<'_> {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(key) = self.page.next() {
                return Some(Ok(key));
            }
            match self.keys.scan_page(self.next.take()?, &self.options) {
                Ok(ScanPage { cursor, keys }) => {
                    self.next = cursor;
                    self.page = keys.into_iter();
                }
                Err(error) => return Some(Err::<Value, Error>(error)),
            }
        }
    }
}

fn borrowed<K: AsRef<[u8]>>(keys: &[K]) -> Cow<'_, [&[u8]]> {
    keys.iter().map(AsRef::as_ref).collect()
}
