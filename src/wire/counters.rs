//! The wire form of increments.

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::command;
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::{Reply, items, unexpected};
use super::strings::{RENEWAL, expiry_of, parse_expiry};
use crate::error::{Error, Result};
use crate::number::{self, Extended};
use crate::ops::counters::*;
use crate::ops::strings::{Expiry, Renewal};
use crate::value::Value;

command!(Increment<'a>, "INCRBY" { key, by });
command!(IncrementFloat<'a>, "INCRBYFLOAT" { key, by });

/// `INCR key`.
pub(super) fn parse_increment<'a>(args: &mut Args<'a>) -> Result<Increment<'a>> {
    Ok(Increment { key: args.next()?, by: 1 })
}

/// `DECR key`.
pub(super) fn parse_decrement<'a>(args: &mut Args<'a>) -> Result<Increment<'a>> {
    Ok(Increment { key: args.next()?, by: -1 })
}

/// `DECRBY key decrement`.
pub(super) fn parse_decrement_by<'a>(args: &mut Args<'a>) -> Result<Increment<'a>> {
    let (key, by): (_, i64) = args.arg()?;
    let by = by.checked_neg().ok_or(Error::OutOfRange("decrement would overflow"))?;
    Ok(Increment { key, by })
}

command!(IncrementWith<'a>, "INCREX" { key, options } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        match output {
            Incremented::Integer(sum, applied) => (*sum, *applied).write(encoder),
            Incremented::Float(sum, applied) => {
                encoder.array(2);
                for text in [sum, applied] {
                    encoder.double_text(text);
                }
            }
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        if let Amount::Integer { .. } = self.options.amount {
            return Reply::read(frame).map(|(sum, applied)| Incremented::Integer(sum, applied));
        }
        match <[Frame; 2]>::try_from(items(frame)?) {
            Ok([sum, applied]) => Ok(Incremented::Float(decimal(sum)?, decimal(applied)?)),
            Err(items) => unexpected(&Frame::Array(items)),
        }
    }
});

/// A float in decimal, from either protocol.
fn decimal(frame: Frame) -> Result<Value> {
    match frame {
        Frame::Bulk(text) => Ok(text),
        Frame::Double(value) => {
            let exact = Extended::from_shortest(value).ok_or(Error::NotAFloat)?;
            Ok(Value::from(&exact.format()[..]))
        }
        other => unexpected(&other),
    }
}

/// The options of `INCREX` as they are given, before the kind of number is known.
#[derive(Default)]
struct Given<'a> {
    integer: Option<&'a [u8]>,
    float: Option<&'a [u8]>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturates: bool,
    keeps_deadline: bool,
}

impl<'a> Given<'a> {
    /// Takes one option that is not about the deadline. Each may be given once.
    fn take(&mut self, args: &mut Args<'a>) -> Result<()> {
        let flags = [("SATURATE", &mut self.saturates), ("ENX", &mut self.keeps_deadline)];
        for (word, flag) in flags {
            if args.keyword(word) {
                return if std::mem::replace(flag, true) { Err(SYNTAX) } else { Ok(()) };
            }
        }
        let numbers = [
            ("BYINT", &mut self.integer),
            ("BYFLOAT", &mut self.float),
            ("LBOUND", &mut self.lower),
            ("UBOUND", &mut self.upper),
        ];
        for (word, number) in numbers {
            if args.keyword(word) {
                let repeated = number.replace(args.next()?).is_some();
                return if repeated { Err(SYNTAX) } else { Ok(()) };
            }
        }
        Err(SYNTAX)
    }

    fn amount(&self) -> Result<Amount<'a>> {
        let Self { integer, float, lower, upper, .. } = *self;
        let Some(by) = float else {
            return Ok(Amount::Integer {
                by: self::integer(integer, "Increment is not an integer or out of range")?
                    .unwrap_or(1),
                lower: self::integer(lower, "LBOUND is not an integer or out of range")?,
                upper: self::integer(upper, "UBOUND is not an integer or out of range")?,
            });
        };
        check_float(Some(by), "Increment is not a valid float")?;
        check_float(lower, "LBOUND is not a valid float")?;
        check_float(upper, "UBOUND is not a valid float")?;
        Ok(Amount::Float { by, lower, upper })
    }
}

fn integer(text: Option<&[u8]>, complaint: &'static str) -> Result<Option<i64>> {
    let parse = |text| number::parse_integer(text).ok_or(Error::OutOfRange(complaint));
    text.map(parse).transpose()
}

fn check_float(text: Option<&[u8]>, complaint: &'static str) -> Result<()> {
    let is_float = text.is_none_or(|text| Extended::parse(text).is_some());
    if is_float { Ok(()) } else { Err(Error::OutOfRange(complaint)) }
}

/// The options of `INCREX`, in any order.
impl<'a> Arg<'a> for IncrementOptions<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut given = Given::default();
        let mut expiry = None;
        while !args.is_empty() {
            if expiry.is_some() {
                // Unlike elsewhere, not even the same word may come twice.
                given.take(args)?;
            } else if !parse_expiry(args, &mut expiry, &RENEWAL)? {
                given.take(args)?;
            }
        }
        if given.integer.is_some() && given.float.is_some() {
            return Err(SYNTAX);
        }
        let expiry = expiry_of(expiry)?.unwrap_or(Expiry::Keep);
        match expiry {
            Expiry::Keep if given.keeps_deadline => {
                return Err(Error::Syntax("ENX flag requires an expiration"));
            }
            Expiry::Never if given.keeps_deadline => return Err(SYNTAX),
            _ => {}
        }
        Ok(Self {
            amount: given.amount()?,
            saturates: given.saturates,
            renewal: Renewal(expiry),
            keeps_deadline: given.keeps_deadline,
        })
    }

    fn encode(&self, argv: &mut Argv) {
        match self.amount {
            Amount::Integer { by, lower, upper } => {
                encode_numbers([("BYINT", Some(by)), ("LBOUND", lower), ("UBOUND", upper)], argv);
            }
            Amount::Float { by, lower, upper } => {
                encode_numbers([("BYFLOAT", Some(by)), ("LBOUND", lower), ("UBOUND", upper)], argv);
            }
        }
        if self.saturates {
            argv.push("SATURATE");
        }
        argv.arg(&self.renewal);
        if self.keeps_deadline {
            argv.push("ENX");
        }
    }
}

fn encode_numbers<'a>(numbers: [(&str, Option<impl Arg<'a>>); 3], argv: &mut Argv) {
    for (word, number) in numbers {
        if let Some(number) = number {
            argv.push(word);
            argv.arg(&number);
        }
    }
}
