//! Redis's wire protocol, as pure bytes: no socket, no clock, no keyspace.

mod decoder;
mod encoder;
mod frame;
mod protocol;
mod request;

pub(crate) use decoder::{Decoder, FrameLimits};
pub(crate) use encoder::{Encoder, Protocol};
pub(crate) use frame::Frame;
pub(crate) use protocol::ProtocolError;
pub(crate) use request::{Request, RequestLimits, RequestParser};
