//! When a snapshot is made that nobody asks for: as the log has grown, or as so much was changed in
//! so long a time.
//!
//! Both may be set while the log is open. How far it has grown is seen with every write; whether a
//! save point is due the keeper's thread asks every second, if there is anything to ask.

use std::time::{Duration, Instant};

use super::Log;
use super::snapshots::Past;
use crate::sync::Mutex;

/// The time until a snapshot that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The time between two looks at whether a snapshot is due.
const LOOK: Duration = Duration::from_secs(1);

/// How far a log may grow before a snapshot takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Growth {
    /// It is longer than this,
    pub(crate) above: u64,
    /// and than so many hundredths of the last snapshot; zero leaves it to others.
    pub(crate) percent: u64,
}

impl Growth {
    /// Above this size, and that of the last snapshot; never if it is the largest there is.
    pub(crate) fn above(bytes: u64) -> Self {
        Self { above: bytes, percent: if bytes < u64::MAX { 100 } else { 0 } }
    }

    /// The size that the log may have behind a snapshot of this size.
    pub(super) fn limit(self, base: u64) -> u64 {
        if self.percent == 0 {
            return u64::MAX;
        }
        let share = u128::from(base) * u128::from(self.percent) / 100;
        self.above.max(u64::try_from(share).unwrap_or(u64::MAX))
    }
}

/// A snapshot is due when the last is older than this, and so many records were made since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SavePoint {
    pub(crate) after: Duration,
    pub(crate) changes: u64,
}

impl SavePoint {
    fn is_due(self, since: Duration, changes: u64) -> bool {
        changes >= self.changes && since > self.after
    }
}

/// What was decided.
pub(super) struct Schedule(Mutex<Decided>);

struct Decided {
    growth: Growth,
    save_points: Vec<SavePoint>,
}

impl Schedule {
    pub(super) fn new(growth: Growth) -> Self {
        Self(Mutex::new(Decided { growth, save_points: Vec::new() }))
    }
}

impl Log {
    /// How far it may grow.
    pub(crate) fn growth(&self) -> Growth {
        self.schedule.0.lock().growth
    }

    /// Has it grow so far from now on.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    pub(crate) fn set_growth(&self, growth: Growth) {
        self.schedule.0.lock().growth = growth;
        self.alarm.ring();
    }

    /// When snapshots are made that nobody asks for.
    pub(crate) fn save_points(&self) -> Vec<SavePoint> {
        self.schedule.0.lock().save_points.clone()
    }

    /// Has snapshots be made whenever one of these is due.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
    pub(crate) fn set_save_points(&self, save_points: Vec<SavePoint>) {
        self.schedule.0.lock().save_points = save_points;
        self.alarm.ring();
    }

    /// Whether a save point is due.
    pub(super) fn is_save_due(&self) -> bool {
        let save_points = self.save_points();
        if save_points.is_empty() {
            return false;
        }
        let (_, _, past) = self.snapshots.read();
        let Past { saved, ended, failed, saved_records, .. } = past;
        let changes = self.pending.lock().recorded() - saved_records;
        let since = |then: Option<Instant>| then.map_or(Duration::MAX, |then| then.elapsed());
        let may_try = failed == 0 || since(ended) > RETRY;
        may_try && save_points.iter().any(|point| point.is_due(since(saved), changes))
    }

    /// When to ask again whether a snapshot is due, if ever.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let asks = !self.save_points().is_empty();
        asks.then(|| Instant::now() + LOOK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_the_larger_of_a_size_and_a_share_of_the_snapshot() {
        assert_eq!(Growth::above(1000).limit(0), 1000);
        assert_eq!(Growth::above(1000).limit(5000), 5000);
        assert_eq!(Growth { above: 1000, percent: 50 }.limit(5000), 2500);
        assert_eq!(Growth { above: 1000, percent: 10 }.limit(5000), 1000);
        assert_eq!(Growth { above: 1, percent: 300 }.limit(u64::MAX / 2), u64::MAX);
        assert_eq!(Growth { above: 1000, percent: 0 }.limit(5000), u64::MAX);
        assert_eq!(Growth::above(u64::MAX).limit(5000), u64::MAX);
    }

    #[test]
    fn a_save_point_is_due_when_both_are_reached() {
        let point = SavePoint { after: Duration::from_secs(60), changes: 2 };
        let cases = [(61, 2, true), (60, 2, false), (61, 1, false), (1000, 1000, true)];
        for (seconds, changes, is_due) in cases {
            assert_eq!(point.is_due(Duration::from_secs(seconds), changes), is_due);
        }
    }
}
