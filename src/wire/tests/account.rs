//! Random commands of all types under a moving clock: after each step every shard holds its
//! invariants, and when all keys are gone the account of their memory is back where it began.

use std::time::Duration;

use crate::random::Random;
use crate::{ManualClock, Store};

const WORDS: &[&[&str]] = &[
    &["SET", "K", "V"],
    &["SET", "K", "V", "PX", "T"],
    &["SET", "K", "V", "KEEPTTL"],
    &["APPEND", "K", "V"],
    &["SETRANGE", "K", "N", "V"],
    &["INCR", "K"],
    &["INCRBYFLOAT", "K", "1.5"],
    &["GETDEL", "K"],
    &["GETEX", "K", "PX", "T"],
    &["GETEX", "K", "PERSIST"],
    &["PEXPIRE", "K", "T"],
    &["PEXPIRE", "K", "-1"],
    &["PEXPIREAT", "K", "1"],
    &["PERSIST", "K"],
    &["RENAME", "K", "K"],
    &["RENAMENX", "K", "K"],
    &["COPY", "K", "K", "REPLACE"],
    &["COPY", "K", "K", "DB", "1", "REPLACE"],
    &["MOVE", "K", "1"],
    &["DEL", "K", "K"],
    &["ZADD", "K", "N", "V", "N", "V", "N", "V"],
    &["ZADD", "K", "N", "V", "N", "N", "N", "N", "N", "T"],
    &["ZINCRBY", "K", "N", "V"],
    &["ZREM", "K", "V"],
    &["ZPOPMIN", "K", "N"],
    &["ZPOPMAX", "K"],
    &["ZMPOP", "2", "K", "K", "MIN", "COUNT", "5"],
    &["ZUNIONSTORE", "K", "2", "K", "K"],
    &["ZINTERSTORE", "K", "2", "K", "K"],
    &["ZDIFFSTORE", "K", "2", "K", "K"],
    &["ZRANGESTORE", "K", "K", "0", "N"],
    &["ZREMRANGEBYRANK", "K", "0", "N"],
    &["ZREMRANGEBYSCORE", "K", "0", "N"],
    &["LPUSH", "K", "V", "V", "V"],
    &["RPUSH", "K", "V", "V", "V", "V", "V"],
    &["LPOP", "K", "N"],
    &["RPOP", "K"],
    &["LSET", "K", "N", "V"],
    &["LINSERT", "K", "BEFORE", "V", "V"],
    &["LREM", "K", "N", "V"],
    &["LTRIM", "K", "1", "N"],
    &["LMOVE", "K", "K", "LEFT", "RIGHT"],
    &["LMPOP", "2", "K", "K", "LEFT", "COUNT", "5"],
    &["SORT", "K", "BY", "nosort", "STORE", "K"],
    &["HSET", "K", "V", "V", "V", "V", "V", "V"],
    &["HSET", "K", "N", "V", "N", "V", "N", "N", "N", "N"],
    &["HSETEX", "K", "PX", "T", "FIELDS", "2", "V", "V", "N", "V"],
    &["HSETEX", "K", "KEEPTTL", "FIELDS", "2", "V", "V", "N", "V"],
    &["HSETEX", "K", "FXX", "PXAT", "1", "FIELDS", "1", "V", "V"],
    &["HINCRBY", "K", "N", "N"],
    &["HPEXPIRE", "K", "T", "FIELDS", "3", "V", "N", "N"],
    &["HPEXPIRE", "K", "0", "FIELDS", "2", "V", "N"],
    &["HPERSIST", "K", "FIELDS", "2", "V", "N"],
    &["HGETEX", "K", "PX", "T", "FIELDS", "2", "V", "N"],
    &["HGETDEL", "K", "FIELDS", "2", "V", "N"],
    &["HDEL", "K", "V", "N", "N"],
    &["HGETALL", "K"],
    &["SETBIT", "K", "N", "1"],
    &["SETBIT", "K", "5000", "0"],
    &["BITOP", "XOR", "K", "K", "K"],
    &["BITFIELD", "K", "SET", "u9", "N", "N", "INCRBY", "i64", "#2", "N"],
    &["SADD", "K", "V", "V", "N", "N"],
    &["SADD", "K", "N", "N", "N", "N"],
    &["SREM", "K", "N", "V", "N"],
    &["SMOVE", "K", "K", "N"],
    &["SPOP", "K"],
    &["SPOP", "K", "N"],
    &["SUNIONSTORE", "K", "K", "K"],
    &["SINTERSTORE", "K", "K", "K"],
    &["SDIFFSTORE", "K", "K", "K"],
    &["ZUNIONSTORE", "K", "2", "K", "K"],
    &["XADD", "K", "*", "V", "V"],
    &["XADD", "K", "MAXLEN", "N", "*", "f", "V"],
    &["XADD", "K", "*", "f", "V", "g", "V"],
    &["XTRIM", "K", "MAXLEN", "N"],
    &["XTRIM", "K", "MAXLEN", "~", "N"],
    &["XDEL", "K", "I", "I"],
    &["XDELEX", "K", "DELREF", "IDS", "2", "I", "I"],
    &["XACKDEL", "K", "g", "ACKED", "IDS", "2", "I", "I"],
    &["XGROUP", "CREATE", "K", "g", "0", "MKSTREAM"],
    &["XGROUP", "CREATE", "K", "V", "$"],
    &["XGROUP", "SETID", "K", "g", "0"],
    &["XGROUP", "DESTROY", "K", "g"],
    &["XGROUP", "CREATECONSUMER", "K", "g", "V"],
    &["XGROUP", "DELCONSUMER", "K", "g", "V"],
    &["XREADGROUP", "GROUP", "g", "c", "COUNT", "5", "STREAMS", "K", ">"],
    &["XREADGROUP", "GROUP", "g", "V", "COUNT", "5", "STREAMS", "K", "0"],
    &["XACK", "K", "g", "I", "I"],
    &["XCLAIM", "K", "g", "V", "0", "I", "I"],
    &["XCLAIM", "K", "g", "V", "0", "I", "FORCE"],
    &["XAUTOCLAIM", "K", "g", "V", "0", "0", "COUNT", "5"],
    &["XSETID", "K", "99999999999999-1"],
    &["FLUSHDB"],
    &["GET", "K"],
    &["MGET", "K", "K", "K"],
];

