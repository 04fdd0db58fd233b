//! Values without their keys: which type stands for what a key holds, and the body behind it.

use smallvec::SmallVec;

use super::input::Input;
use super::listpack;
use super::output::Sink;
use super::{Content, Times, Version, intset, kind, stream, ziplist, zipmap};
use crate::data::hash::Hash;
use crate::data::list::{List, ListEnd};
use crate::data::set::Set;
use crate::data::sorted_set::{Score, SortedSet};
use crate::error::{Error, Result};
use crate::keyspace::{Data, Object};
use crate::number;
use crate::value::Value;

/// A node of a list is closed before it takes more bytes than this, as by Redis's default.
const NODE: usize = 8192;
/// What Redis adds to an element for its head when it asks whether a node has room.
const HEAD: usize = 8;
/// A node of a list that packs elements; any other is one element by itself.
const PACKED_NODE: u64 = 2;
const PLAIN_NODE: u64 = 1;
/// The most members of a sorted set that Redis packs, as by its default.
const MOST_PACKED: usize = 128;

/// An element of what packs several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element<'b> {
    Integer(i64),
    Bytes(&'b [u8]),
}

impl Element<'_> {
    /// Its bytes; an integer's digits are in `digits`.
    pub(super) fn text<'t>(&'t self, digits: &'t mut itoa::Buffer) -> &'t [u8] {
        match self {
            Self::Integer(number) => digits.format(*number).as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    fn to_value(self) -> Value {
        Value::from(self.text(&mut itoa::Buffer::new()))
    }
}

/// The number of the type that a value is written as.
pub(super) fn kind_of(content: Content<'_>, version: Version) -> u8 {
    match content {
        Content::String(_) => kind::STRING,
        Content::Object(Object::List(_)) => kind::LIST_QUICKLIST_2,
        Content::Object(Object::Set(set)) if set.is_of_integers() => kind::SET_INTSET,
        Content::Object(Object::Set(_)) => kind::SET,
        Content::Object(Object::SortedSet(set)) if is_small(set) => kind::SORTED_SET_LISTPACK,
        Content::Object(Object::SortedSet(_)) => kind::SORTED_SET_2,
        Content::Object(Object::Hash(hash)) if hash.earliest_deadline().is_some() => {
            kind::HASH_DATED
        }
        Content::Object(Object::Hash(hash)) if hash.is_packed() => kind::HASH_LISTPACK,
        Content::Object(Object::Hash(_)) => kind::HASH,
        Content::Object(Object::Stream(_)) => match version {
            Version::Ten => kind::STREAM_2,
            Version::Twelve => kind::STREAM_3,
        },
    }
}

/// Whether Redis would keep the set in a listpack.
fn is_small(set: &SortedSet) -> bool {
    const LONGEST_MEMBER: usize = 64;
    set.len() <= MOST_PACKED
        && set.entries(0..set.len()).all(|(member, _)| member.len() <= LONGEST_MEMBER)
}

/// Writes what stands behind the number of the type (and behind the key, in a file).
pub(super) fn write(sink: &mut impl Sink, content: Content<'_>, version: Version, times: Times) {
    match content {
        Content::String(string) => sink.string(string),
        Content::Object(Object::List(list)) => write_list(sink, list),
        Content::Object(Object::Set(set)) => write_set(sink, set),
        Content::Object(Object::SortedSet(set)) => write_sorted_set(sink, set),
        Content::Object(Object::Hash(hash)) => write_hash(sink, hash, times),
        Content::Object(Object::Stream(data)) => stream::write(sink, data, version, times),
    }
}

/// Nodes are counted before they are written, so the list is gone over twice.
fn write_list(sink: &mut impl Sink, list: &List) {
    let has_room = |used: usize, element: &[u8]| used + element.len() + HEAD <= NODE;
    let (mut nodes, mut used) = (0, usize::MAX - NODE);
    for element in list.elements(0..list.len()) {
        if !has_room(used.min(NODE + 1), &element) {
            nodes += 1;
            used = listpack::EMPTY;
        }
        used += listpack::element_len(&element);
    }
    sink.length(nodes);
    let mut node = listpack::Writer::new();
    for element in list.elements(0..list.len()) {
        if !node.is_empty() && !has_room(node.len(), &element) {
            sink.length(PACKED_NODE);
            sink.bytes(&node.finish());
        }
        node.push(&element);
    }
    sink.length(PACKED_NODE);
    sink.bytes(&node.finish());
}

fn write_set(sink: &mut impl Sink, set: &Set) {
    if set.is_of_integers() {
        let integers: Vec<i64> =
            set.iter().filter_map(|member| number::parse_integer(&member)).collect();
        return sink.bytes(&intset::write(&integers));
    }
    sink.length(set.len() as u64);
    set.iter().for_each(|member| sink.string(&member));
}

fn write_sorted_set(sink: &mut impl Sink, set: &SortedSet) {
    let entries = set.entries(0..set.len());
    if is_small(set) {
        let mut packed = listpack::Writer::new();
        for (member, score) in entries {
            packed.push(member);
            packed.push(&number::format_double(score.get()));
        }
        return sink.bytes(&packed.finish());
    }
    sink.length(set.len() as u64);
    // The last first, as Redis does, which then puts each in front of all that it has.
    for (member, score) in entries.rev() {
        sink.string(member);
        sink.put(&score.get().to_le_bytes());
    }
}

fn write_hash(sink: &mut impl Sink, hash: &Hash, times: Times) {
    let fields = hash.live(None);
    if let Some(earliest) = hash.earliest_deadline() {
        let earliest = times.unix_of_field(earliest);
        sink.millis(earliest);
        sink.length(fields.len() as u64);
        for field in fields.iter() {
            // From the earliest on, and zero for none.
            let unix = field.deadline.map(|deadline| times.unix_of_field(deadline));
            let after = unix.map(|unix| unix.abs_diff(earliest) + 1);
            sink.length(after.unwrap_or(0));
            sink.string(field.name);
            sink.string(field.bytes);
        }
    } else if hash.is_packed() {
        let mut packed = listpack::Writer::new();
        for field in fields.iter() {
            packed.push(field.name);
            packed.push(field.bytes);
        }
        sink.bytes(&packed.finish());
    } else {
        sink.length(fields.len() as u64);
        for field in fields.iter() {
            sink.string(field.name);
            sink.string(field.bytes);
        }
    }
}

/// How a value is to be read.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    /// Whether Valkey wrote it, which has given numbers meanings of its own.
    pub(super) is_valkey: bool,
    pub(super) times: Times,
}

