//! The bounded queue that a subscriber owns: its policy when full, and its readers.
//!
//! **Shape.** Publishers append to the *backlog* under its lock. A reader takes the whole backlog
//! at once into the *inbox*, which publishers never touch, and reads from there: a reader that
//! keeps up or lags far behind meets the publishers' lock once a batch, not once a message.
//! Messages are stored as runs: consecutive messages with the same label (channel and pattern)
//! share one copy of it, so a queued message costs the size of its payload's handle.
//!
//! **Invariant.** The lengths of a batch's runs add up to its bodies; no run is empty; messages
//! under capacity are in publishing order; a [`Run::Gap`] stands exactly where messages were lost,
//! and counts them. The backlog never holds more than `capacity` messages, reservations included
//! (one publish that matches a subscriber several times may exceed it by those matches); the inbox
//! holds at most one former backlog.
//!
//! **Complexity.** Every operation is O(1), and allocates only while the queue grows to its highest
//! length so far.
//!
//! **Layout.** A message to a thousand subscribers costs the cache lines that it touches. So what a
//! push reads and writes comes first, together, in `Queue`, `Backlog` and `Batch` (hence
//! `repr(C)`).
//!
//! **Threads.** Any number of publishers and readers. Locks nest inbox, then backlog. A reader
//! sleeps only when both are empty, and every push wakes one more sleeper: so nobody sleeps while a
//! message lies in the inbox, unless all who were woken for it are still on their way. Wakers run
//! arbitrary code, so they are handed to the caller ([`Wakers`]) to be woken outside every lock.

use std::collections::VecDeque;
use std::fmt;
use std::iter::FusedIterator;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::sync::atomic::AtomicBool;
use crate::sync::{Condvar, Mutex, MutexGuard, spin_until};

/// What a subscriber's queue does with a message when it is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Drop the oldest waiting message; the reader is told how many it missed, at the place where
    /// they are missing.
    #[default]
    DropOldest,
    /// Drop the message that does not fit; the reader is told how many it missed, at the place
    /// where they are missing.
    DropNewest,
    /// Make the publisher wait until there is room. No message is lost, but one idle subscriber
    /// stops its publishers: a thread that publishes to its own full subscription waits for ever.
    Block,
    /// Disconnect the subscriber: it reads what was queued, then [`RecvError::Disconnected`]. This
    /// is what a Redis server does to a client whose output buffer is full.
    Disconnect,
}

/// Why a read returned no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The queue overflowed here: so many messages were dropped. The next read continues behind
    /// them.
    #[error("the subscriber was too slow and missed {0} messages")]
    Lagged(u64),
    /// No message is waiting.
    #[error("no message is waiting")]
    Empty,
    /// No message came in time.
    #[error("no message came in time")]
    Timeout,
    /// The queue overflowed under [`Overflow::Disconnect`], and all that it held has been read.
    #[error("the subscriber was too slow and has been disconnected")]
    Disconnected,
    /// The store is gone, or the subscription was closed; what was published before has been read.
    #[error("the subscription is closed")]
    Closed,
}

/// A message as a queue stores it: a label that many messages in a row share, and a body of its
/// own.
pub(crate) trait Item {
    type Label: Clone;
    type Body;
    /// What a reader gets.
    type Read;

    fn join(label: Self::Label, body: Self::Body) -> Self::Read;
}

/// A borrowed label: compared with the last one queued, and made into a label of its own only if
/// they differ.
pub(crate) trait LabelRef<L> {
    fn is(&self, label: &L) -> bool;
    fn to_label(&self) -> L;
}

/// Tasks to wake, once no lock is held. Waking one allocates nothing.
#[derive(Default)]
pub(crate) struct Wakers {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Wakers {
    fn extend(&mut self, waker: Option<Waker>) {
        match &self.first {
            None => self.first = waker,
            Some(_) => self.more.extend(waker),
        }
    }

    /// Adds those of another, to be woken with these.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "used by sessions"))]
    pub(crate) fn join(&mut self, other: Wakers) {
        other.first.into_iter().chain(other.more).for_each(|waker| self.extend(Some(waker)));
    }

