//! The wire form of sorting.

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::{Context, Family, command};
use super::encoder::Encoder;
use crate::error::Result;
use crate::ops::sort::*;
use crate::ops::sorted_set::Limit;

command!(Sort<'a>, "SORT" { of });
command!(SortInto<'a>, "SORT" { of });

/// `SORT`, with or without `STORE`.
pub(super) fn execute_sort(
    args: &mut Args<'_>,
    context: &mut Context<'_, '_>,
    encoder: &mut Encoder<'_>,
) -> Result<()> {
    match parse(args)? {
        (of, Some(destination)) => {
            let of = StoredSorting { of, destination };
            context.execute(&SortInto { of }, encoder)
        }
        (of, None) => context.execute(&Sort { of }, encoder),
    }
}

/// `SORT_RO`, which knows no `STORE`.
pub(super) fn parse_read_only<'a>(args: &mut Args<'a>) -> Result<Sort<'a>> {
    Sort::parse(args)
}

/// The options in any order, and where to store the answer, if anywhere.
fn parse<'a>(args: &mut Args<'a>) -> Result<(Sorting<'a>, Option<&'a [u8]>)> {
    let mut sorting = Sorting { key: args.next()?, ..Sorting::default() };
    let mut destination = None;
    while !args.is_empty() {
        match () {
            () if args.keyword("ASC") => sorting.descending = false,
            () if args.keyword("DESC") => sorting.descending = true,
            () if args.keyword("ALPHA") => sorting.alphabetic = true,
            () if args.len() > 2 && args.keyword("LIMIT") => {
                let (offset, count) = (args.integer()?, args.integer()?);
                sorting.limit = Some(Limit { offset, count });
            }
            () if args.len() > 1 && args.keyword("STORE") => destination = Some(args.next()?),
            () if args.len() > 1 && args.keyword("BY") => {
                let pattern = args.next()?;
                // A pattern that names no key keeps the order, whatever else is given.
                sorting.by = match sorting.by {
                    By::Nothing => By::Nothing,
                    _ if pattern.contains(&b'*') => By::Pattern(pattern),
                    _ => By::Nothing,
                };
            }
            () if args.len() > 1 && args.keyword("GET") => {
                sorting.get.to_mut().push(args.next()?);
            }
            () => return Err(SYNTAX),
        }
    }
    Ok((sorting, destination))
}

/// A key, and the options but for `STORE`.
impl<'a> Arg<'a> for Sorting<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match parse(args)? {
            (sorting, None) => Ok(sorting),
            (_, Some(_)) => Err(SYNTAX),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        argv.push(self.key);
        match self.by {
            By::Themselves => {}
            By::Nothing => ["BY", "nosort"].iter().for_each(|word| argv.push(word)),
            By::Pattern(pattern) => {
                argv.push("BY");
                argv.push(pattern);
            }
        }
        if let Some(Limit { offset, count }) = self.limit {
            argv.push("LIMIT");
            argv.integer(offset);
            argv.integer(count);
        }
        for pattern in self.get.iter() {
            argv.push("GET");
            argv.push(pattern);
        }
        if self.descending {
            argv.push("DESC");
        }
        if self.alphabetic {
            argv.push("ALPHA");
        }
    }
}

/// A key, and the options with `STORE`.
impl<'a> Arg<'a> for StoredSorting<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match parse(args)? {
            (of, Some(destination)) => Ok(Self { of, destination }),
            (_, None) => Err(SYNTAX),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        argv.arg(&self.of);
        argv.push("STORE");
        argv.push(self.destination);
    }
}
