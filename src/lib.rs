//! Redis's data structures inside your own process.

mod block;
mod data;
mod error;
mod number;
mod value;

pub use data::sorted_set::Score;
pub use error::{Error, Result};
#[cfg(feature = "serde")]
pub use value::Json;
pub use value::{FromValue, ToValue, Value};
