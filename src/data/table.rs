//! A hash table of entries by their keys that grows one bucket at a time.
//!
//! Linear hashing: with `n` buckets, a key belongs to the bucket that the low bits of its hash
//! name, or, where that bucket does not exist yet, to the one with the highest of those bits
//! cleared. When the table is too full the next bucket in turn is split in two, so no insertion
//! ever moves more than one bucket's entries: growth to any size stalls nobody.
//!
//! A bucket's head is one cache line: one byte of the hash for each entry, and where the entries
//! are. A lookup reads that line, one entry, and the bytes of its key.
//!
//! # Invariants
//!
//! 1. Each entry is in the bucket that its key's hash names; no key is there twice.
//! 2. `tags[i]` is the top byte of the hash of `entries[i]`, for as many as there are tags.
//! 3. On average a bucket has at most `LOAD` entries and, if there are several, at least half of
//!    `LOAD`.
//! 4. `slots` is the sum of the capacities of the buckets' entry lists.
//! 5. No bucket has more than `widest` entries.
//!
//! # Sharing
//!
//! Segments of buckets are shared by clones and copied when one of them changes.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use ahash::RandomState;
use smallvec::SmallVec;

use crate::random::{KeyHasher, Random};

/// The average number of entries in a bucket at which the table grows.
const LOAD: usize = if cfg!(test) { 4 } else { 16 };
/// Makes the head of a bucket 64 bytes. A bucket seldom has more entries; those do without.
const TAGS: usize = if cfg!(test) { 8 } else { 40 };
/// Buckets in a segment.
const SEGMENT: usize = if cfg!(test) { 4 } else { 64 };
/// Buckets in the first segment of a small table.
const FIRST_SEGMENT: usize = if cfg!(test) { 1 } else { 8 };
/// Entry lists grow by this many, so that they waste little.
const STEP: usize = 4;

/// What a table holds: it is found by its key.
pub(super) trait Keyed: Clone {
    fn key(&self) -> &[u8];
}

/// A hash table: see the module's notes.
#[derive(Clone)]
pub(super) struct Table<E> {
    /// Seeded at run time, so that nobody can choose keys that collide.
    hasher: KeyHasher,
    segments: Vec<Arc<[Bucket<E>]>>,
    buckets: usize,
    /// `buckets`, rounded up to a power of two, less one.
    mask: usize,
    len: usize,
    slots: usize,
    widest: usize,
}

/// Where an entry is, until the next change of the table.
#[derive(Clone, Copy)]
pub(super) struct Place {
    bucket: usize,
    at: usize,
}

#[repr(align(64))]
struct Bucket<E> {
    tags: [u8; TAGS],
    entries: Vec<E>,
}

impl<E: Keyed> Table<E> {
    /// An empty table that takes `len` entries without a split.
    pub(super) fn with_capacity(len: usize) -> Self {
        let mut table = Self {
            hasher: KeyHasher::new(),
            segments: Vec::new(),
            buckets: 0,
            mask: 0,
            len: 0,
            slots: 0,
            widest: 0,
        };
        for _ in 0..len.div_ceil(LOAD).max(1) {
            table.add_bucket();
        }
        table
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The bytes taken from the heap, without the entries' own.
    pub(super) fn bytes(&self) -> usize {
        let buckets: usize = match &self.segments[..] {
            [first] => first.len(),
            segments => segments.len() * SEGMENT,
        };
        size_of::<Self>()
            + self.segments.capacity() * size_of::<Arc<[Bucket<E>]>>()
            + buckets * size_of::<Bucket<E>>()
            + self.slots * size_of::<E>()
    }

    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.hasher.hash(key)
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        self.find_by(hash, |entry| entry.key() == key)
    }

    /// The place of an entry with this hash that `is_it`.
    #[inline]
    pub(super) fn find_by(&self, hash: u64, is_it: impl Fn(&E) -> bool) -> Option<Place> {
        let bucket = self.locate(hash);
        let at = self.bucket(bucket).find(tag(hash), is_it)?;
        Some(Place { bucket, at })
    }

