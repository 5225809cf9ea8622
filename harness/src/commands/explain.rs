//! `setway explain`.

use std::io::{self, IsTerminal as _};

use setway_report::{EXPLAIN_SCHEMA, ExplainReport, Page};

use crate::{
    catalog::Catalog,
    cli::{ExplainArgs, ListFormat},
    commands::Error,
    report::{document, explain::Subject, manual},
};

/// The width of what is no terminal.
const COLUMNS: usize = 80;

/// Prints the manual pages of what is named.
pub fn explain(catalog: &Catalog, args: &ExplainArgs) -> Result<bool, Error> {
    let mut pages = Vec::new();
    for name in &args.names {
        let subjects = Subject::named(catalog, name)?;
        pages.extend(subjects.iter().map(|it| it.page(catalog)));
    }
    print(pages, args.format)
}

/// Prints `pages`.
pub fn print(pages: Vec<Page>, format: ListFormat) -> Result<bool, Error> {
    let text = match format {
        ListFormat::Human => manual::text(&pages, width()),
        ListFormat::Json => document::to_text(&ExplainReport {
            schema: EXPLAIN_SCHEMA.to_owned(),
            pages,
        })?,
    };
    super::print(&text)?;
    Ok(true)
}

/// How wide the terminal is.
fn width() -> usize {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return COLUMNS;
    }
    match rustix::termios::tcgetwinsize(stdout) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => COLUMNS,
    }
}
