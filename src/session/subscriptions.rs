//! Subscriptions of a session: to channels, to patterns, and to shard channels.
//!
//! Channels and patterns have one queue, shard channels another, since they are of another hub. A
//! session takes what has been published whenever it runs, and its waker fires when there is more.
//!
//! # Order
//!
//! What was published before a request began stands before its reply. What a request itself causes
//! to be published to its own session stands before the reply too, as in Redis 7.0; but a
//! subscription's confirmation stands before its first message.

use std::task::Poll;

use super::registry::Client;
use super::table::{AT_ONCE, Command, NOSCRIPT, PUBSUB};
use super::{Answer, Failure, Session, State};
use crate::keyspace::journal;
use crate::pubsub::{Hub, Message, Overflow, RecvError, Subscription, SubscriptionOptions};
use crate::sync::Arc;
use crate::value::Value;
use crate::wire::{Encoder, error};

/// Messages that may wait until a session is woken. The limits of its output are what a slow client
/// meets; these are for a session whose owner has stopped to run it.
const CAPACITY: usize = 1 << 18;

/// What a session is subscribed to.
#[derive(Default)]
pub(super) struct Subscriptions {
    /// Made with the first subscription.
    channels: Option<Arc<Subscription>>,
    shard_channels: Option<Arc<Subscription>>,
    /// How many there are of each.
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    channels: usize,
    patterns: usize,
    shard_channels: usize,
}

/// What one can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Channel,
    Pattern,
    ShardChannel,
}

impl Subscriptions {
    /// Of channels, patterns and shard channels.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.counts.channels, self.counts.patterns, self.counts.shard_channels)
    }

    fn is_empty(&self) -> bool {
        self.counts() == (0, 0, 0)
    }

    fn of(&mut self, hub: &Arc<Hub>, target: Target, client: &Client) -> &Subscription {
        let options = SubscriptionOptions::new().capacity(CAPACITY).overflow(Overflow::Disconnect);
        let place = match target {
            Target::Channel | Target::Pattern => &mut self.channels,
            Target::ShardChannel => &mut self.shard_channels,
        };
        place.get_or_insert_with(|| {
            let subscription = Arc::new(hub.subscribe(options));
            client.note_subscription(&subscription);
            subscription
        })
    }

    fn count_mut(&mut self, target: Target) -> &mut usize {
        match target {
            Target::Channel => &mut self.counts.channels,
            Target::Pattern => &mut self.counts.patterns,
            Target::ShardChannel => &mut self.counts.shard_channels,
        }
    }

    /// The number that a confirmation tells: channels and patterns together, or shard channels.
    fn told(&self, target: Target) -> usize {
        match target {
            Target::Channel | Target::Pattern => self.counts.channels + self.counts.patterns,
            Target::ShardChannel => self.counts.shard_channels,
        }
    }

    /// The names subscribed to, in order.
    fn names(&self, target: Target) -> Vec<Value> {
        match target {
            Target::Channel => self.channels.as_ref().map(|own| own.channels()),
            Target::Pattern => self.channels.as_ref().map(|own| own.patterns()),
            Target::ShardChannel => self.shard_channels.as_ref().map(|own| own.channels()),
        }
        .unwrap_or_default()
    }
}

#[cfg(any(test, fuzzing))]
impl Subscriptions {
    /// Asserts that the counts are right, unless the client has been killed.
    pub(super) fn check(&self) {
        let all = [&self.channels, &self.shard_channels];
        if all.into_iter().flatten().any(|subscription| subscription.is_closed()) {
            return;
        }
        for target in [Target::Channel, Target::Pattern, Target::ShardChannel] {
            let count = match target {
                Target::Channel => self.counts.channels,
                Target::Pattern => self.counts.patterns,
                Target::ShardChannel => self.counts.shard_channels,
            };
            assert_eq!(self.names(target).len(), count, "{target:?}");
        }
    }
}

pub(super) fn subscribe(session: &mut Session, names: &[&[u8]]) -> Answer {
    session.add(Target::Channel, "subscribe", names)
}

