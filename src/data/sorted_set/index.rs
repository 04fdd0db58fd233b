//! A hash table from member to score that grows one small segment at a time.
//!
//! Linear hashing over segments: with `n` segments, a member belongs to the one that the low bits
//! of its hash name, or, where that one does not exist yet, to the one with the highest of those
//! bits cleared. When the table is too full the next segment in turn is split in two. So no
//! insertion ever moves more than one segment's entries: growth to any size stalls nobody.
//!
//! A segment is an array of cache lines with three entries each. The high bits of a hash choose
//! the line in which an entry is at home; if that is full, the entry goes on to the next with
//! room, and each full line counts what has passed it. A lookup reads one line in most cases, and
//! then the bytes of the member whose hash is the same. Hashes are kept, so that nothing but a
//! lookup ever has to read a member's bytes.
//!
//! # Invariants
//!
//! 1. Each entry is in the segment that its hash names; no member is there twice.
//! 2. All lines from an entry's home up to the one before it have counted it in `passed`, and
//!    `passed` counts nothing else.
//! 3. A segment has at most five entries for two lines, so there is always room to place one.
//! 4. On average a segment has at most `LOAD` entries and, if there are several segments, at
//!    least half of `LOAD`.
//! 5. `lines` is the number of lines of all segments.
//!
//! # Sharing
//!
//! Segments are shared by clones and copied when one of them changes.

use std::hash::{BuildHasher, Hasher};
use std::iter;
use std::mem;
use std::sync::Arc;

use ahash::RandomState;

use super::{Entry, Score};

/// The average number of entries in a segment at which the table grows.
const LOAD: usize = if cfg!(test) { 4 } else { 64 };
/// Entries in a line: what fits in 64 bytes with their hashes.
const SLOTS: usize = 3;

#[derive(Clone)]
pub(super) struct Index {
    /// Seeded at run time, so that nobody can choose members that collide.
    hasher: RandomState,
    segments: Vec<Segment>,
    /// The number of segments, rounded up to a power of two, less one.
    mask: usize,
    len: usize,
    lines: usize,
}

/// Where an entry is, until the next change of the table.
#[derive(Clone, Copy)]
pub(super) struct Place {
    segment: usize,
    line: usize,
    slot: usize,
}

#[derive(Clone)]
struct Segment {
    lines: Arc<[Line]>,
    len: usize,
}

#[derive(Clone, Default)]
#[repr(align(64))]
struct Line {
    entries: [Option<Entry>; SLOTS],
    /// The hash of each entry; without meaning where there is none.
    hashes: [u32; SLOTS],
    passed: u32,
}

