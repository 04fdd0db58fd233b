//! What happened to a key, told to whoever subscribes to events.

use std::collections::VecDeque;

use super::Kind;
use crate::pubsub::{Feed, Listener, SubscriptionOptions, Wakers};
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::value::Value;

/// What happened to a key.
///
/// The variants are named after what an operation did; [`EventKind::name`] gives the name that
/// Redis's keyspace notifications use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// The key was removed by an operation.
    Deleted,
    /// The key's time to live ran out.
    Expired,
    /// The key was removed to stay within the memory limit.
    Evicted,
    /// A string was written.
    Set,
    /// A string was appended to.
    Appended,
    /// Part of a string was overwritten.
    RangeSet,
    /// A string was incremented by an integer.
    Incremented,
    /// A string was incremented by a float.
    IncrementedByFloat,
    /// The key got a deadline.
    Expire,
    /// The key lost its deadline.
    Persisted,
    /// The key was renamed; this is its old name.
    RenamedFrom,
    /// The key was renamed; this is its new name.
    RenamedTo,
    /// The key was moved to another database; this is where it left.
    MovedFrom,
    /// The key was moved to another database; this is where it arrived.
    MovedTo,
    /// The key was made by copying another.
    CopiedTo,
    /// The key was made of a dumped value.
    Restored,
    /// Elements were pushed at the front of a list.
    PushedFront,
    /// Elements were pushed at the back of a list.
    PushedBack,
    /// Elements were popped from the front of a list.
    PoppedFront,
    /// Elements were popped from the back of a list.
    PoppedBack,
    /// An element of a list was replaced.
    ElementSet,
    /// An element was inserted into a list.
    ElementInserted,
    /// Elements were removed from a list by value.
    ElementsRemoved,
    /// A list was cut down to a range.
    ListTrimmed,
    /// A list was made by sorting.
    SortStored,
    /// Members were added to a sorted set or got new scores.
    ScoresAdded,
    /// A member's score was incremented.
    ScoreIncremented,
    /// Members were removed from a sorted set.
    MembersRemoved,
    /// Members were removed from a sorted set by rank.
    MembersRemovedByRank,
    /// Members were removed from a sorted set by score.
    MembersRemovedByScore,
    /// Members were removed from a sorted set by name.
    MembersRemovedByLex,
    /// The lowest members of a sorted set were popped.
    MinPopped,
    /// The highest members of a sorted set were popped.
    MaxPopped,
    /// A sorted set was made from a union.
    UnionStored,
    /// A sorted set was made from an intersection.
    IntersectionStored,
    /// A sorted set was made from a difference.
    DifferenceStored,
    /// A sorted set was made from a range of another.
    RangeStored,
    /// An entry was appended to a stream.
    EntryAdded,
    /// Entries were deleted from a stream.
    EntriesDeleted,
    /// A stream was trimmed.
    Trimmed,
    /// A stream's last id was set.
    LastIdSet,
    /// A consumer group was created.
    GroupCreated,
    /// A consumer group was destroyed.
    GroupDestroyed,
    /// A consumer group's position was set.
    GroupIdSet,
    /// A consumer was created in a group.
    ConsumerCreated,
    /// A consumer was deleted from a group.
    ConsumerDeleted,
    /// Fields of a hash were set.
    FieldsSet,
    /// Fields were deleted from a hash.
    FieldsDeleted,
    /// A field of a hash was incremented by an integer.
    FieldIncremented,
    /// A field of a hash was incremented by a float.
    FieldIncrementedByFloat,
    /// Fields of a hash got a deadline.
    FieldsExpire,
    /// Fields of a hash lost their deadlines.
    FieldsPersisted,
    /// The time to live of fields of a hash ran out.
    FieldsExpired,
    /// Members were added to a set.
    SetMembersAdded,
    /// Members were removed from a set.
    SetMembersRemoved,
    /// Random members were taken out of a set.
    SetMembersPopped,
    /// A set was made from a union of sets.
    SetUnionStored,
    /// A set was made from an intersection of sets.
    SetIntersectionStored,
    /// A set was made from a difference of sets.
    SetDifferenceStored,
    /// Bits of a string were set or cleared.
    BitsSet,
}