/// Reads what is no string, of this type; `None` for a collection without elements, which Redis
/// once wrote by mistake.
pub(super) fn read_object(
    input: &mut Input<'_>,
    kind: u8,
    dialect: Dialect,
    scratch: &mut Vec<u8>,
) -> Result<Option<Object>> {
    let times = dialect.times;
    let object = match kind {
        kind::LIST => read_list(input, scratch)?.into_object(),
        kind::LIST_ZIPLIST => {
            let mut list = List::default();
            read_ziplist_node(input, &mut list, scratch)?;
            list.into_object()
        }
        kind::LIST_QUICKLIST => {
            let mut list = List::default();
            for _ in 0..input.length()? {
                read_ziplist_node(input, &mut list, scratch)?;
            }
            list.into_object()
        }
        kind::LIST_QUICKLIST_2 => read_quicklist(input, scratch)?.into_object(),
        kind::SET => read_set(input, scratch)?.into_object(),
        kind::SET_INTSET => read_intset(input, scratch)?.into_object(),
        kind::SET_LISTPACK => read_packed_set(input, scratch)?.into_object(),
        kind::SORTED_SET | kind::SORTED_SET_2 => {
            read_sorted_set(input, kind, scratch)?.into_object()
        }
        kind::SORTED_SET_ZIPLIST | kind::SORTED_SET_LISTPACK => {
            read_packed_sorted_set(input, kind, scratch)?.into_object()
        }
        kind::HASH => read_hash(input, scratch, |_| Ok(None), |_| Ok(None))?.into_object(),
        kind::HASH_ZIPMAP | kind::HASH_ZIPLIST | kind::HASH_LISTPACK => {
            read_packed_hash(input, kind, times, scratch)?.into_object()
        }
        kind::HASH_DATED_EARLY | kind::HASH_DATED if !dialect.is_valkey => {
            read_dated_hash(input, kind, times, scratch)?.into_object()
        }
        kind::HASH_DATED_EARLY => {
            let after = |input: &mut Input<'_>| match input.millis()? {
                -1 => Ok(None),
                unix => Ok(Some(times.store_of_field(unix))),
            };
            read_hash(input, scratch, |_| Ok(None), after)?.into_object()
        }
        kind::HASH_DATED_LISTPACK_EARLY | kind::HASH_DATED_LISTPACK if !dialect.is_valkey => {
            if kind == kind::HASH_DATED_LISTPACK {
                input.millis()?;
            }
            read_packed_hash(input, kind, times, scratch)?.into_object()
        }
        kind::STREAM | kind::STREAM_2 | kind::STREAM_3 => {
            stream::read(input, kind, times, scratch)?.into_object()
        }
        kind::STREAM_4 | kind::STREAM_5 if !dialect.is_valkey => {
            stream::read(input, kind, times, scratch)?.into_object()
        }
        kind::MODULE | kind::MODULE_2 => return Err(module_value(input, kind)),
        kind => return Err(input.corrupt(unsupported(kind, dialect))),
    };
    Ok(object.may_live().then_some(object))
}

