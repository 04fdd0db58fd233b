//! Stores that keep what they hold: what a write costs, what many writers at once gain, and what it
//! takes to open again.
//!
//! Everything is on the file system of the system's folder for temporary files. The keys are 16
//! bytes long, the values 64.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::kv::Key;
use crate::measure::{Options, Random, Table, Unit, per_operation, turn};

pub const VALUE: [u8; 64] = [b'v'; 64];

/// A store on a disk.
pub trait Disk: Send + Sync + Sized {
    /// Its row in the table.
    const NAME: &'static str;

    /// Opens what is in a folder.
    fn open(folder: &Path) -> Self;
    fn set(&self, key: &[u8]);
    /// Writes all keys; for those that gain from batches.
    fn set_all(&self, keys: &[Key]) {
        keys.iter().for_each(|key| self.set(key));
    }
    fn get(&self, key: &[u8]) -> bool;
    /// Makes all durable.
    fn sync(&self);
}

/// A folder that goes with its handle.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("larder-logs-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the system's folder for such things harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn keys(count: usize) -> Vec<Key> {
    let mut keys: Vec<Key> = (0..count).map(crate::kv::key).collect();
    Random(7).shuffle(&mut keys);
    keys
}

type Round = fn(&[Key], &mut dyn FnMut(&'static str, f64));

/// Fills a store, overwrites all keys, and opens it again.
fn round<D: Disk>(keys: &[Key], add: &mut dyn FnMut(&'static str, f64)) {
    let folder = Folder::new();
    let store = D::open(folder.path());
    let start = Instant::now();
    store.set_all(keys);
    add("SET, new", per_operation(start.elapsed(), keys.len()));
    let start = Instant::now();
    store.set_all(keys);
    add("SET, overwrite", per_operation(start.elapsed(), keys.len()));
    store.sync();
    add("the same, until durable", per_operation(start.elapsed(), keys.len()));
    drop(store);
    let start = Instant::now();
    let store = D::open(folder.path());
    assert!(store.get(&keys[0]), "{} has lost a key", D::NAME);
    add("opening", start.elapsed().as_nanos() as f64);
}

fn entrant<D: Disk>() -> (&'static str, Round) {
    (D::NAME, round::<D>)
}

fn entrants(options: &Options) -> Vec<(&'static str, Round)> {
    let all = [
        #[cfg(feature = "larder")]
        entrant::<crate::larder::Unkept>(),
        #[cfg(feature = "larder")]
        entrant::<crate::larder::Kept<0>>(),
        #[cfg(feature = "larder")]
        entrant::<crate::larder::Kept<1>>(),
        #[cfg(feature = "larder")]
        entrant::<crate::larder::Kept<2>>(),
        #[cfg(feature = "kevy")]
        entrant::<crate::kevy::Kept>(),
        #[cfg(feature = "disk")]
        entrant::<crate::disk::Redb>(),
        #[cfg(feature = "disk")]
        entrant::<crate::disk::Fjall>(),
    ];
    all.into_iter().filter(|(name, _)| options.wants(name)).collect()
}

/// Prints all tables.
pub fn run(options: &Options) {
    let entrants = entrants(options);
    let keys = keys(options.size(1_000_000, 20_000));
    let title = format!("SET with a log, {} keys of 16 B, values of 64 B, 1 thread", keys.len());
    let mut table = Table::new(title).rows(entrants.iter().map(|(name, _)| *name));
    for number in 0..options.rounds(3) {
        for at in turn(number, entrants.len()) {
            let (name, round) = entrants[at];
            round(&keys, &mut |column, sample| table.add(name, column, Unit::Nanoseconds, sample));
        }
    }
    table.print(options.against("larder, no log"));
    #[cfg(feature = "larder")]
    {
        group_commit(options);
        recovery(options, &keys);
    }
}

/// How much writers who all wait for the disk gain from each other.
#[cfg(feature = "larder")]
fn group_commit(options: &Options) {
    const THREADS: [usize; 4] = [1, 2, 4, 8];
    let mut table = Table::new("Every SET waits for the disk: time per SET, all threads together");
    let writes = options.size(2_000, 100);
    for number in 0..options.rounds(3) {
        for at in turn(number, THREADS.len()) {
            let threads = THREADS[at];
            let folder = Folder::new();
            let store = crate::larder::always(folder.path());
            let start = Instant::now();
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let store = &store;
                    scope.spawn(move || {
                        for number in 0..writes {
                            let key = format!("{thread:04}{number:012}");
                            store.kv().set(key, VALUE).expect("set");
                        }
                    });
                }
            });
            let each = per_operation(start.elapsed(), threads * writes);
            table.add(&format!("{threads} threads"), "larder, always", Unit::Nanoseconds, each);
        }
    }
    table.print("8 threads");
}

