//! Random commands, from a grammar of each.
//!
//! A grammar is a line of text. Words in capitals and signs stand for themselves, names in small
//! letters for a random argument of that kind (see [`Commands::argument`]), `( a | b )` for one
//! of several, `{ a , b }` for some of them in any order, and `+` behind something for one to
//! three of it. What begins with `^` is newer than Redis 7.0, what begins with `!` makes a
//! command wait where it can: both are left out unless they are asked for.
//!
//! The unit tests of the wire form and the comparison with Redis share this file.

/// Everything that a command can look like, by its name; a subcommand is named `COMMAND|NAME`.
pub(crate) type Grammar = (&'static str, &'static str);

pub(crate) const STRINGS: &[Grammar] = &[
    ("GET", "key"),
    ("MGET", "key+"),
    ("STRLEN", "key"),
    ("LCS", "key key { ( LEN | IDX ) , MINMATCHLEN count , WITHMATCHLEN }"),
    ("LCS", "key key IDX { MINMATCHLEN count , WITHMATCHLEN }"),
    ("GETRANGE", "key index index"),
    ("SUBSTR", "key index index"),
    (
        "SET",
        "key value { ( NX | XX | ^IFEQ value | ^IFNE value ) , GET , \
         ( EX seconds | PX millis | EXAT date | PXAT datemillis | KEEPTTL ) }",
    ),
    ("SETNX", "key value"),
    ("SETEX", "key seconds value"),
    ("PSETEX", "key millis value"),
    ("GETSET", "key value"),
    ("GETDEL", "key"),
    ("GETEX", "key { ( EX seconds | PX millis | EXAT date | PXAT datemillis | PERSIST ) }"),
    ("MSET", "( key value ) +"),
    ("MSETNX", "( key value ) +"),
    ("MSETEX", "^ pairs { ( NX | XX ) , ( EX seconds | PX millis | KEEPTTL ) }"),
    ("APPEND", "key value"),
    ("SETRANGE", "key offset value"),
    ("DELEX", "^ key { ( IFEQ value | IFNE value ) }"),
    ("INCR", "key"),
    ("DECR", "key"),
    ("INCRBY", "key integer"),
    ("DECRBY", "key integer"),
    ("INCRBYFLOAT", "key float"),
    (
        "INCREX",
        "^ key { ( BYINT integer | BYFLOAT float ) , SATURATE , UBOUND integer , LBOUND integer , \
         ( EX seconds | PX millis | PERSIST ) }",
    ),
];

pub(crate) const KEYS: &[Grammar] = &[
    ("DEL", "key+"),
    ("UNLINK", "key+"),
    ("EXISTS", "key+"),
    ("TOUCH", "key+"),
    ("TYPE", "key"),
    ("OBJECT|ENCODING", "key"),
    ("OBJECT|REFCOUNT", "key"),
    ("OBJECT|IDLETIME", "key"),
    ("OBJECT|FREQ", "key"),
    ("EXPIRE", "key seconds { ( NX | XX | GT | LT ) , XX }"),
    ("PEXPIRE", "key millis { ( NX | XX | GT | LT ) , XX }"),
    ("EXPIREAT", "key date { ( NX | XX | GT | LT ) , XX }"),
    ("PEXPIREAT", "key datemillis { ( NX | XX | GT | LT ) , XX }"),
    ("TTL", "key"),
    ("PTTL", "key"),
    ("EXPIRETIME", "key"),
    ("PEXPIRETIME", "key"),
    ("PERSIST", "key"),
    ("RENAME", "key key"),
    ("RENAMENX", "key key"),
    ("COPY", "key key { DB database , REPLACE }"),
    ("MOVE", "key database"),
    ("DUMP", "key"),
    (
        "RESTORE",
        "( key 0 payload | key millis payload | key datemillis payload ABSTTL ) \
         { REPLACE , ( IDLETIME idle | FREQ 200 ) }",
    ),
    ("DBSIZE", ""),
    ("FLUSHDB", "{ ( SYNC | ASYNC ) }"),
    ("FLUSHALL", "{ ( SYNC | ASYNC ) }"),
    ("SWAPDB", "database database"),
    ("SCAN", "0 COUNT 100000 { MATCH pattern , TYPE kind }"),
    ("KEYS", "pattern"),
    ("RANDOMKEY", ""),
    ("PUBLISH", "member value"),
    ("PUBSUB|CHANNELS", "{ pattern }"),
    ("PUBSUB|NUMSUB", "{ member+ }"),
    ("PUBSUB|NUMPAT", ""),
];

