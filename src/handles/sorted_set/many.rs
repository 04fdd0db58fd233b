//! Operations on several sorted sets.

use std::borrow::Cow;
use std::time::Duration;

use crate::engine;
use crate::error::{Error, Result};
use crate::handles::{Submit, accept};
use crate::ops::sorted_set::{
    self as op, Aggregate, AwaitFrom, BlockingPopMany, BlockingPopMax, BlockingPopMin,
    CountIntersection, CountLimit, Counted, End, Intersection, Members, PopFrom, PopMany, Popped,
    Query, StoreDifference, StoreIntersection, StoreUnion, Union, Weighted,
};
use crate::ops::{Await, Timeout};
use crate::store::Store;
use crate::value::Value;

/// Operations on several sorted sets at once: each is atomic over all its keys.
///
/// Made by [`Store::sorted_sets`], and by a batch or transaction.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use larder::{Aggregate, Store};
///
/// let store = Store::new();
/// store.sorted_set("monday").add_many(&[("ada", 3.0), ("grace", 1.0)])?;
/// store.sorted_set("tuesday").add_many(&[("ada", 2.0)])?;
///
/// let both = store.sorted_sets().union(&["monday", "tuesday"]).get()?;
/// assert_eq!(both, [("grace".into(), 1.0), ("ada".into(), 5.0)]);
///
/// let best = store.sorted_sets().intersection(&["monday", "tuesday"]).aggregate(Aggregate::Max);
/// assert_eq!(best.store_into("best")?, 1);
/// assert_eq!(store.sorted_set("best").score("ada")?, Some(3.0));
/// # Ok::<(), larder::Error>(())
/// ```
pub struct SortedSets<'t, T = Store> {
    pub(in crate::handles) target: &'t T,
}

impl<T> Clone for SortedSets<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SortedSets<'_, T> {}

impl<'t, T: Submit> SortedSets<'t, T> {
    pub(crate) fn new(target: &'t T) -> Self {
        Self { target }
    }

    /// The members that are in any of the sets, to be read or stored.
    #[doc(alias = "ZUNION")]
    #[doc(alias = "ZUNIONSTORE")]
    pub fn union<'k, K: AsRef<[u8]>>(&self, keys: &'k [K]) -> Combination<'t, 'k, T> {
        Combination::new(self.target, Method::Union, keys)
    }

    /// The members that are in all of the sets, to be read or stored.
    #[doc(alias = "ZINTER")]
    #[doc(alias = "ZINTERSTORE")]
    pub fn intersection<'k, K: AsRef<[u8]>>(&self, keys: &'k [K]) -> Combination<'t, 'k, T> {
        Combination::new(self.target, Method::Intersection, keys)
    }

    /// The members of the first set that are in none of the others, to be read or stored.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.sorted_set("all").add_many(&[("ada", 1.0), ("grace", 2.0)])?;
    /// store.sorted_set("seen").add("ada", 9.0)?;
    /// let unseen = store.sorted_sets().difference(&["all", "seen"]).members()?;
    /// assert_eq!(unseen, ["grace"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "ZDIFF")]
    #[doc(alias = "ZDIFFSTORE")]
    pub fn difference<'k, K: AsRef<[u8]>>(&self, keys: &'k [K]) -> Difference<'t, 'k, T> {
        Difference { target: self.target, keys: slices(keys) }
    }

    /// How many members are in all of the sets; counting stops at `limit`, if there is one.
    ///
    /// `O(n k)` for the smallest of `k` sets with `n` members. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeys`] without a key, [`Error::WrongType`] if a key holds something else.
    #[doc(alias = "ZINTERCARD")]
    pub fn count_intersection<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        limit: impl Into<Option<usize>>,
    ) -> T::Answer<usize> {
        let keys = Counted(accept!(self, some(slices(keys))).into());
        let most = limit.into().unwrap_or(i64::MAX as usize);
        // A limit of zero would be none.
        let limit = CountLimit(most.clamp(1, i64::MAX as usize));
        let operation = CountIntersection { keys, limit };
        self.target.submit(&operation, move |count| Ok(count.min(most)))
    }

    /// Takes up to `count` members with the lowest scores out of the first of the sets that has
    /// any; answers its key too. `None` if all are empty.
    ///
    /// `O(m log n)` for `m` members taken. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeys`] without a key, [`Error::OutOfRange`] if `count` is zero,
    /// [`Error::WrongType`] if a key before the first set holds something else.
    #[doc(alias = "ZMPOP")]
    pub fn pop_min<K: AsRef<[u8]>>(&self, keys: &[K], count: usize) -> T::Answer<Option<Popped>> {
        let from = accept!(self, pop_from(keys, End::Min, count));
        self.target.submit(&PopMany { from }, Ok)
    }

    /// Takes up to `count` members with the highest scores, as [`pop_min`](Self::pop_min) does
    /// those with the lowest.
    #[doc(alias = "ZMPOP")]
    pub fn pop_max<K: AsRef<[u8]>>(&self, keys: &[K], count: usize) -> T::Answer<Option<Popped>> {
        let from = accept!(self, pop_from(keys, End::Max, count));
        self.target.submit(&PopMany { from }, Ok)
    }
}

