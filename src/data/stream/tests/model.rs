//! The stream held against maps that anyone can see to be right.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use super::everything;

type Fields = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Default)]
struct Model {
    entries: BTreeMap<StreamId, Fields>,
    last_id: StreamId,
    max_deleted_id: StreamId,
    added: u64,
    groups: BTreeMap<Vec<u8>, ModelGroup>,
}

#[derive(Default)]
struct ModelGroup {
    last_delivered: StreamId,
    /// Consumer, delivered at, delivery count.
    pending: BTreeMap<StreamId, (Vec<u8>, u64, u64)>,
    /// Seen at, active at.
    consumers: BTreeMap<Vec<u8>, (u64, Option<u64>)>,
}

#[derive(Debug, Clone)]
enum Op {
    Append { step: StreamId, fields: Fields, times: usize },
    Remove(usize),
    Delete { pick: usize, references: References },
    TrimMaxLen { keep: usize, precision: Precision },
    TrimMinId { pick: usize, precision: Precision },
    SetIds { ahead: u64 },
    CreateGroup(u8),
    DestroyGroup(u8),
    OnGroup(u8, GroupOp),
}

#[derive(Debug, Clone)]
enum GroupOp {
    SetId(usize),
    CreateConsumer(u8),
    RemoveConsumer(u8),
    Deliver { consumer: u8, limit: usize, acknowledge: Acknowledge },
    History { consumer: u8, after: usize, limit: usize },
    Ack(usize),
    AckAndDelete(usize, References),
    Claim { consumer: u8, picks: Vec<usize>, min_idle_ms: u64, force: bool, just_ids: bool },
    Autoclaim { consumer: u8, start: usize, min_idle_ms: u64, limit: usize },
}

fn fields() -> impl Strategy<Value = Fields> {
    let value = prop_oneof![
        8 => vec(any::<u8>(), 0..20),
        2 => (any::<i64>(), 0..63u32).prop_map(|(n, shift)| (n >> shift).to_string().into_bytes()),
        1 => vec(any::<u8>(), 100..300),
        1 => Just(vec![b'x'; 5000]),
    ];
    let usual = (value.clone(), value.clone());
    prop_oneof![
        6 => usual.prop_map(|(a, b)| vec![(b"ab".to_vec(), a), (b"c".to_vec(), b)]),
        2 => vec((vec(any::<u8>(), 0..4), value), 1..4),
    ]
}

fn references() -> impl Strategy<Value = References> {
    prop_oneof![Just(References::Keep), Just(References::Delete), Just(References::Acknowledged)]
}

fn precision() -> impl Strategy<Value = Precision> {
    let limit = prop_oneof![Just(None), (0..200usize).prop_map(Some)];
    prop_oneof![Just(Precision::Exact), limit.prop_map(|limit| Precision::Approximate { limit })]
}

