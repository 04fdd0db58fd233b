//! Lists: elements in the order they were put.

mod many;

use std::borrow::Cow;
use std::ops::RangeBounds;
use std::time::Duration;

pub use many::Lists;

use super::sorted_set::rank_range;
use super::{Submit, accept};
use crate::data::list::ListEnd;
use crate::engine;
use crate::error::{Error, Result};
use crate::ops::Timeout;
use crate::ops::list::*;
use crate::store::Store;
use crate::value::{ToValue, Value};

/// A list: elements in the order they were put, quick at both ends. A queue, if one end is pushed
/// and the other popped; a stack, if it is the same.
///
/// Elements are counted from the front, from 0; a negative index counts from the back, and -1 is
/// the last. A list that loses its last element is gone from the keyspace.
///
/// Made by [`Store::list`], and by a batch or transaction. Costs are for a list of `n` elements;
/// an index is found in `O(n)`, but by blocks of hundreds.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use larder::Store;
///
/// let store = Store::new();
/// let jobs = store.list("jobs");
/// jobs.push_back("bake")?;
/// jobs.push_back("sweep")?;
///
/// assert_eq!(jobs.pop_front()?.unwrap(), "bake");
/// assert_eq!(jobs.range(..)?, ["sweep"]);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct List<'t, T = Store> {
    pub(super) target: &'t T,
    pub(super) key: &'t [u8],
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

/// Which of the elements that match [`List::positions_with`] answers: all, in their order, unless
/// set otherwise.
///
/// ```
/// use larder::PositionOptions;
///
/// let store = larder::Store::new();
/// let list = store.list("list");
/// list.push_back_many(&["a", "b", "a", "a"])?;
/// let last_two = PositionOptions::new().rank(-1).count(2);
/// assert_eq!(list.positions_with("a", last_two)?, [3, 2]);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct PositionOptions {
    rank: i64,
    count: usize,
    max_len: usize,
}

impl Default for PositionOptions {
    fn default() -> Self {
        Self { rank: 1, count: usize::MAX, max_len: usize::MAX }
    }
}

impl PositionOptions {
    /// All that match, from the first on.
    pub fn new() -> Self {
        Self::default()
    }

    /// The match to begin with (`RANK`): 1 is the first, 2 the second; -1 is the last, and from
    /// there they are looked for towards the front. Zero is refused.
    pub fn rank(self, rank: i64) -> Self {
        Self { rank, ..self }
    }

    /// How many to answer at most (`COUNT`).
    pub fn count(self, count: usize) -> Self {
        Self { count, ..self }
    }

    /// How many elements to look at, at most (`MAXLEN`).
    pub fn max_len(self, max_len: usize) -> Self {
        Self { max_len, ..self }
    }

    fn matches(self) -> Result<Matches> {
        if [0, i64::MIN].contains(&self.rank) {
            return Err(Error::OutOfRange("a rank counts from 1, or from -1 backwards"));
        }
        let clamp = |limit: usize| limit.min(i64::MAX as usize);
        let count = Some(clamp(self.count));
        Ok(Matches { rank: self.rank, count, max_len: clamp(self.max_len) })
    }
}

impl<'t, T: Submit> List<'t, T> {
    pub(crate) fn new(target: &'t T, key: &'t [u8]) -> Self {
        Self { target, key }
    }

    /// Adds an element in front; answers the length of the list then.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the element cannot be encoded, [`Error::WrongType`] if the key holds
    /// something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let recent = store.list("recent");
    /// assert_eq!(recent.push_front("first")?, 1);
    /// assert_eq!(recent.push_front("second")?, 2);
    /// assert_eq!(recent.range(..)?, ["second", "first"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LPUSH")]
    #[inline]
    pub fn push_front(&self, element: impl ToValue) -> T::Answer<usize> {
        let element = accept!(self, element.to_value());
        let elements = Cow::Borrowed(&[&*element][..]);
        self.target.submit(&PushFront { key: self.key, elements }, Ok)
    }

    /// Adds an element at the back; answers the length of the list then.
    ///
    /// Costs and errors are those of [`push_front`](Self::push_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let jobs = store.list("jobs");
    /// assert_eq!(jobs.push_back("bake")?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "RPUSH")]
    #[inline]
    pub fn push_back(&self, element: impl ToValue) -> T::Answer<usize> {
        let element = accept!(self, element.to_value());
        let elements = Cow::Borrowed(&[&*element][..]);
        self.target.submit(&PushBack { key: self.key, elements }, Ok)
    }

