//! Hashes: values by the names of their fields.

mod expiry;

use std::borrow::Cow;

pub use expiry::FieldOptions;

use super::options::decode;
use super::{Submit, accept};
use crate::error::{Error, Result};
use crate::ops::hash as op;
use crate::store::Store;
use crate::value::{FromValue, ToValue, Value};

/// A hash: values by the names of their fields.
///
/// A small hash is compact, a few bytes over its contents a field. A field may have a deadline of
/// its own, exact to the millisecond, after which it is not there any more. A hash that loses its
/// last field is gone from the keyspace.
///
/// Made by [`Store::hash`], and by a batch or transaction. Costs are for a hash of `n` fields; one
/// of up to 128, all of them short, is searched from end to end, which is faster than it sounds.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use std::time::Duration;
/// use larder::Store;
///
/// let store = Store::new();
/// let user = store.hash("user:1");
/// user.set("name", "Ada")?;
/// user.set("visits", 1)?;
/// user.increment("visits", 1)?;
/// user.expire("visits", Duration::from_secs(3600))?;
///
/// assert_eq!(user.get("name")?.unwrap(), "Ada");
/// assert_eq!(user.get_as::<u32>("visits")?, Some(2));
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Hash<'t, T = Store> {
    target: &'t T,
    key: &'t [u8],
}

impl<T> Clone for Hash<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Hash<'_, T> {}

impl<'t, T: Submit> Hash<'t, T> {
    pub(crate) fn new(target: &'t T, key: &'t [u8]) -> Self {
        Self { target, key }
    }

    /// Sets a field to a value, whatever it held; its deadline is forgotten. Answers whether the
    /// field is new.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if field or value cannot be encoded, [`Error::TooLarge`] if one is above
    /// 512 MiB, [`Error::WrongType`] if the key holds something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// assert!(user.set("name", "Ada")?);
    /// assert!(!user.set("name", "Ada Lovelace")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HSET")]
    #[inline]
    pub fn set(&self, field: impl ToValue, value: impl ToValue) -> T::Answer<bool> {
        let field = accept!(self, field.to_value());
        let value = accept!(self, value.to_value());
        let pairs = [(&*field, &*value)];
        let set = op::Set { key: self.key, pairs: Cow::Borrowed(&pairs) };
        self.target.submit(&set, |added| Ok(added > 0))
    }

    /// Sets several fields, atomically; answers how many are new.
    ///
    /// `O(m)` for `m` fields. Does not block. Errors are those of [`set`](Self::set); then nothing
    /// has changed.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// assert_eq!(user.set_many(&[("name", "Ada"), ("born", "1815")])?, 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HSET")]
    #[doc(alias = "HMSET")]
    pub fn set_many<F: ToValue, V: ToValue>(&self, fields: &[(F, V)]) -> T::Answer<usize> {
        let pairs = accept!(self, encoded(fields));
        let set = op::Set { key: self.key, pairs: borrowed_pairs(&pairs) };
        self.target.submit(&set, Ok)
    }

    /// Sets a field if it does not exist; answers whether it was set.
    ///
    /// `O(1)`. Does not block. Errors are those of [`set`](Self::set).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// assert!(user.set_if_absent("name", "Ada")?);
    /// assert!(!user.set_if_absent("name", "Grace")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HSETNX")]
    pub fn set_if_absent(&self, field: impl ToValue, value: impl ToValue) -> T::Answer<bool> {
        let field = accept!(self, field.to_value());
        let value = accept!(self, value.to_value());
        self.target.submit(&op::SetIfAbsent { key: self.key, field: &field, value: &value }, Ok)
    }

    /// The value of a field; `None` if there is no such field.
    ///
    /// `O(1)`. A long value is shared with the store, not copied. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the field cannot be encoded, [`Error::WrongType`] if the key holds
    /// something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.get("name")?.unwrap(), "Ada");
    /// assert_eq!(user.get("email")?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HGET")]
    #[inline]
    pub fn get(&self, field: impl ToValue) -> T::Answer<Option<Value>> {
        let field = accept!(self, field.to_value());
        self.target.submit(&op::Get { key: self.key, field: &field }, Ok)
    }

