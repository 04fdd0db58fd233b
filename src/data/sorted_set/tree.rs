//! An order-statistic B+tree of entries, in the order of (score, member).
//!
//! # Invariants
//!
//! 1. Entries live in leaves only, in strictly ascending order; all leaves have the same depth.
//! 2. An inner node of `n` children holds the first entry of each but the first child, and for
//!    each the number of entries up to its end; both exactly.
//! 3. Every node has at least a quarter of the most it may hold, except the root and the nodes on
//!    the right edge: those are never empty (an empty root leaf aside).
//!
//! The right edge is exempt so that entries appended in order fill every leaf to the brim.
//!
//! # Complexity
//!
//! Every operation is O(log n) in few cache misses: a million entries are three or four levels.
//!
//! # Sharing
//!
//! Inner nodes are shared by clones and copied when one of them changes, so cloning a tree of
//! `n` entries costs O(n / 2,000), and each first change after it O(log n) copied nodes.

use std::mem;
use std::sync::Arc;

use super::{Entry, Score};

/// The most entries of a leaf. Larger leaves make a shallower tree and dearer insertions.
const LEAF_MAX: usize = if cfg!(test) { 8 } else { 64 };
/// A node with this many children is split.
const FANOUT: usize = if cfg!(test) { 8 } else { 64 };
/// Leaves grow by this many entries, so that they waste little.
const LEAF_STEP: usize = 4;

/// How much room a node that has been split keeps for growth.
const NODE_STEP: usize = 8;

#[derive(Clone, Default)]
pub(super) struct Tree {
    root: Node,
    len: usize,
}

#[derive(Clone)]
enum Node {
    Leaf(Vec<Entry>),
    Inner(Arc<Inner>),
}

#[derive(Clone)]
struct Inner {
    children: Vec<Node>,
    /// `ends[i]`: how many entries `children[..=i]` have.
    ends: Vec<usize>,
    /// `separators[i]`: the first entry of `children[i + 1]`.
    separators: Vec<Entry>,
}

impl Tree {
    /// Builds a tree of entries that are in strictly ascending order, in O(n).
    pub(super) fn from_sorted(entries: Vec<Entry>) -> Self {
        let len = entries.len();
        let mut nodes: Vec<_> = split_evenly(entries, LEAF_MAX / 4 * 3).map(Node::Leaf).collect();
        while nodes.len() > 1 {
            let groups = split_evenly(nodes, FANOUT / 4 * 3);
            nodes = groups.map(|children| Node::Inner(Arc::new(Inner::new(children)))).collect();
        }
        Self { root: nodes.pop().unwrap_or_default(), len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// About how many bytes the nodes take: an eighth of slack, and what points to the leaves.
    pub(super) fn bytes(&self) -> usize {
        self.len * size_of::<Entry>() / 4 * 5
    }

    /// The number of entries below this score, and of this score those for which `tie` holds;
    /// it has to hold for leading members only.
    pub(super) fn rank(&self, score: Score, tie: impl Fn(&[u8]) -> bool) -> usize {
        self.rank_by(|entries| count_before(entries, score, &tie))
    }

    /// The number of leading entries for which `before` holds; like `slice::partition_point`.
    pub(super) fn partition_point(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.rank_by(|entries| entries.partition_point(|entry| before(&entry.member)))
    }

    /// The number of leading entries that `count` finds when it is given parts of the whole.
    fn rank_by(&self, count: impl Fn(&[Entry]) -> usize) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(entries) => return rank + count(entries),
                Node::Inner(inner) => {
                    let at = count(&inner.separators);
                    rank += inner.start(at);
                    node = &inner.children[at];
                }
            }
        }
    }

    /// The leaf that holds the entry of this rank, and the entry's place in it.
    pub(super) fn leaf_at(&self, rank: usize) -> (&[Entry], usize) {
        debug_assert!(rank < self.len);
        let (mut node, mut rank) = (&self.root, rank);
        loop {
            match node {
                Node::Leaf(entries) => return (entries, rank),
                Node::Inner(inner) => {
                    let (at, within) = inner.child_at(rank);
                    (node, rank) = (&inner.children[at], within);
                }
            }
        }
    }

    /// Adds an entry that is not in the tree.
    pub(super) fn insert(&mut self, entry: Entry) {
        if let Some(right) = self.root.insert(entry, true) {
            let left = mem::take(&mut self.root);
            self.root = Node::Inner(Arc::new(Inner::new(vec![left, right])));
        }
        self.len += 1;
    }

    /// Gives an entry of the tree another score, moving it to its new place.
    pub(super) fn rescore(&mut self, old: Score, member: &[u8], new: Score) {
        if self.root.rescore_in_leaf(old, member, new) {
            return;
        }
        let rank = self.rank(old, |other| *other < *member);
        let mut moved = None;
        self.remove_in_leaf(rank, 1, &mut |entry| moved = Some(entry));
        let mut entry = moved.expect("the caller names an entry of the tree");
        entry.score = new;
        self.insert(entry);
    }

    /// Removes up to `most` entries from rank `start` on, all from one leaf, and hands them to
    /// `each`. Returns how many: at least one if there is an entry of that rank.
    pub(super) fn remove_in_leaf(
        &mut self,
        start: usize,
        most: usize,
        each: &mut impl FnMut(Entry),
    ) -> usize {
        if start >= self.len {
            return 0;
        }
        let removed = self.root.remove_in_leaf(start, most, each);
        self.len -= removed;
        while let Node::Inner(inner) = &mut self.root {
            if inner.children.len() > 1 {
                break;
            }
            self.root = Arc::make_mut(inner).children.pop().unwrap_or_default();
        }
        removed
    }

    /// Asserts the module's invariants.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        let mut last = None;
        self.root.check(true, &mut |entry| {
            assert!(last.is_none_or(|last: &Entry| last.place() < entry.place()));
            last = Some(entry);
        });
        assert_eq!(self.root.len(), self.len);
        assert!(!matches!(&self.root, Node::Inner(inner) if inner.children.len() < 2));
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::Leaf(Vec::new())
    }
}

