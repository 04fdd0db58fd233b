//! Histories of four threads on one key, checked for linearizability.
//!
//! Each thread notes when a call began and ended and what it answered. A history is linearizable
//! if its calls can be put in one order that respects real time (a call that ended before another
//! began comes first) and in which a plain sequential model gives every answer. The search for
//! that order is Wing and Gong's, with the memory of Lowe: a set of calls done that led to a
//! state once need not be tried again.

use std::collections::HashSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::{Result, Store};

const THREADS: usize = 4;
const CALLS: usize = 6;

#[derive(Clone, Copy, Debug)]
enum Call {
    Get,
    Set(i64),
    SetIfAbsent(i64),
    Increment(i64),
    Append(u8),
    Swap(i64),
    Take,
    Delete,
    /// A batch: read, increment, read.
    Batch(i64),
    /// A transaction: double the number that is there.
    Double,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Text(Option<String>),
    Number(i64),
    Flag(bool),
    Length(usize),
    Done,
    Refused,
    Both(Option<String>, i64, Option<String>),
}

#[derive(Debug)]
struct Record {
    call: Call,
    answer: Answer,
    began: u64,
    ended: u64,
}

type State = Option<String>;

/// What the call answers in this state, and the state after it.
fn model(state: &State, call: Call) -> (Answer, State) {
    let number = || state.as_deref().unwrap_or("0").parse::<i64>().ok();
    // An increment takes a number in its one spelling only: not "03".
    let counter = || number().filter(|n| state.as_ref().is_none_or(|text| *text == n.to_string()));
    let text = |number: i64| Some(number.to_string());
    match call {
        Call::Get => (Answer::Text(state.clone()), state.clone()),
        Call::Set(n) => (Answer::Done, text(n)),
        Call::SetIfAbsent(n) if state.is_none() => (Answer::Flag(true), text(n)),
        Call::SetIfAbsent(_) => (Answer::Flag(false), state.clone()),
        Call::Increment(by) => match counter().and_then(|n| n.checked_add(by)) {
            Some(n) => (Answer::Number(n), text(n)),
            None => (Answer::Refused, state.clone()),
        },
        Call::Append(digit) => {
            let longer = format!("{}{digit}", state.as_deref().unwrap_or_default());
            (Answer::Length(longer.len()), Some(longer))
        }
        Call::Swap(n) => (Answer::Text(state.clone()), text(n)),
        Call::Take => (Answer::Text(state.clone()), None),
        Call::Delete => (Answer::Flag(state.is_some()), None),
        Call::Batch(by) => match counter().and_then(|n| n.checked_add(by)) {
            Some(n) => (Answer::Both(state.clone(), n, text(n)), text(n)),
            None => (Answer::Refused, state.clone()),
        },
        Call::Double => match number().and_then(|n| n.checked_mul(2)) {
            Some(n) => (Answer::Number(n), text(n)),
            None => (Answer::Refused, state.clone()),
        },
    }
}

fn perform(store: &Store, key: &str, call: Call) -> Answer {
    attempt(store, key, call).unwrap_or(Answer::Refused)
}

fn attempt(store: &Store, key: &str, call: Call) -> Result<Answer> {
    let kv = store.kv();
    Ok(match call {
        Call::Get => Answer::Text(kv.get_as(key)?),
        Call::Set(n) => kv.set(key, n).map(|()| Answer::Done)?,
        Call::SetIfAbsent(n) => Answer::Flag(kv.set_if_absent(key, n)?),
        Call::Increment(by) => Answer::Number(kv.increment(key, by)?),
        Call::Append(digit) => Answer::Length(kv.append(key, digit.to_string())?),
        Call::Swap(n) => Answer::Text(kv.get_and_set(key, n)?.map(|value| value.to()).transpose()?),
        Call::Take => Answer::Text(kv.get_and_delete(key)?.map(|value| value.to()).transpose()?),
        Call::Delete => Answer::Flag(store.keys().delete(key)?),
        Call::Batch(by) => {
            let batch = store.batch();
            let before = batch.kv().get_as(key);
            let sum = batch.kv().increment(key, by);
            let after = batch.kv().get_as(key);
            batch.exec()?;
            Answer::Both(before.get()?, sum.get()?, after.get()?)
        }
        Call::Double => store.transaction(&[key], |tx| {
            let number: i64 = tx.kv().get_as(key)?.unwrap_or(0);
            let double = number.checked_mul(2).ok_or(larder::Error::Overflow)?;
            tx.kv().set(key, double)?;
            Ok(Answer::Number(double))
        })?,
    })
}

