//! Cache invalidation: every node keeps what it read in a cache of its own, and drops it when
//! another node says that it has changed.
//!
//! Redis: `SET` and `PUBLISH` by the writer, `SUBSCRIBE` by every node. Here one shared store
//! plays the server, and two nodes each have a local store besides.
//!
//! A node must not drop what it has just written itself, so it ignores its own messages: here
//! with `publish_from`, which leaves out the sender. Redis has no such thing; there a node puts
//! its name into the message (`"node-a key"`) and ignores those that carry it.
//!
//! Publish/subscribe forgets: a node that was too slow has missed messages. It is told so, and
//! then it can trust nothing it holds. The time to live is the last resort for all else.
//!
//! Run: `cargo run --example cache_invalidation`

use std::cell::Cell;
use std::time::Duration;

use larder::{Overflow, RecvError, Result, Store, Subscription, SubscriptionOptions, Value};

const CHANNEL: &str = "changed";
const TTL: Duration = Duration::from_secs(60);

struct Node {
    local: Store,
    shared: Store,
    changes: Subscription,
    /// How many reads had to ask the shared store.
    misses: Cell<usize>,
}

impl Node {
    fn new(shared: &Store) -> Self {
        let options = SubscriptionOptions::new().capacity(100).overflow(Overflow::DropOldest);
        let changes = shared.subscription(options);
        changes.subscribe(CHANNEL);
        Self { local: Store::new(), shared: shared.clone(), changes, misses: Cell::new(0) }
    }

    /// Hearing first, in the thread that reads, leaves no gap: a change that is announced after
    /// the shared store was read is heard before the local copy is used.
    fn read(&self, key: &str) -> Result<Option<Value>> {
        self.hear()?;
        if let Some(value) = self.local.kv().get(key)? {
            return Ok(Some(value));
        }
        self.misses.set(self.misses.get() + 1);
        let value = self.shared.kv().get(key)?;
        if let Some(value) = &value {
            self.local.kv().set_for(key, value, TTL)?;
        }
        Ok(value)
    }

    /// Changes the source of truth, then tells the others.
    fn write(&self, key: &str, value: &str) -> Result<()> {
        self.hear()?;
        self.shared.kv().set(key, value)?;
        self.shared.publish_from(&self.changes, CHANNEL, key)?;
        self.local.kv().set_for(key, value, TTL)
    }

    fn hear(&self) -> Result<()> {
        loop {
            match self.changes.try_recv() {
                Ok(change) => drop(self.local.keys().delete(&change.payload)?),
                Err(RecvError::Lagged(_)) => self.local.clear_all()?,
                Err(_) => return Ok(()),
            }
        }
    }
}

fn main() -> Result<()> {
    let shared = Store::new();
    let (a, b) = (Node::new(&shared), Node::new(&shared));

    a.write("motto", "festina lente")?;
    for _ in 0..100 {
        assert_eq!(b.read("motto")?.unwrap(), "festina lente");
    }
    println!("b read 100 times and asked the shared store {} time", b.misses.get());
    assert_eq!(b.misses.get(), 1);

    b.write("motto", "carpe diem")?;
    assert_eq!(a.read("motto")?.unwrap(), "carpe diem");
    println!("b changed it and a saw the change: {} miss", a.misses.get());
    assert_eq!(a.misses.get(), 1);

    assert_eq!(b.read("motto")?.unwrap(), "carpe diem");
    assert_eq!(b.misses.get(), 1);
    println!("b kept its own copy, as it ignores its own message");

    for n in 0..1000 {
        b.write(&format!("key:{n}"), "new")?;
    }
    a.read("motto")?;
    println!("a fell 900 messages behind and dropped all it had: {} misses", a.misses.get());
    assert_eq!(a.misses.get(), 2);
    assert_eq!(a.local.keys().len()?, 1);
    Ok(())
}
