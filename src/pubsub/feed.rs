//! One channel of typed messages: what keyspace events travel by.
//!
//! **Invariant.** A listener is in the feed's list from [`Feed::subscribe`] until it is dropped or
//! disconnected.
//!
//! **Order.** All listeners see the messages in one order: that in which the feed's lock was taken.
//!
//! **Complexity.** Publish: O(listeners), one atomic load without any.
//!
//! **Threads.** As the hub: a publisher that must wait for room ([`Overflow::Block`]) holds no lock
//! meanwhile, and wakers are left to the caller, to be run outside all locks. Filters run under the
//! feed's lock, more than once a message: they are pure functions of it.

use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::queue::{
    Admission, Item, LabelRef, Messages, Overflow, Pushed, Queue, RecvError, Wakers,
};
use super::subscription::SubscriptionOptions;
use crate::sync::atomic::AtomicUsize;
use crate::sync::{Arc, Mutex, Weak};

type Filter<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

/// The publishing end. Dropping it ends its listeners.
pub(crate) struct Feed<T> {
    registry: Arc<Registry<T>>,
}

struct Registry<T> {
    entries: Mutex<Vec<Entry<T>>>,
    /// The length of `entries`.
    count: AtomicUsize,
}

struct Entry<T> {
    queue: Arc<Queue<Whole<T>>>,
    filter: Filter<T>,
}

/// A queued message that is all body.
pub(crate) struct Whole<T>(T);

impl<T> Item for Whole<T> {
    type Label = ();
    type Body = T;
    type Read = T;

    fn join((): (), body: T) -> T {
        body
    }
}

struct Unlabelled;

impl LabelRef<()> for Unlabelled {
    fn is(&self, (): &()) -> bool {
        true
    }

    fn to_label(&self) {}
}

impl<T> Default for Feed<T> {
    fn default() -> Self {
        Self {
            registry: Arc::new(Registry { entries: Mutex::default(), count: AtomicUsize::new(0) }),
        }
    }
}

impl<T: Clone> Feed<T> {
    /// A listener to the messages from now on that pass the filter.
    pub(crate) fn subscribe(
        &self,
        options: SubscriptionOptions,
        filter: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> Listener<T> {
        let queue = Arc::new(Queue::new(options.capacity, options.overflow));
        let entry = Entry { queue: Arc::clone(&queue), filter: Box::new(filter) };
        let mut entries = self.registry.entries.lock();
        entries.push(entry);
        self.registry.count.store(entries.len(), Release);
        drop(entries);
        Listener { queue, registry: Arc::downgrade(&self.registry) }
    }

    /// Whether anybody listens. A message made for a feed without listeners is made in vain.
    #[inline]
    pub(crate) fn has_listeners(&self) -> bool {
        self.registry.count.load(Acquire) > 0
    }

    /// Sends a message to all listeners whose filter it passes, whom `wakers` are to wake. Returns
    /// in how many queues it was put.
    pub(crate) fn publish(&self, message: &T, wakers: &mut Wakers) -> usize {
        let (mut queued, mut disconnected) = (0, Vec::new());
        while self.has_listeners() {
            let entries = self.registry.entries.lock();
            // All filters before the first promise: one that panics leaves none behind.
            let targets: SmallVec<[_; 4]> = entries
                .iter()
                .filter(|entry| (entry.filter)(message))
                .map(|entry| &entry.queue)
                .collect();
            if let Err(full) = reserve_all(targets.iter().copied()) {
                drop(targets);
                drop(entries);
                full.wait_for_room();
                continue;
            }
            for queue in targets {
                match queue.push(&Unlabelled, message.clone(), wakers) {
                    Pushed::Queued => queued += 1,
                    Pushed::Disconnected => disconnected.push(Arc::clone(queue)),
                    Pushed::Dropped | Pushed::Ended => {}
                }
            }
            break;
        }
        disconnected.iter().for_each(|queue| self.registry.remove(queue));
        queued
    }
}

/// Reserves a place with each blocking queue, or with none: then returns one that is full.
fn reserve_all<'a, T: 'a>(
    queues: impl Iterator<Item = &'a Arc<Queue<Whole<T>>>>,
) -> Result<(), Arc<Queue<Whole<T>>>> {
    let mut reserved = Vec::new();
    for queue in queues.filter(|queue| queue.overflow() == Overflow::Block) {
        match queue.reserve(false) {
            Admission::Reserved => reserved.push(queue),
            Admission::Ended => {}
            Admission::Full => {
                reserved.iter().for_each(|earlier| earlier.cancel());
                return Err(Arc::clone(queue));
            }
        }
    }
    Ok(())
}

impl<T> Registry<T> {
    fn remove(&self, queue: &Arc<Queue<Whole<T>>>) {
        let mut entries = self.entries.lock();
        let place = entries.iter().position(|entry| Arc::ptr_eq(&entry.queue, queue));
        let removed = place.map(|place| entries.remove(place));
        self.count.store(entries.len(), Release);
        drop(entries);
        // The filter is a caller's: dropped without the lock.
        drop(removed);
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        let mut wakers = Wakers::default();
        for entry in std::mem::take(&mut *self.registry.entries.lock()) {
            entry.queue.end(RecvError::Closed, &mut wakers);
        }
        wakers.wake();
    }
}

/// A reader of typed messages, such as a store's events. Dropping it ends the subscription.
#[must_use = "dropping it ends the subscription"]
pub struct Listener<T> {
    pub(super) queue: Arc<Queue<Whole<T>>>,
    registry: Weak<Registry<T>>,
}

impl<T: Send> Listener<T> {
    /// Takes the next message, and waits for it as long as it takes. [`RecvError::Lagged`] comes
    /// where messages are missing, and reading goes on behind it.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`], [`RecvError::Disconnected`] or [`RecvError::Closed`].
    pub fn recv(&self) -> Result<T, RecvError> {
        self.queue.recv(None)
    }