/// What it takes to read back a log and a snapshot, and to write one beside readers.
#[cfg(feature = "larder")]
fn recovery(options: &Options, keys: &[Key]) {
    let title = format!("Recovery of {} keys of 16 B, values of 64 B", keys.len());
    let mut table = Table::new(title).rows(["larder", "redis-server"]);
    for _ in 0..options.rounds(3) {
        let folder = Folder::new();
        let mut add = |row: &str, column: &str, spent: Duration| {
            table.add(row, column, Unit::Nanoseconds, spent.as_nanos() as f64);
        };
        let store = crate::larder::every_second(folder.path());
        keys.iter().for_each(|key| store.kv().set(key, VALUE).expect("set"));
        drop(store);
        add("redis-server", "replay of the log", redis_loads(folder.path()));
        let start = Instant::now();
        let store = crate::larder::every_second(folder.path());
        add("larder", "replay of the log", start.elapsed());
        come_to_rest();
        let snapshot = || store.snapshot().expect("a snapshot");
        let [spent, stall] = beside_a_reader(&store, keys, snapshot);
        add("larder", "writing a snapshot", spent);
        add("larder", "worst stall of a reader meanwhile", stall);
        come_to_rest();
        let [_, stall] = beside_a_reader(&store, keys, || copy_snapshot(folder.path(), spent));
        add("larder", "the same beside a copy of its bytes", stall);
        drop(store);
        add("redis-server", "loading it", redis_loads(folder.path()));
        let start = Instant::now();
        let store = crate::larder::every_second(folder.path());
        add("larder", "loading it", start.elapsed());
        assert_eq!(store.keys().len(), Ok(keys.len()));
    }
    table.print("redis-server");
}

/// How long something takes, and the longest GET meanwhile of a thread that does nothing else.
#[cfg(feature = "larder")]
fn beside_a_reader(store: &larder::Store, keys: &[Key], work: impl FnOnce()) -> [Duration; 2] {
    let (ready, done) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut worst = Duration::ZERO;
            let mut random = Random(1);
            ready.store(true, Ordering::Release);
            while !done.load(Ordering::Acquire) {
                let key = &keys[random.below(keys.len())];
                let start = Instant::now();
                assert!(store.kv().get(key).expect("a string").is_some());
                worst = worst.max(start.elapsed());
            }
            worst
        });
        while !ready.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let start = Instant::now();
        work();
        let spent = start.elapsed();
        done.store(true, Ordering::Release);
        [spent, reader.join().expect("a reader that ends")]
    })
}

/// Has the system write what it has yet to write of files that were made to measure with: its
/// threads for that take processors away for milliseconds.
#[cfg(feature = "larder")]
fn come_to_rest() {
    assert!(Command::new("sync").status().expect("sync").success());
}

/// Copies the snapshot in pieces, as slowly as it was written and synced as often: the same bytes,
/// and no lock.
#[cfg(feature = "larder")]
fn copy_snapshot(folder: &Path, spent: Duration) {
    const PIECE: usize = 64 << 10;
    const PIECES_A_SYNC: u32 = 64;
    let files = fs::read_dir(folder.join("appendonlydir")).expect("a folder");
    let mut paths = files.map(|file| file.expect("a file").path());
    let base = paths.find(|path| path.extension().is_some_and(|end| end == "rdb"));
    let bytes = fs::read(base.expect("a snapshot")).expect("its bytes");
    let each = spent / bytes.len().div_ceil(PIECE) as u32;
    let mut copy = fs::File::create(folder.join("copy")).expect("a file");
    let start = Instant::now();
    for (number, piece) in (1_u32..).zip(bytes.chunks(PIECE)) {
        std::io::Write::write_all(&mut copy, piece).expect("a write");
        if number.is_multiple_of(PIECES_A_SYNC) {
            copy.sync_data().expect("a sync");
        }
        while start.elapsed() < each * number {
            std::hint::spin_loop();
        }
    }
    copy.sync_all().expect("a sync");
    fs::remove_file(folder.join("copy")).expect("a file");
}

/// How long `redis-server` takes to start and load what is in the folder.
#[cfg(feature = "larder")]
fn redis_loads(folder: &Path) -> Duration {
    let copy = Folder::new();
    let status =
        Command::new("cp").arg("-r").arg(folder.join("appendonlydir")).arg(copy.path()).status();
    assert!(status.expect("cp").success());
    let socket = copy.path().join("socket");
    let start = Instant::now();
    let server = Command::new("redis-server")
        .args(["--port", "0", "--appendonly", "yes", "--save", ""])
        // Else it begins a rewrite at once, in a process that outlives it.
        .args(["--auto-aof-rewrite-percentage", "0"])
        .arg("--dir")
        .arg(copy.path())
        .arg("--unixsocket")
        .arg(&socket)
        .stdout(Stdio::null())
        .spawn();
    let mut server = Ending(server.expect("redis-server"));
    let ready = |answer: &str| answer == "+PONG\r\n";
    while !ping(&socket).is_some_and(|answer| ready(&answer)) {
        assert!(server.0.try_wait().expect("a child").is_none(), "redis-server does not load it");
        std::thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}

#[cfg(feature = "larder")]
fn ping(socket: &Path) -> Option<String> {
    use std::io::{Read, Write};
    let mut client = std::os::unix::net::UnixStream::connect(socket).ok()?;
    client.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 256];
    let length = client.read(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// A process that is killed when this is dropped.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
