//! Every operation on streams reads back what it wrote: its arguments, and its reply in both
//! protocols.

use std::borrow::Cow;
use std::fmt::Debug;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::args::{Args, Argv};
use super::super::command::{Command, Family};
use super::super::decoder::{Decoder, FrameLimits};
use super::super::encoder::{Encoder, Protocol};
use crate::data::stream::{
    Acknowledge, Deletion, DeliveryTime, Entries, Precision, References, StreamId, TrimBound,
};
use crate::ops::stream::*;
use crate::ops::stream_group::*;
use crate::value::Value;

/// Arguments that live as long as the test.
type Text = &'static [u8];
const TEXTS: &[Text] = &[b"", b"key", b"IDLE", b"STREAMS", b"$", b"5-1", b"\r\n\0\xff"];

fn text() -> impl Strategy<Value = Text> {
    prop::sample::select(TEXTS)
}

fn id() -> impl Strategy<Value = StreamId> {
    let part = || prop_oneof![0..3u64, Just(u64::MAX), any::<u64>()];
    (part(), part()).prop_map(|(ms, seq)| StreamId::new(ms, seq))
}

/// What fits in Redis's signed integers.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..3u64, Just(i64::MAX as u64)]
}

fn size() -> impl Strategy<Value = usize> {
    count().prop_map(|count| count as usize)
}

fn ids() -> impl Strategy<Value = Cow<'static, [StreamId]>> {
    vec(id(), 1..4).prop_map(Cow::Owned)
}

fn trim() -> impl Strategy<Value = Trim> {
    let bound = prop_oneof![size().prop_map(TrimBound::MaxLen), id().prop_map(TrimBound::MinId)];
    let approximate = option::of(size()).prop_map(|limit| Precision::Approximate { limit });
    let precision = prop_oneof![Just(Precision::Exact), approximate];
    (bound, precision).prop_map(|(bound, precision)| Trim { bound, precision })
}

fn read_options() -> impl Strategy<Value = ReadOptions> {
    let limit = option::of(size().prop_map(|size| size.max(1)));
    (limit, option::of(count())).prop_map(|(limit, block)| ReadOptions { limit, block })
}

fn streams<T: Clone + Debug + 'static>(
    position: impl Strategy<Value = T>,
) -> impl Strategy<Value = Streams<'static, T>> {
    vec((text(), position), 1..4).prop_map(|streams| Streams(Cow::Owned(streams)))
}

fn referenced() -> impl Strategy<Value = Referenced<'static>> {
    let rules = vec![References::Keep, References::Delete, References::Acknowledged];
    (prop::sample::select(rules), ids())
        .prop_map(|(references, ids)| Referenced { references, ids })
}

fn value() -> impl Strategy<Value = Value> {
    text().prop_map(Value::from)
}

fn entries() -> impl Strategy<Value = Entries> {
    let fields = option::weighted(0.8, vec((text(), text()), 0..3));
    vec((id(), fields), 0..4).prop_map(|list| {
        let mut entries = Entries::new();
        for (id, fields) in list {
            match fields {
                Some(fields) => entries.push(id, fields),
                None => entries.push_deleted(id),
            }
        }
        entries
    })
}

fn found() -> impl Strategy<Value = Option<ReadOutput>> {
    option::of(vec((value(), entries()), 1..3))
}

fn deletions() -> impl Strategy<Value = Vec<Deletion>> {
    let all = vec![Deletion::NotFound, Deletion::Deleted, Deletion::StillReferenced];
    vec(prop::sample::select(all), 0..4)
}

fn duration() -> impl Strategy<Value = Duration> {
    (0..u64::from(u32::MAX)).prop_map(Duration::from_millis)
}

/// Checks that arguments survive; in turn as an operation's own and as they were parsed.
fn check_arguments<F: Family>(operation: &F::Of<'_>)
where
    for<'a> F::Of<'a>: Debug,
{
    let mut argv = Argv::default();
    operation.encode(&mut argv);
    let arguments: Vec<&[u8]> = argv.iter().collect();
    let parsed = F::parse(&mut Args::new(&arguments)).expect("its own encoding");
    assert_eq!(format!("{operation:?}"), format!("{parsed:?}"));
    let mut again = Argv::default();
    parsed.encode(&mut again);
    assert_eq!(argv, again);
}

fn check_reply<O: Command>(operation: &O, output: &O::Output)
where
    O::Output: PartialEq + Debug,
{
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut bytes = Vec::new();
        operation.reply(output, &mut Encoder::new(&mut bytes, protocol));
        let decoded = Decoder::new(FrameLimits::default()).decode(&bytes).expect("a frame");
        let (frame, length) = decoded.expect("a whole frame");
        assert_eq!(length, bytes.len());
        assert_eq!(&operation.decode(frame).expect("its own reply"), output);
    }
}

