//! Shows what a directory holds, and where it is damaged; changes nothing of it.
//!
//! It may be one of Larder's or of Redis's (`appendonly yes`), and may be open meanwhile.
//!
//! Run: `cargo run --example inspect -- PATH`, with `--frames` to see each frame of the log; ends
//! with 1 if there is damage or what is not supported, with 2 if nothing could be read.
//! Without a path it makes a directory, damages it, and looks at that.

use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::{env, fs};

use larder::Store;
use larder::persist::{self, Directory, Frame, InspectedFile, InspectedRdb, Inspection};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(is_sound) => ExitCode::from(u8::from(!is_sound)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Answers whether all is sound.
fn run() -> Result<bool> {
    let (options, paths): (Vec<_>, Vec<_>) =
        env::args().skip(1).partition(|argument| argument.starts_with('-'));
    if paths.len() > 1 || options.iter().any(|option| option != "--frames") {
        return Err("arguments: PATH, and --frames to see each frame of the log".into());
    }
    match paths.first() {
        Some(path) => show(Path::new(path), !options.is_empty()),
        None => demonstrate().map(|()| true),
    }
}

/// Answers whether all is sound.
fn show(path: &Path, with_frames: bool) -> Result<bool> {
    let kept = Directory::new(path).peek()?;
    let Inspection { files, damage, unsupported, .. } = persist::inspect(kept, |frame| {
        if with_frames {
            show_frame(&frame);
        }
    })?;
    println!("{}: {} files", path.display(), files.len());
    // The one file of Redis before 7.0 has no manifest.
    let manifest = path.join("appendonlydir/appendonly.aof.manifest");
    if let Ok(lines) = fs::read_to_string(manifest) {
        lines.lines().for_each(|line| println!("manifest: {line}"));
    }
    for file in &files {
        show_file(file);
    }
    match &damage {
        None => println!("no damage"),
        Some(damage) => {
            let what = if damage.is_torn { "torn by a crash" } else { "DAMAGED" };
            println!("{what}: {damage}");
            println!("  {} bytes of the file are good", damage.valid_length);
            println!("  {} bytes, and the files behind it, are not", damage.lost);
            let cutter = if damage.is_torn { "the next opening" } else { "Directory::repair" };
            println!("  {cutter} cuts them off, and leaves them beside");
        }
    }
    if let Some(unsupported) = &unsupported {
        println!("{unsupported}");
    }
    Ok(damage.is_none() && unsupported.is_none())
}

fn show_frame(frame: &Frame<'_>) {
    let Frame { file, offset, length, commands, .. } = frame;
    let place = format!("{file} at {offset}: {length} bytes, {commands} commands");
    match (frame.sequence, frame.synced) {
        (Some(sequence), Some(synced)) => {
            println!("{place}, frame {sequence}, checksums right, {synced} bytes were durable");
        }
        _ => println!("{place}, no frame"),
    }
}

fn show_file(file: &InspectedFile) {
    let role = file.segment.map_or("snapshot".to_owned(), |number| format!("segment {number}"));
    println!("{} ({role}): {} bytes", file.name, file.length);
    if let Some(rdb) = &file.rdb {
        show_rdb(rdb);
    }
    if file.frames + file.unframed > 0 {
        println!("  {} frames, {} commands without one", file.frames, file.unframed);
    }
    for (name, count) in &file.commands {
        println!("  {count:>9} {name}");
    }
}

fn show_rdb(rdb: &InspectedRdb) {
    println!("  an RDB file of version {}, {} bytes", rdb.version, rdb.length);
    for (name, value) in &rdb.properties {
        println!("    {} = {}", name.escape_ascii(), value.escape_ascii());
    }
    for (database, keys) in &rdb.keys {
        println!("    database {database}: {keys} keys");
    }
}

/// Makes a directory, shows it, damages it, shows it again and repairs it.
fn demonstrate() -> Result<()> {
    let path = env::temp_dir().join(format!("larder-inspect-{}", process::id()));
    let open = || Store::builder().persistence(Directory::new(&path)).open();
    let store = open()?;
    store.kv().set("greeting", "hello")?;
    store.sorted_set("board").add("ada", 310.0)?;
    store.snapshot()?;
    for number in 0..3 {
        store.list("orders").push_back(number)?;
        store.sync()?;
    }
    store.close()?;
    assert!(show(&path, true)?);

    println!("\nA byte of the log changes:");
    let file = path.join("appendonlydir/appendonly.aof.2.incr.aof");
    let mut bytes = fs::read(&file)?;
    *bytes.last_mut().expect("it is not empty") ^= 1;
    fs::write(&file, bytes)?;
    assert!(!show(&path, false)?);
    println!("opening: {}", open().expect_err("it is refused"));

    let repair = Directory::new(&path).repair()?;
    for cut in &repair.cut {
        let beside: PathBuf = cut.kept_in.file_name().into_iter().collect();
        println!("repaired: {} bytes of {} are in {}", cut.bytes, cut.file, beside.display());
    }
    assert_eq!(open()?.list("orders").len()?, 2);
    println!("it opens, with the two orders that came before the damage");
    fs::remove_dir_all(path)?;
    Ok(())
}
