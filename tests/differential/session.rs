//! What clients say to a server, sent to a real Redis 7.0 and to sessions: every reply must be the
//! same, to the byte, whoever gets it.
//!
//! Run it with `cargo test --features session --test differential_session`. The scripts stand in
//! `session.txt`, whose head explains them. All differences are reported at once.

mod grammar;
mod redis;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use grammar::{Argv, Commands};
use larder::{Face, FaceOptions, Peer, Session, Store};
use redis::{Connection, Reply, Server, write_request};

const SCRIPTS: &str = include_str!("session.txt");
const CLIENTS: usize = 3;

/// A step of a script.
struct Step<'a> {
    client: usize,
    line: &'a str,
    comparison: Comparison,
}

#[derive(Clone, Copy, PartialEq)]
enum Comparison {
    Bytes,
    /// The type of each reply.
    Types,
    /// The lines in any order.
    Lines,
    /// Without times and addresses of monitored requests.
    Monitored,
}

/// One side of the comparison: a server with its clients.
trait Side {
    /// Sends a request by one client; answers what all of them receive.
    fn step(&mut self, client: usize, request: &[u8]) -> Vec<Vec<u8>>;
    /// The number by which a client is known.
    fn id(&self, client: usize) -> u64;
}

/// What a client sees: bytes, and the end.
fn seen((mut received, is_closed): (Vec<u8>, bool)) -> Vec<u8> {
    if is_closed {
        received.extend(b"<closed>");
    }
    received
}

struct Real {
    clients: Vec<Connection>,
    ids: Vec<u64>,
    /// Another client: what it gets answered comes after what was sent before.
    witness: Connection,
}

impl Real {
    fn connect(server: &Server) -> Self {
        let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect(false)).collect();
        let id = |connection: &mut Connection| {
            let reply = connection.call(&[b"CLIENT", b"ID"]);
            String::from_utf8_lossy(&reply[1..]).trim().parse().expect("an id")
        };
        let ids = clients.iter_mut().map(id).collect();
        Self { clients, ids, witness: server.connect(false) }
    }

    /// Undoes what an earlier script may have left.
    fn prepare(&mut self) {
        self.witness.call(&[b"FLUSHALL"]);
        self.witness.call(&[b"CONFIG", b"RESETSTAT"]);
        self.witness.call(&[b"CONFIG", b"SET", b"notify-keyspace-events", b""]);
    }
}

impl Side for Real {
    fn step(&mut self, client: usize, request: &[u8]) -> Vec<Vec<u8>> {
        self.clients[client].try_send(request);
        // Twice, as requests that arrive together are answered in any order.
        for _ in 0..2 {
            self.witness.call(&[b"PING"]);
        }
        self.clients.iter_mut().map(Connection::received).map(seen).collect()
    }

    fn id(&self, client: usize) -> u64 {
        self.ids[client]
    }
}

struct Ours(Vec<Session>);

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

impl Side for Ours {
    fn step(&mut self, client: usize, request: &[u8]) -> Vec<Vec<u8>> {
        self.0.iter_mut().for_each(Session::wake);
        self.0[client].receive(request);
        self.0.iter_mut().for_each(Session::wake);
        let received = |session: &mut Session| (session.take_output(), session.is_done());
        self.0.iter_mut().map(received).map(seen).collect()
    }

    fn id(&self, client: usize) -> u64 {
        self.0[client].id()
    }
}

#[test]
fn scripts() {
    let server = Server::start_with(&["--enable-debug-command", "yes"]);
    let mut report = String::new();
    let mut compared = 0;
    for script in SCRIPTS.split("\n\n").filter(|script| script.starts_with("== ")) {
        let mut real = Real::connect(&server);
        real.prepare();
        let face = Face::new(&Store::new(), FaceOptions::default());
        let connect = |_| {
            let peer = Peer {
                address: "peer:0".into(),
                local: "local:0".into(),
                descriptor: 8,
                is_unix: false,
            };
            face.connect(peer, Waker::from(Arc::new(Nobody))).expect("room")
        };
        let mut ours = Ours((0..CLIENTS).map(connect).collect());
        compared += compare(script, &mut ours, &mut real, &mut report);
    }
    println!("{compared} steps compared");
    assert!(report.is_empty(), "\n{report}");
}

