//! Counters of a face: what `INFO`, `SLOWLOG` and `LATENCY` tell.
//!
//! # Time
//!
//! Reading the clock costs as much as a small command. So of the commands that Redis calls fast,
//! which take constant or logarithmic time, one in [`SAMPLE`] is timed, and their time is told as
//! if the others had taken as long. All are timed while `slowlog-log-slower-than` is below
//! [`EXACT_BELOW`] microseconds or `latency-monitor-threshold` is set; other commands always are.
//!
//! # Threading
//!
//! Counters are relaxed atomics; the rest has a lock that only errors and slow commands take.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::Session;
use super::administration::without_secrets;
use super::table::Command;
use crate::random::Random;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64};
use crate::value::Value;

const SAMPLE: u64 = 16;
const EXACT_BELOW: u64 = 1000;
/// Arguments of a slow command that are kept, and bytes of each, as in Redis.
const SLOW_ARGUMENTS: usize = 32;
const SLOW_BYTES: usize = 128;
/// Samples of an event of latency that are kept, as in Redis.
const LATENCY_SAMPLES: usize = 160;

/// The counters of one command.
#[derive(Default)]
pub(super) struct CommandCounters {
    calls: AtomicU64,
    /// Calls that were timed, and what these took.
    timed: AtomicU64,
    nanos: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
}

/// The counters of one command, read.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommandFigures {
    pub(super) calls: u64,
    pub(super) micros: f64,
    pub(super) rejected: u64,
    pub(super) failed: u64,
}

/// A command that took long.
#[derive(Clone, Debug)]
pub(super) struct Slow {
    pub(super) id: u64,
    /// Unix seconds.
    pub(super) time: u64,
    pub(super) micros: u64,
    pub(super) argv: Vec<Value>,
    pub(super) address: String,
    pub(super) name: Value,
}

/// What was recorded of one event of latency: (Unix seconds, milliseconds), oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    pub(super) samples: VecDeque<(u64, u64)>,
    pub(super) worst: u64,
}

/// Counters of a whole face.
pub(super) struct Statistics {
    commands: Box<[CommandCounters]>,
    times_all: AtomicBool,
    pub(super) connections: AtomicU64,
    pub(super) refused_connections: AtomicU64,
    pub(super) panicked_connections: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) sent: AtomicU64,
    /// Keys looked up by commands that read: found, and not found.
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) error_replies: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
    slow: Mutex<Slowlog>,
    latency: Mutex<BTreeMap<&'static str, Latency>>,
}

#[derive(Default)]
struct Slowlog {
    next_id: u64,
    /// The latest first.
    entries: VecDeque<Slow>,
}

impl Statistics {
    pub(super) fn new(commands: usize) -> Self {
        Self {
            commands: (0..commands).map(|_| CommandCounters::default()).collect(),
            times_all: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
            panicked_connections: AtomicU64::new(0),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            error_replies: AtomicU64::new(0),
            errors: Mutex::default(),
            slow: Mutex::default(),
            latency: Mutex::default(),
        }
    }

    pub(super) fn note_connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(super) fn note_refused(&self) {
        self.refused_connections.fetch_add(1, Relaxed);
    }

    pub(super) fn note_panic(&self) {
        self.panicked_connections.fetch_add(1, Relaxed);
    }

    pub(super) fn note_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn note_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts keys that were looked up: found, and not found.
    #[inline]
    pub(super) fn note_lookups(&self, (hits, misses): (u64, u64)) {
        for (counter, count) in [(&self.hits, hits), (&self.misses, misses)] {
            if count > 0 {
                counter.fetch_add(count, Relaxed);
            }
        }
    }

    /// Counts a call; answers how many there were before.
    #[inline]
    pub(super) fn note_call(&self, place: usize) -> u64 {
        self.commands[place].calls.fetch_add(1, Relaxed)
    }

    pub(super) fn note_rejected(&self, place: usize) {
        self.commands[place].rejected.fetch_add(1, Relaxed);
    }

    pub(super) fn note_failed(&self, place: usize) {
        self.commands[place].failed.fetch_add(1, Relaxed);
    }

    /// Counts an error reply under its code.
    pub(super) fn note_error(&self, text: &[u8]) {
        self.error_replies.fetch_add(1, Relaxed);
        let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        let code = String::from_utf8_lossy(code);
        let mut errors = self.errors.lock();
        match errors.get_mut(&*code) {
            Some(count) => *count += 1,
            None => drop(errors.insert(code.into_owned(), 1)),
        }
    }

    /// Whether the call of a fast command with this number is timed.
    #[inline]
    pub(super) fn wants_time(&self, ordinal: u64) -> bool {
        ordinal.is_multiple_of(SAMPLE) || self.times_all.load(Relaxed)
    }

    /// Times all commands if the thresholds are so low that samples would not do.
    pub(super) fn time_all(&self, slow_micros: Option<u64>, latency_millis: Option<u64>) {
        let is_low = slow_micros.is_some_and(|micros| micros < EXACT_BELOW);
        self.times_all.store(is_low || latency_millis.is_some(), Relaxed);
    }

    /// The counters of a command; `None` if it was never called nor refused.
    pub(super) fn figures(&self, place: usize) -> Option<CommandFigures> {
        let counters = &self.commands[place];
        let (calls, timed) = (counters.calls.load(Relaxed), counters.timed.load(Relaxed));
        let rejected = counters.rejected.load(Relaxed);
        if calls == 0 && rejected == 0 {
            return None;
        }
        let nanos = counters.nanos.load(Relaxed) as f64 / timed.max(1) as f64;
        let micros = nanos * calls as f64 / 1000.0;
        Some(CommandFigures { calls, micros, rejected, failed: counters.failed.load(Relaxed) })
    }

