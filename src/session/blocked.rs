//! Calls that wait, whatever they wait for.
//!
//! A session has at most one. It is polled with the session's waker, and writes its reply when it
//! has ended. Dropping it loses nothing.

use std::task::{Poll, Waker};
use std::time::Duration;

use super::Shared;
use super::registry::Reason;
use crate::engine::{self, Blocked, BlockingFamily, Started};
use crate::error::{Error, Result};
use crate::keyspace::access::{Access, Read as ReadAccess};
use crate::keyspace::{Databases, Space, waiters::Waiter};
use crate::ops::list::{
    BlockingMove, BlockingPopBack, BlockingPopFront, BlockingPopMany as BlockingPopElements,
};
use crate::ops::sorted_set::{BlockingPopMany, BlockingPopMax, BlockingPopMin};
use crate::ops::stream::Read;
use crate::ops::stream_group::ReadGroup;
use crate::sync::{Arc, Mutex};
use crate::value::Value;
use crate::wire::args::Args;
use crate::wire::command::{Command, Family};
use crate::wire::{Encoder, error};

const UNBLOCKED: &[u8] = b"UNBLOCKED client unblocked via CLIENT UNBLOCK";
const STREAM_GONE: &[u8] = b"UNBLOCKED the stream key no longer exists";
const GROUP_GONE: &[u8] = b"NOGROUP the consumer group this client was blocked on no longer exists";

/// Something that a session waits for.
pub(super) trait Call: Send {
    /// Writes the reply if the wait has ended; otherwise `waker` is woken when it has. An error is
    /// left to the caller to write.
    fn poll(&mut self, waker: &Waker, encoder: &mut Encoder<'_>) -> Poll<Result<(), error::Text>>;

    /// What another client may end, if it may.
    fn waiter(&self) -> Option<&Arc<Waiter>> {
        None
    }

    /// Writes the reply that it makes if another has ended it. An error is left to the caller, as
    /// that of a poll is.
    fn unblock(&mut self, _: Reason, _: &mut Encoder<'_>) -> Result<(), error::Text> {
        Ok(())
    }
}

/// Runs a command that may block: its reply is written, or the call that waits comes back.
pub(super) type Start =
    fn(&Arc<Databases>, Space<'_>, &[&[u8]], &mut Encoder<'_>) -> Result<Option<Box<dyn Call>>>;

/// How long a command waits: not at all, so long, or (within) for ever.
type Wait = Option<Option<Duration>>;

/// All families of operations that can block, each with what says how long.
macro_rules! blocking_commands {
    ($($operation:ident: $wait:expr),* $(,)?) => {
        /// What starts the command of a name in capitals.
        pub(super) fn find(name: &str) -> Option<Start> {
            $(if name == <$operation<'static> as Command>::NAME {
                return Some(|databases, space, arguments, encoder| {
                    let operation =
                        <$operation<'static> as Family>::parse(&mut Args::new(arguments))?;
                    let wait: fn(&$operation<'_>) -> Wait = $wait;
                    let wait = wait(&operation);
                    start::<$operation<'static>>(databases, space, &operation, wait, encoder)
                });
            })*
            None
        }
    };
}

blocking_commands! {
    BlockingMove: |operation| Some(operation.timeout.0),
    BlockingPopFront: |operation| Some(operation.of.timeout.0),
    BlockingPopBack: |operation| Some(operation.of.timeout.0),
    BlockingPopElements: |operation| Some(operation.of.timeout.0),
    BlockingPopMin: |operation| Some(operation.of.timeout.0),
    BlockingPopMax: |operation| Some(operation.of.timeout.0),
    BlockingPopMany: |operation| Some(operation.of.timeout.0),
    Read: |operation| operation.options.block.map(millis),
    ReadGroup: |operation| operation.options.read.block.map(millis),
}

/// A wait in milliseconds; zero is for ever.
fn millis(millis: u64) -> Option<Duration> {
    (millis > 0).then(|| Duration::from_millis(millis))
}

fn start<F: BlockingFamily>(
    databases: &Arc<Databases>,
    space: Space<'_>,
    operation: &F::BlockingOf<'_>,
    wait: Wait,
    encoder: &mut Encoder<'_>,
) -> Result<Option<Box<dyn Call>>> {
    let Some(timeout) = wait else {
        let found = crate::ops::run(space, operation)?;
        operation.reply(&found, encoder);
        return Ok(None);
    };
    match engine::start_in::<F>(databases, space, operation) {
        Started::Done(outcome) => {
            operation.reply(&Some(outcome?), encoder);
            Ok(None)
        }
        Started::Blocked(mut blocked) => {
            blocked.end_after(timeout);
            Ok(Some(Box::new(Waiting { blocked, name: F::BlockingOf::NAME })))
        }
    }
}

/// An operation that waits.
struct Waiting<F: BlockingFamily> {
    blocked: Blocked<F>,
    name: &'static str,
}

impl<F: BlockingFamily> Call for Waiting<F> {
    fn poll(&mut self, waker: &Waker, encoder: &mut Encoder<'_>) -> Poll<Result<(), error::Text>> {
        self.blocked.poll(waker).map(|outcome| match outcome {
            Ok(output) => {
                self.blocked.reply(&output, encoder);
                Ok(())
            }
            Err(error) => Err(self.text(&error)),
        })
    }

