//! Streams through a store, a batch, a transaction and events.

use std::time::Duration;

use larder::{
    After, AppendOptions, Error, EventKind, GroupStart, ManualClock, Store, StreamId, Trim,
};

const FIELDS: &[(&str, &str)] = &[("field", "value")];

fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

fn at(ms: u64) -> AppendOptions {
    AppendOptions::new().id(id(ms))
}

#[test]
fn an_id_is_the_time_of_the_stores_clock() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    let first = store.stream("s").append(FIELDS).unwrap();
    let second = store.stream("s").append(FIELDS).unwrap();
    clock.advance(Duration::from_millis(7));
    let third = store.stream("s").append(FIELDS).unwrap();
    assert_eq!(second, StreamId::new(first.ms, 1));
    assert_eq!(third, StreamId::new(first.ms + 7, 0));
}

#[test]
fn a_batch_appends_reads_and_acknowledges_as_one() {
    let store = Store::new();
    let batch = store.batch();
    let (stream, group) = (batch.stream("s"), batch.stream("s").group("g"));
    let created = group.create(GroupStart::Beginning);
    let first = stream.append(FIELDS);
    let refused = stream.append_with(FIELDS, at(1));
    let read = group.consumer("c").read(10);
    let found = stream.range(..).reversed().limit(1).get();
    let claimed = group.consumer("d").autoclaim(Duration::ZERO, StreamId::MIN, 10);
    assert!(store.stream("s").is_empty().unwrap());
    batch.exec().unwrap();

    created.get().unwrap();
    let first = first.get().unwrap();
    assert_eq!(refused.get(), Err(Error::StreamIdTooSmall));
    let read = read.get().unwrap();
    assert_eq!(read.first().unwrap().get("field"), Some(&b"value"[..]));
    assert_eq!(found.get().unwrap(), read);
    assert_eq!(claimed.get().unwrap().entries.first().unwrap().id(), first);
    assert_eq!(store.stream("s").group("g").pending_summary().unwrap().consumers.len(), 1);
}

#[test]
fn a_transaction_moves_an_entry_from_one_stream_to_another() {
    let store = Store::new();
    store.stream("from").append_with(FIELDS, at(1)).unwrap();
    store
        .transaction(&["from", "to"], |tx| {
            let entries = tx.stream("from").range(..).limit(1).get()?;
            let entry = entries.first().expect("one was appended");
            let fields: Vec<_> = entry.fields().collect();
            tx.stream("to").append_with(&fields, AppendOptions::new().id(entry.id()))?;
            tx.stream("from").delete(&[entry.id()])
        })
        .unwrap();
    assert!(store.stream("from").is_empty().unwrap());
    assert_eq!(store.stream("to").last_id(), Ok(id(1)));
}

#[test]
fn several_streams_are_read_at_once() {
    let store = Store::new();
    store.stream("a").append_with(FIELDS, at(1)).unwrap();
    store.stream("b").append_with(FIELDS, at(2)).unwrap();
    store.stream("b").append_with(FIELDS, at(3)).unwrap();
    let start = After::Id(StreamId::MIN);
    let streams = [("a", start), ("b", start), ("c", start), ("a", After::Last)];
    let found = store.read_streams(&streams, 1).unwrap();
    let ids: Vec<_> = found.iter().map(|(key, entries)| (&key[..], entries.len())).collect();
    assert_eq!(ids, [(&b"a"[..], 1), (&b"b"[..], 1)]);
}

#[test]
fn a_count_of_nothing_is_nothing_and_none_is_given_for_it() {
    let store = Store::new();
    let (stream, group) = (store.stream("s"), store.stream("s").group("g"));
    group.create(GroupStart::Beginning).unwrap();
    for ms in 1..=3 {
        stream.append_with(FIELDS, at(ms)).unwrap();
    }
    let (worker, start) = (group.consumer("w"), StreamId::MIN);
    worker.read(1).unwrap();

    assert!(stream.range(..).limit(0).get().unwrap().is_empty());
    assert!(stream.read_after(start, 0).unwrap().is_empty());
    assert!(stream.read_blocking(After::Last, 0, None).unwrap().is_empty());
    assert!(store.read_streams(&[("s", After::Id(start))], 0).unwrap().is_empty());
    assert!(store.read_streams_blocking(&[("s", After::Last)], 0, None).unwrap().is_empty());
    assert!(worker.read(0).unwrap().is_empty());
    assert!(worker.read_acknowledged(0).unwrap().is_empty());
    assert!(worker.read_blocking(0, None).unwrap().is_empty());
    assert!(worker.history(start, 0).unwrap().is_empty());
    assert!(group.pending(.., Duration::ZERO, 0).unwrap().is_empty());
    let claimed = group.consumer("other").autoclaim(Duration::ZERO, id(1), 0).unwrap();
    assert!(claimed.entries.is_empty() && claimed.next == id(1));
    let info = stream.full_info(0).unwrap();
    assert!(info.entries.is_empty() && info.groups[0].pending.is_empty());
    assert_eq!((info.info.length, info.groups[0].pending_count), (3, 1));

    let all = usize::MAX;
    assert_eq!(stream.read_after(start, all).unwrap().len(), 3);
    assert_eq!(worker.read(all).unwrap().len(), 2, "nothing was given before");
    assert_eq!(stream.full_info(all).unwrap().groups[0].pending.len(), 3);

    let missing = stream.group("missing").consumer("w");
    assert!(matches!(missing.read(0), Err(Error::NoGroup { .. })));
    assert!(matches!(missing.history(start, 0), Err(Error::NoGroup { .. })));
    store.kv().set("text", "x").unwrap();
    let text = store.stream("text");
    assert_eq!(text.read_after(start, 0), Err(Error::WrongType));
    assert_eq!(store.read_streams(&[("text", After::Last)], 0), Err(Error::WrongType));
}

#[test]
fn an_emptied_stream_lives_on_with_its_groups_and_ids() {
    let store = Store::new();
    let stream = store.stream("s");
    stream.append_with(FIELDS, at(5)).unwrap();
    stream.group("g").create(GroupStart::End).unwrap();
    assert_eq!(stream.trim(Trim::max_len(0)), Ok(1));
    assert_eq!(stream.last_id(), Ok(id(5)));
    assert_eq!(stream.info().unwrap().groups, 1);
    assert_eq!(stream.append_with(FIELDS, at(4)), Err(Error::StreamIdTooSmall));
}

#[test]
fn what_happens_to_a_stream_is_told_as_events() {
    let store = Store::new();
    let events = store.events(larder::SubscriptionOptions::new());
    let stream = store.stream("s");
    let group = stream.group("g");
    group.create(GroupStart::Beginning).unwrap();
    stream.append_with(FIELDS, at(1)).unwrap();
    stream.append_with(FIELDS, at(2).trim(Trim::max_len(1))).unwrap();
    group.consumer("c").read(1).unwrap();
    group.consumer("c").read(1).unwrap();
    stream.delete(&[id(2)]).unwrap();
    stream.delete(&[id(2)]).unwrap();
    group.consumer("c").delete().unwrap();
    group.set_position(GroupStart::End).unwrap();
    group.destroy().unwrap();
    stream.set_last_id(id(9)).unwrap();
    let told: Vec<EventKind> =
        std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.kind).collect();
    use EventKind::*;
    let expected = [
        GroupCreated,
        EntryAdded,
        EntryAdded,
        Trimmed,
        ConsumerCreated,
        EntriesDeleted,
        ConsumerDeleted,
        GroupIdSet,
        GroupDestroyed,
        LastIdSet,
    ];
    assert_eq!(told, expected);
}
