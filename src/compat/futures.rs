//! A connection of redis-rs, for futures. No runtime is needed: replies come with the wakers of
//! whoever polls.

use std::borrow::Cow;

use redis::{Cmd, Pipeline, RedisFuture, Value};

use super::connection::{RedisConnection, refuse_empty};
use super::exchange::behind;

impl redis::aio::ConnectionLike for RedisConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let request = command.get_packed_command();
            refuse_empty(&request)?;
            let wanted = usize::from(!command.is_no_response());
            let replies = self.line.send(Cow::Owned(request), wanted).await?;
            Ok(replies.into_iter().next().unwrap_or(Value::Nil))
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let requests = pipeline.get_packed_pipeline();
            refuse_empty(&requests)?;
            behind(self.line.send(Cow::Owned(requests), offset + count).await?, offset)
        })
    }

    fn get_db(&self) -> i64 {
        self.database
    }
}
