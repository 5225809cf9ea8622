//! What Cargo builds and the harness keeps: images, programs for Linux, the cache model's plugin.
//!
//! A product is kept with a stamp: the digest of what it was made from, and the SHA-256 of each of its files. So a
//! warm start does not even ask Cargo, and a file that was cut or changed is made again.
//!
//! Cargo itself judges sources by their times. An archive, `rsync -t` or `touch -r` can change a source and leave its
//! time older than what was built from it, and Cargo would call that fresh. So the digests of the crates are kept
//! for each target directory, too, and what Cargo remembers of a crate is removed when its digest is another one.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hasher as _,
    path::{Path, PathBuf},
};

use fs_err as fs;

use super::Error;
use crate::{
    provide::sha256::{Fingerprint, Sha256},
    workspace::{Workspace, crates::Crates, fnv::Fnv, lock::Lock, sources},
};

/// What every product depends on besides its crates: how it is built.
const COMMON: [&str; 6] = [
    "Cargo.lock",
    "Cargo.toml",
    "harness/src/provide/build",
    "harness/src/provide/build.rs",
    "harness/src/provide/rust",
    "runners/toolchain",
];

/// What a checkout may have besides: choices of Cargo's and rustup's.
const OPTIONAL: [&str; 3] = [".cargo", "rust-toolchain", "rust-toolchain.toml"];

/// The place for products, which one process at a time writes.
#[derive(Debug)]
pub struct Store<'a> {
    workspace: &'a Workspace,
    crates: Crates,
    _lock: Lock,
}

/// A product.
#[derive(Debug)]
pub struct Product<'a> {
    /// Cargo's package.
    pub package: &'a str,
    /// Which compiler makes it, and with what feature. Not by what variable that was chosen: `cargo run` sets some
    /// that a plain start has not. Debian's is described by sources.
    pub compiler: String,
    /// Cargo's target directory for it.
    pub target_dir: &'a Path,
    /// The files, of which all have to be there.
    pub files: Vec<PathBuf>,
    /// Where its stamp is.
    pub stamp: PathBuf,
}

/// A product that is there.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its files, as they were built.
    pub files: Vec<Fingerprint>,
    /// The id that it gives in its records, or 0 if it has none.
    pub build: u64,
}

impl<'a> Store<'a> {
    /// The store of `workspace`, as soon as no other process has it.
    ///
    /// # Errors
    ///
    /// If the lock or a manifest cannot be had.
    pub fn open(workspace: &'a Workspace) -> Result<Self, Error> {
        let lock = workspace.target().join("setway/build.lock");
        Ok(Self {
            workspace,
            _lock: Lock::acquire(&lock, "builds guests or the cache model")?,
            crates: Crates::read(workspace.root())?,
        })
    }

    /// `product` as it is, if it was made from the sources as they are; else what `make` makes of them. That returns
    /// the build id.
    ///
    /// # Errors
    ///
    /// If a source is missing, or the product cannot be made.
    pub fn keep(
        &self,
        product: &Product,
        make: impl FnOnce() -> Result<u64, Error>,
    ) -> Result<Kept, Error> {
        let made_from = self.made_from(product)?;
        if let Some(kept) = product.read(made_from) {
            return Ok(kept);
        }
        self.refresh(product.package, product.target_dir)?;
        // Its executable may have been changed as well, and Cargo would not look.
        let own = BTreeSet::from([product.package]);
        forget(&own, product.target_dir)?;
        let build = make()?;
        let files = product.files.iter().map(|path| Fingerprint::of(path));
        let kept = Kept {
            files: files.collect::<Result<_, _>>()?,
            build,
        };
        replace(&product.stamp, stamp(made_from, &kept).as_bytes())?;
        Ok(kept)
    }