impl Node {
    /// The number of entries below.
    fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Inner(inner) => inner.len(),
        }
    }

    fn first(&self) -> &Entry {
        match self {
            Self::Leaf(entries) => &entries[0],
            Self::Inner(inner) => inner.children[0].first(),
        }
    }

    /// Whether the node has less than a quarter of the most it may hold.
    fn is_meagre(&self) -> bool {
        match self {
            Self::Leaf(entries) => entries.len() < LEAF_MAX / 4,
            Self::Inner(inner) => inner.children.len() < FANOUT / 4,
        }
    }

    /// Adds an entry; if that splits the node, returns the new sibling to its right.
    /// `on_edge` says that the node is on the tree's right edge.
    fn insert(&mut self, entry: Entry, on_edge: bool) -> Option<Node> {
        match self {
            Self::Leaf(entries) => insert_in_leaf(entries, entry, on_edge).map(Self::Leaf),
            Self::Inner(inner) => {
                let right = Arc::make_mut(inner).insert(entry, on_edge)?;
                Some(Self::Inner(Arc::new(right)))
            }
        }
    }

    /// Changes a score if the entry stays in its leaf and nothing above changes; else `false`.
    fn rescore_in_leaf(&mut self, old: Score, member: &[u8], new: Score) -> bool {
        let inner = match self {
            Self::Leaf(entries) => return rescore_within(entries, old, member, new, true),
            Self::Inner(inner) => inner,
        };
        let child_by = |score| count_before(&inner.separators, score, |first| *first <= *member);
        let at = child_by(old);
        if at != child_by(new) {
            return false;
        }
        match &mut Arc::make_mut(inner).children[at] {
            Self::Leaf(entries) => rescore_within(entries, old, member, new, false),
            child => child.rescore_in_leaf(old, member, new),
        }
    }

    fn remove_in_leaf(&mut self, start: usize, most: usize, each: &mut impl FnMut(Entry)) -> usize {
        match self {
            Self::Leaf(entries) => {
                let end = entries.len().min(start.saturating_add(most));
                entries.drain(start..end).for_each(each);
                trim(entries);
                end - start
            }
            Self::Inner(inner) => Arc::make_mut(inner).remove_in_leaf(start, most, each),
        }
    }

    /// Takes over what the sibling to the right holds; returns a new right sibling with half of
    /// everything if it is too much for one node to hold with room to spare.
    fn absorb(&mut self, right: Node) -> Option<Node> {
        match (self, right) {
            (Self::Leaf(entries), Self::Leaf(mut more)) => {
                entries.append(&mut more);
                let half = entries.len() / 2;
                let rest = (entries.len() > LEAF_MAX / 4 * 3).then(|| entries.split_off(half));
                trim(entries);
                rest.map(Self::Leaf)
            }
            (Self::Inner(inner), Self::Inner(more)) => {
                let inner = Arc::make_mut(inner);
                inner.append(Arc::unwrap_or_clone(more));
                let half = inner.children.len() / 2;
                let too_many = inner.children.len() > FANOUT / 4 * 3;
                too_many.then(|| Self::Inner(Arc::new(inner.split_off(half))))
            }
            _ => unreachable!("siblings are of one depth"),
        }
    }

    #[cfg(any(test, fuzzing))]
    fn depth(&self) -> usize {
        match self {
            Self::Leaf(_) => 0,
            Self::Inner(inner) => 1 + inner.children[0].depth(),
        }
    }

    #[cfg(any(test, fuzzing))]
    fn check<'a>(&'a self, on_edge: bool, each: &mut impl FnMut(&'a Entry)) {
        match self {
            Self::Leaf(entries) => {
                assert!(entries.len() <= LEAF_MAX);
                entries.iter().for_each(each);
            }
            Self::Inner(inner) => inner.check(on_edge, each),
        }
    }
}

