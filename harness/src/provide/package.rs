//! Files out of Debian packages, such as a hypervisor's executable or a kernel: fetched, and found.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    catalog::{package::PackageFiles, version::PackagedVersion},
    provide::apt::{self, AptRequest, AptRoot, pattern},
    workspace::Workspace,
};

/// Why there are no such files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The packages could not be fetched.
    #[error(transparent)]
    Fetch(#[from] apt::Error),
    /// They do not have the file, or have several.
    #[error(
        "{tree}: `{file}` must be exactly one `{pattern}`; {found}\n  next: correct `files` in its file under runners/"
    )]
    NotOne {
        /// The tree.
        tree: String,
        /// What the data file calls it.
        file: String,
        /// What was looked for.
        pattern: String,
        /// What there is.
        found: String,
    },
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The directory with all of it.
    pub tree: PathBuf,
    /// The files, by the names of the data file.
    pub files: BTreeMap<String, PathBuf>,
    /// The packages that were unpacked, and their versions.
    pub packages: Vec<(String, String)>,
}

impl Unpacked {
    /// Debian's version of what was fetched, for reports: that of the package, or of each, if there are
    /// several of different versions.
    pub fn version(&self) -> String {
        let mut versions: Vec<&str> = self.packages.iter().map(|(_, it)| it.as_str()).collect();
        versions.dedup();
        versions.join(", ")
    }
}

impl PackageFiles {
    /// The files, fetched if need be, and as they were fetched. `name` is for people, and the start of the tree's
    /// name.
    ///
    /// # Errors
    ///
    /// If they cannot be had, or have changed.
    pub fn ensure(&self, workspace: &Workspace, name: &str) -> Result<Unpacked, Error> {
        self.choose(name, &AptRoot::ensure(workspace, &self.request(name))?)
    }

    /// The files, if they have been fetched; else `None`.
    ///
    /// # Errors
    ///
    /// If what was fetched lacks a file, or one has changed.
    pub fn find(&self, workspace: &Workspace, name: &str) -> Result<Option<Unpacked>, Error> {
        let root = AptRoot::find(workspace, &self.request(name))?;
        root.map(|root| self.choose(name, &root)).transpose()
    }

    /// Whether they have been fetched.
    ///
    /// # Errors
    ///
    /// If there is no place for fetched files.
    pub fn is_here(&self, workspace: &Workspace, name: &str) -> Result<bool, Error> {
        Ok(AptRoot::place(workspace, &self.request(name))?.is_dir())
    }

    fn request(&self, name: &str) -> AptRequest {
        AptRequest {
            name: name.to_owned(),
            suites: self.suites.clone(),
            release: self.release.clone(),
            architecture: self.architecture.clone(),
            packages: self.packages.clone(),
            only: self.only.clone(),
            assume: self.assume.clone(),
            omit: self.omit.clone(),
            recipe: String::new(),
        }
    }

    fn choose(&self, name: &str, root: &AptRoot) -> Result<Unpacked, Error> {
        let one = |(file, pattern): (&String, &String)| {
            let path = one(root.path(), pattern).map_err(|found| Error::NotOne {
                tree: name.to_owned(),
                file: file.clone(),
                pattern: pattern.clone(),
                found,
            })?;
            Ok((file.clone(), path))
        };
        let files: BTreeMap<String, PathBuf> =
            self.files.iter().map(one).collect::<Result<_, Error>>()?;
        let checked = files.values().map(PathBuf::as_path);
        let advice = format!("remove {} and try again", root.path().display());
        root.check(checked.filter(|path| path.is_file()), &advice)?;
        Ok(Unpacked {
            tree: root.path().to_owned(),
            files,
            packages: root.versions(),
        })
    }
}

impl PackagedVersion {
    /// Its files, fetched if need be.
    ///
    /// # Errors
    ///
    /// If they cannot be had.
    pub fn ensure(&self, workspace: &Workspace) -> Result<Unpacked, Error> {
        self.table.ensure(workspace, &self.tree())
    }

    /// Its files, if they have been fetched.
    ///
    /// # Errors
    ///
    /// If what was fetched lacks a file, or one has changed.
    pub fn find(&self, workspace: &Workspace) -> Result<Option<Unpacked>, Error> {
        self.table.find(workspace, &self.tree())
    }

    /// Whether it has been fetched.
    ///
    /// # Errors
    ///
    /// If there is no place for fetched files.
    pub fn is_here(&self, workspace: &Workspace) -> Result<bool, Error> {
        self.table.is_here(workspace, &self.tree())
    }

    /// What the fetched tree is called.
    fn tree(&self) -> String {
        format!("{}-{}", self.hypervisor, self.version)
    }
}

/// The one path below `root` that is `pattern`; else what there is.
fn one(root: &Path, pattern: &str) -> Result<PathBuf, String> {
    let names = |paths: &[PathBuf]| {
        let names = paths.iter().map(|path| {
            let inside = path.strip_prefix(root).unwrap_or(path);
            inside.display().to_string()
        });
        names.collect::<Vec<_>>().join(", ")
    };
    match pattern::find(root, pattern) {
        Ok(paths) => match &paths[..] {
            [path] => Ok(path.clone()),
            several => Err(format!("there are {}", names(several))),
        },
        Err(instead) if instead.is_empty() => Err("there is nothing".to_owned()),
        Err(instead) => Err(format!("there is none, but {}", names(&instead))),
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn exactly_one_file_is_the_file() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(dir.path().join("boot")).expect("a writable directory");
        let write =
            |name: &str| fs::write(dir.path().join(name), "").expect("a writable directory");
        write("boot/config-6.1-arm64");
        write("boot/vmlinuz-6.1-arm64");
        let pattern = "boot/vmlinuz-*-arm64";
        assert_eq!(
            one(dir.path(), pattern),
            Ok(dir.path().join("boot/vmlinuz-6.1-arm64"))
        );
        write("boot/vmlinuz-6.1-rt-arm64");
        let found = one(dir.path(), pattern).expect_err("two kernels");
        assert_eq!(
            found,
            "there are boot/vmlinuz-6.1-arm64, boot/vmlinuz-6.1-rt-arm64"
        );
        let found = one(dir.path(), "boot/Image").expect_err("no such file");
        assert!(
            found.starts_with("there is none, but boot/config-6.1-arm64, "),
            "{found}"
        );
    }

    #[test]
    fn each_committed_version_has_a_tree_of_its_own() {
        let workspace = Workspace::find().expect("tests run in a checkout");
        let catalog = Catalog::load(&workspace).expect("the committed files are sound");
        let versions = catalog.versions.values().flatten();
        let place =
            |it: &PackagedVersion| AptRoot::place(&workspace, &it.table.request(&it.tree()));
        let mut places: Vec<_> = versions.map(|it| place(it).expect("a place")).collect();
        let all = places.len();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), all);
    }

    #[test]
    fn the_version_is_that_of_the_package() {
        let unpacked = |packages: &[(&str, &str)]| Unpacked {
            tree: PathBuf::new(),
            files: BTreeMap::new(),
            packages: packages
                .iter()
                .map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
                .collect(),
        };
        assert_eq!(unpacked(&[("xen", "4.20.4-1")]).version(), "4.20.4-1");
        assert_eq!(
            unpacked(&[("a", "1"), ("b", "1"), ("c", "2")]).version(),
            "1, 2"
        );
    }
}
