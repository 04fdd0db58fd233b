//! RDB files: Redis's own snapshots, read into a store and written from one.
//!
//! [`import`] reads what Redis 2.4 to 8 and Valkey 7.2 to 9 save, in every encoding; [`export`]
//! writes what Redis 7.0 and later and Valkey load.
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
//! and an import passes over: libraries of functions, data that modules keep beside the keys, how
//! recently keys were used. Values of modules' own types are an error.

use std::io;

use crate::block::Block;
use crate::codec::file::{FileReader, FileWriter, Head};
use crate::codec::load::{Expired, load_entries};
use crate::codec::{Content, Times, Version};
use crate::error::{Error, Result};
use crate::keyspace::access::{Access, Extent, ReadMany, WriteMany};
use crate::keyspace::{Databases, EventKind, Object, Shard};
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

/// What an [`import`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Keys that are now in the store.
    pub keys: u64,
    /// Keys that were left as they were: see [`Existing::Keep`].
    pub kept: u64,
    /// Keys of the file that had expired.
    pub expired: u64,
    /// Libraries of functions that were passed over.
    pub functions: u64,
    /// The length of the file.
    pub bytes: u64,
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
/// then it is of version 12, for Redis 7.4 and later. The writer needs no buffer, and is flushed
/// but not synced to a disk.
///
/// `O(n)`. The store is readable all the while, and not writable for the time that it takes to
/// add one to a count for every key and to copy the small structures; encoding and writing hold
/// nobody up.
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
pub fn export(store: &Store, mut writer: impl io::Write) -> Result<Exported> {
    let databases = store.databases();
    let (entries, memory) = capture(store)?;
    let is_dated =
        |entry: &Entry| entry.object.as_ref().is_some_and(|o| o.earliest_deadline().is_some());
    let head = Head {
        version: if entries.iter().any(is_dated) { Version::Twelve } else { Version::Ten },
        times: times(databases),
        created: databases.clock.wall() / 1000,
        memory,
        is_log_base: false,
    };
    let mut file = FileWriter::begin(&mut writer, head)?;
    for database in entries.chunk_by(|one, other| one.database == other.database) {
        let dated = database.iter().filter(|entry| entry.block.deadline().is_some()).count();
        file.announce(database[0].database, database.len() as u64, dated as u64);
        for Entry { database, block, object } in database {
            let content = match object {
                Some(object) => Content::Object(object),
                None => Content::String(block.value()),
            };
            file.entry(*database, block.key(), block.deadline(), content)?;
        }
    }
    Ok(Exported { keys: entries.len() as u64, bytes: file.finish()? })
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
/// are put there.
///
/// # Errors
///
/// None of them changes the store.
///
/// - [`Error::Corrupt`], with the place, if the file is damaged, is of a version to come, or has
///   what is not supported;
/// - [`Error::Io`] if the reader fails;
/// - [`Error::NoSuchDatabase`] if the file has a database that the store has not;
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
    let mut file = FileReader::open(&mut reader, times(databases))?;
    let loading = load_entries(&mut file, &fresh, Expired::Drop, &mut progress)?;
    file.expect_end()?;
    progress(loading.bytes);
    let kept = put_all(store, &fresh, existing)?;
    Ok(Imported {
        keys: loading.keys - kept,
        kept,
        expired: loading.expired,
        functions: loading.functions,
        bytes: loading.bytes,
    })
}

/// One entry at the instant of a capture; the block holds key, deadline and a string's value.
struct Entry {
    database: u16,
    block: Block,
    object: Option<Object>,
}

/// All entries at one instant, database by database, and the bytes that they take.
fn capture(store: &Store) -> Result<(Vec<Entry>, u64)> {
    ReadMany::enter(store.space(), Extent::Everything, |views| {
        let mut entries = Vec::new();
        let mut memory = 0;
        for (database, shard) in views.all_shards() {
            memory += shard.bytes() as u64;
            let copies = shard.copies();
            entries.extend(copies.map(|(block, object)| Entry { database, block, object }));
        }
        Ok((entries, memory))
    })
}

/// Puts all that databases beside the store's hold into the store; answers how many keys were
/// kept instead.
fn put_all(store: &Store, fresh: &Databases, existing: Existing) -> Result<u64> {
    let take = |(database, shard): (u16, &RwLock<Shard>)| (database, shard.write().take_entries());
    let shards: Vec<_> = fresh.shards().map(take).collect();
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
                        return Err(Error::KeyExists);
                    }
                }
            }
        }
        let mut kept = 0;
        for (database, entries) in shards {
            let mut writers = writers.in_database(database);
            for (block, object) in entries {
                let mut writer = writers.writer(block.key())?;
                if existing == Existing::Keep && writer.view().exists() {
                    kept += 1;
                    continue;
                }
                match object {
                    Some(object) => writer.put_object(object, block.deadline()),
                    None => writer.set_string(block.value(), block.deadline()),
                }
                writer.notify(EventKind::Restored);
            }
        }
        Ok(kept)
    })
}

fn times(databases: &Databases) -> Times {
    Times { wall_offset: databases.wall_offset() }
}
