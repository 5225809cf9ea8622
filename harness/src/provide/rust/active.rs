//! The Rust that is active here: what it can build, and a cargo that knows of no outer build.

use std::{
    fs,
    path::Path,
    process::{Command, ExitStatus},
};

use super::{Action, Error, Job, OVERRIDE, Product, linux};

/// The oldest Rust the guests are written for.
const OLDEST: (u32, u32) = (1, 95);

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
    super::status(command)
}

pub(super) fn active_command(job: &Job) -> Command {
    let mut command = scrubbed(active_cargo());
    if let Some(rustc) = std::env::var_os("RUSTC") {
        command.env("RUSTC", rustc);
    }
    if job.product == Product::Program {
        linux::link_with_own(&mut command);
    }
    command.arg(match job.action {
        Action::Build => "build",
        Action::Check => "clippy",
    });
    command
}

pub(super) fn active_cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

pub(super) fn active_rustc() -> Command {
    scrubbed(Command::new(
        std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()),
    ))
}

/// Takes from a command what an outer cargo has set about *its* build. What the user says about
/// networks and registries stays, and so does the choice of a rustup toolchain.
pub(super) fn scrubbed(mut command: Command) -> Command {
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

/// Whether the active Rust can make `product` for all targets; if not, why.
pub fn fits(product: Product, targets: &[&str]) -> Result<(), String> {
    active_fits(targets)?;
    match product {
        Product::Guest => Ok(()),
        Product::Program => linux::find_linker(),
    }
}

/// Whether the active Rust is new enough and has `core` for all targets; if not, why.
fn active_fits(targets: &[&str]) -> Result<(), String> {
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

/// Which Rust is active, in its own words, if it can make `product` for `targets`; else nothing, because
/// then it does not.
pub fn active(product: Product, targets: &[&str]) -> String {
    let fits = std::env::var_os(OVERRIDE).is_none_or(|choice| choice != "debian")
        && fits(product, targets).is_ok();
    let version = fits.then(|| ask(active_rustc().arg("-vV")).ok()).flatten();
    version.unwrap_or_default()
}

pub(super) fn ask(command: &mut Command) -> Result<String, String> {
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
