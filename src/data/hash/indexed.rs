//! A large hash: a table of blocks, each a field's name, value and deadline, and an index of the
//! deadlines.
//!
//! # Invariants
//!
//! 1. `block_bytes` is the sum of the blocks' sizes.
//! 2. `deadlines` counts, by deadline and hash of the name, the fields that have one; it is `None`
//!    if none has.
//!
//! # Complexity
//!
//! By name: O(1), and O(log d) with `d` deadlines to set or lose one. What is due: O(log d) and
//! O(1) a field.

use std::collections::BTreeMap;

use crate::block::{Block, Parts};
use crate::data::table::{Keyed, Table};

use super::{Change, Field};

/// What a record of a deadline takes.
const RECORD_BYTES: usize = size_of::<(u64, u64)>() + size_of::<u32>();

impl Keyed for Block {
    #[inline]
    fn key(&self) -> &[u8] {
        Block::key(self)
    }
}

#[derive(Clone)]
pub(super) struct Indexed {
    table: Table<Block>,
    block_bytes: usize,
    deadlines: Option<Box<Deadlines>>,
}

/// How many fields have a deadline, by (deadline, hash of the name).
#[derive(Clone, Default)]
struct Deadlines {
    records: BTreeMap<(u64, u64), u32>,
    fields: usize,
}

impl Indexed {
    /// An empty hash with room for `len` fields.
    pub(super) fn with_capacity(len: usize) -> Self {
        Self { table: Table::with_capacity(len), block_bytes: 0, deadlines: None }
    }

    /// The fields by their names.
    pub(super) fn table(&self) -> &Table<Block> {
        &self.table
    }

    /// Bytes on the heap, but for this struct.
    pub(super) fn bytes(&self) -> usize {
        let deadlines = self
            .deadlines
            .as_ref()
            .map_or(0, |deadlines| size_of::<Deadlines>() + deadlines.records.len() * RECORD_BYTES);
        // The table counts itself, which is a part of this struct.
        self.table.bytes() - size_of::<Table<Block>>() + self.block_bytes + deadlines
    }

    pub(super) fn earliest_deadline(&self) -> Option<u64> {
        let ((deadline, _), _) = self.deadlines.as_ref()?.records.first_key_value()?;
        Some(*deadline)
    }

    /// How many fields have deadlines that are `now` or before.
    pub(super) fn count_due(&self, now: u64) -> usize {
        let Some(deadlines) = &self.deadlines else { return 0 };
        if self.is_spent(now) {
            return deadlines.fields;
        }
        deadlines.records.range(..=(now, u64::MAX)).map(|(_, fields)| *fields as usize).sum()
    }

    /// Whether all fields have deadlines that are `now` or before.
    pub(super) fn is_spent(&self, now: u64) -> bool {
        self.deadlines.as_ref().is_some_and(|deadlines| {
            let last = deadlines.records.last_key_value();
            deadlines.fields == self.table.len() && last.is_none_or(|((at, _), _)| *at <= now)
        })
    }

    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<Field<'_>> {
        self.table.get(name).map(Field::of_block)
    }

    pub(super) fn put(&mut self, name: &[u8], value: &[u8], deadline: Option<u64>) -> Change {
        let hash = self.table.hash(name);
        let parts = Parts { key: name, value, deadline, ..Parts::default() };
        let Some(place) = self.table.find(hash, name) else {
            let block = Block::new(parts);
            self.block_bytes += block.heap_size();
            self.table.insert(hash, block);
            self.redate(hash, None, deadline);
            return Change { existed: false, displaced: None };
        };
        let block = self.table.at_mut(place);
        let (old_size, old_deadline) = (block.heap_size(), block.deadline());
        let dates_alike = match deadline {
            None => old_deadline.is_none(),
            Some(deadline) => block.move_deadline(deadline),
        };
        let displaced = match dates_alike && block.overwrite(value) {
            true => None,
            false => Some(std::mem::replace(block, Block::new(parts))),
        };
        self.block_bytes = self.block_bytes + block.heap_size() - old_size;
        self.redate(hash, old_deadline, deadline);
        Change { existed: true, displaced }
    }

    pub(super) fn set_deadline(&mut self, name: &[u8], deadline: Option<u64>) -> Change {
        let hash = self.table.hash(name);
        let Some(place) = self.table.find(hash, name) else {
            return Change { existed: false, displaced: None };
        };
        let old_deadline = self.table.at(place).deadline();
        if old_deadline == deadline {
            return Change { existed: true, displaced: None };
        }
        let block = self.table.at_mut(place);
        let old_size = block.heap_size();
        let mut displaced = None;
        if !deadline.is_some_and(|deadline| block.move_deadline(deadline)) {
            let parts = Parts { key: name, value: block.value(), deadline, ..Parts::default() };
            let new = Block::new(parts);
            displaced = Some(std::mem::replace(block, new));
        }
        self.block_bytes = self.block_bytes + block.heap_size() - old_size;
        self.redate(hash, old_deadline, deadline);
        Change { existed: true, displaced }
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Block> {
        let hash = self.table.hash(name);
        let block = self.table.remove(self.table.find(hash, name)?);
        self.block_bytes -= block.heap_size();
        self.redate(hash, block.deadline(), None);
        Some(block)
    }

    /// Removes up to `limit` of the fields whose deadlines are `now` or before.
    pub(super) fn expire(&mut self, now: u64, limit: usize) -> Vec<Block> {
        let mut expired = Vec::new();
        while expired.len() < limit {
            let Some(deadlines) = &self.deadlines else { break };
            let earliest = deadlines.records.first_key_value();
            let Some((&(deadline, hash), _)) = earliest.filter(|((at, _), _)| *at <= now) else {
                break;
            };
            let table = &self.table;
            let place = table.find_by(hash, |block| {
                block.deadline() == Some(deadline) && table.hash(block.key()) == hash
            });
            let block = self.table.remove(place.expect("a record stands for a field"));
            self.block_bytes -= block.heap_size();
            self.redate(hash, Some(deadline), None);
            expired.push(block);
        }
        expired
    }

    /// Asserts the module's invariants.
    #[cfg(any(test, fuzzing))]
    pub(super) fn check(&self) {
        self.table.check();
        let block_bytes: usize = self.table.iter().map(Block::heap_size).sum();
        assert_eq!(block_bytes, self.block_bytes);
        let mut records = BTreeMap::new();
        for block in self.table.iter() {
            if let Some(deadline) = block.deadline() {
                *records.entry((deadline, self.table.hash(block.key()))).or_default() += 1_u32;
            }
        }
        assert_eq!(self.deadlines.is_some(), !records.is_empty());
        if let Some(deadlines) = &self.deadlines {
            assert_eq!(deadlines.records, records);
            let fields: u32 = records.values().sum();
            assert_eq!(deadlines.fields, fields as usize);
        }
    }

    /// Keeps the index when a field's deadline changes.
    fn redate(&mut self, hash: u64, from: Option<u64>, to: Option<u64>) {
        if from == to {
            return;
        }
        let deadlines = self.deadlines.get_or_insert_default();
        if let Some(from) = from {
            let record = deadlines.records.get_mut(&(from, hash)).expect("a record of the field");
            *record -= 1;
            if *record == 0 {
                deadlines.records.remove(&(from, hash));
            }
            deadlines.fields -= 1;
        }
        if let Some(to) = to {
            *deadlines.records.entry((to, hash)).or_default() += 1;
            deadlines.fields += 1;
        }
        if deadlines.fields == 0 {
            self.deadlines = None;
        }
    }
}
