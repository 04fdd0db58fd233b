//! The formats against themselves, byte by byte.
