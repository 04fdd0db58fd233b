//! Write-behind: a write is done once it is in the cache and in a queue; a worker brings the
//! queue to the database in batches.
//!
//! Redis: `MULTI`, `SET`, `XADD`, `EXEC` to write; `XREADGROUP ... BLOCK` and `XACKDEL` (8.2;
//! before it `XACK` and `XDEL`) to drain. A write is acknowledged only after the database has it,
//! so a worker that crashes in between leaves it pending, and its successor gets it again: at least
//! once. That is harmless, as "the row is now this" may be said twice, and there is one worker, so
//! an older row never overtakes a newer one. With the store alone in memory, what is queued is lost
//! when the process dies: keep the queue short.
//!
//! Run: `cargo run --example write_behind`

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use larder::{Entries, Error, GroupStart, References, Result, Store, StreamId};

const QUEUE: &str = "writes";
const GROUP: &str = "database";
const BATCH: usize = 100;

/// `Ok` says that both are done: if one of them fails, on a key of another type say, the caller
/// hears of it, and may write again.
fn write(store: &Store, key: &str, value: &str) -> Result<()> {
    let batch = store.batch();
    batch.kv().set(key, value);
    batch.stream(QUEUE).append(&[("key", key), ("value", value)]);
    batch.exec_checked()
}

/// Drains the queue until it is closed, by the removal of the group.
fn drain(store: &Store, database: &mut Database, crash_after: usize) -> Result<()> {
    let queue = store.stream(QUEUE);
    let group = queue.group(GROUP);
    let worker = group.consumer("worker");
    // What was given to us before a crash.
    let mut entries = worker.history(StreamId::MIN, usize::MAX)?;
    for batch in 1.. {
        if !entries.is_empty() {
            database.store(&entries);
            if batch == crash_after {
                return Ok(()); // written, but not acknowledged
            }
            group.ack_and_delete(&entries.ids().collect::<Vec<_>>(), References::Keep)?;
        }
        entries = match worker.read_blocking(BATCH, None) {
            Err(Error::NoGroup { .. }) => break,
            read => read?,
        };
    }
    Ok(())
}

/// A database that prefers few large transactions to many small ones.
#[derive(Default)]
struct Database {
    rows: HashMap<Vec<u8>, Vec<u8>>,
    transactions: usize,
    writes: usize,
}

impl Database {
    fn store(&mut self, entries: &Entries) {
        thread::sleep(Duration::from_millis(2));
        self.transactions += 1;
        for entry in entries {
            let (key, value) = (entry.get("key").unwrap(), entry.get("value").unwrap());
            self.rows.insert(key.to_vec(), value.to_vec());
            self.writes += 1;
        }
    }
}

fn main() -> Result<()> {
    let store = Store::new();
    store.stream(QUEUE).group(GROUP).create_if_absent(GroupStart::Beginning)?;

    let mut database = Database::default();
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            drain(&store, &mut database, 3)?;
            println!("the worker crashed; a new one begins with what that one had pending");
            drain(&store, &mut database, usize::MAX)
        });
        for n in 0..1000 {
            write(&store, &format!("row:{}", n % 50), &n.to_string())?;
        }
        println!("1000 writes are done for their callers");
        while !store.stream(QUEUE).is_empty()? {
            thread::sleep(Duration::from_millis(1));
        }
        store.stream(QUEUE).group(GROUP).destroy()?;
        worker.join().expect("the worker does not panic")
    })?;

    let Database { rows, transactions, writes } = database;
    println!(
        "the database has {} rows, by {writes} writes in {transactions} transactions",
        rows.len()
    );
    assert!(writes > 1000, "the batch of the crash was written twice");
    assert!(transactions < writes);
    assert_eq!(rows.len(), 50);
    for (key, value) in &rows {
        assert_eq!(store.kv().get(key)?.unwrap().as_bytes(), value, "cache and database agree");
    }
    Ok(())
}
