//! The wire form of the operations on the consumer groups of streams.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::{Context, Family, command};
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::{Record, Reply, items, unexpected};
use super::stream::{ReadPosition, check_balance, count, pair, parse_start, read_read, write_read};
use crate::data::stream::{Acknowledge, DeliveryTime, StreamId};
use crate::error::{Error, Result};
use crate::ops::stream::{Ids, ReadOptions};
use crate::ops::stream_group::*;
use crate::value::Value;

command!(CreateGroup<'a>, "XGROUP" "CREATE" { key, group, start, options });
command!(SetGroupId<'a>, "XGROUP" "SETID" { key, group, start, entries_read });
command!(DestroyGroup<'a>, "XGROUP" "DESTROY" { key, group });
command!(CreateConsumer<'a>, "XGROUP" "CREATECONSUMER" { key, group, consumer });
command!(DeleteConsumer<'a>, "XGROUP" "DELCONSUMER" { key, group, consumer });
command!(ReadGroup<'a>, "XREADGROUP" { options, streams } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        write_read(output.as_ref(), encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        read_read(frame)
    }
});
command!(Ack<'a>, "XACK" { key, group, ids });
command!(AckDelete<'a>, "XACKDEL" { key, group, entries });
command!(SummarizePending<'a>, "XPENDING" { key, group });
command!(ListPending<'a>, "XPENDING" { key, group, filter });
command!(Claim<'a>, "XCLAIM" { key, group, consumer, min_idle, ids, options } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        output.write(encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        ClaimOutcome::read(frame, self.options.just_ids)
    }
});
command!(Autoclaim<'a>, "XAUTOCLAIM" { key, group, consumer, min_idle, start, options } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        encoder.array(3);
        output.next.write(encoder);
        output.claimed.write(encoder);
        output.deleted.write(encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        let parts: Result<[Frame; 3], _> = items(frame)?.try_into();
        let [next, claimed, deleted] = match parts {
            Ok(parts) => parts,
            Err(parts) => return unexpected(&Frame::Array(parts)),
        };
        Ok(AutoclaimOutcome {
            next: Reply::read(next)?,
            claimed: ClaimOutcome::read(claimed, self.options.just_ids)?,
            deleted: Reply::read(deleted)?,
        })
    }
});
command!(ListGroups<'a>, "XINFO" "GROUPS" { key });
command!(ListConsumers<'a>, "XINFO" "CONSUMERS" { key, group });

/// `XPENDING key group`, with or without a range.
pub(super) fn execute_pending(
    args: &mut Args<'_>,
    context: &mut Context<'_, '_>,
    encoder: &mut Encoder<'_>,
) -> Result<()> {
    if args.len() == 2 {
        return context.execute(&<SummarizePending<'_> as Family>::parse(args)?, encoder);
    }
    context.execute(&<ListPending<'_> as Family>::parse(args)?, encoder)
}

/// `XGROUP HELP`.
pub(super) fn group_help(
    _args: &mut Args<'_>,
    context: &mut Context<'_, '_>,
    encoder: &mut Encoder<'_>,
) -> Result<()> {
    context.help(
        "XGROUP",
        &[
            "CREATE key group id|$ [MKSTREAM] [ENTRIESREAD entries-read]",
            "    Makes a group that reads what is above the id.",
            "SETID key group id|$ [ENTRIESREAD entries-read]",
            "    Moves a group.",
            "DESTROY key group",
            "    Removes a group.",
            "CREATECONSUMER key group consumer",
            "    Makes a consumer.",
            "DELCONSUMER key group consumer",
            "    Removes a consumer and what it has pending.",
        ],
        encoder,
    );
    Ok(())
}

// Arguments.

/// An id, or `$` for the last one.
impl<'a> Arg<'a> for GroupStart {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        if args.keyword("$") {
            return Ok(Self::End);
        }
        Ok(match args.arg()? {
            StreamId::MIN => Self::Beginning,
            id => Self::After(id),
        })
    }

    fn encode(&self, argv: &mut Argv) {
        match self {
            Self::Beginning => argv.push("0"),
            Self::End => argv.push("$"),
            Self::After(id) => id.encode(argv),
        }
    }
}

/// The same, and `-` and `+` for the least and the greatest id.
impl<'a> Arg<'a> for Position {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        Ok(Self(if args.keyword("-") {
            GroupStart::Beginning
        } else if args.keyword("+") {
            GroupStart::After(StreamId::MAX)
        } else {
            args.arg()?
        }))
    }

    fn encode(&self, argv: &mut Argv) {
        self.0.encode(argv);
    }
}

impl EntriesRead {
    /// Takes `ENTRIESREAD n`, if it is next; -1 is unknown.
    fn parse_one(&mut self, args: &mut Args<'_>) -> Result<bool> {
        if args.len() < 2 || !args.keyword("ENTRIESREAD") {
            return Ok(false);
        }
        let negative = Error::OutOfRange("value for ENTRIESREAD must be positive or -1");
        self.0 = match args.integer()? {
            -1 => None,
            count => Some(u64::try_from(count).map_err(|_| negative)?),
        };
        Ok(true)
    }
}

fn wrong_options(subcommand: &str) -> Error {
    Error::SubcommandOptions { command: "XGROUP", given: Value::from(subcommand) }
}

/// `[ENTRIESREAD n]`.
impl<'a> Arg<'a> for EntriesRead {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut entries_read = Self::default();
        let given = args.len();
        while !args.is_empty() {
            if !entries_read.parse_one(args)? {
                return Err(wrong_options("setid"));
            }
        }
        // Repetition is too much, though each option by itself is right.
        if given > 2 { Err(wrong_options("setid")) } else { Ok(entries_read) }
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(count) = self.0 {
            argv.push("ENTRIESREAD");
            argv.integer(count);
        }
    }
}

/// `[MKSTREAM] [ENTRIESREAD n]`, in any order.
impl<'a> Arg<'a> for GroupOptions {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        let given = args.len();
        while !args.is_empty() {
            if args.keyword("MKSTREAM") {
                options.create_stream = true;
            } else if !options.entries_read.parse_one(args)? {
                return Err(wrong_options("create"));
            }
        }
        if given > 3 { Err(wrong_options("create")) } else { Ok(options) }
    }

    fn encode(&self, argv: &mut Argv) {
        if self.create_stream {
            argv.push("MKSTREAM");
        }
        self.entries_read.encode(argv);
    }
}

/// Options up to the word `STREAMS`; `GROUP` must be among them.
impl<'a> Arg<'a> for ReadGroupOptions<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut read = ReadOptions::default();
        let (mut group, mut acknowledge) = (None, Acknowledge::Later);
        while !(args.len() > 1 && args.keyword("STREAMS")) {
            if args.len() > 2 && args.keyword("GROUP") {
                group = Some((args.next()?, args.next()?));
            } else if args.keyword("NOACK") {
                acknowledge = Acknowledge::Never;
            } else if !read.parse_one(args)? {
                return Err(SYNTAX);
            }
        }
        check_balance(args)?;
        let missing = Error::Syntax("Missing GROUP option for XREADGROUP");
        let (group, consumer) = group.ok_or(missing)?;
        Ok(Self { group, consumer, read, acknowledge })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push("GROUP");
        argv.push(self.group);
        argv.push(self.consumer);
        self.read.encode(argv);
        if self.acknowledge == Acknowledge::Never {
            argv.push("NOACK");
        }
        argv.push("STREAMS");
    }
}

impl ReadPosition for Wanted {
    fn parse(text: &[u8]) -> Result<Self> {
        match text {
            b">" => Ok(Self::New),
            b"$" => Err(Error::Syntax(
                "The $ ID is meaningless in the context of XREADGROUP: you want to read the \
                 history of this consumer by specifying a proper ID, or use the > ID to get new \
                 messages. The $ ID would just return an empty result set.",
            )),
            text => {
                let id = StreamId::parse(text, 0).map_err(|_| Error::InvalidStreamId)?;
                // Redis knows `>` as the greatest id.
                Ok(if id == StreamId::MAX { Self::New } else { Self::PendingAfter(id) })
            }
        }
    }

    fn encode(&self, argv: &mut Argv) {
        match self {
            Self::New => argv.push(">"),
            Self::PendingAfter(id) => id.encode(argv),
        }
    }
}

/// Milliseconds; negative ones are none.
fn parse_millis(text: &[u8], invalid: &'static str) -> Result<Millis> {
    let millis = crate::number::parse_integer(text).ok_or(Error::OutOfRange(invalid))?;
    Ok(Millis(u64::try_from(millis).unwrap_or(0)))
}

/// What is wrong with a shortest idle time; its full text ends with the command's name.
pub(super) const MIN_IDLE: &str = "Invalid min-idle-time argument for";

/// The shortest idle time of a claim.
impl<'a> Arg<'a> for Millis {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        parse_millis(args.next()?, MIN_IDLE)
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.0);
    }
}

