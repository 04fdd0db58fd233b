//! A connection of redis-rs, for threads.

use std::borrow::Cow;
use std::fmt;

use redis::{Cmd, ErrorKind, RedisConnectionInfo, RedisResult, Value};

use super::exchange::{Line, behind};
use crate::session::Face;
use crate::sync::Arc;

/// A connection of [redis-rs](redis) to a [`Store`](crate::Store) in this process: no socket, no
/// thread, no server. [`Store::redis_connection`](crate::Store::redis_connection) makes one.
///
/// It is a [`redis::ConnectionLike`], so [`redis::Commands`], [`redis::TypedCommands`],
/// [`redis::Cmd`], pipelines (atomic or not) and [`redis::transaction`] work with it; with the
/// feature `redis-async` it is a `redis::aio::ConnectionLike` too, for the asynchronous ones, on
/// any runtime. Replies, errors and their kinds are those that a server of Redis 7 would give.
///
/// - **Clones share one connection**, as those of redis-rs's multiplexed connection do: its
///   database, its `WATCH`, its transaction; their requests run one after the other. For a
///   connection of its own ask the store for another one.
/// - **Blocking commands** (`BZPOPMIN`, `XREAD BLOCK`, ...) block the calling thread, or leave the
///   future pending. Their timeouts follow the store's clock: with a
///   [`ManualClock`](crate::ManualClock) they end when it is advanced. A future that is dropped
///   while it waits gives up, and takes no element; over a socket the server would still take it.
/// - **Messages** of subscriptions are not read by it: use
///   [`Store::subscribe`](crate::Store::subscribe), or redis-rs's `PubSub` over
///   `Store::redis_stream`.
/// - **Not there**: scripts (`EVAL`, `FCALL`), modules, cluster, and commands that Larder does not
///   have; they are answered as Redis answers an unknown command.
/// - A transaction that one of its queued commands has spoilt is an error of the same kind as over
///   a socket, `ExecAbort`, but does not list the errors one by one.
/// - A request to which no reply will come (after `CLIENT REPLY OFF`) is an error; over a socket it
///   would wait for ever.
///
/// ```
/// use std::time::Duration;
/// use larder::{ManualClock, Store};
/// use redis::Commands;
///
/// let clock = ManualClock::new();
/// let store = Store::builder().clock(&clock).build();
/// let mut connection = store.redis_connection();
///
/// let (count,): (i64,) = redis::pipe()
///     .atomic()
///     .incr("hits", 1).ignore()
///     .expire("hits", 60).ignore()
///     .incr("hits", 1)
///     .query(&mut connection)?;
/// assert_eq!(count, 2);
///
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(connection.get::<_, Option<i64>>("hits")?, None);
/// # Ok::<(), redis::RedisError>(())
/// ```
#[derive(Clone)]
pub struct RedisConnection {
    pub(super) line: Arc<Line>,
    pub(super) database: i64,
}

impl RedisConnection {
    /// A connection that begins in a database.
    pub(crate) fn open(face: &Face, database: u16) -> Self {
        Self { line: Arc::new(Line::open(face, database)), database: i64::from(database) }
    }

    /// A connection that is set up; `database` is for one that asks for none.
    pub(crate) fn open_with(
        face: &Face,
        database: u16,
        info: &RedisConnectionInfo,
    ) -> RedisResult<Self> {
        let mut connection = Self::open(face, database);
        let login = info.password().map(|password| (info.username(), password));
        let mut setup = redis::pipe();
        if info.protocol().supports_resp3() {
            setup.cmd("HELLO").arg(3);
            if let Some((user, password)) = login {
                setup.arg("AUTH").arg(user.unwrap_or("default")).arg(password);
            }
        } else if let Some((user, password)) = login {
            setup.cmd("AUTH").arg(user).arg(password);
        }
        if info.db() != 0 {
            setup.cmd("SELECT").arg(info.db());
            connection.database = info.db();
        } else if login.is_some() && database != 0 {
            // What was asked for first was refused for the want of a password.
            setup.cmd("SELECT").arg(database);
        }
        if let (Some(name), Some(version)) = (info.lib_name(), info.lib_ver()) {
            setup.cmd("CLIENT").arg("SETINFO").arg("LIB-NAME").arg(name);
            setup.cmd("CLIENT").arg("SETINFO").arg("LIB-VER").arg(version);
        }
        if !setup.is_empty() {
            setup.exec(&mut connection)?;
        }
        Ok(connection)
    }
}

impl fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConnection").field("database", &self.database).finish_non_exhaustive()
    }
}

impl redis::ConnectionLike for RedisConnection {
    fn req_packed_command(&mut self, request: &[u8]) -> RedisResult<Value> {
        refuse_empty(request)?;
        let replies = self.line.send(Cow::Borrowed(request), 1).wait()?;
        Ok(replies.into_iter().next().unwrap_or(Value::Nil))
    }

    fn req_packed_commands(
        &mut self,
        requests: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        refuse_empty(requests)?;
        behind(self.line.send(Cow::Borrowed(requests), offset + count).wait()?, offset)
    }

    fn req_command(&mut self, command: &Cmd) -> RedisResult<Value> {
        let request = command.get_packed_command();
        refuse_empty(&request)?;
        let wanted = usize::from(!command.is_no_response());
        let replies = self.line.send(Cow::Owned(request), wanted).wait()?;
        Ok(replies.into_iter().next().unwrap_or(Value::Nil))
    }

    fn get_db(&self) -> i64 {
        self.database
    }

    fn check_connection(&mut self) -> bool {
        redis::cmd("PING").query::<String>(self).is_ok()
    }

    fn is_open(&self) -> bool {
        self.line.is_open()
    }
}

pub(super) fn refuse_empty(request: &[u8]) -> RedisResult<()> {
    match request.is_empty() {
        true => Err((ErrorKind::Client, "empty command").into()),
        false => Ok(()),
    }
}
