//! Consumer groups: the edges by name.

use super::super::group::PendingSummary;
use super::super::*;
use super::{everything, id, numbered, times};

/// The entries `1-0` to `n-0` and the group `g` that has been given none of them.
fn grouped(n: u64) -> Stream {
    let mut stream = numbered(n);
    assert!(stream.create_group(b"g", StreamId::MIN, None));
    stream
}

fn deliver(stream: &mut Stream, consumer: &str, limit: usize, now: u64) -> Vec<u64> {
    let mut group = stream.group_mut(b"g").unwrap();
    times(&group.deliver(consumer.as_bytes(), Some(limit), Acknowledge::Later, now))
}

fn lag(stream: &Stream) -> (Option<u64>, Option<i64>) {
    let group = stream.group(b"g").unwrap();
    (group.entries_read(), stream.lag(group))
}

fn pending_ids(stream: &Stream, query: &PendingQuery<'_>, now: u64) -> Vec<u64> {
    stream.group(b"g").unwrap().pending_range(query, now).iter().map(|entry| entry.id.ms).collect()
}

const ALL: PendingQuery<'static> = PendingQuery {
    ids: StreamId::MIN..=StreamId::MAX,
    limit: usize::MAX,
    consumer: None,
    min_idle_ms: 0,
};

#[test]
fn each_entry_goes_to_one_consumer() {
    let mut stream = grouped(5);
    assert_eq!(deliver(&mut stream, "alice", 2, 10), [1, 2]);
    assert_eq!(deliver(&mut stream, "bob", 2, 20), [3, 4]);
    assert_eq!(deliver(&mut stream, "alice", usize::MAX, 30), [5]);
    assert_eq!(deliver(&mut stream, "carol", 2, 40), [0_u64; 0]);
    stream.check();
    let group = stream.group(b"g").unwrap();
    assert_eq!(group.consumers().len(), 2, "who gets nothing is not created");
    assert_eq!(
        group.pending_summary(),
        Some(PendingSummary {
            count: 5,
            first: id(1),
            last: id(5),
            consumers: vec![(b"alice", 3), (b"bob", 2)]
        })
    );
    let alice = group.consumer(b"alice").unwrap();
    assert_eq!((alice.seen_at(), alice.active_at()), (30, Some(30)));
}

#[test]
fn entries_that_need_no_acknowledgement_are_not_pending() {
    let mut stream = grouped(3);
    let mut group = stream.group_mut(b"g").unwrap();
    assert_eq!(group.deliver(b"c", None, Acknowledge::Never, 10).len(), 3);
    drop(group);
    let group = stream.group(b"g").unwrap();
    assert_eq!((group.pending_len(), group.last_delivered()), (0, id(3)));
    assert_eq!(group.consumer(b"c").unwrap().active_at(), None);
    assert_eq!(group.pending_summary(), None);
    stream.check();
}

#[test]
fn history_shows_what_is_pending_and_tells_what_was_deleted() {
    let mut stream = grouped(4);
    deliver(&mut stream, "c", 4, 10);
    stream.remove(id(2));
    stream.trim(TrimBound::MinId(id(2)), Precision::Exact);
    let mut group = stream.group_mut(b"g").unwrap();
    assert!(group.ack(id(4)) && !group.ack(id(4)) && !group.ack(id(9)));
    let history = group.history(b"c", StreamId::MIN, Some(usize::MAX), 50);
    let deleted: Vec<(u64, bool)> =
        history.iter().map(|entry| (entry.id().ms, entry.is_deleted())).collect();
    assert_eq!(deleted, [(1, true), (2, true), (3, false)]);
    assert_eq!(times(&group.history(b"c", id(1), Some(1), 50)), [2]);
    assert!(group.history(b"c", StreamId::MAX, None, 50).is_empty());
    assert!(group.history(b"new", StreamId::MIN, None, 50).is_empty());
    let count = |ms| group.pending(id(ms)).map(|entry| (entry.delivered_at, entry.delivery_count));
    assert_eq!((count(2), count(3)), (Some((10, 1)), Some((50, 2))), "only what was shown counts");
    assert!(group.consumer(b"new").is_some(), "asking for history creates the consumer");
    drop(group);
    stream.check();
}

