//! Scores: floats with a total order.

use std::cmp::Ordering;

/// The score of a sorted set's member: any `f64` but NaN, infinities included.
///
/// `-0.0` equals `0.0`, as in Redis.
///
/// ```
/// use larder::Score;
///
/// let low = Score::new(1.5).unwrap();
/// assert!(low < Score::MAX);
/// assert_eq!(low.get(), 1.5);
/// assert_eq!(Score::new(f64::NAN), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Score(f64);

impl Score {
    /// Below every other score: negative infinity.
    pub const MIN: Self = Self(f64::NEG_INFINITY);
    /// Above every other score: positive infinity.
    pub const MAX: Self = Self(f64::INFINITY);

    /// The score of this value; `None` for NaN, which has no place in an order.
    #[inline]
    pub const fn new(value: f64) -> Option<Self> {
        if value.is_nan() { None } else { Some(Self(value)) }
    }

    /// The value, never NaN.
    #[inline]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The same score with a plain zero for `-0.0`: what is stored.
    #[inline]
    pub(crate) fn unsigned_zero(self) -> Self {
        Self(self.0 + 0.0)
    }

    /// The sum; `None` if it is no number, as for opposite infinities.
    #[inline]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::new(self.0 + other.0)
    }
}

impl PartialEq for Score {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Score {}

/// The operators compare the floats themselves, which is one instruction.
impl PartialOrd for Score {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    #[inline]
    fn lt(&self, other: &Self) -> bool {
        self.0 < other.0
    }

    #[inline]
    fn le(&self, other: &Self) -> bool {
        self.0 <= other.0
    }

    #[inline]
    fn gt(&self, other: &Self) -> bool {
        self.0 > other.0
    }

    #[inline]
    fn ge(&self, other: &Self) -> bool {
        self.0 >= other.0
    }
}

impl Ord for Score {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).expect("a score is never NaN")
    }
}
