//! Transactions: operations that run at once while the locks of their keys are held.

use std::cell::RefCell;

use super::{
    Bitmap, Hash, Keys, Kv, List, Lists, Set, Sets, SortedSet, SortedSets, Stream, Submit, Target,
};
use crate::error::{Error, Result};
use crate::keyspace::access::{Access, Demand, Extent, Locked, ReadMany, WriteMany};
use crate::keyspace::{After, Databases};
use crate::ops;
use crate::ops::pubsub::Publish;
use crate::store::Store;
use crate::value::ToValue;
use crate::wire::command::Command;

/// Exclusive access to some keys: read, decide, write, with nobody in between.
///
/// Made by [`Store::transaction`]. Its handles answer at once, and are refused on other keys
/// than those it was made for.
///
/// There is no rollback: what was written stands even if the closure ends with an error.
pub struct Transaction<'e> {
    locked: RefCell<Option<Locked<'e>>>,
    databases: &'e Databases,
    database: u16,
}

impl<'e> Transaction<'e> {
    pub(crate) fn new<K: AsRef<[u8]>>(store: &'e Store, keys: &[K]) -> Result<Self> {
        Self::over::<WriteMany, K>(store, keys)
    }

    /// One that may only read.
    pub(crate) fn reading<K: AsRef<[u8]>>(store: &'e Store, keys: &[K]) -> Result<Self> {
        Self::over::<ReadMany, K>(store, keys)
    }

    fn over<A, K>(store: &'e Store, keys: &[K]) -> Result<Self>
    where
        A: for<'a> Access<Target<'a> = Extent<'a>>,
        K: AsRef<[u8]>,
    {
        let space = store.space();
        let mut demand = Demand::default();
        A::demand(space, Extent::keys(keys.iter().map(AsRef::as_ref)), &mut demand);
        let locked = demand.enter(space)?;
        Ok(Self {
            locked: RefCell::new(Some(locked)),
            databases: space.databases,
            database: space.database,
        })
    }

    /// Runs `body` and ends the transaction.
    pub(crate) fn run<R, E: From<Error>>(
        mut self,
        body: impl FnOnce(&Self) -> Result<R, E>,
    ) -> Result<R, E> {
        let answer = body(&self)?;
        self.end()?;
        Ok(answer)
    }

    /// Unlocks and does what is left to do.
    fn end(&mut self) -> Result<()> {
        let Some(locked) = self.locked.get_mut().take() else { return Ok(()) };
        let mut after = After::default();
        locked.release(&mut after);
        after.settle(self.databases)
    }

    /// Strings under keys.
    pub fn kv(&self) -> Kv<'_, Self> {
        Kv::new(self)
    }

    /// Keys of any type.
    pub fn keys(&self) -> Keys<'_, Self> {
        Keys::new(self)
    }

    /// The list under a key.
    pub fn list<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> List<'t, Self> {
        List::new(self, key.as_ref())
    }

    /// Several lists.
    pub fn lists(&self) -> Lists<'_, Self> {
        Lists::new(self)
    }

    /// The sorted set under a key.
    pub fn sorted_set<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> SortedSet<'t, Self> {
        SortedSet::new(self, key.as_ref())
    }

    /// Several sorted sets.
    pub fn sorted_sets(&self) -> SortedSets<'_, Self> {
        SortedSets::new(self)
    }

    /// The hash under a key.
    #[inline]
    pub fn hash<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> Hash<'t, Self> {
        Hash::new(self, key.as_ref())
    }

    /// The bitmap under a key.
    #[inline]
    pub fn bitmap<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> Bitmap<'t, Self> {
        Bitmap::new(self, key.as_ref())
    }

    /// The set under a key.
    #[inline]
    pub fn set<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> Set<'t, Self> {
        Set::new(self, key.as_ref())
    }

    /// Operations on several sets at once.
    #[inline]
    pub fn sets(&self) -> Sets<'_, Self> {
        Sets::new(self)
    }

    /// The stream under a key.
    #[inline]
    pub fn stream<'t, K: AsRef<[u8]> + ?Sized>(&'t self, key: &'t K) -> Stream<'t, Self> {
        Stream::new(self, key)
    }

    /// Publishes a message once the transaction has ended and its locks are released, whatever
    /// the closure answers; answers how many are to receive it.
    ///
    /// # Errors
    ///
    /// [`Error::Encode`] if the payload cannot be encoded.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let changes = store.subscribe(&["changes"])?;
    /// store.transaction(&["page:1"], |tx| {
    ///     tx.kv().set("page:1", "new")?;
    ///     assert_eq!(tx.publish("changes", "page:1")?, 1);
    ///     assert!(changes.try_recv().is_err());
    ///     Ok(())
    /// })?;
    /// assert_eq!(changes.recv()?.payload, "page:1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "PUBLISH")]
    pub fn publish(&self, channel: impl AsRef<[u8]>, payload: impl ToValue) -> Result<usize> {
        let message = payload.to_value()?;
        self.submit(&Publish { channel: channel.as_ref(), message: &message }, Ok)
    }
}

impl Target for Transaction<'_> {
    type Answer<R> = Result<R>;
}

impl Submit for Transaction<'_> {
    fn submit<O: Command, R: Send + 'static>(
        &self,
        operation: &O,
        convert: impl FnOnce(O::Output) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let mut locked = self.locked.borrow_mut();
        let locked = locked.as_mut().ok_or(Error::NotExecuted)?;
        ops::run_within(locked, self.database, operation).and_then(convert)
    }

    fn refuse<R: Send + 'static>(&self, error: Error) -> Result<R> {
        Err(error)
    }
}

/// What was done stands, even if the closure panicked.
impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // The closure's own error comes first.
        let _ = self.end();
    }
}
