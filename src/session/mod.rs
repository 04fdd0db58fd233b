//! A client's connection without its socket: bytes or arguments in, bytes out.
//!
//! A [`Face`] is what the clients of one store share: who they are, the configuration, counters. A
//! [`Session`] is one client. Whoever owns it moves the bytes: an event loop with sockets, a
//! connection of redis-rs in this process, a test.
//!
//! - [`table`]: the commands of a session, beside the operations of [`wire`](crate::wire);
//! - [`connection`], [`clients`], [`transaction`], [`subscriptions`], [`commands`],
//!   [`configuration`], [`persistence`], [`info`], [`debug`], [`administration`]: these commands;
//! - [`digest`]: what `DEBUG DIGEST` compares; [`docs`]: what `COMMAND DOCS` tells; [`keys`]: what
//!   `COMMAND` tells of keys;
//! - [`blocked`]: calls that wait; [`held`]: replies that wait for the log;
//! - [`notify`]: events of keys as messages;
//! - [`config`], [`statistics`], [`registry`]: what all sessions share;
//! - [`rig`]: what a test does to the commands of clients.
//!
//! # Invariant
//!
//! Replies leave in the order of their requests. A request is run when all before it have been
//! answered: while a call blocks, and while the output is longer than [`HIGH_WATER`], the rest of
//! the input waits. So a client costs at most a limited input, a limited output, and one reply.
//!
//! # Complexity
//!
//! A request costs its parsing, one look-up of its name, and its operation, which writes its reply
//! into the output. Nothing is allocated per request but what the operation needs.
//!
//! # Threading
//!
//! A session belongs to one thread at a time and starts none. What others have for it (a message,
//! the end of a blocked call, `CLIENT KILL`) fires its waker; its owner then calls
//! [`Session::wake`]. No lock is held from one call of a session to the next.

mod administration;
mod blocked;
mod clients;
mod commands;
mod config;
mod configuration;
mod connection;
mod debug;
mod digest;
mod docs;
mod held;
mod info;
mod keys;
mod notify;
mod persistence;
mod registry;
mod rig;
mod statistics;
mod subscriptions;
mod table;
mod transaction;

use std::any::Any;
use std::borrow::Cow;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use crate::error::Error;
use crate::keyspace::uses::Caller;
use crate::keyspace::{Databases, Space, Watched};
use crate::pubsub::{Feed, Hub, Listener};
use crate::store::Store;
use crate::sync::{Arc, Mutex, Weak};
use crate::value::Value;
use crate::wire::args::Argv;
use crate::wire::command::Context;
use crate::wire::{Encoder, Protocol, ProtocolError, RequestLimits, RequestParser, error};

use blocked::{Call, Pause};
use config::{Class, Config};
use held::Held;
pub use registry::Peer;
use registry::{Client, Clients, Signal};
use rig::Rig;
#[allow(unused_imports, unreachable_pub, reason = "the kit for tests is a feature")]
pub use rig::{Fault, UnknownCommand};
use statistics::Statistics;
use subscriptions::Subscriptions;
use table::{Command, Unknown};
use transaction::Transaction;

/// Output that makes the next request wait until some of it has been written.
const HIGH_WATER: usize = 1 << 20;
/// Output that a client may cause before it has authenticated.
const UNAUTHENTICATED_OUTPUT: usize = 1024;
/// Input that may wait while nothing is run, before no more is wanted.
const WAITING_INPUT: usize = 1 << 16;
/// Capacity of each buffer that an idle session may keep.
const IDLE_CAPACITY: usize = 1 << 12;

/// What a command of a session comes to; its reply is written by itself.
type Answer = Result<(), Failure>;

/// An error of a command, for its reply.
enum Failure {
    /// A subcommand has too many arguments, or such that it does not know.
    Usage,
    /// Redis's words, code first.
    Text(error::Text),
    Of(Error),
}

impl From<&'static str> for Failure {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text.into_bytes()))
    }
}

