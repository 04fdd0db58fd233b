//! Values: cheap-clone bytes, and the conversions between them and Rust types.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use crate::block::{Block, Parts};
use crate::error::{Error, Result};
use crate::number;

/// The longest that a key, value, member, field or name may be: what Redis allows an argument.
pub(crate) const MAX_LEN: usize = 512 << 20;

/// [`Error::TooLarge`] for more bytes than a key, value, member, field or name may have.
#[inline]
pub(crate) fn check_len(len: usize) -> Result<()> {
    if len > MAX_LEN { Err(Error::TooLarge) } else { Ok(()) }
}

/// Immutable bytes that are shared, not copied.
///
/// A `Value` is one pointer; a clone adds one to a reference count. Reading from a store clones
/// the value that the store holds, whatever its size. It dereferences to `[u8]`.
///
/// ```
/// use larder::Value;
///
/// let value = Value::from("shelf");
/// assert_eq!(value, "shelf");
/// assert_eq!(&value[..3], b"she");
/// assert_eq!(value.to::<String>()?, "shelf");
/// assert_eq!(String::try_from(value.clone())?, "shelf");
/// assert_eq!(format!("a {value}"), "a shelf");
/// assert_eq!(Vec::from(value), b"shelf");
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone)]
pub struct Value(Block);

impl Value {
    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.value()
    }

    /// The bytes as text, if they are UTF-8.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`] if they are not.
    pub fn as_str(&self) -> Result<&str> {
        std::str::from_utf8(self).map_err(|_| Error::Decode("UTF-8 text"))
    }

    /// The bytes as text for people, with `\u{fffd}` where they are not UTF-8.
    ///
    /// ```
    /// use larder::Value;
    ///
    /// assert_eq!(Value::from(b"ab\xff").to_text(), "ab\u{fffd}");
    /// ```
    pub fn to_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self)
    }

    /// Converts the bytes to any type that implements [`FromValue`].
    ///
    /// # Errors
    ///
    /// [`Error::Decode`], naming what was expected, if the bytes are not such a value.
    pub fn to<T: FromValue>(&self) -> Result<T> {
        T::from_value(self.clone())
    }

    /// The value of a keyspace entry, sharing the entry's block.
    #[inline]
    pub(crate) fn from_block(block: Block) -> Self {
        Self(block)
    }

    /// The bytes that this value takes from the heap, without the allocator's own.
    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.0.heap_size()
    }
}

impl Deref for Value {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.0.value()
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Value {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::from(&b""[..])
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self(Block::new(Parts { value, ..Parts::default() }))
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::from(&value[..])
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::from(value.as_bytes())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::from(&value[..])
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::from(value.as_bytes())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::from(value.as_bytes())
    }
}

impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

/// A copy of the bytes.
impl From<Value> for Vec<u8> {
    fn from(value: Value) -> Self {
        value.to_vec()
    }
}

/// A copy of the text; [`Error::Decode`] if it is not UTF-8.
impl TryFrom<Value> for String {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self> {
        value.to()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Value {}

impl PartialEq<[u8]> for Value {
    fn eq(&self, other: &[u8]) -> bool {
        **self == *other
    }
}

impl PartialEq<&[u8]> for Value {
    fn eq(&self, other: &&[u8]) -> bool {
        **self == **other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Value {
    fn eq(&self, other: &&[u8; N]) -> bool {
        **self == other[..]
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        **self == *other.as_bytes()
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        **self == *other.as_bytes()
    }
}

impl PartialEq<String> for Value {
    fn eq(&self, other: &String) -> bool {
        **self == *other.as_bytes()
    }
}

impl PartialEq<Vec<u8>> for Value {
    fn eq(&self, other: &Vec<u8>) -> bool {
        **self == **other
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(other)
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Shows what [`Value::to_text`] answers: text as it is, `\u{fffd}` where there is none.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text())
    }
}

/// Shows text as text and other bytes escaped.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

/// What can be stored: turned into bytes when an operation is built.
///
/// Text and bytes are stored as they are, integers and floats in decimal as Redis does, so that
/// `increment` works on them. With the feature `serde`, `Json` stores any serialisable type.
///
/// ```
/// use larder::Store;
///
/// let store = Store::new();
/// store.kv().set("text", "a")?;
/// store.kv().set("bytes", vec![0, 255])?;
/// store.kv().set("letter", 'ß')?;
/// store.kv().set("number", 42)?;
/// assert_eq!(store.kv().get_as::<i64>("number")?, Some(42));
/// assert_eq!(store.kv().get("letter")?.unwrap(), String::from("ß"));
/// # Ok::<(), larder::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored as a value",
    note = "wrap serialisable types in `larder::Json` (feature `serde`)"
)]
pub trait ToValue {
    /// The bytes to store; borrowed where they exist already.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the value has no such form.
    fn to_value(&self) -> Result<Cow<'_, [u8]>>;
}

/// What can be read back from a [`Value`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a value",
    note = "wrap deserialisable types in `larder::Json` (feature `serde`)"
)]
pub trait FromValue: Sized {
    /// Converts from the stored bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Decode`], naming what was expected, if the bytes are not such a value.
    fn from_value(value: Value) -> Result<Self>;
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self> {
        Ok(value)
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self> {
        Ok(value.to_vec())
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self> {
        value.as_str().map(Self::from)
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self> {
        match value.as_bytes() {
            b"0" => Ok(false),
            b"1" => Ok(true),
            _ => Err(Error::Decode("a boolean, 0 or 1")),
        }
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(if *self { b"1" } else { b"0" }))
    }
}

macro_rules! bytes_to_value {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Result<Cow<'_, [u8]>> {
                Ok(Cow::Borrowed(self.as_ref()))
            }
        }
    )*};
}

