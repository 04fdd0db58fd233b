//! The wire form of common subsequences.

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::command;
use super::encoder::Encoder;
use super::frame::Frame;
use super::reply::{Record, Reply, items, unexpected};
use crate::error::{Error, Result};
use crate::ops::subsequence::*;

command!(FindCommon<'a>, "LCS" { keys, wanted } {
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>) {
        let (runs, length) = match output {
            Common::Bytes(bytes) => return encoder.bulk(bytes),
            Common::Length(length) => return length.write(encoder),
            Common::Runs(runs, length) => (runs, length),
        };
        let with_lengths = matches!(self.wanted, Wanted::Runs { with_lengths: true, .. });
        encoder.map(2);
        encoder.bulk(b"matches");
        encoder.array(runs.len());
        for run in runs {
            encoder.array(if with_lengths { 3 } else { 2 });
            (run.first.start, run.first.end - 1).write(encoder);
            (run.second.start, run.second.end - 1).write(encoder);
            if with_lengths {
                run.first.len().write(encoder);
            }
        }
        encoder.bulk(b"len");
        length.write(encoder);
    }

    fn decode(&self, frame: Frame) -> Result<Self::Output> {
        match self.wanted {
            Wanted::Bytes => Reply::read(frame).map(Common::Bytes),
            Wanted::Length => Reply::read(frame).map(Common::Length),
            Wanted::Runs { .. } => {
                let mut record = Record::read(frame)?;
                let runs: Result<_> =
                    items(record.take("matches")?)?.into_iter().map(read_run).collect();
                Ok(Common::Runs(runs?, record.field("len")?))
            }
        }
    }
});

fn read_run(frame: Frame) -> Result<CommonRun> {
    let mut places = items(frame)?.into_iter();
    let (Some(first), Some(second)) = (places.next(), places.next()) else {
        return unexpected(&Frame::Null);
    };
    let range = |frame: Frame| {
        let (start, last) = <(usize, usize)>::read(frame)?;
        let end = last.checked_add(1).filter(|end| start < *end);
        end.map(|end| start..end).ok_or(Error::Protocol("an empty run".into()))
    };
    Ok(CommonRun::new(range(first)?, range(second)?))
}

impl<'a> Arg<'a> for [&'a [u8]; 2] {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        Ok([args.next()?, args.next()?])
    }

    fn encode(&self, argv: &mut Argv) {
        self.iter().for_each(|argument| argv.push(argument));
    }
}

/// `[LEN | IDX] [MINMATCHLEN n] [WITHMATCHLEN]`, in any order; the last two mean something for
/// `IDX` alone.
impl<'a> Arg<'a> for Wanted {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let (mut length, mut runs, mut shortest, mut with_lengths) = (false, false, 0, false);
        while !args.is_empty() {
            match () {
                () if args.keyword("IDX") => runs = true,
                () if args.keyword("LEN") => length = true,
                () if args.keyword("WITHMATCHLEN") => with_lengths = true,
                () if args.len() > 1 && args.keyword("MINMATCHLEN") => {
                    shortest = usize::try_from(args.integer()?).unwrap_or(0);
                }
                () => return Err(SYNTAX),
            }
        }
        match (length, runs) {
            (true, true) => {
                Err(Error::Syntax("If you want both the length and indexes, please just use IDX."))
            }
            (true, false) => Ok(Self::Length),
            (false, true) => Ok(Self::Runs { shortest, with_lengths }),
            (false, false) => Ok(Self::Bytes),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        match *self {
            Self::Bytes => {}
            Self::Length => argv.push("LEN"),
            Self::Runs { shortest, with_lengths } => {
                argv.push("IDX");
                argv.push("MINMATCHLEN");
                argv.integer(shortest);
                if with_lengths {
                    argv.push("WITHMATCHLEN");
                }
            }
        }
    }
}
