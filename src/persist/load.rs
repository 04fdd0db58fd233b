//! Reading what was kept into databases that nobody else uses yet: the snapshot, then the segments
//! of the log, command by command.
//!
//! The snapshot may be what Redis has for a base: an RDB file, commands, or the former and then the
//! latter. Each file begins in the first database.
//!
//! What is loaded is a prefix of what was written, or there is an error; after one, the databases
//! hold some of it and are to be dropped.

use std::io::{self, Cursor, Read};

use smallvec::SmallVec;

use super::frame::Chain;
use super::replay::Replay;
use super::segment::{Payload, SegmentReader, Verdict};
use super::{Kept, Source};
use crate::codec::Times;
use crate::codec::file::FileReader;
use crate::codec::load::{Expired, Loading, load_entries};
use crate::error::{Error, Result};
use crate::keyspace::Databases;
use crate::wire::{RequestLimits, RequestParser};

/// Arguments of a command that are held without memory of their own.
const FEW: usize = 8;

/// What was loaded.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Of the RDB part of the snapshot.
    pub(crate) loading: Loading,
    /// Commands that were run.
    pub(crate) commands: u64,
    /// Bytes that were read, those of a torn end not among them.
    pub(crate) bytes: u64,
    /// What the next frame follows; `None` if there was no frame.
    pub(crate) chain: Option<Chain>,
    /// The end that is no whole write, if the last file has one.
    pub(crate) torn: Option<Torn>,
}

/// What a crash has left of a write, at the end of the last file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Torn {
    /// The name of the file.
    pub(crate) file: String,
    /// How much of it is good.
    pub(crate) valid_length: u64,
    /// How much is not.
    pub(crate) lost: u64,
    pub(crate) reason: &'static str,
}

/// Loads all that was kept; `progress` hears now and then how many bytes are done. To be called
/// within [`Databases::load`].
///
/// # Errors
///
/// [`Error::Corrupt`], with the name of the file, [`Error::Io`], and [`Error::NoSuchDatabase`] if
/// the snapshot has more databases than there are.
pub(crate) fn load(
    kept: Kept,
    databases: &Databases,
    progress: &mut dyn FnMut(u64),
) -> Result<Contents> {
    let mut loader = Loader { databases, contents: Contents::default(), progress };
    let mut segments = kept.segments.into_iter().peekable();
    if let Some(snapshot) = kept.snapshot {
        loader.snapshot(snapshot, segments.peek().is_none())?;
    }
    while let Some(segment) = segments.next() {
        let Source { reader, length, name } = segment.source;
        let chain = loader.contents.chain;
        let reader = SegmentReader::new(reader, segment.number, chain);
        loader.commands(reader, &name, length, segments.peek().is_none())?;
    }
    (loader.progress)(loader.contents.bytes);
    Ok(loader.contents)
}

struct Loader<'l> {
    databases: &'l Databases,
    contents: Contents,
    progress: &'l mut dyn FnMut(u64),
}

impl Loader<'_> {
    fn snapshot(&mut self, snapshot: Source, is_last: bool) -> Result<()> {
        let Source { reader, length, name } = snapshot;
        let (is_rdb, mut reader) = recognize(reader)?;
        if !is_rdb {
            return self.commands(SegmentReader::commands(reader, 0), &name, length, is_last);
        }
        let times = Times { wall_offset: self.databases.wall_offset() };
        let of_file = |error| of_file(error, &name);
        let mut file = FileReader::open(&mut reader, times).map_err(of_file)?;
        let loading = load_entries(&mut file, self.databases, Expired::Keep, self.progress);
        self.contents.loading = loading.map_err(of_file)?;
        let (ended, behind) = (file.offset(), file.unused().to_vec());
        self.contents.bytes = ended;
        let rest = SegmentReader::commands(Cursor::new(behind).chain(reader), ended);
        self.commands(rest, &name, length, is_last)
    }

    /// Runs all commands of a file whose reader stands where `contents.bytes` end.
    fn commands(
        &mut self,
        mut reader: SegmentReader<impl Read>,
        name: &str,
        length: u64,
        is_last: bool,
    ) -> Result<()> {
        /// Bytes between two calls of `progress`.
        const STEP: u64 = 1 << 20;
        let before = self.contents.bytes - reader.offset();
        let mut told = 0;
        let mut replay = Replay::new(self.databases);
        let mut parser = RequestParser::new(RequestLimits::default());
        while let Some(payload) = reader.next()? {
            let run = run_all(&payload, &mut parser, &mut replay);
            let offset = payload.offset;
            self.contents.commands += run.map_err(|wrong| corrupt(name, wrong, offset))?;
            if reader.offset() - told >= STEP {
                told = reader.offset();
                (self.progress)(before + told);
            }
        }
        self.contents.chain = reader.chain().or(self.contents.chain);
        let verdict = reader.verdict().unwrap_or(Verdict::Clean { length });
        let good = match if is_last { verdict } else { verdict.of_inner_segment() } {
            Verdict::Clean { length } => length,
            Verdict::Corrupt { offset, reason } => return Err(corrupt(name, reason, offset)),
            Verdict::Tail { valid_length, reason } => {
                let (file, lost) = (name.to_owned(), length.saturating_sub(valid_length));
                self.contents.torn = Some(Torn { file, valid_length, lost, reason });
                valid_length
            }
        };
        self.contents.bytes = before + good;
        Ok(())
    }
}

/// Runs the commands of a payload; answers how many they are. An error says what is wrong.
fn run_all(
    payload: &Payload<'_>,
    parser: &mut RequestParser,
    replay: &mut Replay<'_>,
) -> Result<u64, String> {
    let mut count = 0;
    for_each_command(payload.bytes, parser, |argv| {
        count += 1;
        replay.command(argv).map_err(|error| format!("a command fails with {error:?}"))
    })?;
    match replay.is_in_transaction() {
        false => Ok(count),
        true => Err("a transaction goes on behind the end of its frame".to_owned()),
    }
}

/// Shows the commands of a payload, in order. An error says what is wrong.
pub(super) fn for_each_command(
    mut bytes: &[u8],
    parser: &mut RequestParser,
    mut show: impl FnMut(&[&[u8]]) -> Result<(), String>,
) -> Result<(), String> {
    while let Some(first) = bytes.first() {
        // People may type commands in another form; nobody writes a log in it.
        let request = parser.parse(bytes).ok().flatten();
        let request = request.filter(|request| *first == b'*' && !request.is_empty());
        let request = request.ok_or("there is no command where one should be")?;
        let argv: SmallVec<[&[u8]; FEW]> = request.iter().collect();
        show(&argv)?;
        bytes = &bytes[request.consumed()..];
    }
    Ok(())
}

/// Whether bytes begin as an RDB file does; and all of them again.
pub(super) fn recognize<R: Read>(mut reader: R) -> io::Result<(bool, impl Read + use<R>)> {
    const MAGIC: [&[u8]; 2] = [b"REDIS", b"VALKEY"];
    let mut head = Vec::new();
    reader.by_ref().take(MAGIC[1].len() as u64).read_to_end(&mut head)?;
    let is_rdb = MAGIC.iter().any(|magic| head.starts_with(magic));
    Ok((is_rdb, Cursor::new(head).chain(reader)))
}

fn corrupt(name: &str, what: impl AsRef<str>, offset: u64) -> Error {
    Error::Corrupt { what: format!("{name}: {}", what.as_ref()), offset }
}

fn of_file(error: Error, name: &str) -> Error {
    match error {
        Error::Corrupt { what, offset } => corrupt(name, what, offset),
        other => other,
    }
}
