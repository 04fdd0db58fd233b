//! `CLIENT`: what clients know and change of themselves and of each other.

use super::connection::check_name;
use super::registry::{Client, Reason};
use super::{Answer, Failure, NOT_AN_INTEGER, Replies, SYNTAX, Session};
use crate::number;
use crate::sync::Arc;
use crate::wire::error::shown;

/// The types that clients can be listed and killed by.
const TYPES: &[&str] = &["normal", "master", "replica", "pubsub"];

pub(super) fn id(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.integer(session.client.id as i64)
}

pub(super) fn set_name(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    check_name(arguments[0])?;
    session.client.edit(|details| details.name = arguments[0].to_vec());
    session.ok()
}

pub(super) fn get_name(session: &mut Session, _: &[&[u8]]) -> Answer {
    let name = session.client.read(|details| details.name.clone());
    match name.is_empty() {
        true => session.encoder().null(),
        false => session.encoder().bulk(&name),
    }
    Ok(())
}

/// `LIB-NAME` and `LIB-VER`, which drivers tell of themselves.
pub(super) fn set_info(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let [attribute, value] = *arguments else { return Err(SYNTAX.into()) };
    let lower = String::from_utf8_lossy(attribute).to_ascii_lowercase();
    if !matches!(lower.as_str(), "lib-name" | "lib-ver") {
        let text = [b"ERR Unrecognized option '", shown(attribute), b"'"].concat();
        return Err(text.into());
    }
    if check_name(value).is_err() {
        let text = format!("ERR {lower} cannot contain spaces, newlines or special characters.");
        return Err(text.into());
    }
    session.client.edit(|details| match lower.as_str() {
        "lib-name" => details.library.0 = value.to_vec(),
        _ => details.library.1 = value.to_vec(),
    });
    session.ok()
}

pub(super) fn info(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.describe();
    let mut line = session.client.line();
    line.push(b'\n');
    session.encoder().verbatim(*b"txt", &line);
    Ok(())
}

/// `CLIENT LIST [TYPE type | ID id ...]`.
pub(super) fn list(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    session.describe();
    let clients = match arguments {
        [] => session.shared.clients.all(),
        [option, kind] if option.eq_ignore_ascii_case(b"TYPE") => {
            let kind = read_type(kind)?;
            let mut clients = session.shared.clients.all();
            clients.retain(|client| client.kind() == kind);
            clients
        }
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"ID") && !ids.is_empty() => {
            let mut clients = Vec::new();
            for id in ids {
                let id = number::parse_integer(id).and_then(|id| u64::try_from(id).ok());
                let id = id.filter(|id| *id > 0).ok_or("ERR Invalid client ID")?;
                clients.extend(session.shared.clients.get(id));
            }
            clients
        }
        _ => return Err(SYNTAX.into()),
    };
    let mut text = Vec::new();
    for client in clients {
        text.extend_from_slice(&client.line());
        text.push(b'\n');
    }
    session.encoder().verbatim(*b"txt", &text);
    Ok(())
}

fn read_type(given: &[u8]) -> Result<&'static str, Failure> {
    let lower = String::from_utf8_lossy(given).to_ascii_lowercase();
    let name = if lower == "slave" { "replica" } else { &lower };
    let known = TYPES.iter().find(|known| **known == name);
    known.copied().ok_or_else(|| [b"ERR Unknown client type '", shown(given), b"'"].concat().into())
}

/// Which clients to kill.
struct Filter<'a> {
    id: Option<u64>,
    kind: Option<&'static str>,
    address: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    skips_itself: bool,
}

