//! Keeping what a store holds: a snapshot and a log, wherever a caller plugs them in.
//!
//! ```
//! use larder::Store;
//! use larder::persist::{Directory, Durability};
//!
//! # let folder = std::env::temp_dir().join(format!("larder-persist-{}", std::process::id()));
//! # let path = &folder;
//! let open = || {
//!     Store::builder()
//!         .persistence(Directory::new(path))
//!         .durability(Durability::Always)
//!         .progress(|progress| eprintln!("{progress:?}"))
//!         .open()
//! };
//! open()?.list("orders").push_back("bread")?;
//!
//! let store = open()?;
//! assert_eq!(store.list("orders").len()?, 1);
//! assert_eq!(store.recovery().unwrap().torn, None);
//! # drop(store);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`Directory`] keeps it in a folder, in Redis's own files;
//! - [`Memory`] keeps it in memory, crashes and fails when it is told to: for tests;
//! - any other place is an implementation of [`Persistence`], for whose tests there is
//!   [`check_promises`]. The example `persist_in_redb` keeps a store in an embedded database.
//!
//! [`inspect`] looks at what is kept; [`Directory::repair`] mends it;
//! [`rdb::import_kept`](crate::rdb::import_kept) reads it into another store.
//!
//! # Snapshot and log
//!
//! A *snapshot* is a whole state, quick to read back and slow to write. The *log* is what changed
//! since, quick to write and slow to read back. All that is done is logged, as what came of it: a
//! random choice, a time, a float is logged as what it turned out to be. When the log has grown
//! longer than the last snapshot, and than
//! [`rewrite_above`](crate::PersistentBuilder::rewrite_above), a new snapshot takes the place of
//! both, in the background, so the time that an opening takes is bounded by the data.
//! [`Store::snapshot`](crate::Store::snapshot) does it at once. Writers go on meanwhile.
//!
//! [`Durability`] says how much of the log a crash can take. Whatever it takes, the rest is a
//! prefix: everything up to some instant, nothing of what came after, and no part of a batch or of
//! a transaction without the rest of it.
//!
//! # Damage is seen
//!
//! The log is written in frames with checksums, each of which also says which frame came before and
//! how much was durable by then. So an opening tells three ends of a log apart: whole; *torn*, as a
//! crash leaves a write that was not durable yet, which is cut off, set aside, and told by
//! [`Store::recovery`](crate::Store::recovery); and *damaged*, which is
//! [`Error::Corrupt`](crate::Error::Corrupt) with file and place, or
//! [`Error::Io`](crate::Error::Io) of the kind `InvalidData` if a file is missing or not as long as
//! it was. Nothing damaged is loaded. Snapshots have a checksum over the whole. [`inspect`] shows
//! what there is, and [`Directory::repair`] cuts off what is damaged and all behind it.
//!
//! Damage is:
//! - any bit that has changed, in a snapshot or in a frame; only a frame that holds 512 zeros in a
//!   row, and that no later one says was durable, may pass for torn then, and the last frame of a
//!   segment for one that a server has gone on from, if the length of a value has changed so that
//!   it leads to what a server would write within that value;
//! - any loss, zeros included, in front of a frame which says that it was durable;
//! - any loss at the end of a segment that another follows, and a segment that is missing.
//!
//! A server of Redis has no frames, and takes a torn end in another way: it keeps the whole
//! commands of it, and appends to them. What it has made of a directory is read as the server reads
//! it, what it has acknowledged is there; but no checksum covers those commands, until the next
//! snapshot.
//!
//! # What is sound and not supported
//!
//! Redis may have logged commands that no store has. Those about libraries of functions
//! (`FUNCTION LOAD`) are passed over, as such libraries are in a snapshot of Redis's; the next
//! snapshot of the store is without them. Any other (`PFADD`) is an
//! [`Error::Corrupt`](crate::Error::Corrupt) with its name, file and place that says that it is not
//! supported. It is no damage: [`inspect`] tells it apart, and [`Directory::repair`] cuts nothing
//! off for it. No checksum covers a name that Redis has written, so one in which a bit has changed
//! looks the same.
//!
//! # What no opening can see
//!
//! That the end of the *last* segment is gone, if something else than a crash took it: a file
//! system that lost it, a copy that ended early, a person. Where the cut goes through a frame, the
//! end is told as torn; where it lies between two frames, or at the very beginning, the log is
//! whole, only shorter. Both are what a crash leaves that took what was not synced, and the bytes
//! that would say otherwise are those that are gone. What is left is a prefix, as after a crash.
//!
//! # When writing fails
//!
//! If the log cannot be written, as the disk is full, the store goes on reading, and refuses writes
//! with [`Error::ReadOnly`](crate::Error::ReadOnly) and the reason. What was done but not written
//! is kept in memory and tried again, until it succeeds; then writes go on by themselves. A store
//! is not opened on a full disk, as that begins a segment; [`Directory::peek`] needs no room.
//!
//! If a sync fails, nobody knows what of the file is durable, and asking again would not tell: the
//! system may have dropped what it could not write. So that segment is given up: writes are refused
//! until a new segment *and* a snapshot of all are durable, which is tried again and again.
//!
//! Whoever was waiting for an acknowledgement meanwhile gets
//! [`Error::Indeterminate`](crate::Error::Indeterminate): it was done, and everybody sees it, but
//! it may be gone after the next start.
//!
//! # The life of an implementation
//!
//! An implementation keeps at most one snapshot, and after it the *segments* of a log. A segment is
//! a row of bytes that grows at its end. What the bytes mean is no business of an implementation:
//! checksums, frames and recovery sit above the trait, so every implementation has them.
//!
//! 1. [`open`](Persistence::open), once and first. Larder reads the snapshot and then the segments,
//!    in order. If the end of the last segment was torn by a crash, it calls
//!    [`truncate`](Persistence::truncate).
//! 2. [`rotate`](Persistence::rotate), before the first byte is appended.
//! 3. [`append`](Persistence::append) and [`sync`](Persistence::sync), for as long as the store
//!    lives, and now and then `rotate` followed by [`snapshot`](Persistence::snapshot), so that the
//!    log does not grow without end.
//!
//! One thread at a time calls `append`, `sync`, `truncate` and `rotate`. Another may write and
//! commit a snapshot meanwhile; there is one at a time.
//!
//! # What a crash may take
//!
//! A crash of the process takes nothing that `append` has returned for. A crash of the machine may
//! take anything that was appended since the last `sync` that returned `Ok`: all, nothing, or some
//! of it, in any order, with zeros in the place of what is missing. It takes nothing else: not what
//! was synced, not a rotation, a truncation or a commit that returned `Ok`. A call that was under
//! way has happened or has not.

