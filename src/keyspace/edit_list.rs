//! The changes that a list goes through under its key.

use std::ops::Range;

use super::Edit;
use crate::data::list::{List, ListEnd};
use crate::value::Value;

impl Edit<'_, List> {
    /// Adds an element at an end.
    #[inline]
    pub(crate) fn push(&mut self, end: ListEnd, element: &[u8]) {
        self.change().push(end, element);
    }

    /// As [`push`](Self::push), sharing the bytes of a large element.
    pub(crate) fn push_value(&mut self, end: ListEnd, element: &Value) {
        self.change().push_value(end, element);
    }

    /// Removes the element at an end.
    #[inline]
    pub(crate) fn pop(&mut self, end: ListEnd) -> Option<Value> {
        self.change().pop(end)
    }

    /// Replaces the element at an index, which must be there.
    pub(crate) fn set(&mut self, index: usize, element: &[u8]) {
        self.change().set(index, element);
    }

    /// Inserts an element before the one at an index, or behind the last.
    pub(crate) fn insert(&mut self, index: usize, element: &[u8]) {
        self.change().insert(index, element);
    }

    /// Removes the elements outside of a range of indexes, but drops them later.
    pub(crate) fn keep_range(&mut self, kept: Range<usize>) {
        if kept.len() < self.len() {
            let list = self.change();
            let behind = list.remove_range(kept.end..list.len());
            let before = list.remove_range(0..kept.start);
            self.discard((before, behind));
        }
    }

    /// Removes the elements that equal this one, at most `count`, the nearest to `end` first;
    /// answers how many they were.
    pub(crate) fn remove_equal(&mut self, element: &[u8], count: usize, end: ListEnd) -> usize {
        let removed = self.data.remove_equal(element, count, end);
        self.outcome.changed |= removed > 0;
        removed
    }
}