fn group_op() -> impl Strategy<Value = GroupOp> {
    let pick = any::<usize>();
    let consumer = 0..3u8;
    let acknowledge = prop_oneof![4 => Just(Acknowledge::Later), 1 => Just(Acknowledge::Never)];
    let idle = prop_oneof![Just(0u64), 1..40u64];
    prop_oneof![
        1 => pick.prop_map(GroupOp::SetId),
        1 => consumer.clone().prop_map(GroupOp::CreateConsumer),
        1 => consumer.clone().prop_map(GroupOp::RemoveConsumer),
        6 => (consumer.clone(), 0..40usize, acknowledge).prop_map(
            |(consumer, limit, acknowledge)| GroupOp::Deliver { consumer, limit, acknowledge }
        ),
        2 => (consumer.clone(), pick, 0..20usize)
            .prop_map(|(consumer, after, limit)| GroupOp::History { consumer, after, limit }),
        3 => pick.prop_map(GroupOp::Ack),
        2 => (pick, references())
            .prop_map(|(pick, references)| GroupOp::AckAndDelete(pick, references)),
        3 => (consumer.clone(), vec(pick, 1..4), idle.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(consumer, picks, min_idle_ms, force, just_ids)| GroupOp::Claim {
                consumer, picks, min_idle_ms, force, just_ids
            }),
        2 => (consumer, pick, idle, 1..20usize).prop_map(|(consumer, start, min_idle_ms, limit)| {
            GroupOp::Autoclaim { consumer, start, min_idle_ms, limit }
        }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let pick = any::<usize>();
    let step = prop_oneof![
        (1..3u64).prop_map(|ms| StreamId::new(ms, 0)),
        (1..3u64).prop_map(|seq| StreamId::new(0, seq)),
        (0..300u64, 1..300u64).prop_map(|(ms, seq)| StreamId::new(ms, seq)),
        Just(StreamId::new(1 << 40, 1 << 40)),
    ];
    prop_oneof![
        6 => (step, fields(), 1..60usize)
            .prop_map(|(step, fields, times)| Op::Append { step, fields, times }),
        4 => pick.prop_map(Op::Remove),
        2 => (pick, references()).prop_map(|(pick, references)| Op::Delete { pick, references }),
        1 => (0..150usize, precision())
            .prop_map(|(keep, precision)| Op::TrimMaxLen { keep, precision }),
        1 => (pick, precision()).prop_map(|(pick, precision)| Op::TrimMinId { pick, precision }),
        1 => (0..5u64).prop_map(|ahead| Op::SetIds { ahead }),
        2 => (0..2u8).prop_map(Op::CreateGroup),
        1 => (0..2u8).prop_map(Op::DestroyGroup),
        14 => (0..2u8, group_op()).prop_map(|(group, op)| Op::OnGroup(group, op)),
    ]
}

/// Some id: mostly one that is or was in the stream.
fn picked(model: &Model, pick: usize) -> StreamId {
    let group = model.groups.values().next();
    let pending = group.into_iter().flat_map(|group| group.pending.keys());
    let known: Vec<StreamId> = model.entries.keys().chain(pending).copied().collect();
    match pick % (known.len() + 1) {
        0 => StreamId::new(pick as u64 % 50, 0),
        n => known[n - 1],
    }
}

fn borrowed(fields: &Fields) -> Vec<(&[u8], &[u8])> {
    fields.iter().map(|(name, value)| (&**name, &**value)).collect()
}

fn as_entries<'a>(entries: impl Iterator<Item = (&'a StreamId, Option<&'a Fields>)>) -> Entries {
    let mut expected = Entries::new();
    for (id, fields) in entries {
        match fields {
            Some(fields) => expected.push(*id, borrowed(fields)),
            None => expected.push_deleted(*id),
        }
    }
    expected
}

fn present<'a>(entry: (&'a StreamId, &'a Fields)) -> (&'a StreamId, Option<&'a Fields>) {
    (entry.0, Some(entry.1))
}

