//! Who waits for a key, and who watches it.
//!
//! A shard keeps its interests under its own lock, so that seeing nothing and starting to wait
//! are one step, and no change between them can be missed.
//!
//! # Invariant
//!
//! A key has an interest if and only if somebody waits for it or watches it; the box is there if
//! and only if a key of the shard has one. A shard that goes away ends the calls that wait there.
//!
//! # Complexity
//!
//! O(log n) for one of `n` waiters or watches to come or go.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use super::waiters::Waiter;
use crate::sync::{Arc, AtomicBool, Ordering};
use crate::value::Value;

/// The interests in one shard's keys. While there is none, a change pays one comparison.
#[derive(Default)]
pub(super) struct Interests(Option<Box<ByKey>>);

type ByKey = HashMap<Value, Interest, ahash::RandomState>;

#[derive(Default)]
struct Interest {
    /// By ticket: first come, first served.
    waiting: BTreeMap<u64, Arc<Waiter>>,
    /// By the address of their mark.
    watching: BTreeMap<usize, Arc<AtomicBool>>,
}

impl Interests {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Marks every watch of `key` as broken; answers whether anybody waits for the key.
    pub(super) fn changed(&self, key: &[u8]) -> bool {
        let Some(interest) = self.0.as_ref().and_then(|keys| keys.get(key)) else { return false };
        for watch in interest.watching.values() {
            watch.store(true, Ordering::Release);
        }
        !interest.waiting.is_empty()
    }

    /// The keys that somebody waits for or watches.
    pub(super) fn keys(&self) -> Vec<Value> {
        self.0.iter().flat_map(|keys| keys.keys().cloned()).collect()
    }

    /// Who waits for `key` with one of these tickets, in the order in which they came.
    pub(super) fn waiting(
        &self,
        key: &[u8],
        tickets: RangeInclusive<u64>,
    ) -> impl Iterator<Item = &Arc<Waiter>> {
        let line = self.line(key).map(|line| line.range(tickets));
        line.into_iter().flatten().map(|(_, waiter)| waiter)
    }

    /// The ticket of who came last of those who wait for `key`.
    pub(super) fn last_ticket(&self, key: &[u8]) -> Option<u64> {
        self.line(key)?.last_key_value().map(|(ticket, _)| *ticket)
    }

    fn line(&self, key: &[u8]) -> Option<&BTreeMap<u64, Arc<Waiter>>> {
        Some(&self.0.as_ref()?.get(key)?.waiting)
    }

    pub(super) fn wait(&mut self, key: &[u8], waiter: &Arc<Waiter>) {
        self.entry(key).waiting.insert(waiter.ticket(), Arc::clone(waiter));
    }

    pub(super) fn stop_waiting(&mut self, key: &[u8], ticket: u64) {
        self.edit(key, |interest| {
            interest.waiting.remove(&ticket);
        });
    }

    pub(super) fn watch(&mut self, key: &[u8], broken: &Arc<AtomicBool>) {
        self.entry(key).watching.insert(address(broken), Arc::clone(broken));
    }

    pub(super) fn stop_watching(&mut self, key: &[u8], broken: &Arc<AtomicBool>) {
        self.edit(key, |interest| {
            interest.watching.remove(&address(broken));
        });
    }

    fn entry(&mut self, key: &[u8]) -> &mut Interest {
        self.0.get_or_insert_default().entry(Value::from(key)).or_default()
    }

    /// Changes a key's interest and forgets it once nobody is left.
    fn edit(&mut self, key: &[u8], edit: impl FnOnce(&mut Interest)) {
        let Some(keys) = &mut self.0 else { return };
        if let Some(interest) = keys.get_mut(key) {
            edit(interest);
            if interest.waiting.is_empty() && interest.watching.is_empty() {
                keys.remove(key);
            }
        }
        if keys.is_empty() {
            self.0 = None;
        }
    }
}

fn address(broken: &Arc<AtomicBool>) -> usize {
    Arc::as_ptr(broken).addr()
}

/// The store is gone, so nobody will come any more.
impl Drop for Interest {
    fn drop(&mut self) {
        self.waiting.values().for_each(|waiter| waiter.end());
    }
}
