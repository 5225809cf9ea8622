//! Where the second CPU starts; the rest is the same for all payloads.

use crate::{
    caches, execute,
    isa::{A32, T32},
    stage1,
};
use core::arch::global_asm;
use setway_cases::IsaName;
use setway_runtime::secondary::{self, PastCaches};

unsafe extern "C" {
    safe fn secondary_entry_a32() -> !;
    safe fn secondary_entry_t32() -> !;
}

/// Starts the second CPU, in the instruction set of the case. False if PSCI refused.
pub fn start<I: PastCaches>() -> bool {
    // The new CPU reads its code and stack past the caches: have them in memory.
    caches::set(true, true);
    let entry = match I::NAME {
        IsaName::T32 => secondary_entry_t32 as *const (),
        _ => secondary_entry_a32 as *const (),
    };
    secondary::start::<I>(entry as usize)
}

// Entered in Supervisor mode, with the context in r0, which is the first argument of what follows. The
// address of the T32 entry has bit 0 set, which asks PSCI for T32 state.
global_asm!(
    ".section .text.secondary, \"ax\"",
    ".arm",
    ".balign 4",
    ".global secondary_entry_a32",
    "secondary_entry_a32:",
    "    ldr     sp, 1f",
    "    bl      enable_fpu",
    "    b       {a32}",
    "1:  .word   {stack} + {size}",
    ".thumb",
    ".global secondary_entry_t32",
    ".thumb_func",
    "secondary_entry_t32:",
    "    ldr     r1, 2f",
    "    mov     sp, r1",
    "    blx     enable_fpu",
    "    blx     {t32}",
    ".balign 4",
    "2:  .word   {stack} + {size}",
    ".arm",
    a32 = sym main::<A32>,
    t32 = sym main::<T32>,
    stack = sym secondary::STACK,
    size = const secondary::STACK_SIZE,
);

extern "C" fn main<I: PastCaches>(context: usize) -> ! {
    let caches_on = caches::any_on();
    execute::install_vectors(1);
    stage1::set_registers();
    secondary::main::<I>(context, caches_on)
}
