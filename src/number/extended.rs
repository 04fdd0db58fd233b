//! Floats with a 64-bit mantissa: the arithmetic behind `INCRBYFLOAT`.
//!
//! Redis adds in C's `long double` and prints 17 decimals, so `0.1 + 0.2` is `0.3` and not
//! `0.30000000000000004`. On the platforms that matter that type is the 80-bit x87 format, which
//! this file computes in integers: read with one correct rounding, add with one correct rounding,
//! print exactly. The same digits follow on every machine.
//!
//! Invariant: a finite value is ±mantissa · 2^exponent, in the range of the format. Ordinary
//! numbers (19 digits, 18 decimals) take a few nanoseconds in 128-bit arithmetic; others go through
//! [`Big`], O(length²) in a text that is at most [`MAX_TEXT`] bytes.

use super::{NumberText, big::Big, is_infinity, split_sign, strip_hex_prefix};

/// Redis reads the text into a buffer of 5 KiB; what does not fit is no number.
const MAX_TEXT: usize = 5 * 1024 - 1;

/// Decimals printed.
const DECIMALS: u32 = 17;

/// A binary float format: mantissa width, exponent of the lowest bit of the smallest number, and of
/// the infinity.
struct Format {
    precision: i32,
    min_exponent: i32,
    overflow: i32,
}

const X87: Format = Format { precision: 64, min_exponent: -16_445, overflow: 16_384 };
const DOUBLE: Format = Format { precision: 53, min_exponent: -1_074, overflow: 1_024 };

/// A number with a 64-bit mantissa, or an infinity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extended {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug)]
enum Magnitude {
    Finite { mantissa: u64, exponent: i32 },
    Infinite,
}

const ZERO: Magnitude = Magnitude::Finite { mantissa: 0, exponent: 0 };

impl Extended {
    pub(crate) const ZERO: Self = Self { negative: false, magnitude: ZERO };
    /// The largest finite number.
    pub(crate) const MAX: Self = Self {
        negative: false,
        magnitude: Magnitude::Finite {
            mantissa: u64::MAX,
            exponent: X87.overflow - u64::BITS as i32,
        },
    };
    /// The lowest finite number.
    pub(crate) const MIN: Self = Self { negative: true, ..Self::MAX };

