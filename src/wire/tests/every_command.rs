//! Random commands of every row of the table: their canonical forms and their replies.

#[path = "../../../tests/differential/grammar.rs"]
mod grammar;

use std::collections::HashSet;
use std::time::Duration;

use grammar::{Argv, Commands, Grammar};

use super::super::answer::answer;
use super::super::args;
use super::super::table::{self, COMMANDS, Row};
use super::{Context, Encoder, Protocol};
use crate::{ManualClock, Store};

/// Steps of a history; every tenth moves the clock.
const STEPS: usize = 10_000;

fn grammars() -> Vec<Grammar> {
    [&grammar::all()[..], grammar::HELP].concat()
}

fn makers() -> Vec<Grammar> {
    grammar::named(&["SET", "ZADD", "XADD", "XGROUP|CREATE"])
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

    fn run(&self, argv: &Argv, canonical: &args::Argv) {
        let argv: Vec<&[u8]> = argv.iter().map(|argument| &argument[..]).collect();
        let canonical: Vec<&[u8]> = canonical.iter().collect();
        let replies = [(&self.given, &argv), (&self.canonical, &canonical)].map(|(store, argv)| {
            let mut reply = Vec::new();
            answer(store.space(), argv, &mut Encoder::new(&mut reply, self.protocol));
            reply.escape_ascii().to_string()
        });
        // Some errors name the command, whose canonical name may be another.
        if !grammar::is_open(argv[0]) && !replies[0].contains(" in '") {
            assert_eq!(replies[0], replies[1], "{}", print(&argv));
        }
    }
}

fn print(argv: &[&[u8]]) -> String {
    argv.iter().map(|argument| format!("{} ", argument.escape_ascii())).collect()
}

#[test]
fn canonical_forms_are_fixed_points_that_mean_the_same() {
    let (grammars, makers) = (grammars(), makers());
    let clock = ManualClock::new();
    let twins = [Protocol::Resp2, Protocol::Resp3].map(|protocol| Twins::new(protocol, &clock));
    let mut commands = Commands::new(3);
    (commands.newer, commands.waiting) = (true, true);
    let mut parsed = 0;
    for step in 0..STEPS {
        if step % 10 == 0 {
            clock.advance(Duration::from_millis(777));
        }
        let (_, argv) = commands.draw(&grammars, &makers);
        let words: Vec<&[u8]> = argv.iter().map(|argument| &argument[..]).collect();
        let Some(form) = canonical(&words) else { continue };
        parsed += 1;
        let words: Vec<&[u8]> = form.iter().collect();
        let again = canonical(&words).unwrap_or_else(|| panic!("unreadable: {}", print(&words)));
        assert_eq!(form, again, "{}", print(&words));
        twins.iter().for_each(|twins| twins.run(&argv, &form));
    }
    assert!(parsed * 10 > STEPS * 9, "{parsed} of {STEPS} commands could be parsed");
}

#[test]
fn replies_read_back_as_what_was_answered() {
    let (grammars, makers) = (grammars(), makers());
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    let mut commands = Commands::new(4);
    (commands.newer, commands.waiting) = (true, true);
    let mut answered = HashSet::new();
    for step in 0..STEPS {
        if step % 10 == 0 {
            clock.advance(Duration::from_millis(777));
        }
        let ((name, _), argv) = commands.draw(&grammars, &makers);
        let words: Vec<&[u8]> = argv.iter().map(|argument| &argument[..]).collect();
        let mut out = Vec::new();
        let row = table::find(words[0]).expect("a row");
        let mut encoder = Encoder::new(&mut out, Protocol::Resp3);
        let outcome = row.execute(&words[1..], &mut Context::Verify(store.space()), &mut encoder);
        if outcome.is_ok() {
            answered.insert(name);
        }
    }
    for (name, _) in grammars {
        assert!(answered.contains(name), "{name} never succeeded");
    }
}
