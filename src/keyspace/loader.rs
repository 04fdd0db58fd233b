//! Filling databases that nobody else uses yet.
//!
//! Nothing is due while entries come, nobody is told of them, and nothing is recorded. The locks
//! are taken one entry at a time, which costs next to nothing while nobody else wants them.

use super::object::Object;
use super::{Databases, shard_index};
use crate::block::Parts;

/// Puts entries under keys that are absent.
pub(crate) struct Loader<'e> {
    databases: &'e Databases,
    earliest: Option<u64>,
}

impl<'e> Loader<'e> {
    pub(crate) fn new(databases: &'e Databases) -> Self {
        Self { databases, earliest: None }
    }

    /// Adds a string; `false` if its key was there.
    #[inline]
    pub(crate) fn string(
        &mut self,
        database: u16,
        key: &[u8],
        value: &[u8],
        deadline: Option<u64>,
    ) -> bool {
        let hash = self.databases.hash(key);
        let hasher = self.databases.hasher();
        let stamp = self.databases.uses.stamp(|| self.databases.clock.now());
        let parts = Parts { key, value, deadline, stamp, ..Parts::default() };
        let shard = self.databases.keyspace(database).shard(shard_index(hash));
        let is_new = shard.write().set_string(hasher, hash, parts).is_none();
        self.note(deadline);
        is_new
    }

    /// Adds an object; `false`, with nothing changed, if its key was there.
    pub(crate) fn object(
        &mut self,
        database: u16,
        key: &[u8],
        object: Object,
        deadline: Option<u64>,
    ) -> bool {
        let hash = self.databases.hash(key);
        let hasher = self.databases.hasher();
        let stamp = self.databases.uses.stamp(|| self.databases.clock.now());
        let mut shard = self.databases.keyspace(database).shard(shard_index(hash)).write();
        if shard.find(hash, key).is_some() {
            return false;
        }
        let due = shard.insert_object(hasher, hash, key, object, (deadline, stamp));
        drop(shard);
        self.note(due);
        true
    }

    #[inline]
    fn note(&mut self, deadline: Option<u64>) {
        if let Some(deadline) = deadline {
            self.earliest = Some(self.earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        }
    }
}

/// Maintenance hears of the deadlines once all entries are there.
impl Drop for Loader<'_> {
    fn drop(&mut self) {
        let maintenance = &self.databases.maintenance;
        if let Some(deadline) = self.earliest.filter(|at| maintenance.sleeps_beyond(*at)) {
            maintenance.wake_at(deadline);
        }
    }
}
