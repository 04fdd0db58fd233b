//! Bad input and bad luck for streams: each must end in a clear error with nothing changed, or
//! in what Redis does; never in a panic, a hang or memory sized by a count.

use std::thread;
use std::time::{Duration, SystemTime};

use larder::{
    After, AppendOptions, ClaimOptions, Deletion, Error, GroupStart, ManualClock, References,
    Store, StreamId, Trim,
};

const FIELDS: &[(&str, &str)] = &[("field", "value")];
const HOUR: Duration = Duration::from_secs(3600);

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

fn append_as(store: &Store, id: StreamId) -> Result<Option<StreamId>, Error> {
    store.stream("s").append_with(FIELDS, AppendOptions::new().id(id))
}

/// A store on a manual clock, with the entries `1-0` to `n-0` and a group that was given none.
fn with_entries(n: u64) -> (Store, ManualClock) {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    store.stream("s").group("g").create(GroupStart::Beginning).unwrap();
    for ms in 1..=n {
        append_as(&store, id(ms, 0)).unwrap();
    }
    (store, clock)
}

/// Runs `call` in a thread, and `change` once it waits.
fn while_blocked<R: Send>(call: impl FnOnce() -> R + Send, change: impl FnOnce()) -> R {
    thread::scope(|scope| {
        let caller = scope.spawn(call);
        thread::sleep(Duration::from_millis(50));
        change();
        caller.join().unwrap()
    })
}

#[test]
fn ids_never_decrease_when_the_wall_clock_jumps_back() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    let stream = store.stream("s");
    let first = stream.append(FIELDS).unwrap();
    clock.set_wall(clock.wall() - HOUR);
    let second = stream.append(FIELDS).unwrap();
    assert_eq!(second, id(first.ms, first.seq + 1));
    clock.set_wall(clock.wall() + 2 * HOUR);
    let third = stream.append(FIELDS).unwrap();
    assert_eq!(third.seq, 0);
    assert!(third.ms > first.ms);
}

#[test]
fn huge_counts_are_limits_and_nothing_is_allocated_by_them() {
    let (store, _clock) = with_entries(3);
    let (stream, group) = (store.stream("s"), store.stream("s").group("g"));
    let all = usize::MAX;
    assert_eq!(stream.range(..).limit(all).get().unwrap().len(), 3);
    assert_eq!(stream.read_after(StreamId::MIN, all).unwrap().len(), 3);
    let at_once = stream.read_blocking(StreamId::MIN, all, Duration::MAX);
    assert_eq!(at_once.unwrap().len(), 3);
    assert_eq!(group.consumer("a").read(all).unwrap().len(), 3);
    assert_eq!(group.consumer("a").history(StreamId::MIN, all).unwrap().len(), 3);
    assert_eq!(group.pending(.., Duration::ZERO, all).unwrap().len(), 3);
    let claimed = group.consumer("b").autoclaim(Duration::ZERO, StreamId::MIN, all).unwrap();
    assert_eq!((claimed.entries.len(), claimed.next), (3, StreamId::MIN));
    assert_eq!(stream.full_info(all).unwrap().entries.len(), 3);
    assert_eq!(stream.trim(Trim::max_len(all)).unwrap(), 0);
}

#[test]
fn ids_that_cannot_follow_are_refused() {
    let (store, _clock) = with_entries(3);
    assert_eq!(append_as(&store, id(0, 0)), Err(Error::StreamIdZero));
    assert_eq!(append_as(&store, id(3, 0)), Err(Error::StreamIdTooSmall));
    assert_eq!(append_as(&store, id(2, 9)), Err(Error::StreamIdTooSmall));
    let stream = store.stream("s");
    let late = stream.append_with(FIELDS, AppendOptions::new().id_at(2));
    assert_eq!(late, Err(Error::StreamIdTooSmall));
    assert_eq!(stream.append::<&str, &str>(&[]), Err(Error::Arity("XADD")));
    assert_eq!(stream.len().unwrap(), 3);

    assert_eq!(append_as(&store, StreamId::MAX), Ok(Some(StreamId::MAX)));
    assert_eq!(stream.append(FIELDS), Err(Error::StreamExhausted));
    assert_eq!(append_as(&store, StreamId::MAX), Err(Error::StreamExhausted));
    assert_eq!(stream.len().unwrap(), 4);
}

