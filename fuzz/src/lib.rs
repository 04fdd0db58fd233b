//! What the fuzz targets are made of: [`model`], a store that is too simple to be wrong; [`draw`],
//! commands out of bytes; [`resp`], what a reply may look like.

pub mod draw;
#[allow(dead_code, reason = "the tests of the crate use the rest")]
#[path = "../../tests/differential/grammar.rs"]
mod grammar;
pub mod model;
pub mod resp;
