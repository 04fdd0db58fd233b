//! Bitmaps: strings as bits.

use std::borrow::Cow;
use std::ops::{Bound, RangeBounds};

use super::sorted_set::rank_range;
use super::{Submit, accept};
use crate::error::Error;
use crate::ops::bitmap::{
    self as op, Bit, BitField, BitOverflow, Combined, Method, Offset, Span, Step, Steps, Unit,
    Where,
};
use crate::store::Store;

/// A bitmap: a string as bits, of which bit 0 is the highest of the first byte.
///
/// What lies behind the end reads as zeros, and writing there makes the string longer, up to
/// 512 MiB. It is an ordinary string: [`Kv`](crate::Kv) reads and writes it too.
///
/// Made by [`Store::bitmap`], and by a batch or transaction. Costs are for a string of `n` bytes.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use larder::Store;
///
/// let store = Store::new();
/// let visits = store.bitmap("visits:monday");
/// visits.set(17, true)?;
/// visits.set(42, true)?;
///
/// assert!(visits.get(42)?);
/// assert_eq!(visits.count()?, 2);
/// assert_eq!(visits.position(true)?, Some(17));
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Bitmap<'t, T = Store> {
    target: &'t T,
    key: &'t [u8],
}

impl<T> Clone for Bitmap<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Bitmap<'_, T> {}

impl<'t, T: Submit> Bitmap<'t, T> {
    pub(crate) fn new(target: &'t T, key: &'t [u8]) -> Self {
        Self { target, key }
    }

    /// Sets a bit to one or zero; answers what it was.
    ///
    /// `O(1)`, and `O(n)` where the string has to grow. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if the offset is 2³² or more, which would be behind 512 MiB,
    /// [`Error::WrongType`] if the key holds something else than a string.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let visits = store.bitmap("visits");
    /// assert!(!visits.set(7, true)?);
    /// assert!(visits.set(7, true)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SETBIT")]
    pub fn set(&self, offset: u64, value: bool) -> T::Answer<bool> {
        let operation = op::SetBit { key: self.key, offset: Offset(offset), value: Bit(value) };
        self.target.submit(&operation, Ok)
    }

    /// A bit.
    ///
    /// `O(1)`. Does not block. Errors are those of [`set`](Self::set).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let visits = store.bitmap("visits");
    /// visits.set(7, true)?;
    /// assert!(visits.get(7)?);
    /// assert!(!visits.get(1_000_000)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "GETBIT")]
    pub fn get(&self, offset: u64) -> T::Answer<bool> {
        self.target.submit(&op::GetBit { key: self.key, offset: Offset(offset) }, Ok)
    }

    /// How many bits are ones.
    ///
    /// `O(n)`, eight bytes at a time. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else than a string.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("text", "foobar")?;
    /// assert_eq!(store.bitmap("text").count()?, 26);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITCOUNT")]
    pub fn count(&self) -> T::Answer<usize> {
        self.target.submit(&op::Count { key: self.key, within: None }, Ok)
    }

    /// How many bits of a range of bytes are ones; negative positions count from the end.
    ///
    /// `O(m)` for `m` bytes. Does not block. Errors are those of [`count`](Self::count).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("text", "foobar")?;
    /// assert_eq!(store.bitmap("text").count_in_bytes(1..=1)?, 6);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITCOUNT")]
    pub fn count_in_bytes(&self, range: impl RangeBounds<i64>) -> T::Answer<usize> {
        let within = Some(span(&range, Unit::Byte));
        self.target.submit(&op::Count { key: self.key, within }, Ok)
    }

    /// How many bits of a range of bits are ones; negative positions count from the end.
    ///
    /// `O(m)` for `m` bits. Does not block. Errors are those of [`count`](Self::count).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("text", "foobar")?;
    /// assert_eq!(store.bitmap("text").count_in_bits(5..=30)?, 17);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITCOUNT")]
    pub fn count_in_bits(&self, range: impl RangeBounds<i64>) -> T::Answer<usize> {
        let within = Some(span(&range, Unit::Bit));
        self.target.submit(&op::Count { key: self.key, within }, Ok)
    }

