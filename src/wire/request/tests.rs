//! Requests: whole, in pieces, malformed and hostile.

use proptest::prelude::*;

use super::*;
use crate::argv::tests::spelled;

fn parse_once(bytes: &[u8]) -> Result<Option<Vec<Vec<u8>>>, ProtocolError> {
    let mut parser = RequestParser::default();
    let request = parser.parse(bytes)?;
    Ok(request.map(|request| request.iter().map(<[u8]>::to_vec).collect()))
}

fn words(line: &str) -> Option<Vec<Vec<u8>>> {
    parse_once(format!("{line}\r\n").as_bytes()).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    parse_once(bytes).unwrap_err().to_string()
}

#[test]
fn arguments_borrow_the_buffer() {
    let mut parser = RequestParser::default();
    let buffer = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n";
    let request = parser.parse(buffer).unwrap().unwrap();
    assert_eq!(request.iter().collect::<Vec<_>>(), [&b"GET"[..], b"k"]);
    assert_eq!((request.len(), request.get(1), request.get(2)), (2, Some(&b"k"[..]), None));
    let rest = &buffer[request.consumed()..];
    let request = parser.parse(rest).unwrap().unwrap();
    assert_eq!((request.get(0), request.consumed()), (Some(&b"PING"[..]), rest.len()));
    assert!(parser.parse(b"").unwrap().is_none());
}

#[test]
fn an_empty_request_asks_for_nothing() {
    for bytes in ["*0\r\n", "*-1\r\n", "*-5\r\n", "\r\n", "\n", "  \t\r\n"] {
        let mut parser = RequestParser::default();
        let request = parser.parse(bytes.as_bytes()).unwrap().unwrap();
        assert!(request.is_empty(), "{bytes:?}");
        assert_eq!(request.consumed(), bytes.len());
    }
}

