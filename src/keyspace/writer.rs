//! The only place that changes the keyspace.
//!
//! Every mutator keeps the shard's account and index, breaks watches, marks the key as ready for
//! those who wait, records what it did for the journal, and leaves what it displaced for after the
//! lock: an operation cannot forget any of it. What a mutator does by way of another is recorded
//! once.

use std::any::Any;
use std::ops::Deref;

use smallvec::SmallVec;

use super::effect::Effect;
use super::events::{Event, EventKind};
use super::journal::Recorder;
use super::object::{Data, Object};
use super::shard::{Held, Removed, Shard, Text};
use super::view::View;
use super::{After, Moment};
use crate::block::{Block, Parts};
use crate::error::{Error, Result};
use crate::value::Value;

/// One key, under its shard's exclusive lock.
pub(crate) struct Writer<'s> {
    pub(super) shard: &'s mut Shard,
    pub(super) database: u16,
    pub(super) hash: u64,
    pub(super) key: &'s [u8],
    pub(crate) moment: &'s Moment<'s>,
    pub(super) after: &'s mut After,
    /// Whether nothing but this is done under the locks that are held.
    pub(super) is_alone: bool,
}

/// What a key held, taken out of the keyspace, or copied, to be put elsewhere.
pub(crate) struct Taken {
    /// The entry it was: its key, its deadline, and the string if it is one.
    block: Block,
    object: Option<Object>,
    database: u16,
    is_copy: bool,
}

