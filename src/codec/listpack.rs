//! Listpacks: integers and strings one after the other, readable from either end.
//!
//! ```text
//! | bytes u32 | elements u16, or 65,535 | element ... | 0xff |
//! element: | form, integer or length | string | bytes of all that, to be read backwards |
//! ```
//!
//! A string that spells an integer in its shortest form is kept as one.

use std::iter;

use super::value::Element;
use crate::number;

const HEADER: usize = 6;
const END: u8 = 0xff;
/// More elements than the header can count.
const UNCOUNTED: u16 = u16::MAX;

/// The bytes of a listpack without elements.
pub(super) const EMPTY: usize = HEADER + 1;

/// The bytes that an element takes.
pub(super) fn element_len(string: &[u8]) -> usize {
    let length = match number::parse_integer(string) {
        Some(0..=127) => 1,
        Some(-4096..=4095) => 2,
        Some(-0x8000..=0x7fff) => 3,
        Some(-0x80_0000..=0x7f_ffff) => 4,
        Some(-0x8000_0000..=0x7fff_ffff) => 5,
        Some(_) => 9,
        None => {
            string.len()
                + match string.len() {
                    0..64 => 1,
                    64..4096 => 2,
                    _ => 5,
                }
        }
    };
    length + length_behind(length).1
}

/// A listpack in the making.
pub(super) struct Writer {
    bytes: Vec<u8>,
    elements: usize,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; HEADER], elements: 0 }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + 1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.elements == 0
    }

    pub(super) fn push(&mut self, string: &[u8]) {
        match number::parse_integer(string) {
            Some(number) => self.integer(number),
            None => self.push_string(string),
        }
    }

    pub(super) fn integer(&mut self, number: i64) {
        let start = self.bytes.len();
        let bytes = number.to_le_bytes();
        match number {
            0..=127 => self.bytes.push(bytes[0]),
            -4096..=4095 => self.bytes.extend([0xc0 | (bytes[1] & 0x1f), bytes[0]]),
            -0x8000..=0x7fff => self.form(0xf1, &bytes[..2]),
            -0x80_0000..=0x7f_ffff => self.form(0xf2, &bytes[..3]),
            -0x8000_0000..=0x7fff_ffff => self.form(0xf3, &bytes[..4]),
            _ => self.form(0xf4, &bytes),
        }
        self.close(start);
    }

    fn push_string(&mut self, string: &[u8]) {
        let start = self.bytes.len();
        let length = (string.len() as u32).to_le_bytes();
        match string.len() {
            0..64 => self.bytes.push(0x80 | length[0]),
            64..4096 => self.bytes.extend([0xe0 | length[1], length[0]]),
            _ => self.form(0xf0, &length),
        }
        self.bytes.extend_from_slice(string);
        self.close(start);
    }

    fn form(&mut self, form: u8, bytes: &[u8]) {
        self.bytes.push(form);
        self.bytes.extend_from_slice(bytes);
    }

    fn close(&mut self, start: usize) {
        let (behind, width) = length_behind(self.bytes.len() - start);
        self.bytes.extend_from_slice(&behind[..width]);
        self.elements += 1;
    }

    /// The listpack; the writer begins another.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let Self { mut bytes, elements } = std::mem::replace(self, Self::new());
        bytes.push(END);
        let size = bytes.len() as u32;
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        let count = u16::try_from(elements).unwrap_or(UNCOUNTED);
        bytes[4..HEADER].copy_from_slice(&count.to_le_bytes());
        bytes
    }
}

/// A length to be read backwards: its lowest seven bits last, all bytes but the first marked.
fn length_behind(length: usize) -> ([u8; 5], usize) {
    let width = match length {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    let mut bytes = [0; 5];
    for (place, byte) in bytes[..width].iter_mut().rev().enumerate() {
        *byte = (length >> (7 * place)) as u8 & 0x7f | 0x80;
    }
    bytes[0] &= 0x7f;
    (bytes, width)
}

/// The elements one by one, if the bytes are a listpack: `None` among them where it is damaged.
pub(super) fn read(bytes: &[u8]) -> Option<impl Iterator<Item = Option<Element<'_>>>> {
    let (size, rest) = bytes.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let (end, mut rest) = rest.split_last()?;
    if u32::from_le_bytes(*size) as usize != bytes.len() || *end != END {
        return None;
    }
    let (count, mut found) = (u16::from_le_bytes(*count), 0);
    Some(iter::from_fn(move || {
        if rest.is_empty() {
            let counted = count == UNCOUNTED || usize::from(count) == found;
            return (!counted).then_some(None);
        }
        found += 1;
        Some(take(&mut rest))
    }))
}

/// Takes the first element off the bytes.
#[inline]
fn take<'b>(bytes: &mut &'b [u8]) -> Option<Element<'b>> {
    let (element, length) = element(bytes)?;
    let (behind, width) = length_behind(length);
    *bytes = bytes[length..].strip_prefix(&behind[..width])?;
    Some(element)
}

/// The first element and the bytes that it takes, without its length behind it.
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
        0..=0x7f => Some((Element::Integer(form.into()), 1)),
        0x80..=0xbf => string(1, usize::from(form & 0x3f)),
        0xc0..=0xdf => {
            let number = i64::from(form & 0x1f) << 8 | i64::from(*rest.first()?);
            Some((Element::Integer(if number < 4096 { number } else { number - 8192 }), 2))
        }
        0xe0..=0xef => string(2, usize::from(form & 0xf) << 8 | usize::from(*rest.first()?)),
        0xf0 => string(5, u32::from_le_bytes(*rest.first_chunk()?) as usize),
        0xf1 => integer(2),
        0xf2 => integer(3),
        0xf3 => integer(4),
        0xf4 => integer(8),
        _ => None,
    }
}
