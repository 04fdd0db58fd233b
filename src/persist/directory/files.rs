//! The file system as [`Directory`](super::Directory) uses it, so that a simulated one can take its
//! place.
//!
//! What a crash may take: of a file, whatever was not synced; of a folder, any name that was made,
//! changed or removed since the folder was synced. A rename happens as a whole or not at all.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File {
        length: u64,
    },
    Folder,
    /// A symbolic link, or something rarer.
    Other,
}

/// A lock on a file, which is held until it is dropped.
pub(crate) trait Lock: Send + Sync {
    /// Whether the path by which it was taken names that file still.
    fn is_in_place(&self) -> io::Result<bool>;
}

/// A file system.
pub(crate) trait Files: Send + Sync {
    /// What a path names; `None` if nothing.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>>;

    /// The names in a folder, but for those that are not UTF-8, which are nobody's here.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Creates a file, which must not exist.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Opens a file to append to it.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// Reads a file from an offset to its end.
    fn read(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>>;

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// Locks a file, which is created if it is missing; `None` if somebody else holds the lock.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
}

/// A file that is open for appending.
pub(crate) trait File: Send + Sync {
    /// Appends all bytes; after an error, any number of them.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes and their number durable. An error if nobody will find them, as the file was
    /// removed.
    fn sync(&mut self) -> io::Result<()>;

    fn length(&self) -> io::Result<u64>;

    /// Cuts the file to a length.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

/// The file system of the machine.
#[derive(Debug)]
pub(crate) struct System;

impl Files for System {
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let found = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found?,
        };
        Ok(Some(match found.file_type() {
            kind if kind.is_file() => Kind::File { length: found.len() },
            kind if kind.is_dir() => Kind::Folder,
            _ => Kind::Other,
        }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        names.filter_map(io::Result::transpose).collect()
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        SystemFile::open(OpenOptions::new().append(true).create_new(true), path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        SystemFile::open(OpenOptions::new().append(true), path)
    }

    fn read(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = fs::File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        // Elsewhere a folder cannot be opened, and names are durable when the call returns.
        if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(SystemLock { file, path: path.to_owned() }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A file that is locked, and where it was.
struct SystemLock {
    #[cfg_attr(not(unix), expect(dead_code, reason = "the lock lasts as long as it is open"))]
    file: fs::File,
    path: PathBuf,
}

impl Lock for SystemLock {
    #[cfg(unix)]
    fn is_in_place(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;

        let id = |file: fs::Metadata| (file.dev(), file.ino());
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            named => Ok(id(named?) == id(self.file.metadata()?)),
        }
    }

    /// Elsewhere nothing tells two files apart; but nobody can move a folder with an open file.
    #[cfg(not(unix))]
    fn is_in_place(&self) -> io::Result<bool> {
        self.path.try_exists()
    }
}

/// A file that is open for appending, and where it is.
struct SystemFile {
    file: fs::File,
    path: PathBuf,
    /// Whether the system has told that the file has a name; not every one does.
    was_named: bool,
}

impl SystemFile {
    fn open(options: &OpenOptions, path: &Path) -> io::Result<Box<dyn File>> {
        let file = options.open(path)?;
        let was_named = is_named(&file)?;
        Ok(Box::new(Self { file, path: path.to_owned(), was_named }))
    }
}

/// Whether an open file is in any folder still.
#[cfg(unix)]
fn is_named(file: &fs::File) -> io::Result<bool> {
    Ok(std::os::unix::fs::MetadataExt::nlink(&file.metadata()?) > 0)
}

/// Elsewhere nobody can remove a file that is open.
#[cfg(not(unix))]
fn is_named(_file: &fs::File) -> io::Result<bool> {
    Ok(true)
}

impl File for SystemFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.was_named && !is_named(&self.file)? {
            return Err(io::Error::new(ErrorKind::NotFound, "somebody has removed the file"));
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        // Windows lets nobody cut a file by a handle that only appends; elsewhere the path may name
        // another file by now.
        match cfg!(windows) {
            true => OpenOptions::new().write(true).open(&self.path)?.set_len(length),
            false => self.file.set_len(length),
        }
    }
}
