//! Debian's Rust, which builds `core` for the guests' targets from its own sources, and programs for
//! Linux on Arm with libraries from a tree of their own.
//!
//! Cargo and rustc start each other and the linker as plain executable files, so the unpacked tree
//! gets a script for each, which runs the program on the tree's own libraries.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

use fs_err as fs;
use serde::Deserialize;

use super::{
    Action, Error, Job, Product,
    active::{ask, scrubbed},
    linux::{self, Libraries},
};
use crate::{
    catalog::source::Source,
    provide::apt::{AptRequest, AptRoot},
    workspace::{Workspace, process},
};

/// `runners/toolchain/debian.toml`: where Debian's Rust is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    name: String,
    suites: Vec<String>,
    packages: Vec<String>,
    assume: Vec<String>,
    omit: Vec<String>,
}

/// Debian's Rust, unpacked and made able to build `core` without a network.
#[derive(Debug, Clone)]
pub struct DebianRust {
    root: AptRoot,
    /// What programs are linked with, where those are to be built.
    libraries: Option<Libraries>,
}

/// Where the scripts are, in the tree.
const SCRIPTS: &str = "setway";

/// The programs that cargo and rustc start by themselves: where in the tree each one is, and the
/// arguments that give the name that it was started by.
const PROGRAMS: [(&str, &str, &str); 4] = [
    ("cargo", "usr/bin/cargo", ""),
    ("rustc", "usr/bin/rustc", ""),
    ("clippy-driver", "usr/bin/clippy-driver", ""),
    ("ld.lld", "usr/bin/ld.lld", "-flavor gnu "),
];

/// What has cargo build `core`.
const BUILD_STD: [&str; 2] = [
    "-Zbuild-std=core,compiler_builtins",
    "-Zbuild-std-features=compiler-builtins-mem",
];

/// The sources of the standard library, in the tree.
const LIBRARY: &str = "usr/lib/rustlib/src/rust/library";

/// The workspace of the standard library, as cargo's `build-std` wants one, but without `std`,
/// which would have cargo look for crates that the guests never need.
const LIBRARY_WORKSPACE: &str = r#"[workspace]
resolver = "1"
members = ["sysroot"]
exclude = ["alloc", "compiler-builtins", "core", "stdarch"]
"#;

/// The package that stands for all of it.
const LIBRARY_SYSROOT: &str = r#"[package]
name = "sysroot"
version = "0.0.0"
edition = "2024"

[dependencies]
alloc = { path = "../alloc" }
compiler_builtins = { path = "../compiler-builtins/compiler-builtins", features = ["compiler-builtins"] }
core = { path = "../core" }

[features]
compiler-builtins-mem = ["compiler_builtins/mem"]
"#;

impl DebianRust {
    /// Debian's Rust as `runners/toolchain/debian.toml` describes it, and what it needs for `product`,
    /// fetched if need be.
    ///
    /// # Errors
    ///
    /// If it cannot be had.
    pub fn ensure(product: Product, workspace: &Workspace) -> Result<Self, Error> {
        let mut rust = Self {
            root: AptRoot::ensure_with(workspace, &request(workspace)?, finish)?,
            libraries: None,
        };
        if product == Product::Program {
            let version = ask(Command::new(rust.script("rustc")).arg("--version"));
            let version = version.map_err(Error::StandardLibrary)?;
            rust.libraries = Some(Libraries::ensure(workspace, &version)?);
        }
        Ok(rust)
    }

    /// Whether it has been fetched.
    ///
    /// # Errors
    ///
    /// If there is no place for fetched files, or its description cannot be used.
    pub fn is_here(product: Product, workspace: &Workspace) -> Result<bool, Error> {
        let compiler = AptRoot::place(workspace, &request(workspace)?)?.is_dir();
        Ok(compiler && (product == Product::Guest || Libraries::is_here(workspace)?))
    }

    fn script(&self, name: &str) -> PathBuf {
        self.root.path().join(SCRIPTS).join(name)
    }

