//! Feature `async`: blocking reads as futures. Writers wake the task; there is no runtime here.
//!
//! A future owns its arguments and holds its store weakly, so it can be moved to wherever tasks
//! run. Nothing happens until it is polled.

use std::fmt;
use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::stream::{borrow_keys, only_entries};
use super::{Consumer, List, Lists, SortedSet, SortedSets, Stream};
use crate::data::list::ListEnd;
use crate::data::stream::{Acknowledge, Entries};
use crate::engine::{self, BlockingFamily, Started};
use crate::error::{Error, Result};
use crate::ops::list::{
    BlockingMove, BlockingPopBack, BlockingPopFront, BlockingPopMany as BlockingPopManyElements,
    PoppedElements,
};
use crate::ops::sorted_set::{BlockingPopMany, BlockingPopMax, BlockingPopMin, End, Popped};
use crate::ops::stream::{After, Read, ReadOptions, ReadOutput, Streams};
use crate::ops::stream_group::{ReadGroup, Wanted};
use crate::store::Store;
use crate::sync::Arc;
use crate::value::Value;
use crate::wire::command::Owned;

/// A blocking read as a future: any executor will do, and no thread waits.
///
/// The read begins, takes its place in the line, and its timeout begins to run when the future is
/// first polled. The timeout is kept by the store's upkeep: by its thread, which is prompt to
/// about 10 ms, by [`Store::maintain`], or by the [`ManualClock`](crate::ManualClock) that is
/// moved.
///
/// Dropping the future, finished or not, loses no element: one that was found for it but not yet
/// taken by a poll goes to the next in line, or back. (Entries given to a [`Consumer`] stay
/// pending for it instead.) Like any use of the store, polling and dropping have no place within
/// a [transaction](Store::transaction).
///
/// # Errors
///
/// Those of the same read on a thread, and [`Error::Closed`] if the last handle of the store goes
/// away meanwhile: a future does not keep its store alive.
#[must_use = "futures do nothing unless polled"]
pub struct Waiting<R>(Pin<Box<dyn Future<Output = Result<R>> + Send>>);

impl<R> Future for Waiting<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        self.0.as_mut().poll(context)
    }
}

impl<R> fmt::Debug for Waiting<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

/// The operation as a future; or its refusal, if the arguments form none.
fn wait<F: BlockingFamily, R: Send + 'static>(
    store: &Store,
    operation: Result<&F::BlockingOf<'_>>,
    timeout: Option<Duration>,
    convert: fn(F::Output) -> R,
) -> Waiting<R> {
    let operation = operation.map(Owned::<F>::new);
    let (databases, database) = (Arc::downgrade(store.databases()), store.space().database);
    Waiting(Box::pin(async move {
        let operation = operation?;
        let started = {
            let databases = databases.upgrade().ok_or(Error::Closed)?;
            operation.with(|operation| {
                Ok(engine::start::<F>(&databases, database, F::blocking(operation)))
            })?
        };
        match started {
            Started::Done(outcome) => outcome.map(|found| convert(Some(found))),
            Started::Blocked(mut blocked) => {
                blocked.end_after(timeout);
                poll_fn(|context| blocked.poll(context.waker())).await.map(convert)
            }
        }
    }))
}

impl List<'_, Store> {
    /// [`pop_front_blocking`](Self::pop_front_blocking) as a future.
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, sync::Arc, thread};
    /// # use std::task::{Context, Poll, Wake, Waker};
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
    /// let store = larder::Store::new();
    /// let job = store.list("jobs").pop_front_async(None);
    /// let worker = thread::spawn(|| block_on(job));
    /// store.list("jobs").push_back("bake")?;
    /// assert_eq!(worker.join().unwrap()?, Some("bake".into()));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BLPOP")]
    pub fn pop_front_async(&self, timeout: impl Into<Option<Duration>>) -> Waiting<Option<Value>> {
        let (keys, timeout) = ([self.key], timeout.into());
        let operation = Lists::any_of(&keys, timeout).map(|of| BlockingPopFront { of });
        wait::<BlockingPopFront<'static>, _>(self.target, borrow(&operation), timeout, only_element)
    }

    /// [`pop_back_blocking`](Self::pop_back_blocking) as a future.
    #[doc(alias = "BRPOP")]
    pub fn pop_back_async(&self, timeout: impl Into<Option<Duration>>) -> Waiting<Option<Value>> {
        let (keys, timeout) = ([self.key], timeout.into());
        let operation = Lists::any_of(&keys, timeout).map(|of| BlockingPopBack { of });
        wait::<BlockingPopBack<'static>, _>(self.target, borrow(&operation), timeout, only_element)
    }

    /// [`move_to_blocking`](Self::move_to_blocking) as a future. If it is dropped although an
    /// element was moved for it, the element is moved back, unless it has been taken by then.
    #[doc(alias = "BLMOVE")]
    pub fn move_to_async(
        &self,
        destination: impl AsRef<[u8]>,
        from: ListEnd,
        to: ListEnd,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<Value>> {
        let timeout = timeout.into();
        let operation = self.blocking_move(destination.as_ref(), from, to, timeout);
        wait::<BlockingMove<'static>, _>(self.target, Ok(&operation), timeout, same)
    }
}

