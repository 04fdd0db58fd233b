//! A set of integers: one heap block, in ascending order.
//!
//! # Invariants
//!
//! 1. `bytes` is a whole number of integers of `width` bytes each, in the order of this machine's
//!    bytes, strictly ascending.
//! 2. There are at most [`MAX_INTEGERS`].
//!
//! # Complexity
//!
//! Looking one up O(log n), adding or removing one O(n) bytes moved, any by its position O(1).

use crate::data::splice::splice;

/// The most members of a set in this form.
pub(super) const MAX_INTEGERS: usize = 512;

#[derive(Clone)]
pub(super) struct Integers {
    bytes: Vec<u8>,
    /// Two, four or eight: what the widest that ever was a member takes.
    width: usize,
}

impl Default for Integers {
    fn default() -> Self {
        Self { bytes: Vec::new(), width: size_of::<i16>() }
    }
}

impl Integers {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// Bytes on the heap.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == MAX_INTEGERS
    }

    /// The integer at a position below the length.
    pub(super) fn get(&self, at: usize) -> i64 {
        let bytes = &self.bytes[at * self.width..(at + 1) * self.width];
        match *bytes {
            [a, b] => i16::from_ne_bytes([a, b]).into(),
            [a, b, c, d] => i32::from_ne_bytes([a, b, c, d]).into(),
            _ => i64::from_ne_bytes(bytes.try_into().expect("a width of eight")),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = i64> {
        (0..self.len()).map(|at| self.get(at))
    }

    pub(super) fn contains(&self, number: i64) -> bool {
        self.find(number).is_ok()
    }

    /// Adds a number, for which there must be room; answers whether it is new.
    pub(super) fn insert(&mut self, number: i64) -> bool {
        let Err(at) = self.find(number) else { return false };
        self.widen(width_of(number));
        let place = at * self.width;
        splice(&mut self.bytes, place..place, encode(number, self.width, &mut [0; 8]));
        true
    }

    /// Removes a number; answers whether it was there.
    pub(super) fn remove(&mut self, number: i64) -> bool {
        let Ok(at) = self.find(number) else { return false };
        splice(&mut self.bytes, at * self.width..(at + 1) * self.width, &[]);
        true
    }

    /// Asserts the module's invariants.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        assert!([2, 4, 8].contains(&self.width) && self.bytes.len().is_multiple_of(self.width));
        assert!(self.len() <= MAX_INTEGERS);
        assert!(self.iter().is_sorted_by(|a, b| a < b));
    }

    /// Where a number is, or where it would have to be.
    fn find(&self, number: i64) -> Result<usize, usize> {
        let (mut start, mut end) = (0, self.len());
        while start < end {
            let middle = start.midpoint(end);
            match self.get(middle).cmp(&number) {
                std::cmp::Ordering::Less => start = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => end = middle,
            }
        }
        Err(start)
    }

    /// Makes every integer at least this wide.
    fn widen(&mut self, width: usize) {
        if width <= self.width {
            return;
        }
        let mut wider = Vec::with_capacity((self.len() + 1) * width);
        for number in self.iter() {
            wider.extend_from_slice(encode(number, width, &mut [0; 8]));
        }
        *self = Self { bytes: wider, width };
    }
}

fn width_of(number: i64) -> usize {
    match number {
        _ if i16::try_from(number).is_ok() => size_of::<i16>(),
        _ if i32::try_from(number).is_ok() => size_of::<i32>(),
        _ => size_of::<i64>(),
    }
}

/// Writes a number in `width` bytes, which must be enough for it.
fn encode(number: i64, width: usize, buffer: &mut [u8; 8]) -> &[u8] {
    match width {
        2 => buffer[..2].copy_from_slice(&(number as i16).to_ne_bytes()),
        4 => buffer[..4].copy_from_slice(&(number as i32).to_ne_bytes()),
        _ => *buffer = number.to_ne_bytes(),
    }
    &buffer[..width]
}
