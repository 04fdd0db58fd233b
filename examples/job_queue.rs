//! Job queue: at least once, over crashes of workers, and with an end for jobs that always fail.
//!
//! Redis: `XADD` to submit, `XREADGROUP` to take, `XACKDEL` (8.2; before it `XACK` and `XDEL`) when
//! done, `XAUTOCLAIM` to take over from workers that died, `XPENDING` for how often a job was
//! tried. A job that a worker was given stays *pending* until it is acknowledged, so a crash
//! loses nothing; a job that crashed its workers too often goes to a dead letter stream, moved
//! in one transaction.
//!
//! Run: `cargo run --example job_queue`

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use larder::{Consumer, Entry, GroupStart, ManualClock, References, Result, Store, StreamId};

const JOBS: &str = "jobs";
const DEAD: &str = "jobs:dead";
const WORKERS: &str = "workers";
/// A worker that holds a job for longer is taken for dead.
const TIMEOUT: Duration = Duration::from_secs(30);
const MAX_DELIVERIES: u64 = 3;

/// A crash, as far as the queue can tell: the worker goes without acknowledging its job.
struct Crash;

type Done = Mutex<Vec<String>>;

/// Takes and does jobs until there are none, or one of them crashes it.
fn work(store: &Store, name: &str, done: &Done) -> Result<Option<Crash>> {
    let group = store.stream(JOBS).group(WORKERS);
    let worker = group.consumer(name);
    loop {
        let entries = worker.read(1)?;
        let Some(job) = entries.first() else { return Ok(None) };
        if let Err(crash) = perform(&job, done) {
            println!("  {name} crashed on {}", name_of(&job));
            return Ok(Some(crash));
        }
        group.ack_and_delete(&[job.id()], References::Keep)?;
    }
}

/// Takes over the jobs of dead workers. A real queue does so every now and then.
fn reclaim(store: &Store, worker: &Consumer<'_>, done: &Done) -> Result<()> {
    let group = store.stream(JOBS).group(WORKERS);
    let mut start = StreamId::MIN;
    loop {
        let claimed = worker.autoclaim(TIMEOUT, start, 10)?;
        for job in &claimed.entries {
            let pending = worker.pending(job.id()..=job.id(), Duration::ZERO, 1)?;
            // Not if the worker was slow, not dead, and has finished the job meanwhile.
            let Some(deliveries) = pending.first().map(|pending| pending.deliveries) else {
                continue;
            };
            println!("  reclaimed {}, delivery {deliveries}", name_of(&job));
            if deliveries > MAX_DELIVERIES {
                bury(store, &job)?;
            } else if perform(&job, done).is_ok() {
                group.ack_and_delete(&[job.id()], References::Keep)?;
            }
        }
        start = claimed.next;
        if start == StreamId::MIN {
            return Ok(());
        }
    }
}

/// Moves a job to the dead letters. Others see it in exactly one of the streams at any time; and
/// should the append fail, it is still a job.
fn bury(store: &Store, job: &Entry<'_>) -> Result<()> {
    println!("  {} goes to the dead letters", name_of(job));
    store.transaction(&[DEAD, JOBS], |tx| {
        tx.stream(DEAD).append(&[("job", name_of(job)), ("id", job.id().to_string())])?;
        tx.stream(JOBS).group(WORKERS).ack_and_delete(&[job.id()], References::Keep)?;
        Ok(())
    })
}

fn perform(job: &Entry<'_>, done: &Done) -> Result<(), Crash> {
    let job = name_of(job);
    if job == "poison" {
        return Err(Crash);
    }
    done.lock().unwrap().push(job);
    Ok(())
}

fn name_of(job: &Entry<'_>) -> String {
    job.text("job").unwrap_or_default().into_owned()
}

fn main() -> Result<()> {
    let clock = ManualClock::new();
    let store = Store::builder().clock(&clock).build();
    let jobs = store.stream(JOBS);
    let group = jobs.group(WORKERS);
    group.create_if_absent(GroupStart::Beginning)?;
    for n in 0..50 {
        jobs.append(&[("job", format!("image {n}.png"))])?;
    }
    jobs.append(&[("job", "poison")])?;
    // A worker whose machine dies just after it was given ten jobs.
    group.consumer("w0").read(10)?;

    println!("three workers take what is left:");
    let done = Done::default();
    thread::scope(|scope| {
        for name in ["w1", "w2", "w3"] {
            let (store, done) = (&store, &done);
            scope.spawn(move || work(store, name, done).expect("the group exists"));
        }
    });
    println!("  {} done, {} pending", done.lock().unwrap().len(), group.pending_summary()?.count);
    assert_eq!(group.pending_summary()?.count, 11);

    let rescuer = group.consumer("w4");
    reclaim(&store, &rescuer, &done)?;
    assert_eq!(group.pending_summary()?.count, 11, "nobody has been silent for long enough");
    for round in 1..=MAX_DELIVERIES {
        clock.advance(TIMEOUT);
        println!("{round}: {} s later", TIMEOUT.as_secs());
        reclaim(&store, &rescuer, &done)?;
    }

    let mut done = done.into_inner().unwrap();
    done.sort();
    done.dedup();
    println!("{} jobs done, {} dead, {} left", done.len(), store.stream(DEAD).len()?, jobs.len()?);
    assert_eq!(done.len(), 50);
    assert_eq!(store.stream(DEAD).len()?, 1);
    assert!(jobs.is_empty()? && group.pending_summary()?.count == 0);
    Ok(())
}
