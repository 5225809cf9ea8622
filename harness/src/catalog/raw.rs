//! The data files as they are written, one structure each. What they mean is checked elsewhere: here a name may be one
//! that nothing has. Values whose place matters for a message keep their place.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{
    device_tree::Edits,
    hypervisor::{Agent, CachesFrom, EndsWith},
    initramfs::Contents,
    isa::Isa,
    machine::CacheModel,
};

/// `runners/*/hypervisor.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hypervisor {
    /// See [`super::hypervisor::Hypervisor`] for what each key means.
    pub name: Spanned<String>,
    /// One line about it.
    pub about: String,
    /// A profile's name.
    pub profile: Spanned<String>,
    /// Profiles by machines.
    #[serde(default)]
    pub profile_on: BTreeMap<String, Spanned<String>>,
    /// Whether it writes records.
    pub records: bool,
    /// Exit classes without a trace event.
    #[serde(default)]
    pub unseen_exits: Vec<u64>,
    /// Whether it is for the harness's own tests.
    #[serde(default)]
    pub self_test: bool,
    /// A directory of `runners/`.
    pub versions_of: Option<Spanned<String>>,
    /// One of Setway's own images.
    pub kernel: Option<String>,
    /// Files of one's own by placeholder, relative to this one.
    #[serde(default)]
    pub files: BTreeMap<String, Spanned<String>>,
    /// Payload images by ISA.
    #[serde(default)]
    pub payload: BTreeMap<Isa, String>,
    /// MiB.
    pub memory: Option<u64>,
    /// Command line.
    pub args: Vec<String>,
    /// What is appended for one ISA.
    #[serde(default)]
    pub isa_args: BTreeMap<Isa, Vec<String>>,
    /// From when on caches are simulated.
    #[serde(default)]
    pub caches_from: CachesFrom,
    /// Changes to the machine's device tree.
    pub device_tree: Option<Edits>,
    /// What marks the lines of a guest.
    pub line_prefix: Option<String>,
    /// The initial RAM disk.
    pub initramfs: Option<Contents>,
    /// Whether a host runs beside the guest.
    #[serde(default)]
    pub hosted: bool,
    /// What ends a run.
    #[serde(default)]
    pub ends_with: EndsWith,
    /// Texts of a crash.
    #[serde(default)]
    pub crash: Vec<String>,
    /// How often to boot for one run.
    #[serde(default = "once")]
    pub boot_attempts: u32,
    /// The agent that starts guests.
    pub agent: Option<Agent>,
}

/// The number of boots for a hypervisor that never hangs in one.
fn once() -> u32 {
    1
}

/// `runners/machines/*.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// See [`super::machine::Machine`] for what each key means.
    pub name: Spanned<String>,
    /// One line about it.
    pub about: String,
    /// ISAs at EL1.
    pub isas: Vec<Isa>,
    /// The most CPUs.
    pub cpus: u32,
    /// MiB.
    pub memory: u64,
    /// Its caches.
    pub cache_model: Option<CacheModel>,
    /// Whether reads of set/way encodings trap.
    pub trapped_reads: bool,
    /// Whether there are ops by set/way on allocation tags.
    #[serde(default)]
    pub tags: bool,
    /// Command line.
    pub args: Vec<String>,
    /// Command line for the device tree alone.
    pub tree_args: Vec<String>,
    /// The machine whose quirks it has as well.
    pub quirks_of: Option<String>,
    /// What it gets wrong.
    #[serde(default, rename = "quirk")]
    pub quirks: Vec<Spanned<Quirk>>,
}

/// A `[[quirk]]` of a machine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    /// A case's id.
    pub case: String,
    /// In which ISAs.
    pub isas: Vec<Isa>,
    /// The checks' names.
    pub checks: Vec<String>,
    /// The wrong value.
    pub got: String,
    /// What the machine does wrong.
    pub why: String,
}

/// `runners/profiles/*.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// See [`super::profile::Profile`] for what each key means.
    pub name: Spanned<String>,
    /// One line about it.
    pub about: String,
    /// Who says that it is so.
    pub source: String,
    /// The kinds of rule that bind it.
    pub rules: Vec<RuleKind>,
    /// Counts that differ.
    #[serde(default)]
    pub differs: Vec<Spanned<Difference>>,
    /// Traps that the policy does not ask for.
    pub other_traps: Option<OtherTraps>,
    /// Premises that do not hold, by name, and why.
    #[serde(default)]
    pub lacks: BTreeMap<Spanned<String>, String>,
    /// What maintenance may cost, by the hypervisor's name.
    #[serde(default)]
    pub cost: BTreeMap<String, Grant>,
}

