//! Rounds, medians, tables and memory figures: everything that is the same for each table.
//!
//! A cell collects one sample a round and shows their median. Rounds visit the rivals in turn and
//! start with another one each time, so that a drift of the machine (heat, a neighbour, a clock)
//! falls on all of them alike. Only ratios inside one run count.

use std::collections::HashMap;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

/// How a run was asked for on the command line.
#[derive(Clone)]
pub struct Options {
    /// Small sizes, to see that everything runs; its figures mean nothing.
    pub quick: bool,
    /// Rounds asked for; each table has a default of its own.
    pub rounds: Option<usize>,
    /// The rival whose figure is 1 in the ratios; each table has a default of its own.
    pub against: Option<String>,
    /// Rivals to run; all of them when empty.
    pub only: Vec<String>,
}

impl Options {
    /// Rounds to run, where the table itself would take `usual`.
    pub fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { usual }).max(1)
    }

    /// The rival to compare with, where the table itself would take `usual`.
    pub fn against<'a>(&'a self, usual: &'a str) -> &'a str {
        self.against.as_deref().unwrap_or(usual)
    }

    /// `full`, or `small` in a quick run.
    pub fn size(&self, full: usize, small: usize) -> usize {
        if self.quick { small } else { full }
    }

    /// Whether the rival called `name` takes part.
    pub fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }
}

/// The order in which round number `round` visits `count` rivals.
pub fn turn(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |at| (at + round) % count)
}

/// Nanoseconds per operation of `work`, called with 0, 1, 2, … until `budget` is spent or it was
/// called `most` times.
///
/// The clock is read after 1, 2, 4, … calls, so an operation of 20 ns is not measured by its clock,
/// and one of 50 ms does not take all day.
pub fn time_within<T>(budget: Duration, most: usize, mut work: impl FnMut(usize) -> T) -> f64 {
    let start = Instant::now();
    let (mut done, mut stride) = (0, 1);
    loop {
        for at in done..(done + stride).min(most) {
            black_box(work(at));
        }
        done = (done + stride).min(most);
        let spent = start.elapsed();
        if done == most || spent >= budget {
            return per_operation(spent, done);
        }
        stride = done;
    }
}

/// `spent` shared out over `operations`, in nanoseconds.
pub fn per_operation(spent: Duration, operations: usize) -> f64 {
    spent.as_nanos() as f64 / operations.max(1) as f64
}

/// The median of `samples`, or `None` without any.
fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((lower + upper) / 2.0)
}

/// What the figures of a column are, for printing.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    Nanoseconds,
    Bytes,
}

/// A table of medians: rivals down, operations across.
pub struct Table {
    title: String,
    columns: Vec<(String, Unit)>,
    rows: Vec<String>,
    samples: HashMap<(usize, usize), Vec<f64>>,
}

impl Table {
    /// An empty table; rows appear in the order in which they are first measured.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), columns: Vec::new(), rows: Vec::new(), samples: HashMap::new() }
    }

    /// Fixes the order of the rows before the rounds shuffle it.
    pub fn rows<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.rows.extend(names.into_iter().map(str::to_owned));
        self
    }

    /// Adds one sample.
    pub fn add(&mut self, row: &str, column: &str, unit: Unit, sample: f64) {
        let row = position_or_push(&mut self.rows, |name| name == row, || row.to_owned());
        let column = position_or_push(
            &mut self.columns,
            |(name, _)| name == column,
            || (column.to_owned(), unit),
        );
        self.samples.entry((row, column)).or_default().push(sample);
    }

    /// Prints the medians in markdown, each with its ratio to the row called `against`.
    pub fn print(&self, against: &str) {
        let base = self.rows.iter().position(|name| name == against);
        println!("\n## {}\n", self.title);
        if base.is_some() {
            println!("Median, and in brackets its ratio to {against}.\n");
        }
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        println!("| | {} |", names.join(" | "));
        println!("|---|{}", "---|".repeat(names.len()));
        for row in 0..self.rows.len() {
            let cells: Vec<String> =
                (0..names.len()).map(|column| self.cell(row, column, base)).collect();
            println!("| {} | {} |", self.rows[row], cells.join(" | "));
        }
    }

    fn cell(&self, row: usize, column: usize, base: Option<usize>) -> String {
        let Some(figure) = self.median(row, column) else { return "-".to_owned() };
        let shown = show(figure, self.columns[column].1);
        match base.filter(|base| *base != row).and_then(|base| self.median(base, column)) {
            Some(base) if base > 0.0 => format!("{shown} ({:.2})", figure / base),
            _ => shown,
        }
    }

    fn median(&self, row: usize, column: usize) -> Option<f64> {
        median(self.samples.get(&(row, column))?)
    }
}

fn position_or_push<T>(
    list: &mut Vec<T>,
    is: impl Fn(&T) -> bool,
    make: impl FnOnce() -> T,
) -> usize {
    list.iter().position(is).unwrap_or_else(|| {
        list.push(make());
        list.len() - 1
    })
}

/// A figure with the unit that suits its size.
fn show(figure: f64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => format!("{figure:.0}"),
        Unit::Nanoseconds if figure < 10.0 => format!("{figure:.1}"),
        Unit::Nanoseconds if figure < 10_000.0 => format!("{figure:.0}"),
        Unit::Nanoseconds if figure < 1e6 => format!("{:.1} µs", figure / 1e3),
        Unit::Nanoseconds => format!("{:.1} ms", figure / 1e6),
    }
}

/// Bytes of memory that this process holds now.
///
/// Linux counts resident pages in `/proc/self/statm`, here of 4 KiB.
fn resident() -> f64 {
    let counts = std::fs::read_to_string("/proc/self/statm")
        .expect("/proc/self/statm: memory figures need Linux");
    let pages: f64 = counts
        .split_whitespace()
        .nth(1)
        .and_then(|field| field.parse().ok())
        .expect("resident pages");
    pages * 4096.0
}

/// Resident bytes that `build` adds, shared out over `entries`. For a process that has done nothing
/// else yet.
pub fn growth<T>(entries: usize, build: impl FnOnce() -> T) -> f64 {
    let before = resident();
    let built = build();
    let after = resident();
    drop(black_box(built));
    (after - before) / entries as f64
}

/// The figures that this same program prints when started afresh as `child ARGUMENTS`: a new heap
/// holds no leftovers of others.
pub fn in_child(arguments: &[&str]) -> Vec<f64> {
    let program = std::env::current_exe().expect("the path of this program");
    let answer = Command::new(program)
        .arg("child")
        .args(arguments)
        .output()
        .expect("start a child of this program");
    assert!(
        answer.status.success(),
        "child {arguments:?}: {}",
        String::from_utf8_lossy(&answer.stderr)
    );
    let text = String::from_utf8(answer.stdout).expect("figures");
    text.split_whitespace().map(|figure| figure.parse().expect("a figure")).collect()
}

/// A small fast generator (splitmix64), seeded: every rival meets the same operations.
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 up to, but not, 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Shuffles `list`.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// Draws ranks below `count` by a Zipf law: rank `r` as often as `1 / (r + 1) ^ exponent`.
pub struct Zipf(Vec<f64>);

impl Zipf {
    /// The law for `count` ranks.
    pub fn new(count: usize, exponent: f64) -> Self {
        let mut total = 0.0;
        let heights = (1..=count).map(|rank| {
            total += (rank as f64).powf(-exponent);
            total
        });
        Self(heights.collect())
    }

    /// The next rank.
    pub fn draw(&self, random: &mut Random) -> usize {
        let height = random.unit() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|top| *top <= height).min(self.0.len() - 1)
    }
}
