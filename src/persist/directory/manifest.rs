//! The manifest: which files make up what is kept.
//!
//! Redis's form, a line for each file: `file NAME seq NUMBER type T`, where T is `b` for the base,
//! `i` for a segment, `h` for a file that a newer base has replaced and that is to be deleted.
//! Words may be quoted. Ours begins with a comment, which Redis passes over, with a checksum of the
//! rest:
//!
//! ```text
//! #LARDER:1 1c291ca3
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.5.incr.aof seq 5 type i
//! ```
//!
//! Invariants: a file's name follows from the stem, its number and its type; at most one base; the
//! numbers of segments ascend by one. A manifest with a comment must have the right checksum, so it
//! is whole; one without was written by Redis.

use std::fmt::Write as _;
use std::io;

use crate::wire::request::{RequestLimits, RequestParser};

const COMMENT: &str = "#LARDER:";
const VERSION: &str = "1";

/// Redis refuses longer lines.
const LONGEST_LINE: usize = 1023;

/// Redis counts no further.
const LAST: u64 = i64::MAX as u64;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) base: Option<Base>,
    /// Names of files to be deleted.
    pub(super) history: Vec<Replaced>,
    /// Oldest first.
    pub(super) segments: Vec<Listed>,
}

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) number: u64,
    /// Its length, once it grows no more; `None` if that was not noted.
    pub(super) length: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) number: u64,
    pub(super) form: Form,
}

/// What a base is written as, which its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `.base.rdb`
    Rdb,
    /// `.base.aof`
    Commands,
    /// The stem alone: the one file of Redis before 7.0, of either form.
    Single,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    Base(Base),
    Segment(u64),
}

impl Base {
    pub(super) fn name(self, stem: &str) -> String {
        match self.form {
            Form::Rdb => format!("{stem}.{}.base.rdb", self.number),
            Form::Commands => format!("{stem}.{}.base.aof", self.number),
            Form::Single => stem.to_owned(),
        }
    }
}

/// An error if a file cannot have this number.
pub(super) fn check_number(number: u64) -> io::Result<()> {
    match number {
        1..=LAST => Ok(()),
        _ => Err(io::Error::other(format!("there is no number after {LAST} for another file"))),
    }
}

pub(super) fn segment_name(stem: &str, number: u64) -> String {
    format!("{stem}.{number}.incr.aof")
}

impl Replaced {
    pub(super) fn name(self, stem: &str) -> String {
        match self {
            Self::Base(base) => base.name(stem),
            Self::Segment(number) => segment_name(stem, number),
        }
    }

    /// What a name in the folder says that its file is; `None` if it is no file of this stem.
    pub(super) fn from_name(name: &str, stem: &str) -> Option<Self> {
        if name == stem {
            return Some(Self::Base(Base { number: 0, form: Form::Single }));
        }
        let (digits, rest) = name.strip_prefix(stem)?.strip_prefix('.')?.split_once('.')?;
        let number = digits.parse().ok()?;
        let found = match rest {
            "base.rdb" => Self::Base(Base { number, form: Form::Rdb }),
            "base.aof" => Self::Base(Base { number, form: Form::Commands }),
            "incr.aof" => Self::Segment(number),
            _ => return None,
        };
        (found.name(stem) == name).then_some(found)
    }

    fn of(name: &str, number: u64, stem: &str) -> Option<Self> {
        match Self::from_name(name, stem)? {
            Self::Base(Base { form: Form::Single, .. }) => {
                Some(Self::Base(Base { number, form: Form::Single }))
            }
            Self::Base(base) if base.number == number => Some(Self::Base(base)),
            Self::Segment(own) if own == number => Some(Self::Segment(number)),
            _ => None,
        }
    }
}

impl Manifest {
    /// Whether it names nothing that is kept, as if there were none.
    pub(super) fn is_empty(&self) -> bool {
        self.base.is_none() && self.segments.is_empty()
    }

    /// Of the one file of Redis before 7.0, once that was moved.
    pub(super) fn single() -> Self {
        Self { base: Some(Base { number: 1, form: Form::Single }), ..Self::default() }
    }

    /// The bytes of the file.
    pub(super) fn encode(&self, stem: &str) -> Vec<u8> {
        let mut lines = String::new();
        let mut line = |name: String, number: u64, kind: &str| {
            let name = quoted(&name);
            writeln!(lines, "file {name} seq {number} type {kind}").expect("a string takes all");
        };
        if let Some(base) = self.base {
            line(base.name(stem), base.number, "b");
        }
        for replaced in &self.history {
            let (Replaced::Base(Base { number, .. }) | Replaced::Segment(number)) = *replaced;
            line(replaced.name(stem), number, "h");
        }
        for Listed { number, length } in &self.segments {
            let kind = length.map_or("i".to_owned(), |length| format!("i bytes {length}"));
            line(segment_name(stem, *number), *number, &kind);
        }
        let checksum = crc32c::crc32c(lines.as_bytes());
        format!("{COMMENT}{VERSION} {checksum:08x}\n{lines}").into_bytes()
    }

