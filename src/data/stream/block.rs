//! A block: up to [`MAX_ENTRIES`] consecutive entries of a stream, packed into one buffer.
//!
//! ```text
//! buffer   names entry*
//! names    count (len name)*             the field names of the first entry, which most entries share
//! entry    flags [step] [seq] len body   step, seq: the id as a difference to the entry before
//! body     (len value)*                  if the names are the block's
//!          count (len name len value)*   otherwise
//! ```
//!
//! All numbers are LEB128. An entry of the stream's usual fields costs its values, a length byte each, and two to four
//! bytes. A removed entry keeps its bytes and gets a mark, until its block has no live entry left and goes as a whole.
//!
//! Invariant: ids grow; `head` stands at the first live entry, so a block trimmed or consumed from the front is as
//! quick to enter as a fresh one; `live` counts the entries without a mark, `total` all of them.
//!
//! Cost: append O(bytes appended); finding an entry O(entries of the block), one or two nanoseconds each.
//!
//! Where a block ends decides what an approximate trim removes. So that it removes what Redis would, `node_bytes`
//! follows the size this block would have as a node of Redis.

use super::entries::{Entry, Layout};
use super::id::StreamId;

/// A block takes no further entry once it holds this many, removed ones included (Redis's `stream-node-max-entries`).
pub(crate) const MAX_ENTRIES: usize = 100;
/// A block takes no further entry that would bring it to this size (Redis's `stream-node-max-bytes`).
const MAX_BYTES: usize = 4096;

const DELETED: u8 = 1;
/// The body carries its own names.
const OWN_NAMES: u8 = 2;
/// No `step`: the milliseconds are those of the entry before.
const SAME_MS: u8 = 4;
/// No `seq`: it is the lowest that the step allows.
const LOWEST_SEQ: u8 = 8;

/// The fields of an entry to be: name, value.
pub(crate) type FieldSlice<'a> = &'a [(&'a [u8], &'a [u8])];

#[derive(Debug, Clone)]
pub(super) struct Block {
    data: Vec<u8>,
    /// The id of the first entry, live or not: the block's key.
    first: StreamId,
    /// The id of the last entry, live or not.
    last: StreamId,
    head: Position,
    live: u32,
    total: u32,
    node_bytes: usize,
}

/// Where an entry starts, and the id before it, from which its own is told.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Position {
    at: usize,
    before: StreamId,
}

/// An entry as it lies in a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) id: StreamId,
    at: usize,
    flags: u8,
    body: usize,
    end: usize,
}

impl Block {
    /// A block of one entry.
    pub(super) fn new(id: StreamId, fields: FieldSlice<'_>) -> Self {
        let names: usize = fields.iter().map(|(name, _)| framed_len(name.len())).sum();
        let mut data = Vec::with_capacity(10 + names + fields_len(fields));
        push_number(&mut data, fields.len() as u64);
        for (name, _) in fields {
            push_bytes(&mut data, name);
        }
        let head = Position {
            at: data.len(),
            before: StreamId { ms: id.ms, seq: id.seq.wrapping_sub(1) },
        };
        let node_bytes = node::empty_len(fields);
        let mut block =
            Block { data, first: id, last: head.before, head, live: 0, total: 0, node_bytes };
        block.push(id, fields);
        block
    }

    pub(super) fn has_room(&self, fields: FieldSlice<'_>) -> bool {
        (self.total as usize) < MAX_ENTRIES && self.node_bytes + fields_len(fields) < MAX_BYTES
    }

    /// Adds an entry. Its id is above the last one's.
    pub(super) fn push(&mut self, id: StreamId, fields: FieldSlice<'_>) {
        let own_names = !self.shares_names(fields);
        self.node_bytes += node::entry_len(self.first, id, fields, own_names);
        let at = self.data.len();
        self.push_id(id);
        let mut len: usize = fields.iter().map(|(_, value)| framed_len(value.len())).sum();
        if own_names {
            self.data[at] |= OWN_NAMES;
            len += number_len(fields.len() as u64);
            len += fields.iter().map(|(name, _)| framed_len(name.len())).sum::<usize>();
        }
        push_number(&mut self.data, len as u64);
        if own_names {
            push_fields(&mut self.data, fields.iter().copied());
        } else {
            for (_, value) in fields {
                push_bytes(&mut self.data, value);
            }
        }
        self.last = id;
        self.live += 1;
        self.total += 1;
    }

