//! The configuration of a face: every name that Redis 7.0 knows, with its value.
//!
//! A name is remembered whether or not it means anything here, as clients and tools set and read
//! all of them. Those that mean something are kept a second time, ready for use. What depends on
//! how the store was built, or on Redis's own files, cannot be set.
//!
//! # Threading
//!
//! One lock for the values; what a request needs is in atomics.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use subtle::ConstantTimeEq;

use crate::data::glob::Glob;
use crate::keyspace::uses::Counting;
use crate::number;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize};

/// What a name may be set to.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Nothing.
    Fixed,
    Bool,
    Number(i64, i64),
    /// A number of bytes, with or without a unit.
    Memory,
    Choice(&'static [&'static str]),
    Text,
    /// `class hard soft seconds ...`.
    OutputLimits,
    /// The classes of `notify-keyspace-events`.
    Events,
    /// `seconds changes ...`.
    Save,
}

use Kind::{Bool, Choice, Events, Fixed, Memory, Number, OutputLimits, Save, Text};

const OUTPUT_LIMITS: &str = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
const IMMUTABLE: &str = "can't set immutable config";
const INT: i64 = i32::MAX as i64;
const UINT: i64 = u32::MAX as i64;
const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

/// Names, values to begin with, and what they may be set to.
#[rustfmt::skip]
const NAMES: &[(&str, &str, Kind)] = &[
    ("acl-pubsub-default", "resetchannels", Choice(&["allchannels", "resetchannels"])),
    ("aclfile", "", Fixed),
    ("acllog-max-len", "128", Number(0, i64::MAX)),
    ("active-defrag-cycle-max", "25", Number(1, 99)),
    ("active-defrag-cycle-min", "1", Number(1, 99)),
    ("active-defrag-ignore-bytes", "104857600", Memory),
    ("active-defrag-max-scan-fields", "1000", Number(1, i64::MAX)),
    ("active-defrag-threshold-lower", "10", Number(0, 1000)),
    ("active-defrag-threshold-upper", "100", Number(0, 1000)),
    ("active-expire-effort", "1", Number(1, 10)),
    ("activedefrag", "no", Bool),
    ("activerehashing", "yes", Bool),
    ("always-show-logo", "no", Fixed),
    ("aof-disable-auto-gc", "no", Bool),
    ("aof-load-truncated", "yes", Bool),
    ("aof-rewrite-incremental-fsync", "yes", Bool),
    ("aof-timestamp-enabled", "no", Bool),
    ("aof-use-rdb-preamble", "yes", Bool),
    ("aof_rewrite_cpulist", "", Fixed),
    ("appenddirname", "appendonlydir", Fixed),
    ("appendfilename", "appendonly.aof", Fixed),
    ("appendfsync", "everysec", Choice(&["everysec", "always", "no"])),
    ("appendonly", "no", Bool),
    ("auto-aof-rewrite-min-size", "67108864", Memory),
    ("auto-aof-rewrite-percentage", "100", Number(0, INT)),
    ("bgsave_cpulist", "", Fixed),
    ("bind", "", Fixed),
    ("bind-source-addr", "", Text),
    ("bio_cpulist", "", Fixed),
    ("busy-reply-threshold", "5000", Number(0, i64::MAX)),
    ("client-output-buffer-limit", OUTPUT_LIMITS, OutputLimits),
    ("client-query-buffer-limit", "1073741824", Memory),
    ("cluster-allow-pubsubshard-when-down", "yes", Bool),
    ("cluster-allow-reads-when-down", "no", Bool),
    ("cluster-allow-replica-migration", "yes", Bool),
    ("cluster-announce-bus-port", "0", Number(0, 65535)),
    ("cluster-announce-hostname", "", Text),
    ("cluster-announce-ip", "", Text),
    ("cluster-announce-port", "0", Number(0, 65535)),
    ("cluster-announce-tls-port", "0", Number(0, 65535)),
    ("cluster-config-file", "nodes.conf", Fixed),
    ("cluster-enabled", "no", Fixed),
    ("cluster-link-sendbuf-limit", "0", Memory),
    ("cluster-migration-barrier", "1", Number(0, INT)),
    ("cluster-node-timeout", "15000", Number(0, i64::MAX)),
    ("cluster-port", "0", Fixed),
    ("cluster-preferred-endpoint-type", "ip", Choice(&["ip", "hostname", "unknown-endpoint"])),
    ("cluster-replica-no-failover", "no", Bool),
    ("cluster-replica-validity-factor", "10", Number(0, INT)),
    ("cluster-require-full-coverage", "yes", Bool),
    ("cluster-slave-no-failover", "no", Bool),
    ("cluster-slave-validity-factor", "10", Number(0, INT)),
    ("crash-log-enabled", "yes", Bool),
    ("crash-memcheck-enabled", "yes", Bool),
    ("daemonize", "no", Fixed),
    ("databases", "16", Fixed),
    ("dbfilename", "dump.rdb", Fixed),
    ("dir", "", Fixed),
    ("disable-thp", "yes", Fixed),
    ("dynamic-hz", "yes", Bool),
    ("enable-debug-command", "no", Fixed),
    ("enable-module-command", "no", Fixed),
    ("enable-protected-configs", "no", Fixed),
    ("hash-max-listpack-entries", "512", Number(0, i64::MAX)),
    ("hash-max-listpack-value", "64", Memory),
    ("hash-max-ziplist-entries", "512", Number(0, i64::MAX)),
    ("hash-max-ziplist-value", "64", Memory),
    ("hll-sparse-max-bytes", "3000", Memory),
    ("hz", "10", Number(0, INT)),
    ("ignore-warnings", "", Text),
    ("io-threads", "1", Fixed),
    ("io-threads-do-reads", "no", Fixed),
    ("jemalloc-bg-thread", "yes", Bool),
    ("latency-monitor-threshold", "0", Number(0, i64::MAX)),
    ("latency-tracking", "yes", Bool),
    ("latency-tracking-info-percentiles", "50 99 99.9", Text),
    ("lazyfree-lazy-eviction", "no", Bool),
    ("lazyfree-lazy-expire", "no", Bool),
    ("lazyfree-lazy-server-del", "no", Bool),
    ("lazyfree-lazy-user-del", "no", Bool),
    ("lazyfree-lazy-user-flush", "no", Bool),
    ("lfu-decay-time", "1", Number(0, INT)),
    ("lfu-log-factor", "10", Number(0, INT)),
    ("list-compress-depth", "0", Number(0, INT)),
    ("list-max-listpack-size", "-2", Number(-INT - 1, INT)),
    ("list-max-ziplist-size", "-2", Number(-INT - 1, INT)),
    ("logfile", "", Fixed),
    ("loglevel", "notice", Choice(&["debug", "verbose", "notice", "warning"])),
    ("lua-time-limit", "5000", Number(0, i64::MAX)),
    ("masterauth", "", Text),
    ("masteruser", "", Text),
    ("maxclients", "10000", Number(1, UINT)),
    ("maxmemory", "0", Memory),
    ("maxmemory-clients", "0", Memory),
    ("maxmemory-eviction-tenacity", "10", Number(0, 100)),
    ("maxmemory-policy", "noeviction", Choice(POLICIES)),
    ("maxmemory-samples", "5", Number(1, INT)),
    ("min-replicas-max-lag", "10", Number(0, INT)),
    ("min-replicas-to-write", "0", Number(0, INT)),
    ("min-slaves-max-lag", "10", Number(0, INT)),
    ("min-slaves-to-write", "0", Number(0, INT)),
    ("no-appendfsync-on-rewrite", "no", Bool),
    ("notify-keyspace-events", "", Events),
    ("oom-score-adj", "no", Choice(&["no", "yes", "relative", "absolute"])),
    ("oom-score-adj-values", "0 200 800", Text),
    ("pidfile", "", Fixed),
    ("port", "0", Fixed),
    ("proc-title-template", "{title} {listen-addr} {server-mode}", Text),
    ("propagation-error-behavior", "ignore", Choice(&["ignore", "panic", "panic-on-replicas"])),
    ("protected-mode", "yes", Bool),
    ("proto-max-bulk-len", "536870912", Memory),
    ("rdb-del-sync-files", "no", Bool),
    ("rdb-save-incremental-fsync", "yes", Bool),
    ("rdbchecksum", "yes", Fixed),
    ("rdbcompression", "yes", Bool),
    ("repl-backlog-size", "1048576", Memory),
    ("repl-backlog-ttl", "3600", Number(0, i64::MAX)),
    ("repl-disable-tcp-nodelay", "no", Bool),
    ("repl-diskless-load", "disabled", Choice(&["disabled", "on-empty-db", "swapdb"])),
    ("repl-diskless-sync", "yes", Bool),
    ("repl-diskless-sync-delay", "5", Number(0, INT)),
    ("repl-diskless-sync-max-replicas", "0", Number(0, INT)),
    ("repl-ping-replica-period", "10", Number(1, INT)),
    ("repl-ping-slave-period", "10", Number(1, INT)),
    ("repl-timeout", "60", Number(1, INT)),
    ("replica-announce-ip", "", Text),
    ("replica-announce-port", "0", Number(0, 65535)),
    ("replica-announced", "yes", Bool),
    ("replica-ignore-disk-write-errors", "no", Bool),
    ("replica-ignore-maxmemory", "yes", Bool),
    ("replica-lazy-flush", "no", Bool),
    ("replica-priority", "100", Number(0, INT)),
    ("replica-read-only", "yes", Bool),
    ("replica-serve-stale-data", "yes", Bool),
    ("replicaof", "", Fixed),
    ("requirepass", "", Text),
    ("sanitize-dump-payload", "no", Choice(&["no", "yes", "clients"])),
    ("save", "", Save),
    ("server_cpulist", "", Fixed),
    ("set-max-intset-entries", "512", Number(0, i64::MAX)),
    ("set-proc-title", "yes", Fixed),
    ("shutdown-on-sigint", "default", Choice(&["default", "save", "nosave", "now", "force"])),
    ("shutdown-on-sigterm", "default", Choice(&["default", "save", "nosave", "now", "force"])),
    ("shutdown-timeout", "10", Number(0, INT)),
    ("slave-announce-ip", "", Text),
    ("slave-announce-port", "0", Number(0, 65535)),
    ("slave-ignore-maxmemory", "yes", Bool),
    ("slave-lazy-flush", "no", Bool),
    ("slave-priority", "100", Number(0, INT)),
    ("slave-read-only", "yes", Bool),
    ("slave-serve-stale-data", "yes", Bool),
    ("slaveof", "", Fixed),
    ("slowlog-log-slower-than", "10000", Number(-1, i64::MAX)),
    ("slowlog-max-len", "128", Number(0, i64::MAX)),
    ("socket-mark-id", "0", Fixed),
    ("stop-writes-on-bgsave-error", "yes", Bool),
    ("stream-node-max-bytes", "4096", Memory),
    ("stream-node-max-entries", "100", Number(0, i64::MAX)),
    ("supervised", "no", Fixed),
    ("syslog-enabled", "no", Fixed),
    ("syslog-facility", "local0", Fixed),
    ("syslog-ident", "redis", Fixed),
    ("tcp-backlog", "511", Fixed),
    ("tcp-keepalive", "300", Number(0, INT)),
    ("timeout", "0", Number(0, INT)),
    ("tls-auth-clients", "yes", Choice(&["no", "yes", "optional"])),
    ("tls-ca-cert-dir", "", Text),
    ("tls-ca-cert-file", "", Text),
    ("tls-cert-file", "", Text),
    ("tls-ciphers", "", Text),
    ("tls-ciphersuites", "", Text),
    ("tls-client-cert-file", "", Text),
    ("tls-client-key-file", "", Text),
    ("tls-client-key-file-pass", "", Text),
    ("tls-cluster", "no", Bool),
    ("tls-dh-params-file", "", Text),
    ("tls-key-file", "", Text),
    ("tls-key-file-pass", "", Text),
    ("tls-port", "0", Fixed),
    ("tls-prefer-server-ciphers", "no", Bool),
    ("tls-protocols", "", Text),
    ("tls-replication", "no", Bool),
    ("tls-session-cache-size", "20480", Number(0, INT)),
    ("tls-session-cache-timeout", "300", Number(0, INT)),
    ("tls-session-caching", "yes", Bool),
    ("tracking-table-max-keys", "1000000", Number(0, i64::MAX)),
    ("unixsocket", "", Fixed),
    ("unixsocketperm", "0", Fixed),
    ("zset-max-listpack-entries", "128", Number(0, i64::MAX)),
    ("zset-max-listpack-value", "64", Memory),
    ("zset-max-ziplist-entries", "128", Number(0, i64::MAX)),
    ("zset-max-ziplist-value", "64", Memory),
];

