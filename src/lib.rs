//! Redis's data structures inside your own process.
// The handles are generic over a sealed trait: where their operations run.
#![allow(private_bounds, private_interfaces)]

// Ranks, from low to high: a module imports only from those above it in this list.
mod block;
mod clock;
mod error;
mod number;
mod sync;
mod value;

mod data;

mod keyspace;
mod pubsub;

mod ops;

mod wire;

mod engine;

mod handles;

mod store;

pub use clock::{Clock, ManualClock};
pub use data::stream::{
    Deletion, Entries, EntriesIter, Entry, Fields, ParseStreamIdError, References, StreamId,
};
pub use error::{Error, Result};
pub use handles::{
    Autoclaimed, Batch, Consumer, ConsumerGroup, Keys, Kv, Pending, Stream, StreamRange, Target,
    Transaction, Watch,
};
pub use keyspace::{Event, EventKind, Kind};
pub use ops::stream::{After, AppendOptions, FullStreamInfo, StreamInfo, Trim};
pub use ops::stream_group::{
    ClaimOptions, ConsumerInfo, Delivery, FullConsumerInfo, FullGroupInfo, GroupInfo, GroupStart,
    PendingEntry, PendingSummary,
};
pub use pubsub::{Message, Messages, Overflow, RecvError, Subscription, SubscriptionOptions};
pub use store::{Builder, Store, Upkeep};
#[cfg(feature = "serde")]
pub use value::Json;
pub use value::{FromValue, ToValue, Value};
