//! Sorted-set commands read back what they wrote, and refuse what Redis refuses.

use proptest::prelude::*;

use super::*;
use crate::wire::command::{Command, Family};
use crate::wire::encoder::Protocol;
use crate::wire::{Decoder, FrameLimits};

/// Asserts that an operation survives its wire form.
macro_rules! assert_parses {
    ($operation:ident { $($fields:tt)* }) => {{
        let operation = $operation { $($fields)* };
        let mut argv = Argv::default();
        operation.encode(&mut argv);
        let arguments: Vec<&[u8]> = argv.iter().collect();
        let parsed = <$operation as Family>::parse(&mut Args::new(&arguments));
        // As text, since their lifetimes make them different types.
        assert_eq!(format!("{parsed:?}"), format!("Ok({operation:?})"));
    }};
}

/// Asserts that an output survives both protocols.
fn assert_decodes<O: Command>(operation: &O, output: &O::Output)
where
    O::Output: PartialEq + std::fmt::Debug,
{
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut bytes = Vec::new();
        operation.reply(output, &mut Encoder::new(&mut bytes, protocol));
        let decoded = Decoder::new(FrameLimits::default()).decode(&bytes);
        let (frame, length) = decoded.expect("a valid reply").expect("a whole reply");
        assert_eq!(length, bytes.len());
        assert_eq!(operation.decode(frame).as_ref(), Ok(output));
    }
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(vec!["NX", "WITHSCORES", "LIMIT", "(a", "-", "1", "MIN", "count"])
            .prop_map(|word| word.as_bytes().to_vec()),
    ]
}

fn several() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(bytes(), 1..5)
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("not NaN", |value| !value.is_nan()),
        (-100..100i32).prop_map(f64::from),
        prop::sample::select(vec![f64::INFINITY, f64::NEG_INFINITY, 0.0]),
    ]
}

fn score() -> impl Strategy<Value = Score> {
    number().prop_map(|value| Score::new(value).unwrap())
}

fn score_range_strategy() -> impl Strategy<Value = ScoreRange> {
    let bound = || {
        (any::<bool>(), score()).prop_map(|(included, score)| {
            if included { ScoreBound::Included(score) } else { ScoreBound::Excluded(score) }
        })
    };
    (bound(), bound()).prop_map(|(min, max)| ScoreRange { min, max })
}

/// A bound of members that owns what it names: the kind, and the member.
fn member_bound() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (0..4u8, bytes())
}

fn borrowed((kind, member): &(u8, Vec<u8>)) -> MemberBound<'_> {
    match kind {
        0 => MemberBound::Lowest,
        1 => MemberBound::Highest,
        2 => MemberBound::Included(member),
        _ => MemberBound::Excluded(member),
    }
}

fn add_options() -> impl Strategy<Value = AddOptions> {
    let rules = vec![
        AddRule::Always,
        AddRule::IfAbsent,
        AddRule::IfPresent,
        AddRule::IfGreater,
        AddRule::IfLess,
        AddRule::IfPresentAndGreater,
        AddRule::IfPresentAndLess,
    ];
    (prop::sample::select(rules), any::<bool>(), any::<bool>())
        .prop_map(|(rule, changed, increment)| AddOptions { rule, changed, increment })
}

fn value() -> impl Strategy<Value = Value> {
    bytes().prop_map(Value::from)
}

fn scored() -> impl Strategy<Value = Vec<(Value, f64)>> {
    prop::collection::vec((value(), number()), 0..6)
}

fn slices(values: &[Vec<u8>]) -> Vec<&[u8]> {
    values.iter().map(|value| &**value).collect()
}

