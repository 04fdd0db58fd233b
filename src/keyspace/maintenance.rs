//! Expiry without access, and timeouts of calls that no thread sleeps for.
//!
//! A sweep walks the shards that have entries due, in bounded steps, and answers when the next
//! is needed. Sweeps are made by a thread that sleeps until then, started when the first
//! deadline asks for it; or by the caller; or by a manual clock whenever it is moved.
//!
//! # Invariant
//!
//! Whatever is due at `t` was recorded, in a shard or in `timers`, before `next` was compared to
//! `t`; and the thread sets `next` to [`NEVER`] before it looks. So either the thread finds the
//! record, or who made it finds that the thread must be woken.
//!
//! # Complexity
//!
//! A sweep costs one shared lock per shard in use, and O(log n) per entry removed or call ended.
//! Between sweeps the thread sleeps: a deadline nearer than all others wakes it only to sleep
//! less. A store without deadlines has no thread.
//!
//! # Threading
//!
//! The thread holds the databases weakly and sleeps on a channel whose other end they own, so a
//! store that is dropped takes its thread with it; even one dropped by that thread itself.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::waiters::Waiter;
use super::{After, Databases, Shard};
use crate::clock::{Clock, TimeListener};
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, Weak};

/// Entries and parts of structures removed under one hold of a shard's lock.
const STEP: usize = 64;
/// The shortest time between two sweeps: what promptness may cost.
const REST: Duration = Duration::from_millis(5);
const NEVER: u64 = u64::MAX;

/// When the next sweep is due, and who makes it.
pub(crate) struct Maintenance {
    /// The time the thread sleeps until, in the store's milliseconds; zero if nobody has to be
    /// woken, as the caller sweeps. Changed under the lock of `state` alone.
    next: AtomicU64,
    /// Whether what has expired is left to whoever meets it.
    leaves_expired: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    databases: Option<Weak<Databases>>,
    /// Wakes the thread, once there is one. Dropped with the store, which ends the thread.
    alarm: Option<Sender<()>>,
    /// Blocked calls to end at a deadline, by (deadline, ticket).
    timers: BTreeMap<(u64, u64), Arc<Waiter>>,
}

impl Maintenance {
    /// Maintenance by a thread of its own, if `threaded`, or by calls of [`Databases::sweep`].
    pub(crate) fn new(threaded: bool) -> Self {
        let next = AtomicU64::new(if threaded { NEVER } else { 0 });
        Self { next, leaves_expired: AtomicBool::new(false), state: Mutex::default() }
    }

    /// Whether sweeps leave what has expired to whoever meets it, from now on.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "set by sessions"))]
    pub(crate) fn leave_expired(&self, leaves: bool) {
        self.leaves_expired.store(leaves, Ordering::Relaxed);
    }

    /// Tells which databases to sweep.
    pub(crate) fn attach(&self, databases: &Arc<Databases>) {
        self.state.lock().databases = Some(Arc::downgrade(databases));
    }

    /// Whether somebody has to be woken for a sweep at `deadline`.
    #[inline]
    pub(super) fn sleeps_beyond(&self, deadline: u64) -> bool {
        deadline < self.next.load(Ordering::Relaxed)
    }

    /// Has a sweep made at `deadline`, starting the thread if there is none.
    #[cold]
    pub(super) fn wake_at(&self, deadline: u64) {
        let mut state = self.state.lock();
        if !self.sleeps_beyond(deadline) {
            return;
        }
        self.next.store(deadline, Ordering::Relaxed);
        match &state.alarm {
            // A full channel means that the thread is about to look anyway.
            Some(alarm) => drop(alarm.try_send(())),
            None => {
                state.alarm = state.databases.clone().and_then(start);
                if state.alarm.is_none() {
                    self.next.store(NEVER, Ordering::Relaxed);
                }
            }
        }
    }

    /// Ends a blocked call at `deadline`, unless it is [forgotten](Self::forget) before.
    pub(crate) fn end_at(&self, deadline: u64, clock: &Clock, waiter: &Arc<Waiter>) {
        let timer = (deadline, waiter.ticket());
        self.state.lock().timers.insert(timer, Arc::clone(waiter));
        // The time may have come meanwhile, with a manual clock that nobody moves any more.
        if clock.now() >= deadline {
            waiter.end();
        } else {
            self.wake_at(deadline);
        }
    }