    /// The entry of a key.
    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Option<&E> {
        let hash = self.hash(key);
        let bucket = self.bucket(self.locate(hash));
        Some(&bucket.entries[bucket.find(tag(hash), |entry| entry.key() == key)?])
    }

    #[inline]
    pub(super) fn at(&self, place: Place) -> &E {
        &self.bucket(place.bucket).entries[place.at]
    }

    /// The entry, to be changed in all but its key.
    pub(super) fn at_mut(&mut self, place: Place) -> &mut E {
        &mut bucket_mut(&mut self.segments, place.bucket).entries[place.at]
    }

    /// All entries, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &E> {
        (0..self.buckets).flat_map(|at| &self.bucket(at).entries)
    }

    /// Any entry, each as likely as another; O(1). The table must not be empty.
    pub(super) fn random(&self, random: &mut Random) -> &E {
        loop {
            // Fuller buckets are not more likely, but less often in vain.
            let bucket = self.bucket(random.below(self.buckets));
            if let Some(entry) = bucket.entries.get(random.below(self.widest)) {
                return entry;
            }
        }
    }

    /// `count` distinct entries, every selection as likely as another, in O(count); `None` if that
    /// is not far fewer than all, as most draws would then be of entries that were drawn before.
    pub(super) fn sample(&self, count: usize, random: &mut Random) -> Option<Vec<&E>> {
        /// How many times more entries there must be than are asked for.
        const FAR_MORE: usize = 3;
        if count.saturating_mul(FAR_MORE) >= self.len {
            return None;
        }
        let mut keys = HashSet::with_hasher(RandomState::new());
        let mut drawn = Vec::with_capacity(count);
        while drawn.len() < count {
            let entry = self.random(random);
            if keys.insert(entry.key()) {
                drawn.push(entry);
            }
        }
        Some(drawn)
    }

    /// Adds an entry whose key is not in the table.
    pub(super) fn insert(&mut self, hash: u64, entry: E) {
        self.edit(self.locate(hash), |bucket| bucket.push(tag(hash), entry));
        self.len += 1;
        if self.len > self.buckets * LOAD {
            self.split_bucket();
        }
    }

    pub(super) fn remove(&mut self, place: Place) -> E {
        let hasher = self.hasher.clone();
        let entry = self.edit(place.bucket, |bucket| bucket.remove(place.at, &hasher));
        self.len -= 1;
        if self.buckets > 1 && self.len < self.buckets * LOAD / 2 {
            self.join_bucket();
        }
        entry
    }

    /// Visits whole buckets in the order of the reversed hash, from `cursor` on, until it has
    /// visited `count` entries; returns the cursor to go on from, or 0 after the last bucket.
    ///
    /// A bucket is a range of reversed hashes. Splitting cuts the range in two and joining undoes
    /// that, so a cursor parts what has been visited from what has not at any later size too.
    pub(super) fn scan<'t>(
        &'t self,
        cursor: u64,
        count: usize,
        mut each: impl FnMut(&'t E),
    ) -> u64 {
        let (mut cursor, mut visited) = (cursor, 0);
        loop {
            let bucket = self.locate(cursor.reverse_bits());
            let entries = &self.bucket(bucket).entries;
            entries.iter().for_each(&mut each);
            visited += entries.len();
            let width = match self.depth(bucket) {
                0 => return 0,
                depth => 1 << (u64::BITS - depth),
            };
            cursor = (cursor & !(width - 1)).wrapping_add(width);
            if cursor == 0 || visited >= count {
                return cursor;
            }
        }
    }

    /// Asserts the module's invariants.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        let (mut len, mut slots) = (0, 0);
        for at in 0..self.buckets {
            let bucket = self.bucket(at);
            for (i, entry) in bucket.entries.iter().enumerate() {
                let hash = self.hash(entry.key());
                assert_eq!(self.locate(hash), at);
                assert!(i >= TAGS || bucket.tags[i] == tag(hash));
                assert_eq!(bucket.find(tag(hash), |other| other.key() == entry.key()), Some(i));
            }
            assert!(bucket.entries.len() <= self.widest);
            len += bucket.entries.len();
            slots += bucket.entries.capacity();
        }
        assert_eq!((len, slots), (self.len, self.slots));
        assert!(self.len <= self.buckets * LOAD);
        assert!(self.buckets == 1 || self.len >= self.buckets * LOAD / 2);
        assert_eq!(self.segments.len(), self.buckets.div_ceil(SEGMENT));
    }

    /// The bucket of a hash: invariant 1.
    #[inline]
    fn locate(&self, hash: u64) -> usize {
        let at = hash as usize & self.mask;
        if at < self.buckets { at } else { at & (self.mask / 2) }
    }

    /// How many low bits of a hash this bucket's entries have in common.
    fn depth(&self, bucket: usize) -> u32 {
        let high_bit = self.mask / 2 + 1;
        let unsplit = bucket < high_bit && bucket + high_bit >= self.buckets;
        self.mask.count_ones() - u32::from(unsplit && self.buckets > 1)
    }

    fn set_buckets(&mut self, buckets: usize) {
        self.buckets = buckets;
        self.mask = buckets.next_power_of_two() - 1;
    }

    #[inline]
    fn bucket(&self, at: usize) -> &Bucket<E> {
        &self.segments[at / SEGMENT][at % SEGMENT]
    }

    /// Changes a bucket and keeps the account of slots and of the widest bucket.
    fn edit<R>(&mut self, at: usize, change: impl FnOnce(&mut Bucket<E>) -> R) -> R {
        let bucket = bucket_mut(&mut self.segments, at);
        let before = bucket.entries.capacity();
        let result = change(bucket);
        self.slots = self.slots + bucket.entries.capacity() - before;
        self.widest = self.widest.max(bucket.entries.len());
        result
    }

    /// Adds a bucket and moves into it what belongs there, all from one other.
    fn split_bucket(&mut self) {
        let added = self.buckets;
        self.add_bucket();
        let high_bit = self.mask / 2 + 1;
        let hasher = self.hasher.clone();
        let moved = self.edit(added - high_bit, |bucket| bucket.split(&hasher, high_bit as u64));
        self.edit(added, |bucket| *bucket = moved);
    }

    /// Undoes the last split.
    fn join_bucket(&mut self) {
        let last = self.buckets - 1;
        let high_bit = self.mask / 2 + 1;
        let entries = self.edit(last, |bucket| mem::take(&mut bucket.entries));
        self.set_buckets(last);
        if last.is_multiple_of(SEGMENT) {
            self.segments.pop();
        }
        let hasher = self.hasher.clone();
        self.edit(last - high_bit, |bucket| {
            for entry in entries {
                bucket.push(tag(hasher.hash(entry.key())), entry);
            }
        });
    }

    /// Adds an empty bucket. The first segment starts small and doubles; later ones are whole.
    fn add_bucket(&mut self) {
        let (segment, at) = (self.buckets / SEGMENT, self.buckets % SEGMENT);
        if segment == self.segments.len() {
            let size = if segment == 0 { FIRST_SEGMENT } else { SEGMENT };
            self.segments.push(vec![Bucket::default(); size].into());
        } else if at == self.segments[segment].len() {
            let buckets = Arc::make_mut(&mut self.segments[segment]).iter_mut().map(mem::take);
            let added = (0..at).map(|_| Bucket::default());
            self.segments[segment] = buckets.chain(added).collect();
        }
        self.set_buckets(self.buckets + 1);
    }
}

