//! Bad inputs to hashes: a typed error or a defined answer, and nothing lost.

use std::time::{Duration, SystemTime};

use larder::{Error, ExpireIf, FieldOptions, Store, TimeToLive};

/// A store with a small hash and a large one, both with the same fields and more.
fn stores() -> Store {
    let store = Store::new();
    for name in ["small", "large"] {
        store.hash(name).set_many(&[("n", "5"), ("text", "abc"), ("f", "1.5")]).unwrap();
    }
    store.hash("large").set("filler", "x".repeat(1000)).unwrap();
    store
}

const BOTH: [&str; 2] = ["small", "large"];

#[test]
fn an_increment_past_the_largest_integer_changes_nothing() {
    let store = stores();
    for name in BOTH {
        let hash = store.hash(name);
        hash.set("n", i64::MAX).unwrap();
        assert_eq!(hash.increment("n", 1), Err(Error::Overflow));
        assert_eq!(hash.get_as("n").unwrap(), Some(i64::MAX));
        hash.set("n", i64::MIN).unwrap();
        assert_eq!(hash.increment("n", -1), Err(Error::Overflow));
        assert_eq!(hash.get_as("n").unwrap(), Some(i64::MIN));
    }
    assert_eq!(store.hash("new").increment("n", i64::MIN), Ok(i64::MIN));
}

#[test]
fn what_is_no_integer_is_not_incremented() {
    let store = stores();
    for name in BOTH {
        let hash = store.hash(name);
        for text in ["abc", " 1", "1 ", "01", "+1", "-0", "", "1.0", "9223372036854775808"] {
            hash.set("text", text).unwrap();
            assert_eq!(hash.increment("text", 1), Err(Error::NotAnInteger), "{text:?}");
            assert_eq!(hash.get("text").unwrap().unwrap(), text);
        }
    }
}

#[test]
fn an_increment_to_infinity_or_nan_leaves_the_field_readable() {
    let store = stores();
    for name in BOTH {
        let hash = store.hash(name);
        assert_eq!(hash.increment_float("f", f64::INFINITY), Err(Error::NotFinite));
        assert_eq!(hash.increment_float("f", f64::NEG_INFINITY), Err(Error::NotFinite));
        assert_eq!(hash.increment_float("f", f64::NAN), Err(Error::NotAFloat));
        assert_eq!(hash.increment_float("text", 1.0), Err(Error::NotAFloat));
        assert_eq!(hash.get_as::<f64>("f").unwrap(), Some(1.5));
        hash.set("f", "inf").unwrap();
        assert_eq!(hash.increment_float("f", 1.0), Err(Error::NotFinite));
        assert_eq!(hash.get("f").unwrap().unwrap(), "inf");
        hash.set("f", "nan").unwrap();
        assert_eq!(hash.increment_float("f", 1.0), Err(Error::NotAFloat));
    }
    assert_eq!(store.hash("new").increment_float("f", f64::NAN), Err(Error::NotAFloat));
    assert!(!store.keys().exists("new").unwrap());
}

#[test]
fn a_huge_sample_is_bounded() {
    let store = stores();
    for name in BOTH {
        let hash = store.hash(name);
        let count = hash.len().unwrap();
        assert_eq!(hash.random_fields(usize::MAX).unwrap().len(), count);
        assert_eq!(hash.random_fields(0).unwrap(), []);
        assert_eq!(hash.random_fields_repeating(usize::MAX).unwrap().len(), 1 << 20);
    }
    let absent = store.hash("absent");
    assert_eq!(absent.random_fields_repeating(usize::MAX).unwrap(), []);
    assert_eq!(absent.random_field().unwrap(), None);
}

#[test]
fn a_sample_of_the_lowest_integer_is_out_of_range() {
    let store = stores();
    let answer = |count: i64, more: &[&[u8]]| {
        let count = count.to_string();
        let argv = [&[&b"HRANDFIELD"[..], b"small", count.as_bytes()], more].concat();
        String::from_utf8(store.answer(&argv, false)).unwrap()
    };
    assert!(answer(i64::MIN, &[]).starts_with("-ERR value is out of range, value must between"));
    let halved = answer(i64::MIN / 2 - 1, &[b"WITHVALUES"]);
    assert_eq!(halved, "-ERR value is out of range\r\n");
    assert!(answer(-i64::MAX, &[]).starts_with("*1048576\r\n"));
    assert!(answer(i64::MAX, &[]).starts_with("*3\r\n"));
}

