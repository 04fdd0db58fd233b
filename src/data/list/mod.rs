//! Lists: elements in the order they were put, quick at both ends.
//!
//! # Structure
//!
//! A deque of nodes. A node is a [`block`] of small elements packed together, or one large element
//! as a value of its own, which readers then share instead of copying it.
//!
//! # Invariants
//!
//! 1. No node is empty; `len` and `bytes` are the sums over all nodes.
//! 2. An element is packed if, and only if, it is at most [`LARGEST_PACKED`] bytes long.
//! 3. Two blocks beside each other weigh more than [`LEAST_OF_TWO`] together.
//!
//! # Complexity
//!
//! Pushing and popping at either end is O(1). An index is found from the nearer end in O(nodes),
//! a glance at 24 bytes each, and O(1) within the node. Inserting and removing there moves one
//! block, and the nodes' places behind it. By value, everything is a look at all elements.
//!
//! # Threading
//!
//! None of its own: the caller's lock guards a list. A clone shares its nodes with the original,
//! and each side copies a node when it first changes it.

mod block;
mod elements;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use elements::{Element, Elements};

use crate::value::Value;
use block::{Block, MAX_WEIGHT};

/// The longest element that is packed with others.
const LARGEST_PACKED: usize = MAX_WEIGHT / 4;
/// What two neighbouring blocks weigh at least; otherwise they become one.
const LEAST_OF_TWO: usize = MAX_WEIGHT / 2;
/// The bytes of a block outside of its own allocations: the struct and two counts.
const BLOCK_BYTES: usize = size_of::<Block>() + 2 * size_of::<usize>();
/// As many changed nodes are tidied one by one; more, all at once.
const FEW: usize = 4;

/// On which side of another an element is inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListEnd {
    /// Where the first element is: Redis's `LEFT`, or head.
    Front,
    /// Where the last element is: Redis's `RIGHT`, or tail.
    Back,
}

/// A list: see the module's notes.
#[derive(Default)]
pub(crate) struct List {
    nodes: VecDeque<Node>,
    len: usize,
    bytes: usize,
}

#[derive(Clone)]
struct Node {
    len: u32,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Packed(Arc<Block>),
    Single(Value),
}

/// Elements that were taken out, to be dropped where that stalls nobody.
pub(crate) struct Removed {
    _nodes: Vec<Node>,
}