#[test]
fn a_refused_append_creates_no_stream() {
    let store = Store::new();
    assert_eq!(append_as(&store, id(0, 0)), Err(Error::StreamIdZero));
    let none = store.stream("s").append_with(FIELDS, AppendOptions::new().only_existing());
    assert_eq!(none, Ok(None));
    assert_eq!(store.stream("s").info(), Err(Error::NoSuchKey));
}

#[test]
fn a_millisecond_without_ids_left_goes_on_in_the_next() {
    let (store, clock) = with_entries(0);
    let now = clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    append_as(&store, id(now, u64::MAX)).unwrap();
    let full = store.stream("s").append_with(FIELDS, AppendOptions::new().id_at(now));
    assert_eq!(full, Err(Error::StreamIdTooSmall));
    assert_eq!(store.stream("s").append(FIELDS), Ok(id(now + 1, 0)));
}

#[test]
fn ranges_at_the_ends_of_all_ids_hold_what_they_say() {
    use std::ops::Bound::{self, Excluded, Unbounded};
    let (store, _clock) = with_entries(3);
    let stream = store.stream("s");
    type Bounds = (Bound<StreamId>, Bound<StreamId>);
    let count = |bounds: Bounds| stream.range(bounds).get().unwrap().len();
    assert_eq!(count((Excluded(StreamId::MAX), Unbounded)), 0);
    assert_eq!(count((Unbounded, Excluded(StreamId::MIN))), 0);
    assert_eq!(count((Excluded(id(1, 0)), Excluded(id(3, 0)))), 1);
    assert_eq!(count((Excluded(id(3, 0)), Excluded(id(1, 0)))), 0);
}

#[test]
fn a_blocked_group_reader_is_told_that_its_group_is_gone() {
    let (store, _clock) = with_entries(0);
    let read = || store.stream("s").group("g").consumer("c").read_blocking(1, None);
    let outcome = while_blocked(read, || {
        store.stream("s").group("g").destroy().unwrap();
    });
    assert!(matches!(outcome, Err(Error::NoGroup { .. })), "{outcome:?}");
}

#[test]
fn a_blocked_group_reader_is_told_that_its_stream_is_gone() {
    let (store, _clock) = with_entries(0);
    let read = || store.stream("s").group("g").consumer("c").read_blocking(1, None);
    let outcome = while_blocked(read, || {
        store.keys().delete("s").unwrap();
    });
    assert!(matches!(outcome, Err(Error::NoGroup { .. })), "{outcome:?}");
}

#[test]
fn a_blocked_group_reader_is_told_that_its_key_holds_something_else() {
    let (store, _clock) = with_entries(0);
    let read = || store.stream("s").group("g").consumer("c").read_blocking(1, None);
    let outcome = while_blocked(read, || store.kv().set("s", "text").unwrap());
    assert_eq!(outcome, Err(Error::WrongType));
}

#[test]
fn a_blocked_reader_waits_on_through_removal() {
    let (store, _clock) = with_entries(0);
    let read = || store.stream("s").read_blocking(After::Last, 1, None);
    let entries = while_blocked(read, || {
        store.keys().delete("s").unwrap();
        store.kv().set("s", "text").unwrap();
        store.keys().delete("s").unwrap();
        append_as(&store, id(5, 0)).unwrap();
    });
    assert_eq!(entries.unwrap().first().unwrap().id(), id(5, 0));
}

#[test]
fn a_blocked_reader_of_several_is_served_though_one_is_a_stream_no_more() {
    let (store, _clock) = with_entries(0);
    let read = || store.read_streams_blocking(&[("s", After::Last), ("t", After::Last)], 1, None);
    let found = while_blocked(read, || {
        store.kv().set("t", "text").unwrap();
        append_as(&store, id(5, 0)).unwrap();
    });
    assert_eq!(found.unwrap()[0].1.first().unwrap().id(), id(5, 0));
}

