//! A file system in memory that crashes like a machine: whatever was not synced is there or not, in
//! any combination.
//!
//! Of a file, each sector shows any of the contents that it has had since the file was synced, or
//! zeros if it was not written before; the file's length is any that it has passed. Of a folder,
//! any of the names that were made, moved or removed since it was synced may have been, in any
//! order; and a folder whose name is lost takes all that is in it along.
//!
//! A simulation may also stop after a number of calls, as if the power had gone, or let one of them
//! fail.

use std::collections::BTreeMap;
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::files::{File, Files, Kind, Lock};
use crate::persist::frame::SECTOR;
use crate::random::Random;
use crate::sync::{Arc, Mutex, MutexGuard};

/// A simulated file system. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Simulation {
    world: Arc<Mutex<World>>,
}

/// What a call fails with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was done.
    Io,
    /// The disk is full; half of what was to be written is.
    Full,
}

struct World {
    disk: BTreeMap<PathBuf, Node>,
    /// What was done to the names since their folders were synced.
    renamings: Vec<Renaming>,
    /// The names as everybody sees them.
    names: BTreeMap<PathBuf, Node>,
    files: Vec<Content>,
    locks: Vec<PathBuf>,
    random: Random,
    calls: u64,
    /// The call after which there is no power.
    last_call: u64,
    failure: Option<Plan>,
    torn_sectors: bool,
}

/// A failure to come.
#[derive(Clone, Copy)]
struct Plan {
    /// The first call that fails.
    call: u64,
    failure: Failure,
    once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    /// Index among the contents.
    File(usize),
}

/// A change of the names in one folder.
#[derive(Clone, Debug)]
enum Renaming {
    Add(PathBuf, Node),
    Remove(PathBuf),
    Move(PathBuf, PathBuf, Node),
}

/// Of a file: what is on the disk, and each content since.
struct Content {
    disk: Vec<u8>,
    since: Vec<Vec<u8>>,
    /// What everybody sees.
    cached: Vec<u8>,
    /// A sync has failed. The system has forgotten what there was to write, so that no later sync
    /// writes it.
    forgotten: bool,
}

impl Simulation {
    /// With the folder `/`, and nothing in it. What crashes leave follows from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let names = BTreeMap::from([(PathBuf::from("/"), Node::Folder)]);
        Self::of(World {
            disk: names.clone(),
            renamings: Vec::new(),
            names,
            files: Vec::new(),
            locks: Vec::new(),
            random: Random::seeded(seed),
            calls: 0,
            last_call: u64::MAX,
            failure: None,
            torn_sectors: false,
        })
    }

    fn of(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)) }
    }

    /// Lets crashes tear sectors, too.
    pub(crate) fn tear_sectors(&self) {
        self.world.lock().torn_sectors = true;
    }

    /// Takes the power away after so many more calls: later ones fail.
    pub(crate) fn stop_after(&self, calls: u64) {
        let mut world = self.world.lock();
        world.last_call = world.calls.saturating_add(calls);
    }

    /// Lets one call fail, after so many more.
    pub(crate) fn fail_after(&self, calls: u64, failure: Failure) {
        let mut world = self.world.lock();
        world.failure = Some(Plan { call: world.calls + calls, failure, once: true });
    }

    /// Lets all calls fail, after so many more, until it [heals](Self::heal).
    pub(crate) fn fail_from(&self, calls: u64, failure: Failure) {
        let mut world = self.world.lock();
        world.failure = Some(Plan { call: world.calls + calls, failure, once: false });
    }

    /// Takes back a failure.
    pub(crate) fn heal(&self) {
        self.world.lock().failure = None;
    }

    /// Whether the failure that was asked for is yet to come.
    pub(crate) fn fails_later(&self) -> bool {
        self.world.lock().failure.is_some()
    }

    /// The calls so far that change or sync something.
    pub(crate) fn calls(&self) -> u64 {
        self.world.lock().calls
    }

    /// What a machine finds that crashed now and was started again. This one stays as it is.
    pub(crate) fn crash(&self) -> Self {
        let world = &mut *self.world.lock();
        let disk = surviving_names(world);
        let torn = world.torn_sectors;
        let random = &mut world.random;
        let files = world.files.iter().map(|file| Content::new(file.surviving(random, torn)));
        let files = files.collect();
        let random = Random::seeded(random.next());
        Self::of(World {
            disk: disk.clone(),
            renamings: Vec::new(),
            names: disk,
            files,
            locks: Vec::new(),
            random,
            calls: 0,
            last_call: u64::MAX,
            failure: None,
            torn_sectors: torn,
        })
    }

    /// The bytes of a file as everybody sees them.
    pub(crate) fn bytes(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let world = self.world.lock();
        world.file(path.as_ref()).ok().map(|file| world.files[file].now().to_vec())
    }

    /// How many bytes of a file no sync has made durable; of a file that only grows.
    pub(crate) fn unsynced(&self, path: impl AsRef<Path>) -> Option<usize> {
        let world = self.world.lock();
        let file = &world.files[world.file(path.as_ref()).ok()?];
        Some(file.now().len() - file.disk.len())
    }

    /// Puts a file there, and the folders that it is in, durably.
    pub(crate) fn put(&self, path: impl Into<PathBuf>, bytes: Vec<u8>) {
        let world = &mut *self.world.lock();
        let node = Node::File(world.files.len());
        let path = path.into();
        world.files.push(Content::new(bytes));
        for names in [&mut world.names, &mut world.disk] {
            let folders = path.ancestors().skip(1);
            names.extend(folders.map(|folder| (folder.to_owned(), Node::Folder)));
            names.insert(path.clone(), node);
        }
    }

    /// Removes a file, durably.
    pub(crate) fn take_away(&self, path: impl AsRef<Path>) {
        let mut world = self.world.lock();
        world.names.remove(path.as_ref()).expect("a file");
        world.disk.remove(path.as_ref());
    }

    /// All files, with what everybody sees in them.
    pub(crate) fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let world = self.world.lock();
        let files = world.names.iter().filter_map(|(path, node)| match node {
            Node::Folder => None,
            Node::File(file) => Some((path.clone(), world.files[*file].now().to_vec())),
        });
        files.collect()
    }
}