pub(crate) const LISTS: &[Grammar] = &[
    ("LPUSH", "key element+"),
    ("RPUSH", "key element+"),
    ("LPUSHX", "key element+"),
    ("RPUSHX", "key element+"),
    ("LPOP", "key { count }"),
    ("RPOP", "key { count }"),
    ("LLEN", "key"),
    ("LINDEX", "key index"),
    ("LRANGE", "key index index"),
    ("LPOS", "key element { RANK index , COUNT count , MAXLEN count }"),
    ("LSET", "key index element"),
    ("LINSERT", "key ( BEFORE | AFTER ) element element"),
    ("LREM", "key index element"),
    ("LTRIM", "key ( index index | 0 index | index -1 )"),
    ("LMOVE", "key key ( LEFT | RIGHT ) ( LEFT | RIGHT )"),
    ("RPOPLPUSH", "key key"),
    ("LMPOP", "keys ( LEFT | RIGHT ) { COUNT positive }"),
    ("BLPOP", "! key+ timeout"),
    ("BRPOP", "! key+ timeout"),
    ("BLMOVE", "! key key ( LEFT | RIGHT ) ( LEFT | RIGHT ) timeout"),
    ("BRPOPLPUSH", "! key key timeout"),
    ("BLMPOP", "! timeout keys ( LEFT | RIGHT ) { COUNT positive }"),
];

/// What is sorted are numbers, for the most part. With `ALPHA` nothing else decides between
/// elements that are equal, so there is no pattern that many of them share.
pub(crate) const SORTING: &[Grammar] = &[
    ("SORT", "key { BY weight , LIMIT count index , GET lookedup , ( ASC | DESC ) , STORE key }"),
    ("SORT", "key { BY nosort , LIMIT count index , GET lookedup , ( ASC | DESC ) , STORE key }"),
    ("SORT", "key ALPHA { LIMIT count index , GET lookedup , ( ASC | DESC ) , STORE key }"),
    ("SORT_RO", "key { BY weight , LIMIT count index , GET lookedup , GET lookedup , DESC }"),
    ("SORT_RO", "key ALPHA { GET lookedup , DESC , LIMIT count index }"),
    ("RPUSH", "key small+"),
    ("RPUSH", "key small+"),
    ("LPUSH", "key element"),
    ("ZADD", "key ( score small ) +"),
    // A set has no order of its own, so it is always given one.
    ("SADD", "plainkey small+"),
    ("SREM", "plainkey small"),
    ("SORT", "plainkey { ( BY plainweight | ALPHA ) , LIMIT count index , GET lookedup , DESC }"),
    ("SORT", "plainkey { BY nosort , GET lookedup } STORE key"),
    ("LPOP", "key"),
    ("SET", "weighted amount"),
    ("DEL", "key"),
];