macro_rules! round_trip {
    ($($name:ident: $operation:ty, ($operations:expr, $outputs:expr);)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                #[test]
                fn $name(operation in $operations, output in $outputs) {
                    check_arguments::<$operation>(&operation);
                    check_reply(&operation, &output);
                }
            )*
        }
    };
}

fn append() -> impl Strategy<Value = Append<'static>> {
    let new_id = prop_oneof![
        Just(NewId::Auto),
        any::<u64>().prop_map(NewId::At),
        id().prop_map(NewId::Exact)
    ];
    let options = (new_id, option::of(trim()), any::<bool>())
        .prop_map(|(id, trim, only_existing)| AppendOptions { id, trim, only_existing });
    let fields = vec((text(), text()), 1..4).prop_map(|list| FieldList(Cow::Owned(list)));
    (text(), options, fields).prop_map(|(key, options, fields)| Append { key, options, fields })
}

fn range() -> impl Strategy<Value = Range<'static>> {
    (text(), id(), id(), option::of(size())).prop_map(|(key, start, end, limit)| Range {
        key,
        ids: Ids(start, end),
        limit: Limit(limit),
    })
}

fn reversed() -> impl Strategy<Value = RangeReversed<'static>> {
    range().prop_map(|Range { key, ids, limit }| RangeReversed {
        key,
        ids: IdsReversed(ids),
        limit,
    })
}

fn read() -> impl Strategy<Value = Read<'static>> {
    let after = prop_oneof![id().prop_map(After::Id), Just(After::Last), Just(After::LastButOne)];
    (read_options(), streams(after)).prop_map(|(options, streams)| Read { options, streams })
}

fn set_ids() -> impl Strategy<Value = SetIds<'static>> {
    (text(), id(), option::of(count()), option::of(id())).prop_map(
        |(key, last_id, entries_added, max_deleted_id)| SetIds {
            key,
            ids: LastIds { last_id, entries_added, max_deleted_id },
        },
    )
}

fn info() -> impl Strategy<Value = StreamInfo> {
    let end = || {
        entries().prop_map(|all| {
            let mut one = Entries::new();
            if let Some(entry) = all.first().filter(|entry| !entry.is_deleted()) {
                one.push(entry.id(), entry.fields());
            }
            one
        })
    };
    (size(), id(), id(), id(), count(), end(), end()).prop_map(
        |(length, last_id, max_deleted_id, first_id, entries_added, first, last)| StreamInfo {
            length,
            blocks: length / 100,
            last_id,
            max_deleted_id,
            entries_added,
            first_id,
            groups: 0,
            first,
            last,
        },
    )
}

fn delivery() -> impl Strategy<Value = Delivery> {
    (id(), value(), duration(), count()).prop_map(|(id, consumer, at, count)| Delivery {
        id,
        consumer,
        at: std::time::UNIX_EPOCH + at,
        count,
    })
}

fn full_info() -> impl Strategy<Value = FullStreamInfo> {
    let consumer = (value(), duration(), vec(delivery(), 0..3)).prop_map(|(name, at, pending)| {
        let own = |delivery| Delivery { consumer: name.clone(), ..delivery };
        FullConsumerInfo {
            seen_at: std::time::UNIX_EPOCH + at,
            pending_count: pending.len(),
            pending: pending.into_iter().map(own).collect(),
            name,
        }
    });
    let group = (group_info(), vec(delivery(), 0..3), vec(consumer, 0..3)).prop_map(
        |(group, pending, consumers)| FullGroupInfo {
            name: group.name,
            last_delivered_id: group.last_delivered_id,
            entries_read: group.entries_read,
            lag: group.lag,
            pending_count: group.pending,
            pending,
            consumers,
        },
    );
    (info(), entries(), vec(group, 0..3)).prop_map(|(mut info, entries, groups)| {
        (info.first, info.last) = (Entries::new(), Entries::new());
        info.groups = groups.len();
        FullStreamInfo { info, entries, groups }
    })
}

