//! Reading a segment: the payloads of its frames, one by one, and at the end a verdict on what
//! follows the last good one.
//!
//! Invariants: a payload is handed out only if its frame's checksums, place and predecessor are
//! right; the payloads of a segment are a prefix of what was written to it. What follows a bad
//! frame is never handed out.
//!
//! The verdict tells a write that a crash has torn from damage. A write is torn where the file ends
//! before the frame does, or where whole sectors are zeros, which is what a file system shows in
//! the place of what it had not written. Anything else is damage, and so is a frame that a later
//! one says was durable.
//!
//! A segment may go on without frames, if Redis has written to it. Then commands are read as Redis
//! reads them, each transaction as one.
//!
//! A server that finds a torn write keeps what of it are whole commands, and appends to them: what
//! is left of the frame runs into what is the server's. The server begins with a `SELECT`, perhaps
//! as the first of a transaction, and spells it in capitals, as no frame has it. Where one stands
//! at the end of a command and before the end of the frame, the server has been there: then the
//! commands of the frame are read as it has read them. No torn write looks like that, and no damage
//! but to the length of a value that holds just that, where the wrong length leads. Of a header
//! that is torn itself the server makes a comment, which runs into its first line: it cannot read
//! that again, but what it has written is all there, and is read here.
//!
//! Reading is lazy and takes memory for one payload. A length is believed once its header's
//! checksum is right, and even then memory grows only with what has been read.

use std::io::{self, Read};

use memchr::memmem;

use super::frame::{
    BadHeader, Chain, Header, LONGEST_HEADER, MARK, SECTOR, may_begin_header, may_begin_padding,
    padding, padding_of,
};

/// How Redis begins the only comments that it writes.
const REDIS_COMMENT: &[u8] = b"#TS:";

/// How a server names the database of what it appends; frames have it in small letters.
const SERVER_SELECT: &[u8] = b"SELECT";

/// The longest line that Redis reads.
const LONGEST_LINE: usize = 1023;

/// Redis's limit for an argument.
const LONGEST_ARGUMENT: u64 = 512 * 1024 * 1024;

/// The longest line with a length that is allowed.
const LONGEST_LENGTH: usize = 13;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// One frame, or one command or transaction without a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload<'a> {
    /// Where it begins in the segment, header included.
    pub(crate) offset: u64,
    /// Its length, header included.
    pub(super) length: u64,
    /// What its frame says, if it has one.
    pub(super) header: Option<Header>,
    /// Its commands.
    pub(crate) bytes: &'a [u8],
}

/// What is to be said of a segment once its payloads have been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It ends where its last payload ends.
    Clean { length: u64 },
    /// A crash has torn the last write.
    Tail { valid_length: u64, reason: &'static str },
    /// It is damaged.
    Corrupt { offset: u64, reason: &'static str },
}

impl Verdict {
    /// The verdict if other segments follow. Everything before them was made durable, so no crash
    /// has torn it.
    pub(crate) fn of_inner_segment(self) -> Self {
        match self {
            Self::Tail { valid_length, reason } => Self::Corrupt { offset: valid_length, reason },
            other => other,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Frames,
    Commands,
    Ended(Verdict),
}

/// Reads a segment.
pub(crate) struct SegmentReader<R> {
    window: Window<R>,
    segment: u64,
    chain: Option<Chain>,
    state: State,
    payload: Vec<u8>,
    /// Whether there was a `SELECT` as servers spell it, and where they put it.
    met_server: bool,
}

impl<R: Read> SegmentReader<R> {
    /// Reads a segment whose first frame follows `chain`, or anything if that is not known.
    pub(crate) fn new(source: R, segment: u64, chain: Option<Chain>) -> Self {
        Self::starting_as(State::Frames, source, 0, segment, chain)
    }

    /// Reads commands that have no frames; `offset` is where in its file `source` stands.
    pub(crate) fn commands(source: R, offset: u64) -> Self {
        Self::starting_as(State::Commands, source, offset, 0, None)
    }

    fn starting_as(
        state: State,
        source: R,
        offset: u64,
        segment: u64,
        chain: Option<Chain>,
    ) -> Self {
        let window = Window { source, buffer: Vec::new(), start: 0, offset, ended: false };
        Self { window, segment, chain, state, payload: Vec::new(), met_server: false }
    }

    /// The next payload; `None` once there is a [`verdict`](Self::verdict).
    pub(crate) fn next(&mut self) -> io::Result<Option<Payload<'_>>> {
        loop {
            let offset = self.window.offset;
            let step = match self.state {
                State::Frames => self.frame()?,
                State::Commands => self.unit()?,
                State::Ended(_) => return Ok(None),
            };
            match step {
                Step::Payload(header) => {
                    let length = self.window.offset - offset;
                    return Ok(Some(Payload { offset, length, header, bytes: &self.payload }));
                }
                Step::Go(state) => self.state = state,
            }
        }
    }

    /// What follows the last payload, once all have been read.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        match self.state {
            State::Ended(verdict) => Some(verdict),
            _ => None,
        }
    }

    /// What the frame after the last one read follows; `None` if there was no frame yet.
    pub(crate) fn chain(&self) -> Option<Chain> {
        self.chain
    }

    /// Bytes read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.window.offset
    }
}

