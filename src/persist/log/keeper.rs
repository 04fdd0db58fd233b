//! Who keeps a log while it is open: a thread that does what nobody waits for, and the handle
//! whose end closes the log.
//!
//! The thread writes and syncs where writers do not do it themselves, tries again what failed, and
//! begins a rewrite when the log has grown. It sleeps while there is nothing to do.
//!
//! Invariant: before the thread sleeps, it says so, and then looks once more for what was recorded.
//! So whoever has recorded something either was seen by it or sees that it must be woken. Other
//! news, which is rare, rings in any case.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::snapshots::Occasion;
use super::writer::Trouble;
use super::{CLOSED, Desk, Goal, Log, REENTERED};
use crate::error::{Error, Result};
use crate::persist::settings::Durability;
use crate::sync::{Arc, AtomicBool, Ordering, Weak};

/// The time between two writes by the thread: what is recorded meanwhile is one frame,
const REST: Duration = Duration::from_millis(5);
/// which is written earlier if it has more bytes than this, while it is still in a cache.
const MUCH: usize = 256 << 10;
/// The time between two looks at that.
const NAP: Duration = Duration::from_millis(1);
/// The time between two syncs of [`Durability::EverySecond`].
const SECOND: Duration = Duration::from_secs(1);
/// One begins earlier once there are as many bytes to sync, lest it take so long that what is
/// recorded meanwhile finds no room.
const STRIDE: u64 = 4 << 20;
/// Whoever has the turn writes all there is, so for this long the thread does not queue for it.
const LEISURE: Duration = Duration::from_millis(100);
/// The time until what failed is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Keeps a log open; dropped, it closes it.
pub(crate) struct Keeper {
    log: Arc<Log>,
}

impl Keeper {
    /// Starts the thread of a log.
    pub(super) fn new(log: Arc<Log>, alarms: Receiver<()>) -> Result<Self> {
        let weak = Arc::downgrade(&log);
        let thread = std::thread::Builder::new().name(String::from("larder-log"));
        thread.spawn(move || run(&weak, &alarms))?;
        Ok(Self { log })
    }

    /// Without a thread.
    #[cfg(test)]
    pub(super) fn unattended(log: Arc<Log>) -> Self {
        Self { log }
    }

    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.log
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Whoever wants to know calls `close` himself.
        let _ = self.log.close();
    }
}

/// Wakes the thread.
pub(super) struct Alarm {
    is_asleep: AtomicBool,
    bell: Sender<()>,
}

impl Alarm {
    pub(super) fn new() -> (Self, Receiver<()>) {
        let (bell, alarms) = bounded(1);
        (Self { is_asleep: AtomicBool::new(false), bell }, alarms)
    }

    /// Says that something was recorded.
    #[inline]
    pub(super) fn wake(&self) {
        if self.is_asleep.load(Ordering::Relaxed) && self.is_asleep.swap(false, Ordering::Relaxed) {
            self.ring();
        }
    }

    /// Says that there is news, even to a thread that is about to fall asleep.
    #[cold]
    pub(super) fn ring(&self) {
        // A full channel means that the thread is about to look anyway.
        let _ = self.bell.try_send(());
    }

    /// From here on, whoever has recorded something rings.
    fn fall_asleep(&self) {
        self.is_asleep.store(true, Ordering::Relaxed);
    }

    fn awake(&self) {
        self.is_asleep.store(false, Ordering::Relaxed);
    }
}

/// What the thread remembers.
struct Routine {
    /// When this thread last had the turns it wanted.
    last_turn: Instant,
    /// When the last sync began.
    last_sync: Instant,
    /// The time after the next failure, which doubles.
    patience: Duration,
    /// When to try again what failed.
    retry_at: Option<Instant>,
}

