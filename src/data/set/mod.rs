//! Sets: distinct members, in no order.
//!
//! # Structure
//!
//! A small set of integers is one heap block with their binary forms ([`integers`]), another small
//! one a block with its members one after the other ([`packed`]); a larger one is a hash table of
//! shared members ([`Table`]). The bounds are those of Redis: 512 integers, or 128 members of at
//! most 64 bytes each. A set only ever changes to a form further down this list.
//!
//! # Invariants
//!
//! 1. No member is there twice.
//! 2. A small set is within the bounds of its form.
//! 3. `member_bytes` of a large set is the sum of its members' heap blocks.
//!
//! # Complexity
//!
//! By member: O(log n) for integers, all members looked at in a small set, else O(1). Any member,
//! each as likely as another: O(1), or one pass over a small set. Growing never moves more than a
//! few dozen members at once.
//!
//! # Threading
//!
//! None of its own: the caller's lock guards a set. A clone of a large one shares its members.

mod integers;
mod packed;
#[cfg(test)]
mod tests;

use std::hash::{Hash, Hasher};
use std::ops::Deref;

use super::table::{Keyed, Table};
use crate::number;
use crate::random::Random;
use crate::value::Value;
use integers::Integers;
use packed::Packed;

/// A set: see the module's notes.
#[derive(Clone, Default)]
pub(crate) struct Set(Form);

#[derive(Clone)]
enum Form {
    Integers(Integers),
    Packed(Packed),
    Indexed(Box<Indexed>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Integers(Integers::default())
    }
}

/// A large set.
#[derive(Clone)]
struct Indexed {
    table: Table<Value>,
    member_bytes: usize,
}

impl Keyed for Value {
    #[inline]
    fn key(&self) -> &[u8] {
        self
    }
}

