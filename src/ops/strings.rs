//! Strings: bytes, text and numbers under a key.

use std::borrow::Cow;

use super::Operation;
use crate::error::Result;
use crate::keyspace::access::{Extent, Read, ReadMany, Views, Write};
use crate::keyspace::{EventKind, View, Writer};
use crate::value::Value;

/// The longest string.
pub(crate) const MAX_STRING: usize = 512 << 20;

/// Reads a string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Get<'a> {
    pub(crate) key: &'a [u8],
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
        view.value()
    }
}

/// Reads several strings at one instant; a key of another type reads as absent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetMany<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

impl Operation for GetMany<'_> {
    type Output = Vec<Option<Value>>;
    type Access = ReadMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys(self.keys.iter().copied())
    }

    fn run(&self, views: Views<'_>) -> Result<Self::Output> {
        let read = |key: &&[u8]| Ok(views.view(key)?.value().unwrap_or(None));
        self.keys.iter().map(read).collect()
    }
}

/// When a string is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Condition<'a> {
    #[default]
    Always,
    IfAbsent,
    IfPresent,
    /// If the key holds this string.
    IfEqual(&'a [u8]),
    /// Unless the key holds this string.
    IfNotEqual(&'a [u8]),
}

/// What becomes of a key's deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Expiry {
    #[default]
    Never,
    Keep,
    /// In so many milliseconds.
    In(i64),
    /// At a Unix time in milliseconds.
    At(i64),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SetOptions<'a> {
    pub(crate) condition: Condition<'a>,
    pub(crate) expiry: Expiry,
    /// Whether to answer the previous value.
    pub(crate) get: bool,
}

/// Sets a string.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Set<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) options: SetOptions<'a>,
}

/// What setting a string came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SetOutcome {
    Done(bool),
    /// The previous value, as asked for; whether the string was set does not show.
    Previous(Option<Value>),
}

impl Operation for Set<'_> {
    type Output = SetOutcome;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let options = &self.options;
        let previous = if options.get { writer.view().value()? } else { None };
        let met = options.condition.is_met(&writer)?;
        if met {
            let deadline = options.expiry.deadline(&writer)?;
            writer.set_string(self.value, deadline);
            writer.notify(EventKind::Set);
            if matches!(options.expiry, Expiry::In(_) | Expiry::At(_)) {
                writer.notify(EventKind::Expire);
            }
        }
        Ok(if options.get { SetOutcome::Previous(previous) } else { SetOutcome::Done(met) })
    }
}

impl Condition<'_> {
    #[inline]
    fn is_met(&self, writer: &Writer<'_>) -> Result<bool> {
        Ok(match self {
            Self::Always => true,
            Self::IfAbsent => !writer.view().exists(),
            Self::IfPresent => writer.view().exists(),
            Self::IfEqual(expected) => writer.view().bytes()? == Some(expected),
            Self::IfNotEqual(unwanted) => writer.view().bytes()? != Some(unwanted),
        })
    }
}

impl Expiry {
    #[inline]
    fn deadline(self, writer: &Writer<'_>) -> Result<Option<u64>> {
        match self {
            Self::Never => Ok(None),
            Self::Keep => Ok(writer.view().deadline()),
            Self::In(millis) => writer.moment.deadline_in(millis).map(Some),
            Self::At(unix_millis) => writer.moment.deadline_at(unix_millis).map(Some),
        }
    }
}
