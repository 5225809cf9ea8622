//! Where another CPU starts; the rest is the same for all payloads.

use crate::{caches, execute, isa::A64, stage1};
use core::arch::naked_asm;
use setway_architecture::registers::{Mpidr, Sctlr};
use setway_cases::{Found, MAX_CPUS, Start};
use setway_runtime::{mrs, secondary};

/// Starts CPU `cpu`. False if PSCI refused.
pub fn start<I: secondary::PastCaches>(cpu: usize, how: &Start) -> bool {
    // The new CPU reads its code and stack past the caches: have them in memory.
    caches::set(true, true);
    secondary::start::<I>(cpu, secondary_entry as *const () as usize, how)
}

/// Entered with the context in x0, which is the first argument of what follows; SCTLR_EL1 is the second. A CPU that
/// starts big-endian is one to report, not one to run on.
#[unsafe(naked)]
extern "C" fn secondary_entry() -> ! {
    naked_asm!(
        "mrs x1, sctlr_el1",
        "tbz x1, #{ee}, 1f",
        "bic x9, x1, #1 << {ee}",
        "msr sctlr_el1, x9",
        "isb",
        "1: mrs x9, mpidr_el1",
        "and x9, x9, #{cpus} - 1",
        "add x9, x9, #1",
        "mov x10, #{size}",
        "adrp x11, {stacks}",
        "add x11, x11, :lo12:{stacks}",
        "madd x9, x9, x10, x11",
        "mov sp, x9",
        "b {main}",
        ee = const Sctlr::EE.bits().trailing_zeros(),
        cpus = const MAX_CPUS,
        size = const secondary::STACK_SIZE,
        stacks = sym secondary::STACKS,
        main = sym secondary_main,
    )
}

extern "C" fn secondary_main(context: u64, sctlr: u64) -> ! {
    let found = Found {
        context,
        sctlr,
        pstate: mrs!("currentel") | mrs!("spsel") | mrs!("daif"),
    };
    execute::install_vectors();
    stage1::set_registers();
    secondary::main::<A64>(Mpidr(mrs!("mpidr_el1")).affinity(), found)
}