fn apply(stream: &mut Stream, model: &mut Model, op: Op, now: u64) {
    match op {
        Op::Append { step, fields, times } => {
            for _ in 0..times {
                let last = model.last_id;
                let seq = if step.ms == 0 { last.seq.saturating_add(step.seq) } else { step.seq };
                let id = StreamId::new(last.ms.saturating_add(step.ms), seq);
                assert_eq!(stream.append(id, &borrowed(&fields)).is_ok(), id > last);
                if id > last {
                    model.entries.insert(id, fields.clone());
                    model.last_id = id;
                    model.added += 1;
                }
            }
        }
        Op::Remove(pick) => {
            let id = picked(model, pick);
            assert_eq!(stream.remove(id), remove(model, id));
        }
        Op::Delete { pick, references } => {
            let id = picked(model, pick);
            assert_eq!(stream.delete(id, references), delete(model, id, references));
        }
        Op::TrimMaxLen { keep, precision } => {
            let removed = stream.trim(TrimBound::MaxLen(keep), precision);
            let exact = model.entries.len().saturating_sub(keep);
            trimmed(model, removed, exact, precision);
        }
        Op::TrimMinId { pick, precision } => {
            let id = picked(model, pick);
            let removed = stream.trim(TrimBound::MinId(id), precision);
            let exact = model.entries.range(..id).count();
            trimmed(model, removed, exact, precision);
        }
        Op::SetIds { ahead } => {
            let top = model.entries.keys().last().copied().unwrap_or_default();
            let last = StreamId::new(top.ms.saturating_add(ahead), top.seq);
            stream.set_ids(last, None, None).unwrap();
            model.last_id = last;
        }
        Op::CreateGroup(name) => {
            let new = !model.groups.contains_key([name].as_slice());
            assert_eq!(stream.create_group(&[name], StreamId::MIN, Some(0)), new);
            model.groups.entry(vec![name]).or_default();
        }
        Op::DestroyGroup(name) => {
            assert_eq!(
                stream.destroy_group(&[name]),
                model.groups.remove([name].as_slice()).is_some()
            );
        }
        Op::OnGroup(name, GroupOp::AckAndDelete(pick, references)) => {
            let id = picked(model, pick);
            let group = model.groups.get_mut([name].as_slice());
            let mut expected = Deletion::NotFound;
            if group.is_some_and(|group| group.pending.remove(&id).is_some()) {
                expected = match delete(model, id, references) {
                    Deletion::NotFound => Deletion::Deleted,
                    other => other,
                };
            }
            assert_eq!(stream.ack_and_delete(&[name], id, references), expected);
        }
        Op::OnGroup(name, op) => {
            if let Some(group) = stream.group_mut(&[name]) {
                apply_to_group(group, model, name, op, now);
            }
        }
    }
}

fn remove(model: &mut Model, id: StreamId) -> bool {
    let removed = model.entries.remove(&id).is_some();
    if removed {
        model.max_deleted_id = model.max_deleted_id.max(id);
    }
    removed
}

fn delete(model: &mut Model, id: StreamId, references: References) -> Deletion {
    for group in model.groups.values_mut() {
        let needed = group.last_delivered < id || group.pending.contains_key(&id);
        if references == References::Acknowledged && needed {
            return Deletion::StillReferenced;
        }
        if references == References::Delete {
            group.pending.remove(&id);
        }
    }
    if remove(model, id) { Deletion::Deleted } else { Deletion::NotFound }
}

/// A trim takes the oldest entries: all that it should if exact, never more.
fn trimmed(model: &mut Model, removed: usize, exact: usize, precision: Precision) {
    match precision {
        Precision::Exact => assert_eq!(removed, exact),
        Precision::Approximate { limit } => {
            assert!(removed <= exact);
            assert!(limit.is_none_or(|limit| limit == 0 || removed <= limit));
        }
    }
    for _ in 0..removed {
        model.entries.pop_first();
    }
}