impl<'s> Writer<'s> {
    pub(crate) fn key(&self) -> &'s [u8] {
        self.key
    }

    /// The key as a reader sees it.
    #[inline]
    pub(crate) fn view(&self) -> View<'_> {
        View::find(self.shard, self.hash, self.key, self.moment)
    }

    /// The same for one who answers what it holds.
    #[inline]
    pub(crate) fn look_up(&self) -> View<'_> {
        View::look_up(self.shard, self.hash, self.key, self.moment)
    }

    /// Sets the key to a string with this deadline, whatever it held.
    #[inline]
    pub(crate) fn set_string(&mut self, value: &[u8], deadline: Option<u64>) {
        self.store_string(value, deadline);
        if self.moment.databases.journal().is_some() {
            self.record_set(value, deadline);
        }
    }

    /// Sets the key to a string and tells of it, as the last that an operation does: if it does
    /// nothing else, no record need be gathered.
    #[inline]
    pub(crate) fn set_string_last(
        mut self,
        value: &[u8],
        deadline: Option<u64>,
        events: &[EventKind],
    ) {
        self.store_string(value, deadline);
        if let Some(journal) = self.moment.databases.journal() {
            if self.is_alone && self.after.record.is_none() {
                let unix_ms = deadline.map(|deadline| self.moment.unix_of(deadline));
                let position = journal.append_set(self.database, self.key, value, unix_ms);
                self.after.position = self.after.position.max(position);
            } else {
                self.record_set(value, deadline);
            }
        }
        events.iter().for_each(|kind| self.notify(*kind));
    }

    #[inline]
    fn store_string(&mut self, value: &[u8], deadline: Option<u64>) {
        let moment = self.moment;
        let is_due = |deadline| moment.has_passed(deadline);
        if !self.shard.overwrite_string(self.hash, self.key, value, deadline, is_due) {
            self.replace_string(value, deadline);
        }
        self.changed();
    }

    /// Sets the key to a string in a block of its own.
    #[inline(never)]
    fn replace_string(&mut self, value: &[u8], deadline: Option<u64>) {
        if self.shard.has_deadlines() {
            self.purge();
        }
        let hasher = self.moment.databases.hasher();
        let stamp = self.moment.stamp();
        let parts = Parts { key: self.key, value, deadline, stamp, ..Parts::default() };
        if let Some(displaced) = self.shard.set_string(hasher, self.hash, parts) {
            self.after.removed.push(displaced);
        }
        if let Some(deadline) = deadline {
            self.note_deadline(deadline);
        }
    }

    /// Replaces the string by what `change` makes of it (`None`: the key does not exist), in one
    /// look-up if it exists; the deadline stays.
    #[inline]
    pub(crate) fn update_string<T: Text, R>(
        &mut self,
        mut change: impl FnMut(Option<&[u8]>) -> Result<(T, R)>,
    ) -> Result<R> {
        let moment = self.moment;
        let is_due = |deadline| moment.has_passed(deadline);
        let (hash, key) = (self.hash, self.key);
        let updated = self.shard.update_string(hash, key, is_due, |old| change(Some(old)))?;
        if let Some((answer, displaced)) = updated {
            if let Some(displaced) = displaced {
                self.after.removed.push(Removed::String(displaced));
            }
            self.changed();
            if self.moment.databases.journal().is_some() {
                self.record_string();
            }
            return Ok(answer);
        }
        let (text, answer) = change(None)?;
        text.with(|value| self.set_string(value, None));
        Ok(answer)
    }

    /// Appends to the string, or creates it; answers its new length. The deadline stays.
    pub(crate) fn append(&mut self, tail: &[u8]) -> Result<usize> {
        let Some(length) = self.view().bytes()?.map(<[u8]>::len) else {
            self.set_string(tail, None);
            return Ok(tail.len());
        };
        self.after.removed.extend(self.shard.append(self.hash, self.key, tail));
        self.changed();
        self.record(|| Effect::Append { tail });
        Ok(length + tail.len())
    }

    /// Overwrites the string from `offset` on, filling a gap with zeros. The deadline stays.
    pub(crate) fn write_at(&mut self, offset: usize, bytes: &[u8]) -> Result<()> {
        if self.view().bytes()?.is_none() {
            self.set_string(b"", None);
        }
        self.after.removed.extend(self.shard.write_at(self.hash, self.key, offset, bytes));
        self.changed();
        self.record(|| Effect::Overwrite { offset, bytes });
        Ok(())
    }

    /// Sets or removes the deadline of a key that exists.
    pub(crate) fn set_deadline(&mut self, deadline: Option<u64>) {
        let displaced = self.shard.set_deadline(self.hash, self.key, deadline);
        self.after.removed.extend(displaced.map(Removed::String));
        if let Some(deadline) = deadline {
            self.note_deadline(deadline);
        }
        self.changed();
        if let Some(mut recorder) = self.recorder() {
            let unix_ms = deadline.map(|deadline| recorder.unix_of(deadline));
            recorder.keep(&unix_ms.map_or(Effect::Persist, |unix_ms| Effect::Expire { unix_ms }));
        }
    }

    /// Removes the key; answers whether it existed.
    pub(crate) fn remove(&mut self) -> bool {
        let existed = self.discard();
        if existed {
            self.record(|| Effect::Delete);
        }
        existed
    }

    /// Removes the key, which follows from something else that is recorded.
    fn discard(&mut self) -> bool {
        if !self.purge() {
            return false;
        }
        let removed = self.shard.remove(self.hash, self.key);
        self.after.removed.extend(removed);
        self.changed();
        true
    }

    /// Takes what the key holds out of the keyspace. It must be put elsewhere, which records both.
    pub(crate) fn take(&mut self) -> Option<Taken> {
        if !self.purge() {
            return None;
        }
        let removed = self.shard.remove(self.hash, self.key)?;
        self.changed();
        let (block, object) = match removed {
            Removed::String(block) => (block, None),
            Removed::Object(block, object) => (block, Some(object)),
        };
        Some(Taken { block, object, database: self.database, is_copy: false })
    }

    /// Puts what was taken or copied elsewhere under this key, whatever it held.
    pub(crate) fn put(&mut self, taken: Taken) {
        let Taken { block, object, database, is_copy } = taken;
        match object {
            None => self.store_string(block.value(), block.deadline()),
            Some(object) => self.store_object(object, block.deadline()),
        }
        let (to, databases) = (self.key, self.moment.databases);
        let Some(mut recorder) = self.after.recorder(databases, database, block.key()) else {
            return;
        };
        recorder.keep(&match is_copy {
            true => Effect::Copy { to, database: self.database },
            false if database == self.database => Effect::Rename { to },
            false => Effect::Move { to: self.database },
        });
    }

    /// Replaces what the key holds by a structure; an empty one that cannot live removes it.
    pub(crate) fn put_data<D: Data>(&mut self, data: D) {
        if data.is_empty() && !D::LIVES_EMPTY {
            self.remove();
        } else {
            self.put_object(data.into_object(), None);
        }
    }

    /// Replaces what the key holds by an object, which may live.
    pub(crate) fn put_object(&mut self, object: Object, deadline: Option<u64>) {
        // What has lapsed comes first.
        self.purge();
        if let Some(mut recorder) = self.recorder() {
            let unix_ms = deadline.map(|deadline| recorder.unix_of(deadline));
            let wall_offset = recorder.unix_of(0);
            recorder.keep(&Effect::Put { object: &object, unix_ms, wall_offset });
        }
        self.store_object(object, deadline);
    }

    fn store_object(&mut self, object: Object, deadline: Option<u64>) {
        self.discard();
        let hasher = self.moment.databases.hasher();
        let times = (deadline, self.moment.stamp());
        let due = self.shard.insert_object(hasher, self.hash, self.key, object, times);
        if let Some(due) = due {
            self.note_deadline(due);
        }
        self.changed();
    }

    /// Changes the structure that the key holds; `None` if the key does not exist. A structure
    /// left empty takes its key with it, unless its type lives empty.
    pub(crate) fn edit<D: Data, R>(
        &mut self,
        edit: impl FnOnce(&mut Edit<'_, D>) -> Result<R>,
    ) -> Result<Option<R>> {
        if self.shard.has_deadlines() {
            self.purge();
        }
        let recorder = self.after.recorder(self.moment.databases, self.database, self.key);
        let outcome = self.shard.edit(self.hash, self.key, |data: &mut D| {
            let mut changes = Edit::new(data, recorder);
            let answer = edit(&mut changes);
            let emptied = !D::LIVES_EMPTY && changes.is_empty();
            (answer, changes.outcome, emptied)
        });
        let Some(((answer, outcome, emptied), due)) = outcome else {
            let exists = self.shard.find(self.hash, self.key).is_some();
            return if exists { Err(Error::WrongType) } else { Ok(None) };
        };
        if let Some(due) = due {
            self.note_deadline(due);
        }
        if outcome.changed {
            self.changed();
        }
        self.report(outcome);
        if emptied {
            self.discard();
            self.notify(EventKind::Deleted);
        }
        answer.map(Some)
    }

    /// Changes the structure that the key holds, creating it if the key does not exist; on an
    /// error, or if it stays empty and cannot live so, nothing is created.
    pub(crate) fn edit_or_create<D: Data, R>(
        &mut self,
        edit: impl FnOnce(&mut Edit<'_, D>) -> Result<R>,
    ) -> Result<R> {
        let mut edit = Some(edit);
        let mut once = |data: &mut Edit<'_, D>| edit.take().expect("an edit runs once")(data);
        if let Some(answer) = self.edit(&mut once)? {
            return Ok(answer);
        }
        let mut data = D::default();
        let mut recorder = self.after.recorder(self.moment.databases, self.database, self.key);
        let mark = recorder.as_mut().map(Recorder::mark);
        let mut changes = Edit::new(&mut data, recorder);
        let answer = once(&mut changes);
        let outcome = changes.outcome;
        let creates = answer.is_ok() && (D::LIVES_EMPTY || !data.is_empty());
        if creates {
            self.store_object(data.into_object(), None);
        } else if let (Some(mark), Some(mut recorder)) = (mark, self.recorder()) {
            recorder.rewind(mark);
        }
        let answer = answer?;
        self.report(outcome);
        Ok(answer)
    }

    /// Publishes what an edit wants told, and keeps what it discarded for after the lock.
    #[inline]
    fn report(&mut self, outcome: Outcome) {
        if let Some(kind) = outcome.event {
            self.notify(kind);
        }
        if !outcome.displaced.is_empty() {
            self.after.removed.extend(outcome.displaced.into_iter().map(Removed::String));
        }
        if let Some(discarded) = outcome.discarded {
            self.after.rest().discarded.push(discarded);
        }
    }

    /// A copy of what `view` shows of a key in `database`, to be put elsewhere.
    pub(crate) fn copy_of(view: View<'_>, database: u16) -> Option<Taken> {
        let (block, held) = view.entry()?;
        let object = match held {
            Held::String(_) => None,
            Held::Object(object) => Some(object.clone()),
        };
        Some(Taken { block: block.clone(), object, database, is_copy: true })
    }

    /// Tells subscribers of events what happened to the key.
    #[inline]
    pub(crate) fn notify(&mut self, kind: EventKind) {
        if self.moment.databases.events.has_listeners() {
            self.push_event(kind, None);
        }
    }

    #[cold]
    fn push_event(&mut self, kind: EventKind, value: Option<Value>) {
        let key = Value::from(self.key);
        let event = Event { database: self.database, key, kind, value };
        self.after.note_event(self.moment.databases, event);
    }

    /// Removes the entry, or parts of its object, if their deadlines have passed; answers whether
    /// the key exists then.
    #[inline]
    pub(super) fn purge(&mut self) -> bool {
        let Some(block) = self.shard.find(self.hash, self.key) else { return false };
        let due = self.shard.next_deadline(block);
        !due.is_some_and(|deadline| self.moment.has_passed(deadline)) || self.lapse()
    }

    /// Removes what is due; answers whether the key exists then.
    #[cold]
    fn lapse(&mut self) -> bool {
        let lapsed = self.shard.lapse(self.hash, self.key, self.moment.now(), usize::MAX);
        if let Some(lapsed) = lapsed {
            self.after.note_lapsed(self.moment.databases, self.database, lapsed);
            self.changed();
        }
        self.shard.find(self.hash, self.key).is_some()
    }

    /// Where changes of the key are recorded, if there is a journal.
    #[inline]
    fn recorder(&mut self) -> Option<Recorder<'_>> {
        self.after.recorder(self.moment.databases, self.database, self.key)
    }

    #[inline]
    fn record<'f>(&mut self, effect: impl FnOnce() -> Effect<'f>) {
        if let Some(mut recorder) = self.recorder() {
            recorder.keep(&effect());
        }
    }

    /// Records that the key was set to a string.
    #[inline(never)]
    fn record_set(&mut self, value: &[u8], deadline: Option<u64>) {
        if let Some(mut recorder) = self.recorder() {
            let unix_ms = deadline.map(|deadline| recorder.unix_of(deadline));
            recorder.keep(&Effect::Set { value, unix_ms });
        }
    }

    /// Records the string that the key holds now.
    #[inline(never)]
    fn record_string(&mut self) {
        let recorder = self.after.recorder(self.moment.databases, self.database, self.key);
        let block = self.shard.find(self.hash, self.key);
        if let (Some(mut recorder), Some(block)) = (recorder, block) {
            let unix_ms = block.deadline().map(|deadline| recorder.unix_of(deadline));
            recorder.keep(&Effect::Set { value: block.value(), unix_ms });
        }
    }

    #[inline]
    fn note_deadline(&mut self, deadline: u64) {
        self.after.note_deadline(self.moment.databases, deadline);
        self.shard.tidy(self.moment.databases.hasher());
    }

    /// Notes that what the key holds is used, if that is kept: whoever opens a key for changes uses
    /// it, whether or not there are any.
    #[inline]
    pub(super) fn note_use(&self) {
        if self.moment.databases.uses.are_kept()
            && let Some(block) = self.shard.find(self.hash, self.key)
        {
            self.moment.note_use(block);
        }
    }

    /// Breaks watches and marks the key as ready for those who wait.
    #[inline]
    fn changed(&mut self) {
        if !self.shard.interests.is_empty() && self.shard.interests.changed(self.key) {
            self.after.note_ready(self.database, self.key);
        }
    }
}

