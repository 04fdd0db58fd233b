//! A store of standard collections, with no thought of speed: what each command of
//! [`draw`](crate::draw) has to answer, in RESP2. Only replies are written here, not how a store
//! comes to them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

type Bytes = Vec<u8>;
type Id = (u64, u64);
type Fields = Vec<(Bytes, Bytes)>;

const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NO_INTEGER: &str = "ERR value is not an integer or out of range";
const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";

/// What a command answers.
pub enum Reply {
    Status(&'static str),
    Integer(i64),
    Bulk(Bytes),
    Null,
    NullArray,
    Array(Vec<Reply>),
}

type Answer = Result<Reply, &'static str>;

impl Reply {
    fn write(&self, out: &mut Bytes) {
        match self {
            Self::Status(text) => out.extend(format!("+{text}\r\n").bytes()),
            Self::Integer(number) => out.extend(format!(":{number}\r\n").bytes()),
            Self::Bulk(bytes) => {
                out.extend(format!("${}\r\n", bytes.len()).bytes());
                out.extend(bytes);
                out.extend(b"\r\n");
            }
            Self::Null => out.extend(b"$-1\r\n"),
            Self::NullArray => out.extend(b"*-1\r\n"),
            Self::Array(items) => {
                out.extend(format!("*{}\r\n", items.len()).bytes());
                items.iter().for_each(|item| item.write(out));
            }
        }
    }

    fn of(bytes: Option<Bytes>) -> Self {
        bytes.map_or(Self::Null, Self::Bulk)
    }

    fn count(count: usize) -> Self {
        Self::Integer(count as i64)
    }

    fn bulks(items: impl IntoIterator<Item = Bytes>) -> Self {
        Self::Array(items.into_iter().map(Self::Bulk).collect())
    }
}

#[derive(Default)]
struct Stream {
    entries: BTreeMap<Id, Fields>,
    last: Id,
}

/// A collection; the ones that Redis never keeps empty are removed by [`Model::run`].
trait Data: Default {
    const TYPE: &'static str;
    fn of(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
}

macro_rules! values {
    ($($name:ident($data:ty) = $type:literal),*) => {
        enum Value { $($name($data)),* }

        impl Value {
            fn type_name(&self) -> &'static str {
                match self { $(Self::$name(_) => <$data as Data>::TYPE),* }
            }
        }

        $(impl Data for $data {
            const TYPE: &'static str = $type;
            fn of(value: &mut Value) -> Option<&mut Self> {
                if let Value::$name(data) = value { Some(data) } else { None }
            }
            fn into_value(self) -> Value {
                Value::$name(self)
            }
        })*
    };
}

values!(
    Text(Bytes) = "string",
    Hash(BTreeMap<Bytes, Bytes>) = "hash",
    List(VecDeque<Bytes>) = "list",
    Set(BTreeSet<Bytes>) = "set",
    Sorted(BTreeMap<Bytes, f64>) = "zset",
    Stream(Stream) = "stream"
);

impl Value {
    /// Whether a key must not hold it.
    fn is_gone(&self) -> bool {
        match self {
            Self::Hash(hash) => hash.is_empty(),
            Self::List(list) => list.is_empty(),
            Self::Set(set) => set.is_empty(),
            Self::Sorted(sorted) => sorted.is_empty(),
            Self::Text(_) | Self::Stream(_) => false,
        }
    }
}

struct Entry {
    value: Value,
    deadline: Option<u64>,
}

/// The store. Time begins at zero.
#[derive(Default)]
pub struct Model {
    keys: BTreeMap<Bytes, Entry>,
    now: u64,
}

impl Model {
    /// Lets so many milliseconds pass.
    pub fn advance(&mut self, millis: u64) {
        self.now += millis;
        let now = self.now;
        self.keys.retain(|_, entry| entry.deadline.is_none_or(|deadline| deadline > now));
    }