    /// The first bit that is `value`. A zero is always found, if need be just behind the end.
    ///
    /// `O(n)`, eight bytes at a time. Does not block. Errors are those of [`count`](Self::count).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("bits", [0xff, 0xf0])?;
    /// assert_eq!(store.bitmap("bits").position(false)?, Some(12));
    /// assert_eq!(store.bitmap("absent").position(true)?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITPOS")]
    pub fn position(&self, value: bool) -> T::Answer<Option<u64>> {
        self.first(value, Where::From(0))
    }

    /// The first bit of a range of bytes that is `value`; negative positions count from the end.
    /// The answer counts from the beginning of the string. If the range has no end, and no byte
    /// but of ones, a zero is found just behind the string.
    ///
    /// `O(m)` for `m` bytes. Does not block. Errors are those of [`count`](Self::count).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("bits", [0xff, 0xff, 0x01])?;
    /// let bits = store.bitmap("bits");
    /// assert_eq!(bits.position_in_bytes(false, 0..=1)?, None);
    /// assert_eq!(bits.position_in_bytes(true, 2..)?, Some(23));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITPOS")]
    pub fn position_in_bytes(
        &self,
        value: bool,
        range: impl RangeBounds<i64>,
    ) -> T::Answer<Option<u64>> {
        let Span { start, .. } = span(&range, Unit::Byte);
        self.first(
            value,
            match range.end_bound() {
                Bound::Unbounded => Where::From(start),
                _ => Where::Within(span(&range, Unit::Byte)),
            },
        )
    }

    /// The first bit of a range of bits that is `value`; negative positions count from the end.
    ///
    /// `O(m)` for `m` bits. Does not block. Errors are those of [`count`](Self::count).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("bits", [0x00, 0xff])?;
    /// assert_eq!(store.bitmap("bits").position_in_bits(true, 10..)?, Some(10));
    /// assert_eq!(store.bitmap("bits").position_in_bits(true, 0..8)?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITPOS")]
    pub fn position_in_bits(
        &self,
        value: bool,
        range: impl RangeBounds<i64>,
    ) -> T::Answer<Option<u64>> {
        self.first(value, Where::Within(span(&range, Unit::Bit)))
    }

    /// Makes this string of those bits that are ones in all of `keys`, whatever it held, its
    /// deadline included; answers its length in bytes, which is that of the longest. Without any
    /// byte the key is gone. It may be one of `keys`; one that does not exist is all zeros.
    ///
    /// `O(n k)` for `k` strings of up to `n` bytes. Atomic over all keys. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeys`] without a key, [`Error::WrongType`] if a key holds something else than a
    /// string.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.bitmap("monday").set(3, true)?;
    /// store.bitmap("tuesday").set(3, true)?;
    /// store.bitmap("tuesday").set(5, true)?;
    /// let both = store.bitmap("both");
    /// both.combine_and(&["monday", "tuesday"])?;
    /// assert_eq!(both.count()?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITOP")]
    pub fn combine_and<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<usize> {
        self.combine(Method::And, keys)
    }

    /// Makes this string of those bits that are ones in any of `keys`, as
    /// [`combine_and`](Self::combine_and).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.bitmap("monday").set(3, true)?;
    /// store.bitmap("tuesday").set(5, true)?;
    /// store.bitmap("week").combine_or(&["monday", "tuesday"])?;
    /// assert_eq!(store.bitmap("week").count()?, 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITOP")]
    pub fn combine_or<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<usize> {
        self.combine(Method::Or, keys)
    }

    /// Makes this string of those bits that are ones in an odd number of `keys`, as
    /// [`combine_and`](Self::combine_and).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.bitmap("before").set(3, true)?;
    /// store.bitmap("after").set(5, true)?;
    /// store.bitmap("changed").combine_xor(&["before", "after"])?;
    /// assert_eq!(store.bitmap("changed").count()?, 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITOP")]
    pub fn combine_xor<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<usize> {
        self.combine(Method::Xor, keys)
    }

