//! A tour of all four structures: reads a web server's access log and keeps what a server could
//! keep about its visitors, at the speed of the machine but at the time of the log.
//!
//! Redis: `ZINCRBY` and `ZREVRANGE` (pages, clients), `MULTI`, `ZREMRANGEBYSCORE`, `ZADD`, `ZCARD`,
//! `EXPIRE`, `EXEC` (a sliding window for each client), `INCREX` with a TTL and expiry events
//! (visits), `XADD`, `XREADGROUP`, `XACKDEL` (errors, handled by two workers), `PUBLISH` and
//! `PSUBSCRIBE` (live notifications). A manual clock follows the log, so windows and visits end
//! when they would have.
//!
//! Run: `cargo run --release --example tour`, or with the path of a log in the combined format,
//! or `-` for standard input, after `--`.

mod alerts;
mod errors;
mod log;
mod report;
mod screen;
mod site;
mod text;

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use alerts::Alerts;
use errors::Workers;
use log::Lines;
use screen::Screen;
use site::Site;

const DEFAULT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/access.log");

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = match &arguments[..] {
        [] => DEFAULT,
        [path] if path == "-" || !path.starts_with('-') => path,
        _ => {
            eprintln!("usage: tour [PATH of an access log | -]");
            return ExitCode::from(2);
        }
    };
    match tour(path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tour: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What was read.
#[derive(Default)]
struct Input {
    lines: u64,
    unparsed: u64,
    unparsed_line: Option<String>,
    no_http: u64,
    no_http_line: Option<String>,
}

fn tour(path: &str) -> Result<(), Box<dyn Error>> {
    let (log, size) = open(path)?;
    let screen = Arc::new(Screen::new());
    let mut site = Site::new();
    let workers = Workers::start(&site.store)?;
    let alerts = Alerts::start(&site.store, Arc::clone(&screen));

    let started = Instant::now();
    let input = read(log, size, &mut site, &screen)?;
    let handled = workers.finish()?;
    let took = started.elapsed();
    screen.finish();
    let heard = alerts.finish()?;

    check(&site, &input, handled, heard)?;
    screen.print(&report::report(&site, &input, took)?);
    Ok(())
}

/// The log, and its size if it is known.
fn open(path: &str) -> io::Result<(Box<dyn BufRead>, Option<u64>)> {
    if path == "-" {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let size = metadata.is_file().then_some(metadata.len());
    Ok((Box::new(BufReader::with_capacity(1 << 16, file)), size))
}

fn read(
    log: Box<dyn BufRead>,
    size: Option<u64>,
    site: &mut Site,
    screen: &Screen,
) -> Result<Input, Box<dyn Error>> {
    let mut input = Input::default();
    let mut lines = Lines::new(log);
    while let Some(line) = lines.next()? {
        input.lines += 1;
        match log::parse(&line) {
            Some(hit) => {
                if hit.path.is_none() {
                    input.no_http += 1;
                    input.no_http_line.get_or_insert_with(|| line.clone());
                }
                site.record(&hit)?;
            }
            None => {
                input.unparsed += 1;
                input.unparsed_line.get_or_insert_with(|| line.clone());
            }
        }
        screen.progress(input.lines, lines.read, size);
    }
    Ok(input)
}

/// The structures agree with each other, or the report would lie.
fn check(site: &Site, input: &Input, handled: u64, heard: u64) -> larder::Result<()> {
    let sum = |key: &str| -> larder::Result<u64> {
        let members = site.store.sorted_set(key).range(..).get()?;
        Ok(members.iter().map(|(_, count)| *count as u64).sum())
    };
    let totals = &site.totals;
    assert_eq!(input.lines, totals.hits + input.unparsed);
    assert_eq!(sum("pages")?, totals.hits - totals.without_path);
    for key in ["clients", "statuses", "ticks"] {
        assert_eq!(sum(key)?, totals.hits, "{key}");
    }
    assert_eq!(sum("refused")?, totals.refused);
    assert_eq!((handled, sum(errors::KINDS)?), (totals.errors, totals.errors));
    assert_eq!(heard, totals.alerts);
    assert!(site.store.stream(errors::STREAM).is_empty()?);
    Ok(())
}