    fn push_id(&mut self, id: StreamId) {
        let mut flags = 0;
        let mut seq = id.seq;
        if id.ms == self.last.ms {
            flags |= SAME_MS;
            seq = id.seq.wrapping_sub(self.last.seq).wrapping_sub(1);
        }
        if seq == 0 {
            flags |= LOWEST_SEQ;
        }
        self.data.push(flags);
        if flags & SAME_MS == 0 {
            push_number(&mut self.data, id.ms - self.last.ms);
        }
        if flags & LOWEST_SEQ == 0 {
            push_number(&mut self.data, seq);
        }
    }

    fn shares_names(&self, fields: FieldSlice<'_>) -> bool {
        let mut reader = Reader { data: &self.data, at: 0 };
        reader.number() == fields.len() as u64
            && fields.iter().all(|(name, _)| reader.bytes() == *name)
    }

    pub(super) fn first(&self) -> StreamId {
        self.first
    }

    pub(super) fn last(&self) -> StreamId {
        self.last
    }

    pub(super) fn live(&self) -> usize {
        self.live as usize
    }

    /// The heap bytes of the buffer.
    pub(super) fn heap_bytes(&self) -> usize {
        self.data.capacity()
    }

    /// Gives spare capacity back; for a block that will take no further entry.
    pub(super) fn seal(&mut self) {
        self.data.shrink_to_fit();
    }

    /// The live entries in order.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> + '_ {
        self.walk().filter(|record| record.flags & DELETED == 0)
    }

    /// The live entry of this id.
    pub(super) fn find(&self, id: StreamId) -> Option<Record> {
        let record = self.walk().find(|record| record.id >= id)?;
        (record.id == id && record.flags & DELETED == 0).then_some(record)
    }

    /// All entries from the head on, marked or not.
    fn walk(&self) -> Walk<'_> {
        Walk { reader: Reader { data: &self.data, at: self.head.at }, before: self.head.before }
    }

    /// Marks a live entry as removed.
    pub(super) fn mark(&mut self, record: Record) {
        self.data[record.at] |= DELETED;
        self.live -= 1;
        if record.at == self.head.at {
            self.skip_marked_head();
        }
    }

    /// Marks the leading live entries for which `doomed` holds, and returns how many they were.
    pub(super) fn mark_while(&mut self, mut doomed: impl FnMut(StreamId) -> bool) -> usize {
        let before = self.live;
        while let Some(record) = self.walk().next() {
            if !doomed(record.id) {
                break;
            }
            self.mark(record);
        }
        (before - self.live) as usize
    }

    fn skip_marked_head(&mut self) {
        let mut walk = self.walk();
        let mut head = walk.position();
        while let Some(record) = walk.next() {
            if record.flags & DELETED == 0 {
                break;
            }
            head = walk.position();
        }
        self.head = head;
    }

    /// The encoded names that most entries share.
    pub(super) fn names(&self) -> &[u8] {
        let mut reader = Reader { data: &self.data, at: 0 };
        for _ in 0..reader.number() {
            reader.bytes();
        }
        &self.data[..reader.at]
    }

    pub(super) fn body(&self, record: &Record) -> &[u8] {
        &self.data[record.body..record.end]
    }

    /// The live entries in order, readable in place.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> + '_ {
        self.records().map(|record| self.entry(&record))
    }

    pub(super) fn entry(&self, record: &Record) -> Entry<'_> {
        let layout = match record.owns_names() {
            true => Layout::Own,
            false => Layout::Shared { names: &self.data },
        };
        Entry::new(record.id, layout, self.body(record))
    }

    /// Asserts the invariant.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let start = Position {
            at: self.names().len(),
            before: StreamId { ms: self.first.ms, seq: self.first.seq.wrapping_sub(1) },
        };
        let mut walk =
            Walk { reader: Reader { data: &self.data, at: start.at }, before: start.before };
        let (mut live, mut total, mut head, mut last) = (0, 0, start, None);
        while let Some(record) = walk.next() {
            assert!(last.is_none_or(|last| last < record.id), "ids grow");
            if record.flags & DELETED == 0 {
                live += 1;
            } else if live == 0 {
                head = walk.position();
            }
            assert!(total > 0 || record.id == self.first);
            total += 1;
            last = Some(record.id);
            let fields = self
                .entry(&record)
                .fields()
                .fold(0, |sum, (name, value)| sum + name.len() + value.len());
            assert!(fields <= self.data.len());
        }
        assert_eq!((live, total, last), (self.live, self.total, Some(self.last)));
        assert!(self.live > 0 && self.total as usize <= MAX_ENTRIES);
        assert_eq!(head, self.head, "the head stands at the first live entry");
    }
}

