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
        let durability = match random.below(3) {
            0 => Durability::Never,
            _ => Durability::Always,
        };
        match history.open_as(directory(&simulation), durability) {
            Ok((store, _)) => live(&mut history, &store, durability, &mut random),
            // What is refused is refused for lack of power only.
            Err(error) => assert!(error.to_string().contains("power"), "seed {seed}: {error}"),
        }
        simulation = simulation.crash();
    }
    LIVES
}

/// Goes on until nothing is kept any more.
fn live(history: &mut History, store: &Store, durability: Durability, random: &mut Random) {
    loop {
        let acknowledged = history.kept;
        match random.below(20) {
            0 => drop(store.snapshot()),
            1..=2 if store.sync().is_ok() => history.kept = history.last(),
            _ => {
                let told = history.step(store);
                if durability != Durability::Always {
                    history.kept = acknowledged;
                }
                if told == Told::Refused {
                    return;
                }
                if durability != Durability::Always && random.below(4) == 0 {
                    let log = store.log().expect("a store that keeps");
                    let _ = log.turn().map(|mut turn| turn.advance(Goal::Written));
                }
            }
        }
        if store.persistence_stats().is_some_and(|stats| stats.refusal.is_some()) {
            return;
        }
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_in_a_crash() {
    let states = rounds("LARDER_CRASHES", 1_000);
    let (mut seen, mut seed) = (0, 0);
    while seen < states {
        seen += life(seed);
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
