//! The program `setway`.

use std::process::ExitCode;

use clap::Parser;
use setway::{cli, commands};

fn main() -> ExitCode {
    match commands::dispatch(cli::Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("setway: {error}");
            ExitCode::from(2)
        }
    }
}