fn word(word: &str, clock_ms: u64, random: &mut Random) -> Vec<u8> {
    match word {
        "K" => format!("key{}", random.below(6)).into_bytes(),
        "V" => {
            vec![b'0' + random.below(10) as u8; [0, 1, 3, 20, 200, 255, 256, 3000][random.below(8)]]
        }
        "N" => random.below(40).to_string().into_bytes(),
        "T" => (1 + random.below(300)).to_string().into_bytes(),
        "I" => format!("{}-{}", clock_ms - random.below(40) as u64, random.below(3)).into_bytes(),
        _ => word.as_bytes().to_vec(),
    }
}

#[test]
fn the_account_survives_random_commands() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).databases(2).build();
    let stores = [store.clone(), store.database(1).unwrap()];
    let mut random = Random::new();
    let mut history = Vec::new();
    let mut rounds = 0;
    for step in 0..60_000 {
        let now = clock.wall().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        let mut form = WORDS[random.below(WORDS.len())];
        if form == ["FLUSHDB"] && random.below(20) > 0 {
            form = &["XADD", "K", "*", "f", "V"];
        }
        let argv: Vec<Vec<u8>> = form.iter().map(|w| word(w, now, &mut random)).collect();
        let argv: Vec<&[u8]> = argv.iter().map(|w| &w[..]).collect();
        let number = random.below(2);
        history.push(format!("{number} {}", argv.join(&b' ').escape_ascii()));
        if history.len() > 40 {
            history.remove(0);
        }
        let reply = match random.below(10) {
            0 => stores[number].answer_all(&[&argv, &[b"GET", b"key1"], &argv], true),
            _ => stores[number].answer(&argv, random.below(2) == 0),
        };
        assert!(!reply.starts_with(b"-ERR unknown"), "{}", history.last().unwrap());
        if random.below(4) == 0 {
            clock.advance(Duration::from_millis(random.below(60) as u64));
        }
        let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for (_, shard) in store.databases().shards() {
                shard.read().check(store.databases().hasher());
            }
        }));
        if let Err(panic) = checked {
            println!("after step {step}:\n{}", history.join("\n"));
            std::panic::resume_unwind(panic);
        }
        if step % 500 == 499 {
            for store in &stores {
                for n in 0..6 {
                    let key = format!("key{n}");
                    store.answer(&[b"PERSIST", key.as_bytes()], false);
                    store.answer(&[b"DEL", key.as_bytes()], false);
                }
            }
            clock.advance(Duration::from_secs(10));
            assert_eq!((store.stats().keys, store.stats().with_deadline), (0, 0));
            rounds += 1;
        }
    }
    assert!(rounds > 100);
}
