//! The wire form of the hash operations.

use std::borrow::Cow;

use super::args::{Arg, Args, Argv, SYNTAX, parse_cursor};
use super::command::{Family, command};
use super::encoder::{Encoder, Protocol};
use super::frame::Frame;
use super::reply::{Reply, items, unexpected};
use super::sorted_set::parse_sample;
use super::strings::encode_expiry;
use crate::error::{Error, Result};
use crate::number::{self, Extended};
use crate::ops::hash::*;
use crate::ops::keys::{ExpireCondition, Lifetime};
use crate::ops::strings::Expiry;
use crate::value::Value;

command!(Get<'a>, "HGET" { key, field });
command!(GetMany<'a>, "HMGET" { key, fields });
command!(GetAll<'a>, "HGETALL" { key } in place |all, space, encoder| {
    read_all_with(space, all.key, |hash| {
        encoder.map(hash.len());
        for field in hash.iter() {
            encoder.bulk(field.name);
            encoder.bulk(field.bytes);
        }
    })
});
command!(Names<'a>, "HKEYS" { key });
command!(Values<'a>, "HVALS" { key });
command!(Length<'a>, "HLEN" { key });
command!(ValueLength<'a>, "HSTRLEN" { key, field });
command!(Exists<'a>, "HEXISTS" { key, field });
command!(Set<'a>, "HSET" { key, pairs });
command!(SetMany<'a>, "HMSET" { key, pairs });
command!(SetIfAbsent<'a>, "HSETNX" { key, field, value });
command!(Remove<'a>, "HDEL" { key, fields });
command!(Increment<'a>, "HINCRBY" { key, field, by });
command!(IncrementFloat<'a>, "HINCRBYFLOAT" { key, field, by });
command!(ExpireIn<'a>, "HPEXPIRE" { key, millis, expiring });
command!(ExpireAt<'a>, "HPEXPIREAT" { key, unix_millis, expiring });
command!(TimeLeft<'a>, "HPTTL" { key, fields });
command!(Deadline<'a>, "HPEXPIRETIME" { key, fields });
command!(Persist<'a>, "HPERSIST" { key, fields });
command!(GetAndExpire<'a>, "HGETEX" { key, renewal, fields });
command!(GetAndDelete<'a>, "HGETDEL" { key, fields });
command!(SetWith<'a>, "HSETEX" { key, options, pairs });

/// Answers in seconds, rounded up.
macro_rules! seconds_command {
    ($operation:ident, $name:literal) => {
        command!($operation<'a>, $name { key, fields } {
            fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
                encoder.array(output.len());
                output.iter().for_each(|lifetime| in_seconds(*lifetime).write(encoder));
            }

            fn decode(&self, frame: Frame) -> Result<Self::Output> {
                let lifetimes = Vec::<Lifetime>::read(frame)?.into_iter();
                Ok(lifetimes.map(from_seconds).collect())
            }
        });
    };
}

seconds_command!(SecondsLeft, "HTTL");
seconds_command!(DeadlineSeconds, "HEXPIRETIME");

fn in_seconds(lifetime: Lifetime) -> Lifetime {
    match lifetime {
        Lifetime::Millis(millis) => Lifetime::Millis(millis.saturating_add(999) / 1000),
        other => other,
    }
}

fn from_seconds(lifetime: Lifetime) -> Lifetime {
    match lifetime {
        Lifetime::Millis(seconds) => Lifetime::Millis(seconds.saturating_mul(1000)),
        other => other,
    }
}

command!(RandomFields<'a>, "HRANDFIELD" { key, sample } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        match output {
            Sampled::One(field) => field.write(encoder),
            Sampled::Many(Fields::Names(names)) => names.write(encoder),
            Sampled::Many(Fields::Pairs(Pairs(pairs))) => {
                if encoder.protocol() == Protocol::Resp3 {
                    pairs.write(encoder);
                } else {
                    write_flat(pairs, encoder);
                }
            }
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        Ok(match self.sample {
            None => Sampled::One(Reply::read(frame)?),
            Some(Sample { with_values: false, .. }) => {
                Sampled::Many(Fields::Names(Reply::read(frame)?))
            }
            Some(_) => Sampled::Many(Fields::Pairs(Pairs(read_pairs(frame)?))),
        })
    }
});

command!(ScanFields<'a>, "HSCAN" { key, cursor, options } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        encoder.array(2);
        encoder.bulk(itoa::Buffer::new().format(output.cursor).as_bytes());
        match &output.fields {
            Fields::Names(names) => names.write(encoder),
            Fields::Pairs(Pairs(pairs)) => write_flat(pairs, encoder),
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        let items: Result<[Frame; 2], _> = items(frame)?.try_into();
        let [cursor, fields] = match items {
            Ok(items) => items,
            Err(items) => return unexpected(&Frame::Array(items)),
        };
        let cursor = Value::read(cursor)?;
        let Some(cursor) = parse_cursor(&cursor) else {
            return unexpected(&Frame::Bulk(cursor));
        };
        let fields = match self.options.with_values {
            true => Fields::Pairs(Pairs(read_pairs(fields)?)),
            false => Fields::Names(Reply::read(fields)?),
        };
        Ok(FieldPage { cursor, fields })
    }
});

/// Names and values in turn, in an array.
fn write_flat(pairs: &[(Value, Value)], encoder: &mut Encoder<'_>) {
    encoder.array(pairs.len() * 2);
    for (name, value) in pairs {
        encoder.bulk(name);
        encoder.bulk(value);
    }
}

/// Reads pairs however they are written: as a map, nested or in turn.
fn read_pairs(frame: Frame) -> Result<Vec<(Value, Value)>> {
    if let Frame::Map(pairs) = frame {
        let pair = |(name, value)| Ok((Value::read(name)?, Value::read(value)?));
        return pairs.into_iter().map(pair).collect();
    }
    let items = items(frame)?;
    if matches!(items.first(), Some(Frame::Array(_))) {
        return items.into_iter().map(Reply::read).collect();
    }
    let mut items = items.into_iter();
    let mut pairs = Vec::with_capacity(items.len() / 2);
    while let Some(name) = items.next() {
        let value = items.next().unwrap_or(Frame::Null);
        pairs.push((Value::read(name)?, Value::read(value)?));
    }
    Ok(pairs)
}

/// A map.
impl Reply for Pairs {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.map(self.0.len());
        for (name, value) in &self.0 {
            encoder.bulk(name);
            encoder.bulk(value);
        }
    }

    fn read(frame: Frame) -> Result<Self> {
        read_pairs(frame).map(Self)
    }
}

impl Reply for Expired {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer(match self {
            Self::NoField => -2,
            Self::Refused => 0,
            Self::Set => 1,
            Self::Removed => 2,
        });
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Integer(-2) => Ok(Self::NoField),
            Frame::Integer(0) => Ok(Self::Refused),
            Frame::Integer(1) => Ok(Self::Set),
            Frame::Integer(2) => Ok(Self::Removed),
            other => unexpected(&other),
        }
    }
}

impl Reply for Persisted {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer(match self {
            Self::NoField => -2,
            Self::NoDeadline => -1,
            Self::Done => 1,
        });
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Integer(-2) => Ok(Self::NoField),
            Frame::Integer(-1) => Ok(Self::NoDeadline),
            Frame::Integer(1) => Ok(Self::Done),
            other => unexpected(&other),
        }
    }
}

/// `HSET` and `HMSET`, which call a field without a value a wrong number of arguments.
pub(super) fn parse_set<'a>(args: &mut Args<'a>) -> Result<Set<'a>> {
    check_pairs(args, "HSET")?;
    <Set<'_> as Family>::parse(args)
}

pub(super) fn parse_set_many<'a>(args: &mut Args<'a>) -> Result<SetMany<'a>> {
    check_pairs(args, "HMSET")?;
    <SetMany<'_> as Family>::parse(args)
}

fn check_pairs(args: &Args<'_>, name: &'static str) -> Result<()> {
    if args.len().is_multiple_of(2) { Err(Error::Arity(name)) } else { Ok(()) }
}

/// `HINCRBY key field increment`, whose errors tell an increment that is no integer from a field
/// that holds none.
pub(super) fn parse_increment<'a>(args: &mut Args<'a>) -> Result<Increment<'a>> {
    let (key, field): (_, &[u8]) = args.arg()?;
    let by = number::parse_integer(args.next()?);
    let by = by.ok_or(Error::OutOfRange("value is not an integer or out of range"))?;
    Ok(Increment { key, field, by })
}

/// `HINCRBYFLOAT key field increment`, likewise.
pub(super) fn parse_increment_float<'a>(args: &mut Args<'a>) -> Result<IncrementFloat<'a>> {
    let ((key, field), by): ((_, &[u8]), &[u8]) = args.arg()?;
    match Extended::parse(by) {
        None => Err(Error::OutOfRange("value is not a valid float")),
        Some(number) if number.is_infinite() => Err(Error::OutOfRange("value is NaN or Infinity")),
        Some(_) => Ok(IncrementFloat { key, field, by }),
    }
}

/// `HEXPIRE key seconds [condition] FIELDS numfields field [field ...]`.
pub(super) fn parse_expire_seconds<'a>(args: &mut Args<'a>) -> Result<ExpireIn<'a>> {
    let (key, millis) = (args.next()?, seconds(args)?);
    Ok(ExpireIn { key, millis, expiring: args.arg()? })
}

