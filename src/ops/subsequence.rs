//! The longest common subsequence of two strings.

use super::Operation;
pub use crate::data::subsequence::CommonRun;
use crate::data::subsequence::common_runs;
use crate::error::{Error, Result};
use crate::keyspace::access::ReadStrings;
use crate::value::{MAX_LEN, Value};

/// Finds the longest common subsequence of two strings; a key that does not exist holds none.
///
/// The strings are shared, and no lock is held while they are compared, unless it is in a
/// transaction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FindCommon<'a> {
    pub(crate) keys: [&'a [u8]; 2],
    pub(crate) wanted: Wanted,
}

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Bytes,
    Length,
    /// Where it stands, in runs that are not shorter than this.
    Runs {
        shortest: usize,
        /// Whether the reply has the length of each.
        with_lengths: bool,
    },
}

/// What was wanted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Common {
    Bytes(Value),
    Length(usize),
    /// The runs, the last one first, and the length of all there are.
    Runs(Vec<CommonRun>, usize),
}

impl Operation for FindCommon<'_> {
    type Output = Common;
    type Access = ReadStrings;

    fn target(&self) -> &[&[u8]] {
        &self.keys
    }

    fn run(&self, strings: Vec<Option<Value>>) -> Result<Self::Output> {
        /// What Redis takes for a pair of bytes, of as much as an argument may have.
        const PAIR: usize = 4;
        let [first, second] = [0, 1].map(|place| strings[place].as_deref().unwrap_or_default());
        let pairs = (first.len() + 1).saturating_mul(second.len() + 1);
        if pairs.saturating_mul(PAIR) > MAX_LEN {
            return Err(Error::TooLarge);
        }
        let mut runs = common_runs(first, second);
        let length = runs.iter().map(|run| run.first.len()).sum();
        Ok(match self.wanted {
            Wanted::Length => Common::Length(length),
            Wanted::Bytes => {
                let parts = runs.iter().rev().map(|run| &first[run.first.clone()]);
                Common::Bytes(Value::from(parts.collect::<Vec<_>>().concat()))
            }
            Wanted::Runs { shortest, .. } => {
                runs.retain(|run| run.first.len() >= shortest);
                Common::Runs(runs, length)
            }
        })
    }
}
