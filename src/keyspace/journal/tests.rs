//! Records: what joins, and what is rewound.

use super::*;

/// Adds a command of these words.
fn add(record: &mut Record, shared: Option<usize>, words: &[&str]) {
    let write = |argv: &mut Argv| words.iter().for_each(|word| argv.push(word));
    match shared {
        None => record.command(write),
        Some(shared) => record.variadic(shared, write),
    }
}

/// The commands, each as its words behind its database and the number it declares.
fn told(record: &Record) -> Vec<String> {
    let only: Vec<_> = record.commands().collect();
    assert_eq!(record.only(), <[_; 1]>::try_from(only).ok().map(|[only]| only));
    let tell = |(database, bytes): (u16, &[u8])| {
        let text = std::str::from_utf8(bytes).expect("text");
        let mut lines = text.split("\r\n");
        let declared = lines.next().expect("a header");
        let words: Vec<&str> = lines.skip(1).step_by(2).collect();
        format!("{database} {declared} {}", words.join(" "))
    };
    record.commands().map(tell).collect()
}

#[test]
fn variadic_commands_join_those_that_begin_with_the_same() {
    let mut record = Record::default();
    for member in 0..9 {
        add(&mut record, Some(2), &["SADD", "k", &member.to_string()]);
    }
    assert_eq!(told(&record), ["0 *11 SADD k 0 1 2 3 4 5 6 7 8"]);
    add(&mut record, Some(2), &["SADD", "kk", "a"]);
    add(&mut record, Some(2), &["SREM", "kk", "a"]);
    add(&mut record, None, &["PERSIST", "kk"]);
    add(&mut record, Some(1), &["DEL", "a"]);
    add(&mut record, Some(1), &["DEL", "b"]);
    record.enter(3);
    add(&mut record, Some(1), &["DEL", "b"]);
    let rest =
        ["0 *3 SADD kk a", "0 *3 SREM kk a", "0 *2 PERSIST kk", "0 *3 DEL a b", "3 *2 DEL b"];
    assert_eq!(told(&record)[1..], rest);
}

#[test]
fn what_is_rewound_was_never_recorded() {
    let mut record = Record::default();
    add(&mut record, Some(2), &["RPUSH", "k", "a"]);
    let mark = record.mark();
    add(&mut record, Some(2), &["RPUSH", "k", "b"]);
    assert_eq!(record.commands().len(), 2, "apart from what was before the mark");
    record.rewind(mark);
    add(&mut record, None, &["LPOP", "k"]);
    assert_eq!(told(&record), ["0 *3 RPUSH k a", "0 *2 LPOP k"]);
    record.clear();
    assert!(record.is_empty() && told(&record).is_empty());
}

#[test]
fn a_command_of_ten_arguments_and_more_leaves_room_for_the_next() {
    let mut record = Record::default();
    let words: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let long = format!("0 *12 {}", words.join(" "));
    for _ in 0..3 {
        record.clear();
        add(&mut record, None, &["PERSIST", "k"]);
        add(&mut record, None, &words);
        for member in 0..9 {
            add(&mut record, Some(2), &["SADD", "k", &member.to_string()]);
        }
        add(&mut record, None, &words);
        let expected =
            ["0 *2 PERSIST k", &long, "0 *11 SADD k 0 1 2 3 4 5 6 7 8", &long].map(str::to_owned);
        assert_eq!(told(&record), expected);
    }
}
