//! Replies as both versions of the protocol write them.

use super::*;

fn written(protocol: Protocol, write: impl Fn(&mut Encoder<'_>)) -> String {
    let mut out = Vec::new();
    write(&mut Encoder::new(&mut out, protocol));
    String::from_utf8(out).unwrap()
}

/// Checks what both protocols write, against what Redis 7.0 sends.
fn check(resp2: &str, resp3: &str, write: impl Fn(&mut Encoder<'_>)) {
    assert_eq!(written(Protocol::Resp2, &write), resp2);
    assert_eq!(written(Protocol::Resp3, &write), resp3);
}

fn check_same(text: &str, write: impl Fn(&mut Encoder<'_>)) {
    check(text, text, write);
}

#[test]
fn types_of_both_protocols() {
    check_same("+OK\r\n", |out| out.simple(b"OK"));
    check_same("-ERR a  b\r\n", |out| out.error(b"ERR a\r\nb"));
    check_same(":-9223372036854775808\r\n", |out| out.integer(i64::MIN));
    check_same("$3\r\na\r\n\r\n", |out| out.bulk(b"a\r\n"));
    check_same("*2\r\n", |out| out.array(2));
}

#[test]
fn types_of_resp3_fall_back() {
    check("$-1\r\n", "_\r\n", |out| out.null());
    check("*-1\r\n", "_\r\n", |out| out.null_array());
    check("$4\r\n3.25\r\n", ",3.25\r\n", |out| out.double(3.25));
    check("$3\r\ninf\r\n", ",inf\r\n", |out| out.double(f64::INFINITY));
    check("$4\r\n-inf\r\n", ",-inf\r\n", |out| out.double(f64::NEG_INFINITY));
    check("$19\r\n0.10000000000000001\r\n", ",0.10000000000000001\r\n", |out| out.double(0.1));
    check(":1\r\n", "#t\r\n", |out| out.boolean(true));
    check(":0\r\n", "#f\r\n", |out| out.boolean(false));
    check("$2\r\n12\r\n", "(12\r\n", |out| out.big_number(b"12"));
    check("$3\r\na\nb\r\n", "=7\r\ntxt:a\nb\r\n", |out| out.verbatim(*b"txt", b"a\nb"));
    check("-ERR a b\r\n", "!7\r\nERR a\nb\r\n", |out| out.bulk_error(b"ERR a\nb"));
    check("*6\r\n", "%3\r\n", |out| out.map(3));
    check("*3\r\n", "~3\r\n", |out| out.set(3));
    check("*3\r\n", ">3\r\n", |out| out.push(3));
}
