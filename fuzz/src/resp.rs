//! What a well-formed reply is, in RESP2 and RESP3, without the crate's own decoder: both could be
//! wrong in the same way.

use std::str;

/// Aggregates inside each other; no reply goes deeper.
const DEPTH: usize = 32;

/// How many bytes the first reply of `bytes` is; `None` if it is not complete.
///
/// # Panics
///
/// If it is no reply.
pub fn reply(bytes: &[u8]) -> Option<usize> {
    element(bytes, DEPTH)
}

/// How many bytes the complete replies at the beginning of `bytes` are.
pub fn replies(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(length) = reply(&bytes[end..]) {
        end += length;
    }
    end
}

fn element(bytes: &[u8], depth: usize) -> Option<usize> {
    let (text, next) = line(bytes)?;
    let (&marker, text) = text.split_first().expect("a marker");
    match marker {
        b'+' | b'-' => Some(next),
        b':' => {
            number(text);
            Some(next)
        }
        b'_' => {
            assert!(text.is_empty(), "a null with text");
            Some(next)
        }
        b'#' => {
            assert!([b"t", b"f"].contains(&text.try_into().expect("one letter")));
            Some(next)
        }
        b',' => {
            let text = str::from_utf8(text).expect("a double");
            text.parse::<f64>().expect("a double");
            Some(next)
        }
        b'(' => {
            let digits = text.strip_prefix(b"-").unwrap_or(text);
            assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit));
            Some(next)
        }
        b'$' | b'!' | b'=' => string(marker, number(text), &bytes[next..]).map(|end| next + end),
        b'*' | b'~' | b'>' | b'%' | b'|' => {
            assert!(depth > 0, "aggregates too deep");
            let count = elements(marker, number(text));
            let end = (0..count).try_fold(0, |end, _| {
                element(&bytes[next + end..], depth - 1).map(|length| end + length)
            })?;
            Some(next + end)
        }
        other => panic!("{:?} begins no reply", char::from(other)),
    }
}

/// The bytes of a string and of what ends it.
fn string(marker: u8, length: i64, bytes: &[u8]) -> Option<usize> {
    if length == -1 {
        assert_eq!(marker, b'$', "a null of a type that has none");
        return Some(0);
    }
    let length = usize::try_from(length).expect("a length");
    let end = bytes.get(length..length + 2)?;
    assert_eq!(end, b"\r\n", "the end of a string");
    assert!(marker != b'=' || bytes[..length].get(3) == Some(&b':'), "a verbatim string");
    Some(length + 2)
}

/// How many elements an aggregate of `length` has.
fn elements(marker: u8, length: i64) -> usize {
    if length == -1 {
        assert_eq!(marker, b'*', "a null of a type that has none");
        return 0;
    }
    let length = usize::try_from(length).expect("a length");
    match marker {
        b'%' => length * 2,
        // With the reply that the attributes belong to.
        b'|' => length * 2 + 1,
        _ => length,
    }
}

fn number(text: &[u8]) -> i64 {
    let text = str::from_utf8(text).expect("a number");
    let number: i64 = text.parse().expect("a number");
    assert_eq!(number.to_string(), text, "a number in its only form");
    number
}

/// The first line without its end, and where the next begins.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.iter().position(|byte| [b'\r', b'\n'].contains(byte))?;
    let terminator = bytes.get(end..end + 2)?;
    assert_eq!(terminator, b"\r\n", "a line end within a line");
    Some((&bytes[..end], end + 2))
}
