//! Calls that block: run at once, and if there is nothing, again when a writer brings something.
//!
//! A call that blocks is polled with a waker, whoever waits for it: a task with its own, a thread
//! with one that unparks it.

use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::keyspace::access::{Demand, Extent, WriteMany, Writers};
use crate::keyspace::waiters::{Attempt, Waiter};
use crate::keyspace::{After, Databases, Space};
use crate::ops::sorted_set::{BlockingPopMany, BlockingPopMax, BlockingPopMin};
use crate::ops::{self, Blocking, Operation, list};
use crate::sync::{Arc, Mutex, Weak, thread};
use crate::value::Value;
use crate::wire::Encoder;
use crate::wire::command::{Command, Family, Owned};

/// A family of operations that can block.
pub(crate) trait BlockingFamily: Family<Output = Option<Self::Found>> {
    type Found: Send + 'static;
    type BlockingOf<'a>: Command<Family = Self> + Blocking<Found = Self::Found>;

    /// Says that an operation of the family is one that can block.
    fn blocking<'s, 'a>(operation: &'s Self::Of<'a>) -> &'s Self::BlockingOf<'a>;

    /// The operation as it goes on waiting: what it says about the time it began, if anything,
    /// is replaced by what that came to.
    fn waiting(operation: &Self::BlockingOf<'_>, _writers: &Writers<'_>) -> Result<Owned<Self>> {
        Ok(Owned::new(operation))
    }
}

/// A call that found nothing yet. It ends when a writer brings something, or by being ended.
///
/// Dropping it loses nothing: what was found but never taken is given back. It does not keep its
/// store alive, and ends with it.
pub(crate) struct Blocked<F: BlockingFamily> {
    waiter: Arc<Waiter>,
    found: Arc<Mutex<Option<Result<F::Found>>>>,
    operation: Arc<Owned<F>>,
    databases: Weak<Databases>,
    database: u16,
    /// When maintenance will end the call.
    timer: Option<u64>,
}

/// What a blocking operation comes to at once.
pub(crate) enum Started<F: BlockingFamily> {
    Done(Result<F::Found>),
    Blocked(Blocked<F>),
}

/// Runs a blocking operation and, in the same instant, starts to wait if it found nothing.
pub(crate) fn start<F: BlockingFamily>(
    databases: &Arc<Databases>,
    database: u16,
    operation: &F::BlockingOf<'_>,
) -> Started<F> {
    start_in(databases, Space::new(databases, database), operation)
}

/// As [`start`], in a space of these databases.
pub(crate) fn start_in<F: BlockingFamily>(
    databases: &Arc<Databases>,
    space: Space<'_>,
    operation: &F::BlockingOf<'_>,
) -> Started<F> {
    if let Err(error) = operation.awaited().check_len() {
        return Started::Done(Err(error));
    }
    let mut demand = Demand::default();
    ops::demand(space, operation, &mut demand);
    let mut locked = match demand.exclusive().enter(space) {
        Ok(locked) => locked,
        Err(error) => return Started::Done(Err(error)),
    };
    let mut blocked = None;
    let outcome = ops::run_within(&mut locked, space.database, operation).and_then(|found| {
        if found.is_none() {
            let mut writers = locked.writers(space.database);
            let keys = keys_of(operation.awaited());
            let waiting = F::waiting(operation, &writers)?;
            let call = blocked.insert(Blocked::new(databases, space.database, &keys, waiting));
            writers.wait(&keys, &call.waiter)?;
        }
        Ok(found)
    });
    let mut after = After::default();
    locked.release(&mut after);
    let outcome = after.settle_with(databases, outcome);
    match (outcome, blocked) {
        (Ok(None), Some(blocked)) => Started::Blocked(blocked),
        (outcome, _) => Started::Done(outcome.map(|found| found.expect("nothing found blocks"))),
    }
}

/// Runs a blocking operation and blocks the calling thread for at most `timeout` (`None`: as
/// long as it takes). `None` if the time passed with nothing found.
pub(crate) fn block<F: BlockingFamily>(
    databases: &Arc<Databases>,
    database: u16,
    operation: &F::BlockingOf<'_>,
    timeout: Option<Duration>,
) -> Result<F::Output> {
    match start::<F>(databases, database, operation) {
        Started::Done(outcome) => outcome.map(Some),
        Started::Blocked(blocked) => blocked.wait(&databases.clock, timeout),
    }
}

impl<F: BlockingFamily> Blocked<F> {
    fn new(databases: &Arc<Databases>, database: u16, keys: &[Value], operation: Owned<F>) -> Self {
        let found = Arc::new(Mutex::new(None));
        let operation = Arc::new(operation);
        let attempt = attempt::<F>(database, Arc::clone(&operation), Arc::clone(&found));
        let keys = keys.iter().map(|key| (database, key.clone())).collect();
        let minds_removal = <F::BlockingOf<'_> as Blocking>::MINDS_REMOVAL;
        Self {
            waiter: Waiter::new(databases, keys, minds_removal, attempt),
            found,
            operation,
            databases: Arc::downgrade(databases),
            database,
            timer: None,
        }
    }

