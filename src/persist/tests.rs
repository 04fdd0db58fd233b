//! Frames, what is read of them when they are damaged, and the memory that fails.

use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;

use super::directory::simulation::Simulation;
use super::frame::{Chain, FrameWriter, Header, LONGEST_HEADER, MARK, SECTOR};
use super::segment::{SegmentReader, Verdict};
use super::{Directory, Fault, Kept, Memory, Persistence, Snapshot, Tail, check_promises};
use crate::argv::tests::spelled;
use crate::random::Random;
use crate::sync::Arc;

/// A command in Redis's form.
pub(super) fn command(words: &[&[u8]]) -> Vec<u8> {
    spelled(words)
}

pub(super) fn transaction() -> Vec<u8> {
    let inner = [command(&[b"SET", b"a", b"1"]), command(&[b"DEL", b"b"])].concat();
    [command(&[b"MULTI"]), inner, command(&[b"EXEC"])].concat()
}

/// A segment with frames, and where each of them lies.
pub(super) struct Sample {
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) payloads: Vec<Vec<u8>>,
    pub(super) places: Vec<Range<usize>>,
    pub(super) chain: Chain,
}

impl Sample {
    /// `lag` frames are not yet durable when another is written.
    pub(super) fn new(number: u64, chain: Chain, payloads: Vec<Vec<u8>>, lag: usize) -> Self {
        let mut writer = FrameWriter::new(number, chain);
        let (mut bytes, mut places) = (Vec::new(), Vec::<Range<usize>>::new());
        for payload in &payloads {
            let synced = places
                .len()
                .checked_sub(lag)
                .map_or(0, |at| places.get(at).map_or(bytes.len(), |place| place.start));
            let start = bytes.len();
            writer.header(payload, synced as u64, &mut bytes);
            bytes.extend_from_slice(payload);
            assert_eq!(writer.offset(), bytes.len() as u64);
            places.push(start..bytes.len());
        }
        Self { number, bytes, payloads, places, chain: writer.chain() }
    }

    /// Frames of many kinds: empty, short, with a transaction, longer than sectors, with zeros.
    fn of_many_kinds(lag: usize) -> Self {
        let payloads = vec![
            command(&[b"SET", b"key", b"value"]),
            transaction(),
            Vec::new(),
            command(&[b"SET", b"zeros", &[0; 700]]),
            command(&[b"RPUSH", b"list", &[b'x'; 300], &[0xff; 200]]),
            transaction(),
            command(&[b"DEL", b"key"]),
        ];
        Self::new(3, Chain::default(), payloads, lag)
    }

    fn read(&self, bytes: &[u8]) -> (usize, Verdict) {
        let read = read(bytes, self.number, Some(Chain::default()));
        assert!(self.payloads.starts_with(&read.payloads), "other bytes than were written");
        (read.payloads.len(), read.verdict)
    }
}

#[derive(Debug)]
pub(super) struct Found {
    pub(super) payloads: Vec<Vec<u8>>,
    pub(super) verdict: Verdict,
    pub(super) chain: Option<Chain>,
}

pub(super) fn read(bytes: &[u8], number: u64, chain: Option<Chain>) -> Found {
    let mut reader = SegmentReader::new(bytes, number, chain);
    let mut payloads = Vec::new();
    while let Some(payload) = reader.next().unwrap() {
        payloads.push(payload.bytes.to_vec());
    }
    Found { payloads, verdict: reader.verdict().unwrap(), chain: reader.chain() }
}

/// How often to try something, unless the environment says so.
pub(super) fn rounds(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |given| given.parse().expect("a number"))
}

fn reason(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clean { .. } => "",
        Verdict::Tail { reason, .. } | Verdict::Corrupt { reason, .. } => reason,
    }
}

