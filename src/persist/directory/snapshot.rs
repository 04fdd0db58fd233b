//! A base that is being written, under a temporary name until it is committed.

use std::io::{self, ErrorKind, Write};

use super::files::File;
use super::manifest::{Base, Form, Manifest, Replaced, check_number};
use super::{Core, Table, not_open, of_path};
use crate::persist::Snapshot;
use crate::sync::Arc;

/// Bytes that are written at once.
const CHUNK: usize = 256 * 1024;
/// Bytes that are synced at once. A file system may have a sync of the log wait for all that is to
/// be written of other files.
const STRIDE: usize = 4 << 20;

/// Begins one, of everything before the current segment.
pub(super) fn begin(core: &Arc<Core>) -> io::Result<Box<dyn Snapshot>> {
    let mut table = core.table.lock();
    let table = table.as_mut().ok_or_else(not_open)?;
    table.check_place(&core.place)?;
    if table.snapshot_under_way {
        return Err(io::Error::new(ErrorKind::ResourceBusy, "a snapshot is being written"));
    }
    let first = {
        let mut current = core.current.lock();
        current.file()?;
        current.number
    };
    check_number(table.next_base)?;
    let base = Base { number: table.next_base, form: Form::Rdb };
    let temporary = core.place.temporary_name(&base.name(&core.place.stem));
    let path = core.place.file(&temporary);
    let file = core.remove_if_there(&path).and_then(|()| core.files.create(&path));
    let file = file.map_err(|error| of_path(error, &path))?;
    table.next_base += 1;
    table.snapshot_under_way = true;
    let core = core.clone();
    let buffer = Vec::new();
    Ok(Box::new(DirectorySnapshot { core, first, base, temporary, file, buffer, unsynced: 0 }))
}

struct DirectorySnapshot {
    core: Arc<Core>,
    /// The first segment that it does not replace.
    first: u64,
    base: Base,
    /// The name of the file, until it gets its own.
    temporary: String,
    file: Box<dyn File>,
    buffer: Vec<u8>,
    /// Bytes since the last sync.
    unsynced: usize,
}

impl DirectorySnapshot {
    /// Gives the file its own name, durably.
    fn publish(&mut self) -> io::Result<()> {
        self.flush()?;
        let (from, to) = (
            self.core.place.file(&self.temporary),
            self.core.place.file(&self.base.name(&self.core.place.stem)),
        );
        self.file.sync().map_err(|error| of_path(error, &from))?;
        self.core.check_place()?;
        self.core.files.rename(&from, &to).map_err(|error| of_path(error, &from))?;
        self.core.sync_folder()
    }

    /// Makes this the base; answers what is of no use any more.
    fn replace_manifest(&self) -> io::Result<Vec<Replaced>> {
        let mut table = self.core.table.lock();
        let table = table.as_mut().ok_or_else(not_open)?;
        table.check_place(&self.core.place)?;
        let failed = self.core.current.lock().failed;
        let (manifest, heals) = self.manifest(table, failed);
        // Segments are begun under the lock of the table alone, and none is appended to or synced
        // before it is healed, so `failed` still tells of those that are named.
        self.core.save(&manifest).map_err(|unsaved| unsaved.error)?;
        table.manifest = manifest;
        if heals {
            table.unlisted.clear();
            let mut current = self.core.current.lock();
            current.failed = current.failed.filter(|now| failed != Some(*now));
        }
        Ok(table.manifest.history.clone())
    }

    /// The manifest with this base, and whether it makes good for a sync that failed.
    fn manifest(&self, table: &Table, failed: Option<u64>) -> (Manifest, bool) {
        let heals = failed.is_some_and(|failed| failed < self.first);
        let listed = table.manifest.segments.iter();
        let unlisted = table.unlisted.iter().filter(|_| heals);
        let all = listed.chain(unlisted).copied();
        let (segments, replaced) = all.partition::<Vec<_>, _>(|listed| listed.number >= self.first);
        let mut history = table.manifest.history.clone();
        history.extend(table.manifest.base.map(Replaced::Base));
        history.extend(replaced.iter().map(|listed| Replaced::Segment(listed.number)));
        (Manifest { base: Some(self.base), history, segments }, heals)
    }
}

impl Write for DirectorySnapshot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unsynced += self.buffer.len();
        let mut outcome = self.file.append(&self.buffer);
        self.buffer.clear();
        if self.unsynced >= STRIDE {
            self.unsynced = 0;
            outcome = outcome.and_then(|()| self.file.sync());
        }
        outcome.map_err(|error| of_path(error, &self.core.place.file(&self.temporary)))
    }
}

impl Snapshot for DirectorySnapshot {
    fn commit(mut self: Box<Self>) -> io::Result<()> {
        self.publish()?;
        let history = self.replace_manifest()?;
        // Without a lock, as this may take long. What is left over is deleted at the next opening.
        if self.core.check_place().and_then(|()| self.core.delete(&history)).is_ok()
            && let Some(table) = self.core.table.lock().as_mut()
        {
            table.manifest.history.clear();
        }
        Ok(())
    }
}

impl Core {
    fn check_place(&self) -> io::Result<()> {
        self.table.lock().as_ref().ok_or_else(not_open)?.check_place(&self.place)
    }

    fn delete(&self, history: &[Replaced]) -> io::Result<()> {
        for replaced in history {
            self.remove_if_there(&self.place.file(&replaced.name(&self.place.stem)))?;
        }
        self.sync_folder()
    }
}

impl Drop for DirectorySnapshot {
    fn drop(&mut self) {
        // Nothing is there if it was committed; what cannot be removed is when it is opened next.
        if self.core.check_place().is_ok() {
            let _ = self.core.remove_if_there(&self.core.place.file(&self.temporary));
        }
        if let Some(table) = self.core.table.lock().as_mut() {
            table.snapshot_under_way = false;
        }
    }
}