pub(crate) const SORTED_SETS: &[Grammar] = &[
    (
        "ZADD",
        "key ( { ( NX | XX ) , CH } ( score member ) + | { XX , ( GT | LT ) , CH } \
         ( score member ) + | { ( NX | XX | GT | LT ) , CH } INCR score member )",
    ),
    ("ZADD", "lex ( 0 member ) +"),
    ("ZINCRBY", "key score member"),
    ("ZCARD", "key"),
    ("ZCOUNT", "key scorebound scorebound"),
    ("ZLEXCOUNT", "lexkey lexbound lexbound"),
    ("ZSCORE", "key member"),
    ("ZMSCORE", "key member+"),
    ("ZRANK", "key member { ^WITHSCORE }"),
    ("ZREVRANK", "key member { ^WITHSCORE }"),
    (
        "ZRANGE",
        "( key index index { REV , WITHSCORES } \
         | key scorebound scorebound BYSCORE { REV , LIMIT count index , WITHSCORES } \
         | lexkey lexbound lexbound BYLEX { REV , LIMIT count index } )",
    ),
    ("ZREVRANGE", "key index index { WITHSCORES }"),
    ("ZRANGEBYSCORE", "key scorebound scorebound { WITHSCORES , LIMIT count index }"),
    ("ZREVRANGEBYSCORE", "key scorebound scorebound { WITHSCORES , LIMIT count index }"),
    ("ZRANGEBYLEX", "lexkey lexbound lexbound { LIMIT count index }"),
    ("ZREVRANGEBYLEX", "lexkey lexbound lexbound { LIMIT count index }"),
    (
        "ZRANGESTORE",
        "key ( key index index { REV } \
         | key scorebound scorebound BYSCORE { REV , LIMIT count index } \
         | lexkey lexbound lexbound BYLEX { REV , LIMIT count index } )",
    ),
    ("ZREM", "key member+"),
    ("ZREMRANGEBYRANK", "key index index"),
    ("ZREMRANGEBYSCORE", "key scorebound scorebound"),
    ("ZREMRANGEBYLEX", "lexkey lexbound lexbound"),
    ("ZPOPMIN", "key { count }"),
    ("ZPOPMAX", "key { count }"),
    ("BZPOPMIN", "! key+ timeout"),
    ("BZPOPMAX", "! key+ timeout"),
    ("ZMPOP", "keys ( MIN | MAX ) { COUNT positive }"),
    ("BZMPOP", "! timeout keys ( MIN | MAX ) { COUNT positive }"),
    ("ZUNION", "keys { WEIGHTS weights , AGGREGATE ( SUM | MIN | MAX ) , WITHSCORES }"),
    ("ZINTER", "keys { WEIGHTS weights , AGGREGATE ( SUM | MIN | MAX ) , WITHSCORES }"),
    ("ZDIFF", "keys { WITHSCORES }"),
    ("ZUNIONSTORE", "key keys { WEIGHTS weights , AGGREGATE ( SUM | MIN | MAX ) }"),
    ("ZINTERSTORE", "key keys { WEIGHTS weights , AGGREGATE ( SUM | MIN | MAX ) }"),
    ("ZDIFFSTORE", "key keys"),
    ("ZINTERCARD", "keys { LIMIT count }"),
    ("ZRANDMEMBER", "key { ( index | index WITHSCORES ) }"),
    ("ZSCAN", "key 0 { COUNT 100000 , MATCH pattern }"),
];

pub(crate) const HASHES: &[Grammar] = &[
    ("HSET", "key ( member value ) +"),
    ("HMSET", "key ( member value ) +"),
    ("HSETNX", "key member value"),
    ("HGET", "key member"),
    ("HMGET", "key member+"),
    ("HGETALL", "key"),
    ("HKEYS", "key"),
    ("HVALS", "key"),
    ("HLEN", "key"),
    ("HSTRLEN", "key member"),
    ("HEXISTS", "key member"),
    ("HDEL", "key member+"),
    ("HINCRBY", "key member integer"),
    ("HINCRBYFLOAT", "key member float"),
    ("HRANDFIELD", "key { ( index | index WITHVALUES ) }"),
    ("HSCAN", "key 0 { COUNT 100000 , MATCH pattern , ^NOVALUES }"),
    ("HEXPIRE", "^ key seconds { ( NX | XX | GT | LT ) } FIELDS fields"),
    ("HPEXPIRE", "^ key millis { ( NX | XX | GT | LT ) } FIELDS fields"),
    ("HEXPIREAT", "^ key date { ( NX | XX | GT | LT ) } FIELDS fields"),
    ("HPEXPIREAT", "^ key ( past | datemillis ) { ( NX | XX | GT | LT ) } FIELDS fields"),
    ("HTTL", "^ key FIELDS fields"),
    ("HPTTL", "^ key FIELDS fields"),
    ("HEXPIRETIME", "^ key FIELDS fields"),
    ("HPEXPIRETIME", "^ key FIELDS fields"),
    ("HPERSIST", "^ key FIELDS fields"),
    (
        "HGETEX",
        "^ key { ( EX seconds | PX millis | EXAT date | PXAT datemillis | PERSIST ) } \
         FIELDS fields",
    ),
    ("HGETDEL", "^ key FIELDS fields"),
    (
        "HSETEX",
        "^ key { ( FNX | FXX ) , ( EX seconds | PX wait | EXAT date | PXAT past | KEEPTTL ) } \
         FIELDS fieldvalues",
    ),
];