    /// The value of a field, converted.
    ///
    /// As [`get`](Self::get), and [`Error::Decode`] if the value is not a `V`.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("born", 1815)?;
    /// assert_eq!(user.get_as::<u16>("born")?, Some(1815));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HGET")]
    pub fn get_as<V: FromValue + Send + 'static>(
        &self,
        field: impl ToValue,
    ) -> T::Answer<Option<V>> {
        let field = accept!(self, field.to_value());
        self.target.submit(&op::Get { key: self.key, field: &field }, decode)
    }

    /// The values of several fields at one instant, in the order asked for.
    ///
    /// `O(m)` for `m` fields. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.get_many(&["email", "name"])?, [None, Some("Ada".into())]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HMGET")]
    pub fn get_many<F: ToValue>(&self, fields: &[F]) -> T::Answer<Vec<Option<Value>>> {
        let fields = accept!(self, names_of(fields));
        let get = op::GetMany { key: self.key, fields: borrowed(&fields) };
        self.target.submit(&get, Ok)
    }

    /// As [`get_many`](Self::get_many), with the values converted.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] or another error of the conversion if one of the values is not a `V`, and
    /// those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let cart = store.hash("cart:1");
    /// cart.set_many(&[("bread", 2), ("milk", 1)])?;
    /// assert_eq!(cart.get_many_as::<u32>(&["bread", "tea"])?, [Some(2), None]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HMGET")]
    pub fn get_many_as<V: FromValue + Send + 'static>(
        &self,
        fields: &[impl ToValue],
    ) -> T::Answer<Vec<Option<V>>> {
        let fields = accept!(self, names_of(fields));
        let get = op::GetMany { key: self.key, fields: borrowed(&fields) };
        self.target.submit(&get, |values| values.into_iter().map(decode).collect())
    }

    /// All fields with their values, at one instant: in the order in which they came if the hash
    /// is small, else in none.
    ///
    /// `O(n)`; [`iter`](Hash::iter) reads a large hash in steps. Does not block. Errors are those
    /// of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set_many(&[("name", "Ada"), ("born", "1815")])?;
    /// let all = user.get_all()?;
    /// assert_eq!(all, [("name".into(), "Ada".into()), ("born".into(), "1815".into())]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HGETALL")]
    pub fn get_all(&self) -> T::Answer<Vec<(Value, Value)>> {
        self.target.submit(&op::GetAll { key: self.key }, |op::Pairs(pairs)| Ok(pairs))
    }

    /// The names of all fields, at one instant and in the order of [`get_all`](Self::get_all).
    ///
    /// `O(n)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.fields()?, ["name"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HKEYS")]
    pub fn fields(&self) -> T::Answer<Vec<Value>> {
        self.target.submit(&op::Names { key: self.key }, Ok)
    }

    /// The values of all fields, at one instant and in the order of [`get_all`](Self::get_all).
    ///
    /// `O(n)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.values()?, ["Ada"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HVALS")]
    pub fn values(&self) -> T::Answer<Vec<Value>> {
        self.target.submit(&op::Values { key: self.key }, Ok)
    }

    /// The number of fields; 0 if the key does not exist. Fields past their deadlines do not
    /// count.
    ///
    /// `O(1)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.len()?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HLEN")]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> T::Answer<usize> {
        self.target.submit(&op::Length { key: self.key }, Ok)
    }

    /// The length of a field's value in bytes; 0 if there is no such field.
    ///
    /// `O(1)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.value_len("name")?, 3);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HSTRLEN")]
    pub fn value_len(&self, field: impl ToValue) -> T::Answer<usize> {
        let field = accept!(self, field.to_value());
        self.target.submit(&op::ValueLength { key: self.key, field: &field }, Ok)
    }

    /// Whether a field exists.
    ///
    /// `O(1)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert!(user.contains("name")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HEXISTS")]
    pub fn contains(&self, field: impl ToValue) -> T::Answer<bool> {
        let field = accept!(self, field.to_value());
        self.target.submit(&op::Exists { key: self.key, field: &field }, Ok)
    }

    /// Removes a field; answers whether it existed.
    ///
    /// `O(1)`; the value is dropped after the lock is released. Does not block. Errors are those
    /// of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert!(user.remove("name")?);
    /// assert!(!store.keys().exists("user:1")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HDEL")]
    pub fn remove(&self, field: impl ToValue) -> T::Answer<bool> {
        let field = accept!(self, field.to_value());
        let remove = op::Remove { key: self.key, fields: Cow::Borrowed(&[&*field]) };
        self.target.submit(&remove, |removed| Ok(removed > 0))
    }

    /// Removes several fields, atomically; answers how many existed.
    ///
    /// `O(m)` for `m` fields. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set_many(&[("name", "Ada"), ("born", "1815")])?;
    /// assert_eq!(user.remove_many(&["name", "email"])?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HDEL")]
    pub fn remove_many<F: ToValue>(&self, fields: &[F]) -> T::Answer<usize> {
        let fields = accept!(self, names_of(fields));
        self.target.submit(&op::Remove { key: self.key, fields: borrowed(&fields) }, Ok)
    }

    /// Adds to a field that holds an integer, which is 0 if it does not exist; answers the sum.
    /// The field's deadline stays.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NotAnInteger`] if the field holds something else, [`Error::Overflow`] if the sum
    /// does not fit in 64 bits, and those of [`set`](Self::set).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// assert_eq!(user.increment("visits", 1)?, 1);
    /// assert_eq!(user.increment("visits", 41)?, 42);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HINCRBY")]
    pub fn increment(&self, field: impl ToValue, by: i64) -> T::Answer<i64> {
        let field = accept!(self, field.to_value());
        self.target.submit(&op::Increment { key: self.key, field: &field, by }, Ok)
    }

    /// Adds to a field that holds a float, which is 0 if it does not exist; answers the sum. The
    /// field's deadline stays.
    ///
    /// The sum is made and stored with more digits than an `f64` has, as Redis does: 0.1 and 0.2
    /// make 0.3. `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NotAFloat`] if the field holds something else or `by` is NaN,
    /// [`Error::NotFinite`] if `by` or the sum is infinite, and those of [`set`](Self::set).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let cart = store.hash("cart:1");
    /// cart.set("total", 0.1)?;
    /// assert_eq!(cart.increment_float("total", 0.2)?, 0.3);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HINCRBYFLOAT")]
    pub fn increment_float(&self, field: impl ToValue, by: f64) -> T::Answer<f64> {
        let field = accept!(self, field.to_value());
        let by = by.to_string();
        let by = by.as_bytes();
        let increment = op::IncrementFloat { key: self.key, field: &field, by };
        self.target.submit(&increment, |sum| sum.to())
    }

    /// The name of a field chosen at random; `None` if there is none.
    ///
    /// `O(1)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.random_field()?.unwrap(), "name");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HRANDFIELD")]
    pub fn random_field(&self) -> T::Answer<Option<Value>> {
        let operation = op::RandomFields { key: self.key, sample: None };
        self.target.submit(&operation, |sampled| match sampled {
            op::Sampled::One(field) => Ok(field),
            op::Sampled::Many(_) => unreachable!("one field was asked for"),
        })
    }

    /// Up to `count` distinct fields chosen at random, with their values, in no order.
    ///
    /// `O(count)`, or `O(n)` if that is a third of the fields or more. Does not block. Errors are
    /// those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set_many(&[("name", "Ada"), ("born", "1815")])?;
    /// assert_eq!(user.random_fields(1)?.len(), 1);
    /// assert_eq!(user.random_fields(10)?.len(), 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HRANDFIELD")]
    pub fn random_fields(&self, count: usize) -> T::Answer<Vec<(Value, Value)>> {
        self.sample(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// `count` fields chosen at random, each from all, with their values: the same one may be
    /// chosen again. None if the hash is empty; never more than 1,048,576.
    ///
    /// `O(count)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let die = store.hash("die");
    /// die.set_many(&[(1, "one"), (2, "two"), (3, "three")])?;
    /// assert_eq!(die.random_fields_repeating(10)?.len(), 10);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HRANDFIELD")]
    pub fn random_fields_repeating(&self, count: usize) -> T::Answer<Vec<(Value, Value)>> {
        self.sample(i64::try_from(count).map_or(-i64::MAX, |count| -count))
    }

    fn sample(&self, count: i64) -> T::Answer<Vec<(Value, Value)>> {
        let count = count.clamp(-i64::MAX / 2, i64::MAX / 2);
        let sample = Some(op::Sample { count, with_values: true });
        let operation = op::RandomFields { key: self.key, sample };
        self.target.submit(&operation, |sampled| match sampled {
            op::Sampled::Many(fields) => Ok(fields.pairs()),
            op::Sampled::One(_) => unreachable!("several fields were asked for"),
        })
    }
}

/// Walks, which take several steps and so are a store's alone.
impl<'t> Hash<'t, Store> {
    /// All fields with their values, in no order, a few at a time: other calls come in between.
    ///
    /// A field that is in the hash all the while is answered for sure, and may be answered more
    /// than once; one that comes or goes meanwhile may be answered or not.
    ///
    /// `O(n)` in all. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let cart = store.hash("cart:1");
    /// cart.set_many(&[("bread", 2), ("milk", 1)])?;
    /// let items: i64 = cart.iter().map(|field| field.unwrap().1.to::<i64>().unwrap()).sum();
    /// assert_eq!(items, 3);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HSCAN")]
    pub fn iter(&self) -> FieldIter<'t> {
        FieldIter { walk: self.walk(true), page: Vec::new().into_iter() }
    }

    /// All fields whose names match a glob, as [`iter`](Self::iter).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set_many(&[("mail:home", "a@b"), ("mail:work", "c@d"), ("name", "Ada")])?;
    /// assert_eq!(user.iter_matching("mail:*").count(), 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HSCAN")]
    pub fn iter_matching(&self, pattern: impl AsRef<[u8]>) -> FieldIter<'t> {
        let mut fields = self.iter();
        fields.walk.pattern = Some(pattern.as_ref().into());
        fields
    }

    /// The names of all fields without their values, as [`iter`](Self::iter).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.iter_fields().next().unwrap()?, "name");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HSCAN")]
    pub fn iter_fields(&self) -> FieldNameIter<'t> {
        FieldNameIter { walk: self.walk(false), page: Vec::new().into_iter() }
    }

    fn walk(&self, with_values: bool) -> Walk<'t> {
        Walk { hash: *self, pattern: None, cursor: Some(0), with_values }
    }
}

