//! Random members, and walks over all of them.

use std::collections::HashSet;

use super::Members;
use crate::data::glob::Glob;
use crate::data::sorted_set::{Score, SortedSet};
use crate::error::Result;
use crate::keyspace::View;
use crate::keyspace::access::Read;
use crate::ops::Operation;
use crate::random::Random;
use crate::value::Value;

/// The most members that a sample with repetitions has, whatever is asked for: the set says
/// nothing about how long it may be, and an answer is made in memory.
pub(crate) const MAX_REPEATED: u64 = 1 << 20;

/// How many random members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// At most so many distinct ones; if negative, as many as its absolute value says, the same
    /// ones perhaps several times.
    pub(crate) count: i64,
    pub(crate) with_scores: bool,
}

/// Reads random members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RandomMembers<'a> {
    pub(crate) key: &'a [u8],
    /// One, unless given.
    pub(crate) sample: Option<Sample>,
}

/// One random member, or as many as were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sampled {
    One(Option<Value>),
    Many(Members),
}

impl Operation for RandomMembers<'_> {
    type Output = Sampled;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let set = view.get::<SortedSet>()?.filter(|set| !set.is_empty());
        let mut random = Random::new();
        let Some(Sample { count, with_scores }) = self.sample else {
            let member = set.map(|set| entry(set, random.below(set.len())).0.clone());
            return Ok(Sampled::One(member));
        };
        let Some(set) = set else { return Ok(Sampled::Many(Members::none(with_scores))) };
        let wanted = count.unsigned_abs();
        let members = if count < 0 {
            let ranks = (0..wanted.min(MAX_REPEATED)).map(|_| random.below(set.len()));
            Members::new(ranks.map(|rank| shared(entry(set, rank))), with_scores)
        } else if wanted >= set.len() as u64 {
            Members::new(set.entries(0..set.len()).map(shared), with_scores)
        } else {
            let ranks = distinct_ranks(&mut random, set.len(), wanted as usize);
            Members::new(ranks.into_iter().map(|rank| shared(entry(set, rank))), with_scores)
        };
        Ok(Sampled::Many(members))
    }
}

fn entry(set: &SortedSet, rank: usize) -> (&Value, Score) {
    set.entries(rank..rank + 1).next().expect("a rank below the length")
}

fn shared((member, score): (&Value, Score)) -> (Value, Score) {
    (member.clone(), score)
}

/// `count` of the ranks below `length`, every set of them as likely as any other (Floyd).
fn distinct_ranks(random: &mut Random, length: usize, count: usize) -> Vec<usize> {
    let mut chosen = HashSet::with_capacity_and_hasher(count, ahash::RandomState::new());
    let mut ranks = Vec::with_capacity(count);
    for last in length - count..length {
        let rank = random.below(last + 1);
        let rank = if chosen.insert(rank) { rank } else { last };
        chosen.insert(rank);
        ranks.push(rank);
    }
    ranks
}

/// One step of a walk over all members: see [`SortedSet::scan`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScanMembers<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) cursor: MemberCursor,
    pub(crate) options: MemberScan<'a>,
}

/// Where a walk goes on; zero to begin with, and when it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemberCursor(pub(crate) u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemberScan<'a> {
    /// Only members of this shape are answered.
    pub(crate) pattern: Option<&'a [u8]>,
    /// About how many members a step looks at.
    pub(crate) count: usize,
}

impl Default for MemberScan<'_> {
    fn default() -> Self {
        Self { pattern: None, count: 10 }
    }
}

/// What one step found, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MemberPage {
    pub(crate) cursor: u64,
    pub(crate) members: Vec<(Value, f64)>,
}

impl Operation for ScanMembers<'_> {
    type Output = MemberPage;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let Some(set) = view.get::<SortedSet>()? else {
            return Ok(MemberPage { cursor: 0, members: Vec::new() });
        };
        let (cursor, found) = set.scan(self.cursor.0, self.options.count);
        // A lone star is everything, even the empty member.
        let pattern = self.options.pattern.filter(|pattern| *pattern != b"*").map(Glob::new);
        let passes = |member: &Value| pattern.as_ref().is_none_or(|glob| glob.matches(member));
        let passing = found.into_iter().filter(|(member, _)| passes(member));
        let members = passing.map(|(member, score)| (member, score.get())).collect();
        Ok(MemberPage { cursor, members })
    }
}
