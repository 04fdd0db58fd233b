//! Pure structures: they know no keys, locks, clocks or wire formats.

pub(crate) mod bits;
pub(crate) mod glob;
pub(crate) mod hash;
pub(crate) mod list;
pub(crate) mod set;
pub(crate) mod sorted_set;
mod splice;
pub(crate) mod stream;
pub(crate) mod subsequence;
mod table;
