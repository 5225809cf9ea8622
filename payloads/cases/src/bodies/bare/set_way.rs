//! Maintenance by set/way, executed natively.

use super::{NEW, cached, check, each_way, everything, load, start, store, their_sets, uncached};
use crate::{bare::Bare, context::Context, isa::SetWay};

/// How far from the words there are sets without any of them.
const ELSEWHERE: usize = 64 * 1024;

/// Store, clean everything by set/way, load past the cache. The op takes the data one level down: to
/// memory, unless a system cache is there; and it finds no line that has moved to another CPU.
pub fn cleaned<I: Bare>(cx: &mut Context<I>, op: SetWay) {
    start::<I>();
    store(cached::<I>(), NEW);
    everything::<I>(op);
    check(cx, "load past the cache", uncached::<I>());
}

/// The same, and the load is made with caches off.
pub fn cleaned_then_off<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    everything::<I>(SetWay::Clean);
    I::set_caches(false, false);
    check(cx, "load with caches off", cached::<I>());
    I::set_caches(true, true);
}

/// Clean everything, store, caches off, load: the mistake of a boot loader that still writes between its
/// maintenance and turning its caches off. Turning off writes nothing back.
pub fn cleaned_too_early<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    everything::<I>(SetWay::Clean);
    store(cached::<I>(), NEW);
    I::set_caches(false, false);
    check(cx, "load with caches off", cached::<I>());
    I::set_caches(true, true);
}

/// Store, caches off, clean and invalidate everything, load: what set/way ops are for (DDI 0487,
/// "Performing cache maintenance instructions"). With no cacheable mapping on any CPU no line can move, but
/// what lies behind the private caches is still out of reach.
pub fn off_then_cleaned<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    I::set_caches(false, false);
    everything::<I>(SetWay::CleanInvalidate);
    check(cx, "load with caches off", cached::<I>());
    I::set_caches(true, true);
}

/// Store, invalidate by set/way, load. The data is destroyed where it is dirty; it survives where it has been
/// evicted, or moved away.
pub fn destroyed<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    their_sets::<I>(SetWay::Invalidate);
    check(cx, "load", cached::<I>());
}

/// Load, caches off, store, invalidate everything by set/way, caches on, load: how firmware starts its caches.
/// The old lines are gone from the private caches, where they came from a system cache they are still there.
pub fn dropped_while_off<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    load(cached::<I>());
    I::set_caches(false, false);
    store(cached::<I>(), NEW);
    // None of the payload's own lines is dirty now.
    everything::<I>(SetWay::Invalidate);
    I::set_caches(true, true);
    check(cx, "load", cached::<I>());
}

/// Store, clean every line of the first level only, load past the cache: there is another level before memory.
pub fn other_level<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    super::super::set_way::each_line::<I>(|operand| {
        if operand >> 1 & 7 == 0 {
            I::set_way(SetWay::Clean, operand);
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
        each_way::<I>(
            SetWay::Clean,
            cached::<I>().wrapping_byte_add(ELSEWHERE + line) as usize,
        );
    }
    check(cx, "load past the cache", uncached::<I>());
}
