//! Where things are: the checkout that this harness was built from, and its target directory.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::Error;

/// The top of the checkout. The harness builds its images from the sources beside it, so it knows
/// them from its own build; `SETWAY_ROOT` names another checkout.
pub fn root() -> PathBuf {
    let built_from = || {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .map(Path::to_owned)
    };
    let root = env::var_os("SETWAY_ROOT")
        .filter(|root| !root.is_empty())
        .map(PathBuf::from);
    root.or_else(built_from)
        .unwrap_or_else(|| PathBuf::from("."))
}

/// What can be run, and how.
pub fn runners() -> PathBuf {
    root().join("runners")
}

/// What was observed before, and agreed to.
pub fn expectations() -> PathBuf {
    root().join("expectations")
}

/// Where raw logs of failed runs go unless `--report` says otherwise.
pub fn logs() -> PathBuf {
    target().join("setway/logs")
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    let named = env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty());
    named.map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The subdirectories of `dir`, by name.
pub fn subdirectories(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    Ok(entries(dir)?
        .into_iter()
        .filter(|path| path.is_dir())
        .collect())
}

/// The files in `dir` that end in `.extension`, by name.
pub fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    let matches = |path: &PathBuf| path.extension().is_some_and(|found| found == extension);
    Ok(entries(dir)?.into_iter().filter(matches).collect())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(dir).map_err(Error::io("read", dir))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(Error::io("read", dir))?.path());
    }
    paths.sort();
    Ok(paths)
}
