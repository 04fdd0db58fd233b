//! One heap block that holds a key and a value: the only unsafe code of the crate.
//!
//! At a million small keys the cost of an entry is its bookkeeping and the cost of a read is its
//! cache misses. A [`Block`] is one thin pointer to one allocation with eight bytes of header:
//!
//! ```text
//! | refs u32 | access u8 | flags u8 | key len u8 | value len u8 |     header, 8 bytes
//! | key len usize | value len usize | capacity usize |              only if WIDE
//! | deadline u64 |                                                  only if DEADLINE
//! | stamp u32 |                                                     only if STAMP
//! | key bytes | value bytes | slack |
//! ```
//!
//! A block is NARROW while key and value are each at most 255 bytes; its capacity then follows
//! from its lengths (see [`narrow_capacity`]), so it is not stored.
//!
//! # Invariants
//!
//! 1. `refs` counts the `Block`s that point here; the allocation lives while it is above zero.
//! 2. Everything but `refs`, `access` and the stamp is written only through `&mut Block` while
//!    `refs` is 1.
//! 3. The first `key len + value len` bytes of the body are initialised; the rest is never read.
//! 4. The allocation has exactly the layout that [`Block::layout`] computes from the header.
//!
//! # Threading
//!
//! As `Arc`: the count is incremented relaxed, decremented with release, and a block is freed or
//! changed in place after an acquire has seen that nobody else holds it.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering, fence};

const WIDE: u8 = 1;
const DEADLINE: u8 = 2;
/// The flag bits that belong to the owner of the block: see [`Block::tag`].
const TAG: u8 = 4;
const STAMP: u8 = 8;
const NARROW_MAX: usize = u8::MAX as usize;
/// Above this many references a clone copies instead of counting, so the count cannot overflow.
const MAX_REFS: u32 = u32::MAX / 2;

#[repr(C, align(8))]
struct Header {
    refs: AtomicU32,
    access: AtomicU8,
    flags: u8,
    key_len: u8,
    value_len: u8,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Wide {
    key_len: usize,
    value_len: usize,
    capacity: usize,
}

const HEADER: usize = size_of::<Header>();
const WIDE_SIZE: usize = size_of::<Wide>();
const DEADLINE_SIZE: usize = size_of::<u64>();
const STAMP_SIZE: usize = size_of::<u32>();

/// A reference-counted allocation of key, value, and perhaps a deadline and a stamp; see the
/// module's notes.
pub(crate) struct Block(NonNull<Header>);

// SAFETY: the body is plain bytes; sharing and freeing follow the atomic count (invariants 1, 2).
unsafe impl Send for Block {}
// SAFETY: through `&Block` only the atomics are ever written.
unsafe impl Sync for Block {}

/// What a new block holds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Zero bytes appended to the value.
    pub(crate) zeros: usize,
    pub(crate) deadline: Option<u64>,
    /// When and how often it was used, in the owner's terms.
    pub(crate) stamp: Option<u32>,
    pub(crate) tag: bool,
    /// Room the value should have beyond its length, for values that grow.
    pub(crate) spare: usize,
}

/// Has the processor fetch keys from memory that the caller is about to use. They are only read
/// here, so that many are on their way at a time; whoever hashes one after the other waits for
/// each.
pub(crate) fn fetch_keys<'b>(blocks: impl Iterator<Item = &'b Block>) {
    let last_bytes = blocks.filter_map(|block| block.key().last());
    black_box(last_bytes.fold(0, |sum, byte| sum ^ byte));
}

