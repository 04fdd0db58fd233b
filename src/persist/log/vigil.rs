//! Whether those who wait for a sync stay awake.
//!
//! To sleep costs more than it saves where to wake several threads, on an idle processor among
//! others, takes a good part of the sync that they wait for. There they yield their processors
//! until the turn is given back, for as long as two syncs at most. A slow yield says that somebody
//! else needs the processor, or that the system has withdrawn it: then all sleep for many times as
//! long, and for longer and longer while it goes on.

use std::time::{Duration, Instant};

/// A longer sync is waited for asleep.
const SHORT_SYNC: Duration = Duration::from_micros(400);

/// No more than this stay awake, lest they take many processors.
const MOST: usize = 16;

/// A yield that takes longer is slow.
const SLOW_YIELD: Duration = Duration::from_micros(500);

/// After a slow yield all sleep for so many times as long; and for twice the last sleep at least,
/// if they have not been awake for as long as that since.
const SLEEP: u32 = 8;

/// But for no longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// How long those who wait for a sync stay awake.
#[derive(Default)]
pub(super) struct Vigil {
    /// Whether anybody ever does.
    is_allowed: bool,
    /// How long for the next sync.
    length: Duration,
    /// How long the last sleep is, and when it ends.
    sleep: Duration,
    asleep_until: Option<Instant>,
}

impl Vigil {
    pub(super) fn new(is_allowed: bool) -> Self {
        Self { is_allowed, ..Self::default() }
    }

    /// How long whoever waits for the next sync, behind so many others, stays awake.
    pub(super) fn length(&self, waiting: usize) -> Duration {
        if waiting < MOST { self.length } else { Duration::ZERO }
    }

    /// Settles that, after a sync that took so long and was for a group of so many threads.
    pub(super) fn settle(&mut self, group: usize, sync_time: Duration) {
        let pays = self.is_allowed && group > 2 && sync_time < SHORT_SYNC;
        let stay = pays && !self.is_suspended();
        self.length = if stay { sync_time * 2 } else { Duration::ZERO };
    }

    fn is_suspended(&self) -> bool {
        self.asleep_until.is_some_and(|end| Instant::now() < end)
    }

    /// Whether a yield that took so long is to suspend this.
    pub(super) fn is_slow(slowest: Duration) -> bool {
        slowest > SLOW_YIELD
    }

    /// Has all sleep for a while, as a yield took so long.
    pub(super) fn suspend(&mut self, slowest: Duration) {
        self.length = Duration::ZERO;
        // Others have waited for the same processor.
        if self.is_suspended() {
            return;
        }
        let now = Instant::now();
        let recurs = self.asleep_until.is_some_and(|end| now < end + self.sleep);
        let last = if recurs { self.sleep } else { Duration::ZERO };
        self.sleep = slowest.saturating_mul(SLEEP).max(last * 2).min(LONGEST_SLEEP);
        self.asleep_until = Some(now + self.sleep);
    }
}

#[cfg(test)]
impl Vigil {
    pub(super) fn of(length: Duration) -> Self {
        Self { length, ..Self::new(true) }
    }

    pub(super) fn was_slow(&self) -> bool {
        self.asleep_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_micros(100);

    fn length(vigil: &mut Vigil, group: usize, sync_time: Duration) -> Duration {
        vigil.settle(group, sync_time);
        vigil.length(0)
    }

    #[test]
    fn three_or_more_stay_awake_for_a_short_sync() {
        let mut vigil = Vigil::new(true);
        assert_eq!(vigil.length(0), Duration::ZERO);
        assert_eq!(length(&mut vigil, 3, SYNC), SYNC * 2);
        assert_eq!(length(&mut vigil, 2, SYNC), Duration::ZERO);
        assert_eq!(length(&mut vigil, 3, SHORT_SYNC), Duration::ZERO);
        assert_eq!(length(&mut Vigil::new(false), 3, SYNC), Duration::ZERO);
    }

    #[test]
    fn no_more_than_so_many_stay_awake() {
        let mut vigil = Vigil::new(true);
        vigil.settle(100, SYNC);
        assert_eq!((vigil.length(MOST - 1), vigil.length(MOST)), (SYNC * 2, Duration::ZERO));
    }

    #[test]
    fn after_a_slow_yield_all_sleep_for_a_while() {
        let mut vigil = Vigil::new(true);
        vigil.settle(3, SYNC);
        let second = Duration::from_secs(1);
        vigil.suspend(second);
        assert_eq!((vigil.length(0), vigil.sleep), (Duration::ZERO, second * SLEEP));
        assert_eq!(length(&mut vigil, 3, SYNC), Duration::ZERO);
        let end = vigil.asleep_until;
        vigil.suspend(Duration::MAX);
        assert_eq!(vigil.asleep_until, end, "another who has waited meanwhile");
        vigil.asleep_until = Some(Instant::now());
        assert_eq!(length(&mut vigil, 3, SYNC), SYNC * 2);
    }

    #[test]
    fn all_sleep_for_longer_and_longer_while_yields_are_slow() {
        let mut vigil = Vigil::new(true);
        let mut sleeps = Vec::new();
        for _ in 0..3 {
            vigil.suspend(Duration::from_secs(1) / SLEEP);
            sleeps.push(vigil.sleep);
            // It is over.
            vigil.asleep_until = Some(Instant::now());
            assert_eq!(length(&mut vigil, 3, SYNC), SYNC * 2);
        }
        assert_eq!(sleeps, [1, 2, 4].map(Duration::from_secs));
        vigil.suspend(Duration::MAX);
        assert_eq!(vigil.sleep, LONGEST_SLEEP);
        vigil.asleep_until = Instant::now().checked_sub(LONGEST_SLEEP);
        vigil.suspend(SLOW_YIELD);
        assert_eq!(vigil.sleep, SLOW_YIELD * SLEEP, "they have been awake for long");
    }
}
