//! Bitmaps: strings as bits, numbered from the highest bit of the first byte on.
//!
//! What lies behind the end of a string reads as zeros; writing there makes it longer. No bit is
//! behind the 512 MiB that a string may have, and an offset is checked before anything is
//! allocated for it.

use std::borrow::Cow;
use std::ops::Range;

use super::Operation;

use crate::data::bits;
use crate::error::{Error, Result};
use crate::keyspace::access::{Extent, Read, Write, WriteMany, Writers};
use crate::keyspace::{EventKind, View, Writer};
use crate::value::{MAX_LEN, check_len};

/// What Redis says of an offset that is none.
pub(crate) const BAD_OFFSET: Error =
    Error::OutOfRange("bit offset is not an integer or out of range");
/// What Redis says of a field of another width.
pub(crate) const BAD_FIELD: Error = Error::OutOfRange(
    "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
);

const BITS: u64 = u8::BITS as u64;

/// The position of a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset(pub(crate) u64);

impl Offset {
    /// The bit, if a string may be so long.
    pub(crate) fn get(self) -> Result<usize> {
        let bit = usize::try_from(self.0).map_err(|_| BAD_OFFSET)?;
        if self.0 / BITS < MAX_LEN as u64 { Ok(bit) } else { Err(BAD_OFFSET) }
    }
}

/// Reads a bit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GetBit<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) offset: Offset,
}

impl Operation for GetBit<'_> {
    type Output = bool;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let bit = self.offset.get()?;
        Ok(bits::get(view.bytes()?.unwrap_or_default(), bit))
    }
}

/// A bit's value on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bit(pub(crate) bool);

/// Sets or clears a bit; answers what it was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetBit<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) offset: Offset,
    pub(crate) value: Bit,
}

impl Operation for SetBit<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let bit = self.offset.get()?;
        let bytes = writer.view().bytes()?.unwrap_or_default();
        let (length, old) = (bytes.len(), bits::get(bytes, bit));
        let at = bit / BITS as usize;
        if at >= length || old != self.value.0 {
            let byte = bits::with_bit(bytes, bit, self.value.0);
            writer.write_at(at, &[byte])?;
            writer.notify(EventKind::BitsSet);
        }
        Ok(old)
    }
}

/// What a span's ends count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    #[default]
    Byte,
    Bit,
}

/// A part of a string, both ends included; negative positions count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: i64,
    pub(crate) stop: i64,
    pub(crate) unit: Unit,
}

impl Span {
    /// The bits that it has in a string of so many bytes.
    fn bits(self, length: usize) -> Range<usize> {
        let unit = if self.unit == Unit::Byte { BITS as i64 } else { 1 };
        let total = (length as u64 * BITS) as i64 / unit;
        let absolute = |at: i64| if at < 0 { at.saturating_add(total).max(0) } else { at };
        let start = absolute(self.start).min(total);
        // A stop before the beginning is the first position, as Redis has it.
        let end = absolute(self.stop).saturating_add(1).min(total);
        if start >= end {
            return 0..0;
        }
        (start * unit) as usize..(end * unit) as usize
    }
}

/// Counts the bits that are set.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) within: Option<Span>,
}

impl Operation for Count<'_> {
    type Output = usize;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let bytes = view.bytes()?.unwrap_or_default();
        let within = match self.within {
            None => 0..bytes.len() * BITS as usize,
            // Counted from the end, it is known to be empty before its ends are moved inside.
            Some(Span { start, stop, .. }) if stop < start && start < 0 => 0..0,
            Some(span) => span.bits(bytes.len()),
        };
        Ok(bits::count(bytes, within))
    }
}

/// Where to look for a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// From this byte on.
    From(i64),
    Within(Span),
}

/// The first bit of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Position<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: Bit,
    pub(crate) place: Where,
}

