//! Unions, intersections and differences of several sets.

use std::borrow::Cow;
use std::collections::HashSet;

use ahash::RandomState;

use super::{Members, Set};
use crate::data::set::Member;
use crate::error::Result;
use crate::keyspace::access::{Extent, ReadMany, Views, WriteMany, Writers};
use crate::keyspace::{EventKind, View};
use crate::ops::Operation;
use crate::ops::sorted_set::CountLimit;

/// The sets under several keys; `None` for one that does not exist.
fn sets<'s>(
    keys: &[&[u8]],
    view: impl Fn(&[u8]) -> Result<View<'s>>,
) -> Result<Vec<Option<&'s Set>>> {
    keys.iter().map(|key| view(key)?.get()).collect()
}

fn union(sets: Vec<Option<&Set>>) -> Vec<Member<'_>> {
    let mut seen = HashSet::with_hasher(RandomState::new());
    let members = sets.into_iter().flatten().flat_map(Set::iter);
    members.filter(|member| seen.insert(*member)).collect()
}

fn intersection(sets: Vec<Option<&Set>>) -> Vec<Member<'_>> {
    common(sets).collect()
}

/// The members of the smallest set that are in all others; none if one does not exist.
fn common(sets: Vec<Option<&Set>>) -> impl Iterator<Item = Member<'_>> {
    let mut sets: Vec<&Set> = sets.into_iter().collect::<Option<_>>().unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    let mut sets = sets.into_iter();
    let smallest = sets.next().into_iter().flat_map(Set::iter);
    smallest.filter(move |member| sets.as_slice().iter().all(|set| set.contains(member)))
}

fn difference(sets: Vec<Option<&Set>>) -> Vec<Member<'_>> {
    let mut sets = sets.into_iter();
    let first = sets.next().flatten().into_iter().flat_map(Set::iter);
    let others: Vec<&Set> = sets.flatten().collect();
    first.filter(|member| others.iter().all(|set| !set.contains(member))).collect()
}

/// Reads the members that are in any of several sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Union<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

/// Reads the members that are in all of several sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Intersection<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

/// Reads the members of the first of several sets that are in none of the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

/// Makes a set of the members that are in any of several sets; answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreUnion<'a> {
    pub(crate) destination: &'a [u8],
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

/// Makes a set of the members that are in all of several sets; answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreIntersection<'a> {
    pub(crate) destination: &'a [u8],
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

/// Makes a set of the members of the first of several sets that are in none of the others;
/// answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoreDifference<'a> {
    pub(crate) destination: &'a [u8],
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

macro_rules! combining {
    ($read:ident, $store:ident, $event:ident, $combine:ident) => {
        impl Operation for $read<'_> {
            type Output = Members;
            type Access = ReadMany;

            fn target(&self) -> Extent<'_> {
                Extent::keys(self.keys.iter().copied())
            }

            fn run(&self, views: Views<'_>) -> Result<Self::Output> {
                let members = $combine(sets(&self.keys, |key| views.look_up(key))?);
                Ok(Members(members.into_iter().map(|member| member.to_value()).collect()))
            }
        }

        impl Operation for $store<'_> {
            type Output = usize;
            type Access = WriteMany;

            fn target(&self) -> Extent<'_> {
                let keys = self.keys.iter().copied();
                Extent::keys(std::iter::once(self.destination).chain(keys))
            }

            fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
                let members = $combine(sets(&self.keys, |key| writers.look_up(key))?);
                let set = members.into_iter().collect();
                store(writers, self.destination, set, EventKind::$event)
            }
        }
    };
}

combining!(Union, StoreUnion, SetUnionStored, union);
combining!(Intersection, StoreIntersection, SetIntersectionStored, intersection);
combining!(Difference, StoreDifference, SetDifferenceStored, difference);

/// Replaces what `destination` holds by a set; an empty one removes it. Answers its length.
fn store(
    mut writers: Writers<'_>,
    destination: &[u8],
    set: Set,
    event: EventKind,
) -> Result<usize> {
    let mut writer = writers.writer(destination)?;
    let length = set.len();
    if length > 0 {
        writer.put_data(set);
        writer.notify(event);
    } else if writer.remove() {
        writer.notify(EventKind::Deleted);
    }
    Ok(length)
}

/// Keys behind their number, of which there is at least one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NumberedKeys<'a>(pub(crate) Cow<'a, [&'a [u8]]>);

/// Counts the members that are in all of several sets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CountIntersection<'a> {
    pub(crate) keys: NumberedKeys<'a>,
    pub(crate) limit: CountLimit,
}

impl Operation for CountIntersection<'_> {
    type Output = usize;
    type Access = ReadMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys(self.keys.0.iter().copied())
    }

    fn run(&self, views: Views<'_>) -> Result<Self::Output> {
        let members = common(sets(&self.keys.0, |key| views.look_up(key))?);
        let limit = if self.limit.0 == 0 { usize::MAX } else { self.limit.0 };
        Ok(members.take(limit).count())
    }
}
