//! Finding where an element is.

use crate::data::list::List;
use crate::error::Result;
use crate::keyspace::View;
use crate::keyspace::access::Read;
use crate::ops::Operation;

/// Which of the elements that match are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matches {
    /// The match to begin with: 1 is the first, -1 the last, -2 the one before. Negative ranks go
    /// on towards the front. Never zero.
    pub(crate) rank: i64,
    /// How many to answer, zero for all; without, one by itself.
    pub(crate) count: Option<usize>,
    /// How many elements to look at; zero for all.
    pub(crate) max_len: usize,
}

/// The first match alone.
impl Default for Matches {
    fn default() -> Self {
        Self { rank: 1, count: None, max_len: 0 }
    }
}

/// Finds the elements that equal one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Find<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) element: &'a [u8],
    pub(crate) matches: Matches,
}

impl Operation for Find<'_> {
    /// Indexes, in the order they were found; at most one if no count was given.
    type Output = Vec<usize>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let Some(list) = view.get::<List>()? else { return Ok(Vec::new()) };
        let Matches { rank, count, max_len } = self.matches;
        let all_if_zero = |limit| if limit == 0 { usize::MAX } else { limit };
        let elements = list.elements(0..list.len());
        let looked_at = all_if_zero(max_len).min(list.len());
        let skipped = usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
        let count = count.map_or(1, all_if_zero);
        Ok(if rank < 0 {
            let last = list.len().wrapping_sub(1);
            let equal = elements.rev().take(looked_at).enumerate();
            let equal = equal.filter(|(_, element)| **element == *self.element);
            equal.skip(skipped).take(count).map(|(steps, _)| last - steps).collect()
        } else {
            let equal = elements.take(looked_at).enumerate();
            let equal = equal.filter(|(_, element)| **element == *self.element);
            equal.skip(skipped).take(count).map(|(index, _)| index).collect()
        })
    }
}
