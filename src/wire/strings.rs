//! The wire form of the string operations.

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::command;
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::{Reply, unexpected};
use crate::error::{Error, Result};
use crate::ops::strings::*;

command!(Get<'a>, "GET" { key });
command!(GetMany<'a>, "MGET" { keys });

command!(Set<'a>, "SET" { key, value, options } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        match output {
            SetOutcome::Previous(value) => value.write(encoder),
            SetOutcome::Done(true) => encoder.simple(b"OK"),
            SetOutcome::Done(false) => encoder.null(),
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        match frame {
            frame if self.options.get => Reply::read(frame).map(SetOutcome::Previous),
            Frame::Null => Ok(SetOutcome::Done(false)),
            Frame::Simple(_) => Ok(SetOutcome::Done(true)),
            other => unexpected(&other),
        }
    }
});

/// `SETEX key seconds value`.
pub(super) fn parse_set_seconds<'a>(args: &mut Args<'a>) -> Result<Set<'a>> {
    let key = args.next()?;
    let expiry = Expiry::In(millis(args.integer()?, 1000)?);
    let value = args.next()?;
    args.finish()?;
    Ok(Set { key, value, options: SetOptions { expiry, ..SetOptions::default() } })
}

/// Milliseconds of a positive number of units.
fn millis(number: i64, unit: i64) -> Result<i64> {
    number.checked_mul(unit).filter(|millis| *millis > 0).ok_or(Error::InvalidExpire)
}

/// The options of `SET`, in any order.
impl<'a> Arg<'a> for SetOptions<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while !args.is_empty() {
            if args.keyword("GET") {
                options.get = true;
            } else if let Some(expiry) = parse_expiry(args)? {
                if options.expiry != Expiry::Never {
                    return Err(SYNTAX);
                }
                options.expiry = expiry;
            } else {
                if options.condition != Condition::Always {
                    return Err(SYNTAX);
                }
                options.condition = parse_condition(args)?;
            }
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        match self.condition {
            Condition::Always => {}
            Condition::IfAbsent => argv.push("NX"),
            Condition::IfPresent => argv.push("XX"),
            Condition::IfEqual(value) => {
                argv.push("IFEQ");
                argv.push(value);
            }
            Condition::IfNotEqual(value) => {
                argv.push("IFNE");
                argv.push(value);
            }
        }
        if self.get {
            argv.push("GET");
        }
        encode_expiry(self.expiry, argv);
    }
}

fn parse_condition<'a>(args: &mut Args<'a>) -> Result<Condition<'a>> {
    if args.keyword("NX") {
        Ok(Condition::IfAbsent)
    } else if args.keyword("XX") {
        Ok(Condition::IfPresent)
    } else if args.keyword("IFEQ") {
        args.next().map(Condition::IfEqual)
    } else if args.keyword("IFNE") {
        args.next().map(Condition::IfNotEqual)
    } else {
        Err(SYNTAX)
    }
}

fn parse_expiry(args: &mut Args<'_>) -> Result<Option<Expiry>> {
    let expiry = if args.keyword("KEEPTTL") {
        Expiry::Keep
    } else if args.keyword("EX") {
        Expiry::In(millis(args.integer()?, 1000)?)
    } else if args.keyword("PX") {
        Expiry::In(millis(args.integer()?, 1)?)
    } else if args.keyword("EXAT") {
        Expiry::At(millis(args.integer()?, 1000)?)
    } else if args.keyword("PXAT") {
        Expiry::At(millis(args.integer()?, 1)?)
    } else {
        return Ok(None);
    };
    Ok(Some(expiry))
}

fn encode_expiry(expiry: Expiry, argv: &mut Argv) {
    let (word, millis) = match expiry {
        Expiry::Never => return,
        Expiry::Keep => return argv.push("KEEPTTL"),
        Expiry::In(millis) => ("PX", millis),
        Expiry::At(millis) => ("PXAT", millis),
    };
    argv.push(word);
    argv.integer(millis);
}
