//! Gets files: Debian's packages, guest toolchains, images, QEMU, initial file systems, device trees.
//!
//! Nothing here knows what a case or a verdict is.

pub mod apt;
pub mod build;
pub mod device_tree;
pub mod initramfs;
pub mod linux_system;
pub mod package;
pub mod patch;
pub mod qemu;
pub mod rust;
pub mod sha256;

use std::path::PathBuf;

/// Why something that runs need cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A file that the hypervisor's own file names.
    #[error(
        "{}, which is `{{{name}}}`, is not there\n  next: build it, or correct `[files]` in {}", path.display(), named_in.display()
    )]
    NoFile {
        /// What the file calls it.
        name: String,
        /// Where it should be.
        path: PathBuf,
        /// The hypervisor's file.
        named_in: PathBuf,
    },
    /// Fetching.
    #[error(transparent)]
    Fetch(#[from] apt::Error),
    /// Files out of packages.
    #[error(transparent)]
    Package(#[from] package::Error),
    /// QEMU.
    #[error(transparent)]
    Qemu(#[from] qemu::Error),
    /// A change of the device tree.
    #[error(transparent)]
    DeviceTree(#[from] device_tree::Error),
    /// The initial RAM disk of a hypervisor that is a part of Linux.
    #[error(transparent)]
    Initramfs(#[from] initramfs::Error),
    /// The guest toolchain and the images.
    #[error(transparent)]
    Build(#[from] build::Error),
}
