//! What a run showed: console records and exception log put together.
//!
//! Steps are counted twice, from QEMU's log and by the hypervisor, and both accounts are kept. What is
//! missing or contradictory is kept as well; [`crate::judge`] says what that means.

mod cost;
mod gap;
mod gather;
mod modelled;

use std::collections::BTreeMap;

use setway_cases::{Case, Kind, Premise};
use setway_protocol::{
    record,
    word::{Access, CacheType, CheckKind},
};

use super::{
    capture::End,
    traps::Trapped,
    witness::{self, WitnessId},
};

pub use cost::Cost;
pub use gap::Gap;
pub use modelled::{Flush, Modelled, Notice, Ops, Place};

/// Counts of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Set/way ops that trapped.
    pub set_way: u64,
    /// Writes of VM registers that trapped.
    pub vm_reg: u64,
    /// Flushes; `None` where nobody counts them.
    pub flush: Option<u64>,
}

/// A measured phase of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What the guest did.
    pub name: String,
    /// What the policy demands of it.
    pub expected: Counts,
    /// What happened, by the first witness that counts it: traps by the exception log, or where there is none by the
    /// hypervisor; flushes by the hypervisor, or where it does not count them by the cache model.
    pub observed: Counts,
    /// The traps as the hypervisor counted them.
    pub hypervisor: Option<Trapped>,
    /// Who counted what.
    pub witnesses: Vec<witness::Account>,
    /// What the hypervisor maintained for it, as the cache model saw it.
    pub maintained: Option<Maintained>,
    /// The traps that nothing but the hypervisor's settings is the reason for, by class: each costs the guest as much
    /// as one that the policy needs.
    pub others: BTreeMap<String, u64>,
    /// How many of those there may be.
    pub others_allowed: u64,
    /// What the guest waited for in it, as the cache model counted it, by the kind of trap.
    pub costs: Vec<Cost>,
    /// The numbers of its first trap in the exception log and of the one after its last; empty without a log.
    pub span: std::ops::Range<usize>,
}

impl Step {
    /// What the guest says of a step, of which nothing has been counted yet.
    fn demanding(step: &record::Step) -> Self {
        Self {
            name: step.name.to_string(),
            expected: Counts {
                set_way: step.set_way,
                vm_reg: step.vm_reg,
                flush: Some(step.flush),
            },
            observed: Counts {
                set_way: 0,
                vm_reg: 0,
                flush: None,
            },
            hypervisor: None,
            witnesses: Vec::new(),
            maintained: None,
            others: BTreeMap::new(),
            others_allowed: u64::MAX,
            costs: Vec::new(),
            span: 0..0,
        }
    }
}

impl Step {
    /// Takes down what `witness` counted for it. What an earlier one has counted stays what was observed.
    fn hear(&mut self, witness: WitnessId, counted: witness::Counted) {
        let first = |get: fn(&witness::Counted) -> Option<u64>| {
            let known = self.witnesses.iter().any(|it| get(&it.counted).is_some());
            get(&counted).filter(|_| !known)
        };
        if let Some(count) = first(|it| it.set_way) {
            self.observed.set_way = count;
        }
        if let Some(count) = first(|it| it.vm_reg) {
            self.observed.vm_reg = count;
        }
        if let Some(count) = first(|it| it.flush) {
            self.observed.flush = Some(count);
        }
        self.witnesses.push(witness::Account { witness, counted });
    }

    /// Who counted its flushes, if anyone did.
    pub fn flush_witnesses(&self) -> impl Iterator<Item = WitnessId> {
        let counted = self
            .witnesses
            .iter()
            .filter(|it| it.counted.flush.is_some());
        counted.map(|it| it.witness)
    }
}

/// Maintenance by VA on behalf of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Flushes that answered set/way ops or writes of VM registers.
    pub flushes: u64,
    /// The lines that they covered, all added up.
    pub lines: u64,
    /// Ops on lines that the same flush had covered before.
    pub twice: u64,
    /// Ops that found a dirty line; the others had nothing to clean.
    pub dirty: u64,
    /// Lines that the guest had dirtied and that were still dirty after the last.
    pub missed: u64,
}

/// A value that the guest compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is a value of.
    pub of: CheckKind,
    /// What was compared.
    pub name: String,
    /// What it should be.
    pub want: String,
    /// What it was.
    pub got: String,
    /// What the right value was computed from, if it is no constant of the case.
    pub from: Option<String>,
    /// What the guest says besides, for people.
    pub detail: Option<String>,
    /// Why a wrong value is the machine's own doing.
    pub excuse: Option<String>,
}

impl Check {
    /// What the guest says of a comparison.
    fn of(check: &record::Check) -> Self {
        Self {
            of: check.of,
            name: check.name.to_string(),
            want: check.want.to_string(),
            got: check.got.to_string(),
            from: check.from.map(|from| from.to_string()),
            detail: check.detail.map(|detail| detail.to_string()),
            excuse: None,
        }
    }

    /// Whether the value was right.
    pub fn is_right(&self) -> bool {
        self.want == self.got
    }

    /// Whether the hypervisor is not to blame for the value.
    pub fn holds(&self) -> bool {
        self.is_right() || self.excuse.is_some()
    }
}

