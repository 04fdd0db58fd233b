//! The clients of a face: what `CLIENT LIST` tells of them, and how they are reached.
//!
//! # Invariant
//!
//! A client is in the registry from its connection until it is killed or its session is dropped.
//! What others see of it is as of the end of the session's last call.
//!
//! # Threading
//!
//! Locks nest the registry, then one client, then what it waits for. No waker runs under any.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::Session;
use super::table;
use crate::keyspace::waiters::Waiter;
use crate::pubsub::Subscription;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, Weak};
use crate::wire::Protocol;

/// Who is at the other end of a connection, as `CLIENT LIST` tells it.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The client's address and port, or the path of a socket with `:0`.
    pub address: String,
    /// The server's end, likewise.
    pub local: String,
    /// The file descriptor, or -1.
    pub descriptor: i64,
    /// Whether it is connected by a Unix socket.
    pub is_unix: bool,
}

/// A client as others reach it.
pub(super) struct Client {
    pub(super) id: u64,
    pub(super) peer: Peer,
    created: Instant,
    waker: Waker,
    /// Whether `signal` or `unblock` is to be looked at.
    has_signal: AtomicBool,
    state: Mutex<ClientState>,
}

#[derive(Default)]
struct ClientState {
    signal: Option<Signal>,
    /// What its session waits for, if others may end it.
    blocked: Option<Arc<Waiter>>,
    /// Why it has been ended by another.
    unblock: Option<Reason>,
    /// What its session is subscribed to.
    subscriptions: Vec<Weak<Subscription>>,
    details: Details,
}

/// What another client wants of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Kill,
}

/// How `CLIENT UNBLOCK` ends a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// As if its time had passed.
    Timeout,
    Error,
}

/// Bytes that a session keeps for its client.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Buffer {
    pub(super) used: usize,
    /// With what is free.
    room: usize,
}

/// What a session tells of itself.
#[derive(Clone, Debug)]
pub(super) struct Details {
    pub(super) name: Vec<u8>,
    pub(super) library: (Vec<u8>, Vec<u8>),
    pub(super) database: u16,
    pub(super) channels: usize,
    pub(super) patterns: usize,
    pub(super) shard_channels: usize,
    /// Commands queued; none outside of a transaction.
    pub(super) queued: Option<usize>,
    pub(super) is_watching: bool,
    pub(super) is_monitor: bool,
    pub(super) is_closing: bool,
    pub(super) no_evict: bool,
    pub(super) no_touch: bool,
    /// What queued commands take.
    pub(super) queued_bytes: usize,
    pub(super) input: Buffer,
    pub(super) output: Buffer,
    /// In the table of all commands.
    pub(super) last: Option<usize>,
    pub(super) protocol: Protocol,
    pub(super) active: Option<Instant>,
}

impl Default for Details {
    fn default() -> Self {
        Self {
            name: Vec::new(),
            library: (Vec::new(), Vec::new()),
            database: 0,
            channels: 0,
            patterns: 0,
            shard_channels: 0,
            queued: None,
            is_watching: false,
            is_monitor: false,
            is_closing: false,
            no_evict: false,
            no_touch: false,
            queued_bytes: 0,
            input: Buffer::default(),
            output: Buffer::default(),
            last: None,
            protocol: Protocol::Resp2,
            active: None,
        }
    }
}

impl Details {
    pub(super) fn is_subscribed(&self) -> bool {
        self.channels + self.patterns + self.shard_channels > 0
    }
}

impl Client {
    pub(super) fn read<R>(&self, read: impl FnOnce(&Details) -> R) -> R {
        read(&self.state.lock().details)
    }

    pub(super) fn edit<R>(&self, edit: impl FnOnce(&mut Details) -> R) -> R {
        edit(&mut self.state.lock().details)
    }

    /// How long ago its session last did anything.
    pub(super) fn idle(&self) -> Duration {
        self.read(|details| details.active).unwrap_or(self.created).elapsed()
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.state.lock().blocked.is_some()
    }

    /// Says what its session waits for and others may end; nothing once it has ceased to wait.
    pub(super) fn set_blocked(&self, waiter: Option<Arc<Waiter>>) {
        let mut state = self.state.lock();
        let displaced = std::mem::replace(&mut state.blocked, waiter);
        state.unblock = None;
        drop(state);
        drop(displaced);
    }