proptest! {
    #[test]
    fn updates_parse_as_they_are_written(
        key in bytes(),
        options in add_options(),
        scores in prop::collection::vec((score(), bytes()), 1..5),
        ranks in any::<(i64, i64)>(),
        range in score_range_strategy(),
        min in member_bound(),
        max in member_bound(),
    ) {
        let most = if options.increment { 1 } else { scores.len() };
        let entries: Vec<_> = scores[..most].iter().map(|(score, m)| (*score, &m[..])).collect();
        assert_parses!(Add { key: &key, options, entries: entries.into() });
        assert_parses!(Increment { key: &key, by: scores[0].0, member: &scores[0].1 });
        let members: Vec<&[u8]> = scores.iter().map(|(_, member)| &member[..]).collect();
        assert_parses!(Remove { key: &key, members: members.into() });
        let (start, stop) = ranks;
        assert_parses!(RemoveByRank { key: &key, range: RankRange { start, stop } });
        assert_parses!(RemoveByScore { key: &key, range });
        let range = MemberRange { min: borrowed(&min), max: borrowed(&max) };
        assert_parses!(RemoveByMember { key: &key, range });
    }

    #[test]
    fn reads_parse_as_they_are_written(
        key in bytes(),
        members in several(),
        range in score_range_strategy(),
        min in member_bound(),
        max in member_bound(),
        flag in any::<bool>(),
        cursor in any::<u64>(),
        pattern in prop::option::of(bytes()),
        count in 1..usize::MAX / 2,
        sample in prop::option::of((-100..100i64, any::<bool>())),
    ) {
        assert_parses!(Length { key: &key });
        assert_parses!(CountByScore { key: &key, range });
        let range = MemberRange { min: borrowed(&min), max: borrowed(&max) };
        assert_parses!(CountByMember { key: &key, range });
        let (member, with_score) = (&members[0][..], WithScore(flag));
        assert_parses!(GetScore { key: &key, member });
        assert_parses!(GetScores { key: &key, members: slices(&members).into() });
        assert_parses!(Rank { key: &key, member, with_score });
        assert_parses!(RankDescending { key: &key, member, with_score });
        let options = MemberScan { pattern: pattern.as_deref(), count };
        assert_parses!(ScanMembers { key: &key, cursor: MemberCursor(cursor), options });
        let sample = sample.map(|(count, with_scores)| Sample { count, with_scores });
        assert_parses!(RandomMembers { key: &key, sample });
    }

    #[test]
    fn ranges_parse_as_they_are_written(
        key in bytes(),
        source in bytes(),
        kind in 0..3u8,
        (start, stop) in any::<(i64, i64)>(),
        range in score_range_strategy(),
        min in member_bound(),
        max in member_bound(),
        limit in prop::option::of(any::<(i64, i64)>()),
        reversed in any::<bool>(),
        with_scores in any::<bool>(),
    ) {
        let span = match kind {
            0 => Span::Ranks(RankRange { start, stop }),
            1 => Span::Scores(range),
            _ => Span::Members(MemberRange { min: borrowed(&min), max: borrowed(&max) }),
        };
        let limit = limit.filter(|_| kind > 0).map(|(offset, count)| Limit { offset, count });
        let of = Selection { span, reversed, limit };
        assert_parses!(StoreRange { destination: &key, source: &source, selection: of });
        let query = Query { of, with_scores: with_scores && kind < 2 };
        assert_parses!(GetRange { key: &key, query });
    }

    #[test]
    fn combinations_and_pops_parse_as_they_are_written(
        key in bytes(),
        keys in several(),
        weights in prop::option::of(prop::collection::vec(number(), 5)),
        aggregate in prop::sample::select(vec![Aggregate::Sum, Aggregate::Min, Aggregate::Max]),
        with_scores in any::<bool>(),
        count in prop::option::of(1..usize::MAX / 2),
        millis in 0..1_000_000_000u64,
    ) {
        let weights = weights.map(|weights| weights[..keys.len()].to_vec()).unwrap_or_default();
        let keys = || slices(&keys).into();
        let of = Weighted { keys: keys(), weights: weights.into(), aggregate };
        let query = Query { of: of.clone(), with_scores };
        assert_parses!(Union { query: query.clone() });
        assert_parses!(Intersection { query });
        assert_parses!(StoreUnion { destination: &key, of: of.clone() });
        assert_parses!(StoreIntersection { destination: &key, of });
        assert_parses!(Difference { query: Query { of: Counted(keys()), with_scores } });
        assert_parses!(StoreDifference { destination: &key, of: Counted(keys()) });
        let limit = CountLimit(count.unwrap_or(0));
        assert_parses!(CountIntersection { keys: Counted(keys()), limit });
        assert_parses!(PopMin { key: &key, count: PopCount(count) });
        assert_parses!(PopMax { key: &key, count: PopCount(count) });
        let from = PopFrom { keys: keys(), end: End::Max, count: count.unwrap_or(1) };
        assert_parses!(PopMany { from: from.clone() });
        let timeout = Timeout((millis > 0).then(|| Duration::from_millis(millis)));
        assert_parses!(BlockingPopMany { of: AwaitFrom { timeout, from } });
        assert_parses!(BlockingPopMin { of: Await { keys: keys(), timeout } });
        assert_parses!(BlockingPopMax { of: Await { keys: keys(), timeout } });
    }

    #[test]
    fn outputs_survive_both_protocols(
        members in scored(),
        one in value(),
        key in value(),
        score in prop::option::of(number()),
        count in 0..1000usize,
        cursor in any::<u64>(),
        flag in any::<bool>(),
    ) {
        let options = AddOptions { increment: flag, ..AddOptions::default() };
        let add = Add { key: b"k", options, entries: Cow::Borrowed(&[]) };
        let outcome = if flag { AddOutcome::Score(score) } else { AddOutcome::Count(count) };
        assert_decodes(&add, &outcome);
        assert_decodes(&GetScores { key: b"k", members: Cow::Borrowed(&[]) }, &vec![score, None]);
        let ranked = score.map(|score| (count, flag.then_some(score)));
        assert_decodes(&Rank { key: b"k", member: b"m", with_score: WithScore(flag) }, &ranked);
        let query = Query { of: Counted(Cow::Borrowed(&[])), with_scores: flag };
        let plain = Members::Plain(members.iter().map(|(member, _)| member.clone()).collect());
        let answer = if flag { Members::Scored(members.clone()) } else { plain };
        assert_decodes(&Difference { query }, &answer);
        let sample = Some(Sample { count: 9, with_scores: flag });
        assert_decodes(&RandomMembers { key: b"k", sample }, &Sampled::Many(answer));
        let found = score.map(|_| one.clone());
        assert_decodes(&RandomMembers { key: b"k", sample: None }, &Sampled::One(found));
        assert_decodes(&PopMin { key: b"k", count: PopCount(Some(9)) }, &members);
        let first: Vec<_> = members.iter().take(1).cloned().collect();
        assert_decodes(&PopMin { key: b"k", count: PopCount(None) }, &first);
        let from = PopFrom { keys: Cow::Borrowed(&[]), end: End::Min, count: 9 };
        let popped = score.map(|_| (key.clone(), members.clone()));
        assert_decodes(&PopMany { from }, &popped);
        let of = Await { keys: Cow::Borrowed(&[]), timeout: Timeout(None) };
        let popped = score.map(|score| (key, one, score));
        assert_decodes(&BlockingPopMin { of }, &popped);
        let (cursor, options) = (MemberCursor(cursor), MemberScan::default());
        let page = MemberPage { cursor: cursor.0, members };
        assert_decodes(&ScanMembers { key: b"k", cursor, options }, &page);
    }
}

