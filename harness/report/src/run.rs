//! The schema `setway.run/1`: the results of runs.

mod cache_model;
mod observed;
mod result;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Artifact, Origin, Rule, Verdict};

pub use cache_model::{CacheModel, Flush, Notice, Ops, Place};
pub use observed::{
    Check, Cost, Counts, CpuCache, HypervisorAccount, Maintained, Observed, Step, Trapped,
    Witnessed,
};
pub use result::{BuildIds, KnownFinding, RunResult};

/// Results of runs on one or several targets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunReport {
    /// `setway.run/1`.
    pub schema: String,
    /// The invocations whose results these are: one, or one for each part of a merged report.
    #[serde(default)]
    pub origins: Vec<Origin>,
    /// Whether runs that are red only because of a known finding leave the exit code 0.
    #[serde(default)]
    pub allow_findings: bool,
    /// The rules that the results refer to, in the order of reports.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// The targets, in the order in which they were asked for.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// The runs: target by target, and in the order of the catalogue.
    pub results: Vec<RunResult>,
    /// How many runs have each verdict.
    pub summary: BTreeMap<Verdict, u64>,
    /// What the verdicts alone do not show.
    #[serde(default)]
    pub totals: Totals,
    /// Milliseconds from the first start to the last end, summed over the targets.
    pub wall_ms: u64,
}

/// A hypervisor in a version on a machine, as one QEMU simulates it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Target {
    /// Its name within this report; [`RunResult::target`] refers to it.
    pub id: String,
    /// What `--hyp` calls it: `kvm-7.3@virt-max`.
    pub label: String,
    /// The hypervisor alone: `kvm`.
    pub hypervisor: String,
    /// The full version of the hypervisor's package; `None` if it is not from one.
    #[serde(default)]
    pub hypervisor_version: Option<String>,
    /// The machine.
    pub machine: String,
    /// QEMU's version.
    pub qemu: String,
    /// The profile that says what is expected of it.
    pub profile: String,
    /// Milliseconds from the first start to the last end.
    pub wall_ms: u64,
    /// Why no run had the cache model; `None` if runs could have it.
    #[serde(default)]
    pub without_cache_model: Option<String>,
    /// The files that were run: QEMU, plugin, images, what was fetched.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
}

/// Counts over a whole report that qualify its verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Totals {
    /// Runs that were made: all but those skipped.
    pub made: u64,
    /// Passes that could not have been failures ([`RunResult::undecided`]).
    pub vacuous: u64,
    /// Wrong values that are the machine's own doing ([`Check::excused`]).
    pub excused: u64,
    /// Red runs that a known finding explains ([`RunResult::finding`]).
    pub known: u64,
    /// Boots that hung before a guest was entered, and were made again ([`RunResult::lost_boots`]).
    #[serde(default)]
    pub lost_boots: u64,
}

impl RunReport {
    /// How many runs have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let results = self.results.iter();
        results.filter(|result| result.verdict == verdict).count()
    }

    /// The results of one target.
    pub fn results_of<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = &'a RunResult> {
        let results = self.results.iter();
        results.filter(move |it| it.target.as_deref() == Some(target.id.as_str()))
    }

    /// The rule called `id`, if the report has it.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// The target of `result`, if the report has it.
    pub fn target(&self, result: &RunResult) -> Option<&Target> {
        let id = result.target.as_ref()?;
        self.targets.iter().find(|target| target.id == *id)
    }

    /// Whether `result` makes the exit code 1.
    pub fn is_red(&self, result: &RunResult) -> bool {
        result.verdict.is_bad() && !(self.allow_findings && result.finding.is_some())
    }

    /// Whether runs were made of each target, and nothing is red: whether the exit code is 0. Skips alone prove
    /// nothing.
    pub fn is_good(&self) -> bool {
        let made = |target| self.results_of(target).any(RunResult::is_made);
        !self.targets.is_empty()
            && self.targets.iter().all(made)
            && !self.results.iter().any(|result| self.is_red(result))
    }

    /// Counts `summary` and `totals` anew from the results.
    pub fn count_all(&mut self) {
        let count = |verdict| (verdict, self.count(verdict) as u64);
        self.summary = Verdict::ALL.map(count).into();
        self.totals = Totals::of(&self.results);
    }
}

impl Totals {
    /// Counts `results`.
    pub fn of<'a>(results: impl IntoIterator<Item = &'a RunResult>) -> Self {
        let mut totals = Self::default();
        for result in results {
            totals.made += u64::from(result.is_made());
            totals.vacuous += u64::from(result.is_vacuous());
            totals.excused += result.excused().count() as u64;
            totals.known += u64::from(result.verdict.is_bad() && result.finding.is_some());
            totals.lost_boots += u64::from(result.lost_boots);
        }
        totals
    }
}
