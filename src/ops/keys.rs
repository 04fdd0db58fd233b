//! Keys, whatever they hold. Walking over all of them is in [`scan`](super::scan).

use std::borrow::Cow;

use super::Operation;
use crate::error::{Error, Result};
use crate::keyspace::access::{Extent, Place, Read, ReadEach, Walk, Write, WriteMany, Writers};
use crate::keyspace::{EventKind, Kind, View, Writer};
use crate::keyspace::{SHARDS, access::Shards};

/// Removes a key; answers whether it existed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delete<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for Delete<'_> {
    type Output = bool;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        Ok(delete(&mut writer))
    }
}

fn delete(writer: &mut Writer<'_>) -> bool {
    let removed = writer.remove();
    if removed {
        writer.notify(EventKind::Deleted);
    }
    removed
}

/// Removes keys; answers how many existed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeleteMany<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

impl Operation for DeleteMany<'_> {
    type Output = usize;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys(self.keys.iter().copied())
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        let mut removed = 0;
        for key in self.keys.iter() {
            removed += usize::from(delete(&mut writers.writer(key)?));
        }
        Ok(removed)
    }
}

/// Whether a key exists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exists<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for Exists<'_> {
    type Output = bool;
    type Access = Read;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(view.exists())
    }
}

/// How many of the keys exist; one given twice counts twice.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExistMany<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

/// Marks keys as used; answers how many exist, as [`ExistMany`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Touch<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

macro_rules! count_existing {
    ($($operation:ident by $look:path),*) => {$(
        impl Operation for $operation<'_> {
            type Output = usize;
            type Access = ReadEach;

            fn target(&self) -> &[&[u8]] {
                &self.keys
            }

            fn run(&self, views: &[View<'_>]) -> Result<Self::Output> {
                Ok(views.iter().filter(|view| $look(view)).count())
            }
        }
    )*};
}

count_existing!(ExistMany by View::exists, Touch by View::touch);

/// The type of what a key holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TypeOf<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for TypeOf<'_> {
    type Output = Option<Kind>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(view.kind())
    }
}

/// When a key is given a deadline, by the one that it has. Having none counts as the latest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ExpireCondition {
    #[default]
    Always,
    IfNone,
    IfAny,
    IfLater,
    IfEarlier,
    /// If it has one that is later than the new one.
    IfAnyAndEarlier,
}

impl ExpireCondition {
    pub(super) fn is_met(self, current: Option<u64>, new: u64) -> bool {
        match self {
            Self::Always => true,
            Self::IfNone => current.is_none(),
            Self::IfAny => current.is_some(),
            Self::IfLater => current.is_some_and(|current| new > current),
            Self::IfEarlier => current.is_none_or(|current| new < current),
            Self::IfAnyAndEarlier => current.is_some_and(|current| new < current),
        }
    }
}

/// Gives a key a time to live; one that is not positive removes it. Answers whether anything
/// was done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpireIn<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) millis: i64,
    pub(crate) condition: ExpireCondition,
}

/// Gives a key a deadline in Unix milliseconds; one in the past removes it. Answers whether
/// anything was done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExpireAt<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) unix_millis: i64,
    pub(crate) condition: ExpireCondition,
}

impl Operation for ExpireIn<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        let deadline = writer.moment.deadline_in(self.millis)?;
        Ok(expire(writer, deadline, self.condition))
    }
}

impl Operation for ExpireAt<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        let deadline = writer.moment.deadline_at(self.unix_millis);
        Ok(expire(writer, deadline, self.condition))
    }
}

fn expire(mut writer: Writer<'_>, deadline: u64, condition: ExpireCondition) -> bool {
    let view = writer.view();
    if !view.exists() || !condition.is_met(view.deadline(), deadline) {
        return false;
    }
    if writer.moment.has_passed(deadline) {
        return delete(&mut writer);
    }
    writer.set_deadline(Some(deadline));
    writer.notify(EventKind::Expire);
    true
}

/// What there is to say about a key's deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    NoKey,
    Forever,
    /// Milliseconds left, or in Unix time.
    Millis(i64),
}

impl Lifetime {
    fn of(view: View<'_>, millis: impl FnOnce(u64) -> i64) -> Self {
        match view.deadline() {
            _ if !view.exists() => Self::NoKey,
            None => Self::Forever,
            Some(deadline) => Self::Millis(millis(deadline)),
        }
    }
}

/// The time that a key has left to live.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TimeLeft<'a> {
    pub(crate) key: &'a [u8],
}

/// [`TimeLeft`], answered in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SecondsLeft<'a> {
    pub(crate) key: &'a [u8],
}

/// A key's deadline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Deadline<'a> {
    pub(crate) key: &'a [u8],
}

/// [`Deadline`], answered in seconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeadlineSeconds<'a> {
    pub(crate) key: &'a [u8],
}

fn time_left(view: View<'_>) -> Lifetime {
    Lifetime::of(view, |deadline| deadline.saturating_sub(view.moment.now()) as i64)
}

fn deadline(view: View<'_>) -> Lifetime {
    Lifetime::of(view, |deadline| view.moment.unix_of(deadline))
}

macro_rules! read_lifetime {
    ($($operation:ident: $read:expr),*) => {$(
        impl Operation for $operation<'_> {
            type Output = Lifetime;
            type Access = Read;

            fn target(&self) -> &[u8] {
                self.key
            }

            fn run(&self, view: View<'_>) -> Result<Self::Output> {
                Ok($read(view))
            }
        }
    )*};
}

read_lifetime!(
    TimeLeft: time_left, SecondsLeft: time_left, Deadline: deadline, DeadlineSeconds: deadline
);

