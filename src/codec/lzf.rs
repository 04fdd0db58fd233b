//! Decompression of LZF, in which Redis may keep a string.
//!
//! A byte below 32 announces so many literal bytes and one more. Any other is a copy of what came
//! before: its upper three bits are the length less two, more of it following in another byte if
//! all three are set; its lower five bits and the next byte, how far back less one.

/// Appends what `packed` stands for; `None` unless that is exactly `length` bytes. Memory grows
/// with what is there, not with what is announced.
pub(super) fn decompress(packed: &[u8], length: usize, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let mut rest = packed;
    while let [control, behind @ ..] = rest {
        let control = usize::from(*control);
        if control < 32 {
            let (literal, behind) = behind.split_at_checked(control + 1)?;
            out.extend_from_slice(literal);
            rest = behind;
        } else {
            let (more, behind) = match control >> 5 {
                7 => behind.split_first().map(|(more, rest)| (usize::from(*more), rest))?,
                _ => (0, behind),
            };
            let (low, behind) = behind.split_first()?;
            let back = ((control & 0x1f) << 8) + usize::from(*low) + 1;
            let from = out.len().checked_sub(back).filter(|from| *from >= start)?;
            repeat(out, from, (control >> 5) + more + 2);
            rest = behind;
        }
        if out.len() - start > length {
            return None;
        }
    }
    (out.len() - start == length).then_some(())
}

/// Appends `length` bytes from `from` on, which may reach into what is being appended.
fn repeat(out: &mut Vec<u8>, from: usize, length: usize) {
    let mut left = length;
    while left > 0 {
        // All from there on repeats itself, and what can be copied at once doubles.
        let run = left.min(out.len() - from);
        out.extend_from_within(from..from + run);
        left -= run;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        decompress(packed, length, &mut out)?;
        Some(out.split_off(6))
    }

    #[test]
    fn literals_and_copies() {
        assert_eq!(unpacked(b"", 0), Some(vec![]));
        assert_eq!(unpacked(b"\x02abc", 3), Some(b"abc".to_vec()));
        // Four more from three back; then nine and two from one back.
        assert_eq!(unpacked(b"\x02abc\x40\x02", 7), Some(b"abcabca".to_vec()));
        assert_eq!(unpacked(b"\x00a\xe0\x02\x00", 12), Some(b"a".repeat(12)));
        assert_eq!(unpacked(b"\x02abc\xe0\x03\x02", 15), Some(b"abc".repeat(5)));
        assert_eq!(unpacked(b"\x02abc\xe0\x02\x02", 14), Some(b"abcabcabcabcab".to_vec()));
    }

    #[test]
    fn what_cannot_be() {
        for (packed, length) in [
            (&b"\x02ab"[..], 3),
            (b"\x00a", 2),
            (b"\x02abc", 2),
            (b"\x20", 3),
            (b"\xe0\x01", 9),
            (b"\x20\x00", 3),
            (b"\x00a\x20\x01", 4),
        ] {
            assert_eq!(unpacked(packed, length), None, "{packed:?}");
        }
    }
}