    /// Cargo for `job`, up to what both toolchains have in common.
    pub(super) fn command(&self, job: &Job) -> Command {
        let mut command = scrubbed(Command::new(self.script("cargo")));
        let linker = linux::linker_variable(job.target);
        command
            .env("RUSTC", self.script("rustc"))
            .env("RUSTC_WRAPPER", "")
            .env("RUSTC_BOOTSTRAP", "1")
            .env(linker, self.script("ld.lld"))
            .env_remove("RUSTUP_TOOLCHAIN");
        match job.action {
            Action::Build => command.arg("build"),
            // This is what cargo-clippy does, less its search for the driver beside itself.
            Action::Check => command
                .env("RUSTC_WORKSPACE_WRAPPER", self.script("clippy-driver"))
                .env(
                    "CLIPPY_ARGS",
                    "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
                )
                .arg("check"),
        };
        command.arg("--offline");
        match (job.product, &self.libraries) {
            (Product::Program, Some(libraries)) => command.env(linux::FLAGS, libraries.flags()),
            _ => command.args(BUILD_STD),
        };
        command
    }
}

fn request(workspace: &Workspace) -> Result<AptRequest, Error> {
    let file = workspace.runners().join("toolchain/debian.toml");
    let description: Description = Source::read_one(&file)?;
    Ok(AptRequest {
        name: description.name,
        suites: description.suites,
        packages: description.packages,
        assume: description.assume,
        omit: description.omit,
        recipe: format!("{PROGRAMS:?} {LIBRARY_WORKSPACE} {LIBRARY_SYSROOT}"),
        ..AptRequest::default()
    })
}

/// Makes a freshly unpacked tree usable.
fn finish(root: &AptRoot) -> Result<(), Error> {
    write_scripts(root)?;
    shrink_library(root)
}

fn write_scripts(root: &AptRoot) -> Result<(), Error> {
    let dir = root.path().join(SCRIPTS);
    fs::create_dir_all(&dir)?;
    for (name, program, arguments) in PROGRAMS {
        let path = dir.join(name);
        let text = root.script(program, arguments, 1);
        fs::write(&path, text)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Leaves of the library's workspace what needs nothing from a registry, and locks that.
fn shrink_library(root: &AptRoot) -> Result<(), Error> {
    let library = root.path().join(LIBRARY);
    let write = |name: &str, text: &str| fs::write(library.join(name), text);
    write("Cargo.toml", LIBRARY_WORKSPACE)?;
    write("sysroot/Cargo.toml", LIBRARY_SYSROOT)?;
    let builtins = "compiler-builtins/compiler-builtins/Cargo.toml";
    let text = fs::read_to_string(library.join(builtins))?;
    write(builtins, &without_cc(&text))?;
    fs::remove_file(library.join("Cargo.lock"))?;
    let cargo = root.path().join(SCRIPTS).join("cargo");
    let mut command = scrubbed(Command::new(&cargo));
    command
        .args(["generate-lockfile", "--offline", "--quiet"])
        .current_dir(&library)
        .env("RUSTC", root.path().join(SCRIPTS).join("rustc"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN");
    let output = process::output(command).map_err(|source| Error::Start {
        program: cargo,
        source,
    })?;
    if output.status.success() {
        Ok(())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::StandardLibrary(errors))
    }
}

/// The crate `cc` is an optional build dependency from the registry, which nobody here turns on.
fn without_cc(manifest: &str) -> String {
    let lines = manifest.lines().filter(|line| !line.starts_with("cc = "));
    lines
        .map(|line| line.replace("\"dep:cc\"", "") + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cc_goes_and_the_rest_stays() {
        let manifest =
            "[build-dependencies]\ncc = { version = \"1\" }\n[features]\nc = [\"dep:cc\"]\n";
        assert_eq!(
            without_cc(manifest),
            "[build-dependencies]\n[features]\nc = []\n"
        );
    }

    #[test]
    fn the_committed_description_parses() {
        let workspace = Workspace::find().expect("tests run in a checkout");
        let request = request(&workspace).expect("the committed file parses");
        assert!(
            request
                .packages
                .iter()
                .any(|package| package == "rust-web-src")
        );
    }
}
