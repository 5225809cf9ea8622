//! The report that people read: a table of verdicts, then each red run in detail, then the sum.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use anstyle::{AnsiColor, Style};

use super::{Report, Section, caches, grid};
use crate::{
    bench::Outcome,
    catalog::isa::Isa,
    catalog::schedule::Caches,
    evidence::{
        observation::{Counts, Observation},
        traps::Trapped,
    },
    judge::Verdict,
};

pub(super) const BOLD: Style = Style::new().bold();

/// The width of a verdict, the longest being `no_verdict`.
const COLUMN: usize = 10;

/// How many of the last lines of QEMU's stderr are shown.
const STDERR: usize = 20;

pub(super) fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Skip => AnsiColor::Cyan,
        Verdict::Fail | Verdict::Crash => AnsiColor::Red,
        Verdict::Timeout | Verdict::NoVerdict => AnsiColor::Magenta,
    };
    color.on_default()
}

/// The whole report.
pub fn text(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match report.sections.as_slice() {
        [only] => table(&mut text, only),
        _ => grid::write(&mut text, report),
    };
    for section in &report.sections {
        for outcome in section
            .outcomes
            .iter()
            .filter(|outcome| outcome.judgement.verdict.is_bad())
        {
            // What is known is told in a line each, with the sum.
            if outcome.known.is_none() {
                text.push('\n');
                text.push_str(&details(section, outcome));
            }
        }
        let _ = skips(&mut text, section);
        let _ = findings(&mut text, section);
        let _ = summary(&mut text, section, report.sections.len() > 1);
    }
    text
}

/// Everything about one run.
pub fn details(section: &Section, outcome: &Outcome) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_details(&mut text, section, outcome);
    text
}

