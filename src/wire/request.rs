//! Requests: what a client sends, as a list of arguments that borrow the read buffer.
//!
//! A request is an array of bulk strings, or one line of words for people with a terminal (inline).
//! The parser works on the caller's buffer: while a request is incomplete the buffer may grow, but
//! its beginning must stay; once it is complete the caller drops [`Request::consumed`] bytes.
//!
//! Invariant: arguments already found are never looked at again, so the work is linear in the bytes
//! received, however they are cut. Memory is reserved for what has arrived, never for what a length
//! announces.
//!
//! As in Redis, the two bytes that end a length or a string are not examined.

use std::ops::Range;

use super::protocol::{Length, LineScanner, ProtocolError, parse_length, short_length};

/// What a client may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLimits {
    /// Arguments of a request.
    pub(crate) arguments: usize,
    /// Bytes of an argument.
    pub(crate) bulk: usize,
    /// Bytes of an inline request, or of a length.
    pub(crate) line: usize,
    /// Whether the client has shown who it is; decides the words of the refusal.
    pub(crate) authenticated: bool,
}

impl RequestLimits {
    /// Redis's limits for a client that has yet to authenticate.
    pub(crate) const UNAUTHENTICATED: RequestLimits =
        RequestLimits { arguments: 10, bulk: 16 * 1024, line: 64 * 1024, authenticated: false };

    /// For what a store has kept itself: an effect may be one argument with all of a key.
    pub(crate) const KEPT: RequestLimits = RequestLimits {
        arguments: i32::MAX as usize,
        bulk: isize::MAX as usize,
        line: 64 * 1024,
        authenticated: true,
    };
}

/// Redis's limits: 2^31 - 1 arguments of up to 512 MiB.
impl Default for RequestLimits {
    fn default() -> RequestLimits {
        RequestLimits {
            arguments: i32::MAX as usize,
            bulk: 512 * 1024 * 1024,
            line: 64 * 1024,
            authenticated: true,
        }
    }
}

/// Arguments, and bytes of an inline request, for which a parser keeps room.
const KEPT_ARGUMENTS: usize = 64;
const KEPT_WORDS: usize = 1024;

/// Parses requests from a buffer that grows.
#[derive(Debug, Default)]
pub(crate) struct RequestParser {
    limits: RequestLimits,
    scanner: LineScanner,
    /// Where the first byte not yet parsed is.
    offset: usize,
    /// Arguments still to come, if an array has begun.
    remaining: Option<usize>,
    arguments: Vec<Range<usize>>,
    /// The words of an inline request, once unquoted; only then do `arguments` point here.
    words: Vec<u8>,
    inline: bool,
}

/// One request: arguments that borrow the buffer. It may be empty, which asks for nothing and gets
/// no reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    bytes: &'a [u8],
    arguments: &'a [Range<usize>],
    consumed: usize,
}

impl RequestParser {
    pub(crate) fn new(limits: RequestLimits) -> RequestParser {
        RequestParser { limits, ..RequestParser::default() }
    }

    /// Changes the limits, from the next length on.
    pub(crate) fn set_limits(&mut self, limits: RequestLimits) {
        self.limits = limits;
    }

    /// Gives back the room that a long request has taken. To be called between requests.
    pub(crate) fn release(&mut self) {
        if self.arguments.capacity() > KEPT_ARGUMENTS {
            self.arguments = Vec::new();
        }
        if self.words.capacity() > KEPT_WORDS {
            self.words = Vec::new();
        }
    }

