//! A natural number of any size, with just the steps that exact decimal conversion needs.
//!
//! Invariant: limbs are little-endian and the highest is not zero (zero has no limb). Each step is
//! O(limbs).

/// A natural number.
pub(super) struct Big {
    limbs: Vec<u32>,
}

/// The largest power of five in a limb, and its exponent.
const FIVES: (u32, u32) = (5_u32.pow(13), 13);

impl Big {
    pub(super) fn from_u64(value: u64) -> Big {
        let mut big = Big { limbs: vec![value as u32, (value >> 32) as u32] };
        big.trim();
        big
    }

    /// `digits` must be ASCII decimal digits.
    pub(super) fn from_decimal(digits: impl Iterator<Item = u8>) -> Big {
        let mut big = Big { limbs: Vec::new() };
        let (mut chunk, mut scale) = (0, 1);
        for digit in digits {
            chunk = chunk * 10 + u32::from(digit - b'0');
            scale *= 10;
            if scale == 1_000_000_000 {
                big.multiply_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
        }
        big.multiply_add(scale, chunk);
        big
    }

    pub(super) fn bits(&self) -> u32 {
        match self.limbs.last() {
            None => 0,
            Some(high) => self.limbs.len() as u32 * 32 - high.leading_zeros(),
        }
    }

    pub(super) fn shift_left(&mut self, bits: u32) {
        if self.limbs.is_empty() {
            return;
        }
        let part = bits % 32;
        if part > 0 {
            self.multiply_add(1 << part, 0);
        }
        self.limbs.splice(0..0, std::iter::repeat_n(0, (bits / 32) as usize));
    }

    pub(super) fn multiply_power_of_five(&mut self, mut exponent: u32) {
        while exponent > 0 {
            let step = exponent.min(FIVES.1);
            self.multiply_add(5_u32.pow(step), 0);
            exponent -= step;
        }
    }

    /// Divides, rounding down; says whether anything was rounded away.
    pub(super) fn divide_power_of_five(&mut self, mut exponent: u32) -> bool {
        let mut inexact = false;
        while exponent > 0 {
            let step = exponent.min(FIVES.1);
            inexact |= self.divide(5_u32.pow(step)) != 0;
            exponent -= step;
        }
        inexact
    }

    /// Divides, rounding down, and returns the remainder.
    pub(super) fn divide(&mut self, divisor: u32) -> u32 {
        let mut remainder = 0_u64;
        for limb in self.limbs.iter_mut().rev() {
            let dividend = (remainder << 32) | u64::from(*limb);
            *limb = (dividend / u64::from(divisor)) as u32;
            remainder = dividend % u64::from(divisor);
        }
        self.trim();
        remainder as u32
    }

    /// The top 128 bits as (m, e) with the number being m · 2^e; the lowest bit of m stands for all
    /// bits dropped.
    pub(super) fn top_bits(&self) -> (u128, i32) {
        let kept = self.limbs.len().min(4);
        let (dropped, top) = self.limbs.split_at(self.limbs.len() - kept);
        let mantissa = top.iter().rev().fold(0, |sum, &limb| (sum << 32) | u128::from(limb));
        let sticky = dropped.iter().any(|&limb| limb != 0);
        (mantissa | u128::from(sticky), dropped.len() as i32 * 32)
    }

    /// The decimal digits; nothing for zero. O(limbs²).
    pub(super) fn into_decimal(mut self) -> Vec<u8> {
        let mut reversed = Vec::new();
        while !self.limbs.is_empty() {
            let mut chunk = self.divide(1_000_000_000);
            for _ in 0..9 {
                reversed.push(b'0' + (chunk % 10) as u8);
                chunk /= 10;
            }
        }
        let significant =
            reversed.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
        reversed.truncate(significant);
        reversed.reverse();
        reversed
    }

    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for limb in &mut self.limbs {
            let product = u64::from(*limb) * u64::from(factor) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            self.limbs.push(carry as u32);
        }
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}
