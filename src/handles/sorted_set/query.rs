//! Ranges of a sorted set, refined step by step and then read or stored.

use std::ops::{Bound, RangeBounds};

use super::{SortedSet, score_of};
use crate::error::Result;
use crate::handles::Submit;
use crate::ops::sorted_set::*;
use crate::value::{ToValue, Value};

/// What a query by score or member asks for.
pub(super) enum Bounds {
    Scores(ScoreRange),
    Members(MemberBounds),
}

/// A range of members that owns its bounds.
pub(super) struct MemberBounds {
    min: Bound<Vec<u8>>,
    max: Bound<Vec<u8>>,
}

impl MemberBounds {
    pub(super) fn new<M: ToValue>(members: &impl RangeBounds<M>) -> Result<Self> {
        let owned = |bound: Bound<&M>| -> Result<_> {
            Ok(match bound {
                Bound::Unbounded => Bound::Unbounded,
                Bound::Included(member) => Bound::Included(member.to_value()?.into_owned()),
                Bound::Excluded(member) => Bound::Excluded(member.to_value()?.into_owned()),
            })
        };
        Ok(Self { min: owned(members.start_bound())?, max: owned(members.end_bound())? })
    }

    pub(super) fn range(&self) -> MemberRange<'_> {
        MemberRange {
            min: member_bound(&self.min, MemberBound::Lowest),
            max: member_bound(&self.max, MemberBound::Highest),
        }
    }
}

fn member_bound<'a>(bound: &'a Bound<Vec<u8>>, unbounded: MemberBound<'a>) -> MemberBound<'a> {
    match bound {
        Bound::Unbounded => unbounded,
        Bound::Included(member) => MemberBound::Included(member),
        Bound::Excluded(member) => MemberBound::Excluded(member),
    }
}

pub(super) fn score_range(scores: &impl RangeBounds<f64>) -> Result<ScoreRange> {
    let bound = |bound: Bound<&f64>, unbounded: f64| -> Result<_> {
        Ok(match bound {
            Bound::Unbounded => ScoreBound::Included(score_of(unbounded)?),
            Bound::Included(score) => ScoreBound::Included(score_of(*score)?),
            Bound::Excluded(score) => ScoreBound::Excluded(score_of(*score)?),
        })
    };
    Ok(ScoreRange {
        min: bound(scores.start_bound(), f64::NEG_INFINITY)?,
        max: bound(scores.end_bound(), f64::INFINITY)?,
    })
}

/// The same range with both ends included. A step past 0 would change from one way of counting
/// to the other, so such a range, which is empty, is written as another that is.
#[inline]
pub(in crate::handles) fn rank_range(ranks: &impl RangeBounds<i64>) -> RankRange {
    const EMPTY: RankRange = RankRange { start: 1, stop: 0 };
    let start = match ranks.start_bound().cloned() {
        Bound::Unbounded => 0,
        Bound::Included(start) => start,
        Bound::Excluded(-1 | i64::MAX) => return EMPTY,
        Bound::Excluded(start) => start + 1,
    };
    let stop = match ranks.end_bound().cloned() {
        Bound::Unbounded => -1,
        Bound::Included(stop) => stop,
        Bound::Excluded(0 | i64::MIN) => return EMPTY,
        Bound::Excluded(stop) => stop - 1,
    };
    RankRange { start, stop }
}

/// Members of a range of ranks: made by [`SortedSet::range`].
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
#[must_use = "a query does nothing until it is read or stored"]
pub struct RankQuery<'t, T> {
    set: SortedSet<'t, T>,
    range: RankRange,
    reversed: bool,
}

impl<'t, T: Submit> RankQuery<'t, T> {
    pub(super) fn new(set: SortedSet<'t, T>, range: RankRange) -> Self {
        Self { set, range, reversed: false }
    }

    /// From the highest to the lowest; rank 0 is the highest score then.
    pub fn reversed(self) -> Self {
        Self { reversed: true, ..self }
    }

    /// The members with their scores.
    ///
    /// `O(log n + m)` for `m` members read. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else than a
    /// sorted set.
    pub fn get(self) -> T::Answer<Vec<(Value, f64)>> {
        read_scored(self.set, self.selection())
    }

    /// The members alone, as [`get`](Self::get).
    pub fn members(self) -> T::Answer<Vec<Value>> {
        read_plain(self.set, self.selection())
    }

