//! Where the second CPU starts; the rest is the same for all payloads.

use crate::{caches, execute, isa::A64, stage1};
use core::arch::naked_asm;
use setway_runtime::secondary;

/// Starts the second CPU. False if PSCI refused.
pub fn start<I: secondary::PastCaches>() -> bool {
    // The new CPU reads its code and stack past the caches: have them in memory.
    caches::set(true, true);
    secondary::start::<I>(secondary_entry as *const () as usize)
}

/// Entered with the end of the stack in x0.
#[unsafe(naked)]
extern "C" fn secondary_entry() -> ! {
    naked_asm!("mov sp, x0", "b {main}", main = sym secondary_main)
}

extern "C" fn secondary_main() -> ! {
    let caches_on = caches::any_on();
    execute::install_vectors();
    stage1::set_registers();
    secondary::main::<A64>(caches_on)
}
