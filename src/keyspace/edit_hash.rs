//! The changes that a hash goes through under its key.

use super::Edit;
use crate::data::hash::{Change, Hash};

impl Edit<'_, Hash> {
    /// Sets a field to a value, with a deadline or none; answers whether the field is new.
    #[inline]
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8], deadline: Option<u64>) -> bool {
        let change = self.data.put(field, value, deadline);
        self.outcome.changed = true;
        !self.keep(change)
    }

    /// Gives a field a deadline, or takes it away; answers whether the field exists.
    pub(crate) fn set_deadline(&mut self, field: &[u8], deadline: Option<u64>) -> bool {
        let change = self.data.set_deadline(field, deadline);
        self.outcome.changed |= change.existed;
        self.keep(change)
    }

    /// Removes a field; answers whether it existed.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        let change = self.data.remove(field);
        self.outcome.changed |= change.existed;
        self.keep(change)
    }

    /// Keeps what a change displaced; answers whether the field was there.
    #[inline]
    fn keep(&mut self, change: Change) -> bool {
        self.outcome.displaced.extend(change.displaced);
        change.existed
    }
}
