//! Stores in a directory of the simulated file system, which crashes and fails at any call.

use super::*;
use crate::persist::Directory;
use crate::persist::directory::simulation::{Failure, Simulation};
use crate::persist::log::Goal;
use crate::persist::tests::rounds;

fn directory(simulation: &Simulation) -> Directory {
    Directory::on(crate::sync::Arc::new(simulation.clone()), "/")
}

/// Lives on a file system until it has no power; crashes it; and so on. Answers how many states
/// after a crash were looked at.
fn life(seed: u64) -> usize {
    const LIVES: usize = 12;
    let mut random = Random::seeded(seed);
    let mut history = History::new(random.next());
    let mut simulation = Simulation::new(random.next());
    for _ in 0..LIVES {
        simulation.stop_after(1 + random.below(60) as u64);
        let fails = random.below(3) == 0;
        if fails {
            let failure = [Failure::Io, Failure::Full][random.below(2)];
            simulation.fail_after(random.below(60) as u64, failure);
        }
        let durability = match random.below(3) {
            0 => Durability::Never,
            _ => Durability::Always,
        };
        match history.open_as(directory(&simulation), durability) {
            Ok((store, _)) => live(&mut history, &store, durability, &mut random),
            // What is refused is refused for what was done to the disk, and only so.
            Err(error) => {
                let text = error.to_string();
                let is_ours = ["no power", "of the device", "is full"];
                assert!(is_ours.iter().any(|ours| text.contains(ours)), "seed {seed}: {error}");
            }
        }
        // Or only the process has ended. After a sync that failed what the next one finds may be in
        // no other place than the memory of the system, which nobody can see.
        if fails || random.below(3) > 0 {
            simulation = simulation.crash();
        }
    }
    LIVES
}

/// Goes on until nothing is kept any more.
fn live(history: &mut History, store: &Store, durability: Durability, random: &mut Random) {
    loop {
        match random.below(20) {
            0 => drop(store.snapshot()),
            1 => snapshot_among_steps(history, store, durability, random),
            2..=3 if store.sync().is_ok() => history.kept = history.last(),
            _ => {
                step(history, store, durability);
                if durability != Durability::Always && random.below(4) == 0 {
                    let log = store.log().expect("a store that keeps");
                    let _ = log.turn().map(|mut turn| turn.advance(Goal::Written));
                }
            }
        }
        if !goes_on(store) {
            return;
        }
    }
}

fn step(history: &mut History, store: &Store, durability: Durability) {
    let acknowledged = history.kept;
    history.step(store);
    if durability != Durability::Always {
        history.kept = acknowledged;
    }
}

/// Steps between the instant of a snapshot and its end.
fn snapshot_among_steps(
    history: &mut History,
    store: &Store,
    durability: Durability,
    random: &mut Random,
) {
    let log = store.log().expect("a store that keeps");
    let Ok(begun) = log.begin_rewrite() else { return };
    for _ in 0..random.below(5) {
        step(history, store, durability);
    }
    let _ = log.end_rewrite(begun);
}

/// Whether writes are let in, perhaps once what went wrong is mended.
fn goes_on(store: &Store) -> bool {
    let log = store.log().expect("a store that keeps");
    for _ in 0..3 {
        if log.refusal().is_none() {
            return true;
        }
        tend(store);
    }
    log.refusal().is_none()
}

#[test]
fn nothing_that_was_acknowledged_is_lost_in_a_crash() {
    let states = rounds("LARDER_CRASHES", 1_000);
    let (mut seen, mut seed) = (0, rounds("LARDER_SEED", 0) as u64);
    while seen < states {
        let lived = std::panic::catch_unwind(|| life(seed));
        seen += lived.unwrap_or_else(|_| panic!("LARDER_SEED={seed} shows it at once"));
        seed += 1;
    }
}

/// All that a store does with its log, in a fixed order; what goes wrong is mended.
fn story(history: &mut History, simulation: &Simulation) -> Result<()> {
    for _ in 0..2 {
        let (store, _) = history.open(directory(simulation))?;
        for number in 0..8 {
            history.step(&store);
            if number % 3 == 1 {
                let _ = store.snapshot();
            }
            tend(&store);
        }
        tend(&store);
        tend(&store);
    }
    Ok(())
}

fn calls_of_the_story() -> u64 {
    let all = Simulation::new(0);
    story(&mut History::new(0), &all).unwrap();
    all.calls()
}

#[test]
fn a_crash_at_every_call_of_a_story() {
    for call in 0..calls_of_the_story() {
        for sample in 0..2 {
            let (mut history, simulation) = (History::new(0), Simulation::new(sample));
            simulation.stop_after(call);
            let _ = story(&mut history, &simulation);
            // Another while it recovers.
            let again = simulation.crash();
            again.stop_after(sample);
            let _ = history.open(directory(&again));
            history.open(directory(&again.crash())).unwrap();
        }
    }
}

#[test]
fn a_call_that_fails_at_every_place_of_a_story() {
    for failure in [Failure::Io, Failure::Full] {
        for call in 0..calls_of_the_story() {
            let (mut history, simulation) = (History::new(0), Simulation::new(call));
            simulation.fail_after(call, failure);
            // An error of an opening is told, and everything else is made good.
            let told = story(&mut history, &simulation);
            assert!(!simulation.fails_later());
            let crashed = simulation.crash();
            let opened = history.open(directory(&crashed));
            let (store, _) = opened.unwrap_or_else(|error| panic!("{call}, {told:?}: {error}"));
            assert_eq!(history.step(&store), Told::Done);
        }
    }
}
