//! The commands that say what was done to the keyspace: each effect as an operation that makes it
//! again, in that operation's own wire form.
//!
//! All of them load in Redis 7.0, but for the deadlines of fields, which are of 7.4. They do the
//! same at any later time: ids, scores and deadlines are absolute.

use std::borrow::Cow;

use super::args::Argv;
use super::command::Command;
use crate::codec::{Content, Times, payload};
use crate::data::list::ListEnd;
use crate::data::stream::{DeliveryTime, Precision, StreamId, TrimBound};
use crate::keyspace::effect::Effect;
use crate::keyspace::journal::Record;
use crate::keyspace::{LAST_FIELD_DEADLINE, Object};
use crate::ops::{dump, hash, keys, list, set, sorted_set, stream, stream_group, strings};

/// Ids of entries that one command names.
const CHUNK: usize = 1024;

/// Adds the command of an effect on a key to a record; those of consecutive effects of a kind may
/// become one.
pub(crate) fn spell(record: &mut Record, key: &[u8], effect: &Effect<'_>) {
    match *effect {
        Effect::Set { value, unix_ms } => {
            record.command(|argv| spell_set(argv, key, value, unix_ms));
        }
        _ => spell_other(record, key, effect),
    }
}

/// What is recorded less often: apart, as it takes more of the stack.
#[inline(never)]
fn spell_other(record: &mut Record, key: &[u8], effect: &Effect<'_>) {
    match *effect {
        Effect::Set { .. } => unreachable!("spelled by itself"),
        Effect::Append { tail } => add(record, &strings::Append { key, tail }),
        Effect::Overwrite { offset, bytes } => {
            add(record, &strings::SetRange { key, offset: offset as i64, bytes });
        }
        Effect::Put { object, unix_ms, wall_offset } => {
            put(record, key, object, unix_ms, Times { wall_offset });
        }
        Effect::SetField { .. }
        | Effect::ExpireField { .. }
        | Effect::PersistField { .. }
        | Effect::RemoveField { .. } => of_hash(record, key, effect),
        Effect::Push { .. }
        | Effect::Pop { .. }
        | Effect::SetElement { .. }
        | Effect::Insert { .. }
        | Effect::KeepElements { .. }
        | Effect::RemoveElements { .. } => of_list(record, key, effect),
        Effect::AddMember { member } => {
            add_variadic(record, 2, &set::Add { key, members: Cow::Borrowed(&[member]) });
        }
        Effect::RemoveMember { member } => {
            add_variadic(record, 2, &set::Remove { key, members: Cow::Borrowed(&[member]) });
        }
        Effect::SetScore { member, score } => {
            let entries = Cow::Borrowed(&[(score, member)][..]);
            let options = sorted_set::AddOptions::default();
            add_variadic(record, 2, &sorted_set::Add { key, options, entries });
        }
        Effect::RemoveScored { member } => {
            add_variadic(record, 2, &sorted_set::Remove { key, members: Cow::Borrowed(&[member]) });
        }
        Effect::RemoveRanks { start, end } => {
            add(record, &sorted_set::RemoveByRank { key, range: ranks(start, end) });
        }
        Effect::AddEntry { .. }
        | Effect::KeepEntries { .. }
        | Effect::DeleteEntry { .. }
        | Effect::SetIds { .. } => of_stream(record, key, effect),
        Effect::CreateGroup { .. }
        | Effect::DestroyGroup { .. }
        | Effect::SetGroupId { .. }
        | Effect::CreateConsumer { .. }
        | Effect::RemoveConsumer { .. }
        | Effect::Deliver { .. }
        | Effect::Acknowledge { .. } => of_group(record, key, effect),
        Effect::Clear
        | Effect::Swap { .. }
        | Effect::Delete
        | Effect::Expire { .. }
        | Effect::Persist
        | Effect::Rename { .. }
        | Effect::Move { .. }
        | Effect::Copy { .. } => of_key(record, key, effect),
    }
}

/// Adds a command by itself.
#[inline]
fn add<C: Command>(record: &mut Record, operation: &C) {
    record.command(|argv| write(argv, operation));
}

/// Adds a command, or what stands behind its first arguments to one like it.
#[inline]
fn add_variadic<C: Command>(record: &mut Record, shared: usize, operation: &C) {
    record.variadic(shared, |argv| write(argv, operation));
}

