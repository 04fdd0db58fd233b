//! A block: up to [`MAX_ENTRIES`] consecutive entries of a stream, packed into one buffer.
//!
//! ```text
//! buffer   names entry*
//! names    count (len name)*             the field names of the first entry, which most share
//! entry    flags [ms] [seq] body         ms, seq: what to add to the id of the first entry
//! body     (len value)*                  if the names are the block's
//!          count (len name len value)*   otherwise
//! ```
//!
//! All numbers are LEB128. `starts` tells where each entry begins, so an entry of the stream's
//! usual fields costs its values, a length byte each, and four to six bytes. A removed entry keeps
//! its bytes and gets a mark, until its block has no live entry left and goes as a whole.
//!
//! Invariant: ids grow; `head` is the first live entry, so a block trimmed or consumed from the
//! front is as quick to enter as a fresh one; `live` counts the entries without a mark.
//!
//! Cost: append O(bytes appended); finding an id O(log entries); a run of entries is copied at
//! once.
//!
//! Where a block ends decides what an approximate trim removes. So that it removes what Redis
//! would, `node_bytes` follows the size this block would have as a node of Redis.

use std::ops::Range;

use super::entries::{Entry, Layout};
use super::id::StreamId;

/// A block takes no further entry once it holds this many, removed ones included (Redis's
/// `stream-node-max-entries`).
pub(crate) const MAX_ENTRIES: usize = 100;
/// A block takes no further entry that would bring it to this size (Redis's
/// `stream-node-max-bytes`).
const MAX_BYTES: usize = 4096;

const DELETED: u8 = 1;
/// The body carries its own names.
const OWN_NAMES: u8 = 2;
/// No `ms`: the milliseconds are those of the first entry.
const SAME_MS: u8 = 4;
/// No `seq`: it is that of the first entry if the milliseconds are, else 0.
const LOWEST_SEQ: u8 = 8;

/// The fields of an entry to be: name, value.
pub(crate) type FieldSlice<'a> = &'a [(&'a [u8], &'a [u8])];

/// The same, to be gone over several times, wherever they are.
pub(super) trait NewFields<'a>:
    ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone
{
}

impl<'a, I: ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone> NewFields<'a> for I {}

#[derive(Debug, Clone)]
pub(super) struct Block {
    data: Vec<u8>,
    /// Where each entry begins, counted from the end of the names. Only a block of one entry can be
    /// long.
    starts: Vec<u16>,
    /// The id of the first entry, live or not: the block's key.
    first: StreamId,
    /// The id of the last entry, live or not.
    last: StreamId,
    names_len: usize,
    node_bytes: usize,
    head: u32,
    live: u32,
}

/// What stands before the body of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    flags: u8,
    pub(super) id: StreamId,
    /// The bytes it takes.
    pub(super) len: usize,
}

