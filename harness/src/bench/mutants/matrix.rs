//! The whole matrix: every mutant against every run that can say something about it.

use std::{num::NonZero, time::Duration};

use setway_cases::{CASES, Case, Premise};
use setway_policy::Mutant;

use super::{Fate, Kill, Matrix, Trial, concerns, demanded, idle, ran_out_of_time};
use crate::{
    bench::{
        Bench, Worker,
        pool::{self, NoThread},
    },
    judge::{Verdict, outcome::Outcome, sign::Sign},
    lab::tape::Limits,
    plan::Run,
    report::progress::Progress,
};

/// How much slower than without a defect a run may be before it counts as hanging, and the least
/// time that it is given.
const SLOWER: u32 = 20;
const LEAST: Duration = Duration::from_secs(1);

/// Runs all of `mutants` against all of `runs`.
///
/// # Errors
///
/// If there is no thread for them.
pub fn whole(
    bench: &Bench,
    mutants: &[Mutant],
    runs: &[Run],
    workers: NonZero<usize>,
) -> Result<Matrix, NoThread> {
    let progress = Progress::start(runs.len() * (mutants.len() + 1));
    let sound = |run: &Run| progress.during(&run.label(), || bench.run(run));
    let done = |_: &Run, outcome: &Outcome| progress.done(outcome.judgement.verdict);
    let baseline = pool::map(runs, workers, sound, done)?;
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
            .filter(|sound| concerns(&sound.run, Some(*mutant), runs));
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
            Trial::of(outcome, demanded(run.mutant.and_then(Mutant::by_name)))
        })
    };
    let done = |_: &(Run, Limits), _: &Trial| progress.done(Verdict::Pass);
    let judged = pool::map(&mutated_runs, workers, mutated, done)?;
    let mut judged = mutated_runs.iter().zip(judged).peekable();
    progress.finish();

    let mut errors = Vec::new();
    let mut fates = Vec::new();
    for mutant in mutants {
        let mut fate = Fate::new(*mutant);
        let own = |it: &(&(Run, Limits), Trial)| it.0.0.mutant == Some(mutant.name());
        while let Some((_, trial)) = judged.next_if(own) {
            match trial {
                Trial::Lives => {}
                Trial::Killed(kill) => fate.killers.push(kill),
                Trial::Otherwise(kill) => fate.otherwise.push(kill),
                Trial::Error(run, judgement) => errors.push((run, judgement)),
            }
        }
        fates.push(fate);
    }
    let proofs = CASES.iter().filter_map(|case| proof(bench, case, &fates));
    let proofs: Vec<(Run, Mutant)> = proofs.collect();
    let (not_judged, idle) = idle(bench, runs, &proofs);
    Ok(Matrix {
        fates,
        red,
        errors,
        idle,
        not_judged,
        proofs,
        is_whole: true,
    })
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

/// A run of `case` that killed, and the mutant: of those that it killed the one that the fewest others did, which is
/// what the case is there for. A case that compares data has to kill by data, if there are caches to spoil it.
fn proof(bench: &Bench, case: &Case, fates: &[Fate]) -> Option<(Run, Mutant)> {
    let by_data = case.needs(Premise::Caches) && bench.without_model().is_none();
    let is_proof = |kill: &&Kill| {
        kill.run.case.id == case.id && (!by_data || kill.signs.contains(&Sign::Data))
    };
    let kills = fates.iter().filter_map(|fate| {
        let kill = fate.killers.iter().find(is_proof)?;
        Some((fate.killers.len(), kill.run.with_mutant(None), fate.mutant))
    });
    let (_, run, mutant) = kills.min_by_key(|(killers, ..)| *killers)?;
    Some((run, mutant))
}
