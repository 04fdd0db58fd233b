//! Cutting a damaged directory back to what is good of it.
//!
//! Invariants: before the manifest is replaced, the one on the disk still names something that is
//! damaged or missing, so that the directory is refused; the new one names what is good, with the
//! length of the last file, and is refused until that file was cut. So a crash at any point leaves
//! a directory that is refused, and of which a second repair makes the same.

use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;

use super::files::Kind;
use super::manifest::{Listed, Manifest, segment_name};
use super::opening::{busy, wrong_length};
use super::{Core, of_path};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::keyspace::{Databases, Maintenance};
use crate::persist::load::load_to_damage;
use crate::persist::{Damage, Kept, Segment};

/// What [`Directory::repair`](super::Directory::repair) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repair {
    /// The first damage, from which on everything was cut off.
    pub damage: Damage,
    /// What was cut off, in the order in which it was written.
    pub cut: Vec<Cut>,
}

/// What was cut off of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cut {
    /// The name of the file.
    pub file: String,
    /// How many bytes it lost: all of them, but for the file that is damaged first.
    pub bytes: u64,
    /// Where they are now.
    pub kept_in: PathBuf,
}

/// What is wrong with the files, behind what can be read of them.
struct Behind {
    damage: Option<Damage>,
    /// Segments that nothing names.
    unnamed: Vec<String>,
}

/// Where to cut.
struct Found {
    damage: Damage,
    /// Whether it is the base that is damaged.
    in_base: bool,
    /// How many segments are whole; the one behind them is damaged, if the base is not.
    whole: usize,
    /// Segments that nothing names, to be set aside as a whole.
    unnamed: Vec<String>,
}

impl Core {
    pub(super) fn repair(&self) -> Result<Repair> {
        let table = self.table.lock();
        if table.is_some() {
            return Err(busy(&self.place.folder_path()).into());
        }
        self.check_names()?;
        let Some(manifest) = self.load().map_err(beyond_repair)? else {
            self.check_untouched().map_err(beyond_repair)?;
            if self.single_is_to_move(None)? {
                return Err(nothing_to_repair(
                    "here is the one file of Redis before 7.0, which an opening takes over first",
                ));
            }
            let nothing = io::Error::new(ErrorKind::NotFound, "nothing is kept here to repair");
            return Err(of_path(nothing, &self.place.folder_path()).into());
        };
        let _lock = self.lock()?;
        let (kept, behind) = self.readable(&manifest).map_err(beyond_repair)?;
        // Any database may be meant: how many a store is to have is not known here.
        let databases = Databases::new(u16::MAX, Clock::system(), Maintenance::new(false));
        // What is sound and not supported is an error here, so nothing is cut off for it.
        let (_, within) = load_to_damage(kept, &databases, &mut |_| ())?;
        let found = self.find_damage(&manifest, within, behind).map_err(beyond_repair)?;
        let cut = self.cut(manifest, &found)?;
        Ok(Repair { damage: found.damage, cut })
    }

    /// What is there and as long as it was.
    fn readable(&self, manifest: &Manifest) -> Result<(Kept, Behind)> {
        let unnamed = self.others(manifest)?.unnamed;
        let base = manifest.base.map(|base| base.name(&self.place.stem));
        let snapshot = base.map(|name| self.source(name)).transpose()?;
        let mut segments = Vec::new();
        let mut damage = None;
        for listed in &manifest.segments {
            let (segment, wrong) = self.segment_to_damage(*listed)?;
            segments.extend(segment);
            damage = wrong;
            if damage.is_some() {
                break;
            }
        }
        if damage.is_none()
            && let Some(name) = unnamed.first()
        {
            damage = Some(self.damage_of(name.clone(), 0, "the manifest does not name it")?);
        }
        Ok((Kept { snapshot, segments }, Behind { damage, unnamed }))
    }

    /// Where to cut, given what is wrong within what can be read and behind it.
    fn find_damage(
        &self,
        manifest: &Manifest,
        within: Option<Damage>,
        behind: Behind,
    ) -> Result<Found> {
        let Behind { damage: behind, unnamed } = behind;
        let stem = &self.place.stem;
        let base = manifest.base.map(|base| base.name(stem));
        let is_in_base = |damage: &Damage| base.as_ref() == Some(&damage.file);
        let opening_cuts = |damage: &Damage| damage.is_torn && !is_in_base(damage);
        if behind.is_none() && within.as_ref().is_some_and(opening_cuts) {
            return Err(nothing_to_repair("opening cuts off the end that a crash has torn"));
        }
        let sound = || nothing_to_repair("no damage is found");
        let damage = within.or(behind).ok_or_else(sound)?;
        let damage = Damage { is_torn: false, ..damage };
        let in_base = is_in_base(&damage);
        let names = manifest.segments.iter().map(|listed| segment_name(stem, listed.number));
        let whole = if in_base { 0 } else { names.take_while(|name| *name != damage.file).count() };
        if damage.valid_length == 0 && whole == 0 && (in_base || base.is_none()) {
            return Err(damage.into());
        }
        Ok(Found { damage, in_base, whole, unnamed })
    }