pub(super) fn psubscribe(session: &mut Session, names: &[&[u8]]) -> Answer {
    session.add(Target::Pattern, "psubscribe", names)
}

pub(super) fn ssubscribe(session: &mut Session, names: &[&[u8]]) -> Answer {
    session.add(Target::ShardChannel, "ssubscribe", names)
}

pub(super) fn unsubscribe(session: &mut Session, names: &[&[u8]]) -> Answer {
    session.remove(Target::Channel, "unsubscribe", names)
}

pub(super) fn punsubscribe(session: &mut Session, names: &[&[u8]]) -> Answer {
    session.remove(Target::Pattern, "punsubscribe", names)
}

pub(super) fn sunsubscribe(session: &mut Session, names: &[&[u8]]) -> Answer {
    session.remove(Target::ShardChannel, "sunsubscribe", names)
}

pub(super) fn spublish(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let [channel, payload] = *arguments else { return Err(super::SYNTAX.into()) };
    let shared = Arc::clone(&session.shared);
    let publish = || shared.shard_channels.publish(channel, Value::from(payload));
    let tell = || journal::tell_others(shared.databases().journal(), publish);
    let receivers = session.held.deferring(&shared, tell);
    session.integer(receivers as i64)
}

pub(super) fn shard_channels(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let glob = match arguments {
        [] => None,
        [pattern] => Some(crate::data::glob::Glob::new(pattern)),
        _ => return Err(Failure::Usage),
    };
    let names = session.shared.shard_channels.channels(glob.as_ref());
    let mut encoder = session.encoder();
    encoder.array(names.len());
    names.iter().for_each(|name| encoder.bulk(name));
    Ok(())
}

pub(super) fn shard_counts(session: &mut Session, names: &[&[u8]]) -> Answer {
    let shared = Arc::clone(&session.shared);
    let mut encoder = session.encoder();
    encoder.array(names.len() * 2);
    for name in names {
        encoder.bulk(name);
        encoder.integer(shared.shard_channels.subscribers(name) as i64);
    }
    Ok(())
}

pub(super) fn help(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.lines(&[
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]: channels with subscribers",
        "NUMPAT: how many patterns are subscribed to",
        "NUMSUB [<channel> ...]: subscribers of each channel",
        "SHARDCHANNELS [<pattern>]: shard channels with subscribers",
        "SHARDNUMSUB [<channel> ...]: subscribers of each shard channel",
        "HELP: this text",
    ])
}

/// Whether a command's reply is no reply but confirmations, or stands before all messages.
pub(super) fn confirms(command: Command) -> bool {
    let entry = command.entry;
    entry.has_flag(AT_ONCE) || entry.has_flag(PUBSUB) && entry.has_flag(NOSCRIPT)
}

impl Session {
    pub(super) fn is_subscribed(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    /// An error for a command that a subscribed client of RESP2 may not send.
    pub(super) fn admit_subscribed(&self, command: Command) -> Result<(), error::Text> {
        const ALLOWED: &[&str] = &[
            "SUBSCRIBE",
            "UNSUBSCRIBE",
            "PSUBSCRIBE",
            "PUNSUBSCRIBE",
            "SSUBSCRIBE",
            "SUNSUBSCRIBE",
            "PING",
            "QUIT",
            "RESET",
        ];
        let name = command.entry.name();
        if ALLOWED.contains(&name) {
            return Ok(());
        }
        Err(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
             are allowed in this context",
            name.to_ascii_lowercase()
        )
        .into_bytes()
        .into())
    }

    fn add(&mut self, target: Target, word: &str, names: &[&[u8]]) -> Answer {
        let shared = Arc::clone(&self.shared);
        let hub = match target {
            Target::Channel | Target::Pattern => &shared.databases().hub,
            Target::ShardChannel => &shared.shard_channels,
        };
        for name in names {
            let subscription = self.subscriptions.of(hub, target, &self.client);
            let is_new = match target {
                Target::Pattern => subscription.psubscribe(name),
                Target::Channel | Target::ShardChannel => subscription.subscribe(name),
            };
            *self.subscriptions.count_mut(target) += usize::from(is_new);
            self.confirm(target, word, Some(name));
        }
        Ok(())
    }

