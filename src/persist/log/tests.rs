//! Stores whose log is kept by something that crashes and fails.
//!
//! What is found after a crash says by its stamp which [`step`] of a history it stands for.

mod basics;
mod crashes;
mod damage;
mod faults;
mod limits;
mod panics;
mod reentry;
#[path = "../../../tests/crash/step.rs"]
mod step;
mod threads;

use self::step::{DATABASES, Step, stamp_of};
use super::keeper::Keeper;
use super::opening::begin;
use super::snapshots::Occasion;
use super::writer::Trouble;
use crate::persist::{Durability, Persistence, Recovery, Settings};
use crate::random::Random;
use crate::wire::grammar::{self, Commands};
use crate::{ManualClock, Result, Store, rdb};

/// The steps of a history; they are numbered from one on.
struct History {
    clock: ManualClock,
    commands: Commands,
    /// What a store holds after the steps that no crash can take any more, as an RDB file, and
    /// their number.
    past: (Vec<u8>, usize),
    /// The steps after those.
    steps: Vec<Step>,
    /// Steps up to here no crash may take.
    kept: usize,
}

/// What came of a step, as its caller was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Done,
    Refused,
    Indeterminate,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut commands = Commands::new(seed);
        commands.newer = true;
        let past = (Vec::new(), 0);
        Self { clock: ManualClock::new(), commands, past, steps: Vec::new(), kept: 0 }
    }

    /// The number of the last step.
    fn last(&self) -> usize {
        self.past.1 + self.steps.len()
    }

    fn memory_store(&self) -> Store {
        Store::builder().clock(&self.clock).databases(DATABASES).build()
    }

    /// Opens a store on what is kept, and asserts that it holds a step of this history, which is
    /// not before what was to be kept. Later steps are forgotten.
    fn open(&mut self, persistence: impl Persistence + 'static) -> Result<(Store, Recovery)> {
        self.open_as(persistence, Durability::Always)
    }

    fn open_as(
        &mut self,
        persistence: impl Persistence + 'static,
        durability: Durability,
    ) -> Result<(Store, Recovery)> {
        let settings = Settings { durability, rewrite_above: 4 << 10, ..Settings::default() };
        let store = self.memory_store();
        let (log, _, recovery) = begin(Box::new(persistence), store.databases(), settings)?;
        let store = store.kept_by(Keeper::unattended(log), recovery.clone());
        let found = stamp_of(&store);
        let kept = self.kept;
        assert!(found >= kept, "{kept} steps were to be kept, {found} are");
        self.steps.truncate(found - self.past.1);
        let model = self.check(&store);
        let mut file = Vec::new();
        rdb::export(&model, &mut file)?;
        (self.past, self.kept) = ((file, found), found);
        self.steps.clear();
        Ok((store, recovery))
    }

    /// Asserts that a store holds what it does after all steps; answers another that does.
    fn check(&self, store: &Store) -> Store {
        let model = self.memory_store();
        let (file, number) = &self.past;
        if *number > 0 {
            rdb::import(&model, &file[..]).expect("what was exported");
        }
        for (step, number) in self.steps.iter().zip(number + 1..) {
            step.run(&model, number);
        }
        if let Some(difference) = model.first_difference(store) {
            panic!("after {} steps: {difference}", self.last());
        }
        model
    }

    /// Does another step, which is kept if that is what the store says.
    fn step(&mut self, store: &Store) -> Told {
        let step = Step::draw(&mut self.commands);
        let told = told(&step.run(store, self.last() + 1));
        if told != Told::Refused {
            self.steps.push(step);
        }
        if told == Told::Done {
            self.kept = self.last();
        }
        told
    }
}

/// What the reply to a step tells.
fn told(reply: &[u8]) -> Told {
    match reply.strip_prefix(b"-") {
        None => Told::Done,
        Some(error) if error.starts_with(b"MISCONF") => Told::Refused,
        Some(_) => Told::Indeterminate,
    }
}

/// Does what the thread of a log does, at once.
fn tend(store: &Store) {
    let log = store.log().expect("a store that keeps");
    let trouble = log.turn().and_then(|turn| turn.writer().trouble.clone());
    // What goes wrong is seen by the next.
    let _ = match trouble {
        None => return,
        Some(Trouble::Stuck(_)) => log.retry(),
        Some(Trouble::Lost(_)) => log.rewrite(Occasion::Rewrite),
    };
}
