//! What a test does to the commands of clients: faults, and choices that can be repeated.
//!
//! A fault meets a command that would otherwise be run, or queued: it is known, has its arguments
//! and the client may send it. So a fault in a transaction spoils it, as an error of Redis would.
//!
//! # Threading
//!
//! A face without faults and seed costs its sessions one relaxed load a request. Otherwise requests
//! take a lock, so that each of them meets the fault that is its own.

use std::fmt;
use std::time::Duration;

use super::blocked::Delay;
use super::table::{self, Command, Entry};
use super::{Face, Session, State};
use crate::random::{self, Random};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Something that goes wrong with commands that clients send: of certain names or of any, once or
/// more often.
///
/// A fault that names no command passes over those that only set a connection up or frame a
/// transaction (`HELLO`, `AUTH`, `SELECT`, `CLIENT`, `QUIT`, `RESET`, `MULTI`, `EXEC`, `DISCARD`,
/// `WATCH`, `UNWATCH`), which client libraries send by themselves. Within a transaction a fault
/// meets a command when it is queued.
///
/// ```
/// use std::time::Duration;
/// use larder::testing::Fault;
///
/// // The first and second write fail.
/// let loading = Fault::error("LOADING Redis is loading the dataset in memory");
/// let _ = loading.on("SET").on("INCR").times(2);
/// // Every fourth to come, and all later ones, lose the connection.
/// let _ = Fault::disconnect().skip(3).always();
/// // One GET answers half a second late.
/// let _ = Fault::delay(Duration::from_millis(500)).on("GET");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a fault does nothing until it is injected"]
pub struct Fault {
    effect: Effect,
    names: Vec<String>,
    skipped: u64,
    /// Nothing stands for ever.
    times: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    Error(String),
    Delay(Duration),
    Disconnect,
    LoseReply,
}

impl Fault {
    fn new(effect: Effect) -> Self {
        Self { effect, names: Vec::new(), skipped: 0, times: Some(1) }
    }

    /// The command is not run; its reply is this error, in Redis's form: a code in capitals, a
    /// space, and text. Without a code `ERR` is put before it.
    pub fn error(text: impl Into<String>) -> Self {
        let text = text.into().replace(['\r', '\n'], " ");
        let code = text.split(' ').next().unwrap_or_default();
        let has_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase());
        Self::new(Effect::Error(if has_code { text } else { format!("ERR {text}") }))
    }

    /// The command is run so much later, by the clock of the store: while that stands still, the
    /// command waits. What the client sends after it waits too.
    pub fn delay(delay: Duration) -> Self {
        Self::new(Effect::Delay(delay))
    }

    /// The command is not run, and the connection is closed: everything else on it fails from then
    /// on, and who tries again needs a new one.
    pub fn disconnect() -> Self {
        Self::new(Effect::Disconnect)
    }

    /// The command is run, but the connection is closed before its reply: the client cannot know
    /// whether it was. Everything else on the connection fails from then on, and who tries again
    /// needs a new one.
    ///
    /// ```
    /// # use larder::testing::{FakeRedis, Fault};
    /// let fake = FakeRedis::new();
    /// let mut redis = fake.connection();
    /// fake.inject(Fault::lose_reply());
    /// assert!(redis::cmd("INCR").arg("n").query::<u64>(&mut redis).is_err());
    /// assert!(redis::cmd("INCR").arg("n").query::<u64>(&mut redis).is_err()); // never sent
    /// let mut redis = fake.connection();
    /// assert_eq!(redis::cmd("INCR").arg("n").query::<u64>(&mut redis)?, 2);
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn lose_reply() -> Self {
        Self::new(Effect::LoseReply)
    }

    /// Meets commands of this name only, in any case; called several times, any of the names. A
    /// subcommand is named `CLIENT|LIST`, and `CLIENT` means all of them. What counts is what is
    /// sent: redis-rs's `incr`, for one, sends `INCRBY`.
    pub fn on(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into().to_ascii_uppercase());
        self
    }

    /// Lets so many commands pass that it would meet.
    pub fn skip(self, commands: u64) -> Self {
        Self { skipped: commands, ..self }
    }

    /// Meets so many commands: one, unless set.
    pub fn times(self, commands: u64) -> Self {
        Self { times: Some(commands), ..self }
    }

    /// Meets every command from now on.
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }

    fn concerns(&self, entry: Entry) -> bool {
        const PASSED_OVER: &[&str] = &[
            "HELLO", "AUTH", "SELECT", "CLIENT", "QUIT", "RESET", "MULTI", "EXEC", "DISCARD",
            "WATCH", "UNWATCH",
        ];
        let container = entry.name().split('|').next().unwrap_or_default();
        match self.names.is_empty() {
            true => !PASSED_OVER.contains(&container),
            false => self.names.iter().any(|name| name == entry.name() || name == container),
        }
    }

    /// Counts a command that it concerns; answers whether it meets it.
    fn meets(&mut self) -> bool {
        if self.skipped > 0 {
            self.skipped -= 1;
            return false;
        }
        match &mut self.times {
            Some(0) => false,
            Some(times) => {
                *times -= 1;
                true
            }
            None => true,
        }
    }

    fn is_spent(&self) -> bool {
        self.times == Some(0)
    }
}

