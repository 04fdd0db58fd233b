//! Stores that keep what they hold.

use std::fmt;

use super::{Builder, Store};
use crate::error::{Error, Result};
use crate::persist::{
    self, Durability, Keeper, Log, Occasion, Persistence, Progress, Recovery, Report, Settings,
};
use crate::sync::Arc;

/// What a store that keeps its data has beside others.
pub(super) struct Kept {
    keeper: Keeper,
    recovery: Recovery,
}

/// How far a store's log has grown, and whether it goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PersistenceStats {
    /// The length of the last snapshot, in bytes.
    pub snapshot_bytes: u64,
    /// The length of what was logged since, in bytes.
    pub log_bytes: u64,
    /// Whether a snapshot is being written.
    pub snapshot_under_way: bool,
    /// Why nothing may be written, if that is so: the text of [`Error::ReadOnly`].
    pub refusal: Option<String>,
}

impl Builder {
    /// Has the store keep what it holds: a [`Directory`](persist::Directory), or any other
    /// [`Persistence`].
    ///
    /// Deadlines are kept as dates. With a [`ManualClock`](crate::ManualClock), make it by
    /// [`ManualClock::at`](crate::ManualClock::at)`(SystemTime::now())`, or keys that are to live
    /// for a while are long gone, or live for years, when the data are opened by another clock.
    ///
    /// ```
    /// use larder::Store;
    /// use larder::persist::{Directory, Durability};
    ///
    /// # let folder = std::env::temp_dir().join(format!("larder-kept-{}", std::process::id()));
    /// # let path = &folder;
    /// let store = Store::builder()
    ///     .persistence(Directory::new(path))
    ///     .durability(Durability::Always)
    ///     .open()?;
    /// store.kv().set("greeting", "hello")?;
    /// drop(store);
    ///
    /// let store = Store::builder().persistence(Directory::new(path)).open()?;
    /// assert_eq!(store.kv().get("greeting")?.unwrap(), "hello");
    /// # drop(store);
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn persistence(self, persistence: impl Persistence + 'static) -> PersistentBuilder {
        PersistentBuilder {
            builder: self,
            persistence: Box::new(persistence),
            settings: Settings::default(),
        }
    }
}

/// Settings of a [`Store`] that keeps what it holds; made by [`Builder::persistence`], after the
/// settings that every store has.
#[must_use = "a builder does nothing until it opens"]
pub struct PersistentBuilder {
    builder: Builder,
    persistence: Box<dyn Persistence>,
    settings: Settings,
}

impl PersistentBuilder {
    /// When writes are acknowledged; [`Durability::EverySecond`], unless set.
    #[doc(alias = "appendfsync")]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// The size in bytes from which on the log is replaced by a snapshot, if it is also longer
    /// than the last one: 64 MiB, unless set. So the time that it takes to open the store is
    /// bounded. Each opening since the last snapshot counts as a megabyte at least, for its file.
    /// `u64::MAX` leaves snapshots to [`Store::snapshot`].
    ///
    /// Clients of a server may change it, and how much longer than the last snapshot the log may
    /// be: `CONFIG SET auto-aof-rewrite-min-size` and `auto-aof-rewrite-percentage`; and with
    /// `save` have snapshots be made at times.
    #[doc(alias = "auto-aof-rewrite-min-size")]
    pub fn rewrite_above(mut self, bytes: u64) -> Self {
        self.settings.rewrite_above = bytes;
        self
    }

