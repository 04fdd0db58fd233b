//! redis-rs's asynchronous interface over a store in this process: with no runtime, and with its
//! own types over a stream in memory.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::StreamExt;
use larder::{ManualClock, RedisConnection, Store};
use redis::aio::{MultiplexedConnection, PubSub, transaction_async};
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{
    AsyncCommands, AsyncConnectionConfig, AsyncTypedCommands, ErrorKind, ProtocolVersion, PushInfo,
    PushKind, RedisConnectionInfo, RedisResult, ServerErrorKind, Value, cmd, pipe,
};

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls a future once that must be ready by then.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

fn info(protocol: ProtocolVersion) -> RedisConnectionInfo {
    RedisConnectionInfo::default().set_protocol(protocol)
}

async fn multiplexed(store: &Store, protocol: ProtocolVersion) -> MultiplexedConnection {
    let (info, config) = (info(protocol), AsyncConnectionConfig::new());
    let (connection, driver) =
        MultiplexedConnection::new_with_config(&info, store.redis_stream(), config).await.unwrap();
    tokio::spawn(driver);
    connection
}

/// Every family of commands over any connection, as generic code sends them.
async fn tour(con: &mut (impl redis::aio::ConnectionLike + Send + Sync + Clone)) {
    cmd("FLUSHALL").exec_async(con).await.unwrap();
    AsyncTypedCommands::set(con, "a", 1).await.unwrap();
    assert_eq!(AsyncTypedCommands::incr(con, "a", 41).await.unwrap(), 42);
    let all: Vec<Option<i64>> = AsyncCommands::mget(con, &["a", "b"]).await.unwrap();
    assert_eq!(all, [Some(42), None]);

    AsyncTypedCommands::zadd_multiple(con, "board", &[(1, "ada"), (2, "bob")]).await.unwrap();
    let top: Vec<(String, f64)> =
        AsyncCommands::zrevrange_withscores(con, "board", 0, 0).await.unwrap();
    assert_eq!(top, [("bob".into(), 2.0)]);

    AsyncTypedCommands::hset(con, "user", "name", "ada").await.unwrap();
    assert_eq!(AsyncTypedCommands::hgetall(con, "user").await.unwrap()["name"], "ada");
    AsyncTypedCommands::sadd(con, "set", &["a", "b", "a"]).await.unwrap();
    assert_eq!(AsyncTypedCommands::smembers(con, "set").await.unwrap().len(), 2);
    AsyncTypedCommands::rpush(con, "list", &["a", "b"]).await.unwrap();
    assert_eq!(AsyncTypedCommands::lrange(con, "list", 0, -1).await.unwrap(), ["a", "b"]);

    AsyncTypedCommands::xgroup_create_mkstream(con, "jobs", "g", "0").await.unwrap();
    AsyncTypedCommands::xadd(con, "jobs", "*", &[("do", "wash")]).await.unwrap();
    let options = StreamReadOptions::default().group("g", "c");
    let read: Option<StreamReadReply> =
        AsyncCommands::xread_options(con, &["jobs"], &[">"], &options).await.unwrap();
    assert_eq!(read.unwrap().keys[0].ids[0].get::<String>("do").as_deref(), Some("wash"));

    let (n, text): (i64, String) = pipe()
        .atomic()
        .incr("n", 5)
        .set("t", "x")
        .ignore()
        .get("t")
        .query_async(con)
        .await
        .unwrap();
    assert_eq!((n, text.as_str()), (5, "x"));
    let (n,): (i64,) = transaction_async(con.clone(), &["n"], async |mut con, mut pipe| {
        let n: i64 = AsyncCommands::get(&mut con, "n").await?;
        pipe.set("n", n * 2).ignore().get("n").query_async(&mut con).await
    })
    .await
    .unwrap();
    assert_eq!(n, 10);

    let error = AsyncTypedCommands::incr(con, "t", 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
    let aborted = pipe().atomic().cmd("NONSENSE").exec_async(con).await.unwrap_err();
    assert_eq!(aborted.kind(), ErrorKind::Server(ServerErrorKind::ExecAbort));
    let found: Option<(String, String, f64)> =
        cmd("BZPOPMIN").arg("board").arg(0).query_async(con).await.unwrap();
    assert_eq!(found, Some(("board".into(), "ada".into(), 1.0)));
}

#[test]
fn every_family_needs_no_runtime() {
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let store = Store::new();
        let mut connection = store.redis_connection_with(&info(protocol)).unwrap();
        now(tour(&mut connection));
    }
}