impl Index {
    /// An empty table that takes `len` entries without a split.
    pub(super) fn with_capacity(len: usize) -> Self {
        let segments = len.div_ceil(LOAD).max(1);
        let mut index = Self {
            hasher: RandomState::new(),
            segments: Vec::with_capacity(segments),
            mask: 0,
            len: 0,
            lines: 0,
        };
        for _ in 0..segments {
            index.push_segment(Segment::with_capacity(len / segments));
        }
        index
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The bytes taken from the heap, without the members' own.
    pub(super) fn bytes(&self) -> usize {
        // The counters of an `Arc` take a line of their own, as lines are aligned.
        let lines = self.lines + self.segments.len();
        size_of::<Self>()
            + self.segments.capacity() * size_of::<Segment>()
            + lines * size_of::<Line>()
    }

    #[inline]
    pub(super) fn hash(&self, member: &[u8]) -> u32 {
        let mut state = self.hasher.build_hasher();
        state.write(member);
        state.finish() as u32
    }

    /// The score of a member.
    #[inline]
    pub(super) fn get(&self, member: &[u8]) -> Option<Score> {
        let place = self.find(self.hash(member), member)?;
        Some(self.score(place))
    }

    #[inline]
    pub(super) fn find(&self, hash: u32, member: &[u8]) -> Option<Place> {
        let segment = self.locate(hash);
        let (line, slot) = self.segments[segment].find(hash, member)?;
        Some(Place { segment, line, slot })
    }

    /// The score of an entry that has just been found.
    #[inline]
    pub(super) fn score(&self, place: Place) -> Score {
        let entry = &self.segments[place.segment].lines[place.line].entries[place.slot];
        entry.as_ref().expect("a place is that of an entry").score
    }

    pub(super) fn set_score(&mut self, place: Place, score: Score) {
        let lines = Arc::make_mut(&mut self.segments[place.segment].lines);
        let entry = lines[place.line].entries[place.slot].as_mut();
        entry.expect("a place is that of an entry").score = score;
    }

    /// Adds an entry whose member is not in the table.
    pub(super) fn insert(&mut self, hash: u32, entry: Entry) {
        self.edit(self.locate(hash), |segment| segment.insert(hash, entry));
        self.len += 1;
        if self.len > self.segments.len() * LOAD {
            self.split_segment();
        }
    }

    pub(super) fn remove(&mut self, place: Place) {
        self.edit(place.segment, |segment| segment.remove(place.line, place.slot));
        self.len -= 1;
        if self.segments.len() > 1 && self.len < self.segments.len() * LOAD / 2 {
            self.join_segment();
        }
    }

    /// Visits whole segments in the order of the reversed hash, from `cursor` on, until it has
    /// visited `count` entries; returns the cursor to go on from, or 0 after the last segment.
    ///
    /// A segment is a range of reversed hashes. Splitting cuts the range in two and joining undoes
    /// that, so a cursor parts what has been visited from what has not at any later size too.
    pub(super) fn scan(&self, cursor: u64, count: usize, mut each: impl FnMut(&Entry)) -> u64 {
        let (mut cursor, mut visited) = (cursor as u32, 0);
        loop {
            let at = self.locate(cursor.reverse_bits());
            let segment = &self.segments[at];
            segment.lines.iter().flat_map(|line| line.entries.iter().flatten()).for_each(&mut each);
            visited += segment.len;
            let width = match self.depth(at) {
                0 => return 0,
                depth => 1 << (u32::BITS - depth),
            };
            cursor = (cursor & !(width - 1)).wrapping_add(width);
            if cursor == 0 || visited >= count {
                return cursor.into();
            }
        }
    }

    /// Asserts the module's invariants.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for (at, segment) in self.segments.iter().enumerate() {
            segment.check();
            for (hash, entry) in segment.entries() {
                assert_eq!((hash, self.locate(hash)), (self.hash(&entry.member), at));
            }
        }
        let segments = self.segments.len();
        assert_eq!(self.len, self.segments.iter().map(|segment| segment.len).sum());
        assert_eq!(self.lines, self.segments.iter().map(|segment| segment.lines.len()).sum());
        assert!(self.len <= segments * LOAD && (segments == 1 || self.len >= segments * LOAD / 2));
        assert_eq!(self.mask, segments.next_power_of_two() - 1);
    }

    /// The segment of a hash: invariant 1.
    #[inline]
    fn locate(&self, hash: u32) -> usize {
        let at = hash as usize & self.mask;
        if at < self.segments.len() { at } else { at & (self.mask / 2) }
    }

    /// How many low bits of a hash this segment's entries have in common.
    fn depth(&self, segment: usize) -> u32 {
        let high_bit = self.mask / 2 + 1;
        let unsplit = segment < high_bit && segment + high_bit >= self.segments.len();
        self.mask.count_ones() - u32::from(unsplit && self.mask > 0)
    }

    /// Adds a segment with what belongs there, all from one other.
    fn split_segment(&mut self) {
        let added = self.segments.len();
        let high_bit = (added + 1).next_power_of_two() / 2;
        let split = self.edit(added - high_bit, |segment| segment.split(high_bit as u32));
        self.push_segment(split);
    }

    /// Undoes the last split.
    fn join_segment(&mut self) {
        let high_bit = self.mask / 2 + 1;
        let Some(mut last) = self.segments.pop() else { return };
        self.lines -= last.lines.len();
        self.mask = self.segments.len().next_power_of_two() - 1;
        self.edit(self.segments.len() - high_bit, |segment| {
            segment.resize(segment.len + last.len);
            last.drain().for_each(|(hash, entry)| segment.insert(hash, entry));
        });
    }

    fn push_segment(&mut self, segment: Segment) {
        self.lines += segment.lines.len();
        self.segments.push(segment);
        self.mask = self.segments.len().next_power_of_two() - 1;
    }

    /// Changes a segment and keeps the account of lines.
    fn edit<R>(&mut self, at: usize, change: impl FnOnce(&mut Segment) -> R) -> R {
        let segment = &mut self.segments[at];
        let before = segment.lines.len();
        let result = change(segment);
        self.lines = self.lines + segment.lines.len() - before;
        result
    }
}

impl Segment {
    /// An empty segment that takes `len` entries, and a few more, as it is.
    fn with_capacity(len: usize) -> Self {
        let lines = len * 4 / 9 + 1;
        Self { lines: iter::repeat_with(Line::default).take(lines).collect(), len: 0 }
    }