/// A `[cost.HYPERVISOR]` of a profile: bounds, in instructions that the guest waits for unless it says otherwise.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Grant {
    /// For a set/way op that flushes nothing.
    pub set_way: u64,
    /// For a write of a VM register that flushes nothing.
    pub vm_register: u64,
    /// For a trap that flushes, besides what its ops may cost.
    pub flush: u64,
    /// For each op by VA of a flush.
    pub op: u64,
    /// How many times the lines that the guest has touched a flush may cover, whole blocks of 2 MiB taken as touched.
    pub reach: u64,
    /// Whether each trap is held to that, and not the median alone: nothing interrupts this hypervisor.
    #[serde(default)]
    pub each: bool,
    /// Where these figures come from.
    pub why: String,
}

/// `[other_traps]` of a profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherTraps {
    /// How many a step may take for each CPU of the case, besides those that its own instructions may be the reason for.
    pub each_step: u64,
    /// Why that is right.
    pub why: String,
}

/// A `[[differs]]` of a profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// A case's id.
    pub case: Option<String>,
    /// A step's name.
    pub step: Option<String>,
    /// Set/way traps.
    pub set_way: Option<u64>,
    /// VM register traps.
    pub vm_reg: Option<u64>,
    /// Flushes.
    pub flush: Option<u64>,
    /// Why that is right.
    pub why: String,
}

/// A kind of rule, as files write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleKind {
    /// Binds every hypervisor.
    Architectural,
    /// Binds those that follow the policy.
    Policy,
    /// Binds machines without a hypervisor.
    Machine,
}

/// `runners/qemu/*.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qemu {
    /// See [`super::qemu::VersionFile`] for what each key means.
    pub name: Spanned<String>,
    /// Debian's suites.
    pub suites: Vec<String>,
    /// The preferred suite.
    pub release: Option<String>,
    /// The package.
    pub package: String,
    /// The generation of the plugin interface.
    pub plugin_api: Option<u32>,
}

/// `expectations/findings/*.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// See [`super::finding::Finding`] for what each key means.
    pub id: Spanned<String>,
    /// One line about it.
    pub title: String,
    /// The rules that are broken.
    pub rules: Vec<String>,
    /// Targets, on every machine if none is named.
    pub hypervisors: Vec<Spanned<String>>,
    /// Targets with their machines.
    #[serde(default)]
    pub except: Vec<Spanned<String>>,
    /// What the rule expects.
    pub expected: String,
    /// What happens instead.
    pub happened: String,
    /// Lines of logs.
    pub evidence: String,
    /// A command.
    pub repeat: String,
    /// A place in the hypervisor's source.
    #[serde(rename = "where")]
    pub place: String,
    /// From which version on.
    pub since: String,
    /// Who demands otherwise.
    pub reference: String,
    /// What a guest has to execute.
    pub reproducer: String,
    /// What could be changed.
    pub suggestion: String,
    /// Those who write the hypervisor.
    pub upstream: Spanned<Upstream>,
    /// How it shows.
    #[serde(rename = "run")]
    pub runs: Vec<Spanned<Symptom>>,
}

/// The `[upstream]` of a finding.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The address of the list that takes reports.
    pub list: String,
    /// What a subject on that list begins with.
    pub area: String,
    /// Whether those who write the hypervisor know.
    pub known: String,
    /// The change that corrected it; `None` if there is none.
    pub fixed: Option<Fix>,
}

/// The `fixed` of an `[upstream]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// The commit, in 12 digits or more.
    pub commit: String,
    /// Its title.
    pub title: String,
    /// The first release that has it.
    pub version: String,
}

/// A `[[run]]` of a finding.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Symptom {
    /// A case's id.
    pub case: String,
    /// In which ISAs.
    pub isas: Vec<Isa>,
    /// With which caches.
    #[serde(default)]
    pub caches: Vec<String>,
    /// Under which of the finding's hypervisors.
    #[serde(default)]
    pub hypervisors: Vec<String>,
    /// Whether it shows by chance only.
    #[serde(default)]
    pub sometimes: bool,
    /// A finding in place of which it does not show.
    pub unless: Option<String>,
    /// Checks that are wrong.
    #[serde(default, rename = "check")]
    pub checks: Vec<SymptomCheck>,
    /// Steps that are not as expected.
    #[serde(default, rename = "step")]
    pub steps: Vec<SymptomStep>,
    /// `true` if loads of the guest see data that is not the newest.
    #[serde(default)]
    pub stale: bool,
    /// What costs more than is granted, by the names of [`super::finding::COSTS`].
    #[serde(default)]
    pub cost: Vec<String>,
    /// How the run ends, if there is nothing to judge.
    pub ends: Option<SymptomEnd>,
}

/// A wrong check of a symptom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymptomCheck {
    /// The check's name.
    pub name: String,
    /// The value that the guest found.
    pub got: String,
}

/// A step of a symptom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymptomStep {
    /// The step's name.
    pub name: String,
    /// Set/way traps that are observed.
    pub set_way: Option<u64>,
    /// VM register traps that are observed.
    pub vm_reg: Option<u64>,
    /// Flushes that are observed.
    pub flush: Option<u64>,
}

/// How a run ends that is not judged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SymptomEnd {
    /// `crash`, `timeout` or `no_verdict`.
    pub verdict: String,
    /// A part of the reason.
    pub reason: String,
}
