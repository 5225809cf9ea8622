//! Turning caches off and on, which in itself maintains nothing.

use super::{NEW, by_va, cached, check, load, start, store};
use crate::{bare::Bare, context::Context};
use setway_architecture::maintenance::VaOp;

/// Store, caches off, load. Turning off writes nothing back, and the load goes past the cache.
pub fn stored_then_off<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    I::set_caches(false, false);
    check(cx, "load with caches off", cached::<I>());
    I::set_caches(true, true);
}

/// Load, caches off, store, caches on, load. Turning on drops nothing, so the lines of the first load are still
/// there, clean and old.
pub fn old_line<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    load(cached::<I>());
    I::set_caches(false, false);
    store(cached::<I>(), NEW);
    I::set_caches(true, true);
    check(cx, "load", cached::<I>());
}

/// The same, but the lines are invalidated by VA before the caches go on. While they are off nothing can bring
/// the lines back.
pub fn old_line_dropped<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    load(cached::<I>());
    I::set_caches(false, false);
    store(cached::<I>(), NEW);
    by_va::<I>(VaOp::Ivac);
    I::set_caches(true, true);
    check(cx, "load", cached::<I>());
}

/// Store, caches off, clean and invalidate by VA, load: an op by VA acts on the caches whether they are on or
/// off.
pub fn flushed_while_off<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    store(cached::<I>(), NEW);
    I::set_caches(false, false);
    by_va::<I>(VaOp::Civac);
    check(cx, "load with caches off", cached::<I>());
    I::set_caches(true, true);
    check(cx, "load", cached::<I>());
}

/// Load, clean and invalidate by VA, caches off, store, caches on, load. Between the op and turning off the
/// mapping is still cacheable: hardware may have filled the lines again.
pub fn flushed_too_early<I: Bare>(cx: &mut Context<I>) {
    start::<I>();
    load(cached::<I>());
    by_va::<I>(VaOp::Civac);
    I::set_caches(false, false);
    store(cached::<I>(), NEW);
    I::set_caches(true, true);
    check(cx, "load", cached::<I>());
}
