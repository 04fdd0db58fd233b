//! The commands of a session that are no operations on data, in rows like those of
//! [`wire::table`](crate::wire::table), and one index over both tables.
//!
//! Whatever asks about commands asks here: the dispatch of a request, `COMMAND`, and the counters
//! of `INFO commandstats`, which are numbered by the place of a row.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Answer, Session};
use super::{administration, clients, commands, connection, debug, info, persistence};
use super::{configuration, subscriptions, transaction};
use crate::wire::table::{
    self, BLOCKING, DENYOOM, FAST, KeyPositions, MOVABLE_KEYS, READONLY, Row as DataRow, WRITE,
};

pub(super) const ADMIN: u16 = 1 << 6;
pub(super) const PUBSUB: u16 = 1 << 7;
pub(super) const NOSCRIPT: u16 = 1 << 8;
pub(super) const LOADING: u16 = 1 << 9;
pub(super) const STALE: u16 = 1 << 10;
pub(super) const NO_AUTH: u16 = 1 << 11;
pub(super) const NO_MULTI: u16 = 1 << 12;
pub(super) const ALLOW_BUSY: u16 = 1 << 13;
/// Never between `MULTI` and `EXEC`: it is done at once. Redis has no such flag.
pub(super) const AT_ONCE: u16 = 1 << 14;
/// It touches nothing but its own session, so it may run while `EXEC` holds locks. Redis has no
/// such flag.
pub(super) const PRIVATE: u16 = 1 << 15;

/// The flags that `COMMAND INFO` tells, in its order.
pub(super) const FLAG_NAMES: &[(u16, &str)] = &[
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENYOOM, "denyoom"),
    (ADMIN, "admin"),
    (PUBSUB, "pubsub"),
    (NOSCRIPT, "noscript"),
    (BLOCKING, "blocking"),
    (LOADING, "loading"),
    (STALE, "stale"),
    (FAST, "fast"),
    (NO_AUTH, "no_auth"),
    (NO_MULTI, "no_multi"),
    (MOVABLE_KEYS, "movablekeys"),
    (ALLOW_BUSY, "allow_busy"),
];

/// The commands that blocked before scripts knew how to leave that be.
const BLOCKING_FIRST: &[&str] = &["BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX"];

const CONNECTION: u16 = NOSCRIPT | LOADING | STALE;
const ADMINISTRATION: u16 = ADMIN | NOSCRIPT | LOADING | STALE;
const SUBSCRIPTION: u16 = PUBSUB | NOSCRIPT | LOADING | STALE;
const UNCOUNTED: KeyPositions = KeyPositions::None;
const FIRST: KeyPositions = KeyPositions::Range { first: 1, last: 1, step: 1 };
const ALL: KeyPositions = KeyPositions::Range { first: 1, last: -1, step: 1 };
const SECOND: KeyPositions = KeyPositions::Range { first: 2, last: 2, step: 1 };

/// One command of a session.
pub(super) struct Row {
    /// In capitals; a subcommand's is `COMMAND|NAME`.
    name: &'static str,
    arity: i8,
    flags: u16,
    keys: KeyPositions,
    action: Action,
}

/// Runs a command of a session.
pub(super) type Run = fn(&mut Session, &[&[u8]]) -> Answer;

