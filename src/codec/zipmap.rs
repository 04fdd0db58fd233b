//! Zipmaps: what small hashes were packed into before Redis 2.6.
//!
//! ```text
//! | fields u8, or 254 and more | length name | length spare u8 value spare bytes | ... | 0xff |
//! ```
//!
//! A length is one byte, or 254 and four bytes.

use std::iter;

use super::value::Element;

const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// Names and values in turn, if the bytes are a zipmap: `None` among them where it is damaged.
pub(super) fn read(bytes: &[u8]) -> Option<impl Iterator<Item = Option<Element<'_>>>> {
    let (count, mut rest) = bytes.split_first()?;
    let mut found = 0;
    Some(iter::from_fn(move || {
        let is_value = found % 2 == 1;
        if rest == [END] && !is_value {
            let counted = *count >= LONG || usize::from(*count) == found / 2;
            return (!counted).then_some(None);
        }
        found += 1;
        Some(take(&mut rest, usize::from(is_value)))
    }))
}

/// Takes the first string off the bytes.
#[inline]
fn take<'b>(bytes: &mut &'b [u8], spare: usize) -> Option<Element<'b>> {
    let string;
    (string, *bytes) = self::string(bytes, spare)?;
    Some(Element::Bytes(string))
}

/// A string, and what is behind it; `spare` bytes between it and its length say how many follow
/// that mean nothing.
fn string(bytes: &[u8], spare: usize) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match bytes.split_first()? {
        (&END, _) => return None,
        (&LONG, rest) => {
            let (length, rest) = rest.split_first_chunk()?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        (&length, rest) => (length.into(), rest),
    };
    let (spare, rest) = rest.split_at_checked(spare)?;
    let unused = spare.first().copied().map_or(0, usize::from);
    let (string, rest) = rest.split_at_checked(length)?;
    Some((string, rest.get(unused..)?))
}
