//! A block: consecutive small elements of a list, packed into one buffer.
//!
//! ```text
//! buffer   gap element* spare
//! starts   where each element begins; it ends where the next begins, or with the buffer
//! ```
//!
//! The gap in front is what popped elements leave behind, and what elements pushed in front are
//! written to. An element costs its bytes and two more.
//!
//! Invariant: `starts` does not descend, and lies within the buffer. A block without elements has
//! an empty buffer.
//!
//! Cost: any element is found in O(1); pushing and popping at either end is O(bytes of the
//! element), amortised over the moves that make room; anything else moves the block once.

use std::collections::VecDeque;
use std::ops::Range;

/// The most that a block weighs.
pub(super) const MAX_WEIGHT: usize = if cfg!(test) { 64 } else { 4096 };
/// What an element weighs beside its bytes.
const START: usize = size_of::<u16>();
/// The least room that a buffer is given.
const MIN_ROOM: usize = 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    buffer: Vec<u8>,
    starts: VecDeque<u16>,
}

impl Block {
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The bytes of the elements and of what finds them.
    pub(super) fn weight(&self) -> usize {
        self.live() + self.len() * START
    }

    /// Whether the block has room for an element of this length.
    pub(super) fn fits(&self, len: usize) -> bool {
        self.weight() + len + START <= MAX_WEIGHT
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.buffer.capacity() + self.starts.capacity() * START
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> &[u8] {
        &self.buffer[self.span(index)]
    }

    pub(super) fn push_back(&mut self, element: &[u8]) {
        self.reserve_back(element.len());
        self.starts.push_back(self.buffer.len() as u16);
        self.buffer.extend_from_slice(element);
    }

    pub(super) fn push_front(&mut self, element: &[u8]) {
        self.reserve_front(element.len());
        let start = self.gap() - element.len();
        self.buffer[start..start + element.len()].copy_from_slice(element);
        self.starts.push_front(start as u16);
    }

    pub(super) fn insert(&mut self, index: usize, element: &[u8]) {
        if index == 0 {
            return self.push_front(element);
        }
        if index == self.len() {
            return self.push_back(element);
        }
        self.reserve_back(element.len());
        let start = usize::from(self.starts[index]);
        self.resize_span(start..start, element.len(), index);
        self.buffer[start..start + element.len()].copy_from_slice(element);
        self.starts.insert(index, start as u16);
    }

    /// Replaces an element by another, for which there must be room.
    pub(super) fn replace(&mut self, index: usize, element: &[u8]) {
        let span = self.span(index);
        if element.len() > span.len() {
            self.reserve_back(element.len() - span.len());
        }
        let span = self.span(index);
        let start = span.start;
        self.resize_span(span, element.len(), index + 1);
        self.buffer[start..start + element.len()].copy_from_slice(element);
    }

    pub(super) fn remove(&mut self, index: usize) {
        let span = self.span(index);
        if index > 0 {
            self.resize_span(span, 0, index + 1);
        }
        self.starts.remove(index);
        if self.starts.is_empty() {
            self.buffer.clear();
        }
    }

    /// Removes elements, whose indexes ascend.
    pub(super) fn remove_all(&mut self, indexes: &[usize]) {
        let mut kept = Self::default();
        kept.buffer.reserve_exact(self.live());
        let mut removed = indexes.iter().copied().peekable();
        for index in 0..self.len() {
            if removed.next_if_eq(&index).is_none() {
                kept.push_back(self.get(index));
            }
        }
        *self = kept;
    }

    /// Takes the elements from an index on.
    pub(super) fn split_off(&mut self, index: usize) -> Self {
        let start = usize::from(self.starts[index]);
        let buffer = self.buffer[start..].to_vec();
        let starts = self.starts.range(index..).map(|at| at - start as u16).collect();
        self.buffer.truncate(start);
        self.starts.truncate(index);
        if self.starts.is_empty() {
            self.buffer.clear();
        }
        Self { buffer, starts }
    }

    /// Adds the elements of another block at the end.
    pub(super) fn append(&mut self, other: &Self) {
        self.reserve_back(other.live());
        let (from, to) = (other.gap(), self.buffer.len());
        self.buffer.extend_from_slice(&other.buffer[from..]);
        let moved = |start: &u16| (usize::from(*start) - from + to) as u16;
        self.starts.extend(other.starts.iter().map(moved));
    }

    /// Gives back the room that the block does not use.
    pub(super) fn shrink(&mut self) {
        self.close_gap();
        self.buffer.shrink_to_fit();
        self.starts.shrink_to_fit();
    }

    #[inline]
    fn span(&self, index: usize) -> Range<usize> {
        let start = usize::from(self.starts[index]);
        let end = self.starts.get(index + 1).map_or(self.buffer.len(), |end| usize::from(*end));
        start..end
    }

    /// The bytes in front of the first element.
    #[inline]
    fn gap(&self) -> usize {
        self.starts.front().map_or(self.buffer.len(), |start| usize::from(*start))
    }

    fn live(&self) -> usize {
        self.buffer.len() - self.gap()
    }

    /// Gives a span another length, moving what follows it; elements from `next` on follow.
    fn resize_span(&mut self, span: Range<usize>, len: usize, next: usize) {
        if span.len() == len {
            return;
        }
        let (old_end, new_end) = (span.end, span.start + len);
        let old_len = self.buffer.len();
        if new_end > old_end {
            self.buffer.resize(old_len + new_end - old_end, 0);
        }
        self.buffer.copy_within(old_end..old_len, new_end);
        self.buffer.truncate(old_len + new_end - old_end);
        for start in self.starts.range_mut(next..) {
            *start = (usize::from(*start) + new_end - old_end) as u16;
        }
    }

    /// Makes room behind the last element: by moving to where the gap is, if that is worth it.
    #[inline]
    fn reserve_back(&mut self, len: usize) {
        if self.buffer.len() + len > self.buffer.capacity() {
            self.make_room_behind(len);
        }
    }

    #[cold]
    fn make_room_behind(&mut self, len: usize) {
        if self.gap() >= self.live() {
            self.close_gap();
        }
        let needed = self.buffer.len() + len;
        // No buffer exceeds twice the weight: otherwise its gap would be the larger part.
        let most = if needed > MAX_WEIGHT { 2 * MAX_WEIGHT } else { MAX_WEIGHT };
        let target = (2 * self.buffer.capacity()).max(MIN_ROOM).min(most).max(needed);
        if target > self.buffer.capacity() {
            self.buffer.reserve_exact(target - self.buffer.len());
        }
    }

    /// Makes room in front of the first element.
    #[inline]
    fn reserve_front(&mut self, len: usize) {
        if self.gap() < len {
            self.make_room_in_front(len);
        }
    }

    #[cold]
    fn make_room_in_front(&mut self, len: usize) {
        let (gap, old_len) = (self.gap(), self.buffer.len());
        let shift = (len - gap).max(self.live()).max(MIN_ROOM);
        self.buffer.reserve_exact(shift);
        self.buffer.resize(old_len + shift, 0);
        self.buffer.copy_within(gap..old_len, gap + shift);
        self.starts.iter_mut().for_each(|start| *start += shift as u16);
    }

    fn close_gap(&mut self) {
        let gap = self.gap();
        self.buffer.drain(..gap);
        self.starts.iter_mut().for_each(|start| *start -= gap as u16);
    }

    /// Asserts the invariant, and that the block is within its weight.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        assert!(self.len() > 0, "no block is empty");
        assert!(self.starts.iter().is_sorted());
        assert!(self.starts.iter().all(|start| usize::from(*start) <= self.buffer.len()));
        assert!(self.weight() <= MAX_WEIGHT, "a block of {}", self.weight());
        assert!(self.buffer.len() <= usize::from(u16::MAX));
    }
}
