//! The schema `setway.list/1`: what there is to run.

use serde::{Deserialize, Serialize};

/// Rules, cases, hypervisors, findings and machines of a checkout.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListReport {
    /// `setway.list/1`.
    pub schema: String,
    /// The rules, in the order of reports.
    pub rules: Vec<Rule>,
    /// The cases, in the order of reports.
    pub cases: Vec<Case>,
    /// The hypervisors under test.
    pub hypervisors: Vec<Hypervisor>,
    /// The mutants of the reference hypervisor.
    #[serde(default)]
    pub mutants: Vec<ListedMutant>,
    /// The known deviations.
    pub findings: Vec<Finding>,
    /// The machines.
    pub machines: Vec<Machine>,
}

/// A rule: what must hold, and who demands it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rule {
    /// Its name, such as `SW-TRAP`.
    pub id: String,
    /// The rule, as a sentence.
    pub title: String,
    /// Where it stands: a section of the architecture's manual, or a commit.
    pub source: String,
    /// Whom it binds: `architectural` (every hypervisor), `policy` (those that follow KVM's policy of 2015) or
    /// `machine` (the machine without a hypervisor).
    pub kind: String,
}

/// A case, which tests a rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Case {
    /// Its name, such as `SW-TRAP/isw`.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// The instruction sets it is for: `a64`, `a32`, `t32`.
    pub isas: Vec<String>,
    /// How many vCPUs its guest has.
    pub vcpus: u32,
    /// It compares data, so it cannot fail without caches that are not coherent.
    pub needs_cache_model: bool,
    /// It cannot fail where reads of set/way encodings do not trap.
    pub needs_trapped_reads: bool,
    /// What must hold for it to say anything, by name.
    #[serde(default)]
    pub premises: Vec<String>,
}

/// A hypervisor under test.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hypervisor {
    /// What `--hyp` calls it.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// The profile that says what is expected of it.
    pub profile: String,
    /// The versions it comes in, the newest first; empty if it has none.
    pub versions: Vec<String>,
}

/// A mutant of the reference hypervisor, which `--mutant` selects.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListedMutant {
    /// Its name.
    pub name: String,
    /// Where the mistake is made: `policy`, `emulation`, `stage2`, `traps` or `vcpu`.
    pub site: String,
    /// What is wrong because of it: `counts`, `state` (registers, PC, PSTATE), `data`, `counts and data`,
    /// `course` (it does not get where it should, with caches) or `cost`.
    pub shows: String,
    /// What it does wrong.
    pub defect: String,
    /// Labels of runs that kill it, as `setway mutants --bless` saw them last.
    #[serde(default)]
    pub killed_by: Vec<String>,
}

/// A known deviation of a hypervisor.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Its name.
    pub id: String,
    /// One line about it.
    pub title: String,
    /// The targets that show it, as `--hyp` names them.
    pub hypervisors: Vec<String>,
    /// The rules that are broken.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Whether those who write the hypervisor know.
    #[serde(default)]
    pub upstream: Option<String>,
    /// The first release without it; absent if there is none.
    #[serde(default)]
    pub fixed_in: Option<String>,
}

/// A machine that runs can be made on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Machine {
    /// What `--hyp NAME@MACHINE` calls it.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// The instruction sets that its guests can use.
    pub isas: Vec<String>,
    /// How many CPUs it can have.
    pub cpus: u32,
    /// Whether the cache model knows it.
    pub cache_model: bool,
}
