//! Lists against a deque of byte strings, and their edges one by one.

use proptest::prelude::*;

use super::ListEnd::{Back, Front};
use super::*;

type Model = VecDeque<Vec<u8>>;

#[derive(Clone, Debug)]
enum Op {
    Push(ListEnd, Vec<u8>),
    PushMany(ListEnd, Vec<u8>, usize),
    Pop(ListEnd),
    PopMany(ListEnd, usize),
    Set(usize, Vec<u8>),
    Insert(usize, Vec<u8>),
    Remove(usize),
    RemoveRange(usize, usize),
    RemoveEqual(Vec<u8>, usize, ListEnd),
    Clone,
}

/// Few different elements, of every length that matters.
fn element() -> impl Strategy<Value = Vec<u8>> {
    let short = (0..4u8, 0..8usize).prop_map(|(byte, len)| vec![byte; len]);
    let any = (0..2u8, 0..2 * MAX_WEIGHT).prop_map(|(byte, len)| vec![byte; len]);
    prop_oneof![6 => short, 2 => any, 1 => Just(vec![7; LARGEST_PACKED])]
}

fn end() -> impl Strategy<Value = ListEnd> {
    prop_oneof![Just(Front), Just(Back)]
}

fn op() -> impl Strategy<Value = Op> {
    let index = || 0..1_000_000usize;
    prop_oneof![
        20 => (end(), element()).prop_map(|(end, element)| Op::Push(end, element)),
        3 => (end(), element(), 0..60usize)
            .prop_map(|(end, element, n)| Op::PushMany(end, element, n)),
        12 => end().prop_map(Op::Pop),
        2 => (end(), 0..60usize).prop_map(|(end, n)| Op::PopMany(end, n)),
        10 => (index(), element()).prop_map(|(index, element)| Op::Set(index, element)),
        20 => (index(), element()).prop_map(|(index, element)| Op::Insert(index, element)),
        15 => index().prop_map(Op::Remove),
        3 => (index(), 0..30usize).prop_map(|(start, len)| Op::RemoveRange(start, len)),
        6 => (element(), prop_oneof![0..3usize, Just(usize::MAX)], end())
            .prop_map(|(element, count, end)| Op::RemoveEqual(element, count, end)),
        1 => Just(Op::Clone),
    ]
}

fn model_push(model: &mut Model, end: ListEnd, element: Vec<u8>) {
    match end {
        Front => model.push_front(element),
        Back => model.push_back(element),
    }
}

fn model_pop(model: &mut Model, end: ListEnd) -> Option<Vec<u8>> {
    match end {
        Front => model.pop_front(),
        Back => model.pop_back(),
    }
}

fn model_remove_equal(model: &mut Model, element: &[u8], count: usize, end: ListEnd) -> usize {
    let matches = (0..model.len()).filter(|index| model[*index] == element);
    let mut found: Vec<_> = matches.collect();
    if end == Back {
        found.reverse();
    }
    found.truncate(count);
    found.sort_unstable();
    found.iter().rev().for_each(|index| drop(model.remove(*index)));
    found.len()
}

/// Applies an operation to both and compares the answers.
fn apply(list: &mut List, model: &mut Model, op: Op) {
    let len = model.len();
    match op {
        Op::Push(end, element) => {
            list.push(end, &element);
            model_push(model, end, element);
        }
        Op::PushMany(end, element, n) => (0..n).for_each(|_| {
            list.push_value(end, &Value::from(&element[..]));
            model_push(model, end, element.clone());
        }),
        Op::Pop(end) => {
            let peeked = list.peek(end).map(Element::to_value);
            let popped = list.pop(end);
            assert_eq!(peeked, popped);
            assert_eq!(popped.map(|value| value.to_vec()), model_pop(model, end));
        }
        Op::PopMany(end, n) => (0..n).for_each(|_| {
            let popped = list.pop(end).map(|value| value.to_vec());
            assert_eq!(popped, model_pop(model, end));
        }),
        Op::Set(index, element) if len > 0 => {
            list.set(index % len, &element);
            model[index % len] = element;
        }
        Op::Insert(index, element) => {
            list.insert(index % (len + 1), &element);
            model.insert(index % (len + 1), element);
        }
        Op::Remove(index) if len > 0 => {
            list.remove_range(index % len..index % len + 1);
            model.remove(index % len);
        }
        Op::RemoveRange(start, count) => {
            let start = start % (len + 1);
            list.remove_range(start..start + count);
            model.drain(start..(start + count).min(len));
        }
        Op::RemoveEqual(element, count, end) => {
            let removed = list.remove_equal(&element, count, end);
            assert_eq!(removed, model_remove_equal(model, &element, count, end));
        }
        Op::Clone => {
            let copy = list.clone();
            copy.check();
            *list = copy;
        }
        Op::Set(..) | Op::Remove(_) => {}
    }
}