pub(crate) const SETS: &[Grammar] = &[
    ("SADD", "key setmember+"),
    ("SREM", "key setmember+"),
    ("SMOVE", "key key setmember"),
    ("SMEMBERS", "key"),
    ("SCARD", "key"),
    ("SISMEMBER", "key setmember"),
    ("SMISMEMBER", "key setmember+"),
    // What is left is the same only if nothing is.
    ("SPOP", "key ( 0 | 1000000 )"),
    ("SRANDMEMBER", "key { index }"),
    ("SSCAN", "key 0 { COUNT 100000 , MATCH pattern }"),
    ("SUNION", "key+"),
    ("SINTER", "key+"),
    ("SDIFF", "key+"),
    ("SUNIONSTORE", "key key+"),
    ("SINTERSTORE", "key key+"),
    ("SDIFFSTORE", "key key+"),
    ("SINTERCARD", "keys { LIMIT count }"),
    ("ZUNION", "keys { WEIGHTS weights , AGGREGATE ( SUM | MIN | MAX ) , WITHSCORES }"),
    ("ZINTERSTORE", "key keys { WEIGHTS weights , AGGREGATE ( SUM | MIN | MAX ) }"),
    ("ZDIFF", "keys { WITHSCORES }"),
    ("ZINTERCARD", "keys { LIMIT count }"),
];

pub(crate) const BITMAPS: &[Grammar] = &[
    ("SETBIT", "key bit ( 0 | 1 )"),
    ("GETBIT", "key bit"),
    ("BITCOUNT", "key ( index index | bitindex bitindex BIT | index index BYTE | )"),
    (
        "BITPOS",
        "key ( 0 | 1 ) ( index | index index | bitindex bitindex BIT | index index BYTE | )",
    ),
    ("BITOP", "( AND | OR | XOR ) key key+"),
    ("BITOP", "NOT key key"),
    (
        "BITFIELD",
        "key ( GET bitfield | OVERFLOW ( WRAP | SAT | FAIL ) | SET bitfield bitnumber \
         | INCRBY bitfield integer ) +",
    ),
    ("BITFIELD_RO", "key ( GET bitfield ) +"),
    ("SETRANGE", "key offset value"),
    ("GETRANGE", "key index index"),
];

pub(crate) const STREAMS: &[Grammar] = &[
    (
        "XADD",
        "key { NOMKSTREAM , ( MAXLEN ( = count | ~ count | count ) \
         | MINID ( = id | ~ id | id ) ) } newid ( member value ) +",
    ),
    ("XLEN", "key"),
    ("XRANGE", "key start end { COUNT count }"),
    ("XREVRANGE", "key end start { COUNT count }"),
    ("XREAD", "{ COUNT count , ! BLOCK wait } STREAMS streams"),
    ("XDEL", "key id+"),
    ("XDELEX", "^ key ( KEEPREF | DELREF | ACKED ) IDS ids"),
    (
        "XTRIM",
        "key ( MAXLEN ( = count | ~ count { LIMIT count } | count ) \
         | MINID ( = id | ~ id { LIMIT count } | id ) )",
    ),
    ("XSETID", "key topid { ENTRIESADDED count MAXDELETEDID id }"),
    ("XINFO|STREAM", "key ( FULL | FULL COUNT count | )"),
    ("XINFO|GROUPS", "key"),
    ("XINFO|CONSUMERS", "key group"),
    ("XGROUP|CREATE", "key group ( $ | id ) { MKSTREAM , ENTRIESREAD count }"),
    ("XGROUP|SETID", "key group ( $ | id ) { ENTRIESREAD count }"),
    ("XGROUP|DESTROY", "key group"),
    ("XGROUP|CREATECONSUMER", "key group consumer"),
    ("XGROUP|DELCONSUMER", "key group consumer"),
    (
        "XREADGROUP",
        "GROUP group consumer { COUNT count , ! BLOCK wait , NOACK } STREAMS groupstreams",
    ),
    ("XACK", "key group id+"),
    ("XACKDEL", "^ key group ( KEEPREF | DELREF | ACKED ) IDS ids"),
    (
        "XPENDING",
        "key group ( start end count | start end count consumer | IDLE idle start end count | )",
    ),
    (
        "XCLAIM",
        "key group consumer idle id+ \
         { ( IDLE claimedidle | TIME past ) , RETRYCOUNT count , FORCE , JUSTID , LASTID id }",
    ),
    ("XAUTOCLAIM", "key group consumer idle start { COUNT positive , JUSTID }"),
];

