//! Consumer groups: who was given which entry, and has not acknowledged it yet.
//!
//! Invariant: an id is in the group's pending list exactly if it is in that of one consumer, the
//! one its delivery names. Pending entries may be missing from the stream. Consumers and groups are
//! iterated in the order of their names.
//!
//! Cost: O(log pending) for every entry delivered, acknowledged or claimed, plus reading it. The
//! heap account is O(1).
//!
//! Times are milliseconds on whatever clock the caller keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::counted;
use super::entries::{Direction, Entries};
use super::entry_log::EntryLog;
use super::id::StreamId;

/// A pending entry's share of the map by id and of the set by consumer, whose nodes are two thirds
/// full.
const PENDING_BYTES: usize = (2 * size_of::<StreamId>() + size_of::<Delivery>()) * 3 / 2;
/// A consumer without its name: its slot, the map's share, the counts of the shared name.
const CONSUMER_BYTES: usize = size_of::<Option<Consumer>>() + 32 * 3 / 2 + 16;

/// A consumer group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    last_delivered: StreamId,
    entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Delivery>,
    /// Places of removed consumers are `None`, and taken by the next to come.
    consumers: Vec<Option<Consumer>>,
    places: BTreeMap<Arc<[u8]>, usize>,
    names_len: usize,
}

#[derive(Debug, Clone, Copy)]
struct Delivery {
    /// The place of the consumer.
    consumer: usize,
    delivered_at: u64,
    count: u64,
}

/// A member of a group.
#[derive(Debug, Clone)]
pub(crate) struct Consumer {
    name: Arc<[u8]>,
    seen_at: u64,
    active_at: Option<u64>,
    pending: BTreeSet<StreamId>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PendingEntry<'a> {
    pub(crate) id: StreamId,
    pub(crate) consumer: &'a [u8],
    pub(crate) delivered_at: u64,
    pub(crate) delivery_count: u64,
}

/// The pending entries of a group at a glance. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingSummary<'a> {
    pub(crate) count: usize,
    pub(crate) first: StreamId,
    pub(crate) last: StreamId,
    /// The consumers that have any, and how many.
    pub(crate) consumers: Vec<(&'a [u8], usize)>,
}

/// Which pending entries are asked for.
#[derive(Debug, Clone)]
pub(crate) struct PendingQuery<'a> {
    pub(crate) ids: RangeInclusive<StreamId>,
    pub(crate) limit: usize,
    pub(crate) consumer: Option<&'a [u8]>,
    pub(crate) min_idle_ms: u64,
}

/// Whether delivered entries become pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledge {
    /// The consumer will acknowledge them.
    Later,
    /// They count as acknowledged at once.
    Never,
}

/// When a claimed entry counts as delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum DeliveryTime {
    #[default]
    Now,
    /// So many milliseconds ago.
    Idle(u64),
    /// At this time, or now if it lies ahead.
    At(u64),
}

/// How entries change hands.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ClaimOptions {
    /// Leave entries alone that were delivered more recently.
    pub(crate) min_idle_ms: u64,
    pub(crate) delivered: DeliveryTime,
    /// Set the delivery count, instead of adding one.
    pub(crate) delivery_count: Option<u64>,
    /// Make entries pending that are not.
    pub(crate) force: bool,
    /// Only the ids are wanted: the delivery does not count.
    pub(crate) just_ids: bool,
    /// The group has seen at least this.
    pub(crate) last_id: Option<StreamId>,
}

/// Which entries change hands by themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AutoclaimOptions {
    pub(crate) start: StreamId,
    pub(crate) min_idle_ms: u64,
    /// How many entries to claim or find deleted at most; ten times as many are looked at.
    pub(crate) limit: usize,
    pub(crate) just_ids: bool,
}

/// What a claim did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Claimed {
    /// The consumer's now, and all in the stream.
    pub(crate) ids: Vec<StreamId>,
    /// No longer pending, since they are not in the stream.
    pub(crate) deleted: Vec<StreamId>,
    /// Where an automatic claim goes on; `0-0` once it is through.
    pub(crate) next: StreamId,
}

