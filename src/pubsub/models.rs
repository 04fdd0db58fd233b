//! Publish and subscribe under shuttle, which runs each model under many schedules:
//! `RUSTFLAGS="--cfg shuttle" cargo test --lib models`.

use shuttle::thread;

use super::hub::Hub;
use super::{Feed, Message, Overflow, RecvError, Subscription, SubscriptionOptions};
use crate::sync::Arc;
use crate::value::Value;

const SCHEDULES: usize = 800;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(model, SCHEDULES);
}

fn subscription(hub: &Arc<Hub>, capacity: usize, overflow: Overflow) -> Subscription {
    hub.subscribe(SubscriptionOptions::new().capacity(capacity).overflow(overflow))
}

fn publish(hub: &Hub, channel: &str, number: u64) -> usize {
    hub.publish(channel.as_bytes(), Value::from(number.to_string()))
}

fn publisher(
    hub: &Arc<Hub>,
    channel: &'static str,
    numbers: std::ops::Range<u64>,
) -> thread::JoinHandle<()> {
    let hub = Arc::clone(hub);
    thread::spawn(move || {
        for number in numbers {
            publish(&hub, channel, number);
        }
    })
}

fn number(message: &Message) -> u64 {
    message.payload.to().expect("the models publish numbers")
}

/// Reads until `total` messages are accounted for, as received or as missed.
fn account(subscription: &Subscription, total: u64) -> Vec<u64> {
    let (mut received, mut missed) = (Vec::new(), 0);
    while (received.len() as u64) + missed < total {
        match subscription.recv() {
            Ok(message) => received.push(number(&message)),
            Err(RecvError::Lagged(count)) => missed += count,
            Err(ended) => panic!("{ended}"),
        }
    }
    assert_eq!(received.len() as u64 + missed, total);
    received
}

#[test]
fn block_loses_nothing_and_keeps_each_publishers_order() {
    explore(|| {
        let hub = Hub::new();
        let reader = subscription(&hub, 1, Overflow::Block);
        reader.subscribe("a");
        reader.subscribe("b");
        let publishers = [publisher(&hub, "a", 0..3), publisher(&hub, "b", 3..6)];
        let received: Vec<u64> = (0..6).map(|_| number(&reader.recv().unwrap())).collect();
        for half in [0..3, 3..6] {
            assert!(
                received.iter().copied().filter(|number| half.contains(number)).eq(half.clone())
            );
        }
        publishers.into_iter().for_each(|each| each.join().unwrap());
        assert_eq!(reader.try_recv(), Err(RecvError::Empty));
        hub.check();
    });
}

#[test]
fn lags_and_messages_add_up() {
    explore(|| {
        let hub = Hub::new();
        let readers = [Overflow::DropOldest, Overflow::DropNewest].map(|overflow| {
            let reader = subscription(&hub, 2, overflow);
            reader.subscribe("a");
            reader
        });
        let publishers = [publisher(&hub, "a", 0..3), publisher(&hub, "a", 3..6)];
        let [oldest, newest] = readers;
        let other = thread::spawn(move || account(&newest, 6));
        account(&oldest, 6);
        other.join().unwrap();
        publishers.into_iter().for_each(|each| each.join().unwrap());
        hub.check();
    });
}

#[test]
fn subscribers_see_one_order() {
    explore(|| {
        let hub = Hub::new();
        // Not blocking, since publishers that wait for room take turns anyway.
        let by_name = subscription(&hub, 16, Overflow::DropOldest);
        by_name.subscribe("a");
        let by_pattern = subscription(&hub, 16, Overflow::DropOldest);
        by_pattern.psubscribe("*");
        let publishers = [publisher(&hub, "a", 0..2), publisher(&hub, "a", 2..4)];
        let one = account(&by_name, 4);
        publishers.into_iter().for_each(|each| each.join().unwrap());
        assert_eq!(one, account(&by_pattern, 4));
    });
}

#[test]
fn readers_of_one_subscription_are_all_woken() {
    explore(|| {
        let hub = Hub::new();
        let shared = Arc::new(subscription(&hub, 4, Overflow::Block));
        shared.subscribe("a");
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || [(); 2].map(|()| number(&shared.recv().unwrap())))
            })
            .collect();
        publisher(&hub, "a", 0..4).join().unwrap();
        let mut received: Vec<u64> =
            readers.into_iter().flat_map(|each| each.join().unwrap()).collect();
        received.sort_unstable();
        assert_eq!(received, [0, 1, 2, 3]);
    });
}