pub(crate) mod directory;
#[cfg(test)]
#[path = "../../tests/common/disk.rs"]
pub(crate) mod disk;
mod frame;
mod inspect;
mod load;
mod log;
mod memory;
mod promises;
mod reading;
mod replay;
mod segment;
mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::PathBuf;

#[cfg(test)]
use crate::persist;
pub use directory::{Cut, Directory, Repair};
pub use inspect::{Frame, InspectedFile, InspectedRdb, Inspection, inspect};
pub(crate) use load::{Contents, load};
#[cfg_attr(not(feature = "session"), allow(unused_imports, reason = "clients are a feature"))]
pub(crate) use log::{Growth, SavePoint};
pub(crate) use log::{Keeper, Log, Occasion, Report, open};
pub use memory::{Fault, Memory};
pub use promises::check_promises;
pub use reading::{Damage, Unsupported};
pub(crate) use settings::Settings;
pub use settings::{Durability, Progress, Recovery, Stage, TornEnd};

/// Keeps a snapshot and a log.
///
/// The [module](self) says in which order the methods are called, and what a crash may take.
///
/// All methods answer a [`std::io::Result`]. An error of any reaches whoever called the store, with
/// its text.
///
/// A method may use the store that it keeps, but not wait for what it keeps of it, as that would be
/// to wait for itself: to sync, close or take a snapshot is an error there, and a write that is
/// acknowledged once it is kept is [`Error::Indeterminate`](crate::Error::Indeterminate).
pub trait Persistence: Send + Sync {
    /// Takes possession of what is kept, and answers it. Called once, before anything else.
    ///
    /// Two stores must never have the same data open: whoever comes second gets an error, of
    /// [`ResourceBusy`](io::ErrorKind::ResourceBusy). Possession ends when the implementation is
    /// dropped.
    ///
    /// What is missing or contradicts itself is an error, of
    /// [`InvalidData`](io::ErrorKind::InvalidData): an implementation does not guess. A snapshot
    /// that was not committed is not there.
    fn open(&self) -> io::Result<Kept>;

