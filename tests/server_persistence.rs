//! The server of a store that keeps its data, over real sockets: what clients share, and what they
//! do not wait for.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use larder::Store;
use larder::persist::{Directory, Durability, Kept, Memory, Persistence, Snapshot, Tail};
use larder::server::Server;

const PATIENCE: Duration = Duration::from_secs(20);

/// Keeps in memory, as slowly as a disk does, and tells of it.
#[derive(Clone, Default)]
struct Disk {
    memory: Memory,
    syncs: Arc<AtomicU64>,
    /// Whether a sync takes some milliseconds.
    is_slow: Arc<AtomicBool>,
    /// A snapshot is committed when this has heard or lost its sender.
    gate: Arc<Mutex<Option<Receiver<()>>>>,
}

impl Disk {
    /// Has the next snapshot wait until the answer is dropped.
    fn shut(&self) -> Sender<()> {
        let (sender, receiver) = channel();
        *self.gate.lock().unwrap() = Some(receiver);
        sender
    }

    fn serve(&self, durability: Durability, threads: usize) -> (Store, Server) {
        let builder = Store::builder().persistence(self.clone()).durability(durability);
        let store = builder.open().expect("what is kept is sound");
        let server = Server::builder(&store).threads(threads).start().expect("a free port");
        (store, server)
    }
}

impl Persistence for Disk {
    fn open(&self) -> io::Result<Kept> {
        self.memory.open()
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.memory.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        if self.is_slow.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.memory.sync()
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        self.memory.truncate(length, tail)
    }

    fn rotate(&self) -> io::Result<u64> {
        self.memory.rotate()
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        let gate = self.gate.lock().unwrap().take();
        Ok(Box::new(Slow { snapshot: self.memory.snapshot()?, gate }))
    }
}

struct Slow {
    snapshot: Box<dyn Snapshot>,
    gate: Option<Receiver<()>>,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.snapshot.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.snapshot.flush()
    }
}

impl Snapshot for Slow {
    fn commit(self: Box<Self>) -> io::Result<()> {
        if let Some(gate) = self.gate {
            // An error is what opens it.
            let _ = gate.recv();
        }
        self.snapshot.commit()
    }
}

struct Client(TcpStream);

impl Client {
    fn of(server: &Server) -> Self {
        let stream = TcpStream::connect(server.tcp_address().expect("TCP")).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self(stream)
    }

    fn send(&mut self, requests: &str) -> &mut Self {
        self.0.write_all(requests.as_bytes()).expect("the server reads");
        self
    }

    fn expect(&mut self, replies: &str) -> &mut Self {
        let mut bytes = vec![0; replies.len()];
        let outcome = self.0.read_exact(&mut bytes);
        let got = String::from_utf8_lossy(&bytes);
        assert!(outcome.is_ok() && got == replies, "{got:?} instead of {replies:?}: {outcome:?}");
        self
    }

    fn expect_closed(&mut self) {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).expect("the end of the connection");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
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
    let (_store, server) = disk.serve(Durability::EverySecond, 1);
    let (mut one, mut two) = (Client::of(&server), Client::of(&server));
    let gate = disk.shut();
    one.send("SET a 1\r\nSAVE\r\nGET a\r\n").expect("+OK\r\n");
    two.send("SET b 2\r\nGET a\r\n").expect("+OK\r\n$1\r\n1\r\n");
    drop(gate);
    one.expect("+OK\r\n$1\r\n1\r\n");
}

#[test]
fn writes_of_one_turn_share_a_sync_and_are_durable_before_any_is_answered() {
    const CLIENTS: u64 = 20;
    const ROUNDS: u64 = 10;
    const PIPELINED: u64 = 20;
    for threads in [1, 3] {
        let disk = Disk::default();
        let (store, server) = disk.serve(Durability::Always, threads);
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
        let (store, server) = disk.serve(durability, 2);
        let mut clients: Vec<Client> = (0..4).map(|_| Client::of(&server)).collect();
        for (client, key) in clients.iter_mut().zip(["a", "b", "c", "d"]) {
            client.send(&format!("INCR {key}\r\nGET {key}\r\nMULTI\r\nINCR {key}\r\nEXEC\r\n"));
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
    let (_store, server) = disk.serve(Durability::Always, 1);
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
    let (store, server) = disk.serve(Durability::Always, 1);
    store.kv().set("long", vec![b'x'; 3 << 20]).unwrap();
    let mut client = Client::of(&server);
    let rounds = 8;
    client.send(&"GET long\r\nINCR count\r\n".repeat(rounds));
    for round in 1..=rounds {
        let mut long = vec![0; "$3145728\r\n".len() + (3 << 20) + 2];
        client.0.read_exact(&mut long).expect("a long reply");
        assert!(long.starts_with(b"$3145728\r\nxxx") && long.ends_with(b"x\r\n"));
        client.expect(&format!(":{round}\r\n"));
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
fn settings_that_cannot_be_had_keep_a_server_from_starting() {
    let started = Server::builder(&Store::new()).config("appendonly", "yes").start();
    assert!(started.unwrap_err().to_string().contains("appendonly"));
    let started = Server::builder(&Store::new()).config("appendonly", "no").start();
    assert!(started.is_ok());
}