#[test]
fn a_subscriber_that_leaves_releases_its_publisher_and_its_routes() {
    explore(|| {
        let hub = Hub::new();
        let leaving = subscription(&hub, 1, Overflow::Block);
        leaving.subscribe("a");
        leaving.psubscribe("?");
        let staying = subscription(&hub, 16, Overflow::DropOldest);
        staying.subscribe("a");
        let publishing = publisher(&hub, "a", 0..3);
        let leave = thread::spawn(move || {
            let _ = leaving.try_recv();
            leaving.unsubscribe("a");
            drop(leaving);
        });
        assert_eq!(account(&staying, 3), [0, 1, 2]);
        publishing.join().unwrap();
        leave.join().unwrap();
        hub.check();
        assert_eq!((hub.subscribers(b"a"), hub.pattern_count()), (1, 0));
    });
}

#[test]
fn two_full_subscribers_do_not_stop_each_others_publishers() {
    explore(|| {
        let hub = Hub::new();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let reader = subscription(&hub, 1, Overflow::Block);
                reader.subscribe("a");
                reader.subscribe("b");
                thread::spawn(move || account(&reader, 4).len())
            })
            .collect();
        let publishers = [publisher(&hub, "a", 0..2), publisher(&hub, "b", 2..4)];
        readers.into_iter().for_each(|each| assert_eq!(each.join().unwrap(), 4));
        publishers.into_iter().for_each(|each| each.join().unwrap());
    });
}

#[test]
fn a_place_given_back_is_offered_to_those_who_wait() {
    explore(|| {
        let hub = Hub::new();
        let [free, full] = [(); 2].map(|()| subscription(&hub, 1, Overflow::Block));
        full.subscribe("full");
        assert_eq!(publish(&hub, "full", 0), 1);
        free.subscribe("free");
        // In the order in which places are reserved.
        free.subscribe("both");
        full.subscribe("both");
        let publishers = [publisher(&hub, "both", 1..2), publisher(&hub, "free", 2..3)];
        // The publisher to both gives back its place with `free`, since `full` has none.
        assert_eq!(number(&free.recv().unwrap()), 2);
        assert_eq!(account(&full, 2), [0, 1]);
        assert_eq!(number(&free.recv().unwrap()), 1);
        publishers.into_iter().for_each(|each| each.join().unwrap());
    });
}

#[test]
fn disconnecting_races_with_subscribing_and_dropping() {
    explore(|| {
        let hub = Hub::new();
        let slow = subscription(&hub, 1, Overflow::Disconnect);
        slow.subscribe("a");
        let publishers = [publisher(&hub, "a", 0..2), publisher(&hub, "b", 2..4)];
        slow.subscribe("b");
        let _ = slow.try_recv();
        publishers.into_iter().for_each(|each| each.join().unwrap());
        hub.check();
        drop(slow);
        hub.check();
        assert!(hub.channels(None).is_empty());
    });
}

#[test]
fn dropping_the_hub_ends_a_waiting_reader() {
    explore(|| {
        let hub = Hub::new();
        let reader = subscription(&hub, 4, Overflow::DropOldest);
        reader.subscribe("a");
        publish(&hub, "a", 0);
        let reading = thread::spawn(move || reader.iter().count());
        drop(hub);
        assert_eq!(reading.join().unwrap(), 1);
    });
}

#[test]
fn a_listener_that_leaves_releases_its_feed() {
    explore(|| {
        let feed = Arc::new(Feed::default());
        let leaving = feed
            .subscribe(SubscriptionOptions::new().capacity(1).overflow(Overflow::Block), |_| true);
        let staying = feed.subscribe(SubscriptionOptions::new(), |_| true);
        let publishers = [0..2, 2..4].map(|numbers| {
            let feed = Arc::clone(&feed);
            thread::spawn(move || {
                for number in numbers {
                    feed.send(&number);
                }
            })
        });
        assert!(leaving.recv().is_ok());
        drop(leaving);
        let mut received = [(); 4].map(|()| staying.recv().unwrap());
        publishers.into_iter().for_each(|each| each.join().unwrap());
        received.sort_unstable();
        assert_eq!(received, [0, 1, 2, 3]);
        feed.check();
    });
}

#[test]
fn a_task_is_woken_for_every_message() {
    explore(|| {
        let hub = Hub::new();
        let reader = subscription(&hub, 1, Overflow::Block);
        reader.subscribe("a");
        let publishing = publisher(&hub, "a", 0..3);
        let task = shuttle::future::spawn(async move {
            for expected in 0..3 {
                let read =
                    std::future::poll_fn(|context| reader.subscriber.queue.poll_recv(context))
                        .await;
                assert_eq!(number(&read.unwrap()), expected);
            }
        });
        shuttle::future::block_on(task).unwrap();
        publishing.join().unwrap();
    });
}
