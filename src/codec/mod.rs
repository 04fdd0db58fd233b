//! Redis's binary formats: values as `DUMP` has them, and whole RDB files.
//!
//! - [`file`]: a file of entries, written and read one entry after the other;
//! - [`payload`]: one value by itself, with a version and a checksum;
//! - [`value`]: the body of a value, by its type; [`stream`]'s is in a file of its own;
//! - [`listpack`], [`ziplist`], [`zipmap`], [`intset`]: what small collections are packed into;
//! - [`output`], [`input`]: bytes, numbers and strings, with the checksum of all that passed.
//!
//! # What is written
//!
//! Version 10, which Redis 7.0 and everything later loads. Only a hash of which fields have
//! deadlines needs what version 12 brought: see [`Version`].
//!
//! # What is read
//!
//! Every encoding of a value of the types that a store has, from Redis 2.0 to 8.8 and Valkey 9;
//! what else there is in these and in later ones is an error by its name. A reader trusts nothing:
//! no memory is taken by a declared length before the bytes are there, packed elements are read one
//! by one, every inner length is held against the bytes around it, and what could not be (a member
//! twice, ids that do not grow, a score that is no number) is
//! [`Error::Corrupt`](crate::Error::Corrupt) with its place.
//!
//! # Threading
//!
//! None: a writer and a reader belong to whoever made them.

pub(crate) mod file;
mod input;
mod intset;
mod listpack;
pub(crate) mod load;
mod lzf;
mod output;
pub(crate) mod payload;
pub(crate) mod save;
mod stream;
#[cfg(test)]
mod tests;
mod value;
mod ziplist;
mod zipmap;

use crc::{CRC_64_REDIS, Crc, Table};

use crate::keyspace::{LAST_FIELD_DEADLINE, Object};

/// The checksum of files and payloads, by tables: sixteen bytes a step, as a snapshot is summed
/// on one core while it is written.
static CHECKSUM: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// What a key holds, on its way out.
#[derive(Clone, Copy)]
pub(crate) enum Content<'c> {
    String(&'c [u8]),
    Object(&'c Object),
}

/// What a key holds, read from bytes.
pub(crate) enum Loaded<'b> {
    String(&'b [u8]),
    Object(Object),
}

/// The two versions that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// For Redis 7.0 and later, and Valkey.
    Ten,
    /// For Redis 7.4 and later: it can hold deadlines of a hash's fields, and when a stream's
    /// consumer was last active.
    Twelve,
}

impl Version {
    /// The version that a value needs.
    pub(crate) fn needed_for(object: &Object) -> Self {
        if object.earliest_deadline().is_some() { Self::Twelve } else { Self::Ten }
    }

    fn number(self) -> u16 {
        match self {
            Self::Ten => 10,
            Self::Twelve => 12,
        }
    }
}

/// The store's time and the Unix time in milliseconds, in which files keep deadlines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// The wall's time minus the store's.
    pub(crate) wall_offset: i64,
}

impl Times {
    fn unix(self, time: u64) -> i64 {
        (time as i64).saturating_add(self.wall_offset)
    }

    fn store(self, unix: i64) -> u64 {
        unix.saturating_sub(self.wall_offset).max(1) as u64
    }

    /// As [`unix`](Self::unix) for a field's deadline, which commands can only give within bounds.
    /// The wall's clock may have moved it out of them.
    fn unix_of_field(self, time: u64) -> i64 {
        self.unix(time).clamp(0, LAST_FIELD_DEADLINE)
    }

    /// As [`store`](Self::store) for a field's deadline. Valkey knows later ones.
    fn store_of_field(self, unix: i64) -> u64 {
        self.store(unix.min(LAST_FIELD_DEADLINE))
    }
}

/// The numbers of the types of values.
mod kind {
    pub(super) const STRING: u8 = 0;
    pub(super) const LIST: u8 = 1;
    pub(super) const SET: u8 = 2;
    pub(super) const SORTED_SET: u8 = 3;
    pub(super) const HASH: u8 = 4;
    pub(super) const SORTED_SET_2: u8 = 5;
    pub(super) const MODULE: u8 = 6;
    pub(super) const MODULE_2: u8 = 7;
    pub(super) const HASH_ZIPMAP: u8 = 9;
    pub(super) const LIST_ZIPLIST: u8 = 10;
    pub(super) const SET_INTSET: u8 = 11;
    pub(super) const SORTED_SET_ZIPLIST: u8 = 12;
    pub(super) const HASH_ZIPLIST: u8 = 13;
    pub(super) const LIST_QUICKLIST: u8 = 14;
    pub(super) const STREAM: u8 = 15;
    pub(super) const HASH_LISTPACK: u8 = 16;
    pub(super) const SORTED_SET_LISTPACK: u8 = 17;
    pub(super) const LIST_QUICKLIST_2: u8 = 18;
    pub(super) const STREAM_2: u8 = 19;
    pub(super) const SET_LISTPACK: u8 = 20;
    pub(super) const STREAM_3: u8 = 21;
    /// Of Redis 7.4 before its release, and of Valkey 9 in another layout.
    pub(super) const HASH_DATED_EARLY: u8 = 22;
    pub(super) const HASH_DATED_LISTPACK_EARLY: u8 = 23;
    pub(super) const HASH_DATED: u8 = 24;
    pub(super) const HASH_DATED_LISTPACK: u8 = 25;
    /// Of Redis 8.6: with what producers are known to have sent already.
    pub(super) const STREAM_4: u8 = 26;
    /// Of Redis 8.8: and with what consumers have given back.
    pub(super) const STREAM_5: u8 = 27;
}

/// Versions that are read: up to 10 of Redis 7.0, 11 of Redis 7.2 and Valkey before 9, 12 of Redis
/// 7.4 to 8.4, 13 of 8.6, 14 of 8.8, 15 of 8.10. They differ in what types there are, of which some
/// are refused.
const REDIS_VERSIONS: std::ops::RangeInclusive<u16> = 1..=15;
/// Versions of Valkey's own: 80 of 9.0 and 9.1, 81 of 9.2.
const VALKEY_VERSIONS: std::ops::RangeInclusive<u16> = 80..=81;
