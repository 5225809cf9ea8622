//! `expectations/RULES.md`: every rule with its source, cases, mutants and findings, to be read on a forge.
//!
//! It is generated from the tables and data files, and a test compares it with them.

use std::fmt::{self, Write as _};

use setway_cases::{Case, IsaName, Premise, RULES, Rule};
use setway_policy::Mutant;

use super::{
    explain::{counts, state},
    human::style::plural,
    prose,
};
use crate::catalog::{
    Catalog,
    kills::{Kills, case_of},
};

/// What the rules of a family are about, by how their names begin.
const FAMILIES: &[(&str, &str)] = &[
    ("SW", "traps and flushes of ops by set/way"),
    ("TGL", "changes of SCTLR.M and C"),
    ("VMR", "trapped writes of VM registers"),
    ("GEO", "what the guest is told of its caches"),
    ("EXA", "what a trapped instruction leaves behind"),
    ("UND", "injected UNDEFs"),
    ("TAG", "ops on allocation tags, which a guest may not have"),
    ("ABT", "aborts that are the guest's own doing"),
    ("COH", "data, where caches are not coherent"),
    ("CPU", "vCPUs that start, stop and call"),
    ("COST", "what traps, flushes and sequences of them may cost"),
    ("INT", "interrupts around traps and flushes"),
    ("MCH", "the machine itself, without a hypervisor"),
];

/// The family of a rule: what its name begins with.
pub fn family(rule: &Rule) -> &'static str {
    rule.id.split('-').next().unwrap_or(rule.id)
}

/// What the rules of `family` are about; `None` if nobody has written it down.
pub fn about(family: &str) -> Option<&'static str> {
    let known = FAMILIES.iter().find(|(name, _)| *name == family);
    known.map(|(_, about)| *about)
}

/// The page.
pub fn text(catalog: &Catalog) -> String {
    let mut text = String::new();
    write(&mut text, catalog).expect("writing to a string cannot fail");
    text
}

fn write(text: &mut String, catalog: &Catalog) -> fmt::Result {
    let all = RULES.iter().flat_map(|rule| cases(rule));
    let (cases_in_all, runs) = (
        all.clone().count(),
        all.map(|case| case.isas.len()).sum::<usize>(),
    );
    writeln!(text, "# Rules, cases, mutants and findings\n")?;
    writeln!(
        text,
        "Generated from [rules](../payloads/cases/src/rule.rs), [cases](../payloads/cases/src/catalogue.rs), \
         [mutants](../hyp-under-test/policy/src/mutant.rs), [obligations](obligations), [kills](kills.toml) and \
         [findings](findings) by `cargo test --test report`, which compares and says how to accept a change. \
         `setway explain NAME` prints more about each.\n"
    )?;
    writeln!(
        text,
        "{}, {} ({} with their instruction sets), {}, {}. Of each mutant only the first cases that kill it are \
         remembered, so a case without one may kill some; `setway mutants` shows all.\n",
        plural(RULES.len(), "rule"),
        plural(cases_in_all, "case"),
        runs,
        plural(Mutant::ALL.len(), "mutant"),
        plural(catalog.findings.len(), "finding"),
    )?;
    contents(text)?;
    for rules in families() {
        let family = family(rules[0]);
        writeln!(text, "\n## {family}: {}", about(family).unwrap_or_default())?;
        for rule in rules {
            write_rule(text, rule, catalog)?;
        }
    }
    mutants(text, &catalog.kills)?;
    findings(text, catalog)
}

/// The rules, family by family, in the order of reports.
fn families() -> impl Iterator<Item = &'static [&'static Rule]> {
    RULES.chunk_by(|a, b| family(a) == family(b))
}

fn cases(rule: &Rule) -> impl Iterator<Item = &'static Case> + Clone + use<> {
    let id = rule.id;
    setway_cases::CASES
        .iter()
        .filter(move |case| case.rule.id == id)
}

/// A link to a heading of this page.
fn link(name: &str) -> String {
    format!("[{name}](#{})", name.to_lowercase())
}

/// Text in a table's cell, or in a sentence.
fn plain(text: &str) -> String {
    let escaped = |letter: char| {
        let special = matches!(letter, '|' | '<' | '>' | '*' | '[' | ']');
        special.then_some('\\').into_iter().chain([letter])
    };
    prose::line(text).chars().flat_map(escaped).collect()
}