fn group_info() -> impl Strategy<Value = GroupInfo> {
    (value(), size(), size(), id(), option::of(count()), option::of(any::<i64>())).prop_map(
        |(name, consumers, pending, last_delivered_id, entries_read, lag)| GroupInfo {
            name,
            consumers,
            pending,
            last_delivered_id,
            entries_read,
            lag,
        },
    )
}

round_trip! {
    append_round_trips: Append<'static>, (append(), option::of(id()));
    length_round_trips: Length<'static>, (text().prop_map(|key| Length { key }), size());
    range_round_trips: Range<'static>, (range(), option::of(entries()));
    range_reversed_round_trips: RangeReversed<'static>, (reversed(), option::of(entries()));
    read_round_trips: Read<'static>, (read(), found());
    delete_round_trips: Delete<'static>,
        ((text(), ids()).prop_map(|(key, ids)| Delete { key, ids }), size());
    delete_referenced_round_trips: DeleteReferenced<'static>, (
        (text(), referenced()).prop_map(|(key, entries)| DeleteReferenced { key, entries }),
        deletions()
    );
    trim_round_trips: TrimTo<'static>,
        ((text(), trim()).prop_map(|(key, trim)| TrimTo { key, trim }), size());
    set_ids_round_trips: SetIds<'static>, (set_ids(), Just(()));
    describe_round_trips: Describe<'static>, (text().prop_map(|key| Describe { key }), info());
    describe_fully_round_trips: DescribeFully<'static>, (
        (text(), size()).prop_map(|(key, limit)| DescribeFully { key, limit: FullLimit(limit) }),
        full_info()
    );
}

fn start() -> impl Strategy<Value = GroupStart> {
    let after = id().prop_filter("the beginning", |id| *id != StreamId::MIN);
    prop_oneof![
        Just(GroupStart::Beginning),
        Just(GroupStart::End),
        after.prop_map(GroupStart::After)
    ]
}

fn entries_read() -> impl Strategy<Value = EntriesRead> {
    option::of(count()).prop_map(EntriesRead)
}

fn create_group() -> impl Strategy<Value = CreateGroup<'static>> {
    let options = (any::<bool>(), entries_read())
        .prop_map(|(create_stream, entries_read)| GroupOptions { create_stream, entries_read });
    (text(), text(), start(), options).prop_map(|(key, group, start, options)| CreateGroup {
        key,
        group,
        start,
        options,
    })
}

fn set_group_id() -> impl Strategy<Value = SetGroupId<'static>> {
    (text(), text(), start(), entries_read()).prop_map(|(key, group, start, entries_read)| {
        SetGroupId { key, group, start: Position(start), entries_read }
    })
}

fn read_group() -> impl Strategy<Value = ReadGroup<'static>> {
    let pending = id().prop_filter("the greatest id is `>`", |id| *id != StreamId::MAX);
    let wanted = prop_oneof![Just(Wanted::New), pending.prop_map(Wanted::PendingAfter)];
    let acknowledge = prop::sample::select(vec![Acknowledge::Later, Acknowledge::Never]);
    let options = (text(), text(), read_options(), acknowledge).prop_map(
        |(group, consumer, read, acknowledge)| ReadGroupOptions {
            group,
            consumer,
            read,
            acknowledge,
        },
    );
    (options, streams(wanted)).prop_map(|(options, streams)| ReadGroup { options, streams })
}

fn summary() -> impl Strategy<Value = PendingSummary> {
    let some = (size(), (id(), id()), vec((value(), size()), 0..3))
        .prop_map(|(count, ids, consumers)| PendingSummary { count, ids: Some(ids), consumers });
    prop_oneof![Just(PendingSummary::default()), some]
}

fn list_pending() -> impl Strategy<Value = ListPending<'static>> {
    (text(), text(), count(), (id(), id()), size(), option::of(text())).prop_map(
        |(key, group, idle, (first, last), limit, consumer)| ListPending {
            key,
            group,
            filter: PendingFilter {
                min_idle: Millis(idle),
                ids: Ids(first, last),
                limit,
                consumer,
            },
        },
    )
}

fn pending_entry() -> impl Strategy<Value = PendingEntry> {
    (id(), value(), duration(), count()).prop_map(|(id, consumer, idle, deliveries)| PendingEntry {
        id,
        consumer,
        idle,
        deliveries,
    })
}