impl From<Vec<u8>> for Failure {
    fn from(text: Vec<u8>) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<error::Text> for Failure {
    fn from(text: error::Text) -> Self {
        Self::Text(text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Of(error)
    }
}

const SYNTAX: &str = "ERR syntax error";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

/// What the clients of one store share. A clone is another handle on the same.
#[derive(Clone)]
pub struct Face(Arc<Shared>);

/// How a [`Face`] differs from the usual one.
#[derive(Default)]
pub struct FaceOptions {
    /// The password that a client must give, if any: `requirepass`.
    pub password: Option<String>,
    /// The port that `INFO` and `CONFIG GET` tell; 0 is none.
    pub port: u16,
    /// Called by `SHUTDOWN`; without it `SHUTDOWN` is an error.
    pub on_shutdown: Option<Box<dyn Fn() + Send + Sync>>,
}

/// Behind a [`Face`].
struct Shared {
    store: Store,
    clients: Clients,
    config: Config,
    statistics: Statistics,
    rig: Rig,
    /// The lines that monitoring clients get.
    monitors: Feed<Value>,
    /// The channels of `SSUBSCRIBE`, which have nothing to do with the others.
    shard_channels: Arc<Hub>,
    on_shutdown: Option<Box<dyn Fn() + Send + Sync>>,
    port: u16,
    started: Instant,
    /// Forty hexadecimal digits, other ones for each face.
    run_id: String,
    shutdown: Mutex<bool>,
}

impl Face {
    /// The face of a store. Every database of the store is reached, whichever `store` is.
    pub fn new(store: &Store, options: FaceOptions) -> Self {
        store.databases().keep_uses();
        let mut config = Config::new(store.databases().count(), options.port);
        persistence::describe(store, &mut config);
        config.set_password(options.password.unwrap_or_default());
        Self(Arc::new(Shared {
            store: store.clone(),
            clients: Clients::default(),
            config,
            statistics: Statistics::new(table::all().len()),
            rig: Rig::default(),
            monitors: Feed::default(),
            shard_channels: Hub::new(),
            on_shutdown: options.on_shutdown,
            port: options.port,
            started: Instant::now(),
            run_id: statistics::run_id(),
            shutdown: Mutex::new(false),
        }))
    }

    /// The face that the connections inside this process share: one for each store, while a
    /// connection lives.
    pub fn of(store: &Store) -> Self {
        let mut clientele = store.databases().clientele.lock();
        let current = clientele.as_ref().and_then(Weak::upgrade);
        if let Some(shared) = current.and_then(|current| current.downcast().ok()) {
            return Self(shared);
        }
        let face = Self::new(store, FaceOptions::default());
        *clientele = Some(face.downgrade());
        face
    }

    /// Makes this the face that [`of`](Self::of) finds.
    pub fn share(&self) {
        *self.0.databases().clientele.lock() = Some(self.downgrade());
    }

    fn downgrade(&self) -> Weak<dyn Any + Send + Sync> {
        let shared: Arc<dyn Any + Send + Sync> = self.0.clone();
        Arc::downgrade(&shared)
    }

    /// A client that has just connected. `waker` is woken when [`Session::wake`] is to be called.
    ///
    /// # Errors
    ///
    /// The bytes to send before closing, if there are too many clients.
    pub fn connect(&self, peer: Peer, waker: Waker) -> Result<Session, &'static [u8]> {
        let shared = &self.0;
        let limit = shared.config.max_clients();
        let Some(client) = shared.clients.add(peer, waker.clone(), limit) else {
            shared.statistics.note_refused();
            return Err(b"-ERR max number of clients reached\r\n");
        };
        shared.statistics.note_connected();
        let mut session = Session {
            authenticated: !shared.config.wants_password(),
            shared: Arc::clone(shared),
            client,
            caller: Caller::default(),
            waker,
            parser: RequestParser::default(),
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            is_lent: false,
            protocol: Protocol::Resp2,
            database: 0,
            state: State::Open,
            replies: Replies::On,
            transaction: None,
            watched: None,
            subscriptions: Subscriptions::default(),
            blocked: None,
            monitor: None,
            is_executing: false,
            was_delayed: false,
            held: Held::default(),
            last: None,
            over_since: None,
        };
        session.parser.set_limits(session.limits());
        Ok(session)
    }

    /// Sets what `CONFIG SET` sets.
    ///
    /// # Errors
    ///
    /// Why it cannot be set.
    pub fn configure(&self, name: &str, value: &str) -> Result<(), String> {
        let refused = configuration::apply(&self.0, &[name.as_bytes(), value.as_bytes()]);
        refused.map_err(|text| String::from_utf8_lossy(&text).into_owned())
    }

    /// The bytes to send to a client of another machine before closing, while anybody could get in:
    /// `protected-mode` is on, and there is no password.
    pub fn refusal_of_strangers(&self) -> Option<&'static [u8]> {
        let config = &self.0.config;
        let is_open = !config.wants_password() && config.value("protected-mode") == "yes";
        is_open.then_some(
            b"-DENIED This server is in protected mode: it has no password, so it takes clients of \
              its own machine only. Set a password, or turn protected-mode off.\r\n",
        )
    }

