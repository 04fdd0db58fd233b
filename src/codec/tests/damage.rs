//! Damage is seen: every truncation and every flipped bit of a file with every type; and what no
//! checksum can tell, since whoever made the file made it so.

use super::*;
use crate::codec::{CHECKSUM, kind, listpack, payload};
use crate::error::Error;

/// Every type, in few bytes.
fn small_file() -> Vec<u8> {
    let mut all = vec![
        Held::String(b"text".to_vec()),
        Held::String(b"-70000".to_vec()),
        Held::Object(sample_integers(3)),
    ];
    all.extend([3, 9].map(|len| Held::Object(sample_set(len))));
    all.extend([3, 129].map(|len| Held::Object(sample_scores(len))));
    all.extend([false, true].map(|dated| Held::Object(sample_hash(4, dated))));
    all.push(Held::Object(sample_stream(7).into_object()));
    let mut list = List::default();
    for element in [&b"a"[..], b"7", b"-5000"] {
        list.push(ListEnd::Back, element);
    }
    all.push(Held::Object(list.into_object()));
    let entry = |(at, held)| (at as u16 / 4, vec![at as u8; at], Some(9_000_000), held);
    write(&all.into_iter().enumerate().map(entry).collect::<Vec<Entry>>(), Version::Twelve)
}

