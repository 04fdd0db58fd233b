//! Strings under keys.

use std::borrow::Cow;
use std::time::Duration;

use super::options::{self, DeleteIf, Expiry, Increment, Incremented, Number, SetOptions};
use super::{Submit, accept};
use crate::error::{Error, Result};
use crate::ops::counters::{self, IncrementFloat, IncrementWith};
use crate::ops::strings::{
    self, Append, Get, GetAndDelete, GetAndExpire, GetMany, GetRange, Length, Renewal, Set,
    SetIfAbsent, SetMany, SetManyIfAbsent, SetOutcome, SetRange,
};
use crate::ops::subsequence::{Common, CommonRun, FindCommon, Wanted};
use crate::store::Store;
use crate::value::{FromValue, ToValue, Value};

/// Key-value: strings, with or without a time to live.
///
/// Made by [`Store::kv`](crate::Store::kv), and by a batch or transaction. For what concerns keys
/// of any type, such as deleting, expiry and existence, see [`Keys`](crate::Keys).
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
#[derive(Clone, Copy)]
pub struct Kv<'t, T = Store> {
    target: &'t T,
}

impl<'t, T: Submit> Kv<'t, T> {
    pub(crate) fn new(target: &'t T) -> Self {
        Self { target }
    }

    /// The value of a key, shared with the store: nothing is copied.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("greeting", "hello")?;
    /// assert_eq!(store.kv().get("greeting")?.unwrap(), "hello");
    /// assert_eq!(store.kv().get("absent")?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "GET")]
    #[inline]
    pub fn get(&self, key: impl AsRef<[u8]>) -> T::Answer<Option<Value>> {
        self.target.submit(&Get { key: key.as_ref() }, Ok)
    }

