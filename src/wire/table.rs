//! The table of all commands.

use super::args::Args;
use super::command::{Command, Context, Family};
use super::encoder::Encoder;
use super::sorted_set as zset_wire;
use super::{
    bitmap as bitmap_wire, counters as counters_wire, hash as hash_wire, keys as keys_wire,
    list as list_wire, sort as sort_wire, strings as strings_wire,
};
use crate::error::{Error, Result};
use crate::ops::{
    bitmap, counters, dump, encoding, hash, keys, list, pubsub, scan, set, sorted_set as zset,
    stream, stream_group, strings, subsequence, uses,
};
use crate::value::Value;

/// One command, as Redis names it.
pub(crate) struct Row {
    /// In capitals.
    pub(crate) name: &'static str,
    /// The number of arguments with the name; if negative, at least its absolute value.
    pub(crate) arity: i8,
    pub(crate) flags: u16,
    pub(crate) keys: KeyPositions,
    action: Action,
}

/// What becomes of a command's arguments.
enum Action {
    /// They form an operation.
    Execute(fn(&mut Args<'_>, &mut Context<'_, '_>, &mut Encoder<'_>) -> Result<()>),
    /// The first of them names one of these subcommands, whose rows are named `COMMAND|NAME`.
    Choose(&'static [Row]),
}

/// Where a command's keys stand among its arguments; the name is argument 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyPositions {
    None,
    /// From the first to the last (negative: counted from the end) in steps.
    Range {
        first: i8,
        last: i8,
        step: u8,
    },
    /// A count at this position, then as many keys; before them a destination, if any.
    Counted {
        count: u8,
        destination: Option<u8>,
    },
    /// A count at this position, then as many keys, each with a value.
    CountedPairs {
        count: u8,
    },
    /// The first half of what follows the word `STREAMS`, which stands at this position or behind.
    Streams {
        from: u8,
    },
    /// The first argument, and what follows the word `STORE`.
    FirstAndStored,
}

pub(crate) const WRITE: u16 = 1;
pub(crate) const READONLY: u16 = 1 << 1;
pub(crate) const DENYOOM: u16 = 1 << 2;
pub(crate) const FAST: u16 = 1 << 3;
pub(crate) const BLOCKING: u16 = 1 << 4;
pub(crate) const MOVABLE_KEYS: u16 = 1 << 5;

const NO_KEY: KeyPositions = KeyPositions::None;
const ONE_KEY: KeyPositions = KeyPositions::Range { first: 1, last: 1, step: 1 };
const TWO_KEYS: KeyPositions = KeyPositions::Range { first: 1, last: 2, step: 1 };
const ALL_KEYS: KeyPositions = KeyPositions::Range { first: 1, last: -1, step: 1 };
const KEYS_BEHIND_A_WORD: KeyPositions = KeyPositions::Range { first: 2, last: -1, step: 1 };
const COUNTED_PAIRS: KeyPositions = KeyPositions::CountedPairs { count: 1 };
const KEYS_THEN_TIMEOUT: KeyPositions = KeyPositions::Range { first: 1, last: -2, step: 1 };
const COUNTED_KEYS: KeyPositions = KeyPositions::Counted { count: 1, destination: None };
const TIMEOUT_THEN_COUNTED_KEYS: KeyPositions =
    KeyPositions::Counted { count: 2, destination: None };
const DESTINATION_THEN_COUNTED_KEYS: KeyPositions =
    KeyPositions::Counted { count: 2, destination: Some(1) };
const KEY_OF_SUBCOMMAND: KeyPositions = KeyPositions::Range { first: 2, last: 2, step: 1 };
const STREAMS: KeyPositions = KeyPositions::Streams { from: 1 };
const STREAMS_OF_GROUP: KeyPositions = KeyPositions::Streams { from: 4 };
const SORTED_AND_STORED: KeyPositions = KeyPositions::FirstAndStored;
const PAIRS: KeyPositions = KeyPositions::Range { first: 1, last: -1, step: 2 };