/// Everything that a test has set up.
#[derive(Default)]
pub(super) struct Rig {
    is_set: AtomicBool,
    faults: Mutex<Vec<Fault>>,
    /// What choices follow from.
    randomness: Mutex<Option<Random>>,
}

impl Rig {
    #[inline]
    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    fn note_change(&self) {
        let is_set = !self.faults.lock().is_empty() || self.randomness.lock().is_some();
        self.is_set.store(is_set, Ordering::Relaxed);
    }

    /// What the first fault does that meets the command. A command that has been delayed is not
    /// delayed again.
    fn meet(&self, entry: Entry, was_delayed: bool) -> Option<Effect> {
        let mut faults = self.faults.lock();
        let effect = faults.iter_mut().find_map(|fault| {
            let is_over = was_delayed && matches!(fault.effect, Effect::Delay(_));
            let meets = !is_over && fault.concerns(entry) && fault.meets();
            meets.then(|| fault.effect.clone())
        });
        faults.retain(|fault| !fault.is_spent());
        effect
    }

    fn seed(&self) -> Option<u64> {
        self.randomness.lock().as_mut().map(Random::next)
    }
}

/// A command that there is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCommand(String);

impl fmt::Display for UnknownCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no command {:?}", self.0)
    }
}

impl std::error::Error for UnknownCommand {}

impl Face {
    /// Has a fault meet the commands of all clients, after the faults that are there already: a
    /// command meets one of them at most, and a delay besides.
    pub fn inject(&self, fault: Fault) -> Result<(), UnknownCommand> {
        if let Some(name) = fault.names.iter().find(|name| !is_known(name)) {
            return Err(UnknownCommand(name.clone()));
        }
        if !fault.is_spent() {
            self.0.rig.faults.lock().push(fault);
            self.0.rig.note_change();
        }
        Ok(())
    }

    /// The faults that have yet to meet a command.
    pub fn faults(&self) -> Vec<Fault> {
        self.0.rig.faults.lock().clone()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.0.rig.faults.lock().clear();
        self.0.rig.note_change();
    }

    /// Has all choices of commands follow from a number.
    pub fn seed(&self, seed: u64) {
        *self.0.rig.randomness.lock() = Some(Random::seeded(seed));
        self.0.rig.note_change();
    }

    /// How often a command, or a subcommand as `CLIENT|LIST`, has been run for clients.
    pub fn calls(&self, name: &str) -> Result<u64, UnknownCommand> {
        let place = table::all().iter().position(|entry| entry.name().eq_ignore_ascii_case(name));
        let place = place.ok_or_else(|| UnknownCommand(name.to_owned()))?;
        Ok(self.0.statistics.figures(place).map_or(0, |figures| figures.calls))
    }

    /// The commands that have been run for clients, each with how often.
    pub fn all_calls(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let calls = |place| self.0.statistics.figures(place).map_or(0, |figures| figures.calls);
        let all = table::all().iter().enumerate();
        all.map(move |(place, entry)| (entry.name(), calls(place))).filter(|(_, calls)| *calls > 0)
    }

    /// Sets all counters to zero.
    pub fn reset_counters(&self) {
        self.0.statistics.reset();
    }
}

fn is_known(name: &str) -> bool {
    table::all().iter().any(|entry| entry.name() == name)
}

impl Session {
    /// Runs a command, unless a fault keeps it from that; answers whether it need not come again.
    #[cold]
    pub(super) fn run_rigged(&mut self, command: Command, argv: &[&[u8]]) -> bool {
        let (name, arguments) = (argv[0], &argv[1..]);
        let was_delayed = std::mem::take(&mut self.was_delayed);
        match self.shared.rig.meet(command.entry, was_delayed) {
            None => self.run_seeded(command, name, arguments),
            Some(Effect::Error(text)) => {
                self.shared.statistics.note_rejected(command.place);
                self.refuse(name, text.as_bytes());
            }
            Some(Effect::Delay(delay)) => {
                let databases = self.shared.databases();
                self.blocked = Some(Box::new(Delay::new(databases, Some(delay), b"")));
                self.was_delayed = true;
                self.poll_blocked();
                if self.blocked.is_none() {
                    return self.run_rigged(command, argv);
                }
                // It comes again when its time has come.
                return false;
            }
            Some(Effect::Disconnect) => self.state = State::Closing,
            Some(Effect::LoseReply) => {
                let mark = self.output.len();
                self.run_seeded(command, name, arguments);
                self.stop_waiting();
                self.take_back(mark);
                self.state = State::Closing;
            }
        }
        true
    }

    fn run_seeded(&mut self, command: Command, name: &[u8], arguments: &[&[u8]]) {
        match self.shared.rig.seed() {
            Some(seed) => random::with_seed(seed, || self.run_admitted(command, name, arguments)),
            None => self.run_admitted(command, name, arguments),
        }
    }
}