impl Block {
    /// Copies `parts` into a new block.
    ///
    /// # Panics
    ///
    /// If the sizes overflow `isize`, which no slice in memory can bring about.
    pub(crate) fn new(parts: Parts<'_>) -> Self {
        let value_len = parts.value.len() + parts.zeros;
        let wide = parts.key.len() > NARROW_MAX || value_len > NARROW_MAX;
        let content = parts.key.len() + value_len;
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(wide, WIDE)
            | flag(parts.deadline.is_some(), DEADLINE)
            | flag(parts.stamp.is_some(), STAMP)
            | flag(parts.tag, TAG);
        let fixed = fixed_size(flags);
        let capacity = if wide {
            size_class(fixed + content + parts.spare) - fixed
        } else {
            narrow_capacity(fixed, content)
        };
        let mut block = Self::allocate(flags, parts.key.len(), value_len, capacity);
        if let Some(deadline) = parts.deadline {
            block.write_deadline(deadline);
        }
        if let Some(stamp) = parts.stamp {
            // SAFETY: a block with the flag has four aligned bytes there, and nobody else sees
            // this one yet.
            unsafe { block.stamp_pointer().write(AtomicU32::new(stamp)) };
        }
        let body = block.body_mut();
        // SAFETY: `capacity >= content`, so all three writes stay inside the new allocation,
        // which the sources cannot overlap. They initialise the body up to `content` (3).
        unsafe {
            ptr::copy_nonoverlapping(parts.key.as_ptr(), body, parts.key.len());
            let value = body.add(parts.key.len());
            ptr::copy_nonoverlapping(parts.value.as_ptr(), value, parts.value.len());
            ptr::write_bytes(value.add(parts.value.len()), 0, parts.zeros);
        }
        block
    }

    /// Allocates a block with its header written and its body uninitialised.
    fn allocate(flags: u8, key_len: usize, value_len: usize, capacity: usize) -> Self {
        let wide = flags & WIDE != 0;
        let layout = block_layout(fixed_size(flags) + capacity);
        // SAFETY: the layout's size is at least the header's, so it is not zero.
        let Some(pointer) = NonNull::new(unsafe { alloc(layout) }.cast::<Header>()) else {
            handle_alloc_error(layout)
        };
        let narrow = |len: usize| if wide { 0 } else { len as u8 };
        // SAFETY: the allocation is large enough for the header and, if wide, the lengths, and
        // is aligned to eight as both need.
        unsafe {
            pointer.write(Header {
                refs: AtomicU32::new(1),
                access: AtomicU8::new(0),
                flags,
                key_len: narrow(key_len),
                value_len: narrow(value_len),
            });
            if wide {
                let lens = Wide { key_len, value_len, capacity };
                pointer.add(1).cast::<Wide>().write(lens);
            }
        }
        Self(pointer)
    }

    #[inline]
    pub(crate) fn key(&self) -> &[u8] {
        let (key_len, _) = self.lens();
        // SAFETY: the first `key_len` bytes of the body are initialised (3) and not written
        // while `&self` lives (2).
        unsafe { std::slice::from_raw_parts(self.body(), key_len) }
    }

    /// Whether this is the key: what a look-up asks of the block it has found.
    #[inline]
    pub(crate) fn has_key(&self, key: &[u8]) -> bool {
        equal(self.key(), key)
    }

    #[inline]
    pub(crate) fn value(&self) -> &[u8] {
        let (key_len, value_len) = self.lens();
        // SAFETY: as `key`; the value follows the key.
        unsafe { std::slice::from_raw_parts(self.body().add(key_len), value_len) }
    }

    #[inline]
    pub(crate) fn deadline(&self) -> Option<u64> {
        if self.header().flags & DEADLINE == 0 {
            return None;
        }
        // SAFETY: a block with the flag has eight aligned bytes there, written at creation.
        Some(unsafe { self.deadline_pointer().read() })
    }

    /// When and how often it was used, if that is kept; approximate under concurrency.
    #[inline]
    pub(crate) fn stamp(&self) -> Option<&AtomicU32> {
        if self.header().flags & STAMP == 0 {
            return None;
        }
        // SAFETY: a block with the flag has an atomic there, written at creation, and its
        // allocation lives while `&self` does (1).
        Some(unsafe { self.stamp_pointer().as_ref() })
    }

    /// The owner's mark, given at creation.
    #[inline]
    pub(crate) fn tag(&self) -> bool {
        self.header().flags & TAG != 0
    }

