//! Which files there are, and which are refused.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::*;
use crate::persist::Durability;
use crate::persist::directory::manifest::segment_name;
use crate::persist::directory::simulation::Failure;
use crate::persist::tests::command;
use crate::random::Random;
use crate::{Error, Store};

fn names(simulation: &Simulation) -> Vec<String> {
    let files = simulation.all().into_iter().map(|(path, _)| path);
    let inside = files.filter_map(|path| Some(path.strip_prefix(FOLDER).ok()?.to_owned()));
    inside.map(|path| path.to_str().unwrap().to_owned()).collect()
}

/// A directory with a base and two segments after it, closed.
fn sample() -> Simulation {
    let simulation = Simulation::new(1);
    let (mut appender, _) = Appender::open(directory(&simulation));
    appender.append(&command(&[b"SET", b"a", b"1"]));
    appender.rotate();
    appender.snapshot(b"state");
    appender.append(&command(&[b"SET", b"a", b"2"]));
    appender.rotate();
    appender.append(&command(&[b"SET", b"a", b"3"]));
    appender.rotate();
    appender.append(&command(&[b"SET", b"a", b"4"]));
    appender.sync();
    simulation
}

#[test]
fn it_has_the_layout_of_redis() {
    let simulation = sample();
    let kept = directory(&simulation).open().unwrap();
    let segments: Vec<_> =
        kept.segments.iter().map(|segment| segment.source.name.clone()).collect();
    assert_eq!(segments, [2, 3, 4].map(|at| format!("appendonly.aof.{at}.incr.aof")));
    assert_eq!(kept.snapshot.as_ref().unwrap().name, "appendonly.aof.1.base.rdb");
    let reading = read(kept);
    assert_eq!(reading.snapshot.unwrap(), b"state");
    assert_eq!(reading.payloads.len(), 3);
    let manifest = simulation.bytes(path("appendonly.aof.manifest")).unwrap();
    let lines: Vec<_> = str::from_utf8(&manifest).unwrap().lines().skip(1).collect();
    let length =
        |at: u64| simulation.bytes(path(&segment_name("appendonly.aof", at))).unwrap().len();
    assert_eq!(
        lines,
        [
            "file appendonly.aof.1.base.rdb seq 1 type b",
            &format!("file appendonly.aof.2.incr.aof seq 2 type i bytes {}", length(2)),
            &format!("file appendonly.aof.3.incr.aof seq 3 type i bytes {}", length(3)),
            "file appendonly.aof.4.incr.aof seq 4 type i",
        ]
    );
    assert_eq!(
        names(&simulation),
        [
            "appendonly.aof.1.base.rdb",
            "appendonly.aof.2.incr.aof",
            "appendonly.aof.3.incr.aof",
            "appendonly.aof.4.incr.aof",
            "appendonly.aof.lock",
            "appendonly.aof.manifest",
        ]
    );
}

