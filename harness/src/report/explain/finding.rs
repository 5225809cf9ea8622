//! The page of a finding.

use setway_report::{Entry, Passage, Section};

use super::{commands, entry, list, prose, section};
use crate::catalog::finding::{Finding, Shows, Symptom};

/// Whether it was corrected upstream, in a few words.
pub fn state(finding: &Finding) -> String {
    match &finding.upstream.fixed {
        Some(fixed) => format!("fixed in {}", fixed.version),
        None => "not fixed upstream".to_owned(),
    }
}

pub fn sections(finding: &Finding) -> Vec<Section> {
    let fixed = finding.upstream.fixed.as_ref();
    let fixed = fixed.map(|it| {
        Passage::Text(format!(
            "Fixed by {} ({}), first in {}.",
            it.commit, it.title, it.version
        ))
    });
    let known = Passage::Text(finding.upstream.known.clone());
    vec![
        prose("RULES", &finding.rules.join(", ")),
        prose("HYPERVISORS", &finding.hypervisors.join(", ")),
        prose("EXPECTED", &finding.expected),
        prose("WHAT HAPPENS", &finding.happened),
        prose("WHERE", &finding.place),
        prose("SINCE", &finding.since),
        prose("REFERENCE", &finding.reference),
        prose("EVIDENCE", &finding.evidence),
        list("SHOWS IN", finding.runs.iter().map(symptom)),
        section(
            "REPRODUCER",
            [Passage::Code(
                finding.reproducer.trim_matches('\n').to_owned(),
            )],
        ),
        prose("SUGGESTION", &finding.suggestion),
        section("UPSTREAM", std::iter::once(known).chain(fixed)),
        commands(&[
            finding.repeat.clone(),
            format!("cargo run -- finding show {} --mail", finding.id),
        ]),
    ]
}

/// In which runs it shows, and by what.
fn symptom(symptom: &Symptom) -> Entry {
    let isas: Vec<&str> = symptom.isas.iter().map(|isa| isa.name()).collect();
    let mut parts = vec![isas.join(" ")];
    if !symptom.hypervisors.is_empty() {
        parts.push(format!("under {}", symptom.hypervisors.join(", ")));
    }
    if !symptom.caches.is_empty() {
        parts.push(format!("caches {}", symptom.caches.join(", ")));
    }
    parts.push(match &symptom.shows {
        Shows::End(_, reason) => format!("ends with `{reason}`"),
        Shows::Failures { checks, steps, .. } => {
            let checks = checks.iter().map(|it| it.name.as_str());
            let names: Vec<&str> = steps
                .iter()
                .map(|it| it.name.as_str())
                .chain(checks)
                .collect();
            format!("wrong: {}", names.join("; "))
        }
    });
    if symptom.sometimes {
        parts.push("not each time".to_owned());
    }
    if let Some(other) = &symptom.unless {
        parts.push(format!("unless {other} shows"));
    }
    entry(symptom.case.id, parts.join("; "))
}
