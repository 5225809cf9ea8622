//! Gets files: Debian's packages, guest toolchains, images, QEMU, initial file systems, device trees.
//!
//! Nothing here knows what a case or a verdict is.

pub mod apt;
pub mod build;
pub mod device_tree;
pub mod initramfs;
pub mod linux_system;
pub mod package;
pub mod qemu;
pub mod rust;