    /// Reads what `strtold` reads, with nothing around it. NaN, overflow and underflow to zero are
    /// refused; an infinity that is spelled out is not.
    pub(crate) fn parse(text: &[u8]) -> Option<Extended> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let (negative, text) = split_sign(text);
        if is_infinity(text) {
            return Some(Extended { negative, magnitude: Magnitude::Infinite });
        }
        let magnitude = match strip_hex_prefix(text) {
            Some(digits) => Hexadecimal::parse(digits)?.round(&X87)?,
            None => parse_decimal(text)?,
        };
        Some(Extended { negative, magnitude })
    }

    /// The number a client would have sent for `value`: its shortest decimal spelling. `None` for
    /// NaN.
    pub(crate) fn from_shortest(value: f64) -> Option<Extended> {
        Extended::parse(format!("{value:e}").as_bytes())
    }

    /// The sum, or `None` where it is infinite or not a number.
    pub(crate) fn checked_add(self, other: Extended) -> Option<Extended> {
        let (Magnitude::Finite { .. }, Magnitude::Finite { .. }) =
            (self.magnitude, other.magnitude)
        else {
            return None;
        };
        let (large, small) =
            if self.order() >= other.order() { (self, other) } else { (other, self) };
        let (high, exponent) = large.widened();
        let (low, low_exponent) = small.widened();
        let low = shift_right_sticky(low, exponent - low_exponent);
        let negative = large.negative;
        let sum = if negative == small.negative { high + low } else { high - low };
        Some(Extended { negative: negative && sum != 0, magnitude: round(sum, exponent, &X87)? })
    }

    /// As Redis stores the result: 17 decimals less the trailing zeros, never an exponent, never
    /// `-0`.
    pub(crate) fn format(self) -> NumberText {
        let mut text = NumberText::new();
        if self.negative {
            text.push(b'-');
        }
        match self.magnitude {
            Magnitude::Infinite => text.extend_from_slice(b"inf"),
            Magnitude::Finite { mantissa, exponent } if exponent > 0 => {
                let mut whole = Big::from_u64(mantissa);
                whole.shift_left(exponent as u32);
                text.extend_from_slice(&whole.into_decimal());
            }
            Magnitude::Finite { mantissa, exponent } => push_fixed(&mut text, mantissa, exponent),
        }
        if text.as_slice() == b"-0" {
            text.remove(0);
        }
        text
    }

    /// The double nearest to what [`format`](Self::format) prints.
    pub(crate) fn to_f64(self) -> f64 {
        let text = self.format();
        std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.parse().ok())
            .expect("a printed number is a number")
    }

    /// The mantissa with 63 bits of room below and one above, so that an addition loses nothing but
    /// what is sticky.
    fn widened(self) -> (u128, i32) {
        match self.magnitude {
            Magnitude::Finite { mantissa: 0, .. } | Magnitude::Infinite => (0, i32::MIN / 2),
            Magnitude::Finite { mantissa, exponent } => {
                let shift = mantissa.leading_zeros() as i32 + 62;
                (u128::from(mantissa) << shift, exponent - shift)
            }
        }
    }

    pub(crate) fn is_infinite(self) -> bool {
        matches!(self.magnitude, Magnitude::Infinite)
    }

    /// Orders numbers by magnitude.
    fn order(self) -> (i32, u128) {
        if self.is_infinite() {
            return (i32::MAX, 0);
        }
        let (mantissa, exponent) = self.widened();
        (exponent, mantissa)
    }
}

impl std::ops::Neg for Extended {
    type Output = Self;

    fn neg(self) -> Self {
        Self { negative: !self.negative, ..self }
    }
}

/// By value: the two zeros are equal.
impl Ord for Extended {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let zero = Self::ZERO.order();
        let is_below_zero = |number: &Self| number.negative && number.order() != zero;
        match (is_below_zero(self), is_below_zero(other)) {
            (false, false) => self.order().cmp(&other.order()),
            (true, true) => other.order().cmp(&self.order()),
            (self_below, other_below) => other_below.cmp(&self_below),
        }
    }
}