#[test]
fn a_deleted_consumer_does_not_come_back_by_waiting() {
    let (store, clock) = with_entries(0);
    let group = store.stream("s").group("g");
    group.consumer("c").create().unwrap();
    let read = || store.stream("s").group("g").consumer("c").read_blocking(1, HOUR);
    let entries = while_blocked(read, || {
        assert_eq!(group.consumer("c").delete(), Ok(0));
        assert!(group.consumers().unwrap().is_empty());
        clock.advance(HOUR);
    });
    assert!(entries.unwrap().is_empty());
    assert!(group.consumers().unwrap().is_empty());
}

#[test]
fn a_pending_entry_that_was_deleted_comes_without_fields() {
    let (store, _clock) = with_entries(2);
    let (stream, group) = (store.stream("s"), store.stream("s").group("g"));
    group.consumer("c").read(2).unwrap();
    stream.delete(&[id(1, 0)]).unwrap();
    let history = group.consumer("c").history(StreamId::MIN, 10).unwrap();
    let deleted: Vec<bool> = history.iter().map(|entry| entry.is_deleted()).collect();
    assert_eq!(deleted, [true, false]);
    let claimed = group.consumer("d").autoclaim(Duration::ZERO, StreamId::MIN, 10).unwrap();
    assert_eq!(claimed.deleted, [id(1, 0)]);
    assert_eq!(claimed.entries.len(), 1);
}

#[test]
fn a_reader_from_the_last_id_sees_only_what_comes_later() {
    let (store, _clock) = with_entries(3);
    let read = || store.stream("s").read_blocking(After::Last, 10, None);
    let entries = while_blocked(read, || {
        append_as(&store, id(4, 0)).unwrap();
    });
    assert_eq!(entries.unwrap().ids().collect::<Vec<_>>(), [id(4, 0)]);
    let last = store.stream("s").read_after(After::LastButOne, 10).unwrap();
    assert_eq!(last.ids().collect::<Vec<_>>(), [id(4, 0)]);
}

#[test]
fn an_entry_goes_to_the_consumer_that_waited_longest() {
    let (store, _clock) = with_entries(0);
    let read = |name: &'static str| {
        let store = store.clone();
        thread::spawn(move || store.stream("s").group("g").consumer(name).read_blocking(1, None))
    };
    let first = read("first");
    thread::sleep(Duration::from_millis(50));
    let second = read("second");
    thread::sleep(Duration::from_millis(50));
    append_as(&store, id(1, 0)).unwrap();
    assert_eq!(first.join().unwrap().unwrap().first().unwrap().id(), id(1, 0));
    append_as(&store, id(2, 0)).unwrap();
    assert_eq!(second.join().unwrap().unwrap().first().unwrap().id(), id(2, 0));
}

#[test]
fn a_timeout_ends_when_the_clock_says_so() {
    let (store, clock) = with_entries(0);
    let read = || store.stream("s").group("g").consumer("c").read_blocking(1, HOUR);
    let entries = while_blocked(read, || {
        clock.advance(HOUR - Duration::from_millis(1));
        clock.advance(Duration::from_millis(1));
    });
    assert!(entries.unwrap().is_empty());
    let read = || store.read_streams_blocking(&[("s", After::Last)], 1, HOUR);
    assert!(while_blocked(read, || clock.advance(HOUR)).unwrap().is_empty());
}

#[test]
fn idle_times_follow_the_clock_and_not_the_wall() {
    let (store, clock) = with_entries(2);
    let group = store.stream("s").group("g");
    group.consumer("a").read(10).unwrap();
    clock.advance(HOUR);
    clock.set_wall(clock.wall() - 3 * HOUR);
    let pending = group.pending(.., HOUR, 10).unwrap();
    assert_eq!(pending.iter().map(|entry| entry.idle).collect::<Vec<_>>(), [HOUR, HOUR]);
    let too_long = HOUR + Duration::from_millis(1);
    assert!(group.consumer("b").claim(too_long, &[id(1, 0)]).unwrap().is_empty());
    assert_eq!(group.consumer("b").claim(HOUR, &[id(1, 0)]).unwrap().len(), 1);
    let idle = |name| {
        let consumers = group.consumers().unwrap();
        consumers.iter().find(|consumer| consumer.name == name).unwrap().idle
    };
    assert_eq!((idle("a"), idle("b")), (HOUR, Duration::ZERO));
}

