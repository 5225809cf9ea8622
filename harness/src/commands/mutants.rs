//! `setway mutants`.

use std::fmt::Write as _;

use serde::Serialize;
use setway_policy::Mutant;

use crate::{
    bench::{
        Bench,
        mutants::{self, Fate, Matrix},
    },
    catalog::{Catalog, Unknown, hypervisor},
    cli::{ListFormat, MutantsArgs},
    commands::Error,
    plan::Run,
    report::json,
    workspace::Workspace,
};

/// The schema `setway.mutants/1`.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    mutants: Vec<Entry>,
    survivors: Vec<&'static str>,
    idle_cases: Vec<&'static str>,
    not_judged_cases: Vec<&'static str>,
    red_without_defect: Vec<String>,
    errors: Vec<ErrorEntry>,
}

/// A run that says nothing about its mutant, because what went wrong is not the mutant's doing.
#[derive(Serialize)]
struct ErrorEntry {
    mutant: &'static str,
    run: String,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    defect: &'static str,
    killed_by: Vec<String>,
}

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
    let mut matrix = match args.quick {
        true => mutants::quick(&bench, &chosen, &runs, workers)?,
        false => mutants::full(&bench, &chosen, &runs, workers),
    };
    if !args.filters.is_empty() {
        // Only all mutants together can say that a case kills none.
        matrix.idle.clear();
        matrix.not_judged.clear();
    }
    if args.bless {
        mutants::remember(workspace, &matrix)?;
    }
    let document = document(&matrix);
    super::print(&match args.format {
        ListFormat::Json => json::to_text(&document)?,
        ListFormat::Human => human(&matrix, &document, args.quick, bench.without_model()),
    })?;
    let wrong = [
        document.survivors.len(),
        document.idle_cases.len(),
        document.red_without_defect.len(),
        document.errors.len(),
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

fn document(matrix: &Matrix) -> Document {
    let ids = |cases: &[&'static setway_cases::Case]| cases.iter().map(|case| case.id).collect();
    Document {
        schema: "setway.mutants/1",
        mutants: matrix
            .fates
            .iter()
            .map(|fate| Entry {
                name: fate.mutant.name(),
                defect: fate.mutant.defect(),
                killed_by: fate.killers.iter().map(|(run, _)| run.label()).collect(),
            })
            .collect(),
        survivors: matrix.survivors().map(Mutant::name).collect(),
        idle_cases: ids(&matrix.idle),
        not_judged_cases: ids(&matrix.not_judged),
        red_without_defect: matrix.red.iter().map(|(run, _)| run.label()).collect(),
        errors: matrix
            .errors
            .iter()
            .map(|(run, judgement)| ErrorEntry {
                mutant: run.defect_name(),
                run: run.label(),
                reason: judgement.reason.clone(),
            })
            .collect(),
    }
}

fn human(matrix: &Matrix, document: &Document, quick: bool, without_model: Option<&str>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    for fate in &matrix.fates {
        let _ = writeln!(text, "{}: {}", fate.mutant.name(), fate.mutant.defect());
        match fate.killers.first() {
            None => text.push_str("  SURVIVES\n"),
            Some((run, judgement)) if quick => {
                let reason = judgement.reason.as_deref().unwrap_or_default();
                let _ = writeln!(
                    text,
                    "  killed by {}: {}: {reason}",
                    run.label(),
                    judgement.verdict
                );
            }
            Some(_) => killers(&mut text, fate),
        }
    }
    for (what, list) in [
        ("cases that kill no mutant", &document.idle_cases),
        (
            "cases that cannot fail on this machine, see `setway list`",
            &document.not_judged_cases,
        ),
        ("survivors", &document.survivors),
    ] {
        if !list.is_empty() {
            let _ = writeln!(text, "\n{what}: {}", list.join(" "));
        }
    }
    for (run, judgement) in &matrix.red {
        let reason = judgement.reason.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "\n{} without any defect: {}: {reason}",
            judgement.verdict,
            run.label()
        );
    }
    for error in &document.errors {
        let reason = error.reason.as_deref().unwrap_or_default();
        let _ = writeln!(
            text,
            "\nerror, which kills nothing: {} with {}: {reason}",
            error.run, error.mutant
        );
    }
    if let Some(reason) = without_model {
        let _ = writeln!(
            text,
            "\nmutants that only wrong data can show are left out, without the cache model: {reason}"
        );
    }
    let killed = matrix.fates.len() - document.survivors.len();
    let _ = writeln!(text, "\n{killed} of {} mutants killed", matrix.fates.len());
    text
}

/// The killers of one mutant, one line per case.
fn killers(text: &mut String, fate: &Fate) {
    for case in fate
        .killers
        .chunk_by(|(a, _), (b, _)| a.case.id == b.case.id)
    {
        let verdicts: Vec<_> = case
            .iter()
            .map(|(run, judgement)| match run.caches {
                Some(caches) => format!("{} [{caches}] {}", run.isa, judgement.verdict),
                None => format!("{} {}", run.isa, judgement.verdict),
            })
            .collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {:<16} {}", case[0].0.case.id, verdicts.join(", "));
    }
}
