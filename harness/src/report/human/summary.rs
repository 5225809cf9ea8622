//! The end of the report: what qualifies the verdicts, what was tested, and the sums of each target.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use anstyle::Style;
use setway_report::{Artifact, RunReport, RunResult, Target, Totals, Verdict};

use super::{
    notes,
    style::{BOLD, plural, style},
    tested,
};
use crate::report::{exit_note, title};

/// The summary.
pub fn write(text: &mut String, report: &RunReport) -> fmt::Result {
    notes::skips(text, report)?;
    notes::findings(text, report)?;
    notes::excuses(text, report)?;
    let shared = tested::shared_artifacts(report);
    tested::origins(text, report)?;
    tested::hashes(text, &shared)?;
    for target in &report.targets {
        if report.targets.len() > 1 {
            let version = target.hypervisor_version.as_ref();
            let version = version.map_or_else(String::new, |version| format!(" ({version})"));
            writeln!(text, "\n{BOLD}{}{BOLD:#}{version}", title(report, target))?;
        }
        sums(text, report, target, &shared)?;
    }
    match exit_note(report) {
        Some(note) => writeln!(text, "{note}"),
        None => Ok(()),
    }
}

/// The sums of one target.
fn sums(
    text: &mut String,
    report: &RunReport,
    target: &Target,
    shared: &[&Artifact],
) -> fmt::Result {
    let results: Vec<&RunResult> = report.results_of(target).collect();
    let mut lacks: BTreeMap<&str, usize> = BTreeMap::new();
    for lack in results.iter().filter_map(|it| it.undecided.as_deref()) {
        *lacks.entry(lack).or_default() += 1;
    }
    for (lack, passes) in lacks {
        let machine = &target.machine;
        let (passes, are, each) = match passes {
            1 => ("1 pass".to_owned(), "is", "it"),
            many => (format!("{many} passes"), "are", "each"),
        };
        writeln!(
            text,
            "* {passes} {are} vacuous on {machine}: {each} {lack}."
        )?;
    }
    counted(text, target, &results)?;
    writeln!(text, "{}", caches_used(target, &results))?;
    let own = target.artifacts.iter().filter(|it| !shared.contains(it));
    tested::hashes(text, &own.collect::<Vec<_>>())?;
    let totals = Totals::of(results.iter().copied());
    let runs = plural(totals.made as usize, "run");
    let seconds = target.wall_ms as f64 / 1000.0;
    let rate = if seconds > 0.0 {
        totals.made as f64 / seconds
    } else {
        0.0
    };
    let (qemu, machine) = (&target.qemu, &target.machine);
    writeln!(
        text,
        "{runs} in {seconds:.1} s ({rate:.1} runs/s) on QEMU {qemu}, {machine}"
    )?;
    writeln!(text, "{}", tally(&results, totals))
}

/// Who counted the steps' traps, and how many are as expected.
fn counted(text: &mut String, target: &Target, results: &[&RunResult]) -> fmt::Result {
    let observed = results.iter().filter_map(|it| it.observed.as_ref());
    let steps: Vec<_> = observed.flat_map(|it| &it.steps).collect();
    let inside = steps.iter().filter_map(|step| step.agrees());
    let (inside, agree) = (inside.clone().count(), inside.filter(|it| *it).count());
    let right = steps.iter().filter(|step| !step.differs()).count();
    let name = &target.hypervisor;
    match (steps.len(), inside) {
        (0, _) => Ok(()),
        (all, 0) => writeln!(
            text,
            "counts: {all} steps by QEMU's log; {right} as expected"
        ),
        (all, _) => writeln!(
            text,
            "counts: {all} steps by QEMU's log, {inside} also by {name}, which agree in {agree}; {right} as expected"
        ),
    }
}

/// With which schedules runs were made, and how many; or why without the cache model.
fn caches_used(target: &Target, results: &[&RunResult]) -> String {
    let mut used: Vec<(&str, usize)> = Vec::new();
    for caches in results.iter().filter_map(|it| it.caches.as_deref()) {
        match used.iter_mut().find(|(name, _)| *name == caches) {
            Some((_, runs)) => *runs += 1,
            None => used.push((caches, 1)),
        }
    }
    let kinds: Vec<String> = used
        .iter()
        .map(|(caches, runs)| format!("{caches} in {runs}"))
        .collect();
    match (&target.without_cache_model, kinds.len()) {
        (Some(reason), _) => format!("caches: none, no data is judged: {reason}"),
        (None, 0) => "caches: none".to_owned(),
        (None, 1..=8) => {
            let one = used.last().is_some_and(|(_, runs)| *runs == 1);
            let runs = if one { "run" } else { "runs" };
            format!("caches: {} {runs}", kinds.join(", "))
        }
        (None, many) => format!("caches: {many} schedules"),
    }
}

/// How many runs have each verdict, and what qualifies these.
fn tally(results: &[&RunResult], totals: Totals) -> String {
    let words = Verdict::ALL.into_iter().filter_map(|verdict| {
        let runs = results.iter().filter(|it| it.verdict == verdict);
        let count = runs.clone().count();
        let known = runs.filter(|it| it.finding.is_some()).count();
        let (qualified, quality) = match verdict {
            Verdict::Pass => (totals.vacuous as usize, "vacuous"),
            _ => (known, "known"),
        };
        let style = if count > 0 {
            style(verdict)
        } else {
            Style::new()
        };
        let qualified = match qualified {
            0 => String::new(),
            some => format!(" ({some} {quality})"),
        };
        let always = verdict < Verdict::Crash;
        (count > 0 || always)
            .then(|| format!("{style}{count} {}{style:#}{qualified}", past(verdict)))
    });
    let words: Vec<String> = words.collect();
    let excused = match totals.excused {
        0 => String::new(),
        values => format!("; {} excused", plural(values as usize, "wrong value")),
    };
    words.join(", ") + &excused
}

/// What runs with a verdict have done.
fn past(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Skip => "skipped",
        Verdict::Crash => "crashed",
        Verdict::Timeout => "timed out",
        Verdict::NoVerdict => "without verdict",
    }
}
