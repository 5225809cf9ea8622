//! Several hypervisors side by side: rules are rows, hypervisors are columns.

use std::fmt::{self, Write as _};

use setway_cases::{RULES, Rule};

use super::{Report, Section, human};
use crate::{bench::Outcome, judge::Verdict};

/// The table.
pub fn write(text: &mut String, report: &Report) -> fmt::Result {
    let bold = human::BOLD;
    let rules: Vec<&Rule> = RULES
        .iter()
        .copied()
        .filter(|rule| {
            report
                .sections
                .iter()
                .any(|it| of(it, rule).next().is_some())
        })
        .collect();
    let labels: Vec<String> = report
        .sections
        .iter()
        .map(|section| section.bench.target().label())
        .collect();
    let first = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let cells: Vec<Vec<Cell>> = rules
        .iter()
        .map(|rule| {
            report
                .sections
                .iter()
                .map(|it| Cell::of(it, rule))
                .collect()
        })
        .collect();
    let widths: Vec<usize> = (0..labels.len())
        .map(|column| {
            let cells = cells.iter().map(|row| row[column].text.chars().count());
            cells.chain([labels[column].len()]).max().unwrap_or(0)
        })
        .collect();
    write!(text, "{bold}{:first$}{bold:#}", "rule")?;
    for (label, width) in labels.iter().zip(&widths) {
        write!(
            text,
            "  {bold}{label}{bold:#}{:1$}",
            "",
            width - label.len()
        )?;
    }
    end_line(text);
    for (rule, row) in rules.iter().zip(&cells) {
        write!(text, "{:first$}", rule.id)?;
        for (cell, width) in row.iter().zip(&widths) {
            let style = cell.verdict.map(human::style).unwrap_or_default();
            let padding = width - cell.text.chars().count();
            write!(text, "  {style}{}{style:#}{:padding$}", cell.text, "")?;
        }
        end_line(text);
    }
    Ok(())
}

fn end_line(text: &mut String) {
    text.truncate(text.trim_end().len());
    text.push('\n');
}

/// What a rule comes to under one hypervisor.
struct Cell {
    verdict: Option<Verdict>,
    text: String,
}

/// The runs of a section that test `rule`.
fn of<'a>(section: &'a Section, rule: &Rule) -> impl Iterator<Item = &'a Outcome> {
    let outcomes = section.outcomes.iter();
    outcomes.filter(move |outcome| outcome.run.case.rule.id == rule.id)
}

impl Cell {
    fn of(section: &Section, rule: &Rule) -> Self {
        let worst = of(section, rule).max_by_key(|it| human::severity(it.judgement.verdict));
        let Some(worst) = worst else {
            return Self {
                verdict: None,
                text: "-".to_owned(),
            };
        };
        let verdict = worst.judgement.verdict;
        if !verdict.is_bad() {
            return Self {
                verdict: Some(verdict),
                text: human::word(worst, section),
            };
        }
        let red = || of(section, rule).filter(|it| it.judgement.verdict.is_bad());
        let made = of(section, rule).filter(|it| it.judgement.verdict != Verdict::Skip);
        let known = red().all(|it| it.known.is_some());
        Self {
            verdict: Some(verdict),
            text: format!(
                "{verdict} {}/{}{}",
                red().count(),
                made.count(),
                if known { " known" } else { "" }
            ),
        }
    }
}
