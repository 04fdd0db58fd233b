//! Sorted sets: members with scores, in the order of (score, member).
//!
//! # Structure
//!
//! Entries are in an order-statistic B+tree ([`tree`]), which answers every question about order
//! and rank. Above [`FLAT_MAX`] members a hash table ([`Table`]) finds a member's score; a smaller
//! set is one leaf of the tree and nothing else, and a member is found by looking at all of them.
//! A member's bytes are stored once and shared by both.
//!
//! # Invariants
//!
//! 1. No member is in the set twice; entries with equal scores are ordered by their bytes.
//! 2. With an index, tree and index hold the same entries; without, there are at most `FLAT_MAX`.
//! 3. `member_bytes` is the sum of the members' heap blocks.
//!
//! # Complexity
//!
//! By member: score O(1), the rest O(log n). By rank, score or member range: O(log n) to find both
//! ends, then one step an entry. Growing never moves more than a few dozen entries at once.
//!
//! # Threading
//!
//! None of its own: the caller's lock guards a set. A clone shares its nodes with the original, so
//! it costs O(n / 1,000) under that lock, and each side copies a node when it first changes it.

mod score;
#[cfg(test)]
mod tests;
mod tree;

use std::hint::black_box;
use std::iter::FusedIterator;
use std::ops::{Bound, Range};

pub use score::Score;

use super::table::{Keyed, Table};
use crate::value::Value;
use tree::Tree;

/// The most members of a set without an index.
const FLAT_MAX: usize = if cfg!(test) { 8 } else { 64 };

/// How many entries ahead an iterator reads: see [`warm`].
const WARM: usize = 16;

/// A sorted set: see the module's notes.
#[derive(Clone, Default)]
pub(crate) struct SortedSet {
    tree: Tree,
    index: Option<Box<Table<Entry>>>,
    member_bytes: usize,
}

#[derive(Clone)]
struct Entry {
    score: Score,
    member: Value,
}

impl SortedSet {
    /// A set of these entries in any order, in O(n) if they are sorted already and O(n log n) if
    /// not; `None` if a member occurs twice.
    pub(crate) fn from_entries(entries: Vec<(Value, Score)>) -> Option<Self> {
        let entries = entries.into_iter().map(|(member, score)| Entry { score, member });
        let mut entries: Vec<_> = entries.collect();
        if !entries.is_sorted_by(|a, b| a.place() < b.place()) {
            entries.sort_unstable_by(|a, b| a.place().cmp(&b.place()));
        }
        let mut index = Table::with_capacity(entries.len());
        let mut member_bytes = 0;
        for entry in &entries {
            let hash = index.hash(&entry.member);
            if index.find(hash, &entry.member).is_some() {
                return None;
            }
            index.insert(hash, entry.clone());
            member_bytes += entry.member.heap_size();
        }
        let index = (entries.len() > FLAT_MAX).then(|| Box::new(index));
        Some(Self { tree: Tree::from_sorted(entries), index, member_bytes })
    }

