//! `COMMAND`: what commands there are, told from the tables that run them.

use super::table::{self, Entry, FLAG_NAMES};
use super::{Answer, Failure, SYNTAX, Session, docs};
use crate::data::glob::Glob;
use crate::number;
use crate::wire::Encoder;
use crate::wire::table::{BLOCKING, FAST, KeyPositions, READONLY, WRITE};

pub(super) fn all(session: &mut Session, _: &[&[u8]]) -> Answer {
    let mut encoder = session.encoder();
    encoder.array(table::commands().count());
    table::commands().for_each(|entry| describe(entry, &mut encoder));
    Ok(())
}

pub(super) fn count(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.integer(table::commands().count() as i64)
}

/// `COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]`.
pub(super) fn list(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let all = || table::all().iter().copied();
    let names: Vec<String> = match *arguments {
        [] => table::commands().map(lower).collect(),
        [filter, kind, value] if filter.eq_ignore_ascii_case(b"FILTERBY") => {
            match &kind.to_ascii_uppercase()[..] {
                b"MODULE" => Vec::new(),
                b"ACLCAT" => {
                    let wanted = String::from_utf8_lossy(value).to_ascii_lowercase();
                    let wanted = format!("@{wanted}");
                    let is_wanted = |entry: &Entry| categories(*entry).contains(&&*wanted);
                    all().filter(is_wanted).map(lower).collect()
                }
                b"PATTERN" => {
                    let glob = Glob::new(&value.to_ascii_lowercase());
                    all().map(lower).filter(|name| glob.matches(name.as_bytes())).collect()
                }
                _ => return Err(SYNTAX.into()),
            }
        }
        _ => return Err(SYNTAX.into()),
    };
    let mut encoder = session.encoder();
    encoder.array(names.len());
    names.iter().for_each(|name| encoder.bulk(name.as_bytes()));
    Ok(())
}

fn lower(entry: Entry) -> String {
    entry.name().to_ascii_lowercase()
}

pub(super) fn info(session: &mut Session, names: &[&[u8]]) -> Answer {
    if names.is_empty() {
        return all(session, names);
    }
    let mut encoder = session.encoder();
    encoder.array(names.len());
    for name in names {
        match table::find_full(name) {
            Some(entry) => describe(entry, &mut encoder),
            None => encoder.null(),
        }
    }
    Ok(())
}

/// Writes what `COMMAND INFO` tells of a command.
fn describe(entry: Entry, encoder: &mut Encoder<'_>) {
    let (first, last, step) = span(entry.keys());
    let mut flags: Vec<&str> = FLAG_NAMES
        .iter()
        .filter(|(flag, _)| entry.all_flags() & flag != 0)
        .map(|(_, name)| *name)
        .collect();
    match entry.name() {
        "EXEC" => flags.push("skip_slowlog"),
        "SAVE" | "BGSAVE" | "BGREWRITEAOF" => flags.push("no_async_loading"),
        _ => {}
    }
    let categories = categories(entry);
    encoder.array(10);
    encoder.bulk(lower(entry).as_bytes());
    encoder.integer(entry.arity().into());
    encoder.set(flags.len());
    flags.iter().for_each(|flag| encoder.simple(flag.as_bytes()));
    for position in [first, last, step] {
        encoder.integer(position);
    }
    encoder.set(categories.len());
    categories.iter().for_each(|category| encoder.simple(category.as_bytes()));
    // Tips for clients of a cluster.
    encoder.array(0);
    describe_keys(entry, encoder);
    let subcommands = entry.subcommands();
    encoder.array(subcommands.len());
    subcommands.into_iter().for_each(|entry| describe(entry, encoder));
}

/// The first key, the last, and the step, as far as they are known without the arguments.
fn span(keys: KeyPositions) -> (i64, i64, i64) {
    match keys {
        KeyPositions::Range { first, last, step } => (first.into(), last.into(), step.into()),
        KeyPositions::Counted { destination: Some(place), .. } => (place.into(), place.into(), 1),
        _ => (0, 0, 0),
    }
}

/// Writes where a command's keys are found.
fn describe_keys(entry: Entry, encoder: &mut Encoder<'_>) {
    let specifications: Vec<KeySpecification> = match entry.keys() {
        KeyPositions::None => Vec::new(),
        KeyPositions::Range { first, last, step } => vec![KeySpecification::Range {
            first: first.into(),
            last: if last > 0 { i64::from(last - first) } else { last.into() },
            step: step.into(),
        }],
        KeyPositions::Counted { count, destination } => destination
            .map(|place| KeySpecification::Range { first: place.into(), last: 0, step: 1 })
            .into_iter()
            .chain([KeySpecification::Counted { count: count.into(), step: 1 }])
            .collect(),
        KeyPositions::CountedPairs { count } => {
            vec![KeySpecification::Counted { count: count.into(), step: 2 }]
        }
        KeyPositions::Streams => vec![KeySpecification::Streams],
    };
    encoder.array(specifications.len());
    for specification in specifications {
        specification.write(entry, encoder);
    }
}