fn contents(text: &mut String) -> fmt::Result {
    writeln!(text, "| family | what it is about | rules |\n|---|---|---|")?;
    for rules in families() {
        let family = family(rules[0]);
        let links: Vec<String> = rules.iter().map(|rule| link(rule.id)).collect();
        let about = about(family).unwrap_or_default();
        writeln!(text, "| {family} | {about} | {} |", links.join(", "))?;
    }
    writeln!(
        text,
        "\nAnd [mutants](#mutants) and [findings](#findings) by name."
    )
}

fn write_rule(text: &mut String, rule: &Rule, catalog: &Catalog) -> fmt::Result {
    writeln!(
        text,
        "\n### {}\n\n{}.\n",
        rule.id,
        capital(&plain(rule.title))
    )?;
    writeln!(
        text,
        "Source ({}): {}.\n",
        rule.kind.name(),
        plain(rule.source)
    )?;
    writeln!(
        text,
        "| case | A64 | A32 | T32 | owes | needs | kills |\n|---|---|---|---|---|---|---|"
    )?;
    for case in cases(rule) {
        let isas = IsaName::ALL.map(|isa| {
            if case.isas.contains(&isa) {
                "yes"
            } else {
                "–"
            }
        });
        let kills = catalog
            .kills
            .by(case)
            .map(|(mutant, _)| link(mutant.name()));
        writeln!(
            text,
            "| `{}` | {} | [{}](obligations/{}.toml) | {} | {} |",
            case.id,
            isas.join(" | "),
            counts::sizes(case, &catalog.obligations),
            rule.id,
            needs(case),
            kills.collect::<Vec<_>>().join(", "),
        )?;
    }
    let own = catalog
        .findings
        .iter()
        .filter(|it| it.rules.iter().any(|id| id == rule.id));
    for (n, finding) in own.enumerate() {
        let before = if n == 0 { "\n" } else { "" };
        let title = plain(&finding.title);
        writeln!(
            text,
            "{before}- {}: {title} ({})",
            link(&finding.id),
            state(finding)
        )?;
    }
    Ok(())
}

/// What a case needs besides a machine.
fn needs(case: &Case) -> String {
    let cpus = (case.cpus > 1).then(|| format!("{} CPUs", case.cpus));
    let premises = case.premises().map(|it: Premise| it.name().to_owned());
    cpus.into_iter()
        .chain(premises)
        .collect::<Vec<_>>()
        .join(", ")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn mutants(text: &mut String, kills: &Kills) -> fmt::Result {
    writeln!(
        text,
        "\n## Mutants\n\nThe reference hypervisor with one mistake each: `setway run --mutant NAME`."
    )?;
    for mutant in Mutant::ALL {
        let labels = kills.of(mutant.name()).iter();
        let killers = labels.map(|label| {
            let case = setway_cases::CASES
                .iter()
                .find(|case| case.id == case_of(label));
            match case {
                Some(case) => format!("[{}](#{})", plain(label), case.rule.id.to_lowercase()),
                None => plain(label),
            }
        });
        let killers: Vec<String> = killers.collect();
        let killers = match killers.as_slice() {
            [] => "nothing that is remembered".to_owned(),
            several => several.join(", "),
        };
        writeln!(
            text,
            "\n### {}\n\n{}.",
            mutant.name(),
            capital(&plain(mutant.defect()))
        )?;
        let (site, shows) = (mutant.site().name(), mutant.shows().name());
        writeln!(text, "Site: {site}. Shows in {shows}. Killed by {killers}.")?;
    }
    Ok(())
}

fn findings(text: &mut String, catalog: &Catalog) -> fmt::Result {
    writeln!(
        text,
        "\n## Findings\n\nKnown deviations of real hypervisors: `setway finding show NAME --mail` prints a report that \
         can be sent."
    )?;
    for finding in &catalog.findings {
        let rules: Vec<String> = finding.rules.iter().map(|id| link(id)).collect();
        writeln!(
            text,
            "\n### {}\n\n{}.\n",
            finding.id,
            capital(&plain(&finding.title))
        )?;
        writeln!(text, "| | |\n|---|---|")?;
        writeln!(text, "| rules | {} |", rules.join(", "))?;
        writeln!(text, "| hypervisors | {} |", finding.hypervisors.join(", "))?;
        writeln!(text, "| where | {} |", plain(&finding.place))?;
        writeln!(text, "| since | {} |", plain(&finding.since))?;
        writeln!(
            text,
            "| upstream | {}: {} |",
            state(finding),
            plain(&finding.upstream.known)
        )?;
        writeln!(
            text,
            "| all of it | [findings/{0}.toml](findings/{0}.toml) |",
            finding.id
        )?;
    }
    Ok(())
}
