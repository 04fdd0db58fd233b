//! A persistence in a folder, in the layout of Redis 7: `appendonlydir/` with a manifest, a base
//! and segments of the log.
//!
//! Invariants:
//! - the manifest, replaced by a rename, names all files of what is kept; a file is durable, and so
//!   is its name, before the manifest names it, and is deleted only once a durable manifest does
//!   not;
//! - what the manifest on the disk may name is consistent at any time, whichever of two versions of
//!   it a crash leaves;
//! - all segments but the current one are durable to their end, unless a sync failed: then later
//!   segments stay out of the manifest until a snapshot has replaced that one;
//! - the number of a base is used once, so a base is never overwritten.
//!
//! Locks, in this order: `table` (which files there are; held for a rotation and for the end of a
//! commit), `current` (the file that is appended to). Appending never waits for a snapshot.

pub(crate) mod files;
mod manifest;
mod opening;
mod repair;
#[cfg(test)]
pub(crate) mod simulation;
mod snapshot;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use self::files::{File, Files, Kind, Lock, System};
use self::manifest::{Listed, Manifest, check_number, segment_name};
pub use self::repair::{Cut, Repair};
use super::{Kept, Location, Persistence, Snapshot, Tail};
use crate::error::Result;
use crate::sync::{Arc, Mutex};

/// Keeps a store in a folder, in Redis's own files.
///
/// A server of Redis 7.0 or later that is started with `--dir PATH --appendonly yes` takes over
/// what is kept, and what it writes is read back. Redis's log has no checksums; what Larder writes
/// has, in lines that Redis takes for comments.
///
/// Fields of a hash have deadlines since Redis 7.4. An earlier server does not start on a directory
/// in which any has one, or had one since the last snapshot, and leaves it as it is; nor does one
/// of Valkey, which has another way to keep them, on a snapshot with such.
///
/// ```text
/// PATH/appendonlydir/appendonly.aof.manifest       which files there are
/// PATH/appendonlydir/appendonly.aof.2.base.rdb     the last snapshot
/// PATH/appendonlydir/appendonly.aof.5.incr.aof     what was logged since
/// PATH/appendonlydir/appendonly.aof.lock           keeps a second store away
/// ```
///
/// Two stores never have it open at once, in one process or in two. Redis knows nothing of the
/// lock, so a server is to be stopped before a store opens its directory, and the other way round.
/// A store whose folder is moved while it is open goes on writing to the log that it has, wherever
/// that is now, and begins no file in the place: snapshots are errors. So are they if the folder or
/// the lock's file is removed; once the log's file is, the next sync is one.
/// [`peek`](Self::peek) reads what a running server keeps, and a folder that may not be written to.
///
/// `PATH/dump.rdb` is not read, as no server with `appendonly yes` reads it: a folder that holds
/// nothing else opens empty. [`rdb::import`](crate::rdb::import) brings its keys.
///
/// The single `PATH/appendonly.aof` of Redis before 7.0 is moved there and read as the base. What
/// Redis has written has no checksums until the next snapshot is written; then damage is seen only
/// where it leaves no commands, or commands that fail.
///
/// After a crash let a store open it first, which cuts off a torn end. A server keeps the whole
/// commands of it, where a store keeps whole frames; refuses zeros; and may append to a torn
/// header, which it cannot read again. A store that opens the directory after that finds all that
/// the server has appended, and what it has appended to.
///
/// That somebody has removed the file that the log is written to, or put another in its place, is
/// an error of the next sync, which a snapshot makes good for. Before that sync, and with
/// [`Durability::Os`](super::Durability::Os) and [`Never`](super::Durability::Never), which do not
/// sync, nobody notices.
///
/// Files that are missing, linked or not named by the manifest are errors of
/// [`open`](Persistence::open), never guesses. What an opening cuts off a log that a crash has
/// torn, and what [`repair`](Self::repair) cuts off, is left in files whose names end in
/// `.broken`, which nobody reads again.
///
/// ```
/// use larder::persist::{Directory, Persistence};
///
/// # let folder = std::env::temp_dir().join(format!("larder-doc-{}", std::process::id()));
/// # let path = folder.as_path();
/// let directory = Directory::new(path);
/// assert!(directory.open()?.segments.is_empty());
/// assert_eq!(directory.rotate()?, 1);
/// directory.append(b"*1\r\n$4\r\nPING\r\n")?;
/// directory.sync()?;
///
/// assert!(Directory::new(path).open().is_err(), "it is open already");
/// drop(directory);
/// assert_eq!(Directory::new(path).open()?.segments.len(), 1);
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Directory {
    core: Arc<Core>,
}

