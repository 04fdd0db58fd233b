//! Crashes at any call, and calls that fail, on the simulated file system.
//!
//! What holds: all frames that were synced are there, what is there is a prefix of what was
//! appended, and a snapshot is one that was committed, to the byte.

use std::io;

use super::*;
use crate::persist::directory::simulation::Failure;
use crate::persist::tests::{command, rounds};
use crate::random::Random;

/// What the frames and snapshots of a directory stand for.
#[derive(Default)]
struct Truth {
    /// What tells the payloads apart that were appended, in order.
    stamps: Vec<u64>,
    /// How many of them can no crash take.
    durable: usize,
}

fn payload(stamp: u64) -> Vec<u8> {
    let length = [3, 40, 600, 1_500][(stamp >> 8) as usize % 4];
    command(&[b"SET", &stamp.to_le_bytes(), &vec![stamp as u8; length]])
}

/// A state after some payloads; longer than a few sectors.
fn state(stamps: &[u64]) -> Vec<u8> {
    let mut bytes = (stamps.len() as u64).to_le_bytes().to_vec();
    bytes.extend(stamps.iter().flat_map(|stamp| stamp.to_le_bytes()));
    bytes.resize(bytes.len() + 1_100, 7);
    bytes
}

/// The log of a store, as far as files are concerned.
struct Log<'t> {
    directory: Directory,
    writer: FrameWriter,
    synced: u64,
    truth: &'t mut Truth,
}

/// What an opening has come to.
enum Opened<'t> {
    Log(Log<'t>),
    /// A sector was torn within, which no rule can tell from damage.
    Refused,
}

