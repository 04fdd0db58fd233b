//! Durable queue: jobs that outlive the process, be it stopped or killed.
//!
//! With `Durability::Always` a job is on the disk before `append` returns, and that it was done is
//! on the disk before its batch returns. What a job comes to is kept in the same batch that
//! acknowledges it, so a crash takes both or neither, and nothing is done twice.
//!
//! The example starts itself as a second process, kills it while it submits and does jobs, and does
//! what that has left.
//!
//! Run: `cargo run --example durable_queue`

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use larder::persist::{Directory, Durability};
use larder::{Entries, GroupStart, References, Result, Store, StreamId};

const JOBS: &str = "jobs";
const WORKERS: &str = "workers";

fn open(folder: &Path) -> Result<Store> {
    let directory = Directory::new(folder);
    let store = Store::builder().persistence(directory).durability(Durability::Always).open()?;
    let found = store.recovery().expect("a store that keeps its data");
    println!("read back {} commands in {:?}", found.commands, found.duration);
    if let Some(torn) = &found.torn {
        println!("cut off {} bytes of {}: {}", torn.lost, torn.file, torn.reason);
    }
    store.stream(JOBS).group(WORKERS).create_if_absent(GroupStart::Beginning)?;
    Ok(store)
}

/// Does jobs until it is told to stop.
fn work(store: &Store, stop: &AtomicBool) -> Result<()> {
    let group = store.stream(JOBS).group(WORKERS);
    let worker = group.consumer("w1");
    while !stop.load(Ordering::Relaxed) {
        // Not for ever: closing the store does not end a call that waits.
        finish(store, &worker.read_blocking(10, Duration::from_millis(100))?)?;
    }
    Ok(())
}

fn finish(store: &Store, jobs: &Entries) -> Result<()> {
    for job in jobs {
        let batch = store.batch();
        batch.kv().increment("done", 1);
        batch.stream(JOBS).group(WORKERS).ack_and_delete(&[job.id()], References::Keep);
        batch.exec_checked()?;
    }
    Ok(())
}

/// Does what another process was given and did not finish. No other can be at it: a folder has one
/// store at a time.
fn take_over(store: &Store) -> Result<()> {
    let group = store.stream(JOBS).group(WORKERS);
    let mut start = StreamId::MIN;
    loop {
        let claimed = group.consumer("w1").autoclaim(Duration::ZERO, start, 10)?;
        println!("taken over: {} jobs", claimed.entries.len());
        finish(store, &claimed.entries)?;
        start = claimed.next;
        if start == StreamId::MIN {
            return Ok(());
        }
    }
}

/// Submits jobs without end, and says how many are on the disk; does some of them.
fn run(folder: &Path) -> Result<()> {
    let store = open(folder)?;
    thread::scope(|scope| {
        scope.spawn(|| work(&store, &AtomicBool::new(false)));
        for number in 1.. {
            store.stream(JOBS).append(&[("job", number)])?;
            println!("submitted {number}");
        }
        Ok(())
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(folder) = std::env::args().nth(1) {
        return Ok(run(&PathBuf::from(folder))?);
    }
    let folder = std::env::temp_dir().join(format!("larder-queue-{}", std::process::id()));
    let itself = std::env::current_exe()?;
    let mut other = Command::new(itself).arg(&folder).stdout(Stdio::piped()).spawn()?;
    let output = BufReader::new(other.stdout.take().expect("a pipe"));
    let mut submitted = 0;
    for line in output.lines() {
        if let Some(number) = line?.strip_prefix("submitted ") {
            submitted = number.parse::<u64>()?;
        }
        if submitted == 200 {
            other.kill()?; // and what it had said by then is read to the end
        }
    }
    other.wait()?;
    println!("killed after it had submitted {submitted} jobs");

    let store = open(&folder)?;
    take_over(&store)?;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let worker = scope.spawn(|| work(&store, &stop));
        while store.stream(JOBS).is_empty() == Ok(false) {
            thread::sleep(Duration::from_millis(10));
        }
        stop.store(true, Ordering::Relaxed);
        worker.join().expect("a worker does not panic")
    })?;
    let done: u64 = store.kv().get_as("done")?.unwrap_or(0);
    println!("{done} jobs done, none twice");
    // Of one it may not have come to say that it was submitted.
    assert!(done == submitted || done == submitted + 1);

    store.close()?; // a graceful end: all is on the disk, or this says why not
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
