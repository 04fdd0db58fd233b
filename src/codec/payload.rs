//! Payloads of `DUMP` and `RESTORE`: one value by itself.
//!
//! ```text
//! | type u8 | value | version u16 | checksum u64 |     the last two least byte first
//! ```

use super::input::Input;
use super::output::Sink;
use super::value::{self, Dialect};
use super::{CHECKSUM, Content, Loaded, REDIS_VERSIONS, Times, VALKEY_VERSIONS, Version};
use crate::error::{Error, Result};

const VERSION_LEN: usize = 2;
const CHECKSUM_LEN: usize = 8;

/// A value by itself, as old a version of it as can be.
pub(crate) fn write(content: Content<'_>, times: Times) -> Vec<u8> {
    let version = match content {
        Content::String(_) => Version::Ten,
        Content::Object(object) => Version::needed_for(object),
    };
    let mut payload = Vec::new();
    payload.byte(value::kind_of(content, version));
    value::write(&mut payload, content, version, times);
    payload.put(&version.number().to_le_bytes());
    let checksum = CHECKSUM.checksum(&payload);
    payload.put(&checksum.to_le_bytes());
    payload
}

/// Reads a value; a string is in `scratch`.
///
/// # Errors
///
/// [`Error::PayloadChecksum`] if the bytes are not what was written, or are of a version to come;
/// [`Error::Corrupt`] if they are, and no value nevertheless.
pub(crate) fn read<'b>(
    payload: &[u8],
    times: Times,
    scratch: &'b mut Vec<u8>,
) -> Result<Loaded<'b>> {
    let (summed, checksum) =
        payload.split_last_chunk::<CHECKSUM_LEN>().ok_or(Error::PayloadChecksum)?;
    let (body, version) = summed.split_last_chunk::<VERSION_LEN>().ok_or(Error::PayloadChecksum)?;
    let version = u16::from_le_bytes(*version);
    let is_valkey = VALKEY_VERSIONS.contains(&version);
    // Unlike at the end of a file, zero is a checksum like any other, as it is to Redis.
    let is_whole = u64::from_le_bytes(*checksum) == CHECKSUM.checksum(summed);
    if !is_whole || !(REDIS_VERSIONS.contains(&version) || is_valkey) {
        return Err(Error::PayloadChecksum);
    }
    let mut rest = body;
    let mut input = Input::with_room(&mut rest, body.len());
    let mut kind = input.byte()?;
    if kind == value::KEY_DATA && !is_valkey {
        value::skip_key_data(&mut input, scratch)?;
        kind = input.byte()?;
    }
    let mut object = None;
    if kind == super::kind::STRING {
        input.string(scratch)?;
    } else {
        let dialect = Dialect { is_valkey, times };
        let read = value::read_object(&mut input, kind, dialect, scratch)?;
        object = Some(read.ok_or_else(|| input.corrupt("a collection without elements"))?);
    }
    if !input.is_at_end()? {
        return Err(input.corrupt("bytes behind the value"));
    }
    Ok(object.map_or(Loaded::String(scratch), Loaded::Object))
}