/// `[IDLE ms] start end count [consumer]`.
///
/// Redis takes up to nine arguments in all, whether they mean anything or not.
impl<'a> Arg<'a> for PendingFilter<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        if !(3..=6).contains(&args.len()) {
            return Err(SYNTAX);
        }
        let mut min_idle = Millis::default();
        if args.keyword("IDLE") {
            min_idle = Millis(u64::try_from(args.integer()?).unwrap_or(0));
            if args.len() < 3 {
                return Err(SYNTAX);
            }
        }
        let (mut range, mut rest) = (Args::new(args.take(2)?), args.clone());
        let limit = count(&mut rest)?;
        let ids: Ids = range.arg()?;
        let consumer = rest.peek();
        args.take_rest();
        Ok(Self { min_idle, ids, limit, consumer })
    }

    fn encode(&self, argv: &mut Argv) {
        if self.min_idle.0 > 0 {
            argv.push("IDLE");
            self.min_idle.encode(argv);
        }
        self.ids.encode(argv);
        argv.integer(self.limit);
        if let Some(consumer) = self.consumer {
            argv.push(consumer);
        }
    }
}

/// Ids, up to the first argument that is none.
impl<'a> Arg<'a> for ClaimedIds<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut ids = Vec::new();
        while let Some(id) = args.peek().and_then(|text| StreamId::parse(text, 0).ok()) {
            args.next()?;
            ids.push(id);
        }
        Ok(Self(Cow::Owned(ids)))
    }

    fn encode(&self, argv: &mut Argv) {
        for id in self.0.iter() {
            id.encode(argv);
        }
    }
}

