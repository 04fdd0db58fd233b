//! Key-value: keys of 16 bytes (`key:%012d`), values of 64 bytes, on one thread and on two.
//!
//! A bare map holds `Box<[u8]>` keys and `Arc<[u8]>` values: what one writes to hand a value out
//! without copying it or holding the map's lock. Every GET below takes its value out that way and
//! reads a byte of it; a rival that can only copy, copies.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use ahash::RandomState;

use crate::measure::{Options, Random, Table, Unit, Zipf, growth, in_child, per_operation, turn};
use crate::stall;

pub type Key = [u8; 16];

pub const VALUE: [u8; 64] = [b'v'; 64];
const TTL: Duration = Duration::from_secs(3600);
const COUNTERS: usize = 1000;
const BATCH: usize = 100;

/// A store of bytes by key, as one thread holds it.
///
/// Operations take `&mut self` so that the floor needs no lock; a rival that threads can share
/// hands out further handles.
pub trait KeyValue: Send + Sized {
    /// Its row in the table.
    const NAME: &'static str;
    /// Whether an entry can have a time to live.
    const EXPIRES: bool;

    /// A new store for about `capacity` keys. `lifetime` is for those that fix it here, not at each
    /// SET.
    fn open(capacity: usize, lifetime: Option<Duration>) -> Self;
    /// A handle on the same store for another thread, if threads can share it.
    fn share(&self) -> Option<Self>;
    /// Takes the value out and reads its first byte.
    fn get(&mut self, key: &[u8]) -> Option<u8>;
    fn set(&mut self, key: &[u8], value: &[u8]);
    /// Sets an entry that lives for `ttl`; called only if `EXPIRES`.
    fn set_for(&mut self, key: &[u8], value: &[u8], ttl: Duration);
    /// Adds one to a decimal value, atomically, and returns the sum.
    fn increment(&mut self, key: &[u8]) -> i64;
    /// How many of `keys` exist; takes all their values out.
    fn get_many(&mut self, keys: &[Key]) -> usize {
        keys.iter().filter(|key| self.get(*key).is_some()).count()
    }
}

/// One column of the table.
#[derive(Clone, Copy, PartialEq)]
enum Work {
    Uniform,
    Zipf,
    Miss,
    Set,
    Mixed,
    SetFor,
    GetExpiring,
    Increment,
    GetMany,
}

