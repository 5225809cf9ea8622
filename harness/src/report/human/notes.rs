//! What qualifies the verdicts: skips, findings, excuses. Each is written once for all targets that it concerns.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use setway_report::{KnownFinding, RunReport, RunResult, Verdict};

use super::style::plural;
use crate::report::title;

/// Why runs were skipped: each reason once.
pub fn skips(text: &mut String, report: &RunReport) -> fmt::Result {
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
pub fn findings(text: &mut String, report: &RunReport) -> fmt::Result {
    let mut shown: Vec<(&KnownFinding, String, usize)> = Vec::new();
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

/// The boots that were lost before there was a guest, and for which runs.
pub fn lost_boots(text: &mut String, report: &RunReport) -> fmt::Result {
    for target in &report.targets {
        let lost = report.results_of(target).filter(|it| it.lost_boots > 0);
        let (mut boots, mut runs) = (0, Vec::new());
        for result in lost {
            boots += result.lost_boots as usize;
            runs.push(result.label());
        }
        if boots > 0 {
            let (boots, target) = (plural(boots, "boot"), title(report, target));
            let runs = runs.join(", ");
            writeln!(
                text,
                "{boots} of {target} hung before a guest was entered, and made again for {runs}"
            )?;
        }
    }
    Ok(())
}

/// What was wrong and is the machine's own doing: each list of such values once, with the targets that have it.
pub fn excuses(text: &mut String, report: &RunReport) -> fmt::Result {
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

/// " under A, B"; empty if there is one target only.
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