    /// Adds several elements in front, one after the other: the last of them becomes the first of
    /// the list. Atomic; answers the length of the list then.
    ///
    /// `O(m)` for `m` elements. Does not block. Errors are those of
    /// [`push_front`](Self::push_front); then nothing has changed.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_front_many(&["a", "b"])?;
    /// assert_eq!(list.range(..)?, ["b", "a"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LPUSH")]
    pub fn push_front_many<V: ToValue>(&self, elements: &[V]) -> T::Answer<usize> {
        let values = accept!(self, values_of(elements));
        self.target.submit(&PushFront { key: self.key, elements: slices(&values) }, Ok)
    }

    /// Adds several elements at the back, in their order. Atomic; answers the length of the list
    /// then.
    ///
    /// Costs and errors are those of [`push_front_many`](Self::push_front_many).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// assert_eq!(list.push_back_many(&["a", "b"])?, 2);
    /// assert_eq!(list.range(..)?, ["a", "b"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "RPUSH")]
    pub fn push_back_many<V: ToValue>(&self, elements: &[V]) -> T::Answer<usize> {
        let values = accept!(self, values_of(elements));
        self.target.submit(&PushBack { key: self.key, elements: slices(&values) }, Ok)
    }

    /// Adds several elements in front, as [`push_front_many`](Self::push_front_many), but only to
    /// a list that exists; otherwise it answers 0.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let followers = store.list("timeline");
    /// assert_eq!(followers.push_front_if_present(&["post"])?, 0);
    /// assert!(followers.is_empty()?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LPUSHX")]
    pub fn push_front_if_present<V: ToValue>(&self, elements: &[V]) -> T::Answer<usize> {
        let values = accept!(self, values_of(elements));
        self.target.submit(&PushFrontIfPresent { key: self.key, elements: slices(&values) }, Ok)
    }

    /// Adds several elements at the back, as [`push_back_many`](Self::push_back_many), but only to
    /// a list that exists; otherwise it answers 0.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back("a")?;
    /// assert_eq!(list.push_back_if_present(&["b", "c"])?, 3);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "RPUSHX")]
    pub fn push_back_if_present<V: ToValue>(&self, elements: &[V]) -> T::Answer<usize> {
        let values = accept!(self, values_of(elements));
        self.target.submit(&PushBackIfPresent { key: self.key, elements: slices(&values) }, Ok)
    }

    /// Takes the first element out of the list; `None` if there is none.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a list.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let jobs = store.list("jobs");
    /// jobs.push_back_many(&["bake", "sweep"])?;
    /// assert_eq!(jobs.pop_front()?.unwrap(), "bake");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LPOP")]
    #[inline]
    pub fn pop_front(&self) -> T::Answer<Option<Value>> {
        let operation = PopFront { key: self.key, count: ElementCount(None) };
        self.target.submit(&operation, |popped| Ok(popped.and_then(|mut one| one.pop())))
    }

    /// Takes the last element out of the list; `None` if there is none.
    ///
    /// Costs and errors are those of [`pop_front`](Self::pop_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let stack = store.list("stack");
    /// stack.push_back_many(&["lower", "upper"])?;
    /// assert_eq!(stack.pop_back()?.unwrap(), "upper");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "RPOP")]
    #[inline]
    pub fn pop_back(&self) -> T::Answer<Option<Value>> {
        let operation = PopBack { key: self.key, count: ElementCount(None) };
        self.target.submit(&operation, |popped| Ok(popped.and_then(|mut one| one.pop())))
    }

    /// Takes up to `count` elements out of the list from the front, the first of them first.
    ///
    /// `O(m)` for `m` elements taken. Does not block. Errors are those of
    /// [`pop_front`](Self::pop_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let jobs = store.list("jobs");
    /// jobs.push_back_many(&["bake", "sweep", "lock up"])?;
    /// assert_eq!(jobs.pop_front_many(2)?, ["bake", "sweep"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LPOP")]
    pub fn pop_front_many(&self, count: usize) -> T::Answer<Vec<Value>> {
        let operation = PopFront { key: self.key, count: element_count(count) };
        self.target.submit(&operation, |popped| Ok(popped.unwrap_or_default()))
    }

    /// Takes up to `count` elements out of the list from the back, the last of them first.
    ///
    /// Costs and errors are those of [`pop_front_many`](Self::pop_front_many).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let stack = store.list("stack");
    /// stack.push_back_many(&["a", "b", "c"])?;
    /// assert_eq!(stack.pop_back_many(2)?, ["c", "b"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "RPOP")]
    pub fn pop_back_many(&self, count: usize) -> T::Answer<Vec<Value>> {
        let operation = PopBack { key: self.key, count: element_count(count) };
        self.target.submit(&operation, |popped| Ok(popped.unwrap_or_default()))
    }

