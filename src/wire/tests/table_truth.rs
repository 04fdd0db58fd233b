//! The table's arities, flags and key positions, against what Redis says of its own.

use super::super::table::{self, COMMANDS, KeyPositions, Row};

/// What `COMMAND INFO` of Redis 7.0.15 answers: the name, the arity, the flags that the table
/// has too, the first key, the last, and the step between them.
#[rustfmt::skip]
const REDIS: &[(&str, i8, &str, i8, i8, u8)] = &[
    ("APPEND", 3, "write denyoom fast", 1, 1, 1),
    ("BITCOUNT", -2, "readonly", 1, 1, 1),
    ("BITFIELD", -2, "write denyoom", 1, 1, 1),
    ("BITFIELD_RO", -2, "readonly fast", 1, 1, 1),
    ("BITOP", -4, "write denyoom", 2, -1, 1),
    ("BITPOS", -3, "readonly", 1, 1, 1),
    ("BLMOVE", 6, "write denyoom blocking", 1, 2, 1),
    ("BLMPOP", -5, "write blocking movablekeys", 0, 0, 0),
    ("BLPOP", -3, "write blocking", 1, -2, 1),
    ("BRPOP", -3, "write blocking", 1, -2, 1),
    ("BRPOPLPUSH", 4, "write denyoom blocking", 1, 2, 1),
    ("BZMPOP", -5, "write blocking movablekeys", 0, 0, 0),
    ("BZPOPMAX", -3, "write fast blocking", 1, -2, 1),
    ("BZPOPMIN", -3, "write fast blocking", 1, -2, 1),
    ("COPY", -3, "write denyoom", 1, 2, 1),
    ("DBSIZE", 1, "readonly fast", 0, 0, 0),
    ("DECR", 2, "write denyoom fast", 1, 1, 1),
    ("DECRBY", 3, "write denyoom fast", 1, 1, 1),
    ("DEL", -2, "write", 1, -1, 1),
    ("DUMP", 2, "readonly", 1, 1, 1),
    ("EXISTS", -2, "readonly fast", 1, -1, 1),
    ("EXPIRE", -3, "write fast", 1, 1, 1),
    ("EXPIREAT", -3, "write fast", 1, 1, 1),
    ("EXPIRETIME", 2, "readonly fast", 1, 1, 1),
    ("FLUSHALL", -1, "write", 0, 0, 0),
    ("FLUSHDB", -1, "write", 0, 0, 0),
    ("GET", 2, "readonly fast", 1, 1, 1),
    ("GETBIT", 3, "readonly fast", 1, 1, 1),
    ("GETDEL", 2, "write fast", 1, 1, 1),
    ("GETEX", -2, "write fast", 1, 1, 1),
    ("GETRANGE", 4, "readonly", 1, 1, 1),
    ("GETSET", 3, "write denyoom fast", 1, 1, 1),
    ("HDEL", -3, "write fast", 1, 1, 1),
    ("HEXISTS", 3, "readonly fast", 1, 1, 1),
    ("HGET", 3, "readonly fast", 1, 1, 1),
    ("HGETALL", 2, "readonly", 1, 1, 1),
    ("HINCRBY", 4, "write denyoom fast", 1, 1, 1),
    ("HINCRBYFLOAT", 4, "write denyoom fast", 1, 1, 1),
    ("HKEYS", 2, "readonly", 1, 1, 1),
    ("HLEN", 2, "readonly fast", 1, 1, 1),
    ("HMGET", -3, "readonly fast", 1, 1, 1),
    ("HMSET", -4, "write denyoom fast", 1, 1, 1),
    ("HRANDFIELD", -2, "readonly", 1, 1, 1),
    ("HSCAN", -3, "readonly", 1, 1, 1),
    ("HSET", -4, "write denyoom fast", 1, 1, 1),
    ("HSETNX", 4, "write denyoom fast", 1, 1, 1),
    ("HSTRLEN", 3, "readonly fast", 1, 1, 1),
    ("HVALS", 2, "readonly", 1, 1, 1),
    ("INCR", 2, "write denyoom fast", 1, 1, 1),
    ("INCRBY", 3, "write denyoom fast", 1, 1, 1),
    ("INCRBYFLOAT", 3, "write denyoom fast", 1, 1, 1),
    ("KEYS", 2, "readonly", 0, 0, 0),
    ("LCS", -3, "readonly", 1, 2, 1),
    ("LINDEX", 3, "readonly", 1, 1, 1),
    ("LINSERT", 5, "write denyoom", 1, 1, 1),
    ("LLEN", 2, "readonly fast", 1, 1, 1),
    ("LMOVE", 5, "write denyoom", 1, 2, 1),
    ("LMPOP", -4, "write movablekeys", 0, 0, 0),
    ("LPOP", -2, "write fast", 1, 1, 1),
    ("LPOS", -3, "readonly", 1, 1, 1),
    ("LPUSH", -3, "write denyoom fast", 1, 1, 1),
    ("LPUSHX", -3, "write denyoom fast", 1, 1, 1),
    ("LRANGE", 4, "readonly", 1, 1, 1),
    ("LREM", 4, "write", 1, 1, 1),
    ("LSET", 4, "write denyoom", 1, 1, 1),
    ("LTRIM", 4, "write", 1, 1, 1),
    ("MGET", -2, "readonly fast", 1, -1, 1),
    ("MOVE", 3, "write fast", 1, 1, 1),
    ("MSET", -3, "write denyoom", 1, -1, 2),
    ("MSETNX", -3, "write denyoom", 1, -1, 2),
    ("OBJECT", -2, "", 0, 0, 0),
    ("OBJECT|ENCODING", 3, "readonly", 2, 2, 1),
    ("OBJECT|FREQ", 3, "readonly", 2, 2, 1),
    ("OBJECT|HELP", 2, "", 0, 0, 0),
    ("OBJECT|IDLETIME", 3, "readonly", 2, 2, 1),
    ("OBJECT|REFCOUNT", 3, "readonly", 2, 2, 1),
    ("PERSIST", 2, "write fast", 1, 1, 1),
    ("PEXPIRE", -3, "write fast", 1, 1, 1),
    ("PEXPIREAT", -3, "write fast", 1, 1, 1),
    ("PEXPIRETIME", 2, "readonly fast", 1, 1, 1),
    ("PSETEX", 4, "write denyoom", 1, 1, 1),
    ("PTTL", 2, "readonly fast", 1, 1, 1),
    ("PUBLISH", 3, "fast", 0, 0, 0),
    ("PUBSUB", -2, "", 0, 0, 0),
    ("PUBSUB|CHANNELS", -2, "", 0, 0, 0),
    ("PUBSUB|NUMPAT", 2, "", 0, 0, 0),
    ("PUBSUB|NUMSUB", -2, "", 0, 0, 0),
    ("RANDOMKEY", 1, "readonly", 0, 0, 0),
    ("RENAME", 3, "write", 1, 2, 1),
    ("RENAMENX", 3, "write fast", 1, 2, 1),
    ("RESTORE", -4, "write denyoom", 1, 1, 1),
    ("RPOP", -2, "write fast", 1, 1, 1),
    ("RPOPLPUSH", 3, "write denyoom", 1, 2, 1),
    ("RPUSH", -3, "write denyoom fast", 1, 1, 1),
    ("RPUSHX", -3, "write denyoom fast", 1, 1, 1),
    ("SADD", -3, "write denyoom fast", 1, 1, 1),
    ("SCAN", -2, "readonly", 0, 0, 0),
    ("SCARD", 2, "readonly fast", 1, 1, 1),
    ("SDIFF", -2, "readonly", 1, -1, 1),
    ("SDIFFSTORE", -3, "write denyoom", 1, -1, 1),
    ("SET", -3, "write denyoom", 1, 1, 1),
    ("SETBIT", 4, "write denyoom", 1, 1, 1),
    ("SETEX", 4, "write denyoom", 1, 1, 1),
    ("SETNX", 3, "write denyoom fast", 1, 1, 1),
    ("SETRANGE", 4, "write denyoom", 1, 1, 1),
    ("SINTER", -2, "readonly", 1, -1, 1),
    ("SINTERCARD", -3, "readonly movablekeys", 0, 0, 0),
    ("SINTERSTORE", -3, "write denyoom", 1, -1, 1),
    ("SISMEMBER", 3, "readonly fast", 1, 1, 1),
    ("SMEMBERS", 2, "readonly", 1, 1, 1),
    ("SMISMEMBER", -3, "readonly fast", 1, 1, 1),
    ("SMOVE", 4, "write fast", 1, 2, 1),
    ("SORT", -2, "write denyoom movablekeys", 1, 1, 1),
    ("SORT_RO", -2, "readonly movablekeys", 1, 1, 1),
    ("SPOP", -2, "write fast", 1, 1, 1),
    ("SRANDMEMBER", -2, "readonly", 1, 1, 1),
    ("SREM", -3, "write fast", 1, 1, 1),
    ("SSCAN", -3, "readonly", 1, 1, 1),
    ("STRLEN", 2, "readonly fast", 1, 1, 1),
    ("SWAPDB", 3, "write fast", 0, 0, 0),
    ("SUBSTR", 4, "readonly", 1, 1, 1),
    ("SUNION", -2, "readonly", 1, -1, 1),
    ("SUNIONSTORE", -3, "write denyoom", 1, -1, 1),
    ("TOUCH", -2, "readonly fast", 1, -1, 1),
    ("TTL", 2, "readonly fast", 1, 1, 1),
    ("TYPE", 2, "readonly fast", 1, 1, 1),
    ("UNLINK", -2, "write fast", 1, -1, 1),
    ("XACK", -4, "write fast", 1, 1, 1),
    ("XADD", -5, "write denyoom fast", 1, 1, 1),
    ("XAUTOCLAIM", -6, "write fast", 1, 1, 1),
    ("XCLAIM", -6, "write fast", 1, 1, 1),
    ("XDEL", -3, "write fast", 1, 1, 1),
    ("XGROUP", -2, "", 0, 0, 0),
    ("XGROUP|CREATE", -5, "write denyoom", 2, 2, 1),
    ("XGROUP|CREATECONSUMER", 5, "write denyoom", 2, 2, 1),
    ("XGROUP|DELCONSUMER", 5, "write", 2, 2, 1),
    ("XGROUP|DESTROY", 4, "write", 2, 2, 1),
    ("XGROUP|HELP", 2, "", 0, 0, 0),
    ("XGROUP|SETID", -5, "write", 2, 2, 1),
    ("XINFO", -2, "", 0, 0, 0),
    ("XINFO|CONSUMERS", 4, "readonly", 2, 2, 1),
    ("XINFO|GROUPS", 3, "readonly", 2, 2, 1),
    ("XINFO|HELP", 2, "", 0, 0, 0),
    ("XINFO|STREAM", -3, "readonly", 2, 2, 1),
    ("XLEN", 2, "readonly fast", 1, 1, 1),
    ("XPENDING", -3, "readonly", 1, 1, 1),
    ("XRANGE", -4, "readonly", 1, 1, 1),
    ("XREAD", -4, "readonly blocking movablekeys", 0, 0, 0),
    ("XREADGROUP", -7, "write blocking movablekeys", 0, 0, 0),
    ("XREVRANGE", -4, "readonly", 1, 1, 1),
    ("XSETID", -3, "write denyoom fast", 1, 1, 1),
    ("XTRIM", -4, "write", 1, 1, 1),
    ("ZADD", -4, "write denyoom fast", 1, 1, 1),
    ("ZCARD", 2, "readonly fast", 1, 1, 1),
    ("ZCOUNT", 4, "readonly fast", 1, 1, 1),
    ("ZDIFF", -3, "readonly movablekeys", 0, 0, 0),
    ("ZDIFFSTORE", -4, "write denyoom movablekeys", 1, 1, 1),
    ("ZINCRBY", 4, "write denyoom fast", 1, 1, 1),
    ("ZINTER", -3, "readonly movablekeys", 0, 0, 0),
    ("ZINTERCARD", -3, "readonly movablekeys", 0, 0, 0),
    ("ZINTERSTORE", -4, "write denyoom movablekeys", 1, 1, 1),
    ("ZLEXCOUNT", 4, "readonly fast", 1, 1, 1),
    ("ZMPOP", -4, "write movablekeys", 0, 0, 0),
    ("ZMSCORE", -3, "readonly fast", 1, 1, 1),
    ("ZPOPMAX", -2, "write fast", 1, 1, 1),
    ("ZPOPMIN", -2, "write fast", 1, 1, 1),
    ("ZRANDMEMBER", -2, "readonly", 1, 1, 1),
    ("ZRANGE", -4, "readonly", 1, 1, 1),
    ("ZRANGEBYLEX", -4, "readonly", 1, 1, 1),
    ("ZRANGEBYSCORE", -4, "readonly", 1, 1, 1),
    ("ZRANGESTORE", -5, "write denyoom", 1, 2, 1),
    ("ZRANK", 3, "readonly fast", 1, 1, 1),
    ("ZREM", -3, "write fast", 1, 1, 1),
    ("ZREMRANGEBYLEX", 4, "write", 1, 1, 1),
    ("ZREMRANGEBYRANK", 4, "write", 1, 1, 1),
    ("ZREMRANGEBYSCORE", 4, "write", 1, 1, 1),
    ("ZREVRANGE", -4, "readonly", 1, 1, 1),
    ("ZREVRANGEBYLEX", -4, "readonly", 1, 1, 1),
    ("ZREVRANGEBYSCORE", -4, "readonly", 1, 1, 1),
    ("ZREVRANK", 3, "readonly fast", 1, 1, 1),
    ("ZSCAN", -3, "readonly", 1, 1, 1),
    ("ZSCORE", 3, "readonly fast", 1, 1, 1),
    ("ZUNION", -3, "readonly movablekeys", 0, 0, 0),
    ("ZUNIONSTORE", -4, "write denyoom movablekeys", 1, 1, 1),
];

