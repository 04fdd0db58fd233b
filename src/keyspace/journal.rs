//! The journal: who is told of every change before anybody else is.
//!
//! Whatever changes the keyspace records its [`Effect`]s, all those of one operation (or of one
//! batch or transaction) in one [`Record`]; a string that is set by itself needs none to be
//! gathered. The record is appended to the journal while the locks of what has changed are still
//! held: so the order of records is an order of the changes, and changes that were made at one
//! instant are told as one. When the locks are released, the operation waits until the journal
//! answers for its record, and only then does anybody else hear of the change: the caller, those
//! who waited for it, subscribers.
//!
//! A dataset without a journal records nothing, at the price of one branch a change.
//!
//! Whoever runs operations for many, and holds back what he answers them, may wait once for all:
//! see [`deferring`].
//!
//! # Threading
//!
//! A record belongs to the thread that holds the locks. A thread keeps one record that it does not
//! need, so that recording does not allocate.

use std::cell::Cell;

use super::Databases;
use super::effect::Effect;
use crate::argv::{Argv, NO_ARGUMENTS, header_length, split_bulk};
use crate::error::Result;
use crate::sync::Arc;

/// Keeps what is done to the keyspace.
pub(crate) trait Journal: Send + Sync {
    /// Called before an operation that may write takes its locks: may wait, and may refuse it.
    ///
    /// # Errors
    ///
    /// Why nothing may be written.
    fn admit(&self) -> Result<()>;

    /// Adds the command that says `effect` on `key` to the record.
    fn spell(&self, record: &mut Record, key: &[u8], effect: &Effect<'_>);

    /// Keeps a record, which is not empty, and answers the position behind it, above zero and
    /// above those of earlier records. Called under the locks of all that the record tells of; it
    /// neither waits nor fails.
    fn append(&self, record: &mut Record) -> u64;

    /// As [`append`](Self::append) of a record that says that `key` was set to a string, and no
    /// more. It is the most frequent, so it is spelled where it is kept.
    fn append_set(&self, database: u16, key: &[u8], value: &[u8], unix_ms: Option<i64>) -> u64;

    /// Waits until all records up to a position are as durable as was asked for. Called with no
    /// lock held.
    ///
    /// # Errors
    ///
    /// If it is not known whether they are, or will be.
    fn acknowledge(&self, position: u64) -> Result<()>;
}

/// A journal that others share. Boxed it is found with fewer steps than an `Arc<dyn Journal>`,
/// of which each use computes where behind the counts the value lies.
impl<J: Journal> Journal for Arc<J> {
    #[inline]
    fn admit(&self) -> Result<()> {
        (**self).admit()
    }

    #[inline]
    fn spell(&self, record: &mut Record, key: &[u8], effect: &Effect<'_>) {
        (**self).spell(record, key, effect);
    }

    #[inline]
    fn append(&self, record: &mut Record) -> u64 {
        (**self).append(record)
    }

    #[inline]
    fn append_set(&self, database: u16, key: &[u8], value: &[u8], unix_ms: Option<i64>) -> u64 {
        (**self).append_set(database, key, value, unix_ms)
    }

