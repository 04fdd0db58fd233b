//! The hub against a dumb model, and its promises one by one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::hub::Hub;
use super::{Feed, Listener, Message, Overflow, RecvError, Subscription, SubscriptionOptions};
use crate::data::glob::Glob;
use crate::value::Value;

fn subscription(hub: &Arc<Hub>, capacity: usize, overflow: Overflow) -> Subscription {
    hub.subscribe(SubscriptionOptions::new().capacity(capacity).overflow(overflow))
}

fn listener(hub: &Arc<Hub>, channel: &str) -> Subscription {
    let listener = hub.subscribe(SubscriptionOptions::default());
    listener.subscribe(channel);
    listener
}

fn publish(hub: &Hub, channel: &str, payload: impl ToString) -> usize {
    hub.publish(channel.as_bytes(), Value::from(payload.to_string()))
}

fn number(message: &Message) -> u64 {
    message.payload.to().expect("the tests publish numbers")
}

/// All that can be read now: numbers, and lags as negative ones.
fn drain(subscription: &Subscription) -> Vec<i64> {
    let mut read = Vec::new();
    loop {
        match subscription.try_recv() {
            Ok(message) => read.push(number(&message) as i64),
            Err(RecvError::Lagged(missed)) => read.push(-(missed as i64)),
            Err(_) => return read,
        }
    }
}

// ---- The model ----