    /// A segment as far as it can be read, and what is wrong with the length of its file.
    fn segment_to_damage(&self, listed: Listed) -> Result<(Option<Segment>, Option<Damage>)> {
        let Listed { number, length } = listed;
        let name = segment_name(&self.place.stem, number);
        if self.files.kind(&self.place.file(&name))?.is_none() {
            return Ok((None, Some(self.damage_of(name, 0, "it is missing")?)));
        }
        let mut source = self.source(name.clone())?;
        let mut damage = None;
        if let Some(reason) = wrong_length(&listed, source.length) {
            let valid = length.unwrap_or(source.length).min(source.length);
            source.length = valid;
            source.reader = Box::new(source.reader.take(valid));
            damage = Some(self.damage_of(name, valid, &reason)?);
        }
        Ok((Some(Segment { number, source }), damage))
    }

    fn damage_of(&self, file: String, valid_length: u64, reason: &str) -> Result<Damage> {
        let lost = self.length_if_there(&file)?.saturating_sub(valid_length);
        let reason = reason.to_owned();
        Ok(Damage { file, offset: valid_length, valid_length, lost, reason, is_torn: false })
    }

    fn length_if_there(&self, name: &str) -> Result<u64> {
        match self.files.kind(&self.place.file(name))? {
            Some(Kind::File { length }) => Ok(length),
            _ => Ok(0),
        }
    }

    fn cut(&self, manifest: Manifest, found: &Found) -> Result<Vec<Cut>> {
        let Found { damage: Damage { file, valid_length, .. }, in_base, whole, unnamed } = found;
        let path = self.place.file(file);
        let is_cut_within = unnamed.first() != Some(file) && self.files.kind(&path)?.is_some();
        let mut cuts = Vec::new();
        let bytes = self.length_if_there(file)?.saturating_sub(*valid_length);
        if is_cut_within && bytes > 0 {
            let kept_in = self.set_aside(&path, *valid_length)?;
            cuts.push(Cut { file: file.clone(), bytes, kept_in });
        }
        let segments = manifest.segments.iter().map(|listed| listed.number);
        let later = segments.skip(whole + usize::from(!in_base));
        let later = later.map(|number| segment_name(&self.place.stem, number));
        for name in later.chain(unnamed.iter().cloned()) {
            cuts.extend(self.move_aside(name)?);
        }
        self.sync_folder()?;
        let mut manifest = manifest;
        manifest.segments.truncate(whole + usize::from(is_cut_within && !in_base));
        if is_cut_within
            && !in_base
            && let Some(last) = manifest.segments.last_mut()
        {
            last.length = Some(*valid_length);
        }
        self.save(&manifest).map_err(|unsaved| unsaved.error)?;
        if is_cut_within {
            let mut file = self.files.open(&path)?;
            file.truncate(*valid_length).and_then(|()| file.sync())?;
        }
        Ok(cuts)
    }

    /// Gives a file, if it is there, a name under which nobody takes it for a part of the log.
    fn move_aside(&self, file: String) -> Result<Option<Cut>> {
        let path = self.place.file(&file);
        if self.files.kind(&path)?.is_none() {
            return Ok(None);
        }
        let bytes = self.length_if_there(&file)?;
        let kept_in = self.place.file(&self.free_name(&format!("{file}.broken"))?);
        self.files.rename(&path, &kept_in).map_err(|error| of_path(error, &path))?;
        Ok(Some(Cut { file, bytes, kept_in }))
    }
}

fn nothing_to_repair(why: &str) -> Error {
    let message = format!("there is nothing to repair: {why}");
    Error::Io { kind: ErrorKind::InvalidInput, message }
}

/// Says of damage that nothing can be cut off to mend it; other errors stay as they are.
fn beyond_repair(error: impl Into<Error>) -> Error {
    let explain = |what: String| {
        format!(
            "this cannot be repaired, and nothing was changed; restore a copy, or move it aside to \
             begin anew: {what}"
        )
    };
    match error.into() {
        Error::Corrupt { what, offset } => Error::Corrupt { what: explain(what), offset },
        Error::Io { kind: kind @ ErrorKind::InvalidData, message } => {
            Error::Io { kind, message: explain(message) }
        }
        other => other,
    }
}
