//! What guests waited for, in one line for each target.

use std::fmt::{self, Write as _};

use setway_report::{RunResult, Step};

/// The kinds of trap, as reports have them, and what people call them.
const KINDS: [(&str, &str); 4] = [
    ("set-way", "a set/way op"),
    ("vm-register", "a write of a VM register"),
    ("set-way-flush", "a set/way op that flushes"),
    ("toggle", "a toggle"),
];

/// How many instructions each kind of trap cost, and how many lines a flush had; nothing where nobody counted them.
pub fn write(text: &mut String, results: &[&RunResult]) -> fmt::Result {
    let observed = results.iter().filter_map(|it| it.observed.as_ref());
    let steps: Vec<&Step> = observed.flat_map(|it| &it.steps).collect();
    let kinds = KINDS.iter().filter_map(|(kind, name)| {
        let costs = steps.iter().flat_map(|step| &step.costs);
        let costs: Vec<_> = costs.filter(|cost| cost.of == *kind).collect();
        let traps: u64 = costs.iter().map(|cost| cost.traps).sum();
        let total: u64 = costs.iter().map(|cost| cost.total).sum();
        let least = costs.iter().map(|cost| cost.least).min()?;
        let most = costs.iter().map(|cost| cost.most).max()?;
        let mean = total / traps.max(1);
        Some(format!("{mean} for {name} ({least} to {most})"))
    });
    let kinds: Vec<String> = kinds.collect();
    if kinds.is_empty() {
        return Ok(());
    }
    writeln!(text, "cost: instructions, {}", kinds.join(", "))?;
    let maintained = steps.iter().filter_map(|step| step.maintained);
    let (flushes, lines, twice) = maintained.fold((0, 0, 0), |(flushes, lines, twice), it| {
        (flushes + it.flushes, lines + it.lines, twice + it.twice)
    });
    if let Some(each) = u64::checked_div(lines, flushes) {
        writeln!(
            text,
            "      {each} lines for each flush; {twice} ops on lines that it had maintained"
        )?;
    }
    Ok(())
}
