//! Blocking reads as futures, and subscriptions as streams, under an executor of thirty lines.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use larder::futures_core::Stream;
use larder::{After, Error, GroupStart, ListEnd, ManualClock, RecvError, Store, StreamId, Waiting};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

fn poll<R>(future: &mut Waiting<R>) -> Poll<larder::Result<R>> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn store_with_clock() -> (Store, ManualClock) {
    let clock = ManualClock::new();
    (Store::builder().clock(&clock).build(), clock)
}

#[test]
fn lists_answer_what_is_there_and_wait_for_what_is_not() {
    let store = Store::new();
    let (list, lists, q) = (store.list("q"), store.lists(), [b"q"]);
    list.push_back_many(&["a", "b", "c", "d", "e", "f", "g"]).unwrap();
    assert_eq!(block_on(list.pop_front_async(None)), Ok(Some("a".into())));
    assert_eq!(block_on(list.pop_back_async(None)), Ok(Some("g".into())));
    assert_eq!(block_on(lists.pop_front_async(&q, None)), Ok(Some(("q".into(), "b".into()))));
    assert_eq!(block_on(lists.pop_back_async(&q, None)), Ok(Some(("q".into(), "f".into()))));
    let many = block_on(lists.pop_front_many_async(&q, 2, None)).unwrap().unwrap();
    assert_eq!(many.1, ["c", "d"]);
    let many = block_on(lists.pop_back_many_async(&q, 9, None)).unwrap().unwrap();
    assert_eq!(many.1, ["e"]);
    let mut moving = list.move_to_async("r", ListEnd::Front, ListEnd::Back, None);
    let mut dropped = list.move_to_async("r", ListEnd::Front, ListEnd::Back, None);
    assert!(poll(&mut moving).is_pending() && poll(&mut dropped).is_pending());
    list.push_back_many(&["x", "y"]).unwrap();
    assert_eq!(poll(&mut moving), Poll::Ready(Ok(Some("x".into()))));
    drop(dropped);
    assert_eq!(list.range(..).unwrap(), ["y"]);
    assert_eq!(store.list("r").range(..).unwrap(), ["x"]);
}