impl Operation for Position<'_> {
    /// A zero may be just behind the end, if no end was given.
    type Output = Option<u64>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let Some(bytes) = view.bytes()? else { return Ok((!self.value.0).then_some(0)) };
        let span = match self.place {
            Where::From(start) => Span { start, stop: i64::MAX, unit: Unit::Byte },
            Where::Within(span) => span,
        };
        let within = span.bits(bytes.len());
        if within.is_empty() {
            return Ok(None);
        }
        let found = bits::find(bytes, within, self.value.0);
        let is_open = !self.value.0 && matches!(self.place, Where::From(_));
        let behind = || is_open.then_some(bytes.len() as u64 * BITS);
        Ok(found.map(|bit| bit as u64).or_else(behind))
    }
}

/// How strings are combined, bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    And,
    Or,
    Xor,
    /// Of one string only.
    Not,
}

/// What is combined, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Combined<'a> {
    pub(crate) method: Method,
    pub(crate) destination: &'a [u8],
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

/// Makes a string of others; answers its length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Combine<'a> {
    pub(crate) of: Combined<'a>,
}

impl Operation for Combine<'_> {
    type Output = usize;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        let keys = self.of.keys.iter().copied();
        Extent::keys(std::iter::once(self.of.destination).chain(keys))
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        let strings = self.of.keys.iter().map(|key| writers.look_up(key)?.bytes());
        let strings: Vec<Option<&[u8]>> = strings.collect::<Result<_>>()?;
        let strings: Vec<&[u8]> = strings.into_iter().map(Option::unwrap_or_default).collect();
        let combined = match self.of.method {
            Method::And => bits::combine(&strings, |a, b| a & b),
            Method::Or => bits::combine(&strings, |a, b| a | b),
            Method::Xor => bits::combine(&strings, |a, b| a ^ b),
            Method::Not => strings.first().into_iter().copied().flatten().map(|b| !b).collect(),
        };
        let mut writer = writers.writer(self.of.destination)?;
        if !combined.is_empty() {
            writer.set_string(&combined, None);
            writer.notify(EventKind::Set);
        } else if writer.remove() {
            writer.notify(EventKind::Deleted);
        }
        Ok(combined.len())
    }
}

/// A number in some bits of a bitmap: how many, whether with a sign, and where.
///
/// ```
/// use larder::BitField;
///
/// let store = larder::Store::new();
/// let third_byte = BitField::unsigned(8, 16);
/// let answers = store.bitmap("levels").fields().set(third_byte, 200).get(third_byte).run()?;
/// assert_eq!(answers, [Some(0), Some(200)]);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitField {
    pub(crate) signed: bool,
    pub(crate) width: u8,
    pub(crate) offset: u64,
}

impl BitField {
    /// A number without sign in `width` bits, 1 to 63, from the bit `offset` on.
    ///
    /// ```
    /// # use larder::BitField;
    /// # let store = larder::Store::new();
    /// let answers = store.bitmap("b").fields().increment(BitField::unsigned(4, 0), 17).run()?;
    /// assert_eq!(answers, [Some(1)]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn unsigned(width: u8, offset: u64) -> Self {
        Self { signed: false, width, offset }
    }

    /// A number with a sign (two's complement) in `width` bits, 1 to 64, from the bit `offset` on.
    ///
    /// ```
    /// # use larder::BitField;
    /// # let store = larder::Store::new();
    /// let answers = store.bitmap("b").fields().increment(BitField::signed(4, 0), -3).run()?;
    /// assert_eq!(answers, [Some(-3)]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn signed(width: u8, offset: u64) -> Self {
        Self { signed: true, width, offset }
    }

    pub(crate) fn check_width(self) -> Result<()> {
        let widest = if self.signed { 64 } else { 63 };
        if (1..=widest).contains(&self.width) { Ok(()) } else { Err(BAD_FIELD) }
    }

    /// The first of its bits; an error if there is no such field.
    pub(crate) fn place(self) -> Result<usize> {
        self.check_width()?;
        Offset(self.offset).get()
    }

    /// Behind its last byte.
    fn end(self) -> usize {
        (self.offset + u64::from(self.width)).div_ceil(BITS) as usize
    }

    fn read(self, bytes: &[u8]) -> i64 {
        self.number_of(bits::read(bytes, self.offset as usize, self.width.into()))
    }

    /// The number that its bits stand for: the lowest of these.
    fn number_of(self, bits: u64) -> i64 {
        let above = u64::BITS - u32::from(self.width);
        if self.signed { (bits << above) as i64 >> above } else { (bits << above >> above) as i64 }
    }

    fn fit(self, number: i128, overflow: BitOverflow) -> Option<i64> {
        let bits = u32::from(self.width) - u32::from(self.signed);
        let max = (1_i128 << bits) - 1;
        let min = if self.signed { -max - 1 } else { 0 };
        match overflow {
            _ if (min..=max).contains(&number) => Some(number as i64),
            BitOverflow::Wrap => Some(self.number_of(number as u64)),
            BitOverflow::Saturate => Some(number.clamp(min, max) as i64),
            BitOverflow::Fail => None,
        }
    }
}

