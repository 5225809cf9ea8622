//! How verdicts look.

use anstyle::{AnsiColor, Style};
use setway_report::{RunResult, Verdict};

/// Headings.
pub const BOLD: Style = Style::new().bold();

/// The colour of a verdict.
pub fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Skip => AnsiColor::Cyan,
        Verdict::Fail | Verdict::Crash => AnsiColor::Red,
        Verdict::Timeout | Verdict::NoVerdict => AnsiColor::Magenta,
    };
    color.on_default()
}

/// Which of several verdicts is shown: the one with the highest rank. A pass goes before a skip.
fn rank(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Skip => 0,
        Verdict::Pass => 1,
        Verdict::NoVerdict => 2,
        Verdict::Timeout => 3,
        Verdict::Crash => 4,
        Verdict::Fail => 5,
    }
}

/// The word for the worst of several verdicts; a pass is marked if any of them could not have been a failure. `None` if
/// there are none.
pub fn worst<'a>(results: impl IntoIterator<Item = &'a RunResult>) -> Option<(Verdict, String)> {
    let rank = |it: &&RunResult| (rank(it.verdict), it.is_vacuous());
    let worst = results.into_iter().max_by_key(rank)?;
    let mark = if worst.is_vacuous() { "*" } else { "" };
    Some((worst.verdict, format!("{}{mark}", worst.verdict)))
}

/// Removes the spaces at the end of the last line, and ends it.
pub fn end_line(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

/// Spaces that make `text` as wide as `width`.
pub fn padding(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.chars().count()))
}

/// `count` and what it counts.
pub fn plural(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_not_hidden_by_a_pass_without() {
        let json = include_str!("../../../tests/report/fixtures/one-target.json");
        let report: setway_report::RunReport = serde_json::from_str(json).expect("a report");
        let pass = |lack: Option<&str>| RunResult {
            verdict: Verdict::Pass,
            undecided: lack.map(str::to_owned),
            ..report.results[0].clone()
        };
        let (marked, plain) = (pass(Some("needs caches")), pass(None));
        for both in [[&marked, &plain], [&plain, &marked]] {
            assert_eq!(worst(both), Some((Verdict::Pass, "pass*".to_owned())));
        }
        assert_eq!(worst([&plain]), Some((Verdict::Pass, "pass".to_owned())));
        assert_eq!(worst([]), None);
    }
}
