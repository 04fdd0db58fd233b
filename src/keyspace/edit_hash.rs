//! The changes that a hash goes through under its key.

use super::Edit;
use super::effect::Effect;
use crate::data::hash::{Change, Hash};

/// The last deadline that a field can have, in Unix milliseconds: a bound of Redis's.
pub(crate) const LAST_FIELD_DEADLINE: i64 = 0xffff_ffff_ffff >> 2;

impl Edit<'_, Hash> {
    /// Sets a field to a value, with a deadline or none; answers whether the field is new.
    #[inline]
    pub(crate) fn set(&mut self, field: &[u8], value: &[u8], deadline: Option<u64>) -> bool {
        let change = self.data.put(field, value, deadline);
        self.outcome.changed = true;
        if let Some(recorder) = &mut self.recorder {
            let unix_ms = deadline.map(|deadline| recorder.unix_of(deadline));
            recorder.keep(&Effect::SetField { field, value, unix_ms });
        }
        !self.keep(change)
    }

    /// Gives a field a deadline, or takes it away; answers whether the field exists.
    pub(crate) fn set_deadline(&mut self, field: &[u8], deadline: Option<u64>) -> bool {
        let change = self.data.set_deadline(field, deadline);
        self.outcome.changed |= change.existed;
        if let Some(recorder) = &mut self.recorder
            && change.existed
        {
            recorder.keep(&match deadline.map(|deadline| recorder.unix_of(deadline)) {
                Some(unix_ms) => Effect::ExpireField { field, unix_ms },
                None => Effect::PersistField { field },
            });
        }
        self.keep(change)
    }

    /// Removes a field; answers whether it existed.
    pub(crate) fn remove(&mut self, field: &[u8]) -> bool {
        let change = self.data.remove(field);
        if change.existed {
            self.outcome.changed = true;
            self.record(|| Effect::RemoveField { field });
        }
        self.keep(change)
    }

    /// Keeps what a change displaced; answers whether the field was there.
    #[inline]
    fn keep(&mut self, change: Change) -> bool {
        self.outcome.displaced.extend(change.displaced);
        change.existed
    }
}
