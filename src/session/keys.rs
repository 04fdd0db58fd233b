//! Where the keys of a request stand, and how it uses them, as `COMMAND` tells.
//!
//! A command uses all its keys in one way, or its first in one way and the others in another. Some
//! say only in their arguments how: [`use_of_arguments`].

use super::Failure;
use super::table::{self, Entry};
use crate::number;
use crate::wire::Encoder;
use crate::wire::table::KeyPositions;

/// How keys are used, in Redis's words.
type Use = &'static str;

const READ: Use = "RO access";
/// What only looks like a key: a channel of a shard.
const NO_KEY: Use = "not_key";

/// How commands use their keys, and how they use the others if that is not how they use the first;
/// commands that are missing read them.
#[rustfmt::skip]
static USES: &[(Use, Use, &[&str])] = &[
    ("RO", "RO", &[
        "EXISTS", "HEXISTS", "HLEN", "HSTRLEN", "LLEN", "MEMORY|USAGE", "OBJECT|ENCODING",
        "OBJECT|FREQ", "OBJECT|IDLETIME", "OBJECT|REFCOUNT", "SCARD", "SISMEMBER", "STRLEN",
        "TOUCH", "TYPE", "WATCH", "XLEN", "ZCARD",
    ]),
    (NO_KEY, NO_KEY, &["SPUBLISH", "SSUBSCRIBE", "SUNSUBSCRIBE"]),
    (READ, "OW update", &["COPY", "SORT"]),
    (READ, READ, &["XREADGROUP"]),
    ("OW insert", "OW insert", &["MSETNX", "SETNX"]),
    ("OW update", "OW update", &["MSET", "MSETEX", "PSETEX", "RESTORE", "SETEX"]),
    ("OW update", READ, &[
        "BITOP", "SDIFFSTORE", "SUNIONSTORE", "ZDIFFSTORE", "ZINTERSTORE", "ZRANGESTORE",
        "ZUNIONSTORE",
    ]),
    ("RW update", READ, &["SINTERSTORE"]),
    ("RM delete", "RM delete", &["DEL", "UNLINK"]),
    ("RW access delete", "RW access delete", &[
        "BLMPOP", "BLPOP", "BRPOP", "BZMPOP", "BZPOPMAX", "BZPOPMIN", "DELEX", "GETDEL", "HGETDEL",
        "LMPOP", "LPOP", "RPOP", "SPOP", "ZMPOP", "ZPOPMAX", "ZPOPMIN",
    ]),
    ("RW access delete", "RW insert", &["BLMOVE", "BRPOPLPUSH", "LMOVE", "RPOPLPUSH", "SMOVE"]),
    ("RW access delete", "OW update", &["RENAME"]),
    ("RW access delete", "OW insert", &["RENAMENX"]),
    ("RW access update", "RW access update", &[
        "BITFIELD", "DECR", "DECRBY", "GETEX", "GETSET", "HGETEX", "HINCRBY", "HINCRBYFLOAT",
        "INCR", "INCRBY", "INCRBYFLOAT", "INCREX", "MOVE", "SET", "SETBIT", "ZINCRBY",
    ]),
    ("RW delete", "RW delete", &[
        "HDEL", "LREM", "LTRIM", "SREM", "XACKDEL", "XAUTOCLAIM", "XDEL", "XDELEX",
        "XGROUP|DELCONSUMER", "XGROUP|DESTROY", "XTRIM", "ZREM", "ZREMRANGEBYLEX",
        "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE",
    ]),
    ("RW insert", "RW insert", &[
        "APPEND", "HSETNX", "LINSERT", "LPUSH", "LPUSHX", "RPUSH", "RPUSHX", "SADD",
        "XGROUP|CREATE", "XGROUP|CREATECONSUMER",
    ]),
    ("RW update", "RW update", &[
        "EXPIRE", "EXPIREAT", "HEXPIRE", "HEXPIREAT", "HMSET", "HPERSIST", "HPEXPIRE",
        "HPEXPIREAT", "HSET", "HSETEX", "LSET", "PERSIST", "PEXPIRE", "PEXPIREAT", "SETRANGE",
        "XACK", "XADD", "XCLAIM", "XGROUP|SETID", "XSETID", "ZADD",
    ]),
];

/// How a command uses its first key, and how the others.
fn uses(entry: Entry) -> (Use, Use) {
    let row = USES.iter().find(|(_, _, names)| names.contains(&entry.name()));
    row.map_or((READ, READ), |(first, others, _)| (first, others))
}

/// How a command uses its first key by what its arguments say, if they do.
fn use_of_arguments(entry: Entry, argv: &[&[u8]]) -> Option<Use> {
    let options = argv.get(2..)?;
    match entry.name() {
        "SET" => {
            let reads = options.iter().skip(1).any(|word| word.eq_ignore_ascii_case(b"GET"));
            Some(if reads { "RW access update" } else { "OW update" })
        }
        "BITFIELD" => Some(if only_reads_fields(options) { READ } else { "RW access update" }),
        _ => None,
    }
}

