//! Where another CPU starts; the rest is the same for all payloads.

use crate::{
    caches, cp15, execute,
    isa::{A32, T32},
    stage1,
};
use core::arch::global_asm;
use setway_architecture::registers::Mpidr;
use setway_cases::{Found, IsaName, MAX_CPUS, Start};
use setway_runtime::secondary::{self, PastCaches};

unsafe extern "C" {
    safe fn secondary_entry_a32() -> !;
    safe fn secondary_entry_t32() -> !;
}

/// Starts CPU `cpu`, in the instruction set of the case. False if PSCI refused.
pub fn start<I: PastCaches>(cpu: usize, how: &Start) -> bool {
    // The new CPU reads its code and stack past the caches: have them in memory.
    caches::set(true, true);
    // Bit 0 asks PSCI for T32 state.
    let entry = match I::NAME {
        IsaName::T32 => secondary_entry_t32 as *const () as usize | 1,
        _ => secondary_entry_a32 as *const () as usize,
    };
    secondary::start::<I>(cpu, entry, how)
}

// Entered in Supervisor mode, with the context in r0, which is the first argument of what follows. The second is CPSR,
// in which T reads as zero, and the third is CPSR.T. The first word is an instruction in either state, so that a CPU that
// starts in the wrong one can say so; so can one that starts big-endian or in another mode.
global_asm!(
    ".macro entry name, main",
    ".arm",
    ".balign 4",
    ".global \\name",
    "\\name:",
    // A32: mov lr, r2. T32: a branch to the instruction after the next word, and half of another instruction.
    "    .inst   0xe1a0e002",
    "    b       8000f",
    ".thumb",
    "    mrs     r1, cpsr",
    "    setend  le",
    "    cps     #0x13",
    "    movs    r2, #1 << 5",
    "    bx      pc",
    "    nop",
    ".arm",
    "    b       8001f",
    "8000:",
    "    mrs     r1, cpsr",
    "    setend  le",
    "    cps     #0x13",
    "    mov     r2, #0",
    "8001:",
    "    mrc     p15, 0, r3, c0, c0, 5",
    "    and     r3, r3, #{cpus} - 1",
    "    add     r3, r3, #1",
    "    mov     r4, #{size}",
    "    ldr     r5, 1f",
    "    mla     r5, r3, r4, r5",
    "    mov     sp, r5",
    "    bl      enable_fpu",
    "    b       \\main",
    ".endm",
    ".section .text.secondary, \"ax\"",
    "    entry   secondary_entry_a32, {a32}",
    "    entry   secondary_entry_t32, {t32}",
    "1:  .word   {stacks}",
    ".purgem entry",
    a32 = sym main::<A32>,
    t32 = sym main::<T32>,
    stacks = sym secondary::STACKS,
    cpus = const MAX_CPUS,
    size = const secondary::STACK_SIZE,
);

extern "C" fn main<I: PastCaches>(context: u32, cpsr: u32, t32: u32) -> ! {
    /// Mode, A, I, F, and E.
    const GUARANTEED: u32 = 0x1f | 0b111 << 6 | 1 << 9;
    let found = Found {
        context: context.into(),
        sctlr: cp15::read!(SCTLR).into(),
        pstate: (cpsr & GUARANTEED | t32).into(),
    };
    let own = Mpidr(cp15::read!(MPIDR).into()).affinity();
    execute::install_vectors();
    stage1::set_registers();
    secondary::main::<I>(own, found)
}
