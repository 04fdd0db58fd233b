//! Keys of all types and sizes, and what there is to say of them.

use std::collections::BTreeMap;

use crate::redis::{Connection, REFERENCE, wanted_version, write_request};

pub(crate) fn text(reply: &[u8]) -> String {
    String::from_utf8_lossy(reply).into_owned()
}

pub(crate) fn key(number: usize) -> Vec<u8> {
    match number {
        0 => Vec::new(),
        1 => vec![0xff; 300],
        2 => b"12".to_vec(),
        _ => format!("key\0{number}").into_bytes(),
    }
}

/// Digits of one database in four.
pub(crate) fn database(number: usize) -> &'static str {
    ["0", "0", "0", "9"][number % 4]
}

/// Makes keys of all types and sizes in a server.
pub(crate) fn fill(redis: &mut Connection, keys: usize, seed: u64) {
    let mut requests = Vec::new();
    let mut pending = 0;
    let mut flush = |requests: &mut Vec<u8>, pending: &mut usize| {
        redis.send(requests);
        requests.clear();
        for _ in 0..std::mem::take(pending) {
            let reply = redis.receive();
            assert!(reply[0] != b'-', "{}", text(&reply));
        }
    };
    for_each_command(keys, seed, |database, argv| {
        for argv in [&[b"SELECT", database.as_bytes()], argv] {
            write_request(argv, &mut requests);
            pending += 1;
        }
        if requests.len() > 100_000 {
            flush(&mut requests, &mut pending);
        }
    });
    flush(&mut requests, &mut pending);
    // Valkey keeps them in a way of its own, and does not load Redis's.
    let is_valkey = text(&redis.call(&[b"INFO", b"server"])).contains("valkey");
    if wanted_version() != REFERENCE && !is_valkey {
        give_fields_deadlines(redis, keys);
    }
}

/// Gives the first field of each hash a deadline.
fn give_fields_deadlines(redis: &mut Connection, keys: usize) {
    for number in 0..keys {
        let (key, at) = (key(number), (4_000_000_000_123 + number).to_string());
        redis.call(&[b"SELECT", database(number).as_bytes()]);
        if redis.call(&[b"TYPE", &key]) == b"+hash\r\n" {
            let fields = bulks(&redis.call(&[b"HKEYS", &key]));
            let request: [&[u8]; 6] =
                [b"HPEXPIREAT", &key, at.as_bytes(), b"FIELDS", b"1", &fields[0]];
            assert_eq!(text(&redis.call(&request)), "*1\r\n:1\r\n");
        }
    }
}

/// Shows the commands that make keys of all types and sizes, each with its database.
pub(crate) fn for_each_command(keys: usize, seed: u64, mut show: impl FnMut(&str, &[&[u8]])) {
    let mut random = seed;
    for number in 0..keys {
        let key = key(number);
        // It may be of another type.
        let mut commands =
            [vec![argv(&[b"DEL", &key])], commands(&mut random, &key, number)].concat();
        if random.is_multiple_of(5) {
            commands.push(argv(&[b"PEXPIREAT", &key, b"4000000000123"]));
        }
        for command in commands {
            let command: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            show(database(number), &command);
        }
    }
}

/// Changes of a thousand keys by a client, some of them by chance or at one instant.
pub(crate) fn change(mut ask: impl FnMut(&[&[u8]]) -> Vec<u8>, round: usize) {
    ask(&[b"SELECT", b"0"]);
    for number in 0..1000 {
        let (old, new) = (key(number * 7 + round), format!("new {round} {number}").into_bytes());
        ask(&[b"DEL", &old]);
        ask(&[b"PEXPIREAT", &key(number * 7 + round + 1), b"4000000000123"]);
        ask(&[b"SPOP", &key(number * 7 + round + 2)]);
        ask(&[b"MULTI"]);
        ask(&[b"XADD", &new, b"*", b"field", &old]);
        ask(&[b"INCRBYFLOAT", b"sum", b"0.1"]);
        ask(&[b"EXEC"]);
    }
}

/// Steele, Lea and Flood's SplitMix64.
fn below(random: &mut u64, bound: u64) -> u64 {
    *random = random.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *random;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (mixed ^ (mixed >> 31)) % bound
}

