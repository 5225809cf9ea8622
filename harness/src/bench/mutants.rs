//! Proof that the suite can fail: every mutant against every case.
//!
//! A case kills a mutant if it is red under it, blames the hypervisor for that, and is green under the
//! hypervisor without a defect. An error of Setway's own kills nothing and is reported apart.

use std::{
    collections::HashMap,
    io,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use setway_cases::{CASES, Case, Premise};
use setway_policy::{Mutant, Shows};

use crate::{
    bench::{
        self, Bench, Worker,
        pool::{self, NoThread},
    },
    catalog::{kills::Kills, source::Mistakes},
    evidence::capture::{End, Limit},
    judge::{Judgement, Verdict, outcome::Outcome},
    lab::tape::Limits,
    plan::Run,
    report::progress::Progress,
    workspace::Workspace,
};

/// How much slower than without a defect a run may be before it counts as hanging, and the least
/// time that it is given.
const SLOWER: u32 = 20;
const LEAST: Duration = Duration::from_secs(1);

/// How many of its killers are remembered for a mutant.
const REMEMBERED: usize = 2;

/// What became of one mutant.
#[derive(Clone, Debug)]
pub struct Fate {
    /// The mutant.
    pub mutant: Mutant,
    /// The runs that killed it, with what they said, in the order of the catalogue.
    pub killers: Vec<(Run, Judgement)>,
}

/// What became of all.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Each mutant's fate.
    pub fates: Vec<Fate>,
    /// Runs that are red without any defect, and so kill nothing.
    pub red: Vec<(Run, Judgement)>,
    /// Runs of mutants that went wrong for a reason that is not the mutant's.
    pub errors: Vec<(Run, Judgement)>,
    /// Cases that killed nothing.
    pub idle: Vec<&'static Case>,
    /// Cases whose checks cannot fail on this machine.
    pub not_judged: Vec<&'static Case>,
}

impl Matrix {
    /// The mutants that nothing killed.
    pub fn survivors(&self) -> impl Iterator<Item = Mutant> {
        self.fates
            .iter()
            .filter(|fate| fate.killers.is_empty())
            .map(|fate| fate.mutant)
    }
}

/// What a run says about a mutant.
#[derive(Clone, Debug)]
enum Trial {
    /// It passes.
    Lives,
    /// It blames the hypervisor.
    Killed(Judgement),
    /// It went wrong for another reason.
    Error(Judgement),
}

impl Trial {
    /// What `outcome` says of a mutant, and of what it `shows` in: one of data is killed by data alone, and one of cost
    /// by cost.
    fn of(outcome: Outcome, shows: Option<Shows>) -> Self {
        let is_elsewhere = match shows {
            Some(Shows::Data) => !outcome.has_wrong_data(),
            Some(Shows::Cost) => !outcome.has_excess(),
            _ => false,
        };
        if !outcome.judgement.verdict.is_bad() {
            Trial::Lives
        } else if outcome.is_our_error() {
            Trial::Error(outcome.judgement)
        } else if is_elsewhere {
            Trial::Lives
        } else {
            Trial::Killed(outcome.judgement)
        }
    }
}

/// The runs that mutants are tried with on `bench`: every run without caches, which is fast and counts
/// all there is to count; and those that compare data, with caches.
pub fn runs(bench: &Bench) -> Vec<Run> {
    let all = Run::all();
    let with_caches = all.iter().filter(|run| run.case.needs_cache_model());
    let with_caches = with_caches.flat_map(|run| run.each(None));
    let with_caches: Vec<Run> = match bench.without_model() {
        None => with_caches.collect(),
        Some(_) => Vec::new(),
    };
    let plain = all.iter().filter(|run| run.why_undecided().is_none());
    plain.copied().chain(with_caches).collect()
}

/// The mutants of `chosen` that can be found on `bench`: without caches, data cannot go wrong.
pub fn judged(bench: &Bench, chosen: Vec<Mutant>) -> Vec<Mutant> {
    let caches = bench.without_model().is_none();
    chosen
        .into_iter()
        .filter(|mutant| caches || !mutant.needs_cache_model())
        .collect()
}

/// Whether `run`, one of `runs`, can say anything about the mutant called `name`.
fn concerns(run: &Run, name: &str, runs: &[Run]) -> bool {
    match (shows(Some(name)), run.caches) {
        (Some(Shows::Data), caches) => caches.is_some() && run.case.needs(Premise::Caches),
        (Some(Shows::Cost), caches) => caches.is_some() && run.case.needs(Premise::CountedCost),
        (_, None) => true,
        // The user may have asked for caches everywhere.
        (_, Some(_)) => runs.iter().all(|run| run.caches.is_some()),
    }
}

