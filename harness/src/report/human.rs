//! The report that people read: a table of verdicts, then each red run in detail, then what qualifies the verdicts,
//! then the sums.

mod cost;
mod details;
mod grid;
mod notes;
pub(super) mod style;
mod summary;
mod table;
mod tested;

use std::fmt::{self, Write as _};

use setway_report::{RunReport, RunResult};

use super::text::printable;

pub use details::counts;

/// The whole report.
pub fn text(report: &RunReport) -> String {
    let report = printable(report);
    written(|text| whole(text, &report))
}

/// Everything about one run.
pub fn details(report: &RunReport, result: &RunResult) -> String {
    let (report, result) = (printable(report), printable(result));
    written(|text| details::write(text, &report, &result))
}

/// What `write` writes.
fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    write(&mut text).expect("writing to a string cannot fail");
    text
}

fn whole(text: &mut String, report: &RunReport) -> fmt::Result {
    match report.targets.len() {
        0 | 1 => table::write(text, report)?,
        _ => grid::write(text, report)?,
    }
    // What is known has one line for each finding, below.
    let red = report.results.iter().filter(|it| it.verdict.is_bad());
    for result in red.filter(|it| it.finding.is_none()) {
        writeln!(text)?;
        details::write(text, report, result)?;
    }
    writeln!(text)?;
    summary::write(text, report)
}
