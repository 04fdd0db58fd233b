//! redis-rs over a store in this process: its commands, pipelines, transactions, errors and
//! blocking calls, as its users write them.

#[path = "common/disk.rs"]
mod disk;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use disk::Disk;
use larder::persist::{self, Durability};
use larder::{ManualClock, RedisConnection, Store};
use redis::streams::{StreamId, StreamReadOptions, StreamReadReply};
use redis::{
    Commands, ConnectionLike, ErrorKind, ProtocolVersion, RedisConnectionInfo, RedisResult,
    ServerErrorKind, TypedCommands, Value, cmd, pipe,
};

/// A store whose clock stands still, and a connection of either protocol to it.
fn houses() -> Vec<(Store, ManualClock, RedisConnection)> {
    [ProtocolVersion::RESP2, ProtocolVersion::RESP3]
        .into_iter()
        .map(|protocol| {
            let clock = ManualClock::new();
            let store = Store::builder().clock(&clock).build();
            let info = RedisConnectionInfo::default().set_protocol(protocol);
            let connection = store.redis_connection_with(&info).unwrap();
            (store, clock, connection)
        })
        .collect()
}

fn store_and_connection() -> (Store, RedisConnection) {
    let store = Store::new();
    let connection = store.redis_connection();
    (store, connection)
}

/// Waits until as many clients are blocked.
fn await_blocked(store: &Store, count: usize) {
    let mut watcher = store.redis_connection();
    let wanted = format!("blocked_clients:{count}\r\n");
    loop {
        let info: String = cmd("INFO").arg("clients").query(&mut watcher).unwrap();
        if info.contains(&wanted) {
            return;
        }
        thread::yield_now();
    }
}

#[test]
fn strings_and_keys() {
    for (store, clock, mut connection) in houses() {
        let con = &mut connection;
        let _: () = Commands::set(con, "a", 1).unwrap();
        assert_eq!(TypedCommands::get_int(con, "a").unwrap(), Some(1));
        assert_eq!(TypedCommands::incr(con, "a", 41).unwrap(), 42);
        assert_eq!(TypedCommands::append(con, "a", "!").unwrap(), 3);
        assert_eq!(TypedCommands::getrange(con, "a", 0, 1).unwrap(), "42");
        TypedCommands::set_ex(con, "soon", "gone", 10).unwrap();
        assert_eq!(cmd("TTL").arg("soon").query::<i64>(con).unwrap(), 10);
        let both: Vec<Option<String>> = Commands::mget(con, &["a", "nothing"]).unwrap();
        assert_eq!(both, [Some("42!".into()), None]);
        assert_eq!(TypedCommands::del(con, &["a", "nothing"]).unwrap(), 1);
        assert!(!TypedCommands::exists(con, "a").unwrap());
        clock.advance(Duration::from_secs(10));
        assert_eq!(TypedCommands::get(con, "soon").unwrap(), None);
        let binary = [0_u8, 255, b'\r', b'\n'];
        TypedCommands::set(con, &binary[..], &binary[..]).unwrap();
        assert_eq!(store.kv().get(binary).unwrap().unwrap(), binary[..]);
        let ratio: f64 = cmd("INCRBYFLOAT").arg("ratio").arg(0.1).query(con).unwrap();
        assert_eq!(ratio, 0.1);
    }
}

#[test]
fn scans_go_over_all_keys() {
    for (_, _, mut connection) in houses() {
        for number in 0..100 {
            TypedCommands::set(&mut connection, format!("key:{number}"), number).unwrap();
        }
        let options = redis::ScanOptions::default().with_pattern("key:1*").with_count(7);
        let found: RedisResult<Vec<String>> =
            Commands::scan_options(&mut connection, options).unwrap().collect();
        assert_eq!(found.unwrap().len(), 11);
    }
}

