//! What both parsers share: the ways to break the protocol, and the line that starts every element.

use memchr::{memchr, memchr2};
use thiserror::Error;

use crate::error::Error as PublicError;
use crate::number;

/// Bytes that are not RESP. The words are those that Redis sends before it closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum ProtocolError {
    /// An array length that is no integer or over the limit.
    #[error("Protocol error: invalid multibulk length")]
    InvalidMultibulkLength,
    /// A string length that is no integer, negative or over the limit.
    #[error("Protocol error: invalid bulk length")]
    InvalidBulkLength,
    /// Too many arguments from a client that has not authenticated.
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulkLength,
    /// Too long an argument from a client that has not authenticated.
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    /// An argument that is no string.
    #[error("Protocol error: expected '$', got '{}'", char::from(*.0))]
    ExpectedBulk(u8),
    /// An inline request without an end.
    #[error("Protocol error: too big inline request")]
    TooBigInline,
    /// An array length without an end.
    #[error("Protocol error: too big mbulk count string")]
    TooBigMultibulkCount,
    /// A string length without an end.
    #[error("Protocol error: too big bulk count string")]
    TooBigBulkCount,
    /// An inline request with a quote that is not closed, or closed inside a word.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
    /// A reply of a type that does not exist.
    #[error("Protocol error: unknown reply type '{}'", .0.escape_ascii())]
    UnknownType(u8),
    /// A reply whose text is not of its type.
    #[error("Protocol error: malformed {0}")]
    Malformed(&'static str),
    /// A reply line without an end.
    #[error("Protocol error: too big reply line")]
    TooBigLine,
    /// Replies nested too deep.
    #[error("Protocol error: reply nested too deep")]
    TooDeep,
}

impl From<ProtocolError> for PublicError {
    fn from(error: ProtocolError) -> PublicError {
        let text = error.to_string();
        PublicError::Protocol(text.trim_start_matches("Protocol error: ").to_owned())
    }
}

/// Appends the line of a number: a length, or an integer.
#[inline]
pub(super) fn header(out: &mut Vec<u8>, marker: u8, value: i64) {
    let digit = |value: i64| b'0' + value as u8;
    // Most are short, and need neither a loop nor a copy of a length that is not known.
    match value {
        0..10 => out.extend_from_slice(&[marker, digit(value), b'\r', b'\n']),
        10..100 => {
            let line = [marker, digit(value / 10), digit(value % 10), b'\r', b'\n'];
            out.extend_from_slice(&line);
        }
        _ => long_header(out, marker, value),
    }
}

#[inline(never)]
fn long_header(out: &mut Vec<u8>, marker: u8, value: i64) {
    out.push(marker);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// A line that starts at `start`: its text, and where the next one begins.
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    pub(super) next: usize,
}

/// Finds the end of a line in a buffer that grows, without scanning a byte twice.
///
/// Invariant: no terminator begins before `scanned`.
#[derive(Debug, Default)]
pub(super) struct LineScanner {
    scanned: usize,
}

impl LineScanner {
    /// The line at `start`, without its CR and the byte after that; `None` if it is not complete.
    /// `Err` with `too_long` if it is longer than `limit`.
    pub(super) fn carriage_return<'a>(
        &mut self,
        buffer: &'a [u8],
        start: usize,
        limit: usize,
        too_long: ProtocolError,
    ) -> Result<Option<Line<'a>>, ProtocolError> {
        let find_end = |rest: &[u8]| memchr(b'\r', rest);
        match self.find(find_end, buffer, start, limit).map_err(|TooLong| too_long)? {
            Some(end) if end + 1 < buffer.len() => {
                Ok(Some(Line { text: &buffer[start..end], next: end + 2 }))
            }
            _ => Ok(None),
        }
    }

    /// The line at `start`, without its LF and the CR that may precede it. One with a zero in it
    /// never ends: Redis looks for the end as in a string of C.
    pub(super) fn newline<'a>(
        &mut self,
        buffer: &'a [u8],
        start: usize,
        limit: usize,
        too_long: ProtocolError,
    ) -> Result<Option<Line<'a>>, ProtocolError> {
        let find_end = |rest: &[u8]| memchr2(b'\n', 0, rest);
        match self.find(find_end, buffer, start, limit).map_err(|TooLong| too_long)? {
            Some(zero) if buffer[zero] == 0 && buffer.len() - start > limit => Err(too_long),
            Some(end) if buffer[end] == b'\n' => {
                let text = &buffer[start..end];
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                Ok(Some(Line { text, next: end + 1 }))
            }
            _ => Ok(None),
        }
    }

    /// To be called when the buffer's beginning moves.
    pub(super) fn reset(&mut self) {
        self.scanned = 0;
    }

    fn find(
        &mut self,
        find_end: impl Fn(&[u8]) -> Option<usize>,
        buffer: &[u8],
        start: usize,
        limit: usize,
    ) -> Result<Option<usize>, TooLong> {
        let from = self.scanned.clamp(start, buffer.len().max(start));
        let found = find_end(buffer.get(from..).unwrap_or_default()).map(|at| from + at);
        self.scanned = found.unwrap_or(buffer.len());
        match found {
            None if buffer.len().saturating_sub(start) > limit => Err(TooLong),
            Some(end) if end - start > limit => Err(TooLong),
            found => Ok(found),
        }
    }
}

struct TooLong;

/// What a length line holds.
pub(super) enum Length {
    /// The length, and where the next line begins.
    Known(i64, usize),
    /// Not decided by the fast path.
    Unclear,
}

/// Reads the digits and CRLF at `start` in one pass. Anything but a short canonical number is left
/// to the slow path, which knows the errors.
#[inline]
pub(super) fn short_length(buffer: &[u8], start: usize) -> Length {
    let mut value = 0;
    let Some(rest) = buffer.get(start..) else { return Length::Unclear };
    for (at, &byte) in rest.iter().enumerate().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + i64::from(digit);
        } else if byte == b'\r' && at + 1 < rest.len() && (at == 1 || at > 1 && rest[0] != b'0') {
            return Length::Known(value, start + at + 2);
        } else {
            break;
        }
    }
    Length::Unclear
}

/// A length in its only spelling.
pub(super) fn parse_length(text: &[u8]) -> Option<i64> {
    number::parse_integer(text)
}
