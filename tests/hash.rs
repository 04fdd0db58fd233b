//! Hashes through the typed API: with other keys, in batches and transactions, and in time.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use larder::{
    CopyOptions, Deadline, Error, Event, ExpireIf, Expiry, FieldOptions, Kind, Listener,
    ManualClock, ScanOptions, Store, SubscriptionOptions, TimeToLive, Upkeep,
};

const SECOND: Duration = Duration::from_secs(1);

fn manual() -> (ManualClock, Store) {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    (clock, store)
}

/// The names of the events that have come so far.
fn names_of(events: &Listener<Event>) -> Vec<&'static str> {
    std::iter::from_fn(|| events.try_recv().ok()).map(|event| event.kind.name()).collect()
}

#[test]
fn keys_know_hashes() {
    let (clock, store) = manual();
    let user = store.hash("user");
    user.set_many(&[("name", "Ada"), ("born", "1815")]).unwrap();
    user.expire("born", SECOND).unwrap();
    assert_eq!(store.keys().kind("user").unwrap(), Some(Kind::Hash));
    let hashes = ScanOptions::new().kind(Kind::Hash);
    assert_eq!(store.keys().scan(hashes).count(), 1);
    assert!(store.keys().copy("user", "copy").unwrap());
    let elsewhere = CopyOptions::new().database(1);
    assert!(store.keys().copy_with("user", "user", elsewhere).unwrap());
    store.keys().rename("user", "renamed").unwrap();
    user.set("name", "Grace").unwrap();
    assert_eq!(store.hash("copy").get("name").unwrap().unwrap(), "Ada");
    // Deadlines of fields go with them.
    clock.advance(SECOND);
    for name in ["copy", "renamed"] {
        assert_eq!(store.hash(name).fields().unwrap(), ["name"], "{name}");
    }
    assert_eq!(store.database(1).unwrap().hash("user").len().unwrap(), 1);
    assert_eq!(store.kv().get("user"), Err(Error::WrongType));
}

#[test]
fn a_batch_and_a_transaction_hold_hashes_too() {
    let store = Store::new();
    let batch = store.batch();
    batch.hash("h").set("a", 1);
    let sum = batch.hash("h").increment("a", 2);
    let options = FieldOptions::new().if_absent().expires_in(SECOND);
    let set = batch.hash("h").set_with(&[("b", 1)], options);
    let nothing = batch.hash("h").remove_many::<&str>(&[]);
    let none = batch.hash("h").get_and_delete_many::<&str>(&[]);
    let all = batch.hash("h").get_all();
    batch.exec().unwrap();
    assert_eq!((sum.get(), set.get(), nothing.get()), (Ok(3), Ok(true), Ok(0)));
    assert_eq!((none.get(), all.get().unwrap().len()), (Ok(vec![]), 2));
    let doubled = store.transaction(&["h"], |transaction| {
        let hash = transaction.hash("h");
        let a: i64 = hash.get_as("a")?.unwrap_or_default();
        hash.set("a", a * 2)?;
        hash.get_as::<i64>("a")
    });
    assert_eq!(doubled.unwrap(), Some(6));
}

#[test]
fn a_field_is_gone_at_its_deadline_and_takes_the_key_with_it_if_it_is_the_last() {
    let (clock, store) = manual();
    let events = store.events(SubscriptionOptions::new());
    let hash = store.hash("h");
    hash.set_many(&[("a", 1), ("b", 2)]).unwrap();
    hash.expire("a", SECOND).unwrap();
    hash.expire("b", 2 * SECOND).unwrap();
    clock.advance(SECOND);
    assert_eq!(hash.fields().unwrap(), ["b"]);
    clock.advance(SECOND);
    assert!(!store.keys().exists("h").unwrap());
    assert_eq!(store.keys().len().unwrap(), 0);
    assert_eq!(names_of(&events), ["hset", "hexpire", "hexpire", "hexpired", "hexpired", "del"]);
}

#[test]
fn events_have_the_names_of_redis() {
    let (_, store) = manual();
    let events = store.events(SubscriptionOptions::new());
    let names = || names_of(&events);
    let hash = store.hash("h");
    hash.set_many(&[("a", 1), ("b", 2)]).unwrap();
    hash.set_if_absent("a", 9).unwrap();
    hash.increment("a", 1).unwrap();
    hash.increment_float("b", 0.5).unwrap();
    assert_eq!(names(), ["hset", "hincrby", "hincrbyfloat"]);
    hash.expire("a", SECOND).unwrap();
    hash.persist("a").unwrap();
    hash.persist("a").unwrap();
    hash.get_and_expire("a", SECOND).unwrap();
    hash.get_and_expire("a", Expiry::Never).unwrap();
    assert_eq!(names(), ["hexpire", "hpersist", "hexpire", "hpersist"]);
    hash.set_with(&[("c", 1)], FieldOptions::new().expires_in(SECOND)).unwrap();
    hash.set_for("d", 1, Duration::ZERO).unwrap();
    hash.expire("c", Duration::ZERO).unwrap();
    assert_eq!(names(), ["hset", "hexpire", "hset", "hdel", "hdel"]);
    hash.remove("nothing").unwrap();
    hash.get_and_delete_many(&["a", "b"]).unwrap();
    assert_eq!(names(), ["hdel", "del"]);
}

