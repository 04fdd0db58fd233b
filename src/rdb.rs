//! RDB files: Redis's own snapshots, read into a store and written from one.
//!
//! [`import`] reads what Redis 2.4 to 8.8 and Valkey 7.2 to 9 save, in every encoding of the types
//! that a store has; [`export`] writes what Redis 7.0 and later and Valkey load. [`import_kept`]
//! reads a log, too: what a Redis with `appendonly yes` keeps, or another store.
//!
//! ```
//! use larder::{Store, rdb};
//!
//! let store = Store::new();
//! store.kv().set("greeting", "hello")?;
//! let mut file = Vec::new();
//! rdb::export(&store, &mut file)?;
//!
//! let other = Store::new();
//! let imported = rdb::import(&other, &file[..])?;
//! assert_eq!(imported.keys, 1);
//! assert_eq!(other.kv().get("greeting")?.unwrap(), "hello");
//! # Ok::<(), larder::Error>(())
//! ```
//!
//! What a file cannot hold: subscriptions, blocked calls, settings. What a store has no use for,
//! and an import passes over: libraries of functions, also in a log, data that modules keep beside
//! the keys or with them, how recently keys were used, what the producers of a stream have sent
//! already (Redis 8.6).
//!
//! What a store cannot hold is an error that names it: values of modules' own types, arrays and
//! entries of a stream that a consumer has given back (Redis 8.8), hashes with templates (8.10),
//! slots on their way from one node to another (Valkey 9.0), files of versions to come, and
//! commands of a log that no store has, such as `PFADD` or a module's own.

use std::io;

use crate::block::Block;
use crate::codec::load::{Loading, load};
use crate::codec::save::save;
use crate::error::{Error, Result};
use crate::keyspace::access::{Access, Extent, WriteMany, Writers};
use crate::keyspace::capture::Captured;
use crate::keyspace::{Databases, EventKind, Object, Shard, Writer};
use crate::persist::{self, Contents, Directory, Kept, Log, Progress, Stage, TornEnd};
use crate::store::Store;
use crate::sync::RwLock;

/// What an [`export`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Keys of all databases.
    pub keys: u64,
    /// The length of the file.
    pub bytes: u64,
}

/// What an [`import`] or [`import_kept`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Keys that are now in the store.
    pub keys: u64,
    /// Keys that were left as they were: see [`Existing::Keep`].
    pub kept: u64,
    /// Keys that had expired.
    pub expired: u64,
    /// Libraries of functions that were passed over; of a log, the commands about them.
    pub functions: u64,
    /// Commands of a log that were run.
    pub commands: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// The end of a log, if the file shows that a crash has torn it: it was left out. See
    /// [`Recovery::torn`](persist::Recovery::torn).
    pub torn: Option<TornEnd>,
}

/// What becomes of keys that are in the store already when an [`import`] brings them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// One of them makes the import fail, before it has changed anything.
    #[default]
    Refuse,
    /// They are replaced.
    Replace,
    /// They stay as they are.
    Keep,
}

/// Writes all databases of a store as an RDB file, as they are at one instant.
///
/// The file is of version 10, for Redis 7.0 and later, unless fields of a hash have deadlines:
/// then it is of version 12, for Redis 7.4 and later, which Valkey does not load. The writer needs
/// no buffer, and is flushed but not synced to a disk.
///
/// `O(n)`. Others are held up for the instant that it takes to lock every shard once, and then
/// shard by shard for adding one to a count for every key of it. Encoding and writing hold nobody
/// up; but while they last, the first change of a structure that is not a string copies it.
///
/// # Errors
///
/// [`Error::Io`], if the writer fails; it then holds a part of a file.
///
/// ```
/// # use larder::{Store, rdb};
/// let store = Store::new();
/// store.sorted_set("board").add("ada", 1.0)?;
/// let mut file = Vec::new();
/// assert_eq!(rdb::export(&store, &mut file)?.keys, 1);
/// assert!(file.starts_with(b"REDIS0010"));
/// # Ok::<(), larder::Error>(())
/// ```
#[doc(alias = "SAVE")]
#[doc(alias = "BGSAVE")]
pub fn export(store: &Store, writer: impl io::Write) -> Result<Exported> {
    export_with(store, writer, |_| ())
}

