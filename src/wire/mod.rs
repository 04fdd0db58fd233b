//! The wire form of everything: frames, commands, replies.
pub(crate) mod args;
pub(crate) mod command;
mod decoder;
pub(crate) mod encoder;
pub(crate) mod frame;
mod keys;
mod protocol;
pub(crate) mod reply;
mod request;
mod strings;
pub(crate) mod table;

pub(crate) use decoder::{Decoder, FrameLimits};
pub(crate) use encoder::{Encoder, Protocol};
pub(crate) use frame::Frame;
pub(crate) use protocol::ProtocolError;
pub(crate) use request::{Request, RequestLimits, RequestParser};
