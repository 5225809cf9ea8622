//! The schema `setway.run/1`. Fields may be added; what is here stays.

use std::collections::BTreeMap;

use serde::Serialize;
use setway_cases::Premise;

use super::{Report, Section};
use crate::{
    bench::Outcome,
    catalog::schedule::Caches,
    commands,
    evidence::observation::{Account, Cache, Check, Modelled, Observation, Step},
    judge::{Verdict, finding::Known},
};

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    results: Vec<Entry>,
    summary: BTreeMap<&'static str, usize>,
    wall_ms: u64,
}

#[derive(Serialize)]
struct Entry {
    case: &'static str,
    rule: &'static str,
    isa: &'static str,
    hypervisor: String,
    hypervisor_version: Option<String>,
    mutant: Option<&'static str>,
    profile: String,
    machine: String,
    qemu: String,
    verdict: Verdict,
    reason: Option<String>,
    finding: Option<Known>,
    observed: Option<Observed>,
    traps: BTreeMap<String, u64>,
    duration_ms: u64,
    needs_cache_model: bool,
    caches: Option<Caches>,
    undecided: Option<&'static str>,
    notes: Vec<String>,
    builds: BuildsEntry,
    log_dir: Option<String>,
    repeat: String,
}

/// The ids of the images that were booted, as hexadecimal text.
#[derive(Serialize)]
struct BuildsEntry {
    guest: String,
    hypervisor: Option<String>,
}

#[derive(Serialize)]
struct Observed {
    steps: Vec<Step>,
    checks: Vec<CheckEntry>,
    caches: Vec<Cache>,
    registers: BTreeMap<String, u64>,
    hypervisor: Option<Account>,
    cache_model: Option<Modelled>,
}

#[derive(Serialize)]
struct CheckEntry {
    #[serde(flatten)]
    check: Check,
    ok: bool,
}

/// The whole report.
pub fn text(report: &Report) -> Result<String, commands::Error> {
    let document = Document {
        schema: "setway.run/1",
        results: report
            .sections
            .iter()
            .flat_map(|section| {
                let outcomes = section.outcomes.iter();
                outcomes.map(|outcome| entry(section, outcome))
            })
            .collect(),
        summary: Verdict::ALL
            .map(|verdict| (verdict.name(), report.count(verdict)))
            .into(),
        wall_ms: milliseconds(report.wall()),
    };
    to_text(&document)
}

/// Any of our documents as text, with a newline at its end.
pub fn to_text(document: &impl Serialize) -> Result<String, commands::Error> {
    let text = serde_json::to_string_pretty(document);
    text.map(|text| text + "\n")
        .map_err(|error| commands::Error::Report(error.to_string()))
}

fn entry(section: &Section, outcome: &Outcome) -> Entry {
    let (bench, run) = (section.bench, &outcome.run);
    let target = bench.target();
    let builds = bench.boot.builds(run);
    Entry {
        case: run.case.id,
        rule: run.case.rule.id,
        isa: run.isa.name(),
        hypervisor: target.label(),
        hypervisor_version: bench.boot.version.clone(),
        mutant: run.defect,
        profile: target.profile.name.clone(),
        machine: target.machine.name.clone(),
        qemu: bench.boot.qemu.version().to_string(),
        verdict: outcome.judgement.verdict,
        reason: outcome.judgement.reason.clone(),
        finding: outcome.known.clone(),
        observed: outcome.observation.as_ref().map(observed),
        traps: outcome
            .observation
            .as_ref()
            .map(|it| it.traps.clone())
            .unwrap_or_default(),
        duration_ms: milliseconds(outcome.duration),
        needs_cache_model: run.case.needs(Premise::Caches) && run.caches.is_none(),
        caches: run.caches,
        undecided: section.undecided(outcome),
        notes: section.notes(outcome),
        builds: BuildsEntry {
            guest: format!("{:#x}", builds.guest),
            hypervisor: builds.hypervisor.map(|build| format!("{build:#x}")),
        },
        log_dir: outcome
            .log_dir
            .as_ref()
            .map(|dir| dir.display().to_string()),
        repeat: section.repeat_command(outcome),
    }
}

fn observed(observation: &Observation) -> Observed {
    let checks = observation.checks.iter().cloned();
    Observed {
        steps: observation.steps.clone(),
        checks: checks
            .map(|check| CheckEntry {
                ok: check.is_right(),
                check,
            })
            .collect(),
        caches: observation.caches.clone(),
        registers: observation.registers.clone(),
        hypervisor: observation.account.clone(),
        cache_model: observation.modelled.clone(),
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
