//! Redis's data structures inside your own process.

mod block;
mod data;
mod error;
mod number;
mod pubsub;
mod sync;
mod value;

pub use error::{Error, Result};
pub use pubsub::{Message, Messages, Overflow, RecvError, Subscription, SubscriptionOptions};
#[cfg(feature = "serde")]
pub use value::Json;
pub use value::{FromValue, ToValue, Value};