/// Every command that answers the same everywhere.
pub(crate) fn all() -> Vec<Grammar> {
    [STRINGS, KEYS, LISTS, SORTING, SORTED_SETS, HASHES, SETS, BITMAPS, STREAMS].concat()
}

/// The commands of these names, as often as they are named.
pub(crate) fn named(names: &[&str]) -> Vec<Grammar> {
    let all = all();
    let named = |name: &&str| *all.iter().find(|known| known.0 == *name).expect("a command");
    names.iter().map(named).collect()
}

/// A command with its name.
pub(crate) type Argv = Vec<Vec<u8>>;

/// A source of random commands; the same seed gives the same ones.
pub(crate) struct Commands {
    random: Random,
    /// Whether to use what Redis 7.0 does not know.
    pub(crate) newer: bool,
    /// Whether to generate commands that may wait.
    pub(crate) waiting: bool,
    /// How many keys were named last.
    keys: usize,
    /// Entries are mostly appended above this time.
    millis: u64,
}

impl Commands {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Random(seed), newer: false, waiting: false, keys: 0, millis: 1 }
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound)
    }

    pub(crate) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// A command of one of `all`; in one case of three of one of `makers`, which make data for the
    /// others to find.
    pub(crate) fn draw(&mut self, all: &[Grammar], makers: &[Grammar]) -> (Grammar, Argv) {
        loop {
            let grammar = if self.below(3) == 0 { *self.pick(makers) } else { *self.pick(all) };
            // No history would get far if it were cleared as often as anything else is done.
            let clears = ["FLUSHALL", "FLUSHDB"].contains(&grammar.0);
            if clears && self.below(5) > 0 {
                continue;
            }
            if let Some(argv) = self.command(grammar) {
                return (grammar, argv);
            }
        }
    }

    /// A command by its grammar; `None` if it is of a kind that was not asked for.
    fn command(&mut self, (name, grammar): Grammar) -> Option<Argv> {
        let words: Vec<&str> = grammar.split_whitespace().collect();
        let form = Parser { words: &words }.sequence();
        if !self.allows(&form) {
            return None;
        }
        let mut argv: Argv = name.split('|').map(|word| word.as_bytes().to_vec()).collect();
        self.write(&form, &mut argv);
        Some(argv)
    }

    fn allows(&self, form: &Form<'_>) -> bool {
        match form {
            Form::Sequence { newer, waiting, .. } => {
                (self.newer || !newer) && (self.waiting || !waiting)
            }
            _ => true,
        }
    }

    fn write(&mut self, form: &Form<'_>, argv: &mut Argv) {
        match form {
            Form::Word(word) => argv.push(word.as_bytes().to_vec()),
            Form::Argument(kind) => self.argument(kind, argv),
            Form::Sequence { items, .. } => items.iter().for_each(|item| self.write(item, argv)),
            Form::OneOf(forms) => {
                let allowed: Vec<_> = forms.iter().filter(|form| self.allows(form)).collect();
                let chosen = *self.pick(&allowed);
                self.write(chosen, argv);
            }
            Form::SomeOf(forms) => {
                let mut allowed: Vec<_> = forms.iter().filter(|form| self.allows(form)).collect();
                while !allowed.is_empty() {
                    let chosen = allowed.swap_remove(self.below(allowed.len()));
                    if self.below(5) < 2 {
                        self.write(chosen, argv);
                    }
                }
            }
            Form::Many(form) => (0..=self.below(3)).for_each(|_| self.write(form, argv)),
        }
    }

    /// Writes a random argument, or arguments that belong together.
    fn argument(&mut self, kind: &str, argv: &mut Argv) {
        match kind {
            "keys" | "pairs" | "ids" | "fields" | "fieldvalues" => {
                self.keys = 1 + self.below(3);
                argv.push(self.keys.to_string().into_bytes());
                for _ in 0..self.keys {
                    argv.push(self.text(match kind {
                        "ids" => "id",
                        "fields" | "fieldvalues" => "member",
                        _ => "key",
                    }));
                    if ["pairs", "fieldvalues"].contains(&kind) {
                        argv.push(self.text("value"));
                    }
                }
            }
            "bitfield" => {
                argv.push(self.text("encoding"));
                let index = if self.below(3) == 0 { "#" } else { "" };
                argv.push([index.as_bytes(), &self.text("bit")].concat());
            }
            "weights" => (0..self.keys).for_each(|_| argv.push(self.text("score"))),
            "streams" | "groupstreams" => {
                let streams = 1 + self.below(2);
                let position = if kind == "streams" { "position" } else { "groupposition" };
                for kind in ["key", position] {
                    (0..streams).for_each(|_| argv.push(self.text(kind)));
                }
            }
            kind => argv.push(self.text(kind)),
        }
    }

    /// A random argument of a kind.
    fn text(&mut self, kind: &str) -> Vec<u8> {
        let small = self.below(7) as i64;
        let number = match kind {
            "index" => small * 2 - 6 + self.below(2) as i64,
            "count" => small - i64::from(self.below(20) == 0),
            "positive" => small + 1,
            "small" => *self.pick(&[0, 1, 2, 3, 10, -1, 20]),
            "offset" => self.below(40) as i64,
            "bit" => self.below(200) as i64,
            "bitindex" => self.below(200) as i64 - 100,
            "database" => *self.pick(&[0, 1, 2, 2, 16]),
            "integer" => *self.pick(&[1, 2, -1, 5, -10, 0, 100, i64::MAX, i64::MIN + 1]),
            // Redis takes a number next to the lowest for one that is too high.
            "bitnumber" => *self.pick(&[1, 2, -1, 5, -10, 0, 100, i64::MAX, -70_000, i64::MIN / 2]),
            "seconds" => 1_000 + self.below(1_000_000_000) as i64,
            "millis" => 1_000_000 + self.below(1_000_000_000) as i64 * 100,
            "date" => 4_000_000_000 + self.below(1_000_000_000) as i64,
            "datemillis" => 4_000_000_000_000 + self.below(1_000_000_000) as i64,
            "idle" => *self.pick(&[0, 0, 50_000, 1_000_000_000]),
            "claimedidle" => *self.pick(&[0, 100_000]),
            "past" => *self.pick(&[1, 1_000_000_000_000]),
            "wait" => 5,
            "payload" => return self.pick(PAYLOADS).to_vec(),
            kind => return self.word(kind),
        };
        number.to_string().into_bytes()
    }

    /// A random argument that is not merely a number.
    fn word(&mut self, kind: &str) -> Vec<u8> {
        match WORDS.iter().find(|words| words.0 == kind) {
            Some((_, words)) => self.pick(words).as_bytes().to_vec(),
            None => self.id(kind),
        }
    }

    /// An id of an entry, or what may stand in its place.
    fn id(&mut self, kind: &str) -> Vec<u8> {
        let kinds = ["newid", "topid", "id", "start", "end", "position", "groupposition"];
        assert!(kinds.contains(&kind), "{kind:?} is no kind of argument");
        let dice = self.below(10);
        let place = match (kind, dice) {
            // Never below an entry, be it deleted.
            ("topid", _) => {
                self.millis += 3;
                return format!("{}-0", self.millis).into_bytes();
            }
            ("newid", 0..=6) => {
                self.millis += self.below(3) as u64;
                let seq = self.below(4);
                return match dice {
                    0 => format!("{}-*", self.millis).into_bytes(),
                    _ => format!("{}-{seq}", self.millis).into_bytes(),
                };
            }
            ("newid", 7) if self.newer => "*",
            ("start", 0..=5) => "-",
            ("end", 0..=5) => "+",
            ("position", 0) => "$",
            ("position", 1) if self.newer => "+",
            ("position" | "groupposition", 2..=4) => "0",
            ("groupposition", 5..) => ">",
            _ => {
                let open = if kind == "start" && dice > 8 { "(" } else { "" };
                let above = self.millis.saturating_sub(self.below(12) as u64);
                let seq = self.below(4);
                return match self.below(12) {
                    0 => format!("{open}{above}"),
                    1 => "0-0".to_owned(),
                    2 if kind != "newid" => format!("{}-{}", u64::MAX, u64::MAX),
                    _ => format!("{open}{above}-{seq}"),
                }
                .into_bytes();
            }
        };
        place.as_bytes().to_vec()
    }
}