    /// How many clients are connected.
    pub fn clients(&self) -> usize {
        self.0.clients.len()
    }

    /// How many clients wait in a command that blocks.
    #[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "tests ask for it"))]
    pub fn blocked_clients(&self) -> usize {
        self.0.clients.blocked()
    }

    /// How long a client may be idle before its loop closes it; `None` for ever. `CONFIG SET
    /// timeout`.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.0.config.idle_timeout()
    }

    /// After how long a silence a client over TCP is asked whether it is still there; `None` is
    /// never. `CONFIG SET tcp-keepalive`, for clients to come.
    pub fn keep_alive(&self) -> Option<Duration> {
        self.0.config.keep_alive()
    }

    /// Counts a connection that ended in a panic, for `INFO`.
    pub fn note_panic(&self) {
        self.0.statistics.note_panic();
    }

    /// Whether a client has sent `SHUTDOWN`.
    pub fn is_shut_down(&self) -> bool {
        *self.0.shutdown.lock()
    }
}

impl Shared {
    fn databases(&self) -> &Arc<Databases> {
        self.store.databases()
    }
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// What is in the output is still to be sent.
    Closing,
    /// Nothing more is to be sent.
    Closed,
}

/// Whether a client gets the replies to its requests: `CLIENT REPLY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Replies {
    On,
    Off,
    /// Not to the next request.
    SkipNext,
    /// Not to this one.
    Skip,
}

/// One client's connection.
///
/// Its owner feeds what the client sends to [`receive`](Self::receive) and sends what
/// [`output`](Self::output) holds, telling [`written`](Self::written). When the waker fires it
/// calls [`wake`](Self::wake) and sends again. It reads on while
/// [`wants_input`](Self::wants_input), and closes once the session
/// [is done](Self::is_done). Dropping a session ends what it waits for and loses nothing.
pub struct Session {
    shared: Arc<Shared>,
    client: Arc<Client>,
    /// Counts what commands look up, until the statistics get it.
    caller: Caller,
    waker: Waker,
    parser: RequestParser,
    /// Bytes that no request has been made of yet.
    input: Vec<u8>,
    output: Vec<u8>,
    /// Bytes of the output that have been written.
    sent: usize,
    /// Whether the output is its owner's buffer.
    is_lent: bool,
    protocol: Protocol,
    database: u16,
    authenticated: bool,
    state: State,
    replies: Replies,
    transaction: Option<Transaction>,
    watched: Option<Watched>,
    subscriptions: Subscriptions,
    blocked: Option<Box<dyn Call>>,
    monitor: Option<Listener<Value>>,
    /// Whether `EXEC` is running its commands, which then wait for nothing.
    is_executing: bool,
    /// Whether the next request has been delayed by a fault.
    was_delayed: bool,
    held: Held,
    /// What was run last.
    last: Option<Command>,
    /// Since when the output has been over its soft limit.
    over_since: Option<Instant>,
}

