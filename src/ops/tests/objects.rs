//! Random changes of structures under keys, after each of which every shard is checked with all
//! that it holds. What the operations answer is compared elsewhere; here the books must balance.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{
    AppendOptions, Error, GroupStart, ManualClock, References, Result, Store, StreamId, Trim,
};

#[derive(Clone, Debug)]
enum Op {
    Add(Vec<(u16, i8)>),
    Remove(Vec<u16>),
    PopMin(usize),
    RemoveByRank(i64, i64),
    StoreUnion(u8),
    Append(u8),
    DeleteEntries(Vec<u64>, References),
    Trim(usize),
    CreateGroup,
    Read(u8, usize),
    AckAndDelete(Vec<u64>),
    Claim(u8, usize),
    DeleteConsumer(u8),
    DestroyGroup,
    SetString,
    Expire(u64),
    Rename(u8),
    Copy(u8),
    Delete,
}

fn op() -> impl Strategy<Value = Op> {
    let ids = || vec(1..60u64, 1..6);
    let key = || 0..4u8;
    let references = prop_oneof![Just(References::Keep), Just(References::Delete)];
    prop_oneof![
        4 => vec((0..300u16, any::<i8>()), 1..80).prop_map(Op::Add),
        2 => vec(0..300u16, 1..20).prop_map(Op::Remove),
        1 => (0..30usize).prop_map(Op::PopMin),
        1 => (-40..40i64, -40..40i64).prop_map(|(start, stop)| Op::RemoveByRank(start, stop)),
        1 => key().prop_map(Op::StoreUnion),
        6 => any::<u8>().prop_map(Op::Append),
        2 => (ids(), references).prop_map(|(ids, references)| Op::DeleteEntries(ids, references)),
        1 => (0..30usize).prop_map(Op::Trim),
        3 => Just(Op::CreateGroup),
        4 => (0..3u8, 1..9usize).prop_map(|(consumer, count)| Op::Read(consumer, count)),
        2 => ids().prop_map(Op::AckAndDelete),
        2 => (0..3u8, 1..9usize).prop_map(|(consumer, count)| Op::Claim(consumer, count)),
        1 => (0..3u8).prop_map(Op::DeleteConsumer),
        1 => Just(Op::DestroyGroup),
        1 => Just(Op::SetString),
        1 => (0..60u64).prop_map(Op::Expire),
        1 => key().prop_map(Op::Rename),
        1 => key().prop_map(Op::Copy),
        1 => Just(Op::Delete),
    ]
}

fn name(key: u8) -> String {
    format!("key {key}")
}

fn ids(numbers: &[u64]) -> Vec<StreamId> {
    numbers.iter().map(|n| StreamId::new(*n, 0)).collect()
}

fn apply(store: &Store, key: u8, op: &Op) -> Result<()> {
    let key = &name(key);
    let (keys, set, stream) = (store.keys(), store.sorted_set(key), store.stream(key));
    let group = stream.group("group");
    match op {
        Op::Add(entries) => {
            let scored = entries.iter().map(|(member, score)| (*member, f64::from(*score)));
            set.add_many(&scored.collect::<Vec<_>>()).map(drop)
        }
        Op::Remove(members) => set.remove_many(members).map(drop),
        Op::PopMin(count) => set.pop_min_many(*count).map(drop),
        Op::RemoveByRank(start, stop) => set.remove_by_rank(*start..=*stop).map(drop),
        Op::StoreUnion(other) => {
            store.sorted_sets().union(&[key, &name(*other)]).store_into(key).map(drop)
        }
        Op::Append(length) => {
            let text = "x".repeat(usize::from(*length));
            let next = stream.last_id().map_or(1, |last| last.ms + 1);
            let options = AppendOptions::new().id(StreamId::new(next, 0));
            stream.append_with(&[("field", text)], options).map(drop)
        }
        Op::DeleteEntries(numbers, references) => {
            stream.delete_with(&ids(numbers), *references).map(drop)
        }
        Op::Trim(keep) => stream.trim(Trim::max_len(*keep)).map(drop),
        Op::CreateGroup => group.create(GroupStart::Beginning),
        Op::Read(consumer, count) => group.consumer(&name(*consumer)).read(*count).map(drop),
        Op::AckAndDelete(numbers) => {
            group.ack_and_delete(&ids(numbers), References::Keep).map(drop)
        }
        Op::Claim(consumer, count) => {
            let consumer = name(*consumer);
            let consumer = group.consumer(&consumer);
            consumer.autoclaim(Duration::from_millis(5), StreamId::MIN, *count).map(drop)
        }
        Op::DeleteConsumer(consumer) => group.consumer(&name(*consumer)).delete().map(drop),
        Op::DestroyGroup => group.destroy().map(drop),
        Op::SetString => store.kv().set(key, "text"),
        Op::Expire(millis) => keys.expire(key, Duration::from_millis(*millis)).map(drop),
        Op::Rename(to) => keys.rename(key, name(*to)).map(drop),
        Op::Copy(to) => keys.copy(key, name(*to)).map(drop),
        Op::Delete => keys.delete(key).map(drop),
    }
}

/// What may be wrong with an operation on a key picked at random.
fn is_expected(error: &Error) -> bool {
    use Error::*;
    matches!(
        error,
        WrongType | NoSuchKey | NoSuchStream | NoGroup { .. } | GroupExists | SameObject
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 96 }))]

    #[test]
    fn the_books_of_structures_balance(
        steps in vec((0..4u8, op(), 0..8u64), 1..80),
    ) {
        let clock = ManualClock::new();
        let store = Store::builder().clock(&clock).build();
        for (key, op, elapsed) in &steps {
            clock.advance(Duration::from_millis(*elapsed));
            if let Err(error) = apply(&store, *key, op) {
                prop_assert!(is_expected(&error), "{op:?}: {error}");
            }
            let databases = store.databases();
            for (_, shard) in databases.shards() {
                shard.read().check(databases.hasher());
            }
        }
    }
}
