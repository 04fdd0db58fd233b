//! Deadlines of fields.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::{Hash, borrowed, borrowed_pairs, encoded, names_of, single};
use crate::error::{Error, Result};
use crate::handles::options::{self, Deadline, ExpireIf, Expiry, TimeToLive};
use crate::handles::{Submit, accept};
use crate::ops::hash::{
    self as op, Expired, Expiring, FieldCondition, FieldNames, FieldPairs, FieldRenewal, Persisted,
    SetWith,
};
use crate::ops::keys::ExpireCondition;
use crate::ops::strings;
use crate::value::{ToValue, Value};

/// How [`Hash::set_with`] sets fields. Without options it sets them whatever they held, to live
/// for ever.
///
/// ```
/// use std::time::Duration;
/// use larder::{FieldOptions, Store};
///
/// let store = Store::new();
/// let user = store.hash("user:1");
/// let once = FieldOptions::new().if_absent().expires_in(Duration::from_secs(30));
/// assert!(user.set_with(&[("token", "x")], once)?);
/// assert!(!user.set_with(&[("token", "y")], once)?);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct FieldOptions {
    condition: FieldCondition,
    expiry: Expiry,
}

impl FieldOptions {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only if none of the fields exists (`FNX`). A later condition replaces an earlier one.
    pub fn if_absent(self) -> Self {
        Self { condition: FieldCondition::IfAbsent, ..self }
    }

    /// Only if all of the fields exist (`FXX`).
    pub fn if_present(self) -> Self {
        Self { condition: FieldCondition::IfPresent, ..self }
    }

    /// What becomes of the deadlines: an [`Expiry`], a `Duration` from now or a `SystemTime`.
    pub fn expiry(self, expiry: impl Into<Expiry>) -> Self {
        Self { expiry: expiry.into(), ..self }
    }

    /// The fields live for `time` (`EX`, `PX`).
    pub fn expires_in(self, time: Duration) -> Self {
        self.expiry(time)
    }

    /// The fields live until `time` (`EXAT`, `PXAT`).
    pub fn expires_at(self, time: SystemTime) -> Self {
        self.expiry(time)
    }

    /// The deadlines that the fields have stay (`KEEPTTL`).
    pub fn keep_expiry(self) -> Self {
        self.expiry(Expiry::Keep)
    }
}

