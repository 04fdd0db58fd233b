//! The keyspace: databases of shards of entries, and the only ways to read and to change them.
//!
//! - [`shard`]: one table of entries and what belongs to it; knows no lock and no clock;
//! - [`view`] and [`writer`]: what an operation sees of a key; the writer is the only place
//!   that mutates, and tells whoever has to know;
//! - [`effect`] and [`journal`]: what is recorded of every change;
//! - [`access`]: which shards an operation locks, by its type;
//! - [`uses`]: when entries were last used, and how often, if that is kept;
//! - [`waiters`], [`interest`]: blocking calls and watches;
//! - [`capture`]: all shards as they are at one instant, for a snapshot;
//! - [`loader`]: how a snapshot is read back;
//! - [`maintenance`]: expiry without access.
//!
//! # Locks
//!
//! A database has [`SHARDS`] shards, each in a lock of its own, allocated on first use. Whoever
//! needs several locks them in ascending order of (database, shard). A database's `births` lock is
//! taken before its shards; holding it keeps shards from coming into being, so that a walk over all
//! shards has them all. Before these comes the one `births` lock that keeps databases from coming
//! into being: one that was never used costs whoever locks everything nothing. Nothing of the
//! caller's runs under a lock, but for the closures that say so.

pub(crate) mod access;
pub(crate) mod capture;
mod deadlines;
pub(crate) mod difference;
mod edit_hash;
mod edit_list;
mod edit_set;
mod edit_sorted_set;
mod edit_stream;
pub(crate) mod effect;
mod events;
mod interest;
pub(crate) mod journal;
mod loader;
mod maintenance;
mod object;
pub(crate) mod shard;
pub(crate) mod uses;
mod view;
pub(crate) mod waiters;
mod watch;
mod writer;

use std::any::Any;
use std::cell::Cell;
use std::task::Waker;

use smallvec::SmallVec;

pub(crate) use edit_hash::LAST_FIELD_DEADLINE;
pub(crate) use maintenance::Maintenance;
pub(crate) use shard::{Held, Removed, Shard};
pub(crate) use view::View;
pub(crate) use watch::Watched;
pub(crate) use writer::{Edit, Writer};

use events::EventSink;
pub use events::{Event, EventKind};
use journal::{Journal, Record, Recorder};
pub(crate) use loader::Loader;
pub use object::Kind;
pub(crate) use object::{Data, Object};
use shard::Lapsed;
use uses::{Caller, Uses};
use waiters::Waiter;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::pubsub::Hub;
use crate::random::KeyHasher;
use crate::sync::{Arc, AtomicBool, AtomicI64, AtomicU64, Mutex, OnceLock, Ordering, RwLock, Weak};
use crate::value::Value;

/// Shards of one database. Many: a shard's table grows in one go, under its lock.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 10;
/// Below the bits that tag the table's slots, above those that choose them.
const SHARD_SHIFT: u32 = 44;

const _: () = assert!(SHARD_SHIFT >= shard::POSITION_BITS && SHARD_SHIFT + SHARD_BITS <= 57);

/// All databases of a store, and what they share.
pub(crate) struct Databases {
    pub(crate) clock: Clock,
    hasher: KeyHasher,
    spaces: Box<[OnceLock<Keyspace>]>,
    /// Held while a database comes into being, and by whoever needs that none does.
    births: Mutex<()>,
    /// Blocked calls so far.
    tickets: AtomicU64,
    pub(crate) maintenance: Maintenance,
    pub(crate) events: EventSink,
    /// Entries removed as their time had come, so far.
    pub(crate) expired: AtomicU64,
    pub(crate) hub: Arc<Hub>,
    pub(crate) uses: Uses,
    /// What the clients of this store share while there is one of them; whoever has clients knows
    /// its type.
    #[cfg_attr(not(feature = "session"), expect(dead_code, reason = "clients are a feature"))]
    pub(crate) clientele: Mutex<Option<Weak<dyn Any + Send + Sync>>>,
    /// What to add to the store's time to get the wall's: see [`Databases::wall_offset`].
    wall_offset: AtomicI64,
    /// Who is told of every change, if anybody is.
    journal: OnceLock<Box<dyn Journal>>,
    /// Whether what was kept is being read back: see [`Databases::load`].
    is_loading: AtomicBool,
}

