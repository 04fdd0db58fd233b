//! Set commands refuse what Redis refuses, in its words, and answer in its shapes.

use crate::Store;
use crate::ops::set::All;
use crate::wire::tests::{check_answer, reply};

#[test]
fn errors_are_in_the_words_of_redis() {
    let store = Store::new();
    let sample_range = "ERR value is out of range, value must between -9223372036854775807 and \
                        9223372036854775807";
    for (command, text) in [
        ("SADD s", "ERR wrong number of arguments for 'sadd' command"),
        ("SPOP s -1", "ERR value is out of range, must be positive"),
        ("SPOP s x", "ERR value is out of range, must be positive"),
        ("SPOP s x 2", "ERR syntax error"),
        ("SRANDMEMBER s x", "ERR value is not an integer or out of range"),
        ("SRANDMEMBER s x 2", "ERR syntax error"),
        ("SRANDMEMBER s -9223372036854775808", sample_range),
        ("SINTERCARD 0 s", "ERR numkeys should be greater than 0"),
        ("SINTERCARD x s", "ERR numkeys should be greater than 0"),
        ("SINTERCARD 2 s", "ERR Number of keys can't be greater than number of args"),
        ("SINTERCARD 1 s LIMIT -1", "ERR LIMIT can't be negative"),
        ("SINTERCARD 1 s t", "ERR syntax error"),
        ("SSCAN s x", "ERR invalid cursor"),
        ("SSCAN s 0 NOVALUES", "ERR syntax error"),
    ] {
        assert_eq!(reply(&store, command), text, "{command}");
    }
}

#[test]
fn sets_are_sets_in_resp3() {
    let store = Store::new();
    for (command, resp2, resp3) in [
        ("SADD s 1", ":1\r\n", ":0\r\n"),
        ("SMEMBERS s", "*1\r\n$1\r\n1\r\n", "~1\r\n$1\r\n1\r\n"),
        ("SUNION s t", "*1\r\n$1\r\n1\r\n", "~1\r\n$1\r\n1\r\n"),
        ("SINTER s t", "*0\r\n", "~0\r\n"),
        ("SRANDMEMBER s 2", "*1\r\n$1\r\n1\r\n", "*1\r\n$1\r\n1\r\n"),
        ("SPOP s 0", "*0\r\n", "~0\r\n"),
        ("SMISMEMBER s 1 2", "*2\r\n:1\r\n:0\r\n", "*2\r\n:1\r\n:0\r\n"),
        ("SSCAN s 0", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\n1\r\n", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\n1\r\n"),
        ("SPOP none", "$-1\r\n", "_\r\n"),
        ("SPOP none 1", "*0\r\n", "~0\r\n"),
    ] {
        let argv: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        for (is_resp3, expected) in [(false, resp2), (true, resp3)] {
            let answered = store.answer(&argv, is_resp3);
            assert_eq!(String::from_utf8_lossy(&answered), expected, "{command}");
        }
    }
}

#[test]
fn members_are_written_from_where_they_lie_as_what_was_read_is() {
    let store = Store::new();
    store.kv().set("string", "value").unwrap();
    for count in [1, 100, 1_000] {
        for number in 0..count {
            store.set("integers").add(number.to_string()).unwrap();
            store.set("words").add(format!("member {number}")).unwrap();
        }
        for key in ["integers", "words", "absent", "string"] {
            check_answer(&store, &All { key: key.as_bytes() });
        }
    }
}
