//! Replies read back: whole, in pieces, malformed and hostile.

use proptest::prelude::*;

use super::*;
use crate::wire::{Encoder, Protocol};

fn decode_once(bytes: &[u8]) -> Result<Option<(Frame, usize)>, ProtocolError> {
    Decoder::default().decode(bytes)
}

fn decode(text: &str) -> Frame {
    let (frame, consumed) = decode_once(text.as_bytes()).unwrap().unwrap();
    assert_eq!(consumed, text.len());
    frame
}

fn encode(frame: &Frame, protocol: Protocol) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut Encoder::new(&mut out, protocol));
    out
}

#[test]
fn every_type_is_read() {
    let bulk = |text: &str| Frame::Bulk(text.into());
    for (text, frame) in [
        ("+OK\r\n", Frame::Simple("OK".into())),
        ("-ERR no\r\n", Frame::Error("ERR no".into())),
        (":-7\r\n", Frame::Integer(-7)),
        ("$2\r\n\r\n\r\n", bulk("\r\n")),
        ("$0\r\n\r\n", bulk("")),
        ("$-1\r\n", Frame::Null),
        ("*-1\r\n", Frame::Null),
        ("_\r\n", Frame::Null),
        ("*0\r\n", Frame::Array(vec![])),
        (
            "*2\r\n:1\r\n*1\r\n$1\r\na\r\n",
            Frame::Array(vec![Frame::Integer(1), Frame::Array(vec![bulk("a")])]),
        ),
        (",3.25\r\n", Frame::Double(3.25)),
        (",-inf\r\n", Frame::Double(f64::NEG_INFINITY)),
        (",nan\r\n", Frame::Double(f64::NAN)),
        ("#t\r\n", Frame::Boolean(true)),
        (
            "(1234567999999999999999999999999999999\r\n",
            Frame::BigNumber("1234567999999999999999999999999999999".into()),
        ),
        ("!5\r\nERR x\r\n", Frame::BulkError("ERR x".into())),
        ("=8\r\ntxt:some\r\n", Frame::Verbatim(*b"txt", "some".into())),
        ("%1\r\n:0\r\n#f\r\n", Frame::Map(vec![(Frame::Integer(0), Frame::Boolean(false))])),
        ("~1\r\n_\r\n", Frame::Set(vec![Frame::Null])),
        (">1\r\n+x\r\n", Frame::Push(vec![Frame::Simple("x".into())])),
        ("|0\r\n:1\r\n", Frame::Attribute(vec![], Box::new(Frame::Integer(1)))),
        (
            "|1\r\n+a\r\n*0\r\n:1\r\n",
            Frame::Attribute(
                vec![(Frame::Simple("a".into()), Frame::Array(vec![]))],
                Box::new(Frame::Integer(1)),
            ),
        ),
    ] {
        assert_eq!(decode(text), frame, "{text:?}");
    }
}

#[test]
fn malformed_replies_are_refused() {
    for (text, error) in [
        ("?\r\n", ProtocolError::UnknownType(b'?')),
        (":9223372036854775808\r\n", ProtocolError::Malformed("integer")),
        (":\r\n", ProtocolError::Malformed("integer")),
        ("$-5\r\n", ProtocolError::InvalidBulkLength),
        ("$+3\r\n", ProtocolError::InvalidBulkLength),
        ("$ 3\r\n", ProtocolError::InvalidBulkLength),
        ("!-1\r\n", ProtocolError::InvalidBulkLength),
        ("$536870913\r\n", ProtocolError::InvalidBulkLength),
        ("*2147483648\r\n", ProtocolError::InvalidMultibulkLength),
        ("%-1\r\n", ProtocolError::InvalidMultibulkLength),
        ("$1\r\nabc", ProtocolError::Malformed("string")),
        ("$1\rxa\r\n", ProtocolError::Malformed("line")),
        ("+a\rb\r\n", ProtocolError::Malformed("line")),
        ("#x\r\n", ProtocolError::Malformed("boolean")),
        (",1.5x\r\n", ProtocolError::Malformed("double")),
        ("(12a\r\n", ProtocolError::Malformed("big number")),
        ("(-\r\n", ProtocolError::Malformed("big number")),
        ("_x\r\n", ProtocolError::Malformed("null")),
        ("=3\r\ntxt\r\n", ProtocolError::Malformed("verbatim string")),
    ] {
        assert_eq!(decode_once(text.as_bytes()), Err(error), "{text:?}");
    }
}

#[test]
fn hostile_line_without_end() {
    assert_eq!(decode_once(&[b'+'; 65_537]), Err(ProtocolError::TooBigLine));
    assert_eq!(decode_once(&[b'+'; 65_536]), Ok(None));
}