#[test]
fn sorted_sets() {
    for (_, _, mut connection) in houses() {
        let con = &mut connection;
        let scores = [(1.5, "ada"), (3.0, "bob"), (2.0, "cyd")];
        assert_eq!(TypedCommands::zadd_multiple(con, "board", &scores).unwrap(), 3);
        let ranked: Vec<(String, f64)> =
            Commands::zrevrange_withscores(con, "board", 0, -1).unwrap();
        assert_eq!(ranked, [("bob".into(), 3.0), ("cyd".into(), 2.0), ("ada".into(), 1.5)]);
        assert_eq!(TypedCommands::zrank(con, "board", "cyd").unwrap(), Some(1));
        assert_eq!(TypedCommands::zscore(con, "board", "nobody").unwrap(), None);
        assert_eq!(TypedCommands::zincr(con, "board", "ada", 5).unwrap(), 6.5);
        let popped: Vec<(String, f64)> = Commands::zpopmax(con, "board", 1).unwrap();
        assert_eq!(popped, [("ada".into(), 6.5)]);
        let pairs: RedisResult<Vec<(String, f64)>> =
            Commands::zscan(con, "board").unwrap().collect();
        assert_eq!(pairs.unwrap().len(), 2);
    }
}

#[test]
fn hashes() {
    for (_, clock, mut connection) in houses() {
        let con = &mut connection;
        TypedCommands::hset_multiple(con, "user", &[("name", "ada"), ("age", "36")]).unwrap();
        let all = TypedCommands::hgetall(con, "user").unwrap();
        assert_eq!((all.len(), all["name"].as_str()), (2, "ada"));
        let age: i64 = Commands::hincr(con, "user", "age", 1).unwrap();
        assert_eq!(age, 37);
        assert_eq!(TypedCommands::hget(con, "user", "nothing").unwrap(), None);
        let fields: RedisResult<Vec<(String, String)>> =
            Commands::hscan(con, "user").unwrap().collect();
        assert_eq!(fields.unwrap().len(), 2);
        let set: Vec<i64> =
            cmd("HEXPIRE").arg(&["user", "60", "FIELDS", "1", "age"]).query(con).unwrap();
        assert_eq!(set, [1]);
        clock.advance(Duration::from_secs(60));
        assert_eq!(TypedCommands::hkeys(con, "user").unwrap(), ["name"]);
    }
}

#[test]
fn sets_and_bits() {
    for (_, _, mut connection) in houses() {
        let con = &mut connection;
        assert_eq!(TypedCommands::sadd(con, "a", &["x", "y", "z"]).unwrap(), 3);
        assert_eq!(TypedCommands::sadd(con, "b", &["y", "z", "!"]).unwrap(), 3);
        let mut common: Vec<String> = Commands::sinter(con, &["a", "b"]).unwrap();
        common.sort();
        assert_eq!(common, ["y", "z"]);
        assert!(TypedCommands::sismember(con, "a", "x").unwrap());
        let members = TypedCommands::smembers(con, "a").unwrap();
        assert_eq!((members.len(), members.contains("z")), (3, true));
        assert_eq!(TypedCommands::srem(con, "a", "x").unwrap(), 1);
        assert!(!TypedCommands::setbit(con, "bits", 9, true).unwrap());
        assert_eq!(TypedCommands::bitcount(con, "bits").unwrap(), 1);
    }
}

#[test]
fn lists_and_their_blocking_pops() {
    for (store, _, mut connection) in houses() {
        let con = &mut connection;
        assert_eq!(TypedCommands::rpush(con, "jobs", &["a", "b", "c"]).unwrap(), 3);
        assert_eq!(TypedCommands::lrange(con, "jobs", 0, -1).unwrap(), ["a", "b", "c"]);
        let moved: Option<String> =
            cmd("LMOVE").arg(&["jobs", "done", "LEFT", "RIGHT"]).query(con).unwrap();
        assert_eq!(moved.as_deref(), Some("a"));
        let last: Option<String> = Commands::rpop(con, "jobs", None).unwrap();
        assert_eq!(last.as_deref(), Some("c"));
        assert_eq!(TypedCommands::blpop(con, "jobs", 0.0).unwrap().unwrap()[1], "b");
        let reader = thread::spawn(move || TypedCommands::blpop(&mut connection, "jobs", 0.0));
        await_blocked(&store, 1);
        store.list("jobs").push_back("d").unwrap();
        assert_eq!(reader.join().unwrap().unwrap().unwrap()[1], "d");
    }
}