fn compare(script: &str, ours: &mut Ours, real: &mut Real, report: &mut String) -> usize {
    let mut steps = 0;
    let mut title = "";
    for line in script.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(heading) = line.strip_prefix("== ") {
            title = heading;
            continue;
        }
        if let Some(millis) = line.strip_prefix("WAIT ") {
            std::thread::sleep(Duration::from_millis(millis.parse().expect("a time")));
            continue;
        }
        steps += 1;
        let step = Step::read(line);
        let mine = step.run(ours);
        let theirs = step.run(real);
        for client in 0..CLIENTS {
            let (mine, theirs) = (step.view(&mine[client]), step.view(&theirs[client]));
            if mine != theirs {
                let _ = writeln!(report, "{title}: {line}   (client {client})");
                let _ = writeln!(report, "  larder: {mine}\n  redis:  {theirs}");
            }
        }
    }
    steps
}

impl<'a> Step<'a> {
    /// Reads `CLIENT[~|*] REQUEST`.
    fn read(line: &'a str) -> Self {
        let (head, line) = line.split_once(' ').expect("a client and a request");
        let comparison = match head.chars().last() {
            Some('~') => Comparison::Types,
            Some('*') => Comparison::Lines,
            Some('^') => Comparison::Monitored,
            _ => Comparison::Bytes,
        };
        let client = head.trim_end_matches(['~', '*', '^']).parse().expect("a client's number");
        Self { client, line, comparison }
    }

    /// Sends it; what is received has placeholders for the numbers of clients.
    fn run(&self, side: &mut impl Side) -> Vec<Vec<u8>> {
        let mut line = self.line.to_owned();
        for client in 0..CLIENTS {
            let place = format!("ID{client}");
            if line.contains(&place) {
                line = line.replace(&place, &side.id(client).to_string());
            }
        }
        let ids: Vec<u64> = (0..CLIENTS).map(|client| side.id(client)).collect();
        let mut request = Vec::new();
        match line.strip_prefix("RAW ") {
            Some(raw) => request.extend(unescape(raw)),
            None => {
                for command in line.split(" ; ") {
                    let argv: Argv = command.split(' ').map(unescape).collect();
                    write_request(&borrowed(&argv), &mut request);
                }
            }
        }
        let mut seen = side.step(self.client, &request);
        for (received, id) in seen.iter_mut().zip(ids) {
            // In what `HELLO` answers.
            let (number, place) = (format!("$2\r\nid\r\n:{id}\r\n"), "$2\r\nid\r\n:ID\r\n");
            let found = received.windows(number.len()).position(|at| at == number.as_bytes());
            if let Some(at) = found {
                received.splice(at..at + number.len(), place.bytes());
            }
        }
        seen
    }

    fn view(&self, reply: &[u8]) -> String {
        match self.comparison {
            Comparison::Bytes => reply.escape_ascii().to_string(),
            Comparison::Types => {
                let first = reply.first().map(|first| char::from(*first));
                first.map(String::from).unwrap_or_default()
            }
            Comparison::Monitored => {
                let text = reply.escape_ascii().to_string();
                let line = |line: &str| match line.split_once(" [") {
                    Some((_, rest)) => rest.split_once(']').map_or("", |(_, told)| told).to_owned(),
                    None => line.to_owned(),
                };
                let lines = text.split("\\r\\n").map(line);
                // What the witness sends.
                lines.filter(|line| !line.contains("PING")).collect::<Vec<_>>().join(" | ")
            }
            Comparison::Lines => {
                let text = reply.escape_ascii().to_string();
                let mut lines: Vec<&str> = text.split("\\r\\n").collect();
                lines.sort_unstable();
                lines.join(" ")
            }
        }
    }
}