/// As [`export`]; `progress` is told now and then how many keys are done.
///
/// # Errors
///
/// As [`export`].
///
/// ```
/// # use larder::{Store, rdb};
/// let store = Store::new();
/// store.kv().set("a", 1)?;
/// rdb::export_with(&store, std::io::sink(), |progress| {
///     println!("{} of {} keys", progress.done, progress.total);
/// })?;
/// # Ok::<(), larder::Error>(())
/// ```
pub fn export_with(
    store: &Store,
    mut writer: impl io::Write,
    mut progress: impl FnMut(Progress),
) -> Result<Exported> {
    let databases = store.databases();
    let (capture, ()) = databases.capture(|| ());
    let (stage, total) = (Stage::Snapshot, capture.census().keys());
    let mut tell = |done| progress(Progress { stage, done, total });
    let bytes = save(&mut writer, databases, &capture, None, &mut tell)?;
    Ok(Exported { keys: total, bytes })
}

/// Reads an RDB file into a store; if one of its keys is there already, fails and changes
/// nothing. [`import_with`] replaces or keeps those.
///
/// # Errors
///
/// As [`import_with`].
///
/// ```no_run
/// # use larder::{Store, rdb};
/// let store = Store::new();
/// let file = std::fs::File::open("dump.rdb")?;
/// println!("{:?}", rdb::import(&store, file)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn import(store: &Store, reader: impl io::Read) -> Result<Imported> {
    import_with(store, reader, Existing::Refuse, |_| ())
}

/// Reads an RDB file into a store. `progress` is told now and then how many bytes are done.
///
/// The file is read and checked to its last byte beside the store, which is not held up. Then its
/// keys are put into the store's databases of the same numbers, all at one instant. Keys that have
/// expired are left out.
///
/// `O(n)`; takes the memory of the file's data twice until it returns. Blocks others while the keys
/// are put there. In a log an import is one frame, as it happens at one instant: a store that keeps
/// its data takes the memory of that frame twice more, until it is written. A
/// [`snapshot`](Store::snapshot) afterwards makes it quicker to open.
///
/// # Errors
///
/// None of them changes the store.
///
/// - [`Error::Corrupt`], with the place, if the file is damaged, is of a version to come, or has
///   what is not supported;
/// - [`Error::Io`] if the reader fails;
/// - [`Error::TooFewDatabases`] if the file has a database that the store has not;
/// - [`Error::KeyExists`] if a key is there already and that is refused.
///
/// ```
/// # use larder::{Store, rdb};
/// use larder::rdb::Existing;
///
/// let store = Store::new();
/// store.kv().set("a", "old")?;
/// let mut file = Vec::new();
/// rdb::export(&store, &mut file)?;
///
/// store.kv().set("a", "new")?;
/// assert!(rdb::import(&store, &file[..]).is_err());
/// let imported = rdb::import_with(&store, &file[..], Existing::Replace, |_| ())?;
/// assert_eq!((imported.keys, imported.bytes), (1, file.len() as u64));
/// assert_eq!(store.kv().get("a")?.unwrap(), "old");
/// # Ok::<(), larder::Error>(())
/// ```
pub fn import_with(
    store: &Store,
    mut reader: impl io::Read,
    existing: Existing,
    mut progress: impl FnMut(u64),
) -> Result<Imported> {
    let databases = store.databases();
    let fresh = databases.beside();
    let Loading { functions, bytes, .. } = load(&mut reader, &fresh, &mut progress)?;
    let put = put_all(store, &fresh, existing)?;
    Ok(Imported { functions, bytes, ..put })
}

