//! Reading TOML files, with errors that name the file.

use std::{fs, path::Path};

use serde::de::DeserializeOwned;

use crate::Error;

/// Reads `file` as a `T`.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Error> {
    let text = fs::read_to_string(file).map_err(Error::io("read", file))?;
    toml::from_str(&text).map_err(|source| Error::Toml {
        file: file.to_owned(),
        source: Box::new(source),
    })
}