/// What a step of reading has come to.
enum Step {
    /// `payload` is one, with what its frame says.
    Payload(Option<Header>),
    Go(State),
}

impl Step {
    fn clean(length: u64) -> Self {
        Self::Go(State::Ended(Verdict::Clean { length }))
    }

    fn tail(valid_length: u64, reason: &'static str) -> Self {
        Self::Go(State::Ended(Verdict::Tail { valid_length, reason }))
    }

    fn corrupt(offset: u64, reason: &'static str) -> Self {
        Self::Go(State::Ended(Verdict::Corrupt { offset, reason }))
    }
}

/// Frames.
impl<R: Read> SegmentReader<R> {
    fn frame(&mut self) -> io::Result<Step> {
        let start = self.window.offset;
        let bytes = self.window.peek(2 * LONGEST_HEADER)?;
        if bytes.is_empty() {
            return Ok(Step::clean(start));
        }
        if bytes[0] == b'*' || bytes.starts_with(REDIS_COMMENT) {
            return Ok(Step::Go(State::Commands));
        }
        let padded = padding_of(bytes);
        let line = match memchr::memchr(b'\n', &bytes[padded..]) {
            Some(end) => &bytes[padded..=padded + end],
            None if bytes.len() < 2 * LONGEST_HEADER && may_begin(bytes) => {
                return Ok(Step::tail(start, "the file ends within a header"));
            }
            None => return self.bad_header(start),
        };
        let header = match Header::parse(line, self.segment, start + padded as u64) {
            Ok(header) if padding(start, line.len() as u64) == padded as u64 => header,
            Err(BadHeader::UnknownVersion) => {
                return Ok(Step::corrupt(start, "a frame of an unknown version"));
            }
            _ => return self.bad_header(start),
        };
        if self.chain.is_some_and(|chain| !header.follows(chain)) {
            return Ok(Step::corrupt(start, "the frame does not follow the one before it"));
        }
        let length = padded + line.len();
        self.window.consume(length);
        self.payload_of(start, header)
    }

