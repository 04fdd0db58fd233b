//! The bits of a string, numbered from the highest bit of the first byte on.
//!
//! Counting and finding look at eight bytes at a time: O(n) for n bytes with a small factor.

use std::ops::Range;

const BYTE: usize = u8::BITS as usize;
/// The bytes that a field of 64 bits may lie in.
const FIELD_BYTES: usize = 9;

/// The bit at a position; zero behind the end.
#[inline]
pub(crate) fn get(bytes: &[u8], bit: usize) -> bool {
    bytes.get(bit / BYTE).is_some_and(|byte| byte & mask_of(bit) != 0)
}

/// The byte that a bit is in, with that bit set or cleared.
#[inline]
pub(crate) fn with_bit(bytes: &[u8], bit: usize, value: bool) -> u8 {
    let byte = bytes.get(bit / BYTE).copied().unwrap_or(0);
    if value { byte | mask_of(bit) } else { byte & !mask_of(bit) }
}

fn mask_of(bit: usize) -> u8 {
    0x80 >> (bit % BYTE)
}

/// How many bits of a range, which must be within the string, are set.
pub(crate) fn count(bytes: &[u8], bits: Range<usize>) -> usize {
    let Some(Parts { head, middle, tail }) = Parts::of(bytes, bits, 0) else { return 0 };
    let mut chunks = middle.chunks_exact(size_of::<u64>());
    let ends = head.count_ones() + tail.count_ones();
    let whole: usize = chunks.by_ref().map(|chunk| word(chunk).count_ones() as usize).sum();
    let rest: u32 = chunks.remainder().iter().map(|byte| byte.count_ones()).sum();
    ends as usize + whole + rest as usize
}

/// The first bit of a range, which must be within the string, that is `value`.
pub(crate) fn find(bytes: &[u8], bits: Range<usize>, value: bool) -> Option<usize> {
    let inverted = if value { 0 } else { 0xff };
    let first = bits.start / BYTE;
    let last = bits.end.checked_sub(1)? / BYTE;
    let Parts { head, middle, tail } = Parts::of(bytes, bits, inverted)?;
    let place = |byte: usize, content: u8| byte * BYTE + content.leading_zeros() as usize;
    if head != 0 {
        return Some(place(first, head));
    }
    let unwanted = word(&[inverted; size_of::<u64>()]);
    let chunks = middle.chunks_exact(size_of::<u64>());
    let skipped = chunks.take_while(|chunk| word(chunk) == unwanted).count() * size_of::<u64>();
    let byte = middle[skipped..].iter().position(|byte| *byte != inverted);
    match byte {
        Some(at) => Some(place(first + 1 + skipped + at, middle[skipped + at] ^ inverted)),
        None => (tail != 0).then(|| place(last, tail)),
    }
}

/// A range of bits: the bytes that it fills, and the two at its ends without what is outside.
struct Parts<'b> {
    head: u8,
    middle: &'b [u8],
    /// Zero if the range is within one byte.
    tail: u8,
}

impl<'b> Parts<'b> {
    /// `None` if the range is empty; its ends are those of the bytes combined with `inverted`.
    fn of(bytes: &'b [u8], bits: Range<usize>, inverted: u8) -> Option<Self> {
        if bits.is_empty() {
            return None;
        }
        let (first, last) = (bits.start / BYTE, (bits.end - 1) / BYTE);
        let from_start = 0xff >> (bits.start % BYTE);
        let to_end = 0xff << (BYTE - 1 - (bits.end - 1) % BYTE);
        let head = (bytes[first] ^ inverted) & from_start;
        if first == last {
            return Some(Self { head: head & to_end, middle: &[], tail: 0 });
        }
        let tail = (bytes[last] ^ inverted) & to_end;
        Some(Self { head, middle: &bytes[first + 1..last], tail })
    }
}

#[inline]
fn word(chunk: &[u8]) -> u64 {
    u64::from_ne_bytes(chunk.try_into().expect("a chunk of eight bytes"))
}

/// The number in `width` bits (1 to 64) from `bit` on, without sign; zeros behind the end.
pub(crate) fn read(bytes: &[u8], bit: usize, width: u32) -> u64 {
    let window = window(bytes, bit) << (bit % BYTE);
    (window >> (u128::BITS - width)) as u64
}

/// The bytes that a field lies in, from the byte of `bit` on, with the lowest `width` bits (1 to
/// 64) of a number in it.
pub(crate) fn with_field(bytes: &[u8], bit: usize, width: u32, number: u64) -> FieldBytes {
    let shift = u128::BITS - width - (bit % BYTE) as u32;
    let mask = (u128::from(u64::MAX) >> (u64::BITS - width)) << shift;
    let window = window(bytes, bit) & !mask | (u128::from(number) << shift) & mask;
    let mut content = [0; FIELD_BYTES];
    content.copy_from_slice(&window.to_be_bytes()[..FIELD_BYTES]);
    FieldBytes { content, len: (bit % BYTE + width as usize).div_ceil(BYTE) }
}

