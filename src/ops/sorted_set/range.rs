//! Ranges of members, by rank, by score or by member.

use std::ops::{Bound, Range};

use super::Members;
use crate::data::sorted_set::{Score, SortedSet};
use crate::error::Result;
use crate::keyspace::access::{Extent, Read, WriteMany, Writers};
use crate::keyspace::{EventKind, View};
use crate::ops::Operation;
use crate::value::Value;

/// From one rank to another, both included. Negative ranks count from the end: -1 is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RankRange {
    pub(crate) start: i64,
    pub(crate) stop: i64,
}

impl RankRange {
    pub(crate) fn ranks(self, set: &SortedSet) -> Range<usize> {
        self.within(set.len())
    }

    /// The range in something of this length, whatever of it is there.
    pub(crate) fn within(self, length: usize) -> Range<usize> {
        let length = length as i64;
        let absolute = |rank: i64| if rank < 0 { rank + length } else { rank };
        let start = absolute(self.start).clamp(0, length) as usize;
        let end = absolute(self.stop).saturating_add(1).clamp(0, length) as usize;
        start..end.max(start)
    }
}

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScoreBound {
    Included(Score),
    Excluded(Score),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScoreRange {
    pub(crate) min: ScoreBound,
    pub(crate) max: ScoreBound,
}

impl ScoreRange {
    pub(crate) fn ranks(self, set: &SortedSet) -> Range<usize> {
        set.score_range(self.min.bound(), self.max.bound())
    }
}

impl ScoreBound {
    fn bound(self) -> Bound<Score> {
        match self {
            Self::Included(score) => Bound::Included(score),
            Self::Excluded(score) => Bound::Excluded(score),
        }
    }
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberBound<'a> {
    /// Before every member.
    Lowest,
    /// After every member.
    Highest,
    Included(&'a [u8]),
    Excluded(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberRange<'a> {
    pub(crate) min: MemberBound<'a>,
    pub(crate) max: MemberBound<'a>,
}

impl MemberRange<'_> {
    pub(crate) fn ranks(self, set: &SortedSet) -> Range<usize> {
        let min = match self.min {
            MemberBound::Highest => return 0..0,
            MemberBound::Lowest => Bound::Unbounded,
            MemberBound::Included(member) => Bound::Included(member),
            MemberBound::Excluded(member) => Bound::Excluded(member),
        };
        let max = match self.max {
            MemberBound::Lowest => return 0..0,
            MemberBound::Highest => Bound::Unbounded,
            MemberBound::Included(member) => Bound::Included(member),
            MemberBound::Excluded(member) => Bound::Excluded(member),
        };
        set.member_range(min, max)
    }
}

/// What a range is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Span<'a> {
    Ranks(RankRange),
    Scores(ScoreRange),
    Members(MemberRange<'a>),
}

/// A part of a range by score or member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// How many members to pass over; if negative, all.
    pub(crate) offset: i64,
    /// How many members to answer then; if negative, all.
    pub(crate) count: i64,
}

/// Some members of a set, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Selection<'a> {
    pub(crate) span: Span<'a>,
    /// From the highest to the lowest; then ranks count from the highest too.
    pub(crate) reversed: bool,
    /// Not for a range by rank.
    pub(crate) limit: Option<Limit>,
}

impl Selection<'_> {
    /// The ranks selected, counted from the lowest.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let ranks = match self.span {
            Span::Ranks(range) if self.reversed => {
                let ranks = range.ranks(set);
                return set.len() - ranks.end..set.len() - ranks.start;
            }
            Span::Ranks(range) => return range.ranks(set),
            Span::Scores(range) => range.ranks(set),
            Span::Members(range) => range.ranks(set),
        };
        let Some(Limit { offset, count }) = self.limit else { return ranks };
        let skipped = usize::try_from(offset).unwrap_or(usize::MAX).min(ranks.len());
        let taken = usize::try_from(count).unwrap_or(usize::MAX).min(ranks.len() - skipped);
        if self.reversed {
            let end = ranks.end - skipped;
            end - taken..end
        } else {
            let start = ranks.start + skipped;
            start..start + taken
        }
    }

    fn members(&self, set: &SortedSet, with_scores: bool) -> Members {
        let entries = set.entries(self.ranks(set));
        if self.reversed {
            Members::new(entries.rev().map(shared), with_scores)
        } else {
            Members::new(entries.map(shared), with_scores)
        }
    }
}

fn shared((member, score): (&Value, Score)) -> (Value, Score) {
    (member.clone(), score)
}

/// Something to select, and whether its scores are asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query<S> {
    pub(crate) of: S,
    pub(crate) with_scores: bool,
}

/// Reads a range of members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetRange<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) query: Query<Selection<'a>>,
}

impl Operation for GetRange<'_> {
    type Output = Members;
    type Access = Read;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let Query { of: selection, with_scores } = &self.query;
        let set = view.get()?;
        Ok(set.map_or_else(
            || Members::none(*with_scores),
            |set| selection.members(set, *with_scores),
        ))
    }
}

/// Makes a set of a range of another; answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreRange<'a> {
    pub(crate) destination: &'a [u8],
    pub(crate) source: &'a [u8],
    pub(crate) selection: Selection<'a>,
}

impl Operation for StoreRange<'_> {
    type Output = usize;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys([self.destination, self.source])
    }

    fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
        let set = writers.look_up(self.source)?.get::<SortedSet>()?;
        let selected = set.map(|set| set.entries(self.selection.ranks(set)).map(shared).collect());
        let selected = selected.unwrap_or_default();
        store(writers, self.destination, selected, EventKind::RangeStored)
    }
}

/// Replaces what `destination` holds by a set of these members, which are distinct; none remove
/// it. Answers how many they are.
pub(super) fn store(
    mut writers: Writers<'_>,
    destination: &[u8],
    members: Vec<(Value, Score)>,
    event: EventKind,
) -> Result<usize> {
    let mut writer = writers.writer(destination)?;
    let length = members.len();
    if length > 0 {
        let plain = |(member, score): (Value, Score)| (member, score.unsigned_zero());
        let members = members.into_iter().map(plain).collect();
        let set = SortedSet::from_entries(members).expect("the members are distinct");
        writer.put_data(set);
        writer.notify(event);
    } else if writer.remove() {
        writer.notify(EventKind::Deleted);
    }
    Ok(length)
}