#[test]
fn frames_come_back_and_their_headers_lie_within_a_sector() {
    let mut random = Random::seeded(1);
    for round in 0..200 {
        let payloads: Vec<_> = (0..random.below(12))
            .map(|_| {
                let most = [10, 150, 600, 5_000, 200_000][random.below(5)];
                let length = random.below(most);
                (0..length).map(|_| random.next() as u8).collect()
            })
            .collect();
        let before = Chain { sequence: random.next() >> 32, checksum: random.next() as u32 };
        let sample = Sample::new(round, before, payloads, random.below(3));
        let found = read(&sample.bytes, round, Some(before));
        assert_eq!(found.verdict, Verdict::Clean { length: sample.bytes.len() as u64 });
        assert!(found.payloads == sample.payloads);
        assert_eq!(found.chain.unwrap_or(before), sample.chain);
        for place in &sample.places {
            let at =
                place.start + memchr::memmem::find(&sample.bytes[place.clone()], MARK).unwrap();
            let end = at + memchr::memchr(b'\n', &sample.bytes[at..]).unwrap();
            assert!(end - at < LONGEST_HEADER);
            assert_eq!(at / SECTOR as usize, end / SECTOR as usize);
        }
    }
}

#[test]
fn the_longest_header_is_no_longer_than_it_may_be() {
    let chain = Chain { sequence: u64::MAX - 1, checksum: 0 };
    let mut header = Vec::new();
    FrameWriter::new(u64::MAX, chain).header(&[7; 100_000], u64::MAX, &mut header);
    // A payload of 2^64 bytes cannot be had.
    assert!(header.len() + "18446744073709551615".len() - "100000".len() <= LONGEST_HEADER);
}

#[test]
fn every_flipped_bit_is_noticed() {
    for lag in [0, 1, 9] {
        let sample = Sample::of_many_kinds(lag);
        for bit in 0..sample.bytes.len() * 8 {
            let mut bytes = sample.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (read, verdict) = sample.read(&bytes);
            let damaged = sample.places.iter().position(|place| place.contains(&(bit / 8)));
            assert_eq!(Some(read), damaged, "bit {bit}");
            match verdict {
                Verdict::Corrupt { offset, .. } => {
                    assert_eq!(offset, sample.places[read].start as u64);
                }
                // A value of zeros is like sectors that were never written.
                Verdict::Tail { .. } => assert!(lag == 9 && read == 3, "bit {bit}: {verdict:?}"),
                Verdict::Clean { .. } => panic!("bit {bit} went unnoticed"),
            }
        }
    }
}

#[test]
fn every_truncation_is_a_torn_write() {
    let sample = Sample::of_many_kinds(1);
    for length in 0..sample.bytes.len() {
        let (read, verdict) = sample.read(&sample.bytes[..length]);
        let whole = sample.places.iter().filter(|place| place.end <= length).count();
        let valid_length = sample.places.get(whole).map_or(0, |place| place.start as u64);
        assert_eq!(read, whole);
        match verdict {
            Verdict::Clean { length: end } => assert_eq!((end, end), (length as u64, valid_length)),
            Verdict::Tail { valid_length: end, .. } => assert_eq!(end, valid_length),
            Verdict::Corrupt { .. } => panic!("{length}: {verdict:?}"),
        }
        let inner = verdict.of_inner_segment();
        assert!(matches!(inner, Verdict::Clean { .. } | Verdict::Corrupt { .. }));
    }
}

#[test]
fn bursts_leave_a_prefix() {
    let mut random = Random::seeded(2);
    let samples = [Sample::of_many_kinds(0), Sample::of_many_kinds(9)];
    for round in 0..rounds("LARDER_BURSTS", 20_000) {
        let sample = &samples[round % 2];
        let mut bytes = sample.bytes.clone();
        let most = [4, 40, 700][random.below(3)];
        let length = 1 + random.below(most);
        let start = random.below(bytes.len());
        let end = bytes.len().min(start + length);
        let fill = [None, Some(0), Some(0xff), Some(b'\n')][random.below(4)];
        bytes[start..end].fill_with(|| fill.unwrap_or_else(|| random.next() as u8));
        let (read, verdict) = sample.read(&bytes);
        let clean = matches!(verdict, Verdict::Clean { .. });
        assert_eq!(clean, bytes == sample.bytes, "round {round}");
        let touched = (0..bytes.len()).find(|at| bytes[*at] != sample.bytes[*at]);
        if let Some(at) = touched {
            let first = sample.places.iter().position(|place| place.contains(&at));
            assert_eq!(Some(read), first, "round {round}");
        }
    }
}

