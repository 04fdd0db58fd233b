//! The one public error type.

use thiserror::Error;

/// A `Result` whose error is [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, in one type.
///
/// An operation that returns an error has changed nothing; the one exception says so:
/// [`Indeterminate`](Error::Indeterminate).
///
/// In a store that [keeps](crate::Builder::persistence) what it holds, everything that writes may
/// also answer [`ReadOnly`](Error::ReadOnly) and `Indeterminate`; what is said of the errors of an
/// operation does not repeat it.
///
/// ```
/// use larder::{Error, Store};
///
/// let store = Store::new();
/// store.kv().set("name", "larder")?;
/// assert_eq!(store.kv().increment("name", 1), Err(Error::NotAnInteger));
/// assert_eq!(store.kv().get("name")?.unwrap(), "larder");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The key holds another type than the operation works on.
    #[error("the key holds a value of another type")]
    WrongType,
    /// A value or argument is not a decimal integer of 64 bits.
    #[error("the value is not an integer or is out of range")]
    NotAnInteger,
    /// A value or argument is not a float.
    #[error("the value is not a valid float")]
    NotAFloat,
    /// The result of an increment does not fit in 64 bits.
    #[error("the increment or decrement would overflow")]
    Overflow,
    /// The result of an increment by a float is not finite.
    #[error("the increment would produce NaN or infinity")]
    NotFinite,
    /// A score would become NaN.
    #[error("the resulting score is not a number")]
    ScoreNotANumber,
    /// A key, value, member, field or name would be longer than 512 MiB, as Redis allows no
    /// argument to be: whatever would keep it is refused. A read finds nothing there.
    #[error("the string exceeds the maximum size of 512 MiB")]
    TooLarge,
    /// An offset is negative or past what is allowed.
    #[error("the offset is out of range")]
    OffsetOutOfRange,
    /// A count or number is outside the range that the operation allows.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// A time to live is zero, negative where that is refused, or overflows.
    #[error("invalid expire time")]
    InvalidExpire,
    /// Options that contradict each other, or arguments that do not form a command.
    #[error("{0}")]
    Syntax(&'static str),
    /// An option that the command does not know.
    #[error("unsupported option {0:?}")]
    UnsupportedOption(crate::value::Value),
    /// An operation on several keys got none.
    #[error("at least one key is needed")]
    NoKeys,
    /// The operation needs a key that does not exist.
    #[error("no such key")]
    NoSuchKey,
    /// A database index past the number of databases.
    #[error("the database index is out of range")]
    NoSuchDatabase,
    /// A file or a log has something in a database that the store is without: it is to be opened
    /// with more of them, by [`Builder::databases`](crate::Builder::databases).
    #[error("there is something in database {used}, and the store has only {count}, from 0 on")]
    TooFewDatabases {
        /// The number of a database that is needed.
        used: u64,
        /// How many the store has.
        count: u16,
    },
    /// Source and destination are the same object.
    #[error("source and destination are the same")]
    SameObject,
    /// A stream entry's id is malformed.
    #[error("invalid stream id")]
    InvalidStreamId,
    /// A stream id is not above the stream's last id.
    #[error("the stream id is equal to or smaller than the stream's last id")]
    StreamIdTooSmall,
    /// A stream id must be above `0-0`.
    #[error("the stream id must be greater than 0-0")]
    StreamIdZero,
    /// The stream's last id is the largest there is.
    #[error("the stream has exhausted its ids")]
    StreamExhausted,
    /// A stream's metadata would contradict its entries.
    #[error("{0}")]
    StreamMetadata(&'static str),
    /// The consumer group does not exist.
    #[error("no consumer group {group:?} for the key {key:?}")]
    NoGroup {
        /// The stream's key.
        key: crate::value::Value,
        /// The group's name.
        group: crate::value::Value,
    },
    /// A consumer group needs a stream that does not exist.
    #[error("no such stream")]
    NoSuchStream,
    /// A consumer group of that name exists already.
    #[error("the consumer group exists already")]
    GroupExists,
    /// A transaction was used on a key that it did not name.
    #[error("the key {0:?} is not one of the transaction's")]
    KeyNotInTransaction(crate::value::Value),
    /// An operation on all keys was used in a transaction, which holds only those that it named.
    #[error("a transaction does not hold the whole database")]
    DatabaseNotInTransaction,
    /// The answer was asked for before the batch was executed, or the batch was dropped.
    #[error("the batch has not been executed")]
    NotExecuted,
    /// A watched key changed before the batch was executed; nothing was done.
    #[error("a watched key changed")]
    Conflict,
    /// The store went away while the call waited for it.
    #[error("the store is gone")]
    Closed,
    /// The stored bytes are not of the type asked for.
    #[error("the value is not {0}")]
    Decode(&'static str),
    /// The value given cannot be turned into bytes.
    #[error("the value cannot be encoded: {0}")]
    Encode(String),
    /// A command with too few or too many arguments.
    #[error("wrong number of arguments for {0}")]
    Arity(&'static str),
    /// A command has no such subcommand.
    #[error("{command} has no subcommand {given:?}")]
    UnknownSubcommand {
        /// The command, in capitals.
        command: &'static str,
        /// What was given as its subcommand.
        given: crate::value::Value,
    },
    /// A subcommand does not take these options.
    #[error("wrong options for the subcommand {given:?} of {command}")]
    SubcommandOptions {
        /// The command, in capitals.
        command: &'static str,
        /// The subcommand, as it was given.
        given: crate::value::Value,
    },
    /// A command has no such option.
    #[error("{command} has no option {given:?}")]
    UnknownOption {
        /// The command, in capitals.
        command: &'static str,
        /// What was given as an option.
        given: crate::value::Value,
    },
    /// A snapshot, a log or a value in Redis's binary form is damaged, holds what cannot be, or is
    /// sound and not supported, which the text says.
    #[error("{what}, at byte {offset}")]
    Corrupt {
        /// What is wrong.
        what: String,
        /// How many bytes precede the place.
        offset: u64,
    },
    /// What `DUMP` is said to have answered fails its checksum, or is of a version to come.
    #[error("the version or checksum of the dumped value is wrong")]
    PayloadChecksum,
    /// There is something under the key already.
    #[error("the key {0:?} exists already")]
    KeyExists(crate::value::Value),
    /// Asked when or how often a key was used, which is not kept: it takes
    /// [`Builder::keep_idle_times`](crate::Builder::keep_idle_times) or a client of Redis, and a
    /// client may have chosen to have uses counted instead, by its `maxmemory-policy`.
    #[error("{0}")]
    UsesNotKept(&'static str),
    /// Reading or writing failed.
    #[error("{message}")]
    Io {
        /// What kind of failure.
        kind: std::io::ErrorKind,
        /// Its text.
        message: String,
    },
    /// Nothing may be written, since it could not be kept: the reason. Reading goes on.
    #[error("the store is read-only: {0}")]
    ReadOnly(String),
    /// The operation was done, and everybody sees it, but it is not known whether it is kept: it
    /// may be gone after the next start.
    #[error("done, but perhaps not kept: {0}")]
    Indeterminate(String),
    /// Bytes that are not a command or reply of the Redis protocol.
    #[error("protocol error: {0}")]
    Protocol(String),
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Io { kind: error.kind(), message: error.to_string() }
    }
}
