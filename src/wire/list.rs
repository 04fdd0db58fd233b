//! The wire form of the list operations.

use std::borrow::Cow;

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::{Family, command};
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::Reply;
use super::sorted_set::{NO_OPPOSITE, positive};
use crate::data::list::ListEnd;
use crate::error::{Error, Result};
use crate::ops::list::*;
use crate::value::Value;

command!(PushFront<'a>, "LPUSH" { key, elements });
command!(PushBack<'a>, "RPUSH" { key, elements });
command!(PushFrontIfPresent<'a>, "LPUSHX" { key, elements });
command!(PushBackIfPresent<'a>, "RPUSHX" { key, elements });
command!(Length<'a>, "LLEN" { key });
command!(Get<'a>, "LINDEX" { key, index });
command!(GetRange<'a>, "LRANGE" { key, range } in place |range, space, encoder| {
    read_range_with(space, range, |elements| {
        encoder.array(elements.len());
        elements.for_each(|element| encoder.bulk(&element));
    })
});
command!(Set<'a>, "LSET" { key, index, element });
command!(Insert<'a>, "LINSERT" { key, side, pivot, element });
command!(Remove<'a>, "LREM" { key, count, element });
command!(Trim<'a>, "LTRIM" { key, range });
command!(Move<'a>, "LMOVE" { route });
command!(BlockingMove<'a>, "BLMOVE" { route, timeout });

command!(Find<'a>, "LPOS" { key, element, matches } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        match self.matches.count {
            Some(_) => output.write(encoder),
            None => output.first().copied().write(encoder),
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        match self.matches.count {
            Some(_) => Reply::read(frame),
            None => Ok(Option::<usize>::read(frame)?.into_iter().collect()),
        }
    }
});

/// Pops from one key: an element by itself, unless a count was given.
macro_rules! pop_command {
    ($operation:ident, $name:literal) => {
        command!($operation<'a>, $name { key, count } {
            fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
                match (output, self.count.0) {
                    (Some(elements), Some(_)) => elements.write(encoder),
                    (None, Some(_)) => encoder.null_array(),
                    (elements, None) => {
                        elements.as_ref().and_then(|elements| elements.first().cloned())
                            .write(encoder);
                    }
                }
            }

            fn decode(&self, frame: Frame) -> Result<Self::Output> {
                match self.count.0 {
                    Some(_) => Reply::read(frame),
                    None => Ok(Option::<Value>::read(frame)?.map(|element| vec![element])),
                }
            }
        });
    };
}

pop_command!(PopFront, "LPOP");
pop_command!(PopBack, "RPOP");

/// Pops from the first key that has something; without one, the answer is a null array.
macro_rules! pop_from_command {
    ($operation:ident, $name:literal { $field:ident }) => {
        command!($operation<'a>, $name { $field } {
            fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
                match output {
                    Some(found) => found.write(encoder),
                    None => encoder.null_array(),
                }
            }

            fn decode(&self, frame: Frame) -> Result<Self::Output> {
                Reply::read(frame)
            }
        });
    };
}

pop_from_command!(PopMany, "LMPOP" { from });
pop_from_command!(BlockingPopMany, "BLMPOP" { of });
pop_from_command!(BlockingPopFront, "BLPOP" { of });
pop_from_command!(BlockingPopBack, "BRPOP" { of });

/// `LPOP key [count]`, which has too many arguments if anything follows.
pub(super) fn parse_pop_front<'a>(args: &mut Args<'a>) -> Result<PopFront<'a>> {
    if args.len() > 2 { Err(Error::Arity("LPOP")) } else { PopFront::parse(args) }
}

/// `RPOP key [count]`, which has too many arguments if anything follows.
pub(super) fn parse_pop_back<'a>(args: &mut Args<'a>) -> Result<PopBack<'a>> {
    if args.len() > 2 { Err(Error::Arity("RPOP")) } else { PopBack::parse(args) }
}

/// `RPOPLPUSH source destination`.
pub(super) fn parse_pop_push<'a>(args: &mut Args<'a>) -> Result<Move<'a>> {
    let route = back_to_front(args)?;
    args.finish()?;
    Ok(Move { route })
}

/// `BRPOPLPUSH source destination timeout`.
pub(super) fn parse_pop_push_blocking<'a>(args: &mut Args<'a>) -> Result<BlockingMove<'a>> {
    let (route, timeout) = (back_to_front(args)?, args.arg()?);
    args.finish()?;
    Ok(BlockingMove { route, timeout })
}

