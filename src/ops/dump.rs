//! Values in Redis's binary form, one at a time.

use super::Operation;
use crate::codec::{Content, Loaded, Times, payload};
use crate::error::{Error, Result};
use crate::keyspace::access::{Read, Write};
use crate::keyspace::{EventKind, Held, Moment, View, Writer};
use crate::value::Value;

/// What a key holds, as bytes that [`Restore`] makes the same of, here or in Redis. Its deadline
/// is not among them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dump<'a> {
    pub(crate) key: &'a [u8],
}

impl Operation for Dump<'_> {
    type Output = Option<Value>;
    type Access = Read;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, view: View<'_>) -> Result<Self::Output> {
        let times = times(view.moment);
        Ok(view.held().map(|held| {
            let content = match held {
                Held::String(block) => Content::String(block.value()),
                Held::Object(object) => Content::Object(object),
            };
            Value::from(payload::write(content, times))
        }))
    }
}

/// Puts what was dumped under a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Restore<'a> {
    pub(crate) key: &'a [u8],
    /// Zero for a key that lives on.
    pub(crate) lifetime: RestoreLifetime,
    pub(crate) payload: &'a [u8],
    pub(crate) options: RestoreOptions,
}

/// Milliseconds to live, or if the options say so, the Unix time of death; not negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RestoreLifetime(pub(crate) i64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RestoreOptions {
    /// Whether the key may exist.
    pub(crate) replace: bool,
    /// Whether the lifetime is a Unix time.
    pub(crate) absolute: bool,
    /// When or how often the key was used.
    pub(crate) uses: Option<Uses>,
}

/// How a key was used before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Uses {
    IdleSeconds(i64),
    Frequency(u8),
}

impl Operation for Restore<'_> {
    type Output = ();
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        if !self.options.replace && writer.view().exists() {
            return Err(Error::KeyExists(self.key.into()));
        }
        let mut scratch = Vec::new();
        let loaded = payload::read(self.payload, times(writer.moment), &mut scratch)?;
        let deadline = match self.lifetime.0 {
            0 => None,
            unix if self.options.absolute => Some(writer.moment.deadline_at(unix)),
            millis => Some(writer.moment.deadline_in(millis)?),
        };
        if deadline.is_some_and(|deadline| writer.moment.has_passed(deadline)) {
            if writer.remove() {
                writer.notify(EventKind::Deleted);
            }
            return Ok(());
        }
        match loaded {
            Loaded::String(value) => writer.set_string(value, deadline),
            Loaded::Object(object) => writer.put_object(object, deadline),
        }
        match self.options.uses {
            None => {}
            Some(Uses::IdleSeconds(seconds)) => writer.view().set_idle_seconds(seconds as u64),
            Some(Uses::Frequency(count)) => writer.view().set_use_count(count),
        }
        writer.notify(EventKind::Restored);
        Ok(())
    }
}

fn times(moment: &Moment<'_>) -> Times {
    Times { wall_offset: moment.databases.wall_offset() }
}