/// Where a walk over a hash stands.
struct Walk<'t> {
    hash: Hash<'t, Store>,
    pattern: Option<Box<[u8]>>,
    /// Where to go on; `None` at the end.
    cursor: Option<u64>,
    with_values: bool,
}

impl Walk<'_> {
    /// What the next step finds.
    fn step(&mut self) -> Option<Result<op::Fields>> {
        /// About how many fields a step looks at.
        const STEP: usize = 100;
        let (pattern, with_values) = (self.pattern.as_deref(), self.with_values);
        let options = op::FieldScan { pattern, count: STEP, with_values };
        let scan = op::ScanFields { key: self.hash.key, cursor: self.cursor.take()?, options };
        let page = self.hash.target.submit(&scan, Ok);
        Some(page.map(|page| {
            self.cursor = (page.cursor != 0).then_some(page.cursor);
            page.fields
        }))
    }
}

/// Fields with their values, read a few at a time: made by [`Hash::iter`].
#[must_use = "a scan does nothing until it is read"]
pub struct FieldIter<'t> {
    walk: Walk<'t>,
    page: std::vec::IntoIter<(Value, Value)>,
}

impl Iterator for FieldIter<'_> {
    type Item = Result<(Value, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(field) = self.page.next() {
                return Some(Ok(field));
            }
            match self.walk.step()? {
                Ok(fields) => self.page = fields.pairs().into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Names of fields, read a few at a time: made by [`Hash::iter_fields`].
#[must_use = "a scan does nothing until it is read"]
pub struct FieldNameIter<'t> {
    walk: Walk<'t>,
    page: std::vec::IntoIter<Value>,
}

impl Iterator for FieldNameIter<'_> {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(field) = self.page.next() {
                return Some(Ok(field));
            }
            match self.walk.step()? {
                Ok(fields) => self.page = fields.names().into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

type Encoded<'a> = Cow<'a, [u8]>;

fn names_of<F: ToValue>(fields: &[F]) -> Result<Vec<Encoded<'_>>> {
    fields.iter().map(ToValue::to_value).collect()
}

fn borrowed<'a>(fields: &'a [Encoded<'_>]) -> Cow<'a, [&'a [u8]]> {
    fields.iter().map(|field| &**field).collect()
}

fn encoded<F: ToValue, V: ToValue>(fields: &[(F, V)]) -> Result<Vec<(Encoded<'_>, Encoded<'_>)>> {
    fields.iter().map(|(field, value)| Ok((field.to_value()?, value.to_value()?))).collect()
}

fn borrowed_pairs<'a>(pairs: &'a [(Encoded<'_>, Encoded<'_>)]) -> op::FieldValues<'a> {
    pairs.iter().map(|(field, value)| (&**field, &**value)).collect()
}

/// The only answer about the only field.
fn single<A>(answers: Vec<A>) -> Result<A> {
    answers.into_iter().next().ok_or_else(|| Error::Protocol(String::from("no answer to a field")))
}