#[test]
fn a_blocking_call_is_pending_until_it_is_woken() {
    let store = Store::new();
    let mut connection = store.redis_connection();
    let command = cmd("BZPOPMIN").arg("queue").arg(0).to_owned();
    let bell = Arc::<Bell>::default();
    let waker = Waker::from(Arc::clone(&bell));
    let mut call = pin!(command.query_async::<(String, String, f64)>(&mut connection));
    assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(bell.0.load(Ordering::SeqCst), 0);
    store.sorted_set("queue").add("job", 1.0).unwrap();
    assert!(bell.0.load(Ordering::SeqCst) > 0);
    let Poll::Ready(popped) = call.poll(&mut Context::from_waker(&waker)) else {
        panic!("woken, but with nothing");
    };
    assert_eq!(popped.unwrap().1, "job");
}

#[test]
fn a_blocking_call_ends_when_the_clock_is_advanced() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    let mut connection = store.redis_connection();
    let command = cmd("BZPOPMIN").arg("queue").arg(30).to_owned();
    let mut call = pin!(command.query_async::<Value>(&mut connection));
    let mut context = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut context).is_pending());
    clock.advance(Duration::from_secs(30));
    assert!(matches!(call.poll(&mut context), Poll::Ready(Ok(Value::Nil))));
}

