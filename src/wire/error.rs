//! Errors in Redis's own words.
//!
//! They are bytes: what a client sent is repeated as it was, up to its first zero, as Redis takes
//! it for a string of C.

use std::borrow::Cow;

use memchr::memchr;

use super::stream_group::MIN_IDLE;
use crate::error::Error;

/// How many bytes of an unknown word its error repeats, and of an unknown command's arguments.
const REPEATED: usize = 128;

/// What Redis says for an error, code first.
pub(crate) type Text = Cow<'static, [u8]>;

/// What Redis says for an error of `command`.
pub(crate) fn redis_text(error: &Error, command: &str) -> Text {
    let text = match error {
        Error::WrongType if command.eq_ignore_ascii_case("DELEX") => {
            "ERR Key should be of string type if conditions are specified"
        }
        Error::WrongType if command.eq_ignore_ascii_case("LCS") => {
            "ERR The specified keys must contain string values"
        }
        Error::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
        Error::NotAnInteger if command.eq_ignore_ascii_case("HINCRBY") => {
            "ERR hash value is not an integer"
        }
        Error::NotAnInteger => "ERR value is not an integer or out of range",
        Error::NotAFloat if command.eq_ignore_ascii_case("HINCRBYFLOAT") => {
            "ERR hash value is not a float"
        }
        Error::NotAFloat => "ERR value is not a valid float",
        Error::Overflow => "ERR increment or decrement would overflow",
        Error::NotFinite => "ERR increment would produce NaN or Infinity",
        Error::ScoreNotANumber => "ERR resulting score is not a number (NaN)",
        Error::TooLarge if command.eq_ignore_ascii_case("LCS") => {
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
        }
        Error::TooLarge => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        Error::OffsetOutOfRange => "ERR offset is out of range",
        Error::NoSuchKey => "ERR no such key",
        Error::NoSuchDatabase => "ERR DB index is out of range",
        Error::SameObject => "ERR source and destination objects are the same",
        Error::InvalidStreamId => "ERR Invalid stream ID specified as stream command argument",
        Error::StreamIdTooSmall if command.eq_ignore_ascii_case("XSETID") => {
            "ERR The ID specified in XSETID is smaller than the target stream top item"
        }
        Error::StreamIdTooSmall => {
            "ERR The ID specified in XADD is equal or smaller than the target stream top item"
        }
        Error::StreamIdZero => "ERR The ID specified in XADD must be greater than 0-0",
        Error::StreamExhausted => {
            "ERR The stream has exhausted the last possible ID, unable to add more items"
        }
        Error::NoSuchStream => {
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may \
             want to use the MKSTREAM option to create an empty stream automatically."
        }
        Error::PayloadChecksum => "ERR DUMP payload version or checksum are wrong",
        Error::Corrupt { .. } if command.eq_ignore_ascii_case("RESTORE") => "ERR Bad data format",
        Error::KeyExists(_) => "BUSYKEY Target key name already exists.",
        Error::GroupExists => "BUSYGROUP Consumer Group name already exists",
        other => return Cow::Owned(composed_text(other, command)),
    };
    Cow::Borrowed(text.as_bytes())
}

/// The texts that name something.
fn composed_text(error: &Error, command: &str) -> Vec<u8> {
    match error {
        Error::NoGroup { key, group } => no_group(shown(key), shown(group), command),
        Error::UnsupportedOption(option) => [b"ERR Unsupported option ", shown(option)].concat(),
        Error::UnknownSubcommand { command, given } => {
            let command = command.as_bytes();
            [b"ERR unknown subcommand '", start(given), b"'. Try ", command, b" HELP."].concat()
        }
        Error::SubcommandOptions { command, given } => {
            let words = b"ERR unknown subcommand or wrong number of arguments for '";
            [&words[..], start(given), b"'. Try ", command.as_bytes(), b" HELP."].concat()
        }
        Error::UnknownOption { command: "HSETEX", given } => {
            [b"ERR unknown argument: ", shown(given)].concat()
        }
        Error::UnknownOption { command, given } => {
            [b"ERR Unrecognized ", command.as_bytes(), b" option '", shown(given), b"'"].concat()
        }
        other => own_text(other, command).into_bytes(),
    }
}

/// The texts that name nothing of a client's.
fn own_text(error: &Error, command: &str) -> String {
    match error {
        Error::InvalidExpire => {
            format!("ERR invalid expire time in '{}' command", command.to_ascii_lowercase())
        }
        Error::NoKeys => {
            let name = command.to_ascii_lowercase();
            format!("ERR at least 1 input key is needed for '{name}' command")
        }
        Error::Arity(name) => {
            let name = name.to_ascii_lowercase();
            format!("ERR wrong number of arguments for '{name}' command")
        }
        Error::OutOfRange(MIN_IDLE) => format!("ERR {MIN_IDLE} {command}"),
        Error::Syntax(text)
        | Error::OutOfRange(text)
        | Error::StreamMetadata(text)
        | Error::UsesNotKept(text) => format!("ERR {text}"),
        Error::ReadOnly(cause) => format!("MISCONF Errors writing to the AOF file: {cause}"),
        Error::Protocol(text) => format!("ERR Protocol error: {text}"),
        other => format!("ERR {other}"),
    }
}

fn no_group(key: &[u8], group: &[u8], command: &str) -> Vec<u8> {
    let of_group = [b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'"].concat();
    match command.to_ascii_uppercase().as_str() {
        "XREADGROUP" => [&of_group[..], b" in XREADGROUP with GROUP option"].concat(),
        "XPENDING" | "XCLAIM" | "XAUTOCLAIM" => of_group,
        _ => [b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"].concat(),
    }
}

/// What an error repeats of a word that a client sent, which may be long.
fn start(word: &[u8]) -> &[u8] {
    shown(&word[..word.len().min(REPEATED)])
}

/// What an error repeats of bytes that a client sent.
pub(crate) fn shown(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr(0, bytes).unwrap_or(bytes.len())]
}

/// What Redis says to a name that is no command.
pub(crate) fn unknown_command(name: &[u8], arguments: &[&[u8]]) -> Vec<u8> {
    let mut repeated = Vec::new();
    for argument in arguments {
        if repeated.len() >= REPEATED {
            break;
        }
        let room = REPEATED - repeated.len();
        let argument = shown(&argument[..argument.len().min(room)]);
        repeated.extend([b"'", argument, b"' "].concat());
    }
    [b"ERR unknown command '", start(name), b"', with args beginning with: ", &repeated].concat()
}
