//! Zipmaps: what small hashes were packed into before Redis 2.6.
//!
//! ```text
//! | fields u8, or 254 and more | length name | length spare u8 value spare bytes | ... | 0xff |
//! ```
//!
//! A length is one byte, or 254 and four bytes.

const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// A field's name and its value.
type Pair<'b> = (&'b [u8], &'b [u8]);

/// All fields with their values, if the bytes are a zipmap.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<Pair<'_>>> {
    let (count, mut rest) = bytes.split_first()?;
    let mut fields = Vec::new();
    while rest != [END] {
        let (name, behind) = string(rest, 0)?;
        let (value, behind) = string(behind, 1)?;
        fields.push((name, value));
        rest = behind;
    }
    (*count >= LONG || usize::from(*count) == fields.len()).then_some(fields)
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
