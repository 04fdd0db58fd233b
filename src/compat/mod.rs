//! Connections of [redis-rs](https://docs.rs/redis) to a store in this process, with no socket.
//!
//! - [`connection`]: what redis-rs calls a `ConnectionLike`, for threads;
//! - [`exchange`]: requests and their replies, which both interfaces wait for;
//! - [`futures`]: the same connection for futures; [`stream`]: bytes in both directions, for the
//!   types of redis-rs that want to drive a connection themselves;
//! - [`bell`]: who is to be woken.
//!
//! Nothing here knows a command: requests go to a [`Session`] as bytes, and replies are parsed by
//! redis-rs itself, so its users see what they would see over a socket.

mod bell;
mod connection;
mod exchange;
#[cfg(feature = "redis-async")]
mod futures;
#[cfg(feature = "redis-async")]
mod stream;

use redis::{RedisConnectionInfo, RedisResult};

pub use connection::RedisConnection;
#[cfg(feature = "redis-async")]
pub use stream::RedisStream;

use bell::Bell;

use crate::session::{Face, Peer, Session};
use crate::store::Store;
use crate::sync::Arc;

/// Connections of redis-rs to this store; with the feature `redis`.
///
/// All of them share what the clients of one server do: `CONFIG SET`, `CLIENT LIST`, sharded
/// channels, and so on, for as long as one of them is open.
impl Store {
    /// A connection for [redis-rs](redis) 1.x, with no socket: code that takes a
    /// [`redis::ConnectionLike`] or uses [`redis::Commands`] runs unchanged against this store.
    /// Code that uses an older redis-rs connects to a server of this store (feature `server`).
    ///
    /// It speaks RESP2 and begins in the store's database. Needs the feature `redis`; with
    /// `redis-async` it is a `redis::aio::ConnectionLike` too. See [`RedisConnection`] for what
    /// works and what does not. While it lives it is a handle of the store.
    ///
    /// ```
    /// use redis::Commands;
    ///
    /// fn visits(redis: &mut impl redis::ConnectionLike, page: &str) -> redis::RedisResult<u64> {
    ///     redis.incr(format!("visits:{page}"), 1)
    /// }
    ///
    /// let store = larder::Store::new();
    /// let mut connection = store.redis_connection();
    /// assert_eq!(visits(&mut connection, "home")?, 1);
    /// assert_eq!(visits(&mut connection, "home")?, 2);
    /// // The store is there beside the connection.
    /// assert_eq!(store.kv().get_as::<u64>("visits:home")?, Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn redis_connection(&self) -> RedisConnection {
        RedisConnection::open(&Face::of(self), self.number())
    }

    /// A connection as [`redis_connection`](Self::redis_connection) makes it, set up as redis-rs
    /// sets up a new one: with RESP3, a database, a name of the library, a user and password.
    /// Database 0 stands for the store's own.
    ///
    /// # Errors
    ///
    /// Those of the commands that set it up: no such database, or a wrong password.
    ///
    /// ```
    /// use redis::{Commands, ProtocolVersion, RedisConnectionInfo};
    /// # let store = larder::Store::new();
    ///
    /// let info = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3).set_db(2);
    /// let mut connection = store.redis_connection_with(&info)?;
    /// let _: () = connection.zadd("board", "ada", 1.5)?;
    /// assert_eq!(store.database(2)?.sorted_set("board").score("ada")?.unwrap(), 1.5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn redis_connection_with(
        &self,
        info: &RedisConnectionInfo,
    ) -> RedisResult<RedisConnection> {
        RedisConnection::open_with(&Face::of(self), self.number(), info)
    }
}

/// A session in a database, unless there are too many clients.
fn connect(face: &Face, database: u16, bell: &Arc<Bell>) -> Option<Session> {
    let here = String::from("in-process:0");
    let peer = Peer { address: here.clone(), local: here, descriptor: -1, is_unix: false };
    let mut session = face.connect(peer, bell.waker()).ok()?;
    if database != 0 {
        session.execute(&[b"SELECT", database.to_string().as_bytes()]);
        session.take_output();
    }
    Some(session)
}