#[test]
fn deadlines_beyond_the_calendar_are_refused_and_those_in_the_past_delete() {
    let store = stores();
    for name in BOTH {
        let hash = store.hash(name);
        for time in [Duration::MAX, Duration::from_millis(i64::MAX as u64)] {
            assert_eq!(hash.expire("n", time), Err(Error::InvalidExpire));
            assert_eq!(hash.set_for("new", 1, time), Err(Error::InvalidExpire));
            assert_eq!(hash.get_and_expire("n", time), Err(Error::InvalidExpire));
            let options = FieldOptions::new().expires_in(time);
            assert_eq!(hash.set_with(&[("n", "9")], options), Err(Error::InvalidExpire));
        }
        assert_eq!(hash.get("n").unwrap().unwrap(), "5");
        assert_eq!(hash.time_to_live("n").unwrap(), TimeToLive::Forever);
        assert!(!hash.contains("new").unwrap());
        assert!(hash.expire("n", Duration::ZERO).unwrap());
        assert!(!hash.contains("n").unwrap());
        let past = SystemTime::UNIX_EPOCH - Duration::from_secs(9);
        assert_eq!(hash.get_and_expire("f", past).unwrap().unwrap(), "1.5");
        hash.set_with(&[("text", "new")], FieldOptions::new().expires_at(past)).unwrap();
        assert!(!hash.contains("f").unwrap() && !hash.contains("text").unwrap());
        let both = hash.expire_if("filler", Duration::ZERO, ExpireIf::EarlierThanAny);
        assert!(matches!(both, Err(Error::Syntax(_))));
    }
    assert!(!store.keys().exists("small").unwrap());
}

#[test]
fn a_hash_that_loses_its_last_field_is_gone() {
    let store = stores();
    store.hash("small").remove_many(&["n", "n", "text", "f", "none"]).unwrap();
    assert!(!store.keys().exists("small").unwrap());
    assert_eq!(store.hash("small").set_many::<&str, &str>(&[]).unwrap(), 0);
    let options = FieldOptions::new().if_present();
    assert!(!store.hash("small").set_with(&[("a", 1)], options).unwrap());
    assert!(!store.hash("small").expire("a", Duration::from_secs(1)).unwrap());
    assert_eq!(store.keys().exist_many(&["small"]).unwrap(), 0);
}

#[test]
fn another_type_is_refused_and_stays() {
    let store = Store::new();
    store.kv().set("text", "x").unwrap();
    let hash = store.hash("text");
    assert_eq!(hash.set("a", 1), Err(Error::WrongType));
    assert_eq!(hash.get("a"), Err(Error::WrongType));
    assert_eq!(hash.increment("a", 1), Err(Error::WrongType));
    assert_eq!(hash.remove("a"), Err(Error::WrongType));
    assert_eq!(hash.expire("a", Duration::from_secs(1)), Err(Error::WrongType));
    assert_eq!(hash.time_to_live("a"), Err(Error::WrongType));
    assert_eq!(hash.iter().next(), Some(Err(Error::WrongType)));
    assert_eq!(store.kv().get("text").unwrap().unwrap(), "x");
}

#[test]
fn empty_and_odd_fields_round_trip() {
    let store = Store::new();
    let odd = store.hash("");
    let long = vec![0xff; 1 << 20];
    odd.set("", "").unwrap();
    odd.set([0xff_u8; 3], [0_u8; 3]).unwrap();
    assert_eq!(odd.get("").unwrap().unwrap(), "");
    odd.set(&long, &long).unwrap();
    assert_eq!(odd.get("").unwrap().unwrap(), "");
    assert_eq!(odd.get([0xff_u8; 3]).unwrap().unwrap(), &[0; 3]);
    assert_eq!(odd.get(&long).unwrap().unwrap(), long);
    assert_eq!(odd.iter().count(), 3);
    assert_eq!(odd.value_len(&long).unwrap(), 1 << 20);
}

#[test]
fn a_walk_that_began_elsewhere_ends() {
    let store = Store::new();
    let hash = store.hash("h");
    hash.set_many(&(0..1000).map(|i| (i, i)).collect::<Vec<_>>()).unwrap();
    for cursor in ["1", "18446744073709551615", "-1", "9223372036854775808"] {
        let reply = store.answer(&[b"HSCAN", b"h", cursor.as_bytes()], false);
        assert!(reply.starts_with(b"*2\r\n"), "{cursor}");
    }
}
