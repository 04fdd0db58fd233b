//! Entries: the edges by name.

use super::super::*;
use super::{everything, id, numbered, times};

const FIELD: FieldSlice<'static> = &[(b"name", b"value")];

fn forward(stream: &Stream, start: StreamId, end: StreamId) -> Vec<u64> {
    times(&stream.range(start..=end, None, Direction::Forward))
}

#[test]
fn an_id_not_above_the_last_is_refused_and_nothing_changes() {
    let mut stream = numbered(5);
    for (bad, error) in [
        (StreamId::MIN, AppendError::ZeroId),
        (id(5), AppendError::NotAboveLast),
        (StreamId::new(4, u64::MAX), AppendError::NotAboveLast),
    ] {
        assert_eq!(stream.append(bad, FIELD), Err(error));
    }
    assert_eq!(stream.append(id(6), &[]), Err(AppendError::NoFields));
    assert_eq!((stream.len(), stream.last_id(), stream.entries_added()), (5, id(5), 5));
    stream.check();
}

#[test]
fn after_the_greatest_id_the_stream_is_exhausted() {
    let mut stream = numbered(1);
    stream.append(StreamId::MAX, FIELD).unwrap();
    assert_eq!(stream.append(StreamId::MAX, FIELD), Err(AppendError::Exhausted));
    assert_eq!(stream.next_id(7), None);
    assert_eq!(stream.next_id_at(u64::MAX), Err(AppendError::Exhausted));
    assert_eq!(stream.last_entry().map(|entry| entry.id()), Some(StreamId::MAX));
    assert_eq!(stream.range(StreamId::MAX..=StreamId::MAX, None, Direction::Backward).len(), 1);
}

#[test]
fn an_entry_too_large_is_refused_before_it_is_copied() {
    let mut stream = Stream::default();
    let quarter = vec![0; 1 << 28];
    let fields = [(&*quarter, &*quarter), (&*quarter, &*quarter), (b"x", b"")];
    assert_eq!(stream.append(id(1), &fields), Err(AppendError::TooLarge));
    assert_eq!((stream.len(), stream.bytes()), (0, 0));
}

#[test]
fn ids_never_go_back_with_the_clock() {
    let mut stream = Stream::default();
    assert_eq!(stream.next_id(0), Some(StreamId::new(0, 1)));
    stream.append(StreamId::new(1000, 7), FIELD).unwrap();
    assert_eq!(stream.next_id(1001), Some(id(1001)));
    assert_eq!(stream.next_id(1000), Some(StreamId::new(1000, 8)));
    assert_eq!(stream.next_id(5), Some(StreamId::new(1000, 8)));
    stream.append(StreamId::new(1000, u64::MAX), FIELD).unwrap();
    assert_eq!(stream.next_id(5), Some(id(1001)));
}

#[test]
fn a_given_millisecond_gets_the_next_number_or_none() {
    let mut stream = Stream::default();
    assert_eq!(stream.next_id_at(0), Ok(StreamId::new(0, 1)));
    stream.append(StreamId::new(10, 4), FIELD).unwrap();
    assert_eq!(stream.next_id_at(10), Ok(StreamId::new(10, 5)));
    assert_eq!(stream.next_id_at(11), Ok(id(11)));
    assert_eq!(stream.next_id_at(9), Err(AppendError::NotAboveLast));
    stream.append(StreamId::new(10, u64::MAX), FIELD).unwrap();
    assert_eq!(stream.next_id_at(10), Err(AppendError::NotAboveLast));
}

#[test]
fn ranges_are_inclusive_and_cross_blocks() {
    let stream = numbered(1000);
    assert!(stream.blocks() >= 10);
    assert_eq!(forward(&stream, id(99), id(102)), [99, 100, 101, 102]);
    assert_eq!(forward(&stream, StreamId::new(99, 1), StreamId::new(101, u64::MAX)), [100, 101]);
    assert_eq!(forward(&stream, id(1000), StreamId::MAX), [1000]);
    assert_eq!(forward(&stream, id(7), id(6)), [0_u64; 0]);
    assert_eq!(forward(&stream, StreamId::new(1000, 1), StreamId::MAX), [0_u64; 0]);
    let backward = stream.range(StreamId::MIN..=id(201), Some(3), Direction::Backward);
    assert_eq!(times(&backward), [201, 200, 199]);
}

