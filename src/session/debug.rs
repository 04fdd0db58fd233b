//! `DEBUG`: what test suites of clients ask a server for.

use std::time::Duration;

use super::{Answer, Failure, Session, digest};
use crate::keyspace::Space;
use crate::keyspace::access::{Access, Read};
use crate::number;
use crate::ops::{self, encoding::EncodingOf, uses::ReferenceCount};
use crate::persist::{Directory, Location};
use crate::rdb;
use crate::sync::Arc;
use crate::wire::Protocol;

const PROTOCOL_TYPES: &str = "ERR Wrong protocol type name. Please use one of the following: \
    string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";

pub(super) fn debug(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let (given, rest) = (arguments[0], &arguments[1..]);
    match (&given.to_ascii_uppercase()[..], rest) {
        (b"SLEEP", [seconds]) => sleep(session, seconds),
        (b"SET-ACTIVE-EXPIRE", [value]) => {
            let is_on = number::parse_integer(value).unwrap_or(0) != 0;
            session.shared.databases().maintenance.leave_expired(!is_on);
            session.ok()
        }
        (b"OBJECT", [key] | [key, _]) => object(session, key),
        (b"DIGEST", []) => {
            let digest = digest::of_all(session.shared.databases());
            session.encoder().simple(digest.text().as_bytes());
            Ok(())
        }
        (b"DIGEST-VALUE", keys) => digest_values(session, keys),
        (b"PROTOCOL", [kind]) => protocol(session, kind),
        (b"LOADAOF", []) => load_log(session),
        (b"RELOAD", options) => reload(session, options),
        (b"QUICKLIST-PACKED-THRESHOLD", [size]) => packed_threshold(session, size),
        // There is no Java heap here either; clients of other servers ask for one.
        (b"JMAP", _) => session.ok(),
        (b"ERROR", [text]) => Err(text.to_vec().into()),
        (b"CHANGE-REPL-ID", []) | (b"LOG", [_]) => session.ok(),
        (b"HELP", []) => help(session),
        _ => Err(Failure::Usage),
    }
}

/// Has this client wait, and no other: a store is not one thread's.
fn sleep(session: &mut Session, seconds: &[u8]) -> Answer {
    let seconds = number::parse_float(seconds).unwrap_or(0.0);
    let wait = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    if session.is_executing || wait.is_zero() {
        return session.ok();
    }
    session.delay(Some(wait), b"+OK\r\n");
    Ok(())
}

/// `DEBUG LOADAOF`: makes the log durable and reads it back. Nobody sees anything in between, and
/// what is read is logged once more. Only a directory can be read while a store has it open.
fn load_log(session: &mut Session) -> Answer {
    let store = &session.shared.store;
    let log = store.log().ok_or(super::persistence::NOT_KEPT)?;
    let Some(Location { path, folder, file_name }) = log.location().cloned() else {
        return Err("ERR the log is not in a directory: it is read when it is opened only".into());
    };
    let directory = Directory::new(path).folder_name(folder).file_name(file_name);
    rdb::reload_log(store, log, &directory)?;
    session.ok()
}

/// `DEBUG RELOAD [MERGE] [NOFLUSH] [NOSAVE]`: saves all data and reads it back.
///
/// Redis drops what it has in between, unless `NOFLUSH` keeps it, and then `MERGE` says that what
/// is read takes its place. Here nobody sees anything in between, so all of that is the same. There
/// is no file that something else has saved, for `NOSAVE` to read.
fn reload(session: &mut Session, options: &[&[u8]]) -> Answer {
    let is = |word: &str| options.iter().any(|option| option.eq_ignore_ascii_case(word.as_bytes()));
    let known = |option: &&[u8]| {
        ["MERGE", "NOFLUSH", "NOSAVE"]
            .iter()
            .any(|word| option.eq_ignore_ascii_case(word.as_bytes()))
    };
    if !options.iter().all(known) {
        return Err("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.".into());
    }
    if is("NOSAVE") {
        return Err("ERR there is no file to load: what is reloaded is saved just before".into());
    }
    if is("NOFLUSH") && !is("MERGE") && session.shared.store.stats().keys > 0 {
        return Err("ERR with NOFLUSH all keys are there already, which takes MERGE".into());
    }
    rdb::reload(&session.shared.store)?;
    session.ok()
}