/// An element so long that a few of them fill a block.
const LONG_ELEMENT: &str = match std::str::from_utf8(&[b'x'; 1500]) {
    Ok(text) => text,
    Err(_) => "",
};

/// What Redis 7.0 dumped: a string, a number (no small one, as it would share that with all keys,
/// and when it was used with it), a list, a hash, two sets, a sorted set, a stream. The
/// last is none.
#[rustfmt::skip]
const PAYLOADS: &[&[u8]] = &[
    b"\x00\x01\x76\x0a\x00\x91\x08\xce\xb2\x19\x38\x8a\xce",
    b"\x00\xc1\x39\x30\x0a\x00\x9d\x94\xea\x27\x93\xfc\x08\xb9",
    b"\x12\x01\x02\x0c\x0c\x00\x00\x00\x02\x00\x81\x61\x02\x0a\x01\xff\x0a\x00\x2d\
      \x8a\x61\x0a\x3f\x33\xd9\x59",
    b"\x10\x0c\x0c\x00\x00\x00\x02\x00\x81\x66\x02\x01\x01\xff\x0a\x00\x31\xba\x08\
      \x19\x49\xa0\xe3\xdd",
    b"\x0b\x10\x04\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x40\x9c\x00\x00\x0a\
      \x00\x2f\x5c\x28\x8f\x9b\xef\x4f\x93",
    b"\x02\x01\x01\x61\x0a\x00\x62\x96\xe9\x7e\x44\xd2\x1a\x6d",
    b"\x11\x14\x14\x00\x00\x00\x04\x00\x81\x61\x02\x01\x01\x81\x62\x02\x83\x32\x2e\
      \x35\x04\xff\x0a\x00\xd4\x4c\x6e\xa4\xf6\x44\xd9\xd7",
    b"\x13\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\
      \x1d\x1d\x00\x00\x00\x0a\x00\x01\x01\x00\x01\x01\x01\x81\x61\x02\x00\x01\x02\x01\x00\x01\
      \x00\x01\x81\x62\x02\x04\x01\xff\x01\x01\x01\x01\x01\x00\x00\x01\x00\x0a\x00\x6f\x43\x34\
      \xec\xd7\xfa\x5a\xec",
    b"\x00\x01\x76\x0a\x00",
];

