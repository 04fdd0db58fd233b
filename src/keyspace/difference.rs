//! What tells two datasets apart, for tests that hold one against another.
//!
//! Everything that an operation can see counts, but for when a consumer was seen last, and how
//! structures are laid out. Times are compared as Unix times.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::object::Object;
use super::shard::Held;
use super::{Databases, Shard};
use crate::data::hash::Hash;
use crate::data::list::List;
use crate::data::set::Set;
use crate::data::sorted_set::SortedSet;
use crate::data::stream::{Direction, Group, Stream, StreamId};

/// The first thing found in which two datasets differ; `None` if they are equal.
pub(crate) fn first_difference(one: &Databases, other: &Databases) -> Option<String> {
    let sides = [one, other].map(described);
    let keys = sides.iter().flat_map(BTreeMap::keys);
    keys.filter(|key| sides[0].get(*key) != sides[1].get(*key)).min().map(|key| {
        let [one, other] = [0, 1].map(|side| sides[side].get(key));
        format!(
            "key \"{}\" of database {}:\n{one:#?}\nand\n{other:#?}",
            key.1.escape_ascii(),
            key.0
        )
    })
}

/// A key in a database.
type Place = (u16, Vec<u8>);

#[derive(Debug, PartialEq)]
#[allow(dead_code, reason = "read by comparing and by showing")]
struct Described {
    unix_ms: Option<i64>,
    value: Shown,
}

#[derive(Debug, PartialEq)]
#[allow(dead_code, reason = "read by comparing and by showing")]
enum Shown {
    Plain(Vec<Text>),
    Dated(BTreeMap<Text, (Text, Option<i64>)>),
    Stream { ids: (StreamId, StreamId, u64), entries: Vec<Text>, groups: Vec<ShownGroup> },
}

#[derive(Debug, PartialEq)]
#[allow(dead_code, reason = "read by comparing and by showing")]
struct ShownGroup {
    name: Text,
    last_delivered: StreamId,
    entries_read: Option<u64>,
    consumers: Vec<Text>,
    /// Id, consumer, Unix time, count.
    pending: Vec<(StreamId, Text, i64, u64)>,
}

/// Bytes, as people can read them.
type Text = String;

fn text(bytes: &[u8]) -> Text {
    bytes.escape_ascii().to_string()
}

fn described(databases: &Databases) -> BTreeMap<Place, Described> {
    let mut all = BTreeMap::new();
    for (database, shard) in databases.shards() {
        let shard: &Shard = &shard.read();
        for block in shard.blocks() {
            let value = match shard.held(block) {
                Held::String(block) => Shown::Plain(vec!["string".to_owned(), text(block.value())]),
                Held::Object(object) => shown(object, databases),
            };
            let unix_ms = block.deadline().map(|deadline| databases.unix_of(deadline));
            all.insert((database, block.key().to_vec()), Described { unix_ms, value });
        }
    }
    all
}

fn shown(object: &Object, databases: &Databases) -> Shown {
    match object {
        Object::List(list) => show_list(list),
        Object::Set(set) => show_set(set),
        Object::SortedSet(set) => show_sorted_set(set),
        Object::Hash(hash) => show_hash(hash, databases),
        Object::Stream(stream) => show_stream(stream, databases),
    }
}

fn show_list(list: &List) -> Shown {
    let elements = list.elements(0..list.len()).map(|element| text(&element));
    Shown::Plain(std::iter::once("list".to_owned()).chain(elements).collect())
}

fn show_set(set: &Set) -> Shown {
    let mut members: Vec<Text> = set.iter().map(|member| text(&member)).collect();
    members.sort();
    Shown::Plain(std::iter::once("set".to_owned()).chain(members).collect())
}

fn show_sorted_set(set: &SortedSet) -> Shown {
    let scored = set.entries(0..set.len());
    let scored = scored.map(|(member, score)| format!("{:?} {}", score.get(), text(member)));
    Shown::Plain(std::iter::once("sorted set".to_owned()).chain(scored).collect())
}

fn show_hash(hash: &Hash, databases: &Databases) -> Shown {
    let unix_of = |deadline| databases.unix_of(deadline);
    let fields = hash.live(None).iter();
    let pairs =
        fields.map(|field| (text(field.name), (text(field.bytes), field.deadline.map(unix_of))));
    Shown::Dated(pairs.collect())
}

fn show_stream(stream: &Stream, databases: &Databases) -> Shown {
    let entries = stream.range(StreamId::MIN..=StreamId::MAX, None, Direction::Forward);
    let entries = entries.iter().map(|entry| {
        let fields = entry.fields().map(|(name, value)| format!(" {}={}", text(name), text(value)));
        format!("{}{}", entry.id(), fields.collect::<String>())
    });
    let groups = stream.groups().map(|(name, group)| show_group(name, group, databases));
    Shown::Stream {
        ids: (stream.last_id(), stream.max_deleted_id(), stream.entries_added()),
        entries: entries.collect(),
        groups: groups.collect(),
    }
}

fn show_group(name: &[u8], group: &Group, databases: &Databases) -> ShownGroup {
    let pending = group.all_pending().map(|entry| {
        let unix_ms = databases.unix_of(entry.delivered_at);
        (entry.id, text(entry.consumer), unix_ms, entry.delivery_count)
    });
    ShownGroup {
        name: text(name),
        last_delivered: group.last_delivered(),
        entries_read: group.entries_read(),
        consumers: group.consumers().map(|consumer| text(consumer.name())).collect(),
        pending: pending.collect(),
    }
}
