//! The wire form of publish and subscribe.

use std::borrow::Cow;

use super::args::{Arg, Args, Argv};
use super::command::command;
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::{Reply, items, unexpected};
use crate::error::{Error, Result};
use crate::ops::pubsub::*;
use crate::value::Value;

command!(Publish<'a>, "PUBLISH" { channel, message });

/// The pattern of `PUBSUB CHANNELS`, if any.
impl<'a> Arg<'a> for Option<&'a [u8]> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        if args.len() > 1 {
            let given = Value::from("channels");
            return Err(Error::SubcommandOptions { command: "PUBSUB", given });
        }
        if args.is_empty() { Ok(None) } else { args.next().map(Some) }
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(pattern) = self {
            argv.push(pattern);
        }
    }
}

/// Channels, or none.
impl<'a> Arg<'a> for Channels<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        Ok(Self(Cow::Borrowed(args.take_rest())))
    }

    fn encode(&self, argv: &mut Argv) {
        for channel in self.0.iter() {
            argv.push(channel);
        }
    }
}

command!(ActiveChannels<'a>, "PUBSUB" "CHANNELS" { pattern });
command!(PatternCount, "PUBSUB" "NUMPAT" {});

command!(SubscriberCounts<'a>, "PUBSUB" "NUMSUB" { channels } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        encoder.array(output.len() * 2);
        for (channel, subscribers) in output {
            encoder.bulk(channel);
            encoder.integer(*subscribers as i64);
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        let flat = items(frame)?;
        let pair = |pair: &[Frame]| match pair {
            [channel, count] => Ok((Value::read(channel.clone())?, usize::read(count.clone())?)),
            _ => unexpected(&Frame::Array(pair.to_vec())),
        };
        flat.chunks(2).map(pair).collect()
    }
});
