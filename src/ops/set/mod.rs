//! Sets: distinct members.
//!
//! - here: what is asked about members, and adding, removing and moving them;
//! - [`sample`]: random members, which may be taken out, and scans;
//! - [`combine`]: unions, intersections and differences.

mod combine;
mod sample;

use std::borrow::Cow;

pub(crate) use combine::*;
pub(crate) use sample::*;

use super::Operation;

use crate::data::set::Set;
use crate::error::Result;
use crate::keyspace::access::{Access, Extent, Read, Write, WriteMany, Writers};
use crate::keyspace::{Edit, EventKind, Space, View, Writer};
use crate::value::{Value, check_len};

/// Members, each once, in no order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Members(pub(crate) Vec<Value>);

/// Adds members; answers how many are new.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Add<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) members: Cow<'a, [&'a [u8]]>,
}

impl Operation for Add<'_> {
    type Output = usize;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        self.members.iter().try_for_each(|member| check_len(member.len()))?;
        writer.edit_or_create(|set: &mut Edit<'_, Set>| {
            let added = self.members.iter().filter(|member| set.insert(member)).count();
            if added > 0 {
                set.notify(EventKind::SetMembersAdded);
            }
            Ok(added)
        })
    }
}

/// Removes members; answers how many there were.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Remove<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) members: Cow<'a, [&'a [u8]]>,
}

impl Operation for Remove<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let removed = writer.edit(|set: &mut Edit<'_, Set>| {
            let removed = self.members.iter().filter(|member| set.remove(member)).count();
            if removed > 0 {
                set.notify(EventKind::SetMembersRemoved);
            }
            Ok(removed)
        })?;
        Ok(removed.unwrap_or(0))
    }
}

/// Moves a member from one set to another; answers whether it was in the first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Move<'a> {
    pub(crate) source: &'a [u8],
    pub(crate) destination: &'a [u8],
    pub(crate) member: &'a [u8],
}

impl Operation for Move<'_> {
    type Output = bool;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys([self.source, self.destination])
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        let Some(source) = writers.view(self.source)?.get::<Set>()? else { return Ok(false) };
        let is_member = source.contains(self.member);
        writers.view(self.destination)?.get::<Set>()?;
        if !is_member || self.source == self.destination {
            return Ok(is_member);
        }
        writers.writer(self.source)?.edit(|set: &mut Edit<'_, Set>| {
            set.remove(self.member);
            set.notify(EventKind::SetMembersRemoved);
            Ok(())
        })?;
        writers.writer(self.destination)?.edit_or_create(|set: &mut Edit<'_, Set>| {
            if set.insert(self.member) {
                set.notify(EventKind::SetMembersAdded);
            }
            Ok(true)
        })
    }
}

/// Reads all members.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct All<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for All<'_> {
    type Output = Members;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(members(view.get()?))
    }
}

fn members(set: Option<&Set>) -> Members {
    let members = set.into_iter().flat_map(Set::iter);
    Members(members.map(|member| member.to_value()).collect())
}

/// Shows a small set to `read` under the shared lock of its shard; all members of another are the
/// answer.
pub(crate) fn read_all_with(
    space: Space<'_>,
    key: &[u8],
    read: impl FnOnce(&Set),
) -> Result<Option<Members>> {
    Read::enter(space, key, |view| {
        Ok(match view.get::<Set>()? {
            Some(set) if set.is_small() => {
                read(set);
                None
            }
            set => Some(members(set)),
        })
    })
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
        Ok(view.get::<Set>()?.map_or(0, Set::len))
    }
}

/// Whether a member is in the set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contains<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) member: &'a [u8],
}

impl Operation for Contains<'_> {
    type Output = bool;
    type Access = Read;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(view.get::<Set>()?.is_some_and(|set| set.contains(self.member)))
    }
}

/// Whether each of several members is in the set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ContainsMany<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) members: Cow<'a, [&'a [u8]]>,
}

impl Operation for ContainsMany<'_> {
    type Output = Vec<bool>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let set = view.get::<Set>()?;
        let contains = |member: &&[u8]| set.is_some_and(|set| set.contains(member));
        Ok(self.members.iter().map(contains).collect())
    }
}
