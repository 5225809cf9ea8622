//! The page of a rule.

use setway_cases::{CASES, Case, Kind, Premise, Rule};
use setway_report::{Entry, Section};

use super::{commands, counts, deviations, entry, list, prose, section};
use crate::{catalog::Catalog, report::human::style::plural};

/// Whom rules of a kind bind.
pub const fn binds(kind: Kind) -> &'static str {
    match kind {
        Kind::Architectural => "architectural: it binds every hypervisor",
        Kind::Policy => {
            "policy: it binds hypervisors whose profile says that they follow KVM's policy of 2015"
        }
        Kind::Machine => "machine: it binds machines with caches, where no hypervisor steps in",
    }
}

/// The cases of `rule`.
pub fn cases(rule: &Rule) -> impl Iterator<Item = &'static Case> {
    let id = rule.id;
    CASES.iter().filter(move |case| case.rule.id == id)
}

/// One line about it.
pub fn title(rule: &Rule) -> String {
    let cases = plural(cases(rule).count(), "case");
    format!("a rule of kind {}, with {cases}", rule.kind.name())
}

pub fn sections(rule: &'static Rule, catalog: &Catalog) -> Vec<Section> {
    let mut premises: Vec<Premise> = cases(rule).flat_map(|it| it.premises()).collect();
    premises.sort();
    premises.dedup();
    let run = match cases(rule).next() {
        Some(case) if !case.is_guest() => format!("cargo run -- run rule:{} --hyp bare", rule.id),
        _ => format!("cargo run -- run rule:{}", rule.id),
    };
    vec![
        prose("WHAT MUST HOLD", rule.title),
        prose("KIND", binds(rule.kind)),
        prose("SOURCE", rule.source),
        list("CASES", cases(rule).map(|case| summary(case, catalog))),
        section("WHAT IT KILLS", kills(rule, catalog)),
        list(
            "KNOWN DEVIATIONS",
            deviations(catalog, |it| it.rules.iter().any(|id| id == rule.id)),
        ),
        list(
            "PREMISES",
            premises.iter().map(|it| entry(it.name(), it.about())),
        ),
        commands(&[run]),
        list(
            "FILES",
            [
                entry("payloads/cases/src/rule.rs", "the rule"),
                entry("payloads/cases/src/catalogue.rs", "its cases"),
                entry(
                    &format!("expectations/obligations/{}.toml", rule.id),
                    "what they owe",
                ),
            ],
        ),
    ]
}

fn summary(case: &Case, catalog: &Catalog) -> Entry {
    let vcpus = match case.cpus {
        1 => String::new(),
        cpus => format!("; {cpus} CPUs"),
    };
    let sizes = counts::sizes(case, &catalog.obligations);
    entry(case.id, format!("{}{vcpus}; {sizes}", counts::isas(case)))
}

/// The mutants that its cases kill.
fn kills(rule: &Rule, catalog: &Catalog) -> Vec<setway_report::Passage> {
    let mut killed: Vec<Entry> = Vec::new();
    for (mutant, label) in cases(rule).flat_map(|case| catalog.kills.by(case)) {
        if !killed.iter().any(|it| it.name == mutant.name()) {
            killed.push(entry(
                mutant.name(),
                format!("{} ({label})", mutant.defect()),
            ));
        }
    }
    super::case::remembered(killed)
}
