//! RDB files through the public interface. Interoperation with Redis is in `tests/interop`.

use std::io::{self, Read};
use std::time::Duration;

use larder::persist::{Kept, Source, Stage};
use larder::rdb::{self, Existing};
use larder::{Error, ManualClock, RestoreOptions, Store};

/// A store with something of everything, in several databases and many shards.
fn full(clock: &ManualClock) -> Store {
    let store = Store::builder().clock(clock).build();
    for number in 0..3000 {
        store.kv().set(format!("key:{number}"), number).unwrap();
    }
    store.kv().set_for("dated", "milk", Duration::from_secs(60)).unwrap();
    let other = store.database(3).unwrap();
    other.list("list").push_back_many(&["a", "b"]).unwrap();
    other.set("set").add_many(&["a", "b"]).unwrap();
    other.sorted_set("scores").add("ada", 1.5).unwrap();
    other.hash("hash").set("field", "value").unwrap();
    other.stream("log").append(&[("name", "value")]).unwrap();
    store
}

fn exported(store: &Store) -> Vec<u8> {
    let mut file = Vec::new();
    let exported = rdb::export(store, &mut file).unwrap();
    assert_eq!(exported.bytes, file.len() as u64);
    file
}

#[test]
fn a_store_survives() {
    let clock = ManualClock::new();
    let store = full(&clock);
    let file = exported(&store);
    let other = Store::builder().clock(&clock).build();
    let mut steps = Vec::new();
    let imported =
        rdb::import_with(&other, &file[..], Existing::Refuse, |done| steps.push(done)).unwrap();
    assert_eq!((imported.keys, imported.expired, imported.kept), (3006, 0, 0));
    assert_eq!(steps.last(), Some(&(file.len() as u64)));
    assert_eq!(other.kv().get_as::<i64>("key:17").unwrap(), Some(17));
    let other = other.database(3).unwrap();
    assert_eq!(other.list("list").pop_back().unwrap().unwrap(), "b");
    assert_eq!(other.sorted_set("scores").rank("ada").unwrap(), Some(0));
    assert_eq!(other.hash("hash").get("field").unwrap().unwrap(), "value");
}

#[test]
fn deadlines_go_on_and_what_has_passed_is_left_out() {
    let clock = ManualClock::new();
    let file = exported(&full(&clock));
    clock.advance(Duration::from_secs(59));
    let in_time = Store::builder().clock(&clock).build();
    rdb::import(&in_time, &file[..]).unwrap();
    assert!(in_time.kv().get("dated").unwrap().is_some());
    clock.advance(Duration::from_secs(1));
    assert!(in_time.kv().get("dated").unwrap().is_none());
    let late = Store::builder().clock(&clock).build();
    assert_eq!(rdb::import(&late, &file[..]).unwrap().expired, 1);
}

#[test]
fn keys_that_exist_are_refused_replaced_or_kept() {
    let clock = ManualClock::new();
    let file = exported(&full(&clock));
    let store = Store::builder().clock(&clock).build();
    store.kv().set("key:5", "mine").unwrap();
    assert_eq!(rdb::import(&store, &file[..]), Err(Error::KeyExists("key:5".into())));
    assert_eq!(store.keys().len().unwrap(), 1);

    let kept = rdb::import_with(&store, &file[..], Existing::Keep, |_| ()).unwrap();
    assert_eq!((kept.keys, kept.kept), (3005, 1));
    assert_eq!(store.kv().get("key:5").unwrap().unwrap(), "mine");

    let replaced = rdb::import_with(&store, &file[..], Existing::Replace, |_| ()).unwrap();
    assert_eq!((replaced.keys, replaced.kept), (3006, 0));
    assert_eq!(store.kv().get("key:5").unwrap().unwrap(), "5");
}

#[test]
fn a_damaged_file_changes_nothing() {
    let file = exported(&full(&ManualClock::new()));
    let store = Store::new();
    for at in [0, 9, 500, file.len() - 9, file.len() - 1] {
        let mut damaged = file.clone();
        damaged[at] ^= 1;
        let imported = rdb::import(&store, &damaged[..]);
        assert!(matches!(imported, Err(Error::Corrupt { .. })), "{at}: {imported:?}");
        assert!(rdb::import(&store, &file[..at]).is_err());
    }
    assert_eq!(store.keys().len().unwrap(), 0);
}

#[test]
fn too_few_databases_and_a_reader_that_fails_are_errors() {
    let file = exported(&full(&ManualClock::new()));
    let small = Store::builder().databases(3).build();
    let too_few = Err(Error::TooFewDatabases { used: 3, count: 3 });
    assert_eq!(rdb::import(&small, &file[..]), too_few);
    let failing = file[..1000].chain(Failing);
    let imported = rdb::import(&Store::new(), failing);
    assert!(matches!(imported, Err(Error::Io { kind: io::ErrorKind::Other, .. })), "{imported:?}");
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is on fire"))
    }
}

#[test]
fn dumped_values_are_checked() {
    let store = Store::new();
    store.kv().set("a", "text").unwrap();
    let mut dumped = store.keys().dump("a").unwrap().unwrap().to_vec();
    dumped[2] ^= 1;
    let restored = store.keys().restore("b", &dumped, RestoreOptions::new());
    assert_eq!(restored, Err(Error::PayloadChecksum));
    let restored = store.keys().restore("b", b"short", RestoreOptions::new());
    assert_eq!(restored, Err(Error::PayloadChecksum));
    assert!(!store.keys().exists("b").unwrap());
    assert_eq!(store.keys().dump("b").unwrap(), None);
    let zero = RestoreOptions::new().expire_in(Duration::ZERO);
    dumped[2] ^= 1;
    assert_eq!(store.keys().restore("b", &dumped, zero), Err(Error::InvalidExpire));
}