/// What its owner needs.
impl Session {
    /// Takes bytes from the client and runs the requests that they complete.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.shared.statistics.note_received(bytes.len());
        self.read_clock();
        if self.input.is_empty() && self.is_running() {
            let consumed = self.run(bytes);
            self.input.extend_from_slice(&bytes[consumed..]);
        } else {
            self.input.extend_from_slice(bytes);
            self.proceed();
        }
        let queued = self.transaction.as_ref().map_or(0, Transaction::bytes);
        if self.input.len() + queued > self.shared.config.input_limit() {
            self.state = State::Closed;
        }
        self.settle();
    }

    /// Runs one request, given by its arguments. If it blocks the reply comes with a
    /// [`wake`](Self::wake); until then [`is_blocked`](Self::is_blocked).
    pub fn execute(&mut self, argv: &[&[u8]]) {
        self.read_clock();
        if !self.perform(argv) {
            // It comes again with the next wake.
            let mut request = Encoder::new(&mut self.input, Protocol::Resp2);
            request.array(argv.len());
            argv.iter().for_each(|argument| request.bulk(argument));
        }
        self.settle();
    }

    /// Goes on after the waker has fired. It may be called at any time.
    pub fn wake(&mut self) {
        if self.client.take_signal() == Some(Signal::Kill) {
            self.state = State::Closed;
        }
        // What a client that is gone was given goes to the next who waits.
        if self.state != State::Closed {
            self.read_clock();
            self.poll_blocked();
            self.proceed();
        }
        self.settle();
    }

    /// Takes the time that all uses of keys have which are to come before the next call.
    fn read_clock(&self) {
        self.caller.set_now(self.shared.databases().clock.now());
    }

    /// Gives up what the session waits for, the requests that have yet to be run, and all output.
    /// A transaction that one of these may have ended is discarded.
    pub fn abandon(&mut self) {
        self.stop_waiting();
        if !self.input.is_empty() {
            self.input.clear();
            self.parser = RequestParser::new(self.limits());
            self.transaction = None;
            self.watched = None;
        }
        self.clear_output();
        self.settle();
    }

    fn clear_output(&mut self) {
        self.output.clear();
        self.sent = 0;
        self.held.clear();
    }

    /// What is to be sent to the client.
    pub fn output(&self) -> &[u8] {
        &self.output[self.sent..]
    }

    /// Says that the first `count` bytes of the output have been sent, and runs requests that had
    /// to wait for it.
    pub fn written(&mut self, count: usize) {
        debug_assert!(!self.is_held(), "what is held has been sent");
        self.shared.statistics.note_sent(count);
        self.sent = (self.sent + count).min(self.output.len());
        self.compact();
        if !self.input.is_empty() && self.is_running() {
            self.read_clock();
            self.proceed();
            self.settle();
        }
    }

    /// Gives back the room of what has been written, once it is more than what has not.
    fn compact(&mut self) {
        if self.sent * 2 < self.output.len() {
            return;
        }
        let written = std::mem::take(&mut self.sent);
        let used = self.output.len();
        self.output.drain(..written);
        // A client whose replies are long keeps the room for the next ones; what is lent is the
        // owner's.
        if !self.is_lent && used < self.output.capacity() / 4 {
            self.output.shrink_to(IDLE_CAPACITY.max(used * 2));
        }
    }

    /// Takes all of the output at once.
    pub fn take_output(&mut self) -> Vec<u8> {
        let output = self.output().to_vec();
        self.written(output.len());
        output
    }

    /// Lets the session write its output into `buffer`, which is empty, unless it has a buffer of
    /// its own. So an owner of many sessions needs one buffer for all that have nothing to send.
    pub fn lend(&mut self, buffer: &mut Vec<u8>) {
        debug_assert!(buffer.is_empty());
        if self.output.capacity() == 0 {
            std::mem::swap(&mut self.output, buffer);
            self.is_lent = true;
        }
    }

    /// Takes a lent buffer back if no output is left in it, and leaves the session none.
    pub fn reclaim(&mut self, buffer: &mut Vec<u8>) {
        if self.output.is_empty() {
            let output = std::mem::take(&mut self.output);
            self.is_lent = false;
            if buffer.capacity() < output.capacity() {
                *buffer = output;
            }
        }
    }

    /// Minds what has lasted too long: output that a client does not read. An owner whose session
    /// has output calls it about once a second.
    pub fn mind_time(&mut self) {
        self.mind_output_limit();
    }

    /// How long ago it last did anything.
    pub fn idle(&self) -> Duration {
        self.client.idle()
    }

    /// Whether more bytes from the client are wanted now. If not, they will be after a
    /// [`written`](Self::written) or a [`wake`](Self::wake).
    pub fn wants_input(&self) -> bool {
        self.state == State::Open && (self.is_running() || self.input.len() < WAITING_INPUT)
    }

    /// Whether a request waits for something; its reply comes with a [`wake`](Self::wake).
    pub fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// Whether the connection is to be closed now.
    pub fn is_done(&self) -> bool {
        match self.state {
            State::Open => false,
            State::Closing => self.output().is_empty(),
            State::Closed => true,
        }
    }

    /// Whether the client may not be closed for being idle: it waits, or listens.
    pub fn may_be_idle(&self) -> bool {
        self.is_blocked() || self.is_subscribed() || self.monitor.is_some()
    }

    /// The number by which `CLIENT LIST` names it.
    pub fn id(&self) -> u64 {
        self.client.id
    }
}

