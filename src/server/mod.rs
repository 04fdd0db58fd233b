//! A server for clients of Redis: RESP2 and RESP3 over TCP and unix sockets.
//!
//! It opens a store of this process to `redis-cli` and to every client library. The rest of the
//! process goes on using the same store directly; both see the same data.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! use larder::Store;
//! use larder::server::Server;
//!
//! let store = Store::new();
//! let server = Server::builder(&store).tcp("127.0.0.1:0").start()?;
//!
//! let mut client = TcpStream::connect(server.tcp_address().unwrap())?;
//! client.write_all(b"SET greeting hello\r\n")?;
//! let mut reply = [0; 5];
//! client.read_exact(&mut reply)?;
//! assert_eq!(&reply, b"+OK\r\n");
//! assert_eq!(store.kv().get("greeting")?.unwrap(), "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Who may connect
//!
//! Whoever reaches the port, unless there is a [password](ServerBuilder::password). So the server
//! listens on the loopback interface unless it is told another address, and even then, as in Redis,
//! without a password it refuses clients from other machines while `protected-mode` is on, which it
//! is unless [set](ServerBuilder::config). There is no TLS.
//!
//! # Limits
//!
//! No client costs more memory than the limits allow, and none keeps the others waiting:
//! - what a client sends takes memory as it arrives, never as it is announced, up to
//!   `client-query-buffer-limit`; a client that has not given the password may send little;
//! - what a client does not read is kept up to `client-output-buffer-limit`, then the connection is
//!   closed; a client over a megabyte behind has its requests wait. As in Redis, only subscribers
//!   have a limit unless one is set: set one for `normal` clients where one might `MONITOR` and
//!   not read;
//! - turn by turn each connection gets one read of a few kilobytes, so a flood of requests delays
//!   others by as much only;
//! - an idle connection keeps no buffers.

// Files: `event_loop.rs`, a thread with its sockets; `connection.rs`, one socket and its session;
// `socket.rs`, TCP and unix sockets as one; `mailbox.rs`, how others reach a loop.
//
// Threading: a connection belongs to one loop for its life, and a loop is one thread. Loops share
// nothing but the store and their mailboxes. What a session waits for elsewhere wakes its loop by
// the mailbox.

mod connection;
mod event_loop;
mod mailbox;
mod socket;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use crate::session::{Face, FaceOptions};
use crate::store::Store;
use crate::sync::{Arc, Mutex};

use event_loop::EventLoop;
use mailbox::Mailbox;
use socket::Listener;

/// Where a [`Server`] listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An address and port; the port is the true one even if 0 was asked for.
    Tcp(SocketAddr),
    /// The file of a unix socket.
    Unix(PathBuf),
}

/// As clients of Redis take it: `redis://127.0.0.1:6379/` or `redis+unix:///tmp/larder.sock`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "redis://{address}/"),
            Self::Unix(path) => write!(f, "redis+unix://{}", path.display()),
        }
    }
}

