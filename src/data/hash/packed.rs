//! A small hash: its fields one after the other in one heap block.
//!
//! ```text
//! | dated 1 bit, name length 7 bits | value length u8 | deadline u64, if dated | name | value |
//! ```
//!
//! Two bytes of overhead a field, and eight more if it has a deadline.
//!
//! # Invariants
//!
//! 1. `bytes` is `len` whole fields; no name is there twice.
//! 2. There are at most [`MAX_FIELDS`], and no name or value is longer than [`MAX_ELEMENT`].
//! 3. `earliest` is the earliest deadline, or [`NEVER`].
//!
//! # Complexity
//!
//! Everything looks at all fields at worst; `earliest` is O(1).

use std::ops::Range;

use smallvec::SmallVec;

use super::Field;
use crate::block::{Block, Parts};
use crate::data::splice::splice;

/// The most fields of a hash that is packed.
pub(super) const MAX_FIELDS: usize = 128;
/// The longest name or value that is packed.
pub(super) const MAX_ELEMENT: usize = 64;

const NEVER: u64 = u64::MAX;
const DATED: u8 = 0x80;
const DEADLINE_SIZE: usize = size_of::<u64>();

#[derive(Clone)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    earliest: u64,
    len: u8,
}

impl Default for Packed {
    fn default() -> Self {
        Self { bytes: Vec::new(), earliest: NEVER, len: 0 }
    }
}

impl Packed {
    pub(super) fn len(&self) -> usize {
        self.len.into()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn earliest_deadline(&self) -> Option<u64> {
        (self.earliest != NEVER).then_some(self.earliest)
    }

    /// Whether a name and a value may be packed.
    pub(super) fn can_hold(name: &[u8], value: &[u8]) -> bool {
        name.len() <= MAX_ELEMENT && value.len() <= MAX_ELEMENT
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == MAX_FIELDS
    }

    /// All fields, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.places().map(|(_, field)| field)
    }

    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        self.iter().find(|field| field.name == name)
    }

    /// Sets a field, which the hash must be able to hold; answers whether it existed.
    pub(super) fn put(&mut self, name: &[u8], value: &[u8], deadline: Option<u64>) -> bool {
        let mut entry: SmallVec<[u8; 256]> = SmallVec::new();
        let dated = if deadline.is_some() { DATED } else { 0 };
        entry.extend_from_slice(&[name.len() as u8 | dated, value.len() as u8]);
        if let Some(deadline) = deadline {
            entry.extend_from_slice(&deadline.to_le_bytes());
        }
        entry.extend_from_slice(name);
        entry.extend_from_slice(value);
        let found = self.place(name);
        let end = self.bytes.len();
        splice(&mut self.bytes, found.clone().unwrap_or(end..end), &entry);
        if found.is_none() {
            self.len += 1;
            self.earliest = self.earliest.min(deadline.unwrap_or(NEVER));
        } else if deadline.is_some() || self.earliest != NEVER {
            self.find_earliest();
        }
        found.is_some()
    }

    /// Changes or removes the deadline of a field; answers whether it exists.
    pub(super) fn set_deadline(&mut self, name: &[u8], deadline: Option<u64>) -> bool {
        let Some(field) = self.get(name) else { return false };
        if field.deadline != deadline {
            let value: SmallVec<[u8; MAX_ELEMENT]> = field.bytes.into();
            self.put(name, &value, deadline);
        }
        true
    }

    /// Removes a field; answers whether it existed.
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        let Some(place) = self.place(name) else { return false };
        self.take_out(place);
        true
    }

    /// Removes up to `limit` of the fields whose deadlines are `now` or before; answers copies
    /// of them, without their values.
    pub(super) fn expire(&mut self, now: u64, limit: usize) -> Vec<Block> {
        let is_due = |field: &Field<'_>| field.deadline.is_some_and(|deadline| deadline <= now);
        let mut expired = Vec::new();
        while expired.len() < limit {
            let due = self.places().find(|(_, field)| is_due(field));
            let Some((place, field)) = due else { break };
            expired.push(Block::new(Parts { key: field.name, ..Parts::default() }));
            self.take_out(place);
        }
        expired
    }

    /// Asserts the module's invariants.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        assert_eq!(self.iter().count(), self.len());
        assert!(self.len() <= MAX_FIELDS);
        let end = self.places().last().map_or(0, |(place, _)| place.end);
        assert_eq!(end, self.bytes.len());
        let mut names = std::collections::HashSet::new();
        for field in self.iter() {
            assert!(Self::can_hold(field.name, field.bytes));
            assert!(names.insert(field.name), "a field twice");
        }
        assert_eq!(self.iter().filter_map(|field| field.deadline).min(), self.earliest_deadline());
    }

    /// All fields and where they are.
    #[inline]
    fn places(&self) -> impl Iterator<Item = (Range<usize>, Field<'_>)> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let head = self.bytes.get(start..start + 2)?;
            let (dated, name_len, value_len) = (head[0] & DATED, head[0] & !DATED, head[1]);
            let name = start + 2 + if dated == 0 { 0 } else { DEADLINE_SIZE };
            let value = name + usize::from(name_len);
            let place = start..value + usize::from(value_len);
            let field = Field {
                name: &self.bytes[name..value],
                bytes: &self.bytes[value..place.end],
                deadline: (dated != 0).then(|| self.deadline_at(start + 2)),
                block: None,
            };
            start = place.end;
            Some((place, field))
        })
    }

    fn deadline_at(&self, start: usize) -> u64 {
        let bytes = self.bytes[start..start + DEADLINE_SIZE].try_into();
        u64::from_le_bytes(bytes.expect("a slice of that many bytes"))
    }

    fn place(&self, name: &[u8]) -> Option<Range<usize>> {
        self.places().find(|(_, field)| field.name == name).map(|(place, _)| place)
    }

    fn take_out(&mut self, place: Range<usize>) {
        splice(&mut self.bytes, place, &[]);
        self.len -= 1;
        if self.earliest != NEVER {
            self.find_earliest();
        }
    }

    fn find_earliest(&mut self) {
        self.earliest = self.iter().filter_map(|field| field.deadline).min().unwrap_or(NEVER);
    }
}
