//! One stream and its consumer groups through the public API, against a model of maps that
//! anyone can see to be right.

use std::collections::BTreeMap;
use std::time::Duration;

use larder::{
    AppendOptions, ClaimOptions, Deletion, Entries, Error, GroupStart, ManualClock, References,
    Result, Store, StreamId, Trim,
};
use proptest::collection::vec;
use proptest::prelude::*;

const KEY: &str = "stream";

/// Entries as they are compared: the id, and the text unless the entry is gone.
type Shown = Vec<(StreamId, Option<String>)>;

#[derive(Default)]
struct Model {
    now: u64,
    stream: Option<StreamModel>,
}

#[derive(Default)]
struct StreamModel {
    entries: BTreeMap<StreamId, String>,
    last_id: StreamId,
    groups: BTreeMap<u8, GroupModel>,
}

#[derive(Default)]
struct GroupModel {
    position: StreamId,
    pending: BTreeMap<StreamId, Held>,
    /// When each was last seen.
    consumers: BTreeMap<u8, u64>,
}

#[derive(Clone, Copy)]
struct Held {
    consumer: u8,
    since: u64,
    deliveries: u64,
}

#[derive(Clone, Debug)]
enum Op {
    Append { step: u64, keep: Option<usize>, only_existing: bool },
    Delete(Vec<Pick>),
    DeleteWith(Vec<Pick>, References),
    TrimToLength(usize),
    TrimBefore(Pick),
    Range { from: Pick, to: Pick, limit: usize, reversed: bool },
    ReadAfter(Pick, usize),
    RemoveKey,
    OnGroup(u8, GroupOp),
}

#[derive(Clone, Debug)]
enum GroupOp {
    Create(Start),
    CreateInExisting(Start),
    SetPosition(Start),
    Destroy,
    Ack(Vec<Pick>),
    AckAndDelete(Vec<Pick>, References),
    OnConsumer(u8, ConsumerOp),
}

#[derive(Clone, Debug)]
enum ConsumerOp {
    Create,
    Delete,
    Read { count: usize, acknowledged: bool },
    History { after: Pick, count: usize },
    Claim { ids: Vec<Pick>, min_idle: u64, force: bool, only_ids: bool },
    Autoclaim { start: Pick, min_idle: u64, count: usize },
}

#[derive(Clone, Copy, Debug)]
enum Start {
    Beginning,
    End,
    After(Pick),
}

/// The id so many milliseconds below the last one: mostly one that the stream has or had.
#[derive(Clone, Copy, Debug)]
struct Pick(u64);

fn pick() -> impl Strategy<Value = Pick> {
    (0..24u64).prop_map(Pick)
}

fn picks() -> impl Strategy<Value = Vec<Pick>> {
    vec(pick(), 1..5)
}

fn op() -> impl Strategy<Value = Op> {
    let keep = prop_oneof![5 => Just(None), 1 => (0..12usize).prop_map(Some)];
    let limit = || 0..9usize;
    prop_oneof![
        12 => (prop_oneof![1 => Just(0u64), 9 => 1..3u64], keep, any::<bool>()).prop_map(
            |(step, keep, only_existing)| Op::Append { step, keep, only_existing }
        ),
        3 => picks().prop_map(Op::Delete),
        2 => (picks(), references()).prop_map(|(ids, references)| Op::DeleteWith(ids, references)),
        1 => (0..12usize).prop_map(Op::TrimToLength),
        1 => pick().prop_map(Op::TrimBefore),
        3 => (pick(), pick(), limit(), any::<bool>())
            .prop_map(|(from, to, limit, reversed)| Op::Range { from, to, limit, reversed }),
        2 => (pick(), limit()).prop_map(|(after, count)| Op::ReadAfter(after, count)),
        1 => Just(Op::RemoveKey),
        30 => (0..2u8, group_op()).prop_map(|(group, op)| Op::OnGroup(group, op)),
    ]
}

fn references() -> impl Strategy<Value = References> {
    prop_oneof![Just(References::Keep), Just(References::Delete), Just(References::Acknowledged)]
}

