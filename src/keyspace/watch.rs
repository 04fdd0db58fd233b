//! Optimistic watches: has a key changed since I looked?

use super::Databases;
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::value::Value;

/// Keys under watch. Any change to one of them breaks the watch.
pub(crate) struct Watched {
    databases: Arc<Databases>,
    keys: Vec<(u16, Value)>,
    broken: Arc<AtomicBool>,
}

impl Watched {
    pub(crate) fn new(databases: &Arc<Databases>) -> Self {
        let broken = Arc::new(AtomicBool::new(false));
        Self { databases: Arc::clone(databases), keys: Vec::new(), broken }
    }

    /// Watches one more key from now on.
    pub(crate) fn add(&mut self, database: u16, key: &[u8]) {
        let known = |(d, k): &(u16, Value)| *d == database && **k == *key;
        if self.keys.iter().any(known) {
            return;
        }
        let hash = self.databases.hash(key);
        let keyspace = self.databases.keyspace(database);
        let mut shard = keyspace.shard(super::shard_index(hash)).write();
        shard.interests.watch(key, &self.broken);
        self.keys.push((database, Value::from(key)));
    }

    /// The keys, with their databases.
    pub(crate) fn keys(&self) -> &[(u16, Value)] {
        &self.keys
    }

    /// Whether a key has changed since it was added.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        for (database, key) in &self.keys {
            if let Some(shard) = self.databases.slot(*database, self.databases.hash(key)) {
                shard.write().interests.stop_watching(key, &self.broken);
            }
        }
    }
}
