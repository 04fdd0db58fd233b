//! `INFO`: how things stand, in the sections and fields that tools look for.
//!
//! A field that nothing is known about is left out rather than invented. Hits and misses are of
//! keys that clients look up to read them; what the program itself reads is not counted.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

use super::connection::VERSION;
use super::table;
use super::{Answer, Session, Shared};
use crate::persist::{Occasion, Report};
use crate::sync::Arc;

type Section = (&'static str, fn(&Shared, &mut String));

/// All sections in their order; the first of the rest are told unless asked otherwise.
const SECTIONS: &[Section] = &[
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Modules", |_, _| {}),
    ("Commandstats", command_stats),
    ("Errorstats", error_stats),
    ("Cluster", |_, text| text.push_str("cluster_enabled:0\r\n")),
    ("Keyspace", keyspace),
];

/// Left out unless it is asked for by name, or with everything.
const EXTRA: &str = "Commandstats";

pub(super) fn info(session: &mut Session, names: &[&[u8]]) -> Answer {
    let shared = Arc::clone(&session.shared);
    session.describe();
    let names: Vec<String> =
        names.iter().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect();
    let asked = |words: &[&str]| names.iter().any(|name| words.contains(&name.as_str()));
    let usual = names.is_empty() || asked(&["default"]);
    let everything = asked(&["all", "everything"]);
    let mut text = String::new();
    for (title, write) in SECTIONS {
        let is_named = names.iter().any(|name| title.eq_ignore_ascii_case(name));
        if everything || is_named || usual && *title != EXTRA {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            let _ = write!(text, "# {title}\r\n");
            write(&shared, &mut text);
        }
    }
    session.encoder().verbatim(*b"txt", text.as_bytes());
    Ok(())
}

/// Writes `name:value` lines.
macro_rules! fields {
    ($text:ident, $($name:literal: $value:expr),* $(,)?) => {
        $(let _ = write!($text, concat!($name, ":{}\r\n"), $value);)*
    };
}

fn server(shared: &Shared, text: &mut String) {
    let clock = &shared.databases().clock;
    let uptime = shared.started.elapsed().as_secs();
    fields!(
        text,
        "redis_version": VERSION,
        "larder_version": env!("CARGO_PKG_VERSION"),
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": 0,
        "redis_mode": "standalone",
        "os": std::env::consts::OS,
        "arch_bits": usize::BITS,
        "process_id": std::process::id(),
        "process_supervised": "no",
        "run_id": shared.run_id,
        "tcp_port": shared.port,
        "server_time_usec": clock.wall() * 1000,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime / 86_400,
        "hz": 10,
        "configured_hz": shared.config.value("hz"),
        "config_file": "",
    );
}

fn clients(shared: &Shared, text: &mut String) {
    let all = shared.clients.all();
    let longest = |length: fn(&super::registry::Details) -> usize| {
        all.iter().map(|client| client.read(length)).max().unwrap_or(0)
    };
    fields!(
        text,
        "connected_clients": all.len(),
        "cluster_connections": 0,
        "maxclients": shared.config.max_clients(),
        "client_recent_max_input_buffer": longest(|details| details.input.used),
        "client_recent_max_output_buffer": longest(|details| details.output.used),
        "blocked_clients": shared.clients.blocked(),
        "tracking_clients": 0,
        "clients_in_timeout_table": 0,
    );
}

fn memory(shared: &Shared, text: &mut String) {
    let stats = shared.store.stats();
    let resident = resident_bytes().unwrap_or(stats.bytes as u64);
    fields!(
        text,
        "used_memory": stats.bytes,
        "used_memory_human": human(stats.bytes as u64),
        "used_memory_rss": resident,
        "used_memory_rss_human": human(resident),
        "used_memory_dataset": stats.bytes,
        "maxmemory": shared.config.value("maxmemory"),
        "maxmemory_human": human(shared.config.value("maxmemory").parse().unwrap_or(0)),
        "maxmemory_policy": shared.config.value("maxmemory-policy"),
        "mem_allocator": "rust",
    );
}

/// Bytes for people, as Redis writes them.
fn human(bytes: u64) -> String {
    let units = [(1_u64 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    match units.iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.2}{unit}", bytes as f64 / *size as f64),
        None => format!("{bytes}B"),
    }
}

/// What the system says that the process takes, where it says so.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes * 1024)
}

fn persistence(shared: &Shared, text: &mut String) {
    match shared.store.log() {
        Some(log) => persistence_of(shared, &log.report(), text),
        None => no_persistence(shared, text),
    }
}

