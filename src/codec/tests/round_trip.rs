//! What is written reads back as it was.

use proptest::prelude::*;

use super::*;
use crate::clock::ManualClock;
use crate::codec::load::load;
use crate::codec::payload;
use crate::data::stream::Consumer;
use crate::keyspace::{Databases, Maintenance};

#[test]
fn a_file_of_everything() {
    let entries = samples();
    let bytes = write(&entries, Version::Ten);
    assert!(bytes.starts_with(b"REDIS0010"));
    let found = read(&bytes).expect("it was written just now");
    assert_eq!(describe_all(&found), describe_all(&entries));
}

#[test]
fn fields_with_deadlines_need_a_later_version() {
    let hash = |len| (0, b"h".to_vec(), None, Held::Object(sample_hash(len, true)));
    for len in [3, 200] {
        let entries = [hash(len)];
        let bytes = write(&entries, Version::Twelve);
        assert!(bytes.starts_with(b"REDIS0012"));
        let found = read(&bytes).expect("it was written just now");
        assert_eq!(describe_all(&found), describe_all(&entries));
    }
    let mut bytes = Vec::new();
    let head = Head {
        version: Version::Ten,
        times: TIMES,
        created: 0,
        memory: 0,
        log: Some("7-00000001"),
    };
    let mut writer = FileWriter::begin(&mut bytes, head).expect("a vector takes all");
    let (database, key, deadline, held) = hash(3);
    assert!(writer.entry(database, &key, deadline, held.content()).is_err());
}

#[test]
fn when_a_consumer_was_active_is_kept_by_the_later_version() {
    let stream = Held::Object(sample_stream(3).into_object());
    let active = |version| {
        let entries = [(0, b"s".to_vec(), None, stream.clone())];
        let found = read(&write(&entries, version)).expect("it was written just now");
        let Held::Object(Object::Stream(stream)) = &found[0].3 else { panic!("no stream") };
        let group = stream.group(b"busy").expect("a group");
        group.consumers().map(Consumer::active_at).collect::<Vec<_>>()
    };
    assert_eq!(active(Version::Twelve), [None, Some(2_000_000)]);
    // When it was seen is the best that is known.
    assert_eq!(active(Version::Ten), [Some(2_000_000), Some(2_000_001)]);
}

#[test]
fn a_payload_of_everything() {
    let mut scratch = Vec::new();
    for (_, _, _, held) in samples() {
        let payload = payload::write(held.content(), TIMES);
        let found = payload::read(&payload, TIMES, &mut scratch).expect("it is whole");
        assert_eq!(Held::of(found).describe(), held.describe());
    }
}

#[test]
fn databases_are_loaded_with_what_has_expired() {
    let entries = samples();
    let bytes = write(&entries, Version::Ten);
    let databases = Databases::new(16, (&ManualClock::new()).into(), Maintenance::new(false));
    let mut steps = Vec::new();
    let loading = load(&mut &bytes[..], &databases, &mut |done| steps.push(done));
    let loading = loading.expect("it was written just now");
    assert!(entries.iter().any(|entry| entry.2.is_some()));
    assert_eq!((loading.keys, loading.functions), (entries.len() as u64, 0));
    assert_eq!((loading.bytes, steps.last()), (bytes.len() as u64, Some(&loading.bytes)));
    let keys: usize = databases.shards().map(|(_, shard)| shard.read().len()).sum();
    assert_eq!(keys as u64, loading.keys);
    databases.shards().for_each(|(_, shard)| shard.read().check(databases.hasher()));
}

#[test]
fn a_database_that_is_not_there_is_an_error() {
    let entries = [(3, b"key".to_vec(), None, Held::String(Vec::new()))];
    let bytes = write(&entries, Version::Ten);
    let databases = Databases::new(3, (&ManualClock::new()).into(), Maintenance::new(false));
    let loading = load(&mut &bytes[..], &databases, &mut |_| ());
    assert_eq!(loading, Err(crate::Error::TooFewDatabases { used: 3, count: 3 }));
}

/// Short strings, integers of all widths, long strings.
fn string() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        any::<i16>().prop_map(|number| number.to_string().into_bytes()),
        (any::<u8>(), 0..9000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn held() -> impl Strategy<Value = Held> {
    let strings = || prop::collection::vec(string(), 1..300);
    prop_oneof![
        string().prop_map(Held::String),
        strings().prop_map(|elements| {
            let mut list = List::default();
            elements.iter().for_each(|element| list.push(ListEnd::Back, element));
            Held::Object(list.into_object())
        }),
        strings().prop_map(|members| {
            let mut set = Set::default();
            members.iter().for_each(|member| _ = set.insert(member));
            Held::Object(set.into_object())
        }),
        prop::collection::vec((string(), any::<f64>()), 1..200).prop_map(|members| {
            let mut set = SortedSet::default();
            for (member, score) in members {
                let score = Score::new(score).unwrap_or(Score::MAX);
                set.insert(&member, score.unsigned_zero());
            }
            Held::Object(set.into_object())
        }),
        prop::collection::vec((string(), string()), 1..200).prop_map(|fields| {
            let mut hash = Hash::default();
            fields.iter().for_each(|(name, value)| _ = hash.put(name, value, None));
            Held::Object(hash.into_object())
        }),
        prop::collection::vec((1..9_u64, string(), string()), 1..300).prop_map(|entries| {
            let mut stream = Stream::default();
            let mut ms = 0;
            for (step, name, value) in &entries {
                ms += step;
                let id = StreamId::new(ms, u64::from(ms.is_multiple_of(2)) << 63);
                stream.append(id, &[(name, value)]).expect("ids grow");
                if step == &1 {
                    stream.remove(id);
                }
            }
            Held::Object(stream.into_object())
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_entries(held in prop::collection::vec((string(), 0..4_u16, held()), 0..8)) {
        let entry = |(key, database, held)| (database, key, None, held);
        let entries: Vec<Entry> = held.into_iter().map(entry).collect();
        let found = read(&write(&entries, Version::Ten)).expect("it was written just now");
        prop_assert_eq!(describe_all(&found), describe_all(&entries));
    }
}
