//! Blocking calls: whoever finds nothing waits here, and a writer serves them in turn.
//!
//! A blocked call leaves an *attempt* with the keys it waits for: the non-blocking operation,
//! ready to be run by anyone. A change to a key makes the key *ready*; when the changing
//! operation has released its locks, and before its caller gets the answer, the attempts of the
//! key's waiters are run, first come, first served. So an element goes to the one who waited
//! longest, although a later call of the writer could have taken it. (A call of another thread
//! that gets hold of the key before the attempts are run takes what it finds: it was first.)
//!
//! # Invariants
//!
//! - A waiter is registered under the same locks under which its operation found nothing. It
//!   leaves a key's line when it is found there although its call has ended, and all lines when
//!   its call is dropped.
//! - A waiter's attempt is taken exactly once: by success, by timeout, by the caller going away,
//!   or by the store going away. Whoever takes it decides the outcome, so a timed-out caller has
//!   lost no element.
//! - A success ends the call only once the journal has answered for it: between the two, the call
//!   is neither blocked nor ended, and no timeout changes that.
//!
//! # Complexity
//!
//! A change to a key costs its writer O(log n) and an attempt for each of the key's `n` waiters,
//! until the key is gone; then a glance at each of the rest. Registering and leaving are O(log n).
//!
//! # Threading
//!
//! Lock order is waiter before shards: no waiter is locked by a thread that holds a shard, so a
//! blocked call is neither polled nor dropped within a transaction. No waker runs under a lock.

use std::ops::RangeInclusive;
use std::task::Waker;

use super::{After, Databases, Shard};
use crate::error::{Error, Result};
use crate::sync::{Arc, Mutex, RwLock};
use crate::value::Value;

/// Runs the blocked operation once; answers whether it is done.
pub(crate) type Attempt = Box<dyn FnMut(&Databases, &mut After) -> bool + Send>;

/// One blocked call.
pub(crate) struct Waiter {
    /// Its place in every line: who came first has the lower one.
    ticket: u64,
    keys: Vec<(u16, Value)>,
    /// Whether the attempt may end the call on a key that does not exist.
    minds_removal: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Present while the call is blocked.
    attempt: Option<Attempt>,
    has_ended: bool,
    /// Why a call that has found something must not be told so.
    failure: Option<Error>,
    waker: Option<Waker>,
}

impl Waiter {
    /// A call that comes behind all that there are.
    pub(crate) fn new(
        databases: &Databases,
        keys: Vec<(u16, Value)>,
        minds_removal: bool,
        attempt: Attempt,
    ) -> Arc<Self> {
        let state = Mutex::new(State { attempt: Some(attempt), ..State::default() });
        Arc::new(Self { ticket: databases.next_ticket(), keys, minds_removal, state })
    }

    pub(crate) fn ticket(&self) -> u64 {
        self.ticket
    }

    /// Whether the call has ended; if not, `waker` is woken when it does.
    pub(crate) fn poll(&self, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        if state.has_ended {
            return true;
        }
        let displaced = state.waker.replace(waker.clone());
        drop(state);
        drop(displaced);
        false
    }

    /// The error of a call that has ended, if what it found may be lost.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.state.lock().failure.clone()
    }

    /// Ends the call without an answer, if it is still blocked, and wakes whoever waits for it.
    pub(crate) fn end(&self) {
        if let Some(Some(waker)) = self.abandon() {
            waker.wake();
        }
    }

    /// Ends the call as [`end`](Self::end) does, for the one who would be woken, by the waker that
    /// is answered. `None` if it was no longer blocked.
    pub(crate) fn abandon(&self) -> Option<Option<Waker>> {
        let mut state = self.state.lock();
        let attempt = state.attempt.take()?;
        state.has_ended = true;
        let waker = state.waker.take();
        drop(state);
        drop(attempt);
        Some(waker)
    }

    /// Runs the attempt, if the call is still blocked; answers whether the waiter may leave the
    /// line. Who is served is yet to be told.
    fn serve(self: &Arc<Self>, databases: &Databases, after: &mut After) -> bool {
        let mut state = self.state.lock();
        let Some(attempt) = &mut state.attempt else { return true };
        if !attempt(databases, after) {
            return false;
        }
        let attempt = state.attempt.take();
        drop(state);
        drop(attempt);
        after.note_served(Arc::clone(self));
        true
    }

    /// Ends a call that was served, with what the journal says to that; answers whom to wake.
    pub(super) fn conclude(&self, outcome: &Result<()>) -> Option<Waker> {
        let mut state = self.state.lock();
        state.has_ended = true;
        state.failure = outcome.as_ref().err().cloned();
        state.waker.take()
    }

    /// Takes the waiter off all its keys.
    pub(crate) fn leave(&self, databases: &Databases) {
        for (database, key) in &self.keys {
            if let Some(slot) = databases.slot(*database, databases.hash(key)) {
                slot.write().interests.stop_waiting(key, self.ticket);
            }
        }
    }
}

/// Serves those who wait for a key that has become ready.
pub(super) fn serve(databases: &Databases, database: u16, key: &[u8], after: &mut After) {
    let hash = databases.hash(key);
    let Some(slot) = databases.slot(database, hash) else { return };
    // Who joins the line from now on has seen the change.
    let Some(last) = slot.read().interests.last_ticket(key) else { return };
    let mut next = 0;
    while next <= last {
        let Some(waiter) = next_in_line(slot, hash, key, next..=last) else { return };
        if waiter.serve(databases, after) {
            slot.write().interests.stop_waiting(key, waiter.ticket);
        }
        next = waiter.ticket + 1;
    }
}

/// The first waiter among these tickets who may find something, as the key is now.
fn next_in_line(
    slot: &RwLock<Shard>,
    hash: u64,
    key: &[u8],
    tickets: RangeInclusive<u64>,
) -> Option<Arc<Waiter>> {
    let shard = slot.read();
    let exists = shard.find(hash, key).is_some();
    let mut line = shard.interests.waiting(key, tickets);
    line.find(|waiter| exists || waiter.minds_removal).cloned()
}

#[cfg(test)]
impl Databases {
    /// Whether no key is waited for or watched.
    pub(crate) fn is_nobody_interested(&self) -> bool {
        self.shards().all(|(_, shard)| shard.read().interests.is_empty())
    }
}
