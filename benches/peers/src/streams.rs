//! Streams: 1,000,000 entries of two fields, in two shapes.
//!
//! The floors number their entries and read no clock. They keep an entry as Redis's clients see it:
//! names and values, each with its length. Both stand behind a lock, as a store's stream must.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::measure::{
    Options, Random, Table, Unit, growth, in_child, per_operation, time_within, turn,
};

/// Milliseconds and a number inside the millisecond.
pub type Id = (u64, u64);

/// A name and its value.
pub type Field<'a> = (&'a [u8], &'a [u8]);

const RANGE: usize = 100;
const BUDGET: Duration = Duration::from_millis(400);

const SHAPES: [(&str, [Field<'static>; 2]); 2] = [
    (
        "64 B in 2 fields",
        [(b"kind", b"purchase"), (b"body", b"0123456789abcdef0123456789abcdef0123456789abcdef")],
    ),
    ("names of 2 B, values of 12 B", [(b"id", b"0123456789ab"), (b"at", b"ba9876543210")]),
];

/// One stream in a store.
pub trait Log {
    /// Its row in the table.
    const NAME: &'static str;

    fn open() -> Self;
    /// Appends an entry under the id that the store chooses.
    fn append(&mut self, fields: &[Field<'_>]) -> Id;
    /// Reads `count` entries from `from` on and returns how long their names and values are
    /// together.
    fn range(&mut self, from: Id, count: usize) -> usize;
}

/// Builds a stream anew and measures it, calling `add` with each column.
fn round<L: Log>(entries: usize, fields: &[Field<'_>], add: &mut dyn FnMut(&'static str, f64)) {
    let mut ids = vec![(0, 0); entries];
    let start = Instant::now();
    let mut log = L::open();
    ids.iter_mut().for_each(|id| *id = log.append(fields));
    add("append", per_operation(start.elapsed(), entries));

    let mut random = Random(60);
    let payload: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    let mut wrong = 0;
    add(
        "range of 100",
        time_within(BUDGET, 100_000, |_| {
            let from = ids[random.below(entries - RANGE)];
            wrong += usize::from(log.range(from, RANGE) != RANGE * payload);
        }),
    );
    assert_eq!(wrong, 0, "{} lost entries", L::NAME);
    black_box(&mut log);
}

type Round = fn(usize, &[Field<'_>], &mut dyn FnMut(&'static str, f64));

/// A rival: its row and how to run one round of it.
fn entrant<L: Log>() -> (&'static str, Round) {
    (L::NAME, round::<L>)
}

macro_rules! each_rival {
    ($visit:ident, $($argument:expr),*) => {
        [
            #[cfg(feature = "larder")]
            $visit::<crate::larder::Larder>($($argument),*),
            $visit::<Blocks>($($argument),*),
            $visit::<Queue>($($argument),*),
            #[cfg(feature = "kevy")]
            $visit::<crate::kevy::Kevy>($($argument),*),
            #[cfg(feature = "kevy")]
            $visit::<crate::kevy::Logged>($($argument),*),
        ]
    };
}

/// Prints a table for each shape.
pub fn run(options: &Options) {
    let all = each_rival!(entrant,).into_iter();
    let entrants: Vec<_> = all.filter(|(name, _)| options.wants(name)).collect();
    let entries = options.size(1_000_000, 20_000);
    for (shape, (title, fields)) in SHAPES.iter().enumerate() {
        let mut table = Table::new(format!("Stream, {entries} entries: {title}"))
            .rows(entrants.iter().map(|(name, _)| *name));
        for number in 0..options.rounds(7) {
            for at in turn(number, entrants.len()) {
                let (name, round) = entrants[at];
                round(entries, fields, &mut |column, sample| {
                    table.add(name, column, Unit::Nanoseconds, sample)
                });
            }
        }
        for (name, _) in &entrants {
            for bytes in in_child(&[&format!("stream{shape}"), name, &entries.to_string()]) {
                table.add(name, "B/entry", Unit::Bytes, bytes);
            }
        }
        table.print(options.against(Blocks::NAME));
    }
}

/// In a child: the bytes that an entry of `SHAPES[shape]` takes in the rival called `name`.
pub fn memory(shape: usize, name: &str, entries: usize) -> Option<f64> {
    each_rival!(memory_of, shape, name, entries).into_iter().flatten().next()
}

fn memory_of<L: Log>(shape: usize, name: &str, entries: usize) -> Option<f64> {
    let fill = || {
        let mut log = L::open();
        for _ in 0..entries {
            log.append(&SHAPES[shape].1);
        }
        log
    };
    (L::NAME == name).then(|| growth(entries, fill))
}

/// Appends `fields` to `block`: their number, then the lengths and bytes of names and values.
fn pack(block: &mut Vec<u8>, fields: &[Field<'_>]) {
    block.push(fields.len() as u8);
    for part in fields.iter().flat_map(|(name, value)| [name, value]) {
        pack_number(block, part.len() as u64);
        block.extend_from_slice(part);
    }
}

/// Seven bits a byte, lowest first; the top bit says that more follow.
fn pack_number(block: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        block.push(number as u8 | 0x80);
        number >>= 7;
    }
    block.push(number as u8);
}

/// Takes one number off `bytes`.
fn unpack_number(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    while let [byte, rest @ ..] = *bytes {
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if *byte < 0x80 {
            break;
        }
    }
    number
}

/// Takes one entry's fields off `bytes` and returns how long their names and values are together.
fn unpack(bytes: &mut &[u8]) -> usize {
    let fields = unpack_number(bytes);
    let mut total = 0;
    for _ in 0..2 * fields {
        let length = unpack_number(bytes) as usize;
        let (part, rest) = bytes.split_at(length);
        total += black_box(part).len();
        *bytes = rest;
    }
    total
}

/// The floor: entries packed one after another in blocks of 4 KiB.
struct Blocks(Mutex<Blocked>);

#[derive(Default)]
struct Blocked {
    /// The first id of each block, and its bytes: per entry the step from the id before, then its
    /// fields.
    blocks: Vec<(u64, Vec<u8>)>,
    last: u64,
}

const BLOCK: usize = 4096;

impl Log for Blocks {
    const NAME: &'static str = "packed 4 KiB blocks, mutex";

    fn open() -> Self {
        Self(Mutex::default())
    }

    fn append(&mut self, fields: &[Field<'_>]) -> Id {
        let mut inner = self.0.lock();
        let inner = &mut *inner;
        let id = inner.last + 1;
        let size: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let block = match inner.blocks.last_mut() {
            Some((_, block)) if block.len() + size + 11 <= BLOCK => block,
            _ => {
                inner.blocks.push((id, Vec::with_capacity(BLOCK)));
                inner.last = id;
                &mut inner.blocks.last_mut().expect("just pushed").1
            }
        };
        pack_number(block, id - inner.last);
        pack(block, fields);
        inner.last = id;
        (0, id)
    }

    fn range(&mut self, from: Id, count: usize) -> usize {
        let inner = self.0.lock();
        let first = inner.blocks.partition_point(|(id, _)| *id <= from.1).saturating_sub(1);
        let (mut left, mut total) = (count, 0);
        for (first_id, block) in &inner.blocks[first..] {
            let (mut id, mut bytes) = (*first_id, &block[..]);
            while left > 0 && !bytes.is_empty() {
                id += unpack_number(&mut bytes);
                let length = unpack(&mut bytes);
                if id >= from.1 {
                    total += length;
                    left -= 1;
                }
            }
            if left == 0 {
                break;
            }
        }
        total
    }
}

/// A queue of entries, each packed in a block of its own.
struct Queue(Mutex<VecDeque<(Id, Box<[u8]>)>>);

impl Log for Queue {
    const NAME: &'static str = "VecDeque of packed entries, mutex";

    fn open() -> Self {
        Self(Mutex::default())
    }

    fn append(&mut self, fields: &[Field<'_>]) -> Id {
        let size: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let mut entry = Vec::with_capacity(size + 1);
        pack(&mut entry, fields);
        let mut entries = self.0.lock();
        let id = entries.back().map_or((0, 1), |((_, last), _)| (0, last + 1));
        entries.push_back((id, entry.into_boxed_slice()));
        id
    }

    fn range(&mut self, from: Id, count: usize) -> usize {
        let entries = self.0.lock();
        let start = entries.partition_point(|(id, _)| *id < from);
        entries.range(start..).take(count).map(|(_, entry)| unpack(&mut &entry[..])).sum()
    }
}
