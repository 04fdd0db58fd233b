//! Pure structures: they know no keys, locks, clocks or wire formats.

pub(crate) mod glob;
pub(crate) mod hash;
pub(crate) mod list;
pub(crate) mod sorted_set;
pub(crate) mod stream;
mod table;
