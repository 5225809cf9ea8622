//! Where fetched files live: one directory for all checkouts of a user.

use std::{
    env, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why there is no directory for fetched files.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is neither `SETWAY_CACHE` nor a home directory.
    #[error("no cache directory: set SETWAY_CACHE to a directory with 2 GB of free space")]
    NoPlace,
    /// Programs there are started with a list of library directories, which colons separate.
    #[error(
        "the cache directory {} has a colon in its path, so programs in it cannot find their libraries\n  next: set SETWAY_CACHE to a directory without one", .0.display()
    )]
    Colon(PathBuf),
    /// The path is relative, and the current directory cannot be found out.
    #[error("the cache directory cannot be found: {0}")]
    Io(Arc<io::Error>),
}

/// `$SETWAY_CACHE`, else `$XDG_CACHE_HOME/setway`, else `~/.cache/setway`, made absolute.
pub(super) fn find() -> Result<PathBuf, Error> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    let dir = if let Some(dir) = variable("SETWAY_CACHE") {
        PathBuf::from(dir)
    } else if let Some(dir) = variable("XDG_CACHE_HOME") {
        PathBuf::from(dir).join("setway")
    } else {
        env::home_dir().ok_or(Error::NoPlace)?.join(".cache/setway")
    };
    usable(&dir)
}

fn usable(dir: &Path) -> Result<PathBuf, Error> {
    let dir = std::path::absolute(dir).map_err(|error| Error::Io(Arc::new(error)))?;
    if dir.as_os_str().as_encoded_bytes().contains(&b':') {
        return Err(Error::Colon(dir));
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_would_be_two_library_directories_is_refused() {
        let refused = usable(Path::new("/a:b/cache")).expect_err("a colon");
        assert!(
            refused.to_string().contains("/a:b/cache has a colon"),
            "{refused}"
        );
        let relative = usable(Path::new("cache")).expect("a sound path");
        assert!(relative.is_absolute() && relative.ends_with("cache"));
    }
}
