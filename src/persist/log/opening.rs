//! Opening a log: what was kept is read back, and a new segment begun.

use std::time::Instant;

use crossbeam_channel::Receiver;

use super::Log;
use super::keeper::{Alarm, Keeper};
use super::rewrite::surcharge;
use super::writer::{Segments, Writer};
use crate::error::{Error, Result};
use crate::keyspace::Databases;
use crate::persist::frame::Chain;
use crate::persist::load::{Contents, load};
use crate::persist::settings::{Recovery, Settings, Stage, TornEnd};
use crate::persist::{Kept, Location, Persistence, Tail};
use crate::sync::Arc;

/// Reads what is kept into databases that nobody uses yet, and from then on keeps what is done to
/// them, for as long as there is the keeper.
///
/// # Errors
///
/// Those of the persistence and [`Error::Corrupt`]. Nothing of what is kept
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
    let base = kept.snapshot.as_ref().map_or(0, |snapshot| snapshot.length);
    let behind =
        Segments { length: lengths(&kept).sum(), surcharge: lengths(&kept).map(surcharge).sum() };
    let has_segments = !kept.segments.is_empty();
    let location = persistence.location();
    let placed = |error| in_place(error, location.as_ref());
    let contents = read(kept, databases, &settings).map_err(placed)?;
    if let Some(torn) = &contents.torn {
        if !has_segments {
            // A snapshot is whole or damaged: nothing cuts it here.
            let TornEnd { file, valid_length: offset, reason, .. } = torn;
            let what = format!("{file}: {reason}");
            return Err(placed(Error::Corrupt { what, offset: *offset }));
        }
        persistence.truncate(torn.valid_length, Tail::Keep)?;
    }
    let number = persistence.rotate()?;
    let chain = contents.chain.unwrap_or_else(Chain::new);
    let writer = Writer::new(persistence, number, chain, base, behind);
    let (alarm, alarms) = Alarm::new();
    let log = Arc::new(Log::new(settings, location, writer, alarm, databases));
    databases.set_journal(log.clone());
    let recovery = Recovery {
        snapshot_keys: contents.loading.keys,
        commands: contents.commands,
        bytes: contents.bytes,
        torn: contents.torn,
        duration: started.elapsed(),
    };
    Ok((log, alarms, recovery))
}

fn read(kept: Kept, databases: &Databases, settings: &Settings) -> Result<Contents> {
    let total = kept.length();
    load(kept, databases, &mut |done| settings.tell(Stage::Loading, done, total))
}

/// Says of what is wrong with a file in which folder that is.
fn in_place(error: Error, location: Option<&Location>) -> Error {
    match (error, location) {
        (Error::Corrupt { what, offset }, Some(Location { path, folder, .. })) => {
            let folder = path.join(folder);
            Error::Corrupt { what: format!("{}/{what}", folder.display()), offset }
        }
        (error, _) => error,
    }
}

fn lengths(kept: &Kept) -> impl Iterator<Item = u64> {
    kept.segments.iter().map(|segment| segment.source.length)
}
