//! When and how often keys were used. None of these is a use itself.

use super::Operation;
use super::encoding::{Encoding, EncodingOf};
use crate::error::{Error, Result};
use crate::keyspace::access::Read;
use crate::keyspace::{Held, View};

/// The seconds since a key was last used; `None` if it does not exist.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IdleTime<'a> {
    pub(crate) key: &'a [u8],
}

/// How often a key was used, on a scale that fades and is logarithmic; `None` if it does not
/// exist.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frequency<'a> {
    pub(crate) key: &'a [u8],
}

/// How many share what a key holds, by Redis's reckoning; `None` if it does not exist.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ReferenceCount<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for IdleTime<'_> {
    type Output = Option<u64>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let uses = &view.moment.databases.uses;
        if !view.exists() {
            return Ok(None);
        }
        if uses.counting().is_some() {
            return Err(Error::UsesNotKept(
                "An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
                 switching between policies at runtime LRU and LFU data will take some time to \
                 adjust.",
            ));
        }
        if !uses.are_kept() {
            return Err(Error::UsesNotKept("idle times are not kept"));
        }
        Ok(view.idle_seconds().map(u64::from))
    }
}

impl Operation for Frequency<'_> {
    type Output = Option<u64>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        if !view.exists() {
            return Ok(None);
        }
        let counting = view.moment.databases.uses.counting();
        let counting = counting.ok_or(Error::UsesNotKept(
            "An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
             that when switching between policies at runtime LRU and LFU data will take some time \
             to adjust.",
        ))?;
        Ok(view.use_count(counting).map(u64::from))
    }
}

impl Operation for ReferenceCount<'_> {
    type Output = Option<u64>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    /// Redis shares the integers from 0 to 9999 among all that are such a one, and says so by the
    /// highest count there is.
    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        const SHARED: u64 = i32::MAX as u64;
        let encoding = EncodingOf { key: self.key }.run(view)?;
        Ok(encoding.map(|encoding| match encoding {
            Encoding::Integer if is_shared(view) => SHARED,
            _ => 1,
        }))
    }
}

fn is_shared(view: View<'_>) -> bool {
    const LONGEST: usize = 4;
    match view.glimpse() {
        Some(Held::String(block)) => {
            block.value().len() <= LONGEST && !block.value().starts_with(b"-")
        }
        _ => false,
    }
}
