//! The program `setway-kvm`.

use std::process::ExitCode;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
fn main() -> ExitCode {
    use clap::Parser;
    use setway_kvm::{agent, cli::Cli, run};

    // The kernel gives its first process words that are not meant for us.
    let cli = (std::process::id() != 1).then(Cli::parse);
    match cli {
        Some(cli) if cli.command.is_none() => run::tell(&cli.run).into(),
        cli => match agent::serve(cli.map(|cli| cli.run.trace_buffer)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("setway-kvm: cannot use stdin or stdout: {error}");
                ExitCode::from(2)
            }
        },
    }
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
fn main() -> ExitCode {
    eprintln!(
        "setway-kvm: this program needs KVM on arm64 Linux\n  next: build it with --target aarch64-unknown-linux-musl, and run it there"
    );
    ExitCode::from(2)
}
