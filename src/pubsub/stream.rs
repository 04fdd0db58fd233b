//! Feature `async`: a subscription as a stream. Publishers wake the task; there is no runtime here.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::queue::RecvError;
use super::subscription::{Message, Messages, Subscription};

impl Subscription {
    /// The messages as a stream, with the items of [`iter`](Subscription::iter). Any executor will do. Dropping the
    /// stream or a pending `next` loses no message. One task at a time may wait on a subscription.
    #[must_use]
    pub fn stream(&self) -> Messages<'_> {
        self.iter()
    }
}

impl Stream for Messages<'_> {
    type Item = Result<Message, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.subscription.subscriber.queue.poll_recv(context).map(|read| self.item(read))
    }
}

impl FusedStream for Messages<'_> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}
