//! `COMMAND`: what commands there are, told from the tables that run them.

use super::table::{self, Entry, FLAG_NAMES};
use super::{Answer, SYNTAX, Session, docs, keys};
use crate::data::glob::Glob;
use crate::wire::Encoder;
use crate::wire::table::{BLOCKING, FAST, READONLY, WRITE};

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
    let (first, last, step) = keys::span(entry.keys());
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
    keys::describe(entry, encoder);
    let subcommands = entry.subcommands();
    encoder.array(subcommands.len());
    subcommands.into_iter().for_each(|entry| describe(entry, encoder));
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
    let keys = keys::find(argv)?;
    let mut encoder = session.encoder();
    encoder.array(keys.len());
    keys.iter().for_each(|(key, _)| encoder.bulk(key));
    Ok(())
}

pub(super) fn get_keys_and_flags(session: &mut Session, argv: &[&[u8]]) -> Answer {
    let keys = keys::find(argv)?;
    let mut encoder = session.encoder();
    encoder.array(keys.len());
    for (key, used) in keys {
        encoder.array(2);
        encoder.bulk(key);
        keys::write_use(used, &mut encoder);
    }
    Ok(())
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