    fn payload_of(&mut self, start: u64, header: Header) -> io::Result<Step> {
        let begins = self.window.offset;
        self.payload.clear();
        let is_there = self.window.take(header.length, &mut self.payload)?;
        if is_there && header.fits(&self.payload) {
            self.chain = Some(header.chain());
            return Ok(Step::Payload(Some(header)));
        }
        if self.server_went_on(begins, header.length)? {
            self.window.give_back(&self.payload);
            return Ok(Step::Go(State::Commands));
        }
        if !is_there {
            return Ok(Step::tail(start, "the file ends within a frame"));
        }
        // The last sector goes on with what follows the frame.
        let ends = begins + header.length;
        let beyond = ends.next_multiple_of(SECTOR) - ends;
        let rest = self.window.peek(beyond as usize)?;
        let rest_is_zero = is_zero(&rest[..rest.len().min(beyond as usize)]);
        let torn = sectors(begins, &self.payload)
            .any(|(end, sector)| is_zero(sector) && (end < ends || rest_is_zero));
        self.judge(start, torn, "the checksum of a frame is wrong", Some(header.chain()))
    }

    /// Whether a server has cut the frame whose payload begins here, and gone on before its end.
    fn server_went_on(&mut self, begins: u64, length: u64) -> io::Result<bool> {
        let ends = begins.saturating_add(length);
        let behind = self.window.peek(CHUNK)?;
        let mut commands = SegmentReader::commands(self.payload.chain(behind), begins);
        loop {
            let place = commands.offset();
            let is_over = commands.next()?.is_none();
            if place >= ends || commands.met_server || is_over {
                return Ok(place < ends && commands.met_server);
            }
        }
    }

    fn bad_header(&mut self, start: u64) -> io::Result<Step> {
        let bytes = self.window.peek(2 * SECTOR as usize)?;
        if let Some(torn) = torn_before_server(bytes)? {
            self.window.consume(torn);
            return Ok(Step::Go(State::Commands));
        }
        let (first, rest) = sector_of(start, bytes);
        let (second, _) = sector_of(start + first.len() as u64, rest);
        let torn =
            is_zero(first) || (may_begin_padding(first) && !second.is_empty() && is_zero(second));
        self.window.consume(1);
        self.judge(start, torn, "there is no frame where one should be", None)
    }

    /// The verdict on a bad frame, behind some of which the window stands; behind all of it, if it
    /// is known what the next one follows.
    fn judge(
        &mut self,
        start: u64,
        torn: bool,
        reason: &'static str,
        chain: Option<Chain>,
    ) -> io::Result<Step> {
        if !torn {
            return Ok(Step::corrupt(start, reason));
        }
        if self.was_durable(start, chain)? {
            return Ok(Step::corrupt(start, "what had been made durable is gone"));
        }
        Ok(Step::tail(start, "a write was torn"))
    }

    /// Whether a later header says that more was durable than the bytes up to `offset`.
    ///
    /// A value may look like a header, and nothing tells it from one whose forerunner is gone. So
    /// what is within a frame is passed over as long as each follows the one before.
    fn was_durable(&mut self, offset: u64, mut chain: Option<Chain>) -> io::Result<bool> {
        let mark = memmem::Finder::new(MARK);
        loop {
            let bytes = self.window.peek(CHUNK)?;
            let Some(at) = mark.find(bytes) else {
                if bytes.len() < CHUNK {
                    return Ok(false);
                }
                let searched = bytes.len() - MARK.len();
                self.window.consume(searched);
                continue;
            };
            self.window.consume(at);
            let (place, bytes) = (self.window.offset, self.window.peek(LONGEST_HEADER)?);
            let end = memchr::memchr(b'\n', bytes).map_or(0, |end| end + 1);
            let header = Header::parse(&bytes[..end], self.segment, place);
            if header.is_ok_and(|header| header.synced > offset) {
                return Ok(true);
            }
            let next = header.ok().filter(|next| chain.is_some_and(|chain| next.follows(chain)));
            let Some(next) = next else {
                self.window.consume(MARK.len());
                continue;
            };
            self.window.consume(end);
            self.payload.clear();
            self.window.take(next.length, &mut self.payload)?;
            chain = Some(next.chain());
        }
    }
}

