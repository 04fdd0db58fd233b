//! Larder beside its rivals, in tables of medians and ratios.
//!
//! ```text
//! cargo run --release -- kv|zset|stream|pubsub|stall|log|server
//!     [--quick] [--rounds N] [--against RIVAL] [--only RIVAL,RIVAL]
//! ```
//!
//! Each module holds one table: a trait that says what is measured, one implementation a rival, and
//! the rounds. Larder is one more implementation of each trait, all in `larder.rs`. Only ratios
//! inside one run count, and only on a quiet machine.

mod broadcast;
#[cfg(feature = "disk")]
mod disk;
#[cfg(feature = "kevy")]
mod kevy;
mod kv;
#[cfg(feature = "larder")]
mod larder;
mod logs;
mod measure;
mod scores;
mod server;
mod stall;
mod streams;

use measure::Options;

const USAGE: &str = "usage: larder-peers kv|zset|stream|pubsub|stall|log|server \
                     [--quick] [--rounds N] [--against RIVAL] [--only RIVAL,RIVAL]";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "child") {
        return child(&arguments[1..]);
    }
    match parse(&arguments) {
        Some((table, options)) => table(&options),
        None => {
            eprintln!("{USAGE}");
            std::process::exit(2);
        }
    }
}

type Run = fn(&Options);

fn parse(arguments: &[String]) -> Option<(Run, Options)> {
    let mut options = Options { quick: false, rounds: None, against: None, only: Vec::new() };
    let (table, rest) = arguments.split_first()?;
    let mut rest = rest.iter();
    while let Some(flag) = rest.next() {
        match flag.as_str() {
            "--quick" => options.quick = true,
            "--rounds" => options.rounds = Some(rest.next()?.parse().ok()?),
            "--against" => options.against = Some(rest.next()?.clone()),
            "--only" => options.only = rest.next()?.split(',').map(str::to_owned).collect(),
            _ => return None,
        }
    }
    let table: Run = match table.as_str() {
        "kv" => kv::run,
        "zset" => scores::run,
        "stream" => streams::run,
        "pubsub" => broadcast::run,
        "stall" => stall::run,
        "log" => logs::run,
        "server" => server::run,
        _ => return None,
    };
    Some((table, options))
}

/// Prints the figures of `child TABLE RIVAL SIZE`, which [`measure::in_child`] asks for. `child
/// serve PATH 0` is a server.
fn child(arguments: &[String]) {
    let [table, rival, size] = arguments else { panic!("child TABLE RIVAL SIZE") };
    #[cfg(feature = "larder")]
    if table == "serve" {
        return server::serve(rival);
    }
    let size: usize = size.parse().expect("a size");
    let figures = match table.as_str() {
        "kv" => kv::memory(rival, size).map(|bytes| vec![bytes]),
        "zset" => scores::memory(rival, size).map(|bytes| vec![bytes]),
        "stream0" => streams::memory(0, rival, size).map(|bytes| vec![bytes]),
        "stream1" => streams::memory(1, rival, size).map(|bytes| vec![bytes]),
        "stall" => kv::growing(rival, size),
        _ => None,
    };
    let figures = figures.expect("a table and a rival that exist");
    figures.iter().for_each(|figure| println!("{figure}"));
}
