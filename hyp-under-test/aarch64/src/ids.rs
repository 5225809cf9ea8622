//! The guest's view of the ID registers: the CPU's, less what the guest does not have.
//!
//! A guest that finds a PMU in its ID registers uses it, and would die of the UNDEF. So the registers
//! of ID group 3 trap (HCR_EL2.TID3) and are read here. AArch32's have the CRm and opc2 of the AArch64
//! registers that they are mapped to.

use setway_architecture::trap::sysreg::Key;
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

/// Features that the guest does not have although the CPU may: CRm, op2, and the fields.
const HIDDEN: [(u32, u32, u64); 7] = [
    // ID_DFR0_EL1.PerfMon.
    (1, 2, 0xf << 24),
    // ID_AA64PFR0_EL1: SVE and AMU.
    (4, 0, 0xf << 32 | 0xf << 44),
    // ID_AA64PFR1_EL1: MTE and SME.
    (4, 1, 0xf << 8 | 0xf << 24),
    // ID_AA64ZFR0_EL1 and ID_AA64SMFR0_EL1: SVE and SME.
    (4, 4, !0),
    (4, 5, !0),
    // ID_AA64DFR0_EL1: PMU, statistical profiling, trace.
    (5, 0, 0xf << 8 | 0xf << 32 | 0xf << 40 | 0xf << 44),
    // ID_AA64MMFR3_EL1: the extended translation registers.
    (7, 3, !0),
];

/// What the guest reads by VMRS from MVFR0 to MVFR2, registers 7 to 5.
pub fn media_and_vfp(register: u32) -> Option<u64> {
    matches!(register, 5..=7).then(|| read(3, 7 - register))
}

/// What the guest reads from the ID register of group 3 that `key` names, if it names one.
pub fn value(key: Key) -> Option<u64> {
    for crm in 1..8 {
        for op2 in 0..8 {
            if key == Key::a64(3, 0, 0, crm, op2) {
                return Some(shown(crm, op2));
            }
            // AArch32 has CRm 1 and 2 and half of 3; what else traps is reserved and reads as zero.
            if key == Key::cp15(0, 0, crm, op2) {
                let exists = crm < 3 || crm == 3 && op2 >= 4;
                return Some(if exists { shown(crm, op2) } else { 0 });
            }
        }
    }
    None
}

fn shown(crm: u32, op2: u32) -> u64 {
    let hidden = HIDDEN.iter().find(|row| (row.0, row.1) == (crm, op2));
    read(crm, op2) & !hidden.map_or(0, |row| row.2)
}