impl Group {
    pub(super) fn new(last_delivered: StreamId, entries_read: Option<u64>) -> Self {
        let entries_read = entries_read.map(counted);
        Group { last_delivered, entries_read, ..Group::default() }
    }

    /// The last entry that the group was given.
    pub(crate) fn last_delivered(&self) -> StreamId {
        self.last_delivered
    }

    /// How many entries the group was given since the stream began, if that is known.
    pub(crate) fn entries_read(&self) -> Option<u64> {
        self.entries_read
    }

    /// How many entries are pending.
    pub(crate) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The consumers by name.
    pub(crate) fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.places.values().map(|&place| self.at(place))
    }

    pub(crate) fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.places.get(name).map(|&place| self.at(place))
    }

    /// The state of one pending entry.
    pub(crate) fn pending(&self, id: StreamId) -> Option<PendingEntry<'_>> {
        self.pending.get(&id).map(|delivery| self.pending_entry(id, delivery))
    }

    /// All that is pending, lowest id first.
    pub(crate) fn all_pending(&self) -> impl Iterator<Item = PendingEntry<'_>> {
        self.pending.iter().map(|(&id, delivery)| self.pending_entry(id, delivery))
    }

    /// `None` if nothing is pending.
    pub(crate) fn pending_summary(&self) -> Option<PendingSummary<'_>> {
        let (first, _) = self.pending.first_key_value()?;
        let (last, _) = self.pending.last_key_value()?;
        let consumers = self.consumers().filter(|consumer| !consumer.pending.is_empty());
        Some(PendingSummary {
            count: self.pending.len(),
            first: *first,
            last: *last,
            consumers: consumers
                .map(|consumer| (consumer.name(), consumer.pending.len()))
                .collect(),
        })
    }

    /// The pending entries of a range, lowest id first. None if the consumer does not exist.
    pub(crate) fn pending_range(
        &self,
        query: &PendingQuery<'_>,
        now_ms: u64,
    ) -> Vec<PendingEntry<'_>> {
        if query.ids.is_empty() {
            return Vec::new();
        }
        let idle = |entry: &PendingEntry<'_>| {
            now_ms.saturating_sub(entry.delivered_at) >= query.min_idle_ms
        };
        match query.consumer {
            None => {
                let all = self.pending.range(query.ids.clone());
                let all = all.map(|(&id, delivery)| self.pending_entry(id, delivery));
                all.filter(idle).take(query.limit).collect()
            }
            Some(name) => {
                let own =
                    self.consumer(name).map(|consumer| consumer.pending.range(query.ids.clone()));
                let own = own.into_iter().flatten().filter_map(|&id| self.pending(id));
                own.filter(idle).take(query.limit).collect()
            }
        }
    }

    /// The heap bytes that the group takes.
    pub(super) fn bytes(&self) -> usize {
        self.pending.len() * PENDING_BYTES + self.consumers.len() * CONSUMER_BYTES + self.names_len
    }

    pub(super) fn lag(&self, log: &EntryLog) -> Option<i64> {
        if log.added() == 0 {
            return Some(0);
        }
        let read = match self.entries_read {
            Some(read) if !log.has_gap_from(self.last_delivered) => read,
            _ => log.position_of(self.last_delivered)?,
        };
        Some((log.added() as i64).wrapping_sub(read as i64))
    }

    fn at(&self, place: usize) -> &Consumer {
        self.consumers[place].as_ref().expect("places name consumers")
    }

    fn at_mut(&mut self, place: usize) -> &mut Consumer {
        self.consumers[place].as_mut().expect("places name consumers")
    }

    fn pending_entry(&self, id: StreamId, delivery: &Delivery) -> PendingEntry<'_> {
        PendingEntry {
            id,
            consumer: self.at(delivery.consumer).name(),
            delivered_at: delivery.delivered_at,
            delivery_count: delivery.count,
        }
    }

    fn set_id(&mut self, last_delivered: StreamId, entries_read: Option<u64>) {
        self.last_delivered = last_delivered;
        self.entries_read = entries_read.map(counted);
    }

    fn create_consumer(&mut self, name: &[u8], now_ms: u64) -> usize {
        let name: Arc<[u8]> = name.into();
        let consumer = Consumer {
            name: name.clone(),
            seen_at: now_ms,
            active_at: None,
            pending: BTreeSet::new(),
        };
        let place = match self.places.len() == self.consumers.len() {
            true => self.consumers.len(),
            false => {
                self.consumers.iter().position(Option::is_none).unwrap_or(self.consumers.len())
            }
        };
        if place == self.consumers.len() {
            self.consumers.push(None);
        }
        self.consumers[place] = Some(consumer);
        self.names_len += name.len();
        self.places.insert(name, place);
        place
    }

    /// The place of the consumer, who shows up just now: a new one is created.
    fn see(&mut self, name: &[u8], now_ms: u64) -> usize {
        let Some(&place) = self.places.get(name) else {
            return self.create_consumer(name, now_ms);
        };
        self.at_mut(place).seen_at = now_ms;
        place
    }

    fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let place = self.places.remove(name)?;
        let consumer = self.consumers[place].take()?;
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        self.names_len -= name.len();
        Some(consumer.pending.len())
    }

    /// Gives an entry to a consumer, whoever had it.
    fn assign(&mut self, id: StreamId, delivery: Delivery) {
        let taken_from = self.pending.insert(id, delivery).map(|before| before.consumer);
        if taken_from == Some(delivery.consumer) {
            return;
        }
        if let Some(place) = taken_from {
            self.at_mut(place).pending.remove(&id);
        }
        self.at_mut(delivery.consumer).pending.insert(id);
    }

    pub(super) fn ack(&mut self, id: StreamId) -> bool {
        let Some(delivery) = self.pending.remove(&id) else { return false };
        self.at_mut(delivery.consumer).pending.remove(&id);
        true
    }

    fn note_delivered(&mut self, log: &EntryLog, id: StreamId) {
        self.entries_read = match self.entries_read {
            Some(read) if !log.has_gap_from(id) => Some(counted(read + 1)),
            _ => log.position_of(id),
        };
        self.last_delivered = id;
    }

    fn deliver(
        &mut self,
        log: &EntryLog,
        consumer: &[u8],
        limit: Option<usize>,
        acknowledge: Acknowledge,
        now_ms: u64,
    ) -> Entries {
        let Some(start) = self.last_delivered.next() else { return Entries::default() };
        let entries = log.range(start..=StreamId::MAX, limit, Direction::Forward);
        if entries.is_empty() {
            return entries;
        }
        let consumer = self.see(consumer, now_ms);
        for id in entries.ids() {
            self.note_delivered(log, id);
            if acknowledge == Acknowledge::Later {
                self.assign(id, Delivery { consumer, delivered_at: now_ms, count: 1 });
            }
        }
        if acknowledge == Acknowledge::Later {
            self.at_mut(consumer).active_at = Some(now_ms);
        }
        entries
    }

    fn history(
        &mut self,
        log: &EntryLog,
        consumer: &[u8],
        after: StreamId,
        limit: Option<usize>,
        now_ms: u64,
    ) -> Entries {
        let consumer = self.see(consumer, now_ms);
        let Some(start) = after.next() else { return Entries::default() };
        let pending = self.at(consumer).pending.range(start..);
        let ids: Vec<StreamId> = pending.take(limit.unwrap_or(usize::MAX)).copied().collect();
        let entries = log.collect(&ids);
        for entry in entries.iter().filter(|entry| !entry.is_deleted()) {
            if let Some(delivery) = self.pending.get_mut(&entry.id()) {
                delivery.delivered_at = now_ms;
                delivery.count = counted(delivery.count + 1);
            }
        }
        entries
    }

    fn claim(
        &mut self,
        log: &EntryLog,
        consumer: &[u8],
        ids: &[StreamId],
        options: &ClaimOptions,
        now_ms: u64,
    ) -> Claimed {
        self.last_delivered = self.last_delivered.max(options.last_id.unwrap_or_default());
        let mut claimed = Claimed::default();
        for &id in ids {
            self.claim_one(log, consumer, id, options, now_ms, &mut claimed);
        }
        claimed
    }

    fn claim_one(
        &mut self,
        log: &EntryLog,
        consumer: &[u8],
        id: StreamId,
        options: &ClaimOptions,
        now_ms: u64,
        claimed: &mut Claimed,
    ) {
        if !log.contains(id) {
            if self.ack(id) {
                claimed.deleted.push(id);
            }
            return;
        }
        let count = match self.pending.get(&id) {
            Some(delivery) if !is_idle(delivery, options.min_idle_ms, now_ms) => return,
            Some(delivery) => delivery.count,
            None if options.force => 1,
            None => return,
        };
        let count = options.delivery_count.unwrap_or(count + u64::from(!options.just_ids));
        let delivery = Delivery {
            consumer: self.see(consumer, now_ms),
            delivered_at: options.delivered.resolve(now_ms),
            count: counted(count),
        };
        self.assign(id, delivery);
        self.at_mut(delivery.consumer).active_at = Some(now_ms);
        claimed.ids.push(id);
    }

    fn autoclaim(
        &mut self,
        log: &EntryLog,
        consumer: &[u8],
        options: &AutoclaimOptions,
        now_ms: u64,
    ) -> Claimed {
        const LOOKS_PER_CLAIM: usize = 10;
        let claim = ClaimOptions {
            min_idle_ms: options.min_idle_ms,
            just_ids: options.just_ids,
            ..ClaimOptions::default()
        };
        let mut looks = options.limit.saturating_mul(LOOKS_PER_CLAIM);
        let mut claimed = Claimed::default();
        let mut next = self.next_pending(Some(options.start));
        while let Some(id) = next
            && looks > 0
            && claimed.ids.len() + claimed.deleted.len() < options.limit
        {
            looks -= 1;
            self.claim_one(log, consumer, id, &claim, now_ms, &mut claimed);
            next = self.next_pending(id.next());
        }
        claimed.next = next.unwrap_or_default();
        claimed
    }

    fn next_pending(&self, start: Option<StreamId>) -> Option<StreamId> {
        self.pending.range(start?..).next().map(|(&id, _)| id)
    }

    /// Asserts the invariant.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        let mut pending = 0;
        for (name, &place) in &self.places {
            let consumer = self.at(place);
            assert_eq!(*name, consumer.name);
            pending += consumer.pending.len();
            for id in &consumer.pending {
                assert_eq!(self.pending[id].consumer, place);
            }
        }
        assert_eq!(pending, self.pending.len(), "every pending entry is one consumer's");
        let deliveries = self.pending.values().map(|delivery| delivery.count);
        deliveries.chain(self.entries_read).for_each(|count| assert_eq!(count, counted(count)));
        assert_eq!(self.consumers.iter().flatten().count(), self.places.len());
        assert_eq!(self.names_len, self.places.keys().map(|name| name.len()).sum::<usize>());
    }
}

