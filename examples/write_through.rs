//! Write-through: every write goes to the database and, before it is done, to the cache.
//!
//! Redis: `WATCH key`, then `MULTI`, `SET key value PX ttl`, `EXEC`. The watch closes the hole
//! that this pattern usually has: a slow reader or writer that puts an older row into the cache
//! after a newer one. Whoever finds that the key has changed since it looked at the database
//! looks again.
//!
//! Run: `cargo run --example write_through`

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use larder::{Error, Result, Store};

const TTL: Duration = Duration::from_secs(300);

#[derive(Default)]
struct Prices {
    cache: Store,
    database: Database,
}

impl Prices {
    fn write(&self, item: &str, price: u64) -> Result<()> {
        self.database.write(item, price);
        self.refresh(item).map(drop)
    }

    fn read(&self, item: &str) -> Result<Option<u64>> {
        match self.cache.kv().get_as(key(item))? {
            Some(price) => Ok(Some(price)),
            None => self.refresh(item),
        }
    }

    /// Brings the database's row into the cache. That it is read back, even after a write, makes
    /// the database the judge of which of two concurrent writers came last.
    fn refresh(&self, item: &str) -> Result<Option<u64>> {
        loop {
            let watch = self.cache.watch(&[key(item)])?;
            let Some(price) = self.database.read(item) else { return Ok(None) };
            let batch = self.cache.batch();
            batch.kv().set_for(key(item), price, TTL);
            match batch.exec_if(watch) {
                Err(Error::Conflict) => continue,
                done => return done.map(|()| Some(price)),
            }
        }
    }
}

fn key(item: &str) -> String {
    format!("price:{item}")
}

/// A slow database that counts its reads.
#[derive(Default)]
struct Database {
    rows: Mutex<HashMap<String, u64>>,
    reads: AtomicUsize,
}

impl Database {
    fn write(&self, item: &str, price: u64) {
        self.rows.lock().unwrap().insert(item.to_owned(), price);
        thread::sleep(Duration::from_micros(100));
    }

    fn read(&self, item: &str) -> Option<u64> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let price = self.rows.lock().unwrap().get(item).copied();
        thread::sleep(Duration::from_micros(100));
        price
    }
}

fn main() -> Result<()> {
    let prices = Prices::default();
    prices.write("bread", 320)?;
    let reads_before = prices.database.reads.load(Ordering::Relaxed);
    for _ in 0..1000 {
        assert_eq!(prices.read("bread")?, Some(320));
    }
    let reads = prices.database.reads.load(Ordering::Relaxed) - reads_before;
    println!("wrote bread = 320; 1000 reads of it asked the database {reads} times");
    assert_eq!(reads, 0);

    assert_eq!(prices.read("caviar")?, None);

    thread::scope(|scope| {
        for writer in 0..4 {
            let prices = &prices;
            scope.spawn(move || {
                for round in 0..50 {
                    prices.write("milk", writer * 1000 + round).unwrap();
                    prices.read("milk").unwrap();
                }
            });
        }
    });
    let (cached, stored) = (prices.read("milk")?, prices.database.read("milk"));
    println!("4 threads wrote milk 200 times: cache {cached:?}, database {stored:?}");
    assert_eq!(cached, stored);
    Ok(())
}