impl Databases {
    pub(crate) fn new(count: u16, clock: Clock, maintenance: Maintenance) -> Self {
        Self {
            clock,
            hasher: KeyHasher::new(),
            spaces: (0..count).map(|_| OnceLock::new()).collect(),
            births: Mutex::new(()),
            tickets: AtomicU64::new(0),
            maintenance,
            events: EventSink::default(),
            expired: AtomicU64::new(0),
            hub: Hub::new(),
            uses: Uses::default(),
            clientele: Mutex::new(None),
            wall_offset: AtomicI64::new(0),
            journal: OnceLock::new(),
            is_loading: AtomicBool::new(false),
        }
    }

    /// Empty databases in which each key has its place in the shard of the same number as here.
    pub(crate) fn beside(&self) -> Self {
        let hasher = self.hasher.clone();
        let uses = self.uses.beside();
        let fresh = Self::new(self.count(), self.clock.clone(), Maintenance::new(false));
        Self { hasher, uses, ..fresh }
    }

    /// Tells a journal of every change from now on. There is one at most, and it comes before
    /// the databases are shared.
    pub(crate) fn set_journal(&self, journal: impl Journal + 'static) {
        let is_first = self.journal.set(Box::new(journal)).is_ok();
        debug_assert!(is_first, "a second journal");
    }

    #[inline]
    pub(crate) fn journal(&self) -> Option<&dyn Journal> {
        self.journal.get().map(|journal| &**journal)
    }

    /// Asks the journal whether there may be writes, before an operation takes its locks.
    #[inline]
    pub(crate) fn admit(&self) -> Result<()> {
        match self.journal() {
            None => Ok(()),
            Some(journal) => journal.admit(),
        }
    }

    /// Reads back what was kept. Meanwhile nothing is ever due, so that a key whose time has
    /// passed is still there for what was done to it in its time. Comes before the databases are
    /// shared and have a journal.
    pub(crate) fn load<R>(&self, load: impl FnOnce(&Self) -> R) -> R {
        self.is_loading.store(true, Ordering::Release);
        let answer = load(self);
        self.is_loading.store(false, Ordering::Release);
        let earliest = self.shards().filter_map(|(_, shard)| shard.read().deadlines.earliest());
        if let Some(deadline) = earliest.min()
            && self.maintenance.sleeps_beyond(deadline)
        {
            self.maintenance.wake_at(deadline);
        }
        answer
    }

    fn is_loading(&self) -> bool {
        self.is_loading.load(Ordering::Acquire)
    }

    pub(crate) fn count(&self) -> u16 {
        self.spaces.len() as u16
    }

    /// The number of a database that a file or a log has something in.
    ///
    /// # Errors
    ///
    /// [`Error::TooFewDatabases`] if there is none.
    #[inline]
    pub(crate) fn known(&self, used: u64) -> Result<u16> {
        let count = self.count();
        let number = u16::try_from(used).ok().filter(|number| *number < count);
        number.ok_or(Error::TooFewDatabases { used, count })
    }

    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    #[inline]
    pub(crate) fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    #[inline]
    fn keyspace(&self, database: u16) -> &Keyspace {
        match self.born(database) {
            Some(keyspace) => keyspace,
            None => self.give_birth(database),
        }
    }

    /// A database, if it has been used.
    #[inline]
    fn born(&self, database: u16) -> Option<&Keyspace> {
        self.spaces[usize::from(database)].get()
    }

    #[cold]
    fn give_birth(&self, database: u16) -> &Keyspace {
        let _births = self.births.lock();
        self.spaces[usize::from(database)].get_or_init(Keyspace::new)
    }

    /// The place of a call that blocks now, in the order of those that do.
    pub(crate) fn next_ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// Brings the shard of a key into being, so that whoever then locks everything may write it.
    pub(crate) fn make_room(&self, database: u16, key: &[u8]) {
        self.keyspace(database).shard(shard_index(self.hash(key)));
    }

