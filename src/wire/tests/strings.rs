//! String commands: wire forms, replies, and what Redis says.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{check_operation, check_output, reply};
use crate::Store;
use crate::ops::counters::*;
use crate::ops::strings::*;
use crate::value::Value;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..12)
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        Just(Expiry::Never),
        Just(Expiry::Keep),
        any::<i64>().prop_map(Expiry::In),
        any::<i64>().prop_map(Expiry::At),
    ]
}

/// A number from 0 to 4 chooses a condition.
fn condition(choice: u8, value: &[u8]) -> Condition<'_> {
    match choice {
        0 => Condition::Always,
        1 => Condition::IfAbsent,
        2 => Condition::IfPresent,
        3 => Condition::IfEqual(value),
        _ => Condition::IfNotEqual(value),
    }
}

proptest! {
    #[test]
    fn reads_survive(key in bytes(), other in bytes(), start: i64, end: i64) {
        let (key, keys) = (&key[..], [&key[..], &other]);
        check_operation(&Get { key });
        check_operation(&GetMany { keys: Cow::Borrowed(&keys) });
        check_operation(&GetAndDelete { key });
        check_operation(&Length { key });
        check_operation(&GetRange { key, start, end });
    }

    #[test]
    fn writes_survive(
        key in bytes(), value in bytes(), choice in 0_u8..5, expiry in expiry(), get: bool,
        offset: i64,
    ) {
        let (key, value) = (&key[..], &value[..]);
        let options = SetOptions { condition: condition(choice, value), expiry, get };
        check_operation(&Set { key, value, options });
        check_operation(&SetIfAbsent { key, value });
        check_operation(&GetAndExpire { key, renewal: Renewal(expiry) });
        check_operation(&Append { key, tail: value });
        check_operation(&SetRange { key, offset, bytes: value });
        for condition in [
            DeleteCondition::Always,
            DeleteCondition::IfEqual(value),
            DeleteCondition::IfNotEqual(value),
        ] {
            check_operation(&DeleteIf { key, condition });
        }
    }

    #[test]
    fn writes_of_several_survive(
        owned in prop::collection::vec((bytes(), bytes()), 1..4), expiry in expiry(),
    ) {
        let pairs: Cow<'_, [_]> = owned.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        check_operation(&SetMany { pairs: pairs.clone() });
        check_operation(&SetManyIfAbsent { pairs: pairs.clone() });
        for condition in [Existence::Any, Existence::AllAbsent, Existence::AllPresent] {
            let options = SetManyOptions { condition, expiry };
            check_operation(&SetManyWith { pairs: pairs.clone(), options });
        }
    }

    #[test]
    fn increments_survive(
        key in bytes(), by: i64, lower: Option<i64>, upper: Option<i64>, saturates: bool,
        expiry in expiry(), keeps: bool, float in -1e9_f64..1e9, bound: Option<i32>,
    ) {
        let key = &key[..];
        check_operation(&Increment { key, by });
        let renewal = Renewal(expiry);
        let keeps_deadline = keeps && matches!(expiry, Expiry::In(_) | Expiry::At(_));
        let float = float.to_string();
        let bound = bound.map(|bound| bound.to_string());
        let bound = bound.as_deref().map(str::as_bytes);
        for amount in [
            Amount::Integer { by, lower, upper },
            Amount::Float { by: float.as_bytes(), lower: bound, upper: bound },
        ] {
            let options = IncrementOptions { amount, saturates, renewal, keeps_deadline };
            check_operation(&IncrementWith { key, options });
        }
        check_operation(&IncrementFloat { key, by: float.as_bytes() });
    }

    #[test]
    fn outputs_survive(value in prop::option::of(bytes()), number: i64, size: u32, yes: bool) {
        let key = &b"k"[..];
        let value = value.map(Value::from);
        check_output(&Get { key }, &value);
        check_output(&GetMany { keys: Cow::Borrowed(&[key]) }, &vec![value.clone(), None]);
        check_output(&Length { key }, &(size as usize));
        check_output(&GetRange { key, start: 0, end: 0 }, &value.clone().unwrap_or_default());
        check_output(&Increment { key, by: 1 }, &number);
        check_output(&SetIfAbsent { key, value: key }, &yes);
        check_output(&SetMany { pairs: Cow::Borrowed(&[(key, key)]) }, &());
        let mut set = Set { key, value: key, options: SetOptions::default() };
        check_output(&set, &SetOutcome::Done(yes));
        set.options.get = true;
        check_output(&set, &SetOutcome::Previous(value));
    }

    #[test]
    fn outputs_of_increments_survive(sum: i64, applied: i64, float in -1_000_000..1_000_000) {
        let mut increment = IncrementWith { key: b"k", options: IncrementOptions::default() };
        check_output(&increment, &Incremented::Integer(sum, applied));
        increment.options.amount = Amount::Float { by: b"1", lower: None, upper: None };
        let text = Value::from((f64::from(float) / 4.0).to_string());
        check_output(&increment, &Incremented::Float(text.clone(), text));
    }
}

