//! Sets: distinct members.

use std::borrow::Cow;

use super::{Submit, accept};
use crate::error::{Error, Result};
use crate::ops::set as op;
use crate::ops::sorted_set::{CountLimit, MemberScan, PopCount};
use crate::store::Store;
use crate::value::{ToValue, Value};

/// A set: distinct members, in no order.
///
/// A small set is compact: two to eight bytes a member if all of them are integers, else one byte
/// over each member's own. A set that loses its last member is gone from the keyspace.
///
/// Made by [`Store::set`], and by a batch or transaction. Costs are for a set of `n` members; one
/// of up to 128, all of them short, is searched from end to end, which is faster than it sounds.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use larder::Store;
///
/// let store = Store::new();
/// let tags = store.set("post:1:tags");
/// assert!(tags.add("rust")?);
/// assert!(!tags.add("rust")?);
/// tags.add_many(&["cache", "embedded"])?;
///
/// assert!(tags.contains("cache")?);
/// assert_eq!(tags.len()?, 3);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Set<'t, T = Store> {
    target: &'t T,
    key: &'t [u8],
}

impl<T> Clone for Set<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Set<'_, T> {}

impl<'t, T: Submit> Set<'t, T> {
    pub(crate) fn new(target: &'t T, key: &'t [u8]) -> Self {
        Self { target, key }
    }

    /// Adds a member; answers whether it is new.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the member cannot be encoded, [`Error::TooLarge`] if it is above
    /// 512 MiB, [`Error::WrongType`] if the key holds something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let seen = store.set("seen");
    /// assert!(seen.add(17)?);
    /// assert!(!seen.add(17)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SADD")]
    #[inline]
    pub fn add(&self, member: impl ToValue) -> T::Answer<bool> {
        let member = accept!(self, member.to_value());
        let members = [&*member];
        let operation = op::Add { key: self.key, members: Cow::Borrowed(&members) };
        self.target.submit(&operation, |added| Ok(added > 0))
    }

    /// Adds several members, atomically; answers how many are new.
    ///
    /// `O(m)` for `m` members. Does not block. Errors are those of [`add`](Self::add); then
    /// nothing has changed.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let tags = store.set("tags");
    /// tags.add("rust")?;
    /// assert_eq!(tags.add_many(&["rust", "cache", "embedded"])?, 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SADD")]
    pub fn add_many<M: ToValue>(&self, members: &[M]) -> T::Answer<usize> {
        let members = accept!(self, encoded(members));
        self.target.submit(&op::Add { key: self.key, members: borrowed(&members) }, Ok)
    }

    /// Removes a member; answers whether it was there.
    ///
    /// `O(1)`. Does not block. Errors are those of [`contains`](Self::contains).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let online = store.set("online");
    /// online.add("ada")?;
    /// assert!(online.remove("ada")?);
    /// assert!(!online.remove("ada")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SREM")]
    pub fn remove(&self, member: impl ToValue) -> T::Answer<bool> {
        let member = accept!(self, member.to_value());
        let members = [&*member];
        let operation = op::Remove { key: self.key, members: Cow::Borrowed(&members) };
        self.target.submit(&operation, |removed| Ok(removed > 0))
    }

    /// Removes several members, atomically; answers how many there were.
    ///
    /// `O(m)` for `m` members. Does not block. Errors are those of [`contains`](Self::contains).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let online = store.set("online");
    /// online.add_many(&["ada", "grace"])?;
    /// assert_eq!(online.remove_many(&["ada", "alan"])?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SREM")]
    pub fn remove_many<M: ToValue>(&self, members: &[M]) -> T::Answer<usize> {
        let members = accept!(self, encoded(members));
        self.target.submit(&op::Remove { key: self.key, members: borrowed(&members) }, Ok)
    }