    /// The shard of a hash, if it has been used.
    #[inline]
    fn slot(&self, database: u16, hash: u64) -> Option<&RwLock<Shard>> {
        self.shard(database, shard_index(hash))
    }

    /// The shard with this index, if it has been used.
    #[inline]
    fn shard(&self, database: u16, index: usize) -> Option<&RwLock<Shard>> {
        self.born(database)?.shards[index].get().map(|slot| &slot.0)
    }

    /// All shards that have been used, database by database.
    pub(crate) fn shards(&self) -> impl Iterator<Item = (u16, &RwLock<Shard>)> {
        let used = self.spaces.iter().zip(0..).filter_map(|(space, n)| Some((space.get()?, n)));
        used.flat_map(|(space, n)| {
            space.shards.iter().filter_map(move |shard| Some((n, &shard.get()?.0)))
        })
    }

    /// Waits for what is just coming into being: whatever [`shards`](Self::shards) then misses,
    /// its first user sees all that this thread did before.
    fn await_births(&self) {
        drop(self.births.lock());
        for space in self.spaces.iter().filter_map(OnceLock::get) {
            drop(space.births.lock());
        }
    }

    /// The wall's time minus the store's, in milliseconds.
    ///
    /// It changes only when the wall clock has visibly jumped, so that a date given and asked
    /// for again is the same to the millisecond.
    pub(crate) fn wall_offset(&self) -> i64 {
        const JUMP: u64 = 500;
        let current = self.clock.wall().wrapping_sub(self.clock.now()) as i64;
        let known = self.wall_offset.load(Ordering::Relaxed);
        if current.abs_diff(known) <= JUMP {
            return known;
        }
        self.wall_offset.store(current, Ordering::Relaxed);
        current
    }

    /// The Unix time in milliseconds of a time of the store.
    pub(crate) fn unix_of(&self, time: u64) -> i64 {
        (time as i64).saturating_add(self.wall_offset())
    }
}

#[inline]
pub(crate) fn shard_index(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize & (SHARDS - 1)
}

/// A shard and its lock, on cache lines of their own.
#[derive(Default)]
#[repr(align(64))]
struct Slot(RwLock<Shard>);

/// One database.
struct Keyspace {
    shards: Box<[OnceLock<Box<Slot>>; SHARDS]>,
    /// Held while a shard comes into being, and by whoever needs that none does.
    births: Mutex<()>,
}

impl Keyspace {
    fn new() -> Self {
        let shards: Box<[OnceLock<Box<Slot>>]> = (0..SHARDS).map(|_| OnceLock::new()).collect();
        let Ok(shards) = shards.try_into() else { unreachable!("there are as many as asked for") };
        Self { shards, births: Mutex::new(()) }
    }

    #[inline]
    fn shard(&self, index: usize) -> &RwLock<Shard> {
        match self.shards[index].get() {
            Some(slot) => &slot.0,
            None => self.give_birth(index),
        }
    }

    /// Gives all of these databases the shards that any of them has. The births of all must be
    /// held.
    fn match_shards(keyspaces: &[&Self]) {
        for index in 0..SHARDS {
            let shards = keyspaces.iter().map(|keyspace| &keyspace.shards[index]);
            if shards.clone().any(|shard| shard.get().is_some()) {
                shards.for_each(|shard| _ = shard.get_or_init(Box::default));
            }
        }
    }

    #[cold]
    fn give_birth(&self, index: usize) -> &RwLock<Shard> {
        let _births = self.births.lock();
        &self.shards[index].get_or_init(Box::default).0
    }
}

/// The databases as one of them: where an operation runs.
#[derive(Clone, Copy)]
pub(crate) struct Space<'e> {
    pub(crate) databases: &'e Databases,
    pub(crate) database: u16,
    /// Who wants to know what is looked up, if anybody does.
    pub(crate) caller: Option<&'e Caller>,
}

impl<'e> Space<'e> {
    #[inline]
    pub(crate) fn new(databases: &'e Databases, database: u16) -> Self {
        Self { databases, database, caller: None }
    }