/// A running server. It stops when it is dropped, when a client sends `SHUTDOWN`, or by
/// [`stop`](Self::stop).
///
/// It keeps its store alive.
pub struct Server {
    face: Face,
    addresses: Vec<Address>,
    mailboxes: Arc<[Arc<Mailbox>]>,
    /// Until they have been joined.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Server {
    /// A server of `store` with all its databases; nothing runs until
    /// [`start`](ServerBuilder::start).
    ///
    /// ```
    /// # use larder::{Store, server::Server};
    /// let server = Server::builder(&Store::new()).password("secret").max_clients(100).start()?;
    /// println!("listening on {}", server.url());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder(store: &Store) -> ServerBuilder {
        ServerBuilder {
            store: store.clone(),
            tcp: Vec::new(),
            unix: Vec::new(),
            threads: 1,
            password: None,
            config: Vec::new(),
        }
    }

    /// Where it listens, in the order in which it was asked to, TCP before unix sockets.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// The first TCP address, if there is one.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        self.addresses.iter().find_map(|address| match address {
            Address::Tcp(address) => Some(*address),
            Address::Unix(_) => None,
        })
    }

    /// The first address as a URL that clients take, such as `redis://127.0.0.1:6379/`. The
    /// password is not in it.
    pub fn url(&self) -> String {
        self.addresses[0].to_string()
    }

    /// How many clients are connected.
    ///
    /// ```
    /// # use larder::{Store, server::Server};
    /// let server = Server::builder(&Store::new()).start()?;
    /// assert_eq!(server.clients(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn clients(&self) -> usize {
        self.face.clients()
    }

    /// Stops the server: closes all connections and listeners, removes the files of unix sockets,
    /// and ends the threads. The store stays as it is; calls that blocked for clients end and lose
    /// nothing. Further calls do nothing.
    ///
    /// A stopped server still holds a handle of the store until it is dropped. So a store that
    /// keeps its data is not let go of by dropping the other handles: drop this too, or call
    /// [`Store::close`].
    ///
    /// Blocks until the requests that run have ended.
    ///
    /// ```
    /// # use larder::{Store, server::Server};
    /// let server = Server::builder(&Store::new()).start()?;
    /// let address = server.tcp_address().unwrap();
    /// server.stop();
    /// assert!(std::net::TcpStream::connect(address).is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stop(&self) {
        mailbox::stop_all(&self.mailboxes);
        self.wait();
    }

    /// Blocks until the server has stopped: until a client has sent `SHUTDOWN`, or another thread
    /// has called [`stop`](Self::stop).
    ///
    /// ```
    /// # use std::{io::Write, net::TcpStream};
    /// # use larder::{Store, server::Server};
    /// let server = Server::builder(&Store::new()).start()?;
    /// TcpStream::connect(server.tcp_address().unwrap())?.write_all(b"SHUTDOWN\r\n")?;
    /// server.wait();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "SHUTDOWN")]
    pub fn wait(&self) {
        for thread in self.threads.lock().drain(..) {
            if let Err(panic) = thread.join() {
                if thread::panicking() {
                    return;
                }
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// For the kit for tests.
#[cfg(feature = "testing")]
impl Server {
    pub(crate) fn face(&self) -> &Face {
        &self.face
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Settings of a [`Server`].
///
/// Without any address it listens on a free port of `127.0.0.1`.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it starts the server"]
pub struct ServerBuilder {
    store: Store,
    tcp: Vec<String>,
    unix: Vec<PathBuf>,
    threads: usize,
    password: Option<String>,
    config: Vec<(String, String)>,
}

impl ServerBuilder {
    /// Listens on a TCP address and port, such as `127.0.0.1:6379`; port 0 is a free one. It may be
    /// called several times.
    #[doc(alias = "bind")]
    #[doc(alias = "port")]
    pub fn tcp(mut self, address: impl Into<String>) -> Self {
        self.tcp.push(address.into());
        self
    }

    /// Listens on a unix socket, whose file is made by [`start`](Self::start) and removed when the
    /// server stops. A file that a dead server left is replaced.
    #[cfg(unix)]
    #[doc(alias = "unixsocket")]
    pub fn unix(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix.push(path.into());
        self
    }

    /// The password that clients must give with `AUTH` or `HELLO`.
    #[doc(alias = "requirepass")]
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self }
    }

    /// How many clients may be connected at once: 10,000, unless set. More get an error and are
    /// closed.
    #[doc(alias = "maxclients")]
    pub fn max_clients(self, clients: usize) -> Self {
        self.config("maxclients", clients.to_string())
    }

    /// How many threads serve connections: one, unless set, as in Redis. More pay off only when one
    /// is busy all the time.
    pub fn threads(self, threads: usize) -> Self {
        Self { threads: threads.max(1), ..self }
    }

    /// Sets what `CONFIG SET` sets, by the same names.
    ///
    /// ```
    /// # use larder::{Store, server::Server};
    /// let server = Server::builder(&Store::new())
    ///     .config("timeout", "300")
    ///     .config("client-output-buffer-limit", "normal 64mb 16mb 10")
    ///     .start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "CONFIG SET")]
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((name.into(), value.into()));
        self
    }

    /// Opens the sockets and starts the threads. When it returns, clients can connect.
    ///
    /// # Errors
    ///
    /// Those of the system, such as [`io::ErrorKind::AddrInUse`], with the address or path that
    /// they are about, and [`io::ErrorKind::InvalidInput`] for a setting that `CONFIG SET` would
    /// refuse. Nothing is left open then.
    pub fn start(mut self) -> io::Result<Server> {
        if self.tcp.is_empty() && self.unix.is_empty() {
            self.tcp.push("127.0.0.1:0".into());
        }
        let listeners = self.listeners()?;
        let addresses: Vec<Address> =
            listeners.iter().map(|listener| listener.address().clone()).collect();
        let mut polls = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in 0..self.threads {
            let poll = mio::Poll::new()?;
            mailboxes.push(Arc::new(Mailbox::new(poll.registry())?));
            polls.push(poll);
        }
        let mailboxes: Arc<[Arc<Mailbox>]> = mailboxes.into();
        let face = self.face(&addresses, Arc::clone(&mailboxes))?;
        let mut listeners = Some(listeners);
        let mut loops = Vec::new();
        for (place, poll) in polls.into_iter().enumerate() {
            // The first accepts, and deals connections out to all.
            let listeners = listeners.take().unwrap_or_default();
            let mailboxes = Arc::clone(&mailboxes);
            loops.push(EventLoop::new(poll, face.clone(), listeners, mailboxes, place)?);
        }
        let server = Server { face, addresses, mailboxes, threads: Mutex::default() };
        for event_loop in loops {
            let thread = thread::Builder::new().name("larder-server".into());
            server.threads.lock().push(thread.spawn(move || event_loop.run())?);
        }
        Ok(server)
    }

    fn listeners(&self) -> io::Result<Vec<Listener>> {
        let tcp = self.tcp.iter().map(|address| Listener::tcp(address));
        #[cfg(unix)]
        let tcp = tcp.chain(self.unix.iter().map(|path| Listener::unix(path)));
        tcp.collect()
    }

    fn face(&self, addresses: &[Address], mailboxes: Arc<[Arc<Mailbox>]>) -> io::Result<Face> {
        let port = addresses.iter().find_map(|address| match address {
            Address::Tcp(address) => Some(address.port()),
            Address::Unix(_) => None,
        });
        let face = Face::new(
            &self.store,
            FaceOptions {
                password: self.password.clone(),
                port: port.unwrap_or(0),
                on_shutdown: Some(Box::new(move || mailbox::stop_all(&mailboxes))),
            },
        );
        for (name, value) in &self.config {
            face.configure(name, value)
                .map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))?;
        }
        Ok(face)
    }
}
