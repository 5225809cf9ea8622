//! Programs for Linux on Arm: static executables, for machines whose Linux has nothing else to run.

use std::path::PathBuf;

use fs_err as fs;

use super::{
    Error,
    kept::{self, Store, replace},
};
use crate::{
    provide::rust::{self, Action, Job, Product, Toolchain, linux::MUSL},
    workspace::Workspace,
};

/// The packages that are such programs.
const PACKAGES: [&str; 1] = ["setway-kvm"];

/// Builds the program of `package`, if its sources have changed, and says where it is. It is called as its package is.
///
/// # Errors
///
/// If it cannot be built.
pub fn program(workspace: &Workspace, package: &str) -> Result<PathBuf, Error> {
    let path = workspace.target().join("setway/linux").join(package);
    let product = kept::Product {
        package,
        compiler: rust::active(Product::Program, &[MUSL]),
        target_dir: &workspace.target().join("guest"),
        files: vec![path.clone()],
        stamp: path.with_added_extension("stamp"),
    };
    Store::open(workspace)?.keep(&product, || {
        let built = cargo(workspace, package, Action::Build)?;
        replace(&path, &fs::read(&built)?)?;
        Ok(0)
    })?;
    Ok(path)
}

/// Runs clippy with warnings as errors on every program.
pub(super) fn check_all(workspace: &Workspace, store: &Store) -> Result<(), Error> {
    for package in PACKAGES {
        store.refresh(package, &workspace.target().join("guest"))?;
        cargo(workspace, package, Action::Check)?;
    }
    Ok(())
}

/// Runs cargo, and says where its product is.
fn cargo(workspace: &Workspace, package: &str, action: Action) -> Result<PathBuf, Error> {
    let product = Product::Program;
    let toolchain = Toolchain::choose(product, &[MUSL], workspace)?;
    toolchain.prepare(workspace)?;
    let target_dir = workspace.target().join("guest");
    let triple = toolchain.linux_target();
    let status = toolchain.run(&Job {
        workspace: workspace.root(),
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