#[test]
fn what_is_there_is_answered_at_the_first_poll() {
    let store = Store::new();
    let set = store.sorted_set("q");
    set.add_many(&[("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0), ("e", 5.0)]).unwrap();
    let (q, sets) = ([b"q"], store.sorted_sets());
    assert_eq!(block_on(set.pop_min_async(None)), Ok(Some(("a".into(), 1.0))));
    assert_eq!(block_on(set.pop_max_async(None)), Ok(Some(("e".into(), 5.0))));
    assert_eq!(block_on(sets.pop_min_async(&q, None)).unwrap().unwrap().1, "b");
    assert_eq!(block_on(sets.pop_max_async(&q, None)).unwrap().unwrap().1, "d");
    let many = block_on(sets.pop_min_many_async(&q, 9, None));
    assert_eq!(many, Ok(Some(("q".into(), vec![("c".into(), 3.0)]))));
    let none = block_on(sets.pop_max_many_async(&q, 9, Duration::from_millis(1)));
    assert_eq!(none, Ok(None));
}

#[test]
fn tasks_are_woken_by_writers_in_their_order() {
    let store = Store::new();
    let mut futures: Vec<_> = (0..3).map(|_| store.sorted_set("q").pop_min_async(None)).collect();
    for future in futures.iter_mut().rev() {
        assert!(poll(future).is_pending());
    }
    let threads: Vec<_> =
        futures.into_iter().map(|future| thread::spawn(|| block_on(future))).collect();
    for n in 0..3 {
        store.sorted_set("q").add(n, 1.0).unwrap();
    }
    let popped: Vec<i64> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap().unwrap().unwrap().0.to().unwrap())
        .collect();
    assert_eq!(popped, [2, 1, 0]);
}

#[test]
fn streams_and_groups_are_read() {
    let store = Store::new();
    let stream = store.stream("s");
    stream.group("g").create(GroupStart::End).unwrap();
    let mut last = stream.read_async(After::Last, 10, None);
    let mut both =
        store.read_streams_async(&[("t", StreamId::MIN.into()), ("s", After::Last)], 1, None);
    let mut worker = stream.group("g").consumer("w").read_async(1, None);
    assert!(poll(&mut last).is_pending() && poll(&mut both).is_pending());
    assert!(poll(&mut worker).is_pending());
    let id = stream.append(&[("n", "1")]).unwrap();
    assert_eq!(block_on(last).unwrap().iter().next().unwrap().id(), id);
    assert_eq!(block_on(both).unwrap()[0].0, "s");
    assert_eq!(block_on(worker).unwrap().len(), 1);
    assert!(block_on(stream.read_async(After::Last, 0, None)).unwrap().is_empty());
    assert!(block_on(store.read_streams_async(&[("s", After::Last)], 0, None)).unwrap().is_empty());
    assert!(block_on(stream.group("g").consumer("w").read_async(0, None)).unwrap().is_empty());
    let soon = Duration::from_millis(1);
    assert!(block_on(stream.read_async(After::Last, 1, soon)).unwrap().is_empty());
    assert!(block_on(store.read_streams_async(&[("s", After::Last)], 1, soon)).unwrap().is_empty());
    assert!(block_on(stream.group("g").consumer("w").read_async(1, soon)).unwrap().is_empty());
}

#[test]
fn bad_arguments_are_refused_as_on_a_thread() {
    let store = Store::new();
    let sets = store.sorted_sets();
    assert_eq!(block_on(sets.pop_min_async::<&str>(&[], None)), Err(Error::NoKeys));
    assert_eq!(block_on(sets.pop_min_many_async::<&str>(&[], 1, None)), Err(Error::NoKeys));
    let none = block_on(sets.pop_max_many_async(&["q"], 0, None));
    assert!(matches!(none, Err(Error::OutOfRange(_))));
    store.kv().set("q", 1).unwrap();
    assert_eq!(block_on(store.sorted_set("q").pop_min_async(None)), Err(Error::WrongType));
    assert_eq!(block_on(store.stream("q").read_async(After::Last, 0, None)), Err(Error::WrongType));
    let worker = store.stream("s").group("g").consumer("w").read_async(1, None);
    assert!(matches!(block_on(worker), Err(Error::NoGroup { .. })));
}

#[test]
fn hostile_20_a_dropped_future_loses_nothing() {
    let store = Store::new();
    let queue = store.sorted_set("q");
    let [mut woken, mut next] = [(); 2].map(|()| queue.pop_min_async(None));
    assert!(poll(&mut woken).is_pending() && poll(&mut next).is_pending());
    queue.add("a", 1.0).unwrap();
    drop(woken);
    assert_eq!(poll(&mut next), Poll::Ready(Ok(Some(("a".into(), 1.0)))));

    let mut alone = queue.pop_min_async(None);
    assert!(poll(&mut alone).is_pending());
    queue.add("b", 1.0).unwrap();
    drop(alone);
    drop(queue.pop_min_async(None));
    assert_eq!((queue.len(), queue.score("b")), (Ok(1), Ok(Some(1.0))));
}

#[test]
fn hostile_20_what_a_dropped_consumer_was_given_stays_pending() {
    let store = Store::new();
    let group = store.stream("s").group("g");
    group.create(GroupStart::End).unwrap();
    let mut read = group.consumer("w").read_async(1, None);
    assert!(poll(&mut read).is_pending());
    store.stream("s").append(&[("n", "1")]).unwrap();
    drop(read);
    assert_eq!(group.consumer("w").history(StreamId::MIN, 10).unwrap().len(), 1);
}

#[test]
fn timeouts_fire_by_the_thread_and_by_a_manual_clock() {
    let store = Store::new();
    let timed = store.sorted_set("q").pop_min_async(Duration::from_millis(5));
    assert_eq!(block_on(timed), Ok(None));

    let (store, clock) = store_with_clock();
    let mut timed = store.sorted_set("q").pop_min_async(Duration::from_secs(5));
    clock.advance(Duration::from_secs(60));
    assert!(poll(&mut timed).is_pending(), "it runs from the first poll on");
    clock.advance(Duration::from_millis(4_999));
    assert!(poll(&mut timed).is_pending());
    clock.advance(Duration::from_millis(1));
    assert_eq!(poll(&mut timed), Poll::Ready(Ok(None)));
}

#[test]
fn many_tasks_share_one_queue_and_lose_nothing() {
    const MEMBERS: usize = 2_000;
    let store = Store::new();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let store = store.clone();
            thread::spawn(move || {
                let mut taken = 0;
                loop {
                    let timeout = Duration::from_micros(taken as u64 % 200);
                    let mut patient = store.sorted_set("q").pop_min_async(None);
                    // Often dropped just as it is woken.
                    let at_once = match poll(&mut patient) {
                        Poll::Ready(popped) => popped.unwrap(),
                        Poll::Pending => None,
                    };
                    drop(patient);
                    let later = block_on(store.sorted_set("q").pop_min_async(timeout)).unwrap();
                    let popped = [at_once, later].into_iter().flatten();
                    let (ends, members): (Vec<_>, Vec<_>) = popped.partition(|(m, _)| m == "end");
                    taken += members.len();
                    if !ends.is_empty() {
                        break taken;
                    }
                }
            })
        })
        .collect();
    for n in 0..MEMBERS {
        store.sorted_set("q").add(n, n as f64).unwrap();
    }
    while store.sorted_set("q").len().unwrap() > 0 {
        thread::yield_now();
    }
    let mut taken = 0;
    for thread in threads {
        // What is given back may come back after this: the end is always popped last.
        while !thread.is_finished() {
            store.sorted_set("q").add("end", f64::INFINITY).unwrap();
            thread::yield_now();
        }
        taken += thread.join().unwrap();
    }
    let queue = store.sorted_set("q");
    queue.remove("end").unwrap();
    assert_eq!(taken + queue.len().unwrap(), MEMBERS);
}

