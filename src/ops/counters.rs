//! Numbers kept as text: increments, with bounds and deadlines.

use super::Operation;
use super::strings::{Expiry, Renewal};
use crate::error::{Error, Result};
use crate::keyspace::access::Write;
use crate::keyspace::{EventKind, Writer};
use crate::number::{self, Extended, NumberText};
use crate::value::Value;

/// Adds to an integer, which is 0 if the key does not exist; answers the sum.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Increment<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) by: i64,
}

impl Operation for Increment<'_> {
    type Output = i64;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let sum = writer.update_string(|old| match integer(old)?.checked_add(self.by) {
            Some(sum) => Ok((sum, sum)),
            None => Err(Error::Overflow),
        })?;
        writer.notify(EventKind::Incremented);
        Ok(sum)
    }
}

#[inline]
fn integer(text: Option<&[u8]>) -> Result<i64> {
    let Some(text) = text else { return Ok(0) };
    // Not `ok_or`, which would make the error, and drop it, on every call.
    match number::parse_integer(text) {
        Some(value) => Ok(value),
        None => Err(Error::NotAnInteger),
    }
}

/// Adds to a float, which is 0 if the key does not exist; answers the text of the sum.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IncrementFloat<'a> {
    pub(crate) key: &'a [u8],
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
        let text = writer.update_string(|old| {
            let by = Extended::parse(self.by).ok_or(Error::NotAFloat)?;
            let text = float(old)?.checked_add(by).ok_or(Error::NotFinite)?.format();
            Ok((text.clone(), text))
        })?;
        writer.notify(EventKind::IncrementedByFloat);
        Ok(Value::from(&text[..]))
    }
}

fn float(text: Option<&[u8]>) -> Result<Extended> {
    text.map_or(Some(Extended::ZERO), Extended::parse).ok_or(Error::NotAFloat)
}

/// Adds to a number within bounds and changes its deadline, in one step.
///
/// A sum outside the bounds or the type's range is not stored, and the deadline stays; unless
/// the increment saturates.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IncrementWith<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) options: IncrementOptions<'a>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct IncrementOptions<'a> {
    pub(crate) amount: Amount<'a>,
    pub(crate) saturates: bool,
    pub(crate) renewal: Renewal,
    /// Whether a deadline that the key has already stays.
    pub(crate) keeps_deadline: bool,
}

/// How much to add, and the bounds of the sum.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Amount<'a> {
    Integer {
        by: i64,
        lower: Option<i64>,
        upper: Option<i64>,
    },
    /// In decimal, which is more exact than any float.
    Float {
        by: &'a [u8],
        lower: Option<&'a [u8]>,
        upper: Option<&'a [u8]>,
    },
}

impl Default for Amount<'_> {
    fn default() -> Self {
        Self::Integer { by: 1, lower: None, upper: None }
    }
}

/// The number after an increment, and what was added; floats in decimal.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Incremented {
    Integer(i64, i64),
    Float(Value, Value),
}

impl Operation for IncrementWith<'_> {
    type Output = Incremented;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let options = &self.options;
        let view = writer.view();
        let (old, had_deadline) = (view.bytes()?, view.deadline().is_some());
        let (sum, answer) = match options.amount {
            Amount::Integer { by, lower, upper } => {
                add_integers(old, by, lower..=upper, options.saturates)?
            }
            Amount::Float { by, lower, upper } => {
                add_floats(old, by, lower..=upper, options.saturates)?
            }
        };
        let deadline = options.renewal.0.deadline(&writer, || None)?;
        let Some(sum) = sum else { return Ok(answer) };
        let renewal = match options.keeps_deadline && had_deadline {
            true => Renewal(Expiry::Keep),
            false => options.renewal,
        };
        writer.update_string(|_| Ok((sum.clone(), ())))?;
        writer.notify(match answer {
            Incremented::Integer(..) => EventKind::Incremented,
            Incremented::Float(..) => EventKind::IncrementedByFloat,
        });
        renewal.apply(&mut writer, deadline);
        Ok(answer)
    }
}

type Bounds<T> = std::ops::RangeInclusive<Option<T>>;

const CROSSED: Error = Error::OutOfRange("LBOUND can't be greater than UBOUND");

const NOT_EXPRESSIBLE: Error = Error::OutOfRange("applied increment would overflow");

fn integer_text(value: i64) -> NumberText {
    NumberText::from_slice(itoa::Buffer::new().format(value).as_bytes())
}

/// The text to store, if any, and the answer.
fn add_integers(
    old: Option<&[u8]>,
    by: i64,
    bounds: Bounds<i64>,
    saturates: bool,
) -> Result<(Option<NumberText>, Incremented)> {
    let (lower, upper) = (bounds.start().unwrap_or(i64::MIN), bounds.end().unwrap_or(i64::MAX));
    if lower > upper {
        return Err(CROSSED);
    }
    let old = integer(old)?;
    let exact = i128::from(old) + i128::from(by);
    let bounded = exact.clamp(lower.into(), upper.into());
    if bounded != exact && !saturates {
        return Ok((None, Incremented::Integer(old, 0)));
    }
    let applied = i64::try_from(bounded - i128::from(old)).map_err(|_| NOT_EXPRESSIBLE)?;
    let sum = bounded as i64;
    Ok((Some(integer_text(sum)), Incremented::Integer(sum, applied)))
}

/// The text to store, if any, and the answer.
fn add_floats(
    old: Option<&[u8]>,
    by: &[u8],
    bounds: Bounds<&[u8]>,
    saturates: bool,
) -> Result<(Option<NumberText>, Incremented)> {
    let parse = |text: &[u8]| Extended::parse(text).ok_or(Error::NotAFloat);
    let lower = bounds.start().map(parse).transpose()?.unwrap_or(Extended::MIN);
    let upper = bounds.end().map(parse).transpose()?.unwrap_or(Extended::MAX);
    let by = parse(by)?;
    if by.is_infinite() {
        return Err(Error::OutOfRange("BYFLOAT increment cannot be Infinity"));
    }
    if lower > upper {
        return Err(CROSSED);
    }
    let old = float(old)?;
    if old.is_infinite() {
        return Err(Error::OutOfRange("value cannot be Infinity"));
    }
    let value = |number: Extended| Value::from(&number.format()[..]);
    // A sum beyond the format's range lies beyond the bound on that side.
    let beyond = if by < Extended::ZERO { Extended::MIN } else { Extended::MAX };
    let exact = old.checked_add(by);
    let sum = exact.unwrap_or(beyond);
    let bounded = sum.clamp(lower, upper);
    let fits = exact.is_some() && bounded == sum;
    if !fits && !saturates {
        return Ok((None, Incremented::Float(value(old), Value::from("0"))));
    }
    let applied = bounded.checked_add(-old).ok_or(NOT_EXPRESSIBLE)?;
    Ok((Some(bounded.format()), Incremented::Float(value(bounded), value(applied))))
}
