//! Strings: bytes, text and numbers under a key. Increments are in [`counters`](super::counters).

use std::borrow::Cow;

use super::Operation;
use crate::error::{Error, Result};
use crate::keyspace::access::{Access, Extent, Read, ReadEach, Write, WriteMany, Writers};
use crate::keyspace::{EventKind, Space, View, Writer};
use crate::value::{Value, check_len};

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

/// Shows a string to `read` under the shared lock of its shard.
#[inline]
pub(crate) fn read_with<R>(
    space: Space<'_>,
    key: &[u8],
    read: impl FnOnce(&[u8]) -> R,
) -> Result<Option<R>> {
    Read::enter(space, key, |view| Ok(view.bytes()?.map(read)))
}

/// Reads several strings at one instant; a key of another type reads as absent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetMany<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

impl Operation for GetMany<'_> {
    type Output = Vec<Option<Value>>;
    type Access = ReadEach;

    fn target(&self) -> &[&[u8]] {
        &self.keys
    }

    fn run(&self, views: &[View<'_>]) -> Result<Self::Output> {
        Ok(views.iter().map(|view| view.value().unwrap_or(None)).collect())
    }
}

/// The length of a string; zero if the key does not exist.
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
        Ok(view.bytes()?.map_or(0, <[u8]>::len))
    }
}

/// Reads part of a string, both ends included; negative positions count from the end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetRange<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl Operation for GetRange<'_> {
    type Output = Value;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let bytes = view.bytes()?.unwrap_or_default();
        let length = bytes.len() as i64;
        let from_front = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
        let start = from_front(self.start).max(0);
        let end = from_front(self.end).max(0).min(length - 1);
        let backwards = self.start < 0 && self.end < 0 && self.start > self.end;
        if backwards || start > end {
            return Ok(Value::default());
        }
        Ok(Value::from(&bytes[start as usize..=end as usize]))
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
    /// In so many milliseconds, which must be positive.
    In(i64),
    /// At a Unix time in milliseconds, which must be positive.
    At(i64),
}

impl Expiry {
    /// The deadline of a key that has `current` now.
    #[inline]
    pub(super) fn deadline(
        self,
        writer: &Writer<'_>,
        current: impl FnOnce() -> Option<u64>,
    ) -> Result<Option<u64>> {
        match self {
            Self::Never => Ok(None),
            Self::Keep => Ok(current()),
            Self::In(millis @ 1..) => writer.moment.deadline_in(millis).map(Some),
            Self::At(unix_millis @ 1..) => Ok(Some(writer.moment.deadline_at(unix_millis))),
            Self::In(_) | Self::At(_) => Err(Error::InvalidExpire),
        }
    }

    fn is_new_deadline(self) -> bool {
        matches!(self, Self::In(_) | Self::At(_))
    }
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
    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        let options = &self.options;
        check_len(self.value.len())?;
        let deadline = options.expiry.deadline(&writer, || writer.view().deadline())?;
        let previous = if options.get { writer.look_up().value()? } else { None };
        let met = options.condition.is_met(&writer)?;
        if met {
            put(writer, self.value, deadline, options.expiry);
        }
        Ok(if options.get { SetOutcome::Previous(previous) } else { SetOutcome::Done(met) })
    }
}

/// Sets a string with a deadline that came from `expiry`, as the last that is done with the key.
/// If that has passed the key is gone.
#[inline]
fn put(mut writer: Writer<'_>, value: &[u8], deadline: Option<u64>, expiry: Expiry) {
    if expiry.is_new_deadline() && deadline.is_some_and(|at| writer.moment.has_passed(at)) {
        if writer.remove() {
            writer.notify(EventKind::Deleted);
        }
        return;
    }
    let events: &[EventKind] = match expiry.is_new_deadline() {
        true => &[EventKind::Set, EventKind::Expire],
        false => &[EventKind::Set],
    };
    writer.set_string_last(value, deadline, events);
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

/// Sets a string if the key does not exist: [`Set`] with another reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetIfAbsent<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl Operation for SetIfAbsent<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        let options = SetOptions { condition: Condition::IfAbsent, ..SetOptions::default() };
        let set = Set { key: self.key, value: self.value, options };
        Ok(set.run(writer)? == SetOutcome::Done(true))
    }
}

/// Sets several strings at one instant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetMany<'a> {
    pub(crate) pairs: Cow<'a, [(&'a [u8], &'a [u8])]>,
}

/// Sets several strings at one instant, if none of the keys exists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetManyIfAbsent<'a> {
    pub(crate) pairs: Cow<'a, [(&'a [u8], &'a [u8])]>,
}

/// Sets several strings at one instant, with one condition on all keys and one deadline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetManyWith<'a> {
    pub(crate) pairs: Cow<'a, [(&'a [u8], &'a [u8])]>,
    pub(crate) options: SetManyOptions,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SetManyOptions {
    pub(crate) condition: Existence,
    pub(crate) expiry: Expiry,
}

/// What keys must be for a write to several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Existence {
    #[default]
    Any,
    AllAbsent,
    AllPresent,
}