impl<'t> Log<'t> {
    fn open(simulation: &Simulation, truth: &'t mut Truth) -> io::Result<Opened<'t>> {
        let directory = directory(simulation);
        let reading = read(directory.open()?);
        let mut found = 0;
        if let Some(snapshot) = &reading.snapshot {
            found = u64::from_le_bytes(snapshot[..8].try_into().unwrap()) as usize;
            assert!(*snapshot == state(&truth.stamps[..found]), "another snapshot");
        }
        for bytes in &reading.payloads {
            assert!(*bytes == payload(truth.stamps[found]), "another payload");
            found += 1;
        }
        match reading.verdict {
            Verdict::Corrupt { .. } => return Ok(Opened::Refused),
            Verdict::Tail { valid_length, .. } => directory.truncate(valid_length, Tail::Keep)?,
            Verdict::Clean { .. } => {}
        }
        assert!(found >= truth.durable, "{found} of {} durable payloads", truth.durable);
        truth.stamps.truncate(found);
        let number = directory.rotate()?;
        truth.durable = found;
        let writer = FrameWriter::new(number, reading.chain.unwrap_or_default());
        Ok(Opened::Log(Self { directory, writer, synced: 0, truth }))
    }

    /// Appends a payload; if that fails, cuts the segment back and tries again, and if that fails,
    /// too, leaves the segment.
    fn append(&mut self, stamp: u64) -> io::Result<()> {
        self.truth.stamps.push(stamp);
        let before = self.writer;
        for attempt in 0..2 {
            self.writer = before;
            let mut frame = Vec::new();
            self.writer.header(&payload(stamp), self.synced, &mut frame);
            frame.extend_from_slice(&payload(stamp));
            if self.directory.append(&frame).is_ok() {
                return Ok(());
            }
            self.writer = before;
            if attempt == 1 || self.directory.truncate(before.offset(), Tail::Drop).is_err() {
                break;
            }
        }
        self.start_afresh()
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.directory.sync().is_err() {
            return self.start_afresh();
        }
        self.synced = self.writer.offset();
        self.truth.durable = self.truth.stamps.len();
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        match self.directory.rotate() {
            Err(_) => self.start_afresh(),
            Ok(number) => {
                self.follow(number);
                self.truth.durable = self.truth.stamps.len();
                Ok(())
            }
        }
    }

    fn follow(&mut self, number: u64) {
        self.writer = FrameWriter::new(number, self.writer.chain());
        self.synced = 0;
    }

    fn snapshot(&mut self, later: Option<u64>) -> io::Result<()> {
        self.rotate()?;
        let covered = self.truth.stamps.len();
        let mut snapshot = match self.directory.snapshot() {
            Err(_) => return Ok(()),
            Ok(snapshot) => snapshot,
        };
        if let Some(stamp) = later {
            self.append(stamp)?;
        }
        let written = snapshot.write_all(&state(&self.truth.stamps[..covered]));
        if written.is_ok() && snapshot.commit().is_ok() {
            self.truth.durable = self.truth.durable.max(covered);
        }
        Ok(())
    }

    /// A new segment, and a snapshot in the place of all before it.
    fn start_afresh(&mut self) -> io::Result<()> {
        let mut last = Ok(());
        for _ in 0..3 {
            last = (|| {
                let number = self.directory.rotate()?;
                self.follow(number);
                let mut snapshot = self.directory.snapshot()?;
                snapshot.write_all(&state(&self.truth.stamps))?;
                snapshot.commit()
            })();
            if last.is_ok() {
                self.truth.durable = self.truth.stamps.len();
                break;
            }
        }
        last
    }

    /// Writes half a frame, as if the disk were full, and cuts it off.
    fn half(&mut self, stamp: u64) -> io::Result<()> {
        let before = self.writer;
        let mut frame = Vec::new();
        self.writer.header(&payload(stamp), self.synced, &mut frame);
        frame.extend_from_slice(&payload(stamp));
        self.writer = before;
        self.directory.append(&frame[..frame.len() / 2])?;
        self.directory.truncate(before.offset(), Tail::Drop)
    }

    /// One thing that a log does, by chance.
    fn step(&mut self, random: &mut Random) -> io::Result<()> {
        let stamp = random.next();
        match random.below(20) {
            0..10 => self.append(stamp),
            10..14 => self.sync(),
            14..16 => self.rotate(),
            16..18 => self.snapshot(stamp.is_multiple_of(2).then_some(stamp)),
            18 => self.half(stamp),
            _ => self.snapshot(None),
        }
    }
}

/// Works on a file system until it has no power; crashes it; and so on. Answers how many states
/// after a crash were looked at.
fn life(seed: u64, torn: bool) -> usize {
    let mut random = Random::seeded(seed);
    let mut simulation = Simulation::new(random.next());
    if torn {
        simulation.tear_sectors();
    }
    let mut truth = Truth::default();
    for state in 0..12 {
        simulation.stop_after(1 + random.below(60) as u64);
        match Log::open(&simulation, &mut truth) {
            Ok(Opened::Refused) => {
                assert!(torn, "seed {seed}: refused after a crash");
                return state;
            }
            Ok(Opened::Log(mut log)) => while log.step(&mut random).is_ok() {},
            // What is refused is refused for lack of power only.
            Err(error) => assert!(error.to_string().contains("power"), "seed {seed}: {error}"),
        }
        // Or only the process has ended, and the next finds what no sync has made durable.
        if random.below(3) > 0 {
            simulation = simulation.crash();
        }
    }
    12
}

#[test]
fn nothing_that_was_synced_is_lost_in_a_crash() {
    let states = rounds("LARDER_CRASHES", 20_000);
    let mut seen = 0;
    let mut seed = 0;
    while seen < states {
        seen += life(seed, false);
        seed += 1;
    }
}

#[test]
fn torn_sectors_are_refused_at_worst() {
    let states = rounds("LARDER_CRASHES", 20_000) / 10;
    let mut seen = 0;
    let mut seed = 0;
    while seen < states {
        seen += life(seed, true);
        seed += 1;
    }
}

/// All that a log does, in a fixed order.
fn story(simulation: &Simulation, truth: &mut Truth) -> io::Result<()> {
    for round in 0..2_u64 {
        let Opened::Log(mut log) = Log::open(simulation, truth)? else { panic!("refused") };
        let mut stamp = 1_000 * round;
        let mut next = || {
            stamp += 257;
            stamp
        };
        log.append(next())?;
        log.append(next())?;
        log.sync()?;
        log.append(next())?;
        log.rotate()?;
        log.append(next())?;
        log.snapshot(Some(next()))?;
        log.append(next())?;
        log.sync()?;
        log.append(next())?;
        log.half(next())?;
        log.append(next())?;
    }
    Ok(())
}

#[test]
fn a_crash_at_every_call_of_a_story() {
    let all = Simulation::new(0);
    story(&all, &mut Truth::default()).unwrap();
    let calls = all.calls();
    assert!(calls > 80);
    for call in 0..calls {
        for sample in 0..20 {
            let mut truth = Truth::default();
            let simulation = Simulation::new(sample);
            simulation.stop_after(call);
            story(&simulation, &mut truth).unwrap_err();
            // Another while it recovers; the first may have been of the process alone.
            let again = if sample % 2 == 0 { simulation.crash() } else { simulation };
            again.stop_after(sample / 2);
            let _ = Log::open(&again, &mut truth);
            for _ in 0..8 {
                let mut truth = Truth { stamps: truth.stamps.clone(), ..truth };
                let opened = Log::open(&again.crash(), &mut truth).unwrap();
                assert!(matches!(opened, Opened::Log(_)), "refused after call {call}");
            }
        }
    }
}

#[test]
fn a_call_that_fails_at_every_place_of_a_story() {
    let all = Simulation::new(0);
    story(&all, &mut Truth::default()).unwrap();
    for failure in [Failure::Io, Failure::Full] {
        for call in 0..all.calls() {
            for sample in 0..10 {
                let mut truth = Truth::default();
                let simulation = Simulation::new(sample);
                simulation.fail_after(call, failure);
                let told = story(&simulation, &mut truth).is_ok();
                assert!(!simulation.fails_later());
                // An error of an opening is told; one of the log is made good.
                let crashed = simulation.crash();
                let opened = Log::open(&crashed, &mut truth).unwrap();
                assert!(matches!(opened, Opened::Log(_)), "refused after call {call}: {told}");
            }
        }
    }
}
