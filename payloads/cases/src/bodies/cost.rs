//! What maintenance costs a guest: the instructions that it waits for, and the lines that are cleaned for it. Nothing of
//! that shows from inside, so these cases only do what is to be counted.

use super::{
    FIRST_SET_WAY, TOGGLE,
    coherence::far_places,
    set_way::{issue, issue_for_all},
};
use crate::{
    context::{Context, Counts},
    isa::Isa,
};
use setway_architecture::maintenance::SetWayOp;

/// How often each is done whose cost is wanted: an interrupt of the host's in one of them must not matter.
const TIMES: u64 = 64;

/// Traps that flush nothing: set/way ops while TVM is set, and writes of a VM register with the cache off, which leave
/// TVM as it is.
pub fn traps<I: Isa>(cx: &mut Context<I>) {
    let ops = Counts {
        set_way: TIMES,
        vm_reg: 0,
        flush: 0,
    };
    let writes = Counts {
        set_way: 0,
        vm_reg: TIMES,
        flush: 0,
    };
    cx.step("first op", FIRST_SET_WAY, || issue::<I>(SetWayOp::Csw));
    cx.step("set/way op, 64 times", ops, || {
        for _ in 0..TIMES {
            issue::<I>(SetWayOp::Csw);
        }
    });
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    cx.step("CONTEXTIDR write, 64 times", writes, || {
        (0..TIMES).for_each(I::write_contextidr)
    });
    I::set_caches(true, true);
}

/// Each event that flushes, with little memory touched and a block or two far away.
pub fn flushes<I: Isa>(cx: &mut Context<I>) {
    for (value, at) in (1..).zip(far_places(cx)) {
        at.store::<u64>(value);
    }
    cx.step("set/way op", FIRST_SET_WAY, || issue::<I>(SetWayOp::Cisw));
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    cx.step("cache on", TOGGLE, || I::set_caches(true, true));
}

/// What a boot loader does before it jumps to a kernel: everything by set/way, cache off, and again.
pub fn hand_over<I: Isa>(cx: &mut Context<I>) {
    whole_cache(cx, "every level, set and way", 1);
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    whole_cache(cx, "every level, set and way, again", 0);
    I::set_caches(true, true);
}

fn whole_cache<I: Isa>(cx: &mut Context<I>, name: &'static str, flush: u64) {
    I::mark();
    let ops = issue_for_all::<I>(SetWayOp::Cisw);
    I::mark();
    let demanded = Counts {
        set_way: ops,
        vm_reg: 0,
        flush,
    };
    cx.measured(name, demanded);
}
