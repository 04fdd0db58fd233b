//! Publish and subscribe: what touches channels rather than keys.

use std::borrow::Cow;

use super::Operation;
use crate::data::glob::Glob;
use crate::error::Result;
use crate::keyspace::access::{self, Broadcast};
use crate::value::Value;

/// Sends a message to the subscribers of a channel; answers how many got it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Publish<'a> {
    pub(crate) channel: &'a [u8],
    pub(crate) message: &'a [u8],
}

impl Operation for Publish<'_> {
    type Output = usize;
    type Access = access::Channels;

    fn target(&self) {}

    fn run(&self, mut broadcast: Broadcast<'_>) -> Result<Self::Output> {
        Ok(broadcast.publish(self.channel, Value::from(self.message)))
    }
}

/// The channels that have subscribers by name, in no order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ActiveChannels<'a> {
    pub(crate) pattern: Option<&'a [u8]>,
}

impl Operation for ActiveChannels<'_> {
    type Output = Vec<Value>;
    type Access = access::Channels;

    fn target(&self) {}

    fn run(&self, broadcast: Broadcast<'_>) -> Result<Self::Output> {
        Ok(broadcast.hub().channels(self.pattern.map(Glob::new).as_ref()))
    }
}

/// How many subscribe to each channel by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SubscriberCounts<'a> {
    pub(crate) channels: Channels<'a>,
}

/// Names of channels; there may be none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Channels<'a>(pub(crate) Cow<'a, [&'a [u8]]>);

impl Operation for SubscriberCounts<'_> {
    type Output = Vec<(Value, usize)>;
    type Access = access::Channels;

    fn target(&self) {}

    fn run(&self, broadcast: Broadcast<'_>) -> Result<Self::Output> {
        let count = |name: &&[u8]| (Value::from(*name), broadcast.hub().subscribers(name));
        Ok(self.channels.0.iter().map(count).collect())
    }
}

/// How many different patterns are subscribed to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PatternCount {}

impl Operation for PatternCount {
    type Output = usize;
    type Access = access::Channels;

    fn target(&self) {}

    fn run(&self, broadcast: Broadcast<'_>) -> Result<Self::Output> {
        Ok(broadcast.hub().pattern_count())
    }
}