/// A row: the operation's own name and grammar, or another name with a grammar of its own.
macro_rules! row {
    ($operation:ty, $arity:literal, $flags:expr, $keys:expr) => {
        row!(<$operation as Command>::NAME, <$operation as Family>::parse, $arity, $flags, $keys)
    };
    ($name:expr, $parse:expr, $arity:literal, $flags:expr, $keys:expr) => {
        Row {
            name: $name,
            arity: $arity,
            flags: $flags,
            keys: $keys,
            action: Action::Execute(|args, context, encoder| {
                context.execute(&$parse(args)?, encoder)
            }),
        }
    };
    // Several operations under one name.
    ($name:literal by $execute:path, $arity:literal, $flags:expr, $keys:expr) => {
        Row {
            name: $name,
            arity: $arity,
            flags: $flags,
            keys: $keys,
            action: Action::Execute($execute),
        }
    };
    // A command of subcommands.
    ($name:literal of $subcommands:expr) => {
        Row { name: $name, arity: -2, flags: 0, keys: NO_KEY, action: Action::Choose($subcommands) }
    };
}

/// All commands, by group.
pub(crate) static COMMANDS: &[Row] = &[
    // Strings.
    row!(strings::Get, 2, READONLY | FAST, ONE_KEY),
    row!(strings::GetMany, -2, READONLY | FAST, ALL_KEYS),
    row!(strings::Length, 2, READONLY | FAST, ONE_KEY),
    row!(strings::GetRange, 4, READONLY, ONE_KEY),
    row!("SUBSTR", <strings::GetRange as Family>::parse, 4, READONLY, ONE_KEY),
    row!(strings::Set, -3, WRITE | DENYOOM, ONE_KEY),
    row!(strings::SetIfAbsent, 3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!("SETEX", strings_wire::parse_set_seconds, 4, WRITE | DENYOOM, ONE_KEY),
    row!("PSETEX", strings_wire::parse_set_millis, 4, WRITE | DENYOOM, ONE_KEY),
    row!("GETSET", strings_wire::parse_get_set, 3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(strings::GetAndDelete, 2, WRITE | FAST, ONE_KEY),
    row!(strings::GetAndExpire, -2, WRITE | FAST, ONE_KEY),
    row!("MSET", strings_wire::parse_set_many, -3, WRITE | DENYOOM, PAIRS),
    row!("MSETNX", strings_wire::parse_set_many_if_absent, -3, WRITE | DENYOOM, PAIRS),
    row!(strings::SetManyWith, -4, WRITE | DENYOOM | MOVABLE_KEYS, COUNTED_PAIRS),
    row!(strings::Append, 3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(strings::SetRange, 4, WRITE | DENYOOM, ONE_KEY),
    row!(strings::DeleteIf, -2, WRITE | FAST, ONE_KEY),
    row!(subsequence::FindCommon, -3, READONLY, TWO_KEYS),
    row!("INCR", counters_wire::parse_increment, 2, WRITE | DENYOOM | FAST, ONE_KEY),
    row!("DECR", counters_wire::parse_decrement, 2, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(counters::Increment, 3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!("DECRBY", counters_wire::parse_decrement_by, 3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(counters::IncrementFloat, 3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(counters::IncrementWith, -2, WRITE | DENYOOM | FAST, ONE_KEY),
    // Bitmaps.
    row!(bitmap::SetBit, 4, WRITE | DENYOOM, ONE_KEY),
    row!(bitmap::GetBit, 3, READONLY | FAST, ONE_KEY),
    row!(bitmap::Count, -2, READONLY, ONE_KEY),
    row!("BITPOS", bitmap_wire::parse_position, -3, READONLY, ONE_KEY),
    row!(bitmap::Combine, -4, WRITE | DENYOOM, KEYS_BEHIND_A_WORD),
    row!(bitmap::Fields, -2, WRITE | DENYOOM, ONE_KEY),
    row!(bitmap::ReadFields, -2, READONLY | FAST, ONE_KEY),
    // Publish and subscribe.
    row!(pubsub::Publish, 3, FAST, NO_KEY),
    row!("PUBSUB" of PUBSUB),
    // Keys.
    row!(keys::DeleteMany, -2, WRITE, ALL_KEYS),
    row!("UNLINK", <keys::DeleteMany as Family>::parse, -2, WRITE | FAST, ALL_KEYS),
    row!(keys::ExistMany, -2, READONLY | FAST, ALL_KEYS),
    row!(keys::Touch, -2, READONLY | FAST, ALL_KEYS),
    row!(keys::TypeOf, 2, READONLY | FAST, ONE_KEY),
    row!("OBJECT" of OBJECT),
    row!("EXPIRE", keys_wire::parse_expire_seconds, -3, WRITE | FAST, ONE_KEY),
    row!("PEXPIRE", keys_wire::parse_expire_millis, -3, WRITE | FAST, ONE_KEY),
    row!("EXPIREAT", keys_wire::parse_expire_at_seconds, -3, WRITE | FAST, ONE_KEY),
    row!("PEXPIREAT", keys_wire::parse_expire_at_millis, -3, WRITE | FAST, ONE_KEY),
    row!(keys::SecondsLeft, 2, READONLY | FAST, ONE_KEY),
    row!(keys::TimeLeft, 2, READONLY | FAST, ONE_KEY),
    row!(keys::DeadlineSeconds, 2, READONLY | FAST, ONE_KEY),
    row!(keys::Deadline, 2, READONLY | FAST, ONE_KEY),
    row!(keys::Persist, 2, WRITE | FAST, ONE_KEY),
    row!(keys::Rename, 3, WRITE, TWO_KEYS),
    row!(keys::RenameIfAbsent, 3, WRITE | FAST, TWO_KEYS),
    row!(dump::Dump, 2, READONLY, ONE_KEY),
    row!(dump::Restore, -4, WRITE | DENYOOM, ONE_KEY),
    row!(keys::Copy, -3, WRITE | DENYOOM, TWO_KEYS),
    row!(keys::Move, 3, WRITE | FAST, ONE_KEY),
    row!(keys::Count, 1, READONLY | FAST, NO_KEY),
    row!(keys::Clear, -1, WRITE, NO_KEY),
    row!(keys::ClearAll, -1, WRITE, NO_KEY),
    row!(keys::SwapDatabases, 3, WRITE | FAST, NO_KEY),
    row!(scan::Scan, -2, READONLY, NO_KEY),
    row!(scan::Matching, 2, READONLY, NO_KEY),
    row!(scan::RandomKey, 1, READONLY, NO_KEY),
    // Lists.
    row!(list::PushFront, -3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(list::PushBack, -3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(list::PushFrontIfPresent, -3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(list::PushBackIfPresent, -3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!("LPOP", list_wire::parse_pop_front, -2, WRITE | FAST, ONE_KEY),
    row!("RPOP", list_wire::parse_pop_back, -2, WRITE | FAST, ONE_KEY),
    row!(list::Length, 2, READONLY | FAST, ONE_KEY),
    row!(list::Get, 3, READONLY, ONE_KEY),
    row!(list::GetRange, 4, READONLY, ONE_KEY),
    row!(list::Find, -3, READONLY, ONE_KEY),
    row!(list::Set, 4, WRITE | DENYOOM, ONE_KEY),
    row!(list::Insert, 5, WRITE | DENYOOM, ONE_KEY),
    row!(list::Remove, 4, WRITE, ONE_KEY),
    row!(list::Trim, 4, WRITE, ONE_KEY),
    row!(list::Move, 5, WRITE | DENYOOM, TWO_KEYS),
    row!("RPOPLPUSH", list_wire::parse_pop_push, 3, WRITE | DENYOOM, TWO_KEYS),
    row!(list::PopMany, -4, WRITE | MOVABLE_KEYS, COUNTED_KEYS),
    row!(list::BlockingPopFront, -3, WRITE | BLOCKING, KEYS_THEN_TIMEOUT),
    row!(list::BlockingPopBack, -3, WRITE | BLOCKING, KEYS_THEN_TIMEOUT),
    row!(list::BlockingMove, 6, WRITE | DENYOOM | BLOCKING, TWO_KEYS),
    row!("BRPOPLPUSH", list_wire::parse_pop_push_blocking, 4, WRITE | DENYOOM | BLOCKING, TWO_KEYS),
    row!(list::BlockingPopMany, -5, WRITE | BLOCKING | MOVABLE_KEYS, TIMEOUT_THEN_COUNTED_KEYS),
    row!("SORT" by sort_wire::execute_sort, -2, WRITE | DENYOOM | MOVABLE_KEYS, SORTED_AND_STORED),
    row!("SORT_RO", sort_wire::parse_read_only, -2, READONLY | MOVABLE_KEYS, ONE_KEY),
    // Sorted sets.
    row!(zset::Add, -4, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(zset::Increment, 4, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(zset::Length, 2, READONLY | FAST, ONE_KEY),
    row!(zset::CountByScore, 4, READONLY | FAST, ONE_KEY),
    row!(zset::CountByMember, 4, READONLY | FAST, ONE_KEY),
    row!(zset::GetScore, 3, READONLY | FAST, ONE_KEY),
    row!(zset::GetScores, -3, READONLY | FAST, ONE_KEY),
    row!(zset::Rank, -3, READONLY | FAST, ONE_KEY),
    row!(zset::RankDescending, -3, READONLY | FAST, ONE_KEY),
    row!(zset::GetRange, -4, READONLY, ONE_KEY),
    row!("ZREVRANGE", zset_wire::parse_range_reversed, -4, READONLY, ONE_KEY),
    row!("ZRANGEBYSCORE", zset_wire::parse_range_by_score, -4, READONLY, ONE_KEY),
    row!("ZREVRANGEBYSCORE", zset_wire::parse_range_by_score_reversed, -4, READONLY, ONE_KEY),
    row!("ZRANGEBYLEX", zset_wire::parse_range_by_member, -4, READONLY, ONE_KEY),
    row!("ZREVRANGEBYLEX", zset_wire::parse_range_by_member_reversed, -4, READONLY, ONE_KEY),
    row!(zset::StoreRange, -5, WRITE | DENYOOM, TWO_KEYS),
    row!(zset::Remove, -3, WRITE | FAST, ONE_KEY),
    row!(zset::RemoveByRank, 4, WRITE, ONE_KEY),
    row!(zset::RemoveByScore, 4, WRITE, ONE_KEY),
    row!(zset::RemoveByMember, 4, WRITE, ONE_KEY),
    row!(zset::PopMin, -2, WRITE | FAST, ONE_KEY),
    row!(zset::PopMax, -2, WRITE | FAST, ONE_KEY),
    row!(zset::BlockingPopMin, -3, WRITE | FAST | BLOCKING, KEYS_THEN_TIMEOUT),
    row!(zset::BlockingPopMax, -3, WRITE | FAST | BLOCKING, KEYS_THEN_TIMEOUT),
    row!(zset::PopMany, -4, WRITE | MOVABLE_KEYS, COUNTED_KEYS),
    row!(zset::BlockingPopMany, -5, WRITE | BLOCKING | MOVABLE_KEYS, TIMEOUT_THEN_COUNTED_KEYS),
    row!(zset::Union, -3, READONLY | MOVABLE_KEYS, COUNTED_KEYS),
    row!(zset::Intersection, -3, READONLY | MOVABLE_KEYS, COUNTED_KEYS),
    row!(zset::Difference, -3, READONLY | MOVABLE_KEYS, COUNTED_KEYS),
    row!(zset::StoreUnion, -4, WRITE | DENYOOM | MOVABLE_KEYS, DESTINATION_THEN_COUNTED_KEYS),
    row!(
        zset::StoreIntersection,
        -4,
        WRITE | DENYOOM | MOVABLE_KEYS,
        DESTINATION_THEN_COUNTED_KEYS
    ),
    row!(zset::StoreDifference, -4, WRITE | DENYOOM | MOVABLE_KEYS, DESTINATION_THEN_COUNTED_KEYS),
    row!(zset::CountIntersection, -3, READONLY | MOVABLE_KEYS, COUNTED_KEYS),
    row!(zset::RandomMembers, -2, READONLY, ONE_KEY),
    row!(zset::ScanMembers, -3, READONLY, ONE_KEY),
    // Hashes.
    row!("HSET", hash_wire::parse_set, -4, WRITE | DENYOOM | FAST, ONE_KEY),
    row!("HMSET", hash_wire::parse_set_many, -4, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(hash::SetIfAbsent, 4, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(hash::Get, 3, READONLY | FAST, ONE_KEY),
    row!(hash::GetMany, -3, READONLY | FAST, ONE_KEY),
    row!(hash::GetAll, 2, READONLY, ONE_KEY),
    row!(hash::Names, 2, READONLY, ONE_KEY),
    row!(hash::Values, 2, READONLY, ONE_KEY),
    row!(hash::Length, 2, READONLY | FAST, ONE_KEY),
    row!(hash::ValueLength, 3, READONLY | FAST, ONE_KEY),
    row!(hash::Exists, 3, READONLY | FAST, ONE_KEY),
    row!(hash::Remove, -3, WRITE | FAST, ONE_KEY),
    row!("HINCRBY", hash_wire::parse_increment, 4, WRITE | DENYOOM | FAST, ONE_KEY),
    row!("HINCRBYFLOAT", hash_wire::parse_increment_float, 4, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(hash::RandomFields, -2, READONLY, ONE_KEY),
    row!(hash::ScanFields, -3, READONLY, ONE_KEY),
    row!("HEXPIRE", hash_wire::parse_expire_seconds, -6, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(hash::ExpireIn, -6, WRITE | DENYOOM | FAST, ONE_KEY),
    row!("HEXPIREAT", hash_wire::parse_expire_at_seconds, -6, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(hash::ExpireAt, -6, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(hash::SecondsLeft, -5, READONLY | FAST, ONE_KEY),
    row!(hash::TimeLeft, -5, READONLY | FAST, ONE_KEY),
    row!(hash::DeadlineSeconds, -5, READONLY | FAST, ONE_KEY),
    row!(hash::Deadline, -5, READONLY | FAST, ONE_KEY),
    row!(hash::Persist, -5, WRITE | FAST, ONE_KEY),
    row!(hash::GetAndExpire, -5, WRITE | FAST, ONE_KEY),
    row!(hash::GetAndDelete, -5, WRITE | FAST, ONE_KEY),
    row!(hash::SetWith, -6, WRITE | DENYOOM | FAST, ONE_KEY),
    // Sets.
    row!(set::Add, -3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(set::Remove, -3, WRITE | FAST, ONE_KEY),
    row!(set::Move, 4, WRITE | FAST, TWO_KEYS),
    row!(set::All, 2, READONLY, ONE_KEY),
    row!(set::Length, 2, READONLY | FAST, ONE_KEY),
    row!(set::Contains, 3, READONLY | FAST, ONE_KEY),
    row!(set::ContainsMany, -3, READONLY | FAST, ONE_KEY),
    row!(set::Pop, -2, WRITE | FAST, ONE_KEY),
    row!(set::RandomMembers, -2, READONLY, ONE_KEY),
    row!(set::ScanMembers, -3, READONLY, ONE_KEY),
    row!(set::Union, -2, READONLY, ALL_KEYS),
    row!(set::Intersection, -2, READONLY, ALL_KEYS),
    row!(set::Difference, -2, READONLY, ALL_KEYS),
    row!(set::StoreUnion, -3, WRITE | DENYOOM, ALL_KEYS),
    row!(set::StoreIntersection, -3, WRITE | DENYOOM, ALL_KEYS),
    row!(set::StoreDifference, -3, WRITE | DENYOOM, ALL_KEYS),
    row!(set::CountIntersection, -3, READONLY | MOVABLE_KEYS, COUNTED_KEYS),
    // Streams.
    row!(stream::Append, -5, WRITE | DENYOOM | FAST, ONE_KEY),
    row!(stream::Length, 2, READONLY | FAST, ONE_KEY),
    row!(stream::Range, -4, READONLY, ONE_KEY),
    row!(stream::RangeReversed, -4, READONLY, ONE_KEY),
    row!(stream::Read, -4, READONLY | BLOCKING | MOVABLE_KEYS, STREAMS),
    row!(stream::Delete, -3, WRITE | FAST, ONE_KEY),
    row!(stream::DeleteReferenced, -5, WRITE | FAST, ONE_KEY),
    row!(stream::TrimTo, -4, WRITE, ONE_KEY),
    row!(stream::SetIds, -3, WRITE | DENYOOM | FAST, ONE_KEY),
    row!("XINFO" of STREAM_INFO),
    row!("XGROUP" of STREAM_GROUP),
    row!(stream_group::ReadGroup, -7, WRITE | BLOCKING | MOVABLE_KEYS, STREAMS_OF_GROUP),
    row!(stream_group::Ack, -4, WRITE | FAST, ONE_KEY),
    row!(stream_group::AckDelete, -6, WRITE | FAST, ONE_KEY),
    row!("XPENDING" by super::stream_group::execute_pending, -3, READONLY, ONE_KEY),
    row!(stream_group::Claim, -6, WRITE | FAST, ONE_KEY),
    row!(stream_group::Autoclaim, -6, WRITE | FAST, ONE_KEY),
];

static PUBSUB: &[Row] = &[
    row!("PUBSUB|CHANNELS", pubsub::ActiveChannels::parse, -2, 0, NO_KEY),
    row!("PUBSUB|NUMSUB", pubsub::SubscriberCounts::parse, -2, 0, NO_KEY),
    row!("PUBSUB|NUMPAT", pubsub::PatternCount::parse, 2, 0, NO_KEY),
];

static OBJECT: &[Row] = &[
    row!("OBJECT|ENCODING", encoding::EncodingOf::parse, 3, READONLY, KEY_OF_SUBCOMMAND),
    row!("OBJECT|FREQ", uses::Frequency::parse, 3, READONLY, KEY_OF_SUBCOMMAND),
    row!("OBJECT|IDLETIME", uses::IdleTime::parse, 3, READONLY, KEY_OF_SUBCOMMAND),
    row!("OBJECT|REFCOUNT", uses::ReferenceCount::parse, 3, READONLY, KEY_OF_SUBCOMMAND),
    row!("OBJECT|HELP" by keys_wire::object_help, 2, 0, NO_KEY),
];

static STREAM_INFO: &[Row] = &[
    row!("XINFO|STREAM" by super::stream::execute_info, -3, READONLY, KEY_OF_SUBCOMMAND),
    row!("XINFO|GROUPS", stream_group::ListGroups::parse, 3, READONLY, KEY_OF_SUBCOMMAND),
    row!("XINFO|CONSUMERS", stream_group::ListConsumers::parse, 4, READONLY, KEY_OF_SUBCOMMAND),
    row!("XINFO|HELP" by super::stream::info_help, 2, 0, NO_KEY),
];

static STREAM_GROUP: &[Row] = &[
    row!("XGROUP|CREATE", stream_group::CreateGroup::parse, -5, WRITE | DENYOOM, KEY_OF_SUBCOMMAND),
    row!("XGROUP|SETID", stream_group::SetGroupId::parse, -5, WRITE, KEY_OF_SUBCOMMAND),
    row!("XGROUP|DESTROY", stream_group::DestroyGroup::parse, 4, WRITE, KEY_OF_SUBCOMMAND),
    row!(
        "XGROUP|CREATECONSUMER",
        stream_group::CreateConsumer::parse,
        5,
        WRITE | DENYOOM,
        KEY_OF_SUBCOMMAND
    ),
    row!("XGROUP|DELCONSUMER", stream_group::DeleteConsumer::parse, 5, WRITE, KEY_OF_SUBCOMMAND),
    row!("XGROUP|HELP" by super::stream_group::group_help, 2, 0, NO_KEY),
];

impl Row {
    /// Parses the arguments behind the name and does with the command what `context` says.
    ///
    /// # Errors
    ///
    /// [`Error::Arity`] if there are too few or too many arguments, and whatever the grammar or
    /// the operation refuses.
    pub(crate) fn execute(
        &self,
        arguments: &[&[u8]],
        context: &mut Context<'_, '_>,
        encoder: &mut Encoder<'_>,
    ) -> Result<()> {
        let given = arguments.len() + 1;
        let wanted = usize::from(self.arity.unsigned_abs());
        let fits = if self.arity < 0 { given >= wanted } else { given == wanted };
        if !fits {
            return Err(Error::Arity(self.name));
        }
        let given = || Value::from(arguments.first().copied().unwrap_or_default());
        let outcome = match self.action {
            Action::Execute(execute) => execute(&mut Args::new(arguments), context, encoder),
            Action::Choose(_) => {
                let subcommand = arguments.first().and_then(|given| self.subcommand(given));
                let unknown = || Error::UnknownSubcommand { command: self.name, given: given() };
                subcommand.ok_or_else(unknown)?.execute(arguments, context, encoder)
            }
        };
        outcome.map_err(|error| match error {
            // As it was sent, whatever its case.
            Error::SubcommandOptions { command, .. } => {
                Error::SubcommandOptions { command, given: given() }
            }
            other => other,
        })
    }

    /// The rows of its subcommands, if it is a command of these.
    pub(crate) fn subcommands(&self) -> &'static [Row] {
        match self.action {
            Action::Choose(rows) => rows,
            Action::Execute(_) => &[],
        }
    }

    /// The row of a subcommand, in any case; its arity and key positions count from the command.
    pub(crate) fn subcommand(&self, name: &[u8]) -> Option<&'static Row> {
        let Action::Choose(rows) = self.action else { return None };
        let named = |row: &&Row| {
            let (_, own) = row.name.split_once('|').unwrap_or_default();
            own.as_bytes().eq_ignore_ascii_case(name)
        };
        rows.iter().find(named)
    }
}

/// The row of a name, in any case.
pub(crate) fn find(name: &[u8]) -> Option<&'static Row> {
    use std::collections::HashMap;
    use std::sync::LazyLock;

    static BY_NAME: LazyLock<HashMap<&'static [u8], &'static Row, ahash::RandomState>> =
        LazyLock::new(|| COMMANDS.iter().map(|row| (row.name.as_bytes(), row)).collect());
    const LONGEST: usize = 32;
    let mut capitals = [0; LONGEST];
    let capitals = capitals.get_mut(..name.len())?;
    capitals.copy_from_slice(name);
    capitals.make_ascii_uppercase();
    BY_NAME.get(&*capitals).copied()
}
