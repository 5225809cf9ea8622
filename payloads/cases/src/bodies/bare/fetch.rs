//! Instructions: what was stored as data is not yet there to be executed. Fetches read at the point of
//! unification, past the data cache that holds the store.

use super::maintain;
use crate::{
    arena::Place,
    bare::{Bare, Expected},
    context::Context,
};
use setway_architecture::maintenance::VaOp;

const OLD: u8 = 11;
const NEW: u8 = 22;

/// Where the function is, an offset in the arena.
const FUNCTION: usize = 0x6000;

/// Replaces a function by another, with or without cleaning it to the PoU, and calls it.
pub fn replaced<I: Bare>(cx: &mut Context<I>, clean: bool) {
    let at = I::arena().cached().byte(FUNCTION);
    at.store(I::code(OLD));
    maintain::<I>(VaOp::Cvau, at);
    I::invalidate_instructions();
    cx.data("the function at first", OLD.into(), call::<I>(at));

    at.store(I::code(NEW));
    if clean {
        maintain::<I>(VaOp::Cvau, at);
    }
    I::barrier();
    I::invalidate_instructions();
    let want = match cx.arguments().expected {
        Expected::Fresh => NEW,
        Expected::Stale => OLD,
    };
    let got = call::<I>(at);
    cx.data("the function after it was replaced", want.into(), got);
}

/// Calls the function at a place.
fn call<I: Bare>(at: Place) -> u64 {
    // SAFETY: both functions fit one line, so a fetch finds the one or the other. The old one was cleaned to the
    // point of unification before the first call.
    unsafe { I::call(at.as_ptr().cast()) }
}
