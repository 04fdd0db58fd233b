//! File systems of the machine that are shut down by force, fill up and become read-only.
//!
//! Opt-in: needs root, loop devices, `mkfs.ext4`, `mkfs.xfs` and `xfs_io`. A shutdown is what the
//! kernel does when a disk fails: nothing that was not synced reaches it any more, and the journal
//! of the file system is not written out either. What is left is what a power cut leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use larder::persist::{Directory, Durability};
use larder::{Error, Store};

use crate::child::{ALL, Work};
use crate::scene::{Crash, Met, Scene};
use crate::{Random, rounds};

/// A file system in a file, mounted while this lives.
struct Disk {
    folder: PathBuf,
    is_mounted: bool,
}

impl Disk {
    fn new(kind: &str, name: &str, megabytes: u64) -> Self {
        let folder = std::env::temp_dir().join(format!("larder-disk-{kind}-{name}"));
        let disk = Self { is_mounted: false, folder };
        fs::create_dir_all(disk.place()).expect("a folder");
        let image = fs::File::create(disk.image()).expect("a file");
        image.set_len(megabytes << 20).expect("a sparse file");
        run(Command::new(format!("mkfs.{kind}")).arg("-q").arg(disk.image()));
        disk
    }

    fn image(&self) -> PathBuf {
        self.folder.join("image")
    }

    fn place(&self) -> PathBuf {
        self.folder.join("mounted")
    }

    fn mount(&mut self) {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.place()));
        self.is_mounted = true;
    }

    fn unmount(&mut self) {
        let started = Instant::now();
        while !Command::new("umount").arg(self.place()).status().expect("umount").success() {
            assert!(started.elapsed() < Duration::from_secs(20), "it is busy");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.is_mounted = false;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            let _ = Command::new("umount").arg("-l").arg(self.place()).status();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Lets nothing reach the disk any more, the file system's own journal included.
fn shut_down(place: &Path) {
    run(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(place));
}

fn shut_down_again_and_again(kind: &str) {
    let mut met = Met::default();
    let mut random = Random(kind.len() as u64);
    for (durability, work) in
        ALL.iter().flat_map(|one| [Work::History, Work::Counting].map(|work| (*one, work)))
    {
        let name = format!("{durability:?}-{work:?}");
        // The least that xfs can be made in.
        let mut disk = Disk::new(kind, &name, 320);
        let notes = disk.folder.join("notes");
        let mut scene = Scene::new(disk.place().join("data"), notes, durability, work, Crash::Disk);
        for _ in 0..rounds("LARDER_SHUTDOWNS", 20) {
            disk.mount();
            let place = disk.place();
            scene.act(&mut random, || shut_down(&place));
            disk.unmount();
            disk.mount();
            scene.check();
            disk.unmount();
        }
        println!("{kind} {name}: {:?}", scene.met);
        met.add(scene.met);
    }
    println!("{kind} in all: {met:?}");
    assert!(
        met.writing * 4 > met.crashes,
        "the file systems hardly went away while children wrote"
    );
}

#[test]
#[ignore = "needs root and loop devices"]
fn an_ext4_that_is_shut_down_keeps_what_was_acknowledged() {
    shut_down_again_and_again("ext4");
}

#[test]
#[ignore = "needs root and loop devices"]
fn an_xfs_that_is_shut_down_keeps_what_was_acknowledged() {
    shut_down_again_and_again("xfs");
}

fn open(place: &Path, durability: Durability) -> Store {
    let builder = Store::builder().persistence(Directory::new(place.join("data")));
    builder.durability(durability).rewrite_above(u64::MAX).open().expect("a sound directory")
}

/// Writes until it is refused; answers how many were acknowledged.
fn write_until_refused(store: &Store, first: u64) -> u64 {
    let value = vec![b'v'; 20_000];
    for number in first.. {
        match store.kv().set(format!("key {number}"), &value) {
            Ok(()) => {}
            Err(Error::Indeterminate(_) | Error::ReadOnly(_)) => return number,
            Err(other) => panic!("{other}"),
        }
    }
    unreachable!("a disk is not without end")
}

fn eventually(mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(30), "it does not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[ignore = "needs root and loop devices"]
fn a_full_disk_refuses_writes_and_goes_on_when_there_is_room() {
    for durability in ALL {
        let mut disk = Disk::new("ext4", &format!("full-{durability:?}"), 120);
        disk.mount();
        let ballast = disk.place().join("ballast");
        // More than may be waiting to be written, twice over.
        fs::write(&ballast, vec![0; 60 << 20]).expect("room for it");
        let store = open(&disk.place(), durability);
        let acknowledged = write_until_refused(&store, 0);
        eventually(|| matches!(store.kv().set("a", 1), Err(Error::ReadOnly(_))));
        let refusal = store.persistence_stats().and_then(|stats| stats.refusal);
        assert!(refusal.is_some_and(|why| why.contains("No space left")), "says why");
        fs::remove_file(&ballast).expect("the ballast");
        eventually(|| store.kv().set("a", 2).is_ok());
        store.sync().expect("a disk with room");
        drop(store);
        let store = open(&disk.place(), durability);
        assert_eq!(store.kv().get_as("a"), Ok(Some(2)));
        for number in 0..acknowledged {
            assert!(store.keys().exists(format!("key {number}")).expect("a key"), "{number}");
        }
        drop(store);
        disk.unmount();
    }
}

#[test]
#[ignore = "needs root and loop devices"]
fn a_disk_that_becomes_read_only_refuses_writes_and_loses_nothing() {
    for durability in ALL {
        let mut disk = Disk::new("ext4", &format!("readonly-{durability:?}"), 40);
        disk.mount();
        let store = open(&disk.place(), durability);
        store.kv().set("a", 1).expect("a disk that works");
        store.sync().expect("a disk that works");
        // As the kernel does when it finds the file system damaged, whoever writes.
        let place = disk.place();
        run(Command::new("mount").args(["-o", "remount,abort"]).arg(&place));
        let told = store.kv().set("a", 2);
        assert!(matches!(told, Ok(()) | Err(Error::Indeterminate(_))), "{told:?}");
        eventually(|| matches!(store.kv().set("b", 1), Err(Error::ReadOnly(_))));
        assert!(store.sync().is_err());
        assert!(store.close().is_err(), "it says that something was not kept");
        drop(store);
        let refusal = Store::builder().persistence(Directory::new(place.join("data"))).open();
        assert!(matches!(refusal, Err(Error::Io { .. })), "{refusal:?}");
        disk.unmount();
        disk.mount();
        let store = open(&disk.place(), durability);
        assert_eq!(store.kv().get_as("a"), Ok(Some(1)));
        drop(store);
        disk.unmount();
    }
}
