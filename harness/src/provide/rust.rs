//! Which Rust builds the guests, and the programs for Linux on Arm.
//!
//! Guests run on bare metal, for targets that a machine's Rust usually has not installed, and that
//! `rustup target add` can fetch only where there is a network to rustup's server. Debian carries
//! a second, newer Rust with the sources of `core`, which is the way out anywhere else. Programs for
//! Linux are static, so the same goes for them and the standard library.

mod active;
mod debian;
pub mod linux;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

pub use active::{active, build_for_host, fits};
use active::{active_cargo, active_command, scrubbed};
pub use debian::DebianRust;

use crate::{
    catalog::source::Mistakes,
    provide::{apt, package},
    workspace::{Workspace, process},
};

/// The variable that forces a choice: `rustup` (whatever Rust is active) or `debian`.
pub const OVERRIDE: &str = "SETWAY_GUEST_RUST";

/// Why there is no Rust for the guests, or why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither way works on this machine.
    #[error(
        "no Rust for {product}: {active}; and {debian}\n  or: run `rustup target add {targets}`"
    )]
    Nothing {
        /// What was to be built.
        product: Product,
        /// What is wrong with the active Rust.
        active: String,
        /// Why Debian's cannot be used.
        debian: Box<apt::Error>,
        /// The missing targets.
        targets: String,
    },
    /// The active Rust was asked for by the override, and will not do.
    #[error("{OVERRIDE}=rustup, but {reason}\n  next: run `rustup target add {targets}`")]
    Active {
        /// What is wrong with it.
        reason: String,
        /// The missing targets.
        targets: String,
    },
    /// The override has another value.
    #[error("{OVERRIDE} is `{0}`; it may be `rustup` or `debian`")]
    Override(String),
    /// Debian's Rust could not be fetched.
    #[error(transparent)]
    Fetch(#[from] apt::Error),
    /// A part of Debian's Rust is not there.
    #[error(transparent)]
    Package(package::Error),
    /// The file that describes Debian's Rust cannot be used.
    #[error(transparent)]
    Data(#[from] Mistakes),
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A program does not start.
    #[error("cannot start {}: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Cargo could not fetch the dependencies, and has said why on stderr.
    #[error("`cargo fetch --locked` failed ({0}); the reason is above")]
    Dependencies(ExitStatus),
    /// Compiler and standard library were fetched at different times.
    #[error(
        "Debian's Rust here is `{rustc}`, but its standard library for Arm is {library}\n  next: remove the directories rust-debian-* in {roots} and try again"
    )]
    Mismatch {
        /// The compiler, in its own words.
        rustc: String,
        /// Debian's version of the library.
        library: String,
        /// Where both are.
        roots: PathBuf,
    },
    /// Debian's sources of `core` are not laid out as expected.
    #[error("the standard library of Debian's Rust cannot be prepared: {0}")]
    StandardLibrary(String),
}

impl From<package::Error> for Error {
    fn from(error: package::Error) -> Self {
        match error {
            package::Error::Fetch(error) => Self::Fetch(error),
            error => Self::Package(error),
        }
    }
}

/// Runs `command` to its end; it speaks for itself on stderr.
fn status(command: Command) -> Result<ExitStatus, Error> {
    let program = PathBuf::from(command.get_program());
    process::status(command).map_err(|source| Error::Start { program, source })
}

/// What a package is made into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// A guest on bare metal, with `core` alone.
    Guest,
    /// A static executable for Linux on Arm, with the standard library.
    Program,
}

impl Product {
    /// Cargo's profile for it.
    pub fn profile(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Program => "static",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Guest => "the guests",
            Self::Program => "programs for Linux on Arm",
        })
    }
}

/// What to do with a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Build it.
    Build,
    /// Run clippy on it, with warnings as errors.
    Check,
}

