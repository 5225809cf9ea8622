//! Reading the data files, which are TOML, with errors that name the file and the line.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

/// Why a data file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{path} cannot be used: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The parser's message, with line and column.
        source: Box<toml::de::Error>,
    },
}

/// Reads `file` as a `T`.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::Read {
        path: file.to_owned(),
        source,
    })?;
    toml::from_str(&text).map_err(|source| Error::Malformed {
        path: file.to_owned(),
        source: Box::new(source),
    })
}
