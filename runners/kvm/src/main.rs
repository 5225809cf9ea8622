//! The program `setway-kvm`.

use std::process::ExitCode;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
fn main() -> ExitCode {
    use clap::Parser;
    use setway_kvm::{
        agent,
        cli::{self, Cli, Command},
        run,
    };

    // The kernel gives its first process words that are not meant for it.
    let cli = (std::process::id() != 1).then(Cli::parse);
    let (buffer, key) = match cli {
        Some(cli) => match cli.command {
            Some(Command::Agent { key }) => (Some(cli.run.trace_buffer), key),
            None => return run::exit_code(&cli.run).into(),
        },
        None => (None, cli::first_process_key(std::env::args())),
    };
    match agent::serve(buffer, key) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("setway-kvm: cannot use stdin or stdout: {error}");
            ExitCode::from(2)
        }
    }
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
fn main() -> ExitCode {
    eprintln!(
        "setway-kvm: this program needs KVM on arm64 Linux\n  next: build it with --target aarch64-unknown-linux-musl, and run it there"
    );
    ExitCode::from(2)
}
