//! Deadlines of fields, and what reads or writes together with them.

use std::borrow::Cow;

use super::live;
use super::update::{FieldValues, check_lengths};
use crate::data::hash::{Field, Hash};
use crate::error::{Error, Result};
use crate::keyspace::access::{Read, Write};
use crate::keyspace::{Edit, EventKind, LAST_FIELD_DEADLINE, View, Writer};
use crate::ops::Operation;
use crate::ops::keys::{ExpireCondition, Lifetime};
use crate::ops::strings::Expiry;
use crate::value::Value;

/// Names of fields.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FieldNames<'a>(pub(crate) Cow<'a, [&'a [u8]]>);

impl<'a> FieldNames<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.0.iter().copied()
    }
}

/// Fields, and which of them get a deadline, by the one that they have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Expiring<'a> {
    pub(crate) condition: ExpireCondition,
    pub(crate) fields: Cow<'a, [&'a [u8]]>,
}

/// What giving a field a deadline came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    /// There is no such field.
    NoField,
    /// The condition was not met.
    Refused,
    /// The field has the deadline.
    Set,
    /// The deadline has passed, so the field is gone.
    Removed,
}

/// Gives fields a time to live; none at all removes them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpireIn<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) millis: i64,
    pub(crate) expiring: Expiring<'a>,
}

/// Gives fields a deadline in Unix milliseconds; one in the past removes them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpireAt<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) unix_millis: i64,
    pub(crate) expiring: Expiring<'a>,
}

impl Operation for ExpireIn<'_> {
    type Output = Vec<Expired>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        let deadline = deadline_in(&writer, self.millis)?;
        expire(writer, deadline, &self.expiring)
    }
}

impl Operation for ExpireAt<'_> {
    type Output = Vec<Expired>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        let deadline = deadline_at(&writer, self.unix_millis)?;
        expire(writer, deadline, &self.expiring)
    }
}

const NEGATIVE: Error = Error::OutOfRange("invalid expire time, must be >= 0");

fn deadline_in(writer: &Writer<'_>, millis: i64) -> Result<u64> {
    if millis < 0 {
        return Err(NEGATIVE);
    }
    let deadline = writer.moment.deadline_in(millis)?;
    if writer.moment.unix_of(deadline) > LAST_FIELD_DEADLINE {
        return Err(Error::InvalidExpire);
    }
    Ok(deadline)
}

fn deadline_at(writer: &Writer<'_>, unix_millis: i64) -> Result<u64> {
    match unix_millis {
        ..0 => Err(NEGATIVE),
        0..=LAST_FIELD_DEADLINE => Ok(writer.moment.deadline_at(unix_millis)),
        _ => Err(Error::InvalidExpire),
    }
}

fn expire(mut writer: Writer<'_>, deadline: u64, expiring: &Expiring<'_>) -> Result<Vec<Expired>> {
    let has_passed = writer.moment.has_passed(deadline);
    let answers = writer.edit(|hash: &mut Edit<'_, Hash>| {
        let expire = |field: &&[u8]| {
            let Some(current) = hash.get(field).map(|field| field.deadline) else {
                return Expired::NoField;
            };
            if !expiring.condition.is_met(current, deadline) {
                return Expired::Refused;
            }
            set_or_remove(hash, field, deadline, has_passed)
        };
        let answers: Vec<Expired> = expiring.fields.iter().map(expire).collect();
        notify(hash, &answers);
        Ok(answers)
    })?;
    Ok(answers.unwrap_or_else(|| vec![Expired::NoField; expiring.fields.len()]))
}

/// Gives a field its deadline; if that has passed, the field is gone.
fn set_or_remove(
    hash: &mut Edit<'_, Hash>,
    field: &[u8],
    deadline: u64,
    has_passed: bool,
) -> Expired {
    if has_passed {
        hash.remove(field);
        return Expired::Removed;
    }
    hash.set_deadline(field, Some(deadline));
    Expired::Set
}

/// Tells what became of fields with one deadline: it has passed for all of them, or for none.
fn notify(hash: &mut Edit<'_, Hash>, answers: &[Expired]) {
    if answers.contains(&Expired::Removed) {
        hash.notify(EventKind::FieldsDeleted);
    } else if answers.contains(&Expired::Set) {
        hash.notify(EventKind::FieldsExpire);
    }
}

