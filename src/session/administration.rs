//! What an administrator asks for: `MONITOR`, `SLOWLOG`, `MODULE`, `LATENCY`, `MEMORY`, `SHUTDOWN`,
//! `WAIT`, `TIME`, `ROLE`, `LOLWUT`.

use std::fmt::Write;
use std::time::Duration;

use super::blocked::{Call, Delay};
use super::clients::read_timeout;
use super::connection::VERSION;
use super::persistence;
use super::table::{self, Command};
use super::{Answer, Failure, NOT_AN_INTEGER, SYNTAX, Session};
use crate::keyspace::Space;
use crate::keyspace::access::{Access, Read};
use crate::number;
use crate::pubsub::{Overflow, SubscriptionOptions};
use crate::sync::Arc;
use crate::value::Value;

/// Lines that may wait until a monitoring session is woken.
const MONITORED: usize = 1 << 16;

/// Once more it answers nothing at all, as in Redis.
pub(super) fn monitor(session: &mut Session, _: &[&[u8]]) -> Answer {
    if session.is_executing {
        return Err("ERR MONITOR isn't allowed for DENY BLOCKING client".into());
    }
    if session.monitor.is_some() {
        return Ok(());
    }
    let options = SubscriptionOptions::new().capacity(MONITORED).overflow(Overflow::Disconnect);
    session.monitor = Some(session.shared.monitors.subscribe(options, |_| true));
    session.ok()
}

impl Session {
    /// Shows a request to those who monitor.
    pub(super) fn tell_monitors(&self, command: Command, name: &[u8], arguments: &[&[u8]]) {
        if command.entry.has_flag(table::ADMIN) {
            return;
        }
        let time = self.shared.databases().clock.wall();
        let mut line = format!(
            "{}.{:06} [{} {}]",
            time / 1000,
            time % 1000 * 1000,
            self.database,
            self.client.peer.address
        );
        for argument in std::iter::once(name).chain(without_secrets(command, arguments)) {
            line.push_str(" \"");
            push_quoted(argument, &mut line);
            line.push('"');
        }
        let mut wakers = crate::pubsub::Wakers::default();
        self.shared.monitors.publish(&Value::from(line), &mut wakers);
        wakers.wake();
    }
}

/// The arguments of a request, for others to see.
pub(super) fn without_secrets<'a>(
    command: Command,
    arguments: &'a [&'a [u8]],
) -> impl Iterator<Item = &'a [u8]> {
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let secrets = match command.entry.name() {
        "AUTH" => 0..arguments.len(),
        "HELLO" => match arguments.iter().position(|word| is(word, "AUTH")) {
            Some(place) => place + 1..place + 3,
            None => 0..0,
        },
        "CONFIG|SET" => {
            let secret =
                |word: &&[u8]| ["requirepass", "masterauth"].iter().any(|name| is(word, name));
            arguments.iter().position(secret).map_or(0..0, |place| place + 1..place + 2)
        }
        _ => 0..0,
    };
    let shown = move |(place, argument): (usize, &&'a [u8])| match secrets.contains(&place) {
        true => &b"(redacted)"[..],
        false => *argument,
    };
    arguments.iter().enumerate().map(shown)
}

/// Appends bytes as Redis shows them: printable ASCII as it is, the rest escaped.
fn push_quoted(bytes: &[u8], text: &mut String) {
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            b' '..=b'~' => text.push(char::from(byte)),
            other => {
                let _ = write!(text, "\\x{other:02x}");
            }
        }
    }
}

/// `SLOWLOG GET [count]`; -1 is all.
pub(super) fn slowlog_get(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let count = match *arguments {
        [] => Some(10),
        [count] => {
            let count = number::parse_integer(count).filter(|count| *count >= -1);
            let count = count.ok_or("ERR count should be greater than or equal to -1")?;
            usize::try_from(count).ok()
        }
        _ => return Err(Failure::Usage),
    };
    let slow = session.shared.statistics.slow(count);
    let mut encoder = session.encoder();
    encoder.array(slow.len());
    for entry in slow {
        encoder.array(6);
        encoder.integer(entry.id as i64);
        encoder.integer(entry.time as i64);
        encoder.integer(entry.micros as i64);
        encoder.array(entry.argv.len());
        entry.argv.iter().for_each(|argument| encoder.bulk(argument));
        encoder.bulk(entry.address.as_bytes());
        encoder.bulk(&entry.name);
    }
    Ok(())
}

pub(super) fn slowlog_len(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.integer(session.shared.statistics.slow_len() as i64)
}

pub(super) fn slowlog_reset(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.shared.statistics.trim_slowlog(0);
    session.ok()
}

pub(super) fn slowlog_help(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.lines(&[
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET [<count>]: the latest slow commands, each with its number, Unix time, microseconds, \
         request, client and the client's name",
        "LEN: how many are kept",
        "RESET: forgets them",
        "HELP: this text",
    ])
}