#[test]
fn what_is_missing_or_was_not_named_is_refused() {
    let refused = |change: &dyn Fn(&Simulation), text: &str| {
        let simulation = sample().crash();
        change(&simulation);
        let refusal = refusal(&simulation);
        assert!(refusal.contains(text), "{refusal}");
    };
    let file = |name: &str| path(&format!("appendonly.aof.{name}"));
    for name in ["1.base.rdb", "2.incr.aof", "3.incr.aof", "4.incr.aof"] {
        refused(&|simulation| simulation.take_away(file(name)), "it is missing");
    }
    refused(&|simulation| simulation.take_away(file("manifest")), "the manifest is missing");
    refused(&|simulation| simulation.put(file("5.incr.aof"), vec![1]), "it does not name");
    refused(&|simulation| simulation.put(path("other.manifest"), vec![1]), "a second manifest");
    fn edit(from: &str, to: &str) -> impl Fn(&Simulation) {
        move |simulation: &Simulation| {
            let file = |name: &str| path(&format!("appendonly.aof.{name}"));
            let manifest = simulation.bytes(file("manifest")).unwrap();
            let (_, lines) = str::from_utf8(&manifest).unwrap().split_once('\n').unwrap();
            assert!(lines.contains(from));
            simulation.put(file("manifest"), lines.replacen(from, to, 1).into_bytes());
        }
    }
    let length = sample().bytes(file("3.incr.aof")).unwrap().len();
    let third = &*format!("file appendonly.aof.3.incr.aof seq 3 type i bytes {length}\n");
    refused(&edit(third, ""), "does not follow");
    refused(&edit("seq 3", "seq 4"), "does not agree with its number");
    let last = format!("seq {}", u64::MAX);
    refused(&edit("seq 3", &last), "no entry");
    refused(&edit("seq 1 type b", "seq 1 type i"), "does not agree with its type");
    refused(&edit(third, "file appendonly.aof.9.base.rdb seq 9 type b\n"), "second base");
    for name in ["1.base.rdb seq 1", "3.incr.aof seq 3"] {
        let line = format!("type b\nfile appendonly.aof.{name} type h\n");
        refused(&edit("type b\n", &line), "still counts");
    }
    refused(&edit("3.incr.aof", "../x"), "does not agree with its number");
    refused(&edit(" type i", " type i type i"), "no entry");
    refused(&edit("file", "fil"), "no entry");
    refused(&edit("\nfile appendonly.aof.4", "\n\nfile appendonly.aof.4"), "no entry");
    refused(&edit("seq 4 type i\n", "seq 4 type i"), "no end");
    refused(&|simulation| simulation.put(file("manifest"), Vec::new()), "empty");
    refused(&|simulation| simulation.put(file("manifest"), b"#LARDER:2 0\n".to_vec()), "version");
    refused(&|simulation| simulation.put(file("manifest"), b"#by hand\nfile".to_vec()), "damaged");
    refused(&edit(&format!("bytes {length}"), "bytes 7"), "and had 7 when it was ended");
    refused(&edit(&format!("bytes {length}"), "bytes x"), "no entry");
    // Without a comment it is Redis's own, which may have other keys.
    let simulation = sample().crash();
    edit("seq 3 type i", "type i seq 3 startoffset 7")(&simulation);
    assert_eq!(read(directory(&simulation).open().unwrap()).payloads.len(), 3);
}

#[test]
fn no_file_has_a_number_that_would_be_refused_later() {
    let last = i64::MAX;
    let manifest = |kind: &str| format!("file appendonly.aof.{last}.{kind}\n").into_bytes();
    let (segment, base) =
        (format!("incr.aof seq {last} type i"), format!("base.aof seq {last} type b"));
    let simulation = Simulation::new(1);
    simulation.put(path("appendonly.aof.manifest"), manifest(&segment));
    simulation.put(path(&format!("appendonly.aof.{last}.incr.aof")), Vec::new());
    let opened = directory(&simulation);
    opened.open().unwrap();
    assert!(opened.rotate().unwrap_err().to_string().contains("no number after"));

    let simulation = Simulation::new(1);
    simulation.put(path("appendonly.aof.manifest"), manifest(&base));
    simulation.put(path(&format!("appendonly.aof.{last}.base.aof")), Vec::new());
    let opened = directory(&simulation);
    opened.open().unwrap();
    assert_eq!(opened.rotate().unwrap(), 1);
    assert!(opened.snapshot().err().unwrap().to_string().contains("no number after"));
    drop(opened);
    directory(&simulation).open().unwrap();
}

#[test]
fn leftovers_of_a_crash_are_removed() {
    let simulation = sample().crash();
    let mut before = names(&simulation);
    before.retain(|name| !name.ends_with("lock"));
    let leftovers = ["manifest", "9.base.rdb", "4.incr.aof.broken", "4.incr.aof.broken.2"];
    for name in leftovers {
        simulation.put(path(&format!("temp-appendonly.aof.{name}")), vec![1; 10]);
    }
    simulation.put(path("appendonly.aof.5.incr.aof"), Vec::new());
    simulation.put(path("appendonly.aof.2.base.rdb"), vec![1]);
    let foreign = ["notes.txt", "temp-appendonly.aof.mine"];
    for name in foreign {
        simulation.put(path(name), vec![1]);
    }
    assert_eq!(read(directory(&simulation).open().unwrap()).payloads.len(), 3);
    let mut after = names(&simulation);
    assert!(foreign.iter().all(|name| after.iter().any(|kept| kept == name)));
    after.retain(|name| !foreign.contains(&name.as_str()) && !name.ends_with("lock"));
    assert_eq!(after, before);
}