    #[inline]
    fn acknowledge(&self, position: u64) -> Result<()> {
        (**self).acknowledge(position)
    }
}

/// Commands in their wire form that were recorded under the same locks, each with the database it
/// is for.
#[derive(Default)]
pub(crate) struct Record {
    argv: Argv,
    commands: Vec<Place>,
    /// The database of what is recorded next.
    database: u16,
    /// Commands before this one take no further arguments.
    settled: usize,
}

/// Where a command is in a record's bytes.
struct Place {
    database: u16,
    start: usize,
    end: usize,
    arguments: usize,
}

/// A record that took more than this gives its memory back.
const KEPT_BYTES: usize = 64 << 10;

thread_local! {
    static SPARE: Cell<Option<Box<Record>>> = const { Cell::new(None) };
    /// What this thread has yet to wait for, while it defers that.
    static DEFERRED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs operations of one dataset without waiting for its journal, after some that leave `position`
/// to be waited for. Answers the position that must be acknowledged before anybody is told that
/// all these were done; zero if there is none.
///
/// What an operation brings about for others, such as the end of their waiting, is not deferred:
/// then the journal is waited for as ever, and for all that was deferred with it.
#[cfg_attr(not(feature = "session"), allow(dead_code, reason = "clients are a feature"))]
pub(crate) fn deferring<R>(position: u64, run: impl FnOnce() -> R) -> (R, u64) {
    let deferral = Deferral(DEFERRED.replace(Some(position)));
    let answer = run();
    let position = DEFERRED.get().unwrap_or_default();
    drop(deferral);
    (answer, position)
}

/// Tells others: waits first for what this thread defers, which they may be told of. `tell` may
/// be the caller's code, which is to wait for its own writes.
pub(crate) fn tell_others<R>(journal: Option<&dyn Journal>, tell: impl FnOnce() -> R) -> R {
    let Some(journal) = journal else { return tell() };
    let deferral = Deferral(DEFERRED.replace(None));
    if let Some(position) = deferral.0.filter(|position| *position > 0) {
        // Whoever deferred it waits for it too, and hears of an error.
        let _ = journal.acknowledge(position);
    }
    tell()
}

/// Defers waiting for a position, if this thread does.
pub(super) fn defer(position: u64) -> bool {
    let deferred = DEFERRED.get().map(|deferred| deferred.max(position));
    DEFERRED.set(deferred);
    deferred.is_some()
}

/// Ends with what was before.
struct Deferral(Option<u64>);

impl Drop for Deferral {
    fn drop(&mut self) {
        DEFERRED.set(self.0);
    }
}

impl Record {
    /// An empty record, with whatever memory this thread's last one had.
    pub(super) fn spare() -> Box<Self> {
        SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    /// Keeps the memory of a record for the next.
    pub(super) fn keep_spare(mut self: Box<Self>) {
        if self.argv.capacity() <= KEPT_BYTES {
            self.clear();
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Forgets all commands.
    pub(crate) fn clear(&mut self) {
        self.argv.truncate(0);
        self.commands.clear();
        self.settled = 0;
    }

    /// The command with its database, if it is the only one.
    #[inline]
    pub(crate) fn only(&self) -> Option<(u16, &[u8])> {
        let [place] = &self.commands[..] else { return None };
        Some((place.database, &self.argv.bytes()[place.start..place.end]))
    }

    /// The commands in their order, each with its database.
    pub(crate) fn commands(&self) -> impl ExactSizeIterator<Item = (u16, &[u8])> {
        self.commands
            .iter()
            .map(|place| (place.database, &self.argv.bytes()[place.start..place.end]))
    }

    /// Adds a command, of which `write` pushes the arguments, name and all.
    #[inline]
    pub(crate) fn command(&mut self, write: impl FnOnce(&mut Argv)) {
        let start = self.argv.bytes().len();
        self.argv.command(write);
        self.note(start);
    }

    /// As [`command`](Self::command), for one of which all but the first `shared` arguments may
    /// as well stand behind those of a command before it that begins with the same.
    #[inline]
    pub(crate) fn variadic(&mut self, shared: usize, write: impl FnOnce(&mut Argv)) {
        let start = self.argv.begin();
        write(&mut self.argv);
        if !self.join_last(start, shared) {
            self.argv.declare(start, 0, self.argv.len());
            self.note(start);
        }
    }

    /// What is recorded next is of this database.
    #[inline]
    pub(super) fn enter(&mut self, database: u16) {
        self.database = database;
    }

    /// How much has been recorded, to [`rewind`](Self::rewind) to; what comes next stays apart
    /// from it.
    fn mark(&mut self) -> usize {
        self.settled = self.commands.len();
        self.settled
    }

    /// Forgets what was recorded since a mark.
    fn rewind(&mut self, mark: usize) {
        self.commands.truncate(mark);
        self.argv.truncate(self.commands.last().map_or(0, |place| place.end));
    }

    /// Notes the command that begins at `start` and is the last.
    #[inline]
    fn note(&mut self, start: usize) {
        let arguments = self.argv.len();
        let (database, end) = (self.database, self.argv.bytes().len());
        self.commands.push(Place { database, start, end, arguments });
    }

    /// Moves what follows the shared arguments behind the last command, if that begins with the
    /// same and is for the same database.
    fn join_last(&mut self, start: usize, shared: usize) -> bool {
        let unsettled = self.commands.get_mut(self.settled..);
        let Some(last) = unsettled.and_then(<[_]>::last_mut) else { return false };
        let bytes = self.argv.bytes();
        let own = &bytes[start + NO_ARGUMENTS.len()..];
        let own = &own[..length_of(own, shared)];
        let others = &bytes[last.start + header_length(last.arguments)..last.end];
        if last.database != self.database || !others.starts_with(own) {
            return false;
        }
        let arguments = last.arguments + self.argv.len() - shared;
        self.argv.remove(last.end..start + NO_ARGUMENTS.len() + own.len());
        self.argv.declare(last.start, last.arguments, arguments);
        (last.end, last.arguments) = (self.argv.bytes().len(), arguments);
        true
    }
}

/// How many bytes so many bulk strings take.
fn length_of(bytes: &[u8], count: usize) -> usize {
    let rest = (0..count).fold(bytes, |rest, _| split_bulk(rest).map_or(rest, |(_, rest)| rest));
    bytes.len() - rest.len()
}

/// Where changes of one key are recorded.
pub(super) struct Recorder<'r> {
    journal: &'r dyn Journal,
    databases: &'r Databases,
    record: &'r mut Record,
    key: &'r [u8],
}

impl<'r> Recorder<'r> {
    #[inline(never)]
    pub(super) fn new(
        journal: &'r dyn Journal,
        databases: &'r Databases,
        record: &'r mut Option<Box<Record>>,
        database: u16,
        key: &'r [u8],
    ) -> Self {
        let record = record.get_or_insert_with(Record::spare);
        record.enter(database);
        Self { journal, databases, record, key }
    }

    #[inline]
    pub(super) fn keep(&mut self, effect: &Effect<'_>) {
        self.journal.spell(self.record, self.key, effect);
    }

    /// The Unix time in milliseconds of a time of the store.
    pub(super) fn unix_of(&self, time: u64) -> i64 {
        self.databases.unix_of(time)
    }

    pub(super) fn mark(&mut self) -> usize {
        self.record.mark()
    }

    pub(super) fn rewind(&mut self, mark: usize) {
        self.record.rewind(mark);
    }
}

#[cfg(test)]
mod tests;
