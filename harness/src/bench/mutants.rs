//! Proof that the suite can fail: no mutant survives it, and each case kills one.
//!
//! A run kills a mutant if it is red under it, blames the hypervisor for that by the kind of evidence that the mutant
//! must show in, and is green under the hypervisor without a defect. An error of Setway's own kills nothing and is
//! reported apart.

pub mod hunt;
pub mod kills;
pub mod matrix;
pub mod order;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZero,
};

use setway_cases::{CASES, Case, Premise};
use setway_policy::{Mutant, Shows};

use self::hunt::Hunter;
use crate::{
    bench::{self, Bench, pool},
    evidence::capture::{End, Limit},
    judge::{Judgement, Verdict, outcome::Outcome, sign::Sign},
    plan::Run,
    report::progress::Progress,
};

/// A red run that speaks against a hypervisor.
#[derive(Clone, Debug)]
pub struct Kill {
    /// The run, with its mutant.
    pub run: Run,
    /// What it said.
    pub judgement: Judgement,
    /// The kinds of evidence in that.
    pub signs: BTreeSet<Sign>,
}

/// What became of one mutant.
#[derive(Clone, Debug)]
pub struct Fate {
    /// The mutant.
    pub mutant: Mutant,
    /// The runs that killed it, in the order of the catalogue; the first one found if no others were sought.
    pub killers: Vec<Kill>,
    /// Runs that noticed it by another kind of evidence than it must show in, which does not kill it.
    pub otherwise: Vec<Kill>,
}

