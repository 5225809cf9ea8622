//! The checkout under test: its sources, its target directory, the cache of fetched files.
//!
//! A [`Workspace`] is found once, from where the command stands, and passed on; nothing else in the harness
//! knows where it is. Locks and child processes are here as well, because every room above needs them.

pub mod cache;
pub mod crates;
pub mod fnv;
pub mod lock;
pub mod passing;
pub mod process;
pub mod sources;

use std::{
    env, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Why there is no checkout to work in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither the current directory nor one above it is a checkout.
    #[error(
        "{} is not in a checkout of Setway\n  next: change to one, or set SETWAY_ROOT to it", here.display()
    )]
    NoCheckout {
        /// Where the command stands.
        here: PathBuf,
    },
    /// `SETWAY_ROOT` names a directory that is no checkout.
    #[error("SETWAY_ROOT is {}, which is not a checkout of Setway\n  next: correct it, or unset it", root.display())]
    NotACheckout {
        /// What it names.
        root: PathBuf,
    },
    /// `SETWAY_ROOT` names another checkout than the one that the command stands in.
    #[error(
        "SETWAY_ROOT is {}, but the current directory is in the checkout {}\n  next: change to the one that you mean, or unset SETWAY_ROOT",
        named.display(), here.display()
    )]
    TwoCheckouts {
        /// What it names.
        named: PathBuf,
        /// Where the command stands.
        here: PathBuf,
    },
    /// The program was built from other sources than those of the checkout.
    #[error(
        "this setway was built from other sources than those in {}: {reason}\n  next: run `cargo clean -p setway` there and start it with `cargo run`, so that Cargo builds the program that belongs to the checkout",
        root.display()
    )]
    OtherSources {
        /// The checkout.
        root: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// The current directory cannot be found out.
    #[error("the current directory cannot be found out: {0}\n  next: change to one that exists")]
    NoDirectory(#[from] io::Error),
}

/// A checkout, and where its products go.
#[derive(Clone, Debug)]
pub struct Workspace {
    root: PathBuf,
    target: PathBuf,
    cache: Result<PathBuf, cache::Error>,
}

/// Which commit of the project a checkout holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The commit's full name.
    pub commit: String,
    /// Files differ from that commit, or are not in it.
    pub is_modified: bool,
}

impl Workspace {
    /// The checkout that the command stands in. Outside of any it is the one that `SETWAY_ROOT` names.
    ///
    /// # Errors
    ///
    /// If there is none, if `SETWAY_ROOT` names another one, or if this program was built from other
    /// sources than the checkout's: it would test what it was built from, and report that of the checkout.
    pub fn find() -> Result<Self, Error> {
        let here = env::current_dir()?;
        let named = env::var_os("SETWAY_ROOT").filter(|root| !root.is_empty());
        let workspace = Self::choose(&here, named.map(PathBuf::from))?;
        workspace.check_sources()?;
        Ok(workspace)
    }

    fn choose(here: &Path, named: Option<PathBuf>) -> Result<Self, Error> {
        let around = here.ancestors().find(|dir| is_checkout(dir));
        let Some(named) = named else {
            let root = around.ok_or_else(|| Error::NoCheckout {
                here: here.to_owned(),
            })?;
            return Ok(Self::at(root));
        };
        let root = named.canonicalize().unwrap_or_else(|_| named.clone());
        if !is_checkout(&root) {
            return Err(Error::NotACheckout { root: named });
        }
        match around {
            Some(around) if around.canonicalize()? != root => Err(Error::TwoCheckouts {
                named,
                here: around.to_owned(),
            }),
            _ => Ok(Self::at(root)),
        }
    }

    /// The checkout at `root`, from wherever it is used. Products go where Cargo puts them.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let named = env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty());
        let target = named.map_or_else(|| root.join("target"), |dir| root.join(dir));
        let cache = cache::find();
        Self {
            root,
            target,
            cache,
        }
    }

    /// Checks that the program was built from the sources in this checkout.
    fn check_sources(&self) -> Result<(), Error> {
        let built = env!("SETWAY_SOURCES");
        let reason = match sources::digest(&self.root, &sources::HOST) {
            Ok(digest) if format!("{digest:016x}") == built => return Ok(()),
            Ok(_) => "their contents differ".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Error::OtherSources {
            root: self.root.clone(),
            reason,
        })
    }

    /// The top of the checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target directory.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where fetched files live: `$SETWAY_CACHE`, else `$XDG_CACHE_HOME/setway`, else `~/.cache/setway`.
    ///
    /// # Errors
    ///
    /// If there is no such place, or programs could not run from there. A run that fetches nothing does without.
    pub fn cache(&self) -> Result<&Path, cache::Error> {
        self.cache.as_deref().map_err(Clone::clone)
    }

    /// This checkout, with products in `target`.
    pub fn with_target(self, target: impl Into<PathBuf>) -> Self {
        Self {
            target: target.into(),
            ..self
        }
    }

    /// This checkout, with fetched files in `cache`.
    #[cfg(test)]
    pub fn with_cache(self, cache: impl Into<PathBuf>) -> Self {
        Self {
            cache: Ok(cache.into()),
            ..self
        }
    }

    /// Data files that say what can be run, and how.
    pub fn runners(&self) -> PathBuf {
        self.root.join("runners")
    }

    /// What was observed before, and accepted.
    pub fn expectations(&self) -> PathBuf {
        self.root.join("expectations")
    }

    /// Where the raw logs of failed runs go unless `--report` names another place.
    pub fn logs(&self) -> PathBuf {
        self.target.join("setway/logs")
    }

    /// The commit that is checked out; `None` if the checkout is no repository of Git's, or there is no Git.
    pub fn revision(&self) -> Option<Revision> {
        let git = |arguments: &[&str]| {
            let mut command = Command::new("git");
            // Reports must not depend on a lock that another process holds.
            command.args(["--no-optional-locks", "-C"]).arg(&self.root);
            let output = command.args(arguments).output().ok()?;
            let text = String::from_utf8(output.stdout).ok()?;
            output.status.success().then(|| text.trim().to_owned())
        };
        let top = git(&["rev-parse", "--show-toplevel"])?;
        if Path::new(&top).canonicalize().ok()? != self.root.canonicalize().ok()? {
            return None;
        }
        Some(Revision {
            commit: git(&["rev-parse", "HEAD"])?,
            is_modified: !git(&["status", "--porcelain"])?.is_empty(),
        })
    }
}

/// Whether `dir` is the top of a checkout.
fn is_checkout(dir: &Path) -> bool {
    dir.join("Cargo.toml").is_file()
        && dir.join("harness/Cargo.toml").is_file()
        && dir.join("runners/machines").is_dir()
}

#[cfg(test)]
mod tests;