#[test]
fn a_group_moved_back_gives_pending_entries_to_another_consumer() {
    let mut stream = grouped(2);
    deliver(&mut stream, "a", 2, 10);
    stream.group_mut(b"g").unwrap().set_id(StreamId::MIN, None);
    assert_eq!(deliver(&mut stream, "b", 1, 20), [1]);
    let group = stream.group(b"g").unwrap();
    let moved = group.pending(id(1)).unwrap();
    assert_eq!((moved.consumer, moved.delivered_at, moved.delivery_count), (&b"b"[..], 20, 1));
    assert_eq!(group.pending_len(), 2);
    stream.check();
}

#[test]
fn pending_ranges_filter_by_consumer_and_idle_time() {
    let mut stream = grouped(6);
    deliver(&mut stream, "a", 3, 100);
    deliver(&mut stream, "b", 3, 200);
    assert_eq!(pending_ids(&stream, &PendingQuery { limit: 2, ..ALL }, 250), [1, 2]);
    assert_eq!(pending_ids(&stream, &PendingQuery { ids: id(3)..=id(4), ..ALL }, 250), [3, 4]);
    assert_eq!(pending_ids(&stream, &PendingQuery { ids: id(4)..=id(3), ..ALL }, 250), [0_u64; 0]);
    assert_eq!(
        pending_ids(&stream, &PendingQuery { consumer: Some(b"b"), limit: 2, ..ALL }, 250),
        [4, 5]
    );
    assert_eq!(
        pending_ids(&stream, &PendingQuery { consumer: Some(b"x"), ..ALL }, 250),
        [0_u64; 0]
    );
    assert_eq!(pending_ids(&stream, &PendingQuery { min_idle_ms: 51, ..ALL }, 250), [1, 2, 3]);
    assert_eq!(
        pending_ids(&stream, &PendingQuery { min_idle_ms: 1, ..ALL }, 50),
        [0_u64; 0],
        "the clock went back"
    );
}

#[test]
fn a_claim_moves_idle_entries_and_counts_the_delivery() {
    let mut stream = grouped(3);
    deliver(&mut stream, "a", 2, 100);
    let mut group = stream.group_mut(b"g").unwrap();
    let idle = ClaimOptions { min_idle_ms: 50, ..ClaimOptions::default() };
    assert_eq!(group.claim(b"b", &[id(1)], &idle, 149).ids, []);
    assert!(group.consumer(b"b").is_none(), "who claims nothing is not created");
    assert_eq!(group.claim(b"b", &[id(2), id(3), id(1)], &idle, 150).ids, [id(2), id(1)]);
    let just_ids = ClaimOptions { just_ids: true, ..ClaimOptions::default() };
    group.claim(b"b", &[id(2)], &just_ids, 160);
    let state = |ms| group.pending(id(ms)).map(|entry| (entry.delivered_at, entry.delivery_count));
    assert_eq!((state(1), state(2), state(3)), (Some((150, 2)), Some((160, 2)), None));
    assert_eq!(group.consumer(b"a").unwrap().pending_ids().len(), 0);
    drop(group);
    stream.check();
}

#[test]
fn a_claim_sets_time_and_count_and_may_create() {
    let mut stream = grouped(3);
    let mut group = stream.group_mut(b"g").unwrap();
    let mut claim = |delivered, delivery_count, just_ids| {
        let options = ClaimOptions {
            delivered,
            delivery_count,
            just_ids,
            force: true,
            last_id: Some(id(2)),
            ..ClaimOptions::default()
        };
        assert_eq!(group.claim(b"c", &[id(1)], &options, 1000).ids, [id(1)]);
        let entry = group.pending(id(1)).unwrap();
        let state = (entry.delivered_at, entry.delivery_count);
        group.ack(id(1));
        state
    };
    assert_eq!(claim(DeliveryTime::Now, None, false), (1000, 2), "as Redis counts");
    assert_eq!(claim(DeliveryTime::Now, None, true), (1000, 1));
    assert_eq!(claim(DeliveryTime::Idle(300), Some(7), false), (700, 7));
    assert_eq!(claim(DeliveryTime::Idle(u64::MAX), Some(0), false), (1000, 0));
    assert_eq!(claim(DeliveryTime::At(40), None, true), (40, 1));
    assert_eq!(claim(DeliveryTime::At(u64::MAX), None, true), (1000, 1), "never ahead of now");
    assert_eq!(group.last_delivered(), id(2));
}