/// A number of any width, text that compresses, bytes that do not.
fn word(random: &mut u64) -> Vec<u8> {
    let bits = below(random, 64);
    match below(random, 8) {
        0 => ((below(random, u64::MAX) >> bits) as i64).to_string().into_bytes(),
        1 => (-((below(random, u64::MAX) >> 1 >> bits) as i64)).to_string().into_bytes(),
        2 => vec![b'a' + bits as u8 % 26; 1 + bits as usize * 3],
        3 => (0..bits).map(|_| below(random, 256) as u8).collect(),
        4 => format!("{}.5", bits).into_bytes(),
        _ => format!("word {}", below(random, 1000)).into_bytes(),
    }
}

type Argv = Vec<Vec<u8>>;

fn argv(parts: &[&[u8]]) -> Argv {
    parts.iter().map(|part| part.to_vec()).collect()
}

/// The commands that make one key.
fn commands(random: &mut u64, key: &[u8], number: usize) -> Vec<Argv> {
    let large = number.is_multiple_of(97);
    let len = 1 + if large { below(random, 700) } else { below(random, 12) };
    let many = |random: &mut u64, name: &[u8], parts: usize| {
        let mut command = argv(&[name, key]);
        (0..len as usize * parts).for_each(|_| command.push(word(random)));
        vec![command]
    };
    match below(random, 7) {
        0 => vec![argv(&[b"SET", key, &word(random).repeat(if large { 5000 } else { 1 })])],
        1 => many(random, b"RPUSH", 1),
        2 => many(random, b"SADD", 1),
        3 => {
            let mut command = argv(&[b"SADD", key]);
            let width = 1_u64 << (1 + below(random, 60));
            (0..len).for_each(|_| command.push(below(random, width).to_string().into_bytes()));
            vec![command]
        }
        4 => many(random, b"HSET", 2),
        5 => {
            let mut command = argv(&[b"ZADD", key]);
            for _ in 0..len {
                let score = match below(random, 6) {
                    0 => "inf".to_owned(),
                    1 => "-1e300".to_owned(),
                    2 => format!("{}", below(random, 1000)),
                    _ => format!("{:?}", below(random, 1 << 50) as f64 / 7.0 - 1e12),
                };
                command.push(score.into_bytes());
                command.push(word(random));
            }
            vec![command]
        }
        _ => stream(random, key, len),
    }
}

fn stream(random: &mut u64, key: &[u8], len: u64) -> Vec<Argv> {
    let mut commands = Vec::new();
    for at in 1..=len {
        let id = format!("{}-{at}", 1_600_000_000_000 + at / 3 * 1000);
        let mut add = argv(&[b"XADD", key, id.as_bytes()]);
        for field in 0..=below(random, 3) {
            add.push(if at % 5 == 0 { word(random) } else { format!("f{field}").into_bytes() });
            add.push(word(random));
        }
        commands.push(add);
        if below(random, 4) == 0 {
            commands.push(argv(&[b"XDEL", key, id.as_bytes()]));
        }
    }
    for group in [&b"g1"[..], b"g 2"].iter().take(below(random, 3) as usize) {
        commands.push(argv(&[b"XGROUP", b"CREATE", key, group, b"0"]));
        commands.push(argv(&[b"XGROUP", b"CREATECONSUMER", key, group, b"idle"]));
        let read = [&b"XREADGROUP"[..], b"GROUP", group, b"ann", b"COUNT", b"3", b"STREAMS", key];
        commands.push(argv(&[&read[..], &[b">"]].concat()));
        let read = [&b"XREADGROUP"[..], b"GROUP", group, b"bob", b"COUNT", b"2", b"STREAMS", key];
        commands.push(argv(&[&read[..], &[b">"]].concat()));
    }
    commands
}

/// What a dataset is, to be compared: its digest as Redis 7.0 makes it. Other versions make it in
/// other ways, so it is spelled out where such a server was asked for.
pub(crate) fn contents(mut ask: impl FnMut(&[&[u8]]) -> Vec<u8>) -> BTreeMap<String, String> {
    if wanted_version() == REFERENCE {
        return BTreeMap::from([("all".to_owned(), text(&ask(&[b"DEBUG", b"DIGEST"])))]);
    }
    let mut found = BTreeMap::new();
    for database in ["9", "0"] {
        ask(&[b"SELECT", database.as_bytes()]);
        for key in bulks(&ask(&[b"KEYS", b"*"])) {
            let value = spelled(&key, &mut ask) + &text(&ask(&[b"PEXPIRETIME", &key]));
            found.insert(format!("{database} {}", key.escape_ascii()), value);
        }
    }
    found
}