#[inline]
fn write<C: Command>(argv: &mut Argv, operation: &C) {
    argv.word(C::NAME);
    operation.encode(argv);
}

/// The arguments of the command that sets a key to a string.
#[inline(never)]
pub(crate) fn spell_set(argv: &mut Argv, key: &[u8], value: &[u8], unix_ms: Option<i64>) {
    let expiry = unix_ms.map_or(strings::Expiry::Never, |at| strings::Expiry::At(at.max(1)));
    let options = strings::SetOptions { expiry, ..strings::SetOptions::default() };
    write(argv, &strings::Set { key, value, options });
}

fn of_key(record: &mut Record, key: &[u8], effect: &Effect<'_>) {
    match *effect {
        Effect::Clear => add(record, &keys::Clear { mode: keys::ClearMode::Default }),
        Effect::Swap { one, other } => {
            let databases = (keys::DatabaseNumber(one), keys::DatabaseNumber(other));
            add(record, &keys::SwapDatabases { databases });
        }
        Effect::Delete => {
            add_variadic(record, 1, &keys::DeleteMany { keys: Cow::Borrowed(&[key]) });
        }
        Effect::Expire { unix_ms } => {
            let condition = keys::ExpireCondition::Always;
            add(record, &keys::ExpireAt { key, unix_millis: unix_ms, condition });
        }
        Effect::Persist => add(record, &keys::Persist { key }),
        Effect::Rename { to } => add(record, &keys::Rename { from: key, to }),
        Effect::Move { to } => add(record, &keys::Move { key, database: to }),
        Effect::Copy { to, database } => {
            let options = keys::CopyOptions { database: Some(database), replace: true };
            add(record, &keys::Copy { source: key, destination: to, options });
        }
        _ => unreachable!("no effect on a whole key"),
    }
}

/// A structure as `DUMP` has it.
fn put(record: &mut Record, key: &[u8], object: &Object, unix_ms: Option<i64>, times: Times) {
    let payload = payload::write(Content::Object(object), times);
    let options = dump::RestoreOptions { replace: true, absolute: true, uses: None };
    let lifetime = dump::RestoreLifetime(unix_ms.map_or(0, |at| at.max(1)));
    add(record, &dump::Restore { key, lifetime, payload: &payload, options });
}

fn of_hash(record: &mut Record, key: &[u8], effect: &Effect<'_>) {
    match *effect {
        Effect::SetField { field, value, unix_ms } => {
            add_variadic(record, 2, &hash::Set { key, pairs: Cow::Borrowed(&[(field, value)]) });
            if let Some(unix_ms) = unix_ms {
                of_hash(record, key, &Effect::ExpireField { field, unix_ms });
            }
        }
        Effect::ExpireField { field, unix_ms } => {
            let fields = Cow::Borrowed(&[field][..]);
            let expiring = hash::Expiring { fields, ..hash::Expiring::default() };
            // The wall's clock may have moved since the deadline was given.
            let unix_millis = unix_ms.clamp(0, LAST_FIELD_DEADLINE);
            add(record, &hash::ExpireAt { key, unix_millis, expiring });
        }
        Effect::PersistField { field } => {
            let fields = hash::FieldNames(Cow::Borrowed(&[field]));
            add(record, &hash::Persist { key, fields });
        }
        Effect::RemoveField { field } => {
            add_variadic(record, 2, &hash::Remove { key, fields: Cow::Borrowed(&[field]) });
        }
        _ => unreachable!("no effect on a hash"),
    }
}