#[derive(Clone, Debug)]
enum Op {
    Create(usize, Overflow),
    Drop(usize),
    Subscribe(usize, &'static str),
    Unsubscribe(usize, &'static str),
    PSubscribe(usize, &'static str),
    PUnsubscribe(usize, &'static str),
    Publish(&'static str),
    PublishFrom(usize, &'static str),
    Read(usize),
}

const CHANNELS: [&str; 4] = ["", "a", "ab", "b"];
const PATTERNS: [&str; 4] = ["*", "a*", "?", "[ab]"];

fn op() -> impl Strategy<Value = Op> {
    let who = 0..4_usize;
    let channel = || prop::sample::select(&CHANNELS[..]);
    let pattern = || prop::sample::select(&PATTERNS[..]);
    let overflow = prop::sample::select(vec![
        Overflow::DropOldest,
        Overflow::DropNewest,
        Overflow::Block,
        Overflow::Disconnect,
    ]);
    prop_oneof![
        1 => (1..4_usize, overflow).prop_map(|(capacity, overflow)| Op::Create(capacity, overflow)),
        1 => who.clone().prop_map(Op::Drop),
        3 => (who.clone(), channel()).prop_map(|(who, name)| Op::Subscribe(who, name)),
        1 => (who.clone(), channel()).prop_map(|(who, name)| Op::Unsubscribe(who, name)),
        3 => (who.clone(), pattern()).prop_map(|(who, name)| Op::PSubscribe(who, name)),
        1 => (who.clone(), pattern()).prop_map(|(who, name)| Op::PUnsubscribe(who, name)),
        6 => channel().prop_map(Op::Publish),
        2 => (who.clone(), channel()).prop_map(|(who, name)| Op::PublishFrom(who, name)),
        6 => who.prop_map(Op::Read),
    ]
}

/// What a subscriber must be seen to hold, in two plain lists.
struct Expected {
    capacity: usize,
    overflow: Overflow,
    channels: BTreeSet<&'static str>,
    patterns: BTreeSet<&'static str>,
    taken: VecDeque<Result<Message, u64>>,
    waiting: VecDeque<Result<Message, u64>>,
    disconnected: bool,
}

impl Expected {
    fn messages(&self) -> usize {
        self.waiting.iter().filter(|item| item.is_ok()).count()
    }

    fn matches(&self, channel: &'static str) -> Vec<Option<&'static str>> {
        let by_name = self.channels.contains(channel).then_some(None);
        let by_pattern = self
            .patterns
            .iter()
            .filter(|pattern| Glob::new(pattern.as_bytes()).matches(channel.as_bytes()));
        by_name.into_iter().chain(by_pattern.map(|pattern| Some(*pattern))).collect()
    }

    fn offer(&mut self, message: Message) -> bool {
        if self.disconnected {
            return false;
        }
        if self.messages() >= self.capacity && self.overflow != Overflow::Block {
            match self.overflow {
                Overflow::DropOldest => {
                    let mut missed = 1;
                    while let Some(Err(earlier)) = self.waiting.pop_front() {
                        missed += earlier;
                    }
                    self.waiting.push_front(Err(missed));
                }
                Overflow::DropNewest => {
                    match self.waiting.back_mut() {
                        Some(Err(missed)) => *missed += 1,
                        _ => self.waiting.push_back(Err(1)),
                    }
                    return false;
                }
                _ => {
                    self.disconnected = true;
                    self.channels.clear();
                    self.patterns.clear();
                    return false;
                }
            }
        }
        self.waiting.push_back(Ok(message));
        true
    }

    fn read(&mut self) -> Result<Message, RecvError> {
        if self.taken.is_empty() {
            self.taken.append(&mut self.waiting);
        }
        match self.taken.pop_front() {
            Some(read) => read.map_err(RecvError::Lagged),
            None if self.disconnected => Err(RecvError::Disconnected),
            None => Err(RecvError::Empty),
        }
    }
}

#[derive(Default)]
struct Model {
    subscribers: BTreeMap<usize, (Subscription, Expected)>,
    created: usize,
    published: u64,
}

impl Model {
    fn publish(&mut self, hub: &Hub, origin: Option<usize>, channel: &'static str) {
        let skipped = |who: usize| origin == Some(who);
        let would_block = self.subscribers.iter().any(|(who, (_, expected))| {
            expected.overflow == Overflow::Block
                && !skipped(*who)
                && expected.messages() >= expected.capacity
                && !expected.matches(channel).is_empty()
        });
        if would_block {
            return;
        }
        self.published += 1;
        let payload = Value::from(self.published.to_string());
        let mut queued = 0;
        for (_, (_, expected)) in self.subscribers.iter_mut().filter(|(who, _)| !skipped(**who)) {
            for pattern in expected.matches(channel) {
                let message = Message {
                    channel: Value::from(channel),
                    pattern: pattern.map(Value::from),
                    payload: payload.clone(),
                };
                queued += usize::from(expected.offer(message));
            }
        }
        let origin =
            origin.and_then(|who| self.subscribers.get(&who)).map_or(0, |(real, _)| real.id());
        assert_eq!(hub.publish_from(origin, channel.as_bytes(), payload), queued);
    }

    fn apply(&mut self, hub: &Arc<Hub>, op: &Op) {
        match *op {
            Op::Create(capacity, overflow) => {
                let expected = Expected {
                    capacity,
                    overflow,
                    channels: BTreeSet::new(),
                    patterns: BTreeSet::new(),
                    taken: VecDeque::new(),
                    waiting: VecDeque::new(),
                    disconnected: false,
                };
                let who = self.created % 4;
                self.created += 1;
                self.subscribers.insert(who, (subscription(hub, capacity, overflow), expected));
            }
            Op::Drop(who) => drop(self.subscribers.remove(&who)),
            Op::Publish(channel) => self.publish(hub, None, channel),
            Op::PublishFrom(who, channel) => self.publish(hub, Some(who), channel),
            Op::Subscribe(who, name) => self.with(who, |real, expected| {
                let new = !expected.disconnected && expected.channels.insert(name);
                assert_eq!(real.subscribe(name), new);
            }),
            Op::Unsubscribe(who, name) => self.with(who, |real, expected| {
                assert_eq!(real.unsubscribe(name), expected.channels.remove(name));
            }),
            Op::PSubscribe(who, name) => self.with(who, |real, expected| {
                let new = !expected.disconnected && expected.patterns.insert(name);
                assert_eq!(real.psubscribe(name), new);
            }),
            Op::PUnsubscribe(who, name) => self.with(who, |real, expected| {
                assert_eq!(real.punsubscribe(name), expected.patterns.remove(name));
            }),
            Op::Read(who) => self.with(who, |real, expected| {
                assert_eq!(real.try_recv(), expected.read());
            }),
        }
    }

    fn with(&mut self, who: usize, act: impl FnOnce(&Subscription, &mut Expected)) {
        if let Some((real, expected)) = self.subscribers.get_mut(&who) {
            act(real, expected);
        }
    }

    fn check(&self, hub: &Hub) {
        hub.check();
        let all = || self.subscribers.values().map(|(_, expected)| expected);
        let channels: BTreeSet<_> =
            all().flat_map(|each| &each.channels).map(|name| Value::from(*name)).collect();
        assert_eq!(hub.channels(None).into_iter().collect::<BTreeSet<_>>(), channels);
        let one_letter = Glob::new(b"?");
        let some = channels.into_iter().filter(|name| one_letter.matches(name));
        assert!(
            hub.channels(Some(&one_letter))
                .into_iter()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .eq(some)
        );
        for name in CHANNELS {
            let count = all().filter(|each| each.channels.contains(name)).count();
            assert_eq!(hub.subscribers(name.as_bytes()), count);
        }
        assert_eq!(
            hub.pattern_count(),
            all().flat_map(|each| &each.patterns).collect::<BTreeSet<_>>().len()
        );
        for (real, expected) in self.subscribers.values() {
            assert!(
                real.channels()
                    .iter()
                    .map(Value::as_bytes)
                    .eq(expected.channels.iter().map(|name| name.as_bytes()))
            );
            assert!(
                real.patterns()
                    .iter()
                    .map(Value::as_bytes)
                    .eq(expected.patterns.iter().map(|name| name.as_bytes()))
            );
            let taken = expected.taken.iter().filter(|item| item.is_ok()).count();
            assert_eq!(real.pending(), taken + expected.messages());
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_the_model(ops in prop::collection::vec(op(), 1..120)) {
        let hub = Hub::new();
        let mut model = Model::default();
        for op in &ops {
            model.apply(&hub, op);
            model.check(&hub);
        }
        model.subscribers.clear();
        model.check(&hub);
    }
}

// ---- Promises ----

#[test]
fn a_message_carries_channel_pattern_and_payload() {
    let hub = Hub::new();
    let listener = listener(&hub, "news");
    listener.psubscribe("n*");
    assert_eq!(publish(&hub, "news", 1), 2);
    let by_name = listener.recv().unwrap();
    assert_eq!((&by_name.channel[..], &by_name.pattern), (&b"news"[..], &None));
    let by_pattern = listener.recv().unwrap();
    assert_eq!(by_pattern.pattern.unwrap(), "n*");
    assert_eq!(by_name.payload.as_ptr(), by_pattern.payload.as_ptr(), "the payload is shared");
    assert_eq!(listener.try_recv(), Err(RecvError::Empty));
}

#[test]
fn nobody_listens() {
    let hub = Hub::new();
    assert_eq!(publish(&hub, "news", 1), 0);
    let other = listener(&hub, "other");
    assert_eq!(publish(&hub, "news", 1), 0);
    drop(other);
    hub.check();
    assert!(hub.channels(None).is_empty());
}

#[test]
fn an_origin_does_not_hear_itself() {
    let hub = Hub::new();
    let (one, other) = (listener(&hub, "sync"), listener(&hub, "sync"));
    assert_eq!(hub.publish_from(one.id(), b"sync", Value::from("1")), 1);
    assert_eq!((drain(&one), drain(&other)), (vec![], vec![1]));
}

#[test]
fn drop_oldest_says_what_is_missing_before_the_rest() {
    let hub = Hub::new();
    let slow = subscription(&hub, 3, Overflow::DropOldest);
    slow.subscribe("n");
    (1..=10).for_each(|n| assert_eq!(publish(&hub, "n", n), 1));
    assert_eq!(drain(&slow), [-7, 8, 9, 10]);
    publish(&hub, "n", 11);
    assert_eq!(drain(&slow), [11]);
}

#[test]
fn drop_newest_says_what_is_missing_where_it_is_missing() {
    let hub = Hub::new();
    let slow = subscription(&hub, 3, Overflow::DropNewest);
    slow.subscribe("n");
    let reached: usize = (1..=10).map(|n| publish(&hub, "n", n)).sum();
    assert_eq!(reached, 3);
    assert_eq!(number(&slow.recv().unwrap()), 1);
    publish(&hub, "n", 11);
    assert_eq!(drain(&slow), [2, 3, -7, 11]);
}

#[test]
fn disconnect_unsubscribes_and_keeps_what_was_queued() {
    let hub = Hub::new();
    let slow = subscription(&hub, 2, Overflow::Disconnect);
    slow.subscribe("n");
    slow.psubscribe("*");
    assert_eq!(publish(&hub, "n", 1), 2);
    assert_eq!(publish(&hub, "n", 2), 0);
    hub.check();
    assert_eq!(hub.pattern_count() + hub.subscribers(b"n"), 0);
    assert!(!slow.subscribe("m"), "it takes no more routes");
    let items: Vec<_> = slow.iter().collect();
    assert_eq!(items.len(), 3);
    assert_eq!(items[2], Err(RecvError::Disconnected));
    assert_eq!(slow.recv(), Err(RecvError::Disconnected));
}

#[test]
fn block_waits_for_room() {
    let hub = Hub::new();
    let slow = subscription(&hub, 2, Overflow::Block);
    slow.subscribe("n");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            (1..=3).for_each(|n| assert_eq!(publish(&hub, "n", n), 1));
            done.store(true, SeqCst);
        });
        thread::sleep(Duration::from_millis(50));
        assert!(!done.load(SeqCst), "the third message must wait");
        assert_eq!(hub.subscribers(b"n"), 1, "the registry is free meanwhile");
        (1..=3).for_each(|n| assert_eq!(number(&slow.recv().unwrap()), n));
    });
    assert_eq!(drain(&slow), [0_i64; 0]);
}

#[test]
fn a_blocking_subscriber_that_matches_twice_needs_no_second_place() {
    let hub = Hub::new();
    let slow = subscription(&hub, 1, Overflow::Block);
    slow.subscribe("n");
    slow.psubscribe("*");
    assert_eq!(publish(&hub, "n", 1), 2);
    assert_eq!(drain(&slow), [1, 1]);
}

#[test]
fn dropping_a_full_subscription_releases_its_publisher() {
    let hub = Hub::new();
    let slow = subscription(&hub, 1, Overflow::Block);
    slow.subscribe("n");
    thread::scope(|scope| {
        let publisher = scope.spawn(|| (publish(&hub, "n", 1), publish(&hub, "n", 2)));
        thread::sleep(Duration::from_millis(30));
        drop(slow);
        assert_eq!(publisher.join().unwrap(), (1, 0));
    });
    hub.check();
}

#[test]
fn dropping_the_hub_ends_its_readers() {
    let hub = Hub::new();
    let listener = listener(&hub, "n");
    publish(&hub, "n", 1);
    thread::scope(|scope| {
        let reader = scope.spawn(|| listener.iter().count());
        thread::sleep(Duration::from_millis(30));
        drop(hub);
        assert_eq!(reader.join().unwrap(), 1);
    });
    assert_eq!(listener.try_recv(), Err(RecvError::Closed));
    assert!(!listener.subscribe("m"));
}

#[test]
fn recv_timeout_times_out_and_takes_absurd_limits() {
    let hub = Hub::new();
    let listener = listener(&hub, "n");
    let started = Instant::now();
    assert_eq!(listener.recv_timeout(Duration::from_millis(20)), Err(RecvError::Timeout));
    assert!(started.elapsed() >= Duration::from_millis(20));
    publish(&hub, "n", 1);
    assert!(listener.recv_timeout(Duration::MAX).is_ok());
    assert_eq!(listener.recv_timeout(Duration::ZERO), Err(RecvError::Timeout));
}

#[test]
fn subscribers_see_one_order() {
    const EACH: u64 = 2000;
    let hub = Hub::new();
    let by_name = subscription(&hub, 8, Overflow::Block);
    by_name.subscribe("n");
    let by_pattern = subscription(&hub, 1 << 20, Overflow::DropOldest);
    by_pattern.psubscribe("?");
    let (one, other) = thread::scope(|scope| {
        for publisher in 0..2 {
            let hub = &hub;
            scope.spawn(move || {
                (0..EACH).for_each(|n| assert_eq!(publish(hub, "n", publisher * EACH + n), 2))
            });
        }
        let read = |from: &Subscription| -> Vec<u64> {
            (0..2 * EACH).map(|_| number(&from.recv().unwrap())).collect()
        };
        let one = read(&by_name);
        (one, read(&by_pattern))
    });
    assert_eq!(one, other);
}

#[test]
fn readers_of_one_subscription_share_its_messages() {
    const ALL: usize = 3000;
    let hub = Hub::new();
    let shared = subscription(&hub, 16, Overflow::Block);
    shared.subscribe("n");
    let mut read: Vec<u64> = thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let next = || shared.recv_timeout(Duration::from_millis(500)).ok();
                    std::iter::from_fn(next).map(|message| number(&message)).collect::<Vec<_>>()
                })
            })
            .collect();
        (0..ALL).for_each(|n| assert_eq!(publish(&hub, "n", n), 1));
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect()
    });
    read.sort_unstable();
    assert!(read.into_iter().eq(0..ALL as u64), "each message once");
}

