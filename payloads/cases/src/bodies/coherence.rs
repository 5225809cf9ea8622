//! Data: what is written is seen.
//!
//! On a machine without caches nothing here can fail but the emulation around it; the cache model
//! gives the checks their teeth. The sequences are those of real guests: a boot loader that cleans
//! and turns its caches off, a kernel that is entered with them off.

use super::{FIRST_SET_WAY, TOGGLE, set_way::each_line};
use crate::{
    context::{Context, Counts},
    isa::{Isa, SetWay},
};

const OLD: u64 = 0x1111_1111;
const NEW: u64 = 0x2222_2222;

/// Eight words, each in a line and some in a page of their own.
const PLACES: [usize; 8] = [0, 8, 64, 504, 512, 1024, 2040, 4088];

fn store(at: *mut u64, value: u64) {
    for place in PLACES {
        // SAFETY: the arena is at least 4096 words that nothing else uses.
        unsafe { at.add(place).write_volatile(value + place as u64) }
    }
}

/// The number of places that do not hold `value`, and the first wrong value found.
fn check<I: Isa>(cx: &mut Context<I>, name: &'static str, at: *mut u64, value: u64) {
    // SAFETY: as in `store`.
    let got = PLACES.map(|place| unsafe { at.add(place).read_volatile() });
    for (place, got) in PLACES.into_iter().zip(got) {
        cx.check(
            format_args!("{name}, word {place}"),
            value + place as u64,
            got,
        );
    }
}

/// Old data at the point of coherence, with no line of it in a cache: stored with the cache off.
fn start<I: Isa>() -> *mut u64 {
    let at = I::arena().cached;
    I::set_way(SetWay::CleanInvalidate, 0);
    I::set_caches(false, false);
    store(at, OLD);
    I::set_caches(true, true);
    at
}

/// Store with the cache on, clean by set/way, load past the cache, which only the op's flush can make
/// right; cache off, load.
pub fn clean<I: Isa>(cx: &mut Context<I>, op: SetWay) {
    let at = start::<I>();
    store(at, NEW);
    cx.step("set/way op", FIRST_SET_WAY, || I::set_way(op, 0));
    check(cx, "load past the cache", I::arena().uncached, NEW);
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    check(cx, "load with the cache off", at, NEW);
    I::set_caches(true, true);
}

/// Clean by set/way, store, cache off, load: only the flush of the toggle can help.
pub fn toggle<I: Isa>(cx: &mut Context<I>) {
    let at = start::<I>();
    cx.step("set/way op", FIRST_SET_WAY, || I::set_way(SetWay::Clean, 0));
    store(at, NEW);
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    check(cx, "load with the cache off", at, NEW);
    I::set_caches(true, true);
}

/// Lines in the cache, cache off, store, cache on, load: the stale lines must be gone.
pub fn stored_while_off<I: Isa>(cx: &mut Context<I>) {
    let at = start::<I>();
    check(cx, "load that fills the cache", at, OLD);
    cx.step("set/way op", FIRST_SET_WAY, || I::set_way(SetWay::Clean, 0));
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    store(at, NEW);
    cx.step("cache on", TOGGLE, || I::set_caches(true, true));
    check(cx, "load with the cache on", at, NEW);
}

/// Dirty lines and an invalidate by set/way of everything: the data must survive, in the cache or in
/// memory.
pub fn invalidate<I: Isa>(cx: &mut Context<I>) {
    let at = start::<I>();
    store(at, NEW);
    I::mark();
    let ops = each_line::<I>(|operand| I::set_way(SetWay::Invalidate, operand));
    I::mark();
    cx.measured(
        "DC ISW of every level, set and way",
        Counts {
            set_way: ops,
            ..FIRST_SET_WAY
        },
    );
    check(cx, "load with the cache on", at, NEW);
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    check(cx, "load with the cache off", at, NEW);
    I::set_caches(true, true);
}
