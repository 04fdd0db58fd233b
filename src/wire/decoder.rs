//! Reads replies of RESP2 and RESP3 from a buffer that grows.
//!
//! Aggregates that are not complete wait on an explicit stack, so depth costs heap and is capped,
//! and a reply cut into many pieces is parsed once. While a reply is incomplete the buffer's
//! beginning must stay; once it is complete the caller drops the bytes consumed.
//!
//! Invariant: everything before `offset` is in `stack`; every level on it lacks at least one
//! element. Memory is reserved for what has arrived, never for what a length announces.

use super::frame::Frame;
use super::protocol::{Length, Line, LineScanner, ProtocolError, parse_length, short_length};
use crate::number;
use crate::value::Value;

/// What a peer may send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameLimits {
    /// Aggregates inside each other.
    pub(crate) depth: usize,
    /// Elements of an aggregate.
    pub(crate) elements: usize,
    /// Bytes of a string.
    pub(crate) bulk: usize,
    /// Bytes of a line: a status, an error, a number, a length.
    pub(crate) line: usize,
}

/// Deeper and larger than any reply of Redis.
impl Default for FrameLimits {
    fn default() -> FrameLimits {
        FrameLimits {
            depth: 128,
            elements: i32::MAX as usize,
            bulk: 512 * 1024 * 1024,
            line: 64 * 1024,
        }
    }
}

/// Parses replies from a buffer that grows.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    limits: FrameLimits,
    scanner: LineScanner,
    offset: usize,
    stack: Vec<Level>,
}

/// An aggregate whose elements are still arriving.
#[derive(Debug)]
struct Level {
    kind: Kind,
    remaining: usize,
    items: Vec<Frame>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Array,
    Set,
    Push,
    Map,
    Attribute,
}

/// What one line begins.
enum Element {
    Whole(Frame),
    Open(Kind, usize),
}

impl Decoder {
    pub(crate) fn new(limits: FrameLimits) -> Decoder {
        Decoder { limits, ..Decoder::default() }
    }

    /// The reply at the beginning of `buffer` and its length, or `None` if more bytes are needed.
    /// After an error the connection is of no use.
    pub(crate) fn decode(
        &mut self,
        buffer: &[u8],
    ) -> Result<Option<(Frame, usize)>, ProtocolError> {
        while let Some(element) = self.element(buffer)? {
            let complete = match element {
                Element::Whole(frame) => self.close(frame),
                Element::Open(kind, elements) => self.open(kind, elements)?,
            };
            if let Some(frame) = complete {
                self.scanner.reset();
                return Ok(Some((frame, std::mem::take(&mut self.offset))));
            }
        }
        Ok(None)
    }

    /// Begins an aggregate; an empty one is complete at once.
    fn open(&mut self, kind: Kind, elements: usize) -> Result<Option<Frame>, ProtocolError> {
        if self.stack.len() >= self.limits.depth {
            return Err(ProtocolError::TooDeep);
        }
        let level = Level { kind, remaining: elements, items: Vec::new() };
        if elements == 0 {
            return Ok(self.close(level.finish()));
        }
        self.stack.push(level);
        Ok(None)
    }

    /// Gives a complete frame to the aggregate it belongs to, and so on outwards; returns it if it
    /// belongs to none.
    fn close(&mut self, mut frame: Frame) -> Option<Frame> {
        while let Some(mut level) = self.stack.pop() {
            level.items.push(frame);
            level.remaining -= 1;
            if level.remaining > 0 {
                self.stack.push(level);
                return None;
            }
            frame = level.finish();
        }
        Some(frame)
    }

    /// The next element, if all of its own bytes have arrived.
    fn element(&mut self, buffer: &[u8]) -> Result<Option<Element>, ProtocolError> {
        let Some(&marker) = buffer.get(self.offset) else { return Ok(None) };
        match marker {
            b'$' | b'!' | b'=' => self.string(marker, buffer),
            b'*' | b'~' | b'>' | b'%' | b'|' => self.aggregate(marker, buffer),
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {
                let Some(line) = self.line(buffer)? else { return Ok(None) };
                self.offset = line.next;
                parse_line(marker, line.text).map(|frame| Some(Element::Whole(frame)))
            }
            other => Err(ProtocolError::UnknownType(other)),
        }
    }

    fn string(&mut self, marker: u8, buffer: &[u8]) -> Result<Option<Element>, ProtocolError> {
        let Some((length, start)) = self.length(buffer, ProtocolError::InvalidBulkLength)? else {
            return Ok(None);
        };
        if length == -1 && marker == b'$' {
            self.offset = start;
            return Ok(Some(Element::Whole(Frame::Null)));
        }
        let length = usize::try_from(length).ok().filter(|&length| length <= self.limits.bulk);
        let end = start + length.ok_or(ProtocolError::InvalidBulkLength)?;
        let Some(terminator) = buffer.get(end..end + 2) else { return Ok(None) };
        if terminator != b"\r\n" {
            return Err(ProtocolError::Malformed("string"));
        }
        self.offset = end + 2;
        parse_string(marker, &buffer[start..end]).map(|frame| Some(Element::Whole(frame)))
    }