impl Directory {
    /// In the folder `path`, which is created if it is missing; its parent must exist.
    ///
    /// Nothing is read or written before it is opened.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let path = if path.as_os_str().is_empty() { PathBuf::from(".") } else { path };
        // The current folder may be another one later.
        Self::on(Arc::new(System), std::path::absolute(&path).unwrap_or(path))
    }

    /// In a folder of another file system.
    pub(crate) fn on(files: Arc<dyn Files>, path: impl Into<PathBuf>) -> Self {
        let place = Place {
            parent: path.into(),
            folder: "appendonlydir".to_owned(),
            stem: "appendonly.aof".to_owned(),
        };
        Self {
            core: Arc::new(Core {
                files,
                place,
                table: Mutex::default(),
                current: Mutex::default(),
            }),
        }
    }

    /// How the names of all files begin, instead of with `appendonly.aof`: Redis's
    /// `appendfilename`.
    ///
    /// To be called before it is opened.
    #[must_use]
    pub fn file_name(self, name: impl Into<String>) -> Self {
        self.with(|place| place.stem = name.into())
    }

    /// The folder within the folder, instead of `appendonlydir`: Redis's `appenddirname`.
    ///
    /// To be called before it is opened.
    ///
    /// ```
    /// use larder::persist::{Directory, Persistence};
    ///
    /// # let folder = std::env::temp_dir().join(format!("larder-names-{}", std::process::id()));
    /// # let path = folder.as_path();
    /// let directory = Directory::new(path).folder_name("log").file_name("orders.aof");
    /// directory.open()?;
    /// directory.rotate()?;
    /// assert!(path.join("log/orders.aof.1.incr.aof").exists());
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn folder_name(self, name: impl Into<String>) -> Self {
        self.with(|place| place.folder = name.into())
    }

    /// The folder that was given, as an absolute path.
    pub fn path(&self) -> &Path {
        &self.core.place.parent
    }

    /// What is kept, read without taking possession of it: nothing is changed, and it may be open
    /// in another store or server, which goes on meanwhile. For [`inspect`](super::inspect) and
    /// [`rdb::import_kept`](crate::rdb::import_kept). The one file of Redis before 7.0 is found,
    /// too, in the folder that was given and by [`file_name`](Self::file_name).
    ///
    /// If another is writing at this moment, the last write may look torn.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Persistence::open), a missing manifest among them, and
    /// [`NotFound`](ErrorKind::NotFound) if nothing is kept there.
    ///
    /// ```
    /// use larder::Store;
    /// use larder::persist::Directory;
    ///
    /// # let folder = std::env::temp_dir().join(format!("larder-peek-{}", std::process::id()));
    /// # let path = &folder;
    /// let store = Store::builder().persistence(Directory::new(path)).open()?;
    /// store.kv().set("a", 1)?;
    /// store.sync()?;
    /// let kept = Directory::new(path).peek()?;
    /// assert_eq!(kept.segments.len(), 1);
    /// assert!(kept.length() > 0);
    /// # drop(store);
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peek(&self) -> io::Result<Kept> {
        self.core.peek()
    }

    /// Makes a directory that is refused as damaged one that can be opened, by cutting off
    /// everything from the first damage on. Nothing is deleted: what is cut off is left beside, in
    /// files whose names end in `.broken`. Never done by itself, as it loses what follows the
    /// damage; look at it with [`inspect`](super::inspect) first, and copy the directory.
    ///
    /// What is left is a prefix of what was written. A command that cannot have been done is
    /// damage, too, so all are run, which takes the memory of a store with this data. Blocks
    /// meanwhile.
    ///
    /// A crash while it is under way leaves a directory that holds the same prefix, or one that is
    /// still refused and can be repaired again.
    ///
    /// # Errors
    ///
    /// None of them has changed anything, but for an [`Error::Io`] of a write.
    ///
    /// - [`Error::Corrupt`] if the snapshot is damaged, or the log from its first byte on with no
    ///   snapshot before it: nothing could be kept; and, as from opening, if a command that no
    ///   store has comes before any damage: it is not supported, and nothing is cut off for it;
    /// - [`Error::Io`] of the kind [`InvalidData`](ErrorKind::InvalidData) if the manifest is
    ///   damaged or missing, or the snapshot is missing: which files count is known by the manifest
    ///   alone;
    /// - of [`ResourceBusy`](ErrorKind::ResourceBusy) if the directory is open, and of
    ///   [`NotFound`](ErrorKind::NotFound) if nothing is kept there;
    /// - of [`InvalidInput`](ErrorKind::InvalidInput) if there is nothing to repair. An end that
    ///   was torn by a crash is cut off by opening, and the one file of Redis before 7.0 is taken
    ///   over by it, before it can be repaired.
    ///
    /// [`Error::Io`]: crate::Error::Io
    /// [`Error::Corrupt`]: crate::Error::Corrupt
    ///
    /// ```
    /// use larder::Store;
    /// use larder::persist::Directory;
    ///
    /// # let folder = std::env::temp_dir().join(format!("larder-repair-{}", std::process::id()));
    /// # let path = &folder;
    /// let open = || Store::builder().persistence(Directory::new(path)).open();
    /// for value in [1, 2, 3] {
    ///     open()?.kv().set("a", value)?;
    /// }
    /// // A byte of the second segment changes.
    /// let file = path.join("appendonlydir/appendonly.aof.2.incr.aof");
    /// let mut bytes = std::fs::read(&file)?;
    /// *bytes.last_mut().unwrap() ^= 1;
    /// std::fs::write(&file, bytes)?;
    /// assert!(open().is_err());
    ///
    /// let repair = Directory::new(path).repair()?;
    /// assert_eq!(repair.damage.reason, "the checksum of a frame is wrong");
    /// assert_eq!(repair.cut.len(), 2);
    /// assert_eq!(open()?.kv().get_as::<i64>("a")?, Some(1));
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn repair(&self) -> Result<Repair> {
        self.core.repair()
    }

    fn with(self, change: impl FnOnce(&mut Place)) -> Self {
        let mut place = self.core.place.clone();
        change(&mut place);
        let files = self.core.files.clone();
        Self {
            core: Arc::new(Core {
                files,
                place,
                table: Mutex::default(),
                current: Mutex::default(),
            }),
        }
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Directory").field(&self.core.place.folder_path()).finish()
    }
}

