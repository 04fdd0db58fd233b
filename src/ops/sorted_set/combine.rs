//! Unions, intersections and differences of several sorted sets.
//!
//! An [`Input`] is all that a combination knows of a key: members, each with a score. A set may
//! stand for a sorted set of members that all have the score 1.

use std::borrow::Cow;
use std::collections::HashMap;

use ahash::RandomState;

use super::range::store;
use super::{Members, Query};
use crate::data::set::{Member, Set};
use crate::data::sorted_set::{Score, SortedSet};
use crate::error::Result;
use crate::keyspace::access::{Extent, ReadMany, Views, WriteMany, Writers};
use crate::keyspace::{EventKind, Kind, View};
use crate::ops::Operation;
use crate::value::Value;

/// How the scores of a member that is in several sets become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// They are added.
    #[default]
    Sum,
    /// The lowest is taken.
    Min,
    /// The highest is taken.
    Max,
}

impl Aggregate {
    /// Redis's arithmetic: opposite infinities add up to zero.
    fn apply(self, score: f64, other: f64) -> f64 {
        match self {
            Self::Sum => number_or_zero(score + other),
            Self::Min if other < score => other,
            Self::Max if other > score => other,
            Self::Min | Self::Max => score,
        }
    }
}

fn number_or_zero(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value }
}

/// Keys to combine, by what their scores are multiplied, and how they are put together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Weighted<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
    /// One for each key, or none: all one.
    pub(crate) weights: Cow<'a, [f64]>,
    pub(crate) aggregate: Aggregate,
}

/// Keys of which all but the first are subtracted, or whose scores do not matter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counted<'a>(pub(crate) Cow<'a, [&'a [u8]]>);

/// What is to be combined, and how.
trait Combination {
    fn keys(&self) -> &[&[u8]];
    fn weight(&self, index: usize) -> f64;

    /// The inputs, in the order of the keys.
    fn inputs<'s>(
        &self,
        mut view: impl FnMut(&[u8]) -> Result<View<'s>>,
    ) -> Result<Vec<Input<'s>>> {
        let input = |(index, key): (usize, &&[u8])| Input::new(view(key)?, self.weight(index));
        self.keys().iter().enumerate().map(input).collect()
    }
}

impl Combination for Weighted<'_> {
    fn keys(&self) -> &[&[u8]] {
        &self.keys
    }

    fn weight(&self, index: usize) -> f64 {
        self.weights.get(index).copied().unwrap_or(1.0)
    }
}

impl Combination for Counted<'_> {
    fn keys(&self) -> &[&[u8]] {
        &self.0
    }

    fn weight(&self, _: usize) -> f64 {
        1.0
    }
}

/// The members of one key, with their scores.
#[derive(Clone, Copy)]
struct Input<'s> {
    source: Source<'s>,
    weight: f64,
}

#[derive(Clone, Copy)]
enum Source<'s> {
    Nothing,
    Scored(&'s SortedSet),
    Plain(&'s Set),
}

/// The score of a member of a set without scores.
const PLAIN_SCORE: f64 = 1.0;

impl<'s> Input<'s> {
    fn new(view: View<'s>, weight: f64) -> Result<Self> {
        let source = match view.kind() {
            Some(Kind::Set) => view.get()?.map(Source::Plain),
            _ => view.get()?.map(Source::Scored),
        };
        Ok(Self { source: source.unwrap_or(Source::Nothing), weight })
    }

    fn len(&self) -> usize {
        match self.source {
            Source::Nothing => 0,
            Source::Scored(set) => set.len(),
            Source::Plain(set) => set.len(),
        }
    }

    /// All members with their weighted scores.
    fn entries(self) -> impl Iterator<Item = (Member<'s>, f64)> {
        let (scored, plain) = match self.source {
            Source::Nothing => (None, None),
            Source::Scored(set) => (Some(set), None),
            Source::Plain(set) => (None, Some(set)),
        };
        let scored = scored.into_iter().flat_map(|set| set.entries(0..set.len()));
        let scored = scored.map(|(member, score)| (Member::Shared(member), score.get()));
        let plain = plain.into_iter().flat_map(Set::iter).map(|member| (member, PLAIN_SCORE));
        let weighted = move |(member, score)| (member, number_or_zero(score * self.weight));
        scored.chain(plain).map(weighted)
    }

    /// The weighted score of a member; it may be NaN.
    fn score(&self, member: &[u8]) -> Option<f64> {
        let score = match self.source {
            Source::Nothing => None,
            Source::Scored(set) => set.score(member).map(Score::get),
            Source::Plain(set) => set.contains(member).then_some(PLAIN_SCORE),
        };
        score.map(|score| score * self.weight)
    }
}

type Combined = Vec<(Value, Score)>;

/// Combines the smallest first: then few members are looked at, and rounding is as in Redis.
fn smallest_first(mut inputs: Vec<Input<'_>>) -> Vec<Input<'_>> {
    inputs.sort_by_key(Input::len);
    inputs
}

fn union(of: &Weighted<'_>, inputs: Vec<Input<'_>>) -> Combined {
    let mut scores: HashMap<Member<'_>, f64, RandomState> = HashMap::default();
    for input in smallest_first(inputs) {
        for (member, score) in input.entries() {
            let sum = |sum: &mut f64| *sum = of.aggregate.apply(*sum, score);
            scores.entry(member).and_modify(sum).or_insert(score);
        }
    }
    let scores = scores.into_iter();
    scores.map(|(member, score)| (member.to_value(), score_of(score))).collect()
}

fn intersection(of: &Weighted<'_>, inputs: Vec<Input<'_>>) -> Combined {
    let inputs = smallest_first(inputs);
    let Some((smallest, others)) = inputs.split_first() else { return Vec::new() };
    let in_all = |(member, score): (Member<'_>, f64)| {
        let mut others = others.iter();
        let sum = others
            .try_fold(score, |sum, other| Some(of.aggregate.apply(sum, other.score(&member)?)))?;
        Some((member.to_value(), score_of(sum)))
    };
    smallest.entries().filter_map(in_all).collect()
}

fn difference(inputs: Vec<Input<'_>>) -> Combined {
    let Some((first, others)) = inputs.split_first() else { return Vec::new() };
    let in_none = |member: &Member<'_>| others.iter().all(|other| other.score(member).is_none());
    let entries = first.entries().filter(|(member, _)| in_none(member));
    entries.map(|(member, score)| (member.to_value(), score_of(score))).collect()
}

fn score_of(value: f64) -> Score {
    Score::new(value).expect("no combination makes NaN")
}

fn in_order(mut members: Combined, with_scores: bool) -> Members {
    members.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    Members::new(members.into_iter(), with_scores)
}

/// Reads the members that are in any of several sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Union<'a> {
    pub(crate) query: Query<Weighted<'a>>,
}

/// Reads the members that are in all of several sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Intersection<'a> {
    pub(crate) query: Query<Weighted<'a>>,
}

