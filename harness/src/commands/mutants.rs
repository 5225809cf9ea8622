//! `setway mutants`.

use std::fmt::{self, Write as _};

use setway_policy::Mutant;
use setway_report::{MUTANTS_SCHEMA, MutantError, MutantsReport};

use crate::{
    bench::{
        self, Bench,
        mutants::{self, Kill, Matrix, kills::Kills, matrix, order},
    },
    catalog::{Catalog, Unknown, hypervisor},
    cli::{ListFormat, MutantsArgs},
    commands::Error,
    judge::Judgement,
    plan::Run,
    report::{document, text::printable},
    workspace::Workspace,
};

/// Makes the kill matrix.
pub fn mutants(
    workspace: &Workspace,
    catalog: &Catalog,
    args: &MutantsArgs,
) -> Result<bool, Error> {
    let chosen = select(&args.filters)?;
    let all = Run::all();
    let target = catalog.target(hypervisor::DEFAULT)?;
    let (qemu, caches) = (args.engine.qemu.as_deref(), args.engine.caches.as_ref());
    let (mut bench, with_caches) = Bench::prepare(workspace, catalog, target, qemu, caches, &all)?;
    let runs = match caches {
        Some(_) => with_caches,
        None => mutants::runs(&bench),
    };
    let elsewhere = mutants::by_machine(&chosen);
    let chosen = mutants::judged(&bench, chosen);
    bench.limits.time = args.engine.timeout.unwrap_or(bench.limits.time);

    let workers = args.engine.workers();
    // Only all mutants together can say that a case kills none.
    let is_everything = args.filters.is_empty();
    let mut matrix = if args.all {
        matrix::whole(&bench, &chosen, &runs, workers).map_err(bench::Error::from)?
    } else {
        mutants::hunted(&bench, &chosen, &runs, workers, is_everything)?
    };
    for (machine, chosen) in elsewhere {
        let target = catalog.target(&format!("{}@{machine}", hypervisor::DEFAULT))?;
        let (mut there, _) = Bench::prepare(workspace, catalog, target, qemu, None, &all)?;
        there.limits.time = bench.limits.time;
        let runs = mutants::runs_on(&there);
        matrix.add(mutants::hunted(&there, &chosen, &runs, workers, false)?);
    }
    if !is_everything {
        matrix.idle.clear();
        matrix.not_judged.clear();
    }
    if args.bless {
        let mut kills = Kills::read(workspace)?;
        kills.learn(&matrix, |run| order::cost(run, bench.obligations.as_ref()));
        kills.write(workspace)?;
    }
    let report = report(&matrix, bench.without_model());
    super::print(&match args.format {
        ListFormat::Json => document::to_text(&report)?,
        ListFormat::Human => human(&report),
    })?;
    let wrong = [
        report.survivors.len(),
        report.idle_cases.len(),
        report.red_without_defect.len(),
        report.errors.len(),
    ];
    Ok(wrong == [0; 4])
}

fn select(filters: &[String]) -> Result<Vec<Mutant>, Unknown> {
    let matches = |mutant: &Mutant, filter: &String| mutant.name().contains(filter.as_str());
    for filter in filters {
        if !Mutant::ALL.iter().any(|mutant| matches(mutant, filter)) {
            let known = Mutant::ALL.iter().map(|mutant| mutant.name().to_owned());
            return Err(Unknown::new("mutant", filter, known));
        }
    }
    let chosen = Mutant::ALL.iter().filter(|mutant| {
        filters.is_empty() || filters.iter().any(|filter| matches(mutant, filter))
    });
    Ok(chosen.copied().collect())
}

/// The kill matrix as a report.
fn report(matrix: &Matrix, without_model: Option<&str>) -> MutantsReport {
    let ids = |cases: &[&'static setway_cases::Case]| {
        let ids = cases.iter().map(|case| case.id.to_owned());
        ids.collect()
    };
    let mutants = matrix.fates.iter().map(|fate| setway_report::Mutant {
        name: fate.mutant.name().to_owned(),
        defect: fate.mutant.defect().to_owned(),
        shows: fate.mutant.shows().name().to_owned(),
        killed_by: fate.killers.iter().map(|kill| kill.run.label()).collect(),
        kills: fate.killers.iter().map(kill).collect(),
        otherwise: fate.otherwise.iter().map(kill).collect(),
    });
    let errors = matrix.errors.iter().map(|(run, judgement)| MutantError {
        mutant: run.mutant_name().to_owned(),
        run: run.label(),
        reason: judgement.reason.clone(),
    });
    MutantsReport {
        schema: MUTANTS_SCHEMA.to_owned(),
        mutants: mutants.collect(),
        survivors: matrix.survivors().map(|it| it.name().to_owned()).collect(),
        idle_cases: ids(&matrix.idle),
        not_judged_cases: ids(&matrix.not_judged),
        red_without_defect: matrix.red.iter().map(|(run, _)| run.label()).collect(),
        red: matrix.red.iter().map(red).collect(),
        errors: errors.collect(),
        quick: !matrix.is_whole,
        without_cache_model: without_model.map(str::to_owned),
        patches: Vec::new(),
    }
}

