//! What the journal refuses, and who hears of what it cannot answer for.

use std::task::Waker;

use super::Collector;
use crate::engine::{Started, start};
use crate::ops::list::BlockingPopFront;
use crate::ops::{Await, Timeout};
use crate::sync::Ordering;
use crate::{Error, Store, SubscriptionOptions};

fn read_only() -> Error {
    Error::ReadOnly("the disk is full".to_owned())
}

fn indeterminate() -> Error {
    Error::Indeterminate("no sync".to_owned())
}

#[test]
fn a_journal_that_refuses_leaves_everything_as_it_is() {
    let store = Store::new();
    store.kv().set("a", 1).unwrap();
    let collector = Collector::attached_to(&store);
    collector.refuses.store(true, Ordering::SeqCst);
    assert_eq!(store.kv().set("a", 2), Err(read_only()));
    assert_eq!(store.kv().set_many(&[("a", 2)]), Err(read_only()));
    assert_eq!(store.list("l").pop_front_blocking(None), Err(read_only()));
    assert_eq!(store.clear_all(), Err(read_only()));
    let batch = store.batch();
    let set = batch.kv().set("a", 2);
    assert_eq!(batch.exec(), Err(read_only()));
    assert_eq!(set.get(), Err(Error::NotExecuted));
    let outcome = store.transaction(&["a"], |_| -> crate::Result<()> { unreachable!() });
    assert_eq!(outcome, Err(read_only()));
    let reply = store.answer_all(&[&[b"SET", b"a", b"2"]], false);
    assert!(reply.starts_with(b"-MISCONF "));
    assert_eq!(store.kv().get_as("a"), Ok(Some(1)));
    assert_eq!(store.kv().get_many_as::<i64>(&["a"]), Ok(vec![Some(1)]));
    let reads = store.batch();
    let a = reads.kv().get_as::<i64>("a");
    assert_eq!((reads.exec(), a.get()), (Ok(()), Ok(Some(1))));
    assert!(collector.records.lock().is_empty());
}

#[test]
fn a_journal_that_cannot_answer_is_told_to_whoever_wrote() {
    let store = Store::new();
    let collector = Collector::attached_to(&store);
    collector.is_lost.store(true, Ordering::SeqCst);
    assert_eq!(store.kv().set("a", 1), Err(indeterminate()));
    assert_eq!(store.kv().set_many(&[("b", 2)]), Err(indeterminate()));
    let batch = store.batch();
    let _ = batch.kv().set("c", 3);
    assert_eq!(batch.exec(), Err(indeterminate()));
    assert_eq!(store.transaction(&["d"], |tx| tx.kv().set("d", 4)), Err(indeterminate()));
    assert_eq!(store.kv().increment("none", i64::MAX), Err(indeterminate()));
    assert_eq!(store.kv().increment("none", 1), Err(Error::Overflow), "it did nothing");
    let all = store.kv().get_many_as::<i64>(&["a", "b", "c", "d"]);
    assert_eq!(all, Ok(vec![Some(1), Some(2), Some(3), Some(4)]), "all of it has happened");
}

#[test]
fn who_is_served_hears_of_it_after_the_journal_and_what_the_journal_says() {
    for is_lost in [false, true] {
        let store = Store::new();
        let collector = Collector::attached_to(&store);
        collector.is_lost.store(is_lost, Ordering::SeqCst);
        let of = Await { keys: vec![&b"l"[..]].into(), timeout: Timeout(None) };
        let started =
            start::<BlockingPopFront<'static>>(store.databases(), 0, &BlockingPopFront { of });
        let Started::Blocked(call) = started else { panic!("there is nothing yet") };
        let events = store.events(SubscriptionOptions::new());
        let pushed = store.list("l").push_back("x");
        assert_eq!(pushed.is_err(), is_lost);
        assert_eq!(collector.acknowledged.load(Ordering::SeqCst), 2, "for both at once");
        assert_eq!(collector.take_text(), ["0: RPUSH l x", "0: LPOP l"]);
        let std::task::Poll::Ready(outcome) = call.poll(Waker::noop()) else { panic!("served") };
        assert_eq!(outcome.map_err(|error| error == indeterminate()).is_err(), is_lost);
        assert!(events.try_recv().is_ok(), "it has happened");
        drop(call);
        assert_eq!(store.list("l").len(), Ok(0), "nothing comes back");
    }
}