    #[inline]
    fn find(&self, hash: u32, member: &[u8]) -> Option<(usize, usize)> {
        let mut at = self.home(hash);
        loop {
            let line = &self.lines[at];
            if let Some(slot) = line.find(hash, member) {
                return Some((at, slot));
            }
            if line.passed == 0 {
                return None;
            }
            at = self.after(at);
        }
    }

    fn insert(&mut self, hash: u32, entry: Entry) {
        if 2 * (self.len + 1) > 5 * self.lines.len() {
            self.resize(self.len + 1);
        }
        let mut at = self.home(hash);
        let lines = Arc::make_mut(&mut self.lines);
        loop {
            let line = &mut lines[at];
            if let Some(slot) = line.entries.iter().position(Option::is_none) {
                (line.entries[slot], line.hashes[slot]) = (Some(entry), hash);
                break;
            }
            line.passed += 1;
            at = (at + 1) % lines.len();
        }
        self.len += 1;
    }

    fn remove(&mut self, line: usize, slot: usize) {
        let mut at = self.home(self.lines[line].hashes[slot]);
        let lines = Arc::make_mut(&mut self.lines);
        while at != line {
            lines[at].passed -= 1;
            at = (at + 1) % lines.len();
        }
        lines[line].entries[slot] = None;
        self.len -= 1;
        if self.len + 1 < self.lines.len() {
            self.resize(self.len);
        }
    }

    /// Takes out the entries whose hash has this bit set.
    fn split(&mut self, bit: u32) -> Self {
        let moving = self.entries().filter(|(hash, _)| hash & bit != 0).count();
        let mut moved = Self::with_capacity(moving);
        let mut all = mem::replace(self, Self::with_capacity(self.len - moving));
        for (hash, entry) in all.drain() {
            if hash & bit == 0 { self.insert(hash, entry) } else { moved.insert(hash, entry) }
        }
        moved
    }

    /// Makes as many lines as suit this many entries.
    fn resize(&mut self, len: usize) {
        let mut all = mem::replace(self, Self::with_capacity(len));
        all.drain().for_each(|(hash, entry)| self.insert(hash, entry));
    }

    fn drain(&mut self) -> impl Iterator<Item = (u32, Entry)> {
        self.len = 0;
        Arc::make_mut(&mut self.lines).iter_mut().flat_map(|line| {
            let entries = mem::take(&mut line.entries);
            iter::zip(line.hashes, entries).filter_map(|(hash, entry)| Some((hash, entry?)))
        })
    }

    fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.lines.iter().flat_map(|line| {
            let entries = iter::zip(line.hashes, &line.entries);
            entries.filter_map(|(hash, entry)| Some((hash, entry.as_ref()?)))
        })
    }

    /// The line in which a hash is at home. The high bits choose: the low ones chose the segment.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.lines.len() as u64) >> u32::BITS) as usize
    }

    #[inline]
    fn after(&self, line: usize) -> usize {
        if line + 1 < self.lines.len() { line + 1 } else { 0 }
    }

    #[cfg(test)]
    fn check(&self) {
        assert_eq!(self.entries().count(), self.len);
        assert!(2 * self.len <= 5 * self.lines.len());
        let mut passed = vec![0; self.lines.len()];
        for (hash, entry) in self.entries() {
            let (line, slot) = self.find(hash, &entry.member).expect("the entry is found");
            assert!(std::ptr::eq(entry, self.lines[line].entries[slot].as_ref().unwrap()));
            let mut at = self.home(hash);
            while at != line {
                passed[at] += 1;
                at = self.after(at);
            }
        }
        assert!(self.lines.iter().map(|line| line.passed).eq(passed));
    }
}

impl Line {
    /// Compares all hashes before it branches: a branch on which of them is equal could not be
    /// predicted, and would keep the processor from working ahead while memory is slow.
    #[inline]
    fn find(&self, hash: u32, member: &[u8]) -> Option<usize> {
        let mut hits = 0;
        for (slot, other) in self.hashes.iter().enumerate() {
            hits |= u32::from(*other == hash) << slot;
        }
        while hits != 0 {
            let slot = hits.trailing_zeros() as usize;
            let entry = self.entries[slot].as_ref();
            if entry.is_some_and(|entry| *entry.member == *member) {
                return Some(slot);
            }
            hits &= hits - 1;
        }
        None
    }
}