#[test]
fn subscribers_come_and_go_under_fire() {
    let hub = Hub::new();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for channel in ["a", "b"] {
            let (hub, stop) = (&hub, &stop);
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    publish(hub, channel, 1);
                }
            });
        }
        for policy in [Overflow::DropOldest, Overflow::Block, Overflow::Disconnect] {
            for _ in 0..200 {
                let passing = subscription(&hub, 2, policy);
                passing.subscribe("a");
                passing.psubscribe("*");
                let _ = passing.recv();
                passing.unsubscribe("a");
                passing.subscribe("b");
                let _ = passing.try_recv();
            }
        }
        stop.store(true, SeqCst);
    });
    hub.check();
    assert!(hub.channels(None).is_empty() && hub.pattern_count() == 0);
}

#[test]
fn an_empty_registry_gives_its_memory_back() {
    let hub = Hub::new();
    let many = hub.subscribe(SubscriptionOptions::default());
    (0..10_000).for_each(|n| assert!(many.subscribe(n.to_string())));
    hub.check();
    drop(many);
    assert!(hub.is_unallocated());
}

#[test]
fn hostile_30_a_subscriber_that_never_reads_costs_its_capacity() {
    let hub = Hub::new();
    let deaf: Vec<_> = [Overflow::DropOldest, Overflow::DropNewest, Overflow::Disconnect]
        .map(|overflow| subscription(&hub, 100, overflow))
        .into();
    deaf.iter().for_each(|each| assert!(each.subscribe("n")));
    let payload = Value::from(vec![0; 1 << 20]);
    for _ in 0..100_000 {
        hub.publish(b"n", payload.clone());
    }
    hub.check();
    assert!(deaf.iter().all(|each| each.pending() == 100));
    assert_eq!(deaf[0].recv(), Err(RecvError::Lagged(99_900)));
}