/// Reads into a store what another has kept, or a Redis with `appendonly yes`: a snapshot and the
/// log after it. If one of its keys is there already, fails and changes nothing.
///
/// Nothing of what is kept is changed, and the store goes on keeping its data where it did, if
/// anywhere. To open a directory as the store's own, see
/// [`Builder::persistence`](crate::Builder::persistence).
///
/// # Errors
///
/// As [`import_kept_with`].
///
/// ```
/// use larder::persist::{Directory, Kept, Source};
/// use larder::{Store, rdb};
///
/// # let folder = std::env::temp_dir().join(format!("larder-import-{}", std::process::id()));
/// # let path = &folder;
/// # {
/// #     let store = Store::builder().persistence(Directory::new(path)).open()?;
/// #     store.kv().set("greeting", "hello")?;
/// # }
/// let store = Store::new();
/// let imported = rdb::import_kept(&store, Directory::new(path).peek()?)?;
/// assert_eq!((imported.keys, imported.commands), (1, 2));
/// assert_eq!(store.kv().get("greeting")?.unwrap(), "hello");
///
/// // The one file that Redis kept before 7.0, or any commands as clients send them.
/// let file = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n".as_bytes();
/// let (reader, length, name) = (Box::new(file), file.len() as u64, "appendonly.aof".into());
/// let snapshot = Some(Source { reader, length, name });
/// rdb::import_kept(&store, Kept { snapshot, segments: Vec::new() })?;
/// assert_eq!(store.kv().get_as::<i64>("a")?, Some(1));
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "AOF")]
pub fn import_kept(store: &Store, kept: Kept) -> Result<Imported> {
    import_kept_with(store, kept, Existing::Refuse, |_| ())
}

/// As [`import_kept`], with a choice of what becomes of keys that are there already; `progress` is
/// told now and then how far it has come.
///
/// The log is run beside the store, which is not held up, and then as for [`import_with`]. An end
/// that a crash has torn is left out, and told in [`Imported::torn`].
///
/// # Errors
///
/// None of them changes the store.
///
/// - [`Error::Corrupt`], with file and place, if something is damaged: nothing is guessed; or is
///   not supported;
/// - [`Error::Io`] if a reader fails;
/// - [`Error::TooFewDatabases`] if a database is used in it that the store has not;
/// - [`Error::KeyExists`] if a key is there already and that is refused.
///
/// ```
/// use larder::persist::{Memory, Persistence};
/// use larder::{Store, rdb};
///
/// let kept = Memory::new();
/// let store = Store::builder().persistence(kept.clone()).open()?;
/// store.kv().set("a", 1)?;
/// store.close()?;
///
/// let other = Store::new();
/// other.kv().set("a", 2)?;
/// let imported = rdb::import_kept_with(&other, kept.open()?, rdb::Existing::Keep, |progress| {
///     println!("{} of {} bytes", progress.done, progress.total);
/// })?;
/// assert_eq!((imported.keys, imported.kept), (0, 1));
/// # Ok::<(), larder::Error>(())
/// ```
pub fn import_kept_with(
    store: &Store,
    kept: Kept,
    existing: Existing,
    mut progress: impl FnMut(Progress),
) -> Result<Imported> {
    let fresh = store.databases().beside();
    let (stage, total) = (Stage::Loading, kept.length());
    let mut tell = |done| progress(Progress { stage, done, total });
    let contents = persist::load(kept, &fresh, &mut tell)?;
    let put = put_all(store, &fresh, existing)?;
    let Contents { loading, commands, bytes, torn, .. } = contents;
    Ok(Imported { functions: loading.functions, commands, bytes, torn, ..put })
}