impl EventKind {
    /// The name that Redis's keyspace notifications use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deleted => "del",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Set => "set",
            Self::Appended => "append",
            Self::RangeSet => "setrange",
            Self::Incremented => "incrby",
            Self::IncrementedByFloat => "incrbyfloat",
            Self::Expire => "expire",
            Self::Persisted => "persist",
            Self::RenamedFrom => "rename_from",
            Self::RenamedTo => "rename_to",
            Self::MovedFrom => "move_from",
            Self::MovedTo => "move_to",
            Self::CopiedTo => "copy_to",
            Self::Restored => "restore",
            Self::PushedFront => "lpush",
            Self::PushedBack => "rpush",
            Self::PoppedFront => "lpop",
            Self::PoppedBack => "rpop",
            Self::ElementSet => "lset",
            Self::ElementInserted => "linsert",
            Self::ElementsRemoved => "lrem",
            Self::ListTrimmed => "ltrim",
            Self::SortStored => "sortstore",
            Self::ScoresAdded => "zadd",
            Self::ScoreIncremented => "zincr",
            Self::MembersRemoved => "zrem",
            Self::MembersRemovedByRank => "zremrangebyrank",
            Self::MembersRemovedByScore => "zremrangebyscore",
            Self::MembersRemovedByLex => "zremrangebylex",
            Self::MinPopped => "zpopmin",
            Self::MaxPopped => "zpopmax",
            Self::UnionStored => "zunionstore",
            Self::IntersectionStored => "zinterstore",
            Self::DifferenceStored => "zdiffstore",
            Self::RangeStored => "zrangestore",
            Self::EntryAdded => "xadd",
            Self::EntriesDeleted => "xdel",
            Self::Trimmed => "xtrim",
            Self::LastIdSet => "xsetid",
            Self::GroupCreated => "xgroup-create",
            Self::GroupDestroyed => "xgroup-destroy",
            Self::GroupIdSet => "xgroup-setid",
            Self::ConsumerCreated => "xgroup-createconsumer",
            Self::ConsumerDeleted => "xgroup-delconsumer",
            Self::FieldsSet => "hset",
            Self::FieldsDeleted => "hdel",
            Self::FieldIncremented => "hincrby",
            Self::FieldIncrementedByFloat => "hincrbyfloat",
            Self::FieldsExpire => "hexpire",
            Self::FieldsPersisted => "hpersist",
            Self::FieldsExpired => "hexpired",
            Self::SetMembersAdded => "sadd",
            Self::SetMembersRemoved => "srem",
            Self::SetMembersPopped => "spop",
            Self::SetUnionStored => "sunionstore",
            Self::SetIntersectionStored => "sinterstore",
            Self::SetDifferenceStored => "sdiffstore",
            Self::BitsSet => "setbit",
        }
    }
}

