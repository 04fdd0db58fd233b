//! The registry of channels and patterns, and the fan-out of a message to its subscribers.
//!
//! **Invariant.** A channel is registered if and only if it has a subscriber; so is a pattern. A
//! subscriber is in a channel's list exactly once if the channel is in its [`Routes`], else not at
//! all; so for patterns. `routes` counts both. A subscriber without routes is known to `members`
//! alone.
//!
//! **Order.** A message is appended to all its queues under the lock of its channel's shard, so all
//! subscribers of a channel, by name or by pattern, see its messages in one order.
//!
//! **Complexity.** Publish: O(1 + subscribers reached + patterns registered × text matched), one
//! atomic load when nobody subscribes to anything. Subscribe: O(1). Unsubscribe: O(subscribers of
//! the channel). For a pattern O(log patterns) more. Publishing allocates nothing, unless a
//! subscriber's queue grows, or a channel known through patterns alone is not the one its queue saw
//! last.
//!
//! **Threads.** Locks nest a subscriber's routes, then a shard, then the patterns, then a queue. A
//! publisher that must wait for room ([`Overflow::Block`]) waits before the message has a place in
//! the order, and holds no lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use super::queue::{Admission, LabelRef, Overflow, Pushed, Queue, RecvError, Wakers};
use super::subscription::{Label, Message, Subscription, SubscriptionOptions};
use crate::data::glob::Glob;
use crate::random::KeyHasher;
use crate::sync::atomic::{AtomicU64, AtomicUsize};
use crate::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard};
use crate::value::Value;

/// Publishers of different shards do not meet.
const SHARDS: usize = 16;

/// Says that a message has no origin among the subscriptions.
pub(crate) const NOBODY: u64 = 0;

type Subscribers = SmallVec<[Arc<Subscriber>; 1]>;
type Patterns = BTreeMap<Value, Pattern>;

/// One registry of channels and patterns. Dropping it ends its subscriptions.
pub(crate) struct Hub {
    /// Registrations of subscribers, to channels and to patterns.
    routes: AtomicUsize,
    /// Those to patterns.
    pattern_routes: AtomicUsize,
    /// Subscribers that make their publishers wait.
    blocking: AtomicUsize,
    /// Numbers subscribers and registrations, from 1.
    last_id: AtomicU64,
    hasher: KeyHasher,
    shards: [Mutex<HashTable<Channel>>; SHARDS],
    patterns: RwLock<Patterns>,
    members: Mutex<BTreeMap<u64, Arc<Subscriber>>>,
}

/// A subscriber as its publishers see it; laid out as its queue is.
#[repr(C)]
pub(crate) struct Subscriber {
    pub(super) id: u64,
    pub(super) queue: Queue<Message>,
    pub(super) routes: Mutex<Routes>,
}

/// What a subscriber is subscribed to.
#[derive(Default)]
pub(super) struct Routes {
    pub(super) channels: BTreeSet<Value>,
    pub(super) patterns: BTreeSet<Value>,
    /// Set when the subscriber leaves for good: it takes no more routes.
    detached: bool,
}

struct Channel {
    /// For lookup only, and in place if it is short: readers count references to `shared` all the
    /// time, and publishers should not share a cache line with that, as they would with a small
    /// allocation beside it.
    name: SmallVec<[u8; 24]>,
    /// The name as messages carry it.
    shared: Value,
    id: u64,
    subscribers: Subscribers,
}

