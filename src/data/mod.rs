//! Pure structures: no keys, no locks, no clock, no RESP.

pub(crate) mod glob;