impl PartialOrd for Extended {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Extended {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Extended {}

/// Rounds m · 2^e, whose lowest bit may be sticky, to the nearest number of the format, ties to
/// even. `None` if that is infinite, or zero though m is not.
fn round(mantissa: u128, exponent: i32, format: &Format) -> Option<Magnitude> {
    if mantissa == 0 {
        return Some(ZERO);
    }
    let bits = 128 - mantissa.leading_zeros() as i32;
    let shift = (bits - format.precision).max(format.min_exponent - exponent);
    let (mut mantissa, mut exponent) = match shift {
        ..=0 => (mantissa, exponent),
        _ => (round_right(mantissa, shift as u32), exponent + shift),
    };
    if mantissa == 1 << format.precision {
        mantissa >>= 1;
        exponent += 1;
    }
    let bits = 128 - mantissa.leading_zeros() as i32;
    (mantissa != 0 && exponent + bits <= format.overflow)
        .then_some(Magnitude::Finite { mantissa: mantissa as u64, exponent })
}

/// Shifts right, rounding to nearest, ties to even.
fn round_right(value: u128, shift: u32) -> u128 {
    match shift {
        0 => value,
        1..=127 => {
            let quotient = value >> shift;
            let rest = value & ((1 << shift) - 1);
            let half = 1 << (shift - 1);
            quotient + u128::from(rest > half || (rest == half && quotient & 1 == 1))
        }
        128 => u128::from(value > 1 << 127),
        _ => 0,
    }
}

/// Shifts right; the lowest bit of the result stands for all bits dropped.
fn shift_right_sticky(value: u128, shift: i32) -> u128 {
    match shift {
        0 => value,
        1..=127 => (value >> shift) | u128::from(value << (128 - shift) != 0),
        _ => u128::from(value != 0),
    }
}

/// mantissa · 2^exponent, exponent ≤ 0, rounded to 17 decimals, less trailing zeros.
fn push_fixed(text: &mut NumberText, mantissa: u64, exponent: i32) {
    let unit = 10_u128.pow(DECIMALS);
    let scaled = round_right(u128::from(mantissa) * unit, exponent.unsigned_abs());
    text.extend_from_slice(itoa::Buffer::new().format((scaled / unit) as u64).as_bytes());
    let mut fraction = (scaled % unit) as u64;
    if fraction == 0 {
        return;
    }
    let mut decimals = DECIMALS as usize;
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        decimals -= 1;
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(fraction).as_bytes();
    text.push(b'.');
    text.resize(text.len() + decimals - digits.len(), b'0');
    text.extend_from_slice(digits);
}

/// Reads `123.45e-6`, rounding once.
fn parse_decimal(text: &[u8]) -> Option<Magnitude> {
    let literal = Literal::parse(text, b'e', |byte| byte.is_ascii_digit())?;
    let digits = literal.significant();
    let scale = literal.exponent - literal.decimals();
    match digits.clone().count() as i64 {
        0 => Some(ZERO),
        count @ 1..=19 if (-18..=0).contains(&scale) || scale > 0 && count + scale <= 38 => {
            let digits = digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            round_short(digits, scale as i32)
        }
        // Beyond the format's range whatever the digits, and so no reason for big arithmetic.
        count if !(-4_970..=4_940).contains(&(count + scale)) => None,
        _ => round_big(Big::from_decimal(digits), scale as i32),
    }
}

/// digits · 10^scale where both sides fit 128 bits.
fn round_short(digits: u64, scale: i32) -> Option<Magnitude> {
    if scale >= 0 {
        return round(u128::from(digits) * 10_u128.pow(scale as u32), 0, &X87);
    }
    let divisor = 10_u128.pow(scale.unsigned_abs());
    let shift = u128::from(digits).leading_zeros();
    let dividend = u128::from(digits) << shift;
    // At least 67 bits of quotient: more than the mantissa, and room for the sticky bit.
    let quotient = (dividend / divisor) | u128::from(dividend % divisor != 0);
    round(quotient, -(shift as i32), &X87)
}

/// digits · 10^scale in big arithmetic: the power of two is free, the power of five is multiplied
/// or divided out.
fn round_big(mut digits: Big, scale: i32) -> Option<Magnitude> {
    if scale >= 0 {
        digits.multiply_power_of_five(scale as u32);
        let (mantissa, exponent) = digits.top_bits();
        return round(mantissa, exponent + scale, &X87);
    }
    let fives = scale.unsigned_abs();
    // 5^n has fewer than 7n/3 + 1 bits, and the quotient must keep more than 66.
    let shift = (fives * 7 / 3 + 72).saturating_sub(digits.bits());
    digits.shift_left(shift);
    let inexact = digits.divide_power_of_five(fives);
    let (mantissa, exponent) = digits.top_bits();
    round(mantissa | u128::from(inexact), exponent + scale - shift as i32, &X87)
}

/// Reads a double from what follows `0x`, rounding once; overflow and underflow to zero are
/// refused.
pub(super) fn parse_hex_double(digits: &[u8]) -> Option<f64> {
    match Hexadecimal::parse(digits)?.round(&DOUBLE)? {
        Magnitude::Finite { mantissa: 0, .. } | Magnitude::Infinite => Some(0.0),
        Magnitude::Finite { mantissa, exponent } => {
            // Normal numbers hide the top bit of a 53-bit mantissa; subnormal ones sit at the
            // lowest exponent.
            let shift = (mantissa.leading_zeros() as i32 - 11).min(exponent - DOUBLE.min_exponent);
            let (mantissa, exponent) = (mantissa << shift, exponent - shift);
            let biased = (exponent - DOUBLE.min_exponent) as u64;
            Some(f64::from_bits((biased << 52) + mantissa))
        }
    }
}

/// The 17 significant digits of a fraction of ordinary size and its decimal exponent, rounded once,
/// ties to even. `None` where 128 bits do not suffice.
pub(super) fn seventeen_digits(magnitude: f64) -> Option<(u64, i32)> {
    if !(1e-5..1e15).contains(&magnitude) {
        return None;
    }
    let bits = magnitude.to_bits();
    let mantissa = u128::from((bits & ((1 << 52) - 1)) | 1 << 52);
    let exponent = (bits >> 52) as i32 - 1_075;
    // log10(2) is a little over 1233/4096, so this is the decimal exponent or one less.
    let estimate = ((exponent + 52) * 1_233) >> 12;
    for decimal in [estimate, estimate + 1] {
        let scaled = mantissa * 10_u128.pow((16 - decimal) as u32);
        let digits = round_right(scaled, exponent.unsigned_abs());
        if digits < 10_u128.pow(17) {
            debug_assert!(digits >= 10_u128.pow(16), "{magnitude:e} has 17 digits");
            return Some((digits as u64, decimal));
        }
    }
    None
}

/// A hexadecimal float: mantissa · 2^exponent, lowest bit sticky.
struct Hexadecimal {
    mantissa: u128,
    exponent: i32,
}

impl Hexadecimal {
    fn parse(text: &[u8]) -> Option<Hexadecimal> {
        let literal = Literal::parse(text, b'p', |byte| byte.is_ascii_hexdigit())?;
        let (mut mantissa, mut exponent) = (0_u128, literal.exponent - 4 * literal.decimals());
        for digit in literal.significant() {
            let digit = char::from(digit).to_digit(16)?;
            if mantissa >> 120 == 0 {
                mantissa = (mantissa << 4) | u128::from(digit);
            } else {
                mantissa |= u128::from(digit != 0);
                exponent += 4;
            }
        }
        // Far outside both formats, and far from overflow in what follows.
        let exponent = exponent.clamp(-100_000, 100_000) as i32;
        Some(Hexadecimal { mantissa, exponent })
    }

