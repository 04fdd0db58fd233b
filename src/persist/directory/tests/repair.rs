//! Repairs: what they leave is the exact prefix, and nothing of what they cut off is lost.

use std::io::ErrorKind;

use super::*;
use crate::persist::directory::{Cut, Repair};
use crate::persist::tests::{command, transaction};
use crate::{Error, Store, rdb};

/// A directory with a base and three segments, and the payloads of each segment.
fn sample() -> (Simulation, Vec<Vec<Vec<u8>>>) {
    let simulation = Simulation::new(1);
    let (mut appender, _) = Appender::open(directory(&simulation));
    appender.rotate();
    let mut base = Vec::new();
    rdb::export(&Store::new(), &mut base).unwrap();
    appender.snapshot(&base);
    let mut payloads = Vec::new();
    for round in 0..3 {
        payloads.push(vec![
            command(&[b"SET", b"key", &[b'v'; 300]]),
            transaction(),
            command(&[b"RPUSH", b"list", &[b'0' + round]]),
        ]);
        for payload in &payloads[usize::from(round)] {
            appender.append(payload);
        }
        if round < 2 {
            appender.rotate();
        }
    }
    appender.sync();
    drop(appender);
    (simulation, payloads)
}

/// The name of one of the segments of the sample.
fn segment(at: usize) -> String {
    format!("appendonly.aof.{}.incr.aof", at + 2)
}

fn all_bytes(simulation: &Simulation, at: usize) -> Vec<u8> {
    simulation.bytes(path(&segment(at))).unwrap()
}

/// The payloads of a directory; `None` if it is refused.
fn payloads_of(simulation: &Simulation) -> Option<Vec<Vec<u8>>> {
    let reading = read(directory(simulation).open().ok()?);
    match reading.verdict {
        Verdict::Corrupt { .. } => None,
        Verdict::Clean { .. } | Verdict::Tail { .. } => Some(reading.payloads),
    }
}

fn repair(simulation: &Simulation) -> Result<Repair, Error> {
    directory(simulation).repair()
}

fn kind_of(error: Error) -> ErrorKind {
    match error {
        Error::Io { kind, .. } => kind,
        other => panic!("{other}"),
    }
}

/// Asserts that the bytes of a cut are where it says that they are, behind those that are left.
fn check_cut(simulation: &Simulation, cut: &Cut, whole: &[u8]) {
    let kept = simulation.bytes(&cut.kept_in).unwrap();
    assert_eq!(kept.len() as u64, cut.bytes);
    let left = simulation.bytes(path(&cut.file)).unwrap_or_default();
    assert!([left, kept].concat() == whole, "{}", cut.file);
}

#[test]
fn damage_anywhere_in_the_log_leaves_what_came_before() {
    let (whole, payloads) = sample();
    for at in 0..3 {
        let length = all_bytes(&whole, at).len();
        for place in (0..length).step_by(29) {
            let simulation = whole.crash();
            let mut bytes = all_bytes(&simulation, at);
            bytes[place] ^= 0x10;
            simulation.put(path(&segment(at)), bytes);
            assert_eq!(payloads_of(&simulation), None);
            let before: Vec<_> =
                (0..3).map(|at| simulation.bytes(path(&segment(at))).unwrap()).collect();

            let repair = repair(&simulation).unwrap();
            assert_eq!(repair.damage.file, segment(at));
            assert_eq!(repair.cut.len(), 3 - at);
            for (cut, at) in repair.cut.iter().zip(at..) {
                assert_eq!(cut.file, segment(at));
                check_cut(&simulation, cut, &before[at]);
            }
            let left = payloads_of(&simulation).expect("it is mended");
            let earlier = payloads[..at].concat();
            let within = left.strip_prefix(&earlier[..]).expect("the exact prefix");
            assert!(payloads[at].starts_with(within) && within.len() < 3);
            let again = super::repair::repair(&simulation).unwrap_err();
            assert_eq!(kind_of(again), ErrorKind::InvalidInput);
        }
    }
}

