//! Random members, and walks over all of them.

use super::Set;
use crate::data::glob::Glob;
use crate::error::Result;
use crate::keyspace::access::{Read, Write};
use crate::keyspace::{Edit, EventKind, View, Writer};
use crate::ops::Operation;
use crate::ops::sorted_set::{MAX_REPEATED, MemberScan, PopCount};
use crate::random::Random;
use crate::value::Value;

/// One random member, or as many as were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sampled {
    One(Option<Value>),
    Many(Vec<Value>),
}

impl Sampled {
    /// The member, one having been asked for.
    pub(crate) fn one(self) -> Option<Value> {
        match self {
            Self::One(member) => member,
            Self::Many(_) => unreachable!("one member was asked for"),
        }
    }

    /// The members, several having been asked for.
    pub(crate) fn many(self) -> Vec<Value> {
        match self {
            Self::Many(members) => members,
            Self::One(_) => unreachable!("several members were asked for"),
        }
    }
}

/// How many random members: one, unless given. If negative, as many as its absolute value says,
/// the same ones perhaps several times, but never more than [`MAX_REPEATED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SampleCount(pub(crate) Option<i64>);

/// Reads random members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RandomMembers<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) count: SampleCount,
}

impl Operation for RandomMembers<'_> {
    type Output = Sampled;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let set = view.get::<Set>()?;
        let mut random = Random::new();
        let Some(count) = self.count.0 else {
            let member = set.and_then(|set| set.random(&mut random));
            return Ok(Sampled::One(member.map(|member| member.to_value())));
        };
        let wanted = count.unsigned_abs();
        let members = set.map_or_else(Vec::new, |set| match count < 0 {
            true => set.sample_repeating(wanted.min(MAX_REPEATED) as usize, &mut random),
            false => set.sample(usize::try_from(wanted).unwrap_or(usize::MAX), &mut random),
        });
        Ok(Sampled::Many(members.into_iter().map(|member| member.to_value()).collect()))
    }
}

/// Takes random members out: one, unless a count is given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pop<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) count: PopCount,
}

impl Operation for Pop<'_> {
    type Output = Sampled;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let wanted = self.count.0.unwrap_or(1);
        let popped = writer.edit(|set: &mut Edit<'_, Set>| {
            let members = set.sample(wanted, &mut Random::new());
            let members: Vec<Value> = members.into_iter().map(|member| member.to_value()).collect();
            for member in &members {
                set.remove(member);
            }
            if !members.is_empty() {
                set.notify(EventKind::SetMembersPopped);
            }
            Ok(members)
        })?;
        let mut popped = popped.unwrap_or_default();
        Ok(match self.count.0 {
            None => Sampled::One(popped.pop()),
            Some(_) => Sampled::Many(popped),
        })
    }
}

/// One step of a walk over all members: see [`Set::scan`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScanMembers<'a> {
    pub(crate) key: &'a [u8],
    /// Where the walk goes on; zero to begin with, and when it has ended.
    pub(crate) cursor: u64,
    pub(crate) options: MemberScan<'a>,
}

/// What one step found, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MemberPage {
    pub(crate) cursor: u64,
    pub(crate) members: Vec<Value>,
}

impl Operation for ScanMembers<'_> {
    type Output = MemberPage;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        // A lone star is everything, even the empty member.
        let pattern = self.options.pattern.map(Glob::new).filter(|glob| !glob.is_star());
        let mut members = Vec::new();
        let cursor = view.get::<Set>()?.map_or(0, |set| {
            set.scan(self.cursor, self.options.count, |member| {
                if pattern.as_ref().is_none_or(|glob| glob.matches(&member)) {
                    members.push(member.to_value());
                }
            })
        });
        Ok(MemberPage { cursor, members })
    }
}
