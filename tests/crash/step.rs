//! The steps of a history: random commands that are run at one instant, and with them a stamp, the
//! step's number. So what is found after a crash says which step it stands for, and must be all
//! that a store holds after that step, and nothing else.
//!
//! The unit tests of the log share this file.

use super::Store;
use super::grammar::{self, Argv, Commands};

/// The key that holds the number of the last step.
const STAMP: &str = "stamp";

/// Databases that steps are done in, and more.
pub(crate) const DATABASES: u16 = 4;

/// Commands that are run at one instant, in a database.
pub(crate) struct Step {
    database: u16,
    commands: Vec<Argv>,
}

impl Step {
    pub(crate) fn draw(commands: &mut Commands) -> Self {
        let makers = grammar::named(&["SET", "RPUSH", "ZADD", "HSET", "SADD", "XADD"]);
        let (all, count) = (grammar::all(), 1 + commands.below(3));
        let database = commands.below(2) as u16;
        let commands = (0..count).map(|_| commands.draw(&all, &makers).1).collect();
        Self { database, commands }
    }

    /// Does it, with its number; answers the reply.
    pub(crate) fn run(&self, store: &Store, number: usize) -> Vec<u8> {
        let number = number.to_string();
        let stamp: &[&[u8]] = &[b"SET", STAMP.as_bytes(), number.as_bytes()];
        let drawn: Vec<Vec<&[u8]>> =
            self.commands.iter().map(|argv| argv.iter().map(|word| &word[..]).collect()).collect();
        // Last, as a command may empty the database.
        let all: Vec<&[&[u8]]> = drawn.iter().map(|argv| &argv[..]).chain([stamp]).collect();
        let store = store.database(self.database).expect("there is one");
        store.answer_all(&all, false)
    }
}

/// The number of the last step that a store has seen.
pub(crate) fn stamp_of(store: &Store) -> usize {
    let stamps = (0..DATABASES).map(|number| {
        let database = store.database(number).expect("there is one");
        database.kv().get_as(STAMP).expect("a number").unwrap_or(0)
    });
    stamps.max().expect("there are databases")
}
