//! The versions of a hypervisor that Debian has: one file each, named after the version.

use std::{
    cmp::Reverse,
    path::{Path, PathBuf},
};

use super::{
    package::PackageFiles,
    source::{self, Mistakes, Source},
};

/// Where they are, in a hypervisor's directory.
const DIRECTORY: &str = "versions";

/// One version.
#[derive(Debug, Clone)]
pub struct PackagedVersion {
    /// The hypervisor, as its directory is called.
    pub hypervisor: String,
    /// The version, as the file is called.
    pub version: String,
    /// Where Debian has it.
    pub table: PackageFiles,
    /// The file.
    pub path: PathBuf,
}

impl PackagedVersion {
    /// All versions of the hypervisor whose directory is `dir` (`runners/xen`), the newest first; none,
    /// if it is not from packages.
    pub fn read_all(dir: &Path, mistakes: &mut Mistakes) -> Vec<Self> {
        let versions = dir.join(DIRECTORY);
        if !versions.is_dir() {
            return Vec::new();
        }
        let files = source::files(&versions, "toml").unwrap_or_else(|error| {
            mistakes.add(&versions, None, error);
            Vec::new()
        });
        let hypervisor = dir.file_name().unwrap_or_default().to_string_lossy();
        let mut all = Vec::new();
        for path in files {
            if let Some((source, table)) = Source::read(&path, mistakes) {
                all.push(Self {
                    hypervisor: hypervisor.clone().into_owned(),
                    version: source.stem(),
                    table,
                    path,
                });
            }
        }
        all.sort_by_cached_key(|version| Reverse(version.numbers()));
        all
    }

    /// Its numbers; `None` for a part that is none.
    pub fn numbers(&self) -> Vec<Option<u32>> {
        let parts = self.version.split('.');
        parts.map(|part| part.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_file_is_named_with_the_line() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let versions = dir.path().join(DIRECTORY);
        std::fs::create_dir(&versions).expect("a writable directory");
        let text = "suites = []\npackages = []\nfile = {}\n";
        std::fs::write(versions.join("1.0.toml"), text).expect("a writable directory");
        let mut mistakes = Mistakes::default();
        assert!(PackagedVersion::read_all(dir.path(), &mut mistakes).is_empty());
        let said = mistakes.to_string();
        assert!(said.contains("1.0.toml, line 3"), "{said}");
    }
}
