//! Walking over all keys.
//!
//! A scan goes shard by shard and, within one, window by window of positions in hash space. Its
//! cursor is where the next window begins. A key's position never changes, so a key that is there
//! from the first call to the last is answered, and answered once, whatever comes and goes in
//! between and however often the table grows.

use std::ops::RangeInclusive;

use super::Operation;
use crate::data::glob::Glob;
use crate::error::Result;
use crate::keyspace::access::{Extent, ReadMany, Shards, Views, Walk};
use crate::keyspace::shard::{LAST_POSITION, POSITION_BITS};
use crate::keyspace::{Kind, SHARDS, Shard};
use crate::random::Random;
use crate::value::Value;

/// The most windows that a shard is split into, as each is found by looking at the whole shard.
const MAX_WINDOWS: u64 = 16;

/// One step of a walk over all keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scan<'a> {
    pub(crate) cursor: u64,
    pub(crate) options: ScanOptions<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScanOptions<'a> {
    /// Keys of another shape are passed over.
    pub(crate) pattern: Option<&'a [u8]>,
    /// About how many keys to look at.
    pub(crate) count: u64,
    /// The name of a type; keys of another are passed over.
    pub(crate) kind: Option<&'a [u8]>,
}

impl Default for ScanOptions<'_> {
    fn default() -> Self {
        Self { pattern: None, count: 10, kind: None }
    }
}

/// Some keys, and where to go on; zero at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) cursor: u64,
    pub(crate) keys: Vec<Value>,
}

impl Operation for Scan<'_> {
    type Output = Page;
    type Access = Walk;

    fn target(&self) {}

    fn run(&self, shards: Shards<'_>) -> Result<Self::Output> {
        let filter = Filter::new(&self.options);
        let mut keys = Vec::new();
        let mut place = Place::of(self.cursor);
        let mut looked_at = 0;
        while let Some(next) = place.next_used(&shards) {
            place = next;
            if looked_at >= self.options.count {
                return Ok(Page { cursor: place.cursor(), keys });
            }
            let window = shards.visit(place.shard, |shard| {
                let window = place.window(shard, self.options.count);
                for (key, kind) in shard.scan(shards.moment, window.clone()) {
                    looked_at += 1;
                    if filter.passes(key, kind) {
                        keys.push(Value::from(key));
                    }
                }
                window
            });
            place = place.after(window.map_or(LAST_POSITION, |window| *window.end()));
        }
        Ok(Page { cursor: 0, keys })
    }
}

/// Where a scan stands.
#[derive(Clone, Copy)]
struct Place {
    shard: usize,
    position: u64,
}

impl Place {
    fn of(cursor: u64) -> Self {
        let shard = usize::try_from(cursor >> POSITION_BITS).unwrap_or(SHARDS);
        Self { shard, position: cursor & LAST_POSITION }
    }

    fn cursor(self) -> u64 {
        (self.shard as u64) << POSITION_BITS | self.position
    }

    /// This place, or the beginning of the next shard that is not empty.
    fn next_used(self, shards: &Shards<'_>) -> Option<Self> {
        let is_used = |index| shards.visit(index, Shard::len).is_some_and(|length| length > 0);
        let shard = (self.shard..SHARDS).find(|index| is_used(*index))?;
        let position = if shard == self.shard { self.position } else { 0 };
        Some(Self { shard, position })
    }

    /// The positions from here that hold about `count` keys.
    fn window(self, shard: &Shard, count: u64) -> RangeInclusive<u64> {
        let wanted = (shard.len() as u64).div_ceil(count.max(1));
        let windows = wanted.clamp(1, MAX_WINDOWS).next_power_of_two();
        let width = (LAST_POSITION + 1) / windows;
        self.position..=(self.position | (width - 1))
    }

    /// What follows a position of this shard.
    fn after(self, position: u64) -> Self {
        match position {
            LAST_POSITION => Self { shard: self.shard + 1, position: 0 },
            _ => Self { position: position + 1, ..self },
        }
    }
}

/// Which keys a walk answers.
struct Filter<'a> {
    glob: Option<Glob>,
    kind: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    fn new(options: &ScanOptions<'a>) -> Self {
        // A lone star is not asked: it would not match the empty key.
        let glob = options.pattern.map(Glob::new).filter(|glob| !glob.is_star());
        Self { glob, kind: options.kind }
    }

    fn passes(&self, key: &[u8], kind: Kind) -> bool {
        let wanted = |name: &[u8]| kind.name().as_bytes().eq_ignore_ascii_case(name);
        self.kind.is_none_or(wanted) && self.glob.as_ref().is_none_or(|glob| glob.matches(key))
    }
}

/// All keys that match a pattern, at one instant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matching<'a> {
    pub(crate) pattern: &'a [u8],
}

impl Operation for Matching<'_> {
    type Output = Vec<Value>;
    type Access = ReadMany;

    fn target(&self) -> Extent<'_> {
        Extent::Database
    }

    fn run(&self, views: Views<'_>) -> Result<Self::Output> {
        let options = ScanOptions { pattern: Some(self.pattern), ..ScanOptions::default() };
        let filter = Filter::new(&options);
        let keys = views.shards().flat_map(|shard| shard.keys(views.moment()));
        let matching = keys.filter(|(key, kind)| filter.passes(key, *kind));
        Ok(matching.map(|(key, _)| Value::from(key)).collect())
    }
}

/// Any one key, each about as likely as another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RandomKey {}

impl Operation for RandomKey {
    type Output = Option<Value>;
    type Access = Walk;

    fn target(&self) {}

    fn run(&self, shards: Shards<'_>) -> Result<Self::Output> {
        let length = |index| shards.visit(index, Shard::len).unwrap_or(0) as u64;
        let total: u64 = (0..SHARDS).map(length).sum();
        if total == 0 {
            return Ok(None);
        }
        let mut skip = Random::new().next() % total;
        let mut start = 0;
        while start < SHARDS - 1 && skip >= length(start) {
            skip -= length(start);
            start += 1;
        }
        // The key there may have expired, or gone since it was counted; then any other will do.
        let nth = |index, skip| {
            let key = |shard: &Shard| Some(Value::from(shard.keys(shards.moment).nth(skip)?.0));
            shards.visit(index, key).flatten()
        };
        let others = (start..SHARDS).chain(0..start);
        Ok(nth(start, skip as usize).or_else(|| others.into_iter().find_map(|index| nth(index, 0))))
    }
}
