//! Hashes: values by the names of their fields, each with a deadline if it has one.
//!
//! # Structure
//!
//! A small hash is one heap block with its fields in the order in which they came ([`packed`]);
//! a larger one is a hash table with a block per field ([`indexed`]). A hash that has become large
//! stays so. The bounds are those of Redis: 128 fields, and 64 bytes a name or value.
//!
//! Time is the caller's: a hash keeps a field whose deadline has passed until it is told to
//! [`expire`](Hash::expire) it, and a reader passes over it by means of [`Live`].
//!
//! # Invariants
//!
//! 1. No field is there twice.
//! 2. [`earliest_deadline`](Hash::earliest_deadline) is the earliest of all fields' deadlines.
//! 3. A small hash is within the bounds.
//!
//! # Complexity
//!
//! A small hash is searched from end to end. In a large one what concerns a field is O(1), and
//! O(log d) with `d` deadlines where it has or gets one. Growing never moves more than a few dozen
//! fields at once. A hash without deadlines pays one comparison for that there might be some.
//!
//! # Threading
//!
//! None of its own: the caller's lock guards a hash. A clone of a large one shares its blocks.

mod indexed;
mod packed;
#[cfg(test)]
mod tests;

use crate::block::Block;
use crate::random::Random;
use crate::value::Value;
use indexed::Indexed;
use packed::Packed;

/// A hash: see the module's notes.
#[derive(Clone, Default)]
pub(crate) struct Hash(Form);

#[derive(Clone)]
enum Form {
    Packed(Packed),
    Indexed(Box<Indexed>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Packed(Packed::default())
    }
}

/// One field.
#[derive(Clone, Copy)]
pub(crate) struct Field<'h> {
    pub(crate) name: &'h [u8],
    /// Its value.
    pub(crate) bytes: &'h [u8],
    pub(crate) deadline: Option<u64>,
    /// Where it is, if in a block of its own.
    block: Option<&'h Block>,
}

impl<'h> Field<'h> {
    fn of_block(block: &'h Block) -> Self {
        let deadline = block.deadline();
        Self { name: block.key(), bytes: block.value(), deadline, block: Some(block) }
    }

    /// Its value, shared if it is in a block of its own.
    pub(crate) fn value(&self) -> Value {
        match self.block {
            Some(block) => Value::from_block(block.clone()),
            None => Value::from(self.bytes),
        }
    }

    fn lives(&self, due: Option<u64>) -> bool {
        // A field has no deadline far more often than not.
        self.deadline.is_none_or(|deadline| due.is_none_or(|now| deadline > now))
    }
}

/// What a change of a field came to.
pub(crate) struct Change {
    /// Whether the field was there.
    pub(crate) existed: bool,
    /// What is to be dropped where that stalls nobody.
    pub(crate) displaced: Option<Block>,
}

impl Hash {
    pub(crate) fn is_empty(&self) -> bool {
        self.stored() == 0
    }

    /// Bytes on the heap, in O(1).
    pub(crate) fn bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(packed) => packed.bytes(),
            Form::Indexed(indexed) => size_of::<Indexed>() + indexed.bytes(),
        }
    }

    /// Whether it is in the form of small hashes.
    pub(crate) fn is_packed(&self) -> bool {
        matches!(self.0, Form::Packed(_))
    }

    /// A field, be it due.
    #[inline]
    pub(crate) fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        match &self.0 {
            Form::Packed(packed) => packed.get(name),
            Form::Indexed(indexed) => indexed.get(name),
        }
    }

    /// Sets a field's value and deadline.
    pub(crate) fn put(&mut self, name: &[u8], value: &[u8], deadline: Option<u64>) -> Change {
        match &mut self.0 {
            Form::Indexed(indexed) => return indexed.put(name, value, deadline),
            Form::Packed(packed) => {
                let fits = Packed::can_hold(name, value);
                if fits && (!packed.is_full() || packed.get(name).is_some()) {
                    let existed = packed.put(name, value, deadline);
                    return Change { existed, displaced: None };
                }
            }
        }
        self.index();
        self.put(name, value, deadline)
    }

    /// Changes or removes the deadline of a field, if it exists.
    pub(crate) fn set_deadline(&mut self, name: &[u8], deadline: Option<u64>) -> Change {
        match &mut self.0 {
            Form::Packed(packed) => {
                let existed = packed.set_deadline(name, deadline);
                Change { existed, displaced: None }
            }
            Form::Indexed(indexed) => indexed.set_deadline(name, deadline),
        }
    }

    /// Removes a field, if it exists.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Change {
        match &mut self.0 {
            Form::Packed(packed) => Change { existed: packed.remove(name), displaced: None },
            Form::Indexed(indexed) => {
                let displaced = indexed.remove(name);
                Change { existed: displaced.is_some(), displaced }
            }
        }
    }

    /// The earliest deadline of a field, if one has any.
    #[inline]
    pub(crate) fn earliest_deadline(&self) -> Option<u64> {
        match &self.0 {
            Form::Packed(packed) => packed.earliest_deadline(),
            Form::Indexed(indexed) => indexed.earliest_deadline(),
        }
    }

    /// Whether all fields have deadlines that are `now` or before.
    pub(crate) fn is_spent(&self, now: u64) -> bool {
        match &self.0 {
            Form::Packed(packed) => {
                packed.earliest_deadline().is_some()
                    && packed.iter().all(|field| !field.lives(Some(now)))
            }
            Form::Indexed(indexed) => indexed.is_spent(now),
        }
    }

    /// Removes up to `limit` of the fields whose deadlines are `now` or before. They are
    /// returned, to be dropped at a place where that stalls nobody.
    pub(crate) fn expire(&mut self, now: u64, limit: usize) -> Vec<Block> {
        match &mut self.0 {
            Form::Packed(packed) => packed.expire(now, limit),
            Form::Indexed(indexed) => indexed.expire(now, limit),
        }
    }

    /// The hash as a reader sees it: without the fields that are due at `due`, if that is a time
    /// at which any are.
    #[inline]
    pub(crate) fn live(&self, due: Option<u64>) -> Live<'_> {
        Live { hash: self, due }
    }

    /// Asserts the invariants of the module and of the form that the hash is in.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check(&self) {
        match &self.0 {
            Form::Packed(packed) => packed.check(),
            Form::Indexed(indexed) => indexed.check(),
        }
        let deadlines = self.live(None).iter().filter_map(|field| field.deadline).min();
        assert_eq!(deadlines, self.earliest_deadline());
    }

    /// How many fields there are, with those that are due.
    fn stored(&self) -> usize {
        match &self.0 {
            Form::Packed(packed) => packed.len(),
            Form::Indexed(indexed) => indexed.table().len(),
        }
    }

    /// Makes it a hash table.
    fn index(&mut self) {
        let Form::Packed(packed) = &self.0 else { return };
        let mut indexed = Indexed::with_capacity(packed.len() + 1);
        for field in packed.iter() {
            indexed.put(field.name, field.bytes, field.deadline);
        }
        self.0 = Form::Indexed(Box::new(indexed));
    }
}

