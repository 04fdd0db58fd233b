//! The wire form of the string operations.

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::{Family, command};
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::{Reply, unexpected};
use crate::error::{Error, Result};
use crate::ops::strings::*;

command!(Get<'a>, "GET" { key });
command!(GetMany<'a>, "MGET" { keys });
command!(GetAndDelete<'a>, "GETDEL" { key });
command!(GetAndExpire<'a>, "GETEX" { key, renewal });
command!(Length<'a>, "STRLEN" { key });
command!(GetRange<'a>, "GETRANGE" { key, start, end });
command!(SetRange<'a>, "SETRANGE" { key, offset, bytes });
command!(Append<'a>, "APPEND" { key, tail });
command!(SetIfAbsent<'a>, "SETNX" { key, value });
command!(SetMany<'a>, "MSET" { pairs });
command!(SetManyIfAbsent<'a>, "MSETNX" { pairs });
command!(DeleteIf<'a>, "DELEX" { key, condition });

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
    parse_set_in(args, SECOND)
}

/// `PSETEX key milliseconds value`.
pub(super) fn parse_set_millis<'a>(args: &mut Args<'a>) -> Result<Set<'a>> {
    parse_set_in(args, 1)
}

fn parse_set_in<'a>(args: &mut Args<'a>, unit: i64) -> Result<Set<'a>> {
    let key = args.next()?;
    let expiry = Expiry::In(millis(args.integer()?, unit));
    let value = args.next()?;
    args.finish()?;
    Ok(Set { key, value, options: SetOptions { expiry, ..SetOptions::default() } })
}

/// `GETSET key value`.
pub(super) fn parse_get_set<'a>(args: &mut Args<'a>) -> Result<Set<'a>> {
    let (key, value) = args.arg()?;
    args.finish()?;
    Ok(Set { key, value, options: SetOptions { get: true, ..SetOptions::default() } })
}

/// `MSET` and `MSETNX`, which call a key without a value a wrong number of arguments.
pub(super) fn parse_set_many<'a>(args: &mut Args<'a>) -> Result<SetMany<'a>> {
    check_pairs(args, "MSET")?;
    <SetMany<'_> as Family>::parse(args)
}

pub(super) fn parse_set_many_if_absent<'a>(args: &mut Args<'a>) -> Result<SetManyIfAbsent<'a>> {
    check_pairs(args, "MSETNX")?;
    <SetManyIfAbsent<'_> as Family>::parse(args)
}

fn check_pairs(args: &Args<'_>, name: &'static str) -> Result<()> {
    if args.len().is_multiple_of(2) { Ok(()) } else { Err(Error::Arity(name)) }
}

/// The options of `SET`, in any order.
impl<'a> Arg<'a> for SetOptions<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut condition = None;
        let mut expiry = None;
        let mut get = false;
        while !args.is_empty() {
            if args.keyword("GET") {
                get = true;
            } else if !parse_expiry(args, &mut expiry, &SET_EXPIRY)? {
                parse_condition(args, &mut condition)?;
            }
        }
        let expiry = expiry_of(expiry)?.unwrap_or_default();
        Ok(Self { condition: condition.unwrap_or_default(), expiry, get })
    }

    #[inline(always)]
    fn encode(&self, argv: &mut Argv) {
        match self.condition {
            Condition::Always => {}
            Condition::IfAbsent => argv.push("NX"),
            Condition::IfPresent => argv.push("XX"),
            Condition::IfEqual(value) => argv.arg(&(&b"IFEQ"[..], value)),
            Condition::IfNotEqual(value) => argv.arg(&(&b"IFNE"[..], value)),
        }
        if self.get {
            argv.push("GET");
        }
        encode_expiry(self.expiry, argv);
    }
}

/// Reads a condition. Saying the same again is allowed, contradicting it is not.
fn parse_condition<'a>(args: &mut Args<'a>, known: &mut Option<Condition<'a>>) -> Result<()> {
    let condition = if args.keyword("NX") {
        Condition::IfAbsent
    } else if args.keyword("XX") {
        Condition::IfPresent
    } else if args.keyword("IFEQ") {
        Condition::IfEqual(args.next()?)
    } else if args.keyword("IFNE") {
        Condition::IfNotEqual(args.next()?)
    } else {
        return Err(SYNTAX);
    };
    match known.replace(condition) {
        Some(other) if other != condition => Err(SYNTAX),
        _ => Ok(()),
    }
}

/// Which deadline an option names, and its argument before it is read as a number: a command
/// minds contradictions between its options first.
pub(super) type ExpiryOption<'a> = Option<(&'static ExpiryWord, &'a [u8])>;

pub(super) struct ExpiryWord {
    word: &'static str,
    /// The deadline of a number, if the word takes one.
    of_number: Option<fn(i64) -> Expiry>,
    of_word: Expiry,
}

const SECOND: i64 = 1000;

const EX: ExpiryWord = number("EX", |seconds| Expiry::In(millis(seconds, SECOND)));
const PX: ExpiryWord = number("PX", |number| Expiry::In(millis(number, 1)));
const EXAT: ExpiryWord = number("EXAT", |seconds| Expiry::At(millis(seconds, SECOND)));
const PXAT: ExpiryWord = number("PXAT", |number| Expiry::At(millis(number, 1)));

