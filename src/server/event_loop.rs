//! A thread with its sockets: it sleeps until one has something to do, and serves those that have
//! in turns.
//!
//! # Invariant
//!
//! - A connection is in `due` at most once, and is if it has something to do that no event will
//!   tell of again. In a turn each of them is served once, by one read and one write.
//! - Replies that wait for the log wait in `held` until all of the turn's requests have run; then
//!   the log is waited for once.
//! - A panic ends the connection that it was met for, and no other: it may come from the caller's
//!   code, such as a filter of events, which runs on this thread.
//!
//! # Complexity
//!
//! A turn is one wait for events and, for each connection that is due, at most one read and one
//! write. Connections that are idle cost nothing.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Registry, Token};
use slab::Slab;

use super::connection::{Buffers, Connection, Served};
use super::mailbox::{self, Bell, Mailbox, Note};
use super::socket::{Listener, Stream};
use crate::error::Error;
use crate::session::Face;
use crate::sync::Arc;

/// Events taken in one turn.
const EVENTS: usize = 1024;
/// Clients accepted in one turn, so that a crowd at the door delays nobody inside.
const ACCEPTED: usize = 256;
/// How often time is minded, while there is something that may last too long.
const TICK: Duration = Duration::from_secs(1);
/// When a listener is tried again that failed, as when the process has no descriptors left.
const RETRY: Duration = Duration::from_millis(100);
/// The token of the first listener; those of the others are below it.
const FIRST_LISTENER: usize = usize::MAX - 1;

/// What is said if waiting for the log has ended so.
const PANICKED: &str = "the persistence has panicked";

pub(super) struct EventLoop {
    poll: Poll,
    face: Face,
    listeners: Vec<Listener>,
    mailboxes: Arc<[Arc<Mailbox>]>,
    /// Which of the mailboxes is its own.
    place: usize,
    connections: Slab<Connection>,
    /// The connections to serve in the next turn.
    due: VecDeque<usize>,
    /// The connections whose replies wait for the log, in this turn.
    held: Vec<usize>,
    /// How far the log has to come for them.
    held_position: u64,
    /// Listeners that may have clients waiting.
    doors: Vec<usize>,
    /// No client could be accepted a moment ago.
    is_exhausted: bool,
    /// Which loop gets the next client.
    next: usize,
    buffers: Buffers,
    notes: Vec<Note>,
    /// Connections whose output waits for room.
    congested: usize,
    next_tick: Option<Instant>,
    idle_timeout: Option<Duration>,
}

impl EventLoop {
    pub(super) fn new(
        poll: Poll,
        face: Face,
        mut listeners: Vec<Listener>,
        mailboxes: Arc<[Arc<Mailbox>]>,
        place: usize,
    ) -> io::Result<Self> {
        for (number, listener) in listeners.iter_mut().enumerate() {
            listener.register(poll.registry(), Token(FIRST_LISTENER - number))?;
        }
        let idle_timeout = face.idle_timeout();
        Ok(Self {
            poll,
            face,
            listeners,
            mailboxes,
            place,
            connections: Slab::new(),
            due: VecDeque::new(),
            held: Vec::new(),
            held_position: 0,
            doors: Vec::new(),
            is_exhausted: false,
            next: 0,
            buffers: Buffers::default(),
            notes: Vec::new(),
            congested: 0,
            next_tick: None,
            idle_timeout,
        })
    }

    /// Serves until it is stopped.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.mailbox().is_stopped() {
            self.sleep(&mut events);
            events.iter().for_each(|event| self.note_event(event));
            self.take_notes();
            self.accept();
            self.serve_due();
            self.mind_time();
        }
        for number in self.numbers() {
            self.close(number);
        }
    }

    fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailboxes[self.place]
    }

    /// Waits for events, unless there is something to do already.
    fn sleep(&mut self, events: &mut Events) {
        let has_work = !self.due.is_empty()
            || self.held_position > 0
            || !self.doors.is_empty() && !self.is_exhausted;
        let timeout = match has_work || !self.mailbox().may_sleep() {
            true => Some(Duration::ZERO),
            false => self.sleep_time(),
        };
        let outcome = self.poll.poll(events, timeout);
        self.mailbox().has_woken();
        if outcome.is_err() {
            // A signal; what the events were before is of no concern.
            events.clear();
        }
    }

    /// How long it may sleep; `None` is until something happens.
    fn sleep_time(&self) -> Option<Duration> {
        let tick = self.next_tick.map(|tick| tick.saturating_duration_since(Instant::now()));
        let retry = self.is_exhausted.then_some(RETRY);
        [tick, retry].into_iter().flatten().min()
    }

    fn note_event(&mut self, event: &Event) {
        let token = event.token();
        if token == mailbox::TOKEN {
            return;
        }
        if let Some(connection) = self.connections.get_mut(token.0) {
            connection.is_ending |= event.is_read_closed() || event.is_error();
            connection.is_readable |= event.is_readable() || connection.is_ending;
            self.make_due(token.0);
            return;
        }
        let door = FIRST_LISTENER - token.0;
        if door < self.listeners.len() && !self.doors.contains(&door) {
            self.doors.push(door);
        }
    }

    fn make_due(&mut self, number: usize) {
        let Some(connection) = self.connections.get_mut(number) else { return };
        if !std::mem::replace(&mut connection.is_due, true) {
            self.due.push_back(number);
        }
    }

    fn take_notes(&mut self) {
        let mut notes = std::mem::take(&mut self.notes);
        self.mailbox().take(&mut notes);
        for note in notes.drain(..) {
            match note {
                Note::Adopt(stream) => self.adopt(stream),
                Note::Wake(number) => {
                    if let Some(connection) = self.connections.get_mut(number) {
                        connection.is_rung = true;
                        self.make_due(number);
                    }
                }
            }
        }
        self.notes = notes;
    }
}

