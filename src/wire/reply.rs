//! Outputs as replies: written with an [`Encoder`], read back from a [`Frame`].
//!
//! A type has one shape on the wire. An operation whose reply depends on its options gives its
//! own `reply` and `decode` instead.

use super::encoder::{Encoder, Protocol};
use super::frame::Frame;
use crate::error::{Error, Result};
use crate::value::Value;

/// An output with one shape on the wire.
pub(crate) trait Reply: Sized {
    fn write(&self, encoder: &mut Encoder<'_>);
    fn read(frame: Frame) -> Result<Self>;
}

/// The error of a reply that has another shape than the command's.
pub(crate) fn unexpected<T>(frame: &Frame) -> Result<T> {
    Err(Error::Protocol(format!("unexpected reply {frame:?}")))
}

/// `OK`.
impl Reply for () {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.simple(b"OK");
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Simple(text) if text == "OK" => Ok(()),
            other => unexpected(&other),
        }
    }
}

/// An integer, 1 or 0.
impl Reply for bool {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer((*self).into());
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Integer(0) => Ok(false),
            Frame::Integer(1) => Ok(true),
            other => unexpected(&other),
        }
    }
}

impl Reply for i64 {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer(*self);
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Integer(value) => Ok(value),
            other => unexpected(&other),
        }
    }
}

impl Reply for usize {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer(*self as i64);
    }

    fn read(frame: Frame) -> Result<Self> {
        let value = i64::read(frame)?;
        usize::try_from(value).map_err(|_| Error::Protocol(format!("unexpected count {value}")))
    }
}

impl Reply for u64 {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.integer(*self as i64);
    }

    fn read(frame: Frame) -> Result<Self> {
        i64::read(frame).map(|value| value as u64)
    }
}

impl Reply for Value {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.bulk(self);
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Bulk(value) => Ok(value),
            other => unexpected(&other),
        }
    }
}

/// A RESP3 double, in RESP2 its text.
impl Reply for f64 {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.double(*self);
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Double(value) => Ok(value),
            Frame::Bulk(text) => crate::number::parse_float(&text).ok_or(Error::NotAFloat),
            other => unexpected(&other),
        }
    }
}

impl<T: Reply> Reply for Option<T> {
    fn write(&self, encoder: &mut Encoder<'_>) {
        match self {
            Some(value) => value.write(encoder),
            None => encoder.null(),
        }
    }

    fn read(frame: Frame) -> Result<Self> {
        match frame {
            Frame::Null => Ok(None),
            frame => T::read(frame).map(Some),
        }
    }
}

impl<T: Reply> Reply for Vec<T> {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.array(self.len());
        for item in self {
            item.write(encoder);
        }
    }

    fn read(frame: Frame) -> Result<Self> {
        items(frame)?.into_iter().map(T::read).collect()
    }
}

/// An array of two.
impl<A: Reply, B: Reply> Reply for (A, B) {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.array(2);
        self.0.write(encoder);
        self.1.write(encoder);
    }

    fn read(frame: Frame) -> Result<Self> {
        let items: Result<[Frame; 2], _> = items(frame)?.try_into();
        match items {
            Ok([first, second]) => Ok((A::read(first)?, B::read(second)?)),
            Err(items) => unexpected(&Frame::Array(items)),
        }
    }
}

/// A map with names for its values, from which they are taken by name.
pub(crate) struct Record(Vec<(Frame, Frame)>);

impl Record {
    /// A map, or names and values in turn as RESP2 has them.
    pub(crate) fn read(frame: Frame) -> Result<Self> {
        if let Frame::Map(pairs) = frame {
            return Ok(Self(pairs));
        }
        let mut items = items(frame)?.into_iter();
        let mut pairs = Vec::with_capacity(items.len() / 2);
        while let (Some(name), Some(value)) = (items.next(), items.next()) {
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// Takes a value out.
    pub(crate) fn take(&mut self, name: &str) -> Result<Frame> {
        let named = |(key, _): &(Frame, Frame)| matches!(key, Frame::Bulk(key) if key == name);
        let index = self.0.iter().position(named);
        let index = index.ok_or_else(|| Error::Protocol(format!("no {name:?} in a reply")))?;
        Ok(self.0.swap_remove(index).1)
    }

    /// Takes a value out, by its type.
    pub(crate) fn field<T: Reply>(&mut self, name: &str) -> Result<T> {
        T::read(self.take(name)?)
    }
}

/// The elements of an array.
pub(crate) fn items(frame: Frame) -> Result<Vec<Frame>> {
    match frame {
        Frame::Array(items) | Frame::Set(items) | Frame::Push(items) => Ok(items),
        other => unexpected(&other),
    }
}

/// Writes members with their scores: pairs in RESP3, flat in RESP2.
pub(crate) fn write_scored(members: &[(Value, f64)], encoder: &mut Encoder<'_>) {
    let pairs = encoder.protocol() == Protocol::Resp3;
    encoder.array(if pairs { members.len() } else { members.len() * 2 });
    for (member, score) in members {
        if pairs {
            encoder.array(2);
        }
        encoder.bulk(member);
        encoder.double(*score);
    }
}

/// Reads what [`write_scored`] wrote.
pub(crate) fn read_scored(frame: Frame) -> Result<Vec<(Value, f64)>> {
    let items = items(frame)?;
    if matches!(items.first(), Some(Frame::Array(_))) {
        return items.into_iter().map(<(Value, f64)>::read).collect();
    }
    let mut items = items.into_iter();
    let mut members = Vec::with_capacity(items.len() / 2);
    while let Some(member) = items.next() {
        let score = items.next().unwrap_or(Frame::Null);
        members.push((Value::read(member)?, f64::read(score)?));
    }
    Ok(members)
}
