//! Streams: their entries in listpacks, then counters, then consumer groups.
//!
//! A listpack holds a run of entries under the id of a first one, its master, whose field names
//! most of them share:
//!
//! ```text
//! entries, of them deleted, names of the master: count, name ..., 0
//! flags, id less the master's (ms, seq), value ...,                      elements so far
//! flags, id less the master's (ms, seq), count, name, value ...,         elements so far
//! ```
//!
//! A group lists what is pending with times and counts; then each consumer lists the ids that it
//! has of these, and since Redis 8.8 the group those that no consumer has any more.

use super::input::Input;
use super::listpack;
use super::output::Sink;
use super::value::Element;
use super::{Times, Version, kind};
use crate::data::stream::{Consumer, Entry, Fields, Group, Stream, StreamId, Strings};
use crate::error::Result;

const DELETED: i64 = 1;
/// The names are the master's.
const SHARED_NAMES: i64 = 2;
/// A number of entries read that is not known.
const UNKNOWN: u64 = u64::MAX;
/// A consumer who was never given an entry.
const NEVER: i64 = -1;

pub(super) fn write(sink: &mut impl Sink, stream: &Stream, version: Version, times: Times) {
    sink.length(stream.blocks() as u64);
    for run in stream.runs() {
        write_run(sink, run);
    }
    sink.length(stream.len() as u64);
    write_id(sink, stream.last_id());
    write_id(sink, stream.first_id().unwrap_or(StreamId::MIN));
    write_id(sink, stream.max_deleted_id());
    sink.length(stream.entries_added());
    sink.length(stream.groups().len() as u64);
    for (name, group) in stream.groups() {
        write_group(sink, name, group, version, times);
    }
}

fn write_id(sink: &mut impl Sink, id: StreamId) {
    sink.length(id.ms);
    sink.length(id.seq);
}

fn id_bytes(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}

fn write_run<'s>(sink: &mut impl Sink, run: impl Iterator<Item = Entry<'s>> + Clone) {
    let Some(master) = run.clone().next() else { return };
    let mut packed = listpack::Writer::new();
    packed.integer(run.clone().count() as i64);
    packed.integer(0);
    packed.integer(master.fields().len() as i64);
    master.fields().for_each(|(name, _)| packed.push(name));
    packed.integer(0);
    for entry in run {
        let names = |entry: &Entry<'s>| entry.fields().map(|(name, _)| name);
        let shared = names(&entry).eq(names(&master));
        packed.integer(if shared { SHARED_NAMES } else { 0 });
        packed.integer(entry.id().ms.wrapping_sub(master.id().ms) as i64);
        packed.integer(entry.id().seq.wrapping_sub(master.id().seq) as i64);
        let fields = entry.fields().len() as i64;
        if !shared {
            packed.integer(fields);
        }
        for (name, value) in entry.fields() {
            if !shared {
                packed.push(name);
            }
            packed.push(value);
        }
        packed.integer(if shared { fields + 3 } else { 2 * fields + 4 });
    }
    sink.bytes(&id_bytes(master.id()));
    sink.bytes(&packed.finish());
}

fn write_group(sink: &mut impl Sink, name: &[u8], group: &Group, version: Version, times: Times) {
    sink.string(name);
    write_id(sink, group.last_delivered());
    sink.length(group.entries_read().unwrap_or(UNKNOWN));
    sink.length(group.pending_len() as u64);
    for entry in group.all_pending() {
        sink.put(&id_bytes(entry.id));
        sink.millis(times.unix(entry.delivered_at));
        sink.length(entry.delivery_count);
    }
    sink.length(group.consumers().len() as u64);
    for consumer in group.consumers() {
        write_consumer(sink, consumer, version, times);
    }
}

fn write_consumer(sink: &mut impl Sink, consumer: &Consumer, version: Version, times: Times) {
    sink.string(consumer.name());
    sink.millis(times.unix(consumer.seen_at()));
    if version == Version::Twelve {
        sink.millis(consumer.active_at().map_or(NEVER, |at| times.unix(at)));
    }
    sink.length(consumer.pending_ids().len() as u64);
    consumer.pending_ids().for_each(|id| sink.put(&id_bytes(id)));
}

pub(super) fn read(
    input: &mut Input<'_>,
    kind: u8,
    times: Times,
    scratch: &mut Vec<u8>,
) -> Result<Stream> {
    let mut stream = Stream::default();
    for _ in 0..input.length()? {
        input.string(scratch)?;
        let master: Result<[u8; 16], _> = scratch[..].try_into();
        let master = master.map_err(|_| input.corrupt("an id of a stream that is not one"))?;
        input.blob(scratch)?;
        let run = read_run(&mut stream, id_of(master), scratch);
        run.ok_or_else(|| input.corrupt("damaged entries of a stream"))?;
    }
    read_counters(input, kind, &mut stream)?;
    for _ in 0..input.length()? {
        read_group(input, kind, times, &mut stream, scratch)?;
    }
    if kind >= kind::STREAM_4 {
        skip_producers(input, scratch)?;
    }
    Ok(stream)
}

/// Passes over what is known of producers who send things twice: for how long and how many, then
/// for each what it has sent and as which entry, then two counters.
fn skip_producers(input: &mut Input<'_>, scratch: &mut Vec<u8>) -> Result<()> {
    input.length()?;
    input.length()?;
    for _ in 0..input.length()? {
        input.string(scratch)?;
        for _ in 0..input.length()? {
            input.string(scratch)?;
            read_id(input)?;
        }
    }
    input.length()?;
    input.length()?;
    Ok(())
}

fn id_of(bytes: [u8; 16]) -> StreamId {
    let number = u128::from_be_bytes(bytes);
    StreamId::new((number >> 64) as u64, number as u64)
}