fn apply_to_group(mut group: GroupMut<'_>, model: &mut Model, name: u8, op: GroupOp, now: u64) {
    let at = match op {
        GroupOp::SetId(pick) | GroupOp::Ack(pick) => picked(model, pick),
        GroupOp::History { after, .. } => picked(model, after),
        GroupOp::Autoclaim { start, .. } => picked(model, start),
        _ => StreamId::MIN,
    };
    let picks: Vec<StreamId> = match &op {
        GroupOp::Claim { picks, .. } => picks.iter().map(|&pick| picked(model, pick)).collect(),
        _ => Vec::new(),
    };
    let entries = &model.entries;
    let model = model.groups.get_mut([name].as_slice()).unwrap();
    match op {
        GroupOp::SetId(_) => {
            group.set_id(at, None);
            model.last_delivered = at;
        }
        GroupOp::CreateConsumer(consumer) => {
            let new = !model.consumers.contains_key([consumer].as_slice());
            assert_eq!(group.create_consumer(&[consumer], now), new);
            model.consumers.entry(vec![consumer]).or_insert((now, None));
        }
        GroupOp::RemoveConsumer(consumer) => {
            let before = model.pending.len();
            model.pending.retain(|_, (owner, ..)| *owner != [consumer]);
            let removed = model.consumers.remove([consumer].as_slice());
            let expected = removed.map(|_| before - model.pending.len());
            assert_eq!(group.remove_consumer(&[consumer]), expected);
        }
        GroupOp::Deliver { consumer, limit, acknowledge } => {
            let expected = deliver(entries, model, consumer, limit, acknowledge, now);
            assert_eq!(group.deliver(&[consumer], Some(limit), acknowledge, now), expected);
        }
        GroupOp::History { consumer, limit, .. } => {
            let expected = history(entries, model, consumer, at, limit, now);
            assert_eq!(group.history(&[consumer], at, Some(limit), now), expected);
        }
        GroupOp::Ack(_) => assert_eq!(group.ack(at), model.pending.remove(&at).is_some()),
        GroupOp::AckAndDelete(..) => unreachable!("it works on the stream"),
        GroupOp::Claim { consumer, min_idle_ms, force, just_ids, .. } => {
            let options = ClaimOptions { min_idle_ms, force, just_ids, ..ClaimOptions::default() };
            let mut expected = Claimed::default();
            for id in picks.iter().copied() {
                claim(entries, model, id, consumer, &options, now, &mut expected);
            }
            assert_eq!(group.claim(&[consumer], &picks, &options, now), expected);
        }
        GroupOp::Autoclaim { consumer, min_idle_ms, limit, .. } => {
            let options = AutoclaimOptions { start: at, min_idle_ms, limit, just_ids: false };
            let expected = autoclaim(entries, model, consumer, &options, now);
            assert_eq!(group.autoclaim(&[consumer], &options, now), expected);
        }
    }
}

fn deliver(
    entries: &BTreeMap<StreamId, Fields>,
    model: &mut ModelGroup,
    consumer: u8,
    limit: usize,
    acknowledge: Acknowledge,
    now: u64,
) -> Entries {
    let new = entries.iter().filter(|(id, _)| **id > model.last_delivered).take(limit);
    let new: Vec<_> = new.map(present).collect();
    for (id, _) in &new {
        let seen = model.consumers.entry(vec![consumer]).or_default();
        seen.0 = now;
        model.last_delivered = **id;
        if acknowledge == Acknowledge::Later {
            model.pending.insert(**id, (vec![consumer], now, 1));
            seen.1 = Some(now);
        }
    }
    as_entries(new.into_iter())
}

fn history(
    entries: &BTreeMap<StreamId, Fields>,
    model: &mut ModelGroup,
    consumer: u8,
    after: StreamId,
    limit: usize,
    now: u64,
) -> Entries {
    model.consumers.entry(vec![consumer]).or_default().0 = now;
    let own = model.pending.iter_mut();
    let own = own.filter(|(id, (owner, ..))| **id > after && *owner == [consumer]).take(limit);
    let shown = own.map(|(id, (_, delivered_at, count))| {
        if entries.contains_key(id) {
            (*delivered_at, *count) = (now, *count + 1);
        }
        (id, entries.get(id))
    });
    as_entries(shown)
}

fn autoclaim(
    entries: &BTreeMap<StreamId, Fields>,
    model: &mut ModelGroup,
    consumer: u8,
    options: &AutoclaimOptions,
    now: u64,
) -> Claimed {
    let claim_options =
        ClaimOptions { min_idle_ms: options.min_idle_ms, ..ClaimOptions::default() };
    let ids: Vec<StreamId> = model.pending.range(options.start..).map(|(id, _)| *id).collect();
    let mut claimed = Claimed::default();
    let mut looked_at = 0;
    for &id in ids.iter().take(options.limit * 10) {
        if claimed.ids.len() + claimed.deleted.len() == options.limit {
            break;
        }
        claim(entries, model, id, consumer, &claim_options, now, &mut claimed);
        looked_at += 1;
    }
    claimed.next = ids.get(looked_at).copied().unwrap_or_default();
    claimed
}

