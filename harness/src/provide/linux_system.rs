//! The system of a hypervisor that is a part of Linux: an initial RAM disk with all payloads, and with an agent
//! for `init`, or with what the hypervisor's file says: Debian packages, and files written out there.

use std::{
    hash::Hasher as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use fs_err as fs;

use crate::{
    catalog::{
        hypervisor::Hypervisor,
        initramfs::{Contents, readable},
        source,
    },
    provide::{
        Error,
        build::{Images, linux},
        initramfs::Initramfs,
        package::{self, Unpacked},
        sha256::Sha256,
    },
    workspace::{Workspace, fnv::Fnv},
};

impl Contents {
    /// What its packages were fetched to under `hypervisor`, if they were; `None` if it has none.
    pub fn find(
        &self,
        workspace: &Workspace,
        hypervisor: &str,
    ) -> Option<Result<Option<Unpacked>, package::Error>> {
        let packages = self.packages.as_ref()?;
        Some(packages.find(workspace, &tree_name(hypervisor)))
    }
}

/// What the tree of its packages is called.
fn tree_name(hypervisor: &str) -> String {
    format!("{hypervisor}-initramfs")
}

/// Where the agent mounts what it needs.
const DIRECTORIES: [&str; 3] = ["proc", "sys", "tmp"];

/// Bump this whenever the archive's layout changes.
const FORMAT: u8 = 1;

/// How long a system is kept that nobody uses.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A system.
#[derive(Clone, Debug)]
pub struct System {
    /// Its RAM disk.
    pub initramfs: PathBuf,
    /// The id by which the agent's program knows itself, if there is one: the FNV-1a hash of its file.
    pub agent: Option<u64>,
}

/// Where a system has the image called `name`.
pub fn place(name: &str) -> String {
    format!("/{name}.img")
}

/// All that goes into a RAM disk.
#[derive(Debug, Default)]
struct Parts {
    /// A directory of packages, and what distinguishes it from another one in its place.
    tree: Option<(PathBuf, String)>,
    directories: Vec<String>,
    files: Vec<(String, Vec<u8>, u32)>,
}

/// Makes the system of `hypervisor`, with `images`, unless it is there.
///
/// # Errors
///
/// If a part of it cannot be had or written.
pub fn make(
    workspace: &Workspace,
    hypervisor: &Hypervisor,
    images: &Images,
) -> Result<System, Error> {
    let mut parts = Parts::default();
    if let Some(contents) = &hypervisor.initramfs {
        parts.add(workspace, &hypervisor.name, contents)?;
    }
    let mut agent = None;
    if let Some(it) = &hypervisor.agent {
        let path = linux::program(workspace, &it.program)?;
        let program = fs::read(&path)?;
        let mut build = Fnv::default();
        build.write(&program);
        agent = Some(build.finish());
        parts.directories.extend(DIRECTORIES.map(str::to_owned));
        parts.files.push(("init".to_owned(), program, 0o755));
    }
    for image in images.iter() {
        let place = place(image.recipe.name);
        parts
            .files
            .push((place, fs::read(&image.flat)?, readable()));
    }
    let initramfs = parts.ensure(workspace, &hypervisor.name)?;
    Ok(System { initramfs, agent })
}

impl Parts {
    fn add(
        &mut self,
        workspace: &Workspace,
        hypervisor: &str,
        contents: &Contents,
    ) -> Result<(), Error> {
        if let Some(packages) = &contents.packages {
            let unpacked = packages.ensure(workspace, &tree_name(hypervisor))?;
            let versions = unpacked.packages.iter();
            let versions = versions.map(|(name, version)| format!("{name} {version}\n"));
            self.tree = Some((unpacked.tree, versions.collect()));
        }
        self.directories
            .extend(contents.directories.iter().cloned());
        let files = contents.files.iter();
        self.files.extend(
            files.map(|(path, file)| (path.clone(), file.text.clone().into_bytes(), file.mode)),
        );
        Ok(())
    }

    /// The file with all of it, named by what is in it, so that it can be in use while another is made.
    fn ensure(self, workspace: &Workspace, name: &str) -> Result<PathBuf, Error> {
        let dir = workspace.target().join("setway/systems");
        fs::create_dir_all(&dir)?;
        let path = dir.join(format!("{name}-{:016x}.cpio", self.hash()));
        let stamp = path.with_extension("sha256");
        if path.exists() && is_as_made(&path, &stamp)? {
            let file = fs::OpenOptions::new().append(true).open(&path)?;
            file.file().set_modified(SystemTime::now())?;
            return Ok(path);
        }
        let bytes = self.initramfs()?.archive()?;
        let partial = dir.join(format!("{name}-{}.partial", std::process::id()));
        let hash = Sha256::of(&bytes).to_string();
        for (path, bytes) in [(&path, &bytes[..]), (&stamp, hash.as_bytes())] {
            fs::write(&partial, bytes)?;
            fs::rename(&partial, path)?;
        }
        remove_unused(&dir)?;
        Ok(path)
    }

    /// Not of the archive, which may be too large for that.
    fn hash(&self) -> u64 {
        let mut hash = Fnv::default();
        hash.write_u8(FORMAT);
        let mut part = |bytes: &[u8]| {
            hash.write_usize(bytes.len());
            hash.write(bytes);
        };
        if let Some((tree, versions)) = &self.tree {
            part(tree.as_os_str().as_encoded_bytes());
            part(versions.as_bytes());
        }
        for directory in &self.directories {
            part(directory.as_bytes());
        }
        for (path, contents, mode) in &self.files {
            part(path.as_bytes());
            part(&mode.to_le_bytes());
            part(contents);
        }
        hash.finish()
    }

    fn initramfs(self) -> Result<Initramfs, Error> {
        let mut all = Initramfs::default();
        if let Some((tree, _)) = &self.tree {
            all.tree(tree)?;
        }
        for directory in &self.directories {
            all.directory(directory)?;
        }
        for (path, contents, mode) in self.files {
            all.file(&path, contents, mode)?;
        }
        Ok(all)
    }
}

/// Whether the system at `path` has the contents that its stamp names.
fn is_as_made(path: &Path, stamp: &Path) -> Result<bool, Error> {
    let made = fs::read_to_string(stamp).unwrap_or_default();
    Ok(made == Sha256::of_file(path)?.to_string())
}

/// Removes the systems of `dir` that nobody has used for long: each change of an image makes another.
fn remove_unused(dir: &Path) -> Result<(), Error> {
    for path in source::files(dir, "cpio")? {
        let age = fs::metadata(&path).and_then(|data| data.modified());
        let age = age.map(|used| used.elapsed().unwrap_or_default());
        // Another process may have been quicker.
        if age.is_ok_and(|age| age > KEPT) {
            let _ = fs::remove_file(&path);
            let _ = fs::remove_file(path.with_extension("sha256"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn parts() -> Parts {
        Parts {
            tree: Some(("a".into(), "b 1\n".to_owned())),
            directories: vec!["proc".to_owned()],
            files: vec![("init".to_owned(), b"#!".to_vec(), 0o755)],
        }
    }

    #[test]
    fn a_system_is_named_by_all_its_parts() {
        let changes: [fn(&mut Parts); 6] = [
            |it| it.tree = None,
            |it| it.tree = Some(("a".into(), "b 2\n".to_owned())),
            |it| it.directories.push("sys".to_owned()),
            |it| it.files[0].0.push('x'),
            |it| it.files[0].1.push(0),
            |it| it.files[0].2 = 0o644,
        ];
        let changed = changes.map(|change| {
            let mut parts = parts();
            change(&mut parts);
            parts.hash()
        });
        assert_eq!(parts().hash(), parts().hash());
        assert!(!changed.contains(&parts().hash()));
    }

    #[test]
    fn a_system_that_was_changed_is_made_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let workspace = Workspace::at(dir.path()).with_target(dir.path());
        let ensure = || {
            let parts = Parts {
                tree: None,
                ..parts()
            };
            parts.ensure(&workspace, "a").expect("a system")
        };
        let path = ensure();
        let made = fs::read(&path).expect("a system");
        fs::write(&path, &made[..made.len() / 2]).expect("a writable file");
        assert_eq!(fs::read(ensure()).expect("a system"), made);
        fs::remove_file(path.with_extension("sha256")).expect("a stamp");
        fs::write(&path, "another").expect("a writable file");
        assert_eq!(fs::read(ensure()).expect("a system"), made);
    }

    #[test]
    fn only_systems_that_nobody_uses_are_removed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (old, new) = (dir.path().join("old.cpio"), dir.path().join("new.cpio"));
        for (path, age) in [(&old, KEPT * 2), (&new, KEPT / 2)] {
            let file = File::create(path).expect("a writable directory");
            file.set_modified(SystemTime::now() - age).expect("a file");
        }
        remove_unused(dir.path()).expect("a directory");
        assert!(!old.exists() && new.exists());
    }
}