/// What is wrong with the mutant called `name`.
fn shows(name: Option<&str>) -> Option<Shows> {
    name.and_then(Mutant::by_name).map(Mutant::shows)
}

/// Runs all of `mutants` against all of `runs`.
///
/// # Errors
///
/// If there is no thread for them.
pub fn full(
    bench: &Bench,
    mutants: &[Mutant],
    runs: &[Run],
    workers: NonZero<usize>,
) -> Result<Matrix, NoThread> {
    let progress = Progress::start(runs.len() * (mutants.len() + 1));
    let whole = |run: &Run| progress.during(&run.label(), || bench.run(run));
    let done = |_: &Run, outcome: &Outcome| progress.done(outcome.judgement.verdict);
    let baseline = pool::map(runs, workers, whole, done)?;
    let (green, red): (Vec<_>, Vec<_>) = baseline
        .into_iter()
        .partition(|outcome| outcome.judgement.verdict == Verdict::Pass);
    let red = red
        .into_iter()
        .map(|outcome| (outcome.run, outcome.judgement))
        .collect();

    let trials = |mutant: &Mutant| {
        let concerned = green
            .iter()
            .filter(|sound| concerns(&sound.run, mutant.name(), runs));
        let mutated = concerned.map(|sound| {
            (
                sound.run.with_mutant(Some(mutant.name())),
                patience(bench, sound),
            )
        });
        mutated.collect::<Vec<(Run, Limits)>>()
    };
    let mutated_runs: Vec<(Run, Limits)> = mutants.iter().flat_map(trials).collect();
    let mutated = |(run, limits): &(Run, Limits)| {
        progress.during(&run.file_stem(), || {
            let outcome = bench.run_on(&mut Worker::default(), run, *limits);
            // That it was slow may be this machine's fault: only the full time proves a hang.
            let outcome = if ran_out_of_time(&outcome) {
                bench.run(run)
            } else {
                outcome
            };
            Trial::of(outcome, shows(run.mutant))
        })
    };
    let done = |_: &(Run, Limits), _: &Trial| progress.done(Verdict::Pass);
    let judged = pool::map(&mutated_runs, workers, mutated, done)?;
    let mut judged = mutated_runs.iter().map(|(run, _)| *run).zip(judged);
    progress.finish();

    let mut errors = Vec::new();
    let fates: Vec<Fate> = mutants
        .iter()
        .map(|mutant| {
            let mut killers = Vec::new();
            let own = mutated_runs
                .iter()
                .filter(|(run, _)| run.mutant == Some(mutant.name()));
            for (run, trial) in judged.by_ref().take(own.count()) {
                match trial {
                    Trial::Lives => {}
                    Trial::Killed(judgement) => killers.push((run, judgement)),
                    Trial::Error(judgement) => errors.push((run, judgement)),
                }
            }
            Fate {
                mutant: *mutant,
                killers,
            }
        })
        .collect();
    // A case that compares data has to kill by data, if there are caches to spoil it.
    let caches = bench.without_model().is_none();
    let kills = |case: &Case| {
        let killers = fates.iter().flat_map(|fate| &fate.killers);
        let mut own = killers.filter(|(run, _)| run.case.id == case.id);
        own.any(|(run, _)| !(case.needs_cache_model() && caches) || run.caches.is_some())
    };
    let run = |case: &&Case| runs.iter().any(|run| run.case.id == case.id);
    let lazy = CASES.iter().filter(run).filter(|case| !kills(case));
    let (not_judged, idle) = lazy.partition(|case| {
        bench
            .target()
            .machine
            .missing_premise(case, caches)
            .is_some()
    });
    Ok(Matrix {
        fates,
        red,
        errors,
        idle,
        not_judged,
    })
}

fn ran_out_of_time(outcome: &Outcome) -> bool {
    let end = outcome.observation.as_ref().map(|it| &it.end);
    outcome.judgement.verdict == Verdict::Timeout
        && matches!(end, Some(End::Stopped(Limit::Time(_))))
}

/// How long a mutated run may take. Many defects make a guest hang, so waiting as long as for an
/// unknown hypervisor would take hours; how long this run takes without a defect is known.
fn patience(bench: &Bench, sound: &Outcome) -> Limits {
    let time = (sound.duration * SLOWER).clamp(LEAST.min(bench.limits.time), bench.limits.time);
    Limits {
        time,
        ..bench.limits
    }
}

