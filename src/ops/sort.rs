//! Sorting the elements of a list, or the members of a set, by themselves or by other keys.
//!
//! A pattern names a key for each element: its first `*` stands for the element. Which keys these
//! are is known only when the elements are, so an operation with such patterns holds the whole
//! database; without, only the keys that it names.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::sorted_set::Limit;
use super::{Operation, hash};
use crate::data::list::{Element, List, ListEnd};
use crate::data::set::{Member, Set};
use crate::data::sorted_set::SortedSet;
use crate::error::{Error, Result};
use crate::keyspace::access::{Extent, ReadMany, Views, WriteMany, Writers};
use crate::keyspace::{EventKind, Kind, View};
use crate::number;
use crate::value::Value;

/// What elements are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum By<'a> {
    #[default]
    Themselves,
    /// They keep the order that they have.
    Nothing,
    /// The values of the keys that a pattern names.
    Pattern(&'a [u8]),
}

/// What to sort, how, and what to answer of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sorting<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) by: By<'a>,
    pub(crate) limit: Option<Limit>,
    /// Patterns of the keys to answer for each element, `#` for itself; none is that too.
    pub(crate) get: Cow<'a, [&'a [u8]]>,
    pub(crate) descending: bool,
    /// By bytes instead of numbers.
    pub(crate) alphabetic: bool,
}

/// Sorts, and answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sort<'a> {
    pub(crate) of: Sorting<'a>,
}

impl Operation for Sort<'_> {
    /// For each element what its patterns name, where there is something.
    type Output = Vec<Option<Value>>;
    type Access = ReadMany;

    fn target(&self) -> Extent<'_> {
        if self.of.looks_up() { Extent::Database } else { Extent::keys([self.of.key]) }
    }

    fn run(&self, views: Views<'_>) -> Result<Self::Output> {
        self.of.sort(&|key| views.look_up(key))
    }
}

/// Sorts, and makes a list of the answer under another key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SortInto<'a> {
    pub(crate) of: StoredSorting<'a>,
}

/// What to sort, and the key to store it under.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredSorting<'a> {
    pub(crate) of: Sorting<'a>,
    pub(crate) destination: &'a [u8],
}

impl Operation for SortInto<'_> {
    /// The length of the list.
    type Output = usize;
    type Access = WriteMany;

    fn target(&self) -> Extent<'_> {
        let StoredSorting { of, destination } = &self.of;
        if of.looks_up() {
            Extent::DatabaseAnd(destination)
        } else {
            Extent::keys([of.key, destination])
        }
    }

    fn run(&self, mut writers: Writers<'_>) -> Result<Self::Output> {
        let StoredSorting { of, destination } = &self.of;
        let is_set = writers.view(of.key)?.kind() == Some(Kind::Set);
        let elements = of.in_some_order(is_set).sort(&|key| writers.look_up(key))?;
        let mut list = List::default();
        for element in &elements {
            list.push_value(ListEnd::Back, element.as_ref().unwrap_or(&Value::default()));
        }
        let mut writer = writers.writer(destination)?;
        if !elements.is_empty() {
            writer.put_data(list);
            writer.notify(EventKind::SortStored);
        } else if writer.remove() {
            writer.notify(EventKind::Deleted);
        }
        Ok(elements.len())
    }
}

