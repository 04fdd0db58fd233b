//! Frames: what the log writes at once, with a checksum.
//!
//! A frame is a header, which is a line that Redis takes for a comment, and a payload of commands:
//!
//! ```text
//! #LARDER:1 31 7 4096 1c291ca3 89ab12cd 0badcafe\r\n
//!         |  | |    |        |        |        `- CRC32C of segment, offset and this line
//!         |  | |    |        |        `- CRC32C of the payload
//!         |  | |    |        `- the last checksum of the frame before
//!         |  | |    `- how many bytes of the segment were durable when this was written
//!         |  | `- the frame's number, which ascends by one; 1 follows the last, 2^63 - 1
//!         |  `- bytes of the payload
//!         `- version
//! ```
//!
//! Invariant: a header lies within one sector of 512 bytes, so a crash leaves all of it or nothing.
//! Where it would not, a line of spaces, also a comment, fills the sector before it.
//!
//! The last checksum depends on everything: on the payload by its checksum, on the place by segment
//! and offset, on all frames before by the chain. A frame that was moved, or one of an earlier life
//! of the same sectors, is no frame.
//!
//! Redis 7.0 reads lines of up to 1,023 bytes; a header has at most [`LONGEST_HEADER`].
//!
//! The commands are as Redis would write them, but that `select` is in small letters: see
//! [`segment`](super::segment).

use std::io::Write;

use crate::random::Random;

/// What a disk writes as a whole.
pub(crate) const SECTOR: u64 = 512;

/// How a header begins.
pub(super) const MARK: &[u8] = b"#LARDER:";

/// No header is longer than this.
pub(super) const LONGEST_HEADER: usize = 104;

/// No line of padding is shorter: a comment sign and the end of the line.
const SHORTEST_PADDING: u64 = 3;

const VERSION: u64 = 1;

/// No number in a header or of a frame is above this.
const LAST: u64 = i64::MAX as u64;

/// Where the row of frames stands: what the next one follows. It runs on from segment to segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The number of the last frame; zero before the first.
    pub(crate) sequence: u64,
    /// Its last checksum.
    pub(crate) checksum: u32,
}

impl Chain {
    /// The beginning of a row like no other, so that no frame of another fits in it.
    pub(crate) fn new() -> Self {
        Self { sequence: 0, checksum: Random::new().next() as u32 }
    }

    /// The number of the next frame, for which there is room behind any other: whatever is written
    /// can be read.
    fn next(self) -> u64 {
        if self.sequence == LAST { 1 } else { self.sequence + 1 }
    }

    /// As one word, for a snapshot to say which row goes on behind it.
    pub(crate) fn to_text(self) -> String {
        format!("{}-{:08x}", self.sequence, self.checksum)
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (sequence, checksum) = str::from_utf8(text).ok()?.split_once('-')?;
        let (sequence, checksum) = (number(Some(sequence))?, hexadecimal(Some(checksum))?);
        Some(Self { sequence, checksum })
    }
}

/// Gives the frames of a segment their headers. It is plain data: a copy made before a frame is
/// where to go back to when the frame could not be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameWriter {
    segment: u64,
    offset: u64,
    chain: Chain,
}

impl FrameWriter {
    /// For a segment that has no bytes yet.
    pub(crate) fn new(segment: u64, chain: Chain) -> Self {
        Self { segment, offset: 0, chain }
    }

    /// Appends the header for `payload` to `out`; the payload is to follow it. The first `synced`
    /// bytes of the segment are known to be durable.
    pub(crate) fn header(&mut self, payload: &[u8], synced: u64, out: &mut Vec<u8>) {
        let mut header = Header {
            length: payload.len() as u64,
            sequence: self.chain.next(),
            synced,
            previous: self.chain.checksum,
            payload: crc32c::crc32c(payload),
            checksum: 0,
        };
        let start = out.len();
        // The place decides the checksum, and the length of the line the place; a checksum does not
        // change a length.
        let length = header.seal(self.segment, self.offset).len() as u64;
        let padding = padding(self.offset, length);
        pad(padding, out);
        out.extend_from_slice(&header.seal(self.segment, self.offset + padding));
        self.offset += (out.len() - start) as u64 + header.length;
        self.chain = header.chain();
    }

    /// The bytes of the segment, all frames so far included.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// What the next frame follows.
    pub(crate) fn chain(&self) -> Chain {
        self.chain
    }
}

/// The bytes of padding before a header at `offset`.
pub(super) fn padding(offset: u64, header: u64) -> u64 {
    let room = SECTOR - offset % SECTOR;
    if header <= room { 0 } else { room.max(SHORTEST_PADDING) }
}