impl<'a> Arg<'a> for ClaimOptions {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while !args.is_empty() {
            if args.keyword("FORCE") {
                options.force = true;
            } else if args.keyword("JUSTID") {
                options.just_ids = true;
            } else if args.len() < 2 || !options.parse_one(args)? {
                let given = Value::from(args.next()?);
                return Err(Error::UnknownOption { command: "XCLAIM", given });
            }
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        let (word, millis) = match self.delivered {
            DeliveryTime::Now => ("", 0),
            DeliveryTime::Idle(millis) => ("IDLE", millis),
            DeliveryTime::At(millis) => ("TIME", millis),
        };
        if !word.is_empty() {
            argv.push(word);
            argv.integer(millis);
        }
        if let Some(count) = self.deliveries {
            argv.push("RETRYCOUNT");
            argv.integer(count);
        }
        if self.force {
            argv.push("FORCE");
        }
        if self.just_ids {
            argv.push("JUSTID");
        }
        if let Some(id) = self.last_id {
            argv.push("LASTID");
            id.encode(argv);
        }
    }
}

impl ClaimOptions {
    /// Takes an option that has a value, if it is next. Times that make no sense mean now.
    fn parse_one(&mut self, args: &mut Args<'_>) -> Result<bool> {
        let time = |args: &mut Args<'_>, invalid, time: fn(u64) -> DeliveryTime| {
            let millis = crate::number::parse_integer(args.next()?);
            let millis = u64::try_from(millis.ok_or(Error::OutOfRange(invalid))?);
            Ok::<_, Error>(millis.map_or(DeliveryTime::Now, time))
        };
        if args.keyword("IDLE") {
            let invalid = "Invalid IDLE option argument for XCLAIM";
            self.delivered = time(args, invalid, DeliveryTime::Idle)?;
        } else if args.keyword("TIME") {
            let invalid = "Invalid TIME option argument for XCLAIM";
            self.delivered = time(args, invalid, DeliveryTime::At)?;
        } else if args.keyword("RETRYCOUNT") {
            let count = crate::number::parse_integer(args.next()?);
            let invalid = Error::OutOfRange("Invalid RETRYCOUNT option argument for XCLAIM");
            self.deliveries = u64::try_from(count.ok_or(invalid)?).ok();
        } else if args.keyword("LASTID") {
            self.last_id = Some(args.arg()?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

/// An id, or `(` and one that is left out.
impl<'a> Arg<'a> for FirstId {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        parse_start(args.next()?).map(Self)
    }

    fn encode(&self, argv: &mut Argv) {
        self.0.encode(argv);
    }
}

impl<'a> Arg<'a> for AutoclaimLimits {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while !args.is_empty() {
            if args.keyword("JUSTID") {
                options.just_ids = true;
            } else if args.len() > 1 && args.keyword("COUNT") {
                let count = crate::number::parse_integer(args.next()?);
                let allowed = count.filter(|count| (1..=Self::MAX_LIMIT).contains(count));
                options.limit = allowed.ok_or(Error::OutOfRange("COUNT must be > 0"))? as usize;
            } else {
                return Err(SYNTAX);
            }
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push("COUNT");
        argv.integer(self.limit);
        if self.just_ids {
            argv.push("JUSTID");
        }
    }
}

// Replies.

impl ClaimOutcome {
    fn write(&self, encoder: &mut Encoder<'_>) {
        match self {
            Self::Entries(entries) => entries.write(encoder),
            Self::Ids(ids) => ids.write(encoder),
        }
    }

    fn read(frame: Frame, just_ids: bool) -> Result<Self> {
        match just_ids {
            true => Reply::read(frame).map(Self::Ids),
            false => Reply::read(frame).map(Self::Entries),
        }
    }
}

/// Milliseconds.
impl Reply for Duration {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer(self.as_millis() as i64);
    }

    fn read(frame: Frame) -> Result<Self> {
        u64::read(frame).map(Self::from_millis)
    }
}

/// Unix time in milliseconds.
impl Reply for SystemTime {
    fn write(&self, encoder: &mut Encoder<'_>) {
        self.duration_since(UNIX_EPOCH).unwrap_or_default().write(encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        i64::read(frame).map(system_time)
    }
}

/// Four elements; how many each consumer has is text.
impl Reply for PendingSummary {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.array(4);
        self.count.write(encoder);
        let Some((first, last)) = self.ids else {
            encoder.null();
            encoder.null();
            return encoder.null_array();
        };
        first.write(encoder);
        last.write(encoder);
        encoder.array(self.consumers.len());
        for (name, count) in &self.consumers {
            encoder.array(2);
            encoder.bulk(name);
            encoder.bulk(itoa::Buffer::new().format(*count).as_bytes());
        }
    }