    /// Makes this string of the bytes of `key` with every bit turned round, as
    /// [`combine_and`](Self::combine_and).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.bitmap("present").set(0, true)?;
    /// store.bitmap("absent").combine_not("present")?;
    /// assert_eq!(store.bitmap("absent").count()?, 7);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITOP")]
    pub fn combine_not(&self, key: impl AsRef<[u8]>) -> T::Answer<usize> {
        self.combine(Method::Not, &[key])
    }

    /// Numbers of a few bits each, to be read and written one after the other and atomically.
    ///
    /// ```
    /// use larder::{BitField, BitOverflow};
    /// # let store = larder::Store::new();
    /// let (level, lives) = (BitField::unsigned(6, 0), BitField::unsigned(2, 6));
    /// let player = store.bitmap("player:1");
    /// let answers = player
    ///     .fields()
    ///     .set(level, 12)
    ///     .overflow(BitOverflow::Saturate)
    ///     .increment(lives, 9)
    ///     .get(level)
    ///     .run()?;
    /// assert_eq!(answers, [Some(0), Some(3), Some(12)]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "BITFIELD")]
    #[doc(alias = "BITFIELD_RO")]
    pub fn fields(&self) -> BitFields<'t, T> {
        BitFields { bitmap: *self, overflow: BitOverflow::default(), steps: Vec::new() }
    }

    fn first(&self, value: bool, place: Where) -> T::Answer<Option<u64>> {
        self.target.submit(&op::Position { key: self.key, value: Bit(value), place }, Ok)
    }

    fn combine<K: AsRef<[u8]>>(&self, method: Method, keys: &[K]) -> T::Answer<usize> {
        let keys: Cow<'_, [&[u8]]> = keys.iter().map(AsRef::as_ref).collect();
        let keys = accept!(self, if keys.is_empty() { Err(Error::NoKeys) } else { Ok(keys) });
        let of = Combined { method, destination: self.key, keys };
        self.target.submit(&op::Combine { of }, Ok)
    }
}

/// The same range with both ends included.
fn span(range: &impl RangeBounds<i64>, unit: Unit) -> Span {
    let ends = rank_range(range);
    Span { start: ends.start, stop: ends.stop, unit }
}

/// Numbers in a bitmap, to be read and written: made by [`Bitmap::fields`].
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
#[must_use = "nothing is read or written until it is run"]
pub struct BitFields<'t, T = Store> {
    bitmap: Bitmap<'t, T>,
    overflow: BitOverflow,
    steps: Vec<Step>,
}

impl<T: Submit> BitFields<'_, T> {
    /// Reads a number.
    pub fn get(self, field: BitField) -> Self {
        self.and(Step::Get(field))
    }

    /// Writes a number, and answers what was there.
    pub fn set(self, field: BitField, number: i64) -> Self {
        let step = Step::Set(field, number, self.overflow);
        self.and(step)
    }

    /// Increments a number, and answers what is there then.
    pub fn increment(self, field: BitField, by: i64) -> Self {
        let step = Step::Increment(field, by, self.overflow);
        self.and(step)
    }

    /// What becomes of numbers that do not fit, from here on; they wrap unless set.
    pub fn overflow(self, overflow: BitOverflow) -> Self {
        Self { overflow, ..self }
    }

    /// Does it all, atomically, and answers a number for each step in order; `None` where one did
    /// not fit and was to [`Fail`](BitOverflow::Fail).
    ///
    /// `O(1)` a step, and `O(n)` where the string has to grow. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] if there is no number of such a width, or if one begins behind 512
    /// MiB, [`Error::TooLarge`] if one that is written ends there, [`Error::WrongType`] if the key
    /// holds something else than a string. Then nothing has changed.
    pub fn run(self) -> T::Answer<Vec<Option<i64>>> {
        let reads = self.steps.iter().map(|step| match step {
            Step::Get(field) => Some(*field),
            Step::Set(..) | Step::Increment(..) => None,
        });
        let Bitmap { target, key } = self.bitmap;
        if let Some(fields) = reads.collect::<Option<Vec<BitField>>>() {
            let fields = op::FieldList(fields.into());
            return target.submit(&op::ReadFields { key, fields }, Ok);
        }
        target.submit(&op::Fields { key, steps: Steps(self.steps.into()) }, Ok)
    }

    fn and(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}