impl<'a> Filter<'a> {
    fn read(mut options: &[&'a [u8]]) -> Result<Self, Failure> {
        let mut filter =
            Self { id: None, kind: None, address: None, local: None, skips_itself: true };
        while let Some((option, rest)) = options.split_first() {
            let Some((value, rest)) = rest.split_first() else { return Err(SYNTAX.into()) };
            match &option.to_ascii_uppercase()[..] {
                b"ID" => {
                    let id = number::parse_integer(value).and_then(|id| u64::try_from(id).ok());
                    let id = id.filter(|id| *id > 0);
                    filter.id = Some(id.ok_or("ERR client-id should be greater than 0")?);
                }
                b"TYPE" => filter.kind = Some(read_type(value)?),
                b"ADDR" => filter.address = Some(value),
                b"LADDR" => filter.local = Some(value),
                b"USER" if *value == b"default" => {}
                b"USER" => {
                    return Err([b"ERR No such user '", shown(value), b"'"].concat().into());
                }
                b"SKIPME" => filter.skips_itself = read_yes(value)?,
                _ => return Err(SYNTAX.into()),
            }
            options = rest;
        }
        Ok(filter)
    }

    fn matches(&self, client: &Client) -> bool {
        self.id.is_none_or(|id| id == client.id)
            && self.kind.is_none_or(|kind| kind == client.kind())
            && self.address.is_none_or(|address| address == client.peer.address.as_bytes())
            && self.local.is_none_or(|local| local == client.peer.local.as_bytes())
    }
}

fn read_yes(value: &[u8]) -> Result<bool, Failure> {
    match &value.to_ascii_lowercase()[..] {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(SYNTAX.into()),
    }
}

/// `CLIENT KILL address`, which answers `OK`, or `CLIENT KILL option value ...`, which answers how
/// many.
pub(super) fn kill(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    session.describe();
    let (filter, is_old) = match *arguments {
        [address] => {
            let filter = Filter {
                id: None,
                kind: None,
                address: Some(address),
                local: None,
                skips_itself: false,
            };
            (filter, true)
        }
        ref options if options.len().is_multiple_of(2) => (Filter::read(options)?, false),
        _ => return Err(SYNTAX.into()),
    };
    let own = Arc::clone(&session.client);
    let mut killed = 0;
    for client in session.shared.clients.all() {
        let is_own = client.id == own.id;
        if !filter.matches(&client) || is_own && filter.skips_itself {
            continue;
        }
        killed += 1;
        // Its own reply is still to be sent.
        match is_own {
            true => session.state = super::State::Closing,
            false => session.shared.clients.kill(&client),
        }
    }
    match is_old {
        true if killed == 0 => Err("ERR No such client".into()),
        true => session.ok(),
        false => session.integer(killed),
    }
}

pub(super) fn unblock(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let (id, reason) = match *arguments {
        [id] => (id, Reason::Timeout),
        [id, reason] if reason.eq_ignore_ascii_case(b"TIMEOUT") => (id, Reason::Timeout),
        [id, reason] if reason.eq_ignore_ascii_case(b"ERROR") => (id, Reason::Error),
        [_, _] => return Err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR".into()),
        _ => return Err(Failure::Usage),
    };
    let id = number::parse_integer(id).ok_or(NOT_AN_INTEGER)?;
    let client = u64::try_from(id).ok().and_then(|id| session.shared.clients.get(id));
    let unblocked = client.is_some_and(|client| client.unblock(reason));
    session.integer(unblocked.into())
}

/// `CLIENT PAUSE milliseconds [WRITE | ALL]`.
pub(super) fn pause(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let writes_only = match *arguments {
        [_] => false,
        [_, mode] if mode.eq_ignore_ascii_case(b"ALL") => false,
        [_, mode] if mode.eq_ignore_ascii_case(b"WRITE") => true,
        [_, _] => return Err("ERR CLIENT PAUSE mode must be WRITE or ALL".into()),
        _ => return Err(Failure::Usage),
    };
    let millis = read_timeout(arguments[0])?;
    let now = session.shared.databases().clock.now();
    session.shared.clients.pause(now.saturating_add(millis), writes_only, now);
    session.ok()
}

/// A timeout in milliseconds.
pub(super) fn read_timeout(text: &[u8]) -> Result<u64, Failure> {
    let millis = number::parse_integer(text);
    let millis = millis.ok_or("ERR timeout is not an integer or out of range")?;
    u64::try_from(millis).map_err(|_| "ERR timeout is negative".into())
}

pub(super) fn unpause(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.shared.clients.unpause();
    session.ok()
}

pub(super) fn reply(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    match &arguments[0].to_ascii_uppercase()[..] {
        b"ON" => {
            session.replies = Replies::On;
            session.ok()
        }
        b"OFF" => {
            session.replies = Replies::Off;
            Ok(())
        }
        b"SKIP" => {
            if session.replies != Replies::Off {
                session.replies = Replies::SkipNext;
            }
            Ok(())
        }
        _ => Err(SYNTAX.into()),
    }
}

pub(super) fn no_evict(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let is_on = read_on(arguments[0])?;
    session.client.edit(|details| details.no_evict = is_on);
    session.ok()
}

pub(super) fn no_touch(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let is_on = read_on(arguments[0])?;
    session.client.edit(|details| details.no_touch = is_on);
    session.caller.set_renews(!is_on);
    session.ok()
}

fn read_on(value: &[u8]) -> Result<bool, Failure> {
    match &value.to_ascii_lowercase()[..] {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(SYNTAX.into()),
    }
}

pub(super) fn get_redirection(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.integer(-1)
}

pub(super) fn tracking_info(session: &mut Session, _: &[&[u8]]) -> Answer {
    let mut encoder = session.encoder();
    encoder.map(3);
    encoder.bulk(b"flags");
    encoder.set(1);
    encoder.bulk(b"off");
    encoder.bulk(b"redirect");
    encoder.integer(-1);
    encoder.bulk(b"prefixes");
    encoder.array(0);
    Ok(())
}

/// There is no tracking; to turn it off is no error.
pub(super) fn tracking(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    match &arguments[0].to_ascii_lowercase()[..] {
        b"off" => session.ok(),
        b"on" => Err("ERR client tracking is not supported".into()),
        _ => Err(SYNTAX.into()),
    }
}

pub(super) fn help(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.lines(&[
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GETNAME: the name of this connection",
        "GETREDIR: where invalidations go",
        "ID: the number of this connection",
        "INFO: the line of this connection in LIST",
        "KILL <ip:port> | <option> <value> ...: closes connections; options are ADDR, LADDR, TYPE, \
         USER, ID, SKIPME",
        "LIST [TYPE <type> | ID <id> ...]: a line for each connection",
        "NO-EVICT ON|OFF: remembered",
        "NO-TOUCH ON|OFF: remembered",
        "PAUSE <milliseconds> [WRITE|ALL]: has clients wait",
        "REPLY ON|OFF|SKIP: whether this connection gets replies",
        "SETINFO LIB-NAME|LIB-VER <text>: what the driver is",
        "SETNAME <name>: names this connection",
        "TRACKINGINFO: what is tracked, which is nothing",
        "UNBLOCK <id> [TIMEOUT|ERROR]: ends a call that blocks",
        "UNPAUSE: ends a pause",
        "HELP: this text",
    ])
}
