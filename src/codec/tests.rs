//! The formats against themselves: what is written reads back, and damage is seen, to the bit.

mod capture;
mod damage;
mod old;
mod round_trip;

use std::collections::BTreeMap;

use super::file::{FileReader, FileWriter, Head};
use super::{Content, Loaded, Times, Version};
use crate::data::hash::Hash;
use crate::data::list::{List, ListEnd};
use crate::data::set::Set;
use crate::data::sorted_set::{Score, SortedSet};
use crate::data::stream::{Stream, StreamId};
use crate::error::Result;
use crate::keyspace::{Data, Object};
use crate::value::Value;

/// The store's time lags behind the wall's.
const TIMES: Times = Times { wall_offset: 1_000_000 };

/// What a key holds, for tests.
#[derive(Clone)]
enum Held {
    String(Vec<u8>),
    Object(Object),
}

impl Held {
    fn content(&self) -> Content<'_> {
        match self {
            Self::String(string) => Content::String(string),
            Self::Object(object) => Content::Object(object),
        }
    }

    fn of(loaded: Loaded<'_>) -> Self {
        match loaded {
            Loaded::String(string) => Self::String(string.to_vec()),
            Loaded::Object(object) => {
                object.check();
                Self::Object(object)
            }
        }
    }

    /// All that can be told from outside, in an order that does not depend on hash seeds.
    fn describe(&self) -> String {
        match self {
            Self::String(string) => format!("{:?}", Value::from(&string[..])),
            Self::Object(object) => describe(object),
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.describe())
    }
}

fn describe(object: &Object) -> String {
    match object {
        Object::List(list) => {
            let elements = list.elements(0..list.len());
            format!("list {:?}", elements.map(|element| element.to_value()).collect::<Vec<_>>())
        }
        Object::Set(set) => {
            let mut members: Vec<Value> = set.iter().map(|member| member.to_value()).collect();
            members.sort();
            format!("set {members:?}")
        }
        Object::SortedSet(set) => {
            format!("sorted set {:?}", set.entries(0..set.len()).collect::<Vec<_>>())
        }
        Object::Hash(hash) => {
            let fields = hash.live(None);
            let fields: BTreeMap<_, _> = fields
                .iter()
                .map(|field| (Value::from(field.name), (field.value(), field.deadline)))
                .collect();
            format!("hash {fields:?}")
        }
        Object::Stream(stream) => describe_stream(stream),
    }
}

fn describe_stream(stream: &Stream) -> String {
    let entries: Vec<String> = stream.runs().flatten().map(|entry| format!("{entry:?}")).collect();
    let mut text = format!(
        "stream {entries:?} {} {} {}",
        stream.last_id(),
        stream.max_deleted_id(),
        stream.entries_added()
    );
    for (name, group) in stream.groups() {
        text += &format!(
            " group {:?} {} {:?} {:?}",
            Value::from(name),
            group.last_delivered(),
            group.entries_read(),
            group.all_pending().collect::<Vec<_>>()
        );
        for consumer in group.consumers() {
            let (name, seen_at) = (Value::from(consumer.name()), consumer.seen_at());
            text += &format!(" consumer {name:?} {seen_at}");
        }
    }
    text
}

/// Entries of a file: database, key, deadline, what is under the key.
type Entry = (u16, Vec<u8>, Option<u64>, Held);

fn write(entries: &[Entry], version: Version) -> Vec<u8> {
    let mut bytes = Vec::new();
    let head = Head { version, times: TIMES, created: 1, memory: 2, log: None };
    let mut writer = FileWriter::begin(&mut bytes, head).expect("a vector takes all");
    for (database, key, deadline, held) in entries {
        writer.entry(*database, key, *deadline, held.content()).expect("a vector takes all");
    }
    let length = writer.finish().expect("a vector takes all");
    assert_eq!(length, bytes.len() as u64);
    bytes
}

fn read(bytes: &[u8]) -> Result<Vec<Entry>> {
    let mut bytes = bytes;
    let mut reader = FileReader::open(&mut bytes, TIMES)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let held = Held::of(entry.loaded);
        entries.push((entry.database as u16, entry.key.to_vec(), entry.deadline, held));
    }
    reader.expect_end()?;
    Ok(entries)
}