/// What becomes of a number that does not fit its [`BitField`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BitOverflow {
    /// The bits that do fit are kept.
    #[default]
    Wrap,
    /// The nearest number that fits is taken.
    Saturate,
    /// Nothing is written, and the answer is `None`.
    Fail,
}

/// One step of [`Fields`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Get(BitField),
    /// Answers what was there.
    Set(BitField, i64, BitOverflow),
    /// Answers what is there then.
    Increment(BitField, i64, BitOverflow),
}

impl Step {
    fn field(self) -> BitField {
        match self {
            Self::Get(field) | Self::Set(field, ..) | Self::Increment(field, ..) => field,
        }
    }

    fn writes(self) -> bool {
        !matches!(self, Self::Get(_))
    }
}

/// Steps one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Steps<'a>(pub(crate) Cow<'a, [Step]>);

/// Reads and writes numbers in a bitmap.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fields<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) steps: Steps<'a>,
}

impl Operation for Fields<'_> {
    type Output = Vec<Option<i64>>;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let steps = &self.steps.0;
        steps.iter().try_for_each(|step| step.field().place().map(|_| ()))?;
        let writes = steps.iter().filter(|step| step.writes());
        let end = writes.map(|step| step.field().end()).max().unwrap_or(0);
        check_len(end)?;
        let view = if end == 0 { writer.look_up() } else { writer.view() };
        let length = view.bytes()?.map_or(0, <[u8]>::len);
        let grows = end > length;
        if grows {
            writer.write_at(end - 1, &[0])?;
        }
        let mut changed = false;
        let mut answers = Vec::with_capacity(steps.len());
        for step in steps.iter() {
            let (answer, changes) = take(*step, &mut writer)?;
            changed |= changes || grows && step.writes() && answer.is_some();
            answers.push(answer);
        }
        if changed {
            writer.notify(EventKind::BitsSet);
        }
        Ok(answers)
    }
}

/// Takes one step; answers its answer, and whether a number has changed.
fn take(step: Step, writer: &mut Writer<'_>) -> Result<(Option<i64>, bool)> {
    let view = writer.view();
    let bytes = view.bytes()?.unwrap_or_default();
    let field = step.field();
    let old = field.read(bytes);
    let new = match step {
        Step::Get(_) => return Ok((Some(old), false)),
        // A negative number without sign is a very large one.
        Step::Set(_, number, overflow) if !field.signed => {
            field.fit((number as u64).into(), overflow)
        }
        Step::Set(_, number, overflow) => field.fit(number.into(), overflow),
        Step::Increment(_, by, overflow) => field.fit(i128::from(old) + i128::from(by), overflow),
    };
    let Some(new) = new else { return Ok((None, false)) };
    let place = field.place()?;
    let written = bits::with_field(bytes, place, field.width.into(), new as u64);
    if new != old {
        writer.write_at(place / BITS as usize, written.as_bytes())?;
    }
    let answer = if matches!(step, Step::Set(..)) { old } else { new };
    Ok((Some(answer), new != old))
}

/// Fields one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FieldList<'a>(pub(crate) Cow<'a, [BitField]>);

/// [`Fields`] that only reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReadFields<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) fields: FieldList<'a>,
}

impl Operation for ReadFields<'_> {
    type Output = Vec<Option<i64>>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        self.fields.0.iter().try_for_each(|field| field.place().map(|_| ()))?;
        let bytes = view.bytes()?.unwrap_or_default();
        Ok(self.fields.0.iter().map(|field| Some(field.read(bytes))).collect())
    }
}
