//! `setway list`.

use std::fmt::Write as _;

use serde::Serialize;
use setway_cases::{CASES, Case, Premise, RULES};
use setway_policy::Mutant;

use crate::{
    catalog::{Catalog, hypervisor::Hypervisor, isa::Isa},
    cli::{ListArgs, ListFormat},
    commands::Error,
};

/// The schema `setway.list/1`.
#[derive(Serialize)]
struct Listing {
    schema: &'static str,
    rules: Vec<RuleEntry>,
    cases: Vec<CaseEntry>,
    hypervisors: Vec<HypervisorEntry>,
    mutants: Vec<MutantEntry>,
    findings: Vec<FindingEntry>,
    machines: Vec<MachineEntry>,
}

#[derive(Serialize)]
struct RuleEntry {
    id: &'static str,
    title: &'static str,
    source: &'static str,
    kind: &'static str,
}

#[derive(Serialize)]
struct CaseEntry {
    id: &'static str,
    rule: &'static str,
    isas: Vec<Isa>,
    vcpus: u32,
    needs_cache_model: bool,
    needs_trapped_reads: bool,
    premises: Vec<&'static str>,
}

#[derive(Serialize)]
struct HypervisorEntry {
    name: String,
    about: String,
    profile: String,
    versions: Vec<String>,
}

#[derive(Serialize)]
struct MutantEntry {
    name: &'static str,
    site: &'static str,
    shows: &'static str,
    defect: &'static str,
}

#[derive(Serialize)]
struct FindingEntry {
    id: String,
    title: String,
    hypervisors: Vec<String>,
}

#[derive(Serialize)]
struct MachineEntry {
    name: String,
    about: String,
    isas: Vec<Isa>,
    cpus: u32,
    cache_model: bool,
}

/// Prints what there is.
pub fn list(catalog: &Catalog, args: &ListArgs) -> Result<bool, Error> {
    let hypervisors = catalog.hypervisors.iter().filter(|it| !it.self_test);
    let listing = Listing {
        schema: "setway.list/1",
        rules: RULES
            .iter()
            .map(|rule| RuleEntry {
                id: rule.id,
                title: rule.title,
                source: rule.source,
                kind: rule.kind.name(),
            })
            .collect(),
        cases: CASES
            .iter()
            .filter(|it| !it.hidden)
            .map(case_entry)
            .collect(),
        hypervisors: hypervisors.map(hypervisor_entry).collect(),
        mutants: Mutant::ALL.iter().map(mutant_entry).collect(),
        findings: catalog
            .findings
            .iter()
            .map(|it| FindingEntry {
                id: it.id.clone(),
                title: it.title.clone(),
                hypervisors: it.hypervisors.clone(),
            })
            .collect(),
        machines: catalog
            .machines
            .iter()
            .map(|it| MachineEntry {
                name: it.name.clone(),
                about: it.about.clone(),
                isas: it.isas.clone(),
                cpus: it.cpus,
                cache_model: it.cache_model.is_some(),
            })
            .collect(),
    };
    let text = match args.format {
        ListFormat::Json => crate::report::json::to_text(&listing)?,
        ListFormat::Human => human(&listing),
    };
    super::print(&text)?;
    Ok(true)
}

fn hypervisor_entry(it: &Hypervisor) -> HypervisorEntry {
    HypervisorEntry {
        versions: it.versions.iter().map(|it| it.version.clone()).collect(),
        name: it.name.clone(),
        about: it.about.clone(),
        profile: it.profile.clone(),
    }
}

fn mutant_entry(mutant: &Mutant) -> MutantEntry {
    MutantEntry {
        name: mutant.name(),
        site: mutant.site().name(),
        shows: mutant.shows().name(),
        defect: mutant.defect(),
    }
}

fn case_entry(case: &Case) -> CaseEntry {
    CaseEntry {
        id: case.id,
        rule: case.rule.id,
        isas: case.isas.iter().map(|isa| Isa::from(*isa)).collect(),
        vcpus: case.cpus,
        needs_cache_model: case.needs(Premise::Caches),
        needs_trapped_reads: case.needs(Premise::TrappedReads),
        premises: case.premises.iter().map(|it| it.name()).collect(),
    }
}

fn human(listing: &Listing) -> String {
    let mut text = String::from("Rules and their cases\n");
    // Writing to a string cannot fail.
    for rule in &listing.rules {
        let _ = writeln!(text, "\n  {} ({}): {}", rule.id, rule.kind, rule.title);
        let _ = writeln!(
            text,
            "  {:width$}  {}",
            "",
            rule.source,
            width = rule.id.len()
        );
        for case in listing.cases.iter().filter(|case| case.rule == rule.id) {
            let isas: Vec<_> = case.isas.iter().map(|isa| isa.name()).collect();
            let vcpus = if case.vcpus > 1 {
                format!("  {} vCPUs", case.vcpus)
            } else {
                String::new()
            };
            let cache = match (case.needs_cache_model, case.needs_trapped_reads) {
                (true, _) => "  needs the cache model",
                (_, true) => "  needs trapped reads",
                _ => "",
            };
            let _ = writeln!(text, "    {:<16} {}{vcpus}{cache}", case.id, isas.join(" "));
        }
    }
    text.push_str("\nHypervisors\n");
    for it in &listing.hypervisors {
        let versions = match it.versions.is_empty() {
            true => String::new(),
            false => format!("; versions {}", it.versions.join(", ")),
        };
        let _ = writeln!(
            text,
            "  {:<16} {} (profile {}{versions})",
            it.name, it.about, it.profile
        );
    }
    text.push_str(
        "\nMutants of the reference hypervisor: where the mistake is made, what is wrong\n",
    );
    for it in &listing.mutants {
        let MutantEntry {
            name,
            site,
            shows,
            defect,
        } = it;
        let _ = writeln!(text, "  {name:<24} {site:<9} {shows:<15} {defect}");
    }
    text.push_str("\nFindings\n");
    for it in &listing.findings {
        let _ = writeln!(
            text,
            "  {:<16} {} ({})",
            it.id,
            it.title,
            it.hypervisors.join(", ")
        );
    }
    text.push_str("\nMachines\n");
    for it in &listing.machines {
        let _ = writeln!(text, "  {:<16} {}", it.name, it.about);
    }
    text
}