/// Requests.
impl Session {
    /// Whether a request would be run now.
    fn is_running(&self) -> bool {
        self.state == State::Open
            && self.blocked.is_none()
            && self.output.len() - self.sent < HIGH_WATER
    }

    /// Runs what waits in the input.
    fn proceed(&mut self) {
        if self.input.is_empty() || !self.is_running() {
            return;
        }
        let mut input = std::mem::take(&mut self.input);
        let consumed = self.run(&input);
        input.drain(..consumed);
        if !input.is_empty() {
            self.input = input;
        }
    }

    /// Runs the requests at the beginning of `bytes`; answers how many bytes they were.
    fn run(&mut self, bytes: &[u8]) -> usize {
        let mut parser = std::mem::take(&mut self.parser);
        let mut consumed = 0;
        while self.is_running() {
            let was_authenticated = self.authenticated;
            match parser.parse(&bytes[consumed..]) {
                Ok(Some(request)) => {
                    let argv: SmallVec<[&[u8]; 8]> = request.iter().collect();
                    if !self.perform(&argv) {
                        break;
                    }
                    consumed += request.consumed();
                }
                Ok(None) => break,
                Err(error) => self.refuse_bytes(error),
            }
            if self.authenticated != was_authenticated {
                parser.set_limits(self.limits());
            }
        }
        if consumed == bytes.len() {
            parser.release();
        }
        self.parser = parser;
        consumed
    }

    fn refuse_bytes(&mut self, error: ProtocolError) {
        self.fail(format!("ERR {error}").as_bytes());
        self.state = State::Closing;
    }

    fn limits(&self) -> RequestLimits {
        match self.authenticated {
            true => {
                RequestLimits { bulk: self.shared.config.bulk_limit(), ..RequestLimits::default() }
            }
            false => RequestLimits::UNAUTHENTICATED,
        }
    }

    /// Runs one request, or queues it; answers whether that was done, and it need not come again.
    fn perform(&mut self, argv: &[&[u8]]) -> bool {
        let Some((name, arguments)) = argv.split_first() else { return true };
        if self.is_subscribed() {
            self.deliver_messages();
        }
        let mut mark = self.output.len();
        match self.admit(name, arguments) {
            Ok(Some(command)) => {
                if self.shared.rig.is_set() {
                    if !self.run_rigged(command, argv) {
                        return false;
                    }
                } else {
                    self.run_admitted(command, name, arguments);
                }
                if subscriptions::confirms(command) {
                    // As any message, it comes whatever replies are wanted.
                    mark = self.output.len();
                }
            }
            Ok(None) => return false,
            Err(_) if is_of_http(name) => self.state = State::Closed,
            Err(text) => self.refuse(name, &text),
        }
        // A call that waits has yet to reply.
        if self.blocked.is_none() {
            self.withhold(mark);
        }
        if self.monitor.is_some() {
            self.deliver_monitored();
        }
        true
    }

