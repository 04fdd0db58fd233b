//! Entries read from a stream: an owned, compact list.
//!
//! Invariant: every slot's body and names lie within `data`, encoded as in `block`, so that reading
//! a range copies whole bodies and allocates twice, however many entries it returns.
//!
//! Cost: O(1) to reach an entry; a field is decoded when it is asked for. Immutable once built:
//! free to share.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::block::{Block, Head, Reader, Strings, push_fields};
use super::id::StreamId;
use crate::error::Result;
use crate::value::FromValue;

/// In which order a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// The lowest id first.
    #[default]
    Forward,
    /// The highest id first.
    Backward,
}

/// Entries read from a stream, in the order in which they were asked for.
///
/// They are a copy: later changes to the stream do not show. However many there are, they take two
/// blocks of memory.
///
/// ```
/// use larder::{Entries, StreamId};
///
/// let mut entries = Entries::new();
/// entries.push(StreamId::new(5, 0), [(&b"page"[..], &b"/home"[..]), (b"status", b"200")]);
/// entries.push(StreamId::new(5, 1), [(&b"page"[..], &b"/cart"[..])]);
///
/// for entry in &entries {
///     println!("{} {} fields", entry.id(), entry.fields().len());
/// }
/// assert_eq!(entries.first().unwrap().get("status"), Some(&b"200"[..]));
/// assert_eq!(entries.last().unwrap().get("status"), None);
/// ```
#[derive(Clone, Default)]
pub struct Entries {
    data: Vec<u8>,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy)]
struct Slot {
    id: StreamId,
    body: usize,
    names: Names,
}

/// Where the field names of an entry are.
#[derive(Clone, Copy)]
enum Names {
    InBody,
    At(usize),
    /// The entry is gone: it has neither names nor values.
    Deleted,
}

impl Entries {
    /// No entries yet; for those who decode them from elsewhere.
    pub fn new() -> Self {
        Entries::default()
    }

    /// Adds an entry at the end. O(bytes).
    pub fn push<'a, I>(&mut self, id: StreamId, fields: I)
    where
        I: IntoIterator<Item = (&'a [u8], &'a [u8]), IntoIter: ExactSizeIterator>,
    {
        self.slots.push(Slot { id, body: self.data.len(), names: Names::InBody });
        push_fields(&mut self.data, fields.into_iter());
    }

    /// Adds at the end an entry that is pending in a group, but no longer in the stream.
    ///
    /// ```
    /// use larder::{Entries, StreamId};
    ///
    /// let mut entries = Entries::new();
    /// entries.push_deleted(StreamId::new(7, 0));
    /// assert!(entries.first().unwrap().is_deleted());
    /// ```
    pub fn push_deleted(&mut self, id: StreamId) {
        self.slots.push(Slot { id, body: self.data.len(), names: Names::Deleted });
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The entry at this place.
    #[inline]
    pub fn get(&self, index: usize) -> Option<Entry<'_>> {
        self.slots.get(index).map(|slot| self.entry(slot))
    }

    /// The first entry.
    pub fn first(&self) -> Option<Entry<'_>> {
        self.get(0)
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.slots.last().map(|slot| self.entry(slot))
    }

    /// The entries one by one.
    pub fn iter(&self) -> EntriesIter<'_> {
        EntriesIter { entries: self, slots: self.slots.iter() }
    }

    /// The ids alone.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = StreamId> + ExactSizeIterator + '_ {
        self.slots.iter().map(|slot| slot.id)
    }

    #[inline]
    fn entry(&self, slot: &Slot) -> Entry<'_> {
        let layout = match slot.names {
            Names::InBody => Layout::Own,
            Names::At(names) => Layout::Shared { names: &self.data[names..] },
            Names::Deleted => Layout::Deleted,
        };
        Entry::new(slot.id, layout, &self.data[slot.body..])
    }

    /// Makes room for so many entries of about so many bytes.
    pub(super) fn reserve(&mut self, entries: usize, bytes: usize) {
        self.slots.reserve(entries);
        self.data.reserve(bytes);
    }

    /// Copies the live entries at these places of a block, and returns how many they were.
    pub(super) fn extend_from_block(
        &mut self,
        block: &Block,
        places: Range<usize>,
        direction: Direction,
    ) -> usize {
        if places.is_empty() {
            return 0;
        }
        let before = self.slots.len();
        let names = self.data.len();
        self.data.extend_from_slice(block.names());
        let base = self.data.len();
        self.data.extend_from_slice(block.bytes_at(&places));
        let data = &self.data;
        let slot = |offset| {
            let head = Head::read(&data[base + offset..], block.first());
            let names = if head.has_own_names() { Names::InBody } else { Names::At(names) };
            head.is_live().then(|| Slot { id: head.id, body: base + offset + head.len, names })
        };
        let offsets = block.offsets_at(&places);
        match direction {
            Direction::Forward => self.slots.extend(offsets.filter_map(slot)),
            Direction::Backward => self.slots.extend(offsets.rev().filter_map(slot)),
        }
        self.slots.len() - before
    }
}

/// `for entry in &entries`. An [`Entry`] borrows from its entries, so they have to be kept.
impl<'a> IntoIterator for &'a Entries {
    type Item = Entry<'a>;
    type IntoIter = EntriesIter<'a>;

    fn into_iter(self) -> EntriesIter<'a> {
        self.iter()
    }
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other)
    }
}