/// Keeps the capacity, so that a copied bucket leaves invariant 4 as it is.
impl<E: Clone> Clone for Bucket<E> {
    fn clone(&self) -> Self {
        let mut entries = Vec::with_capacity(self.entries.capacity());
        entries.extend_from_slice(&self.entries);
        Self { tags: self.tags, entries }
    }
}

impl<E> Default for Bucket<E> {
    fn default() -> Self {
        Self { tags: [0; TAGS], entries: Vec::new() }
    }
}

impl<E: Keyed> Bucket<E> {
    /// Looks at all tags before it branches: branches that depend on where a tag is could not be
    /// predicted, and would keep the processor from working ahead while memory is slow.
    #[inline]
    fn find(&self, tag: u8, is_it: impl Fn(&E) -> bool) -> Option<usize> {
        // Bit `8 * byte + chunk` stands for the tag `8 * chunk + byte`.
        let mut hits = 0;
        for (chunk, tags) in self.tags.chunks_exact(8).enumerate() {
            hits |= equal_bytes(tags, tag) >> (7 - chunk);
        }
        while hits != 0 {
            let bit = hits.trailing_zeros() as usize;
            let at = bit % 8 * 8 + bit / 8;
            if self.entries.get(at).is_some_and(&is_it) {
                return Some(at);
            }
            hits &= hits - 1;
        }
        (TAGS..self.entries.len()).find(|&at| is_it(&self.entries[at]))
    }

