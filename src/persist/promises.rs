//! What an implementation of [`Persistence`] promises, tried out.

use std::io::{self, ErrorKind, Read};

use super::{Kept, Persistence, Snapshot, Source, Tail};

/// Holds an implementation of [`Persistence`] against its promises, as far as they can be tried
/// without a crash: for the tests of whoever writes one.
///
/// `connect` answers another instance on the same data, at first with nothing kept. At the end some
/// megabytes are.
///
/// # Errors
///
/// Those of the implementation, and one that names the promise that was broken.
///
/// ```
/// use larder::persist::{self, Memory};
///
/// let kept = Memory::new();
/// persist::check_promises(|| kept.clone())?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn check_promises<P: Persistence>(connect: impl Fn() -> P) -> io::Result<()> {
    let mut trial = Trial { current: connect(), connect, snapshot: None, segments: Vec::new() };
    trial.compare("nothing is kept at first")?;
    trial.segments_grow_and_are_cut()?;
    trial.snapshots_take_the_place_of_segments()
}

/// An implementation, and what is to be found in it.
struct Trial<P, C> {
    connect: C,
    current: P,
    snapshot: Option<Vec<u8>>,
    segments: Vec<(u64, Vec<u8>)>,
}

impl<P: Persistence, C: Fn() -> P> Trial<P, C> {
    fn segments_grow_and_are_cut(&mut self) -> io::Result<()> {
        self.rotate()?;
        self.compare("an empty segment is a segment")?;
        self.append(b"one ")?;
        self.append(&[0; 70_000])?;
        self.compare("a segment can be appended to after an opening")?;
        self.append(b"two ")?;
        self.current.sync()?;
        self.append(b"three")?;
        self.cut(70_006, Tail::Drop)?;
        self.append(b"!")?;
        self.compare("what is cut off is gone, and what is appended follows what is left")?;
        self.cut(3, Tail::Keep)?;
        self.cut(3, Tail::Keep)?;
        self.rotate()?;
        self.append(b"four")?;
        self.cut(0, Tail::Keep)?;
        self.append(b"five")?;
        self.rotate()?;
        self.compare("segments that have ended are as they were")
    }

    fn snapshots_take_the_place_of_segments(&mut self) -> io::Result<()> {
        self.append(b"six")?;
        let mut dropped = self.current.snapshot()?;
        write_pieces(&mut *dropped, &[1; 300_000])?;
        drop(dropped);
        self.compare("a snapshot that was not committed is not there")?;
        for number in 2..4 {
            let state: Vec<u8> = (0..2_500_000_u32).map(|at| (at * number) as u8).collect();
            let mut snapshot = self.current.snapshot()?;
            let first = self.segments.last().map_or(0, |segment| segment.0);
            write_pieces(&mut *snapshot, &state[..1_000_000])?;
            self.append(b"meanwhile ")?;
            self.rotate()?;
            self.append(b"and in a new segment")?;
            self.current.sync()?;
            write_pieces(&mut *snapshot, &state[1_000_000..])?;
            snapshot.commit()?;
            self.snapshot = Some(state);
            self.segments.retain(|segment| segment.0 >= first);
            self.append(b"; after the snapshot")?;
            self.compare("a snapshot replaces the one before, and the segments before it began")?;
        }
        self.current.snapshot()?.commit()?;
        self.snapshot = Some(Vec::new());
        self.segments.drain(..1);
        self.compare("an empty snapshot is a snapshot")
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.current.append(bytes)?;
        self.last().extend_from_slice(bytes);
        Ok(())
    }

    fn cut(&mut self, length: usize, tail: Tail) -> io::Result<()> {
        self.current.truncate(length as u64, tail)?;
        self.last().truncate(length);
        Ok(())
    }

    fn last(&mut self) -> &mut Vec<u8> {
        &mut self.segments.last_mut().expect("a segment was begun").1
    }

    fn rotate(&mut self) -> io::Result<()> {
        let number = self.current.rotate()?;
        let is_next = match self.segments.last() {
            Some((last, _)) => number == last + 1,
            None => number > 0,
        };
        promise(is_next, "the numbers of segments ascend by one, from above zero")?;
        self.segments.push((number, Vec::new()));
        Ok(())
    }

    /// Opens what is kept by another instance, and compares it with what is to be there.
    fn compare(&mut self, what: &str) -> io::Result<()> {
        self.current = (self.connect)();
        let Kept { snapshot, segments } = self.current.open()?;
        let other = (self.connect)().open();
        let is_busy = other.is_err_and(|error| error.kind() == ErrorKind::ResourceBusy);
        promise(is_busy, "what is open cannot be opened again (ResourceBusy)")?;
        let snapshot = snapshot.map(bytes_of).transpose()?;
        promise(snapshot == self.snapshot, what)?;
        let segments =
            segments.into_iter().map(|found| Ok((found.number, bytes_of(found.source)?)));
        promise(segments.collect::<io::Result<Vec<_>>>()? == self.segments, what)
    }
}

fn promise(is_kept: bool, what: &str) -> io::Result<()> {
    match is_kept {
        true => Ok(()),
        false => Err(io::Error::other(format!("a promise was broken: {what}"))),
    }
}

fn bytes_of(source: Source) -> io::Result<Vec<u8>> {
    let Source { mut reader, length, .. } = source;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    promise(bytes.len() as u64 == length, "a source has as many bytes as it says")?;
    Ok(bytes)
}

/// Writes in pieces of many lengths.
fn write_pieces(snapshot: &mut dyn Snapshot, mut bytes: &[u8]) -> io::Result<()> {
    for length in (1..).map(|step| step * step) {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(length));
        snapshot.write_all(piece)?;
        bytes = rest;
    }
    Ok(())
}
