//! Keys, whatever they hold.

use std::borrow::Cow;

use super::Operation;
use crate::error::Result;
use crate::keyspace::EventKind;
use crate::keyspace::access::{Extent, WriteMany, Writers};

/// Removes keys; answers how many existed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delete<'a> {
    pub(crate) keys: Cow<'a, [&'a [u8]]>,
}

impl Operation for Delete<'_> {
    type Output = usize;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        Extent::keys(self.keys.iter().copied())
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        let mut removed = 0;
        for key in self.keys.iter() {
            let mut writer = writers.writer(key)?;
            if writer.remove() {
                writer.notify(EventKind::Deleted);
                removed += 1;
            }
        }
        Ok(removed)
    }
}
