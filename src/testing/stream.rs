//! Streams of bytes to a fake, with no socket.

use super::FakeRedis;
use crate::compat::RedisStream;

/// Streams of bytes with no socket; with the feature `redis-async`.
impl FakeRedis {
    /// Both directions of a connection as bytes, for the types of redis-rs that drive a connection
    /// of their own: see [`RedisStream`]. It has to give the password itself.
    ///
    /// ```
    /// # use larder::testing::FakeRedis;
    /// use redis::aio::PubSub;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let fake = FakeRedis::new();
    /// let info = redis::RedisConnectionInfo::default();
    /// let mut pubsub = PubSub::new(&info, fake.stream()).await?;
    /// pubsub.subscribe("news").await?;
    /// assert_eq!(fake.store().publish("news", "rain")?, 1);
    /// # Ok(())
    /// # }
    /// # tokio::runtime::Runtime::new()?.block_on(example())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stream(&self) -> RedisStream {
        RedisStream::open(&self.face, 0)
    }
}
