//! One report of several: the parts of a run, or runs on several QEMUs.

use setway_cases::{CASES, RULES};
use setway_report::{Artifact, RunReport, Target};

use super::build::new_id;

/// All results of `reports`, in the order of a single report; `None` of no reports. A target that is the same in
/// several of them, down to the files that ran, is one target. A run that is in several of them stays in the
/// report as often.
pub fn merge(reports: impl IntoIterator<Item = RunReport>) -> Option<RunReport> {
    let mut reports = reports.into_iter();
    let mut merged = reports.next()?;
    for report in reports {
        add(&mut merged, report);
    }
    let place = |id: &str| RULES.iter().position(|rule| rule.id == id);
    merged
        .rules
        .sort_by_key(|it| place(&it.id).unwrap_or(usize::MAX));
    let targets = &merged.targets;
    let target = |id: Option<&str>| targets.iter().position(|it| Some(it.id.as_str()) == id);
    let case = |id: &str| CASES.iter().position(|case| case.id == id);
    merged.results.sort_by_key(|it| {
        let case = case(&it.case).unwrap_or(usize::MAX);
        (target(it.target.as_deref()), case)
    });
    merged.count_all();
    Some(merged)
}

fn add(merged: &mut RunReport, report: RunReport) {
    let mut names = Vec::new();
    for target in report.targets {
        let old = target.id.clone();
        names.push((old, add_target(&mut merged.targets, target)));
    }
    for mut result in report.results {
        let mut names = names.iter();
        let name = names.find(|(old, _)| Some(old) == result.target.as_ref());
        result.target = name.map(|(_, new)| new.clone());
        merged.results.push(result);
    }
    for rule in report.rules {
        if merged.rule(&rule.id).is_none() {
            merged.rules.push(rule);
        }
    }
    for origin in report.origins {
        if !merged.origins.contains(&origin) {
            merged.origins.push(origin);
        }
    }
    merged.allow_findings &= report.allow_findings;
    merged.wall_ms = merged.wall_ms.saturating_add(report.wall_ms);
}

/// Adds `target`, or what ran of it to the same one; returns what that is called.
fn add_target(targets: &mut Vec<Target>, target: Target) -> String {
    if let Some(same) = targets.iter_mut().find(|it| is_same(it, &target)) {
        same.wall_ms = same.wall_ms.saturating_add(target.wall_ms);
        for artifact in target.artifacts {
            if !same.artifacts.iter().any(|it| it.name == artifact.name) {
                same.artifacts.push(artifact);
            }
        }
        return same.id.clone();
    }
    let id = new_id(targets, &target.label, &target.qemu);
    targets.push(Target {
        id: id.clone(),
        ..target
    });
    id
}

/// Whether two targets are one: they are described alike, and no file of theirs has the same name and another
/// content. A shard need not have run every file.
fn is_same(a: &Target, b: &Target) -> bool {
    let plain = |target: &Target| Target {
        id: String::new(),
        wall_ms: 0,
        artifacts: Vec::new(),
        ..target.clone()
    };
    let differs = |a: &Artifact, b: &Artifact| {
        a.name == b.name && (a.bytes, &a.sha256) != (b.bytes, &b.sha256)
    };
    let mut files = a.artifacts.iter();
    let other = files.any(|file| b.artifacts.iter().any(|it| differs(file, it)));
    plain(a) == plain(b) && !other
}
