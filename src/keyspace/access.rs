//! Which shards an operation locks, decided by its type.
//!
//! An operation names one of the accesses below. [`Read`] and [`Write`] are the fast paths: one
//! key, one lock, everything on the stack. [`ReadEach`], [`ReadMany`] and [`WriteMany`] lock all
//! that they name before they see anything, so they are atomic. [`Walk`] visits shard
//! after shard and is not. [`Channels`] touches no key at all.
//!
//! The same operation also runs *within* shards that a batch or a transaction has [`Locked`].
//!
//! Whatever may write is refused a key that is too long to be stored, before it runs. A reader is
//! not, as it finds nothing there.

use smallvec::{SmallVec, smallvec};

use super::capture::Capture;
use super::effect::Effect;
use super::shard::Shard;
use super::view::View;
use super::waiters::Waiter;
use super::writer::Writer;
use super::{After, Databases, Keyspace, Moment, SHARDS, Space, journal, shard_index};
use crate::error::{Error, Result};
use crate::pubsub::Hub;
use crate::sync::{Arc, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::value::{Value, check_len};

/// How an operation meets the keyspace.
pub(crate) trait Access {
    /// What it names before it runs.
    type Target<'a>;
    /// What it sees when it runs.
    type Scope<'s>;

    /// Locks, runs, unlocks, and does what follows from it.
    fn enter<R>(
        space: Space<'_>,
        target: Self::Target<'_>,
        run: impl FnOnce(Self::Scope<'_>) -> Result<R>,
    ) -> Result<R>;

    /// Adds the locks it needs.
    fn demand(space: Space<'_>, target: Self::Target<'_>, demand: &mut Demand);

    /// Runs on shards that are locked already.
    fn within<R>(
        locked: &mut Locked<'_>,
        database: u16,
        target: Self::Target<'_>,
        run: impl FnOnce(Self::Scope<'_>) -> Result<R>,
    ) -> Result<R>;
}

/// Reads one key.
pub(crate) struct Read;
/// Reads and changes one key.
pub(crate) struct Write;
/// Reads several keys at one instant, each by itself.
pub(crate) struct ReadEach;
/// Reads several strings at one instant and lets go of their locks before it runs, for what takes
/// long.
pub(crate) struct ReadStrings;
/// Reads several keys at one instant.
pub(crate) struct ReadMany;
/// Reads and changes several keys at one instant.
pub(crate) struct WriteMany;
/// Reads shard after shard; each at an instant of its own.
pub(crate) struct Walk;

/// Publishes and looks at channels; no key, no lock.
pub(crate) struct Channels;

/// What an operation on several keys needs to lock.
pub(crate) enum Extent<'a> {
    Keys(SmallVec<[Place<'a>; 4]>),
    /// The whole current database.
    Database,
    /// The whole current database, and this key in it wherever it will be.
    DatabaseAnd(&'a [u8]),
    /// Two whole databases, which are to have the same shards.
    Pair(u16, u16),
    /// All databases.
    Everything,
}

/// A key in a database; in the current one unless it says so.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) database: Option<u16>,
    pub(crate) key: &'a [u8],
}

impl<'a> Extent<'a> {
    /// Keys of the current database.
    pub(crate) fn keys(keys: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self::Keys(keys.into_iter().map(|key| Place { database: None, key }).collect())
    }

    /// An error if a key is too long to be stored.
    pub(crate) fn check_len(&self) -> Result<()> {
        let Self::Keys(places) = self else { return Ok(()) };
        places.iter().try_for_each(|place| check_len(place.key.len()))
    }
}

impl Access for Read {
    type Target<'a> = &'a [u8];
    type Scope<'s> = View<'s>;

    #[inline]
    fn enter<R>(
        space: Space<'_>,
        key: &[u8],
        run: impl FnOnce(View<'_>) -> Result<R>,
    ) -> Result<R> {
        let hash = space.databases.hash(key);
        let moment = Moment::new(space);
        let Some(shard) = space.databases.slot(space.database, hash) else {
            moment.note_lookup(false);
            return run(View::absent(&moment));
        };
        let shard = shard.read();
        let answer = run(View::look_up(&shard, hash, key, &moment));
        drop(shard);
        if moment.saw_expired.get() {
            return purged(space, key, answer);
        }
        answer
    }

    fn demand(space: Space<'_>, key: &[u8], demand: &mut Demand) {
        demand.key(space, key, false);
    }

    fn within<R>(
        locked: &mut Locked<'_>,
        database: u16,
        key: &[u8],
        run: impl FnOnce(View<'_>) -> Result<R>,
    ) -> Result<R> {
        run(locked.look_up(database, key)?)
    }
}

/// Removes an entry that a reader found expired; the reader does not wait for the journal.
#[cold]
fn purged<R>(space: Space<'_>, key: &[u8], answer: Result<R>) -> Result<R> {
    let mut after = After::default();
    Write::enter_unsettled(space, key, &mut after, |mut writer| _ = writer.purge());
    after.forgo_acknowledgement();
    // Whoever was served hears of an error.
    let _ = after.settle(space.databases);
    answer
}

impl Access for Write {
    type Target<'a> = &'a [u8];
    type Scope<'s> = Writer<'s>;

    #[inline]
    fn enter<R>(
        space: Space<'_>,
        key: &[u8],
        run: impl FnOnce(Writer<'_>) -> Result<R>,
    ) -> Result<R> {
        check_len(key.len())?;
        space.databases.admit()?;
        let mut after = After::default();
        let mut error = None;
        // An error is several words long: where there is none, none is moved about.
        let run = |writer: Writer<'_>| match run(writer) {
            Ok(answer) => Some(answer),
            Err(found) => {
                error = Some(found);
                None
            }
        };
        let answer = Self::enter_unsettled(space, key, &mut after, run);
        if let Err(unsettled) = after.settle(space.databases) {
            return Err(error.unwrap_or(unsettled));
        }
        if after.is_nothing() {
            // Spares the usual case all questions that dropping would ask.
            std::mem::forget(after);
        }
        match answer {
            Some(answer) => Ok(answer),
            None => Err(error.expect("what gives no answer gives an error")),
        }
    }

    fn demand(space: Space<'_>, key: &[u8], demand: &mut Demand) {
        demand.key(space, key, true);
    }

    fn within<R>(
        locked: &mut Locked<'_>,
        database: u16,
        key: &[u8],
        run: impl FnOnce(Writer<'_>) -> Result<R>,
    ) -> Result<R> {
        check_len(key.len())?;
        run(locked.writer(database, key)?)
    }
}

impl Write {
    /// Locks, runs and unlocks; what follows from it joins `after`.
    #[inline(always)]
    fn enter_unsettled<R>(
        space: Space<'_>,
        key: &[u8],
        after: &mut After,
        run: impl FnOnce(Writer<'_>) -> R,
    ) -> R {
        let Space { databases, database, .. } = space;
        let hash = databases.hash(key);
        let moment = Moment::new(space);
        let mut shard = databases.keyspace(database).shard(shard_index(hash)).write();
        shard.about_to_change();
        let writer = Writer {
            shard: &mut shard,
            database,
            hash,
            key,
            moment: &moment,
            after: &mut *after,
            is_alone: true,
        };
        writer.note_use();
        let answer = run(writer);
        after.append(databases);
        answer
    }
}

impl Access for ReadEach {
    type Target<'a> = &'a [&'a [u8]];
    /// The keys as they are, in their order.
    type Scope<'s> = &'s [View<'s>];

    /// Takes all locks first and then looks at all keys, so that the processor can wait for the
    /// memory of several keys at once: there is no lock between two of them.
    fn enter<R>(
        space: Space<'_>,
        keys: Self::Target<'_>,
        run: impl FnOnce(Self::Scope<'_>) -> Result<R>,
    ) -> Result<R> {
        let Space { databases, database, .. } = space;
        let keyspace = databases.keyspace(database);
        let moment = Moment::new(space);
        let mut places: Vec<(usize, usize, u64)> = Vec::with_capacity(keys.len());
        places.extend(keys.iter().enumerate().map(|(position, key)| {
            let hash = databases.hash(key);
            (shard_index(hash), position, hash)
        }));
        places.sort_unstable_by_key(|(shard, ..)| *shard);
        let guards: Vec<RwLockReadGuard<'_, Shard>> = places
            .chunk_by(|one, other| one.0 == other.0)
            .map(|chunk| keyspace.shard(chunk[0].0).read())
            .collect();
        let mut views = vec![View::absent(&moment); keys.len()];
        let chunks = places.chunk_by(|one, other| one.0 == other.0);
        for (chunk, guard) in chunks.zip(&guards) {
            for &(_, position, hash) in chunk {
                views[position] = View::look_up(guard, hash, keys[position], &moment);
            }
        }
        run(&views)
    }

    fn demand(space: Space<'_>, keys: Self::Target<'_>, demand: &mut Demand) {
        keys.iter().for_each(|key| demand.key(space, key, false));
    }

    fn within<R>(
        locked: &mut Locked<'_>,
        database: u16,
        keys: Self::Target<'_>,
        run: impl FnOnce(Self::Scope<'_>) -> Result<R>,
    ) -> Result<R> {
        let views: Result<Vec<View<'_>>> =
            keys.iter().map(|key| locked.look_up(database, key)).collect();
        run(&views?)
    }
}

impl Access for ReadStrings {
    type Target<'a> = &'a [&'a [u8]];
    /// The strings in the order of their keys, shared; `None` where there is no key.
    type Scope<'s> = Vec<Option<Value>>;

    fn enter<R>(
        space: Space<'_>,
        keys: Self::Target<'_>,
        run: impl FnOnce(Self::Scope<'_>) -> Result<R>,
    ) -> Result<R> {
        run(ReadEach::enter(space, keys, share)?)
    }

    fn demand(space: Space<'_>, keys: Self::Target<'_>, demand: &mut Demand) {
        ReadEach::demand(space, keys, demand);
    }

    fn within<R>(
        locked: &mut Locked<'_>,
        database: u16,
        keys: Self::Target<'_>,
        run: impl FnOnce(Self::Scope<'_>) -> Result<R>,
    ) -> Result<R> {
        run(ReadEach::within(locked, database, keys, share)?)
    }
}

/// The strings of keys, to be read without their locks.
fn share(views: &[View<'_>]) -> Result<Vec<Option<Value>>> {
    views.iter().map(View::value).collect()
}

macro_rules! access_many {
    ($access:ident, $scope:ident, $writes:literal) => {
        impl Access for $access {
            type Target<'a> = Extent<'a>;
            type Scope<'s> = $scope<'s>;

            fn enter<R>(
                space: Space<'_>,
                extent: Extent<'_>,
                run: impl FnOnce($scope<'_>) -> Result<R>,
            ) -> Result<R> {
                if $writes {
                    extent.check_len()?;
                    space.databases.admit()?;
                }
                let mut after = After::default();
                let answer = Self::enter_unsettled(space, extent, &mut after, run);
                after.settle_with(space.databases, answer)
            }

            fn demand(space: Space<'_>, extent: Extent<'_>, demand: &mut Demand) {
                demand.extent(space, extent, $writes);
            }

            fn within<R>(
                locked: &mut Locked<'_>,
                database: u16,
                extent: Extent<'_>,
                run: impl FnOnce($scope<'_>) -> Result<R>,
            ) -> Result<R> {
                if $writes {
                    extent.check_len()?;
                }
                locked.covers(database, &extent)?;
                run($scope { locked: &mut *locked, database })
            }
        }

        impl $access {
            /// Locks, runs and unlocks; what follows from it joins `after`.
            pub(crate) fn enter_unsettled<R>(
                space: Space<'_>,
                extent: Extent<'_>,
                after: &mut After,
                run: impl FnOnce($scope<'_>) -> Result<R>,
            ) -> Result<R> {
                if $writes {
                    extent.check_len()?;
                }
                let mut demand = Demand::default();
                Self::demand(space, extent, &mut demand);
                let mut locked = demand.lock(space);
                let answer = run($scope { locked: &mut locked, database: space.database });
                locked.release(after);
                answer
            }
        }
    };
}

access_many!(ReadMany, Views, false);
access_many!(WriteMany, Writers, true);

impl Access for Walk {
    type Target<'a> = ();
    type Scope<'s> = Shards<'s>;

    fn enter<R>(space: Space<'_>, (): (), run: impl FnOnce(Shards<'_>) -> Result<R>) -> Result<R> {
        run(Shards { space, moment: &Moment::new(space), locked: None })
    }

    fn demand(space: Space<'_>, (): (), demand: &mut Demand) {
        demand.extent(space, Extent::Database, false);
    }

    fn within<R>(
        locked: &mut Locked<'_>,
        database: u16,
        (): (),
        run: impl FnOnce(Shards<'_>) -> Result<R>,
    ) -> Result<R> {
        locked.covers(database, &Extent::Database)?;
        let space = Space::new(locked.moment.databases, database);
        run(Shards { space, moment: &locked.moment, locked: Some(locked) })
    }
}

impl Access for Channels {
    type Target<'a> = ();
    type Scope<'s> = Broadcast<'s>;

    fn enter<R>(
        space: Space<'_>,
        (): (),
        run: impl FnOnce(Broadcast<'_>) -> Result<R>,
    ) -> Result<R> {
        run(Broadcast { databases: space.databases, held_back: None })
    }

    fn demand(_space: Space<'_>, (): (), _demand: &mut Demand) {}

    fn within<R>(
        locked: &mut Locked<'_>,
        _database: u16,
        (): (),
        run: impl FnOnce(Broadcast<'_>) -> Result<R>,
    ) -> Result<R> {
        let databases = locked.moment.databases;
        run(Broadcast { databases, held_back: Some(&mut locked.after.rest().messages) })
    }
}

/// The channels; within locks, messages are held back until the locks are released.
pub(crate) struct Broadcast<'s> {
    databases: &'s Databases,
    held_back: Option<&'s mut Vec<(Value, Value)>>,
}

impl Broadcast<'_> {
    pub(crate) fn hub(&self) -> &Hub {
        &self.databases.hub
    }

    /// Publishes a message; answers how many get it.
    pub(crate) fn publish(&mut self, channel: &[u8], payload: Value) -> usize {
        let hub = &self.databases.hub;
        let Some(held_back) = &mut self.held_back else {
            let publish = || hub.publish(channel, payload);
            return journal::tell_others(self.databases.journal(), publish);
        };
        held_back.push((Value::from(channel), payload));
        hub.receivers(channel)
    }
}

/// The shards of a database, seen one at a time.
pub(crate) struct Shards<'s> {
    pub(crate) space: Space<'s>,
    pub(crate) moment: &'s Moment<'s>,
    locked: Option<&'s Locked<'s>>,
}

impl Shards<'_> {
    /// Shows the shard with this index; `None` if it has never been used.
    pub(crate) fn visit<R>(&self, index: usize, visit: impl FnOnce(&Shard) -> R) -> Option<R> {
        match self.locked {
            Some(locked) => locked.shard(id(self.space.database, index)).map(visit),
            None => {
                let shard = self.space.databases.shard(self.space.database, index)?;
                Some(visit(&shard.read()))
            }
        }
    }
}

/// Several keys, under shared or exclusive locks.
pub(crate) struct Views<'s> {
    locked: &'s Locked<'s>,
    database: u16,
}

impl<'s> Views<'s> {
    pub(crate) fn moment(&self) -> &'s Moment<'s> {
        &self.locked.moment
    }

    pub(crate) fn look_up(&self, key: &[u8]) -> Result<View<'s>> {
        self.locked.look_up(self.database, key)
    }

    /// All locked shards of the current database.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &'s Shard> {
        self.locked.shards_of(self.database)
    }
}

/// Several keys, under exclusive locks.
pub(crate) struct Writers<'s> {
    locked: &'s mut (dyn LockSet + 's),
    database: u16,
}

impl Writers<'_> {
    pub(crate) fn moment(&self) -> &Moment<'_> {
        self.locked.moment()
    }

    /// A key as a reader sees it.
    pub(crate) fn view(&self, key: &[u8]) -> Result<View<'_>> {
        self.locked.view(self.database, key)
    }

    /// A key to read, which is not the one to change.
    pub(crate) fn look_up(&self, key: &[u8]) -> Result<View<'_>> {
        self.view(key).inspect(|view| view.moment.note_lookup(view.exists()))
    }

    pub(crate) fn writer<'w>(&'w mut self, key: &'w [u8]) -> Result<Writer<'w>> {
        self.locked.writer(self.database, key)
    }

    /// The same locks, seen for a shorter while.
    pub(crate) fn reborrow(&mut self) -> Writers<'_> {
        self.in_database(self.database)
    }

    /// The same locks, seen from another database.
    pub(crate) fn in_database(&mut self, database: u16) -> Writers<'_> {
        Writers { locked: &mut *self.locked, database }
    }

    pub(crate) fn database(&self) -> u16 {
        self.database
    }

    /// Lets `waiter` wait for the keys, which must be locked.
    pub(crate) fn wait(&mut self, keys: &[Value], waiter: &Arc<Waiter>) -> Result<()> {
        for key in keys {
            self.writer(key)?.shard.interests.wait(key, waiter);
        }
        Ok(())
    }

    /// Gives two locked databases the keys of each other.
    pub(crate) fn swap(&mut self, one: u16, other: u16) {
        self.locked.swap(one, other);
    }

    /// Empties every locked shard of the current database.
    pub(crate) fn clear(&mut self) {
        self.locked.clear(self.database);
    }

    /// What all locked shards hold, of all databases.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    pub(crate) fn capture(&self) -> Capture {
        self.locked.capture()
    }
}

/// [`Locked`] without the lifetime of its guards, which would otherwise infect [`Writers`].
pub(super) trait LockSet {
    fn moment(&self) -> &Moment<'_>;
    fn view(&self, database: u16, key: &[u8]) -> Result<View<'_>>;
    fn writer<'w>(&'w mut self, database: u16, key: &'w [u8]) -> Result<Writer<'w>>;
    fn clear(&mut self, database: u16);
    fn swap(&mut self, one: u16, other: u16);
    fn capture(&self) -> Capture;
}

/// The locks that some operations need, before they are taken.
#[derive(Default)]
pub(crate) struct Demand {
    /// Shards by [`id`], and whether one of the operations writes there.
    shards: Vec<(u32, bool)>,
    /// Databases needed whole, and whether one of the operations writes there.
    whole: Vec<(u16, bool)>,
    /// Databases that will have the shards of each other, by one swap or by several, and so must
    /// all have the same ones.
    swapped: Vec<u16>,
    /// Who reads may not look beside others either.
    is_exclusive: bool,
}

impl Demand {
    /// All shards of all databases, for one alone, who changes nothing.
    pub(super) fn of_everything(space: Space<'_>) -> Self {
        let mut demand = Self::default();
        demand.extent(space, Extent::Everything, false);
        demand.exclusive()
    }

    /// The same for one alone, be it only to read.
    pub(crate) fn exclusive(self) -> Self {
        Self { is_exclusive: true, ..self }
    }

    fn key(&mut self, space: Space<'_>, key: &[u8], writes: bool) {
        let index = shard_index(space.databases.hash(key));
        self.shards.push((id(space.database, index), writes));
    }

    fn extent(&mut self, space: Space<'_>, extent: Extent<'_>, writes: bool) {
        match extent {
            Extent::Keys(places) => {
                for Place { database, key } in places {
                    let database = database.unwrap_or(space.database);
                    // The operation itself refuses a database that does not exist.
                    if database < space.databases.count() {
                        self.key(space.in_database(database), key, writes);
                    }
                }
            }
            Extent::Database => self.whole.push((space.database, writes)),
            Extent::DatabaseAnd(key) => {
                self.key(space, key, writes);
                self.whole.push((space.database, writes));
            }
            Extent::Pair(one, other) => {
                if one.max(other) < space.databases.count() {
                    self.whole.extend([(one, writes), (other, writes)]);
                    self.swapped.extend([one, other]);
                }
            }
            Extent::Everything => {
                self.whole.extend((0..space.databases.count()).map(|n| (n, writes)));
            }
        }
    }

    /// Takes the locks, unless the journal refuses what is going to write.
    pub(crate) fn enter(self, space: Space<'_>) -> Result<Locked<'_>> {
        let writes = self.shards.iter().any(|(_, writes)| *writes);
        if writes || self.whole.iter().any(|(_, writes)| *writes) {
            space.databases.admit()?;
        }
        Ok(self.lock(space))
    }

    /// Takes the locks in ascending order, births before shards, whatever the journal says.
    pub(crate) fn lock(mut self, space: Space<'_>) -> Locked<'_> {
        let databases = space.databases;
        // Sorted with writes first, so that the first of equals is the lock needed.
        let strongest_first = |(place, writes): &(u32, bool)| (*place, !writes);
        self.shards.sort_unstable_by_key(strongest_first);
        self.shards.dedup_by_key(|(place, _)| *place);
        for (place, _) in &self.shards {
            let (database, index) = place_of(*place);
            databases.keyspace(database).shard(index);
        }
        self.whole.sort_unstable_by_key(|(database, writes)| (*database, !writes));
        self.whole.dedup_by_key(|(database, _)| *database);
        let births = self.hold_births(databases);
        let mut guards = Vec::with_capacity(self.shards.len());
        for (place, writes) in self.shards {
            let (database, index) = place_of(place);
            if let Some(shard) = databases.shard(database, index) {
                let guard = match self.is_exclusive && !writes {
                    true => Guard::Write(shard.write()),
                    false => Guard::of(shard, writes),
                };
                guards.push((place, guard));
            }
        }
        let whole = self.whole.into_iter().map(|(database, _)| database).collect();
        let moment = Moment::fixed(space);
        Locked { guards, _births: births, whole, moment, after: After::default() }
    }

    /// Keeps new shards from coming into being in the databases needed whole, and demands all
    /// that there are. A database that was never used has none, and stays unborn meanwhile.
    fn hold_births<'e>(&mut self, databases: &'e Databases) -> Vec<MutexGuard<'e, ()>> {
        let swapped = self.swapped.iter().map(|database| databases.keyspace(*database));
        let swapped: Vec<_> = swapped.collect();
        let born = || self.whole.iter().filter_map(|(database, _)| databases.born(*database));
        let lacks_some = born().count() < self.whole.len();
        let mut births: Vec<_> = lacks_some.then(|| databases.births.lock()).into_iter().collect();
        births.extend(born().map(|keyspace| keyspace.births.lock()));
        Keyspace::match_shards(&swapped);
        for &(database, writes) in &self.whole {
            let Some(keyspace) = databases.born(database) else { continue };
            let born = (0..SHARDS).filter(|index| keyspace.shards[*index].get().is_some());
            self.shards.extend(born.map(|index| (id(database, index), writes)));
        }
        if !births.is_empty() {
            self.shards.sort_unstable_by_key(|(place, writes)| (*place, !writes));
            self.shards.dedup_by_key(|(place, _)| *place);
        }
        births
    }
}

/// Shards under lock, with the one time at which everything in them happens.
pub(crate) struct Locked<'e> {
    /// Ascending by [`id`].
    guards: Vec<(u32, Guard<'e>)>,
    _births: Vec<MutexGuard<'e, ()>>,
    whole: Vec<u16>,
    moment: Moment<'e>,
    after: After,
}

/// What was done has happened, even if a panic ends it.
impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.after.append(self.moment.databases);
    }
}

enum Guard<'e> {
    Read(RwLockReadGuard<'e, Shard>),
    Write(RwLockWriteGuard<'e, Shard>),
}

impl<'e> Guard<'e> {
    fn of(shard: &'e RwLock<Shard>, writes: bool) -> Self {
        if !writes {
            return Self::Read(shard.read());
        }
        let mut shard = shard.write();
        shard.about_to_change();
        Self::Write(shard)
    }

    fn shard(&self) -> &Shard {
        match self {
            Self::Read(shard) => shard,
            Self::Write(shard) => shard,
        }
    }

    fn shard_mut(&mut self) -> Option<&mut Shard> {
        match self {
            Self::Read(_) => None,
            Self::Write(shard) => Some(shard),
        }
    }
}

impl Locked<'_> {
    /// All shards that are locked for changes, by the number of their database.
    pub(super) fn shards_mut(&mut self) -> impl Iterator<Item = (u16, usize, &mut Shard)> {
        self.guards.iter_mut().filter_map(|(place, guard)| {
            let (database, index) = place_of(*place);
            Some((database, index, guard.shard_mut()?))
        })
    }

    /// What is locked for one alone, seen from a database.
    pub(crate) fn writers(&mut self, database: u16) -> Writers<'_> {
        Writers { locked: self, database }
    }

    /// Unlocks; what is left to do joins `after`.
    pub(crate) fn release(mut self, after: &mut After) {
        self.after.append(self.moment.databases);
        let own = std::mem::take(&mut self.after);
        drop(self);
        after.join(own);
    }

    /// An error if whole databases are needed that are not locked. Keys are looked for when
    /// they are used.
    fn covers(&self, database: u16, extent: &Extent<'_>) -> Result<()> {
        let count = self.moment.databases.count();
        let needed: SmallVec<[u16; 2]> = match extent {
            Extent::Keys(_) => SmallVec::new(),
            Extent::Database | Extent::DatabaseAnd(_) => smallvec![database],
            Extent::Pair(one, other) => smallvec![*one, *other],
            Extent::Everything => (0..count).collect(),
        };
        // What there is none of cannot be held: that is the better reason.
        if needed.iter().any(|database| *database >= count) {
            return Err(Error::NoSuchDatabase);
        }
        let is_whole = |database: &u16| self.whole.contains(database);
        if needed.iter().all(is_whole) { Ok(()) } else { Err(Error::DatabaseNotInTransaction) }
    }

    /// A key to read.
    fn look_up(&self, database: u16, key: &[u8]) -> Result<View<'_>> {
        self.view(database, key).inspect(|view| view.moment.note_lookup(view.exists()))
    }

    /// Records what was done to a whole database.
    fn record(&mut self, database: u16, effect: &Effect<'_>) {
        if let Some(mut recorder) = self.after.recorder(self.moment.databases, database, b"") {
            recorder.keep(effect);
        }
    }

    fn shard(&self, place: u32) -> Option<&Shard> {
        let index = self.guards.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(self.guards[index].1.shard())
    }

    fn shards_of(&self, database: u16) -> impl Iterator<Item = &Shard> {
        let own = move |(place, _): &&(u32, Guard<'_>)| place_of(*place).0 == database;
        self.guards.iter().filter(own).map(|(_, guard)| guard.shard())
    }

    /// Where the guards of a database are, in the order of its shards.
    fn places_of(&self, database: u16) -> impl Iterator<Item = usize> {
        let places = self.guards.iter().enumerate();
        places.filter(move |(_, (place, _))| place_of(*place).0 == database).map(|(at, _)| at)
    }

    fn shards_of_mut(&mut self, database: u16) -> impl Iterator<Item = (usize, &mut Shard)> {
        self.guards.iter_mut().filter_map(move |(place, guard)| {
            let (own, index) = place_of(*place);
            (own == database).then(|| guard.shard_mut()).flatten().map(|shard| (index, shard))
        })
    }
}

impl LockSet for Locked<'_> {
    fn moment(&self) -> &Moment<'_> {
        &self.moment
    }

    fn view(&self, database: u16, key: &[u8]) -> Result<View<'_>> {
        let hash = self.moment.databases.hash(key);
        match self.shard(id(database, shard_index(hash))) {
            Some(shard) => Ok(View::find(shard, hash, key, &self.moment)),
            None if self.whole.contains(&database) => Ok(View::absent(&self.moment)),
            None => Err(Error::KeyNotInTransaction(Value::from(key))),
        }
    }

    fn writer<'w>(&'w mut self, database: u16, key: &'w [u8]) -> Result<Writer<'w>> {
        let hash = self.moment.databases.hash(key);
        let place = id(database, shard_index(hash));
        let guard = self.guards.binary_search_by_key(&place, |(place, _)| *place);
        let shard = guard.ok().and_then(|index| self.guards[index].1.shard_mut());
        let shard = shard.ok_or_else(|| Error::KeyNotInTransaction(Value::from(key)))?;
        let (moment, after) = (&self.moment, &mut self.after);
        let writer = Writer { shard, database, hash, key, moment, after, is_alone: false };
        writer.note_use();
        Ok(writer)
    }

    fn clear(&mut self, database: u16) {
        let mut after = After::default();
        let hasher = self.moment.databases.hasher();
        let had_keys = self.shards_of(database).any(|shard| shard.len() > 0);
        for (_, shard) in self.shards_of_mut(database) {
            let interested = shard.interests.keys();
            for key in interested {
                let existed = shard.find(hasher.hash(&key), &key).is_some();
                if existed && shard.interests.changed(&key) {
                    after.note_ready(database, &key);
                }
            }
            after.rest().cleared.push(shard.clear());
        }
        self.after.join(after);
        if had_keys {
            self.record(database, &Effect::Clear);
        }
    }

    fn swap(&mut self, one: u16, other: u16) {
        let (one, other) = (one.min(other), one.max(other));
        if one == other {
            return;
        }
        let places: Vec<_> = self.places_of(one).zip(self.places_of(other)).collect();
        for (place, twin) in places {
            let (before, behind) = self.guards.split_at_mut(twin);
            let shards = (before[place].1.shard_mut(), behind[0].1.shard_mut());
            let (Some(shard), Some(twin)) = shards else { continue };
            shard.swap(twin);
            let hasher = self.moment.databases.hasher();
            for (database, shard, twin) in [(one, &*shard, &*twin), (other, &*twin, &*shard)] {
                for key in shard.interests.keys() {
                    let has = |shard: &Shard| shard.find(hasher.hash(&key), &key).is_some();
                    if (has(shard) || has(twin)) && shard.interests.changed(&key) {
                        self.after.note_ready(database, &key);
                    }
                }
            }
        }
        self.record(one, &Effect::Swap { one, other });
    }

    fn capture(&self) -> Capture {
        let shards = self.guards.iter().map(|(place, guard)| (place_of(*place).0, guard.shard()));
        Capture::of(shards)
    }
}

/// The place of a shard in the order of locks.
#[inline]
fn id(database: u16, index: usize) -> u32 {
    u32::from(database) * SHARDS as u32 + index as u32
}

fn place_of(id: u32) -> (u16, usize) {
    ((id / SHARDS as u32) as u16, id as usize % SHARDS)
}
