//! `notify-keyspace-events`: what happens to keys, as messages on `__keyspace@N__:KEY` and
//! `__keyevent@N__:EVENT`.
//!
//! The messages of one key come in the order of its changes, before the reply of the command that
//! caused them.

use std::fmt;
use std::fmt::Write;

use crate::keyspace::{Databases, Event, EventKind, Kind};
use crate::sync::Arc;
use crate::value::Value;

/// Classes of events, as the letters of the configuration choose them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Classes(u16);

/// Each class with its letter, in the order in which Redis tells them back; `A` stands for all but
/// the last four.
const LETTERS: &[char] = &['g', '$', 'l', 's', 'h', 'z', 'x', 'e', 't', 'd', 'n', 'K', 'E', 'm'];
const ALL: &[char] = &['g', '$', 'l', 's', 'h', 'z', 'x', 'e', 't', 'd'];

impl Classes {
    /// The classes of these letters; `None` if one is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut classes = Self(0);
        for letter in text.chars() {
            match letter {
                'A' => ALL.iter().for_each(|letter| classes.add(*letter)),
                letter if LETTERS.contains(&letter) => classes.add(letter),
                _ => return None,
            }
        }
        Some(classes)
    }

    fn add(&mut self, letter: char) {
        let place = LETTERS.iter().position(|known| *known == letter);
        self.0 |= place.map_or(0, |place| 1 << place);
    }

    fn has(self, letter: char) -> bool {
        LETTERS.iter().position(|known| *known == letter).is_some_and(|at| self.0 & (1 << at) != 0)
    }

    /// Whether a message comes of any event at all.
    fn is_active(self) -> bool {
        (self.has('K') || self.has('E'))
            && LETTERS.iter().any(|at| !"KE".contains(*at) && self.has(*at))
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_all = ALL.iter().all(|letter| self.has(*letter));
        if has_all {
            f.write_char('A')?;
        }
        // As in Redis 7.0, which does not tell `n` beside `A`.
        let is_told = |letter: &char| ALL.contains(letter) || *letter == 'n';
        let rest = LETTERS.iter().filter(|letter| !(has_all && is_told(letter)));
        rest.filter(|letter| self.has(**letter)).try_for_each(|letter| f.write_char(*letter))
    }
}

/// The letter of the class that an event is of.
fn class(kind: EventKind) -> char {
    match kind {
        EventKind::Expired => 'x',
        EventKind::Evicted => 'e',
        other => match other.of() {
            None => 'g',
            Some(Kind::String) => '$',
            Some(Kind::SortedSet) => 'z',
            Some(Kind::Stream) => 't',
            Some(Kind::Hash) => 'h',
            Some(Kind::List) => 'l',
            Some(Kind::Set) => 's',
        },
    }
}

/// Publishes events of these classes from now on, in place of those before.
pub(super) fn bridge(databases: &Arc<Databases>, classes: Option<Classes>) {
    let Some(classes) = classes.filter(|classes| classes.is_active()) else {
        return databases.events.set_tap(None);
    };
    let hub = Arc::clone(&databases.hub);
    databases.events.set_tap(Some(Box::new(move |event: &Event, wakers| {
        if !classes.has(class(event.kind)) {
            return;
        }
        let name = event.kind.name();
        if classes.has('K') {
            let mut channel = format!("__keyspace@{}__:", event.database).into_bytes();
            channel.extend_from_slice(&event.key);
            hub.publish_quietly(&channel, Value::from(name), wakers);
        }
        if classes.has('E') {
            let channel = format!("__keyevent@{}__:{name}", event.database);
            hub.publish_quietly(channel.as_bytes(), event.key.clone(), wakers);
        }
    })));
}
