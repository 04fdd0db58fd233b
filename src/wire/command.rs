//! The wire form of operations, and the table of all commands.
//!
//! A command is an operation with a name, a grammar and a reply. The [`command!`] macro writes
//! the usual grammar from the operation's fields, each of which is an
//! [`Arg`](super::args::Arg); the table has a row per name, which may be another spelling of the
//! same operation.

use super::args::{Args, Argv};
use super::encoder::Encoder;
use super::frame::Frame;
use crate::error::Result;
use crate::keyspace::Space;
use crate::keyspace::access::{Demand, Locked};
use crate::ops::{self, Operation};

/// An operation that has a wire form.
pub(crate) trait Command:
    Operation<Output = <Self::Family as Family>::Output> + Sized
{
    /// The operation whatever the lifetime of its arguments.
    type Family: Family;

    /// Its name in capitals.
    const NAME: &'static str;

    /// Writes its arguments.
    fn encode(&self, argv: &mut Argv);

    /// Writes what it answered.
    fn reply(&self, output: &Self::Output, encoder: &mut Encoder<'_>);

    /// Reads what it answered.
    fn decode(&self, frame: Frame) -> Result<Self::Output>;

    /// Runs it and writes the reply. A command whose answers are long may write them from where
    /// they are found, where this would copy each part of one first.
    #[inline]
    fn answer(&self, space: Space<'_>, encoder: &mut Encoder<'_>) -> Result<()> {
        let output = ops::run(space, self)?;
        self.reply(&output, encoder);
        Ok(())
    }
}

/// An operation whatever the lifetime of its arguments.
pub(crate) trait Family: Sized + 'static {
    type Output: Send + 'static;
    type Of<'a>: Command<Family = Self> + Operation<Output = Self::Output>;

    /// Reads the arguments, all of them.
    fn parse<'a>(args: &mut Args<'a>) -> Result<Self::Of<'a>>;
}

/// An operation that owns its arguments, in their wire form, so that it can run later.
pub(crate) struct Owned<F> {
    argv: Argv,
    family: std::marker::PhantomData<fn() -> F>,
}

impl<F: Family> Owned<F> {
    pub(crate) fn new<O: Command<Family = F>>(operation: &O) -> Self {
        let mut argv = Argv::default();
        operation.encode(&mut argv);
        Self { argv, family: std::marker::PhantomData }
    }