    /// The value of a key, converted.
    ///
    /// As [`get`](Self::get), and [`Error::Decode`] if the value is not a `V`.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("answer", 42)?;
    /// assert_eq!(store.kv().get_as::<u64>("answer")?, Some(42));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "GET")]
    pub fn get_as<V: FromValue + Send + 'static>(
        &self,
        key: impl AsRef<[u8]>,
    ) -> T::Answer<Option<V>> {
        self.target.submit(&Get { key: key.as_ref() }, options::decode)
    }

    /// The longest common subsequence of two strings: bytes that both have in this order, if not
    /// next to each other. A key that does not exist is as good as an empty string.
    ///
    /// `O(n m)` in the lengths of the strings. Does not block: the strings are shared, and no lock
    /// is held while they are compared, except in a batch or a transaction.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if a key holds something else than a string; [`Error::TooLarge`] for
    /// more than some 134 million pairs of bytes, which is Redis's limit.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("one", "ohmytext"), ("other", "mynewtext")])?;
    /// assert_eq!(store.kv().common_subsequence("one", "other")?, "mytext");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LCS")]
    pub fn common_subsequence(
        &self,
        first: impl AsRef<[u8]>,
        second: impl AsRef<[u8]>,
    ) -> T::Answer<Value> {
        let keys = [first.as_ref(), second.as_ref()];
        self.target.submit(&FindCommon { keys, wanted: Wanted::Bytes }, |common| match common {
            Common::Bytes(bytes) => Ok(bytes),
            _ => Ok(Value::default()),
        })
    }

    /// The length of the longest common subsequence of two strings.
    ///
    /// Cost and errors are those of [`common_subsequence`](Self::common_subsequence).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("one", "ohmytext"), ("other", "mynewtext")])?;
    /// assert_eq!(store.kv().common_subsequence_len("one", "other")?, 6);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LCS")]
    pub fn common_subsequence_len(
        &self,
        first: impl AsRef<[u8]>,
        second: impl AsRef<[u8]>,
    ) -> T::Answer<usize> {
        let keys = [first.as_ref(), second.as_ref()];
        self.target.submit(&FindCommon { keys, wanted: Wanted::Length }, |common| match common {
            Common::Length(length) => Ok(length),
            _ => Ok(0),
        })
    }

    /// Where the longest common subsequence of two strings stands in them: runs of at least
    /// `shortest` bytes, the last one first.
    ///
    /// Cost and errors are those of [`common_subsequence`](Self::common_subsequence).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("one", "ohmytext"), ("other", "mynewtext")])?;
    /// let runs = store.kv().common_runs("one", "other", 3)?;
    /// assert_eq!(runs.len(), 1);
    /// assert_eq!((&runs[0].first, &runs[0].second), (&(4..8), &(5..9)));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "LCS")]
    pub fn common_runs(
        &self,
        first: impl AsRef<[u8]>,
        second: impl AsRef<[u8]>,
        shortest: usize,
    ) -> T::Answer<Vec<CommonRun>> {
        let keys = [first.as_ref(), second.as_ref()];
        let wanted = Wanted::Runs { shortest, with_lengths: false };
        self.target.submit(&FindCommon { keys, wanted }, |common| match common {
            Common::Runs(runs, _) => Ok(runs),
            _ => Ok(Vec::new()),
        })
    }

    /// Sets a key to a value, whatever it held; its time to live is forgotten.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the value cannot be encoded, [`Error::TooLarge`] above 512 MiB.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("greeting", "hello")?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SET")]
    #[inline]
    pub fn set(&self, key: impl AsRef<[u8]>, value: impl ToValue) -> T::Answer<()> {
        let value = accept!(self, value.to_value());
        self.target.submit(&plain_set(key.as_ref(), &value, strings::Expiry::Never), |_| Ok(()))
    }

    /// Sets a key to a value that lives for `time`, to the millisecond.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), and [`Error::InvalidExpire`] if `time` is shorter than a
    /// millisecond or overflows the calendar.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// store.kv().set_for("milk", "fresh", Duration::from_secs(60))?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SETEX")]
    #[doc(alias = "PSETEX")]
    pub fn set_for(
        &self,
        key: impl AsRef<[u8]>,
        value: impl ToValue,
        time: Duration,
    ) -> T::Answer<()> {
        let value = accept!(self, value.to_value());
        let expiry = strings::Expiry::In(options::millis(time));
        self.target.submit(&plain_set(key.as_ref(), &value, expiry), |_| Ok(()))
    }

    /// Sets a key under a condition and with a deadline; answers whether it was set.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set); [`Error::InvalidExpire`] if the deadline is not a positive time or
    /// overflows; [`Error::WrongType`] if the condition compares and the key holds no string.
    ///
    /// ```
    /// use larder::SetOptions;
    /// # let store = larder::Store::new();
    /// store.kv().set("version", "1")?;
    /// assert!(store.kv().set_with("version", "2", SetOptions::new().if_equal("1"))?);
    /// assert!(!store.kv().set_with("version", "3", SetOptions::new().if_equal("1"))?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SET")]
    pub fn set_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl ToValue,
        options: SetOptions<'_>,
    ) -> T::Answer<bool> {
        let value = accept!(self, value.to_value());
        let options = options.into_operation(false);
        let set = Set { key: key.as_ref(), value: &value, options };
        self.target.submit(&set, |outcome| Ok(outcome == SetOutcome::Done(true)))
    }

    /// Sets a key if it does not exist; answers whether it was set.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert!(store.kv().set_if_absent("leader", "me")?);
    /// assert!(!store.kv().set_if_absent("leader", "you")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SETNX")]
    pub fn set_if_absent(&self, key: impl AsRef<[u8]>, value: impl ToValue) -> T::Answer<bool> {
        let value = accept!(self, value.to_value());
        self.target.submit(&SetIfAbsent { key: key.as_ref(), value: &value }, Ok)
    }

    /// Sets a key if it exists, whatever it holds; answers whether it was set.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert!(!store.kv().set_if_present("a", 1)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SET")]
    pub fn set_if_present(&self, key: impl AsRef<[u8]>, value: impl ToValue) -> T::Answer<bool> {
        self.set_with(key, value, SetOptions::new().if_present())
    }

    /// Sets a key and answers what it held. Its time to live is forgotten.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), and [`Error::WrongType`] if the key holds something else than a
    /// string.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert_eq!(store.kv().get_and_set("turn", "white")?, None);
    /// assert_eq!(store.kv().get_and_set("turn", "black")?.unwrap(), "white");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "GETSET")]
    pub fn get_and_set(
        &self,
        key: impl AsRef<[u8]>,
        value: impl ToValue,
    ) -> T::Answer<Option<Value>> {
        self.get_and_set_with(key, value, SetOptions::new())
    }

    /// Sets a key under a condition and with a deadline, and answers what it held, whether or
    /// not it was set.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`set_with`](Self::set_with), and [`Error::WrongType`] if the key holds something else
    /// than a string.
    ///
    /// ```
    /// use larder::SetOptions;
    /// # let store = larder::Store::new();
    /// let first = SetOptions::new().if_absent();
    /// assert_eq!(store.kv().get_and_set_with("leader", "me", first)?, None);
    /// assert_eq!(store.kv().get_and_set_with("leader", "you", first)?.unwrap(), "me");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SET")]
    pub fn get_and_set_with(
        &self,
        key: impl AsRef<[u8]>,
        value: impl ToValue,
        options: SetOptions<'_>,
    ) -> T::Answer<Option<Value>> {
        let value = accept!(self, value.to_value());
        let options = options.into_operation(true);
        let set = Set { key: key.as_ref(), value: &value, options };
        self.target.submit(&set, |outcome| match outcome {
            SetOutcome::Previous(value) => Ok(value),
            SetOutcome::Done(_) => Ok(None),
        })
    }

    /// Removes a key and answers the string that it held.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("token", "secret")?;
    /// assert_eq!(store.kv().get_and_delete("token")?.unwrap(), "secret");
    /// assert_eq!(store.kv().get_and_delete("token")?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "GETDEL")]
    pub fn get_and_delete(&self, key: impl AsRef<[u8]>) -> T::Answer<Option<Value>> {
        self.target.submit(&GetAndDelete { key: key.as_ref() }, Ok)
    }

    /// The value of a key, which gets a new deadline: an [`Expiry`], a `Duration` from now or a
    /// `SystemTime`.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string,
    /// [`Error::InvalidExpire`] if the deadline is not a positive time or overflows.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// store.kv().set("session", "Ada")?;
    /// let session = store.kv().get_and_expire("session", Duration::from_secs(600))?;
    /// assert_eq!(session.unwrap(), "Ada");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "GETEX")]
    pub fn get_and_expire(
        &self,
        key: impl AsRef<[u8]>,
        expiry: impl Into<Expiry>,
    ) -> T::Answer<Option<Value>> {
        let renewal = Renewal(expiry.into().into());
        self.target.submit(&GetAndExpire { key: key.as_ref(), renewal }, Ok)
    }

    /// As [`get_and_expire`](Self::get_and_expire), with the value converted.
    ///
    /// # Errors
    ///
    /// As [`get_and_expire`](Self::get_and_expire), and [`Error::Decode`] or another error of the
    /// conversion if the value is not a `V`; the key has its new deadline even so.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// store.kv().set("visits", 7)?;
    /// let visits = store.kv().get_and_expire_as::<u32>("visits", Duration::from_secs(600))?;
    /// assert_eq!(visits, Some(7));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "GETEX")]
    pub fn get_and_expire_as<V: FromValue + Send + 'static>(
        &self,
        key: impl AsRef<[u8]>,
        expiry: impl Into<Expiry>,
    ) -> T::Answer<Option<V>> {
        let renewal = Renewal(expiry.into().into());
        self.target.submit(&GetAndExpire { key: key.as_ref(), renewal }, options::decode)
    }

    /// Removes a key if it holds a string that is equal to one given, or that is not; answers
    /// whether it was removed.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string.
    ///
    /// ```
    /// use larder::DeleteIf;
    /// # let store = larder::Store::new();
    /// store.kv().set("lock", "mine")?;
    /// assert!(!store.kv().delete_if("lock", DeleteIf::Equal(b"yours"))?);
    /// assert!(store.kv().delete_if("lock", DeleteIf::Equal(b"mine"))?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "DELEX")]
    pub fn delete_if(&self, key: impl AsRef<[u8]>, condition: DeleteIf<'_>) -> T::Answer<bool> {
        let condition = condition.into();
        self.target.submit(&strings::DeleteIf { key: key.as_ref(), condition }, Ok)
    }

    /// Removes a key if it holds this string; answers whether it was removed: how a lock is
    /// released by who holds it, and by nobody whose hold has expired.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::SetOptions;
    /// # let store = larder::Store::new();
    /// let token = "host-7:1234"; // whoever tries has one of their own
    /// let hold = SetOptions::new().if_absent().expires_in(Duration::from_secs(30));
    /// if store.kv().set_with("lock", token, hold)? {
    ///     // ... alone here, for half a minute ...
    ///     assert!(store.kv().delete_if_equal("lock", token)?);
    /// }
    /// assert!(!store.kv().delete_if_equal("lock", token)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "DELEX")]
    pub fn delete_if_equal(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> T::Answer<bool> {
        self.delete_if(key, DeleteIf::Equal(value.as_ref()))
    }

    /// The values of several keys at one instant, in their order. A key that does not hold a
    /// string reads as `None`.
    ///
    /// `O(n)`. Does not block.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// let values = store.kv().get_many(&["a", "b"])?;
    /// assert_eq!(values[0].as_ref().unwrap(), "1");
    /// assert_eq!(values[1], None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "MGET")]
    pub fn get_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<Vec<Option<Value>>> {
        let keys: Cow<'_, [&[u8]]> = keys.iter().map(AsRef::as_ref).collect();
        self.target.submit(&GetMany { keys }, Ok)
    }

    /// As [`get_many`](Self::get_many), with the values converted.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] or another error of the conversion if one of the values is not a `V`.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("a", 1), ("b", 2)])?;
    /// let numbers = store.kv().get_many_as::<i64>(&["a", "b", "c"])?;
    /// assert_eq!(numbers, [Some(1), Some(2), None]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "MGET")]
    pub fn get_many_as<V: FromValue + Send + 'static>(
        &self,
        keys: &[impl AsRef<[u8]>],
    ) -> T::Answer<Vec<Option<V>>> {
        let keys: Cow<'_, [&[u8]]> = keys.iter().map(AsRef::as_ref).collect();
        self.target
            .submit(&GetMany { keys }, |values| values.into_iter().map(options::decode).collect())
    }

    /// Sets several keys at one instant, whatever they held.
    ///
    /// `O(n)`. Atomic. Does not block.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set); nothing is set then.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set_many(&[("a", 1), ("b", 2)])?;
    /// assert_eq!(store.kv().get_as::<i64>("b")?, Some(2));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "MSET")]
    pub fn set_many<K: AsRef<[u8]>, V: ToValue>(&self, pairs: &[(K, V)]) -> T::Answer<()> {
        let encoded = accept!(self, encode(pairs));
        self.target.submit(&SetMany { pairs: borrow(&encoded) }, Ok)
    }

    /// Sets several keys at one instant, if none of them exists; answers whether they were set.
    ///
    /// `O(n)`. Atomic. Does not block.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set); nothing is set then.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert!(store.kv().set_many_if_absent(&[("a", 1), ("b", 2)])?);
    /// assert!(!store.kv().set_many_if_absent(&[("b", 3), ("c", 4)])?);
    /// assert_eq!(store.kv().get("c")?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "MSETNX")]
    pub fn set_many_if_absent<K: AsRef<[u8]>, V: ToValue>(
        &self,
        pairs: &[(K, V)],
    ) -> T::Answer<bool> {
        let encoded = accept!(self, encode(pairs));
        self.target.submit(&SetManyIfAbsent { pairs: borrow(&encoded) }, Ok)
    }

    /// Appends to a string, which is empty if the key does not exist; answers its length.
    ///
    /// `O(n)` in what is appended, amortised. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string,
    /// [`Error::TooLarge`] if the string would exceed 512 MiB.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert_eq!(store.kv().append("log", "one ")?, 4);
    /// assert_eq!(store.kv().append("log", "two")?, 7);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "APPEND")]
    pub fn append(&self, key: impl AsRef<[u8]>, tail: impl AsRef<[u8]>) -> T::Answer<usize> {
        self.target.submit(&Append { key: key.as_ref(), tail: tail.as_ref() }, Ok)
    }

    /// The length of a string; zero if the key does not exist.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("word", "shelf")?;
    /// assert_eq!(store.kv().length("word")?, 5);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "STRLEN")]
    pub fn length(&self, key: impl AsRef<[u8]>) -> T::Answer<usize> {
        self.target.submit(&Length { key: key.as_ref() }, Ok)
    }

    /// Part of a string, from `start` to `end`, both included; negative positions count from the
    /// end. Positions outside the string are moved to its ends.
    ///
    /// `O(n)` in the part. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("word", "bookshelf")?;
    /// assert_eq!(store.kv().range("word", 0, 3)?, "book");
    /// assert_eq!(store.kv().range("word", -5, -1)?, "shelf");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "GETRANGE")]
    #[doc(alias = "SUBSTR")]
    pub fn range(&self, key: impl AsRef<[u8]>, start: i64, end: i64) -> T::Answer<Value> {
        self.target.submit(&GetRange { key: key.as_ref(), start, end }, Ok)
    }

    /// Overwrites part of a string from `offset` on, filling a gap before it with zeros; answers
    /// the string's length.
    ///
    /// `O(n)` in `bytes`, and in the string if it grows or if somebody still holds it. Does not
    /// block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string,
    /// [`Error::TooLarge`] if the string would exceed 512 MiB.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("word", "bookworm")?;
    /// assert_eq!(store.kv().set_range("word", 4, "shelf")?, 9);
    /// assert_eq!(store.kv().get("word")?.unwrap(), "bookshelf");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SETRANGE")]
    pub fn set_range(
        &self,
        key: impl AsRef<[u8]>,
        offset: usize,
        bytes: impl AsRef<[u8]>,
    ) -> T::Answer<usize> {
        let offset = accept!(self, i64::try_from(offset).map_err(|_| Error::TooLarge));
        self.target.submit(&SetRange { key: key.as_ref(), offset, bytes: bytes.as_ref() }, Ok)
    }

    /// Adds to an integer, which is 0 if the key does not exist; answers the sum. The deadline
    /// stays.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string,
    /// [`Error::NotAnInteger`] if the string is not a decimal integer of 64 bits,
    /// [`Error::Overflow`] if the sum is not one.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert_eq!(store.kv().increment("visits", 1)?, 1);
    /// assert_eq!(store.kv().increment("visits", 10)?, 11);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "INCR")]
    #[doc(alias = "INCRBY")]
    #[inline]
    pub fn increment(&self, key: impl AsRef<[u8]>, by: i64) -> T::Answer<i64> {
        self.target.submit(&counters::Increment { key: key.as_ref(), by }, Ok)
    }

    /// Subtracts from an integer: [`increment`](Self::increment) with the opposite sign.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As `increment`.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("stock", 10)?;
    /// assert_eq!(store.kv().decrement("stock", 3)?, 7);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "DECR")]
    #[doc(alias = "DECRBY")]
    #[inline]
    pub fn decrement(&self, key: impl AsRef<[u8]>, by: i64) -> T::Answer<i64> {
        let by = accept!(self, by.checked_neg().ok_or(Error::Overflow));
        self.increment(key, by)
    }

    /// Adds to a float, which is 0 if the key does not exist; answers the sum. The deadline
    /// stays.
    ///
    /// The sum is made and stored with more digits than an `f64` has, as Redis does: 0.1 and 0.2
    /// make 0.3. `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string,
    /// [`Error::NotAFloat`] if the string or `by` is not a float,
    /// [`Error::NotFinite`] if the sum is infinite.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("price", 0.1)?;
    /// assert_eq!(store.kv().increment_float("price", 0.2)?, 0.3);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "INCRBYFLOAT")]
    pub fn increment_float(&self, key: impl AsRef<[u8]>, by: f64) -> T::Answer<f64> {
        let by = by.to_string();
        let increment = IncrementFloat { key: key.as_ref(), by: by.as_bytes() };
        self.target.submit(&increment, |sum| sum.to())
    }

    /// Adds to a number within bounds and sets its deadline, in one step: see [`Increment`].
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`increment`](Self::increment) or [`increment_float`](Self::increment_float);
    /// [`Error::OutOfRange`] if the bounds are crossed or what saturation adds cannot be told;
    /// [`Error::InvalidExpire`] if the deadline is not a positive time or overflows. A sum out
    /// of bounds is no error.
    ///
    /// ```
    /// use larder::Increment;
    /// # let store = larder::Store::new();
    /// store.kv().set("stock", 5)?;
    /// let sold = store.kv().increment_with("stock", Increment::by(-8).at_least(0))?;
    /// assert_eq!((sold.value, sold.applied), (5, 0));
    /// let sold = store.kv().increment_with("stock", Increment::by(-8).at_least(0).saturate())?;
    /// assert_eq!((sold.value, sold.applied), (0, -5));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "INCREX")]
    pub fn increment_with<N: Number>(
        &self,
        key: impl AsRef<[u8]>,
        increment: Increment<N>,
    ) -> T::Answer<Incremented<N>> {
        N::with_options(&increment, |options| {
            self.target.submit(&IncrementWith { key: key.as_ref(), options }, N::of)
        })
    }
}