#[test]
fn hostile_nesting_is_capped() {
    let deep = "*1\r\n".repeat(100_000);
    assert_eq!(decode_once(deep.as_bytes()), Err(ProtocolError::TooDeep));
    let attributes = "|1\r\n+k\r\n+v\r\n".repeat(100_000);
    assert_eq!(decode_once(attributes.as_bytes()), Err(ProtocolError::TooDeep));

    let allowed = "%1\r\n+k\r\n".repeat(128) + ":1\r\n";
    let frame = decode(&allowed);
    assert!(format!("{frame:?}").len() > 128);
    assert_eq!(encode(&frame, Protocol::Resp3), allowed.as_bytes());
}

#[test]
fn hostile_announcements_reserve_nothing() {
    for text in ["*2147483647\r\n", "%2147483647\r\n", "$536870912\r\n"] {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(text.as_bytes()), Ok(None));
        assert!(decoder.stack.iter().all(|level| level.items.capacity() == 0));
    }
}

#[test]
fn limits_are_the_callers() {
    let mut decoder = Decoder::new(FrameLimits { depth: 1, elements: 2, bulk: 3, line: 8 });
    assert!(decoder.decode(b"*2\r\n$3\r\nabc\r\n+abcdef\r\n").unwrap().is_some());
    let refuse = |text: &str| {
        Decoder::new(FrameLimits { depth: 1, elements: 2, bulk: 3, line: 8 })
            .decode(text.as_bytes())
    };
    assert_eq!(refuse("*1\r\n*0\r\n"), Err(ProtocolError::TooDeep));
    assert_eq!(refuse("*3\r\n"), Err(ProtocolError::InvalidMultibulkLength));
    assert_eq!(refuse("$4\r\n"), Err(ProtocolError::InvalidBulkLength));
    assert_eq!(refuse("+abcdefgh\r\n"), Err(ProtocolError::TooBigLine));
}

#[test]
fn doubles_are_equal_by_bits() {
    assert_eq!(Frame::Double(f64::NAN), Frame::Double(-f64::NAN));
    assert_ne!(Frame::Double(0.0), Frame::Double(-0.0));
    assert_ne!(Frame::Double(1.0), Frame::Integer(1));
}

fn line() -> impl Strategy<Value = Value> {
    "[^\r\n]{0,12}".prop_map(Value::from)
}

fn bytes() -> impl Strategy<Value = Value> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::from)
}

fn frames() -> impl Strategy<Value = Frame> {
    let leaf = prop_oneof![
        line().prop_map(Frame::Simple),
        line().prop_map(Frame::Error),
        any::<i64>().prop_map(Frame::Integer),
        bytes().prop_map(Frame::Bulk),
        Just(Frame::Null),
        any::<u64>().prop_map(|bits| Frame::Double(f64::from_bits(bits))),
        any::<bool>().prop_map(Frame::Boolean),
        "-?[0-9]{1,40}".prop_map(|digits| Frame::BigNumber(digits.into())),
        bytes().prop_map(Frame::BulkError),
        bytes().prop_map(|text| Frame::Verbatim(*b"mkd", text)),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..5);
        let pairs = prop::collection::vec((inner.clone(), inner.clone()), 0..3);
        prop_oneof![
            items.clone().prop_map(Frame::Array),
            items.clone().prop_map(Frame::Set),
            items.prop_map(Frame::Push),
            pairs.clone().prop_map(Frame::Map),
            (pairs, inner).prop_map(|(pairs, reply)| Frame::Attribute(pairs, Box::new(reply))),
        ]
    })
}

fn almost_replies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "*", "$", "%", "|", "~", ">", ":", "_\r\n", "#t\r\n", ",", "(", "=", "!", "+", "\r\n",
            "\r", "1", "2", "-1", "0", "txt:",
        ])
        .prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn frames_round_trip_however_they_are_cut(frame in frames()) {
        let bytes = encode(&frame, Protocol::Resp3);
        let mut decoder = Decoder::default();
        for end in 0..bytes.len() {
            prop_assert_eq!(decoder.decode(&bytes[..end]), Ok(None));
            prop_assert_eq!(decode_once(&bytes[..end]), Ok(None));
        }
        prop_assert_eq!(decoder.decode(&bytes), Ok(Some((frame, bytes.len()))));
    }

    #[test]
    fn resp2_is_decoded_to_its_own_encoding(frame in frames()) {
        let bytes = encode(&frame, Protocol::Resp2);
        let (fallback, consumed) = decode_once(&bytes).unwrap().unwrap();
        prop_assert_eq!(consumed, bytes.len());
        prop_assert_eq!(encode(&fallback, Protocol::Resp2), bytes);
    }

    #[test]
    fn any_bytes_decode_alike_in_one_piece_and_in_many(bytes in almost_replies()) {
        let whole = decode_once(&bytes);
        let mut decoder = Decoder::default();
        for end in 0..=bytes.len() {
            match decoder.decode(&bytes[..end]) {
                Ok(None) if end < bytes.len() => {}
                piecewise => {
                    prop_assert_eq!(piecewise, whole);
                    break;
                }
            }
        }
        let waiting: usize = decoder.stack.iter().map(|level| level.items.capacity()).sum();
        prop_assert!(waiting <= 4 * (1 + bytes.len()));
    }
}
