//! How a value is represented, by Redis's names.

use super::Operation;
use crate::data::hash::Hash;
use crate::data::set::Set;
use crate::data::sorted_set::SortedSet;
use crate::error::Result;
use crate::keyspace::access::Read;
use crate::keyspace::{Held, Object, View};
use crate::number;

/// How Redis 7.0, as it is configured unless told otherwise, would represent such a value: what
/// [`Keys::encoding`](crate::Keys::encoding) answers.
///
/// It tells small values, which are compact here too, from large ones. For strings and sorted sets
/// it follows from the value alone, where Redis also remembers what the value was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// A string that is an integer.
    Integer,
    /// A short string, of up to 44 bytes.
    EmbeddedString,
    /// A longer string.
    RawString,
    /// A list.
    Quicklist,
    /// A small hash or sorted set: up to 128 fields or members, of up to 64 bytes.
    Listpack,
    /// A small set of integers: up to 512.
    IntegerSet,
    /// A large hash, or a set that is large or was ever more than a small one of integers.
    HashTable,
    /// A large sorted set.
    Skiplist,
    /// A stream.
    Stream,
}

impl Encoding {
    pub(crate) const ALL: [Self; 9] = [
        Self::Integer,
        Self::EmbeddedString,
        Self::RawString,
        Self::Quicklist,
        Self::Listpack,
        Self::IntegerSet,
        Self::HashTable,
        Self::Skiplist,
        Self::Stream,
    ];

    /// The name that Redis's `OBJECT ENCODING` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "int",
            Self::EmbeddedString => "embstr",
            Self::RawString => "raw",
            Self::Quicklist => "quicklist",
            Self::Listpack => "listpack",
            Self::IntegerSet => "intset",
            Self::HashTable => "hashtable",
            Self::Skiplist => "skiplist",
            Self::Stream => "stream",
        }
    }
}

/// How what a key holds is represented; `None` if it does not exist.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EncodingOf<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for EncodingOf<'_> {
    type Output = Option<Encoding>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        Ok(view.glimpse().map(|held| match held {
            Held::String(block) => of_string(block.value()),
            Held::Object(object) => match object {
                Object::List(_) => Encoding::Quicklist,
                Object::Hash(hash) => of_hash(hash),
                Object::Set(set) => of_set(set),
                Object::SortedSet(set) => of_sorted_set(set),
                Object::Stream(_) => Encoding::Stream,
            },
        }))
    }
}

fn of_string(bytes: &[u8]) -> Encoding {
    const LONGEST_EMBEDDED: usize = 44;
    match bytes.len() {
        _ if number::parse_integer(bytes).is_some() => Encoding::Integer,
        0..=LONGEST_EMBEDDED => Encoding::EmbeddedString,
        _ => Encoding::RawString,
    }
}

fn of_hash(hash: &Hash) -> Encoding {
    if hash.is_packed() { Encoding::Listpack } else { Encoding::HashTable }
}

fn of_set(set: &Set) -> Encoding {
    if set.is_of_integers() { Encoding::IntegerSet } else { Encoding::HashTable }
}

fn of_sorted_set(set: &SortedSet) -> Encoding {
    const MOST_MEMBERS: usize = 128;
    const LONGEST_MEMBER: usize = 64;
    let mut members = set.entries(0..set.len().min(MOST_MEMBERS));
    let is_small = set.len() <= MOST_MEMBERS
        && members.all(|(member, _)| member.as_bytes().len() <= LONGEST_MEMBER);
    if is_small { Encoding::Listpack } else { Encoding::Skiplist }
}
