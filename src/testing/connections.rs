//! Connections of redis-rs to a fake, with no socket.

use redis::{RedisConnectionInfo, RedisResult};

use super::FakeRedis;
use crate::compat::RedisConnection;

/// Connections of redis-rs with no socket.
impl FakeRedis {
    /// A connection for redis-rs, with no socket, that has given the password: see
    /// [`Store::redis_connection`](crate::Store::redis_connection). Code that wants a
    /// `MultiplexedConnection` or a `PubSub` of redis-rs has it drive the `redis_stream()` of the
    /// [`store`](Self::store), with the feature `redis-async`, or connects to the
    /// [`url`](Self::url).
    ///
    /// ```
    /// # use larder::testing::FakeRedis;
    /// use redis::Commands;
    ///
    /// let fake = FakeRedis::new();
    /// let mut connection = fake.connection();
    /// assert_eq!(connection.incr::<_, _, i64>("n", 1)?, 1);
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn connection(&self) -> RedisConnection {
        let info = RedisConnectionInfo::default();
        let info = match &self.password {
            Some(password) => info.set_password(password),
            None => info,
        };
        // With the right password nothing can go wrong but a lack of places, which shows in use.
        self.connection_with(&info).unwrap_or_else(|_| RedisConnection::open(&self.face, 0))
    }

    /// A connection that is set up as redis-rs sets up a new one; the password must be given.
    ///
    /// # Errors
    ///
    /// Those of the commands that set it up.
    ///
    /// ```
    /// # use larder::testing::FakeRedis;
    /// let fake = FakeRedis::builder().password("secret").build();
    /// let info = redis::RedisConnectionInfo::default().set_password("wrong");
    /// assert!(fake.connection_with(&info).is_err());
    /// ```
    pub fn connection_with(&self, info: &RedisConnectionInfo) -> RedisResult<RedisConnection> {
        RedisConnection::open_with(&self.face, 0, info)
    }
}
