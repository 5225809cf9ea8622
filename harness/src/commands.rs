//! The commands, one module each. Every one answers whether all is well.

mod build;
mod doctor;
mod error;
mod explain;
mod finding;
mod list;
mod mutants;
mod patches;
mod qemu;
mod replay;
mod report;
mod run;

use std::io::{self, Write as _};

use anstream::ColorChoice;

pub use error::Error;

use crate::{
    catalog::Catalog,
    cli::{Cli, Color, Command},
    workspace::{Workspace, process},
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
    if let Command::Report(command) = &cli.command {
        // Files are enough for it.
        return report::report(command);
    }
    let workspace = Workspace::find()?;
    let load = || Catalog::load(&workspace);
    match cli.command {
        Command::Run(args) => run::run(&workspace, &load()?, &args),
        Command::Replay(args) => replay::replay(&workspace, &load()?, &args),
        Command::List(args) => list::list(&load()?, &args),
        Command::Explain(args) => explain::explain(&load()?, &args),
        Command::Finding(command) => finding::finding(&load()?, &command),
        Command::Mutants(args) if !args.patch.is_empty() => {
            patches::patches(&workspace, &load()?, &args)
        }
        Command::Mutants(args) => mutants::mutants(&workspace, &load()?, &args),
        // It has to say what is wrong with the data files, so it goes on without them.
        Command::Doctor => doctor::doctor(&workspace),
        Command::Build(args) => build::build(&workspace, &args),
        Command::Qemu(command) => qemu::qemu(&workspace, &load()?, &command),
        Command::Report(command) => report::report(&command),
    }
}

/// Writes results to stdout. A reader that has gone away wanted no more.
fn print(text: &str) -> Result<(), Error> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        _ => Ok(()),
    }
}