    fn waiter(&self) -> Option<&Arc<Waiter>> {
        Some(self.blocked.waiter())
    }

    fn unblock(&mut self, reason: Reason, encoder: &mut Encoder<'_>) -> Result<(), error::Text> {
        match reason {
            Reason::Timeout => self.blocked.reply(&None, encoder),
            Reason::Error => return Err(UNBLOCKED.into()),
        }
        Ok(())
    }
}

impl<F: BlockingFamily> Waiting<F> {
    /// What Redis says when a group, or its stream, goes away from under its reader.
    fn text(&self, error: &Error) -> error::Text {
        match error {
            Error::NoGroup { key, .. } if self.exists(key) => GROUP_GONE.into(),
            Error::NoGroup { .. } => STREAM_GONE.into(),
            Error::WrongType if self.name == ReadGroup::NAME => STREAM_GONE.into(),
            other => error::redis_text(other, self.name),
        }
    }

    fn exists(&self, key: &Value) -> bool {
        self.blocked.space(|space| {
            ReadAccess::enter(space, key, |view| Ok(view.exists())).unwrap_or_default()
        })
    }
}

/// A time that passes by the store's clock, or never does.
struct Timer {
    databases: Arc<Databases>,
    waiter: Arc<Waiter>,
    deadline: Option<u64>,
}

impl Timer {
    fn until(databases: &Arc<Databases>, deadline: Option<u64>) -> Self {
        let waiter = Waiter::new(databases, Vec::new(), false, Box::new(|_, _| false));
        if let Some(deadline) = deadline {
            databases.maintenance.end_at(deadline, &databases.clock, &waiter);
        }
        Self { databases: Arc::clone(databases), waiter, deadline }
    }

    /// `None` is never.
    fn after(databases: &Arc<Databases>, wait: Option<Duration>) -> Self {
        Self::until(databases, wait.and_then(|wait| databases.clock.deadline(wait)))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.waiter.abandon();
        if let Some(deadline) = self.deadline {
            self.databases.maintenance.forget(deadline, &self.waiter);
        }
    }
}

/// `CLIENT PAUSE`: a request waits to be run.
pub(super) struct Pause {
    timer: Timer,
    shared: Arc<Shared>,
}

impl Pause {
    /// Waits until `end` by the store's clock.
    pub(super) fn new(shared: &Arc<Shared>, end: u64) -> Self {
        Self { timer: Timer::until(shared.databases(), Some(end)), shared: Arc::clone(shared) }
    }
}

impl Call for Pause {
    fn poll(&mut self, waker: &Waker, _encoder: &mut Encoder<'_>) -> Poll<Result<(), error::Text>> {
        let has_ended = self.timer.waiter.poll(waker) || !self.shared.clients.is_paused();
        if has_ended { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

/// Something that is done in a thread of its own.
pub(super) struct Aside(Arc<Mutex<Progress>>);

/// How far it has come.
#[derive(Default)]
struct Progress {
    outcome: Option<Result<()>>,
    waker: Option<Waker>,
}

impl Aside {
    /// `begin` is given what is to hear of the end.
    pub(super) fn new(begin: impl FnOnce(Box<dyn FnOnce(Result<()>) + Send>)) -> Self {
        let progress: Arc<Mutex<Progress>> = Arc::default();
        let own = Arc::clone(&progress);
        begin(Box::new(move |outcome| {
            let mut progress = progress.lock();
            progress.outcome = Some(outcome);
            let waker = progress.waker.take();
            drop(progress);
            waker.into_iter().for_each(Waker::wake);
        }));
        Self(own)
    }

    fn poll(&self, waker: &Waker) -> Poll<Result<()>> {
        let mut progress = self.0.lock();
        match progress.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                progress.waker = Some(waker.clone());
                Poll::Pending
            }
        }
    }
}

/// Answers OK when it has been done.
impl Call for Aside {
    fn poll(&mut self, waker: &Waker, encoder: &mut Encoder<'_>) -> Poll<Result<(), error::Text>> {
        Self::poll(self, waker).map(|outcome| match outcome {
            Ok(()) => {
                encoder.simple(b"OK");
                Ok(())
            }
            Err(error) => Err(error::redis_text(&error, "")),
        })
    }
}

/// `WAITAOF`: what was done before is to be durable, here and at replicas that there are none of.
pub(super) struct AwaitDurable {
    shared: Arc<Shared>,
    /// How far the log had come when this was asked.
    end: u64,
    /// `None` if it is not waited for, or is there.
    local: Option<Aside>,
    wants_replicas: bool,
    timer: Timer,
}

impl AwaitDurable {
    /// Zero milliseconds are for ever.
    pub(super) fn new(
        shared: &Arc<Shared>,
        wants_local: bool,
        wants_replicas: bool,
        millis: u64,
    ) -> Self {
        let log = shared.store.log();
        let end = log.map_or(0, |log| log.end());
        let local = log.filter(|log| wants_local && !log.is_durable(end));
        let local = local.map(|log| Aside::new(|ended| log.sync_aside(ended)));
        let timer = Timer::after(shared.databases(), self::millis(millis));
        Self { shared: Arc::clone(shared), end, local, wants_replicas, timer }
    }

