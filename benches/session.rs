//! What a request costs without its socket: parsing, look-up, operation, reply.
//!
//! `cargo bench --features session --bench session`

use std::hint::black_box;
use std::task::Waker;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use larder::{Face, FaceOptions, Peer, Store};

const PIPELINE: u64 = 64;
const KEYS: u64 = 1000;

/// Writes the request of a number.
type Write<'w> = &'w dyn Fn(u64, &mut Vec<u8>);

fn request(words: &[&str], out: &mut Vec<u8>) {
    out.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        out.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
}

fn pipelines(criterion: &mut Criterion) {
    let value = "v".repeat(64);
    let key = |number: u64| format!("key:{number:012}");
    let requests: [(&str, Write<'_>); 4] = [
        ("ping", &|_, out| request(&["PING"], out)),
        ("get", &|number, out| request(&["GET", &key(number % KEYS)], out)),
        ("set", &|number, out| request(&["SET", &key(number % KEYS), &value], out)),
        ("zadd", &|number, out| {
            let (score, member) = (number.to_string(), key(number % KEYS));
            request(&["ZADD", "board", &score, &member], out);
        }),
    ];
    for (length, title) in [(1, "single"), (PIPELINE, "pipeline of 64")] {
        let mut group = criterion.benchmark_group(title);
        group.throughput(Throughput::Elements(length));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        for (name, write) in requests {
            let store = Store::new();
            for number in 0..KEYS {
                store.kv().set(key(number), &*value).expect("a string");
            }
            let face = Face::new(&store, FaceOptions::default());
            let waker = Waker::noop().clone();
            let mut session = face.connect(Peer::default(), waker).expect("room");
            let mut bytes = Vec::new();
            (0..length).for_each(|number| write(number * 7, &mut bytes));
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    session.receive(black_box(&bytes));
                    let length = black_box(session.output()).len();
                    session.written(length);
                });
            });
        }
    }
}

criterion_group!(benches, pipelines);
criterion_main!(benches);
