//! The process that writes until it is killed.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use larder::persist::{Directory, Durability};
use larder::{ManualClock, Store};

use crate::grammar::Commands;
use crate::step::{DATABASES, Step, stamp_of};

/// The variable that tells a child what to do.
const ORDERS: &str = "LARDER_CRASH_CHILD";

/// Writers that count.
pub(crate) const COUNTERS: usize = 3;

pub(crate) const ALL: [Durability; 4] =
    [Durability::Always, Durability::Os, Durability::EverySecond, Durability::Never];

/// What a child writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// One step after the other, each of random commands that follow from its number.
    History,
    /// Several threads count, each in a key of its own and in one of all.
    Counting,
}

/// What a child is told.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) folder: PathBuf,
    /// Where it notes what is done; not on the file system that may go away.
    pub(crate) notes: PathBuf,
    pub(crate) durability: Durability,
    pub(crate) work: Work,
    pub(crate) seed: u64,
    pub(crate) rewrite_above: u64,
    /// Whether it takes one snapshot after the other meanwhile.
    pub(crate) snapshots: bool,
}

impl Orders {
    /// Starts a child.
    pub(crate) fn spawn(&self) -> Child {
        let durability = ALL.iter().position(|one| *one == self.durability).expect("one of all");
        let is_history = self.work == Work::History;
        let (seed, above) = (self.seed, self.rewrite_above);
        let told = format!("{durability} {is_history} {seed} {above} {}", self.snapshots);
        Command::new(std::env::current_exe().expect("a program"))
            .args(["--exact", "child::child", "--ignored", "--nocapture"])
            .env(ORDERS, told)
            .env("LARDER_CRASH_FOLDER", &self.folder)
            .env("LARDER_CRASH_NOTES", &self.notes)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a child process")
    }

    fn read() -> Option<Self> {
        let told = std::env::var(ORDERS).ok()?;
        let words: Vec<&str> = told.split(' ').collect();
        let path = |name| PathBuf::from(std::env::var_os(name).expect("a path"));
        Some(Self {
            folder: path("LARDER_CRASH_FOLDER"),
            notes: path("LARDER_CRASH_NOTES"),
            durability: ALL[words[0].parse::<usize>().expect("a number")],
            work: if words[1] == "true" { Work::History } else { Work::Counting },
            seed: words[2].parse().expect("a number"),
            rewrite_above: words[3].parse().expect("a number"),
            snapshots: words[4] == "true",
        })
    }

    /// Opens the store as a child does.
    pub(crate) fn open(&self) -> larder::Result<Store> {
        // With a clock that stands still, steps come to the same whenever they are done.
        let builder = Store::builder().clock(&ManualClock::new()).databases(DATABASES);
        let builder = builder.persistence(Directory::new(&self.folder));
        builder.durability(self.durability).rewrite_above(self.rewrite_above).open()
    }

    pub(crate) fn notes_of(&self, writer: usize) -> PathBuf {
        self.notes.join(format!("acknowledged-{writer}"))
    }
}

/// Notes numbers, each of which a kill leaves whole.
struct Notes(File);

impl Notes {
    fn begin(path: &Path) -> Self {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path);
        Self(file.expect("a place for notes"))
    }

    fn add(&mut self, number: u64) {
        self.0.write_all(&number.to_le_bytes()).expect("room for notes");
    }
}

/// The last number that was noted; `None` if the writer has not begun.
pub(crate) fn last_note(path: &Path) -> Option<u64> {
    let notes = std::fs::read(path).ok()?;
    let whole = notes.len() - notes.len() % 8;
    let last: Option<[u8; 8]> = notes[..whole].last_chunk().copied();
    last.map(u64::from_le_bytes)
}

/// The step of this number.
pub(crate) fn step(seed: u64, number: usize) -> Step {
    let mut commands = Commands::new(seed ^ (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    commands.newer = true;
    Step::draw(&mut commands)
}

#[test]
#[ignore = "what the other tests start and kill"]
fn child() {
    let Some(orders) = Orders::read() else { return };
    let store = orders.open().expect("a directory that can be opened");
    if orders.snapshots {
        let store = store.clone();
        thread::spawn(move || while store.snapshot().is_ok() {});
    }
    match orders.work {
        Work::History => make_history(&store, &orders),
        Work::Counting => thread::scope(|scope| {
            for writer in 0..COUNTERS {
                let (store, orders) = (&store, &orders);
                scope.spawn(move || count(store, writer, orders));
            }
        }),
    }
    // Nothing is kept any more, and nobody is to think that this has ended by itself.
    thread::sleep(Duration::from_secs(600));
}

fn make_history(store: &Store, orders: &Orders) {
    let mut number = stamp_of(store);
    let mut notes = Notes::begin(&orders.notes_of(0));
    notes.add(number as u64);
    loop {
        number += 1;
        if step(orders.seed, number).run(store, number).starts_with(b"-") {
            return;
        }
        notes.add(number as u64);
    }
}

/// Counts on from what is kept, in batches over keys of several shards.
fn count(store: &Store, writer: usize, orders: &Orders) {
    let own = own_key(writer);
    let mut number: u64 = store.kv().get_as(&own).expect("a number").unwrap_or(0);
    let mut notes = Notes::begin(&orders.notes_of(writer));
    notes.add(number);
    loop {
        number += 1;
        let batch = store.batch();
        batch.kv().set(&own, number);
        batch.hash("all by writer").set(&own, number);
        batch.kv().increment("all", 1);
        if batch.exec().is_err() {
            return;
        }
        notes.add(number);
    }
}

pub(crate) fn own_key(writer: usize) -> String {
    format!("own {writer}")
}
