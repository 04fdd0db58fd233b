//! Arguments as bulk strings, one behind the other in one buffer: so commands are sent, recorded,
//! and kept until they run.
//!
//! Who writes a record holds locks, so what is short takes one look at the room that is left, and
//! no loop; some memory behind the end is kept initialised for that.

use std::fmt;
use std::ops::Range;

/// Bulk strings in one buffer.
#[derive(Default)]
pub(crate) struct Argv {
    /// What is behind the end means nothing.
    memory: Vec<u8>,
    end: usize,
    /// How many arguments were pushed.
    len: usize,
}

impl PartialEq for Argv {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl fmt::Debug for Argv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

/// So much memory is initialised ahead, where there is as much.
const AHEAD: usize = 2 << 10;
/// A bulk string takes no more than this beside its text.
const FRAME: usize = "$18446744073709551615\r\n\r\n".len();
const LINE_END: &[u8; 2] = b"\r\n";

/// The headers of short strings, each with its own length as the last byte.
static HEADERS: [[u8; 8]; 1000] = headers();

const fn digit(value: usize) -> u8 {
    b'0' + (value % 10) as u8
}

const fn headers() -> [[u8; 8]; 1000] {
    let mut all = [[0; 8]; 1000];
    let mut length = 0;
    while length < all.len() {
        all[length] = match length {
            0..10 => [b'$', digit(length), b'\r', b'\n', 0, 0, 0, 4],
            10..100 => [b'$', digit(length / 10), digit(length), b'\r', b'\n', 0, 0, 5],
            _ => {
                let (hundreds, tens) = (digit(length / 100), digit(length / 10));
                [b'$', hundreds, tens, digit(length), b'\r', b'\n', 0, 6]
            }
        };
        length += 1;
    }
    all
}

impl Argv {
    /// Adds an argument.
    #[inline]
    pub(crate) fn push(&mut self, argument: impl AsRef<[u8]>) {
        self.bulk(argument.as_ref());
    }

    pub(crate) fn integer(&mut self, value: impl itoa::Integer) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// Adds an argument that the program names.
    #[inline(always)]
    pub(crate) fn word(&mut self, word: &'static str) {
        self.bulk_inline(word.as_bytes());
    }

    #[inline(never)]
    fn bulk(&mut self, text: &[u8]) {
        self.bulk_inline(text);
    }

    #[inline(always)]
    fn bulk_inline(&mut self, text: &[u8]) {
        let place = self.end..self.end + text.len() + FRAME;
        let (Some(header), Some(room)) = (HEADERS.get(text.len()), self.memory.get_mut(place))
        else {
            return self.bulk_slowly(text);
        };
        let start = usize::from(header[7]);
        let end = start + text.len();
        room[..8].copy_from_slice(header);
        room[end..end + 2].copy_from_slice(LINE_END);
        self.end += end + 2;
        self.len += 1;
        // Last, as nothing need then be kept for after the call.
        room[start..end].copy_from_slice(text);
    }

    /// As many bytes behind the end, if so many are initialised.
    #[inline]
    fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        self.memory.get_mut(self.end..self.end + length)
    }

    #[inline(never)]
    fn bulk_slowly(&mut self, text: &[u8]) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(text.len()).as_bytes();
        self.append(&[b"$", digits, LINE_END, text, LINE_END]);
        self.len += 1;
    }

    /// Writes these parts at the end, uncounted.
    #[inline(never)]
    pub(crate) fn append(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        // And for what others ask for beyond their text, so that where this was written once, all
        // of it finds room the next time.
        let Some(mut room) = self.room(length + FRAME) else {
            return self.write(|bytes| {
                bytes.reserve(length + FRAME);
                parts.iter().for_each(|part| bytes.extend_from_slice(part));
            });
        };
        for part in parts {
            let place = room.split_off_mut(..part.len()).expect("there is room for all");
            place.copy_from_slice(part);
        }
        self.end += length;
    }

    /// Changes what is before the end.
    #[inline(never)]
    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.memory.truncate(self.end);
        write(&mut self.memory);
        self.end = self.memory.len();
        let ahead = AHEAD.min(self.memory.capacity() - self.end);
        self.memory.resize(self.end + ahead, 0);
    }

    /// Writes a command, of which `write` pushes the arguments, name and all.
    #[inline(always)]
    pub(crate) fn command(&mut self, write: impl FnOnce(&mut Self)) {
        let start = self.begin();
        write(self);
        self.declare(start, 0, self.len);
    }

    /// Writes a header that declares no arguments yet, and counts from here; answers where.
    #[inline]
    pub(crate) fn begin(&mut self) -> usize {
        let start = self.end;
        self.len = 0;
        if let Some(room) = self.room(NO_ARGUMENTS.len()) {
            room.copy_from_slice(NO_ARGUMENTS);
            self.end += NO_ARGUMENTS.len();
        } else {
            self.append(&[NO_ARGUMENTS]);
        }
        start
    }

    /// Has the header at `start`, which declares `old` arguments, declare `new` ones, of which
    /// there are no fewer. Each further digit moves what follows.
    #[inline]
    pub(crate) fn declare(&mut self, start: usize, old: usize, new: usize) {
        if new < 10 {
            self.memory[start + 1] = b'0' + new as u8;
        } else {
            self.declare_many(start, old, new);
        }
    }

    #[inline(never)]
    fn declare_many(&mut self, start: usize, old: usize, new: usize) {
        debug_assert!(old <= new, "{new} arguments after {old}");
        let (number, behind) = (start + 1, start + header_length(old) - 2);
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(new).as_bytes();
        let further = number + digits.len() - behind;
        if self.room(further).is_none() {
            self.write(|bytes| bytes.reserve(AHEAD));
        }
        self.memory.copy_within(behind..self.end, behind + further);
        self.memory[number..behind + further].copy_from_slice(digits);
        self.end += further;
    }

    /// Takes out what is in a range.
    pub(crate) fn remove(&mut self, range: Range<usize>) {
        self.memory.copy_within(range.end..self.end, range.start);
        self.end -= range.len();
    }

    /// Takes off what is behind this length.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.end = self.end.min(length);
    }

    /// How many arguments were pushed since the last beginning.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.memory[..self.end]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[..self.end]
    }

    /// Gives back memory beyond so much.
    pub(crate) fn shrink_to(&mut self, capacity: usize) {
        if self.memory.capacity() > capacity {
            self.memory.truncate(self.end);
            self.memory.shrink_to(capacity);
        }
    }

    /// Bytes of memory.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    /// The arguments, if nothing but arguments was written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes();
        std::iter::from_fn(move || {
            let (argument, behind) = split_bulk(rest)?;
            rest = behind;
            Some(argument)
        })
    }
}

