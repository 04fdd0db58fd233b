//! Publish/subscribe: payloads of 64 bytes to 0, 1, 10, 100 and 1,000 subscribers, and from one
//! thread to another.
//!
//! Queues are deep enough for a whole batch, so that no policy for full ones is measured. A rival
//! with shared payloads publishes one that is there already; one that takes bytes copies them, as
//! its callers would.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::measure::{Options, Table, Unit, per_operation, turn};

const PAYLOAD: [u8; 64] = [b'p'; 64];

/// One channel of a store.
pub trait Broadcast: Send + Sized {
    /// Its row in the table.
    const NAME: &'static str;
    type Message: Send + Sync;
    type Reader: Reader + Send;

    /// A channel whose subscribers can lag by `depth` messages.
    fn open(depth: usize) -> Self;
    fn message(payload: &[u8]) -> Self::Message;
    fn subscribe(&mut self) -> Self::Reader;
    fn publish(&mut self, message: &Self::Message);
}

/// One subscriber.
pub trait Reader {
    /// Waits for the next message and returns its length.
    fn receive(&mut self) -> usize;
}

/// Nanoseconds per publish to `readers` subscribers, and per receive.
fn fan_out<B: Broadcast>(readers: usize, messages: usize) -> (f64, f64) {
    let batch = (20_000 / readers.max(1)).clamp(16, 1000).min(messages);
    let mut channel = B::open(batch.next_power_of_two());
    let mut readers: Vec<B::Reader> = (0..readers).map(|_| channel.subscribe()).collect();
    let message = B::message(&PAYLOAD);
    let (mut publishing, mut receiving) = (Duration::ZERO, Duration::ZERO);
    let batches = messages.div_ceil(batch);
    for _ in 0..batches {
        let start = Instant::now();
        (0..batch).for_each(|_| channel.publish(&message));
        let published = Instant::now();
        for reader in &mut readers {
            (0..batch).for_each(|_| assert_eq!(black_box(reader.receive()), PAYLOAD.len()));
        }
        publishing += published - start;
        receiving += published.elapsed();
    }
    let published = batches * batch;
    (per_operation(publishing, published), per_operation(receiving, published * readers.len()))
}

/// Nanoseconds per message from one thread to another that waits for them.
fn across<B: Broadcast>(messages: usize) -> f64 {
    let mut channel = B::open(messages.next_power_of_two());
    let mut reader = channel.subscribe();
    let message = B::message(&PAYLOAD);
    let ready = Barrier::new(2);
    std::thread::scope(|scope| {
        let receiving = scope.spawn(|| {
            ready.wait();
            (0..messages).for_each(|_| assert_eq!(black_box(reader.receive()), PAYLOAD.len()));
            Instant::now()
        });
        ready.wait();
        let start = Instant::now();
        (0..messages).for_each(|_| channel.publish(&message));
        per_operation(receiving.join().expect("the receiving thread") - start, messages)
    })
}

/// A rival whatever its type.
struct Entrant {
    name: &'static str,
    fan_out: fn(usize, usize) -> (f64, f64),
    across: fn(usize) -> f64,
}

fn entrant<B: Broadcast>() -> Entrant {
    Entrant { name: B::NAME, fan_out: fan_out::<B>, across: across::<B> }
}

fn entrants(options: &Options) -> Vec<Entrant> {
    let all = [
        #[cfg(feature = "larder")]
        entrant::<crate::larder::Channel>(),
        entrant::<Crossbeam>(),
        entrant::<Tokio>(),
        #[cfg(feature = "kevy")]
        entrant::<crate::kevy::Kevy>(),
    ];
    all.into_iter().filter(|entrant| options.wants(entrant.name)).collect()
}

/// Prints the table.
pub fn run(options: &Options) {
    let entrants = entrants(options);
    let mut table = Table::new("Publish/subscribe, 64 B: publish at N subscribers")
        .rows(entrants.iter().map(|entrant| entrant.name));
    for round in 0..options.rounds(9) {
        for width in [0, 1, 10, 100, 1000] {
            let messages = options.size(2_000_000, 20_000) / (width + 1);
            for at in turn(round, entrants.len()) {
                let (publish, receive) = (entrants[at].fan_out)(width, messages);
                table.add(entrants[at].name, &width.to_string(), Unit::Nanoseconds, publish);
                if width == 10 {
                    table.add(entrants[at].name, "receive (of 10)", Unit::Nanoseconds, receive);
                }
            }
        }
        for at in turn(round, entrants.len()) {
            let sample = (entrants[at].across)(options.size(200_000, 10_000));
            table.add(entrants[at].name, "1 thread to 1 thread", Unit::Nanoseconds, sample);
        }
    }
    table.print(options.against(Crossbeam::NAME));
}

/// The floor: a bounded queue for each subscriber, and a loop.
struct Crossbeam {
    depth: usize,
    queues: Vec<crossbeam_channel::Sender<Bytes>>,
}

impl Broadcast for Crossbeam {
    const NAME: &'static str = "crossbeam-channel, one queue a subscriber";
    type Message = Bytes;
    type Reader = crossbeam_channel::Receiver<Bytes>;

    fn open(depth: usize) -> Self {
        Self { depth, queues: Vec::new() }
    }

    fn message(payload: &[u8]) -> Bytes {
        Bytes::copy_from_slice(payload)
    }

    fn subscribe(&mut self) -> Self::Reader {
        let (queue, reader) = crossbeam_channel::bounded(self.depth);
        self.queues.push(queue);
        reader
    }

    fn publish(&mut self, message: &Bytes) {
        for queue in &self.queues {
            queue.try_send(message.clone()).expect("room for a batch");
        }
    }
}

impl Reader for crossbeam_channel::Receiver<Bytes> {
    fn receive(&mut self) -> usize {
        self.recv().expect("a message").len()
    }
}

/// One ring that all subscribers read, used without a runtime.
struct Tokio(broadcast::Sender<Bytes>);

impl Broadcast for Tokio {
    const NAME: &'static str = "tokio::broadcast";
    type Message = Bytes;
    type Reader = broadcast::Receiver<Bytes>;

    fn open(depth: usize) -> Self {
        Self(broadcast::channel(depth).0)
    }

    fn message(payload: &[u8]) -> Bytes {
        Bytes::copy_from_slice(payload)
    }

    fn subscribe(&mut self) -> Self::Reader {
        self.0.subscribe()
    }

    fn publish(&mut self, message: &Bytes) {
        // Fails only without subscribers.
        let _ = self.0.send(message.clone());
    }
}

impl Reader for broadcast::Receiver<Bytes> {
    fn receive(&mut self) -> usize {
        self.blocking_recv().expect("a message").len()
    }
}