#[test]
fn streams_and_their_groups() {
    for (_, clock, mut connection) in houses() {
        let con = &mut connection;
        TypedCommands::xgroup_create_mkstream(con, "jobs", "workers", "0").unwrap();
        for job in ["wash", "cook"] {
            let id = TypedCommands::xadd(con, "jobs", "*", &[("do", job)]).unwrap();
            assert!(id.is_some());
        }
        let options = StreamReadOptions::default().group("workers", "w1").count(1);
        let reply: Option<StreamReadReply> =
            Commands::xread_options(con, &["jobs"], &[">"], &options).unwrap();
        let first: StreamId = reply.unwrap().keys[0].ids[0].clone();
        assert_eq!(first.get::<String>("do").as_deref(), Some("wash"));
        clock.advance(Duration::from_secs(5));
        let claimed: Value =
            cmd("XAUTOCLAIM").arg(&["jobs", "workers", "w2", "1000", "0"]).query(con).unwrap();
        assert!(matches!(claimed, Value::Array(parts) if parts.len() == 3));
        assert_eq!(TypedCommands::xack(con, "jobs", "workers", &[&first.id]).unwrap(), 1);
        assert_eq!(TypedCommands::xlen(con, "jobs").unwrap(), 2);
        let groups = TypedCommands::xinfo_groups(con, "jobs").unwrap();
        assert_eq!((groups.groups[0].name.as_str(), groups.groups[0].pending), ("workers", 0));
    }
}

#[test]
fn pipelines_answer_in_order_and_keep_errors_in_their_places() {
    for (_, _, mut connection) in houses() {
        let con = &mut connection;
        let (a, b): (i64, Option<String>) =
            pipe().set("a", "1").ignore().incr("a", 1).get("nothing").query(con).unwrap();
        assert_eq!((a, b), (2, None));
        let outcomes: Vec<RedisResult<Value>> = pipe()
            .set("a", "text")
            .cmd("INCR")
            .arg("a")
            .get("a")
            .ignore_errors()
            .query(con)
            .unwrap();
        assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
        let error = outcomes[1].as_ref().unwrap_err();
        assert_eq!(error.detail(), Some("value is not an integer or out of range"));
        let long: Vec<i64> =
            (0..1000).fold(&mut pipe(), |pipe, _| pipe.incr("n", 1)).query(con).unwrap();
        assert_eq!(long, (1..=1000).collect::<Vec<_>>());
    }
}

#[test]
fn a_pipeline_longer_than_the_output_may_be_is_answered_whole() {
    let (_, mut connection) = store_and_connection();
    TypedCommands::set(&mut connection, "big", vec![7_u8; 1 << 20]).unwrap();
    let replies: Vec<Vec<u8>> =
        (0..8).fold(&mut pipe(), |pipe, _| pipe.get("big")).query(&mut connection).unwrap();
    assert!(replies.len() == 8 && replies.iter().all(|reply| reply.len() == 1 << 20));
}

#[test]
fn atomic_pipelines_are_transactions() {
    for (_, _, mut connection) in houses() {
        let con = &mut connection;
        let (n,): (i64,) = pipe().atomic().set("n", 1).ignore().incr("n", 1).query(con).unwrap();
        assert_eq!(n, 2);
        let failed = pipe().atomic().incr("n", 1).cmd("ZCARD").arg("n").query::<()>(con);
        let failed = failed.unwrap_err().to_string();
        assert!(failed.contains("Index 1") && failed.contains("WRONGTYPE"), "{failed}");
        assert_eq!(TypedCommands::get_int(con, "n").unwrap(), Some(3));
        let aborted = pipe().atomic().incr("n", 1).cmd("NONSENSE").query::<()>(con).unwrap_err();
        assert_eq!(aborted.kind(), ErrorKind::Server(ServerErrorKind::ExecAbort));
        assert_eq!(TypedCommands::get_int(con, "n").unwrap(), Some(3));
    }
}

#[test]
fn the_transaction_helper_tries_again_when_a_watched_key_changes() {
    for (store, _, mut connection) in houses() {
        TypedCommands::set(&mut connection, "n", 1).unwrap();
        let mut tries = 0;
        let (n,): (i64,) = redis::transaction(&mut connection, &["n"], |con, pipe| {
            tries += 1;
            let n = TypedCommands::get_int(con, "n")?.unwrap();
            if tries == 1 {
                store.kv().set("n", 10).unwrap();
            }
            pipe.set("n", n + 1).ignore().cmd("GET").arg("n").query(con)
        })
        .unwrap();
        assert_eq!((n, tries), (11, 2));
    }
}

