//! What a program can check of how the project is written: which room uses which, one style, words, and tables that
//! have to agree with data. No machine is needed.

mod rooms;
mod style;
mod tables;
mod tokens;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The checkout.
fn root() -> PathBuf {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR"));
    harness
        .parent()
        .expect("the harness is a folder of the checkout")
        .to_owned()
}

/// The text of a file of the checkout.
fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files under `dir` of the checkout whose names end in `extension`, by path from the checkout's root. What Cargo
/// or an editor keeps there is left out.
fn files(dir: impl AsRef<Path>, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        let entries = fs::read_dir(&dir).expect("a folder of the checkout");
        for entry in entries {
            let path = entry.expect("an entry of a folder").path();
            let name = path
                .file_name()
                .expect("an entry has a name")
                .to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" {
                    dirs.push(path);
                }
            } else if path.extension().is_some_and(|it| it == extension) {
                let path = path.strip_prefix(root()).expect("it lies in the checkout");
                found.push(path.to_owned());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

/// Fails with all of `faults`, one a line.
#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
