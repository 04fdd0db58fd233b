//! RDB files, in every encoding that can be had from the server.

use std::fs;
use std::process::Command;

use larder::{RestoreOptions, Store, rdb};

use crate::data::{all_groups, contents, database, fill, key, text, value};
use crate::redis::Server;
use crate::{answer, client};

const KEYS: usize = 20_000;

/// Limits under which collections are packed, and whether strings are compressed.
const SETTINGS: [&[&str]; 3] = [
    &["--rdbcompression", "yes"],
    &[
        "--rdbcompression",
        "no",
        "--hash-max-listpack-entries",
        "0",
        "--zset-max-listpack-entries",
        "0",
        "--set-max-intset-entries",
        "0",
        "--list-max-listpack-size",
        "3",
        "--stream-node-max-entries",
        "3",
    ],
    &[
        "--hash-max-listpack-entries",
        "100000",
        "--zset-max-listpack-entries",
        "100000",
        "--set-max-intset-entries",
        "100000",
        "--list-max-listpack-size",
        "-5",
        "--stream-node-max-entries",
        "100000",
        "--stream-node-max-bytes",
        "0",
    ],
];

#[test]
fn a_file_of_redis_is_read_and_one_of_ours_is_loaded() {
    for (settings, seed) in SETTINGS.iter().zip(1..) {
        let options = [&["--enable-debug-command", "yes"], *settings].concat();
        let server = Server::start_with(&options);
        let mut redis = server.connect(false);
        fill(&mut redis, KEYS, seed);
        redis.call(&[b"SELECT", b"0"]);
        let expected = contents(|request| redis.call(request));
        let groups = all_groups(KEYS, |request| redis.call(request));
        assert_eq!(redis.call(&[b"SAVE"]), b"+OK\r\n");

        let store = Store::new();
        let path = server.folder().join("dump.rdb");
        let imported = rdb::import(&store, fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(imported.bytes, fs::metadata(&path).unwrap().len());
        let mut client = client(&store);
        assert_eq!(contents(|request| answer(&mut client, request)), expected);
        assert_eq!(all_groups(KEYS, |request| answer(&mut client, request)), groups);

        let mut file = Vec::new();
        rdb::export(&store, &mut file).unwrap();
        fs::write(&path, &file).unwrap();
        let checked = Command::new("redis-check-rdb").arg(&path).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        assert_eq!(text(&redis.call(&[b"DEBUG", b"RELOAD", b"NOSAVE"])), "+OK\r\n");
        assert_eq!(contents(|request| redis.call(request)), expected);
        assert_eq!(all_groups(KEYS, |request| redis.call(request)), groups);
    }
}

#[test]
fn dumped_values_are_restored_on_either_side() {
    let server = Server::start_with(&["--enable-debug-command", "yes"]);
    let mut redis = server.connect(false);
    fill(&mut redis, KEYS, 7);
    let store = Store::new();
    let mut client = client(&store);
    let restore: [&[u8]; 3] = [b"RESTORE", b"copy", b"0"];
    for number in (0..KEYS).step_by(20) {
        let key = key(number);
        redis.call(&[b"SELECT", database(number).as_bytes()]);
        let dumped = redis.call(&[b"DUMP", &key]);
        if dumped == b"$-1\r\n" {
            continue;
        }
        let start = dumped.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let options = RestoreOptions::new().replace();
        store.keys().restore("copy", &dumped[start..dumped.len() - 2], options).unwrap();
        let found = value(b"copy", |request| answer(&mut client, request));

        let dumped = store.keys().dump("copy").unwrap().unwrap();
        let request = [&restore[..], &[&dumped, b"REPLACE"]].concat();
        assert_eq!(text(&redis.call(&request)), "+OK\r\n");
        let expected = value(b"copy", |request| redis.call(request));
        assert_eq!(found, expected, "{}", key.escape_ascii());
    }
}

#[test]
fn a_dumped_value_without_a_checksum_is_refused_on_either_side() {
    let store = Store::new();
    let mut client = client(&store);
    store.kv().set("a", "b").unwrap();
    let mut dumped = store.keys().dump("a").unwrap().unwrap().to_vec();
    let end = dumped.len() - 8;
    dumped[end..].fill(0);
    let request: [&[u8]; 4] = [b"RESTORE", b"copy", b"0", &dumped];
    let refusal = Server::start().connect(false).call(&request);
    assert_eq!(text(&refusal), "-ERR DUMP payload version or checksum are wrong\r\n");
    assert_eq!(answer(&mut client, &request), refusal);
}