/// There are none.
pub(super) fn modules(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.encoder().array(0);
    Ok(())
}

pub(super) fn module_help(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.lines(&[
        "MODULE <subcommand>. Subcommands are:",
        "LIST: the modules, which are none",
        "HELP: this text",
    ])
}

pub(super) fn latency_latest(session: &mut Session, _: &[&[u8]]) -> Answer {
    let latencies = session.shared.statistics.latencies();
    let mut encoder = session.encoder();
    encoder.array(latencies.len());
    for (event, latency) in latencies {
        let (time, millis) = latency.samples.back().copied().unwrap_or_default();
        encoder.array(4);
        encoder.bulk(event.as_bytes());
        encoder.integer(time as i64);
        encoder.integer(millis as i64);
        encoder.integer(latency.worst as i64);
    }
    Ok(())
}

pub(super) fn latency_history(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let latencies = session.shared.statistics.latencies();
    let found = latencies.iter().find(|(event, _)| event.as_bytes() == arguments[0]);
    let mut encoder = session.encoder();
    let Some((_, latency)) = found else {
        encoder.array(0);
        return Ok(());
    };
    encoder.array(latency.samples.len());
    for (time, millis) in &latency.samples {
        encoder.array(2);
        encoder.integer(*time as i64);
        encoder.integer(*millis as i64);
    }
    Ok(())
}

pub(super) fn latency_reset(session: &mut Session, names: &[&[u8]]) -> Answer {
    let reset = session.shared.statistics.reset_latencies(names);
    session.integer(reset as i64)
}

pub(super) fn latency_doctor(session: &mut Session, _: &[&[u8]]) -> Answer {
    let text = match session.shared.config.latency_millis() {
        None => String::from(
            "Nothing is recorded. CONFIG SET latency-monitor-threshold <milliseconds> has \
             commands recorded that take as long.\n",
        ),
        Some(threshold) => {
            let latencies = session.shared.statistics.latencies();
            let mut text = format!("Commands of {threshold} ms and more:\n");
            for (event, latency) in latencies {
                let (samples, worst) = (latency.samples.len(), latency.worst);
                let _ = writeln!(text, "{event}: {samples} samples, the worst {worst} ms");
            }
            text
        }
    };
    session.encoder().verbatim(*b"txt", text.as_bytes());
    Ok(())
}

/// Calls of each command; no times, as no histogram of them is kept.
pub(super) fn latency_histogram(session: &mut Session, names: &[&[u8]]) -> Answer {
    let shared = Arc::clone(&session.shared);
    let is_wanted = |name: &str| {
        let matches = |wanted: &&[u8]| wanted.eq_ignore_ascii_case(name.as_bytes());
        names.is_empty() || names.iter().any(matches)
    };
    let entries = table::all().iter().enumerate().filter(|(_, entry)| is_wanted(entry.name()));
    let called: Vec<_> = entries
        .filter_map(|(place, entry)| Some((entry, shared.statistics.figures(place)?.calls)))
        .filter(|(_, calls)| *calls > 0)
        .collect();
    let mut encoder = session.encoder();
    encoder.map(called.len());
    for (entry, calls) in called {
        encoder.bulk(entry.name().to_ascii_lowercase().as_bytes());
        encoder.map(2);
        encoder.bulk(b"calls");
        encoder.integer(calls as i64);
        encoder.bulk(b"histogram_usec");
        encoder.map(0);
    }
    Ok(())
}

pub(super) fn latency_help(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.lines(&[
        "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR: what was recorded, in words",
        "HISTOGRAM [<command> ...]: how often commands were called",
        "HISTORY <event>: the samples of an event",
        "LATEST: the last sample of each event, and the worst",
        "RESET [<event> ...]: forgets samples",
        "HELP: this text",
    ])
}

/// `MEMORY USAGE key [SAMPLES count]`: exact, so there is nothing to sample.
pub(super) fn memory_usage(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let (key, mut options) = (arguments[0], &arguments[1..]);
    while let Some((option, rest)) = options.split_first() {
        let Some((count, rest)) = rest.split_first() else { return Err(SYNTAX.into()) };
        if !option.eq_ignore_ascii_case(b"SAMPLES") {
            return Err(SYNTAX.into());
        }
        let count = number::parse_integer(count).ok_or(NOT_AN_INTEGER)?;
        if count < 0 {
            return Err(SYNTAX.into());
        }
        options = rest;
    }
    let space = Space::new(session.shared.store.databases(), session.database);
    let footprint = Read::enter(space, key, |view| Ok(view.footprint()))?;
    match footprint {
        Some(bytes) => session.encoder().integer(bytes as i64),
        None => session.encoder().null(),
    }
    Ok(())
}

pub(super) fn memory_doctor(session: &mut Session, _: &[&[u8]]) -> Answer {
    let stats = session.shared.store.stats();
    let text = format!("{} keys take {} bytes; nothing is wrong.\n", stats.keys, stats.bytes);
    session.encoder().verbatim(*b"txt", text.as_bytes());
    Ok(())
}

