//! Sorted sets: members with scores, kept in order.

mod many;
mod query;

use std::borrow::Cow;
use std::ops::RangeBounds;
use std::time::Duration;

pub use many::{Combination, Difference, SortedSets};
pub(super) use query::rank_range;
pub use query::{RangeQuery, RankQuery};

use super::{Submit, Transaction, accept};
use crate::data::sorted_set::Score;
use crate::error::{Error, Result};
use crate::ops::sorted_set::*;
use crate::store::Store;
use crate::value::{ToValue, Value};
use query::{Bounds, MemberBounds};

/// A sorted set: distinct members, each with a score, in the order of their scores.
///
/// Members with equal scores are ordered by their bytes. A score is any `f64` but NaN. A set
/// that loses its last member is gone from the keyspace.
///
/// Made by [`Store::sorted_set`], and by a batch or transaction. Costs are for a set of `n`
/// members.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use larder::Store;
///
/// let store = Store::new();
/// let board = store.sorted_set("board");
/// board.add("ada", 120.0)?;
/// board.add("grace", 150.0)?;
/// board.increment("ada", 50.0)?;
///
/// assert_eq!(board.rank_descending("ada")?, Some(0));
/// assert_eq!(board.top(1)?, [("ada".into(), 170.0)]);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct SortedSet<'t, T = Store> {
    pub(super) target: &'t T,
    pub(super) key: &'t [u8],
}

impl<T> Clone for SortedSet<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SortedSet<'_, T> {}

impl<'t, T: Submit> SortedSet<'t, T> {
    pub(crate) fn new(target: &'t T, key: &'t [u8]) -> Self {
        Self { target, key }
    }

    /// Adds a member or changes its score; answers whether it is new.
    ///
    /// `O(log n)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::ScoreNotANumber`] for NaN, [`Error::Encode`] if the member cannot be encoded,
    /// [`Error::WrongType`] if the key holds something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// assert!(board.add("ada", 1.0)?);
    /// assert!(!board.add("ada", 2.0)?);
    /// assert_eq!(board.score("ada")?, Some(2.0));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZADD")]
    #[inline]
    pub fn add(&self, member: impl ToValue, score: f64) -> T::Answer<bool> {
        let member = accept!(self, member.to_value());
        let entry = (accept!(self, score_of(score)), &*member);
        self.submit_add(&[entry], AddOptions::default(), |added| added > 0)
    }

    /// Adds a member or changes its score, if `rule` allows; answers whether anything changed.
    ///
    /// Costs and errors are those of [`add`](Self::add).
    ///
    /// ```
    /// use larder::AddRule;
    /// # let store = larder::Store::new();
    /// let best = store.sorted_set("best");
    /// assert!(best.add_with("ada", 10.0, AddRule::IfGreater)?);
    /// assert!(!best.add_with("ada", 7.0, AddRule::IfGreater)?);
    /// assert_eq!(best.score("ada")?, Some(10.0));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZADD")]
    pub fn add_with(&self, member: impl ToValue, score: f64, rule: AddRule) -> T::Answer<bool> {
        let member = accept!(self, member.to_value());
        let entry = (accept!(self, score_of(score)), &*member);
        let options = AddOptions { rule, changed: true, increment: false };
        self.submit_add(&[entry], options, |changed| changed > 0)
    }

    /// Adds several members or changes their scores, atomically; answers how many are new.
    ///
    /// `O(m log n)` for `m` members. Does not block. Errors are those of [`add`](Self::add);
    /// then nothing has changed.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// assert_eq!(board.add_many(&[("ada", 1.0), ("grace", 2.0)])?, 2);
    /// assert!(board.add_many(&[("ada", 5.0), ("grace", f64::NAN)]).is_err());
    /// assert_eq!(board.score("ada")?, Some(1.0));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZADD")]
    pub fn add_many<M: ToValue>(&self, members: &[(M, f64)]) -> T::Answer<usize> {
        self.add_all(members, AddOptions::default())
    }