    /// Has Cargo build those crates of `package` again that differ from what was built in `target_dir`.
    ///
    /// # Errors
    ///
    /// If a source is missing, or a file cannot be written.
    pub fn refresh(&self, package: &str, target_dir: &Path) -> Result<(), Error> {
        let record = target_dir.join("setway-crates");
        let text = fs::read_to_string(&record).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        let mut built: BTreeMap<&str, String> = lines
            .map(|(digest, name)| (name, digest.to_owned()))
            .collect();
        let mut changed = BTreeSet::new();
        for name in self.crates.closure(package)? {
            let digest = format!("{:016x}", self.digest_of(name)?);
            if built.get(name) != Some(&digest) {
                changed.insert(name);
                built.insert(name, digest);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        forget(&changed, target_dir)?;
        let lines = built
            .iter()
            .map(|(name, digest)| format!("{digest} {name}\n"));
        replace(&record, lines.collect::<String>().as_bytes())
    }

    /// A digest of all that decides the bytes of `product`.
    fn made_from(&self, product: &Product) -> Result<u64, Error> {
        let root = self.workspace.root();
        let mut hash = Fnv::default();
        hash.write_u64(sources::digest(root, &COMMON)?);
        let there = OPTIONAL.into_iter().filter(|path| root.join(path).exists());
        hash.write_u64(sources::digest(root, &there.collect::<Vec<_>>())?);
        for name in self.crates.closure(product.package)? {
            hash.write_u64(self.digest_of(name)?);
        }
        hash.write(product.compiler.as_bytes());
        Ok(hash.finish())
    }

    /// The digest of a crate of the workspace.
    fn digest_of(&self, name: &str) -> Result<u64, Error> {
        let dir = self.crates.directory(name).unwrap_or_default();
        Ok(sources::digest(self.workspace.root(), &[dir])?)
    }
}

impl Product<'_> {
    /// The product, if its stamp says that it was made from these sources and that the files are as they were.
    fn read(&self, made_from: u64) -> Option<Kept> {
        let text = fs::read_to_string(&self.stamp).ok()?;
        let build = text.lines().find_map(|line| line.strip_prefix("build "))?;
        let kept = Kept {
            build: u64::from_str_radix(build, 16).ok()?,
            files: self
                .files
                .iter()
                .map(|path| Fingerprint::of(path).ok())
                .collect::<Option<_>>()?,
        };
        (stamp(made_from, &kept) == text).then_some(kept)
    }
}

/// The text of a stamp.
fn stamp(made_from: u64, kept: &Kept) -> String {
    let mut text = format!("from {made_from:016x}\nbuild {:016x}\n", kept.build);
    for file in &kept.files {
        let name = file.path.file_name().unwrap_or_default();
        text += &format!("{} {}\n", file.sha256, name.display());
    }
    text
}

/// Removes what Cargo remembers in `target_dir` of having built `crates`, in all profiles and for all targets.
fn forget(crates: &BTreeSet<&str>, target_dir: &Path) -> Result<(), Error> {
    // TARGET/PROFILE and, for what runs while building, PROFILE.
    let below = directories(target_dir)?;
    let further = below.iter().map(|dir| directories(dir));
    let further = further.collect::<Result<Vec<_>, _>>()?;
    for profile in further.iter().flatten().chain(&below) {
        for remembered in directories(&profile.join(".fingerprint"))? {
            let name = remembered.file_name().unwrap_or_default();
            // PACKAGE-HASH.
            let package = name.to_str().and_then(|name| name.rsplit_once('-'));
            if package.is_some_and(|(package, _)| crates.contains(package)) {
                fs::remove_dir_all(&remembered)?;
            }
        }
    }
    Ok(())
}

/// The directories in `dir`; none if there is no such directory.
fn directories(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.is_dir());
    Ok(paths)
}

/// Writes a file whole or not at all, and not if it holds these bytes already.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if path.exists() && Sha256::of_file(path)? == Sha256::of(bytes) {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    let new = path.with_added_extension("new");
    fs::write(&new, bytes)?;
    Ok(fs::rename(&new, path)?)
}

#[cfg(test)]
mod tests;
