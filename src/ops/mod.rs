//! The operations: one struct each, with its semantics and nothing else.
//!
//! An operation borrows its arguments, has a typed output, and says by its [`Access`] what it
//! touches. Its body sees the keyspace through a view or a writer, so it knows no locks; it
//! knows no protocol either. Everything else is an adapter over it: the handles, batches and
//! transactions, the command table in `wire`, and whatever reads commands from there.
//!
//! An operation that answers `Err` has changed nothing.

pub(crate) mod bitmap;
pub(crate) mod counters;
pub(crate) mod dump;
pub(crate) mod encoding;
pub(crate) mod hash;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod pubsub;
pub(crate) mod scan;
pub(crate) mod set;
pub(crate) mod sort;
pub(crate) mod sorted_set;
pub(crate) mod stream;
pub(crate) mod stream_group;
pub(crate) mod strings;
pub(crate) mod subsequence;
pub(crate) mod uses;

use std::borrow::Cow;
use std::time::Duration;

use crate::error::Result;
use crate::keyspace::access::{Access, Demand, Extent, Locked, Writers};
use crate::keyspace::{Data, Space};

/// One operation of Redis, with its arguments.
pub(crate) trait Operation {
    type Output: Send + 'static;
    type Access: Access;

    /// What has to be locked.
    fn target(&self) -> <Self::Access as Access>::Target<'_>;

    /// Does it.
    fn run(&self, scope: <Self::Access as Access>::Scope<'_>) -> Result<Self::Output>;
}

/// Runs one operation, and everything that follows from it.
#[inline]
pub(crate) fn run<O: Operation>(space: Space<'_>, operation: &O) -> Result<O::Output> {
    O::Access::enter(space, operation.target(), |scope| operation.run(scope))
}

/// Runs one operation on shards that are locked already.
pub(crate) fn run_within<O: Operation>(
    locked: &mut Locked<'_>,
    database: u16,
    operation: &O,
) -> Result<O::Output> {
    O::Access::within(locked, database, operation.target(), |scope| operation.run(scope))
}

/// Adds the locks that an operation needs.
pub(crate) fn demand<O: Operation>(space: Space<'_>, operation: &O, demand: &mut Demand) {
    O::Access::demand(space, operation.target(), demand);
}

/// An operation that a caller may wait for: its output is `None` while there is nothing.
pub(crate) trait Blocking:
    Operation<
        Access: for<'a> Access<Target<'a> = Extent<'a>>,
        Output = Option<<Self as Blocking>::Found>,
    >
{
    type Found: Send + 'static;

    /// Whether it may end on a key that does not exist (or holds another type), with an error.
    const MINDS_REMOVAL: bool;

    /// The keys whose changes may bring something, among those that are locked.
    fn awaited(&self) -> Extent<'_> {
        self.target()
    }

    /// Runs it again for a caller who waits: now an error ends the call.
    fn retry(&self, writers: Writers<'_>) -> Result<Self::Output>;

    /// Undoes a success that nobody will ever see, as the caller has gone away.
    fn give_back(&self, found: Self::Found, writers: Writers<'_>) -> Result<()>;
}

/// The keys that hold a `D`: a caller who waits is served from one of these, although another key
/// may have become something else meanwhile.
pub(crate) fn holding<'a, D: Data>(
    writers: &Writers<'_>,
    keys: &[&'a [u8]],
) -> Result<Vec<&'a [u8]>> {
    let mut holding = Vec::new();
    for key in keys {
        if let Ok(Some(_)) = writers.view(key)?.get::<D>() {
            holding.push(*key);
        }
    }
    Ok(holding)
}

/// How long a blocking operation waits; for ever, unless given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timeout(pub(crate) Option<Duration>);

/// The keys to wait for, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Await<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
    pub(crate) timeout: Timeout,
}

#[cfg(test)]
mod tests;
