//! What is recorded and not yet written.
//!
//! Invariant: the bytes are [`ROOM`] for a header, and then the commands of whole records, each
//! for the database that the last `select` before it names.

use crate::argv::Argv;
use crate::keyspace::journal::Record;
use crate::persist::frame::{FrameWriter, LONGEST_HEADER};

/// More than this is not left to pile up.
const MOST: usize = 16 << 20;
/// A log that rests keeps no larger buffers.
const KEPT: usize = 1 << 20;
/// A header with its padding is not longer.
const ROOM: usize = 2 * LONGEST_HEADER;

/// The position of a record that came too late to be written.
pub(super) const TOO_LATE: u64 = u64::MAX;

/// Records that wait to be written, in the order of what they tell of.
pub(super) struct Pending {
    batch: Batch,
    /// The database that the next command is for unless a `select` says otherwise, if it is known.
    database: Option<u16>,
    /// How many records there ever were.
    recorded: u64,
    /// How many of these are not in the batch any more.
    taken: u64,
    /// Why writes are refused, if they are.
    pub(super) refusal: Option<String>,
    /// Nobody takes what is recorded from now on.
    is_closed: bool,
}

/// Records that become one frame.
pub(super) struct Batch {
    commands: Argv,
    /// The position behind the last record: how many bytes were ever recorded.
    end: u64,
}

impl Pending {
    pub(super) fn new() -> Self {
        Self {
            batch: Batch::new(),
            database: None,
            recorded: 0,
            taken: 0,
            refusal: None,
            is_closed: false,
        }
    }

    /// Adds a record; answers the position behind it.
    #[inline]
    pub(super) fn push(&mut self, record: &Record) -> u64 {
        self.add(|pending| match record.only() {
            Some(command) => pending.copy(command),
            None => pending.copy_transaction(record),
        })
    }

    /// Adds a record of one command, of which `write` pushes the arguments.
    #[inline]
    pub(super) fn push_command(&mut self, database: u16, write: impl FnOnce(&mut Argv)) -> u64 {
        self.add(|pending| {
            pending.select(database);
            pending.batch.commands.command(write);
        })
    }

    #[inline]
    fn add(&mut self, write: impl FnOnce(&mut Self)) -> u64 {
        if self.is_closed {
            return TOO_LATE;
        }
        let before = self.batch.commands.bytes().len();
        write(self);
        self.recorded += 1;
        self.batch.end += (self.batch.commands.bytes().len() - before) as u64;
        self.batch.end
    }

    fn copy_transaction(&mut self, record: &Record) {
        self.batch.commands.command(|argv| argv.word("MULTI"));
        record.commands().for_each(|command| self.copy(command));
        self.batch.commands.command(|argv| argv.word("EXEC"));
    }

    #[inline]
    fn copy(&mut self, (database, command): (u16, &[u8])) {
        self.select(database);
        self.batch.commands.append(&[command]);
    }

    /// What comes next is for this database.
    #[inline]
    fn select(&mut self, database: u16) {
        if self.database != Some(database) {
            self.database = Some(database);
            // In small letters, which no server uses: by its own `SELECT` it is known where one
            // has gone on from a frame that it has cut.
            self.batch.commands.command(|argv| {
                argv.word("select");
                argv.integer(database);
            });
        }
    }

    /// The position behind the last record.
    pub(super) fn end(&self) -> u64 {
        self.batch.end
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// How many records there ever were.
    pub(super) fn recorded(&self) -> u64 {
        self.recorded
    }

    /// How many bytes wait to be written.
    pub(super) fn bytes(&self) -> usize {
        self.batch.commands.bytes().len() - ROOM
    }

    /// How many records wait to be written.
    pub(super) fn records(&self) -> u64 {
        self.recorded - self.taken
    }

    pub(super) fn is_full(&self) -> bool {
        self.batch.commands.bytes().len() > MOST
    }

    /// Moves all records to an empty batch.
    pub(super) fn take(&mut self, batch: &mut Batch) {
        debug_assert!(batch.is_empty(), "a batch that is not written");
        batch.end = self.batch.end;
        self.taken = self.recorded;
        std::mem::swap(&mut batch.commands, &mut self.batch.commands);
    }

    /// As [`take`](Self::take); what comes next may be written to another segment.
    pub(super) fn take_last_of_segment(&mut self, batch: &mut Batch) {
        self.take(batch);
        self.database = None;
    }

    /// Gives back the memory that records of now do not need.
    pub(super) fn shrink(&mut self) {
        self.batch.shrink();
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.batch.commands.capacity()
    }

    /// What comes from now on comes too late.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }
}

impl Batch {
    pub(super) fn new() -> Self {
        let mut commands = Argv::default();
        commands.append(&[&[0; ROOM]]);
        Self { commands, end: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commands.bytes().len() == ROOM
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Forgets the records. The next may be as many, so their memory is kept, unless it is more
    /// than ever piles up.
    pub(super) fn clear(&mut self) {
        self.commands.truncate(ROOM);
        self.commands.shrink_to(2 * MOST);
    }

    /// Gives back the memory that records of now do not need.
    pub(super) fn shrink(&mut self) {
        self.commands.shrink_to(KEPT);
    }

    /// The records as the next frame of a segment.
    pub(super) fn frame(&mut self, frames: &mut FrameWriter, synced: u64) -> &[u8] {
        let mut header = Vec::with_capacity(ROOM);
        let bytes = self.commands.bytes_mut();
        frames.header(&bytes[ROOM..], synced, &mut header);
        let start = ROOM - header.len();
        bytes[start..ROOM].copy_from_slice(&header);
        &bytes[start..]
    }
}
