//! The page of a case.

use setway_cases::{Case, Setting};
use setway_report::{Entry, Passage, Section};

use super::{commands, counts, deviations, entry, list, prose, rule, section};
use crate::catalog::{Catalog, isa::Isa, obligation::Obligation};

/// The most checks that a page shows: the file has all.
const CHECKS: usize = 40;

/// One line about it.
pub fn title(case: &Case) -> String {
    format!(
        "a case of the rule {}, for {}",
        case.rule.id,
        counts::isas(case)
    )
}

pub fn sections(case: &'static Case, catalog: &Catalog) -> Vec<Section> {
    let setting = match &case.setting {
        Setting::Guest => "a guest under a hypervisor",
        Setting::Bare(_) => "the bare machine, without a hypervisor",
    };
    let setting = format!("{setting}; {}; CPUs: {}", counts::isas(case), case.cpus);
    let mut sections = vec![
        prose(
            "RULE",
            &format!(
                "{}: {}. {}.",
                case.rule.id,
                case.rule.title,
                rule::binds(case.rule.kind)
            ),
        ),
        prose("SOURCE", case.rule.source),
        prose("RUNS AS", &setting),
    ];
    let groups = catalog.obligations.groups(case);
    sections.extend(
        groups
            .into_iter()
            .map(|(isas, owed)| demands(case, &isas, owed)),
    );
    sections.extend([
        list("ELSEWHERE", profiles(case, catalog)),
        section("WHAT IT KILLS", kills(case, catalog)),
        list(
            "KNOWN DEVIATIONS",
            deviations(catalog, |it| {
                it.runs.iter().any(|run| run.case.id == case.id)
            }),
        ),
        list("PREMISES", premises(case, catalog)),
        commands(&run(case, catalog)),
    ]);
    sections
}

/// What it owes in `isas`.
fn demands(case: &Case, isas: &[Isa], owed: &Obligation) -> Section {
    let names: Vec<&str> = isas.iter().map(|isa| isa.name()).collect();
    let steps = owed.steps.iter().enumerate();
    let steps: Vec<Entry> = steps
        .map(|(n, it)| {
            entry(
                &format!("step {n}"),
                format!("{}: {}", it.name, counts::step(it)),
            )
        })
        .collect();
    let shown = owed.checks.iter().take(CHECKS);
    let checks: Vec<Entry> = shown.map(|it| entry(&it.name, counts::value(it))).collect();
    let mut passages = Vec::new();
    if !steps.is_empty() {
        passages.push(Passage::Entries(steps));
    }
    if !checks.is_empty() {
        passages.push(Passage::Entries(checks));
    }
    if let Some(more @ 1..) = owed.checks.len().checked_sub(CHECKS) {
        passages.push(Passage::Text(format!(
            "And {more} more: expectations/obligations/{}.toml.",
            case.rule.id
        )));
    }
    section(&format!("WHAT IT DEMANDS ({})", names.join(" ")), passages)
}

/// Where hypervisors of a kind rightly count otherwise, or skip it.
fn profiles(case: &Case, catalog: &Catalog) -> Vec<Entry> {
    let mut entries = Vec::new();
    for profile in &catalog.profiles {
        let lacks = case
            .premises()
            .filter_map(|it| profile.lacks.get(it.name()));
        entries.extend(lacks.map(|why| entry(&profile.name, format!("skipped: {why}"))));
        if !profile.rules.contains(&case.rule.kind) {
            continue;
        }
        for row in profile.rows(case, None) {
            let step = row
                .step
                .as_ref()
                .map_or(String::new(), |step| format!("{step}: "));
            let counts = counts::difference(row);
            entries.push(entry(
                &profile.name,
                format!("{step}{counts}, because {}", row.why),
            ));
        }
    }
    entries
}

/// The mutants that it kills.
fn kills(case: &'static Case, catalog: &Catalog) -> Vec<Passage> {
    let kills = catalog.kills.by(case);
    remembered(
        kills
            .map(|(mutant, _)| entry(mutant.name(), mutant.defect()))
            .collect(),
    )
}

/// `killed`, as a section about it; that few are remembered, if there are none.
pub fn remembered(killed: Vec<Entry>) -> Vec<Passage> {
    let note = "Of each mutant only the first cases that kill it are remembered (expectations/kills.toml); \
                `setway mutants` shows all.";
    let note = Passage::Text(note.to_owned());
    match killed.as_slice() {
        [] => vec![note],
        _ => vec![Passage::Entries(killed), note],
    }
}

/// What it needs to be able to fail, and where that is missing.
fn premises(case: &Case, catalog: &Catalog) -> Vec<Entry> {
    let needs = case.premises().map(|it| entry(it.name(), it.about()));
    let mut entries: Vec<Entry> = needs.collect();
    for machine in &catalog.machines {
        if let Some(missing) = machine.missing_premise(case, machine.cache_model.is_some()) {
            entries.push(entry(
                &machine.name,
                format!("a pass is vacuous: {missing}"),
            ));
        }
        for quirk in machine.quirks.iter().filter(|it| it.case == case.id) {
            entries.push(entry(
                &machine.name,
                format!("excuses {}: {}", quirk.got, quirk.why),
            ));
        }
    }
    entries
}

/// How to run it, and how to see it fail.
fn run(case: &'static Case, catalog: &Catalog) -> Vec<String> {
    let bare = if case.is_guest() { "" } else { " --hyp bare" };
    let mut lines = vec![format!("cargo run -- run {}{bare}", case.id)];
    if let Some((mutant, label)) = catalog.kills.by(case).next() {
        lines.push(super::mutant::command(mutant, label));
    }
    lines
}
