//! The typed API: a handle per type of data.
//!
//! A handle converts its arguments, submits one operation to its *target*, and converts the
//! output. The target decides when the operation runs and so what the answer is: a
//! [`Store`](crate::Store) answers at once, a [`Transaction`] at once within its locks, a
//! [`Batch`] after it has been executed. So every method exists once, for all three.

mod batch;
mod bitmap;
#[cfg(feature = "async")]
pub(crate) mod future;
mod hash;
mod keys;
mod kv;
mod list;
mod options;
mod set;
mod sort;
mod sorted_set;
mod stream;
mod stream_group;
mod transaction;

pub use batch::{Batch, Pending, Watch};
pub use bitmap::{BitFields, Bitmap};
pub use hash::{FieldIter, FieldNameIter, FieldOptions, Hash};
pub use keys::{Keys, Scan};
pub use kv::Kv;
pub use list::{List, Lists, PositionOptions};
pub use options::{
    CopyOptions, Deadline, DeleteIf, ExpireIf, Expiry, Increment, Incremented, Number,
    RestoreOptions, ScanCursor, ScanOptions, ScanPage, SetOptions, TimeToLive,
};
pub use set::{Set, SetIter, Sets};
pub use sort::SortQuery;
pub use sorted_set::{
    Combination, Difference, MemberIter, RangeQuery, RankQuery, SortedSet, SortedSets,
};
pub use stream::{Stream, StreamRange};
pub use stream_group::{Autoclaimed, Consumer, ConsumerGroup};
pub use transaction::Transaction;

use crate::error::{Error, Result};
use crate::wire::command::Command;

/// Where the operations of a handle run: a store, a transaction or a batch.
///
/// This trait is sealed.
pub trait Target {
    /// What a call answers: `Result<R>` where operations run at once, [`Pending<R>`] in a batch.
    type Answer<R>;
}

/// What a [`Target`] can do.
pub(crate) trait Submit: Target {
    /// Runs an operation, now or later, and converts its output.
    fn submit<O: Command, R: Send + 'static>(
        &self,
        operation: &O,
        convert: impl FnOnce(O::Output) -> Result<R> + Send + 'static,
    ) -> Self::Answer<R>;

    /// The answer to a call whose arguments do not form an operation.
    fn refuse<R: Send + 'static>(&self, error: Error) -> Self::Answer<R>;
}

/// The value of a fallible conversion of arguments, or a return with the refusal.
macro_rules! accept {
    ($handle:ident, $argument:expr) => {
        match $argument {
            Ok(argument) => argument,
            Err(error) => return crate::handles::Submit::refuse($handle.target, error),
        }
    };
}
use accept;