    /// Reads the bytes of the file; an error says what is wrong with them.
    pub(super) fn parse(bytes: &[u8], stem: &str) -> Result<Self, String> {
        let lines = if bytes.starts_with(b"#") { checked(bytes)? } else { bytes };
        let Some(lines) = lines.strip_suffix(b"\n") else {
            return Err("it is empty, or its last line has no end".to_owned());
        };
        let mut manifest = Self::default();
        for line in lines.split(|byte| *byte == b'\n') {
            let added = manifest.add(line, stem);
            added.map_err(|wrong| format!("{wrong}: {:?}", String::from_utf8_lossy(line)))?;
        }
        // Else opening would delete what it is to read.
        match manifest.history.iter().find(|old| manifest.names(**old, stem)) {
            Some(old) => {
                Err(format!("a file that is replaced and still counts: {}", old.name(stem)))
            }
            None => Ok(manifest),
        }
    }

    /// Whether a file is the base or one of the segments.
    fn names(&self, file: Replaced, stem: &str) -> bool {
        match file {
            Replaced::Base(old) => self.base.is_some_and(|base| base.name(stem) == old.name(stem)),
            Replaced::Segment(number) => self.segments.iter().any(|own| own.number == number),
        }
    }

    fn add(&mut self, line: &[u8], stem: &str) -> Result<(), &'static str> {
        if line.len() > LONGEST_LINE {
            return Err("a line is too long");
        }
        let entry = Entry::parse(line).ok_or("a line that is no entry")?;
        let named = Replaced::of(&entry.name, entry.number, stem)
            .ok_or("a name does not agree with its number")?;
        match (entry.kind, named) {
            (b'h', _) => self.history.push(named),
            (b'b', Replaced::Base(_)) if self.base.is_some() => return Err("a second base"),
            (b'b', Replaced::Base(base)) => self.base = Some(base),
            (b'i', Replaced::Segment(number)) => {
                let last = self.segments.last();
                if last.is_some_and(|last| last.number.checked_add(1) != Some(number)) {
                    return Err("a segment that does not follow the one before it");
                }
                self.segments.push(Listed { number, length: entry.length });
            }
            _ => return Err("a name does not agree with its type"),
        }
        Ok(())
    }
}

/// The lines after the comment, if they are those that it was made for.
fn checked(bytes: &[u8]) -> Result<&[u8], String> {
    let damaged = || "it is damaged: its checksum is not that of its lines".to_owned();
    let end = memchr::memchr(b'\n', bytes).ok_or_else(damaged)?;
    let (comment, lines) = (&bytes[..end], &bytes[end + 1..]);
    let comment = str::from_utf8(comment).ok().and_then(|line| line.strip_prefix(COMMENT));
    let (version, checksum) = comment.and_then(|line| line.split_once(' ')).ok_or_else(damaged)?;
    if version != VERSION && version.parse::<u64>().is_ok() {
        return Err(format!("its version, {version}, is not known"));
    }
    match format!("{VERSION} {:08x}", crc32c::crc32c(lines)) == format!("{version} {checksum}") {
        true => Ok(lines),
        false => Err(damaged()),
    }
}

/// A line of the manifest.
struct Entry {
    name: String,
    number: u64,
    kind: u8,
    length: Option<u64>,
}

impl Entry {
    /// Reads pairs of a key and a value, in any order. Redis adds keys from version to version, so
    /// those that are not known are passed over.
    fn parse(line: &[u8]) -> Option<Self> {
        let words = words(line)?;
        let value = |key: &str| {
            let mut found = words.chunks_exact(2).filter(|pair| pair[0] == key.as_bytes());
            let first = found.next().map(|pair| &pair[1]);
            // Who says something twice may mean either.
            if found.next().is_none() { Some(first) } else { None }
        };
        let number = |word: &[u8]| -> Option<u64> {
            let plain = word.iter().all(u8::is_ascii_digit);
            str::from_utf8(word).ok()?.parse().ok().filter(|_| plain)
        };
        let length = match value("bytes")? {
            None => None,
            Some(word) => Some(number(word)?),
        };
        let kind = value("type")??;
        let entry = Self {
            name: String::from_utf8(value("file")??.clone()).ok()?,
            number: number(value("seq")??).filter(|number| check_number(*number).is_ok())?,
            kind: *kind.first()?,
            length,
        };
        (words.len() % 2 == 0 && kind.len() == 1).then_some(entry)
    }
}

/// The words of a line, which may be quoted as in a request that somebody types.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    if line.starts_with(b"*") {
        return None;
    }
    let mut parser = RequestParser::new(RequestLimits::default());
    let line = [line, b"\n"].concat();
    let request = parser.parse(&line).ok()??;
    (request.consumed() == line.len()).then(|| request.iter().map(<[u8]>::to_vec).collect())
}

/// A name as Redis writes it: quoted if it has bytes that end a word or cannot be seen.
fn quoted(name: &str) -> String {
    if name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\')) {
        return name.to_owned();
    }
    let mut text = "\"".to_owned();
    for byte in name.bytes() {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").expect("a string takes all"),
        }
    }
    text + "\""
}