impl Persistence for Directory {
    fn open(&self) -> io::Result<Kept> {
        self.core.open()
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut current = self.core.current.lock();
        current.check_sync()?;
        let number = current.number;
        let appended = current.file()?.append(bytes);
        appended.map_err(|error| self.core.place.of_segment(error, number))
    }

    fn sync(&self) -> io::Result<()> {
        let mut current = self.core.current.lock();
        current.check_sync()?;
        current.sync().map_err(|error| self.core.place.of_segment(error, current.number))
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        self.core.truncate(length, tail)
    }

    fn rotate(&self) -> io::Result<u64> {
        self.core.rotate()
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        snapshot::begin(&self.core)
    }

    fn location(&self) -> Option<Location> {
        let Place { parent, folder, stem } = self.core.place.clone();
        Some(Location { path: parent, folder, file_name: stem })
    }
}

/// What a directory shares with a snapshot that is being written.
struct Core {
    files: Arc<dyn Files>,
    place: Place,
    /// Nothing before it is opened.
    table: Mutex<Option<Table>>,
    current: Mutex<Current>,
}

/// Where the files are.
#[derive(Clone)]
struct Place {
    parent: PathBuf,
    folder: String,
    stem: String,
}

impl Place {
    fn folder_path(&self) -> PathBuf {
        self.parent.join(&self.folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder_path().join(name)
    }

    /// Where Redis before 7.0 kept its one file.
    fn single(&self) -> PathBuf {
        self.parent.join(&self.stem)
    }

    fn manifest_name(&self) -> String {
        format!("{}.manifest", self.stem)
    }

    fn temporary_name(&self, name: &str) -> String {
        format!("temp-{name}")
    }

    fn segment(&self, number: u64) -> PathBuf {
        self.file(&segment_name(&self.stem, number))
    }

    fn of_segment(&self, error: io::Error, number: u64) -> io::Error {
        of_path(error, &self.segment(number))
    }
}

/// Which files there are.
struct Table {
    manifest: Manifest,
    /// Segments that the manifest is not to name yet, because the sync of one before them failed.
    unlisted: Vec<Listed>,
    next_base: u64,
    snapshot_under_way: bool,
    lock: Box<dyn Lock>,
}

/// What is appended to.
#[derive(Default)]
struct Current {
    number: u64,
    file: Option<Box<dyn File>>,
    /// The segment whose sync has failed, until a snapshot has taken its place.
    failed: Option<u64>,
}

impl Current {
    fn file(&mut self) -> io::Result<&mut dyn File> {
        let none = || io::Error::new(ErrorKind::NotFound, "there is no segment yet");
        Ok(self.file.as_mut().ok_or_else(none)?.as_mut())
    }

