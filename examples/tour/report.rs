//! The report at the end: everything in it is read from the store.

use std::collections::BTreeMap;
use std::time::Duration;

use larder::{Result, ScanOptions, Store, Value};

use crate::site::{LENGTHS, LIMIT, LONGEST, SESSION, Site, TICK, Totals};
use crate::text::{bar, cut, date_and_time, fit, rate, span, thousands, time_of_day};
use crate::{Input, errors};

/// Columns of labels, and of bars.
const LABEL: usize = 44;
const BAR: usize = 24;

pub(crate) fn report(site: &Site, input: &Input, took: Duration) -> Result<String> {
    let Site { store, totals, .. } = site;
    let sections = [
        summary(store, totals, input, took)?,
        unparsed(input),
        traffic(store, totals)?,
        table("Status", &ranking(store, "statuses", 20)?, totals.hits),
        table("Most wanted pages", &ranking(store, "pages", 10)?, totals.hits),
        table("Busiest clients", &ranking(store, "clients", 5)?, totals.hits),
        refused(store, totals)?,
        sessions(store, totals)?,
        handled_errors(store, totals)?,
        holdings(store),
    ];
    Ok(sections.concat())
}

fn summary(store: &Store, totals: &Totals, input: &Input, took: Duration) -> Result<String> {
    let mut text = format!(
        "\n{} requests by {} clients for {} pages, {} kB sent\n",
        thousands(totals.hits),
        thousands(store.sorted_set("clients").len()? as u64),
        thousands(store.sorted_set("pages").len()? as u64),
        thousands(store.kv().get_as::<u64>("bytes")?.unwrap_or(0) / 1000),
    );
    if let Some((first, last)) = totals.period {
        let (from, to) = (date_and_time(first), date_and_time(last));
        text += &format!("from {from} to {to} UTC: {}\n", span(last - first));
    }
    let lines = thousands(input.lines);
    text += &format!("{lines} lines read in {took:.1?}: {}\n", rate(input.lines, took));
    Ok(text)
}

fn unparsed(input: &Input) -> String {
    let shown = |what: &str, count: u64, example: &Option<String>| {
        example.as_ref().map_or(String::new(), |example| {
            format!("{what}: {}, for one\n    {}\n", thousands(count), cut(example, 90))
        })
    };
    shown("lines that do not parse", input.unparsed, &input.unparsed_line)
        + &shown("requests that are no HTTP", input.no_http, &input.no_http_line)
}

/// Requests over time, in about twenty rows.
fn traffic(store: &Store, totals: &Totals) -> Result<String> {
    const DAY: u64 = 86_400;
    const STEPS: [u64; 10] = [TICK, 30, 60, 300, 900, 3600, 4 * 3600, DAY, 7 * DAY, 30 * DAY];
    let Some((first, last)) = totals.period else { return Ok(String::new()) };
    let rows = |step: u64| last / step - first / step + 1;
    let step = STEPS
        .into_iter()
        .find(|step| rows(*step) <= 24)
        .unwrap_or_else(|| ((last - first) / 20).next_multiple_of(DAY));
    let mut counts: BTreeMap<u64, f64> = BTreeMap::new();
    for row in first / step..=last / step {
        counts.insert(row * step, 0.0);
    }
    for (tick, count) in store.sorted_set("ticks").range(..).get()? {
        *counts.entry(tick.to::<u64>()? / step * step).or_default() += count;
    }
    let most = counts.values().copied().fold(1.0, f64::max);
    let mut text = heading(&format!("Requests per {}", span(step).trim_end_matches(" 0 s")));
    for (start, count) in counts {
        let label = if step < 3600 { time_of_day(start) } else { date_and_time(start) };
        let share = count / most;
        text += &format!("  {label}  {} {}\n", fit(&bar(share, 48), 48), thousands(count as u64));
    }
    Ok(text)
}

fn refused(store: &Store, totals: &Totals) -> Result<String> {
    let title = format!("Refused: {} requests beyond {LIMIT} in 10 s", thousands(totals.refused));
    Ok(table(&title, &ranking(store, "refused", 5)?, totals.refused))
}

fn sessions(store: &Store, totals: &Totals) -> Result<String> {
    let open = store.keys().scan(ScanOptions::new().matching("session:*")).count();
    assert_eq!(totals.sessions_begun, totals.sessions_ended + open as u64);
    let title = format!(
        "Visits: {}, of which {} ended by {} of silence, {open} still open; lengths in requests",
        thousands(totals.sessions_begun),
        thousands(totals.sessions_ended),
        span(SESSION.as_secs()).trim_end_matches(" 0 s"),
    );
    let counts = store.sorted_set("session-lengths").scores(&LENGTHS)?;
    let lengths = LENGTHS.into_iter().zip(counts);
    let lengths: Vec<_> =
        lengths.filter_map(|(length, count)| Some((length.into(), count?))).collect();
    let longest = ranking(store, "longest-sessions", LONGEST as usize)?;
    let lengths = rows(&lengths, totals.sessions_ended);
    Ok(heading(&title) + &lengths + &list("Longest visits", &longest))
}

fn handled_errors(store: &Store, totals: &Totals) -> Result<String> {
    let workers: Vec<_> = ranking(store, errors::WORKERS, 2)?
        .into_iter()
        .map(|(name, count)| format!("{} by {}", count, shown(&name)))
        .collect();
    let title = format!("Errors handled: {}, {}", thousands(totals.errors), workers.join(" and "));
    Ok(table(&title, &ranking(store, errors::KINDS, 10)?, totals.errors))
}

fn holdings(store: &Store) -> String {
    let stats = store.stats();
    let (keys, bytes) = (thousands(stats.keys as u64), thousands(stats.bytes as u64));
    let with_deadline = thousands(stats.with_deadline as u64);
    format!("\nThe store holds {keys} keys, {with_deadline} of them with a TTL: {bytes} bytes\n")
}

fn ranking(store: &Store, key: &str, count: usize) -> Result<Vec<(Value, f64)>> {
    store.sorted_set(key).top(count)
}

/// Counts with their shares of the whole under a title; nothing if there are none.
fn table(title: &str, counts: &[(Value, f64)], whole: u64) -> String {
    if counts.is_empty() { String::new() } else { heading(title) + &rows(counts, whole) }
}

fn rows(counts: &[(Value, f64)], whole: u64) -> String {
    let row = |(label, count): &(Value, f64)| {
        let share = count / whole.max(1) as f64;
        let (label, bar) = (fit(&shown(label), LABEL), bar(share, BAR));
        format!("  {label} {:>9}  {:>5.1} %  {bar}\n", thousands(*count as u64), share * 100.0)
    };
    counts.iter().map(row).collect()
}

/// A table without shares, with room for long labels.
fn list(title: &str, rows: &[(Value, f64)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text = heading(title);
    for (label, count) in rows {
        text += &format!("  {:>9}  {}\n", thousands(*count as u64), cut(&shown(label), 76));
    }
    text
}

fn heading(title: &str) -> String {
    format!("\n{title}\n")
}

fn shown(value: &Value) -> String {
    String::from_utf8_lossy(value).into_owned()
}
