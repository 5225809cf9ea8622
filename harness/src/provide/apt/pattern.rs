//! Names that are known except for a part, such as a version: patterns with one `*`.
//!
//! What Debian calls a kernel changes with every update, and a data file under `runners/` should not
//! have to.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Whether `text` is `pattern`, with any text in the place of its `*`.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text
            .strip_prefix(start)
            .is_some_and(|rest| rest.ends_with(end)),
    }
}

/// The paths below `root` that are `pattern`, which has at most one `*` in each of its components. If
/// there is none, what there is instead: the entries of the directory where the search ended.
pub fn find(root: &Path, pattern: &str) -> Result<Vec<PathBuf>, Vec<PathBuf>> {
    let mut here = vec![root.to_path_buf()];
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        let all: Vec<PathBuf> = here.iter().flat_map(|dir| entries(dir)).collect();
        let is_match = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default();
            matches(component, &name.to_string_lossy())
        };
        here = all.iter().filter(is_match).cloned().collect();
        if here.is_empty() {
            return Err(all);
        }
    }
    Ok(here)
}

/// The entries of `dir` by name; none, if it is no directory.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_between_what_is_around_it() {
        assert!(matches("vmlinuz-*-arm64", "vmlinuz-6.1.0-56-arm64"));
        assert!(matches("vmlinuz", "vmlinuz"));
        assert!(matches("*", ""));
        assert!(!matches("vmlinuz-*-arm64", "vmlinuz-6.1.0-56-amd64"));
        assert!(!matches("a*a", "a"), "the two ends must not overlap");
    }

    #[test]
    fn stars_stand_in_every_component_and_a_failure_names_what_there_is() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in ["usr/lib/6.1/vmlinuz", "usr/lib/6.1/config", "usr/lib/none"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a writable directory");
            fs::write(path, "").expect("a writable directory");
        }
        let below = |names: &[&str]| -> Vec<PathBuf> {
            names.iter().map(|name| dir.path().join(name)).collect()
        };
        assert_eq!(
            find(dir.path(), "usr/lib/*/vmlinuz"),
            Ok(below(&["usr/lib/6.1/vmlinuz"]))
        );
        assert_eq!(
            find(dir.path(), "usr/lib/6*/Image"),
            Err(below(&["usr/lib/6.1/config", "usr/lib/6.1/vmlinuz"]))
        );
        assert_eq!(find(dir.path(), "boot/*"), Err(below(&["usr"])));
    }
}
