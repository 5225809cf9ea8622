//! Aborts that are a guest's own doing: it fetches from what is no memory, or accesses what is nobody's. The CPU
//! would report a synchronous External abort (DDI 0487, "External aborts"), and so does a hypervisor on whose
//! stage 2 the access ends.

use super::{
    aarch32::psr,
    entry::{Cause, Entry32, Entry64, Vector32},
    esr::{Esr, ec},
};

/// An abort to hand to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort {
    /// It was a fetch.
    pub fetch: bool,
    /// WnR and CM of the syndrome, where they are in all of them: the access was a store, or cache maintenance.
    pub access: u64,
    /// What happened.
    pub fault: Fault,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The access itself led nowhere.
    External,
    /// So did the walk of stage 1's tables, at this level.
    ExternalOnWalk(u32),
    /// The access is not aligned, to what is a device.
    Alignment,
}

/// ISS.WnR and ISS.CM.
const ACCESS: u32 = 1 << 6 | 1 << 8;

/// AArch32.TakePrefetchAbortException() and AArch32.TakeDataAbortException() (DDI 0487, shared pseudocode).
const PREFETCH: Vector32 = Vector32 {
    offset: 0x0c,
    mode: psr::ABT,
    masks: psr::A,
    link: (4, 4),
};
const DATA: Vector32 = Vector32 {
    offset: 0x10,
    link: (8, 8),
    ..PREFETCH
};

impl Abort {
    /// What to make of a stage 2 abort with syndrome `esr`; `level` is that of the walk of stage 1, if it was one that
    /// aborted.
    pub const fn of(esr: Esr, level: u32) -> Self {
        let fetch = esr.class() == ec::IABT_LOWER;
        let fault = if esr.is_stage1_walk() {
            Fault::ExternalOnWalk(level)
        } else if esr.fault_status() == ALIGNMENT {
            Fault::Alignment
        } else {
            Fault::External
        };
        let access = if fetch { 0 } else { esr.0 & ACCESS };
        Self {
            fetch,
            access: access as u64,
            fault,
        }
    }

    /// DFSC or IFSC (DDI 0487, ESR_EL1).
    const fn status(self) -> u64 {
        match self.fault {
            Fault::External => 0b01_0000,
            Fault::ExternalOnWalk(level) => 0b01_0100 | level as u64 & 0b11,
            Fault::Alignment => ALIGNMENT as u64,
        }
    }

    /// Its entry in AArch64. FAR_EL1 gets the address. EA is IMPLEMENTATION DEFINED, and 0.
    pub const fn aarch64(self, cause: &Cause) -> Entry64 {
        let class = match (self.fetch, cause.is_from_el0()) {
            (true, true) => ec::IABT_LOWER,
            (true, false) => ec::IABT_SAME,
            (false, true) => ec::DABT_LOWER,
            (false, false) => ec::DABT_SAME,
        };
        let esr = (class as u64) << 26 | 1 << 25 | self.access | self.status();
        cause.aarch64(esr)
    }

    /// Its entry in AArch32. DFAR or IFAR gets the address, and DFSR or IFSR what [`fsr`](Self::fsr) says.
    pub const fn aarch32(self, cause: &Cause) -> Entry32 {
        cause.aarch32(if self.fetch { PREFETCH } else { DATA })
    }

    /// DFSR or IFSR, in the format of long descriptors (TTBCR.EAE) or of short ones (DDI 0487, DFSR, IFSR).
    pub const fn fsr(self, long: bool) -> u64 {
        const LPAE: u64 = 1 << 9;
        let status = if long {
            LPAE | self.status()
        } else {
            match self.fault {
                Fault::External => 0b0_1000,
                Fault::ExternalOnWalk(1) => 0b0_1100,
                Fault::ExternalOnWalk(_) => 0b0_1110,
                Fault::Alignment => 0b0_0001,
            }
        };
        // WnR and CM are five bits further up than in ESR_EL1.
        status | self.access << 5
    }
}

/// DFSC of an alignment fault.
const ALIGNMENT: u32 = 0b10_0001;
