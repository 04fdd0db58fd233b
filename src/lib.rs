//! Redis's data structures inside your own process.

mod block;
mod error;
mod number;
mod value;
mod wire;

pub use error::{Error, Result};
#[cfg(feature = "serde")]
pub use value::Json;
pub use value::{FromValue, ToValue, Value};
mod clock;
mod keyspace;
mod sync;
mod data;
