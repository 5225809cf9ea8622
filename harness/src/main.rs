//! The program `setway`.

use std::process::ExitCode;

use clap::Parser;
use setway::{cli, commands, report::text};

fn main() -> ExitCode {
    match commands::dispatch(cli::Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Some errors quote what another program wrote.
            eprintln!("setway: {}", text::printable_lines(&error.to_string()));
            ExitCode::from(2)
        }
    }
}