/// Says what is not read.
fn unsupported(kind: u8, dialect: Dialect) -> String {
    let what = match (dialect.is_valkey, kind) {
        (false, 28) => "an array, of Redis 8.8",
        (false, 29..=32) => "a hash with a template, of Redis 8.10",
        (false, 33) => "a rate limiter, of Redis 8.10",
        (true, 23) => "a hash of paths, of Valkey 9.2",
        _ => return format!("a value of the unknown type {kind}"),
    };
    format!("{what}: not supported")
}

/// Passes over numbers and strings that a module of Redis has written, up to their end.
pub(super) fn skip_module_data(
    input: &mut Input<'_>,
    scratch: &mut Vec<u8>,
    of: &str,
) -> Result<()> {
    loop {
        match input.length()? {
            0 => return Ok(()),
            1 | 2 => {
                input.length()?;
            }
            3 => {
                input.array::<4>()?;
            }
            4 => {
                input.array::<8>()?;
            }
            5 => input.blob(scratch)?,
            _ => return Err(input.corrupt(format!("damaged data of {of}"))),
        }
    }
}

/// Stands before the type of a value in Redis: what modules keep with the key. In Valkey it is
/// something else.
pub(super) const KEY_DATA: u8 = 243;

/// Passes over what modules keep with a key: how many do, and for each a word and its data.
pub(super) fn skip_key_data(input: &mut Input<'_>, scratch: &mut Vec<u8>) -> Result<()> {
    for _ in 0..input.length()? {
        input.array::<4>()?;
        skip_module_data(input, scratch, "a module with a key")?;
    }
    Ok(())
}

/// The error of a value that only a module of Redis could read.
fn module_value(input: &mut Input<'_>, kind: u8) -> Error {
    if kind == kind::MODULE {
        return input.corrupt("a value of a module, in a form before its release");
    }
    match input.length() {
        Ok(id) => {
            let name = module_name(id);
            input.corrupt(format!("a value of the module type {name}, which is not supported"))
        }
        Err(error) => error,
    }
}

/// The name in the id of a module's type: nine characters of six bits above ten of its version.
pub(super) fn module_name(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let letter = |place: u32| char::from(LETTERS[(id >> (58 - 6 * place)) as usize & 63]);
    (0..9).map(letter).collect()
}

fn read_list(input: &mut Input<'_>, scratch: &mut Vec<u8>) -> Result<List> {
    let mut list = List::default();
    for _ in 0..input.length()? {
        input.string(scratch)?;
        list.push(ListEnd::Back, scratch);
    }
    Ok(list)
}

fn read_quicklist(input: &mut Input<'_>, scratch: &mut Vec<u8>) -> Result<List> {
    let mut list = List::default();
    for _ in 0..input.length()? {
        match input.length()? {
            PLAIN_NODE => {
                input.string(scratch)?;
                list.push(ListEnd::Back, scratch);
            }
            PACKED_NODE => {
                input.blob(scratch)?;
                for element in listpack_elements(input, scratch)? {
                    list.push(ListEnd::Back, element?.text(&mut itoa::Buffer::new()));
                }
            }
            _ => return Err(input.corrupt("a node of a list in an unknown form")),
        }
    }
    Ok(list)
}

fn read_ziplist_node(input: &mut Input<'_>, list: &mut List, scratch: &mut Vec<u8>) -> Result<()> {
    input.blob(scratch)?;
    for element in ziplist_elements(input, scratch)? {
        list.push(ListEnd::Back, element?.text(&mut itoa::Buffer::new()));
    }
    Ok(())
}

fn listpack_elements<'b>(
    input: &Input<'_>,
    bytes: &'b [u8],
) -> Result<impl Iterator<Item = Result<Element<'b>>>> {
    sound(input, listpack::read(bytes), "a damaged listpack")
}