impl Sorting<'_> {
    /// Whether it looks at keys that only the elements tell.
    fn looks_up(&self) -> bool {
        matches!(self.by, By::Pattern(_)) || self.get.iter().any(|get| *get != b"#")
    }

    /// The members of a set have no order to keep; what is stored of them is in that of their
    /// bytes.
    fn in_some_order(&self, is_set: bool) -> Self {
        let mut sorting = self.clone();
        if is_set && self.by == By::Nothing {
            (sorting.by, sorting.alphabetic) = (By::Themselves, true);
        }
        sorting
    }

    fn sort<'s>(&self, view: &dyn Fn(&[u8]) -> Result<View<'s>>) -> Result<Vec<Option<Value>>> {
        let reversed = self.descending && self.by == By::Nothing;
        let mut elements = elements(view(self.key)?, reversed)?;
        let look_up = |pattern: &[u8], element: &Value| look_up(view, pattern, element);
        match (self.by, self.alphabetic) {
            (By::Nothing, _) => {}
            (by, true) => {
                let weight = |element: &Value| match by {
                    By::Pattern(pattern) => look_up(pattern, element),
                    By::Themselves | By::Nothing => Ok(Some(element.clone())),
                };
                elements = self.by_bytes(elements, weight)?;
            }
            (by, false) => {
                let weight = |element: &Value| match by {
                    By::Pattern(pattern) => {
                        look_up(pattern, element)?.map_or(Ok(0.0), |text| number_of(&text))
                    }
                    By::Themselves | By::Nothing => number_of(element),
                };
                elements = self.by_number(elements, weight)?;
            }
        }
        let selected = self.selected(elements.len());
        let selected = &elements[selected];
        if self.get.is_empty() {
            return Ok(selected.iter().cloned().map(Some).collect());
        }
        let wanted = selected.iter().flat_map(|one| self.get.iter().map(move |get| (*get, one)));
        wanted.map(|(get, one)| look_up(get, one)).collect()
    }

    fn by_bytes(
        &self,
        elements: Vec<Value>,
        weight: impl Fn(&Value) -> Result<Option<Value>>,
    ) -> Result<Vec<Value>> {
        let weighed = elements.into_iter().map(|element| Ok((weight(&element)?, element)));
        let mut weighed: Vec<_> = weighed.collect::<Result<_>>()?;
        weighed.sort_by(|a, b| self.directed(a.0.cmp(&b.0)));
        Ok(weighed.into_iter().map(|(_, element)| element).collect())
    }

    fn by_number(
        &self,
        elements: Vec<Value>,
        weight: impl Fn(&Value) -> Result<f64>,
    ) -> Result<Vec<Value>> {
        let weighed = elements.into_iter().map(|element| Ok((weight(&element)?, element)));
        let mut weighed: Vec<_> = weighed.collect::<Result<_>>()?;
        // No weight is NaN; elements of one weight are in the order of their bytes.
        weighed.sort_by(|a, b| {
            let numbers = a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal);
            self.directed(numbers.then_with(|| a.1.cmp(&b.1)))
        });
        Ok(weighed.into_iter().map(|(_, element)| element).collect())
    }

    fn directed(&self, ordering: Ordering) -> Ordering {
        if self.descending { ordering.reverse() } else { ordering }
    }

    fn selected(&self, len: usize) -> Range<usize> {
        let Some(Limit { offset, count }) = self.limit else { return 0..len };
        let start = usize::try_from(offset).unwrap_or(0).min(len);
        let count = usize::try_from(count).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }
}

/// The elements of whatever can be sorted, in the order that they have, or the opposite. Those of
/// a set have none.
fn elements(view: View<'_>, reversed: bool) -> Result<Vec<Value>> {
    match view.kind() {
        None => Ok(Vec::new()),
        Some(Kind::List) => {
            let list = view.get::<List>()?.ok_or(Error::WrongType)?;
            let elements = list.elements(0..list.len()).map(Element::to_value);
            Ok(if reversed { elements.rev().collect() } else { elements.collect() })
        }
        Some(Kind::SortedSet) => {
            let set = view.get::<SortedSet>()?.ok_or(Error::WrongType)?;
            let members = set.entries(0..set.len()).map(|(member, _)| member.clone());
            Ok(if reversed { members.rev().collect() } else { members.collect() })
        }
        Some(Kind::Set) => {
            let set = view.get::<Set>()?.ok_or(Error::WrongType)?;
            Ok(set.iter().map(Member::to_value).collect())
        }
        Some(_) => Err(Error::WrongType),
    }
}

/// What a pattern names for an element: the string under a key; the element itself for `#`. With
/// a name behind `->` it is that field of a hash.
fn look_up<'s>(
    view: &dyn Fn(&[u8]) -> Result<View<'s>>,
    pattern: &[u8],
    element: &Value,
) -> Result<Option<Value>> {
    if pattern == b"#" {
        return Ok(Some(element.clone()));
    }
    let Some(star) = memchr::memchr(b'*', pattern) else { return Ok(None) };
    let (before, after) = (&pattern[..star], &pattern[star + 1..]);
    let (after, field) = split_field(after);
    let view = view(&[before, element, after].concat())?;
    // A key of another type has no value to sort by or to answer.
    Ok(match field {
        None => view.value().ok().flatten(),
        Some(field) => {
            let hash = hash::live(&view).ok().flatten();
            hash.and_then(|hash| hash.get(field)).map(|field| field.value())
        }
    })
}

/// A key's end and the name of a field, if one is named.
fn split_field(pattern: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memmem::find(pattern, b"->") {
        Some(arrow) if arrow + 2 < pattern.len() => {
            (&pattern[..arrow], Some(&pattern[arrow + 2..]))
        }
        _ => (pattern, None),
    }
}

/// A weight: all that C's `strtod` makes of a text, but for what it cannot hold.
fn number_of(text: &[u8]) -> Result<f64> {
    const NO_NUMBER: Error = Error::OutOfRange("One or more scores can't be converted into double");
    let value = number::parse_float_leniently(text).ok_or(NO_NUMBER)?;
    if !text.is_empty() && (value == 0.0 || value.is_infinite()) {
        return number::parse_float(text.trim_ascii_start()).ok_or(NO_NUMBER);
    }
    Ok(value)
}