fn group_op() -> impl Strategy<Value = GroupOp> {
    let start =
        || prop_oneof![Just(Start::Beginning), Just(Start::End), pick().prop_map(Start::After)];
    prop_oneof![
        4 => start().prop_map(GroupOp::Create),
        1 => start().prop_map(GroupOp::CreateInExisting),
        2 => start().prop_map(GroupOp::SetPosition),
        1 => Just(GroupOp::Destroy),
        3 => picks().prop_map(GroupOp::Ack),
        2 => (picks(), references())
            .prop_map(|(ids, references)| GroupOp::AckAndDelete(ids, references)),
        24 => (0..3u8, consumer_op()).prop_map(|(name, op)| GroupOp::OnConsumer(name, op)),
    ]
}

fn consumer_op() -> impl Strategy<Value = ConsumerOp> {
    let idle = || prop_oneof![Just(0u64), 1..40u64];
    let count = || 0..6usize;
    prop_oneof![
        1 => Just(ConsumerOp::Create),
        1 => Just(ConsumerOp::Delete),
        6 => (count(), prop::bool::weighted(0.2))
            .prop_map(|(count, acknowledged)| ConsumerOp::Read { count, acknowledged }),
        2 => (pick(), count()).prop_map(|(after, count)| ConsumerOp::History { after, count }),
        4 => (picks(), idle(), any::<bool>(), any::<bool>()).prop_map(
            |(ids, min_idle, force, only_ids)| ConsumerOp::Claim { ids, min_idle, force, only_ids }
        ),
        2 => (pick(), idle(), count()).prop_map(
            |(start, min_idle, count)| ConsumerOp::Autoclaim { start, min_idle, count }
        ),
    ]
}

fn group_name(group: u8) -> String {
    format!("g{group}")
}

fn consumer_name(consumer: u8) -> String {
    format!("c{consumer}")
}

fn no_group(group: u8) -> Error {
    Error::NoGroup { key: KEY.into(), group: group_name(group).into() }
}

fn shown(entries: &Entries) -> Shown {
    let text = |entry: &larder::Entry<'_>| entry.text("text").map(String::from);
    entries.iter().map(|entry| (entry.id(), text(&entry))).collect()
}

impl Model {
    fn id(&self, pick: Pick) -> StreamId {
        let last = self.stream.as_ref().map_or(0, |stream| stream.last_id.ms);
        StreamId::new(last.saturating_sub(pick.0), 0)
    }

    fn ids(&self, picks: &[Pick]) -> Vec<StreamId> {
        picks.iter().map(|pick| self.id(*pick)).collect()
    }

    fn start(&self, start: Start) -> (GroupStart, StreamId) {
        let last = self.stream.as_ref().map_or(StreamId::MIN, |stream| stream.last_id);
        match start {
            Start::Beginning => (GroupStart::Beginning, StreamId::MIN),
            Start::End => (GroupStart::End, last),
            Start::After(pick) => (GroupStart::After(self.id(pick)), self.id(pick)),
        }
    }

    /// The group of a stream; without a stream the error is `absent`.
    fn group(&mut self, group: u8, absent: Error) -> Result<&mut GroupModel> {
        let stream = self.stream.as_mut().ok_or(absent)?;
        stream.groups.get_mut(&group).ok_or(no_group(group))
    }

    fn append(&mut self, id: StreamId, text: &str, only_existing: bool) -> Result<bool> {
        if id == StreamId::MIN {
            return Err(Error::StreamIdZero);
        }
        if self.stream.is_none() && only_existing {
            return Ok(false);
        }
        let stream = self.stream.get_or_insert_default();
        if id <= stream.last_id {
            return Err(Error::StreamIdTooSmall);
        }
        stream.last_id = id;
        stream.entries.insert(id, text.to_owned());
        Ok(true)
    }

    fn trim_to_length(&mut self, keep: usize) -> usize {
        let Some(stream) = &mut self.stream else { return 0 };
        let removed = stream.entries.len().saturating_sub(keep);
        (0..removed).for_each(|_| drop(stream.entries.pop_first()));
        removed
    }

