//! Digests of source trees, by what is in the files. Names and times of files are no proof: archives, `rsync -t` and
//! caches of continuous integration restore them.

use std::{
    fs,
    hash::Hasher as _,
    io,
    path::{Path, PathBuf},
};

use super::fnv::Fnv;

/// What the program `setway` is made from, relative to the checkout. Directories count with all below.
pub const HOST: [&str; 11] = [
    "Cargo.lock",
    "Cargo.toml",
    "harness/Cargo.toml",
    "harness/build.rs",
    "harness/report",
    "harness/src",
    "hyp-under-test/policy",
    "payloads/architecture",
    "payloads/cases",
    "payloads/protocol",
    "runners/qemu/cache-model/model",
];

/// The 64-bit FNV-1a hash of the names and contents of `sources` below `root`.
///
/// # Errors
///
/// If one of them is missing or cannot be read; the error names it.
pub fn digest(root: &Path, sources: &[&str]) -> io::Result<u64> {
    let mut digest = Digest(Fnv::default());
    for source in sources {
        digest.path(root, &root.join(source))?;
    }
    Ok(digest.0.finish())
}

/// A digest in the making.
struct Digest(Fnv);

impl Digest {
    fn bytes(&mut self, bytes: &[u8]) {
        // The length first, so that no two sequences of parts run together to the same bytes.
        self.0.write(&(bytes.len() as u64).to_le_bytes());
        self.0.write(bytes);
    }

    fn path(&mut self, root: &Path, path: &Path) -> io::Result<()> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        if path.is_dir() {
            let entries = fs::read_dir(path).map_err(named)?;
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            let mut paths = paths.collect::<io::Result<Vec<PathBuf>>>().map_err(named)?;
            paths.sort();
            return paths.iter().try_for_each(|path| self.path(root, path));
        }
        let name = path.strip_prefix(root).unwrap_or(path);
        self.bytes(name.as_os_str().as_encoded_bytes());
        self.bytes(&fs::read(path).map_err(named)?);
        Ok(())
    }
}
