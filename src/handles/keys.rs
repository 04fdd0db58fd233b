//! Keys, whatever they hold.

use std::borrow::Cow;

use super::Submit;
use crate::ops::keys::*;

/// Operations on keys of any type.
///
/// Made by [`Store::keys`](crate::Store::keys), and by a batch or transaction.
#[derive(Clone, Copy)]
pub struct Keys<'t, T = crate::Store> {
    target: &'t T,
}

impl<'t, T: Submit> Keys<'t, T> {
    pub(crate) fn new(target: &'t T) -> Self {
        Self { target }
    }

    /// Removes a key; answers whether it existed.
    ///
    /// `O(1)`; the value is dropped after the lock is released. Does not block.
    ///
    /// ```
    /// # let store = larder::Store::new();
    /// store.kv().set("a", 1)?;
    /// assert!(store.keys().delete("a")?);
    /// assert!(!store.keys().delete("a")?);
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[doc(alias = "DEL")]
    #[doc(alias = "UNLINK")]
    pub fn delete(&self, key: impl AsRef<[u8]>) -> T::Answer<bool> {
        self.target.submit(&Delete { key: key.as_ref() }, Ok)
    }
}