/// Names on the disk after a crash: some of what was done to them has been.
fn surviving_names(world: &mut World) -> BTreeMap<PathBuf, Node> {
    let mut disk = some_renamings(world);
    let all = disk.clone();
    let is_folder = |path: &Path| all.get(path) == Some(&Node::Folder);
    disk.retain(|path, _| path.ancestors().skip(1).all(is_folder));
    disk
}

fn some_renamings(world: &mut World) -> BTreeMap<PathBuf, Node> {
    let mut disk = world.disk.clone();
    // As often as not all, in order: what a crash leaves if it comes late.
    if world.random.below(2) == 0 {
        world.renamings.iter().for_each(|renaming| renaming.apply(&mut disk));
        return disk;
    }
    let random = &mut world.random;
    let mut done: Vec<_> =
        world.renamings.iter().filter(|_| random.below(2) == 0).cloned().collect();
    if random.below(2) == 0 {
        for at in 1..done.len() {
            done.swap(at, random.below(at + 1));
        }
    }
    done.iter().for_each(|renaming| renaming.apply(&mut disk));
    disk
}

impl Renaming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self.clone() {
            Self::Add(path, node) => drop(names.insert(path, node)),
            Self::Remove(path) => drop(names.remove(&path)),
            Self::Move(from, to, node) => {
                names.remove(&from);
                names.insert(to, node);
            }
        }
    }

    /// The paths that are concerned.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let (first, second) = match self {
            Self::Add(path, _) | Self::Remove(path) => (path, None),
            Self::Move(from, to, _) => (from, Some(to)),
        };
        std::iter::once(first.as_path()).chain(second.map(PathBuf::as_path))
    }
}

impl Content {
    fn new(disk: Vec<u8>) -> Self {
        Self { cached: disk.clone(), disk, since: Vec::new(), forgotten: false }
    }

    fn now(&self) -> &[u8] {
        &self.cached
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.cached);
        self.since.push(self.cached.clone());
    }

    /// What may be on the disk after a crash.
    fn surviving(&self, random: &mut Random, torn: bool) -> Vec<u8> {
        let Some(last) = self.since.last() else { return self.disk.clone() };
        if random.below(4) == 0 {
            return last.clone();
        }
        let lengths = || std::iter::once(self.disk.len()).chain(self.since.iter().map(Vec::len));
        let (least, most) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
        let length = match random.below(3) {
            0 => most,
            1 => lengths().nth(random.below(self.since.len() + 1)).unwrap_or(most),
            _ => least + random.below(most - least + 1),
        };
        let mut bytes = vec![0; length];
        for start in (0..length).step_by(SECTOR as usize) {
            let sector = start..length.min(start + SECTOR as usize);
            let versions = [random.below(self.since.len() + 1), self.since.len()];
            let version = versions[random.below(2)];
            let mut fill = |version: usize, range: std::ops::Range<usize>| {
                let from = if version == 0 { &self.disk } else { &self.since[version - 1] };
                let end = range.end.min(from.len()).max(range.start);
                let part = from.get(range.start..end).unwrap_or_default();
                bytes[range.start..range.start + part.len()].copy_from_slice(part);
            };
            fill(version, sector.clone());
            if torn && random.below(4) == 0 {
                let cut = sector.start + random.below(sector.len() + 1);
                fill(random.below(self.since.len() + 1), sector.start..cut);
            }
        }
        bytes
    }
}