    /// Adds several members or changes their scores, where `rule` allows, atomically; answers
    /// how many were added or got a new score.
    ///
    /// Costs and errors are those of [`add_many`](Self::add_many).
    #[doc(alias = "ZADD")]
    pub fn add_many_with<M: ToValue>(
        &self,
        members: &[(M, f64)],
        rule: AddRule,
    ) -> T::Answer<usize> {
        self.add_all(members, AddOptions { rule, changed: true, increment: false })
    }

    fn add_all<M: ToValue>(&self, members: &[(M, f64)], options: AddOptions) -> T::Answer<usize> {
        let values: Result<Vec<_>> = members.iter().map(|(member, _)| member.to_value()).collect();
        let scores: Result<Vec<_>> = members.iter().map(|(_, score)| score_of(*score)).collect();
        let (values, scores) = (accept!(self, values), accept!(self, scores));
        let entries: Vec<_> = scores.into_iter().zip(values.iter().map(|value| &**value)).collect();
        self.submit_add(&entries, options, |count| count)
    }

    #[inline]
    fn submit_add<R: Send + 'static>(
        &self,
        entries: &[(Score, &[u8])],
        options: AddOptions,
        convert: impl FnOnce(usize) -> R + Send + 'static,
    ) -> T::Answer<R> {
        let operation = Add { key: self.key, options, entries: Cow::Borrowed(entries) };
        self.target.submit(&operation, |outcome| match outcome {
            AddOutcome::Count(count) => Ok(convert(count)),
            AddOutcome::Score(_) => unreachable!("nothing was incremented"),
        })
    }

    /// Adds `by` to a member's score and answers the sum; a member that is not in the set begins
    /// at zero.
    ///
    /// `O(log n)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::ScoreNotANumber`] if `by` or the sum is NaN, and those of [`add`](Self::add).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// assert_eq!(board.increment("ada", 2.5)?, 2.5);
    /// assert_eq!(board.increment("ada", -1.0)?, 1.5);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZINCRBY")]
    #[inline]
    pub fn increment(&self, member: impl ToValue, by: f64) -> T::Answer<f64> {
        let member = accept!(self, member.to_value());
        let by = accept!(self, score_of(by));
        self.target.submit(&Increment { key: self.key, by, member: &member }, Ok)
    }

    /// Adds `by` to a member's score if `rule` allows, and answers the sum; `None` if it does
    /// not.
    ///
    /// Costs and errors are those of [`increment`](Self::increment).
    #[doc(alias = "ZADD")]
    pub fn increment_with(
        &self,
        member: impl ToValue,
        by: f64,
        rule: AddRule,
    ) -> T::Answer<Option<f64>> {
        let member = accept!(self, member.to_value());
        let entries = [(accept!(self, score_of(by)), &*member)];
        let options = AddOptions { rule, changed: false, increment: true };
        let operation = Add { key: self.key, options, entries: Cow::Borrowed(&entries) };
        self.target.submit(&operation, |outcome| match outcome {
            AddOutcome::Score(score) => Ok(score),
            AddOutcome::Count(_) => unreachable!("the score was incremented"),
        })
    }

    /// The score of a member; `None` if it is not in the set.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a sorted set.
    #[doc(alias = "ZSCORE")]
    #[inline]
    pub fn score(&self, member: impl ToValue) -> T::Answer<Option<f64>> {
        let member = accept!(self, member.to_value());
        self.target.submit(&GetScore { key: self.key, member: &member }, Ok)
    }

    /// The scores of several members, in their order, at one instant.
    ///
    /// `O(m)` for `m` members. Does not block. Errors are those of [`score`](Self::score).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// board.add("ada", 1.0)?;
    /// assert_eq!(board.scores(&["ada", "grace"])?, [Some(1.0), None]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZMSCORE")]
    pub fn scores<M: ToValue>(&self, members: &[M]) -> T::Answer<Vec<Option<f64>>> {
        let values = accept!(self, values_of(members));
        let members = values.iter().map(|value| &**value).collect();
        self.target.submit(&GetScores { key: self.key, members }, Ok)
    }

    /// How many members come before this one; `None` if it is not in the set.
    ///
    /// `O(log n)`. Does not block. Errors are those of [`score`](Self::score).
    #[doc(alias = "ZRANK")]
    #[inline]
    pub fn rank(&self, member: impl ToValue) -> T::Answer<Option<usize>> {
        let member = accept!(self, member.to_value());
        let operation = Rank { key: self.key, member: &member, with_score: WithScore(false) };
        self.target.submit(&operation, |ranked| Ok(ranked.map(|(rank, _)| rank)))
    }

    /// A member's rank and score; `None` if it is not in the set.
    ///
    /// Costs and errors are those of [`rank`](Self::rank).
    #[doc(alias = "ZRANK")]
    pub fn rank_and_score(&self, member: impl ToValue) -> T::Answer<Option<(usize, f64)>> {
        let member = accept!(self, member.to_value());
        let operation = Rank { key: self.key, member: &member, with_score: WithScore(true) };
        self.target.submit(&operation, |ranked| Ok(ranked.map(with_score)))
    }

    /// How many members come after this one: 0 for the highest. `None` if it is not in the set.
    ///
    /// Costs and errors are those of [`rank`](Self::rank).
    #[doc(alias = "ZREVRANK")]
    pub fn rank_descending(&self, member: impl ToValue) -> T::Answer<Option<usize>> {
        let member = accept!(self, member.to_value());
        let with_score = WithScore(false);
        let operation = RankDescending { key: self.key, member: &member, with_score };
        self.target.submit(&operation, |ranked| Ok(ranked.map(|(rank, _)| rank)))
    }

    /// A member's rank from the highest, and its score; `None` if it is not in the set.
    ///
    /// Costs and errors are those of [`rank`](Self::rank).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// board.add_many(&[("ada", 1.0), ("grace", 2.0)])?;
    /// assert_eq!(board.rank_descending_and_score("ada")?, Some((1, 1.0)));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZREVRANK")]
    pub fn rank_descending_and_score(
        &self,
        member: impl ToValue,
    ) -> T::Answer<Option<(usize, f64)>> {
        let member = accept!(self, member.to_value());
        let with_score = WithScore(true);
        let operation = RankDescending { key: self.key, member: &member, with_score };
        self.target.submit(&operation, |ranked| Ok(ranked.map(self::with_score)))
    }

    /// How many members the set has; 0 if the key does not exist.
    ///
    /// `O(1)`. Does not block. Errors are those of [`score`](Self::score).
    #[doc(alias = "ZCARD")]
    pub fn len(&self) -> T::Answer<usize> {
        self.target.submit(&Length { key: self.key }, Ok)
    }

    /// Whether the set has no member, and so does not exist. As [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// assert!(board.is_empty()?);
    /// board.add("ada", 1.0)?;
    /// assert!(!board.is_empty()?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZCARD")]
    pub fn is_empty(&self) -> T::Answer<bool> {
        self.target.submit(&Length { key: self.key }, |length| Ok(length == 0))
    }

    /// How many members have a score within a range.
    ///
    /// `O(log n)`. Does not block. Errors are those of [`score`](Self::score), and
    /// [`Error::ScoreNotANumber`] if a bound is NaN.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// board.add_many(&[("ada", 1.0), ("grace", 2.0), ("edsger", 3.0)])?;
    /// assert_eq!(board.count(2.0..)?, 2);
    /// assert_eq!(board.count(1.0..2.0)?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZCOUNT")]
    pub fn count(&self, scores: impl RangeBounds<f64>) -> T::Answer<usize> {
        let range = accept!(self, query::score_range(&scores));
        self.target.submit(&CountByScore { key: self.key, range }, Ok)
    }

    /// How many members lie within a range of members, in a set whose scores are all equal. If
    /// they are not, the answer is not specified.
    ///
    /// `O(log n)`. Does not block. Errors are those of [`score`](Self::score).
    #[doc(alias = "ZLEXCOUNT")]
    pub fn count_by_member<M: ToValue>(&self, members: impl RangeBounds<M>) -> T::Answer<usize> {
        let bounds = accept!(self, MemberBounds::new(&members));
        self.target.submit(&CountByMember { key: self.key, range: bounds.range() }, Ok)
    }

    /// The `count` members with the highest scores, highest first.
    ///
    /// `O(log n + count)`. Does not block. Errors are those of [`score`](Self::score).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// board.add_many(&[("ada", 1.0), ("grace", 2.0), ("edsger", 3.0)])?;
    /// assert_eq!(board.top(2)?, [("edsger".into(), 3.0), ("grace".into(), 2.0)]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZREVRANGE")]
    #[inline]
    pub fn top(&self, count: usize) -> T::Answer<Vec<(Value, f64)>> {
        self.first_ranks(count, true)
    }

    /// The `count` members with the lowest scores, lowest first.
    ///
    /// Costs and errors are those of [`top`](Self::top).
    #[doc(alias = "ZRANGE")]
    #[inline]
    pub fn bottom(&self, count: usize) -> T::Answer<Vec<(Value, f64)>> {
        self.first_ranks(count, false)
    }

    #[inline]
    fn first_ranks(&self, count: usize, reversed: bool) -> T::Answer<Vec<(Value, f64)>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let span = Span::Ranks(rank_range(&(0..count)));
        let of = Selection { span, reversed, limit: None };
        let query = Query { of, with_scores: true };
        self.target.submit(&GetRange { key: self.key, query }, |members| Ok(members.scored()))
    }

    /// The members of a range of ranks, to be refined and then read, or stored.
    ///
    /// Rank 0 is the lowest score, negative ranks count from the highest: -1 is the last. Ranks
    /// that there are not are passed over.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// board.add_many(&[("ada", 1.0), ("grace", 2.0), ("edsger", 3.0)])?;
    /// assert_eq!(board.range(1..).members()?, ["grace", "edsger"]);
    /// assert_eq!(board.range(-2..).reversed().members()?, ["grace", "ada"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    ///
    /// A rank that is computed must not fall below 0 by mistake, where it would mean another place:
    /// the neighbours of the first member are not between -1 and 1. So:
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// # let board = store.sorted_set("board");
    /// # board.add_many(&[("ada", 1.0), ("grace", 2.0), ("edsger", 3.0)])?;
    /// let rank = board.rank("ada")?.unwrap();
    /// let (first, last) = (rank.saturating_sub(1) as i64, rank as i64 + 1);
    /// assert_eq!(board.range(first..=last).members()?, ["ada", "grace"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZRANGE")]
    #[doc(alias = "ZREVRANGE")]
    pub fn range(&self, ranks: impl RangeBounds<i64>) -> RankQuery<'t, T> {
        RankQuery::new(*self, rank_range(&ranks))
    }

    /// The members with scores within a range, to be refined and then read, or stored.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// board.add_many(&[("ada", 1.0), ("grace", 2.0), ("edsger", 3.0)])?;
    /// let strong = board.range_by_score(1.5..).limit(1).get()?;
    /// assert_eq!(strong, [("grace".into(), 2.0)]);
    /// let weak = board.range_by_score(..3.0).reversed().members()?;
    /// assert_eq!(weak, ["grace", "ada"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZRANGEBYSCORE")]
    #[doc(alias = "ZREVRANGEBYSCORE")]
    pub fn range_by_score(&self, scores: impl RangeBounds<f64>) -> RangeQuery<'t, T> {
        RangeQuery::new(*self, query::score_range(&scores).map(Bounds::Scores))
    }

    /// The members within a range of members, in a set whose scores are all equal, to be refined
    /// and then read, or stored. If the scores are not equal, the answer is not specified.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let names = store.sorted_set("names");
    /// names.add_many(&[("ada", 0.0), ("edsger", 0.0), ("grace", 0.0)])?;
    /// assert_eq!(names.range_by_member("b"..).members()?, ["edsger", "grace"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZRANGEBYLEX")]
    #[doc(alias = "ZREVRANGEBYLEX")]
    pub fn range_by_member<M: ToValue>(&self, members: impl RangeBounds<M>) -> RangeQuery<'t, T> {
        RangeQuery::new(*self, MemberBounds::new(&members).map(Bounds::Members))
    }

    /// Removes a member; answers whether it was in the set.
    ///
    /// `O(log n)`. Does not block. Errors are those of [`score`](Self::score).
    #[doc(alias = "ZREM")]
    pub fn remove(&self, member: impl ToValue) -> T::Answer<bool> {
        let member = accept!(self, member.to_value());
        let operation = Remove { key: self.key, members: Cow::Borrowed(&[&member]) };
        self.target.submit(&operation, |removed| Ok(removed > 0))
    }

    /// Removes several members, atomically; answers how many were in the set.
    ///
    /// `O(m log n)` for `m` members. Does not block. Errors are those of
    /// [`score`](Self::score).
    #[doc(alias = "ZREM")]
    pub fn remove_many<M: ToValue>(&self, members: &[M]) -> T::Answer<usize> {
        let values = accept!(self, values_of(members));
        let members = values.iter().map(|value| &**value).collect();
        self.target.submit(&Remove { key: self.key, members }, Ok)
    }

    /// Removes the members of a range of ranks, as [`range`](Self::range) counts them; answers
    /// how many there were.
    ///
    /// `O(m log n)` for `m` members removed. Does not block. Errors are those of
    /// [`score`](Self::score).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let recent = store.sorted_set("recent");
    /// recent.add_many(&[("a", 1.0), ("b", 2.0), ("c", 3.0)])?;
    /// assert_eq!(recent.remove_by_rank(..-2)?, 1); // keeps the two highest
    /// assert_eq!(recent.range(..).members()?, ["b", "c"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZREMRANGEBYRANK")]
    pub fn remove_by_rank(&self, ranks: impl RangeBounds<i64>) -> T::Answer<usize> {
        let range = rank_range(&ranks);
        self.target.submit(&RemoveByRank { key: self.key, range }, Ok)
    }

    /// Removes the members with scores within a range; answers how many there were.
    ///
    /// `O(m log n)` for `m` members removed. Does not block. Errors are those of
    /// [`count`](Self::count).
    #[doc(alias = "ZREMRANGEBYSCORE")]
    pub fn remove_by_score(&self, scores: impl RangeBounds<f64>) -> T::Answer<usize> {
        let range = accept!(self, query::score_range(&scores));
        self.target.submit(&RemoveByScore { key: self.key, range }, Ok)
    }

    /// Removes the members within a range of members, from a set whose scores are all equal;
    /// answers how many there were. If the scores are not equal, which are removed is not
    /// specified.
    ///
    /// `O(m log n)` for `m` members removed. Does not block. Errors are those of
    /// [`score`](Self::score).
    #[doc(alias = "ZREMRANGEBYLEX")]
    pub fn remove_by_member<M: ToValue>(&self, members: impl RangeBounds<M>) -> T::Answer<usize> {
        let bounds = accept!(self, MemberBounds::new(&members));
        self.target.submit(&RemoveByMember { key: self.key, range: bounds.range() }, Ok)
    }

    /// Takes the member with the lowest score out of the set; `None` if there is none.
    ///
    /// `O(log n)`. Does not block. Errors are those of [`score`](Self::score).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let queue = store.sorted_set("queue");
    /// queue.add_many(&[("later", 2.0), ("sooner", 1.0)])?;
    /// assert_eq!(queue.pop_min()?, Some(("sooner".into(), 1.0)));
    /// assert_eq!(queue.len()?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZPOPMIN")]
    #[inline]
    pub fn pop_min(&self) -> T::Answer<Option<(Value, f64)>> {
        let operation = PopMin { key: self.key, count: PopCount(None) };
        self.target.submit(&operation, |mut popped| Ok(popped.pop()))
    }

    /// Takes the member with the highest score out of the set; `None` if there is none.
    ///
    /// Costs and errors are those of [`pop_min`](Self::pop_min).
    #[doc(alias = "ZPOPMAX")]
    #[inline]
    pub fn pop_max(&self) -> T::Answer<Option<(Value, f64)>> {
        let operation = PopMax { key: self.key, count: PopCount(None) };
        self.target.submit(&operation, |mut popped| Ok(popped.pop()))
    }

    /// Takes up to `count` members with the lowest scores out of the set, lowest first.
    ///
    /// `O(m log n)` for `m` members taken. Does not block. Errors are those of
    /// [`score`](Self::score).
    #[doc(alias = "ZPOPMIN")]
    pub fn pop_min_many(&self, count: usize) -> T::Answer<Vec<(Value, f64)>> {
        self.target.submit(&PopMin { key: self.key, count: pop_count(count) }, Ok)
    }

    /// Takes up to `count` members with the highest scores out of the set, highest first.
    ///
    /// Costs and errors are those of [`pop_min_many`](Self::pop_min_many).
    #[doc(alias = "ZPOPMAX")]
    pub fn pop_max_many(&self, count: usize) -> T::Answer<Vec<(Value, f64)>> {
        self.target.submit(&PopMax { key: self.key, count: pop_count(count) }, Ok)
    }

    /// A member chosen at random; `None` if there is none.
    ///
    /// `O(log n)`. Does not block. Errors are those of [`score`](Self::score).
    #[doc(alias = "ZRANDMEMBER")]
    pub fn random_member(&self) -> T::Answer<Option<Value>> {
        let operation = RandomMembers { key: self.key, sample: None };
        self.target.submit(&operation, |sampled| match sampled {
            Sampled::One(member) => Ok(member),
            Sampled::Many(_) => unreachable!("one member was asked for"),
        })
    }

    /// Up to `count` distinct members chosen at random, with their scores, in no order.
    ///
    /// `O(count log n)`. Does not block. Errors are those of [`score`](Self::score).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let names = store.sorted_set("names");
    /// names.add_many(&[("ada", 1.0), ("grace", 2.0)])?;
    /// assert_eq!(names.random_members(1)?.len(), 1);
    /// assert_eq!(names.random_members(10)?.len(), 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZRANDMEMBER")]
    pub fn random_members(&self, count: usize) -> T::Answer<Vec<(Value, f64)>> {
        self.sample(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// `count` members chosen at random, each from all, with their scores: the same one may be
    /// chosen again. None if the set is empty; never more than 1,048,576.
    ///
    /// `O(count log n)`. Does not block. Errors are those of [`score`](Self::score).
    #[doc(alias = "ZRANDMEMBER")]
    pub fn random_members_repeating(&self, count: usize) -> T::Answer<Vec<(Value, f64)>> {
        self.sample(i64::try_from(count).map_or(-i64::MAX, |count| -count))
    }

    fn sample(&self, count: i64) -> T::Answer<Vec<(Value, f64)>> {
        let count = count.clamp(-i64::MAX / 2, i64::MAX / 2);
        let sample = Some(Sample { count, with_scores: true });
        self.target.submit(&RandomMembers { key: self.key, sample }, |sampled| match sampled {
            Sampled::Many(members) => Ok(members.scored()),
            Sampled::One(_) => unreachable!("several members were asked for"),
        })
    }
}

/// Calls that block or take several steps, which only a store can do.
impl<'t> SortedSet<'t, Store> {
    /// A member and its neighbours from the highest score to the lowest, each with its rank (0 is
    /// the highest) and score: up to `above` members that stand above it, the member itself, and
    /// up to `below` that stand below. Empty if the member is not in the set.
    ///
    /// `O(log n + above + below)`. Atomic: nobody changes the set in between. Blocks while another
    /// thread holds the key's shard.
    ///
    /// # Errors
    ///
    /// Those of [`score`](Self::score).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let board = store.sorted_set("board");
    /// board.add_many(&[("ada", 1.0), ("grace", 2.0), ("edsger", 3.0), ("barbara", 4.0)])?;
    /// let around = board.around("grace", 1, 5)?;
    /// assert_eq!(
    ///     around,
    ///     [(1, "edsger".into(), 3.0), (2, "grace".into(), 2.0), (3, "ada".into(), 1.0)]
    /// );
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZREVRANK")]
    #[doc(alias = "ZREVRANGE")]
    pub fn around(
        &self,
        member: impl ToValue,
        above: usize,
        below: usize,
    ) -> Result<Vec<(usize, Value, f64)>> {
        let member = member.to_value()?;
        let transaction = Transaction::reading(self.target, &[self.key])?;
        let set = transaction.sorted_set(self.key);
        let Some(rank) = set.rank_descending(&*member)? else { return Ok(Vec::new()) };
        let first = rank.saturating_sub(above);
        let last = i64::try_from(rank.saturating_add(below)).unwrap_or(i64::MAX);
        let members = set.range(first as i64..=last).reversed().get()?;
        let ranked = (first..).zip(members);
        Ok(ranked.map(|(rank, (member, score))| (rank, member, score)).collect())
    }

    /// Takes the member with the lowest score out of the set, waiting for one for at most
    /// `timeout` (`None`: as long as it takes). `None` if the time passed.
    ///
    /// Blocks the calling thread. Who has waited longest is served first, before a call that
    /// comes later; a call that gives up loses no member. The time is that of the store's clock.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else at the time of the call.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let store = larder::Store::new();
    /// let queue = store.sorted_set("queue");
    /// std::thread::scope(|scope| {
    ///     let waiting = scope.spawn(|| queue.pop_min_blocking(None));
    ///     queue.add("job", 1.0)?;
    ///     assert_eq!(waiting.join().unwrap()?, Some(("job".into(), 1.0)));
    ///     assert_eq!(queue.pop_min_blocking(Duration::from_millis(5))?, None);
    ///     Ok::<(), larder::Error>(())
    /// })?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BZPOPMIN")]
    pub fn pop_min_blocking(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<(Value, f64)>> {
        let popped = SortedSets::new(self.target).pop_min_blocking(&[self.key], timeout)?;
        Ok(popped.map(|(_, member, score)| (member, score)))
    }

    /// Takes the member with the highest score out of the set, as
    /// [`pop_min_blocking`](Self::pop_min_blocking) does the one with the lowest.
    #[doc(alias = "BZPOPMAX")]
    pub fn pop_max_blocking(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<(Value, f64)>> {
        let popped = SortedSets::new(self.target).pop_max_blocking(&[self.key], timeout)?;
        Ok(popped.map(|(_, member, score)| (member, score)))
    }

    /// All members with their scores, in no order, a few at a time: other calls come in between.
    ///
    /// A member that is in the set all the while is answered for sure, and may be answered more
    /// than once; one that comes or goes meanwhile may be answered or not.
    ///
    /// `O(n)` in all. Does not block. Errors are those of [`score`](Self::score).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let names = store.sorted_set("names");
    /// names.add_many(&[("ada", 1.0), ("grace", 2.0)])?;
    /// let sum: f64 = names.iter().map(|entry| entry.unwrap().1).sum();
    /// assert_eq!(sum, 3.0);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZSCAN")]
    pub fn iter(&self) -> MemberIter<'t> {
        MemberIter { set: *self, pattern: None, cursor: Some(0), page: Vec::new().into_iter() }
    }

    /// All members that match a glob, as [`iter`](Self::iter).
    #[doc(alias = "ZSCAN")]
    pub fn iter_matching(&self, pattern: impl AsRef<[u8]>) -> MemberIter<'t> {
        MemberIter { pattern: Some(pattern.as_ref().into()), ..self.iter() }
    }
}

/// Members with their scores, read a few at a time: made by [`SortedSet::iter`].
pub struct MemberIter<'t> {
    set: SortedSet<'t, Store>,
    pattern: Option<Box<[u8]>>,
    /// Where to go on; `None` at the end.
    cursor: Option<u64>,
    page: std::vec::IntoIter<(Value, f64)>,
}

impl Iterator for MemberIter<'_> {
    type Item = Result<(Value, f64)>;

    fn next(&mut self) -> Option<Self::Item> {
        /// About how many members a step looks at.
        const STEP: usize = 100;
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            let cursor = MemberCursor(self.cursor.take()?);
            let options = MemberScan { pattern: self.pattern.as_deref(), count: STEP };
            let operation = ScanMembers { key: self.set.key, cursor, options };
            match self.set.target.submit(&operation, Ok) {
                Ok(page) => {
                    self.cursor = (page.cursor != 0).then_some(page.cursor);
                    self.page = page.members.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[inline]
fn score_of(score: f64) -> Result<Score> {
    Score::new(score).ok_or(Error::ScoreNotANumber)
}

fn values_of<M: ToValue>(members: &[M]) -> Result<Vec<Cow<'_, [u8]>>> {
    members.iter().map(ToValue::to_value).collect()
}

fn with_score((rank, score): Ranked) -> (usize, f64) {
    (rank, score.expect("the score was asked for"))
}

fn pop_count(count: usize) -> PopCount {
    PopCount(Some(count.min(i64::MAX as usize)))
}