fn contents(list: &List) -> Model {
    list.elements(0..usize::MAX).map(|element| element.to_vec()).collect()
}

fn numbered(len: usize) -> List {
    let mut list = List::default();
    (0..len).for_each(|n| list.push(Back, n.to_string().as_bytes()));
    list
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300, failure_persistence: None, ..Default::default()
    })]

    #[test]
    fn agrees_with_a_deque(ops in prop::collection::vec(op(), 1..120)) {
        let (mut list, mut model) = (List::default(), Model::new());
        for op in ops {
            apply(&mut list, &mut model, op);
            list.check();
            assert_eq!(list.len(), model.len());
            assert_eq!(contents(&list), model);
        }
        let mut backwards: Model =
            list.elements(0..usize::MAX).rev().map(|element| element.to_vec()).collect();
        backwards.make_contiguous().reverse();
        prop_assert_eq!(backwards, model);
    }

    #[test]
    fn ranges_are_read_from_both_ends(
        start in 0..300usize,
        len in 0..300usize,
        turns in any::<u64>(),
    ) {
        let list = numbered(200);
        let mut expected: VecDeque<_> = (0..200).skip(start).take(len).collect();
        let mut elements = list.elements(start..start + len);
        for turn in 0.. {
            let (found, wanted) = match turns >> (turn % 64) & 1 {
                0 => (elements.next(), expected.pop_front()),
                _ => (elements.next_back(), expected.pop_back()),
            };
            prop_assert_eq!(elements.len(), expected.len());
            prop_assert_eq!(found.map(|n| n.to_value().to()), wanted.map(Ok::<u64, _>));
            if wanted.is_none() {
                break;
            }
        }
    }
}

#[test]
fn a_clone_is_apart_from_the_original() {
    let original = numbered(100);
    let mut copy = original.clone();
    copy.set(50, b"other");
    copy.pop(Front);
    copy.push(Back, b"new");
    copy.check();
    original.check();
    assert_eq!(contents(&original), contents(&numbered(100)));
    assert_eq!(copy.len(), 100);
}

#[test]
fn a_queue_that_never_empties_keeps_its_size() {
    let mut list = numbered(5);
    let most = (0..10_000).map(|n: usize| {
        list.push(Back, n.to_string().as_bytes());
        list.pop(Front);
        list.check();
        list.bytes()
    });
    assert!(most.max().unwrap() < 20 * MAX_WEIGHT);
    let mut list = numbered(1_000);
    (0..999).for_each(|_| drop(list.pop(Front)));
    list.check();
    assert!(list.bytes() < 20 * MAX_WEIGHT);
}

#[test]
fn what_is_removed_everywhere_leaves_full_blocks() {
    let mut list = List::default();
    for n in 0..1_000 {
        list.push(Back, if n % 10 == 0 { b"keep" } else { b"drop" });
    }
    let nodes = list.nodes.len();
    assert_eq!(list.remove_equal(b"drop", usize::MAX, Front), 900);
    list.check();
    assert!(list.nodes.len() * 4 < nodes);
    assert_eq!(list.remove_equal(b"keep", usize::MAX, Back), 100);
    assert!(list.is_empty());
    list.check();
}