    fn aggregate(&mut self, marker: u8, buffer: &[u8]) -> Result<Option<Element>, ProtocolError> {
        let invalid = ProtocolError::InvalidMultibulkLength;
        let Some((length, next)) = self.length(buffer, invalid)? else { return Ok(None) };
        self.offset = next;
        if length == -1 && marker == b'*' {
            return Ok(Some(Element::Whole(Frame::Null)));
        }
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length <= self.limits.elements)
            .ok_or(invalid)?;
        Ok(Some(match marker {
            b'*' => Element::Open(Kind::Array, length),
            b'~' => Element::Open(Kind::Set, length),
            b'>' => Element::Open(Kind::Push, length),
            b'%' => Element::Open(Kind::Map, length.checked_mul(2).ok_or(invalid)?),
            // The reply that the attributes belong to is the last element.
            _ => Element::Open(Kind::Attribute, length.checked_mul(2).ok_or(invalid)? + 1),
        }))
    }

    /// The number after the marker, and where the next line begins.
    fn length(
        &mut self,
        buffer: &[u8],
        invalid: ProtocolError,
    ) -> Result<Option<(i64, usize)>, ProtocolError> {
        if let Length::Known(length, next) = short_length(buffer, self.offset + 1)
            && buffer[next - 1] == b'\n'
        {
            return Ok(Some((length, next)));
        }
        let Some(line) = self.line(buffer)? else { return Ok(None) };
        let length = parse_length(line.text).ok_or(invalid)?;
        Ok(Some((length, line.next)))
    }

    /// The line at the offset, without its marker.
    fn line<'a>(&mut self, buffer: &'a [u8]) -> Result<Option<Line<'a>>, ProtocolError> {
        let line = self.scanner.carriage_return(
            buffer,
            self.offset,
            self.limits.line,
            ProtocolError::TooBigLine,
        )?;
        match line {
            Some(line) if buffer[line.next - 1] != b'\n' => Err(ProtocolError::Malformed("line")),
            Some(line) => {
                Ok(Some(Line { text: line.text.get(1..).unwrap_or_default(), next: line.next }))
            }
            None => Ok(None),
        }
    }
}

impl Level {
    fn finish(mut self) -> Frame {
        match self.kind {
            Kind::Array => Frame::Array(self.items),
            Kind::Set => Frame::Set(self.items),
            Kind::Push => Frame::Push(self.items),
            Kind::Map => Frame::Map(pairs(self.items)),
            Kind::Attribute => {
                let reply =
                    self.items.pop().expect("attributes are complete only with their reply");
                Frame::Attribute(pairs(self.items), Box::new(reply))
            }
        }
    }
}

fn pairs(items: Vec<Frame>) -> Vec<(Frame, Frame)> {
    let mut pairs = Vec::with_capacity(items.len() / 2);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        pairs.push((key, value));
    }
    pairs
}

fn parse_line(marker: u8, text: &[u8]) -> Result<Frame, ProtocolError> {
    let (frame, name) = match marker {
        b'+' => (Some(Frame::Simple(Value::from(text))), "status"),
        b'-' => (Some(Frame::Error(Value::from(text))), "error"),
        b':' => (number::parse_integer(text).map(Frame::Integer), "integer"),
        b'_' => (text.is_empty().then_some(Frame::Null), "null"),
        b',' => (parse_double(text).map(Frame::Double), "double"),
        b'#' => (parse_boolean(text).map(Frame::Boolean), "boolean"),
        _ => (is_big_number(text).then(|| Frame::BigNumber(Value::from(text))), "big number"),
    };
    frame.ok_or(ProtocolError::Malformed(name))
}

fn parse_string(marker: u8, bytes: &[u8]) -> Result<Frame, ProtocolError> {
    match (marker, bytes) {
        (b'$', bytes) => Ok(Frame::Bulk(Value::from(bytes))),
        (b'!', bytes) => Ok(Frame::BulkError(Value::from(bytes))),
        (_, &[a, b, c, b':', ref text @ ..]) => Ok(Frame::Verbatim([a, b, c], Value::from(text))),
        _ => Err(ProtocolError::Malformed("verbatim string")),
    }
}

fn parse_double(text: &[u8]) -> Option<f64> {
    match text {
        b"nan" | b"-nan" => Some(f64::NAN),
        text => number::parse_float(text),
    }
}

fn parse_boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"t" => Some(true),
        b"f" => Some(false),
        _ => None,
    }
}

fn is_big_number(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests;
