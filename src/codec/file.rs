//! RDB files: a header, entries in their databases, and a checksum.
//!
//! ```text
//! REDIS0010 (property name value) ... (database (deadline) type key value ...) ... end checksum
//! ```
//!
//! A writer is fed one entry after the other and keeps none. A reader shows one after the other;
//! only once it has shown the last does it know that the file is whole, so its caller has to keep
//! what it makes of them to itself until then.

use std::io;

use super::input::Input;
use super::output::{Output, Sink};
use super::value::{self, Dialect, module_name};
use super::{Content, Loaded, REDIS_VERSIONS, Times, VALKEY_VERSIONS, Version};
use crate::error::{Error, Result};
use crate::value::Value;

/// What a file says of itself where it is made: the Redis that would have written it.
const REDIS_VERSION: &str = "7.0.15";
/// Files have about ten; more than this are not remembered.
const MOST_PROPERTIES: usize = 100;
/// Files of earlier versions have no checksum.
const FIRST_WITH_CHECKSUM: u16 = 5;

/// What may stand where an entry's type is expected.
mod opcode {
    /// In Redis templates of hashes, in Valkey changes made while the file was.
    pub(super) const TEMPLATE_OR_CHANGE: u8 = 242;
    pub(super) const KEY_DATA_OR_SLOT_IMPORT: u8 = super::value::KEY_DATA;
    pub(super) const SLOT_INFO: u8 = 244;
    pub(super) const FUNCTION: u8 = 245;
    pub(super) const FUNCTION_EARLY: u8 = 246;
    pub(super) const MODULE: u8 = 247;
    pub(super) const IDLE: u8 = 248;
    pub(super) const FREQUENCY: u8 = 249;
    pub(super) const PROPERTY: u8 = 250;
    pub(super) const SIZES: u8 = 251;
    pub(super) const DEADLINE_MILLIS: u8 = 252;
    pub(super) const DEADLINE_SECONDS: u8 = 253;
    pub(super) const DATABASE: u8 = 254;
    pub(super) const END: u8 = 255;
}

/// What a file says before its entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'h> {
    /// [`Version::Twelve`] if any hash has fields with deadlines.
    pub(crate) version: Version,
    pub(crate) times: Times,
    /// When it is made, in Unix seconds.
    pub(crate) created: u64,
    /// The bytes that the data takes in memory.
    pub(crate) memory: u64,
    /// If a log goes on where the file ends: what it goes on from.
    pub(crate) log: Option<&'h str>,
}

/// The property of a file that a log goes on from.
pub(crate) const LOG: &str = "larder-log";

/// Writes a file to a writer, which needs no buffer of its own.
pub(crate) struct FileWriter<'w> {
    output: Output<'w>,
    version: Version,
    times: Times,
    database: Option<u16>,
}

impl<'w> FileWriter<'w> {
    pub(crate) fn begin(writer: &'w mut dyn io::Write, head: Head<'_>) -> io::Result<Self> {
        let mut output = Output::new(writer);
        output.put(format!("REDIS{:04}", head.version.number()).as_bytes());
        let mut property = |name: &str, value: &str| {
            output.byte(opcode::PROPERTY);
            output.string(name.as_bytes());
            output.string(value.as_bytes());
        };
        property("redis-ver", REDIS_VERSION);
        property("redis-bits", "64");
        property("ctime", &head.created.to_string());
        property("used-mem", &head.memory.to_string());
        property("aof-base", if head.log.is_some() { "1" } else { "0" });
        if let Some(log) = head.log {
            property(LOG, log);
        }
        output.check()?;
        Ok(Self { output, version: head.version, times: head.times, database: None })
    }

    /// Says how many entries of a database come, and how many of them with deadlines: a hint that
    /// saves the reader some work, and may be left out.
    pub(crate) fn announce(&mut self, database: u16, keys: u64, dated: u64) {
        self.select(database);
        self.output.byte(opcode::SIZES);
        self.output.length(keys);
        self.output.length(dated);
    }

