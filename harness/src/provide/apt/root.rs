//! Debian packages, unpacked with all they depend on into a directory of their own.
//!
//! This uses `apt-get` for what it is good at (finding the archive, checking signatures, solving
//! dependencies, resuming downloads) with a private state directory, so that neither root nor the
//! system's own packages are touched. The result runs through its own dynamic loader and C
//! library, whatever the host has. Packages of another architecture are only files here.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    hash::Hasher as _,
    io,
    path::{Path, PathBuf},
    process::Command,
};

use fs_err as fs;

use super::{Error, download::Fetch};
use crate::{
    provide::sha256::Sha256,
    workspace::{Workspace, fnv::Fnv, lock::Lock},
};

/// A tree to have: what is in it and where that comes from.
#[derive(Debug, Clone, Default)]
pub struct AptRequest {
    /// A short name for people, also the start of the directory's name.
    pub name: String,
    /// Suites, as in `sources.list`. Those that end in `-security` come from the security archive.
    pub suites: Vec<String>,
    /// The suite to prefer, as with `apt-get -t`.
    pub release: Option<String>,
    /// Debian's name of the processor that the packages are for; the host's, if there is none.
    pub architecture: Option<String>,
    /// What to install; dependencies follow, recommendations do not.
    pub packages: Vec<String>,
    /// Which of the packages that apt chooses for this are wanted, with `*` for any part of a name. The
    /// others are not even downloaded. All are wanted, if there is nothing here.
    pub only: Vec<String>,
    /// Packages to take for installed, because the host has their like.
    pub assume: Vec<String>,
    /// Parts of the packages to leave out: paths in the tree, with `*` for any part between
    /// slashes.
    pub omit: Vec<String>,
    /// Anything else the finished tree depends on; a change makes another tree.
    pub recipe: String,
}

impl AptRequest {
    /// Whose packages these are; there may be some even for a host that Debian has none for.
    pub(super) fn architecture(&self) -> Result<&str, Error> {
        match &self.architecture {
            Some(architecture) => Ok(architecture),
            None => Ok(Host::current()?.architecture),
        }
    }

    /// The directory's name: the request's, and a hash of all that was asked for.
    fn id(&self, architecture: &str) -> String {
        let mut hash = Fnv::default();
        let lists = [&self.suites, &self.packages, &self.assume, &self.omit];
        for item in lists
            .into_iter()
            .flat_map(|list| list.iter().chain([&LIST_END]))
        {
            hash.write(item.as_bytes());
            hash.write_u8(0);
        }
        hash.write(self.release.as_deref().unwrap_or_default().as_bytes());
        hash.write_u8(0);
        hash.write(architecture.as_bytes());
        hash.write(self.recipe.as_bytes());
        for item in &self.only {
            hash.write_u8(0);
            hash.write(item.as_bytes());
        }
        format!("{}-{:016x}", self.name, hash.finish())
    }
}

/// The list of packages and versions, in the tree.
pub(super) const VERSIONS: &str = "setway-versions";

/// The hashes of those files in the tree that runs use, as `sha256sum` writes and checks them.
const HASHES: &str = "setway-sha256sums";

/// Keeps ["a"], ["b"] apart from ["a", "b"], [] in the hash.
static LIST_END: String = String::new();

/// A tree that is complete.
#[derive(Debug, Clone)]
pub struct AptRoot {
    path: PathBuf,
    loader: PathBuf,
    library_path: String,
}

impl AptRoot {
    /// The tree for `request`, if it has been fetched.
    ///
    /// # Errors
    ///
    /// If there is no place for it.
    pub fn find(workspace: &Workspace, request: &AptRequest) -> Result<Option<Self>, Error> {
        let path = Self::place(workspace, request)?;
        path.is_dir().then(|| Self::at(path)).transpose()
    }

    /// The tree for `request`, fetched if need be.
    ///
    /// # Errors
    ///
    /// If it cannot be fetched.
    pub fn ensure(workspace: &Workspace, request: &AptRequest) -> Result<Self, Error> {
        Self::ensure_with(workspace, request, |_| Ok(()))
    }

    /// Like [`ensure`](Self::ensure), and gives `finish` the new tree before it counts as complete.
    ///
    /// # Errors
    ///
    /// If it cannot be fetched or completed.
    pub fn ensure_with<E: From<Error>>(
        workspace: &Workspace,
        request: &AptRequest,
        finish: impl FnOnce(&AptRoot) -> Result<(), E>,
    ) -> Result<Self, E> {
        let path = Self::place(workspace, request)?;
        if !path.is_dir() {
            let _lock = lock(request, &path)?;
            if !path.is_dir() {
                Fetch::new(request, &path)?.run(finish)?;
            }
        }
        Ok(Self::at(path)?)
    }