enum Action {
    /// Takes what stands behind the name, or behind the subcommand's.
    Run(Run),
    /// The first of them names one of these; without any, the function answers, if there is one.
    Choose(&'static [Row], Option<Run>),
    /// The row of that name of the table of data.
    Data,
}

macro_rules! row {
    ($name:literal, $arity:literal, $flags:expr, $keys:expr, $run:path) => {
        Row { name: $name, arity: $arity, flags: $flags, keys: $keys, action: Action::Run($run) }
    };
    ($name:literal, $arity:literal, $flags:expr, $run:path) => {
        row!($name, $arity, $flags, UNCOUNTED, $run)
    };
    ($name:literal of $rows:expr) => {
        Row {
            name: $name,
            arity: -2,
            flags: 0,
            keys: UNCOUNTED,
            action: Action::Choose($rows, None),
        }
    };
    ($name:literal of data, $arity:literal, $flags:expr) => {
        Row { name: $name, arity: $arity, flags: $flags, keys: UNCOUNTED, action: Action::Data }
    };
}

/// The session's own commands, by the file that has them.
static COMMANDS: &[Row] = &[
    // Connection.
    row!("HELLO", -1, CONNECTION | FAST | NO_AUTH | ALLOW_BUSY | PRIVATE, connection::hello),
    row!("AUTH", -2, CONNECTION | FAST | NO_AUTH | ALLOW_BUSY | PRIVATE, connection::auth),
    row!("PING", -1, FAST | PRIVATE, connection::ping),
    row!("ECHO", 2, LOADING | STALE | FAST | PRIVATE, connection::echo),
    row!("SELECT", 2, LOADING | STALE | FAST | PRIVATE, connection::select),
    row!("QUIT", -1, CONNECTION | FAST | NO_AUTH | ALLOW_BUSY | AT_ONCE, connection::quit),
    row!("RESET", 1, CONNECTION | FAST | NO_AUTH | ALLOW_BUSY | AT_ONCE, connection::reset),
    row!("CLIENT" of CLIENT),
    row!("ACL" of ACL),
    // Transactions.
    row!("MULTI", 1, CONNECTION | FAST | ALLOW_BUSY | AT_ONCE, transaction::multi),
    row!("EXEC", 1, CONNECTION | AT_ONCE, transaction::exec),
    row!("DISCARD", 1, CONNECTION | FAST | ALLOW_BUSY | AT_ONCE, transaction::discard),
    row!("WATCH", -2, CONNECTION | FAST | ALLOW_BUSY | AT_ONCE, ALL, transaction::watch),
    row!("UNWATCH", 1, CONNECTION | FAST | ALLOW_BUSY, transaction::unwatch),
    // Subscriptions.
    row!("SUBSCRIBE", -2, SUBSCRIPTION, subscriptions::subscribe),
    row!("UNSUBSCRIBE", -1, SUBSCRIPTION, subscriptions::unsubscribe),
    row!("PSUBSCRIBE", -2, SUBSCRIPTION, subscriptions::psubscribe),
    row!("PUNSUBSCRIBE", -1, SUBSCRIPTION, subscriptions::punsubscribe),
    row!("SSUBSCRIBE", -2, SUBSCRIPTION, ALL, subscriptions::ssubscribe),
    row!("SUNSUBSCRIBE", -1, SUBSCRIPTION, ALL, subscriptions::sunsubscribe),
    row!("SPUBLISH", 3, PUBSUB | LOADING | STALE | FAST, FIRST, subscriptions::spublish),
    row!("PUBSUB" of PUBSUB_COMMANDS),
    // Commands.
    Row {
        name: "COMMAND",
        arity: -1,
        flags: LOADING | STALE | PRIVATE,
        keys: UNCOUNTED,
        action: Action::Choose(COMMAND, Some(commands::all)),
    },
    // Configuration and administration.
    row!("CONFIG" of CONFIG),
    row!("INFO", -1, LOADING | STALE, info::info),
    row!("MEMORY" of MEMORY),
    row!("MODULE" of MODULE),
    row!("DEBUG", -2, ADMINISTRATION, debug::debug),
    row!("MONITOR", 1, ADMINISTRATION, administration::monitor),
    row!("SLOWLOG" of SLOWLOG),
    row!("LATENCY" of LATENCY),
    row!("SHUTDOWN", -1, ADMINISTRATION | NO_MULTI | ALLOW_BUSY, administration::shutdown),
    row!("WAIT", 3, NOSCRIPT, administration::wait),
    row!("TIME", 1, LOADING | STALE | FAST | PRIVATE, administration::time),
    row!("LASTSAVE", 1, LOADING | STALE | FAST | PRIVATE, persistence::last_save),
    row!("SAVE", 1, ADMIN | NOSCRIPT | NO_MULTI, persistence::save),
    row!("BGSAVE", -1, ADMIN | NOSCRIPT, persistence::background_save),
    row!("BGREWRITEAOF", 1, ADMIN | NOSCRIPT, persistence::rewrite_log),
    row!("WAITAOF", 4, NOSCRIPT, persistence::wait_durable),
    row!("ROLE", 1, CONNECTION | FAST | PRIVATE, administration::role),
    row!("LOLWUT", -1, READONLY | FAST | PRIVATE, administration::lolwut),
];

static CLIENT: &[Row] = &[
    row!("CLIENT|ID", 2, CONNECTION | PRIVATE, clients::id),
    row!("CLIENT|SETNAME", 3, CONNECTION, clients::set_name),
    row!("CLIENT|GETNAME", 2, CONNECTION, clients::get_name),
    row!("CLIENT|SETINFO", 4, CONNECTION, clients::set_info),
    row!("CLIENT|LIST", -2, ADMINISTRATION, clients::list),
    row!("CLIENT|INFO", 2, CONNECTION, clients::info),
    row!("CLIENT|KILL", -3, ADMINISTRATION, clients::kill),
    row!("CLIENT|UNBLOCK", -3, ADMINISTRATION, clients::unblock),
    row!("CLIENT|PAUSE", -3, ADMINISTRATION, clients::pause),
    row!("CLIENT|UNPAUSE", 2, ADMINISTRATION, clients::unpause),
    row!("CLIENT|REPLY", 3, CONNECTION | PRIVATE, clients::reply),
    row!("CLIENT|NO-EVICT", 3, ADMINISTRATION, clients::no_evict),
    row!("CLIENT|NO-TOUCH", 3, CONNECTION, clients::no_touch),
    row!("CLIENT|GETREDIR", 2, CONNECTION | PRIVATE, clients::get_redirection),
    row!("CLIENT|TRACKINGINFO", 2, CONNECTION | PRIVATE, clients::tracking_info),
    row!("CLIENT|TRACKING", -3, CONNECTION | PRIVATE, clients::tracking),
    row!("CLIENT|HELP", 2, LOADING | STALE | PRIVATE, clients::help),
];

/// There is one user, who may do everything.
static ACL: &[Row] = &[
    row!("ACL|WHOAMI", 2, CONNECTION | PRIVATE, connection::who_am_i),
    row!("ACL|USERS", 2, ADMINISTRATION | PRIVATE, connection::users),
    row!("ACL|HELP", 2, LOADING | STALE | PRIVATE, connection::acl_help),
];

static PUBSUB_COMMANDS: &[Row] = &[
    row!("PUBSUB|CHANNELS" of data, -2, PUBSUB | LOADING | STALE),
    row!("PUBSUB|NUMSUB" of data, -2, PUBSUB | LOADING | STALE),
    row!("PUBSUB|NUMPAT" of data, 2, PUBSUB | LOADING | STALE),
    row!("PUBSUB|SHARDCHANNELS", -2, PUBSUB | LOADING | STALE, subscriptions::shard_channels),
    row!("PUBSUB|SHARDNUMSUB", -2, PUBSUB | LOADING | STALE, subscriptions::shard_counts),
    row!("PUBSUB|HELP", 2, LOADING | STALE | PRIVATE, subscriptions::help),
];

static COMMAND: &[Row] = &[
    row!("COMMAND|COUNT", 2, LOADING | STALE | PRIVATE, commands::count),
    row!("COMMAND|LIST", -2, LOADING | STALE | PRIVATE, commands::list),
    row!("COMMAND|INFO", -2, LOADING | STALE | PRIVATE, commands::info),
    row!("COMMAND|DOCS", -2, LOADING | STALE | PRIVATE, commands::docs),
    row!("COMMAND|GETKEYS", -4, LOADING | STALE | PRIVATE, commands::get_keys),
    row!("COMMAND|GETKEYSANDFLAGS", -4, LOADING | STALE | PRIVATE, commands::get_keys_and_flags),
    row!("COMMAND|HELP", 2, LOADING | STALE | PRIVATE, commands::help),
];

static CONFIG: &[Row] = &[
    row!("CONFIG|GET", -3, ADMINISTRATION, configuration::get),
    row!("CONFIG|SET", -4, ADMINISTRATION, configuration::set),
    row!("CONFIG|RESETSTAT", 2, ADMINISTRATION, configuration::reset_statistics),
    row!("CONFIG|REWRITE", 2, ADMINISTRATION, configuration::rewrite),
    row!("CONFIG|HELP", 2, LOADING | STALE | PRIVATE, configuration::help),
];

static MEMORY: &[Row] = &[
    row!("MEMORY|USAGE", -3, READONLY, SECOND, administration::memory_usage),
    row!("MEMORY|DOCTOR", 2, 0, administration::memory_doctor),
    row!("MEMORY|STATS", 2, 0, administration::memory_stats),
    row!("MEMORY|MALLOC-STATS", 2, 0, administration::memory_allocator),
    row!("MEMORY|PURGE", 2, PRIVATE, administration::memory_purge),
    row!("MEMORY|HELP", 2, LOADING | STALE | PRIVATE, administration::memory_help),
];

static MODULE: &[Row] = &[
    row!("MODULE|LIST", 2, ADMIN | NOSCRIPT | PRIVATE, administration::modules),
    row!("MODULE|HELP", 2, LOADING | STALE | PRIVATE, administration::module_help),
];

static SLOWLOG: &[Row] = &[
    row!("SLOWLOG|GET", -2, ADMIN | LOADING | STALE, administration::slowlog_get),
    row!("SLOWLOG|LEN", 2, ADMIN | LOADING | STALE, administration::slowlog_len),
    row!("SLOWLOG|RESET", 2, ADMIN | LOADING | STALE, administration::slowlog_reset),
    row!("SLOWLOG|HELP", 2, LOADING | STALE | PRIVATE, administration::slowlog_help),
];

static LATENCY: &[Row] = &[
    row!("LATENCY|LATEST", 2, ADMINISTRATION, administration::latency_latest),
    row!("LATENCY|HISTORY", 3, ADMINISTRATION, administration::latency_history),
    row!("LATENCY|RESET", -2, ADMINISTRATION, administration::latency_reset),
    row!("LATENCY|DOCTOR", 2, ADMINISTRATION, administration::latency_doctor),
    row!("LATENCY|HISTOGRAM", -2, ADMINISTRATION, administration::latency_histogram),
    row!("LATENCY|HELP", 2, LOADING | STALE | PRIVATE, administration::latency_help),
];

/// A row of either table.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    Own(&'static Row),
    Data(&'static DataRow),
}

/// A command or subcommand, with its place among all.
#[derive(Clone, Copy)]
pub(super) struct Command {
    pub(super) entry: Entry,
    pub(super) place: usize,
    /// Whether the first argument is part of its name.
    pub(super) is_subcommand: bool,
}

impl Command {
    /// Whether a request of this name is one of this command, whatever its arguments.
    #[inline]
    pub(super) fn is_named(self, name: &[u8]) -> bool {
        !self.is_subcommand
            && self.entry.name().as_bytes().eq_ignore_ascii_case(name)
            && !self.entry.is_container()
    }
}

impl Entry {
    /// In capitals.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Own(row) => row.name,
            Self::Data(row) => row.name,
        }
    }

    pub(super) fn arity(self) -> i8 {
        match self {
            Self::Own(row) => row.arity,
            Self::Data(row) => row.arity,
        }
    }

    #[inline]
    pub(super) fn flags(self) -> u16 {
        match self {
            Self::Own(row) => row.flags,
            Self::Data(row) => row.flags,
        }
    }

    /// Its flags with those that the table of data does not tell, as they concern no data.
    pub(super) fn all_flags(self) -> u16 {
        let name = self.name();
        self.flags()
            | match self {
                Self::Data(_) if name.ends_with("|HELP") => LOADING | STALE,
                Self::Data(_) if name == "PUBLISH" => PUBSUB | LOADING | STALE,
                Self::Data(_) if BLOCKING_FIRST.contains(&name) => NOSCRIPT,
                _ => 0,
            }
    }

    pub(super) fn has_flag(self, flag: u16) -> bool {
        self.flags() & flag != 0
    }

    pub(super) fn keys(self) -> KeyPositions {
        match self {
            Self::Own(row) => row.keys,
            Self::Data(row) => row.keys,
        }
    }

    pub(super) fn subcommands(self) -> Vec<Entry> {
        match self {
            Self::Own(Row { action: Action::Choose(rows, _), .. }) => {
                rows.iter().map(Entry::Own).collect()
            }
            Self::Own(_) => Vec::new(),
            Self::Data(row) => row.subcommands().iter().map(Entry::Data).collect(),
        }
    }

    /// Whether the first argument names one of several commands.
    pub(super) fn is_container(self) -> bool {
        match self {
            Self::Own(row) => matches!(row.action, Action::Choose(..)),
            Self::Data(row) => !row.subcommands().is_empty(),
        }
    }

    /// Whether a request of so many arguments, the name included, is long enough and no longer.
    #[inline]
    pub(super) fn takes(self, length: usize) -> bool {
        let arity = self.arity();
        let wanted = usize::from(arity.unsigned_abs());
        if arity < 0 { length >= wanted } else { length == wanted }
    }

    /// What runs it, if it is one of the session's own.
    #[inline]
    pub(super) fn action(self) -> Option<Run> {
        match self {
            Self::Own(Row { action: Action::Run(run), .. }) => Some(*run),
            Self::Own(Row { action: Action::Choose(_, run), .. }) => *run,
            _ => None,
        }
    }

    /// The row of the table of data that runs it, if one does.
    #[inline]
    pub(super) fn data(self) -> Option<&'static DataRow> {
        match self {
            Self::Data(row) => Some(row),
            Self::Own(Row { action: Action::Data, name, .. }) => {
                table::find(name.split('|').next().unwrap_or_default().as_bytes())
            }
            Self::Own(_) => None,
        }
    }
}

