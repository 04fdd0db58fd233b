//! Reading what was kept: the snapshot, then the segments of the log, to the end or to the first
//! damage.
//!
//! This is the one place that says what of it is good. Whoever opens a store, looks at what it has
//! kept or mends it is a [`Visitor`], who is shown what is good, in order, and nothing else.
//!
//! The snapshot may be what Redis has for a base: an RDB file, commands, or the former and then the
//! latter. Each file begins in the first database.

use std::fmt;
use std::io::{self, Cursor, Read};

use smallvec::SmallVec;

use super::frame::Chain;
use super::replay::Refusal;
use super::segment::{Payload, SegmentReader, Verdict};
use super::{Kept, Source};
use crate::codec::Times;
use crate::codec::file::FileReader;
use crate::error::{Error, Result};
use crate::wire::{RequestLimits, RequestParser};

/// Arguments of a command that are held without memory of their own.
const FEW: usize = 8;

/// What becomes of what is read.
pub(super) trait Visitor {
    /// Another file begins: the snapshot, or the segment of this number.
    fn begin(&mut self, segment: Option<u64>);

    /// Takes all entries of an RDB file; `progress` hears now and then how many bytes are done.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] is damage, where reading ends; any other ends it with that error.
    fn entries(&mut self, file: &mut FileReader<'_>, progress: &mut dyn FnMut(u64)) -> Result<()>;

    /// Takes a frame, or a command or transaction without one, and its commands. Reading ends where
    /// one is refused, and with an error if that is no damage.
    fn payload(&mut self, payload: &Payload<'_>, parser: &mut RequestParser)
    -> Result<(), Refusal>;
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Bytes that are good.
    pub(super) bytes: u64,
    /// What the next frame follows; `None` if there was no frame.
    pub(super) chain: Option<Chain>,
    /// Why it went no further.
    pub(super) damage: Option<Damage>,
}

/// The first place at which what is kept is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The name of the file.
    pub file: String,
    /// Where in it the damage was met, in bytes.
    pub offset: u64,
    /// How much of the file is good. Zero for a damaged RDB file, of which nothing can be used.
    pub valid_length: u64,
    /// How much of the file is not.
    pub lost: u64,
    /// What is wrong.
    pub reason: String,
    /// Whether it is what a crash leaves of the last write, before that was made durable. Opening
    /// cuts such an end off a segment by itself; anything else it refuses, a snapshot with such an
    /// end among it.
    pub is_torn: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, at byte {}", self.file, self.reason, self.offset)
    }
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        let Damage { file, offset, reason, .. } = damage;
        Self::Corrupt { what: format!("{file}: {reason}"), offset }
    }
}

/// A command of the log that no store has, such as `PFADD`. It is no damage: a server of Redis, or
/// a Larder to come, may have it. A changed bit in a name looks the same, where no checksum covers
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsupported {
    /// The name of the file.
    pub file: String,
    /// Where in it the command begins, in bytes, or the frame or transaction that it is in.
    pub offset: u64,
    /// The name of the command.
    pub command: String,
}

impl Unsupported {
    fn what(&self) -> String {
        format!("{}: the command {:?} is not supported", self.file, self.command)
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at byte {}", self.what(), self.offset)
    }
}

impl From<Unsupported> for Error {
    fn from(unsupported: Unsupported) -> Self {
        Self::Corrupt { what: unsupported.what(), offset: unsupported.offset }
    }
}

/// Shows a visitor all that was kept, to the first damage; `progress` hears now and then how many
/// bytes are done.
///
/// # Errors
///
/// [`Error::Io`], those of the visitor, and [`Error::Corrupt`] for a command that he says is
/// [`Unsupported`].
pub(super) fn read(
    kept: Kept,
    times: Times,
    visitor: &mut impl Visitor,
    progress: &mut dyn FnMut(u64),
) -> Result<Reading> {
    let reading = Reading::default();
    let parser = RequestParser::new(RequestLimits::KEPT);
    let mut reader = Reader { reading, times, parser, visitor, progress };
    let mut segments = kept.segments.into_iter().peekable();
    if let Some(snapshot) = kept.snapshot {
        reader.visitor.begin(None);
        reader.snapshot(snapshot, segments.peek().is_none())?;
    }
    while let Some(segment) = segments.next()
        && reader.reading.damage.is_none()
    {
        let Source { reader: source, length, name } = segment.source;
        reader.visitor.begin(Some(segment.number));
        let source = SegmentReader::new(source, segment.number, reader.reading.chain);
        reader.commands(source, name, length, segments.peek().is_none())?;
    }
    (reader.progress)(reader.reading.bytes);
    Ok(reader.reading)
}

struct Reader<'r, V> {
    reading: Reading,
    times: Times,
    parser: RequestParser,
    visitor: &'r mut V,
    progress: &'r mut dyn FnMut(u64),
}