    /// How many elements there are; 0 if the key does not exist.
    ///
    /// `O(1)`. Does not block. Errors are those of [`pop_front`](Self::pop_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert_eq!(store.list("none").len()?, 0);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LLEN")]
    pub fn len(&self) -> T::Answer<usize> {
        self.target.submit(&Length { key: self.key }, Ok)
    }

    /// Whether there is no element, which is to say no list.
    ///
    /// Costs and errors are those of [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert!(store.list("none").is_empty()?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LLEN")]
    pub fn is_empty(&self) -> T::Answer<bool> {
        self.target.submit(&Length { key: self.key }, |length| Ok(length == 0))
    }

    /// The element at an index; `None` if there is none.
    ///
    /// `O(1)` near an end, `O(n)` at worst. Does not block. Errors are those of
    /// [`pop_front`](Self::pop_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back_many(&["a", "b", "c"])?;
    /// assert_eq!(list.get(0)?.unwrap(), "a");
    /// assert_eq!(list.get(-1)?.unwrap(), "c");
    /// assert_eq!(list.get(3)?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LINDEX")]
    pub fn get(&self, index: i64) -> T::Answer<Option<Value>> {
        self.target.submit(&Get { key: self.key, index }, Ok)
    }

    /// Replaces the element at an index.
    ///
    /// `O(1)` near an end, `O(n)` at worst. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if there is no such index, [`Error::NoSuchKey`] if there is no list,
    /// and those of [`push_front`](Self::push_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back_many(&["a", "b"])?;
    /// list.set(-1, "z")?;
    /// assert_eq!(list.range(..)?, ["a", "z"]);
    /// assert!(list.set(2, "y").is_err());
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LSET")]
    pub fn set(&self, index: i64, element: impl ToValue) -> T::Answer<()> {
        let element = accept!(self, element.to_value());
        self.target.submit(&Set { key: self.key, index, element: &element }, Ok)
    }

    /// Inserts an element before the first one that equals `pivot`; answers the length of the
    /// list then, or `None` if there is no such element.
    ///
    /// `O(n)`: elements are looked at up to the pivot. Does not block. Errors are those of
    /// [`push_front`](Self::push_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back_many(&["a", "c"])?;
    /// assert_eq!(list.insert_before("c", "b")?, Some(3));
    /// assert_eq!(list.insert_before("z", "y")?, None);
    /// assert_eq!(list.range(..)?, ["a", "b", "c"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LINSERT")]
    pub fn insert_before(
        &self,
        pivot: impl ToValue,
        element: impl ToValue,
    ) -> T::Answer<Option<usize>> {
        self.insert(Side::Before, &pivot, &element)
    }

    /// Inserts an element behind the first one that equals `pivot`, as
    /// [`insert_before`](Self::insert_before) does before it.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back_many(&["a", "c"])?;
    /// assert_eq!(list.insert_after("a", "b")?, Some(3));
    /// assert_eq!(list.range(..)?, ["a", "b", "c"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LINSERT")]
    pub fn insert_after(
        &self,
        pivot: impl ToValue,
        element: impl ToValue,
    ) -> T::Answer<Option<usize>> {
        self.insert(Side::After, &pivot, &element)
    }

    fn insert(
        &self,
        side: Side,
        pivot: &dyn ToValue,
        element: &dyn ToValue,
    ) -> T::Answer<Option<usize>> {
        let (pivot, element) = (accept!(self, pivot.to_value()), accept!(self, element.to_value()));
        let operation = Insert { key: self.key, side, pivot: &pivot, element: &element };
        self.target.submit(&operation, |inserted| {
            Ok(match inserted {
                Inserted::Length(length) => Some(length),
                Inserted::NoKey | Inserted::NoPivot => None,
            })
        })
    }

    /// The elements of a range of indexes. What is past either end is passed over.
    ///
    /// `O(m)` for `m` elements read, and what it takes to find the first. Does not block. Errors
    /// are those of [`pop_front`](Self::pop_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back_many(&["a", "b", "c", "d"])?;
    /// assert_eq!(list.range(1..3)?, ["b", "c"]);
    /// assert_eq!(list.range(-2..)?, ["c", "d"]);
    /// assert_eq!(list.range(..=-2)?, ["a", "b", "c"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LRANGE")]
    pub fn range(&self, indexes: impl RangeBounds<i64>) -> T::Answer<Vec<Value>> {
        self.target.submit(&GetRange { key: self.key, range: rank_range(&indexes) }, Ok)
    }

