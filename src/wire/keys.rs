//! The wire form of the operations on keys.

use super::args::{Arg, Args, Argv, SYNTAX, parse_cursor};
use super::command::{Context, command};
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::{Reply, unexpected};
use crate::error::{Error, Result};
use crate::keyspace::Kind;
use crate::ops::encoding::{Encoding, EncodingOf};
use crate::ops::keys::*;
use crate::ops::scan::*;
use crate::ops::uses::*;
use crate::value::Value;

command!(Delete<'a>, "DEL" { key });
command!(DeleteMany<'a>, "DEL" { keys });
command!(Exists<'a>, "EXISTS" { key });
command!(ExistMany<'a>, "EXISTS" { keys });
command!(Touch<'a>, "TOUCH" { keys });
command!(ExpireIn<'a>, "PEXPIRE" { key, millis, condition });
command!(ExpireAt<'a>, "PEXPIREAT" { key, unix_millis, condition });
command!(TimeLeft<'a>, "PTTL" { key });
command!(Deadline<'a>, "PEXPIRETIME" { key });
command!(Persist<'a>, "PERSIST" { key });
command!(Rename<'a>, "RENAME" { from, to });
command!(RenameIfAbsent<'a>, "RENAMENX" { from, to });
command!(Copy<'a>, "COPY" { source, destination, options });
command!(Move<'a>, "MOVE" { key, database });
command!(Count, "DBSIZE" {});
command!(Clear, "FLUSHDB" { mode });
command!(ClearAll, "FLUSHALL" { mode });
command!(SwapDatabases, "SWAPDB" { databases });
command!(Scan<'a>, "SCAN" { cursor, options });
command!(Matching<'a>, "KEYS" { pattern });
command!(RandomKey, "RANDOMKEY" {});

command!(EncodingOf<'a>, "OBJECT" "ENCODING" { key } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        match output {
            Some(encoding) => encoder.bulk(encoding.name().as_bytes()),
            None => encoder.null(),
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        let Some(name) = Option::<Value>::read(frame)? else { return Ok(None) };
        let encoding = Encoding::ALL.into_iter().find(|encoding| name == encoding.name());
        encoding.map_or_else(|| unexpected(&Frame::Bulk(name)), |encoding| Ok(Some(encoding)))
    }
});

command!(IdleTime<'a>, "OBJECT" "IDLETIME" { key });
command!(Frequency<'a>, "OBJECT" "FREQ" { key });
command!(ReferenceCount<'a>, "OBJECT" "REFCOUNT" { key });

/// `OBJECT HELP`.
pub(super) fn object_help(
    _args: &mut Args<'_>,
    context: &mut Context<'_, '_>,
    encoder: &mut Encoder<'_>,
) -> Result<()> {
    let lines = [
        "ENCODING key",
        "    How the value of the key is represented.",
        "FREQ key",
        "    How often the key was used, under an LFU maxmemory-policy.",
        "IDLETIME key",
        "    The seconds since the key was used, under any other.",
        "REFCOUNT key",
        "    How many share the value of the key.",
    ];
    context.help("OBJECT", &lines, encoder);
    Ok(())
}

command!(TypeOf<'a>, "TYPE" { key } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        encoder.simple(output.map_or("none", Kind::name).as_bytes());
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        match &frame {
            Frame::Simple(name) if *name == "none" => Ok(None),
            Frame::Simple(name) => match Kind::from_name(name) {
                Some(kind) => Ok(Some(kind)),
                None => unexpected(&frame),
            },
            _ => unexpected(&frame),
        }
    }
});

command!(SecondsLeft<'a>, "TTL" { key } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        in_seconds(*output).write(encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        from_seconds(frame)
    }
});

command!(DeadlineSeconds<'a>, "EXPIRETIME" { key } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        in_seconds(*output).write(encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        from_seconds(frame)
    }
});

/// `EXPIRE key seconds [condition]`.
pub(super) fn parse_expire_seconds<'a>(args: &mut Args<'a>) -> Result<ExpireIn<'a>> {
    let (key, millis, condition) = parse_expire(args, 1000)?;
    Ok(ExpireIn { key, millis, condition })
}

/// `PEXPIRE key milliseconds [condition]`.
pub(super) fn parse_expire_millis<'a>(args: &mut Args<'a>) -> Result<ExpireIn<'a>> {
    let (key, millis, condition) = parse_expire(args, 1)?;
    Ok(ExpireIn { key, millis, condition })
}

/// `EXPIREAT key unix-time-seconds [condition]`.
pub(super) fn parse_expire_at_seconds<'a>(args: &mut Args<'a>) -> Result<ExpireAt<'a>> {
    let (key, unix_millis, condition) = parse_expire(args, 1000)?;
    Ok(ExpireAt { key, unix_millis, condition })
}

/// `PEXPIREAT key unix-time-milliseconds [condition]`.
pub(super) fn parse_expire_at_millis<'a>(args: &mut Args<'a>) -> Result<ExpireAt<'a>> {
    let (key, unix_millis, condition) = parse_expire(args, 1)?;
    Ok(ExpireAt { key, unix_millis, condition })
}

/// Redis minds the condition before the number.
fn parse_expire<'a>(args: &mut Args<'a>, unit: i64) -> Result<(&'a [u8], i64, ExpireCondition)> {
    let (key, number): (_, &[u8]) = args.arg()?;
    let condition = args.arg()?;
    args.finish()?;
    let number = crate::number::parse_integer(number).ok_or(Error::NotAnInteger)?;
    Ok((key, number.checked_mul(unit).ok_or(Error::InvalidExpire)?, condition))
}

/// The flags of `EXPIRE` and its kin, in any order.
impl<'a> Arg<'a> for ExpireCondition {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let [mut nx, mut xx, mut gt, mut lt] = [false; 4];
        while !args.is_empty() {
            match () {
                () if args.keyword("NX") => nx = true,
                () if args.keyword("XX") => xx = true,
                () if args.keyword("GT") => gt = true,
                () if args.keyword("LT") => lt = true,
                () => return Err(Error::UnsupportedOption(Value::from(args.next()?))),
            }
        }
        match (nx, xx, gt, lt) {
            (true, xx, gt, lt) if xx || gt || lt => Err(Error::Syntax(
                "NX and XX, GT or LT options at the same time are not compatible",
            )),
            (_, _, true, true) => {
                Err(Error::Syntax("GT and LT options at the same time are not compatible"))
            }
            (true, ..) => Ok(Self::IfNone),
            (_, true, false, false) => Ok(Self::IfAny),
            // What is later than a deadline has one to be later than.
            (_, _, true, _) => Ok(Self::IfLater),
            (_, false, _, true) => Ok(Self::IfEarlier),
            (_, true, _, true) => Ok(Self::IfAnyAndEarlier),
            (false, false, false, false) => Ok(Self::Always),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        match self {
            Self::Always => {}
            Self::IfNone => argv.push("NX"),
            Self::IfAny => argv.push("XX"),
            Self::IfLater => argv.push("GT"),
            Self::IfEarlier => argv.push("LT"),
            Self::IfAnyAndEarlier => {
                argv.push("XX");
                argv.push("LT");
            }
        }
    }
}

const NO_KEY: i64 = -2;
const FOREVER: i64 = -1;

impl Reply for Lifetime {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer(match *self {
            Self::NoKey => NO_KEY,
            Self::Forever => FOREVER,
            Self::Millis(millis) => millis,
        });
    }

    fn read(frame: Frame) -> Result<Self> {
        Ok(match i64::read(frame)? {
            NO_KEY => Self::NoKey,
            FOREVER => Self::Forever,
            millis => Self::Millis(millis),
        })
    }
}

/// The same in seconds, to the nearest.
fn in_seconds(lifetime: Lifetime) -> Lifetime {
    match lifetime {
        Lifetime::Millis(millis) => Lifetime::Millis(millis.saturating_add(500) / 1000),
        other => other,
    }
}

fn from_seconds(frame: Frame) -> Result<Lifetime> {
    Ok(match Lifetime::read(frame)? {
        Lifetime::Millis(seconds) => Lifetime::Millis(seconds.saturating_mul(1000)),
        other => other,
    })
}

/// The options of `COPY`, in any order.
impl<'a> Arg<'a> for CopyOptions {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while !args.is_empty() {
            match () {
                () if args.keyword("REPLACE") => options.replace = true,
                () if args.len() > 1 && args.keyword("DB") => options.database = Some(args.arg()?),
                () => return Err(SYNTAX),
            }
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(database) = &self.database {
            argv.push("DB");
            argv.arg(database);
        }
        if self.replace {
            argv.push("REPLACE");
        }
    }
}

/// Two databases, each of which Redis has its own words for.
impl<'a> Arg<'a> for (DatabaseNumber, DatabaseNumber) {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut number = |refusal| {
            let number = crate::number::parse_integer(args.next()?);
            let number = number.filter(|number| i32::try_from(*number).is_ok());
            number.ok_or(Error::OutOfRange(refusal))
        };
        let first = number("invalid first DB index")?;
        let second = number("invalid second DB index")?;
        let database = |number| u16::try_from(number).map_err(|_| Error::NoSuchDatabase);
        Ok((DatabaseNumber(database(first)?), DatabaseNumber(database(second)?)))
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.0.0);
        argv.integer(self.1.0);
    }
}

