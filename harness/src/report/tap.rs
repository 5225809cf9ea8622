//! Test Anything Protocol, version 14.

use std::fmt::Write as _;

use super::Report;
use crate::judge::Verdict;

/// The whole report.
pub fn text(report: &Report) -> String {
    let outcomes = report.sections.iter().flat_map(|section| {
        let outcomes = section.outcomes.iter();
        outcomes.map(move |outcome| (section, outcome))
    });
    let mut text = format!("TAP version 14\n1..{}\n", outcomes.clone().count());
    for (number, (section, outcome)) in (1..).zip(outcomes) {
        let verdict = outcome.judgement.verdict;
        let not = if verdict.is_bad() { "not " } else { "" };
        // Where there are several hypervisors, a run's name alone is not one.
        let label = match report.sections.len() {
            1 => outcome.run.label(),
            _ => format!("{} {}", section.bench.target().label(), outcome.run.label()),
        };
        let reason = outcome.judgement.reason.as_deref().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = match verdict {
            Verdict::Pass => writeln!(text, "ok {number} - {label}"),
            Verdict::Skip => writeln!(
                text,
                "ok {number} - {label} # SKIP {}",
                reason.replace('#', "\\#")
            ),
            _ => writeln!(
                text,
                "{not}ok {number} - {label}\n  ---\n  verdict: {verdict}\n  reason: {}\n  rule: {}\n  repeat: {}\n  ...",
                serde_json::Value::from(reason),
                serde_json::Value::from(outcome.run.case.rule.title),
                serde_json::Value::from(section.repeat_command(outcome)),
            ),
        };
        for note in section.notes(outcome) {
            let _ = writeln!(text, "# {note}");
        }
    }
    text
}
