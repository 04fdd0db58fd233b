//! A small set: its members one after the other in one heap block, each behind its length.
//!
//! # Invariants
//!
//! 1. `bytes` is `len` whole members; none is there twice.
//! 2. There are at most [`MAX_MEMBERS`], and none is longer than [`MAX_MEMBER`].
//!
//! # Complexity
//!
//! Everything looks at all members at worst.

use std::ops::Range;

use smallvec::SmallVec;

use crate::data::splice::splice;

/// The most members of a set that is packed.
pub(super) const MAX_MEMBERS: usize = 128;
/// The longest member that is packed.
pub(super) const MAX_MEMBER: usize = 64;

#[derive(Clone, Default)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    len: u8,
}

impl Packed {
    pub(super) fn len(&self) -> usize {
        self.len.into()
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == MAX_MEMBERS
    }

    /// All members, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places().map(|(_, member)| member)
    }

    pub(super) fn contains(&self, member: &[u8]) -> bool {
        self.iter().any(|other| other == member)
    }

    /// Adds a member that is not there and for which there must be room.
    pub(super) fn push(&mut self, member: &[u8]) {
        let mut entry: SmallVec<[u8; 128]> = SmallVec::new();
        entry.push(member.len() as u8);
        entry.extend_from_slice(member);
        let end = self.bytes.len();
        splice(&mut self.bytes, end..end, &entry);
        self.len += 1;
    }

    /// Removes a member; answers whether it was there.
    pub(super) fn remove(&mut self, member: &[u8]) -> bool {
        let place = self.places().find(|(_, other)| *other == member);
        let Some((place, _)) = place else { return false };
        splice(&mut self.bytes, place, &[]);
        self.len -= 1;
        true
    }

    /// Asserts the module's invariants.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        assert_eq!(self.iter().count(), self.len());
        assert!(self.len() <= MAX_MEMBERS);
        assert_eq!(self.places().last().map_or(0, |(place, _)| place.end), self.bytes.len());
        assert!(self.iter().all(|member| member.len() <= MAX_MEMBER));
        let distinct: std::collections::HashSet<_> = self.iter().collect();
        assert_eq!(distinct.len(), self.len(), "a member twice");
    }

    /// All members and where they are.
    fn places(&self) -> impl Iterator<Item = (Range<usize>, &[u8])> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let len = usize::from(*self.bytes.get(start)?);
            let place = start..start + 1 + len;
            start = place.end;
            Some((place.clone(), &self.bytes[place.start + 1..place.end]))
        })
    }
}
