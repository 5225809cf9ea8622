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

use std::path::{Path, PathBuf};

pub use download::check;
pub use root::{AptRequest, AptRoot};

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system said no.
    #[error("cannot {action} {path}: {source}{}", space_hint(source))]
    Io {
        /// What was tried, as a verb: "create", "rename".
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// There is neither `SETWAY_CACHE` nor a home directory.
    #[error("no place for the cache: set SETWAY_CACHE to a directory that may grow by 2 GB")]
    NoCache,
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
        "no package called `{pattern}` belongs to {name}; apt chose {chosen}\n  next: mend `only` in the file under runners/"
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

/// Turns an I/O error into one that names the file and what was tried.
pub(crate) fn io_error(
    action: &'static str,
    path: impl AsRef<Path>,
) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.as_ref().to_path_buf();
    move |source| Error::Io {
        action,
        path,
        source,
    }
}

fn space_hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull => {
            "; free some space or set SETWAY_CACHE to another directory"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "; set SETWAY_CACHE to a directory you may write to"
        }
        _ => "",
    }
}

/// The directory that fetched things live in: `$SETWAY_CACHE`, else `$XDG_CACHE_HOME/setway`,
/// else `~/.cache/setway`. It is always absolute.
pub fn cache_dir() -> Result<PathBuf, Error> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let dir = if let Some(dir) = variable("SETWAY_CACHE") {
        PathBuf::from(dir)
    } else if let Some(dir) = variable("XDG_CACHE_HOME") {
        PathBuf::from(dir).join("setway")
    } else {
        let home = std::env::home_dir().ok_or(Error::NoCache)?;
        home.join(".cache/setway")
    };
    std::path::absolute(&dir).map_err(io_error("find", &dir))
}
