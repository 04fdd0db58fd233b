//! Random fields, and walks over all of them.

use super::{Pairs, live};
use crate::data::glob::Glob;
use crate::data::hash::Field;
use crate::error::Result;
use crate::keyspace::View;
use crate::keyspace::access::Read;
use crate::ops::Operation;
use crate::ops::sorted_set::MAX_REPEATED;
use crate::random::Random;
use crate::value::Value;

/// Fields, with their values if these were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fields {
    Names(Vec<Value>),
    Pairs(Pairs),
}

impl Fields {
    fn new<'h>(fields: impl IntoIterator<Item = Field<'h>>, with_values: bool) -> Self {
        let fields = fields.into_iter();
        if with_values {
            let pairs = fields.map(|field| (Value::from(field.name), field.value()));
            Self::Pairs(Pairs(pairs.collect()))
        } else {
            Self::Names(fields.map(|field| Value::from(field.name)).collect())
        }
    }

    /// The names, which were asked for without values.
    pub(crate) fn names(self) -> Vec<Value> {
        match self {
            Self::Names(names) => names,
            Self::Pairs(Pairs(pairs)) => pairs.into_iter().map(|(name, _)| name).collect(),
        }
    }

    /// The names and values, which were asked for.
    pub(crate) fn pairs(self) -> Vec<(Value, Value)> {
        match self {
            Self::Pairs(Pairs(pairs)) => pairs,
            Self::Names(_) => unreachable!("values were asked for"),
        }
    }
}

/// How many random fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// At most so many distinct ones; if negative, as many as its absolute value says, the same
    /// ones perhaps several times, but never more than [`MAX_REPEATED`].
    pub(crate) count: i64,
    pub(crate) with_values: bool,
}

/// Reads random fields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RandomFields<'a> {
    pub(crate) key: &'a [u8],
    /// One, unless given.
    pub(crate) sample: Option<Sample>,
}

/// One random field, or as many as were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sampled {
    One(Option<Value>),
    Many(Fields),
}

impl Operation for RandomFields<'_> {
    type Output = Sampled;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let hash = live(&view)?;
        let mut random = Random::new();
        let Some(Sample { count, with_values }) = self.sample else {
            let field = hash.and_then(|hash| hash.random(&mut random));
            return Ok(Sampled::One(field.map(|field| Value::from(field.name))));
        };
        let wanted = count.unsigned_abs();
        let fields = hash.map_or_else(Vec::new, |hash| match count < 0 {
            true => hash.sample_repeating(wanted.min(MAX_REPEATED) as usize, &mut random),
            false => hash.sample(usize::try_from(wanted).unwrap_or(usize::MAX), &mut random),
        });
        Ok(Sampled::Many(Fields::new(fields, with_values)))
    }
}

/// One step of a walk over all fields: see [`Live::scan`](crate::data::hash::Live::scan).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScanFields<'a> {
    pub(crate) key: &'a [u8],
    /// Where the walk goes on; zero to begin with, and when it has ended.
    pub(crate) cursor: u64,
    pub(crate) options: FieldScan<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldScan<'a> {
    /// Only fields of this shape are answered.
    pub(crate) pattern: Option<&'a [u8]>,
    /// About how many fields a step looks at.
    pub(crate) count: usize,
    pub(crate) with_values: bool,
}

impl Default for FieldScan<'_> {
    fn default() -> Self {
        Self { pattern: None, count: 10, with_values: true }
    }
}

/// What one step found, and where to go on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FieldPage {
    pub(crate) cursor: u64,
    pub(crate) fields: Fields,
}

impl Operation for ScanFields<'_> {
    type Output = FieldPage;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let FieldScan { pattern, count, with_values } = self.options;
        // A lone star is everything, even the empty name.
        let pattern = pattern.map(Glob::new).filter(|glob| !glob.is_star());
        let mut found = Vec::new();
        let cursor = live(&view)?.map_or(0, |hash| {
            hash.scan(self.cursor, count, |field| {
                if pattern.as_ref().is_none_or(|glob| glob.matches(field.name)) {
                    found.push(field);
                }
            })
        });
        Ok(FieldPage { cursor, fields: Fields::new(found, with_values) })
    }
}
