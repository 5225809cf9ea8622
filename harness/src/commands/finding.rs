//! `setway finding`.

use std::fmt::Write as _;

use setway_report::{LIST_SCHEMA, ListReport};

use crate::{
    catalog::{Catalog, Unknown},
    cli::{FindingCommand, ListFormat},
    commands::{Error, explain, list},
    report::{
        document,
        explain::{Subject, state},
        mail,
    },
};

/// Lists or shows known deviations.
pub fn finding(catalog: &Catalog, command: &FindingCommand) -> Result<bool, Error> {
    match command {
        FindingCommand::List { format } => {
            let text = match format {
                ListFormat::Human => human(catalog),
                ListFormat::Json => document::to_text(&ListReport {
                    schema: LIST_SCHEMA.to_owned(),
                    rules: Vec::new(),
                    cases: Vec::new(),
                    hypervisors: Vec::new(),
                    mutants: Vec::new(),
                    findings: catalog.findings.iter().map(list::finding).collect(),
                    machines: Vec::new(),
                })?,
            };
            super::print(&text)?;
            Ok(true)
        }
        FindingCommand::Show { id, mail, format } => {
            let mut findings = catalog.findings.iter();
            let found = findings.find(|it| it.id == *id).ok_or_else(|| {
                let known = catalog.findings.iter().map(|it| it.id.clone());
                Unknown::new("finding", id, known)
            })?;
            if *mail {
                super::print(&mail::text(found))?;
                return Ok(true);
            }
            explain::print(vec![Subject::Finding(found).page(catalog)], *format)
        }
    }
}

/// The list for people.
fn human(catalog: &Catalog) -> String {
    let mut text = String::new();
    for it in &catalog.findings {
        let (id, state, rules) = (&it.id, state(it), it.rules.join(", "));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{id} ({state}): {}", it.title);
        let _ = writeln!(
            text,
            "    breaks {rules}; shows under {}",
            it.hypervisors.join(", ")
        );
    }
    text
}
