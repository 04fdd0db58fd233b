//! Publish and subscribe within the process.
//!
//! [`queue`] is the bounded queue of one subscriber, whatever its messages are; [`hub`] is the
//! registry that fans a message out to the queues; [`subscription`] is what a reader holds;
//! [`feed`] is one channel of typed messages.

mod feed;
mod hub;
#[cfg(feature = "session")]
mod poll;
mod queue;
#[cfg(feature = "async")]
mod stream;
mod subscription;

#[cfg(all(test, shuttle))]
mod models;
#[cfg(all(test, not(shuttle)))]
mod tests;

pub(crate) use feed::Feed;
pub use feed::Listener;
pub(crate) use hub::Hub;
pub(crate) use queue::Wakers;
pub use queue::{Messages, Overflow, RecvError};
#[cfg(feature = "async")]
pub use stream::MessageStream;
pub use subscription::{Message, Subscription, SubscriptionOptions};
