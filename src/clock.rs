//! Time, as a store sees it.
//!
//! A store has one clock. It tells two times in milliseconds:
//!
//! - *now*, on a line that starts at the Unix time of the store's creation and then only moves
//!   forward: deadlines, idle times and blocking timeouts live on it;
//! - *the wall*, the Unix time that people mean by "at eight o'clock": it may jump.
//!
//! A jump of the wall clock therefore moves no deadline that was set before it.

mod coarse;

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::sync::{Arc, AtomicU64, Mutex, Ordering, Weak};

use coarse::Coarse;

/// How far the coarse clock may be behind, in milliseconds: a hundred times more than it should be.
const FAR: u64 = 1000;

/// Where a store takes its time from: the system, or a [`ManualClock`].
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: Instant, started_unix: u64, coarse: Coarse },
    Manual(ManualClock),
}

impl Clock {
    /// The system's clock: monotonic for durations, the wall for dates.
    pub fn system() -> Self {
        let (started, coarse) = (Instant::now(), Coarse::started());
        Self(Source::System { started, started_unix: unix_now(), coarse })
    }

    /// Milliseconds on the store's own line of time.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        match &self.0 {
            Source::System { started, started_unix, .. } => {
                started_unix + millis(started.elapsed())
            }
            Source::Manual(clock) => clock.0.now.load(Ordering::Acquire),
        }
    }

    /// Whether `now` is certainly before this time: quicker to ask than `now` itself, and `false`
    /// where only that can tell.
    #[inline]
    pub(crate) fn is_far_before(&self, time: u64) -> bool {
        match &self.0 {
            Source::System { started_unix, coarse, .. } => {
                coarse.elapsed().is_some_and(|elapsed| started_unix + elapsed + FAR < time)
            }
            Source::Manual(_) => false,
        }
    }

    /// Milliseconds since the Unix epoch, as the wall clock tells them.
    pub(crate) fn wall(&self) -> u64 {
        match &self.0 {
            Source::System { .. } => unix_now(),
            Source::Manual(clock) => clock.0.wall.load(Ordering::Acquire),
        }
    }

    /// The deadline of a timeout that starts now, rounded up, so that no call ends early; `None`
    /// if it lies beyond all time.
    pub(crate) fn deadline(&self, timeout: Duration) -> Option<u64> {
        let (start, passed) = match &self.0 {
            Source::System { started, started_unix, .. } => (*started_unix, started.elapsed()),
            Source::Manual(clock) => (clock.0.now.load(Ordering::Acquire), Duration::ZERO),
        };
        let millis = passed.checked_add(timeout)?.as_nanos().div_ceil(1_000_000);
        start.checked_add(u64::try_from(millis).ok()?)
    }

    /// The instant of the system's monotonic clock at which `now` will be `deadline`; `None`
    /// for a manual clock, and for a deadline beyond what the system can tell.
    pub(crate) fn instant(&self, deadline: u64) -> Option<Instant> {
        match &self.0 {
            Source::System { started, started_unix, .. } => {
                let elapsed = deadline.saturating_sub(*started_unix);
                started.checked_add(Duration::from_millis(elapsed))
            }
            Source::Manual(_) => None,
        }
    }

    pub(crate) fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// Asks a manual clock to call `listener` whenever it has been moved.
    pub(crate) fn listen(&self, listener: Weak<dyn TimeListener>) {
        if let Source::Manual(clock) = &self.0 {
            clock.0.listeners.lock().push(listener);
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl From<&ManualClock> for Clock {
    fn from(clock: &ManualClock) -> Self {
        Self(Source::Manual(clock.clone()))
    }
}

/// Who must act when a manual clock has moved.
pub(crate) trait TimeListener: Send + Sync {
    fn time_moved(&self);
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

/// Whole milliseconds, in half the instructions of `as_millis` and its 128 bits.
#[inline]
fn millis(duration: Duration) -> u64 {
    duration.as_secs() * 1000 + u64::from(duration.subsec_millis())
}

/// A clock that moves only when told to: for tests.
///
/// It drives everything that depends on time in the stores that were built with it: times to
/// live, timeouts of blocking calls, ids of streams, idle times. When [`advance`] returns, what
/// has expired is gone and its events are published. Clones share one time.
///
/// [`advance`]: ManualClock::advance
///
/// ```
/// use std::time::Duration;
/// use larder::{ManualClock, Store};
///
/// let clock = ManualClock::new();
/// let store = Store::builder().clock(&clock).build();
/// store.kv().set_for("milk", "fresh", Duration::from_secs(60))?;
/// clock.advance(Duration::from_secs(59));
/// assert!(store.kv().get("milk")?.is_some());
/// clock.advance(Duration::from_secs(1));
/// assert!(store.kv().get("milk")?.is_none());
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Manual>);

struct Manual {
    now: AtomicU64,
    wall: AtomicU64,
    listeners: Mutex<Vec<Weak<dyn TimeListener>>>,
}

impl ManualClock {
    /// A clock that stands at 2020-01-01T00:00:00Z.
    ///
    /// For a store that keeps its data use [`at`](Self::at) with [`SystemTime::now`]: deadlines are
    /// kept as dates, so those of 2020 have all passed for a store that is opened with the system's
    /// clock, and those of today are years away for one that is opened with this clock.
    pub fn new() -> Self {
        Self::at(UNIX_EPOCH + Duration::from_secs(1_577_836_800))
    }

    /// A clock that stands at `time`; before the Unix epoch counts as the epoch.
    pub fn at(time: SystemTime) -> Self {
        let now = unix_millis(time);
        Self(Arc::new(Manual {
            now: AtomicU64::new(now),
            wall: AtomicU64::new(now),
            listeners: Mutex::new(Vec::new()),
        }))
    }

    /// Lets `duration` pass, to the millisecond, and everything happen that is due by then.
    ///
    /// Does not block, but for what subscribers of events with
    /// [`Overflow::Block`](crate::Overflow::Block) make it wait.
    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let forward = |time: u64| Some(time.saturating_add(millis));
        let add = |time: &AtomicU64| {
            let _ = time.fetch_update(Ordering::AcqRel, Ordering::Acquire, forward);
        };
        add(&self.0.wall);
        add(&self.0.now);
        self.tell_listeners();
    }

    /// Sets the wall clock, as an administrator would: dates are read from the new time on, but
    /// no time passes, so no time to live gets shorter or longer.
    pub fn set_wall(&self, time: SystemTime) {
        self.0.wall.store(unix_millis(time), Ordering::Release);
    }

    /// The time that the wall clock tells.
    pub fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.wall.load(Ordering::Acquire))
    }

    fn tell_listeners(&self) {
        let mut listeners = self.0.listeners.lock();
        listeners.retain(|listener| listener.strong_count() > 0);
        let current: Vec<_> = listeners.iter().filter_map(Weak::upgrade).collect();
        drop(listeners);
        for listener in current {
            listener.time_moved();
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock").field("wall", &self.wall()).finish_non_exhaustive()
    }
}

fn unix_millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_before_is_said_of_nothing_that_is_near_or_past() {
        let clock = Clock::system();
        for _ in 0..1000 {
            let now = clock.now();
            assert!(!clock.is_far_before(0) && !clock.is_far_before(now));
            assert!(!clock.is_far_before(now + FAR / 2));
        }
        assert_eq!(clock.is_far_before(clock.now() + 3 * FAR), cfg!(target_os = "linux"));
        assert!(!Clock::from(&ManualClock::new()).is_far_before(u64::MAX));
    }
}
