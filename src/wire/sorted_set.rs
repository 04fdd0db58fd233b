//! The wire form of the sorted-set operations.

use std::borrow::Cow;
use std::time::Duration;

use super::args::{Arg, Args, Argv, SYNTAX, parse_cursor};
use super::command::command;
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::{Reply, items, read_scored, unexpected, write_scored};
use crate::data::sorted_set::Score;
use crate::error::{Error, Result};
use crate::number::{self, Extended};
use crate::ops::sorted_set::*;
use crate::ops::{Await, Timeout};
use crate::value::Value;

/// The one integer that has no opposite is refused where the sign says which way to go.
pub(super) const NO_OPPOSITE: Error = Error::OutOfRange(
    "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const NOT_IN_RANGE: Error = Error::OutOfRange("value is out of range");

command!(Length<'a>, "ZCARD" { key });
command!(CountByScore<'a>, "ZCOUNT" { key, range });
command!(CountByMember<'a>, "ZLEXCOUNT" { key, range });
command!(GetScore<'a>, "ZSCORE" { key, member });
command!(GetScores<'a>, "ZMSCORE" { key, members });
command!(Increment<'a>, "ZINCRBY" { key, by, member });
command!(Remove<'a>, "ZREM" { key, members });
command!(RemoveByRank<'a>, "ZREMRANGEBYRANK" { key, range });
command!(RemoveByScore<'a>, "ZREMRANGEBYSCORE" { key, range });
command!(RemoveByMember<'a>, "ZREMRANGEBYLEX" { key, range });
command!(StoreRange<'a>, "ZRANGESTORE" { destination, source, selection });
command!(StoreUnion<'a>, "ZUNIONSTORE" { destination, of });
command!(StoreIntersection<'a>, "ZINTERSTORE" { destination, of });
command!(StoreDifference<'a>, "ZDIFFSTORE" { destination, of });
command!(CountIntersection<'a>, "ZINTERCARD" { keys, limit });
command!(ScanMembers<'a>, "ZSCAN" { key, cursor, options });

command!(Add<'a>, "ZADD" { key, options, entries } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        match output {
            AddOutcome::Count(count) => count.write(encoder),
            AddOutcome::Score(score) => score.write(encoder),
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        if self.options.increment {
            Reply::read(frame).map(AddOutcome::Score)
        } else {
            Reply::read(frame).map(AddOutcome::Count)
        }
    }
});

/// Operations that answer a rank, with the score or without.
macro_rules! rank_command {
    ($operation:ident, $name:literal) => {
        command!($operation<'a>, $name { key, member, with_score } {
            fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
                match *output {
                    Some((rank, Some(score))) => (rank, score).write(encoder),
                    Some((rank, None)) => rank.write(encoder),
                    None if self.with_score.0 => encoder.null_array(),
                    None => encoder.null(),
                }
            }

            fn decode(&self, frame: Frame) -> Result<Self::Output> {
                if self.with_score.0 {
                    let ranked = Option::<(usize, f64)>::read(frame)?;
                    Ok(ranked.map(|(rank, score)| (rank, Some(score))))
                } else {
                    Ok(Option::<usize>::read(frame)?.map(|rank| (rank, None)))
                }
            }
        });
    };
}

rank_command!(Rank, "ZRANK");
rank_command!(RankDescending, "ZREVRANK");

/// Operations that answer members, with scores or without.
macro_rules! query_command {
    ($operation:ident, $name:literal { $($field:ident),* }) => {
        command!($operation<'a>, $name { $($field),* } {
            fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
                write_members(output, encoder);
            }

            fn decode(&self, frame: Frame) -> Result<Self::Output> {
                read_members(frame, self.query.with_scores)
            }
        });
    };
}

query_command!(GetRange, "ZRANGE" { key, query });
query_command!(Union, "ZUNION" { query });
query_command!(Intersection, "ZINTER" { query });
query_command!(Difference, "ZDIFF" { query });

command!(RandomMembers<'a>, "ZRANDMEMBER" { key, sample } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        match output {
            Sampled::One(member) => member.write(encoder),
            Sampled::Many(members) => write_members(members, encoder),
        }
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        match self.sample {
            None => Reply::read(frame).map(Sampled::One),
            Some(sample) => read_members(frame, sample.with_scores).map(Sampled::Many),
        }
    }
});

/// Pops from one key: RESP3 nests the pairs only if a count was given.
macro_rules! pop_command {
    ($operation:ident, $name:literal) => {
        command!($operation<'a>, $name { key, count } {
            fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
                match &output[..] {
                    [(member, score)] if self.count.0.is_none() => {
                        encoder.array(2);
                        encoder.bulk(member);
                        encoder.double(*score);
                    }
                    members => write_scored(members, encoder),
                }
            }

            fn decode(&self, frame: Frame) -> Result<Self::Output> {
                read_scored(frame)
            }
        });
    };
}

pop_command!(PopMin, "ZPOPMIN");
pop_command!(PopMax, "ZPOPMAX");

/// Pops from the first key that has something; without one, the answer is a null array.
macro_rules! pop_from_command {
    ($operation:ident, $name:literal { $($field:ident),* }, $write:path, $read:path) => {
        command!($operation<'a>, $name { $($field),* } {
            fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
                match output {
                    Some(found) => $write(found, encoder),
                    None => encoder.null_array(),
                }
            }

            fn decode(&self, frame: Frame) -> Result<Self::Output> {
                if frame == Frame::Null { Ok(None) } else { $read(frame).map(Some) }
            }
        });
    };
}

pop_from_command!(PopMany, "ZMPOP" { from }, Reply::write, Reply::read);
pop_from_command!(BlockingPopMany, "BZMPOP" { of }, Reply::write, Reply::read);
pop_from_command!(BlockingPopMin, "BZPOPMIN" { of }, write_popped_one, read_popped_one);
pop_from_command!(BlockingPopMax, "BZPOPMAX" { of }, write_popped_one, read_popped_one);

fn write_popped_one((key, member, score): &PoppedOne, encoder: &mut Encoder<'_>) {
    encoder.array(3);
    encoder.bulk(key);
    encoder.bulk(member);
    encoder.double(*score);
}

fn read_popped_one(frame: Frame) -> Result<PoppedOne> {
    let items: Result<[Frame; 3], _> = items(frame)?.try_into();
    match items {
        Ok([key, member, score]) => {
            Ok((Reply::read(key)?, Reply::read(member)?, Reply::read(score)?))
        }
        Err(items) => unexpected(&Frame::Array(items)),
    }
}

fn write_members(members: &Members, encoder: &mut Encoder<'_>) {
    match members {
        Members::Plain(members) => members.write(encoder),
        Members::Scored(members) => write_scored(members, encoder),
    }
}

fn read_members(frame: Frame, with_scores: bool) -> Result<Members> {
    if with_scores {
        read_scored(frame).map(Members::Scored)
    } else {
        Reply::read(frame).map(Members::Plain)
    }
}

impl<'a> Arg<'a> for Score {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        number::parse_float(args.next()?).and_then(Self::new).ok_or(Error::NotAFloat)
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(number::format_double(self.get()));
    }
}

/// The options of `ZADD`, in any order.
impl<'a> Arg<'a> for AddOptions {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        let [mut nx, mut xx, mut gt, mut lt] = [false; 4];
        let given = args.len();
        while !args.is_empty() {
            match () {
                () if args.keyword("NX") => nx = true,
                () if args.keyword("XX") => xx = true,
                () if args.keyword("GT") => gt = true,
                () if args.keyword("LT") => lt = true,
                () if args.keyword("CH") => options.changed = true,
                () if args.keyword("INCR") => options.increment = true,
                () => break,
            }
        }
        // Nothing at all is what a batch says of an empty list.
        if (args.is_empty() && given > 0) || !args.len().is_multiple_of(2) {
            return Err(SYNTAX);
        }
        options.rule = add_rule(nx, xx, gt, lt)?;
        if options.increment && args.len() > 2 {
            return Err(Error::Syntax("INCR option supports a single increment-element pair"));
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        let words: &[&str] = match self.rule {
            AddRule::Always => &[],
            AddRule::IfAbsent => &["NX"],
            AddRule::IfPresent => &["XX"],
            AddRule::IfGreater => &["GT"],
            AddRule::IfLess => &["LT"],
            AddRule::IfPresentAndGreater => &["XX", "GT"],
            AddRule::IfPresentAndLess => &["XX", "LT"],
        };
        words.iter().for_each(|word| argv.push(word));
        if self.changed {
            argv.push("CH");
        }
        if self.increment {
            argv.push("INCR");
        }
    }
}

fn add_rule(nx: bool, xx: bool, gt: bool, lt: bool) -> Result<AddRule> {
    match (nx, xx, gt, lt) {
        (true, true, _, _) => {
            Err(Error::Syntax("XX and NX options at the same time are not compatible"))
        }
        (true, _, true, _) | (true, _, _, true) | (_, _, true, true) => {
            Err(Error::Syntax("GT, LT, and/or NX options at the same time are not compatible"))
        }
        (true, ..) => Ok(AddRule::IfAbsent),
        (_, true, true, _) => Ok(AddRule::IfPresentAndGreater),
        (_, true, _, true) => Ok(AddRule::IfPresentAndLess),
        (_, true, ..) => Ok(AddRule::IfPresent),
        (_, _, true, _) => Ok(AddRule::IfGreater),
        (_, _, _, true) => Ok(AddRule::IfLess),
        _ => Ok(AddRule::Always),
    }
}

impl<'a> Arg<'a> for WithScore {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        Ok(Self(args.keyword("WITHSCORE")))
    }

    fn encode(&self, argv: &mut Argv) {
        if self.0 {
            argv.push("WITHSCORE");
        }
    }
}

impl<'a> Arg<'a> for RankRange {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        Ok(Self { start: args.integer()?, stop: args.integer()? })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.start);
        argv.integer(self.stop);
    }
}