fn describe_all(entries: &[Entry]) -> Vec<String> {
    let describe = |(database, key, deadline, held): &Entry| {
        format!("{database} {:?} {deadline:?} {}", Value::from(&key[..]), held.describe())
    };
    entries.iter().map(describe).collect()
}

/// An entry of every type in every form that is written.
fn samples() -> Vec<Entry> {
    let object = |data: Object| Held::Object(data);
    let strings = [&b""[..], b"0", b"-129", b"70000", b"-2147483648", b"2147483648", b"text"];
    let strings = strings.iter().map(|text| Held::String(text.to_vec()));
    let mut all: Vec<Held> = strings.collect();
    all.push(Held::String(vec![b'x'; 70_000]));
    all.extend([2, 3000].map(|len| object(sample_list(len))));
    all.extend([3, 600].map(|len| object(sample_integers(len))));
    all.extend([3, 200].map(|len| object(sample_set(len))));
    all.extend([3, 200].map(|len| object(sample_scores(len))));
    all.extend([3, 200].map(|len| object(sample_hash(len, false))));
    all.extend([0, 3, 250].map(|len| object(sample_stream(len).into_object())));
    let deadline = |at: usize| (at.is_multiple_of(3)).then_some(5_000_000 + at as u64);
    let entry = |(at, held): (usize, Held)| {
        let key = if at == 0 { Vec::new() } else { format!("key:{at}\0\u{ff}").into_bytes() };
        ((at / 8) as u16, key, deadline(at), held)
    };
    all.into_iter().enumerate().map(entry).collect()
}

fn sample_list(len: usize) -> Object {
    let mut list = List::default();
    for at in 0..len {
        list.push(ListEnd::Back, format!("element {at}").as_bytes());
        list.push(ListEnd::Back, format!("{}", at as i64 * 77_777_777_777 - 5000).as_bytes());
    }
    list.push(ListEnd::Back, &vec![0xff; 20_000]);
    list.into_object()
}

fn sample_integers(len: i64) -> Object {
    let mut set = Set::default();
    (0..len).for_each(|at| assert!(set.insert(format!("{}", at * 1001 - 9).as_bytes())));
    set.into_object()
}

fn sample_set(len: usize) -> Object {
    let mut set = Set::default();
    (0..len).for_each(|at| assert!(set.insert(format!("member {at}").as_bytes())));
    set.into_object()
}

fn sample_scores(len: usize) -> Object {
    let mut set = SortedSet::default();
    for at in 0..len {
        let score = [at as f64, -0.1 * at as f64, f64::INFINITY, -1e300][at % 4];
        set.insert(format!("{at}").as_bytes(), Score::new(score).expect("a score"));
    }
    set.into_object()
}

fn sample_hash(len: usize, dated: bool) -> Object {
    let mut hash = Hash::default();
    for at in 0..len {
        let deadline = (dated && at % 2 == 0).then_some(7_000_000 - at as u64);
        hash.put(format!("field {at}").as_bytes(), format!("{at}").as_bytes(), deadline);
    }
    hash.into_object()
}

fn sample_stream(len: u64) -> Stream {
    let mut stream = Stream::default();
    for at in 1..=len {
        let id = StreamId::new(at / 3 + 1, at);
        let (value, other) = (format!("{at}"), format!("{}", at % 5));
        let fields: &[(&[u8], &[u8])] = match at % 7 {
            6 => &[(other.as_bytes(), value.as_bytes())],
            _ => &[(b"name", value.as_bytes()), (b"12", other.as_bytes())],
        };
        stream.append(id, fields).expect("ids grow");
    }
    if len > 2 {
        stream.remove(StreamId::new(1, 2));
    }
    stream.create_group(b"idle", StreamId::MIN, None);
    stream.create_group(b"busy", StreamId::new(1, 1), Some(1));
    let mut group = stream.group_mut(b"busy").expect("it was created");
    assert!(group.restore_consumer(b"ann", 2_000_000, None));
    assert!(group.restore_consumer(b"bob", 2_000_001, Some(2_000_000)));
    group.restore_pending(StreamId::new(1, 2), b"ann", 1_999_999, 3);
    group.restore_pending(StreamId::new(1, 1), b"bob", 1_999_998, 1);
    drop(group);
    stream
}
