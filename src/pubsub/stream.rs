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
    /// use futures_core::Stream;
    ///
    /// let store = larder::Store::new();
    /// let news = store.subscribe(&["news"])?;
    /// let publisher = thread::spawn(move || store.publish("news", "rain"));
    /// let received = block_on(async {
    ///     let mut messages = pin!(news.stream());
    ///     let mut received = Vec::new();
    ///     let mut next = || poll_fn(|context| messages.as_mut().poll_next(context));
    ///     while let Some(message) = next().await {
    ///         received.push(message?.payload);
    ///     }
    ///     Ok::<_, larder::RecvError>(received) // The store is gone: the stream has ended.
    /// });
    /// assert_eq!(received?, ["rain"]);
    /// # publisher.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
