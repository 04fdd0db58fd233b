//! Transactions: `MULTI`, `EXEC`, `DISCARD`, `WATCH`, `UNWATCH`.
//!
//! # Atomicity
//!
//! What `EXEC` runs holds all its locks at once, so nobody sees a part of it; a watch is judged
//! under the same locks. Commands that look at all keys by themselves, or at other clients (`INFO`,
//! `DEBUG`, `CLIENT LIST`, `SWAPDB`, ...), cannot run within locks: what stands before such a
//! command and what stands behind it are two atomic parts, one after the other.

use smallvec::SmallVec;

use super::table::{self, Command, Entry};
use super::{Answer, Failure, Session};
use crate::error::{Error, Result};
use crate::keyspace::access::{Demand, Locked};
use crate::keyspace::{After, Space, Watched};
use crate::number;
use crate::sync::Arc;
use crate::wire::args::Argv;
use crate::wire::command::Context;
use crate::wire::table::{READONLY, WRITE};
use crate::wire::{Encoder, error};

/// Commands queued since `MULTI`.
#[derive(Default)]
pub(super) struct Transaction {
    commands: Vec<Queued>,
    bytes: usize,
    /// Whether a command could not even be queued.
    is_refused: bool,
}

struct Queued {
    command: Command,
    /// With its name.
    argv: Argv,
}

impl Transaction {
    pub(super) fn len(&self) -> usize {
        self.commands.len()
    }

    /// What the queued arguments take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn queue(&mut self, command: Command, name: &[u8], arguments: &[&[u8]]) {
        let mut argv = Argv::default();
        argv.push(name);
        arguments.iter().for_each(|argument| argv.push(argument));
        self.bytes += argv.iter().map(<[u8]>::len).sum::<usize>() + size_of::<Queued>();
        self.commands.push(Queued { command, argv });
    }

    /// Has `EXEC` do nothing.
    pub(super) fn refuse(&mut self) {
        self.is_refused = true;
    }

    /// Whether one of the queued commands may change something.
    pub(super) fn writes(&self) -> bool {
        self.commands.iter().any(|queued| writes(queued.command.entry))
    }
}

/// Whether a pause of writes concerns the command.
pub(super) fn writes(entry: Entry) -> bool {
    entry.has_flag(WRITE) || matches!(entry.name(), "PUBLISH" | "SPUBLISH")
}

/// Whether the command reads or changes keys, or tells other clients something.
pub(super) fn looks_at_keys(entry: Entry) -> bool {
    entry.has_flag(READONLY) || writes(entry)
}

impl Queued {
    fn argv(&self) -> SmallVec<[&[u8]; 8]> {
        self.argv.iter().collect()
    }

    /// Whether it may run while locks are held.
    fn runs_within(&self) -> bool {
        let entry = self.command.entry;
        match entry.action() {
            None => true,
            Some(_) => entry.has_flag(table::PRIVATE),
        }
    }
}

pub(super) fn multi(session: &mut Session, _: &[&[u8]]) -> Answer {
    if session.transaction.is_some() {
        return Err("ERR MULTI calls can not be nested".into());
    }
    session.transaction = Some(Transaction::default());
    session.ok()
}

pub(super) fn discard(session: &mut Session, _: &[&[u8]]) -> Answer {
    if session.transaction.take().is_none() {
        return Err("ERR DISCARD without MULTI".into());
    }
    session.watched = None;
    session.ok()
}

pub(super) fn watch(session: &mut Session, keys: &[&[u8]]) -> Answer {
    if session.transaction.is_some() {
        return Err("ERR WATCH inside MULTI is not allowed".into());
    }
    let databases = session.shared.databases();
    let watched = session.watched.get_or_insert_with(|| Watched::new(databases));
    keys.iter().for_each(|key| watched.add(session.database, key));
    session.ok()
}

pub(super) fn unwatch(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.watched = None;
    session.ok()
}