impl List {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes on the heap, in O(1). What a clone shares counts for both.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.nodes.capacity() * size_of::<Node>()
    }

    pub(crate) fn get(&self, index: usize) -> Option<Element<'_>> {
        (index < self.len).then(|| {
            let (node, offset) = self.locate(index);
            self.nodes[node].get(offset)
        })
    }

    /// The first or last element.
    pub(crate) fn peek(&self, end: ListEnd) -> Option<Element<'_>> {
        self.nodes.get(self.end_node(end)?).map(|node| node.get(node.end_offset(end)))
    }

    /// The elements of a range of indexes, from either end. What is past the last is ignored.
    pub(crate) fn elements(&self, range: Range<usize>) -> Elements<'_> {
        let end = range.end.min(self.len);
        Elements::new(self, range.start.min(end)..end)
    }

    /// Adds an element at an end.
    #[inline]
    pub(crate) fn push(&mut self, end: ListEnd, element: &[u8]) {
        if element.len() > LARGEST_PACKED {
            return self.push_node(end, Node::single(Value::from(element)));
        }
        let fits = |node: usize| self.nodes[node].fits(element.len());
        match self.end_node(end).filter(|node| fits(*node)) {
            Some(node) => self.change_block(node, |block| match end {
                ListEnd::Front => block.push_front(element),
                ListEnd::Back => block.push_back(element),
            }),
            None => {
                if let Some(full) = self.end_node(end) {
                    self.shrink(full);
                }
                self.push_node(end, Node::packed(element));
            }
        }
    }

    /// As [`push`](Self::push), sharing the bytes of a large element.
    pub(crate) fn push_value(&mut self, end: ListEnd, element: &Value) {
        if element.len() > LARGEST_PACKED {
            self.push_node(end, Node::single(element.clone()));
        } else {
            self.push(end, element);
        }
    }

    /// Removes the element at an end.
    #[inline]
    pub(crate) fn pop(&mut self, end: ListEnd) -> Option<Value> {
        let node = self.end_node(end)?;
        let offset = self.nodes[node].end_offset(end);
        let element = self.nodes[node].get(offset).to_value();
        self.remove_at(node, offset);
        Some(element)
    }

    /// Replaces the element at an index, which must be there.
    pub(crate) fn set(&mut self, index: usize, element: &[u8]) {
        let (node, offset) = self.locate(index);
        if element.len() > LARGEST_PACKED {
            if let Content::Single(_) = self.nodes[node].content {
                self.bytes -= self.nodes[node].heap_bytes();
                self.nodes[node] = Node::single(Value::from(element));
                self.bytes += self.nodes[node].heap_bytes();
                return;
            }
        } else if let Content::Packed(block) = &self.nodes[node].content
            && block.weight() - block.get(offset).len() + element.len() <= MAX_WEIGHT
        {
            self.change_block(node, |block| block.replace(offset, element));
            return self.merge_near(node);
        }
        self.remove_at(node, offset);
        self.insert(index, element);
    }

    /// Inserts an element before the one at `index`, or behind the last.
    pub(crate) fn insert(&mut self, index: usize, element: &[u8]) {
        if index == 0 {
            return self.push(ListEnd::Front, element);
        }
        if index >= self.len {
            return self.push(ListEnd::Back, element);
        }
        let is_small = element.len() <= LARGEST_PACKED;
        let (node, offset) = self.locate(index);
        if is_small && self.nodes[node].fits(element.len()) {
            return self.change_block(node, |block| block.insert(offset, element));
        }
        let node = self.split_at(index);
        if is_small && self.nodes[node - 1].fits(element.len()) {
            self.change_block(node - 1, |block| block.push_back(element));
        } else if is_small && self.nodes[node].fits(element.len()) {
            self.change_block(node, |block| block.push_front(element));
        } else {
            self.insert_node(node, Node::new(element));
        }
        self.merge_near(node);
    }

    /// Removes the elements of a range of indexes, in O(nodes).
    pub(crate) fn remove_range(&mut self, range: Range<usize>) -> Removed {
        let range = range.start.min(self.len)..range.end.min(self.len);
        if range.is_empty() {
            return Removed { _nodes: Vec::new() };
        }
        let first = self.split_at(range.start);
        let last = self.split_at(range.end);
        let removed: Vec<Node> = self.nodes.drain(first..last).collect();
        self.len -= range.len();
        self.bytes -= removed.iter().map(Node::heap_bytes).sum::<usize>();
        self.give_back_room();
        self.merge_near(first);
        Removed { _nodes: removed }
    }

    /// Removes the elements that equal this one, at most `count` of them, the nearest to `end`
    /// first; answers how many they were.
    pub(crate) fn remove_equal(&mut self, element: &[u8], count: usize, end: ListEnd) -> usize {
        let mut removed = 0;
        let mut changed = Vec::new();
        for step in 0..self.nodes.len() {
            if removed == count {
                break;
            }
            let node = match end {
                ListEnd::Front => step,
                ListEnd::Back => self.nodes.len() - 1 - step,
            };
            let found = self.nodes[node].equal(element, count - removed, end);
            if !found.is_empty() {
                removed += found.len();
                self.remove_offsets(node, &found);
                changed.push(node);
            }
        }
        self.tidy(changed);
        removed
    }

    fn end_node(&self, end: ListEnd) -> Option<usize> {
        match end {
            ListEnd::Front => (!self.nodes.is_empty()).then_some(0),
            ListEnd::Back => self.nodes.len().checked_sub(1),
        }
    }

    /// The node and the place in it of an index that is there.
    fn locate(&self, index: usize) -> (usize, usize) {
        if index < self.len / 2 {
            let mut before = 0;
            for (node, held) in self.nodes.iter().enumerate() {
                if index < before + held.len() {
                    return (node, index - before);
                }
                before += held.len();
            }
        }
        let mut start = self.len;
        for (node, held) in self.nodes.iter().enumerate().rev() {
            start -= held.len();
            if index >= start {
                return (node, index - start);
            }
        }
        unreachable!("the index {index} of {} elements", self.len)
    }

    /// Changes a block and keeps the account.
    #[inline]
    fn change_block(&mut self, node: usize, change: impl FnOnce(&mut Block)) {
        let node = &mut self.nodes[node];
        let Content::Packed(block) = &mut node.content else { unreachable!("no block") };
        let (old_bytes, old_len) = (block.heap_bytes(), block.len());
        let block = Arc::make_mut(block);
        change(block);
        node.len = block.len() as u32;
        self.bytes = self.bytes + block.heap_bytes() - old_bytes;
        self.len = self.len + block.len() - old_len;
    }

    fn push_node(&mut self, end: ListEnd, node: Node) {
        let index = match end {
            ListEnd::Front => 0,
            ListEnd::Back => self.nodes.len(),
        };
        self.insert_node(index, node);
    }

    fn insert_node(&mut self, index: usize, node: Node) {
        self.len += node.len();
        self.bytes += node.heap_bytes();
        if self.nodes.capacity() == 0 {
            self.nodes.reserve_exact(1);
        }
        self.nodes.insert(index, node);
    }

    fn remove_node(&mut self, index: usize) {
        let Some(node) = self.nodes.remove(index) else { return };
        self.len -= node.len();
        self.bytes -= node.heap_bytes();
        self.give_back_room();
    }

    fn give_back_room(&mut self) {
        const SMALL: usize = 16;
        if self.nodes.capacity() > SMALL.max(4 * self.nodes.len()) {
            self.nodes.shrink_to(2 * self.nodes.len());
        }
    }

    fn remove_at(&mut self, node: usize, offset: usize) {
        if self.nodes[node].len() == 1 {
            self.remove_node(node);
        } else {
            self.change_block(node, |block| block.remove(offset));
            // It is heavy enough by itself, whatever its neighbours weigh.
            if self.nodes[node].weight() > LEAST_OF_TWO {
                return;
            }
        }
        self.merge_near(node);
    }

    /// Removes elements of a node, which it may leave empty.
    fn remove_offsets(&mut self, node: usize, offsets: &[usize]) {
        if let Content::Packed(_) = self.nodes[node].content {
            return self.change_block(node, |block| block.remove_all(offsets));
        }
        self.bytes -= self.nodes[node].heap_bytes();
        self.len -= self.nodes[node].len();
        self.nodes[node] = Node::empty();
        self.bytes += self.nodes[node].heap_bytes();
    }

    /// Restores the invariants about nodes that have lost elements, or all of them.
    fn tidy(&mut self, mut changed: Vec<usize>) {
        if changed.len() > FEW {
            return self.rebuild();
        }
        changed.sort_unstable_by(|a, b| b.cmp(a));
        for node in changed {
            // A merge may have moved it.
            if self.nodes.get(node).is_some_and(|node| node.len() == 0) {
                self.remove_node(node);
            }
            self.merge_near(node);
        }
    }

    /// Moves all nodes to a new deque, without those that are empty, and merged where need be.
    fn rebuild(&mut self) {
        let nodes = std::mem::take(&mut self.nodes);
        for node in nodes {
            if node.len() == 0 {
                self.bytes -= node.heap_bytes();
                continue;
            }
            self.nodes.push_back(node);
            if let Some(last) = self.nodes.len().checked_sub(2) {
                self.merge(last);
            }
        }
        self.give_back_room();
    }

    /// Makes sure that a node begins at `index`, and answers which.
    fn split_at(&mut self, index: usize) -> usize {
        if index >= self.len {
            return self.nodes.len();
        }
        let (node, offset) = self.locate(index);
        if offset == 0 {
            return node;
        }
        let mut rest = Block::default();
        self.change_block(node, |block| rest = block.split_off(offset));
        self.insert_node(node + 1, Node::of_block(rest));
        self.shrink(node);
        node + 1
    }

    /// Merges blocks where there was a change at or before `node`.
    fn merge_near(&mut self, node: usize) {
        for left in (node.saturating_sub(2)..=node + 1).rev() {
            self.merge(left);
        }
    }

    /// Merges a block with the next if they weigh too little.
    fn merge(&mut self, left: usize) {
        let Some(right) = self.nodes.get(left + 1) else { return };
        let (Content::Packed(first), Content::Packed(second)) =
            (&self.nodes[left].content, &right.content)
        else {
            return;
        };
        if first.weight() + second.weight() <= LEAST_OF_TWO {
            let second = Arc::clone(second);
            self.change_block(left, |block| block.append(&second));
            self.remove_node(left + 1);
        }
    }

    /// Gives back the room that a block does not use, unless that would copy it.
    fn shrink(&mut self, node: usize) {
        let Content::Packed(block) = &mut self.nodes[node].content else { return };
        let Some(block) = Arc::get_mut(block) else { return };
        self.bytes -= block.heap_bytes();
        block.shrink();
        self.bytes += block.heap_bytes();
    }

    /// Asserts the invariants above.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check(&self) {
        let (mut len, mut bytes, mut last) = (0, 0, None);
        for node in &self.nodes {
            let weight = match &node.content {
                Content::Packed(block) => {
                    block.check();
                    assert_eq!(block.len(), node.len());
                    let lens = (0..block.len()).map(|index| block.get(index).len());
                    assert!(lens.max() <= Some(LARGEST_PACKED));
                    Some(block.weight())
                }
                Content::Single(element) => {
                    assert!(node.len() == 1 && element.len() > LARGEST_PACKED);
                    None
                }
            };
            if let (Some(last), Some(weight)) = (last, weight) {
                assert!(last + weight > LEAST_OF_TWO, "blocks of {last} and {weight}");
            }
            last = weight;
            len += node.len();
            bytes += node.heap_bytes();
        }
        assert_eq!((len, bytes), (self.len, self.bytes));
    }
}

