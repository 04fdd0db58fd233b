//! The wire form of the bitmap operations.

use std::borrow::Cow;

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::command;
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::Reply;
use crate::error::{Error, Result};
use crate::number;
use crate::ops::bitmap::*;

command!(GetBit<'a>, "GETBIT" { key, offset });
command!(SetBit<'a>, "SETBIT" { key, offset, value });
command!(Count<'a>, "BITCOUNT" { key, within });
command!(Combine<'a>, "BITOP" { of });
command!(Fields<'a>, "BITFIELD" { key, steps });
command!(ReadFields<'a>, "BITFIELD_RO" { key, fields });

command!(Position<'a>, "BITPOS" { key, value, place } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        encoder.integer(output.map_or(-1, |bit| bit as i64));
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        i64::read(frame).map(|bit| u64::try_from(bit).ok())
    }
});

/// `offset`.
impl<'a> Arg<'a> for Offset {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let offset = number::parse_integer(args.next()?).and_then(|bit| u64::try_from(bit).ok());
        let offset = offset.map(Self).ok_or(BAD_OFFSET)?;
        offset.get().map(|_| offset)
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.0);
    }
}

/// `0 | 1`, as `SETBIT` has it.
impl<'a> Arg<'a> for Bit {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match args.next()? {
            b"0" => Ok(Self(false)),
            b"1" => Ok(Self(true)),
            _ => Err(Error::OutOfRange("bit is not an integer or out of range")),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(u8::from(self.0));
    }
}

impl<'a> Arg<'a> for Unit {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match () {
            () if args.is_empty() || args.keyword("BYTE") => Ok(Self::Byte),
            () if args.keyword("BIT") => Ok(Self::Bit),
            () => Err(SYNTAX),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        if *self == Self::Bit {
            argv.push("BIT");
        }
    }
}

/// `[start end [BYTE | BIT]]`.
impl<'a> Arg<'a> for Option<Span> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        if args.is_empty() {
            return Ok(None);
        }
        if !(2..=3).contains(&args.len()) {
            return Err(SYNTAX);
        }
        Ok(Some(Span { start: args.integer()?, stop: args.integer()?, unit: args.arg()? }))
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(Span { start, stop, unit }) = self {
            argv.integer(*start);
            argv.integer(*stop);
            argv.arg(unit);
        }
    }
}

/// `BITPOS key bit [start [end [BYTE | BIT]]]`, which says more of a bit that is none.
pub(super) fn parse_position<'a>(args: &mut Args<'a>) -> Result<Position<'a>> {
    let key = args.next()?;
    let value = match args.integer()? {
        0 => Bit(false),
        1 => Bit(true),
        _ => return Err(Error::OutOfRange("The bit argument must be 1 or 0.")),
    };
    let place = args.arg()?;
    args.finish()?;
    Ok(Position { key, value, place })
}

/// `[start [end [BYTE | BIT]]]`.
impl<'a> Arg<'a> for Where {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        if args.len() > 3 {
            return Err(SYNTAX);
        }
        let start = if args.is_empty() { 0 } else { args.integer()? };
        if args.is_empty() {
            return Ok(Self::From(start));
        }
        let (stop, unit) = (args.next()?, args.arg()?);
        let stop = number::parse_integer(stop).ok_or(Error::NotAnInteger)?;
        Ok(Self::Within(Span { start, stop, unit }))
    }

    fn encode(&self, argv: &mut Argv) {
        match *self {
            Self::From(start) => argv.integer(start),
            Self::Within(span) => argv.arg(&Some(span)),
        }
    }
}

/// `AND | OR | XOR | NOT destkey key [key ...]`.
impl<'a> Arg<'a> for Combined<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let method = match () {
            () if args.keyword("AND") => Method::And,
            () if args.keyword("OR") => Method::Or,
            () if args.keyword("XOR") => Method::Xor,
            () if args.keyword("NOT") => Method::Not,
            () => return Err(SYNTAX),
        };
        let (destination, keys) = (args.next()?, args.take_rest());
        if method == Method::Not && keys.len() != 1 {
            return Err(Error::Syntax("BITOP NOT must be called with a single source key."));
        }
        Ok(Self { method, destination, keys: Cow::Borrowed(keys) })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(match self.method {
            Method::And => "AND",
            Method::Or => "OR",
            Method::Xor => "XOR",
            Method::Not => "NOT",
        });
        argv.push(self.destination);
        self.keys.iter().for_each(|key| argv.push(key));
    }
}

