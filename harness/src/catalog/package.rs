//! Files out of Debian packages, such as a hypervisor's executable or a kernel: which ones, as data.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Which files, and the packages that have them: a table of a data file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageFiles {
    /// The suites that packages come from.
    pub suites: Vec<String>,
    /// The suite to prefer, if it is not the default one.
    pub release: Option<String>,
    /// Debian's name of the processor they are for; the host's, if there is none.
    pub architecture: Option<String>,
    /// What to install.
    pub packages: Vec<String>,
    /// Which of these and their dependencies are downloaded, with `*` for any part of a name.
    #[serde(default)]
    pub only: Vec<String>,
    /// Dependencies to do without.
    #[serde(default)]
    pub assume: Vec<String>,
    /// Parts of the packages to leave out, with `*` for any part between slashes.
    #[serde(default)]
    pub omit: Vec<String>,
    /// Names for the files or directories that this is for, and where the packages have them. Each
    /// part between slashes may have one `*`, and there must be exactly one such file.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}
