//! A kit for tests of code that talks to Redis: an isolated server of its own for each test, whose
//! clock the test holds, whose data it can look at, and which fails when it is told to.
//!
//! ```
//! use std::time::Duration;
//! use larder::testing::{FakeRedis, Fault};
//! use redis::Commands;
//!
//! // The code under test.
//! fn remember(redis: &mut impl redis::ConnectionLike, session: &str) -> redis::RedisResult<()> {
//!     redis.set_ex(format!("session:{session}"), "ada", 1800)
//! }
//!
//! let fake = FakeRedis::new();
//! let mut redis = fake.connection();
//! remember(&mut redis, "x1")?;
//! assert!(fake.store().kv().get("session:x1")?.is_some());
//!
//! fake.advance(Duration::from_secs(1800));
//! assert_eq!(fake.dump(), "");
//!
//! fake.inject(Fault::error("READONLY You can't write against a read only replica."));
//! assert!(remember(&mut redis, "x2").is_err());
//! assert!(remember(&mut redis, "x2").is_ok());
//!
//! fake.inject(Fault::lose_reply().on("SETEX"));
//! assert!(remember(&mut redis, "x3").unwrap_err().is_connection_dropped());
//! remember(&mut fake.connection(), "x3")?; // a connection that was lost stays lost
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`FakeRedis::new`] has no socket; [`FakeRedis::start`] opens a port of the loopback interface,
//! for any client of Redis in any language. Both may be used side by side, and see the same data.
//! Connections without a socket are for redis-rs 1.x; code that uses an older one takes
//! [`FakeRedis::start`] and its [`url`](FakeRedis::url).
//!
//! # What it is exact in, and what is missing
//!
//! Replies are those of Redis 7.0, to the byte; the comparison with a real server is part of
//! Larder's tests. What is missing answers as an unknown command does:
//!
//! - geographic indices (`GEOADD`, ...) and counts of distinct things (`PFADD`, ...);
//! - scripts (`EVAL`, `FCALL`, `FUNCTION`, `SCRIPT`) and modules: `MODULE LIST` tells none;
//! - clusters (`CLUSTER`, `ASKING`, `READONLY`, `READWRITE`, `MIGRATE`) and replication
//!   (`REPLICAOF`, `SYNC`, `FAILOVER`, ...);
//! - users: there is `default`, and of `ACL` only `WHOAMI` and `USERS`;
//! - what clients keep for themselves (`CLIENT CACHING`; `CLIENT TRACKING ON` is an error), and
//!   `LATENCY GRAPH`.
//!
//! Some commands do less than in Redis: `DEBUG SLEEP` has its own client wait and no other,
//! `COMMAND DOCS` tells no arguments. `tests/differential` lists all differences.

mod connections;
mod dump;
#[cfg(feature = "redis-async")]
mod stream;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

pub use crate::session::Fault;
pub use dump::dump;

use crate::clock::ManualClock;
use crate::random;
use crate::server::Server;
use crate::session::{Face, FaceOptions, UnknownCommand};
use crate::store::{Builder, Store};

/// An isolated Redis for one test.
///
/// When it is dropped, it stops to listen and ends the connections of its sockets. Those without a
/// socket ([`connection`](Self::connection)) share its store, which lasts as long as they do.
///
/// Its clock stands still at the beginning of 2020 until the test [advances](Self::advance) it: a
/// command that waits, such as `BLPOP` with a timeout, waits until then. A fake that was built with
/// [`real_time`](FakeRedisBuilder::real_time) goes by the system's clock.
///
/// Its methods panic where a test is wrong, so that it need not handle what it did not mean.
///
/// ```
/// use larder::testing::FakeRedis;
///
/// let fake = FakeRedis::start();
/// let client = redis::Client::open(fake.url())?;
/// let mut connection = client.get_connection()?;
/// redis::cmd("SET").arg("greeting").arg("hello").exec(&mut connection)?;
/// assert_eq!(fake.store().kv().get("greeting")?.unwrap(), "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FakeRedis {
    store: Store,
    /// Nothing if the time is the system's.
    clock: Option<ManualClock>,
    face: Face,
    server: Option<Server>,
    password: Option<String>,
}

impl FakeRedis {
    /// A fake with no socket: for connections that it makes [itself](Self::connection).
    ///
    /// ```
    /// # use larder::testing::FakeRedis;
    /// let fake = FakeRedis::new();
    /// redis::cmd("PING").exec(&mut fake.connection())?;
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A fake that listens on a free port of the loopback interface, for clients to connect to its
    /// [`url`](Self::url).
    ///
    /// # Panics
    ///
    /// If the system has no port for it.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A fake with other settings.
    pub fn builder() -> FakeRedisBuilder {
        FakeRedisBuilder::default()
    }