/// `_` alone is nothing; `\s` is a space, `\r\n` a line's end, `\xff` a byte.
fn unescape(word: &str) -> Vec<u8> {
    if word == "_" {
        return Vec::new();
    }
    let word = word.replace("\\s", " ").replace("\\r", "\r").replace("\\n", "\n");
    let mut parts = word.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
        bytes.extend(rest.bytes());
    }
    bytes
}

/// Every command that both know is described alike by `COMMAND INFO`, tips and notes apart.
#[test]
fn commands_are_described_as_redis_describes_them() {
    let server = Server::start();
    let mut real = server.connect(false);
    let face = Face::new(&Store::new(), FaceOptions::default());
    let waker = Waker::from(Arc::new(Nobody));
    let mut ours = face.connect(Peer::default(), waker).expect("room");
    let mut ask = |argv: &[&[u8]]| {
        ours.execute(argv);
        Reply::parse(&ours.take_output())
    };
    let names = ask(&[b"COMMAND", b"LIST", b"FILTERBY", b"PATTERN", b"*"]);
    let mut report = String::new();
    let mut compared = 0;
    for name in names.elements() {
        let Reply::Scalar(_, name) = name else { panic!("a name") };
        let request: [&[u8]; 3] = [b"COMMAND", b"INFO", name];
        let (mine, theirs) = (ask(&request), Reply::parse(&real.call(&request)));
        let (mine, theirs) = (description(&mine), description(&theirs));
        // They have an option since 7.2.
        let is_newer = matches!(&name[..], b"zrank" | b"zrevrank");
        if !theirs.is_empty() && mine != theirs && !is_newer {
            let _ = writeln!(report, "{}\n  {mine}\n  {theirs}", String::from_utf8_lossy(name));
        }
        let request: [&[u8]; 3] = [b"COMMAND", b"DOCS", name];
        let (mine, theirs) = (ask(&request), Reply::parse(&real.call(&request)));
        for field in ["since", "group"] {
            let (mine, theirs) = (documented(&mine, field), documented(&theirs, field));
            if theirs.is_some() && mine != theirs {
                let name = String::from_utf8_lossy(name);
                let _ = writeln!(report, "{name} {field}: {mine:?} {theirs:?}");
            }
        }
        compared += usize::from(!theirs.elements().is_empty());
    }
    println!("{compared} commands compared");
    assert!(report.is_empty(), "\n{report}");
    // Of all commands, though not by themselves of subcommands.
    for all in [ask(&[b"COMMAND", b"DOCS"]), Reply::parse(&real.call(&[b"COMMAND", b"DOCS"]))] {
        let names = all.elements().chunks_exact(2).map(|pair| pair[0].text());
        let names: BTreeSet<String> = names.collect();
        assert!(names.contains("get") && names.contains("client"), "{names:?}");
        assert!(names.len() > 150 && !names.contains("client|id"), "{names:?}");
    }
}

/// What Redis knows and sessions do not: `larder::testing` tells users which families these are.
#[rustfmt::skip]
const UNKNOWN: &[&str] = &[
    // The data types of which there is none.
    "geoadd", "geodist", "geohash", "geopos", "georadius", "georadius_ro", "georadiusbymember",
    "georadiusbymember_ro", "geosearch", "geosearchstore", "pfadd", "pfcount", "pfdebug", "pfmerge",
    "pfselftest",
    // Scripts and modules.
    "eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro", "function", "module|load",
    "module|loadex", "module|unload", "script",
    // Clusters and replicas.
    "asking", "cluster", "failover", "migrate", "psync", "readonly", "readwrite", "replconf",
    "replicaof", "restore-asking", "slaveof", "sync",
    // Users with rights of their own, and what clients keep for themselves.
    "acl|cat", "acl|deluser", "acl|dryrun", "acl|genpass", "acl|getuser", "acl|list", "acl|load",
    "acl|log", "acl|save", "acl|setuser", "client|caching",
    // A drawing.
    "latency|graph",
];