pub(super) fn memory_stats(session: &mut Session, _: &[&[u8]]) -> Answer {
    let stats = session.shared.store.stats();
    let per_key = stats.bytes.checked_div(stats.keys).unwrap_or(0);
    let fields = [
        ("total.allocated", stats.bytes),
        ("keys.count", stats.keys),
        ("keys.bytes-per-key", per_key),
        ("dataset.bytes", stats.bytes),
    ];
    let mut encoder = session.encoder();
    encoder.map(fields.len());
    for (name, value) in fields {
        encoder.bulk(name.as_bytes());
        encoder.integer(value as i64);
    }
    Ok(())
}

pub(super) fn memory_allocator(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.encoder().bulk(b"Stats not supported for the current allocator");
    Ok(())
}

/// Memory is given back as it comes free.
pub(super) fn memory_purge(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.ok()
}

pub(super) fn memory_help(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.lines(&[
        "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR: what is kept, in words",
        "MALLOC-STATS: nothing, as the allocator is the program's",
        "PURGE: does nothing",
        "STATS: what is kept, in numbers",
        "USAGE <key> [SAMPLES <count>]: what a key takes, exactly",
        "HELP: this text",
    ])
}

/// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`: a store that keeps its data has all of it
/// durable before the server ends, by a snapshot with `SAVE`. An error keeps the server up, unless
/// forced.
pub(super) fn shutdown(session: &mut Session, options: &[&[u8]]) -> Answer {
    let mut words: Vec<String> = Vec::new();
    for option in options {
        let word = String::from_utf8_lossy(option).to_ascii_uppercase();
        if !matches!(word.as_str(), "NOSAVE" | "SAVE" | "NOW" | "FORCE" | "ABORT") {
            return Err(SYNTAX.into());
        }
        words.push(word);
    }
    let has = |word: &str| words.iter().any(|given| given == word);
    if has("SAVE") && has("NOSAVE") || has("ABORT") && words.len() > 1 {
        return Err(SYNTAX.into());
    }
    if has("ABORT") {
        return Err("ERR No shutdown in progress.".into());
    }
    let Some(on_shutdown) = &session.shared.on_shutdown else {
        return Err("ERR Errors trying to SHUTDOWN. Check logs.".into());
    };
    if let Err(failure) = persistence::prepare_shutdown(&session.shared, has("SAVE"))
        && !has("FORCE")
    {
        return Err(failure);
    }
    *session.shared.shutdown.lock() = true;
    on_shutdown();
    // As in Redis, the connection closes and there is no reply.
    session.state = super::State::Closed;
    Ok(())
}

/// `WAIT replicas timeout`: there are none, so more than none is waited for in vain.
pub(super) fn wait(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let replicas = number::parse_integer(arguments[0]).ok_or(NOT_AN_INTEGER)?;
    let millis = read_timeout(arguments[1])?;
    if replicas <= 0 || session.is_executing {
        return session.integer(0);
    }
    let wait = (millis > 0).then(|| Duration::from_millis(millis));
    session.delay(wait, b":0\r\n");
    Ok(())
}

impl Session {
    /// Answers `reply` once a time has passed; `None` is never.
    pub(super) fn delay(&mut self, wait: Option<Duration>, reply: &'static [u8]) {
        let delay = Delay::new(self.shared.databases(), wait, reply);
        self.wait_for(Box::new(delay));
    }

    /// Answers when a call has ended.
    pub(super) fn wait_for(&mut self, call: Box<dyn Call>) {
        self.client.set_blocked(call.waiter().cloned());
        self.blocked = Some(call);
        self.poll_blocked();
    }
}

pub(super) fn time(session: &mut Session, _: &[&[u8]]) -> Answer {
    let micros = session.unix_micros();
    let mut encoder = session.encoder();
    encoder.array(2);
    encoder.bulk((micros / 1_000_000).to_string().as_bytes());
    encoder.bulk((micros % 1_000_000).to_string().as_bytes());
    Ok(())
}

impl Session {
    /// The store's clock on the wall; the system's own tells more than milliseconds.
    fn unix_micros(&self) -> u128 {
        let clock = &self.shared.databases().clock;
        let millis = u128::from(clock.wall()) * 1000;
        if clock.is_manual() {
            return millis;
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(millis, |now| now.as_micros())
    }
}

pub(super) fn role(session: &mut Session, _: &[&[u8]]) -> Answer {
    let mut encoder = session.encoder();
    encoder.array(3);
    encoder.bulk(b"master");
    encoder.integer(0);
    encoder.array(0);
    Ok(())
}

pub(super) fn lolwut(session: &mut Session, _: &[&[u8]]) -> Answer {
    let text = format!("Larder {}, as Redis ver. {VERSION}\n", env!("CARGO_PKG_VERSION"));
    session.encoder().verbatim(*b"txt", text.as_bytes());
    Ok(())
}
