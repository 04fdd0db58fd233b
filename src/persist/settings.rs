//! What a caller decides about persistence, and what he is told of it.

use std::fmt;
use std::time::Duration;

use super::reading::Damage;
use crate::sync::Arc;

/// When a write is acknowledged: what a crash can take of what a caller was told is done.
///
/// | | returns once the write is | a crash of the process takes | of the machine |
/// |---|---|---|---|
/// | [`Always`](Self::Always) | on the disk | nothing | nothing |
/// | [`Os`](Self::Os) | with the system | nothing | some seconds, up to half a minute |
/// | [`EverySecond`](Self::EverySecond) | in memory | the last milliseconds | the last second |
/// | [`Never`](Self::Never) | in memory | the last milliseconds | as `Os` |
///
/// Whatever is lost, what is left is a prefix: everything up to some instant, and nothing of what
/// came after. A batch or a transaction is in it as a whole or not at all. Other readers may see a
/// write before it is acknowledged.
///
/// [`Store::sync`](crate::Store::sync) makes durable all that was done before, with any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Once the write is on the disk. No crash takes it, if the disk does what it is told. Writers
    /// that wait at the same time share one sync; on a fast disk they [stay
    /// awake](crate::PersistentBuilder::stay_awake) meanwhile.
    #[doc(alias = "appendfsync always")]
    Always,
    /// Once the system has it. A crash of the process takes nothing; a crash of the machine takes
    /// what the system had not yet written by itself, usually up to half a minute.
    Os,
    /// At once; written within milliseconds and synced every second, or after 4 MiB. A crash of the
    /// process takes the last milliseconds; a crash of the machine the last second, and as long
    /// again as a sync takes that is under way.
    #[doc(alias = "appendfsync everysec")]
    #[default]
    EverySecond,
    /// At once; written within milliseconds, and never synced but by
    /// [`Store::sync`](crate::Store::sync), snapshots and closing. A crash of the process takes the
    /// last milliseconds, a crash of the machine as with [`Os`](Self::Os).
    #[doc(alias = "appendfsync no")]
    Never,
}

/// How far something that takes long has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What it is.
    pub stage: Stage,
    /// How much is done.
    pub done: u64,
    /// How much there is to do; nothing, if nothing was kept.
    pub total: u64,
}

/// What takes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Reading back what was kept, counted in bytes.
    Loading,
    /// Writing a snapshot, counted in keys.
    Snapshot,
}

/// Hears of progress.
pub(crate) type Observer = Arc<dyn Fn(Progress) + Send + Sync>;

/// The settings of a log.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) durability: Durability,
    /// A log that is longer than this, and than the snapshot before it, is replaced by a snapshot.
    pub(crate) rewrite_above: u64,
    /// Whether threads that wait for a short sync together stay awake.
    pub(crate) stays_awake: bool,
    pub(crate) observer: Option<Observer>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            rewrite_above: 64 << 20,
            stays_awake: true,
            observer: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("durability", &self.durability)
            .field("rewrite_above", &self.rewrite_above)
            .field("stays_awake", &self.stays_awake)
            .finish_non_exhaustive()
    }
}

impl Settings {
    pub(crate) fn tell(&self, stage: Stage, done: u64, total: u64) {
        if let Some(observer) = &self.observer {
            observer(Progress { stage, done, total });
        }
    }
}

/// What the opening of a store found, and what it did about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Keys that the snapshot held.
    pub snapshot_keys: u64,
    /// Commands of the log that were run.
    pub commands: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// The end of the log, if the file shows that a crash has torn it: it was cut off, and set
    /// aside if there is a place for it. Nothing that is left says that it was durable.
    ///
    /// `None` does not say that nothing is missing: an end that is gone altogether leaves no trace.
    /// See [what no opening can see](super#what-no-opening-can-see).
    pub torn: Option<TornEnd>,
    /// How long it took.
    pub duration: Duration,
}

/// What a crash has left of a write, at the end of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TornEnd {
    /// The name of the file.
    pub file: String,
    /// How much of it is good.
    pub valid_length: u64,
    /// How much was cut off.
    pub lost: u64,
    /// How it was seen.
    pub reason: String,
}

impl From<Damage> for TornEnd {
    fn from(damage: Damage) -> Self {
        let Damage { file, valid_length, lost, reason, .. } = damage;
        Self { file, valid_length, lost, reason }
    }
}