    /// Whether a member is in the set.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the member cannot be encoded, [`Error::WrongType`] if the key holds
    /// something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let admins = store.set("admins");
    /// admins.add("ada")?;
    /// assert!(admins.contains("ada")?);
    /// assert!(!admins.contains("grace")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SISMEMBER")]
    #[inline]
    pub fn contains(&self, member: impl ToValue) -> T::Answer<bool> {
        let member = accept!(self, member.to_value());
        self.target.submit(&op::Contains { key: self.key, member: &member }, Ok)
    }

    /// Whether each of several members is in the set, at one instant and in the order asked.
    ///
    /// `O(m)` for `m` members. Does not block. Errors are those of [`contains`](Self::contains).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let admins = store.set("admins");
    /// admins.add("ada")?;
    /// assert_eq!(admins.contains_many(&["ada", "grace"])?, [true, false]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SMISMEMBER")]
    pub fn contains_many<M: ToValue>(&self, members: &[M]) -> T::Answer<Vec<bool>> {
        let members = accept!(self, encoded(members));
        self.target.submit(&op::ContainsMany { key: self.key, members: borrowed(&members) }, Ok)
    }

    /// How many members there are; zero if the key does not exist.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the key holds something else.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let tags = store.set("tags");
    /// tags.add_many(&["rust", "cache"])?;
    /// assert_eq!(tags.len()?, 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SCARD")]
    pub fn len(&self) -> T::Answer<usize> {
        self.target.submit(&op::Length { key: self.key }, Ok)
    }

    /// Whether there is no member: then there is no such key either.
    ///
    /// `O(1)`. Does not block. Errors are those of [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// assert!(store.set("tags").is_empty()?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SCARD")]
    pub fn is_empty(&self) -> T::Answer<bool> {
        self.target.submit(&op::Length { key: self.key }, |length| Ok(length == 0))
    }

    /// All members: those of a small set of integers in ascending order, else in no order that
    /// lasts.
    ///
    /// `O(n)`, under the lock of the key's shard: for a large set consider [`iter`](Set::iter).
    /// Does not block. Errors are those of [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let primes = store.set("primes");
    /// primes.add_many(&[5, 2, 3])?;
    /// assert_eq!(primes.members()?, ["2", "3", "5"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SMEMBERS")]
    pub fn members(&self) -> T::Answer<Vec<Value>> {
        self.target.submit(&op::All { key: self.key }, |members| Ok(members.0))
    }

    /// Takes a member out, chosen at random, each as likely as another; `None` if the set is
    /// empty.
    ///
    /// `O(1)`. Does not block. Errors are those of [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let raffle = store.set("raffle");
    /// raffle.add_many(&["ada", "grace"])?;
    /// let winner = raffle.pop()?.unwrap();
    /// assert!(!raffle.contains(&winner)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SPOP")]
    pub fn pop(&self) -> T::Answer<Option<Value>> {
        let operation = op::Pop { key: self.key, count: PopCount(None) };
        self.target.submit(&operation, |popped| Ok(popped.one()))
    }

    /// Takes up to `count` members out, chosen at random, atomically.
    ///
    /// `O(count)`, or `O(n)` if that is a third of the members or more. Does not block. Errors are
    /// those of [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let jobs = store.set("jobs");
    /// jobs.add_many(&["a", "b", "c"])?;
    /// assert_eq!(jobs.pop_many(2)?.len(), 2);
    /// assert_eq!(jobs.pop_many(2)?.len(), 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SPOP")]
    pub fn pop_many(&self, count: usize) -> T::Answer<Vec<Value>> {
        let count = PopCount(Some(count.min(i64::MAX as usize)));
        self.target.submit(&op::Pop { key: self.key, count }, |popped| Ok(popped.many()))
    }

