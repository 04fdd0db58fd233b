//! What every command must hold: an operation survives its wire form, an output its reply.

mod account;
mod every_command;
mod keys;
mod strings;
mod table_truth;

use std::fmt::Debug;

use super::args::{Args, Argv};
use super::command::{Command, Context, Family};
use super::{Decoder, Encoder, FrameLimits, Protocol, table};

/// Asserts that an operation reads back from what it writes, and that the table knows its name
/// and agrees about its form.
pub(super) fn check_operation<O>(operation: &O)
where
    O: Command + Debug,
    for<'a> <O::Family as Family>::Of<'a>: Debug,
{
    let mut argv = Argv::default();
    operation.encode(&mut argv);
    let arguments: Vec<&[u8]> = argv.iter().collect();
    let parsed = O::Family::parse(&mut Args::new(&arguments)).expect("its own form");
    assert_eq!(format!("{parsed:?}"), format!("{operation:?}"));

    let mut canonical = Argv::default();
    let row = table::find(O::NAME.as_bytes()).expect("a row of the table");
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, Protocol::Resp2);
    let outcome = row.execute(&arguments, &mut Context::Canonical(&mut canonical), &mut encoder);
    outcome.expect("the table's form");
    let mut canonical = canonical.iter();
    assert_eq!(canonical.next(), Some(O::NAME.as_bytes()));
    assert!(canonical.eq(argv.iter()));
    assert!(out.is_empty());
}

/// Asserts that an output reads back from its reply, in both protocols.
pub(super) fn check_output<O>(operation: &O, output: &O::Output)
where
    O: Command,
    O::Output: PartialEq + Debug,
{
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let mut reply = Vec::new();
        operation.reply(output, &mut Encoder::new(&mut reply, protocol));
        let mut decoder = Decoder::new(FrameLimits::default());
        let (frame, length) = decoder.decode(&reply).expect("a reply").expect("all of it");
        assert_eq!(length, reply.len(), "one reply and nothing behind it");
        assert_eq!(operation.decode(frame).as_ref(), Ok(output), "in {protocol:?}");
    }
}

/// Asserts that a reply, in either protocol, reads back as an output with the same reply.
///
/// What is read from RESP2 must do in RESP3 too, but not the other way round: a double of RESP3
/// may stand for a longer number.
pub(super) fn check_reply<O: Command>(operation: &O, output: &O::Output) {
    let reply = |output: &O::Output, protocol| {
        let mut reply = Vec::new();
        operation.reply(output, &mut Encoder::new(&mut reply, protocol));
        let mut decoder = Decoder::new(FrameLimits::default());
        let (frame, length) = decoder.decode(&reply).expect("a reply").expect("all of it");
        assert_eq!(length, reply.len(), "one reply and nothing behind it");
        frame
    };
    let read = |frame| operation.decode(frame).expect("its own reply");
    let frames = [Protocol::Resp2, Protocol::Resp3].map(|protocol| reply(output, protocol));
    let [first, second] = frames.clone().map(read);
    assert_eq!(reply(&first, Protocol::Resp2), frames[0], "{}", O::NAME);
    assert_eq!(reply(&first, Protocol::Resp3), frames[1], "{}", O::NAME);
    assert_eq!(reply(&second, Protocol::Resp3), frames[1], "{}", O::NAME);
}

/// Asserts that a command answers by itself what the reply to its output is, in both protocols.
pub(super) fn check_answer<O: Command + Debug>(store: &crate::Store, operation: &O) {
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        let (mut answer, mut expected) = (Vec::new(), Vec::new());
        let outcome = operation.answer(store.space(), &mut Encoder::new(&mut answer, protocol));
        let output = crate::ops::run(store.space(), operation);
        assert_eq!(outcome.as_ref().err(), output.as_ref().err(), "{operation:?}");
        if let Ok(output) = output {
            operation.reply(&output, &mut Encoder::new(&mut expected, protocol));
        }
        assert_eq!(answer.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}

/// The reply of a command run on a store, or the error in Redis's words.
pub(super) fn reply(store: &crate::Store, command: &str) -> String {
    let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
    let mut out = Vec::new();
    let outcome = match table::find(words[0]) {
        None => Err(super::error::unknown_command(words[0], &words[1..]).into()),
        Some(row) => row
            .execute(
                &words[1..],
                &mut Context::Run(store.space()),
                &mut Encoder::new(&mut out, Protocol::Resp2),
            )
            .map_err(|error| super::error::redis_text(&error, row.name)),
    };
    if let Err(text) = outcome {
        assert!(out.is_empty(), "an error comes alone");
        return String::from_utf8(text.into_owned()).expect("text");
    }
    String::from_utf8(out).expect("text").replace("\r\n", " ").trim_end().to_owned()
}

#[test]
fn commands_are_named_once_and_have_keys_where_they_say() {
    let mut names = std::collections::HashSet::new();
    for row in table::COMMANDS {
        assert!(names.insert(row.name), "{} twice", row.name);
        assert_eq!(row.name, row.name.to_ascii_uppercase());
        let reads = row.flags & table::READONLY != 0;
        assert!(!(reads && row.flags & table::WRITE != 0), "{} reads and writes", row.name);
        assert!(std::ptr::eq(table::find(row.name.to_lowercase().as_bytes()).unwrap(), row));
    }
    assert!(table::find(b"NOSUCH").is_none());
    assert!(table::find(&[b'A'; 1000]).is_none());
}