    fn read(frame: Frame) -> Result<Self> {
        let parts: Result<[Frame; 4], _> = items(frame)?.try_into();
        let [count, first, last, consumers] = match parts {
            Ok(parts) => parts,
            Err(parts) => return unexpected(&Frame::Array(parts)),
        };
        let consumers: Option<Vec<(Value, Value)>> = Reply::read(consumers)?;
        let counted = |(name, count): (Value, Value)| Ok((name, count.to()?));
        let first: Option<StreamId> = Reply::read(first)?;
        Ok(Self {
            count: Reply::read(count)?,
            ids: first.zip(Reply::read(last)?),
            consumers: consumers.into_iter().flatten().map(counted).collect::<Result<_>>()?,
        })
    }
}

impl Reply for PendingEntry {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.array(4);
        self.id.write(encoder);
        self.consumer.write(encoder);
        self.idle.write(encoder);
        self.deliveries.write(encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let Delivered { id, consumer, time, count } = Delivered::read(frame)?;
        Ok(Self { id, consumer, idle: time, deliveries: count })
    }
}

impl Reply for Delivery {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.array(4);
        self.id.write(encoder);
        self.consumer.write(encoder);
        self.at.write(encoder);
        self.count.write(encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let Delivered { id, consumer, time, count } = Delivered::read(frame)?;
        Ok(Self { id, consumer, at: UNIX_EPOCH + time, count })
    }
}

/// What the lists of pending entries have in common on the wire.
struct Delivered {
    id: StreamId,
    consumer: Value,
    time: Duration,
    count: u64,
}

impl Delivered {
    fn read(frame: Frame) -> Result<Self> {
        let parts: Result<[Frame; 4], _> = items(frame)?.try_into();
        match parts {
            Ok([id, consumer, time, count]) => Ok(Self {
                id: Reply::read(id)?,
                consumer: Reply::read(consumer)?,
                time: Reply::read(time)?,
                count: Reply::read(count)?,
            }),
            Err(parts) => unexpected(&Frame::Array(parts)),
        }
    }
}

impl Reply for GroupInfo {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.map(6);
        pair("name", &self.name, encoder);
        pair("consumers", &self.consumers, encoder);
        pair("pending", &self.pending, encoder);
        pair("last-delivered-id", &self.last_delivered_id, encoder);
        pair("entries-read", &self.entries_read, encoder);
        pair("lag", &self.lag, encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let mut record = Record::read(frame)?;
        Ok(Self {
            name: record.field("name")?,
            consumers: record.field("consumers")?,
            pending: record.field("pending")?,
            last_delivered_id: record.field("last-delivered-id")?,
            entries_read: record.field("entries-read")?,
            lag: record.field("lag")?,
        })
    }
}

impl Reply for ConsumerInfo {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.map(3);
        pair("name", &self.name, encoder);
        pair("pending", &self.pending, encoder);
        pair("idle", &self.idle, encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let mut record = Record::read(frame)?;
        Ok(Self {
            name: record.field("name")?,
            pending: record.field("pending")?,
            idle: record.field("idle")?,
        })
    }
}

impl Reply for FullGroupInfo {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.map(7);
        pair("name", &self.name, encoder);
        pair("last-delivered-id", &self.last_delivered_id, encoder);
        pair("entries-read", &self.entries_read, encoder);
        pair("lag", &self.lag, encoder);
        pair("pel-count", &self.pending_count, encoder);
        pair("pending", &self.pending, encoder);
        pair("consumers", &self.consumers, encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let mut record = Record::read(frame)?;
        Ok(Self {
            name: record.field("name")?,
            last_delivered_id: record.field("last-delivered-id")?,
            entries_read: record.field("entries-read")?,
            lag: record.field("lag")?,
            pending_count: record.field("pel-count")?,
            pending: record.field("pending")?,
            consumers: record.field("consumers")?,
        })
    }
}

impl Reply for FullConsumerInfo {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.map(4);
        pair("name", &self.name, encoder);
        pair("seen-time", &self.seen_at, encoder);
        pair("pel-count", &self.pending_count, encoder);
        encoder.bulk(b"pending");
        encoder.array(self.pending.len());
        for Delivery { id, at, count, .. } in &self.pending {
            encoder.array(3);
            id.write(encoder);
            at.write(encoder);
            count.write(encoder);
        }
    }

    fn read(frame: Frame) -> Result<Self> {
        let mut record = Record::read(frame)?;
        let name: Value = record.field("name")?;
        let delivery = |frame| {
            let parts: Result<[Frame; 3], _> = items(frame)?.try_into();
            match parts {
                Ok([id, at, count]) => Ok(Delivery {
                    id: Reply::read(id)?,
                    consumer: name.clone(),
                    at: Reply::read(at)?,
                    count: Reply::read(count)?,
                }),
                Err(parts) => unexpected(&Frame::Array(parts)),
            }
        };
        let pending = items(record.take("pending")?)?.into_iter().map(delivery);
        Ok(Self {
            pending: pending.collect::<Result<_>>()?,
            seen_at: record.field("seen-time")?,
            pending_count: record.field("pel-count")?,
            name,
        })
    }
}