/// What `SET` knows.
pub(super) static SET_EXPIRY: [ExpiryWord; 5] = [EX, PX, EXAT, PXAT, word("KEEPTTL", Expiry::Keep)];
/// What `GETEX` and `INCREX` know.
pub(super) static RENEWAL: [ExpiryWord; 5] = [EX, PX, EXAT, PXAT, word("PERSIST", Expiry::Never)];

const fn number(word: &'static str, of_number: fn(i64) -> Expiry) -> ExpiryWord {
    ExpiryWord { word, of_number: Some(of_number), of_word: Expiry::Never }
}

const fn word(word: &'static str, of_word: Expiry) -> ExpiryWord {
    ExpiryWord { word, of_number: None, of_word }
}

/// Milliseconds of a number of units; what overflows is as invalid as what is negative.
fn millis(number: i64, unit: i64) -> i64 {
    number.checked_mul(unit).unwrap_or(i64::MIN)
}

/// Reads a deadline if one of `words` comes next. Saying the same word again is allowed, another
/// word is not.
pub(super) fn parse_expiry<'a>(
    args: &mut Args<'a>,
    known: &mut ExpiryOption<'a>,
    words: &'static [ExpiryWord],
) -> Result<bool> {
    let Some(found) = words.iter().find(|option| args.keyword(option.word)) else {
        return Ok(false);
    };
    let argument = if found.of_number.is_some() { args.next()? } else { &[] };
    match known.replace((found, argument)) {
        Some((other, _)) if other.word != found.word => Err(SYNTAX),
        _ => Ok(true),
    }
}

/// The deadline that was read.
pub(super) fn expiry_of(option: ExpiryOption<'_>) -> Result<Option<Expiry>> {
    let Some((word, argument)) = option else { return Ok(None) };
    let Some(of_number) = word.of_number else { return Ok(Some(word.of_word)) };
    let number = crate::number::parse_integer(argument).ok_or(Error::NotAnInteger)?;
    Ok(Some(of_number(number)))
}

#[inline(always)]
pub(super) fn encode_expiry(expiry: Expiry, argv: &mut Argv) {
    let (word, millis) = match expiry {
        Expiry::Never => return,
        Expiry::Keep => return argv.push("KEEPTTL"),
        Expiry::In(millis) => ("PX", millis),
        Expiry::At(millis) => ("PXAT", millis),
    };
    argv.push(word);
    argv.integer(millis);
}

/// The options of `GETEX`.
impl<'a> Arg<'a> for Renewal {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut expiry = None;
        while !args.is_empty() {
            if !parse_expiry(args, &mut expiry, &RENEWAL)? {
                return Err(SYNTAX);
            }
        }
        Ok(expiry_of(expiry)?.map_or_else(Self::default, Self))
    }

    fn encode(&self, argv: &mut Argv) {
        match self.0 {
            Expiry::Never => argv.push("PERSIST"),
            Expiry::Keep => {}
            expiry => encode_expiry(expiry, argv),
        }
    }
}

impl<'a> Arg<'a> for DeleteCondition<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match args.len() {
            0 => Ok(Self::Always),
            2 if args.keyword("IFEQ") => args.next().map(Self::IfEqual),
            2 if args.keyword("IFNE") => args.next().map(Self::IfNotEqual),
            2 => Err(Error::Syntax("Invalid condition. Use IFEQ or IFNE")),
            _ => Err(Error::Arity("DELEX")),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        match *self {
            Self::Always => {}
            Self::IfEqual(value) => argv.arg(&(&b"IFEQ"[..], value)),
            Self::IfNotEqual(value) => argv.arg(&(&b"IFNE"[..], value)),
        }
    }
}

// `MSETEX numkeys key value [key value ...] [options]`.
impl<'a> super::command::Command for SetManyWith<'a> {
    type Family = SetManyWith<'static>;
    const NAME: &'static str = "MSETEX";

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.pairs.len());
        argv.arg(&self.pairs);
        match self.options.condition {
            Existence::Any => {}
            Existence::AllAbsent => argv.push("NX"),
            Existence::AllPresent => argv.push("XX"),
        }
        encode_expiry(self.options.expiry, argv);
    }

    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        output.write(encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        Reply::read(frame)
    }
}

impl Family for SetManyWith<'static> {
    type Output = bool;
    type Of<'a> = SetManyWith<'a>;

    fn parse<'a>(args: &mut Args<'a>) -> Result<SetManyWith<'a>> {
        let count = args.integer().ok().and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| (1..=i32::MAX as usize).contains(count));
        let count = count.ok_or(Error::OutOfRange("invalid numkeys value"))?;
        let words = count.checked_mul(2).filter(|words| *words <= args.len());
        let words = args.take(words.ok_or(Error::Arity("MSETEX"))?)?;
        let pairs = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let mut condition = None;
        let mut expiry = None;
        while !args.is_empty() {
            if parse_expiry(args, &mut expiry, &SET_EXPIRY)? {
                continue;
            }
            let found = match () {
                () if args.keyword("NX") => Existence::AllAbsent,
                () if args.keyword("XX") => Existence::AllPresent,
                () => return Err(SYNTAX),
            };
            if condition.replace(found).is_some_and(|other| other != found) {
                return Err(SYNTAX);
            }
        }
        let expiry = expiry_of(expiry)?.unwrap_or_default();
        let options = SetManyOptions { condition: condition.unwrap_or_default(), expiry };
        Ok(SetManyWith { pairs, options })
    }
}