    /// Writes an entry with its deadline in the store's time.
    ///
    /// # Errors
    ///
    /// What the writer answered; and an error of the kind `InvalidInput` for a hash that the
    /// file's version has no form for.
    #[inline]
    pub(crate) fn entry(
        &mut self,
        database: u16,
        key: &[u8],
        deadline: Option<u64>,
        content: Content<'_>,
    ) -> io::Result<()> {
        if self.database != Some(database) {
            self.select(database);
        }
        if let Content::Object(object) = content
            && self.version == Version::Ten
            && Version::needed_for(object) != Version::Ten
        {
            let text = "a hash of which fields have deadlines needs version 12";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if let Some(deadline) = deadline {
            self.output.byte(opcode::DEADLINE_MILLIS);
            self.output.millis(self.times.unix(deadline));
        }
        self.output.byte(value::kind_of(content, self.version));
        self.output.string(key);
        value::write(&mut self.output, content, self.version, self.times);
        self.output.check()
    }

    /// Ends the file; answers its length.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.output.byte(opcode::END);
        self.output.finish()
    }

    fn select(&mut self, database: u16) {
        self.database = Some(database);
        self.output.byte(opcode::DATABASE);
        self.output.length(database.into());
    }
}

/// Reads a file from a reader, which needs no buffer of its own.
pub(crate) struct FileReader<'r> {
    input: Input<'r>,
    version: u16,
    dialect: Dialect,
    database: u64,
    key: Vec<u8>,
    scratch: Vec<u8>,
    empty: u64,
    functions: u64,
    properties: Vec<(Value, Value)>,
}

/// One entry of a file.
pub(crate) struct FileEntry<'f> {
    pub(crate) database: u64,
    pub(crate) key: &'f [u8],
    /// In the store's time.
    pub(crate) deadline: Option<u64>,
    pub(crate) loaded: Loaded<'f>,
}

/// What stands before an entry.
enum Next {
    Entry { kind: u8, deadline: Option<u64> },
    End,
}

impl<'r> FileReader<'r> {
    /// Reads the header.
    pub(crate) fn open(reader: &'r mut dyn io::Read, times: Times) -> Result<Self> {
        let mut input = Input::new(reader);
        let head: [u8; 9] = input.array()?;
        let (is_valkey, digits) = match &head {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (false, &digits[..]),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (true, &digits[..]),
            _ => return Err(input.corrupt("no RDB file")),
        };
        let versions = if is_valkey { VALKEY_VERSIONS } else { REDIS_VERSIONS };
        let version = digits.iter().try_fold(0, |version, digit| {
            digit.is_ascii_digit().then(|| version * 10 + u16::from(digit - b'0'))
        });
        let version = version.filter(|version| versions.contains(version));
        let version = version.ok_or_else(|| {
            let digits = digits.escape_ascii();
            input.corrupt(format!("an RDB file of version {digits}, which is not supported"))
        })?;
        Ok(Self {
            input,
            version,
            dialect: Dialect { is_valkey, times },
            database: 0,
            key: Vec::new(),
            scratch: Vec::new(),
            empty: 0,
            functions: 0,
            properties: Vec::new(),
        })
    }

    /// The version of the format.
    pub(crate) fn version(&self) -> u16 {
        self.version
    }

    /// What the file has said of itself so far: names and values, in the order of the file.
    pub(crate) fn properties(&self) -> &[(Value, Value)] {
        &self.properties
    }

    /// What a log goes on from where the file ends, if that is one of a store.
    pub(crate) fn log(&self) -> Option<&Value> {
        let mut properties = self.properties.iter();
        properties.find(|(name, _)| **name == *LOG.as_bytes()).map(|(_, value)| value)
    }

