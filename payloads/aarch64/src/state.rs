//! Registers of EL1 and EL0 that hold a guest's state and that the payload has no use for.

use core::arch::asm;
use setway_cases::StateRegister;

/// A row: a register by its name, and two values that it can hold, as different as they can be.
macro_rules! register {
    ($reg:literal, $one:expr, $other:expr) => {
        StateRegister {
            name: $reg,
            read: || {
                let value: u64;
                // SAFETY: reading any of these changes nothing.
                unsafe { asm!(".arch_extension fp", concat!("mrs {}, ", $reg), out(reg) value, options(nomem, nostack)) }
                value
            },
            // SAFETY: the caller's.
            write: |value| unsafe {
                asm!(".arch_extension fp", concat!("msr ", $reg, ", {}"), "isb", in(reg) value, options(nostack))
            },
            values: [$one, $other],
        }
    };
}

/// A pattern for registers of 64 bits without fields, and its complement.
const ONE: u64 = 0x5a3c_960f_e187_4bd0;
const OTHER: u64 = !ONE;

/// All of them. What has fields has values that are legal in each.
pub static STATE: [StateRegister; 15] = [
    register!("sp_el0", ONE, OTHER),
    register!("tpidr_el0", ONE, OTHER),
    register!("tpidrro_el0", ONE, OTHER),
    register!("tpidr_el1", ONE, OTHER),
    register!("elr_el1", ONE, OTHER),
    // EL1h with flags and masks; EL0t with none.
    register!("spsr_el1", 0xf000_03c5, 0),
    register!("far_el1", ONE, OTHER),
    register!("esr_el1", 0x5600_1234, 0x0200_0000),
    // Both of a translation that succeeded.
    register!("par_el1", 0xff00_0012_3456_7b80, 0x4400_0065_4321_0800),
    // Level 2; the instruction cache of level 1.
    register!("csselr_el1", 0b10, 0b01),
    register!("cntkctl_el1", 0x3, 0x300),
    register!("cntv_cval_el0", ONE, OTHER),
    // Off, and masked or not.
    register!("cntv_ctl_el0", 0b10, 0),
    // DN, FZ and the rounding mode.
    register!("fpcr", 0x0340_0000, 0x0080_0000),
    // QC and the cumulative exceptions.
    register!("fpsr", 0x0800_0015, 0x0000_008a),
];
