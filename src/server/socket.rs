//! TCP and unix sockets as one: listeners and streams that never block.

use std::fmt;
use std::io::{self, Read, Write};
#[cfg(unix)]
use std::path::Path;
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};

use super::Address;
use crate::session::Peer;

/// A socket that listens. Dropping it removes the file of a unix socket.
pub(super) struct Listener {
    socket: ListenerSocket,
    address: Address,
}

enum ListenerSocket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    /// Listens on the first address that a name stands for and that can be listened on.
    pub(super) fn tcp(address: &str) -> io::Result<Self> {
        Self::on_tcp(address).map_err(|error| named(address, error))
    }

    fn on_tcp(address: &str) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = Address::Tcp(listener.local_addr()?);
        Ok(Self { socket: ListenerSocket::Tcp(TcpListener::from_std(listener)), address })
    }

    #[cfg(unix)]
    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        Self::on_unix(path).map_err(|error| named(path.display(), error))
    }

    #[cfg(unix)]
    fn on_unix(path: &Path) -> io::Result<Self> {
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
                std::fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            outcome => outcome?,
        };
        let address = Address::Unix(path.to_owned());
        Ok(Self { socket: ListenerSocket::Unix(listener), address })
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The next client that waits. One over TCP is asked whether it is still there once it has
    /// been silent for `keep_alive`, and given up after two thirds as long again.
    pub(super) fn accept(&self, keep_alive: Option<Duration>) -> io::Result<Stream> {
        match &self.socket {
            ListenerSocket::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                // Replies are written whole; waiting for more would only delay them.
                stream.set_nodelay(true)?;
                if let Some(silence) = keep_alive {
                    SockRef::from(&stream).set_tcp_keepalive(&questions(silence))?;
                }
                Ok(Stream::Tcp(stream))
            }
            #[cfg(unix)]
            ListenerSocket::Unix(listener) => Ok(Stream::Unix(listener.accept()?.0)),
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match &mut self.socket {
            ListenerSocket::Tcp(listener) => listener.register(registry, token, Interest::READABLE),
            #[cfg(unix)]
            ListenerSocket::Unix(listener) => {
                listener.register(registry, token, Interest::READABLE)
            }
        }
    }
}

/// An error that says where the listener was to be.
fn named(place: impl fmt::Display, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{place}: {error}"))
}

/// Three questions, of which the first comes after so long a silence.
fn questions(silence: Duration) -> TcpKeepalive {
    let pause = (silence / 3).max(Duration::from_secs(1));
    TcpKeepalive::new().with_time(silence).with_interval(pause).with_retries(3)
}

/// Whether the file is that of a unix socket on which nobody listens.
#[cfg(unix)]
fn is_abandoned(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    is_socket
        && std::os::unix::net::UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Address::Unix(path) = &self.address {
            // Somebody else may have removed it.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A client's socket.
pub(super) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    pub(super) fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            #[cfg(unix)]
            Self::Unix(stream) => stream,
        }
    }

    /// Whether the client is on this machine.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Tcp(stream) => {
                stream.peer_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback())
            }
            #[cfg(unix)]
            Self::Unix(_) => true,
        }
    }

    /// Both ends, as `CLIENT LIST` tells them.
    pub(super) fn peer(&self) -> Peer {
        let descriptor = self.descriptor();
        match self {
            Self::Tcp(stream) => {
                let text = |address: io::Result<std::net::SocketAddr>| {
                    address.map(|address| address.to_string()).unwrap_or_default()
                };
                Peer {
                    address: text(stream.peer_addr()),
                    local: text(stream.local_addr()),
                    descriptor,
                    is_unix: false,
                }
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                let local = stream.local_addr().ok();
                let path = local.as_ref().and_then(|address| address.as_pathname());
                let path = path.unwrap_or(Path::new("")).display();
                let name = format!("{path}:0");
                Peer { address: name.clone(), local: name, descriptor, is_unix: true }
            }
        }
    }

    #[cfg(unix)]
    fn descriptor(&self) -> i64 {
        use std::os::fd::AsRawFd;
        match self {
            Self::Tcp(stream) => stream.as_raw_fd().into(),
            Self::Unix(stream) => stream.as_raw_fd().into(),
        }
    }

    #[cfg(not(unix))]
    fn descriptor(&self) -> i64 {
        -1
    }
}