/// `HEXPIREAT key unix-time-seconds [condition] FIELDS numfields field [field ...]`.
pub(super) fn parse_expire_at_seconds<'a>(args: &mut Args<'a>) -> Result<ExpireAt<'a>> {
    let (key, unix_millis) = (args.next()?, seconds(args)?);
    Ok(ExpireAt { key, unix_millis, expiring: args.arg()? })
}

/// Milliseconds of seconds; what overflows is later than any deadline may be.
fn seconds(args: &mut Args<'_>) -> Result<i64> {
    Ok(args.integer()?.saturating_mul(1000))
}

const NO_FIELDS: Error =
    Error::Syntax("Mandatory argument FIELDS is missing or not at the right position");
const OTHER_COUNT: Error =
    Error::Syntax("The `numfields` parameter must match the number of arguments");

/// `FIELDS numfields field [field ...]`. Nothing at all is what a batch says of an empty list.
fn parse_fields<'a>(args: &mut Args<'a>, no_count: &'static str) -> Result<Cow<'a, [&'a [u8]]>> {
    if args.is_empty() {
        return Ok(Cow::Borrowed(&[]));
    }
    args.expect("FIELDS").map_err(|_| NO_FIELDS)?;
    let count = args.peek().and_then(number::parse_integer).filter(|count| *count > 0);
    let count = count.ok_or(Error::OutOfRange(no_count))?;
    args.next()?;
    if usize::try_from(count) != Ok(args.len()) {
        return Err(OTHER_COUNT);
    }
    Ok(Cow::Borrowed(args.take_rest()))
}