/// Whether the steps of a `BITFIELD` change nothing, as far as they make sense.
fn only_reads_fields(mut steps: &[&[u8]]) -> bool {
    while let Some((word, rest)) = steps.split_first() {
        let length = match &word.to_ascii_uppercase()[..] {
            b"GET" => 2,
            b"OVERFLOW" => 1,
            _ => return false,
        };
        let Some(rest) = rest.get(length..) else { return false };
        steps = rest;
    }
    true
}

/// The keys of a request with how they are used, or what is wrong with it.
pub(super) fn find<'a>(argv: &[&'a [u8]]) -> Result<Vec<(&'a [u8], Use)>, Failure> {
    let Some((name, arguments)) = argv.split_first() else {
        return Err("ERR Invalid command specified".into());
    };
    let command = table::resolve(name, arguments);
    let Ok(command) = command else { return Err("ERR Invalid command specified".into()) };
    let entry = command.entry;
    let (first, others) = uses(entry);
    if entry.keys() == KeyPositions::None || first == NO_KEY {
        return Err("ERR The command has no key arguments".into());
    }
    if !entry.takes(argv.len()) {
        return Err("ERR Invalid number of arguments specified for command".into());
    }
    let first = use_of_arguments(entry, argv).unwrap_or(first);
    let uses = std::iter::once(first).chain(std::iter::repeat(others));
    match keys_of(entry.keys(), argv) {
        Some(keys) if !keys.is_empty() => Ok(keys.into_iter().zip(uses).collect()),
        _ => Err("ERR Invalid arguments specified for command".into()),
    }
}

/// The keys of a request; `None` if its counts contradict its length.
fn keys_of<'a>(keys: KeyPositions, argv: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    let counted = |count: u8, step: usize| {
        let count = usize::from(count);
        let number = number::parse_integer(argv.get(count)?)?;
        let number = usize::try_from(number).ok().filter(|number| *number > 0)?;
        let all = argv.get(count + 1..)?;
        if number.checked_mul(step)? > all.len() {
            return None;
        }
        Some(all.iter().step_by(step).take(number).copied().collect::<Vec<_>>())
    };
    match keys {
        KeyPositions::None => Some(Vec::new()),
        KeyPositions::Range { first, last, step } => {
            let last = match usize::try_from(last) {
                Ok(last) => last,
                Err(_) => argv.len().checked_sub(usize::from(last.unsigned_abs()))?,
            };
            let range = argv.get(usize::try_from(first).ok()?..=last)?;
            Some(range.iter().step_by(usize::from(step)).copied().collect())
        }
        KeyPositions::Counted { count, destination } => {
            let destination = destination.and_then(|place| argv.get(usize::from(place)));
            let keys = counted(count, 1)?;
            Some(destination.copied().into_iter().chain(keys).collect())
        }
        KeyPositions::CountedPairs { count } => counted(count, 2),
        KeyPositions::Streams { from } => {
            let is_word = |word: &&[u8]| word.eq_ignore_ascii_case(b"STREAMS");
            let words = argv.get(usize::from(from)..)?;
            let behind = &words[words.iter().position(is_word)? + 1..];
            Some(behind[..behind.len() / 2].to_vec())
        }
        KeyPositions::FirstAndStored => {
            let (key, options) = argv.get(1..)?.split_first()?;
            Some(std::iter::once(*key).chain(stored(options)).collect())
        }
    }
}

/// What stands behind the last `STORE` among the options of `SORT`.
fn stored<'a>(mut options: &[&'a [u8]]) -> Option<&'a [u8]> {
    let mut found = None;
    while let Some((word, rest)) = options.split_first() {
        let skipped = match &word.to_ascii_uppercase()[..] {
            b"LIMIT" => 2,
            b"GET" | b"BY" => 1,
            b"STORE" => {
                found = rest.first().copied().or(found);
                0
            }
            _ => 0,
        };
        options = rest.get(skipped..).unwrap_or_default();
    }
    found
}

/// The first key, the last, and the step, as far as they are known without the arguments.
pub(super) fn span(keys: KeyPositions) -> (i64, i64, i64) {
    match keys {
        KeyPositions::Range { first, last, step } => (first.into(), last.into(), step.into()),
        KeyPositions::Counted { destination: Some(place), .. } => (place.into(), place.into(), 1),
        KeyPositions::FirstAndStored => (1, 1, 1),
        _ => (0, 0, 0),
    }
}

/// Writes where a command's keys are found.
pub(super) fn describe(entry: Entry, encoder: &mut Encoder<'_>) {
    let specifications = specifications(entry);
    encoder.array(specifications.len());
    for (used, specification) in specifications {
        let mut flags: Vec<&str> = used.split(' ').collect();
        if use_of_arguments(entry, &[b"", b"", b""]).is_some() {
            flags.push("variable_flags");
        }
        encoder.map(3);
        encoder.bulk(b"flags");
        write_flags(&flags, encoder);
        specification.write(encoder);
    }
}

