//! How other threads reach an event loop: notes in a queue, and a waker for a loop that sleeps.
//!
//! # Invariant
//!
//! A note is taken in the turn after it was left, at the latest: whoever leaves one either finds
//! the loop awake, which looks into its mailbox before it sleeps, or wakes it.
//!
//! # Complexity
//!
//! A note is a push under a lock. The system is asked to wake the loop once a sleep, and never by
//! the loop itself, which is awake then.

use std::io;
use std::task::Wake;

use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex};

use super::socket::Stream;

/// The token of a loop's waker.
pub(super) const TOKEN: mio::Token = mio::Token(usize::MAX);

/// What an event loop is told.
pub(super) enum Note {
    /// The connection with this number has something to do.
    Wake(usize),
    /// A connection that is now the loop's.
    Adopt(Stream),
}

/// Where notes for one event loop are left.
pub(super) struct Mailbox {
    notes: Mutex<Vec<Note>>,
    is_asleep: AtomicBool,
    is_stopped: AtomicBool,
    waker: mio::Waker,
}

impl Mailbox {
    pub(super) fn new(registry: &mio::Registry) -> io::Result<Self> {
        Ok(Self {
            notes: Mutex::default(),
            is_asleep: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            waker: mio::Waker::new(registry, TOKEN)?,
        })
    }

    pub(super) fn leave(&self, note: Note) {
        self.notes.lock().push(note);
        self.rouse();
    }

    /// Has the loop look, if it sleeps.
    pub(super) fn rouse(&self) {
        if self.is_asleep.swap(false, Ordering::SeqCst) {
            // It fails only if the system is out of memory; the next note tries again.
            let _ = self.waker.wake();
        }
    }

    /// Moves all notes to `notes`, which is empty.
    pub(super) fn take(&self, notes: &mut Vec<Note>) {
        debug_assert!(notes.is_empty());
        std::mem::swap(&mut *self.notes.lock(), notes);
    }

    /// Says that the loop goes to sleep; answers whether it may.
    pub(super) fn may_sleep(&self) -> bool {
        self.is_asleep.store(true, Ordering::SeqCst);
        // Whoever leaves a note from here on wakes the loop.
        let may = self.notes.lock().is_empty() && !self.is_stopped();
        if !may {
            self.is_asleep.store(false, Ordering::SeqCst);
        }
        may
    }

    pub(super) fn has_woken(&self) {
        self.is_asleep.store(false, Ordering::SeqCst);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }
}

/// Ends all loops after their turn.
pub(super) fn stop_all(mailboxes: &[Arc<Mailbox>]) {
    for mailbox in mailboxes {
        mailbox.is_stopped.store(true, Ordering::SeqCst);
        mailbox.rouse();
    }
}

/// Wakes one connection of a loop.
pub(super) struct Bell {
    connection: usize,
    mailbox: Arc<Mailbox>,
    /// Whether a note has been left and the connection has not been woken yet.
    is_rung: AtomicBool,
}

impl Bell {
    pub(super) fn new(connection: usize, mailbox: &Arc<Mailbox>) -> Arc<Self> {
        let mailbox = Arc::clone(mailbox);
        Arc::new(Self { connection, mailbox, is_rung: AtomicBool::new(false) })
    }

    /// To be called before the connection is woken, so that what comes meanwhile rings again.
    pub(super) fn silence(&self) {
        self.is_rung.store(false, Ordering::SeqCst);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_rung.swap(true, Ordering::SeqCst) {
            self.mailbox.leave(Note::Wake(self.connection));
        }
    }
}