    /// Where clients connect to, such as `redis://127.0.0.1:54321/`, with the password if there is
    /// one.
    ///
    /// # Panics
    ///
    /// If it does not listen, since it was made by [`new`](Self::new) or
    /// [`build`](FakeRedisBuilder::build).
    pub fn url(&self) -> String {
        let server = self.server.as_ref().expect("this FakeRedis has no socket: `start` opens one");
        match &self.password {
            Some(password) => server.url().replacen("://", &format!("://:{password}@"), 1),
            None => server.url(),
        }
    }

    /// The store behind it, to prepare data and to look at what has become of them, without a
    /// client.
    ///
    /// ```
    /// # use larder::testing::FakeRedis;
    /// let fake = FakeRedis::new();
    /// fake.store().sorted_set("board").add("ada", 1.0)?;
    /// let rank = redis::cmd("ZRANK").arg("board").arg("ada").query(&mut fake.connection());
    /// assert_eq!(rank, Ok(Some(0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How many clients are connected.
    pub fn clients(&self) -> usize {
        self.face.clients()
    }

    /// How many clients wait in a command that blocks, such as `BLPOP`. A test waits for it before
    /// it lets the time of such a wait pass: what is called after [`advance`](Self::advance) waits
    /// for a time that has yet to come.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::testing::FakeRedis;
    /// use redis::Commands;
    ///
    /// let fake = FakeRedis::new();
    /// let mut connection = fake.connection();
    /// let worker = std::thread::spawn(move || connection.blpop("jobs", 30.0));
    /// while fake.blocked_clients() < 1 {
    ///     std::thread::yield_now();
    /// }
    /// fake.advance(Duration::from_secs(30));
    /// let job: Option<(String, String)> = worker.join().unwrap()?;
    /// assert_eq!(job, None);
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn blocked_clients(&self) -> usize {
        self.face.blocked_clients()
    }
}

/// Time.
impl FakeRedis {
    fn clock(&self) -> &ManualClock {
        self.clock.as_ref().expect("the time of this FakeRedis is the system's and moves by itself")
    }

    /// Lets time pass. When it returns, what has expired is gone, and blocking calls whose time is
    /// over have ended: those that [had begun](Self::blocked_clients).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use larder::testing::FakeRedis;
    /// let fake = FakeRedis::new();
    /// let mut connection = fake.connection();
    /// redis::cmd("SET").arg("token").arg("x").arg("EX").arg(60).exec(&mut connection)?;
    /// fake.advance(Duration::from_secs(59));
    /// assert_eq!(redis::cmd("TTL").arg("token").query::<i64>(&mut connection)?, 1);
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If it was built with [`real_time`](FakeRedisBuilder::real_time).
    pub fn advance(&self, duration: Duration) {
        self.clock().advance(duration);
    }

    /// Sets the time. A later one lets the time until then pass, as [`advance`](Self::advance)
    /// does. With an earlier one only the wall clock goes back, as when an administrator sets it:
    /// dates are read by the new time, but what was to live for a minute still does.
    ///
    /// # Panics
    ///
    /// If it was built with [`real_time`](FakeRedisBuilder::real_time).
    pub fn set_time(&self, time: SystemTime) {
        let clock = self.clock();
        match time.duration_since(clock.wall()) {
            Ok(passed) => clock.advance(passed),
            Err(_) => clock.set_wall(time),
        }
    }

    /// What `TIME` tells.
    pub fn time(&self) -> SystemTime {
        self.clock.as_ref().map_or_else(SystemTime::now, ManualClock::wall)
    }
}

/// Faults.
impl FakeRedis {
    /// Has something go wrong with commands that clients send, over a socket or not: see [`Fault`].
    /// A command meets the first fault that concerns it, in the order in which they were injected;
    /// a delay besides.
    ///
    /// ```
    /// # use larder::testing::{FakeRedis, Fault};
    /// use redis::Commands;
    ///
    /// let fake = FakeRedis::new();
    /// let mut connection = fake.connection();
    /// fake.inject(Fault::lose_reply().on("INCRBY"));
    /// let lost: redis::RedisResult<i64> = connection.incr("sold", 1);
    /// assert!(lost.unwrap_err().is_connection_dropped());
    /// // It was counted all the same: code that now tries again counts twice.
    /// assert_eq!(fake.store().kv().get_as::<i64>("sold")?, Some(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no command of a name that the fault was given.
    pub fn inject(&self, fault: Fault) {
        self.face.inject(fault).unwrap_or_else(|unknown| panic!("{unknown}"));
    }

    /// Has the next commands fail with an error, such as `LOADING Redis is loading the dataset in
    /// memory`: short for [`inject`](Self::inject) with [`Fault::error`].
    pub fn fail_next(&self, commands: u64, error: impl Into<String>) {
        self.inject(Fault::error(error).times(commands));
    }

    /// The faults that have yet to meet a command; a test may assert that there are none.
    pub fn faults(&self) -> Vec<Fault> {
        self.face.faults()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.face.clear_faults();
    }
}

/// What a test looks at.
impl FakeRedis {
    /// All data as text, for people: see [`dump`](fn@dump).
    pub fn dump(&self) -> String {
        dump(&self.store)
    }

