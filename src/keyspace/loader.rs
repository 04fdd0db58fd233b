//! Filling databases that nobody else uses yet.
//!
//! Nothing is due while entries come, nobody is told of them, and nothing is recorded. Nor does
//! maintenance hear of deadlines: whoever loads sees to that once all is there. The locks are taken
//! one entry at a time, which costs next to nothing while nobody else wants them.
//!
//! Entries wait, sorted by their shards, until many can be put into a shard's table at once: for
//! each by itself, places of some table would be fetched from memory, and tables would grow again
//! and again. A shard counts what waits for it as if it were there already.

use super::object::Object;
use super::{Databases, SHARDS, Shard, shard_index};
use crate::block::{Block, Parts};

/// Entries that wait to be put into tables, at most: a thousand for each shard, which take 16 to
/// 32 bytes each beside their own. Tests have fewer, and see what comes in several goes.
const MOST: usize = if cfg!(test) { 100 } else { 1 << 20 };

/// Puts entries under keys that are absent. All are there once it has [finished](Self::finish).
/// Until then, and once it has said that a key has come twice, now or earlier, the databases are of
/// no use.
pub(crate) struct Loader<'e> {
    databases: &'e Databases,
    /// Of all entries that wait.
    database: u16,
    /// What waits to be put into tables, with their hashes, by shard.
    waiting: Box<[Vec<(u64, Block)>]>,
    /// The shards for which anything waits.
    shards: Vec<usize>,
    count: usize,
}

impl<'e> Loader<'e> {
    pub(crate) fn new(databases: &'e Databases) -> Self {
        Self {
            databases,
            database: 0,
            waiting: (0..SHARDS).map(|_| Vec::new()).collect(),
            shards: Vec::new(),
            count: 0,
        }
    }

    /// Adds a string; `false` if a key has come twice in a database.
    #[inline]
    pub(crate) fn string(
        &mut self,
        database: u16,
        key: &[u8],
        value: &[u8],
        deadline: Option<u64>,
    ) -> bool {
        let parts = Parts { key, value, deadline, ..Parts::default() };
        self.add(database, parts, |shard, hash, parts| shard.expect_string(hash, parts))
    }

    /// Adds an object; `false` if a key has come twice in a database.
    pub(crate) fn object(
        &mut self,
        database: u16,
        key: &[u8],
        object: Object,
        deadline: Option<u64>,
    ) -> bool {
        let parts = Parts { key, deadline, ..Parts::default() };
        self.add(database, parts, |shard, hash, parts| shard.expect_object(hash, object, parts))
    }

    /// Ends; `false` if a key has come twice in a database.
    pub(crate) fn finish(mut self) -> bool {
        self.place_all()
    }

    #[inline]
    fn add(
        &mut self,
        database: u16,
        parts: Parts<'_>,
        expect: impl FnOnce(&mut Shard, u64, Parts<'_>) -> Block,
    ) -> bool {
        let databases = self.databases;
        let mut are_new = true;
        if self.database != database || self.count == MOST {
            are_new = self.place_all();
            self.database = database;
        }
        let hash = databases.hash(parts.key);
        let index = shard_index(hash);
        let stamp = databases.uses.stamp(|| databases.clock.now());
        let shard = databases.keyspace(database).shard(index);
        let block = expect(&mut shard.write(), hash, Parts { stamp, ..parts });
        let waiting = &mut self.waiting[index];
        if waiting.is_empty() {
            self.shards.push(index);
        }
        waiting.push((hash, block));
        self.count += 1;
        are_new
    }

    /// Puts all that waits into tables.
    fn place_all(&mut self) -> bool {
        let Self { databases, database, waiting, shards, count, .. } = self;
        *count = 0;
        shards.drain(..).all(|index| {
            let entries = std::mem::take(&mut waiting[index]);
            let shard = databases.keyspace(*database).shard(index);
            shard.write().place_all(databases.hasher(), entries)
        })
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::Store;
    use crate::data::list::{List, ListEnd};
    use crate::keyspace::Data;

    fn names(count: usize) -> impl Iterator<Item = String> + Clone {
        (0..count).map(|number| format!("key {number}"))
    }

    /// A list of one element.
    fn list(element: &str) -> Object {
        let mut list = List::default();
        list.push(ListEnd::Back, element.as_bytes());
        list.into_object()
    }

    #[test]
    fn what_comes_in_several_goes_to_several_databases_is_all_there() {
        let store = Store::new();
        let mut loader = Loader::new(store.databases());
        let now = store.databases().clock.now();
        // Runs of one database, of any length.
        let keys =
            || (0..).zip(names(7 * MOST)).map(|(number, name)| (number, number / 70 % 3, name));
        for (number, database, name) in keys() {
            let deadline = (number % 3 == 0).then_some(now + 1_000_000);
            let key = name.as_bytes();
            assert!(match number % 5 {
                0 => loader.object(database, key, list(&name), deadline),
                _ => loader.string(database, key, key, deadline),
            });
        }
        assert!(loader.finish());
        for (number, database, name) in keys() {
            let database = store.database(database).unwrap();
            let value = match number % 5 {
                0 => database.list(&name).get(0).unwrap(),
                _ => database.kv().get(&name).unwrap(),
            };
            assert_eq!(value.unwrap(), name.as_str());
            assert_eq!(
                database.keys().time_to_live(&name).unwrap().left().is_some(),
                number % 3 == 0
            );
        }
        for (_, shard) in store.databases().shards() {
            shard.read().check(store.databases().hasher());
        }
    }

    #[test]
    fn a_key_that_comes_twice_is_found() {
        for (count, again) in [(1, 0), (50, 49), (3 * MOST, 5), (3 * MOST, 3 * MOST - 1)] {
            for database in 0..2 {
                let store = Store::new();
                let mut loader = Loader::new(store.databases());
                let mut add =
                    |database, name: String| loader.string(database, name.as_bytes(), b"", None);
                assert!(names(count).all(|name| add(0, name)));
                let name = format!("key {again}");
                let are_new = match again % 2 {
                    0 => add(database, name),
                    _ => loader.object(database, name.as_bytes(), list("a"), None),
                };
                assert_eq!(are_new && loader.finish(), database == 1, "{again} of {count} again");
            }
        }
    }
}