/// A snapshot is what Redis has two names for; which of them is told as being in progress depends
/// on what it was begun for.
fn persistence_of(shared: &Shared, report: &Report, text: &mut String) {
    let Report { sizes, under_way, past, .. } = report;
    let status = |is_good: bool| if is_good { "ok" } else { "err" };
    let current =
        |occasion| report.time_under_way(occasion).map_or(-1, |elapsed| elapsed.as_secs() as i64);
    let last = past.last_duration.map_or(-1, |last| last.as_secs() as i64);
    let log = shared.store.log();
    let is_durable = log.is_none_or(|log| log.is_durable(log.end()));
    fields!(
        text,
        "loading": 0,
        "async_loading": 0,
        "current_save_keys_processed": under_way.map_or(0, |under_way| under_way.done),
        "current_save_keys_total": under_way.map_or(0, |under_way| under_way.total),
        "rdb_changes_since_last_save": report.changes,
        "rdb_bgsave_in_progress": u8::from(report.is_under_way(Occasion::BackgroundSave)),
        "rdb_last_save_time": past.saved_at / 1000,
        "rdb_last_bgsave_status": status(past.failed == 0),
        "rdb_last_bgsave_time_sec": last,
        "rdb_current_bgsave_time_sec": current(Occasion::BackgroundSave),
        "rdb_saves": past.committed,
        "rdb_last_load_keys_loaded": shared.store.recovery().map_or(0, |found| found.snapshot_keys),
        "aof_enabled": 1,
        "aof_rewrite_in_progress": u8::from(report.is_under_way(Occasion::Rewrite)),
        "aof_rewrite_scheduled": u8::from(report.waiting.contains(&Occasion::Rewrite)),
        "aof_last_rewrite_time_sec": last,
        "aof_current_rewrite_time_sec": current(Occasion::Rewrite),
        "aof_last_bgrewrite_status": status(past.failed == 0),
        "aof_rewrites": past.committed,
        "aof_rewrites_consecutive_failures": past.failed,
        "aof_last_write_status": status(report.refusal.is_none()),
        "aof_current_size": sizes.base + sizes.log,
        "aof_base_size": sizes.base,
        "aof_pending_rewrite": 0,
        "aof_buffer_length": report.pending,
        "aof_pending_bio_fsync": u8::from(!is_durable),
    );
}

/// Nothing is kept: the store lives in memory.
fn no_persistence(shared: &Shared, text: &mut String) {
    fields!(
        text,
        "loading": 0,
        "async_loading": 0,
        "rdb_changes_since_last_save": 0,
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": shared.start_time(),
        "rdb_last_bgsave_status": "ok",
        "rdb_last_bgsave_time_sec": -1,
        "rdb_current_bgsave_time_sec": -1,
        "aof_enabled": 0,
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_rewrite_time_sec": -1,
        "aof_current_rewrite_time_sec": -1,
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": "ok",
    );
}

fn stats(shared: &Shared, text: &mut String) {
    let statistics = &shared.statistics;
    let databases = shared.databases();
    fields!(
        text,
        "total_connections_received": statistics.connections.load(Relaxed),
        "total_commands_processed": statistics.calls(),
        "total_net_input_bytes": statistics.received.load(Relaxed),
        "total_net_output_bytes": statistics.sent.load(Relaxed),
        "rejected_connections": statistics.refused_connections.load(Relaxed),
        "panicked_connections": statistics.panicked_connections.load(Relaxed),
        "expired_keys": databases.expired.load(Relaxed),
        "evicted_keys": 0,
        "evicted_clients": 0,
        "keyspace_hits": statistics.hits.load(Relaxed),
        "keyspace_misses": statistics.misses.load(Relaxed),
        "pubsub_channels": databases.hub.channels(None).len(),
        "pubsub_patterns": databases.hub.pattern_count(),
        "pubsubshard_channels": shared.shard_channels.channels(None).len(),
        "total_error_replies": statistics.error_replies.load(Relaxed),
    );
}

fn replication(shared: &Shared, text: &mut String) {
    fields!(
        text,
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": shared.run_id,
        "master_replid2": "0000000000000000000000000000000000000000",
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": shared.config.value("repl-backlog-size"),
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    );
}

/// What the system says that the process has used, where it says so.
fn cpu(_: &Shared, text: &mut String) {
    // Of `stat`'s fields, those behind the name in brackets; a tick is a hundredth of a second.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = stat.rsplit_once(") ").map_or("", |(_, behind)| behind);
    let ticks: Vec<f64> = behind.split(' ').filter_map(|field| field.parse().ok()).collect();
    let [user, system] = [10, 11].map(|place| ticks.get(place).copied().unwrap_or(0.0) / 100.0);
    fields!(
        text,
        "used_cpu_sys": format_args!("{system:.6}"),
        "used_cpu_user": format_args!("{user:.6}"),
    );
}

fn command_stats(shared: &Shared, text: &mut String) {
    for (place, entry) in table::all().iter().enumerate() {
        let Some(figures) = shared.statistics.figures(place) else { continue };
        let name = entry.name().to_ascii_lowercase();
        let _ = write!(
            text,
            "cmdstat_{name}:calls={},usec={},usec_per_call={:.2},rejected_calls={},\
             failed_calls={}\r\n",
            figures.calls,
            figures.micros as u64,
            figures.micros / figures.calls.max(1) as f64,
            figures.rejected,
            figures.failed,
        );
    }
}

fn error_stats(shared: &Shared, text: &mut String) {
    for (code, count) in shared.statistics.errors() {
        let _ = write!(text, "errorstat_{code}:count={count}\r\n");
    }
}

fn keyspace(shared: &Shared, text: &mut String) {
    let mut totals = vec![(0, 0); usize::from(shared.databases().count())];
    for (database, shard) in shared.databases().shards() {
        let shard = shard.read();
        let (keys, expires) = &mut totals[usize::from(database)];
        *keys += shard.len();
        *expires += shard.with_deadline();
    }
    for (number, (keys, expires)) in totals.iter().enumerate().filter(|(_, (keys, _))| *keys > 0) {
        let _ = write!(text, "db{number}:keys={keys},expires={expires},avg_ttl=0\r\n");
    }
}

impl Shared {
    /// The Unix time in seconds at which the face was made, which is when all that it has was
    /// last saved, in a way.
    pub(super) fn start_time(&self) -> u64 {
        let now = self.databases().clock.wall() / 1000;
        now.saturating_sub(self.started.elapsed().as_secs())
    }
}