fn ziplist_elements<'b>(
    input: &Input<'_>,
    bytes: &'b [u8],
) -> Result<impl Iterator<Item = Result<Element<'b>>>> {
    sound(input, ziplist::read(bytes), "a damaged ziplist")
}

/// Elements as long as there is none that is `damaged`.
fn sound<'b>(
    input: &Input<'_>,
    elements: Option<impl Iterator<Item = Option<Element<'b>>>>,
    damaged: &'static str,
) -> Result<impl Iterator<Item = Result<Element<'b>>>> {
    let damaged = move || input.corrupt(damaged);
    Ok(elements.ok_or_else(damaged)?.map(move |element| element.ok_or_else(damaged)))
}

fn read_set(input: &mut Input<'_>, scratch: &mut Vec<u8>) -> Result<Set> {
    let mut set = Set::default();
    for _ in 0..input.length()? {
        input.string(scratch)?;
        if !set.insert(scratch) {
            return Err(input.corrupt("a member twice in a set"));
        }
    }
    Ok(set)
}

fn read_intset(input: &mut Input<'_>, scratch: &mut Vec<u8>) -> Result<Set> {
    input.blob(scratch)?;
    let integers = intset::read(scratch).ok_or_else(|| input.corrupt("a damaged intset"))?;
    let (mut set, mut last) = (Set::default(), None);
    for integer in integers {
        if last.replace(integer).is_some_and(|last| last >= integer) {
            return Err(input.corrupt("a member twice or misplaced in a set"));
        }
        set.insert(itoa::Buffer::new().format(integer).as_bytes());
    }
    Ok(set)
}

fn read_packed_set(input: &mut Input<'_>, scratch: &mut Vec<u8>) -> Result<Set> {
    input.blob(scratch)?;
    let mut set = Set::default();
    for element in listpack_elements(input, scratch)? {
        if !set.insert(element?.text(&mut itoa::Buffer::new())) {
            return Err(input.corrupt("a member twice in a set"));
        }
    }
    Ok(set)
}

fn read_sorted_set(input: &mut Input<'_>, kind: u8, scratch: &mut Vec<u8>) -> Result<SortedSet> {
    let mut entries = Vec::new();
    for _ in 0..input.length()? {
        input.string(scratch)?;
        let score = match kind {
            kind::SORTED_SET_2 => Some(f64::from_le_bytes(input.array()?)),
            _ => read_score_text(input)?,
        };
        entries.push((Value::from(&scratch[..]), checked_score(input, score)?));
    }
    sorted_set_of(input, entries)
}

/// A score in digits behind their number, which is 253 for NaN and more for infinities.
fn read_score_text(input: &mut Input<'_>) -> Result<Option<f64>> {
    let length = match input.byte()? {
        253 => return Ok(None),
        254 => return Ok(Some(f64::INFINITY)),
        255 => return Ok(Some(f64::NEG_INFINITY)),
        length => length,
    };
    let mut text = [0; 253];
    for byte in &mut text[..length.into()] {
        *byte = input.byte()?;
    }
    Ok(number::parse_float(&text[..length.into()]))
}

fn checked_score(input: &Input<'_>, score: Option<f64>) -> Result<Score> {
    let score = score.and_then(Score::new).map(Score::unsigned_zero);
    score.ok_or_else(|| input.corrupt("a score that is no number"))
}

fn sorted_set_of(input: &Input<'_>, entries: Vec<(Value, Score)>) -> Result<SortedSet> {
    SortedSet::from_entries(entries).ok_or_else(|| twice_in_sorted_set(input))
}

fn twice_in_sorted_set(input: &Input<'_>) -> Error {
    input.corrupt("a member twice in a sorted set")
}

fn read_packed_sorted_set(
    input: &mut Input<'_>,
    kind: u8,
    scratch: &mut Vec<u8>,
) -> Result<SortedSet> {
    input.blob(scratch)?;
    match kind {
        kind::SORTED_SET_ZIPLIST => sorted_set_of_pairs(input, ziplist_elements(input, scratch)?),
        _ => sorted_set_of_pairs(input, listpack_elements(input, scratch)?),
    }
}

