//! Instructions: what was stored as data is not yet there to be executed. Fetches read at the point of
//! unification, behind the data cache that holds the store.

use crate::{
    bare::{Bare, ByVa, Expected},
    context::Context,
};

const OLD: u8 = 11;
const NEW: u8 = 22;

/// Where the function is, an offset in the arena.
const FUNCTION: usize = 0x6000;

/// Replaces a function by another, with or without cleaning it to the PoU, and calls it.
pub fn replaced<I: Bare>(cx: &mut Context<I>, clean: bool) {
    let at = I::arena().cached.wrapping_byte_add(FUNCTION).cast::<u32>();
    write::<I>(at, OLD);
    I::by_va(ByVa::CleanToUnification, at.cast());
    I::invalidate_instructions();
    // SAFETY: the function has just been written, and cleaned.
    cx.check("the function at first", OLD.into(), unsafe { I::call(at) });

    write::<I>(at, NEW);
    if clean {
        I::by_va(ByVa::CleanToUnification, at.cast());
    }
    I::barrier();
    I::invalidate_instructions();
    let want = match cx.arguments().expected {
        Expected::Fresh => NEW,
        Expected::Stale => OLD,
    };
    // SAFETY: a fetch finds the one function or the other.
    let got = unsafe { I::call(at) };
    cx.check("the function after it was replaced", want.into(), got);
}

fn write<I: Bare>(at: *mut u32, value: u8) {
    // SAFETY: the arena is at least as large, and nothing else uses it.
    unsafe { at.cast::<[u32; 2]>().write_volatile(I::code(value)) }
}
