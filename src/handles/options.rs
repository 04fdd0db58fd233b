//! What callers may ask of string and key operations, and what these answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};
use crate::keyspace::Kind;
use crate::ops::{counters, dump, keys, scan, strings};
use crate::value::{FromValue, Value};

/// What becomes of a key's deadline when the key is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expiry {
    /// It has none from now on.
    #[default]
    Never,
    /// It stays as it is.
    Keep,
    /// It is so far from now, to the millisecond; at least one.
    In(Duration),
    /// It is at this time. If that has passed, the key is removed.
    At(SystemTime),
}

impl From<Duration> for Expiry {
    fn from(time: Duration) -> Self {
        Self::In(time)
    }
}

impl From<SystemTime> for Expiry {
    fn from(time: SystemTime) -> Self {
        Self::At(time)
    }
}

/// What cannot be said in milliseconds becomes what the operation refuses.
impl From<Expiry> for strings::Expiry {
    fn from(expiry: Expiry) -> Self {
        match expiry {
            Expiry::Never => Self::Never,
            Expiry::Keep => Self::Keep,
            Expiry::In(time) => Self::In(millis(time)),
            Expiry::At(time) => Self::At(unix_millis(time)),
        }
    }
}

/// Whole milliseconds, or as many as there can be.
pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Unix milliseconds; negative before 1970.
pub(super) fn unix_millis(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since),
        Err(before) => -millis(before.duration()),
    }
}

/// How [`Kv::set_with`](crate::Kv::set_with) sets a key. Without options it sets the key
/// whatever it held, to live for ever.
///
/// ```
/// use std::time::Duration;
/// use larder::{SetOptions, Store};
///
/// let store = Store::new();
/// let lock = SetOptions::new().if_absent().expires_in(Duration::from_secs(30));
/// assert!(store.kv().set_with("lock", "me", lock)?);
/// assert!(!store.kv().set_with("lock", "you", lock)?);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SetOptions<'a> {
    condition: strings::Condition<'a>,
    expiry: Expiry,
}

impl<'a> SetOptions<'a> {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only if the key does not exist (`NX`). A later condition replaces an earlier one.
    pub fn if_absent(self) -> Self {
        Self { condition: strings::Condition::IfAbsent, ..self }
    }

    /// Only if the key exists (`XX`).
    pub fn if_present(self) -> Self {
        Self { condition: strings::Condition::IfPresent, ..self }
    }

    /// Only if the key holds this string (`IFEQ`): compare and set.
    pub fn if_equal(self, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { condition: strings::Condition::IfEqual(value.as_ref()), ..self }
    }

    /// Only if the key does not hold this string (`IFNE`), and so if it does not exist.
    pub fn if_not_equal(self, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { condition: strings::Condition::IfNotEqual(value.as_ref()), ..self }
    }

    /// What becomes of the deadline: an [`Expiry`], a `Duration` from now or a `SystemTime`.
    pub fn expiry(self, expiry: impl Into<Expiry>) -> Self {
        Self { expiry: expiry.into(), ..self }
    }

    /// The key lives for `time` (`EX`, `PX`).
    pub fn expires_in(self, time: Duration) -> Self {
        self.expiry(time)
    }

    /// The key lives until `time` (`EXAT`, `PXAT`).
    pub fn expires_at(self, time: SystemTime) -> Self {
        self.expiry(time)
    }

    /// The deadline that the key has stays (`KEEPTTL`).
    pub fn keep_expiry(self) -> Self {
        self.expiry(Expiry::Keep)
    }

    pub(super) fn into_operation(self, get: bool) -> strings::SetOptions<'a> {
        strings::SetOptions { condition: self.condition, expiry: self.expiry.into(), get }
    }
}

/// When [`Kv::delete_if`](crate::Kv::delete_if) removes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeleteIf<'a> {
    /// If it holds this string.
    Equal(&'a [u8]),
    /// If it holds another string.
    NotEqual(&'a [u8]),
}

impl<'a> From<DeleteIf<'a>> for strings::DeleteCondition<'a> {
    fn from(condition: DeleteIf<'a>) -> Self {
        match condition {
            DeleteIf::Equal(value) => Self::IfEqual(value),
            DeleteIf::NotEqual(value) => Self::IfNotEqual(value),
        }
    }
}