impl Fate {
    /// The mutant lives.
    fn new(mutant: Mutant) -> Self {
        Self {
            mutant,
            killers: Vec::new(),
            otherwise: Vec::new(),
        }
    }
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
    /// For each other case a run that kills, without its mutant, and the mutant.
    pub proofs: Vec<(Run, Mutant)>,
    /// Whether every mutant met every run.
    pub is_whole: bool,
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

/// What a run says about a defect.
#[derive(Clone, Debug)]
enum Trial {
    /// It passes.
    Lives,
    /// It blames the hypervisor.
    Killed(Kill),
    /// It blames the hypervisor by another kind of evidence than has to show the defect.
    Otherwise(Kill),
    /// It went wrong for another reason.
    Error(Run, Judgement),
}

impl Trial {
    /// What `outcome` says of a defect that has to show in one of `by`.
    fn of(outcome: Outcome, by: &[Sign]) -> Self {
        if !outcome.judgement.verdict.is_bad() {
            return Trial::Lives;
        }
        if outcome.is_our_error() {
            return Trial::Error(outcome.run, outcome.judgement);
        }
        let kill = Kill {
            signs: Sign::of(&outcome),
            run: outcome.run,
            judgement: outcome.judgement,
        };
        if kill.signs.iter().any(|sign| by.contains(sign)) {
            Trial::Killed(kill)
        } else {
            Trial::Otherwise(kill)
        }
    }
}

/// The kinds of evidence of which one has to show `mutant`; any if it is none of the table.
pub fn demanded(mutant: Option<Mutant>) -> &'static [Sign] {
    match mutant.map(Mutant::shows) {
        None => &Sign::ALL,
        Some(Shows::Counts) => &[Sign::Counts],
        Some(Shows::State) => &[Sign::State],
        Some(Shows::Data) => &[Sign::Data],
        Some(Shows::CountsAndData) => &[Sign::Counts, Sign::Data, Sign::Maintenance],
        Some(Shows::Course) => &[Sign::State],
        Some(Shows::Cost) => &[Sign::Cost],
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

/// The mutants of `chosen` that can be found on `bench`: without caches, data cannot go wrong, and some show on one
/// machine alone.
pub fn judged(bench: &Bench, chosen: Vec<Mutant>) -> Vec<Mutant> {
    let caches = bench.without_model().is_none();
    let here = bench.target().machine.name.as_str();
    chosen
        .into_iter()
        .filter(|mutant| mutant.machine().is_none_or(|machine| machine == here))
        .filter(|mutant| caches || !mutant.needs_cache_model())
        .collect()
}

/// The mutants of `chosen` that show on one machine alone, machine by machine.
pub fn by_machine(chosen: &[Mutant]) -> BTreeMap<&'static str, Vec<Mutant>> {
    let mut machines = BTreeMap::<_, Vec<_>>::new();
    for mutant in chosen {
        if let Some(machine) = mutant.machine() {
            machines.entry(machine).or_default().push(*mutant);
        }
    }
    machines
}

/// The runs that such mutants are tried with on `bench`: of cases that can fail there.
pub fn runs_on(bench: &Bench) -> Vec<Run> {
    let mut runs = runs(bench);
    runs.retain(|run| !is_blind(bench, run.case));
    runs
}

/// Whether `run`, one of `runs`, can say anything about `mutant`.
fn concerns(run: &Run, mutant: Option<Mutant>, runs: &[Run]) -> bool {
    match (mutant.map(Mutant::shows), run.caches) {
        (Some(Shows::Data | Shows::Course), caches) => {
            caches.is_some() && run.case.needs(Premise::Caches)
        }
        (Some(Shows::Cost), caches) => caches.is_some() && run.case.needs(Premise::CountedCost),
        (_, None) => true,
        // The user may have asked for caches everywhere.
        (_, Some(_)) => runs.iter().all(|run| run.caches.is_some()),
    }
}

fn ran_out_of_time(outcome: &Outcome) -> bool {
    let end = outcome.observation.as_ref().map(|it| &it.end);
    outcome.judgement.verdict == Verdict::Timeout
        && matches!(end, Some(End::Stopped(Limit::Time(_))))
}

/// The cases of `runs` that nothing of `proofs` proves: those whose checks cannot fail on this machine, and the others.
fn idle(
    bench: &Bench,
    runs: &[Run],
    proofs: &[(Run, Mutant)],
) -> (Vec<&'static Case>, Vec<&'static Case>) {
    let proven: BTreeSet<&str> = proofs.iter().map(|(run, _)| run.case.id).collect();
    let run: BTreeSet<&str> = runs.iter().map(|run| run.case.id).collect();
    let idle = CASES.iter();
    let idle = idle.filter(|case| run.contains(case.id) && !proven.contains(case.id));
    idle.partition(|case| is_blind(bench, case))
}

/// Whether the checks of `case` cannot fail on the machine of `bench`.
pub fn is_blind(bench: &Bench, case: &Case) -> bool {
    let caches = bench.without_model().is_none();
    let machine = &bench.target().machine;
    machine.missing_premise(case, caches).is_some()
}

/// Runs each of `mutants` until a first run kills it and, if `with_cases`, each case that has not killed one thereby
/// until it does.
///
/// # Errors
///
/// If the file of remembered killers cannot be used, or there is no thread.
pub fn hunted(
    bench: &Bench,
    mutants: &[Mutant],
    runs: &[Run],
    workers: NonZero<usize>,
    with_cases: bool,
) -> Result<Matrix, bench::Error> {
    let hunter = Hunter::new(bench, runs)?;
    let progress = Progress::start(mutants.len());
    let hunt = |mutant: &Mutant| progress.during(mutant.name(), || hunter.mutant(mutant.name()));
    let hunts = pool::map(mutants, workers, hunt, |_, _| progress.done(Verdict::Pass))?;
    progress.finish();
    let mut matrix = Matrix {
        fates: Vec::new(),
        red: Vec::new(),
        errors: Vec::new(),
        idle: Vec::new(),
        not_judged: Vec::new(),
        proofs: Vec::new(),
        is_whole: false,
    };
    for (mutant, hunt) in mutants.iter().zip(hunts) {
        matrix.note(hunt.red, hunt.errors);
        for kill in hunt.kills.iter().filter(|kill| hunter.is_proof(kill)) {
            matrix.prove(kill, *mutant);
        }
        matrix.fates.push(Fate {
            mutant: *mutant,
            killers: hunt.kills,
            otherwise: hunt.otherwise,
        });
    }
    if with_cases {
        let (_, idle) = idle(bench, runs, &matrix.proofs);
        let progress = Progress::start(idle.len());
        let prove = |case: &&Case| progress.during(case.id, || hunter.proof(case, mutants));
        let proofs = pool::map(&idle, workers, prove, |_, _| progress.done(Verdict::Pass))?;
        progress.finish();
        for (hunt, mutant) in proofs {
            matrix.note(hunt.red, hunt.errors);
            if let (Some(kill), Some(mutant)) = (hunt.kills.first(), mutant) {
                matrix.prove(kill, mutant);
            }
        }
        (matrix.not_judged, matrix.idle) = self::idle(bench, runs, &matrix.proofs);
    }
    Ok(matrix)
}

impl Matrix {
    /// Adds what became of other mutants on another machine.
    pub fn add(&mut self, other: Matrix) {
        self.note(other.red, other.errors);
        for (run, mutant) in other.proofs {
            let id = run.case.id;
            self.not_judged.retain(|case| case.id != id);
            if !self.proofs.iter().any(|(known, _)| known.case.id == id) {
                self.proofs.push((run, mutant));
            }
        }
        self.fates.extend(other.fates);
    }

    /// Takes down what says nothing about a mutant.
    fn note(&mut self, red: Vec<(Run, Judgement)>, errors: Vec<(Run, Judgement)>) {
        for (run, judgement) in red {
            let label = run.label();
            if !self.red.iter().any(|(known, _)| known.label() == label) {
                self.red.push((run, judgement));
            }
        }
        self.errors.extend(errors);
    }

    /// Takes down that the case of `kill` killed `mutant`, unless it is known to kill.
    fn prove(&mut self, kill: &Kill, mutant: Mutant) {
        let id = kill.run.case.id;
        if !self.proofs.iter().any(|(run, _)| run.case.id == id) {
            self.proofs.push((kill.run.with_mutant(None), mutant));
        }
    }
}