impl<'a> Arg<'a> for ScoreRange {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        score_range(args.next()?, args.next()?)
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(score_bound_text(self.min));
        argv.push(score_bound_text(self.max));
    }
}

fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange> {
    let bound = |text| parse_score_bound(text).ok_or(Error::Syntax("min or max is not a float"));
    Ok(ScoreRange { min: bound(min)?, max: bound(max)? })
}

fn parse_score_bound(text: &[u8]) -> Option<ScoreBound> {
    match text {
        [b'(', text @ ..] => {
            Score::new(number::parse_float_leniently(text)?).map(ScoreBound::Excluded)
        }
        text => Score::new(number::parse_float_leniently(text)?).map(ScoreBound::Included),
    }
}

fn score_bound_text(bound: ScoreBound) -> number::NumberText {
    match bound {
        ScoreBound::Included(score) => number::format_double(score.get()),
        ScoreBound::Excluded(score) => {
            let mut text = number::format_double(score.get());
            text.insert(0, b'(');
            text
        }
    }
}

impl<'a> Arg<'a> for MemberRange<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        member_range(args.next()?, args.next()?)
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(member_bound_text(self.min));
        argv.push(member_bound_text(self.max));
    }
}

fn member_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<MemberRange<'a>> {
    Ok(MemberRange { min: parse_member_bound(min)?, max: parse_member_bound(max)? })
}

