//! The stream of errors, and the two threads of a consumer group that share it.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use larder::{Deletion, Error, GroupStart, References, Result, Store};

pub(crate) const STREAM: &str = "errors";
/// A sorted set: status and path, and how often.
pub(crate) const KINDS: &str = "errors:kinds";
/// A sorted set: the workers, and how many errors each has handled.
pub(crate) const WORKERS: &str = "errors:workers";
const GROUP: &str = "workers";

pub(crate) struct Workers {
    store: Store,
    threads: Vec<JoinHandle<Result<u64>>>,
}

impl Workers {
    pub(crate) fn start(store: &Store) -> Result<Self> {
        store.stream(STREAM).group(GROUP).create_if_absent(GroupStart::Beginning)?;
        let start = |name: &'static str| {
            let store = store.clone();
            thread::spawn(move || work(&store, name))
        };
        Ok(Self { store: store.clone(), threads: ["worker 1", "worker 2"].map(start).into() })
    }

    /// Waits until all errors are handled and the workers have gone home; answers how many
    /// errors they handled.
    pub(crate) fn finish(self) -> Result<u64> {
        let stream = self.store.stream(STREAM);
        while !stream.is_empty()? && self.threads.iter().any(|worker| !worker.is_finished()) {
            thread::sleep(Duration::from_millis(1));
        }
        stream.group(GROUP).destroy()?;
        let handled = self.threads.into_iter().map(|worker| worker.join().expect("no panic"));
        handled.sum()
    }
}

/// Handles errors until the group is removed. What a batch of errors came to and their
/// acknowledgement are one atomic step: each counts exactly once.
fn work(store: &Store, name: &str) -> Result<u64> {
    let mut handled = 0;
    loop {
        let errors = match store.stream(STREAM).group(GROUP).consumer(name).read_blocking(16, None)
        {
            Err(Error::NoGroup { .. }) => return Ok(handled),
            read => read?,
        };
        let batch = store.batch();
        for error in &errors {
            let [status, path] = ["status", "path"].map(|field| error.get(field).unwrap_or(b"?"));
            batch.sorted_set(KINDS).increment([status, b" ", path].concat(), 1.0);
        }
        batch.sorted_set(WORKERS).increment(name, errors.len() as f64);
        let ids: Vec<_> = errors.ids().collect();
        let deletions = batch.stream(STREAM).group(GROUP).ack_and_delete(&ids, References::Keep);
        batch.exec_checked()?;
        assert!(deletions.get()?.iter().all(|deletion| *deletion == Deletion::Deleted));
        handled += errors.len() as u64;
    }
}
