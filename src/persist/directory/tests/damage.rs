//! Damage of any file: an explicit error, or an exact prefix.

use super::*;
use crate::persist::tests::{command, rounds, transaction};
use crate::random::Random;

/// Three segments after a base; what is in them.
fn sample(lag: bool) -> (Simulation, Vec<Vec<u8>>) {
    let simulation = Simulation::new(1);
    let (mut appender, _) = Appender::open(directory(&simulation));
    appender.rotate();
    appender.snapshot(b"state");
    let mut payloads = Vec::new();
    for round in 0..3 {
        for payload in [
            command(&[b"SET", b"key", &[b'v'; 300]]),
            transaction(),
            command(&[b"SET", b"zeros", &[0; 600]]),
            command(&[b"DEL", &[b'0' + round]]),
        ] {
            appender.append(&payload);
            payloads.push(payload);
            if !lag {
                appender.sync();
            }
        }
        if round < 2 {
            appender.rotate();
        }
    }
    drop(appender);
    (simulation, payloads)
}

/// What can be read of a directory in which one file has other bytes. Says whether it is refused,
/// and how many payloads there are.
fn try_to_read(
    simulation: &Simulation,
    file: &str,
    bytes: Vec<u8>,
    payloads: &[Vec<u8>],
) -> Outcome {
    let whole = simulation.bytes(path(file)).unwrap();
    simulation.put(path(file), bytes);
    let opened = directory(simulation);
    let outcome = match opened.open() {
        Err(_) => Outcome::Refused,
        Ok(kept) => {
            let reading = read(kept);
            assert!(payloads.starts_with(&reading.payloads), "{file}: other bytes");
            assert_eq!(reading.snapshot.unwrap(), b"state");
            match reading.verdict {
                Verdict::Corrupt { .. } => Outcome::Refused,
                _ => Outcome::Read(reading.payloads.len()),
            }
        }
    };
    simulation.put(path(file), whole);
    outcome
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Refused,
    Read(usize),
}

fn segment(at: usize) -> String {
    format!("appendonly.aof.{}.incr.aof", at + 2)
}

#[test]
fn every_bit_of_the_manifest_counts() {
    let (simulation, payloads) = sample(false);
    let manifest = simulation.bytes(path("appendonly.aof.manifest")).unwrap();
    for bit in 0..manifest.len() * 8 {
        let mut bytes = manifest.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let outcome = try_to_read(&simulation, "appendonly.aof.manifest", bytes, &payloads);
        assert_eq!(outcome, Outcome::Refused, "bit {bit}");
    }
    for length in 0..manifest.len() {
        let bytes = manifest[..length].to_vec();
        let outcome = try_to_read(&simulation, "appendonly.aof.manifest", bytes, &payloads);
        assert_eq!(outcome, Outcome::Refused, "{length}");
    }
}

#[test]
fn bursts_in_the_manifest_are_noticed() {
    let (simulation, payloads) = sample(false);
    let manifest = simulation.bytes(path("appendonly.aof.manifest")).unwrap();
    let mut random = Random::seeded(3);
    for _ in 0..rounds("LARDER_BURSTS", 5_000) {
        let mut bytes = manifest.clone();
        let start = random.below(bytes.len());
        let end = bytes.len().min(start + 1 + random.below(40));
        bytes[start..end].fill_with(|| random.next() as u8);
        let same = bytes == manifest;
        let outcome = try_to_read(&simulation, "appendonly.aof.manifest", bytes, &payloads);
        assert_eq!(outcome == Outcome::Refused, !same);
    }
}

#[test]
fn a_segment_that_others_follow_is_whole_or_refused() {
    for lag in [false, true] {
        let (simulation, payloads) = sample(lag);
        for at in 0..2 {
            let file = segment(at);
            let whole = simulation.bytes(path(&file)).unwrap();
            for bit in (0..whole.len() * 8).step_by(3) {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let outcome = try_to_read(&simulation, &file, bytes, &payloads);
                assert_eq!(outcome, Outcome::Refused, "{file} bit {bit}");
            }
            for length in 0..whole.len() {
                let outcome = try_to_read(&simulation, &file, whole[..length].to_vec(), &payloads);
                assert_eq!(outcome, Outcome::Refused, "{file} cut to {length}");
            }
        }
    }
}

#[test]
fn segments_that_change_places_are_refused() {
    let (simulation, payloads) = sample(false);
    for (to, from) in [(0, 1), (1, 0), (2, 1)] {
        let bytes = simulation.bytes(path(&segment(from))).unwrap();
        let outcome = try_to_read(&simulation, &segment(to), bytes, &payloads);
        assert_eq!(outcome, Outcome::Refused);
    }
}

#[test]
fn bursts_in_any_segment_leave_a_prefix() {
    let (simulation, payloads) = sample(true);
    let mut random = Random::seeded(4);
    for _ in 0..rounds("LARDER_BURSTS", 5_000) {
        let file = segment(random.below(3));
        let mut bytes = simulation.bytes(path(&file)).unwrap();
        let whole = bytes.clone();
        let start = random.below(bytes.len());
        let end = bytes.len().min(start + 1 + random.below(700));
        let zeros = random.below(3) == 0;
        bytes[start..end].fill_with(|| if zeros { 0 } else { random.next() as u8 });
        let same = bytes == whole;
        let outcome = try_to_read(&simulation, &file, bytes, &payloads);
        let last = file == segment(2);
        match outcome {
            Outcome::Refused => assert!(!same),
            Outcome::Read(read) => assert!(same || (last && (8..12).contains(&read))),
        }
    }
}