/// How [`Kv::increment_with`](crate::Kv::increment_with) adds to a number, an `i64` or an `f64`.
///
/// A sum outside the bounds (or the type's range) is not stored, unless
/// [`saturate`](Self::saturate) says to store the bound instead.
///
/// ```
/// use std::time::Duration;
/// use larder::{Increment, Store};
///
/// // At most two requests a minute, counted from the first.
/// let store = Store::new();
/// let request = Increment::by(1).at_most(2).first_expires_in(Duration::from_secs(60));
/// let allowed = || store.kv().increment_with("client", request).map(|done| done.applied == 1);
/// assert!(allowed()? && allowed()?);
/// assert!(!allowed()?);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Increment<N> {
    by: N,
    lower: Option<N>,
    upper: Option<N>,
    saturates: bool,
    expiry: Expiry,
    keeps_deadline: bool,
}

impl<N: Number> Increment<N> {
    /// Adds `by`, which may be negative. The deadline stays as it is.
    pub fn by(by: N) -> Self {
        let expiry = Expiry::Keep;
        Self { by, lower: None, upper: None, saturates: false, expiry, keeps_deadline: false }
    }

    /// The sum must not be below `bound` (`LBOUND`).
    pub fn at_least(self, bound: N) -> Self {
        Self { lower: Some(bound), ..self }
    }

    /// The sum must not be above `bound` (`UBOUND`).
    pub fn at_most(self, bound: N) -> Self {
        Self { upper: Some(bound), ..self }
    }

    /// A sum outside the bounds becomes the bound (`SATURATE`).
    pub fn saturate(self) -> Self {
        Self { saturates: true, ..self }
    }

    /// What becomes of the deadline.
    pub fn expiry(self, expiry: impl Into<Expiry>) -> Self {
        Self { expiry: expiry.into(), keeps_deadline: false, ..self }
    }

    /// The key lives for `time` from now (`EX`, `PX`).
    pub fn expires_in(self, time: Duration) -> Self {
        self.expiry(time)
    }

    /// The key lives for `time` from now, unless it has a deadline already (`ENX`).
    pub fn first_expires_in(self, time: Duration) -> Self {
        Self { expiry: Expiry::In(time), keeps_deadline: true, ..self }
    }
}

/// What an increment came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incremented<N> {
    /// The number now.
    pub value: N,
    /// What was added to it; zero if the sum was out of bounds.
    pub applied: N,
}

/// A number that a key can be incremented by: `i64` or `f64`.
///
/// This trait is sealed.
pub trait Number: Amount {}

/// What a [`Number`] can do.
pub(crate) trait Amount: Copy + Send + 'static {
    /// Runs `submit` with the options that say so.
    fn with_options<R>(
        increment: &Increment<Self>,
        submit: impl FnOnce(counters::IncrementOptions<'_>) -> R,
    ) -> R;

    /// The answer, in this type.
    fn of(incremented: counters::Incremented) -> Result<Incremented<Self>>;
}

impl<N> Increment<N> {
    fn options<'a>(&self, amount: counters::Amount<'a>) -> counters::IncrementOptions<'a> {
        counters::IncrementOptions {
            amount,
            saturates: self.saturates,
            renewal: strings::Renewal(self.expiry.into()),
            keeps_deadline: self.keeps_deadline,
        }
    }
}

impl Number for i64 {}