    /// The same for somebody who wants to know what is looked up.
    pub(crate) fn of_caller(databases: &'e Databases, database: u16, caller: &'e Caller) -> Self {
        Self { databases, database, caller: Some(caller) }
    }

    pub(crate) fn in_database(self, database: u16) -> Self {
        Self { database, ..self }
    }
}

/// The time of one operation: read when first needed, and then the same to its end.
pub(crate) struct Moment<'e> {
    pub(crate) databases: &'e Databases,
    caller: Option<&'e Caller>,
    /// Zero until read.
    now: Cell<u64>,
    /// No later than this: before what was found to be far off while the time had yet to be read.
    latest: Cell<u64>,
    /// Whether an entry was met that has expired and is still there.
    saw_expired: Cell<bool>,
}

impl<'e> Moment<'e> {
    #[inline]
    fn new(Space { databases, caller, .. }: Space<'e>) -> Self {
        let (now, latest) = (Cell::new(0), Cell::new(u64::MAX));
        Self { databases, caller, now, latest, saw_expired: Cell::new(false) }
    }

    /// The time of several operations, read at once: what one of them finds is not yet due is not
    /// for the next either, however long that one takes.
    fn fixed(space: Space<'e>) -> Self {
        let moment = Self::new(space);
        moment.now();
        moment
    }

    /// The store's time in milliseconds.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        if self.now.get() == 0 {
            self.now.set(self.databases.clock.now().min(self.latest.get()));
        }
        self.now.get()
    }

    /// The Unix time in milliseconds as the clock on the wall tells it now, which does not
    /// stand still within an operation.
    #[inline]
    pub(crate) fn wall(&self) -> u64 {
        self.databases.clock.wall()
    }

    /// The deadline `millis` from now.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidExpire`] if it overflows.
    #[inline]
    pub(crate) fn deadline_in(&self, millis: i64) -> Result<u64> {
        // Redis keeps deadlines as signed milliseconds.
        let deadline = (self.now() as i64).checked_add(millis).ok_or(Error::InvalidExpire)?;
        Ok(deadline.max(1) as u64)
    }

    /// The deadline at a Unix time in milliseconds; a time before the store's beginning is as
    /// good as any other in the past.
    pub(crate) fn deadline_at(&self, unix_millis: i64) -> u64 {
        unix_millis.saturating_sub(self.databases.wall_offset()).max(1) as u64
    }

    /// The Unix time in milliseconds of a deadline.
    pub(crate) fn unix_of(&self, deadline: u64) -> i64 {
        self.databases.unix_of(deadline)
    }

    /// Whether a deadline is due.
    #[inline]
    pub(crate) fn has_passed(&self, deadline: u64) -> bool {
        if self.now.get() == 0 && self.databases.clock.is_far_before(deadline) {
            self.latest.set(self.latest.get().min(deadline - 1));
            return false;
        }
        deadline <= self.now() && !self.databases.is_loading()
    }
}

/// What is left to do once an operation has released its locks.
#[derive(Default)]
pub(crate) struct After {
    /// What left the keyspace: dropped here, since dropping may take long.
    removed: SmallVec<[Removed; 1]>,
    /// The rest, which most operations have none of.
    rest: Option<Box<Rest>>,
    /// What was done under the locks that are held, if there is a journal.
    record: Option<Box<Record>>,
    /// Behind the last record that was appended to the journal; zero if none was.
    position: u64,
}

#[derive(Default)]
struct Rest {
    /// What emptied shards held: dropped here too.
    cleared: Vec<Shard>,
    /// Parts that structures lost: dropped here too.
    discarded: Vec<Box<dyn Any + Send>>,
    /// Changed keys that somebody waits for.
    ready: Vec<(u16, Value)>,
    /// Those whose waiting has ended, and who do not know it yet.
    served: Vec<Arc<Waiter>>,
    /// What a batch publishes, as (channel, payload).
    messages: Vec<(Value, Value)>,
    /// The earliest deadline that maintenance may not know of.
    wake_at: Option<u64>,
    has_events: bool,
}

impl Rest {
    /// Whether anybody but the caller is to hear of what was done.
    fn concerns_others(&self) -> bool {
        !self.served.is_empty() || !self.messages.is_empty() || self.has_events
    }