bytes_to_value!([u8], Vec<u8>, Value, Box<[u8]>, Arc<[u8]>, Cow<'_, [u8]>);

macro_rules! text_to_value {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Result<Cow<'_, [u8]>> {
                Ok(Cow::Borrowed(self.as_bytes()))
            }
        }
    )*};
}

text_to_value!(str, String, Box<str>, Arc<str>, Cow<'_, str>);

impl ToValue for char {
    fn to_value(&self) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Owned(self.to_string().into_bytes()))
    }
}

impl<const N: usize> ToValue for [u8; N] {
    fn to_value(&self) -> Result<Cow<'_, [u8]>> {
        Ok(Cow::Borrowed(self))
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Result<Cow<'_, [u8]>> {
        (**self).to_value()
    }
}

macro_rules! integer_value {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Result<Cow<'_, [u8]>> {
                Ok(Cow::Owned(itoa::Buffer::new().format(*self).as_bytes().to_vec()))
            }
        }

        /// In decimal.
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::from(itoa::Buffer::new().format(value))
            }
        }

        impl FromValue for $type {
            fn from_value(value: Value) -> Result<Self> {
                let text = value.as_str().ok();
                let number = text.and_then(|text| text.parse().ok());
                number.ok_or(Error::Decode(concat!("an integer of type ", stringify!($type))))
            }
        }
    )*};
}

integer_value!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

macro_rules! float_value {
    ($($type:ty),*) => {$(
        impl ToValue for $type {
            fn to_value(&self) -> Result<Cow<'_, [u8]>> {
                Ok(Cow::Owned(self.to_string().into_bytes()))
            }
        }

        impl FromValue for $type {
            fn from_value(value: Value) -> Result<Self> {
                let number = number::parse_float(&value).map(|number| number as $type);
                number.ok_or(Error::Decode("a float"))
            }
        }
    )*};
}

float_value!(f32, f64);

/// Any serialisable type, stored as JSON (feature `serde`).
///
/// ```
/// use larder::{Json, Store};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, PartialEq, Debug)]
/// struct Session { user: u64, cart: Vec<String> }
///
/// let store = Store::new();
/// let session = Session { user: 7, cart: vec!["bread".into()] };
/// store.kv().set("session", Json(&session))?;
/// let Json(read) = store.kv().get_as::<Json<Session>>("session")?.unwrap();
/// assert_eq!(read, session);
/// # Ok::<(), larder::Error>(())
/// ```
#[cfg(feature = "serde")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

#[cfg(feature = "serde")]
impl<T: serde::Serialize> ToValue for Json<T> {
    fn to_value(&self) -> Result<Cow<'_, [u8]>> {
        let json = serde_json::to_vec(&self.0);
        json.map(Cow::Owned).map_err(|error| Error::Encode(error.to_string()))
    }
}

#[cfg(feature = "serde")]
impl<T: serde::de::DeserializeOwned> FromValue for Json<T> {
    fn from_value(value: Value) -> Result<Self> {
        let value = serde_json::from_slice(&value);
        value.map(Json).map_err(|_| Error::Decode("JSON of the expected shape"))
    }
}