impl<T: Submit> Hash<'_, T> {
    /// Sets a field to a value that lives for `time`, to the millisecond; less than one removes
    /// the field.
    ///
    /// `O(log d)` with `d` deadlines in the hash. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidExpire`] if the deadline is past the year 4199, and those of
    /// [`set`](Self::set).
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::{ManualClock, Store};
    ///
    /// let clock = ManualClock::new();
    /// let store = Store::builder().clock(&clock).build();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// user.set_for("code", 1234, Duration::from_secs(60))?;
    /// clock.advance(Duration::from_secs(60));
    /// assert_eq!(user.fields()?, ["name"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HSETEX")]
    pub fn set_for(
        &self,
        field: impl ToValue,
        value: impl ToValue,
        time: Duration,
    ) -> T::Answer<()> {
        let field = accept!(self, field.to_value());
        let value = accept!(self, value.to_value());
        let pairs = FieldPairs(Cow::Owned(vec![(&*field, &*value)]));
        let options = FieldOptions::new().expires_in(time).into();
        self.target.submit(&SetWith { key: self.key, options, pairs }, |_| Ok(()))
    }

    /// Sets fields under a condition and with a deadline, atomically; answers whether they were
    /// set.
    ///
    /// `O(m log d)` for `m` fields, with `d` deadlines in the hash. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidExpire`] if the deadline is past the year 4199, and those of
    /// [`set`](Self::set).
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::FieldOptions;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// let renamed = [("name", "Ada Lovelace"), ("email", "ada@example.com")];
    /// assert!(!user.set_with(&renamed, FieldOptions::new().if_present())?);
    /// let day = FieldOptions::new().expires_in(Duration::from_secs(86_400));
    /// assert!(user.set_with(&renamed, day)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HSETEX")]
    pub fn set_with<F: ToValue, V: ToValue>(
        &self,
        fields: &[(F, V)],
        options: FieldOptions,
    ) -> T::Answer<bool> {
        let pairs = accept!(self, encoded(fields));
        let pairs = FieldPairs(borrowed_pairs(&pairs));
        self.target.submit(&SetWith { key: self.key, options: options.into(), pairs }, Ok)
    }

    /// Lets a field live for `time` from now, to the millisecond; less than one removes it.
    /// Answers whether the field exists.
    ///
    /// `O(log d)` with `d` deadlines in the hash. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidExpire`] if the deadline is past the year 4199, and those of
    /// [`get`](Self::get).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("token", "x")?;
    /// assert!(user.expire("token", Duration::from_secs(60))?);
    /// assert!(!user.expire("email", Duration::from_secs(60))?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HEXPIRE")]
    #[doc(alias = "HPEXPIRE")]
    pub fn expire(&self, field: impl ToValue, time: Duration) -> T::Answer<bool> {
        self.expire_in(&field, time, ExpireCondition::Always)
    }

    /// [`expire`](Self::expire), if the deadline that the field has now allows it; answers whether
    /// it was done.
    ///
    /// `O(log d)`, as `expire`. Does not block.
    ///
    /// # Errors
    ///
    /// As `expire`, and [`Error::Syntax`] for [`ExpireIf::EarlierThanAny`], which fields do not
    /// know.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::ExpireIf;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set_for("token", "x", Duration::from_secs(600))?;
    /// assert!(!user.expire_if("token", Duration::from_secs(60), ExpireIf::Later)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HEXPIRE")]
    #[doc(alias = "HPEXPIRE")]
    pub fn expire_if(
        &self,
        field: impl ToValue,
        time: Duration,
        condition: ExpireIf,
    ) -> T::Answer<bool> {
        let condition = accept!(self, condition_of(condition));
        self.expire_in(&field, time, condition)
    }

    fn expire_in(
        &self,
        field: &impl ToValue,
        time: Duration,
        condition: ExpireCondition,
    ) -> T::Answer<bool> {
        let field = accept!(self, field.to_value());
        let fields = [&*field];
        let expiring = Expiring { condition, fields: Cow::Borrowed(&fields) };
        let millis = options::millis(time);
        let operation = op::ExpireIn { key: self.key, millis, expiring };
        self.target.submit(&operation, |answers| single(answers).map(is_done))
    }

    /// Lets several fields live for `time` from now, atomically; answers which of them exist.
    ///
    /// `O(m log d)` for `m` fields. Does not block. Errors are those of [`expire`](Self::expire).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("token", "x")?;
    /// let exist = user.expire_many(&["token", "email"], Duration::from_secs(60))?;
    /// assert_eq!(exist, [true, false]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HEXPIRE")]
    #[doc(alias = "HPEXPIRE")]
    pub fn expire_many<F: ToValue>(&self, fields: &[F], time: Duration) -> T::Answer<Vec<bool>> {
        let fields = accept!(self, names_of(fields));
        let expiring = Expiring { fields: borrowed(&fields), ..Expiring::default() };
        let millis = options::millis(time);
        let operation = op::ExpireIn { key: self.key, millis, expiring };
        self.target.submit(&operation, |answers| Ok(answers.into_iter().map(is_done).collect()))
    }

    /// Lets a field live until `time`; one that has passed removes it. Answers whether the field
    /// existed.
    ///
    /// `O(log d)`, as [`expire`](Self::expire). Does not block. Errors are those of `expire`.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("token", "x")?;
    /// assert!(user.expire_at("token", SystemTime::UNIX_EPOCH)?);
    /// assert!(!user.contains("token")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HEXPIREAT")]
    #[doc(alias = "HPEXPIREAT")]
    pub fn expire_at(&self, field: impl ToValue, time: SystemTime) -> T::Answer<bool> {
        self.expire_until(&field, time, ExpireCondition::Always)
    }

    /// [`expire_at`](Self::expire_at), if the deadline that the field has now allows it; answers
    /// whether it was done.
    ///
    /// `O(log d)`, as [`expire`](Self::expire). Does not block. Errors are those of
    /// [`expire_if`](Self::expire_if).
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// use larder::ExpireIf;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("token", "x")?;
    /// let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    /// assert!(!user.expire_at_if("token", tomorrow, ExpireIf::Any)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HEXPIREAT")]
    #[doc(alias = "HPEXPIREAT")]
    pub fn expire_at_if(
        &self,
        field: impl ToValue,
        time: SystemTime,
        condition: ExpireIf,
    ) -> T::Answer<bool> {
        let condition = accept!(self, condition_of(condition));
        self.expire_until(&field, time, condition)
    }

    fn expire_until(
        &self,
        field: &impl ToValue,
        time: SystemTime,
        condition: ExpireCondition,
    ) -> T::Answer<bool> {
        let field = accept!(self, field.to_value());
        let fields = [&*field];
        let expiring = Expiring { condition, fields: Cow::Borrowed(&fields) };
        let unix_millis = options::unix_millis(time).max(0);
        let operation = op::ExpireAt { key: self.key, unix_millis, expiring };
        self.target.submit(&operation, |answers| single(answers).map(is_done))
    }

    /// Takes a field's deadline away; answers whether it had one.
    ///
    /// `O(log d)` with `d` deadlines in the hash. Does not block. Errors are those of
    /// [`get`](Self::get).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set_for("token", "x", Duration::from_secs(60))?;
    /// assert!(user.persist("token")?);
    /// assert_eq!(user.time_to_live("token")?, larder::TimeToLive::Forever);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HPERSIST")]
    pub fn persist(&self, field: impl ToValue) -> T::Answer<bool> {
        let field = accept!(self, field.to_value());
        let fields = FieldNames(Cow::Owned(vec![&*field]));
        let is_done = |answer| answer == Persisted::Done;
        let operation = op::Persist { key: self.key, fields };
        self.target.submit(&operation, move |answers| single(answers).map(is_done))
    }

    /// Takes the deadlines of several fields away, atomically; answers which of them had one.
    ///
    /// `O(m log d)` for `m` fields. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// user.set_for("token", "x", Duration::from_secs(60))?;
    /// assert_eq!(user.persist_many(&["name", "token"])?, [false, true]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HPERSIST")]
    pub fn persist_many<F: ToValue>(&self, fields: &[F]) -> T::Answer<Vec<bool>> {
        let fields = accept!(self, names_of(fields));
        let fields = FieldNames(borrowed(&fields));
        self.target.submit(&op::Persist { key: self.key, fields }, |answers| {
            Ok(answers.into_iter().map(|answer| answer == Persisted::Done).collect())
        })
    }

    /// How long a field still lives; [`TimeToLive::NoKey`] if there is no such field.
    ///
    /// `O(1)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # use std::time::Duration;
    /// use larder::{ManualClock, Store, TimeToLive};
    ///
    /// let clock = ManualClock::new();
    /// let store = Store::builder().clock(&clock).build();
    /// let user = store.hash("user:1");
    /// user.set_for("token", "x", Duration::from_secs(60))?;
    /// clock.advance(Duration::from_secs(45));
    /// let left = TimeToLive::Left(Duration::from_secs(15));
    /// assert_eq!(user.time_to_live("token")?, left);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HTTL")]
    #[doc(alias = "HPTTL")]
    pub fn time_to_live(&self, field: impl ToValue) -> T::Answer<TimeToLive> {
        let field = accept!(self, field.to_value());
        let fields = FieldNames(Cow::Owned(vec![&*field]));
        let operation = op::TimeLeft { key: self.key, fields };
        self.target.submit(&operation, |lifetimes| single(lifetimes).map(TimeToLive::from))
    }

    /// How long several fields still live, at one instant.
    ///
    /// `O(m)` for `m` fields. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// use larder::TimeToLive;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// let left = user.time_to_live_many(&["name", "email"])?;
    /// assert_eq!(left, [TimeToLive::Forever, TimeToLive::NoKey]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HTTL")]
    #[doc(alias = "HPTTL")]
    pub fn time_to_live_many<F: ToValue>(&self, fields: &[F]) -> T::Answer<Vec<TimeToLive>> {
        let fields = accept!(self, names_of(fields));
        let fields = FieldNames(borrowed(&fields));
        self.target.submit(&op::TimeLeft { key: self.key, fields }, |lifetimes| {
            Ok(lifetimes.into_iter().map(TimeToLive::from).collect())
        })
    }

    /// When a field ceases to be; [`Deadline::NoKey`] if there is no such field.
    ///
    /// `O(1)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("name", "Ada")?;
    /// assert_eq!(user.deadline("name")?, larder::Deadline::Never);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HEXPIRETIME")]
    #[doc(alias = "HPEXPIRETIME")]
    pub fn deadline(&self, field: impl ToValue) -> T::Answer<Deadline> {
        let field = accept!(self, field.to_value());
        let fields = FieldNames(Cow::Owned(vec![&*field]));
        let operation = op::Deadline { key: self.key, fields };
        self.target.submit(&operation, |lifetimes| single(lifetimes).map(Deadline::from))
    }

    /// The value of a field, which gets a new deadline: an [`Expiry`], a `Duration` from now or a
    /// `SystemTime`. One that has passed removes the field.
    ///
    /// `O(log d)` with `d` deadlines in the hash. Does not block. Errors are those of
    /// [`expire`](Self::expire).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("token", "x")?;
    /// let token = user.get_and_expire("token", Duration::from_secs(60))?;
    /// assert_eq!(token.unwrap(), "x");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HGETEX")]
    pub fn get_and_expire(
        &self,
        field: impl ToValue,
        expiry: impl Into<Expiry>,
    ) -> T::Answer<Option<Value>> {
        let field = accept!(self, field.to_value());
        let fields = FieldNames(Cow::Owned(vec![&*field]));
        let renewal = FieldRenewal(expiry_of(expiry.into()));
        self.target.submit(&op::GetAndExpire { key: self.key, renewal, fields }, single)
    }

    /// The values of several fields, which get a new deadline, atomically.
    ///
    /// As [`get_and_expire`](Self::get_and_expire), for each of them.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("token", "x")?;
    /// let values = user.get_and_expire_many(&["token", "email"], Duration::from_secs(60))?;
    /// assert_eq!(values, [Some("x".into()), None]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HGETEX")]
    pub fn get_and_expire_many<F: ToValue>(
        &self,
        fields: &[F],
        expiry: impl Into<Expiry>,
    ) -> T::Answer<Vec<Option<Value>>> {
        let fields = accept!(self, names_of(fields));
        let fields = FieldNames(borrowed(&fields));
        let renewal = FieldRenewal(expiry_of(expiry.into()));
        self.target.submit(&op::GetAndExpire { key: self.key, renewal, fields }, Ok)
    }

    /// The value of a field, which is removed.
    ///
    /// `O(1)`. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("token", "x")?;
    /// assert_eq!(user.get_and_delete("token")?.unwrap(), "x");
    /// assert_eq!(user.get_and_delete("token")?, None);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HGETDEL")]
    pub fn get_and_delete(&self, field: impl ToValue) -> T::Answer<Option<Value>> {
        let field = accept!(self, field.to_value());
        let fields = FieldNames(Cow::Owned(vec![&*field]));
        self.target.submit(&op::GetAndDelete { key: self.key, fields }, single)
    }

    /// The values of several fields, which are removed, atomically.
    ///
    /// `O(m)` for `m` fields. Does not block. Errors are those of [`get`](Self::get).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let user = store.hash("user:1");
    /// user.set("token", "x")?;
    /// let values = user.get_and_delete_many(&["token", "email"])?;
    /// assert_eq!(values, [Some("x".into()), None]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "HGETDEL")]
    pub fn get_and_delete_many<F: ToValue>(&self, fields: &[F]) -> T::Answer<Vec<Option<Value>>> {
        let fields = accept!(self, names_of(fields));
        let fields = FieldNames(borrowed(&fields));
        self.target.submit(&op::GetAndDelete { key: self.key, fields }, Ok)
    }
}

impl From<FieldOptions> for op::SetOptions {
    fn from(options: FieldOptions) -> Self {
        Self { condition: options.condition, expiry: expiry_of(options.expiry) }
    }
}

/// A date before 1970 has passed, as 1970 has.
fn expiry_of(expiry: Expiry) -> strings::Expiry {
    match expiry.into() {
        strings::Expiry::At(unix_millis) => strings::Expiry::At(unix_millis.max(0)),
        other => other,
    }
}

fn condition_of(condition: ExpireIf) -> Result<ExpireCondition> {
    match condition {
        ExpireIf::EarlierThanAny => Err(Error::Syntax("the deadline of a field takes one option")),
        one => Ok(one.into()),
    }
}

fn is_done(expired: Expired) -> bool {
    matches!(expired, Expired::Set | Expired::Removed)
}