#[test]
fn delivery_times_that_make_no_sense_mean_now() {
    let (store, clock) = with_entries(1);
    let group = store.stream("s").group("g");
    group.consumer("a").read(10).unwrap();
    let idle_after = |options| {
        group.consumer("a").claim_with(Duration::ZERO, &[id(1, 0)], options).unwrap();
        group.pending(.., Duration::ZERO, 1).unwrap()[0].idle
    };
    assert_eq!(idle_after(ClaimOptions::new().idle(HOUR)), HOUR);
    assert_eq!(idle_after(ClaimOptions::new().idle(Duration::MAX)), Duration::ZERO);
    assert_eq!(idle_after(ClaimOptions::new().delivered_at(clock.wall() - HOUR)), HOUR);
    let future = clock.wall() + HOUR;
    assert_eq!(idle_after(ClaimOptions::new().delivered_at(future)), Duration::ZERO);
}

#[test]
fn deletion_keeps_to_what_groups_still_need() {
    let (store, _clock) = with_entries(3);
    let (stream, group) = (store.stream("s"), store.stream("s").group("g"));
    group.consumer("c").read(2).unwrap();
    let ids = [id(1, 0), id(3, 0), id(0, 9)];
    let careful = stream.delete_with(&ids, References::Acknowledged).unwrap();
    use Deletion::{Deleted, NotFound, StillReferenced};
    assert_eq!(careful, [StillReferenced, StillReferenced, NotFound]);
    group.ack(&[id(1, 0)]).unwrap();
    let careful = stream.delete_with(&ids[..1], References::Acknowledged).unwrap();
    assert_eq!(careful, [Deleted]);
    assert_eq!(group.ack_and_delete(&ids, References::Keep).unwrap(), [NotFound; 3]);
    assert_eq!(group.ack_and_delete(&[id(2, 0)], References::Keep).unwrap(), [Deleted]);
    assert_eq!(group.pending_summary().unwrap().count, 0);
    assert_eq!(stream.len().unwrap(), 1);
}

#[test]
fn every_call_on_another_type_is_refused_and_changes_nothing() {
    let store = Store::new();
    store.kv().set("s", "text").unwrap();
    let (stream, group) = (store.stream("s"), store.stream("s").group("g"));
    let consumer = group.consumer("c");
    let wrong = Error::WrongType;
    assert_eq!(stream.append(FIELDS).unwrap_err(), wrong);
    assert_eq!(stream.len().unwrap_err(), wrong);
    assert_eq!(stream.range(..).get().unwrap_err(), wrong);
    assert_eq!(stream.read_after(StreamId::MIN, 1).unwrap_err(), wrong);
    assert_eq!(stream.read_blocking(After::Last, 1, None).unwrap_err(), wrong);
    assert_eq!(stream.delete(&[id(1, 0)]).unwrap_err(), wrong);
    assert_eq!(stream.trim(Trim::max_len(0)).unwrap_err(), wrong);
    assert_eq!(stream.set_last_id(id(1, 0)).unwrap_err(), wrong);
    assert_eq!(stream.info().unwrap_err(), wrong);
    assert_eq!(group.create(GroupStart::End).unwrap_err(), wrong);
    assert_eq!(group.destroy().unwrap_err(), wrong);
    assert_eq!(group.ack(&[id(1, 0)]).unwrap_err(), wrong);
    assert_eq!(group.pending_summary().unwrap_err(), wrong);
    assert_eq!(consumer.read(1).unwrap_err(), wrong);
    assert_eq!(consumer.read_blocking(1, None).unwrap_err(), wrong);
    assert_eq!(consumer.claim(Duration::ZERO, &[id(1, 0)]).unwrap_err(), wrong);
    assert_eq!(store.kv().get("s").unwrap().unwrap(), "text");
}

#[test]
fn a_trim_without_a_strategy_is_told_so_unless_its_limit_is_one() {
    let store = Store::new();
    for (limit, text) in [
        (&b"0"[..], &b"-ERR syntax error, XTRIM must be called with a trimming strategy\r\n"[..]),
        (
            b"1",
            b"-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy\r\n",
        ),
    ] {
        assert_eq!(store.answer(&[b"XTRIM", b"log", b"LIMIT", limit], false), text);
    }
}