    /// Does not end a blocked call any more.
    pub(crate) fn forget(&self, deadline: u64, waiter: &Waiter) {
        self.state.lock().timers.remove(&(deadline, waiter.ticket()));
    }

    /// Ends the blocked calls that are due; answers when the next is.
    fn fire_timers(&self, now: u64) -> Option<u64> {
        loop {
            let mut state = self.state.lock();
            let (deadline, _) = *state.timers.first_key_value()?.0;
            if deadline > now {
                return Some(deadline);
            }
            let due = state.timers.pop_first();
            drop(state);
            // Wakes a caller: not under the lock.
            due.inspect(|(_, waiter)| waiter.end());
        }
    }

    /// The time the thread is to sleep until.
    fn next(&self) -> u64 {
        // The lock, since an alarm that found the channel full says nothing of the new time.
        let _state = self.state.lock();
        self.next.load(Ordering::Relaxed)
    }

    /// A sweep by the thread, which settles when the next one is due.
    fn sweep(&self, databases: &Databases) {
        self.expect_alarms();
        // A waker or filter of a caller's that panics must not stop the upkeep of the store.
        let due = catch_unwind(AssertUnwindSafe(|| databases.sweep()))
            .unwrap_or_else(|_| Some(databases.clock.now()));
        self.advance_to(due.unwrap_or(NEVER));
    }

    /// From here on, every new deadline brings the next sweep forward.
    fn expect_alarms(&self) {
        let _state = self.state.lock();
        self.next.store(NEVER, Ordering::Relaxed);
    }

    /// Brings the next sweep forward to `due`, by the thread itself.
    fn advance_to(&self, due: u64) {
        let _state = self.state.lock();
        self.next.fetch_min(due, Ordering::Relaxed);
    }
}

/// Starts the thread; `None` if the system refuses, and then the next deadline tries again.
fn start(databases: Weak<Databases>) -> Option<Sender<()>> {
    let (alarm, alarms) = bounded(1);
    let thread = std::thread::Builder::new().name(String::from("larder-maintenance"));
    thread.spawn(move || run(&databases, &alarms)).ok().map(|_| alarm)
}

/// Sweeps whenever something is due, for as long as the databases live.
fn run(databases: &Weak<Databases>, alarms: &Receiver<()>) {
    let mut rested = Instant::now();
    while let Some(current) = databases.upgrade() {
        let next = current.maintenance.next();
        let wake_up = if next == NEVER { None } else { current.clock.instant(next) };
        drop(current);
        let woken = match wake_up {
            Some(wake_up) => alarms.recv_deadline(wake_up.max(rested)),
            None => alarms.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match woken {
            // The next sweep is due earlier than it was.
            Ok(()) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let Some(current) = databases.upgrade() else { return };
        current.maintenance.sweep(&current);
        rested = Instant::now() + REST;
    }
}

impl Databases {
    /// Removes what has expired and ends what has timed out; answers when the next sweep is due.
    pub(crate) fn sweep(&self) -> Option<u64> {
        self.await_births();
        let now = self.clock.now();
        let mut next = self.maintenance.fire_timers(now);
        if self.maintenance.leaves_expired.load(Ordering::Relaxed) || self.is_loading() {
            return next;
        }
        for (database, shard) in self.shards() {
            let due = loop {
                let earliest = shard.read().deadlines.earliest();
                if earliest.is_none_or(|earliest| earliest > now) {
                    break earliest;
                }
                // The lock is released here, and not after what follows from the expiry.
                let mut after = self.expire_some(database, &mut shard.write(), now);
                after.forgo_acknowledgement();
                // Whoever was served hears of an error.
                let _ = after.settle(self);
            };
            next = [next, due].into_iter().flatten().min();
        }
        next
    }

    /// Removes some of what is due.
    fn expire_some(&self, database: u16, shard: &mut Shard, now: u64) -> After {
        shard.about_to_change();
        let mut after = After::default();
        let mut lapsed = Vec::new();
        shard.expire(self.hasher(), now, STEP, &mut lapsed);
        for lapsed in lapsed {
            if shard.interests.changed(lapsed.key()) {
                after.note_ready(database, lapsed.key());
            }
            after.note_lapsed(self, database, lapsed);
        }
        after.append(self);
        after
    }
}

impl TimeListener for Databases {
    fn time_moved(&self) {
        self.sweep();
    }
}