    /// Says that its session has made a subscription, which ends with it.
    pub(super) fn note_subscription(&self, subscription: &Arc<Subscription>) {
        let subscriptions = &mut self.state.lock().subscriptions;
        subscriptions.retain(|subscription| subscription.strong_count() > 0);
        subscriptions.push(Arc::downgrade(subscription));
    }

    /// Ends its session. From now on it gets nothing: no message, and no element that it waits for.
    fn kill(&self) {
        let mut state = self.state.lock();
        state.signal = Some(Signal::Kill);
        let blocked = state.blocked.take();
        let subscriptions = std::mem::take(&mut state.subscriptions);
        drop(state);
        drop(blocked.map(|waiter| waiter.abandon()));
        subscriptions
            .iter()
            .filter_map(Weak::upgrade)
            .for_each(|subscription| subscription.close());
        self.has_signal.store(true, Ordering::Release);
        self.waker.wake_by_ref();
    }

    /// Ends the call that its session waits for; answers whether there was one, which nothing had
    /// ended before.
    pub(super) fn unblock(&self, reason: Reason) -> bool {
        let mut state = self.state.lock();
        let Some(waker) = state.blocked.as_ref().and_then(|waiter| waiter.abandon()) else {
            return false;
        };
        state.unblock = Some(reason);
        drop(state);
        drop(waker);
        self.has_signal.store(true, Ordering::Release);
        self.waker.wake_by_ref();
        true
    }

    /// Called by its own session.
    pub(super) fn take_signal(&self) -> Option<Signal> {
        if !self.has_signal.load(Ordering::Acquire) {
            return None;
        }
        self.state.lock().signal.take()
    }

    /// Called by its own session while it waits.
    pub(super) fn take_unblock(&self) -> Option<Reason> {
        if !self.has_signal.swap(false, Ordering::AcqRel) {
            return None;
        }
        let mut state = self.state.lock();
        if state.signal.is_some() {
            self.has_signal.store(true, Ordering::Release);
        }
        state.unblock.take()
    }

    /// The type that `CLIENT LIST TYPE` knows it by.
    pub(super) fn kind(&self) -> &'static str {
        if self.read(Details::is_subscribed) { "pubsub" } else { "normal" }
    }

    /// Its line of `CLIENT LIST`.
    pub(super) fn line(&self) -> Vec<u8> {
        let state = self.state.lock();
        let ClientState { details, blocked, .. } = &*state;
        let idle = details.active.map_or(0, |active| active.elapsed().as_secs());
        let mut line = format!(
            "id={} addr={} laddr={} fd={} name=",
            self.id, self.peer.address, self.peer.local, self.peer.descriptor
        )
        .into_bytes();
        line.extend_from_slice(&details.name);
        let last = details.last.map_or_else(
            || String::from("NULL"),
            |place| table::all()[place].name().to_ascii_lowercase(),
        );
        let mut rest = format!(" age={} idle={idle}", self.created.elapsed().as_secs());
        let _ = write!(
            rest,
            " flags={} db={} sub={} psub={} ssub={} multi={} qbuf={} qbuf-free={} argv-mem=0 \
             multi-mem={} rbs={} rbp=0 obl={} oll=0 omem=0 tot-mem={} events=r cmd={last} \
             user=default redir=-1 resp={}",
            self.flags(details, blocked.is_some()),
            details.database,
            details.channels,
            details.patterns,
            details.shard_channels,
            details.queued.map_or(-1, |queued| queued as i64),
            details.input.used,
            details.input.room - details.input.used,
            details.queued_bytes,
            details.output.room,
            details.output.used,
            details.input.room + details.output.room + details.queued_bytes,
            if details.protocol == Protocol::Resp3 { 3 } else { 2 },
        );
        line.extend_from_slice(rest.as_bytes());
        for (label, text) in [(" lib-name=", &details.library.0), (" lib-ver=", &details.library.1)]
        {
            if !text.is_empty() {
                line.extend_from_slice(label.as_bytes());
                line.extend_from_slice(text);
            }
        }
        line
    }

    /// In the order of Redis.
    fn flags(&self, details: &Details, is_blocked: bool) -> String {
        let all = [
            (details.is_monitor, 'O'),
            (details.is_subscribed(), 'P'),
            (details.queued.is_some(), 'x'),
            (is_blocked, 'b'),
            (details.is_closing, 'c'),
            (self.peer.is_unix, 'U'),
            (details.no_evict, 'e'),
            (details.no_touch, 'T'),
        ];
        let flags: String =
            all.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| *flag).collect();
        if flags.is_empty() { String::from("N") } else { flags }
    }
}