impl Block {
    /// A block of one entry, with room for so many bytes and entries.
    pub(super) fn new<'a>(id: StreamId, fields: impl NewFields<'a>, room: (usize, usize)) -> Self {
        let names: usize = fields.clone().map(|(name, _)| framed_len(name.len())).sum();
        let mut data = Vec::with_capacity(room.0.max(10 + names + fields_len(fields.clone())));
        push_number(&mut data, fields.len() as u64);
        for (name, _) in fields.clone() {
            push_bytes(&mut data, name);
        }
        let mut block = Block {
            names_len: data.len(),
            data,
            starts: Vec::with_capacity(room.1),
            first: id,
            last: id,
            node_bytes: node::empty_len(fields.clone()),
            head: 0,
            live: 0,
        };
        block.push(id, fields);
        block
    }

    pub(super) fn has_room<'a>(&self, fields: impl NewFields<'a>) -> bool {
        self.starts.len() < MAX_ENTRIES && self.node_bytes + fields_len(fields) < MAX_BYTES
    }

    /// Adds an entry. Its id is above the last one's, and there is room.
    pub(super) fn push<'a>(&mut self, id: StreamId, fields: impl NewFields<'a>) {
        let own_names = !self.shares_names(fields.clone());
        self.node_bytes += node::entry_len(self.first, id, fields.clone(), own_names);
        let start = u16::try_from(self.data.len() - self.names_len);
        self.starts.push(start.expect("a block with room is short"));
        self.push_head(id, if own_names { OWN_NAMES } else { 0 });
        if own_names {
            push_fields(&mut self.data, fields);
        } else {
            for (_, value) in fields {
                push_bytes(&mut self.data, value);
            }
        }
        self.last = id;
        self.live += 1;
    }

    fn push_head(&mut self, id: StreamId, mut flags: u8) {
        let ms = id.ms - self.first.ms;
        let mut seq = id.seq;
        if ms == 0 {
            flags |= SAME_MS;
            seq -= self.first.seq;
        }
        if seq == 0 {
            flags |= LOWEST_SEQ;
        }
        self.data.push(flags);
        if ms != 0 {
            push_number(&mut self.data, ms);
        }
        if seq != 0 {
            push_number(&mut self.data, seq);
        }
    }

    fn shares_names<'a>(&self, mut fields: impl NewFields<'a>) -> bool {
        let mut reader = Reader::new(&self.data);
        reader.number() == fields.len() as u64 && fields.all(|(name, _)| reader.bytes() == name)
    }

    pub(super) fn first(&self) -> StreamId {
        self.first
    }

    pub(super) fn last(&self) -> StreamId {
        self.last
    }

    /// How many entries are not removed.
    pub(super) fn live(&self) -> usize {
        self.live as usize
    }

    /// The heap bytes of the buffers.
    pub(super) fn heap_bytes(&self) -> usize {
        self.data.capacity() + self.starts.capacity() * size_of::<u16>()
    }

    /// The bytes and entries in use.
    pub(super) fn room_used(&self) -> (usize, usize) {
        (self.data.len(), self.starts.len())
    }

    /// Gives spare capacity back; for a block that will take no further entry.
    pub(super) fn seal(&mut self) {
        self.data.shrink_to_fit();
        self.starts.shrink_to_fit();
    }

    /// The places of the entries of these ids, removed ones among them.
    pub(super) fn places(&self, start: StreamId, end: StreamId) -> Range<usize> {
        let head = self.head as usize;
        let from = if start <= self.first { head } else { self.place_of(start).max(head) };
        let to = match end.next() {
            Some(next) if end < self.last => self.place_of(next),
            _ => self.starts.len(),
        };
        from..to.max(from)
    }

    /// Narrows places to the first `limit` live entries.
    pub(super) fn take_first(&self, places: Range<usize>, limit: usize) -> Range<usize> {
        if places.len() <= limit {
            return places;
        }
        let mut left = limit;
        let end = places.clone().find(|&place| {
            let done = left == 0;
            left -= usize::from(!done && self.is_live(place));
            done
        });
        places.start..end.unwrap_or(places.end)
    }

    /// Narrows places to the last `limit` live entries.
    pub(super) fn take_last(&self, places: Range<usize>, limit: usize) -> Range<usize> {
        if places.len() <= limit {
            return places;
        }
        let mut left = limit;
        let before = places.clone().rev().find(|&place| {
            let done = left == 0;
            left -= usize::from(!done && self.is_live(place));
            done
        });
        before.map_or(places.start, |place| place + 1)..places.end
    }

    /// The first place whose id is not below this one.
    ///
    /// Looks first around where the id would be if time passed evenly: in a block that is not in
    /// the cache every place looked at is a miss, but neighbours share one.
    fn place_of(&self, id: StreamId) -> usize {
        let guess = self.guess(id);
        let mut around = [guess.saturating_sub(1), guess + 1].into_iter();
        let (mut low, mut high) = (self.head as usize, self.starts.len());
        while low < high {
            let place =
                around.next().map_or(low.midpoint(high), |place| place.clamp(low, high - 1));
            if self.head_at(place).id < id {
                low = place + 1;
            } else {
                high = place;
            }
        }
        low
    }

    fn guess(&self, id: StreamId) -> usize {
        let span = (self.last.ms - self.first.ms).max(1);
        let passed = id.ms.clamp(self.first.ms, self.last.ms) - self.first.ms;
        (passed as f64 / span as f64 * (self.starts.len() - 1) as f64) as usize
    }

    /// The place of the live entry of this id.
    pub(super) fn find(&self, id: StreamId) -> Option<usize> {
        let place = self.place_of(id);
        let found =
            place < self.starts.len() && self.head_at(place).id == id && self.is_live(place);
        found.then_some(place)
    }

    /// Marks a live entry as removed.
    pub(super) fn mark(&mut self, place: usize) {
        let flags = self.names_len + usize::from(self.starts[place]);
        self.data[flags] |= DELETED;
        self.live -= 1;
        while (self.head as usize) < self.starts.len() && !self.is_live(self.head as usize) {
            self.head += 1;
        }
    }

    /// Marks the leading live entries for which `doomed` holds, and returns how many they were.
    pub(super) fn mark_while(&mut self, mut doomed: impl FnMut(StreamId) -> bool) -> usize {
        let before = self.live;
        while self.live > 0 && doomed(self.head_at(self.head as usize).id) {
            self.mark(self.head as usize);
        }
        (before - self.live) as usize
    }

    /// Drops the removed entries above an id, below which the next entry may come. No live one is
    /// above it.
    pub(super) fn forget_above(&mut self, id: StreamId) {
        while self.last > id
            && let Some(start) = self.starts.pop()
        {
            self.data.truncate(self.names_len + usize::from(start));
            self.last =
                self.starts.len().checked_sub(1).map_or(self.first, |place| self.head_at(place).id);
        }
    }

    fn is_live(&self, place: usize) -> bool {
        self.data[self.names_len + usize::from(self.starts[place])] & DELETED == 0
    }

    fn head_at(&self, place: usize) -> Head {
        Head::read(&self.data[self.names_len + usize::from(self.starts[place])..], self.first)
    }

    /// The encoded names that most entries share.
    pub(super) fn names(&self) -> &[u8] {
        &self.data[..self.names_len]
    }

    /// The encoded entries at these places.
    pub(super) fn bytes_at(&self, places: &Range<usize>) -> &[u8] {
        let start =
            |place| self.starts.get(place).map(|&start| self.names_len + usize::from(start));
        let end = start(places.end).unwrap_or(self.data.len());
        &self.data[start(places.start).unwrap_or(end)..end]
    }

    /// How far into [`bytes_at`](Self::bytes_at) each of these places begins.
    pub(super) fn offsets_at(
        &self,
        places: &Range<usize>,
    ) -> impl DoubleEndedIterator<Item = usize> + '_ {
        let starts = &self.starts[places.clone()];
        let base = starts.first().copied().unwrap_or_default();
        starts.iter().map(move |start| usize::from(start - base))
    }

    /// The live entries at these places, readable in place.
    pub(super) fn entries_at(
        &self,
        places: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = Entry<'_>> + Clone + '_ {
        places.filter(|&place| self.is_live(place)).map(|place| self.entry_at(place))
    }

    pub(super) fn entry_at(&self, place: usize) -> Entry<'_> {
        let bytes = self.bytes_at(&(place..place + 1));
        let head = Head::read(bytes, self.first);
        let layout = match head.has_own_names() {
            true => Layout::Own,
            false => Layout::Shared { names: self.names() },
        };
        Entry::new(head.id, layout, &bytes[head.len..])
    }

    /// All live entries in order.
    pub(super) fn entries(&self) -> impl DoubleEndedIterator<Item = Entry<'_>> + Clone + '_ {
        self.entries_at(self.head as usize..self.starts.len())
    }

    /// Asserts the invariant.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        let places = 0..self.starts.len();
        assert!(!places.is_empty() && places.len() <= MAX_ENTRIES);
        let ids: Vec<StreamId> = places.clone().map(|place| self.head_at(place).id).collect();
        assert!(ids.is_sorted_by(|before, after| before < after), "ids grow");
        assert_eq!((ids[0], ids[ids.len() - 1]), (self.first, self.last));
        let live: Vec<usize> = places.clone().filter(|&place| self.is_live(place)).collect();
        assert_eq!(live.len(), self.live(), "live counts the entries without a mark");
        assert_eq!(live.first(), Some(&(self.head as usize)), "the head is the first live entry");
        for place in places {
            let entry = self.entry_at(place);
            assert_eq!(entry.fields().len(), entry.fields().count());
        }
    }
}