struct Pattern {
    glob: Glob,
    id: u64,
    subscribers: Subscribers,
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            routes: AtomicUsize::new(0),
            pattern_routes: AtomicUsize::new(0),
            blocking: AtomicUsize::new(0),
            last_id: AtomicU64::new(NOBODY),
            hasher: KeyHasher::new(),
            shards: std::array::from_fn(|_| Mutex::new(HashTable::new())),
            patterns: RwLock::new(BTreeMap::new()),
            members: Mutex::new(BTreeMap::new()),
        })
    }

    /// A subscription to nothing yet.
    pub(crate) fn subscribe(self: &Arc<Self>, options: SubscriptionOptions) -> Subscription {
        let subscriber = Arc::new(Subscriber {
            queue: Queue::new(options.capacity, options.overflow),
            id: self.next_id(),
            routes: Mutex::default(),
        });
        if options.overflow == Overflow::Block {
            self.blocking.fetch_add(1, Release);
        }
        self.members.lock().insert(subscriber.id, Arc::clone(&subscriber));
        Subscription::new(subscriber, Arc::downgrade(self))
    }

    /// Sends `payload` to all who subscribe to `channel` by name or by pattern. Returns in how many
    /// queues it was put: a subscriber counts once for its channel and once for each pattern of its
    /// that matches, as in Redis.
    pub(crate) fn publish(&self, channel: &[u8], payload: Value) -> usize {
        self.publish_from(NOBODY, channel, payload)
    }

    /// Like [`publish`](Self::publish), but passes over the subscription with the id `origin`.
    pub(crate) fn publish_from(&self, origin: u64, channel: &[u8], payload: Value) -> usize {
        let mut fan_out = self.fan_out(origin, channel, payload);
        fan_out.wakers.wake();
        fan_out.queued
    }

    /// Like [`publish`](Self::publish), but leaves the waking to the caller.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "used by sessions"))]
    pub(crate) fn publish_quietly(&self, channel: &[u8], payload: Value, wakers: &mut Wakers) {
        wakers.join(self.fan_out(NOBODY, channel, payload).wakers);
    }

    #[inline]
    fn fan_out(&self, origin: u64, channel: &[u8], payload: Value) -> FanOut {
        if self.routes.load(Acquire) == 0 {
            return FanOut::default();
        }
        let hash = self.hasher.hash(channel);
        let mut fan_out = FanOut { origin, ..FanOut::default() };
        let (shard, patterns) = self.admit(channel, hash, origin);
        fan_out.send(channel, find(&shard, hash, channel), patterns.as_deref(), payload);
        drop(patterns);
        drop(shard);
        fan_out.finish(self);
        fan_out
    }

    /// The channels that have subscribers by name, in no order: all, or those that `pattern`
    /// matches.
    pub(crate) fn channels(&self, pattern: Option<&Glob>) -> Vec<Value> {
        let mut names = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let matching = shard
                .iter()
                .filter(|channel| pattern.is_none_or(|glob| glob.matches(&channel.name)));
            names.extend(matching.map(|channel| channel.shared.clone()));
        }
        names
    }

    /// How many subscribe to `channel` by name.
    pub(crate) fn subscribers(&self, channel: &[u8]) -> usize {
        let hash = self.hasher.hash(channel);
        let shard = self.shard(hash).lock();
        find(&shard, hash, channel).map_or(0, |channel| channel.subscribers.len())
    }

    /// In how many queues a message to `channel` would be put now.
    pub(crate) fn receivers(&self, channel: &[u8]) -> usize {
        let hash = self.hasher.hash(channel);
        let shard = self.shard(hash).lock();
        let patterns = self.patterns.read();
        targets(channel, find(&shard, hash, channel), Some(&patterns)).count()
    }

    /// How many different patterns are subscribed to.
    pub(crate) fn pattern_count(&self) -> usize {
        self.patterns.read().len()
    }
}

/// The registries that a message is sent under.
type Admitted<'a> = (MutexGuard<'a, HashTable<Channel>>, Option<RwLockReadGuard<'a, Patterns>>);

impl Hub {
    /// Locks the registries, at a moment when every subscriber that makes its publishers wait has
    /// promised a place.
    #[inline]
    fn admit(&self, channel: &[u8], hash: u64, origin: u64) -> Admitted<'_> {
        loop {
            let shard = self.shard(hash).lock();
            let patterns = (self.pattern_routes.load(Acquire) > 0).then(|| self.patterns.read());
            if self.blocking.load(Acquire) == 0 {
                return (shard, patterns);
            }
            let targets = targets(channel, find(&shard, hash, channel), patterns.as_deref());
            let Err(full) = reserve_all(targets.filter(|target| target.id != origin)) else {
                return (shard, patterns);
            };
            drop(patterns);
            drop(shard);
            full.queue.wait_for_room();
        }
    }

    fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Relaxed) + 1
    }

    fn shard(&self, hash: u64) -> &Mutex<HashTable<Channel>> {
        // The table uses the lowest and the highest bits.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }
}

