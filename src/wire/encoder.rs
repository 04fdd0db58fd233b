//! Writes replies straight into an output buffer.
//!
//! A caller says what a reply means (a map, a double, a null array); the encoder knows how each
//! protocol version spells it. RESP2 has fewer types, so there the richer ones fall back exactly as
//! Redis's do: a map becomes an array of twice the length, a set or push an array, a double, big
//! number or verbatim text a bulk string, a boolean an integer.
//!
//! An aggregate is its header followed by its elements, which the caller writes next. Every call
//! appends; nothing fails.

use super::protocol;
use crate::number;

/// The version of the protocol that a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    /// RESP2, which every client speaks until it asks for more.
    #[default]
    Resp2,
    /// RESP3, asked for with `HELLO 3`.
    Resp3,
}

/// Appends replies to a buffer.
#[derive(Debug)]
pub(crate) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Encoder<'a> {
        Encoder { out, protocol }
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// A status such as `OK`. Line ends in it become spaces, since they would end the reply.
    pub(crate) fn simple(&mut self, text: &[u8]) {
        self.line(b'+', text);
    }

    /// An error, with its code: `ERR syntax error`. Line ends in it become spaces.
    pub(crate) fn error(&mut self, text: &[u8]) {
        self.line(b'-', text);
    }

    #[inline]
    pub(crate) fn integer(&mut self, value: i64) {
        self.header(b':', value);
    }

    #[inline]
    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 32);
        self.string(b'$', bytes);
    }

    /// A whole reply that is spelled already, for either protocol.
    pub(crate) fn raw(&mut self, reply: &[u8]) {
        self.out.extend_from_slice(reply);
    }

    /// The absence of a string or of any single value.
    pub(crate) fn null(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// The absence of an array.
    pub(crate) fn null_array(&mut self) {
        self.out.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    pub(crate) fn double(&mut self, value: f64) {
        let text = number::format_double(value);
        match self.protocol {
            Protocol::Resp2 => self.string(b'$', &text),
            Protocol::Resp3 => self.line(b',', &text),
        }
    }

    /// A float given in decimal, with more digits than a double has.
    pub(crate) fn double_text(&mut self, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.string(b'$', text),
            Protocol::Resp3 => self.line(b',', text),
        }
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.protocol, value) {
            (Protocol::Resp2, true) => b":1\r\n",
            (Protocol::Resp2, false) => b":0\r\n",
            (Protocol::Resp3, true) => b"#t\r\n",
            (Protocol::Resp3, false) => b"#f\r\n",
        });
    }

    /// An integer of any size, given in decimal.
    pub(crate) fn big_number(&mut self, digits: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.string(b'$', digits),
            Protocol::Resp3 => self.line(b'(', digits),
        }
    }

    /// Text for people; `format` is `txt` or `mkd`.
    pub(crate) fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.string(b'$', text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() as i64 + 4);
                self.out.extend_from_slice(&format);
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// An error that may hold line ends, which RESP2 cannot say.
    pub(crate) fn bulk_error(&mut self, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.error(text),
            Protocol::Resp3 => self.string(b'!', text),
        }
    }

    /// Begins an array of `length` replies.
    #[inline]
    pub(crate) fn array(&mut self, length: usize) {
        self.header(b'*', length as i64);
    }

    /// Begins a map of `pairs`, each a key and then a value.
    pub(crate) fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(pairs * 2),
            Protocol::Resp3 => self.header(b'%', pairs as i64),
        }
    }

    /// Begins a set of `length` replies.
    pub(crate) fn set(&mut self, length: usize) {
        self.aggregate(b'~', length);
    }

    /// Begins a message that no request asked for, of `length` parts.
    pub(crate) fn push(&mut self, length: usize) {
        self.aggregate(b'>', length);
    }

    /// Begins the attributes of the next reply. RESP2 has none, and there the caller must leave
    /// them out.
    pub(crate) fn attribute(&mut self, pairs: usize) {
        debug_assert_eq!(self.protocol, Protocol::Resp3, "RESP2 has no attributes");
        self.header(b'|', pairs as i64);
    }

    fn aggregate(&mut self, marker: u8, length: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(length),
            Protocol::Resp3 => self.header(marker, length as i64),
        }
    }

    #[inline]
    fn header(&mut self, marker: u8, value: i64) {
        protocol::header(self.out, marker, value);
    }

    #[inline]
    fn string(&mut self, marker: u8, bytes: &[u8]) {
        self.header(marker, bytes.len() as i64);
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    fn line(&mut self, marker: u8, text: &[u8]) {
        self.out.push(marker);
        let start = self.out.len();
        self.out.extend_from_slice(text);
        for byte in &mut self.out[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
