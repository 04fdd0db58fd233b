//! `CONFIG`: reading and setting the configuration, and setting counters to zero.

use std::sync::atomic::Ordering::Relaxed;

use super::config::Refused;
use super::notify::Classes;
use super::{Answer, SYNTAX, Session, Shared};
use crate::wire::error::shown;

pub(super) fn get(session: &mut Session, patterns: &[&[u8]]) -> Answer {
    let found = session.shared.config.get(patterns);
    let mut encoder = session.encoder();
    encoder.map(found.len());
    for (name, value) in found {
        encoder.bulk(name.as_bytes());
        encoder.bulk(value.as_bytes());
    }
    Ok(())
}

pub(super) fn set(session: &mut Session, pairs: &[&[u8]]) -> Answer {
    if !pairs.len().is_multiple_of(2) {
        return Err(SYNTAX.into());
    }
    apply(&session.shared, pairs).map_err(|text| [b"ERR ", &text[..]].concat())?;
    session.ok()
}

/// Sets all of the pairs of names and values, or none, and has them act.
pub(super) fn apply(shared: &Shared, pairs: &[&[u8]]) -> Result<(), Vec<u8>> {
    let names = shared.config.set(pairs).map_err(|refused| match refused {
        Refused::Unknown(name) => {
            let words = b"Unknown option or number of arguments for CONFIG SET - '";
            [&words[..], shown(name), b"'"].concat()
        }
        Refused::Value(name, text) => {
            let words = b"CONFIG SET failed (possibly related to argument '";
            [&words[..], shown(name), b"') - ", text.as_bytes()].concat()
        }
    })?;
    if names.contains(&"notify-keyspace-events") {
        let classes = shared.config.value("notify-keyspace-events");
        super::notify::bridge(shared.databases(), Classes::parse(&classes));
    }
    if names.contains(&"appendfsync") {
        super::persistence::set_durability(shared);
    }
    if names.iter().any(|name| name.starts_with("auto-aof-rewrite-")) {
        super::persistence::set_growth(shared);
    }
    if names.contains(&"save") {
        super::persistence::set_save_points(shared);
    }
    let of_uses = ["maxmemory-policy", "lfu-log-factor", "lfu-decay-time"];
    if names.iter().any(|name| of_uses.contains(name)) {
        shared.databases().uses.count(shared.config.counting());
    }
    if names.contains(&"slowlog-max-len") {
        shared.statistics.trim_slowlog(shared.config.slowlog_length());
    }
    shared.statistics.time_all(shared.config.slowlog_micros(), shared.config.latency_millis());
    Ok(())
}

pub(super) fn reset_statistics(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.shared.statistics.reset();
    session.shared.databases().expired.store(0, Relaxed);
    session.ok()
}

/// There is no file to rewrite, ever.
pub(super) fn rewrite(_: &mut Session, _: &[&[u8]]) -> Answer {
    Err("ERR The server is running without a config file".into())
}

pub(super) fn help(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.lines(&[
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern> [<pattern> ...]: names that match, with their values",
        "SET <name> <value> [<name> <value> ...]: sets all of them, or none",
        "RESETSTAT: sets the counters of INFO to zero",
        "REWRITE: an error, as there is no file",
        "HELP: this text",
    ])
}
