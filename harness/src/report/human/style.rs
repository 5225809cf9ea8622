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
pub fn rank(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Skip => 0,
        Verdict::Pass => 1,
        Verdict::NoVerdict => 2,
        Verdict::Timeout => 3,
        Verdict::Crash => 4,
        Verdict::Fail => 5,
    }
}

/// The verdict's word; a pass that could not have been a failure is marked.
pub fn word(result: &RunResult) -> String {
    let mark = if result.is_vacuous() { "*" } else { "" };
    format!("{}{mark}", result.verdict)
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