/// The subscribers that a message goes to, once for each of its ways.
fn targets<'a>(
    channel: &'a [u8],
    registered: Option<&'a Channel>,
    patterns: Option<&'a Patterns>,
) -> impl Iterator<Item = &'a Arc<Subscriber>> {
    let by_name = registered.into_iter().flat_map(|channel| &channel.subscribers);
    let matching =
        patterns.into_iter().flat_map(BTreeMap::values).filter(|each| each.glob.matches(channel));
    by_name.chain(matching.flat_map(|pattern| &pattern.subscribers))
}

/// Reserves a place with each blocking target, or with none: then returns one that is full.
fn reserve_all<'a>(
    targets: impl Iterator<Item = &'a Arc<Subscriber>>,
) -> Result<(), Arc<Subscriber>> {
    let mut reserved: SmallVec<[&Arc<Subscriber>; 4]> = SmallVec::new();
    for subscriber in targets.filter(|target| target.queue.overflow() == Overflow::Block) {
        let again = reserved.iter().any(|earlier| earlier.id == subscriber.id);
        match subscriber.queue.reserve(again) {
            Admission::Reserved => reserved.push(subscriber),
            Admission::Ended => {}
            Admission::Full => {
                reserved.iter().for_each(|earlier| earlier.queue.cancel());
                return Err(Arc::clone(subscriber));
            }
        }
    }
    Ok(())
}

/// The state of one publish: what it has done, and what it must do once the locks are released.
#[derive(Default)]
struct FanOut {
    origin: u64,
    queued: usize,
    wakers: Wakers,
    disconnected: Vec<Arc<Subscriber>>,
}

impl FanOut {
    fn send(
        &mut self,
        channel: &[u8],
        registered: Option<&Channel>,
        patterns: Option<&Patterns>,
        payload: Value,
    ) {
        let by_name = registered.map_or(&[][..], |channel| &channel.subscribers);
        let address = Address::by_name(channel, registered);
        if let Some(patterns) = patterns {
            for subscriber in by_name {
                self.deliver(subscriber, &address, payload.clone());
            }
            for (name, pattern) in patterns {
                if pattern.glob.matches(channel) {
                    let address = address.by_pattern(name, pattern);
                    for subscriber in &pattern.subscribers {
                        self.deliver(subscriber, &address, payload.clone());
                    }
                }
            }
        } else if let Some((last, rest)) = by_name.split_last() {
            for subscriber in rest {
                self.deliver(subscriber, &address, payload.clone());
            }
            self.deliver(last, &address, payload);
        }
    }

    #[inline]
    fn deliver(&mut self, subscriber: &Arc<Subscriber>, address: &Address<'_>, payload: Value) {
        if subscriber.id == self.origin {
            return;
        }
        match subscriber.queue.push(address, payload, &mut self.wakers) {
            Pushed::Queued => self.queued += 1,
            Pushed::Disconnected => self.disconnected.push(Arc::clone(subscriber)),
            Pushed::Dropped | Pushed::Ended => {}
        }
    }

    /// Called without a lock of a shard, and before anybody is woken: that runs other people's
    /// code.
    #[inline]
    fn finish(&mut self, hub: &Hub) {
        for subscriber in &self.disconnected {
            hub.detach(subscriber);
        }
    }
}

/// A label that borrows.
#[derive(Clone, Copy)]
struct Address<'a> {
    channel: &'a [u8],
    /// The channel's name to share, unless it is known through patterns alone.
    shared: Option<&'a Value>,
    pattern: Option<&'a Value>,
    /// Registrations of channel and pattern; zero if there is none.
    ids: (u64, u64),
}

