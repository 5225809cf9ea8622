//! One target: cases are rows, instruction sets are columns.

use std::fmt::{self, Write as _};

use setway_report::{RunReport, RunResult};

use super::style::{BOLD, end_line, padding, style, worst};

/// The width of a column: that of the longest verdict, `no_verdict`.
const COLUMN: usize = 10;

/// The instruction sets, in the order of columns.
const ISAS: [&str; 3] = ["a64", "a32", "t32"];

/// The table.
pub fn write(text: &mut String, report: &RunReport) -> fmt::Result {
    let results = &report.results;
    let widths = results.iter().map(|it| it.case.chars().count());
    let width = widths.max().unwrap_or(0);
    let isas = columns(results);
    write!(text, "{BOLD}case{BOLD:#}{}", padding("case", width))?;
    for isa in &isas {
        write!(text, "  {BOLD}{isa}{BOLD:#}{}", padding(isa, COLUMN))?;
    }
    end_line(text);
    for row in results.chunk_by(|a, b| a.case == b.case) {
        write!(text, "{:width$}", row[0].case)?;
        for isa in &isas {
            // Of several runs with different caches, the worst.
            let runs = row.iter().filter(|result| result.isa == *isa);
            match worst(runs) {
                Some((verdict, word)) => {
                    let style = style(verdict);
                    write!(text, "  {style}{word}{style:#}{}", padding(&word, COLUMN))?;
                }
                None => write!(text, "  {:COLUMN$}", "-")?,
            }
        }
        end_line(text);
    }
    Ok(())
}

/// The instruction sets that there are results for.
fn columns(results: &[RunResult]) -> Vec<&str> {
    let used = |isa: &&str| results.iter().any(|result| result.isa == **isa);
    let mut columns: Vec<&str> = ISAS.into_iter().filter(used).collect();
    for result in results {
        if !columns.contains(&result.isa.as_str()) {
            columns.push(&result.isa);
        }
    }
    columns
}
