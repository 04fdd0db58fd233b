//! What is recorded, loaded by a real redis-server 7.0 as its own log, makes the same dataset
//! there. Run with `cargo test --lib -- --ignored redis_server`.

#[path = "../../../../tests/differential/redis.rs"]
mod redis;

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use redis::Server;

use super::Collector;
use super::effects::{History, MORE, STEPS, swept};
use crate::rdb;
use crate::wire::grammar;
use crate::{ManualClock, Store};

/// How far behind the real time a history begins, and so has to end: Redis takes no delivery
/// for one of the future, and keeps no key whose time has passed.
const HEAD_START: Duration = Duration::from_secs(600);

#[test]
#[ignore = "needs redis-server and redis-check-aof"]
fn a_redis_server_loads_what_is_recorded() {
    let all = [&grammar::all()[..], MORE].concat();
    let makers = grammar::named(&["SET", "RPUSH", "ZADD", "HSET", "SADD", "XADD", "XCLAIM"]);
    let streams = [grammar::STREAMS, &MORE[1..]].concat();
    let stream_makers = grammar::named(&["XADD", "XGROUP|CREATE", "XREADGROUP", "XCLAIM"]);
    for seed in 0..6 {
        let clock = ManualClock::at(SystemTime::now() - HEAD_START);
        let mut history = History::at(clock, seed, swept);
        history.commands.newer = false;
        history.jumps = &[5, 10];
        for _ in 0..STEPS {
            match seed % 2 {
                0 => history.step(&all, &makers),
                _ => history.step(&streams, &stream_makers),
            }
        }
        check_in_redis(&history);
    }
}

fn check_in_redis(history: &History) {
    let log = log_of(&history.collector);
    let folder = std::env::temp_dir().join(format!("larder-effects-{}", std::process::id()));
    let appended = folder.join("appendonlydir");
    fs::create_dir_all(&appended).unwrap();
    fs::write(appended.join("appendonly.aof.1.incr.aof"), log).unwrap();
    let manifest = appended.join("appendonly.aof.manifest");
    fs::write(&manifest, "file appendonly.aof.1.incr.aof seq 1 type i\n").unwrap();
    let checked = Command::new("redis-check-aof").arg(&manifest).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    let folder_name = folder.to_str().unwrap();
    let options = ["--appendonly", "yes", "--dir", folder_name, "--databases", "4"];
    let server = Server::start_with(&options);
    let mut redis = server.connect(false);
    assert_eq!(redis.call(&[b"SAVE"]), b"+OK\r\n");
    drop(server);
    let again: Store = swept(&history.clock);
    rdb::import(&again, fs::File::open(folder.join("dump.rdb")).unwrap()).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(history.store.first_difference(&again), None);
    assert!(again.stats().keys > 0, "something was compared");
}

/// All records as one file of Redis's.
fn log_of(collector: &Collector) -> Vec<u8> {
    let mut log = Vec::new();
    let mut current = None;
    for record in &*collector.records.lock() {
        if record.len() > 1 {
            redis::write_request(&[b"MULTI"], &mut log);
        }
        for (database, bytes) in record {
            if current.replace(*database) != Some(*database) {
                redis::write_request(&[b"SELECT", database.to_string().as_bytes()], &mut log);
            }
            log.extend_from_slice(bytes);
        }
        if record.len() > 1 {
            redis::write_request(&[b"EXEC"], &mut log);
        }
    }
    log
}
