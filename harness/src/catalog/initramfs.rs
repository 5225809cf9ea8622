//! What the initial RAM disk of a Linux system contains, as data.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::package::PackageFiles;

/// What a system starts with: the table `initramfs` of a hypervisor's file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Packages, of which everything goes in.
    pub packages: Option<PackageFiles>,
    /// Directories for file systems to be mounted on.
    #[serde(default)]
    pub directories: Vec<String>,
    /// Files, by their paths.
    #[serde(default)]
    pub files: BTreeMap<String, Text>,
}

/// A file that is written out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// What is in it. There are no placeholders: the same system is for all runs.
    pub text: String,
    /// Its permissions.
    #[serde(default = "readable")]
    pub mode: u32,
}

/// The permissions of a file that anyone may read.
pub const fn readable() -> u32 {
    0o644
}