    /// Removes all elements that equal one; answers how many there were.
    ///
    /// `O(n)`. Does not block. Errors are those of [`push_front`](Self::push_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back_many(&["a", "b", "a"])?;
    /// assert_eq!(list.remove("a")?, 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LREM")]
    pub fn remove(&self, element: impl ToValue) -> T::Answer<usize> {
        let element = accept!(self, element.to_value());
        self.target.submit(&Remove { key: self.key, count: 0, element: &element }, Ok)
    }

    /// Removes up to `count` elements that equal one, those nearest to `end`; answers how many
    /// there were.
    ///
    /// Costs and errors are those of [`remove`](Self::remove).
    ///
    /// ```
    /// use larder::ListEnd;
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back_many(&["a", "b", "a"])?;
    /// assert_eq!(list.remove_nearest("a", 1, ListEnd::Back)?, 1);
    /// assert_eq!(list.range(..)?, ["a", "b"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LREM")]
    pub fn remove_nearest(
        &self,
        element: impl ToValue,
        count: usize,
        end: ListEnd,
    ) -> T::Answer<usize> {
        let element = accept!(self, element.to_value());
        if count == 0 {
            // To `LREM`, zero is all.
            return self.target.submit(&Length { key: self.key }, |_| Ok(0));
        }
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let signed = match end {
            ListEnd::Front => limit,
            ListEnd::Back => -limit,
        };
        self.target.submit(&Remove { key: self.key, count: signed, element: &element }, Ok)
    }

    /// Removes all elements outside of a range of indexes. If nothing is left, the list is gone.
    ///
    /// `O(m)` for `m` elements removed, which are dropped after the lock is released. Does not
    /// block. Errors are those of [`pop_front`](Self::pop_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let recent = store.list("recent");
    /// recent.push_front_many(&["oldest", "older", "new"])?;
    /// recent.trim(..2)?; // keeps the two newest
    /// assert_eq!(recent.range(..)?, ["new", "older"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LTRIM")]
    pub fn trim(&self, indexes: impl RangeBounds<i64>) -> T::Answer<()> {
        self.target.submit(&Trim { key: self.key, range: rank_range(&indexes) }, Ok)
    }

    /// The index of the first element that equals one; `None` if there is none.
    ///
    /// `O(n)`. Does not block. Errors are those of [`push_front`](Self::push_front).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back_many(&["a", "b", "a"])?;
    /// assert_eq!(list.position("b")?, Some(1));
    /// assert_eq!(list.position("z")?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LPOS")]
    pub fn position(&self, element: impl ToValue) -> T::Answer<Option<usize>> {
        let element = accept!(self, element.to_value());
        let operation = Find { key: self.key, element: &element, matches: Matches::default() };
        self.target.submit(&operation, |found| Ok(found.first().copied()))
    }

    /// The indexes of all elements that equal one.
    ///
    /// Costs and errors are those of [`position`](Self::position).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let list = store.list("list");
    /// list.push_back_many(&["a", "b", "a"])?;
    /// assert_eq!(list.positions("a")?, [0, 2]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LPOS")]
    pub fn positions(&self, element: impl ToValue) -> T::Answer<Vec<usize>> {
        self.positions_with(element, PositionOptions::new())
    }

    /// The indexes of elements that equal one, as the options choose and order them.
    ///
    /// `O(n)`, or the elements that the options let it look at. Does not block. Errors are those
    /// of [`position`](Self::position), and [`Error::OutOfRange`] for a rank of zero.
    #[doc(alias = "LPOS")]
    pub fn positions_with(
        &self,
        element: impl ToValue,
        options: PositionOptions,
    ) -> T::Answer<Vec<usize>> {
        let element = accept!(self, element.to_value());
        let matches = accept!(self, options.matches());
        if options.count == 0 || options.max_len == 0 {
            // To `LPOS`, zero is all.
            return self.target.submit(&Length { key: self.key }, |_| Ok(Vec::new()));
        }
        self.target.submit(&Find { key: self.key, element: &element, matches }, Ok)
    }

