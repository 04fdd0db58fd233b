//! A real redis-server, alone on a socket of its own, and replies as it sends them.

#![allow(dead_code, reason = "comparisons use it, each in part")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A server that ends with this value.
pub(crate) struct Server {
    process: Child,
    folder: PathBuf,
}

/// A connection that speaks one protocol.
pub(crate) struct Connection {
    stream: BufReader<UnixStream>,
}

/// How the version of the server begins that Larder is compared with,
pub(crate) const REFERENCE: &str = "7.0.";

/// unless `REDIS_VERSION` names another.
pub(crate) fn wanted_version() -> String {
    std::env::var("REDIS_VERSION").unwrap_or_else(|_| REFERENCE.to_owned())
}

impl Server {
    /// Starts the program that `REDIS_SERVER` names, or else `redis-server`.
    ///
    /// # Panics
    ///
    /// If there is none, or if it is not of version 7.0 or of the one that `REDIS_VERSION` names.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts it with more options.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        let server = Self::spawn(options);
        let mut connection = server.connect(false);
        while connection.call(&[b"PING"]).starts_with(b"-LOADING") {
            thread::sleep(Duration::from_millis(20));
        }
        let info = connection.call(&[b"INFO", b"server"]);
        let info = String::from_utf8_lossy(&info).into_owned();
        let version = info.split("redis_version:").nth(1).and_then(|rest| rest.lines().next());
        let wanted = wanted_version();
        assert!(
            version.is_some_and(|version| version.starts_with(&wanted)),
            "the comparison is with Redis {wanted}, the server is {version:?}"
        );
        server
    }

    /// Starts it, and does not wait until it is up.
    pub(crate) fn spawn(options: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("larder-differential-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let process = Command::new(&program)
            .args(["--port", "0", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(&folder)
            .args(options)
            .arg("--unixsocket")
            .arg(folder.join("socket"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                let _ = std::fs::remove_dir(&folder);
                panic!("the comparison needs {program}: {error}")
            });
        Self { process, folder }
    }

    /// Where it keeps its files.
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Whether it has ended by itself, which it does within some seconds if it cannot load what it
    /// is to serve.
    pub(crate) fn has_failed(mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(10) {
            if let Some(status) = self.process.try_wait().expect("a server") {
                return !status.success();
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Ends it as its users do, and waits until it has.
    pub(crate) fn shut_down(mut self) {
        let mut request = Vec::new();
        write_request(&[b"SHUTDOWN"], &mut request);
        self.connect(false).send(&request);
        assert!(self.process.wait().expect("a server").success(), "it does not end well");
    }

    /// Connects, as soon as the server is up.
    pub(crate) fn connect(&self, resp3: bool) -> Connection {
        let begun = Instant::now();
        let stream = loop {
            match UnixStream::connect(self.folder.join("socket")) {
                Ok(stream) => break stream,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "{error}"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let mut connection = Connection { stream: BufReader::new(stream) };
        if resp3 {
            connection.call(&[b"HELLO", b"3"]);
        }
        connection
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Connection {
    pub(crate) fn call(&mut self, argv: &[&[u8]]) -> Vec<u8> {
        let mut request = Vec::new();
        write_request(argv, &mut request);
        self.send(&request);
        self.receive()
    }

    /// Sends requests to a server that may have closed the connection.
    pub(crate) fn try_send(&mut self, requests: &[u8]) {
        let _ = self.stream.get_mut().write_all(requests);
    }

    pub(crate) fn send(&mut self, requests: &[u8]) {
        self.stream.get_mut().write_all(requests).expect("the server listens");
    }

    /// All that has come so far, and whether the server has closed the connection.
    pub(crate) fn received(&mut self) -> (Vec<u8>, bool) {
        let mut received = self.stream.buffer().to_vec();
        self.stream.consume(received.len());
        let stream = self.stream.get_mut();
        stream.set_nonblocking(true).expect("a choice");
        let mut part = [0; 1 << 16];
        let mut read = stream.read(&mut part);
        while let Ok(length @ 1..) = read {
            received.extend_from_slice(&part[..length]);
            read = stream.read(&mut part);
        }
        let is_closed = !matches!(&read, Err(error) if error.kind() == ErrorKind::WouldBlock);
        stream.set_nonblocking(false).expect("a choice");
        (received, is_closed)
    }

    /// The bytes of the next reply.
    pub(crate) fn receive(&mut self) -> Vec<u8> {
        let mut reply = Vec::new();
        let mut expected = 1_i64;
        while expected > 0 {
            expected -= 1;
            let start = reply.len();
            self.stream.read_until(b'\n', &mut reply).expect("the server answers");
            let (marker, length) = header(&reply[start..]);
            match marker {
                b'$' | b'!' | b'=' if length >= 0 => {
                    let end = reply.len();
                    reply.resize(end + length as usize + 2, 0);
                    self.stream.read_exact(&mut reply[end..]).expect("a whole reply");
                }
                b'*' | b'~' | b'>' => expected += length.max(0),
                b'%' => expected += length * 2,
                _ => {}
            }
        }
        reply
    }
}

/// Appends a request.
pub(crate) fn write_request(argv: &[&[u8]], request: &mut Vec<u8>) {
    request.extend(format!("*{}\r\n", argv.len()).bytes());
    for argument in argv {
        request.extend(format!("${}\r\n", argument.len()).bytes());
        request.extend(*argument);
        request.extend(b"\r\n");
    }
}

/// A reply as a tree of its elements: scalars with all their bytes (the marker of what is absent is
/// always `_`), aggregates by their marker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reply {
    Scalar(u8, Vec<u8>),
    Aggregate(u8, Vec<Reply>),
}

impl Reply {
    /// Reads a whole reply.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let reply = Self::take(&mut rest);
        assert!(rest.is_empty(), "something behind a reply: {}", bytes.escape_ascii());
        reply
    }

    fn take(rest: &mut &[u8]) -> Self {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a line") + 2;
        let (line, behind) = rest.split_at(end);
        *rest = behind;
        let (marker, length) = header(line);
        match marker {
            b'$' | b'!' | b'=' if length >= 0 => {
                let (text, behind) = rest.split_at(length as usize + 2);
                *rest = behind;
                Self::Scalar(marker, text[..length as usize].to_vec())
            }
            b'*' | b'~' | b'>' | b'%' if length >= 0 => {
                let elements = if marker == b'%' { length * 2 } else { length };
                Self::Aggregate(marker, (0..elements).map(|_| Self::take(rest)).collect())
            }
            b'$' | b'*' => Self::Scalar(b'_', line.to_vec()),
            marker => Self::Scalar(marker, line[1..line.len() - 2].to_vec()),
        }
    }

    /// The elements of an aggregate; none of anything else.
    pub(crate) fn elements(&self) -> &[Self] {
        match self {
            Self::Aggregate(_, elements) => elements,
            Self::Scalar(..) => &[],
        }
    }

    /// With zero wherever there is minus zero.
    pub(crate) fn without_minus_zero(&self) -> Self {
        match self {
            Self::Scalar(marker, text) if text == b"-0" => Self::Scalar(*marker, b"0".to_vec()),
            Self::Scalar(marker, text) => Self::Scalar(*marker, text.clone()),
            Self::Aggregate(marker, elements) => {
                let elements = elements.iter().map(Self::without_minus_zero).collect();
                Self::Aggregate(*marker, elements)
            }
        }
    }

    /// The text of a scalar; nothing of an aggregate.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Scalar(_, text) => String::from_utf8_lossy(text).into_owned(),
            Self::Aggregate(..) => String::new(),
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Scalar(b':', digits) => std::str::from_utf8(digits).ok()?.parse().ok(),
            _ => None,
        }
    }
}

/// The marker of a line and its number, if it has one.
fn header(line: &[u8]) -> (u8, i64) {
    let text = std::str::from_utf8(&line[1..]).unwrap_or_default();
    (line[0], text.trim_end().parse().unwrap_or(0))
}
