//! Servers over a unix socket: CPU that a server takes per command, with 50 clients.
//!
//! Each server is a process of its own: a child of this program for Larder, and `redis-server`. Its
//! time, user's and system's, is read from `/proc` before and after; what the clients take does not
//! count. All clients send a batch each and then read the replies, so every server meets the same
//! requests in the same order.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::measure::{Options, Random, Table, Unit, per_operation, turn};

const CLIENTS: usize = 50;
const KEYS: usize = 100_000;
const VALUE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const REDIS: &str = "redis-server";

/// What is measured: a column, how many requests a client sends at once, and a request.
struct Column {
    name: &'static str,
    pipeline: usize,
    /// Lines of a reply.
    lines: usize,
    request: fn(&mut Random) -> Vec<u8>,
}

const COLUMNS: &[Column] = &[
    Column { name: "GET, one at a time", pipeline: 1, lines: 2, request: get },
    Column { name: "GET, 64", pipeline: 64, lines: 2, request: get },
    Column { name: "SET, 64", pipeline: 64, lines: 1, request: set },
    Column { name: "ZADD update, 64", pipeline: 64, lines: 1, request: add },
    Column { name: "XADD, 64", pipeline: 64, lines: 2, request: append },
    Column { name: "PING, one at a time", pipeline: 1, lines: 1, request: ping },
    Column { name: "PING, 64", pipeline: 64, lines: 1, request: ping },
];

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    bytes.into_bytes()
}

fn key(random: &mut Random) -> String {
    format!("key:{:012}", random.below(KEYS))
}

fn get(random: &mut Random) -> Vec<u8> {
    request(&["GET", &key(random)])
}

fn set(random: &mut Random) -> Vec<u8> {
    request(&["SET", &key(random), VALUE])
}

fn add(random: &mut Random) -> Vec<u8> {
    let score = random.below(1_000_000).to_string();
    request(&["ZADD", "board", &score, &key(random)])
}

fn append(_: &mut Random) -> Vec<u8> {
    request(&["XADD", "stream", "*", "field", VALUE])
}

fn ping(_: &mut Random) -> Vec<u8> {
    request(&["PING"])
}

/// A server as a process.
struct Server {
    name: &'static str,
    process: Child,
    path: PathBuf,
    clients: Vec<UnixStream>,
}

impl Server {
    fn start(name: &'static str) -> Self {
        let path = std::env::temp_dir().join(format!("peers-{}-{name}", std::process::id()));
        let mut command = command(name, &path);
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let clients = (0..CLIENTS).map(|_| connect(&path)).collect();
        let mut server = Self { name, process, path, clients };
        server.fill();
        server
    }

    /// Sets every key and every member.
    fn fill(&mut self) {
        let keys: Vec<String> = (0..KEYS).map(|number| format!("key:{number:012}")).collect();
        for keys in keys.chunks(64) {
            let mut batch = Vec::new();
            for key in keys {
                batch.extend_from_slice(&request(&["SET", key, VALUE]));
                batch.extend_from_slice(&request(&["ZADD", "board", "0", key]));
            }
            exchange(&mut self.clients[..1], &[batch], keys.len() * 2);
        }
    }

    /// Nanoseconds of CPU per command.
    fn measure(&mut self, column: &Column, random: &mut Random, budget: Duration) -> f64 {
        let batches: Vec<Vec<u8>> = (0..20 * CLIENTS)
            .map(|_| (0..column.pipeline).flat_map(|_| (column.request)(random)).collect())
            .collect();
        let begun = Instant::now();
        let before = self.cpu();
        let mut commands = 0;
        for round in batches.chunks(CLIENTS).cycle() {
            if begun.elapsed() > budget {
                break;
            }
            exchange(&mut self.clients, round, column.lines * column.pipeline);
            commands += CLIENTS * column.pipeline;
        }
        per_operation(self.cpu() - before, commands)
    }

    /// What all threads of the process have taken.
    fn cpu(&self) -> Duration {
        let tasks = format!("/proc/{}/task", self.process.id());
        let tasks = fs::read_dir(tasks).expect("/proc: figures of CPU need Linux");
        let nanos = tasks.map(|task| {
            let path = task.expect("a thread").path().join("schedstat");
            let figures = fs::read_to_string(path).expect("figures of a thread");
            let first = figures.split_whitespace().next().expect("a figure");
            first.parse::<u64>().expect("nanoseconds")
        });
        Duration::from_nanos(nanos.sum())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.path);
    }
}

fn command(name: &str, path: &Path) -> Command {
    if name != REDIS {
        let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
        command.args(["child", "serve"]).arg(path).arg("0");
        return command;
    }
    let mut command = Command::new(name);
    command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(path);
    command
}

fn connect(path: &Path) -> UnixStream {
    let begun = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return stream,
            Err(error) if begun.elapsed() > Duration::from_secs(5) => panic!("{error}"),
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Has each client send its batch, then each read `lines` lines.
fn exchange(clients: &mut [UnixStream], batches: &[Vec<u8>], lines: usize) {
    for (client, batch) in clients.iter_mut().zip(batches) {
        client.write_all(batch).expect("a server that reads");
    }
    let mut buffer = [0; 1 << 16];
    for client in clients {
        let mut left = lines;
        while left > 0 {
            let count = client.read(&mut buffer).expect("replies");
            assert!(count > 0 && buffer[0] != b'-', "an error, or the end");
            left -= buffer[..count].iter().filter(|byte| **byte == b'\n').count();
        }
    }
}

/// Measures all columns in rounds and prints the table.
pub fn run(options: &Options) {
    let names = ["larder", REDIS].into_iter().filter(|name| options.wants(name));
    let mut servers: Vec<Server> = names.map(Server::start).collect();
    let budget = Duration::from_millis(options.size(1000, 100) as u64);
    let mut table = Table::new("RESP over a unix socket, 50 clients: server CPU ns per command")
        .rows(servers.iter().map(|server| server.name));
    for round in 0..options.rounds(5) {
        for column in COLUMNS {
            for at in turn(round, servers.len()) {
                let mut random = Random(round as u64);
                let sample = servers[at].measure(column, &mut random, budget);
                table.add(servers[at].name, column.name, Unit::Nanoseconds, sample);
            }
        }
    }
    table.print(options.against(REDIS));
}

/// Serves a new store on a unix socket, until the process is killed.
#[cfg(feature = "larder")]
pub fn serve(path: &str) {
    let store = larder::Store::new();
    let server = larder::server::Server::builder(&store).unix(path).start();
    server.expect("a free path").wait();
}
