//! What clients ask of a store that keeps its data: `SAVE`, `BGSAVE`, `BGREWRITEAOF`, `LASTSAVE`,
//! `WAITAOF`, and the part of the configuration that follows from how the store was opened.
//!
//! Redis keeps data in two ways, each with files of its own: snapshots, and a log. Here a snapshot
//! is an RDB file that takes the place of the log before it, so `SAVE`, `BGSAVE` and `BGREWRITEAOF`
//! do the same. They differ in who waits, and in what they say of each other, which is what Redis
//! says.
//!
//! A store without a persistence keeps nothing. Commands that would have to lie about that are
//! errors; those that only ask get a true answer.
//!
//! # Threading
//!
//! Snapshots are made in threads of their own, so no client but the one that waits for his is held
//! up.

use std::time::Duration;

use super::blocked::{Aside, AwaitDurable};
use super::clients::read_timeout;
use super::config::Config;
use super::{Answer, Failure, SYNTAX, Session, Shared};
use crate::error::Error;
use crate::number;
use crate::persist::{Durability, Growth, Log, Occasion, SavePoint};
use crate::store::Store;
use crate::sync::Arc;
use crate::wire::error;

pub(super) const NOT_KEPT: &str = "ERR the store has no persistence: nothing is kept";
const UNKEPT_WAIT: &str =
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
const SAVING: &str = "ERR Background save already in progress";
const REWRITING: &str = "ERR Background append only file rewriting already in progress";
const BUSY: &str = "ERR Another child process is active (AOF?): can't BGSAVE right now. Use \
                    BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.";

impl Shared {
    fn log(&self) -> Result<&Arc<Log>, Failure> {
        self.store.log().ok_or_else(|| NOT_KEPT.into())
    }

    /// Redis's words for why nothing may be written, if that is so.
    pub(super) fn refusal(&self) -> Option<error::Text> {
        let reason = self.store.log()?.refusal()?;
        Some(error::redis_text(&Error::ReadOnly(reason), ""))
    }
}

/// `SAVE`: answers once the snapshot is committed.
pub(super) fn save(session: &mut Session, _: &[&[u8]]) -> Answer {
    let log = session.shared.log()?;
    if log.report().is_under_way(Occasion::BackgroundSave) {
        return Err(SAVING.into());
    }
    let saved = Aside::new(|ended| log.rewrite_next(Occasion::Save, ended));
    session.wait_for(Box::new(saved));
    Ok(())
}

/// `BGSAVE [SCHEDULE]`.
pub(super) fn background_save(session: &mut Session, options: &[&[u8]]) -> Answer {
    let may_wait = match *options {
        [] => session.is_executing,
        [word] if word.eq_ignore_ascii_case(b"SCHEDULE") => true,
        _ => return Err(SYNTAX.into()),
    };
    let log = session.shared.log()?;
    let text = match log.report().under_way.map(|under_way| under_way.occasion) {
        Some(Occasion::BackgroundSave) => return Err(SAVING.into()),
        None if session.begins(Occasion::BackgroundSave) => "Background saving started",
        _ if may_wait => {
            schedule(log, Occasion::BackgroundSave);
            "Background saving scheduled"
        }
        _ => return Err(BUSY.into()),
    };
    session.encoder().simple(text.as_bytes());
    Ok(())
}

pub(super) fn rewrite_log(session: &mut Session, _: &[&[u8]]) -> Answer {
    let log = session.shared.log()?;
    let text = match log.report().under_way.map(|under_way| under_way.occasion) {
        Some(Occasion::Rewrite) => return Err(REWRITING.into()),
        None if session.begins(Occasion::Rewrite) => {
            "Background append only file rewriting started"
        }
        _ => {
            schedule(log, Occasion::Rewrite);
            "Background append only file rewriting scheduled"
        }
    };
    session.encoder().simple(text.as_bytes());
    Ok(())
}

/// Has a snapshot follow those under way, unless one does.
fn schedule(log: &Arc<Log>, occasion: Occasion) {
    if !log.report().waiting.contains(&occasion) {
        log.rewrite_next(occasion, Box::new(|_| ()));
    }
}

/// The Unix time in seconds of the last snapshot that was committed or, before there is one, of
/// the opening: what is in memory was on the disk then.
pub(super) fn last_save(session: &mut Session, _: &[&[u8]]) -> Answer {
    let shared = &session.shared;
    let saved_at = shared.store.log().map(|log| log.report().past.saved_at / 1000);
    let time = saved_at.unwrap_or_else(|| shared.start_time());
    session.integer(time as i64)
}