fn back_to_front<'a>(args: &mut Args<'a>) -> Result<Route<'a>> {
    let (source, destination) = args.arg()?;
    Ok(Route { source, destination, from: ListEnd::Back, to: ListEnd::Front })
}

impl<'a> Arg<'a> for ListEnd {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match () {
            () if args.keyword("LEFT") => Ok(Self::Front),
            () if args.keyword("RIGHT") => Ok(Self::Back),
            () => Err(SYNTAX),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(match self {
            Self::Front => "LEFT",
            Self::Back => "RIGHT",
        });
    }
}

/// `source destination LEFT|RIGHT LEFT|RIGHT`.
impl<'a> Arg<'a> for Route<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let (source, destination) = args.arg()?;
        let (from, to) = args.arg()?;
        Ok(Self { source, destination, from, to })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.arg(&(self.source, self.destination));
        argv.arg(&(self.from, self.to));
    }
}

impl<'a> Arg<'a> for Side {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match () {
            () if args.keyword("BEFORE") => Ok(Self::Before),
            () if args.keyword("AFTER") => Ok(Self::After),
            () => Err(SYNTAX),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(match self {
            Self::Before => "BEFORE",
            Self::After => "AFTER",
        });
    }
}

/// The new length; -1 without the pivot, 0 without the key.
impl Reply for Inserted {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer(match self {
            Self::NoKey => 0,
            Self::NoPivot => -1,
            Self::Length(length) => *length as i64,
        });
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Integer(0) => Ok(Self::NoKey),
            Frame::Integer(-1) => Ok(Self::NoPivot),
            frame => usize::read(frame).map(Self::Length),
        }
    }
}

/// `[RANK rank] [COUNT count] [MAXLEN len]`, in any order.
impl<'a> Arg<'a> for Matches {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        const NO_RANK: Error = Error::OutOfRange(
            "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or \
             use negative to start from the end of the list",
        );
        let mut matches = Self::default();
        while !args.is_empty() {
            match () {
                () if args.len() > 1 && args.keyword("RANK") => {
                    matches.rank = match args.integer()? {
                        0 => return Err(NO_RANK),
                        i64::MIN => return Err(NO_OPPOSITE),
                        rank => rank,
                    };
                }
                () if args.len() > 1 && args.keyword("COUNT") => {
                    matches.count = Some(positive(args, 0, "COUNT can't be negative")?);
                }
                () if args.len() > 1 && args.keyword("MAXLEN") => {
                    matches.max_len = positive(args, 0, "MAXLEN can't be negative")?;
                }
                () => return Err(SYNTAX),
            }
        }
        Ok(matches)
    }

    fn encode(&self, argv: &mut Argv) {
        if self.rank != 1 {
            argv.push("RANK");
            argv.integer(self.rank);
        }
        if let Some(count) = self.count {
            argv.push("COUNT");
            argv.integer(count);
        }
        if self.max_len > 0 {
            argv.push("MAXLEN");
            argv.integer(self.max_len);
        }
    }
}

impl<'a> Arg<'a> for ElementCount {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        if args.is_empty() {
            return Ok(Self(None));
        }
        positive(args, 0, "value is out of range, must be positive").map(|count| Self(Some(count)))
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(count) = self.0 {
            argv.integer(count);
        }
    }
}

/// `numkeys key [key ...] LEFT|RIGHT [COUNT count]`.
impl<'a> Arg<'a> for PopElementsFrom<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let keys = positive(args, 1, "numkeys should be greater than 0")?;
        let keys = Cow::Borrowed(args.take(keys)?);
        let end = args.arg()?;
        let mut count = 1;
        if args.len() > 1 && args.keyword("COUNT") {
            count = positive(args, 1, "count should be greater than 0")?;
        }
        Ok(Self { keys, end, count })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.keys.len());
        self.keys.iter().for_each(|key| argv.push(key));
        argv.arg(&self.end);
        if self.count != 1 {
            argv.push("COUNT");
            argv.integer(self.count);
        }
    }
}

/// `timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]`; Redis minds the timeout last.
impl<'a> Arg<'a> for AwaitElementsFrom<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let timeout = args.next()?;
        let from = args.arg()?;
        args.finish()?;
        Ok(Self { timeout: Args::new(&[timeout]).arg()?, from })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.arg(&self.timeout);
        argv.arg(&self.from);
    }
}

#[cfg(test)]
mod tests;
