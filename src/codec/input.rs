//! Reading bytes, numbers and strings, none of which is trusted.
//!
//! # Invariant
//!
//! `buffer[at..end]` was read and not yet used; `buffer[..summed]` is in the checksum, and what
//! was used but for that will be. `before` bytes have left the buffer.
//!
//! A string costs the memory of what is really there: it grows as its bytes come.

use std::io;

use crc::{Digest, Table};

use super::{CHECKSUM, lzf};
use crate::error::{Error, Result};
use crate::value::MAX_LEN;

/// As many bytes are read at once.
const ROOM: usize = 64 << 10;
/// The longest that what packs elements may be: its own length has 32 bits.
const LONGEST_BLOB: u64 = u32::MAX as u64;

/// A reader behind a buffer, which sums what was used.
pub(super) struct Input<'r> {
    reader: &'r mut dyn io::Read,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    summed: usize,
    before: u64,
    checksum: Digest<'static, u64, Table<16>>,
    /// A compressed string on its way.
    packed: Vec<u8>,
}

/// What stands where a length is expected.
enum Length {
    Plain(u64),
    /// A string in this form follows.
    Form(u8),
}

impl<'r> Input<'r> {
    pub(super) fn new(reader: &'r mut dyn io::Read) -> Self {
        Self::with_room(reader, ROOM)
    }

    /// With a buffer for so many bytes, and not more than usual.
    pub(super) fn with_room(reader: &'r mut dyn io::Read, room: usize) -> Self {
        Self {
            reader,
            // Any number must fit.
            buffer: vec![0; room.clamp(16, ROOM)].into_boxed_slice(),
            at: 0,
            end: 0,
            summed: 0,
            before: 0,
            checksum: CHECKSUM.digest(),
            packed: Vec::new(),
        }
    }

    /// How many bytes have been used.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    /// The error of data that cannot be, here.
    #[cold]
    pub(super) fn corrupt(&self, what: impl Into<String>) -> Error {
        Error::Corrupt { what: what.into(), offset: self.offset() }
    }

    /// What was read and not used.
    pub(super) fn unused(&self) -> &[u8] {
        &self.buffer[self.at..self.end]
    }

    /// Whether nothing follows.
    pub(super) fn is_at_end(&mut self) -> Result<bool> {
        self.shift();
        Ok(self.at == self.end && self.read_more()? == 0)
    }

    /// The checksum of all bytes used so far.
    pub(super) fn checksum(&mut self) -> u64 {
        self.shift();
        self.checksum.clone().finalize()
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        if self.end - self.at < N {
            self.fill(N)?;
        }
        let mut array = [0; N];
        array.copy_from_slice(&self.buffer[self.at..self.at + N]);
        self.at += N;
        Ok(array)
    }

    pub(super) fn millis(&mut self) -> Result<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A length, or any other number without a sign.
    pub(super) fn length(&mut self) -> Result<u64> {
        match self.length_or_form()? {
            Length::Plain(length) => Ok(length),
            Length::Form(_) => Err(self.corrupt("a string where there should be a number")),
        }
    }

    /// Replaces `out` by a string.
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.string_up_to(MAX_LEN as u64, out)
    }

    /// Replaces `out` by a string that packs elements, and may be longer than any of them.
    pub(super) fn blob(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.string_up_to(LONGEST_BLOB, out)
    }

    #[inline]
    fn string_up_to(&mut self, longest: u64, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        match self.length_or_form()? {
            Length::Plain(length) => self.raw(length, longest, out),
            Length::Form(form) => self.formed(form, longest, out),
        }
    }

    #[inline]
    fn raw(&mut self, length: u64, longest: u64, out: &mut Vec<u8>) -> Result<()> {
        if length > longest {
            return Err(self.corrupt(format!("a string of {length} bytes, more than there may be")));
        }
        let mut left = length as usize;
        while left > 0 {
            if self.at == self.end {
                self.fill(1)?;
            }
            let run = left.min(self.end - self.at);
            out.extend_from_slice(&self.buffer[self.at..self.at + run]);
            self.at += run;
            left -= run;
        }
        Ok(())
    }

    fn formed(&mut self, form: u8, longest: u64, out: &mut Vec<u8>) -> Result<()> {
        let number = match form {
            0 => i32::from(self.byte()? as i8),
            1 => i16::from_le_bytes(self.array()?).into(),
            2 => i32::from_le_bytes(self.array()?),
            3 => return self.compressed(longest, out),
            form => return Err(self.corrupt(format!("a string in the unknown form {form}"))),
        };
        out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        Ok(())
    }

    fn compressed(&mut self, longest: u64, out: &mut Vec<u8>) -> Result<()> {
        let (packed_length, length) = (self.length()?, self.length()?);
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        self.raw(packed_length, longest, &mut packed)?;
        let fits = length <= longest;
        let unpacked = fits.then(|| lzf::decompress(&packed, length as usize, out)).flatten();
        self.packed = packed;
        unpacked.ok_or_else(|| self.corrupt("a compressed string that does not unpack"))
    }

    #[inline]
    fn length_or_form(&mut self) -> Result<Length> {
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Length::Plain(first.into()),
            1 => Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            3 => Length::Form(first & 0x3f),
            _ => match first {
                0x80 => Length::Plain(u32::from_be_bytes(self.array()?).into()),
                0x81 => Length::Plain(u64::from_be_bytes(self.array()?)),
                _ => return Err(self.corrupt("a length in an unknown form")),
            },
        })
    }

    /// Reads until so many bytes are in the buffer.
    #[cold]
    fn fill(&mut self, wanted: usize) -> Result<()> {
        self.shift();
        while self.end < wanted {
            if self.read_more()? == 0 {
                self.at = self.end;
                return Err(self.corrupt("the data ends in the middle"));
            }
        }
        Ok(())
    }

    /// Sums what was used and moves the rest to the front.
    fn shift(&mut self) {
        self.checksum.update(&self.buffer[self.summed..self.at]);
        self.buffer.copy_within(self.at..self.end, 0);
        self.before += self.at as u64;
        self.end -= self.at;
        (self.at, self.summed) = (0, 0);
    }

    fn read_more(&mut self) -> Result<usize> {
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