#[test]
fn a_huge_limit_allocates_for_what_there_is() {
    let stream = numbered(3);
    for direction in [Direction::Forward, Direction::Backward] {
        assert_eq!(stream.range(everything(), Some(usize::MAX), direction).len(), 3);
        assert!(stream.range(everything(), Some(0), direction).is_empty());
    }
}

#[test]
fn entries_keep_their_fields_whatever_they_are() {
    let mut stream = Stream::default();
    let long = vec![b'x'; 100_000];
    let many: Vec<(Vec<u8>, Vec<u8>)> =
        (0..300u32).map(|n| (n.to_be_bytes().to_vec(), vec![])).collect();
    let many: Vec<(&[u8], &[u8])> = many.iter().map(|(name, value)| (&**name, &**value)).collect();
    let shapes: [FieldSlice<'_>; 6] = [
        FIELD,
        &[(b"", b"")],
        &[(b"name", &long)],
        &many,
        &[(b"name", b"1"), (b"name", b"2")],
        FIELD,
    ];
    for (ms, fields) in (1..).zip(shapes) {
        stream.append(id(ms), fields).unwrap();
        stream.check();
    }
    let all = stream.range(everything(), None, Direction::Forward);
    for (entry, fields) in all.iter().zip(shapes) {
        assert!(entry.fields().eq(fields.iter().copied()));
        assert_eq!(entry, stream.log.get(entry.id()).unwrap());
    }
    assert_eq!(all.get(4).unwrap().get("name"), Some(&b"1"[..]), "the first of a name");
    assert_eq!(all.get(0).unwrap().get("other"), None);
}

#[test]
fn a_read_is_a_copy() {
    let mut stream = numbered(150);
    let before = stream.range(everything(), None, Direction::Forward);
    let decoded = before.iter().fold(Entries::new(), |mut decoded, entry| {
        decoded.push(entry.id(), entry.fields());
        decoded
    });
    stream.trim(TrimBound::MaxLen(0), Precision::Exact);
    assert_eq!(before.len(), 150);
    assert_eq!(before, decoded, "equal by content");
    assert_ne!(before, Entries::new());
    let (first, last) = (before.first().unwrap(), before.last().unwrap());
    assert_eq!((first.get("n"), last.get("n")), (Some(&b"1"[..]), Some(&b"150"[..])));
    fn shareable<T: Send + Sync + Clone + Eq>(_: &T) {}
    shareable(&before);
}

#[test]
fn a_deleted_entry_is_not_an_empty_one() {
    let mut deleted = Entries::new();
    deleted.push_deleted(id(1));
    let mut empty = Entries::new();
    empty.push(id(1), []);
    assert_ne!(deleted, empty);
    assert_eq!(deleted.get(0).unwrap().fields().count(), 0);
    assert_eq!(format!("{deleted:?} {empty:?}"), "[1-0 deleted] [1-0 {}]");
}

#[test]
fn removing_marks_and_then_drops_blocks() {
    let mut stream = numbered(300);
    let bytes = stream.bytes();
    assert!(stream.remove(id(150)) && !stream.remove(id(150)) && !stream.remove(id(301)));
    assert_eq!(stream.max_deleted_id(), id(150));
    for ms in 101..=200 {
        stream.remove(id(ms));
        stream.check();
    }
    assert_eq!((stream.len(), stream.blocks()), (200, 2));
    assert!(stream.bytes() < bytes);
    assert_eq!(forward(&stream, id(100), id(201)), [100, 201]);
    for ms in (1..=100).chain(201..=300) {
        assert!(stream.remove(id(ms)));
        stream.check();
    }
    assert_eq!((stream.bytes(), stream.blocks(), stream.first_id()), (0, 0, None));
    assert_eq!((stream.last_id(), stream.entries_added()), (id(300), 300), "the counters stay");
}

#[test]
fn when_the_last_block_goes_the_one_before_fills_up_again() {
    let mut stream = Stream::default();
    let half = vec![b'x'; 2100];
    for ms in 1..=2 {
        stream.append(id(ms), &[(b"a", &half)]).unwrap();
    }
    assert_eq!(stream.blocks(), 2);
    stream.remove(id(2));
    stream.append(id(3), FIELD).unwrap();
    stream.check();
    assert_eq!((stream.blocks(), stream.last_entry().map(|entry| entry.id())), (1, Some(id(3))));
}

