//! Commands on keys: wire forms, replies, and what Redis says.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{check_operation, check_output, reply};
use crate::ops::keys::*;
use crate::ops::scan::*;
use crate::value::Value;
use crate::{Kind, Store};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..12)
}

const CONDITIONS: [ExpireCondition; 6] = [
    ExpireCondition::Always,
    ExpireCondition::IfNone,
    ExpireCondition::IfAny,
    ExpireCondition::IfLater,
    ExpireCondition::IfEarlier,
    ExpireCondition::IfAnyAndEarlier,
];

proptest! {
    #[test]
    fn operations_survive(
        key in bytes(), other in bytes(), millis: i64, database: Option<u16>, replace: bool,
        cursor: u64, count in 1..=i64::MAX as u64, named in prop::option::of(bytes()),
    ) {
        let (key, keys) = (&key[..], [&key[..], &other]);
        let keys: Cow<'_, [&[u8]]> = Cow::Borrowed(&keys);
        check_operation(&Delete { key });
        check_operation(&DeleteMany { keys: keys.clone() });
        check_operation(&Exists { key });
        check_operation(&ExistMany { keys: keys.clone() });
        check_operation(&Touch { keys });
        check_operation(&TypeOf { key });
        for condition in CONDITIONS {
            check_operation(&ExpireIn { key, millis, condition });
            check_operation(&ExpireAt { key, unix_millis: millis, condition });
        }
        check_operation(&TimeLeft { key });
        check_operation(&SecondsLeft { key });
        check_operation(&Deadline { key });
        check_operation(&DeadlineSeconds { key });
        check_operation(&Persist { key });
        check_operation(&Rename { from: key, to: &other });
        check_operation(&RenameIfAbsent { from: key, to: &other });
        let options = CopyOptions { database, replace };
        check_operation(&Copy { source: key, destination: &other, options });
        check_operation(&Move { key, database: database.unwrap_or_default() });
        let options = ScanOptions { pattern: named.as_deref(), count, kind: named.as_deref() };
        check_operation(&Scan { cursor, options });
        check_operation(&Matching { pattern: key });
    }

    #[test]
    fn outputs_survive(name in bytes(), number in 0..i64::MAX, cursor: u64, yes: bool) {
        let key = &b"k"[..];
        check_output(&Delete { key }, &yes);
        check_output(&Count {}, &(number as usize));
        for kind in [None, Some(Kind::String), Some(Kind::SortedSet), Some(Kind::Stream)] {
            check_output(&TypeOf { key }, &kind);
        }
        for lifetime in [Lifetime::NoKey, Lifetime::Forever, Lifetime::Millis(number)] {
            check_output(&TimeLeft { key }, &lifetime);
            check_output(&Deadline { key }, &lifetime);
        }
        let lifetime = Lifetime::Millis(number / 1000 * 1000);
        check_output(&SecondsLeft { key }, &lifetime);
        check_output(&DeadlineSeconds { key }, &lifetime);
        check_output(&Rename { from: key, to: key }, &());
        let keys = vec![Value::from(name), Value::default()];
        check_output(&Matching { pattern: key }, &keys);
        let scan = Scan { cursor: 0, options: ScanOptions::default() };
        check_output(&scan, &Page { cursor, keys });
        check_output(&RandomKey {}, &Some(Value::from("k")));
        check_output(&RandomKey {}, &None);
    }
}

#[test]
fn operations_without_a_key_survive() {
    check_operation(&Count {});
    check_operation(&RandomKey {});
    for mode in [ClearMode::Default, ClearMode::Async, ClearMode::Sync] {
        check_operation(&Clear { mode });
        check_operation(&ClearAll { mode });
    }
}

fn assert_replies(expected: &[(&str, &str)]) {
    let store = Store::new();
    for (command, answer) in expected {
        assert_eq!(reply(&store, command), *answer, "to {command}");
    }
}

#[test]
fn expire_minds_its_conditions() {
    assert_replies(&[
        ("SET k v", "+OK"),
        ("EXPIRE k 100 XX", ":0"),
        ("EXPIRE k 100 GT", ":0"),
        ("EXPIRE k 100 XX LT", ":0"),
        ("EXPIRE k 100 LT", ":1"),
        ("EXPIRE k 50 NX", ":0"),
        ("EXPIRE k 50 XX GT", ":0"),
        ("EXPIRE k 200 GT XX", ":1"),
        ("TTL k", ":200"),
        ("EXPIRE k 9 NX GT", "ERR NX and XX, GT or LT options at the same time are not compatible"),
        ("EXPIRE k 9 GT LT", "ERR GT and LT options at the same time are not compatible"),
        ("EXPIRE k 9 foo", "ERR Unsupported option foo"),
        ("EXPIRE k x foo", "ERR Unsupported option foo"),
        ("EXPIRE k x", "ERR value is not an integer or out of range"),
        ("EXPIRE k 9223372036854775807", "ERR invalid expire time in 'expire' command"),
        ("PEXPIRE k 9223372036854775807", "ERR invalid expire time in 'pexpire' command"),
        ("TTL k", ":200"),
        ("PERSIST k", ":1"),
        ("PERSIST k", ":0"),
        ("EXPIRE k -9223372036854775", ":1"),
        ("TTL k", ":-2"),
        ("PEXPIREAT k 1", ":0"),
    ]);
}

#[test]
fn databases_and_names_are_checked() {
    assert_replies(&[
        ("SET k v", "+OK"),
        ("COPY k k", "ERR source and destination objects are the same"),
        ("COPY k k DB 1", ":1"),
        ("COPY k k DB 1", ":0"),
        ("COPY k k DB 1 REPLACE", ":1"),
        ("COPY k l DB 16", "ERR DB index is out of range"),
        ("COPY k l DB x", "ERR value is not an integer or out of range"),
        ("COPY k l DB", "ERR syntax error"),
        ("MOVE k 0", "ERR source and destination objects are the same"),
        ("MOVE k 1", ":0"),
        ("MOVE k 99999", "ERR DB index is out of range"),
        ("RENAME l k", "ERR no such key"),
        ("RENAMENX k k", ":0"),
        ("RENAME k k", "+OK"),
        ("SCAN x", "ERR invalid cursor"),
        ("SCAN 0 COUNT 0", "ERR syntax error"),
        ("SCAN 0 TYPE ZSET", "*2 $1 0 *0"),
        ("SCAN 0 TYPE String MATCH k*", "*2 $1 0 *1 $1 k"),
        ("FLUSHDB now", "ERR syntax error"),
        ("FLUSHALL ASYNC", "+OK"),
        ("RANDOMKEY", "$-1"),
    ]);
}
