//! A capture: all entries of all databases as they are at one instant, taken while others go on
//! changing them.
//!
//! For that instant all locks are held, and every shard is summoned. Then whoever comes first to a
//! shard takes its entries: the reader of the capture, under a shared lock, or a writer who is
//! about to change it. Taking an entry shares it; the bytes of a string are never changed while
//! they are shared, and a structure is copied before it is.
//!
//! # Invariant
//!
//! `taken` of a shard is looked at and set under the shard's lock alone, and becomes true before
//! anything of the shard changes. So each shard is taken exactly once, as it was.
//!
//! # Complexity
//!
//! The instant costs one lock per shard in use. A shard costs a reference count per entry, under
//! its lock. The first change of a structure after it was taken costs a copy of it, for as long as
//! the capture has not let go of it.

use super::access::Demand;
use super::object::Object;
use super::shard::Shard;
use super::{Databases, Space};
use crate::block::Block;
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, Weak};

/// The entries of all shards at one instant, as far as they have been taken.
pub(crate) struct Capture {
    places: Vec<Place>,
    /// Shards that writers took.
    surrendered: Mutex<Vec<CapturedShard>>,
    census: Census,
}

/// What there was at the instant.
#[derive(Default)]
pub(crate) struct Census {
    /// Databases that have keys, ascending.
    pub(crate) databases: Vec<Population>,
    /// See [`Shard::bytes`].
    pub(crate) bytes: u64,
    /// Whether parts of any structure have deadlines.
    pub(crate) has_dated_parts: bool,
}

/// The keys of one database.
pub(crate) struct Population {
    pub(crate) database: u16,
    pub(crate) keys: u64,
    /// Those of them that have a deadline.
    pub(crate) dated: u64,
}

struct Place {
    database: u16,
    index: usize,
    taken: AtomicBool,
}

/// What asks a shard for its entries before they change.
pub(super) struct Summons {
    capture: Weak<Capture>,
    position: usize,
    /// That of a capture of an earlier instant, since which nothing has changed.
    earlier: Option<Box<Summons>>,
}

/// One shard as it was.
pub(crate) struct CapturedShard {
    pub(crate) database: u16,
    pub(crate) entries: Vec<Captured>,
}

/// One entry as it was; the block holds key and deadline, and the value of a string.
pub(crate) type Captured = (Block, Option<Object>);

impl Databases {
    /// Begins a capture; `at_the_instant` runs while nobody can change anything.
    pub(crate) fn capture<R>(&self, at_the_instant: impl FnOnce() -> R) -> (Arc<Capture>, R) {
        let space = Space::new(self, 0);
        let mut locked = Demand::of_everything(space).lock(space);
        let capture = Arc::new_cyclic(|capture| {
            let mut places = Vec::new();
            let mut census = Census::default();
            for (position, (database, index, shard)) in locked.shards_mut().enumerate() {
                let capture = Weak::clone(capture);
                shard.summon(Summons { capture, position, earlier: None });
                places.push(Place { database, index, taken: AtomicBool::new(false) });
                census.count(database, shard);
            }
            Capture { places, surrendered: Mutex::default(), census }
        });
        let answer = at_the_instant();
        drop(locked);
        (capture, answer)
    }
}

impl Census {
    /// Keys of all databases.
    pub(crate) fn keys(&self) -> u64 {
        self.databases.iter().map(|population| population.keys).sum()
    }

    /// Counts one more shard; those of a database come together.
    fn count(&mut self, database: u16, shard: &Shard) {
        if shard.len() == 0 {
            return;
        }
        self.bytes += shard.bytes() as u64;
        self.has_dated_parts |= shard.has_dated_parts();
        if self.databases.last().is_none_or(|last| last.database != database) {
            self.databases.push(Population { database, keys: 0, dated: 0 });
        }
        if let Some(population) = self.databases.last_mut() {
            population.keys += shard.len() as u64;
            population.dated += shard.with_deadline() as u64;
        }
    }
}