/// Random arguments that are not merely numbers, by kind.
#[rustfmt::skip]
const WORDS: &[(&str, &[&str])] = &[
    // The last three hold one type each for most of the time.
    ("key", &["a", "a", "a", "b", "b", "b", "c", "c", "str", "set", "log"]),
    // All members of the first have the same score: otherwise the order by member is not defined.
    ("lexkey", &["lex", "lex", "lex", "lex", "lex", "text", "none"]),
    ("value", &[
        "", "v", "10", "-3", "abc", "3.5", "1e3", " 1", "01", "9223372036854775807", "0.1", "0x1F",
        "3.00000000000000000001", "1e20", "-0", "12345678901234567890.5",
        "a much longer value, which no small block of any kind holds: 0123456789", "two\r\nlines",
    ]),
    ("float", &[
        "1.5", "-2", "0", "1e10", "3.0e-3", "0.1", "inf", "1e308", "5", "1e-20", "-0", "0x1F",
        "123456789.123456789", "-1e-5", "1e4000", "0.30000000000000004", "1e17",
    ]),
    ("score", &[
        "1", "2", "3", "2.5", "-1", "0", "-0", "1e3", "inf", "-inf", "0.1", "0.2", "3.0",
        "17179869184", "1e300", "1.5e-7", "123456789012345678",
    ]),
    ("scorebound", &["-inf", "+inf", "(1", "(2.5", "1", "3", "0.1", "(inf", "-1", "1e3"]),
    ("lexbound", &["-", "+", "[b", "(c", "[f", "(", "[", "(10"]),
    ("member", &[
        "a", "b", "c", "d", "e", "f", "g", "h", "", "10", "9", "Zoë",
        "a member too long for the packed form that Redis gives to small sorted sets",
    ]),
    ("encoding", &["u8", "i8", "u1", "i5", "u63", "i64", "u16", "i33", "u7", "u64", "i0", "x"]),
    ("setmember", &[
        "a", "b", "c", "", "1", "2", "3", "-7", "40000", "-3000000000", "9223372036854775807",
        "01", "a member too long for a packed set: 0123456789 0123456789 0123456789 0123456789",
    ]),
    // Small ones, and some that no packed form holds.
    ("element", &[
        "a", "a", "b", "b", "c", "d", "", "10", "-1", "Zoë",
        "an element of some length, though not a long one: 0123456789 0123456789 0123456789",
        LONG_ELEMENT,
    ]),
    ("weight", &["w*", "w*", "nosort", "*", "w*->f", "no*"]),
    ("nosort", &["nosort"]),
    ("plainkey", &["members"]),
    ("plainweight", &["w*", "*", "w*->f", "no*"]),
    ("amount", &["1.5", "-2", "0", "1e10", "0.1", "inf", "0x1F", "", " 3", "1", "1", "abc"]),
    ("weighted", &["w0", "w1", "w2", "w3", "w10", "w-1"]),
    ("lookedup", &["#", "w*", "none", "w*->f", "w*->", "*"]),
    ("pattern", &["*", "a*", "?", "[a-c]", "[^a]", "\\*", "*t*", "b", "h?llo", ""]),
    ("kind", &["string", "list", "zset", "stream", "hash", "set", "foo"]),
    ("group", &["g1", "g1", "g2"]),
    ("consumer", &["c1", "c1", "c2", "c3"]),
    ("timeout", &["0.01", "1", "0.5"]),
];

