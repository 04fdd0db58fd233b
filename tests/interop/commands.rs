//! A directory that clients of a store have had rewritten by the commands of Redis.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use larder::persist::{Directory, Durability};
use larder::{Session, Store};

use crate::redis::Server;
use crate::{answer, client};

/// Waits until a field of `INFO persistence` has a value.
fn await_field(client: &mut Session, field: &str) {
    let begun = Instant::now();
    loop {
        let info = answer(client, &[b"INFO", b"persistence"]);
        if String::from_utf8_lossy(&info).lines().any(|line| line == field) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "never {field}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Changes before and after a rewrite; answers a digest of all keys.
fn use_store(client: &mut Session, command: &[u8], reply: &str, round: usize) -> Vec<u8> {
    for number in 0..500 {
        let (key, member) = (format!("set {}", number % 7), format!("{round} {number}"));
        answer(client, &[b"SADD", key.as_bytes(), member.as_bytes()]);
        answer(client, &[b"SET", member.as_bytes(), &[0, 255, 10, 13], b"PX", b"100000000"]);
    }
    assert_eq!(answer(client, &[command]), format!("+{reply}\r\n").as_bytes());
    // While it is being written, or after.
    answer(client, &[b"XADD", b"stream", b"1-*", b"round", round.to_string().as_bytes()]);
    await_field(client, &format!("aof_rewrites:{}", round + 1));
    answer(client, &[b"SPOP", b"set 3", b"20"]);
    answer(client, &[b"DEBUG", b"DIGEST"])
}

#[test]
fn a_server_takes_over_what_clients_have_had_rewritten() {
    let path = std::env::temp_dir().join(format!("larder-commands-{}", std::process::id()));
    let folder = Folder(path);
    fs::create_dir(&folder.0).expect("a temporary folder");
    let builder = Store::builder().persistence(Directory::new(&folder.0));
    let store = builder.durability(Durability::Never).open().expect("an empty directory");
    let mut client = client(&store);
    let rewriting = "Background append only file rewriting started";
    use_store(&mut client, b"BGREWRITEAOF", rewriting, 0);
    let expected = use_store(&mut client, b"BGSAVE", "Background saving started", 1);
    let setting = |client: &mut Session, name: &str| {
        let reply = answer(client, &[b"CONFIG", b"GET", name.as_bytes()]);
        String::from_utf8_lossy(&reply).lines().last().expect("a value").to_owned()
    };
    let names = ["dir", "appenddirname", "appendfilename"].map(|name| setting(&mut client, name));
    drop(client);
    store.close().expect("room");
    drop(store);

    let [dir, folder_name, file_name] = &names;
    let manifest = PathBuf::from(dir).join(folder_name).join(format!("{file_name}.manifest"));
    let checked = Command::new("redis-check-aof").arg(manifest).output().expect("redis-check-aof");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let server = Server::start_with(&[
        "--dir",
        dir,
        "--appenddirname",
        folder_name,
        "--appendfilename",
        file_name,
        "--appendonly",
        "yes",
        "--enable-debug-command",
        "yes",
    ]);
    let mut redis = server.connect(false);
    while redis.call(&[b"PING"]).starts_with(b"-LOADING") {
        std::thread::sleep(Duration::from_millis(20));
    }
    let found = redis.call(&[b"DEBUG", b"DIGEST"]);
    assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&expected));
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
