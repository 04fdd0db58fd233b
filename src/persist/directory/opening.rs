//! Opening a directory: what the manifest names must be there, and nothing else that could matter.
//!
//! A crash at any point leaves what can be opened again. What it may leave over is removed:
//! temporary files, files that a newer base has replaced, a base that no manifest has named, an
//! empty segment. Anything else that the manifest does not account for may be data, and is an
//! error.

use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::files::{Files, Kind, Lock};
use super::manifest::{Form, Listed, Manifest, Replaced, segment_name};
use super::{Core, Current, Table, invalid, no_file, of_path};
use crate::persist::{Kept, Segment, Source};
use crate::sync::Arc;

/// Of a manifest, where there are files that one should name.
const MISSING: &str = "the manifest is missing, but there is a file that it should name";

impl Core {
    pub(super) fn open(&self) -> io::Result<Kept> {
        let mut table = self.table.lock();
        if table.is_some() {
            return Err(busy(&self.place.folder_path()));
        }
        self.check_names()?;
        self.make_folders()?;
        let lock = self.lock()?;
        let (manifest, kept) = self.settle()?;
        *self.current.lock() = self.reopen(&manifest)?;
        let next_base = manifest.base.map_or(0, |base| base.number) + 1;
        *table = Some(Table {
            manifest,
            unlisted: Vec::new(),
            next_base,
            snapshot_under_way: false,
            lock,
        });
        Ok(kept)
    }

    pub(super) fn check_names(&self) -> io::Result<()> {
        for name in [&self.place.stem, &self.place.folder] {
            let plain = !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "..";
            // Redis reads lines of 1,023 bytes, where quotes may take four bytes for one.
            if !plain || name == "." || name.len() > 200 {
                let text = format!("{name:?} is no name for a file");
                return Err(io::Error::new(ErrorKind::InvalidInput, text));
            }
        }
        Ok(())
    }

