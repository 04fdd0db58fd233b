//! The wire form of everything: pure bytes, no socket and no clock.
//!
//! - [`frame`], [`encoder`], [`decoder`], [`request`]: RESP2 and RESP3;
//! - [`args`], [`reply`]: arguments and outputs by type;
//! - [`command`]: an operation's grammar and reply; [`table`]: all commands by name; [`answer`]:
//!   a command's name and arguments to its reply;
//! - [`effect`]: the commands that say what was done.

pub(crate) mod answer;
pub(crate) mod args;
mod bitmap;
pub(crate) mod command;
mod counters;
mod decoder;
mod dump;
pub(crate) mod effect;
pub(crate) mod encoder;
pub(crate) mod error;
pub(crate) mod frame;
mod hash;
mod keys;
mod list;
mod protocol;
mod pubsub;
pub(crate) mod reply;
pub(crate) mod request;
mod set;
mod sort;
mod sorted_set;
mod stream;
mod stream_group;
mod strings;
mod subsequence;
pub(crate) mod table;

#[allow(
    unused_imports,
    reason = "only sessions read commands, and only tests read replies back"
)]
pub(crate) use {
    decoder::{Decoder, FrameLimits},
    encoder::{Encoder, Protocol},
    frame::Frame,
    protocol::ProtocolError,
    request::{Request, RequestLimits, RequestParser},
};

#[cfg(test)]
mod tests;

/// Random commands of every kind.
#[cfg(test)]
#[path = "../../tests/differential/grammar.rs"]
pub(crate) mod grammar;