impl<'a> Address<'a> {
    fn by_name(channel: &'a [u8], registered: Option<&'a Channel>) -> Self {
        let id = registered.map_or(0, |channel| channel.id);
        Self {
            channel,
            shared: registered.map(|channel| &channel.shared),
            pattern: None,
            ids: (id, 0),
        }
    }

    fn by_pattern(self, name: &'a Value, pattern: &Pattern) -> Self {
        Self { pattern: Some(name), ids: (self.ids.0, pattern.id), ..self }
    }
}

impl LabelRef<Label> for Address<'_> {
    #[inline]
    fn is(&self, label: &Label) -> bool {
        self.ids == label.ids && (self.ids.0 != 0 || self.channel == label.channel.as_bytes())
    }

    fn to_label(&self) -> Label {
        Label {
            channel: self.shared.cloned().unwrap_or_else(|| Value::from(self.channel)),
            pattern: self.pattern.cloned(),
            ids: self.ids,
        }
    }
}

fn find<'a>(shard: &'a HashTable<Channel>, hash: u64, name: &[u8]) -> Option<&'a Channel> {
    shard.find(hash, |channel| &*channel.name == name)
}

/// Registration. `Subscription` calls these, under no lock.
impl Hub {
    /// Returns whether the subscription is new. A subscriber that has left gets none.
    pub(super) fn add_channel(&self, subscriber: &Arc<Subscriber>, name: &[u8]) -> bool {
        let mut routes = subscriber.routes.lock();
        if routes.detached || routes.channels.contains(name) {
            return false;
        }
        let hash = self.hasher.hash(name);
        let mut shard = self.shard(hash).lock();
        let mut entry =
            match shard.entry(hash, |channel| &*channel.name == name, |channel| self.hash(channel))
            {
                Entry::Occupied(entry) => entry,
                Entry::Vacant(vacant) => {
                    let (shared, id) = (Value::from(name), self.next_id());
                    vacant.insert(Channel {
                        name: SmallVec::from_slice(name),
                        shared,
                        id,
                        subscribers: SmallVec::new(),
                    })
                }
            };
        entry.get_mut().subscribers.push(Arc::clone(subscriber));
        routes.channels.insert(entry.get().shared.clone());
        self.routes.fetch_add(1, Release);
        true
    }

    /// Returns whether there was such a subscription.
    pub(super) fn remove_channel(&self, subscriber: &Subscriber, name: &[u8]) -> bool {
        let mut routes = subscriber.routes.lock();
        let removed = routes.channels.remove(name);
        if removed {
            self.unlink_channel(subscriber, name);
        }
        removed
    }

    pub(super) fn add_pattern(&self, subscriber: &Arc<Subscriber>, pattern: &[u8]) -> bool {
        let mut routes = subscriber.routes.lock();
        if routes.detached || routes.patterns.contains(pattern) {
            return false;
        }
        let name = Value::from(pattern);
        // Compiled before the lock is taken, since a pattern may be long.
        let new =
            Pattern { glob: Glob::new(pattern), id: self.next_id(), subscribers: SmallVec::new() };
        let mut patterns = self.patterns.write();
        patterns.entry(name.clone()).or_insert(new).subscribers.push(Arc::clone(subscriber));
        routes.patterns.insert(name);
        self.pattern_routes.fetch_add(1, Release);
        self.routes.fetch_add(1, Release);
        true
    }

    pub(super) fn remove_pattern(&self, subscriber: &Subscriber, pattern: &[u8]) -> bool {
        let mut routes = subscriber.routes.lock();
        let removed = routes.patterns.remove(pattern);
        if removed {
            self.unlink_pattern(subscriber, pattern);
        }
        removed
    }

    /// Removes a subscriber for good, and all its routes.
    pub(super) fn detach(&self, subscriber: &Subscriber) {
        let mut routes = subscriber.routes.lock();
        if std::mem::replace(&mut routes.detached, true) {
            return;
        }
        for name in &std::mem::take(&mut routes.channels) {
            self.unlink_channel(subscriber, name);
        }
        for pattern in &std::mem::take(&mut routes.patterns) {
            self.unlink_pattern(subscriber, pattern);
        }
        drop(routes);
        self.members.lock().remove(&subscriber.id);
        if subscriber.queue.overflow() == Overflow::Block {
            self.blocking.fetch_sub(1, Release);
        }
    }

