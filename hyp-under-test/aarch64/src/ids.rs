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

/// What the guest sees of an ID register.
enum Shown {
    /// All but these fields: of what they name, the guest has nothing.
    Without(u64),
    /// These fields and no others. So it is with registers that are still filling: what is new is hidden until
    /// it has been seen to work.
    Only(u64),
}

use Shown::*;

/// A field of four bits, by its place.
const fn field(at: u32) -> u64 {
    0xf << at
}

/// CRm, op2, and what is shown of the register. Those without a row are shown as they are.
const ROWS: [(u32, u32, Shown); 20] = [
    // ID_PFR0_EL1: the activity monitors.
    (1, 0, Without(field(20))),
    // ID_DFR0_EL1: trace by coprocessor and by memory, the PMU, trace filters.
    (1, 2, Without(field(12) | field(16) | field(24) | field(28))),
    // ID_DFR1_EL1: nothing but the PMU's threads.
    (3, 5, Only(0)),
    // ID_AA64PFR0_EL1: SVE, MPAM, activity monitors, realms.
    (4, 0, Without(field(32) | field(40) | field(44) | field(52))),
    // ID_AA64PFR1_EL1: BTI, SSBS, the fraction of RAS, and NMI. Not tags, SME, SCXTNUM (CSV2_frac), GCS, THE.
    (4, 1, Only(field(0) | field(4) | field(12) | field(36))),
    // ID_AA64PFR2_EL1: FPMR and fractions of tags.
    (4, 2, Only(0)),
    // ID_AA64ZFR0_EL1, ID_AA64SMFR0_EL1 and ID_AA64FPFR0_EL1: SVE, SME and FP8.
    (4, 4, Only(0)),
    (4, 5, Only(0)),
    (4, 7, Only(0)),
    // ID_AA64DFR0_EL1: the debug architecture, double lock, and how many breakpoints and watchpoints there are.
    (
        5,
        0,
        Only(field(0) | field(12) | field(20) | field(28) | field(36)),
    ),
    (5, 1, Only(0)),
    // ID_AA64ISAR0_EL1: transactional memory.
    (6, 0, Without(field(24))),
    // ID_AA64ISAR1_EL1: loads and stores of 64 bytes.
    (6, 1, Without(field(60))),
    // ID_AA64ISAR2_EL1: WFxT, RPRES, QARMA3 (GPA3, APA3), MOPS, BC, PAC_frac, CLRBHB, RPRFM, CSSC.
    (6, 2, Only(0xffff_ffff | field(48) | field(52))),
    // ID_AA64ISAR3_EL1: FAMINMAX.
    (6, 3, Only(field(4))),
    // ID_AA64MMFR3_EL1, ID_AA64MMFR4_EL1 and what follows: extended translation registers, a second ASID.
    (7, 3, Only(0)),
    (7, 4, Only(0)),
    (7, 5, Only(0)),
    (7, 6, Only(0)),
    (7, 7, Only(0)),
];

/// ID_AA64PFR0_EL1.CSV2: from 2 on there is SCXTNUM_EL1, which HCR_EL2.EnSCXT keeps from the guest.
const CSV2: u32 = 56;

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
    let value = read(crm, op2);
    let row = ROWS.iter().find(|row| (row.0, row.1) == (crm, op2));
    let value = match row {
        Some((_, _, Without(fields))) => value & !fields,
        Some((_, _, Only(fields))) => value & fields,
        None => value,
    };
    if (crm, op2) == (4, 0) && value >> CSV2 & 0xf > 1 {
        return value & !field(CSV2) | 1 << CSV2;
    }
    value
}
