//! The types a key can hold, but for strings, which live in the entry's own block.

use std::fmt;

use crate::data::list::List;
use crate::data::sorted_set::SortedSet;
use crate::data::stream::Stream;

/// The type of the value that a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A string: bytes, text or a number.
    String,
    /// A list.
    List,
    /// A sorted set.
    SortedSet,
    /// A stream.
    Stream,
}

impl Kind {
    /// The name that Redis's `TYPE` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::SortedSet => "zset",
            Self::Stream => "stream",
        }
    }

    /// The kind that Redis calls `name`, in any case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let all = [Self::String, Self::List, Self::SortedSet, Self::Stream];
        all.into_iter().find(|kind| kind.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A structure that is a key's value.
pub(crate) trait Data: Default + Clone {
    /// Whether a key may hold it empty; otherwise an empty one takes its key with it.
    const LIVES_EMPTY: bool;

    fn of(object: &Object) -> Option<&Self>;
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    fn into_object(self) -> Object;
    fn is_empty(&self) -> bool;
    /// Bytes on the heap; O(1).
    fn bytes(&self) -> usize;
}

macro_rules! objects {
    ($($kind:ident { lives_empty: $lives_empty:literal }),*) => {
        /// A value that is not a string.
        #[derive(Clone)]
        pub(crate) enum Object {
            $($kind(Box<$kind>)),*
        }

        impl Object {
            pub(crate) fn kind(&self) -> Kind {
                match self {
                    $(Self::$kind(_) => Kind::$kind),*
                }
            }

            /// Bytes on the heap; O(1).
            pub(crate) fn bytes(&self) -> usize {
                match self {
                    $(Self::$kind(data) => size_of::<$kind>() + data.bytes()),*
                }
            }

            /// Asserts the invariant of the structure.
            #[cfg(test)]
            pub(crate) fn check(&self) {
                match self {
                    $(Self::$kind(data) => data.check()),*
                }
            }

            /// Whether a key may hold it as it is.
            #[cfg(test)]
            pub(crate) fn may_live(&self) -> bool {
                match self {
                    $(Self::$kind(data) => $lives_empty || !data.is_empty()),*
                }
            }
        }

        $(impl Data for $kind {
            const LIVES_EMPTY: bool = $lives_empty;

            #[inline]
            #[allow(irrefutable_let_patterns)]
            fn of(object: &Object) -> Option<&Self> {
                if let Object::$kind(data) = object { Some(data) } else { None }
            }

            #[inline]
            #[allow(irrefutable_let_patterns)]
            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                if let Object::$kind(data) = object { Some(data) } else { None }
            }

            fn into_object(self) -> Object {
                Object::$kind(Box::new(self))
            }

            fn is_empty(&self) -> bool {
                $kind::is_empty(self)
            }

            fn bytes(&self) -> usize {
                $kind::bytes(self)
            }
        })*
    };
}

objects!(
    List { lives_empty: false },
    SortedSet { lives_empty: false },
    Stream { lives_empty: true }
);