impl Head {
    /// Reads the beginning of an entry of the block that begins with `first`.
    #[inline]
    pub(super) fn read(entry: &[u8], first: StreamId) -> Self {
        let mut reader = Reader::new(entry);
        let flags = reader.byte();
        let mut id = first;
        if flags & SAME_MS == 0 {
            id = StreamId::new(first.ms + reader.number(), 0);
        }
        if flags & LOWEST_SEQ == 0 {
            id.seq += reader.number();
        }
        Head { flags, id, len: entry.len() - reader.rest.len() }
    }

    pub(super) fn is_live(&self) -> bool {
        self.flags & DELETED == 0
    }

    pub(super) fn has_own_names(&self) -> bool {
        self.flags & OWN_NAMES != 0
    }
}

/// Reads what this file wrote, piece by piece.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn new(data: &'a [u8]) -> Self {
        Reader { rest: data }
    }

    #[inline]
    pub(super) fn number(&mut self) -> u64 {
        let number;
        (number, self.rest) = match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => (u64::from(*byte), rest),
            rest => long_number(rest),
        };
        number
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let len = self.number() as usize;
        let (bytes, rest) = self.rest.split_at(len);
        self.rest = rest;
        bytes
    }

    #[inline]
    fn byte(&mut self) -> u8 {
        let byte = self.rest[0];
        self.rest = &self.rest[1..];
        byte
    }
}

