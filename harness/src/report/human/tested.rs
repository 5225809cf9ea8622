//! What was tested: checkouts, and the hashes of the files that ran.

use std::fmt::{self, Write as _};

use setway_report::{Artifact, Origin, RunReport, Target};

use super::style::padding;
use crate::report::revision;

/// The width in which lists are wrapped.
const WIDTH: usize = 100;

/// How many digits of a hash are shown.
const DIGITS: usize = 12;

/// The checkouts that were tested.
pub fn origins(text: &mut String, report: &RunReport) -> fmt::Result {
    let mut shown: Vec<String> = Vec::new();
    let named = report
        .origins
        .iter()
        .filter(|it| !it.checkout.root.is_empty());
    for Origin { tool, checkout, .. } in named {
        let (name, version) = (&tool.name, &tool.version);
        let line = format!(
            "checkout: {}, {}; {name} {version}",
            checkout.root,
            revision(checkout)
        );
        if !shown.contains(&line) {
            writeln!(text, "{line}")?;
            shown.push(line);
        }
    }
    Ok(())
}

/// The files that all targets have in common.
pub fn shared_artifacts(report: &RunReport) -> Vec<&Artifact> {
    let (first, others) = match report.targets.split_first() {
        Some((first, others)) if !others.is_empty() => (first, others),
        _ => return Vec::new(),
    };
    let has = |target: &Target, it: &Artifact| target.artifacts.iter().any(|own| own == it);
    let artifacts = first.artifacts.iter();
    artifacts
        .filter(|it| others.iter().all(|target| has(target, it)))
        .collect()
}

/// The beginnings of files' hashes, wrapped.
pub fn hashes(text: &mut String, artifacts: &[&Artifact]) -> fmt::Result {
    const HEADING: &str = "sha256: ";
    let items = artifacts.iter().map(|artifact| {
        let hash = artifact.sha256.as_deref().unwrap_or("unknown");
        let digits = hash.chars().take(DIGITS).collect::<String>();
        format!("{} {digits}", artifact.name)
    });
    let mut line = String::new();
    for item in items {
        if line.is_empty() {
            line = format!("{HEADING}{item}");
        } else if line.chars().count() + item.chars().count() + 3 > WIDTH {
            writeln!(text, "{line},")?;
            line = format!("{}{item}", padding("", HEADING.len()));
        } else {
            line += &format!(", {item}");
        }
    }
    if line.is_empty() {
        return Ok(());
    }
    writeln!(text, "{line}")
}