#[test]
fn clones_share_a_connection_and_others_do_not() {
    let (store, mut connection) = store_and_connection();
    let mut clone = connection.clone();
    cmd("SELECT").arg(3).exec(&mut connection).unwrap();
    TypedCommands::set(&mut clone, "a", 1).unwrap();
    assert!(store.database(3).unwrap().kv().get("a").unwrap().is_some());
    let mut other = store.redis_connection();
    assert_eq!(TypedCommands::get(&mut other, "a").unwrap(), None);
    let id = |con: &mut RedisConnection| cmd("CLIENT").arg("ID").query::<i64>(con).unwrap();
    assert_eq!(id(&mut connection), id(&mut clone));
    assert_ne!(id(&mut connection), id(&mut other));
}

#[test]
fn a_connection_begins_in_the_database_of_its_store() {
    let store = Store::new();
    let mut connection = store.database(5).unwrap().redis_connection();
    assert_eq!(connection.get_db(), 5);
    TypedCommands::set(&mut connection, "a", 1).unwrap();
    assert!(store.database(5).unwrap().kv().get("a").unwrap().is_some());
    let info = RedisConnectionInfo::default().set_db(16);
    let error = store.redis_connection_with(&info).unwrap_err();
    assert!(error.to_string().contains("DB index is out of range"), "{error}");
}

#[test]
fn a_password_is_asked_for() {
    let (store, mut first) = store_and_connection();
    cmd("CONFIG").arg(&["SET", "requirepass", "secret"]).exec(&mut first).unwrap();
    let refused = TypedCommands::get(&mut store.redis_connection(), "a").unwrap_err();
    assert_eq!(refused.code(), Some("NOAUTH"));
    for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
        let info = RedisConnectionInfo::default().set_protocol(protocol);
        let right = info.clone().set_password("secret");
        let mut connection = store.database(1).unwrap().redis_connection_with(&right).unwrap();
        TypedCommands::set(&mut connection, "a", 1).unwrap();
        assert!(store.redis_connection_with(&info.set_password("wrong")).is_err());
    }
    assert!(store.database(1).unwrap().kv().get("a").unwrap().is_some());
}

#[test]
fn errors_of_the_server_have_the_kinds_of_redis_rs() {
    for (_, _, mut connection) in houses() {
        let con = &mut connection;
        TypedCommands::set(con, "text", "x").unwrap();
        let error = TypedCommands::incr(con, "text", 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
        assert_eq!(error.detail(), Some("value is not an integer or out of range"));
        let error = TypedCommands::zcard(con, "text").unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Extension, Some("WRONGTYPE")));
        let error = cmd("NONSENSE").arg("x").exec(con).unwrap_err();
        assert!(error.detail().unwrap().starts_with("unknown command 'NONSENSE'"), "{error}");
        let error = cmd("GET").exec(con).unwrap_err();
        assert_eq!(error.detail(), Some("wrong number of arguments for 'get' command"));
        assert!(con.check_connection() && con.is_open());
    }
}

#[test]
fn scripts_are_absent_as_unknown_commands() {
    let (_, mut connection) = store_and_connection();
    let error = cmd("EVAL").arg("return 1").arg(0).exec(&mut connection).unwrap_err();
    assert!(error.detail().unwrap().starts_with("unknown command 'EVAL'"), "{error}");
}

#[test]
fn a_blocking_call_is_answered_by_another_thread() {
    for (store, _, mut connection) in houses() {
        let reader = thread::spawn(move || {
            cmd("BZPOPMIN").arg("queue").arg(0).query::<(String, String, f64)>(&mut connection)
        });
        await_blocked(&store, 1);
        let mut writer = store.redis_connection();
        TypedCommands::zadd(&mut writer, "queue", "job", 1).unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), ("queue".into(), "job".into(), 1.0));
    }
}

#[test]
fn a_blocking_call_times_out_by_the_clock_of_the_store() {
    for (store, clock, mut connection) in houses() {
        let reader = thread::spawn(move || {
            let options = StreamReadOptions::default().block(60_000);
            let reply: Option<StreamReadReply> =
                Commands::xread_options(&mut connection, &["events"], &["$"], &options).unwrap();
            reply.is_none()
        });
        await_blocked(&store, 1);
        clock.advance(Duration::from_secs(60));
        assert!(reader.join().unwrap());
    }
}

