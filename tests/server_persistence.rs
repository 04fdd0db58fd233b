//! The server of a store that keeps its data, over real sockets: what clients share, and what they
//! do not wait for.

#[path = "common/client.rs"]
mod client;
#[path = "common/disk.rs"]
mod disk;

use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use client::{Client, PATIENCE};
use disk::Disk;
use larder::Store;
use larder::persist::{self, Directory, Durability};
use larder::server::Server;

fn serve(disk: &Disk, durability: Durability, threads: usize) -> (Store, Server) {
    let builder = Store::builder().persistence(disk.clone()).durability(durability);
    let store = builder.open().expect("what is kept is sound");
    let server = Server::builder(&store).threads(threads).start().expect("a free port");
    (store, server)
}

/// A folder that is not there yet, and will not be when the test is done.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("larder-server-{name}-{}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_client_that_saves_holds_up_no_other() {
    let disk = Disk::default();
    let (_store, server) = serve(&disk, Durability::EverySecond, 1);
    let (mut one, mut two) = (Client::of(&server), Client::of(&server));
    disk.snapshot_gate.shut();
    one.send("SET a 1\r\nSAVE\r\nGET a\r\n").expect("+OK\r\n");
    two.send("SET b 2\r\nGET a\r\n").expect("+OK\r\n$1\r\n1\r\n");
    disk.snapshot_gate.open();
    one.expect("+OK\r\n$1\r\n1\r\n");
}

#[test]
fn writes_of_one_turn_share_a_sync_and_are_durable_before_any_is_answered() {
    const CLIENTS: u64 = 20;
    const ROUNDS: u64 = 10;
    const PIPELINED: u64 = 20;
    for threads in [1, 3] {
        let disk = Disk::default();
        let (store, server) = serve(&disk, Durability::Always, threads);
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::of(&server)).collect();
        disk.is_slow.store(true, Ordering::SeqCst);
        disk.syncs.store(0, Ordering::SeqCst);
        for round in 0..ROUNDS {
            let request = "INCR total\r\n".repeat(PIPELINED as usize);
            clients.iter_mut().for_each(|client| _ = client.send(&request));
            for client in &mut clients {
                let mut first = [0];
                client.0.read_exact(&mut first).expect("a reply");
                assert_eq!(first, *b":");
            }
            // Every client has seen one reply, so all that came before it is kept.
            let least = round * CLIENTS * PIPELINED + CLIENTS;
            assert!(store.kv().get_as::<u64>("total").unwrap().unwrap() >= least);
            for client in &mut clients {
                let mut lines = PIPELINED;
                let mut byte = [0];
                while lines > 0 {
                    client.0.read_exact(&mut byte).expect("a reply");
                    lines -= u64::from(byte[0] == b'\n');
                }
            }
        }
        let writes = CLIENTS * ROUNDS * PIPELINED;
        let syncs = disk.syncs.load(Ordering::SeqCst);
        assert!(syncs * 10 <= writes, "{syncs} syncs for {writes} writes");
        disk.memory.crash();
        drop((clients, server, store));
        let found = Store::builder().persistence(disk.memory.clone()).open().unwrap();
        assert_eq!(found.kv().get_as("total"), Ok(Some(writes)), "all were answered");
    }
}

#[test]
fn what_is_answered_is_kept_at_any_instant() {
    for durability in [Durability::Always, Durability::Os] {
        let disk = Disk::default();
        let (store, server) = serve(&disk, durability, 2);
        let mut clients: Vec<Client> = (0..4).map(|_| Client::of(&server)).collect();
        for (client, key) in clients.iter_mut().zip(["a", "b", "c", "d"]) {
            client.send(format!("INCR {key}\r\nGET {key}\r\nMULTI\r\nINCR {key}\r\nEXEC\r\n"));
            client.expect(":1\r\n$1\r\n1\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n");
        }
        if durability == Durability::Always {
            disk.memory.crash();
        }
        let kept = disk.memory.edit_segment(1, |bytes| bytes.clone()).unwrap();
        let sets = kept.windows(4).filter(|word| word == b"INCR" || word == b"\nSET").count();
        assert!(sets >= 8, "{sets} of 8 writes are there");
        drop((clients, server, store));
    }
}

