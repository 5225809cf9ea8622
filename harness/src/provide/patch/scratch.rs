//! The scratch copy of a checkout in which patched hypervisors are built.
//!
//! It is always at the same place, so that Cargo finds what it has built before, and is removed when the command ends,
//! however it does; the target directory stays.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use fs_err as fs;

use super::{Error, IMAGE, diff::Edits};
use crate::{
    provide::build::{Image, Images},
    workspace::{Workspace, crates::Crates, lock::Lock, passing::Passing},
};

/// What a copy needs besides the folders of the crates.
const FILES: [&str; 5] = [
    "Cargo.lock",
    "Cargo.toml",
    ".cargo",
    "rust-toolchain",
    "rust-toolchain.toml",
];

/// A copy of a checkout, and the hypervisor that it makes without any patch.
#[derive(Debug)]
pub struct Scratch<'a> {
    origin: &'a Workspace,
    copy: Workspace,
    edited: BTreeSet<PathBuf>,
    /// The image without a patch. It is compared with others from the same place, whatever paths get into images.
    sound: Vec<u8>,
    _dir: Passing,
    _lock: Lock,
}

impl<'a> Scratch<'a> {
    /// Copies `origin`, and builds the hypervisor there as it is.
    ///
    /// # Errors
    ///
    /// If a file cannot be copied, or the hypervisor does not build.
    pub fn new(origin: &'a Workspace) -> Result<Self, Error> {
        let place = origin.target().join("setway/patched");
        let lock = Lock::acquire(&place.join("lock"), "tries patches")?;
        let dir = Passing::new(place.join("checkout"))?;
        for name in folders(origin)?.iter().map(String::as_str).chain(FILES) {
            copy(
                &origin.root().join(name),
                &dir.path().join(name),
                origin.target(),
            )?;
        }
        let target = place.join("target");
        take_over(&origin.target().join("guest"), &target.join("guest"))?;
        let mut scratch = Self {
            origin,
            copy: Workspace::at(dir.path()).with_target(target),
            edited: BTreeSet::new(),
            sound: Vec::new(),
            _dir: dir,
            _lock: lock,
        };
        let image = scratch
            .image()
            .map_err(|error| Error::Base(Box::new(error)))?;
        scratch.sound = fs::read(&image.flat)?;
        Ok(scratch)
    }

    /// The hypervisor's image with these edits and no others. It is there until the next one is built.
    ///
    /// # Errors
    ///
    /// If it does not build, or its bytes are those of the hypervisor without a patch.
    pub fn build(&mut self, edits: &Edits) -> Result<Image, Error> {
        for path in std::mem::take(&mut self.edited) {
            let text = fs::read(self.origin.root().join(&path)).ok();
            self.write(&path, text.as_deref())?;
        }
        for (path, text) in edits {
            self.write(path, text.as_deref().map(str::as_bytes))?;
            self.edited.insert(path.clone());
        }
        let image = self
            .image()
            .map_err(|error| Error::Build(Box::new(error)))?;
        if fs::read(&image.flat)? == self.sound {
            return Err(Error::SameImage);
        }
        Ok(image)
    }

    fn image(&self) -> Result<Image, crate::provide::build::Error> {
        let images = Images::build(&self.copy, &[IMAGE])?;
        let image = images.get(IMAGE);
        Ok(image.expect("it was asked for").clone())
    }

    /// Makes a file of the copy hold `bytes`; `None` removes it.
    fn write(&self, path: &Path, bytes: Option<&[u8]>) -> Result<(), Error> {
        let path = self.copy.root().join(path);
        match bytes {
            Some(bytes) => {
                fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
                fs::write(path, bytes)?;
            }
            None if path.exists() => fs::remove_file(path)?,
            None => {}
        }
        Ok(())
    }
}

/// The folders at the top of a checkout that its crates are in.
fn folders(workspace: &Workspace) -> Result<BTreeSet<String>, Error> {
    let crates = Crates::read(workspace.root())?;
    let tops = crates.directories().filter_map(|dir| dir.split('/').next());
    Ok(tops.map(str::to_owned).collect())
}

/// Copies a file, or a directory with all below except `without` and what begins with a dot. What is not there is left
/// out.
fn copy(from: &Path, to: &Path, without: &Path) -> Result<(), Error> {
    if from == without {
        return Ok(());
    }
    if from.is_file() {
        fs::copy(from, to)?;
    } else if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            let hidden = name.as_encoded_bytes().starts_with(b".") || name == "target";
            if !hidden {
                copy(&from.join(&name), &to.join(&name), without)?;
            }
        }
    }
    Ok(())
}

/// Has Cargo find in the target directory `to` what it has built of others' crates in `from`, which takes half a
/// minute to build again. Times are kept, because Cargo goes by them.
fn take_over(from: &Path, to: &Path) -> Result<(), Error> {
    // Where programs for the hypervisor's target are, and what runs while building.
    let parts = [crate::provide::build::AARCH64, "guest"];
    if to.exists() || !parts.iter().all(|part| from.join(part).is_dir()) {
        return Ok(());
    }
    // Whole or not at all, in case that it is interrupted.
    let new = to.with_added_extension("new");
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    for part in parts {
        copy_with_times(&from.join(part), &new.join(part))?;
    }
    Ok(fs::rename(new, to)?)
}

fn copy_with_times(from: &Path, to: &Path) -> Result<(), Error> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy_with_times(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    fs::copy(from, to)?;
    let modified = fs::metadata(from)?.modified()?;
    let file = fs::OpenOptions::new().write(true).open(to)?;
    Ok(file
        .file()
        .set_times(std::fs::FileTimes::new().set_modified(modified))?)
}