    fn sync(&mut self) -> io::Result<()> {
        let synced = self.file()?.sync();
        if synced.is_err() {
            self.failed = Some(self.number);
        }
        synced
    }

    fn check_sync(&self) -> io::Result<()> {
        match self.failed {
            None => Ok(()),
            Some(number) => Err(io::Error::other(format!(
                "a sync of segment {number} failed: nothing is appended before a new segment and a \
                 snapshot after it"
            ))),
        }
    }
}

impl Table {
    /// An error if the path names another folder than the one that was opened: there may be
    /// another store in it.
    fn check_place(&self, place: &Place) -> io::Result<()> {
        let folder = place.folder_path();
        if self.lock.is_in_place().map_err(|error| of_path(error, &folder))? {
            return Ok(());
        }
        let text = "it is not the folder that was opened, or the file of its lock is gone: \
                    somebody has moved or removed it";
        Err(of_path(io::Error::new(ErrorKind::NotFound, text), &folder))
    }

    fn last_segment(&self) -> u64 {
        let last = self.unlisted.last().or(self.manifest.segments.last());
        last.map_or(0, |last| last.number)
    }
}

impl Core {
    fn rotate(&self) -> io::Result<u64> {
        let mut table = self.table.lock();
        let table = table.as_mut().ok_or_else(not_open)?;
        table.check_place(&self.place)?;
        let mut current = self.current.lock();
        if current.failed.is_none() && current.file.is_some() {
            current.sync().map_err(|error| self.place.of_segment(error, current.number))?;
        }
        let number = table.last_segment() + 1;
        check_number(number)?;
        let file = self.begin_segment(number)?;
        let begun = Listed { number, length: None };
        if current.failed.is_some() {
            // Nothing is appended to those either before they are in the manifest.
            table.unlisted.iter_mut().for_each(|ended| ended.length = Some(0));
            table.unlisted.push(begun);
        } else {
            let mut manifest = table.manifest.clone();
            if let Some(ended) = manifest.segments.last_mut() {
                ended.length = Some(self.length(&self.place.segment(ended.number))?);
            }
            manifest.segments.push(begun);
            if let Err(unsaved) = self.save(&manifest) {
                if unsaved.renamed {
                    // The manifest on the disk may name the new segment, so nothing may follow in
                    // the old one.
                    current.failed = Some(current.number);
                }
                return Err(unsaved.error);
            }
            table.manifest = manifest;
        }
        current.number = number;
        current.file = Some(file);
        Ok(number)
    }

