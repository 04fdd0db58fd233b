//! Directories: what they hold, what they refuse, and what is left of them after a crash.

mod crashes;
mod damage;
mod inspect;
mod layout;
mod repair;

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use super::Directory;
use super::simulation::Simulation;
use crate::persist::frame::{Chain, FrameWriter};
use crate::persist::segment::{SegmentReader, Verdict};
use crate::persist::{Kept, Persistence, Source, Tail};
use crate::sync::Arc;

const FOLDER: &str = "/data/appendonlydir";

fn directory(simulation: &Simulation) -> Directory {
    Directory::on(Arc::new(simulation.clone()), "/data")
}

fn path(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

fn bytes(source: Source) -> Vec<u8> {
    let mut reader = source.reader;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, source.length);
    bytes
}

/// The error of opening it.
fn refusal(simulation: &Simulation) -> String {
    directory(simulation).open().expect_err("it is to be refused").to_string()
}

/// What a log of frames can be read to.
#[derive(Debug)]
struct Reading {
    snapshot: Option<Vec<u8>>,
    payloads: Vec<Vec<u8>>,
    chain: Option<Chain>,
    /// Of the first segment that is not clean, or of the last.
    verdict: Verdict,
}

fn read(kept: Kept) -> Reading {
    let snapshot = kept.snapshot.map(bytes);
    let mut reading = Reading {
        snapshot,
        payloads: Vec::new(),
        chain: None,
        verdict: Verdict::Clean { length: 0 },
    };
    let mut segments = kept.segments.into_iter().peekable();
    while let Some(segment) = segments.next() {
        let mut reader = SegmentReader::new(segment.source.reader, segment.number, reading.chain);
        while let Some(payload) = reader.next().unwrap() {
            reading.payloads.push(payload.bytes.to_vec());
        }
        reading.chain = reader.chain().or(reading.chain);
        reading.verdict = reader.verdict().unwrap();
        if segments.peek().is_some() {
            reading.verdict = reading.verdict.of_inner_segment();
            if !matches!(reading.verdict, Verdict::Clean { .. }) {
                break;
            }
        }
    }
    reading
}

/// Appends frames as the log of a store does.
struct Appender {
    directory: Directory,
    writer: FrameWriter,
    synced: u64,
}

impl Appender {
    /// Opens a directory, and begins a segment.
    fn open(directory: Directory) -> (Self, Reading) {
        let reading = read(directory.open().unwrap());
        if let Verdict::Tail { valid_length, .. } = reading.verdict {
            directory.truncate(valid_length, Tail::Keep).unwrap();
        }
        let number = directory.rotate().unwrap();
        let writer = FrameWriter::new(number, reading.chain.unwrap_or_default());
        (Self { directory, writer, synced: 0 }, reading)
    }

    fn append(&mut self, payload: &[u8]) {
        let mut frame = Vec::new();
        self.writer.header(payload, self.synced, &mut frame);
        frame.extend_from_slice(payload);
        self.directory.append(&frame).unwrap();
    }

    fn sync(&mut self) {
        self.directory.sync().unwrap();
        self.synced = self.writer.offset();
    }

    fn rotate(&mut self) {
        let number = self.directory.rotate().unwrap();
        self.writer = FrameWriter::new(number, self.writer.chain());
        self.synced = 0;
    }

    fn snapshot(&self, state: &[u8]) {
        let mut snapshot = self.directory.snapshot().unwrap();
        snapshot.write_all(state).unwrap();
        snapshot.commit().unwrap();
    }
}

/// A folder of the machine's own file system, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("larder-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