/// Writes how keys are used.
pub(super) fn write_use(used: Use, encoder: &mut Encoder<'_>) {
    write_flags(&used.split(' ').collect::<Vec<_>>(), encoder);
}

fn write_flags(flags: &[&str], encoder: &mut Encoder<'_>) {
    encoder.set(flags.len());
    flags.iter().for_each(|flag| encoder.simple(flag.as_bytes()));
}

/// Keys that stand together.
enum Specification {
    /// From a first one on, up to one that is so far behind it or, if negative, from the end.
    Range {
        first: i64,
        last: i64,
        step: i64,
    },
    Counted {
        count: i64,
        step: i64,
    },
    Streams {
        from: i64,
    },
    /// Told by the arguments in a way that this has no words for.
    Unknown,
}

/// Where the keys of a command stand, those by themselves that are used in one way.
fn specifications(entry: Entry) -> Vec<(Use, Specification)> {
    let (first_use, use_of_others) = uses(entry);
    let one = |place: i64| (first_use, Specification::Range { first: place, last: 0, step: 1 });
    let mut found = match entry.keys() {
        KeyPositions::None => Vec::new(),
        KeyPositions::Range { first, last, step } => {
            let (first, step) = (i64::from(first), i64::from(step));
            let behind = |first: i64| match last {
                0.. => i64::from(last) - first,
                _ => i64::from(last),
            };
            let range = |first| Specification::Range { first, last: behind(first), step };
            match first_use == use_of_others {
                true => vec![(first_use, range(first))],
                false => vec![one(first), (use_of_others, range(first + 1))],
            }
        }
        KeyPositions::Counted { count, destination } => destination
            .map(|place| one(place.into()))
            .into_iter()
            .chain([(use_of_others, Specification::Counted { count: count.into(), step: 1 })])
            .collect(),
        KeyPositions::CountedPairs { count } => {
            vec![(first_use, Specification::Counted { count: count.into(), step: 2 })]
        }
        KeyPositions::Streams { from } => {
            vec![(first_use, Specification::Streams { from: from.into() })]
        }
        KeyPositions::FirstAndStored => vec![one(1), (use_of_others, Specification::Unknown)],
    };
    if matches!(entry.name(), "SORT" | "SORT_RO") {
        // The keys that `BY` and `GET` look up.
        found.insert(1, (READ, Specification::Unknown));
    }
    found
}

impl Specification {
    fn write(&self, encoder: &mut Encoder<'_>) {
        match *self {
            Self::Range { first, last, step } => {
                write_step(encoder, "begin_search", "index", &[("index", first)]);
                let spec = [("lastkey", last), ("keystep", step), ("limit", 0)];
                write_step(encoder, "find_keys", "range", &spec);
            }
            Self::Counted { count, step } => {
                write_step(encoder, "begin_search", "index", &[("index", count)]);
                let spec = [("keynumidx", 0), ("firstkey", 1), ("keystep", step)];
                write_step(encoder, "find_keys", "keynum", &spec);
            }
            Self::Streams { from } => {
                encoder.bulk(b"begin_search");
                encoder.map(2);
                encoder.bulk(b"type");
                encoder.bulk(b"keyword");
                encoder.bulk(b"spec");
                encoder.map(2);
                encoder.bulk(b"keyword");
                encoder.bulk(b"STREAMS");
                encoder.bulk(b"startfrom");
                encoder.integer(from);
                let spec = [("lastkey", -1), ("keystep", 1), ("limit", 2)];
                write_step(encoder, "find_keys", "range", &spec);
            }
            Self::Unknown => {
                write_step(encoder, "begin_search", "unknown", &[]);
                write_step(encoder, "find_keys", "unknown", &[]);
            }
        }
    }
}

fn write_step(encoder: &mut Encoder<'_>, step: &str, kind: &str, spec: &[(&str, i64)]) {
    encoder.bulk(step.as_bytes());
    encoder.map(2);
    encoder.bulk(b"type");
    encoder.bulk(kind.as_bytes());
    encoder.bulk(b"spec");
    encoder.map(spec.len());
    for (name, value) in spec {
        encoder.bulk(name.as_bytes());
        encoder.integer(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::table::WRITE;

    #[test]
    fn every_command_that_changes_keys_says_how() {
        let named: Vec<&str> =
            USES.iter().flat_map(|(_, _, names)| names.iter().copied()).collect();
        for name in &named {
            assert!(table::find_full(name.as_bytes()).is_some(), "{name} is none");
            assert_eq!(named.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
        for entry in table::all() {
            let changes = entry.has_flag(WRITE) && entry.keys() != KeyPositions::None;
            assert!(!changes || named.contains(&entry.name()), "{} is missing", entry.name());
        }
    }
}
