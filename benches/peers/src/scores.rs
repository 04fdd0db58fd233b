//! Sorted sets: 10,000, 100,000 and 1,000,000 members of 16 bytes.
//!
//! A tree alone cannot tell a member's score, so the trees of the lower rows are paired with an
//! `ahash` index from member to score, which shares the member's bytes; they take no lock.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ahash::RandomState;
use hashbrown::HashMap;

use crate::measure::{
    Options, Random, Table, Unit, growth, in_child, per_operation, time_within, turn,
};

pub type Member = [u8; 16];

/// Scores start out between 0 and this.
const SPREAD: f64 = 1e6;

/// Members per answer of a range.
const LIMIT: usize = 10;

/// Most time that one column may take per round, so that a linear rank does not take all day.
const BUDGET: Duration = Duration::from_millis(400);

/// One sorted set in a store. Ranks ascend with the score; a range returns how many members it took
/// out.
pub trait Scores {
    /// Its row in the table.
    const NAME: &'static str;

    fn open() -> Self;
    /// Adds a member that is not there yet.
    fn add(&mut self, member: &Member, score: f64);
    fn increment(&mut self, member: &Member, by: f64) -> f64;
    fn score(&mut self, member: &Member) -> Option<f64>;
    fn rank(&mut self, member: &Member) -> Option<usize>;
    /// The `count` members with the highest scores, highest first.
    fn top(&mut self, count: usize) -> usize;
    /// `count` members from rank `start` up.
    fn range(&mut self, start: usize, count: usize) -> usize;
    /// At most `limit` members with scores from `from` to `to`, both inclusive.
    fn range_by_score(&mut self, from: f64, to: f64, limit: usize) -> usize;
    fn pop_min(&mut self) -> Option<(Member, f64)>;
}

/// Members with their scores in the order in which they are added.
struct Feed {
    members: Vec<(Member, f64)>,
}

impl Feed {
    fn new(count: usize) -> Self {
        let mut random = Random(30);
        let mut numbers: Vec<usize> = (0..count).collect();
        random.shuffle(&mut numbers);
        Self {
            members: numbers
                .into_iter()
                .map(|number| (member(number), random.unit() * SPREAD))
                .collect(),
        }
    }
}

