//! What there is to see of what was kept, read as an opening reads it, but loaded nowhere.

use std::collections::BTreeMap;

use super::Kept;
use super::reading::{Damage, Unsupported, Visitor, for_each_command, read};
use super::replay::{self, Refusal};
use super::segment::Payload;
use crate::codec::Times;
use crate::codec::file::FileReader;
use crate::error::Result;
use crate::value::Value;
use crate::wire::{RequestParser, table};

/// What [`inspect`] has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// The snapshot, if there is one, and the segments, oldest first.
    pub files: Vec<InspectedFile>,
    /// Why it was read no further. What the files hold behind it was not counted.
    pub damage: Option<Damage>,
    /// The first command that no store has: nothing is wrong with it, but an opening ends there
    /// with an error.
    pub unsupported: Option<Unsupported>,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedFile {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// The number of the segment; `None` for the snapshot.
    pub segment: Option<u64>,
    /// The RDB file that it begins with, if it does.
    pub rdb: Option<InspectedRdb>,
    /// Frames: each was written at once, and has a checksum that was right.
    pub frames: u64,
    /// Commands and transactions without a frame, as Redis writes them.
    pub unframed: u64,
    /// How many commands there are, by their names. What no store has is not counted, but for
    /// `FUNCTION`, which an opening passes over.
    pub commands: BTreeMap<&'static str, u64>,
}

/// What an RDB file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InspectedRdb {
    /// The version of its format.
    pub version: u16,
    /// Its length in bytes; commands may follow it in the same file.
    pub length: u64,
    /// What it says of itself: names and values.
    pub properties: Vec<(Value, Value)>,
    /// How many keys each database has.
    pub keys: BTreeMap<u64, u64>,
}

/// A frame, or a command or transaction that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame<'f> {
    /// The name of the file.
    pub file: &'f str,
    /// Where in it the frame begins, in bytes.
    pub offset: u64,
    /// Its length in bytes, header included.
    pub length: u64,
    /// Its number, which ascends by one, and from the last one to 1; `None` if there is no frame.
    pub sequence: Option<u64>,
    /// How many bytes of the file were durable when it was written; `None` if there is no frame.
    pub synced: Option<u64>,
    /// How many commands it holds.
    pub commands: u64,
}

/// Looks at what was kept, and shows every frame of the log. Damage is no error, but an answer.
///
/// Whatever opening refuses as corrupt is told as [`damage`](Inspection::damage), or, if it is a
/// command that no store has, as [`unsupported`](Inspection::unsupported), with one exception:
/// commands are not run, so one that is well formed and cannot have been done goes unnoticed.
///
/// `O(n)`; takes the memory of one frame and one key.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io), if a reader fails.
///
/// ```
/// use larder::Store;
/// use larder::persist::{self, Directory};
///
/// # let folder = std::env::temp_dir().join(format!("larder-inspect-{}", std::process::id()));
/// # let path = &folder;
/// let store = Store::builder().persistence(Directory::new(path)).open()?;
/// store.kv().set("a", 1)?;
/// store.close()?;
///
/// let kept = Directory::new(path).peek()?;
/// let inspection = persist::inspect(kept, |frame| println!("{frame:?}"))?;
/// assert_eq!(inspection.damage, None);
/// let segment = inspection.files.last().unwrap();
/// assert_eq!((segment.frames, segment.commands["SET"]), (1, 1));
/// # std::fs::remove_dir_all(folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn inspect(kept: Kept, show: impl FnMut(Frame<'_>)) -> Result<Inspection> {
    let segments = kept.segments.iter().map(|segment| (&segment.source, Some(segment.number)));
    let sources = kept.snapshot.iter().map(|snapshot| (snapshot, None)).chain(segments);
    let files = sources.map(|(source, segment)| InspectedFile {
        name: source.name.clone(),
        length: source.length,
        segment,
        ..InspectedFile::default()
    });
    let mut inspector = Inspector { files: files.collect(), begun: 0, unsupported: None, show };
    let damage = read(kept, Times { wall_offset: 0 }, &mut inspector, &mut |_| ())?.damage;
    let Inspector { files, unsupported, .. } = inspector;
    Ok(Inspection { files, damage, unsupported })
}

struct Inspector<S> {
    files: Vec<InspectedFile>,
    begun: usize,
    unsupported: Option<Unsupported>,
    show: S,
}

impl<S: FnMut(Frame<'_>)> Visitor for Inspector<S> {
    fn begin(&mut self, _segment: Option<u64>) {
        self.begun += 1;
    }

    fn entries(&mut self, file: &mut FileReader<'_>, _progress: &mut dyn FnMut(u64)) -> Result<()> {
        let rdb = self.files[self.begun - 1].rdb.insert(InspectedRdb::default());
        rdb.version = file.version();
        while let Some(entry) = file.next_entry()? {
            *rdb.keys.entry(entry.database).or_default() += 1;
        }
        rdb.length = file.offset();
        rdb.properties = file.properties().to_vec();
        Ok(())
    }

    fn payload(
        &mut self,
        payload: &Payload<'_>,
        parser: &mut RequestParser,
    ) -> Result<(), Refusal> {
        let file = &mut self.files[self.begun - 1];
        let mut commands = 0;
        for_each_command(payload.bytes, parser, |argv| {
            commands += 1;
            match name_of(argv) {
                Some(name) => *file.commands.entry(name).or_default() += 1,
                None => {
                    self.unsupported.get_or_insert_with(|| Unsupported {
                        file: file.name.clone(),
                        offset: payload.offset,
                        command: replay::shown(argv[0]),
                    });
                }
            }
            Ok(())
        })?;
        let header = payload.header;
        *if header.is_some() { &mut file.frames } else { &mut file.unframed } += 1;
        (self.show)(Frame {
            file: &file.name,
            offset: payload.offset,
            length: payload.length,
            sequence: header.map(|header| header.sequence),
            synced: header.map(|header| header.synced),
            commands,
        });
        Ok(())
    }
}

/// The name of a command, if it is one that an opening takes.
fn name_of(argv: &[&[u8]]) -> Option<&'static str> {
    let given = argv.first().copied().unwrap_or_default();
    let known = ["SELECT", "MULTI", "EXEC", "FUNCTION"].into_iter();
    let mut known = known.chain(table::find(given).map(|row| row.name));
    known.find(|name| given.eq_ignore_ascii_case(name.as_bytes()))
}