fn encode_fields(fields: &[&[u8]], argv: &mut Argv) {
    if !fields.is_empty() {
        argv.push("FIELDS");
        argv.integer(fields.len());
        fields.iter().for_each(|field| argv.push(field));
    }
}

impl<'a> Arg<'a> for FieldNames<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        parse_fields(args, "Number of fields must be a positive integer").map(Self)
    }

    fn encode(&self, argv: &mut Argv) {
        encode_fields(&self.0, argv);
    }
}

/// `[NX | XX | GT | LT] FIELDS numfields field [field ...]`.
impl<'a> Arg<'a> for Expiring<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let condition = match () {
            () if args.keyword("NX") => ExpireCondition::IfNone,
            () if args.keyword("XX") => ExpireCondition::IfAny,
            () if args.keyword("GT") => ExpireCondition::IfLater,
            () if args.keyword("LT") => ExpireCondition::IfEarlier,
            () => ExpireCondition::Always,
        };
        let fields = parse_fields(args, "Parameter `numFields` should be greater than 0")?;
        Ok(Self { condition, fields })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.arg(&self.condition);
        encode_fields(&self.fields, argv);
    }
}

/// `[EX seconds | PX millis | EXAT time | PXAT millis-time | PERSIST]`.
impl<'a> Arg<'a> for FieldRenewal {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut expiry = None;
        parse_deadline(args, &mut expiry, ("PERSIST", Expiry::Never))?;
        Ok(expiry.map_or_else(Self::default, Self))
    }

    fn encode(&self, argv: &mut Argv) {
        match self.0 {
            Expiry::Never => argv.push("PERSIST"),
            Expiry::Keep => {}
            expiry => encode_expiry(expiry, argv),
        }
    }
}