/// The two spellings of a name: what stands for the same value is stored under one of them.
fn canonical(name: &str) -> Option<&'static str> {
    let name = match name {
        "lua-time-limit" => String::from("busy-reply-threshold"),
        "slaveof" => String::from("replicaof"),
        other => other.replace("slave", "replica").replace("ziplist", "listpack"),
    };
    known(&name).map(|(name, ..)| *name)
}

fn known(name: &str) -> Option<&'static (&'static str, &'static str, Kind)> {
    NAMES.iter().find(|(known, ..)| *known == name)
}

/// What limits a client's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Normal,
    Subscriber,
}

/// A limit of the output of a class of clients; zero is none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OutputLimit {
    hard: u64,
    soft: u64,
    seconds: u64,
}

impl OutputLimit {
    pub(super) fn is_over_hard(&self, length: usize) -> bool {
        self.hard > 0 && length as u64 > self.hard
    }

    pub(super) fn is_over_soft(&self, length: usize) -> bool {
        self.soft > 0 && length as u64 > self.soft
    }

    pub(super) fn is_soft_time_over(&self, since: Duration) -> bool {
        since.as_secs() > self.seconds
    }
}

/// The configuration of one face.
pub(super) struct Config {
    values: Mutex<BTreeMap<&'static str, String>>,
    password: Mutex<String>,
    wants_password: AtomicBool,
    max_clients: AtomicUsize,
    idle_seconds: AtomicU64,
    silent_seconds: AtomicU64,
    bulk_limit: AtomicUsize,
    input_limit: AtomicUsize,
    slowlog_micros: AtomicI64,
    slowlog_length: AtomicUsize,
    latency_millis: AtomicU64,
    output_limits: [Limit; 2],
    /// Names whose values how the store was built has decided.
    pinned: Vec<&'static str>,
}

