//! Feature `session`: subscriptions polled with a waker alone, by whoever is no task.

use std::task::{Context, Poll, Waker};

use super::feed::Listener;
use super::queue::RecvError;
use super::subscription::{Message, Subscription};

impl Subscription {
    /// Takes the next message, or has `waker` woken when there is one.
    pub(crate) fn poll_recv(&self, waker: &Waker) -> Poll<Result<Message, RecvError>> {
        self.subscriber.queue.poll_recv(&Context::from_waker(waker))
    }
}

impl<T: Send> Listener<T> {
    /// Takes the next message, or has `waker` woken when there is one.
    pub(crate) fn poll_recv(&self, waker: &Waker) -> Poll<Result<T, RecvError>> {
        self.queue.poll_recv(&Context::from_waker(waker))
    }
}
