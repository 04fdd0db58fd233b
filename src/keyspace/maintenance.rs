//! Expiry without access, and timeouts of calls that no thread sleeps for.
//!
//! A sweep walks the shards that have entries due, in bounded steps, and answers when the next
//! is needed. Sweeps are made by a thread that sleeps until then, started when the first
//! deadline asks for it; or by the caller; or by a manual clock whenever it is moved.
//!
//! # Threading
//!
//! The thread holds the databases weakly and sleeps on a channel whose other end they own, so a
//! store that is dropped takes its thread with it.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::shard::Removed;
use super::waiters::Waiter;
use super::{After, Databases, events::Event, events::EventKind};
use crate::clock::TimeListener;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, Weak};
use crate::value::Value;

/// Entries removed under one hold of a shard's lock.
const STEP: usize = 64;
/// The shortest sleep between two sweeps: what promptness may cost.
const REST: Duration = Duration::from_millis(5);
const NEVER: u64 = u64::MAX;

/// When the next sweep is due, and who makes it.
pub(crate) struct Maintenance {
    /// The time the thread sleeps until, in the store's milliseconds; zero if nobody has to be
    /// woken, as the caller sweeps.
    next: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    databases: Option<Weak<Databases>>,
    /// Wakes the thread, once there is one. Dropped with the store, which ends the thread.
    alarm: Option<Sender<()>>,
    /// Blocked calls to end at a deadline.
    timers: Vec<(u64, Weak<Waiter>)>,
}

impl Maintenance {
    /// Maintenance by a thread of its own, if `threaded`, or by calls of [`Databases::sweep`].
    pub(crate) fn new(threaded: bool) -> Self {
        let next = AtomicU64::new(if threaded { NEVER } else { 0 });
        Self { next, state: Mutex::default() }
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
        if deadline >= self.next.load(Ordering::Relaxed) {
            return;
        }
        self.next.store(deadline, Ordering::Relaxed);
        match &state.alarm {
            // A full channel means that the thread is about to look anyway.
            Some(alarm) => drop(alarm.try_send(())),
            None => state.alarm = state.databases.clone().and_then(start),
        }
    }

    /// Ends a blocked call at `deadline`, if it is still blocked then.
    pub(crate) fn end_at(&self, deadline: u64, waiter: &Arc<Waiter>) {
        let mut state = self.state.lock();
        state.timers.retain(|(_, waiter)| waiter.strong_count() > 0);
        state.timers.push((deadline, Arc::downgrade(waiter)));
        drop(state);
        self.wake_at(deadline);
    }

    /// Settles when the next sweep is due, given what the last one found.
    fn sleep_until(&self, due: Option<u64>) -> u64 {
        let _state = self.state.lock();
        let next = due.unwrap_or(NEVER).min(self.next.load(Ordering::Relaxed));
        self.next.store(next, Ordering::Relaxed);
        next
    }

    /// Ends the blocked calls that are due; answers when the next is.
    fn fire_timers(&self, databases: &Databases, now: u64) -> Option<u64> {
        let mut state = self.state.lock();
        let (due, later) = state.timers.drain(..).partition(|(deadline, _)| *deadline <= now);
        state.timers = later;
        let next = state.timers.iter().map(|(deadline, _)| *deadline).min();
        drop(state);
        let due: Vec<(u64, Weak<Waiter>)> = due;
        for waiter in due.iter().filter_map(|(_, waiter)| waiter.upgrade()) {
            if waiter.cancel() {
                waiter.leave(databases);
            }
        }
        next
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
    while let Some(current) = databases.upgrade() {
        // From here on a new deadline must raise the alarm again.
        current.maintenance.next.store(NEVER, Ordering::Relaxed);
        let due = current.sweep();
        let next = current.maintenance.sleep_until(due);
        let wake = if next == NEVER { None } else { current.clock.instant(next) };
        drop(current);
        let woken = match wake {
            Some(wake) => alarms.recv_deadline(wake.max(Instant::now() + REST)),
            None => alarms.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if woken == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

impl Databases {
    /// Removes what has expired and ends what has timed out; answers when the next sweep is due.
    pub(crate) fn sweep(&self) -> Option<u64> {
        let now = self.clock.now();
        let mut next = self.maintenance.fire_timers(self, now);
        for (database, shard) in self.shards() {
            let due = loop {
                let earliest = shard.read().deadlines.earliest();
                if earliest.is_none_or(|earliest| earliest > now) {
                    break earliest;
                }
                let mut after = After::default();
                {
                    let mut shard = shard.write();
                    let mut removed = Vec::new();
                    shard.expire(self.hasher(), now, STEP, &mut removed);
                    for removed in &removed {
                        self.note_expired(database, removed, &mut after);
                        if shard.interests.changed(removed.key()) {
                            after.note_ready(database, removed.key());
                        }
                    }
                    after.removed.extend(removed);
                }
                after.settle(self);
            };
            next = [next, due].into_iter().flatten().min();
        }
        next
    }

    fn note_expired(&self, database: u16, removed: &Removed, after: &mut After) {
        if self.events.has_listeners() {
            let key = Value::from(removed.key());
            let value = removed.value();
            let event = Event { database, key, kind: EventKind::Expired, value };
            after.note_event(self, event);
        }
    }
}

impl TimeListener for Databases {
    fn time_moved(&self) {
        self.sweep();
    }
}
