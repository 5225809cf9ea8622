//! Telling people and programs what runs came to.

mod caches;
mod grid;
pub mod human;
pub mod json;
pub mod junit;
pub mod progress;
mod symbols;
pub mod tap;

use std::time::Duration;

use crate::{
    bench::{Bench, Outcome},
    evidence::observation::{Observation, Step},
    judge::Verdict,
};

/// What there is to tell.
#[derive(Debug)]
pub struct Report<'a> {
    /// A section for each target, in the order asked for.
    pub sections: Vec<Section<'a>>,
    /// Runs that are red for a reason that is a finding do not make the whole red.
    pub allow_findings: bool,
}

/// What there is to tell of one target.
#[derive(Debug)]
pub struct Section<'a> {
    /// What the runs were made with.
    pub bench: &'a Bench,
    /// The runs, in the order of the catalogue.
    pub outcomes: &'a [Outcome],
    /// From the first start to the last end.
    pub wall: Duration,
    /// Options for the repeat command, each with a space before it.
    pub repeat: String,
}

impl Report<'_> {
    /// How many runs have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let sections = self.sections.iter();
        sections.map(|section| section.count(verdict)).sum()
    }

    /// From the first start to the last end.
    pub fn wall(&self) -> Duration {
        self.sections.iter().map(|section| section.wall).sum()
    }

    /// Whether runs were made of each target, and nothing is red.
    pub fn is_good(&self) -> bool {
        self.sections.iter().all(|section| {
            let green = |outcome: &Outcome| match outcome.known.is_some() && self.allow_findings {
                true => Verdict::Pass,
                false => outcome.judgement.verdict,
            };
            is_good(section.outcomes.iter().map(green))
        })
    }
}

impl Section<'_> {
    /// How many runs have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.outcomes
            .iter()
            .filter(|outcome| outcome.judgement.verdict == verdict)
            .count()
    }

    /// What the machine lacks for this pass to mean anything, if it does.
    pub fn undecided(&self, outcome: &Outcome) -> Option<&'static str> {
        let run = &outcome.run;
        let machine = &self.bench.target().machine;
        let lacks = machine.missing_premise(run.case, run.caches.is_some());
        let uncounted = outcome.observation.as_ref().and_then(uncounted);
        let lacks = lacks.or(uncounted);
        lacks.filter(|_| outcome.judgement.verdict == Verdict::Pass)
    }

    /// What to know of a run beside its verdict, a line each.
    pub fn notes(&self, outcome: &Outcome) -> Vec<String> {
        let undecided = self.undecided(outcome);
        let undecided = undecided.map(|lack| format!("undecided: {lack}"));
        let checks = outcome.observation.iter().flat_map(|it| &it.checks);
        let excused = checks.filter(|check| !check.is_right()).filter_map(|it| {
            let why = it.excuse.as_deref()?;
            Some(format!(
                "excused: {}: expected {}, got {}: {why}",
                it.name, it.want, it.got
            ))
        });
        let known = outcome.known.as_ref();
        let known = known.map(|it| format!("finding {}: {}", it.id, it.title));
        let profile = &self.bench.target().profile;
        let reasons = profile.reasons(outcome.run.case).into_iter();
        let reasons = reasons.map(|why| format!("profile {}: {why}", profile.name));
        let notes = undecided.into_iter().chain(excused).chain(known);
        notes.chain(reasons).collect()
    }

    /// The command that repeats one run alone.
    pub fn repeat_command(&self, outcome: &Outcome) -> String {
        let run = &outcome.run;
        let caches = run.caches.map(|caches| format!(" --caches {caches}"));
        format!(
            "cargo run -- run {} --isa {}{}{}",
            run.case.id,
            run.isa,
            caches.unwrap_or_default(),
            self.repeat
        )
    }
}

/// What is missing to count the flushes that a case demands, if nobody did.
fn uncounted(observation: &Observation) -> Option<&'static str> {
    let mut steps = observation.steps.iter();
    let uncounted = |step: &Step| step.observed.flush.is_none() && step.expected.flush.is_some();
    steps.any(uncounted).then_some(
        "needs somebody to count flushes: this hypervisor does not, and the cache model is off",
    )
}

/// Skips alone prove nothing.
fn is_good(verdicts: impl Iterator<Item = Verdict> + Clone) -> bool {
    let made = verdicts.clone().any(|verdict| verdict != Verdict::Skip);
    made && !verdicts.into_iter().any(Verdict::is_bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_must_have_run_and_nothing_be_red() {
        use Verdict::{Fail, Pass, Skip};
        for (good, verdicts) in [
            (true, &[Pass, Skip][..]),
            (false, &[Pass, Fail]),
            (false, &[Skip, Skip]),
            (false, &[]),
        ] {
            assert_eq!(is_good(verdicts.iter().copied()), good, "{verdicts:?}");
        }
    }
}
