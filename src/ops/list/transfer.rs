//! Moving an element from an end of one list to an end of another, or of the same.

use super::{popped, pushed};
use crate::data::list::{Element, List, ListEnd};
use crate::error::{Error, Result};
use crate::keyspace::Edit;
use crate::keyspace::access::{Extent, WriteMany, Writers};
use crate::ops::{Blocking, Operation, Timeout};
use crate::value::Value;

/// From where an element is moved, and to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route<'a> {
    pub(crate) source: &'a [u8],
    pub(crate) destination: &'a [u8],
    pub(crate) from: ListEnd,
    pub(crate) to: ListEnd,
}

impl<'a> Route<'a> {
    fn keys(&self) -> Extent<'a> {
        Extent::keys([self.source, self.destination])
    }

    /// The way back.
    fn reversed(self) -> Self {
        Self { source: self.destination, destination: self.source, from: self.to, to: self.from }
    }

    /// Moves the element; answers it, or `None` if there is none.
    fn take(self, mut writers: Writers<'_>) -> Result<Option<Value>> {
        let Some(list) = writers.view(self.source)?.get::<List>()? else { return Ok(None) };
        // As in Redis, an absent source is no error, whatever the destination holds.
        let Some(element) = list.peek(self.from).map(Element::to_value) else { return Ok(None) };
        writers.view(self.destination)?.get::<List>()?;
        if self.source == self.destination {
            self.rotate(writers, &element)?;
            return Ok(Some(element));
        }
        writers.writer(self.destination)?.edit_or_create(|list: &mut Edit<'_, List>| {
            list.push_value(self.to, &element);
            list.notify(pushed(self.to));
            Ok(())
        })?;
        writers.writer(self.source)?.edit(|list: &mut Edit<'_, List>| {
            list.pop(self.from, 1);
            list.notify(popped(self.from));
            Ok(())
        })?;
        Ok(Some(element))
    }

    /// Moves the element within its list.
    fn rotate(self, mut writers: Writers<'_>, element: &Value) -> Result<()> {
        let mut writer = writers.writer(self.source)?;
        writer.notify(pushed(self.to));
        writer.edit(|list: &mut Edit<'_, List>| {
            // So that it is not left empty in between, which takes the key with it when replayed.
            list.push_value(self.to, element);
            list.pop(self.from, 1);
            list.notify(popped(self.from));
            Ok(())
        })?;
        Ok(())
    }

    /// Moves the element back, if it is still there.
    fn undo(self, element: &[u8], mut writers: Writers<'_>) -> Result<()> {
        let back = self.reversed();
        let list = writers.view(back.source)?.get::<List>()?;
        if list.and_then(|list| list.peek(back.from)).is_some_and(|last| *last == *element) {
            back.take(writers.reborrow())?;
        }
        Ok(())
    }
}

/// Moves an element from one list to another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Move<'a> {
    pub(crate) route: Route<'a>,
}

impl Operation for Move<'_> {
    type Output = Option<Value>;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        self.route.keys()
    }

    fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
        self.route.take(writers)
    }
}

/// As [`Move`], waiting until there is something to move.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BlockingMove<'a> {
    pub(crate) route: Route<'a>,
    pub(crate) timeout: Timeout,
}

impl Operation for BlockingMove<'_> {
    type Output = Option<Value>;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        self.route.keys()
    }

    fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
        self.route.take(writers)
    }
}

impl Blocking for BlockingMove<'_> {
    type Found = Value;
    const MINDS_REMOVAL: bool = false;

    fn awaited(&self) -> Extent<'_> {
        Extent::keys([self.route.source])
    }

    /// A destination of another type ends the wait as soon as there is something to move; a
    /// source of another type may become a list yet.
    fn retry(&self, writers: Writers<'_>) -> Result<Option<Value>> {
        match writers.view(self.route.source)?.get::<List>() {
            Err(Error::WrongType) => Ok(None),
            _ => self.run(writers),
        }
    }

    fn give_back(&self, element: Value, writers: Writers<'_>) -> Result<()> {
        self.route.undo(&element, writers)
    }
}