    fn delete(&mut self, id: StreamId, references: References) -> Deletion {
        let Some(stream) = &mut self.stream else { return Deletion::NotFound };
        let needs = |group: &GroupModel| group.position < id || group.pending.contains_key(&id);
        match references {
            References::Acknowledged if stream.groups.values().any(needs) => {
                return Deletion::StillReferenced;
            }
            References::Delete => {
                for group in stream.groups.values_mut() {
                    group.pending.remove(&id);
                }
            }
            _ => {}
        }
        let removed = stream.entries.remove(&id).is_some();
        if removed { Deletion::Deleted } else { Deletion::NotFound }
    }

    fn ack(&mut self, group: u8, id: StreamId) -> bool {
        let group = self.group(group, Error::NoSuchStream);
        group.is_ok_and(|group| group.pending.remove(&id).is_some())
    }

    fn ack_and_delete(&mut self, group: u8, id: StreamId, references: References) -> Deletion {
        if !self.ack(group, id) {
            return Deletion::NotFound;
        }
        match self.delete(id, references) {
            Deletion::NotFound => Deletion::Deleted,
            other => other,
        }
    }

    fn read(&mut self, group: u8, consumer: u8, count: usize, keep: bool) -> Result<Shown> {
        let now = self.now;
        let position = self.group(group, no_group(group))?.position;
        let entries = self.stream.iter().flat_map(|stream| &stream.entries);
        let entries = entries.filter(|(id, _)| **id > position).take(count);
        let given: Shown = entries.map(|(id, text)| (*id, Some(text.clone()))).collect();
        let group = self.group(group, no_group(group))?;
        for (id, _) in &given {
            group.position = *id;
            group.consumers.insert(consumer, now);
            if keep {
                group.pending.insert(*id, Held { consumer, since: now, deliveries: 1 });
            }
        }
        Ok(given)
    }

    fn history(&mut self, group: u8, consumer: u8, after: StreamId, count: usize) -> Result<Shown> {
        let now = self.now;
        let known = self.group(group, no_group(group))?;
        if count == 0 {
            return Ok(Vec::new());
        }
        known.consumers.insert(consumer, now);
        let stream = self.stream.as_mut().expect("it has the group");
        let pending = stream.groups.get_mut(&group).expect("it was found").pending.iter_mut();
        let own = pending.filter(|(id, held)| **id > after && held.consumer == consumer);
        let show = |(id, held): (&StreamId, &mut Held)| {
            let text = stream.entries.get(id).cloned();
            if text.is_some() {
                (held.since, held.deliveries) = (now, held.deliveries + 1);
            }
            (*id, text)
        };
        Ok(own.take(count).map(show).collect())
    }

    /// What becomes of one entry that is claimed: it is the consumer's now, or is gone and no
    /// longer pending, or stays as it is.
    fn claim(&mut self, group: u8, claim: &ClaimModel, id: StreamId) -> Option<(StreamId, bool)> {
        let now = self.now;
        let exists = self.stream.as_ref()?.entries.contains_key(&id);
        let group = self.group(group, no_group(group)).ok()?;
        if !exists {
            return group.pending.remove(&id).map(|_| (id, false));
        }
        let before = match group.pending.get(&id) {
            Some(held) if now - held.since < claim.min_idle => return None,
            Some(held) => held.deliveries,
            None if claim.force => 1,
            None => return None,
        };
        let deliveries = before + u64::from(!claim.only_ids);
        group.pending.insert(id, Held { consumer: claim.consumer, since: now, deliveries });
        group.consumers.insert(claim.consumer, now);
        Some((id, true))
    }

    fn show(&self, ids: &[StreamId]) -> Shown {
        let entries = self.stream.as_ref().map(|stream| &stream.entries);
        ids.iter().map(|id| (*id, entries.and_then(|entries| entries.get(id).cloned()))).collect()
    }
}

struct ClaimModel {
    consumer: u8,
    min_idle: u64,
    force: bool,
    only_ids: bool,
}

