//! The wire form of the operations on streams, but for those on groups.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::{Context, Family, command};
use super::encoder::{Encoder, Protocol};
use super::frame::Frame;
use super::reply::{Record, Reply, items, unexpected};
use crate::data::stream::{Deletion, Entries, Entry, Precision, References, StreamId, TrimBound};
use crate::error::{Error, Result};
use crate::ops::stream::*;
use crate::value::Value;

command!(Append<'a>, "XADD" { key, options, fields });
command!(Length<'a>, "XLEN" { key });
command!(Range<'a>, "XRANGE" { key, ids, limit } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        write_or_null_array(output.as_ref(), encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        Reply::read(frame)
    }
});
command!(RangeReversed<'a>, "XREVRANGE" { key, ids, limit } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        write_or_null_array(output.as_ref(), encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        Reply::read(frame)
    }
});
command!(Read<'a>, "XREAD" { options, streams } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        write_read(output.as_ref(), encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        read_read(frame)
    }
});
command!(Delete<'a>, "XDEL" { key, ids });
command!(DeleteReferenced<'a>, "XDELEX" { key, entries });
command!(TrimTo<'a>, "XTRIM" { key, trim });
command!(SetIds<'a>, "XSETID" { key, ids });
command!(Describe<'a>, "XINFO" "STREAM" { key });
command!(DescribeFully<'a>, "XINFO" "STREAM" { key, limit });

/// `XINFO STREAM key`, with or without `FULL`.
pub(super) fn execute_info(
    args: &mut Args<'_>,
    context: &mut Context<'_, '_>,
    encoder: &mut Encoder<'_>,
) -> Result<()> {
    if args.len() == 2 {
        return context.execute(&<Describe<'_> as Family>::parse(args)?, encoder);
    }
    context.execute(&<DescribeFully<'_> as Family>::parse(args)?, encoder)
}

/// `XINFO HELP`.
pub(super) fn info_help(
    _args: &mut Args<'_>,
    context: &mut Context<'_, '_>,
    encoder: &mut Encoder<'_>,
) -> Result<()> {
    context.help(
        "XINFO",
        &[
            "STREAM key [FULL [COUNT count]]",
            "    The stream; with FULL also its entries, groups and consumers.",
            "GROUPS key",
            "    The consumer groups of the stream.",
            "CONSUMERS key group",
            "    The consumers of a group.",
        ],
        encoder,
    );
    Ok(())
}

// Arguments.

const INVALID_START: Error = Error::OutOfRange("invalid start ID for the interval");
const INVALID_END: Error = Error::OutOfRange("invalid end ID for the interval");

/// `ms-seq` or `ms`.
impl<'a> Arg<'a> for StreamId {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        parse_id(args.next()?, 0)
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(id_text(*self));
    }
}

fn parse_id(text: &[u8], missing_seq: u64) -> Result<StreamId> {
    StreamId::parse(text, missing_seq).map_err(|_| Error::InvalidStreamId)
}

/// An id in its shortest form.
pub(super) fn id_text(id: StreamId) -> SmallVec<[u8; 64]> {
    let mut text = SmallVec::from_slice(itoa::Buffer::new().format(id.ms).as_bytes());
    text.push(b'-');
    text.extend_from_slice(itoa::Buffer::new().format(id.seq).as_bytes());
    text
}

/// One end of a range: `-`, `+`, an id, or `(` and an id that is left out. The second value
/// tells which.
fn parse_end(text: &[u8], missing_seq: u64) -> Result<(StreamId, bool)> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => Ok((parse_id(rest, missing_seq)?, true)),
        b"-" => Ok((StreamId::MIN, false)),
        b"+" => Ok((StreamId::MAX, false)),
        text => Ok((parse_id(text, missing_seq)?, false)),
    }
}

pub(super) fn parse_start(text: &[u8]) -> Result<StreamId> {
    match parse_end(text, 0)? {
        (id, false) => Ok(id),
        (id, true) => id.next().ok_or(INVALID_START),
    }
}

fn parse_ids(start: &[u8], end: &[u8]) -> Result<Ids> {
    let start = parse_start(start)?;
    match parse_end(end, u64::MAX)? {
        (id, false) => Ok(Ids(start, id)),
        (id, true) => Ok(Ids(start, id.prev().ok_or(INVALID_END)?)),
    }
}

impl<'a> Arg<'a> for Ids {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let (start, end) = (args.next()?, args.next()?);
        parse_ids(start, end)
    }

    fn encode(&self, argv: &mut Argv) {
        self.0.encode(argv);
        self.1.encode(argv);
    }
}

impl<'a> Arg<'a> for IdsReversed {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let (end, start) = (args.next()?, args.next()?);
        parse_ids(start, end).map(Self)
    }

    fn encode(&self, argv: &mut Argv) {
        self.0.1.encode(argv);
        self.0.0.encode(argv);
    }
}

/// Takes a count, of which a negative one is none.
pub(super) fn count(args: &mut Args<'_>) -> Result<usize> {
    Ok(usize::try_from(args.integer()?).unwrap_or(0))
}

/// `COUNT n`.
impl<'a> Arg<'a> for Limit {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut limit = None;
        while !args.is_empty() {
            args.expect("COUNT")?;
            limit = Some(count(args)?);
        }
        Ok(Self(limit))
    }

    fn encode(&self, argv: &mut Argv) {
        encode_count(self.0, argv);
    }
}

fn encode_count(count: Option<usize>, argv: &mut Argv) {
    if let Some(count) = count {
        argv.push("COUNT");
        argv.integer(count);
    }
}

/// `FULL [COUNT n]`.
impl<'a> Arg<'a> for FullLimit {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        const DEFAULT: usize = 10;
        let wrong = Error::SubcommandOptions { command: "XINFO", given: Value::from("stream") };
        let given = args.len();
        if !(given == 1 || given == 3) || !args.keyword("FULL") {
            return Err(wrong);
        }
        if args.is_empty() {
            return Ok(Self(DEFAULT));
        }
        if !args.keyword("COUNT") {
            return Err(wrong);
        }
        Ok(Self(usize::try_from(args.integer()?).unwrap_or(DEFAULT)))
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push("FULL");
        encode_count(Some(self.0), argv);
    }
}

/// What may stand before the fields of an entry, in any order, and the id that ends it.
impl<'a> Arg<'a> for AppendOptions {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        let mut trim = TrimParser::default();
        while args.peek().is_some() {
            if args.keyword("NOMKSTREAM") {
                options.only_existing = true;
            } else if !trim.parse(args)? {
                options.id = parse_new_id(args.next()?)?;
                options.trim = trim.finish()?;
                return Ok(options);
            }
        }
        Err(Error::Arity("XADD"))
    }

    fn encode(&self, argv: &mut Argv) {
        if self.only_existing {
            argv.push("NOMKSTREAM");
        }
        if let Some(trim) = self.trim {
            trim.encode(argv);
        }
        match self.id {
            NewId::Auto => argv.push("*"),
            NewId::At(ms) => argv.push(format!("{ms}-*")),
            NewId::Exact(id) => id.encode(argv),
        }
    }
}