    /// Takes the next message if there is one. Never waits.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), and [`RecvError::Empty`].
    pub fn try_recv(&self) -> Result<T, RecvError> {
        self.queue.try_recv()
    }

    /// Takes the next message, and waits for it at most so long, in real time.
    ///
    /// # Errors
    ///
    /// Those of [`recv`](Self::recv), and [`RecvError::Timeout`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvError> {
        // A time too far away to be represented is no limit.
        self.queue.recv(Instant::now().checked_add(timeout))
    }

    /// How many messages wait to be read.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// The messages as they come, waiting for each. A lag is an item of its own; after
    /// [`RecvError::Disconnected`], or without an item when the store is gone, the iterator ends.
    #[must_use]
    pub fn iter(&self) -> Messages<'_, T> {
        Messages::new(&*self.queue)
    }
}

impl<T> Drop for Listener<T> {
    fn drop(&mut self) {
        if let Some(registry) = self.registry.upgrade() {
            registry.remove(&self.queue);
        }
        // Releases a publisher that waits for room.
        let mut wakers = Wakers::default();
        self.queue.end(RecvError::Closed, &mut wakers);
        wakers.wake();
    }
}

impl<T: Send> fmt::Debug for Listener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("pending", &self.pending()).finish()
    }
}

impl<'a, T: Send> IntoIterator for &'a Listener<T> {
    type Item = Result<T, RecvError>;
    type IntoIter = Messages<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
impl<T: Clone> Feed<T> {
    pub(super) fn send(&self, message: &T) -> usize {
        let mut wakers = Wakers::default();
        let queued = self.publish(message, &mut wakers);
        wakers.wake();
        queued
    }
}

#[cfg(test)]
impl<T> Feed<T> {
    /// Asserts the invariant of the file's head. Nobody else may use the feed meanwhile.
    pub(super) fn check(&self) {
        let entries = self.registry.entries.lock();
        assert_eq!(self.registry.count.load(Acquire), entries.len());
        for (index, entry) in entries.iter().enumerate() {
            entry.queue.check();
            assert!(!entry.queue.has_ended(), "a listener that has left");
            let earlier = &entries[..index];
            assert!(
                !earlier.iter().any(|other| Arc::ptr_eq(&other.queue, &entry.queue)),
                "a listener twice"
            );
        }
    }
}