fn is_idle(delivery: &Delivery, min_idle_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(delivery.delivered_at) >= min_idle_ms
}

impl DeliveryTime {
    fn resolve(self, now_ms: u64) -> u64 {
        match self {
            DeliveryTime::Now => now_ms,
            DeliveryTime::Idle(ms) => now_ms.checked_sub(ms).unwrap_or(now_ms),
            DeliveryTime::At(at) => at.min(now_ms),
        }
    }
}

impl Consumer {
    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// When it was last given or shown entries, or was created.
    pub(crate) fn seen_at(&self) -> u64 {
        self.seen_at
    }

    /// When it last got entries to acknowledge.
    pub(crate) fn active_at(&self) -> Option<u64> {
        self.active_at
    }

    /// The entries it has not acknowledged, lowest id first.
    pub(crate) fn pending_ids(&self) -> impl ExactSizeIterator<Item = StreamId> + '_ {
        self.pending.iter().copied()
    }
}

/// A group that may change, together with the entries it reads.
pub(crate) struct GroupMut<'a> {
    pub(super) log: &'a EntryLog,
    pub(super) group: &'a mut Group,
    /// The stream's account of all its groups, settled on drop.
    pub(super) account: &'a mut usize,
    pub(super) before: usize,
}

impl std::ops::Deref for GroupMut<'_> {
    type Target = Group;

    fn deref(&self) -> &Group {
        self.group
    }
}