/// What was kept, in the form in which Redis keeps it.
fn kept(bytes: &[u8]) -> Kept {
    let (reader, length) = (Box::new(io::Cursor::new(bytes.to_vec())), bytes.len() as u64);
    let snapshot = Some(Source { reader, length, name: "appendonly.aof".to_owned() });
    Kept { snapshot, segments: Vec::new() }
}

fn command(words: &[&str]) -> Vec<u8> {
    let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let words: Vec<_> = words.collect();
    format!("*{}\r\n{}", words.len(), words.concat()).into_bytes()
}

#[test]
fn a_snapshot_and_the_log_behind_it_are_imported() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    store.kv().set_for("dated", "milk", Duration::from_secs(60)).unwrap();
    store.kv().set_for("renewed", "cheese", Duration::from_secs(60)).unwrap();
    store.kv().set("a", "old").unwrap();
    let log = [
        command(&["SELECT", "3"]),
        command(&["RPUSH", "list", "a", "b"]),
        command(&["SELECT", "0"]),
        command(&["MULTI"]),
        command(&["SET", "a", "new"]),
        command(&["PERSIST", "renewed"]),
        command(&["EXEC"]),
    ];
    let file = [exported(&store), log.concat()].concat();
    clock.advance(Duration::from_secs(61));

    let other = Store::builder().clock(&clock).build();
    let mut last = None;
    let tell = |progress| last = Some(progress);
    let imported = rdb::import_kept_with(&other, kept(&file), Existing::Refuse, tell).unwrap();
    assert_eq!((imported.keys, imported.expired, imported.commands), (3, 1, 7));
    assert_eq!((imported.bytes, imported.torn), (file.len() as u64, None));
    let last = last.unwrap();
    assert_eq!((last.stage, last.done, last.total), (Stage::Loading, imported.bytes, last.done));
    assert_eq!(other.kv().get("a").unwrap().unwrap(), "new");
    assert_eq!(other.kv().get("renewed").unwrap().unwrap(), "cheese");
    assert_eq!(other.database(3).unwrap().list("list").len().unwrap(), 2);
    assert!(matches!(rdb::import_kept(&other, kept(&file)), Err(Error::KeyExists(_))));
}

#[test]
fn the_torn_end_of_a_log_is_left_out_and_told() {
    let (whole, torn) = (command(&["SET", "a", "1"]), command(&["SET", "b", "2"]));
    for length in 1..torn.len() {
        let store = Store::new();
        let file = [&whole[..], &torn[..length]].concat();
        let imported = rdb::import_kept(&store, kept(&file)).unwrap();
        let found = imported.torn.unwrap();
        assert_eq!((found.valid_length, found.lost), (whole.len() as u64, length as u64));
        assert_eq!((imported.keys, store.stats().keys), (1, 1));
    }
}

#[test]
fn functions_in_a_log_are_passed_over() {
    let store = Store::new();
    let log = [
        command(&["SET", "a", "1"]),
        command(&["FUNCTION", "LOAD", "#!lua name=l\n"]),
        command(&["MULTI"]),
        command(&["function", "DELETE", "l"]),
        command(&["SET", "b", "2"]),
        command(&["EXEC"]),
    ];
    let imported = rdb::import_kept(&store, kept(&log.concat())).unwrap();
    assert_eq!((imported.keys, imported.functions, imported.commands), (2, 2, 4));
}

#[test]
fn a_command_in_a_log_that_no_store_has_is_not_supported() {
    let sound = command(&["SET", "a", "1"]);
    let offset = sound.len() as u64;
    for name in ["PFADD", "FUNCTIONS", "MODULE.SET"] {
        let store = Store::new();
        let log = [&sound[..], &command(&[name, "x"]), &command(&["SET", "b", "2"])].concat();
        let what = format!("appendonly.aof: the command {name:?} is not supported");
        let refusal = rdb::import_kept(&store, kept(&log)).unwrap_err();
        assert_eq!(refusal, Error::Corrupt { what, offset });
        assert_eq!(store.stats().keys, 0);
    }
}

#[test]
fn a_log_with_damage_changes_nothing() {
    let store = Store::new();
    for damage in [command(&["EXEC"]), command(&["INCR", "text"]), b"*x".to_vec()] {
        let file = [command(&["SET", "text", "a"]), damage].concat();
        let error = rdb::import_kept(&store, kept(&file)).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert_eq!(store.stats().keys, 0);
    }
}

#[test]
fn an_export_tells_how_far_it_is() {
    let mut steps = Vec::new();
    let store = full(&ManualClock::new());
    rdb::export_with(&store, io::sink(), |progress| steps.push(progress)).unwrap();
    assert!(steps.is_sorted_by_key(|progress| progress.done));
    assert!((10..=100).contains(&steps.len()), "{}", steps.len());
    let last = steps.last().unwrap();
    assert_eq!((last.stage, last.done, last.total), (Stage::Snapshot, 3006, 3006));
}