    /// The folders, durable where they are. Whoever has saved a manifest has seen to that.
    fn make_folders(&self) -> io::Result<()> {
        let manifest = self.place.file(&self.place.manifest_name());
        if self.files.kind(&manifest).map_err(|error| of_path(error, &manifest))?.is_some() {
            return Ok(());
        }
        let outer = match self.place.parent.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_owned(),
            None => self.place.parent.clone(),
        };
        self.make_folder(&outer, &self.place.parent)?;
        self.make_folder(&self.place.parent, &self.place.folder_path())
    }

    fn make_folder(&self, outer: &Path, path: &Path) -> io::Result<()> {
        let found = self.files.kind(path).map_err(|error| of_path(error, path))?;
        if found.is_none() {
            self.files.create_folder(path).map_err(|error| of_path(error, path))?;
        }
        // Also if it was there: whoever made it may have ended before it was durable.
        match self.files.sync_folder(outer) {
            Err(error) if found.is_some() && is_foreign(error.kind()) => Ok(()),
            synced => synced.map_err(|error| of_path(error, outer)),
        }
    }

    pub(super) fn lock(&self) -> io::Result<Box<dyn Lock>> {
        let path = self.place.file(&format!("{}.lock", self.place.stem));
        let found = self.files.kind(&path).map_err(|error| of_path(error, &path))?;
        if !matches!(found, None | Some(Kind::File { .. })) {
            return Err(no_file(&path));
        }
        let lock = self.files.lock(&path).map_err(|error| of_path(error, &path))?;
        let lock = lock.ok_or_else(|| busy(&self.place.folder_path()))?;
        // Whoever had it before may have ended before the names that are here were durable.
        self.sync_folder()?;
        Ok(lock)
    }

    /// What is kept, for whoever takes no possession of it.
    pub(super) fn peek(&self) -> io::Result<Kept> {
        self.check_names()?;
        loop {
            let manifest = self.load()?;
            match self.look(manifest.as_ref()) {
                Ok(kept) => return Ok(kept),
                // Whoever has it open may have replaced files meanwhile; then the manifest tells.
                Err(error) if self.load()? == manifest => return Err(error),
                Err(_) => {}
            }
        }
    }

    fn look(&self, manifest: Option<&Manifest>) -> io::Result<Kept> {
        if self.single_is_to_move(manifest)? {
            let single = self.source_at(&self.place.single(), self.place.stem.clone())?;
            return Ok(Kept { snapshot: Some(opened(single)?), segments: Vec::new() });
        }
        match manifest {
            Some(manifest) => {
                let (Kept { snapshot, segments }, _) = self.survey(manifest)?;
                // Whoever has it open may remove files before they are read.
                let opened_segment =
                    |segment: Segment| Ok(Segment { source: opened(segment.source)?, ..segment });
                let segments = segments.into_iter().map(opened_segment);
                let segments = segments.collect::<io::Result<_>>()?;
                Ok(Kept { snapshot: snapshot.map(opened).transpose()?, segments })
            }
            None => {
                self.check_untouched()?;
                let path = self.place.file(&self.place.manifest_name());
                let error = io::Error::new(ErrorKind::NotFound, "nothing is kept here");
                Err(of_path(error, &path))
            }
        }
    }

    /// The manifest and what it names, once everything that a crash has left over is gone.
    fn settle(&self) -> io::Result<(Manifest, Kept)> {
        let mut manifest = self.upgrade()?;
        // Nothing is removed before everything is known to be there.
        let (kept, leftover) = self.survey(&manifest)?;
        for name in &leftover {
            let path = self.place.file(name);
            self.remove_if_there(&path).map_err(|error| of_path(error, &path))?;
        }
        if !leftover.is_empty() {
            self.sync_folder()?;
        }
        manifest.history.clear();
        Ok((manifest, kept))
    }

    /// What the manifest names, and the names of what a crash has left over.
    fn survey(&self, manifest: &Manifest) -> io::Result<(Kept, Vec<String>)> {
        let Others { leftover, unnamed } = self.others(manifest)?;
        if let Some(name) = unnamed.first() {
            let path = self.place.file(&self.place.manifest_name());
            let what = if manifest.is_empty() { MISSING } else { "it does not name" };
            return Err(invalid(&path, format!("{what}: {name}")));
        }
        Ok((self.kept(manifest)?, leftover))
    }

    /// The files in the folder that the manifest does not name.
    pub(super) fn others(&self, manifest: &Manifest) -> io::Result<Others> {
        let mut others = Others::default();
        for name in self.list()? {
            match self.role(&name, manifest) {
                Role::Known => {}
                Role::Leftover => others.leftover.push(name),
                Role::EmptySegment => match self.files.kind(&self.place.file(&name))? {
                    Some(Kind::File { length: 0 }) => others.leftover.push(name),
                    _ => others.unnamed.push(name),
                },
                Role::Unexpected(what) => {
                    let path = self.place.file(&self.place.manifest_name());
                    return Err(invalid(&path, format!("{what}: {name}")));
                }
            }
        }
        Ok(others)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let folder = self.place.folder_path();
        let mut names = self.files.list(&folder).map_err(|error| of_path(error, &folder))?;
        names.sort();
        Ok(names)
    }

    /// Whether a file of the directory, or what is cut off one, has this name.
    fn is_own(&self, name: &str) -> bool {
        let whole = name.rsplit_once(".broken").map_or(name, |(whole, _)| whole);
        name == self.place.manifest_name() || Replaced::from_name(whole, &self.place.stem).is_some()
    }

    fn role(&self, name: &str, manifest: &Manifest) -> Role {
        let stem = &self.place.stem;
        if name == self.place.manifest_name() {
            return Role::Known;
        }
        if name.strip_prefix("temp-").is_some_and(|rest| self.is_own(rest)) {
            return Role::Leftover;
        }
        if name.ends_with(".manifest") && !name.starts_with("temp-") {
            return Role::Unexpected("there is a second manifest");
        }
        let Some(file) = Replaced::from_name(name, stem) else { return Role::Known };
        if manifest.history.iter().any(|old| old.name(stem) == name) {
            return Role::Leftover;
        }
        match file {
            Replaced::Segment(number) => match &manifest.segments[..] {
                // One that a newer base has replaced was kept by somebody.
                [.., last] if number <= last.number => Role::Known,
                _ => Role::EmptySegment,
            },
            Replaced::Base(base) => match manifest.base {
                Some(known) if known.name(stem) == name => Role::Known,
                None if manifest.is_empty() => Role::Unexpected(MISSING),
                // A snapshot that was not committed.
                Some(known) if base.number > known.number => Role::Leftover,
                None if base.form == Form::Rdb => Role::Leftover,
                _ => Role::Known,
            },
        }
    }

    /// The manifest on the disk, after the single file of an older Redis was moved to its place.
    fn upgrade(&self) -> io::Result<Manifest> {
        let manifest = self.load()?;
        if !self.single_is_to_move(manifest.as_ref())? {
            return Ok(manifest.unwrap_or_default());
        }
        if manifest.is_none() {
            self.save(&Manifest::single()).map_err(|unsaved| unsaved.error)?;
        }
        let old = self.place.single();
        self.files
            .rename(&old, &self.place.file(&self.place.stem))
            .map_err(|error| of_path(error, &old))?;
        self.sync_folder()?;
        self.files.sync_folder(&self.place.parent)?;
        Ok(Manifest::single())
    }

    /// Whether the single file of an older Redis is what is kept, and in its old place.
    pub(super) fn single_is_to_move(&self, manifest: Option<&Manifest>) -> io::Result<bool> {
        if manifest.is_some_and(|manifest| *manifest != Manifest::single())
            || (manifest.is_some()
                && self.files.kind(&self.place.file(&self.place.stem))?.is_some())
        {
            return Ok(false);
        }
        let old = self.place.single();
        match self.files.kind(&old).map_err(|error| of_path(error, &old))? {
            Some(Kind::File { .. }) => {}
            Some(Kind::Other) => return Err(no_file(&old)),
            _ => return Ok(false),
        }
        if manifest.is_none() {
            self.check_untouched()?;
        }
        Ok(true)
    }

    /// No manifest must mean that there never was one.
    pub(super) fn check_untouched(&self) -> io::Result<()> {
        if self.files.kind(&self.place.folder_path())?.is_none() {
            return Ok(());
        }
        for name in self.list()? {
            if Replaced::from_name(&name, &self.place.stem).is_some() {
                let path = self.place.file(&self.place.manifest_name());
                return Err(invalid(&path, format!("{MISSING}: {name}")));
            }
        }
        Ok(())
    }

    /// The manifest on the disk, if there is one.
    pub(super) fn load(&self) -> io::Result<Option<Manifest>> {
        let path = self.place.file(&self.place.manifest_name());
        match self.files.kind(&path).map_err(|error| of_path(error, &path))? {
            None => return Ok(None),
            Some(Kind::File { .. }) => {}
            Some(_) => return Err(no_file(&path)),
        }
        let mut bytes = Vec::new();
        self.files
            .read(&path, 0)
            .and_then(|mut reader| reader.read_to_end(&mut bytes))
            .map_err(|error| of_path(error, &path))?;
        let manifest = Manifest::parse(&bytes, &self.place.stem);
        manifest.map(Some).map_err(|wrong| invalid(&path, wrong))
    }

    fn kept(&self, manifest: &Manifest) -> io::Result<Kept> {
        let stem = &self.place.stem;
        let snapshot = manifest.base.map(|base| self.source(base.name(stem))).transpose()?;
        // A server that has no keys writes no commands; an RDB file is never empty.
        let is_rdb = manifest.base.is_some_and(|base| base.form == Form::Rdb);
        let snapshot = snapshot.filter(|source| is_rdb || source.length > 0);
        let segments = manifest.segments.iter().map(|listed| {
            let source = self.source(segment_name(stem, listed.number))?;
            if let Some(wrong) = wrong_length(listed, source.length) {
                return Err(invalid(&self.place.segment(listed.number), wrong));
            }
            Ok(Segment { number: listed.number, source })
        });
        Ok(Kept { snapshot, segments: segments.collect::<io::Result<_>>()? })
    }

    pub(super) fn source(&self, name: String) -> io::Result<Source> {
        self.source_at(&self.place.file(&name), name)
    }

    fn source_at(&self, path: &Path, name: String) -> io::Result<Source> {
        let length = self.length(path)?;
        let unread = Unread { files: Arc::clone(&self.files), path: path.to_owned(), reader: None };
        // Somebody else may go on writing.
        Ok(Source { reader: Box::new(unread.take(length)), length, name })
    }

    fn reopen(&self, manifest: &Manifest) -> io::Result<Current> {
        let Some(Listed { number, .. }) = manifest.segments.last().copied() else {
            return Ok(Current::default());
        };
        let path = self.place.segment(number);
        let file = self.files.open(&path).map_err(|error| of_path(error, &path))?;
        Ok(Current { number, file: Some(file), failed: None })
    }
}

