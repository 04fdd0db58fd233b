//! Cache-aside: look in the cache; on a miss ask the database and keep the answer for a while.
//!
//! Redis: `GET`, `SET key value PX ttl`, and `SET key:loading token NX PX ttl` for a lock that
//! lets only one of many concurrent misses ask the database. Jitter on the time to live keeps
//! keys that were loaded together from expiring together. What is not in the database is
//! remembered too, for a shorter time.
//!
//! Run: `cargo run --example cache_aside`

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use larder::{DeleteIf, ManualClock, Result, SetOptions, Store, TimeToLive};

const TTL: Duration = Duration::from_secs(60);
const TTL_OF_NOTHING: Duration = Duration::from_secs(5);
/// How long a loader that has died keeps the others waiting.
const LOADING: Duration = Duration::from_secs(2);
/// Stands for "the database has no such user".
const NOTHING: &str = "";

struct Users {
    cache: Store,
    database: Database,
}

impl Users {
    fn name_of(&self, id: u32) -> Result<Option<String>> {
        let key = format!("user:{id}");
        loop {
            if let Some(name) = self.cache.kv().get_as::<String>(&key)? {
                return Ok((name != NOTHING).then_some(name));
            }
            if !self.load(id, &key)? {
                thread::sleep(Duration::from_millis(1)); // somebody else is loading it
            }
        }
    }

    /// Brings a user into the cache; answers `false` if somebody else is at it.
    fn load(&self, id: u32, key: &str) -> Result<bool> {
        let lock = format!("{key}:loading");
        let token = random().to_string();
        let if_free = SetOptions::new().if_absent().expires_in(LOADING);
        if !self.cache.kv().set_with(&lock, &token, if_free)? {
            return Ok(false);
        }
        // It may have been loaded between our miss and our lock.
        if !self.cache.keys().exists(key)? {
            match self.database.read(id) {
                Some(name) => self.cache.kv().set_for(key, name, with_jitter(TTL))?,
                None => self.cache.kv().set_for(key, NOTHING, TTL_OF_NOTHING)?,
            }
        }
        // Only our own lock: if we were too slow it has expired and may be another's by now.
        self.cache.kv().delete_if(&lock, DeleteIf::Equal(token.as_bytes()))?;
        Ok(true)
    }
}

/// Up to a tenth longer.
fn with_jitter(ttl: Duration) -> Duration {
    ttl + ttl.mul_f64((random() % 1000) as f64 / 10_000.0)
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}

/// A slow database that counts its queries.
#[derive(Default)]
struct Database {
    queries: AtomicUsize,
}

impl Database {
    fn read(&self, id: u32) -> Option<&'static str> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(20));
        ["Ada", "Grace", "Edsger"].get(id as usize).copied()
    }

    fn queries(&self) -> usize {
        self.queries.load(Ordering::Relaxed)
    }
}

fn main() -> Result<()> {
    let clock = ManualClock::new();
    let cache = Store::builder().clock(&clock).build();
    let users = Users { cache, database: Database::default() };

    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(users.name_of(0).unwrap().as_deref(), Some("Ada")));
        }
    });
    println!("8 threads missed user 0 at once: {} database query", users.database.queries());
    assert_eq!(users.database.queries(), 1);

    for _ in 0..1000 {
        users.name_of(0)?;
    }
    println!("1000 reads more: still {} query", users.database.queries());
    assert_eq!(users.database.queries(), 1);

    let TimeToLive::Left(left) = users.cache.keys().time_to_live("user:0")? else {
        panic!("a cached user must expire");
    };
    println!("user 0 stays for {left:?}: a minute and some jitter");
    assert!((TTL..=TTL + TTL / 10).contains(&left));

    clock.advance(left);
    users.name_of(0)?;
    println!("after that time the next read asks again: {} queries", users.database.queries());
    assert_eq!(users.database.queries(), 2);

    assert_eq!(users.name_of(99)?, None);
    assert_eq!(users.name_of(99)?, None);
    println!("two reads of a user who is not there: {} queries", users.database.queries());
    assert_eq!(users.database.queries(), 3);
    Ok(())
}
