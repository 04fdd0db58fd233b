//! Which snapshot is being made, and what came of those before it.
//!
//! Invariant: at most one is being made, by whoever has claimed it; a claim ends when its [`Claim`]
//! is dropped.

use std::ops::Deref;
use std::time::{Duration, Instant};

use super::Log;
use super::rewrite::Ended;
use crate::sync::thread::{self, ThreadId};
use crate::sync::{AtomicBool, Condvar, Mutex, Ordering};

/// Why a snapshot is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// A client wants one, and waits for it.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    Save,
    /// A client wants one, and does not wait for it.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    BackgroundSave,
    /// It is to take the place of a log that is too long, or damaged.
    Rewrite,
}

/// A snapshot that is being made.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
pub(crate) struct UnderWay {
    pub(crate) occasion: Occasion,
    pub(crate) since: Instant,
    /// Keys that are in it.
    pub(crate) done: u64,
    /// Keys that are to be in it; zero until that is known.
    pub(crate) total: u64,
}

/// What came of the snapshots since the opening.
#[derive(Clone, Debug, Default)]
#[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
pub(crate) struct Past {
    /// How many were committed.
    pub(crate) committed: u64,
    /// How many have failed since the last that did not.
    pub(crate) failed: u64,
    /// What the last took, whatever came of it.
    pub(crate) last_duration: Option<Duration>,
    /// When the last ended, whatever came of it.
    pub(crate) ended: Option<Instant>,
    /// When the last that was committed ended, or when the log was opened.
    pub(crate) saved: Option<Instant>,
    /// The same as the Unix time in milliseconds by the store's clock.
    pub(crate) saved_at: u64,
    /// Records that are in that one, of those since the opening.
    pub(crate) saved_records: u64,
}

#[derive(Default)]
pub(super) struct Snapshots {
    state: Mutex<State>,
    /// A claim has ended.
    ended: Condvar,
    /// Whether the one under way is to be given up, and none is to begin.
    is_ended: AtomicBool,
}

#[derive(Default)]
struct State {
    current: Option<UnderWay>,
    /// Who is making it, from when it begins.
    maker: Option<ThreadId>,
    /// For what occasions others are to follow.
    waiting: Vec<Occasion>,
    /// Who is to hear of those, if a thread makes them.
    audience: Vec<(Occasion, Ended)>,
    past: Past,
}

impl Snapshots {
    /// Begins the account, at a Unix time in milliseconds.
    pub(super) fn begin(&self, now: u64) {
        let past = &mut self.state.lock().past;
        (past.saved, past.saved_at) = (Some(Instant::now()), now);
    }

    pub(super) fn read(&self) -> (Option<UnderWay>, Vec<Occasion>, Past) {
        let State { current, waiting, past, .. } = &*self.state.lock();
        (*current, waiting.clone(), past.clone())
    }

    /// Says that somebody is about to wait for his turn.
    pub(super) fn announce(&self, occasion: Occasion) {
        self.state.lock().waiting.push(occasion);
    }

    /// Has `ended` hear of one that has yet to begin. Answers whether it has yet to be waited for,
    /// and then announces it.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    pub(super) fn join(&self, occasion: Occasion, ended: Ended) -> bool {
        let mut state = self.state.lock();
        let is_first = state.audience.iter().all(|(of, _)| *of != occasion);
        state.audience.push((occasion, ended));
        if is_first {
            state.waiting.push(occasion);
        }
        is_first
    }

    /// Who has joined the one that now begins.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    pub(super) fn take_audience(&self, occasion: Occasion) -> Vec<Ended> {
        let mut state = self.state.lock();
        let audience = std::mem::take(&mut state.audience).into_iter();
        let (own, others) = audience.partition(|(of, _)| *of == occasion);
        state.audience = others;
        own.into_iter().map(|(_, ended)| ended).collect()
    }

    /// Ends the one under way, and lets none begin. Waits until it has ended, unless this thread is
    /// making it: then it ends as soon as the thread goes on with it.
    pub(super) fn end(&self) {
        self.is_ended.store(true, Ordering::Release);
        let mut state = self.state.lock();
        while state.current.is_some() && !state.is_made_here() {
            self.ended.wait(&mut state);
        }
    }

    /// Whether this thread is making one, and so was called by whoever hears of its progress.
    pub(super) fn is_made_here(&self) -> bool {
        self.state.lock().is_made_here()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.is_ended.load(Ordering::Acquire)
    }

    /// Notes how far the one under way has come.
    pub(super) fn note_progress(&self, done: u64, total: u64) {
        if let Some(current) = &mut self.state.lock().current {
            (current.done, current.total) = (done, total);
        }
    }

    /// Notes that the one under way has failed, or was committed: at a Unix time in milliseconds,
    /// with so many records since the opening.
    pub(super) fn note_outcome(&self, committed: Option<(u64, u64)>) {
        let mut state = self.state.lock();
        let State { current, past, .. } = &mut *state;
        past.last_duration = current.map(|current| current.since.elapsed());
        past.ended = Some(Instant::now());
        match committed {
            Some(saved) => {
                past.saved = past.ended;
                (past.saved_at, past.saved_records) = saved;
                past.committed += 1;
                past.failed = 0;
            }
            None => past.failed += 1,
        }
    }
}

impl State {
    fn is_made_here(&self) -> bool {
        self.maker == Some(thread::current().id())
    }
}

/// The right to make a snapshot, until it is dropped.
pub(super) struct Claim<L: Deref<Target = Log>>(L);

impl<L: Deref<Target = Log>> Claim<L> {
    /// Waits for the one under way; was announced.
    pub(super) fn wait(log: L, occasion: Occasion) -> Self {
        let snapshots = &log.snapshots;
        let mut state = snapshots.state.lock();
        while state.current.is_some() {
            snapshots.ended.wait(&mut state);
        }
        state.current = Some(UnderWay::of(occasion));
        let announced = state.waiting.iter().position(|waiting| *waiting == occasion);
        announced.map(|place| state.waiting.swap_remove(place));
        drop(state);
        Self(log)
    }

    /// Unless one is under way; answers why that is made.
    pub(super) fn try_now(log: L, occasion: Occasion) -> Result<Self, Occasion> {
        let mut state = log.snapshots.state.lock();
        if let Some(current) = &state.current {
            return Err(current.occasion);
        }
        state.current = Some(UnderWay::of(occasion));
        drop(state);
        Ok(Self(log))
    }

    /// Says that it is this thread that makes it.
    pub(super) fn begin(&self) {
        self.log().snapshots.state.lock().maker = Some(thread::current().id());
    }

    pub(super) fn log(&self) -> &Log {
        &self.0
    }
}

impl<L: Deref<Target = Log>> Drop for Claim<L> {
    fn drop(&mut self) {
        let snapshots = &self.log().snapshots;
        let mut state = snapshots.state.lock();
        (state.current, state.maker) = (None, None);
        drop(state);
        snapshots.ended.notify_all();
    }
}

impl UnderWay {
    fn of(occasion: Occasion) -> Self {
        Self { occasion, since: Instant::now(), done: 0, total: 0 }
    }
}