    /// Answers why a request is not run at all. A transaction that it was to be part of will not be
    /// run either; `EXEC` itself ends it.
    fn refuse(&mut self, name: &[u8], text: &[u8]) {
        if name.eq_ignore_ascii_case(b"EXEC") {
            (self.transaction, self.watched) = (None, None);
            let text = text.strip_prefix(b"ERR ").unwrap_or(text);
            let words = b"EXECABORT Transaction discarded because of: ";
            return self.fail(&[words, text].concat());
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.refuse();
        }
        self.fail(text);
    }

    /// What keeps a request from being run at all; `None` if it has to wait for the end of a pause.
    #[inline]
    fn admit(&mut self, name: &[u8], arguments: &[&[u8]]) -> Result<Option<Command>, error::Text> {
        // Requests of one kind come in rows.
        let command = match self.last {
            Some(last) if last.is_named(name) => last,
            _ => resolve(name, arguments)?,
        };
        let entry = command.entry;
        if !entry.takes(arguments.len() + 1) {
            self.shared.statistics.note_rejected(command.place);
            return Err(error::redis_text(&Error::Arity(entry.name()), ""));
        }
        if !self.authenticated && !entry.has_flag(table::NO_AUTH) {
            self.shared.statistics.note_rejected(command.place);
            return Err(b"NOAUTH Authentication required.".into());
        }
        if self.transaction.is_some() && entry.has_flag(table::NO_MULTI) {
            self.shared.statistics.note_rejected(command.place);
            return Err(b"ERR Command not allowed inside a transaction".into());
        }
        if self.protocol == Protocol::Resp2 && self.is_subscribed() {
            self.admit_subscribed(command)?;
        }
        if self.monitor.is_some() && transaction::looks_at_keys(entry) {
            self.shared.statistics.note_rejected(command.place);
            // Redis takes who monitors for a replica.
            return Err(b"ERR Replica can't interact with the keyspace".into());
        }
        if self.transaction.is_some()
            && entry.has_flag(crate::wire::table::WRITE)
            && let Some(refusal) = self.shared.refusal()
        {
            self.shared.statistics.note_rejected(command.place);
            return Err(refusal);
        }
        if self.shared.clients.is_paused() && self.monitor.is_none() && self.must_pause(command) {
            return Ok(None);
        }
        Ok(Some(command))
    }

    /// Whether a pause concerns the command; then the session waits for its end.
    fn must_pause(&mut self, command: Command) -> bool {
        let databases = self.shared.databases();
        let writes = match &self.transaction {
            Some(transaction) if command.entry.name() == "EXEC" => transaction.writes(),
            _ => transaction::writes(command.entry),
        };
        let Some(end) = self.shared.clients.pause_for(writes, databases.clock.now()) else {
            return false;
        };
        self.blocked = Some(Box::new(Pause::new(&self.shared, end)));
        self.poll_blocked();
        self.blocked.is_some()
    }

    fn run_admitted(&mut self, command: Command, name: &[u8], arguments: &[&[u8]]) {
        let queues = !command.entry.has_flag(table::AT_ONCE);
        if let (Some(transaction), true) = (&mut self.transaction, queues) {
            transaction.queue(command, name, arguments);
            self.output.extend_from_slice(b"+QUEUED\r\n");
            return;
        }
        let mark = self.output.len();
        let position = self.held.position();
        self.call(command, name, arguments);
        if self.shared.monitors.has_listeners() {
            self.tell_monitors(command, name, arguments);
        }
        if self.state == State::Closed {
            return;
        }
        let length = self.output.len() - mark;
        if self.is_subscribed() && !subscriptions::confirms(command) {
            self.deliver_before(mark);
        }
        if self.held.position() > position {
            let end = self.output.len();
            self.held.note_reply(end - length..end);
        }
    }