    /// Any member, each as likely as another; it stays. `None` if the set is empty.
    ///
    /// `O(1)`. Does not block. Errors are those of [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let servers = store.set("servers");
    /// servers.add_many(&["eu-1", "us-1"])?;
    /// let server = servers.random()?.unwrap();
    /// assert!(servers.contains(&server)?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SRANDMEMBER")]
    pub fn random(&self) -> T::Answer<Option<Value>> {
        let operation = op::RandomMembers { key: self.key, count: op::SampleCount(None) };
        self.target.submit(&operation, |sampled| Ok(sampled.one()))
    }

    /// Up to `count` distinct members chosen at random, in no order; they stay.
    ///
    /// `O(count)`, or `O(n)` if that is a third of the members or more. Does not block. Errors are
    /// those of [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let servers = store.set("servers");
    /// servers.add_many(&["eu-1", "us-1", "us-2"])?;
    /// assert_eq!(servers.random_many(2)?.len(), 2);
    /// assert_eq!(servers.random_many(9)?.len(), 3);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SRANDMEMBER")]
    pub fn random_many(&self, count: usize) -> T::Answer<Vec<Value>> {
        self.sample(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// `count` members chosen at random, each from all: the same one may be chosen again. None if
    /// the set is empty; never more than 1,048,576.
    ///
    /// `O(count)`. Does not block. Errors are those of [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let die = store.set("die");
    /// die.add_many(&[1, 2, 3, 4, 5, 6])?;
    /// assert_eq!(die.random_many_repeating(10)?.len(), 10);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SRANDMEMBER")]
    pub fn random_many_repeating(&self, count: usize) -> T::Answer<Vec<Value>> {
        self.sample(i64::try_from(count).map_or(-i64::MAX, |count| -count))
    }

    /// Moves a member to another set, atomically; answers whether it was in this one.
    ///
    /// `O(1)`. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the member cannot be encoded, [`Error::WrongType`] if either key holds
    /// something else; then nothing has changed. An absent set is no error: there is nothing to
    /// move.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("waiting").add("job:1")?;
    /// assert!(store.set("waiting").move_to("running", "job:1")?);
    /// assert!(store.set("running").contains("job:1")?);
    /// assert!(!store.set("waiting").move_to("running", "job:1")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SMOVE")]
    pub fn move_to(&self, destination: impl AsRef<[u8]>, member: impl ToValue) -> T::Answer<bool> {
        let member = accept!(self, member.to_value());
        let destination = destination.as_ref();
        let operation = op::Move { source: self.key, destination, member: &member };
        self.target.submit(&operation, Ok)
    }

    fn sample(&self, count: i64) -> T::Answer<Vec<Value>> {
        let operation = op::RandomMembers { key: self.key, count: op::SampleCount(Some(count)) };
        self.target.submit(&operation, |sampled| Ok(sampled.many()))
    }
}

/// Walks, which take several steps and so are a store's alone.
impl<'t> Set<'t, Store> {
    /// All members, in no order, a few at a time: other calls come in between.
    ///
    /// A member that is in the set all the while is answered for sure, and may be answered more
    /// than once; one that comes or goes meanwhile may be answered or not.
    ///
    /// `O(n)` in all. Does not block. Errors are those of [`len`](Self::len).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let primes = store.set("primes");
    /// primes.add_many(&[2, 3, 5])?;
    /// let sum: i64 = primes.iter().map(|prime| prime.unwrap().to::<i64>().unwrap()).sum();
    /// assert_eq!(sum, 10);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SSCAN")]
    pub fn iter(&self) -> SetIter<'t> {
        SetIter { set: *self, pattern: None, cursor: Some(0), page: Vec::new().into_iter() }
    }

    /// All members that match a glob, as [`iter`](Self::iter).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let seen = store.set("seen");
    /// seen.add_many(&["user:1", "user:2", "bot:1"])?;
    /// assert_eq!(seen.iter_matching("user:*").count(), 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SSCAN")]
    pub fn iter_matching(&self, pattern: impl AsRef<[u8]>) -> SetIter<'t> {
        SetIter { pattern: Some(pattern.as_ref().into()), ..self.iter() }
    }
}