fn claim(
    entries: &BTreeMap<StreamId, Fields>,
    model: &mut ModelGroup,
    id: StreamId,
    consumer: u8,
    options: &ClaimOptions,
    now: u64,
    claimed: &mut Claimed,
) {
    if !entries.contains_key(&id) {
        claimed.deleted.extend(model.pending.remove(&id).map(|_| id));
        return;
    }
    let before = match model.pending.get(&id) {
        Some((_, at, _)) if now - at < options.min_idle_ms => return,
        Some((_, _, count)) => *count,
        None if options.force => 1,
        None => return,
    };
    model.pending.insert(id, (vec![consumer], now, before + u64::from(!options.just_ids)));
    model.consumers.insert(vec![consumer], (now, Some(now)));
    claimed.ids.push(id);
}

fn compare(stream: &Stream, model: &Model) {
    stream.check();
    assert_eq!(stream.len(), model.entries.len());
    assert_eq!(stream.is_empty(), model.entries.is_empty());
    assert_eq!(stream.last_id(), model.last_id);
    assert_eq!(stream.entries_added(), model.added);
    assert_eq!(stream.max_deleted_id(), model.max_deleted_id);
    assert_eq!(stream.first_id(), model.entries.keys().next().copied());
    assert_eq!(stream.last_entry().map(|entry| entry.id()), model.entries.keys().last().copied());
    assert!(stream.groups().map(|(name, _)| name).eq(model.groups.keys()));
    for (name, expected) in &model.groups {
        compare_group(stream.group(name).unwrap(), expected);
    }
}

fn compare_group(group: &Group, model: &ModelGroup) {
    assert_eq!(group.last_delivered(), model.last_delivered);
    assert_eq!(group.pending_len(), model.pending.len());
    let query =
        PendingQuery { ids: everything(), limit: usize::MAX, consumer: None, min_idle_ms: 0 };
    let pending = group.pending_range(&query, u64::MAX);
    let pending = pending.iter().map(|entry| {
        (entry.id, (entry.consumer.to_vec(), entry.delivered_at, entry.delivery_count))
    });
    assert!(pending.eq(model.pending.clone()));
    let consumers = group
        .consumers()
        .map(|consumer| (consumer.name().to_vec(), (consumer.seen_at(), consumer.active_at())));
    assert!(consumers.eq(model.consumers.clone()));
    for consumer in group.consumers() {
        let own = model.pending.iter().filter(|(_, (owner, ..))| *owner == consumer.name());
        assert!(consumer.pending_ids().eq(own.map(|(id, _)| *id)));
    }
}

fn compare_reads(stream: &Stream, model: &Model, picks: (usize, usize), limit: usize) {
    let all = as_entries(model.entries.iter().map(present));
    assert_eq!(stream.range(everything(), None, Direction::Forward), all);
    let (start, end) = (picked(model, picks.0), picked(model, picks.1));
    let within = model.entries.iter().filter(|(id, _)| (start..=end).contains(id));
    let forward = as_entries(within.clone().take(limit).map(present));
    assert_eq!(stream.range(start..=end, Some(limit), Direction::Forward), forward);
    let backward = as_entries(within.rev().take(limit).map(present));
    assert_eq!(stream.range(start..=end, Some(limit), Direction::Backward), backward);
    for pick in [picks.0, picks.1] {
        let id = picked(model, pick);
        let fields = stream.log.get(id).map(|entry| entry.fields().collect::<Vec<_>>());
        assert_eq!(fields, model.entries.get(&id).map(borrowed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn behaves_like_the_model(
        steps in vec((op(), (any::<usize>(), any::<usize>()), 0..150usize, 0..30u64), 1..60),
    ) {
        let mut stream = Stream::default();
        let mut model = Model::default();
        let mut now = 1000;
        for (op, picks, limit, elapsed) in steps {
            now += elapsed;
            let shared = stream.clone();
            let before = shared.range(everything(), None, Direction::Forward);
            let bytes = shared.bytes();
            apply(&mut stream, &mut model, op, now);
            compare(&stream, &model);
            compare_reads(&stream, &model, picks, limit);
            let after = shared.range(everything(), None, Direction::Forward);
            assert_eq!(after, before, "a clone keeps its entries");
            assert_eq!(shared.bytes(), bytes);
        }
    }
}