    pub(crate) fn len(&self) -> usize {
        self.tree.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes the set takes from the heap, in O(1).
    pub(crate) fn bytes(&self) -> usize {
        let index = self.index.as_ref().map_or(0, |index| index.bytes());
        self.tree.bytes() + index + self.member_bytes
    }

    pub(crate) fn score(&self, member: &[u8]) -> Option<Score> {
        let Some(index) = &self.index else {
            let mut entries = self.entries(0..self.len());
            return entries.find(|(other, _)| **other == *member).map(|(_, score)| score);
        };
        index.get(member).map(|entry| entry.score)
    }

    /// The number of members before this one, and its score.
    pub(crate) fn rank(&self, member: &[u8]) -> Option<(usize, Score)> {
        let score = self.score(member)?;
        Some((self.tree.rank(score, |other| *other < *member), score))
    }

    /// Adds a member or changes its score; returns the score it had.
    pub(crate) fn insert(&mut self, member: &[u8], score: Score) -> Option<Score> {
        self.insert_with(member, score, || Value::from(member))
    }

    /// As [`insert`](Self::insert), sharing the bytes of a member that is new.
    pub(crate) fn insert_value(&mut self, member: &Value, score: Score) -> Option<Score> {
        self.insert_with(member, score, || member.clone())
    }

    pub(crate) fn remove(&mut self, member: &[u8]) -> Option<Score> {
        let (rank, score) = self.rank(member)?;
        self.take_run(rank, 1, &mut |_| ());
        Some(score)
    }

    /// Removes the first member.
    pub(crate) fn pop_first(&mut self) -> Option<(Value, Score)> {
        self.pop(0)
    }

    /// Removes the last member.
    pub(crate) fn pop_last(&mut self) -> Option<(Value, Score)> {
        self.pop(self.len().checked_sub(1)?)
    }

    /// Removes the members of these ranks, in O(log n) and O(1) for each. They are returned for
    /// the caller to drop where that stalls nobody.
    pub(crate) fn remove_range(&mut self, ranks: Range<usize>) -> Vec<(Value, Score)> {
        let ranks = self.clamp(ranks);
        let mut removed = Vec::with_capacity(ranks.len());
        while removed.len() < ranks.len() {
            let most = ranks.len() - removed.len();
            self.take_run(ranks.start, most, &mut |entry| {
                removed.push((entry.member, entry.score));
            });
        }
        removed
    }

    /// The members of these ranks, from either end. Ranks past the last member are ignored.
    pub(crate) fn entries(&self, ranks: Range<usize>) -> Entries<'_> {
        Entries { tree: &self.tree, ranks: self.clamp(ranks), front: &[], back: &[] }
    }

    /// The ranks of the members whose scores are between these bounds.
    pub(crate) fn score_range(&self, min: Bound<Score>, max: Bound<Score>) -> Range<usize> {
        let start = match min {
            Bound::Unbounded => 0,
            Bound::Included(min) => self.tree.rank(min, |_| false),
            Bound::Excluded(min) => self.tree.rank(min, |_| true),
        };
        let end = match max {
            Bound::Unbounded => self.len(),
            Bound::Included(max) => self.tree.rank(max, |_| true),
            Bound::Excluded(max) => self.tree.rank(max, |_| false),
        };
        start..end.max(start)
    }

    /// The ranks of the members between these bounds, for a set whose scores are all equal. With
    /// different scores it is some range of ranks: as in Redis, which one is not specified.
    pub(crate) fn member_range(&self, min: Bound<&[u8]>, max: Bound<&[u8]>) -> Range<usize> {
        let start = match min {
            Bound::Unbounded => 0,
            Bound::Included(min) => self.tree.partition_point(|member| *member < *min),
            Bound::Excluded(min) => self.tree.partition_point(|member| *member <= *min),
        };
        let end = match max {
            Bound::Unbounded => self.len(),
            Bound::Included(max) => self.tree.partition_point(|member| *member <= *max),
            Bound::Excluded(max) => self.tree.partition_point(|member| *member < *max),
        };
        start..end.max(start)
    }

    /// One step of a scan: some members, and the cursor of the next step or 0 after the last.
    ///
    /// A scan from cursor 0 to 0 returns every member that was in the set all the while, whatever
    /// changed between the steps, and may return one more than once. A step returns about `count`
    /// members; a small set, all at once. Any cursor is safe.
    pub(crate) fn scan(&self, cursor: u64, count: usize) -> (u64, Vec<(Value, Score)>) {
        let Some(index) = &self.index else {
            let all = self.entries(0..self.len());
            return (0, all.map(|(member, score)| (member.clone(), score)).collect());
        };
        let mut found = Vec::new();
        let next = index.scan(cursor, count, |entry| {
            found.push((entry.member.clone(), entry.score));
        });
        (next, found)
    }

