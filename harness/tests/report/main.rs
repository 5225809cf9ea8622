//! Reports as data: what each format makes of a document, old documents, hostile text, the committed schemas, and what
//! readers see of tables and findings. No machine is needed.

mod compare;
mod formats;
mod golden;
mod hostile;
mod old_documents;
mod readers;
mod schema;

use std::path::{Path, PathBuf};

use setway::report::document;
use setway_report::RunReport;

/// This directory.
fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report")
}

/// The text of a document in `fixtures/`.
fn fixture_text(name: &str) -> String {
    let path = here().join("fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A report of runs in `fixtures/`.
fn fixture(name: &str) -> RunReport {
    let parsed = document::parse(&fixture_text(name), Path::new(name));
    parsed.unwrap_or_else(|error| panic!("{error}"))
}

/// `text` without colours.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}
