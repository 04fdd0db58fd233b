//! What a reader holds: subscribing, unsubscribing, and reading.

use std::fmt;
use std::time::{Duration, Instant};

use super::hub::{Hub, Subscriber};
use super::queue::{Item, Messages, Overflow, RecvError, Wakers};
use crate::sync::{Arc, Weak};
use crate::value::Value;

/// A published message, as one subscriber sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The channel it was published to.
    pub channel: Value,
    /// The pattern by which it was received, if it was by pattern: a subscriber gets a message once
    /// for its channel and once for each of its patterns that match.
    pub pattern: Option<Value>,
    /// What was published, shared with all who got it.
    pub payload: Value,
}

/// What messages in a row have in common.
#[derive(Clone)]
pub(crate) struct Label {
    pub(super) channel: Value,
    pub(super) pattern: Option<Value>,
    /// The registrations of both: labels of the same registrations need no comparison of bytes.
    pub(super) ids: (u64, u64),
}

impl Item for Message {
    type Label = Label;
    type Body = Value;
    type Read = Self;

    fn join(label: Label, payload: Value) -> Self {
        Self { channel: label.channel, pattern: label.pattern, payload }
    }
}

/// How much a subscription lets wait, and what happens then: by default 1,024 messages, and the
/// oldest are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionOptions {
    pub(super) capacity: usize,
    pub(super) overflow: Overflow,
}

impl Default for SubscriptionOptions {
    fn default() -> Self {
        Self { capacity: 1024, overflow: Overflow::default() }
    }
}

impl SubscriptionOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages may wait for the reader, at least one. Messages that the reader has begun
    /// to take, at most as many again, no longer count. Memory grows with what waits, not with what
    /// may wait.
    #[must_use]
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages.max(1);
        self
    }

    /// What happens to a message for which there is no room.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }
}

/// Channels and patterns subscribed to, and the one queue of their messages.
///
/// All the messages of a channel arrive in the order in which every other subscriber of it sees
/// them; messages of different channels have no common order. Dropping the subscription
/// unsubscribes. It can be shared by reference: a message goes to one of the threads that read, and
/// one thread may subscribe while another waits.
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    pub(super) subscriber: Arc<Subscriber>,
    hub: Weak<Hub>,
}

impl Subscription {
    pub(super) fn new(subscriber: Arc<Subscriber>, hub: Weak<Hub>) -> Self {
        Self { subscriber, hub }
    }

    /// Subscribes to a channel by its name. Returns whether the subscription is new; on one that
    /// was disconnected or whose store is gone it is not. O(log n) in the subscription's own
    /// channels.
    #[doc(alias = "SUBSCRIBE")]
    pub fn subscribe(&self, channel: impl AsRef<[u8]>) -> bool {
        self.hub.upgrade().is_some_and(|hub| hub.add_channel(&self.subscriber, channel.as_ref()))
    }

    /// Unsubscribes from a channel. Returns whether it was subscribed to. Messages that wait
    /// already can still be read. O(n) in the channel's subscribers.
    #[doc(alias = "UNSUBSCRIBE")]
    pub fn unsubscribe(&self, channel: impl AsRef<[u8]>) -> bool {
        self.hub.upgrade().is_some_and(|hub| hub.remove_channel(&self.subscriber, channel.as_ref()))
    }

    /// Subscribes to all channels whose name matches a pattern: `*`, `?`, `[a-z]`, `[^a-z]`, and
    /// `\` to take the next byte as it is. Every pattern is valid. As in Redis, `*` does not match
    /// the channel with the empty name. Returns as [`subscribe`](Self::subscribe) does.
    #[doc(alias = "PSUBSCRIBE")]
    pub fn psubscribe(&self, pattern: impl AsRef<[u8]>) -> bool {
        self.hub.upgrade().is_some_and(|hub| hub.add_pattern(&self.subscriber, pattern.as_ref()))
    }

    /// Unsubscribes from a pattern, spelled as it was subscribed to. Returns as
    /// [`unsubscribe`](Self::unsubscribe).
    #[doc(alias = "PUNSUBSCRIBE")]
    pub fn punsubscribe(&self, pattern: impl AsRef<[u8]>) -> bool {
        self.hub.upgrade().is_some_and(|hub| hub.remove_pattern(&self.subscriber, pattern.as_ref()))
    }

    /// The channels subscribed to by name, in order.
    #[must_use]
    pub fn channels(&self) -> Vec<Value> {
        self.subscriber.routes.lock().channels.iter().cloned().collect()
    }

    /// The patterns subscribed to, in order.
    #[must_use]
    pub fn patterns(&self) -> Vec<Value> {
        self.subscriber.routes.lock().patterns.iter().cloned().collect()
    }

    /// How many messages wait to be read.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.subscriber.queue.len()
    }

    /// Takes the next message, and waits for it as long as it takes. The order of messages is never
    /// disturbed by an overflow: [`RecvError::Lagged`] comes where messages are missing, and
    /// reading goes on behind it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`], [`RecvError::Disconnected`] or [`RecvError::Closed`].
    pub fn recv(&self) -> Result<Message, RecvError> {
        self.subscriber.queue.recv(None)
    }

    /// Takes the next message if there is one. Never waits.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), and [`RecvError::Empty`].
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        self.subscriber.queue.try_recv()
    }

    /// Takes the next message, and waits for it at most so long, in real time.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), and [`RecvError::Timeout`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        // A time too far away to be represented is no limit.
        self.subscriber.queue.recv(Instant::now().checked_add(timeout))
    }

    /// The messages as they come, waiting for each. A lag is an item of its own; after
    /// [`RecvError::Disconnected`], or without an item when the store is gone, the iterator ends.
    #[must_use]
    pub fn iter(&self) -> Messages<'_, Message> {
        Messages::new(&self.subscriber.queue)
    }

    /// Unsubscribes from everything for good, as dropping does: for a thread that wants to stop
    /// another one's reading. Readers get what waits already, then [`RecvError::Closed`].
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let news = store.subscribe(&["news"])?;
    /// std::thread::scope(|scope| {
    ///     let reader = scope.spawn(|| news.iter().count());
    ///     news.close();
    ///     assert_eq!(reader.join().unwrap(), 0);
    /// });
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn close(&self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.detach(&self.subscriber);
        }
        // Releases a publisher that waits for room.
        let mut wakers = Wakers::default();
        self.subscriber.queue.end(RecvError::Closed, &mut wakers);
        wakers.wake();
    }

    /// Whether it has been closed.
    #[cfg(any(test, fuzzing))]
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "asked by sessions"))]
    pub(crate) fn is_closed(&self) -> bool {
        self.subscriber.queue.has_ended()
    }

    /// Names this subscription as the origin of messages that it should not get back itself.
    pub(crate) fn id(&self) -> u64 {
        self.subscriber.id
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("channels", &self.channels())
            .field("patterns", &self.patterns())
            .field("pending", &self.pending())
            .finish()
    }
}

impl<'a> IntoIterator for &'a Subscription {
    type Item = Result<Message, RecvError>;
    type IntoIter = Messages<'a, Message>;

    fn into_iter(self) -> Messages<'a, Message> {
        self.iter()
    }
}
