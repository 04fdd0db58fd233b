//! Logs of the server, imported and looked at while it goes on, and not changed by that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use larder::persist::{self, Directory, Kept};
use larder::{Store, rdb};

use crate::data::{all_groups, contents, fill, key, text};
use crate::redis::{Connection, REFERENCE, Server, wanted_version};
use crate::{answer, client};

const KEYS: usize = 20_000;

/// A server that logs, with random keys of every type; some were changed since the last rewrite.
fn logging(options: &[&str]) -> (Server, Connection) {
    // With `everysec` a write to the log may come after the reply, if a sync is under way.
    let all = ["--appendonly", "yes", "--appendfsync", "no", "--enable-debug-command", "yes"];
    let server = Server::start_with(&[&all[..], options].concat());
    let mut redis = server.connect(false);
    fill(&mut redis, KEYS, 11);
    redis.call(&[b"BGREWRITEAOF"]);
    while !text(&redis.call(&[b"INFO", b"persistence"])).contains("aof_rewrite_in_progress:0") {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    redis.call(&[b"SELECT", b"0"]);
    for number in 0..2000 {
        let (old, new) = (key(number * 5), format!("new {number}").into_bytes());
        redis.call(&[b"DEL", &old]);
        redis.call(&[b"PERSIST", &key(number * 5 + 1)]);
        redis.call(&[b"SPOP", &key(number * 5 + 2)]);
        redis.call(&[b"XADD", &new, b"*", b"field", &old]);
        redis.call(&[b"MULTI"]);
        redis.call(&[b"INCRBYFLOAT", b"sum", b"0.1"]);
        redis.call(&[b"EXPIRE", &key(number * 5 + 2), b"100000"]);
        redis.call(&[b"EXEC"]);
    }
    (server, redis)
}

/// All files below a folder, and what is in them.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found = BTreeMap::new();
    for path in entries {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

/// Asserts that a store holds what the server does.
fn assert_equal(store: &Store, redis: &mut Connection) {
    let mut client = client(store);
    let found = contents(|request| answer(&mut client, request));
    assert_eq!(found, contents(|request| redis.call(request)));
    let groups = all_groups(KEYS, |request| redis.call(request));
    assert_eq!(all_groups(KEYS, |request| answer(&mut client, request)), groups);
}

fn import(kept: Kept) -> Store {
    let store = Store::new();
    let imported = rdb::import_kept(&store, kept).unwrap();
    assert_eq!((imported.torn, imported.keys), (None, store.stats().keys as u64));
    store
}

#[test]
fn the_directory_of_a_running_server_is_imported_and_left_as_it_is() {
    for options in [&["--aof-timestamp-enabled", "yes"][..], &["--aof-use-rdb-preamble", "no"]] {
        let (server, mut redis) = logging(options);
        let before = files(server.folder());
        let directory = Directory::new(server.folder());
        let store = import(directory.peek().unwrap());
        assert_equal(&store, &mut redis);

        let mut units = 0;
        let inspection = persist::inspect(directory.peek().unwrap(), |frame| {
            assert_eq!(frame.sequence, None);
            units += 1;
        })
        .unwrap();
        assert_eq!(inspection.damage, None);
        assert_eq!(inspection.files.len(), 2);
        assert_eq!(inspection.files.iter().map(|file| file.unframed).sum::<u64>(), units);
        let rdb = inspection.files[0].rdb.as_ref();
        assert_eq!(rdb.is_some(), options[0].contains("timestamp"));
        let is_of_reference = rdb.is_none_or(|rdb| rdb.version == 10);
        assert!(is_of_reference || wanted_version() != REFERENCE);
        assert!(inspection.files[1].commands["XADD"] > 1000);
        assert!(files(server.folder()) == before);
    }
}

#[test]
fn the_one_file_of_an_older_server_is_imported_and_taken_over() {
    for options in [&["--aof-use-rdb-preamble", "yes"][..], &["--aof-use-rdb-preamble", "no"]] {
        let (server, mut redis) = logging(options);
        // Before 7.0 the log went on in the file of the base.
        let parts = files(&server.folder().join("appendonlydir"));
        let mut parts = parts.iter().filter(|(path, _)| !path.ends_with("appendonly.aof.manifest"));
        let (base, log) = (parts.next().unwrap(), parts.next().unwrap());
        assert!(base.0.to_str().unwrap().contains("base") && parts.next().is_none());
        let folder = server.folder().join("older");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("appendonly.aof"), [&base.1[..], &log.1[..]].concat()).unwrap();

        let before = files(&folder);
        assert_equal(&import(Directory::new(&folder).peek().unwrap()), &mut redis);
        assert!(files(&folder) == before);

        let store = Store::builder().persistence(Directory::new(&folder)).open().unwrap();
        assert_equal(&store, &mut redis);
        store.snapshot().unwrap();
        drop(store);
        let store = Store::builder().persistence(Directory::new(&folder)).open().unwrap();
        assert_equal(&store, &mut redis);
    }
}

/// A server, a key, and libraries of functions loaded, deleted within a transaction and restored.
fn with_functions() -> (Server, Connection) {
    let server = Server::start_with(&["--appendonly", "yes", "--appendfsync", "no"]);
    let mut redis = server.connect(false);
    let code = b"#!lua name=l\nredis.register_function('f', function() return 1 end)\n";
    redis.call(&[b"SET", b"a", b"1"]);
    redis.call(&[b"FUNCTION", b"LOAD", code]);
    let dumped = redis.call(&[b"FUNCTION", b"DUMP"]);
    let start = dumped.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    redis.call(&[b"MULTI"]);
    redis.call(&[b"FUNCTION", b"DELETE", b"l"]);
    redis.call(&[b"SET", b"b", b"2"]);
    redis.call(&[b"EXEC"]);
    redis.call(&[b"FUNCTION", b"RESTORE", &dumped[start..dumped.len() - 2]]);
    redis.call(&[b"SET", b"c", b"3"]);
    (server, redis)
}

#[test]
fn functions_that_a_server_has_logged_are_passed_over() {
    let (server, mut redis) = with_functions();
    let directory = Directory::new(server.folder());
    let store = Store::new();
    let imported = rdb::import_kept(&store, directory.peek().unwrap()).unwrap();
    assert_eq!((imported.keys, imported.functions), (3, 3));
    let inspection = persist::inspect(directory.peek().unwrap(), |_| ()).unwrap();
    assert_eq!((inspection.damage, inspection.unsupported), (None, None));
    redis.call(&[b"PFADD", b"h", b"a"]);
    let refusal = rdb::import_kept(&Store::new(), directory.peek().unwrap()).unwrap_err();
    assert!(refusal.to_string().contains("the command \"PFADD\" is not supported"), "{refusal}");
    let inspection = persist::inspect(directory.peek().unwrap(), |_| ()).unwrap();
    assert_eq!(
        (inspection.damage, inspection.unsupported.unwrap().command),
        (None, "PFADD".into())
    );
    let before = files(server.folder());
    drop(redis);
    assert_eq!(directory.repair().unwrap_err(), refusal);
    let mut after = files(server.folder());
    after.retain(|path, _| before.contains_key(path));
    assert!(after == before);
}
