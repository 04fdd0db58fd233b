//! Taking members from either end.

use std::borrow::Cow;

use crate::data::sorted_set::{Score, SortedSet};
use crate::error::{Error, Result};
use crate::keyspace::access::{Extent, Write, WriteMany, Writers};
use crate::keyspace::{Edit, EventKind, Writer};
use crate::ops::{Await, Blocking, Operation, Timeout, holding};
use crate::value::Value;

/// Where a set is popped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Min,
    Max,
}

/// How many members to take: one, unless given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PopCount(pub(crate) Option<usize>);

/// A member with its score.
pub(crate) type Scored = (Value, f64);

/// Takes the members with the lowest scores.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PopMin<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) count: PopCount,
}

impl Operation for PopMin<'_> {
    type Output = Vec<Scored>;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        pop(&mut writer, End::Min, self.count.0.unwrap_or(1))
    }
}

/// Takes the members with the highest scores.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PopMax<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) count: PopCount,
}

impl Operation for PopMax<'_> {
    type Output = Vec<Scored>;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        pop(&mut writer, End::Max, self.count.0.unwrap_or(1))
    }
}

/// Where to pop from: the first of `keys` that holds a set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PopFrom<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
    pub(crate) end: End,
    pub(crate) count: usize,
}

/// A key, and what was popped from it: members with their scores.
pub type Popped = (Value, Vec<Scored>);

impl PopFrom<'_> {
    fn pop(&self, writers: Writers<'_>) -> Result<Option<Popped>> {
        pop_first(writers, &self.keys, self.end, self.count)
    }
}

/// Takes members from the first of several keys that holds a set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PopMany<'a> {
    pub(crate) from: PopFrom<'a>,
}

impl Operation for PopMany<'_> {
    type Output = Option<Popped>;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys(self.from.keys.iter().copied())
    }

    fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
        self.from.pop(writers)
    }
}

/// As [`PopMany`], waiting until there is something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BlockingPopMany<'a> {
    pub(crate) of: AwaitFrom<'a>,
}

/// Where to pop from, and how long to wait for something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AwaitFrom<'a> {
    pub(crate) timeout: Timeout,
    pub(crate) from: PopFrom<'a>,
}

impl Operation for BlockingPopMany<'_> {
    type Output = Option<Popped>;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys(self.of.from.keys.iter().copied())
    }

    fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
        self.of.from.pop(writers)
    }
}

impl Blocking for BlockingPopMany<'_> {
    type Found = Popped;
    const MINDS_REMOVAL: bool = false;

    fn retry(&self, writers: Writers<'_>) -> Result<Self::Output> {
        let PopFrom { keys, end, count } = &self.of.from;
        let sets = holding::<SortedSet>(&writers, keys)?;
        pop_first(writers, &sets, *end, *count)
    }

    fn give_back(&self, (key, members): Popped, writers: Writers<'_>) -> Result<()> {
        give_back(writers, &key, &members)
    }
}

/// A key, and the one member that was popped from it.
pub(crate) type PoppedOne = (Value, Value, f64);

/// Takes the member with the lowest score from the first of several keys that holds a set,
/// waiting until one does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BlockingPopMin<'a> {
    pub(crate) of: Await<'a>,
}

/// Takes the member with the highest score from the first of several keys that holds a set,
/// waiting until one does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BlockingPopMax<'a> {
    pub(crate) of: Await<'a>,
}

macro_rules! blocking_pop {
    ($operation:ident, $end:expr) => {
        impl Operation for $operation<'_> {
            type Output = Option<PoppedOne>;
            type Access = WriteMany;

            fn target(&self) -> Extent<'_> {
                Extent::keys(self.of.keys.iter().copied())
            }

            fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
                pop_first(writers, &self.of.keys, $end, 1).map(only_member)
            }
        }

        impl Blocking for $operation<'_> {
            type Found = PoppedOne;
            const MINDS_REMOVAL: bool = false;

            fn retry(&self, writers: Writers<'_>) -> Result<Self::Output> {
                let sets = holding::<SortedSet>(&writers, &self.of.keys)?;
                pop_first(writers, &sets, $end, 1).map(only_member)
            }

            fn give_back(&self, found: PoppedOne, writers: Writers<'_>) -> Result<()> {
                let (key, member, score) = found;
                give_back(writers, &key, &[(member, score)])
            }
        }
    };
}

blocking_pop!(BlockingPopMin, End::Min);
blocking_pop!(BlockingPopMax, End::Max);

fn only_member(popped: Option<Popped>) -> Option<PoppedOne> {
    popped.and_then(|(key, mut members)| members.pop().map(|(member, score)| (key, member, score)))
}

fn pop_first(
    mut writers: Writers<'_>,
    keys: &[&[u8]],
    end: End,
    count: usize,
) -> Result<Option<Popped>> {
    for key in keys {
        let mut writer = writers.writer(key)?;
        if writer.view().get::<SortedSet>()?.is_some() {
            let members = pop(&mut writer, end, count)?;
            return Ok(Some((Value::from(*key), members)));
        }
    }
    Ok(None)
}

#[inline]
fn pop(writer: &mut Writer<'_>, end: End, count: usize) -> Result<Vec<Scored>> {
    let popped = writer.edit(|set: &mut Edit<'_, SortedSet>| {
        if count == 0 {
            return Ok(Vec::new());
        }
        let (event, popped) = match end {
            End::Min => (EventKind::MinPopped, pop_lowest(set, count)),
            End::Max => (EventKind::MaxPopped, pop_highest(set, count)),
        };
        set.notify(event);
        Ok(popped)
    })?;
    Ok(popped.unwrap_or_default())
}

fn pop_lowest(set: &mut Edit<'_, SortedSet>, count: usize) -> Vec<Scored> {
    if count == 1 {
        return set.pop_first().into_iter().map(scored).collect();
    }
    let removed = set.remove_ranks(0..count.min(set.len()));
    removed.into_iter().map(scored).collect()
}

fn pop_highest(set: &mut Edit<'_, SortedSet>, count: usize) -> Vec<Scored> {
    if count == 1 {
        return set.pop_last().into_iter().map(scored).collect();
    }
    let length = set.len();
    let removed = set.remove_ranks(length.saturating_sub(count)..length);
    removed.into_iter().rev().map(scored).collect()
}

fn scored((member, score): (Value, Score)) -> Scored {
    (member, score.get())
}

/// Puts members back that nobody will ever see; a score given to one of them since stays.
fn give_back(mut writers: Writers<'_>, key: &[u8], members: &[Scored]) -> Result<()> {
    writers.writer(key)?.edit_or_create(|set: &mut Edit<'_, SortedSet>| {
        for (member, score) in members {
            if set.score(member).is_none() {
                let score = Score::new(*score).ok_or(Error::ScoreNotANumber)?;
                set.insert_value(member, score);
                set.notify(EventKind::ScoresAdded);
            }
        }
        Ok(())
    })
}