enum KeySpecification {
    Range { first: i64, last: i64, step: i64 },
    Counted { count: i64, step: i64 },
    Streams,
}

impl KeySpecification {
    fn write(&self, entry: Entry, encoder: &mut Encoder<'_>) {
        encoder.map(3);
        encoder.bulk(b"flags");
        let flags = access(entry);
        encoder.set(flags.len());
        flags.iter().for_each(|flag| encoder.simple(flag.as_bytes()));
        match *self {
            Self::Range { first, last, step } => {
                write_search(encoder, "index", &[("index", first)]);
                let spec = [("lastkey", last), ("keystep", step), ("limit", 0)];
                write_step(encoder, "find_keys", "range", &spec);
            }
            Self::Counted { count, step } => {
                write_search(encoder, "index", &[("index", count)]);
                let spec = [("keynumidx", 0), ("firstkey", 1), ("keystep", step)];
                write_step(encoder, "find_keys", "keynum", &spec);
            }
            Self::Streams => {
                encoder.bulk(b"begin_search");
                encoder.map(2);
                encoder.bulk(b"type");
                encoder.bulk(b"keyword");
                encoder.bulk(b"spec");
                encoder.map(2);
                encoder.bulk(b"keyword");
                encoder.bulk(b"STREAMS");
                encoder.bulk(b"startfrom");
                encoder.integer(1);
                let spec = [("lastkey", -1), ("keystep", 1), ("limit", 2)];
                write_step(encoder, "find_keys", "range", &spec);
            }
        }
    }
}

fn write_search(encoder: &mut Encoder<'_>, kind: &str, spec: &[(&str, i64)]) {
    write_step(encoder, "begin_search", kind, spec);
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

/// How a command uses its keys: it reads them, or it reads and changes them.
fn access(entry: Entry) -> [&'static str; 2] {
    match entry.has_flag(WRITE) {
        true => ["RW", "update"],
        false => ["RO", "access"],
    }
}

/// The categories of a command, as `ACL` would know them.
fn categories(entry: Entry) -> Vec<&'static str> {
    let mut categories = Vec::new();
    let flags = entry.all_flags();
    let by_flag = [
        (WRITE, "@write"),
        (READONLY, "@read"),
        (table::ADMIN, "@admin"),
        (table::PUBSUB, "@pubsub"),
        (FAST, "@fast"),
        (BLOCKING, "@blocking"),
        (table::ADMIN, "@dangerous"),
    ];
    categories.extend(by_flag.iter().filter(|(flag, _)| flags & flag != 0).map(|(_, name)| *name));
    if flags & FAST == 0 {
        categories.push("@slow");
    }
    let name = entry.name().split('|').next().unwrap_or_default();
    if DANGEROUS.contains(&name) && !categories.contains(&"@dangerous") {
        categories.push("@dangerous");
    }
    if matches!(name, "LASTSAVE" | "ROLE") {
        categories.push("@admin");
    }
    if entry.is_container() && entry.action().is_none() {
        return categories;
    }
    if matches!(name, "SORT" | "SORT_RO") {
        categories.extend(["@list", "@set", "@sortedset"]);
        return categories;
    }
    if DATA_OF_ALL.contains(&name) {
        categories.push("@keyspace");
    }
    let group = match docs::find(name).map_or("", |doc| doc.group) {
        _ if ["COMMAND", "WAIT", "WAITAOF"].contains(&name) => "@connection",
        "generic" => "@keyspace",
        "sorted-set" => "@sortedset",
        "string" => "@string",
        "hash" => "@hash",
        "list" => "@list",
        "set" => "@set",
        "stream" => "@stream",
        "bitmap" => "@bitmap",
        "connection" => "@connection",
        "transactions" => "@transaction",
        _ => return categories,
    };
    categories.push(group);
    categories
}

/// Commands of the server that are about keys.
const DATA_OF_ALL: &[&str] = &["DBSIZE", "FLUSHDB", "FLUSHALL", "SWAPDB"];

/// Commands that look at all data, or end something, without being administration.
const DANGEROUS: &[&str] = &[
    "KEYS", "SORT", "SORT_RO", "FLUSHDB", "FLUSHALL", "SWAPDB", "INFO", "ROLE", "LASTSAVE",
    "RESTORE",
];