#[test]
fn an_exact_trim_is_exact_and_an_approximate_one_drops_whole_blocks() {
    let approximate = |limit| Precision::Approximate { limit };
    for (bound, precision, removed) in [
        (TrimBound::MaxLen(250), Precision::Exact, 750),
        (TrimBound::MaxLen(250), approximate(None), 700),
        (TrimBound::MaxLen(250), approximate(Some(350)), 300),
        (TrimBound::MaxLen(250), approximate(Some(99)), 0),
        (TrimBound::MaxLen(250), approximate(Some(0)), 700),
        (TrimBound::MaxLen(usize::MAX), Precision::Exact, 0),
        (TrimBound::MaxLen(0), approximate(None), 1000),
        (TrimBound::MinId(id(251)), Precision::Exact, 250),
        (TrimBound::MinId(id(251)), approximate(None), 200),
        (TrimBound::MinId(StreamId::MAX), approximate(None), 1000),
        (TrimBound::MinId(StreamId::MIN), Precision::Exact, 0),
    ] {
        let mut stream = numbered(1000);
        assert_eq!(stream.trim(bound, precision), removed, "{bound:?} {precision:?}");
        stream.check();
        assert_eq!(stream.len(), 1000 - removed);
        assert_eq!(stream.first_id(), (removed < 1000).then(|| id(removed as u64 + 1)));
        assert_eq!(stream.max_deleted_id(), StreamId::MIN, "trimming is no deletion");
    }
}

#[test]
fn an_approximate_trim_removes_ten_thousand_entries_unless_told_otherwise() {
    let mut stream = numbered(10_500);
    let precision = Precision::Approximate { limit: None };
    assert_eq!(stream.trim(TrimBound::MaxLen(0), precision), 10_000);
    assert_eq!(stream.trim(TrimBound::MaxLen(0), precision), 500);
}

#[test]
fn the_last_id_cannot_be_set_below_an_entry() {
    let mut stream = numbered(5);
    assert_eq!(stream.set_ids(id(4), None, None), Err(SetIdError::BelowEntry));
    assert_eq!(stream.set_ids(id(9), Some(4), None), Err(SetIdError::TooFewAdded));
    assert_eq!(stream.set_ids(id(9), None, Some(id(10))), Err(SetIdError::BelowGivenDeleted));
    assert_eq!((stream.last_id(), stream.entries_added()), (id(5), 5), "an error changes nothing");
    assert_eq!(stream.set_ids(id(9), Some(20), Some(id(3))), Ok(()));
    assert_eq!(
        (stream.last_id(), stream.entries_added(), stream.max_deleted_id()),
        (id(9), 20, id(3))
    );
    assert_eq!(stream.set_ids(id(9), None, Some(StreamId::MIN)), Ok(()));
    assert_eq!(stream.max_deleted_id(), id(3), "0-0 leaves it as it is");
    assert_eq!(stream.append(id(9), FIELD), Err(AppendError::NotAboveLast));
}

#[test]
fn a_last_id_set_back_over_deleted_entries_lets_new_ones_take_their_ids() {
    let mut stream = numbered(5);
    for ms in [2, 4, 5] {
        stream.remove(id(ms));
    }
    stream.set_ids(id(3), None, None).unwrap();
    stream.append(StreamId::new(3, 1), FIELD).unwrap();
    stream.append(id(4), FIELD).unwrap();
    stream.check();
    assert_eq!(forward(&stream, StreamId::MIN, StreamId::MAX), [1, 3, 3, 4]);
    assert!(stream.remove(id(4)) && stream.log.get(StreamId::new(3, 1)).is_some());
}

#[test]
fn a_usual_entry_takes_a_few_bytes_over_its_payload() {
    let mut stream = Stream::default();
    for ms in 1..=10_000 {
        stream.append(id(ms), &[(b"f1", b"abcdefghijkl"), (b"f2", b"mnopqrstuvwx")]).unwrap();
    }
    let per_entry = stream.bytes() as f64 / 10_000.0;
    assert!(per_entry < 36.0, "{per_entry} bytes for 24 bytes of values");
}

#[test]
fn a_copy_accounts_for_its_own_buffers() {
    for entries in [1, 3, 150, 250] {
        let mut stream = numbered(entries);
        let mut copy = stream.clone();
        copy.check();
        copy.append(id(1000), FIELD).unwrap();
        copy.remove(id(1));
        copy.check();
        stream.append(id(1000), FIELD).unwrap();
        stream.check();
    }
}
