//! The wire form of dumped values.

use super::args::{Arg, Args, Argv, SYNTAX};
use super::command::command;
use crate::error::{Error, Result};
use crate::ops::dump::*;

command!(Dump<'a>, "DUMP" { key });
command!(Restore<'a>, "RESTORE" { key, lifetime, payload, options });

impl<'a> Arg<'a> for RestoreLifetime {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        match args.integer()? {
            millis @ 0.. => Ok(Self(millis)),
            _ => Err(Error::OutOfRange("Invalid TTL value, must be >= 0")),
        }
    }

    fn encode(&self, argv: &mut Argv) {
        argv.integer(self.0);
    }
}

/// The options of `RESTORE`, in any order.
impl<'a> Arg<'a> for RestoreOptions {
    fn parse(args: &mut Args<'a>) -> Result<Self> {
        let mut options = Self::default();
        while !args.is_empty() {
            let may_name_usage = args.len() > 1 && options.uses.is_none();
            match () {
                () if args.keyword("REPLACE") => options.replace = true,
                () if args.keyword("ABSTTL") => options.absolute = true,
                () if may_name_usage && args.keyword("IDLETIME") => match args.integer()? {
                    seconds @ 0.. => options.uses = Some(Uses::IdleSeconds(seconds)),
                    _ => return Err(Error::OutOfRange("Invalid IDLETIME value, must be >= 0")),
                },
                () if may_name_usage && args.keyword("FREQ") => {
                    let frequency = u8::try_from(args.integer()?).map_err(|_| {
                        Error::OutOfRange("Invalid FREQ value, must be >= 0 and <= 255")
                    })?;
                    options.uses = Some(Uses::Frequency(frequency));
                }
                () => return Err(SYNTAX),
            }
        }
        Ok(options)
    }

    fn encode(&self, argv: &mut Argv) {
        match self.uses {
            None => {}
            Some(Uses::IdleSeconds(seconds)) => {
                argv.push("IDLETIME");
                argv.integer(seconds);
            }
            Some(Uses::Frequency(frequency)) => {
                argv.push("FREQ");
                argv.integer(frequency);
            }
        }
        if self.absolute {
            argv.push("ABSTTL");
        }
        if self.replace {
            argv.push("REPLACE");
        }
    }
}
