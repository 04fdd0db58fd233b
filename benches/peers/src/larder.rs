//! Larder's rows, behind the feature `larder`: its public API as anyone would call it.

use std::time::Duration;

use larder::{Store, Subscription, SubscriptionOptions, Value};

use crate::broadcast::{Broadcast, Reader};
use crate::kv::{Key, KeyValue};
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