macro_rules! set_many {
    ($operation:ident, $output:ty, $operate:expr) => {
        impl Operation for $operation<'_> {
            type Output = $output;
            type Access = WriteMany;

            fn target(&self) -> Extent<'_> {
                Extent::keys(self.pairs.iter().map(|(key, _)| *key))
            }

            fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
                let operate: fn(&Self, Writers<'_>) -> Result<$output> = $operate;
                operate(self, writers)
            }
        }
    };
}

set_many!(SetMany, (), |operation, writers| {
    set_all(&operation.pairs, &SetManyOptions::default(), writers).map(|_| ())
});
set_many!(SetManyIfAbsent, bool, |operation, writers| {
    let condition = Existence::AllAbsent;
    set_all(&operation.pairs, &SetManyOptions { condition, expiry: Expiry::Never }, writers)
});
set_many!(SetManyWith, bool, |operation, writers| {
    set_all(&operation.pairs, &operation.options, writers)
});

fn set_all(
    pairs: &[(&[u8], &[u8])],
    options: &SetManyOptions,
    mut writers: Writers<'_>,
) -> Result<bool> {
    pairs.iter().try_for_each(|(_, value)| check_len(value.len()))?;
    for (key, _) in pairs {
        let writer = writers.writer(key)?;
        options.expiry.deadline(&writer, || None)?;
        let met = match options.condition {
            Existence::Any => true,
            Existence::AllAbsent => !writer.view().exists(),
            Existence::AllPresent => writer.view().exists(),
        };
        if !met {
            return Ok(false);
        }
    }
    for (key, value) in pairs {
        let writer = writers.writer(key)?;
        let deadline = options.expiry.deadline(&writer, || writer.view().deadline())?;
        put(writer, value, deadline, options.expiry);
    }
    Ok(true)
}

/// Reads a string and removes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetAndDelete<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for GetAndDelete<'_> {
    type Output = Option<Value>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let value = writer.look_up().value()?;
        if writer.remove() {
            writer.notify(EventKind::Deleted);
        }
        Ok(value)
    }
}

/// What becomes of the deadline of a key that stays: it is kept unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renewal(pub(crate) Expiry);

impl Default for Renewal {
    fn default() -> Self {
        Self(Expiry::Keep)
    }
}

impl Renewal {
    /// Gives an existing key its `deadline`, which came from this renewal. If it has passed the
    /// key is gone.
    pub(super) fn apply(self, writer: &mut Writer<'_>, deadline: Option<u64>) {
        match self.0 {
            Expiry::Keep => {}
            Expiry::Never => {
                if writer.view().deadline().is_some() {
                    writer.set_deadline(None);
                    writer.notify(EventKind::Persisted);
                }
            }
            Expiry::In(_) | Expiry::At(_) => {
                if deadline.is_some_and(|at| writer.moment.has_passed(at)) {
                    writer.remove();
                    writer.notify(EventKind::Deleted);
                } else {
                    writer.set_deadline(deadline);
                    writer.notify(EventKind::Expire);
                }
            }
        }
    }
}

/// Reads a string and changes its deadline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetAndExpire<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) renewal: Renewal,
}

impl Operation for GetAndExpire<'_> {
    type Output = Option<Value>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let Some(value) = writer.look_up().value()? else { return Ok(None) };
        let deadline = self.renewal.0.deadline(&writer, || None)?;
        self.renewal.apply(&mut writer, deadline);
        Ok(Some(value))
    }
}

/// Removes a key if it holds a string that meets a condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeleteIf<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) condition: DeleteCondition<'a>,
}

/// When a key is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DeleteCondition<'a> {
    #[default]
    Always,
    IfEqual(&'a [u8]),
    IfNotEqual(&'a [u8]),
}

impl Operation for DeleteIf<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let met = match self.condition {
            DeleteCondition::Always => true,
            DeleteCondition::IfEqual(expected) => writer.view().bytes()? == Some(expected),
            DeleteCondition::IfNotEqual(unwanted) => writer.view().bytes()? != Some(unwanted),
        };
        let removed = met && writer.remove();
        if removed {
            writer.notify(EventKind::Deleted);
        }
        Ok(removed)
    }
}

/// Appends to a string, creating it if the key does not exist; answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Append<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) tail: &'a [u8],
}

impl Operation for Append<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let length = writer.view().bytes()?.map_or(0, <[u8]>::len);
        check_len(length.saturating_add(self.tail.len()))?;
        let length = writer.append(self.tail)?;
        writer.notify(EventKind::Appended);
        Ok(length)
    }
}

/// Overwrites part of a string, filling a gap before it with zeros; answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetRange<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) offset: i64,
    pub(crate) bytes: &'a [u8],
}

impl Operation for SetRange<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let offset = usize::try_from(self.offset).map_err(|_| Error::OffsetOutOfRange)?;
        let length = writer.view().bytes()?.map_or(0, <[u8]>::len);
        if self.bytes.is_empty() {
            return Ok(length);
        }
        let end = offset.saturating_add(self.bytes.len());
        check_len(end)?;
        writer.write_at(offset, self.bytes)?;
        writer.notify(EventKind::RangeSet);
        Ok(length.max(end))
    }
}
