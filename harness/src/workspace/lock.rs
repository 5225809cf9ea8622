//! One process at a time: a lock on a file, with a word to the person who has to wait.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
};

/// A held lock; dropping it, or the end of the process, frees it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock on `path`, creating the file and its directory. If another process has it,
    /// says "waiting for another setway that `doing`" on stderr and waits.
    pub fn acquire(path: &Path, doing: &str) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                eprintln!("waiting for another setway that {doing}");
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Self { _file: file })
    }
}