/// How much there is of a header that a crash has torn, if a server has gone on behind it: the
/// server takes it for a comment that ends with the file, and leaves it.
fn torn_before_server(bytes: &[u8]) -> io::Result<Option<usize>> {
    let command = memchr::memchr(b'*', bytes);
    let comment = memmem::find(bytes, REDIS_COMMENT);
    let Some(torn) = command.into_iter().chain(comment).min() else { return Ok(None) };
    let mut commands = SegmentReader::commands(&bytes[torn..], 0);
    commands.next()?;
    let is_torn = torn > 0 && may_begin_header(&bytes[..torn]);
    Ok((is_torn && commands.met_server).then_some(torn))
}

/// Whether a write that was cut off may have left these bytes, which are all there are.
fn may_begin(bytes: &[u8]) -> bool {
    may_begin_header(bytes) || REDIS_COMMENT.starts_with(bytes)
}

/// Those of the bytes that lie in the same sector as the first, and the rest.
fn sector_of(offset: u64, bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len().min((SECTOR - offset % SECTOR) as usize))
}

/// The parts of `bytes` that lie in different sectors, each with where it ends.
fn sectors(mut offset: u64, mut bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        let (sector, rest) = sector_of(offset, bytes);
        offset += sector.len() as u64;
        bytes = rest;
        (!sector.is_empty()).then_some((offset, sector))
    })
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Why there is no command.
enum NoCommand {
    /// The file ends.
    Ended,
    Garbage,
}

/// The commands whose meaning matters here.
#[derive(PartialEq, Eq)]
enum Verb {
    Multi,
    Exec,
    /// A `SELECT` as servers spell it.
    ServerSelect,
    Other,
}

type Parsed<T> = io::Result<Result<T, NoCommand>>;

/// Passes on that there is no command.
macro_rules! parsed {
    ($step:expr) => {
        match $step? {
            Ok(value) => value,
            Err(none) => return Ok(Err(none)),
        }
    };
}

/// Commands without frames.
impl<R: Read> SegmentReader<R> {
    /// One command, or one transaction as a whole.
    fn unit(&mut self) -> io::Result<Step> {
        self.payload.clear();
        let start = self.window.offset;
        let mut open = false;
        let mut commands = 0;
        loop {
            let place = self.window.offset;
            let Some(first) = self.window.peek(1)?.first().copied() else {
                return Ok(match (open, place == start) {
                    (true, _) => Step::tail(start, "the last transaction is not complete"),
                    // Comments may follow the last command.
                    (false, _) => Step::clean(place),
                });
            };
            let verb = match if first == b'#' { self.comment()? } else { self.command()? } {
                Ok(verb) => verb,
                Err(NoCommand::Ended) => {
                    return Ok(Step::tail(start, "the last command is not complete"));
                }
                Err(NoCommand::Garbage) => {
                    return Ok(Step::corrupt(place, "there is no command where one should be"));
                }
            };
            commands += usize::from(verb.is_some());
            // Of a transaction it is the first.
            let selects = verb == Some(Verb::ServerSelect);
            self.met_server |= selects && commands == 1 + usize::from(open);
            match verb {
                None => {}
                Some(Verb::Multi) if open => {
                    return Ok(Step::corrupt(place, "a transaction within a transaction"));
                }
                Some(Verb::Multi) => open = true,
                Some(Verb::Other | Verb::ServerSelect) if open => {}
                Some(Verb::Exec | Verb::Other | Verb::ServerSelect) => {
                    return Ok(Step::Payload(None));
                }
            }
        }
    }

    /// Passes over a comment.
    fn comment(&mut self) -> Parsed<Option<Verb>> {
        let line = self.window.peek(LONGEST_LINE)?;
        let known = line.starts_with(REDIS_COMMENT) || REDIS_COMMENT.starts_with(line);
        let end = memchr::memchr(b'\n', line);
        Ok(match end {
            Some(end) if known => {
                self.window.consume(end + 1);
                Ok(None)
            }
            None if known && line.len() < LONGEST_LINE => Err(NoCommand::Ended),
            _ => Err(NoCommand::Garbage),
        })
    }

