//! Opening a log: what was kept is read back, and a new segment begun.

use std::time::Instant;

use crossbeam_channel::Receiver;

use super::Log;
use super::keeper::{Alarm, Keeper};
use super::rewrite::counted;
use super::writer::{Sizes, Writer};
use crate::error::Result;
use crate::keyspace::Databases;
use crate::persist::load::{Contents, load};
use crate::persist::settings::{Recovery, Settings, Stage};
use crate::persist::{Kept, Persistence, Tail};
use crate::sync::Arc;

/// Reads what is kept into databases that nobody uses yet, and from then on keeps what is done to
/// them, for as long as there is the keeper.
///
/// # Errors
///
/// Those of the persistence and [`Error::Corrupt`](crate::Error::Corrupt). Nothing of what is kept
/// was changed then, but that a torn end may have been cut off.
pub(crate) fn open(
    persistence: Box<dyn Persistence>,
    databases: &Arc<Databases>,
    settings: Settings,
) -> Result<(Keeper, Recovery)> {
    let (log, alarms, recovery) = begin(persistence, databases, settings)?;
    Ok((Keeper::new(log, alarms)?, recovery))
}

/// A log that nobody keeps yet, and where the alarms for its keeper arrive.
pub(super) fn begin(
    persistence: Box<dyn Persistence>,
    databases: &Arc<Databases>,
    settings: Settings,
) -> Result<(Arc<Log>, Receiver<()>, Recovery)> {
    let started = Instant::now();
    let persistence: Arc<dyn Persistence> = Arc::from(persistence);
    let kept = persistence.open()?;
    let sizes = sizes_of(&kept);
    let contents = read(kept, databases, &settings)?;
    if let Some(torn) = &contents.torn {
        persistence.truncate(torn.valid_length, Tail::Keep)?;
    }
    let number = persistence.rotate()?;
    let chain = contents.chain.unwrap_or_default();
    let writer = Writer::new(persistence, number, chain, sizes, settings.rewrite_above);
    let (alarm, alarms) = Alarm::new();
    let log = Arc::new(Log::new(settings, writer, alarm));
    log.rewriting.of(databases);
    databases.set_journal(log.clone());
    let recovery = Recovery {
        snapshot_keys: contents.loading.keys,
        commands: contents.commands,
        bytes: contents.bytes,
        torn: contents.torn.map(Into::into),
        duration: started.elapsed(),
    };
    Ok((log, alarms, recovery))
}

fn read(kept: Kept, databases: &Databases, settings: &Settings) -> Result<Contents> {
    let total = total_of(&kept);
    let mut tell = |done| settings.tell(Stage::Loading, done, total);
    databases.load(|databases| load(kept, databases, &mut tell))
}

fn sizes_of(kept: &Kept) -> Sizes {
    Sizes {
        base: kept.snapshot.as_ref().map_or(0, |snapshot| snapshot.length),
        log: kept.segments.iter().map(|segment| counted(segment.source.length)).sum(),
    }
}

fn total_of(kept: &Kept) -> u64 {
    let segments = kept.segments.iter().map(|segment| segment.source.length);
    segments.chain(kept.snapshot.as_ref().map(|snapshot| snapshot.length)).sum()
}