    /// The tree for `request`, fetched even if it is there. The old one stays until the new one is complete.
    ///
    /// # Errors
    ///
    /// If it cannot be fetched.
    pub fn fetch_again(workspace: &Workspace, request: &AptRequest) -> Result<Self, Error> {
        let path = Self::place(workspace, request)?;
        let _lock = lock(request, &path)?;
        Fetch::new(request, &path)?.run::<Error>(|_| Ok(()))?;
        Self::at(path)
    }

    /// Where the tree for `request` is or will be.
    ///
    /// # Errors
    ///
    /// If there is no place for it.
    pub fn place(workspace: &Workspace, request: &AptRequest) -> Result<PathBuf, Error> {
        let id = request.id(request.architecture()?);
        Ok(workspace.cache()?.join("roots").join(id))
    }

    /// Checks that `files` in the tree are what they were when it was fetched. A tree that has no hash of one, being
    /// older than its hashes or than the data file that names it, gets it now. `advice` is what to do about another
    /// one.
    ///
    /// # Errors
    ///
    /// If one is not, or cannot be read.
    pub fn check<'a>(
        &self,
        files: impl IntoIterator<Item = &'a Path>,
        advice: &str,
    ) -> Result<(), Error> {
        let list = self.path.join(HASHES);
        let text = fs::read_to_string(&list).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once("  "));
        let mut known: BTreeMap<String, String> = lines
            .map(|(hash, file)| (file.to_owned(), hash.to_owned()))
            .collect();
        let count = known.len();
        for path in files {
            let inside = path.strip_prefix(&self.path).unwrap_or(path);
            let found = Sha256::of_file(path)?;
            let fetched = known
                .entry(inside.display().to_string())
                .or_insert_with(|| found.to_string());
            if *fetched != found.to_string() {
                return Err(Error::Changed {
                    file: path.display().to_string(),
                    found: found.to_string(),
                    fetched: fetched.clone(),
                    advice: advice.to_owned(),
                });
            }
        }
        if known.len() > count {
            let lines = known.iter().map(|(file, hash)| format!("{hash}  {file}\n"));
            write_list(&list, &lines.collect::<String>())?;
        }
        Ok(())
    }

    /// The tree at `path`, which is complete or about to be.
    pub(super) fn at(path: PathBuf) -> Result<Self, Error> {
        let host = Host::current()?;
        Ok(Self {
            loader: path.join("usr/lib").join(host.triple).join(host.loader),
            library_path: library_path(&path, host.triple),
            path,
        })
    }

    /// The top of the tree, with `usr` in it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Debian's multiarch name of the host, a part of library paths: `x86_64-linux-gnu`, say.
    pub fn triple(&self) -> Result<&'static str, Error> {
        Ok(Host::current()?.triple)
    }

    /// The packages that the tree was unpacked from, and their versions. Trees of old have no list.
    pub fn versions(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.path.join(VERSIONS)).unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .collect()
    }

    /// A command that runs `program`, a path within the tree (`usr/bin/qemu-system-aarch64`), on
    /// the tree's own loader and libraries. This is for trees of the host's own architecture.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(&self.loader);
        command
            .arg("--library-path")
            .arg(&self.library_path)
            .arg(self.path.join(program))
            .env_remove("LD_LIBRARY_PATH")
            .env_remove("LD_PRELOAD");
        command
    }

    /// A shell script that does what [`command`](Self::command) does, for programs that insist on
    /// starting an executable file. It finds the tree from its own place, `depth` directories
    /// below the top, so that the cache may be moved.
    pub fn script(&self, program: &str, arguments: &str, depth: usize) -> String {
        let relative = |path: &Path| {
            let path = path.strip_prefix(&self.path).unwrap_or(path);
            format!("$root/{}", path.display())
        };
        let libraries: Vec<String> = self
            .library_path
            .split(':')
            .map(|dir| relative(Path::new(dir)))
            .collect();
        format!(
            "#!/bin/sh\n\
             # Runs {program} of the tree around this file on that tree's own libraries.\n\
             root=${{0%/*}}{up}\n\
             exec \"{loader}\" --library-path \"{libraries}\" \"$root/{program}\" {arguments}\"$@\"\n",
            up = "/..".repeat(depth),
            loader = relative(&self.loader),
            libraries = libraries.join(":"),
        )
    }
}

/// One process at a time fetches `request` to `path`.
fn lock(request: &AptRequest, path: &Path) -> Result<Lock, Error> {
    let doing = format!("fetches {}", request.name);
    Ok(Lock::acquire(&path.with_added_extension("lock"), &doing)?)
}