    /// Whether the block has neither a deadline nor a mark.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.header().flags & (DEADLINE | TAG) == 0
    }

    /// Whether no other `Block` shares this allocation.
    #[inline]
    pub(crate) fn is_unique(&self) -> bool {
        self.header().refs.load(Ordering::Acquire) == 1
    }

    /// The value's bytes for changing in place, if nobody shares the block.
    pub(crate) fn value_mut(&mut self) -> Option<&mut [u8]> {
        if !self.is_unique() {
            return None;
        }
        let (key_len, value_len) = self.lens();
        // SAFETY: initialised (3), and unique through `&mut self` and the count (2).
        Some(unsafe { std::slice::from_raw_parts_mut(self.body_mut().add(key_len), value_len) })
    }

    /// Replaces the value in place; `false`, with nothing changed, if the block is shared or the
    /// value does not fit as exactly as in a new block.
    #[inline]
    pub(crate) fn overwrite(&mut self, value: &[u8]) -> bool {
        if !self.is_unique() {
            return false;
        }
        let (key_len, _) = self.lens();
        if !self.resize(key_len, value.len(), false) {
            return false;
        }
        // SAFETY: `resize` answered that `value.len()` bytes fit behind the key, and the block
        // is unique (2). They become initialised here (3).
        unsafe {
            let target = self.body_mut().add(key_len);
            ptr::copy_nonoverlapping(value.as_ptr(), target, value.len());
        }
        true
    }

    /// Appends to the value in place; `false`, with nothing changed, if the block is shared or
    /// has no room.
    pub(crate) fn append(&mut self, tail: &[u8]) -> bool {
        if !self.is_unique() {
            return false;
        }
        let (key_len, value_len) = self.lens();
        if !self.resize(key_len, value_len + tail.len(), true) {
            return false;
        }
        // SAFETY: as in `overwrite`; the old value stays, `tail` initialises what follows it.
        unsafe {
            let target = self.body_mut().add(key_len + value_len);
            ptr::copy_nonoverlapping(tail.as_ptr(), target, tail.len());
        }
        true
    }

    /// Moves the deadline in place; `false` if the block is shared or has no deadline.
    #[inline]
    pub(crate) fn move_deadline(&mut self, deadline: u64) -> bool {
        let movable = self.header().flags & DEADLINE != 0 && self.is_unique();
        if movable {
            self.write_deadline(deadline);
        }
        movable
    }

    /// The bytes that the allocation takes from the heap, without the allocator's own.
    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.layout().size()
    }

    /// A counter of recent use, kept by the owner; approximate under concurrency.
    #[allow(dead_code, reason = "eviction will choose by it")]
    #[inline]
    pub(crate) fn access(&self) -> &AtomicU8 {
        &self.header().access
    }

    /// A block of its own with the same content.
    #[cold]
    fn copy(&self) -> Self {
        Self::new(Parts {
            key: self.key(),
            value: self.value(),
            deadline: self.deadline(),
            stamp: self.stamp().map(|stamp| stamp.load(Ordering::Relaxed)),
            tag: self.tag(),
            ..Parts::default()
        })
    }

    /// Records new lengths if the allocation suits them. A wide block that `grows` may use its
    /// slack; otherwise a value that would waste a quarter of the block wants a new one.
    #[inline]
    fn resize(&mut self, key_len: usize, value_len: usize, grows: bool) -> bool {
        let flags = self.header().flags;
        if flags & WIDE == 0 {
            if value_len > NARROW_MAX {
                return false;
            }
            let (_, old_len) = self.lens();
            let fixed = fixed_size(flags);
            let class = |value_len| narrow_capacity(fixed, key_len + value_len);
            if old_len != value_len && class(old_len) != class(value_len) {
                return false;
            }
            // SAFETY: the caller holds `&mut self` and has seen that the block is unique (2).
            unsafe { self.0.as_mut() }.value_len = value_len as u8;
            return true;
        }
        let mut lens = self.wide();
        let content = key_len + value_len;
        if content > lens.capacity || (!grows && content < lens.capacity / 4 * 3) {
            return false;
        }
        lens.value_len = value_len;
        // SAFETY: a wide block has its lengths there, and it is unique (2).
        unsafe { self.0.add(1).cast::<Wide>().write(lens) };
        true
    }

    fn write_deadline(&mut self, deadline: u64) {
        // SAFETY: called only on unique blocks that have the DEADLINE flag (2).
        unsafe { self.deadline_pointer().write(deadline) };
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: alive (1) and initialised at creation.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn wide(&self) -> Wide {
        debug_assert!(self.header().flags & WIDE != 0);
        // SAFETY: a wide block has its lengths behind the header, written at creation.
        unsafe { self.0.add(1).cast::<Wide>().read() }
    }

    #[inline]
    fn lens(&self) -> (usize, usize) {
        let header = self.header();
        if header.flags & WIDE == 0 {
            (header.key_len.into(), header.value_len.into())
        } else {
            let lens = self.wide();
            (lens.key_len, lens.value_len)
        }
    }

    #[inline]
    fn deadline_pointer(&self) -> NonNull<u64> {
        let offset = fixed_size(self.header().flags & WIDE);
        // SAFETY: the fixed part of a block with a deadline reaches eight bytes beyond.
        unsafe { self.0.byte_add(offset).cast() }
    }

    #[inline]
    fn stamp_pointer(&self) -> NonNull<AtomicU32> {
        let offset = fixed_size(self.header().flags & (WIDE | DEADLINE));
        // SAFETY: the fixed part of a block with a stamp reaches four bytes beyond.
        unsafe { self.0.byte_add(offset).cast() }
    }

    #[inline]
    fn body(&self) -> *const u8 {
        let offset = fixed_size(self.header().flags);
        // SAFETY: the body starts behind the fixed part, inside the allocation or at its end.
        unsafe { self.0.byte_add(offset).cast::<u8>().as_ptr() }
    }

    #[inline]
    fn body_mut(&mut self) -> *mut u8 {
        self.body().cast_mut()
    }

    #[inline]
    fn layout(&self) -> Layout {
        let flags = self.header().flags;
        let fixed = fixed_size(flags);
        let capacity = if flags & WIDE == 0 {
            let (key_len, value_len) = self.lens();
            narrow_capacity(fixed, key_len + value_len)
        } else {
            self.wide().capacity
        };
        block_layout(fixed + capacity)
    }
}

