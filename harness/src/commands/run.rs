//! `setway run`.

use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

use setway_policy::Mutant;

use fs_err as fs;

use crate::{
    bench::{Bench, Outcome, Worker, pool},
    catalog::{Catalog, Unknown, hypervisor, schedule::Choice, target::Target},
    cli::{Format, RunArgs},
    commands::Error,
    judge::Verdict,
    plan::{self, Run},
    report::{Report, Section, human, json, junit, progress::Progress, tap},
    workspace::Workspace,
};

/// A target, the runs to make on it, and what came of them.
struct Part {
    bench: Bench,
    runs: Vec<Run>,
    outcomes: Vec<Outcome>,
    wall: Duration,
}

/// Makes the runs that `args` choose, and reports.
pub fn run(workspace: &Workspace, catalog: &Catalog, args: &RunArgs) -> Result<bool, Error> {
    let mutant = args.mutant.as_deref().map(find_mutant).transpose()?;
    let targets = args.hyp.iter().map(|name| catalog.target(name));
    let targets = targets.collect::<Result<Vec<_>, _>>()?;
    if let Some(dir) = &args.report {
        // Before the runs: a report that has no place is better known at once.
        fs::create_dir_all(dir)?;
    }
    let parts = targets
        .into_iter()
        .map(|it| prepare(workspace, catalog, it, args, mutant));
    let mut parts = parts.collect::<Result<Vec<_>, _>>()?;

    let progress = Progress::start(parts.iter().map(|part| part.runs.len()).sum());
    for part in &mut parts {
        part.make(args, &progress);
    }
    progress.finish();

    if args.bless {
        bless(parts.iter_mut().flat_map(|part| &mut part.outcomes))?;
    }
    let report = Report {
        sections: parts.iter().map(|part| part.section(args)).collect(),
        allow_findings: args.allow_findings,
    };
    let results = json::text(&report)?;
    // Should the file fail, there is still the report.
    let written = args.report.as_ref().map_or(Ok(()), |dir| {
        let file = dir.join("results.json");
        fs::write(&file, &results)
    });
    super::print(&match args.format {
        Format::Human => human::text(&report),
        Format::Json => results,
        Format::Junit => junit::text(&report)?,
        Format::Tap => tap::text(&report),
    })?;
    written?;
    Ok(report.is_good())
}

fn prepare(
    workspace: &Workspace,
    catalog: &Catalog,
    target: Target,
    args: &RunArgs,
    mutant: Option<Mutant>,
) -> Result<Part, Error> {
    if mutant.is_some() && !target.hypervisor.has_mutants() {
        return Err(Error::NoMutants(target.label()));
    }
    let runs = plan::select(&Run::under(&target.profile), &args.filters, &args.isa)?;
    let runs: Vec<Run> = runs
        .into_iter()
        .map(|run| run.with_defect(mutant.map(Mutant::name)))
        .collect();
    let expectations = target.label() == hypervisor::DEFAULT && mutant.is_none();
    let (qemu, caches) = (args.engine.qemu.as_deref(), args.engine.caches.as_ref());
    let (mut bench, runs) = Bench::prepare(workspace, catalog, target, qemu, caches, &runs)?;
    bench.expectations = expectations;
    bench.limits.time = args.engine.timeout.unwrap_or(bench.limits.time);
    bench.logs = Some(match &args.report {
        Some(dir) => dir.join("logs"),
        None => workspace.logs(),
    });
    Ok(Part {
        bench,
        runs,
        outcomes: Vec::new(),
        wall: Duration::ZERO,
    })
}

impl Part {
    /// Makes the runs.
    fn make(&mut self, args: &RunArgs, progress: &Progress) {
        let start = Instant::now();
        // One boot serves many runs only if they have the same caches.
        let mut order: Vec<usize> = (0..self.runs.len()).collect();
        if self.bench.target().hypervisor.agent.is_some() {
            order.sort_by_key(|index| self.runs[*index].caches);
        }
        let work = |worker: &mut Worker, index: &usize| {
            let run = &self.runs[*index];
            progress.during(&run.label(), || {
                self.bench.run_on(worker, run, self.bench.limits)
            })
        };
        let done = |_: &usize, outcome: &Outcome| progress.done(outcome.judgement.verdict);
        let outcomes = pool::map_with(&order, args.engine.workers(), work, done);
        let mut outcomes: Vec<_> = order.into_iter().zip(outcomes).collect();
        outcomes.sort_by_key(|(index, _)| *index);
        self.outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
        self.wall = start.elapsed();
    }

    fn section(&self, args: &RunArgs) -> Section<'_> {
        Section {
            bench: &self.bench,
            outcomes: &self.outcomes,
            wall: self.wall,
            repeat: repeat_options(args, &self.bench.target().label()),
        }
    }
}

fn find_mutant(name: &str) -> Result<Mutant, Unknown> {
    let known = Mutant::ALL.iter().map(|mutant| mutant.name().to_owned());
    Mutant::by_name(name).ok_or_else(|| Unknown::new("mutant", name, known))
}

/// Accepts what differs from expectations, and shows it. A run that did not meet its rule has not
/// been held against its expectation, so it cannot be accepted.
fn bless<'a>(outcomes: impl Iterator<Item = &'a mut Outcome>) -> Result<(), Error> {
    let mut accepted = 0;
    for outcome in outcomes {
        let Some(comparison) = &outcome.comparison else {
            continue;
        };
        if let Some(diff) = comparison.diff() {
            show(&diff);
        }
        accepted += u32::from(comparison.bless()?);
        outcome.judgement.verdict = Verdict::Pass;
        outcome.judgement.reason = None;
        if let Some(dir) = outcome.log_dir.take() {
            fs::remove_dir_all(&dir)?;
        }
    }
    show(&format!("{accepted} expectations changed\n"));
    Ok(())
}

/// Writes to stderr, which `eprint!` would panic about if nobody can read it.
fn show(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The options, besides the case and its ISA, that repeating a run under the target `label` needs.
fn repeat_options(args: &RunArgs, label: &str) -> String {
    let mut options = String::new();
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            options += &format!(" {name} {value}");
        }
    };
    add(
        "--hyp",
        Some(label).filter(|name| *name != hypervisor::DEFAULT),
    );
    add("--mutant", args.mutant.as_deref());
    add("--qemu", args.engine.qemu.as_deref());
    let off = args.engine.caches == Some(Choice::Off);
    add("--caches", off.then_some("off"));
    let timeout = args
        .engine
        .timeout
        .map(|timeout| timeout.as_secs_f64().to_string());
    add("--timeout", timeout.as_deref());
    options
}