/// The options of `HSETEX`, in any order, before `FIELDS`.
impl<'a> Arg<'a> for SetOptions {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let (mut condition, mut expiry) = (None, None);
        while let Some(word) = args.peek().filter(|word| !word.eq_ignore_ascii_case(b"FIELDS")) {
            if parse_deadline(args, &mut expiry, ("KEEPTTL", Expiry::Keep))? {
                continue;
            }
            let found = match () {
                () if args.keyword("FNX") => FieldCondition::IfAbsent,
                () if args.keyword("FXX") => FieldCondition::IfPresent,
                () => {
                    let given = Value::from(word);
                    return Err(Error::UnknownOption { command: "HSETEX", given });
                }
            };
            if condition.replace(found).is_some() {
                return Err(Error::Syntax("Only one of FXX or FNX arguments can be specified"));
            }
        }
        let condition = condition.unwrap_or_default();
        Ok(Self { condition, expiry: expiry.unwrap_or_default() })
    }

    fn encode(&self, argv: &mut Argv) {
        match self.condition {
            FieldCondition::Always => {}
            FieldCondition::IfAbsent => argv.push("FNX"),
            FieldCondition::IfPresent => argv.push("FXX"),
        }
        encode_expiry(self.expiry, argv);
    }
}

/// Reads what becomes of deadlines if a word of that comes next; `other` is the one that takes no
/// number. There may be one such word.
fn parse_deadline(
    args: &mut Args<'_>,
    known: &mut Option<Expiry>,
    other: (&str, Expiry),
) -> Result<bool> {
    /// A word, the milliseconds of its unit, and the deadline that it means.
    type Word = (&'static str, i64, fn(i64) -> Expiry);
    const WORDS: [Word; 4] = [
        ("EX", 1000, Expiry::In),
        ("PX", 1, Expiry::In),
        ("EXAT", 1000, Expiry::At),
        ("PXAT", 1, Expiry::At),
    ];
    let is_other = args.keyword(other.0);
    let word = WORDS.iter().find(|(word, ..)| !is_other && args.keyword(word));
    if !is_other && word.is_none() {
        return Ok(false);
    }
    if known.is_some() {
        return Err(Error::Syntax(
            "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
        ));
    }
    *known = Some(match word {
        None => other.1,
        Some(_) if args.is_empty() => return Err(Error::Syntax("missing expire time")),
        // What overflows is later than any deadline may be.
        Some((_, unit, expiry)) => expiry(args.integer()?.saturating_mul(*unit)),
    });
    Ok(true)
}

/// `FIELDS numfields field value [field value ...]`.
impl<'a> Arg<'a> for FieldPairs<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        if args.is_empty() {
            return Ok(Self::default());
        }
        args.expect("FIELDS").map_err(|_| NO_FIELDS)?;
        if args.len() < 3 {
            return Err(Error::Arity("HSETEX"));
        }
        let count = number::parse_integer(args.next()?);
        let count = count.filter(|count| (1..=i64::from(i32::MAX)).contains(count));
        let count = count.ok_or(Error::OutOfRange("invalid number of fields"))?;
        if !args.len().is_multiple_of(2) || count != (args.len() / 2) as i64 {
            return Err(Error::Arity("HSETEX"));
        }
        args.arg().map(Self)
    }

    fn encode(&self, argv: &mut Argv) {
        if !self.0.is_empty() {
            argv.push("FIELDS");
            argv.integer(self.0.len());
            argv.arg(&self.0);
        }
    }
}

/// `[count [WITHVALUES]]`.
impl<'a> Arg<'a> for Option<Sample> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let sample = parse_sample(args, "WITHVALUES")?;
        Ok(sample.map(|(count, with_values)| Sample { count, with_values }))
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(Sample { count, with_values }) = self {
            argv.integer(*count);
            if *with_values {
                argv.push("WITHVALUES");
            }
        }
    }
}

/// The options of `HSCAN`, in any order.
impl<'a> Arg<'a> for FieldScan<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while !args.is_empty() {
            match () {
                () if args.len() > 1 && args.keyword("MATCH") => {
                    options.pattern = Some(args.next()?);
                }
                () if args.len() > 1 && args.keyword("COUNT") => {
                    let count = args.integer()?;
                    if count < 1 {
                        return Err(SYNTAX);
                    }
                    options.count = usize::try_from(count).unwrap_or(usize::MAX);
                }
                () if args.keyword("NOVALUES") => options.with_values = false,
                () => return Err(SYNTAX),
            }
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(pattern) = self.pattern {
            argv.push("MATCH");
            argv.push(pattern);
        }
        argv.push("COUNT");
        argv.integer(self.count);
        if !self.with_values {
            argv.push("NOVALUES");
        }
    }
}

#[cfg(test)]
mod tests;