    /// Appends bytes to the current segment, which is the last one. After `Ok` they survive a crash
    /// of the process.
    ///
    /// After an error, any number of the bytes may have been appended. Larder then cuts the segment
    /// back before it appends again.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Makes everything durable that was appended.
    ///
    /// After an error nobody knows what of it is, and asking again would not tell. So the segment
    /// is lost to further use: `append` and `sync` fail until a new segment was begun *and* a
    /// snapshot was committed that was begun after it.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the current segment to a length, durably. `length` is not above the length that the
    /// segment has.
    ///
    /// After an error the segment may be lost to further use, as after one of
    /// [`sync`](Self::sync). If it is, the next `sync` fails; if that succeeds, `truncate` is tried
    /// again.
    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()>;

    /// Ends the current segment and begins an empty one, which becomes the current; answers its
    /// number. Numbers ascend by one; the first is above zero.
    ///
    /// The new segment and all that was appended to the old one are durable on return. After an
    /// error the old segment is the current one, and may be lost to further use, as after one of
    /// [`truncate`](Self::truncate).
    ///
    /// If a [`sync`](Self::sync) has failed, or a [`truncate`](Self::truncate) that has cost the
    /// segment, the old segment cannot be made durable. Then the new one begins all the same, and
    /// [`open`](Self::open) does not answer it before a snapshot was committed that replaces the
    /// old one.
    fn rotate(&self) -> io::Result<u64>;

    /// Begins a snapshot that takes the place of the last snapshot and of all segments before the
    /// current one, once it is committed. Later rotations do not change which segments these are.
    ///
    /// It is not called while another is being written.
    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>>;

    /// Where the files are, if what is kept is in the files that Redis would make of it: for those
    /// who ask a server for its configuration.
    fn location(&self) -> Option<Location> {
        None
    }
}

/// Where files in Redis's layout are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The folder that a server would be started with.
    #[doc(alias = "dir")]
    pub path: PathBuf,
    /// The folder within it.
    #[doc(alias = "appenddirname")]
    pub folder: String,
    /// How the names of the files begin.
    #[doc(alias = "appendfilename")]
    pub file_name: String,
}

/// A snapshot that is being written, in pieces of about 64 KiB. Dropped without
/// [`commit`](Self::commit), it never was.
pub trait Snapshot: io::Write + Send {
    /// Makes the snapshot durable and current, in one step that happens as a whole or not at all;
    /// only then is what it replaces deleted.
    ///
    /// Answers a [`std::io::Result`]. After an error either may be what the next
    /// [`open`](Persistence::open) finds, in full.
    fn commit(self: Box<Self>) -> io::Result<()>;
}

/// What becomes of the bytes that [`Persistence::truncate`] cuts off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// They are forgotten: the store that wrote them still has them.
    Drop,
    /// They are set aside for a person to look at, if there is a place to set them.
    Keep,
}

/// What [`Persistence::open`] found.
#[derive(Debug, Default)]
pub struct Kept {
    /// The last snapshot that was committed. Larder commits none without bytes: to find one is
    /// damage.
    pub snapshot: Option<Source>,
    /// The segments that followed it, oldest first. Their numbers ascend by one.
    pub segments: Vec<Segment>,
}

impl Kept {
    /// How many bytes there are, of the snapshot and of all segments.
    pub fn length(&self) -> u64 {
        let segments = self.segments.iter().map(|segment| segment.source.length);
        segments.chain(self.snapshot.as_ref().map(|snapshot| snapshot.length)).sum()
    }
}

/// A segment of the log, as it was found.
#[derive(Debug)]
pub struct Segment {
    /// Its number, by which its bytes know that they belong to it.
    pub number: u64,
    /// Its bytes.
    pub source: Source,
}

/// Bytes to be read from their beginning to their end.
pub struct Source {
    /// The bytes.
    pub reader: Box<dyn io::Read + Send>,
    /// How many there are.
    pub length: u64,
    /// What to call them in a message: the name of a file, for instance.
    pub name: String,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, length, .. } = self;
        write!(f, "{name} ({length} bytes)")
    }
}
