//! Chat: people in rooms, a thread each, and a moderator who hears every room by a pattern.
//!
//! Redis: `SUBSCRIBE room:tea`, `PSUBSCRIBE room:*`, `PUBLISH`. `publish_from` keeps people from
//! hearing themselves. All hear a room in the same order. Publish/subscribe keeps nothing: who
//! comes late has missed what was said, so everybody waits at the door until all are in.
//!
//! Run: `cargo run --example chat`

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

use larder::{Overflow, Result, Store, Subscription, SubscriptionOptions};

const PEOPLE: [(&str, &str); 5] = [
    ("ada", "tea"),
    ("grace", "tea"),
    ("edsger", "tea"),
    ("tony", "coffee"),
    ("barbara", "coffee"),
];
const LINES: usize = 20;
const BYE: &str = "bye";

fn main() -> Result<()> {
    let store = Store::new();
    let moderator = listen(&store);
    moderator.psubscribe("room:*");

    let door = Barrier::new(PEOPLE.len());
    let heard: BTreeMap<&str, Vec<String>> = thread::scope(|scope| {
        let enter = |(name, room)| {
            let (store, door) = (&store, &door);
            (name, scope.spawn(move || visit(store, door, name, room)))
        };
        let visits: Vec<_> = PEOPLE.map(enter).into();
        visits.into_iter().map(|(name, visit)| (name, visit.join().expect("no panic"))).collect()
    });

    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Ok(message) = moderator.try_recv() {
        let room = message.channel.to::<String>()?;
        said.entry(room).or_default().push(message.payload.to()?);
    }
    for (room, lines) in &said {
        println!("{room}: {} lines, the first: {:?}", lines.len(), lines[0]);
    }
    for (name, room) in PEOPLE {
        let others = |line: &&String| !line.starts_with(&format!("{name}: "));
        let expected: Vec<_> = said[&format!("room:{room}")].iter().filter(others).collect();
        println!("{name} heard {} lines in {room}", heard[name].len());
        assert_eq!(heard[name].iter().collect::<Vec<_>>(), expected, "all, in the same order");
    }
    assert_eq!(store.channels(None)?.len(), 0, "empty rooms are gone");
    Ok(())
}

/// Says some lines and listens until everybody else in the room has said goodbye.
fn visit(store: &Store, door: &Barrier, name: &str, room: &str) -> Vec<String> {
    let ears = listen(store);
    let channel = format!("room:{room}");
    ears.subscribe(&channel);
    door.wait();

    let say = |text: &str| store.publish_from(&ears, &channel, format!("{name}: {text}"));
    for n in 0..LINES {
        say(&format!("line {n}")).expect("the store is here");
    }
    say(BYE).expect("the store is here");

    let mut others = PEOPLE.iter().filter(|person| person.1 == room).count() - 1;
    let mut heard = Vec::new();
    while others > 0 {
        let message = ears.recv().expect("nothing is lost under Overflow::Block");
        let line = message.payload.to::<String>().expect("people speak UTF-8");
        others -= usize::from(line.ends_with(BYE));
        heard.push(line);
    }
    heard
}

fn listen(store: &Store) -> Subscription {
    store.subscription(SubscriptionOptions::new().capacity(1000).overflow(Overflow::Block))
}