/// Out of line, so that reading fields stays small enough to live in the registers of the caller's
/// loop.
#[inline(never)]
fn long_number(mut rest: &[u8]) -> (u64, &[u8]) {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = rest[0];
        rest = &rest[1..];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (number, rest);
        }
        shift += 7;
    }
}

/// Strings in one buffer, for entries to be.
#[derive(Default)]
pub(crate) struct Strings {
    data: Vec<u8>,
    len: usize,
}

impl Strings {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn clear(&mut self) {
        self.data.clear();
        self.len = 0;
    }

    pub(crate) fn push(&mut self, string: &[u8]) {
        push_bytes(&mut self.data, string);
        self.len += 1;
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.data)
    }
}

/// Encodes fields together with their names.
pub(super) fn push_fields<'a>(
    data: &mut Vec<u8>,
    fields: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>,
) {
    push_number(data, fields.len() as u64);
    for (name, value) in fields {
        push_bytes(data, name);
        push_bytes(data, value);
    }
}

fn push_bytes(data: &mut Vec<u8>, bytes: &[u8]) {
    push_number(data, bytes.len() as u64);
    data.extend_from_slice(bytes);
}

#[inline]
fn push_number(data: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        data.push(number as u8 | 0x80);
        number >>= 7;
    }
    data.push(number as u8);
}

fn number_len(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

fn framed_len(len: usize) -> usize {
    number_len(len as u64) + len
}

/// The bytes of names and values alone.
pub(super) fn fields_len<'a>(fields: impl NewFields<'a>) -> usize {
    fields.map(|(name, value)| name.len() + value.len()).sum()
}

/// What Redis's node for the same entries would take: a listpack whose elements are integers or
/// strings, each with its own length behind it.
mod node {
    use super::{NewFields, StreamId};

    /// An element that holds a small number, such as a count or flags.
    const SMALL: usize = 2;

    /// A node of no entry yet: header, counters, names, ends.
    pub(super) fn empty_len<'a>(fields: impl NewFields<'a>) -> usize {
        let count = integer_len(fields.len() as i64);
        7 + 3 * SMALL + count + fields.map(|(name, _)| element_len(name)).sum::<usize>()
    }

    pub(super) fn entry_len<'a>(
        first: StreamId,
        id: StreamId,
        fields: impl NewFields<'a>,
        own_names: bool,
    ) -> usize {
        let mut len = SMALL;
        len += integer_len(id.ms.wrapping_sub(first.ms) as i64);
        len += integer_len(id.seq.wrapping_sub(first.seq) as i64);
        let count = fields.len();
        let mut elements = count + 3;
        for (name, value) in fields {
            len += element_len(value);
            if own_names {
                len += element_len(name);
            }
        }
        if own_names {
            len += integer_len(count as i64);
            elements += count + 1;
        }
        len + integer_len(elements as i64)
    }

    fn integer_len(number: i64) -> usize {
        match number {
            0..=127 => 2,
            -4096..=4095 => 3,
            -0x8000..=0x7fff => 4,
            -0x80_0000..=0x7f_ffff => 5,
            -0x8000_0000..=0x7fff_ffff => 6,
            _ => 10,
        }
    }

    fn element_len(bytes: &[u8]) -> usize {
        if let Some(number) = integer(bytes) {
            return integer_len(number);
        }
        let len = match bytes.len() {
            len @ 0..64 => 1 + len,
            len @ 64..4096 => 2 + len,
            len => 5 + len,
        };
        let length_behind = match len {
            0..=127 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        };
        len + length_behind
    }

    /// The number that these bytes spell in its shortest form.
    fn integer(bytes: &[u8]) -> Option<i64> {
        let (negative, digits) = match bytes {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        match digits {
            [b'0'] if !negative => return Some(0),
            [b'1'..=b'9', ..] if digits.len() <= 19 => {}
            _ => return None,
        }
        digits.iter().try_fold(0i64, |number, digit| {
            let digit = i64::from(digit.wrapping_sub(b'0'));
            if !(0..10).contains(&digit) {
                return None;
            }
            let number = number.checked_mul(10)?;
            if negative { number.checked_sub(digit) } else { number.checked_add(digit) }
        })
    }
}