    fn push(&mut self, tag: u8, entry: E) {
        let at = self.entries.len();
        if at == self.entries.capacity() {
            self.entries.reserve_exact(STEP);
        }
        self.entries.push(entry);
        if let Some(slot) = self.tags.get_mut(at) {
            *slot = tag;
        }
    }

    fn remove(&mut self, at: usize, hasher: &KeyHasher) -> E {
        let entry = self.entries.swap_remove(at);
        let last = self.entries.len();
        if last < TAGS {
            self.tags[at] = self.tags[last];
        } else if at < TAGS {
            self.tags[at] = tag(hasher.hash(self.entries[at].key()));
        }
        if self.entries.capacity() > last + 3 * STEP {
            self.entries.shrink_to(last + STEP);
        }
        entry
    }

    /// Takes out the entries whose hash has this bit set.
    fn split(&mut self, hasher: &KeyHasher, bit: u64) -> Self {
        let entries = mem::take(&mut self.entries);
        // A loop of its own, so that the cache misses on the keys overlap.
        let hashes: SmallVec<[u64; 64]> =
            entries.iter().map(|entry| hasher.hash(entry.key())).collect();
        let moving = hashes.iter().filter(|&hash| hash & bit != 0).count();
        let mut moved = Self::default();
        moved.entries.reserve_exact(moving + STEP / 2);
        self.entries.reserve_exact(entries.len() - moving + STEP / 2);
        for (entry, hash) in entries.into_iter().zip(hashes) {
            let bucket = if hash & bit == 0 { &mut *self } else { &mut moved };
            bucket.push(tag(hash), entry);
        }
        moved
    }
}

fn bucket_mut<E: Clone>(segments: &mut [Arc<[Bucket<E>]>], at: usize) -> &mut Bucket<E> {
    &mut Arc::make_mut(&mut segments[at / SEGMENT])[at % SEGMENT]
}

/// The byte of a hash that a bucket keeps: from the end that does not choose the bucket.
#[inline]
fn tag(hash: u64) -> u8 {
    (hash >> 56) as u8
}

/// Compares eight bytes with `byte` at once: the high bit of each that is equal is set.
#[inline]
fn equal_bytes(bytes: &[u8], byte: u8) -> u64 {
    const LOW_SEVEN: u64 = u64::from_ne_bytes([0x7f; 8]);
    let bytes: [u8; 8] = bytes.try_into().expect("chunks are of eight bytes");
    let differences = u64::from_le_bytes(bytes) ^ u64::from_ne_bytes([byte; 8]);
    // Adding carries into the high bit of every byte with any of its low seven bits set.
    !(((differences & LOW_SEVEN) + LOW_SEVEN) | differences | LOW_SEVEN)
}
