//! `setway run`.

use std::{
    fs,
    io::{self, Write as _},
    time::Instant,
};

use setway_policy::Mutant;

use crate::{
    Error,
    bench::{Bench, Outcome},
    caches::Choice,
    cli::{Format, RunArgs},
    engine::pool,
    hypervisor::{self, Hypervisor},
    judge::Verdict,
    machine::{self, Machine},
    paths,
    plan::{self, Run},
    report::{Report, human, json, junit, progress::Progress, tap},
};

/// Makes the runs that `args` choose, and reports.
pub fn run(args: &RunArgs) -> Result<bool, Error> {
    let mutant = args.mutant.as_deref().map(find_mutant).transpose()?;
    let hypervisor = Hypervisor::load(&args.hyp)?;
    let runs = plan::select(&Run::under(&hypervisor), &args.filters, &args.isa)?;
    let runs: Vec<Run> = runs
        .into_iter()
        .map(|run| run.with_defect(mutant.map(Mutant::name)))
        .collect();
    if let Some(dir) = &args.report {
        // Before the runs: a report that has no place is better known at once.
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    }
    let (bench, runs) = prepare(hypervisor, args, mutant, &runs)?;

    let start = Instant::now();
    let progress = Progress::start(runs.len());
    let work = |run: &Run| progress.during(&run.label(), || bench.run(run));
    let done = |_: &Run, outcome: &Outcome| progress.done(outcome.judgement.verdict);
    let mut outcomes = pool::map(&runs, args.engine.workers(), work, done);
    let wall = start.elapsed();
    progress.finish();

    if args.bless {
        bless(&mut outcomes)?;
    }
    let repeat = repeat_options(args);
    let report = Report {
        bench: &bench,
        outcomes: &outcomes,
        wall,
        repeat: &repeat,
    };
    let results = json::text(&report)?;
    // Should the file fail, there is still the report.
    let written = args.report.as_ref().map_or(Ok(()), |dir| {
        let file = dir.join("results.json");
        fs::write(&file, &results).map_err(Error::io("write", &file))
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
    hypervisor: Hypervisor,
    args: &RunArgs,
    mutant: Option<Mutant>,
    runs: &[Run],
) -> Result<(Bench, Vec<Run>), Error> {
    let machine = Machine::load(machine::DEFAULT)?;
    let expectations = hypervisor.name == hypervisor::DEFAULT && mutant.is_none();
    let (qemu, caches) = (args.engine.qemu.as_deref(), args.engine.caches.as_ref());
    let (mut bench, runs) = Bench::prepare(hypervisor, machine, qemu, caches, runs)?;
    bench.expectations = expectations;
    bench.limits.time = args.engine.timeout.unwrap_or(bench.limits.time);
    bench.logs = Some(match &args.report {
        Some(dir) => dir.join("logs"),
        None => paths::logs(),
    });
    Ok((bench, runs))
}

fn find_mutant(name: &str) -> Result<Mutant, Error> {
    Mutant::by_name(name).ok_or_else(|| Error::Unknown {
        what: "mutant",
        name: name.to_owned(),
        known: Mutant::ALL
            .iter()
            .map(|mutant| mutant.name().to_owned())
            .collect(),
    })
}

/// Accepts what differs from expectations, and shows it. A run that did not meet its rule has not
/// been held against its expectation, so it cannot be accepted.
fn bless(outcomes: &mut [Outcome]) -> Result<(), Error> {
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
            fs::remove_dir_all(&dir).map_err(Error::io("remove", &dir))?;
        }
    }
    show(&format!("{accepted} expectations changed\n"));
    Ok(())
}

/// Writes to stderr, which `eprint!` would panic about if nobody can read it.
fn show(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The options, besides the case and its ISA, that repeating one of these runs needs.
fn repeat_options(args: &RunArgs) -> String {
    let mut options = String::new();
    let mut add = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            options += &format!(" {name} {value}");
        }
    };
    add(
        "--hyp",
        Some(args.hyp.as_str()).filter(|name| *name != hypervisor::DEFAULT),
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
