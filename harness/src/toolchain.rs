//! Which Rust builds the guests.
//!
//! Guests run on bare metal, for targets that a machine's Rust usually has not installed, and that
//! `rustup target add` can fetch only where there is a network to rustup's server. Debian carries
//! a second, newer Rust with the sources of `core`, which is the way out anywhere else.

mod debian;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::engine::process;
use crate::fetch;

pub use debian::DebianRust;

/// The variable that forces a choice: `rustup` (whatever Rust is active) or `debian`.
pub const OVERRIDE: &str = "SETWAY_GUEST_RUST";

/// The oldest Rust the guests are written for.
const OLDEST: (u32, u32) = (1, 95);

/// Why there is no Rust for the guests, or why it did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither way works on this machine.
    #[error(
        "no Rust for the guests: {active}; and {debian}\n  or: run `rustup target add {targets}`"
    )]
    Nothing {
        /// What is wrong with the active Rust.
        active: String,
        /// Why Debian's cannot be used.
        debian: Box<fetch::Error>,
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
    Fetch(#[from] fetch::Error),
    /// The file that describes Debian's Rust cannot be used.
    #[error(transparent)]
    Data(#[from] crate::toml_file::Error),
    /// A file could not be read or written, or a program not started.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Cargo could not fetch the dependencies, and has said why on stderr.
    #[error("`cargo fetch --locked` failed ({0}); the reason is above")]
    Dependencies(ExitStatus),
    /// Debian's sources of `core` are not laid out as expected.
    #[error("the standard library of Debian's Rust cannot be prepared: {0}")]
    StandardLibrary(String),
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Io {
        action,
        path,
        source,
    }
}

/// What to do with a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Build it, for the profile `guest`.
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
    /// What to do.
    pub action: Action,
}

/// A Rust that can build the guests.
#[derive(Debug, Clone)]
pub enum Toolchain {
    /// The Rust that is active here, with its targets installed.
    Active,
    /// Debian's, which builds `core` itself.
    Debian(DebianRust),
}

impl Toolchain {
    /// Chooses a Rust for all of `targets`; `runners` is the directory `runners/toolchain`.
    pub fn choose(targets: &[&str], runners: &Path) -> Result<Self, Error> {
        let choice = std::env::var(OVERRIDE).unwrap_or_default();
        let active = || active_fits(targets);
        let targets = targets.join(" ");
        match choice.as_str() {
            "debian" => Ok(Self::Debian(DebianRust::ensure(runners)?)),
            "rustup" => match active() {
                Ok(()) => Ok(Self::Active),
                Err(reason) => Err(Error::Active { reason, targets }),
            },
            "" => match active() {
                Ok(()) => Ok(Self::Active),
                Err(active) => match DebianRust::ensure(runners) {
                    Ok(debian) => Ok(Self::Debian(debian)),
                    Err(Error::Fetch(debian)) => Err(Error::Nothing {
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

    /// What [`choose`](Self::choose) would come to, if nothing must be fetched for it.
    pub fn find(targets: &[&str], runners: &Path) -> Result<Option<Self>, Error> {
        let debian = std::env::var(OVERRIDE).is_ok_and(|choice| choice == "debian");
        let nothing_to_fetch = (!debian && active_fits(targets).is_ok())
            || std::env::var(OVERRIDE).is_ok_and(|choice| !choice.is_empty() && !debian)
            || DebianRust::is_here(runners)?;
        nothing_to_fetch
            .then(|| Self::choose(targets, runners))
            .transpose()
    }

    /// Sees to it that a build needs no network: Debian's cargo never uses one, so the user's own
    /// fetches the dependencies first.
    pub fn prepare(&self, workspace: &Path) -> Result<(), Error> {
        if matches!(self, Self::Active) {
            return Ok(());
        }
        let mut command = scrubbed(active_cargo());
        command
            .current_dir(workspace)
            .args(["fetch", "--locked", "--quiet"]);
        let status = process::status(command).map_err(io_error("start", Path::new("cargo")))?;
        if status.success() {
            Ok(())
        } else {
            Err(Error::Dependencies(status))
        }
    }

    /// Runs cargo for `job`; it speaks for itself on stderr.
    pub fn run(&self, job: &Job) -> Result<ExitStatus, Error> {
        let command = self.command(job);
        let program = PathBuf::from(command.get_program());
        process::status(command).map_err(io_error("start", &program))
    }

    fn command(&self, job: &Job) -> Command {
        let mut command = match self {
            Self::Active => active_command(job),
            Self::Debian(rust) => rust.command(job),
        };
        command
            .current_dir(job.workspace)
            .env("CARGO_FUTURE_INCOMPAT_REPORT_FREQUENCY", "never")
            .args(["--locked", "--profile", "guest"])
            .args(["--package", job.package, "--target", job.target])
            .arg("--target-dir")
            .arg(job.target_dir);
        if matches!((self, job.action), (Self::Active, Action::Check)) {
            command.args(["--", "-D", "warnings"]);
        }
        command
    }
}

/// Builds `package` with `feature` for this machine; cargo speaks for itself on stderr.
pub fn build_for_host(
    workspace: &Path,
    target_dir: &Path,
    package: &str,
    feature: &str,
) -> Result<ExitStatus, Error> {
    let mut command = scrubbed(active_cargo());
    command
        .current_dir(workspace)
        .args(["build", "--locked", "--profile", "plugin"])
        .args(["--package", package, "--features", feature])
        .arg("--target-dir")
        .arg(target_dir);
    let program = PathBuf::from(command.get_program());
    process::status(command).map_err(io_error("start", &program))
}

fn active_command(job: &Job) -> Command {
    let mut command = scrubbed(active_cargo());
    if let Some(rustc) = std::env::var_os("RUSTC") {
        command.env("RUSTC", rustc);
    }
    command.arg(match job.action {
        Action::Build => "build",
        Action::Check => "clippy",
    });
    command
}

fn active_cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn active_rustc() -> Command {
    scrubbed(Command::new(
        std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()),
    ))
}

/// Takes from a command what an outer cargo told us about *its* build. What the user says about
/// networks and registries stays, and so does the choice of a rustup toolchain.
fn scrubbed(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if is_about_a_build(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

fn is_about_a_build(name: &str) -> bool {
    const USERS: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_INSTALL_ROOT",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "RUSTUP_",
    ];
    const BUILDS: [&str; 5] = ["CARGO", "RUSTC", "RUSTFLAGS", "RUSTDOC", "LD_LIBRARY_PATH"];
    let starts = |prefix: &&str| name.starts_with(*prefix);
    BUILDS.iter().any(starts) && !USERS.iter().any(starts)
}

/// Whether the active Rust is new enough and has `core` for all targets; if not, why.
pub fn active_fits(targets: &[&str]) -> Result<(), String> {
    let version = ask(active_rustc().arg("--version"))?;
    if parse_version(&version).is_none_or(|found| found < OLDEST) {
        let (major, minor) = OLDEST;
        return Err(format!(
            "the active Rust is `{version}`, and {major}.{minor} is needed"
        ));
    }
    for target in targets {
        let dir = ask(active_rustc().args(["--print", "target-libdir", "--target", target]))?;
        if !has_core(Path::new(&dir)) {
            return Err(format!("the active Rust has no `core` for {target}"));
        }
    }
    Ok(())
}

/// Which Rust is active, in its own words, if it can build for `targets`; else nothing, because then
/// it does not.
pub fn active(targets: &[&str]) -> String {
    let fits = std::env::var_os(OVERRIDE).is_none_or(|choice| choice != "debian")
        && active_fits(targets).is_ok();
    let version = fits.then(|| ask(active_rustc().arg("-vV")).ok()).flatten();
    version.unwrap_or_default()
}

fn ask(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("there is no active Rust (`rustc`: {error})"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        let first = errors.lines().next().unwrap_or("no message");
        Err(format!("the active Rust does not answer: {first}"))
    }
}

/// Reads "rustc 1.95.0 (…)".
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(' ').nth(1)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn has_core(dir: &Path) -> bool {
    let mut entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outer_builds_variables_go() {
        for name in [
            "CARGO",
            "CARGO_PKG_NAME",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC",
            "RUSTFLAGS",
        ] {
            assert!(is_about_a_build(name), "{name}");
        }
        for name in [
            "CARGO_HOME",
            "RUSTUP_HOME",
            "CARGO_HTTP_PROXY",
            "PATH",
            "RUST_BACKTRACE",
        ] {
            assert!(!is_about_a_build(name), "{name}");
        }
    }

    #[test]
    fn versions_of_rustc_are_read() {
        assert_eq!(
            parse_version("rustc 1.96.0 (ac68 2026-05-25)"),
            Some((1, 96))
        );
        assert_eq!(parse_version("rustc 1.97.0-nightly"), Some((1, 97)));
        assert_eq!(parse_version("what?"), None);
    }
}
