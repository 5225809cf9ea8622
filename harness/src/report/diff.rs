//! What changed from one report to another: verdicts, reasons and counts, but not times or addresses of code.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use anstyle::{AnsiColor, Style};
use setway_report::{RunReport, RunResult};

use super::{human, text::printable};

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Runs that are not the same, and in what, in the order of the new report; then those that it does not have.
    pub runs: Vec<(String, Vec<Change>)>,
    /// How many runs are the same.
    pub same: usize,
}

/// A value that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is a value of.
    pub what: String,
    /// Its value in the old report; `None` if that does not have it.
    pub old: Option<String>,
    /// Its value in the new report; `None` if that does not have it.
    pub new: Option<String>,
}

/// All that is compared of a run, by name.
type Values = BTreeMap<String, String>;

/// Compares two reports, run by run.
pub fn changes(old: &RunReport, new: &RunReport) -> Changes {
    let (old, new) = (printable(old), printable(new));
    // A run on another QEMU is the same run, unless a report has several QEMUs.
    let qemus = [&old, &new].into_iter().any(has_several_qemus);
    let mut before = runs(&old, qemus);
    let mut changes = Changes::default();
    for (name, result) in runs(&new, qemus) {
        let old = before.iter().position(|(old, _)| *old == name);
        let old = old.map(|at| before.remove(at).1);
        changes.add(name, old, Some(result));
    }
    for (name, result) in before {
        changes.add(name, Some(result), None);
    }
    changes
}

/// Whether one target is in a report with several QEMUs.
fn has_several_qemus(report: &RunReport) -> bool {
    let targets = || report.targets.iter();
    targets().any(|a| targets().any(|b| a.label == b.label && a.qemu != b.qemu))
}

/// The runs of a report, by name.
fn runs(report: &RunReport, qemus: bool) -> Vec<(String, &RunResult)> {
    let name = |result: &RunResult| {
        let name = format!("{} under {}", result.label(), result.under());
        if qemus {
            format!("{name} on QEMU {}", result.qemu)
        } else {
            name
        }
    };
    let results = report.results.iter();
    results.map(|result| (name(result), result)).collect()
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn add(&mut self, name: String, old: Option<&RunResult>, new: Option<&RunResult>) {
        let (old, new) = (old.map(values), new.map(values));
        let changes = match (old, new) {
            (Some(old), Some(new)) => compare(&old, &new),
            (old, new) => {
                // A run that only one has is shown by its verdict alone.
                let verdict = |values: Option<Values>| values?.remove("verdict");
                vec![Change {
                    what: "verdict".to_owned(),
                    old: verdict(old),
                    new: verdict(new),
                }]
            }
        };
        if changes.is_empty() {
            self.same += 1;
        } else {
            self.runs.push((name, changes));
        }
    }
}

fn compare(old: &Values, new: &Values) -> Vec<Change> {
    let only_old = old.keys().filter(|what| !new.contains_key(*what));
    let names = new.keys().chain(only_old);
    let differs = names.filter(|what| old.get(*what) != new.get(*what));
    let change = |what: &String| Change {
        what: what.clone(),
        old: old.get(what).cloned(),
        new: new.get(what).cloned(),
    };
    let mut changes: Vec<Change> = differs.map(change).collect();
    // The verdict first, then its reason.
    changes.sort_by_key(|change| match change.what.as_str() {
        "verdict" => 0,
        "reason" => 1,
        _ => 2,
    });
    changes
}

/// What is compared of a run.
fn values(result: &RunResult) -> Values {
    let mut values = Values::from([("verdict".to_owned(), result.verdict.to_string())]);
    let finding = result.finding.as_ref().map(|it| it.id.clone());
    let texts = [
        ("reason", &result.reason),
        ("finding", &finding),
        ("vacuous", &result.undecided),
    ];
    for (what, text) in texts {
        if let Some(text) = text {
            values.insert(what.to_owned(), text.clone());
        }
    }
    let Some(observed) = &result.observed else {
        return values;
    };
    for (n, step) in observed.steps.iter().enumerate() {
        let name = format!("step {n} {}", step.name);
        values.insert(format!("{name}: expected"), human::counts(step.expected));
        values.insert(format!("{name}: observed"), human::counts(step.observed));
    }
    for check in &observed.checks {
        let excused = if check.is_excused() { ", excused" } else { "" };
        let mut name = format!("check {}", check.name);
        // A guest may compare the same thing several times.
        while values.contains_key(&name) {
            name += " (again)";
        }
        values.insert(name, format!("{} for {}{excused}", check.got, check.want));
    }
    for (register, count) in &observed.registers {
        values.insert(format!("traps of {register}"), count.to_string());
    }
    if let Some(account) = &observed.hypervisor {
        values.insert("flushes in all".to_owned(), account.flushes.to_string());
    }
    values
}

/// The changes for people.
pub fn text(changes: &Changes) -> String {
    let mut text = String::new();
    write(&mut text, changes).expect("writing to a string cannot fail");
    text
}

fn write(text: &mut String, changes: &Changes) -> fmt::Result {
    let bold = Style::new().bold();
    let (red, green) = (AnsiColor::Red.on_default(), AnsiColor::Green.on_default());
    for (name, changes) in &changes.runs {
        writeln!(text, "{bold}{name}{bold:#}")?;
        for Change { what, old, new } in changes {
            writeln!(text, "  {what}")?;
            let none = "none";
            let (old, new) = (
                old.as_deref().unwrap_or(none),
                new.as_deref().unwrap_or(none),
            );
            writeln!(text, "  {red}- {old}{red:#}")?;
            writeln!(text, "  {green}+ {new}{green:#}")?;
        }
    }
    let differ = changes.runs.len();
    writeln!(text, "{differ} runs differ, {} are the same", changes.same)
}
