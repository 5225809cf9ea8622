//! The guest's view of the ID registers: the CPU's, less the PMU that the guest does not have.
//!
//! A guest that finds a PMU in its ID registers uses it, and would die of the UNDEF. So the registers
//! of ID group 3 trap (HCR_EL2.TID3) and are read here. AArch32's have the same CRm and opc2 as their
//! AArch64 names (DDI 0487, D24.2, "AArch64 system register to AArch32 mapping").

use setway_emulate::sysreg::Key;
use setway_runtime::mrs;

/// Evaluates to the value of ID register S3_0_C0_C\<crm\>_\<op2\>, of those that group 3 has.
macro_rules! id_registers {
    ($($crm:literal)*) => {
        fn read(crm: u32, op2: u32) -> u64 {
            match crm {
                $($crm => id_registers!(@row $crm op2 0 1 2 3 4 5 6 7),)*
                _ => 0,
            }
        }
    };
    (@row $crm:literal $op2:ident $($n:literal)*) => {
        match $op2 {
            $($n => mrs!(concat!("S3_0_C0_C", $crm, "_", $n)),)*
            _ => 0,
        }
    };
}

id_registers!(1 2 3 4 5 6 7);

/// ID_AA64DFR0_EL1.PMUVer.
const PMU_VER: u64 = 0xf << 8;
/// ID_DFR0_EL1.PerfMon.
const PERF_MON: u64 = 0xf << 24;

/// What the guest reads by VMRS from MVFR0 to MVFR2, registers 7 to 5.
pub fn media_and_vfp(register: u32) -> Option<u64> {
    matches!(register, 5..=7).then(|| read(3, 7 - register))
}

/// What the guest reads from the ID register of group 3 that `key` names, if it names one.
pub fn value(key: Key) -> Option<u64> {
    for crm in 1..8 {
        for op2 in 0..8 {
            if key == Key::a64(3, 0, 0, crm, op2) || key == Key::cp15(0, 0, crm, op2) {
                let hidden = match (crm, op2) {
                    (5, 0) => PMU_VER,
                    (1, 2) => PERF_MON,
                    _ => 0,
                };
                return Some(read(crm, op2) & !hidden);
            }
        }
    }
    None
}