fn outcome(just_ids: bool) -> BoxedStrategy<ClaimOutcome> {
    if just_ids {
        vec(id(), 0..3).prop_map(ClaimOutcome::Ids).boxed()
    } else {
        entries().prop_map(ClaimOutcome::Entries).boxed()
    }
}

fn claim(just_ids: bool) -> impl Strategy<Value = Claim<'static>> {
    let delivered = prop_oneof![
        Just(DeliveryTime::Now),
        count().prop_map(DeliveryTime::Idle),
        count().prop_map(DeliveryTime::At)
    ];
    let options = (delivered, option::of(count()), any::<bool>(), option::of(id())).prop_map(
        move |(delivered, deliveries, force, last_id)| ClaimOptions {
            delivered,
            deliveries,
            force,
            just_ids,
            last_id,
        },
    );
    let ids = vec(id(), 0..3).prop_map(|ids| ClaimedIds(Cow::Owned(ids)));
    (text(), text(), text(), count(), ids, options).prop_map(
        |(key, group, consumer, idle, ids, options)| Claim {
            key,
            group,
            consumer,
            min_idle: Millis(idle),
            ids,
            options,
        },
    )
}

fn autoclaim(just_ids: bool) -> impl Strategy<Value = Autoclaim<'static>> {
    (text(), text(), text(), count(), id(), 1..9usize).prop_map(
        move |(key, group, consumer, idle, start, limit)| Autoclaim {
            key,
            group,
            consumer,
            min_idle: Millis(idle),
            start: FirstId(start),
            options: AutoclaimLimits { limit, just_ids },
        },
    )
}

fn autoclaimed(just_ids: bool) -> impl Strategy<Value = AutoclaimOutcome> {
    (id(), outcome(just_ids), vec(id(), 0..3))
        .prop_map(|(next, claimed, deleted)| AutoclaimOutcome { next, claimed, deleted })
}

fn consumer_info() -> impl Strategy<Value = ConsumerInfo> {
    (value(), size(), duration()).prop_map(|(name, pending, idle)| ConsumerInfo {
        name,
        pending,
        idle,
    })
}

fn of_three<T: Debug>(make: fn((Text, Text, Text)) -> T) -> impl Strategy<Value = T> {
    (text(), text(), text()).prop_map(make)
}

round_trip! {
    create_group_round_trips: CreateGroup<'static>, (create_group(), Just(()));
    set_group_id_round_trips: SetGroupId<'static>, (set_group_id(), Just(()));
    destroy_group_round_trips: DestroyGroup<'static>,
        (of_three(|(key, group, _)| DestroyGroup { key, group }), any::<bool>());
    create_consumer_round_trips: CreateConsumer<'static>, (
        of_three(|(key, group, consumer)| CreateConsumer { key, group, consumer }),
        any::<bool>()
    );
    delete_consumer_round_trips: DeleteConsumer<'static>,
        (of_three(|(key, group, consumer)| DeleteConsumer { key, group, consumer }), size());
    read_group_round_trips: ReadGroup<'static>, (read_group(), found());
    ack_round_trips: Ack<'static>,
        ((text(), text(), ids()).prop_map(|(key, group, ids)| Ack { key, group, ids }), size());
    ack_delete_round_trips: AckDelete<'static>, (
        (text(), text(), referenced())
            .prop_map(|(key, group, entries)| AckDelete { key, group, entries }),
        deletions()
    );
    summarize_pending_round_trips: SummarizePending<'static>,
        (of_three(|(key, group, _)| SummarizePending { key, group }), summary());
    list_pending_round_trips: ListPending<'static>,
        (list_pending(), vec(pending_entry(), 0..3));
    claim_round_trips: Claim<'static>, (claim(false), outcome(false));
    claim_ids_round_trips: Claim<'static>, (claim(true), outcome(true));
    autoclaim_round_trips: Autoclaim<'static>, (autoclaim(false), autoclaimed(false));
    autoclaim_ids_round_trips: Autoclaim<'static>, (autoclaim(true), autoclaimed(true));
    list_groups_round_trips: ListGroups<'static>,
        (text().prop_map(|key| ListGroups { key }), vec(group_info(), 0..3));
    list_consumers_round_trips: ListConsumers<'static>,
        (of_three(|(key, group, _)| ListConsumers { key, group }), vec(consumer_info(), 0..3));
}
