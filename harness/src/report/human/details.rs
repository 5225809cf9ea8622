//! Everything about one red run.

use std::fmt::{self, Write as _};

use setway_report::{Counts, RunReport, RunResult};

use super::style::{BOLD, padding, style};

/// The details.
pub fn write(text: &mut String, report: &RunReport, result: &RunResult) -> fmt::Result {
    let verdict = result.verdict;
    let (style, label) = (style(verdict), result.label());
    let under = under(report, result);
    writeln!(
        text,
        "{style}{verdict}{style:#} {BOLD}{label}{BOLD:#} under {under}"
    )?;
    match report.rule(&result.rule) {
        Some(rule) => {
            writeln!(
                text,
                "  rule    {} ({}): {}",
                rule.id, rule.kind, rule.title
            )?;
            writeln!(text, "  source  {}", rule.source)?;
        }
        None => writeln!(text, "  rule    {}", result.rule)?,
    }
    let reason = result.reason.as_deref().unwrap_or("none");
    writeln!(text, "  reason  {reason}")?;
    side_by_side(text, result)?;
    lines(text, "  QEMU    ", &result.stderr)?;
    lines(text, "  caches  ", &result.story)?;
    lines(text, "    ", &result.difference)?;
    writeln!(text, "  repeat  {}", result.repeat)?;
    match &result.log_dir {
        Some(dir) => writeln!(text, "  logs    {dir}"),
        None => Ok(()),
    }
}

/// What a run was made under: the target, its QEMU where there are several, and the mutant.
fn under(report: &RunReport, result: &RunResult) -> String {
    let title = report
        .target(result)
        .map(|it| crate::report::title(report, it));
    let title = title.unwrap_or_else(|| result.hypervisor.clone());
    match &result.mutant {
        Some(mutant) => format!("{title}, mutant {mutant}"),
        None => title,
    }
}

/// A heading and lines below one another.
fn lines(text: &mut String, heading: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    let separator = format!("\n{}", padding("", heading.len()));
    writeln!(text, "{heading}{}", lines.join(&separator))
}

/// A step or a check: what it is called, what was expected, what was observed, whether these differ.
type Row = (String, String, String, bool);

/// Steps and wrong checks, expected beside observed; what differs is marked.
fn side_by_side(text: &mut String, result: &RunResult) -> fmt::Result {
    let Some(observed) = &result.observed else {
        return Ok(());
    };
    let steps = observed.steps.iter().enumerate().map(|(n, step)| {
        let (expected, observed) = (counts(step.expected), counts(step.observed));
        let name = format!("step {n} {}", step.name);
        (name, expected, observed, step.differs())
    });
    let wrong = observed.checks.iter().filter(|check| check.has_failed());
    let checks = wrong.map(|check| {
        let name = format!("check {}", check.name);
        (name, check.want.clone(), check.got.clone(), true)
    });
    let rows: Vec<Row> = steps.chain(checks).collect();
    let widest = |column: fn(&Row) -> &String| {
        let widths = rows.iter().map(|row| column(row).chars().count());
        widths.max().unwrap_or(0)
    };
    let name_width = widest(|row| &row.0);
    let want_width = widest(|row| &row.1).max("expected".len());
    if !rows.is_empty() {
        let name = padding("", name_width);
        writeln!(text, "    {name}  {:want_width$}  observed", "expected")?;
    }
    for (name, want, got, differs) in &rows {
        let mark = if *differs { '!' } else { ' ' };
        writeln!(
            text,
            "  {mark} {name:name_width$}  {want:want_width$}  {got}"
        )?;
    }
    let right = observed.checks.iter().filter(|it| it.ok).count();
    let excused = result.excused().count();
    let excused = match excused {
        0 => String::new(),
        excused => format!(", {excused} excused"),
    };
    match observed.checks.len() {
        0 => Ok(()),
        all => writeln!(text, "    checks right: {right} of {all}{excused}"),
    }
}

/// The counts of a step, in words.
pub fn counts(counts: Counts) -> String {
    let flush = counts
        .flush
        .map_or_else(|| "?".to_owned(), |flush| flush.to_string());
    format!(
        "S/W {}, VM registers {}, flushes {flush}",
        counts.set_way, counts.vm_reg
    )
}
