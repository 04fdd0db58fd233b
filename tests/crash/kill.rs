//! Processes that are killed while they write.

use std::path::PathBuf;
use std::thread;

use crate::child::{ALL, Work};
use crate::scene::{Crash, Met, Scene};
use crate::{Random, rounds};

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("larder-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Kills writers of one kind, so many times.
fn kill(work: Work, kills: usize) -> Met {
    let folder = Folder::new(&format!("kill-{work:?}"));
    let mut scenes: Vec<Scene> = ALL
        .iter()
        .map(|durability| {
            let place = folder.0.join(format!("{durability:?}"));
            let notes = folder.0.join(format!("{durability:?}-notes"));
            Scene::new(place, notes, *durability, work, Crash::Process)
        })
        .collect();
    let mut random = Random(work as u64);
    let mut met = Met::default();
    for round in 0..kills {
        let scene = &mut scenes[round % ALL.len()];
        scene.act(&mut random, || ());
        scene.check();
    }
    for scene in &scenes {
        println!("{work:?} {:?}: {:?}", scene.orders.durability, scene.met);
        met.add(scene.met);
    }
    met
}

#[test]
fn a_kill_takes_nothing_that_was_acknowledged_and_tears_nothing() {
    let kills = rounds("LARDER_KILLS", 80);
    let met = thread::scope(|scope| {
        let both =
            [Work::History, Work::Counting].map(|work| scope.spawn(move || kill(work, kills / 2)));
        let mut met = Met::default();
        both.into_iter().for_each(|one| met.add(one.join().expect("no crash of its own")));
        met
    });
    println!("in all: {met:?}");
    assert!(met.writing * 4 > met.crashes, "the children were hardly killed while they wrote");
}