/// Calls that block, which only a store can do.
impl SortedSets<'_, Store> {
    /// Takes the member with the lowest score out of the first of the sets that has any, waiting
    /// for at most `timeout` (`None`: as long as it takes) until one does. Answers the key, the
    /// member and its score; `None` if the time passed.
    ///
    /// Blocks the calling thread. Who has waited longest is served first; a call that gives up
    /// loses no member. The time is that of the store's clock.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeys`] without a key, [`Error::WrongType`] if at the time of the call a key
    /// before the first set holds something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.sorted_set("low").add("job", 1.0)?;
    /// let popped = store.sorted_sets().pop_min_blocking(&["high", "low"], None)?;
    /// assert_eq!(popped, Some(("low".into(), "job".into(), 1.0)));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BZPOPMIN")]
    pub fn pop_min_blocking<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<(Value, Value, f64)>> {
        let timeout = timeout.into();
        let of = Self::any_of(keys, timeout)?;
        let (databases, database) = (self.target.databases(), self.target.space().database);
        engine::block::<BlockingPopMin<'static>>(
            databases,
            database,
            &BlockingPopMin { of },
            timeout,
        )
    }

    /// Takes the member with the highest score, as [`pop_min_blocking`](Self::pop_min_blocking)
    /// does the one with the lowest.
    #[doc(alias = "BZPOPMAX")]
    pub fn pop_max_blocking<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<(Value, Value, f64)>> {
        let timeout = timeout.into();
        let of = Self::any_of(keys, timeout)?;
        let (databases, database) = (self.target.databases(), self.target.space().database);
        engine::block::<BlockingPopMax<'static>>(
            databases,
            database,
            &BlockingPopMax { of },
            timeout,
        )
    }

    /// As [`pop_min`](Self::pop_min), waiting for at most `timeout` (`None`: as long as it takes)
    /// as [`pop_min_blocking`](Self::pop_min_blocking) does.
    #[doc(alias = "BZMPOP")]
    pub fn pop_min_many_blocking<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<Popped>> {
        let timeout = timeout.into();
        self.pop_many_blocking(&Self::many_of(keys, End::Min, count, timeout)?, timeout)
    }

    /// As [`pop_max`](Self::pop_max), waiting for at most `timeout` (`None`: as long as it takes)
    /// as [`pop_min_blocking`](Self::pop_min_blocking) does.
    #[doc(alias = "BZMPOP")]
    pub fn pop_max_many_blocking<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<Popped>> {
        let timeout = timeout.into();
        self.pop_many_blocking(&Self::many_of(keys, End::Max, count, timeout)?, timeout)
    }

    /// The keys to wait for, of which there must be some.
    pub(in crate::handles) fn any_of<K: AsRef<[u8]>>(
        keys: &[K],
        timeout: Option<Duration>,
    ) -> Result<Await<'_>> {
        Ok(Await { keys: some(slices(keys))?.into(), timeout: Timeout(timeout) })
    }

    /// As [`pop_from`], waiting.
    pub(in crate::handles) fn many_of<K: AsRef<[u8]>>(
        keys: &[K],
        end: End,
        count: usize,
        timeout: Option<Duration>,
    ) -> Result<BlockingPopMany<'_>> {
        let from = pop_from(keys, end, count)?;
        Ok(BlockingPopMany { of: AwaitFrom { timeout: Timeout(timeout), from } })
    }

    fn pop_many_blocking(
        &self,
        operation: &BlockingPopMany<'_>,
        timeout: Option<Duration>,
    ) -> Result<Option<Popped>> {
        let (databases, database) = (self.target.databases(), self.target.space().database);
        engine::block::<BlockingPopMany<'static>>(databases, database, operation, timeout)
    }
}

#[derive(Clone, Copy)]
enum Method {
    Union,
    Intersection,
}

/// A union or intersection of sorted sets: made by [`SortedSets::union`] and
/// [`SortedSets::intersection`].
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
#[must_use = "a combination does nothing until it is read or stored"]
pub struct Combination<'t, 'k, T> {
    target: &'t T,
    method: Method,
    keys: Vec<&'k [u8]>,
    weights: &'k [f64],
    aggregate: Aggregate,
}

impl<'t, 'k, T: Submit> Combination<'t, 'k, T> {
    fn new<K: AsRef<[u8]>>(target: &'t T, method: Method, keys: &'k [K]) -> Self {
        let keys = slices(keys);
        Self { target, method, keys, weights: &[], aggregate: Aggregate::default() }
    }

    /// What the scores of each set are multiplied by, in the order of the keys; one for each.
    /// All 1 unless set. Infinity times zero is taken for zero.
    pub fn weights(self, weights: &'k [f64]) -> Self {
        Self { weights, ..self }
    }

