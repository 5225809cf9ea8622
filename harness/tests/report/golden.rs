//! Texts that are committed. The comparison is this project's own: no variable turns a difference into a pass.

use std::{fs, path::Path};

use similar::TextDiff;

/// Panics unless `path` holds `text`; then the text is left beside it, to be moved there if it is right.
pub fn agrees(path: &Path, text: &str) {
    let committed = fs::read_to_string(path).unwrap_or_default();
    if committed == text {
        return;
    }
    let new = path.with_added_extension("new");
    fs::write(&new, text).unwrap_or_else(|error| panic!("{}: {error}", new.display()));
    let diff = TextDiff::from_lines(&committed, text);
    let diff = diff.unified_diff().header("committed", "now").to_string();
    panic!(
        "{diff}\nif that is right: mv {} {}",
        new.display(),
        path.display()
    );
}
