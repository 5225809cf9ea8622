//! Maintenance by set/way, executed natively.

use super::{
    NEW, cached, check, clean_everything, each_way, everything, invalidate_their_sets, load, start,
    store, uncached,
};
use crate::{bare::Bare, bodies::set_way::each_line, context::Context};
use setway_architecture::maintenance::SetWayOp;

/// How far from the words there are sets without any of them.
const ELSEWHERE: usize = 64 * 1024;

/// Store, clean everything by set/way, load past the cache. The op takes the data one level down: to
/// memory, unless a system cache is there; and it finds no line that has moved to another CPU.
pub fn cleaned<I: Bare>(cx: &mut Context<I>, op: SetWayOp) {
    start::<I>();
    store(cached::<I>(), NEW);
    clean_everything::<I>(op);
    check(cx, "load past the cache", uncached::<I>());
}

/// The same, and the load is made with caches off.
pub fn cleaned_then_off<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    clean_everything::<I>(SetWayOp::Csw);
    I::set_caches(false, false);
    check(cx, "load with caches off", cached::<I>());
    I::set_caches(true, true);
}

/// Clean everything, store, caches off, load: the mistake of a boot loader that still writes between its
/// maintenance and turning its caches off. Turning off writes nothing back.
pub fn cleaned_too_early<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    clean_everything::<I>(SetWayOp::Csw);
    store(cached::<I>(), NEW);
    I::set_caches(false, false);
    check(cx, "load with caches off", cached::<I>());
    I::set_caches(true, true);
}

/// Store, caches off, clean and invalidate everything, load: what set/way ops are for (DDI 0487,
/// "Performing cache maintenance instructions"). With no cacheable mapping on any CPU no line can move, but
/// what lies beyond the private caches is still out of reach.
pub fn off_then_cleaned<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    I::set_caches(false, false);
    clean_everything::<I>(SetWayOp::Cisw);
    check(cx, "load with caches off", cached::<I>());
    I::set_caches(true, true);
}

/// Store, invalidate by set/way, load. The data is destroyed where it is dirty; it survives where it has been
/// evicted, or moved away.
pub fn destroyed<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    invalidate_their_sets::<I>();
    check(cx, "load", cached::<I>());
}

/// Load, caches off, store, invalidate everything by set/way, caches on, load: how firmware starts its caches.
/// The old lines are gone from the private caches, where they came from a system cache they are still there.
pub fn dropped_while_off<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    load(cached::<I>());
    I::set_caches(false, false);
    store(cached::<I>(), NEW);
    // SAFETY: turning the caches off has cleaned the payload's memory, and nothing makes a line dirty while they are.
    unsafe { everything::<I>(SetWayOp::Isw) }
    I::set_caches(true, true);
    check(cx, "load", cached::<I>());
}

/// Store, clean every line of the first level only, load past the cache: there is another level before memory.
pub fn other_level<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    each_line::<I>(|operand| {
        if operand >> 1 & 7 == 0 {
            // SAFETY: the line exists, and the op cleans.
            unsafe { I::set_way(SetWayOp::Csw, operand) }
        }
    });
    I::barrier();
    check(cx, "load past the cache", uncached::<I>());
}

/// Store, clean every way of other sets, load past the cache.
pub fn other_set<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    for line in (0..super::SPAN).step_by(64) {
        // SAFETY: it cleans.
        unsafe { each_way::<I>(SetWayOp::Csw, cached::<I>().address() + ELSEWHERE + line) }
    }
    check(cx, "load past the cache", uncached::<I>());
}
