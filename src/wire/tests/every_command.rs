//! Random commands of every row of the table: their canonical forms and their replies.

use std::collections::HashSet;
use std::time::Duration;

use super::super::answer::answer;
use super::super::args;
use super::super::table::{self, COMMANDS, Row};
use super::{Context, Encoder, Protocol};
use crate::wire::grammar::{self, Commands, Grammar};
use crate::{ManualClock, Store};

/// Steps of one family's history.
const STEPS: usize = 2_500;

/// Texts of help, which are each implementation's own.
const HELP: &[Grammar] = &[("XINFO|HELP", ""), ("XGROUP|HELP", ""), ("OBJECT|HELP", "")];

/// Commands that pick at random, or walk a hash table in its own order.
#[rustfmt::skip]
const OPEN: [&[u8]; 18] = [
    b"KEYS", b"SCAN", b"RANDOMKEY", b"ZRANDMEMBER", b"ZSCAN", b"HGETALL", b"HKEYS", b"HVALS",
    b"HRANDFIELD", b"HSCAN", b"SMEMBERS", b"SPOP", b"SRANDMEMBER", b"SSCAN", b"SUNION", b"SINTER",
    b"SDIFF", b"DUMP",
];

fn grammars() -> Vec<Grammar> {
    [&grammar::all()[..], HELP].concat()
}

/// Calls `body` with random commands and the names of their rows, as time passes: histories of
/// one family after the other.
fn for_each_command(seed: u64, clock: &ManualClock, mut body: impl FnMut(&str, &[&[u8]])) {
    let streams = [grammar::STREAMS, HELP].concat();
    let families: [(&[Grammar], &[&str]); 9] = [
        (grammar::STRINGS, &["SET", "INCRBYFLOAT"]),
        (grammar::KEYS, &["SET", "ZADD", "XADD", "HSET", "SADD"]),
        (grammar::LISTS, &["LPUSH", "RPUSH"]),
        (grammar::SORTING, &["SORT", "SADD"]),
        (grammar::SORTED_SETS, &["ZADD"]),
        (grammar::HASHES, &["HSET"]),
        (grammar::SETS, &["SADD"]),
        (grammar::BITMAPS, &["SETBIT", "BITFIELD"]),
        (&streams, &["XADD", "XGROUP|CREATE", "XREADGROUP"]),
    ];
    let mut commands = Commands::new(seed);
    (commands.newer, commands.waiting) = (true, true);
    for (family, makers) in families {
        let makers = grammar::named(makers);
        body("FLUSHALL", &[b"FLUSHALL"]);
        for step in 0..STEPS {
            if step % 10 == 0 {
                clock.advance(Duration::from_millis(777));
            }
            let ((name, _), argv) = commands.draw(family, &makers);
            let words: Vec<&[u8]> = argv.iter().map(|argument| &argument[..]).collect();
            // RESP3 has no form for a sum that is beyond all doubles.
            if !words.iter().any(|word| [&b"1e308"[..], b"1e4000"].contains(word)) {
                body(name, &words);
            }
        }
    }
}

fn all_rows() -> impl Iterator<Item = &'static Row> {
    COMMANDS.iter().flat_map(|row| match row.subcommands() {
        [] => std::slice::from_ref(row),
        subcommands => subcommands,
    })
}

#[test]
fn every_row_has_a_grammar_and_every_grammar_a_row() {
    let grammars = grammars();
    for row in all_rows() {
        assert!(
            grammars.iter().any(|grammar| grammar.0 == row.name),
            "{} has no grammar",
            row.name
        );
    }
    for (name, _) in grammars {
        assert!(all_rows().any(|row| row.name == name), "{name} has no row");
    }
}

/// The canonical form of a command with its name; `None` if it cannot be parsed.
fn canonical(argv: &[&[u8]]) -> Option<args::Argv> {
    let mut canonical = args::Argv::default();
    let mut out = Vec::new();
    let row = table::find(argv[0]).expect("a row");
    let mut encoder = Encoder::new(&mut out, Protocol::Resp2);
    row.execute(&argv[1..], &mut Context::Canonical(&mut canonical), &mut encoder).ok()?;
    assert!(out.is_empty(), "what is not run replies nothing");
    Some(canonical)
}

/// Stores that live through the same, one by what is given and one by its canonical form, in one
/// protocol.
struct Twins {
    protocol: Protocol,
    given: Store,
    canonical: Store,
}

impl Twins {
    fn new(protocol: Protocol, clock: &ManualClock) -> Self {
        let store = || Store::builder().clock(clock).build();
        Self { protocol, given: store(), canonical: store() }
    }

    fn run(&self, argv: &[&[u8]], canonical: &[&[u8]]) {
        let replies = [(&self.given, argv), (&self.canonical, canonical)].map(|(store, argv)| {
            let mut reply = Vec::new();
            answer(store.space(), argv, &mut Encoder::new(&mut reply, self.protocol));
            reply.escape_ascii().to_string()
        });
        // Some errors name the command, whose canonical name may be another.
        if !OPEN.contains(&argv[0]) && !replies[0].contains(" in '") {
            assert_eq!(replies[0], replies[1], "{}", print(argv));
        }
    }
}

fn print(argv: &[&[u8]]) -> String {
    argv.iter().map(|argument| format!("{} ", argument.escape_ascii())).collect()
}

#[test]
fn canonical_forms_are_fixed_points_that_mean_the_same() {
    let clock = ManualClock::new();
    let twins = [Protocol::Resp2, Protocol::Resp3].map(|protocol| Twins::new(protocol, &clock));
    let mut parsed = HashSet::new();
    for_each_command(3, &clock, |name, argv| {
        let Some(form) = canonical(argv) else { return };
        let words: Vec<&[u8]> = form.iter().collect();
        let again = canonical(&words).unwrap_or_else(|| panic!("unreadable: {}", print(&words)));
        assert_eq!(form, again, "{}", print(&words));
        twins.iter().for_each(|twins| twins.run(argv, &words));
        parsed.insert(name.to_owned());
    });
    assert_all(&parsed);
}

#[test]
fn replies_read_back_as_what_was_answered() {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    let mut answered = HashSet::new();
    for_each_command(4, &clock, |name, argv| {
        let mut out = Vec::new();
        let row = table::find(argv[0]).expect("a row");
        let mut encoder = Encoder::new(&mut out, Protocol::Resp3);
        if row.execute(&argv[1..], &mut Context::Verify(store.space()), &mut encoder).is_ok() {
            answered.insert(name.to_owned());
        }
    });
    assert_all(&answered);
}

/// Asserts that no row was left out.
fn assert_all(succeeded: &HashSet<String>) {
    for row in all_rows() {
        assert!(succeeded.contains(row.name), "{} never succeeded", row.name);
    }
}