impl Clone for List {
    fn clone(&self) -> Self {
        Self { nodes: self.nodes.clone(), len: self.len, bytes: self.bytes }
    }
}

impl Node {
    /// One element.
    fn new(element: &[u8]) -> Self {
        if element.len() > LARGEST_PACKED {
            Self::single(Value::from(element))
        } else {
            Self::packed(element)
        }
    }

    fn packed(element: &[u8]) -> Self {
        let mut block = Block::default();
        block.push_back(element);
        Self::of_block(block)
    }

    fn of_block(block: Block) -> Self {
        Self { len: block.len() as u32, content: Content::Packed(Arc::new(block)) }
    }

    fn single(element: Value) -> Self {
        Self { len: 1, content: Content::Single(element) }
    }

    fn empty() -> Self {
        Self::of_block(Block::default())
    }

    fn len(&self) -> usize {
        self.len as usize
    }

    fn is_packed(&self) -> bool {
        matches!(self.content, Content::Packed(_))
    }

    fn heap_bytes(&self) -> usize {
        match &self.content {
            Content::Packed(block) => BLOCK_BYTES + block.heap_bytes(),
            Content::Single(element) => element.heap_size(),
        }
    }

    fn weight(&self) -> usize {
        match &self.content {
            Content::Packed(block) => block.weight(),
            Content::Single(element) => element.len(),
        }
    }

    fn get(&self, offset: usize) -> Element<'_> {
        match &self.content {
            Content::Packed(block) => Element::Packed(block.get(offset)),
            Content::Single(element) => Element::Shared(element),
        }
    }

    fn end_offset(&self, end: ListEnd) -> usize {
        match end {
            ListEnd::Front => 0,
            ListEnd::Back => self.len() - 1,
        }
    }

    /// Whether it is a block with room for an element of this length.
    fn fits(&self, len: usize) -> bool {
        matches!(&self.content, Content::Packed(block) if block.fits(len))
    }

    /// Where its elements equal this one, ascending; at most `count`, the nearest to `end`.
    fn equal(&self, element: &[u8], count: usize, end: ListEnd) -> Vec<usize> {
        let equals = |offset: &usize| *self.get(*offset) == *element;
        match end {
            ListEnd::Front => (0..self.len()).filter(equals).take(count).collect(),
            ListEnd::Back => {
                let mut found: Vec<_> = (0..self.len()).rev().filter(equals).take(count).collect();
                found.reverse();
                found
            }
        }
    }
}