/// Elements one after the other, none of which may be missing.
struct Elements<I>(I);

impl<'b, I: Iterator<Item = Option<Element<'b>>>> Elements<I> {
    fn integer(&mut self) -> Option<i64> {
        integer(self.0.next()?)
    }

    /// Appends the next ones to strings.
    fn texts(&mut self, count: usize, strings: &mut Strings) -> Option<()> {
        for _ in 0..count {
            strings.push(self.0.next()??.text(&mut itoa::Buffer::new()));
        }
        Some(())
    }
}

fn integer(element: Option<Element<'_>>) -> Option<i64> {
    match element? {
        Element::Integer(number) => Some(number),
        Element::Bytes(_) => None,
    }
}

/// Appends the entries of one listpack; `None` if they cannot be.
fn read_run(stream: &mut Stream, master: StreamId, packed: &[u8]) -> Option<()> {
    let mut elements = Elements(listpack::read(packed)?);
    let (live, deleted) = (elements.integer()?, elements.integer()?);
    let (mut names, mut strings) = (Strings::default(), Strings::default());
    let count = elements.integer()?;
    elements.texts(usize::try_from(count).ok()?, &mut names)?;
    if elements.integer()? != 0 {
        return None;
    }
    let mut found = [0, 0];
    while let Some(flags) = elements.0.next() {
        let flags = integer(flags)?;
        let ms = master.ms.wrapping_add(elements.integer()? as u64);
        let seq = master.seq.wrapping_add(elements.integer()? as u64);
        strings.clear();
        let (fields, own) = if flags & SHARED_NAMES != 0 {
            elements.texts(names.len(), &mut strings)?;
            (Fields::of(&names, &strings), names.len() + 3)
        } else {
            let count = usize::try_from(elements.integer()?).ok()?.checked_mul(2)?;
            elements.texts(count, &mut strings)?;
            (Fields::in_turn(&strings), count + 4)
        };
        if elements.integer()? != own as i64 {
            return None;
        }
        found[usize::from(flags & DELETED != 0)] += 1;
        if flags & DELETED == 0 {
            stream.append_strings(StreamId::new(ms, seq), fields).ok()?;
        }
    }
    (found == [live, deleted] && live + deleted > 0).then_some(())
}

fn read_id(input: &mut Input<'_>) -> Result<StreamId> {
    Ok(StreamId::new(input.length()?, input.length()?))
}

fn read_counters(input: &mut Input<'_>, kind: u8, stream: &mut Stream) -> Result<()> {
    let len = input.length()?;
    let last = read_id(input)?;
    let (mut deleted, mut added) = (None, len);
    if kind != kind::STREAM {
        let first = read_id(input)?;
        if !stream.is_empty() && stream.first_id() != Some(first) {
            return Err(input.corrupt("a stream that begins with another entry than it says"));
        }
        deleted = Some(read_id(input)?);
        added = input.length()?;
    }
    if len != stream.len() as u64 || stream.set_ids(last, Some(added), deleted).is_err() {
        return Err(input.corrupt("counters of a stream that contradict its entries"));
    }
    Ok(())
}

fn read_group(
    input: &mut Input<'_>,
    kind: u8,
    times: Times,
    stream: &mut Stream,
    scratch: &mut Vec<u8>,
) -> Result<()> {
    input.string(scratch)?;
    let name = scratch.clone();
    let last_delivered = read_id(input)?;
    let entries_read = match kind {
        kind::STREAM => stream.position_of(last_delivered),
        _ => Some(input.length()?).filter(|read| *read != UNKNOWN),
    };
    if !stream.create_group(&name, last_delivered, entries_read) {
        return Err(input.corrupt("a group twice in a stream"));
    }
    let mut pending = read_pending(input, times)?;
    let Some(mut group) = stream.group_mut(&name) else { return Ok(()) };
    for _ in 0..input.length()? {
        input.string(scratch)?;
        let seen_at = times.store(input.millis()?);
        let active_at = match kind >= kind::STREAM_3 {
            true => Some(input.millis()?).filter(|at| *at != NEVER),
            // The best that is known.
            false => Some(times.unix(seen_at)),
        };
        let active_at = active_at.map(|at| times.store(at));
        if !group.restore_consumer(scratch, seen_at, active_at) {
            return Err(input.corrupt("a consumer twice in a group"));
        }
        for _ in 0..input.length()? {
            let id = id_of(input.array()?);
            let place = pending.binary_search_by_key(&id, |(id, _)| *id).ok();
            // Taken, so that no other consumer can have it too.
            let Some((at, count)) = place.and_then(|place| pending[place].1.take()) else {
                return Err(input.corrupt("a consumer has pending what its group has not"));
            };
            group.restore_pending(id, scratch, at, count);
        }
    }
    if kind >= kind::STREAM_5 && input.length()? > 0 {
        return Err(input.corrupt("an entry that was given back to its group: not supported"));
    }
    if pending.iter().any(|(_, delivery)| delivery.is_some()) {
        return Err(input.corrupt("a pending entry without a consumer"));
    }
    Ok(())
}

/// A pending entry, and when it was delivered and how often, until a consumer takes it.
type Pending = (StreamId, Option<(u64, u64)>);

/// What a group has pending, by ascending ids.
fn read_pending(input: &mut Input<'_>, times: Times) -> Result<Vec<Pending>> {
    let mut pending: Vec<Pending> = Vec::new();
    for _ in 0..input.length()? {
        let id = id_of(input.array()?);
        if pending.last().is_some_and(|(last, _)| *last >= id) {
            return Err(input.corrupt("pending entries out of order"));
        }
        let delivered_at = times.store(input.millis()?);
        pending.push((id, Some((delivered_at, input.length()?))));
    }
    Ok(pending)
}
