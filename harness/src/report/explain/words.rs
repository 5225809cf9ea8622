//! The pages of the words around runs: hypervisors, machines, profiles, premises, schedules, verdicts.

use setway_cases::{CASES, Case, Premise};
use setway_report::{Section, Verdict};

use super::{commands, counts, deviations, entry, list, prose, rule};
use crate::catalog::{Catalog, hypervisor::Hypervisor, machine::Machine, profile::Profile};

/// What `--caches` names, and what hardware then does of its own accord.
pub const SCHEDULES: &[(&str, &str)] = &[
    (
        "lazy",
        "nothing: lines stay where they are until an access or an op acts on them",
    ),
    ("eager", "every dirty line is evicted at once"),
    (
        "refill",
        "every line that is maintained is filled again at once, from a cacheable mapping",
    ),
    (
        "migrate",
        "a dirty line that an op by set/way is about to hit moves to another CPU's cache first",
    ),
    (
        "random",
        "any of it, at random times that repeat with the seed: `random:SEED`",
    ),
];

/// What a verdict says.
pub const fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "what was observed was compared with the rule, and meets it",
        Verdict::Fail => "what was observed was compared with the rule, and does not meet it",
        Verdict::Skip => "the run was not made; the reason was known before",
        Verdict::Crash => "guest, hypervisor or QEMU gave up",
        Verdict::Timeout => "the run exceeded a limit and was ended",
        Verdict::NoVerdict => {
            "the evidence is incomplete or contradictory: a silent guest has not passed"
        }
    }
}

pub fn hypervisor(it: &Hypervisor, catalog: &Catalog) -> Vec<Section> {
    let versions = it.versions.iter();
    let targets: Vec<String> = versions
        .map(|v| format!("{}-{}", it.name, v.version))
        .collect();
    let of_it = |name: &String| {
        let name = name.split('@').next().unwrap_or_default();
        *name == it.name || targets.iter().any(|target| target == name)
    };
    vec![
        prose(
            "TARGETS",
            &if targets.is_empty() {
                it.name.clone()
            } else {
                targets.join(", ")
            },
        ),
        prose("PROFILE", &it.profile),
        list(
            "KNOWN DEVIATIONS",
            deviations(catalog, |it| it.hypervisors.iter().any(of_it)),
        ),
        commands(&[format!("cargo run -- run --hyp {} --caches off", it.name)]),
    ]
}

pub fn machine(it: &Machine) -> Vec<Section> {
    let isas: Vec<&str> = it.isas.iter().map(|isa| isa.name()).collect();
    let caches = if it.cache_model.is_some() {
        "yes"
    } else {
        "no"
    };
    let tags = if it.tags { "yes" } else { "no" };
    let reads = if it.trapped_reads { "yes" } else { "no" };
    vec![
        list(
            "WHAT IT HAS",
            [
                entry("guests", isas.join(" ")),
                entry("CPUs", it.cpus.to_string()),
                entry("memory", format!("{} MiB", it.memory)),
                entry("cache model", caches),
                entry("trapped reads", reads),
                entry("ops on tags", tags),
            ],
        ),
        list(
            "QUIRKS",
            it.quirks
                .iter()
                .map(|quirk| entry(&quirk.case, quirk.why.clone())),
        ),
        commands(&[format!(
            "cargo run -- run --hyp kvm@{} --caches off",
            it.name
        )]),
    ]
}

pub fn profile(it: &Profile, catalog: &Catalog) -> Vec<Section> {
    let of_it = catalog.hypervisors.iter().filter(|hypervisor| {
        let own = hypervisor.profile == it.name;
        !hypervisor.self_test && (own || hypervisor.profile_on.values().any(|on| *on == it.name))
    });
    let differs = it.differs.iter().map(|row| {
        let case = row.case.as_deref().unwrap_or("every case");
        entry(
            case,
            format!("{}, because {}", counts::difference(row), row.why),
        )
    });
    vec![
        prose("SOURCE", &it.source),
        list(
            "BINDING RULES",
            it.rules
                .iter()
                .map(|kind| entry(kind.name(), rule::binds(*kind))),
        ),
        list("COUNTS THAT DIFFER", differs),
        list(
            "PREMISES THAT DO NOT HOLD",
            it.lacks.iter().map(|(name, why)| entry(name, why)),
        ),
        list(
            "HYPERVISORS",
            of_it.map(|it| entry(&it.name, it.about.clone())),
        ),
    ]
}

pub fn premise(it: Premise, catalog: &Catalog) -> Vec<Section> {
    let lacking = catalog.profiles.iter();
    let lacking = lacking.filter_map(|profile| {
        let why = profile.lacks.get(it.name())?;
        Some(entry(&profile.name, why))
    });
    let cases = CASES.iter().filter(|case| case.needs(it) && !case.hidden);
    let cases: Vec<&Case> = cases.collect();
    let by_rule = cases.chunk_by(|a, b| a.rule == b.rule);
    let by_rule = by_rule.map(|cases| {
        let ids: Vec<&str> = cases.iter().map(|case| case.id).collect();
        entry(cases[0].rule.id, ids.join(", "))
    });
    vec![
        list("DOES NOT HOLD UNDER", lacking),
        list("CASES THAT NEED IT", by_rule),
    ]
}

pub fn schedule(name: &str) -> Vec<Section> {
    let name = if name == "random" { "random:1" } else { name };
    vec![commands(&[format!("cargo run -- run COH --caches {name}")])]
}