impl Work {
    const ALL: [(Work, &'static str); 9] = [
        (Work::Uniform, "GET uniform"),
        (Work::Zipf, "GET zipf .99"),
        (Work::Miss, "miss"),
        (Work::Set, "SET overwrite"),
        (Work::Mixed, "90/10 zipf"),
        (Work::SetFor, "SET with TTL"),
        (Work::GetExpiring, "GET, with TTL"),
        (Work::Increment, "INCR"),
        (Work::GetMany, "MGET 100, a key"),
    ];
}

/// Keys in the order in which one thread uses them: laid out so, reading them costs no cache miss
/// of its own.
struct Feed {
    uniform: Vec<Key>,
    zipf: Vec<Key>,
    missing: Vec<Key>,
    counters: Vec<Key>,
}

impl Feed {
    fn new(seed: u64, keys: usize, operations: usize) -> Self {
        let mut random = Random(seed);
        let law = Zipf::new(keys, 0.99);
        let mut by_rank: Vec<usize> = (0..keys).collect();
        // Which keys are popular is the same for every thread.
        Random(1).shuffle(&mut by_rank);
        let mut draw = |make: &dyn Fn(&mut Random) -> Key| {
            (0..operations).map(|_| make(&mut random)).collect()
        };
        Self {
            uniform: draw(&|random| key(random.below(keys))),
            zipf: draw(&|random| key(by_rank[law.draw(random)])),
            missing: draw(&|random| named(b"none", random.below(keys))),
            counters: draw(&|random| counter(random.below(COUNTERS))),
        }
    }
}

/// `key:%012d`.
pub fn key(number: usize) -> Key {
    named(b"key:", number)
}

fn counter(number: usize) -> Key {
    named(b"incr", number)
}

fn named(prefix: &[u8; 4], mut number: usize) -> Key {
    let mut key = [b'0'; 16];
    key[..4].copy_from_slice(prefix);
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    key
}

/// A rival with its stores filled, whatever its type.
trait Entrant {
    fn name(&self) -> &'static str;
    /// Nanoseconds per operation with one thread for each of `feeds`, or `None` where the rival
    /// cannot do it.
    fn run(&mut self, work: Work, feeds: &[Feed]) -> Option<f64>;
}

struct Filled<K> {
    main: K,
    /// A second store takes the SETs with TTL: the deadlines would change what a GET of the first
    /// costs.
    expiring: Option<K>,
}

impl<K: KeyValue> Filled<K> {
    fn new(keys: usize) -> Self {
        let expiring = K::EXPIRES.then(|| {
            let mut store = K::open(keys, Some(TTL));
            (0..keys).for_each(|number| store.set_for(&key(number), &VALUE, TTL));
            store
        });
        let mut main: K = fill(keys);
        let kept = (0..keys).filter(|number| main.get(&key(*number)) == Some(VALUE[0]));
        assert_eq!(kept.count(), keys, "{} lost keys", K::NAME);
        Self { main, expiring }
    }
}

fn fill<K: KeyValue>(keys: usize) -> K {
    let mut store = K::open(keys, None);
    (0..keys).for_each(|number| store.set(&key(number), &VALUE));
    store
}

impl<K: KeyValue> Entrant for Filled<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn run(&mut self, work: Work, feeds: &[Feed]) -> Option<f64> {
        let store = match work {
            Work::SetFor | Work::GetExpiring => self.expiring.as_mut()?,
            _ => &mut self.main,
        };
        let operations = feeds.iter().map(|feed| feed.uniform.len()).sum();
        let spent = match feeds {
            [feed] => {
                let start = Instant::now();
                drive(store, work, feed);
                start.elapsed()
            }
            _ => drive_together(store, work, feeds)?,
        };
        Some(per_operation(spent, operations))
    }
}

/// From the first thread's start to the last one's end.
fn drive_together<K: KeyValue>(store: &K, work: Work, feeds: &[Feed]) -> Option<Duration> {
    let handles: Vec<K> = feeds.iter().map(|_| store.share()).collect::<Option<_>>()?;
    let ready = Barrier::new(feeds.len());
    let times: Vec<(Instant, Instant)> = std::thread::scope(|scope| {
        let start = |(mut handle, feed): (K, _)| {
            let ready = &ready;
            scope.spawn(move || {
                ready.wait();
                let start = Instant::now();
                drive(&mut handle, work, feed);
                (start, Instant::now())
            })
        };
        let threads: Vec<_> = handles.into_iter().zip(feeds).map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("a measuring thread")).collect()
    });
    let first = times.iter().map(|(start, _)| *start).min()?;
    let last = times.iter().map(|(_, end)| *end).max()?;
    Some(last - first)
}

fn drive<K: KeyValue>(store: &mut K, work: Work, feed: &Feed) {
    let read = |store: &mut K, key: &Key| {
        black_box(store.get(key));
    };
    match work {
        Work::Uniform | Work::GetExpiring => feed.uniform.iter().for_each(|key| read(store, key)),
        Work::Zipf => feed.zipf.iter().for_each(|key| read(store, key)),
        Work::Miss => feed.missing.iter().for_each(|key| read(store, key)),
        Work::Set => feed.uniform.iter().for_each(|key| store.set(key, &VALUE)),
        Work::Mixed => feed.zipf.iter().enumerate().for_each(|(at, key)| match at % 10 {
            0 => store.set(key, &VALUE),
            _ => read(store, key),
        }),
        Work::SetFor => feed.uniform.iter().for_each(|key| store.set_for(key, &VALUE, TTL)),
        Work::Increment => feed.counters.iter().for_each(|key| {
            black_box(store.increment(key));
        }),
        Work::GetMany => feed.uniform.chunks(BATCH).for_each(|keys| {
            black_box(store.get_many(keys));
        }),
    }
}