/// The time that fields have left to live.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TimeLeft<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fields: FieldNames<'a>,
}

/// [`TimeLeft`], answered in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecondsLeft<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fields: FieldNames<'a>,
}

/// The deadlines of fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deadline<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fields: FieldNames<'a>,
}

/// [`Deadline`], answered in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeadlineSeconds<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fields: FieldNames<'a>,
}

fn lifetimes(
    view: View<'_>,
    fields: &FieldNames<'_>,
    millis: impl Fn(u64) -> i64,
) -> Result<Vec<Lifetime>> {
    let hash = live(&view)?;
    let lifetime = |name| match hash.and_then(|hash| hash.get(name)) {
        None => Lifetime::NoKey,
        Some(Field { deadline: None, .. }) => Lifetime::Forever,
        Some(Field { deadline: Some(deadline), .. }) => Lifetime::Millis(millis(deadline)),
    };
    Ok(fields.iter().map(lifetime).collect())
}

fn time_left(view: View<'_>, fields: &FieldNames<'_>) -> Result<Vec<Lifetime>> {
    lifetimes(view, fields, |deadline| deadline.saturating_sub(view.moment.now()) as i64)
}

fn deadline(view: View<'_>, fields: &FieldNames<'_>) -> Result<Vec<Lifetime>> {
    lifetimes(view, fields, |deadline| view.moment.unix_of(deadline))
}

macro_rules! read_lifetimes {
    ($($operation:ident: $read:expr),*) => {$(
        impl Operation for $operation<'_> {
            /// [`Lifetime::NoKey`] stands for no such field.
            type Output = Vec<Lifetime>;
            type Access = Read;

            fn target(&self) -> &[u8] {
                self.key
            }

            fn run(&self, view: View<'_>) -> Result<Self::Output> {
                $read(view, &self.fields)
            }
        }
    )*};
}

read_lifetimes!(
    TimeLeft: time_left, SecondsLeft: time_left, Deadline: deadline, DeadlineSeconds: deadline
);

/// Takes the deadlines of fields away.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Persist<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fields: FieldNames<'a>,
}

/// What taking a field's deadline away came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persisted {
    /// There is no such field.
    NoField,
    /// It had none.
    NoDeadline,
    Done,
}

impl Operation for Persist<'_> {
    type Output = Vec<Persisted>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let answers = writer.edit(|hash: &mut Edit<'_, Hash>| {
            let answers: Vec<_> = self.fields.iter().map(|field| persist(hash, field)).collect();
            if answers.contains(&Persisted::Done) {
                hash.notify(EventKind::FieldsPersisted);
            }
            Ok(answers)
        })?;
        Ok(answers.unwrap_or_else(|| vec![Persisted::NoField; self.fields.0.len()]))
    }
}

fn persist(hash: &mut Edit<'_, Hash>, field: &[u8]) -> Persisted {
    match hash.get(field).map(|field| field.deadline) {
        None => Persisted::NoField,
        Some(None) => Persisted::NoDeadline,
        Some(Some(_)) => {
            hash.set_deadline(field, None);
            Persisted::Done
        }
    }
}

/// What becomes of the deadlines of fields that are read: they are kept unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldRenewal(pub(crate) Expiry);

impl Default for FieldRenewal {
    fn default() -> Self {
        Self(Expiry::Keep)
    }
}

/// Reads fields and changes their deadlines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetAndExpire<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) renewal: FieldRenewal,
    pub(crate) fields: FieldNames<'a>,
}