/// All commands and subcommands; the latter follow their command. Places are indices into this.
static ALL_COMMANDS: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let own = COMMANDS.iter().map(Entry::Own);
    let is_own = |name: &str| COMMANDS.iter().any(|row| row.name == name);
    let data = table::COMMANDS.iter().filter(|row| !is_own(row.name)).map(Entry::Data);
    own.chain(data).flat_map(|entry| [vec![entry], entry.subcommands()].concat()).collect()
});

type Index = HashMap<&'static [u8], Command, ahash::RandomState>;

static BY_NAME: LazyLock<Index> = LazyLock::new(|| {
    let commands = ALL_COMMANDS.iter().zip(0..);
    commands
        .map(|(entry, place)| {
            (entry.name().as_bytes(), Command { entry: *entry, place, is_subcommand: false })
        })
        .filter(|(name, _)| !name.contains(&b'|'))
        .collect()
});

/// All commands and subcommands by their places.
pub(super) fn all() -> &'static [Entry] {
    &ALL_COMMANDS
}

/// All commands, without subcommands.
pub(super) fn commands() -> impl Iterator<Item = Entry> {
    all().iter().copied().filter(|entry| !entry.name().contains('|'))
}

/// The command of a name, in any case.
#[inline]
fn find(name: &[u8]) -> Option<Command> {
    const LONGEST: usize = 32;
    let mut capitals = [0; LONGEST];
    let capitals = capitals.get_mut(..name.len())?;
    capitals.copy_from_slice(name);
    capitals.make_ascii_uppercase();
    BY_NAME.get(&*capitals).copied()
}

/// The command `NAME` or subcommand `COMMAND|NAME`, in any case.
pub(super) fn find_full(name: &[u8]) -> Option<Entry> {
    all().iter().copied().find(|entry| entry.name().as_bytes().eq_ignore_ascii_case(name))
}

/// Why a request names no command.
pub(super) enum Unknown {
    Command,
    Subcommand(&'static str),
}

/// The command that a request names, down to its subcommand.
#[inline]
pub(super) fn resolve(name: &[u8], arguments: &[&[u8]]) -> Result<Command, Unknown> {
    let command = find(name).ok_or(Unknown::Command)?;
    if !command.entry.is_container() {
        return Ok(command);
    }
    let Some(given) = arguments.first() else { return Ok(command) };
    let own = |entry: &Entry| {
        let (_, name) = entry.name().split_once('|').unwrap_or_default();
        name.as_bytes().eq_ignore_ascii_case(given)
    };
    let position = command.entry.subcommands().iter().position(own);
    let position = position.ok_or(Unknown::Subcommand(command.entry.name()))?;
    let place = command.place + 1 + position;
    Ok(Command { entry: all()[place], place, is_subcommand: true })
}