/// What a part of a grammar says.
enum Form<'g> {
    Word(&'g str),
    Argument(&'g str),
    Sequence { newer: bool, waiting: bool, items: Vec<Form<'g>> },
    OneOf(Vec<Form<'g>>),
    SomeOf(Vec<Form<'g>>),
    Many(Box<Form<'g>>),
}

struct Parser<'g, 't> {
    words: &'t [&'g str],
}

impl<'g> Parser<'g, '_> {
    fn next(&mut self) -> Option<&'g str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    /// Reads up to the end, or to what ends or separates alternatives.
    fn sequence(&mut self) -> Form<'g> {
        let (mut newer, mut waiting) = (false, false);
        let mut items = Vec::new();
        while let Some(word) =
            self.words.first().filter(|word| !["|", ",", ")", "}"].contains(word))
        {
            let word = *word;
            self.next();
            let item = match word {
                "^" => {
                    newer = true;
                    continue;
                }
                "!" => {
                    waiting = true;
                    continue;
                }
                "(" => Form::OneOf(self.alternatives()),
                "{" => Form::SomeOf(self.alternatives()),
                word => match word.strip_prefix('^') {
                    Some(word) => {
                        newer = true;
                        Form::Word(word)
                    }
                    None => Self::terminal(word),
                },
            };
            let item = match self.words.first() {
                Some(&"+") => {
                    self.next();
                    Form::Many(Box::new(item))
                }
                _ => item,
            };
            items.push(item);
        }
        Form::Sequence { newer, waiting, items }
    }

    fn terminal(word: &'g str) -> Form<'g> {
        match word.strip_suffix('+') {
            Some(kind) if !kind.is_empty() => Form::Many(Box::new(Form::Argument(kind))),
            _ if word == "lex" => Form::Word(word),
            _ if word.starts_with(|first: char| first.is_ascii_lowercase()) => Form::Argument(word),
            _ => Form::Word(word),
        }
    }

    fn alternatives(&mut self) -> Vec<Form<'g>> {
        let mut found = vec![self.sequence()];
        loop {
            match self.next() {
                Some("|" | ",") => found.push(self.sequence()),
                _ => return found,
            }
        }
    }
}

/// Steele, Lea and Flood's SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