/// An [`OutputLimit`] that may change.
#[derive(Default)]
struct Limit {
    hard: AtomicU64,
    soft: AtomicU64,
    seconds: AtomicU64,
}

/// Why values could not be set; nothing has been then.
pub(super) enum Refused<'a> {
    Unknown(&'a [u8]),
    /// A name, and what is wrong with its value.
    Value(&'a [u8], String),
}

impl Config {
    pub(super) fn new(databases: u16, port: u16) -> Self {
        let defaults = NAMES.iter().filter(|(name, ..)| canonical(name) == Some(name));
        let values = defaults.map(|(name, value, _)| (*name, String::from(*value))).collect();
        let config = Self {
            values: Mutex::new(values),
            password: Mutex::default(),
            wants_password: AtomicBool::new(false),
            max_clients: AtomicUsize::new(0),
            idle_seconds: AtomicU64::new(0),
            silent_seconds: AtomicU64::new(0),
            bulk_limit: AtomicUsize::new(0),
            input_limit: AtomicUsize::new(0),
            slowlog_micros: AtomicI64::new(0),
            slowlog_length: AtomicUsize::new(0),
            latency_millis: AtomicU64::new(0),
            output_limits: Default::default(),
            pinned: Vec::new(),
        };
        for (name, ..) in NAMES {
            config.act(name);
        }
        config.values.lock().insert("databases", databases.to_string());
        config.values.lock().insert("port", port.to_string());
        config
    }

    /// Gives a known name a value that is not to be set to another.
    pub(super) fn pin(&mut self, name: &'static str, value: &str) {
        self.preset(name, value);
        self.pinned.push(name);
    }

    /// Gives a known name another value to begin with.
    pub(super) fn preset(&mut self, name: &'static str, value: &str) {
        debug_assert!(canonical(name) == Some(name), "{name}");
        self.values.lock().insert(name, value.to_owned());
    }

    /// Names that match one of the patterns, in any case, with their values, in order. A name that
    /// was given in full is told as it was given.
    pub(super) fn get(&self, patterns: &[&[u8]]) -> Vec<(String, String)> {
        let given: Vec<(String, Glob)> = patterns
            .iter()
            .map(|pattern| {
                let glob = Glob::new(&pattern.to_ascii_lowercase());
                (String::from_utf8_lossy(pattern).into_owned(), glob)
            })
            .collect();
        let told = |name: &str| {
            let in_full = given.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
            let matches = || given.iter().any(|(_, glob)| glob.matches(name.as_bytes()));
            match in_full {
                Some((given, _)) => Some(given.clone()),
                None => matches().then(|| name.to_owned()),
            }
        };
        let names = NAMES.iter().filter_map(|(name, ..)| Some((told(name)?, self.value(name))));
        names.collect()
    }

    /// The value of a known name.
    pub(super) fn value(&self, name: &str) -> String {
        let name = canonical(name).unwrap_or_default();
        self.values.lock().get(name).cloned().unwrap_or_default()
    }

    /// Sets all of the pairs of names and values, or none; answers which were.
    pub(super) fn set<'a>(&self, pairs: &[&'a [u8]]) -> Result<Vec<&'static str>, Refused<'a>> {
        let mut new: Vec<(&'static str, String)> = Vec::new();
        let mut kinds: Vec<(&'static str, &Kind)> = Vec::new();
        for pair in pairs.chunks_exact(2) {
            let given = pair[0];
            let entry = known(&String::from_utf8_lossy(given).to_ascii_lowercase());
            let (name, _, kind) = entry.ok_or(Refused::Unknown(given))?;
            let stored = canonical(name).unwrap_or(name);
            if matches!(kind, Fixed) {
                return Err(Refused::Value(given, IMMUTABLE.into()));
            }
            if kinds.iter().any(|(other, _)| other == name) {
                return Err(Refused::Value(given, "duplicate parameter".into()));
            }
            new.push((stored, String::from_utf8_lossy(pair[1]).into_owned()));
            kinds.push((*name, kind));
        }
        for ((stored, value), (name, kind)) in new.iter_mut().zip(kinds) {
            let refused = |text| Refused::Value(name.as_bytes(), text);
            *value = self.checked(stored, kind, value).map_err(refused)?;
        }
        let mut names = Vec::with_capacity(new.len());
        for (name, value) in new {
            self.values.lock().insert(name, value);
            self.act(name);
            names.push(name);
        }
        Ok(names)
    }

    /// A value in the form in which it is read back, if the name may be set to it.
    fn checked(&self, name: &str, kind: &Kind, value: &str) -> Result<String, String> {
        let value = self.parsed(name, kind, value)?;
        match self.pinned.contains(&name) && value != self.value(name) {
            true => Err(IMMUTABLE.into()),
            false => Ok(value),
        }
    }

    fn parsed(&self, name: &str, kind: &Kind, value: &str) -> Result<String, String> {
        match kind {
            Fixed => Err(IMMUTABLE.into()),
            Text => Ok(value.into()),
            Bool => match value.to_ascii_lowercase().as_str() {
                "yes" | "no" => Ok(value.to_ascii_lowercase()),
                _ => Err("argument must be 'yes' or 'no'".into()),
            },
            Number(least, most) => {
                let number = number::parse_integer(value.as_bytes());
                let number = number.ok_or("argument couldn't be parsed into an integer")?;
                match (*least..=*most).contains(&number) {
                    true => Ok(number.to_string()),
                    false => Err(format!("argument must be between {least} and {most} inclusive")),
                }
            }
            Memory => match parse_memory(value) {
                Some(bytes) => Ok(bytes.to_string()),
                None => Err("argument must be a memory value".into()),
            },
            Choice(all) => {
                let lower = value.to_ascii_lowercase();
                let all_text = || all.join(", ");
                match all.contains(&lower.as_str()) {
                    true => Ok(lower),
                    false => {
                        Err(format!("argument(s) must be one of the following: {}", all_text()))
                    }
                }
            }
            OutputLimits => self.checked_limits(name, value),
            Events => super::notify::Classes::parse(value)
                .map(|classes| classes.to_string())
                .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned()),
            Save => checked_save(value),
        }
    }

    fn checked_limits(&self, name: &str, value: &str) -> Result<String, String> {
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        if !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        let mut limits = parse_limits(&self.value(name));
        for group in words.chunks_exact(4) {
            let class = group[0].to_ascii_lowercase().replace("replica", "slave");
            let place = limits.iter_mut().find(|(known, _)| *known == class);
            let (_, limit) =
                place.ok_or("Invalid client class specified in buffer limit configuration.")?;
            let (hard, soft) = (parse_memory(group[1]), parse_memory(group[2]));
            let (Some(hard), Some(soft), Ok(seconds)) = (hard, soft, group[3].parse()) else {
                return Err("Error in hard, soft or soft_seconds setting in buffer limit \
                            configuration."
                    .into());
            };
            *limit = OutputLimit { hard, soft, seconds };
        }
        let text = limits.iter().map(|(class, limit)| {
            format!("{class} {} {} {}", limit.hard, limit.soft, limit.seconds)
        });
        Ok(text.collect::<Vec<_>>().join(" "))
    }

    /// Puts the value of a name where it is used, if it is.
    fn act(&self, name: &str) {
        let value = self.value(name);
        let number = || value.parse::<i64>().unwrap_or_default();
        let size = || usize::try_from(number()).unwrap_or(usize::MAX);
        match name {
            "requirepass" => {
                self.wants_password.store(!value.is_empty(), Relaxed);
                *self.password.lock() = value;
            }
            "maxclients" => self.max_clients.store(size(), Relaxed),
            "timeout" => self.idle_seconds.store(number() as u64, Relaxed),
            "tcp-keepalive" => self.silent_seconds.store(number() as u64, Relaxed),
            "proto-max-bulk-len" => self.bulk_limit.store(size(), Relaxed),
            "client-query-buffer-limit" => self.input_limit.store(size(), Relaxed),
            "slowlog-log-slower-than" => self.slowlog_micros.store(number(), Relaxed),
            "slowlog-max-len" => self.slowlog_length.store(size(), Relaxed),
            "latency-monitor-threshold" => self.latency_millis.store(number() as u64, Relaxed),
            "client-output-buffer-limit" => {
                let limits = parse_limits(&value);
                for (class, place) in [("normal", 0), ("pubsub", 1)] {
                    let found = limits.iter().find(|(known, _)| *known == class);
                    let limit = found.map(|(_, limit)| *limit).unwrap_or_default();
                    self.output_limits[place].hard.store(limit.hard, Relaxed);
                    self.output_limits[place].soft.store(limit.soft, Relaxed);
                    self.output_limits[place].seconds.store(limit.seconds, Relaxed);
                }
            }
            _ => {}
        }
    }

    pub(super) fn set_password(&self, password: String) {
        self.values.lock().insert("requirepass", password);
        self.act("requirepass");
    }

    /// Whether a client must authenticate.
    pub(super) fn wants_password(&self) -> bool {
        self.wants_password.load(Relaxed)
    }

    /// Compares in a time that does not depend on where the two differ.
    pub(super) fn is_password(&self, given: &[u8]) -> bool {
        let password = self.password.lock();
        !self.wants_password() || bool::from(password.as_bytes().ct_eq(given))
    }

    pub(super) fn max_clients(&self) -> usize {
        self.max_clients.load(Relaxed)
    }

    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        let seconds = self.idle_seconds.load(Relaxed);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    pub(super) fn keep_alive(&self) -> Option<Duration> {
        let seconds = self.silent_seconds.load(Relaxed);
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }

    pub(super) fn bulk_limit(&self) -> usize {
        self.bulk_limit.load(Relaxed)
    }

    pub(super) fn input_limit(&self) -> usize {
        self.input_limit.load(Relaxed)
    }

    /// From how many microseconds on a command is slow; `None` is never.
    pub(super) fn slowlog_micros(&self) -> Option<u64> {
        u64::try_from(self.slowlog_micros.load(Relaxed)).ok()
    }

    pub(super) fn slowlog_length(&self) -> usize {
        self.slowlog_length.load(Relaxed)
    }

    /// From how many milliseconds on an event is recorded; `None` is never.
    pub(super) fn latency_millis(&self) -> Option<u64> {
        Some(self.latency_millis.load(Relaxed)).filter(|millis| *millis > 0)
    }

    /// How uses of keys are counted; `None` unless the policy is one by frequency.
    pub(super) fn counting(&self) -> Option<Counting> {
        let number = |name| self.value(name).parse().unwrap_or_default();
        self.value("maxmemory-policy").ends_with("-lfu").then(|| Counting {
            log_factor: number("lfu-log-factor"),
            decay_minutes: number("lfu-decay-time"),
        })
    }

    pub(super) fn output_limit(&self, class: Class) -> OutputLimit {
        let limit = &self.output_limits[class as usize];
        OutputLimit {
            hard: limit.hard.load(Relaxed),
            soft: limit.soft.load(Relaxed),
            seconds: limit.seconds.load(Relaxed),
        }
    }
}

