//! The wire form of the set operations.

use std::borrow::Cow;

use super::args::{Arg, Args, Argv, SYNTAX, parse_cursor};
use super::command::command;
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::{Reply, unexpected};
use super::sorted_set::{parse_sample, positive};
use crate::error::{Error, Result};
use crate::ops::set::*;
use crate::value::Value;

command!(Add<'a>, "SADD" { key, members });
command!(Remove<'a>, "SREM" { key, members });
command!(Move<'a>, "SMOVE" { source, destination, member });
command!(All<'a>, "SMEMBERS" { key } in place |all, space, encoder| {
    read_all_with(space, all.key, |set| {
        encoder.set(set.len());
        set.iter().for_each(|member| encoder.bulk(&member));
    })
});
command!(Length<'a>, "SCARD" { key });
command!(Contains<'a>, "SISMEMBER" { key, member });
command!(ContainsMany<'a>, "SMISMEMBER" { key, members });
command!(ScanMembers<'a>, "SSCAN" { key, cursor, options });
command!(Union<'a>, "SUNION" { keys });
command!(Intersection<'a>, "SINTER" { keys });
command!(Difference<'a>, "SDIFF" { keys });
command!(StoreUnion<'a>, "SUNIONSTORE" { destination, keys });
command!(StoreIntersection<'a>, "SINTERSTORE" { destination, keys });
command!(StoreDifference<'a>, "SDIFFSTORE" { destination, keys });
command!(CountIntersection<'a>, "SINTERCARD" { keys, limit });

command!(RandomMembers<'a>, "SRANDMEMBER" { key, count } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        match output {
            Sampled::One(member) => member.write(encoder),
            Sampled::Many(members) => members.write(encoder),
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        read_sampled(frame, self.count.0.is_some())
    }
});

command!(Pop<'a>, "SPOP" { key, count } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        match output {
            Sampled::One(member) => member.write(encoder),
            Sampled::Many(members) => write_set(members, encoder),
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        read_sampled(frame, self.count.0.is_some())
    }
});

fn read_sampled(frame: Frame, has_count: bool) -> Result<Sampled> {
    Ok(if has_count {
        Sampled::Many(Reply::read(frame)?)
    } else {
        Sampled::One(Reply::read(frame)?)
    })
}

fn write_set(members: &[Value], encoder: &mut Encoder<'_>) {
    encoder.set(members.len());
    members.iter().for_each(|member| encoder.bulk(member));
}

/// A RESP3 set, in RESP2 an array.
impl Reply for Members {
    fn write(&self, encoder: &mut Encoder<'_>) {
        write_set(&self.0, encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        Reply::read(frame).map(Self)
    }
}

/// The cursor as text, then the members.
impl Reply for MemberPage {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.array(2);
        encoder.bulk(itoa::Buffer::new().format(self.cursor).as_bytes());
        self.members.write(encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let (cursor, members) = <(Value, Vec<Value>)>::read(frame)?;
        match parse_cursor(&cursor) {
            Some(cursor) => Ok(Self { cursor, members }),
            None => unexpected(&Frame::Bulk(cursor)),
        }
    }
}

/// `[count]`.
impl<'a> Arg<'a> for SampleCount {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        if args.len() > 1 {
            return Err(SYNTAX);
        }
        // Nothing is drawn with members, so there is no word for it.
        Ok(Self(parse_sample(args, "")?.map(|(count, _)| count)))
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(count) = self.0 {
            argv.integer(count);
        }
    }
}

/// `numkeys key [key ...]`.
impl<'a> Arg<'a> for NumberedKeys<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let count = positive(args, 1, "numkeys should be greater than 0")?;
        if count > args.len() {
            return Err(Error::Syntax("Number of keys can't be greater than number of args"));
        }
        Ok(Self(Cow::Borrowed(args.take(count)?)))
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.0.len());
        self.0.iter().for_each(|key| argv.push(key));
    }
}

#[cfg(test)]
mod tests;