    /// Runs a command that is complete; answers its reply in RESP2.
    pub fn run(&mut self, argv: &[Bytes]) -> Bytes {
        let name = std::str::from_utf8(&argv[0]).expect("a name");
        let (key, rest) = (&argv[1], &argv[2..]);
        let outcome = match name.as_bytes()[0] {
            _ if name == "DEL" => self.delete(&argv[1..]),
            _ if ["SET", "GET", "INCRBY", "APPEND"].contains(&name) => self.text(name, key, rest),
            b'H' => self.hash(name, key, rest),
            b'L' | b'R' => self.list(name, key, rest),
            b'S' => self.set(name, key, rest),
            b'Z' => self.sorted(name, key, rest),
            b'X' => self.stream(name, key, rest),
            _ => self.key(name, key, rest),
        };
        self.keys.retain(|_, entry| !entry.value.is_gone());
        let mut out = Bytes::new();
        match outcome {
            Ok(reply) => reply.write(&mut out),
            Err(text) => out.extend(format!("-{text}\r\n").bytes()),
        }
        out
    }

    /// The collection under a key, new if there is none: an empty one is as good as none.
    fn data<D: Data>(&mut self, key: &[u8]) -> Result<&mut D, &'static str> {
        let fresh = || Entry { value: D::default().into_value(), deadline: None };
        let entry = self.keys.entry(key.to_vec()).or_insert_with(fresh);
        D::of(&mut entry.value).ok_or(WRONG_TYPE)
    }