/// Members of a set, read a few at a time: made by [`Set::iter`].
#[must_use = "a scan does nothing until it is read"]
pub struct SetIter<'t> {
    set: Set<'t, Store>,
    pattern: Option<Box<[u8]>>,
    /// Where to go on; `None` at the end.
    cursor: Option<u64>,
    page: std::vec::IntoIter<Value>,
}

impl Iterator for SetIter<'_> {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Self::Item> {
        /// About how many members a step looks at.
        const STEP: usize = 100;
        loop {
            if let Some(member) = self.page.next() {
                return Some(Ok(member));
            }
            let options = MemberScan { pattern: self.pattern.as_deref(), count: STEP };
            let scan = op::ScanMembers { key: self.set.key, cursor: self.cursor.take()?, options };
            match self.set.target.submit(&scan, Ok) {
                Ok(page) => {
                    self.cursor = (page.cursor != 0).then_some(page.cursor);
                    self.page = page.members.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Operations on several sets at once: each is atomic over all its keys. A key that does not exist
/// is an empty set.
///
/// Made by [`Store::sets`], and by a batch or transaction.
///
/// `T::Answer<R>` is a `Result<R>` on a store and in a transaction, and in a batch a
/// [`Pending<R>`](crate::Pending).
///
/// ```
/// use larder::Store;
///
/// let store = Store::new();
/// store.set("rust").add_many(&["post:1", "post:2"])?;
/// store.set("cache").add_many(&["post:2", "post:3"])?;
///
/// assert_eq!(store.sets().intersection(&["rust", "cache"])?, ["post:2"]);
/// assert_eq!(store.sets().union_to("either", &["rust", "cache"])?, 3);
/// # Ok::<(), larder::Error>(())
/// ```
pub struct Sets<'t, T = Store> {
    target: &'t T,
}

impl<T> Clone for Sets<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Sets<'_, T> {}

impl<'t, T: Submit> Sets<'t, T> {
    pub(crate) fn new(target: &'t T) -> Self {
        Self { target }
    }

    /// The members that are in any of the sets, in no order.
    ///
    /// `O(n)` for `n` members in all. Does not block.
    ///
    /// # Errors
    ///
    /// [`Error::NoKeys`] without a key, [`Error::WrongType`] if a key holds something else than a
    /// set.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("a").add_many(&[1, 2])?;
    /// store.set("b").add_many(&[2, 3])?;
    /// assert_eq!(store.sets().union(&["a", "b"])?.len(), 3);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SUNION")]
    pub fn union<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<Vec<Value>> {
        let keys = accept!(self, some(keys));
        self.target.submit(&op::Union { keys }, |members| Ok(members.0))
    }

    /// The members that are in all of the sets, in no order.
    ///
    /// `O(n k)` for the smallest of `k` sets with `n` members. Does not block. Errors are those of
    /// [`union`](Self::union).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("a").add_many(&[1, 2])?;
    /// store.set("b").add_many(&[2, 3])?;
    /// assert_eq!(store.sets().intersection(&["a", "b"])?, ["2"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SINTER")]
    pub fn intersection<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<Vec<Value>> {
        let keys = accept!(self, some(keys));
        self.target.submit(&op::Intersection { keys }, |members| Ok(members.0))
    }

    /// The members of the first set that are in none of the others, in no order.
    ///
    /// `O(n k)` for the `n` members of the first of `k` sets. Does not block. Errors are those of
    /// [`union`](Self::union).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("all").add_many(&["ada", "grace"])?;
    /// store.set("invited").add("ada")?;
    /// assert_eq!(store.sets().difference(&["all", "invited"])?, ["grace"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SDIFF")]
    pub fn difference<K: AsRef<[u8]>>(&self, keys: &[K]) -> T::Answer<Vec<Value>> {
        let keys = accept!(self, some(keys));
        self.target.submit(&op::Difference { keys }, |members| Ok(members.0))
    }

    /// Makes a set of the members that are in any of the sets under `destination`, whatever it
    /// held; answers how many they are. Without any, that key is gone. It may be one of the sets.
    ///
    /// Costs and errors are those of [`union`](Self::union).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("monday").add_many(&["ada", "grace"])?;
    /// store.set("tuesday").add("alan")?;
    /// assert_eq!(store.sets().union_to("week", &["monday", "tuesday"])?, 3);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SUNIONSTORE")]
    pub fn union_to<K: AsRef<[u8]>>(
        &self,
        destination: impl AsRef<[u8]>,
        keys: &[K],
    ) -> T::Answer<usize> {
        let keys = accept!(self, some(keys));
        self.target.submit(&op::StoreUnion { destination: destination.as_ref(), keys }, Ok)
    }

    /// Makes a set of the members that are in all of the sets under `destination`, as
    /// [`union_to`](Self::union_to); costs are those of [`intersection`](Self::intersection).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("a").add_many(&[1, 2])?;
    /// store.set("b").add_many(&[2, 3])?;
    /// assert_eq!(store.sets().intersection_to("both", &["a", "b"])?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SINTERSTORE")]
    pub fn intersection_to<K: AsRef<[u8]>>(
        &self,
        destination: impl AsRef<[u8]>,
        keys: &[K],
    ) -> T::Answer<usize> {
        let keys = accept!(self, some(keys));
        self.target.submit(&op::StoreIntersection { destination: destination.as_ref(), keys }, Ok)
    }

    /// Makes a set of the members of the first set that are in none of the others under
    /// `destination`, as [`union_to`](Self::union_to); costs are those of
    /// [`difference`](Self::difference).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("all").add_many(&["ada", "grace"])?;
    /// store.set("done").add("ada")?;
    /// assert_eq!(store.sets().difference_to("open", &["all", "done"])?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SDIFFSTORE")]
    pub fn difference_to<K: AsRef<[u8]>>(
        &self,
        destination: impl AsRef<[u8]>,
        keys: &[K],
    ) -> T::Answer<usize> {
        let keys = accept!(self, some(keys));
        self.target.submit(&op::StoreDifference { destination: destination.as_ref(), keys }, Ok)
    }

    /// How many members are in all of the sets; counting stops at `limit`, if there is one.
    ///
    /// Costs and errors are those of [`intersection`](Self::intersection).
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.set("a").add_many(&[1, 2, 3])?;
    /// store.set("b").add_many(&[2, 3, 4])?;
    /// assert_eq!(store.sets().count_intersection(&["a", "b"], None)?, 2);
    /// assert_eq!(store.sets().count_intersection(&["a", "b"], 1)?, 1);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "SINTERCARD")]
    pub fn count_intersection<K: AsRef<[u8]>>(
        &self,
        keys: &[K],
        limit: impl Into<Option<usize>>,
    ) -> T::Answer<usize> {
        let keys = op::NumberedKeys(accept!(self, some(keys)));
        let most = limit.into().unwrap_or(i64::MAX as usize);
        // A limit of zero would be none.
        let limit = CountLimit(most.clamp(1, i64::MAX as usize));
        let operation = op::CountIntersection { keys, limit };
        self.target.submit(&operation, move |count| Ok(count.min(most)))
    }
}

fn some<K: AsRef<[u8]>>(keys: &[K]) -> Result<Cow<'_, [&[u8]]>> {
    if keys.is_empty() {
        return Err(Error::NoKeys);
    }
    Ok(keys.iter().map(AsRef::as_ref).collect())
}

fn encoded<M: ToValue>(members: &[M]) -> Result<Vec<Cow<'_, [u8]>>> {
    members.iter().map(ToValue::to_value).collect()
}

fn borrowed<'a>(members: &'a [Cow<'_, [u8]>]) -> Cow<'a, [&'a [u8]]> {
    members.iter().map(|member| &**member).collect()
}