    /// How the scores of a member in several sets become one; they are added unless set.
    /// Opposite infinities add up to zero.
    pub fn aggregate(self, aggregate: Aggregate) -> Self {
        Self { aggregate, ..self }
    }

    /// The members with their scores, in order.
    ///
    /// `O(n + m log m)` for `m` members of a union of `n` in all, `O(n k + m log m)` for an
    /// intersection of `k` sets of which the smallest has `n`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeys`] without a key, [`Error::WrongType`] if a key holds something else than a
    /// sorted set, [`Error::OutOfRange`] unless there is a weight for each key,
    /// [`Error::NotAFloat`] if one is NaN.
    pub fn get(self) -> T::Answer<Vec<(Value, f64)>> {
        self.read(true, |members| Ok(members.scored()))
    }

    /// The members alone, as [`get`](Self::get).
    pub fn members(self) -> T::Answer<Vec<Value>> {
        self.read(false, |members| Ok(members.plain()))
    }

    /// Makes a set of the members under `destination`, whatever it held, atomically; answers how
    /// many they are. Without any, that key is gone. It may be one of the sets combined.
    ///
    /// Costs and errors are those of [`get`](Self::get).
    pub fn store_into(self, destination: impl AsRef<[u8]>) -> T::Answer<usize> {
        let of = accept!(self, self.weighted());
        let destination = destination.as_ref();
        match self.method {
            Method::Union => self.target.submit(&StoreUnion { destination, of }, Ok),
            Method::Intersection => self.target.submit(&StoreIntersection { destination, of }, Ok),
        }
    }

    fn read<R: Send + 'static>(
        self,
        with_scores: bool,
        convert: impl FnOnce(Members) -> Result<R> + Send + 'static,
    ) -> T::Answer<R> {
        let query = Query { of: accept!(self, self.weighted()), with_scores };
        match self.method {
            Method::Union => self.target.submit(&Union { query }, convert),
            Method::Intersection => self.target.submit(&Intersection { query }, convert),
        }
    }

    fn weighted(&self) -> Result<Weighted<'_>> {
        let Self { keys, weights, aggregate, .. } = self;
        if keys.is_empty() {
            return Err(Error::NoKeys);
        }
        if !weights.is_empty() && weights.len() != keys.len() {
            return Err(Error::OutOfRange("there must be one weight for each key"));
        }
        if weights.iter().any(|weight| weight.is_nan()) {
            return Err(Error::NotAFloat);
        }
        let keys = Cow::Borrowed(&keys[..]);
        Ok(Weighted { keys, weights: Cow::Borrowed(weights), aggregate: *aggregate })
    }
}

/// The difference of sorted sets: made by [`SortedSets::difference`].
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
#[must_use = "a difference does nothing until it is read or stored"]
pub struct Difference<'t, 'k, T> {
    target: &'t T,
    keys: Vec<&'k [u8]>,
}

impl<T: Submit> Difference<'_, '_, T> {
    /// The members with their scores in the first set, in order.
    ///
    /// `O(n k + m log m)` for `m` of `n` members left by `k` sets. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeys`] without a key, [`Error::WrongType`] if a key holds something else than a
    /// sorted set.
    pub fn get(self) -> T::Answer<Vec<(Value, f64)>> {
        let of = Counted(accept!(self, some(self.keys)).into());
        let query = Query { of, with_scores: true };
        self.target.submit(&op::Difference { query }, |members| Ok(members.scored()))
    }

    /// The members alone, as [`get`](Self::get).
    pub fn members(self) -> T::Answer<Vec<Value>> {
        let of = Counted(accept!(self, some(self.keys)).into());
        let query = Query { of, with_scores: false };
        self.target.submit(&op::Difference { query }, |members| Ok(members.plain()))
    }

    /// Makes a set of the members under `destination`, whatever it held, atomically; answers how
    /// many they are. Without any, that key is gone. It may be one of the sets themselves.
    ///
    /// Costs and errors are those of [`get`](Self::get).
    pub fn store_into(self, destination: impl AsRef<[u8]>) -> T::Answer<usize> {
        let of = Counted(accept!(self, some(self.keys)).into());
        let destination = destination.as_ref();
        self.target.submit(&StoreDifference { destination, of }, Ok)
    }
}

fn slices<K: AsRef<[u8]>>(keys: &[K]) -> Vec<&[u8]> {
    keys.iter().map(AsRef::as_ref).collect()
}

fn some(keys: Vec<&[u8]>) -> Result<Vec<&[u8]>> {
    if keys.is_empty() { Err(Error::NoKeys) } else { Ok(keys) }
}

fn pop_from<K: AsRef<[u8]>>(keys: &[K], end: End, count: usize) -> Result<PopFrom<'_>> {
    if count == 0 {
        return Err(Error::OutOfRange("count should be greater than 0"));
    }
    let keys = some(slices(keys))?.into();
    Ok(PopFrom { keys, end, count: count.min(i64::MAX as usize) })
}
