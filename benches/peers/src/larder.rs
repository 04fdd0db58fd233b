//! Larder's rows, behind the feature `larder`: its public API as anyone would call it.

use std::path::Path;
use std::time::Duration;

use larder::persist::{Directory, Durability};
use larder::{Store, Subscription, SubscriptionOptions, Value};

use crate::broadcast::{Broadcast, Reader};
use crate::kv::{Key, KeyValue};
use crate::logs::{Disk, VALUE};
use crate::scores::{Member, Scores};
use crate::streams::{Field, Id, Log};

/// A store with its defaults: locks, types, times to live and the memory account.
pub struct Larder(Store);

impl KeyValue for Larder {
    const NAME: &'static str = "larder";
    const EXPIRES: bool = true;

    fn open(_: usize, _: Option<Duration>) -> Self {
        Self(Store::new())
    }

    fn share(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }

    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.kv().get(key).expect("a string").map(|value: Value| value[0])
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.kv().set(key, value).expect("set");
    }

    fn set_for(&mut self, key: &[u8], value: &[u8], ttl: Duration) {
        self.0.kv().set_for(key, value, ttl).expect("set");
    }

    fn increment(&mut self, key: &[u8]) -> i64 {
        self.0.kv().increment(key, 1).expect("a number")
    }

    fn get_many(&mut self, keys: &[Key]) -> usize {
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        self.0.kv().get_many(&keys).expect("strings").iter().flatten().count()
    }
}

const BOARD: &str = "board";

impl Scores for Larder {
    const NAME: &'static str = "larder";

    fn open() -> Self {
        Self(Store::new())
    }

    fn add(&mut self, member: &Member, score: f64) {
        self.0.sorted_set(BOARD).add(member, score).expect("add");
    }

    fn increment(&mut self, member: &Member, by: f64) -> f64 {
        self.0.sorted_set(BOARD).increment(member, by).expect("increment")
    }

    fn score(&mut self, member: &Member) -> Option<f64> {
        self.0.sorted_set(BOARD).score(member).expect("score")
    }

    fn rank(&mut self, member: &Member) -> Option<usize> {
        self.0.sorted_set(BOARD).rank(member).expect("rank")
    }

    fn top(&mut self, count: usize) -> usize {
        self.0.sorted_set(BOARD).top(count).expect("range").len()
    }

    fn range(&mut self, start: usize, count: usize) -> usize {
        let stop = (start + count) as i64 - 1;
        self.0.sorted_set(BOARD).range(start as i64..=stop).get().expect("range").len()
    }

    fn range_by_score(&mut self, from: f64, to: f64, limit: usize) -> usize {
        self.0.sorted_set(BOARD).range_by_score(from..=to).limit(limit).get().expect("range").len()
    }

    fn pop_min(&mut self) -> Option<(Member, f64)> {
        let (member, score) = self.0.sorted_set(BOARD).pop_min().expect("pop")?;
        Some((member[..].try_into().expect("16 bytes"), score))
    }
}

const STREAM: &str = "stream";

impl Log for Larder {
    const NAME: &'static str = "larder";

    fn open() -> Self {
        Self(Store::new())
    }

    fn append(&mut self, fields: &[Field<'_>]) -> Id {
        let id = self.0.stream(STREAM).append(fields).expect("append");
        (id.ms, id.seq)
    }

    fn range(&mut self, from: Id, count: usize) -> usize {
        let from = larder::StreamId { ms: from.0, seq: from.1 };
        let entries = self.0.stream(STREAM).range(from..).limit(count).get().expect("range");
        entries
            .iter()
            .flat_map(|entry| entry.fields())
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }
}

/// A channel whose subscriptions hold `depth` messages.
pub struct Channel {
    store: Store,
    depth: usize,
}

impl Channel {
    const NEWS: &'static str = "news";
}

impl Broadcast for Channel {
    const NAME: &'static str = "larder";
    type Message = Value;
    type Reader = Subscription;

    fn open(depth: usize) -> Self {
        Self { store: Store::new(), depth }
    }

    fn message(payload: &[u8]) -> Value {
        Value::from(payload)
    }

    fn subscribe(&mut self) -> Subscription {
        let subscription = self.store.subscription(SubscriptionOptions::new().capacity(self.depth));
        subscription.subscribe(Self::NEWS);
        subscription
    }

    fn publish(&mut self, message: &Value) {
        self.store.publish(Self::NEWS, message.clone()).expect("publish");
    }
}

impl Reader for Subscription {
    fn receive(&mut self) -> usize {
        self.recv().expect("a message").payload.len()
    }
}

/// Without a log, for comparison.
pub struct Unkept(Store);

impl Disk for Unkept {
    const NAME: &'static str = "larder, no log";

    fn open(_: &Path) -> Self {
        Self(Store::new())
    }

    fn set(&self, key: &[u8]) {
        self.0.kv().set(key, VALUE).expect("set");
    }

    /// It keeps nothing, so there is nothing to open again.
    fn get(&self, _: &[u8]) -> bool {
        true
    }

    fn sync(&self) {}
}

const DURABILITIES: [Durability; 3] = [Durability::EverySecond, Durability::Os, Durability::Never];

/// In a directory, with one of `DURABILITIES`.
pub struct Kept<const DURABILITY: usize>(Store);

impl<const DURABILITY: usize> Disk for Kept<DURABILITY> {
    const NAME: &'static str =
        ["larder, every second", "larder, os", "larder, never synced"][DURABILITY];

    fn open(folder: &Path) -> Self {
        Self(kept(folder, DURABILITIES[DURABILITY]))
    }

    fn set(&self, key: &[u8]) {
        self.0.kv().set(key, VALUE).expect("set");
    }

    fn get(&self, key: &[u8]) -> bool {
        self.0.keys().exists(key).expect("a key")
    }

    fn sync(&self) {
        self.0.sync().expect("sync");
    }
}

fn kept(folder: &Path, durability: Durability) -> Store {
    let builder = Store::builder().persistence(Directory::new(folder)).durability(durability);
    // Snapshots by themselves would be measured in some rounds and not in others.
    builder.rewrite_above(u64::MAX).open().expect("open a directory")
}

/// A store whose writes all wait for the disk.
pub fn always(folder: &Path) -> Store {
    kept(folder, Durability::Always)
}

/// A store whose writes wait for nothing.
pub fn every_second(folder: &Path) -> Store {
    kept(folder, Durability::EverySecond)
}
