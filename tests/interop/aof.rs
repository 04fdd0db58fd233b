//! Directories: what a store keeps, a server takes over, and the other way round, again and again.
//!
//! What either holds is compared as Redis's `DEBUG DIGEST` has it, and then key by key with all
//! deadlines, groups and deliveries.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use larder::persist::{self, Directory, Durability};
use larder::{Store, rdb};

use crate::data::{change, contents, fill, for_each_command, text};
use crate::redis::{Connection, REFERENCE, Server, wanted_version};
use crate::{answer, client};

const KEYS: usize = 100_000;

/// What a server does differently with its log.
const SETTINGS: [&[&str]; 3] = [
    &[],
    &["--aof-timestamp-enabled", "yes", "--aof-use-rdb-preamble", "no"],
    &["--aof-timestamp-enabled", "yes", "--rdbcompression", "no"],
];

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("larder-aof-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a temporary folder");
        Self(path)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.0.join("appendonlydir").join(name)
    }

    fn open(&self) -> Store {
        self.open_with(Durability::Os)
    }

    fn open_with(&self, durability: Durability) -> Store {
        let builder = Store::builder().persistence(Directory::new(&self.0));
        builder.durability(durability).open().expect("a directory of either")
    }

    /// Cuts the log within its last frame, which has several commands, as a crash may: within its
    /// header, or else within the last command.
    fn tear(&self, in_header: bool) {
        let mut last = None;
        let kept = Directory::new(&self.0).peek().expect("a directory of a store");
        let note = |frame: persist::Frame<'_>| {
            let place =
                if in_header { frame.offset + 15 } else { frame.offset + frame.length - 50 };
            last = Some((frame.file.to_owned(), place, frame.commands));
        };
        persist::inspect(kept, note).expect("a disk that works");
        let (file, place, commands) = last.expect("a frame");
        assert!(commands > 10, "a frame of {commands} commands");
        let file = fs::OpenOptions::new().write(true).open(self.log(&file)).expect("its file");
        file.set_len(place).expect("a disk that works");
    }

    /// A server that rewrites its log when it is told to and at no other time: what it holds after
    /// reading its log again would not be what a rewrite that began before leaves behind.
    fn serve(&self, more: &[&str]) -> Server {
        let folder = self.0.to_str().expect("a path of text");
        let options = ["--appendonly", "yes", "--dir", folder, "--enable-debug-command", "yes"];
        let options = [&options[..], &["--auto-aof-rewrite-percentage", "0"]].concat();
        Server::start_with(&[&options[..], more].concat())
    }

    /// Lets Redis's own tools look at all files.
    fn check(&self) {
        run("redis-check-aof", &self.log("appendonly.aof.manifest"));
        for file in fs::read_dir(self.log("")).expect("a folder").flatten() {
            if file.path().extension().is_some_and(|end| end == "rdb") {
                run("redis-check-rdb", &file.path());
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How often a directory goes back and forth, unless the environment says so.
fn rounds(usual: u64) -> u64 {
    std::env::var("LARDER_ROUNDS").map_or(usual, |given| given.parse().expect("a number"))
}

fn run(program: &str, file: &Path) {
    let output = Command::new(program).arg(file).output().expect("a tool of Redis's");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{program} {}: {said}", file.display());
}

/// Makes keys of all types and sizes in a store; a part of what is done is in a snapshot, the rest
/// in the log.
fn fill_store(store: &Store, keys: usize, seed: u64) {
    let mut done = 0;
    for_each_command(keys, seed, |database, argv| {
        let store = store.database(database.parse().expect("a number")).expect("a database");
        let reply = store.answer(argv, false);
        assert!(reply[0] != b'-', "{}", text(&reply));
        done += 1;
        if done == keys {
            store.snapshot().expect("a disk that works");
        }
    });
}

fn digest(redis: &mut Connection) -> BTreeMap<String, String> {
    contents(|request| redis.call(request))
}

fn digest_of(store: &Store) -> BTreeMap<String, String> {
    let mut client = client(store);
    contents(|request| answer(&mut client, request))
}

/// Asserts that a server holds what a store does.
fn assert_equal(redis: &mut Connection, store: &Store, folder: &Folder) {
    assert_eq!(digest(redis), digest_of(store));
    let again = store_of(redis, folder);
    assert_eq!(store.first_difference(&again), None);
    assert!(again.stats().keys > 100, "something was compared");
}

/// What a server holds, as it saves it.
fn store_of(redis: &mut Connection, folder: &Folder) -> Store {
    assert_eq!(text(&redis.call(&[b"SAVE"])), "+OK\r\n");
    let store = Store::new();
    let file = folder.0.join("dump.rdb");
    rdb::import(&store, fs::File::open(&file).expect("what it saved")).expect("a sound file");
    fs::remove_file(file).expect("a file");
    store
}

fn rewrite(redis: &mut Connection) {
    assert_eq!(redis.call(&[b"BGREWRITEAOF"])[0], b'+');
    while !text(&redis.call(&[b"INFO", b"persistence"])).contains("aof_rewrite_in_progress:0") {
        thread::sleep(Duration::from_millis(20));
    }
}

/// A server writes to what it has taken over, and ends; answers what it held then, as it reads its
/// own log, which does not tell how many entries a group has read.
fn write_in_redis(
    folder: &Folder,
    settings: &[&str],
    keys: usize,
    seed: u64,
) -> (BTreeMap<String, String>, Store) {
    let server = folder.serve(settings);
    let mut redis = server.connect(false);
    fill(&mut redis, keys / 2, seed);
    if seed.is_multiple_of(2) {
        rewrite(&mut redis);
    }
    fill(&mut redis, keys / 4, seed + 1);
    change(|request| redis.call(request), 100);
    assert_eq!(text(&redis.call(&[b"DEBUG", b"LOADAOF"])), "+OK\r\n");
    let held = (digest(&mut redis), store_of(&mut redis, folder));
    server.shut_down();
    held
}

fn back_and_forth(name: &str, settings: &[&str], keys: usize, rounds: u64) {
    let folder = Folder::new(name);
    for round in 1..=rounds {
        let seed = 10 * round;
        let store = folder.open();
        fill_store(&store, keys, seed);
        let mut client = client(&store);
        change(|request| answer(&mut client, request), round as usize);
        drop(client);
        store.close().expect("a disk that works");
        folder.check();
        let server = folder.serve(settings);
        assert_equal(&mut server.connect(false), &store, &folder);
        server.shut_down();
        drop(store);

        // Every other time it rewrites what was ours.
        let (digest, held) = write_in_redis(&folder, settings, keys, seed + round);
        run("redis-check-aof", &folder.log("appendonly.aof.manifest"));
        let store = folder.open();
        assert_eq!(store.recovery().expect("one that keeps").torn, None);
        assert_eq!(digest_of(&store), digest);
        assert_eq!(held.first_difference(&store), None, "{name}, round {round}");
    }
    // What a server has left behind, rewritten by the store.
    let store = folder.open();
    store.snapshot().expect("a disk that works");
    store.close().expect("a disk that works");
    folder.check();
    let server = folder.serve(settings);
    assert_equal(&mut server.connect(false), &store, &folder);
}

#[test]
fn a_directory_of_a_hundred_thousand_keys_goes_back_and_forth() {
    back_and_forth("many", SETTINGS[0], KEYS, rounds(1));
}

#[test]
fn a_directory_goes_back_and_forth_whatever_the_server_writes() {
    for (at, settings) in SETTINGS.iter().enumerate() {
        back_and_forth(&format!("settings-{at}"), settings, 3_000, rounds(2));
    }
}

/// A server keeps the whole commands of a frame that a crash has torn, and appends its own, so that
/// what is left of the frame runs into them. What the server has acknowledged is there, even where
/// it has appended to a torn header, and could not start on that itself.
#[test]
fn what_a_server_makes_of_a_torn_frame_is_opened_as_the_server_has_it() {
    let first: [&[&[&[u8]]]; 2] = [
        &[&[b"SET", b"server", b"1"]],
        &[&[b"MULTI"], &[b"INCR", b"server"], &[b"RPUSH", b"list", b"a"], &[b"EXEC"]],
    ];
    let cases = [
        (first[0], SETTINGS[0], 0, false),
        (first[1], SETTINGS[1], 0, false),
        (first[0], SETTINGS[2], 500, false),
        (first[0], SETTINGS[0], 0, true),
        (first[1], SETTINGS[0], 0, true),
    ];
    for (requests, settings, more, in_header) in cases {
        let folder = Folder::new(&format!("torn-{more}-{}-{in_header}", requests.len()));
        let store = folder.open_with(Durability::Never);
        for number in 0..200 {
            store.kv().set(format!("key {number}"), "x".repeat(100)).expect("a disk that works");
        }
        store.close().expect("a disk that works");
        drop(store);
        folder.tear(in_header);

        let server = folder.serve(settings);
        let mut redis = server.connect(false);
        if !in_header {
            assert_eq!(text(&redis.call(&[b"DBSIZE"])), ":199\r\n", "the last command is cut off");
        }
        requests.iter().for_each(|request| _ = redis.call(request));
        for number in 0..more {
            redis.call(&[b"SET", format!("more {number}").as_bytes(), b"value"]);
        }
        let digest = digest(&mut redis);
        server.shut_down();

        for _ in 0..2 {
            let store = folder.open();
            assert_eq!(store.recovery().expect("one that keeps").torn, None);
            assert_eq!(digest_of(&store), digest);
            if in_header {
                store.snapshot().expect("a disk that works");
            }
        }
        folder.check();
        assert_eq!(self::digest(&mut folder.serve(settings).connect(false)), digest);
    }
}

/// Fields of a hash have had deadlines since Redis 7.4: a server of 7.0 refuses such a directory,
/// be it in the log or in the base, and leaves it as it is.
#[test]
fn deadlines_of_fields_are_refused_by_a_server_that_knows_none() {
    if wanted_version() != REFERENCE {
        return;
    }
    for in_snapshot in [false, true] {
        let folder = Folder::new(&format!("fields-{in_snapshot}"));
        let store = folder.open();
        store.answer(&[b"HSET", b"h", b"f", b"v"], false);
        let reply = store.answer(&[b"HEXPIRE", b"h", b"1000", b"FIELDS", b"1", b"f"], false);
        assert_eq!(text(&reply), "*1\r\n:1\r\n");
        if in_snapshot {
            store.snapshot().expect("a disk that works");
        }
        store.close().expect("a disk that works");
        let path = folder.0.to_str().expect("a path of text");
        let server = Server::spawn(&["--appendonly", "yes", "--dir", path]);
        assert!(server.has_failed(), "it serves what it cannot have understood");
        assert_eq!(folder.open().first_difference(&store), None);
    }
}