impl Clone for Block {
    #[inline]
    fn clone(&self) -> Self {
        let refs = &self.header().refs;
        if refs.fetch_add(1, Ordering::Relaxed) < MAX_REFS {
            return Self(self.0);
        }
        refs.fetch_sub(1, Ordering::Relaxed);
        self.copy()
    }
}

impl Drop for Block {
    #[inline]
    fn drop(&mut self) {
        if self.header().refs.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        fence(Ordering::Acquire);
        let layout = self.layout();
        // SAFETY: the count reached zero, so this was the last pointer (1), and the layout is
        // the one it was allocated with (4).
        unsafe { dealloc(self.0.as_ptr().cast(), layout) };
    }
}

/// Compares in words what is short, as keys are. The call that `==` makes costs more than that, and
/// keeps a look-up from becoming part of its caller.
#[inline]
fn equal(one: &[u8], other: &[u8]) -> bool {
    const LONG: usize = 64;
    if one.len() != other.len() {
        return false;
    }
    match (one.last_chunk::<8>(), other.last_chunk()) {
        (Some(end), Some(other_end)) if one.len() <= LONG => {
            let (words, other_words) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
            words.iter().zip(other_words).all(|(word, other)| word == other) && end == other_end
        }
        _ => one == other,
    }
}

/// The bytes before the body.
#[inline]
fn fixed_size(flags: u8) -> usize {
    const ALL: u8 = WIDE | DEADLINE | TAG | STAMP;
    const SIZES: [u8; ALL as usize + 1] = {
        let mut sizes = [HEADER as u8; ALL as usize + 1];
        let mut flags = 0;
        while flags <= ALL {
            let size = &mut sizes[flags as usize];
            *size += if flags & WIDE == 0 { 0 } else { WIDE_SIZE as u8 };
            *size += if flags & DEADLINE == 0 { 0 } else { DEADLINE_SIZE as u8 };
            *size += if flags & STAMP == 0 { 0 } else { STAMP_SIZE as u8 };
            flags += 1;
        }
        sizes
    };
    SIZES[usize::from(flags & ALL)].into()
}

/// The bytes that a narrow block has for key and value: what remains of its size class.
#[inline]
fn narrow_capacity(fixed: usize, content: usize) -> usize {
    size_class(fixed + content) - fixed
}

/// Rounds up to what common allocators hand out anyway: `16 n + 8`, as malloc's chunks are a
/// multiple of sixteen with eight bytes of their own.
#[inline]
fn size_class(size: usize) -> usize {
    ((size - HEADER).next_multiple_of(16) + HEADER).max(24)
}