fn assert_replies(expected: &[(&str, &str)]) {
    let store = Store::new();
    for (command, answer) in expected {
        assert_eq!(reply(&store, command), *answer, "to {command}");
    }
}

#[test]
fn options_of_set_combine_as_in_redis() {
    let syntax = "ERR syntax error";
    let expire = "ERR invalid expire time in 'set' command";
    assert_replies(&[
        ("SET k v NX NX EX 5 EX 100", "+OK"),
        ("set k w get xx keepttl", "$1 v"),
        ("TTL k", ":100"),
        ("SET k v NX XX", syntax),
        ("SET k v EX 5 PX 5", syntax),
        ("SET k v EX 5 KEEPTTL", syntax),
        ("SET k v EX", syntax),
        ("SET k v EX x PX 5", syntax),
        ("SET k v EX x", "ERR value is not an integer or out of range"),
        ("SET k v EX 0", expire),
        ("SET k v PX -1", expire),
        ("SET k v EX 9223372036854775807", expire),
        ("SET k v PX 9223372036854775807", expire),
        ("SET k v IFEQ w", "+OK"),
        ("SET k v IFEQ w", "$-1"),
        ("SET absent v IFNE w", "+OK"),
        ("SET k v EXAT 1", "+OK"),
        ("GET k", "$-1"),
        ("SETEX k 0 v", "ERR invalid expire time in 'setex' command"),
        ("GETEX nokey EX 0", "$-1"),
        ("GETEX absent EX 0", "ERR invalid expire time in 'getex' command"),
        ("MSET a", "ERR wrong number of arguments for 'mset' command"),
        ("MSETEX 1 a b NX EX 5", ":1"),
        ("MSETEX 2 a b", "ERR wrong number of arguments for 'msetex' command"),
        ("MSETEX 0 a b", "ERR invalid numkeys value"),
        ("NOSUCH a b", "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "),
    ]);
}

#[test]
fn increx_refuses_and_saturates_as_redis_does() {
    assert_replies(&[
        ("INCREX k", "*2 :1 :1"),
        ("INCREX k BYINT 100 UBOUND 80", "*2 :1 :0"),
        ("INCREX k BYINT 100 UBOUND 80 SATURATE", "*2 :80 :79"),
        ("INCREX k BYINT -25 UBOUND 30", "*2 :80 :0"),
        ("INCREX k BYFLOAT 0.5 EX 100", "*2 $4 80.5 $3 0.5"),
        ("INCREX k BYFLOAT 1 EX 10 ENX", "*2 $4 81.5 $1 1"),
        ("TTL k", ":100"),
        ("INCREX k BYFLOAT 100 UBOUND 90.25 SATURATE PERSIST", "*2 $5 90.25 $4 8.75"),
        ("TTL k", ":-1"),
        ("INCREX k BYFLOAT inf", "ERR BYFLOAT increment cannot be Infinity"),
        ("INCREX k", "ERR value is not an integer or out of range"),
        ("INCREX absent BYINT 5 LBOUND 10", "*2 :0 :0"),
        ("EXISTS absent", ":0"),
        ("SET n 9223372036854775800", "+OK"),
        ("INCREX n BYINT 100", "*2 :9223372036854775800 :0"),
        ("INCREX n BYINT 100 SATURATE", "*2 :9223372036854775807 :7"),
        ("INCREX n SATURATE UBOUND -9223372036854775808", "ERR applied increment would overflow"),
        ("INCREX n BYINT 1 LBOUND 10 UBOUND 5", "ERR LBOUND can't be greater than UBOUND"),
        ("INCREX n ENX", "ERR ENX flag requires an expiration"),
        ("INCREX n ENX PERSIST", "ERR syntax error"),
        ("INCREX n EX 10 EX 10", "ERR syntax error"),
        ("INCREX n BYINT x", "ERR Increment is not an integer or out of range"),
        ("INCREX n BYINT -1 EXAT 1", "*2 :9223372036854775806 :-1"),
        ("EXISTS n", ":0"),
    ]);
}

#[test]
fn delex_compares() {
    assert_replies(&[
        ("SET k v", "+OK"),
        ("DELEX k IFEQ w", ":0"),
        ("DELEX k IFNE v", ":0"),
        ("DELEX k IFEQ v", ":1"),
        ("DELEX k IFNE v", ":0"),
        ("DELEX k IFEQ", "ERR wrong number of arguments for 'delex' command"),
        ("DELEX k FOO v", "ERR Invalid condition. Use IFEQ or IFNE"),
    ]);
}