/// Members with their scores behind them.
fn sorted_set_of_pairs<'b>(
    input: &Input<'_>,
    mut elements: impl Iterator<Item = Result<Element<'b>>>,
) -> Result<SortedSet> {
    /// The members behind these are added one by one, so that those who are there a million times
    /// do not take the memory of a million.
    const AT_ONCE: usize = 1024;
    let mut entries = SmallVec::<[(Value, Score); MOST_PACKED]>::new();
    while entries.len() < AT_ONCE
        && let Some(pair) = next_pair(input, &mut elements)?
    {
        entries.push(pair);
    }
    let mut set = sorted_set_of(input, entries.into_vec())?;
    while let Some((member, score)) = next_pair(input, &mut elements)? {
        if set.insert_value(&member, score).is_some() {
            return Err(twice_in_sorted_set(input));
        }
    }
    Ok(set)
}

#[inline]
fn next_pair<'b>(
    input: &Input<'_>,
    elements: &mut impl Iterator<Item = Result<Element<'b>>>,
) -> Result<Option<(Value, Score)>> {
    let Some(member) = elements.next().transpose()? else { return Ok(None) };
    let score = match elements.next().transpose()? {
        Some(Element::Integer(number)) => Some(number as f64),
        Some(Element::Bytes(text)) => number::parse_float(text),
        None => return Err(input.corrupt("a member without a score")),
    };
    Ok(Some((member.to_value(), checked_score(input, score)?)))
}

/// Fields with their values; `before` and `after` read a field's deadline, from before its name
/// or from behind its value.
fn read_hash(
    input: &mut Input<'_>,
    scratch: &mut Vec<u8>,
    before: impl Fn(&mut Input<'_>) -> Result<Option<u64>>,
    after: impl Fn(&mut Input<'_>) -> Result<Option<u64>>,
) -> Result<Hash> {
    let mut hash = Hash::default();
    let mut name = Vec::new();
    for _ in 0..input.length()? {
        let deadline = before(input)?;
        input.string(&mut name)?;
        input.string(scratch)?;
        let deadline = after(input)?.or(deadline);
        if hash.put(&name, scratch, deadline).existed {
            return Err(input.corrupt("a field twice in a hash"));
        }
    }
    Ok(hash)
}

/// Deadlines are counted from the earliest, less one; before the release of Redis 7.4 they were
/// not.
fn read_dated_hash(
    input: &mut Input<'_>,
    kind: u8,
    times: Times,
    scratch: &mut Vec<u8>,
) -> Result<Hash> {
    let base = match kind {
        kind::HASH_DATED => input.millis()?.wrapping_sub(1),
        _ => 0,
    };
    let deadline = |input: &mut Input<'_>| match input.length()? {
        0 => Ok(None),
        after => {
            let unix = i64::try_from(after).ok().and_then(|after| base.checked_add(after));
            let unix = unix.ok_or_else(|| input.corrupt("a deadline beyond all time"))?;
            Ok(Some(times.store_of_field(unix)))
        }
    };
    read_hash(input, scratch, deadline, |_| Ok(None))
}

fn read_packed_hash(
    input: &mut Input<'_>,
    kind: u8,
    times: Times,
    scratch: &mut Vec<u8>,
) -> Result<Hash> {
    input.blob(scratch)?;
    match kind {
        kind::HASH_ZIPMAP => {
            let elements = sound(input, zipmap::read(scratch), "a damaged zipmap")?;
            hash_of(input, elements, None)
        }
        kind::HASH_ZIPLIST => hash_of(input, ziplist_elements(input, scratch)?, None),
        kind::HASH_LISTPACK => hash_of(input, listpack_elements(input, scratch)?, None),
        _ => hash_of(input, listpack_elements(input, scratch)?, Some(times)),
    }
}

/// Fields with their values behind them, and their deadlines behind these if there are `times`.
fn hash_of<'b>(
    input: &Input<'_>,
    mut elements: impl Iterator<Item = Result<Element<'b>>>,
    times: Option<Times>,
) -> Result<Hash> {
    let incomplete = || input.corrupt("a field without a value or a deadline");
    let mut hash = Hash::default();
    while let Some(name) = elements.next() {
        let (name, value) = (name?, elements.next().ok_or_else(incomplete)??);
        let deadline = match times {
            None => None,
            Some(times) => match elements.next().ok_or_else(incomplete)?? {
                Element::Integer(0) => None,
                Element::Integer(unix @ 1..) => Some(times.store_of_field(unix)),
                _ => return Err(incomplete()),
            },
        };
        let (mut name_digits, mut value_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (name, value) = (name.text(&mut name_digits), value.text(&mut value_digits));
        if hash.put(name, value, deadline).existed {
            return Err(input.corrupt("a field twice in a hash"));
        }
    }
    Ok(hash)
}
