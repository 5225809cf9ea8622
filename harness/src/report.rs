//! Turning facts and verdicts into something to read.
//!
//! A report is data first: [`build()`](build::build) makes a [`RunReport`] of outcomes, and everything else here
//! needs that alone. So what a file holds can be rendered, merged with others and compared, without a machine.

pub mod build;
pub mod diff;
pub mod document;
pub mod explain;
pub mod human;
pub mod junit;
pub mod mail;
pub mod manual;
pub mod merge;
pub mod progress;
pub mod prose;
pub mod rules;
pub mod tap;
pub mod text;

use setway_report::{Checkout, RunReport, RunResult, Target};

/// Why a report has no text in a machine's format.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be written as JSON.
    #[error("cannot write the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It cannot be written as JUnit's XML.
    #[error("cannot write the report as XML: {0}")]
    Junit(#[from] quick_junit::SerializeError),
}

/// What to call a target: its label, with its QEMU's version where targets differ in nothing else.
pub fn title(report: &RunReport, target: &Target) -> String {
    let mut targets = report.targets.iter();
    let is_alone = !targets.any(|it| it.id != target.id && it.label == target.label);
    if is_alone {
        return target.label.clone();
    }
    let title = |it: &Target| format!("{} on QEMU {}", it.label, it.qemu);
    let mut targets = report.targets.iter();
    if targets.any(|it| it.id != target.id && title(it) == title(target)) {
        return target.id.clone();
    }
    title(target)
}

/// The state of a checkout, in words: `at 57f25a402503, with changes`.
pub fn revision(checkout: &Checkout) -> String {
    let Some(commit) = &checkout.commit else {
        return "no git commit".to_owned();
    };
    let short: String = commit.chars().take(12).collect();
    match checkout.dirty {
        Some(true) => format!("at {short}, with changes"),
        Some(false) => format!("at {short}"),
        None => format!("at {short}, maybe with changes"),
    }
}

/// The targets of which no run was made: the exit code is 1, though nothing is red.
pub fn idle_targets(report: &RunReport) -> impl Iterator<Item = &Target> {
    let made = |target: &Target| report.results_of(target).any(RunResult::is_made);
    report.targets.iter().filter(move |target| !made(target))
}

/// Why the exit code is not what the verdicts suggest; `None` if it is.
pub fn exit_note(report: &RunReport) -> Option<String> {
    let idle = idle_targets(report).map(|target| title(report, target));
    let idle: Vec<String> = idle.collect();
    let bad = report.results.iter().filter(|it| it.verdict.is_bad());
    if report.results.is_empty() || idle.len() == report.targets.len() {
        return Some("nothing ran: exit 1".to_owned());
    }
    if !idle.is_empty() {
        return Some(format!("nothing ran under {}: exit 1", idle.join(", ")));
    }
    if bad.clone().next().is_some() && report.is_good() {
        return Some(
            "all that is red is a known finding, which --allow-findings allows: exit 0".to_owned(),
        );
    }
    None
}
