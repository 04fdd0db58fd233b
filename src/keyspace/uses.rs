//! When entries were last used and how often: what `OBJECT IDLETIME` and `OBJECT FREQ` tell.
//!
//! Nothing is kept until somebody asks for it. From then on every block has a stamp, which whoever
//! looks at what the entry holds renews, readers too: it is atomic, and written only if it changes,
//! which is once a second at most. To ask whether a key exists, of what type it is or when it
//! expires is no use of it.
//!
//! # Invariant
//!
//! Once uses are kept, every block in a table has a stamp, but for those that have yet to get
//! theirs from [`Databases::keep_uses`].

use std::cell::Cell;
use std::sync::atomic::AtomicU32;

use super::{Databases, Moment};
use crate::block::Block;
use crate::random::Random;
use crate::sync::AtomicBool;
use crate::sync::Ordering::Relaxed;

/// Seconds are counted in 24 bits, as in Redis: they come round after 194 days.
const SECONDS: u32 = (1 << 24) - 1;
const COUNT_BITS: u32 = 8;
/// What an entry begins with, so that it is not the least used at once; as in Redis.
const FIRST_COUNT: u8 = 5;

/// What is kept of the uses of all entries of a store.
#[derive(Default)]
pub(crate) struct Uses {
    is_kept: AtomicBool,
    /// Whether they are counted.
    are_counted: AtomicBool,
    log_factor: AtomicU32,
    decay_minutes: AtomicU32,
}

/// How uses are counted: `lfu-log-factor` and `lfu-decay-time` of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counting {
    /// The higher, the more uses it takes to count one more.
    pub(crate) log_factor: u32,
    /// Minutes without a use that take one away; zero takes none.
    pub(crate) decay_minutes: u32,
}

/// The last use, in seconds, and a count of uses that grows by their logarithm and fades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    seconds: u32,
    count: u8,
}

impl Stamp {
    fn new(now: u64, count: u8) -> Self {
        Self { seconds: (now / 1000) as u32 & SECONDS, count }
    }

    fn of(bits: u32) -> Self {
        Self { seconds: bits >> COUNT_BITS, count: bits as u8 }
    }

    fn bits(self) -> u32 {
        self.seconds << COUNT_BITS | u32::from(self.count)
    }

    fn idle_seconds(self, now: u64) -> u32 {
        Self::new(now, 0).seconds.wrapping_sub(self.seconds) & SECONDS
    }

    /// The count less what has faded of it.
    fn faded_count(self, now: u64, counting: Counting) -> u8 {
        let minutes = self.idle_seconds(now) / 60;
        let faded = minutes.checked_div(counting.decay_minutes).unwrap_or(0);
        self.count.saturating_sub(faded.try_into().unwrap_or(u8::MAX))
    }
}

impl Uses {
    #[inline]
    pub(crate) fn are_kept(&self) -> bool {
        self.is_kept.load(Relaxed)
    }

    /// The stamp of a new entry, if uses are kept.
    #[inline]
    pub(super) fn stamp(&self, now: impl FnOnce() -> u64) -> Option<u32> {
        self.are_kept().then(|| Stamp::new(now(), FIRST_COUNT).bits())
    }

    /// Has uses counted, or only the last of them told.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "configured by sessions"))]
    pub(crate) fn count(&self, counting: Option<Counting>) {
        if let Some(counting) = counting {
            self.log_factor.store(counting.log_factor, Relaxed);
            self.decay_minutes.store(counting.decay_minutes, Relaxed);
        }
        self.are_counted.store(counting.is_some(), Relaxed);
    }

    /// How uses are counted, if they are.
    pub(crate) fn counting(&self) -> Option<Counting> {
        let counting = || Counting {
            log_factor: self.log_factor.load(Relaxed),
            decay_minutes: self.decay_minutes.load(Relaxed),
        };
        self.are_counted.load(Relaxed).then(counting)
    }

    /// What databases beside these keep.
    pub(super) fn beside(&self) -> Self {
        let uses = Self::default();
        uses.is_kept.store(self.are_kept(), Relaxed);
        uses
    }

    fn renew(&self, stamp: &AtomicU32, now: u64) {
        let before = stamp.load(Relaxed);
        let known = Stamp::of(before);
        let count = self.counting().map_or(known.count, |counting| {
            let count = known.faded_count(now, counting);
            if is_counted(count, counting.log_factor) { count.saturating_add(1) } else { count }
        });
        let after = Stamp::new(now, count).bits();
        if after != before {
            stamp.store(after, Relaxed);
        }
    }
}

/// Throws dice whether one more use counts: the rarer, the higher the count.
fn is_counted(count: u8, log_factor: u32) -> bool {
    const STEPS: usize = 1 << 30;
    let above = u64::from(count.saturating_sub(FIRST_COUNT));
    let odds = above * u64::from(log_factor) + 1;
    (Random::new().below(STEPS) as u64) < STEPS as u64 / odds
}

impl Databases {
    /// Keeps uses from now on: what was not used since counts from now. Linear in the number of
    /// entries the first time, a shard at a time; each entry takes four bytes more from then on.
    pub(crate) fn keep_uses(&self) {
        if self.uses.is_kept.swap(true, Relaxed) {
            return;
        }
        // Whoever takes the lock of a shard after this thread gives its new entries stamps itself.
        self.await_births();
        let stamp = Stamp::new(self.clock.now(), FIRST_COUNT).bits();
        for (_, shard) in self.shards() {
            let mut shard = shard.write();
            shard.about_to_change();
            let displaced = shard.stamp_all(stamp);
            drop(shard);
            drop(displaced);
        }
    }
}