impl Lists<'_, Store> {
    /// [`pop_front_blocking`](Self::pop_front_blocking) as a future.
    #[doc(alias = "BLPOP")]
    pub fn pop_front_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<(Value, Value)>> {
        let timeout = timeout.into();
        let operation = Self::any_of(keys, timeout).map(|of| BlockingPopFront { of });
        wait::<BlockingPopFront<'static>, _>(self.target, borrow(&operation), timeout, same)
    }

    /// [`pop_back_blocking`](Self::pop_back_blocking) as a future.
    #[doc(alias = "BRPOP")]
    pub fn pop_back_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<(Value, Value)>> {
        let timeout = timeout.into();
        let operation = Self::any_of(keys, timeout).map(|of| BlockingPopBack { of });
        wait::<BlockingPopBack<'static>, _>(self.target, borrow(&operation), timeout, same)
    }

    /// [`pop_front_many_blocking`](Self::pop_front_many_blocking) as a future.
    #[doc(alias = "BLMPOP")]
    pub fn pop_front_many_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<PoppedElements>> {
        self.pop_many_async(keys, ListEnd::Front, count, timeout.into())
    }

    /// [`pop_back_many_blocking`](Self::pop_back_many_blocking) as a future.
    #[doc(alias = "BLMPOP")]
    pub fn pop_back_many_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<PoppedElements>> {
        self.pop_many_async(keys, ListEnd::Back, count, timeout.into())
    }

    fn pop_many_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        end: ListEnd,
        count: usize,
        timeout: Option<Duration>,
    ) -> Waiting<Option<PoppedElements>> {
        let operation = Self::many_of(keys, end, count, timeout);
        wait::<BlockingPopManyElements<'static>, _>(self.target, borrow(&operation), timeout, same)
    }
}

impl SortedSet<'_, Store> {
    /// [`pop_min_blocking`](Self::pop_min_blocking) as a future.
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, sync::Arc, thread};
    /// # use std::task::{Context, Poll, Wake, Waker};
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
    /// let store = larder::Store::new();
    /// let job = store.sorted_set("queue").pop_min_async(None);
    /// let worker = thread::spawn(|| block_on(job));
    /// store.sorted_set("queue").add("bake", 1.0)?;
    /// assert_eq!(worker.join().unwrap()?, Some(("bake".into(), 1.0)));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BZPOPMIN")]
    pub fn pop_min_async(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<(Value, f64)>> {
        let (keys, timeout) = ([self.key], timeout.into());
        let operation = SortedSets::any_of(&keys, timeout).map(|of| BlockingPopMin { of });
        wait::<BlockingPopMin<'static>, _>(self.target, borrow(&operation), timeout, without_key)
    }

    /// [`pop_max_blocking`](Self::pop_max_blocking) as a future.
    #[doc(alias = "BZPOPMAX")]
    pub fn pop_max_async(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<(Value, f64)>> {
        let (keys, timeout) = ([self.key], timeout.into());
        let operation = SortedSets::any_of(&keys, timeout).map(|of| BlockingPopMax { of });
        wait::<BlockingPopMax<'static>, _>(self.target, borrow(&operation), timeout, without_key)
    }
}

impl SortedSets<'_, Store> {
    /// [`pop_min_blocking`](Self::pop_min_blocking) as a future.
    #[doc(alias = "BZPOPMIN")]
    pub fn pop_min_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<(Value, Value, f64)>> {
        let timeout = timeout.into();
        let operation = Self::any_of(keys, timeout).map(|of| BlockingPopMin { of });
        wait::<BlockingPopMin<'static>, _>(self.target, borrow(&operation), timeout, same)
    }

    /// [`pop_max_blocking`](Self::pop_max_blocking) as a future.
    #[doc(alias = "BZPOPMAX")]
    pub fn pop_max_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<(Value, Value, f64)>> {
        let timeout = timeout.into();
        let operation = Self::any_of(keys, timeout).map(|of| BlockingPopMax { of });
        wait::<BlockingPopMax<'static>, _>(self.target, borrow(&operation), timeout, same)
    }

    /// [`pop_min_many_blocking`](Self::pop_min_many_blocking) as a future.
    #[doc(alias = "BZMPOP")]
    pub fn pop_min_many_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<Popped>> {
        self.pop_many_async(keys, End::Min, count, timeout.into())
    }

    /// [`pop_max_many_blocking`](Self::pop_max_many_blocking) as a future.
    #[doc(alias = "BZMPOP")]
    pub fn pop_max_many_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Option<Popped>> {
        self.pop_many_async(keys, End::Max, count, timeout.into())
    }

    fn pop_many_async<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        end: End,
        count: usize,
        timeout: Option<Duration>,
    ) -> Waiting<Option<Popped>> {
        let operation = Self::many_of(keys, end, count, timeout);
        wait::<BlockingPopMany<'static>, _>(self.target, borrow(&operation), timeout, same)
    }
}

