//! A directory that a store and a server keep in turn.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use larder::persist::{Directory, Durability};
use larder::{Error, Store, rdb};

use crate::rdb::{all_groups, fill, key, text};
use crate::redis::{Connection, Server};
use crate::{answer, client};

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> Result<Store, Error> {
    Store::builder().persistence(Directory::new(path)).durability(Durability::Os).open()
}

/// A digest of all keys, and what there is to say of groups.
fn state(mut ask: impl FnMut(&[&[u8]]) -> Vec<u8>) -> (String, Vec<String>) {
    ask(&[b"SELECT", b"0"]);
    (text(&ask(&[b"DEBUG", b"DIGEST"])), all_groups(ask))
}

fn state_of(store: &Store) -> (String, Vec<String>) {
    let mut client = client(store);
    state(|request| answer(&mut client, request))
}

/// Asserts that the checkers that come with the server accept the directory.
fn check(path: &Path) {
    let manifest = path.join("appendonlydir/appendonly.aof.manifest");
    let checked = Command::new("redis-check-aof").arg(manifest).output().expect("redis-check-aof");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("All AOF files and manifest are valid"), "{said}");
    let snapshot = Directory::new(path).peek().expect("it is kept").snapshot.expect("a base");
    let base = path.join("appendonlydir").join(snapshot.name);
    let checked = Command::new("redis-check-rdb").arg(base).output().expect("redis-check-rdb");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

/// Changes of a thousand keys by somebody.
fn change(mut ask: impl FnMut(&[&[u8]]) -> Vec<u8>, round: usize) {
    ask(&[b"SELECT", b"0"]);
    for number in 0..1000 {
        let (old, new) = (key(number * 7 + round), format!("new {round} {number}").into_bytes());
        ask(&[b"DEL", &old]);
        ask(&[b"PEXPIREAT", &key(number * 7 + round + 1), b"4000000000123"]);
        ask(&[b"SPOP", &key(number * 7 + round + 2)]);
        ask(&[b"MULTI"]);
        ask(&[b"XADD", &new, b"*", b"field", &old]);
        ask(&[b"INCRBYFLOAT", b"sum", b"0.1"]);
        ask(&[b"EXEC"]);
    }
}

fn serve(path: &Path) -> (Server, Connection) {
    let path = path.to_str().expect("UTF-8");
    let options = ["--dir", path, "--appendonly", "yes", "--appendfsync", "no"];
    let server = Server::start_with(&[&options[..], &["--enable-debug-command", "yes"]].concat());
    let mut redis = server.connect(false);
    while text(&redis.call(&[b"PING"])).starts_with("-LOADING") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    (server, redis)
}

#[test]
fn a_server_takes_over_a_directory_and_hands_it_back() {
    let name = format!("larder-takeover-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    let path = &folder.0;
    fs::create_dir(path).expect("a temporary folder");
    {
        let other = Server::start_with(&["--enable-debug-command", "yes"]);
        let mut redis = other.connect(false);
        fill(&mut redis, 23);
        assert_eq!(redis.call(&[b"SAVE"]), b"+OK\r\n");
        let store = open(path).expect("an empty directory");
        let dump = fs::File::open(other.folder().join("dump.rdb")).expect("a dump");
        rdb::import(&store, dump).expect("what Redis has saved");
    }
    for round in 0..2 {
        let store = open(path).expect("what a store or a server has kept");
        let mut client = client(&store);
        change(|request| answer(&mut client, request), 2 * round);
        store.snapshot().expect("room");
        change(|request| answer(&mut client, request), 2 * round + 1);
        drop(client);
        let expected = state_of(&store);
        store.close().expect("room");
        drop(store);
        check(path);

        let (server, mut redis) = serve(path);
        assert_eq!(state(|request| redis.call(request)), expected);
        change(|request| redis.call(request), 100 + round);
        let expected = state(|request| redis.call(request));
        drop(server);
        let store = open(path).expect("what a server has kept");
        assert_eq!(state_of(&store), expected);
    }
}