    /// Adds the next command to the payload.
    fn command(&mut self) -> Parsed<Option<Verb>> {
        let count = parsed!(self.length(b'*', u64::from(u32::MAX >> 1)));
        if count == 0 {
            return Ok(Err(NoCommand::Garbage));
        }
        let mut verb = Verb::Other;
        for place in 0..count {
            let length = parsed!(self.length(b'$', LONGEST_ARGUMENT));
            let begins = self.payload.len();
            if !self.window.take(length + 2, &mut self.payload)? {
                return Ok(Err(NoCommand::Ended));
            }
            let Some(word) = self.payload[begins..].strip_suffix(b"\r\n") else {
                return Ok(Err(NoCommand::Garbage));
            };
            if count == 1 && word.eq_ignore_ascii_case(b"MULTI") {
                verb = Verb::Multi;
            } else if count == 1 && word.eq_ignore_ascii_case(b"EXEC") {
                verb = Verb::Exec;
            } else if count == 2 && place == 0 && word == SERVER_SELECT {
                verb = Verb::ServerSelect;
            }
        }
        Ok(Ok(Some(verb)))
    }

    /// Adds a line with a length to the payload.
    fn length(&mut self, sign: u8, most: u64) -> Parsed<u64> {
        let line = self.window.peek(LONGEST_LENGTH)?;
        let digits = line.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
        let signed = line.first().is_none_or(|byte| *byte == sign);
        let Some((text, end)) = line.split_at_checked(1 + digits).filter(|_| signed) else {
            return Ok(Err(if line.is_empty() { NoCommand::Ended } else { NoCommand::Garbage }));
        };
        if !end.starts_with(b"\r\n") {
            let cut_off = line.len() < LONGEST_LENGTH && b"\r\n".starts_with(end);
            return Ok(Err(if cut_off { NoCommand::Ended } else { NoCommand::Garbage }));
        }
        let number = str::from_utf8(&text[1..]).ok().and_then(|text| text.parse().ok());
        let Some(number) = number.filter(|number| *number <= most) else {
            return Ok(Err(NoCommand::Garbage));
        };
        let length = text.len() + 2;
        self.payload.extend_from_slice(&line[..length]);
        self.window.consume(length);
        Ok(Ok(number))
    }
}

/// A reader that can be looked at before it is read from.
struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where in the buffer the bytes are that were not consumed yet.
    start: usize,
    /// Where in the segment they are.
    offset: u64,
    /// The source has no more.
    ended: bool,
}

impl<R: Read> Window<R> {
    /// What follows: at least `length` bytes, unless the source ends before.
    fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        if self.buffer.len() - self.start < length && !self.ended {
            self.buffer.drain(..self.start);
            self.start = 0;
            while self.buffer.len() < length && !self.ended {
                self.ended = read_some(&mut self.source, CHUNK, &mut self.buffer)? == 0;
            }
        }
        Ok(&self.buffer[self.start..])
    }

    /// Takes back what was consumed last, to be read again.
    fn give_back(&mut self, bytes: &[u8]) {
        self.buffer = [bytes, &self.buffer[self.start..]].concat();
        self.start = 0;
        self.offset -= bytes.len() as u64;
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
        self.offset += length as u64;
    }

    /// Moves `length` bytes to the end of `out`; answers whether there were as many.
    fn take(&mut self, length: u64, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut missing = length;
        loop {
            let here = self.peek(1)?;
            let part = &here[..here.len().min(usize::try_from(missing).unwrap_or(usize::MAX))];
            out.extend_from_slice(part);
            let moved = part.len();
            self.consume(moved);
            missing -= moved as u64;
            if missing == 0 || moved == 0 {
                return Ok(missing == 0);
            }
        }
    }
}

/// Appends up to `most` bytes to `out`.
fn read_some(source: &mut impl Read, most: usize, out: &mut Vec<u8>) -> io::Result<usize> {
    source.take(most as u64).read_to_end(out)
}
