//! Loops to be timed: how long they take with the cache model and without is what it costs.

use crate::{bare::Bare, context::Context, isa::Isa};
use core::hint::black_box;

/// Rounds of a computation without memory.
const ROUNDS: u32 = 150_000_000;
/// Passes over the arena.
const PASSES: u64 = 12_000;
/// Words of the arena that are loaded and stored in a pass.
const WORDS: usize = 8192;

/// A computation in registers. Its result depends on each round.
pub fn compute<I: Isa>(cx: &mut Context<I>) {
    let mut value = black_box(0x2545_f491u32);
    for _ in 0..black_box(ROUNDS) {
        value ^= value << 13;
        value ^= value >> 17;
        value ^= value << 5;
    }
    cx.state("the generator is never at 0", 1, u64::from(value != 0));
}

/// Loads and stores of 64 KiB, again and again.
pub fn memory<I: Bare>(cx: &mut Context<I>) {
    let arena = I::arena().cached();
    assert!(arena.size() >= WORDS * size_of::<u64>());
    // What is timed is the access, without the checks that places make.
    let at = arena.as_ptr().cast::<u64>();
    for word in 0..WORDS {
        // SAFETY: the arena is as large, and nothing else uses it.
        unsafe { at.add(word).write_volatile(0) }
    }
    for _ in 0..PASSES {
        for word in 0..WORDS {
            // SAFETY: as above.
            unsafe {
                at.add(word)
                    .write_volatile(at.add(word).read_volatile() + 1)
            }
        }
    }
    // SAFETY: as above.
    let last = unsafe { at.add(WORDS - 1).read_volatile() };
    cx.data("the last word", PASSES, last);
}
