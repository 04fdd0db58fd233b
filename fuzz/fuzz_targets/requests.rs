//! Two clients send whatever they like, cut in any places: no panic, and what comes back are whole
//! replies.
//!
//! The input is three parts with `FF` between them: what each client sends, and a script. A byte
//! of the script says whose turn it is and how many bytes arrive then, and now and then lets time
//! pass or leaves replies unread; it is read from the beginning again when it ends.

#![no_main]

use std::task::Waker;
use std::time::Duration;

use larder::{Face, FaceOptions, ManualClock, Peer, Session, Store};
use larder_fuzz::resp;
use libfuzzer_sys::fuzz_target;

/// Input that waits behind a call that blocks, before no more is wanted.
const WAITING_INPUT: usize = 1 << 16;
/// Output that waits to be read, before nothing more is run.
const WAITING_OUTPUT: usize = 1 << 20;
/// The largest reply that inputs this short can cause; a few of them add up in a transaction.
const LARGEST_REPLY: usize = 64 << 20;
/// What a client may send in all.
const LONGEST: usize = 1 << 16;
/// Turns, before the clients leave whatever is unsent.
const STEPS: usize = 1 << 12;
/// What makes a client's bytes come again and again.
const REPEAT: u8 = 0xFE;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0xFF);
    let sent = [parts.next(), parts.next()].map(|part| stream(part.unwrap_or_default()));
    if sent.iter().any(|bytes| may_ask_for_much(bytes)) {
        return;
    }
    let script = parts.next().filter(|script| !script.is_empty()).unwrap_or(&[31]);
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).databases(4).build();
    let face = Face::new(&store, FaceOptions::default());
    let mut clients = sent.each_ref().map(|bytes| Client::new(&face, bytes));
    for step in script.iter().cycle().take(STEPS) {
        if clients.iter().all(|client| client.unsent.is_empty()) {
            break;
        }
        let [first, second] = &mut clients;
        let (client, other) = if step & 0x80 == 0 { (first, second) } else { (second, first) };
        client.send(usize::from(step & 0x1F) + 1);
        if step & 0x40 != 0 {
            clock.advance(Duration::from_millis(700));
        }
        if step & 0x20 == 0 || client.unsent.is_empty() {
            client.read(usize::MAX);
        } else {
            client.read(usize::from(*step));
        }
        other.read(usize::MAX);
    }
    drop(clients);
    store.check();
});

/// A client's bytes; with [`REPEAT`] before them, many times over.
fn stream(part: &[u8]) -> Vec<u8> {
    match part {
        [REPEAT, times, rest @ ..] => rest.repeat(usize::from(*times % 64) + 1),
        part => part.to_vec(),
    }
}

/// Whether there is a number that may rightly cost a lot of memory: an offset of a string, or how
/// many members to draw. Huge ones stay, as they are refused.
fn may_ask_for_much(bytes: &[u8]) -> bool {
    let is_much = |run: &[u8]| match run {
        [b'-', digits @ ..] => digits.len() > 4,
        digits => (5..16).contains(&digits.len()),
    };
    bytes.len() > LONGEST || bytes.split(|byte| !b"-0123456789".contains(byte)).any(is_much)
}

struct Client<'b> {
    session: Session,
    unsent: &'b [u8],
    /// Output that is no whole reply yet.
    partial: Vec<u8>,
}

impl<'b> Client<'b> {
    fn new(face: &Face, bytes: &'b [u8]) -> Self {
        let session = face.connect(Peer::default(), Waker::noop().clone()).expect("room");
        Self { session, unsent: bytes, partial: Vec::new() }
    }

    /// Has up to `count` bytes arrive, if the session wants any.
    fn send(&mut self, count: usize) {
        if self.session.is_done() {
            self.unsent = &[];
        }
        let count = count.min(self.unsent.len());
        let (piece, rest) = self.unsent.split_at(count);
        if self.session.wants_input() {
            self.session.receive(piece);
            self.unsent = rest;
        } else if self.session.is_blocked() {
            // Only the other client, or time, could end this; nothing comes for certain.
            self.unsent = rest;
        }
        self.session.wake();
        self.check();
    }

    /// Reads up to `count` bytes of the output.
    fn read(&mut self, count: usize) {
        self.session.wake();
        let output = self.session.output();
        let count = count.min(output.len());
        self.partial.extend_from_slice(&output[..count]);
        let was_all = count == output.len();
        self.session.written(count);
        let whole = resp::replies(&self.partial);
        self.partial.drain(..whole);
        if was_all && !self.session.is_done() && self.session.output().is_empty() {
            assert!(self.partial.is_empty(), "part of a reply: {:?}", self.partial);
        }
        self.check();
    }

    fn check(&self) {
        self.session.check();
        assert!(self.session.output().len() <= WAITING_OUTPUT + LARGEST_REPLY);
        if self.session.is_blocked() {
            assert!(self.session.waiting() <= WAITING_INPUT + 32, "input without bound");
        }
    }
}