    #[inline]
    pub(crate) fn wake(&mut self) {
        if let Some(first) = self.first.take() {
            first.wake();
            self.more.drain(..).for_each(Waker::wake);
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    Queued,
    /// Dropped and counted ([`Overflow::DropNewest`]).
    Dropped,
    /// Dropped, and the subscriber with it: the caller removes it from wherever it is registered.
    Disconnected,
    /// The queue had ended before.
    Ended,
}

/// Whether a publisher may push to a queue that makes it wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// One push is promised to fit.
    Reserved,
    Full,
    /// There is nobody to wait for.
    Ended,
}

#[repr(C)]
pub(crate) struct Queue<M: Item> {
    capacity: usize,
    overflow: Overflow,
    /// Whether the backlog has something: a hint for readers that have not gone to sleep yet.
    arrived: AtomicBool,
    backlog: Mutex<Backlog<M>>,
    arrival: Condvar,
    room: Condvar,
    inbox: Mutex<Batch<M>>,
}

#[repr(C)]
struct Backlog<M: Item> {
    /// A push that finds so many messages must ask the policy: the capacity, or zero if every push
    /// must ask.
    limit: usize,
    /// Whether anybody may be asleep.
    watched: bool,
    batch: Batch<M>,
    /// Pushes promised by [`Queue::reserve`] and still to come.
    reserved: usize,
    sleepers: usize,
    waker: Option<Waker>,
    ended: Option<RecvError>,
}

#[repr(C)]
struct Batch<M: Item> {
    /// Apart from the others, so that a publisher that adds to it has one cache line less to fetch.
    last: Option<Run<M::Label>>,
    bodies: VecDeque<M::Body>,
    /// All runs but the last.
    runs: VecDeque<Run<M::Label>>,
}

enum Run<L> {
    Messages { label: L, len: usize },
    Gap(u64),
}

impl<M: Item> Queue<M> {
    /// A queue for `capacity` messages, at least one. It allocates as it fills.
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        let capacity = capacity.max(1);
        let backlog = Backlog {
            batch: Batch::new(),
            limit: if overflow == Overflow::Block { 0 } else { capacity },
            watched: false,
            reserved: 0,
            sleepers: 0,
            waker: None,
            ended: None,
        };
        Self {
            backlog: Mutex::new(backlog),
            capacity,
            overflow,
            arrived: AtomicBool::new(false),
            arrival: Condvar::new(),
            room: Condvar::new(),
            inbox: Mutex::new(Batch::new()),
        }
    }

    #[inline]
    pub(crate) fn overflow(&self) -> Overflow {
        self.overflow
    }

    /// Appends a message, or does what the policy says. Never waits: under [`Overflow::Block`] the
    /// caller has [reserved](Self::reserve) the place.
    #[inline]
    pub(crate) fn push(
        &self,
        label: &impl LabelRef<M::Label>,
        body: M::Body,
        wakers: &mut Wakers,
    ) -> Pushed {
        // Declared before the guard, so that it is dropped after the lock is released.
        let _displaced;
        let mut backlog = self.backlog.lock();
        if backlog.batch.bodies.len() >= backlog.limit {
            match self.make_room(&mut backlog, wakers) {
                Ok(displaced) => _displaced = displaced,
                Err(refused) => return refused,
            }
        }
        backlog.batch.push(label, body);
        self.arrived.store(true, Relaxed);
        if backlog.watched {
            self.announce(backlog, wakers);
        }
        Pushed::Queued
    }

    /// Does what the policy says about a push that is over the limit: it may go on, with what it
    /// displaces, or not.
    fn make_room(
        &self,
        backlog: &mut Backlog<M>,
        wakers: &mut Wakers,
    ) -> Result<Option<M::Body>, Pushed> {
        if backlog.ended.is_some() {
            return Err(Pushed::Ended);
        }
        match self.overflow {
            Overflow::DropOldest => Ok(backlog.batch.drop_oldest()),
            Overflow::DropNewest => {
                backlog.batch.note_gap();
                Err(Pushed::Dropped)
            }
            Overflow::Block => {
                debug_assert!(backlog.reserved > 0, "a blocking queue is pushed to by reservation");
                backlog.reserved = backlog.reserved.saturating_sub(1);
                Ok(None)
            }
            Overflow::Disconnect => {
                self.end_locked(backlog, RecvError::Disconnected, wakers);
                Err(Pushed::Disconnected)
            }
        }
    }

    /// Promises one push to a publisher. `again` says that the same publish holds a promise
    /// already: its further matches may exceed the capacity, since to wait for a place for each
    /// could be to wait for ever.
    pub(crate) fn reserve(&self, again: bool) -> Admission {
        let mut backlog = self.backlog.lock();
        if backlog.ended.is_some() {
            return Admission::Ended;
        }
        if !again && !backlog.has_room(self.capacity) {
            return Admission::Full;
        }
        backlog.reserved += 1;
        Admission::Reserved
    }

    /// Gives a promise back.
    pub(crate) fn cancel(&self) {
        let mut backlog = self.backlog.lock();
        backlog.reserved = backlog.reserved.saturating_sub(1);
        drop(backlog);
        self.room.notify_all();
    }