impl Stream<'_, Store> {
    /// [`read_blocking`](Self::read_blocking) as a future. [`After::Last`] is decided when it is
    /// first polled.
    #[doc(alias = "XREAD")]
    pub fn read_async(
        &self,
        after: impl Into<After>,
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Entries> {
        let after = after.into();
        if count == 0 {
            return at_once(self.read_after(after, 0));
        }
        read(self.target, &[(self.key, after)], count, timeout.into(), only_entries)
    }
}

impl Store {
    /// [`read_streams_blocking`](Self::read_streams_blocking) as a future. [`After::Last`] is
    /// decided when it is first polled.
    #[doc(alias = "XREAD")]
    pub fn read_streams_async<K: AsRef<[u8]>>(
        &self,
        streams: &[(K, After)],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Vec<(Value, Entries)>> {
        if count == 0 {
            return at_once(self.read_streams(streams, 0));
        }
        read(self, &borrow_keys(streams), count, timeout.into(), Option::unwrap_or_default)
    }
}

fn read<R: Send + 'static>(
    store: &Store,
    streams: &[(&[u8], After)],
    count: usize,
    timeout: Option<Duration>,
    convert: fn(Option<ReadOutput>) -> R,
) -> Waiting<R> {
    let options = ReadOptions::new(count, Some(timeout));
    let operation = Read { options, streams: Streams::borrowed(streams) };
    wait::<Read<'static>, _>(store, Ok(&operation), timeout, convert)
}

impl Consumer<'_, Store> {
    /// [`read_blocking`](Self::read_blocking) as a future.
    #[doc(alias = "XREADGROUP")]
    pub fn read_async(
        &self,
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Waiting<Entries> {
        if count == 0 {
            return at_once(self.read(0));
        }
        let timeout = timeout.into();
        let streams = [(self.group.key, Wanted::New)];
        let options = ReadOptions::new(count, Some(timeout));
        let operation = self.read_operation(&streams, options, Acknowledge::Later);
        wait::<ReadGroup<'static>, _>(self.group.target, Ok(&operation), timeout, only_entries)
    }
}

/// The answer to a call that wants nothing, and so changes nothing.
fn at_once<R: Send + 'static>(answer: Result<R>) -> Waiting<R> {
    Waiting(Box::pin(ready(answer)))
}

fn borrow<T>(operation: &Result<T>) -> Result<&T> {
    operation.as_ref().map_err(Error::clone)
}

fn same<T>(found: T) -> T {
    found
}

fn without_key(popped: Option<(Value, Value, f64)>) -> Option<(Value, f64)> {
    popped.map(|(_, member, score)| (member, score))
}

fn only_element(popped: Option<(Value, Value)>) -> Option<Value> {
    popped.map(|(_, element)| element)
}