#[test]
fn a_crash_during_a_repair_leaves_the_same_prefix_or_a_directory_that_is_refused() {
    let damages: [&dyn Fn(&Simulation); 5] = [
        &|simulation| {
            let mut bytes = all_bytes(simulation, 1);
            *bytes.last_mut().unwrap() ^= 1;
            simulation.put(path(&segment(1)), bytes);
        },
        &|simulation| {
            let mut bytes = all_bytes(simulation, 1);
            bytes.truncate(bytes.len() - 10);
            simulation.put(path(&segment(1)), bytes);
        },
        // Commands that somebody has appended to what had ended.
        &|simulation| {
            let bytes = all_bytes(simulation, 1);
            simulation.put(path(&segment(1)), [bytes, command(&[b"FLUSHALL"])].concat());
        },
        &|simulation| simulation.take_away(path(&segment(1))),
        &|simulation| simulation.put(path(&segment(3)), command(&[b"FLUSHALL"])),
    ];
    for (damage, left) in damages.iter().zip([5, 5, 6, 3, 9]) {
        for calls in 0.. {
            let mut ended = false;
            for seed in 0..10 {
                let (simulation, payloads) = sample();
                let simulation = (0..=seed).fold(simulation, |simulation, _| simulation.crash());
                damage(&simulation);
                assert_eq!(payloads_of(&simulation), None);
                simulation.stop_after(calls);
                ended = repair(&simulation).is_ok();
                let crashed = simulation.crash();
                if payloads_of(&crashed).is_none() {
                    assert!(!ended);
                    repair(&crashed).unwrap();
                }
                assert_eq!(payloads_of(&crashed).unwrap(), payloads.concat()[..left]);
            }
            if ended {
                assert!(calls > 3);
                break;
            }
        }
    }
}

#[test]
fn a_command_that_cannot_have_been_done_is_damage() {
    let simulation = Simulation::new(1);
    let (mut appender, _) = Appender::open(directory(&simulation));
    appender.append(&command(&[b"SET", b"text", b"a"]));
    appender.append(&command(&[b"INCR", b"text"]));
    appender.append(&command(&[b"DEL", b"text"]));
    appender.sync();
    drop(appender);
    let repair = repair(&simulation).unwrap();
    assert!(repair.damage.reason.contains("a command fails"), "{}", repair.damage);
    assert_eq!(payloads_of(&simulation).unwrap(), [command(&[b"SET", b"text", b"a"])]);
}

#[test]
fn a_transaction_that_has_no_beginning_or_two_is_damage() {
    let begin = command(&[b"MULTI"]);
    for (bad, reason) in [
        (command(&[b"EXEC"]), "the end of a transaction that has not begun"),
        ([&begin[..], &begin, &command(&[b"EXEC"])].concat(), "a transaction within a transaction"),
    ] {
        let (simulation, payloads) = sample();
        let (mut appender, _) = Appender::open(directory(&simulation));
        appender.append(&bad);
        appender.sync();
        drop(appender);
        assert_eq!(repair(&simulation).unwrap().damage.reason, reason);
        assert_eq!(payloads_of(&simulation).unwrap(), payloads.concat());
    }
}

#[test]
fn nothing_is_cut_off_for_a_command_that_is_not_supported() {
    let set = |key: &[u8]| command(&[b"SET", key, b"1"]);
    let unknown = command(&[b"PFADD", b"h", b"a"]);
    let transaction = [command(&[b"MULTI"]), unknown.clone(), command(&[b"EXEC"])].concat();
    for (name, unknown) in [
        ("PFADD", unknown),
        ("PFADD", transaction),
        ("", command(&[b""])),
        ("G\"", command(&[b"G\""])),
    ] {
        let simulation = sample().0;
        let file = segment(2);
        let sound = [all_bytes(&simulation, 2), set(b"a")].concat();
        let offset = sound.len() as u64;
        let log = [&sound[..], &unknown, &set(b"b"), b"damage"].concat();
        simulation.put(path(&file), log.clone());
        let open = || Store::builder().persistence(directory(&simulation)).open();
        let refusal = |file: &str| {
            let what = format!("{file}: the command {name:?} is not supported");
            Error::Corrupt { what, offset }
        };
        assert_eq!(open().unwrap_err(), refusal(&path(&file)));
        let before = simulation.all();
        assert_eq!(repair(&simulation).unwrap_err(), refusal(&file));
        assert_eq!(simulation.all(), before);
    }
}