impl Kv<'_, Store> {
    /// Shows the string of a key to `read` and answers what that makes of it; `None` if the key
    /// does not exist.
    ///
    /// Cheaper than [`get`](Self::get) where several threads read one key, as not even a
    /// reference count is touched. `read` runs under the shared lock of the key's shard: it should
    /// be short, and it must not use the store, which might wait for ever. `O(1)`. Does not
    /// block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("greeting", "hello")?;
    /// let first = store.kv().get_with("greeting", |bytes| bytes.first().copied())?;
    /// assert_eq!(first, Some(Some(b'h')));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "GET")]
    #[inline]
    pub fn get_with<R>(
        &self,
        key: impl AsRef<[u8]>,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>> {
        strings::read_with(self.target.space(), key.as_ref(), read)
    }
}

fn plain_set<'a>(key: &'a [u8], value: &'a [u8], expiry: strings::Expiry) -> Set<'a> {
    Set { key, value, options: strings::SetOptions { expiry, ..Default::default() } }
}

/// Keys with their values as bytes.
type Encoded<'a> = Vec<(&'a [u8], Cow<'a, [u8]>)>;

fn encode<K: AsRef<[u8]>, V: ToValue>(pairs: &[(K, V)]) -> Result<Encoded<'_>> {
    pairs.iter().map(|(key, value)| Ok((key.as_ref(), value.to_value()?))).collect()
}

fn borrow<'a>(pairs: &'a Encoded<'_>) -> Cow<'a, [(&'a [u8], &'a [u8])]> {
    pairs.iter().map(|(key, value)| (*key, &**value)).collect()
}
