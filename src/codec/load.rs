//! Loading a file into databases that nobody else uses yet.
//!
//! Keys that have expired are loaded, too: a log that goes on from here expects them.
//!
//! On an error the databases hold some of the file and are to be dropped: see
//! [`file`](super::file).

use std::io;

use super::file::{FileEntry, FileReader};
use super::{Loaded, Times};
use crate::error::Result;
use crate::keyspace::{Databases, Loader};

/// What a file held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loading {
    /// Keys that were loaded.
    pub(crate) keys: u64,
    /// Collections without elements.
    pub(crate) empty: u64,
    /// Libraries of functions, which a store has no use for.
    pub(crate) functions: u64,
    /// The length of the file.
    pub(crate) bytes: u64,
}

/// Loads a whole file; `progress` hears now and then how many bytes are done.
///
/// # Errors
///
/// [`Error::Corrupt`](crate::Error::Corrupt), [`Error::Io`](crate::Error::Io), and
/// [`Error::TooFewDatabases`](crate::Error::TooFewDatabases).
pub(crate) fn load(
    reader: &mut dyn io::Read,
    databases: &Databases,
    progress: &mut dyn FnMut(u64),
) -> Result<Loading> {
    let mut file = FileReader::open(reader, Times { wall_offset: databases.wall_offset() })?;
    let loading = load_entries(&mut file, databases, progress)?;
    file.expect_end()?;
    progress(loading.bytes);
    Ok(loading)
}

/// As [`load`], of a file that something else may follow.
pub(crate) fn load_entries(
    file: &mut FileReader<'_>,
    databases: &Databases,
    progress: &mut dyn FnMut(u64),
) -> Result<Loading> {
    /// Bytes between two calls of `progress`.
    const STEP: u64 = 1 << 20;
    /// Noticed when many keys are put into tables at once, so the offset is somewhere behind it.
    const TWICE: &str = "a key twice in a database";
    let mut loader = Loader::new(databases);
    let mut loading = Loading::default();
    let mut told = 0;
    let mut lacking = None;
    while let Some(entry) = file.next_entry()? {
        let FileEntry { database, key, deadline, loaded } = entry;
        let database = match databases.known(database) {
            Ok(database) => database,
            Err(error) => {
                // Only the end tells whether the number is what was written.
                lacking.get_or_insert(error);
                continue;
            }
        };
        let are_new = match loaded {
            Loaded::String(value) => loader.string(database, key, value, deadline),
            Loaded::Object(object) => loader.object(database, key, object, deadline),
        };
        if !are_new {
            return Err(file.corrupt(TWICE));
        }
        loading.keys += 1;
        if file.offset() - told >= STEP {
            told = file.offset();
            progress(told);
        }
    }
    if !loader.finish() {
        return Err(file.corrupt(TWICE));
    }
    (loading.empty, loading.functions) = (file.empty(), file.functions());
    loading.bytes = file.offset();
    lacking.map_or(Ok(loading), Err)
}
