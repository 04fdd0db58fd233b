//! Taking elements from either end.

use std::borrow::Cow;

use super::{popped, pushed};
use crate::data::list::{List, ListEnd};
use crate::error::Result;
use crate::keyspace::access::{Extent, Write, WriteMany, Writers};
use crate::keyspace::{Edit, Writer};
use crate::ops::{Await, Blocking, Operation, Timeout, holding};
use crate::value::Value;

/// How many elements to take: one, by itself, unless given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ElementCount(pub(crate) Option<usize>);

/// Declares an operation that takes elements from one end.
macro_rules! pop {
    ($(#[$doc:meta])* $operation:ident, $end:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $operation<'a> {
            pub(crate) key: &'a [u8],
            pub(crate) count: ElementCount,
        }

        impl Operation for $operation<'_> {
            /// `None` if the key does not exist.
            type Output = Option<Vec<Value>>;
            type Access = Write;

            #[inline]
            fn target(&self) -> &[u8] {
                self.key
            }

            #[inline]
            fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
                pop(&mut writer, $end, self.count.0.unwrap_or(1))
            }
        }
    };
}

pop!(
    /// Takes elements from the front.
    PopFront, ListEnd::Front
);
pop!(
    /// Takes elements from the back, the last one first.
    PopBack, ListEnd::Back
);

/// Where to pop from: the first of `keys` that holds a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PopElementsFrom<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
    pub(crate) end: ListEnd,
    pub(crate) count: usize,
}

/// A key, and the elements that were popped from it.
pub type PoppedElements = (Value, Vec<Value>);

/// Takes elements from the first of several keys that holds a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PopMany<'a> {
    pub(crate) from: PopElementsFrom<'a>,
}

impl Operation for PopMany<'_> {
    type Output = Option<PoppedElements>;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys(self.from.keys.iter().copied())
    }

    fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
        pop_first(writers, &self.from.keys, self.from.end, self.from.count)
    }
}

/// As [`PopMany`], waiting until there is something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BlockingPopMany<'a> {
    pub(crate) of: AwaitElementsFrom<'a>,
}

/// Where to pop from, and how long to wait for something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AwaitElementsFrom<'a> {
    pub(crate) timeout: Timeout,
    pub(crate) from: PopElementsFrom<'a>,
}

impl Operation for BlockingPopMany<'_> {
    type Output = Option<PoppedElements>;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys(self.of.from.keys.iter().copied())
    }

    fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
        let PopElementsFrom { keys, end, count } = &self.of.from;
        pop_first(writers, keys, *end, *count)
    }
}

impl Blocking for BlockingPopMany<'_> {
    type Found = PoppedElements;
    const MINDS_REMOVAL: bool = false;

    fn retry(&self, writers: Writers<'_>) -> Result<Self::Output> {
        let PopElementsFrom { keys, end, count } = &self.of.from;
        let lists = holding::<List>(&writers, keys)?;
        pop_first(writers, &lists, *end, *count)
    }

    fn give_back(&self, (key, elements): PoppedElements, writers: Writers<'_>) -> Result<()> {
        give_back(writers, &key, &elements, self.of.from.end)
    }
}

/// A key, and the one element that was popped from it.
pub(crate) type PoppedElement = (Value, Value);

/// Declares an operation that takes one element from the first of several keys that holds a
/// list, waiting until one does.
macro_rules! blocking_pop {
    ($(#[$doc:meta])* $operation:ident, $end:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub(crate) struct $operation<'a> {
            pub(crate) of: Await<'a>,
        }

        impl Operation for $operation<'_> {
            type Output = Option<PoppedElement>;
            type Access = WriteMany;

            fn target(&self) -> Extent<'_> {
                Extent::keys(self.of.keys.iter().copied())
            }

            fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
                pop_first(writers, &self.of.keys, $end, 1).map(only_element)
            }
        }

        impl Blocking for $operation<'_> {
            type Found = PoppedElement;
            const MINDS_REMOVAL: bool = false;

            fn retry(&self, writers: Writers<'_>) -> Result<Self::Output> {
                let lists = holding::<List>(&writers, &self.of.keys)?;
                pop_first(writers, &lists, $end, 1).map(only_element)
            }

            fn give_back(&self, found: PoppedElement, writers: Writers<'_>) -> Result<()> {
                let (key, element) = found;
                give_back(writers, &key, &[element], $end)
            }
        }
    };
}

blocking_pop!(
    /// Takes the first element of the first of several lists that has any.
    BlockingPopFront, ListEnd::Front
);
blocking_pop!(
    /// Takes the last element of the first of several lists that has any.
    BlockingPopBack, ListEnd::Back
);

fn pop_first(
    mut writers: Writers<'_>,
    keys: &[&[u8]],
    end: ListEnd,
    count: usize,
) -> Result<Option<PoppedElements>> {
    for key in keys {
        if let Some(elements) = pop(&mut writers.writer(key)?, end, count)? {
            return Ok(Some((Value::from(*key), elements)));
        }
    }
    Ok(None)
}

fn only_element(popped: Option<PoppedElements>) -> Option<PoppedElement> {
    popped.and_then(|(key, mut elements)| Some((key, elements.pop()?)))
}

#[inline]
fn pop(writer: &mut Writer<'_>, end: ListEnd, count: usize) -> Result<Option<Vec<Value>>> {
    writer.edit(|list: &mut Edit<'_, List>| {
        if count > 0 && !list.is_empty() {
            list.notify(popped(end));
        }
        Ok(list.pop(end, count))
    })
}

/// Puts elements back that nobody will ever see, where they were.
fn give_back(mut writers: Writers<'_>, key: &[u8], elements: &[Value], end: ListEnd) -> Result<()> {
    writers.writer(key)?.edit_or_create(|list: &mut Edit<'_, List>| {
        for element in elements.iter().rev() {
            list.push_value(end, element);
        }
        list.notify(pushed(end));
        Ok(())
    })
}