#[test]
fn a_call_that_is_dropped_takes_no_element_and_leaves_the_connection_usable() {
    let store = Store::new();
    let mut connection = store.redis_connection();
    {
        let waiting = pipe().cmd("BZPOPMIN").arg("queue").arg(0).incr("n", 1).to_owned();
        let call = pin!(waiting.query_async::<Value>(&mut connection));
        assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    store.sorted_set("queue").add("job", 1.0).unwrap();
    assert_eq!(store.sorted_set("queue").len().unwrap(), 1);
    assert_eq!(now(AsyncTypedCommands::incr(&mut connection, "n", 1)).unwrap(), 1);
}

#[test]
fn clones_wait_for_their_turn() {
    let store = Store::new();
    let (mut first, mut context) = (store.redis_connection(), Context::from_waker(Waker::noop()));
    let mut second: RedisConnection = first.clone();
    let command = cmd("BZPOPMIN").arg("queue").arg(0).to_owned();
    let mut blocked = pin!(command.query_async::<Value>(&mut first));
    assert!(blocked.as_mut().poll(&mut context).is_pending());
    let bell = Arc::<Bell>::default();
    let waker = Waker::from(Arc::clone(&bell));
    let mut behind = pin!(AsyncTypedCommands::incr(&mut second, "n", 1));
    assert!(behind.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    store.sorted_set("queue").add("job", 1.0).unwrap();
    assert!(blocked.poll(&mut context).is_ready());
    assert!(bell.0.load(Ordering::SeqCst) > 0);
    assert!(matches!(behind.poll(&mut context), Poll::Ready(Ok(1))));
}

#[tokio::test]
async fn every_family_over_a_multiplexed_connection() {
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let store = Store::new();
        tour(&mut multiplexed(&store, protocol).await).await;
        assert_eq!(store.kv().get_as::<i64>("n").unwrap(), Some(10));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_a_multiplexed_connection() {
    let store = Store::new();
    let connection = multiplexed(&store, ProtocolVersion::RESP3).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let mut connection = connection.clone();
            tokio::spawn(async move {
                for _ in 0..50 {
                    AsyncTypedCommands::incr(&mut connection, "n", 1).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(store.kv().get_as::<i64>("n").unwrap(), Some(1000));
}

#[tokio::test]
async fn large_values_go_through_a_stream() {
    let store = Store::new();
    let mut connection = multiplexed(&store, ProtocolVersion::RESP2).await;
    let value = vec![7_u8; 3 << 20];
    AsyncTypedCommands::set(&mut connection, "big", &value).await.unwrap();
    let all: Vec<Vec<u8>> = (0..5)
        .fold(&mut pipe(), |pipe, _| pipe.get("big"))
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(all.iter().all(|one| *one == value));
}

#[tokio::test]
async fn a_subscriber_of_redis_rs_gets_messages() {
    let store = Store::new();
    let pubsub = PubSub::new(&info(ProtocolVersion::RESP2), store.redis_stream()).await.unwrap();
    let (mut sink, mut messages) = pubsub.split();
    sink.subscribe(&["news", "weather"]).await.unwrap();
    sink.psubscribe("n*").await.unwrap();
    assert_eq!(store.publish("news", "rain").unwrap(), 2);
    let first = next(&mut messages).await;
    assert_eq!((first.get_channel_name(), first.get_payload_bytes()), ("news", &b"rain"[..]));
    let second = next(&mut messages).await;
    assert_eq!(second.get_pattern::<String>().unwrap(), "n*");
    sink.unsubscribe("news").await.unwrap();
    assert_eq!(store.publish("news", "sun").unwrap(), 1);
    drop((sink, messages));
    while store.publish("news", "nobody").unwrap() > 0 {
        tokio::task::yield_now().await;
    }
}

async fn next(messages: &mut redis::aio::PubSubStream) -> redis::Msg {
    messages.next().await.unwrap()
}

#[tokio::test]
async fn push_messages_reach_their_receiver() {
    let store = Store::new();
    let (pushed, mut pushes) = tokio::sync::mpsc::unbounded_channel::<PushInfo>();
    let config = AsyncConnectionConfig::new().set_push_sender(pushed);
    let info = info(ProtocolVersion::RESP3);
    let (mut connection, driver) =
        MultiplexedConnection::new_with_config(&info, store.redis_stream(), config).await.unwrap();
    tokio::spawn(driver);
    connection.subscribe("news").await.unwrap();
    assert_eq!(pushes.recv().await.unwrap().kind, PushKind::Subscribe);
    store.publish("news", "rain").unwrap();
    let message = pushes.recv().await.unwrap();
    assert_eq!(message.kind, PushKind::Message);
    assert_eq!(message.data[1], Value::BulkString(b"rain".to_vec()));
    assert_eq!(AsyncTypedCommands::incr(&mut connection, "n", 1).await.unwrap(), 1);
}

#[tokio::test]
async fn a_blocking_call_over_a_stream_is_answered_by_another_connection() {
    let store = Store::new();
    let mut reader = multiplexed(&store, ProtocolVersion::RESP2).await;
    let waiting = tokio::spawn(async move {
        let command = cmd("BZPOPMIN").arg("queue").arg(0).to_owned();
        command.query_async::<(String, String, f64)>(&mut reader).await
    });
    tokio::task::yield_now().await;
    let mut writer = multiplexed(&store, ProtocolVersion::RESP2).await;
    AsyncTypedCommands::zadd(&mut writer, "queue", "job", 1).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().1, "job");
}

#[tokio::test]
async fn a_killed_stream_is_a_dropped_connection() {
    let store = Store::new();
    let mut connection = multiplexed(&store, ProtocolVersion::RESP2).await;
    let id: i64 = cmd("CLIENT").arg("ID").query_async(&mut connection).await.unwrap();
    cmd("CLIENT").arg("KILL").arg("ID").arg(id).exec(&mut store.redis_connection()).unwrap();
    let outcome: RedisResult<Option<String>> = AsyncTypedCommands::get(&mut connection, "a").await;
    assert!(outcome.unwrap_err().is_connection_dropped());
}
