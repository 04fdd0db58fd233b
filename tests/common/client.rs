//! A client of a server, by a socket.

#![allow(dead_code, reason = "other tests use the rest")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use larder::server::Server;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A client that sees every byte.
pub(crate) struct Client<S = TcpStream>(pub(crate) S);

impl Client {
    pub(crate) fn of(server: &Server) -> Self {
        let stream = TcpStream::connect(server.tcp_address().expect("TCP")).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self(stream)
    }

    pub(crate) fn close_writing(&self) {
        self.0.shutdown(Shutdown::Write).expect("half a close");
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.write_all(bytes.as_ref()).expect("the server reads");
        self
    }

    /// Sends a request as an array of strings.
    pub(crate) fn call(&mut self, words: &[&str]) -> &mut Self {
        self.send(request(words))
    }

    pub(crate) fn expect(&mut self, wanted: impl AsRef<[u8]>) -> &mut Self {
        let wanted = wanted.as_ref();
        let mut reply = vec![0; wanted.len()];
        let outcome = self.0.read_exact(&mut reply);
        let (reply, wanted) = (text(&reply), text(wanted));
        let (got, want) = (excerpt(&reply), excerpt(&wanted));
        assert!(outcome.is_ok(), "{outcome:?} with {got:?} instead of {want:?}");
        assert!(reply == wanted, "{got:?} instead of {want:?}");
        self
    }

    /// One line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("a line");
            line.push(byte[0]);
        }
        line.truncate(line.len() - 2);
        text(&line)
    }

    /// A bulk or verbatim string.
    pub(crate) fn bulk(&mut self) -> String {
        let length = self.line()[1..].parse::<usize>().expect("a length");
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes).expect("a string");
        bytes.truncate(length);
        text(&bytes)
    }

    /// Everything up to the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => panic!("not closed: {error}, with {:?}", excerpt(&text(&bytes))),
        }
        text(&bytes)
    }

    pub(crate) fn expect_closed(&mut self) {
        assert_eq!(self.rest(), "");
    }
}

/// The beginning of some bytes.
fn excerpt(text: &str) -> &str {
    text.get(..200).unwrap_or(text)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(crate) fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}