    /// Borrows the operation again.
    pub(crate) fn with<R>(&self, run: impl FnOnce(&F::Of<'_>) -> Result<R>) -> Result<R> {
        let arguments: Vec<&[u8]> = self.argv.iter().collect();
        run(&F::parse(&mut Args::new(&arguments))?)
    }
}

/// Gives an operation its wire form: its name, and the fields in the order of its grammar.
///
/// `command!(GetRange<'a>, "GETRANGE" { key, start, end })` parses and encodes the fields by
/// their types and replies by the output's type. A second block overrides what differs. A
/// subcommand's name stands behind its command's: `"XGROUP" "DESTROY"`. What comes `in place`
/// writes the reply from where the answer lies, or answers what is to be replied.
macro_rules! command {
    (
        $operation:ident $(<$lifetime:lifetime>)?, $name:literal $($subcommand:literal)?
        { $($field:ident),* $(,)? }
        $(in place |$this:ident, $space:ident, $encoder:ident| $in_place:expr)?
    ) => {
        command!($operation $(<$lifetime>)?, $name $($subcommand)? { $($field),* } {
            fn reply(
                &self,
                output: &Self::Output,
                encoder: &mut crate::wire::encoder::Encoder<'_>,
            ) {
                crate::wire::reply::Reply::write(output, encoder);
            }

            fn decode(
                &self,
                frame: crate::wire::frame::Frame,
            ) -> crate::error::Result<Self::Output> {
                crate::wire::reply::Reply::read(frame)
            }

            $(
                fn answer(
                    &self,
                    $space: crate::keyspace::Space<'_>,
                    $encoder: &mut crate::wire::encoder::Encoder<'_>,
                ) -> crate::error::Result<()> {
                    let $this = self;
                    if let Some(output) = $in_place? {
                        self.reply(&output, $encoder);
                    }
                    Ok(())
                }
            )?
        });
    };
    (
        $operation:ident $(<$lifetime:lifetime>)?, $name:literal $($subcommand:literal)?
        { $($field:ident),* $(,)? } { $($replies:tt)* }
    ) => {
        impl $(<$lifetime>)? crate::wire::command::Command for $operation $(<$lifetime>)? {
            type Family = command!(@family $operation $(<$lifetime>)?);
            const NAME: &'static str = $name;

            #[allow(unused_variables)]
            // Whoever records an operation knows most of its options, and they need no asking then.
            #[inline(always)]
            fn encode(&self, argv: &mut crate::wire::args::Argv) {
                $(argv.push($subcommand);)?
                $(argv.arg(&self.$field);)*
            }

            $($replies)*
        }

        impl crate::wire::command::Family for command!(@family $operation $(<$lifetime>)?) {
            type Output = <Self as crate::ops::Operation>::Output;
            type Of<'a> = command!(@of $operation $(<$lifetime>)?);

            #[allow(clippy::redundant_field_names)]
            fn parse<'a>(
                args: &mut crate::wire::args::Args<'a>,
            ) -> crate::error::Result<Self::Of<'a>> {
                $(args.expect($subcommand)?;)?
                $(let $field = args.arg()?;)*
                args.finish()?;
                Ok($operation { $($field),* })
            }
        }
    };
    (@family $operation:ident <$lifetime:lifetime>) => { $operation<'static> };
    (@family $operation:ident) => { $operation };
    (@of $operation:ident <$lifetime:lifetime>) => { $operation<'a> };
    (@of $operation:ident) => { $operation };
}
pub(super) use command;

/// What is done with a command once it is parsed.
pub(crate) enum Context<'c, 'e> {
    /// It is run at once.
    Run(Space<'e>),
    /// It is run within locks that are held.
    Within(&'c mut Locked<'e>, u16),
    /// The locks that it needs are added.
    Demand(Space<'e>, &'c mut Demand),
    /// It is written in its canonical form.
    Canonical(&'c mut Argv),
    /// It is run, and its reply must read back as what it answered, in either protocol.
    #[cfg(test)]
    Verify(Space<'e>),
}

impl Context<'_, '_> {
    /// Deals with a command; writes its reply if it was run.
    pub(crate) fn execute<O: Command>(
        &mut self,
        operation: &O,
        encoder: &mut Encoder<'_>,
    ) -> Result<()> {
        let output = match self {
            Self::Run(space) => return operation.answer(*space, encoder),
            Self::Within(locked, database) => ops::run_within(locked, *database, operation)?,
            Self::Demand(space, demand) => {
                ops::demand(*space, operation, demand);
                return Ok(());
            }
            Self::Canonical(argv) => {
                argv.push(O::NAME);
                operation.encode(argv);
                return Ok(());
            }
            #[cfg(test)]
            Self::Verify(space) => {
                let output = ops::run(*space, operation)?;
                super::tests::check_reply(operation, &output);
                output
            }
        };
        operation.reply(&output, encoder);
        Ok(())
    }

    /// Deals with `HELP`, which needs nothing and touches nothing.
    pub(crate) fn help(&mut self, name: &str, lines: &[&str], encoder: &mut Encoder<'_>) {
        match self {
            Self::Run(_) | Self::Within(..) => {
                encoder.array(lines.len());
                for line in lines {
                    encoder.simple(line.as_bytes());
                }
            }
            Self::Demand(..) => {}
            #[cfg(test)]
            Self::Verify(_) => {}
            Self::Canonical(argv) => {
                argv.push(name);
                argv.push("HELP");
            }
        }
    }
}