/// `encoding offset`, the offset in bits or, behind a `#`, in such fields.
impl<'a> Arg<'a> for BitField {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let (signed, width) = match args.next()? {
            [b'i', width @ ..] => (true, width),
            [b'u', width @ ..] => (false, width),
            _ => return Err(BAD_FIELD),
        };
        let width = number::parse_integer(width).and_then(|width| u8::try_from(width).ok());
        let field = Self { signed, width: width.ok_or(BAD_FIELD)?, offset: 0 };
        field.check_width()?;
        let (factor, offset) = match args.next()? {
            [b'#', index @ ..] => (u64::from(field.width), index),
            offset => (1, offset),
        };
        let offset = number::parse_integer(offset).and_then(|offset| u64::try_from(offset).ok());
        let offset = offset.and_then(|offset| offset.checked_mul(factor)).ok_or(BAD_OFFSET)?;
        let field = Self { offset, ..field };
        field.place().map(|_| field)
    }

    fn encode(&self, argv: &mut Argv) {
        let sign = if self.signed { 'i' } else { 'u' };
        argv.push(format!("{sign}{}", self.width));
        argv.integer(self.offset);
    }
}

impl<'a> Arg<'a> for BitOverflow {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match () {
            () if args.keyword("WRAP") => Ok(Self::Wrap),
            () if args.keyword("SAT") => Ok(Self::Saturate),
            () if args.keyword("FAIL") => Ok(Self::Fail),
            () => Err(Error::Syntax("Invalid OVERFLOW type specified")),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(match self {
            Self::Wrap => "WRAP",
            Self::Saturate => "SAT",
            Self::Fail => "FAIL",
        });
    }
}

/// `[GET encoding offset | [OVERFLOW overflow] (SET | INCRBY) encoding offset value ...]`.
impl<'a> Arg<'a> for Steps<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut overflow = BitOverflow::default();
        let mut steps = Vec::new();
        while !args.is_empty() {
            match () {
                () if args.len() > 2 && args.keyword("GET") => steps.push(Step::Get(args.arg()?)),
                () if args.len() > 3 && args.keyword("SET") => {
                    steps.push(Step::Set(args.arg()?, args.integer()?, overflow));
                }
                () if args.len() > 3 && args.keyword("INCRBY") => {
                    steps.push(Step::Increment(args.arg()?, args.integer()?, overflow));
                }
                () if args.len() > 1 && args.keyword("OVERFLOW") => overflow = args.arg()?,
                () => return Err(SYNTAX),
            }
        }
        Ok(Self(Cow::Owned(steps)))
    }

    fn encode(&self, argv: &mut Argv) {
        let mut current = BitOverflow::default();
        for step in self.0.iter() {
            let (word, field, number, overflow) = match step {
                Step::Get(field) => ("GET", field, None, current),
                Step::Set(field, number, overflow) => ("SET", field, Some(number), *overflow),
                Step::Increment(field, by, overflow) => ("INCRBY", field, Some(by), *overflow),
            };
            if overflow != current {
                argv.push("OVERFLOW");
                argv.arg(&overflow);
                current = overflow;
            }
            argv.push(word);
            argv.arg(field);
            if let Some(number) = number {
                argv.integer(*number);
            }
        }
    }
}

/// `[GET encoding offset ...]`.
impl<'a> Arg<'a> for FieldList<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let Steps(steps) = args.arg()?;
        let field = |step: &Step| match step {
            Step::Get(field) => Ok(*field),
            _ => Err(Error::Syntax("BITFIELD_RO only supports the GET subcommand")),
        };
        steps.iter().map(field).collect::<Result<_>>().map(Self)
    }

    fn encode(&self, argv: &mut Argv) {
        for field in self.0.iter() {
            argv.push("GET");
            argv.arg(field);
        }
    }
}

#[cfg(test)]
mod tests;