    fn hash(&self, channel: &Channel) -> u64 {
        self.hasher.hash(&channel.name)
    }

    fn unlink_channel(&self, subscriber: &Subscriber, name: &[u8]) {
        let hash = self.hasher.hash(name);
        let mut shard = self.shard(hash).lock();
        if let Ok(mut entry) = shard.find_entry(hash, |channel| &*channel.name == name) {
            remove_from(&mut entry.get_mut().subscribers, subscriber);
            if entry.get().subscribers.is_empty() {
                entry.remove();
            }
        }
        if shard.len() * 8 < shard.capacity() {
            shard.shrink_to_fit(|channel| self.hash(channel));
        }
        self.routes.fetch_sub(1, Release);
    }

    fn unlink_pattern(&self, subscriber: &Subscriber, pattern: &[u8]) {
        let mut patterns = self.patterns.write();
        if let Some(entry) = patterns.get_mut(pattern) {
            remove_from(&mut entry.subscribers, subscriber);
            if entry.subscribers.is_empty() {
                patterns.remove(pattern);
            }
        }
        self.pattern_routes.fetch_sub(1, Release);
        self.routes.fetch_sub(1, Release);
    }
}

fn remove_from(subscribers: &mut Subscribers, subscriber: &Subscriber) {
    subscribers.retain(|other| other.id != subscriber.id);
    if subscribers.len() * 4 < subscribers.capacity() {
        subscribers.shrink_to_fit();
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let mut wakers = Wakers::default();
        for subscriber in std::mem::take(&mut *self.members.lock()).values() {
            subscriber.queue.end(RecvError::Closed, &mut wakers);
        }
        wakers.wake();
    }
}

#[cfg(test)]
impl Hub {
    pub(super) fn is_unallocated(&self) -> bool {
        self.patterns.read().is_empty()
            && self.shards.iter().all(|shard| shard.lock().capacity() == 0)
    }

    /// Asserts the invariant of the file's head. Nobody else may use the hub meanwhile.
    pub(super) fn check(&self) {
        let mut listed = Vec::new();
        let mut total = 0;
        for (index, shard) in self.shards.iter().enumerate() {
            for channel in shard.lock().iter() {
                let hash = self.hash(channel);
                assert!(
                    std::ptr::eq(self.shard(hash), &self.shards[index]),
                    "a channel in a wrong shard"
                );
                assert!(!channel.subscribers.is_empty(), "an empty channel");
                total += channel.subscribers.len();
                listed.extend(
                    channel.subscribers.iter().map(|each| (each.id, false, channel.shared.clone())),
                );
            }
        }
        let patterns = self.patterns.read();
        for (name, pattern) in patterns.iter() {
            assert!(!pattern.subscribers.is_empty(), "an empty pattern");
            total += pattern.subscribers.len();
            listed.extend(pattern.subscribers.iter().map(|each| (each.id, true, name.clone())));
        }
        assert_eq!(self.routes.load(Acquire), total);
        let by_pattern = listed.iter().filter(|(_, by_pattern, _)| *by_pattern).count();
        assert_eq!(self.pattern_routes.load(Acquire), by_pattern);
        let mut wanted = Vec::new();
        let members = self.members.lock();
        for (id, member) in members.iter() {
            let routes = member.routes.lock();
            wanted.extend(routes.channels.iter().map(|name| (*id, false, name.clone())));
            wanted.extend(routes.patterns.iter().map(|name| (*id, true, name.clone())));
            member.queue.check();
        }
        listed.sort();
        wanted.sort();
        assert_eq!(listed, wanted, "the registry and the subscribers' routes agree");
        let blocking = members.values().filter(|member| member.queue.overflow() == Overflow::Block);
        assert_eq!(self.blocking.load(Acquire), blocking.count());
    }
}
