//! kevy-embedded's rows, behind the feature `kevy`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kevy_embedded::{Config, PubsubEvent, Store, Subscription};
use kevy_store::{MissingStream, StreamId, XAddIdSpec};

use crate::broadcast::{Broadcast, Reader};
use crate::kv::{Key, KeyValue};
use crate::logs::{Disk, VALUE};
use crate::scores::{Member, Scores};
use crate::streams::{Field, Id, Log};

/// In memory, as its default configuration has it.
pub struct Kevy(Store);

fn open() -> Store {
    Store::open(Config::default()).expect("open in memory")
}

impl KeyValue for Kevy {
    const NAME: &'static str = "kevy-embedded";
    const EXPIRES: bool = true;

    fn open(_: usize, _: Option<Duration>) -> Self {
        Self(open())
    }

    fn share(&self) -> Option<Self> {
        Some(Self(self.0.clone()))
    }

    fn get(&mut self, key: &[u8]) -> Option<u8> {
        self.0.get(key).expect("a string").map(|value| value[0])
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        self.0.set(key, value).expect("set");
    }

    fn set_for(&mut self, key: &[u8], value: &[u8], ttl: Duration) {
        self.0.set_with_ttl(key, value, ttl).expect("set");
    }

    fn increment(&mut self, key: &[u8]) -> i64 {
        self.0.incr(key).expect("a number")
    }

    fn get_many(&mut self, keys: &[Key]) -> usize {
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        self.0.mget(&keys).expect("strings").iter().flatten().count()
    }
}

const BOARD: &[u8] = b"board";

impl Scores for Kevy {
    const NAME: &'static str = "kevy-embedded";

    fn open() -> Self {
        Self(open())
    }

    fn add(&mut self, member: &Member, score: f64) {
        self.0.zadd(BOARD, &[(score, member)]).expect("add");
    }

    fn increment(&mut self, member: &Member, by: f64) -> f64 {
        self.0.zincrby(BOARD, by, member).expect("increment")
    }

    fn score(&mut self, member: &Member) -> Option<f64> {
        self.0.zscore(BOARD, member).expect("score")
    }

    fn rank(&mut self, member: &Member) -> Option<usize> {
        self.0.zrank(BOARD, member).expect("rank")
    }

    fn top(&mut self, count: usize) -> usize {
        self.0.zrevrange(BOARD, 0, count as i64 - 1).expect("range").len()
    }

    fn range(&mut self, start: usize, count: usize) -> usize {
        self.0.zrange(BOARD, start as i64, (start + count) as i64 - 1).expect("range").len()
    }

    fn range_by_score(&mut self, from: f64, to: f64, limit: usize) -> usize {
        self.0.zrange_by_score_limit(BOARD, from, to, 0, limit).expect("range").len()
    }

    fn pop_min(&mut self) -> Option<(Member, f64)> {
        let popped = self.0.zpopmin(BOARD, 1).expect("pop");
        popped.first().map(|(member, score)| (member[..].try_into().expect("16 bytes"), *score))
    }
}

const STREAM: &[u8] = b"stream";

fn append(store: &Store, fields: &[Field<'_>]) -> Id {
    let fields = fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as u64;
    let create = MissingStream::Create;
    let id = store
        .with_key(STREAM, |store| store.xadd(STREAM, XAddIdSpec::AutoAll, fields, create, now));
    let id = id.expect("append").expect("an id");
    (id.ms, id.seq)
}

fn range(store: &Store, from: Id, count: usize) -> usize {
    let from = StreamId::new(from.0, from.1);
    let entries =
        store.with_key(STREAM, |store| store.xrange(STREAM, from, StreamId::MAX, Some(count)));
    let entries = entries.expect("range");
    entries
        .iter()
        .flat_map(|(_, fields)| fields)
        .map(|(name, value)| name.len() + value.len())
        .sum()
}

impl Log for Kevy {
    const NAME: &'static str = "kevy-embedded";

    fn open() -> Self {
        Self(open())
    }

    fn append(&mut self, fields: &[Field<'_>]) -> Id {
        append(&self.0, fields)
    }

    fn range(&mut self, from: Id, count: usize) -> usize {
        range(&self.0, from, count)
    }
}

/// With its log on disk, in a folder that goes with it.
pub struct Logged {
    store: Option<Store>,
    folder: std::path::PathBuf,
}

impl Logged {
    fn store(&self) -> &Store {
        self.store.as_ref().expect("open until dropped")
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.store = None;
        // What is left in the system's folder for such things harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Log for Logged {
    const NAME: &'static str = "kevy-embedded, logged";

    fn open() -> Self {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("larder-peers-{}-{number}", std::process::id()));
        let config = Config::default().with_persist(&folder);
        Self { store: Some(Store::open(config).expect("open on disk")), folder }
    }

    fn append(&mut self, fields: &[Field<'_>]) -> Id {
        let id = append(self.store(), fields);
        let text = format!("{}-{}", id.0, id.1);
        let mut command = vec![&b"XADD"[..], STREAM, text.as_bytes()];
        command.extend(fields.iter().flat_map(|(name, value)| [*name, *value]));
        self.store().log(&command).expect("log");
        id
    }

    fn range(&mut self, from: Id, count: usize) -> usize {
        range(self.store(), from, count)
    }
}

const CHANNEL: &[u8] = b"news";

impl Broadcast for Kevy {
    const NAME: &'static str = "kevy-embedded";
    type Message = Vec<u8>;
    type Reader = Subscription;

    fn open(_: usize) -> Self {
        Self(open())
    }

    fn message(payload: &[u8]) -> Vec<u8> {
        payload.to_vec()
    }

    fn subscribe(&mut self) -> Subscription {
        let subscription = self.0.subscribe(&[CHANNEL]);
        // The first event only confirms the subscription.
        subscription.recv().expect("a confirmation");
        subscription
    }

    fn publish(&mut self, message: &Vec<u8>) {
        self.0.publish(CHANNEL, message);
    }
}

impl Reader for Subscription {
    fn receive(&mut self) -> usize {
        match self.recv().expect("a message") {
            PubsubEvent::Message { payload, .. } => payload.len(),
            other => panic!("{other:?} instead of a message"),
        }
    }
}

/// With its log on disk, synced every second.
pub struct Kept(Store);

impl Disk for Kept {
    const NAME: &'static str = "kevy-embedded, every second";

    fn open(folder: &std::path::Path) -> Self {
        Self(Store::open(Config::default().with_persist(folder)).expect("open on disk"))
    }

    fn set(&self, key: &[u8]) {
        self.0.set(key, &VALUE).expect("set");
    }

    fn get(&self, key: &[u8]) -> bool {
        self.0.get(key).expect("a string").is_some()
    }

    fn sync(&self) {}
}
