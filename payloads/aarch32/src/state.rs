//! Registers of AArch32 that hold a guest's state and that the payload has no use for: those of coprocessor 15, and
//! the banks of the exception modes less their stack pointers, which its vectors need.

use core::arch::asm;
use setway_cases::StateRegister;

/// A row: a register, the instructions that read it to `{}` and write it from `{}`, and two values that it can hold.
macro_rules! register {
    ($name:literal, $read:expr, $write:expr, $one:expr, $other:expr) => {
        StateRegister {
            name: $name,
            read: || {
                let value: u32;
                // SAFETY: reading any of these changes nothing.
                unsafe { asm!(".arch_extension virt", ".fpu neon", $read, out(reg) value, options(nomem, nostack)) }
                value.into()
            },
            // SAFETY: the caller's.
            write: |value| unsafe {
                asm!(".arch_extension virt", ".fpu neon", $write, "isb", in(reg) value as u32, options(nostack))
            },
            values: [$one, $other],
        }
    };
}

/// A row: a register of coprocessor 15.
macro_rules! cp15 {
    ($name:literal, $operands:literal, $one:expr, $other:expr) => {
        register!(
            $name,
            concat!("mrc ", $operands),
            concat!("mcr ", $operands),
            $one,
            $other
        )
    };
}

/// A row: a banked register.
macro_rules! banked {
    ($name:literal, $one:expr, $other:expr) => {
        register!(
            $name,
            concat!("mrs {}, ", $name),
            concat!("msr ", $name, ", {}"),
            $one,
            $other
        )
    };
}

/// A pattern for registers without fields, and its complement.
const ONE: u64 = 0x5a3c_96e1;
const OTHER: u64 = 0xa5c3_691e;
/// A saved CPSR of Supervisor mode with all flags, GE and masks; one of User mode with none.
const PSR: u64 = 0xf80f_01d3;
const USER: u64 = 0x10;

/// All of them.
pub static STATE: [StateRegister; 26] = [
    banked!("r8_fiq", ONE, OTHER),
    banked!("r9_fiq", ONE, OTHER),
    banked!("r10_fiq", ONE, OTHER),
    banked!("r11_fiq", ONE, OTHER),
    banked!("r12_fiq", ONE, OTHER),
    banked!("lr_fiq", ONE, OTHER),
    banked!("lr_irq", ONE, OTHER),
    banked!("lr_abt", ONE, OTHER),
    banked!("lr_und", ONE, OTHER),
    banked!("sp_usr", ONE, OTHER),
    banked!("lr_usr", ONE, OTHER),
    banked!("spsr_fiq", PSR, USER),
    banked!("spsr_irq", PSR, USER),
    banked!("spsr_abt", PSR, USER),
    banked!("spsr_und", PSR, USER),
    cp15!("TPIDRURW", "p15, 0, {}, c13, c0, 2", ONE, OTHER),
    cp15!("TPIDRURO", "p15, 0, {}, c13, c0, 3", ONE, OTHER),
    cp15!("TPIDRPRW", "p15, 0, {}, c13, c0, 4", ONE, OTHER),
    cp15!("DFAR", "p15, 0, {}, c6, c0, 0", ONE, OTHER),
    cp15!("IFAR", "p15, 0, {}, c6, c0, 2", OTHER, ONE),
    cp15!("DFSR", "p15, 0, {}, c5, c0, 0", 0x80d, 0x005),
    cp15!("IFSR", "p15, 0, {}, c5, c0, 1", 0x00f, 0x005),
    // Level 2; the instruction cache of level 1.
    cp15!("CSSELR", "p15, 2, {}, c0, c0, 0", 0b10, 0b01),
    cp15!("CNTKCTL", "p15, 0, {}, c14, c1, 0", 0x3, 0x300),
    // Off, and masked or not.
    cp15!("CNTV_CTL", "p15, 0, {}, c14, c3, 1", 0b10, 0),
    // QC, DN, FZ, the rounding mode, cumulative exceptions; and the others.
    register!(
        "FPSCR",
        "vmrs {}, fpscr",
        "vmsr fpscr, {}",
        0xfb40_0015,
        0x0080_008a
    ),
];
