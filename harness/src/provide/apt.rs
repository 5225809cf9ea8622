//! Getting what a run needs but the machine does not have: QEMU versions, a second Rust, hypervisors.
//!
//! Everything comes from the Debian archive that the machine's own apt is configured for, is
//! verified by apt, and lands unpacked in a cache directory. Nothing is installed and nothing
//! needs root.

mod chosen;
mod download;
pub(crate) mod pattern;
mod progress;
pub mod root;
mod sources;
mod tree;

use std::{io, path::PathBuf};

pub use download::check;
pub use root::{AptRequest, AptRoot};

use crate::workspace::cache;

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("{source}{}", space_hint(source))]
    Io {
        /// What it answered, with the file's name.
        #[from]
        source: io::Error,
    },
    /// There is no place for it.
    #[error(transparent)]
    Cache(#[from] cache::Error),
    /// A program does not start.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program.
        program: &'static str,
        /// What the system answered.
        source: io::Error,
    },
    /// A file of a tree is not what it was when the tree was fetched.
    #[error(
        "{file} has changed since it was fetched: its SHA-256 is {found}, not {fetched}\n  next: {advice}"
    )]
    Changed {
        /// The file.
        file: String,
        /// What it has now.
        found: String,
        /// What it had.
        fetched: String,
        /// How to have the right one again.
        advice: String,
    },
    /// Apt gives a package without the hash that it would be checked by.
    #[error("apt names no SHA-256 of {file}, so it cannot be checked")]
    NoHash {
        /// The package file.
        file: String,
    },
    /// A program of the Debian base system is missing, so this is not Debian.
    #[error("`{0}` is not on this machine, so nothing can be fetched from Debian's archive")]
    NoProgram(&'static str),
    /// Apt is here, but does not know the Debian archive.
    #[error(
        "apt on this machine is not configured for a Debian archive, so nothing can be fetched \
         from it; add one to /etc/apt/sources.list.d and run `apt-get update`"
    )]
    NoArchive,
    /// The processor is one for which no loader path is known.
    #[error("no Debian packages are known for a host of architecture `{0}`")]
    UnknownHost(&'static str),
    /// A package that is wanted is not among those that apt chose.
    #[error(
        "no package matching `{pattern}` is among those that apt selected for {name}: {chosen}\n  next: correct `only` in the file under runners/"
    )]
    NotChosen {
        /// The tree that was to be made.
        name: String,
        /// What was wanted.
        pattern: String,
        /// What there is instead.
        chosen: String,
    },
    /// Apt or dpkg failed.
    #[error(transparent)]
    Command(Box<CommandFailure>),
}

/// How apt or dpkg failed.
#[derive(Debug, thiserror::Error)]
#[error("{what} failed while fetching {name}:\n{tail}\n  log: {log}\n  next: {advice}", log = log.display())]
pub struct CommandFailure {
    /// Which step: "updating package lists", say.
    pub what: String,
    /// The tree that was to be made.
    pub name: String,
    /// The last lines the program wrote.
    pub tail: String,
    /// Where all of its output is.
    pub log: PathBuf,
    /// What to do now.
    pub advice: String,
}

impl Error {
    /// Whether this machine can never fetch, so that falling back on what is installed is right.
    /// A network that is down, say, is no reason to use another QEMU than the one asked for.
    pub fn is_not_debian(&self) -> bool {
        matches!(
            self,
            Self::NoProgram(_) | Self::NoArchive | Self::UnknownHost(_)
        )
    }
}

fn space_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "; free some space or set SETWAY_CACHE to another directory",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; set SETWAY_CACHE to a directory you may write to"
        }
        _ => "",
    }
}
