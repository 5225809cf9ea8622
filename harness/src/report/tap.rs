//! Test Anything Protocol, version 13: what Perl's `prove` reads.
//!
//! What makes the exit code 1 is `not ok`, and nothing else is: a known finding that is allowed is a `TODO`, and a
//! target of which no run was made has a `not ok` of its own, since `prove` is content with skips alone.

use std::fmt::{self, Write as _};

use setway_report::{RunReport, RunResult, Verdict};

use super::{idle_targets, revision, text::printable, title};

/// The whole report.
pub fn text(report: &RunReport) -> String {
    let report = printable(report);
    let mut text = String::new();
    write(&mut text, &report).expect("writing to a string cannot fail");
    text
}

fn write(text: &mut String, report: &RunReport) -> fmt::Result {
    writeln!(text, "TAP version 13")?;
    about(text, report)?;
    let idle: Vec<String> = idle_targets(report).map(|it| title(report, it)).collect();
    let nothing = report.results.is_empty() && idle.is_empty();
    let tests = report.results.len() + idle.len() + usize::from(nothing);
    writeln!(text, "1..{tests}")?;
    let mut numbers = 1..;
    for (result, number) in report.results.iter().zip(&mut numbers) {
        test(text, report, result, number)?;
    }
    for (target, number) in idle.iter().zip(&mut numbers) {
        let target = escape(target);
        writeln!(
            text,
            "not ok {number} - nothing ran under {target}: all runs were skipped"
        )?;
    }
    if nothing {
        writeln!(text, "not ok 1 - nothing ran")?;
    }
    let totals = report.totals;
    writeln!(
        text,
        "# {} passed ({} vacuous), {} skipped, {} red ({} known); {} wrong values excused, {} boots lost",
        report.count(Verdict::Pass),
        totals.vacuous,
        report.count(Verdict::Skip),
        report
            .results
            .iter()
            .filter(|it| it.verdict.is_bad())
            .count(),
        totals.known,
        totals.excused,
        totals.lost_boots
    )
}

/// What was tested, as comments.
fn about(text: &mut String, report: &RunReport) -> fmt::Result {
    for origin in &report.origins {
        let (tool, checkout, host) = (&origin.tool, &origin.checkout, &origin.host);
        if !checkout.root.is_empty() {
            let (name, version, root) = (&tool.name, &tool.version, &checkout.root);
            writeln!(
                text,
                "# {name} {version}, checkout {root}, {}",
                revision(checkout)
            )?;
            writeln!(
                text,
                "# {} on {}, {}",
                origin.started, host.name, host.system
            )?;
        }
    }
    for target in &report.targets {
        let version = target.hypervisor_version.as_deref().unwrap_or("no version");
        let (title, profile) = (title(report, target), &target.profile);
        let (machine, qemu) = (&target.machine, &target.qemu);
        writeln!(
            text,
            "# target {title}: {version}, profile {profile}, machine {machine}, QEMU {qemu}"
        )?;
        for artifact in &target.artifacts {
            let hash = artifact.sha256.as_deref().unwrap_or("unknown");
            writeln!(text, "#   sha256 {hash} {}", artifact.name)?;
        }
    }
    Ok(())
}

fn test(text: &mut String, report: &RunReport, result: &RunResult, number: u32) -> fmt::Result {
    let not = if result.verdict.is_bad() { "not " } else { "" };
    // Where there are several targets, a run's name alone is not unique.
    let mut label = match (report.target(result), report.targets.len()) {
        (Some(target), 2..) => format!("{} {}", title(report, target), result.label()),
        _ => result.label(),
    };
    if let Some(mutant) = &result.mutant {
        label += &format!(" (mutant {mutant})");
    }
    if result.is_vacuous() {
        label += " (vacuous)";
    }
    let label = escape(&label);
    let reason = result.reason.as_deref().unwrap_or_default();
    let directive = match (&result.finding, result.verdict) {
        (_, Verdict::Skip) => format!(" # SKIP {}", escape(reason)),
        (Some(finding), verdict) if verdict.is_bad() && report.allow_findings => {
            format!(
                " # TODO finding {}: {}",
                escape(&finding.id),
                escape(&finding.title)
            )
        }
        _ => String::new(),
    };
    writeln!(text, "{not}ok {number} - {label}{directive}")?;
    if result.verdict.is_bad() {
        let rule = report.rule(&result.rule);
        let rule = rule.map_or(result.rule.as_str(), |it| it.title.as_str());
        writeln!(text, "  ---")?;
        writeln!(text, "  verdict: {}", result.verdict)?;
        for (name, value) in [
            ("reason", reason),
            ("rule", rule),
            ("repeat", &result.repeat),
        ] {
            writeln!(text, "  {name}: {}", serde_json::Value::from(value))?;
        }
        writeln!(text, "  ...")?;
    }
    for note in &result.notes {
        writeln!(text, "# {note}")?;
    }
    Ok(())
}

/// Text in which `#` does not begin a directive.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#")
}