#[test]
fn hostile_30_capacity_is_not_allocated_ahead() {
    let hub = Hub::new();
    let vast = subscription(&hub, usize::MAX, Overflow::DropOldest);
    vast.subscribe("n");
    assert_eq!(publish(&hub, "n", 1), 1);
    let none = subscription(&hub, 0, Overflow::DropOldest);
    none.subscribe("n");
    publish(&hub, "n", 2);
    assert_eq!((drain(&vast), drain(&none)), (vec![1, 2], vec![2]));
}

// ---- Typed messages ----

fn listen(feed: &Feed<u64>, capacity: usize, overflow: Overflow) -> Listener<u64> {
    feed.subscribe(SubscriptionOptions::new().capacity(capacity).overflow(overflow), |_| true)
}

#[test]
fn a_feed_filters_and_follows_each_listeners_policy() {
    let feed = Feed::default();
    assert!(!feed.has_listeners());
    let even = feed.subscribe(SubscriptionOptions::new(), |number: &u64| number.is_multiple_of(2));
    let oldest = listen(&feed, 2, Overflow::DropOldest);
    let newest = listen(&feed, 2, Overflow::DropNewest);
    let short = listen(&feed, 2, Overflow::Disconnect);
    assert_eq!([1, 2, 3, 4].map(|number| feed.send(&number)), [3, 4, 1, 2]);
    feed.check();
    let read = |listener: &Listener<u64>| [(); 4].map(|()| listener.try_recv());
    assert_eq!(read(&even)[..3], [Ok(2), Ok(4), Err(RecvError::Empty)]);
    assert_eq!(read(&oldest), [Err(RecvError::Lagged(2)), Ok(3), Ok(4), Err(RecvError::Empty)]);
    assert_eq!(read(&newest), [Ok(1), Ok(2), Err(RecvError::Lagged(2)), Err(RecvError::Empty)]);
    assert_eq!(short.iter().collect::<Vec<_>>(), [Ok(1), Ok(2), Err(RecvError::Disconnected)]);
    drop((even, oldest));
    feed.check();
    drop(newest);
    assert!(!feed.has_listeners(), "the disconnected one has left too");
}

