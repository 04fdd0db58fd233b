//! Lists: elements in the order they were put.
//!
//! - here: pushing, reading, and changes by index or value;
//! - [`pop`]: taking from either end, blocking or not;
//! - [`transfer`]: moving an element from one list to another, blocking or not.

mod pop;
mod position;
mod transfer;

use std::borrow::Cow;

pub use pop::PoppedElements;
pub(crate) use pop::*;
pub(crate) use position::*;
pub(crate) use transfer::*;

use super::Operation;
use super::sorted_set::RankRange;
pub(crate) use crate::data::list::Side;
use crate::data::list::{Element, Elements, List, ListEnd};
use crate::error::{Error, Result};
use crate::keyspace::access::{Access, Read, Write};
use crate::keyspace::{Edit, EventKind, Space, View, Writer};
use crate::value::Value;

/// What is told of a push at an end.
fn pushed(end: ListEnd) -> EventKind {
    match end {
        ListEnd::Front => EventKind::PushedFront,
        ListEnd::Back => EventKind::PushedBack,
    }
}

/// What is told of a pop from an end.
fn popped(end: ListEnd) -> EventKind {
    match end {
        ListEnd::Front => EventKind::PoppedFront,
        ListEnd::Back => EventKind::PoppedBack,
    }
}

/// Declares an operation that adds elements at one end, one after the other.
macro_rules! push {
    ($(#[$doc:meta])* $operation:ident, $end:expr, $create:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $operation<'a> {
            pub(crate) key: &'a [u8],
            pub(crate) elements: Cow<'a, [&'a [u8]]>,
        }

        impl Operation for $operation<'_> {
            /// The length of the list then.
            type Output = usize;
            type Access = Write;

            #[inline]
            fn target(&self) -> &[u8] {
                self.key
            }

            #[inline]
            fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
                let push = |list: &mut Edit<'_, List>| Ok(push(list, $end, &self.elements));
                if $create {
                    writer.edit_or_create(push)
                } else {
                    writer.edit(push).map(Option::unwrap_or_default)
                }
            }
        }
    };
}

push!(
    /// Adds elements in front, one after the other, so that the last comes first.
    PushFront, ListEnd::Front, true
);
push!(
    /// Adds elements at the back.
    PushBack, ListEnd::Back, true
);
push!(
    /// Adds elements in front of a list that exists.
    PushFrontIfPresent, ListEnd::Front, false
);
push!(
    /// Adds elements at the back of a list that exists.
    PushBackIfPresent, ListEnd::Back, false
);

#[inline]
fn push(list: &mut Edit<'_, List>, end: ListEnd, elements: &[&[u8]]) -> usize {
    for element in elements {
        list.push(end, element);
    }
    if !elements.is_empty() {
        list.notify(pushed(end));
    }
    list.len()
}

/// Counts the elements.
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
        Ok(view.get()?.map_or(0, List::len))
    }
}

/// Where an index is in a list; a negative one counts from the end.
fn absolute(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add_unsigned(len as u64)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// Reads the element at an index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Get<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) index: i64,
}

impl Operation for Get<'_> {
    type Output = Option<Value>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let Some(list) = view.get::<List>()? else { return Ok(None) };
        let element = absolute(self.index, list.len()).and_then(|index| list.get(index));
        Ok(element.map(Element::to_value))
    }
}

/// Reads the elements of a range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetRange<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) range: RankRange,
}

impl Operation for GetRange<'_> {
    type Output = Vec<Value>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(self.find(&view)?.map(shared).unwrap_or_default())
    }
}

impl GetRange<'_> {
    /// The elements where they are; `None` if there is no list.
    fn find<'s>(&self, view: &View<'s>) -> Result<Option<Elements<'s>>> {
        let list = view.get::<List>()?;
        Ok(list.map(|list| list.elements(self.range.within(list.len()))))
    }
}

fn shared(elements: Elements<'_>) -> Vec<Value> {
    elements.map(Element::to_value).collect()
}

/// Shows the elements of a range to `read` under the shared lock of their shard, unless they may be
/// long: then they are shared and are the answer.
pub(crate) fn read_range_with(
    space: Space<'_>,
    range: &GetRange<'_>,
    read: impl FnOnce(Elements<'_>),
) -> Result<Option<Vec<Value>>> {
    Read::enter(space, range.key, |view| {
        Ok(match range.find(&view)? {
            Some(elements) if elements.are_packed() => {
                read(elements);
                None
            }
            elements => Some(elements.map(shared).unwrap_or_default()),
        })
    })
}

/// Replaces the element at an index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Set<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) index: i64,
    pub(crate) element: &'a [u8],
}

impl Operation for Set<'_> {
    type Output = ();
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let done = writer.edit(|list: &mut Edit<'_, List>| {
            let index = absolute(self.index, list.len());
            list.set(index.ok_or(Error::OutOfRange("index out of range"))?, self.element);
            list.notify(EventKind::ElementSet);
            Ok(())
        })?;
        done.ok_or(Error::NoSuchKey)
    }
}

/// Inserts an element beside the first that equals another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Insert<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) side: Side,
    pub(crate) pivot: &'a [u8],
    pub(crate) element: &'a [u8],
}

/// What came of an insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    NoKey,
    NoPivot,
    /// The length of the list now.
    Length(usize),
}

impl Operation for Insert<'_> {
    type Output = Inserted;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let inserted = writer.edit(|list: &mut Edit<'_, List>| {
            if !list.insert(self.side, self.pivot, self.element) {
                return Ok(Inserted::NoPivot);
            }
            list.notify(EventKind::ElementInserted);
            Ok(Inserted::Length(list.len()))
        })?;
        Ok(inserted.unwrap_or(Inserted::NoKey))
    }
}

/// Removes elements that equal one: so many from the front, or if negative from the back; zero
/// is all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Remove<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) count: i64,
    pub(crate) element: &'a [u8],
}

impl Operation for Remove<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let end = if self.count < 0 { ListEnd::Back } else { ListEnd::Front };
        let count = match self.count.unsigned_abs() {
            0 => usize::MAX,
            count => usize::try_from(count).unwrap_or(usize::MAX),
        };
        let removed = writer.edit(|list: &mut Edit<'_, List>| {
            let removed = list.remove_equal(self.element, count, end);
            if removed > 0 {
                list.notify(EventKind::ElementsRemoved);
            }
            Ok(removed)
        })?;
        Ok(removed.unwrap_or(0))
    }
}

/// Removes all elements outside of a range.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trim<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) range: RankRange,
}

impl Operation for Trim<'_> {
    type Output = ();
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        writer.edit(|list: &mut Edit<'_, List>| {
            let kept = self.range.within(list.len());
            list.keep_range(kept);
            list.notify(EventKind::ListTrimmed);
            Ok(())
        })?;
        Ok(())
    }
}
