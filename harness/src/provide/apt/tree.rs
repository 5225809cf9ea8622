//! Unpacking packages into a directory that can run by itself.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::progress::Progress;
use super::{Error, io_error};
use crate::workspace::process::{self, Child};

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

/// A package that could not be unpacked, and what the programs for that said.
pub struct Broken {
    /// The package file.
    pub package: PathBuf,
    /// The programs' own words.
    pub output: String,
}

/// Unpacks `packages` into the new directory `root`, without the paths in `omit`.
pub fn unpack(
    packages: &[PathBuf],
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
        fs::create_dir_all(&real).map_err(io_error("create", &real))?;
        let link = root.join(name);
        symlink(Path::new("usr").join(name), &link).map_err(io_error("create", &link))?;
    }
    Ok(())
}

/// Decompression dominates, so each processor takes the next package until none is left. Returns
/// the first package that failed.
fn unpack_all(
    packages: &[PathBuf],
    root: &Path,
    omit: &[String],
    progress: &Progress,
) -> Option<Broken> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let broken = Mutex::new(None);
    let work = || {
        while let Some(package) = packages.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(failure) = unpack_one(package, root, omit) {
                next.store(packages.len(), Ordering::Relaxed);
                let mut slot = broken
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                slot.get_or_insert(failure);
            }
            progress.set(done.fetch_add(1, Ordering::Relaxed) as u64 + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    broken
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// `dpkg-deb -x` would replace the links of the merged directories by directories, so its archive
/// goes through tar, which also leaves out what nobody reads.
fn unpack_one(package: &Path, root: &Path, omit: &[String]) -> Result<(), Broken> {
    let broken = |output| Broken {
        package: package.to_path_buf(),
        output,
    };
    let excluded = UNREAD.into_iter().chain(omit.iter().map(String::as_str));
    let run = || -> io::Result<Option<String>> {
        let mut source = Command::new("dpkg-deb");
        source
            .arg("--fsys-tarfile")
            .arg(package)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut source = Child::spawn(source, &[])?;
        let pipe = source.handle().stdout.take();
        let archive = pipe.map_or(Stdio::null(), Stdio::from);
        let mut tar = Command::new("tar");
        tar.args(["-x", "--keep-directory-symlink", "--no-same-owner"])
            .args(["--no-same-permissions", "-C"])
            .arg(root)
            .args(["--anchored", "--no-wildcards-match-slash"])
            .args(excluded.map(|path| format!("--exclude=./{path}")))
            .stdin(archive);
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