#[test]
fn sectors_that_were_not_written_are_a_torn_write_unless_they_were_durable() {
    for lag in [0, 2, 99] {
        let payloads = (0..40).map(|at| command(&[b"SET", b"k", &vec![b'v'; at * 37]])).collect();
        let sample = Sample::new(1, Chain::default(), payloads, lag);
        for start in (0..sample.bytes.len()).step_by(SECTOR as usize) {
            let mut bytes = sample.bytes.clone();
            let end = bytes.len().min(start + SECTOR as usize);
            bytes[start..end].fill(0);
            let (read, verdict) = sample.read(&bytes);
            let first = sample.places.iter().position(|place| place.end > start).unwrap();
            assert_eq!(read, first);
            let place = &sample.places[first];
            // A frame that lies before the sector and goes on in it is bad from its beginning.
            let durable = match lag {
                0 => first + 1 < sample.places.len() && sample.places.last().unwrap().start >= end,
                2 => sample.places[first..].iter().skip(3).any(|later| later.start >= end),
                _ => false,
            };
            match verdict {
                Verdict::Tail { valid_length, .. } => {
                    assert_eq!(valid_length, place.start as u64);
                    assert!(!durable, "{lag} {start}");
                }
                Verdict::Corrupt { offset, .. } => {
                    assert_eq!(offset, place.start as u64);
                    assert!(lag < 99, "{lag} {start}: {verdict:?}");
                }
                Verdict::Clean { .. } => panic!("{lag} {start}"),
            }
        }
    }
}

/// Whoever knows where a value will lie can write one that is a header at that place; but not what
/// it would have to follow.
#[test]
fn a_value_that_looks_like_a_header_says_nothing_of_what_was_durable() {
    let torn = command(&[b"SET", b"a", &[b'x'; 2_000]]);
    let with = |value: &[u8]| {
        let payloads = vec![torn.clone(), command(&[b"SET", b"b", value]), transaction()];
        Sample::new(3, Chain::default(), payloads, usize::MAX)
    };
    let place = |sample: &Sample| memchr::memmem::find(&sample.bytes, &[b'#'; 80]).unwrap();
    let at = place(&with(&[b'#'; 80]));
    let mut forged = format!("#LARDER:1 1 99 {at} 00000000 00000000 ").into_bytes();
    let place_of = [3_u64.to_le_bytes(), (at as u64).to_le_bytes()].concat();
    let sum = crc32c::crc32c_append(crc32c::crc32c(&place_of), &forged);
    forged.extend_from_slice(format!("{sum:08x}\r\n").as_bytes());
    assert!(Header::parse(&forged, 3, at as u64).is_ok());
    forged.resize(80, b'#');
    let sample = with(&forged);
    let mut bytes = sample.bytes.clone();
    bytes[512..1024].fill(0);
    let (read, verdict) = sample.read(&bytes);
    assert_eq!(read, 0);
    assert!(matches!(verdict, Verdict::Tail { .. }), "{verdict:?}");
}

#[test]
fn zeros_after_the_last_frame_are_a_torn_write() {
    let sample = Sample::of_many_kinds(0);
    for length in [1, 100, 512, 5_000] {
        let bytes = [&sample.bytes[..], &vec![0; length]].concat();
        let valid_length = sample.bytes.len() as u64;
        let (read, verdict) = sample.read(&bytes);
        assert_eq!(read, sample.payloads.len());
        assert_eq!(verdict, Verdict::Tail { valid_length, reason: "a write was torn" });
    }
}