/// One cargo invocation.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The workspace's directory.
    pub workspace: &'a Path,
    /// The package.
    pub package: &'a str,
    /// The target triple.
    pub target: &'a str,
    /// Where the products go.
    pub target_dir: &'a Path,
    /// What it is made into.
    pub product: Product,
    /// What to do.
    pub action: Action,
}

/// A Rust that can build what it was chosen for.
#[derive(Debug, Clone)]
pub enum Toolchain {
    /// The Rust that is active here, with its targets installed.
    Active,
    /// Debian's, which builds `core` itself, and has packages with the standard library.
    Debian(DebianRust),
}

impl Toolchain {
    /// Chooses a Rust that makes `product` for all of `targets`.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be fetched.
    pub fn choose(
        product: Product,
        targets: &[&str],
        workspace: &Workspace,
    ) -> Result<Self, Error> {
        let choice = std::env::var(OVERRIDE).unwrap_or_default();
        let active = || fits(product, targets);
        let targets = targets.join(" ");
        match choice.as_str() {
            "debian" => Ok(Self::Debian(DebianRust::ensure(product, workspace)?)),
            "rustup" => match active() {
                Ok(()) => Ok(Self::Active),
                Err(reason) => Err(Error::Active { reason, targets }),
            },
            "" => match active() {
                Ok(()) => Ok(Self::Active),
                Err(active) => match DebianRust::ensure(product, workspace) {
                    Ok(debian) => Ok(Self::Debian(debian)),
                    Err(Error::Fetch(debian)) => Err(Error::Nothing {
                        product,
                        active,
                        debian: Box::new(debian),
                        targets,
                    }),
                    Err(error) => Err(error),
                },
            },
            _ => Err(Error::Override(choice)),
        }
    }

    /// What [`choose`](Self::choose) would return; `None` if something must be fetched for it.
    ///
    /// # Errors
    ///
    /// If there is no Rust, and can be none.
    pub fn find(
        product: Product,
        targets: &[&str],
        workspace: &Workspace,
    ) -> Result<Option<Self>, Error> {
        let debian = std::env::var(OVERRIDE).is_ok_and(|choice| choice == "debian");
        let nothing_to_fetch = (!debian && fits(product, targets).is_ok())
            || std::env::var(OVERRIDE).is_ok_and(|choice| !choice.is_empty() && !debian)
            || DebianRust::is_here(product, workspace)?;
        nothing_to_fetch
            .then(|| Self::choose(product, targets, workspace))
            .transpose()
    }

    /// The target that this Rust makes programs for Linux for.
    pub fn linux_target(&self) -> &'static str {
        match self {
            Self::Active => linux::MUSL,
            Self::Debian(_) => linux::GNU,
        }
    }

    /// Sees to it that a build needs no network: Debian's cargo never uses one, so the user's own
    /// fetches the dependencies first.
    ///
    /// # Errors
    ///
    /// If that fails.
    pub fn prepare(&self, workspace: &Workspace) -> Result<(), Error> {
        if matches!(self, Self::Active) {
            return Ok(());
        }
        let mut command = scrubbed(active_cargo());
        command
            .current_dir(workspace.root())
            .args(["fetch", "--locked", "--quiet"]);
        let status = status(command)?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Dependencies(status))
        }
    }

    /// Runs cargo for `job`; it speaks for itself on stderr.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn run(&self, job: &Job) -> Result<ExitStatus, Error> {
        status(self.command(job))
    }

    fn command(&self, job: &Job) -> Command {
        let mut command = match self {
            Self::Active => active_command(job),
            Self::Debian(rust) => rust.command(job),
        };
        command
            .current_dir(job.workspace)
            .env("CARGO_FUTURE_INCOMPAT_REPORT_FREQUENCY", "never")
            .args(["--locked", "--profile", job.product.profile()])
            .args(["--package", job.package, "--target", job.target])
            .arg("--target-dir")
            .arg(job.target_dir);
        if matches!((self, job.action), (Self::Active, Action::Check)) {
            command.args(["--", "-D", "warnings"]);
        }
        command
    }
}