fn apply(store: &Store, model: &mut Model, op: &Op, step: usize) {
    let stream = store.stream(KEY);
    match op {
        Op::Append { step: by, keep, only_existing } => {
            let last = model.id(Pick(0));
            let (id, text) = (StreamId::new(last.ms + by, 0), format!("entry {step}"));
            let options = AppendOptions::new().id(id);
            let options = if *only_existing { options.only_existing() } else { options };
            let trimmed = keep.map(|keep| options.clone().trim(Trim::max_len(keep)));
            let appended = stream.append_with(&[("text", &text)], trimmed.unwrap_or(options));
            let expected = model.append(id, &text, *only_existing);
            if let (Ok(true), Some(keep)) = (&expected, keep) {
                model.trim_to_length(*keep);
            }
            assert_eq!(appended, expected.map(|appended| appended.then_some(id)));
        }
        Op::Delete(picks) => {
            let ids = model.ids(picks);
            let mut deleted = |id: &&StreamId| model.delete(**id, References::Keep);
            let deleted = ids.iter().filter(|id| deleted(id) == Deletion::Deleted).count();
            assert_eq!(stream.delete(&ids), Ok(deleted));
        }
        Op::DeleteWith(picks, references) => {
            let ids = model.ids(picks);
            let expected = ids.iter().map(|id| model.delete(*id, *references)).collect();
            assert_eq!(stream.delete_with(&ids, *references), Ok(expected));
        }
        Op::TrimToLength(keep) => {
            assert_eq!(stream.trim(Trim::max_len(*keep)), Ok(model.trim_to_length(*keep)));
        }
        Op::TrimBefore(pick) => {
            let id = model.id(*pick);
            let kept = model.stream.as_ref().map(|stream| stream.entries.range(id..).count());
            let expected = model.trim_to_length(kept.unwrap_or(0));
            assert_eq!(stream.trim(Trim::min_id(id)), Ok(expected));
        }
        Op::Range { .. } | Op::ReadAfter(..) => look(store, model, op),
        Op::RemoveKey => {
            assert_eq!(store.keys().delete(KEY), Ok(model.stream.take().is_some()));
        }
        Op::OnGroup(group, GroupOp::OnConsumer(consumer, op)) => {
            apply_to_consumer(store, model, *group, *consumer, op);
        }
        Op::OnGroup(group, op) => apply_to_group(store, model, *group, op),
    }
}

fn look(store: &Store, model: &Model, op: &Op) {
    let entries = model.stream.as_ref().map(|stream| stream.entries.clone()).unwrap_or_default();
    let all = entries.into_iter().map(|(id, text)| (id, Some(text)));
    let stream = store.stream(KEY);
    match op {
        Op::Range { from, to, limit, reversed } => {
            let (from, to) = (model.id(*from), model.id(*to));
            let mut within: Shown = all.filter(|(id, _)| (from..=to).contains(id)).collect();
            let mut range = stream.range(from..=to).limit(*limit);
            if *reversed {
                within.reverse();
                range = range.reversed();
            }
            within.truncate(*limit);
            assert_eq!(shown(&range.get().unwrap()), within);
        }
        Op::ReadAfter(after, count) => {
            let after = model.id(*after);
            let expected: Shown = all.filter(|(id, _)| *id > after).take(*count).collect();
            assert_eq!(shown(&stream.read_after(after, *count).unwrap()), expected);
        }
        _ => unreachable!("only reads look"),
    }
}

fn apply_to_group(store: &Store, model: &mut Model, name: u8, op: &GroupOp) {
    let text = group_name(name);
    let group = store.stream(KEY).group(&text);
    match op {
        GroupOp::Create(start) | GroupOp::CreateInExisting(start) => {
            let (start, position) = model.start(*start);
            let may_create = matches!(op, GroupOp::Create(_));
            let expected = if model.stream.is_none() && !may_create {
                Err(Error::NoSuchStream)
            } else {
                let stream = model.stream.get_or_insert_default();
                let is_new = !stream.groups.contains_key(&name);
                let new = || GroupModel { position, ..GroupModel::default() };
                stream.groups.entry(name).or_insert_with(new);
                if is_new { Ok(()) } else { Err(Error::GroupExists) }
            };
            let created =
                if may_create { group.create(start) } else { group.create_in_existing(start) };
            assert_eq!(created, expected);
        }
        GroupOp::SetPosition(start) => {
            let (start, position) = model.start(*start);
            let expected = model.group(name, Error::NoSuchStream);
            let expected = expected.map(|group| group.position = position);
            assert_eq!(group.set_position(start), expected);
        }
        GroupOp::Destroy => {
            let stream = model.stream.as_mut().ok_or(Error::NoSuchStream);
            let expected = stream.map(|stream| stream.groups.remove(&name).is_some());
            assert_eq!(group.destroy(), expected);
        }
        GroupOp::Ack(picks) => {
            let ids = model.ids(picks);
            let expected = ids.iter().filter(|id| model.ack(name, **id)).count();
            assert_eq!(group.ack(&ids), Ok(expected));
        }
        GroupOp::AckAndDelete(picks, references) => {
            let ids = model.ids(picks);
            let delete = |id: &StreamId| model.ack_and_delete(name, *id, *references);
            let expected = ids.iter().map(delete).collect();
            assert_eq!(group.ack_and_delete(&ids, *references), Ok(expected));
        }
        GroupOp::OnConsumer(..) => unreachable!("it has a function of its own"),
    }
}

