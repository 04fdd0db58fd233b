//! What is recorded of random histories makes the same dataset again.

mod effects;
mod redis_server;
mod waiting;

use super::Replay;
use crate::argv::Argv;
use crate::error::{Error, Result};
use crate::keyspace::effect::Effect;
use crate::keyspace::journal::{Journal, Record};
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering};
use crate::wire::{Decoder, Frame, FrameLimits, effect};
use crate::{ManualClock, Store};

/// The commands of a record, each with its database.
type Recorded = Vec<(u16, Vec<u8>)>;

/// A journal that keeps all records in memory.
#[derive(Default)]
struct Collector {
    records: Mutex<Vec<Recorded>>,
    refuses: AtomicBool,
    is_lost: AtomicBool,
    acknowledged: AtomicU64,
}

impl Journal for Collector {
    fn admit(&self) -> Result<()> {
        match self.refuses.load(Ordering::SeqCst) {
            true => Err(Error::ReadOnly("the disk is full".to_owned())),
            false => Ok(()),
        }
    }

    fn spell(&self, record: &mut Record, key: &[u8], effect: &Effect<'_>) {
        effect::spell(record, key, effect);
    }

    fn append(&self, record: &mut Record) -> u64 {
        assert!(!record.is_empty());
        let commands = record.commands().map(|(database, bytes)| (database, bytes.to_vec()));
        let mut records = self.records.lock();
        records.push(commands.collect());
        records.len() as u64
    }

    fn append_set(&self, database: u16, key: &[u8], value: &[u8], unix_ms: Option<i64>) -> u64 {
        let mut argv = Argv::default();
        argv.command(|argv| effect::spell_set(argv, key, value, unix_ms));
        let mut records = self.records.lock();
        records.push(vec![(database, argv.bytes().to_vec())]);
        records.len() as u64
    }

    fn acknowledge(&self, position: u64) -> Result<()> {
        assert!(position <= self.records.lock().len() as u64);
        self.acknowledged.fetch_max(position, Ordering::SeqCst);
        match self.is_lost.load(Ordering::SeqCst) {
            true => Err(Error::Indeterminate("no sync".to_owned())),
            false => Ok(()),
        }
    }
}

impl Collector {
    fn attached_to(store: &Store) -> Arc<Self> {
        let collector = Arc::new(Self::default());
        store.databases().set_journal(collector.clone());
        collector
    }

    /// What was recorded since the last time, as text: a line for every record.
    fn take_text(&self) -> Vec<String> {
        let records = std::mem::take(&mut *self.records.lock());
        let told = |(database, bytes): &(u16, Vec<u8>)| {
            let words = words(bytes);
            let words: Vec<String> =
                words.iter().map(|word| word.escape_ascii().to_string()).collect();
            format!("{database}: {}", words.join(" "))
        };
        records
            .iter()
            .map(|record| record.iter().map(told).collect::<Vec<_>>().join("; "))
            .collect()
    }

    /// Runs everything again on another store.
    fn replay_on(&self, store: &Store) {
        store.databases().load(|databases| {
            let mut replay = Replay::new(databases);
            let mut run = |argv: &[&[u8]]| {
                let outcome = replay.command(argv);
                outcome.unwrap_or_else(|refusal| panic!("{refusal:?}: {}", shown(argv)));
            };
            for record in &*self.records.lock() {
                run(&[b"MULTI"]);
                for (database, bytes) in record {
                    run(&[b"SELECT", database.to_string().as_bytes()]);
                    let words = words(bytes);
                    run(&words.iter().map(|word| &word[..]).collect::<Vec<_>>());
                }
                run(&[b"EXEC"]);
            }
            assert!(!replay.is_in_transaction());
        });
    }

    /// Asserts that what was recorded makes what the store holds.
    fn check(&self, live: &Store, clock: &ManualClock) {
        let again = Store::builder().clock(clock).databases(4).build();
        self.replay_on(&again);
        if let Some(difference) = live.first_difference(&again) {
            panic!("{difference}");
        }
        for (_, shard) in again.databases().shards() {
            shard.read().check(again.databases().hasher());
        }
    }
}

/// The words of a command in its wire form.
fn words(bytes: &[u8]) -> Vec<crate::Value> {
    let frame = Decoder::new(FrameLimits::default()).decode(bytes).expect("the wire form");
    let Some((Frame::Array(words), length)) = frame else { panic!("a whole command") };
    assert_eq!(length, bytes.len());
    let word = |frame| match frame {
        Frame::Bulk(word) => word,
        other => panic!("{other:?} is no argument"),
    };
    words.into_iter().map(word).collect()
}

fn shown(argv: &[&[u8]]) -> String {
    argv.iter().map(|word| format!("{} ", word.escape_ascii())).collect()
}