/// Clients who come.
impl EventLoop {
    fn accept(&mut self) {
        self.is_exhausted = false;
        let mut accepted = 0;
        while let Some(&door) = self.doors.last() {
            if accepted == ACCEPTED {
                return;
            }
            accepted += 1;
            match self.listeners[door].accept(self.face.keep_alive()) {
                Ok(stream) => self.deal(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.doors.pop();
                }
                Err(error) if is_of_one_client(&error) => {}
                Err(_) => {
                    self.is_exhausted = true;
                    return;
                }
            }
        }
    }

    /// Gives a client to the loop whose turn it is.
    fn deal(&mut self, stream: Stream) {
        let place = self.next;
        self.next = (self.next + 1) % self.mailboxes.len();
        match place == self.place {
            true => self.adopt(stream),
            false => self.mailboxes[place].leave(Note::Adopt(stream)),
        }
    }

    fn adopt(&mut self, stream: Stream) {
        let entry = self.connections.vacant_entry();
        let number = entry.key();
        let bell = Bell::new(number, &self.mailboxes[self.place]);
        let opened = Connection::open(stream, &self.face, bell, Token(number));
        let Some(mut connection) = opened else { return };
        // A socket that cannot be waited for is closed again.
        if connection.register(self.poll.registry()).is_ok() {
            entry.insert(connection);
        }
    }
}

/// Whether accepting failed for one client only, and the next may do.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, NotConnected};
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | Interrupted
            | NotConnected
            | io::ErrorKind::InvalidInput
    )
}

/// Clients who are there.
impl EventLoop {
    fn serve_due(&mut self) {
        for _ in 0..self.due.len() {
            let Some(number) = self.due.pop_front() else { return };
            let Some(connection) = self.connections.get_mut(number) else { continue };
            if !std::mem::take(&mut connection.is_due) {
                // It has the number of one that was closed.
                continue;
            }
            self.serve(number, Connection::serve);
        }
        self.release_held();
    }

    /// Serves a connection in some way, and sees to what becomes of it.
    fn serve(
        &mut self,
        number: usize,
        serve: impl FnOnce(&mut Connection, &mut Buffers, &Registry) -> Served,
    ) {
        let Some(connection) = self.connections.get_mut(number) else { return };
        let was_congested = connection.awaits_room();
        let run = || serve(connection, &mut self.buffers, self.poll.registry());
        let served = guard(&self.face, run).unwrap_or(Served::Over);
        self.held_position = self.held_position.max(connection.held_position());
        let is_congested = connection.awaits_room();
        self.congested = self.congested + usize::from(is_congested) - usize::from(was_congested);
        match served {
            Served::Again => self.make_due(number),
            Served::Waits => {}
            Served::Held => self.held.push(number),
            Served::Over => self.close(number),
        }
    }

    /// Waits for the log, and has all send whose replies have waited for it. Requests that run
    /// only now have replies that wait for the next time.
    fn release_held(&mut self) {
        if self.held_position == 0 {
            return;
        }
        let position = std::mem::take(&mut self.held_position);
        let kept = guard(&self.face, || self.face.await_log(position));
        let kept = kept.unwrap_or_else(|| Err(Error::Indeterminate(PANICKED.into())));
        let held = std::mem::take(&mut self.held);
        for &number in &held {
            self.serve(number, |connection, buffers, registry| {
                connection.release(&kept, buffers, registry)
            });
        }
        for number in std::mem::replace(&mut self.held, held) {
            self.make_due(number);
        }
        self.held.clear();
    }

    fn close(&mut self, number: usize) {
        let mut connection = self.connections.remove(number);
        self.congested -= usize::from(connection.awaits_room());
        connection.deregister(self.poll.registry());
        // What it waited for may go to another waiter, whom the caller's code wakes.
        guard(&self.face, || drop(connection));
    }

    fn numbers(&self) -> Vec<usize> {
        self.connections.iter().map(|(number, _)| number).collect()
    }

    /// Closes those who have been idle, or behind with reading, for too long.
    fn mind_time(&mut self) {
        let idle_timeout = self.face.idle_timeout();
        if idle_timeout != self.idle_timeout {
            // Another client has set it; the other loops may sleep for ever.
            self.idle_timeout = idle_timeout;
            self.mailboxes.iter().for_each(|mailbox| mailbox.rouse());
        }
        let has_to = !self.connections.is_empty() && (idle_timeout.is_some() || self.congested > 0);
        if !has_to {
            self.next_tick = None;
            return;
        }
        let now = Instant::now();
        if *self.next_tick.get_or_insert(now + TICK) > now {
            return;
        }
        self.next_tick = Some(now + TICK);
        for number in self.numbers() {
            let connection = &mut self.connections[number];
            let served = guard(&self.face, || connection.mind_time(&self.face));
            if served.unwrap_or(Served::Over) == Served::Over {
                self.close(number);
            }
        }
    }
}

/// Runs what concerns one connection, which is of no use any more if it panics: then it is counted,
/// and there is no answer.
fn guard<R>(face: &Face, run: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(run)).inspect_err(|_| face.note_panic()).ok()
}
