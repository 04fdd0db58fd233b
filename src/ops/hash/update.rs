//! Setting, incrementing and removing fields.

use std::borrow::Cow;

use crate::data::hash::Hash;
use crate::error::{Error, Result};
use crate::keyspace::access::Write;
use crate::keyspace::{Edit, EventKind, Writer};
use crate::number::{self, Extended};
use crate::ops::Operation;
use crate::value::{Value, check_len};

/// Fields and what they are set to.
pub(crate) type FieldValues<'a> = Cow<'a, [(&'a [u8], &'a [u8])]>;

/// Sets fields; their deadlines are forgotten. Answers how many are new.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Set<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) pairs: FieldValues<'a>,
}

impl Operation for Set<'_> {
    type Output = usize;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        check_lengths(&self.pairs)?;
        writer.edit_or_create(|hash: &mut Edit<'_, Hash>| {
            let mut added = 0;
            for (field, value) in self.pairs.iter() {
                added += usize::from(hash.set(field, value, None));
            }
            if !self.pairs.is_empty() {
                hash.notify(EventKind::FieldsSet);
            }
            Ok(added)
        })
    }
}

/// [`Error::TooLarge`] if a field or a value is too long to be stored.
pub(super) fn check_lengths(pairs: &[(&[u8], &[u8])]) -> Result<()> {
    pairs.iter().try_for_each(|(field, value)| {
        check_len(field.len())?;
        check_len(value.len())
    })
}

/// [`Set`] with another reply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetMany<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) pairs: FieldValues<'a>,
}

impl Operation for SetMany<'_> {
    type Output = ();
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        let set = Set { key: self.key, pairs: Cow::Borrowed(&self.pairs) };
        set.run(writer).map(|_| ())
    }
}

/// Sets a field if it does not exist; answers whether it was set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetIfAbsent<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) field: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl Operation for SetIfAbsent<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        check_lengths(&[(self.field, self.value)])?;
        writer.edit_or_create(|hash: &mut Edit<'_, Hash>| {
            if hash.get(self.field).is_some() {
                return Ok(false);
            }
            hash.set(self.field, self.value, None);
            hash.notify(EventKind::FieldsSet);
            Ok(true)
        })
    }
}

/// Removes fields; answers how many there were.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Remove<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fields: Cow<'a, [&'a [u8]]>,
}

impl Operation for Remove<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let removed = writer.edit(|hash: &mut Edit<'_, Hash>| {
            let removed = self.fields.iter().filter(|field| hash.remove(field)).count();
            if removed > 0 {
                hash.notify(EventKind::FieldsDeleted);
            }
            Ok(removed)
        })?;
        Ok(removed.unwrap_or(0))
    }
}

/// Adds to a field that holds an integer, which is 0 if it does not exist; answers the sum. The
/// deadline stays.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Increment<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) field: &'a [u8],
    pub(crate) by: i64,
}

impl Operation for Increment<'_> {
    type Output = i64;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        check_len(self.field.len())?;
        writer.edit_or_create(|hash: &mut Edit<'_, Hash>| {
            let old = hash.get(self.field);
            let number = match &old {
                Some(old) => number::parse_integer(old.bytes).ok_or(Error::NotAnInteger)?,
                None => 0,
            };
            let sum = number.checked_add(self.by).ok_or(Error::Overflow)?;
            let deadline = old.and_then(|old| old.deadline);
            hash.set(self.field, itoa::Buffer::new().format(sum).as_bytes(), deadline);
            hash.notify(EventKind::FieldIncremented);
            Ok(sum)
        })
    }
}

/// Adds to a field that holds a float, which is 0 if it does not exist; answers the text of the
/// sum. The deadline stays.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IncrementFloat<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) field: &'a [u8],
    /// In decimal, which is more exact than any float.
    pub(crate) by: &'a [u8],
}

impl Operation for IncrementFloat<'_> {
    type Output = Value;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        check_len(self.field.len())?;
        let by = Extended::parse(self.by).ok_or(Error::NotAFloat)?;
        writer.edit_or_create(|hash: &mut Edit<'_, Hash>| {
            let old = hash.get(self.field);
            let number = match &old {
                Some(old) => Extended::parse(old.bytes).ok_or(Error::NotAFloat)?,
                None => Extended::ZERO,
            };
            let sum = number.checked_add(by).ok_or(Error::NotFinite)?.format();
            let deadline = old.and_then(|old| old.deadline);
            hash.set(self.field, &sum, deadline);
            hash.notify(EventKind::FieldIncrementedByFloat);
            Ok(Value::from(&sum[..]))
        })
    }
}
