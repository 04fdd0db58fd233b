//! Redis's data structures inside your own process.

mod block;
mod data;
mod error;
mod number;
mod value;

pub use data::stream::{
    Deletion, Direction, Entries, EntriesIter, Entry, Fields, ParseStreamIdError, Precision,
    References, StreamId, TrimBound,
};
pub use error::{Error, Result};
#[cfg(feature = "serde")]
pub use value::Json;
pub use value::{FromValue, ToValue, Value};