    fn round(self, format: &Format) -> Option<Magnitude> {
        round(self.mantissa, self.exponent, format)
    }
}

/// The parts of a float literal without its sign: `whole.fraction`, at least one digit, then an
/// optional exponent.
struct Literal<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Literal<'a> {
    fn parse(text: &'a [u8], marker: u8, is_digit: fn(&u8) -> bool) -> Option<Literal<'a>> {
        let (whole, rest) = split_digits(text, is_digit);
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => split_digits(rest, is_digit),
            rest => (&[][..], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [byte, exponent @ ..] if byte.eq_ignore_ascii_case(&marker) => {
                parse_exponent(exponent)?
            }
            _ => return None,
        };
        Some(Literal { whole, fraction, exponent })
    }

    /// How far the fraction's last digit that is kept lies behind the point.
    fn decimals(&self) -> i64 {
        self.kept_fraction().len() as i64
    }

    /// All digits from the first that is not zero.
    fn significant(&self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        self.whole.iter().chain(self.kept_fraction()).copied().skip_while(|&digit| digit == b'0')
    }

    /// Zeros at the end of a fraction say nothing.
    fn kept_fraction(&self) -> &'a [u8] {
        let kept =
            self.fraction.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        &self.fraction[..kept]
    }
}

fn split_digits(text: &[u8], is_digit: fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !is_digit(byte)).unwrap_or(text.len());
    text.split_at(end)
}

/// Saturates far beyond every format: the digits before it may be many, but not that many.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude =
        digits.iter().fold(0_i64, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(1 << 40));
    Some(if negative { -magnitude } else { magnitude })
}