fn pad(length: u64, out: &mut Vec<u8>) {
    if length > 0 {
        out.push(b'#');
        out.resize(out.len() + length as usize - 3, b' ');
        out.extend_from_slice(b"\r\n");
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: u64,
    pub(super) sequence: u64,
    pub(super) synced: u64,
    previous: u32,
    payload: u32,
    checksum: u32,
}

/// Why a line is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// It is none, or it was damaged.
    Damaged,
    /// It begins as one of a version that is not known.
    UnknownVersion,
}

impl Header {
    /// The line, with its checksum for this place.
    fn seal(&mut self, segment: u64, offset: u64) -> Vec<u8> {
        let Self { length, sequence, synced, previous, payload, .. } = *self;
        let mut line = Vec::with_capacity(LONGEST_HEADER);
        line.extend_from_slice(MARK);
        write!(line, "{VERSION} {length} {sequence} {synced} {previous:08x} {payload:08x} ")
            .expect("a vector takes all");
        self.checksum = checksum(segment, offset, &line);
        write!(line, "{:08x}\r\n", self.checksum).expect("a vector takes all");
        line
    }

    /// Reads a line that begins at `offset` of a segment.
    pub(super) fn parse(line: &[u8], segment: u64, offset: u64) -> Result<Self, BadHeader> {
        let text = line.strip_prefix(MARK).ok_or(BadHeader::Damaged)?;
        let text = str::from_utf8(text).ok().and_then(|text| text.strip_suffix("\r\n"));
        let mut words = text.ok_or(BadHeader::Damaged)?.split(' ');
        match number(words.next()) {
            Some(VERSION) => {}
            Some(_) => return Err(BadHeader::UnknownVersion),
            None => return Err(BadHeader::Damaged),
        }
        let mut read = || {
            let header = Self {
                length: number(words.next())?,
                sequence: number(words.next())?,
                synced: number(words.next())?,
                previous: hexadecimal(words.next())?,
                payload: hexadecimal(words.next())?,
                checksum: hexadecimal(words.next())?,
            };
            words.next().is_none().then_some(header)
        };
        // The checksum covers all of the line but itself and its end, which have one spelling each.
        let covered = &line[..line.len().saturating_sub(10)];
        read()
            .filter(|header| header.checksum == checksum(segment, offset, covered))
            .ok_or(BadHeader::Damaged)
    }

    pub(super) fn follows(&self, chain: Chain) -> bool {
        self.sequence == chain.next() && self.previous == chain.checksum
    }

    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        self.length == payload.len() as u64 && self.payload == crc32c::crc32c(payload)
    }

    /// What the frame after this one follows.
    pub(super) fn chain(&self) -> Chain {
        Chain { sequence: self.sequence, checksum: self.checksum }
    }
}

fn checksum(segment: u64, offset: u64, line: &[u8]) -> u32 {
    let place =
        crc32c::crc32c_append(crc32c::crc32c(&segment.to_le_bytes()), &offset.to_le_bytes());
    crc32c::crc32c_append(place, line)
}

/// A number no further than anybody has counted.
fn number(word: Option<&str>) -> Option<u64> {
    word?.parse().ok().filter(|number| *number <= LAST)
}

/// Eight digits, no capitals among them.
fn hexadecimal(word: Option<&str>) -> Option<u32> {
    let word = word.filter(|word| word.len() == 8)?;
    let plain = word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u32::from_str_radix(word, 16).ok())?
}

/// The line of padding that `bytes` begin with; nothing if they begin with none.
pub(super) fn padding_of(bytes: &[u8]) -> usize {
    let spaces = match bytes.strip_prefix(b"#") {
        Some(rest) => rest.iter().take_while(|byte| **byte == b' ').count(),
        None => return 0,
    };
    if bytes[1 + spaces..].starts_with(b"\r\n") { spaces + 3 } else { 0 }
}

/// Whether `bytes` are how padding and header could begin, as a write leaves them that got no
/// further.
pub(super) fn may_begin_header(bytes: &[u8]) -> bool {
    let header = &bytes[padding_of(bytes)..];
    if let Some(rest) = header.strip_prefix(MARK) {
        return rest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b' ' | b'\r'));
    }
    MARK.starts_with(header) || may_begin_padding(bytes)
}

/// Whether `bytes` are how padding could begin.
pub(super) fn may_begin_padding(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"#") else { return bytes.is_empty() };
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    b"\r\n".starts_with(&rest[spaces..])
}
