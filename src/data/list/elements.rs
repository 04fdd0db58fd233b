//! Reading elements, one or in order.

use std::iter::FusedIterator;
use std::ops::{Deref, Range};

use super::List;
use crate::value::Value;

/// An element as a reader sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Element<'a> {
    /// It lies beside others.
    Packed(&'a [u8]),
    /// It is a value of its own.
    Shared(&'a Value),
}

impl Element<'_> {
    /// The element by itself: shared, if it is a value of its own.
    #[inline]
    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Packed(bytes) => Value::from(bytes),
            Self::Shared(value) => value.clone(),
        }
    }
}

impl Deref for Element<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Packed(bytes) => bytes,
            Self::Shared(value) => value,
        }
    }
}

/// Elements of a range of indexes, in order: see [`List::elements`].
#[derive(Clone)]
pub(crate) struct Elements<'a> {
    list: &'a List,
    /// How many are left.
    len: usize,
    /// The node and the place in it of the next element from the front.
    front: (usize, usize),
    /// The node of the next element from the back, and the place behind that element.
    back: (usize, usize),
}

impl<'a> Elements<'a> {
    pub(super) fn new(list: &'a List, range: Range<usize>) -> Self {
        let (mut front, mut back) = ((0, 0), (0, 0));
        if !range.is_empty() {
            front = list.locate(range.start);
            let (node, offset) = list.locate(range.end - 1);
            back = (node, offset + 1);
        }
        Self { list, len: range.len(), front, back }
    }
}

impl Elements<'_> {
    /// Whether all of them lie beside others, so that none is long: O(1) for each block.
    pub(crate) fn are_packed(&self) -> bool {
        let nodes = self.front.0..=self.back.0;
        self.len == 0 || nodes.into_iter().all(|node| self.list.nodes[node].is_packed())
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.len = self.len.checked_sub(1)?;
        let (mut node, mut offset) = self.front;
        if offset == self.list.nodes[node].len() {
            (node, offset) = (node + 1, 0);
        }
        self.front = (node, offset + 1);
        Some(self.list.nodes[node].get(offset))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl DoubleEndedIterator for Elements<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.len = self.len.checked_sub(1)?;
        let (mut node, mut offset) = self.back;
        if offset == 0 {
            node -= 1;
            offset = self.list.nodes[node].len();
        }
        self.back = (node, offset - 1);
        Some(self.list.nodes[node].get(offset - 1))
    }
}

impl ExactSizeIterator for Elements<'_> {}

impl FusedIterator for Elements<'_> {}
