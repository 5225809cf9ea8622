//! What qualifies the verdicts, each thing once for all targets that it concerns, and the sums of each target.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use anstyle::Style;
use setway_report::{Artifact, Origin, RunReport, RunResult, Target, Totals, Verdict};

use super::style::{BOLD, padding, style};
use crate::report::{exit_note, revision, title};

/// The width in which lists are wrapped.
const WIDTH: usize = 100;

/// How many digits of a hash are shown.
const DIGITS: usize = 12;

/// The summary.
pub fn write(text: &mut String, report: &RunReport) -> fmt::Result {
    skips(text, report)?;
    findings(text, report)?;
    excuses(text, report)?;
    let shared = shared_artifacts(report);
    origins(text, report)?;
    hashes(text, &shared)?;
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

/// Why runs were skipped: each reason once.
fn skips(text: &mut String, report: &RunReport) -> fmt::Result {
    let mut reasons = Grouped::default();
    for result in &report.results {
        if let (Verdict::Skip, Some(reason)) = (result.verdict, &result.reason) {
            reasons.add(reason, report, result);
        }
    }
    for (reason, targets) in reasons.0 {
        writeln!(text, "skipped{}: {reason}", under(report, &targets))?;
    }
    Ok(())
}

/// The findings that runs showed again, and how often.
fn findings(text: &mut String, report: &RunReport) -> fmt::Result {
    let mut shown: Vec<(&setway_report::KnownFinding, String, usize)> = Vec::new();
    for result in &report.results {
        let Some(finding) = &result.finding else {
            continue;
        };
        let target = name(report, result);
        match shown
            .iter_mut()
            .find(|it| (it.0, &it.1) == (finding, &target))
        {
            Some((_, _, runs)) => *runs += 1,
            None => shown.push((finding, target, 1)),
        }
    }
    for (finding, target, runs) in shown {
        let (id, title) = (&finding.id, &finding.title);
        let runs = plural(runs, "run");
        writeln!(text, "finding {id} in {runs} of {target}: {title}")?;
    }
    Ok(())
}

/// What was wrong and is the machine's own doing: each list of such values once, with the targets that have it.
fn excuses(text: &mut String, report: &RunReport) -> fmt::Result {
    // By target and excuse, the checks; then by these, the targets.
    let mut lists: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    for result in &report.results {
        for check in result.excused() {
            let why = check.excuse.as_deref().unwrap_or("the machine's own doing");
            let key = (why, name(report, result));
            let check = format!("{} {}", result.label(), check.name);
            lists.entry(key).or_default().push(check);
        }
    }
    let mut shared: BTreeMap<(&str, Vec<String>), Vec<String>> = BTreeMap::new();
    for ((why, target), checks) in lists {
        shared.entry((why, checks)).or_default().push(target);
    }
    for ((why, checks), mut targets) in shared {
        let order = |it: &String| {
            report
                .targets
                .iter()
                .position(|target| title(report, target) == *it)
        };
        targets.sort_by_key(order);
        let values = plural(checks.len(), "wrong value");
        let each = if targets.len() > 1 { "each " } else { "" };
        let under = under(report, &targets).replacen(" under ", &format!(" {each}under "), 1);
        writeln!(text, "{values} excused{under}: {why}")?;
        for check in checks {
            writeln!(text, "    {check}")?;
        }
    }
    Ok(())
}

/// The checkouts that were tested.
fn origins(text: &mut String, report: &RunReport) -> fmt::Result {
    let mut shown: Vec<String> = Vec::new();
    let named = report
        .origins
        .iter()
        .filter(|it| !it.checkout.root.is_empty());
    for Origin { tool, checkout, .. } in named {
        let (name, version) = (&tool.name, &tool.version);
        let line = format!(
            "checkout: {}, {}; {name} {version}",
            checkout.root,
            revision(checkout)
        );
        if !shown.contains(&line) {
            writeln!(text, "{line}")?;
            shown.push(line);
        }
    }
    Ok(())
}

/// The files that all targets have in common.
fn shared_artifacts(report: &RunReport) -> Vec<&Artifact> {
    let (first, others) = match report.targets.split_first() {
        Some((first, others)) if !others.is_empty() => (first, others),
        _ => return Vec::new(),
    };
    let has = |target: &Target, it: &Artifact| target.artifacts.iter().any(|own| own == it);
    let artifacts = first.artifacts.iter();
    artifacts
        .filter(|it| others.iter().all(|target| has(target, it)))
        .collect()
}

/// The beginnings of files' hashes, wrapped.
fn hashes(text: &mut String, artifacts: &[&Artifact]) -> fmt::Result {
    const HEADING: &str = "sha256: ";
    let items = artifacts.iter().map(|artifact| {
        let hash = artifact.sha256.as_deref().unwrap_or("unknown");
        let digits = hash.chars().take(DIGITS).collect::<String>();
        format!("{} {digits}", artifact.name)
    });
    let mut line = String::new();
    for item in items {
        if line.is_empty() {
            line = format!("{HEADING}{item}");
        } else if line.chars().count() + item.chars().count() + 3 > WIDTH {
            writeln!(text, "{line},")?;
            line = format!("{}{item}", padding("", HEADING.len()));
        } else {
            line += &format!(", {item}");
        }
    }
    if line.is_empty() {
        return Ok(());
    }
    writeln!(text, "{line}")
}

/// What is to be said of one target.
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
    hashes(text, &own.collect::<Vec<_>>())?;
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

/// Texts in the order in which they came, each with the targets it is about.
#[derive(Default)]
struct Grouped(Vec<(String, Vec<String>)>);

impl Grouped {
    fn add(&mut self, what: &str, report: &RunReport, result: &RunResult) {
        let target = name(report, result);
        match self.0.iter_mut().find(|(known, _)| known == what) {
            Some((_, targets)) if targets.contains(&target) => {}
            Some((_, targets)) => targets.push(target),
            None => self.0.push((what.to_owned(), vec![target])),
        }
    }
}

/// " under A, B"; nothing if there is one target only.
fn under(report: &RunReport, targets: &[String]) -> String {
    match report.targets.len() {
        0 | 1 => String::new(),
        _ => format!(" under {}", targets.join(", ")),
    }
}

/// The title of a result's target.
fn name(report: &RunReport, result: &RunResult) -> String {
    let target = report.target(result);
    target.map_or_else(|| result.hypervisor.clone(), |it| title(report, it))
}

fn plural(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
