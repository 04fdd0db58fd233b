//! Errors in Redis's own words.

use std::borrow::Cow;

use super::stream_group::MIN_IDLE;
use crate::error::Error;
use crate::value::Value;

/// How many bytes of an unknown command's arguments its error repeats.
const REPEATED: usize = 128;

/// What Redis says for an error of `command`, code first.
pub(crate) fn redis_text(error: &Error, command: &str) -> Cow<'static, str> {
    let text = match error {
        Error::WrongType if command.eq_ignore_ascii_case("DELEX") => {
            "ERR Key should be of string type if conditions are specified"
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
        Error::KeyExists => "BUSYKEY Target key name already exists.",
        Error::GroupExists => "BUSYGROUP Consumer Group name already exists",
        other => return Cow::Owned(composed_text(other, command)),
    };
    Cow::Borrowed(text)
}

/// The texts that name something.
fn composed_text(error: &Error, command: &str) -> String {
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
        Error::UnsupportedOption(option) => format!("ERR Unsupported option {}", text(option)),
        Error::OutOfRange(MIN_IDLE) => format!("ERR {MIN_IDLE} {command}"),
        Error::Syntax(text)
        | Error::OutOfRange(text)
        | Error::StreamMetadata(text)
        | Error::UsesNotKept(text) => format!("ERR {text}"),
        Error::NoGroup { key, group } => no_group(&text(key), &text(group), command),
        Error::UnknownSubcommand { command, given } => {
            format!("ERR unknown subcommand '{}'. Try {command} HELP.", text(given))
        }
        Error::SubcommandOptions { command, given } => {
            let given = text(given);
            format!(
                "ERR unknown subcommand or wrong number of arguments for '{given}'. \
                 Try {command} HELP."
            )
        }
        Error::UnknownOption { command: "HSETEX", given } => {
            format!("ERR unknown argument: {}", text(given))
        }
        Error::UnknownOption { command, given } => {
            format!("ERR Unrecognized {command} option '{}'", text(given))
        }
        Error::ReadOnly(cause) => format!("MISCONF Errors writing to the AOF file: {cause}"),
        Error::Protocol(text) => format!("ERR Protocol error: {text}"),
        other => format!("ERR {other}"),
    }
}

fn no_group(key: &str, group: &str, command: &str) -> String {
    match command.to_ascii_uppercase().as_str() {
        "XREADGROUP" => format!(
            "NOGROUP No such key '{key}' or consumer group '{group}' \
             in XREADGROUP with GROUP option"
        ),
        "XPENDING" | "XCLAIM" | "XAUTOCLAIM" => {
            format!("NOGROUP No such key '{key}' or consumer group '{group}'")
        }
        _ => format!("NOGROUP No such consumer group '{group}' for key name '{key}'"),
    }
}

fn text(value: &Value) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

/// What Redis says to a name that is no command.
pub(crate) fn unknown_command(name: &[u8], arguments: &[&[u8]]) -> String {
    let start = |text: &[u8], room: usize| {
        String::from_utf8_lossy(&text[..text.len().min(room)]).into_owned()
    };
    let mut repeated = String::new();
    for argument in arguments {
        if repeated.len() >= REPEATED {
            break;
        }
        repeated += &format!("'{}' ", start(argument, REPEATED - repeated.len()));
    }
    let name = start(name, REPEATED);
    format!("ERR unknown command '{name}', with args beginning with: {repeated}")
}
