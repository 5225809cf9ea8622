//! The end of the report: what qualifies the verdicts, what was tested, and the sums of each target.

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use anstyle::Style;
use setway_report::{Artifact, RunReport, RunResult, Step, Target, Totals, Verdict, Witnessed};

use super::{
    cost, notes,
    style::{BOLD, plural, style},
    tested,
};
use crate::report::{exit_note, title};

/// The summary.
pub fn write(text: &mut String, report: &RunReport) -> fmt::Result {
    notes::skips(text, report)?;
    notes::findings(text, report)?;
    notes::excuses(text, report)?;
    notes::lost_boots(text, report)?;
    let shared = tested::shared_artifacts(report);
    tested::origins(text, report)?;
    tested::hashes(text, &shared)?;
    for target in &report.targets {
        if report.targets.len() > 1 {
            let version = target.hypervisor_version.as_ref();
            let version = version.map_or_else(String::new, |version| format!(" ({version})"));
            writeln!(text, "\n{BOLD}{}{BOLD:#}{version}", title(report, target))?;
        }
        sums(text, report, target, &shared)?;
    }
    match exit_note(report) {
        Some(note) => writeln!(text, "{note}"),
        None => Ok(()),
    }
}

/// The sums of one target.
fn sums(
    text: &mut String,
    report: &RunReport,
    target: &Target,
    shared: &[&Artifact],
) -> fmt::Result {
    let results: Vec<&RunResult> = report.results_of(target).collect();
    let mut lacks: BTreeMap<&str, usize> = BTreeMap::new();
    for lack in results.iter().filter_map(|it| it.undecided.as_deref()) {
        *lacks.entry(lack).or_default() += 1;
    }
    for (lack, passes) in lacks {
        let machine = &target.machine;
        let (passes, are, each) = match passes {
            1 => ("1 pass".to_owned(), "is", "it"),
            many => (format!("{many} passes"), "are", "each"),
        };
        writeln!(
            text,
            "* {passes} {are} vacuous on {machine}: {each} {lack}."
        )?;
    }
    counted(text, target, &results)?;
    cost::write(text, &results)?;
    writeln!(text, "{}", caches_used(target, &results))?;
    let own = target.artifacts.iter().filter(|it| !shared.contains(it));
    tested::hashes(text, &own.collect::<Vec<_>>())?;
    let totals = Totals::of(results.iter().copied());
    let runs = plural(totals.made as usize, "run");
    let seconds = target.wall_ms as f64 / 1000.0;
    let rate = if seconds > 0.0 {
        totals.made as f64 / seconds
    } else {
        0.0
    };
    let (qemu, machine) = (&target.qemu, &target.machine);
    writeln!(
        text,
        "{runs} in {seconds:.1} s ({rate:.1} runs/s) on QEMU {qemu}, {machine}"
    )?;
    writeln!(text, "{}", tally(&results, totals))
}

/// How many steps are as expected, and for each kind of count, who counted it and how many agree.
fn counted(text: &mut String, target: &Target, results: &[&RunResult]) -> fmt::Result {
    let observed = results.iter().filter_map(|it| it.observed.as_ref());
    let steps: Vec<&Step> = observed.flat_map(|it| &it.steps).collect();
    if steps.is_empty() {
        return Ok(());
    }
    let right = steps.iter().filter(|step| !step.differs()).count();
    let all = steps.len();
    writeln!(text, "counts: {right} of {all} steps as expected")?;
    let traps = witnessed(target, &steps, |it| Some((it.set_way?, it.vm_reg?)));
    // Documents from before witnesses were named do not give who counted flushes.
    let named: Vec<&Step> = steps
        .iter()
        .copied()
        .filter(|it| !it.witnesses.is_empty())
        .collect();
    let flushes = witnessed(target, &named, |it| Some((it.flush?, 0)));
    for (what, by) in [("traps", traps), ("flushes", flushes)] {
        if !by.is_empty() {
            writeln!(text, "        {what} counted by {}", by.join("; by "))?;
        }
    }
    Ok(())
}

