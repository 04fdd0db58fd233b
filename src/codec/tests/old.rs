//! Encodings that are read and not written, made by hand.

use super::*;
use crate::codec::{CHECKSUM, kind, payload, value};

fn value(kind: u8, body: &[u8]) -> String {
    versioned(kind, body, 10)
}

fn versioned(kind: u8, body: &[u8], version: u8) -> String {
    restored(&[&[kind], body].concat(), version).expect("it is well formed")
}

/// What a payload holds, from the number of its type to its end.
fn restored(typed: &[u8], version: u8) -> Result<String> {
    let mut payload = [typed, &[version, 0]].concat();
    payload.extend_from_slice(&CHECKSUM.checksum(&payload).to_le_bytes());
    let mut scratch = Vec::new();
    let loaded = payload::read(&payload, TIMES, &mut scratch)?;
    Ok(Held::of(loaded).describe())
}

/// Bytes behind their length, which is below 64.
fn short(bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 64);
    [&[bytes.len() as u8], bytes].concat()
}

/// A ziplist of entries that are shorter than 254 bytes, each without the length before it.
fn ziplist(entries: &[&[u8]]) -> Vec<u8> {
    let (mut body, mut before, mut tail) = (Vec::new(), 0, 10);
    for entry in entries {
        tail = 10 + body.len() as u32;
        body.push(before);
        body.extend_from_slice(entry);
        before = entry.len() as u8 + 1;
    }
    let size = 11 + body.len() as u32;
    let count = (entries.len() as u16).to_le_bytes();
    [&size.to_le_bytes()[..], &tail.to_le_bytes(), &count, &body, &[0xff]].concat()
}