    /// Wakes who was served, and publishes.
    fn tell(all: &mut [Box<Self>], databases: &Databases, outcome: &Result<()>) {
        let served = all.iter().flat_map(|rest| &rest.served);
        let wakers: Vec<_> = served.filter_map(|waiter| waiter.conclude(outcome)).collect();
        wakers.into_iter().for_each(Waker::wake);
        for rest in all {
            if rest.has_events {
                databases.events.publish();
            }
            for (channel, payload) in std::mem::take(&mut rest.messages) {
                databases.hub.publish(&channel, payload);
            }
        }
    }
}

impl After {
    /// Appends what was recorded to the journal. The locks of what has changed must be held.
    #[inline]
    fn append(&mut self, databases: &Databases) {
        if self.record.is_some() {
            self.append_record(databases);
        }
    }

    #[inline(never)]
    fn append_record(&mut self, databases: &Databases) {
        let Some(mut record) = self.record.take() else { return };
        if let Some(journal) = databases.journal()
            && !record.is_empty()
        {
            self.position = self.position.max(journal.append(&mut record));
        }
        record.keep_spare();
    }

    /// Does not wait for the journal: what was appended so far would happen again by itself.
    fn forgo_acknowledgement(&mut self) {
        self.position = 0;
    }

    /// Where changes of a key are recorded, if there is a journal.
    #[inline]
    fn recorder<'r>(
        &'r mut self,
        databases: &'r Databases,
        database: u16,
        key: &'r [u8],
    ) -> Option<Recorder<'r>> {
        let journal = databases.journal()?;
        Some(Recorder::new(journal, databases, &mut self.record, database, key))
    }

    /// Serves waiters, waits for the journal, and then tells everybody: wakes who was served,
    /// publishes events and messages, and drops what was removed. No lock of a shard may be held.
    ///
    /// # Errors
    ///
    /// The journal's, if it cannot answer for what was done, which has happened nevertheless.
    #[inline]
    pub(crate) fn settle(&mut self, databases: &Databases) -> Result<()> {
        if self.rest.is_some() {
            return self.settle_rest(databases);
        }
        self.await_journal(databases)
    }

    /// Waits for the journal to answer for what only the caller is to hear of.
    #[inline]
    fn await_journal(&mut self, databases: &Databases) -> Result<()> {
        if self.position > 0 && journal::defer(self.position) {
            self.position = 0;
        }
        self.acknowledge(databases)
    }

    /// Waits for the journal to answer for what was appended to it, if anything was.
    #[inline]
    fn acknowledge(&mut self, databases: &Databases) -> Result<()> {
        let position = std::mem::take(&mut self.position);
        if position == 0 {
            return Ok(());
        }
        databases.journal().map_or(Ok(()), |journal| journal.acknowledge(position))
    }

    /// Whether nothing is left to do, not even to drop anything.
    #[inline]
    fn is_nothing(&self) -> bool {
        let has_removed = !self.removed.is_empty() || self.removed.spilled();
        self.rest.is_none() && self.position == 0 && self.record.is_none() && !has_removed
    }

    #[inline(never)]
    fn settle_rest(&mut self, databases: &Databases) -> Result<()> {
        let mut told = Vec::new();
        while let Some(mut rest) = self.rest.take() {
            // First, as wakers and filters are the caller's code, which may panic.
            if let Some(deadline) = rest.wake_at {
                databases.maintenance.wake_at(deadline);
            }
            for (database, key) in std::mem::take(&mut rest.ready) {
                waiters::serve(databases, database, &key, self);
            }
            told.push(rest);
        }
        if !told.iter().any(|rest| rest.concerns_others()) {
            return self.await_journal(databases);
        }
        let outcome = self.acknowledge(databases);
        let tell = || Rest::tell(&mut told, databases, &outcome);
        journal::tell_others(databases.journal(), tell);
        outcome
    }

    /// Tells the journal's error to a caller who has none of its own.
    #[inline]
    pub(crate) fn settle_with<R>(&mut self, databases: &Databases, answer: Result<R>) -> Result<R> {
        match self.settle(databases) {
            Ok(()) => answer,
            Err(error) => answer.and(Err(error)),
        }
    }

    fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    fn note_served(&mut self, waiter: Arc<Waiter>) {
        self.rest().served.push(waiter);
    }

    fn note_ready(&mut self, database: u16, key: &[u8]) {
        let ready = &mut self.rest().ready;
        // A batch may change one key many times.
        if !ready.last().is_some_and(|(last, known)| *last == database && **known == *key) {
            ready.push((database, Value::from(key)));
        }
    }

    /// Records and tells of what has expired, and keeps it to be dropped.
    fn note_lapsed(&mut self, databases: &Databases, database: u16, lapsed: Lapsed) {
        if let Some(mut recorder) = self.recorder(databases, database, lapsed.key()) {
            lapsed.each_effect(|effect| recorder.keep(effect));
        }
        let has_listeners = databases.events.has_listeners();
        let mut tell = |key: &[u8], kind, value| {
            if has_listeners {
                let event = Event { database, key: Value::from(key), kind, value };
                self.rest().has_events = true;
                databases.events.push(event);
            }
        };
        match lapsed {
            Lapsed::Entry(removed) => {
                databases.expired.fetch_add(1, Ordering::Relaxed);
                tell(removed.key(), EventKind::Expired, removed.value());
                self.removed.push(removed);
            }
            Lapsed::Parts { key, event, parts, emptied } => {
                tell(&key, event, None);
                if emptied.is_some() {
                    tell(&key, EventKind::Deleted, None);
                }
                self.removed.extend(parts.into_iter().map(Removed::String));
                self.removed.extend(emptied);
            }
        }
    }

    fn note_event(&mut self, databases: &Databases, event: Event) {
        self.rest().has_events = true;
        databases.events.push(event);
    }

    #[inline]
    fn note_deadline(&mut self, databases: &Databases, deadline: u64) {
        if databases.maintenance.sleeps_beyond(deadline) && !databases.is_loading() {
            let wake_at = &mut self.rest().wake_at;
            *wake_at = Some(wake_at.map_or(deadline, |at| at.min(deadline)));
        }
    }

    /// Adds what is left of another, whose record must have been appended.
    fn join(&mut self, other: After) {
        debug_assert!(other.record.is_none(), "a record that nobody would append");
        self.removed.extend(other.removed);
        self.position = self.position.max(other.position);
        let Some(other) = other.rest else { return };
        let rest = self.rest();
        rest.cleared.extend(other.cleared);
        rest.discarded.extend(other.discarded);
        rest.ready.extend(other.ready);
        rest.served.extend(other.served);
        rest.messages.extend(other.messages);
        rest.has_events |= other.has_events;
        rest.wake_at = [rest.wake_at, other.wake_at].into_iter().flatten().min();
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_operation_has_one_time_however_long_it_takes() {
        let store = crate::Store::new();
        let databases = store.databases();
        let moment = Moment::new(Space::new(databases, 0));
        // So far off that the time itself need not be read.
        let deadline = databases.clock.now() + 1_100;
        assert!(!moment.has_passed(deadline));
        std::thread::sleep(Duration::from_millis(1_200));
        assert!(!moment.has_passed(deadline), "it was not due before");
        assert!(moment.now() < deadline);
        assert!(Moment::new(Space::new(databases, 0)).has_passed(deadline));
    }

    #[test]
    fn who_has_read_strings_keeps_nobody_from_writing_them() {
        use super::access::{Access, ReadStrings};

        let store = crate::Store::new();
        store.kv().set("key", "old").unwrap();
        let writer = store.clone();
        let strings = ReadStrings::enter(store.space(), &[b"key"], |strings| {
            let (written, is_written) = std::sync::mpsc::channel();
            std::thread::spawn(move || written.send(writer.kv().set("key", "new")));
            let outcome = is_written.recv_timeout(Duration::from_secs(10));
            outcome.expect("the key is not locked")?;
            Ok(strings)
        });
        assert_eq!(strings.unwrap(), [Some(Value::from("old"))]);
        assert_eq!(store.kv().get("key").unwrap().unwrap(), "new");
    }
}
