//! Strings under keys.

use std::borrow::Cow;
use std::time::Duration;

use super::{Submit, accept};
use crate::error::{Error, Result};
use crate::ops::strings::*;
use crate::value::{FromValue, ToValue, Value};

/// Key-value: strings, with or without a time to live.
///
/// Made by [`Store::kv`](crate::Store::kv), and by a batch or transaction.
#[derive(Clone, Copy)]
pub struct Kv<'t, T = crate::Store> {
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
        let convert = |value: Option<Value>| value.map(V::from_value).transpose();
        self.target.submit(&Get { key: key.as_ref() }, convert)
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
        self.target.submit(&plain_set(key.as_ref(), &value, Expiry::Never), |_| Ok(()))
    }

    /// Sets a key to a value that lives for `time`, to the millisecond.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), and [`Error::InvalidExpire`] if `time` is shorter than a
    /// millisecond or overflows the calendar.
    #[doc(alias = "SETEX")]
    #[doc(alias = "PSETEX")]
    pub fn set_for(
        &self,
        key: impl AsRef<[u8]>,
        value: impl ToValue,
        time: Duration,
    ) -> T::Answer<()> {
        let value = accept!(self, value.to_value());
        let expiry = Expiry::In(accept!(self, positive_millis(time)));
        self.target.submit(&plain_set(key.as_ref(), &value, expiry), |_| Ok(()))
    }

    /// The values of several keys at one instant, in their order. A key that does not hold a
    /// string reads as `None`.
    ///
    /// `O(n)`. Does not block.
    #[doc(alias = "MGET")]
    pub fn get_many<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<Vec<Option<Value>>> {
        let keys: Cow<'_, [&[u8]]> = keys.iter().map(AsRef::as_ref).collect();
        self.target.submit(&GetMany { keys }, Ok)
    }
}

fn plain_set<'a>(key: &'a [u8], value: &'a [u8], expiry: Expiry) -> Set<'a> {
    Set { key, value, options: SetOptions { expiry, ..SetOptions::default() } }
}

/// Whole milliseconds of a time to live.
fn positive_millis(time: Duration) -> Result<i64> {
    i64::try_from(time.as_millis()).ok().filter(|millis| *millis > 0).ok_or(Error::InvalidExpire)
}
