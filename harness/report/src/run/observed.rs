//! What a run showed: the guest's steps and checks, and who counted what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::CacheModel;

/// All that a run showed and that does not depend on addresses.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Observed {
    /// The guest's measured phases, in order.
    pub steps: Vec<Step>,
    /// The guest's comparisons, in order.
    pub checks: Vec<Check>,
    /// The caches that the guest's CPU reports.
    pub caches: Vec<CpuCache>,
    /// Traps of set/way ops and of writes of VM registers, by the register's name, from QEMU's log.
    pub registers: BTreeMap<String, u64>,
    /// The hypervisor's own account; `None` if it writes no records.
    pub hypervisor: Option<HypervisorAccount>,
    /// What the cache model saw; `None` without it.
    pub cache_model: Option<CacheModel>,
}

/// Counts of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counts {
    /// Set/way ops that trapped.
    pub set_way: u64,
    /// Writes of VM registers that trapped: of registers that HCR_EL2.TVM traps.
    pub vm_reg: u64,
    /// Flushes of the guest's memory; `None` where there is no witness of them.
    pub flush: Option<u64>,
}

/// Traps of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trapped {
    /// Set/way ops that trapped.
    pub set_way: u64,
    /// Writes of VM registers that trapped.
    pub vm_reg: u64,
}

/// A measured phase of the guest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// What the guest did.
    pub name: String,
    /// What the profile demands of it.
    pub expected: Counts,
    /// What happened: traps by QEMU's log, flushes by the hypervisor's count or, where it does not count them,
    /// by the cache model's.
    pub observed: Counts,
    /// The traps as the hypervisor counted them; absent if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_inside: Option<Trapped>,
    /// Who counted what; empty in documents from before witnesses were named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<Witnessed>,
    /// The hypervisor's maintenance by VA for it, as the cache model saw it; absent without the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintained: Option<Maintained>,
    /// What the guest waited for, by the kind of trap; empty without the cache model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<Cost>,
}

/// How many instructions were executed, at any exception level, between traps of one kind and what the guest executed
/// next.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cost {
    /// `set-way` or `vm-register` for traps after which nothing was maintained by VA, `set-way-flush` or `toggle` for
    /// those after which something was.
    pub of: String,
    /// How many traps there were.
    pub traps: u64,
    /// The least number of instructions.
    pub least: u64,
    /// The median.
    pub median: u64,
    /// The greatest.
    pub most: u64,
    /// All of them together.
    pub total: u64,
}

/// What one witness counted for a step.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Witnessed {
    /// Who: `the exception log`, `the hypervisor` or `the cache model`.
    pub witness: String,
    /// Set/way ops that trapped; absent if it does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_way: Option<u64>,
    /// Writes of VM registers that trapped; absent if it does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_reg: Option<u64>,
    /// Flushes of the guest's memory; absent if it does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush: Option<u64>,
}

impl Step {
    /// Whether what was observed differs from what is expected. What has no witness cannot differ.
    pub fn differs(&self) -> bool {
        let (expected, observed) = (self.expected, self.observed);
        let flush = observed.flush.is_some() && observed.flush != expected.flush;
        flush || (expected.set_way, expected.vm_reg) != (observed.set_way, observed.vm_reg)
    }

    /// Who counted what. Documents from before witnesses were named give it in another form.
    pub fn accounts(&self) -> Vec<Witnessed> {
        if !self.witnesses.is_empty() {
            return self.witnesses.clone();
        }
        let account = |witness: &str, set_way, vm_reg| Witnessed {
            witness: witness.to_owned(),
            set_way: Some(set_way),
            vm_reg: Some(vm_reg),
            flush: None,
        };
        let log = account(
            "the exception log",
            self.observed.set_way,
            self.observed.vm_reg,
        );
        let inside = self.counted_inside;
        let inside = inside.map(|it| account("the hypervisor", it.set_way, it.vm_reg));
        std::iter::once(log).chain(inside).collect()
    }

    /// Whether QEMU's log and the hypervisor count the same traps; `None` if the hypervisor does not count.
    pub fn agrees(&self) -> Option<bool> {
        let inside = self.counted_inside?;
        Some((inside.set_way, inside.vm_reg) == (self.observed.set_way, self.observed.vm_reg))
    }
}

/// Maintenance by VA on behalf of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Maintained {
    /// Flushes that answered set/way ops or writes of VM registers.
    pub flushes: u64,
    /// The cache lines that they covered, summed over the flushes.
    pub lines: u64,
    /// Ops on lines that the same flush had covered before.
    pub twice: u64,
    /// Ops that hit a dirty line; the others had nothing to clean.
    pub dirty: u64,
    /// Lines that the guest had dirtied and that were still dirty after the last flush.
    pub missed: u64,
}

/// A value that the guest compared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// What was compared.
    pub name: String,
    /// What it is a value of: `data` (what a load saw of memory that the case has written), `register` or `state`;
    /// absent in documents older than the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// What the right value was computed from; absent if it is a constant of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What the guest reports besides, for people; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What it should be, as the guest's record writes it.
    pub want: String,
    /// What it was, as the guest's record writes it.
    pub got: String,
    /// Why a wrong value is the machine's own doing, and so says nothing about the hypervisor; absent if the
    /// value is right or the hypervisor is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excuse: Option<String>,
    /// Whether the value was right: `want` equals `got`. An excused value is not right, so `ok` may be false in a
    /// run that passes; the check failed only if `ok` and `excused` are both false.
    pub ok: bool,
    /// Whether a wrong value is excused: `excuse` says why.
    #[serde(default)]
    pub excused: bool,
}

impl Check {
    /// Whether a wrong value is the machine's own doing. Documents older than the field `excused` have `excuse`
    /// alone.
    pub fn is_excused(&self) -> bool {
        !self.ok && (self.excused || self.excuse.is_some())
    }

    /// Whether the hypervisor is to blame for the value.
    pub fn has_failed(&self) -> bool {
        !self.ok && !self.is_excused()
    }
}

/// A cache that the guest's CPU reports.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CpuCache {
    /// Its level; 1 is the nearest to the CPU.
    pub level: u64,
    /// `i` for instructions, `d` for data, `u` unified.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value of CCSIDR_EL1 (AArch32: CCSIDR) for it.
    pub ccsidr: u64,
}

/// The hypervisor's own account of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HypervisorAccount {
    /// Its trace, one line per event, without addresses.
    pub events: Vec<String>,
    /// How often it flushed the guest's memory.
    pub flushes: u64,
    /// How many cache lines that cleaned; 0 if it does not count them.
    pub lines: u64,
    /// Events that did not fit into its trace.
    pub lost: u64,
}
