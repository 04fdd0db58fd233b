//! Redis's data structures inside your own process.
