//! Calls that wait, whatever they wait for.
//!
//! A session has at most one. It is polled with the session's waker, and writes its reply when it
//! has ended. Dropping it loses nothing.

use std::borrow::Cow;
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

const UNBLOCKED: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

/// Something that a session waits for.
pub(super) trait Call: Send {
    /// Writes the reply if the wait has ended; otherwise `waker` is woken when it has. An error is
    /// left to the caller to write.
    fn poll(
        &mut self,
        waker: &Waker,
        encoder: &mut Encoder<'_>,
    ) -> Poll<Result<(), Cow<'static, str>>>;

    /// Ends the wait, and writes the reply that this makes.
    fn unblock(&mut self, reason: Reason, encoder: &mut Encoder<'_>);
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
    fn poll(
        &mut self,
        waker: &Waker,
        encoder: &mut Encoder<'_>,
    ) -> Poll<Result<(), Cow<'static, str>>> {
        self.blocked.poll(waker).map(|outcome| match outcome {
            Ok(output) => {
                self.blocked.reply(&output, encoder);
                Ok(())
            }
            Err(error) => Err(self.text(&error)),
        })
    }

    fn unblock(&mut self, reason: Reason, encoder: &mut Encoder<'_>) {
        match reason {
            Reason::Timeout => self.blocked.reply(&None, encoder),
            Reason::Error => encoder.error(UNBLOCKED.as_bytes()),
        }
    }
}

impl<F: BlockingFamily> Waiting<F> {
    /// What Redis says when a group, or its stream, goes away from under its reader.
    fn text(&self, error: &Error) -> Cow<'static, str> {
        match error {
            Error::NoGroup { key, .. } if self.exists(key) => {
                "NOGROUP the consumer group this client was blocked on no longer exists".into()
            }
            Error::NoGroup { .. } => "UNBLOCKED the stream key no longer exists".into(),
            Error::WrongType if self.name == ReadGroup::NAME => {
                "UNBLOCKED the stream key no longer exists".into()
            }
            other => error::redis_text(other, self.name),
        }
    }

    fn exists(&self, key: &Value) -> bool {
        self.blocked.space(|space| {
            ReadAccess::enter(space, key, |view| Ok(view.exists())).unwrap_or_default()
        })
    }
}

/// A time that passes by the store's clock.
struct Timer {
    databases: Arc<Databases>,
    waiter: Arc<Waiter>,
    deadline: u64,
}

impl Timer {
    fn until(databases: &Arc<Databases>, deadline: u64) -> Self {
        let waiter = Waiter::new(databases, Vec::new(), false, Box::new(|_, _| false));
        databases.maintenance.end_at(deadline, &databases.clock, &waiter);
        Self { databases: Arc::clone(databases), waiter, deadline }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.waiter.abandon();
        self.databases.maintenance.forget(self.deadline, &self.waiter);
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
        Self { timer: Timer::until(shared.databases(), end), shared: Arc::clone(shared) }
    }
}

impl Call for Pause {
    fn poll(
        &mut self,
        waker: &Waker,
        _encoder: &mut Encoder<'_>,
    ) -> Poll<Result<(), Cow<'static, str>>> {
        let has_ended = self.timer.waiter.poll(waker) || !self.shared.clients.is_paused();
        if has_ended { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn unblock(&mut self, _reason: Reason, _encoder: &mut Encoder<'_>) {}
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
    fn poll(
        &mut self,
        waker: &Waker,
        encoder: &mut Encoder<'_>,
    ) -> Poll<Result<(), Cow<'static, str>>> {
        Self::poll(self, waker).map(|outcome| match outcome {
            Ok(()) => {
                encoder.simple(b"OK");
                Ok(())
            }
            Err(error) => Err(error::redis_text(&error, "").into_owned().into()),
        })
    }

    fn unblock(&mut self, _reason: Reason, _encoder: &mut Encoder<'_>) {}
}

/// `WAITAOF`: what was done before is to be durable, here and at replicas that there are none of.
pub(super) struct AwaitDurable {
    shared: Arc<Shared>,
    /// How far the log had come when this was asked.
    end: u64,
    /// `None` if it is not waited for, or is there.
    local: Option<Aside>,
    wants_replicas: bool,
    timer: Option<Timer>,
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
        let deadline =
            self::millis(millis).and_then(|wait| shared.databases().clock.deadline(wait));
        let timer = deadline.map(|deadline| Timer::until(shared.databases(), deadline));
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
    fn poll(
        &mut self,
        waker: &Waker,
        encoder: &mut Encoder<'_>,
    ) -> Poll<Result<(), Cow<'static, str>>> {
        if let Some(local) = &self.local
            && local.poll(waker).is_ready()
        {
            self.local = None;
        }
        let is_done = self.local.is_none() && !self.wants_replicas;
        let is_late = || self.timer.as_ref().is_some_and(|timer| timer.waiter.poll(waker));
        if !is_done && !is_late() {
            return Poll::Pending;
        }
        self.answer(encoder);
        Poll::Ready(Ok(()))
    }

    fn unblock(&mut self, reason: Reason, encoder: &mut Encoder<'_>) {
        match reason {
            Reason::Timeout => self.answer(encoder),
            Reason::Error => encoder.error(UNBLOCKED.as_bytes()),
        }
    }
}

/// A reply that comes when a time has passed, or never.
pub(super) struct Delay {
    timer: Option<Timer>,
    reply: &'static [u8],
}

impl Delay {
    /// Answers `reply`, which is the same in either protocol, after `wait`; `None` is never.
    pub(super) fn new(
        databases: &Arc<Databases>,
        wait: Option<Duration>,
        reply: &'static [u8],
    ) -> Self {
        let deadline = wait.and_then(|wait| databases.clock.deadline(wait));
        Self { timer: deadline.map(|deadline| Timer::until(databases, deadline)), reply }
    }
}

impl Call for Delay {
    fn poll(
        &mut self,
        waker: &Waker,
        encoder: &mut Encoder<'_>,
    ) -> Poll<Result<(), Cow<'static, str>>> {
        match &self.timer {
            Some(timer) if timer.waiter.poll(waker) => {
                encoder.raw(self.reply);
                Poll::Ready(Ok(()))
            }
            _ => Poll::Pending,
        }
    }

    fn unblock(&mut self, reason: Reason, encoder: &mut Encoder<'_>) {
        match reason {
            Reason::Timeout => encoder.raw(self.reply),
            Reason::Error => encoder.error(UNBLOCKED.as_bytes()),
        }
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