    /// Asserts the module's invariants, and those of tree and index.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check(&self) {
        self.tree.check();
        let mut member_bytes = 0;
        for (member, score) in self.entries(0..self.len()) {
            assert_eq!(self.score(member), Some(score));
            member_bytes += member.heap_size();
        }
        assert_eq!(member_bytes, self.member_bytes);
        match &self.index {
            None => assert!(self.len() <= FLAT_MAX),
            Some(index) => {
                index.check();
                assert_eq!(index.len(), self.len());
            }
        }
    }

    fn insert_with(
        &mut self,
        member: &[u8],
        score: Score,
        value: impl FnOnce() -> Value,
    ) -> Option<Score> {
        let Some(index) = &mut self.index else {
            return self.insert_flat(member, score, value);
        };
        let hash = index.hash(member);
        if let Some(place) = index.find(hash, member) {
            let old = index.at(place).score;
            if old != score {
                index.at_mut(place).score = score;
                self.tree.rescore(old, member, score);
            }
            return Some(old);
        }
        let entry = Entry { score, member: value() };
        self.member_bytes += entry.member.heap_size();
        index.insert(hash, entry.clone());
        self.tree.insert(entry);
        None
    }

    fn insert_flat(
        &mut self,
        member: &[u8],
        score: Score,
        value: impl FnOnce() -> Value,
    ) -> Option<Score> {
        if let Some(old) = self.score(member) {
            if old != score {
                self.tree.rescore(old, member, score);
            }
            return Some(old);
        }
        let entry = Entry { score, member: value() };
        self.member_bytes += entry.member.heap_size();
        self.tree.insert(entry);
        if self.len() > FLAT_MAX {
            let mut index = Table::with_capacity(self.len());
            for (member, score) in self.entries(0..self.len()) {
                index.insert(index.hash(member), Entry { score, member: member.clone() });
            }
            self.index = Some(Box::new(index));
        }
        None
    }

    fn pop(&mut self, rank: usize) -> Option<(Value, Score)> {
        let mut popped = None;
        self.take_run(rank, 1, &mut |entry| popped = Some((entry.member, entry.score)));
        popped
    }

    /// Removes up to `most` neighbours from rank `start` on and hands them to `each`.
    fn take_run(&mut self, start: usize, most: usize, each: &mut impl FnMut(Entry)) {
        let Self { tree, index, member_bytes } = self;
        tree.remove_in_leaf(start, most, &mut |entry| {
            *member_bytes -= entry.member.heap_size();
            if let Some(index) = index {
                let place = index.find(index.hash(&entry.member), &entry.member);
                index.remove(place.expect("index and tree hold the same entries"));
            }
            each(entry);
        });
        if tree.len() <= FLAT_MAX / 4 {
            *index = None;
        }
    }

    fn clamp(&self, ranks: Range<usize>) -> Range<usize> {
        let end = ranks.end.min(self.len());
        ranks.start.min(end)..end
    }
}

impl Entry {
    /// Its place in the order.
    fn place(&self) -> (Score, &[u8]) {
        (self.score, &self.member)
    }
}

impl Keyed for Entry {
    #[inline]
    fn key(&self) -> &[u8] {
        &self.member
    }
}

/// Reads the heads of members that a caller is about to use, all at once. One after the other,
/// each would wait for memory alone, since counting a reference lets nothing overtake it.
#[inline]
fn warm(entries: &[Entry]) {
    black_box(entries.iter().fold(0, |sum, entry| sum ^ entry.member.len()));
}

/// Members and scores in order: see [`SortedSet::entries`].
#[derive(Clone)]
pub(crate) struct Entries<'a> {
    tree: &'a Tree,
    /// The ranks not yet returned.
    ranks: Range<usize>,
    /// What follows in the leaf of the last entry returned from the front.
    front: &'a [Entry],
    /// What precedes in the leaf of the last entry returned from the back.
    back: &'a [Entry],
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a Value, Score);

    fn next(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next()?;
        let enters = self.front.is_empty();
        if enters {
            let (leaf, at) = self.tree.leaf_at(rank);
            self.front = &leaf[at..];
        }
        if enters || self.front.len().is_multiple_of(WARM) {
            let len = self.front.len().min(WARM).min(self.ranks.len() + 1);
            warm(&self.front[..len]);
        }
        let (entry, rest) = self.front.split_first()?;
        self.front = rest;
        Some((&entry.member, entry.score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next_back()?;
        let enters = self.back.is_empty();
        if enters {
            let (leaf, at) = self.tree.leaf_at(rank);
            self.back = &leaf[..=at];
        }
        if enters || self.back.len().is_multiple_of(WARM) {
            let len = self.back.len().min(WARM).min(self.ranks.len() + 1);
            warm(&self.back[self.back.len() - len..]);
        }
        let (entry, rest) = self.back.split_last()?;
        self.back = rest;
        Some((&entry.member, entry.score))
    }
}

impl ExactSizeIterator for Entries<'_> {}

impl FusedIterator for Entries<'_> {}