fn of_list(record: &mut Record, key: &[u8], effect: &Effect<'_>) {
    match *effect {
        Effect::Push { end, element } => {
            let elements = Cow::Borrowed(&[element][..]);
            match end {
                ListEnd::Front => add_variadic(record, 2, &list::PushFront { key, elements }),
                ListEnd::Back => add_variadic(record, 2, &list::PushBack { key, elements }),
            }
        }
        Effect::Pop { end, count } => {
            let count = list::ElementCount((count > 1).then_some(count));
            match end {
                ListEnd::Front => add(record, &list::PopFront { key, count }),
                ListEnd::Back => add(record, &list::PopBack { key, count }),
            }
        }
        Effect::SetElement { index, element } => {
            add(record, &list::Set { key, index: index as i64, element });
        }
        Effect::Insert { side, pivot, element } => {
            add(record, &list::Insert { key, side, pivot, element });
        }
        Effect::KeepElements { start, end } => {
            add(record, &list::Trim { key, range: ranks(start, end) });
        }
        Effect::RemoveElements { element, count, end } => {
            let count = match end {
                ListEnd::Front => count as i64,
                ListEnd::Back => -(count as i64),
            };
            add(record, &list::Remove { key, count, element });
        }
        _ => unreachable!("no effect on a list"),
    }
}

/// The ranks from the first up to the end; if there are none, first and last are the wrong way
/// round in any list.
fn ranks(start: usize, end: usize) -> sorted_set::RankRange {
    match end > start {
        true => sorted_set::RankRange { start: start as i64, stop: end as i64 - 1 },
        false => sorted_set::RankRange { start: 1, stop: 0 },
    }
}

fn of_stream(record: &mut Record, key: &[u8], effect: &Effect<'_>) {
    match *effect {
        Effect::AddEntry { id, fields } => {
            let options = stream::AppendOptions::new().id(id);
            let fields = stream::FieldList(Cow::Borrowed(fields));
            add(record, &stream::Append { key, options, fields });
        }
        Effect::KeepEntries { length } => {
            let bound = TrimBound::MaxLen(length);
            let trim = stream::Trim { bound, precision: Precision::Exact };
            add(record, &stream::TrimTo { key, trim });
        }
        Effect::DeleteEntry { id } => {
            add_variadic(record, 2, &stream::Delete { key, ids: Cow::Borrowed(&[id]) });
        }
        Effect::SetIds { last_id, entries_added, max_deleted_id } => {
            let ids = stream::LastIds { last_id, entries_added, max_deleted_id };
            add(record, &stream::SetIds { key, ids });
        }
        _ => unreachable!("no effect on a stream's entries"),
    }
}

fn of_group(record: &mut Record, key: &[u8], effect: &Effect<'_>) {
    match *effect {
        Effect::CreateGroup { group, last_delivered, entries_read } => {
            let start = stream_group::GroupStart::After(last_delivered);
            let entries_read = stream_group::EntriesRead(entries_read);
            let options = stream_group::GroupOptions { create_stream: true, entries_read };
            add(record, &stream_group::CreateGroup { key, group, start, options });
        }
        Effect::DestroyGroup { group } => {
            add(record, &stream_group::DestroyGroup { key, group });
        }
        Effect::SetGroupId { group, last_delivered, entries_read } => {
            let start = stream_group::Position(stream_group::GroupStart::After(last_delivered));
            let entries_read = stream_group::EntriesRead(entries_read);
            add(record, &stream_group::SetGroupId { key, group, start, entries_read });
        }
        Effect::CreateConsumer { group, consumer } => {
            add(record, &stream_group::CreateConsumer { key, group, consumer });
        }
        Effect::RemoveConsumer { group, consumer } => {
            add(record, &stream_group::DeleteConsumer { key, group, consumer });
        }
        Effect::Deliver { group, consumer, ids, unix_ms, count } => {
            for ids in ids.chunks(CHUNK) {
                add(record, &delivery(key, group, consumer, ids, unix_ms, count));
            }
        }
        Effect::Acknowledge { group, id } => {
            add_variadic(record, 3, &stream_group::Ack { key, group, ids: Cow::Borrowed(&[id]) });
        }
        _ => unreachable!("no effect on a group"),
    }
}

/// A claim that makes entries pending whatever they were.
fn delivery<'a>(
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    ids: &'a [StreamId],
    unix_ms: i64,
    count: u64,
) -> stream_group::Claim<'a> {
    stream_group::Claim {
        key,
        group,
        consumer,
        min_idle: stream_group::Millis(0),
        ids: stream_group::ClaimedIds(Cow::Borrowed(ids)),
        options: stream_group::ClaimOptions {
            delivered: DeliveryTime::At(unix_ms.max(0) as u64),
            deliveries: Some(count),
            force: true,
            just_ids: true,
            last_id: None,
        },
    }
}