impl<V: Visitor> Reader<'_, V> {
    fn snapshot(&mut self, snapshot: Source, is_last: bool) -> Result<()> {
        let Source { reader, length, name } = snapshot;
        if length == 0 {
            self.reading.damage = Some(unusable(name, length, 0, "it is empty".to_owned()));
            return Ok(());
        }
        let (is_rdb, mut reader) = recognize(reader)?;
        if !is_rdb {
            return self.commands(SegmentReader::commands(reader, 0), name, length, is_last);
        }
        let entries = FileReader::open(&mut reader, self.times).and_then(|mut file| {
            self.visitor.entries(&mut file, self.progress)?;
            let chain = file.log().map(|log| {
                Chain::parse(log)
                    .ok_or_else(|| file.corrupt("it does not say what goes on from it"))
            });
            Ok((chain.transpose()?, file.offset(), file.unused().to_vec()))
        });
        let (chain, ended, behind) = match entries {
            Ok(ends) => ends,
            Err(Error::Corrupt { what, offset }) => {
                self.reading.damage = Some(unusable(name, length, offset, what));
                return Ok(());
            }
            Err(other) => return Err(other),
        };
        (self.reading.chain, self.reading.bytes) = (chain, ended);
        let rest = SegmentReader::commands(Cursor::new(behind).chain(reader), ended);
        self.commands(rest, name, length, is_last)
    }

    /// Shows all commands of a file whose reader stands where `reading.bytes` end.
    fn commands(
        &mut self,
        mut source: SegmentReader<impl Read>,
        file: String,
        length: u64,
        is_last: bool,
    ) -> Result<()> {
        /// Bytes between two calls of `progress`.
        const STEP: u64 = 1 << 20;
        let before = self.reading.bytes - source.offset();
        let (mut good, mut told) = (source.offset(), 0);
        let mut wrong = None;
        while let Some(payload) = source.next()? {
            match self.visitor.payload(&payload, &mut self.parser) {
                Ok(()) => {}
                Err(Refusal::Damage(reason)) => {
                    wrong = Some((payload.offset, reason));
                    break;
                }
                Err(Refusal::Unsupported(command)) => {
                    return Err(Unsupported { file, offset: payload.offset, command }.into());
                }
                Err(Refusal::Error(error)) => return Err(error),
            }
            good = source.offset();
            if good - told >= STEP {
                told = good;
                (self.progress)(before + told);
            }
        }
        self.reading.chain = source.chain().or(self.reading.chain);
        let verdict = source.verdict().unwrap_or(Verdict::Clean { length });
        let verdict = if is_last { verdict } else { verdict.of_inner_segment() };
        let (valid_length, bad) = match (wrong, verdict) {
            (Some(wrong), _) => (good, Some((wrong, false))),
            (None, Verdict::Clean { length }) => (length, None),
            (None, Verdict::Corrupt { offset, reason }) => {
                (good, Some(((offset, reason.to_owned()), false)))
            }
            (None, Verdict::Tail { valid_length, reason }) => {
                (valid_length, Some(((valid_length, reason.to_owned()), true)))
            }
        };
        self.reading.bytes = before + valid_length;
        self.reading.damage = bad.map(|((offset, reason), is_torn)| {
            let lost = length.saturating_sub(valid_length);
            Damage { file, offset, valid_length, lost, reason, is_torn }
        });
        Ok(())
    }
}

/// The damage of a snapshot of which nothing can be used.
fn unusable(file: String, length: u64, offset: u64, reason: String) -> Damage {
    Damage { file, offset, valid_length: 0, lost: length, reason, is_torn: false }
}

/// Shows the commands of a payload, in order.
pub(super) fn for_each_command(
    mut bytes: &[u8],
    parser: &mut RequestParser,
    mut show: impl FnMut(&[&[u8]]) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    while let Some(first) = bytes.first() {
        // People may type commands in another form; nobody writes a log in it.
        let request = parser.parse(bytes).ok().flatten();
        let request = request.filter(|request| *first == b'*' && !request.is_empty());
        let none = || Refusal::damage("there is no command where one should be");
        let request = request.ok_or_else(none)?;
        let argv: SmallVec<[&[u8]; FEW]> = request.iter().collect();
        show(&argv)?;
        bytes = &bytes[request.consumed()..];
    }
    Ok(())
}

/// Whether bytes begin as an RDB file does; and all of them again.
fn recognize<R: Read>(mut reader: R) -> io::Result<(bool, impl Read + use<R>)> {
    const MAGIC: [&[u8]; 2] = [b"REDIS", b"VALKEY"];
    let mut head = Vec::new();
    reader.by_ref().take(MAGIC[1].len() as u64).read_to_end(&mut head)?;
    let is_rdb = MAGIC.iter().any(|magic| head.starts_with(magic));
    Ok((is_rdb, Cursor::new(head).chain(reader)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client may send is bounded; what an effect comes to, as a stored result does, is not.
    #[test]
    fn an_argument_longer_than_any_client_may_send_is_read() {
        let length = RequestLimits::default().bulk + 1;
        let head = format!("*2\r\n$3\r\nGET\r\n${length}\r\n");
        // Pages of zeros that nobody touches take no memory.
        let mut bytes = vec![0; head.len() + length + 2];
        bytes[..head.len()].copy_from_slice(head.as_bytes());
        let mut found = Vec::new();
        let mut parser = RequestParser::new(RequestLimits::KEPT);
        for_each_command(&bytes, &mut parser, |argv| {
            found.push(argv[1].len());
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [length]);
    }
}
