//! The waker of a session whose owner changes: it wakes whoever waits at the time.
//!
//! Who waits registers, then looks once more; so what happens in between is seen or rings.

use std::task::{Wake, Waker};

use smallvec::SmallVec;

use crate::sync::{Arc, Mutex};

/// Who waits. Registrations end with the next ring.
#[derive(Default)]
pub(super) struct Bell(Mutex<SmallVec<[Waker; 2]>>);

impl Bell {
    /// A waker that rings.
    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// Has the next ring wake this waker.
    pub(super) fn register(&self, waker: &Waker) {
        let mut waiting = self.0.lock();
        if !waiting.iter().any(|other| other.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    /// Takes out who is registered. Dropping them runs foreign code, so no lock should be held
    /// then.
    pub(super) fn take(&self) -> SmallVec<[Waker; 2]> {
        std::mem::take(&mut *self.0.lock())
    }

    /// Wakes all who are registered.
    pub(super) fn ring(&self) {
        let waiting = self.take();
        // Wakers are foreign code, so they run without the lock.
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
