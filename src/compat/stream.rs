//! Both directions of a connection as bytes, in memory.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::bell::Bell;
use crate::session::{Face, Session};
use crate::store::Store;
use crate::sync::Arc;

/// A connection to a [`Store`](crate::Store) as a stream of bytes that never leaves this process:
/// what a socket is to a server. [`Store::redis_stream`](crate::Store::redis_stream) makes one.
///
/// It is what redis-rs's [`MultiplexedConnection`](redis::aio::MultiplexedConnection),
/// [`PubSub`](redis::aio::PubSub) and [`Monitor`](redis::aio::Monitor) are built over when code
/// wants these very types, or messages of subscriptions and RESP3's push messages. Commands run in
/// the task that writes. A write waits while the other end has a megabyte to read or runs a
/// blocking command with much behind it.
///
/// ```
/// use redis::{AsyncCommands, AsyncConnectionConfig, RedisConnectionInfo};
/// use redis::aio::{MultiplexedConnection, PubSub};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = larder::Store::new();
/// let info = RedisConnectionInfo::default();
///
/// let config = AsyncConnectionConfig::new();
/// let (mut connection, driver) =
///     MultiplexedConnection::new_with_config(&info, store.redis_stream(), config).await?;
/// tokio::spawn(driver);
/// let _: () = connection.set("greeting", "hello").await?;
/// assert_eq!(store.kv().get("greeting")?.unwrap(), "hello");
///
/// let (mut sink, mut messages) = PubSub::new(&info, store.redis_stream()).await?.split();
/// sink.subscribe("news").await?;
/// let receivers: usize = connection.publish("news", "rain").await?;
/// assert_eq!(receivers, 1);
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new()?.block_on(example())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedisStream {
    /// Nothing once the connection is closed.
    session: Option<Session>,
    bell: Arc<Bell>,
}

/// Streams of bytes to this store; with the feature `redis-async`.
impl Store {
    /// Both directions of a connection as bytes, in memory: for the types of redis-rs that drive a
    /// connection of their own, [`MultiplexedConnection`](redis::aio::MultiplexedConnection),
    /// [`PubSub`](redis::aio::PubSub) and [`Monitor`](redis::aio::Monitor). See [`RedisStream`].
    ///
    /// It is a client beside those of [`redis_connection`](Self::redis_connection), and begins in
    /// the store's database.
    ///
    /// ```
    /// use redis::aio::PubSub;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = larder::Store::new();
    /// let info = redis::RedisConnectionInfo::default();
    /// let mut pubsub = PubSub::new(&info, store.redis_stream()).await?;
    /// pubsub.psubscribe("new*").await?;
    /// assert_eq!(store.publish("news", "rain")?, 1);
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Runtime::new()?.block_on(example())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn redis_stream(&self) -> RedisStream {
        RedisStream::open(&Face::of(self), self.number())
    }
}

impl RedisStream {
    /// A stream to a session that begins in a database; closed if there are too many clients.
    pub(crate) fn open(face: &Face, database: u16) -> Self {
        let bell = Arc::<Bell>::default();
        Self { session: super::connect(face, database, &bell), bell }
    }

    /// Has what others have for the session come into its output.
    fn wake_up(&mut self) {
        if let Some(session) = &mut self.session {
            session.wake();
        }
    }

    /// Moves output into `buffer`; answers whether there was any, or none will ever come.
    fn take(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let Some(session) = &mut self.session else { return true };
        let output = session.output();
        let count = output.len().min(buffer.remaining());
        buffer.put_slice(&output[..count]);
        session.written(count);
        if session.is_done() {
            self.session = None;
        }
        // A writer may have waited for the room.
        if count > 0 {
            self.bell.ring();
        }
        count > 0 || self.session.is_none()
    }
}

impl AsyncRead for RedisStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if buffer.remaining() == 0 || stream.take(buffer) {
            return Poll::Ready(Ok(()));
        }
        stream.bell.register(context.waker());
        stream.wake_up();
        if stream.take(buffer) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for RedisStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if stream.session.as_ref().is_some_and(|session| !session.wants_input()) {
            stream.bell.register(context.waker());
            stream.wake_up();
        }
        match &mut stream.session {
            Some(session) if session.wants_input() => {
                session.receive(bytes);
                // A reader in another task may wait for what this has brought.
                stream.bell.ring();
                Poll::Ready(Ok(bytes.len()))
            }
            Some(session) if !session.is_done() => Poll::Pending,
            _ => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        stream.session = None;
        stream.bell.ring();
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for RedisStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_open = self.session.is_some();
        f.debug_struct("RedisStream").field("is_open", &is_open).finish_non_exhaustive()
    }
}
