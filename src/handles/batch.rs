//! Atomic batches: queued operations that run as one.

use std::cell::RefCell;

use super::{
    Bitmap, Hash, Keys, Kv, List, Lists, Set, Sets, SortedSet, SortedSets, Stream, Submit, Target,
};
use crate::error::{Error, Result};
use crate::keyspace::access::{Demand, Locked};
use crate::keyspace::{After, Space, Watched};
use crate::ops;
use crate::ops::pubsub::Publish;
use crate::store::Store;
use crate::sync::{Arc, Mutex};
use crate::value::ToValue;
use crate::wire::command::{Command, Family, Owned};

/// Operations that run as one, all or none seen by anybody else: `MULTI` and `EXEC`.
///
/// The handles of a batch queue operations instead of running them; each call answers a
/// [`Pending`] that holds its answer once [`exec`](Batch::exec) has run them all, in order.
///
/// A call whose arguments make no operation is refused when it is queued, and then `exec` refuses
/// the whole batch: a value that does not encode, a score or a bound that is NaN, no key where one
/// is needed, an index, count, weight or option out of its range.
///
/// As in Redis, an operation that fails when it runs leaves the others standing: its own answer is
/// the error. So it is with everything else: a key of the wrong type, but also a value that is
/// [set for](Kv::set_for) no time, or an entry of a stream without fields.
///
/// ```
/// use std::time::Duration;
/// use larder::{Error, Store};
///
/// let store = Store::new();
/// let batch = store.batch();
/// batch.kv().set("a", 1);
/// let a = batch.kv().get_as::<i64>("a");
/// batch.exec()?;
/// assert_eq!(a.get()?, Some(1));
///
/// let batch = store.batch();
/// let append = batch.stream("log").append(&[] as &[(&str, &str)]); // fails when it runs
/// let set = batch.kv().set_for("a", 2, Duration::ZERO); // so does this
/// batch.kv().set("b", 1);
/// batch.exec()?;
/// assert!(append.get().is_err());
/// assert_eq!(set.get(), Err(Error::InvalidExpire));
/// assert!(store.keys().exists("b")?);
///
/// let batch = store.batch();
/// batch.kv().set("c", 1);
/// batch.sorted_set("board").add("ada", f64::NAN); // is refused when it is queued
/// assert_eq!(batch.exec(), Err(Error::ScoreNotANumber));
/// assert!(!store.keys().exists("c")?);
/// # Ok::<(), larder::Error>(())
/// ```
#[doc(alias = "MULTI")]
#[must_use = "a batch does nothing until it is executed"]
pub struct Batch {
    store: Store,
    queue: RefCell<Queue>,
}

#[derive(Default)]
struct Queue {
    operations: Vec<Box<dyn Queued>>,
    demand: Demand,
    refused: Option<Error>,
}

impl Batch {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, queue: RefCell::default() }
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

    /// Publishes a message once the batch has run and its locks are released; the answer is how
    /// many were to receive it.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// let changes = store.subscribe(&["changes"])?;
    /// let batch = store.batch();
    /// batch.kv().set("page:1", "new");
    /// batch.publish("changes", "page:1");
    /// batch.exec()?;
    /// assert_eq!(changes.recv()?.payload, "page:1");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "PUBLISH")]
    pub fn publish(&self, channel: impl AsRef<[u8]>, payload: impl ToValue) -> Pending<usize> {
        let message = match payload.to_value() {
            Ok(message) => message,
            Err(error) => return self.refuse(error),
        };
        self.submit(&Publish { channel: channel.as_ref(), message: &message }, Ok)
    }

    /// Runs the queued operations in order, atomically. Dropping a batch instead discards it.
    ///
    /// `Ok` says that the operations ran, not that each succeeded: the error of one that failed is
    /// in its own answer. Who does not read them all wants [`exec_checked`](Self::exec_checked).
    ///
    /// Blocks while another thread holds a shard of one of the keys.
    ///
    /// # Errors
    ///
    /// The error of the first call whose arguments were refused, or [`Error::ReadOnly`]; nothing
    /// has been done then. [`Error::Indeterminate`] if everything has been done and may be lost.
    #[doc(alias = "EXEC")]
    pub fn exec(self) -> Result<()> {
        self.run(None).map(drop)
    }

    /// Runs the queued operations as [`exec`](Self::exec) does, for callers who do not ask for
    /// every answer: an operation that failed shows here.
    ///
    /// # Errors
    ///
    /// As [`exec`](Self::exec), and else the error of the first operation that failed. The
    /// others stand.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("name", "ada")?;
    /// let batch = store.batch();
    /// batch.kv().increment("name", 1);
    /// batch.kv().set("other", 1);
    /// assert_eq!(batch.exec_checked(), Err(larder::Error::NotAnInteger));
    /// assert!(store.keys().exists("other")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "EXEC")]
    pub fn exec_checked(self) -> Result<()> {
        self.run(None)?.map_or(Ok(()), Err)
    }

    /// Runs the queued operations as [`exec`](Self::exec) does, if no key under `watch` has
    /// changed since it was watched.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] if one has; nothing has been done then, and the usual answer is to
    /// read again and retry. [`Error::Syntax`] if the watch is of another store.
    ///
    /// ```
    /// use larder::{Error, Store};
    ///
    /// let store = Store::new();
    /// store.kv().set("stock", 5)?;
    /// let watch = store.watch(&["stock"])?;
    /// let stock: i64 = store.kv().get_as("stock")?.unwrap();
    /// let batch = store.batch();
    /// batch.kv().set("stock", stock - 1);
    /// store.kv().set("stock", 100)?; // somebody else was faster
    /// assert_eq!(batch.exec_if(watch), Err(Error::Conflict));
    /// # Ok::<(), Error>(())
    /// ```
    #[doc(alias = "EXEC")]
    pub fn exec_if(self, watch: Watch) -> Result<()> {
        self.run(Some(watch)).map(drop)
    }

    /// Runs the operations and answers the first error of one of them. What callers have given,
    /// conversions and all, runs after the locks are released.
    fn run(self, watch: Option<Watch>) -> Result<Option<Error>> {
        let Queue { mut operations, mut demand, refused } = self.queue.into_inner();
        if let Some(error) = refused {
            return Err(error);
        }
        let Space { databases, database, .. } = self.store.space();
        let mut after = After::default();
        if let Some(watch) = &watch {
            if !watch.0.is_of(databases) {
                return Err(Error::Syntax("the watch is of another store"));
            }
            watch.0.demand(&mut demand);
        }
        let mut locked = demand.enter(self.store.space())?;
        let unchanged = watch.as_ref().is_none_or(|watch| watch.0.holds(&locked));
        if unchanged {
            for operation in &mut operations {
                operation.run(&mut locked, database);
            }
        }
        locked.release(&mut after);
        after.settle(databases)?;
        if !unchanged {
            return Err(Error::Conflict);
        }
        let answers: Vec<Result<()>> = operations.into_iter().map(Queued::answer).collect();
        Ok(answers.into_iter().find_map(Result::err))
    }
}

