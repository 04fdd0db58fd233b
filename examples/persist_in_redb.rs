//! A store that keeps its data in an embedded database: [`Persistence`] implemented on redb.
//!
//! What is kept is rows of bytes, at most one snapshot and the segments of a log. Frames, checksums
//! and recovery are Larder's, above this. A process that is killed must lose nothing that `append`
//! has returned for, and a transaction of redb survives that only if it is durable; so each append
//! is a durable transaction, and `sync` has nothing left to do. One append is all that the store's
//! writers have done since the last.
//!
//! Run: `cargo run --example persist_in_redb`

use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use larder::Store;
use larder::persist::{self, Durability, Kept, Persistence, Segment, Snapshot, Source, Tail};
use redb::{
    Database, ReadableDatabase, ReadableTable, TableDefinition, TableHandle, WriteTransaction,
};

/// Bytes by the number of what they are a part of, and by their place in it. What has no bytes has
/// one row without any.
type Rows = TableDefinition<'static, (u64, u64), &'static [u8]>;

const SEGMENTS: Rows = TableDefinition::new("segment");
const SNAPSHOTS: Rows = TableDefinition::new("snapshot");
/// What was cut off, by segment and place.
const BROKEN: Rows = TableDefinition::new("broken");
/// The number of the snapshot that counts.
const COMMITTED: TableDefinition<(), u64> = TableDefinition::new("committed");

/// A persistence in one file.
struct Redb {
    path: PathBuf,
    /// Once it was opened. The file is locked for as long.
    database: OnceLock<Arc<Database>>,
}

impl Redb {
    fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), database: OnceLock::new() }
    }

    fn database(&self) -> io::Result<&Arc<Database>> {
        self.database.get().ok_or_else(|| io::Error::other("it was not opened"))
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> io::Result<T> {
        write(self.database()?, change).map_err(io_error)
    }
}

/// Runs `change` in a transaction that is durable when this returns.
fn write<T>(
    database: &Database,
    change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let transaction = database.begin_write()?;
    let answer = change(&transaction)?;
    transaction.commit()?;
    Ok(answer)
}

fn io_error(error: redb::Error) -> io::Error {
    match error {
        redb::Error::Io(error) => error,
        redb::Error::DatabaseAlreadyOpen => io::Error::new(ErrorKind::ResourceBusy, error),
        redb::Error::Corrupted(_) => io::Error::new(ErrorKind::InvalidData, error),
        other => io::Error::other(other),
    }
}

/// The length of what has this number.
fn length_of(
    rows: &impl ReadableTable<(u64, u64), &'static [u8]>,
    number: u64,
) -> Result<u64, redb::Error> {
    let last = rows.range((number, 0)..=(number, u64::MAX))?.next_back().transpose()?;
    Ok(last.map_or(0, |(key, bytes)| key.value().1 + bytes.value().len() as u64))
}

/// The current segment, which is the last; zero if there is none.
fn current(rows: &impl ReadableTable<(u64, u64), &'static [u8]>) -> Result<u64, redb::Error> {
    Ok(rows.last()?.map_or(0, |(key, _)| key.value().0))
}