    /// The next entry; `None` behind the last, once the checksum has been found right.
    pub(crate) fn next_entry(&mut self) -> Result<Option<FileEntry<'_>>> {
        let (deadline, object) = loop {
            let Next::Entry { kind, deadline } = self.next_kind()? else {
                self.check_sum()?;
                return Ok(None);
            };
            self.input.string(&mut self.key)?;
            if kind == super::kind::STRING {
                self.input.string(&mut self.scratch)?;
                break (deadline, None);
            }
            let scratch = &mut self.scratch;
            match value::read_object(&mut self.input, kind, self.dialect, scratch)? {
                Some(object) => break (deadline, Some(object)),
                None => self.empty += 1,
            }
        };
        let loaded = object.map_or(Loaded::String(&self.scratch), Loaded::Object);
        Ok(Some(FileEntry { database: self.database, key: &self.key, deadline, loaded }))
    }

    /// The bytes used so far.
    pub(crate) fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// Collections without elements that were passed over, as Redis does.
    pub(crate) fn empty(&self) -> u64 {
        self.empty
    }

    /// Libraries of functions that were passed over.
    pub(crate) fn functions(&self) -> u64 {
        self.functions
    }

    /// The error of an entry that cannot be there.
    pub(crate) fn corrupt(&self, what: impl Into<String>) -> Error {
        self.input.corrupt(what)
    }

    /// What was read from behind the end of the file: the reader goes on behind that.
    pub(crate) fn unused(&self) -> &[u8] {
        self.input.unused()
    }

    /// An error if anything follows the end of the file.
    pub(crate) fn expect_end(&mut self) -> Result<()> {
        match self.input.is_at_end()? {
            true => Ok(()),
            false => Err(self.input.corrupt("bytes behind the end of the file")),
        }
    }

    /// Reads up to what stands before a key.
    fn next_kind(&mut self) -> Result<Next> {
        let times = self.dialect.times;
        let mut deadline = None;
        loop {
            let input = &mut self.input;
            match input.byte()? {
                opcode::END => return Ok(Next::End),
                opcode::DATABASE => self.database = input.length()?,
                opcode::DEADLINE_MILLIS => deadline = Some(times.store(input.millis()?)),
                opcode::DEADLINE_SECONDS => {
                    let seconds = i64::from(i32::from_le_bytes(input.array()?));
                    deadline = Some(times.store(seconds * 1000));
                }
                opcode::SIZES => {
                    input.length()?;
                    input.length()?;
                }
                opcode::KEY_DATA_OR_SLOT_IMPORT if self.dialect.is_valkey => {
                    return Err(input.corrupt("a slot on its way to another node: not supported"));
                }
                opcode::KEY_DATA_OR_SLOT_IMPORT => {
                    value::skip_key_data(input, &mut self.scratch)?;
                }
                opcode::TEMPLATE_OR_CHANGE if self.dialect.is_valkey => {
                    return Err(input.corrupt("changes behind the entries: not supported"));
                }
                opcode::TEMPLATE_OR_CHANGE => {
                    return Err(input.corrupt("a template of hashes, of Redis 8.10: not supported"));
                }
                opcode::SLOT_INFO => {
                    for _ in 0..3 {
                        input.length()?;
                    }
                }
                opcode::IDLE => {
                    input.length()?;
                }
                opcode::FREQUENCY => {
                    input.byte()?;
                }
                opcode::PROPERTY => {
                    input.string(&mut self.key)?;
                    input.string(&mut self.scratch)?;
                    if self.properties.len() < MOST_PROPERTIES {
                        let [name, value] = [&self.key, &self.scratch].map(|word| word[..].into());
                        self.properties.push((name, value));
                    }
                }
                opcode::FUNCTION => {
                    input.blob(&mut self.scratch)?;
                    self.functions += 1;
                }
                opcode::FUNCTION_EARLY => {
                    return Err(input.corrupt("functions in a form before their release"));
                }
                opcode::MODULE => self.skip_module()?,
                kind => return Ok(Next::Entry { kind, deadline }),
            }
        }
    }

    /// Passes over what a module keeps beside the keys.
    fn skip_module(&mut self) -> Result<()> {
        let name = module_name(self.input.length()?);
        value::skip_module_data(&mut self.input, &mut self.scratch, &format!("the module {name}"))
    }

    fn check_sum(&mut self) -> Result<()> {
        if self.version < FIRST_WITH_CHECKSUM {
            return Ok(());
        }
        let found = self.input.checksum();
        let kept = u64::from_le_bytes(self.input.array()?);
        // Redis writes zero where checksums are switched off; what a log goes on from has one.
        if kept == found || (kept == 0 && self.log().is_none()) {
            return Ok(());
        }
        Err(self.input.corrupt(format!("the checksum is {found:016x} and should be {kept:016x}")))
    }
}