    /// Runs a command and counts it.
    fn call(&mut self, command: Command, name: &[u8], arguments: &[&[u8]]) {
        self.last = Some(command);
        let statistics = &self.shared.statistics;
        let ordinal = statistics.note_call(command.place);
        let is_timed =
            !command.entry.has_flag(crate::wire::table::FAST) || statistics.wants_time(ordinal);
        let begun = is_timed.then(Instant::now);
        let outcome = self.dispatch(command, arguments);
        if let Err(failure) = outcome {
            self.fail_as(command, arguments, failure);
        }
        if let Some(begun) = begun {
            self.note_time(command, name, arguments, begun.elapsed());
        }
    }

    /// Runs a command: an operation on data, one that may block, or one of the session's own.
    #[inline]
    fn dispatch(&mut self, command: Command, arguments: &[&[u8]]) -> Answer {
        let entry = command.entry;
        if let Some(run) = entry.action() {
            let behind = usize::from(command.is_subcommand);
            return run(self, arguments.get(behind..).unwrap_or_default());
        }
        let Some(row) = entry.data() else {
            return Err(Error::Arity(entry.name()).into());
        };
        if entry.has_flag(crate::wire::table::BLOCKING) {
            if let Some(start) = blocked::find(entry.name()) {
                return self.block(start, arguments);
            }
            // Another spelling of one that is known.
            let mut argv = Argv::default();
            let mut encoder = Encoder::new(&mut self.output, self.protocol);
            row.execute(arguments, &mut Context::Canonical(&mut argv), &mut encoder)?;
            let argv: SmallVec<[&[u8]; 8]> = argv.iter().collect();
            let name = std::str::from_utf8(argv[0]).unwrap_or_default();
            if let Some(start) = blocked::find(name) {
                return self.block(start, &argv[1..]);
            }
        }
        let space = Space::of_caller(self.shared.store.databases(), self.database, &self.caller);
        let mut encoder = Encoder::new(&mut self.output, self.protocol);
        let run = || row.execute(arguments, &mut Context::Run(space), &mut encoder);
        Ok(self.held.deferring(&self.shared, run)?)
    }

    fn block(&mut self, start: blocked::Start, arguments: &[&[u8]]) -> Answer {
        let mut encoder = Encoder::new(&mut self.output, self.protocol);
        let databases = self.shared.store.databases();
        let space = Space::of_caller(databases, self.database, &self.caller);
        let run = || start(databases, space, arguments, &mut encoder);
        if let Some(call) = self.held.deferring(&self.shared, run)? {
            self.wait_for(call);
        }
        Ok(())
    }

    /// Gives up what the session waits for.
    fn stop_waiting(&mut self) {
        if self.blocked.take().is_some() {
            self.client.set_blocked(None);
        }
    }

    /// Asks whether what the session waits for has come, and answers then.
    fn poll_blocked(&mut self) {
        let Some(mut call) = self.blocked.take() else { return };
        let mark = self.output.len();
        let mut encoder = Encoder::new(&mut self.output, self.protocol);
        let ended = match self.client.take_unblock() {
            Some(reason) => Poll::Ready(call.unblock(reason, &mut encoder)),
            None => call.poll(&self.waker, &mut encoder),
        };
        let Poll::Ready(outcome) = ended else {
            self.blocked = Some(call);
            return;
        };
        if let Err(text) = outcome {
            self.fail(&text);
        }
        self.client.set_blocked(None);
        // A pause is followed by the request that waited for its end, and is no reply itself.
        if self.output.len() > mark {
            self.withhold(mark);
        }
    }

    /// Takes back what was written since `mark` if the client wants no replies.
    fn withhold(&mut self, mark: usize) {
        match self.replies {
            Replies::On => {}
            Replies::Off => self.take_back(mark),
            Replies::SkipNext => {
                self.take_back(mark);
                self.replies = Replies::Skip;
            }
            Replies::Skip => {
                self.take_back(mark);
                self.replies = Replies::On;
            }
        }
    }

