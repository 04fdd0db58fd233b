//! Intsets: sets of integers, all of one width, in ascending order.
//!
//! ```text
//! | width u32 | count u32 | integers, each of width bytes |     all least byte first
//! ```

/// The integers, if the bytes are an intset.
pub(super) fn read(bytes: &[u8]) -> Option<impl Iterator<Item = i64>> {
    let (width, rest) = bytes.split_first_chunk()?;
    let (count, integers) = rest.split_first_chunk()?;
    let width = u32::from_le_bytes(*width) as usize;
    let count = u32::from_le_bytes(*count) as usize;
    let fits = matches!(width, 2 | 4 | 8) && count.checked_mul(width) == Some(integers.len());
    fits.then(|| integers.chunks_exact(width).map(integer))
}

fn integer(bytes: &[u8]) -> i64 {
    match *bytes {
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        _ => i64::from_le_bytes(bytes.try_into().unwrap_or_default()),
    }
}

/// Ascending integers as an intset.
pub(super) fn write(integers: &[i64]) -> Vec<u8> {
    let fits = |range: std::ops::RangeInclusive<i64>| integers.iter().all(|n| range.contains(n));
    let width: usize = match () {
        () if fits(i16::MIN.into()..=i16::MAX.into()) => 2,
        () if fits(i32::MIN.into()..=i32::MAX.into()) => 4,
        () => 8,
    };
    let mut bytes = Vec::with_capacity(8 + integers.len() * width);
    bytes.extend_from_slice(&(width as u32).to_le_bytes());
    bytes.extend_from_slice(&(integers.len() as u32).to_le_bytes());
    for integer in integers {
        bytes.extend_from_slice(&integer.to_le_bytes()[..width]);
    }
    bytes
}
