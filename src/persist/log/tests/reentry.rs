//! A persistence that calls the store that it keeps.

use std::io;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::persist::{Kept, Memory, Snapshot, Tail};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering};

/// Where the store is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Append,
    Sync,
    Rotate,
    Snapshot,
    Commit,
}

type Act = fn(&Store);

/// Keeps in memory, and does something with its store at one call.
#[derive(Clone)]
struct Caller {
    kept: Memory,
    store: Arc<Mutex<Option<Store>>>,
    at: Call,
    act: Act,
    has_acted: Arc<AtomicBool>,
}

impl Caller {
    fn pass(&self, call: Call) {
        let store = self.store.lock().clone();
        if call == self.at
            && let Some(store) = store
            && !self.has_acted.swap(true, Ordering::SeqCst)
        {
            (self.act)(&store);
        }
    }
}

impl Persistence for Caller {
    fn open(&self) -> io::Result<Kept> {
        self.kept.open()
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.pass(Call::Append);
        self.kept.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.pass(Call::Sync);
        self.kept.sync()
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        self.kept.truncate(length, tail)
    }

    fn rotate(&self) -> io::Result<u64> {
        self.pass(Call::Rotate);
        self.kept.rotate()
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        self.pass(Call::Snapshot);
        Ok(Box::new(Calling { snapshot: self.kept.snapshot()?, caller: self.clone() }))
    }
}

struct Calling {
    snapshot: Box<dyn Snapshot>,
    caller: Caller,
}

impl io::Write for Calling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.snapshot.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.snapshot.flush()
    }
}

impl Snapshot for Calling {
    fn commit(self: Box<Self>) -> io::Result<()> {
        self.caller.pass(Call::Commit);
        self.snapshot.commit()
    }
}

/// Lives with a store whose persistence does this there; what was acknowledged is kept.
fn live(durability: Durability, at: Call, act: Act) {
    let store = Arc::new(Mutex::new(None));
    let (kept, has_acted) = (Memory::new(), Arc::default());
    let caller = Caller { kept: kept.clone(), store: Arc::clone(&store), at, act, has_acted };
    let builder = Store::builder().persistence(caller.clone());
    let opened = builder.durability(durability).open().unwrap();
    *store.lock() = Some(opened.clone());
    let mut acknowledged = Vec::new();
    for key in ["a", "b", "c"] {
        if opened.kv().set(key, 1).is_ok() && opened.sync().is_ok() {
            acknowledged.push(key);
        }
        let _ = opened.snapshot();
    }
    assert!(caller.has_acted.load(Ordering::SeqCst));
    *store.lock() = None;
    let _ = opened.close();
    drop(opened);
    let again = Store::builder().persistence(kept).open().unwrap();
    for key in acknowledged {
        assert_eq!(again.kv().get_as::<i64>(key), Ok(Some(1)), "{key}");
    }
}

#[test]
fn it_hangs_nobody() {
    let acts: [(&str, Act); 5] = [
        ("read", |store| drop(store.kv().get("a"))),
        ("write", |store| drop(store.kv().set("d", 1))),
        ("sync", |store| drop(store.sync())),
        ("snapshot", |store| drop(store.snapshot())),
        ("close", |store| drop(store.close())),
    ];
    let calls = [Call::Append, Call::Sync, Call::Rotate, Call::Snapshot, Call::Commit];
    for durability in [Durability::Always, Durability::Os, Durability::Never] {
        for at in calls {
            for (name, act) in acts {
                let (done, ends) = mpsc::channel();
                std::thread::spawn(move || {
                    live(durability, at, act);
                    let _ = done.send(());
                });
                let ended = ends.recv_timeout(Duration::from_secs(60));
                assert_eq!(ended, Ok(()), "{name} at {at:?}, {durability:?}");
            }
        }
    }
}

#[test]
fn it_is_told_so() {
    let told: Act = |store| {
        let is_indeterminate =
            |outcome: Result<()>| matches!(outcome, Err(crate::Error::Indeterminate(_)));
        assert!(is_indeterminate(store.sync()));
        assert!(is_indeterminate(store.close()));
        assert!(is_indeterminate(store.kv().set("d", 1)));
        let text = store.snapshot().unwrap_err().to_string();
        assert!(text.contains("has called the store"), "{text}");
        assert_eq!(store.persistence_stats().unwrap().refusal, None);
    };
    live(Durability::Always, Call::Append, told);
}