/// Whether a folder that answers so to a sync is one in which nobody like us can have made another.
fn is_foreign(error: ErrorKind) -> bool {
    use ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error, InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}

/// A file that is opened when it is first read: there may be more segments than a process may have
/// files open.
struct Unread {
    files: Arc<dyn Files>,
    path: PathBuf,
    reader: Option<Box<dyn Read + Send>>,
}

impl Read for Unread {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { files, path, reader } = self;
        let reader = match reader {
            Some(reader) => reader,
            None => {
                let opened = files.read(path, 0).map_err(|error| of_path(error, path))?;
                reader.insert(opened)
            }
        };
        reader.read(buffer)
    }
}

/// The same with its file open from now on.
fn opened(mut source: Source) -> io::Result<Source> {
    // To read nothing opens it.
    let nothing = source.reader.read(&mut [])?;
    debug_assert_eq!(nothing, 0);
    Ok(source)
}

/// What is wrong with the length of a segment's file, if anything is.
pub(super) fn wrong_length(listed: &Listed, length: u64) -> Option<String> {
    let ended = listed.length.filter(|ended| *ended != length)?;
    let who = match length > ended {
        true => ": somebody has gone on writing to it, perhaps a server that was still running",
        false => "",
    };
    Some(format!("it has {length} bytes, and had {ended} when it was ended{who}"))
}

/// Files that a manifest does not name.
#[derive(Default)]
pub(super) struct Others {
    /// What a crash has left over.
    pub(super) leftover: Vec<String>,
    /// Segments that are not empty.
    pub(super) unnamed: Vec<String>,
}

/// What a name in the folder means for an opening.
enum Role {
    /// Named by the manifest, or of no concern.
    Known,
    /// To be removed.
    Leftover,
    /// To be removed if it is empty; otherwise nobody knows what it belongs to.
    EmptySegment,
    Unexpected(&'static str),
}

pub(super) fn busy(folder: &Path) -> io::Error {
    let text = format!(
        "{}: another store has it open, in another process or in this one, where a clone, a \
         connection or a server keeps a store open until `Store::close`",
        folder.display()
    );
    io::Error::new(ErrorKind::ResourceBusy, text)
}
