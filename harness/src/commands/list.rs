//! `setway list`.

use std::fmt::{self, Write as _};

use setway_cases::{CASES, Premise, RULES};
use setway_policy::Mutant;
use setway_report::{Case, LIST_SCHEMA, ListReport, ListedMutant};

use crate::{
    catalog::{
        Catalog, finding::Finding, hypervisor::Hypervisor, isa::Isa, kills::case_of,
        machine::Machine,
    },
    cli::{ListArgs, ListFormat},
    commands::Error,
    report::{build, document},
};

/// Prints what there is.
pub fn list(catalog: &Catalog, args: &ListArgs) -> Result<bool, Error> {
    let mut report = report(catalog);
    if args.rules {
        report.hypervisors.clear();
        report.machines.clear();
    }
    let text = match (args.format, args.rules) {
        (ListFormat::Json, _) => document::to_text(&report)?,
        (ListFormat::Human, true) => rules(&report),
        (ListFormat::Human, false) => human(&report),
    };
    super::print(&text)?;
    Ok(true)
}

/// What there is.
fn report(catalog: &Catalog) -> ListReport {
    let hypervisors = catalog.hypervisors.iter().filter(|it| !it.self_test);
    let cases = CASES.iter().filter(|case| !case.hidden);
    ListReport {
        schema: LIST_SCHEMA.to_owned(),
        rules: RULES.iter().map(|rule| build::rule(rule)).collect(),
        cases: cases.map(case).collect(),
        hypervisors: hypervisors.map(hypervisor).collect(),
        mutants: Mutant::ALL.iter().map(|it| mutant(*it, catalog)).collect(),
        findings: catalog.findings.iter().map(finding).collect(),
        machines: catalog.machines.iter().map(machine).collect(),
    }
}

fn case(case: &setway_cases::Case) -> Case {
    let isas = case.isas.iter().map(|isa| Isa::from(*isa));
    let premises = case.premises().map(|it| it.name().to_owned());
    Case {
        id: case.id.to_owned(),
        rule: case.rule.id.to_owned(),
        isas: names(isas),
        vcpus: case.cpus,
        needs_cache_model: case.needs_cache_model(),
        needs_trapped_reads: case.needs(Premise::TrappedReads),
        premises: premises.collect(),
    }
}

fn hypervisor(it: &Hypervisor) -> setway_report::Hypervisor {
    setway_report::Hypervisor {
        name: it.name.clone(),
        about: it.about.clone(),
        profile: it.profile.clone(),
        versions: it.versions.iter().map(|it| it.version.clone()).collect(),
    }
}

fn mutant(mutant: Mutant, catalog: &Catalog) -> ListedMutant {
    ListedMutant {
        name: mutant.name().to_owned(),
        site: mutant.site().name().to_owned(),
        shows: mutant.shows().name().to_owned(),
        defect: mutant.defect().to_owned(),
        killed_by: catalog.kills.of(mutant.name()).to_vec(),
    }
}

/// What there is to say of a finding in a list.
pub fn finding(it: &Finding) -> setway_report::Finding {
    setway_report::Finding {
        id: it.id.clone(),
        title: it.title.clone(),
        hypervisors: it.hypervisors.clone(),
        rules: it.rules.clone(),
        upstream: Some(it.upstream.known.clone()),
        fixed_in: it
            .upstream
            .fixed
            .as_ref()
            .map(|fixed| fixed.version.clone()),
    }
}

fn machine(it: &Machine) -> setway_report::Machine {
    setway_report::Machine {
        name: it.name.clone(),
        about: it.about.clone(),
        isas: names(it.isas.iter().copied()),
        cpus: it.cpus,
        cache_model: it.cache_model.is_some(),
    }
}

fn names(isas: impl IntoIterator<Item = Isa>) -> Vec<String> {
    let names = isas.into_iter().map(|isa| isa.name().to_owned());
    names.collect()
}

/// The rules for people, each with its cases, the mutants that those kill, and the findings about it.
fn rules(report: &ListReport) -> String {
    let mut text = String::new();
    write_rules(&mut text, report).expect("writing to a string cannot fail");
    text
}

fn write_rules(text: &mut String, report: &ListReport) -> fmt::Result {
    for rule in &report.rules {
        writeln!(text, "{} ({}): {}", rule.id, rule.kind, rule.title)?;
        writeln!(text, "    source   {}", rule.source)?;
        let of_rule = |id: &str| {
            report
                .cases
                .iter()
                .any(|it| it.id == id && it.rule == rule.id)
        };
        let cases = report.cases.iter().filter(|it| it.rule == rule.id);
        let cases = cases.map(|it| format!("{} ({})", it.id, it.isas.join(" ")));
        let mutants = report.mutants.iter().filter(|it| {
            let mut labels = it.killed_by.iter();
            labels.any(|label| of_rule(case_of(label)))
        });
        let findings = report
            .findings
            .iter()
            .filter(|it| it.rules.contains(&rule.id));
        let lists: [(&str, Vec<String>); 3] = [
            ("cases", cases.collect()),
            ("kills", mutants.map(|it| it.name.clone()).collect()),
            ("findings", findings.map(|it| it.id.clone()).collect()),
        ];
        for (what, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
            writeln!(text, "    {what:<8} {}", names.join(", "))?;
        }
    }
    Ok(())
}

/// The report for people.
fn human(report: &ListReport) -> String {
    let mut text = String::new();
    write(&mut text, report).expect("writing to a string cannot fail");
    text
}

fn write(text: &mut String, report: &ListReport) -> fmt::Result {
    writeln!(text, "Rules and their cases")?;
    for rule in &report.rules {
        let width = rule.id.len();
        writeln!(text, "\n  {} ({}): {}", rule.id, rule.kind, rule.title)?;
        writeln!(text, "  {:width$}  {}", "", rule.source)?;
        let cases = report.cases.iter().filter(|case| case.rule == rule.id);
        for case in cases {
            let vcpus = if case.vcpus > 1 {
                format!("  {} vCPUs", case.vcpus)
            } else {
                String::new()
            };
            let needs = match (case.needs_cache_model, case.needs_trapped_reads) {
                (true, _) => "  needs the cache model",
                (_, true) => "  needs trapped reads",
                _ => "",
            };
            let isas = case.isas.join(" ");
            writeln!(text, "    {:<16} {isas}{vcpus}{needs}", case.id)?;
        }
    }
    writeln!(text, "\nHypervisors")?;
    for it in &report.hypervisors {
        let versions = if it.versions.is_empty() {
            String::new()
        } else {
            format!("; versions {}", it.versions.join(", "))
        };
        let (name, about, profile) = (&it.name, &it.about, &it.profile);
        writeln!(text, "  {name:<16} {about} (profile {profile}{versions})")?;
    }
    writeln!(
        text,
        "\nMutants of the reference hypervisor: where the mistake is made, what is wrong"
    )?;
    for it in &report.mutants {
        let (name, site, shows, defect) = (&it.name, &it.site, &it.shows, &it.defect);
        writeln!(text, "  {name:<24} {site:<9} {shows:<15} {defect}")?;
    }
    writeln!(text, "\nFindings")?;
    for it in &report.findings {
        let hypervisors = it.hypervisors.join(", ");
        writeln!(text, "  {:<16} {} ({hypervisors})", it.id, it.title)?;
    }
    writeln!(text, "\nMachines")?;
    for it in &report.machines {
        writeln!(text, "  {:<16} {}", it.name, it.about)?;
    }
    Ok(())
}