#[test]
fn what_a_pipeline_holds_behind_a_blocking_call_waits_for_it() {
    let (store, mut connection) = store_and_connection();
    let reader = thread::spawn(move || {
        let (_, after): (Value, i64) = pipe()
            .cmd("BZPOPMIN")
            .arg("queue")
            .arg(0)
            .incr("after", 1)
            .query(&mut connection)
            .unwrap();
        after
    });
    await_blocked(&store, 1);
    assert_eq!(store.kv().get("after").unwrap(), None);
    store.sorted_set("queue").add("job", 1.0).unwrap();
    assert_eq!(reader.join().unwrap(), 1);
}

#[test]
fn requests_over_clones_run_one_after_the_other() {
    let (store, connection) = store_and_connection();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let mut connection = connection.clone();
            thread::spawn(move || {
                for _ in 0..500 {
                    let (one, two): (i64, i64) =
                        pipe().atomic().incr("n", 1).incr("n", 1).query(&mut connection).unwrap();
                    assert_eq!(one + 1, two);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(store.kv().get_as::<i64>("n").unwrap(), Some(4000));
}

#[test]
fn blocking_calls_over_clones_miss_no_wake_up() {
    let (store, connection) = store_and_connection();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let mut connection = connection.clone();
            thread::spawn(move || {
                for _ in 0..300 {
                    cmd("BLPOP").arg("queue").arg(0).exec(&mut connection).unwrap();
                }
            })
        })
        .collect();
    for n in 0..900 {
        store.list("queue").push_back(n).unwrap();
        if n % 7 == 0 {
            thread::yield_now();
        }
    }
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert_eq!(store.list("queue").len().unwrap(), 0);
}

#[test]
fn a_clone_waits_for_the_blocking_call_of_another() {
    let (store, mut connection) = store_and_connection();
    let mut clone = connection.clone();
    let reader = thread::spawn(move || {
        cmd("BZPOPMIN").arg("queue").arg(0).exec(&mut connection).unwrap();
    });
    await_blocked(&store, 1);
    let (told, heard) = mpsc::channel();
    let second = thread::spawn(move || {
        told.send(TypedCommands::incr(&mut clone, "n", 1).unwrap()).unwrap();
    });
    assert!(heard.recv_timeout(Duration::from_millis(20)).is_err());
    store.sorted_set("queue").add("job", 1.0).unwrap();
    assert_eq!(heard.recv().unwrap(), 1);
    reader.join().unwrap();
    second.join().unwrap();
}

#[test]
fn a_killed_connection_is_a_dropped_one() {
    let (store, mut connection) = store_and_connection();
    let id: i64 = cmd("CLIENT").arg("ID").query(&mut connection).unwrap();
    let reader = thread::spawn(move || {
        let first = cmd("BZPOPMIN").arg("queue").arg(0).exec(&mut connection).unwrap_err();
        let second = TypedCommands::get(&mut connection, "a").unwrap_err();
        (first.is_connection_dropped(), second.is_connection_dropped(), connection.is_open())
    });
    await_blocked(&store, 1);
    let mut other = store.redis_connection();
    cmd("CLIENT").arg("KILL").arg("ID").arg(id).exec(&mut other).unwrap();
    assert_eq!(reader.join().unwrap(), (true, true, false));
    store.sorted_set("queue").add("job", 1.0).unwrap();
    assert_eq!(store.sorted_set("queue").len().unwrap(), 1);
}

#[test]
fn quitting_closes_the_connection() {
    let (_, mut connection) = store_and_connection();
    cmd("QUIT").exec(&mut connection).unwrap();
    assert!(!connection.is_open());
    assert!(TypedCommands::get(&mut connection, "a").unwrap_err().is_connection_dropped());
}

#[test]
fn subscriptions_do_not_disturb_replies() {
    let (store, _, mut connection) = houses().remove(1);
    cmd("SUBSCRIBE").arg("news").set_no_response(true).exec(&mut connection).unwrap();
    store.publish("news", "rain").unwrap();
    for n in 1..10 {
        store.publish("news", "more rain").unwrap();
        assert_eq!(TypedCommands::incr(&mut connection, "n", 1).unwrap(), n);
    }
}

#[test]
fn publishing_reaches_subscribers_of_the_store() {
    let (store, mut connection) = store_and_connection();
    let news = store.subscribe(&["news"]).unwrap();
    assert_eq!(TypedCommands::publish(&mut connection, "news", "rain").unwrap(), 1);
    assert_eq!(news.recv().unwrap().payload, "rain");
}

#[test]
fn a_request_without_a_reply_is_an_error_and_no_endless_wait() {
    let (_, mut connection) = store_and_connection();
    let silence = cmd("CLIENT").arg(&["REPLY", "OFF"]).exec(&mut connection);
    assert_eq!(silence.unwrap_err().kind(), ErrorKind::Client);
    assert!(cmd("GET").arg("a").exec(&mut connection).is_err());
    cmd("CLIENT").arg(&["REPLY", "ON"]).exec(&mut connection).unwrap();
    assert_eq!(TypedCommands::incr(&mut connection, "n", 1).unwrap(), 1);
}

#[test]
fn an_empty_pipeline_is_refused() {
    let (_, mut connection) = store_and_connection();
    assert!(pipe().query::<()>(&mut connection).is_err());
    assert!(pipe().atomic().query::<()>(&mut connection).is_ok());
}

#[test]
fn connections_share_their_settings_while_one_is_open() {
    let (store, mut first) = store_and_connection();
    let mut second = store.redis_connection();
    cmd("CONFIG").arg(&["SET", "maxmemory-policy", "allkeys-lru"]).exec(&mut first).unwrap();
    let get = |con: &mut RedisConnection| {
        let all: HashMap<String, String> =
            cmd("CONFIG").arg(&["GET", "maxmemory-policy"]).query(con).unwrap();
        all["maxmemory-policy"].clone()
    };
    assert_eq!(get(&mut second), "allkeys-lru");
    let clients: String = cmd("CLIENT").arg("LIST").query(&mut second).unwrap();
    assert_eq!(clients.lines().count(), 2);
    drop(first);
    let clients: String = cmd("CLIENT").arg("LIST").query(&mut second).unwrap();
    assert_eq!(clients.lines().count(), 1);
}

#[test]
fn too_many_clients_are_refused_as_a_closed_connection() {
    let (store, mut first) = store_and_connection();
    cmd("CONFIG").arg(&["SET", "maxclients", "1"]).exec(&mut first).unwrap();
    let mut second = store.redis_connection();
    assert!(!second.is_open());
    assert!(TypedCommands::get(&mut second, "a").unwrap_err().is_connection_dropped());
}

#[test]
fn the_requests_of_a_pipeline_wait_for_the_log_once() {
    let disk = Disk::default();
    let builder = Store::builder().persistence(disk.clone()).durability(Durability::Always);
    let store = builder.open().unwrap();
    let mut connection = store.redis_connection();
    let before = disk.syncs.load(Ordering::SeqCst);
    let mut pipeline = pipe();
    for number in 0..100 {
        pipeline.set(number, number).ignore();
    }
    pipeline.incr("0", 1);
    assert_eq!(pipeline.query::<Vec<i64>>(&mut connection).unwrap(), [1]);
    assert_eq!(disk.syncs.load(Ordering::SeqCst) - before, 1);
    disk.memory.crash();
    drop((connection, store));
    let found = Store::builder().persistence(disk.memory.clone()).open().unwrap();
    assert_eq!((found.stats().keys, found.kv().get_as("0")), (100, Ok(Some(1))));

    // What cannot be kept is an error for each write, and for nothing else.
    let disk = Disk::default();
    let builder = Store::builder().persistence(disk.clone()).durability(Durability::Always);
    let store = builder.open().unwrap();
    let mut connection = store.redis_connection();
    disk.memory.fail_from(0, persist::Fault::FailedSync);
    let replies = connection
        .req_packed_commands(&pipe().set("a", 1).get("a").set("b", 1).get_packed_pipeline(), 0, 3)
        .unwrap();
    assert!(matches!(replies[0], Value::ServerError(_)), "{replies:?}");
    assert_eq!(replies[1], Value::BulkString(b"1".to_vec()));
    assert!(matches!(replies[2], Value::ServerError(_)), "{replies:?}");
}
