//! Defects that come as patches: unified diffs of the reference hypervisor, applied to a scratch copy of the checkout
//! and built there.
//!
//! Only what the hypervisor is made of may be changed. What it shares with the guests (`payloads/architecture` and
//! others) may be, too, because guests are never built from the copy: they stay what the checkout has.

pub mod diff;
pub mod scratch;

use std::{io, path::PathBuf};

use crate::{
    provide::build,
    workspace::{Workspace, crates},
};

/// The package of the reference hypervisor.
const PACKAGE: &str = "setway-hyp-aarch64";

/// Its image.
const IMAGE: &str = "hyp-aarch64";

/// Why there is no hypervisor with the defect of a patch.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The crates of the checkout are not known.
    #[error(transparent)]
    Crates(#[from] crates::Error),
    /// A patch cannot be read.
    #[error(
        "it cannot be read as text: {0}\n  next: name files that hold a unified diff, or directories with such"
    )]
    Unreadable(io::Error),
    /// A directory without patches.
    #[error(
        "{} holds no patches\n  next: name the files, or give them names that end in .diff or .patch", .0.display()
    )]
    NoPatches(PathBuf),
    /// The file is no unified diff.
    #[error("it is no unified diff: {0}\n  next: make it with `git diff` or `diff -u`")]
    NoDiff(String),
    /// A file of the patch is not in the checkout.
    #[error(
        "it changes {0}, which is not in this checkout, with or without the first part of that path\n  next: make it at the top of this checkout, at this commit"
    )]
    NoFile(String),
    /// A file of the patch is in the checkout already.
    #[error("it creates {}, which is there\n  next: make it at this commit", .0.display())]
    Exists(PathBuf),
    /// A file of the patch is none of the hypervisor's.
    #[error(
        "it changes {}, of which the hypervisor is not made, so it is no defect of its own\n  next: change only what is in {allowed}", path.display()
    )]
    Outside {
        /// The file.
        path: PathBuf,
        /// Where files may be changed.
        allowed: String,
    },
    /// Something else than text is changed.
    #[error("it changes {} by more than lines of text\n  next: leave out binary files, links and modes", .0.display())]
    NoText(PathBuf),
    /// A hunk has no place.
    #[error(
        "it does not apply: in {} {reason}, because the lines around it differ\n  next: make it at this commit", path.display()
    )]
    NoPlace {
        /// The file.
        path: PathBuf,
        /// Which hunk.
        reason: String,
    },
    /// Nothing is different after all changes.
    #[error("it changes nothing\n  next: see whether it is the right file")]
    Nothing,
    /// The hypervisor cannot be built with it.
    #[error(
        "the hypervisor does not build with it: {0}\n  next: correct the patch; a defect must compile"
    )]
    Build(Box<build::Error>),
    /// The hypervisor cannot be built without it.
    #[error(
        "the hypervisor does not build without any patch: {0}\n  next: correct the checkout first"
    )]
    Base(Box<build::Error>),
    /// The compiler made the same bytes of it.
    #[error(
        "the image did not change: the compiler makes the same bytes with the patch and without\n  next: change what the hypervisor does; a comment, a test or code that is never reached is no defect"
    )]
    SameImage,
}

/// What the hypervisor is linked with, and does not run: a change of it is a change of the guests.
const GUESTS: &str = "setway-cases";

/// Where files may be changed, relative to the checkout.
fn allowed(workspace: &Workspace) -> Result<Vec<String>, Error> {
    let crates = crates::Crates::read(workspace.root())?;
    let closure = crates.closure(PACKAGE)?;
    let own = closure.into_iter().filter(|name| *name != GUESTS);
    let dirs = own.filter_map(|it| crates.directory(it));
    Ok(dirs.map(str::to_owned).collect())
}

/// The patches that `paths` name: files, and directories with files `*.diff` and `*.patch`, in the order of names.
///
/// # Errors
///
/// If a directory cannot be read or has none. Whether a file is a patch shows later.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let entries = fs_err::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
        let mut found = entries.collect::<io::Result<Vec<PathBuf>>>()?;
        let is_patch = |path: &PathBuf| {
            let extension = path.extension().and_then(|it| it.to_str());
            path.is_file() && extension.is_some_and(|it| ["diff", "patch"].contains(&it))
        };
        found.retain(is_patch);
        found.sort();
        if found.is_empty() {
            return Err(Error::NoPatches(path.clone()));
        }
        all.extend(found);
    }
    Ok(all)
}