#[test]
fn the_single_file_of_an_older_redis_becomes_the_base() {
    let written = command(&[b"SET", b"a", b"1"]);
    for seed in 0..500 {
        let (mut random, simulation) = (Random::seeded(seed), Simulation::new(seed));
        simulation.put("/data/appendonly.aof", written.clone());
        // The process ends twice, and then the power.
        for _ in 0..2 {
            simulation.stop_after(random.below(12) as u64);
            let _ = directory(&simulation).open();
        }
        let simulation = simulation.crash();
        let opened = directory(&simulation);
        let kept = opened.open().unwrap();
        assert_eq!(bytes(kept.snapshot.unwrap()), written);
        assert!(kept.segments.is_empty());
        assert_eq!(opened.rotate().unwrap(), 1);
        let mut snapshot = opened.snapshot().unwrap();
        snapshot.write_all(b"new").unwrap();
        snapshot.commit().unwrap();
        drop(opened);
        let kept = directory(&simulation.crash()).open().unwrap();
        assert_eq!(kept.snapshot.unwrap().name, "appendonly.aof.2.base.rdb");
    }
}

/// As a server leaves that has no keys, and writes commands where others write RDB files.
#[test]
fn a_base_of_no_commands_is_no_base() {
    for (end, has_base) in [("base.aof", false), ("base.rdb", true)] {
        let simulation = Simulation::new(1);
        let name = format!("appendonly.aof.1.{end}");
        simulation.put(path(&name), Vec::new());
        let manifest = format!("file {name} seq 1 type b\n").into_bytes();
        simulation.put(path("appendonly.aof.manifest"), manifest);
        assert_eq!(directory(&simulation).open().unwrap().snapshot.is_some(), has_base);
        let opened = Store::builder().persistence(directory(&simulation)).open();
        assert_eq!(opened.is_err(), has_base, "an empty RDB file is a damaged one");
    }
}