    /// Blocks the calling thread until something is found or the time has passed.
    fn wait(mut self, clock: &Clock, timeout: Option<Duration>) -> Result<F::Output> {
        let mut wake_up = None;
        if clock.is_manual() {
            self.end_after(timeout);
        } else {
            let deadline = timeout.and_then(|timeout| clock.deadline(timeout));
            wake_up = deadline.and_then(|deadline| clock.instant(deadline));
        }
        let waker = Waker::from(Arc::new(Parked(thread::current())));
        loop {
            if let Poll::Ready(outcome) = self.poll(&waker) {
                return outcome;
            }
            let Some(time) = wake_up else {
                thread::park();
                continue;
            };
            match time.checked_duration_since(Instant::now()) {
                Some(left) if !left.is_zero() => thread::park_timeout(left),
                // A call that was served in time ends when the journal has answered.
                _ => {
                    self.waiter.abandon();
                    wake_up = None;
                }
            }
        }
    }

    /// Has maintenance end the call once a time has passed from now (`None`: never).
    pub(crate) fn end_after(&mut self, timeout: Option<Duration>) {
        let Some(databases) = self.databases.upgrade() else { return };
        self.timer = timeout.and_then(|timeout| databases.clock.deadline(timeout));
        if let Some(deadline) = self.timer {
            databases.maintenance.end_at(deadline, &databases.clock, &self.waiter);
        }
    }

    /// Asks whether the call has ended; if not, `waker` is woken when it does.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<Result<F::Output>> {
        if !self.waiter.poll(waker) {
            return Poll::Pending;
        }
        let found = self.take();
        if let Some(failure) = self.waiter.failure() {
            return Poll::Ready(Err(failure));
        }
        Poll::Ready(match found {
            Some(outcome) => outcome.map(Some),
            None if self.databases.strong_count() == 0 => Err(Error::Closed),
            None => Ok(None),
        })
    }

    /// What decides whether the call has ended.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "read by sessions"))]
    pub(crate) fn waiter(&self) -> &Arc<Waiter> {
        &self.waiter
    }

    /// Writes an answer as the operation's reply; nothing if it cannot be read back, which its own
    /// arguments always can.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "read by sessions"))]
    pub(crate) fn reply(&self, output: &F::Output, encoder: &mut Encoder<'_>) {
        let written = self.operation.with(|operation| {
            operation.reply(output, encoder);
            Ok(())
        });
        debug_assert!(written.is_ok(), "an operation's own arguments form it again");
    }

    /// Shows the database that the call is made in; the answer is the default if the store is gone.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "read by sessions"))]
    pub(crate) fn space<R: Default>(&self, look: impl FnOnce(Space<'_>) -> R) -> R {
        let Some(databases) = self.databases.upgrade() else { return R::default() };
        look(Space::new(&databases, self.database))
    }

    fn take(&self) -> Option<Result<F::Found>> {
        self.found.lock().take()
    }
}

impl<F: BlockingFamily> Drop for Blocked<F> {
    fn drop(&mut self) {
        self.waiter.abandon();
        let Some(databases) = self.databases.upgrade() else { return };
        if let Some(deadline) = self.timer {
            databases.maintenance.forget(deadline, &self.waiter);
        }
        self.waiter.leave(&databases);
        let Some(Ok(found)) = self.take() else { return };
        let space = Space::new(&databases, self.database);
        let mut after = After::default();
        // Not refused, whatever the journal says. A key that has become something else in between
        // cannot take the element back.
        let _ = self.operation.with(|operation| {
            let operation = F::blocking(operation);
            WriteMany::enter_unsettled(space, operation.target(), &mut after, |writers| {
                operation.give_back(found, writers)
            })
        });
        let _ = after.settle(&databases);
    }
}

/// A thread that sleeps until it is woken.
pub(crate) struct Parked(pub(crate) thread::Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The blocked operation, for whoever makes one of its keys ready.
fn attempt<F: BlockingFamily>(
    database: u16,
    operation: Arc<Owned<F>>,
    found: Arc<Mutex<Option<Result<F::Found>>>>,
) -> Attempt {
    Box::new(move |databases, after| {
        let space = Space::new(databases, database);
        let outcome = operation.with(|operation| {
            let operation = F::blocking(operation);
            WriteMany::enter_unsettled(space, operation.target(), after, |writers| {
                operation.retry(writers)
            })
        });
        let ended = outcome.transpose();
        let has_ended = ended.is_some();
        *found.lock() = ended;
        has_ended
    })
}

fn keys_of(extent: Extent<'_>) -> Vec<Value> {
    match extent {
        Extent::Keys(places) => places.iter().map(|place| Value::from(place.key)).collect(),
        Extent::Database | Extent::DatabaseAnd(_) | Extent::Pair(..) | Extent::Everything => {
            Vec::new()
        }
    }
}

/// Families of which every operation can block.
macro_rules! blocking_families {
    ($($($part:ident)::+),* $(,)?) => {$(
        impl BlockingFamily for $($part)::+<'static> {
            type Found = <Self as Blocking>::Found;
            type BlockingOf<'a> = $($part)::+<'a>;

            fn blocking<'s, 'a>(operation: &'s Self::Of<'a>) -> &'s Self::BlockingOf<'a> {
                operation
            }
        }
    )*};
}

blocking_families!(
    list::BlockingMove,
    list::BlockingPopBack,
    list::BlockingPopFront,
    list::BlockingPopMany,
    BlockingPopMin,
    BlockingPopMax,
    BlockingPopMany,
);

#[cfg(all(test, shuttle))]
mod models;
#[cfg(all(test, not(shuttle)))]
mod tests;
