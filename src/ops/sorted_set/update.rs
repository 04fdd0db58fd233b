//! Adding members, changing their scores, removing them.

use std::borrow::Cow;
use std::ops::Range;

use super::{MemberRange, RankRange, ScoreRange};
use crate::data::sorted_set::{Score, SortedSet};
use crate::error::{Error, Result};
use crate::keyspace::access::Write;
use crate::keyspace::{Edit, EventKind, Writer};
use crate::ops::Operation;
use crate::value::check_len;

/// When a member is added or gets a new score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddRule {
    /// In any case.
    #[default]
    Always,
    /// If it is not in the set.
    IfAbsent,
    /// If it is in the set already.
    IfPresent,
    /// If it is not in the set, or the new score is greater than its present one.
    IfGreater,
    /// If it is not in the set, or the new score is less than its present one.
    IfLess,
    /// If it is in the set with a lower score.
    IfPresentAndGreater,
    /// If it is in the set with a higher score.
    IfPresentAndLess,
}

impl AddRule {
    /// Whether a member with the score `old` (`None`: not in the set) gets the score `new`.
    fn admits(self, old: Option<Score>, new: Score) -> bool {
        match (self, old) {
            (Self::Always, _) => true,
            (Self::IfAbsent, old) => old.is_none(),
            (Self::IfPresent, old) => old.is_some(),
            (Self::IfGreater | Self::IfPresentAndGreater, Some(old)) => new > old,
            (Self::IfLess | Self::IfPresentAndLess, Some(old)) => new < old,
            (Self::IfGreater | Self::IfLess, None) => true,
            (Self::IfPresentAndGreater | Self::IfPresentAndLess, None) => false,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct AddOptions {
    pub(crate) rule: AddRule,
    /// Whether to count members with a new score too, not only those added.
    pub(crate) changed: bool,
    /// Whether the score is added to the member's; then there is one member only.
    pub(crate) increment: bool,
}

/// Adds members or changes their scores.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Add<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) options: AddOptions,
    pub(crate) entries: Cow<'a, [(Score, &'a [u8])]>,
}

/// What adding came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum AddOutcome {
    /// How many members were added (or changed, if those were to be counted).
    Count(usize),
    /// The score after an increment; `None` if the rule forbade it.
    Score(Option<f64>),
}

impl Operation for Add<'_> {
    type Output = AddOutcome;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let AddOptions { rule, changed, increment } = self.options;
        if increment {
            let &(by, member) = self.entries.first().ok_or(Error::Syntax("syntax error"))?;
            return self::increment(&mut writer, rule, member, by).map(AddOutcome::Score);
        }
        self.entries.iter().try_for_each(|(_, member)| check_len(member.len()))?;
        let (added, updated) = writer.edit_or_create(|set: &mut Edit<'_, SortedSet>| {
            let (mut added, mut updated) = (0, 0);
            for &(score, member) in self.entries.iter() {
                // The usual rule needs no look-up of its own.
                if rule != AddRule::Always && !rule.admits(set.score(member), score) {
                    continue;
                }
                match set.insert(member, score) {
                    None => added += 1,
                    Some(old) => updated += usize::from(old != score),
                }
            }
            if added + updated > 0 {
                set.notify(EventKind::ScoresAdded);
            }
            Ok((added, updated))
        })?;
        Ok(AddOutcome::Count(if changed { added + updated } else { added }))
    }
}

/// Adds to a member's score; a member that is not in the set begins at zero.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Increment<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) by: Score,
    pub(crate) member: &'a [u8],
}

impl Operation for Increment<'_> {
    type Output = f64;
    type Access = Write;

    #[inline]
    fn target(&self) -> &[u8] {
        self.key
    }

    #[inline]
    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let score = increment(&mut writer, AddRule::Always, self.member, self.by)?;
        Ok(score.expect("the rule forbids nothing"))
    }
}

#[inline]
fn increment(
    writer: &mut Writer<'_>,
    rule: AddRule,
    member: &[u8],
    by: Score,
) -> Result<Option<f64>> {
    check_len(member.len())?;
    writer.edit_or_create(|set: &mut Edit<'_, SortedSet>| {
        let old = set.score(member);
        if rule == AddRule::IfAbsent && old.is_some() {
            return Ok(None);
        }
        let sum = old.map_or(Some(by), |old| old.checked_add(by));
        let new = sum.ok_or(Error::ScoreNotANumber)?;
        if !rule.admits(old, new) {
            return Ok(None);
        }
        if set.insert(member, new) != Some(new) {
            set.notify(EventKind::ScoreIncremented);
        }
        Ok(Some(new.get()))
    })
}

/// Removes members; answers how many there were.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Remove<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) members: Cow<'a, [&'a [u8]]>,
}

impl Operation for Remove<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, mut writer: Writer<'_>) -> Result<Self::Output> {
        let removed = writer.edit(|set: &mut Edit<'_, SortedSet>| {
            let removed = self.members.iter().filter(|member| set.remove(member).is_some()).count();
            if removed > 0 {
                set.notify(EventKind::MembersRemoved);
            }
            Ok(removed)
        })?;
        Ok(removed.unwrap_or(0))
    }
}

/// Removes the members of some ranks; answers how many there were.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RemoveByRank<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) range: RankRange,
}

impl Operation for RemoveByRank<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        remove_range(writer, EventKind::MembersRemovedByRank, |set| self.range.ranks(set))
    }
}

/// Removes the members with scores within a range; answers how many there were.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RemoveByScore<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) range: ScoreRange,
}

impl Operation for RemoveByScore<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        remove_range(writer, EventKind::MembersRemovedByScore, |set| self.range.ranks(set))
    }
}

/// Removes the members within a range, from a set whose scores are all equal; answers how many
/// there were.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RemoveByMember<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) range: MemberRange<'a>,
}

impl Operation for RemoveByMember<'_> {
    type Output = usize;
    type Access = Write;

    fn target(&self) -> &[u8] {
        self.key
    }

    fn run(&self, writer: Writer<'_>) -> Result<Self::Output> {
        remove_range(writer, EventKind::MembersRemovedByLex, |set| self.range.ranks(set))
    }
}

fn remove_range(
    mut writer: Writer<'_>,
    event: EventKind,
    ranks: impl FnOnce(&SortedSet) -> Range<usize>,
) -> Result<usize> {
    let removed = writer.edit(|set: &mut Edit<'_, SortedSet>| {
        let removed = set.remove_ranks(ranks(set));
        let count = removed.len();
        if count > 0 {
            set.notify(event);
            set.discard(removed);
        }
        Ok(count)
    })?;
    Ok(removed.unwrap_or(0))
}
