//! Locks, condition variables and atomics: the one place they come from, so that a model checker
//! can take their place.
//!
//! A build with `RUSTFLAGS="--cfg shuttle"` replaces them by [shuttle](https://docs.rs/shuttle)'s,
//! behind the same interface: `lock` and `read` return guards, a poisoned lock is not an error,
//! `Condvar::wait` borrows its guard.

#![allow(unused_imports, reason = "the whole choice is offered, whatever the features need of it")]

#[cfg(shuttle)]
mod model;

pub(crate) use std::sync::{Arc, OnceLock, Weak};
#[cfg(not(shuttle))]
use std::time::{Duration, Instant};

pub(crate) use atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
#[cfg(shuttle)]
pub(crate) use model::{
    Condvar, Latch, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    WaitTimeoutResult, yield_until,
};
#[cfg(not(shuttle))]
pub(crate) use parking_lot::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, WaitTimeoutResult,
};
#[cfg(shuttle)]
pub(crate) use shuttle::{sync::atomic, thread};
#[cfg(not(shuttle))]
pub(crate) use std::{sync::atomic, thread};

/// Is closed until it is opened, once and for all. Where the system can wake all who wait for that
/// by one call, it does.
#[cfg(not(shuttle))]
pub(crate) struct Latch(std::sync::Once);

#[cfg(not(shuttle))]
impl Default for Latch {
    fn default() -> Self {
        Self(std::sync::Once::new())
    }
}

#[cfg(not(shuttle))]
impl Latch {
    pub(crate) fn open(&self) {
        self.0.call_once(|| ());
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.is_completed()
    }

    pub(crate) fn wait(&self) {
        self.0.wait();
    }
}

/// Yields until `done`, or for so long at most. Answers how long the slowest yield took.
#[cfg(not(shuttle))]
pub(crate) fn yield_until(done: impl Fn() -> bool, most: Duration) -> Duration {
    if most.is_zero() {
        return Duration::ZERO;
    }
    let start = Instant::now();
    let (mut waited, mut slowest) = (Duration::ZERO, Duration::ZERO);
    while waited < most && !done() {
        thread::yield_now();
        let now = start.elapsed();
        slowest = slowest.max(now.saturating_sub(waited));
        waited = now;
    }
    slowest
}

/// Waits a few microseconds at most for what another thread is about to do, before the caller goes
/// to sleep for it.
pub(crate) fn spin_until(ready: impl Fn() -> bool) {
    // A model checker explores sleeping; to spin would only multiply its schedules.
    if cfg!(shuttle) {
        return;
    }
    for round in 0..10 {
        if ready() {
            return;
        }
        if round < 7 {
            (0..1 << round).for_each(|_| std::hint::spin_loop());
        } else {
            std::thread::yield_now();
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn to_yield_ends_when_it_is_done_or_has_taken_long_enough() {
        let most = Duration::from_millis(2);
        assert_eq!(yield_until(|| true, most), Duration::ZERO);
        assert_eq!(yield_until(|| panic!("not asked"), Duration::ZERO), Duration::ZERO);
        let start = Instant::now();
        let slowest = yield_until(|| false, most);
        assert!(!slowest.is_zero() && start.elapsed() >= most);
    }
}