    /// As [`data`](Self::data), for what may be empty and so must not be made by looking.
    fn existing<D: Data>(&mut self, key: &[u8]) -> Result<Option<&mut D>, &'static str> {
        match self.keys.get_mut(key) {
            Some(entry) => D::of(&mut entry.value).ok_or(WRONG_TYPE).map(Some),
            None => Ok(None),
        }
    }

    fn delete(&mut self, keys: &[Bytes]) -> Answer {
        let removed = keys.iter().filter(|key| self.keys.remove(*key).is_some());
        Ok(Reply::count(removed.count()))
    }

    fn key(&mut self, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
        let now = self.now;
        let deadline = match name {
            "EXPIRE" => Some(deadline(now, integer(&rest[0])?)?),
            _ => None,
        };
        let Some(entry) = self.keys.get_mut(key) else {
            return Ok(match name {
                "TYPE" => Reply::Status("none"),
                "PTTL" => Reply::Integer(-2),
                _ => Reply::Integer(0),
            });
        };
        Ok(match name {
            "TYPE" => Reply::Status(entry.value.type_name()),
            "PTTL" => Reply::Integer(entry.deadline.map_or(-1, |deadline| (deadline - now) as i64)),
            "PERSIST" => Reply::Integer(entry.deadline.take().is_some().into()),
            "EXPIRE" => {
                entry.deadline = deadline;
                // What is past removes the key.
                self.advance(0);
                Reply::Integer(1)
            }
            other => unreachable!("{other} has no model"),
        })
    }

    fn text(&mut self, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
        match name {
            "SET" => {
                let entry = Entry { value: Value::Text(rest[0].clone()), deadline: None };
                self.keys.insert(key.to_vec(), entry);
                Ok(Reply::Status("OK"))
            }
            "GET" => Ok(Reply::of(self.existing::<Bytes>(key)?.cloned())),
            "APPEND" => {
                let text: &mut Bytes = self.data(key)?;
                text.extend(&rest[0]);
                Ok(Reply::count(text.len()))
            }
            "INCRBY" => {
                let by = integer(&rest[0])?;
                let old = self.existing::<Bytes>(key)?.map_or(Ok(0), |text| integer(text))?;
                let new = old.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
                *self.data::<Bytes>(key)? = new.to_string().into_bytes();
                Ok(Reply::Integer(new))
            }
            other => unreachable!("{other} has no model"),
        }
    }

    fn hash(&mut self, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
        let hash: &mut BTreeMap<Bytes, Bytes> = self.data(key)?;
        Ok(match name {
            "HSET" => {
                let set = |pair: &&[Bytes]| hash.insert(pair[0].clone(), pair[1].clone()).is_none();
                Reply::count(rest.chunks(2).filter(set).count())
            }
            "HGET" => Reply::of(hash.get(&rest[0]).cloned()),
            "HDEL" => Reply::count(rest.iter().filter(|f| hash.remove(*f).is_some()).count()),
            "HLEN" => Reply::count(hash.len()),
            other => unreachable!("{other} has no model"),
        })
    }

    fn list(&mut self, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
        let wanted = match (name, rest) {
            ("LPOP" | "RPOP", [count]) => Some(positive(count)?),
            _ => None,
        };
        let bounds = match name {
            "LRANGE" => (integer(&rest[0])?, integer(&rest[1])?),
            "LINDEX" => (integer(&rest[0])?, 0),
            _ => (0, 0),
        };
        let list: &mut VecDeque<Bytes> = self.data(key)?;
        Ok(match name {
            "LPUSH" | "RPUSH" => {
                for element in rest.iter().cloned() {
                    if name == "LPUSH" { list.push_front(element) } else { list.push_back(element) }
                }
                Reply::count(list.len())
            }
            "LPOP" | "RPOP" => {
                let mut pop = || if name == "LPOP" { list.pop_front() } else { list.pop_back() };
                let Some(wanted) = wanted else { return Ok(Reply::of(pop())) };
                let popped: Vec<_> = (0..wanted).map_while(|_| pop()).collect();
                let was_empty = popped.is_empty() && list.is_empty();
                if was_empty { Reply::NullArray } else { Reply::bulks(popped) }
            }
            "LLEN" => Reply::count(list.len()),
            "LRANGE" => {
                let range = within(list.len(), bounds);
                Reply::bulks(range.map(|place| list[place].clone()))
            }
            "LINDEX" => {
                let length = list.len() as i64;
                let place = if bounds.0 < 0 { length.saturating_add(bounds.0) } else { bounds.0 };
                let place = usize::try_from(place).unwrap_or(usize::MAX);
                Reply::of(list.get(place).cloned())
            }
            other => unreachable!("{other} has no model"),
        })
    }

    fn set(&mut self, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
        let set: &mut BTreeSet<Bytes> = self.data(key)?;
        Ok(match name {
            "SADD" => Reply::count(rest.iter().filter(|m| set.insert(m.to_vec())).count()),
            "SREM" => Reply::count(rest.iter().filter(|m| set.remove(*m)).count()),
            "SISMEMBER" => Reply::Integer(set.contains(&rest[0]).into()),
            "SCARD" => Reply::count(set.len()),
            other => unreachable!("{other} has no model"),
        })
    }

    fn sorted(&mut self, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
        let scores: Result<Vec<f64>, _> = match name {
            "ZADD" => rest.chunks(2).map(|pair| float(&pair[0])).collect(),
            _ => Ok(Vec::new()),
        };
        let scores = scores?;
        let bounds = match name {
            "ZRANGE" => (integer(&rest[0])?, integer(&rest[1])?),
            _ => (0, 0),
        };
        let wanted = match (name, rest) {
            ("ZPOPMIN", [count]) => positive(count)?,
            _ => 1,
        };
        let sorted: &mut BTreeMap<Bytes, f64> = self.data(key)?;
        let mut order: Vec<(f64, Bytes)> =
            sorted.iter().map(|(member, score)| (*score, member.clone())).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        Ok(match name {
            "ZADD" => {
                let pairs = rest.chunks(2).zip(scores);
                let set = |(pair, score): &(&[Bytes], f64)| {
                    sorted.insert(pair[1].clone(), *score).is_none()
                };
                Reply::count(pairs.filter(set).count())
            }
            "ZREM" => Reply::count(rest.iter().filter(|m| sorted.remove(*m).is_some()).count()),
            "ZSCORE" => Reply::of(sorted.get(&rest[0]).map(|score| written(*score))),
            "ZCARD" => Reply::count(sorted.len()),
            "ZRANK" => {
                let rank = order.iter().position(|(_, member)| *member == rest[0]);
                rank.map_or(Reply::Null, Reply::count)
            }
            "ZRANGE" => {
                let range = within(order.len(), bounds);
                pairs(&order[range], rest.len() > 2)
            }
            "ZPOPMIN" => {
                let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(order.len());
                for (_, member) in &order[..wanted] {
                    sorted.remove(member);
                }
                pairs(&order[..wanted], true)
            }
            other => unreachable!("{other} has no model"),
        })
    }

    fn stream(&mut self, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
        if name == "XADD" {
            return self.append(key, rest);
        }
        let Some(stream) = self.existing::<Stream>(key)? else {
            return Ok(if name == "XRANGE" { Reply::Array(Vec::new()) } else { Reply::count(0) });
        };
        Ok(match name {
            "XLEN" => Reply::count(stream.entries.len()),
            "XDEL" => {
                let removed = rest.iter().filter(|id| stream.entries.remove(&bound(id)).is_some());
                Reply::count(removed.count())
            }
            "XRANGE" => {
                let (start, end) = (bound(&rest[0]), bound(&rest[1]));
                let inside = |(id, _): &(&Id, &Fields)| (start..=end).contains(id);
                Reply::Array(stream.entries.iter().filter(inside).map(entry).collect())
            }
            other => unreachable!("{other} has no model"),
        })
    }

    fn append(&mut self, key: &[u8], rest: &[Bytes]) -> Answer {
        let id = bound(&rest[0]);
        if id == (0, 0) {
            return Err("ERR The ID specified in XADD must be greater than 0-0");
        }
        let last = self.existing::<Stream>(key)?.map_or((0, 0), |stream| stream.last);
        if id <= last {
            return Err("ERR The ID specified in XADD is equal or smaller than the target stream \
                        top item");
        }
        let stream: &mut Stream = self.data(key)?;
        let fields = rest[1..].chunks(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        stream.entries.insert(id, fields.collect());
        stream.last = id;
        Ok(Reply::Bulk(rest[0].clone()))
    }
}