#[test]
fn a_feed_blocks_until_its_listener_reads_or_leaves() {
    let feed = Feed::default();
    let listener = listen(&feed, 1, Overflow::Block);
    thread::scope(|scope| {
        let publisher = scope.spawn(|| [1, 2, 3].map(|number| feed.send(&number)));
        assert_eq!(listener.recv(), Ok(1));
        assert_eq!(listener.recv_timeout(Duration::from_secs(10)), Ok(2));
        drop(listener);
        assert_eq!(publisher.join().unwrap()[..2], [1, 1]);
    });
    assert_eq!(feed.send(&4), 0);
}

#[test]
fn dropping_a_feed_ends_its_listeners() {
    let feed = Feed::default();
    let listener = listen(&feed, 4, Overflow::DropOldest);
    feed.send(&1);
    drop(feed);
    assert_eq!((listener.pending(), listener.iter().collect::<Vec<_>>()), (1, vec![Ok(1)]));
    assert_eq!(listener.recv(), Err(RecvError::Closed));
}

#[cfg(feature = "async")]
mod stream {
    use std::pin::pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll, Wake, Waker};

    use futures_core::Stream;

    use super::*;

    /// A waker that publishes, as an executor that polls in place might.
    struct Nested {
        hub: Arc<Hub>,
        log: Mutex<Vec<usize>>,
    }

    impl Wake for Nested {
        fn wake(self: Arc<Self>) {
            let reached = publish(&self.hub, "log", 2);
            self.log.lock().unwrap().push(reached);
        }
    }

    #[test]
    fn a_stream_is_woken_outside_all_locks() {
        let hub = Hub::new();
        let (listener, log) = (listener(&hub, "n"), listener(&hub, "log"));
        let nested = Arc::new(Nested { hub: Arc::clone(&hub), log: Mutex::default() });
        let waker = Waker::from(Arc::clone(&nested));
        let mut context = Context::from_waker(&waker);
        let mut stream = pin!(listener.stream());
        assert!(stream.as_mut().poll_next(&mut context).is_pending());
        publish(&hub, "n", 1);
        assert_eq!((&*nested.log.lock().unwrap(), drain(&log)), (&vec![1], vec![2]));
        assert!(matches!(stream.as_mut().poll_next(&mut context), Poll::Ready(Some(Ok(_)))));
        assert!(stream.as_mut().poll_next(&mut context).is_pending());
        drop((nested, hub));
        assert!(stream.as_mut().poll_next(&mut context).is_pending(), "the waker shares the hub");
    }

    #[test]
    fn a_stream_ends_with_the_hub() {
        let hub = Hub::new();
        let listener = listener(&hub, "n");
        let mut stream = pin!(listener.stream());
        let mut context = Context::from_waker(Waker::noop());
        assert!(stream.as_mut().poll_next(&mut context).is_pending());
        drop(hub);
        assert_eq!(stream.as_mut().poll_next(&mut context), Poll::Ready(None));
    }
}