#[test]
fn every_command_is_known_but_those_that_are_listed() {
    let server = Server::start();
    let face = Face::new(&Store::new(), FaceOptions::default());
    let waker = Waker::from(Arc::new(Nobody));
    let mut ours = face.connect(Peer::default(), waker).expect("room");
    let all: [&[u8]; 5] = [b"COMMAND", b"LIST", b"FILTERBY", b"PATTERN", b"*"];
    let names = |reply: &[u8]| -> BTreeSet<String> {
        Reply::parse(reply).elements().iter().map(Reply::text).collect()
    };
    let theirs = names(&server.connect(false).call(&all));
    ours.execute(&all);
    let ours = names(&ours.take_output());
    let is_listed = |name: &String| {
        let command = name.split('|').next().unwrap_or_default();
        UNKNOWN.contains(&name.as_str()) || UNKNOWN.contains(&command)
    };
    for name in &theirs {
        assert_eq!(ours.contains(name), !is_listed(name), "{name}");
    }
    let unheard: Vec<_> = UNKNOWN.iter().filter(|name| !theirs.contains(**name)).collect();
    assert!(unheard.is_empty(), "{unheard:?}");
}

/// A field of what `COMMAND DOCS` tells of one command.
fn documented(reply: &Reply, field: &str) -> Option<String> {
    let fields = reply.elements().get(1)?.elements();
    fields.chunks_exact(2).find(|pair| pair[0].text() == field).map(|pair| pair[1].text())
}

/// What `COMMAND INFO` tells of one command, flags and categories in order; nothing if it knows
/// none.
fn description(reply: &Reply) -> String {
    let [info] = reply.elements() else { return String::new() };
    let mut text = String::new();
    for element in info.elements().iter().take(7) {
        let mut words: Vec<String> = match element {
            Reply::Scalar(_, word) => vec![String::from_utf8_lossy(word).into_owned()],
            Reply::Aggregate(_, words) => words.iter().map(Reply::text).collect(),
        };
        words.sort();
        let _ = write!(text, "{} ", words.join(" "));
    }
    for keys in info.elements().get(8).map_or(&[][..], Reply::elements) {
        let told = keys.elements().chunks_exact(2).filter(|pair| pair[0].text() != "notes");
        let _ = write!(text, "{:?} ", told.map(|pair| &pair[1]).collect::<Vec<_>>());
    }
    text
}

