//! Hashes: values by the names of their fields.
//!
//! - here: what is asked about fields;
//! - [`update`]: setting, incrementing, removing;
//! - [`expiry`]: deadlines of fields, and what reads or writes together with them;
//! - [`sample`]: random fields and scans.
//!
//! A field whose deadline has passed is absent to all of them, whether or not it has been removed
//! yet: readers pass over it, and writers find it gone.

mod expiry;
mod sample;
#[cfg(test)]
mod tests;
mod update;

use std::borrow::Cow;

pub(crate) use expiry::*;
pub(crate) use sample::*;
pub(crate) use update::*;

use super::Operation;
use crate::data::hash::{Hash, Live};
use crate::error::Result;
use crate::keyspace::access::{Access, Read};
use crate::keyspace::{Space, View};
use crate::value::Value;

/// The hash as it is now; `None` if the key does not exist.
#[inline]
pub(crate) fn live<'s>(view: &View<'s>) -> Result<Option<Live<'s>>> {
    let Some(hash) = view.get::<Hash>()? else { return Ok(None) };
    Ok(Some(hash.live(view.now_if_due(hash))))
}

/// Fields with their values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pairs(pub(crate) Vec<(Value, Value)>);

/// Reads a field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Get<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) field: &'a [u8],
}

impl Operation for Get<'_> {
    type Output = Option<Value>;
    type Access = Read;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let Some(hash) = live(&view)? else { return Ok(None) };
        Ok(hash.get(self.field).map(|field| field.value()))
    }
}

/// Reads several fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetMany<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fields: Cow<'a, [&'a [u8]]>,
}

impl Operation for GetMany<'_> {
    type Output = Vec<Option<Value>>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let hash = live(&view)?;
        let value = |field: &&[u8]| hash?.get(field).map(|field| field.value());
        Ok(self.fields.iter().map(value).collect())
    }
}

/// Reads all fields with their values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetAll<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for GetAll<'_> {
    type Output = Pairs;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(pairs(live(&view)?))
    }
}

fn pairs(hash: Option<Live<'_>>) -> Pairs {
    let fields = hash.into_iter().flat_map(|hash| hash.iter());
    Pairs(fields.map(|field| (Value::from(field.name), field.value())).collect())
}

/// Shows a small hash to `read` under the shared lock of its shard; all fields of another are the
/// answer.
pub(crate) fn read_all_with(
    space: Space<'_>,
    key: &[u8],
    read: impl FnOnce(Live<'_>),
) -> Result<Option<Pairs>> {
    Read::enter(space, key, |view| {
        Ok(match live(&view)? {
            Some(hash) if hash.is_packed() => {
                read(hash);
                None
            }
            hash => Some(pairs(hash)),
        })
    })
}

/// Reads the names of all fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Names<'a> {
    pub(crate) key: &'a [u8],
}

/// Reads the values of all fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values<'a> {
    pub(crate) key: &'a [u8],
}

macro_rules! read_all {
    ($operation:ident, $read:expr) => {
        impl Operation for $operation<'_> {
            type Output = Vec<Value>;
            type Access = Read;

            fn target(&self) -> &[u8] {
                self.key
            }

            fn run(&self, view: View<'_>) -> Result<Self::Output> {
                let fields = live(&view)?.into_iter().flat_map(|hash| hash.iter());
                Ok(fields.map($read).collect())
            }
        }
    };
}

read_all!(Names, |field| Value::from(field.name));
read_all!(Values, |field| field.value());

/// Counts the fields.
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
        Ok(live(&view)?.map_or(0, |hash| hash.len()))
    }
}

/// The length of a field's value; zero if there is no such field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ValueLength<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) field: &'a [u8],
}

impl Operation for ValueLength<'_> {
    type Output = usize;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let field = live(&view)?.and_then(|hash| hash.get(self.field));
        Ok(field.map_or(0, |field| field.bytes.len()))
    }
}

/// Whether a field exists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exists<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) field: &'a [u8],
}

impl Operation for Exists<'_> {
    type Output = bool;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(live(&view)?.is_some_and(|hash| hash.get(self.field).is_some()))
    }
}