impl Failure {
    fn error(self) -> io::Error {
        match self {
            Self::Io => io::Error::other("an error of the device"),
            Self::Full => io::Error::new(ErrorKind::StorageFull, "the disk is full"),
        }
    }
}

impl World {
    /// Counts a call; answers what it is to fail with.
    fn count(&mut self) -> io::Result<Option<Failure>> {
        if self.calls >= self.last_call {
            return Err(io::Error::other("there is no power"));
        }
        self.calls += 1;
        let due = self.failure.filter(|plan| plan.call < self.calls);
        self.failure = self.failure.filter(|plan| due.is_none() || !plan.once);
        Ok(due.map(|plan| plan.failure))
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Node::File(file)) => Ok(*file),
            _ => Err(missing(path)),
        }
    }

    fn rename(&mut self, renaming: Renaming) {
        renaming.apply(&mut self.names);
        self.renamings.push(renaming);
    }
}

impl Simulation {
    /// For a call that changes or syncs something other than a file's bytes.
    fn enter(&self) -> io::Result<MutexGuard<'_, World>> {
        let mut world = self.world.lock();
        match world.count()? {
            None => Ok(world),
            Some(failure) => Err(failure.error()),
        }
    }

    fn handle(&self, file: usize) -> Box<dyn File> {
        Box::new(Handle { simulation: self.clone(), file })
    }
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("{} does not exist", path.display()))
}

impl Files for Simulation {
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        let world = self.world.lock();
        Ok(world.names.get(path).map(|node| match node {
            Node::Folder => Kind::Folder,
            Node::File(file) => Kind::File { length: world.files[*file].now().len() as u64 },
        }))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let world = self.world.lock();
        let inside = world.names.keys().filter(|path| path.parent() == Some(folder));
        let names = inside.filter_map(|path| path.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.enter()?.rename(Renaming::Add(path.to_owned(), Node::Folder));
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut world = self.enter()?;
        if world.names.contains_key(path) {
            return Err(io::Error::new(ErrorKind::AlreadyExists, path.display().to_string()));
        }
        let file = world.files.len();
        world.files.push(Content::new(Vec::new()));
        world.rename(Renaming::Add(path.to_owned(), Node::File(file)));
        Ok(self.handle(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = self.world.lock().file(path)?;
        Ok(self.handle(file))
    }

    fn read(&self, path: &Path, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let world = self.world.lock();
        let bytes = world.files[world.file(path)?].now();
        Ok(Box::new(Cursor::new(bytes.get(offset as usize..).unwrap_or_default().to_vec())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.enter()?;
        let node = world.names.get(from).copied().ok_or_else(|| missing(from))?;
        world.rename(Renaming::Move(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.enter()?;
        world.file(path)?;
        world.rename(Renaming::Remove(path.to_owned()));
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut world = self.enter()?;
        let (here, elsewhere) = std::mem::take(&mut world.renamings)
            .into_iter()
            .partition::<Vec<_>, _>(|done| done.paths().any(|path| path.parent() == Some(folder)));
        here.iter().for_each(|renaming| renaming.apply(&mut world.disk));
        world.renamings = elsewhere;
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>> {
        if self.kind(path)?.is_none() {
            self.create(path)?;
        }
        let mut world = self.world.lock();
        if world.locks.iter().any(|held| held == path) {
            return Ok(None);
        }
        world.locks.push(path.to_owned());
        Ok(Some(Box::new(Held { simulation: self.clone(), path: path.to_owned() })))
    }
}

struct Held {
    simulation: Simulation,
    path: PathBuf,
}

impl Lock for Held {
    fn is_in_place(&self) -> io::Result<bool> {
        Ok(self.simulation.kind(&self.path)?.is_some())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.simulation.world.lock().locks.retain(|held| *held != self.path);
    }
}

struct Handle {
    simulation: Simulation,
    file: usize,
}

impl File for Handle {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let world = &mut *self.simulation.world.lock();
        let failure = world.count()?;
        let part = match failure {
            None => bytes,
            Some(Failure::Io) => &[],
            Some(Failure::Full) => &bytes[..bytes.len() / 2],
        };
        world.files[self.file].change(|content| content.extend_from_slice(part));
        failure.map_or(Ok(()), |failure| Err(failure.error()))
    }

    fn sync(&mut self) -> io::Result<()> {
        let world = &mut *self.simulation.world.lock();
        let failure = world.count()?;
        let file = &mut world.files[self.file];
        if let Some(failure) = failure {
            file.disk = file.surviving(&mut world.random, world.torn_sectors);
            file.since.clear();
            file.forgotten = true;
            return Err(failure.error());
        }
        if !file.forgotten {
            file.disk = file.cached.clone();
            file.since.clear();
        }
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        let world = self.simulation.enter()?;
        Ok(world.files[self.file].now().len() as u64)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        let mut world = self.simulation.enter()?;
        world.files[self.file].change(|content| content.truncate(length as usize));
        Ok(())
    }
}