    /// Whether threads that wait for a short sync together stay awake meanwhile; they do, unless
    /// set.
    ///
    /// Where three or more threads write at once with [`Durability::Always`], and the disk syncs in
    /// less than 0.4 ms, up to sixteen of them yield their processors until the sync is over
    /// instead of sleeping: to wake them all takes a third as long as a sync. Where nobody else
    /// wants the processors, eight write about a quarter more, for twice the processor time each.
    /// Once a yield shows that somebody does, all sleep for a while.
    ///
    /// Have them sleep where they have real-time priority, as they yield to no thread of lower
    /// priority then; and perhaps where processor time is rationed, or a single thread works all
    /// the time beside them. Whoever is about to sync still yields while the others come, for half
    /// a sync at most.
    ///
    /// ```
    /// # use larder::{Store, persist::{Durability, Memory}};
    /// let builder = Store::builder().persistence(Memory::new()).durability(Durability::Always);
    /// let store = builder.stay_awake(false).open()?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn stay_awake(mut self, stays: bool) -> Self {
        self.settings.stays_awake = stays;
        self
    }

    /// Hears now and then how far the opening has come, in bytes, and later every snapshot, in
    /// keys; in whatever thread is at it, which waits for the call. So what is called must not wait
    /// for another thread that takes a snapshot of the store, or closes it.
    ///
    /// It may use the store itself. A snapshot that it asks for while it hears of one is an error;
    /// if it closes the store then, or drops the last handle, the one under way is given up, and
    /// the persistence is let go of once the call has returned.
    ///
    /// ```
    /// # use larder::{Store, persist::Memory};
    /// let store = Store::builder()
    ///     .persistence(Memory::new())
    ///     .progress(|at| println!("{:?}: {} of {}", at.stage, at.done, at.total))
    ///     .open()?;
    /// store.snapshot()?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn progress(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.settings.observer = Some(Arc::new(observer));
        self
    }

    /// Opens the store: reads back what is kept, and keeps what is done from now on.
    ///
    /// If a crash had torn the end of the log, it is cut off; [`Store::recovery`] tells of it.
    ///
    /// `O(n)`. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// - [`Error::Corrupt`], with file and place, if something is damaged: nothing is guessed.
    ///   [`inspect`](persist::inspect) shows what there is, and
    ///   [`Directory::repair`](persist::Directory::repair) mends it. Or if it is sound and not
    ///   supported, as a command of Redis's that no store has;
    /// - [`Error::Io`] of the kind [`InvalidData`](std::io::ErrorKind::InvalidData) if a file is
    ///   missing, not as long as it was, or known to nobody: that is damage, too, and mended so;
    /// - of [`ResourceBusy`](std::io::ErrorKind::ResourceBusy) if it is open already, and of any
    ///   other if the persistence fails;
    /// - [`Error::TooFewDatabases`], if a database is used that the store is not to have.
    pub fn open(self) -> Result<Store> {
        let store = self.builder.build();
        let (keeper, recovery) = persist::open(self.persistence, &store.databases, self.settings)?;
        Ok(store.kept_by(keeper, recovery))
    }
}

impl fmt::Debug for PersistentBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersistentBuilder")
            .field("builder", &self.builder)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Store {
    pub(crate) fn kept_by(self, keeper: Keeper, recovery: Recovery) -> Self {
        Self { kept: Some(Arc::new(Kept { keeper, recovery })), ..self }
    }

    /// What keeps the store, if anything does.
    pub(crate) fn log(&self) -> Option<&Arc<Log>> {
        self.kept.as_ref().map(|kept| kept.keeper.log())
    }
}

/// Keeping. The last handle that is dropped closes the store, as [`close`](Self::close) does.
impl Store {
    /// Returns once everything that was done before is durable, whatever the store's
    /// [`Durability`]: no crash takes it any more. At once, if the store keeps nothing.
    ///
    /// Blocks while it writes and syncs.
    ///
    /// # Errors
    ///
    /// [`Error::Indeterminate`] if it is not known whether it is durable.
    ///
    /// ```
    /// # use larder::{Store, persist::Memory};
    /// let kept = Memory::new();
    /// let store = Store::builder().persistence(kept.clone()).open()?;
    /// store.kv().set("a", 1)?;
    /// store.sync()?;
    /// kept.crash();
    /// # drop(store);
    /// let store = Store::builder().persistence(kept).open()?;
    /// assert_eq!(store.kv().get_as::<i64>("a")?, Some(1));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "WAITAOF")]
    pub fn sync(&self) -> Result<()> {
        self.log().map_or(Ok(()), |log| log.sync())
    }

