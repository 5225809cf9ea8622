//! Unpacking packages into a directory that can run by itself.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use fs_err::{self as fs, os::unix::fs::symlink};

use super::{Error, progress::Progress};
use crate::{
    provide::sha256::Sha256,
    workspace::process::{self, Child},
};

/// Directories that Debian merged into `usr`, but older packages still carry at the top.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Parts of packages that only people read.
const UNREAD: [&str; 5] = [
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
];

/// A package file, and the hash that the archive's signed lists give for it.
pub struct Archive {
    /// The file.
    pub path: PathBuf,
    /// What its contents must be.
    pub sha256: Sha256,
}

/// A package that could not be unpacked, and what the programs for that said.
pub struct Broken {
    /// The package file.
    pub package: PathBuf,
    /// The programs' own words.
    pub output: String,
}

/// Unpacks `packages` into the new directory `root`, without the paths in `omit`.
pub fn unpack(
    packages: &[Archive],
    root: &Path,
    omit: &[String],
    progress: &Progress,
) -> Result<Result<(), Broken>, Error> {
    merge_usr(root)?;
    progress.measured(
        &format!("unpacking {} packages", packages.len()),
        packages.len() as u64,
    );
    if let Some(broken) = unpack_all(packages, root, omit, progress) {
        return Ok(Err(broken));
    }
    Ok(Ok(()))
}

fn merge_usr(root: &Path) -> Result<(), Error> {
    for name in MERGED {
        let real = root.join("usr").join(name);
        fs::create_dir_all(&real)?;
        symlink(Path::new("usr").join(name), root.join(name))?;
    }
    Ok(())
}

/// Decompression dominates, so each processor takes the next package until none is left. Returns
/// the first package that failed.
fn unpack_all(
    packages: &[Archive],
    root: &Path,
    omit: &[String],
    progress: &Progress,
) -> Option<Broken> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let broken = Mutex::new(None);
    let work = || {
        while let Some(package) = packages.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(failure) = unpack_one(package, root, omit) {
                next.store(packages.len(), Ordering::Relaxed);
                let mut slot = broken.lock().unwrap_or_else(PoisonError::into_inner);
                slot.get_or_insert(failure);
            }
            progress.set(done.fetch_add(1, Ordering::Relaxed) as u64 + 1);
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    broken.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// `dpkg-deb -x` would replace the links of the merged directories by directories, so its archive
/// goes through tar, which also leaves out what nobody reads. The file may be left from an earlier try, and dpkg-deb
/// looks at no signature, so it is checked here.
fn unpack_one(archive: &Archive, root: &Path, omit: &[String]) -> Result<(), Broken> {
    let package = archive.path.as_path();
    let broken = |output| Broken {
        package: package.to_path_buf(),
        output,
    };
    let excluded = UNREAD.into_iter().chain(omit.iter().map(String::as_str));
    let run = || -> io::Result<Option<String>> {
        let found = Sha256::of_file(package)?;
        if found != archive.sha256 {
            let expected = archive.sha256;
            return Ok(Some(format!(
                "its SHA-256 is {found}, but the archive's lists say {expected}"
            )));
        }
        let mut source = Command::new("dpkg-deb");
        source
            .arg("--fsys-tarfile")
            .arg(package)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut source = Child::spawn(source, &[])?;
        let pipe = source.handle().stdout.take();
        let contents = pipe.map_or(Stdio::null(), Stdio::from);
        let mut tar = Command::new("tar");
        tar.args(["-x", "--keep-directory-symlink", "--no-same-owner"])
            .args(["--no-same-permissions", "-C"])
            .arg(root)
            .args(["--anchored", "--no-wildcards-match-slash"])
            .args(excluded.map(|path| format!("--exclude=./{path}")))
            .stdin(contents);
        let tar = process::output(tar)?;
        let said = process::read_all(source.handle().stderr.take());
        let said = [&tar.stderr[..], &said].concat();
        let fine = source.wait()?.success() && tar.status.success();
        Ok((!fine).then(|| String::from_utf8_lossy(&said).into_owned()))
    };
    match run() {
        Ok(None) => Ok(()),
        Ok(Some(said)) => Err(broken(said)),
        Err(error) => Err(broken(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_not_the_archives_is_not_unpacked() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("package.deb");
        fs::write(&path, "another package").expect("a writable directory");
        let archive = Archive {
            path: path.clone(),
            sha256: Sha256::of(b"the package"),
        };
        let broken = unpack_one(&archive, dir.path(), &[]).expect_err("other contents");
        assert_eq!(broken.package, path);
        let right = Sha256::of(b"the package").to_string();
        assert!(broken.output.contains(&right), "{}", broken.output);
    }
}