    /// Waits until [`reserve`](Self::reserve) may succeed. The caller holds no lock.
    pub(crate) fn wait_for_room(&self) {
        let mut backlog = self.backlog.lock();
        while backlog.ended.is_none() && !backlog.has_room(self.capacity) {
            self.room.wait(&mut backlog);
        }
    }

    /// Ends the queue, unless it has ended before: readers get what is queued, then `reason`;
    /// publishers are released.
    pub(crate) fn end(&self, reason: RecvError, wakers: &mut Wakers) {
        let mut backlog = self.backlog.lock();
        if backlog.ended.is_none() {
            self.end_locked(&mut backlog, reason, wakers);
        }
    }

    fn end_locked(&self, backlog: &mut Backlog<M>, reason: RecvError, wakers: &mut Wakers) {
        backlog.ended = Some(reason);
        backlog.limit = 0;
        wakers.extend(backlog.waker.take());
        self.arrival.notify_all();
        self.room.notify_all();
    }

    #[cold]
    fn announce(&self, mut backlog: MutexGuard<'_, Backlog<M>>, wakers: &mut Wakers) {
        wakers.extend(backlog.waker.take());
        backlog.watched = backlog.sleepers > 0;
        drop(backlog);
        self.arrival.notify_one();
    }
}

impl<M: Item> Queue<M> {
    /// Takes the next message, without waiting.
    pub(crate) fn try_recv(&self) -> Result<M::Read, RecvError> {
        match self.take() {
            Ok(read) => read,
            Err(backlog) => Err(backlog.ended.unwrap_or(RecvError::Empty)),
        }
    }

    /// Waits for the next message, until `deadline` if there is one.
    pub(crate) fn recv(&self, deadline: Option<Instant>) -> Result<M::Read, RecvError> {
        if let Ok(read) = self.take() {
            return read;
        }
        spin_until(|| self.arrived.load(Relaxed));
        let mut expired = false;
        loop {
            let mut backlog = match self.take() {
                Ok(read) => return read,
                Err(backlog) => backlog,
            };
            if let Some(reason) = backlog.ended {
                return Err(reason);
            }
            if expired {
                return Err(RecvError::Timeout);
            }
            backlog.sleepers += 1;
            backlog.watched = true;
            match deadline {
                None => self.arrival.wait(&mut backlog),
                Some(deadline) => {
                    expired = self.arrival.wait_until(&mut backlog, deadline).timed_out();
                }
            }
            backlog.sleepers -= 1;
        }
    }

    /// Takes the next message, or has the task woken when there is one. One task waits at a time:
    /// the last to ask.
    pub(crate) fn poll_recv(&self, context: &Context<'_>) -> Poll<Result<M::Read, RecvError>> {
        let mut backlog = match self.take() {
            Ok(read) => return Poll::Ready(read),
            Err(backlog) => backlog,
        };
        if let Some(reason) = backlog.ended {
            return Poll::Ready(Err(reason));
        }
        let displaced = match &backlog.waker {
            Some(waker) if waker.will_wake(context.waker()) => None,
            _ => backlog.waker.replace(context.waker().clone()),
        };
        backlog.watched = true;
        drop(backlog);
        drop(displaced);
        Poll::Pending
    }

    /// Messages that wait to be read, both in the inbox and behind it.
    pub(crate) fn len(&self) -> usize {
        let inbox = self.inbox.lock();
        inbox.bodies.len() + self.backlog.lock().batch.bodies.len()
    }

    /// The next message or gap; or, if there is none, the locked backlog to wait on: nothing can
    /// arrive in between.
    fn take(&self) -> Result<Result<M::Read, RecvError>, MutexGuard<'_, Backlog<M>>> {
        let mut inbox = self.inbox.lock();
        if let Some(read) = inbox.pop() {
            return Ok(read);
        }
        let mut backlog = self.backlog.lock();
        std::mem::swap(&mut *inbox, &mut backlog.batch);
        self.arrived.store(false, Relaxed);
        let Some(read) = inbox.pop() else { return Err(backlog) };
        drop((inbox, backlog));
        self.room.notify_all();
        Ok(read)
    }
}

impl<M: Item> Backlog<M> {
    fn has_room(&self, capacity: usize) -> bool {
        self.batch.bodies.len() + self.reserved < capacity
    }
}

impl<M: Item> Batch<M> {
    fn new() -> Self {
        Self { runs: VecDeque::new(), last: None, bodies: VecDeque::new() }
    }

    #[inline]
    fn push(&mut self, label: &impl LabelRef<M::Label>, body: M::Body) {
        self.bodies.push_back(body);
        match &mut self.last {
            Some(Run::Messages { label: last, len }) if label.is(last) => *len += 1,
            _ => self.append(Run::Messages { label: label.to_label(), len: 1 }),
        }
    }

