//! The id of a stream entry: milliseconds and a sequence number, ordered in that order.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The id of a stream entry: the time it was added, and its place among entries of the same
/// millisecond.
///
/// Ids of one stream only ever grow. They are written `ms-seq`, as in Redis.
///
/// ```
/// use larder::StreamId;
///
/// let id: StreamId = "1526919030474-55".parse()?;
/// assert_eq!(id, StreamId::new(1526919030474, 55));
/// assert_eq!(id.next().unwrap().to_string(), "1526919030474-56");
/// assert!("5".parse::<StreamId>()? < id);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamId {
    /// Unix time in milliseconds.
    pub ms: u64,
    /// Tells apart the entries of one millisecond.
    pub seq: u64,
}

impl StreamId {
    /// The smallest id, `0-0`. No entry has it: it stands for "before the first".
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The greatest id. A stream that holds it accepts no further entry.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// The id `ms-seq`.
    pub const fn new(ms: u64, seq: u64) -> Self {
        StreamId { ms, seq }
    }

    /// The id right after this one; `None` after [`MAX`](Self::MAX).
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId::new(self.ms.checked_add(1)?, 0)),
        }
    }

    /// The id right before this one; `None` before [`MIN`](Self::MIN).
    pub fn prev(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => Some(StreamId::new(self.ms.checked_sub(1)?, u64::MAX)),
        }
    }

    /// Reads `ms-seq`, or `ms` alone, which takes `missing_seq`.
    ///
    /// Accepts what Redis accepts, which is more than `Display` writes: leading zeros, blanks and
    /// plus signs, and anything behind a NUL byte. `-` and `+`, the names of the ends of a range,
    /// are no ids.
    pub fn parse(text: &[u8], missing_seq: u64) -> Result<Self> {
        const LONGEST: usize = 127;
        if text.len() > LONGEST {
            return Err(Error::InvalidStreamId);
        }
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut parts = text.splitn(2, |&byte| byte == b'-');
        let ms = parse_part(parts.next().unwrap_or_default())?;
        let seq = parts.next().map_or(Ok(missing_seq), parse_part)?;
        Ok(StreamId { ms, seq })
    }
}

/// One number of an id, by the rules of C's `strtoull`: blanks, a sign, digits.
///
/// A minus sign wraps around, but only before a number that is not in its shortest form: Redis
/// first tries its own strict parser, and refuses the negative number which that one finds.
fn parse_part(text: &[u8]) -> Result<u64> {
    let blanks = text.iter().take_while(|&&byte| byte == b' ' || (9..=13).contains(&byte));
    let unsigned = &text[blanks.count()..];
    let (negative, digits) = match unsigned {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, unsigned),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Error::InvalidStreamId);
    }
    let number = digits.iter().try_fold(0u64, |number, &digit| {
        number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    match number.ok_or(Error::InvalidStreamId)? {
        number if !negative => Ok(number),
        number if is_strict_negative(text, number) => Err(Error::InvalidStreamId),
        number => Ok(number.wrapping_neg()),
    }
}

fn is_strict_negative(text: &[u8], magnitude: u64) -> bool {
    let shortest = text.len() > 1 && text[0] == b'-' && text[1] != b'0';
    shortest && magnitude <= i64::MIN.unsigned_abs()
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for StreamId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        StreamId::parse(text.as_bytes(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for id in [StreamId::MIN, StreamId::MAX, StreamId::new(5, 3)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn parses_what_redis_parses() {
        let good: [(&str, u64, u64); 9] = [
            ("5", 5, 0),
            ("5-3", 5, 3),
            ("0-0", 0, 0),
            ("007-01", 7, 1),
            (" 5- 3", 5, 3),
            ("+5-+3", 5, 3),
            ("5--03", 5, 3u64.wrapping_neg()),
            ("5-3\0junk", 5, 3),
            ("18446744073709551615-18446744073709551615", u64::MAX, u64::MAX),
        ];
        for (text, ms, seq) in good {
            assert_eq!(text.parse(), Ok(StreamId::new(ms, seq)), "{text:?}");
        }
        let long = format!("{}1", "0".repeat(127));
        let bad = [
            "",
            "-",
            "+",
            "-5",
            "5-",
            "5--3",
            "5-3 ",
            "5-3-1",
            "a",
            "5-a",
            "18446744073709551616",
            &long,
        ];
        for text in bad {
            assert_eq!(text.parse::<StreamId>(), Err(Error::InvalidStreamId), "{text:?}");
        }
        assert_eq!(StreamId::parse(b"5", u64::MAX), Ok(StreamId::new(5, u64::MAX)));
    }

    #[test]
    fn neighbours_cross_milliseconds_and_stop_at_the_ends() {
        let end_of_five = StreamId::new(5, u64::MAX);
        assert_eq!(end_of_five.next(), Some(StreamId::new(6, 0)));
        assert_eq!(StreamId::new(6, 0).prev(), Some(end_of_five));
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.prev(), None);
    }
}