fn member(number: usize) -> Member {
    let mut member = *b"member:000000000";
    let mut rest = number;
    for digit in member[7..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    member
}

/// Builds a set anew and measures every column on it, calling `add` with each.
fn round<S: Scores>(feed: &Feed, queries: &[Member], add: &mut dyn FnMut(&'static str, f64)) {
    let count = feed.members.len();
    let mut random = Random(40);
    let start = Instant::now();
    let mut set = S::open();
    feed.members.iter().for_each(|(member, score)| set.add(member, *score));
    add("add new", per_operation(start.elapsed(), count));

    check(&mut set, feed);
    let most = queries.len();
    add(
        "incr score",
        time_within(BUDGET, most, |at| set.increment(&queries[at], (at % 64) as f64 - 31.5)),
    );
    add("score", time_within(BUDGET, most, |at| set.score(&queries[at])));
    add("rank", time_within(BUDGET, most, |at| set.rank(&queries[at])));
    add("top 10", time_within(BUDGET, most, |_| set.top(LIMIT)));
    let middle = |random: &mut Random| count / 4 + random.below(count / 2);
    add(
        "10 at a middle rank",
        time_within(BUDGET, most, |_| set.range(middle(&mut random), LIMIT)),
    );
    // Wide enough for ten members: a rival without a limit is not punished here.
    let width = SPREAD / count as f64 * LIMIT as f64;
    add(
        "10 by score",
        time_within(BUDGET, most, |_| {
            let from = random.unit() * SPREAD;
            set.range_by_score(from, from + width, LIMIT)
        }),
    );
    add(
        "10 of an open score range",
        time_within(BUDGET, most, |_| {
            set.range_by_score(random.unit() * SPREAD / 2.0, f64::INFINITY, LIMIT)
        }),
    );
    add("pop min", time_within(BUDGET, count / 2, |_| set.pop_min()));
    black_box(&mut set);
}

/// That the answers are right: a fast wrong one would win.
fn check<S: Scores>(set: &mut S, feed: &Feed) {
    let mut sorted: Vec<(Member, f64)> = feed.members.clone();
    sorted.sort_by(|left, right| left.1.total_cmp(&right.1));
    for rank in [0, sorted.len() / 3, sorted.len() - 1] {
        let (member, score) = sorted[rank];
        assert_eq!(set.score(&member), Some(score), "{}: score", S::NAME);
        assert_eq!(set.rank(&member), Some(rank), "{}: rank", S::NAME);
    }
    let middle = sorted[sorted.len() / 2].1;
    assert_eq!(set.top(LIMIT), LIMIT, "{}: top", S::NAME);
    assert_eq!(set.range(sorted.len() / 2, LIMIT), LIMIT, "{}: range", S::NAME);
    assert_eq!(
        set.range_by_score(middle, f64::INFINITY, LIMIT),
        LIMIT,
        "{}: range by score",
        S::NAME
    );
}

type Round = fn(&Feed, &[Member], &mut dyn FnMut(&'static str, f64));

/// A rival: its row and how to run one round of it.
fn entrant<S: Scores>() -> (&'static str, Round) {
    (S::NAME, round::<S>)
}

macro_rules! each_rival {
    ($visit:ident, $($argument:expr),*) => {
        [
            #[cfg(feature = "larder")]
            $visit::<crate::larder::Larder>($($argument),*),
            #[cfg(feature = "kevy")]
            $visit::<crate::kevy::Kevy>($($argument),*),
            $visit::<Heaplet>($($argument),*),
            $visit::<Indexset>($($argument),*),
            $visit::<Std>($($argument),*),
        ]
    };
}

/// Prints a table for each size.
pub fn run(options: &Options) {
    let all = each_rival!(entrant,).into_iter();
    let entrants: Vec<_> = all.filter(|(name, _)| options.wants(name)).collect();
    let sizes: &[usize] =
        if options.quick { &[1_000, 5_000] } else { &[10_000, 100_000, 1_000_000] };
    for &size in sizes {
        let feed = Feed::new(size);
        let mut random = Random(50);
        let queries: Vec<Member> =
            (0..options.size(200_000, 2_000)).map(|_| member(random.below(size))).collect();
        let mut table = Table::new(format!("Sorted set, {size} members of 16 B"))
            .rows(entrants.iter().map(|(name, _)| *name));
        for number in 0..options.rounds(5) {
            for at in turn(number, entrants.len()) {
                let (name, round) = entrants[at];
                round(&feed, &queries, &mut |column, sample| {
                    table.add(name, column, Unit::Nanoseconds, sample)
                });
            }
        }
        for (name, _) in &entrants {
            for bytes in in_child(&["zset", name, &size.to_string()]) {
                table.add(name, "B/member", Unit::Bytes, bytes);
            }
        }
        table.print(options.against(Indexset::NAME));
    }
}

/// In a child: the bytes that a member takes in a set of `size` of the rival called `name`.
pub fn memory(name: &str, size: usize) -> Option<f64> {
    each_rival!(memory_of, name, size).into_iter().flatten().next()
}

fn memory_of<S: Scores>(name: &str, size: usize) -> Option<f64> {
    let fill = || {
        let mut random = Random(30);
        let mut set = S::open();
        // A step that shares no factor with the size visits every number once, without a list that
        // would count as memory.
        (0..size).for_each(|at| set.add(&member((at * 7_919) % size), random.unit() * SPREAD));
        set
    };
    (S::NAME == name).then(|| growth(size, fill))
}

/// A score that a tree can order; never NaN here.
#[derive(Clone, Copy, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

type Entry = (Score, Arc<[u8]>);

fn take_out<'a>(entries: impl Iterator<Item = &'a Entry>) -> usize {
    entries.map(|(score, member)| (member.clone(), score.0)).collect::<Vec<_>>().len()
}

fn owned((score, member): Entry) -> (Member, f64) {
    (member[..].try_into().expect("16 bytes"), score.0)
}

/// What the two trees share: the index from member to score, and the smallest member, to start a
/// range by score at.
struct Index {
    scores: HashMap<Arc<[u8]>, f64, RandomState>,
    lowest: Arc<[u8]>,
}

impl Index {
    fn new() -> Self {
        Self { scores: HashMap::with_hasher(RandomState::new()), lowest: Arc::from(&b""[..]) }
    }

    fn add(&mut self, member: &Member, score: f64) -> Entry {
        let member: Arc<[u8]> = Arc::from(&member[..]);
        self.scores.insert(member.clone(), score);
        (Score(score), member)
    }

    fn entry(&self, member: &Member) -> Option<Entry> {
        self.scores
            .get_key_value(&member[..])
            .map(|(member, score)| (Score(*score), member.clone()))
    }

    fn score(&self, member: &Member) -> Option<f64> {
        self.scores.get(&member[..]).copied()
    }

    fn set(&mut self, member: &Member, score: f64) {
        if let Some(slot) = self.scores.get_mut(&member[..]) {
            *slot = score;
        }
    }

    fn from(&self, score: f64) -> Entry {
        (Score(score), self.lowest.clone())
    }
}

/// indexset: a two-level tree with order statistics.
struct Indexset {
    tree: indexset::BTreeSet<Entry>,
    index: Index,
}

impl Scores for Indexset {
    const NAME: &'static str = "indexset, no lock";

    fn open() -> Self {
        Self { tree: indexset::BTreeSet::new(), index: Index::new() }
    }

    fn add(&mut self, member: &Member, score: f64) {
        self.tree.insert(self.index.add(member, score));
    }

    fn increment(&mut self, member: &Member, by: f64) -> f64 {
        let entry = self.index.entry(member).expect("a member");
        self.tree.remove(&entry);
        let score = entry.0.0 + by;
        self.tree.insert((Score(score), entry.1));
        self.index.set(member, score);
        score
    }

    fn score(&mut self, member: &Member) -> Option<f64> {
        self.index.score(member)
    }

    fn rank(&mut self, member: &Member) -> Option<usize> {
        self.index.entry(member).map(|entry| self.tree.rank(&entry))
    }

    fn top(&mut self, count: usize) -> usize {
        take_out(self.tree.iter().rev().take(count))
    }

    fn range(&mut self, start: usize, count: usize) -> usize {
        take_out(self.tree.range_idx(start..(start + count).min(self.tree.len())))
    }

    fn range_by_score(&mut self, from: f64, to: f64, limit: usize) -> usize {
        let start = self.tree.rank(&self.index.from(from));
        let entries = self.tree.range_idx(start..self.tree.len()).take(limit);
        take_out(entries.take_while(|(score, _)| score.0 <= to))
    }

    fn pop_min(&mut self) -> Option<(Member, f64)> {
        let entry = self.tree.pop_first()?;
        self.index.scores.remove(&entry.1);
        Some(owned(entry))
    }
}

/// The standard library's tree, which has no ranks: it counts.
struct Std {
    tree: BTreeSet<Entry>,
    index: Index,
}

impl Scores for Std {
    const NAME: &'static str = "std BTreeSet, no lock";

    fn open() -> Self {
        Self { tree: BTreeSet::new(), index: Index::new() }
    }

    fn add(&mut self, member: &Member, score: f64) {
        self.tree.insert(self.index.add(member, score));
    }

    fn increment(&mut self, member: &Member, by: f64) -> f64 {
        let entry = self.index.entry(member).expect("a member");
        self.tree.remove(&entry);
        let score = entry.0.0 + by;
        self.tree.insert((Score(score), entry.1));
        self.index.set(member, score);
        score
    }

    fn score(&mut self, member: &Member) -> Option<f64> {
        self.index.score(member)
    }

    fn rank(&mut self, member: &Member) -> Option<usize> {
        self.index.entry(member).map(|entry| self.tree.range(..entry).count())
    }

    fn top(&mut self, count: usize) -> usize {
        take_out(self.tree.iter().rev().take(count))
    }

    fn range(&mut self, start: usize, count: usize) -> usize {
        take_out(self.tree.iter().skip(start).take(count))
    }

    fn range_by_score(&mut self, from: f64, to: f64, limit: usize) -> usize {
        let entries = self.tree.range(self.index.from(from)..).take(limit);
        take_out(entries.take_while(|(score, _)| score.0 <= to))
    }

    fn pop_min(&mut self) -> Option<(Member, f64)> {
        let entry = self.tree.pop_first()?;
        self.index.scores.remove(&entry.1);
        Some(owned(entry))
    }
}

/// Members are text here, as its codec stores with the least work. Its ranges have no limit and no
/// scores.
struct Heaplet(heaplet::Store);

impl Heaplet {
    const BOARD: &'static str = "board";

    fn text(member: &Member) -> &str {
        std::str::from_utf8(member).expect("text")
    }
}

impl Scores for Heaplet {
    const NAME: &'static str = "heaplet";

    fn open() -> Self {
        Self(heaplet::Store::new())
    }

    fn add(&mut self, member: &Member, score: f64) {
        self.0.zset(Self::BOARD).zadd(score, &Self::text(member)).expect("add");
    }

    fn increment(&mut self, member: &Member, by: f64) -> f64 {
        self.0.zset(Self::BOARD).zincrby(&Self::text(member), by).expect("increment")
    }

    fn score(&mut self, member: &Member) -> Option<f64> {
        self.0.zset(Self::BOARD).zscore(&Self::text(member)).expect("score")
    }

    fn rank(&mut self, member: &Member) -> Option<usize> {
        self.0.zset(Self::BOARD).zrank(&Self::text(member)).expect("rank")
    }

    fn top(&mut self, count: usize) -> usize {
        self.0.zset(Self::BOARD).zrevrange::<String>(0, count as isize - 1).expect("range").len()
    }

    fn range(&mut self, start: usize, count: usize) -> usize {
        let stop = (start + count) as isize - 1;
        self.0.zset(Self::BOARD).zrange::<String>(start as isize, stop).expect("range").len()
    }

    fn range_by_score(&mut self, from: f64, to: f64, limit: usize) -> usize {
        let mut members =
            self.0.zset(Self::BOARD).zrangebyscore::<String>(from, to).expect("range");
        members.truncate(limit);
        members.len()
    }

    fn pop_min(&mut self) -> Option<(Member, f64)> {
        let (member, score) = self.0.zset(Self::BOARD).zpopmin::<String>().expect("pop")?;
        Some((member.as_bytes().try_into().expect("16 bytes"), score))
    }
}