fn parse_member_bound(text: &[u8]) -> Result<MemberBound<'_>> {
    match text {
        [b'-'] => Ok(MemberBound::Lowest),
        [b'+'] => Ok(MemberBound::Highest),
        [b'[', member @ ..] => Ok(MemberBound::Included(member)),
        [b'(', member @ ..] => Ok(MemberBound::Excluded(member)),
        _ => Err(Error::Syntax("min or max not valid string range item")),
    }
}

fn member_bound_text(bound: MemberBound<'_>) -> Cow<'_, [u8]> {
    match bound {
        MemberBound::Lowest => Cow::Borrowed(b"-"),
        MemberBound::Highest => Cow::Borrowed(b"+"),
        MemberBound::Included(member) => Cow::Owned([b"[", member].concat()),
        MemberBound::Excluded(member) => Cow::Owned([b"(", member].concat()),
    }
}

/// What a [`Query`] may be about. Its options may have the word `WITHSCORES` among them; where
/// that is not allowed, `with_scores` is `None`.
trait Queried<'a>: Sized {
    fn parse_query(args: &mut Args<'a>, with_scores: Option<&mut bool>) -> Result<Self>;
    fn encode_query(&self, argv: &mut Argv);
}

impl<'a, S: Queried<'a>> Arg<'a> for Query<S> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut with_scores = false;
        let of = S::parse_query(args, Some(&mut with_scores))?;
        Ok(Self { of, with_scores })
    }

    fn encode(&self, argv: &mut Argv) {
        self.of.encode_query(argv);
        if self.with_scores {
            argv.push("WITHSCORES");
        }
    }
}

