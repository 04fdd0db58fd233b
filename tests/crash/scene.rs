//! A directory, who writes to it, and what it has to hold when it is opened again.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use larder::persist::Durability;
use larder::{ManualClock, Store};

use crate::Random;
use crate::child::{COUNTERS, Orders, Work, last_note, own_key, step};
use crate::step::stamp_of;

/// What is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// The process.
    Process,
    /// The disk, with whatever was not synced.
    Disk,
}

/// What crashes have met, to show that they met it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Met {
    pub(crate) crashes: usize,
    /// The child had acknowledged something.
    pub(crate) writing: usize,
    /// A snapshot was being written.
    pub(crate) in_snapshot: usize,
    /// A write was torn.
    pub(crate) torn: usize,
    /// What was acknowledged and may be lost was.
    pub(crate) lost: usize,
}

impl Met {
    pub(crate) fn add(&mut self, other: Self) {
        self.crashes += other.crashes;
        self.writing += other.writing;
        self.in_snapshot += other.in_snapshot;
        self.torn += other.torn;
        self.lost += other.lost;
    }
}

/// Held while this process has a directory open, and while it starts another: that has, for an
/// instant, whatever this one has open, locks among it.
static ALONE: Mutex<()> = Mutex::new(());

pub(crate) struct Scene {
    pub(crate) orders: Orders,
    crash: Crash,
    /// What a history has come to, up to the step that was found last.
    model: (Store, u64),
    /// The last that each writer has noted, as of the crash.
    noted: Vec<Option<u64>>,
    pub(crate) met: Met,
}

impl Scene {
    pub(crate) fn new(
        folder: PathBuf,
        notes: PathBuf,
        durability: Durability,
        work: Work,
        crash: Crash,
    ) -> Self {
        fs::create_dir_all(&notes).expect("a folder for notes");
        let seed = folder.as_os_str().len() as u64;
        let rewrite_above = 1 << 20;
        let orders =
            Orders { folder, notes, durability, work, seed, rewrite_above, snapshots: false };
        let model = Store::builder().clock(&ManualClock::new()).databases(4).build();
        Self { orders, crash, model: (model, 0), noted: Vec::new(), met: Met::default() }
    }

    /// Lets a child write for a while, takes away what is to be taken away by way of `crash`, and
    /// looks at what is left.
    pub(crate) fn act(&mut self, random: &mut Random, crash: impl FnOnce()) {
        self.orders.rewrite_above = [1 << 16, 1 << 18, 1 << 20][random.below(3) as usize];
        self.orders.snapshots = random.below(3) == 0;
        for writer in 0..COUNTERS {
            let _ = fs::remove_file(self.orders.notes_of(writer));
        }
        let mut child = {
            let _alone = ALONE.lock().expect("nobody has panicked");
            self.orders.spawn()
        };
        // A disk has to be there when a child opens the directory; a process may also die then.
        if self.crash == Crash::Disk || random.below(4) > 0 {
            self.await_writer(&mut child);
        }
        let most = 1000 * [2, 10, 40][random.below(3) as usize];
        std::thread::sleep(Duration::from_micros(random.below(most)));
        // While it shuts down, ext4 answers some syncs as if they had worked: what is acknowledged
        // then is the word of a file system that is not there any more.
        let before = self.notes();
        crash();
        let ended = child.try_wait().expect("a child");
        child.kill().expect("a child");
        let output = child.wait_with_output().expect("a child");
        self.noted = match self.crash {
            Crash::Disk => before,
            Crash::Process => self.notes(),
        };
        let said = String::from_utf8_lossy(&output.stderr);
        // A child that finds no disk cannot open anything.
        assert!(self.crash == Crash::Disk || ended.is_none(), "the child ended by itself: {said}");
        self.met.crashes += 1;
    }

    /// Waits until the child writes.
    fn await_writer(&self, child: &mut Child) {
        let started = Instant::now();
        while self.notes().iter().all(Option::is_none) {
            if let Some(ended) = child.try_wait().expect("a child") {
                let mut said = String::new();
                let _ = child.stderr.take().map(|mut all| all.read_to_string(&mut said));
                panic!("the child ended by itself, {ended}: {said}");
            }
            assert!(started.elapsed() < Duration::from_secs(60), "the child does not begin");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn notes(&self) -> Vec<Option<u64>> {
        (0..COUNTERS).map(|writer| last_note(&self.orders.notes_of(writer))).collect()
    }

    /// Opens the directory and looks at it.
    pub(crate) fn check(&mut self) {
        let _alone = ALONE.lock().expect("nobody has panicked");
        let noted = std::mem::take(&mut self.noted);
        self.met.writing += usize::from(noted.iter().any(Option::is_some));
        let temporary = "temp-appendonly.aof.";
        self.met.in_snapshot += usize::from(any_file(&self.orders.folder, temporary));
        let store = self.orders.open().expect("what a crash leaves can be opened");
        self.met.torn += usize::from(store.recovery().is_some_and(|found| found.torn.is_some()));
        match self.orders.work {
            Work::History => self.check_history(&store, noted[0]),
            Work::Counting => self.check_counters(&store, &noted),
        }
        if store.persistence_stats().is_some_and(|stats| stats.log_bytes > 4 << 20) {
            // Opening is not what takes the time here.
            store.snapshot().expect("a disk that works");
        }
        store.close().expect("a disk that works");
    }

    /// Whether what was acknowledged must be there.
    fn keeps(&self) -> bool {
        match self.orders.durability {
            Durability::Always => true,
            Durability::Os => self.crash == Crash::Process,
            _ => false,
        }
    }

    fn check_history(&mut self, store: &Store, noted: Option<u64>) {
        let (found, noted) = (stamp_of(store) as u64, noted.unwrap_or(0));
        assert!(!self.keeps() || found >= noted, "{noted} was acknowledged, {found} is there");
        let (model, number) = &mut self.model;
        assert!(found >= *number, "{number} was there before, {found} is now");
        self.met.lost += usize::from(found < noted);
        while *number < found {
            *number += 1;
            step(self.orders.seed, *number as usize).run(model, *number as usize);
        }
        let difference = model.first_difference(store);
        assert_eq!(difference, None, "after step {found}");
    }

    fn check_counters(&mut self, store: &Store, noted: &[Option<u64>]) {
        let count = |key: &str| store.kv().get_as::<u64>(key).expect("a number").unwrap_or(0);
        let mut sum = 0;
        for (writer, noted) in noted.iter().enumerate() {
            let (found, noted) = (count(&own_key(writer)), noted.unwrap_or(0));
            assert!(!self.keeps() || found >= noted, "{noted} was acknowledged, {found} is there");
            self.met.lost += usize::from(found < noted);
            let twin = store.hash("all by writer").get_as::<u64>(own_key(writer));
            assert_eq!(twin.expect("a hash").unwrap_or(0), found, "a batch was torn");
            sum += found;
        }
        assert_eq!(sum, count("all"), "a batch was torn");
    }
}

/// Whether there is a file in the log's folder whose name begins so.
fn any_file(folder: &Path, beginning: &str) -> bool {
    let Ok(files) = fs::read_dir(folder.join("appendonlydir")) else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with(beginning))
}
