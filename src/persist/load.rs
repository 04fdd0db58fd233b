//! Loading what was kept into databases that nobody else uses yet.
//!
//! What is loaded is a prefix of what was written, or there is an error; after one, the databases
//! hold some of it and are to be dropped.

use super::Kept;
use super::frame::Chain;
use super::reading::{Damage, Reading, Visitor, for_each_command, read};
use super::replay::{Refusal, Replay, is_about_functions};
use super::segment::Payload;
use super::settings::TornEnd;
use crate::codec::Times;
use crate::codec::file::FileReader;
use crate::codec::load::{Loading, load_entries};
use crate::error::Result;
use crate::keyspace::Databases;
use crate::wire::RequestParser;

/// What was loaded.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Of the RDB part of the snapshot; and the commands about functions, among its functions.
    pub(crate) loading: Loading,
    /// Commands that were run.
    pub(crate) commands: u64,
    /// Bytes that were read, those of a torn end not among them.
    pub(crate) bytes: u64,
    /// What the next frame follows; `None` if there was no frame.
    pub(crate) chain: Option<Chain>,
    /// The end that is no whole write, if the last file has one.
    pub(crate) torn: Option<TornEnd>,
}

/// Loads all that was kept; `progress` hears now and then how many bytes are done.
///
/// # Errors
///
/// [`Error::Corrupt`](crate::Error::Corrupt), with the name of the file, also for an
/// [`Unsupported`](super::Unsupported) command; [`Error::Io`](crate::Error::Io), and
/// [`Error::TooFewDatabases`](crate::Error::TooFewDatabases).
pub(crate) fn load(
    kept: Kept,
    databases: &Databases,
    progress: &mut dyn FnMut(u64),
) -> Result<Contents> {
    let (contents, damage) = load_to_damage(kept, databases, progress)?;
    match damage {
        None => Ok(contents),
        Some(damage) if damage.is_torn => Ok(Contents { torn: Some(damage.into()), ..contents }),
        Some(damage) => Err(damage.into()),
    }
}

/// Loads what is good.
///
/// # Errors
///
/// As [`load`], but that damage is none. What is not supported is no damage.
pub(super) fn load_to_damage(
    kept: Kept,
    databases: &Databases,
    progress: &mut dyn FnMut(u64),
) -> Result<(Contents, Option<Damage>)> {
    databases.load(|databases| {
        let times = Times { wall_offset: databases.wall_offset() };
        let loading = Loading::default();
        let mut loader = Loader { databases, replay: Replay::new(databases), loading, commands: 0 };
        let Reading { bytes, chain, damage } = read(kept, times, &mut loader, progress)?;
        let Loader { loading, commands, .. } = loader;
        Ok((Contents { loading, commands, bytes, chain, torn: None }, damage))
    })
}

/// Does again what was done.
struct Loader<'l> {
    databases: &'l Databases,
    replay: Replay<'l>,
    loading: Loading,
    commands: u64,
}

impl Visitor for Loader<'_> {
    fn begin(&mut self, _segment: Option<u64>) {
        self.replay = Replay::new(self.databases);
    }

    fn entries(&mut self, file: &mut FileReader<'_>, progress: &mut dyn FnMut(u64)) -> Result<()> {
        self.loading = load_entries(file, self.databases, progress)?;
        Ok(())
    }

    fn payload(
        &mut self,
        payload: &Payload<'_>,
        parser: &mut RequestParser,
    ) -> Result<(), Refusal> {
        let Self { replay, loading, commands, .. } = self;
        for_each_command(payload.bytes, parser, |argv| {
            if is_about_functions(argv) {
                loading.functions += 1;
                return Ok(());
            }
            *commands += 1;
            replay.command(argv)
        })?;
        match replay.is_in_transaction() {
            false => Ok(()),
            true => Err(Refusal::damage("a transaction goes on behind the end of its frame")),
        }
    }
}