#[inline]
fn block_layout(size: usize) -> Layout {
    Layout::from_size_align(size, align_of::<Header>()).expect("a block is smaller than isize::MAX")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(key: &[u8], value: &[u8], deadline: Option<u64>) -> Block {
        Block::new(Parts { key, value, deadline, ..Parts::default() })
    }

    #[test]
    fn keeps_what_it_is_given_at_every_size() {
        for key_len in [0, 1, 7, 16, 255, 256, 1000] {
            for value_len in [0, 1, 64, 255, 256, 5000] {
                for (deadline, stamp) in
                    [(None, None), (Some(u64::MAX), None), (None, Some(7)), (Some(1), Some(7))]
                {
                    let (key, value) = (&vec![1; key_len], &vec![2; value_len]);
                    let parts = Parts { key, value, deadline, stamp, ..Parts::default() };
                    let block = Block::new(parts);
                    assert_eq!(block.key(), key);
                    assert_eq!(block.value(), value);
                    assert_eq!(block.deadline(), deadline);
                    let load = |stamp: &AtomicU32| stamp.load(Ordering::Relaxed);
                    assert_eq!(block.stamp().map(load), stamp);
                    assert!(block.heap_size() >= HEADER + key_len + value_len);
                }
            }
        }
    }

    #[test]
    fn a_small_entry_has_eight_bytes_of_overhead() {
        assert_eq!(block(&[1; 16], &[2; 64], None).heap_size(), 88);
    }

    #[test]
    fn overwrites_only_within_its_size_class_and_alone() {
        let mut block = block(b"key", &[7; 64], Some(5));
        assert!(block.overwrite(&[8; 63]));
        assert_eq!(block.value(), [8; 63]);
        assert!(!block.overwrite(&[8; 100]));
        assert!(!block.overwrite(&[8; 1000]));
        let shared = block.clone();
        assert!(!block.overwrite(&[9; 63]));
        assert!(!block.move_deadline(6));
        assert!(block.value_mut().is_none());
        assert_eq!(shared.value(), [8; 63]);
        drop(shared);
        assert!(block.move_deadline(6));
        block.value_mut().unwrap()[0] = 1;
        assert_eq!((block.deadline(), block.value()[0], block.key()), (Some(6), 1, &b"key"[..]));
    }

    #[test]
    fn a_stamp_changes_under_those_who_share_the_block() {
        let parts = Parts { key: b"key", value: &[7; 300], deadline: Some(5), ..Parts::default() };
        let mut block = Block::new(Parts { stamp: Some(1), ..parts });
        block.clone().stamp().unwrap().store(2, Ordering::Relaxed);
        assert!(block.overwrite(&[8; 299]) && block.move_deadline(6));
        assert_eq!(block.stamp().unwrap().load(Ordering::Relaxed), 2);
        assert_eq!(
            (block.deadline(), block.key(), block.value()),
            (Some(6), &b"key"[..], &[8; 299][..])
        );
    }

    #[test]
    fn a_wide_block_grows_into_its_spare_room() {
        let parts = Parts { key: b"k", value: &[1; 300], spare: 100, ..Parts::default() };
        let mut block = Block::new(parts);
        assert!(block.append(&[2; 100]));
        assert!(!block.append(&[2; 100]));
        assert_eq!(block.value().len(), 400);
        assert_eq!(block.value()[299..301], [1, 2]);
        assert!(!block.overwrite(&[3; 10]), "a small value does not keep a large block");
        assert!(block.overwrite(&[3; 390]));
    }

    #[test]
    fn appends_zeros_and_keeps_the_tag() {
        let parts = Parts { value: b"ab", zeros: 3, tag: true, ..Parts::default() };
        let block = Block::new(parts);
        assert_eq!(block.value(), b"ab\0\0\0");
        assert!(block.tag() && !block_of(b"").tag());
    }

    #[test]
    fn knows_its_key_at_every_length() {
        for length in 0..100 {
            let key: Vec<u8> = (0..length).collect();
            let block = block(&key, b"value", None);
            assert!(block.has_key(&key));
            assert!(!block.has_key(&[&key[..], b"x"].concat()));
            for at in 0..key.len() {
                let mut other = key.clone();
                other[at] ^= 1;
                assert!(!block.has_key(&other) && !block.has_key(&key[..at]));
            }
        }
    }

    fn block_of(value: &[u8]) -> Block {
        block(b"", value, None)
    }

    #[test]
    fn clones_cross_threads() {
        let block = block_of(&[3; 40]);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let block = block.clone();
                scope.spawn(move || assert_eq!(block.clone().value(), [3; 40]));
            }
        });
        assert!(block.is_unique());
    }
}