/// Calls `$visit::<Rival>($argument)` for each rival in turn and collects the answers.
macro_rules! each_rival {
    ($visit:ident, $($argument:expr),*) => {
        [
            #[cfg(feature = "larder")]
            $visit::<crate::larder::Larder>($($argument),*),
            $visit::<Hashbrown>($($argument),*),
            $visit::<Dashmap>($($argument),*),
            $visit::<Scc>($($argument),*),
            $visit::<QuickCache>($($argument),*),
            #[cfg(feature = "kevy")]
            $visit::<crate::kevy::Kevy>($($argument),*),
            $visit::<Heaplet>($($argument),*),
            $visit::<Moka>($($argument),*),
        ]
    };
}

/// Prints the tables for one thread and for two.
pub fn run(options: &Options) {
    let keys = options.size(1_000_000, 20_000);
    let operations = options.size(1_000_000, 20_000);
    let mut entrants: Vec<Box<dyn Entrant>> =
        each_rival!(entrant, options, keys).into_iter().flatten().collect();
    let feeds = [Feed::new(10, keys, operations), Feed::new(20, keys, operations)];
    for threads in 1..=feeds.len() {
        let title = format!("Key-value, {keys} keys of 16 B, values of 64 B, {threads} thread(s)");
        let mut table = Table::new(title).rows(entrants.iter().map(|entrant| entrant.name()));
        for round in 0..options.rounds(7) {
            for (work, column) in Work::ALL {
                for at in turn(round, entrants.len()) {
                    let entrant = &mut entrants[at];
                    if let Some(sample) = entrant.run(work, &feeds[..threads]) {
                        table.add(entrant.name(), column, Unit::Nanoseconds, sample);
                    }
                }
            }
        }
        if threads == 1 {
            add_memory(&mut table, &entrants, keys);
        }
        table.print(options.against(Dashmap::NAME));
    }
}

fn entrant<K: KeyValue + 'static>(options: &Options, keys: usize) -> Option<Box<dyn Entrant>> {
    let make = || Box::new(Filled::<K>::new(keys)) as Box<dyn Entrant>;
    options.wants(K::NAME).then(make)
}

fn add_memory(table: &mut Table, entrants: &[Box<dyn Entrant>], keys: usize) {
    for entrant in entrants {
        for bytes in in_child(&["kv", entrant.name(), &keys.to_string()]) {
            table.add(entrant.name(), "B/entry", Unit::Bytes, bytes);
        }
    }
}

/// In a child: the bytes that an entry of the rival called `name` takes.
pub fn memory(name: &str, keys: usize) -> Option<f64> {
    each_rival!(memory_of, name, keys).into_iter().flatten().next()
}

fn memory_of<K: KeyValue>(name: &str, keys: usize) -> Option<f64> {
    (K::NAME == name).then(|| growth(keys, || fill::<K>(keys)))
}

/// In a child: how the rival called `name` grows to `keys` keys.
pub fn growing(name: &str, keys: usize) -> Option<Vec<f64>> {
    each_rival!(growing_of, name, keys).into_iter().flatten().next()
}

fn growing_of<K: KeyValue>(name: &str, keys: usize) -> Option<Vec<f64>> {
    (K::NAME == name).then(|| stall::grow::<K>(keys))
}

/// The rows of every rival.
pub fn names() -> Vec<&'static str> {
    each_rival!(name_of,).to_vec()
}

fn name_of<K: KeyValue>() -> &'static str {
    K::NAME
}

type Bytes = Arc<[u8]>;

