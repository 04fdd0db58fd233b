//! Feature `async`: subscriptions as streams. Publishers wake the task; there is no runtime here.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::feed::Listener;
use super::queue::{self, RecvError, Source};
use super::subscription::{Message, Subscription};

/// A reader's messages as a stream. A lag is an item of its own; after
/// [`RecvError::Disconnected`], or without an item when the store is gone, there are no more.
///
/// Made by [`Subscription::stream`] and [`Listener::stream`]. It is no iterator: that one, which
/// waits in its thread, is [`Messages`](crate::Messages).
#[must_use = "streams do nothing unless polled"]
pub struct MessageStream<'a, T> {
    source: &'a (dyn Source<T> + Sync),
    ended: bool,
}

impl Subscription {
    /// Takes the next message as [`recv`](Self::recv) does, without a thread that waits. Any
    /// executor will do. Dropping the future loses no message. One task at a time may wait on a
    /// subscription.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv).
    ///
    /// ```
    /// # use std::task::{Context, Poll, Waker};
    /// # let store = larder::Store::new();
    /// let news = store.subscribe(&["news"])?;
    /// store.publish("news", "rain")?;
    /// let reading = async { news.recv_async().await.map(|message| message.payload) };
    /// # let mut reading = std::pin::pin!(reading);
    /// # let read = reading.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    /// # assert_eq!(read, Poll::Ready(Ok("rain".into())));
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn recv_async(&self) -> impl Future<Output = Result<Message, RecvError>> + Send + '_ {
        poll_fn(|context| self.subscriber.queue.poll_recv(context))
    }

    /// The messages as a stream, with the items of [`iter`](Self::iter). Any executor will do.
    /// Dropping the stream or a pending `next` loses no message. One task at a time may wait on a
    /// subscription.
    ///
    /// With the `next` of any crate of stream adapters it is `messages.next().await`; by hand:
    ///
    /// ```
    /// # use std::{future::Future, sync::Arc, task::{Context, Poll, Wake, Waker}, thread};
    /// # struct Unpark(thread::Thread);
    /// # impl Wake for Unpark {
    /// #     fn wake(self: Arc<Self>) {
    /// #         self.0.unpark();
    /// #     }
    /// # }
    /// # fn block_on<F: Future>(future: F) -> F::Output {
    /// #     let waker = Waker::from(Arc::new(Unpark(thread::current())));
    /// #     let mut future = pin!(future);
    /// #     loop {
    /// #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
    /// #             Poll::Ready(output) => return output,
    /// #             Poll::Pending => thread::park(),
    /// #         }
    /// #     }
    /// # }
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    ///
    /// use larder::futures_core::Stream;
    ///
    /// let store = larder::Store::new();
    /// let news = store.subscribe(&["news"])?;
    /// let publisher = thread::spawn(move || store.publish("news", "rain"));
    /// let received = block_on(async {
    ///     let mut messages = pin!(news.stream());
    ///     let mut received = Vec::new();
    ///     while let Some(message) = poll_fn(|task| messages.as_mut().poll_next(task)).await {
    ///         received.push(message?.payload);
    ///     }
    ///     Ok::<_, larder::RecvError>(received) // The store is gone: the stream has ended.
    /// });
    /// assert_eq!(received?, ["rain"]);
    /// # publisher.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream(&self) -> MessageStream<'_, Message> {
        MessageStream { source: &self.subscriber.queue, ended: false }
    }
}

impl<T: Send> Listener<T> {
    /// Takes the next message as [`recv`](Self::recv) does, without a thread that waits. Any
    /// executor will do. Dropping the future loses no message. One task at a time may wait on a
    /// listener.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv).
    pub fn recv_async(&self) -> impl Future<Output = Result<T, RecvError>> + Send + '_ {
        poll_fn(|context| self.queue.poll_recv(context))
    }

    /// The messages as a stream, with the items of [`iter`](Self::iter). Any executor will do.
    /// Dropping the stream or a pending `next` loses no message. One task at a time may wait on a
    /// listener.
    pub fn stream(&self) -> MessageStream<'_, T> {
        MessageStream { source: &*self.queue, ended: false }
    }
}

impl<T> Stream for MessageStream<'_, T> {
    type Item = Result<T, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.source.poll_next(context).map(|read| {
            let (item, ended) = queue::item(read);
            self.ended = ended;
            item
        })
    }
}

impl<T> FusedStream for MessageStream<'_, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> fmt::Debug for MessageStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageStream").field("ended", &self.ended).finish_non_exhaustive()
    }
}
