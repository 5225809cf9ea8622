//! The commands, one module each. Every one answers whether all is well.

mod build;
mod doctor;
mod list;
mod mutants;
mod qemu;
mod run;

use std::io::{self, Write as _};

use anstream::ColorChoice;

use crate::{
    Error,
    cli::{Cli, Color, Command},
    workspace::process,
};

/// Does what the command line says.
pub fn dispatch(cli: Cli) -> Result<bool, Error> {
    let choice = match cli.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    choice.write_global();
    process::die_on_signals()?;
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::List(args) => list::list(&args),
        Command::Mutants(args) => mutants::mutants(&args),
        Command::Doctor => doctor::doctor(),
        Command::Build(args) => build::build(&args),
        Command::Qemu(command) => qemu::qemu(&command),
    }
}

/// Writes results to stdout. A reader that has gone away wanted no more.
fn print(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Report(error.to_string()))
        }
        _ => Ok(()),
    }
}
