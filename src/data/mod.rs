//! Pure data structures: no keys, no locks, no clock, no wire format.

pub(crate) mod stream;
