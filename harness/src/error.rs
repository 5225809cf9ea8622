//! What can go wrong before and around runs. What goes wrong *in* a run is a verdict instead.

use std::{
    io,
    path::{Path, PathBuf},
};

/// An error of usage or environment, with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A data file cannot be used.
    #[error(transparent)]
    Data(#[from] crate::catalog::toml_file::Error),
    /// A data file that can be read, and says what means nothing.
    #[error("{} cannot be used: {reason}", file.display())]
    Meaningless {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// A name that stands for nothing.
    #[error("there is no {what} called `{name}`\n  next: use one of {}", known.join(", "))]
    Unknown {
        /// What kind of name.
        what: &'static str,
        /// The name.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Nothing to run.
    #[error("no case matches {filters}\n  next: `setway list` shows the cases and their ISAs")]
    NoMatch {
        /// What was asked for.
        filters: String,
    },
    /// A hypervisor has no payload for an ISA.
    #[error(
        "{hypervisor} names no image `{image}` that the build makes\n  next: mend `runners/{hypervisor}/hypervisor.toml`; `setway build` prints the images"
    )]
    NoImage {
        /// The hypervisor.
        hypervisor: String,
        /// The image.
        image: String,
    },
    /// A placeholder that means nothing.
    #[error(
        "{hypervisor} on {machine}: `{argument}` has a placeholder that means nothing\n  next: mend the file under runners/"
    )]
    Placeholder {
        /// Whose command line.
        hypervisor: String,
        /// On which machine.
        machine: String,
        /// The argument.
        argument: String,
    },
    /// Caches were asked for, and there can be none.
    #[error(
        "the cache model was asked for, but {0}\n  next: leave --caches out, or choose a newer version of `setway qemu list`"
    )]
    NoCacheModel(String),
    /// A mutant was asked for of a hypervisor that has none.
    #[error(
        "{0} has no mutants\n  next: leave --mutant or --hyp out; the reference hypervisor has them"
    )]
    NoMutants(String),
    /// The signal handler.
    #[error("cannot catch Ctrl-C: {0}")]
    Signals(#[from] ctrlc::Error),
    /// A report cannot be written.
    #[error("cannot write the report: {0}")]
    Report(String),
    /// Fetching.
    #[error(transparent)]
    Fetch(#[from] crate::provide::apt::Error),
    /// Files out of packages.
    #[error(transparent)]
    Package(#[from] crate::provide::package::Error),
    /// QEMU.
    #[error(transparent)]
    Qemu(#[from] crate::provide::qemu::Error),
    /// QEMU does not write the machine's device tree.
    #[error(
        "QEMU does not write down the machine's device tree: {0}\n  next: look at `tree_args` in runners/machines"
    )]
    NoDeviceTree(String),
    /// A change of the device tree.
    #[error(transparent)]
    DeviceTree(#[from] crate::provide::device_tree::Error),
    /// The initial RAM disk of a hypervisor that is a part of Linux.
    #[error(transparent)]
    Initramfs(#[from] crate::provide::initramfs::Error),
    /// The guest toolchain and the images.
    #[error(transparent)]
    Build(#[from] crate::provide::build::Error),
}

impl Error {
    /// Turns an I/O error into one that says what was tried on which path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    }
}