fn apply_to_consumer(store: &Store, model: &mut Model, group: u8, name: u8, op: &ConsumerOp) {
    let (group_text, text) = (group_name(group), consumer_name(name));
    let consumer = store.stream(KEY).group(&group_text).consumer(&text);
    match op {
        ConsumerOp::Create => {
            let now = model.now;
            let expected = model.group(group, Error::NoSuchStream).map(|group| {
                let is_new = !group.consumers.contains_key(&name);
                group.consumers.entry(name).or_insert(now);
                is_new
            });
            assert_eq!(consumer.create(), expected);
        }
        ConsumerOp::Delete => {
            let expected = model.group(group, Error::NoSuchStream).map(|group| {
                let before = group.pending.len();
                group.consumers.remove(&name);
                group.pending.retain(|_, held| held.consumer != name);
                before - group.pending.len()
            });
            assert_eq!(consumer.delete(), expected);
        }
        ConsumerOp::Read { count, acknowledged } => {
            let read = if *acknowledged {
                consumer.read_acknowledged(*count)
            } else {
                consumer.read(*count)
            };
            let expected = model.read(group, name, *count, !acknowledged);
            assert_eq!(read.as_ref().map(shown), expected.as_ref().cloned());
        }
        ConsumerOp::History { after, count } => {
            let after = model.id(*after);
            let expected = model.history(group, name, after, *count);
            let history = consumer.history(after, *count);
            assert_eq!(history.as_ref().map(shown), expected.as_ref().cloned());
        }
        ConsumerOp::Claim { .. } | ConsumerOp::Autoclaim { .. } => {
            if let Err(error) = model.group(group, no_group(group)) {
                let ids = [StreamId::MIN];
                assert_eq!(consumer.claim(Duration::ZERO, &ids), Err(error.clone()));
                assert_eq!(consumer.autoclaim(Duration::ZERO, StreamId::MIN, 1), Err(error));
            } else {
                claim(store, model, group, name, op);
            }
        }
    }
}

/// Claims in a group that exists.
fn claim(store: &Store, model: &mut Model, group: u8, name: u8, op: &ConsumerOp) {
    let (group_text, text) = (group_name(group), consumer_name(name));
    let consumer = store.stream(KEY).group(&group_text).consumer(&text);
    match op {
        ConsumerOp::Claim { ids, min_idle, force, only_ids } => {
            let (ids, min_idle) = (model.ids(ids), *min_idle);
            let rule = ClaimModel { consumer: name, min_idle, force: *force, only_ids: *only_ids };
            let claimed = ids.iter().filter_map(|id| model.claim(group, &rule, *id));
            let expected: Vec<_> =
                claimed.filter(|(_, exists)| *exists).map(|(id, _)| id).collect();
            let options = ClaimOptions::new();
            let options = if *force { options.force() } else { options };
            let min_idle = Duration::from_millis(min_idle);
            if *only_ids {
                assert_eq!(consumer.claim_ids(min_idle, &ids, options), Ok(expected));
            } else {
                let claimed = consumer.claim_with(min_idle, &ids, options).unwrap();
                assert_eq!(shown(&claimed), model.show(&expected));
            }
        }
        ConsumerOp::Autoclaim { start, min_idle, count } => {
            let (start, min_idle) = (model.id(*start), *min_idle);
            let rule = ClaimModel { consumer: name, min_idle, force: false, only_ids: false };
            let pending = &model.group(group, no_group(group)).unwrap().pending;
            let ids: Vec<StreamId> = pending.range(start..).map(|(id, _)| *id).collect();
            let (mut entries, mut deleted, mut looked_at) = (Vec::new(), Vec::new(), 0);
            while let Some(id) = ids.get(looked_at)
                && looked_at < count * 10
                && entries.len() + deleted.len() < *count
            {
                match model.claim(group, &rule, *id) {
                    Some((id, true)) => entries.push(id),
                    Some((id, false)) => deleted.push(id),
                    None => {}
                }
                looked_at += 1;
            }
            let min_idle = Duration::from_millis(min_idle);
            let claimed = consumer.autoclaim(min_idle, start, *count).unwrap();
            assert_eq!(shown(&claimed.entries), model.show(&entries));
            assert_eq!(claimed.deleted, deleted);
            let next = ids.get(looked_at).copied().unwrap_or_default();
            assert_eq!(claimed.next, if *count == 0 { start } else { next });
        }
        _ => unreachable!("only claims claim"),
    }
}