    pub(super) fn calls(&self) -> u64 {
        self.commands.iter().map(|counters| counters.calls.load(Relaxed)).sum()
    }

    pub(super) fn errors(&self) -> Vec<(String, u64)> {
        self.errors.lock().iter().map(|(code, count)| (code.clone(), *count)).collect()
    }

    /// Sets everything to zero, but for the slow log and the latencies.
    pub(super) fn reset(&self) {
        for counters in &self.commands {
            let CommandCounters { calls, timed, nanos, rejected, failed } = counters;
            for counter in [calls, timed, nanos, rejected, failed] {
                counter.store(0, Relaxed);
            }
        }
        let Self { connections, refused_connections, panicked_connections, .. } = self;
        let Self { received, sent, hits, misses, error_replies, .. } = self;
        let of_connections = [connections, refused_connections, panicked_connections];
        let of_commands = [received, sent, hits, misses, error_replies];
        for counter in of_connections.into_iter().chain(of_commands) {
            counter.store(0, Relaxed);
        }
        self.errors.lock().clear();
    }

    /// The latest slow commands; all of them if `count` is `None`.
    pub(super) fn slow(&self, count: Option<usize>) -> Vec<Slow> {
        let slow = self.slow.lock();
        slow.entries.iter().take(count.unwrap_or(usize::MAX)).cloned().collect()
    }

    pub(super) fn slow_len(&self) -> usize {
        self.slow.lock().entries.len()
    }

    pub(super) fn trim_slowlog(&self, length: usize) {
        self.slow.lock().entries.truncate(length);
    }

    /// The events of latency, by name.
    pub(super) fn latencies(&self) -> BTreeMap<&'static str, Latency> {
        self.latency.lock().clone()
    }

    /// Forgets events of latency: those named, or all; answers how many.
    pub(super) fn reset_latencies(&self, names: &[&[u8]]) -> usize {
        let mut latency = self.latency.lock();
        let before = latency.len();
        latency.retain(|event, _| {
            let is_named = names.iter().any(|name| name.eq_ignore_ascii_case(event.as_bytes()));
            !names.is_empty() && !is_named
        });
        before - latency.len()
    }

    fn note_latency(&self, event: &'static str, time: u64, millis: u64) {
        let mut latency = self.latency.lock();
        let latency = latency.entry(event).or_default();
        latency.worst = latency.worst.max(millis);
        match latency.samples.back_mut() {
            // As in Redis, a second has one sample: its worst.
            Some((last, worst)) if *last == time => *worst = millis.max(*worst),
            _ => latency.samples.push_back((time, millis)),
        }
        if latency.samples.len() > LATENCY_SAMPLES {
            latency.samples.pop_front();
        }
    }

    fn note_slow(&self, slow: Slow, length: usize) {
        let mut log = self.slow.lock();
        let id = log.next_id;
        log.next_id += 1;
        log.entries.push_front(Slow { id, ..slow });
        log.entries.truncate(length);
    }
}

impl Session {
    /// Records what a command took.
    pub(super) fn note_time(
        &mut self,
        command: Command,
        name: &[u8],
        arguments: &[&[u8]],
        elapsed: Duration,
    ) {
        let statistics = &self.shared.statistics;
        let counters = &statistics.commands[command.place];
        counters.timed.fetch_add(1, Relaxed);
        counters.nanos.fetch_add(elapsed.as_nanos() as u64, Relaxed);
        let (micros, millis) = (elapsed.as_micros() as u64, elapsed.as_millis() as u64);
        let config = &self.shared.config;
        if config.latency_millis().is_some_and(|threshold| millis >= threshold) {
            let is_fast = command.entry.has_flag(crate::wire::table::FAST);
            let event = if is_fast { "fast-command" } else { "command" };
            statistics.note_latency(event, self.unix_seconds(), millis);
        }
        let is_slow = config.slowlog_micros().is_some_and(|threshold| micros >= threshold);
        // As in Redis, `EXEC` is not slow; its commands are. They are not timed one by one here.
        if is_slow && !matches!(command.entry.name(), "MULTI") {
            let arguments: Vec<&[u8]> = without_secrets(command, arguments).collect();
            let argv = kept_arguments(name, &arguments);
            let slow = Slow {
                id: 0,
                time: self.unix_seconds(),
                micros,
                argv,
                address: self.client.peer.address.clone(),
                name: self.client.read(|details| Value::from(&details.name[..])),
            };
            statistics.note_slow(slow, config.slowlog_length());
        }
    }

    pub(super) fn unix_seconds(&self) -> u64 {
        self.shared.databases().clock.wall() / 1000
    }
}

/// The beginning of a request.
fn kept_arguments(name: &[u8], arguments: &[&[u8]]) -> Vec<Value> {
    let all = std::iter::once(name).chain(arguments.iter().copied());
    let total = arguments.len() + 1;
    let room = if total > SLOW_ARGUMENTS { SLOW_ARGUMENTS - 1 } else { total };
    let mut kept: Vec<Value> = all
        .take(room)
        .map(|argument| match argument.len().checked_sub(SLOW_BYTES) {
            Some(more @ 1..) => {
                let mut text = argument[..SLOW_BYTES].to_vec();
                text.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
                Value::from(text)
            }
            _ => Value::from(argument),
        })
        .collect();
    if total > room {
        kept.push(Value::from(format!("... ({} more arguments)", total - room)));
    }
    kept
}

/// Forty hexadecimal digits.
pub(super) fn run_id() -> String {
    let mut random = Random::new();
    (0..40).map(|_| char::from(b"0123456789abcdef"[random.below(16)])).collect()
}
