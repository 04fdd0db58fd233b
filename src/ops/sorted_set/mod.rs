//! Sorted sets: members with scores, in the order of (score, member).
//!
//! - here: what is asked about single members, and counts;
//! - [`update`]: adding, incrementing, removing;
//! - [`range`]: ranges by rank, score or member, and what is done with them;
//! - [`pop`]: taking from either end, blocking or not;
//! - [`combine`]: unions, intersections and differences of several sets;
//! - [`sample`]: random members and scans.

mod combine;
mod pop;
mod range;
mod sample;
mod update;

use std::borrow::Cow;

pub use combine::Aggregate;
pub(crate) use combine::*;
pub use pop::Popped;
pub(crate) use pop::*;
pub(crate) use range::*;
pub(crate) use sample::*;
pub use update::AddRule;
pub(crate) use update::*;

use super::Operation;
use crate::data::sorted_set::{Score, SortedSet};
use crate::error::Result;
use crate::keyspace::View;
use crate::keyspace::access::Read;
use crate::value::Value;

/// Members, with their scores if these were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Members {
    Plain(Vec<Value>),
    Scored(Vec<(Value, f64)>),
}

impl Members {
    pub(crate) fn new(entries: impl Iterator<Item = (Value, Score)>, with_scores: bool) -> Self {
        if with_scores {
            Self::Scored(entries.map(|(member, score)| (member, score.get())).collect())
        } else {
            Self::Plain(entries.map(|(member, _)| member).collect())
        }
    }

    pub(crate) fn none(with_scores: bool) -> Self {
        Self::new(std::iter::empty(), with_scores)
    }

    /// The members, which were asked for without scores.
    pub(crate) fn plain(self) -> Vec<Value> {
        match self {
            Self::Plain(members) => members,
            Self::Scored(members) => members.into_iter().map(|(member, _)| member).collect(),
        }
    }

    /// The members and scores, which were asked for.
    pub(crate) fn scored(self) -> Vec<(Value, f64)> {
        match self {
            Self::Scored(members) => members,
            Self::Plain(_) => unreachable!("scores were asked for"),
        }
    }
}

/// Counts the members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Length<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for Length<'_> {
    type Output = usize;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(view.get()?.map_or(0, SortedSet::len))
    }
}

/// Counts the members whose scores are within a range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CountByScore<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) range: ScoreRange,
}

impl Operation for CountByScore<'_> {
    type Output = usize;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(view.get()?.map_or(0, |set| self.range.ranks(set).len()))
    }
}

/// Counts the members within a range, in a set whose scores are all equal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CountByMember<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) range: MemberRange<'a>,
}

impl Operation for CountByMember<'_> {
    type Output = usize;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(view.get()?.map_or(0, |set| self.range.ranks(set).len()))
    }
}

/// Reads a member's score.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetScore<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) member: &'a [u8],
}

impl Operation for GetScore<'_> {
    type Output = Option<f64>;
    type Access = Read;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let set = view.get::<SortedSet>()?;
        Ok(set.and_then(|set| set.score(self.member)).map(Score::get))
    }
}

/// Reads the scores of several members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetScores<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) members: Cow<'a, [&'a [u8]]>,
}

impl Operation for GetScores<'_> {
    type Output = Vec<Option<f64>>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let set = view.get::<SortedSet>()?;
        let score = |member: &&[u8]| set.and_then(|set| set.score(member)).map(Score::get);
        Ok(self.members.iter().map(score).collect())
    }
}

/// Reads how many members come before one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rank<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) member: &'a [u8],
    pub(crate) with_score: WithScore,
}

/// Whether a member's score is asked for beside its rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WithScore(pub(crate) bool);

/// A member's rank, and its score if that was asked for.
pub(crate) type Ranked = (usize, Option<f64>);

impl Operation for Rank<'_> {
    type Output = Option<Ranked>;
    type Access = Read;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let Some(set) = view.get::<SortedSet>()? else { return Ok(None) };
        let ranked = set.rank(self.member);
        Ok(ranked.map(|(rank, score)| (rank, self.with_score.0.then_some(score.get()))))
    }
}

/// Reads how many members come after one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RankDescending<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) member: &'a [u8],
    pub(crate) with_score: WithScore,
}

impl Operation for RankDescending<'_> {
    type Output = Option<Ranked>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let Some(set) = view.get::<SortedSet>()? else { return Ok(None) };
        let ranked = set.rank(self.member);
        let descending = |rank| set.len() - 1 - rank;
        let with_score = self.with_score.0;
        Ok(ranked.map(|(rank, score)| (descending(rank), with_score.then_some(score.get()))))
    }
}