impl Inner {
    fn new(children: Vec<Node>) -> Self {
        let separators = children[1..].iter().map(|child| child.first().clone()).collect();
        let mut end = 0;
        let ends = children.iter().map(|child| {
            end += child.len();
            end
        });
        Self { ends: ends.collect(), separators, children }
    }

    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// How many entries there are before this child.
    #[inline]
    fn start(&self, at: usize) -> usize {
        at.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// The child that holds the entry of this rank, and the entry's rank inside it.
    #[inline]
    fn child_at(&self, rank: usize) -> (usize, usize) {
        let at = self.ends.iter().filter(|&&end| end <= rank).count();
        (at, rank - self.start(at))
    }

    fn insert(&mut self, entry: Entry, on_edge: bool) -> Option<Inner> {
        let at = count_before(&self.separators, entry.score, |first| *first < *entry.member);
        let at_end = on_edge && at + 1 == self.children.len();
        self.ends[at..].iter_mut().for_each(|end| *end += 1);
        let right = self.children[at].insert(entry, at_end)?;
        self.insert_child(at + 1, right);
        let len = self.children.len();
        (len == FANOUT).then(|| self.split_off(if at_end { len - 1 } else { len / 2 }))
    }

    fn remove_in_leaf(&mut self, start: usize, most: usize, each: &mut impl FnMut(Entry)) -> usize {
        let (at, within) = self.child_at(start);
        let removed = self.children[at].remove_in_leaf(within, most, each);
        self.ends[at..].iter_mut().for_each(|end| *end -= removed);
        if self.start(at) == self.ends[at] {
            self.children.remove(at);
            self.ends.remove(at);
            if !self.separators.is_empty() {
                self.separators.remove(at.saturating_sub(1));
            }
            return removed;
        }
        if within == 0 && at > 0 {
            self.separators[at - 1] = self.children[at].first().clone();
        }
        if self.children[at].is_meagre() && self.children.len() > 1 {
            self.level(at.saturating_sub(1));
        }
        removed
    }

    /// Joins two neighbours, or shares evenly between them what they hold.
    fn level(&mut self, left: usize) {
        let right = self.children.remove(left + 1);
        self.separators.remove(left);
        self.ends.remove(left);
        if let Some(rest) = self.children[left].absorb(right) {
            self.insert_child(left + 1, rest);
        }
    }

    /// Adds a child, not the first, whose entries are counted already as its left sibling's.
    fn insert_child(&mut self, at: usize, child: Node) {
        self.ends.insert(at - 1, self.ends[at - 1] - child.len());
        self.separators.insert(at - 1, child.first().clone());
        self.children.insert(at, child);
    }

    fn split_off(&mut self, at: usize) -> Self {
        let children = self.children.split_off(at);
        let separators = self.separators.split_off(at);
        self.separators.pop();
        let mut ends = self.ends.split_off(at);
        ends.iter_mut().for_each(|end| *end -= self.len());
        self.children.shrink_to(at + NODE_STEP);
        self.ends.shrink_to(at + NODE_STEP);
        self.separators.shrink_to(at + NODE_STEP);
        Self { children, ends, separators }
    }

    fn append(&mut self, mut right: Self) {
        let len = self.len();
        self.ends.extend(right.ends.iter().map(|end| len + end));
        self.separators.push(right.children[0].first().clone());
        self.separators.append(&mut right.separators);
        self.children.append(&mut right.children);
    }

    #[cfg(any(test, fuzzing))]
    fn check<'a>(&'a self, on_edge: bool, each: &mut impl FnMut(&'a Entry)) {
        let len = self.children.len();
        assert!(len > 0 && len < FANOUT);
        assert!(self.ends.len() == len && self.separators.len() == len - 1);
        for (at, child) in self.children.iter().enumerate() {
            let on_edge = on_edge && at + 1 == len;
            assert!(child.len() > 0 && (on_edge || !child.is_meagre()));
            assert_eq!(child.len(), self.ends[at] - self.start(at));
            assert_eq!(child.depth(), self.children[0].depth());
            if at > 0 {
                let (first, separator) = (child.first(), &self.separators[at - 1]);
                assert_eq!(first.member.as_ptr(), separator.member.as_ptr());
                assert_eq!(first.score, separator.score);
            }
            child.check(on_edge, each);
        }
    }
}

/// The number of entries below this score, and of this score those for which `tie` holds.
///
/// It looks at all scores, because it can do that at once: bisection would wait for memory step
/// by step, and nodes are small. Members are read only where scores are equal.
#[inline]
fn count_before(entries: &[Entry], score: Score, tie: impl Fn(&[u8]) -> bool) -> usize {
    let (mut below, mut through) = (0, 0);
    for entry in entries {
        below += usize::from(entry.score < score);
        through += usize::from(entry.score <= score);
    }
    if below == through {
        return below;
    }
    below + entries[below..through].partition_point(|entry| tie(&entry.member))
}

/// Adds an entry to a leaf; returns the right part if the leaf was full. A leaf that overflows at
/// the tree's end stays full: entries that come in order leave no half-empty leaves behind.
fn insert_in_leaf(entries: &mut Vec<Entry>, entry: Entry, on_edge: bool) -> Option<Vec<Entry>> {
    let at = count_before(entries, entry.score, |other| *other < *entry.member);
    if entries.len() < LEAF_MAX {
        insert_at(entries, at, entry);
        return None;
    }
    let half = if on_edge && at == LEAF_MAX { LEAF_MAX } else { LEAF_MAX / 2 };
    let mut right = entries.split_off(half);
    if at < half {
        insert_at(entries, at, entry);
    } else {
        insert_at(&mut right, at - half, entry);
    }
    trim(entries);
    Some(right)
}

fn insert_at(entries: &mut Vec<Entry>, at: usize, entry: Entry) {
    if entries.len() == entries.capacity() {
        entries.reserve_exact(LEAF_STEP);
    }
    entries.insert(at, entry);
}

/// Gives back the room of a leaf that has become much smaller.
fn trim(entries: &mut Vec<Entry>) {
    if entries.capacity() > entries.len() + 2 * LEAF_STEP {
        entries.shrink_to(entries.len() + LEAF_STEP);
    }
}

/// Moves an entry inside a leaf. Unless the leaf is the `whole` tree, only between other entries
/// of it: the first entry is known to the nodes above, and past the last begins another leaf.
fn rescore_within(
    entries: &mut [Entry],
    old: Score,
    member: &[u8],
    new: Score,
    whole: bool,
) -> bool {
    let from = count_before(entries, old, |other| *other < *member);
    let to = count_before(entries, new, |other| *other < *member);
    if !whole && (from == 0 || to == 0 || to == entries.len()) {
        return false;
    }
    entries[from].score = new;
    if to > from {
        entries[from..to].rotate_left(1);
    } else {
        entries[to..=from].rotate_right(1);
    }
    true
}

/// Cuts a list into as few parts of at most `most` items as there must be, of even size.
fn split_evenly<T>(items: Vec<T>, most: usize) -> impl Iterator<Item = Vec<T>> {
    let mut rest = items.len();
    let mut items = items.into_iter();
    (1..=rest.div_ceil(most)).rev().map(move |parts| {
        let size = rest.div_ceil(parts);
        rest -= size;
        items.by_ref().take(size).collect()
    })
}