/// Writes the list of hashes whole or not at all. In a cache that nobody may write it is done without.
fn write_list(list: &Path, text: &str) -> io::Result<()> {
    let new = list.with_added_extension(std::process::id().to_string());
    match fs::write(&new, text).and_then(|()| fs::rename(&new, list)) {
        Err(error) => match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Ok(()),
            _ => Err(error),
        },
        Ok(()) => Ok(()),
    }
}

/// What Debian and the dynamic linker call the processor we run on.
pub(super) struct Host {
    pub(super) architecture: &'static str,
    triple: &'static str,
    loader: &'static str,
}

impl Host {
    pub(super) fn current() -> Result<&'static Self, Error> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(&Self {
                architecture: "amd64",
                triple: "x86_64-linux-gnu",
                loader: "ld-linux-x86-64.so.2",
            }),
            "aarch64" => Ok(&Self {
                architecture: "arm64",
                triple: "aarch64-linux-gnu",
                loader: "ld-linux-aarch64.so.1",
            }),
            other => Err(Error::UnknownHost(other)),
        }
    }
}

/// The tree's library directory, and those below it with private libraries, which programs expect
/// at absolute paths that are not theirs here.
fn library_path(root: &Path, triple: &str) -> String {
    let main = root.join("usr/lib").join(triple);
    let below = fs::read_dir(&main).into_iter().flatten().flatten();
    let mut private: Vec<PathBuf> = below
        .map(|entry| entry.path())
        .filter(|path| holds_libraries(path))
        .collect();
    private.sort();
    let all = std::iter::once(main).chain(private);
    all.map(|dir| dir.display().to_string())
        .collect::<Vec<_>>()
        .join(":")
}

fn holds_libraries(dir: &Path) -> bool {
    let is_library = |name: &OsStr| {
        let name = name.to_string_lossy();
        name.starts_with("lib") && name.contains(".so")
    };
    let mut entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.any(|entry| is_library(&entry.file_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_depends_on_all_that_was_asked() {
        let request = AptRequest {
            name: "q".into(),
            packages: vec!["a".into(), "b".into()],
            ..AptRequest::default()
        };
        let id = request.id("amd64");
        assert!(id.starts_with("q-"));
        let mut other = request.clone();
        other.packages = vec!["a".into()];
        other.assume = vec!["b".into()];
        assert_ne!(id, other.id("amd64"));
        assert_ne!(id, request.id("arm64"));
        assert_eq!(id, request.clone().id("amd64"));
        let only = AptRequest {
            only: vec!["b".into()],
            ..request
        };
        assert_ne!(id, only.id("amd64"));
    }

    #[test]
    fn fetched_trees_keep_their_names() {
        let request = AptRequest {
            name: "qemu-7.2".into(),
            suites: ["bookworm", "bookworm-updates", "bookworm-security"]
                .map(str::to_owned)
                .into(),
            packages: vec!["qemu-system-arm".into()],
            ..AptRequest::default()
        };
        assert_eq!(request.id("amd64"), "qemu-7.2-6ca74ffe03ffcc28");
    }

    #[test]
    fn packages_of_the_hosts_architecture_are_the_same_by_name() {
        let own = AptRequest::default();
        let named = AptRequest {
            architecture: own.architecture().ok().map(str::to_owned),
            ..AptRequest::default()
        };
        let workspace = Workspace::at("/w").with_cache("/c");
        let place = |request| AptRoot::place(&workspace, request).expect("a place");
        assert_eq!(place(&own), place(&named));
    }

    #[test]
    fn a_file_that_has_changed_since_it_was_fetched_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| dir.path().join(name);
        let write = |name: &str, text: &str| fs::write(at(name), text).expect("a writable file");
        write("xen", "Xen 4.20");
        write("linux", "Linux");
        let root = AptRoot::at(dir.path().to_owned()).expect("a host that Debian knows");
        let check = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
            let checked = root.check(paths.iter().map(PathBuf::as_path), "fetch it again");
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(check(&["xen"]), Ok(()));
        let hashes = fs::read_to_string(at(HASHES)).expect("a list");
        assert_eq!(hashes, format!("{}  xen\n", Sha256::of(b"Xen 4.20")));
        write("xen", "Xen 4.21");
        let error = check(&["linux", "xen"]).expect_err("another Xen");
        assert!(error.contains("/xen has changed since"), "{error}");
        assert!(error.ends_with("next: fetch it again"), "{error}");
        write("xen", "Xen 4.20");
        assert_eq!(check(&["linux", "xen"]), Ok(()));
        write("linux", "Linus");
        assert!(check(&["linux"]).is_err());
    }
}