/// Writes all data as a file and reads it back, at one instant: as Redis tests that what it saves
/// is what it has. Keys that have expired are gone then, and whoever watches a key sees a change.
///
/// `O(n)`; takes the memory of the data three times. Blocks all others.
///
/// # Errors
///
/// [`Error::Corrupt`] if it cannot be read back, and those of any write. Nothing has changed then.
#[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
pub(crate) fn reload(store: &Store) -> Result<()> {
    let databases = store.databases();
    WriteMany::enter(store.space(), Extent::Everything, |mut writers| {
        let mut file = Vec::new();
        save(&mut file, databases, &writers.capture(), None, &mut |_| ())?;
        let fresh = databases.beside();
        load(&mut &file[..], &fresh, &mut |_| ())?;
        replace_all(&mut writers, &fresh)
    })
}

/// Reads back what the store's log keeps in a directory, at one instant: as Redis tests that what
/// it has logged is what it has. As [`reload`].
///
/// # Errors
///
/// [`Error::Corrupt`] and [`Error::Io`] if it cannot be read back, and those of any write. Nothing
/// has changed then.
#[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
pub(crate) fn reload_log(store: &Store, log: &Log, directory: &Directory) -> Result<()> {
    log.at_rest(store.databases(), |locked| {
        let fresh = store.databases().beside();
        persist::load(directory.peek()?, &fresh, &mut |_| ())?;
        let replace = |mut writers: Writers<'_>| replace_all(&mut writers, &fresh);
        WriteMany::within(locked, 0, Extent::Everything, replace)
    })
}

/// Puts all that databases beside the store's hold and that has not expired in the place of all
/// that the store holds.
fn replace_all(writers: &mut Writers<'_>, fresh: &Databases) -> Result<()> {
    for database in 0..fresh.count() {
        writers.in_database(database).clear();
    }
    for (database, entries) in take_all(fresh).0 {
        let mut writers = writers.in_database(database);
        for (block, object) in entries {
            put(&mut writers.writer(block.key())?, &block, object);
        }
    }
    Ok(())
}

/// Takes all entries out of databases that nobody else uses; answers how many had expired, which
/// are left out.
fn take_all(fresh: &Databases) -> (Vec<(u16, Vec<Captured>)>, u64) {
    let now = fresh.clock.now();
    let mut expired = 0;
    let take = |(database, shard): (u16, &RwLock<Shard>)| {
        let mut entries = shard.write().take_entries();
        let before = entries.len();
        entries.retain(|(block, _)| block.deadline().is_none_or(|deadline| deadline > now));
        expired += (before - entries.len()) as u64;
        (database, entries)
    };
    let shards = fresh.shards().map(take).collect();
    (shards, expired)
}

/// Puts an entry under its key.
fn put(writer: &mut Writer<'_>, block: &Block, object: Option<Object>) {
    match object {
        Some(object) => writer.put_object(object, block.deadline()),
        None => writer.set_string(block.value(), block.deadline()),
    }
}

/// Puts all that databases beside the store's hold and that has not expired into the store;
/// answers how many keys became what.
fn put_all(store: &Store, fresh: &Databases, existing: Existing) -> Result<Imported> {
    let (shards, expired) = take_all(fresh);
    let mut imported = Imported { expired, ..Imported::default() };
    for (database, entries) in &shards {
        if let Some((block, _)) = entries.first() {
            // Of all: the keys of one shard have one shard in the store too.
            store.databases().make_room(*database, block.key());
        }
    }
    WriteMany::enter(store.space(), Extent::Everything, |mut writers| {
        if existing == Existing::Refuse {
            for (database, entries) in &shards {
                let writers = writers.in_database(*database);
                for (block, _) in entries {
                    if writers.view(block.key())?.exists() {
                        return Err(Error::KeyExists(block.key().into()));
                    }
                }
            }
        }
        for (database, entries) in shards {
            let mut writers = writers.in_database(database);
            for (block, object) in entries {
                let mut writer = writers.writer(block.key())?;
                if existing == Existing::Keep && writer.view().exists() {
                    imported.kept += 1;
                    continue;
                }
                put(&mut writer, &block, object);
                writer.notify(EventKind::Restored);
                imported.keys += 1;
            }
        }
        Ok(imported)
    })
}