impl Persistence for Redb {
    fn open(&self) -> io::Result<Kept> {
        let database = Database::create(&self.path).map_err(|error| io_error(error.into()))?;
        let database = self.database.get_or_init(|| Arc::new(database));
        self.write(|transaction| {
            let (segments, snapshots) =
                (transaction.open_table(SEGMENTS)?, transaction.open_table(SNAPSHOTS)?);
            let source = |rows, number, length| Source {
                reader: Box::new(Reader::new(database.clone(), rows, number)),
                length,
                name: format!("{} {number}", rows.name()),
            };
            let mut kept = Kept::default();
            if let Some(committed) = transaction.open_table(COMMITTED)?.get(())? {
                let number = committed.value();
                kept.snapshot = Some(source(SNAPSHOTS, number, length_of(&snapshots, number)?));
            }
            // Their numbers ascend by one.
            let first = segments.first()?.map_or(1, |(key, _)| key.value().0);
            for number in first..=current(&segments)? {
                let source = source(SEGMENTS, number, length_of(&segments, number)?);
                kept.segments.push(Segment { number, source });
            }
            Ok(kept)
        })
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.write(|transaction| {
            let mut segments = transaction.open_table(SEGMENTS)?;
            let number = current(&segments)?;
            let end = length_of(&segments, number)?;
            segments.insert((number, end), bytes)?;
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.database().map(|_| ())
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        self.write(|transaction| {
            let mut segments = transaction.open_table(SEGMENTS)?;
            let number = current(&segments)?;
            let mut cut = Vec::new();
            for row in segments.extract_from_if((number, 0).., |(_, offset), bytes| {
                offset + bytes.len() as u64 > length
            })? {
                let (key, bytes) = row?;
                cut.push((key.value().1, bytes.value().to_vec()));
            }
            for (offset, bytes) in cut {
                let good = length.saturating_sub(offset) as usize;
                if good > 0 || offset == 0 {
                    segments.insert((number, offset), &bytes[..good])?;
                }
                if tail == Tail::Keep {
                    let place = (number, offset + good as u64);
                    transaction.open_table(BROKEN)?.insert(place, &bytes[good..])?;
                }
            }
            Ok(())
        })
    }

    fn rotate(&self) -> io::Result<u64> {
        self.write(|transaction| {
            let mut segments = transaction.open_table(SEGMENTS)?;
            let number = current(&segments)? + 1;
            segments.insert((number, 0), &[][..])?;
            Ok(number)
        })
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        let (number, first_segment) = self.write(|transaction| {
            let committed = transaction.open_table(COMMITTED)?;
            let committed = committed.get(())?.map_or(0, |number| number.value());
            let mut snapshots = transaction.open_table(SNAPSHOTS)?;
            // One that was not committed may have left something.
            snapshots.retain(|(number, _), _| number == committed)?;
            snapshots.insert((committed + 1, 0), &[][..])?;
            Ok((committed + 1, current(&transaction.open_table(SEGMENTS)?)?))
        })?;
        let (database, offset) = (self.database()?.clone(), 0);
        Ok(Box::new(Writing { database, number, first_segment, offset, buffer: Vec::new() }))
    }
}

/// A snapshot on its way. Parts of it are transactions of their own, as appends go on meanwhile.
struct Writing {
    database: Arc<Database>,
    number: u64,
    /// The first segment that it does not replace.
    first_segment: u64,
    offset: u64,
    buffer: Vec<u8>,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= 1 << 20 {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let place = (self.number, self.offset);
        write(&self.database, |transaction| {
            transaction.open_table(SNAPSHOTS)?.insert(place, &self.buffer[..])?;
            Ok(())
        })
        .map_err(io_error)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Snapshot for Writing {
    fn commit(mut self: Box<Self>) -> io::Result<()> {
        self.flush()?;
        let Self { number, first_segment, .. } = *self;
        write(&self.database, |transaction| {
            transaction.open_table(COMMITTED)?.insert((), number)?;
            transaction.open_table(SNAPSHOTS)?.retain(|(other, _), _| other == number)?;
            transaction.open_table(SEGMENTS)?.retain(|(segment, _), _| segment >= first_segment)?;
            Ok(())
        })
        .map_err(io_error)
    }
}

/// Reads one row after the other.
struct Reader {
    database: Arc<Database>,
    rows: Rows,
    number: u64,
    offset: u64,
    row: io::Cursor<Vec<u8>>,
}

impl Reader {
    fn new(database: Arc<Database>, rows: Rows, number: u64) -> Self {
        Self { database, rows, number, offset: 0, row: io::Cursor::default() }
    }

    fn next_row(&self) -> Result<Vec<u8>, redb::Error> {
        let rows = self.database.begin_read()?.open_table(self.rows)?;
        let row = rows.get((self.number, self.offset))?;
        Ok(row.map_or(Vec::new(), |row| row.value().to_vec()))
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.row.position() == self.row.get_ref().len() as u64 {
            self.row = io::Cursor::new(self.next_row().map_err(io_error)?);
            self.offset += self.row.get_ref().len() as u64;
        }
        self.row.read(out)
    }
}

fn open(path: &Path) -> larder::Result<Store> {
    let builder = Store::builder().persistence(Redb::new(path)).durability(Durability::Always);
    builder.open()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("larder-{}.redb", std::process::id()));
    persist::check_promises(|| Redb::new(&path))?;
    println!("it keeps its promises, as far as they can be tried");
    std::fs::remove_file(&path)?;

    let store = open(&path)?;
    for number in 0..1000 {
        store.list("orders").push_back(number % 10)?;
        if number == 900 {
            store.snapshot()?;
        }
    }
    println!("a second store: {}", open(&path).expect_err("it is refused"));
    println!("wrote 1000 orders, each acknowledged once it was on the disk");
    drop(store);

    let store = open(&path)?;
    let recovery = store.recovery().expect("it keeps its data").clone();
    println!("opened again: {} commands on top of the snapshot", recovery.commands);
    assert_eq!(store.list("orders").len()?, 1000);
    drop(store);

    // As a crash would leave a log in files, the last frame torn: redb's transactions do not tear.
    let torn = Redb::new(&path);
    torn.open()?;
    torn.append(b"#LARDER:1 31 7 40")?;
    drop(torn);
    let store = open(&path)?;
    let torn = store.recovery().and_then(|recovery| recovery.torn.clone()).expect("a torn end");
    println!("a torn end: {} bytes cut off {}, as {}", torn.lost, torn.file, torn.reason);
    assert_eq!(store.list("orders").len()?, 1000);
    drop(store);

    let inspection = persist::inspect(Redb::new(&path).open()?, |_| ())?;
    assert_eq!(inspection.damage, None);
    println!("{} segments behind the snapshot, no damage", inspection.files.len() - 1);
    std::fs::remove_file(path)?;
    Ok(())
}
