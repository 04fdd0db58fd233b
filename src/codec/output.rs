//! Writing bytes, numbers and strings.
//!
//! An error does not interrupt what is being written: it is kept, later bytes go nowhere, and the
//! caller hears of it at the next [`Output::check`]. So the code that writes values has nothing to
//! do with errors.

use std::io;

use crc::{Digest, Table};

use super::CHECKSUM;
use crate::number;

/// As many bytes are collected before they are handed on.
const ROOM: usize = 64 << 10;

/// Where bytes go.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    fn byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// A length, or any other number without a sign.
    fn length(&mut self, length: u64) {
        match length {
            0..64 => self.byte(length as u8),
            64..16_384 => self.put(&[0x40 | (length >> 8) as u8, length as u8]),
            _ => match u32::try_from(length) {
                Ok(length) => {
                    self.byte(0x80);
                    self.put(&length.to_be_bytes());
                }
                Err(_) => {
                    self.byte(0x81);
                    self.put(&length.to_be_bytes());
                }
            },
        }
    }

    /// Bytes behind their length.
    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len() as u64);
        self.put(bytes);
    }

    /// A string: a short integer in binary form, if it is one.
    fn string(&mut self, string: &[u8]) {
        const LONGEST: usize = 11;
        let number = match string.len() {
            0..=LONGEST => number::parse_integer(string),
            _ => None,
        };
        match number.map(i32::try_from) {
            Some(Ok(number)) => match (i8::try_from(number), i16::try_from(number)) {
                (Ok(number), _) => self.put(&[0xc0, number as u8]),
                (_, Ok(number)) => {
                    self.byte(0xc1);
                    self.put(&number.to_le_bytes());
                }
                _ => {
                    self.byte(0xc2);
                    self.put(&number.to_le_bytes());
                }
            },
            _ => self.bytes(string),
        }
    }

    /// A Unix time in milliseconds.
    fn millis(&mut self, millis: i64) {
        self.put(&millis.to_le_bytes());
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A writer behind a buffer, which sums what passes.
pub(super) struct Output<'w> {
    writer: &'w mut dyn io::Write,
    buffer: Vec<u8>,
    checksum: Digest<'static, u64, Table<16>>,
    written: u64,
    failure: Option<io::Error>,
}

impl<'w> Output<'w> {
    pub(super) fn new(writer: &'w mut dyn io::Write) -> Self {
        Self {
            writer,
            buffer: Vec::with_capacity(ROOM),
            checksum: CHECKSUM.digest(),
            written: 0,
            failure: None,
        }
    }

    /// The first error since the last check.
    #[inline]
    pub(super) fn check(&mut self) -> io::Result<()> {
        match self.failure.take() {
            None => Ok(()),
            Some(failure) => Err(failure),
        }
    }

    /// Writes the checksum of all that came before and hands everything on; answers how many
    /// bytes that were.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.flush();
        let checksum = self.checksum.clone().finalize();
        self.put(&checksum.to_le_bytes());
        self.flush();
        self.check()?;
        self.writer.flush()?;
        Ok(self.written)
    }

    fn flush(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.hand_on(&buffer);
        self.buffer = buffer;
        self.buffer.clear();
    }

    fn hand_on(&mut self, bytes: &[u8]) {
        self.checksum.update(bytes);
        if self.failure.is_none() {
            self.failure = self.writer.write_all(bytes).err();
            self.written += bytes.len() as u64;
        }
    }
}

impl Sink for Output<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() > ROOM - self.buffer.len() {
            self.flush();
            if bytes.len() > ROOM {
                return self.hand_on(bytes);
            }
        }
        self.buffer.extend_from_slice(bytes);
    }
}
