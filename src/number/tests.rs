//! Literals learned from a real Redis 7.0.15, and properties against the standard library.

use proptest::prelude::*;

use super::{Extended, extended, format_double, parse_float, parse_integer, printed_digits};

fn printed(value: f64) -> String {
    String::from_utf8(format_double(value).to_vec()).unwrap()
}

fn sum(a: &str, b: &str) -> Option<String> {
    let sum = Extended::parse(a.as_bytes())?.checked_add(Extended::parse(b.as_bytes())?)?;
    Some(String::from_utf8(sum.format().to_vec()).unwrap())
}

#[test]
fn integers_have_one_spelling() {
    for (text, value) in [
        ("0", 0),
        ("-1", -1),
        ("42", 42),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ] {
        assert_eq!(parse_integer(text.as_bytes()), Some(value), "{text}");
    }
    for text in [
        "",
        "-",
        "+1",
        "-0",
        "00",
        "01",
        "-01",
        " 1",
        "1 ",
        "1.0",
        "abc",
        "1\0",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999",
        "100000000000000000000",
    ] {
        assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn floats_are_what_strtod_takes() {
    for (text, value) in [
        ("0", 0.0),
        ("+5", 5.0),
        ("5.", 5.0),
        (".5", 0.5),
        ("-.5e1", -5.0),
        ("1e5", 1e5),
        ("007", 7.0),
        ("0e999", 0.0),
        ("1e-320", 1e-320),
        ("inf", f64::INFINITY),
        ("+Infinity", f64::INFINITY),
        ("-INF", f64::NEG_INFINITY),
        ("0x1p3", 8.0),
        ("-0X1.8", -1.5),
        ("0x.8", 0.5),
        ("0x1p-1074", f64::from_bits(1)),
        ("0x1.8p-1075", f64::from_bits(1)),
        ("0x1p-1022", f64::MIN_POSITIVE),
        ("0x1.fffffffffffff7p1023", f64::MAX),
        ("0x1000000000000080000000000000000000001", 2_f64.powi(144) + 2_f64.powi(92)),
        ("0x0p99999999999999999999", 0.0),
    ] {
        assert_eq!(parse_float(text.as_bytes()), Some(value), "{text}");
    }
    assert!(parse_float(b"-0").unwrap().is_sign_negative());
}

#[test]
fn floats_stand_alone_and_are_not_nan() {
    for text in [
        "",
        "-",
        ".",
        "+",
        "++5",
        " 1",
        "1 ",
        "\t1",
        "1_000",
        "nan",
        "-nan",
        "nan(1)",
        "1e",
        "1e+",
        "infin",
        "1e400",
        "-1e400",
        "1e-400",
        "1e99999999999999999999",
        "0x",
        "0x.",
        "0xp3",
        "0x1p",
        "0x1g",
        "0x1p1025",
        "0x1p-1075",
        "0x1.fffffffffffff8p1023",
        "1,5",
        "1\0",
        "\u{661}",
    ] {
        assert_eq!(parse_float(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(parse_float(b"\xff"), None);
}

#[test]
fn doubles_print_17_digits() {
    for (value, text) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (3.0, "3"),
        (-1e15, "-1000000000000000"),
        (0.1, "0.10000000000000001"),
        (1.5, "1.5"),
        (-123.25, "-123.25"),
        (1e16, "10000000000000000"),
        (1e17, "1e+17"),
        (1e20, "1e+20"),
        (123456789012345678.0, "1.2345678901234568e+17"),
        (9007199254740993.5, "9007199254740994"),
        (0.0001, "0.0001"),
        (0.00001, "1.0000000000000001e-05"),
        (1e100, "1e+100"),
        (1e-320, "9.9998886718268301e-321"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
    ] {
        assert_eq!(printed(value), text);
    }
}

#[test]
fn sums_print_as_long_double_does() {
    for (a, b, total) in [
        ("10.5", "0.1", "10.6"),
        ("3.0e3", "200", "3200"),
        ("0.1", "0.2", "0.3"),
        ("0.2", "-0.2", "0"),
        ("-1e-30", "0", "0"),
        ("1", "-1.00000000000000000001", "0"),
        ("5.", "0x1p3", "13"),
        ("1.23456789012345678", "0", "1.23456789012345678"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("18446744073709551616", "1", "18446744073709551616"),
        ("1e25", "0", "10000000000000000000000000"),
        ("123456.789", "1e-4", "123456.7891000000000048"),
        ("0.00000000000000001", "0", "0.00000000000000001"),
    ] {
        assert_eq!(sum(a, b).as_deref(), Some(total), "{a} + {b}");
    }
}

#[test]
fn sums_are_finite() {
    assert_eq!(sum("inf", "1"), None);
    assert_eq!(sum("1e4932", "1.1e4932"), None);
    assert!(sum("1e4932", "1e-4950").is_some());
    for text in ["", "nan", " 1", "1 ", "1e4940", "1e-4960", "0x", "1e+", &"1".repeat(5 * 1024)] {
        assert!(Extended::parse(text.as_bytes()).is_none(), "{text}");
    }
    assert!(Extended::parse(&b"1".repeat(4_900)).is_some());
}

#[test]
fn a_double_is_the_text_a_client_would_send() {
    let tenth = Extended::from_shortest(0.1).unwrap();
    assert_eq!(tenth.format().as_slice(), b"0.1");
    assert_eq!(tenth.to_f64(), 0.1);
    assert!(Extended::from_shortest(f64::NAN).is_none());
    assert!(Extended::from_shortest(f64::INFINITY).unwrap().checked_add(tenth).is_none());
}

#[test]
fn extended_numbers_are_ordered_by_value() {
    let ascending =
        ["-inf", "-1e4000", "-2", "-1.5", "-1e-4000", "0", "1e-4000", "1", "1.5", "inf"];
    let numbers = ascending.map(|text| Extended::parse(text.as_bytes()).unwrap());
    for (at, number) in numbers.iter().enumerate() {
        for (other_at, other) in numbers.iter().enumerate() {
            assert_eq!(number.cmp(other), at.cmp(&other_at));
            assert_eq!((-*number).cmp(&-*other), other_at.cmp(&at));
        }
    }
    assert_eq!(Extended::ZERO, -Extended::ZERO);
    assert_eq!(Extended::MIN, -Extended::MAX);
    assert!(Extended::MAX.checked_add(Extended::MAX).is_none());
}

proptest! {
    #[test]
    fn integers_round_trip(value: i64) {
        prop_assert_eq!(parse_integer(value.to_string().as_bytes()), Some(value));
    }

    #[test]
    fn integers_are_canonical(text in "[-+ 0-9]{0,21}") {
        let expected = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
        prop_assert_eq!(parse_integer(text.as_bytes()), expected);
    }

    #[test]
    fn doubles_round_trip(bits: u64) {
        let value = f64::from_bits(bits);
        let read = parse_float(&format_double(value));
        prop_assert_eq!(read.map(f64::to_bits), (!value.is_nan()).then_some(bits));
    }

    #[test]
    fn both_ways_to_17_digits_agree(
        mantissa in 1.0_f64..10.0,
        exponent in -6_i32..16,
        places in 0_i32..17,
    ) {
        let rounded = (mantissa * 10_f64.powi(places)).round() / 10_f64.powi(places);
        let value = rounded * 10_f64.powi(exponent);
        if let Some(digits) = extended::seventeen_digits(value) {
            prop_assert_eq!(digits, printed_digits(value));
        }
    }

    #[test]
    fn hexadecimal_doubles_are_exact(mantissa in 0_u64..1 << 53, exponent in -1074_i32..=971) {
        let text = format!("0x{mantissa:x}p{exponent}");
        let exact = mantissa as f64
            * 2_f64.powi(exponent.max(-500))
            * 2_f64.powi(exponent.min(-500) + 500);
        prop_assert_eq!(parse_float(text.as_bytes()), Some(exact));
    }

    #[test]
    fn short_and_big_arithmetic_agree(digits: u64, scale in -18_i32..=18) {
        let short = Extended::parse(format!("{digits}e{scale}").as_bytes()).unwrap();
        // 21 more zeros are too many digits for the short path, and change nothing.
        let zeros = "0".repeat(21);
        let big = Extended::parse(format!("{digits}{zeros}e{}", scale - 21).as_bytes()).unwrap();
        prop_assert_eq!(short.format(), big.format());
    }

    #[test]
    fn any_text_is_a_number_or_is_not(text in "[-+.0-9eExXpPa-fin ]{0,40}") {
        let double = parse_float(text.as_bytes());
        let extended = Extended::parse(text.as_bytes());
        // Its range is wider; otherwise the grammars are one.
        prop_assert!(double.is_none() || extended.is_some());
        if let (Some(double), Some(extended)) = (double, extended)
            && double.abs() > 1e-3
            && double.abs() < 1e300
        {
            let difference = (extended.to_f64() - double).abs() / double.abs();
            prop_assert!(difference < 1e-13, "{double} {extended:?}");
        }
    }
}