/// A command's header before its arguments are counted.
pub(crate) const NO_ARGUMENTS: &[u8; 4] = b"*0\r\n";

/// How many bytes the header of a command with so many arguments takes.
pub(crate) fn header_length(arguments: usize) -> usize {
    NO_ARGUMENTS.len() + arguments.checked_ilog10().unwrap_or_default() as usize
}

/// A bulk string that is known to be whole, and what stands behind it.
pub(crate) fn split_bulk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().skip(1) {
        if *byte == b'\r' {
            let body = &bytes[at + 2..];
            return Some((&body[..length], &body[length + 2..]));
        }
        length = length * 10 + usize::from(byte - b'0');
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A command as it should read.
    pub(crate) fn spelled(arguments: &[impl AsRef<[u8]>]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments.iter().map(AsRef::as_ref) {
            bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            bytes.extend_from_slice(argument);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    }

    #[test]
    fn strings_of_any_length_are_as_they_should_read() {
        let texts: Vec<Vec<u8>> =
            (0..1100).chain([9_999, 10_000, 123_456]).map(|length| vec![b'x'; length]).collect();
        let mut all = Argv::default();
        let start = all.begin();
        for text in &texts {
            let mut argv = Argv::default();
            let start = argv.begin();
            argv.push(text);
            argv.declare(start, 0, argv.len());
            assert_eq!(argv.bytes(), spelled(std::slice::from_ref(text)), "{} bytes", text.len());
            all.push(text);
        }
        all.declare(start, 0, all.len());
        assert_eq!(all.bytes(), spelled(&texts));
    }

    #[test]
    fn what_was_written_once_finds_room_the_next_time() {
        let texts: [&[u8]; 3] = [b"", &[b'x'; 16], &[b'y'; 500]];
        for (key, value) in texts.iter().flat_map(|key| texts.map(|value| (key, value))) {
            let mut argv = Argv::default();
            for round in 0..2 {
                argv.truncate(0);
                argv.begin();
                for text in [b"SET", *key, value] {
                    let has_room = argv.room(text.len() + FRAME).is_some();
                    assert!(has_room || round == 0, "{} and {} bytes", key.len(), value.len());
                    argv.push(text);
                }
            }
        }
    }

    #[test]
    fn a_header_grows_with_its_number() {
        let mut argv = Argv::default();
        argv.push("in front of it");
        let before = argv.bytes().to_vec();
        let start = argv.begin();
        let mut arguments = Vec::new();
        for number in 1..=1001 {
            arguments.push(number.to_string().into_bytes());
            argv.integer(number);
            argv.declare(start, number - 1, number);
            assert_eq!(argv.bytes(), [&before[..], &spelled(&arguments)].concat());
        }
    }

    #[test]
    fn a_buffer_that_was_used_is_as_good_as_new() {
        let long = vec![b'y'; 5000];
        let mut argv = Argv::default();
        for round in 0..3 {
            argv.truncate(0);
            let mut expected = Vec::new();
            for count in [1, 12, 9, 100] {
                let texts: Vec<Vec<u8>> = (0..count)
                    .map(|number| if number == round { long.clone() } else { b"x".to_vec() })
                    .collect();
                let start = argv.begin();
                texts.iter().for_each(|text| argv.push(text));
                argv.declare(start, 0, argv.len());
                expected.extend(spelled(&texts));
                assert_eq!(argv.bytes(), expected);
            }
        }
    }

    #[test]
    fn what_was_taken_out_leaves_nothing() {
        let mut argv = Argv::default();
        for word in ["one", "two", "three"] {
            argv.push(word);
        }
        argv.remove(b"$3\r\none\r\n".len()..b"$3\r\none\r\n$3\r\ntwo\r\n".len());
        assert_eq!(argv.iter().collect::<Vec<_>>(), [&b"one"[..], b"three"]);
        argv.truncate(b"$3\r\none\r\n".len());
        argv.word("four");
        assert_eq!(argv.iter().collect::<Vec<_>>(), [&b"one"[..], b"four"]);
    }
}