impl Target for Batch {
    type Answer<R> = Pending<R>;
}

impl Submit for Batch {
    fn submit<O: Command, R: Send + 'static>(
        &self,
        operation: &O,
        convert: impl FnOnce(O::Output) -> Result<R> + Send + 'static,
    ) -> Pending<R> {
        let pending = Pending::new();
        let mut queue = self.queue.borrow_mut();
        ops::demand(self.store.space(), operation, &mut queue.demand);
        let operation = Owned::<O::Family>::new(operation);
        let answer = Arc::clone(&pending.0);
        let entry = Entry { operation, output: None, convert, answer };
        queue.operations.push(Box::new(entry));
        pending
    }

    fn refuse<R: Send + 'static>(&self, error: Error) -> Pending<R> {
        self.queue.borrow_mut().refused.get_or_insert(error);
        Pending::new()
    }
}

/// The answer of an operation in a batch, once the batch has been executed.
#[derive(Debug)]
pub struct Pending<R>(Arc<Mutex<Option<Result<R>>>>);

impl<R> Pending<R> {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    /// The answer.
    ///
    /// # Errors
    ///
    /// The operation's own, and [`Error::NotExecuted`] if the batch has not been executed.
    pub fn get(self) -> Result<R> {
        self.0.lock().take().unwrap_or(Err(Error::NotExecuted))
    }
}

/// A queued operation, whatever its types.
trait Queued: Send {
    /// Runs it within the batch's locks.
    fn run(&mut self, locked: &mut Locked<'_>, database: u16);

    /// Converts what it answered and hands that over; the error, if it is one, comes back too.
    fn answer(self: Box<Self>) -> Result<()>;
}

struct Entry<F: Family, R, C> {
    operation: Owned<F>,
    output: Option<Result<F::Output>>,
    convert: C,
    answer: Arc<Mutex<Option<Result<R>>>>,
}

impl<F, R, C> Queued for Entry<F, R, C>
where
    F: Family,
    R: Send,
    C: FnOnce(F::Output) -> Result<R> + Send,
{
    fn run(&mut self, locked: &mut Locked<'_>, database: u16) {
        let run = |operation: &F::Of<'_>| ops::run_within(locked, database, operation);
        self.output = Some(self.operation.with(run));
    }

    fn answer(self: Box<Self>) -> Result<()> {
        let output = self.output.unwrap_or(Err(Error::NotExecuted));
        let answer = output.and_then(self.convert);
        let error = answer.as_ref().err().cloned();
        *self.answer.lock() = Some(answer);
        error.map_or(Ok(()), Err)
    }
}

/// Keys under watch: whether one of them has changed since, told to
/// [`Batch::exec_if`]. Made by [`Store::watch`]; dropping it ends the watch.
#[doc(alias = "WATCH")]
#[doc(alias = "UNWATCH")]
pub struct Watch(Watched);

impl Watch {
    pub(crate) fn new<K: AsRef<[u8]>>(store: &Store, keys: &[K]) -> Self {
        let mut watched = Watched::new(store.databases());
        for key in keys {
            watched.add(store.space().database, key.as_ref());
        }
        Self(watched)
    }

    /// Whether a key has changed since it was watched.
    pub fn is_broken(&self) -> bool {
        self.0.is_broken()
    }
}
