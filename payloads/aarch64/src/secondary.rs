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

/// Starts the second CPU by a 32-bit call, with ones in the upper halves of its registers. False if PSCI refused.
pub fn start_by_32_bit_call<I: secondary::PastCaches>() -> bool {
    caches::set(true, true);
    secondary::start_by_32_bit_call::<I>(secondary_entry as *const () as usize)
}

/// Entered with the context in x0, which is the first argument of what follows.
#[unsafe(naked)]
extern "C" fn secondary_entry() -> ! {
    naked_asm!(
        "adrp x9, {stack}",
        "add x9, x9, :lo12:{stack}",
        "add sp, x9, #{size}",
        "b {main}",
        stack = sym secondary::STACK,
        size = const secondary::STACK_SIZE,
        main = sym secondary_main,
    )
}

extern "C" fn secondary_main(context: usize) -> ! {
    let caches_on = caches::any_on();
    execute::install_vectors();
    stage1::set_registers();
    secondary::main::<A64>(context, caches_on)
}
