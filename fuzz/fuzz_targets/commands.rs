//! Commands on a store and on a model of it: the replies are the same to the byte. Commands that
//! the model does not know run on a store of their own: no panic, and one whole reply each.
//! Afterwards both stores assert all of their invariants.

#![no_main]

use std::time::Duration;

use larder::{ManualClock, Store};
use larder_fuzz::draw::{Draw, Protocol, Step};
use larder_fuzz::model::Model;
use larder_fuzz::resp;
use libfuzzer_sys::fuzz_target;

/// Steps between two times that all is checked.
const CHECKED: usize = 64;

fuzz_target!(|data: &[u8]| {
    let clock = ManualClock::new();
    let [compared, other] = [0; 2].map(|_| Store::builder().clock(&clock).databases(4).build());
    let mut model = Model::default();
    for (number, step) in Draw::new(data).enumerate() {
        match step {
            Step::Wait(millis) => {
                clock.advance(Duration::from_millis(millis));
                model.advance(millis);
            }
            Step::Compare(argv) => {
                let expected = model.run(&argv);
                let found = compared.answer(&borrowed(&argv), false);
                assert!(found == expected, "{}", report(&argv, &expected, &found));
            }
            Step::Run(argv, protocol) => {
                let reply = other.answer(&borrowed(&argv), protocol == Protocol::Resp3);
                let whole = resp::reply(&reply) == Some(reply.len());
                assert!(whole, "{}", report(&argv, b"one whole reply", &reply));
            }
        }
        if number % CHECKED == CHECKED - 1 {
            compared.check();
            other.check();
        }
    }
    compared.check();
    other.check();
});

fn borrowed(argv: &[Vec<u8>]) -> Vec<&[u8]> {
    argv.iter().map(Vec::as_slice).collect()
}

fn report(argv: &[Vec<u8>], expected: &[u8], found: &[u8]) -> String {
    let words: Vec<_> = argv.iter().map(|word| word.escape_ascii().to_string()).collect();
    let (expected, found) = (expected.escape_ascii(), found.escape_ascii());
    format!("{words:?}\nis answered {found}\ninstead of {expected}")
}
