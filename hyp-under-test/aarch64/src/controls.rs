//! EL2's controls of features, some of them newer than Armv8.0: where EL2 is the highest exception level they are UNKNOWN
//! at reset, so each that the CPU has is given a value. What `ids` hides from the guest traps here, and is UNDEFINED.

use core::arch::asm;
use setway_runtime::{mrs, msr};

/// MDCR_EL2: accesses of the PMU (TPM), of statistical profiling (TPMS) and of trace filters (TTRF) trap.
const TPM: u64 = 1 << 6;
const TPMS: u64 = 1 << 14;
const TTRF: u64 = 1 << 19;
/// MDCR_EL2.HPMN, which is kept: its value at reset is the number of counters.
const HPMN: u64 = 0x1f;

/// CPTR_EL2: accesses of trace registers (TTA) and of activity monitors (TAM) trap.
const TTA: u64 = 1 << 20;
const TAM: u64 = 1 << 30;

/// HCRX_EL2.MSCEn: the guest may copy and set memory by instructions (FEAT_MOPS).
const MSCEN: u64 = 1 << 11;

/// Gives them their values on this CPU, before the guest runs.
pub fn reset() {
    let field = |register: u64, at: u32| register >> at & 0xf;
    let pfr0 = mrs!("id_aa64pfr0_el1");
    let dfr0 = mrs!("id_aa64dfr0_el1");
    let mmfr0 = mrs!("id_aa64mmfr0_el1");
    let has_amu = field(pfr0, 44) != 0;
    let has_spe = field(dfr0, 32) != 0;
    let has_trace_filter = field(dfr0, 40) != 0;
    let has_trace_registers = field(dfr0, 4) != 0;
    let when = |has: bool, bit: u64| if has { bit } else { 0 };
    let mdcr = mrs!("mdcr_el2") & HPMN | TPM | when(has_spe, TPMS) | when(has_trace_filter, TTRF);
    let cptr = mrs!("cptr_el2") | when(has_trace_registers, TTA) | when(has_amu, TAM);
    // SAFETY: controls of EL2 over EL1 and EL0, of features that the CPU has.
    unsafe {
        msr!("mdcr_el2", mdcr);
        msr!("cptr_el2", cptr);
        // FEAT_HCX: HCRX_EL2.
        if field(mrs!("id_aa64mmfr1_el1"), 40) != 0 {
            let has_mops = field(mrs!("S3_0_C0_C6_2"), 16) != 0;
            msr!("S3_4_C1_C2_2", when(has_mops, MSCEN));
        }
        // FEAT_FGT: HFGRTR, HFGWTR, HFGITR, HDFGRTR and HDFGWTR_EL2. A bit of 1 traps; where a bit of 0
        // does, the feature is hidden.
        if field(mmfr0, 56) != 0 {
            msr!("S3_4_C1_C1_4", 0);
            msr!("S3_4_C1_C1_5", 0);
            msr!("S3_4_C1_C1_6", 0);
            msr!("S3_4_C3_C1_4", 0);
            msr!("S3_4_C3_C1_5", 0);
        }
        // GICv3's CPU interface: EL1 may use its system registers (ICC_SRE_EL2), and none traps (ICH_HCR_EL2).
        if field(pfr0, 24) != 0 {
            msr!("S3_4_C12_C9_5", 0xf);
            asm!("isb", options(nostack));
            msr!("S3_4_C12_C11_0", 0);
        }
    }
}