/// A small deterministic generator: histories differ by seed, and a seed can be run again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn call(&mut self) -> Call {
        let n = (self.next() % 9) as i64 + 1;
        match self.next() % 10 {
            0 | 1 => Call::Get,
            2 => Call::Set(n),
            3 => Call::SetIfAbsent(n),
            4 => Call::Increment(n),
            5 => Call::Append(n as u8),
            6 => Call::Swap(n),
            7 => [Call::Take, Call::Delete][(self.next() % 2) as usize],
            8 => Call::Batch(n),
            _ => Call::Double,
        }
    }
}

fn history(store: &Store, key: &str, seed: u64) -> Vec<Record> {
    let ticks = AtomicU64::new(0);
    let barrier = Barrier::new(THREADS);
    let record = |thread: usize| {
        let mut random = Random(seed * THREADS as u64 + thread as u64 + 1);
        (0..20).for_each(|_| _ = random.next());
        let calls: Vec<Call> = (0..CALLS).map(|_| random.call()).collect();
        barrier.wait();
        let timed = |call| {
            let began = ticks.fetch_add(1, Ordering::SeqCst);
            let answer = perform(store, key, call);
            Record { call, answer, began, ended: ticks.fetch_add(1, Ordering::SeqCst) }
        };
        calls.into_iter().map(timed).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|n| {
                scope.spawn({
                    let record = &record;
                    move || record(n)
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// Whether the calls not in `done` can follow in `state`.
fn is_linearizable(
    history: &[Record],
    done: u64,
    state: &State,
    seen: &mut HashSet<(u64, State)>,
) -> bool {
    if done.count_ones() as usize == history.len() {
        return true;
    }
    if !seen.insert((done, state.clone())) {
        return false;
    }
    let open = || history.iter().enumerate().filter(|(n, _)| done & (1 << n) == 0);
    let first_end = open().map(|(_, record)| record.ended).min().expect("a call is left");
    open().filter(|(_, record)| record.began < first_end).any(|(n, record)| {
        let (answer, next) = model(state, record.call);
        answer == record.answer && is_linearizable(history, done | (1 << n), &next, seen)
    })
}

#[test]
fn histories_of_one_key_are_linearizable() {
    let store = Store::new();
    for seed in 0..1500 {
        let key = format!("key {seed}");
        let history = history(&store, &key, seed);
        let linearizable = is_linearizable(&history, 0, &None, &mut HashSet::new());
        assert!(linearizable, "seed {seed}: {history:#?}");
    }
}

#[test]
fn the_checker_refuses_what_no_order_explains() {
    let record = |call, answer, began, ended| Record { call, answer, began, ended };
    let text = |text: &str| Answer::Text(Some(text.into()));
    let stale = [
        record(Call::Set(1), Answer::Done, 0, 1),
        record(Call::Set(2), Answer::Done, 2, 3),
        record(Call::Get, text("1"), 4, 5),
    ];
    assert!(!is_linearizable(&stale, 0, &None, &mut HashSet::new()));
    let lost = [
        record(Call::Increment(1), Answer::Number(1), 0, 3),
        record(Call::Increment(1), Answer::Number(1), 1, 2),
    ];
    assert!(!is_linearizable(&lost, 0, &None, &mut HashSet::new()));
    let concurrent = [
        record(Call::Set(1), Answer::Done, 0, 3),
        record(Call::Set(2), Answer::Done, 1, 2),
        record(Call::Get, text("1"), 4, 5),
    ];
    assert!(is_linearizable(&concurrent, 0, &None, &mut HashSet::new()));
}
