//! Commands that were kept, run again on databases that nobody uses yet.
//!
//! They come in the order in which they were kept, by their names through the table of all
//! commands, as clients send them. What stands between `MULTI` and `EXEC` is done when the latter
//! comes, or not at all: a log may end in between.
//!
//! Runs within [`Databases::load`], so that nothing is due, and before there is a journal.

use crate::error::Error;
use crate::keyspace::{Databases, Space};
use crate::number;
use crate::wire::args::Argv;
use crate::wire::command::Context;
use crate::wire::{Encoder, Protocol, error, table};

/// How many bytes of an unknown name are told.
const LONGEST_NAME: usize = 128;

/// Why a command that was kept cannot be run.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// What is wrong with it: whatever was kept has been done before without an error.
    Damage(String),
    /// No store has a command of this name, but a server may have.
    Unsupported(String),
    /// It could be, elsewhere.
    Error(Error),
}

impl Refusal {
    pub(super) fn damage(reason: &str) -> Self {
        Self::Damage(reason.to_owned())
    }

    fn unsupported(name: &[u8]) -> Self {
        Self::Unsupported(shown(name))
    }
}

/// A name as messages have it, and not all of what may be very long.
pub(super) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(LONGEST_NAME)]).into_owned()
}

/// Whether a command is about libraries of functions: they are passed over, as in an RDB file.
pub(super) fn is_about_functions(argv: &[&[u8]]) -> bool {
    argv.first().is_some_and(|name| name.eq_ignore_ascii_case(b"FUNCTION"))
}

/// Runs commands that were kept.
pub(crate) struct Replay<'d> {
    databases: &'d Databases,
    database: u16,
    /// What came since `MULTI`.
    queue: Option<Vec<Argv>>,
    /// Replies, which nobody reads.
    replies: Vec<u8>,
}

impl<'d> Replay<'d> {
    /// Begins in the first database.
    pub(crate) fn new(databases: &'d Databases) -> Self {
        Self { databases, database: 0, queue: None, replies: Vec::new() }
    }

    /// Runs a command, with its name, or keeps it until `EXEC`.
    pub(crate) fn command(&mut self, argv: &[&[u8]]) -> Result<(), Refusal> {
        let Some((name, arguments)) = argv.split_first() else { return Ok(()) };
        let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
        if is("MULTI") {
            return match self.queue.replace(Vec::new()) {
                None => Ok(()),
                Some(_) => Err(Refusal::damage("a transaction within a transaction")),
            };
        }
        if is("EXEC") {
            let none = || Refusal::damage("the end of a transaction that has not begun");
            return self.queue.take().ok_or_else(none)?.iter().try_for_each(|queued| {
                let argv: Vec<&[u8]> = queued.iter().collect();
                self.run(argv[0], &argv[1..])
            });
        }
        match &mut self.queue {
            None => self.run(name, arguments),
            Some(queue) => {
                let mut queued = Argv::default();
                argv.iter().for_each(|argument| queued.push(argument));
                queue.push(queued);
                Ok(())
            }
        }
    }

    /// Whether commands wait for an `EXEC`.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.queue.is_some()
    }

    fn run(&mut self, name: &[u8], arguments: &[&[u8]]) -> Result<(), Refusal> {
        if name.eq_ignore_ascii_case(b"SELECT") {
            return self.select(arguments);
        }
        let row = table::find(name).ok_or_else(|| Refusal::unsupported(name))?;
        self.replies.clear();
        let space = Space::new(self.databases, self.database);
        let mut encoder = Encoder::new(&mut self.replies, Protocol::Resp2);
        let outcome = row.execute(arguments, &mut Context::Run(space), &mut encoder);
        outcome.map_err(|error| match error {
            Error::NoSuchDatabase => Refusal::Error(self.too_few(arguments).unwrap_or(error)),
            error => fails(&error::redis_text(&error, row.name)),
        })
    }

    /// The error of a command between databases, of whose numbers the other's is the last.
    fn too_few(&self, arguments: &[&[u8]]) -> Option<Error> {
        let numbers = arguments.iter().rev().filter_map(|argument| number::parse_integer(argument));
        let mut numbers = numbers.filter_map(|number| u64::try_from(number).ok());
        numbers.find_map(|number| self.databases.known(number).err())
    }

    fn select(&mut self, arguments: &[&[u8]]) -> Result<(), Refusal> {
        let number = match arguments {
            [number] => number::parse_integer(number).and_then(|number| u64::try_from(number).ok()),
            _ => None,
        };
        let number = number.ok_or_else(|| Refusal::damage("a database without a number"))?;
        self.database = self.databases.known(number).map_err(Refusal::Error)?;
        Ok(())
    }
}

fn fails(error: &[u8]) -> Refusal {
    Refusal::Damage(format!("a command fails with {:?}", String::from_utf8_lossy(error)))
}

#[cfg(test)]
mod tests;
