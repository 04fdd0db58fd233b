//! All data as text, for people who look at a test that fails.

use std::fmt::Write;

use crate::store::Store;
use crate::value::Value;
use crate::wire::{Decoder, Frame};

/// All data of a store as text: database by database, key by key in order, with types, times to
/// live and contents. Members of sets and fields of hashes are sorted, so the same data are the
/// same text, which a test may compare. An empty store is an empty text.
///
/// `O(n log n)` in all that the store holds; not atomic.
///
/// ```
/// use std::time::Duration;
/// use larder::{ManualClock, Store};
/// use larder::testing::dump;
///
/// let store = Store::builder().clock(&ManualClock::new()).build();
/// store.kv().set_for("greeting", "hello", Duration::from_secs(60))?;
/// store.sorted_set("board").add("ada", 1.5)?;
/// assert_eq!(
///     dump(&store),
///     r#"database 0
///   "board": zset
///     "ada" 1.5
///   "greeting": string, expires in 60.000 s
///     "hello"
/// "#
/// );
/// # Ok::<(), larder::Error>(())
/// ```
pub fn dump(store: &Store) -> String {
    let mut text = String::new();
    for number in 0..store.databases().count() {
        let Ok(database) = store.database(number) else { continue };
        let mut keys = strings(ask(&database, &[b"KEYS", b"*"]));
        keys.sort();
        if !keys.is_empty() {
            let _ = writeln!(text, "database {number}");
        }
        keys.iter().for_each(|key| dump_key(&database, key, &mut text));
    }
    text
}

fn dump_key(store: &Store, key: &[u8], text: &mut String) {
    let Frame::Simple(kind) = ask(store, &[b"TYPE", key]) else { return };
    let _ = write!(text, "  {}: {}", quoted(key), kind.escape_ascii());
    if let Frame::Integer(millis @ 0..) = ask(store, &[b"PTTL", key]) {
        let _ = write!(text, ", expires in {}.{:03} s", millis / 1000, millis % 1000);
    }
    text.push('\n');
    for line in lines(store, &kind, key) {
        let _ = writeln!(text, "    {line}");
    }
}

/// The content of a key, line by line.
fn lines(store: &Store, kind: &[u8], key: &[u8]) -> Vec<String> {
    let one = |name: &[u8]| ask(store, &[name, key]);
    let range = |name: &[u8], from: &[u8], to: &[u8]| elements(ask(store, &[name, key, from, to]));
    match kind {
        b"string" => vec![shown(&one(b"GET"))],
        b"list" => range(b"LRANGE", b"0", b"-1").iter().map(shown).collect(),
        b"set" => sorted(elements(one(b"SMEMBERS"))),
        b"hash" => sorted(elements(one(b"HGETALL"))),
        b"zset" => {
            let scored = ask(store, &[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]);
            elements(scored).iter().map(shown).collect()
        }
        b"stream" => {
            let entries = range(b"XRANGE", b"-", b"+");
            let groups = elements(ask(store, &[b"XINFO", b"GROUPS", key]));
            let groups = groups.iter().map(|group| format!("group: {}", shown(group)));
            entries.iter().map(shown).chain(groups).collect()
        }
        _ => Vec::new(),
    }
}

fn ask(store: &Store, argv: &[&[u8]]) -> Frame {
    let reply = store.answer(argv, true);
    let decoded = Decoder::default().decode(&reply).ok().flatten();
    decoded.map_or(Frame::Null, |(frame, _)| frame)
}

/// The elements of a reply; of a map, its pairs.
fn elements(reply: Frame) -> Vec<Frame> {
    match reply {
        Frame::Array(items) | Frame::Set(items) => items,
        Frame::Map(pairs) => {
            pairs.into_iter().map(|(key, value)| Frame::Array(vec![key, value])).collect()
        }
        _ => Vec::new(),
    }
}

fn strings(reply: Frame) -> Vec<Value> {
    let bytes = |frame| match frame {
        Frame::Bulk(bytes) => Some(bytes),
        _ => None,
    };
    elements(reply).into_iter().filter_map(bytes).collect()
}

fn sorted(frames: Vec<Frame>) -> Vec<String> {
    let mut lines: Vec<String> = frames.iter().map(shown).collect();
    lines.sort();
    lines
}

/// A reply in one line: elements are separated by spaces, labelled ones by commas.
fn shown(frame: &Frame) -> String {
    let all = |items: &[Frame]| items.iter().map(shown).collect::<Vec<_>>().join(" ");
    match frame {
        Frame::Simple(text) | Frame::Bulk(text) => quoted(text),
        Frame::Integer(value) => value.to_string(),
        Frame::Double(value) => value.to_string(),
        Frame::Array(items) | Frame::Set(items) => all(items),
        Frame::Map(pairs) => {
            let label = |key: &Frame| shown(key).trim_matches('"').to_owned();
            let pair = |(key, value): &(Frame, Frame)| format!("{} {}", label(key), shown(value));
            pairs.iter().map(pair).collect::<Vec<_>>().join(", ")
        }
        _ => String::from("nothing"),
    }
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}
