//! Random numbers to choose with: fast, seeded anew for each use, of no use for secrets.
//!
//! A test that wants the same choices again gives a seed to what its thread runs.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};

use ahash::RandomState;

thread_local! {
    /// What this thread's choices follow from, if a test wants to repeat them.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs `body`, whose choices follow from `seed`.
#[cfg(feature = "session")]
pub(crate) fn with_seed<R>(seed: u64, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<u64>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SEED.set(self.0);
        }
    }
    let _restore = Restore(SEED.replace(Some(seed)));
    body()
}

/// Hashes keys, with secret seeds unless a seed is given.
#[derive(Clone)]
pub(crate) struct KeyHasher(RandomState);

impl KeyHasher {
    pub(crate) fn new() -> Self {
        Self(match SEED.get() {
            None => RandomState::new(),
            Some(_) => {
                let mut random = Random::new();
                let mut key = || random.next();
                RandomState::with_seeds(key(), key(), key(), key())
            }
        })
    }

    /// The hash of a key by itself: nothing follows that its length would have to be told apart
    /// from.
    #[inline]
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}

/// A sequence of random numbers (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let Some(seed) = SEED.get() else { return Self(RandomState::new().hash_one(0_u64)) };
        let mut seeds = Self(seed);
        let first = seeds.next();
        SEED.set(Some(seeds.0));
        Self(first)
    }

    /// The sequence of a seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is not zero; each as likely as any other, but for a bias of
    /// `bound / 2^64`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Up to `count` of the items, every selection as likely as another, in random order unless
    /// they are all.
    pub(crate) fn choose<T>(&mut self, mut items: Vec<T>, count: usize) -> Vec<T> {
        if count < items.len() {
            for at in 0..count {
                let other = at + self.below(items.len() - at);
                items.swap(at, other);
            }
            items.truncate(count);
        }
        items
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
