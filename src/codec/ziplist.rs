//! Ziplists: what small collections were packed into before Redis 7.0.
//!
//! ```text
//! | bytes u32 | place of the last entry u32 | entries u16, or 65,535 | entry ... | 0xff |
//! entry: | length of the entry before | form, integer or length | string |
//! ```

use std::iter;

use super::value::Element;

const HEADER: usize = 10;
const END: u8 = 0xff;
const UNCOUNTED: u16 = u16::MAX;
/// Announces a length in four bytes.
const LONG: u8 = 0xfe;

/// The elements one by one, if the bytes are a ziplist: `None` among them where it is damaged.
pub(super) fn read(bytes: &[u8]) -> Option<impl Iterator<Item = Option<Element<'_>>>> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (tail, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (end, entries) = rest.split_last()?;
    if u32::from_le_bytes(*size) as usize != bytes.len() || *end != END {
        return None;
    }
    let (count, mut found) = (u16::from_le_bytes(*count), 0);
    let last = (u32::from_le_bytes(*tail) as usize).checked_sub(HEADER)?;
    let (mut rest, mut length_before) = (entries, 0);
    Some(iter::from_fn(move || {
        if rest.is_empty() {
            let counted = count == UNCOUNTED || usize::from(count) == found;
            return (!counted || entries.len() - length_before != last).then_some(None);
        }
        found += 1;
        Some(take(&mut rest, &mut length_before))
    }))
}

/// Takes the first entry off the bytes; it becomes the one before.
#[inline]
fn take<'b>(bytes: &mut &'b [u8], length_before: &mut usize) -> Option<Element<'b>> {
    let (before, head) = previous(bytes)?;
    let (element, length) = element(&bytes[head..])?;
    if before != *length_before {
        return None;
    }
    *length_before = head + length;
    *bytes = &bytes[*length_before..];
    Some(element)
}

/// The length of the entry before, and the bytes that say so.
fn previous(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.first()? {
        LONG => Some((u32::from_le_bytes(*bytes[1..].first_chunk()?) as usize, 5)),
        END => None,
        length => Some((length.into(), 1)),
    }
}

/// An entry's element and the bytes that it takes.
fn element(bytes: &[u8]) -> Option<(Element<'_>, usize)> {
    let (form, rest) = bytes.split_first()?;
    let form = *form;
    let integer = |width: usize| {
        let bytes = rest.get(..width)?;
        let mut wide = [if bytes[width - 1] < 0x80 { 0 } else { 0xff }; 8];
        wide[..width].copy_from_slice(bytes);
        Some((Element::Integer(i64::from_le_bytes(wide)), 1 + width))
    };
    let string = |head: usize, length: usize| {
        let end = head.checked_add(length)?;
        Some((Element::Bytes(bytes.get(head..end)?), end))
    };
    match form {
        0..=0x3f => string(1, form.into()),
        0x40..=0x7f => string(2, usize::from(form & 0x3f) << 8 | usize::from(*rest.first()?)),
        0x80 => string(5, u32::from_be_bytes(*rest.first_chunk()?) as usize),
        0xc0 => integer(2),
        0xd0 => integer(4),
        0xe0 => integer(8),
        0xf0 => integer(3),
        0xfe => integer(1),
        0xf1..=0xfd => Some((Element::Integer(i64::from(form & 0xf) - 1), 1)),
        _ => None,
    }
}