/// Reads the members of the first of several sets that are in none of the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference<'a> {
    pub(crate) query: Query<Counted<'a>>,
}

/// Makes a set of the members that are in any of several sets; answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreUnion<'a> {
    pub(crate) destination: &'a [u8],
    pub(crate) of: Weighted<'a>,
}

/// Makes a set of the members that are in all of several sets; answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreIntersection<'a> {
    pub(crate) destination: &'a [u8],
    pub(crate) of: Weighted<'a>,
}

/// Makes a set of the members of the first of several sets that are in none of the others;
/// answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreDifference<'a> {
    pub(crate) destination: &'a [u8],
    pub(crate) of: Counted<'a>,
}

macro_rules! combining {
    ($read:ident, $store:ident, $event:ident, |$of:ident, $inputs:ident| $combine:expr) => {
        impl Operation for $read<'_> {
            type Output = Members;
            type Access = ReadMany;

            fn target(&self) -> Extent<'_> {
                Extent::keys(self.query.of.keys().iter().copied())
            }

            fn run(&self, views: Views<'_>) -> Result<Self::Output> {
                let Query { of: $of, with_scores } = &self.query;
                let $inputs = $of.inputs(|key| views.look_up(key))?;
                Ok(in_order($combine, *with_scores))
            }
        }

        impl Operation for $store<'_> {
            type Output = usize;
            type Access = WriteMany;

            fn target(&self) -> Extent<'_> {
                let keys = self.of.keys().iter().copied();
                Extent::keys(std::iter::once(self.destination).chain(keys))
            }

            fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
                let $of = &self.of;
                let $inputs = $of.inputs(|key| writers.look_up(key))?;
                let members = $combine;
                store(writers, self.destination, members, EventKind::$event)
            }
        }
    };
}

combining!(Union, StoreUnion, UnionStored, |of, inputs| union(of, inputs));
combining!(Intersection, StoreIntersection, IntersectionStored, |of, inputs| {
    intersection(of, inputs)
});
combining!(Difference, StoreDifference, DifferenceStored, |of, inputs| difference(inputs));

/// Counts the members that are in all of several sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CountIntersection<'a> {
    pub(crate) keys: Counted<'a>,
    pub(crate) limit: CountLimit,
}

/// Where counting may stop; zero for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountLimit(pub(crate) usize);

impl Operation for CountIntersection<'_> {
    type Output = usize;
    type Access = ReadMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys(self.keys.0.iter().copied())
    }

    fn run(&self, views: Views<'_>) -> Result<Self::Output> {
        let inputs = smallest_first(self.keys.inputs(|key| views.look_up(key))?);
        let Some((smallest, others)) = inputs.split_first() else { return Ok(0) };
        let in_all = |member: &Member<'_>| others.iter().all(|other| other.score(member).is_some());
        let counted = smallest.entries().filter(|(member, _)| in_all(member));
        let limit = if self.limit.0 == 0 { usize::MAX } else { self.limit.0 };
        Ok(counted.take(limit).count())
    }
}