impl Record {
    pub(super) fn owns_names(&self) -> bool {
        self.flags & OWN_NAMES != 0
    }
}

struct Walk<'a> {
    reader: Reader<'a>,
    before: StreamId,
}

impl Walk<'_> {
    fn position(&self) -> Position {
        Position { at: self.reader.at, before: self.before }
    }
}

impl Iterator for Walk<'_> {
    type Item = Record;

    #[inline]
    fn next(&mut self) -> Option<Record> {
        let reader = &mut self.reader;
        let at = reader.at;
        let flags = *reader.data.get(at)?;
        reader.at += 1;
        let mut id = StreamId::new(self.before.ms, 0);
        if flags & SAME_MS == 0 {
            id.ms += reader.number();
        } else {
            id.seq = self.before.seq.wrapping_add(1);
        }
        if flags & LOWEST_SEQ == 0 {
            id.seq = id.seq.wrapping_add(reader.number());
        }
        let len = reader.number() as usize;
        let body = reader.at;
        reader.at += len;
        self.before = id;
        Some(Record { id, at, flags, body, end: body + len })
    }
}

/// Reads what this file wrote.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Reader { data, at: 0 }
    }

    #[inline]
    pub(super) fn number(&mut self) -> u64 {
        let byte = self.data[self.at];
        self.at += 1;
        if byte < 0x80 {
            return u64::from(byte);
        }
        let mut number = u64::from(byte & 0x7f);
        let mut shift = 7;
        loop {
            let byte = self.data[self.at];
            self.at += 1;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    #[inline]
    pub(super) fn bytes(&mut self) -> &'a [u8] {
        let len = self.number() as usize;
        let bytes = &self.data[self.at..self.at + len];
        self.at += len;
        bytes
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
pub(super) fn fields_len(fields: FieldSlice<'_>) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// What Redis's node for the same entries would take: a listpack whose elements are integers or strings, each with its
/// own length behind it.
mod node {
    use super::{FieldSlice, StreamId};

    /// An element that holds a small number, such as a count or flags.
    const SMALL: usize = 2;

    /// A node of no entry yet: header, counters, names, ends.
    pub(super) fn empty_len(fields: FieldSlice<'_>) -> usize {
        let names: usize = fields.iter().map(|(name, _)| element_len(name)).sum();
        7 + 3 * SMALL + integer_len(fields.len() as i64) + names
    }

    pub(super) fn entry_len(
        first: StreamId,
        id: StreamId,
        fields: FieldSlice<'_>,
        own_names: bool,
    ) -> usize {
        let mut len = SMALL;
        len += integer_len(id.ms.wrapping_sub(first.ms) as i64);
        len += integer_len(id.seq.wrapping_sub(first.seq) as i64);
        let mut elements = fields.len() + 3;
        for (name, value) in fields {
            len += element_len(value);
            if own_names {
                len += element_len(name);
            }
        }
        if own_names {
            len += integer_len(fields.len() as i64);
            elements += fields.len() + 1;
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