impl Amount for i64 {
    fn with_options<R>(
        increment: &Increment<Self>,
        submit: impl FnOnce(counters::IncrementOptions<'_>) -> R,
    ) -> R {
        let Increment { by, lower, upper, .. } = *increment;
        submit(increment.options(counters::Amount::Integer { by, lower, upper }))
    }

    fn of(incremented: counters::Incremented) -> Result<Incremented<Self>> {
        match incremented {
            counters::Incremented::Integer(value, applied) => Ok(Incremented { value, applied }),
            counters::Incremented::Float(value, applied) => {
                Ok(Incremented { value: value.to()?, applied: applied.to()? })
            }
        }
    }
}

impl Number for f64 {}

impl Amount for f64 {
    fn with_options<R>(
        increment: &Increment<Self>,
        submit: impl FnOnce(counters::IncrementOptions<'_>) -> R,
    ) -> R {
        let by = increment.by.to_string();
        let [lower, upper] =
            [increment.lower, increment.upper].map(|bound| bound.map(|bound| bound.to_string()));
        let amount = counters::Amount::Float {
            by: by.as_bytes(),
            lower: lower.as_deref().map(str::as_bytes),
            upper: upper.as_deref().map(str::as_bytes),
        };
        submit(increment.options(amount))
    }

    fn of(incremented: counters::Incremented) -> Result<Incremented<Self>> {
        match incremented {
            counters::Incremented::Integer(value, applied) => {
                Ok(Incremented { value: value as f64, applied: applied as f64 })
            }
            counters::Incremented::Float(value, applied) => {
                Ok(Incremented { value: value.to()?, applied: applied.to()? })
            }
        }
    }
}

/// When [`Keys::expire_if`](crate::Keys::expire_if) gives a key a deadline, by the one that it has.
///
/// A key without a deadline counts as one with the latest of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExpireIf {
    /// If it has none (`NX`).
    None,
    /// If it has one (`XX`).
    Any,
    /// If the new one is later than the one it has (`GT`).
    Later,
    /// If the new one is earlier (`LT`), as it is for a key that has none.
    Earlier,
    /// If it has one and the new one is earlier (`XX LT`).
    EarlierThanAny,
}

impl From<ExpireIf> for keys::ExpireCondition {
    fn from(condition: ExpireIf) -> Self {
        match condition {
            ExpireIf::None => Self::IfNone,
            ExpireIf::Any => Self::IfAny,
            ExpireIf::Later => Self::IfLater,
            ExpireIf::Earlier => Self::IfEarlier,
            ExpireIf::EarlierThanAny => Self::IfAnyAndEarlier,
        }
    }
}

/// How long a key still lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeToLive {
    /// It does not exist.
    NoKey,
    /// It has no deadline.
    Forever,
    /// So long, to the millisecond.
    Left(Duration),
}

impl TimeToLive {
    /// The time left, if the key exists and has a deadline.
    pub fn left(self) -> Option<Duration> {
        if let Self::Left(time) = self { Some(time) } else { None }
    }
}

impl From<keys::Lifetime> for TimeToLive {
    fn from(lifetime: keys::Lifetime) -> Self {
        match lifetime {
            keys::Lifetime::NoKey => Self::NoKey,
            keys::Lifetime::Forever => Self::Forever,
            keys::Lifetime::Millis(left) => {
                Self::Left(Duration::from_millis(left.max(0).unsigned_abs()))
            }
        }
    }
}

/// When a key ceases to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deadline {
    /// It does not exist.
    NoKey,
    /// Never.
    Never,
    /// At this time, to the millisecond.
    At(SystemTime),
}

impl From<keys::Lifetime> for Deadline {
    fn from(lifetime: keys::Lifetime) -> Self {
        match lifetime {
            keys::Lifetime::NoKey => Self::NoKey,
            keys::Lifetime::Forever => Self::Never,
            keys::Lifetime::Millis(unix) => {
                let since = Duration::from_millis(unix.max(0).unsigned_abs());
                // Not every system can tell a time as far off as Redis can.
                UNIX_EPOCH.checked_add(since).map_or(Self::Never, Self::At)
            }
        }
    }
}

/// How [`Keys::copy_with`](crate::Keys::copy_with) copies a key.
///
/// ```
/// use larder::{CopyOptions, Store};
///
/// let store = Store::new();
/// store.kv().set("a", 1)?;
/// store.keys().copy_with("a", "b", CopyOptions::new().database(1).replace())?;
/// assert_eq!(store.database(1)?.kv().get_as::<i64>("b")?, Some(1));
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct CopyOptions(pub(super) keys::CopyOptions);

impl CopyOptions {
    /// To the same database, if the destination is free.
    pub fn new() -> Self {
        Self::default()
    }

    /// To another database (`DB`).
    pub fn database(self, database: u16) -> Self {
        Self(keys::CopyOptions { database: Some(database), ..self.0 })
    }

    /// Whatever the destination holds (`REPLACE`).
    pub fn replace(self) -> Self {
        Self(keys::CopyOptions { replace: true, ..self.0 })
    }
}

