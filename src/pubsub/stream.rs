//! Feature `async`: subscriptions as streams. Publishers wake the task; there is no runtime here.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::feed::Listener;
use super::queue::{Messages, RecvError};
use super::subscription::{Message, Subscription};

impl Subscription {
    /// The messages as a stream, with the items of [`iter`](Self::iter). Any executor will do.
    /// Dropping the stream or a pending `next` loses no message. One task at a time may wait on a
    /// subscription.
    #[must_use]
    pub fn stream(&self) -> Messages<'_, Message> {
        self.iter()
    }
}

impl<T: Send> Listener<T> {
    /// The messages as a stream, with the items of [`iter`](Self::iter). Any executor will do.
    /// Dropping the stream or a pending `next` loses no message. One task at a time may wait on a
    /// listener.
    #[must_use]
    pub fn stream(&self) -> Messages<'_, T> {
        self.iter()
    }
}

impl<T> Stream for Messages<'_, T> {
    type Item = Result<T, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.source.poll_next(context).map(|read| self.item(read))
    }
}

impl<T> FusedStream for Messages<'_, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}
