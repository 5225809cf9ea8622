//! Maintenance by VA, and none at all.

use super::{NEW, by_va, cached, check, invalidate_their_sets, load, start, store, uncached};
use crate::{bare::Bare, context::Context};
use setway_architecture::maintenance::VaOp;

/// Store, load past the cache. The data is in the cache, where the load does not look, unless hardware has
/// evicted it.
pub fn stored_only<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    check(cx, "load past the cache", uncached::<I>());
}

/// Load, store past the cache, load. The line that the first load filled is clean, so nothing has a reason to
/// remove it, and the second load finds it.
pub fn stored_past_a_line<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    load(cached::<I>());
    store(uncached::<I>(), NEW);
    I::barrier();
    check(cx, "load", cached::<I>());
}

/// Store, clean by VA, load past the cache. An op by VA acts on every cache, so the data is in memory; but to
/// the point of unification it goes no farther than the instruction side looks, and a system cache is as far.
pub fn maintained<I: Bare>(cx: &mut Context<I>, op: VaOp) {
    start::<I>();
    store(cached::<I>(), NEW);
    by_va::<I>(op);
    check(cx, "load past the cache", uncached::<I>());
}

/// Store, invalidate by VA, load. Nobody cleans what IVAC throws away: below EL2 it cleans as well only where a
/// hypervisor has HCR_EL2.VM or DC set.
pub fn destroyed<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    by_va::<I>(VaOp::Ivac);
    check(cx, "load", cached::<I>());
}

/// Store, clean and invalidate by VA, then invalidate in both ways, load. What is in memory, invalidating
/// cannot harm.
pub fn survives<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    by_va::<I>(VaOp::Civac);
    invalidate_their_sets::<I>();
    by_va::<I>(VaOp::Ivac);
    check(cx, "load", cached::<I>());
    check(cx, "load past the cache", uncached::<I>());
}

/// Load, clean and invalidate by VA, store past the cache, load. The lines are gone when the store comes, but
/// the mapping is cacheable: hardware may have filled them again, from memory as it was.
pub fn stored_past_a_flushed_line<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    load(cached::<I>());
    by_va::<I>(VaOp::Civac);
    store(uncached::<I>(), NEW);
    I::barrier();
    check(cx, "load", cached::<I>());
}