    /// Takes the element at the end `from` of this list and adds it to another, or to this one, at
    /// the end `to`, atomically; answers it. `None` if there is none to move.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if one of the keys holds something else than a list.
    ///
    /// ```
    /// use larder::ListEnd::{Back, Front};
    /// # let store = larder::Store::new();
    /// let waiting = store.list("waiting");
    /// waiting.push_back_many(&["bake", "sweep"])?;
    /// assert_eq!(waiting.move_to("doing", Front, Back)?.unwrap(), "bake");
    /// assert_eq!(store.list("doing").range(..)?, ["bake"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LMOVE")]
    #[doc(alias = "RPOPLPUSH")]
    pub fn move_to(
        &self,
        destination: impl AsRef<[u8]>,
        from: ListEnd,
        to: ListEnd,
    ) -> T::Answer<Option<Value>> {
        let destination = destination.as_ref();
        self.target.submit(&Move { route: self.route(destination, from, to) }, Ok)
    }

    fn route<'a>(&self, destination: &'a [u8], from: ListEnd, to: ListEnd) -> Route<'a>
    where
        't: 'a,
    {
        Route { source: self.key, destination, from, to }
    }
}

/// Calls that block, which only a store can do.
impl List<'_, Store> {
    /// Takes the first element out of the list, waiting for one for at most `timeout` (`None`: as
    /// long as it takes). `None` if the time passed.
    ///
    /// Blocks the calling thread. Who has waited longest is served first, before a call that
    /// comes later; a call that gives up loses no element. The time is that of the store's clock.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else at the time of the call.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let store = larder::Store::new();
    /// let jobs = store.list("jobs");
    /// std::thread::scope(|scope| {
    ///     let waiting = scope.spawn(|| jobs.pop_front_blocking(None));
    ///     jobs.push_back("bake")?;
    ///     assert_eq!(waiting.join().unwrap()?.unwrap(), "bake");
    ///     assert_eq!(jobs.pop_front_blocking(Duration::from_millis(5))?, None);
    ///     Ok::<(), larder::Error>(())
    /// })?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BLPOP")]
    pub fn pop_front_blocking(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<Value>> {
        let popped = Lists::new(self.target).pop_front_blocking(&[self.key], timeout)?;
        Ok(popped.map(|(_, element)| element))
    }

    /// Takes the last element out of the list, as
    /// [`pop_front_blocking`](Self::pop_front_blocking) does the first.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("jobs").push_back_many(&["bake", "sweep"])?;
    /// assert_eq!(store.list("jobs").pop_back_blocking(None)?.unwrap(), "sweep");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BRPOP")]
    pub fn pop_back_blocking(&self, timeout: impl Into<Option<Duration>>) -> Result<Option<Value>> {
        let popped = Lists::new(self.target).pop_back_blocking(&[self.key], timeout)?;
        Ok(popped.map(|(_, element)| element))
    }

    /// As [`move_to`](Self::move_to), waiting for an element for at most `timeout` (`None`: as
    /// long as it takes). `None` if the time passed.
    ///
    /// Blocks as [`pop_front_blocking`](Self::pop_front_blocking) does. Who waits for an element
    /// of the destination is served with the one that arrives there.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else at the time of the call, or the
    /// destination when there is an element to move, which then stays.
    ///
    /// ```
    /// use larder::ListEnd::{Back, Front};
    /// # let store = larder::Store::new();
    /// store.list("waiting").push_back("bake")?;
    /// let moved = store.list("waiting").move_to_blocking("doing", Front, Back, None)?;
    /// assert_eq!(moved.unwrap(), "bake");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BLMOVE")]
    #[doc(alias = "BRPOPLPUSH")]
    pub fn move_to_blocking(
        &self,
        destination: impl AsRef<[u8]>,
        from: ListEnd,
        to: ListEnd,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<Value>> {
        let timeout = timeout.into();
        let operation = self.blocking_move(destination.as_ref(), from, to, timeout);
        let (databases, database) = (self.target.databases(), self.target.space().database);
        engine::block::<BlockingMove<'static>>(databases, database, &operation, timeout)
    }

    pub(in crate::handles) fn blocking_move<'a>(
        &'a self,
        destination: &'a [u8],
        from: ListEnd,
        to: ListEnd,
        timeout: Option<Duration>,
    ) -> BlockingMove<'a> {
        BlockingMove { route: self.route(destination, from, to), timeout: Timeout(timeout) }
    }
}

fn values_of<V: ToValue>(elements: &[V]) -> Result<Vec<Cow<'_, [u8]>>> {
    elements.iter().map(ToValue::to_value).collect()
}

fn slices<'a>(values: &'a [Cow<'_, [u8]>]) -> Cow<'a, [&'a [u8]]> {
    values.iter().map(|value| &**value).collect()
}

fn element_count(count: usize) -> ElementCount {
    ElementCount(Some(count.min(i64::MAX as usize)))
}
