//! What a reading operation sees of one key.

use super::object::{Data, Kind};
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

    #[inline]
    pub(super) fn find(shard: &'s Shard, hash: u64, key: &[u8], moment: &'s Moment<'s>) -> Self {
        let Some(block) = shard.find(hash, key) else { return Self::absent(moment) };
        if block.deadline().is_some_and(|deadline| moment.has_passed(deadline)) {
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
            Some((_, block)) => Ok(Some(block)),
        }
    }

    /// The structure that the key holds; `None` if the key does not exist.
    #[inline]
    pub(crate) fn get<D: Data>(&self) -> Result<Option<&'s D>> {
        let Some((shard, block)) = self.entry else { return Ok(None) };
        match shard.held(block) {
            Held::Object(object) => D::of(object).map(Some).ok_or(Error::WrongType),
            Held::String(_) => Err(Error::WrongType),
        }
    }

    /// A copy of what the key holds.
    pub(super) fn held(&self) -> Option<Held<'s>> {
        self.entry.map(|(shard, block)| shard.held(block))
    }
}