#[test]
fn ziplists_hold_every_form() {
    let entries: [&[u8]; 8] = [
        b"\x01a",
        b"\x40\x02bc",
        b"\x80\0\0\0\x01d",
        b"\xf1",
        b"\xfe\x80",
        b"\xc0\x00\x80",
        b"\xf0\xff\xff\x7f",
        b"\xd0\0\0\0\x80",
    ];
    let text = r#"["a", "bc", "d", "0", "-128", "-32768", "8388607", "-2147483648"]"#;
    let body = ziplist(&entries);
    assert_eq!(value(kind::LIST_ZIPLIST, &short(&body)), format!("list {text}"));
    let nodes = [&[2][..], &short(&ziplist(&entries[..3])), &short(&ziplist(&entries[3..]))];
    assert_eq!(value(kind::LIST_QUICKLIST, &nodes.concat()), format!("list {text}"));
    let large = ziplist(&[b"\xe0\xff\xff\xff\xff\xff\xff\xff\x7f"]);
    assert_eq!(value(kind::LIST_ZIPLIST, &short(&large)), r#"list ["9223372036854775807"]"#);
}

#[test]
fn what_is_packed_keeps_what_its_head_says() {
    let damaged = |kind: u8, body: &[u8], place: usize, byte: u8| {
        let mut body = body.to_vec();
        body[place] = byte;
        restored(&[&[kind], &short(&body)[..]].concat(), 10).unwrap_err().to_string()
    };
    let packed = ziplist(&[b"\x01a", b"\xf1"]);
    // Bytes, last entry, entries (one less, one more), length before the second, end.
    for (place, byte) in [(0, 1), (4, 10), (8, 1), (8, 3), (13, 4), (15, 0xfe)] {
        let error = damaged(kind::LIST_ZIPLIST, &packed, place, byte);
        assert!(error.starts_with("a damaged ziplist"), "{place}: {error}");
    }
    // Fields (one less, one more), a name that reaches to the end, the end.
    for (place, byte) in [(0, 0), (0, 2), (1, 5), (6, 0)] {
        let error = damaged(kind::HASH_ZIPMAP, b"\x01\x01a\x01\x00x\xff", place, byte);
        assert!(error.starts_with("a damaged zipmap"), "{place}: {error}");
    }
}

#[test]
fn hashes_and_sorted_sets_of_ziplists() {
    let pairs = short(&ziplist(&[b"\x01a", b"\xf3", b"\x01b", b"\x033.5"]));
    assert_eq!(value(kind::HASH_ZIPLIST, &pairs), r#"hash {"a": ("2", None), "b": ("3.5", None)}"#);
    assert_eq!(
        value(kind::SORTED_SET_ZIPLIST, &pairs),
        r#"sorted set [("a", Score(2.0)), ("b", Score(3.5))]"#
    );
}

#[test]
fn zipmaps_have_spare_bytes() {
    let body = short(b"\x02\x01a\x02\x01xy.\xfe\x01\0\0\0b\0\0\xff");
    let text = r#"hash {"a": ("xy", None), "b": ("", None)}"#;
    assert_eq!(value(kind::HASH_ZIPMAP, &body), text);
}

#[test]
fn lists_and_sets_of_listpacks() {
    assert_eq!(value(kind::LIST, b"\x02\x01a\xc0\xff"), r#"list ["a", "-1"]"#);
    let mut packed = crate::codec::listpack::Writer::new();
    packed.push(b"one");
    packed.push(b"2");
    assert_eq!(value(kind::SET_LISTPACK, &short(&packed.finish())), r#"set ["2", "one"]"#);
    let plain = [&b"\x01\x01"[..], &short(b"alone")].concat();
    assert_eq!(value(kind::LIST_QUICKLIST_2, &plain), r#"list ["alone"]"#);
}

#[test]
fn fields_with_deadlines_in_every_layout() {
    let unix = 3_000_000_u64;
    let text = r#"hash {"a": ("1", Some(2000000)), "b": ("2", None)}"#;
    let far = [&[0x80][..], &(unix as u32).to_be_bytes()].concat();
    let early = [b"\x02", &far[..], b"\x01a\x011\0\x01b\x012"].concat();
    assert_eq!(value(kind::HASH_DATED_EARLY, &early), text);
    let released = [&unix.to_le_bytes()[..], b"\x02\x01\x01a\x011\0\x01b\x012"].concat();
    assert_eq!(value(kind::HASH_DATED, &released), text);

    let mut packed = crate::codec::listpack::Writer::new();
    for element in [&b"a"[..], b"1", b"3000000", b"b", b"2", b"0"] {
        packed.push(element);
    }
    let packed = short(&packed.finish());
    assert_eq!(value(kind::HASH_DATED_LISTPACK_EARLY, &packed), text);
    let released = [&unix.to_le_bytes()[..], &packed].concat();
    assert_eq!(value(kind::HASH_DATED_LISTPACK, &released), text);

    let none = (-1_i64).to_le_bytes();
    let valkey = [b"\x02\x01a\x011", &unix.to_le_bytes()[..], b"\x01b\x012", &none].concat();
    assert_eq!(versioned(kind::HASH_DATED_EARLY, &valkey, 80), text);
}

#[test]
fn streams_before_they_counted() {
    let mut stream = Stream::default();
    stream.append(StreamId::new(1, 1), &[(b"a", b"1")]).expect("ids grow");
    stream.append(StreamId::new(2, 0), &[(b"a", b"2")]).expect("ids grow");
    let payload = payload::write(Content::Object(&stream.clone().into_object()), TIMES);
    let run = &payload[1..20 + usize::from(payload[19])];
    // Length, last id, one group that has read all, no pending entry, no consumer.
    let body = [run, b"\x02\x03\0\x01\x01g\x03\0\0\0"].concat();
    stream.set_ids(StreamId::new(3, 0), Some(2), None).expect("they fit");
    stream.create_group(b"g", StreamId::new(3, 0), Some(2));
    assert_eq!(value(kind::STREAM, &body), describe_stream(&stream));
}

/// Since Redis 8.6 a stream ends with what its producers have sent; since 8.8 a group ends with the
/// ids of what was given back.
#[test]
fn streams_of_redis_8() {
    let mut stream = sample_stream(4);
    stream.destroy_group(b"idle");
    let text = describe_stream(&stream);
    let mut body = Vec::new();
    let object = stream.into_object();
    value::write(&mut body, Content::Object(&object), Version::Twelve, TIMES);
    let none = b"\x3c\x32\0\0\0";
    let some = b"\x3c\x40\x64\x02\x01p\x02\x02i1\x01\x02\x02i2\x81\0\0\x01\x98\0\0\0\0\x07\
        \x01q\0\x02\x05";
    for producers in [&none[..], some] {
        let own = [&body[..], producers].concat();
        assert_eq!(versioned(kind::STREAM_4, &own, 13), text);
        assert!(restored(&[&[kind::STREAM_4], &own[..]].concat(), 80).is_err(), "Valkey has none");
        let own = [&body[..], b"\0", producers].concat();
        assert_eq!(versioned(kind::STREAM_5, &own, 14), text);
    }
    let id = [[0_u8, 0, 0, 0, 0, 0, 0, 1]; 2].concat();
    let own = [&[kind::STREAM_5], &body[..], b"\x01", &id, none].concat();
    assert!(restored(&own, 14).unwrap_err().to_string().contains("was given back"));
}

#[test]
fn what_came_later_and_is_not_read_is_named() {
    let refused = |kind: u8, version: u8| restored(&[kind, 1, 1], version).unwrap_err().to_string();
    assert!(refused(28, 14).starts_with("an array, of Redis 8.8: not supported"));
    assert!((29..=32).all(|kind| refused(kind, 15).starts_with("a hash with a template")));
    assert!(refused(33, 15).starts_with("a rate limiter"));
    assert!(refused(23, 81).starts_with("a hash of paths"));
    assert!(refused(34, 15).starts_with("a value of the unknown type 34"));
    assert!(refused(24, 80).starts_with("a value of the unknown type 24"), "Valkey has none");
    let file = |head: &[u8], opcode: u8| {
        let bytes = [head, &[opcode, 1, b'a', 1, b'b', 0xff]].concat();
        read(&bytes).unwrap_err().to_string()
    };
    assert!(file(b"VALKEY080", 243).starts_with("a slot on its way"));
    assert!(file(b"VALKEY081", 242).starts_with("changes behind the entries"));
    assert!(file(b"REDIS0015", 242).starts_with("a template of hashes"));
    assert!(file(b"REDIS0016", 0).contains("version 0016, which is not supported"));
}

/// Redis 8.6 writes it before the type.
#[test]
fn what_modules_keep_with_a_key_is_passed_over() {
    let data = b"\xf3\x02abcd\x02\x07\x05\x03xyz\0efgh\x01\x05\x04\0\0\0\0\0\0\0\0\0";
    let value = [&data[..], b"\0\x01v"].concat();
    assert_eq!(restored(&value, 13), Ok(r#""v""#.to_owned()));
    assert!(restored(&value, 80).is_err());
    let head = b"REDIS0013\xfc\x40\x42\x0f\0\0\0\0\0";
    let mut file = [head, &data[..], b"\0\x01k\x01v\xff"].concat();
    file.extend_from_slice(&CHECKSUM.checksum(&file).to_le_bytes());
    let entries = read(&file).expect("it is well formed");
    assert_eq!(describe_all(&entries), [r#"0 "k" Some(1) "v""#]);
    let damaged = b"\xf3\x01abcd\x07\0\0\x01v";
    let error = restored(damaged, 13).unwrap_err().to_string();
    assert!(error.starts_with("damaged data of a module with a key"), "{error}");
}

#[test]
fn files_of_old_and_of_others() {
    let file = |head: &[u8], body: &[u8], summed: bool| {
        let mut bytes = [head, body, b"\xff"].concat();
        if summed {
            bytes.extend_from_slice(&CHECKSUM.checksum(&bytes).to_le_bytes());
        }
        describe_all(&read(&bytes).expect("it is well formed"))
    };
    let entry = b"\xfe\x01\xfd\x00\x10\x00\x00\x00\x01k\x01v";
    assert_eq!(file(b"REDIS0003", entry, false), [r#"1 "k" Some(3096000) "v""#]);
    // Properties, functions, data of a module, sizes, a slot, how often and when used.
    let body = b"\xfa\x01a\x01b\xf5\x03lib\xf7\x05\x02\x01\x01\x07\x03\0\0\0\0\x04\0\0\0\0\0\0\0\0\
        \x05\x01x\0\xfb\x01\0\xf4\x01\x02\x03\xf8\x05\xf9\x07\0\x01k\x01v";
    for head in [&b"REDIS0011"[..], b"REDIS0012", b"REDIS0015", b"VALKEY080", b"VALKEY081"] {
        assert_eq!(file(head, body, true), [r#"0 "k" None "v""#]);
    }
    for head in ["REDIS0000", "REDIS0099", "VALKEY011", "REDIS001x", "RESIS0010"] {
        assert!(read(format!("{head}\u{0}").as_bytes()).is_err());
    }
}

#[test]
fn empty_collections_are_passed_over() {
    let mut bytes = b"REDIS0010\x02\x01s\0\0\x01k\x01v\xff".to_vec();
    bytes.extend_from_slice(&CHECKSUM.checksum(&bytes).to_le_bytes());
    let mut rest = &bytes[..];
    let mut reader = FileReader::open(&mut rest, TIMES).expect("a header");
    assert_eq!(reader.next_entry().expect("an entry").expect("an entry").key, b"k");
    assert_eq!(reader.empty(), 1);
    assert!(reader.next_entry().expect("an end").is_none());
}