impl Capture {
    /// All shards that are locked for changes, taken at once.
    pub(super) fn of<'s>(shards: impl Iterator<Item = (u16, &'s Shard)>) -> Self {
        let (mut taken, mut census) = (Vec::new(), Census::default());
        for (database, shard) in shards {
            census.count(database, shard);
            taken.push(CapturedShard { database, entries: shard.entries() });
        }
        Self { places: Vec::new(), surrendered: Mutex::new(taken), census }
    }

    pub(crate) fn census(&self) -> &Census {
        &self.census
    }

    /// Takes all shards in their order, but for those that writers have taken, which come as they
    /// are found.
    pub(crate) fn shards<'c>(
        &'c self,
        databases: &'c Databases,
    ) -> impl Iterator<Item = CapturedShard> + 'c {
        let mut places = self.places.iter();
        std::iter::from_fn(move || {
            loop {
                let surrendered = self.surrendered.lock().pop();
                if surrendered.is_some() {
                    return surrendered;
                }
                let Some(place) = places.next() else {
                    // What a writer took came before its place was looked at.
                    return self.surrendered.lock().pop();
                };
                if let Some(shard) = place.take(databases) {
                    return Some(shard);
                }
            }
        })
    }
}

impl Place {
    /// Takes the shard, unless a writer has.
    fn take(&self, databases: &Databases) -> Option<CapturedShard> {
        let shard = databases.shard(self.database, self.index)?.read();
        self.capture(&shard)
    }

    /// The entries of the shard, which is locked, for whoever comes first.
    fn capture(&self, shard: &Shard) -> Option<CapturedShard> {
        let is_first = !self.taken.swap(true, Ordering::Relaxed);
        is_first.then(|| CapturedShard { database: self.database, entries: shard.entries() })
    }
}

impl Summons {
    /// With those of earlier captures that have yet to be answered.
    pub(super) fn behind(self, earlier: Option<Self>) -> Self {
        Self { earlier: earlier.map(Box::new).and_then(Self::unanswered), ..self }
    }

    fn unanswered(mut self: Box<Self>) -> Option<Box<Self>> {
        self.earlier = self.earlier.and_then(Self::unanswered);
        let capture = self.capture.upgrade();
        let is_taken =
            capture.is_none_or(|it| it.places[self.position].taken.load(Ordering::Relaxed));
        if is_taken { self.earlier } else { Some(self) }
    }

    /// Gives what the shard holds, unless it was taken or nobody wants it any more.
    pub(super) fn answer(self, shard: &Shard) {
        if let Some(earlier) = self.earlier {
            earlier.answer(shard);
        }
        let Some(capture) = self.capture.upgrade() else { return };
        if let Some(shard) = capture.places[self.position].capture(shard) {
            capture.surrendered.lock().push(shard);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Range;

    use super::*;
    use crate::{Store, Value};

    fn taken(capture: &Capture, store: &Store) -> BTreeMap<Value, Value> {
        let entries = capture.shards(store.databases()).flat_map(|shard| shard.entries);
        entries.map(|(block, _)| (block.key().into(), block.value().into())).collect()
    }

    #[test]
    fn captures_of_several_instants_have_each_their_own_and_take_nothing_for_each_other() {
        const KEYS: u32 = 3000;
        let store = Store::new();
        let set = |keys: Range<u32>, value: u32| {
            keys.for_each(|key| store.kv().set(key.to_string(), value).unwrap());
        };
        let begin = || store.databases().capture(|| ()).0;
        set(0..KEYS, 1);
        let [first, dropped, second] = [begin(), begin(), begin()];
        assert!(first.surrendered.lock().is_empty(), "nothing has changed");
        drop(dropped);
        set(0..300, 2);
        let third = begin();
        set(200..500, 3);
        let is = |capture: &Capture, value: fn(u32) -> u32| {
            let keys = (0..KEYS).map(|key| (key.to_string().into(), value(key).to_string().into()));
            assert_eq!(taken(capture, &store), keys.collect());
        };
        is(&third, |key| if key < 300 { 2 } else { 1 });
        is(&first, |_| 1);
        set(0..KEYS, 4);
        is(&second, |_| 1);
        is(&begin(), |_| 4);
    }
}