#[test]
fn inline_words_follow_the_quoting_rules() {
    let cases: [(&str, &[&[u8]]); 12] = [
        ("PING", &[b"PING"]),
        ("  SET  k\tv ", &[b"SET", b"k", b"v"]),
        (r#"ECHO "a\x41\n\q""#, &[b"ECHO", b"aA\nq"]),
        (r"ECHO 'a\'b\n'", &[b"ECHO", br"a'b\n"]),
        (r#"ECHO a"b c""#, &[b"ECHO", b"ab c"]),
        (r#"ECHO """#, &[b"ECHO", b""]),
        (r#"ECHO "\x4""#, &[b"ECHO", b"x4"]),
        (r#"ECHO "\xzz\a\b\r\t""#, &[b"ECHO", b"xzz\x07\x08\r\t"]),
        ("'ECHO' x", &[b"ECHO", b"x"]),
        ("ECHO a\u{b}b", &[b"ECHO", b"a\x0bb"]),
        ("ECHO \u{b}a", &[b"ECHO", b"a"]),
        ("ECHO a\rb", &[b"ECHO", b"a", b"b"]),
    ];
    for (line, expected) in cases {
        assert_eq!(words(line).unwrap(), expected, "{line:?}");
    }
    assert_eq!(parse_once(b"PING\n").unwrap().unwrap(), [b"PING"]);
}

#[test]
fn unbalanced_quotes_are_refused() {
    for line in [
        r#"ECHO "abc"#,
        r#"ECHO "a"b"#,
        "ECHO 'abc",
        "ECHO 'a'b",
        r#"ECHO "a\"#,
        r#"ECHO "a\""#,
        r"ECHO 'a\'",
    ] {
        let bytes = format!("{line}\r\n").into_bytes();
        assert_eq!(refusal(&bytes), "Protocol error: unbalanced quotes in request", "{line}");
    }
}

#[test]
fn hostile_lengths_get_the_words_of_redis() {
    for (bytes, expected) in [
        ("*2147483648\r\n", "invalid multibulk length"),
        ("*9223372036854775808\r\n", "invalid multibulk length"),
        ("*+1\r\n", "invalid multibulk length"),
        ("*abc\r\n", "invalid multibulk length"),
        ("*\r\n", "invalid multibulk length"),
        ("*01\r\n", "invalid multibulk length"),
        ("*1\r\n$-5\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$+3\r\n", "invalid bulk length"),
        ("*1\r\n$ 3\r\n", "invalid bulk length"),
        ("*1\r\n$\r\n", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n$18446744073709551615\r\n", "invalid bulk length"),
        ("*1\r\n:9223372036854775808\r\n", "expected '$', got ':'"),
        ("*1\r\n+5\r\n", "expected '$', got '+'"),
    ] {
        assert_eq!(refusal(bytes.as_bytes()), format!("Protocol error: {expected}"), "{bytes:?}");
    }
}

#[test]
fn hostile_64_kib_without_a_line_end() {
    let digits = "1".repeat(64 * 1024 + 1);
    assert_eq!(refusal(&[b'a'; 65_537]), "Protocol error: too big inline request");
    assert_eq!(parse_once(&[b'a'; 65_536]), Ok(None));
    assert_eq!(
        refusal(format!("*{digits}").as_bytes()),
        "Protocol error: too big mbulk count string"
    );
    assert_eq!(
        refusal(format!("*1\r\n${digits}").as_bytes()),
        "Protocol error: too big bulk count string"
    );
}

#[test]
fn hostile_announcements_reserve_nothing() {
    for bytes in
        [&b"*2147483647\r\n"[..], b"*2147483647\r\n$536870912\r\n", b"*1\r\n$536870912\r\nabc"]
    {
        let mut parser = RequestParser::default();
        assert!(parser.parse(bytes).unwrap().is_none());
        assert_eq!((parser.arguments.capacity(), parser.words.capacity()), (0, 0));
    }
}

#[test]
fn clients_that_have_not_authenticated_get_little() {
    let refusal = |bytes: &[u8]| {
        RequestParser::new(RequestLimits::UNAUTHENTICATED).parse(bytes).unwrap_err().to_string()
    };
    assert_eq!(refusal(b"*11\r\n"), "Protocol error: unauthenticated multibulk length");
    assert_eq!(refusal(b"*1\r\n$16385\r\n"), "Protocol error: unauthenticated bulk length");
    let mut parser = RequestParser::new(RequestLimits::UNAUTHENTICATED);
    assert!(parser.parse(b"*11\r\n").is_err());
    parser.set_limits(RequestLimits::default());
    assert!(parser.parse(b"*11\r\n").unwrap().is_none());
}

#[test]
fn a_large_argument_in_small_pieces_is_looked_at_once() {
    let argument = vec![b'\r'; 4 << 20];
    let bytes = spelled(&[b"ECHO".to_vec(), argument.clone()]);
    let mut parser = RequestParser::default();
    for end in (0..bytes.len()).step_by(16 * 1024) {
        assert!(parser.parse(&bytes[..end]).unwrap().is_none());
    }
    let request = parser.parse(&bytes).unwrap().unwrap();
    assert_eq!(request.get(1), Some(&argument[..]));
}

fn arguments() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..12)
}

/// Bytes that often look like a request.
fn almost_requests() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "*", "$", "\r\n", "\n", "\r", "1", "2", "-", "0", "\"", "'", "\\", "\\x4", " ", "PING"
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn requests_round_trip_however_they_are_cut(
        requests in prop::collection::vec(arguments(), 1..4),
    ) {
        let bytes: Vec<u8> = requests.iter().flat_map(|request| spelled(request)).collect();
        let (mut parser, mut start, mut parsed) = (RequestParser::default(), 0, Vec::new());
        for end in 0..=bytes.len() {
            while let Some(request) = parser.parse(&bytes[start..end]).unwrap() {
                parsed.push(request.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
                start += request.consumed();
            }
        }
        prop_assert_eq!(start, bytes.len());
        prop_assert_eq!(parsed, requests);
    }

    #[test]
    fn any_bytes_parse_alike_in_one_piece_and_in_many(bytes in almost_requests()) {
        let whole = parse_once(&bytes);
        let mut parser = RequestParser::default();
        for end in 0..=bytes.len() {
            let piecewise = match parser.parse(&bytes[..end]) {
                Ok(None) if end < bytes.len() => continue,
                Ok(request) => {
                    Ok(request.map(|request| request.iter().map(<[u8]>::to_vec).collect()))
                }
                Err(error) => Err(error),
            };
            prop_assert_eq!(piecewise, whole);
            break;
        }
        prop_assert!(parser.arguments.capacity() <= 4 + bytes.len());
        prop_assert!(parser.words.capacity() <= 8 + 2 * bytes.len());
    }
}