/// Rows are cases, columns are ISAs.
fn table(text: &mut String, section: &Section) -> fmt::Result {
    let width = section
        .outcomes
        .iter()
        .map(|outcome| outcome.run.case.id.len())
        .max()
        .unwrap_or(0);
    let isas = Isa::ALL.into_iter();
    let isas: Vec<Isa> = isas
        .filter(|isa| {
            section
                .outcomes
                .iter()
                .any(|outcome| outcome.run.isa == *isa)
        })
        .collect();
    write!(text, "{BOLD}{:width$}{BOLD:#}", "case")?;
    for isa in &isas {
        write!(
            text,
            "  {BOLD}{isa}{BOLD:#}{:padding$}",
            "",
            padding = COLUMN - isa.name().len()
        )?;
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    for row in section
        .outcomes
        .chunk_by(|a, b| a.run.case.id == b.run.case.id)
    {
        let case = row[0].run.case;
        write!(text, "{:width$}", case.id)?;
        for isa in &isas {
            // Of several runs with different caches, the worst.
            let runs = row.iter().filter(|outcome| outcome.run.isa == *isa);
            match runs.max_by_key(|outcome| severity(outcome.judgement.verdict)) {
                Some(outcome) => {
                    let verdict = outcome.judgement.verdict;
                    let style = style(verdict);
                    let word = word(outcome, section);
                    let padding = COLUMN.saturating_sub(word.len());
                    write!(text, "  {style}{word}{style:#}{:padding$}", "")?;
                }
                None => write!(text, "  {:COLUMN$}", "-")?,
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    Ok(())
}

/// What of several verdicts is shown: the worst, and a pass before a skip.
pub(super) fn severity(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Skip => 0,
        Verdict::Pass => 1,
        Verdict::NoVerdict => 2,
        Verdict::Timeout => 3,
        Verdict::Crash => 4,
        Verdict::Fail => 5,
    }
}

/// A pass that could not have been a fail is marked.
pub(super) fn word(outcome: &Outcome, section: &Section) -> String {
    let verdict = outcome.judgement.verdict;
    let mark = section.undecided(outcome).is_some();
    format!("{verdict}{}", if mark { "*" } else { "" })
}

fn write_details(text: &mut String, section: &Section, outcome: &Outcome) -> fmt::Result {
    let (run, rule) = (&outcome.run, outcome.run.case.rule);
    let verdict = outcome.judgement.verdict;
    let style = style(verdict);
    let under = match run.defect {
        Some(defect) => format!("{}, mutant {defect}", section.bench.target().label()),
        None => section.bench.target().label(),
    };
    writeln!(
        text,
        "{style}{verdict}{style:#} {BOLD}{}{BOLD:#} under {under}",
        run.label()
    )?;
    writeln!(
        text,
        "  rule    {} ({}): {}",
        rule.id,
        rule.kind.name(),
        rule.title
    )?;
    writeln!(text, "  source  {}", rule.source)?;
    writeln!(
        text,
        "  reason  {}",
        outcome.judgement.reason.as_deref().unwrap_or("none")
    )?;
    if let Some(observation) = &outcome.observation {
        side_by_side(text, observation)?;
        let lines: Vec<&str> = observation.stderr.lines().collect();
        let last = &lines[lines.len().saturating_sub(STDERR)..];
        if !last.is_empty() {
            writeln!(text, "  QEMU    {}", last.join("\n          "))?;
        }
    }
    let account = caches::account(section.bench, outcome);
    if !account.is_empty() {
        writeln!(text, "  caches  {}", account.join("\n          "))?;
    }
    if let Some(diff) = outcome
        .comparison
        .as_ref()
        .and_then(|comparison| comparison.diff())
    {
        writeln!(text, "    {}", diff.trim_end().replace('\n', "\n    "))?;
    }
    writeln!(text, "  repeat  {}", section.repeat_command(outcome))?;
    if let Some(dir) = &outcome.log_dir {
        writeln!(text, "  logs    {}", dir.display())?;
    }
    Ok(())
}

/// Steps and wrong checks, expected beside observed; what differs is marked.
fn side_by_side(text: &mut String, observation: &Observation) -> fmt::Result {
    let steps = observation.steps.iter().enumerate().map(|(n, step)| {
        let name = format!("step {n} {}", step.name);
        (
            name,
            counts(step.expected),
            counts(step.observed),
            differs(step.expected, step.observed),
        )
    });
    let wrong = observation.checks.iter().filter(|check| !check.holds());
    let checks = wrong.map(|check| {
        (
            format!("check {}", check.name),
            check.want.clone(),
            check.got.clone(),
            true,
        )
    });
    let rows: Vec<_> = steps.chain(checks).collect();
    let name_width = rows
        .iter()
        .map(|row| row.0.chars().count())
        .max()
        .unwrap_or(0);
    let want_width = rows
        .iter()
        .map(|row| row.1.len())
        .max()
        .unwrap_or(0)
        .max("expected".len());
    if !rows.is_empty() {
        writeln!(
            text,
            "    {:name_width$}  {:want_width$}  observed",
            "", "expected"
        )?;
    }
    for (name, want, got, differs) in rows {
        let mark = if differs { '!' } else { ' ' };
        writeln!(
            text,
            "  {mark} {name:name_width$}  {want:want_width$}  {got}"
        )?;
    }
    let right = observation
        .checks
        .iter()
        .filter(|check| check.holds())
        .count();
    if right > 0 {
        let of = observation.checks.len();
        writeln!(text, "    checks right: {right} of {of}")?;
    }
    Ok(())
}

fn counts(counts: Counts) -> String {
    let flush = counts
        .flush
        .map_or_else(|| "?".to_owned(), |flush| flush.to_string());
    format!(
        "S/W {}, VM registers {}, flushes {flush}",
        counts.set_way, counts.vm_reg
    )
}

fn differs(expected: Counts, observed: Counts) -> bool {
    let flush = observed.flush.is_some() && observed.flush != expected.flush;
    flush || (expected.set_way, expected.vm_reg) != (observed.set_way, observed.vm_reg)
}

/// Why runs were skipped, each reason once.
fn skips(text: &mut String, section: &Section) -> fmt::Result {
    let skipped = section
        .outcomes
        .iter()
        .filter(|it| it.judgement.verdict == Verdict::Skip);
    let mut reasons: Vec<&str> = skipped
        .filter_map(|it| it.judgement.reason.as_deref())
        .collect();
    reasons.dedup();
    for reason in reasons {
        writeln!(text, "skipped: {reason}")?;
    }
    Ok(())
}

/// What was wrong and is the machine's own doing, each reason once.
fn excuses(text: &mut String, section: &Section) -> fmt::Result {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for outcome in section.outcomes {
        let checks = outcome
            .observation
            .iter()
            .flat_map(|observation| &observation.checks);
        for check in checks.filter(|check| !check.is_right()) {
            if let Some(why) = check.excuse.as_deref() {
                reasons.entry(why).or_default().push(format!(
                    "{} {}",
                    outcome.run.label(),
                    check.name
                ));
            }
        }
    }
    for (why, checks) in reasons {
        writeln!(text, "{} wrong values excused: {why}", checks.len())?;
        checks
            .iter()
            .try_for_each(|check| writeln!(text, "    {check}"))?;
    }
    Ok(())
}

/// How many passes there are that could not have been anything else, by what they lack.
fn undecided(section: &Section) -> BTreeMap<&'static str, usize> {
    let mut lacks = BTreeMap::new();
    let all = section.outcomes.iter();
    for lack in all.filter_map(|outcome| section.undecided(outcome)) {
        *lacks.entry(lack).or_default() += 1;
    }
    lacks
}

/// The findings that runs showed again, and how often.
fn findings(text: &mut String, section: &Section) -> fmt::Result {
    let mut shown: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for known in section.outcomes.iter().filter_map(|it| it.known.as_ref()) {
        *shown.entry((&known.id, &known.title)).or_default() += 1;
    }
    for ((id, title), runs) in shown {
        writeln!(
            text,
            "finding {id} in {runs} runs of {}: {title}",
            section.bench.target().label()
        )?;
    }
    Ok(())
}

fn summary(text: &mut String, section: &Section, named: bool) -> fmt::Result {
    let bench = section.bench;
    text.push('\n');
    if named {
        let version = bench.boot.version.as_ref();
        let version = version.map_or_else(String::new, |version| format!(" ({version})"));
        writeln!(text, "{BOLD}{}{BOLD:#}{version}", bench.target().label())?;
    }
    excuses(text, section)?;
    for (lack, cases) in undecided(section) {
        writeln!(
            text,
            "* {cases} passes cannot fail on {}: each {lack}.",
            section.bench.target().machine.name
        )?;
    }
    counted(text, section)?;
    writeln!(text, "{}", caches_used(section))?;
    let made = section.outcomes.len() - section.count(Verdict::Skip);
    let runs = if made == 1 { "run" } else { "runs" };
    let seconds = section.wall.as_secs_f64();
    let rate = if seconds > 0.0 {
        made as f64 / seconds
    } else {
        0.0
    };
    writeln!(
        text,
        "{made} {runs} in {seconds:.1} s ({rate:.1} runs/s) on QEMU {}, {}",
        bench.boot.qemu.version(),
        bench.target().machine.name
    )?;
    let counts = Verdict::ALL.map(|verdict| (verdict, section.count(verdict)));
    let counts = counts
        .into_iter()
        .filter(|(verdict, count)| *count > 0 || *verdict < Verdict::Crash);
    let counts: Vec<String> = counts
        .map(|(verdict, count)| tally(verdict, count))
        .collect();
    writeln!(text, "{}", counts.join(", "))
}

/// Who counted the steps' traps, and how many came out as expected.
fn counted(text: &mut String, section: &Section) -> fmt::Result {
    let observations = section
        .outcomes
        .iter()
        .filter_map(|it| it.observation.as_ref());
    let steps: Vec<_> = observations.flat_map(|it| &it.steps).collect();
    let inside = steps
        .iter()
        .filter(|step| step.hypervisor.is_some())
        .count();
    let agree = steps.iter().filter(|step| {
        let outside = Trapped {
            set_way: step.observed.set_way,
            vm_reg: step.observed.vm_reg,
        };
        step.hypervisor == Some(outside)
    });
    let agree = agree.count();
    let right = steps
        .iter()
        .filter(|step| !differs(step.expected, step.observed));
    let (right, all) = (right.count(), steps.len());
    let name = &section.bench.target().hypervisor.name;
    match (all, inside) {
        (0, _) => Ok(()),
        (_, 0) => writeln!(
            text,
            "counts: {all} steps by QEMU's log; {right} as expected"
        ),
        _ => writeln!(
            text,
            "counts: {all} steps by QEMU's log, {inside} also by {name}, which agree in {agree}; {right} as expected"
        ),
    }
}

/// With which caches runs were made, and how many; or why without.
fn caches_used(section: &Section) -> String {
    let mut used: BTreeMap<Option<Caches>, usize> = BTreeMap::new();
    for outcome in section.outcomes {
        *used.entry(outcome.run.caches).or_default() += 1;
    }
    let kinds: Vec<String> = used
        .iter()
        .filter_map(|(caches, runs)| Some(format!("{} in {runs}", (*caches)?)))
        .collect();
    match (section.bench.without_model(), kinds.len()) {
        (Some(reason), _) => format!("caches: none, no data is judged: {reason}"),
        (None, 0) => "caches: none".to_owned(),
        (None, 1..=8) => format!("caches: {} runs", kinds.join(", ")),
        (None, many) => format!("caches: {many} kinds"),
    }
}

fn tally(verdict: Verdict, count: usize) -> String {
    let word = match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Skip => "skipped",
        Verdict::Crash => "crashed",
        Verdict::Timeout => "timed out",
        Verdict::NoVerdict => "without verdict",
    };
    let style = if count > 0 {
        style(verdict)
    } else {
        Style::new()
    };
    format!("{style}{count} {word}{style:#}")
}
