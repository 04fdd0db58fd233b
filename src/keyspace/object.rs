//! The types a key can hold, but for strings, which live in the entry's own block.

use std::fmt;

use triomphe::Arc;

use super::events::EventKind;
use crate::block::Block;
use crate::data::hash::Hash;
use crate::data::list::List;
use crate::data::set::Set;
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
    /// A hash.
    Hash,
    /// A set.
    Set,
}

impl Kind {
    /// The name that Redis's `TYPE` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::SortedSet => "zset",
            Self::Stream => "stream",
            Self::Hash => "hash",
            Self::Set => "set",
        }
    }

    /// The kind that Redis calls `name`, in any case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let all = [Self::String, Self::List, Self::SortedSet, Self::Stream, Self::Hash, Self::Set];
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
    /// What tells of parts that have expired.
    const PARTS_EXPIRED: EventKind = EventKind::Expired;

    fn of(object: &Object) -> Option<&Self>;
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    fn into_object(self) -> Object;
    fn is_empty(&self) -> bool;
    /// Bytes on the heap; O(1).
    fn bytes(&self) -> usize;

    /// When the first of its parts is due to expire, if parts have deadlines of their own. Until
    /// it is told to [`expire`](Self::expire) them, readers must pass over what is due.
    #[inline]
    fn earliest_deadline(&self) -> Option<u64> {
        None
    }

    /// Whether all of its parts are due at `now`.
    fn is_spent(&self, _now: u64) -> bool {
        false
    }

    /// Removes up to `limit` of the parts that are due at `now`; answers what is to be dropped
    /// once the lock is released.
    fn expire(&mut self, _now: u64, _limit: usize) -> Vec<Block> {
        Vec::new()
    }
}

/// A type with parts that expire names the event that tells of it.
macro_rules! objects {
    ($($kind:ident { lives_empty: $lives_empty:literal $(, parts_expire: $event:ident)? }),*) => {
        /// A value that is not a string. A clone shares the structure, until one of the two is
        /// changed.
        #[derive(Clone)]
        pub(crate) enum Object {
            $($kind(Arc<$kind>)),*
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
            #[cfg(any(test, fuzzing))]
            pub(crate) fn check(&self) {
                match self {
                    $(Self::$kind(data) => data.check()),*
                }
            }

            /// Whether a key may hold it as it is.
            pub(crate) fn may_live(&self) -> bool {
                match self {
                    $(Self::$kind(data) => $lives_empty || !data.is_empty()),*
                }
            }

            /// See [`Data::earliest_deadline`].
            #[inline]
            pub(crate) fn earliest_deadline(&self) -> Option<u64> {
                match self {
                    $(Self::$kind(data) => Data::earliest_deadline(&**data)),*
                }
            }

            /// See [`Data::is_spent`].
            pub(crate) fn is_spent(&self, now: u64) -> bool {
                match self {
                    $(Self::$kind(data) => Data::is_spent(&**data, now)),*
                }
            }

            /// See [`Data::expire`].
            pub(crate) fn expire(&mut self, now: u64, limit: usize) -> Vec<Block> {
                match self {
                    $(Self::$kind(data) => Data::expire(Arc::make_mut(data), now, limit)),*
                }
            }

            /// See [`Data::PARTS_EXPIRED`].
            pub(crate) fn parts_expired(&self) -> EventKind {
                match self {
                    $(Self::$kind(_) => <$kind as Data>::PARTS_EXPIRED),*
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
                if let Object::$kind(data) = object { Some(Arc::make_mut(data)) } else { None }
            }

            fn into_object(self) -> Object {
                Object::$kind(Arc::new(self))
            }

            fn is_empty(&self) -> bool {
                $kind::is_empty(self)
            }

            fn bytes(&self) -> usize {
                $kind::bytes(self)
            }

            $(
                const PARTS_EXPIRED: EventKind = EventKind::$event;

                #[inline]
                fn earliest_deadline(&self) -> Option<u64> {
                    $kind::earliest_deadline(self)
                }

                fn is_spent(&self, now: u64) -> bool {
                    $kind::is_spent(self, now)
                }

                fn expire(&mut self, now: u64, limit: usize) -> Vec<Block> {
                    $kind::expire(self, now, limit)
                }
            )?
        })*
    };
}

objects!(
    List { lives_empty: false },
    SortedSet { lives_empty: false },
    Stream { lives_empty: true },
    Hash { lives_empty: false, parts_expire: FieldsExpired },
    Set { lives_empty: false }
);
