//! Looking at directories, which changes nothing of them and finds what an opening finds.

use std::io::ErrorKind;
use std::thread;

use super::*;
use crate::persist::tests::{command, transaction};
use crate::persist::{Damage, Frame, Inspection, inspect};
use crate::{Store, rdb};

/// A directory with a base of two keys in two databases, and two segments.
fn sample() -> Simulation {
    let simulation = Simulation::new(1);
    let (mut appender, _) = Appender::open(directory(&simulation));
    appender.append(&command(&[b"SET", b"a", b"1"]));
    appender.rotate();
    let store = Store::new();
    store.kv().set("a", 1).unwrap();
    store.database(7).unwrap().kv().set("b", 2).unwrap();
    let mut base = Vec::new();
    rdb::export(&store, &mut base).unwrap();
    appender.snapshot(&base);
    appender.append(&command(&[b"set", b"a", b"2"]));
    appender.append(&transaction());
    appender.rotate();
    appender.append(&command(&[b"SET", b"a", &[b'3'; 600]]));
    appender.sync();
    appender.append(&command(&[b"DEL", b"a"]));
    drop(appender);
    simulation
}

/// What is to be seen, and of each frame its file, place, length, number, what was durable and how
/// many commands it has.
fn look(simulation: &Simulation) -> (Inspection, Vec<(String, [u64; 5])>) {
    let before = simulation.all();
    let mut frames = Vec::new();
    let inspection = inspect(directory(simulation).peek().unwrap(), |frame| {
        let Frame { file, offset, length, sequence, synced, commands } = frame;
        let numbers = [offset, length, sequence.unwrap(), synced.unwrap(), commands];
        frames.push((file.to_owned(), numbers));
    });
    assert_eq!(simulation.all(), before);
    (inspection.unwrap(), frames)
}

#[test]
fn everything_is_shown() {
    let simulation = sample();
    let (inspection, frames) = look(&simulation);
    assert_eq!(inspection.damage, None);
    let names = ["1.base.rdb", "2.incr.aof", "3.incr.aof"];
    let names = names.map(|name| format!("appendonly.aof.{name}"));
    let lengths = [0, 1, 2].map(|at| simulation.bytes(path(&names[at])).unwrap().len() as u64);
    let files = &inspection.files;
    for (at, file) in files.iter().enumerate() {
        assert_eq!((&file.name, file.length), (&names[at], lengths[at]));
        assert_eq!(file.segment, [None, Some(2), Some(3)][at]);
        assert_eq!((file.frames, file.unframed), (2 * at.min(1) as u64, 0));
    }
    let rdb = files[0].rdb.as_ref().unwrap();
    assert_eq!((rdb.version, rdb.length), (10, lengths[0]));
    assert_eq!(rdb.keys.iter().collect::<Vec<_>>(), [(&0, &1), (&7, &1)]);
    let names_of_properties: Vec<_> = rdb.properties.iter().map(|(name, _)| &name[..]).collect();
    assert!(names_of_properties.contains(&&b"redis-ver"[..]));
    let commands = |at: usize| files[at].commands.iter().map(|(name, count)| (*name, *count));
    let counted: Vec<_> = commands(1).collect();
    assert_eq!(counted, [("DEL", 1), ("EXEC", 1), ("MULTI", 1), ("SET", 2)]);
    assert_eq!(commands(2).collect::<Vec<_>>(), [("DEL", 1), ("SET", 1)]);

    let second = frames[3].1[0];
    let [first, ends] = [&frames[..2], &frames[2..]].map(|part| {
        part.iter().map(|(_, [offset, length, ..])| offset + length).collect::<Vec<_>>()
    });
    assert_eq!((first[1], ends[1]), (lengths[1], lengths[2]));
    assert_eq!((first[0], ends[0]), (frames[1].1[0], second));
    let rest = |at: usize| (frames[at].0.clone(), &frames[at].1[2..]);
    assert_eq!(rest(0), (names[1].clone(), &[2, 0, 1][..]));
    assert_eq!(rest(1), (names[1].clone(), &[3, 0, 4][..]));
    assert_eq!(rest(2), (names[2].clone(), &[4, 0, 1][..]));
    assert_eq!(rest(3), (names[2].clone(), &[5, second, 1][..]));
}