/// A run that kills, as reports have it.
pub(super) fn kill(kill: &Kill) -> setway_report::Kill {
    let signs = kill.signs.iter().map(|sign| sign.name().to_owned());
    setway_report::Kill {
        signs: signs.collect(),
        ..red(&(kill.run, kill.judgement.clone()))
    }
}

fn red((run, judgement): &(Run, Judgement)) -> setway_report::Kill {
    setway_report::Kill {
        run: run.label(),
        case: run.case.id.to_owned(),
        rule: run.case.rule.id.to_owned(),
        isa: run.isa.name().to_owned(),
        caches: run.caches.map(|caches| caches.to_string()),
        verdict: judgement.verdict,
        reason: judgement.reason.clone(),
        signs: Vec::new(),
    }
}

/// The report for people.
fn human(report: &MutantsReport) -> String {
    let mut text = String::new();
    let report = printable(report);
    write(&mut text, &report).expect("writing to a string cannot fail");
    text
}

fn write(text: &mut String, report: &MutantsReport) -> fmt::Result {
    for mutant in &report.mutants {
        writeln!(text, "{}: {}", mutant.name, mutant.defect)?;
        match mutant.kills.first() {
            None => survives(text, mutant)?,
            Some(kill) if report.quick => {
                let reason = kill.reason.as_deref().unwrap_or_default();
                writeln!(text, "  killed by {}: {}: {reason}", kill.run, kill.verdict)?;
            }
            Some(_) => killers(text, &mutant.kills)?,
        }
    }
    for (what, list) in [
        ("cases that kill no mutant", &report.idle_cases),
        (
            "cases that cannot fail on this machine, see `setway list`",
            &report.not_judged_cases,
        ),
        ("survivors", &report.survivors),
    ] {
        if !list.is_empty() {
            writeln!(text, "\n{what}: {}", list.join(" "))?;
        }
    }
    for red in &report.red {
        let (verdict, run) = (red.verdict, &red.run);
        let reason = red.reason.as_deref().unwrap_or_default();
        writeln!(text, "\n{verdict} without any defect: {run}: {reason}")?;
    }
    for MutantError {
        mutant,
        run,
        reason,
    } in &report.errors
    {
        let reason = reason.as_deref().unwrap_or_default();
        writeln!(
            text,
            "\nerror, which kills nothing: {run} with {mutant}: {reason}"
        )?;
    }
    if let Some(reason) = &report.without_cache_model {
        writeln!(
            text,
            "\nmutants that only wrong data can show are left out, without the cache model: {reason}"
        )?;
    }
    let all = report.mutants.len();
    let killed = all - report.survivors.len();
    writeln!(text, "\n{killed} of {all} mutants killed")
}

/// That nothing killed a mutant, and what noticed it all the same.
fn survives(text: &mut String, mutant: &setway_report::Mutant) -> fmt::Result {
    writeln!(text, "  SURVIVES")?;
    let Some(kill) = mutant.otherwise.first() else {
        return Ok(());
    };
    let reason = kill.reason.as_deref().unwrap_or_default();
    writeln!(
        text,
        "  it must show in {}, and {} runs show it in something else, as {} does in {}: {}: {reason}",
        mutant.shows,
        mutant.otherwise.len(),
        kill.run,
        kill.signs.join(" and "),
        kill.verdict
    )
}

/// The killers of one mutant, one line per case.
fn killers(text: &mut String, kills: &[setway_report::Kill]) -> fmt::Result {
    for case in kills.chunk_by(|a, b| a.case == b.case) {
        let verdicts = case.iter().map(|kill| match &kill.caches {
            Some(caches) => format!("{} [{caches}] {}", kill.isa, kill.verdict),
            None => format!("{} {}", kill.isa, kill.verdict),
        });
        let verdicts: Vec<String> = verdicts.collect();
        writeln!(text, "  {:<16} {}", case[0].case, verdicts.join(", "))?;
    }
    Ok(())
}