impl Removed {
    /// The string that was removed.
    pub(super) fn value(&self) -> Option<Value> {
        match self {
            Self::String(block) => Some(Value::from_block(block.clone())),
            Self::Object(..) => None,
        }
    }

    pub(super) fn key(&self) -> &[u8] {
        match self {
            Self::String(block) | Self::Object(block, _) => block.key(),
        }
    }
}

/// A structure open for changes. It reads as the structure; its own methods, one per kind of
/// change, are the only way to change it.
pub(crate) struct Edit<'d, D> {
    pub(super) data: &'d mut D,
    pub(super) outcome: Outcome,
    pub(super) recorder: Option<Recorder<'d>>,
}

/// What follows from an edit.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) changed: bool,
    /// Blocks that the structure lost, to be dropped once the lock is released.
    pub(super) displaced: SmallVec<[Block; 1]>,
    event: Option<EventKind>,
    discarded: Option<Box<dyn Any + Send>>,
}

impl<D> Deref for Edit<'_, D> {
    type Target = D;

    #[inline]
    fn deref(&self) -> &D {
        self.data
    }
}

impl<'d, D> Edit<'d, D> {
    fn new(data: &'d mut D, recorder: Option<Recorder<'d>>) -> Self {
        Self { data, outcome: Outcome::default(), recorder }
    }

    /// Records a change that was made.
    #[inline]
    pub(super) fn record<'f>(&mut self, effect: impl FnOnce() -> Effect<'f>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.keep(&effect());
        }
    }

    /// The structure, to be changed.
    #[inline]
    pub(super) fn change(&mut self) -> &mut D {
        self.outcome.changed = true;
        self.data
    }

    /// Tells subscribers of events what happened: once, and before they hear that the key is
    /// gone, should it end empty.
    #[inline]
    pub(crate) fn notify(&mut self, kind: EventKind) {
        self.outcome.event = Some(kind);
    }

    /// Keeps what was taken out of the structure, to be dropped once the lock is released.
    pub(crate) fn discard(&mut self, parts: impl Send + 'static) {
        self.outcome.discarded = Some(Box::new(parts));
    }
}