#[test]
fn bounds_of_scores_are_read_as_strtod_reads() {
    let bound = |text: &str| parse_score_bound(text.as_bytes());
    let included = |value| Some(ScoreBound::Included(Score::new(value).unwrap()));
    let excluded = |value| Some(ScoreBound::Excluded(Score::new(value).unwrap()));
    assert_eq!(bound("1.5"), included(1.5));
    assert_eq!(bound("(1.5"), excluded(1.5));
    assert_eq!(bound("-inf"), included(f64::NEG_INFINITY));
    assert_eq!(bound(""), included(0.0));
    assert_eq!(bound("("), excluded(0.0));
    assert_eq!(bound(" \t1"), included(1.0));
    assert_eq!(bound("1\0x"), included(1.0));
    assert_eq!(bound("1e999"), included(f64::INFINITY));
    for text in [" ", "nan", "1 ", "1x", "((1", "-nan"] {
        assert_eq!(bound(text), None, "{text:?}");
    }
}

#[test]
fn counts_of_keys_are_checked_before_anything_is_taken() {
    let union = |count: &str| {
        let arguments = [count.as_bytes(), b"a", b"b"];
        Union::parse(&mut Args::new(&arguments)).map(|_| ())
    };
    assert_eq!(union("0"), Err(Error::NoKeys));
    assert_eq!(union("-1"), Err(Error::NoKeys));
    assert_eq!(union("3"), Err(SYNTAX));
    assert_eq!(union("2147483648"), Err(SYNTAX));
    assert_eq!(union("9223372036854775807"), Err(SYNTAX));
    assert_eq!(union("9223372036854775808"), Err(Error::NotAnInteger));
    assert_eq!(union("2"), Ok(()));
}

#[test]
fn timeouts_are_seconds_rounded_up_to_milliseconds() {
    let timeout = |text: &str| Args::new(&[text.as_bytes()]).arg::<Timeout>();
    let millis = |millis| Ok(Timeout(Some(Duration::from_millis(millis))));
    assert_eq!(timeout("0"), Ok(Timeout(None)));
    assert_eq!(timeout("0.001"), millis(1));
    assert_eq!(timeout("0.0011"), millis(2));
    assert_eq!(timeout("1.1"), millis(1100));
    for text in ["-1", "nan", "x", "", "1e300", "-0.01"] {
        assert!(timeout(text).is_err(), "{text:?}");
    }
}
