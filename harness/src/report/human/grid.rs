//! Several targets side by side: rules are rows, targets are columns.

use std::fmt::{self, Write as _};

use setway_report::{RunReport, RunResult, Target, Verdict};

use super::style::{BOLD, end_line, padding, style, worst};
use crate::report::title;

/// The table.
pub fn write(text: &mut String, report: &RunReport) -> fmt::Result {
    let rules = rules(report);
    let titles = report.targets.iter().map(|target| title(report, target));
    let titles: Vec<String> = titles.collect();
    let row = |rule: &&str| {
        let targets = report.targets.iter();
        targets.map(|it| Cell::of(report, it, rule)).collect()
    };
    let cells: Vec<Vec<Cell>> = rules.iter().map(row).collect();
    let first = rules.iter().map(|rule| rule.chars().count());
    let first = first.chain(["rule".len()]).max().unwrap_or(0);
    let widths = titles.iter().enumerate().map(|(column, title)| {
        let cells = cells.iter().map(|row| row[column].text.chars().count());
        cells.chain([title.chars().count()]).max().unwrap_or(0)
    });
    let widths: Vec<usize> = widths.collect();
    write!(text, "{BOLD}rule{BOLD:#}{}", padding("rule", first))?;
    for (title, width) in titles.iter().zip(&widths) {
        write!(text, "  {BOLD}{title}{BOLD:#}{}", padding(title, *width))?;
    }
    end_line(text);
    for (rule, row) in rules.iter().zip(&cells) {
        write!(text, "{rule:first$}")?;
        for (cell, width) in row.iter().zip(&widths) {
            let style = cell.verdict.map(style).unwrap_or_default();
            let padding = padding(&cell.text, *width);
            write!(text, "  {style}{}{style:#}{padding}", cell.text)?;
        }
        end_line(text);
    }
    Ok(())
}

/// The rules that there are results for: those of the report, then those that only its results name.
fn rules(report: &RunReport) -> Vec<&str> {
    let mut rules: Vec<&str> = report.rules.iter().map(|rule| rule.id.as_str()).collect();
    for result in &report.results {
        if !rules.contains(&result.rule.as_str()) {
            rules.push(&result.rule);
        }
    }
    rules
}

/// The verdict on a rule under one target.
struct Cell {
    verdict: Option<Verdict>,
    text: String,
}

impl Cell {
    fn of(report: &RunReport, target: &Target, rule: &str) -> Self {
        let results = report.results_of(target).filter(|it| it.rule == rule);
        let results: Vec<&RunResult> = results.collect();
        let Some((verdict, word)) = worst(results.iter().copied()) else {
            return Self {
                verdict: None,
                text: "-".to_owned(),
            };
        };
        let text = if verdict.is_bad() {
            let red = results.iter().filter(|it| it.verdict.is_bad());
            let made = results.iter().filter(|it| it.is_made()).count();
            let is_known = red.clone().all(|it| it.finding.is_some());
            let known = if is_known { " known" } else { "" };
            format!("{verdict} {}/{made}{known}", red.count())
        } else {
            word
        };
        Self {
            verdict: Some(verdict),
            text,
        }
    }
}
