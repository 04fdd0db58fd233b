//! List commands read back what they wrote, and refuse what Redis refuses.

use proptest::prelude::*;

use super::*;
use crate::ops::sorted_set::RankRange;
use crate::ops::{Await, Timeout};
use crate::wire::tests::{check_answer, check_operation, check_output};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..8),
        prop::sample::select(vec!["LEFT", "COUNT", "RANK", "-1", "before"])
            .prop_map(|word| word.as_bytes().to_vec()),
    ]
}

fn end() -> impl Strategy<Value = ListEnd> {
    prop::sample::select(vec![ListEnd::Front, ListEnd::Back])
}

fn slices(values: &[Vec<u8>]) -> Vec<&[u8]> {
    values.iter().map(|value| &**value).collect()
}

proptest! {
    #[test]
    fn changes_and_reads_survive_their_wire_form(
        key in bytes(),
        elements in prop::collection::vec(bytes(), 1..5),
        (start, stop, index) in any::<(i64, i64, i64)>(),
        rank in any::<i64>().prop_filter("a rank", |rank| ![0, i64::MIN].contains(rank)),
        count in prop::option::of(0..usize::MAX / 2),
        before in any::<bool>(),
        length in 1..1000usize,
    ) {
        let (key, element, elements) = (&key[..], &elements[0][..], || slices(&elements).into());
        let side = if before { Side::Before } else { Side::After };
        let range = RankRange { start, stop };
        check_operation(&PushFront { key, elements: elements() });
        check_operation(&PushBack { key, elements: elements() });
        check_operation(&PushFrontIfPresent { key, elements: elements() });
        check_operation(&PushBackIfPresent { key, elements: elements() });
        check_operation(&Length { key });
        check_operation(&Get { key, index });
        check_operation(&GetRange { key, range });
        check_operation(&Set { key, index, element });
        check_operation(&Remove { key, count: index, element });
        check_operation(&Trim { key, range });
        let insert = Insert { key, side, pivot: element, element };
        check_operation(&insert);
        for inserted in [Inserted::NoKey, Inserted::NoPivot, Inserted::Length(length)] {
            check_output(&insert, &inserted);
        }
        let find = Find { key, element, matches: Matches { rank, count, max_len: length } };
        check_operation(&find);
        check_output(&find, &vec![length]);
        check_output(&find, &vec![]);
    }

    #[test]
    fn pops_and_moves_survive_their_wire_form(
        keys in prop::collection::vec(bytes(), 1..5),
        count in prop::option::of(1..usize::MAX / 2),
        (from, to) in (end(), end()),
        millis in 0..1_000_000_000u64,
    ) {
        let timeout = Timeout((millis > 0).then(|| std::time::Duration::from_millis(millis)));
        let (key, keys) = (&keys[0][..], || Cow::from(slices(&keys)));
        let one = Value::from(key);
        let pop = PopFront { key, count: ElementCount(count) };
        check_operation(&pop);
        check_output(&pop, &Some(vec![one.clone()]));
        check_output(&pop, &None);
        check_operation(&PopBack { key, count: ElementCount(count) });
        let of = PopElementsFrom { keys: keys(), end: from, count: count.unwrap_or(1) };
        let pop = PopMany { from: of.clone() };
        check_operation(&pop);
        check_output(&pop, &Some((one.clone(), vec![one.clone(), one.clone()])));
        check_output(&pop, &None);
        check_operation(&BlockingPopMany { of: AwaitElementsFrom { timeout, from: of } });
        let pop = BlockingPopFront { of: Await { keys: keys(), timeout } };
        check_operation(&pop);
        check_output(&pop, &Some((one.clone(), one.clone())));
        check_output(&pop, &None);
        check_operation(&BlockingPopBack { of: Await { keys: keys(), timeout } });
        let route = Route { source: key, destination: b"to", from, to };
        check_operation(&Move { route });
        check_operation(&BlockingMove { route, timeout });
        check_output(&Move { route }, &Some(one));
        check_output(&Move { route }, &None);
    }
}

#[test]
fn a_range_is_written_from_where_it_lies_as_what_was_read_is() {
    let store = crate::Store::new();
    let list = store.list("list");
    for number in 0..900 {
        let element = if number == 400 { "x".repeat(10_000) } else { format!("element {number}") };
        list.push_back(element).unwrap();
    }
    store.kv().set("string", "value").unwrap();
    let ends = [0, 1, 399, 400, 401, 600, 899, 900, -1, -500, -900, -901, i64::MIN, i64::MAX];
    for (start, stop) in ends.iter().flat_map(|start| ends.map(|stop| (*start, stop))) {
        for key in ["list", "absent", "string"] {
            let range = RankRange { start, stop };
            check_answer(&store, &GetRange { key: key.as_bytes(), range });
        }
    }
}