/// One member: its bytes, wherever they are.
#[derive(Clone, Copy)]
pub(crate) enum Member<'s> {
    Integer(Digits),
    Packed(&'s [u8]),
    Shared(&'s Value),
}

/// The text of an integer.
#[derive(Clone, Copy)]
pub(crate) struct Digits {
    text: [u8; 20],
    len: u8,
}

impl Set {
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Form::Integers(integers) => integers.len(),
            Form::Packed(packed) => packed.len(),
            Form::Indexed(indexed) => indexed.table.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it has no table, so that it is small.
    pub(crate) fn is_small(&self) -> bool {
        !matches!(self.0, Form::Indexed(_))
    }

    /// Bytes on the heap, in O(1).
    pub(crate) fn bytes(&self) -> usize {
        match &self.0 {
            Form::Integers(integers) => integers.bytes(),
            Form::Packed(packed) => packed.bytes(),
            Form::Indexed(indexed) => {
                // The table counts itself, which is a part of that struct.
                size_of::<Indexed>() - size_of::<Table<Value>>()
                    + indexed.table.bytes()
                    + indexed.member_bytes
            }
        }
    }

    /// Whether it is in the form of small sets of integers.
    pub(crate) fn is_of_integers(&self) -> bool {
        matches!(self.0, Form::Integers(_))
    }

    #[inline]
    pub(crate) fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Form::Integers(integers) => {
                number::parse_integer(member).is_some_and(|number| integers.contains(number))
            }
            Form::Packed(packed) => packed.contains(member),
            Form::Indexed(indexed) => indexed.table.get(member).is_some(),
        }
    }

    /// Adds a member; answers whether it is new.
    #[inline]
    pub(crate) fn insert(&mut self, member: &[u8]) -> bool {
        self.insert_with(member, || Value::from(member))
    }

    /// As [`insert`](Self::insert), sharing the bytes of a member of another large set.
    pub(crate) fn insert_member(&mut self, member: Member<'_>) -> bool {
        self.insert_with(&member, || member.to_value())
    }

    /// Removes a member; answers whether it was there.
    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Form::Integers(integers) => {
                number::parse_integer(member).is_some_and(|number| integers.remove(number))
            }
            Form::Packed(packed) => packed.remove(member),
            Form::Indexed(indexed) => indexed.remove(member),
        }
    }

    /// All members: integers in order, those of another small set in the order in which they
    /// came, else in none.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let (integers, packed, indexed) = match &self.0 {
            Form::Integers(integers) => (Some(integers), None, None),
            Form::Packed(packed) => (None, Some(packed), None),
            Form::Indexed(indexed) => (None, None, Some(indexed)),
        };
        let integers = integers.into_iter().flat_map(|integers| integers.iter());
        let packed = packed.into_iter().flat_map(|packed| packed.iter());
        let indexed = indexed.into_iter().flat_map(|indexed| indexed.table.iter());
        let small = integers.map(Member::integer).chain(packed.map(Member::Packed));
        small.chain(indexed.map(Member::Shared))
    }

    /// Any member, each as likely as another.
    pub(crate) fn random(&self, random: &mut Random) -> Option<Member<'_>> {
        if self.is_empty() {
            return None;
        }
        match &self.0 {
            Form::Integers(integers) => {
                Some(Member::integer(integers.get(random.below(integers.len()))))
            }
            Form::Packed(packed) => {
                packed.iter().nth(random.below(packed.len())).map(Member::Packed)
            }
            Form::Indexed(indexed) => Some(Member::Shared(indexed.table.random(random))),
        }
    }

    /// `count` members drawn at random, each from all.
    pub(crate) fn sample_repeating(&self, count: usize, random: &mut Random) -> Vec<Member<'_>> {
        if self.is_empty() {
            return Vec::new();
        }
        if let Form::Indexed(indexed) = &self.0 {
            return (0..count).map(|_| Member::Shared(indexed.table.random(random))).collect();
        }
        let all: Vec<Member<'_>> = self.iter().collect();
        (0..count).map(|_| all[random.below(all.len())]).collect()
    }

    /// Up to `count` distinct members drawn at random: O(count) if that is far less than all.
    pub(crate) fn sample(&self, count: usize, random: &mut Random) -> Vec<Member<'_>> {
        if let Form::Indexed(indexed) = &self.0
            && let Some(drawn) = indexed.table.sample(count, random)
        {
            return drawn.into_iter().map(Member::Shared).collect();
        }
        random.choose(self.iter().collect(), count)
    }

    /// One step of a scan: shows some members, and answers the cursor of the next step or 0 after
    /// the last.
    ///
    /// A scan from cursor 0 to 0 shows every member that was in the set all the while, whatever
    /// changed between the steps, and may show one more than once. A step shows about `count`
    /// members; of a small set, all at once. Any cursor is safe.
    pub(crate) fn scan<'s>(
        &'s self,
        cursor: u64,
        count: usize,
        mut each: impl FnMut(Member<'s>),
    ) -> u64 {
        let Form::Indexed(indexed) = &self.0 else {
            self.iter().for_each(each);
            return 0;
        };
        indexed.table.scan(cursor, count, |member| each(Member::Shared(member)))
    }

    /// Asserts the invariants of the module and of the form that the set is in.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn check(&self) {
        match &self.0 {
            Form::Integers(integers) => integers.check(),
            Form::Packed(packed) => packed.check(),
            Form::Indexed(indexed) => {
                indexed.table.check();
                let member_bytes: usize = indexed.table.iter().map(Value::heap_size).sum();
                assert_eq!(member_bytes, indexed.member_bytes);
            }
        }
        assert_eq!(self.iter().count(), self.len());
    }

    fn insert_with(&mut self, member: &[u8], value: impl FnOnce() -> Value) -> bool {
        match &mut self.0 {
            Form::Integers(integers) => {
                let number = number::parse_integer(member);
                if let Some(number) = number
                    && (!integers.is_full() || integers.contains(number))
                {
                    return integers.insert(number);
                }
                let may_pack = integers.len() < packed::MAX_MEMBERS;
                self.leave_small_form(may_pack && fits(member));
            }
            Form::Packed(packed) => {
                if packed.contains(member) {
                    return false;
                }
                if !packed.is_full() && fits(member) {
                    packed.push(member);
                    return true;
                }
                self.leave_small_form(false);
            }
            Form::Indexed(indexed) => return indexed.insert(member, value),
        }
        self.insert_with(member, value)
    }

    /// Packs the members, or makes a table of them.
    fn leave_small_form(&mut self, pack: bool) {
        let form = if pack {
            let mut packed = Packed::default();
            self.iter().for_each(|member| packed.push(&member));
            Form::Packed(packed)
        } else {
            let table = Table::with_capacity(self.len() + 1);
            let mut indexed = Indexed { table, member_bytes: 0 };
            for member in self.iter() {
                indexed.insert(&member, || member.to_value());
            }
            Form::Indexed(Box::new(indexed))
        };
        self.0 = form;
    }
}

impl<'m> FromIterator<Member<'m>> for Set {
    fn from_iter<I: IntoIterator<Item = Member<'m>>>(members: I) -> Self {
        let mut set = Self::default();
        for member in members {
            set.insert_member(member);
        }
        set
    }
}

/// Whether a packed set may hold such a member.
fn fits(member: &[u8]) -> bool {
    member.len() <= packed::MAX_MEMBER
}

impl Indexed {
    fn insert(&mut self, member: &[u8], value: impl FnOnce() -> Value) -> bool {
        let hash = self.table.hash(member);
        if self.table.find(hash, member).is_some() {
            return false;
        }
        let value = value();
        self.member_bytes += value.heap_size();
        self.table.insert(hash, value);
        true
    }

    fn remove(&mut self, member: &[u8]) -> bool {
        let hash = self.table.hash(member);
        let Some(place) = self.table.find(hash, member) else { return false };
        let member = self.table.remove(place);
        self.member_bytes -= member.heap_size();
        true
    }
}

impl Member<'_> {
    fn integer(number: i64) -> Self {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(number).as_bytes();
        let mut text = [0; 20];
        text[..digits.len()].copy_from_slice(digits);
        Self::Integer(Digits { text, len: digits.len() as u8 })
    }

    /// The member, shared if it is in a block of its own.
    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Shared(value) => value.clone(),
            Self::Integer(_) | Self::Packed(_) => Value::from(&*self),
        }
    }
}

impl Deref for Member<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Integer(digits) => &digits.text[..digits.len.into()],
            Self::Packed(bytes) => bytes,
            Self::Shared(value) => value,
        }
    }
}

impl PartialEq for Member<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Member<'_> {}

impl Hash for Member<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}
