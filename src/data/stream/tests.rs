//! A stream against a dumb model, and the edges by name.

mod edges;
mod groups;
mod model;

use super::{Entries, Stream, StreamId};

/// `ms-0`.
fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

/// A stream of the entries `1-0` to `n-0`, each of one field.
fn numbered(n: u64) -> Stream {
    let mut stream = Stream::default();
    for ms in 1..=n {
        stream.append(id(ms), &[(b"n", ms.to_string().as_bytes())]).unwrap();
    }
    stream.check();
    stream
}

fn everything() -> std::ops::RangeInclusive<StreamId> {
    StreamId::MIN..=StreamId::MAX
}

/// The milliseconds of the entries' ids.
fn times(entries: &Entries) -> Vec<u64> {
    entries.ids().map(|id| id.ms).collect()
}