fn compare(store: &Store, model: &Model) {
    let stream = store.stream(KEY);
    let Some(expected) = &model.stream else {
        assert_eq!(store.keys().exists(KEY), Ok(false));
        assert_eq!(stream.info(), Err(Error::NoSuchKey));
        return;
    };
    assert_eq!(stream.len(), Ok(expected.entries.len()));
    assert_eq!(stream.last_id(), Ok(expected.last_id));
    let all: Vec<StreamId> = expected.entries.keys().copied().collect();
    assert_eq!(shown(&stream.range(..).get().unwrap()), model.show(&all));
    assert_eq!(stream.info().unwrap().groups, expected.groups.len());
    for (name, group) in &expected.groups {
        compare_group(store, model.now, *name, group);
    }
}

fn compare_group(store: &Store, now: u64, name: u8, expected: &GroupModel) {
    let text = group_name(name);
    let group = store.stream(KEY).group(&text);
    let info = group.info().unwrap().unwrap();
    assert_eq!(info.last_delivered_id, expected.position);
    assert_eq!((info.pending, info.consumers), (expected.pending.len(), expected.consumers.len()));

    let age = |since: u64| Duration::from_millis(now - since);
    let listed = group.pending(.., Duration::ZERO, usize::MAX).unwrap();
    let listed = listed.iter().map(|entry| {
        (entry.id, entry.consumer.to::<String>().unwrap(), entry.idle, entry.deliveries)
    });
    let pending = expected.pending.iter();
    let held = |(id, held): (&StreamId, &Held)| {
        (*id, consumer_name(held.consumer), age(held.since), held.deliveries)
    };
    assert!(listed.eq(pending.clone().map(held)));

    let summary = group.pending_summary().unwrap();
    let ends = expected.pending.keys().next().zip(expected.pending.keys().last());
    assert_eq!(summary.count, expected.pending.len());
    assert_eq!(summary.ids, ends.map(|(first, last)| (*first, *last)));

    let consumers = group.consumers().unwrap();
    let consumers = consumers
        .iter()
        .map(|consumer| (consumer.name.to::<String>().unwrap(), consumer.idle, consumer.pending));
    let own = |name: u8| pending.clone().filter(move |(_, held)| held.consumer == name);
    let known = expected.consumers.iter();
    assert!(
        consumers.eq(known
            .clone()
            .map(|(name, seen)| { (consumer_name(*name), age(*seen), own(*name).count()) }))
    );
    for (name, _) in known {
        let (text, idle) = (consumer_name(*name), 10);
        let old = own(*name).filter(|(_, held)| now - held.since >= idle).map(|(id, _)| *id);
        let listed = group.consumer(&text).pending(.., Duration::from_millis(idle), 3).unwrap();
        assert!(listed.iter().map(|entry| entry.id).eq(old.take(3)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_stream_behaves_like_the_model(steps in vec((op(), 0..15u64), 1..120)) {
        let clock = ManualClock::new();
        let store = Store::builder().clock(&clock).build();
        let mut model = Model::default();
        for (step, (op, elapsed)) in steps.iter().enumerate() {
            clock.advance(Duration::from_millis(*elapsed));
            model.now += elapsed;
            apply(&store, &mut model, op, step);
            compare(&store, &model);
        }
    }
}