/// Every command looks up the same keys to read them, by what `INFO` counts. But `XREAD` counts
/// each stream once here, which Redis looks at again to read it; Redis also counts what `XACK`
/// changes, and what `SCAN` tells apart by type; and what is wrong is found out here before any key
/// is looked up.
#[test]
fn keys_are_looked_up_as_redis_looks_them_up() {
    const DRAWS: usize = 4_000;
    let server = Server::start();
    let mut real = server.connect(false);
    let makers = grammar::named(&["SET", "RPUSH", "ZADD", "XADD", "HSET", "SADD"]);
    let mut commands = Commands::new(7);
    let all = grammar::all();
    let mut differences = BTreeMap::new();
    for _ in 0..DRAWS {
        real.call(&[b"FLUSHALL"]);
        let face = Face::new(&Store::new(), FaceOptions::default());
        let waker = Waker::from(Arc::new(Nobody));
        let mut ours = face.connect(Peer::default(), waker).expect("room");
        let mut ask = |argv: &[&[u8]]| {
            ours.execute(argv);
            (ours.take_output(), real.call(argv))
        };
        for _ in 0..6 {
            let (_, argv) = commands.draw(&makers, &makers);
            ask(&borrowed(&argv));
        }
        ask(&[b"CONFIG", b"RESETSTAT"]);
        let (grammar, argv) = commands.draw(&all, &makers);
        let (mine, theirs) = ask(&borrowed(&argv));
        let differs = ["XREAD", "XREADGROUP", "XACK", "SCAN"].contains(&grammar.0);
        if differs || mine.starts_with(b"-") || theirs.starts_with(b"-") {
            continue;
        }
        let (mine, theirs) = ask(&[b"INFO", b"stats"]);
        let (mine, theirs) = (lookups(&mine), lookups(&theirs));
        if mine != theirs {
            let request = argv.iter().map(|argument| argument.escape_ascii().to_string());
            let request = request.collect::<Vec<_>>().join(" ");
            differences.entry(grammar.0).or_insert(format!("{request}: {mine:?} {theirs:?}"));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

fn borrowed(argv: &Argv) -> Vec<&[u8]> {
    argv.iter().map(|argument| &argument[..]).collect()
}

/// The hits and misses that an `INFO stats` tells.
fn lookups(info: &[u8]) -> [u64; 2] {
    let info = String::from_utf8_lossy(info);
    ["keyspace_hits:", "keyspace_misses:"].map(|name| {
        let value = info.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|value| value.parse().ok()).expect("a count")
    })
}

/// `DEBUG DIGEST` and `DEBUG DIGEST-VALUE` of what both hold are the same, whatever it is.
#[test]
fn digests_are_those_of_redis() {
    const ROUNDS: u64 = 60;
    const STEPS: usize = 150;
    let server = Server::start_with(&["--enable-debug-command", "yes"]);
    let mut real = server.connect(false);
    let makers = grammar::named(&[
        "SET",
        "APPEND",
        "INCRBYFLOAT",
        "SETBIT",
        "RPUSH",
        "LSET",
        "LREM",
        "ZADD",
        "ZINCRBY",
        "ZREM",
        "HSET",
        "HINCRBYFLOAT",
        "HDEL",
        "SADD",
        "SREM",
        "XDEL",
        "XGROUP|CREATE",
        "PEXPIREAT",
        "SWAPDB",
        "COPY",
        "RENAME",
    ]);
    let mut kinds = BTreeSet::new();
    for seed in 0..ROUNDS {
        real.call(&[b"FLUSHALL"]);
        let face = Face::new(&Store::new(), FaceOptions::default());
        let waker = Waker::from(Arc::new(Nobody));
        let mut ours = face.connect(Peer::default(), waker).expect("room");
        let mut ask = |argv: &[&[u8]]| {
            ours.execute(argv);
            (ours.take_output(), real.call(argv))
        };
        let mut commands = Commands::new(seed);
        for step in 0..STEPS {
            if step % 10 == 0 {
                let id = format!("{}-1", step + 1);
                ask(&[b"XADD", b"log", id.as_bytes(), b"field", b"value"]);
            }
            let argv = commands.draw(&makers, &makers).1;
            // A score of minus zero is zero here.
            if !argv.iter().any(|argument| argument == b"-0") {
                ask(&borrowed(&argv));
            }
        }
        for key in ["a", "b", "c", "str", "text", "set", "log", "lex", "members", "none"] {
            let key = key.as_bytes();
            kinds.insert(ask(&[b"TYPE", key]).1);
            let (mine, theirs) = ask(&[b"DEBUG", b"DIGEST-VALUE", key]);
            let dump = ask(&[b"DUMP", key]).1;
            assert_eq!(mine, theirs, "{} {}", key.escape_ascii(), dump.escape_ascii());
        }
        let (mine, theirs) = ask(&[b"DEBUG", b"DIGEST"]);
        assert_eq!(mine, theirs, "round {seed}");
    }
    assert_eq!(kinds.len(), 7, "all types and none: {kinds:?}");
}
