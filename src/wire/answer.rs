//! Commands as a client sends them, by name, answered in bytes.

use super::command::Context;
use super::encoder::Encoder;
use super::{error, table};
use crate::keyspace::access::Demand;
use crate::keyspace::{After, Space};

/// Runs a command and appends its reply, which may be an error in Redis's words.
pub(crate) fn answer(space: Space<'_>, argv: &[&[u8]], encoder: &mut Encoder<'_>) {
    execute(argv, &mut Context::Run(space), encoder);
}

/// Runs commands as one, as `EXEC` does, and appends an array of their replies.
pub(crate) fn answer_all(space: Space<'_>, commands: &[&[&[u8]]], encoder: &mut Encoder<'_>) {
    let mut demand = Demand::default();
    for argv in commands {
        // What cannot be parsed locks nothing, and is answered when its turn comes.
        let _ = attempt(argv, &mut Context::Demand(space, &mut demand), encoder);
    }
    let mut locked = match demand.enter(space) {
        Ok(locked) => locked,
        Err(error) => return encoder.error(&error::redis_text(&error, "EXEC")),
    };
    let mut replies = Vec::new();
    let mut within = Encoder::new(&mut replies, encoder.protocol());
    within.array(commands.len());
    for argv in commands {
        execute(argv, &mut Context::Within(&mut locked, space.database), &mut within);
    }
    let mut after = After::default();
    locked.release(&mut after);
    match after.settle(space.databases) {
        Ok(()) => encoder.raw(&replies),
        Err(error) => encoder.error(&error::redis_text(&error, "EXEC")),
    }
}

fn execute(argv: &[&[u8]], context: &mut Context<'_, '_>, encoder: &mut Encoder<'_>) {
    if let Err(text) = attempt(argv, context, encoder) {
        encoder.error(&text);
    }
}

fn attempt(
    argv: &[&[u8]],
    context: &mut Context<'_, '_>,
    encoder: &mut Encoder<'_>,
) -> Result<(), error::Text> {
    let (name, arguments) =
        argv.split_first().map_or((&b""[..], argv), |(name, rest)| (*name, rest));
    let row = table::find(name).ok_or_else(|| error::unknown_command(name, arguments))?;
    let outcome = row.execute(arguments, context, encoder);
    outcome.map_err(|error| error::redis_text(&error, row.name))
}
