//! Optimistic watches: has a key changed since I looked?

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::access::{Access, Demand, LockSet, Locked, Read, Write};
use super::uses::Caller;
use super::{Databases, Space, View};
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::value::Value;

/// Keys under watch. Any change to one of them breaks the watch; so does its expiry.
pub(crate) struct Watched {
    databases: Arc<Databases>,
    /// With whether they existed.
    keys: HashMap<(u16, Value), bool>,
    broken: Arc<AtomicBool>,
}

impl Watched {
    pub(crate) fn new(databases: &Arc<Databases>) -> Self {
        let broken = Arc::new(AtomicBool::new(false));
        Self { databases: Arc::clone(databases), keys: HashMap::new(), broken }
    }

    /// Watches one more key from now on.
    pub(crate) fn add(&mut self, database: u16, key: &[u8]) {
        let Entry::Vacant(vacant) = self.keys.entry((database, Value::from(key))) else { return };
        // To watch a key is no use of it.
        let caller = Caller::default();
        caller.set_renews(false);
        let space = Space::of_caller(&self.databases, database, &caller);
        let watching = Write::enter(space, key, |mut writer| {
            // What has expired before is no change.
            let exists = writer.purge();
            writer.shard.interests.watch(key, &self.broken);
            Ok(exists)
        });
        vacant.insert(watching.unwrap_or(false));
    }

    /// Whether the watch is one of these databases'.
    pub(crate) fn is_of(&self, databases: &Databases) -> bool {
        std::ptr::eq(&*self.databases, databases)
    }

    /// Adds the locks under which the watch can be judged.
    pub(crate) fn demand(&self, demand: &mut Demand) {
        for (database, key) in self.keys.keys() {
            let space = Space::new(&self.databases, *database);
            Read::demand(space, key, demand);
        }
    }

    /// Whether nothing has changed, judged within the locks that [`Watched::demand`] asked for.
    pub(crate) fn holds(&self, locked: &Locked<'_>) -> bool {
        !self.is_broken()
            && self.keys.iter().all(|((database, key), existed)| {
                // What has expired since has done so although nobody has removed it yet.
                let holds = |view: View<'_>| view.exists() && !view.has_due_parts();
                !existed || locked.view(*database, key).is_ok_and(holds)
            })
    }

    /// Whether a key is known to have changed since it was added.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        for (database, key) in self.keys.keys() {
            if let Some(shard) = self.databases.slot(*database, self.databases.hash(key)) {
                shard.write().interests.stop_watching(key, &self.broken);
            }
        }
    }
}