macro_rules! queried_without_scores {
    ($($type:ty),*) => {$(
        impl<'a> Arg<'a> for $type {
            fn parse(args: &mut Args<'a>) -> Result<Self> {
                Self::parse_query(args, None)
            }

            fn encode(&self, argv: &mut Argv) {
                self.encode_query(argv);
            }
        }
    )*};
}

queried_without_scores!(Selection<'a>, Weighted<'a>);

#[derive(Clone, Copy)]
enum SpanKind {
    Ranks,
    Scores,
    Members,
}

/// What a command's name says of a range already.
#[derive(Clone, Copy, Default)]
struct RangeForm {
    kind: Option<SpanKind>,
    reversed: Option<bool>,
}

impl<'a> Queried<'a> for Selection<'a> {
    fn parse_query(args: &mut Args<'a>, with_scores: Option<&mut bool>) -> Result<Self> {
        parse_selection(args, RangeForm::default(), with_scores)
    }

    fn encode_query(&self, argv: &mut Argv) {
        match &self.span {
            Span::Ranks(range) => argv.arg(range),
            Span::Scores(ScoreRange { min, max }) => {
                let (first, second) = if self.reversed { (max, min) } else { (min, max) };
                argv.push(score_bound_text(*first));
                argv.push(score_bound_text(*second));
                argv.push("BYSCORE");
            }
            Span::Members(MemberRange { min, max }) => {
                let (first, second) = if self.reversed { (max, min) } else { (min, max) };
                argv.push(member_bound_text(*first));
                argv.push(member_bound_text(*second));
                argv.push("BYLEX");
            }
        }
        if self.reversed {
            argv.push("REV");
        }
        if let Some(limit) = self.limit {
            argv.push("LIMIT");
            argv.integer(limit.offset);
            argv.integer(limit.count);
        }
    }
}

fn parse_selection<'a>(
    args: &mut Args<'a>,
    mut form: RangeForm,
    mut with_scores: Option<&mut bool>,
) -> Result<Selection<'a>> {
    let (start, stop) = (args.next()?, args.next()?);
    let mut limit = None;
    while !args.is_empty() {
        match &mut with_scores {
            Some(with_scores) if args.keyword("WITHSCORES") => **with_scores = true,
            _ if args.len() > 2 && args.keyword("LIMIT") => {
                limit = Some(Limit { offset: args.integer()?, count: args.integer()? });
            }
            _ if form.reversed.is_none() && args.keyword("REV") => form.reversed = Some(true),
            _ if form.kind.is_none() && args.keyword("BYLEX") => {
                form.kind = Some(SpanKind::Members);
            }
            _ if form.kind.is_none() && args.keyword("BYSCORE") => {
                form.kind = Some(SpanKind::Scores);
            }
            _ => return Err(SYNTAX),
        }
    }
    let reversed = form.reversed.unwrap_or(false);
    let (min, max) = if reversed { (stop, start) } else { (start, stop) };
    let span = match form.kind.unwrap_or(SpanKind::Ranks) {
        SpanKind::Ranks => {
            // Redis takes a limit of -1 for none.
            if limit.take().is_some_and(|limit| limit.count != -1) {
                return Err(Error::Syntax(
                    "syntax error, LIMIT is only supported in combination with either BYSCORE or \
                     BYLEX",
                ));
            }
            Span::Ranks(Args::new(&[start, stop]).arg()?)
        }
        SpanKind::Members if with_scores.is_some_and(|with_scores| *with_scores) => {
            return Err(Error::Syntax(
                "syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        SpanKind::Scores => Span::Scores(score_range(min, max)?),
        SpanKind::Members => Span::Members(member_range(min, max)?),
    };
    Ok(Selection { span, reversed, limit })
}

/// The older spellings of `ZRANGE`, whose names say what it says by options.
fn parse_range<'a>(args: &mut Args<'a>, kind: SpanKind, reversed: bool) -> Result<GetRange<'a>> {
    let form = RangeForm { kind: Some(kind), reversed: Some(reversed) };
    let key = args.next()?;
    let mut with_scores = false;
    let of = parse_selection(args, form, Some(&mut with_scores))?;
    Ok(GetRange { key, query: Query { of, with_scores } })
}

