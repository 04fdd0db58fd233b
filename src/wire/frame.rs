//! A reply as a tree that owns its bytes.
//!
//! Operations write their replies with [`Encoder`] and never build this tree; it is for whoever
//! reads replies: a client, or a test. A tree that came from [`Decoder`](super::Decoder) is at most
//! [`FrameLimits::depth`](super::FrameLimits) deep, so what recurses over it (encoding, comparing,
//! printing, dropping) has a bounded stack.

use super::encoder::{Encoder, Protocol};
use crate::value::Value;

/// One reply of RESP2 or RESP3.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    /// A status, such as `OK`.
    Simple(Value),
    /// An error: its code, a space, its text.
    Error(Value),
    /// An integer.
    Integer(i64),
    /// Any bytes.
    Bulk(Value),
    /// Nothing; RESP2's null string and null array alike.
    Null,
    /// Replies in order.
    Array(Vec<Frame>),
    /// A float.
    Double(f64),
    /// A truth value.
    Boolean(bool),
    /// A decimal integer of any size.
    BigNumber(Value),
    /// An error that may hold line ends.
    BulkError(Value),
    /// Text for people, with its format: `txt` or `mkd`.
    Verbatim([u8; 3], Value),
    /// Pairs, in the order they were sent.
    Map(Vec<(Frame, Frame)>),
    /// Replies that are distinct and have no order.
    Set(Vec<Frame>),
    /// A message that no request asked for.
    Push(Vec<Frame>),
    /// A reply with remarks about it, which a reader may ignore.
    Attribute(Vec<(Frame, Frame)>, Box<Frame>),
}

impl Frame {
    /// Appends the frame in the encoder's protocol.
    pub(crate) fn encode(&self, encoder: &mut Encoder<'_>) {
        match self {
            Frame::Simple(text) => encoder.simple(text),
            Frame::Error(text) => encoder.error(text),
            Frame::Integer(value) => encoder.integer(*value),
            Frame::Bulk(bytes) => encoder.bulk(bytes),
            Frame::Null => encoder.null(),
            Frame::Double(value) => encoder.double(*value),
            Frame::Boolean(value) => encoder.boolean(*value),
            Frame::BigNumber(digits) => encoder.big_number(digits),
            Frame::BulkError(text) => encoder.bulk_error(text),
            Frame::Verbatim(format, text) => encoder.verbatim(*format, text),
            Frame::Array(items) => {
                encoder.array(items.len());
                encode_all(items, encoder);
            }
            Frame::Set(items) => {
                encoder.set(items.len());
                encode_all(items, encoder);
            }
            Frame::Push(items) => {
                encoder.push(items.len());
                encode_all(items, encoder);
            }
            Frame::Map(pairs) => {
                encoder.map(pairs.len());
                encode_pairs(pairs, encoder);
            }
            Frame::Attribute(pairs, reply) => {
                if encoder.protocol() == Protocol::Resp3 {
                    encoder.attribute(pairs.len());
                    encode_pairs(pairs, encoder);
                }
                reply.encode(encoder);
            }
        }
    }
}

fn encode_all(items: &[Frame], encoder: &mut Encoder<'_>) {
    for item in items {
        item.encode(encoder);
    }
}

fn encode_pairs(pairs: &[(Frame, Frame)], encoder: &mut Encoder<'_>) {
    for (key, value) in pairs {
        key.encode(encoder);
        value.encode(encoder);
    }
}

/// Doubles are equal when they would be sent alike: 0.0 differs from -0.0, and NaN equals itself.
impl PartialEq for Frame {
    fn eq(&self, other: &Frame) -> bool {
        use Frame::{
            Array, Attribute, BigNumber, Boolean, Bulk, BulkError, Double, Error, Integer, Map,
            Null, Push, Set, Simple, Verbatim,
        };
        match (self, other) {
            (Double(a), Double(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
            (Simple(a), Simple(b))
            | (Error(a), Error(b))
            | (Bulk(a), Bulk(b))
            | (BigNumber(a), BigNumber(b))
            | (BulkError(a), BulkError(b)) => a == b,
            (Integer(a), Integer(b)) => a == b,
            (Boolean(a), Boolean(b)) => a == b,
            (Verbatim(format, a), Verbatim(other, b)) => format == other && a == b,
            (Array(a), Array(b)) | (Set(a), Set(b)) | (Push(a), Push(b)) => a == b,
            (Map(a), Map(b)) => a == b,
            (Attribute(a, reply), Attribute(b, other)) => a == b && reply == other,
            (Null, Null) => true,
            _ => false,
        }
    }
}

impl Eq for Frame {}