fn parse_new_id(text: &[u8]) -> Result<NewId> {
    match text.strip_suffix(b"-*") {
        _ if text == b"*" => Ok(NewId::Auto),
        Some(ms) if !ms.contains(&b'-') => Ok(NewId::At(parse_id(ms, 0)?.ms)),
        _ => parse_id(text, 0).map(NewId::Exact),
    }
}

/// The options of a trim as they come.
#[derive(Default)]
struct TrimParser {
    bound: Option<TrimBound>,
    approximate: bool,
    limit: Option<usize>,
}

impl TrimParser {
    /// Takes one option, if the next argument begins one.
    fn parse(&mut self, args: &mut Args<'_>) -> Result<bool> {
        if args.len() < 2 {
            return Ok(false);
        }
        if args.keyword("MAXLEN") {
            self.begin(args)?;
            let negative = Error::OutOfRange("The MAXLEN argument must be >= 0.");
            let length = usize::try_from(args.integer()?).map_err(|_| negative)?;
            self.bound = Some(TrimBound::MaxLen(length));
        } else if args.keyword("MINID") {
            self.begin(args)?;
            let id = parse_id(args.next()?, 0)?;
            self.bound = Some(TrimBound::MinId(id));
        } else if args.keyword("LIMIT") {
            let negative = Error::OutOfRange("The LIMIT argument must be >= 0.");
            self.limit = Some(usize::try_from(args.integer()?).map_err(|_| negative)?);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes `=` or `~`, if something follows.
    fn begin(&mut self, args: &mut Args<'_>) -> Result<()> {
        if self.bound.is_some() {
            return Err(Error::Syntax(
                "syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        self.approximate = false;
        if args.len() >= 2 && matches!(args.peek(), Some(b"~" | b"=")) {
            self.approximate = args.next()? == b"~";
        }
        Ok(())
    }

    /// Whether there is a limit; zero is none.
    fn limits(&self) -> bool {
        self.limit.is_some_and(|limit| limit > 0)
    }

    fn finish(self) -> Result<Option<Trim>> {
        if self.limits() && self.bound.is_none() {
            return Err(Error::Syntax(
                "syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if self.limit.is_some() && !self.approximate {
            return Err(Error::Syntax(
                "syntax error, LIMIT cannot be used without the special ~ option",
            ));
        }
        let precision = match self.approximate {
            true => Precision::Approximate { limit: self.limit },
            false => Precision::Exact,
        };
        Ok(self.bound.map(|bound| Trim { bound, precision }))
    }
}

const NO_STRATEGY: Error =
    Error::Syntax("syntax error, XTRIM must be called with a trimming strategy");

impl<'a> Arg<'a> for Trim {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut trim = TrimParser::default();
        while !args.is_empty() {
            if !trim.parse(args)? {
                return Err(SYNTAX);
            }
        }
        // A limit that is one is what Redis minds first.
        if trim.bound.is_none() && !trim.limits() {
            return Err(NO_STRATEGY);
        }
        trim.finish()?.ok_or(NO_STRATEGY)
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(match self.bound {
            TrimBound::MaxLen(_) => "MAXLEN",
            TrimBound::MinId(_) => "MINID",
        });
        let approximate = self.precision != Precision::Exact;
        argv.push(if approximate { "~" } else { "=" });
        match self.bound {
            TrimBound::MaxLen(length) => argv.integer(length),
            TrimBound::MinId(id) => id.encode(argv),
        }
        if let Precision::Approximate { limit: Some(limit) } = self.precision {
            argv.push("LIMIT");
            argv.integer(limit);
        }
    }
}

/// Names and values in turn; at least one of each.
impl<'a> Arg<'a> for FieldList<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let (pairs, rest) = args.take_rest().as_chunks::<2>();
        if pairs.is_empty() || !rest.is_empty() {
            return Err(Error::Arity("XADD"));
        }
        Ok(Self(pairs.iter().map(|[name, value]| (*name, *value)).collect()))
    }

    fn encode(&self, argv: &mut Argv) {
        for (name, value) in self.0.iter() {
            argv.push(name);
            argv.push(value);
        }
    }
}

impl ReadOptions {
    /// Takes one option, if the next argument begins one.
    pub(super) fn parse_one(&mut self, args: &mut Args<'_>) -> Result<bool> {
        if args.len() < 2 {
            return Ok(false);
        }
        if args.keyword("BLOCK") {
            self.block = Some(parse_timeout(args.next()?)?);
        } else if args.keyword("COUNT") {
            self.limit = Some(count(args)?).filter(|count| *count > 0);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    pub(super) fn encode(&self, argv: &mut Argv) {
        encode_count(self.limit, argv);
        if let Some(millis) = self.block {
            argv.push("BLOCK");
            argv.integer(millis);
        }
    }
}

fn parse_timeout(text: &[u8]) -> Result<u64> {
    let timeout = crate::number::parse_integer(text);
    let timeout = timeout.ok_or(Error::OutOfRange("timeout is not an integer or out of range"))?;
    u64::try_from(timeout).map_err(|_| Error::OutOfRange("timeout is negative"))
}

/// Options up to the word `STREAMS`.
impl<'a> Arg<'a> for ReadOptions {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while !(args.len() > 1 && args.keyword("STREAMS")) {
            if options.parse_one(args)? {
                continue;
            }
            return Err(if args.len() > 2 && args.keyword("GROUP") {
                Error::Syntax(
                    "The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                )
            } else if args.keyword("NOACK") {
                Error::Syntax(
                    "The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                )
            } else {
                SYNTAX
            });
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        self.encode(argv);
        argv.push("STREAMS");
    }
}

/// What may stand as the id of a stream that is read.
pub(super) trait ReadPosition: Copy {
    fn parse(text: &[u8]) -> Result<Self>;
    fn encode(&self, argv: &mut Argv);
}

impl ReadPosition for After {
    fn parse(text: &[u8]) -> Result<Self> {
        match text {
            b"$" => Ok(Self::Last),
            b"+" => Ok(Self::LastButOne),
            b">" => Err(Error::Syntax(
                "The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
                 <consumer> option.",
            )),
            text => parse_id(text, 0).map(Self::Id),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        match self {
            Self::Last => argv.push("$"),
            Self::LastButOne => argv.push("+"),
            Self::Id(id) => id.encode(argv),
        }
    }
}

/// An error unless there may be as many positions as keys.
pub(super) fn check_balance(args: &Args<'_>) -> Result<()> {
    if args.is_empty() || !args.len().is_multiple_of(2) {
        return Err(Error::Syntax(
            "Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
        ));
    }
    Ok(())
}

/// Keys, and then as many positions.
impl<'a, T: ReadPosition> Arg<'a> for Streams<'a, T> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        check_balance(args)?;
        let all = args.take_rest();
        let (keys, positions) = all.split_at(all.len() / 2);
        let pair = |(key, position): (&&'a [u8], &&[u8])| Ok((*key, T::parse(position)?));
        let streams: Result<Vec<_>> = keys.iter().zip(positions).map(pair).collect();
        Ok(Self(Cow::Owned(streams?)))
    }

    fn encode(&self, argv: &mut Argv) {
        for (key, _) in self.0.iter() {
            argv.push(key);
        }
        for (_, position) in self.0.iter() {
            position.encode(argv);
        }
    }
}

/// `[KEEPREF|DELREF|ACKED] IDS n id...`, in any order.
impl<'a> Arg<'a> for Referenced<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let (mut references, mut ids) = (None, None);
        while !args.is_empty() {
            let known = [
                ("KEEPREF", References::Keep),
                ("DELREF", References::Delete),
                ("ACKED", References::Acknowledged),
            ];
            let given = known.iter().find(|(word, _)| references.is_none() && args.keyword(word));
            if let Some((_, rule)) = given {
                references = Some(*rule);
            } else {
                args.expect("IDS")?;
                ids = Some(parse_counted_ids(args)?);
            }
        }
        let ids = Cow::Owned(ids.ok_or(SYNTAX)?);
        Ok(Self { references: references.unwrap_or_default(), ids })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(match self.references {
            References::Keep => "KEEPREF",
            References::Delete => "DELREF",
            References::Acknowledged => "ACKED",
        });
        argv.push("IDS");
        argv.integer(self.ids.len());
        self.ids.encode(argv);
    }
}

fn parse_counted_ids(args: &mut Args<'_>) -> Result<Vec<StreamId>> {
    let count = crate::number::parse_integer(args.next()?).and_then(|n| usize::try_from(n).ok());
    let count = count.filter(|count| *count > 0);
    let count = count.ok_or(Error::OutOfRange("Number of IDs must be a positive integer"))?;
    let mismatch = Error::OutOfRange("The `numids` parameter must match the number of arguments");
    let ids = args.take(count).map_err(|_| mismatch)?;
    ids.iter().map(|text| parse_id(text, 0)).collect()
}

/// `id [ENTRIESADDED n] [MAXDELETEDID id]`.
impl<'a> Arg<'a> for LastIds {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut ids = Self { last_id: args.arg()?, entries_added: None, max_deleted_id: None };
        while !args.is_empty() {
            if args.len() < 2 {
                return Err(SYNTAX);
            } else if args.keyword("ENTRIESADDED") {
                let negative = Error::OutOfRange("entries_added must be positive");
                let added = u64::try_from(args.integer()?).map_err(|_| negative)?;
                ids.entries_added = Some(added);
            } else if args.keyword("MAXDELETEDID") {
                ids.max_deleted_id = Some(args.arg()?);
            } else {
                return Err(SYNTAX);
            }
        }
        Ok(ids)
    }

    fn encode(&self, argv: &mut Argv) {
        self.last_id.encode(argv);
        if let Some(added) = self.entries_added {
            argv.push("ENTRIESADDED");
            argv.integer(added);
        }
        if let Some(id) = self.max_deleted_id {
            argv.push("MAXDELETEDID");
            id.encode(argv);
        }
    }
}

// Replies.

impl Reply for StreamId {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.bulk(&id_text(*self));
    }

    fn read(frame: Frame) -> Result<Self> {
        parse_id(&Value::read(frame)?, 0)
    }
}

/// 1: deleted, 2: still referenced, -1: not found.
impl Reply for Deletion {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer(match self {
            Self::NotFound => -1,
            Self::Deleted => 1,
            Self::StillReferenced => 2,
        });
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Integer(-1) => Ok(Self::NotFound),
            Frame::Integer(1) => Ok(Self::Deleted),
            Frame::Integer(2) => Ok(Self::StillReferenced),
            other => unexpected(&other),
        }
    }
}

/// An array of entries: the id, and names and values in turn; nothing instead of them for an
/// entry that is gone.
impl Reply for Entries {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.array(self.len());
        for entry in self {
            write_entry(entry, encoder);
        }
    }

    fn read(frame: Frame) -> Result<Self> {
        let mut entries = Self::new();
        for item in items(frame)? {
            read_entry(item, &mut entries)?;
        }
        Ok(entries)
    }
}

fn write_entry(entry: Entry<'_>, encoder: &mut Encoder<'_>) {
    encoder.array(2);
    entry.id().write(encoder);
    if entry.is_deleted() {
        return encoder.null_array();
    }
    let fields = entry.fields();
    encoder.array(fields.len() * 2);
    for (name, value) in fields {
        encoder.bulk(name);
        encoder.bulk(value);
    }
}

fn read_entry(frame: Frame, entries: &mut Entries) -> Result<()> {
    let (id, fields) = <(StreamId, Option<Vec<Value>>)>::read(frame)?;
    match fields {
        None => entries.push_deleted(id),
        Some(fields) => {
            let (pairs, _) = fields.as_chunks::<2>();
            entries.push(id, pairs.iter().map(|[name, value]| (&**name, &**value)));
        }
    }
    Ok(())
}

pub(super) fn write_or_null_array<T: Reply>(output: Option<&T>, encoder: &mut Encoder<'_>) {
    match output {
        Some(output) => output.write(encoder),
        None => encoder.null_array(),
    }
}

/// Streams with their entries: a map in RESP3, pairs in RESP2; null if there are none.
pub(super) fn write_read(output: Option<&ReadOutput>, encoder: &mut Encoder<'_>) {
    let Some(streams) = output else { return encoder.null_array() };
    let pairs = encoder.protocol() == Protocol::Resp2;
    if pairs {
        encoder.array(streams.len());
    } else {
        encoder.map(streams.len());
    }
    for (key, entries) in streams {
        if pairs {
            encoder.array(2);
        }
        encoder.bulk(key);
        entries.write(encoder);
    }
}

/// Reads what [`write_read`] wrote.
pub(super) fn read_read(frame: Frame) -> Result<Option<ReadOutput>> {
    let Frame::Map(pairs) = frame else { return Reply::read(frame) };
    let stream = |(key, entries)| Ok((Value::read(key)?, Entries::read(entries)?));
    pairs.into_iter().map(stream).collect::<Result<_>>().map(Some)
}

/// Writes the ends of a stream: an entry or nothing.
fn write_end(entries: &Entries, encoder: &mut Encoder<'_>) {
    match entries.first() {
        Some(entry) => write_entry(entry, encoder),
        None => encoder.null(),
    }
}

fn read_end(frame: Frame) -> Result<Entries> {
    let mut entries = Entries::new();
    if frame != Frame::Null {
        read_entry(frame, &mut entries)?;
    }
    Ok(entries)
}

/// Writes one pair of a map.
pub(super) fn pair(name: &str, value: &impl Reply, encoder: &mut Encoder<'_>) {
    encoder.bulk(name.as_bytes());
    value.write(encoder);
}

/// Writes the pairs that both descriptions of a stream begin with: seven.
fn write_info(info: &StreamInfo, encoder: &mut Encoder<'_>) {
    pair("length", &info.length, encoder);
    pair("radix-tree-keys", &info.blocks, encoder);
    // A tree has at least a root; how many inner nodes Redis would need is not known.
    pair("radix-tree-nodes", &(info.blocks + 1), encoder);
    pair("last-generated-id", &info.last_id, encoder);
    pair("max-deleted-entry-id", &info.max_deleted_id, encoder);
    pair("entries-added", &info.entries_added, encoder);
    pair("recorded-first-entry-id", &info.first_id, encoder);
}

fn read_info(record: &mut Record) -> Result<StreamInfo> {
    Ok(StreamInfo {
        length: record.field("length")?,
        blocks: record.field("radix-tree-keys")?,
        last_id: record.field("last-generated-id")?,
        max_deleted_id: record.field("max-deleted-entry-id")?,
        entries_added: record.field("entries-added")?,
        first_id: record.field("recorded-first-entry-id")?,
        groups: 0,
        first: Entries::new(),
        last: Entries::new(),
    })
}

impl Reply for StreamInfo {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.map(10);
        write_info(self, encoder);
        pair("groups", &self.groups, encoder);
        encoder.bulk(b"first-entry");
        write_end(&self.first, encoder);
        encoder.bulk(b"last-entry");
        write_end(&self.last, encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let mut record = Record::read(frame)?;
        Ok(Self {
            groups: record.field("groups")?,
            first: read_end(record.take("first-entry")?)?,
            last: read_end(record.take("last-entry")?)?,
            ..read_info(&mut record)?
        })
    }
}

impl Reply for FullStreamInfo {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.map(9);
        write_info(&self.info, encoder);
        pair("entries", &self.entries, encoder);
        pair("groups", &self.groups, encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let mut record = Record::read(frame)?;
        let mut info = read_info(&mut record)?;
        let groups: Vec<_> = record.field("groups")?;
        info.groups = groups.len();
        Ok(Self { info, entries: record.field("entries")?, groups })
    }
}

#[cfg(test)]
mod tests;
