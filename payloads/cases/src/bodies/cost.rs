//! What maintenance costs a guest: the instructions that it waits for, and the lines that are cleaned for it. Nothing of
//! that shows from inside, so these cases only do what is to be counted.

use super::{FIRST_SET_WAY, TOGGLE, coherence::far_places, set_way::issue};
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

/// Each event that flushes, in turn, with little memory touched around the image and a block or two far away.
pub fn flushes<I: Isa>(cx: &mut Context<I>) {
    const ROUNDS: u64 = 3;
    let all = Counts {
        set_way: ROUNDS,
        vm_reg: 2 * ROUNDS,
        flush: 3 * ROUNDS,
    };
    for (value, at) in (1..).zip(far_places(cx)) {
        at.store::<u64>(value);
    }
    cx.step("set/way op, cache off, cache on, 3 times", all, || {
        for _ in 0..ROUNDS {
            issue::<I>(SetWayOp::Cisw);
            I::set_caches(false, false);
            I::set_caches(true, true);
        }
    });
}

/// What a boot loader does before it jumps to a kernel: everything by set/way, cache off, and again. As many ops as the
/// nearest cache of a Cortex-A57 has lines stand for everything: a loop over all is a case of its own, and the operands
/// mean nothing to a hypervisor.
pub fn hand_over<I: Isa>(cx: &mut Context<I>) {
    const LINES: u64 = 512;
    let each_line = || {
        for _ in 0..LINES {
            issue::<I>(SetWayOp::Cisw);
        }
    };
    let again = Counts {
        set_way: LINES,
        vm_reg: 0,
        flush: 0,
    };
    let first = Counts { flush: 1, ..again };
    cx.step("512 set/way ops", first, each_line);
    cx.step("cache off", TOGGLE, || I::set_caches(false, false));
    cx.step("512 set/way ops, again", again, each_line);
    I::set_caches(true, true);
}