#[test]
fn a_claim_of_a_deleted_entry_ends_its_delivery() {
    let mut stream = grouped(2);
    deliver(&mut stream, "a", 2, 100);
    stream.remove(id(1));
    let force = ClaimOptions { force: true, ..ClaimOptions::default() };
    let mut group = stream.group_mut(b"g").unwrap();
    let claimed = group.claim(b"b", &[id(1), id(9)], &force, 200);
    assert_eq!((claimed.ids, claimed.deleted), (vec![], vec![id(1)]));
    assert_eq!(group.pending_len(), 1);
}

#[test]
fn an_automatic_claim_goes_on_from_its_cursor() {
    let mut stream = grouped(6);
    deliver(&mut stream, "a", 6, 100);
    stream.remove(id(2));
    let mut group = stream.group_mut(b"g").unwrap();
    let mut options =
        AutoclaimOptions { start: StreamId::MIN, min_idle_ms: 0, limit: 3, just_ids: false };
    let first = group.autoclaim(b"b", &options, 200);
    let expected = Claimed { ids: vec![id(1), id(3)], deleted: vec![id(2)], next: id(4) };
    assert_eq!(first, expected, "a deleted entry counts");
    options.start = first.next;
    let second = group.autoclaim(b"b", &options, 200);
    assert_eq!(second.ids, [id(4), id(5), id(6)]);
    assert_eq!(second.next, StreamId::MIN, "through");
    options.limit = usize::MAX;
    assert_eq!(group.autoclaim(b"b", &options, 200).ids.len(), 3, "a huge limit is no allocation");
}

#[test]
fn an_automatic_claim_looks_at_ten_times_its_limit() {
    let mut stream = grouped(30);
    deliver(&mut stream, "a", 30, 100);
    let options = AutoclaimOptions { start: id(5), min_idle_ms: 1000, limit: 2, just_ids: true };
    let claimed = stream.group_mut(b"g").unwrap().autoclaim(b"b", &options, 200);
    assert_eq!(claimed, Claimed { next: id(25), ..Claimed::default() });
}

#[test]
fn a_removed_consumer_takes_its_pending_entries_along() {
    let mut stream = grouped(4);
    deliver(&mut stream, "a", 3, 10);
    deliver(&mut stream, "b", 1, 10);
    let mut group = stream.group_mut(b"g").unwrap();
    assert!(!group.create_consumer(b"a", 20) && group.create_consumer(b"c", 20));
    assert_eq!(group.remove_consumer(b"a"), Some(3));
    assert_eq!(group.remove_consumer(b"a"), None);
    assert!(group.create_consumer(b"d", 20), "it takes the free place");
    assert_eq!((group.pending_len(), group.consumers().len()), (1, 3));
    drop(group);
    stream.check();
    let before = stream.bytes();
    assert!(stream.destroy_group(b"g") && !stream.destroy_group(b"g"));
    assert!(stream.bytes() < before && stream.group_mut(b"g").is_none());
    stream.check();
}

#[test]
fn groups_and_consumers_come_in_the_order_of_their_names() {
    let mut stream = grouped(1);
    for name in [&b"z"[..], b"", b"\xff", b"a"] {
        assert!(stream.create_group(name, id(1), Some(1)));
        stream.group_mut(b"g").unwrap().create_consumer(name, 0);
    }
    assert!(!stream.create_group(b"a", StreamId::MIN, None));
    let names: Vec<&[u8]> = stream.groups().map(|(name, _)| name).collect();
    assert_eq!(names, [&b""[..], b"a", b"g", b"z", b"\xff"]);
    let consumers: Vec<&[u8]> =
        stream.group(b"g").unwrap().consumers().map(Consumer::name).collect();
    assert_eq!(consumers, [&b""[..], b"a", b"z", b"\xff"]);
}

#[test]
fn lag_is_known_until_a_deletion_ahead_blurs_it() {
    let mut stream = grouped(5);
    assert_eq!(lag(&stream), (None, Some(5)), "told from the position before the first entry");
    deliver(&mut stream, "c", 2, 0);
    assert_eq!(lag(&stream), (Some(2), Some(3)));
    stream.remove(id(4));
    assert_eq!(lag(&stream), (Some(2), None));
    deliver(&mut stream, "c", 2, 0);
    assert_eq!(lag(&stream), (Some(5), Some(0)), "at the last id it is known again");
    stream.append(id(6), &[(b"n", b"6")]).unwrap();
    deliver(&mut stream, "c", 2, 0);
    assert_eq!(lag(&stream), (Some(6), Some(0)));
}