    /// Makes a set of the members under another key, whatever it held, atomically; answers how
    /// many they are. Without any, that key is gone.
    ///
    /// `O(log n + m log m)` for `m` members. Does not block. Errors are those of
    /// [`get`](Self::get).
    #[doc(alias = "ZRANGESTORE")]
    pub fn store_into(self, destination: impl AsRef<[u8]>) -> T::Answer<usize> {
        store(self.set, destination.as_ref(), self.selection())
    }

    fn selection(&self) -> Selection<'static> {
        Selection { span: Span::Ranks(self.range), reversed: self.reversed, limit: None }
    }
}

/// Members within a range of scores or of members: made by [`SortedSet::range_by_score`] and
/// [`SortedSet::range_by_member`].
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
#[must_use = "a query does nothing until it is read or stored"]
pub struct RangeQuery<'t, T> {
    set: SortedSet<'t, T>,
    bounds: Result<Bounds>,
    reversed: bool,
    offset: usize,
    limit: Option<usize>,
}

impl<'t, T: Submit> RangeQuery<'t, T> {
    pub(super) fn new(set: SortedSet<'t, T>, bounds: Result<Bounds>) -> Self {
        Self { set, bounds, reversed: false, offset: 0, limit: None }
    }

    /// From the highest to the lowest.
    pub fn reversed(self) -> Self {
        Self { reversed: true, ..self }
    }

    /// Passes over so many members of the range first.
    pub fn offset(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// At most so many members.
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The members with their scores.
    ///
    /// `O(log n + m)` for `m` members read, however many the range and the offset have. Does not
    /// block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds something else than a
    /// sorted set, [`Error::ScoreNotANumber`](crate::Error::ScoreNotANumber) if a bound is NaN.
    pub fn get(self) -> T::Answer<Vec<(Value, f64)>> {
        match &self.bounds {
            Ok(bounds) => read_scored(self.set, self.selection(bounds)),
            Err(error) => self.set.target.refuse(error.clone()),
        }
    }

    /// The members alone, as [`get`](Self::get).
    pub fn members(self) -> T::Answer<Vec<Value>> {
        match &self.bounds {
            Ok(bounds) => read_plain(self.set, self.selection(bounds)),
            Err(error) => self.set.target.refuse(error.clone()),
        }
    }

    /// Makes a set of the members under another key, whatever it held, atomically; answers how
    /// many they are. Without any, that key is gone.
    ///
    /// `O(log n + m log m)` for `m` members. Does not block. Errors are those of
    /// [`get`](Self::get).
    #[doc(alias = "ZRANGESTORE")]
    pub fn store_into(self, destination: impl AsRef<[u8]>) -> T::Answer<usize> {
        match &self.bounds {
            Ok(bounds) => store(self.set, destination.as_ref(), self.selection(bounds)),
            Err(error) => self.set.target.refuse(error.clone()),
        }
    }

    fn selection<'b>(&self, bounds: &'b Bounds) -> Selection<'b> {
        let span = match bounds {
            Bounds::Scores(range) => Span::Scores(*range),
            Bounds::Members(bounds) => Span::Members(bounds.range()),
        };
        let limit = (self.offset > 0 || self.limit.is_some()).then(|| Limit {
            offset: i64::try_from(self.offset).unwrap_or(i64::MAX),
            count: self.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX)),
        });
        Selection { span, reversed: self.reversed, limit }
    }
}

fn read_scored<T: Submit>(
    set: SortedSet<'_, T>,
    of: Selection<'_>,
) -> T::Answer<Vec<(Value, f64)>> {
    let query = Query { of, with_scores: true };
    set.target.submit(&GetRange { key: set.key, query }, |members| Ok(members.scored()))
}

fn read_plain<T: Submit>(set: SortedSet<'_, T>, of: Selection<'_>) -> T::Answer<Vec<Value>> {
    let query = Query { of, with_scores: false };
    set.target.submit(&GetRange { key: set.key, query }, |members| Ok(members.plain()))
}

fn store<T: Submit>(
    set: SortedSet<'_, T>,
    destination: &[u8],
    selection: Selection<'_>,
) -> T::Answer<usize> {
    set.target.submit(&StoreRange { destination, source: set.key, selection }, Ok)
}
