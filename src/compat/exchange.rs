//! Requests sent over a connection, and the replies to them.
//!
//! # Invariant
//!
//! One exchange at a time has the turn, and only it moves the session. Whoever has the turn gives
//! it back when it has its replies, or is dropped: then what it waits for is given up, so that no
//! element is taken for a reader who has gone.
//!
//! # Threading
//!
//! The lock of a line is held while commands run, never while anybody waits.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use redis::{ErrorKind, Parser, PushKind, RedisError, RedisResult, ServerError, Value};

use super::bell::Bell;
use crate::engine::Parked;
use crate::session::{Face, Session};
use crate::sync::{Arc, Mutex, thread};

/// A session and those who want to use it.
pub(super) struct Line {
    bell: Arc<Bell>,
    state: Mutex<State>,
}

struct State {
    /// Nothing once the connection is closed.
    session: Option<Session>,
    is_busy: bool,
    /// Those who wait for their turn.
    queue: Vec<Waker>,
}

impl Line {
    /// A line to a new session in a database; closed if there are too many clients.
    pub(super) fn open(face: &Face, database: u16) -> Self {
        let bell = Arc::<Bell>::default();
        let mut session = super::connect(face, database, &bell);
        if let Some(session) = &mut session {
            // The requests of a pipeline wait for the log once, not each by itself.
            session.hold_replies();
        }
        Self { bell, state: Mutex::new(State { session, is_busy: false, queue: Vec::new() }) }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state.lock().session.as_ref().is_some_and(|session| !session.is_done())
    }

    /// Sends packed requests, for so many replies.
    pub(super) fn send<'a>(&'a self, requests: Cow<'a, [u8]>, replies: usize) -> Exchange<'a> {
        Exchange { line: self, requests, wanted: replies, replies: Vec::new(), has_turn: false }
    }
}

/// Requests under way; resolves to their replies.
pub(super) struct Exchange<'a> {
    line: &'a Line,
    requests: Cow<'a, [u8]>,
    wanted: usize,
    replies: Vec<Value>,
    has_turn: bool,
}

impl Exchange<'_> {
    /// Blocks the calling thread until the replies are there.
    pub(super) fn wait(mut self) -> RedisResult<Vec<Value>> {
        let mut exchange = Pin::new(&mut self);
        // Most commands answer at once, and need no waker.
        if let Poll::Ready(outcome) =
            exchange.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            return outcome;
        }
        let waker = Waker::from(Arc::new(Parked(thread::current())));
        loop {
            match exchange.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => return outcome,
                Poll::Pending => thread::park(),
            }
        }
    }

    /// Takes the turn if it is free, and sends the requests.
    fn begin(&mut self, state: &mut State, waker: &Waker) -> bool {
        if state.is_busy {
            state.queue.push(waker.clone());
            return false;
        }
        (state.is_busy, self.has_turn) = (true, true);
        if let Some(session) = &mut state.session {
            // What came since the last exchange answers no request of this one.
            session.wake();
            while !take_output(session).is_empty() {}
            session.receive(&self.requests);
        }
        true
    }

    /// Takes what has come; answers the outcome once that is settled.
    fn advance(&mut self, state: &mut State) -> Option<RedisResult<()>> {
        let Some(session) = &mut state.session else {
            return Some(Err(io::Error::from(io::ErrorKind::BrokenPipe).into()));
        };
        loop {
            let output = take_output(session);
            if output.is_empty() {
                break;
            }
            if let Err(error) = parse_all(&output, &mut self.replies) {
                return Some(Err(error));
            }
        }
        let is_open = !session.is_done();
        let is_waiting = session.is_blocked();
        if !is_open {
            state.session = None;
        }
        if self.replies.len() >= self.wanted {
            self.replies.truncate(self.wanted);
            return Some(Ok(()));
        }
        match (is_open, is_waiting) {
            (true, true) => None,
            // Over a socket a client would now wait for ever.
            (true, false) => {
                Some(Err((ErrorKind::Client, "No reply will come to this request").into()))
            }
            (false, _) => Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())),
        }
    }

    /// Gives the turn back, and gives up what is still waited for.
    fn end(&mut self) {
        if !std::mem::take(&mut self.has_turn) {
            return;
        }
        let mut state = self.line.state.lock();
        if let Some(session) = &mut state.session
            && self.replies.len() < self.wanted
        {
            session.abandon();
        }
        state.is_busy = false;
        let queue = std::mem::take(&mut state.queue);
        // Still with the lock: whoever has the turn next registers too.
        let registered = self.line.bell.take();
        drop(state);
        drop(registered);
        queue.into_iter().for_each(Waker::wake);
    }
}

impl Future for Exchange<'_> {
    type Output = RedisResult<Vec<Value>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let exchange = self.get_mut();
        let line = exchange.line;
        let mut state = line.state.lock();
        if !exchange.has_turn && !exchange.begin(&mut state, context.waker()) {
            return Poll::Pending;
        }
        let mut outcome = exchange.advance(&mut state);
        if outcome.is_none() {
            line.bell.register(context.waker());
            if let Some(session) = &mut state.session {
                session.wake();
            }
            outcome = exchange.advance(&mut state);
        }
        drop(state);
        let Some(outcome) = outcome else { return Poll::Pending };
        exchange.end();
        Poll::Ready(outcome.map(|()| std::mem::take(&mut exchange.replies)))
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Takes what a session answers, once the log answers for it.
fn take_output(session: &mut Session) -> Vec<u8> {
    session.await_log();
    session.take_output()
}

/// Parses whole replies. Messages that no request asked for are left out.
fn parse_all(mut bytes: &[u8], replies: &mut Vec<Value>) -> RedisResult<()> {
    let mut parser = Parser::new();
    loop {
        match parser.parse_value(&mut bytes) {
            Ok(Value::Push { kind, .. }) if !is_confirmation(&kind) => {}
            Ok(reply) => replies.push(reply),
            Err(error) if error.is_io_error() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn is_confirmation(kind: &PushKind) -> bool {
    matches!(
        kind,
        PushKind::Subscribe
            | PushKind::PSubscribe
            | PushKind::SSubscribe
            | PushKind::Unsubscribe
            | PushKind::PUnsubscribe
            | PushKind::SUnsubscribe
    )
}

/// The replies behind the first `skipped`, which are those to `MULTI` and to what was queued. If
/// one of these is an error the transaction has not run, and `EXEC` says so.
pub(super) fn behind(mut replies: Vec<Value>, skipped: usize) -> RedisResult<Vec<Value>> {
    let kept = replies.split_off(skipped.min(replies.len()));
    let as_error = |reply: &Value| match reply {
        Value::ServerError(error) => Some(RedisError::from(ServerError::clone(error))),
        _ => None,
    };
    match replies.iter().find_map(as_error) {
        Some(error) => Err(kept.iter().find_map(as_error).unwrap_or(error)),
        None => Ok(kept),
    }
}