fn deadline(now: u64, seconds: i64) -> Result<u64, &'static str> {
    // The model's time begins at zero, where the store's is about that of 2020.
    const LATEST: i64 = (i64::MAX - 2_000_000_000_000) / 1000;
    if !(-LATEST..LATEST).contains(&seconds) {
        return Err("ERR invalid expire time in 'expire' command");
    }
    Ok(now.saturating_add_signed(seconds * 1000))
}

/// A whole number in the only form that Redis takes.
fn integer(text: &[u8]) -> Result<i64, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| NO_INTEGER)?;
    let number: i64 = text.parse().map_err(|_| NO_INTEGER)?;
    if number.to_string() == text { Ok(number) } else { Err(NO_INTEGER) }
}

fn positive(text: &[u8]) -> Result<i64, &'static str> {
    integer(text).ok().filter(|number| *number >= 0).ok_or(NOT_POSITIVE)
}

fn float(text: &[u8]) -> Result<f64, &'static str> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    number.filter(|number| !number.is_nan()).ok_or("ERR value is not a valid float")
}

/// A score as Redis writes it, if it is none of the very large and very small ones.
fn written(score: f64) -> Bytes {
    score.to_string().into_bytes()
}

/// The places of a range whose bounds count from the end if they are negative.
fn within(length: usize, (start, stop): (i64, i64)) -> std::ops::Range<usize> {
    let length = length as i64;
    let place = |bound: i64| if bound < 0 { length.saturating_add(bound) } else { bound };
    let (start, stop) = (place(start).max(0), place(stop).min(length - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

fn pairs(members: &[(f64, Bytes)], with_scores: bool) -> Reply {
    let words = |(score, member): &(f64, Bytes)| match with_scores {
        true => vec![member.clone(), written(*score)],
        false => vec![member.clone()],
    };
    Reply::bulks(members.iter().flat_map(words))
}

/// An id that is complete, or one of the ends of a stream.
fn bound(text: &[u8]) -> Id {
    match text {
        b"-" => (0, 0),
        b"+" => (u64::MAX, u64::MAX),
        text => {
            let text = std::str::from_utf8(text).expect("an id");
            let (millis, seq) = text.split_once('-').expect("an id");
            (millis.parse().expect("milliseconds"), seq.parse().expect("a sequence number"))
        }
    }
}

fn entry((id, fields): (&Id, &Fields)) -> Reply {
    let fields = fields.iter().flat_map(|(field, value)| [field.clone(), value.clone()]);
    Reply::Array(vec![Reply::Bulk(format!("{}-{}", id.0, id.1).into_bytes()), Reply::bulks(fields)])
}