#[test]
fn a_frame_is_good_only_in_its_place() {
    let sample = Sample::of_many_kinds(0);
    assert!(matches!(read(&sample.bytes, 4, None).verdict, Verdict::Corrupt { offset: 0, .. }));
    for (at, place) in sample.places.iter().enumerate() {
        let mut bytes = sample.bytes.clone();
        bytes.drain(place.clone());
        let (read, verdict) = sample.read(&bytes);
        assert_eq!(read, at);
        assert!(matches!(verdict, Verdict::Corrupt { .. }) || at + 1 == sample.places.len());
    }
}

#[test]
fn the_row_of_frames_runs_on_from_segment_to_segment() {
    let one = || vec![command(&[b"SET", b"a", b"1"])];
    let first = Sample::new(1, Chain::default(), one(), 0);
    let second = Sample::new(2, first.chain, one(), 0);
    let third = Sample::new(3, second.chain, one(), 0);
    assert_eq!(read(&second.bytes, 2, Some(first.chain)).chain, Some(second.chain));
    let gap = read(&third.bytes, 3, Some(first.chain)).verdict;
    assert_eq!(reason(gap), "the frame does not follow the one before it");
    assert!(matches!(gap, Verdict::Corrupt { offset: 0, .. }));
    let first_known = read(&third.bytes, 3, None);
    assert_eq!(first_known.payloads.len(), 1);
}

#[test]
fn an_unknown_version_is_refused_as_such() {
    let verdict = read(b"#LARDER:2 whatever comes\r\nnow", 1, None).verdict;
    assert_eq!(verdict, Verdict::Corrupt { offset: 0, reason: "a frame of an unknown version" });
}

#[test]
fn what_redis_has_written_is_read_as_redis_reads_it() {
    let sample = Sample::of_many_kinds(0);
    let set = command(&[b"SET", b"n", b"\r\n"]);
    let written = [
        &b"#TS:1700000000\r\n"[..],
        &set,
        &command(&[b"MULTI"]),
        b"#TS:1700000001\r\n",
        &set,
        &command(&[b"exec"]),
        &set,
        b"#TS:1700000002\r\n",
    ];
    let units = [
        set.clone(),
        [command(&[b"MULTI"]), set.clone(), command(&[b"exec"])].concat(),
        set.clone(),
    ];
    let bytes = [&sample.bytes[..], &written.concat()].concat();
    let found = read(&bytes, sample.number, None);
    assert_eq!(found.verdict, Verdict::Clean { length: bytes.len() as u64 });
    assert_eq!(found.payloads[..sample.payloads.len()], sample.payloads);
    assert_eq!(found.payloads[sample.payloads.len()..], units);

    let plain = written.concat();
    let ends = [16 + units[0].len(), 32 + units[0].len() + units[1].len(), plain.len() - 16];
    for length in 0..plain.len() {
        let found = read(&plain[..length], 1, None);
        let whole = ends.iter().filter(|end| **end <= length).count();
        assert!(found.payloads == units[..whole], "{length}");
        let torn = matches!(found.verdict, Verdict::Tail { .. });
        let at_an_end = ends.contains(&length) || [0, 16].contains(&length);
        assert_eq!(torn, !at_an_end, "{length}: {:?}", found.verdict);
    }
}

/// A server keeps the whole commands of a torn frame, and appends to them.
struct TakenOver {
    sample: Sample,
    /// What the last frame holds, each command and transaction by itself.
    units: Vec<Vec<u8>>,
}