    fn take_back(&mut self, mark: usize) {
        self.output.truncate(mark);
        self.held.forget_behind(mark);
    }
}

/// The command that a request names, or Redis's words for one that there is not.
fn resolve(name: &[u8], arguments: &[&[u8]]) -> Result<Command, error::Text> {
    table::resolve(name, arguments).map_err(|unknown| match unknown {
        Unknown::Command => error::unknown_command(name, arguments).into(),
        Unknown::Subcommand(command) => {
            let given = Value::from(arguments[0]);
            error::redis_text(&Error::UnknownSubcommand { command, given }, "")
        }
    })
}

/// Replies.
impl Session {
    fn encoder(&mut self) -> Encoder<'_> {
        Encoder::new(&mut self.output, self.protocol)
    }

    fn ok(&mut self) -> Answer {
        self.output.extend_from_slice(b"+OK\r\n");
        Ok(())
    }

    fn integer(&mut self, value: i64) -> Answer {
        self.encoder().integer(value);
        Ok(())
    }

    /// Answers the lines of a `HELP`.
    fn lines(&mut self, lines: &[&str]) -> Answer {
        let mut encoder = self.encoder();
        encoder.array(lines.len());
        lines.iter().for_each(|line| encoder.simple(line.as_bytes()));
        Ok(())
    }

    /// Answers an error and counts it.
    fn fail(&mut self, text: &[u8]) {
        self.shared.statistics.note_error(text);
        self.encoder().error(text);
    }

    fn fail_as(&mut self, command: Command, arguments: &[&[u8]], failure: Failure) {
        self.shared.statistics.note_failed(command.place);
        match failure {
            Failure::Usage => {
                let command = command.entry.name().split('|').next().unwrap_or_default();
                let given = Value::from(arguments.first().copied().unwrap_or_default());
                let error = Error::SubcommandOptions { command, given };
                self.fail(&error::redis_text(&error, command));
            }
            Failure::Text(text) => self.fail(&text),
            Failure::Of(error) => self.fail(&error::redis_text(&error, command.entry.name())),
        }
    }
}

/// Whether a request is a line of HTTP: a browser was talked into sending it, and what follows is
/// not the user's.
fn is_of_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:")
}

/// Limits, and what others see.
impl Session {
    /// Takes what has been published, minds the limits, and tells the others how things stand.
    fn settle(&mut self) {
        self.deliver();
        self.mind_output_limit();
        self.describe();
    }

    fn mind_output_limit(&mut self) {
        let length = self.output().len();
        if !self.authenticated && length > UNAUTHENTICATED_OUTPUT {
            self.state = State::Closed;
        }
        let class = if self.is_subscribed() { Class::Subscriber } else { Class::Normal };
        let limit = self.shared.config.output_limit(class);
        if limit.is_over_soft(length) {
            let since = *self.over_since.get_or_insert_with(Instant::now);
            if limit.is_soft_time_over(since.elapsed()) {
                self.state = State::Closed;
            }
        } else {
            self.over_since = None;
        }
        if limit.is_over_hard(length) {
            self.state = State::Closed;
        }
        if self.state == State::Closed {
            self.clear_output();
            self.stop_waiting();
        }
    }
}

#[cfg(any(test, fuzzing))]
impl Session {
    /// Asserts that no more is marked as written than there is, that what is counted of the
    /// subscriptions is what there is, and that others see a call that blocks if there is one.
    #[doc(hidden)]
    pub fn check(&self) {
        assert!(self.sent <= self.output.len());
        self.subscriptions.check();
        if self.blocked.is_none() {
            assert!(!self.client.is_blocked(), "nothing blocks");
        }
    }

    /// How many bytes wait that no request has been made of yet.
    #[cfg(fuzzing)]
    #[doc(hidden)]
    pub fn waiting(&self) -> usize {
        self.input.len()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shared.clients.remove(self.client.id);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests;