    /// The request at the beginning of `buffer`, or `None` if more bytes are needed. After an error
    /// the connection is of no use.
    #[inline]
    pub(crate) fn parse<'a>(
        &'a mut self,
        buffer: &'a [u8],
    ) -> Result<Option<Request<'a>>, ProtocolError> {
        if self.offset == 0 {
            self.arguments.clear();
            self.inline = false;
        }
        if !self.advance(buffer)? {
            return Ok(None);
        }
        let consumed = std::mem::take(&mut self.offset);
        self.scanner.reset();
        self.remaining = None;
        let bytes = if self.inline { &self.words } else { buffer };
        Ok(Some(Request { bytes, arguments: &self.arguments, consumed }))
    }

    /// Parses as far as the buffer goes; says whether the request is complete.
    fn advance(&mut self, buffer: &[u8]) -> Result<bool, ProtocolError> {
        let mut remaining = match (self.remaining, buffer.first()) {
            (Some(remaining), _) => remaining,
            (None, None) => return Ok(false),
            (None, Some(b'*')) => match self.array_length(buffer)? {
                Some(length) => length,
                None => return Ok(false),
            },
            (None, Some(_)) => return self.inline(buffer),
        };
        while remaining > 0 {
            self.remaining = Some(remaining);
            if !self.bulk(buffer)? {
                return Ok(false);
            }
            remaining -= 1;
        }
        Ok(true)
    }

    fn array_length(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Some(length) = self.length(buffer, ProtocolError::TooBigMultibulkCount)? else {
            return Ok(None);
        };
        let (Some(length), next) = length else {
            return Err(ProtocolError::InvalidMultibulkLength);
        };
        self.offset = next;
        match usize::try_from(length) {
            Err(_) => Ok(Some(0)),
            Ok(length) if length <= self.limits.arguments => Ok(Some(length)),
            Ok(_) if self.limits.authenticated => Err(ProtocolError::InvalidMultibulkLength),
            Ok(_) => Err(ProtocolError::UnauthenticatedMultibulkLength),
        }
    }

    /// Takes one argument, if all of it has arrived.
    #[inline]
    fn bulk(&mut self, buffer: &[u8]) -> Result<bool, ProtocolError> {
        let Some(&marker) = buffer.get(self.offset) else { return Ok(false) };
        let Some(length) = self.length(buffer, ProtocolError::TooBigBulkCount)? else {
            return Ok(false);
        };
        if marker != b'$' {
            return Err(ProtocolError::ExpectedBulk(marker));
        }
        let (Some(length), start) = length else { return Err(ProtocolError::InvalidBulkLength) };
        let length = usize::try_from(length).map_err(|_| ProtocolError::InvalidBulkLength)?;
        if length > self.limits.bulk {
            return Err(match self.limits.authenticated {
                true => ProtocolError::InvalidBulkLength,
                false => ProtocolError::UnauthenticatedBulkLength,
            });
        }
        let end = start + length;
        if buffer.len() < end + 2 {
            return Ok(false);
        }
        self.arguments.push(start..end);
        self.offset = end + 2;
        Ok(true)
    }

    /// The number after the marker at the offset (`None` if it is none), and where the next line
    /// begins.
    #[inline]
    fn length(
        &mut self,
        buffer: &[u8],
        too_long: ProtocolError,
    ) -> Result<Option<(Option<i64>, usize)>, ProtocolError> {
        if let Length::Known(length, next) = short_length(buffer, self.offset + 1) {
            return Ok(Some((Some(length), next)));
        }
        let line = self.scanner.carriage_return(buffer, self.offset, self.limits.line, too_long)?;
        Ok(line.map(|line| (line.text.get(1..).and_then(parse_length), line.next)))
    }

    fn inline(&mut self, buffer: &[u8]) -> Result<bool, ProtocolError> {
        let line =
            self.scanner.newline(buffer, 0, self.limits.line, ProtocolError::TooBigInline)?;
        let Some(line) = line else { return Ok(false) };
        self.offset = line.next;
        self.inline = true;
        self.words.clear();
        split_words(line.text, &mut self.words, &mut self.arguments)
            .ok_or(ProtocolError::UnbalancedQuotes)?;
        Ok(true)
    }
}

impl<'a> Request<'a> {
    /// The number of arguments, the command's name included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.arguments.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arguments.is_empty()
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.arguments.get(index).map(|range| &self.bytes[range.clone()])
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let bytes = self.bytes;
        self.arguments.iter().map(move |range| &bytes[range.clone()])
    }

    /// How many bytes of the buffer were this request.
    #[inline]
    pub(crate) fn consumed(&self) -> usize {
        self.consumed
    }
}

/// Splits a line into words: space separates, `"…"` knows escapes (`\n`, `\x41`), `'…'` knows only
/// `\'`, and a closing quote ends its word. `None` if a quote is not closed or not followed by
/// space.
fn split_words(line: &[u8], words: &mut Vec<u8>, arguments: &mut Vec<Range<usize>>) -> Option<()> {
    let mut rest = line;
    loop {
        rest = &rest[rest.iter().position(|&byte| !is_space(byte)).unwrap_or(rest.len())..];
        if rest.is_empty() {
            return Some(());
        }
        let start = words.len();
        rest = take_word(rest, words)?;
        arguments.push(start..words.len());
    }
}

/// Appends one word, unquoted, and returns what follows it.
fn take_word<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Option<&'a [u8]> {
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'"' => return end_of_quotes(take_double_quoted(after, words)?),
            b'\'' => return end_of_quotes(take_single_quoted(after, words)?),
            b' ' | b'\n' | b'\r' | b'\t' => return Some(after),
            _ => words.push(byte),
        }
        rest = after;
    }
    Some(rest)
}

fn end_of_quotes(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(|&byte| is_space(byte)).then_some(rest)
}

fn take_double_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match *rest {
            [b'"', ref after @ ..] => return Some(after),
            [b'\\', b'x', high, low, ref after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                ((hex_value(high) << 4) | hex_value(low), after)
            }
            [b'\\', escaped, ref after @ ..] => (unescape(escaped), after),
            // A backslash at the end of the line stands for itself; the quote is then open anyway.
            [byte, ref after @ ..] => (byte, after),
            [] => return None,
        };
        words.push(byte);
        rest = after;
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (byte, after) = match *rest {
            [b'\'', ref after @ ..] => return Some(after),
            [b'\\', b'\'', ref after @ ..] => (b'\'', after),
            [byte, ref after @ ..] => (byte, after),
            [] => return None,
        };
        words.push(byte);
        rest = after;
    }
}

fn unescape(escaped: u8) -> u8 {
    match escaped {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

/// C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests;