impl EventKind {
    /// The type of value whose operations alone cause it; `None` if it happens to any key.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "read by sessions"))]
    pub(crate) fn of(self) -> Option<Kind> {
        match self {
            Self::Deleted
            | Self::Expired
            | Self::Evicted
            | Self::Expire
            | Self::Persisted
            | Self::RenamedFrom
            | Self::RenamedTo
            | Self::MovedFrom
            | Self::MovedTo
            | Self::CopiedTo
            | Self::Restored => None,
            Self::Set
            | Self::Appended
            | Self::RangeSet
            | Self::Incremented
            | Self::IncrementedByFloat
            | Self::BitsSet => Some(Kind::String),
            Self::SetMembersAdded
            | Self::SetMembersRemoved
            | Self::SetMembersPopped
            | Self::SetUnionStored
            | Self::SetIntersectionStored
            | Self::SetDifferenceStored => Some(Kind::Set),
            Self::ScoresAdded
            | Self::ScoreIncremented
            | Self::MembersRemoved
            | Self::MembersRemovedByRank
            | Self::MembersRemovedByScore
            | Self::MembersRemovedByLex
            | Self::MinPopped
            | Self::MaxPopped
            | Self::UnionStored
            | Self::IntersectionStored
            | Self::DifferenceStored
            | Self::RangeStored => Some(Kind::SortedSet),
            Self::EntryAdded
            | Self::EntriesDeleted
            | Self::Trimmed
            | Self::LastIdSet
            | Self::GroupCreated
            | Self::GroupDestroyed
            | Self::GroupIdSet
            | Self::ConsumerCreated
            | Self::ConsumerDeleted => Some(Kind::Stream),
            Self::FieldsSet
            | Self::FieldsDeleted
            | Self::FieldIncremented
            | Self::FieldIncrementedByFloat
            | Self::FieldsExpire
            | Self::FieldsPersisted
            | Self::FieldsExpired => Some(Kind::Hash),
            Self::PushedFront
            | Self::PushedBack
            | Self::PoppedFront
            | Self::PoppedBack
            | Self::ElementSet
            | Self::ElementInserted
            | Self::ElementsRemoved
            | Self::ListTrimmed
            | Self::SortStored => Some(Kind::List),
        }
    }
}

/// One event of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The database that the key is or was in.
    pub database: u16,
    /// The key.
    pub key: Value,
    /// What happened, and so why the key is gone if it is.
    pub kind: EventKind,
    /// The string that the key held, if it expired or was evicted.
    pub value: Option<Value>,
}

/// Where the keyspace puts events, on their way to whoever listens.
///
/// An event is queued under the lock of the key's shard and published once the lock is
/// released, so the events of a key come in the order of its changes and no listener can hold
/// up a shard.
#[derive(Default)]
pub(crate) struct EventSink {
    feed: Feed<Event>,
    queue: Mutex<VecDeque<Event>>,
    /// Held while publishing, so that two publishers keep the queue's order.
    publishing: Mutex<()>,
    tap: Mutex<Option<Tap>>,
    is_tapped: AtomicBool,
}

/// What sees every event as it is published, and leaves whom it wakes to the publisher. It must
/// not use the keyspace.
pub(crate) type Tap = Box<dyn Fn(&Event, &mut Wakers) + Send + Sync>;

impl EventSink {
    /// Listens to the events from now on that pass the filter.
    pub(crate) fn listen(
        &self,
        options: SubscriptionOptions,
        filter: impl Fn(&Event) -> bool + Send + Sync + 'static,
    ) -> Listener<Event> {
        self.feed.subscribe(options, filter)
    }

    /// Shows all events from now on to `tap`, in place of the one before.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "set by sessions"))]
    pub(crate) fn set_tap(&self, tap: Option<Tap>) {
        let mut current = self.tap.lock();
        self.is_tapped.store(tap.is_some(), Ordering::Release);
        *current = tap;
    }

    #[inline]
    pub(super) fn has_listeners(&self) -> bool {
        self.feed.has_listeners() || self.is_tapped.load(Ordering::Acquire)
    }

    pub(super) fn push(&self, event: Event) {
        self.queue.lock().push_back(event);
    }

    /// Publishes what is queued. No lock of a shard may be held; wakers run under none at all.
    pub(super) fn publish(&self) {
        loop {
            let mut wakers = Wakers::default();
            let order = self.publishing.lock();
            let Some(event) = self.queue.lock().pop_front() else { return };
            self.feed.publish(&event, &mut wakers);
            if let Some(tap) = &*self.tap.lock() {
                tap(&event, &mut wakers);
            }
            drop(order);
            wakers.wake();
        }
    }
}