#[test]
fn what_is_written_anew_forgets_its_deadline_and_what_is_incremented_keeps_it() {
    let (_, store) = manual();
    let hash = store.hash("h");
    let left = |field: &str| hash.time_to_live(field).unwrap().left();
    for field in ["set", "kept", "incremented", "float"] {
        hash.set_for(field, 1, SECOND).unwrap();
    }
    hash.set("set", 2).unwrap();
    hash.set_with(&[("kept", 2)], FieldOptions::new().keep_expiry()).unwrap();
    hash.increment("incremented", 1).unwrap();
    hash.increment_float("float", 1.0).unwrap();
    assert_eq!(left("set"), None);
    assert_eq!([left("kept"), left("incremented"), left("float")], [Some(SECOND); 3]);
}

#[test]
fn conditions_are_those_of_keys() {
    let (_, store) = manual();
    let hash = store.hash("h");
    hash.set("a", 1).unwrap();
    let when = |seconds, condition| hash.expire_if("a", seconds * SECOND, condition).unwrap();
    assert!(!when(5, ExpireIf::Any));
    assert!(!when(5, ExpireIf::Later));
    assert!(when(5, ExpireIf::Earlier));
    assert!(!when(5, ExpireIf::None));
    assert!(when(6, ExpireIf::Later));
    assert!(!when(7, ExpireIf::Earlier));
    assert!(when(4, ExpireIf::Any));
    assert_eq!(hash.time_to_live("a").unwrap(), TimeToLive::Left(4 * SECOND));
    let Deadline::At(time) = hash.deadline("a").unwrap() else { panic!("a deadline") };
    assert!(hash.expire_at("a", time + SECOND).unwrap());
    assert_eq!(hash.time_to_live("a").unwrap(), TimeToLive::Left(5 * SECOND));
    assert!(!hash.expire_at_if("none", time, ExpireIf::None).unwrap());
    assert_eq!(hash.time_to_live("none").unwrap(), TimeToLive::NoKey);
}

#[test]
fn a_thread_removes_fields_without_being_asked() {
    let store = Store::new();
    let events = store.events(SubscriptionOptions::new());
    let hash = store.hash("h");
    hash.set("stays", 1).unwrap();
    hash.set_for("goes", 1, Duration::from_millis(30)).unwrap();
    let begun = Instant::now();
    while !names_of(&events).contains(&"hexpired") {
        assert!(begun.elapsed() < Duration::from_secs(10), "not prompt");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(hash.fields().unwrap(), ["stays"]);
}

#[test]
fn a_field_that_is_over_is_absent_even_if_nobody_removes_it() {
    let store = Store::builder().upkeep(Upkeep::Manual).build();
    let hash = store.hash("h");
    hash.set_for("a", "x", Duration::from_millis(1)).unwrap();
    hash.set_for("b", "x", Duration::from_secs(1000)).unwrap();
    store.hash("gone").set_for("a", 1, Duration::from_millis(1)).unwrap();
    thread::sleep(Duration::from_millis(5));
    assert_eq!((hash.len(), hash.contains("a"), hash.value_len("a")), (Ok(1), Ok(false), Ok(0)));
    assert_eq!(hash.random_field().unwrap().unwrap(), "b");
    assert!(hash.set_if_absent("a", 1).unwrap());
    assert!(!store.keys().exists("gone").unwrap());
    assert_eq!(store.keys().kind("gone").unwrap(), None);
    assert_eq!(store.keys().rename("gone", "other"), Err(Error::NoSuchKey));
}

#[test]
fn a_watch_breaks_when_a_field_expires() {
    let (clock, store) = manual();
    let hash = store.hash("h");
    hash.set_many(&[("a", 1), ("b", 2)]).unwrap();
    hash.expire("a", SECOND).unwrap();
    let watch = store.watch(&["h"]).unwrap();
    clock.advance(SECOND);
    let batch = store.batch();
    batch.hash("h").set("c", 3);
    assert_eq!(batch.exec_if(watch), Err(Error::Conflict));
}

#[test]
fn a_walk_sees_what_stays_while_the_hash_grows_and_shrinks() {
    let store = Store::new();
    let hash = store.hash("h");
    let stay: Vec<(String, u32)> = (0..500).map(|i| (format!("stay{i}"), i)).collect();
    hash.set_many(&stay).unwrap();
    let come_and_go: Vec<(String, u32)> = (0..1000).map(|i| (format!("x{i}"), i)).collect();
    let names: Vec<&str> = come_and_go.iter().map(|(name, _)| &**name).collect();
    let mut seen = BTreeSet::new();
    for (step, field) in hash.iter().enumerate() {
        seen.insert(field.unwrap().0.to_text().into_owned());
        match step % 200 {
            50 => assert_eq!(hash.set_many(&come_and_go).unwrap(), 1000),
            150 => assert_eq!(hash.remove_many(&names).unwrap(), 1000),
            _ => {}
        }
    }
    assert!(stay.iter().all(|(name, _)| seen.contains(name)));
}

#[test]
fn dates_are_dates() {
    let store = Store::new();
    let hash = store.hash("h");
    hash.set("a", 1).unwrap();
    let time = SystemTime::now() + Duration::from_secs(1000);
    hash.expire_at("a", time).unwrap();
    let Deadline::At(deadline) = hash.deadline("a").unwrap() else { panic!("a deadline") };
    assert!(time.duration_since(deadline).unwrap() < Duration::from_millis(2));
    assert!(hash.expire_at("a", SystemTime::UNIX_EPOCH - SECOND).unwrap());
    assert!(!hash.contains("a").unwrap());
}
