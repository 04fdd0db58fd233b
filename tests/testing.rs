//! The kit for tests: faults over a socket and without one, time, counters, dumps, seeds.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use larder::RedisConnection;
use larder::testing::{FakeRedis, Fault};
use redis::{
    Commands, ConnectionLike, ErrorKind, RedisConnectionInfo, RedisResult, ServerErrorKind,
    TypedCommands, Value, cmd, pipe,
};

/// A connection over a socket or without one.
enum Either {
    InProcess(RedisConnection),
    Socket(redis::Connection),
}

impl Either {
    fn any(&mut self) -> &mut dyn ConnectionLike {
        match self {
            Self::InProcess(connection) => connection,
            Self::Socket(connection) => connection,
        }
    }
}

impl ConnectionLike for Either {
    fn req_packed_command(&mut self, request: &[u8]) -> RedisResult<Value> {
        self.any().req_packed_command(request)
    }

    fn req_packed_commands(
        &mut self,
        requests: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        self.any().req_packed_commands(requests, offset, count)
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        self.any().check_connection()
    }

    fn is_open(&self) -> bool {
        match self {
            Self::InProcess(connection) => connection.is_open(),
            Self::Socket(connection) => connection.is_open(),
        }
    }
}

/// Waits until no more faults than these are left.
fn await_faults(fake: &FakeRedis, left: usize) {
    for _ in 0..10_000 {
        if fake.faults().len() <= left {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("faults that meet nothing: {:?}", fake.faults());
}

/// Runs a test with clients that have no socket, and with some that have.
fn both(test: impl Fn(&FakeRedis, &dyn Fn() -> Either)) {
    let fake = FakeRedis::new();
    test(&fake, &|| Either::InProcess(fake.connection()));
    let fake = FakeRedis::start();
    test(&fake, &|| {
        let client = redis::Client::open(fake.url()).unwrap();
        Either::Socket(client.get_connection().unwrap())
    });
}

#[test]
fn the_next_commands_fail_and_the_ones_after_do_not() {
    both(|fake, connect| {
        let mut con = connect();
        fake.fail_next(2, "LOADING Redis is loading the dataset in memory");
        for _ in 0..2 {
            let error = TypedCommands::set(&mut con, "a", 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::BusyLoading));
        }
        TypedCommands::set(&mut con, "a", 1).unwrap();
        assert!(fake.faults().is_empty());
    });
}

#[test]
fn faults_meet_commands_by_name() {
    both(|fake, connect| {
        let mut con = connect();
        fake.inject(Fault::error("no luck").on("get").on("CLIENT|ID").always());
        TypedCommands::set(&mut con, "a", 1).unwrap();
        let error = TypedCommands::get(&mut con, "a").unwrap_err();
        assert_eq!((error.code(), error.detail()), (Some("ERR"), Some("no luck")));
        assert!(cmd("CLIENT").arg("ID").exec(&mut con).is_err());
        assert!(cmd("CLIENT").arg("GETNAME").exec(&mut con).is_ok());
        fake.clear_faults();
        assert_eq!(TypedCommands::get(&mut con, "a").unwrap().as_deref(), Some("1"));
    });
}

#[test]
fn a_fault_may_let_commands_pass_first() {
    both(|fake, connect| {
        let mut con = connect();
        fake.inject(Fault::error("ERR third").skip(2));
        let outcomes: Vec<bool> =
            (0..4).map(|_| TypedCommands::incr(&mut con, "n", 1).is_ok()).collect();
        assert_eq!(outcomes, [true, true, false, true]);
    });
}

#[test]
fn a_command_meets_one_fault() {
    both(|fake, connect| {
        let mut con = connect();
        fake.inject(Fault::error("FIRST").on("INCRBY"));
        fake.inject(Fault::error("SECOND").on("INCRBY"));
        fake.inject(Fault::error("NEVER").times(0));
        let codes: Vec<_> = (0..2)
            .map(|_| TypedCommands::incr(&mut con, "n", 1).unwrap_err().code().map(str::to_owned))
            .collect();
        assert_eq!(codes, [Some("FIRST".into()), Some("SECOND".into())]);
        assert_eq!(TypedCommands::incr(&mut con, "n", 1).unwrap(), 1);
    });
}

#[test]
fn a_fault_spoils_a_transaction() {
    both(|fake, connect| {
        let mut con = connect();
        fake.inject(Fault::error("OOM command not allowed when used memory > 'maxmemory'."));
        let spoilt = pipe().atomic().set("a", 1).set("b", 1).query::<()>(&mut con).unwrap_err();
        assert_eq!(spoilt.kind(), ErrorKind::Server(ServerErrorKind::ExecAbort));
        assert_eq!(fake.dump(), "");
        pipe().atomic().set("a", 1).exec(&mut con).unwrap();
    });
}

#[test]
fn a_connection_drops_before_the_command_or_behind_it() {
    both(|fake, connect| {
        let mut con = connect();
        fake.inject(Fault::disconnect().on("INCRBY"));
        assert!(TypedCommands::incr(&mut con, "n", 1).unwrap_err().is_connection_dropped());
        assert!(!con.is_open());
        assert_eq!(fake.store().kv().get("n").unwrap(), None);

        let mut con = connect();
        fake.inject(Fault::lose_reply().on("INCRBY"));
        assert!(TypedCommands::incr(&mut con, "n", 1).unwrap_err().is_connection_dropped());
        assert_eq!(fake.store().kv().get_as::<i64>("n").unwrap(), Some(1));
        assert_eq!(TypedCommands::incr(&mut connect(), "n", 1).unwrap(), 2);
    });
}

#[test]
fn replies_before_a_disconnection_arrive() {
    let fake = FakeRedis::start();
    fake.inject(Fault::disconnect().on("INCRBY"));
    let address = fake.url().replace("redis://", "").replace('/', "");
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(b"SET a 1\r\nINCRBY a 1\r\nSET a 3\r\n").unwrap();
    let mut replies = Vec::new();
    socket.read_to_end(&mut replies).unwrap();
    assert_eq!(replies, b"+OK\r\n");
    assert_eq!(fake.store().kv().get_as::<i64>("a").unwrap(), Some(1));
}

#[test]
fn a_delay_lasts_until_the_clock_has_moved() {
    both(|fake, connect| {
        let (mut con, mut other) = (connect(), connect());
        fake.inject(Fault::delay(Duration::from_secs(5)).on("INCRBY"));
        fake.inject(Fault::error("LATE").on("INCRBY").skip(1));
        let late = thread::spawn(move || {
            pipe()
                .incr("n", 1)
                .incr("n", 1)
                .ignore_errors()
                .query::<Vec<redis::RedisResult<i64>>>(&mut con)
        });
        await_faults(fake, 1);
        assert_eq!(TypedCommands::get(&mut other, "n").unwrap(), None);
        fake.advance(Duration::from_secs(4));
        assert_eq!(TypedCommands::get(&mut other, "n").unwrap(), None);
        fake.advance(Duration::from_secs(1));
        let outcomes = late.join().unwrap().unwrap();
        assert_eq!(outcomes[0].as_ref().unwrap(), &1);
        assert_eq!(outcomes[1].as_ref().unwrap_err().code(), Some("LATE"));
    });
}

#[test]
fn every_command_is_delayed_once_by_a_delay_that_always_stands() {
    let fake = FakeRedis::builder().real_time().build();
    fake.inject(Fault::delay(Duration::from_millis(1)).always());
    let mut con = fake.connection();
    assert_eq!(TypedCommands::incr(&mut con, "n", 1).unwrap(), 1);
    let all: Vec<i64> = pipe().incr("n", 1).incr("n", 1).query(&mut con).unwrap();
    assert_eq!(all, [2, 3]);
    fake.inject(Fault::delay(Duration::ZERO).always());
    assert_eq!(TypedCommands::incr(&mut con, "n", 1).unwrap(), 4);
}

#[test]
#[should_panic(expected = "there is no command \"GTE\"")]
fn a_fault_for_no_command_is_a_mistake() {
    FakeRedis::new().inject(Fault::disconnect().on("GTE"));
}

#[test]
fn commands_are_counted() {
    both(|fake, connect| {
        let mut con = connect();
        TypedCommands::set(&mut con, "a", 1).unwrap();
        TypedCommands::get(&mut con, "a").unwrap();
        TypedCommands::get(&mut con, "b").unwrap();
        pipe().atomic().get("a").exec(&mut con).unwrap();
        let _ = cmd("GET").exec(&mut con);
        fake.inject(Fault::error("no").on("GET"));
        assert!(TypedCommands::get(&mut con, "a").is_err());
        assert_eq!((fake.calls("get"), fake.calls("SET"), fake.calls("DEL")), (3, 1, 0));
        assert_eq!(fake.all_calls()["EXEC"], 1);
        fake.reset_calls();
        assert!(fake.all_calls().is_empty());
    });
}

#[test]
fn time_is_set_and_advanced() {
    both(|fake, connect| {
        let mut con = connect();
        let noon = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        TypedCommands::set_ex(&mut con, "a", 1, 10).unwrap();
        fake.set_time(noon);
        assert_eq!(fake.time(), noon);
        assert_eq!(TypedCommands::get(&mut con, "a").unwrap(), None);
        let (seconds, micros): (u64, u64) = cmd("TIME").query(&mut con).unwrap();
        assert_eq!((seconds, micros), (1_800_000_000, 0));
        TypedCommands::set_ex(&mut con, "a", 1, 10).unwrap();
        fake.set_time(noon - Duration::from_secs(60));
        assert_eq!(cmd("TTL").arg("a").query::<i64>(&mut con).unwrap(), 10);
        let (seconds, _): (u64, u64) = cmd("TIME").query(&mut con).unwrap();
        assert_eq!(seconds, 1_799_999_940);
    });
}

#[test]
fn real_time_passes_by_itself() {
    let fake = FakeRedis::builder().real_time().build();
    let mut con = fake.connection();
    TypedCommands::pset_ex(&mut con, "a", 1, 5).unwrap();
    while TypedCommands::exists(&mut con, "a").unwrap() {
        thread::yield_now();
    }
    assert!(fake.time().duration_since(SystemTime::UNIX_EPOCH).is_ok());
}

#[test]
#[should_panic(expected = "moves by itself")]
fn real_time_is_not_advanced() {
    FakeRedis::builder().real_time().build().advance(Duration::from_secs(1));
}

#[test]
#[should_panic(expected = "no socket")]
fn a_fake_without_a_socket_has_no_url() {
    FakeRedis::new().url();
}

#[test]
fn fakes_are_isolated_and_go_away() {
    let (one, two) = (FakeRedis::start(), FakeRedis::start());
    TypedCommands::set(&mut one.connection(), "a", 1).unwrap();
    assert_eq!(TypedCommands::get(&mut two.connection(), "a").unwrap(), None);
    let client = redis::Client::open(one.url()).unwrap();
    let mut con = client.get_connection().unwrap();
    assert_eq!(one.clients(), 1);
    drop(one);
    assert!(TypedCommands::get(&mut con, "a").is_err());
    assert!(client.get_connection().is_err());
}

#[test]
fn a_password_is_part_of_the_url() {
    let fake = FakeRedis::builder().password("sesame").start();
    let client = redis::Client::open(fake.url()).unwrap();
    TypedCommands::set(&mut client.get_connection().unwrap(), "a", 1).unwrap();
    assert_eq!(TypedCommands::get_int(&mut fake.connection(), "a").unwrap(), Some(1));
    assert!(fake.connection_with(&RedisConnectionInfo::default()).is_ok());
    let mut stranger = fake.store().redis_connection();
    assert_eq!(TypedCommands::get(&mut stranger, "a").unwrap_err().code(), Some("NOAUTH"));
}

#[test]
fn connections_of_the_store_are_clients_of_the_fake() {
    let fake = FakeRedis::start();
    fake.fail_next(1, "no");
    assert!(TypedCommands::get(&mut fake.store().redis_connection(), "a").is_err());
    assert!(TypedCommands::get(&mut fake.store().redis_connection(), "a").is_ok());
    assert_eq!(fake.calls("GET"), 1);
}

#[test]
fn a_dump_shows_every_type() {
    let fake = FakeRedis::new();
    let mut con = fake.connection();
    let con = &mut con;
    cmd("SET").arg("text").arg("a\"b\n").arg("PX").arg(1500).exec(con).unwrap();
    cmd("HSET").arg("hash").arg(&["b", "2", "a", "1"]).exec(con).unwrap();
    cmd("ZADD").arg("board").arg(&["1.5", "ada", "-3", "bob"]).exec(con).unwrap();
    cmd("RPUSH").arg("list").arg(&["z", "a"]).exec(con).unwrap();
    cmd("SADD").arg("set").arg(&["z", "a"]).exec(con).unwrap();
    cmd("XADD").arg("log").arg(&["5-1", "level", "warn"]).exec(con).unwrap();
    cmd("XGROUP").arg(&["CREATE", "log", "g", "0"]).exec(con).unwrap();
    cmd("SELECT").arg(3).exec(con).unwrap();
    cmd("SET").arg("other").arg(7).exec(con).unwrap();
    let expected = r#"database 0
  "board": zset
    "bob" -3
    "ada" 1.5
  "hash": hash
    "a" "1"
    "b" "2"
  "list": list
    "z"
    "a"
  "log": stream
    "5-1" "level" "warn"
    group: name "g", consumers 0, pending 0, last-delivered-id "0-0", entries-read nothing, lag 1
  "set": set
    "a"
    "z"
  "text": string, expires in 1.500 s
    "a\"b\n"
database 3
  "other": string
    "7"
"#;
    assert_eq!(fake.dump(), expected);
    fake.advance(Duration::from_secs(2));
    assert!(!fake.dump().contains("text"));
}

#[test]
fn the_same_seed_makes_the_same_choices() {
    let run = |seed| {
        let fake = FakeRedis::builder().seed(seed).build();
        let mut con = fake.connection();
        for n in 0..500 {
            TypedCommands::hset(&mut con, "hash", n, n).unwrap();
            TypedCommands::sadd(&mut con, "set", n).unwrap();
            TypedCommands::zadd(&mut con, "board", n, n).unwrap();
            TypedCommands::set(&mut con, format!("key:{n}"), n).unwrap();
        }
        let mut seen: Vec<String> = Commands::keys(&mut con, "key:1*").unwrap();
        for _ in 0..20 {
            seen.push(cmd("RANDOMKEY").query(&mut con).unwrap());
            seen.push(cmd("SPOP").arg("set").query(&mut con).unwrap());
            seen.extend(
                cmd("SRANDMEMBER").arg("set").arg(4).query::<Vec<String>>(&mut con).unwrap(),
            );
            seen.extend(
                cmd("HRANDFIELD").arg("hash").arg(3).query::<Vec<String>>(&mut con).unwrap(),
            );
            seen.extend(
                cmd("ZRANDMEMBER").arg("board").arg(-3).query::<Vec<String>>(&mut con).unwrap(),
            );
        }
        seen
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