/// The bytes that a field lies in.
pub(crate) struct FieldBytes {
    content: [u8; FIELD_BYTES],
    len: usize,
}

impl FieldBytes {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.content[..self.len]
    }
}

/// The bytes from that of `bit` on, from the highest of the number down.
fn window(bytes: &[u8], bit: usize) -> u128 {
    let mut window = [0; size_of::<u128>()];
    let found = bytes.get(bit / BYTE..).unwrap_or_default();
    let length = found.len().min(FIELD_BYTES);
    window[..length].copy_from_slice(&found[..length]);
    u128::from_be_bytes(window)
}

/// Strings as long as the longest, all others continued with zeros, combined bit by bit.
pub(crate) fn combine(strings: &[&[u8]], apply: impl Fn(u8, u8) -> u8) -> Vec<u8> {
    let Some((first, others)) = strings.split_first() else { return Vec::new() };
    let longest = strings.iter().map(|string| string.len()).max().unwrap_or(0);
    let mut combined = Vec::with_capacity(longest);
    combined.extend_from_slice(first);
    combined.resize(longest, 0);
    for string in others {
        let (overlap, rest) = combined.split_at_mut(string.len());
        overlap.iter_mut().zip(*string).for_each(|(byte, other)| *byte = apply(*byte, *other));
        rest.iter_mut().for_each(|byte| *byte = apply(*byte, 0));
    }
    combined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One number a bit: the model.
    fn spread(bytes: &[u8]) -> Vec<bool> {
        (0..bytes.len() * 8).map(|bit| bytes[bit / 8] >> (7 - bit % 8) & 1 == 1).collect()
    }

    /// Mostly zeros or ones, so that searches go far.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![10 => Just(0_u8), 1 => any::<u8>()];
        (prop::collection::vec(byte, 1..80), any::<bool>()).prop_map(|(mut bytes, inverted)| {
            bytes.iter_mut().filter(|_| inverted).for_each(|byte| *byte = !*byte);
            bytes
        })
    }

    proptest! {
        #[test]
        fn counts_and_finds_as_bit_by_bit(bytes in bytes(), from: usize, to: usize) {
            let bits = spread(&bytes);
            let (from, to) = (from % (bits.len() + 1), to % (bits.len() + 1));
            let range = from.min(to)..from.max(to);
            let set = bits[range.clone()].iter().filter(|bit| **bit).count();
            prop_assert_eq!(count(&bytes, range.clone()), set);
            for value in [false, true] {
                let found = range.clone().find(|bit| bits[*bit] == value);
                prop_assert_eq!(find(&bytes, range.clone(), value), found);
            }
            for bit in 0..bits.len() + 9 {
                prop_assert_eq!(get(&bytes, bit), bits.get(bit).copied().unwrap_or(false));
            }
        }

        #[test]
        fn fields_are_read_as_they_are_written(
            bytes in bytes(),
            bit in 0..700_usize,
            width in 1..=64_u32,
            number: u64,
        ) {
            let number = number >> (64 - width);
            let mut longer = bytes.clone();
            longer.resize(bytes.len().max(100), 0);
            let mut bits = spread(&longer);
            let field = bits[bit..bit + width as usize].iter();
            let expected = field.fold(0, |number, bit| number << 1 | u64::from(*bit));
            prop_assert_eq!(read(&bytes, bit, width), expected);

            let written = with_field(&bytes, bit, width, number);
            let written = written.as_bytes();
            longer[bit / 8..bit / 8 + written.len()].copy_from_slice(written);
            prop_assert_eq!(read(&longer, bit, width), number);
            for at in 0..width as usize {
                bits[bit + at] = number >> (width as usize - 1 - at) & 1 == 1;
            }
            prop_assert_eq!(spread(&longer), bits);
        }

        #[test]
        fn one_bit_changes_alone(bytes in bytes(), bit: usize, value: bool) {
            let mut bits = spread(&bytes);
            let bit = bit % bits.len();
            bits[bit] = value;
            let mut changed = bytes.clone();
            changed[bit / 8] = with_bit(&bytes, bit, value);
            prop_assert_eq!(spread(&changed), bits);
        }
    }

    #[test]
    fn shorter_strings_continue_with_zeros() {
        let strings: [&[u8]; 3] = [&[0b1100], &[0b1010, 0xff, 1], &[]];
        assert_eq!(combine(&strings[..2], |a, b| a & b), [0b1000, 0, 0]);
        assert_eq!(combine(&strings, |a, b| a & b), [0, 0, 0]);
        assert_eq!(combine(&strings, |a, b| a | b), [0b1110, 0xff, 1]);
        assert_eq!(combine(&strings, |a, b| a ^ b), [0b0110, 0xff, 1]);
        assert!(combine(&[], |a, _| a).is_empty());
    }
}
