//! One client: its socket, and its session.
//!
//! # Invariant
//!
//! - The system tells only once that a socket can be read. `is_readable` keeps that until a read
//!   has taken all there was, whether or not the session wants input meanwhile.
//! - The system is asked whether a socket can be written only while output waits for it.

use std::io;
use std::task::Waker;

use mio::{Interest, Registry, Token};

use super::mailbox::Bell;
use super::socket::Stream;
use crate::error::Result;
use crate::session::{Face, Session};
use crate::sync::Arc;

/// What the connections of a loop share, as only one is served at a time.
pub(super) struct Buffers {
    pub(super) input: Box<[u8]>,
    /// Lent to the session that is being served.
    output: Vec<u8>,
}

/// Bytes taken from one client before others have their turn.
const CHUNK: usize = 16 * 1024;

/// Capacity of the shared output that is kept.
const KEPT_OUTPUT: usize = 256 * 1024;

impl Default for Buffers {
    fn default() -> Self {
        Self { input: vec![0; CHUNK].into(), output: Vec::new() }
    }
}

pub(super) struct Connection {
    stream: Stream,
    session: Session,
    bell: Arc<Bell>,
    token: Token,
    /// There is something for the client from within.
    pub(super) is_rung: bool,
    /// There may be something to read.
    pub(super) is_readable: bool,
    /// The client sends no more than what is there to be read.
    pub(super) is_ending: bool,
    /// All that the client has sent has been read.
    has_ended: bool,
    /// The system will tell when there is room for output.
    awaits_room: bool,
    /// Whether it is to be served in the next turn.
    pub(super) is_due: bool,
}

/// What becomes of a connection that was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Served {
    /// There is more to do at once.
    Again,
    /// It waits for an event.
    Waits,
    /// What it has to send waits for the log.
    Held,
    /// It is to be closed.
    Over,
}

impl Connection {
    /// A client that has just connected, whose bell is `bell`.
    ///
    /// # Errors
    ///
    /// None if it was refused and told why.
    pub(super) fn open(
        mut stream: Stream,
        face: &Face,
        bell: Arc<Bell>,
        token: Token,
    ) -> Option<Self> {
        let refusal = match face.refusal_of_strangers() {
            Some(refusal) if !stream.is_local() => refusal,
            _ => match face.connect(stream.peer(), Waker::from(Arc::clone(&bell))) {
                Ok(mut session) => {
                    session.hold_replies();
                    return Some(Self {
                        stream,
                        session,
                        bell,
                        token,
                        is_rung: false,
                        is_readable: false,
                        is_ending: false,
                        has_ended: false,
                        awaits_room: false,
                        is_due: false,
                    });
                }
                Err(refusal) => refusal,
            },
        };
        // A new socket has room for a line; a client that is gone already misses nothing.
        let _ = stream.write(refusal);
        None
    }

    pub(super) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        registry.register(self.stream.source(), self.token, Interest::READABLE)
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        // Closing the socket does the same.
        let _ = registry.deregister(self.stream.source());
    }

    /// Takes what has come for the client from within, reads once and writes once, as far as there
    /// is something to take, to read and to write. What waits for the log is not written.
    pub(super) fn serve(&mut self, buffers: &mut Buffers, registry: &Registry) -> Served {
        // Before what has come is taken, which then goes to the next who waits for it.
        if self.is_ending && self.session.is_blocked() {
            return Served::Over;
        }
        self.session.lend(&mut buffers.output);
        if std::mem::take(&mut self.is_rung) {
            self.bell.silence();
            self.session.wake();
        }
        let outcome = self.exchange(&mut buffers.input, registry);
        self.judge(&outcome, buffers)
    }

    /// Writes what has waited for the log, which has come to this.
    pub(super) fn release(
        &mut self,
        kept: &Result<()>,
        buffers: &mut Buffers,
        registry: &Registry,
    ) -> Served {
        self.session.release(kept);
        let outcome = self.write(registry);
        self.judge(&outcome, buffers)
    }

    fn judge(&mut self, outcome: &io::Result<()>, buffers: &mut Buffers) -> Served {
        self.session.reclaim(&mut buffers.output);
        if buffers.output.capacity() > KEPT_OUTPUT {
            buffers.output = Vec::new();
        }
        match outcome {
            Err(_) => Served::Over,
            Ok(()) if self.is_over() => Served::Over,
            Ok(()) if self.session.is_held() => Served::Held,
            Ok(()) if self.is_readable && self.session.wants_input() => Served::Again,
            Ok(()) if !self.awaits_room && !self.session.output().is_empty() => Served::Again,
            Ok(()) => Served::Waits,
        }
    }

    fn exchange(&mut self, input: &mut [u8], registry: &Registry) -> io::Result<()> {
        if self.is_readable && self.session.wants_input() {
            self.read(input)?;
        }
        self.write(registry)
    }

    fn read(&mut self, input: &mut [u8]) -> io::Result<()> {
        match self.stream.read(input) {
            Ok(0) => {
                (self.is_ending, self.has_ended) = (true, true);
                self.is_readable = false;
            }
            Ok(count) => {
                // On unix less than was asked for is all there was; more makes a new event. But of
                // an end that is behind it no event tells again.
                self.is_readable = count == input.len() || self.is_ending || cfg!(not(unix));
                self.session.receive(&input[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn write(&mut self, registry: &Registry) -> io::Result<()> {
        if self.session.is_held() {
            return Ok(());
        }
        let output = self.session.output();
        if output.is_empty() {
            return self.await_room(false, registry);
        }
        match self.stream.write(output) {
            Ok(count) => {
                let is_all = count == output.len();
                self.session.written(count);
                self.await_room(!is_all, registry)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.await_room(true, registry)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks the system to tell when there is room for output, or no more.
    fn await_room(&mut self, awaits: bool, registry: &Registry) -> io::Result<()> {
        if awaits != self.awaits_room {
            let interest =
                if awaits { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            registry.reregister(self.stream.source(), self.token, interest)?;
            self.awaits_room = awaits;
        }
        Ok(())
    }

    /// A client that sends no more gets what it has asked for, unless that is yet to come about.
    fn is_over(&self) -> bool {
        self.session.is_done()
            || self.is_ending && self.session.is_blocked()
            || self.has_ended && self.session.output().is_empty()
    }

    /// Whether output has been waiting, or the client may be idle for too long.
    pub(super) fn mind_time(&mut self, face: &Face) -> Served {
        self.session.mind_time();
        let is_idle = face.idle_timeout().is_some_and(|timeout| self.session.idle() > timeout);
        if self.session.is_done() || is_idle && !self.session.may_be_idle() {
            return Served::Over;
        }
        Served::Waits
    }

    /// How far the log has to come before it may go on.
    pub(super) fn held_position(&self) -> u64 {
        self.session.held_position()
    }

    pub(super) fn awaits_room(&self) -> bool {
        self.awaits_room
    }
}