impl Operation for GetAndExpire<'_> {
    type Output = Vec<Option<Value>>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let deadline = new_deadline(&writer, self.renewal.0)?;
        let has_passed = deadline.is_some_and(|at| writer.moment.has_passed(at));
        let values = writer.edit(|hash: &mut Edit<'_, Hash>| {
            let mut values = Vec::with_capacity(self.fields.0.len());
            let mut changes = Vec::new();
            let mut persisted = false;
            for field in self.fields.iter() {
                let value = hash.get(field).map(|field| field.value());
                let exists = value.is_some();
                values.push(value);
                match (self.renewal.0, deadline) {
                    (Expiry::Never, _) => persisted |= persist(hash, field) == Persisted::Done,
                    (_, Some(deadline)) if exists => {
                        changes.push(set_or_remove(hash, field, deadline, has_passed));
                    }
                    _ => {}
                }
            }
            notify(hash, &changes);
            if persisted {
                hash.notify(EventKind::FieldsPersisted);
            }
            Ok(values)
        })?;
        Ok(values.unwrap_or_else(|| vec![None; self.fields.0.len()]))
    }
}

/// The deadline that fields get, if they get a new one.
fn new_deadline(writer: &Writer<'_>, expiry: Expiry) -> Result<Option<u64>> {
    match expiry {
        Expiry::Never | Expiry::Keep => Ok(None),
        Expiry::In(millis) => deadline_in(writer, millis).map(Some),
        Expiry::At(unix_millis) => deadline_at(writer, unix_millis).map(Some),
    }
}

/// Reads fields and removes them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetAndDelete<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fields: FieldNames<'a>,
}

impl Operation for GetAndDelete<'_> {
    type Output = Vec<Option<Value>>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let values = writer.edit(|hash: &mut Edit<'_, Hash>| {
            let mut removed = false;
            let mut take = |field| {
                let value = hash.get(field).map(|field| field.value());
                removed |= hash.remove(field);
                value
            };
            let values = self.fields.iter().map(&mut take).collect();
            if removed {
                hash.notify(EventKind::FieldsDeleted);
            }
            Ok(values)
        })?;
        Ok(values.unwrap_or_else(|| vec![None; self.fields.0.len()]))
    }
}

/// When fields are set together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldCondition {
    #[default]
    Always,
    /// If none of them exists.
    IfAbsent,
    /// If all of them exist.
    IfPresent,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SetOptions {
    pub(crate) condition: FieldCondition,
    pub(crate) expiry: Expiry,
}

/// Sets fields under a condition and with a deadline; answers whether they were set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetWith<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) options: SetOptions,
    pub(crate) pairs: FieldPairs<'a>,
}

/// Fields and values behind their count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FieldPairs<'a>(pub(crate) FieldValues<'a>);

impl Operation for SetWith<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let (SetOptions { condition, expiry }, FieldPairs(pairs)) = (self.options, &self.pairs);
        check_lengths(pairs)?;
        let deadline = new_deadline(&writer, expiry)?;
        let has_passed = deadline.is_some_and(|at| writer.moment.has_passed(at));
        let mut was_set = false;
        writer.edit_or_create(|hash: &mut Edit<'_, Hash>| {
            let mut exist = pairs.iter().map(|(field, _)| hash.get(field).is_some());
            was_set = match condition {
                FieldCondition::Always => true,
                FieldCondition::IfAbsent => !exist.any(|exists| exists),
                FieldCondition::IfPresent => exist.all(|exists| exists),
            };
            if was_set && !pairs.is_empty() {
                hash.notify(EventKind::FieldsSet);
            }
            for (field, value) in pairs.iter().filter(|_| was_set) {
                let current = hash.get(field).and_then(|field| field.deadline);
                let deadline = if expiry == Expiry::Keep { current } else { deadline };
                hash.set(field, value, deadline.filter(|_| !has_passed));
            }
            Ok(())
        })?;
        if was_set && !pairs.is_empty() && deadline.is_some() {
            self.settle(&mut writer, has_passed)?;
        }
        Ok(was_set)
    }
}

impl SetWith<'_> {
    /// Tells of the deadline that the fields got; if it has passed, they are gone.
    fn settle(&self, writer: &mut Writer<'_>, has_passed: bool) -> Result<()> {
        if !has_passed {
            writer.notify(EventKind::FieldsExpire);
            return Ok(());
        }
        writer.edit(|hash: &mut Edit<'_, Hash>| {
            for (field, _) in self.pairs.0.iter() {
                hash.remove(field);
            }
            hash.notify(EventKind::FieldsDeleted);
            Ok(())
        })?;
        Ok(())
    }
}
