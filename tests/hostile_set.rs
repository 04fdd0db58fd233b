//! Bad inputs to sets: a typed error or a defined answer, and nothing lost.

use std::collections::BTreeSet;

use larder::{Error, Store};

fn set(len: usize) -> Store {
    let store = Store::new();
    let members: Vec<String> = (0..len).map(|i| format!("m{i}")).collect();
    assert_eq!(store.set("s").add_many(&members).unwrap(), len);
    store
}

fn answer(store: &Store, command: &[&str]) -> String {
    let argv: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
    String::from_utf8(store.answer(&argv, false)).unwrap()
}

#[test]
fn a_huge_sample_is_bounded() {
    for len in [3, 1000] {
        let store = set(len);
        let set = store.set("s");
        assert_eq!(set.random_many(usize::MAX).unwrap().len(), len);
        assert_eq!(set.random_many_repeating(usize::MAX).unwrap().len(), 1 << 20);
        let sampled = answer(&store, &["SRANDMEMBER", "s", "-9223372036854775807"]);
        assert!(sampled.starts_with("*1048576\r\n"));
    }
    let store = Store::new();
    assert_eq!(store.set("absent").random_many_repeating(usize::MAX).unwrap(), [""; 0]);
    assert_eq!(store.set("absent").random().unwrap(), None);
}

#[test]
fn the_least_count_is_out_of_range() {
    let store = set(3);
    let refused = answer(&store, &["SRANDMEMBER", "s", "-9223372036854775808"]);
    assert!(refused.starts_with("-ERR value is out of range"), "{refused}");
    assert!(answer(&store, &["SPOP", "s", "-1"]).starts_with("-ERR value is out of range"));
    assert_eq!(store.set("s").len().unwrap(), 3);
}

#[test]
fn popping_more_than_there_are_takes_all() {
    for len in [3, 1000] {
        let store = set(len);
        let popped: BTreeSet<_> =
            store.set("s").pop_many(usize::MAX).unwrap().into_iter().collect();
        assert_eq!(popped.len(), len);
        assert!(!store.keys().exists("s").unwrap());
        assert_eq!(store.set("s").pop().unwrap(), None);
        assert_eq!(store.set("s").pop_many(0).unwrap(), [""; 0]);
    }
}

#[test]
fn counts_of_keys_are_checked_before_anything_is_allocated() {
    let store = set(3);
    for count in ["0", "-1", "2147483648", "9223372036854775807", "x"] {
        let refused = answer(&store, &["SINTERCARD", count, "s"]);
        assert!(refused.starts_with("-ERR "), "{refused}");
    }
    let none: [&str; 0] = [];
    assert_eq!(store.sets().union(&none), Err(Error::NoKeys));
    assert_eq!(store.sets().union_to("d", &none), Err(Error::NoKeys));
    assert_eq!(store.sets().count_intersection(&none, None), Err(Error::NoKeys));
    assert_eq!(store.sets().count_intersection(&["s", "s"], 0).unwrap(), 0);
    assert_eq!(store.sets().count_intersection(&["s", "s"], usize::MAX).unwrap(), 3);
}

#[test]
fn another_type_is_refused_and_nothing_changes() {
    let store = set(3);
    store.kv().set("text", "v").unwrap();
    let (sets, other) = (store.sets(), store.set("text"));
    assert_eq!(other.add("m"), Err(Error::WrongType));
    assert_eq!(other.remove("m"), Err(Error::WrongType));
    assert_eq!(other.pop(), Err(Error::WrongType));
    assert_eq!(other.members(), Err(Error::WrongType));
    assert_eq!(sets.union_to("s", &["s", "text"]), Err(Error::WrongType));
    assert_eq!(sets.intersection(&["absent", "text"]), Err(Error::WrongType));
    assert_eq!(sets.difference(&["s", "text"]), Err(Error::WrongType));
    assert_eq!(store.set("s").move_to("text", "m0"), Err(Error::WrongType));
    assert_eq!(other.move_to("s", "m0"), Err(Error::WrongType));
    assert_eq!(store.set("s").len().unwrap(), 3);
    assert_eq!(store.kv().get("text").unwrap().unwrap(), "v");
    assert_eq!(store.sets().union_to("text", &["s"]).unwrap(), 3);
}

#[test]
fn members_of_all_bytes_and_none_round_trip() {
    let store = Store::new();
    let all: Vec<u8> = (0..=255).collect();
    let set = store.set("s");
    for member in [&all[..], b"", b"\xff\xff", b"01", b"1", b"-0", b"+1"] {
        assert!(set.add(member).unwrap() && set.contains(member).unwrap());
    }
    assert_eq!(set.len().unwrap(), 7);
    assert!(set.remove(&all[..]).unwrap() && set.remove("").unwrap());
    assert_eq!(set.contains_many(&["01", "1", "2"]).unwrap(), [true, true, false]);
}

#[test]
fn a_set_without_members_is_no_key() {
    let store = Store::new();
    let none: [&str; 0] = [];
    assert_eq!(store.set("s").add_many(&none).unwrap(), 0);
    assert!(!store.keys().exists("s").unwrap());
    store.set("s").add("m").unwrap();
    assert!(store.set("s").move_to("t", "m").unwrap());
    assert!(!store.keys().exists("s").unwrap());
    assert_eq!(store.sets().intersection_to("t", &["t", "s"]).unwrap(), 0);
    assert!(!store.keys().exists("t").unwrap());
}

#[test]
fn any_cursor_is_safe() {
    let store = set(1000);
    for cursor in ["0", "18446744073709551615", "9223372036854775807", "12345", "-1"] {
        let page = answer(&store, &["SSCAN", "s", cursor, "COUNT", "9223372036854775807"]);
        assert!(page.starts_with("*2\r\n"), "{page}");
    }
    assert!(answer(&store, &["SSCAN", "s", "x"]).starts_with("-ERR invalid cursor"));
}