impl Drop for GroupMut<'_> {
    fn drop(&mut self) {
        *self.account = *self.account - self.before + self.group.bytes();
    }
}

impl<'a> GroupMut<'a> {
    pub(super) fn new(log: &'a EntryLog, group: &'a mut Group, account: &'a mut usize) -> Self {
        let before = group.bytes();
        GroupMut { log, group, account, before }
    }

    /// Moves the group to another place in the stream.
    pub(crate) fn set_id(&mut self, last_delivered: StreamId, entries_read: Option<u64>) {
        self.group.set_id(last_delivered, entries_read);
    }

    /// Whether the consumer is new.
    pub(crate) fn create_consumer(&mut self, name: &[u8], now_ms: u64) -> bool {
        let new = !self.group.places.contains_key(name);
        if new {
            self.group.create_consumer(name, now_ms);
        }
        new
    }

    /// Creates a consumer as it once was; `false` if there is one of the name.
    pub(crate) fn restore_consumer(
        &mut self,
        name: &[u8],
        seen_at: u64,
        active_at: Option<u64>,
    ) -> bool {
        let new = !self.group.places.contains_key(name);
        if new {
            let place = self.group.create_consumer(name, seen_at);
            self.group.at_mut(place).active_at = active_at;
        }
        new
    }