impl TakenOver {
    /// The frame before has a command of about this length.
    fn behind(length: usize) -> Self {
        let set = |key: &[u8]| command(&[b"SET", key, b"value"]);
        let units = vec![
            command(&[b"select", b"0"]),
            set(b"a"),
            transaction(),
            command(&[b"select", b"3"]),
            command(&[b"SET", b"SELECT", &b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".repeat(9)]),
            set(b"b"),
        ];
        let payloads = vec![command(&[b"DEL", &vec![b'x'; length]]), units.concat()];
        Self { sample: Sample::new(1, Chain::default(), payloads, 0), units }
    }

    /// How many of the units a server keeps if the file ends here, and what is left of it.
    fn cut(&self, length: usize) -> (usize, &[u8]) {
        let begins = self.sample.bytes.len() - self.sample.payloads[1].len();
        if length <= begins {
            // A comment to the end of the file.
            return (0, &self.sample.bytes[..length]);
        }
        let mut end = begins;
        let mut kept = 0;
        while let Some(unit) = self.units.get(kept)
            && end + unit.len() <= length
        {
            end += unit.len();
            kept += 1;
        }
        let end = if kept == 0 { self.sample.places[0].end } else { end };
        (kept, &self.sample.bytes[..end])
    }
}

#[test]
fn what_a_server_makes_of_a_torn_frame_is_read_as_the_server_reads_it() {
    // Behind the longer there is padding before the header.
    for taken in [3, 380].map(TakenOver::behind) {
        check_taken_over(&taken);
    }
}

fn check_taken_over(taken: &TakenOver) {
    let select = command(&[b"SELECT", b"5"]);
    let short = vec![select.clone(), command(&[b"DEL", b"a"])];
    let multi = [command(&[b"MULTI"]), select.clone(), command(&[b"DEL", b"a"])].concat();
    let transaction = vec![[multi, command(&[b"EXEC"])].concat()];
    let long = [short.clone(), vec![command(&[b"SET", b"a", &[b'x'; 3000]]); 40]].concat();
    for length in taken.sample.places[1].start..taken.sample.bytes.len() {
        let (kept, left) = taken.cut(length);
        for (comment, added) in
            [(&b""[..], &short), (b"#TS:1700000000\r\n", &transaction), (b"#TS:1\r\n", &long)]
        {
            let bytes = [left, comment, &added.concat()].concat();
            let found = read(&bytes, 1, None);
            let whole = [&taken.sample.payloads[..1], &taken.units[..kept], &added[..]].concat();
            assert_eq!(found.verdict, Verdict::Clean { length: bytes.len() as u64 }, "{length}");
            assert!(found.payloads == whole, "{length}");
            let first = read(&taken.sample.bytes[..taken.sample.places[0].end], 1, None);
            assert_eq!(found.chain, first.chain, "the next frame follows the last good one");
        }
    }
}

#[test]
fn without_a_trace_of_a_server_a_torn_frame_is_torn_and_a_damaged_one_damaged() {
    let taken = TakenOver::behind(3);
    let (bytes, start) = (&taken.sample.bytes, taken.sample.places[1].start as u64);
    for length in taken.sample.places[1].start + 1..bytes.len() {
        let torn = read(&bytes[..length], 1, None);
        assert!(
            matches!(torn.verdict, Verdict::Tail { valid_length, .. } if valid_length == start)
        );
    }
    let server = [command(&[b"SELECT", b"0"]), command(&[b"DEL", b"a"])].concat();
    for at in bytes.len() - taken.sample.payloads[1].len()..bytes.len() {
        let mut damaged = [&bytes[..], &server].concat();
        damaged[at] ^= 1;
        let found = read(&damaged, 1, None);
        assert_eq!(found.payloads, taken.sample.payloads[..1], "{at}");
        assert!(matches!(found.verdict, Verdict::Corrupt { offset, .. } if offset == start));
    }
}

#[test]
fn garbage_is_no_command() {
    let set = command(&[b"SET", b"n", b"1"]);
    for garbage in [
        &b"*x\r\n"[..],
        b"*0\r\n",
        b"*-1\r\n",
        b"*1\r\n:5\r\n",
        b"*1\r\n$3\r\nPINGxx",
        b"*99999999999\r\n",
        b"*1\r\n$536870913\r\n",
        b"PING\r\n",
        b"#comment\r\n",
        b"\0\0\0\0",
        b"*1\n$4\nPING\n",
    ] {
        let found = read(&[&set[..], garbage].concat(), 1, None);
        assert_eq!(found.payloads, [&set[..]]);
        assert!(matches!(found.verdict, Verdict::Corrupt { .. }), "{garbage:?}");
    }
    let nested = [command(&[b"MULTI"]), command(&[b"MULTI"])].concat();
    assert!(matches!(read(&nested, 1, None).verdict, Verdict::Corrupt { .. }));
    let frame = Sample::new(1, Chain::default(), vec![set.clone()], 0).bytes;
    let found = read(&[set, frame].concat(), 1, None);
    assert!(matches!(found.verdict, Verdict::Corrupt { .. }));
}

#[test]
fn a_declared_length_takes_no_memory() {
    for claim in [&b"*2147483647\r\n$1\r\na\r\n"[..], b"*1\r\n$536870912\r\nabc"] {
        let mut reader = SegmentReader::new(claim, 1, None);
        let info = allocation_counter::measure(|| assert!(reader.next().unwrap().is_none()));
        assert!(info.bytes_max < 1 << 20, "{} bytes", info.bytes_max);
        assert!(matches!(reader.verdict(), Some(Verdict::Tail { valid_length: 0, .. })));
    }
}

fn bytes_of(memory: &Memory, number: u64) -> Vec<u8> {
    memory.edit_segment(number, |bytes| bytes.clone()).unwrap()
}

#[test]
fn promises_are_kept() {
    let kept = Memory::new();
    check_promises(|| kept.clone()).unwrap();
    let simulation = Arc::new(Simulation::new(1));
    check_promises(|| Directory::on(simulation.clone(), "/data")).unwrap();
}

/// A memory that breaks a promise.
struct Faithless {
    kept: Memory,
    vice: Vice,
}

#[derive(Clone, Copy, Debug)]
enum Vice {
    CutsNothing,
    LosesTheSnapshot,
    SkipsANumber,
    LetsTwoIn,
}

impl Persistence for Faithless {
    fn open(&self) -> io::Result<Kept> {
        let kept = self.kept.open();
        match self.vice {
            Vice::LosesTheSnapshot => Ok(Kept { snapshot: None, ..kept? }),
            Vice::LetsTwoIn => Ok(kept.unwrap_or_default()),
            _ => kept,
        }
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.kept.append(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.kept.sync()
    }

    fn truncate(&self, length: u64, tail: Tail) -> io::Result<()> {
        match self.vice {
            Vice::CutsNothing => Ok(()),
            _ => self.kept.truncate(length, tail),
        }
    }

    fn rotate(&self) -> io::Result<u64> {
        if matches!(self.vice, Vice::SkipsANumber) {
            self.kept.rotate()?;
        }
        self.kept.rotate()
    }

    fn snapshot(&self) -> io::Result<Box<dyn Snapshot>> {
        self.kept.snapshot()
    }
}

#[test]
fn broken_promises_are_named() {
    for (vice, broken) in [
        (Vice::CutsNothing, "what is cut off is gone"),
        (Vice::LosesTheSnapshot, "a snapshot replaces"),
        (Vice::SkipsANumber, "an empty segment"),
        (Vice::LetsTwoIn, "cannot be opened again"),
    ] {
        let kept = Memory::new();
        let error = check_promises(|| Faithless { kept: kept.clone(), vice }).unwrap_err();
        assert!(error.to_string().contains(broken), "{vice:?}: {error}");
    }
}

#[test]
fn memory_keeps_what_was_synced() {
    let kept = Memory::new();
    for seed in 0..200 {
        let opened = kept.clone();
        opened.open().unwrap();
        assert_eq!(kept.clone().open().unwrap_err().kind(), ErrorKind::ResourceBusy);
        let number = opened.rotate().unwrap();
        opened.append(&[1; 700]).unwrap();
        opened.sync().unwrap();
        opened.append(&[2; 1_900]).unwrap();
        kept.crash_with(seed);
        opened.append(b"x").unwrap_err();
        let bytes = bytes_of(&kept, number);
        assert_eq!(bytes[..700], [1; 700]);
        assert!(bytes[700..].iter().all(|byte| [0, 2].contains(byte)));
    }
    let opened = kept.clone();
    let found = opened.open().unwrap();
    assert_eq!(found.segments.len(), 200);
    opened.rotate().unwrap();
    let mut snapshot = opened.snapshot().unwrap();
    assert_eq!(opened.snapshot().err().unwrap().kind(), ErrorKind::ResourceBusy);
    snapshot.write_all(b"state").unwrap();
    snapshot.commit().unwrap();
    drop(opened);
    let found = kept.clone().open().unwrap();
    assert_eq!(found.segments.len(), 1);
    let mut state = String::new();
    found.snapshot.unwrap().reader.read_to_string(&mut state).unwrap();
    assert_eq!(state, "state");
}

#[test]
fn memory_fails_as_it_is_told() {
    let kept = Memory::new();
    let opened = kept.clone();
    opened.open().unwrap();
    opened.rotate().unwrap();
    kept.fail_after(1, Fault::ShortWrite);
    opened.append(b"12").unwrap();
    assert_eq!(opened.append(b"3456").unwrap_err().kind(), ErrorKind::WriteZero);
    assert_eq!(bytes_of(&kept, 1), b"1234");
    opened.truncate(2, Tail::Drop).unwrap();
    kept.fail_from(0, Fault::Full);
    for _ in 0..3 {
        assert_eq!(opened.append(b"34").unwrap_err().kind(), ErrorKind::StorageFull);
        opened.truncate(2, Tail::Drop).unwrap();
    }
    kept.heal();
    opened.append(b"34").unwrap();
    kept.fail_after(0, Fault::FailedSync);
    opened.sync().unwrap_err();
    opened.sync().unwrap_err();
    opened.append(b"56").unwrap_err();
    assert_eq!(opened.rotate().unwrap(), 2);
    opened.append(b"56").unwrap_err();
    opened.snapshot().unwrap().commit().unwrap();
    opened.append(b"56").unwrap();
    opened.sync().unwrap();
    assert_eq!(kept.segments(), [2]);
}

#[test]
fn memory_forgets_a_segment_that_no_snapshot_has_made_good() {
    let kept = Memory::new();
    let opened = kept.clone();
    opened.open().unwrap();
    opened.rotate().unwrap();
    opened.append(b"12").unwrap();
    kept.fail_after(0, Fault::FailedSync);
    opened.sync().unwrap_err();
    assert_eq!(opened.rotate().unwrap(), 2);
    kept.crash();
    assert_eq!(kept.segments(), [1]);
    assert_eq!(bytes_of(&kept, 1), b"");
}

#[test]
fn a_place_in_the_row_of_frames_can_be_told_in_a_word() {
    for chain in [Chain::new(), Chain { sequence: i64::MAX as u64, checksum: u32::MAX }] {
        assert_eq!(Chain::parse(chain.to_text().as_bytes()), Some(chain));
    }
    for wrong in ["", "-", "1", "1-", "1-0", "-00000000", "1-0000000G", "1-00000000 ", "x-00000000"]
    {
        assert_eq!(Chain::parse(wrong.as_bytes()), None, "{wrong}");
    }
}

#[test]
fn the_first_number_follows_the_last() {
    let before = Chain { sequence: i64::MAX as u64 - 1, checksum: 7 };
    let payloads = vec![command(&[b"DEL", b"a"]); 3];
    let sample = Sample::new(1, before, payloads, 0);
    assert_eq!(sample.chain.sequence, 2);
    let found = read(&sample.bytes, 1, Some(before));
    assert_eq!(found.verdict, Verdict::Clean { length: sample.bytes.len() as u64 });
    assert_eq!(found.chain, Some(sample.chain));
}

#[test]
fn a_frame_with_a_number_above_the_last_is_none() {
    let last = Chain { sequence: u64::MAX, checksum: 0 };
    assert_eq!(Chain::parse(last.to_text().as_bytes()), None);
    let mut segment = Vec::new();
    let before = Chain { sequence: u64::MAX - 1, checksum: 0 };
    FrameWriter::new(1, before).header(b"", 0, &mut segment);
    let mut reader = SegmentReader::new(&segment[..], 1, None);
    assert!(reader.next().unwrap().is_none());
    assert!(matches!(reader.verdict(), Some(Verdict::Corrupt { offset: 0, .. })));
}