/// What a key holds, to be compared as [`contents`] are.
pub(crate) fn value(key: &[u8], mut ask: impl FnMut(&[&[u8]]) -> Vec<u8>) -> String {
    match wanted_version() == REFERENCE {
        true => text(&ask(&[b"DEBUG", b"DIGEST-VALUE", key])),
        false => spelled(key, &mut ask),
    }
}

/// What a key holds, in an order that is the same everywhere.
fn spelled(key: &[u8], ask: &mut impl FnMut(&[&[u8]]) -> Vec<u8>) -> String {
    let (request, together): (&[&[u8]], usize) = match &ask(&[b"TYPE", key])[..] {
        b"+string\r\n" => (&[b"GET", key], 0),
        b"+list\r\n" => (&[b"LRANGE", key, b"0", b"-1"], 0),
        b"+set\r\n" => (&[b"SMEMBERS", key], 1),
        b"+zset\r\n" => (&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"], 2),
        b"+hash\r\n" => (&[b"HGETALL", key], 2),
        _ => (&[b"XRANGE", key, b"-", b"+"], 0),
    };
    let reply = ask(request);
    if together == 0 {
        return reply.escape_ascii().to_string();
    }
    let told = |bulk: &Vec<u8>| match std::str::from_utf8(bulk).map(str::parse::<f64>) {
        Ok(Ok(score)) if request[0] == b"ZRANGE" => score.to_string(),
        _ => bulk.escape_ascii().to_string(),
    };
    let told: Vec<String> = bulks(&reply).iter().map(told).collect();
    let mut parts: Vec<String> = told.chunks(together).map(|part| part.join(" ")).collect();
    if request[0] == b"HGETALL" {
        for (part, pair) in parts.iter_mut().zip(bulks(&reply).chunks(2)) {
            let deadline = ask(&[b"HPEXPIRETIME", key, b"FIELDS", b"1", &pair[0]]);
            part.push_str(text(&deadline).strip_prefix("*1\r\n:").unwrap_or("-1\r\n"));
        }
    }
    parts.sort_unstable();
    parts.join("\n")
}

/// The parts of an array of bulk strings.
fn bulks(reply: &[u8]) -> Vec<Vec<u8>> {
    let line = |from: usize| from + reply[from..].iter().position(|byte| *byte == b'\r').unwrap();
    let mut at = line(0) + 2;
    let mut found = Vec::new();
    while at < reply.len() {
        let end = line(at);
        let length: usize = text(&reply[at + 1..end]).parse().expect("a length");
        found.push(reply[end + 2..end + 2 + length].to_vec());
        at = end + 2 + length + 2;
    }
    found
}

/// What there is to say of all groups, without how long ago anything was.
pub(crate) fn all_groups(keys: usize, mut ask: impl FnMut(&[&[u8]]) -> Vec<u8>) -> Vec<String> {
    let mut found = Vec::new();
    for number in (0..keys).filter(|number| database(*number) == "0") {
        let key = key(number);
        if ask(&[b"TYPE", &key]) != b"+stream\r\n" {
            continue;
        }
        found.push(text(&ask(&[b"XINFO", b"GROUPS", &key])));
        let groups = found.last().map_or("", String::as_str).to_owned();
        for group in ["g1", "g 2"].into_iter().filter(|group| groups.contains(group)) {
            let group = group.as_bytes();
            let pending = text(&ask(&[b"XPENDING", &key, group, b"-", b"+", b"1000"]));
            // Of the two numbers of an entry, the first is how long ago it was delivered.
            let mut numbers = 0;
            let lines = pending.split("\r\n").filter(|line| {
                numbers += usize::from(line.starts_with(':'));
                !line.starts_with(':') || numbers.is_multiple_of(2)
            });
            found.extend(lines.map(str::to_owned));
            let info = text(&ask(&[b"XPENDING", &key, group]));
            found.push(info);
        }
    }
    found
}
