//! What single operations cost, through the public API, on one thread.
//!
//! `cargo bench -- NAME` runs those whose name contains `NAME`. Larder beside its rivals, with
//! memory and threads, is `benches/peers`.

use std::cell::Cell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use larder::{Store, StreamId, Subscription, SubscriptionOptions};

/// Keys and members of every store below: more than fit the processor's caches.
const MANY: usize = 100_000;
const VALUE: [u8; 64] = [b'x'; 64];

/// Names in an order that no cache foresees, for ever anew.
struct Names {
    all: Vec<String>,
    next: Cell<usize>,
}

impl Names {
    fn new() -> Self {
        // A step that shares no factor with their number visits them all.
        let all = (0..MANY).map(|at| format!("name:{:011}", at * 7_919 % MANY)).collect();
        Self { all, next: Cell::new(0) }
    }

    fn next(&self) -> &str {
        &self.run(1)[0]
    }

    fn run(&self, count: usize) -> &[String] {
        let start = if self.next.get() + count > MANY { 0 } else { self.next.get() };
        self.next.set(start + count);
        &self.all[start..start + count]
    }
}

fn strings(criterion: &mut Criterion) {
    let (names, store) = (Names::new(), Store::new());
    for name in &names.all {
        store.kv().set(name, &VALUE[..]).unwrap();
        store.kv().set(format!("count:{name}"), 0).unwrap();
    }
    let counters: Vec<String> = names.all.iter().map(|name| format!("count:{name}")).collect();
    let counters = Names { all: counters, next: Cell::new(0) };
    let minute = Duration::from_secs(60);

    let mut group = criterion.benchmark_group("strings");
    group.bench_function("get", |b| b.iter(|| store.kv().get(names.next()).unwrap()));
    group.bench_function("set", |b| b.iter(|| store.kv().set(names.next(), &VALUE[..]).unwrap()));
    group.bench_function("increment", |b| {
        b.iter(|| store.kv().increment(counters.next(), 1).unwrap());
    });
    group.bench_function("get_many 100", |b| {
        b.iter(|| store.kv().get_many(names.run(100)).unwrap());
    });
    group.bench_function("set_for", |b| {
        b.iter(|| store.kv().set_for(names.next(), &VALUE[..], minute).unwrap());
    });
}

fn sorted_sets(criterion: &mut Criterion) {
    let (names, store) = (Names::new(), Store::new());
    let board = store.sorted_set("board");
    for (name, at) in names.all.iter().zip(0..) {
        board.add(name, f64::from(at)).unwrap();
    }
    let mut turn = 0.0;

    let mut group = criterion.benchmark_group("sorted set of 100,000");
    group.bench_function("score", |b| b.iter(|| board.score(names.next()).unwrap()));
    group.bench_function("rank", |b| b.iter(|| board.rank(names.next()).unwrap()));
    group.bench_function("top 10", |b| b.iter(|| board.top(10).unwrap()));
    group.bench_function("add", |b| {
        b.iter(|| {
            turn = (turn + 61_803.0) % MANY as f64;
            board.add(names.next(), turn).unwrap()
        });
    });
    group.bench_function("pop_min and add", |b| {
        b.iter(|| {
            let (member, score) = board.pop_min().unwrap().unwrap();
            board.add(member, score + MANY as f64).unwrap()
        });
    });
}

fn streams(criterion: &mut Criterion) {
    let store = Store::new();
    let log = store.stream("log");
    let fields = [("page", "/index.html"), ("status", "200")];
    let ids: Vec<StreamId> = (0..MANY).map(|_| log.append(&fields).unwrap()).collect();
    let mut at = 0;

    let mut group = criterion.benchmark_group("stream");
    group.bench_function("range of 100", |b| {
        b.iter(|| {
            at = (at + 7_919) % (MANY - 100);
            log.range(ids[at]..).limit(100).get().unwrap()
        });
    });
    group.bench_function("append", |b| b.iter(|| log.append(&fields).unwrap()));
}

fn publishing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    for subscribers in [1_usize, 10, 100] {
        let store = Store::new();
        let subscribe = |_| {
            let subscription = store.subscription(SubscriptionOptions::new());
            subscription.subscribe("news");
            subscription
        };
        // Full queues drop their oldest message: a reader in this thread would be measured too.
        let _readers: Vec<Subscription> = (0..subscribers).map(subscribe).collect();
        let payload = larder::Value::from(&VALUE[..]);
        group.throughput(Throughput::Elements(subscribers as u64));
        group.bench_function(BenchmarkId::from_parameter(subscribers), |b| {
            b.iter(|| store.publish("news", payload.clone()).unwrap());
        });
    }
}

/// The sliding window of a rate limiter: remove by score, add, count, expire, as one.
fn batches(criterion: &mut Criterion) {
    let (names, store) = (Names::new(), Store::new());
    let (window, mut now) = (60.0, 0.0);
    criterion.bench_function("batch of 4", |b| {
        b.iter(|| {
            now += 0.001;
            let (batch, client) = (store.batch(), names.next());
            let requests = batch.sorted_set(client);
            let _ = requests.remove_by_score(..now - window);
            let _ = requests.add(now, now);
            let count = requests.len();
            let _ = batch.keys().expire(client, Duration::from_secs(60));
            batch.exec().unwrap();
            count.get().unwrap()
        });
    });
}

fn stores(criterion: &mut Criterion) {
    criterion.bench_function("new store", |b| b.iter(|| black_box(Store::new())));
    criterion.bench_function("new store and first key", |b| {
        b.iter(|| {
            let store = Store::new();
            store.kv().set("a", 1).unwrap();
            store
        });
    });
}

fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! {
    name = benches;
    config = quick();
    targets = strings, sorted_sets, streams, publishing, batches, stores
}
criterion_main!(benches);
