//! The changes that a sorted set goes through under its key.

use std::ops::Range;

use super::Edit;
use super::effect::Effect;
use crate::data::sorted_set::{Score, SortedSet};
use crate::value::Value;

impl Edit<'_, SortedSet> {
    /// Sets a member to a score; answers the score it had.
    #[inline]
    pub(crate) fn insert(&mut self, member: &[u8], score: Score) -> Option<Score> {
        let score = score.unsigned_zero();
        let old = self.data.insert(member, score);
        self.note_score(member, old, score);
        old
    }

    /// As [`insert`](Self::insert), sharing the bytes of a member that is new.
    pub(crate) fn insert_value(&mut self, member: &Value, score: Score) -> Option<Score> {
        let score = score.unsigned_zero();
        let old = self.data.insert_value(member, score);
        self.note_score(member, old, score);
        old
    }

    /// Removes a member; answers its score.
    pub(crate) fn remove(&mut self, member: &[u8]) -> Option<Score> {
        let old = self.data.remove(member);
        if old.is_some() {
            self.outcome.changed = true;
            self.record(|| Effect::RemoveScored { member });
        }
        old
    }

    /// Removes the first member.
    pub(crate) fn pop_first(&mut self) -> Option<(Value, Score)> {
        let popped = self.change().pop_first();
        self.note_popped(popped)
    }

    /// Removes the last member.
    pub(crate) fn pop_last(&mut self) -> Option<(Value, Score)> {
        let popped = self.change().pop_last();
        self.note_popped(popped)
    }

    /// Removes the members of these ranks.
    pub(crate) fn remove_ranks(&mut self, ranks: Range<usize>) -> Vec<(Value, Score)> {
        if !ranks.is_empty() {
            self.outcome.changed = true;
            let Range { start, end } = ranks;
            self.record(|| Effect::RemoveRanks { start, end });
        }
        self.data.remove_range(ranks)
    }

    #[inline]
    fn note_score(&mut self, member: &[u8], old: Option<Score>, score: Score) {
        if old != Some(score) {
            self.outcome.changed = true;
            self.record(|| Effect::SetScore { member, score });
        }
    }

    fn note_popped(&mut self, popped: Option<(Value, Score)>) -> Option<(Value, Score)> {
        if let Some((member, _)) = &popped {
            self.record(|| Effect::RemoveScored { member });
        }
        popped
    }
}