    /// An empty file, durable, for a segment that has not been named by a manifest that counts.
    fn begin_segment(&self, number: u64) -> io::Result<Box<dyn File>> {
        let path = self.place.segment(number);
        let begun = (|| match self.files.kind(&path)? {
            None => self.files.create(&path),
            Some(Kind::File { length: 0 }) => self.files.open(&path),
            Some(Kind::File { .. }) => Err(io::Error::new(
                ErrorKind::InvalidData,
                "it holds something, and no manifest names it",
            )),
            Some(_) => Err(io::Error::new(ErrorKind::InvalidData, NO_FILE)),
        })();
        let file = begun.map_err(|error| of_path(error, &path))?;
        self.sync_folder()?;
        Ok(file)
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        let mut current = self.current.lock();
        let path = self.place.segment(current.number);
        let file = current.file()?;
        let has = file.length().map_err(|error| of_path(error, &path))?;
        if length > has {
            let error = io::Error::new(ErrorKind::InvalidInput, "the segment is shorter");
            return Err(of_path(error, &path));
        }
        if tail == Tail::Keep && length < has {
            self.set_aside(&path, length)?;
        }
        let cut = file.truncate(length).and_then(|()| file.sync());
        if cut.is_err() {
            current.failed = Some(current.number);
        }
        cut.map_err(|error| of_path(error, &path))
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        match self.files.kind(path).map_err(|error| of_path(error, path))? {
            Some(Kind::File { length }) => Ok(length),
            _ => Err(no_file(path)),
        }
    }

    /// Copies a file from `offset` to its end to a file of its own beside it, durably.
    fn set_aside(&self, path: &Path, offset: u64) -> io::Result<PathBuf> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let broken = self.free_name(&format!("{name}.broken"))?;
        let temporary = self.place.file(&self.place.temporary_name(&broken));
        self.remove_if_there(&temporary)?;
        let copied = (|| {
            let mut from = self.files.read(path, offset)?;
            let mut to = self.files.create(&temporary)?;
            let mut chunk = vec![0; 64 * 1024];
            loop {
                match from.read(&mut chunk)? {
                    0 => break,
                    read => to.append(&chunk[..read])?,
                }
            }
            to.sync()?;
            self.files.rename(&temporary, &self.place.file(&broken))
        })();
        copied.map_err(|error| of_path(error, &temporary))?;
        self.sync_folder()?;
        Ok(self.place.file(&broken))
    }

    /// The name itself, or the first of its continuations `.2`, `.3`, ... that nothing has yet.
    fn free_name(&self, name: &str) -> io::Result<String> {
        let mut free = name.to_owned();
        for number in 2_u64.. {
            if self.files.kind(&self.place.file(&free))?.is_none() {
                break;
            }
            free = format!("{name}.{number}");
        }
        Ok(free)
    }

    /// Makes the manifest durable and the one that counts.
    fn save(&self, manifest: &Manifest) -> Result<(), Unsaved> {
        let path = self.place.file(&self.place.manifest_name());
        let temporary = self.place.file(&self.place.temporary_name(&self.place.manifest_name()));
        let written = self.remove_if_there(&temporary).and_then(|()| {
            let mut file = self.files.create(&temporary)?;
            file.append(&manifest.encode(&self.place.stem))?;
            file.sync()
        });
        let unsaved = |error, renamed| Unsaved { error: of_path(error, &path), renamed };
        written.map_err(|error| unsaved(error, false))?;
        // Whether a rename that failed has happened is not known either.
        self.files.rename(&temporary, &path).map_err(|error| unsaved(error, true))?;
        self.sync_folder().map_err(|error| unsaved(error, true))
    }

    fn remove_if_there(&self, path: &Path) -> io::Result<()> {
        match self.files.remove(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn sync_folder(&self) -> io::Result<()> {
        let folder = self.place.folder_path();
        self.files.sync_folder(&folder).map_err(|error| of_path(error, &folder))
    }
}

/// A manifest that could not be saved.
struct Unsaved {
    error: io::Error,
    /// It may be the one on the disk all the same.
    renamed: bool,
}

fn of_path(error: io::Error, path: &Path) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

const NO_FILE: &str = "it is missing, a link, or no file";

fn no_file(path: &Path) -> io::Error {
    invalid(path, NO_FILE)
}

fn not_open() -> io::Error {
    io::Error::other("the directory has not been opened")
}

/// What is kept contradicts itself.
fn invalid(path: &Path, what: impl fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{}: {what}", path.display()))
}