pub(super) fn exec(session: &mut Session, _: &[&[u8]]) -> Answer {
    let Some(transaction) = session.transaction.take() else {
        return Err("ERR EXEC without MULTI".into());
    };
    let mut watched = session.watched.take();
    if transaction.is_refused {
        return Err("EXECABORT Transaction discarded because of previous errors.".into());
    }
    session.is_executing = true;
    let begun = session.output.len();
    let mut rest = &transaction.commands[..];
    // The first part is entered even if it is empty, for the sake of the watch.
    loop {
        let end = rest.iter().position(|queued| !queued.runs_within()).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        let is_first = rest.len() == transaction.commands.len();
        let length = is_first.then_some(transaction.commands.len());
        match session.execute_part(part, watched.take(), length) {
            Ok(true) => {}
            Ok(false) => {
                session.encoder().null_array();
                break;
            }
            Err(error) => {
                // In place of all replies, as those behind are not to come.
                session.output.truncate(begun);
                session.is_executing = false;
                return Err(failure_of(&error, is_first));
            }
        }
        let Some((alone, behind)) = behind.split_first() else { break };
        let argv = alone.argv();
        session.call(alone.command, argv[0], &argv[1..]);
        session.mind_output_limit();
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    session.is_executing = false;
    session.tell_monitors_of(&transaction);
    Ok(())
}

/// What is said when the journal refuses a part, or cannot answer for it.
fn failure_of(error: &Error, is_first: bool) -> Failure {
    let text = error::redis_text(error, "EXEC");
    match error {
        Error::ReadOnly(_) if is_first => {
            let words = b"EXECABORT Transaction discarded because of: ";
            [&words[..], &text].concat().into()
        }
        _ => text.into(),
    }
}

impl Session {
    /// Shows what has been executed to those who monitor.
    fn tell_monitors_of(&self, transaction: &Transaction) {
        if !self.shared.monitors.has_listeners() {
            return;
        }
        for queued in &transaction.commands {
            let argv = queued.argv();
            self.tell_monitors(queued.command, argv[0], &argv[1..]);
        }
    }

    /// Runs commands under all their locks, unless a watch is broken. The first part begins the
    /// reply, of `length` elements. The error is the journal's.
    fn execute_part(
        &mut self,
        part: &[Queued],
        watched: Option<Watched>,
        length: Option<usize>,
    ) -> Result<bool> {
        let shared = Arc::clone(&self.shared);
        let databases = shared.store.databases();
        let mut demand = Demand::default();
        if let Some(watched) = &watched {
            watched.demand(&mut demand);
        }
        self.demand(part, &mut demand);
        let mut after = After::default();
        let caller = std::mem::take(&mut self.caller);
        let space = Space::of_caller(databases, self.database, &caller);
        let executed = demand.enter(space).map(|mut locked| {
            let holds = watched.as_ref().is_none_or(|watched| watched.holds(&locked));
            if holds {
                if let Some(length) = length {
                    self.encoder().array(length);
                }
                part.iter().for_each(|queued| self.execute_within(&mut locked, queued));
            }
            locked.release(&mut after);
            holds
        });
        self.caller = caller;
        // The watch lets go of its keys only now that they are not locked.
        drop(watched);
        let holds = executed?;
        self.held.deferring(&shared, || after.settle(databases))?;
        Ok(holds)
    }

    /// Adds the locks that commands need, each in the database that it will find itself in.
    fn demand(&mut self, part: &[Queued], demand: &mut Demand) {
        let shared = Arc::clone(&self.shared);
        let databases = shared.store.databases();
        let mut database = self.database;
        let mut nothing = Vec::new();
        for queued in part {
            let argv = queued.argv();
            if queued.command.entry.name() == "SELECT" {
                database = argv
                    .get(1)
                    .and_then(|text| number_of(text, databases.count()))
                    .unwrap_or(database);
            }
            if let Some(row) = queued.command.entry.data() {
                let mut context = Context::Demand(Space::new(databases, database), demand);
                let mut encoder = Encoder::new(&mut nothing, self.protocol);
                // What cannot be parsed locks nothing, and is answered when its turn comes.
                let _ = row.execute(&argv[1..], &mut context, &mut encoder);
            }
        }
    }

    fn execute_within(&mut self, locked: &mut Locked<'_>, queued: &Queued) {
        let argv = queued.argv();
        let (name, arguments) = (argv[0], &argv[1..]);
        let Some(row) = queued.command.entry.data() else {
            return self.call(queued.command, name, arguments);
        };
        self.last = Some(queued.command);
        self.shared.statistics.note_call(queued.command.place);
        let mut encoder = Encoder::new(&mut self.output, self.protocol);
        let mut context = Context::Within(locked, self.database);
        if let Err(error) = row.execute(arguments, &mut context, &mut encoder) {
            self.fail_as(queued.command, arguments, Failure::Of(error));
        }
        // The commands run to the last, but what nobody will read is not kept.
        self.mind_output_limit();
    }
}

/// The number of a database that there is.
pub(super) fn number_of(text: &[u8], count: u16) -> Option<u16> {
    let number = number::parse_integer(text)?;
    u16::try_from(number).ok().filter(|number| *number < count)
}