    /// Makes an entry pending as it once was, in the stream or not; nothing if there is no such
    /// consumer.
    pub(crate) fn restore_pending(
        &mut self,
        id: StreamId,
        consumer: &[u8],
        delivered_at: u64,
        count: u64,
    ) {
        if let Some(&consumer) = self.group.places.get(consumer) {
            self.group.assign(id, Delivery { consumer, delivered_at, count: counted(count) });
        }
    }

    /// Removes a consumer and what it has pending, and returns how much that was.
    pub(crate) fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        self.group.remove_consumer(name)
    }

    /// Gives the next entries of the stream to a consumer, who is created once there are any.
    pub(crate) fn deliver(
        &mut self,
        consumer: &[u8],
        limit: Option<usize>,
        acknowledge: Acknowledge,
        now_ms: u64,
    ) -> Entries {
        self.group.deliver(self.log, consumer, limit, acknowledge, now_ms)
    }

    /// What a consumer has pending above an id, delivered once more. Entries that left the stream
    /// come as deleted.
    pub(crate) fn history(
        &mut self,
        consumer: &[u8],
        after: StreamId,
        limit: Option<usize>,
        now_ms: u64,
    ) -> Entries {
        self.group.history(self.log, consumer, after, limit, now_ms)
    }

    /// Ends the delivery of an entry; `false` if it was not pending.
    pub(crate) fn ack(&mut self, id: StreamId) -> bool {
        self.group.ack(id)
    }

    /// Makes pending entries this consumer's, who is created once there is one. The entries
    /// themselves can then be read with [`Stream::collect`](super::Stream::collect).
    pub(crate) fn claim(
        &mut self,
        consumer: &[u8],
        ids: &[StreamId],
        options: &ClaimOptions,
        now_ms: u64,
    ) -> Claimed {
        self.group.claim(self.log, consumer, ids, options, now_ms)
    }

    /// Claims whatever is pending from an id on.
    pub(crate) fn autoclaim(
        &mut self,
        consumer: &[u8],
        options: &AutoclaimOptions,
        now_ms: u64,
    ) -> Claimed {
        self.group.autoclaim(self.log, consumer, options, now_ms)
    }
}