/// Whoever has operations run one after another, and wants to know what they found. It knows the
/// time, which need not be read for every use of an entry then.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The store's time, as of the beginning of what is being run.
    now: Cell<u64>,
    renews: Cell<bool>,
    hits: Cell<u64>,
    misses: Cell<u64>,
}

impl Default for Caller {
    fn default() -> Self {
        let zero = || Cell::new(0);
        Self { now: zero(), renews: Cell::new(true), hits: zero(), misses: zero() }
    }
}

#[cfg_attr(not(feature = "session"), allow(dead_code, reason = "called by sessions"))]
impl Caller {
    pub(crate) fn set_now(&self, now: u64) {
        self.now.set(now);
    }

    /// Whether its looking at an entry is a use of it.
    pub(crate) fn set_renews(&self, renews: bool) {
        self.renews.set(renews);
    }

    /// How many keys it looked up to read them since it was last asked: found, and not found.
    pub(crate) fn take_lookups(&self) -> (u64, u64) {
        (self.hits.take(), self.misses.take())
    }
}

impl Moment<'_> {
    /// Notes that a key was looked up to be read.
    #[inline]
    pub(super) fn note_lookup(&self, found: bool) {
        if let Some(caller) = self.caller {
            let counter = if found { &caller.hits } else { &caller.misses };
            counter.set(counter.get() + 1);
        }
    }

    /// Notes a use of an entry, if uses are kept.
    #[inline]
    pub(super) fn note_use(&self, block: &Block) {
        if let Some(stamp) = block.stamp() {
            self.renew_unless_told(stamp);
        }
    }

    #[inline(never)]
    fn renew_unless_told(&self, stamp: &AtomicU32) {
        if self.caller.is_none_or(|caller| caller.renews.get()) {
            self.databases.uses.renew(stamp, self.time_of_use());
        }
    }

    /// Notes a use by somebody who means it to be one.
    pub(super) fn note_touch(&self, block: &Block) {
        if let Some(stamp) = block.stamp() {
            self.databases.uses.renew(stamp, self.time_of_use());
        }
    }

    fn time_of_use(&self) -> u64 {
        match self.caller {
            Some(caller) if caller.now.get() != 0 => caller.now.get(),
            _ => self.now(),
        }
    }

    /// The stamp of an entry that is made now, if uses are kept.
    #[inline]
    pub(super) fn stamp(&self) -> Option<u32> {
        self.databases.uses.stamp(|| self.time_of_use())
    }

    /// The seconds since the last use of an entry.
    pub(super) fn idle_seconds(&self, block: &Block) -> u32 {
        let stamp = block.stamp().map(|stamp| Stamp::of(stamp.load(Relaxed)));
        stamp.map_or(0, |stamp| stamp.idle_seconds(self.time_of_use()))
    }

    /// The count of an entry's uses.
    pub(super) fn use_count(&self, block: &Block, counting: Counting) -> u8 {
        let stamp = block.stamp().map(|stamp| Stamp::of(stamp.load(Relaxed)));
        stamp.map_or(0, |stamp| stamp.faded_count(self.time_of_use(), counting))
    }

    /// Makes an entry one that was last used so many seconds ago, as far as can be told.
    pub(super) fn set_idle_seconds(&self, block: &Block, seconds: u64) {
        if let Some(stamp) = block.stamp() {
            let now = Stamp::new(self.time_of_use(), 0).seconds;
            let seconds = now.wrapping_sub(seconds as u32) & SECONDS;
            let count = Stamp::of(stamp.load(Relaxed)).count;
            stamp.store(Stamp { seconds, count }.bits(), Relaxed);
        }
    }

    /// Makes an entry one with so many uses, the last of them now.
    pub(super) fn set_use_count(&self, block: &Block, count: u8) {
        if let Some(stamp) = block.stamp() {
            stamp.store(Stamp::new(self.time_of_use(), count).bits(), Relaxed);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn idle_seconds_come_round() {
        let now = |seconds: u64| seconds * 1000 + 999;
        let stamp = Stamp::of(Stamp::new(now(u64::from(SECONDS) - 1), 7).bits());
        assert_eq!((stamp.idle_seconds(now(u64::from(SECONDS) + 4)), stamp.count), (5, 7));
    }

    #[test]
    fn a_count_fades_by_the_minute_and_never_below_zero() {
        let counting = |decay_minutes| Counting { log_factor: 10, decay_minutes };
        let stamp = Stamp::new(0, 5);
        assert_eq!(stamp.faded_count(59_000, counting(1)), 5);
        assert_eq!(stamp.faded_count(60_000, counting(1)), 4);
        assert_eq!(stamp.faded_count(180_000, counting(2)), 4);
        assert_eq!(stamp.faded_count(86_400_000, counting(1)), 0);
        assert_eq!(stamp.faded_count(86_400_000, counting(0)), 5);
    }

    /// Redis's documentation tells that with a factor of 10 a million uses make about 255, and
    /// 100,000 about 142; a thousand make 18.
    #[test]
    fn a_count_grows_by_the_logarithm_of_the_uses() {
        let uses = Uses::default();
        uses.count(Some(Counting { log_factor: 10, decay_minutes: 1 }));
        // One count is left to chance, the mean of many is not.
        let mean_after = |times: u32, stamps: u32| {
            let count = |_| {
                let stamp = AtomicU32::new(Stamp::new(0, FIRST_COUNT).bits());
                (0..times).for_each(|_| uses.renew(&stamp, 0));
                f64::from(Stamp::of(stamp.load(Relaxed)).count)
            };
            (0..stamps).map(count).sum::<f64>() / f64::from(stamps)
        };
        let (few, many) = (mean_after(1_000, 400), mean_after(100_000, 40));
        assert!((18.8..=20.0).contains(&few), "{few}");
        assert!((138.0..=154.0).contains(&many), "{many}");
    }
}
