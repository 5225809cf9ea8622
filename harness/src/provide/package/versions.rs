//! The versions of a hypervisor that Debian has: one file each, named after the version.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

use super::{PackageFiles, Unpacked};
use crate::{Error, catalog::toml_file, workspace::paths};

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
    pub fn read_all(dir: &Path) -> Result<Vec<Self>, Error> {
        let versions = dir.join(DIRECTORY);
        if !versions.is_dir() {
            return Ok(Vec::new());
        }
        let hypervisor = dir.file_name().unwrap_or_default().to_string_lossy();
        let read = |path: PathBuf| {
            let version = path.file_stem().unwrap_or_default().to_string_lossy();
            Ok(Self {
                hypervisor: hypervisor.clone().into_owned(),
                version: version.into_owned(),
                table: toml_file::read(&path)?,
                path,
            })
        };
        let files = paths::files(&versions, "toml")?.into_iter();
        let mut all = files.map(read).collect::<Result<Vec<_>, Error>>()?;
        all.sort_by_cached_key(|version| Reverse(version.numbers()));
        Ok(all)
    }

    /// Its files, fetched if need be.
    pub fn ensure(&self) -> Result<Unpacked, Error> {
        Ok(self.table.ensure(&self.tree())?)
    }

    /// Its files, if they have been fetched.
    pub fn find(&self) -> Result<Option<Unpacked>, Error> {
        Ok(self.table.find(&self.tree())?)
    }

    /// Whether it has been fetched.
    pub fn is_here(&self) -> Result<bool, Error> {
        Ok(self.table.is_here(&self.tree())?)
    }

    /// What the fetched tree is called.
    fn tree(&self) -> String {
        format!("{}-{}", self.hypervisor, self.version)
    }

    fn numbers(&self) -> Vec<Option<u32>> {
        let parts = self.version.split('.');
        parts.map(|part| part.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provide::apt::AptRoot;

    #[test]
    fn the_committed_versions_are_sound_newest_first_and_each_a_tree_of_its_own() {
        let mut places = Vec::new();
        for (hypervisor, file) in [("kvm", "linux"), ("xen", "xen")] {
            let dir = paths::runners().join(hypervisor);
            let all = PackagedVersion::read_all(&dir).expect("the committed files parse");
            assert!(all.len() > 1, "{hypervisor}");
            assert!(all.is_sorted_by(|newer, older| newer.numbers() > older.numbers()));
            for version in all {
                let PackagedVersion { path, table, .. } = &version;
                assert!(version.numbers().iter().all(Option::is_some), "{path:?}");
                assert_eq!(table.architecture.as_deref(), Some("arm64"), "{path:?}");
                assert!(table.files.contains_key(file), "{path:?}");
                assert!(!table.only.is_empty(), "{path:?}");
                places.push(AptRoot::place(&table.request(&version.tree())).expect("a place"));
            }
        }
        let all = places.len();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), all);
    }

    #[test]
    fn a_hypervisor_of_our_own_has_none() {
        let dir = paths::runners().join("reference");
        assert!(
            PackagedVersion::read_all(&dir)
                .expect("no error")
                .is_empty()
        );
    }

    #[test]
    fn a_wrong_file_is_named_with_the_line() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let versions = dir.path().join(DIRECTORY);
        std::fs::create_dir(&versions).expect("a writable directory");
        let text = "suites = []\npackages = []\nfile = {}\n";
        std::fs::write(versions.join("1.0.toml"), text).expect("a writable directory");
        let said = PackagedVersion::read_all(dir.path()).expect_err("`file` is unknown");
        let said = said.to_string();
        assert!(
            said.contains("1.0.toml") && said.contains("line 3"),
            "{said}"
        );
    }
}
