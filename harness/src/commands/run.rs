//! `setway run`.

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use fs_err as fs;
use setway_cases::Kind;
use setway_policy::Mutant;
use setway_report::Artifact;

use crate::{
    bench::{
        self, Bench, Worker,
        pool::{self, NoThread},
    },
    catalog::{Catalog, Unknown, hypervisor, schedule::Choice, target::Target},
    cli::RunArgs,
    commands::Error,
    judge::{
        Verdict,
        obligation::{Reported, Reports},
        outcome::Outcome,
    },
    plan::{self, Run},
    report::{
        build::{self, origin},
        document,
        progress::Progress,
        text,
    },
    workspace::Workspace,
};

/// What `--report` writes in its directory: the report as JSON, and logs of runs that did not pass.
const RESULTS: &str = "results.json";
const LOGS: &str = "logs";

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
    let targets = args.hyp.iter().map(|name| catalog.find(name));
    let mut targets = targets.collect::<Result<Vec<_>, _>>()?;
    if let Some(name) = &args.profile {
        let profile = catalog.profile(name)?;
        for target in &mut targets {
            target.profile = profile.clone();
        }
    }
    // The same target by two names would be two columns of one name.
    let mut seen = BTreeSet::new();
    targets.retain(|target| seen.insert(target.label()));
    if let Some(dir) = &args.report {
        // Before the runs: a report that has no place is better known at once. Logs of an earlier report would
        // stay beside the new results.
        fs::create_dir_all(dir)?;
        if dir.join(RESULTS).exists() || dir.join(LOGS).exists() {
            return Err(Error::ReportExists(dir.clone()));
        }
    }
    let parts = targets
        .into_iter()
        .map(|it| prepare(workspace, catalog, it, args, mutant));
    let mut parts = parts.collect::<Result<Vec<_>, _>>()?;

    let origin = origin::origin(workspace);
    let files = parts.iter().map(|part| part.bench.boot.files()).collect();
    let artifacts = origin::describe(files)?;
    let progress = Progress::start(parts.iter().map(|part| part.runs.len()).sum());
    for part in &mut parts {
        part.make(args, &progress).map_err(bench::Error::from)?;
    }
    progress.finish();

    if args.bless {
        bless(parts.iter_mut().flat_map(|part| &mut part.outcomes))?;
        accept(workspace, catalog, &parts)?;
    }
    let artifacts = artifacts.join().expect("describing files does not panic");
    let parts = parts.iter().zip(artifacts);
    let parts: Vec<build::Part> = parts
        .map(|(part, artifacts)| part.to_report(args, artifacts))
        .collect();
    let report = build::build(&parts, origin, args.allow_findings);
    // Should the file fail, there is still the report.
    let written = args.report.as_ref().map_or(Ok(()), |dir| {
        let file = dir.join(RESULTS);
        fs::write(&file, document::to_text(&report)?).map_err(Error::from)
    });
    super::print(&super::report::rendered(&report, args.format)?)?;
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
        .map(|run| run.with_mutant(mutant.map(Mutant::name)))
        .collect();
    let is_plain = mutant.is_none() && args.profile.is_none();
    let expectations = target.label() == hypervisor::DEFAULT && is_plain;
    let (qemu, caches) = (args.engine.qemu.as_deref(), args.engine.caches.as_ref());
    let (mut bench, runs) = Bench::prepare(workspace, catalog, target, qemu, caches, &runs)?;
    bench.expectations = expectations;
    if args.bless && is_exemplary(&bench) && is_plain {
        bench.obligations = None;
    }
    bench.limits.time = args.engine.timeout.unwrap_or(bench.limits.time);
    bench.keep = args.keep;
    bench.logs = Some(match &args.report {
        Some(dir) => dir.join(LOGS),
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
    fn make(&mut self, args: &RunArgs, progress: &Progress) -> Result<(), NoThread> {
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
        let outcomes = pool::map_with(&order, args.engine.workers(), work, done)?;
        let mut outcomes: Vec<_> = order.into_iter().zip(outcomes).collect();
        outcomes.sort_by_key(|(index, _)| *index);
        self.outcomes = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
        self.wall = start.elapsed();
        Ok(())
    }

    fn to_report(&self, args: &RunArgs, artifacts: Vec<Artifact>) -> build::Part<'_> {
        build::Part {
            tested: &self.bench.boot,
            outcomes: &self.outcomes,
            wall: self.wall,
            repeat: repeat_options(args, &self.bench.target().label()),
            artifacts,
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
        if comparison.is_damaged() {
            continue;
        }
        if let Some(diff) = comparison.diff() {
            show(&text::printable_lines(&diff));
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

/// Whether what cases owe may be learnt on this bench: its hypervisor does what the cases themselves demand, or there
/// is none.
fn is_exemplary(bench: &Bench) -> bool {
    let target = bench.target();
    target.label() == hypervisor::DEFAULT || target.profile.rules.contains(&Kind::Machine)
}

/// Accepts what the cases that met their rules have reported as what they owe.
fn accept(workspace: &Workspace, catalog: &Catalog, parts: &[Part]) -> Result<(), Error> {
    let mut reports = Reports::default();
    let learnt = parts.iter().filter(|part| part.bench.obligations.is_none());
    let outcomes = learnt.flat_map(|part| &part.outcomes);
    for outcome in outcomes.filter(|it| it.judgement.verdict == Verdict::Pass) {
        let run = &outcome.run;
        let Some(observation) = &outcome.observation else {
            continue;
        };
        let reported = Reported::of(observation, run.expected().ok().flatten());
        reports.add(run.case.id, run.isa, &reported)?;
    }
    let mut obligations = catalog.obligations.clone();
    reports.accept(&mut obligations);
    let changed = obligations.write(&Catalog::obligations_dir(workspace))?;
    show(&format!("{changed} files of obligations changed\n"));
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
    add("--profile", args.profile.as_deref());
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