#[test]
fn a_client_that_leaves_before_its_reply_has_written_all_the_same() {
    let disk = Disk::default();
    let (_store, server) = serve(&disk, Durability::Always, 1);
    disk.is_slow.store(true, Ordering::SeqCst);
    let mut hasty = Client::of(&server);
    hasty.send("SET a 1\r\n");
    drop(hasty);
    let begun = Instant::now();
    let mut other = Client::of(&server);
    loop {
        other.send("EXISTS a\r\n");
        let mut reply = [0; 4];
        other.0.read_exact(&mut reply).expect("a reply");
        if reply == *b":1\r\n" {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it is never written");
    }
    // The turn of the hasty one has ended before this is answered.
    other.send("PING\r\n").expect("+PONG\r\n");
    let kept = disk.memory.edit_segment(1, |bytes| bytes.clone()).unwrap();
    assert!(!kept.is_empty());
}

#[test]
fn replies_longer_than_a_socket_takes_come_whole_while_writes_wait_for_the_log() {
    let disk = Disk::default();
    let (store, server) = serve(&disk, Durability::Always, 1);
    store.kv().set("long", vec![b'x'; 3 << 20]).unwrap();
    let mut client = Client::of(&server);
    let rounds = 8;
    client.send("GET long\r\nINCR count\r\n".repeat(rounds));
    for round in 1..=rounds {
        let mut long = vec![0; "$3145728\r\n".len() + (3 << 20) + 2];
        client.0.read_exact(&mut long).expect("a long reply");
        assert!(long.starts_with(b"$3145728\r\nxxx") && long.ends_with(b"x\r\n"));
        client.expect(format!(":{round}\r\n"));
    }
}

#[test]
fn a_server_is_shut_down_and_started_again_on_its_folder() {
    let folder = Folder::new("again");
    let open = |durability| {
        let builder = Store::builder().persistence(Directory::new(&folder.0));
        builder.durability(durability).open().expect("what is kept is sound")
    };
    let store = open(Durability::Never);
    let server = Server::builder(&store).start().unwrap();
    let mut client = Client::of(&server);
    client.send("RPUSH list a b c\r\nBGREWRITEAOF\r\n");
    client.expect(":3\r\n+Background append only file rewriting started\r\n");
    client.send("RPUSH list d\r\n").expect(":4\r\n");
    client.send("SHUTDOWN\r\n").expect_closed();
    server.wait();
    drop(server);
    store.close().unwrap();
    drop(store);

    let store = open(Durability::Always);
    let server = Server::builder(&store).start().unwrap();
    let mut client = Client::of(&server);
    client.send("LRANGE list 0 -1\r\n");
    client.expect("*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n");
}

#[test]
fn a_log_is_read_back_while_others_write_and_nothing_is_lost() {
    let folder = Folder::new("loadaof");
    let open =
        || Store::builder().persistence(Directory::new(&folder.0).file_name("kept.aof")).open();
    let store = open().unwrap();
    let server = Server::builder(&store).start().unwrap();
    let mut client = Client::of(&server);
    client.send(
        "RPUSH list a b\r\nSET gone 1 PX 1\r\nSELECT 3\r\nSET a 1 EX 100\r\nSAVE\r\nINCR a\r\n",
    );
    client.expect(":2\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n:2\r\n");
    let done = AtomicBool::new(false);
    let counted = std::thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let mut counted = 0;
            while !done.load(Ordering::SeqCst) {
                counted += 1;
                assert_eq!(store.kv().increment("counter", 1), Ok(counted));
            }
            counted
        });
        for _ in 0..5 {
            client.send("DEBUG LOADAOF\r\n").expect("+OK\r\n");
        }
        done.store(true, Ordering::SeqCst);
        counting.join().unwrap()
    });
    let check = |store: &Store| {
        assert_eq!(store.kv().get_as("counter"), Ok(Some(counted)));
        assert_eq!(store.list("list").range(..).unwrap(), ["a", "b"]);
        let third = store.database(3).unwrap();
        assert_eq!(third.kv().get_as("a"), Ok(Some(2)));
        assert!(third.keys().time_to_live("a").unwrap().left().is_some());
        assert_eq!(store.kv().get("gone"), Ok(None));
    };
    check(&store);
    server.stop();
    store.close().unwrap();
    drop(store);
    check(&open().unwrap());
}

#[test]
fn settings_that_cannot_be_had_keep_a_server_from_starting() {
    let started = Server::builder(&Store::new()).config("appendonly", "yes").start();
    assert!(started.unwrap_err().to_string().contains("appendonly"));
    let started = Server::builder(&Store::new()).config("appendonly", "no").start();
    assert!(started.is_ok());
}
