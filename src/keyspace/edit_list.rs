//! The changes that a list goes through under its key.

use std::ops::Range;

use super::Edit;
use super::effect::Effect;
use crate::data::list::{List, ListEnd, Side};
use crate::value::Value;

impl Edit<'_, List> {
    /// Adds an element at an end.
    #[inline]
    pub(crate) fn push(&mut self, end: ListEnd, element: &[u8]) {
        self.change().push(end, element);
        self.record(|| Effect::Push { end, element });
    }

    /// As [`push`](Self::push), sharing the bytes of a large element.
    pub(crate) fn push_value(&mut self, end: ListEnd, element: &Value) {
        self.change().push_value(end, element);
        self.record(|| Effect::Push { end, element });
    }

    /// Removes so many elements at an end, or all that there are; answers them in that order.
    #[inline]
    pub(crate) fn pop(&mut self, end: ListEnd, count: usize) -> Vec<Value> {
        let count = count.min(self.len());
        if count == 0 {
            return Vec::new();
        }
        let list = self.change();
        let popped = (0..count).map_while(|_| list.pop(end)).collect();
        self.record(|| Effect::Pop { end, count });
        popped
    }

    /// Replaces the element at an index, which must be there.
    pub(crate) fn set(&mut self, index: usize, element: &[u8]) {
        self.change().set(index, element);
        self.record(|| Effect::SetElement { index, element });
    }

    /// Inserts an element beside the first that equals `pivot`; `false` if none does.
    pub(crate) fn insert(&mut self, side: Side, pivot: &[u8], element: &[u8]) -> bool {
        let mut elements = self.elements(0..self.len());
        let Some(found) = elements.position(|element| *element == *pivot) else { return false };
        let index = match side {
            Side::Before => found,
            Side::After => found + 1,
        };
        self.change().insert(index, element);
        self.record(|| Effect::Insert { side, pivot, element });
        true
    }

    /// Removes the elements outside of a range of indexes, but drops them later.
    pub(crate) fn keep_range(&mut self, kept: Range<usize>) {
        if kept.len() < self.len() {
            let list = self.change();
            let behind = list.remove_range(kept.end..list.len());
            let before = list.remove_range(0..kept.start);
            self.discard((before, behind));
            self.record(|| Effect::KeepElements { start: kept.start, end: kept.end });
        }
    }

    /// Removes the elements that equal this one, at most `count`, the nearest to `end` first;
    /// answers how many they were.
    pub(crate) fn remove_equal(&mut self, element: &[u8], count: usize, end: ListEnd) -> usize {
        let count = self.data.remove_equal(element, count, end);
        if count > 0 {
            self.outcome.changed = true;
            self.record(|| Effect::RemoveElements { element, count, end });
        }
        count
    }
}