    /// Answers how things stand.
    pub(super) fn answer(&self, encoder: &mut Encoder<'_>) {
        let is_durable = self.shared.store.log().is_some_and(|log| log.is_durable(self.end));
        encoder.array(2);
        encoder.integer(is_durable.into());
        encoder.integer(0);
    }
}

impl Call for AwaitDurable {
    fn poll(&mut self, waker: &Waker, encoder: &mut Encoder<'_>) -> Poll<Result<(), error::Text>> {
        if let Some(local) = &self.local
            && local.poll(waker).is_ready()
        {
            self.local = None;
        }
        let is_done = self.local.is_none() && !self.wants_replicas;
        if !is_done && !self.timer.waiter.poll(waker) {
            return Poll::Pending;
        }
        self.answer(encoder);
        Poll::Ready(Ok(()))
    }

    fn waiter(&self) -> Option<&Arc<Waiter>> {
        Some(&self.timer.waiter)
    }

    fn unblock(&mut self, reason: Reason, encoder: &mut Encoder<'_>) -> Result<(), error::Text> {
        match reason {
            Reason::Timeout => self.answer(encoder),
            Reason::Error => return Err(UNBLOCKED.into()),
        }
        Ok(())
    }
}

/// A reply that comes when a time has passed, or never.
pub(super) struct Delay {
    timer: Timer,
    reply: &'static [u8],
}

impl Delay {
    /// Answers `reply`, which is the same in either protocol, after `wait`; `None` is never.
    pub(super) fn new(
        databases: &Arc<Databases>,
        wait: Option<Duration>,
        reply: &'static [u8],
    ) -> Self {
        Self { timer: Timer::after(databases, wait), reply }
    }
}

impl Call for Delay {
    fn poll(&mut self, waker: &Waker, encoder: &mut Encoder<'_>) -> Poll<Result<(), error::Text>> {
        if !self.timer.waiter.poll(waker) {
            return Poll::Pending;
        }
        encoder.raw(self.reply);
        Poll::Ready(Ok(()))
    }

    fn waiter(&self) -> Option<&Arc<Waiter>> {
        Some(&self.timer.waiter)
    }

    fn unblock(&mut self, reason: Reason, encoder: &mut Encoder<'_>) -> Result<(), error::Text> {
        match reason {
            Reason::Timeout => encoder.raw(self.reply),
            Reason::Error => return Err(UNBLOCKED.into()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::table::{BLOCKING, COMMANDS};

    #[test]
    fn every_command_that_blocks_is_known_here() {
        for row in COMMANDS.iter().filter(|row| row.flags & BLOCKING != 0) {
            // Another spelling of `BLMOVE`.
            let is_known = super::find(row.name).is_some() || row.name == "BRPOPLPUSH";
            assert!(is_known, "{} is missing in the list", row.name);
        }
    }
}