/// `ZREVRANGE key start stop [WITHSCORES]`.
pub(super) fn parse_range_reversed<'a>(args: &mut Args<'a>) -> Result<GetRange<'a>> {
    parse_range(args, SpanKind::Ranks, true)
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`.
pub(super) fn parse_range_by_score<'a>(args: &mut Args<'a>) -> Result<GetRange<'a>> {
    parse_range(args, SpanKind::Scores, false)
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`.
pub(super) fn parse_range_by_score_reversed<'a>(args: &mut Args<'a>) -> Result<GetRange<'a>> {
    parse_range(args, SpanKind::Scores, true)
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`.
pub(super) fn parse_range_by_member<'a>(args: &mut Args<'a>) -> Result<GetRange<'a>> {
    parse_range(args, SpanKind::Members, false)
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`.
pub(super) fn parse_range_by_member_reversed<'a>(args: &mut Args<'a>) -> Result<GetRange<'a>> {
    parse_range(args, SpanKind::Members, true)
}

/// A count of keys, then the keys.
impl<'a> Arg<'a> for Counted<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let count = args.integer()?;
        if count < 1 {
            return Err(Error::NoKeys);
        }
        let count = usize::try_from(count).map_err(|_| SYNTAX)?;
        Ok(Self(Cow::Borrowed(args.take(count)?)))
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.0.len());
        self.0.iter().for_each(|key| argv.push(key));
    }
}

impl<'a> Queried<'a> for Counted<'a> {
    fn parse_query(args: &mut Args<'a>, with_scores: Option<&mut bool>) -> Result<Self> {
        let keys = Self::parse(args)?;
        if let Some(with_scores) = with_scores {
            while args.keyword("WITHSCORES") {
                *with_scores = true;
            }
        }
        Ok(keys)
    }

    fn encode_query(&self, argv: &mut Argv) {
        self.encode(argv);
    }
}

impl<'a> Queried<'a> for Weighted<'a> {
    fn parse_query(args: &mut Args<'a>, mut with_scores: Option<&mut bool>) -> Result<Self> {
        let Counted(keys) = args.arg()?;
        let mut weighted = Self { keys, ..Self::default() };
        while !args.is_empty() {
            match &mut with_scores {
                _ if args.len() > weighted.keys.len() && args.keyword("WEIGHTS") => {
                    let weights = args.take(weighted.keys.len())?;
                    weighted.weights =
                        weights.iter().map(|text| parse_weight(text)).collect::<Result<_>>()?;
                }
                _ if args.len() > 1 && args.keyword("AGGREGATE") => {
                    weighted.aggregate = args.arg()?;
                }
                Some(with_scores) if args.keyword("WITHSCORES") => **with_scores = true,
                _ => return Err(SYNTAX),
            }
        }
        Ok(weighted)
    }

    fn encode_query(&self, argv: &mut Argv) {
        argv.integer(self.keys.len());
        self.keys.iter().for_each(|key| argv.push(key));
        if !self.weights.is_empty() {
            argv.push("WEIGHTS");
            self.weights.iter().for_each(|weight| argv.push(number::format_double(*weight)));
        }
        argv.arg(&self.aggregate);
    }
}