    /// How often clients have run a command. One that was refused, for a wrong number of arguments
    /// or by a fault, does not count, nor does what the test does with the
    /// [`store`](Self::store).
    ///
    /// ```
    /// # use larder::testing::FakeRedis;
    /// let fake = FakeRedis::new();
    /// redis::cmd("GET").arg("a").exec(&mut fake.connection())?;
    /// assert_eq!((fake.calls("get"), fake.calls("SET")), (1, 0));
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no such command.
    pub fn calls(&self, command: &str) -> u64 {
        self.face.calls(command).unwrap_or_else(|unknown: UnknownCommand| panic!("{unknown}"))
    }

    /// All commands that clients have run, in capitals, each with how often; subcommands as
    /// `CLIENT|ID`.
    pub fn all_calls(&self) -> BTreeMap<&'static str, u64> {
        self.face.all_calls().collect()
    }

    /// Counts from zero again.
    pub fn reset_calls(&self) {
        self.face.reset_counters();
    }
}

impl Default for FakeRedis {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("FakeRedis");
        if let Some(server) = &self.server {
            fields.field("url", &server.url());
        }
        fields.finish_non_exhaustive()
    }
}

/// Settings of a [`FakeRedis`].
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use larder::testing::FakeRedis;
///
/// let fake = FakeRedis::builder()
///     .password("secret")
///     .time(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
///     .seed(7)
///     .config("maxmemory-policy", "allkeys-lru")
///     .build();
/// let (seconds, _): (u64, u64) = redis::cmd("TIME").query(&mut fake.connection())?;
/// assert_eq!(seconds, 1_700_000_000);
/// # Ok::<(), redis::RedisError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct FakeRedisBuilder {
    store: Builder,
    time: Option<SystemTime>,
    is_real_time: bool,
    seed: Option<u64>,
    password: Option<String>,
    config: Vec<(String, String)>,
}

impl FakeRedisBuilder {
    /// How many databases there are: 16, unless set.
    pub fn databases(self, databases: u16) -> Self {
        Self { store: self.store.databases(databases), ..self }
    }

    /// The password that clients must give.
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self }
    }

    /// The time at which its clock stands; the beginning of 2020, unless set.
    pub fn time(self, time: SystemTime) -> Self {
        Self { time: Some(time), ..self }
    }

    /// Has time pass by itself. Without it time stands still until it is
    /// [advanced](FakeRedis::advance).
    pub fn real_time(self) -> Self {
        Self { is_real_time: true, ..self }
    }

    /// What all random choices of clients' commands follow from (`SRANDMEMBER`, `SPOP`,
    /// `HRANDFIELD`, `ZRANDMEMBER`, `RANDOMKEY`, and the order of `SCAN` and `KEYS`): the same
    /// commands in the same order then have the same replies, in every run of the same program.
    /// Data that the test puts into the [store](FakeRedis::store) itself are stored in an order of
    /// their own.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Sets what `CONFIG SET` sets.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((name.into(), value.into()));
        self
    }

    /// A fake with no socket.
    ///
    /// # Panics
    ///
    /// If `CONFIG SET` would refuse a setting.
    pub fn build(self) -> FakeRedis {
        let (store, clock) = self.store();
        let options = FaceOptions { password: self.password.clone(), ..FaceOptions::default() };
        let face = Face::new(&store, options);
        for (name, value) in &self.config {
            face.configure(name, value).unwrap_or_else(|text| panic!("{name}: {text}"));
        }
        self.finish(store, clock, face, None)
    }

    /// A fake that listens on a free port of the loopback interface.
    ///
    /// # Panics
    ///
    /// If the system has no port for it, or `CONFIG SET` would refuse a setting.
    pub fn start(self) -> FakeRedis {
        let (store, clock) = self.store();
        let mut server = Server::builder(&store);
        if let Some(password) = &self.password {
            server = server.password(password);
        }
        for (name, value) in &self.config {
            server = server.config(name, value);
        }
        let server = server.start().unwrap_or_else(|error| panic!("no server: {error}"));
        let face = server.face().clone();
        self.finish(store, clock, face, Some(server))
    }

    fn store(&self) -> (Store, Option<ManualClock>) {
        let mut builder = self.store.clone();
        let clock =
            (!self.is_real_time).then(|| self.time.map_or_else(Default::default, ManualClock::at));
        if let Some(clock) = &clock {
            builder = builder.clock(clock);
        }
        let store = match self.seed {
            Some(seed) => random::with_seed(seed, || builder.build()),
            None => builder.build(),
        };
        (store, clock)
    }

    fn finish(
        self,
        store: Store,
        clock: Option<ManualClock>,
        face: Face,
        server: Option<Server>,
    ) -> FakeRedis {
        if let Some(seed) = self.seed {
            face.seed(seed);
        }
        // So that connections that the store makes are clients of this fake too.
        face.share();
        FakeRedis { store, clock, face, server, password: self.password }
    }
}