#[test]
fn lag_after_trimming_counts_what_is_left() {
    let mut stream = grouped(10);
    deliver(&mut stream, "c", 2, 0);
    stream.trim(TrimBound::MaxLen(3), Precision::Exact);
    assert_eq!(lag(&stream), (Some(2), Some(8)), "as Redis counts");
    stream.group_mut(b"g").unwrap().set_id(id(4), None);
    assert_eq!(lag(&stream), (None, Some(3)));
    stream.group_mut(b"g").unwrap().set_id(id(8), None);
    assert_eq!(lag(&stream), (None, Some(2)));
    stream.group_mut(b"g").unwrap().set_id(id(9), None);
    assert_eq!(lag(&stream), (None, None), "somewhere in the middle");
    stream.group_mut(b"g").unwrap().set_id(id(9), Some(9999));
    assert_eq!(lag(&stream), (Some(9999), Some(-9989)), "what it was told");
}

#[test]
fn lag_of_an_empty_stream_is_nothing() {
    let mut stream = Stream::default();
    stream.create_group(b"g", id(5), None);
    assert_eq!(lag(&stream), (None, Some(0)));
    stream.append(id(9), &[(b"a", b"b")]).unwrap();
    stream.remove(id(9));
    assert_eq!(lag(&stream), (None, Some(0)));
}

#[test]
fn deleting_heeds_references() {
    let mut stream = grouped(6);
    stream.create_group(b"h", StreamId::MIN, None);
    deliver(&mut stream, "c", 4, 0);
    assert_eq!(
        stream.delete(id(1), References::Acknowledged),
        Deletion::StillReferenced,
        "pending in g"
    );
    stream.group_mut(b"g").unwrap().ack(id(1));
    assert_eq!(
        stream.delete(id(1), References::Acknowledged),
        Deletion::StillReferenced,
        "ahead of h"
    );
    stream.group_mut(b"h").unwrap().set_id(id(6), None);
    assert_eq!(stream.delete(id(1), References::Acknowledged), Deletion::Deleted);
    assert_eq!(stream.delete(id(1), References::Acknowledged), Deletion::NotFound);
    assert_eq!(stream.delete(id(2), References::Keep), Deletion::Deleted);
    assert_eq!(stream.delete(id(3), References::Delete), Deletion::Deleted);
    assert_eq!(pending_ids(&stream, &ALL, 0), [2, 4]);
    assert_eq!(stream.delete(id(2), References::Delete), Deletion::NotFound);
    assert_eq!(pending_ids(&stream, &ALL, 0), [4], "references to what is gone go as well");
    stream.check();
}

#[test]
fn acknowledging_and_deleting_heeds_the_other_groups() {
    let mut stream = grouped(4);
    stream.create_group(b"h", StreamId::MIN, None);
    deliver(&mut stream, "c", 4, 0);
    stream.group_mut(b"h").unwrap().deliver(b"d", None, Acknowledge::Later, 0);
    assert_eq!(
        stream.ack_and_delete(b"g", id(1), References::Acknowledged),
        Deletion::StillReferenced
    );
    assert_eq!(stream.ack_and_delete(b"g", id(1), References::Acknowledged), Deletion::NotFound);
    assert_eq!(stream.ack_and_delete(b"h", id(1), References::Acknowledged), Deletion::Deleted);
    assert_eq!(stream.ack_and_delete(b"g", id(2), References::Keep), Deletion::Deleted);
    assert_eq!(
        stream.ack_and_delete(b"h", id(2), References::Keep),
        Deletion::Deleted,
        "it was pending"
    );
    assert_eq!(stream.ack_and_delete(b"g", id(3), References::Delete), Deletion::Deleted);
    assert_eq!(stream.ack_and_delete(b"h", id(3), References::Delete), Deletion::NotFound);
    assert_eq!(stream.ack_and_delete(b"nobody", id(4), References::Keep), Deletion::NotFound);
    assert_eq!(times(&stream.range(everything(), None, Direction::Forward)), [4]);
    stream.check();
}