/// A cache that the guest's CPU reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// 1 is the nearest.
    pub level: u64,
    /// What it holds.
    pub kind: CacheType,
    /// CCSIDR_EL1.
    pub ccsidr: u64,
}

impl Cache {
    /// What the guest says of a cache.
    fn of(cache: &record::Cache) -> Self {
        Self {
            level: cache.level,
            kind: cache.kind,
            ccsidr: cache.ccsidr.0,
        }
    }
}

/// What the hypervisor says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Its trace, one line per event, without addresses.
    pub events: Vec<String>,
    /// How often it flushed.
    pub flushes: u64,
    /// How many lines that cleaned, if it counts them.
    pub lines: Option<u64>,
    /// Events that did not fit its trace.
    pub lost: u64,
}

/// What a case itself makes stale, by right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayBeStale {
    /// Nothing: all that a load sees has to be the newest.
    Nothing,
    /// What is loaded past the caches: the case shows that a store still waits in one.
    PastCaches,
    /// Whatever the case itself does to its data, on a bare machine.
    Anything,
}

impl MayBeStale {
    /// What `case` makes stale.
    pub fn of(case: &Case) -> Self {
        if case.rule.kind == Kind::Machine {
            MayBeStale::Anything
        } else if case.needs(Premise::OnlyOwnEvictions) {
            MayBeStale::PastCaches
        } else {
            MayBeStale::Nothing
        }
    }

    /// Whether what `read` tells is right.
    pub fn allows(self, read: &Notice) -> bool {
        match self {
            MayBeStale::Nothing => false,
            MayBeStale::PastCaches => !read.walk && read.path == Some(Access::Uncached),
            MayBeStale::Anything => true,
        }
    }
}

/// The ids of the images that a run boots, which its records must repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Builds {
    /// The guest's.
    pub guest: u64,
    /// The hypervisor's, if it writes records.
    pub hypervisor: Option<u64>,
    /// The mutant that it has to be, if it is to be one.
    pub mutant: Option<&'static str>,
    /// Classes of exits that these records do not count.
    pub unseen_exits: Vec<u64>,
    /// A host's kernel runs beside the guest.
    pub hosted: bool,
}

/// Where images were loaded, as they say themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bases {
    /// The guest's.
    pub guest: Option<u64>,
    /// The hypervisor's.
    pub hypervisor: Option<u64>,
}

/// All that a run showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// How QEMU ended.
    pub end: End,
    /// What QEMU said on stderr.
    pub stderr: String,
    /// The guest's measured phases.
    pub steps: Vec<Step>,
    /// The guest's comparisons.
    pub checks: Vec<Check>,
    /// The guest's caches.
    pub caches: Vec<Cache>,
    /// What the hypervisor says of itself, if it does.
    pub account: Option<Account>,
    /// What the case itself makes stale.
    pub may_be_stale: MayBeStale,
    /// CPUs acted at once: see [`Case::at_once`](setway_cases::Case::at_once).
    pub at_once: bool,
    /// What the cache model noticed, if there was one.
    pub modelled: Option<Modelled>,
    /// The random programs that the guest ran, if any.
    pub programs: Vec<record::Program>,
    /// What the loads of the one saw that was asked for in detail.
    pub seen: Vec<u8>,
    /// All traps of the run by class, from QEMU's log.
    pub traps: BTreeMap<String, u64>,
    /// All traps of set/way ops and VM registers by name, from QEMU's log.
    pub registers: BTreeMap<String, u64>,
    /// Where the images were.
    pub bases: Bases,
    /// Records that say that the guest or the hypervisor crashed.
    pub crashes: Vec<String>,
    /// Why the observation proves nothing.
    pub gaps: Vec<Gap>,
    /// The last whole record of the console, to say how far a run came.
    pub last: Option<String>,
}

impl Observation {
    /// Excuses the wrong checks for which `excuse` knows a reason.
    pub fn excuse<'a>(&mut self, excuse: impl Fn(&Check) -> Option<&'a str>) {
        for check in self.checks.iter_mut().filter(|check| !check.is_right()) {
            check.excuse = excuse(check).map(str::to_owned);
        }
    }
}

#[cfg(test)]
mod tests {
    use setway_protocol::Whereabouts;

    use super::*;

    #[test]
    fn a_guest_may_see_old_data_past_the_caches_alone() {
        let read = |path, walk| Notice {
            after: 0,
            by: Place {
                cpu: 0,
                pc: 0x4000_0000,
                el: 1,
            },
            path: Some(path),
            walk,
            pa: 0x4800_0000,
            len: 8,
            saw: 1,
            newest: 2,
            place: Whereabouts::Cache(0),
            store: None,
            then: None,
        };
        let of = |id: &str| {
            let case = setway_cases::CASES.iter().find(|case| case.id == id);
            MayBeStale::of(case.expect("a case"))
        };
        let dropped = of("COH-DROPPED");
        assert!(dropped.allows(&read(Access::Uncached, false)));
        assert!(!dropped.allows(&read(Access::Uncached, true)));
        assert!(!dropped.allows(&read(Access::Cached, false)));
        assert!(!dropped.allows(&read(Access::Fetch, false)));
        assert!(!of("COH-CLEAN/csw").allows(&read(Access::Uncached, false)));
        assert!(of("MCH-NONE/past").allows(&read(Access::Cached, false)));
    }
}
