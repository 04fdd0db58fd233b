//! Bitmap commands refuse what Redis refuses, in its words.

use crate::Store;
use crate::wire::tests::reply;

#[test]
fn errors_are_in_the_words_of_redis() {
    let store = Store::new();
    let offset = "ERR bit offset is not an integer or out of range";
    let field = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not \
                 supported but i64 is.";
    for (command, text) in [
        ("SETBIT b -1 1", offset),
        ("SETBIT b 4294967296 1", offset),
        ("SETBIT b 0 2", "ERR bit is not an integer or out of range"),
        ("GETBIT b x", offset),
        ("BITCOUNT b 0", "ERR syntax error"),
        ("BITCOUNT b 0 1 BITS", "ERR syntax error"),
        ("BITPOS b 2", "ERR The bit argument must be 1 or 0."),
        ("BITPOS b x", "ERR value is not an integer or out of range"),
        ("BITPOS b 1 2 x FOO", "ERR syntax error"),
        ("BITOP NAND a b", "ERR syntax error"),
        ("BITOP NOT a b c", "ERR BITOP NOT must be called with a single source key."),
        ("BITFIELD b GET u64 0", field),
        ("BITFIELD b GET i0 0", field),
        ("BITFIELD b GET U8 0", field),
        ("BITFIELD b GET u8 -1", offset),
        ("BITFIELD b GET u8 #9223372036854775807", offset),
        ("BITFIELD b GET u8", "ERR syntax error"),
        ("BITFIELD b SET u8 0 x", "ERR value is not an integer or out of range"),
        ("BITFIELD b OVERFLOW MAYBE", "ERR Invalid OVERFLOW type specified"),
        ("BITFIELD_RO b SET u8 0 1", "ERR BITFIELD_RO only supports the GET subcommand"),
    ] {
        assert_eq!(reply(&store, command), text, "{command}");
    }
}

#[test]
fn fields_are_read_and_written_as_in_redis() {
    let store = Store::new();
    for (command, answer) in [
        ("BITFIELD n INCRBY i8 0 100 INCRBY i8 0 100", "*2 :100 :-56"),
        ("BITFIELD n OVERFLOW SAT INCRBY i8 0 100 OVERFLOW FAIL INCRBY i8 0 100", "*2 :44 $-1"),
        ("BITFIELD n SET u8 0 257 GET u8 0", "*2 :44 :1"),
        ("BITFIELD n OVERFLOW SAT SET u8 0 -1 GET u8 0", "*2 :1 :255"),
        ("BITFIELD n OVERFLOW FAIL SET u8 0 -1 GET i8 0", "*2 $-1 :-1"),
        ("BITFIELD n OVERFLOW SAT INCRBY u8 0 -9223372036854775808", "*1 :0"),
        ("BITFIELD n SET i64 0 9223372036854775807", "*1 :0"),
        ("BITFIELD n INCRBY i64 0 9223372036854775807", "*1 :-2"),
        ("BITFIELD n SET u8 #8 1 GET u8 64", "*2 :0 :1"),
        ("BITFIELD_RO n OVERFLOW SAT GET u4 0", "*1 :15"),
        ("BITFIELD n", "*0"),
        ("BITFIELD absent GET u8 0", "*1 :0"),
        ("EXISTS absent", ":0"),
        ("BITFIELD absent OVERFLOW FAIL SET u1 0 5", "*1 $-1"),
        ("STRLEN absent", ":1"),
    ] {
        assert_eq!(reply(&store, command), answer, "{command}");
    }
}