    /// Replaces all that is kept by a snapshot of now, which is quicker to read back than a log.
    /// It also happens by itself: see [`PersistentBuilder::rewrite_above`].
    ///
    /// `O(n)`. Blocks while it writes; waits for one that is under way first. Others are held up
    /// as by [`rdb::export`](crate::rdb::export).
    ///
    /// # Errors
    ///
    /// [`Error::Io`], if the persistence fails or the store has none, and [`Error::ReadOnly`] once
    /// the store was closed. What was kept before is still kept.
    ///
    /// ```
    /// # use larder::{Store, persist::Memory};
    /// let kept = Memory::new();
    /// let store = Store::builder().persistence(kept.clone()).open()?;
    /// for _ in 0..1000 {
    ///     store.kv().increment("visits", 1)?;
    /// }
    /// store.snapshot()?;
    /// drop(store);
    /// let store = Store::builder().persistence(kept).open()?;
    /// let recovery = store.recovery().unwrap();
    /// assert_eq!((recovery.snapshot_keys, recovery.commands), (1, 0));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BGREWRITEAOF")]
    #[doc(alias = "SAVE")]
    #[doc(alias = "BGSAVE")]
    pub fn snapshot(&self) -> Result<()> {
        match self.log() {
            Some(log) => log.rewrite(Occasion::Rewrite),
            None => Err(Error::Io {
                kind: std::io::ErrorKind::Unsupported,
                message: "the store has no persistence".to_owned(),
            }),
        }
    }

    /// Makes everything durable and lets go of the persistence. Later writes, by whatever handle,
    /// are refused; reading goes on.
    ///
    /// Blocks while it writes and syncs. It ends no call that waits for an element or an entry, and
    /// nobody can serve that any more: let workers wait with a timeout, and end them first, as the
    /// example `durable_queue` does. A snapshot that is under way is given up, unless the log is
    /// twice as long as it [may be](PersistentBuilder::rewrite_above): then it is waited for, or
    /// made. Dropping the last handle does the same, but tells nobody of an error; and clones,
    /// connections for redis-rs and servers are handles, too. Does nothing if the store keeps
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Indeterminate`] if it is not known whether everything is durable.
    ///
    /// ```
    /// # use larder::{Store, persist::Memory};
    /// let store = Store::builder().persistence(Memory::new()).open()?;
    /// store.kv().set("a", 1)?;
    /// store.close()?;
    /// assert!(store.kv().set("a", 2).is_err());
    /// assert_eq!(store.kv().get_as::<i64>("a")?, Some(1));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SHUTDOWN")]
    pub fn close(&self) -> Result<()> {
        self.log().map_or(Ok(()), |log| log.close())
    }

    /// What was found when the store was opened; `None` if it keeps nothing.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.kept.as_ref().map(|kept| &kept.recovery)
    }

    /// How far the log has grown, and whether it goes on; `None` if the store keeps nothing.
    ///
    /// ```
    /// # use larder::{Store, persist::Memory};
    /// let store = Store::builder().persistence(Memory::new()).open()?;
    /// store.kv().set("a", 1)?;
    /// store.sync()?;
    /// let stats = store.persistence_stats().unwrap();
    /// assert!(stats.log_bytes > 0);
    /// assert_eq!(stats.refusal, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "INFO persistence")]
    pub fn persistence_stats(&self) -> Option<PersistenceStats> {
        let log = self.log()?;
        let Report { sizes, under_way, refusal, .. } = log.report();
        Some(PersistenceStats {
            snapshot_bytes: sizes.base,
            log_bytes: sizes.log,
            snapshot_under_way: under_way.is_some(),
            refusal,
        })
    }
}
