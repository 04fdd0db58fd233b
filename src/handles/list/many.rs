//! Pops from whichever of several lists has something.

use std::time::Duration;

use crate::data::list::ListEnd;
use crate::engine;
use crate::error::{Error, Result};
use crate::handles::{Submit, accept};
use crate::ops::list::{
    AwaitElementsFrom, BlockingPopBack, BlockingPopFront, BlockingPopMany, PopElementsFrom,
    PopMany, PoppedElements,
};
use crate::ops::{Await, Timeout};
use crate::store::Store;
use crate::value::Value;

/// Pops from the first of several lists that has something; each is atomic over all its keys.
///
/// Made by [`Store::lists`], and by a batch or transaction.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use larder::Store;
///
/// let store = Store::new();
/// store.list("low").push_back_many(&["sweep", "dust"])?;
/// let popped = store.lists().pop_front(&["high", "low"], 1)?;
/// assert_eq!(popped, Some(("low".into(), vec!["sweep".into()])));
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Lists<'t, T = Store> {
    pub(in crate::handles) target: &'t T,
}

impl<T> Clone for Lists<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Lists<'_, T> {}

impl<'t, T: Submit> Lists<'t, T> {
    pub(crate) fn new(target: &'t T) -> Self {
        Self { target }
    }

    /// Takes up to `count` elements from the front of the first of the lists that has any, the
    /// first of them first; answers the list's key too. `None` if all are empty.
    ///
    /// `O(k + m)` for `m` elements taken from one of `k` lists. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeys`] without a key, [`Error::OutOfRange`] if `count` is zero,
    /// [`Error::WrongType`] if a key before the first list holds something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("b").push_back_many(&["1", "2", "3"])?;
    /// let (key, elements) = store.lists().pop_front(&["a", "b"], 2)?.unwrap();
    /// assert_eq!((key, elements), ("b".into(), vec!["1".into(), "2".into()]));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LMPOP")]
    pub fn pop_front<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
    ) -> T::Answer<Option<PoppedElements>> {
        let from = accept!(self, pop_from(keys, ListEnd::Front, count));
        self.target.submit(&PopMany { from }, Ok)
    }

    /// Takes up to `count` elements from the back, the last of them first, as
    /// [`pop_front`](Self::pop_front) does from the front.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("b").push_back_many(&["1", "2", "3"])?;
    /// let (_, elements) = store.lists().pop_back(&["a", "b"], 2)?.unwrap();
    /// assert_eq!(elements, ["3", "2"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LMPOP")]
    pub fn pop_back<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
    ) -> T::Answer<Option<PoppedElements>> {
        let from = accept!(self, pop_from(keys, ListEnd::Back, count));
        self.target.submit(&PopMany { from }, Ok)
    }
}

/// Calls that block, which only a store can do.
impl Lists<'_, Store> {
    /// Takes the first element of the first of the lists that has any, waiting for at most
    /// `timeout` (`None`: as long as it takes) until one does. Answers the key and the element;
    /// `None` if the time passed.
    ///
    /// Blocks the calling thread. Who has waited longest is served first; a call that gives up
    /// loses no element. The time is that of the store's clock.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeys`] without a key, [`Error::WrongType`] if at the time of the call a key
    /// before the first list holds something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("low").push_back("sweep")?;
    /// let popped = store.lists().pop_front_blocking(&["high", "low"], None)?;
    /// assert_eq!(popped, Some(("low".into(), "sweep".into())));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BLPOP")]
    pub fn pop_front_blocking<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<(Value, Value)>> {
        let timeout = timeout.into();
        let operation = BlockingPopFront { of: Self::any_of(keys, timeout)? };
        let (databases, database) = (self.target.databases(), self.target.space().database);
        engine::block::<BlockingPopFront<'static>>(databases, database, &operation, timeout)
    }

    /// Takes the last element, as [`pop_front_blocking`](Self::pop_front_blocking) does the first.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("low").push_back_many(&["sweep", "dust"])?;
    /// let popped = store.lists().pop_back_blocking(&["high", "low"], None)?;
    /// assert_eq!(popped, Some(("low".into(), "dust".into())));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BRPOP")]
    pub fn pop_back_blocking<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<(Value, Value)>> {
        let timeout = timeout.into();
        let operation = BlockingPopBack { of: Self::any_of(keys, timeout)? };
        let (databases, database) = (self.target.databases(), self.target.space().database);
        engine::block::<BlockingPopBack<'static>>(databases, database, &operation, timeout)
    }

    /// As [`pop_front`](Self::pop_front), waiting for at most `timeout` (`None`: as long as it
    /// takes) as [`pop_front_blocking`](Self::pop_front_blocking) does.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("low").push_back_many(&["sweep", "dust"])?;
    /// let (_, elements) = store.lists().pop_front_many_blocking(&["low"], 9, None)?.unwrap();
    /// assert_eq!(elements, ["sweep", "dust"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BLMPOP")]
    pub fn pop_front_many_blocking<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<PoppedElements>> {
        self.pop_many_blocking(keys, ListEnd::Front, count, timeout.into())
    }

    /// As [`pop_back`](Self::pop_back), waiting for at most `timeout` (`None`: as long as it
    /// takes) as [`pop_front_blocking`](Self::pop_front_blocking) does.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("low").push_back_many(&["sweep", "dust"])?;
    /// let (_, elements) = store.lists().pop_back_many_blocking(&["low"], 9, None)?.unwrap();
    /// assert_eq!(elements, ["dust", "sweep"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BLMPOP")]
    pub fn pop_back_many_blocking<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        count: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<PoppedElements>> {
        self.pop_many_blocking(keys, ListEnd::Back, count, timeout.into())
    }

    fn pop_many_blocking<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        end: ListEnd,
        count: usize,
        timeout: Option<Duration>,
    ) -> Result<Option<PoppedElements>> {
        let operation = Self::many_of(keys, end, count, timeout)?;
        let (databases, database) = (self.target.databases(), self.target.space().database);
        engine::block::<BlockingPopMany<'static>>(databases, database, &operation, timeout)
    }

    /// The keys to wait for, of which there must be some.
    pub(in crate::handles) fn any_of<K: AsRef<[u8]>>(
        keys: &[K],
        timeout: Option<Duration>,
    ) -> Result<Await<'_>> {
        Ok(Await { keys: some(keys)?.into(), timeout: Timeout(timeout) })
    }

    /// As [`pop_from`], waiting.
    pub(in crate::handles) fn many_of<K: AsRef<[u8]>>(
        keys: &[K],
        end: ListEnd,
        count: usize,
        timeout: Option<Duration>,
    ) -> Result<BlockingPopMany<'_>> {
        let from = pop_from(keys, end, count)?;
        Ok(BlockingPopMany { of: AwaitElementsFrom { timeout: Timeout(timeout), from } })
    }
}

fn some<K: AsRef<[u8]>>(keys: &[K]) -> Result<Vec<&[u8]>> {
    if keys.is_empty() {
        return Err(Error::NoKeys);
    }
    Ok(keys.iter().map(AsRef::as_ref).collect())
}

fn pop_from<K: AsRef<[u8]>>(keys: &[K], end: ListEnd, count: usize) -> Result<PopElementsFrom<'_>> {
    if count == 0 {
        return Err(Error::OutOfRange("count should be greater than 0"));
    }
    let keys = some(keys)?.into();
    Ok(PopElementsFrom { keys, end, count: count.min(i64::MAX as usize) })
}
