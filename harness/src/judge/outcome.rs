//! From what a run showed to its outcome: observation, excuses, demand, verdict, expectation and findings, in this order.
//!
//! Nothing here runs anything, so a kept transcript is judged like a run that has just been made.

use std::{path::PathBuf, time::Duration};

use setway_cases::{CASES, Premise};
use setway_protocol::word::CheckKind;

use super::{
    Judgement, Verdict, cost, demand, excuse,
    expectation::{Comparison, Expectation},
    failure::Failure,
    finding::{self, Known},
    geometry, judge_with,
    obligation::{self, Reported},
    premise,
};
use crate::{
    catalog::{finding::Finding, obligation::Obligations, target::Target},
    evidence::{
        capture::{Capture, End},
        observation::{Builds, Gap, Observation},
    },
    plan::Run,
    workspace::Workspace,
};

/// A run that was made, or skipped.
#[derive(Debug)]
pub struct Outcome {
    /// The run.
    pub run: Run,
    /// Its verdict, and why.
    pub judgement: Judgement,
    /// What it showed; `None` if it was skipped or the machine did not start.
    pub observation: Option<Observation>,
    /// What a pass would need to mean anything; `None` if it could have failed, or broke its rule.
    pub undecided: Option<&'static str>,
    /// How it compares with the expectation, if it was held against one.
    pub comparison: Option<Comparison>,
    /// From start to end.
    pub duration: Duration,
    /// How many boots hung before a guest was entered, and were made again.
    pub lost_boots: u32,
    /// Where its raw logs are.
    pub log_dir: Option<PathBuf>,
    /// The finding that it shows again, if it is red for a known reason.
    pub known: Option<Known>,
}

/// What runs of a target are judged by.
#[derive(Debug)]
pub struct Court<'a> {
    /// The checkout with the expectations.
    pub workspace: &'a Workspace,
    /// What is judged.
    pub target: &'a Target,
    /// What is known of hypervisors.
    pub findings: &'a [Finding],
    /// Whether to compare runs with the expectations.
    pub expectations: bool,
    /// What cases owe; `None` while that is being written down.
    pub obligations: Option<&'a Obligations>,
}

impl Court<'_> {
    /// Judges what `run`, which booted images of these `builds`, showed.
    pub fn judge(&self, run: &Run, mut capture: Capture, builds: &Builds) -> Outcome {
        let target = self.target;
        if let Some(reason) = target.hypervisor.crash_on(&capture.console) {
            capture.end = End::Failed(reason);
        }
        let mut observation = Observation::of(&capture, run, builds);
        let shape = geometry::mismatch(target, run, &observation.caches);
        observation.gaps.extend(shape);
        let quirks = &target.machine.quirks;
        observation.excuse(|check| excuse::excuse(quirks, run.case, run.isa, check));
        // What the case itself demands is owed, whatever the profile makes of it.
        // Only the harness's own tests have guests of no case.
        let is_case = CASES.iter().any(|case| case.id == run.case.id);
        let owed = self.obligations.filter(|_| is_case);
        let debts = owed.map_or_else(Vec::new, |owed| {
            let reported = Reported::of(&observation, run.expected().ok().flatten());
            obligation::debts(owed, run.case.id, run.isa, &reported)
        });
        for step in &mut observation.steps {
            step.expected = demand::expected(&target.profile, run.case, &step.name, step.expected);
            step.others_allowed = demand::other_traps(&target.profile, run.case);
        }
        let grant = target.profile.cost.get(&target.hypervisor.name);
        let costly = cost::failures(run.case, grant, &observation);
        let mut judgement = judge_with(&observation, costly).owing(&debts);
        let meets_rule = judgement.verdict == Verdict::Pass;
        let mut comparison = None;
        // A defect that makes no difference must survive, so nothing else is asked of a mutant.
        let expected = self.expectations && run.mutant.is_none();
        if expected && judgement.verdict == Verdict::Pass {
            let expectation = Expectation::of(self.workspace, &target.label(), run);
            let compared = expectation.compare(&observation);
            judgement = compared.judge();
            comparison = Some(compared);
        }
        let names = target.names();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut known = None;
        if run.mutant.is_none() {
            known = finding::known(self.findings, &names, run, &judgement);
            if judgement.verdict == Verdict::Pass {
                judgement = finding::gone(self.findings, &names, run).unwrap_or(judgement);
            }
        }
        let unbounded = run.case.needs(Premise::CountedCost) && grant.is_none();
        let undecided = premise::missing(&target.machine, run, &observation)
            .or_else(|| unbounded.then_some(cost::UNBOUNDED));
        Outcome {
            run: *run,
            judgement,
            undecided: undecided.filter(|_| meets_rule),
            observation: Some(observation),
            comparison,
            duration: capture.duration,
            lost_boots: capture.lost_boots,
            log_dir: None,
            known,
        }
    }
}

impl Outcome {
    /// A run that showed nothing, because it was not made.
    pub fn without_observation(run: &Run, judgement: Judgement) -> Self {
        Self {
            run: *run,
            judgement,
            observation: None,
            undecided: None,
            comparison: None,
            duration: Duration::ZERO,
            lost_boots: 0,
            log_dir: None,
            known: None,
        }
    }

    /// What this pass would need to mean anything; `None` if it could have failed, or is no pass.
    pub fn undecided(&self) -> Option<&'static str> {
        let is_pass = self.judgement.verdict == Verdict::Pass;
        self.undecided.filter(|_| is_pass)
    }

    /// Whether a load of the guest's own found wrong data.
    pub fn has_wrong_data(&self) -> bool {
        let mut checks = self.observation.iter().flat_map(|it| &it.checks);
        let wrong = checks.any(|check| check.of == CheckKind::Data && !check.holds());
        self.run.case.needs(Premise::Caches) && wrong
    }

    /// Whether maintenance cost the guest more than is granted.
    pub fn has_excess(&self) -> bool {
        let mut failures = self.judgement.failures.iter();
        failures.any(|failure| matches!(failure, Failure::Cost { .. }))
    }

    /// Whether it is red for a reason that is not the hypervisor's: it could not be made, or the
    /// error is Setway's.
    pub fn is_our_error(&self) -> bool {
        let own = |it: &Observation| it.gaps.iter().any(Gap::is_our_error);
        match self.judgement.verdict {
            // The cache model names itself, or its sources, in what it says before it gives up.
            Verdict::Crash => self.observation.as_ref().is_none_or(|it| {
                ["setway cache model", "cache-model/"]
                    .iter()
                    .any(|name| it.stderr.contains(name))
            }),
            Verdict::NoVerdict => self.observation.as_ref().is_some_and(own),
            Verdict::Pass | Verdict::Fail | Verdict::Skip | Verdict::Timeout => false,
        }
    }
}
