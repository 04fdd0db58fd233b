//! Hash commands refuse what Redis refuses, in its words, and answer in its shapes.

use crate::ops::hash::GetAll;
use crate::wire::tests::{check_answer, reply};
use crate::{ManualClock, Store, Upkeep};

#[test]
fn errors_are_in_the_words_of_redis() {
    let store = Store::new();
    for (command, text) in [
        ("HSET h a", "ERR wrong number of arguments for 'hset' command"),
        ("HSET h a 1 b", "ERR wrong number of arguments for 'hset' command"),
        ("HMSET h a 1 b", "ERR wrong number of arguments for 'hmset' command"),
        ("HINCRBY h a x", "ERR value is not an integer or out of range"),
        ("HINCRBYFLOAT h a x", "ERR value is not a valid float"),
        ("HINCRBYFLOAT h a inf", "ERR value is NaN or Infinity"),
        ("HRANDFIELD h 1 VALUES", "ERR syntax error"),
        ("HSCAN h x", "ERR invalid cursor"),
        ("HSCAN h 0 COUNT 0", "ERR syntax error"),
        (
            "HTTL h FIELD 1 a",
            "ERR Mandatory argument FIELDS is missing or not at the right position",
        ),
        ("HTTL h FIELDS 0 a", "ERR Number of fields must be a positive integer"),
        ("HTTL h FIELDS 2 a", "ERR The `numfields` parameter must match the number of arguments"),
        ("HEXPIRE h 1 FIELDS x a", "ERR Parameter `numFields` should be greater than 0"),
        ("HEXPIRE h -1 FIELDS 1 a", "ERR invalid expire time, must be >= 0"),
        ("HEXPIRE h x FIELDS 1 a", "ERR value is not an integer or out of range"),
        (
            "HEXPIRE h 9223372036854775807 FIELDS 1 a",
            "ERR invalid expire time in 'hexpire' command",
        ),
        (
            "HPEXPIREAT h 70368744177664 FIELDS 1 a",
            "ERR invalid expire time in 'hpexpireat' command",
        ),
        ("HSETEX h FNX FXX FIELDS 1 a 1", "ERR Only one of FXX or FNX arguments can be specified"),
        (
            "HSETEX h EX 1 KEEPTTL FIELDS 1 a 1",
            "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
        ),
        ("HSETEX h NX FIELDS 1 a 1", "ERR unknown argument: NX"),
        ("HSETEX h FIELDS 2 a 1", "ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h FIELDS 0 a 1", "ERR invalid number of fields"),
    ] {
        assert_eq!(reply(&store, command), text, "{command}");
        assert_eq!(reply(&store, "EXISTS h"), ":0", "{command}");
    }
    reply(&store, "HSET h a x");
    assert_eq!(reply(&store, "HINCRBY h a 1"), "ERR hash value is not an integer");
    assert_eq!(reply(&store, "HINCRBYFLOAT h a 1"), "ERR hash value is not a float");
}

#[test]
fn answers_about_deadlines_are_numbers() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    reply(&store, "HSET h a 1 b 2 c 3");
    assert_eq!(reply(&store, "HPEXPIRE h 1500 FIELDS 2 a x"), "*2 :1 :-2");
    assert_eq!(reply(&store, "HPTTL h FIELDS 3 a b x"), "*3 :1500 :-1 :-2");
    assert_eq!(reply(&store, "HTTL h FIELDS 3 a b x"), "*3 :2 :-1 :-2");
    assert_eq!(reply(&store, "HEXPIRETIME h FIELDS 1 a"), "*1 :1577836802");
    assert_eq!(reply(&store, "HPEXPIRETIME h FIELDS 1 a"), "*1 :1577836801500");
    assert_eq!(reply(&store, "HEXPIRE h 9 NX FIELDS 2 a b"), "*2 :0 :1");
    assert_eq!(reply(&store, "HPERSIST h FIELDS 3 a c x"), "*3 :1 :-1 :-2");
    assert_eq!(reply(&store, "HEXPIRE h 0 FIELDS 2 b x"), "*2 :2 :-2");
    assert_eq!(reply(&store, "HTTL none FIELDS 2 a b"), "*2 :-2 :-2");
    assert_eq!(reply(&store, "HEXPIRE none 9 FIELDS 1 a"), "*1 :-2");
    assert_eq!(reply(&store, "HGETEX h EX 5 FIELDS 2 a x"), "*2 $1 1 $-1");
    assert_eq!(reply(&store, "HTTL h FIELDS 1 a"), "*1 :5");
    assert_eq!(reply(&store, "HSETEX h FNX FIELDS 2 a 9 d 4"), ":0");
    assert_eq!(reply(&store, "HSETEX h KEEPTTL FIELDS 1 a 9"), ":1");
    assert_eq!(reply(&store, "HTTL h FIELDS 1 a"), "*1 :5");
    assert_eq!(reply(&store, "HGETDEL h FIELDS 2 a c"), "*2 $1 9 $1 3");
    assert_eq!(reply(&store, "EXISTS h"), ":0");
}

#[test]
fn pairs_are_flat_nested_or_a_map() {
    let store = Store::new();
    store.answer(&[b"HSET", b"h", b"a", b"1"], true);
    let answer = |argv: &[&[u8]], resp3| String::from_utf8(store.answer(argv, resp3)).unwrap();
    let flat = "*2\r\n$1\r\na\r\n$1\r\n1\r\n";
    assert_eq!(answer(&[b"HGETALL", b"h"], false), flat);
    assert_eq!(answer(&[b"HGETALL", b"h"], true), flat.replacen("*2", "%1", 1));
    assert_eq!(answer(&[b"HGETALL", b"none"], true), "%0\r\n");
    assert_eq!(answer(&[b"HRANDFIELD", b"h", b"1", b"WITHVALUES"], false), flat);
    assert_eq!(answer(&[b"HRANDFIELD", b"h", b"1", b"WITHVALUES"], true), format!("*1\r\n{flat}"));
    assert_eq!(answer(&[b"HSCAN", b"h", b"0"], true), format!("*2\r\n$1\r\n0\r\n{flat}"));
    let names = "*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n";
    assert_eq!(answer(&[b"HSCAN", b"h", b"0", b"NOVALUES"], true), names);
}

#[test]
fn fields_are_written_from_where_they_lie_as_what_was_read_is() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).upkeep(Upkeep::Manual).build();
    store.kv().set("string", "value").unwrap();
    for count in [1, 100, 1_000] {
        for number in 0..count {
            store.hash("hash").set(format!("field {number}"), number).unwrap();
        }
        reply(&store, "HPEXPIRE hash 10 FIELDS 1 dated");
        reply(&store, "HSET hash dated value");
        reply(&store, "HPEXPIRE hash 10 FIELDS 1 dated");
        for key in ["hash", "absent", "string"] {
            check_answer(&store, &GetAll { key: key.as_bytes() });
        }
        clock.advance(std::time::Duration::from_millis(10));
        check_answer(&store, &GetAll { key: b"hash" });
    }
}
