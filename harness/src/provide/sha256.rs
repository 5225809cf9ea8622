//! SHA-256 of files: whether what runs is what was fetched or built, and what reports name it by.

use std::{
    fmt,
    io::{self, Read as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use fs_err::File;
use sha2::Digest as _;

/// A SHA-256 (FIPS 180-4), written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha256([u8; 32]);

/// A file that runs, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The file.
    pub path: PathBuf,
    /// The hash of its contents.
    pub sha256: Sha256,
}

impl Sha256 {
    /// That of a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hash = sha2::Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Self(hash.finalize().into())),
                length => hash.update(&buffer[..length]),
            }
        }
    }

    /// That of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is no SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 is written as 64 hexadecimal digits")]
pub struct NoSha256;

impl FromStr for Sha256 {
    type Err = NoSha256;

    fn from_str(text: &str) -> Result<Self, NoSha256> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|it| u8::try_from(it).ok()))
            .collect();
        let digits = digits.filter(|it| it.len() == 64).ok_or(NoSha256)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

impl Fingerprint {
    /// That of the file at `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            sha256: Sha256::of_file(path)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's example.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn it_is_read_as_it_is_written() {
        let abc = Sha256::of(b"abc");
        assert_eq!(abc.to_string(), ABC);
        assert_eq!(ABC.parse(), Ok(abc));
        for wrong in ["", &ABC[1..], &ABC.replace('b', "x")] {
            assert_eq!(wrong.parse::<Sha256>(), Err(NoSha256));
        }
    }

    #[test]
    fn a_file_is_its_contents() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("file");
        fs_err::write(&path, "abc").expect("a writable directory");
        let found = Fingerprint::of(&path).expect("a readable file");
        assert_eq!(found.sha256, Sha256::of(b"abc"));
        assert!(Sha256::of_file(dir.path()).is_err());
    }
}
