//! Sorting lists and sorted sets, by themselves and by other keys.

use larder::{Error, Kind, Store, SubscriptionOptions, Value};

/// Numbers in a list, with a name and an age for most of them.
fn people() -> Store {
    let store = Store::new();
    store.list("ids").push_back_many(&[2, 10, 1, 3]).unwrap();
    for (id, age, name) in [(1, "40", "ada"), (2, "30.5", "edsger"), (10, "-2", "grace")] {
        store.kv().set(format!("age:{id}"), age).unwrap();
        store.kv().set(format!("name:{id}"), name).unwrap();
    }
    store
}

#[test]
fn elements_are_numbers_or_bytes() {
    let store = people();
    let ids = || store.keys().sort("ids");
    assert_eq!(ids().get().unwrap(), ["1", "2", "3", "10"]);
    assert_eq!(ids().descending().get().unwrap(), ["10", "3", "2", "1"]);
    assert_eq!(ids().alphabetic().get().unwrap(), ["1", "10", "2", "3"]);
    assert_eq!(ids().unsorted().get().unwrap(), ["2", "10", "1", "3"]);
    assert_eq!(ids().unsorted().descending().get().unwrap(), ["3", "1", "10", "2"]);
    assert_eq!(store.keys().sort("none").get().unwrap(), [""; 0]);
}

#[test]
fn members_of_a_sorted_set_are_sorted_by_themselves_too() {
    let store = Store::new();
    store.sorted_set("set").add_many(&[("3", 1.0), ("1", 2.0), ("2", 3.0)]).unwrap();
    assert_eq!(store.keys().sort("set").get().unwrap(), ["1", "2", "3"]);
    assert_eq!(store.keys().sort("set").unsorted().get().unwrap(), ["3", "1", "2"]);
}

#[test]
fn patterns_look_other_keys_up() {
    let store = people();
    let ids = || store.keys().sort("ids");
    // What has no age counts as zero.
    assert_eq!(ids().by("age:*").get().unwrap(), ["10", "3", "2", "1"]);
    assert_eq!(ids().by("name:*").alphabetic().get().unwrap(), ["3", "1", "2", "10"]);
    let text = |text: &str| Some(Value::from(text));
    let found = ids().limit(3).offset(1).look_up(&["name:*", "#", "nothing"]).unwrap();
    let expected = [text("edsger"), text("2"), None, None, text("3"), None];
    assert_eq!(found[..6], expected);
    assert_eq!(found[6..], [text("grace"), text("10"), None]);
}

#[test]
fn patterns_look_fields_of_hashes_up() {
    let store = people();
    store.hash("person:2").set("age", 7).unwrap();
    let by_age = store.keys().sort("ids").by("person:*->age").descending().limit(1);
    assert_eq!(
        by_age.look_up(&["#", "person:*->age", "person:*->none"]).unwrap(),
        [Some(Value::from("2")), Some(Value::from("7")), None]
    );
}

#[test]
fn what_is_stored_is_a_list() {
    let store = people();
    let events = store.events(SubscriptionOptions::new());
    store.kv().set("sorted", "a string").unwrap();
    assert_eq!(store.keys().sort("ids").by("age:*").limit(2).store_into("sorted"), Ok(2));
    assert_eq!(store.keys().kind("sorted"), Ok(Some(Kind::List)));
    assert_eq!(store.list("sorted").range(..).unwrap(), ["10", "3"]);
    assert_eq!(store.keys().sort("ids").store_into("ids"), Ok(4));
    assert_eq!(store.list("ids").range(..).unwrap(), ["1", "2", "3", "10"]);
    assert_eq!(store.keys().sort("none").store_into("ids"), Ok(0));
    assert_eq!(store.keys().exists("ids"), Ok(false));
    for name in ["set", "sortstore", "sortstore", "del"] {
        assert_eq!(events.recv().unwrap().kind.name(), name);
    }
}

#[test]
fn who_waits_for_the_destination_is_served() {
    let store = people();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.list("out").pop_front_blocking(None));
        store.keys().sort("ids").store_into("out").unwrap();
        assert_eq!(waiting.join().unwrap().unwrap().unwrap(), "1");
    });
}

#[test]
fn what_cannot_be_sorted_changes_nothing() {
    let store = people();
    store.list("words").push_back_many(&["b", "1"]).unwrap();
    store.kv().set("text", "x").unwrap();
    let no_number = store.keys().sort("words").store_into("ids");
    assert!(matches!(no_number, Err(Error::OutOfRange(_))));
    store.list("large").push_back("1e400").unwrap();
    assert!(matches!(store.keys().sort("large").get(), Err(Error::OutOfRange(_))));
    assert_eq!(store.keys().sort("text").store_into("ids"), Err(Error::WrongType));
    assert_eq!(store.keys().sort("ids").by("name:*").get().ok(), None);
    let ids = store.keys().sort("ids");
    assert_eq!(ids.offset(usize::MAX).limit(usize::MAX).get().unwrap(), [""; 0]);
    assert_eq!(store.list("ids").len(), Ok(4));
}

#[test]
fn a_transaction_sorts_what_it_holds() {
    let store = people();
    let sorted = store.transaction(&["ids"], |tx| tx.keys().sort("ids").limit(1).get());
    assert_eq!(sorted.unwrap(), ["1"]);
    let looked_up = store.transaction(&["ids"], |tx| tx.keys().sort("ids").by("age:*").get());
    assert_eq!(looked_up, Err(Error::DatabaseNotInTransaction));
    let batch = store.batch();
    batch.kv().set("age:3", 99);
    let first = batch.keys().sort("ids").by("age:*").descending().limit(1).get();
    let stored = batch.keys().sort("ids").by("age:*").store_into("a key of a shard yet unused");
    batch.exec().unwrap();
    assert_eq!((first.get().unwrap(), stored.get()), (vec![Value::from("3")], Ok(4)));
}
