//! Bad inputs to bitmaps: a typed error or a defined answer, and nothing changed.

use std::ops::Bound;

use larder::{BitField, BitOverflow, Error, Store};

/// Bits that a string may have.
const BITS: u64 = 512 << 23;

fn answer(store: &Store, command: &[&str]) -> String {
    let argv: Vec<&[u8]> = command.iter().map(|word| word.as_bytes()).collect();
    String::from_utf8(store.answer(&argv, false)).unwrap()
}

fn is_out_of_range<R>(result: Result<R, Error>) -> bool {
    matches!(result, Err(Error::OutOfRange(_)))
}

#[test]
fn a_bit_behind_the_largest_string_is_refused_before_allocation() {
    let store = Store::new();
    let bitmap = store.bitmap("b");
    for offset in [BITS, BITS + 1, u64::MAX / 8, u64::MAX] {
        assert!(is_out_of_range(bitmap.set(offset, true)));
        assert!(is_out_of_range(bitmap.get(offset)));
        assert!(is_out_of_range(bitmap.fields().set(BitField::unsigned(8, offset), 1).run()));
        assert!(is_out_of_range(bitmap.fields().get(BitField::signed(64, offset)).run()));
    }
    for offset in ["-1", "4294967296", "9223372036854775807", "18446744073709551616", "1e3", ""] {
        let refused = answer(&store, &["SETBIT", "b", offset, "1"]);
        assert!(refused.starts_with("-ERR bit offset"), "{refused}");
    }
    // Its first bit is within the string, its last is not.
    let last = BitField::unsigned(8, BITS - 1);
    assert_eq!(bitmap.fields().set(last, 1).run(), Err(Error::TooLarge));
    assert_eq!(bitmap.fields().get(last).run().unwrap(), [Some(0)]);
    assert!(!store.keys().exists("b").unwrap());
}

#[test]
fn a_field_of_another_width_or_place_is_refused() {
    let store = Store::new();
    let bitmap = store.bitmap("b");
    for field in [
        BitField::unsigned(64, 0),
        BitField::unsigned(0, 0),
        BitField::signed(65, 0),
        BitField::signed(0, 0),
        BitField::signed(u8::MAX, u64::MAX),
    ] {
        assert!(is_out_of_range(bitmap.fields().set(BitField::signed(8, 0), 1).get(field).run()));
        assert!(is_out_of_range(bitmap.fields().increment(field, 1).run()));
    }
    for (encoding, offset) in [
        ("u64", "0"),
        ("u0", "0"),
        ("i65", "0"),
        ("u256", "0"),
        ("u-8", "0"),
        ("u08", "0"),
        ("u", "0"),
        ("8", "0"),
        ("", "0"),
        ("u8", "#9223372036854775807"),
        ("i64", "#144115188075855872"),
        ("u8", "#536870912"),
        ("u8", "#-1"),
        ("u8", "##1"),
    ] {
        for command in ["BITFIELD", "BITFIELD_RO"] {
            let refused = answer(&store, &[command, "b", "GET", encoding, offset]);
            assert!(refused.starts_with("-ERR "), "{encoding} {offset}: {refused}");
        }
    }
    assert!(!store.keys().exists("b").unwrap());
}

#[test]
fn numbers_at_their_limits_wrap_saturate_or_fail() {
    let store = Store::new();
    let field = BitField::signed(64, 3);
    for (overflow, up, down) in [
        (BitOverflow::Wrap, Some(i64::MIN), Some(i64::MAX)),
        (BitOverflow::Saturate, Some(i64::MAX), Some(i64::MIN)),
        (BitOverflow::Fail, None, None),
    ] {
        let fields = || store.bitmap("b").fields().overflow(overflow);
        let answers = fields().set(field, i64::MAX).increment(field, 1).run().unwrap();
        assert_eq!(answers[1], up, "{overflow:?}");
        let answers = fields().set(field, i64::MIN).increment(field, -1).run().unwrap();
        assert_eq!(answers[1], down, "{overflow:?}");
        let narrow = BitField::unsigned(63, 70);
        let answers = fields().increment(narrow, i64::MIN).get(narrow).run().unwrap();
        let expected = [Some(0), Some(0), None][overflow as usize];
        assert_eq!(answers[0], expected, "{overflow:?}");
    }
}

#[test]
fn spans_of_any_ends_are_defined() {
    let store = Store::new();
    store.kv().set("b", [0xff, 0x00, 0xff]).unwrap();
    let bitmap = store.bitmap("b");
    assert_eq!(bitmap.count_in_bytes(i64::MIN..=i64::MAX).unwrap(), 16);
    assert_eq!(bitmap.count_in_bits(i64::MIN..=i64::MAX).unwrap(), 16);
    assert_eq!(bitmap.count_in_bytes(i64::MAX..=i64::MAX).unwrap(), 0);
    assert_eq!(bitmap.count_in_bytes((Bound::Included(2), Bound::Excluded(1))).unwrap(), 0);
    assert_eq!(bitmap.count_in_bytes(..0).unwrap(), 0);
    assert_eq!(bitmap.count_in_bits(-8..).unwrap(), 8);
    assert_eq!(bitmap.position_in_bits(false, i64::MIN..=i64::MAX).unwrap(), Some(8));
    assert_eq!(bitmap.position_in_bytes(true, i64::MAX..).unwrap(), None);
    store.kv().set("empty", "").unwrap();
    for key in ["empty", "absent"] {
        assert_eq!(store.bitmap(key).count().unwrap(), 0);
        assert_eq!(store.bitmap(key).count_in_bits(i64::MIN..).unwrap(), 0);
    }
}

#[test]
fn another_type_is_refused_and_nothing_changes() {
    let store = Store::new();
    store.set("s").add("m").unwrap();
    store.kv().set("text", "v").unwrap();
    let bitmap = store.bitmap("s");
    assert_eq!(bitmap.set(0, true), Err(Error::WrongType));
    assert_eq!(bitmap.get(0), Err(Error::WrongType));
    assert_eq!(bitmap.count(), Err(Error::WrongType));
    assert_eq!(bitmap.position(true), Err(Error::WrongType));
    assert_eq!(bitmap.fields().set(BitField::signed(8, 0), 1).run(), Err(Error::WrongType));
    assert_eq!(store.bitmap("text").combine_or(&["text", "s"]), Err(Error::WrongType));
    let none: [&str; 0] = [];
    assert_eq!(store.bitmap("text").combine_or(&none), Err(Error::NoKeys));
    assert_eq!(store.kv().get("text").unwrap().unwrap(), "v");
    assert_eq!(bitmap.combine_not("text").unwrap(), 1);
    assert_eq!(store.kv().get("s").unwrap().unwrap(), &[!b'v']);
    assert_eq!(bitmap.combine_and(&["absent"]).unwrap(), 0);
    assert!(!store.keys().exists("s").unwrap());
}

#[test]
fn a_time_to_live_survives_bits_but_not_a_combination() {
    let store = Store::new();
    let hour = std::time::Duration::from_secs(3600);
    store.kv().set("b", "v").unwrap();
    store.keys().expire("b", hour).unwrap();
    store.bitmap("b").set(1000, true).unwrap();
    store.bitmap("b").fields().set(BitField::unsigned(8, 4000), 3).run().unwrap();
    assert!(answer(&store, &["TTL", "b"]).starts_with(":3"));
    store.bitmap("b").combine_or(&["b"]).unwrap();
    assert_eq!(answer(&store, &["TTL", "b"]), ":-1\r\n");
}
