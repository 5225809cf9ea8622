//! Programs for Linux on Arm: static executables, for machines whose Linux has nothing else to run.

use std::fs;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use super::{Error, fingerprint, hash_path, io_error, replace};
use crate::fnv::Fnv;
use crate::provide::rust::{Action, Job, Product, Toolchain, linux::MUSL};
use crate::workspace::lock::Lock;

/// The packages that are such programs.
const PACKAGES: [&str; 1] = ["setway-kvm"];

/// What programs are made from and by, relative to the workspace: all of its crates but the harness.
/// A change of something else there costs a question to cargo.
const SOURCES: [&str; 8] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "harness/src/provide/build",
    "hyp-under-test",
    "payloads",
    "runners",
    "rust-toolchain.toml",
];

/// Builds the program of `package`, if its sources have changed, and says where it is. `target` is the
/// workspace's target directory. The program is called as its package is.
pub fn program(workspace: &Path, target: &Path, package: &str) -> Result<PathBuf, Error> {
    let lock = target.join("setway/build.lock");
    let _lock = Lock::acquire(&lock, "builds guest images").map_err(io_error("lock", &lock))?;
    let dir = target.join("setway/linux");
    let path = dir.join(package);
    let stamp = path.with_added_extension("stamp");
    let sources = fingerprint(workspace, &SOURCES, Product::Program, &[MUSL]);
    let fresh = || {
        let mut made = Fnv::default();
        hash_path(&mut made, &path);
        format!("{sources:016x} {:016x}", made.finish())
    };
    if path.exists() && fs::read_to_string(&stamp).is_ok_and(|text| text == fresh()) {
        return Ok(path);
    }
    let built = cargo(workspace, target, package, Action::Build)?;
    let bytes = fs::read(&built).map_err(io_error("read", &built))?;
    fs::create_dir_all(&dir).map_err(io_error("create", &dir))?;
    replace(&path, &bytes)?;
    replace(&stamp, fresh().as_bytes())?;
    Ok(path)
}

/// Runs clippy with warnings as errors on every program that the workspace has.
pub(super) fn check_all(workspace: &Path, target: &Path) -> Result<(), Error> {
    let lock = workspace.join("Cargo.lock");
    let lock = fs::read_to_string(&lock).map_err(io_error("read", &lock))?;
    let here = |package: &&str| lock.contains(&format!("name = \"{package}\"\n"));
    for package in PACKAGES.into_iter().filter(here) {
        cargo(workspace, target, package, Action::Check)?;
    }
    Ok(())
}

/// Runs cargo, and says where its product is.
fn cargo(workspace: &Path, target: &Path, package: &str, action: Action) -> Result<PathBuf, Error> {
    let product = Product::Program;
    let toolchain = Toolchain::choose(product, &[MUSL], &workspace.join("runners/toolchain"))?;
    toolchain.prepare(workspace)?;
    let target_dir = target.join("guest");
    let triple = toolchain.linux_target();
    let status = toolchain.run(&Job {
        workspace,
        package,
        target: triple,
        target_dir: &target_dir,
        product,
        action,
    })?;
    if !status.success() {
        return Err(Error::Cargo {
            package: package.to_owned(),
            target: triple,
            status,
        });
    }
    let profile = target_dir.join(triple).join(product.profile());
    Ok(profile.join(package))
}
