//! Numbers as Redis reads and prints them.
//!
//! Redis keeps numbers as text and is strict about it: an integer has one spelling only, a float is
//! what C's `strtod` accepts less the surprises (leading space, NaN, a magnitude lost to overflow
//! or underflow). Everything here works on bytes, keeps no state and costs O(length) unless said
//! otherwise.
//!
//! [`Extended`] is the 64-bit-mantissa arithmetic behind `INCRBYFLOAT`, for which `f64` would print
//! other digits.

mod big;
mod extended;

use std::fmt::Write as _;

use smallvec::SmallVec;

pub(crate) use extended::Extended;

/// The text of a number, on the stack.
pub(crate) type NumberText = SmallVec<[u8; 32]>;

/// Reads an integer in its one canonical spelling: no plus, no leading zero, no space, no `-0`; the
/// whole `i64` range.
#[inline]
pub(crate) fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let magnitude = parse_magnitude(digits)?;
    if !negative {
        return i64::try_from(magnitude).ok();
    }
    match magnitude {
        0 => None,
        _ => 0_i64.checked_sub_unsigned(magnitude),
    }
}

/// Digits without a leading zero, unless they are `0` itself.
#[inline]
fn parse_magnitude(digits: &[u8]) -> Option<u64> {
    let (&first, rest) = digits.split_first()?;
    let mut magnitude = match first {
        b'1'..=b'9' => u64::from(first - b'0'),
        b'0' if rest.is_empty() => return Some(0),
        _ => return None,
    };
    // 19 digits cannot overflow a u64; a 20th is never within i64.
    if rest.len() > 18 {
        return None;
    }
    for &byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    Some(magnitude)
}

/// Reads a double as Redis reads a score: everything `strtod` takes (`.5`, `5.`, `1e5`, `0x1p3`,
/// `inf`, `+Infinity`), and nothing around it. NaN is refused, and so is a number too large or too
/// small to be told from infinity or zero.
pub(crate) fn parse_float(text: &[u8]) -> Option<f64> {
    if let Some(value) = parse_short_integer(text) {
        return Some(value);
    }
    let (negative, magnitude) = split_sign(text);
    if let Some(digits) = strip_hex_prefix(magnitude) {
        return extended::parse_hex_double(digits)
            .map(|value| if negative { -value } else { value });
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let lost = match value.classify() {
        std::num::FpCategory::Nan => true,
        std::num::FpCategory::Infinite => !is_infinity(magnitude),
        std::num::FpCategory::Zero => has_nonzero_digit(magnitude),
        _ => false,
    };
    (!lost).then_some(value)
}

/// Reads a double as Redis reads the bounds of a range of scores: all that C's `strtod` makes of a
/// C string, so leading space, nothing at all (zero) and magnitudes lost to overflow or underflow
/// too. NaN is refused.
pub(crate) fn parse_float_leniently(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let start = text.iter().position(|byte| !matches!(byte, b' ' | b'\t'..=b'\r'))?;
    let text = &text[start..];
    parse_float(text).or_else(|| {
        let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        (!value.is_nan()).then_some(value)
    })
}

/// Most scores are short integers, which need no float parser: below 10^15 the conversion is exact.
#[inline]
fn parse_short_integer(text: &[u8]) -> Option<f64> {
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    let mut value = 0_i64;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value as f64)
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    }
}

fn strip_hex_prefix(magnitude: &[u8]) -> Option<&[u8]> {
    match magnitude {
        [b'0', b'x' | b'X', digits @ ..] => Some(digits),
        _ => None,
    }
}

fn is_infinity(magnitude: &[u8]) -> bool {
    magnitude.eq_ignore_ascii_case(b"inf") || magnitude.eq_ignore_ascii_case(b"infinity")
}

/// Whether the part before the exponent holds anything but zeros.
fn has_nonzero_digit(magnitude: &[u8]) -> bool {
    magnitude
        .iter()
        .take_while(|byte| !byte.eq_ignore_ascii_case(&b'e'))
        .any(|byte| matches!(byte, b'1'..=b'9'))
}

/// Prints a double as Redis 7.0 replies with it: 17 significant digits in C's `%.17g` layout,
/// `inf`, `-inf`, `nan`. Reading the text back gives the same bits.
pub(crate) fn format_double(value: f64) -> NumberText {
    let mut text = NumberText::new();
    if value.is_nan() {
        text.extend_from_slice(b"nan");
    } else if value.is_infinite() {
        text.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    } else if value == 0.0 {
        text.extend_from_slice(if value.is_sign_negative() { b"-0" } else { b"0" });
    } else if value.abs() < 1e17 && value == value.trunc() {
        text.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    } else {
        push_significant_digits(&mut text, value);
    }
    text
}

/// C's `%.17g`: scientific below 1e-4 and from 1e17 on, positional in between, no trailing zeros in
/// either.
fn push_significant_digits(text: &mut NumberText, value: f64) {
    let (digits, exponent) =
        extended::seventeen_digits(value.abs()).unwrap_or_else(|| printed_digits(value.abs()));
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(digits).as_bytes();
    let kept = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |last| last + 1);
    let digits = &digits[..kept];

    if value < 0.0 {
        text.push(b'-');
    }
    match exponent {
        0..17 => push_positional(text, digits, exponent as usize + 1),
        -4..0 => {
            text.extend_from_slice(b"0.");
            text.resize(text.len() + (-exponent - 1) as usize, b'0');
            text.extend_from_slice(digits);
        }
        _ => push_scientific(text, digits, exponent),
    }
}

/// `digits` with the decimal point after the first `whole` of them.
fn push_positional(text: &mut NumberText, digits: &[u8], whole: usize) {
    if digits.len() <= whole {
        text.extend_from_slice(digits);
        text.resize(text.len() + whole - digits.len(), b'0');
        return;
    }
    text.extend_from_slice(&digits[..whole]);
    text.push(b'.');
    text.extend_from_slice(&digits[whole..]);
}

fn push_scientific(text: &mut NumberText, digits: &[u8], exponent: i32) {
    text.push(digits[0]);
    if digits.len() > 1 {
        text.push(b'.');
        text.extend_from_slice(&digits[1..]);
    }
    text.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.abs() < 10 {
        text.push(b'0');
    }
    text.extend_from_slice(itoa::Buffer::new().format(exponent.abs()).as_bytes());
}

/// The 17 significant digits and the decimal exponent, from the standard formatter.
#[cold]
fn printed_digits(magnitude: f64) -> (u64, i32) {
    let mut text = StackString(SmallVec::new());
    write!(text, "{magnitude:.16e}").expect("the buffer takes any text");
    let (mut digits, mut exponent) = (0, 0);
    for (at, byte) in text.0.iter().enumerate() {
        match byte {
            b'0'..=b'9' => digits = digits * 10 + u64::from(byte - b'0'),
            b'e' => {
                exponent = parse_integer(&text.0[at + 1..]).expect("the exponent is an integer");
                break;
            }
            _ => {}
        }
    }
    (digits, exponent as i32)
}

/// Where the standard formatter writes without a heap block.
struct StackString(SmallVec<[u8; 32]>);

impl std::fmt::Write for StackString {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
