//! `setway mutants`.

use std::fmt::{self, Write as _};

use setway_policy::Mutant;
use setway_report::{Kill, MUTANTS_SCHEMA, MutantError, MutantsReport};

use crate::{
    bench::{
        self, Bench,
        mutants::{self, Matrix},
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
    let chosen = mutants::judged(&bench, chosen);
    bench.limits.time = args.engine.timeout.unwrap_or(bench.limits.time);

    let workers = args.engine.workers();
    let mut matrix = if args.quick {
        mutants::quick(&bench, &chosen, &runs, workers)?
    } else {
        mutants::full(&bench, &chosen, &runs, workers).map_err(bench::Error::from)?
    };
    if !args.filters.is_empty() {
        // Only all mutants together can say that a case kills none.
        matrix.idle.clear();
        matrix.not_judged.clear();
    }
    if args.bless {
        mutants::remember(workspace, &matrix)?;
    }
    let report = report(&matrix, args.quick, bench.without_model());
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
fn report(matrix: &Matrix, quick: bool, without_model: Option<&str>) -> MutantsReport {
    let ids = |cases: &[&'static setway_cases::Case]| {
        let ids = cases.iter().map(|case| case.id.to_owned());
        ids.collect()
    };
    let labels = |runs: &[(Run, Judgement)]| runs.iter().map(|(run, _)| run.label()).collect();
    let mutants = matrix.fates.iter().map(|fate| setway_report::Mutant {
        name: fate.mutant.name().to_owned(),
        defect: fate.mutant.defect().to_owned(),
        killed_by: labels(&fate.killers),
        kills: fate.killers.iter().map(kill).collect(),
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
        red_without_defect: labels(&matrix.red),
        red: matrix.red.iter().map(kill).collect(),
        errors: errors.collect(),
        quick,
        without_cache_model: without_model.map(str::to_owned),
    }
}

fn kill((run, judgement): &(Run, Judgement)) -> Kill {
    Kill {
        run: run.label(),
        case: run.case.id.to_owned(),
        isa: run.isa.name().to_owned(),
        caches: run.caches.map(|caches| caches.to_string()),
        verdict: judgement.verdict,
        reason: judgement.reason.clone(),
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
            None => writeln!(text, "  SURVIVES")?,
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

/// The killers of one mutant, one line per case.
fn killers(text: &mut String, kills: &[Kill]) -> fmt::Result {
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
