//! One run and what became of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Check, Observed};
use crate::Verdict;

/// One case in one instruction set on one target, and the verdict on it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunResult {
    /// The case, such as `SW-TRAP/isw`.
    pub case: String,
    /// The rule that it tests.
    pub rule: String,
    /// The instruction set of its guest: `a64`, `a32` or `t32`.
    pub isa: String,
    /// The [target](super::Target::id) in the report's list; `None` in documents older than that list.
    #[serde(default)]
    pub target: Option<String>,
    /// The target, as `--hyp` names it: hypervisor, version, and the machine unless it is the default one.
    pub hypervisor: String,
    /// The full version of the hypervisor's package; `None` if it is not from one.
    pub hypervisor_version: Option<String>,
    /// The mutant that the hypervisor was; `None` if it was to have no defect.
    pub mutant: Option<String>,
    /// The profile that says what is expected.
    pub profile: String,
    /// The machine.
    pub machine: String,
    /// QEMU's version.
    pub qemu: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Why; `None` for a pass.
    pub reason: Option<String>,
    /// The known finding that explains the verdict; `None` if there is none.
    pub finding: Option<KnownFinding>,
    /// What the run showed; `None` if it was not made or QEMU did not start.
    pub observed: Option<Observed>,
    /// Exceptions that the guest took to EL2 in the whole run, by class, from QEMU's log.
    pub traps: BTreeMap<String, u64>,
    /// Milliseconds that it took.
    pub duration_ms: u64,
    /// Boots that hung before their hypervisor entered a guest, and were made again; what is reported is of the last.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_boots: u32,
    /// The case compares data and had no cache model, so that its data could not go stale.
    pub needs_cache_model: bool,
    /// The schedule of the simulated caches, as `--caches` names it; `None` without the cache model.
    pub caches: Option<String>,
    /// What would be needed for this pass to be able to fail; `None` if it could have failed. Such a pass is
    /// *vacuous*, and reports mark it `*`.
    pub undecided: Option<String>,
    /// What to know beside the verdict, a line each: why it is undecided, excused values, the finding, and where
    /// the profile's counts differ from what the case demands.
    pub notes: Vec<String>,
    /// The ids of the images that were booted.
    pub builds: BuildIds,
    /// The directory with the raw logs of a run that did not pass.
    pub log_dir: Option<String>,
    /// The command that repeats this run alone.
    pub repeat: String,
    /// The last lines that QEMU wrote to stderr.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stderr: Vec<String>,
    /// How data was lost, a line each in order of time, with names for addresses; empty if no data went stale or
    /// was lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub story: Vec<String>,
    /// How what was observed differs from the committed expectation, as the lines of a unified diff; empty if it
    /// does not, or was not compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub difference: Vec<String>,
}

/// For what is written only if there is something to say.
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A known finding, in short.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KnownFinding {
    /// Its name, which is that of a file in `expectations/findings`.
    pub id: String,
    /// One line about it.
    pub title: String,
}

/// The ids of the images that were booted, as hexadecimal numbers such as `0x25e910b68706a02`. Each image reports
/// its own in its records.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BuildIds {
    /// The guest's.
    pub guest: String,
    /// The hypervisor's; `None` if it writes no records.
    pub hypervisor: Option<String>,
}

impl RunResult {
    /// What to call the run where there is one target: `COH-LOOP/csw.a64 [migrate]`.
    pub fn label(&self) -> String {
        let (case, isa) = (&self.case, &self.isa);
        match &self.caches {
            Some(caches) => format!("{case}.{isa} [{caches}]"),
            None => format!("{case}.{isa}"),
        }
    }

    /// The target, and the mutant if it was one.
    pub fn under(&self) -> String {
        match &self.mutant {
            Some(mutant) => format!("{}, mutant {mutant}", self.hypervisor),
            None => self.hypervisor.clone(),
        }
    }

    /// Whether the run was made.
    pub fn is_made(&self) -> bool {
        self.verdict != Verdict::Skip
    }

    /// Whether it is a pass that could not have been a failure.
    pub fn is_vacuous(&self) -> bool {
        self.undecided.is_some()
    }

    /// The guest's checks.
    pub fn checks(&self) -> &[Check] {
        self.observed.as_ref().map_or(&[], |it| &it.checks)
    }

    /// The wrong values that are the machine's own doing.
    pub fn excused(&self) -> impl Iterator<Item = &Check> {
        self.checks().iter().filter(|check| check.is_excused())
    }
}