fn run(log: &Weak<Log>, alarms: &Receiver<()>) {
    let mut routine = Routine::new(Instant::now());
    loop {
        let Some(current) = log.upgrade() else { return };
        // A persistence that panics must not end the thread, which alone makes good for it.
        let tended = catch_unwind(AssertUnwindSafe(|| routine.tend(&current)));
        let Some(wake_up) = tended.unwrap_or_else(|_| Some(WakeUp::At(routine.put_off()))) else {
            return;
        };
        let deadline = match wake_up {
            WakeUp::Later => {
                drop(current);
                std::thread::sleep(REST);
                continue;
            }
            WakeUp::OnAlarm => None,
            WakeUp::At(instant) => Some(instant),
        };
        current.alarm.fall_asleep();
        if current.wants_writing() {
            current.alarm.awake();
            current.rest();
            continue;
        }
        drop(current);
        let woken = match deadline {
            Some(deadline) => alarms.recv_deadline(deadline),
            None => alarms.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if woken == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// When the thread is to look again.
enum WakeUp {
    /// Whatever comes, as somebody else has the turn.
    Later,
    OnAlarm,
    At(Instant),
}

impl Routine {
    fn new(now: Instant) -> Self {
        Self { last_turn: now, last_sync: now, patience: RETRY.0, retry_at: None }
    }

    /// Does what is to be done, unless somebody is just doing it; `None` once the log was closed.
    fn tend(&mut self, log: &Arc<Log>) -> Option<WakeUp> {
        if log.is_at_work() && Instant::now() < self.last_turn + LEISURE {
            return Some(WakeUp::Later);
        }
        let wake_up = self.work(log);
        self.last_turn = Instant::now();
        wake_up
    }

    fn work(&mut self, log: &Arc<Log>) -> Option<WakeUp> {
        let trouble = log.turn()?.writer().trouble.clone();
        if let Some(trouble) = trouble {
            return Some(WakeUp::At(self.mend(log, &trouble)));
        }
        (self.patience, self.retry_at) = (RETRY.0, None);
        if log.wants_writing() {
            // What goes wrong is trouble, which is met when this comes round again.
            let _ = log.turn()?.advance(Goal::Written);
        }
        if !log.wants_writing() {
            log.turn()?.shrink();
        }
        let next_sync = self.sync(log)?;
        log.rewrite_if_due()?;
        let next = next_sync.into_iter().chain(log.next_look()).min();
        Some(next.map_or(WakeUp::OnAlarm, WakeUp::At))
    }

    /// Syncs if it is time; answers when it will be.
    fn sync(&mut self, log: &Log) -> Option<Option<Instant>> {
        if log.durability() != Durability::EverySecond || log.is_synced() {
            return Some(None);
        }
        let (now, due) = (Instant::now(), self.last_sync + SECOND);
        if now < due && log.unsynced() < STRIDE {
            return Some(Some(due));
        }
        // What comes while it syncs waits for the next, a second from now and not from its end.
        self.last_sync = now;
        let _ = log.turn()?.advance(Goal::Durable);
        Some(None)
    }

    /// Tries again what failed, if it is time; answers when it will be.
    fn mend(&mut self, log: &Arc<Log>, trouble: &Trouble) -> Instant {
        let now = Instant::now();
        let due = *self.retry_at.get_or_insert(now + self.patience);
        if now < due {
            return due;
        }
        let outcome = match trouble {
            Trouble::Stuck(_) => log.retry(),
            Trouble::Lost(_) => log.rewrite(Occasion::Rewrite),
        };
        if outcome.is_ok() {
            return Instant::now();
        }
        self.put_off()
    }

    /// Settles when to try again after another failure.
    fn put_off(&mut self) -> Instant {
        self.patience = (self.patience * 2).min(RETRY.1);
        *self.retry_at.insert(Instant::now() + self.patience)
    }
}

impl Log {
    /// Whether somebody has the turn.
    fn is_at_work(&self) -> bool {
        self.desk.lock().holder.is_some()
    }

    /// Whether something waits to be written that no writer writes himself.
    fn wants_writing(&self) -> bool {
        let pending = self.pending.lock();
        !pending.is_empty() && pending.refusal.is_none()
    }

    /// Lets records gather.
    fn rest(&self) {
        let end = Instant::now() + REST;
        while Instant::now() < end && self.pending.lock().bytes() < MUCH {
            std::thread::sleep(NAP);
        }
    }

    /// Whether all that was written is durable.
    fn is_synced(&self) -> bool {
        self.unsynced() == 0
    }

    /// How many bytes were written and are not durable yet.
    fn unsynced(&self) -> u64 {
        let durable = self.durable.load(Ordering::Acquire);
        self.written.load(Ordering::Acquire).saturating_sub(durable)
    }

    /// Tries again what could not be written, unless it is lost by now.
    pub(super) fn retry(&self) -> Result<()> {
        match self.turn() {
            Some(mut turn) => Ok(turn.retry_if_stuck()?),
            None => Err(closed()),
        }
    }

    /// Makes durable what was recorded, and lets go of the persistence. What is recorded later is
    /// not kept. A snapshot that is under way is given up, unless it is overdue.
    ///
    /// # Errors
    ///
    /// [`Error::Indeterminate`] if it is not known whether all of it is durable.
    pub(crate) fn close(&self) -> Result<()> {
        if self.is_reentered() {
            return Err(Error::Indeterminate(REENTERED.to_owned()));
        }
        self.refuse(Some(CLOSED.to_owned()));
        self.rewrite_overdue();
        self.snapshots.end();
        // Who closes it again is told the same.
        let Some(mut turn) = self.turn() else { return self.sync() };
        let outcome = turn.finish();
        // Also if that failed.
        self.pending.lock().close();
        drop(turn.writer.take());
        let mut desk = self.desk.lock();
        (desk.is_closed, desk.holder) = (true, None);
        Desk::wake_all(desk);
        self.alarm.ring();
        outcome.map_err(|error| Error::Indeterminate(error.to_string()))
    }
}

pub(super) fn closed() -> Error {
    Error::ReadOnly(CLOSED.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::opening::begin;
    use super::*;
    use crate::Store;
    use crate::persist::Settings;
    use crate::persist::disk::Disk;

    /// A store on a disk, whose log has no thread.
    fn unattended() -> (Store, Disk) {
        let (disk, store) = (Disk::default(), Store::new());
        let settings = Settings { rewrite_above: u64::MAX, ..Settings::default() };
        let (log, _alarms, recovery) =
            begin(Box::new(disk.clone()), store.databases(), settings).unwrap();
        (store.kept_by(Keeper::unattended(log), recovery), disk)
    }

    #[test]
    fn much_is_synced_before_a_second_has_passed() {
        let (store, disk) = unattended();
        let log = store.log().unwrap();
        // However long the test takes, no second passes.
        let last_sync = Instant::now() + Duration::from_secs(3600);
        for number in 1..=10 {
            let mut routine = Routine { last_sync, ..Routine::new(Instant::now()) };
            let syncs = disk.syncs.load(Ordering::SeqCst);
            store.kv().set("a", vec![b'a'; 1 << 20]).unwrap();
            log.turn().unwrap().advance(Goal::Written).unwrap();
            let is_much = number % 4 == 0;
            let next = if is_much { None } else { Some(last_sync + SECOND) };
            assert_eq!(routine.sync(log), Some(next), "after {number} MiB");
            assert_eq!(disk.syncs.load(Ordering::SeqCst), syncs + u64::from(is_much));
            assert_eq!(routine.last_sync < last_sync, is_much, "a second begins with each sync");
        }
    }

    #[test]
    fn whoever_has_the_turn_is_left_alone_for_a_while() {
        let (store, _disk) = unattended();
        let log = store.log().unwrap();
        // However long the test takes, no while passes.
        let mut routine = Routine::new(Instant::now() + Duration::from_secs(3600));
        let turn = log.turn().unwrap();
        assert!(matches!(routine.tend(log), Some(WakeUp::Later)));
        routine.last_turn = Instant::now().checked_sub(LEISURE).unwrap();
        let start = Instant::now();
        assert!(routine.tend(log).is_none(), "it asks for the turn, which this thread has");
        assert!(routine.last_turn >= start, "another while begins");
        drop(turn);
        assert!(matches!(routine.tend(log), Some(WakeUp::OnAlarm)), "there is nothing to do");
    }

    #[test]
    fn a_second_begins_with_a_sync_and_not_with_its_end() {
        let (store, disk) = unattended();
        let log = store.log().unwrap();
        disk.is_slow.store(true, Ordering::SeqCst);
        let last_sync = Instant::now().checked_sub(SECOND).unwrap();
        let mut routine = Routine { last_sync, ..Routine::new(Instant::now()) };
        let mut write_and_sync = || {
            store.kv().set("a", 1).unwrap();
            log.turn().unwrap().advance(Goal::Written).unwrap();
            routine.sync(log)
        };
        assert_eq!(write_and_sync(), Some(None), "it syncs, which takes some milliseconds");
        let ended = Instant::now();
        let next = write_and_sync().flatten().expect("a second has not passed");
        assert!(next + Duration::from_millis(5) <= ended + SECOND);
    }
}
