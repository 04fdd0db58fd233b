//! The longest common subsequence of two strings: bytes that both have in this order, if not next
//! to each other.
//!
//! Where there are several, it is Redis's: looked for from the end, with the first string given up
//! byte by byte only where that is better than to give up the second.
//!
//! # Complexity
//!
//! O(n m) in time, with a bit for each pair of bytes and a number for each byte of the shorter.

use std::ops::Range;

/// Bytes in a row that two strings have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommonRun {
    /// Where they stand in the first string.
    pub first: Range<usize>,
    /// Where they stand in the second one, as many.
    pub second: Range<usize>,
}

impl CommonRun {
    pub(crate) fn new(first: Range<usize>, second: Range<usize>) -> Self {
        Self { first, second }
    }
}

/// The longest common subsequence in runs, the last one first.
pub(crate) fn common_runs(first: &[u8], second: &[u8]) -> Vec<CommonRun> {
    let steps = Steps::new(first, second);
    let mut runs: Vec<CommonRun> = Vec::new();
    let (mut i, mut j) = (first.len(), second.len());
    while i > 0 && j > 0 {
        if first[i - 1] != second[j - 1] {
            if steps.shortens_first(i - 1, j - 1) {
                i -= 1
            } else {
                j -= 1
            }
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.first.start == i && run.second.start == j => {
                (run.first.start, run.second.start) = (i - 1, j - 1);
            }
            _ => runs.push(CommonRun::new(i - 1..i, j - 1..j)),
        }
        (i, j) = (i - 1, j - 1);
    }
    runs
}

/// For each pair of bytes, which string to shorten where they differ.
struct Steps {
    /// Without a gap, so that a long string beside a short one takes no more than others.
    bits: Vec<u64>,
    /// Bits for each byte of the longer string.
    width: usize,
    /// Whether the first string is the shorter one.
    is_first_shorter: bool,
}

impl Steps {
    fn new(first: &[u8], second: &[u8]) -> Self {
        let is_first_shorter = first.len() < second.len();
        let (long, short) = if is_first_shorter { (second, first) } else { (first, second) };
        let mut bits = Vec::with_capacity((short.len() * long.len()) / 64 + 1);
        let (mut word, mut place) = (0, 0_u32);
        // How long the best is up to each byte of the shorter string.
        let mut best = vec![0_u32; short.len()];
        for &byte in long {
            let (mut diagonal, mut along) = (0, 0);
            for (&other, best) in short.iter().zip(&mut best) {
                let across = *best;
                let shortens_first = if is_first_shorter { along > across } else { across > along };
                word |= u64::from(shortens_first) << place;
                place += 1;
                if place == u64::BITS {
                    bits.push(word);
                    (word, place) = (0, 0);
                }
                along = if byte == other { diagonal + 1 } else { along.max(across) };
                (diagonal, *best) = (across, along);
            }
        }
        bits.push(word);
        Self { bits, width: short.len(), is_first_shorter }
    }

    /// Whether the first string is to be shortened at the pair of these two places.
    fn shortens_first(&self, i: usize, j: usize) -> bool {
        let (long, short) = if self.is_first_shorter { (j, i) } else { (i, j) };
        let place = long * self.width + short;
        self.bits[place / 64] >> (place % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The length by the definition.
    fn longest(first: &[u8], second: &[u8]) -> usize {
        let mut table = vec![vec![0; second.len() + 1]; first.len() + 1];
        for i in 1..=first.len() {
            for j in 1..=second.len() {
                table[i][j] = match first[i - 1] == second[j - 1] {
                    true => table[i - 1][j - 1] + 1,
                    false => table[i - 1][j].max(table[i][j - 1]),
                };
            }
        }
        table[first.len()][second.len()]
    }

    proptest! {
        #[test]
        fn runs_are_a_longest_common_subsequence(
            first in prop::collection::vec(b'a'..b'e', 0..150),
            second in prop::collection::vec(b'a'..b'e', 0..150),
        ) {
            let runs = common_runs(&first, &second);
            for run in &runs {
                prop_assert_eq!(&first[run.first.clone()], &second[run.second.clone()]);
            }
            for pair in runs.windows(2) {
                let (behind, before) = (&pair[0], &pair[1]);
                prop_assert!(before.first.end <= behind.first.start);
                prop_assert!(before.second.end <= behind.second.start);
                let touch = before.first.end == behind.first.start
                    && before.second.end == behind.second.start;
                prop_assert!(!touch, "two runs that are one");
            }
            let length: usize = runs.iter().map(|run| run.first.len()).sum();
            prop_assert_eq!(length, longest(&first, &second));
        }
    }

    #[test]
    fn a_long_string_beside_a_single_byte_takes_a_bit_for_each_byte() {
        let long = vec![b'y'; 64_000];
        for steps in [Steps::new(b"x", &long), Steps::new(&long, b"x")] {
            assert!(steps.bits.capacity() <= long.len() / 64 + 1);
        }
    }

    #[test]
    fn one_of_several_is_the_one_of_redis() {
        let runs = |first: &str, second: &str| common_runs(first.as_bytes(), second.as_bytes());
        let run = |first: Range<usize>, second: Range<usize>| CommonRun { first, second };
        assert_eq!(runs("ohmytext", "mynewtext"), [run(4..8, 5..9), run(2..4, 0..2)]);
        assert_eq!(runs("ab", "ba"), [run(1..2, 0..1)]);
        assert_eq!(runs("ba", "ab"), [run(1..2, 0..1)]);
        assert_eq!(runs("", "a"), []);
        assert_eq!(runs("a", ""), []);
    }
}
