//! What a capture saves is what there was at its instant, whatever happens before it is taken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::codec::save::save;
use crate::wire::grammar::{self, Commands};
use crate::{ManualClock, Store, rdb};

/// Keys that are changed while a capture is taken.
const KEYS: usize = 4_000;

fn run(store: &Store, commands: &mut Commands, count: usize) {
    let (all, makers) =
        (grammar::all(), grammar::named(&["SET", "RPUSH", "ZADD", "HSET", "SADD", "XADD"]));
    for _ in 0..count {
        let database = store.database(commands.below(3) as u16).expect("there are as many");
        let argv = commands.draw(&all, &makers).1;
        let argv: Vec<&[u8]> = argv.iter().map(|argument| &argument[..]).collect();
        database.answer(&argv, false);
    }
}

#[test]
fn changes_after_the_instant_are_not_saved() {
    for seed in 0..20 {
        let clock = ManualClock::new();
        let store = Store::builder().clock(&clock).build();
        let mut commands = Commands::new(seed);
        run(&store, &mut commands, 400);
        let mut before = Vec::new();
        rdb::export(&store, &mut before).expect("a vector takes all");

        let databases = store.databases();
        let (capture, ()) = databases.capture(|| ());
        let mut shards = capture.shards(databases);
        let taken_early: usize = shards.by_ref().take(3).map(|shard| shard.entries.len()).sum();
        let (late, ()) = databases.capture(|| ());
        run(&store, &mut commands, 400);
        clock.advance(Duration::from_secs(1 << 20));
        let taken_late: usize = shards.map(|shard| shard.entries.len()).sum();
        let mut saved = Vec::new();
        save(&mut saved, databases, &late, None, &mut |_| ()).expect("a vector takes all");

        let (one, other) = (loaded(&clock, &before), loaded(&clock, &saved));
        assert_eq!(one.first_difference(&other), None, "seed {seed}");
        let keys = capture.census().keys();
        assert_eq!(keys, (taken_early + taken_late) as u64, "each key once, seed {seed}");
        assert_eq!(keys, late.census().keys());
        for (_, shard) in databases.shards() {
            shard.read().check(databases.hasher());
        }
    }
}

/// The store of a file, as of a time before any deadline.
fn loaded(clock: &ManualClock, file: &[u8]) -> Store {
    let store = Store::builder().clock(clock).build_unswept();
    crate::codec::load::load(&mut &file[..], store.databases(), &mut |_| ()).expect("whole");
    store
}

/// Writers raise all keys together, in batches: a file in which two of them differ by more than a
/// batch allows is of no one instant.
#[test]
fn a_file_is_of_one_instant() {
    let store = Store::new();
    let names: Vec<String> = (0..KEYS).map(|key| format!("key:{key}")).collect();
    let (stop, files) = (AtomicBool::new(false), 6);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                for name in &names {
                    store.kv().set(name, number).expect("a string");
                    store.hash("all").set(name, number).expect("a hash");
                }
            }
        });
        for _ in 0..files {
            let mut file = Vec::new();
            rdb::export(&store, &mut file).expect("a vector takes all");
            let copy = Store::new();
            rdb::import(&copy, &file[..]).expect("a whole file");
            check_prefix(&copy, &names);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Numbers fall once, by one, along the keys; so do those in the hash, within one key of that.
fn check_prefix(copy: &Store, names: &[String]) {
    let numbers: Vec<u64> =
        names.iter().map(|name| copy.kv().get_as(name).expect("a number").unwrap_or(0)).collect();
    let falls = numbers.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(falls <= 1 && numbers.is_sorted_by(|one, other| one >= other), "{falls} falls");
    assert!(numbers[0] - numbers[KEYS - 1] <= 1, "{} and {}", numbers[0], numbers[KEYS - 1]);
    let fields = copy.hash("all").get_all().expect("a hash");
    let fields: BTreeMap<_, _> = fields.into_iter().map(|(name, n)| (name.to_vec(), n)).collect();
    let differ = names.iter().zip(&numbers).filter(|(name, number)| {
        let field = fields.get(name.as_bytes()).map_or(0, |n| {
            std::str::from_utf8(n).ok().and_then(|n| n.parse::<u64>().ok()).unwrap_or(u64::MAX)
        });
        field != **number
    });
    assert!(differ.count() <= 1, "the hash is of another instant");
}
