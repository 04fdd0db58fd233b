//! Entries packed one after the other in one heap block: how one is put in or taken out.

use std::ops::Range;

/// Puts `entry` in place of some bytes, and moves what follows them. Keeps little to spare, as
/// there are many small structures.
pub(super) fn splice(bytes: &mut Vec<u8>, place: Range<usize>, entry: &[u8]) {
    let old_len = bytes.len();
    let new_end = place.start + entry.len();
    let new_len = old_len - place.len() + entry.len();
    if new_len > bytes.capacity() {
        bytes.reserve_exact((new_len + new_len / 8).next_multiple_of(16) - old_len);
    }
    bytes.resize(old_len.max(new_len), 0);
    bytes.copy_within(place.end..old_len, new_end);
    bytes.truncate(new_len);
    bytes[place.start..new_end].copy_from_slice(entry);
    if bytes.capacity() > 2 * new_len + 64 {
        bytes.shrink_to(new_len);
    }
}
