//! Saving a capture as a file.

use std::io;

use super::file::{FileWriter, Head};
use super::{Content, Times, Version};
use crate::keyspace::Databases;
use crate::keyspace::capture::{Capture, CapturedShard};

/// Writes all entries of a capture; `progress` hears how many are done, about a hundred times and
/// at the end. Answers the length of the file. `log` says what a log goes on from where the file
/// ends, if one does.
pub(crate) fn save(
    writer: &mut dyn io::Write,
    databases: &Databases,
    capture: &Capture,
    log: Option<&str>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<u64> {
    let census = capture.census();
    let head = Head {
        version: if census.has_dated_parts { Version::Twelve } else { Version::Ten },
        times: Times { wall_offset: databases.wall_offset() },
        created: databases.clock.wall() / 1000,
        memory: census.bytes,
        log,
    };
    let mut file = FileWriter::begin(writer, head)?;
    for population in &census.databases {
        file.announce(population.database, population.keys, population.dated);
    }
    let total = census.keys();
    let (mut done, mut told) = (0, 0);
    for CapturedShard { database, entries } in capture.shards(databases) {
        for (block, object) in &entries {
            let content = match object {
                Some(object) => Content::Object(object),
                None => Content::String(block.value()),
            };
            file.entry(database, block.key(), block.deadline(), content)?;
        }
        done += entries.len() as u64;
        if done == total || done - told > total / 100 {
            told = done;
            progress(done);
        }
    }
    file.finish()
}
