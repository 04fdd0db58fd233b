//! The worst single SET while a store grows to 10,000,000 keys: the mean hides a table's rehash.
//!
//! Every rival grows in a process of its own, so that none meets the heap that another left. The
//! two clock reads around each SET are in the figures, the same for all.

use std::time::Instant;

use crate::kv::{self, KeyValue, key};
use crate::measure::{Options, Table, Unit, in_child, turn};

const COLUMNS: [&str; 5] = ["worst SET", "p99.999", "p99.9", "median SET", "mean SET"];

/// Prints the table.
pub fn run(options: &Options) {
    let keys = options.size(10_000_000, 100_000);
    let names: Vec<&str> = kv::names().into_iter().filter(|name| options.wants(name)).collect();
    let mut table = Table::new(format!("Growing to {keys} keys of 16 B, values of 64 B"))
        .rows(names.iter().copied());
    for round in 0..options.rounds(3) {
        for at in turn(round, names.len()) {
            let figures = in_child(&["stall", names[at], &keys.to_string()]);
            for (column, figure) in COLUMNS.iter().zip(figures) {
                table.add(names[at], column, Unit::Nanoseconds, figure);
            }
        }
    }
    table.print(options.against("hashbrown, no lock"));
}

/// In a child: the figures of [`COLUMNS`] for `K`.
pub fn grow<K: KeyValue>(keys: usize) -> Vec<f64> {
    // Written once before, so that its own pages cost no SET a fault.
    let mut times = vec![1u32; keys];
    times.fill(0);
    let mut store = K::open(keys, None);
    for (number, time) in times.iter_mut().enumerate() {
        let key = key(number);
        let start = Instant::now();
        store.set(&key, &kv::VALUE);
        *time = u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX);
    }
    let mean = times.iter().map(|time| f64::from(*time)).sum::<f64>() / keys as f64;
    times.sort_unstable();
    let at = |share: f64| f64::from(times[((keys - 1) as f64 * share) as usize]);
    vec![at(1.0), at(0.99999), at(0.999), at(0.5), mean]
}
