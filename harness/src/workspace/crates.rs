//! The crates of a checkout, as their manifests give them: which there are, where, and what each is made of.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

use fs_err as fs;
use serde::Deserialize;

/// Why the crates are not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A manifest cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A manifest is not what Cargo would take.
    #[error("{file}: {reason}")]
    Manifest {
        /// The manifest.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No crate has this name.
    #[error("the workspace has no package `{0}`")]
    Unknown(String),
}

/// The crates of a checkout.
#[derive(Debug)]
pub struct Crates {
    by_name: BTreeMap<String, Crate>,
}

#[derive(Debug)]
struct Crate {
    /// Relative to the checkout.
    dir: String,
    /// The packages that it is built with, of the workspace or not.
    needs: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Root {
    workspace: Members,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<String>,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(flatten)]
    tables: Tables,
    #[serde(default)]
    target: BTreeMap<String, Tables>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Tables {
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    #[serde(default)]
    build_dependencies: BTreeMap<String, toml::Value>,
}

impl Tables {
    /// The names of packages: a dependency may have another one than its key.
    fn names(&self) -> impl Iterator<Item = String> {
        let all = self.dependencies.iter().chain(&self.build_dependencies);
        all.map(|(key, value)| {
            let package = value.get("package").and_then(toml::Value::as_str);
            package.unwrap_or(key).to_owned()
        })
    }
}

impl Crates {
    /// Reads the manifests of the checkout at `root`.
    ///
    /// # Errors
    ///
    /// If one cannot be read or understood.
    pub fn read(root: &Path) -> Result<Self, Error> {
        let workspace: Root = manifest(&root.join("Cargo.toml"))?;
        let mut by_name = BTreeMap::new();
        for dir in workspace.workspace.members {
            let own: Manifest = manifest(&root.join(&dir).join("Cargo.toml"))?;
            let tables = std::iter::once(&own.tables).chain(own.target.values());
            let needs = tables.flat_map(Tables::names).collect();
            by_name.insert(own.package.name, Crate { dir, needs });
        }
        Ok(Self { by_name })
    }

    /// `package` and all crates of the workspace that it is built with, however far away.
    ///
    /// # Errors
    ///
    /// If there is no such package.
    pub fn closure(&self, package: &str) -> Result<BTreeSet<&str>, Error> {
        if !self.by_name.contains_key(package) {
            return Err(Error::Unknown(package.to_owned()));
        }
        let mut all = BTreeSet::new();
        let mut next = vec![package];
        while let Some(name) = next.pop() {
            if let Some((name, found)) = self.by_name.get_key_value(name)
                && all.insert(name.as_str())
            {
                next.extend(found.needs.iter().map(String::as_str));
            }
        }
        Ok(all)
    }

    /// The directories of all crates, relative to the checkout.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.by_name.values().map(|found| found.dir.as_str())
    }

    /// The directory of `package`, relative to the checkout; `None` if the workspace has no such package.
    pub fn directory(&self, package: &str) -> Option<&str> {
        self.by_name.get(package).map(|found| found.dir.as_str())
    }
}

fn manifest<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(path)?;
    toml::from_str(&text).map_err(|error| Error::Manifest {
        file: path.display().to_string(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_made_of_all_that_its_dependencies_are_made_of() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let write = |place: &str, text: &str| {
            let path = dir.path().join(place);
            let above = path.parent().expect("a file is in a directory");
            fs::create_dir_all(above).expect("a writable directory");
            fs::write(path, text).expect("a writable directory");
        };
        write(
            "Cargo.toml",
            "[workspace]\nmembers = ['guest', 'x/first', 'second', 'third', 'other']\n",
        );
        write(
            "guest/Cargo.toml",
            "[package]\nname = 'a-guest'\n[dependencies]\nfirst.workspace = true\nserde = '1'\n[dev-dependencies]\nother.workspace = true\n",
        );
        write(
            "x/first/Cargo.toml",
            "[package]\nname = 'first'\n[target.'cfg(unix)'.dependencies]\nelse = { package = 'second', path = '../../second' }\n",
        );
        write(
            "second/Cargo.toml",
            "[package]\nname = 'second'\n[build-dependencies]\nthird.workspace = true\n",
        );
        write("third/Cargo.toml", "[package]\nname = 'third'\n");
        write("other/Cargo.toml", "[package]\nname = 'other'\n");
        let crates = Crates::read(dir.path()).expect("sound manifests");
        let closure = crates.closure("a-guest").expect("a package");
        assert_eq!(
            closure.into_iter().collect::<Vec<_>>(),
            ["a-guest", "first", "second", "third"]
        );
        assert_eq!(crates.directory("first"), Some("x/first"));
        assert!(crates.closure("serde").is_err());
    }
}