/// Runs each of `mutants` until a first run kills it, trying remembered killers first.
///
/// # Errors
///
/// If the file of remembered killers cannot be used, or there is no thread.
pub fn quick(
    bench: &Bench,
    mutants: &[Mutant],
    runs: &[Run],
    workers: NonZero<usize>,
) -> Result<Matrix, bench::Error> {
    let hunter = Hunter::new(bench, runs)?;
    let progress = Progress::start(mutants.len());
    let hunt = |mutant: &Mutant| {
        let killer = progress.during(mutant.name(), || hunter.first_kill(mutant.name()));
        Fate {
            mutant: *mutant,
            killers: killer.into_iter().collect(),
        }
    };
    let fates = pool::map(mutants, workers, hunt, |_, _| progress.done(Verdict::Pass))?;
    progress.finish();
    Ok(Matrix {
        fates,
        red: Vec::new(),
        errors: hunter.into_errors(),
        idle: Vec::new(),
        not_judged: Vec::new(),
    })
}

/// Looks for one kill, and knows what it has learned about the hypervisor without a defect.
#[derive(Debug)]
pub struct Hunter<'a> {
    bench: &'a Bench,
    runs: &'a [Run],
    remembered: Kills,
    green: Mutex<HashMap<String, Arc<OnceLock<bool>>>>,
    errors: Mutex<Vec<(Run, Judgement)>>,
}

impl<'a> Hunter<'a> {
    /// A hunter that tries `runs`.
    pub fn new(bench: &'a Bench, runs: &'a [Run]) -> Result<Self, Mistakes> {
        Ok(Self {
            bench,
            runs,
            remembered: Kills::read(&bench.workspace)?,
            green: Mutex::default(),
            errors: Mutex::default(),
        })
    }

    /// The first run that kills the mutant called `mutant`.
    pub fn first_kill(&self, mutant: &'static str) -> Option<(Run, Judgement)> {
        let remembered = self.remembered.of(mutant);
        let known = |run: &&&Run| remembered.contains(&run.label());
        let runs = self
            .runs
            .iter()
            .filter(|run| concerns(run, mutant, self.runs));
        let runs: Vec<&Run> = runs.collect();
        let first = runs.iter().filter(known);
        let rest = runs.iter().filter(|run| !known(run));
        first.chain(rest).find_map(|run| {
            let mutated = run.with_mutant(Some(mutant));
            match Trial::of(self.bench.run(&mutated), shows(Some(mutant))) {
                Trial::Lives => None,
                Trial::Killed(judgement) => self.is_green(run).then_some((mutated, judgement)),
                Trial::Error(judgement) => {
                    self.errors().push((mutated, judgement));
                    None
                }
            }
        })
    }

    /// Runs that went wrong so far for a reason that is not the mutant's.
    pub fn errors(&self) -> MutexGuard<'_, Vec<(Run, Judgement)>> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_errors(self) -> Vec<(Run, Judgement)> {
        let errors = self.errors.into_inner();
        errors.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a run passes without a defect; asked once.
    fn is_green(&self, run: &Run) -> bool {
        let cell = {
            let mut green = self.green.lock().unwrap_or_else(PoisonError::into_inner);
            green.entry(run.label()).or_default().clone()
        };
        *cell.get_or_init(|| self.bench.run(run).judgement.verdict == Verdict::Pass)
    }
}

/// Remembers the killers of `matrix` for [`quick`]. Those that a rule's own words condemn come
/// before those that crash or hang, which cost more time.
///
/// # Errors
///
/// If the file cannot be written.
pub fn remember(workspace: &Workspace, matrix: &Matrix) -> io::Result<()> {
    let mut text = String::from(
        "# Which runs kill a mutant, for `mutants --quick` and `cargo test` to try first.\n\
         # Written by `setway mutants --bless`.\n",
    );
    for fate in &matrix.fates {
        let mut killers: Vec<_> = fate.killers.iter().collect();
        killers.sort_by_key(|(_, judgement)| judgement.verdict != Verdict::Fail);
        let labels: Vec<_> = killers
            .iter()
            .take(REMEMBERED)
            .map(|(run, _)| format!("\"{}\"", run.label()))
            .collect();
        text += &format!("{} = [{}]\n", fate.mutant.name(), labels.join(", "));
    }
    fs_err::write(Kills::path(workspace), text)
}
