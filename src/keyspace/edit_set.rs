//! The changes that a set goes through under its key.

use super::Edit;
use super::effect::Effect;
use crate::data::set::Set;

impl Edit<'_, Set> {
    /// Adds a member; answers whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, member: &[u8]) -> bool {
        let added = self.data.insert(member);
        if added {
            self.outcome.changed = true;
            self.record(|| Effect::AddMember { member });
        }
        added
    }

    /// Removes a member; answers whether it was there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        let removed = self.data.remove(member);
        if removed {
            self.outcome.changed = true;
            self.record(|| Effect::RemoveMember { member });
        }
        removed
    }
}
