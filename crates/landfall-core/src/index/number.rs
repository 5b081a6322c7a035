//! Numbers as JavaScript has them, as whole numbers in the same order.
//!
//! The standard library reads a fraction with a table of 10 KB, which a page would download; the long way, with
//! whole numbers of any size, takes a microsecond and next to no code.

use crate::merge::Magnitude;

/// Digits beyond these do not change which fraction is the nearest, except that they are there.
const DIGITS_MAX: usize = 800;
/// Bits of a fraction's mantissa.
const MANTISSA: i32 = 53;
/// The smallest power of two that a fraction can be a multiple of.
const POWER_MIN: i32 = -1074;

/// A number as it stands in JSON: greater for a greater number, and the same for what is the same in JavaScript.
pub(super) fn ordered(text: &str) -> u64 {
    let bits = bits(text.trim_start_matches('-'));
    if text.starts_with('-') && bits > 0 { !(bits | 1 << 63) } else { bits | 1 << 63 }
}

/// The nearest fraction to a number without a sign, in the bits of IEEE 754; of two that are as near, the even one.
fn bits(number: &str) -> u64 {
    const INFINITY: u64 = 0x7ff << 52;
    let Some(Magnitude { exponent, digits }) = Magnitude::of(number).filter(|m| m.exponent > -400) else {
        return 0;
    };
    if exponent > 400 {
        return INFINITY;
    }
    let (head, tail) = digits.split_at(digits.len().min(DIGITS_MAX));
    let mut top = Whole::default();
    for digit in head.bytes().chain((!tail.is_empty()).then_some(b'1')) {
        top.multiply_add(10, u32::from(digit - b'0'));
    }
    let mut bottom = Whole(vec![1]);
    let tens = exponent as i32 - head.len() as i32 - i32::from(!tail.is_empty());
    for _ in 0..tens.unsigned_abs() {
        if tens > 0 { &mut top } else { &mut bottom }.multiply_add(10, 0);
    }
    // As many bits as the mantissa has come out of the division, or one more, and one to round by.
    let shift = (top.bits() - bottom.bits() - MANTISSA - 1).max(POWER_MIN - 1);
    if shift > 0 { &mut bottom } else { &mut top }.shift(shift.unsigned_abs());
    let mut quotient = top.divide(&bottom);
    let mut power = shift;
    let mut rest = !top.is_zero();
    while quotient >> (MANTISSA + 1) > 0 {
        rest |= quotient & 1 > 0;
        quotient >>= 1;
        power += 1;
    }
    let (mut mantissa, half) = (quotient >> 1, quotient & 1 > 0);
    mantissa += u64::from(half && (rest || mantissa & 1 > 0));
    // The first bit of the mantissa counts into the exponent, as does what was rounded up to a power of two.
    let exponent = (power + 1 - POWER_MIN) as u64;
    ((exponent << (MANTISSA - 1)) + mantissa).min(INFINITY)
}

/// A whole number of any size, the lowest digit first.
#[derive(Default)]
struct Whole(Vec<u32>);

impl Whole {
    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for digit in &mut self.0 {
            carry += u64::from(*digit) * u64::from(factor);
            *digit = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn shift(&mut self, bits: u32) {
        for _ in 0..bits {
            self.multiply_add(2, 0);
        }
    }

    fn bits(&self) -> i32 {
        self.0.last().map_or(0, |last| self.0.len() as i32 * 32 - last.leading_zeros() as i32)
    }

    fn is_zero(&self) -> bool {
        self.0.iter().all(|digit| *digit == 0)
    }

    /// How often `other` is in this; leaves what is more than that, times a power of two.
    fn divide(&mut self, other: &Whole) -> u64 {
        let mut quotient = 0;
        let mut bits = 0;
        let mut divisor = Whole(other.0.clone());
        while divisor.bits() < self.bits() {
            divisor.shift(1);
            bits += 1;
        }
        let len = divisor.0.len().max(self.0.len()) + 1;
        self.0.resize(len, 0);
        divisor.0.resize(len, 0);
        for _ in 0..=bits {
            quotient <<= 1;
            if self.0.iter().rev().ge(divisor.0.iter().rev()) {
                quotient |= 1;
                self.subtract(&divisor);
            }
            self.multiply_add(2, 0);
        }
        quotient
    }

    fn subtract(&mut self, other: &Whole) {
        let mut borrow = 0;
        for (digit, other) in self.0.iter_mut().zip(&other.0) {
            let difference = i64::from(*digit) - i64::from(*other) - borrow;
            *digit = difference as u32;
            borrow = i64::from(difference < 0);
        }
    }
}