/// A hash at a time: what is due is not there.
#[derive(Clone, Copy)]
pub(crate) struct Live<'h> {
    hash: &'h Hash,
    /// The time, if any field is due.
    due: Option<u64>,
}

impl<'h> Live<'h> {
    /// The number of fields: O(1), and O(1) more for each that is due and not yet removed.
    pub(crate) fn len(&self) -> usize {
        let due = match (&self.hash.0, self.due) {
            (_, None) => 0,
            (Form::Packed(_), Some(_)) => return self.iter().count(),
            (Form::Indexed(indexed), Some(now)) => indexed.count_due(now),
        };
        self.hash.stored() - due
    }

    /// Whether the hash is small, so that nothing in it is long.
    pub(crate) fn is_packed(&self) -> bool {
        matches!(self.hash.0, Form::Packed(_))
    }

    #[inline]
    pub(crate) fn get(&self, name: &[u8]) -> Option<Field<'h>> {
        self.hash.get(name).filter(|field| field.lives(self.due))
    }

    /// All fields: in the order in which they came if the hash is small, else in none.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Field<'h>> + use<'h> {
        let (packed, indexed) = match &self.hash.0 {
            Form::Packed(packed) => (Some(packed), None),
            Form::Indexed(indexed) => (None, Some(indexed)),
        };
        let packed = packed.into_iter().flat_map(|packed| packed.iter());
        let indexed = indexed.into_iter().flat_map(|indexed| indexed.table().iter());
        let due = self.due;
        packed.chain(indexed.map(Field::of_block)).filter(move |field| field.lives(due))
    }

    /// Any field, each as likely as another; O(1) unless the hash is small or fields are due.
    pub(crate) fn random(&self, random: &mut Random) -> Option<Field<'h>> {
        self.sample_repeating(1, random).pop()
    }

    /// `count` fields drawn at random, each from all.
    pub(crate) fn sample_repeating(&self, count: usize, random: &mut Random) -> Vec<Field<'h>> {
        if let Some(indexed) = self.drawable() {
            let draw = |_| Field::of_block(indexed.table().random(random));
            return (0..count).map(draw).collect();
        }
        let all: Vec<Field<'h>> = self.iter().collect();
        if all.is_empty() {
            return Vec::new();
        }
        (0..count).map(|_| all[random.below(all.len())]).collect()
    }

    /// Up to `count` distinct fields drawn at random: O(count) if that is far less than all.
    pub(crate) fn sample(&self, count: usize, random: &mut Random) -> Vec<Field<'h>> {
        if let Some(indexed) = self.drawable()
            && let Some(drawn) = indexed.table().sample(count, random)
        {
            return drawn.into_iter().map(Field::of_block).collect();
        }
        random.choose(self.iter().collect(), count)
    }

    /// One step of a scan: shows some fields, and answers the cursor of the next step or 0 after
    /// the last.
    ///
    /// A scan from cursor 0 to 0 shows every field that was in the hash all the while, whatever
    /// changed between the steps, and may show one more than once. A step shows about `count`
    /// fields; of a small hash, all at once. Any cursor is safe.
    pub(crate) fn scan(&self, cursor: u64, count: usize, mut each: impl FnMut(Field<'h>)) -> u64 {
        let Form::Indexed(indexed) = &self.hash.0 else {
            self.iter().for_each(each);
            return 0;
        };
        indexed.table().scan(cursor, count, |block| {
            let field = Field::of_block(block);
            if field.lives(self.due) {
                each(field);
            }
        })
    }

    /// The hash, if any of its table's fields may be drawn.
    fn drawable(&self) -> Option<&'h Indexed> {
        match &self.hash.0 {
            Form::Indexed(indexed) if self.due.is_none() && indexed.table().len() > 0 => {
                Some(indexed)
            }
            _ => None,
        }
    }
}