    fn append(&mut self, run: Run<M::Label>) {
        self.runs.extend(self.last.replace(run));
    }

    #[inline]
    fn pop(&mut self) -> Option<Result<M::Read, RecvError>> {
        let label = match self.runs.front_mut().or(self.last.as_mut())? {
            Run::Messages { label, len } if *len > 1 => {
                *len -= 1;
                label.clone()
            }
            _ => match self.pop_run()? {
                Run::Messages { label, .. } => label,
                Run::Gap(missed) => return Some(Err(RecvError::Lagged(missed))),
            },
        };
        Some(Ok(M::join(label, self.bodies.pop_front()?)))
    }

    fn pop_run(&mut self) -> Option<Run<M::Label>> {
        self.runs.pop_front().or_else(|| self.last.take())
    }

    /// Turns the first message into a gap before the rest.
    fn drop_oldest(&mut self) -> Option<M::Body> {
        let mut missed = 1;
        if let Some(Run::Gap(earlier)) = self.runs.front() {
            missed += earlier;
            self.runs.pop_front();
        }
        if let Some(Run::Messages { len, .. }) = self.runs.front_mut().or(self.last.as_mut()) {
            *len -= 1;
            if *len == 0 {
                self.pop_run();
            }
        }
        self.runs.push_front(Run::Gap(missed));
        self.bodies.pop_front()
    }

    /// Counts a message that was never stored.
    fn note_gap(&mut self) {
        match &mut self.last {
            Some(Run::Gap(missed)) => *missed += 1,
            _ => self.append(Run::Gap(1)),
        }
    }
}

/// What [`Messages`] and streams of them read from, whatever a queue stores.
pub(super) trait Source<T> {
    fn next(&self) -> Result<T, RecvError>;
    #[cfg_attr(not(feature = "async"), allow(dead_code, reason = "read by the feature `async`"))]
    fn poll_next(&self, context: &Context<'_>) -> Poll<Result<T, RecvError>>;
}

impl<M: Item> Source<M::Read> for Queue<M> {
    fn next(&self) -> Result<M::Read, RecvError> {
        self.recv(None)
    }

    fn poll_next(&self, context: &Context<'_>) -> Poll<Result<M::Read, RecvError>> {
        self.poll_recv(context)
    }
}

/// A reader's messages, one after the other. A lag is an item of its own; after
/// [`RecvError::Disconnected`], or without an item when the store is gone, there are no more.
pub struct Messages<'a, T> {
    source: &'a (dyn Source<T> + Sync),
    ended: bool,
}

impl<'a, T> Messages<'a, T> {
    pub(super) fn new(source: &'a (dyn Source<T> + Sync)) -> Self {
        Self { source, ended: false }
    }
}

/// What a read is as an item, and whether there are no more: the end is an item only if it is news.
pub(super) fn item<T>(read: Result<T, RecvError>) -> (Option<Result<T, RecvError>>, bool) {
    let ended = matches!(read, Err(RecvError::Disconnected | RecvError::Closed));
    ((!matches!(read, Err(RecvError::Closed))).then_some(read), ended)
}

impl<T> Iterator for Messages<'_, T> {
    type Item = Result<T, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let (item, ended) = item(self.source.next());
        self.ended = ended;
        item
    }
}

impl<T> FusedIterator for Messages<'_, T> {}

impl<T> fmt::Debug for Messages<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("ended", &self.ended).finish_non_exhaustive()
    }
}

#[cfg(any(test, fuzzing))]
#[cfg_attr(not(test), allow(dead_code, reason = "asked by sessions"))]
impl<M: Item> Queue<M> {
    pub(crate) fn has_ended(&self) -> bool {
        self.backlog.lock().ended.is_some()
    }
}

#[cfg(test)]
impl<M: Item> Queue<M> {
    /// Asserts the invariant of the file's head.
    pub(crate) fn check(&self) {
        let inbox = self.inbox.lock();
        let backlog = self.backlog.lock();
        for batch in [&*inbox, &backlog.batch] {
            let lengths = batch.runs.iter().chain(&batch.last).map(|run| match run {
                Run::Messages { len, .. } => *len,
                Run::Gap(missed) => {
                    assert!(*missed > 0, "a gap of nothing");
                    0
                }
            });
            assert_eq!(lengths.sum::<usize>(), batch.bodies.len(), "runs cover the bodies");
            assert!(
                !batch
                    .runs
                    .iter()
                    .chain(&batch.last)
                    .any(|run| matches!(run, Run::Messages { len: 0, .. })),
                "an empty run"
            );
            assert!(
                self.overflow == Overflow::Block || batch.bodies.len() <= self.capacity,
                "over capacity"
            );
        }
    }
}
