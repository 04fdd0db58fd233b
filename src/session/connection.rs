//! The connection's own commands: `HELLO`, `AUTH`, `PING`, `ECHO`, `SELECT`, `QUIT`, `RESET`.

use super::transaction::number_of;
use super::{Answer, NOT_AN_INTEGER, Replies, SYNTAX, Session, State};
use crate::number;
use crate::wire::Protocol;
use crate::wire::error::shown;

/// The version whose behaviour clients find.
pub(super) const VERSION: &str = "7.0.15";

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

pub(super) fn hello(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let mut wanted = Hello { protocol: session.protocol, login: None, name: None };
    if let Some((version, options)) = arguments.split_first() {
        wanted.protocol = match number::parse_integer(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err("NOPROTO unsupported protocol version".into()),
            None => {
                return Err("ERR Protocol version is not an integer or out of range".into());
            }
        };
        wanted.read_options(options)?;
    }
    if let Some((user, password)) = wanted.login {
        session.log_in(user, password)?;
    }
    if !session.authenticated {
        return Err("NOAUTH HELLO must be called with the client already authenticated, \
                    otherwise the HELLO <proto> AUTH <user> <pass> option can be used to \
                    authenticate the client and select the RESP protocol version at the same time"
            .into());
    }
    if let Some(name) = wanted.name {
        session.client.edit(|details| details.name = name.to_vec());
    }
    session.protocol = wanted.protocol;
    session.introduce();
    Ok(())
}

/// What a client asks for with `HELLO`.
struct Hello<'a> {
    protocol: Protocol,
    login: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Hello<'a> {
    fn read_options(&mut self, mut options: &[&'a [u8]]) -> Answer {
        while let Some((option, rest)) = options.split_first() {
            options = match rest {
                [user, password, rest @ ..] if option.eq_ignore_ascii_case(b"AUTH") => {
                    self.login = Some((user, password));
                    rest
                }
                [name, rest @ ..] if option.eq_ignore_ascii_case(b"SETNAME") => {
                    check_name(name)?;
                    self.name = Some(name);
                    rest
                }
                _ => {
                    let words = b"ERR Syntax error in HELLO option '";
                    return Err([&words[..], shown(option), b"'"].concat().into());
                }
            };
        }
        Ok(())
    }
}

/// The user that every client is.
const USER: &[u8] = b"default";

pub(super) fn who_am_i(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.encoder().bulk(USER);
    Ok(())
}

pub(super) fn users(session: &mut Session, _: &[&[u8]]) -> Answer {
    let mut encoder = session.encoder();
    encoder.array(1);
    encoder.bulk(USER);
    Ok(())
}

pub(super) fn acl_help(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.lines(&[
        "ACL <subcommand>. Subcommands are:",
        "USERS: the users, which are one",
        "WHOAMI: the user that this connection is",
        "HELP: this text",
    ])
}

/// An error unless a client may be called so.
pub(super) fn check_name(name: &[u8]) -> Answer {
    let is_printable = |byte: &u8| (b'!'..=b'~').contains(byte);
    match name.iter().all(is_printable) {
        true => Ok(()),
        false => {
            Err("ERR Client names cannot contain spaces, newlines or special characters.".into())
        }
    }
}

impl Session {
    fn introduce(&mut self) {
        let (id, protocol) = (self.client.id as i64, self.protocol);
        let mut encoder = self.encoder();
        encoder.map(7);
        encoder.bulk(b"server");
        encoder.bulk(b"redis");
        encoder.bulk(b"version");
        encoder.bulk(VERSION.as_bytes());
        encoder.bulk(b"proto");
        encoder.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
        encoder.bulk(b"id");
        encoder.integer(id);
        encoder.bulk(b"mode");
        encoder.bulk(b"standalone");
        encoder.bulk(b"role");
        encoder.bulk(b"master");
        encoder.bulk(b"modules");
        encoder.array(0);
    }

    /// Lets the client in if it is the default user with the password.
    fn log_in(&mut self, user: &[u8], password: &[u8]) -> Answer {
        // The password is compared whatever the user, so that neither tells on the other.
        let is_right = self.shared.config.is_password(password);
        if user != b"default" || !is_right {
            return Err(WRONG_PASSWORD.into());
        }
        self.authenticated = true;
        Ok(())
    }
}

pub(super) fn auth(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    match *arguments {
        [_] if !session.shared.config.wants_password() => {
            Err("ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?"
                .into())
        }
        [password] => session.log_in(b"default", password),
        [user, password] => session.log_in(user, password),
        _ => Err(SYNTAX.into()),
    }?;
    session.ok()
}

pub(super) fn ping(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    if arguments.len() > 1 {
        return Err("ERR wrong number of arguments for 'ping' command".into());
    }
    // As in Redis, so that whoever watches over it hears of trouble.
    if let Some(refusal) = session.shared.refusal() {
        return Err(refusal.into());
    }
    let is_listening = session.protocol == Protocol::Resp2 && session.is_subscribed();
    match arguments.first() {
        message if is_listening => {
            let mut encoder = session.encoder();
            encoder.array(2);
            encoder.bulk(b"pong");
            encoder.bulk(message.copied().unwrap_or_default());
        }
        Some(message) => session.encoder().bulk(message),
        None => session.output.extend_from_slice(b"+PONG\r\n"),
    }
    Ok(())
}

pub(super) fn echo(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    session.encoder().bulk(arguments[0]);
    Ok(())
}

pub(super) fn select(session: &mut Session, arguments: &[&[u8]]) -> Answer {
    let text = arguments[0];
    let number = number::parse_integer(text).ok_or(NOT_AN_INTEGER)?;
    if i32::try_from(number).is_err() {
        return Err(
            "ERR value is out of range, value must between -2147483648 and 2147483647".into()
        );
    }
    let Some(number) = number_of(text, session.shared.databases().count()) else {
        return Err("ERR DB index is out of range".into());
    };
    session.database = number;
    session.ok()
}

pub(super) fn quit(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.state = State::Closing;
    session.ok()
}

/// Makes the connection as new, but for its number.
pub(super) fn reset(session: &mut Session, _: &[&[u8]]) -> Answer {
    session.transaction = None;
    session.watched = None;
    session.subscriptions = super::Subscriptions::default();
    session.monitor = None;
    session.database = 0;
    session.protocol = Protocol::Resp2;
    session.replies = Replies::On;
    session.authenticated = !session.shared.config.wants_password();
    session.client.edit(|details| {
        details.name.clear();
        details.no_evict = false;
        details.no_touch = false;
    });
    session.caller.set_renews(true);
    session.output.extend_from_slice(b"+RESET\r\n");
    Ok(())
}
