//! Blocking calls: whoever finds nothing waits here, and a writer serves them in turn.
//!
//! A blocked call leaves an *attempt* with the keys it waits for: the non-blocking operation,
//! ready to be run by anyone. A change to a key makes the key *ready*; when the changing
//! operation has released its locks, and before its caller gets the answer, the attempts of the
//! key's waiters are run, first come, first served. So an element goes to the one who waited
//! longest, although a later call of the writer could have taken it.
//!
//! # Invariants
//!
//! - A waiter is registered under the same locks under which its operation found nothing.
//! - A waiter's attempt is taken exactly once: by success, by timeout, or by the caller going
//!   away. Whoever takes it decides the outcome, so a timed-out caller has lost no element.
//!
//! # Threading
//!
//! Lock order is waiter before shards. No waiter is locked by a thread that holds a shard.

use std::task::Waker;
use std::time::Instant;

use super::{After, Databases};
use crate::sync::{Arc, Condvar, Mutex};
use crate::value::Value;

/// Runs the blocked operation once; answers whether it is done.
pub(crate) type Attempt = Box<dyn FnMut(&Databases, &mut After) -> bool + Send>;

/// One blocked call.
pub(crate) struct Waiter {
    keys: Vec<(u16, Value)>,
    /// Whether the attempt may succeed on a key that does not exist.
    minds_removal: bool,
    state: Mutex<State>,
    finished: Condvar,
}

struct State {
    /// Present while the call is blocked.
    attempt: Option<Attempt>,
    waker: Option<Waker>,
}

impl Waiter {
    pub(crate) fn new(keys: Vec<(u16, Value)>, minds_removal: bool, attempt: Attempt) -> Arc<Self> {
        let state = State { attempt: Some(attempt), waker: None };
        Arc::new(Self { keys, minds_removal, state: Mutex::new(state), finished: Condvar::new() })
    }

    /// Runs the attempt if the call is still blocked; answers whether that ended it.
    fn serve(&self, databases: &Databases, after: &mut After) -> bool {
        let mut state = self.state.lock();
        let served = state.attempt.as_mut().is_some_and(|attempt| attempt(databases, after));
        if served {
            self.finish(&mut state);
        }
        served
    }

    /// Ends the call without an answer; `false` if it has ended already.
    pub(crate) fn cancel(&self) -> bool {
        let mut state = self.state.lock();
        let blocked = state.attempt.is_some();
        self.finish(&mut state);
        blocked
    }

    fn finish(&self, state: &mut State) {
        state.attempt = None;
        self.finished.notify_all();
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    /// Blocks the calling thread until the call has ended, or until `deadline`, and then ends it.
    pub(crate) fn wait(&self, deadline: Option<Instant>) {
        let mut state = self.state.lock();
        while state.attempt.is_some() {
            match deadline {
                None => self.finished.wait(&mut state),
                Some(deadline) => {
                    if self.finished.wait_until(&mut state, deadline).timed_out() {
                        state.attempt = None;
                    }
                }
            }
        }
    }

    /// Whether the call has ended; if not, `waker` is woken when it does.
    pub(crate) fn poll(&self, waker: &Waker) -> bool {
        let mut state = self.state.lock();
        if state.attempt.is_some() {
            state.waker = Some(waker.clone());
        }
        state.attempt.is_none()
    }

    /// Takes the waiter off all its keys.
    pub(crate) fn leave(self: &Arc<Self>, databases: &Databases) {
        for (database, key) in &self.keys {
            if let Some(slot) = databases.slot(*database, databases.hash(key)) {
                slot.write().interests.stop_waiting(key, self);
            }
        }
    }
}

/// Serves those who wait for a key that has become ready.
pub(super) fn serve(databases: &Databases, database: u16, key: &[u8], after: &mut After) {
    let hash = databases.hash(key);
    let Some(slot) = databases.slot(database, hash) else { return };
    let (waiting, mut exists) = {
        let shard = slot.read();
        (shard.interests.waiting(key), shard.find(hash, key).is_some())
    };
    for waiter in waiting {
        if (exists || waiter.minds_removal) && waiter.serve(databases, after) {
            waiter.leave(databases);
            exists = slot.read().find(hash, key).is_some();
        }
    }
}