/// All clients of a face.
#[derive(Default)]
pub(super) struct Clients {
    last_id: AtomicU64,
    by_id: Mutex<BTreeMap<u64, Arc<Client>>>,
    count: AtomicUsize,
    is_paused: AtomicBool,
    pause: Mutex<Option<PauseUntil>>,
}

/// A pause of all clients.
#[derive(Clone, Copy)]
struct PauseUntil {
    /// By the store's clock.
    end: u64,
    writes_only: bool,
}

impl Clients {
    /// Registers a client, unless there are `limit` already.
    pub(super) fn add(&self, peer: Peer, waker: Waker, limit: usize) -> Option<Arc<Client>> {
        let mut by_id = self.by_id.lock();
        if by_id.len() >= limit {
            return None;
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let client = Arc::new(Client {
            id,
            peer,
            created: Instant::now(),
            waker,
            has_signal: AtomicBool::new(false),
            state: Mutex::default(),
        });
        by_id.insert(id, Arc::clone(&client));
        self.count.store(by_id.len(), Ordering::Relaxed);
        Some(client)
    }

    /// Ends a client, which is none from now on.
    pub(super) fn kill(&self, client: &Client) {
        self.remove(client.id);
        client.kill();
    }

    pub(super) fn remove(&self, id: u64) {
        let mut by_id = self.by_id.lock();
        let removed = by_id.remove(&id);
        self.count.store(by_id.len(), Ordering::Relaxed);
        drop(by_id);
        drop(removed);
    }

    pub(super) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// How many wait in a command that blocks.
    pub(super) fn blocked(&self) -> usize {
        self.all().iter().filter(|client| client.is_blocked()).count()
    }

    /// All clients, by id.
    pub(super) fn all(&self) -> Vec<Arc<Client>> {
        self.by_id.lock().values().cloned().collect()
    }

    pub(super) fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// Whether a pause has begun and may not have ended.
    #[inline]
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    /// The end of the pause that a command has to wait for, if it does.
    pub(super) fn pause_for(&self, writes: bool, now: u64) -> Option<u64> {
        let mut pause = self.pause.lock();
        match *pause {
            Some(until) if until.end > now => (writes || !until.writes_only).then_some(until.end),
            _ => {
                *pause = None;
                self.is_paused.store(false, Ordering::Relaxed);
                None
            }
        }
    }

    /// Pauses all clients. One pause at a time: the later end and the stricter of both count.
    pub(super) fn pause(&self, end: u64, writes_only: bool, now: u64) {
        let mut pause = self.pause.lock();
        let current = pause.filter(|current| current.end > now);
        *pause = Some(PauseUntil {
            end: current.map_or(end, |current| current.end.max(end)),
            writes_only: writes_only && current.is_none_or(|current| current.writes_only),
        });
        self.is_paused.store(true, Ordering::Relaxed);
    }

    /// Ends a pause, and has all clients look.
    pub(super) fn unpause(&self) {
        *self.pause.lock() = None;
        self.is_paused.store(false, Ordering::Relaxed);
        for client in self.all() {
            client.waker.wake_by_ref();
        }
    }
}

impl Session {
    /// Tells the others how things stand.
    pub(super) fn describe(&mut self) {
        self.shared.statistics.note_lookups(self.caller.take_lookups());
        let last = self.last.map(|command| command.place);
        let (channels, patterns, shard_channels) = self.subscriptions.counts();
        let input = Buffer { used: self.input.len(), room: self.input.capacity() };
        let room = if self.is_lent { 0 } else { self.output.capacity() };
        let output = Buffer { used: self.output().len(), room: room.max(self.output().len()) };
        let is_closing = self.state != super::State::Open;
        let mut state = self.client.state.lock();
        let details = &mut state.details;
        details.database = self.database;
        details.protocol = self.protocol;
        (details.channels, details.patterns) = (channels, patterns);
        details.shard_channels = shard_channels;
        details.queued = self.transaction.as_ref().map(super::Transaction::len);
        details.queued_bytes = self.transaction.as_ref().map_or(0, super::Transaction::bytes);
        details.is_watching = self.watched.is_some();
        details.is_monitor = self.monitor.is_some();
        details.is_closing = is_closing;
        (details.input, details.output) = (input, output);
        details.last = last;
        details.active = Some(Instant::now());
    }
}