#[test]
fn the_first_damage_is_shown_wherever_it_is() {
    let whole = sample();
    let (_, frames) = look(&whole);
    for name in ["1.base.rdb", "2.incr.aof", "3.incr.aof"] {
        let file = format!("appendonly.aof.{name}");
        let length = whole.bytes(path(&file)).unwrap().len();
        for place in (0..length).step_by(5) {
            let simulation = sample();
            let mut bytes = simulation.bytes(path(&file)).unwrap();
            bytes[place] ^= 0x40;
            simulation.put(path(&file), bytes);
            let (inspection, shown) = look(&simulation);
            let damage = inspection.damage.expect("a bit is wrong");
            let Damage { offset, valid_length, lost, is_torn, .. } = damage;
            assert_eq!((damage.file, valid_length + lost), (file.clone(), length as u64));
            assert!(!is_torn && valid_length <= place as u64 && offset <= length as u64);
            assert!(frames.starts_with(&shown));
            assert_eq!(inspection.files.len(), 3);
        }
    }
    let simulation = sample();
    let last = path("appendonly.aof.3.incr.aof");
    let mut bytes = simulation.bytes(&last).unwrap();
    bytes.truncate(bytes.len() - 1);
    simulation.put(&last, bytes);
    let (inspection, shown) = look(&simulation);
    assert!(inspection.damage.is_some_and(|damage| damage.is_torn));
    assert_eq!(shown, frames[..3]);
}

/// The first is told, and all is shown.
#[test]
fn a_command_that_nobody_knows_is_not_supported_and_no_damage() {
    let simulation = Simulation::new(1);
    let (mut appender, _) = Appender::open(directory(&simulation));
    appender.append(&command(&[b"FUNCTION", b"LOAD", b"code"]));
    appender.append(&command(&[b"FROBNICATE", b"a"]));
    appender.append(&command(&[b"PFADD", b"a"]));
    drop(appender);
    let (inspection, shown) = look(&simulation);
    assert_eq!(inspection.damage, None);
    assert_eq!((inspection.files[0].commands.len(), shown.len()), (1, 3));
    assert_eq!(inspection.files[0].commands["FUNCTION"], 1);
    let unsupported = inspection.unsupported.unwrap();
    assert_eq!((&unsupported.file, unsupported.offset), (&shown[1].0, shown[1].1[0]));
    assert_eq!(unsupported.command, "FROBNICATE");
    let opened = Store::builder().persistence(directory(&simulation)).open();
    assert_eq!(opened.unwrap_err().to_string(), path(&unsupported.to_string()));
}

#[test]
fn where_nothing_is_kept_there_is_nothing_to_look_at() {
    let simulation = Simulation::new(1);
    let error = directory(&simulation).peek().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(simulation.all(), []);
}

#[test]
fn another_may_look_while_a_store_writes() {
    let folder = Folder::new("look");
    let store = Store::builder().persistence(Directory::new(&folder.0)).open().unwrap();
    let writer = thread::spawn(move || {
        for round in 0..60 {
            for number in 0..50 {
                store.kv().set(format!("key {number}"), round).unwrap();
            }
            store.snapshot().unwrap();
        }
    });
    let mut looks = 0;
    while !writer.is_finished() {
        let kept = Directory::new(&folder.0).peek().unwrap();
        let damage = inspect(kept, |_| ()).unwrap().damage;
        assert!(damage.as_ref().is_none_or(|damage| damage.is_torn), "{damage:?}");
        looks += 1;
    }
    writer.join().unwrap();
    assert!(looks > 0);
}