/// Takes a key's deadline away; answers whether it had one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Persist<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for Persist<'_> {
    type Output = bool;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let had_deadline = writer.view().deadline().is_some();
        if had_deadline {
            writer.set_deadline(None);
            writer.notify(EventKind::Persisted);
        }
        Ok(had_deadline)
    }
}

/// Gives what a key holds another name, whatever that held.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rename<'a> {
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a [u8],
}

/// Gives what a key holds another name if that is free; answers whether it was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RenameIfAbsent<'a> {
    pub(crate) from: &'a [u8],
    pub(crate) to: &'a [u8],
}

impl Operation for Rename<'_> {
    type Output = ();
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys([self.from, self.to])
    }

    fn run(&self, writers: Writers<'_>) -> Result<Self::Output> {
        if !writers.view(self.from)?.exists() {
            return Err(Error::NoSuchKey);
        }
        rename(self.from, self.to, writers)
    }
}

impl Operation for RenameIfAbsent<'_> {
    type Output = bool;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys([self.from, self.to])
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        if !writers.writer(self.from)?.view().exists() {
            return Err(Error::NoSuchKey);
        }
        if writers.writer(self.to)?.view().exists() {
            return Ok(false);
        }
        rename(self.from, self.to, writers).map(|()| true)
    }
}

fn rename(from: &[u8], to: &[u8], mut writers: Writers<'_>) -> Result<()> {
    if from == to {
        return Ok(());
    }
    // Both keys are locked before either changes.
    writers.view(to)?;
    let mut source = writers.writer(from)?;
    let Some(taken) = source.take() else { return Ok(()) };
    source.notify(EventKind::RenamedFrom);
    let mut destination = writers.writer(to)?;
    destination.put(taken);
    destination.notify(EventKind::RenamedTo);
    Ok(())
}

/// Copies what a key holds, with its deadline, to another key or database; answers whether it
/// did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Copy<'a> {
    pub(crate) source: &'a [u8],
    pub(crate) destination: &'a [u8],
    pub(crate) options: CopyOptions,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CopyOptions {
    /// The destination's database, if it is not the source's.
    pub(crate) database: Option<u16>,
    /// Whether the destination may exist.
    pub(crate) replace: bool,
}

impl Operation for Copy<'_> {
    type Output = bool;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        let source = Place { database: None, key: self.source };
        let destination = Place { database: self.options.database, key: self.destination };
        Extent::Keys([source, destination].into_iter().collect())
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        let database = other_database(self.options.database, &writers)?;
        if database == writers.database() && self.source == self.destination {
            return Err(Error::SameObject);
        }
        let source = writers.look_up(self.source)?;
        let Some(copy) = Writer::copy_of(source, writers.database()) else { return Ok(false) };
        let mut writers = writers.in_database(database);
        let mut destination = writers.writer(self.destination)?;
        if destination.view().exists() && !self.options.replace {
            return Ok(false);
        }
        destination.put(copy);
        destination.notify(EventKind::CopiedTo);
        Ok(true)
    }
}

/// The database named, or the current one.
fn other_database(named: Option<u16>, writers: &Writers<'_>) -> Result<u16> {
    let database = named.unwrap_or(writers.database());
    let exists = database < writers.moment().databases.count();
    if exists { Ok(database) } else { Err(Error::NoSuchDatabase) }
}

/// Moves a key to another database, if it is free there; answers whether it was moved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Move<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) database: u16,
}

impl Operation for Move<'_> {
    type Output = bool;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        let places = [None, Some(self.database)].map(|database| Place { database, key: self.key });
        Extent::Keys(places.into_iter().collect())
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        let database = other_database(Some(self.database), &writers)?;
        if database == writers.database() {
            return Err(Error::SameObject);
        }
        if !writers.writer(self.key)?.view().exists() {
            return Ok(false);
        }
        if writers.in_database(database).writer(self.key)?.view().exists() {
            return Ok(false);
        }
        let mut source = writers.writer(self.key)?;
        let Some(taken) = source.take() else { return Ok(false) };
        source.notify(EventKind::MovedFrom);
        let mut writers = writers.in_database(database);
        let mut destination = writers.writer(self.key)?;
        destination.put(taken);
        destination.notify(EventKind::MovedTo);
        Ok(true)
    }
}

/// The number of keys; those that have expired count until they are removed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Count {}

impl Operation for Count {
    type Output = usize;
    type Access = Walk;

    fn target(&self) {}

    fn run(&self, shards: Shards<'_>) -> Result<Self::Output> {
        Ok((0..SHARDS).filter_map(|index| shards.visit(index, |shard| shard.len())).sum())
    }
}

/// How the memory of what is removed is given back. Larder does it in the caller's thread and
/// never under a lock, whichever is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ClearMode {
    #[default]
    Default,
    Async,
    Sync,
}

/// Removes all keys of the database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clear {
    pub(crate) mode: ClearMode,
}

impl Operation for Clear {
    type Output = ();
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::Database
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        writers.clear();
        Ok(())
    }
}

/// Removes all keys of all databases.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ClearAll {
    pub(crate) mode: ClearMode,
}

impl Operation for ClearAll {
    type Output = ();
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::Everything
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        for database in 0..writers.moment().databases.count() {
            writers.in_database(database).clear();
        }
        Ok(())
    }
}

/// Gives two databases the keys of each other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SwapDatabases {
    pub(crate) databases: (DatabaseNumber, DatabaseNumber),
}

/// The number of a database, which there may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseNumber(pub(crate) u16);

impl Operation for SwapDatabases {
    type Output = ();
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::Pair(self.databases.0.0, self.databases.1.0)
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        let (DatabaseNumber(one), DatabaseNumber(other)) = self.databases;
        if one.max(other) >= writers.moment().databases.count() {
            return Err(Error::NoSuchDatabase);
        }
        writers.swap(one, other);
        Ok(())
    }
}