/// `WAITAOF local replicas timeout`: answers how many logs of this store, at most one, hold what
/// was done before, durably, and how many of replicas, which is none. The wait ends with the time.
pub(super) fn wait_durable(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    const RANGE: &str = "ERR value is out of range, must be positive";
    let number = |text| number::parse_integer(text).ok_or(super::NOT_AN_INTEGER);
    let (local, replicas) = (number(arguments[0])?, number(arguments[1])?);
    if !(0..=1).contains(&local) {
        return Err("ERR value is out of range, value must between 0 and 1".into());
    }
    if replicas < 0 {
        return Err(RANGE.into());
    }
    let millis = read_timeout(arguments[2])?;
    if local == 1 && session.shared.store.log().is_none() {
        return Err(UNKEPT_WAIT.into());
    }
    // A transaction waits for nothing.
    let wants_local = local == 1 && !session.is_executing;
    let wait = AwaitDurable::new(&session.shared, wants_local, replicas > 0, millis);
    match session.is_executing {
        true => wait.answer(&mut session.encoder()),
        false => session.wait_for(Box::new(wait)),
    }
    Ok(())
}

impl Session {
    /// Begins a snapshot of which nobody waits for the end; not within a transaction.
    fn begins(&self, occasion: Occasion) -> bool {
        let begin = |log: &Arc<Log>| log.rewrite_aside(occasion, Box::new(|_| ())).is_ok();
        !self.is_executing && self.shared.store.log().is_some_and(begin)
    }
}

/// Makes everything durable before a server ends, by a snapshot if one is wanted. The store stays
/// open: it is the process's, which may go on using it, and closes it.
pub(super) fn prepare_shutdown(shared: &Shared, wants_snapshot: bool) -> Result<(), Failure> {
    if !wants_snapshot && shared.store.log().is_none() {
        return Ok(());
    }
    let log = shared.log()?;
    if wants_snapshot {
        log.rewrite(Occasion::Save)?;
    }
    Ok(log.sync()?)
}

/// Tells a configuration what a store has decided.
pub(super) fn describe(store: &Store, config: &mut Config) {
    let Some(log) = store.log() else { return config.pin("appendonly", "no") };
    config.pin("appendonly", "yes");
    config.preset("appendfsync", name_of(log.durability()));
    let points = log.save_points().into_iter();
    let points = points.map(|point| format!("{} {}", point.after.as_secs(), point.changes));
    config.preset("save", &points.collect::<Vec<_>>().join(" "));
    // There is no such file.
    config.pin("dbfilename", "");
    let Growth { above, percent } = log.growth();
    config.preset("auto-aof-rewrite-percentage", &percent.to_string());
    if percent > 0 {
        config.preset("auto-aof-rewrite-min-size", &above.to_string());
    }
    if let Some(location) = log.location() {
        config.pin("dir", &location.path.to_string_lossy());
        config.pin("appenddirname", &location.folder);
        config.pin("appendfilename", &location.file_name);
    }
}

fn name_of(durability: Durability) -> &'static str {
    match durability {
        Durability::Always => "always",
        Durability::EverySecond => "everysec",
        Durability::Os | Durability::Never => "no",
    }
}

/// Has the log grow as far as `auto-aof-rewrite-percentage` and `auto-aof-rewrite-min-size` say.
/// Both are of the log alone, without the snapshot before it.
pub(super) fn set_growth(shared: &Shared) {
    let number = |name| shared.config.value(name).parse().unwrap_or_default();
    if let Some(log) = shared.store.log() {
        let above = number("auto-aof-rewrite-min-size");
        log.set_growth(Growth { above, percent: number("auto-aof-rewrite-percentage") });
    }
}

/// Has snapshots be made as `save` says.
pub(super) fn set_save_points(shared: &Shared) {
    let value = shared.config.value("save");
    let numbers = value.split_ascii_whitespace().map(|word| word.parse().unwrap_or_default());
    let numbers: Vec<u64> = numbers.collect();
    let point = |pair: &[u64]| SavePoint { after: Duration::from_secs(pair[0]), changes: pair[1] };
    if let Some(log) = shared.store.log() {
        log.set_save_points(numbers.chunks_exact(2).map(point).collect());
    }
}

/// Has the store acknowledge writes as `appendfsync` says.
pub(super) fn set_durability(shared: &Shared) {
    let Some(log) = shared.store.log() else { return };
    let wanted = shared.config.value("appendfsync");
    let current = log.durability();
    if name_of(current) == wanted {
        return;
    }
    log.set_durability(match wanted.as_str() {
        "always" => Durability::Always,
        "everysec" => Durability::EverySecond,
        _ => log.unsynced_durability(),
    });
}