/// What there is to say of every command asked for; [`docs`] tells why no arguments.
pub(super) fn docs(session: &mut Session, names: &[&[u8]]) -> Answer {
    let entries: Vec<Entry> = match names {
        [] => table::commands().collect(),
        names => names.iter().filter_map(|name| table::find_full(name)).collect(),
    };
    let mut encoder = session.encoder();
    encoder.map(entries.len());
    entries.into_iter().for_each(|entry| document(entry, &mut encoder));
    Ok(())
}

fn document(entry: Entry, encoder: &mut Encoder<'_>) {
    let subcommands = entry.subcommands();
    let fields: Vec<(&str, &str)> = docs::find(entry.name())
        .map(|doc| {
            vec![
                ("summary", doc.summary),
                ("since", doc.since),
                ("group", doc.group),
                ("complexity", doc.complexity),
            ]
        })
        .unwrap_or_default();
    encoder.bulk(lower(entry).as_bytes());
    encoder.map(fields.len() + usize::from(!subcommands.is_empty()));
    for (name, text) in fields {
        encoder.bulk(name.as_bytes());
        encoder.bulk(text.as_bytes());
    }
    if !subcommands.is_empty() {
        encoder.bulk(b"subcommands");
        encoder.map(subcommands.len());
        subcommands.into_iter().for_each(|entry| document(entry, encoder));
    }
}

pub(super) fn get_keys(session: &mut Session, argv: &[&[u8]]) -> Answer {
    let (_, keys) = find_keys(argv)?;
    let mut encoder = session.encoder();
    encoder.array(keys.len());
    keys.iter().for_each(|key| encoder.bulk(key));
    Ok(())
}

pub(super) fn get_keys_and_flags(session: &mut Session, argv: &[&[u8]]) -> Answer {
    let (entry, keys) = find_keys(argv)?;
    let flags = access(entry);
    let mut encoder = session.encoder();
    encoder.array(keys.len());
    for key in keys {
        encoder.array(2);
        encoder.bulk(key);
        encoder.set(flags.len());
        flags.iter().for_each(|flag| encoder.simple(flag.as_bytes()));
    }
    Ok(())
}

fn find_keys<'a>(argv: &[&'a [u8]]) -> Result<(Entry, Vec<&'a [u8]>), Failure> {
    let Some((name, arguments)) = argv.split_first() else {
        return Err("ERR Invalid command specified".into());
    };
    let command = table::resolve(name, arguments);
    let Ok(command) = command else { return Err("ERR Invalid command specified".into()) };
    let entry = command.entry;
    if entry.keys() == KeyPositions::None {
        return Err("ERR The command has no key arguments".into());
    }
    if !entry.takes(argv.len()) {
        return Err("ERR Invalid number of arguments specified for command".into());
    }
    match keys_of(entry.keys(), argv) {
        Some(keys) if !keys.is_empty() => Ok((entry, keys)),
        _ => Err("ERR Invalid arguments specified for command".into()),
    }
}

/// The keys of a request; `None` if its counts contradict its length.
pub(super) fn keys_of<'a>(keys: KeyPositions, argv: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    let counted = |count: u8, step: usize| {
        let count = usize::from(count);
        let number = number::parse_integer(argv.get(count)?)?;
        let number = usize::try_from(number).ok()?;
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
        KeyPositions::Streams => {
            let is_word = |word: &&[u8]| word.eq_ignore_ascii_case(b"STREAMS");
            let behind = &argv[argv.iter().position(is_word)? + 1..];
            behind.len().is_multiple_of(2).then(|| behind[..behind.len() / 2].to_vec())
        }
    }
}

pub(super) fn help(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.lines(&[
        "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "(no subcommand): what INFO tells, of all commands",
        "COUNT: how many commands there are",
        "DOCS [<command> ...]: what each command does, since when, and at what cost",
        "GETKEYS <request>: the keys of a request",
        "GETKEYSANDFLAGS <request>: the keys of a request and how it uses them",
        "INFO [<command> ...]: arity, flags and keys of each command",
        "LIST [FILTERBY MODULE|ACLCAT|PATTERN <value>]: the names of commands",
        "HELP: this text",
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_documented_and_nothing_else() {
        let names: Vec<&str> = table::all().iter().map(|entry| entry.name()).collect();
        for name in &names {
            assert!(docs::find(name).is_some(), "{name} has no documentation");
        }
        for name in docs::names() {
            assert!(names.contains(&name), "{name} is documented and there is none");
        }
    }
}