/// How [`Keys::restore`](crate::Keys::restore) makes a key.
///
/// ```
/// use std::time::Duration;
/// use larder::{RestoreOptions, Store};
///
/// let store = Store::new();
/// store.kv().set("a", 1)?;
/// let dumped = store.keys().dump("a")?.unwrap();
/// let options = RestoreOptions::new().replace().expire_in(Duration::from_secs(5));
/// store.keys().restore("a", dumped, options)?;
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct RestoreOptions {
    replace: bool,
    expiry: Option<RestoreExpiry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RestoreExpiry {
    In(Duration),
    At(SystemTime),
}

impl RestoreOptions {
    /// Under a key that is free, without a deadline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whatever the key holds (`REPLACE`).
    pub fn replace(self) -> Self {
        Self { replace: true, ..self }
    }

    /// With this time to live.
    pub fn expire_in(self, time: Duration) -> Self {
        Self { expiry: Some(RestoreExpiry::In(time)), ..self }
    }

    /// With this deadline (`ABSTTL`).
    pub fn expire_at(self, time: SystemTime) -> Self {
        Self { expiry: Some(RestoreExpiry::At(time)), ..self }
    }

    pub(super) fn parts(self) -> Result<(dump::RestoreLifetime, dump::RestoreOptions)> {
        let mut options = dump::RestoreOptions { replace: self.replace, ..Default::default() };
        let millis = match self.expiry {
            None => 0,
            Some(RestoreExpiry::In(time)) => match millis(time) {
                0 => return Err(Error::InvalidExpire),
                millis => millis,
            },
            Some(RestoreExpiry::At(time)) => {
                options.absolute = true;
                // Zero would be no deadline.
                unix_millis(time).max(1)
            }
        };
        Ok((dump::RestoreLifetime(millis), options))
    }
}

/// Which keys a scan answers, and in what steps.
///
/// ```
/// use larder::{Kind, ScanOptions, Store};
///
/// let store = Store::new();
/// store.kv().set("user:1", "Ada")?;
/// store.kv().set("page:1", "Home")?;
/// let users = ScanOptions::new().matching("user:*").kind(Kind::String);
/// let users: Result<Vec<_>, _> = store.keys().scan(users).collect();
/// assert_eq!(users?, ["user:1"]);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ScanOptions {
    pattern: Option<Value>,
    count: Option<u64>,
    kind: Option<Kind>,
}

impl ScanOptions {
    /// All keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only keys that match a glob pattern (`MATCH`).
    pub fn matching(self, pattern: impl AsRef<[u8]>) -> Self {
        Self { pattern: Some(Value::from(pattern.as_ref())), ..self }
    }

    /// Only keys of one type (`TYPE`).
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// About how many keys to look at in one step (`COUNT`); 1,000 unless set. It trades the
    /// number of steps for their length, and changes nothing about what is answered.
    pub fn count(self, count: u64) -> Self {
        Self { count: Some(count.clamp(1, i64::MAX as u64)), ..self }
    }

    pub(super) fn operation(&self, cursor: u64) -> scan::Scan<'_> {
        const COUNT: u64 = 1000;
        let options = scan::ScanOptions {
            pattern: self.pattern.as_deref(),
            count: self.count.unwrap_or(COUNT),
            kind: self.kind.map(|kind| kind.name().as_bytes()),
        };
        scan::Scan { cursor, options }
    }
}

/// Some keys of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanPage {
    /// Where the next step goes on; `None` at the end.
    pub cursor: Option<ScanCursor>,
    /// The keys, in no order.
    pub keys: Vec<Value>,
}

/// Where a scan goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScanCursor(pub(super) u64);

impl ScanCursor {
    /// Where a scan begins.
    pub const START: Self = Self(0);
}

impl From<scan::Page> for ScanPage {
    fn from(page: scan::Page) -> Self {
        let cursor = (page.cursor != 0).then_some(ScanCursor(page.cursor));
        Self { cursor, keys: page.keys }
    }
}

/// Converts an optional answer.
pub(super) fn decode<V: FromValue>(value: Option<Value>) -> Result<Option<V>> {
    value.map(V::from_value).transpose()
}