#[test]
fn names_may_be_chosen_and_are_quoted() {
    for name in ["my log", "größe", "it's", "a\"b", "x.1.incr.aof"] {
        let simulation = Simulation::new(1);
        let open = || directory(&simulation).file_name(name).folder_name("log");
        let (mut appender, _) = Appender::open(open());
        appender.append(b"1");
        appender.rotate();
        appender.snapshot(b"2");
        drop(appender);
        let kept = open().open().unwrap();
        assert_eq!(kept.segments[0].source.name, format!("{name}.2.incr.aof"));
    }
    for name in ["", ".", "..", "a/b", "/", "a\0"] {
        let wrong = directory(&Simulation::new(1)).file_name(name).open().unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn what_is_cut_off_is_kept_beside() {
    let simulation = sample();
    let opened = directory(&simulation);
    opened.open().unwrap();
    let name = path("appendonly.aof.4.incr.aof");
    let whole = simulation.bytes(&name).unwrap();
    opened.truncate(whole.len() as u64 + 1, Tail::Drop).unwrap_err();
    opened.truncate(whole.len() as u64 - 3, Tail::Keep).unwrap();
    opened.truncate(whole.len() as u64 - 5, Tail::Keep).unwrap();
    opened.truncate(4, Tail::Drop).unwrap();
    assert_eq!(simulation.bytes(&name).unwrap(), whole[..4]);
    let broken = simulation.bytes(format!("{name}.broken")).unwrap();
    assert_eq!(broken, whole[whole.len() - 3..]);
    assert_eq!(simulation.bytes(format!("{name}.broken.2")).unwrap().len(), 2);
    assert_eq!(simulation.bytes(format!("{name}.broken.3")), None);
}

#[test]
fn a_snapshot_that_is_dropped_never_was() {
    let simulation = sample();
    let opened = directory(&simulation);
    opened.open().unwrap();
    opened.rotate().unwrap();
    let mut first = opened.snapshot().unwrap();
    first.write_all(&[7; 1_000_000]).unwrap();
    assert_eq!(opened.snapshot().err().unwrap().kind(), ErrorKind::ResourceBusy);
    drop(first);
    assert!(names(&simulation).iter().all(|name| !name.starts_with("temp")));
    opened.snapshot().unwrap().commit().unwrap();
    drop(opened);
    assert_eq!(directory(&simulation).open().unwrap().segments.len(), 1);
}

#[test]
fn a_snapshot_is_synced_while_it_is_written() {
    const MOST: usize = 4 << 20;
    let simulation = sample();
    let opened = directory(&simulation);
    opened.open().unwrap();
    opened.rotate().unwrap();
    let mut snapshot = opened.snapshot().unwrap();
    let temporary = names(&simulation).into_iter().find(|name| name.starts_with("temp")).unwrap();
    let mut most = 0;
    for _ in 0..10 << 2 {
        snapshot.write_all(&[7; 256 << 10]).unwrap();
        most = most.max(simulation.unsynced(path(&temporary)).unwrap());
    }
    assert!((MOST / 2..=MOST).contains(&most), "{most} bytes were not synced");
    snapshot.commit().unwrap();
}

#[test]
fn a_snapshot_that_cannot_be_synced_while_it_is_written_never_was() {
    const PIECE: usize = 256 << 10;
    // The calls are as many appends, and then a sync.
    for (calls, written) in [(15, 15), (16, 15), (17, 16)] {
        let simulation = sample();
        let opened = directory(&simulation);
        let before = opened.open().unwrap().segments.len();
        let mut snapshot = opened.snapshot().unwrap();
        simulation.fail_after(calls, Failure::Io);
        let pieces = (0..20).take_while(|_| snapshot.write_all(&[7; PIECE]).is_ok());
        assert_eq!(pieces.count(), written, "call {calls} fails");
        drop(snapshot);
        assert!(names(&simulation).iter().all(|name| !name.starts_with("temp")));
        drop(opened);
        assert_eq!(directory(&simulation).open().unwrap().segments.len(), before);
    }
}

#[test]
fn it_works_on_the_file_system_of_the_machine() {
    let folder = Folder::new("works");
    let path = folder.0.join("data");
    for round in 0_u64..5 {
        let (mut appender, reading) = Appender::open(Directory::new(&path));
        assert_eq!(reading.payloads.len() as u64, round.min(1) * 2);
        assert_eq!(Directory::new(&path).open().unwrap_err().kind(), ErrorKind::ResourceBusy);
        appender.directory.open().unwrap_err();
        appender.append(b"forgotten by the snapshot");
        appender.rotate();
        appender.snapshot(&round.to_le_bytes());
        appender.append(b"kept");
        appender.rotate();
        appender.append(b"kept, too");
        appender.sync();
        appender.directory.append(b"#LARD").unwrap();
        let end = appender.writer.offset();
        appender.directory.truncate(end, Tail::Keep).unwrap();
        assert_eq!(fs::read_dir(path.join("appendonlydir")).unwrap().count(), 6);
        let broken = format!("appendonlydir/appendonly.aof.{}.incr.aof.broken", 3 * round + 3);
        assert_eq!(fs::read(path.join(&broken)).unwrap(), b"#LARD");
        fs::remove_file(path.join(broken)).unwrap();
    }
    assert_eq!(
        Directory::new(folder.0.join("no/parent")).open().unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[cfg(unix)]
#[test]
fn a_link_is_refused() {
    for name in ["manifest", "1.incr.aof", "lock"] {
        let folder = Folder::new(&format!("link-{name}"));
        drop(Appender::open(Directory::new(&folder.0)));
        let file = folder.0.join(format!("appendonlydir/appendonly.aof.{name}"));
        fs::rename(&file, folder.0.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(folder.0.join("elsewhere"), &file).unwrap();
        let refusal = Directory::new(&folder.0).open().unwrap_err();
        assert_eq!(refusal.kind(), ErrorKind::InvalidData);
        assert!(refusal.to_string().contains("link"), "{refusal}");
    }
}

/// Or a log of more segments than a process may have files open could not be opened.
#[test]
fn no_segment_is_opened_before_it_is_read() {
    let folder = Folder::new("unread");
    let rotated = Directory::new(&folder.0);
    rotated.open().unwrap();
    for _ in 0..3 {
        rotated.rotate().unwrap();
        rotated.append(b"*1\r\n$4\r\nPING\r\n").unwrap();
    }
    drop(rotated);
    let first = folder.0.join("appendonlydir").join(segment_name("appendonly.aof", 1));
    let (opened, peeked) = (Directory::new(&folder.0), Directory::new(&folder.0));
    let [of_opened, of_peeked] =
        [opened.open().unwrap(), peeked.peek().unwrap()].map(|kept| kept.segments);
    fs::remove_file(&first).unwrap();
    let error = io::read_to_string(of_opened.into_iter().next().unwrap().source.reader);
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("appendonly.aof.1.incr.aof"), "{error}");
    // Whoever takes no possession of it may have to read what is replaced meanwhile.
    assert_eq!(bytes(of_peeked.into_iter().next().unwrap().source).len(), 14);
}

/// Nobody would find there what a store says that it keeps.
#[cfg(unix)]
#[test]
fn a_file_that_somebody_removes_is_replaced_before_a_write_is_acknowledged() {
    let folder = Folder::new("removed");
    let open = || {
        let builder = Store::builder().persistence(Directory::new(&folder.0));
        builder.durability(Durability::Always).open().unwrap()
    };
    let store = open();
    store.kv().set("a", 1).unwrap();
    let segment = folder.0.join("appendonlydir").join(segment_name("appendonly.aof", 1));
    fs::remove_file(segment).unwrap();
    let error = store.kv().set("b", 1).unwrap_err();
    assert!(error.to_string().contains("removed"), "{error}");
    store.snapshot().unwrap();
    store.kv().set("c", 1).unwrap();
    drop(store);
    let store = open();
    for key in ["a", "b", "c"] {
        assert_eq!(store.kv().get_as::<i64>(key), Ok(Some(1)), "{key}");
    }
}

#[cfg(unix)]
#[test]
fn whatever_cannot_be_looked_at_is_told_by_its_path() {
    let folder = Folder::new("unseen");
    // As good as a folder that may not be entered, which the system's owner may enter.
    fs::write(folder.0.join("appendonlydir"), b"").unwrap();
    for error in [
        Directory::new(&folder.0).open().unwrap_err(),
        Directory::new(folder.0.join("appendonlydir")).open().unwrap_err(),
    ] {
        assert!(error.to_string().contains("appendonlydir/"), "{error}");
    }
}

#[test]
fn a_relative_path_means_where_it_was_when_it_was_given() {
    let here = std::env::current_dir().unwrap();
    assert_eq!(Directory::new("data").path(), here.join("data"));
}

#[test]
fn a_segment_that_holds_something_is_not_begun() {
    let simulation = sample();
    let opened = directory(&simulation);
    opened.open().unwrap();
    let number = opened.rotate().unwrap() + 1;
    let next = path(&segment_name("appendonly.aof", number));
    simulation.put(&next, b"another's".to_vec());
    let error = opened.rotate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("it holds something"), "{error}");
    assert_eq!(simulation.bytes(&next).unwrap(), b"another's");
}

/// Both stores have a segment and a base of the same numbers.
#[cfg(unix)]
#[test]
fn whoever_was_moved_away_leaves_what_is_in_his_place_alone() {
    let folder = Folder::new("moved");
    let (path, moved) = (folder.0.join("data"), folder.0.join("moved"));
    let open = |path: &Path| {
        let builder = Store::builder().persistence(Directory::new(path));
        builder.durability(Durability::Always).open().unwrap()
    };
    let one = open(&path);
    fs::rename(&path, &moved).unwrap();
    drop(open(&path));
    let other = open(&path);
    other.kv().set("b", 1).unwrap();
    let error = one.snapshot().unwrap_err();
    assert!(error.to_string().contains("moved or removed"), "{error}");
    one.kv().set("a", 1).unwrap();
    other.kv().set("b", 2).unwrap();
    drop((one, other));
    assert_eq!(open(&path).kv().get_as::<i64>("b"), Ok(Some(2)));
    assert_eq!(open(&moved).kv().get_as::<i64>("a"), Ok(Some(1)));
}

#[cfg(unix)]
#[test]
fn whoever_was_moved_away_goes_on_with_what_he_has() {
    let folder = Folder::new("went-on");
    let (path, moved) = (folder.0.join("data"), folder.0.join("moved"));
    let (one, other) = (Directory::new(&path), Directory::new(&path));
    let begun = |directory: &Directory| {
        directory.open().unwrap();
        directory.rotate().unwrap();
        let mut snapshot = directory.snapshot().unwrap();
        snapshot.write_all(b"REDIS").unwrap();
        snapshot
    };
    let left = begun(&one);
    fs::rename(&path, &moved).unwrap();
    let kept = begun(&other);
    assert!(left.commit().is_err());
    kept.commit().unwrap();
    // What an append that failed has left is cut off.
    one.append(b"half").unwrap();
    one.truncate(0, Tail::Drop).unwrap();
    one.append(b"whole").unwrap();
    let segment = moved.join("appendonlydir").join(segment_name("appendonly.aof", 1));
    assert_eq!(fs::read(segment).unwrap(), b"whole");
}

/// Whoever reads the message has perhaps several stores. The base of the sample is no file of
/// Redis's.
#[test]
fn what_is_damaged_is_told_with_its_folder() {
    let store = Store::builder().persistence(directory(&sample()));
    let Err(Error::Corrupt { what, .. }) = store.open() else { panic!("it is damaged") };
    assert!(what.starts_with(&format!("{}: ", path("appendonly.aof.1.base.rdb"))), "{what}");
}