/// The number of a database.
impl<'a> Arg<'a> for u16 {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let number = i32::try_from(args.integer()?).map_err(|_| {
            Error::OutOfRange(
                "value is out of range, value must between -2147483648 and 2147483647",
            )
        });
        Self::try_from(number?).map_err(|_| Error::NoSuchDatabase)
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(*self);
    }
}

impl<'a> Arg<'a> for ClearMode {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match () {
            () if args.keyword("ASYNC") => Ok(Self::Async),
            () if args.keyword("SYNC") => Ok(Self::Sync),
            () => Ok(Self::Default),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        match self {
            Self::Default => {}
            Self::Async => argv.push("ASYNC"),
            Self::Sync => argv.push("SYNC"),
        }
    }
}

/// A cursor.
impl<'a> Arg<'a> for u64 {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        parse_cursor(args.next()?).ok_or(Error::Syntax("invalid cursor"))
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(*self);
    }
}

/// The options of `SCAN`, in any order.
impl<'a> Arg<'a> for ScanOptions<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while !args.is_empty() {
            match () {
                () if args.len() < 2 => return Err(SYNTAX),
                () if args.keyword("MATCH") => options.pattern = Some(args.next()?),
                () if args.keyword("TYPE") => options.kind = Some(args.next()?),
                () if args.keyword("COUNT") => {
                    let count = u64::try_from(args.integer()?).ok();
                    options.count = count.filter(|count| *count > 0).ok_or(SYNTAX)?;
                }
                () => return Err(SYNTAX),
            }
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(pattern) = &self.pattern {
            argv.push("MATCH");
            argv.arg(pattern);
        }
        argv.push("COUNT");
        argv.integer(self.count);
        if let Some(kind) = &self.kind {
            argv.push("TYPE");
            argv.arg(kind);
        }
    }
}

/// The cursor as text, then the keys.
impl Reply for Page {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.array(2);
        encoder.bulk(itoa::Buffer::new().format(self.cursor).as_bytes());
        self.keys.write(encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let (cursor, keys) = <(Value, Vec<Value>)>::read(frame)?;
        match parse_cursor(&cursor) {
            Some(cursor) => Ok(Self { cursor, keys }),
            None => unexpected(&Frame::Bulk(cursor)),
        }
    }
}