    fn remove(&mut self, target: Target, word: &str, names: &[&[u8]]) -> Answer {
        let all = if names.is_empty() { self.subscriptions.names(target) } else { Vec::new() };
        if names.is_empty() && all.is_empty() {
            self.confirm(target, word, None);
        }
        for name in names.iter().copied().chain(all.iter().map(|name| &**name)) {
            let subscription = match target {
                Target::Channel | Target::Pattern => &self.subscriptions.channels,
                Target::ShardChannel => &self.subscriptions.shard_channels,
            };
            let was_there = subscription.as_ref().is_some_and(|subscription| match target {
                Target::Pattern => subscription.punsubscribe(name),
                Target::Channel | Target::ShardChannel => subscription.unsubscribe(name),
            });
            *self.subscriptions.count_mut(target) -= usize::from(was_there);
            self.confirm(target, word, Some(name));
        }
        Ok(())
    }

    fn confirm(&mut self, target: Target, word: &str, name: Option<&[u8]>) {
        let told = self.subscriptions.told(target);
        let mut encoder = self.encoder();
        encoder.push(3);
        encoder.bulk(word.as_bytes());
        match name {
            Some(name) => encoder.bulk(name),
            None => encoder.null(),
        }
        encoder.integer(told as i64);
    }

    /// Takes what has been published, and what monitoring brings.
    pub(super) fn deliver(&mut self) {
        self.deliver_messages();
        self.deliver_monitored();
    }

    /// Takes what monitoring brings, in which a request stands behind its reply.
    pub(super) fn deliver_monitored(&mut self) {
        let Some(lines) = &self.monitor else { return };
        let mut encoder = Encoder::new(&mut self.output, self.protocol);
        if take_all(|| lines.poll_recv(&self.waker), |line: Value| encoder.simple(&line)) {
            self.state = State::Closed;
        }
    }

    /// Takes what has been published.
    pub(super) fn deliver_messages(&mut self) {
        let mut encoder = Encoder::new(&mut self.output, self.protocol);
        let mut ended = false;
        if let Some(subscription) = &self.subscriptions.channels {
            ended |= take_all(
                || subscription.poll_recv(&self.waker),
                |message| {
                    write_message(&message, "message", &mut encoder);
                },
            );
        }
        if let Some(subscription) = &self.subscriptions.shard_channels {
            ended |= take_all(
                || subscription.poll_recv(&self.waker),
                |message| {
                    write_message(&message, "smessage", &mut encoder);
                },
            );
        }
        if ended {
            self.state = State::Closed;
        }
    }

    /// Takes what has been published, and puts it before what was written since `mark`.
    pub(super) fn deliver_before(&mut self, mark: usize) {
        let reply_end = self.output.len();
        self.deliver_messages();
        let published = self.output.len() - reply_end;
        self.output[mark..].rotate_right(published);
    }
}

/// Takes whatever waits; answers whether no more will come.
fn take_all<T>(
    mut poll: impl FnMut() -> Poll<Result<T, RecvError>>,
    mut take: impl FnMut(T),
) -> bool {
    loop {
        match poll() {
            Poll::Ready(Ok(item)) => take(item),
            // Not under the policy of these queues.
            Poll::Ready(Err(RecvError::Lagged(_))) => {}
            Poll::Ready(Err(_)) => return true,
            Poll::Pending => return false,
        }
    }
}

fn write_message(message: &Message, word: &str, encoder: &mut Encoder<'_>) {
    match &message.pattern {
        Some(pattern) => {
            encoder.push(4);
            encoder.bulk(b"pmessage");
            encoder.bulk(pattern);
        }
        None => {
            encoder.push(3);
            encoder.bulk(word.as_bytes());
        }
    }
    encoder.bulk(&message.channel);
    encoder.bulk(&message.payload);
}
