//! The policy under test: what a hypervisor does when a guest maintains caches by set/way.
//!
//! S/W ops act on one CPU's caches, lines migrate between CPUs by speculation, and system caches
//! ignore S/W altogether, so a hypervisor cannot emulate them. It can only assume what the guest
//! means by them: to empty the whole cache around turning it on or off. This is KVM's answer of 2015
//! (Linux commit 3c1e71650833, "arm/arm64: KVM: Use set/way op trapping to track the state of the
//! caches"):
//!
//! | event | TVM clear | TVM set |
//! |---|---|---|
//! | S/W op | flush the VM's memory by VA, set TVM | nothing |
//! | write to a VM register | does not trap | write; if M∧C changed, flush; if M∧C, clear TVM |
//!
//! where *flush* is clean+invalidate by VA of all memory mapped to the VM, TVM is HCR_EL2.TVM of this
//! vCPU, set at its reset, and M∧C are the bits of SCTLR, "the cache is on".
//!
//! The crate is pure: [`Policy`] takes a state and an event and says what to do. The hypervisors and
//! the host-side checker use it unchanged.
#![no_std]

mod mutant;

pub use mutant::{Mutant, Shows, Site};

use setway_architecture::registers::Sctlr;

/// What the policy remembers of one vCPU: the HCR_EL2.TVM it runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcpuState {
    /// Writes of VM registers trap.
    pub tvm: bool,
}

/// What the hypervisor has to do about a set/way op, besides stepping over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetWayResponse {
    /// Clean and invalidate by VA everything mapped to the VM.
    pub flush: bool,
    /// Execute the op on this CPU, an invalidate as a clean and invalidate. The policy never does; what
    /// it replaced in 2015 did.
    pub execute: bool,
    /// The vCPU's state from here on.
    pub state: VcpuState,
}

/// What the hypervisor has to do about a trapped write of a VM register, once it has performed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToggleResponse {
    /// The cache was on before the write.
    pub was: bool,
    /// The cache is on after it.
    pub now: bool,
    /// Clean and invalidate by VA everything mapped to the VM.
    pub flush: bool,
    /// The vCPU's state from here on.
    pub state: VcpuState,
}

/// The policy, or one of its mutants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The defect, if this is a mutant.
    pub mutant: Option<Mutant>,
}

impl Policy {
    /// The policy with `mutant`'s defect.
    pub const fn with_mutant(mutant: Mutant) -> Self {
        Self {
            mutant: Some(mutant),
        }
    }

    /// Whether this is the mutant `mutant`.
    #[inline]
    pub fn is(self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// The state of a vCPU at reset: its caches are off, so its VM registers are watched.
    pub fn reset(self) -> VcpuState {
        VcpuState {
            tvm: self.traps_set_way()
                && !matches!(
                    self.mutant,
                    Some(Mutant::Before2015 | Mutant::TvmClearAtReset)
                ),
        }
    }

    /// Whether set/way ops trap at all (HCR_EL2.TSW).
    pub fn traps_set_way(self) -> bool {
        !self.is(Mutant::PassThrough) && !self.is(Mutant::PassThroughNoSwio)
    }

    /// Whether SCTLR value `sctlr` means that the guest's cache is on.
    pub fn cache_on(self, sctlr: Sctlr) -> bool {
        let m = sctlr.contains(Sctlr::M);
        let c = sctlr.contains(Sctlr::C);
        match self.mutant {
            Some(Mutant::EnabledByMAlone) => m,
            Some(Mutant::EnabledByCAlone) => c,
            _ => m && c,
        }
    }

    /// The guest issued a set/way op.
    #[inline]
    pub fn set_way(self, state: VcpuState) -> SetWayResponse {
        let first = !state.tvm;
        SetWayResponse {
            flush: match self.mutant {
                Some(Mutant::NoFirstFlush | Mutant::Before2015) => false,
                Some(Mutant::FlushEverySetWay) => true,
                _ => first,
            },
            execute: self.is(Mutant::Before2015),
            state: VcpuState {
                tvm: state.tvm || !(self.is(Mutant::TvmNeverSet) || self.is(Mutant::Before2015)),
            },
        }
    }

    /// The guest wrote a VM register while TVM was set; `was` and `now` are the values of SCTLR
    /// before and after the write.
    pub fn vm_reg_written(self, state: VcpuState, was: Sctlr, now: Sctlr) -> ToggleResponse {
        let changed = was ^ now;
        let (was, now) = (self.cache_on(was), self.cache_on(now));
        let flush = match self.mutant {
            Some(Mutant::FlushOnToOffOnly) => was && !now,
            Some(Mutant::FlushOffToOnOnly) => !was && now,
            Some(Mutant::FlushEveryVmReg) => true,
            Some(Mutant::FlushOnIBit) => was != now || changed.contains(Sctlr::I),
            _ => was != now,
        };
        let clear = match self.mutant {
            Some(Mutant::TvmNeverCleared) => false,
            Some(Mutant::TvmClearedByAnyWrite) => true,
            _ => now,
        };
        ToggleResponse {
            was,
            now,
            flush,
            state: VcpuState {
                tvm: state.tvm && !clear,
            },
        }
    }
}