fn parse_weight(text: &[u8]) -> Result<f64> {
    number::parse_float(text).ok_or(Error::Syntax("weight value is not a float"))
}

/// The word behind `AGGREGATE`, which is written only if it is needed.
impl<'a> Arg<'a> for Aggregate {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match () {
            () if args.keyword("SUM") => Ok(Self::Sum),
            () if args.keyword("MIN") => Ok(Self::Min),
            () if args.keyword("MAX") => Ok(Self::Max),
            () => Err(SYNTAX),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        let word = match self {
            Self::Sum => return,
            Self::Min => "MIN",
            Self::Max => "MAX",
        };
        argv.push("AGGREGATE");
        argv.push(word);
    }
}

/// `[LIMIT limit]`.
impl<'a> Arg<'a> for CountLimit {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut limit = Self::default();
        while args.len() > 1 && args.keyword("LIMIT") {
            limit.0 = positive(args, 0, "LIMIT can't be negative")?;
        }
        Ok(limit)
    }

    fn encode(&self, argv: &mut Argv) {
        if self.0 > 0 {
            argv.push("LIMIT");
            argv.integer(self.0);
        }
    }
}

/// An integer that is `least` or more; whatever else it is, the error is `text`.
pub(super) fn positive(args: &mut Args<'_>, least: i64, text: &'static str) -> Result<usize> {
    let number = number::parse_integer(args.next()?).filter(|number| *number >= least);
    let number = number.and_then(|number| usize::try_from(number).ok());
    number.ok_or(Error::OutOfRange(text))
}

impl<'a> Arg<'a> for PopCount {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        if args.is_empty() {
            return Ok(Self(None));
        }
        if args.len() > 1 {
            return Err(SYNTAX);
        }
        positive(args, 0, "value is out of range, must be positive").map(|count| Self(Some(count)))
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(count) = self.0 {
            argv.integer(count);
        }
    }
}

/// `numkeys key [key ...] MIN|MAX [COUNT count]`.
impl<'a> Arg<'a> for PopFrom<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let keys = positive(args, 1, "numkeys should be greater than 0")?;
        let keys = Cow::Borrowed(args.take(keys)?);
        let end = match () {
            () if args.keyword("MIN") => End::Min,
            () if args.keyword("MAX") => End::Max,
            () => return Err(SYNTAX),
        };
        let mut count = 1;
        if args.len() > 1 && args.keyword("COUNT") {
            count = positive(args, 1, "count should be greater than 0")?;
        }
        Ok(Self { keys, end, count })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.keys.len());
        self.keys.iter().for_each(|key| argv.push(key));
        argv.push(match self.end {
            End::Min => "MIN",
            End::Max => "MAX",
        });
        if self.count != 1 {
            argv.push("COUNT");
            argv.integer(self.count);
        }
    }
}

/// `timeout numkeys key [key ...] MIN|MAX [COUNT count]`; Redis minds the timeout last.
impl<'a> Arg<'a> for AwaitFrom<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let timeout = args.next()?;
        let from = args.arg()?;
        args.finish()?;
        Ok(Self { timeout: Args::new(&[timeout]).arg()?, from })
    }

    fn encode(&self, argv: &mut Argv) {
        argv.arg(&self.timeout);
        argv.arg(&self.from);
    }
}

/// `key [key ...] timeout`.
impl<'a> Arg<'a> for Await<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let keys = args.take(args.len().saturating_sub(1))?;
        let timeout = args.arg()?;
        Ok(Self { keys: Cow::Borrowed(keys), timeout })
    }

    fn encode(&self, argv: &mut Argv) {
        self.keys.iter().for_each(|key| argv.push(key));
        argv.arg(&self.timeout);
    }
}

