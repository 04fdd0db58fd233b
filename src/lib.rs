#![doc = include_str!("../README.md")]
// The handles are generic over a sealed trait: where their operations run.
#![allow(private_bounds, private_interfaces)]

// Ranks, from low to high: a module imports only from those above it in this list.
mod argv;
mod block;
mod clock;
mod error;
mod number;
mod random;
mod sync;
mod value;

mod data;

mod pubsub;

mod keyspace;

mod codec;

mod ops;

#[allow(dead_code, reason = "only sessions read commands, and only tests read replies back")]
mod wire;

pub mod persist;

mod engine;

mod handles;

mod store;

pub mod rdb;

#[cfg(feature = "session")]
mod session;

#[cfg(feature = "server")]
pub mod server;

#[cfg(feature = "redis")]
mod compat;

#[cfg(feature = "testing")]
pub mod testing;

pub use clock::{Clock, ManualClock};
#[cfg(feature = "redis")]
pub use compat::RedisConnection;
#[cfg(feature = "redis-async")]
pub use compat::RedisStream;
pub use data::list::ListEnd;
pub use data::sorted_set::Score;
pub use data::stream::{
    Deletion, Direction, Entries, EntriesIter, Entry, Fields, Precision, References, StreamId,
    TrimBound,
};
pub use error::{Error, Result};
#[cfg(feature = "async")]
pub use futures_core;
#[cfg(feature = "async")]
pub use handles::future::Waiting;
pub use handles::{Autoclaimed, Consumer, ConsumerGroup, Stream, StreamRange};
pub use handles::{Batch, Keys, Kv, Pending, Scan, Target, Transaction, Watch};
pub use handles::{BitFields, Bitmap};
pub use handles::{
    Combination, Difference, MemberIter, RangeQuery, RankQuery, SortedSet, SortedSets,
};
pub use handles::{
    CopyOptions, Deadline, DeleteIf, ExpireIf, Expiry, Increment, Incremented, Number,
    RestoreOptions, ScanCursor, ScanOptions, ScanPage, SetOptions, TimeToLive,
};
pub use handles::{FieldIter, FieldNameIter, FieldOptions, Hash};
pub use handles::{List, Lists, PositionOptions, SortQuery};
pub use handles::{Set, SetIter, Sets};
pub use keyspace::{Event, EventKind, Kind};
pub use ops::bitmap::{BitField, BitOverflow};
pub use ops::encoding::Encoding;
pub use ops::list::PoppedElements;
pub use ops::sorted_set::{AddRule, Aggregate, Popped};
pub use ops::stream::{After, AppendOptions, FullStreamInfo, StreamInfo, Trim};
pub use ops::stream_group::{
    ClaimOptions, ConsumerInfo, Delivery, FullConsumerInfo, FullGroupInfo, GroupInfo, GroupStart,
    PendingEntry, PendingSummary,
};
pub use ops::subsequence::CommonRun;
#[cfg(feature = "async")]
pub use pubsub::MessageStream;
pub use pubsub::{
    Listener, Message, Messages, Overflow, RecvError, Subscription, SubscriptionOptions,
};
#[cfg(feature = "session")]
#[doc(hidden)]
pub use session::{Face, FaceOptions, Peer, Session};
pub use store::{Builder, PersistenceStats, PersistentBuilder, Stats, Store, Upkeep};
#[cfg(feature = "serde")]
pub use value::Json;
pub use value::{FromValue, ToValue, Value};
