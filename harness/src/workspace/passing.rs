//! Directories that end with the program, even if a signal ends it.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use fs_err as fs;

/// Those that are there, for the signal handler.
static DIRS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A directory that is removed when this is dropped, or a signal ends the program.
#[derive(Debug)]
pub struct Passing(PathBuf);

impl Passing {
    /// An empty directory at `path`. What a killed program has left there is removed first.
    ///
    /// # Errors
    ///
    /// If that cannot be removed, or the directory not be made.
    pub fn new(path: PathBuf) -> io::Result<Self> {
        let mut dirs = DIRS.lock().unwrap_or_else(PoisonError::into_inner);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path)?;
        dirs.insert(path.clone());
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let mut dirs = DIRS.lock().unwrap_or_else(PoisonError::into_inner);
        dirs.remove(&self.0);
        // What stays is removed by the next one.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes them all, because the program ends now.
pub(super) fn remove_all() {
    let dirs = DIRS.lock().unwrap_or_else(PoisonError::into_inner);
    for dir in dirs.iter() {
        // What stays is removed by the next one.
        let _ = fs::remove_dir_all(dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_empty_at_first_and_gone_at_last() {
        let above = tempfile::tempdir().expect("a temporary directory");
        let path = above.path().join("a/b");
        fs::create_dir_all(path.join("left")).expect("a writable directory");
        let dir = Passing::new(path.clone()).expect("a writable directory");
        assert!(path.is_dir() && !path.join("left").exists());
        fs::write(dir.path().join("file"), "").expect("a writable directory");
        drop(dir);
        assert!(!path.exists());
    }
}