#[test]
fn a_future_does_not_keep_its_store_alive() {
    let store = Store::new();
    let mut waiting = store.sorted_set("q").pop_min_async(Duration::from_secs(3600));
    let mut fresh = store.sorted_set("q").pop_min_async(None);
    assert!(poll(&mut waiting).is_pending());
    let woken = thread::spawn(|| block_on(waiting));
    drop(store);
    assert_eq!(woken.join().unwrap(), Err(Error::Closed));
    assert_eq!(poll(&mut fresh), Poll::Ready(Err(Error::Closed)));
}

#[test]
fn subscriptions_and_events_are_streams() {
    let store = Store::new();
    let news = store.subscribe(&["news"]).unwrap();
    let events = store.events(larder::SubscriptionOptions::new());
    let (mut messages, mut changes) = (news.stream(), events.stream());
    let writer = store.clone();
    let writing = thread::spawn(move || {
        writer.kv().set("k", 1).unwrap();
        writer.publish("news", "rain").unwrap();
    });
    assert_eq!(block_on(next(&mut messages)).unwrap().unwrap().payload, "rain");
    assert_eq!(block_on(next(&mut changes)).unwrap().unwrap().key, "k");
    writing.join().unwrap();
    drop(store);
    assert!(block_on(next(&mut messages)).is_none());
    assert!(block_on(next(&mut changes)).is_none());
    assert_eq!(news.try_recv(), Err(RecvError::Closed));
    assert_eq!(block_on(news.recv_async()), Err(RecvError::Closed));
}

#[test]
fn a_message_is_a_future_that_may_be_dropped_and_sent() {
    let store = Store::new();
    let news = store.subscribe(&["news"]).unwrap();
    let events = store.events(larder::SubscriptionOptions::new());
    {
        let mut given_up = pin!(news.recv_async());
        assert!(given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        store.publish("news", "rain").unwrap();
    }
    thread::scope(|scope| {
        let (message, event) = (news.recv_async(), events.recv_async());
        let reading = scope.spawn(|| (block_on(message), block_on(event)));
        store.kv().set("k", 1).unwrap();
        let (message, event) = reading.join().unwrap();
        assert_eq!((message.unwrap().payload, event.unwrap().key), ("rain".into(), "k".into()));
    });
}