/// The sum of one and the decimal number in `bytes` (nothing counts as 0), with its text.
fn plus_one(bytes: Option<&[u8]>) -> (i64, Bytes) {
    let text = bytes.map_or(Ok("0"), std::str::from_utf8).expect("text");
    let sum = text.parse::<i64>().expect("a number") + 1;
    (sum, itoa::Buffer::new().format(sum).as_bytes().into())
}

fn first(value: &[u8]) -> u8 {
    value[0]
}

/// The floor: a table for one thread, without a lock.
pub struct Hashbrown(hashbrown::HashMap<Box<[u8]>, Bytes, RandomState>);

impl KeyValue for Hashbrown {
    const NAME: &'static str = "hashbrown, no lock";
    const EXPIRES: bool = false;

    fn open(_: usize, _: Option<Duration>) -> Self {
        Self(hashbrown::HashMap::with_hasher(RandomState::new()))
    }

    fn share(&self) -> Option<Self> {
        None
    }

    fn get(&mut self, key: &[u8]) -> Option<u8> {
        let value = self.0.get(key).cloned();
        value.map(|value| first(&value))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }

    fn set_for(&mut self, _: &[u8], _: &[u8], _: Duration) {
        unreachable!("no time to live");
    }

    fn increment(&mut self, key: &[u8]) -> i64 {
        if let Some(value) = self.0.get_mut(key) {
            let (sum, text) = plus_one(Some(value));
            *value = text;
            return sum;
        }
        let (sum, text) = plus_one(None);
        self.0.insert(key.into(), text);
        sum
    }
}

/// A bare concurrent map: no time to live, no types.
pub struct Dashmap(Arc<dashmap::DashMap<Box<[u8]>, Bytes, RandomState>>);

impl KeyValue for Dashmap {
    const NAME: &'static str = "dashmap + ahash";
    const EXPIRES: bool = false;

    fn open(_: usize, _: Option<Duration>) -> Self {
        Self(Arc::new(dashmap::DashMap::with_hasher(RandomState::new())))
    }

    fn share(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }

    fn get(&mut self, key: &[u8]) -> Option<u8> {
        let value = self.0.get(key).map(|entry| entry.value().clone());
        value.map(|value| first(&value))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }

    fn set_for(&mut self, _: &[u8], _: &[u8], _: Duration) {
        unreachable!("no time to live");
    }

    fn increment(&mut self, key: &[u8]) -> i64 {
        if let Some(mut value) = self.0.get_mut(key) {
            let (sum, text) = plus_one(Some(&value));
            *value = text;
            return sum;
        }
        let mut entry = self.0.entry(key.into()).or_insert_with(|| b"0"[..].into());
        let (sum, text) = plus_one(Some(&entry));
        *entry = text;
        sum
    }
}

/// Another bare concurrent map.
pub struct Scc(Arc<scc::HashMap<Box<[u8]>, Bytes, RandomState>>);

impl KeyValue for Scc {
    const NAME: &'static str = "scc + ahash";
    const EXPIRES: bool = false;

    fn open(_: usize, _: Option<Duration>) -> Self {
        Self(Arc::new(scc::HashMap::with_hasher(RandomState::new())))
    }

    fn share(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }

    fn get(&mut self, key: &[u8]) -> Option<u8> {
        let value = self.0.read_sync(key, |_, value| value.clone());
        value.map(|value| first(&value))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.upsert_sync(key.into(), value.into());
    }

    fn set_for(&mut self, _: &[u8], _: &[u8], _: Duration) {
        unreachable!("no time to live");
    }

    fn increment(&mut self, key: &[u8]) -> i64 {
        let add = |value: &mut Bytes| {
            let (sum, text) = plus_one(Some(value));
            *value = text;
            sum
        };
        if let Some(sum) = self.0.update_sync(key, |_, value| add(value)) {
            return sum;
        }
        add(self.0.entry_sync(key.into()).or_insert_with(|| b"0"[..].into()).get_mut())
    }
}

