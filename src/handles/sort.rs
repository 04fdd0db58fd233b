//! Sorting what a key holds: made by [`Keys::sort`](super::Keys::sort).

use std::borrow::Cow;

use super::Submit;
use crate::ops::sort::{By, Sort, SortInto, Sorting, StoredSorting};
use crate::ops::sorted_set::Limit;
use crate::value::Value;

/// The elements of a list, or the members of a sorted set, in another order: by their value as
/// numbers from the lowest on, unless set otherwise.
///
/// A pattern names a key for each element: its first `*` stands for the element.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// let store = larder::Store::new();
/// store.list("ids").push_back_many(&[2, 10, 1])?;
/// assert_eq!(store.keys().sort("ids").get()?, ["1", "2", "10"]);
///
/// for (id, age, name) in [(1, 40, "ada"), (2, 30, "edsger"), (10, 20, "grace")] {
///     store.kv().set(format!("age:{id}"), age)?;
///     store.kv().set(format!("name:{id}"), name)?;
/// }
/// let youngest = store.keys().sort("ids").by("age:*").limit(2);
/// let names = youngest.look_up(&["#", "name:*"])?;
/// let text = |text: &str| Some(text.into());
/// assert_eq!(names, [text("10"), text("grace"), text("2"), text("edsger")]);
/// # Ok::<(), larder::Error>(())
/// ```
#[must_use = "a query does nothing until it is read or stored"]
pub struct SortQuery<'t, 'k, T> {
    target: &'t T,
    key: &'k [u8],
    by: Option<&'k [u8]>,
    unsorted: bool,
    descending: bool,
    alphabetic: bool,
    offset: usize,
    limit: Option<usize>,
}

impl<'t, 'k, T: Submit> SortQuery<'t, 'k, T> {
    pub(super) fn new(target: &'t T, key: &'k [u8]) -> Self {
        Self {
            target,
            key,
            by: None,
            unsorted: false,
            descending: false,
            alphabetic: false,
            offset: 0,
            limit: None,
        }
    }

    /// By the strings under the keys that a pattern names (`BY`); where there is none, by zero, or
    /// before everything if [`alphabetic`](Self::alphabetic).
    pub fn by<P: AsRef<[u8]> + ?Sized>(self, pattern: &'k P) -> Self {
        let pattern = pattern.as_ref();
        Self { by: Some(pattern), unsorted: !pattern.contains(&b'*'), ..self }
    }

    /// In the order that they have (`BY nosort`).
    pub fn unsorted(self) -> Self {
        Self { by: None, unsorted: true, ..self }
    }

    /// From the highest to the lowest (`DESC`).
    pub fn descending(self) -> Self {
        Self { descending: true, ..self }
    }

    /// As bytes, not as numbers (`ALPHA`).
    pub fn alphabetic(self) -> Self {
        Self { alphabetic: true, ..self }
    }

    /// How many of the sorted elements to pass over.
    pub fn offset(self, offset: usize) -> Self {
        Self { offset, ..self }
    }

    /// How many to answer at most.
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The elements.
    ///
    /// `O(n log n)` for `n` elements, under the locks of the key or, with a pattern, of the whole
    /// database. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`](crate::Error::WrongType) if the key holds what cannot be sorted,
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) if what should be a number is none; with a
    /// pattern, [`Error::DatabaseNotInTransaction`](crate::Error::DatabaseNotInTransaction) in a
    /// transaction.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("words").push_back_many(&["b", "c", "a"])?;
    /// let words = store.keys().sort("words").alphabetic().descending().offset(1).get()?;
    /// assert_eq!(words, ["b", "a"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SORT")]
    #[doc(alias = "SORT_RO")]
    pub fn get(self) -> T::Answer<Vec<Value>> {
        let operation = Sort { of: self.sorting(Cow::Borrowed(&[])) };
        self.target.submit(&operation, |elements| Ok(elements.into_iter().flatten().collect()))
    }

    /// For each element the strings under the keys that these patterns name, `#` for the element
    /// itself (`GET`); all in one list, element after element.
    ///
    /// Costs and errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("ids").push_back_many(&[2, 1])?;
    /// store.kv().set("name:1", "ada")?;
    /// let names = store.keys().sort("ids").look_up(&["name:*"])?;
    /// assert_eq!(names, [Some("ada".into()), None]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SORT")]
    pub fn look_up<P: AsRef<[u8]>>(self, patterns: &[P]) -> T::Answer<Vec<Option<Value>>> {
        let patterns = patterns.iter().map(AsRef::as_ref).collect();
        self.target.submit(&Sort { of: self.sorting(patterns) }, Ok)
    }

    /// Makes a list of what [`look_up`](Self::look_up) answers under another key, as
    /// [`store_into`](Self::store_into) does of the elements; what is missing becomes an empty
    /// element.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("ids").push_back_many(&[2, 1])?;
    /// store.kv().set("name:1", "ada")?;
    /// assert_eq!(store.keys().sort("ids").look_up_into(&["name:*"], "names")?, 2);
    /// assert_eq!(store.list("names").range(..)?, ["ada", ""]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SORT")]
    pub fn look_up_into<P: AsRef<[u8]>>(
        self,
        patterns: &[P],
        destination: impl AsRef<[u8]>,
    ) -> T::Answer<usize> {
        let patterns = patterns.iter().map(AsRef::as_ref).collect();
        let of = StoredSorting { of: self.sorting(patterns), destination: destination.as_ref() };
        self.target.submit(&SortInto { of }, Ok)
    }

    /// Makes a list of the elements under another key, whatever it held, atomically; answers how
    /// many they are. Without any, that key is gone. It may be the sorted key itself.
    ///
    /// Costs and errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.list("words").push_back_many(&["b", "c", "a"])?;
    /// store.keys().sort("words").alphabetic().store_into("words")?;
    /// assert_eq!(store.list("words").range(..)?, ["a", "b", "c"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SORT")]
    pub fn store_into(self, destination: impl AsRef<[u8]>) -> T::Answer<usize> {
        let destination = destination.as_ref();
        let of = StoredSorting { of: self.sorting(Cow::Borrowed(&[])), destination };
        self.target.submit(&SortInto { of }, Ok)
    }

    fn sorting<'a>(&self, get: Cow<'a, [&'a [u8]]>) -> Sorting<'a>
    where
        'k: 'a,
    {
        let clamp = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let limit = (self.offset > 0 || self.limit.is_some())
            .then(|| Limit { offset: clamp(self.offset), count: self.limit.map_or(-1, clamp) });
        let by = match self.by {
            _ if self.unsorted => By::Nothing,
            Some(pattern) => By::Pattern(pattern),
            None => By::Themselves,
        };
        let (descending, alphabetic) = (self.descending, self.alphabetic);
        Sorting { key: self.key, by, limit, get, descending, alphabetic }
    }
}