fn digest_values(session: &mut Session, keys: &[&[u8]]) -> Answer {
    let shared = Arc::clone(&session.shared);
    let space = Space::new(shared.databases(), session.database);
    let mut encoder = session.encoder();
    encoder.array(keys.len());
    for key in keys {
        encoder.simple(digest::of_value(space, key).text().as_bytes());
    }
    Ok(())
}

fn object(session: &mut Session, key: &[u8]) -> Answer {
    let space = Space::new(session.shared.store.databases(), session.database);
    let encoding = ops::run(space, &EncodingOf { key })?.ok_or("ERR no such key")?;
    let sizes = Read::enter(space, key, |view| Ok(view.footprint().zip(view.idle_seconds())))?;
    let (bytes, idle) = sizes.unwrap_or_default();
    let shared = ops::run(space, &ReferenceCount { key })?.unwrap_or_default();
    let text = format!(
        "Value at:0x000000000000 refcount:{shared} encoding:{} serializedlength:{bytes} lru:0 \
         lru_seconds_idle:{idle}",
        encoding.name()
    );
    session.encoder().simple(text.as_bytes());
    Ok(())
}

fn packed_threshold(session: &mut Session, size: &[u8]) -> Answer {
    let size = super::config::parse_memory(&String::from_utf8_lossy(size));
    match size.filter(|size| *size < 4 << 30) {
        Some(_) => session.ok(),
        None => {
            Err("ERR argument must be a memory value bigger than 1 and smaller than 4gb".into())
        }
    }
}

/// Answers a value of one of the protocol's types.
#[allow(clippy::approx_constant, reason = "Redis answers just these digits")]
fn protocol(session: &mut Session, kind: &[u8]) -> Answer {
    let speaks = session.protocol;
    let mut encoder = session.encoder();
    match &kind.to_ascii_lowercase()[..] {
        b"string" => encoder.bulk(b"Hello World"),
        b"integer" => encoder.integer(12345),
        b"double" => encoder.double(3.141),
        b"null" => encoder.null(),
        b"array" => {
            encoder.array(3);
            (0..3).for_each(|number| encoder.integer(number));
        }
        b"set" => {
            encoder.set(3);
            (0..3).for_each(|number| encoder.integer(number));
        }
        b"map" => {
            encoder.map(3);
            for number in 0..3 {
                encoder.integer(number);
                encoder.boolean(number == 1);
            }
        }
        b"attrib" => {
            if speaks == Protocol::Resp3 {
                encoder.attribute(1);
                encoder.bulk(b"key-popularity");
                encoder.array(2);
                encoder.bulk(b"key:123");
                encoder.integer(90);
            }
            encoder.bulk(b"Some real reply following the attribute");
        }
        b"push" if speaks == Protocol::Resp2 => {
            return Err("ERR RESP2 is not supported by this command".into());
        }
        b"push" => {
            encoder.push(2);
            encoder.bulk(b"server-cpu-usage");
            encoder.integer(42);
            encoder.bulk(b"Some real reply following the push reply");
        }
        b"verbatim" => encoder.verbatim(*b"txt", b"This is a verbatim\nstring"),
        b"true" => encoder.boolean(true),
        b"false" => encoder.boolean(false),
        b"bignum" => encoder.big_number(b"1234567999999999999999999999999999999"),
        _ => return Err(PROTOCOL_TYPES.into()),
    }
    Ok(())
}

fn help(session: &mut Session) -> Answer {
    session.lines(&[
        "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DIGEST: a digest of all data",
        "DIGEST-VALUE <key> ...: a digest of each value",
        "ERROR <text>: that error",
        "JMAP: does nothing",
        "LOADAOF: makes the log durable and reads it back, if it is in a directory",
        "OBJECT <key>: what a key takes",
        "PROTOCOL <type>: a reply of that type",
        "QUICKLIST-PACKED-THRESHOLD <size>: remembered by nobody",
        "RELOAD [MERGE] [NOFLUSH]: writes all data as a file of Redis's and reads it back",
        "SET-ACTIVE-EXPIRE 0|1: whether what has expired is removed before it is met",
        "SLEEP <seconds>: has this client wait",
        "HELP: this text",
    ])
}
