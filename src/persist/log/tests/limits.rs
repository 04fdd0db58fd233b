//! What lies at the limits of what a command may say is read back all the same.

use std::time::Duration;

use crc::{CRC_64_REDIS, Crc};

use super::*;
use crate::codec::save::save;
use crate::persist::Memory;
use crate::persist::frame::Chain;

/// Runs commands, opens the store again after each, and asserts that nothing has changed.
fn check(clock: &ManualClock, commands: &[&[&[u8]]]) {
    let memory = Memory::new();
    let builder = || Store::builder().clock(clock);
    for argv in commands {
        let what = argv.concat();
        let what = what.escape_ascii();
        let store = builder().persistence(memory.clone()).open().expect("what commands have left");
        let reply = store.answer(argv, false);
        assert_ne!(reply[0], b'-', "{what}: {}", reply.escape_ascii());
        let live = store.clone();
        store.close().expect("a log without faults");
        let again = builder().persistence(memory.clone()).open();
        let again = again.unwrap_or_else(|error| panic!("{what}: {error}"));
        if let Some(difference) = live.first_difference(&again) {
            panic!("{what}: {difference}");
        }
    }
}

fn check_words(commands: &[&str]) {
    let split: Vec<Vec<&[u8]>> =
        commands.iter().map(|text| text.split(' ').map(str::as_bytes).collect()).collect();
    check(&ManualClock::new(), &split.iter().map(|argv| &argv[..]).collect::<Vec<_>>());
}

#[test]
fn counters_of_streams_at_their_last_number() {
    check_words(&[
        "XADD x 1-1 f v",
        "XGROUP CREATE x g 0 ENTRIESREAD 9223372036854775807",
        "XREADGROUP GROUP g c STREAMS x >",
        "XCLAIM x g c 0 1-1 RETRYCOUNT 9223372036854775807",
        "XCLAIM x g c 0 1-1",
        "XREADGROUP GROUP g c STREAMS x 0",
        "XAUTOCLAIM x g d 0 0",
        "XSETID x 1-1 ENTRIESADDED 9223372036854775807 MAXDELETEDID 0-0",
        "XADD x 2-1 f v",
        "XREADGROUP GROUP g c STREAMS x >",
    ]);
}

/// A hash whose field `f` has a deadline, as Valkey dumps it.
fn dated(unix_ms: i64) -> Vec<u8> {
    const VERSION: u16 = 80;
    let field = [&b"\x16\x01\x01f\x011"[..], &unix_ms.to_le_bytes(), &VERSION.to_le_bytes()];
    let field = field.concat();
    let checksum = Crc::<u64>::new(&CRC_64_REDIS).checksum(&field);
    [&field[..], &checksum.to_le_bytes()].concat()
}

#[test]
fn deadlines_of_fields_beyond_the_last() {
    for unix_ms in [253_402_300_799_000, i64::MAX] {
        let dumped = dated(unix_ms);
        let restore: &[&[u8]] = &[b"RESTORE", b"h", b"0", &dumped];
        let increment: &[&[u8]] = &[b"HINCRBY", b"h", b"f", b"1"];
        check(&ManualClock::new(), &[restore, increment]);
    }
}

/// So a deadline that was the last is beyond it.
#[test]
fn deadlines_of_fields_when_the_clock_on_the_wall_was_moved() {
    let clock = ManualClock::new();
    let memory = Memory::new();
    let open = || Store::builder().clock(&clock).persistence(memory.clone()).open();
    let store = open().unwrap();
    store.hash("h").set("f", 1).unwrap();
    let argv: &[&[u8]] = &[b"HPEXPIREAT", b"h", b"70368744177663", b"FIELDS", b"1", b"f"];
    assert_eq!(store.answer(argv, false), b"*1\r\n:1\r\n");
    clock.set_wall(clock.wall() + Duration::from_secs(10));
    assert_eq!(store.hash("h").increment("f", 1), Ok(2));
    store.close().unwrap();
    assert_eq!(open().unwrap().hash("h").get_as::<i64>("f"), Ok(Some(2)));
}

/// A memory with a snapshot of nothing, behind which the log goes on from here.
fn memory_going_on_from(chain: Chain) -> Memory {
    let store = Store::new();
    let (capture, ()) = store.databases().capture(|| ());
    let memory = Memory::new();
    let own = memory.clone();
    own.open().unwrap();
    own.rotate().unwrap();
    let mut snapshot = own.snapshot().unwrap();
    let log = chain.to_text();
    save(&mut snapshot, store.databases(), &capture, Some(&log), &mut |_| ()).unwrap();
    snapshot.commit().unwrap();
    memory
}

#[test]
fn frames_go_on_behind_the_last_number() {
    for left in 0..3 {
        let chain = Chain { sequence: i64::MAX as u64 - left, checksum: 7 };
        let memory = memory_going_on_from(chain);
        let builder = || Store::builder().persistence(memory.clone());
        let open = || builder().durability(Durability::Always).open().unwrap();
        for value in 0..6 {
            let store = open();
            if value == 4 {
                store.snapshot().unwrap();
            }
            store.kv().set("a", value).unwrap();
            store.close().unwrap();
            assert_eq!(open().kv().get_as::<i64>("a").unwrap(), Some(value), "{left}");
        }
    }
}