#[test]
fn damage_before_a_command_that_is_not_supported_is_cut_off_with_it() {
    let simulation = sample().0;
    let sound = all_bytes(&simulation, 2);
    let log = [&sound[..], b"damage", &command(&[b"PFADD", b"h", b"a"])].concat();
    simulation.put(path(&segment(2)), log);
    assert_eq!(repair(&simulation).unwrap().damage.valid_length, sound.len() as u64);
    assert_eq!(all_bytes(&simulation, 2), sound);
}

#[test]
fn what_redis_has_written_is_cut_between_its_transactions() {
    let set = command(&[b"SET", b"a", b"1"]);
    let length = set.len() as u64;
    // Damaged, and torn: opening cuts a torn end off the log only, not off what the log follows.
    for end in [&b"*1\r\nx"[..], b"*1\r\n$4\r\nEX"] {
        let simulation = Simulation::new(1);
        let broken = [command(&[b"MULTI"]), command(&[b"DEL", b"a"]), end.to_vec()].concat();
        simulation.put("/data/appendonly.aof", [set.clone(), broken.clone()].concat());
        let untaken = repair(&simulation).unwrap_err();
        assert!(untaken.to_string().contains("the one file of Redis before 7.0"), "{untaken}");
        let open = || Store::builder().persistence(directory(&simulation)).open();
        let refusal = open().unwrap_err();
        assert!(matches!(refusal, Error::Corrupt { offset, .. } if offset >= length), "{refusal}");
        let repair = repair(&simulation).unwrap();
        assert_eq!(repair.damage.valid_length, length);
        assert_eq!(repair.cut[0].bytes, broken.len() as u64);
        assert_eq!(open().unwrap().kv().get_as::<i64>("a").unwrap(), Some(1));
    }
}

#[test]
fn what_cannot_be_repaired_is_refused_and_stays_as_it_is() {
    let refused = |change: &dyn Fn(&Simulation)| {
        let simulation = sample().0.crash();
        change(&simulation);
        let before = simulation.all();
        let error = repair(&simulation).unwrap_err();
        let lock = PathBuf::from(path("appendonly.aof.lock"));
        let mut after = simulation.all();
        after.retain(|(path, _)| *path != lock || before.iter().any(|(path, _)| *path == lock));
        assert_eq!(after, before);
        error
    };
    let file = |name: &str| path(&format!("appendonly.aof.{name}"));
    assert_eq!(kind_of(refused(&|_| ())), ErrorKind::InvalidInput);
    let torn = |simulation: &Simulation| {
        let mut bytes = all_bytes(simulation, 2);
        bytes.truncate(bytes.len() - 1);
        simulation.put(path(&segment(2)), bytes);
    };
    let torn = refused(&torn);
    assert!(torn.to_string().contains("opening cuts off"), "{torn}");
    assert_eq!(kind_of(torn), ErrorKind::InvalidInput);
    let bad_manifest = refused(&|simulation| simulation.put(file("manifest"), b"#\n".to_vec()));
    assert!(bad_manifest.to_string().contains("cannot be repaired"), "{bad_manifest}");
    assert_eq!(kind_of(bad_manifest), ErrorKind::InvalidData);
    let no_manifest = refused(&|simulation| simulation.take_away(file("manifest")));
    assert!(no_manifest.to_string().contains("the manifest is missing"), "{no_manifest}");
    assert_eq!(kind_of(no_manifest), ErrorKind::InvalidData);
    let no_base = refused(&|simulation| simulation.take_away(file("1.base.rdb")));
    assert_eq!(kind_of(no_base), ErrorKind::InvalidData);
    let bad_base = refused(&|simulation| {
        let mut bytes = simulation.bytes(file("1.base.rdb")).unwrap();
        bytes[20] ^= 1;
        simulation.put(file("1.base.rdb"), bytes);
    });
    assert!(matches!(bad_base, Error::Corrupt { .. }), "{bad_base}");
    assert!(bad_base.to_string().contains("cannot be repaired"), "{bad_base}");
    let nothing = repair(&Simulation::new(1)).unwrap_err();
    assert!(nothing.to_string().contains("nothing is kept here"), "{nothing}");
    assert_eq!(kind_of(nothing), ErrorKind::NotFound);

    let simulation = sample().0;
    let opened = directory(&simulation);
    opened.open().unwrap();
    for error in [repair(&simulation).unwrap_err(), opened.repair().unwrap_err()] {
        assert_eq!(kind_of(error), ErrorKind::ResourceBusy);
    }
}