fn parse_limits(text: &str) -> Vec<(&'static str, OutputLimit)> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let number = |text: &str| text.parse().unwrap_or_default();
    let classes = ["normal", "slave", "pubsub"];
    let limit = |class: &'static str| {
        let group = words.chunks_exact(4).find(|group| group[0] == class)?;
        let (hard, soft, seconds) = (number(group[1]), number(group[2]), number(group[3]));
        Some((class, OutputLimit { hard, soft, seconds }))
    };
    classes.into_iter().filter_map(limit).collect()
}

/// Bytes, with `k`, `kb`, `m`, `mb`, `g` or `gb` behind them, or nothing.
pub(super) fn parse_memory(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match &lower[digits.len()..] {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn checked_save(value: &str) -> Result<String, String> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let is_valid = |pair: &[&str]| {
        let number = |text: &str| text.parse::<i64>().ok();
        matches!((number(pair[0]), number(pair[1])), (Some(1..), Some(0..)))
    };
    if words.len().is_multiple_of(2) && words.chunks_exact(2).all(is_valid) {
        return Ok(words.join(" "));
    }
    Err("Invalid save parameters".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_value_and_its_default_is_valid() {
        let config = Config::new(16, 0);
        for (name, default, kind) in NAMES {
            assert!(canonical(name).is_some(), "{name}");
            if !matches!(kind, Fixed) {
                let checked = config.checked(name, kind, default);
                assert_eq!(checked.as_deref(), Ok(*default), "{name}");
            }
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_memory("10"), Some(10));
        assert_eq!(parse_memory("1Kb"), Some(1024));
        assert_eq!(parse_memory("2g"), Some(2_000_000_000));
        for wrong in ["", "kb", "-1", "1x", "99999999999gb", "1 mb"] {
            assert_eq!(parse_memory(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_is_set_if_one_value_is_wrong() {
        let config = Config::new(16, 0);
        assert!(config.set(&[b"timeout", b"5", b"maxclients", b"none"]).is_err());
        assert_eq!(config.value("timeout"), "0");
        assert!(config.set(&[b"TIMEOUT", b"5", b"maxclients", b"7"]).is_ok());
        assert_eq!(
            (config.idle_timeout(), config.max_clients()),
            (Some(Duration::from_secs(5)), 7)
        );
    }
}
