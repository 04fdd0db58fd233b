//! The changes that a sorted set goes through under its key.

use std::ops::Range;

use super::Edit;
use crate::data::sorted_set::{Score, SortedSet};
use crate::value::Value;

impl Edit<'_, SortedSet> {
    /// Sets a member to a score; answers the score it had.
    #[inline]
    pub(crate) fn insert(&mut self, member: &[u8], score: Score) -> Option<Score> {
        let score = score.unsigned_zero();
        let old = self.data.insert(member, score);
        self.outcome.changed |= old != Some(score);
        old
    }

    /// As [`insert`](Self::insert), sharing the bytes of a member that is new.
    pub(crate) fn insert_value(&mut self, member: &Value, score: Score) -> Option<Score> {
        let score = score.unsigned_zero();
        let old = self.data.insert_value(member, score);
        self.outcome.changed |= old != Some(score);
        old
    }

    /// Removes a member; answers its score.
    pub(crate) fn remove(&mut self, member: &[u8]) -> Option<Score> {
        let old = self.data.remove(member);
        self.outcome.changed |= old.is_some();
        old
    }

    /// Removes the first member.
    pub(crate) fn pop_first(&mut self) -> Option<(Value, Score)> {
        self.change().pop_first()
    }

    /// Removes the last member.
    pub(crate) fn pop_last(&mut self) -> Option<(Value, Score)> {
        self.change().pop_last()
    }

    /// Removes the members of these ranks.
    pub(crate) fn remove_ranks(&mut self, ranks: Range<usize>) -> Vec<(Value, Score)> {
        self.outcome.changed |= !ranks.is_empty();
        self.data.remove_range(ranks)
    }
}
