//! What a store costs before it holds anything, and what its hot paths take from the heap.

use std::time::{Duration, Instant};

use allocation_counter::{AllocationInfo, measure};
use larder::{Error, ManualClock, RestoreOptions, Store, rdb};

/// The median over a thousand stores made one after the other.
fn median_time_to_build() -> Duration {
    let time = |_| {
        let start = Instant::now();
        let store = Store::new();
        (start.elapsed(), store)
    };
    let made: Vec<(Duration, Store)> = (0..1000).map(time).collect();
    let mut times: Vec<Duration> = made.iter().map(|(time, _)| *time).collect();
    times.sort();
    times[times.len() / 2]
}

/// What a call costs the heap when it has been made before.
fn cost_of<R>(mut call: impl FnMut() -> R) -> AllocationInfo {
    drop(call());
    measure(|| drop(call()))
}

#[test]
fn a_new_store_takes_little_memory() {
    let mut stores = Vec::with_capacity(1000);
    let cost = measure(|| (0..1000).for_each(|_| stores.push(Store::new())));
    assert!(cost.bytes_max < 1000 * (64 << 10), "{} bytes a store", cost.bytes_max / 1000);
    assert!(cost.count_total < 1000 * 100, "{} allocations a store", cost.count_total / 1000);
}

#[test]
fn a_store_gives_back_what_it_took() {
    let cost = measure(|| {
        let store = Store::new();
        (0..1000).for_each(|n| store.kv().set(format!("k{n}"), n).unwrap());
        store.sorted_set("board").add("ada", 1.0).unwrap();
        store.stream("log").append(&[("a", "b")]).unwrap();
        drop(store);
    });
    assert_eq!(cost.bytes_current, 0);
}

#[test]
fn a_few_keys_take_few_shards() {
    let store = Store::new();
    let cost = measure(|| (0..10).for_each(|n| store.kv().set(format!("k{n}"), n).unwrap()));
    assert!(cost.bytes_max < 64 << 10, "{} bytes", cost.bytes_max);
}

#[test]
fn what_is_done_to_all_databases_costs_nothing_for_those_never_used() {
    let store = Store::new();
    store.kv().set("key", "value").unwrap();
    let cost = measure(|| {
        rdb::export(&store, std::io::sink()).unwrap();
        store.database(5).unwrap().keys().clear().unwrap();
        store.clear_all().unwrap();
    });
    assert!(cost.bytes_current <= 0, "{} bytes are left", cost.bytes_current);
    store.database(5).unwrap().kv().set("key", "value").unwrap();
    assert_eq!(rdb::export(&store, std::io::sink()).unwrap().keys, 1);
    store.clear_all().unwrap();
    assert_eq!(store.stats().keys, 0);
}

#[test]
fn an_element_of_a_list_costs_little_over_its_bytes() {
    const ELEMENTS: usize = 200_000;
    for length in [4, 16, 64, 400] {
        let store = Store::new();
        let element = vec![b'x'; length];
        let cost = measure(|| {
            for _ in 0..ELEMENTS {
                store.list("list").push_back(&element).unwrap();
            }
        });
        let over = cost.bytes_current as f64 / ELEMENTS as f64 - length as f64;
        println!("{length} bytes: {over:.2} over");
        assert!(over < 4.0 + length as f64 / 20.0, "{over:.2} bytes over {length}");
    }
}

/// A payload of this type that ends with a listpack of these elements.
fn packed(kind: &[u8], elements: &[u8], behind: &[u8]) -> Vec<u8> {
    let size = elements.len() + 7;
    let head = [&(size as u32).to_le_bytes()[..], &[0xff; 2]].concat();
    let length = [&[0x81][..], &(size as u64).to_be_bytes()].concat();
    let mut payload = [kind, &length, &head, elements, &[0xff], behind, &[10, 0]].concat();
    let checksum = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// Each element took 16 bytes of its own before anything was built, and a stream's field 160.
#[test]
fn elements_are_restored_one_by_one() {
    const ONES: usize = 500_000;
    let (list, set, sorted_set, hash) = (&[18, 1, 2], &[20], &[17], &[16]);
    let ones = [1, 1].repeat(ONES);
    let store = Store::new();
    let cost_of = |payload: &[u8], sound: bool| {
        let cost = measure(|| {
            let restored = store.keys().restore("key", payload, RestoreOptions::new());
            assert!(matches!(restored, Ok(()) | Err(Error::Corrupt { .. })), "{restored:?}");
            assert_eq!(restored.is_ok(), sound);
        });
        store.clear_all().unwrap();
        let over = cost.bytes_max as f64 / payload.len() as f64;
        println!("{over:.2} bytes for each of {}", payload.len());
        over
    };
    assert!(cost_of(&packed(list, &ones, &[]), true) < 4.0);
    let damaged = [&ones[..], &[1, 2]].concat();
    assert!(cost_of(&packed(list, &damaged, &[]), false) < 4.0);
    for twice in [&set[..], sorted_set, hash] {
        assert!(cost_of(&packed(twice, &ones, &[]), false) < 2.0);
    }
    // One entry 1-1, of as many fields as there are pairs of ones.
    let master = [&[15, 1, 16][..], &[0, 0, 0, 0, 0, 0, 0, 1].repeat(2)].concat();
    let number = |number: usize| [&[0xf3], &(number as u32).to_le_bytes()[..], &[5]].concat();
    let head = [&[1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1][..], &number(ONES / 2)].concat();
    let entry = [&head[..], &ones, &number(ONES + 4)].concat();
    assert!(cost_of(&packed(&master, &entry, &[1, 1, 1, 0]), true) < 5.0);
}

#[test]
fn a_new_store_takes_microseconds() {
    // Without optimisation only a store that does far too much is seen.
    let most = Duration::from_micros(if cfg!(debug_assertions) { 1000 } else { 20 });
    let median = median_time_to_build();
    assert!(median < most, "{median:?}");
}

#[test]
fn reading_a_string_allocates_nothing() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    store.kv().set("short", "value").unwrap();
    store.kv().set("long", vec![b'x'; 10_000]).unwrap();
    store.kv().set_for("mortal", "value", Duration::from_secs(60)).unwrap();
    for key in ["short", "long", "mortal", "absent"] {
        assert_eq!(cost_of(|| store.kv().get_with(key, <[u8]>::len).unwrap()).count_total, 0);
        assert_eq!(cost_of(|| store.keys().exists(key).unwrap()).count_total, 0);
        assert_eq!(cost_of(|| store.kv().get(key).unwrap()).count_total, 0, "{key}");
    }
}

#[test]
fn overwriting_a_string_of_the_same_length_allocates_nothing() {
    let store = Store::new();
    for length in [0, 1, 64, 255, 256, 10_000] {
        let value = vec![b'x'; length];
        let cost = cost_of(|| store.kv().set("key", &value).unwrap());
        assert_eq!(cost.count_total, 0, "{length} bytes");
    }
    let cost = cost_of(|| store.kv().increment("count", 1).unwrap());
    assert_eq!(cost.count_total, 0);
}

#[test]
fn asking_a_sorted_set_allocates_nothing() {
    let store = Store::new();
    let board = store.sorted_set("board");
    (0..10_000).for_each(|n| assert!(board.add(n, f64::from(n)).unwrap()));
    assert_eq!(cost_of(|| board.score("5000").unwrap()).count_total, 0);
    assert_eq!(cost_of(|| board.rank("5000").unwrap()).count_total, 0);
    assert_eq!(cost_of(|| board.len().unwrap()).count_total, 0);
}