/// A cache with room for everything: it never has to evict.
pub struct QuickCache(Arc<quick_cache::sync::Cache<Box<[u8]>, Bytes>>);

impl KeyValue for QuickCache {
    const NAME: &'static str = "quick_cache";
    const EXPIRES: bool = false;

    fn open(capacity: usize, _: Option<Duration>) -> Self {
        Self(Arc::new(quick_cache::sync::Cache::new(2 * capacity + 2 * COUNTERS)))
    }

    fn share(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }

    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).map(|value| first(&value))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }

    fn set_for(&mut self, _: &[u8], _: &[u8], _: Duration) {
        unreachable!("no time to live");
    }

    fn increment(&mut self, key: &[u8]) -> i64 {
        use quick_cache::sync::{EntryAction, EntryResult};
        let add = |_: &_, value: &mut Bytes| {
            let (sum, text) = plus_one(Some(value));
            *value = text;
            EntryAction::Retain(sum)
        };
        match self.0.entry(&Box::from(key), None, add) {
            EntryResult::Retained(sum) => sum,
            EntryResult::Vacant(place) => {
                let (sum, text) = plus_one(None);
                // Fails only if another thread removed the place meanwhile, and none removes here.
                let _ = place.insert(text);
                sum
            }
            _ => unreachable!("the counter is kept"),
        }
    }
}

/// A cache with room for everything, whose lifetime is that of the whole cache.
pub struct Moka(moka::sync::Cache<Box<[u8]>, Bytes, RandomState>);

impl KeyValue for Moka {
    const NAME: &'static str = "moka";
    const EXPIRES: bool = true;

    fn open(capacity: usize, lifetime: Option<Duration>) -> Self {
        let capacity = (2 * capacity + 2 * COUNTERS) as u64;
        let builder = moka::sync::Cache::builder().max_capacity(capacity);
        let builder = match lifetime {
            Some(lifetime) => builder.time_to_live(lifetime),
            None => builder,
        };
        Self(builder.build_with_hasher(RandomState::new()))
    }

    fn share(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }

    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).map(|value| first(&value))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.insert(key.into(), value.into());
    }

    fn set_for(&mut self, key: &[u8], value: &[u8], _: Duration) {
        self.set(key, value);
    }

    fn increment(&mut self, key: &[u8]) -> i64 {
        let sum = Cell::new(0);
        self.0.entry(key.into()).and_upsert_with(|entry| {
            let (next, text) = plus_one(entry.map(|entry| entry.into_value()).as_deref());
            sum.set(next);
            text
        });
        sum.get()
    }
}

/// Values are text here, which its codec stores with the least work.
pub struct Heaplet(Arc<heaplet::Store>);

impl Heaplet {
    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).expect("text")
    }
}

impl KeyValue for Heaplet {
    const NAME: &'static str = "heaplet";
    const EXPIRES: bool = true;

    fn open(_: usize, _: Option<Duration>) -> Self {
        Self(Arc::new(heaplet::Store::new()))
    }

    fn share(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }

    fn get(&mut self, key: &[u8]) -> Option<u8> {
        let value: Option<String> = self.0.kv().get(Self::text(key)).expect("a string");
        value.map(|value| first(value.as_bytes()))
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.kv().set(Self::text(key), &Self::text(value)).expect("set");
    }

    fn set_for(&mut self, key: &[u8], value: &[u8], ttl: Duration) {
        self.set(key, value);
        self.0.keys().pexpire(Self::text(key), ttl.as_millis() as u64);
    }

    fn increment(&mut self, key: &[u8]) -> i64 {
        self.0.kv().incr(Self::text(key)).expect("a number")
    }

    fn get_many(&mut self, keys: &[Key]) -> usize {
        let keys: Vec<&str> = keys.iter().map(|key| Self::text(key)).collect();
        self.0.kv().mget::<String>(&keys).expect("strings").iter().flatten().count()
    }
}