/// Commands that Redis 7.0 does not know.
#[rustfmt::skip]
const NEWER: &[&str] = &[
    "DELEX", "HEXPIRE", "HEXPIREAT", "HEXPIRETIME", "HGETDEL", "HGETEX", "HPERSIST", "HPEXPIRE",
    "HPEXPIREAT", "HPEXPIRETIME", "HPTTL", "HSETEX", "HTTL", "INCREX", "MSETEX", "XACKDEL",
    "XDELEX",
];

/// Commands that have got an option since Redis 7.0, and so another arity.
const LONGER: &[(&str, i8)] = &[("ZRANK", -3), ("ZREVRANK", -3)];

fn row(name: &str) -> Option<&'static Row> {
    let (command, subcommand) = name.split_once('|').unwrap_or((name, ""));
    let row = table::find(command.as_bytes())?;
    if subcommand.is_empty() { Some(row) } else { row.subcommand(subcommand.as_bytes()) }
}

/// First, last and step as Redis counts them: keys that only the arguments tell are not counted.
fn positions(keys: KeyPositions) -> (i8, i8, u8) {
    match keys {
        KeyPositions::Range { first, last, step } => (first, last, step),
        KeyPositions::Counted { destination: Some(place), .. } => (place as i8, place as i8, 1),
        KeyPositions::FirstAndStored => (1, 1, 1),
        _ => (0, 0, 0),
    }
}

#[test]
fn rows_say_what_redis_says() {
    let names = [
        (table::WRITE, "write"),
        (table::READONLY, "readonly"),
        (table::DENYOOM, "denyoom"),
        (table::FAST, "fast"),
        (table::BLOCKING, "blocking"),
        (table::MOVABLE_KEYS, "movablekeys"),
    ];
    for &(name, arity, flags, first, last, step) in REDIS {
        let row = row(name).unwrap_or_else(|| panic!("no row for {name}"));
        let arity = LONGER.iter().find(|longer| longer.0 == name).map_or(arity, |longer| longer.1);
        let own: Vec<&str> =
            names.iter().filter(|(flag, _)| row.flags & flag != 0).map(|(_, name)| *name).collect();
        assert_eq!((row.arity, &*own.join(" ")), (arity, flags), "{name}");
        assert_eq!(positions(row.keys), (first, last, step), "{name}");
    }
}

#[test]
fn every_row_is_one_of_redis_7_0_or_known_to_be_newer() {
    for row in COMMANDS.iter().flat_map(|row| row.subcommands().iter().chain([row])) {
        let known = REDIS.iter().any(|(name, ..)| *name == row.name);
        assert!(known != NEWER.contains(&row.name), "{}", row.name);
    }
}