#[test]
fn every_truncation_is_seen() {
    let bytes = small_file();
    assert!(read(&bytes).is_ok());
    for length in 0..bytes.len() {
        let found = read(&bytes[..length]);
        assert!(matches!(found, Err(Error::Corrupt { .. })), "{length} of {} bytes", bytes.len());
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(matches!(read(&longer), Err(Error::Corrupt { .. })));
}

#[test]
fn every_flipped_bit_is_seen() {
    let mut bytes = small_file();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        let found = read(&bytes);
        assert!(matches!(found, Err(Error::Corrupt { .. })), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

/// Flips every bit of each payload and mends the checksum: an error or a value, and no panic; a
/// value keeps its invariants.
#[test]
fn damage_below_a_right_checksum_does_no_harm() {
    let mut scratch = Vec::new();
    let mut all: Vec<Held> = samples().into_iter().map(|entry| entry.3).collect();
    all.retain(|held| payload::write(held.content(), TIMES).len() < 600);
    all.push(Held::Object(sample_hash(5, true)));
    for held in all {
        let mut payload = payload::write(held.content(), TIMES);
        let body = payload.len() - 8;
        for bit in 0..body * 8 {
            payload[bit / 8] ^= 1 << (bit % 8);
            let checksum = CHECKSUM.checksum(&payload[..body]).to_le_bytes();
            payload[body..].copy_from_slice(&checksum);
            if let Ok(loaded) = payload::read(&payload, TIMES, &mut scratch) {
                Held::of(loaded);
            }
            payload[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_checksum_of_zero_is_not_looked_at() {
    let mut bytes = small_file();
    let end = bytes.len() - 8;
    bytes[end..].fill(0);
    assert!(read(&bytes).is_ok());
}

/// It stands for none in a file alone.
#[test]
fn a_checksum_of_zero_of_a_single_value_is_wrong() {
    let mut payload = payload::write(Held::String(b"text".to_vec()).content(), TIMES);
    let end = payload.len() - 8;
    payload[end..].fill(0);
    let mut scratch = Vec::new();
    let found = payload::read(&payload, TIMES, &mut scratch);
    assert!(matches!(found, Err(Error::PayloadChecksum)));
}

/// The answer to a value made by hand.
fn value(kind: u8, body: &[u8]) -> Result<String> {
    let mut payload = [&[kind], body, &[10, 0]].concat();
    payload.extend_from_slice(&CHECKSUM.checksum(&payload).to_le_bytes());
    let mut scratch = Vec::new();
    payload::read(&payload, TIMES, &mut scratch).map(|loaded| Held::of(loaded).describe())
}

fn assert_corrupt(kind: u8, body: &[u8], what: &str) {
    match value(kind, body) {
        Err(Error::Corrupt { what: found, .. }) => assert!(found.contains(what), "{found}"),
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn declared_lengths_take_no_memory() {
    let huge = [&[0x81][..], &(1_u64 << 63).to_be_bytes()].concat();
    for kind in (0..=27).filter(|kind| ![6, 7, 8].contains(kind)) {
        assert!(matches!(value(kind, &huge), Err(Error::Corrupt { .. })), "type {kind}");
        let many = [&huge[..], &huge[..]].concat();
        assert!(matches!(value(kind, &many), Err(Error::Corrupt { .. })), "type {kind}");
    }
    // A string of 512 MiB of which three bytes are there; one compressed a million to one.
    assert_corrupt(kind::STRING, b"\x80\x20\x00\x00\x00abc", "ends in the middle");
    assert_corrupt(kind::STRING, b"\xc3\x03\x80\x20\x00\x00\x00\x20\x00a", "does not unpack");
}

#[test]
fn a_listpack_keeps_what_its_head_says() {
    let mut packed = listpack::Writer::new();
    [&b"a"[..], b"7"].iter().for_each(|element| packed.push(element));
    let sound = [&[1, 2, 12][..], &packed.finish()].concat();
    assert_eq!(value(kind::LIST_QUICKLIST_2, &sound), Ok(r#"list ["a", "7"]"#.into()));
    // Its bytes, its elements (one less, one more), what is behind the first and the last, its end.
    for (place, byte) in [(3, 11), (7, 1), (7, 3), (11, 1), (13, 2), (14, 0xfe)] {
        let mut damaged = sound.clone();
        damaged[place] = byte;
        assert_corrupt(kind::LIST_QUICKLIST_2, &damaged, "a damaged listpack");
    }
    let mut uncounted = sound;
    uncounted[7..9].fill(0xff);
    assert!(value(kind::LIST_QUICKLIST_2, &uncounted).is_ok());
}

/// Those behind the first 1,024 of a packed set are added one by one.
#[test]
fn members_of_a_long_packed_set_are_distinct() {
    let sorted_set = |members: std::ops::Range<u16>, last: u16| {
        let mut packed = listpack::Writer::new();
        for member in members.chain([last]) {
            packed.integer(member.into());
            packed.integer(1);
        }
        let packed = packed.finish();
        [&[0x80][..], &(packed.len() as u32).to_be_bytes(), &packed].concat()
    };
    assert!(value(kind::SORTED_SET_LISTPACK, &sorted_set(0..1500, 1500)).is_ok());
    for last in [0, 1023, 1024, 1499] {
        let body = sorted_set(0..1500, last);
        assert_corrupt(kind::SORTED_SET_LISTPACK, &body, "a member twice in a sorted set");
    }
}

#[test]
fn members_are_distinct() {
    assert_corrupt(kind::SET, b"\x02\x01a\x01a", "a member twice");
    assert_corrupt(kind::HASH, b"\x02\x01a\x011\x01a\x012", "a field twice");
    let one = 1_f64.to_le_bytes();
    let twice = [b"\x02\x01a", &one[..], b"\x01a", &one[..]].concat();
    assert_corrupt(kind::SORTED_SET_2, &twice, "a member twice");
}

#[test]
fn integers_of_a_set_ascend() {
    let intset = |integers: [u8; 4]| [b"\x0c\x02\0\0\0\x02\0\0\0", &integers[..]].concat();
    assert_eq!(value(kind::SET_INTSET, &intset([1, 0, 2, 0])), Ok("set [\"1\", \"2\"]".into()));
    assert_corrupt(kind::SET_INTSET, &intset([2, 0, 1, 0]), "twice or misplaced");
    assert_corrupt(kind::SET_INTSET, &intset([1, 0, 1, 0]), "twice or misplaced");
}

#[test]
fn scores_are_numbers() {
    let nan = [b"\x01\x01a", &f64::NAN.to_le_bytes()[..]].concat();
    assert_corrupt(kind::SORTED_SET_2, &nan, "no number");
    assert_corrupt(kind::SORTED_SET, b"\x01\x01a\xfd", "no number");
    assert_corrupt(kind::SORTED_SET, b"\x01\x01a\x03nan", "no number");
    assert_eq!(
        value(kind::SORTED_SET, b"\x01\x01a\x031e3").unwrap(),
        "sorted set [(\"a\", Score(1000.0))]"
    );
}

#[test]
fn collections_have_elements_and_modules_are_not_read() {
    assert_corrupt(kind::HASH, b"\0", "without elements");
    assert_corrupt(kind::MODULE_2, b"\x05", "of the module type AAAAAAAAA");
    assert_corrupt(34, b"\x05", "unknown type 34");
}

/// A stream without entries up to its groups, the first named `g`.
const EMPTY_STREAM: &[u8] = b"\0\0\x05\0\0\0\0\0\0\x01\x01g\0\0\0";

#[test]
fn pending_entries_have_their_consumers() {
    let id = |seq: u8| [&[0; 15][..], &[seq]].concat();
    let pending = |seqs: &[u8]| {
        let entry = |seq: &u8| [&id(*seq)[..], &[0; 8], b"\x01"].concat();
        [&[seqs.len() as u8][..], &seqs.iter().flat_map(entry).collect::<Vec<u8>>()].concat()
    };
    let consumer = |seqs: &[u8]| {
        let ids: Vec<u8> = seqs.iter().flat_map(|seq| id(*seq)).collect();
        [b"\x01c", &[0; 8][..], &[seqs.len() as u8], &ids].concat()
    };
    let stream = |pending: &[u8], consumers: &[&[u8]]| {
        [EMPTY_STREAM, pending, &[consumers.len() as u8], &consumers.concat()].concat()
    };
    let good = stream(&pending(&[1, 2]), &[&consumer(&[1, 2])]);
    assert!(value(kind::STREAM_2, &good).is_ok());
    let bad: [(Vec<u8>, &str); 5] = [
        (stream(&pending(&[2, 1]), &[&consumer(&[1, 2])]), "out of order"),
        (stream(&pending(&[1, 1]), &[&consumer(&[1, 1])]), "out of order"),
        (stream(&pending(&[1, 2]), &[&consumer(&[1])]), "without a consumer"),
        (stream(&pending(&[1]), &[&consumer(&[1, 2])]), "its group has not"),
        (stream(&pending(&[1]), &[&consumer(&[1]), &consumer(&[])]), "a consumer twice"),
    ];
    for (body, what) in bad {
        assert_corrupt(kind::STREAM_2, &body, what);
    }
}

#[test]
fn ids_of_a_stream_ascend_and_its_counters_fit() {
    let good = Held::Object(sample_stream(3).into_object());
    let payload = payload::write(good.content(), TIMES);
    let body = &payload[1..payload.len() - 10];
    assert!(value(kind::STREAM_2, body).is_ok());
    // The run of entries a second time.
    let run = &body[1..19 + usize::from(body[18])];
    let twice = [&[2][..], run, &body[1..]].concat();
    assert_corrupt(kind::STREAM_2, &twice, "damaged entries");
    // No entries where two are counted.
    assert_corrupt(kind::STREAM_2, b"\0\x02\x05\0\0\0\0\0\x02\0", "contradict");
    // A last id below the highest deleted.
    assert_corrupt(kind::STREAM_2, b"\0\0\x05\0\0\0\x06\0\0\0", "contradict");
}
