//! Arguments of a command: reading them in order, and writing them.

use std::borrow::Cow;

pub(crate) use crate::argv::Argv;
use crate::error::{Error, Result};
use crate::number;

pub(crate) const SYNTAX: Error = Error::Syntax("syntax error");

/// The arguments behind a command's name, read from left to right.
#[derive(Clone)]
pub(crate) struct Args<'a> {
    rest: &'a [&'a [u8]],
}

impl<'a> Args<'a> {
    pub(crate) fn new(arguments: &'a [&'a [u8]]) -> Self {
        Self { rest: arguments }
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<&'a [u8]> {
        self.rest.first().copied()
    }

    /// Takes the next argument.
    pub(crate) fn next(&mut self) -> Result<&'a [u8]> {
        let (first, rest) = self.rest.split_first().ok_or(SYNTAX)?;
        self.rest = rest;
        Ok(first)
    }

    /// Takes the next argument if it is this word, in any case.
    pub(crate) fn keyword(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(word.as_bytes()));
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// Takes the next argument, which must be this word, in any case.
    pub(crate) fn expect(&mut self, word: &str) -> Result<()> {
        if self.keyword(word) { Ok(()) } else { Err(SYNTAX) }
    }

    /// Takes the next `count` arguments; a syntax error if there are fewer.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [&'a [u8]]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(SYNTAX)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes all that is left.
    pub(crate) fn take_rest(&mut self) -> &'a [&'a [u8]] {
        std::mem::take(&mut self.rest)
    }

    /// Takes an integer.
    pub(crate) fn integer(&mut self) -> Result<i64> {
        number::parse_integer(self.next()?).ok_or(Error::NotAnInteger)
    }

    /// Takes one value of any argument type.
    pub(crate) fn arg<T: Arg<'a>>(&mut self) -> Result<T> {
        T::parse(self)
    }

    /// A syntax error unless every argument has been taken.
    pub(crate) fn finish(&self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(SYNTAX) }
    }
}

impl Argv {
    /// Writes one value of any argument type.
    #[inline]
    pub(crate) fn arg<'a>(&mut self, value: &impl Arg<'a>) {
        value.encode(self);
    }
}

/// What stands at one place of a command's grammar: read and written in the same way wherever
/// it stands.
pub(crate) trait Arg<'a>: Sized {
    fn parse(args: &mut Args<'a>) -> Result<Self>;
    fn encode(&self, argv: &mut Argv);
}

impl<'a> Arg<'a> for &'a [u8] {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        args.next()
    }

    #[inline]
    fn encode(&self, argv: &mut Argv) {
        argv.push(self);
    }
}

impl<'a> Arg<'a> for i64 {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        args.integer()
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(*self);
    }
}

/// All that is left, in order: keys, members, or whatever `T` is. That there is one is for the
/// command's arity to say: a batch may hold an operation on nothing.
impl<'a, T: Arg<'a> + Clone> Arg<'a> for Cow<'a, [T]> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut items = Vec::new();
        while !args.is_empty() {
            items.push(T::parse(args)?);
        }
        Ok(Cow::Owned(items))
    }

    fn encode(&self, argv: &mut Argv) {
        for item in self.iter() {
            item.encode(argv);
        }
    }
}

impl<'a, A: Arg<'a>, B: Arg<'a>> Arg<'a> for (A, B) {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        Ok((A::parse(args)?, B::parse(args)?))
    }

    fn encode(&self, argv: &mut Argv) {
        self.0.encode(argv);
        self.1.encode(argv);
    }
}

/// A cursor, as C's `strtoul` takes it: nothing at all is zero, and a minus counts from the
/// largest number.
pub(super) fn parse_cursor(text: &[u8]) -> Option<u64> {
    match text {
        [] => Some(0),
        [b'-', digits @ ..] => parse_digits(digits).map(u64::wrapping_neg),
        [b'+', digits @ ..] | digits => parse_digits(digits),
    }
}

fn parse_digits(digits: &[u8]) -> Option<u64> {
    digits.first().filter(|digit| digit.is_ascii_digit())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