impl Eq for Entries {}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// Iterator over [`Entries`].
#[derive(Clone)]
pub struct EntriesIter<'a> {
    entries: &'a Entries,
    slots: std::slice::Iter<'a, Slot>,
}

impl<'a> Iterator for EntriesIter<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        self.slots.next().map(|slot| self.entries.entry(slot))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.slots.size_hint()
    }
}

impl DoubleEndedIterator for EntriesIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.slots.next_back().map(|slot| self.entries.entry(slot))
    }
}

impl ExactSizeIterator for EntriesIter<'_> {}

/// One entry of a stream: its id, and its fields in the order in which they were added.
///
/// It borrows from its [`Entries`]; names and values are read in place.
///
/// ```
/// use larder::{Entries, StreamId};
///
/// let mut entries = Entries::new();
/// entries.push(StreamId::new(5, 0), [(&b"from"[..], &b"ann"[..]), (b"text", b"hello")]);
///
/// let entry = entries.first().unwrap();
/// let names: Vec<&[u8]> = entry.fields().map(|(name, _)| name).collect();
/// assert_eq!((entry.id().to_string().as_str(), names), ("5-0", vec![&b"from"[..], b"text"]));
/// ```
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    id: StreamId,
    layout: Layout<'a>,
    body: &'a [u8],
}

/// How the body of an entry is to be read.
#[derive(Clone, Copy)]
pub(super) enum Layout<'a> {
    /// Count, then names and values in turn.
    Own,
    /// Values alone; the names are these.
    Shared {
        names: &'a [u8],
    },
    Deleted,
}

impl<'a> Entry<'a> {
    #[inline]
    pub(super) fn new(id: StreamId, layout: Layout<'a>, body: &'a [u8]) -> Self {
        Entry { id, layout, body }
    }

    /// The entry's id.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Whether the entry is still pending in a group, but no longer in the stream. It then has no
    /// fields.
    pub fn is_deleted(&self) -> bool {
        matches!(self.layout, Layout::Deleted)
    }

    /// Name and value of every field. A name may occur more than once.
    #[inline]
    pub fn fields(&self) -> Fields<'a> {
        let mut values = Reader::new(self.body);
        let (left, names) = match self.layout {
            Layout::Own => (values.number() as usize, None),
            Layout::Shared { names } => {
                let mut names = Reader::new(names);
                (names.number() as usize, Some(names))
            }
            Layout::Deleted => (0, None),
        };
        Fields { left, names, values }
    }

    /// The value of the first field of this name. O(fields).
    ///
    /// [`text`](Self::text) and [`get_as`](Self::get_as) convert it.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        let name = name.as_ref();
        self.fields().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// The value of the first field of this name as text for people, with `\u{fffd}` where it is
    /// not UTF-8. O(fields).
    ///
    /// ```
    /// use larder::{Entries, StreamId};
    ///
    /// let mut entries = Entries::new();
    /// entries.push(StreamId::new(5, 0), [(&b"item"[..], &b"bread"[..])]);
    ///
    /// let entry = entries.first().unwrap();
    /// assert_eq!(entry.text("item").unwrap(), "bread");
    /// assert_eq!(entry.text("price"), None);
    /// ```
    pub fn text(&self, name: impl AsRef<[u8]>) -> Option<Cow<'a, str>> {
        self.get(name).map(String::from_utf8_lossy)
    }

    /// The value of the first field of this name, converted. O(fields), and a copy of the value.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`](crate::Error::Decode), naming what was expected, if the value is not a
    /// `T`.
    ///
    /// ```
    /// use larder::{Entries, StreamId};
    ///
    /// let mut entries = Entries::new();
    /// entries.push(StreamId::new(5, 0), [(&b"item"[..], &b"bread"[..]), (b"pieces", b"2")]);
    ///
    /// let entry = entries.first().unwrap();
    /// assert_eq!(entry.get_as::<u32>("pieces")?, Some(2));
    /// assert_eq!(entry.get_as::<f64>("price")?, None);
    /// assert!(entry.get_as::<u32>("item").is_err());
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn get_as<T: FromValue>(&self, name: impl AsRef<[u8]>) -> Result<Option<T>> {
        self.get(name).map(|value| T::from_value(value.into())).transpose()
    }
}

impl PartialEq for Entry<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.is_deleted() == other.is_deleted()
            && self.fields().eq(other.fields())
    }
}

impl Eq for Entry<'_> {}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.id)?;
        if self.is_deleted() {
            return f.write_str("deleted");
        }
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        f.debug_map().entries(self.fields().map(|(name, value)| (text(name), text(value)))).finish()
    }
}

/// Iterator over the fields of an [`Entry`]: name, value.
#[derive(Clone)]
pub struct Fields<'a> {
    left: usize,
    /// `None` if the names stand among the values.
    names: Option<Reader<'a>>,
    values: Reader<'a>,
}

impl<'a> Fields<'a> {
    /// Fields of these names and values.
    pub(crate) fn of(names: &'a Strings, values: &'a Strings) -> Self {
        let left = names.len().min(values.len());
        Self { left, names: Some(names.reader()), values: values.reader() }
    }

    /// Fields of names and values in turn.
    pub(crate) fn in_turn(strings: &'a Strings) -> Self {
        Self { left: strings.len() / 2, names: None, values: strings.reader() }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    // Without this the iterator lives in memory, and reading takes twice as long.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let name = match &mut self.names {
            Some(names) => names.bytes(),
            None => self.values.bytes(),
        };
        Some((name, self.values.bytes()))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}
