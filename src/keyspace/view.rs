//! What a reading operation sees of one key.
//!
//! Parts of a structure may be past their own deadlines and still be there: whoever reads such a
//! structure asks [`View::now_if_due`] and passes over them.

use super::object::{Data, Kind};
use super::uses::Counting;
use super::{Moment, shard::Held, shard::Shard};
use crate::block::Block;
use crate::error::{Error, Result};
use crate::value::Value;

/// One key, as it is now: an entry past its deadline is absent.
#[derive(Clone, Copy)]
pub(crate) struct View<'s> {
    entry: Option<(&'s Shard, &'s Block)>,
    pub(crate) moment: &'s Moment<'s>,
}

impl<'s> View<'s> {
    pub(super) fn absent(moment: &'s Moment<'s>) -> Self {
        Self { entry: None, moment }
    }

    /// As [`find`](Self::find), to read the key.
    #[inline(always)]
    pub(super) fn look_up(shard: &'s Shard, hash: u64, key: &[u8], moment: &'s Moment<'s>) -> Self {
        let view = Self::find(shard, hash, key, moment);
        moment.note_lookup(view.exists());
        view
    }

    #[inline(always)]
    pub(super) fn find(shard: &'s Shard, hash: u64, key: &[u8], moment: &'s Moment<'s>) -> Self {
        let Some(block) = shard.find(hash, key) else { return Self::absent(moment) };
        if shard.is_over(block, moment) {
            moment.saw_expired.set(true);
            return Self::absent(moment);
        }
        Self { entry: Some((shard, block)), moment }
    }

    #[inline]
    pub(crate) fn exists(&self) -> bool {
        self.entry.is_some()
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        self.entry.map(|(shard, block)| shard.kind(block))
    }

    /// The deadline, in the store's time.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.entry.and_then(|(_, block)| block.deadline())
    }

    /// The string's bytes; `None` if the key does not exist.
    #[inline]
    pub(crate) fn bytes(&self) -> Result<Option<&'s [u8]>> {
        Ok(self.string()?.map(Block::value))
    }

    /// The string, shared; `None` if the key does not exist.
    #[inline]
    pub(crate) fn value(&self) -> Result<Option<Value>> {
        Ok(self.string()?.map(|block| Value::from_block(block.clone())))
    }

    #[inline]
    fn string(&self) -> Result<Option<&'s Block>> {
        match self.entry {
            None => Ok(None),
            Some((_, block)) if block.tag() => Err(Error::WrongType),
            Some((_, block)) => {
                self.moment.note_use(block);
                Ok(Some(block))
            }
        }
    }

    /// The structure that the key holds; `None` if the key does not exist.
    #[inline]
    pub(crate) fn get<D: Data>(&self) -> Result<Option<&'s D>> {
        let Some((shard, block)) = self.entry else { return Ok(None) };
        self.moment.note_use(block);
        match shard.held(block) {
            Held::Object(object) => D::of(object).map(Some).ok_or(Error::WrongType),
            Held::String(_) => Err(Error::WrongType),
        }
    }

    /// The time, if parts of the structure are due to expire by now: the reader passes over them.
    #[inline]
    pub(crate) fn now_if_due<D: Data>(&self, data: &D) -> Option<u64> {
        let deadline = data.earliest_deadline()?;
        if !self.moment.has_passed(deadline) {
            return None;
        }
        self.moment.saw_expired.set(true);
        Some(self.moment.now())
    }

    /// Whether parts of what the key holds have expired and are still there.
    pub(super) fn has_due_parts(&self) -> bool {
        let deadline = self.entry.and_then(|(shard, block)| shard.parts_deadline(block));
        deadline.is_some_and(|deadline| self.moment.has_passed(deadline))
    }

    /// What the entry takes on the heap, with its place in the table; `None` if there is none.
    #[cfg_attr(not(feature = "session"), allow(dead_code, reason = "read by sessions"))]
    pub(crate) fn footprint(&self) -> Option<usize> {
        self.entry.map(|(shard, block)| shard.footprint(block))
    }

    /// What the key holds.
    pub(crate) fn held(&self) -> Option<Held<'s>> {
        self.entry.inspect(|(_, block)| self.moment.note_use(block));
        self.glimpse()
    }

    /// What the key holds, for one who does not use it.
    pub(crate) fn glimpse(&self) -> Option<Held<'s>> {
        self.entry.map(|(shard, block)| shard.held(block))
    }

    /// Counts as a use of what the key holds; answers whether it exists.
    pub(crate) fn touch(&self) -> bool {
        self.entry.inspect(|(_, block)| self.moment.note_touch(block)).is_some()
    }

    /// The seconds since the last use.
    pub(crate) fn idle_seconds(&self) -> Option<u32> {
        self.entry.map(|(_, block)| self.moment.idle_seconds(block))
    }

    /// The count of uses.
    pub(crate) fn use_count(&self, counting: Counting) -> Option<u8> {
        self.entry.map(|(_, block)| self.moment.use_count(block, counting))
    }

    /// Has it be one that was last used so many seconds ago.
    pub(crate) fn set_idle_seconds(&self, seconds: u64) {
        self.entry.inspect(|(_, block)| self.moment.set_idle_seconds(block, seconds));
    }

    /// Has it be one that was used so often.
    pub(crate) fn set_use_count(&self, count: u8) {
        self.entry.inspect(|(_, block)| self.moment.set_use_count(block, count));
    }

    /// The entry, and what it holds.
    pub(super) fn entry(&self) -> Option<(&'s Block, Held<'s>)> {
        self.entry.inspect(|(_, block)| self.moment.note_use(block));
        self.entry.map(|(shard, block)| (block, shard.held(block)))
    }
}