/// Seconds with a fraction, rounded up to milliseconds; zero for ever.
impl<'a> Arg<'a> for Timeout {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        // As wide as Redis's own, so that a number beyond all doubles is a number.
        let seconds = Extended::parse(args.next()?)
            .ok_or(Error::OutOfRange("timeout is not a float or out of range"))?
            .to_f64();
        // What is a whole number of milliseconds in decimal is one here.
        let millis = seconds * 1000.0;
        let nearest = millis.round();
        let is_whole = (millis - nearest).abs() <= nearest.abs() * f64::EPSILON;
        let millis = if is_whole { nearest } else { millis.ceil() };
        // Redis's whole number of milliseconds overflows.
        if !(0.0..-(i64::MIN as f64)).contains(&millis) {
            return Err(Error::OutOfRange("timeout is negative"));
        }
        Ok(Self((millis > 0.0).then(|| Duration::from_millis(millis as u64))))
    }

    fn encode(&self, argv: &mut Argv) {
        /// Longer than anybody waits, and exact as a double.
        const LONGEST: u128 = 1 << 52;
        let millis =
            self.0.map_or(0, |timeout| timeout.as_nanos().div_ceil(1_000_000).clamp(1, LONGEST));
        argv.push(number::format_double(millis as f64 / 1000.0));
    }
}

/// `[count [WITHSCORES]]`.
impl<'a> Arg<'a> for Option<Sample> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let sample = parse_sample(args, "WITHSCORES")?;
        Ok(sample.map(|(count, with_scores)| Sample { count, with_scores }))
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(Sample { count, with_scores }) = self {
            argv.integer(*count);
            if *with_scores {
                argv.push("WITHSCORES");
            }
        }
    }
}

/// `[count [word]]`: how many to draw, and whether with what belongs to them.
pub(super) fn parse_sample(args: &mut Args<'_>, word: &str) -> Result<Option<(i64, bool)>> {
    if args.is_empty() {
        return Ok(None);
    }
    let count = args.integer()?;
    if count == i64::MIN {
        return Err(NO_OPPOSITE);
    }
    let with_more = !args.is_empty();
    if with_more && !(args.keyword(word) && args.is_empty()) {
        return Err(SYNTAX);
    }
    if with_more && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(NOT_IN_RANGE);
    }
    Ok(Some((count, with_more)))
}

impl<'a> Arg<'a> for MemberCursor {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        parse_cursor(args.next()?).map(Self).ok_or(Error::Syntax("invalid cursor"))
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.0);
    }
}

/// The options of `ZSCAN`, in any order.
impl<'a> Arg<'a> for MemberScan<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while !args.is_empty() {
            match () {
                () if args.len() > 1 && args.keyword("MATCH") => {
                    options.pattern = Some(args.next()?);
                }
                () if args.len() > 1 && args.keyword("COUNT") => {
                    let count = args.integer()?;
                    if count < 1 {
                        return Err(SYNTAX);
                    }
                    options.count = usize::try_from(count).unwrap_or(usize::MAX);
                }
                () => return Err(SYNTAX),
            }
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        if let Some(pattern) = self.pattern {
            argv.push("MATCH");
            argv.push(pattern);
        }
        argv.push("COUNT");
        argv.integer(self.count);
    }
}

/// The cursor, then members and scores in turn; all as text in RESP3 too.
impl Reply for MemberPage {
    fn write(&self, encoder: &mut Encoder<'_>) {
        encoder.array(2);
        encoder.bulk(itoa::Buffer::new().format(self.cursor).as_bytes());
        encoder.array(self.members.len() * 2);
        for (member, score) in &self.members {
            encoder.bulk(member);
            encoder.bulk(&number::format_double(*score));
        }
    }

    fn read(frame: Frame) -> Result<Self> {
        let items: Result<[Frame; 2], _> = items(frame)?.try_into();
        let [cursor, members] = match items {
            Ok(items) => items,
            Err(items) => return unexpected(&Frame::Array(items)),
        };
        let cursor = Value::read(cursor)?;
        let Some(cursor) = parse_cursor(&cursor) else {
            return unexpected(&Frame::Bulk(cursor));
        };
        Ok(Self { cursor, members: read_scored(members)? })
    }
}

#[cfg(test)]
mod tests;
