//! What operations do to the keyspace, as facts with nothing left to decide.
//!
//! A request may depend on chance, on the time or on what is there; an effect says what came of
//! it. Told in their order to an equal dataset, effects make the same changes again. So they are
//! few and primitive: one for each kind of change that [`Writer`](super::Writer) and
//! [`Edit`](super::Edit) can make. Times are Unix times in milliseconds.

use super::object::Object;
use crate::data::list::{ListEnd, Side};
use crate::data::sorted_set::Score;
use crate::data::stream::{FieldSlice, StreamId};

/// One change of one key, or of the database that it is recorded in.
pub(crate) enum Effect<'a> {
    /// All keys of the database go.
    Clear,
    /// Two databases get the keys of each other.
    Swap {
        one: u16,
        other: u16,
    },

    Delete,
    /// The key exists and gets a deadline.
    Expire {
        unix_ms: i64,
    },
    /// The key exists and loses its deadline.
    Persist,
    /// What the key holds goes to another key, whatever that held.
    Rename {
        to: &'a [u8],
    },
    /// What the key holds goes to the same key of another database, where there is none.
    Move {
        to: u16,
    },
    /// Another key, perhaps of another database, gets what this one holds, whatever it held.
    Copy {
        to: &'a [u8],
        database: u16,
    },
    /// The key holds a structure, whatever it held, with this deadline.
    Put {
        object: &'a Object,
        unix_ms: Option<i64>,
        /// What to add to the deadlines of its parts to get Unix times.
        wall_offset: i64,
    },

    /// The key holds a string, whatever it held.
    Set {
        value: &'a [u8],
        unix_ms: Option<i64>,
    },
    /// The string that the key holds is longer by this.
    Append {
        tail: &'a [u8],
    },
    /// The string that the key holds reads so from `offset` on.
    Overwrite {
        offset: usize,
        bytes: &'a [u8],
    },

    SetField {
        field: &'a [u8],
        value: &'a [u8],
        unix_ms: Option<i64>,
    },
    ExpireField {
        field: &'a [u8],
        unix_ms: i64,
    },
    PersistField {
        field: &'a [u8],
    },
    RemoveField {
        field: &'a [u8],
    },

    Push {
        end: ListEnd,
        element: &'a [u8],
    },
    Pop {
        end: ListEnd,
        count: usize,
    },
    SetElement {
        index: usize,
        element: &'a [u8],
    },
    /// An element comes beside the first that equals `pivot`.
    Insert {
        side: Side,
        pivot: &'a [u8],
        element: &'a [u8],
    },
    /// The elements outside of a range go; an empty range is of none.
    KeepElements {
        start: usize,
        end: usize,
    },
    /// So many elements that equal this one go, the nearest to `end` first.
    RemoveElements {
        element: &'a [u8],
        count: usize,
        end: ListEnd,
    },

    AddMember {
        member: &'a [u8],
    },
    RemoveMember {
        member: &'a [u8],
    },

    SetScore {
        member: &'a [u8],
        score: Score,
    },
    RemoveScored {
        member: &'a [u8],
    },
    /// The members of these ranks go; there is one at least.
    RemoveRanks {
        start: usize,
        end: usize,
    },

    AddEntry {
        id: StreamId,
        fields: FieldSlice<'a>,
    },
    /// The oldest entries go, so that so many are left.
    KeepEntries {
        length: usize,
    },
    DeleteEntry {
        id: StreamId,
    },
    SetIds {
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    },
    CreateGroup {
        group: &'a [u8],
        last_delivered: StreamId,
        entries_read: Option<u64>,
    },
    DestroyGroup {
        group: &'a [u8],
    },
    SetGroupId {
        group: &'a [u8],
        last_delivered: StreamId,
        entries_read: Option<u64>,
    },
    CreateConsumer {
        group: &'a [u8],
        consumer: &'a [u8],
    },
    RemoveConsumer {
        group: &'a [u8],
        consumer: &'a [u8],
    },
    /// Entries of the stream are a consumer's, whosever they were; who may be new.
    Deliver {
        group: &'a [u8],
        consumer: &'a [u8],
        ids: &'a [StreamId],
        unix_ms: i64,
        count: u64,
    },
    /// A delivery has ended.
    Acknowledge {
        group: &'a [u8],
        id: StreamId,
    },
}