/// For each set of witnesses of what `get` takes out of their accounts: who they are, in how many steps, and in how many
/// they agree.
fn witnessed(
    target: &Target,
    steps: &[&Step],
    get: fn(&Witnessed) -> Option<(u64, u64)>,
) -> Vec<String> {
    let mut groups: Vec<(Vec<String>, usize, usize)> = Vec::new();
    for accounts in steps.iter().map(|step| step.accounts()) {
        let heard: Vec<_> = accounts
            .iter()
            .filter_map(|it| Some((it, get(it)?)))
            .collect();
        let who: Vec<String> = heard.iter().map(|(it, _)| it.witness.clone()).collect();
        let agree = usize::from(heard.windows(2).all(|pair| pair[0].1 == pair[1].1));
        match groups.iter_mut().find(|(known, ..)| *known == who) {
            Some((_, all, agreeing)) => {
                *all += 1;
                *agreeing += agree;
            }
            None => groups.push((who, 1, agree)),
        }
    }
    let named = |who: &str| match who {
        "the hypervisor" => target.hypervisor.clone(),
        other => other.to_owned(),
    };
    let line = |(who, all, agree): (Vec<String>, usize, usize)| match who.as_slice() {
        [] => format!("no witness in {all}"),
        [one] => format!("{} alone in {all}", named(one)),
        several => {
            let names: Vec<String> = several.iter().map(|who| named(who)).collect();
            format!("{} in {all}, which agree in {agree}", names.join(" and "))
        }
    };
    groups.into_iter().map(line).collect()
}

/// With which schedules runs were made, and how many; or why without the cache model.
fn caches_used(target: &Target, results: &[&RunResult]) -> String {
    let mut used: Vec<(&str, usize)> = Vec::new();
    for caches in results.iter().filter_map(|it| it.caches.as_deref()) {
        match used.iter_mut().find(|(name, _)| *name == caches) {
            Some((_, runs)) => *runs += 1,
            None => used.push((caches, 1)),
        }
    }
    let kinds: Vec<String> = used
        .iter()
        .map(|(caches, runs)| format!("{caches} in {runs}"))
        .collect();
    match (&target.without_cache_model, kinds.len()) {
        (Some(reason), _) => format!("caches: none, no data is judged: {reason}"),
        (None, 0) => "caches: none".to_owned(),
        (None, 1..=8) => {
            let one = used.last().is_some_and(|(_, runs)| *runs == 1);
            let runs = if one { "run" } else { "runs" };
            format!("caches: {} {runs}", kinds.join(", "))
        }
        (None, many) => format!("caches: {many} schedules"),
    }
}

/// How many runs have each verdict, and what qualifies these.
fn tally(results: &[&RunResult], totals: Totals) -> String {
    let words = Verdict::ALL.into_iter().filter_map(|verdict| {
        let runs = results.iter().filter(|it| it.verdict == verdict);
        let count = runs.clone().count();
        let known = runs.filter(|it| it.finding.is_some()).count();
        let (qualified, quality) = match verdict {
            Verdict::Pass => (totals.vacuous as usize, "vacuous"),
            _ => (known, "known"),
        };
        let style = if count > 0 {
            style(verdict)
        } else {
            Style::new()
        };
        let qualified = match qualified {
            0 => String::new(),
            some => format!(" ({some} {quality})"),
        };
        let always = verdict < Verdict::Crash;
        (count > 0 || always)
            .then(|| format!("{style}{count} {}{style:#}{qualified}", past(verdict)))
    });
    let words: Vec<String> = words.collect();
    let excused = match totals.excused {
        0 => String::new(),
        values => format!("; {} excused", plural(values as usize, "wrong value")),
    };
    words.join(", ") + &excused
}

/// What runs with a verdict have done.
fn past(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Skip => "skipped",
        Verdict::Crash => "crashed",
        Verdict::Timeout => "timed out",
        Verdict::NoVerdict => "without verdict",
    }
}
